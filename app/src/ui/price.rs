//! The panel beside a form: money, its lines, limits, verdict, act, in this order.

use super::{Icon, Text};
use crate::t;
use leptos::prelude::*;

/// The panel. On phones a [`BuyBar`] repeats sum and act at the thumb.
#[component]
pub fn PricePanel(#[prop(into)] label: Text, children: Children) -> impl IntoView {
    view! { <aside class="price" aria-label=label>{children()}</aside> }
}

/// A part of the panel; a live one is read aloud when it changes.
#[component]
pub fn PricePart(
    #[prop(optional, into)] title: Option<Text>,
    #[prop(optional)] live: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <section aria-live=live.then_some("polite")>
            {title.map(|title| view! { <h2>{title}</h2> })}
            {children()}
        </section>
    }
}

/// The sum: a formatted amount with its unit behind, and a line under it.
#[component]
pub fn Sum(
    #[prop(into)] amount: Signal<String>,
    #[prop(into)] unit: Text,
    #[prop(optional, into)] note: Option<Signal<String>>,
) -> impl IntoView {
    view! {
        <div class="sum">
            <b>{move || amount.get()}</b>
            <span class="unit">{unit}</span>
        </div>
        {note.map(|note| view! { <div class="sub">{move || note.get()}</div> })}
    }
}

/// One line of [`PriceLines`]: text, amount, and whether it is a total.
pub type PriceLine = (String, String, bool);

/// What the sum is made of.
#[component]
pub fn PriceLines(
    #[prop(into)] caption: Text,
    #[prop(into)] lines: Signal<Vec<PriceLine>>,
) -> impl IntoView {
    view! {
        <table class="lines">
            <caption class="sr">{caption}</caption>
            <tbody>
                {move || {
                    lines
                        .get()
                        .into_iter()
                        .map(|(text, amount, total)| {
                            view! {
                                <tr class=total.then_some("tot")>
                                    <th scope="row">{text}</th>
                                    <td>{amount}</td>
                                </tr>
                            }
                        })
                        .collect_view()
                }}
            </tbody>
        </table>
    }
}

/// What will become of it: blocked, warned, fine.
#[component]
pub fn Verdict(
    tone: super::Tone,
    #[prop(into)] title: Text,
    /// Why, and what next.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let (class, icon) = match tone {
        super::Tone::Ok | super::Tone::Info => ("verdict verdict-ok", "tick"),
        super::Tone::Warn => ("verdict verdict-warn", "info"),
        super::Tone::Bad => ("verdict verdict-bad", "warn"),
    };
    view! {
        <div class=class>
            <Icon name=icon/>
            <div>
                <b>{title}</b>
                {children.map(|children| view! { <div class="why">{children()}</div> })}
            </div>
        </div>
    }
}

/// Sum and act at the bottom of a phone. Stands last in the page.
#[component]
pub fn BuyBar(
    #[prop(into)] label: Text,
    #[prop(into)] amount: Signal<String>,
    #[prop(into)] unit: Text,
    #[prop(into)] note: Signal<String>,
    /// The act.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="buybar only-phone" role="region" aria-label=label>
            <div>
                <b>
                    {move || amount.get()}
                    <span class="unit">{unit}</span>
                </b>
                <span class="sub">{move || note.get()}</span>
            </div>
            {children()}
        </div>
    }
}

/// What was and what will be, side by side: rows of name, before and after.
#[component]
pub fn BeforeAfter(
    #[prop(into)] caption: Text,
    rows: Vec<(String, String, String)>,
) -> impl IntoView {
    view! {
        <table class="ba">
            <caption class="sr">{caption}</caption>
            <thead>
                <tr>
                    <th scope="col">{t!("ui.what")}</th>
                    <th scope="col">{t!("ui.before")}</th>
                    <th scope="col">{t!("ui.after")}</th>
                </tr>
            </thead>
            <tbody>
                {rows
                    .into_iter()
                    .map(|(what, before, after)| {
                        view! {
                            <tr>
                                <th scope="row">{what}</th>
                                <td>{before}</td>
                                <td class="to">{after}</td>
                            </tr>
                        }
                    })
                    .collect_view()}
            </tbody>
        </table>
    }
}
