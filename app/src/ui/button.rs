//! Buttons, and links that look like them.

use super::{Icon, Text, classes};
use crate::t;
use leptos::prelude::*;

/// What a button is for; one `Main` a view.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// Any other act.
    #[default]
    Plain,
    /// The one thing to do here.
    Main,
    /// In rows.
    Bare,
    /// Leads to loss.
    Bad,
}

/// How large a button is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Size {
    /// As high as a control.
    #[default]
    Normal,
    /// In rows and batches.
    Small,
    /// For a thumb, or at a door.
    Big,
    /// As wide as its place.
    Wide,
    /// Big and wide.
    BigWide,
}

fn class_of(kind: Kind, size: Size) -> String {
    let kind = match kind {
        Kind::Plain => "",
        Kind::Main => "btn-main",
        Kind::Bare => "btn-bare",
        Kind::Bad => "btn-bad",
    };
    let size = match size {
        Size::Normal => "",
        Size::Small => "btn-sm",
        Size::Big => "btn-big",
        Size::Wide => "btn-wide",
        Size::BigWide => "btn-wide btn-big",
    };
    classes(&["btn", kind, size])
}

/// What the key Enter does in a form: it presses the first button, which else may take a step off a
/// number. Stands first in its form.
#[component]
pub fn Enter(act: &'static str) -> impl IntoView {
    view! { <button hidden name="do" value=act></button> }
}

/// A button of a form; submits it. `name` and `value` say which of several was pressed.
#[component]
pub fn Button(
    #[prop(default = Kind::Plain)] kind: Kind,
    #[prop(default = Size::Normal)] size: Size,
    /// Icon before the words.
    #[prop(optional)]
    icon: &'static str,
    #[prop(optional, into)] name: Option<Text>,
    #[prop(optional, into)] value: Option<Text>,
    /// Cannot be pressed now; say why beside it.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// Does something in the page instead of submitting; only for what scripts add.
    #[prop(optional)]
    inert_without_scripts: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <button
            class=class_of(kind, size)
            type=if inert_without_scripts { "button" } else { "submit" }
            name=name
            value=value
            disabled=move || disabled.get()
        >
            {(!icon.is_empty()).then(|| view! { <Icon name=icon/> })}
            {children()}
        </button>
    }
}

/// An act that leads to loss: the first press says what will be lost, the second does it. Works
/// without scripts; stands inside a form.
#[component]
pub fn Confirm(
    /// What is done.
    #[prop(into)]
    act: Text,
    /// What it leads to.
    #[prop(into)]
    note: Text,
    /// The value of `do`.
    #[prop(into)]
    value: Text,
    /// In rows.
    #[prop(optional)]
    small: bool,
) -> impl IntoView {
    let class = if small { "btn btn-sm btn-bare" } else { "btn" };
    view! {
        <details class="confirm">
            <summary class=class>{act.clone()}</summary>
            <div class="confirm-body">
                <p>{note}</p>
                <button class="btn btn-bad btn-wide" name="do" value=value>{t!("ui.confirm", act = act)}</button>
            </div>
        </details>
    }
}

/// A link that looks like a button: goes somewhere, changes nothing.
#[component]
pub fn LinkButton(
    #[prop(into)] href: Text,
    #[prop(default = Kind::Plain)] kind: Kind,
    #[prop(default = Size::Normal)] size: Size,
    #[prop(optional)] icon: &'static str,
    /// Leaves the application (a file, a print view): the browser loads it itself.
    #[prop(optional)]
    external: bool,
    /// Dropped on phones.
    #[prop(optional)]
    only_wide: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <a
            class=classes(&[&class_of(kind, size), if only_wide { "only-wide" } else { "" }])
            href=href
            rel=external.then_some("external")
        >
            {(!icon.is_empty()).then(|| view! { <Icon name=icon/> })}
            {children()}
        </a>
    }
}

/// A button that is only an icon; `label` is read aloud and shown on hover.
#[component]
pub fn IconButton(
    icon: &'static str,
    #[prop(into)] label: Text,
    #[prop(optional, into)] name: Option<Text>,
    #[prop(optional, into)] value: Option<Text>,
) -> impl IntoView {
    view! {
        <button class="btn btn-icon btn-bare" name=name value=value title=label.clone() aria-label=label>
            <Icon name=icon/>
        </button>
    }
}

/// A link "more …" with an arrow, at the right of a heading.
#[component]
pub fn More(#[prop(into)] href: Text, children: Children) -> impl IntoView {
    view! {
        <a class="more" href=href>
            {children()}
            <Icon name="right"/>
        </a>
    }
}
