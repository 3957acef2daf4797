//! The parts of pages that live in the browser: the panels that reckon while one types. The server makes
//! them with their page; the browser [wakes](crate::browser) them, with the same code.
//!
//! Everything else is made on the server alone. What an island is given stands in the page for whoever
//! reads its source, so it is given nothing that its reader may not see.

mod autosave;
mod cart;
mod change;
mod order;
mod panel;
mod reckon;
mod typed;

pub use autosave::SaveHead;
pub use cart::CartPanel;
pub use change::{Asking, ChangePanel, TryChange};
pub use order::OrderPanel;
pub use panel::{monthly, stages, when};
pub use reckon::{cells, first_cell};
