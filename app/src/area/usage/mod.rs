//! Utilisation (利用率): the hosts with what they use, the same by unit, one host day by day.

mod chart;
mod host;
mod list;
mod units;
mod words;

#[cfg(feature = "ssr")]
use crate::form::ssr::Pages;
use crate::{lazy_pages, routes::page};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// The hosts.
    Hosts,
    /// The units.
    Units,
    /// One host.
    Host,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn usage(page: Page) -> AnyView {
    match page {
        Page::Hosts => view! { <list::Hosts/> }.into_any(),
        Page::Units => view! { <units::Units/> }.into_any(),
        Page::Host => view! { <host::HostPage/> }.into_any(),
    }
}

lazy_pages!(usage, __preload_usage);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/usage"), piece(Page::Hosts)),
        page(path!("/usage/units"), piece(Page::Units)),
        page(path!("/usage/:id"), piece(Page::Host)),
    ]
}

/// The lists as files.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route(list::CSV, axum::routing::get(list::ssr::csv))
        .route(units::CSV, axum::routing::get(units::ssr::csv))
}
