//! The design system: components on the classes of `style/`. Knows no word of the domain and
//! nothing of `area`.
//!
//! `use crate::ui::*;` in a page brings all of it. What each is for and not for stands in the table
//! of `docs/how-to/use-the-design-system.md`; `/kit` shows them.

pub mod button;
pub mod chart;
pub mod choice;
pub mod dialog;
pub mod feedback;
pub mod field;
pub mod icon;
pub mod layout;
pub mod not_found;
pub mod price;
pub mod quota;
pub mod sheet;
pub mod state;
pub mod table;
pub mod track;
pub mod wait;

pub use button::*;
pub use chart::*;
pub use choice::*;
pub use dialog::*;
pub use feedback::*;
pub use field::*;
pub use icon::{Icon, Shape};
pub use layout::*;
pub use price::*;
pub use quota::*;
pub use sheet::*;
pub use state::*;
pub use table::*;
pub use track::*;
pub use wait::*;

/// A text for a component: `t!("…")` or a `String`, without copying the former.
pub type Text = leptos::oco::Oco<'static, str>;

/// Class names joined by spaces, without empty ones.
pub(crate) fn classes(parts: &[&str]) -> String {
    parts
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(" ")
}
