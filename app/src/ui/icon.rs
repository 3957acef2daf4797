//! Icons and state shapes, from one sprite that the document holds once.

use leptos::prelude::*;

/// The sprite: all icons (`i-…`), state shapes (`s-…`) and the patterns of the quota bar (`p-…`).
/// The browser's code does not carry it.
#[cfg(feature = "ssr")]
#[component]
pub fn Sprite() -> impl IntoView {
    let symbols = include_str!("icons.svg");
    // The file is a whole SVG for editors; here only what is inside it is wanted.
    let inner = symbols
        .split_once('>')
        .map_or("", |(_, rest)| rest.trim_end().trim_end_matches("</svg>"));
    view! { <svg class="sprite" aria-hidden="true" focusable="false" inner_html=inner></svg> }
}

/// A stroke icon of 20 px, by its name in the sprite (`tick`). Always beside words, except edit,
/// delete and bell.
#[component]
pub fn Icon(name: &'static str) -> impl IntoView {
    view! {
        <svg class="i" aria-hidden="true">
            <use href=format!("#i-{name}")></use>
        </svg>
    }
}

/// A filled state shape of 16 px (`ok`, `run`, `act`, `bad`, `wait`, …).
#[component]
pub fn Shape(
    name: &'static str,
    /// A further class (`t-ok` in a time line).
    #[prop(default = "")]
    class: &'static str,
) -> impl IntoView {
    view! {
        <svg class=super::classes(&["sh", class]) aria-hidden="true">
            <use href=format!("#s-{name}")></use>
        </svg>
    }
}
