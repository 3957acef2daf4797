//! Administration of the catalogue: items and their prices as versions, published by two persons.

mod item;
mod list;

#[cfg(feature = "ssr")]
use crate::form::ssr::{Pages, page_post};
use crate::{lazy_pages, routes::page};
use leptos::prelude::*;
use leptos_router::{Lazy, any_nested_route::AnyNestedRoute, path};

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// All items.
    List,
    /// One item with its versions.
    Item,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn items(page: Page) -> AnyView {
    match page {
        Page::List => view! { <list::List/> }.into_any(),
        Page::Item => view! { <item::Item/> }.into_any(),
    }
}

lazy_pages!(items, __preload_items => ListRoute: List, ItemRoute: Item);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/admin/items"), Lazy::<ListRoute>::new()),
        page(path!("/admin/items/:code"), Lazy::<ItemRoute>::new()),
    ]
}

/// What the pages post to themselves.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/admin/items", page_post(list::ssr::create))
        .route("/admin/items/{code}", page_post(item::ssr::act))
}
