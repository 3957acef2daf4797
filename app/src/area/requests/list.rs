//! The list of requests: search, filter by state and day, order, pages, and the same as a file.

use crate::{
    error::ApiError,
    facts, i18n,
    routes::{self, with_query},
    t,
    ui::*,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::{
    money::grouped_signed,
    request::Status,
    time::{Date, Zone},
    view::{
        page::Page as Rows,
        request::{RequestFilter, RequestRow, RequestSort},
    },
};

/// Path of the file.
pub const CSV: &str = "/requests.csv";

/// One page of the requests in sight, and how many stand in each state that is under way.
///
/// # Errors
/// `Unauthenticated`.
#[server(name = GetRequests, prefix = "/fn", endpoint = "requests/list", output = crate::json::Json)]
pub async fn requests(
    filter: RequestFilter,
) -> Result<(Rows<RequestRow>, Vec<(Status, i64)>), ApiError> {
    use lingbao_core::service::request::list;
    let cx = crate::ssr::cx()?;
    Ok((
        list::list(&cx, &filter).await?,
        list::counts(&cx, &filter).await?,
    ))
}

/// The filter that stands in a URL. A word or a day that is none filters nothing.
fn filter(of: impl Fn(&str) -> Option<String>) -> RequestFilter {
    let day = |name| of(name).and_then(|text| text.parse::<Date>().ok());
    RequestFilter {
        text: of("q").unwrap_or_default(),
        status: of("status").and_then(|text| text.parse().ok()),
        mine: of("mine").as_deref() == Some("1"),
        from: day("from"),
        to: day("to"),
        sort: (of("sort").as_deref() == Some(OLDEST)).then_some(RequestSort::Oldest),
        after: of("after"),
        ..RequestFilter::default()
    }
}

/// The order of the list in its URL; the youngest first needs no word.
const OLDEST: &str = "submitted";

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
    let filter = Memo::new(move |_| query.with(|query| filter(|name| query.get(name))));
    let list = Resource::new(move || filter.get(), requests);
    list_of(filter, list, |(rows, counts), filter| {
        view! { <Found rows counts filter/> }.into_any()
    })
}

#[component]
fn Found(
    rows: Rows<RequestRow>,
    counts: Vec<(Status, i64)>,
    filter: RequestFilter,
) -> impl IntoView {
    let status = filter.status.map_or("", Status::as_str);
    let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let (from, to) = (day(filter.from), day(filter.to));
    let oldest = filter.sort == Some(RequestSort::Oldest);
    let query = [
        ("q", filter.text.as_str()),
        ("status", status),
        ("mine", if filter.mine { "1" } else { "" }),
        ("from", from.as_str()),
        ("to", to.as_str()),
        ("sort", if oldest { OLDEST } else { "" }),
    ];
    let link = |path: &str, status: &str, after: &str| {
        let mut query = query.to_vec();
        query.retain(|pair| pair.0 != "status");
        query.extend([("status", status), ("after", after)]);
        with_query(path, &query)
    };
    let mut links = vec![SegLink {
        href: link(routes::REQUESTS, "", ""),
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
        Status::Withdrawn,
    ] {
        links.push(SegLink {
            href: link(routes::REQUESTS, one.as_str(), ""),
            text: status_text(one),
            count: counts
                .iter()
                .find(|(status, _)| *status == one)
                .map(|(_, n)| grouped_signed(*n)),
            current: filter.status == Some(one),
        });
    }
    let first = filter
        .after
        .is_some()
        .then(|| link(routes::REQUESTS, status, ""));
    let next = rows
        .next
        .as_deref()
        .map(|after| link(routes::REQUESTS, status, after));
    let empty = rows.rows.is_empty();
    let filtered =
        !filter.text.is_empty() || filter.mine || filter.from.is_some() || filter.to.is_some();
    let sort = if oldest { "submitted" } else { "-submitted" };
    let columns = vec![
        col(t!("requests.request")),
        col(t!("requests.unit_applicant")),
        col(t!("requests.state")),
        col(t!("requests.stage")),
        col(t!("requests.submitted")).class("only-wide").sorted(
            OLDEST,
            sort,
            routes::REQUESTS,
            &query,
        ),
        col(t!("requests.month")).class("num"),
    ];
    let file = (!empty).then(|| link(CSV, status, ""));
    let acts = view! {
        {file.map(|file| view! { <LinkButton href=file icon="down" external=true>{t!("resources.csv")}</LinkButton> })}
        <LinkButton href=routes::DRAFTS>{t!("requests.drafts")}</LinkButton>
        <LinkButton href=routes::CATALOGUE kind=Kind::Main icon="plus">{t!("requests.new")}</LinkButton>
    };
    view! {
        <PageHead title=t!("nav.requests") acts=acts.into_any()/>
        <SegLinks links wide=true/>
        <FilterBar action=routes::REQUESTS active=filtered>
            <input type="hidden" name="status" value=status/>
            {oldest.then(|| view! { <input type="hidden" name="sort" value=OLDEST/> })}
            <Find label=t!("requests.search") value=filter.text.clone()/>
            <div class="bar-two">
                <FilterDay name="from" label=t!("ui.from") value=from.clone()/>
                <FilterDay name="to" label=t!("ui.to") value=to.clone()/>
            </div>
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
                    <Pager total=rows.total nostrip:first=first nostrip:next=next/>
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
            <Cell l=t!("requests.unit_applicant")>{format!("{} · {}", row.unit_name, row.applicant_name)}</Cell>
            <Cell l=t!("requests.state")><Chip look=look(row.status) text=status_text(row.status)/></Cell>
            <Cell l=t!("requests.stage")>{stage}{lamp}</Cell>
            <Cell l=t!("requests.submitted") class="only-wide">{row.submitted_at.minute_text(Zone::SHANGHAI)}</Cell>
            <Cell l=t!("requests.month") class="num">{money}</Cell>
        </Row>
    }
}

/// The list as a file.
pub mod ssr {
    use crate::{
        csv, facts,
        form::ssr::Pages,
        i18n::{self, Lang},
    };
    use axum::{
        extract::{Query, Request, State},
        response::Response,
    };
    use lingbao_core::service::request::list;
    use lingbao_model::{
        msg::Msg,
        time::Zone,
        view::request::{RequestFilter, RequestRow},
    };
    use std::collections::HashMap;

    /// The filtered list as a file; where the page stood in it does not matter.
    pub async fn csv(
        State(pages): State<Pages>,
        Query(query): Query<HashMap<String, String>>,
        request: Request,
    ) -> Response {
        let name = "requests.csv";
        let slice = |cx, mut filter: RequestFilter, from| async move {
            filter.after = from;
            list::export(&cx, &filter).await
        };
        let file = csv::File { name, head, line };
        let filter = || Ok(super::filter(|name| query.get(name).cloned()));
        file.answer(&pages, request, filter, slice).await
    }

    fn head(lang: Lang) -> String {
        let keys = [
            "requests.number",
            "requests.kind",
            "requests.title",
            "requests.unit",
            "requests.applicant",
            "requests.system",
            "requests.state",
            "requests.stage",
            "requests.submitted",
            "requests.due",
            "requests.month_yuan",
            "requests.once_yuan",
        ];
        csv::heads(lang, keys)
    }

    fn line(lang: Lang, row: &RequestRow) -> String {
        let word = |list: &str, code: &str| i18n::msg_in(lang, &Msg::new(format!("{list}.{code}")));
        let stage = row.stage_name.as_ref();
        csv::line([
            row.number.clone(),
            word("requests.kind", row.kind.as_str()),
            row.title.clone(),
            row.unit_name.clone(),
            row.applicant_name.clone(),
            row.system_name.clone(),
            word("request.status", row.status.as_str()),
            stage
                .map(|name| facts::label_in(lang, name))
                .unwrap_or_default(),
            row.submitted_at.minute_text(Zone::SHANGHAI),
            row.due_at
                .map(|due| due.minute_text(Zone::SHANGHAI))
                .unwrap_or_default(),
            csv::amount(row.month),
            csv::amount(row.once),
        ])
    }
}
