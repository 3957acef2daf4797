//! The top bar.

use super::menu::UserMenu;
use crate::{
    routes, t,
    ui::Icon,
    viewer::{use_frame, use_viewer},
};
use leptos::prelude::*;

/// The mark: a suitcase with a cloud on it.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg class="brand-mark" viewBox="0 0 26 26" aria-hidden="true">
            <path class="mark-line" d="M9 8V5.8C9 4.8 9.8 4 10.8 4h4.4C16.2 4 17 4.8 17 5.8V8"></path>
            <path
                class="mark-case"
                d="M4.5 8h17A2.5 2.5 0 0 1 24 10.5v9a2.5 2.5 0 0 1-2.5 2.5h-17A2.5 2.5 0 0 1 2 19.5v-9A2.5 2.5 0 0 1 4.5 8z"
            ></path>
            <path class="mark-cloud" d="M8.3 18.6a2.4 2.4 0 0 1 .2-4.8 4 4 0 0 1 7.6-.8 2.9 2.9 0 0 1 1.5 5.6z"></path>
        </svg>
    }
}

/// Brand, search, notices, menu.
#[component]
pub fn Top() -> impl IntoView {
    let (site, viewer) = (use_frame().site, use_viewer());
    view! {
        <header class="top">
            <a class="brand" href=routes::HOME aria-label=t!("frame.brand")>
                <Mark/>
                <span class="brand-name">{t!("brand.name")}</span>
                <span class="brand-site">{site}</span>
            </a>
            {viewer.is_some().then(|| view! { <Search/> })}
            <div class="top-tools">
                <a class="top-tool only-wide" href=routes::HELP aria-label=t!("nav.help") title=t!("nav.help")>
                    <Icon name="help"/>
                </a>
                {viewer.map(|viewer| view! { <Bell unread=viewer.unread/> })}
                <UserMenu/>
            </div>
        </header>
    }
}

/// Whether a page of this path exists in this build.
pub fn exists(path: &str) -> bool {
    routes::PATHS.contains(&path)
}

#[component]
fn Search() -> impl IntoView {
    view! {
        <form method="get" action=routes::SEARCH class="top-search" role="search">
            <label class="sr" for="search">{t!("frame.search")}</label>
            <Icon name="search"/>
            <input id="search" name="q" type="search" maxlength="100" placeholder=t!("frame.search_hint")/>
        </form>
    }
}

#[component]
fn Bell(unread: i64) -> impl IntoView {
    let label = if unread > 0 {
        t!("frame.unread", n = unread)
    } else {
        t!("nav.notices").to_owned()
    };
    view! {
        <a class="top-tool" href=routes::NOTICES aria-label=label title=t!("nav.notices")>
            <Icon name="bell"/>
            {(unread > 0).then(|| view! { <span class="count count-hot" aria-hidden="true">{unread.min(99)}</span> })}
        </a>
    }
}
