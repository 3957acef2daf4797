//! The outside world behind traits: a specification goes in, a state comes out.
//!
//! Nothing here knows of requests, users or the database. Time comes in through [`Clock`], chance
//! through a seed.
pub mod provisioning;

use lingbao_model::time::Timestamp;

/// Where the present comes from. Any function that tells a [`Timestamp`] will do.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

impl<F: Fn() -> Timestamp + Send + Sync + 'static> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}
