//! Requests: the list, and one request with its lines, opinions, delivery and history.

mod detail;
mod list;

#[cfg(feature = "ssr")]
use crate::form::ssr::{Pages, page_post};
use crate::{lazy_pages, routes::page};
use leptos::prelude::*;
use leptos_router::{Lazy, any_nested_route::AnyNestedRoute, path};

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// The list.
    List,
    /// One request.
    Detail,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn requests(page: Page) -> AnyView {
    match page {
        Page::List => view! { <list::List/> }.into_any(),
        Page::Detail => view! { <detail::Detail/> }.into_any(),
    }
}

lazy_pages!(requests, __preload_requests => ListRoute: List, DetailRoute: Detail);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/requests"), Lazy::<ListRoute>::new()),
        page(path!("/requests/:id"), Lazy::<DetailRoute>::new()),
    ]
}

/// What the pages post to themselves.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new().route("/requests/{id}", page_post(detail::ssr::act))
}
