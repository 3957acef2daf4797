//! The pages: a Leptos application of islands. The server makes every page; the browser brings the next
//! one without loading the document anew, and reckons where somebody types.
//!
//! [`routes`] lists the pages, [`area`] holds one folder a part of the portal, [`frame`] is what
//! stands around every page, [`ui`] the design system (it knows no domain word), [`form`] how a
//! form posts to its own page, [`i18n`] the words; all that on the server. [`island`] is what lives in
//! both, [`browser`] what the browser does with the pages. How to add an area:
//! `docs/how-to/add-an-area.md`.

// The types of a page are deep.
#![recursion_limit = "512"]

pub mod error;
pub mod facts;
pub mod i18n;
pub mod island;
pub mod json;
pub mod names;
pub mod routes;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod area;
#[cfg(feature = "ssr")]
pub mod asked;
#[cfg(feature = "ssr")]
pub mod csv;
#[cfg(feature = "ssr")]
pub mod form;
#[cfg(feature = "ssr")]
pub mod frame;
#[cfg(feature = "ssr")]
pub mod live;
#[cfg(feature = "ssr")]
pub mod look;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod shell;
#[cfg(feature = "ssr")]
pub mod ssr;
#[cfg(feature = "ssr")]
pub mod viewer;

#[cfg(feature = "hydrate")]
pub mod browser;
