//! Ordering: the form of an item, and the cart.

mod cart;
mod configure;
mod drafts;
mod panel;

#[cfg(feature = "ssr")]
use crate::form::ssr::{Pages, page_post};
use crate::{lazy_pages, routes::page};
use leptos::prelude::*;
use leptos_router::{Lazy, any_nested_route::AnyNestedRoute, path};

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// The form of one item.
    Configure,
    /// The cart.
    Cart,
    /// Carts that were begun.
    Drafts,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn order(page: Page) -> AnyView {
    match page {
        Page::Configure => view! { <configure::Configure/> }.into_any(),
        Page::Cart => view! { <cart::Cart/> }.into_any(),
        Page::Drafts => view! { <drafts::Drafts/> }.into_any(),
    }
}

lazy_pages!(order, __preload_order => ConfigureRoute: Configure, CartRoute: Cart, DraftsRoute: Drafts);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/catalogue/:code"), Lazy::<ConfigureRoute>::new()),
        page(path!("/drafts"), Lazy::<DraftsRoute>::new()),
        page(path!("/cart"), Lazy::<CartRoute>::new()),
        page(path!("/cart/:id"), Lazy::<CartRoute>::new()),
    ]
}

/// What the pages post to themselves.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/catalogue/{code}", page_post(configure::ssr::put))
        .route("/drafts", page_post(drafts::ssr::act))
        .route("/cart", page_post(cart::ssr::act))
        .route("/cart/{id}", page_post(cart::ssr::act))
}
