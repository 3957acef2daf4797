//! HTTP, sessions, sub-commands and wiring.

pub mod http;
