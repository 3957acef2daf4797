//! The only place where SQL stands: functions over a transaction, rows turned into domain types.
//!
//! Read [`db`] first: it explains the two transaction types and the macro `on!`.
pub mod access;
pub mod access_rule;
pub mod audit;
pub mod audit_list;
pub mod backup;
pub mod bin;
pub mod calendar;
pub mod change;
pub mod cloud;
pub mod cloud_limit;
pub mod db;
pub mod difference;
pub mod door;
pub mod dump;
pub mod erasure;
pub mod examine;
pub mod fulfilment;
pub mod history;
pub mod hit;
pub mod home;
pub mod idempotency;
pub mod import;
pub mod item;
pub mod item_version;
pub mod job;
pub mod live;
pub mod migrations;
pub mod notice;
pub mod operation;
pub mod overview;
pub mod place;
pub mod policy;
pub mod project;
pub mod publication;
pub mod quota;
pub mod request;
pub mod request_change;
pub mod request_line;
pub mod request_list;
pub mod request_revision;
pub mod resource;
pub mod resource_action;
pub mod room;
pub mod saga;
pub mod search;
pub mod secret;
pub mod session;
pub mod session_list;
pub mod setting;
pub mod snapshot;
pub mod sql;
pub mod step;
pub mod system;
pub mod todo;
pub mod token;
pub mod unit;
pub mod usage;
pub mod user;
pub mod vdc;
pub mod work_order;

#[cfg(test)]
mod quota_tests;
#[cfg(test)]
mod tests;

pub use db::{Db, DbConfig, ReadTx, Tx};
