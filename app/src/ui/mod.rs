//! The design system: components on the classes of `style/`. Knows no word of the domain and
//! nothing of `area`.
//!
//! `use crate::ui::*;` in a page brings all of it; `/kit` shows them. What islands use is compiled for the
//! browser too, everything else for the server alone.

pub mod button;
#[cfg(feature = "ssr")]
pub mod chart;
#[cfg(feature = "ssr")]
pub mod choice;
pub mod feedback;
#[cfg(feature = "ssr")]
pub mod field;
pub mod icon;
#[cfg(feature = "ssr")]
pub mod layout;
pub mod named;
#[cfg(feature = "ssr")]
pub mod not_found;
pub mod price;
pub mod quota;
#[cfg(feature = "ssr")]
pub mod refusal;
#[cfg(feature = "ssr")]
pub mod sheet;
pub mod state;
pub mod step;
#[cfg(feature = "ssr")]
pub mod table;
#[cfg(feature = "ssr")]
pub mod track;
#[cfg(feature = "ssr")]
pub mod wait;

pub use button::*;
#[cfg(feature = "ssr")]
pub use chart::*;
#[cfg(feature = "ssr")]
pub use choice::*;
pub use feedback::*;
#[cfg(feature = "ssr")]
pub use field::*;
pub use icon::{Icon, Shape};
#[cfg(feature = "ssr")]
pub use layout::*;
pub use named::named;
pub use price::*;
pub use quota::*;
#[cfg(feature = "ssr")]
pub use refusal::*;
#[cfg(feature = "ssr")]
pub use sheet::*;
pub use state::*;
pub use step::step;
#[cfg(feature = "ssr")]
pub use table::*;
#[cfg(feature = "ssr")]
pub use track::*;
#[cfg(feature = "ssr")]
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
