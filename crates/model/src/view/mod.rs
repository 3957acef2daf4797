//! What services answer and pages, server functions and the programming interface show: plain
//! structs, one file for each noun. They hold facts (ids, amounts, moments, keys of messages),
//! never sentences.

pub mod audit;
pub mod backup;
pub mod bin;
pub mod catalogue;
pub mod difference;
pub mod home;
pub mod import;
pub mod item;
pub mod operation;
pub mod overview;
pub mod page;
pub mod people;
pub mod policy;
pub mod quota;
pub mod request;
pub mod resource;
pub mod search;
pub mod system;
pub mod usage;
