//! What stands around every page: top bar, navigation, dock, footer, toasts.

mod menu;
mod nav;
mod top;

pub use menu::Settings;
pub use top::Mark;

use crate::{
    form, i18n, t,
    ui::{OldPageBanner, Toast},
    viewer::{self, use_frame, with_frame},
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{components::Outlet, hooks::use_location};

/// The frame around the pages of the route table.
#[component]
pub fn Framed() -> impl IntoView {
    view! {
        <Frame>
            <Outlet/>
        </Frame>
    }
}

/// The frame around anything.
#[component]
pub fn Frame(children: Children) -> impl IntoView {
    view! {
        <Title formatter=|title: String| t!("frame.title", page = title)/>
        <a class="skip" href="#main" rel="external">{t!("frame.skip")}</a>
        <div class="shell">
            <top::Top/>
            <nav::Side/>
            <main class="main" id="main" tabindex="-1">
                <OldPageBanner/>
                {children()}
                <Foot/>
            </main>
            <nav::Dock/>
        </div>
        <FlashToast/>
    }
}

/// Who runs it, whom to call, when one was here before.
#[component]
fn Foot() -> impl IntoView {
    view! {
        <footer class="foot only-wide">
            {with_frame(|| {
                let viewer::Frame { operator, phone, viewer, .. } = use_frame()?;
                let before = viewer.and_then(|viewer| viewer.last_sign_in);
                let view = view! {
                    {(!operator.is_empty()).then(|| view! { <span>{operator}</span> })}
                    {(!phone.is_empty()).then(|| view! { <span>{t!("frame.phone", phone = phone)}</span> })}
                    {before
                        .map(|(at, from)| view! { <span>{t!("frame.last_sign_in", at = at, from = from)}</span> })}
                };
                Some(view.into_any())
            })}
            <a href=crate::routes::HELP>{t!("nav.help")}</a>
        </footer>
    }
}

/// What was just done on the page before; goes with the next navigation.
#[component]
fn FlashToast() -> impl IntoView {
    let here = use_location().pathname;
    let at = here.get_untracked();
    let flash = form::flash();
    view! {
        <div class="toasts">
            {move || {
                let still = here.get() == at;
                flash.as_ref().filter(|_| still).map(|msg| view! { <Toast text=i18n::msg(msg)/> })
            }}
        </div>
    }
}
