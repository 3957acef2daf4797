//! To-do and done.

use crate::{
    error::ApiError,
    facts, i18n, live,
    routes::{self, with_query},
    t,
    ui::*,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::{
    calendar::Lamp as Deadline,
    request::{Decision, Kind as RequestKind},
    time::Zone,
    view::{
        page::Page as Rows,
        request::{DoneRow, TodoRow},
    },
};

/// Path of the decisions as a file.
pub const CSV: &str = "/done.csv";

/// One page of what waits for this person, the most urgent first.
///
/// # Errors
/// `Unauthenticated`.
#[server(name = GetTodos, prefix = "/fn", endpoint = "approvals/todos", output = crate::json::Json)]
pub async fn todos(after: String) -> Result<Rows<TodoRow>, ApiError> {
    let after = Some(after.as_str()).filter(|text| !text.is_empty());
    Ok(lingbao_core::service::approval::todos(&crate::ssr::cx()?, after, 50).await?)
}

/// One page of what this person decided, the latest first.
///
/// # Errors
/// `Unauthenticated`.
#[server(name = GetDone, prefix = "/fn", endpoint = "approvals/done", output = crate::json::Json)]
pub async fn decided(after: String) -> Result<Rows<DoneRow>, ApiError> {
    let after = Some(after.as_str()).filter(|text| !text.is_empty());
    Ok(lingbao_core::service::approval::done(&crate::ssr::cx()?, after, 50).await?)
}

/// A deadline as a lamp: shape, words and colour.
pub fn lamp(deadline: Deadline) -> AnyView {
    let (light, text) = crate::facts::lamp(deadline);
    view! { <Lamp light text/> }.into_any()
}

fn after() -> Memo<String> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| query.get("after").unwrap_or_default()))
}

/// What waits.
#[component]
pub fn Todo() -> impl IntoView {
    let (after, version) = (after(), live::version("viewer"));
    let list = Resource::new(
        move || (after.get(), version.get()),
        |(after, _)| todos(after),
    );
    let acts = view! { <LinkButton href=routes::DONE icon="tick">{t!("nav.done")}</LinkButton> };
    view! {
        <PageHead title=t!("nav.todo") acts=acts.into_any()/>
        {list_of(after, list, |rows, after| waiting(rows, after.is_empty()))}
    }
}

fn waiting(rows: Rows<TodoRow>, first: bool) -> AnyView {
    if rows.rows.is_empty() {
        let note = t!("approvals.nothing_note");
        return view! {
            <section class="panel">
                <Empty icon="inbox" title=t!("approvals.nothing") note/>
            </section>
        }
        .into_any();
    }
    let back = (!first).then(|| routes::TODO.to_owned());
    let next = rows
        .next
        .as_deref()
        .map(|after| with_query(routes::TODO, &[("after", after)]));
    view! {
        <section class="panel">
            <ul class="rows">{rows.rows.into_iter().map(todo).collect_view()}</ul>
            <Pager total=rows.total nostrip:first=back nostrip:next=next/>
        </section>
    }
    .into_any()
}

fn todo(row: TodoRow) -> impl IntoView {
    let what = match row.kind {
        RequestKind::New => t!("approvals.new", n = row.lines),
        RequestKind::Release => t!("approvals.release", n = row.lines),
        RequestKind::Change => t!("approvals.change").to_owned(),
        // Nobody is asked about these.
        RequestKind::Import => String::new(),
    };
    let money = facts::charge(row.month, row.once);
    view! {
        <li class="r-todo">
            <div>
                <a class="lead" href=routes::card(row.step.as_str())>{row.title}</a>
                <div class="sub">
                    {format!("{} · {} · {} · {what}", row.unit_name, row.applicant_name, i18n::label(&row.step_name))}
                </div>
                <div class="sub">{row.number}</div>
            </div>
            <div>{lamp(row.lamp)}</div>
            <div class="num">{money}</div>
        </li>
    }
}

/// What was decided.
#[component]
pub fn Done() -> impl IntoView {
    let after = after();
    let list = Resource::new(move || after.get(), decided);
    let acts = view! {
        <LinkButton href=CSV icon="down" external=true>{t!("resources.csv")}</LinkButton>
        <LinkButton href=routes::TODO icon="inbox">{t!("nav.todo")}</LinkButton>
    };
    view! {
        <PageHead title=t!("nav.done") acts=acts.into_any()/>
        {list_of(after, list, |rows, after| over(rows, after.is_empty()))}
    }
}

fn over(rows: Rows<DoneRow>, first: bool) -> AnyView {
    if rows.rows.is_empty() {
        return view! {
            <section class="panel">
                <Empty icon="tick" title=t!("approvals.none_done") note=t!("approvals.none_done_note")/>
            </section>
        }
        .into_any();
    }
    let columns = vec![
        col(t!("approvals.request")),
        col(t!("approvals.decision")),
        col(t!("approvals.opinion")),
        col(t!("approvals.when")),
        col(t!("requests.month")).class("num"),
    ];
    let back = (!first).then(|| routes::DONE.to_owned());
    let next = rows
        .next
        .as_deref()
        .map(|after| with_query(routes::DONE, &[("after", after)]));
    view! {
        <TableBox>
            <Table caption=t!("nav.done") columns>{rows.rows.into_iter().map(done).collect_view()}</Table>
            <Pager total=rows.total nostrip:first=back nostrip:next=next/>
        </TableBox>
    }
    .into_any()
}

fn done(row: DoneRow) -> impl IntoView {
    let look = match row.decision {
        Decision::Approve => Look::Ok,
        Decision::Reject => Look::Bad,
        Decision::Return => Look::Act,
    };
    let sub = format!("{} · {}", row.number, row.unit_name);
    view! {
        <Row>
            <RowHead name=row.title href=routes::request(row.request.as_str()) sub/>
            <Cell l=t!("approvals.decision")>
                <Chip look text=i18n::t_key(&format!("approvals.decided.{}", row.decision)).into_owned()/>
            </Cell>
            <Cell l=t!("approvals.opinion")>{if row.opinion.is_empty() { "—".to_owned() } else { row.opinion }}</Cell>
            <Cell l=t!("approvals.when")>{row.acted_at.minute_text(Zone::SHANGHAI)}</Cell>
            <Cell l=t!("requests.month") class="num">{facts::charge(row.month, row.once)}</Cell>
        </Row>
    }
}

/// The decisions as a file.
pub mod ssr {
    use crate::{
        csv, facts,
        form::ssr::Pages,
        i18n::{self, Lang},
    };
    use axum::{
        extract::{Request, State},
        response::Response,
    };
    use lingbao_core::service::approval;
    use lingbao_model::{msg::Msg, time::Zone, view::request::DoneRow};

    /// All decisions of the person, slice by slice.
    pub async fn csv(State(pages): State<Pages>, request: Request) -> Response {
        let name = "decisions.csv";
        let slice = |cx, (), from: Option<String>| async move {
            approval::done_export(&cx, from.as_deref()).await
        };
        let file = csv::File { name, head, line };
        file.answer(&pages, request, || Ok(()), slice).await
    }

    fn head(lang: Lang) -> String {
        let keys = [
            "requests.number",
            "requests.title",
            "requests.unit",
            "requests.stage",
            "approvals.decision",
            "approvals.opinion",
            "approvals.when",
            "requests.state",
            "requests.month_yuan",
            "requests.once_yuan",
        ];
        csv::heads(lang, keys)
    }

    fn line(lang: Lang, row: &DoneRow) -> String {
        let word = |key: String| i18n::msg_in(lang, &Msg::new(key));
        csv::line([
            row.number.clone(),
            row.title.clone(),
            row.unit_name.clone(),
            facts::label_in(lang, &row.step_name),
            word(format!("approvals.decided.{}", row.decision)),
            row.opinion.clone(),
            row.acted_at.minute_text(Zone::SHANGHAI),
            word(format!("request.status.{}", row.status)),
            csv::amount(row.month),
            csv::amount(row.once),
        ])
    }
}
