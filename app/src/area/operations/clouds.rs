//! The backends: whether they answer, what stands in them that is nobody's, and the limits they keep.

use super::{known, when, word};
use crate::{error::ApiError, facts, live, routes, t, ui::*};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::{
    cloud_limit::CloudLimit,
    view::{
        operation::{BackendLine, CloudLimitLine, CloudsView, ForeignLine, LimitState},
        page::Page,
    },
};

/// What stands in the URL: which limits are shown, where the page of what is nobody's begins and where
/// that of the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    limits: LimitState,
    foreign: String,
    after: String,
}

impl Asked {
    fn link(&self) -> String {
        let query = [
            ("limits", self.limits.as_str()),
            ("foreign", self.foreign.as_str()),
            ("after", self.after.as_str()),
        ];
        routes::with_query(routes::CLOUDS, &query)
    }
}

/// What the clouds say of themselves, with one page of what is nobody's and one of the limits in a
/// state.
///
/// # Errors
/// `Forbidden` for others than operators.
#[server(name = GetClouds, prefix = "/fn", endpoint = "operations/clouds", output = crate::json::Json)]
pub async fn clouds(
    limits: String,
    foreign: String,
    after: String,
) -> Result<CloudsView, ApiError> {
    use lingbao_model::view::operation::{CloudsFilter, LimitFilter};
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let filter = CloudsFilter {
        limits: LimitFilter {
            state: limits.parse().ok(),
            cursor: given(after),
            limit: None,
        },
        foreign: given(foreign),
    };
    Ok(lingbao_core::service::operation::clouds(&crate::ssr::cx()?, &filter).await?)
}

/// The page.
#[component]
pub fn Clouds() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        query.with(|query| Asked {
            limits: query
                .get("limits")
                .and_then(|state| state.parse().ok())
                .unwrap_or(LimitState::Waiting),
            foreign: query.get("foreign").unwrap_or_default(),
            after: query.get("after").unwrap_or_default(),
        })
    });
    let version = live::version("jobs");
    let view = Resource::new(
        move || (asked.get(), version.get()),
        |(asked, _)| clouds(asked.limits.as_str().to_owned(), asked.foreign, asked.after),
    );
    let crumbs = vec![(
        t!("nav.operations").to_owned(),
        routes::OPERATIONS.to_owned(),
    )];
    let acts = view! { <LinkButton href=routes::DIFFERENCES icon="tool">{t!("difference.title")}</LinkButton> }
        .into_any();
    view! {
        <PageHead title=t!("clouds.title") crumbs fact=t!("clouds.fact") acts/>
        {list_of(asked, view, |view, asked| view! { <Shown view asked/> }.into_any())}
    }
}

#[component]
fn Shown(view: CloudsView, asked: Asked) -> impl IntoView {
    let limits = limits(view.limits, &asked);
    let foreign = foreign(view.foreign, &asked);
    view! {
        <div class="gap-6">
            <Panel title=t!("clouds.backends")>{backends(view.backends)}</Panel>
            <Panel title=t!("clouds.limits") sub=t!("clouds.limits_note")>{limits}</Panel>
            <Panel title=t!("clouds.foreign") sub=t!("clouds.foreign_note")>{foreign}</Panel>
        </div>
    }
}

fn backends(lines: Vec<BackendLine>) -> AnyView {
    if lines.is_empty() {
        return view! { <Empty icon="host" title=t!("clouds.unasked") note=t!("clouds.unasked_note")/> }
            .into_any();
    }
    let columns = vec![
        col(t!("clouds.name")),
        col(t!("clouds.answered")),
        col(t!("clouds.asked")),
        col(t!("operations.why")),
        col(t!("resources.state")).class("corner"),
    ];
    view! {
        <Table caption=t!("clouds.backends") columns flat=true>
            {lines.into_iter().map(backend).collect_view()}
        </Table>
    }
    .into_any()
}

fn limits(page: Page<CloudLimitLine>, asked: &Asked) -> AnyView {
    let state = asked.limits;
    let link = |limits: LimitState, after: &str| {
        let foreign = asked.foreign.clone();
        let after = after.to_owned();
        Asked {
            limits,
            foreign,
            after,
        }
        .link()
    };
    let tabs = LimitState::ALL
        .iter()
        .map(|&one| Tab {
            href: link(one, ""),
            text: word("clouds.limit_tab", one.as_str()),
            count: None,
            current: state == one,
        })
        .collect();
    let back = (!asked.after.is_empty()).then(|| link(state, ""));
    let next = page.next.as_deref().map(|after| link(state, after));
    let body = if page.rows.is_empty() {
        let (icon, title) = match state {
            LimitState::Waiting => ("tick", t!("clouds.no_waiting")),
            LimitState::Kept => ("host", t!("clouds.no_limits")),
        };
        view! { <Empty icon title note=t!("clouds.no_limits_note")/> }.into_any()
    } else {
        limit_rows(page.rows)
    };
    view! {
        <Tabs label=t!("clouds.limits") tabs/>
        {body}
        <Pager total=page.total nostrip:first=back nostrip:next=next/>
    }
    .into_any()
}

fn limit_rows(lines: Vec<CloudLimitLine>) -> AnyView {
    let columns = vec![
        col(t!("clouds.limit_unit")),
        col(t!("clouds.name")),
        col(t!("clouds.limit_written")),
        col(t!("clouds.limit_said")),
        col(t!("clouds.limit_read_at")),
        col(t!("resources.state")).class("corner"),
    ];
    view! {
        <Table caption=t!("clouds.limits") columns flat=true>
            {lines.into_iter().map(limit).collect_view()}
        </Table>
    }
    .into_any()
}

fn foreign(page: Page<ForeignLine>, asked: &Asked) -> AnyView {
    let link = |foreign: &str| {
        Asked {
            foreign: foreign.to_owned(),
            ..asked.clone()
        }
        .link()
    };
    let back = (!asked.foreign.is_empty()).then(|| link(""));
    let next = page.next.as_deref().map(link);
    if page.rows.is_empty() {
        return view! { <Empty icon="tick" title=t!("clouds.no_foreign") note=t!("clouds.no_foreign_note")/> }
            .into_any();
    }
    let columns = vec![
        col(t!("clouds.thing")),
        col(t!("clouds.kind")),
        col(t!("clouds.name")),
        col(t!("clouds.first_seen")),
        col(t!("clouds.last_seen")),
    ];
    view! {
        <Table caption=t!("clouds.foreign") columns flat=true>
            {page.rows.into_iter().map(thing).collect_view()}
        </Table>
        <Pager total=page.total nostrip:first=back nostrip:next=next/>
    }
    .into_any()
}

fn backend(line: BackendLine) -> impl IntoView {
    let answered = line
        .answered_at
        .map_or_else(|| t!("clouds.never").to_owned(), when);
    let (look, state) = match (&line.error, line.refused.len()) {
        (None, 0) => (Look::Ok, t!("clouds.answers").to_owned()),
        (None, n) => (Look::Act, t!("clouds.refused", n = n)),
        (Some(_), _) => (Look::Bad, t!("clouds.silent").to_owned()),
    };
    let fine = line.error.is_none() && line.refused.is_empty();
    let refused = line.refused.into_iter().map(|one| {
        let pool = facts::label(&one.pool);
        view! { <p class="sub">{t!("clouds.refused_why", pool = pool, why = one.why)}</p> }
    });
    let why = line.error.or_else(|| fine.then(|| "—".to_owned()));
    view! {
        <Row>
            <RowHead name=line.name/>
            <Cell l=t!("clouds.answered")>{answered}</Cell>
            <Cell l=t!("clouds.asked")>{when(line.asked_at)}</Cell>
            <Cell l=t!("operations.why")>{why}{refused.collect_view()}</Cell>
            <Cell l=t!("resources.state") class="corner"><Chip look text=state/></Cell>
        </Row>
    }
}

/// The figures of a limit; `none` says what it means that one is absent.
fn figures(limit: CloudLimit, none: &str) -> String {
    let pieces = |n: Option<i64>| n.map_or_else(|| none.to_owned(), |n| n.to_string());
    let room = |n: Option<i64>| n.map_or_else(|| none.to_owned(), |n| format!("{n} GB"));
    t!(
        "clouds.limit_figures",
        vcpus = pieces(limit.vcpus),
        memory = room(limit.memory_gb),
        disk = room(limit.disk_gb),
        addresses = pieces(limit.addresses)
    )
}

fn limit(line: CloudLimitLine) -> impl IntoView {
    let never = || t!("clouds.never").to_owned();
    let written = figures(line.written, t!("clouds.limit_own"));
    let said = line
        .said
        .map_or_else(never, |said| figures(said, t!("clouds.limit_none")));
    let (look, state) = match (line.differs_since, &line.error, line.said) {
        (Some(since), _, _) => (Look::Act, t!("clouds.limit_differs", since = when(since))),
        (None, Some(_), _) => (Look::Bad, t!("clouds.limit_failed").to_owned()),
        (None, None, None) => (Look::Wait, t!("clouds.limit_unread").to_owned()),
        (None, None, Some(_)) => (Look::Ok, t!("clouds.limit_kept").to_owned()),
    };
    view! {
        <Row>
            <RowHead name=line.unit_name sub=line.project/>
            <Cell l=t!("clouds.name")>{line.backend}</Cell>
            <Cell l=t!("clouds.limit_written")>{written}</Cell>
            <Cell l=t!("clouds.limit_said")>
                {said}
                {line.error.map(|why| view! { <p class="sub">{why}</p> })}
            </Cell>
            <Cell l=t!("clouds.limit_read_at")>{line.said_at.map_or_else(never, when)}</Cell>
            <Cell l=t!("resources.state") class="corner"><Chip look text=state/></Cell>
        </Row>
    }
}

fn thing(line: ForeignLine) -> impl IntoView {
    // Disks may have none.
    let name = match line.name.trim() {
        "" => line.external_id.clone(),
        name => name.to_owned(),
    };
    view! {
        <Row>
            <RowHead name sub=line.external_id/>
            <Cell l=t!("clouds.kind")>{known("foreign_kind", &line.kind)}</Cell>
            <Cell l=t!("clouds.name")>{line.backend}</Cell>
            <Cell l=t!("clouds.first_seen")>{when(line.first_seen)}</Cell>
            <Cell l=t!("clouds.last_seen")>{when(line.last_seen)}</Cell>
        </Row>
    }
}
