//! What the page says by itself: banners, toasts, refusals.

use super::{Icon, Text, not_found::NotFound};
use crate::{
    error::{ApiError, ErrorCode},
    i18n, routes, t,
};
use leptos::prelude::*;
use leptos_meta::Title;

/// How loud something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// Good to know.
    #[default]
    Info,
    /// Done.
    Ok,
    /// A person must act, or a limit is near.
    Warn,
    /// Failed, overdue, cannot be undone.
    Bad,
}

/// Something about the page that stays.
#[component]
pub fn Banner(
    #[prop(default = Tone::Info)] tone: Tone,
    /// Links at the right.
    #[prop(optional)]
    acts: Option<AnyView>,
    children: Children,
) -> impl IntoView {
    let (class, icon) = match tone {
        Tone::Info => ("banner", "info"),
        Tone::Ok => ("banner banner-ok", "tick"),
        Tone::Warn => ("banner banner-warn", "warn"),
        Tone::Bad => ("banner banner-bad", "warn"),
    };
    view! {
        <div class=class role=(tone == Tone::Bad).then_some("alert")>
            <Icon name=icon/>
            <div>{children()}</div>
            {acts.map(|acts| view! { <div class="acts">{acts}</div> })}
        </div>
    }
}

/// A refusal inside a page, when the rest of the page works on. For the subject of a page use
/// [`Refusal`].
#[component]
pub fn ErrorBanner(error: ApiError) -> impl IntoView {
    let number = error.request_id.clone();
    let next = error.next.clone();
    view! {
        <Banner tone=Tone::Bad>
            <b>{i18n::msg(&error.msg)}</b>
            {number.map(|id| view! { " "{t!("error.number", id = id)} })}
            {next.map(|next| view! { " "<a href=next>{t!("ui.go_on")}</a> })}
        </Banner>
    }
}

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
            #[cfg(feature = "ssr")]
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

/// Something small that was just done, for some seconds; it stays for readers who stop motion and
/// without scripts.
#[component]
pub fn Toast(#[prop(into)] text: Text, #[prop(optional)] act: Option<AnyView>) -> impl IntoView {
    view! {
        <div class="toast" role="status">
            <Icon name="tick"/>
            <span>{text}</span>
            {act}
        </div>
    }
}

/// The server runs another build than this page.
#[component]
pub fn OldPageBanner() -> impl IntoView {
    let stale = crate::live::is_stale();
    view! {
        <Show when=move || stale.get()>
            <Banner>{t!("ui.old_page")} " "<a href="" rel="external">{t!("ui.reload")}</a></Banner>
        </Show>
    }
}
