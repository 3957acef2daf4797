//! The search of the whole site, from the top bar: what the reader may read, kind by kind.

use crate::{error::ApiError, i18n, pages::page, routes, t, ui::*};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, hooks::use_query_map, path};
use lingbao_model::view::search::{HITS, Hit, HitKind};

/// Where the page is.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![page(path!("/search"), Search)]
}

/// What the reader may find under these words.
///
/// # Errors
/// `Unauthenticated`.
#[server(name = FindAll, prefix = "/fn", endpoint = "search/find", output = crate::json::Json)]
pub async fn find(q: String) -> Result<Vec<Hit>, ApiError> {
    Ok(lingbao_core::service::search::find(&crate::ssr::cx()?, &q).await?)
}

/// The page.
#[component]
fn Search() -> impl IntoView {
    let query = use_query_map();
    let q = Memo::new(move |_| query.with(|query| query.get("q").unwrap_or_default()));
    let hits = Resource::new(move || q.get(), find);
    view! {
        <PageHead title=t!("search.title")/>
        {list_of(q, hits, |hits, typed| view! { <Found hits typed/> }.into_any())}
    }
}

#[component]
fn Found(hits: Vec<Hit>, typed: String) -> impl IntoView {
    let active = !typed.trim().is_empty();
    let none = hits.is_empty().then(|| {
        let title = if active {
            t!("search.none", q = typed.trim())
        } else {
            t!("search.ask").to_owned()
        };
        view! { <Empty icon="search" title=title note=t!("search.hint")/> }
    });
    let groups = HitKind::ALL
        .iter()
        .filter_map(|kind| {
            let of: Vec<Hit> = hits
                .iter()
                .filter(|hit| hit.kind == *kind)
                .cloned()
                .collect();
            (!of.is_empty()).then(|| group(*kind, of))
        })
        .collect_view();
    view! {
        <section class="panel">
            <form method="get" action=routes::SEARCH class="bar" role="search">
                <Find label=t!("search.title") placeholder=t!("frame.search_hint") value=typed/>
                <button class="btn">{t!("search.title")}</button>
                {active.then(|| view! { <a class="btn btn-bare push" href=routes::SEARCH>{t!("ui.clear")}</a> })}
            </form>
            {none}
        </section>
        {groups}
    }
}

fn group(kind: HitKind, hits: Vec<Hit>) -> impl IntoView {
    let many = i64::try_from(hits.len()).is_ok_and(|n| n >= HITS);
    let title = i18n::t_key(&format!("search.kind.{kind}")).into_owned();
    view! {
        <Panel title=title>
            <ul class="rows rows-s">{hits.into_iter().map(hit).collect_view()}</ul>
            {many.then(|| view! { <p class="panel-pad sub">{t!("search.more", n = HITS)}</p> })}
        </Panel>
    }
}

fn hit(hit: Hit) -> impl IntoView {
    let href = match hit.kind {
        HitKind::Request => Some(routes::request(&hit.key)),
        HitKind::Resource => Some(routes::resource(&hit.key)),
        HitKind::Unit => Some(routes::unit(&hit.key)),
        HitKind::User => Some(routes::user(&hit.key)),
        // A system has no page of its own yet.
        HitKind::System => None,
    };
    let title = match href {
        Some(href) => view! { <a class="lead" href=href>{hit.title}</a> }.into_any(),
        None => view! { <b>{hit.title}</b> }.into_any(),
    };
    view! {
        <li>
            <div>{title}" "<span class="sub">{hit.sub}</span></div>
        </li>
    }
}
