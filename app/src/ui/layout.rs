//! Where things stand on a page: head, panels, sections, tabs, tiles.

use super::{Icon, Text, classes};
use crate::t;
use leptos::prelude::*;
use leptos_meta::Title;

/// One step of the path to a page: text and link.
pub type Crumb = (String, String);

/// Head of a page: the way here, title, one line of fact, acts. Sets the document's title too.
#[component]
pub fn PageHead(
    #[prop(into)] title: Text,
    /// One line of fact under the title; no help texts.
    #[prop(optional, into)]
    fact: Option<Text>,
    /// The pages above this one, outermost first.
    #[prop(optional)]
    crumbs: Vec<Crumb>,
    /// Buttons and links at the right; one `Main` among them at most.
    #[prop(optional)]
    acts: Option<AnyView>,
    /// As wide as running text.
    #[prop(optional)]
    narrow: bool,
    /// More than a line under the title (chips).
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <Title text=title.to_string()/>
        <Crumbs crumbs current=title.clone() narrow/>
        <div class=if narrow { "head narrow" } else { "head" }>
            <div class="head-text">
                <h1>{title}</h1>
                {fact.map(|fact| view! { <p>{fact}</p> })}
                {children.map(|children| view! { <p class="meta">{children()}</p> })}
            </div>
            {acts.map(|acts| view! { <div class="head-acts">{acts}</div> })}
        </div>
    }
}

/// The way to a page. Nothing when the page stands at the top.
#[component]
pub fn Crumbs(
    crumbs: Vec<Crumb>,
    #[prop(into)] current: Text,
    #[prop(optional)] narrow: bool,
) -> impl IntoView {
    (!crumbs.is_empty()).then(|| {
        view! {
            <nav class=if narrow { "crumbs narrow" } else { "crumbs" } aria-label=t!("ui.crumbs")>
                <ol>
                    {crumbs
                        .into_iter()
                        .map(|(text, href)| view! { <li><a href=href>{text}</a></li> })
                        .collect_view()}
                    <li aria-current="page">{current}</li>
                </ol>
            </nav>
        }
    })
}

/// A thing with a title. Not inside another panel: use `line-top` there.
#[component]
pub fn Panel(
    #[prop(optional, into)] title: Option<Text>,
    /// Smaller words behind the title.
    #[prop(optional, into)]
    sub: Option<Text>,
    /// A link at the right of the title.
    #[prop(optional)]
    more: Option<AnyView>,
    /// Inner space; lists and tables bring their own.
    #[prop(optional)]
    pad: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <section class="panel">
            {title
                .map(|title| {
                    view! {
                        <div class="panel-head">
                            <h2>{title}{sub.map(|sub| view! { <span class="sub">{sub}</span> })}</h2>
                            {more}
                        </div>
                    }
                })}
            {if pad { view! { <div class="panel-pad">{children()}</div> }.into_any() } else { children().into_any() }}
        </section>
    }
}

/// A part of a page with a heading, without a box.
#[component]
pub fn Section(
    #[prop(into)] title: Text,
    #[prop(optional, into)] sub: Option<Text>,
    #[prop(optional)] more: Option<AnyView>,
    children: Children,
) -> impl IntoView {
    view! {
        <section class="sec-s">
            <div class="sec-head">
                <h2>{title}{sub.map(|sub| view! { <span class="sub">{sub}</span> })}</h2>
                {more}
            </div>
            {children()}
        </section>
    }
}

/// A part of a long form: title left, fields right. Stands in a [`Panel`].
#[component]
pub fn FormSection(
    #[prop(into)] title: Text,
    #[prop(optional, into)] note: Option<Text>,
    children: Children,
) -> impl IntoView {
    view! {
        <section class="form-sec">
            <header>
                <h2>{title}</h2>
                {note.map(|note| view! { <p>{note}</p> })}
            </header>
            <div>{children()}</div>
        </section>
    }
}

/// Main part and a narrow one beside it.
#[component]
pub fn Columns(children: Children, aside: AnyView) -> impl IntoView {
    view! {
        <div class="cols">
            <div class="gap-6">{children()}</div>
            <div class="gap-6">{aside}</div>
        </div>
    }
}

/// One tab of [`Tabs`].
#[derive(Debug, Clone)]
pub struct Tab {
    /// Where it leads; a page of its own.
    pub href: String,
    /// Its text.
    pub text: String,
    /// A number behind the text.
    pub count: Option<i64>,
    /// Whether this is where one is.
    pub current: bool,
}

/// Parts of one thing, as links.
#[component]
pub fn Tabs(#[prop(into)] label: Text, tabs: Vec<Tab>) -> impl IntoView {
    view! {
        <nav class="tabs" aria-label=label>
            {tabs
                .into_iter()
                .map(|tab| {
                    view! {
                        <a href=tab.href aria-current=tab.current.then_some("page")>
                            {tab.text}
                            {tab.count.map(|n| view! { <span class="count">{n}</span> })}
                        </a>
                    }
                })
                .collect_view()}
        </nav>
    }
}

/// Up to four counts that lead somewhere, as wide as each other; six in two rows.
#[component]
pub fn Tiles(#[prop(optional)] six: bool, children: Children) -> impl IntoView {
    view! { <div class=if six { "tiles tiles-six" } else { "tiles" }>{children()}</div> }
}

/// One count.
#[component]
pub fn Tile(
    /// What is counted.
    #[prop(into)]
    label: Text,
    /// The number, formatted.
    #[prop(into)]
    value: Text,
    #[prop(optional, into)] unit: Option<Text>,
    /// A line under the number.
    #[prop(optional)]
    note: Option<AnyView>,
    #[prop(optional, into)] href: Option<Text>,
    /// Amber: somebody must act.
    #[prop(optional)]
    warn: bool,
) -> impl IntoView {
    let inner = view! {
        <span class="tile-k">{label}</span>
        <span class=classes(&["tile-v", if warn { "rise" } else { "" }])>
            {value}
            {unit.map(|unit| view! { <span class="unit">{unit}</span> })}
        </span>
        {note.map(|note| view! { <span class="tile-n">{note}</span> })}
    };
    match href {
        Some(href) => view! { <a class="tile" href=href>{inner}</a> }.into_any(),
        None => view! { <div class="tile">{inner}</div> }.into_any(),
    }
}

/// Facts as label and value.
#[component]
pub fn Facts(facts: Vec<(Text, AnyView)>, #[prop(optional)] wide: bool) -> impl IntoView {
    view! {
        <dl class=classes(&["kv", if wide { "kv-wide" } else { "" }])>
            {facts.into_iter().map(|(k, v)| view! { <dt>{k}</dt><dd>{v}</dd> }).collect_view()}
        </dl>
    }
}

/// How a number is made (口径): formula and source, one click away; works without scripts.
#[component]
pub fn Definition(
    /// The number's name.
    #[prop(into)]
    of: Text,
    #[prop(into)] formula: Text,
    #[prop(into)] source: Text,
    /// Opens to the left, for numbers at the right edge.
    #[prop(optional)]
    right: bool,
) -> impl IntoView {
    view! {
        <details class=if right { "kj kj-right" } else { "kj" }>
            <summary>
                {t!("ui.definition")}
                <span class="sr">{t!("ui.definition_of", what = of)}</span>
            </summary>
            <div class="kj-body">
                <b>{of}</b>
                <code>{formula}</code>
                {source}
            </div>
        </details>
    }
}

/// Something that opens: details, the table under a chart.
#[component]
pub fn Fold(#[prop(into)] summary: Text, children: Children) -> impl IntoView {
    view! {
        <details class="fold">
            <summary>{summary}</summary>
            {children()}
        </details>
    }
}

/// Nothing here yet: what is empty, the shortest way on, one button.
#[component]
pub fn Empty(
    #[prop(default = "case")] icon: &'static str,
    #[prop(into)] title: Text,
    #[prop(optional, into)] note: Option<Text>,
    /// One button.
    #[prop(optional)]
    act: Option<AnyView>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <Icon name=icon/>
            <b>{title}</b>
            {note.map(|note| view! { <p>{note}</p> })}
            {act.map(|act| view! { <div class="acts">{act}</div> })}
        </div>
    }
}

/// The place of a number that is still being read, as text of the same height.
#[component]
pub fn Wait() -> impl IntoView {
    view! { <span class="wait">{t!("ui.reading")}</span> }
}
