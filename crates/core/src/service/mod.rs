//! Use cases: the only place that opens transactions. In each, in this order: load, authorize,
//! transition, hold, save, enqueue, audit, commit.

mod admin;
pub mod approval;
pub mod audit;
pub mod backup;
pub mod calendar;
pub mod cart;
pub mod catalogue;
pub mod console;
pub mod difference;
pub mod examine;
mod form;
pub mod grant;
pub mod home;
pub mod import;
pub mod install;
pub mod item;
pub mod job;
pub mod live;
pub mod notice;
pub mod operation;
pub mod overview;
pub mod policy;
pub mod quota;
pub mod refusal;
pub mod request;
pub mod resource;
pub mod search;
pub mod session;
pub mod system;
pub mod token;
pub mod unit;
pub mod usage;
pub mod user;

#[cfg(test)]
mod calendar_tests;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod people_tests;
