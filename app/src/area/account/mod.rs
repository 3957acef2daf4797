//! The person's own pages: visits and sessions, password, tokens of the programming interface.

mod overview;
mod password;
mod tokens;

use crate::form::ssr::{Pages, page_post};
use crate::{pages::page, routes, t, ui::Crumb};
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/me"), overview::Overview),
        page(path!("/me/password"), password::Password),
        page(path!("/me/tokens"), tokens::Tokens),
    ]
}

/// What the pages post to themselves.
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route(routes::ME, page_post(overview::ssr::sign_out_everywhere))
        .route(password::PATH, page_post(password::ssr::change))
        .route(tokens::PATH, page_post(tokens::ssr::act))
}

fn crumbs() -> Vec<Crumb> {
    vec![(t!("account.title").to_owned(), routes::ME.to_owned())]
}
