//! The list of requests: search, filter by state, pages.

use crate::{
    error::ApiError,
    facts, i18n,
    routes::{self, with_query},
    t,
    ui::{Total, *},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::{
    request::Status,
    time::Zone,
    view::{
        page::{Page as Rows, Total as Counted},
        request::{RequestFilter, RequestRow},
    },
};

/// One page of the requests in sight.
///
/// # Errors
/// `Unauthenticated`.
#[server(name = GetRequests, prefix = "/fn", endpoint = "requests/list", output = crate::json::Json)]
pub async fn requests(filter: RequestFilter) -> Result<Rows<RequestRow>, ApiError> {
    Ok(lingbao_core::service::request::list::list(&crate::ssr::cx()?, &filter).await?)
}

/// The look of a state.
pub fn look(status: Status) -> Look {
    match status {
        Status::Draft => Look::Draft,
        Status::InApproval => Look::Wait,
        Status::Returned | Status::Delivered => Look::Act,
        Status::Rejected => Look::Bad,
        Status::Withdrawn => Look::Stop,
        Status::Approved => Look::Run,
        Status::Closed => Look::Ok,
    }
}

/// Name of a state.
pub fn status_text(status: Status) -> String {
    i18n::t_key(&format!("request.status.{status}")).into_owned()
}

/// The page.
#[component]
pub fn List() -> impl IntoView {
    let query = use_query_map();
    let filter = Memo::new(move |_| {
        query.with(|query| RequestFilter {
            text: query.get("q").unwrap_or_default(),
            status: query.get("status").and_then(|s| s.parse().ok()),
            mine: query.get("mine").as_deref() == Some("1"),
            after: query.get("after"),
            ..RequestFilter::default()
        })
    });
    let list = Resource::new(move || filter.get(), requests);
    let acts = view! {
        <LinkButton href=routes::DRAFTS>{t!("requests.drafts")}</LinkButton>
        <LinkButton href=routes::CATALOGUE kind=Kind::Main icon="plus">{t!("requests.new")}</LinkButton>
    };
    view! {
        <PageHead title=t!("nav.requests") acts=acts.into_any()/>
        <Transition>
            {move || {
                let filter = filter.get();
                Suspend::new(async move {
                    match list.await {
                        Ok(rows) => view! { <Found rows filter/> }.into_any(),
                        Err(error) => view! { <Refusal error/> }.into_any(),
                    }
                })
            }}
        </Transition>
    }
}

#[component]
fn Found(rows: Rows<RequestRow>, filter: RequestFilter) -> impl IntoView {
    let status = filter.status.map_or("", Status::as_str);
    let link = |status: &str, after: &str| {
        let mine = if filter.mine { "1" } else { "" };
        with_query(
            routes::REQUESTS,
            &[
                ("q", &filter.text),
                ("status", status),
                ("mine", mine),
                ("after", after),
            ],
        )
    };
    let mut links = vec![SegLink {
        href: link("", ""),
        text: t!("requests.all").to_owned(),
        count: None,
        current: status.is_empty(),
    }];
    for one in [
        Status::InApproval,
        Status::Returned,
        Status::Approved,
        Status::Delivered,
        Status::Closed,
        Status::Rejected,
    ] {
        links.push(SegLink {
            href: link(one.as_str(), ""),
            text: status_text(one),
            count: None,
            current: filter.status == Some(one),
        });
    }
    let total = match rows.total {
        Counted::Exact(n) => Total::Exact(n),
        Counted::MoreThan(_) => Total::Many,
    };
    let first = filter.after.is_some().then(|| link(status, ""));
    let next = rows.next.as_deref().map(|after| link(status, after));
    let empty = rows.rows.is_empty();
    let filtered = !filter.text.is_empty() || filter.mine;
    let columns = vec![
        col(t!("requests.request")),
        col(t!("requests.unit")),
        col(t!("requests.state")),
        col(t!("requests.stage")),
        col(t!("requests.submitted")).class("only-wide"),
        col(t!("requests.month")).class("num"),
    ];
    view! {
        <SegLinks links wide=true/>
        <FilterBar action=routes::REQUESTS active=filtered>
            <input type="hidden" name="status" value=status/>
            <Find label=t!("requests.search") value=filter.text.clone()/>
            <Check name="mine" value="1" checked=filter.mine>{t!("requests.mine")}</Check>
        </FilterBar>
        {if empty {
            let orders = crate::viewer::use_viewer().is_some_and(|viewer| viewer.can("order"));
            let act = if filtered || !status.is_empty() {
                view! { <LinkButton href=routes::REQUESTS>{t!("ui.clear")}</LinkButton> }.into_any()
            } else if orders {
                view! { <LinkButton href=routes::CATALOGUE>{t!("requests.new")}</LinkButton> }.into_any()
            } else {
                ().into_any()
            };
            view! {
                <section class="panel">
                    <Empty icon="doc" title=t!("requests.none") note=t!("requests.none_note") act/>
                </section>
            }
            .into_any()
        } else {
            view! {
                <TableBox>
                    <Table caption=t!("nav.requests") columns>{rows.rows.into_iter().map(row).collect_view()}</Table>
                    <Pager total nostrip:first=first nostrip:next=next/>
                </TableBox>
            }
            .into_any()
        }}
    }
}

fn row(row: RequestRow) -> impl IntoView {
    let money = facts::charge(row.month, row.once);
    let sub = format!("{} · {}", row.number, row.system_name);
    let stage = row
        .stage_name
        .as_ref()
        .map(i18n::label)
        .unwrap_or_else(|| "—".to_owned());
    let lamp = row
        .lamp
        .map(facts::lamp)
        .map(|(light, text)| view! { " " <Lamp light text/> });
    view! {
        <Row>
            <RowHead name=row.title href=routes::request(row.id.as_str()) sub/>
            <Cell l=t!("requests.unit")>{format!("{} {}", row.unit_name, row.applicant_name)}</Cell>
            <Cell l=t!("requests.state")><Chip look=look(row.status) text=status_text(row.status)/></Cell>
            <Cell l=t!("requests.stage")>{stage}{lamp}</Cell>
            <Cell l=t!("requests.submitted") class="only-wide">{row.submitted_at.minute_text(Zone::SHANGHAI)}</Cell>
            <Cell l=t!("requests.month") class="num">{money}</Cell>
        </Row>
    }
}
