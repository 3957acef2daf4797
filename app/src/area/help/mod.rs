//! Help: questions and answers, and a calculator for terms in working days.
//!
//! The smallest whole area, and the example that `docs/how-to/add-an-area.md` walks through: a
//! list with a filter, a form that posts to its own page, a server function, both languages.

mod deadline;
mod topics;

use crate::form::ssr::{Pages, page_post};
use crate::pages::page;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/help"), topics::Topics),
        page(path!("/help/deadline"), deadline::Deadline),
    ]
}

/// What the pages post to themselves.
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new().route(deadline::PATH, page_post(deadline::ssr::act))
}
