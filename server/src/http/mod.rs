//! Everything that answers HTTP.

pub mod pages;
