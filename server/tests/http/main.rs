//! The portal through its router: everything that stands around an answer.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't be set up should stop at once"
)]
#![recursion_limit = "512"]

mod around;
mod change;
mod day_two;
mod door;
mod portal;
mod rest;
mod truth;
mod usage;
