//! The person's own pages: visits and sessions, password, tokens of the programming interface.

mod overview;
mod password;
mod tokens;

#[cfg(feature = "ssr")]
use crate::form::ssr::{Pages, page_post};
use crate::{
    lazy_pages,
    routes::{self, page},
    t,
    ui::Crumb,
};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// Who one is, visits, sessions.
    Overview,
    /// Change of the password.
    Password,
    /// Tokens.
    Tokens,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn account(page: Page) -> AnyView {
    match page {
        Page::Overview => view! { <overview::Overview/> }.into_any(),
        Page::Password => view! { <password::Password/> }.into_any(),
        Page::Tokens => view! { <tokens::Tokens/> }.into_any(),
    }
}

lazy_pages!(account, __preload_account);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/me"), piece(Page::Overview)),
        page(path!("/me/password"), piece(Page::Password)),
        page(path!("/me/tokens"), piece(Page::Tokens)),
    ]
}

/// What the pages post to themselves.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route(routes::ME, page_post(overview::ssr::sign_out_everywhere))
        .route(password::PATH, page_post(password::ssr::change))
        .route(tokens::PATH, page_post(tokens::ssr::act))
}

fn crumbs() -> Vec<Crumb> {
    vec![(t!("account.title").to_owned(), routes::ME.to_owned())]
}
