//! The backends: whether they answer, and what stands in them that is nobody's.

use super::{known, when};
use crate::{error::ApiError, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::operation::{BackendLine, CloudsView, ForeignLine};

/// What the clouds say of themselves.
///
/// # Errors
/// `Forbidden` for others than operators.
#[server(name = GetClouds, prefix = "/fn", endpoint = "operations/clouds", output = crate::json::Json)]
pub async fn clouds() -> Result<CloudsView, ApiError> {
    Ok(lingbao_core::service::operation::clouds(&crate::ssr::cx()?).await?)
}

/// The page.
#[component]
pub fn Clouds() -> impl IntoView {
    let version = live::version("jobs");
    let view = Resource::new(move || version.get(), |_| clouds());
    let crumbs = vec![(
        t!("nav.operations").to_owned(),
        routes::OPERATIONS.to_owned(),
    )];
    let acts = view! { <LinkButton href=routes::DIFFERENCES icon="tool">{t!("difference.title")}</LinkButton> }
        .into_any();
    view! {
        <PageHead title=t!("clouds.title") crumbs fact=t!("clouds.fact") acts/>
        {page_of(view, |view| view! { <Shown view/> }.into_any())}
    }
}

#[component]
fn Shown(view: CloudsView) -> impl IntoView {
    view! {
        <div class="gap-6">
            <Panel title=t!("clouds.backends")>{backends(view.backends)}</Panel>
            <Panel title=t!("clouds.foreign") sub=t!("clouds.foreign_note")>{foreign(view.foreign)}</Panel>
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

fn foreign(lines: Vec<ForeignLine>) -> AnyView {
    if lines.is_empty() {
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
            {lines.into_iter().map(thing).collect_view()}
        </Table>
    }
    .into_any()
}

fn backend(line: BackendLine) -> impl IntoView {
    let answered = line
        .answered_at
        .map_or_else(|| t!("clouds.never").to_owned(), when);
    let (look, state) = match line.error {
        None => (Look::Ok, t!("clouds.answers")),
        Some(_) => (Look::Bad, t!("clouds.silent")),
    };
    view! {
        <Row>
            <RowHead name=line.name/>
            <Cell l=t!("clouds.answered")>{answered}</Cell>
            <Cell l=t!("clouds.asked")>{when(line.asked_at)}</Cell>
            <Cell l=t!("operations.why")>{line.error.unwrap_or_else(|| "—".to_owned())}</Cell>
            <Cell l=t!("resources.state") class="corner"><Chip look text=state/></Cell>
        </Row>
    }
}

fn thing(line: ForeignLine) -> impl IntoView {
    view! {
        <Row>
            <RowHead name=line.name sub=line.external_id/>
            <Cell l=t!("clouds.kind")>{known("foreign_kind", &line.kind)}</Cell>
            <Cell l=t!("clouds.name")>{line.backend}</Cell>
            <Cell l=t!("clouds.first_seen")>{when(line.first_seen)}</Cell>
            <Cell l=t!("clouds.last_seen")>{when(line.last_seen)}</Cell>
        </Row>
    }
}
