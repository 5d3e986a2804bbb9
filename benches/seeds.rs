//! Random lives: in a scene of the tests' gallery a process meets faults, answers from the past,
//! outsiders and its death, another goes on with what it left, and at the end everything is judged.
//!
//! `cargo bench --bench seeds -- 1000` runs so many, `-- 1000 SEED` from a seed on, `-- pairs` kills the
//! small scene at every call and what resumes it at every call again. A failure prints its seed and the
//! line that replays it.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::time::Duration;

#[path = "../tests/support/mod.rs"]
#[expect(dead_code, reason = "the tests do more")]
mod support;

use support::{chaos, lives, sweep};

/// All that is asked for is tried.
const fn stride() -> usize {
    1
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let number =
        |at: usize, default| arguments.get(at).and_then(|a| a.parse().ok()).unwrap_or(default);
    if arguments.first().is_some_and(|first| first == "pairs") {
        let (pairs, failures) = chaos::every_pair(usize::try_from(number(1, 1)).unwrap_or(1));
        println!("{pairs} pairs of deaths, {} failed", failures.len());
        failures.iter().take(5).for_each(|failure| println!("{failure}"));
        assert!(failures.is_empty(), "pairs of deaths failed");
        return;
    }
    let (lives, first) = (number(0, 1000), number(1, 0));
    let began = lives::stopwatch();
    let mut failed = 0;
    for start in (first..first + lives).step_by(1000) {
        let seeds: Vec<u64> = (start..(start + 1000).min(first + lives)).collect();
        let failures = sweep::on_every_core(&seeds, |seed| chaos::life(*seed));
        for failure in &failures {
            println!("{failure}\n");
        }
        failed += failures.len();
        let done = seeds.last().map_or(0, |last| last + 1 - first);
        let took: Duration = began();
        println!("{done} lives, {failed} failed, {} s", took.as_secs());
    }
    assert_eq!(failed, 0, "lives failed");
}
