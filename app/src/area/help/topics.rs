//! Questions and answers, filtered by a word.

use crate::{i18n, routes, t, ui::*};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The questions; title and answer are the texts `help.<name>.q` and `help.<name>.a`.
const TOPICS: &[&str] = &[
    "order",
    "price",
    "quota",
    "approve",
    "return",
    "deliver",
    "by_hand",
    "locked_out",
    "without_scripts",
];

/// A list page: the filter is a GET form, so a filtered list has a URL and works without scripts.
#[component]
pub fn Topics() -> impl IntoView {
    let query = use_query_map();
    let q = Memo::new(move |_| query.with(|query| query.get("q").unwrap_or_default()));
    let acts = view! { <LinkButton href=super::deadline::PATH icon="clock">{t!("help.deadline.title")}</LinkButton> };
    view! {
        <PageHead title=t!("help.title") fact=t!("help.fact") acts=acts.into_any()/>
        {move || {
            let q = q.get();
            let found = matching(&q);
            let (active, typed) = (!q.is_empty(), q.clone());
            view! {
                <section class="panel">
                    <FilterBar action=routes::HELP active=active>
                        <Find label=t!("help.find") value=typed/>
                    </FilterBar>
                    {if found.is_empty() {
                        let act = view! { <LinkButton href=routes::HELP>{t!("ui.clear")}</LinkButton> };
                        view! { <Empty icon="help" title=t!("help.none", q = q) act=act.into_any()/> }.into_any()
                    } else {
                        answers(found).into_any()
                    }}
                </section>
            }
        }}
    }
}

/// Question and answer of the topics that contain the word.
fn matching(q: &str) -> Vec<(String, String)> {
    let q = q.trim().to_lowercase();
    TOPICS
        .iter()
        .map(|name| {
            let text = |part: &str| i18n::t_key(&format!("help.{name}.{part}")).into_owned();
            (text("q"), text("a"))
        })
        .filter(|(question, answer)| {
            question.to_lowercase().contains(&q) || answer.to_lowercase().contains(&q)
        })
        .collect()
}

fn answers(found: Vec<(String, String)>) -> impl IntoView {
    view! {
        <ul class="rows rows-s">
            {found
                .into_iter()
                .map(|(question, answer)| {
                    view! {
                        <li>
                            <h2>{question}</h2>
                            <p class="second">{answer}</p>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}
