//! HTTP, sessions, sub-commands and wiring.
