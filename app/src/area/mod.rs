//! The parts of the portal: one folder each, its pages, forms and server functions together. An
//! area never imports another area's inside; what two need stands in `ui`, `form` or the model.

pub mod account;
pub mod approvals;
pub mod audit;
pub mod catalogue;
pub mod help;
pub mod home;
pub mod imports;
pub mod items;
pub mod kit;
pub mod notices;
pub mod operations;
pub mod order;
pub mod overview;
pub mod people;
pub mod quota;
pub mod requests;
pub mod resources;
pub mod search;
pub mod sign_in;
pub mod usage;
