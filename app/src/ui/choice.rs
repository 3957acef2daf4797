//! Choices that are seen all at once.

use super::{Opt, Text, classes, field_id};
use crate::form::use_form;
use leptos::prelude::*;

/// Two to four short choices, as radio buttons. Stands in a [`super::FieldSet`].
#[component]
pub fn Seg(
    #[prop(into)] name: String,
    options: Vec<Opt>,
    /// Chosen before anything was posted.
    #[prop(optional, into)]
    value: String,
) -> impl IntoView {
    let form = use_form();
    view! {
        <div class="seg">
            {options
                .into_iter()
                .map(|(option, text)| {
                    let checked = form.chosen(&name, &option, option == value);
                    view! {
                        <label>
                            <input type="radio" name=name.clone() value=option checked=checked/>
                            <span>{text}</span>
                        </label>
                    }
                })
                .collect_view()}
        </div>
    }
}

/// One link of [`SegLinks`].
#[derive(Debug, Clone)]
pub struct SegLink {
    /// Where it leads.
    pub href: String,
    /// Its text.
    pub text: String,
    /// A number behind the text.
    pub count: Option<String>,
    /// Whether this is where one is.
    pub current: bool,
}

/// The same look for links: filters of a list.
#[component]
pub fn SegLinks(links: Vec<SegLink>, #[prop(optional)] wide: bool) -> impl IntoView {
    view! {
        <div class=if wide { "seg seg-wide" } else { "seg" }>
            {links
                .into_iter()
                .map(|link| {
                    view! {
                        <a href=link.href aria-current=link.current.then_some("page")>
                            {link.text}
                            {link.count.map(|n| view! { <span class="count">{n}</span> })}
                        </a>
                    }
                })
                .collect_view()}
        </div>
    }
}

/// A choice with a line of explanation; a closed one says why it is closed.
#[component]
pub fn Choice(
    #[prop(into)] name: String,
    #[prop(into)] value: String,
    #[prop(into)] title: Text,
    #[prop(optional, into)] note: Option<Text>,
    /// Chosen before anything was posted.
    #[prop(optional)]
    checked: bool,
    /// Cannot be chosen; `note` says why.
    #[prop(optional)]
    disabled: bool,
) -> impl IntoView {
    let checked = use_form().chosen(&name, &value, checked) && !disabled;
    let id = field_id(&format!("{name}-{value}"));
    view! {
        <label class="choice">
            <input type="radio" id=id name=name value=value checked=checked disabled=disabled/>
            <span class="choice-body">
                <b>{title}</b>
                {note.map(|note| view! { <small>{note}</small> })}
            </span>
        </label>
    }
}

/// Choices side by side, as many columns as fit, or two; `stacked` for those that need sentences.
#[component]
pub fn Choices(
    #[prop(optional)] two: bool,
    #[prop(optional)] stacked: bool,
    children: Children,
) -> impl IntoView {
    let columns = match (stacked, two) {
        (true, _) => "choices-1",
        (false, true) => "choices-2",
        (false, false) => "",
    };
    view! { <div class=classes(&["choices", columns])>{children()}</div> }
}

/// Ready-made phrases of an opinion, as pills.
#[component]
pub fn Phrases(
    #[prop(into)] name: String,
    options: Vec<Opt>,
    #[prop(optional, into)] value: String,
) -> impl IntoView {
    let form = use_form();
    view! {
        <div class="phrases">
            {options
                .into_iter()
                .map(|(option, text)| {
                    let checked = form.chosen(&name, &option, option == value);
                    view! {
                        <label>
                            <input type="radio" name=name.clone() value=option checked=checked/>
                            <span>{text}</span>
                        </label>
                    }
                })
                .collect_view()}
        </div>
    }
}
