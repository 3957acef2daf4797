//! Words and rules of the portal: no I/O, no clock, no randomness.
//!
//! The crate is compiled twice, for the server and for the browser, so that the price, the quota
//! and the verdict which the applicant sees while typing are computed by the very code that the
//! server enforces at submit. Therefore it depends on serde and next to nothing else.
//!
//! Read in this order: [`msg`] and [`id`] (how things are said and named), [`time`], [`calendar`],
//! [`money`] (quantities), [`people`] and [`placement`] (who and where), [`param`], [`price`],
//! [`quota`], [`catalogue`] (what can be ordered), [`makes`] (what a cloud makes of it), [`change`] (what becomes of what runs), [`access_rule`] (what may come in to it), [`reinstall`] (its system anew), [`policy`] and [`verdict`] (what will become of
//! it), and the three machines [`request`], [`fulfilment`], [`resource`].
#![deny(missing_docs)]

pub mod access_rule;
pub mod calendar;
pub mod catalogue;
pub mod change;
pub mod cloud_limit;
pub mod csv;
pub mod fulfilment;
pub mod id;
pub mod makes;
pub mod money;
pub mod msg;
pub mod param;
pub mod people;
pub mod placement;
pub mod policy;
pub mod price;
pub mod quota;
pub mod reinstall;
pub mod request;
pub mod resource;
pub mod text;
pub mod time;
pub mod usage;
pub mod verdict;
pub mod view;
mod wire;
pub mod words;
