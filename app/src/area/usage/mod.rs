//! Utilisation (利用率): the hosts with what they use, the same by unit, one host day by day.

mod chart;
mod host;
mod list;
mod units;
mod words;

use crate::form::ssr::Pages;
use crate::pages::page;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/usage"), list::Hosts),
        page(path!("/usage/units"), units::Units),
        page(path!("/usage/:id"), host::HostPage),
    ]
}

/// The lists as files.
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route(list::CSV, axum::routing::get(list::ssr::csv))
        .route(units::CSV, axum::routing::get(units::ssr::csv))
}
