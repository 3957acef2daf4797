//! Where the portal and the clouds differ: a piece of code of its own, which is loaded by whoever looks
//! at differences and not with every page of operations.

use super::{difference, differences};
use crate::{lazy_pages, routes::page};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// The pages of this piece.
#[derive(Clone, Copy)]
pub enum Page {
    /// All differences.
    List,
    /// One of them.
    One,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn apart(page: Page) -> AnyView {
    match page {
        Page::List => view! { <differences::Differences/> }.into_any(),
        Page::One => view! { <difference::DifferencePage/> }.into_any(),
    }
}

lazy_pages!(apart, __preload_apart);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/operations/differences"), piece(Page::List)),
        page(path!("/operations/differences/:id"), piece(Page::One)),
    ]
}
