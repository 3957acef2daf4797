//! Words and rules of the portal: no I/O, no clock, no randomness.
