//! Requests: the list, and one request with its lines, opinions, delivery
//! and history, its form on paper, and the form that gives resources back.

mod detail;
mod list;
mod print;
mod release;

#[cfg(feature = "ssr")]
use crate::form::ssr::{Pages, page_post};
use crate::{lazy_pages, routes::page};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// The list.
    List,
    /// One request.
    Detail,
    /// Its application form on paper.
    Print,
    /// Resources that are given back.
    Release,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn requests(page: Page) -> AnyView {
    match page {
        Page::List => view! { <list::List/> }.into_any(),
        Page::Detail => view! { <detail::Detail/> }.into_any(),
        Page::Print => view! { <print::Print/> }.into_any(),
        Page::Release => view! { <release::Release/> }.into_any(),
    }
}

lazy_pages!(requests, __preload_requests);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/requests"), piece(Page::List)),
        page(path!("/requests/release"), piece(Page::Release)),
        page(path!("/requests/:id"), piece(Page::Detail)),
        page(path!("/requests/:id/print"), piece(Page::Print)),
    ]
}

/// What the pages post to themselves, and the list as a file.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/requests/release", page_post(release::ssr::submit))
        .route("/requests/{id}", page_post(detail::ssr::act))
        .route(list::CSV, axum::routing::get(list::ssr::csv))
}
