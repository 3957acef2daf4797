//! Requests: the list, and one request with its lines, opinions, delivery
//! and history, its form on paper, and the form that gives resources back.

mod detail;
mod list;
mod print;
mod release;

use crate::form::ssr::{Pages, page_post};
use crate::pages::page;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/requests"), list::List),
        page(path!("/requests/release"), release::Release),
        page(path!("/requests/:id"), detail::Detail),
        page(path!("/requests/:id/print"), print::Print),
    ]
}

/// What the pages post to themselves, and the list as a file.
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/requests/release", page_post(release::ssr::submit))
        .route("/requests/{id}", page_post(detail::ssr::act))
        .route(list::CSV, axum::routing::get(list::ssr::csv))
}
