//! The application form (申请表) of a request on A4, as it is stamped and filed.

use super::detail::get_request;
use crate::{asked, facts, i18n, routes, t, ui::*, viewer::use_viewer};
use leptos::prelude::*;
use lingbao_model::{
    money::Money,
    quota::Change,
    request::StepStatus,
    time::{Timestamp, Zone},
    view::request::{DetailLine, RequestDetail, StepView},
};

/// The page.
#[component]
pub fn Print() -> impl IntoView {
    let id = asked::param("id");
    let request = Resource::new(move || id.get(), get_request);
    page_of(request, |request| view! { <Paper request/> }.into_any())
}

fn day(at: Timestamp) -> String {
    Zone::SHANGHAI.date(at).to_string()
}

#[component]
fn Paper(request: RequestDetail) -> impl IntoView {
    let row = &request.row;
    let crumbs = vec![
        (t!("nav.requests").to_owned(), routes::REQUESTS.to_owned()),
        (row.number.clone(), routes::request(row.id.as_str())),
    ];
    let name = use_viewer().map(|v| v.name).unwrap_or_default();
    let foot = format!("{} · {} · {name}", row.number, request.digest);
    let second = foot.clone();
    let kind = i18n::t_key(&format!("requests.kind.{}", row.kind)).into_owned();
    let unit: Vec<(Text, Text)> = vec![
        (
            t!("requests.unit").into(),
            request.unit_full_name.clone().into(),
        ),
        (t!("print.kind").into(), kind.into()),
        (
            t!("print.applicant").into(),
            row.applicant_name.clone().into(),
        ),
        (
            t!("print.phone").into(),
            request.applicant_phone.clone().into(),
        ),
        (
            t!("requests.submitted").into(),
            day(row.submitted_at).into(),
        ),
        (
            t!("print.revision").into(),
            request.revision.to_string().into(),
        ),
    ];
    let system = request.system.as_ref();
    let about: Vec<(Text, Text)> = vec![
        (
            t!("requests.system").into(),
            system
                .map_or_else(|| "—".to_owned(), |s| s.name.clone())
                .into(),
        ),
        (t!("cart.title").into(), row.title.clone().into()),
        (t!("requests.reason").into(), request.reason.clone().into()),
    ];
    let lines = (1_usize..)
        .zip(&request.lines)
        .map(|(n, line)| item(n, line))
        .collect_view();
    let from = request.lines.len() + 1;
    let releases = (from..)
        .zip(&request.releases)
        .map(|(n, one)| {
            let name = format!("{} {}", t!("requests.release"), one.name);
            let code = one.code.clone();
            cells(n, name, code, 1, -one.month, Money::ZERO)
        })
        .collect_view();
    let change_lines = request
        .change
        .iter()
        .map(|line| {
            let what = i18n::t_key(&format!("resources.{}", line.change.what)).into_owned();
            let name = format!("{what} {}", line.name);
            let spec = facts::steps_line(&line.change);
            cells(1, name, spec, 1, row.month, row.once)
        })
        .collect_view();
    let verdict = request.verdict.as_ref();
    let year = verdict.map(|v| v.year.yuan()).unwrap_or_default();
    let sums = t!(
        "print.sums",
        month = row.month.yuan(),
        once = row.once.yuan(),
        year = year
    );
    let changes = verdict
        .into_iter()
        .flat_map(|v| v.changes.iter())
        .map(|c| change(c, &request))
        .collect_view();
    let round = request.steps.iter().map(|s| s.round).max().unwrap_or(0);
    let stamps = request
        .steps
        .iter()
        .filter(|s| s.round == round && s.status != StepStatus::Void)
        .map(stamp)
        .collect_view();
    let settled = request.settled_at.map(day).unwrap_or_default();
    let delivery: Vec<(Text, Text)> = vec![
        (t!("delivery.number").into(), row.number.clone().into()),
        (t!("delivery.settled").into(), settled.into()),
        (t!("print.delivered_how").into(), t!("print.boxes").into()),
        (
            t!("print.confirmed").into(),
            request.closed_at.map(day).unwrap_or_default().into(),
        ),
    ];
    view! {
        <div class="no-print">
            <PageHead title=t!("print.preview") fact=t!("print.fact") crumbs/>
        </div>
        <PrintSheet label=t!("print.page", n = 1) foot page=t!("print.page", n = 1)>
            <p class="sheet-h1">{t!("print.title")}</p>
            <h2>{t!("print.unit")}</h2>
            <SheetFacts facts=unit/>
            <h2>{t!("print.system")}</h2>
            <SheetFacts facts=about/>
            <h2>{t!("print.items")}</h2>
            <table class="sf sf-items">
                <colgroup>
                    <col class="c-w1"/>
                    <col class="c-w4"/>
                    <col/>
                    <col class="c-w2"/>
                    <col class="c-w5"/>
                    <col class="c-w5"/>
                </colgroup>
                <thead>
                    <tr>
                        <th scope="col">{t!("print.n")}</th>
                        <th scope="col">{t!("requests.item")}</th>
                        <th scope="col">{t!("requests.spec")}</th>
                        <th scope="col">{t!("requests.count")}</th>
                        <th scope="col">{t!("requests.month_yuan")}</th>
                        <th scope="col">{t!("requests.once_yuan")}</th>
                    </tr>
                </thead>
                <tbody>{lines}{releases}{change_lines}</tbody>
            </table>
            <p class="sheet-code">{sums}</p>
            <h2>{t!("print.quota")}</h2>
            <table class="sf">
                <colgroup>
                    <col/>
                    <col class="c-w5"/>
                    <col class="c-w5"/>
                    <col class="c-w5"/>
                    <col class="c-w5"/>
                </colgroup>
                <thead>
                    <tr>
                        <th scope="col">{t!("quota.dimension")}</th>
                        <th scope="col">{t!("quota.limit")}</th>
                        <th scope="col">{t!("print.taken")}</th>
                        <th scope="col">{t!("print.asked")}</th>
                        <th scope="col">{t!("print.after")}</th>
                    </tr>
                </thead>
                <tbody>{changes}</tbody>
            </table>
        </PrintSheet>
        <PrintSheet label=t!("print.page", n = 2) foot=second page=t!("print.page", n = 2)>
            <h2>{t!("print.opinions")}</h2>
            <div class="stamps stamp-top">
                {stamps}
                <BlankStamp title=t!("print.unit_stamp")/>
                <BlankStamp title=t!("print.office_stamp")/>
            </div>
            <h2>{t!("print.delivery")}</h2>
            <SheetFacts facts=delivery/>
            <h2>{t!("print.notes")}</h2>
            <p>{t!("print.note1")}</p>
            <p>{t!("print.note2")}</p>
        </PrintSheet>
    }
}

fn item(n: usize, line: &DetailLine) -> AnyView {
    let own = &line.view.line;
    let place = [line.view.zone_name.as_ref(), line.view.pool_name.as_ref()]
        .into_iter()
        .flatten()
        .map(i18n::label)
        .collect::<Vec<_>>();
    let spec = facts::joined([facts::line(&line.view.facts), place.join(" · ")]);
    let name = i18n::label(&own.item_name);
    cells(n, name, spec, own.count, own.quote.month, own.quote.once)
}

/// One row of the items: what a month costs and what is paid once, each in its column.
fn cells(n: usize, name: String, spec: String, count: i64, month: Money, once: Money) -> AnyView {
    view! {
        <tr>
            <td class="c" data-l=t!("print.n")>{n}</td>
            <td data-l=t!("requests.item")>{name}</td>
            <td data-l=t!("requests.spec")>{spec}</td>
            <td class="c" data-l=t!("requests.count")>{count}</td>
            <td class="num" data-l=t!("requests.month_yuan")>{month.yuan()}</td>
            <td class="num" data-l=t!("requests.once_yuan")>{once.yuan()}</td>
        </tr>
    }
    .into_any()
}

fn change(change: &Change, request: &RequestDetail) -> AnyView {
    let pool = request
        .pools
        .iter()
        .find(|(id, _)| *id == change.pool)
        .map(|(_, name)| i18n::label(name))
        .unwrap_or_default();
    let name = i18n::t_key(&format!("dimension.{}", change.dimension));
    let text = |n: i64| facts::amount(change.dimension, n);
    let before = &change.before;
    let taken = before.limit - before.left();
    let unit = i18n::t_key(&format!("quota.unit.{}", change.dimension));
    let name = t!("print.dimension", name = name, unit = unit, pool = pool);
    let cells = [
        (t!("quota.limit"), before.limit),
        (t!("print.taken"), taken),
        (t!("print.asked"), change.asked),
        (t!("print.after"), taken + change.asked),
    ]
    .map(|(label, n)| (label, text(n)));
    view! {
        <tr>
            <td>{name}</td>
            {cells
                .into_iter()
                .map(|(label, text)| view! { <td class="num" data-l=label>{text}</td> })
                .collect_view()}
        </tr>
    }
    .into_any()
}

/// What a stage said, signed; an empty box while it has not.
fn stamp(step: &StepView) -> AnyView {
    let title = i18n::label(&step.name);
    let Some(opinion) = &step.opinion else {
        return view! { <BlankStamp title/> }.into_any();
    };
    let what = i18n::t_key(&format!("approvals.decided.{}", opinion.decision)).into_owned();
    let text = format!("{what} {}", opinion.text);
    let (who, at) = (t!("print.signed", name = opinion.by_name), day(opinion.at));
    view! { <Stamp title who when=at>{text}</Stamp> }.into_any()
}
