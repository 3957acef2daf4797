//! The menu of the person: settings, own page, sign-out. Opens and works without scripts.

use super::{nav, top::exists};
use crate::{
    i18n::{self, Lang},
    look::{Theme, use_look},
    routes, t,
    ui::Icon,
    viewer::use_viewer,
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// The menu at the right end of the top bar.
#[component]
pub fn UserMenu() -> impl IntoView {
    view! {
        <details class="menu">
            <summary class="top-user">
                {face()}
            </summary>
            <div class="menu-body">
                <nav::PhoneLinks/>
                <Settings/>
                {if use_viewer().is_some() {
                    view! { <OwnLinks/> }.into_any()
                } else {
                    let enter = view! {
                        <section>
                            <a href=routes::SIGN_IN><Icon name="key"/>{t!("sign_in.title")}</a>
                        </section>
                    };
                    enter.into_any()
                }}
            </div>
        </details>
    }
}

/// First character of the name, name, unit and roles.
fn face() -> impl IntoView {
    match use_viewer() {
        Some(viewer) => {
            let first: String = viewer.name.chars().take(1).collect();
            let mut under = vec![viewer.unit];
            under.extend(
                viewer
                    .roles
                    .first()
                    .map(|role| i18n::t_key(&format!("role.{role}")).into_owned()),
            );
            view! {
                <span class="face" aria-hidden="true">{first}</span>
                <span class="only-wide">{viewer.name}<span>{under.join(" · ")}</span></span>
                <span class="sr">{t!("frame.menu")}</span>
            }
            .into_any()
        }
        None => view! {
            <span class="face" aria-hidden="true"><Icon name="user"/></span>
            <span class="only-wide">{t!("frame.settings")}</span>
            <span class="sr">{t!("frame.menu")}</span>
        }
        .into_any(),
    }
}

/// Switches for how the page looks: a form whose buttons say what to set.
#[component]
pub fn Settings() -> impl IntoView {
    let look = use_look();
    let location = use_location();
    let (path, query) = (
        location.pathname.get_untracked(),
        location.search.get_untracked(),
    );
    let back = if query.is_empty() {
        path
    } else {
        format!("{path}?{query}")
    };
    let theme = vec![
        ("system", t!("look.system"), look.theme.is_none()),
        ("light", t!("look.light"), look.theme == Some(Theme::Light)),
        ("dark", t!("look.dark"), look.theme == Some(Theme::Dark)),
    ];
    let text = vec![
        ("standard", t!("look.standard"), !look.large_text),
        ("large", t!("look.large"), look.large_text),
    ];
    let contrast = vec![
        ("normal", t!("look.normal"), !look.high_contrast),
        ("high", t!("look.high"), look.high_contrast),
    ];
    let english = i18n::lang() == Lang::En;
    let lang = vec![
        ("zh", t!("look.zh"), !english),
        ("en", t!("look.en"), english),
    ];
    view! {
        <section>
            <form method="post" action=routes::LOOK>
                <input type="hidden" name="back" value=back/>
                <Switch title=t!("look.theme") choices=theme/>
                <Switch title=t!("look.text") choices=text/>
                <Switch title=t!("look.contrast") choices=contrast/>
                <Switch title=t!("look.language") choices=lang/>
            </form>
        </section>
    }
}

#[component]
fn Switch(title: &'static str, choices: Vec<(&'static str, &'static str, bool)>) -> impl IntoView {
    view! {
        <h2>{title}</h2>
        <div class="seg" role="group" aria-label=title>
            {choices
                .into_iter()
                .map(|(value, text, on)| {
                    view! {
                        <button name="set" value=value aria-pressed=if on { "true" } else { "false" }>
                            {text}
                        </button>
                    }
                })
                .collect_view()}
        </div>
    }
}

#[component]
fn OwnLinks() -> impl IntoView {
    view! {
        <section>
            {exists(routes::ME).then(|| view! { <a href=routes::ME><Icon name="user"/>{t!("nav.me")}</a> })}
            <form method="post" action=routes::SIGN_OUT>
                <button class="menu-go"><Icon name="fwd"/>{t!("frame.sign_out")}</button>
            </form>
        </section>
    }
}
