//! The only place where SQL stands: functions over a transaction, rows turned into domain types.
//!
//! Read [`db`] first: it explains the two transaction types and the macro `on!`.
pub mod access;
pub mod db;
pub mod job;
pub mod migrations;
pub mod saga;
pub mod sql;

pub use db::{Db, DbConfig, ReadTx, Tx};
