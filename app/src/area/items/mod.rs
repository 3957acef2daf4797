//! Administration of the catalogue: items, their prices and the approval policies as versions,
//! published by two persons.

mod content_changes;
mod content_form;
mod content_rows;
mod item;
mod list;
mod policies;
mod policy;
mod policy_drawn;
mod policy_form;
mod policy_rows;
mod policy_trial;
mod price_form;
mod price_rows;
mod price_trial;
mod rows;
mod when;

use crate::form::ssr::{Pages, page_post};
use crate::{
    pages::page,
    routes, t,
    ui::{Tab, Tabs},
};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

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

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/admin/items"), list::List),
        page(path!("/admin/items/:code"), item::Item),
        page(path!("/admin/policies"), policies::Policies),
        page(path!("/admin/policies/:kind"), policy::OnePolicy),
    ]
}

/// What the pages post to themselves.
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/admin/items", page_post(list::ssr::create))
        .route("/admin/items/{code}", page_post(item::ssr::act))
        .route("/admin/policies/{kind}", page_post(policy::ssr::post))
}
