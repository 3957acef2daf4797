//! The portal through its router: everything that stands around an answer.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't be set up should stop at once"
)]
#![recursion_limit = "512"]

mod access_rule;
mod around;
mod as_typed;
mod backups;
mod bin;
mod change;
mod contents;
mod cross_site;
mod day_two;
mod door;
mod first_steps;
mod forms;
mod full;
mod imports;
mod once;
mod policies;
mod portal;
mod prices;
mod prints;
mod programs;
mod reinstall;
mod rest;
mod same_rows;
mod truth;
mod usage;
mod work_order;
