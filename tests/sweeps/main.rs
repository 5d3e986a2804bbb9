//! Every enumeration in full: minutes, so plain `cargo test` leaves them out, and `tests/it` tries one
//! case in twenty of each. `cargo test --test sweeps`, or `just sweeps`.

#![expect(clippy::print_stdout, reason = "counts, for who runs the sweeps with --nocapture")]

/// One case in so many is tried: each, or what the environment's `ONE_IN` says.
fn stride() -> usize {
    std::env::var("ONE_IN").map_or(1, |number| number.parse().expect("ONE_IN is a number"))
}

mod cases;
#[path = "../support/mod.rs"]
mod support;
