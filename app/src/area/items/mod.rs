//! Administration of the catalogue: items, their prices and the approval policies as versions,
//! published by two persons.

mod item;
mod list;
mod policies;
mod policy;
mod policy_drawn;
mod policy_form;
mod policy_rows;
mod policy_trial;

#[cfg(feature = "ssr")]
use crate::form::ssr::{Pages, page_post};
use crate::{
    lazy_pages,
    routes::{self, page},
    t,
    ui::{Tab, Tabs},
};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, hooks::use_location, path};

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// All items; all policies.
    List,
    /// One item or one policy with its versions.
    Item,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn items(page: Page) -> AnyView {
    // One type of route for both nouns: each type would travel with the first load of every page.
    let here = use_location().pathname.get_untracked();
    match (page, here.starts_with(routes::ADMIN_POLICIES)) {
        (Page::List, false) => view! { <list::List/> }.into_any(),
        (Page::Item, false) => view! { <item::Item/> }.into_any(),
        (Page::List, true) => view! { <policies::Policies/> }.into_any(),
        (Page::Item, true) => view! { <policy::OnePolicy/> }.into_any(),
    }
}

/// The two lists of those who keep the items; nothing for those who keep prices alone.
fn tabs(current: &'static str) -> Option<AnyView> {
    let tab = |href: &'static str, text: &'static str| Tab {
        href: href.to_owned(),
        text: text.to_owned(),
        count: None,
        current: href == current,
    };
    let both = crate::viewer::use_viewer().is_some_and(|v| v.can("manage_items"));
    both.then(|| {
        let tabs = vec![
            tab(routes::ADMIN_ITEMS, t!("items.item")),
            tab(routes::ADMIN_POLICIES, t!("policy.title")),
        ];
        view! { <Tabs label=t!("nav.items") tabs/> }.into_any()
    })
}

lazy_pages!(items, __preload_items);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/admin/items"), piece(Page::List)),
        page(path!("/admin/items/:code"), piece(Page::Item)),
        page(path!("/admin/policies"), piece(Page::List)),
        page(path!("/admin/policies/:kind"), piece(Page::Item)),
    ]
}

/// What the pages post to themselves.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/admin/items", page_post(list::ssr::create))
        .route("/admin/items/{code}", page_post(item::ssr::act))
        .route("/admin/policies/{kind}", page_post(policy::ssr::post))
}
