//! What the page says by itself: banners and toasts.

use super::{Icon, Text};
use crate::{error::ApiError, i18n, names::OLD_PAGE, t};
use leptos::prelude::*;

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

/// A refusal inside a page, when the rest of the page works on. For the subject of a page there is
/// `Refusal`.
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

/// That the server runs another build than this page; the browser takes it out of its template when it
/// hears so.
#[component]
pub fn OldPageBanner() -> impl IntoView {
    view! {
        <template id=OLD_PAGE>
            <Banner>{t!("ui.old_page")} " "<a href="" rel="external">{t!("ui.reload")}</a></Banner>
        </template>
    }
}
