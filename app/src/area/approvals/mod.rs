//! Approvals: what waits for this person, the card on which one decides, and what was decided.

mod card;
mod lists;

#[cfg(feature = "ssr")]
use crate::form::ssr::{Pages, page_post};
use crate::{lazy_pages, routes::page};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// What waits.
    Todo,
    /// What was decided.
    Done,
    /// One card.
    Card,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn approvals(page: Page) -> AnyView {
    match page {
        Page::Todo => view! { <lists::Todo/> }.into_any(),
        Page::Done => view! { <lists::Done/> }.into_any(),
        Page::Card => view! { <card::Card/> }.into_any(),
    }
}

lazy_pages!(approvals, __preload_approvals);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/todo"), piece(Page::Todo)),
        page(path!("/done"), piece(Page::Done)),
        page(path!("/todo/:step"), piece(Page::Card)),
    ]
}

/// What the pages post to themselves, and the decisions as a file.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/todo/{step}", page_post(card::ssr::decide))
        .route(lists::CSV, axum::routing::get(lists::ssr::csv))
}
