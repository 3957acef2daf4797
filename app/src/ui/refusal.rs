//! A page whose subject could not be had.

use super::{ErrorBanner, not_found::NotFound};
use crate::{
    error::{ApiError, ErrorCode},
    i18n, routes, t,
};
use leptos::prelude::*;
use leptos_meta::Title;

/// A page whose subject could not be had: "not found", sign-in, or the reason. Sets the status.
#[component]
pub fn Refusal(error: ApiError) -> impl IntoView {
    match error.code {
        ErrorCode::NotFound => NotFound().into_any(),
        ErrorCode::Unauthenticated => {
            let here = leptos_router::hooks::use_location();
            // With its query: which line is edited and which list was filtered stands there.
            let mut asked = here.pathname.get_untracked();
            let query = here.search.get_untracked();
            if !query.is_empty() {
                asked.push('?');
                asked.push_str(query.trim_start_matches('?'));
            }
            let next = routes::with_query(routes::SIGN_IN, &[("next", &asked)]);
            view! { <leptos_router::components::Redirect path=next/> }.into_any()
        }
        _ => {
            if let (Some(response), Ok(status)) = (
                use_context::<leptos_axum::ResponseOptions>(),
                http::StatusCode::from_u16(error.code.status()),
            ) {
                response.set_status(status);
            }
            view! {
                <Title text=i18n::msg(&error.msg)/>
                <ErrorBanner error/>
                <p><a href=routes::HOME>{t!("not_found.back")}</a></p>
            }
            .into_any()
        }
    }
}
