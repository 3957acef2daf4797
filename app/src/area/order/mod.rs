//! Ordering: the form of an item, and the cart.

mod cart;
mod configure;
mod drafts;
mod system;

use crate::form::ssr::{Pages, page_post};
use crate::pages::page;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/catalogue/:code"), configure::Configure),
        page(path!("/drafts"), drafts::Drafts),
        page(path!("/cart"), system::CartOrSystem),
        page(path!("/cart/:id"), system::CartOrSystem),
    ]
}

/// What the pages post to themselves.
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/catalogue/{code}", page_post(configure::ssr::put))
        .route("/drafts", page_post(drafts::ssr::act))
        .route("/cart", page_post(cart::ssr::act))
        .route("/cart/{id}", page_post(system::ssr::act))
}
