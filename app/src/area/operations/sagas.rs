//! The operator's page: what needs a person, and everything that is on its way.

use super::{known, saga_look, when, word};
use crate::{asked, error::ApiError, i18n, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::{
    operation::{OperationCounts, SAGA_KINDS, SagaLine, SagaState},
    page::Page,
};

/// The numbers at the top.
///
/// # Errors
/// `Forbidden` for others than operators.
#[server(name = GetOperationCounts, prefix = "/fn", endpoint = "operations/counts", output = crate::json::Json)]
pub async fn counts() -> Result<OperationCounts, ApiError> {
    Ok(lingbao_core::service::operation::counts(&crate::ssr::cx()?).await?)
}

asked!(state, kind, request, resource, after);

/// One page of fulfilments; without a state those that are not over, of one request or resource all.
///
/// # Errors
/// `Forbidden` for others than operators, `NotFound` for a resource that is none.
#[server(name = GetSagas, prefix = "/fn", endpoint = "operations/sagas", output = crate::json::Json)]
pub async fn sagas(asked: Asked) -> Result<Page<SagaLine>, ApiError> {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = lingbao_model::view::operation::SagaFilter {
        state: asked.state.parse().ok(),
        kind: given(&asked.kind),
        request: given(&asked.request).map(|number| number.to_uppercase()),
        resource: given(&asked.resource)
            .map(|id| crate::ssr::id(&id))
            .transpose()?,
        cursor: given(&asked.after),
        limit: None,
    };
    Ok(lingbao_core::service::operation::sagas(&crate::ssr::cx()?, &filter).await?)
}

/// The page.
#[component]
pub fn Sagas() -> impl IntoView {
    let asked = asked::now(Asked::read);
    let version = live::version("jobs");
    let numbers = Resource::new(move || version.get(), |_| counts());
    let list = Resource::new(
        move || (asked.get(), version.get()),
        |(asked, _)| sagas(asked),
    );
    view! {
        <PageHead title=t!("nav.operations") fact=t!("operations.fact")/>
        <Transition>
            {move || {
                let asked = asked.get();
                Suspend::new(async move {
                    match (numbers.await, list.await) {
                        (Ok(counts), Ok(page)) => view! { <List counts page asked/> }.into_any(),
                        (Err(error), _) | (_, Err(error)) => view! { <Refusal error/> }.into_any(),
                    }
                })
            }}
        </Transition>
    }
}

fn of_state(state: &str) -> String {
    routes::with_query(routes::OPERATIONS, &[("state", state)])
}

#[component]
fn List(counts: OperationCounts, page: Page<SagaLine>, asked: Asked) -> impl IntoView {
    let number = |n: i64| lingbao_model::money::grouped_signed(n);
    let tab = |code: &str, text: String, count: Option<i64>| Tab {
        href: Asked {
            state: code.to_owned(),
            ..asked.clone()
        }
        .link(routes::OPERATIONS, ""),
        text,
        count,
        current: asked.state == code,
    };
    // The numbers are of all; of one request or resource all states are shown together.
    let of_one = !asked.request.is_empty() || !asked.resource.is_empty();
    let narrowed = !asked.kind.is_empty() || of_one;
    let active = asked.active();
    let whole = if !of_one {
        t!("operations.all_running")
    } else {
        t!("ui.all")
    };
    let mut tabs = vec![tab("", whole.to_owned(), None)];
    tabs.extend(SagaState::ALL.iter().map(|one| {
        let count = match one {
            SagaState::Stuck => Some(counts.stuck),
            SagaState::Residue => Some(counts.residue),
            SagaState::Running => Some(counts.running),
            _ => None,
        };
        let count = count.filter(|_| !narrowed);
        tab(one.as_str(), word("saga_state", one.as_str()), count)
    }));
    let back = (!asked.after.is_empty()).then(|| asked.link(routes::OPERATIONS, ""));
    let next = page
        .next
        .as_deref()
        .map(|after| asked.link(routes::OPERATIONS, after));
    let kinds = std::iter::once((String::new(), t!("ui.all").to_owned()))
        .chain(
            SAGA_KINDS
                .iter()
                .map(|kind| ((*kind).to_owned(), known("saga_kind", kind))),
        )
        .collect();
    let Asked {
        state,
        kind,
        request,
        resource,
        ..
    } = asked;
    let empty = page.rows.is_empty();
    let silent = if counts.silent > 0 {
        t!("clouds.some_silent", n = counts.silent).into_any()
    } else {
        t!("clouds.all_answer").into_any()
    };
    view! {
        <Tiles six=true>
            <Tile
                label=t!("operations.stuck")
                value=number(counts.stuck)
                href=of_state("stuck")
                warn={counts.stuck > 0}
            />
            <Tile
                label=t!("operations.residue")
                value=number(counts.residue)
                href=of_state("residue")
                warn={counts.residue > 0}
            />
            <Tile
                label=t!("operations.running")
                value=number(counts.running)
                href=of_state("running")
            />
            <Tile
                label=t!("nav.work_orders")
                value=number(counts.work_orders)
                href=routes::WORK_ORDERS
            />
            <Tile
                label=t!("operations.stuck_jobs")
                value=number(counts.stuck_jobs)
                href=routes::JOBS
                warn={counts.stuck_jobs > 0}
            />
            <Tile
                label=t!("difference.title")
                value=number(counts.differences)
                href=routes::DIFFERENCES
                note=silent
                warn={counts.differences > 0 || counts.silent > 0}
            />
        </Tiles>
        <Tabs label=t!("nav.operations") tabs/>
        <TableBox>
            <FilterBar action=routes::OPERATIONS active=active>
                {(!state.is_empty()).then(|| view! { <input type="hidden" name="state" value=state/> })}
                {(!resource.is_empty()).then(|| view! { <input type="hidden" name="resource" value=resource/> })}
                <Find name="request" label=t!("requests.number") value=request/>
                <FilterSelect name="kind" label=t!("operations.what") options=kinds value=kind/>
            </FilterBar>
            {if empty {
                view! { <Empty icon="tool" title=t!("operations.none") note=t!("operations.none_note")/> }.into_any()
            } else {
                view! { <Rows rows=page.rows/> }.into_any()
            }}
            <Pager total=page.total nostrip:first=back nostrip:next=next/>
        </TableBox>
    }
}

#[component]
fn Rows(rows: Vec<SagaLine>) -> impl IntoView {
    let columns = vec![
        col(t!("operations.what")),
        col(t!("operations.things")),
        col(t!("resources.request")),
        col(t!("operations.step")),
        col(t!("operations.attempt")).class("num"),
        col(t!("operations.why")),
        col(t!("operations.since")),
        col(t!("resources.state")).class("corner"),
    ];
    view! {
        <Table caption=t!("operations.list") columns flat=true>
            {rows.into_iter().map(row).collect_view()}
        </Table>
    }
}

/// What a saga works on, each with the way to it.
pub fn things(line: &SagaLine) -> AnyView {
    if line.things.is_empty() {
        return "—".into_any();
    }
    let all = line.things.iter().map(|thing| {
        let text = format!("{} {}", i18n::label(&thing.item), thing.name);
        match &thing.resource {
            Some(id) => {
                view! { <div><a href=routes::resource(id.as_str())>{text}</a></div> }.into_any()
            }
            None => view! { <div>{text}</div> }.into_any(),
        }
    });
    let shown = i64::try_from(line.things.len()).unwrap_or(0);
    let more = (line.thing_count > shown).then(
        || view! { <div class="sub">{t!("operations.more_things", n = line.thing_count)}</div> },
    );
    view! { {all.collect_view()} {more} }.into_any()
}

/// The request for which something works, or none.
pub fn request_link(number: Option<String>) -> AnyView {
    number.map_or_else(
        || "—".into_any(),
        |number| view! { <a href=routes::request(&number)>{number.clone()}</a> }.into_any(),
    )
}

fn row(line: SagaLine) -> impl IntoView {
    let name = format!("{} {}", known("saga_kind", &line.kind), line.subject);
    let works_on = things(&line);
    let step = line
        .step
        .map_or_else(|| "—".to_owned(), |step| known("saga_step", &step));
    let request = request_link(line.request_number);
    view! {
        <Row>
            <RowHead name=name href=routes::saga(line.id.as_str()) sub=line.unit_name.unwrap_or_default()/>
            <Cell l=t!("operations.things")>{works_on}</Cell>
            <Cell l=t!("resources.request")>{request}</Cell>
            <Cell l=t!("operations.step")>{step}</Cell>
            <Cell l=t!("operations.attempt") class="num">{line.attempt}</Cell>
            <Cell l=t!("operations.why")>{line.why.map_or_else(|| "—".to_owned(), |why| known("saga_wait", &why))}</Cell>
            <Cell l=t!("operations.since")>{when(line.created_at)}</Cell>
            <Cell l=t!("resources.state") class="corner">
                <Chip look=saga_look(line.state) text=word("saga_state", line.state.as_str())/>
            </Cell>
        </Row>
    }
}
