//! Approvals: what waits for this person, the card on which one decides, and what was decided.

mod card;
mod lists;

use crate::form::ssr::{Pages, page_post};
use crate::pages::page;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/todo"), lists::Todo),
        page(path!("/done"), lists::Done),
        page(path!("/todo/:step"), card::Card),
    ]
}

/// What the pages post to themselves, and the decisions as a file.
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/todo/{step}", page_post(card::ssr::decide))
        .route(lists::CSV, axum::routing::get(lists::ssr::csv))
}
