//! The search of the whole site, from the top bar: what the reader may read, kind by kind.

use crate::{error::ApiError, i18n, pages::page, routes, t, ui::*};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, hooks::use_query_map, path};
use lingbao_model::view::{
    page::PAGE_ROWS,
    search::{HITS, Hit, HitKind},
};
use serde::{Deserialize, Serialize};

/// Where the page is.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![page(path!("/search"), Search)]
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    q: String,
    kind: Option<HitKind>,
    after: String,
}

/// What was found: the first of each kind, or a page of one kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    hits: Vec<Hit>,
    /// Of one kind: how many there are in all.
    total: Option<lingbao_model::view::page::Total>,
    /// Where the next page of the kind begins.
    next: Option<String>,
}

/// What the reader may find under these words.
///
/// # Errors
/// `Unauthenticated`.
#[server(name = FindAll, prefix = "/fn", endpoint = "search/find", output = crate::json::Json)]
pub async fn find(q: String, kind: Option<HitKind>, after: String) -> Result<Answer, ApiError> {
    use lingbao_core::service::search;
    let cx = crate::ssr::cx()?;
    let Some(kind) = kind else {
        let hits = search::find(&cx, &q).await?;
        let (total, next) = (None, None);
        return Ok(Answer { hits, total, next });
    };
    let after = Some(after.as_str()).filter(|text| !text.is_empty());
    let page = search::page(&cx, &q, Some(kind), after, PAGE_ROWS).await?;
    Ok(Answer {
        hits: page.rows,
        total: Some(page.total),
        next: page.next,
    })
}

/// The page.
#[component]
fn Search() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        query.with(|query| Asked {
            q: query.get("q").unwrap_or_default(),
            kind: query.get("kind").and_then(|kind| kind.parse().ok()),
            after: query.get("after").unwrap_or_default(),
        })
    });
    let found = Resource::new(
        move || asked.get(),
        |asked| find(asked.q, asked.kind, asked.after),
    );
    view! {
        <PageHead title=t!("search.title")/>
        {list_of(asked, found, |found, asked| view! { <Found found asked/> }.into_any())}
    }
}

#[component]
fn Found(found: Answer, asked: Asked) -> impl IntoView {
    let (hits, typed) = (found.hits, asked.q.clone());
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
            (!of.is_empty()).then(|| group(*kind, of, &asked))
        })
        .collect_view();
    let link = |after: &str| of_kind(&asked, asked.kind, after);
    let first = (!asked.after.is_empty()).then(|| link(""));
    let next = found.next.as_deref().map(link);
    let pager = found
        .total
        .map(|total| view! { <Pager total nostrip:first=first nostrip:next=next/> });
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
        {pager}
    }
}

/// The link to a page of one kind.
fn of_kind(asked: &Asked, kind: Option<HitKind>, after: &str) -> String {
    let kind = kind.map_or("", HitKind::as_str);
    let query = [("q", asked.q.as_str()), ("kind", kind), ("after", after)];
    routes::with_query(routes::SEARCH, &query)
}

fn group(kind: HitKind, hits: Vec<Hit>, asked: &Asked) -> impl IntoView + use<> {
    // Of one kind there are pages.
    let many = asked.kind.is_none() && i64::try_from(hits.len()).is_ok_and(|n| n >= HITS);
    let all = many.then(|| of_kind(asked, Some(kind), ""));
    let title = i18n::t_key(&format!("search.kind.{kind}")).into_owned();
    view! {
        <Panel title=title>
            <ul class="rows rows-s">{hits.into_iter().map(hit).collect_view()}</ul>
            {all.map(|href| view! { <p class="panel-pad"><a href=href>{t!("search.more", n = HITS)}</a></p> })}
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
