//! HTTP, sessions, sub-commands and wiring.
// The types of a page are deep.
#![recursion_limit = "512"]

pub mod cli;
pub mod command;
pub mod config;
pub mod doctor;
pub mod http;
pub mod log;
pub mod seed;
pub mod serve;
pub mod wiring;
