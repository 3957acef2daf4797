//! Storage, services, jobs and sagas: everything of the portal that has a database under it and no
//! page above it. Native only.
//!
//! Read in this order: [`storage::db`] (transactions), [`app`] (what an act is given), [`error`],
//! [`jobs`] and [`saga`] (what happens after the commit), [`audit`].
#![warn(missing_docs)]

pub mod app;
pub mod audit;
pub mod authz;
pub mod cleanup;
pub mod clock;
pub mod crypto;
pub mod error;
pub mod fulfil;
pub mod idempotency;
pub mod jobs;
pub mod saga;
pub mod seed;
pub mod service;
pub mod session_store;
pub mod storage;
#[cfg(any(test, feature = "test-support"))]
pub mod testing;
pub mod usage;
pub mod xlsx;

pub use app::{Actor, App, Cx};
pub use error::{ServiceError, StorageError};
