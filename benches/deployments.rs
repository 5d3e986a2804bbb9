//! How fast a simulated deployment is, in process: what the tests pay for each life. Run it with
//! `cargo bench --profile dev` for what a test pays, or with the release profile.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints and measures"
)]

use std::time::Instant;

use ecs_bg::{Host, Sandbox};
use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::scenario::Scenario;

const RUNS: u32 = 30;

fn main() {
    let scenario = Scenario::builtin("shop").expect("a built-in scenario");
    let world = Cloud::from_scenario(&scenario).expect("a world");
    for (what, more) in [("155 s", "--bake 0"), ("600 s", "--bake 565s")] {
        let line = format!("ecs-bg deploy --cluster shop --service web --tag shop/web=2 {more}");
        let mut least = f64::MAX;
        let mut total = 0.0;
        for _ in 0..RUNS {
            let (host, captured) = Host::captured(Sandbox::new(world.clone()));
            let begin = Instant::now();
            let code = ecs_bg::run(line.split(' '), &host);
            let took = begin.elapsed().as_secs_f64() * 1000.0;
            assert_eq!(code, 0, "{}", captured.text());
            least = least.min(took);
            total += took;
        }
        println!(
            "{what} simulated: least {least:.1} ms, mean {:.1} ms of {RUNS}",
            total / f64::from(RUNS)
        );
    }
}
