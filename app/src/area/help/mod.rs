//! Help: questions and answers, and a calculator for terms in working days.
//!
//! The smallest whole area, and the example that `docs/how-to/add-an-area.md` walks through: a
//! list with a filter, a form that posts to its own page, a server function, both languages.

mod deadline;
mod topics;

#[cfg(feature = "ssr")]
use crate::form::ssr::{Pages, page_post};
use crate::{lazy_pages, routes::page};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// Questions and answers.
    Topics,
    /// The calculator.
    Deadline,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn help(page: Page) -> AnyView {
    match page {
        Page::Topics => view! { <topics::Topics/> }.into_any(),
        Page::Deadline => view! { <deadline::Deadline/> }.into_any(),
    }
}

lazy_pages!(help, __preload_help);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/help"), piece(Page::Topics)),
        page(path!("/help/deadline"), piece(Page::Deadline)),
    ]
}

/// What the pages post to themselves.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new().route(deadline::PATH, page_post(deadline::ssr::act))
}
