//! Ordering: the form of an item, and the cart.

mod autosave;
mod cart;
mod configure;
mod drafts;
mod panel;
mod system;

#[cfg(feature = "ssr")]
use crate::form::ssr::{Pages, page_post};
use crate::{lazy_pages, piece, routes::page};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// The pages of the cart.
#[derive(Clone, Copy)]
pub enum Page {
    /// The cart.
    Cart,
    /// Carts that were begun.
    Drafts,
}

/// The piece of code that is loaded when somebody opens a cart.
#[lazy]
fn cart(page: Page) -> AnyView {
    match page {
        Page::Cart => view! { <system::CartOrSystem/> }.into_any(),
        Page::Drafts => view! { <drafts::Drafts/> }.into_any(),
    }
}

lazy_pages!(cart, __preload_cart);

/// The form computes price, quota and verdict in the browser: it is a piece of its own, so that the
/// cart, which lets the server compute, does not carry it.
#[lazy]
fn order() -> AnyView {
    view! { <configure::Configure/> }.into_any()
}

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/catalogue/:code"), piece!(order(), __preload_order)),
        page(path!("/drafts"), piece(Page::Drafts)),
        page(path!("/cart"), piece(Page::Cart)),
        page(path!("/cart/:id"), piece(Page::Cart)),
    ]
}

/// What the pages post to themselves.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/catalogue/{code}", page_post(configure::ssr::put))
        .route("/drafts", page_post(drafts::ssr::act))
        .route("/cart", page_post(cart::ssr::act))
        .route("/cart/{id}", page_post(system::ssr::act))
}
