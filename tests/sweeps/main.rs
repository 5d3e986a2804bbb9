//! Every enumeration in full: minutes, so plain `cargo test` leaves them out, and `tests/it` tries one
//! case in twenty of each. `cargo test --test sweeps`, or `just sweeps`.

#![expect(clippy::print_stdout, reason = "counts, for who runs the sweeps with --nocapture")]

/// One case in so many is tried: each.
const STRIDE: usize = 1;

mod cases;
#[path = "../support/mod.rs"]
mod support;
