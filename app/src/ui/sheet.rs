//! A4 paper: a form to print, sign and file.

use super::Text;
use crate::t;
use leptos::prelude::*;

/// One page of paper.
#[component]
pub fn PrintSheet(
    /// Read aloud: which page of what.
    #[prop(into)]
    label: Text,
    /// At the foot, left: number and check value.
    #[prop(into)]
    foot: Text,
    /// At the foot, right: page x of y.
    #[prop(into)]
    page: Text,
    children: Children,
) -> impl IntoView {
    view! {
        <article class="sheet" aria-label=label>
            {children()}
            <footer class="sheet-foot">
                <span>{foot}</span>
                <span>{page}</span>
            </footer>
        </article>
    }
}

/// A table of label and value, two pairs a row.
#[component]
pub fn SheetFacts(facts: Vec<(Text, Text)>) -> impl IntoView {
    let mut rows = Vec::new();
    let mut facts = facts.into_iter();
    while let Some(first) = facts.next() {
        rows.push((first, facts.next()));
    }
    view! {
        <table class="sf sf-kv">
            <tbody>
                {rows
                    .into_iter()
                    .map(|((k, v), second)| {
                        let alone = second.is_none();
                        view! {
                            <tr>
                                <th scope="row">{k}</th>
                                <td colspan=alone.then_some("3")>{v}</td>
                                {second
                                    .map(|(k, v)| {
                                        view! {
                                            <th scope="row">{k}</th>
                                            <td>{v}</td>
                                        }
                                    })}
                            </tr>
                        }
                    })
                    .collect_view()}
            </tbody>
        </table>
    }
}

/// One box for an opinion and a stamp.
#[component]
pub fn Stamp(
    #[prop(into)] title: Text,
    #[prop(into)] who: Text,
    #[prop(into)] when: Text,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="stamp">
            <b>{title}</b>
            {children()}
            <small>
                <span>{who}</span>
                <span>{when}</span>
            </small>
        </div>
    }
}

/// A box that is filled in on paper: signed, dated, stamped.
#[component]
pub fn BlankStamp(#[prop(into)] title: Text) -> impl IntoView {
    view! { <Stamp title who=t!("print.sign") when=t!("print.date")>""</Stamp> }
}
