//! What stands around every page: top bar, navigation, dock, footer, toasts.

mod menu;
mod nav;
mod top;

pub use menu::Settings;
pub use top::Mark;

use crate::{
    form, i18n, live, t,
    ui::{OldPageBanner, Toast},
    viewer::{Frame as Known, use_frame},
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Outlet;

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
    // News would take away what the page says about a form, once.
    let form = form::use_form();
    let answers = form.was_posted() || form.problem.is_some() || !form.notes.is_empty();
    view! {
        <Title formatter=|title: String| t!("frame.title", page = title)/>
        <a class="skip" href="#main" rel="external">{t!("frame.skip")}</a>
        {live::watched("viewer")}
        <div class="shell">
            <top::Top/>
            <nav::Side/>
            <main class="main" id="main" tabindex="-1" data-answer=answers.then_some("")>
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
    let Known {
        operator,
        phone,
        viewer,
        ..
    } = use_frame();
    let (before, failed) = viewer.map_or((None, 0), |it| (it.last_sign_in, it.failed_tries));
    view! {
        <footer class="foot only-wide">
            {(!operator.is_empty()).then(|| view! { <span>{operator}</span> })}
            {(!phone.is_empty()).then(|| view! { <span>{t!("frame.phone", phone = phone)}</span> })}
            {before
                .map(|(at, from)| view! { <span>{t!("frame.last_sign_in", at = at, from = from)}</span> })}
            {(failed > 0).then(|| view! { <span>{t!("frame.failed_tries", n = failed)}</span> })}
            <a href=crate::routes::HELP>{t!("nav.help")}</a>
        </footer>
    }
}

/// What was just done on the page before; goes with the next page.
#[component]
fn FlashToast() -> impl IntoView {
    let flash = form::use_form().flash;
    view! { <div class="toasts" data-keep>{flash.map(|msg| view! { <Toast text=i18n::msg(&msg)/> })}</div> }
}
