//! What stands around every page: top bar, navigation, dock, footer, toasts.

mod menu;
mod nav;
mod top;

pub use top::Mark;

use crate::{
    form, i18n, t,
    ui::{OldPageBanner, Toast},
    viewer::{use_frame, use_viewer},
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
            <Transition>
                {move || {
                    let frame = use_frame().unwrap_or_default();
                    let before = use_viewer().and_then(|viewer| viewer.last_sign_in);
                    view! {
                        <span>{frame.operator}</span>
                        <span>{(!frame.phone.is_empty()).then(|| t!("frame.phone", phone = frame.phone))}</span>
                        <span>{before.map(|(at, from)| t!("frame.last_sign_in", at = at, from = from))}</span>
                    }
                }}
            </Transition>
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
