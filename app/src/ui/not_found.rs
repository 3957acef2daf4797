//! "Not found", which is also the answer for "not yours".

use super::{Empty, LinkButton, PageHead};
use crate::{frame::Frame, routes, t};
use leptos::prelude::*;

/// The body of the page: names no owner, offers a way back.
#[component]
pub fn NotFound() -> impl IntoView {
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(http::StatusCode::NOT_FOUND);
    }
    let act =
        view! { <LinkButton href=routes::HOME>{t!("not_found.back")}</LinkButton> }.into_any();
    view! {
        <PageHead title=t!("not_found.title")/>
        <section class="panel">
            <Empty icon="lock" title=t!("not_found.head") note=t!("not_found.note") act/>
        </section>
    }
}

/// The page for paths that no route knows, in its frame.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! {
        <Frame>
            <NotFound/>
        </Frame>
    }
}
