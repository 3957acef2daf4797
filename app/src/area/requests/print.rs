//! The application form (申请表) of a request on A4, as it is stamped and filed.

use super::detail::get_request;
use crate::{asked, facts, i18n, routes, t, ui::*, viewer::use_viewer};
use leptos::prelude::*;
use lingbao_model::{
    change::What,
    money::Money,
    quota::Change,
    request::StepStatus,
    time::{Timestamp, Zone},
    view::request::{ChangeLine, DetailLine, ReleaseLine, RequestDetail, StepView},
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

/// A line that is filled in by hand.
fn by_hand(label: &'static str) -> (Text, Text) {
    (label.into(), "".into())
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
            <SheetFacts facts=unit(&request)/>
            <h2>{t!("print.system")}</h2>
            <SheetFacts facts=system(&request)/>
            <h2>{t!("print.items")}</h2>
            {what(&request)}
            {sums(&request)}
            <h2>{t!("print.quota")}</h2>
            {quota(&request)}
        </PrintSheet>
        <PrintSheet label=t!("print.page", n = 2) foot=second page=t!("print.page", n = 2)>
            <h2>{t!("print.opinions")}</h2>
            <div class="stamps stamp-top">
                <BlankStamp title=t!("print.unit_stamp")/>
                <BlankStamp title=t!("print.above_stamp")/>
                {stamps}
                <Stamp title=t!("print.office_stamp") who="" when=t!("print.date")>
                    <p>{t!("print.office_hands")}</p>
                </Stamp>
                <BlankStamp title=t!("print.cloud_stamp")/>
            </div>
            <h2>{t!("print.delivery")}</h2>
            <SheetFacts facts=delivery/>
            <div class="stamps">
                <BlankStamp title=t!("print.confirm_stamp")/>
            </div>
            <h2>{t!("print.notes")}</h2>
            <p>{t!("print.note1")}</p>
            <p>{t!("print.note2")}</p>
        </PrintSheet>
    }
}

/// Who asks, and the people whom the paper form names and the portal does not keep.
fn unit(request: &RequestDetail) -> Vec<(Text, Text)> {
    let row = &request.row;
    let kind = i18n::t_key(&format!("requests.kind.{}", row.kind)).into_owned();
    vec![
        (
            t!("requests.unit").into(),
            request.unit_full_name.clone().into(),
        ),
        (t!("requests.number").into(), row.number.clone().into()),
        (t!("print.kind").into(), kind.into()),
        (
            t!("requests.submitted").into(),
            day(row.submitted_at).into(),
        ),
        (
            t!("print.applicant").into(),
            row.applicant_name.clone().into(),
        ),
        (
            t!("print.phone").into(),
            request.applicant_phone.clone().into(),
        ),
        by_hand(t!("print.lead")),
        by_hand(t!("print.lead_reach")),
        by_hand(t!("print.builder")),
        by_hand(t!("print.builder_reach")),
        by_hand(t!("print.using_unit")),
        (
            t!("print.revision").into(),
            request.revision.to_string().into(),
        ),
    ]
}

/// What it is for: the system with its level and who knows about it, the project, the purpose.
fn system(request: &RequestDetail) -> Vec<(Text, Text)> {
    let mut rows: Vec<(Text, Text)> = Vec::new();
    if let Some(system) = &request.system {
        let state = i18n::t_key(&format!("system.state.{}", system.state)).into_owned();
        rows = vec![
            (t!("system.name").into(), system.name.clone().into()),
            (t!("system.short").into(), system.short_name.clone().into()),
            (
                t!("system.level").into(),
                i18n::msg(&system.level.msg()).into(),
            ),
            by_hand(t!("print.filing")),
            (t!("system.state").into(), state.into()),
            by_hand(t!("print.live_on")),
            (
                t!("system.contact").into(),
                system.contact_name.clone().into(),
            ),
            (
                t!("system.phone").into(),
                system.contact_phone.clone().into(),
            ),
        ];
    }
    let mut zones: Vec<String> = Vec::new();
    for zone in request
        .lines
        .iter()
        .filter_map(|line| line.view.zone_name.as_ref())
    {
        let zone = i18n::label(zone);
        if !zones.contains(&zone) {
            zones.push(zone);
        }
    }
    if !zones.is_empty() {
        let extra = if request.with_quota_change {
            t!("fact.yes")
        } else {
            t!("fact.no")
        };
        rows.push((t!("print.zones").into(), zones.join(t!("ui.comma")).into()));
        rows.push((t!("print.more_quota").into(), extra.into()));
    }
    rows.push(by_hand(t!("print.project")));
    rows.push(by_hand(t!("print.funds")));
    if let Some(days) = request.keep_days {
        let kept = match days {
            0 => t!("requests.kept_not").to_owned(),
            n => t!("requests.kept_days", n = n),
        };
        rows.push((t!("cart.title").into(), request.row.title.clone().into()));
        rows.push((t!("requests.kept").into(), kept.into()));
    } else {
        rows.push((t!("cart.title").into(), request.row.title.clone().into()));
        rows.push(by_hand(t!("print.special")));
    }
    rows.push((t!("requests.reason").into(), request.reason.clone().into()));
    rows
}

/// What is asked for: a change as 原 and 现, anything else line by line.
fn what(request: &RequestDetail) -> AnyView {
    if let Some(line) = &request.change {
        return before_and_after(line);
    }
    let lines = (1_usize..)
        .zip(&request.lines)
        .map(|(n, line)| item(n, line))
        .collect_view();
    let from = request.lines.len() + 1;
    let releases = (from..)
        .zip(&request.releases)
        .map(|(n, one)| released(n, one))
        .collect_view();
    let mut month = Money::ZERO;
    let mut once = Money::ZERO;
    let mut year = Money::ZERO;
    for line in &request.lines {
        let quote = &line.view.line.quote;
        month += quote.month;
        once += quote.once;
        year += quote.year();
    }
    for one in &request.releases {
        month = month - one.month;
        year = year - one.month.year();
    }
    view! {
        <table class="sf sf-items">
            <colgroup>
                <col class="c-w1"/>
                <col class="c-w4"/>
                <col/>
                <col class="c-w2"/>
                <col class="c-w6"/>
                <col class="c-w6"/>
                <col class="c-w6"/>
            </colgroup>
            <thead>
                <tr>
                    <th scope="col">{t!("print.n")}</th>
                    <th scope="col">{t!("requests.item")}</th>
                    <th scope="col">{t!("requests.spec")}</th>
                    <th scope="col">{t!("requests.count")}</th>
                    <th scope="col">{t!("print.month_yuan")}</th>
                    <th scope="col">{t!("print.year_yuan")}</th>
                    <th scope="col">{t!("print.once_yuan")}</th>
                </tr>
            </thead>
            <tbody>
                {lines}{releases}
                <tr class="tot">
                    <th scope="row" colspan="4">{t!("print.total")}</th>
                    {sum_cells(month, year, once)}
                </tr>
            </tbody>
        </table>
    }
    .into_any()
}

/// The change form's own columns: how it is, and how it shall be.
fn before_and_after(line: &ChangeLine) -> AnyView {
    let what = i18n::t_key(&format!("resources.{}", line.change.what)).into_owned();
    let named: Vec<(Text, Text)> = vec![
        (t!("resources.name").into(), line.name.clone().into()),
        (
            t!("requests.item").into(),
            i18n::label(&line.item_name).into(),
        ),
        (t!("print.kind").into(), what.into()),
        (t!("print.code").into(), line.code.clone().into()),
    ];
    let rows = facts::steps(&line.change)
        .into_iter()
        .map(|(what, before, after)| {
            view! {
                <tr>
                    <th scope="row">{what}</th>
                    <td data-l=t!("print.before")>{before}</td>
                    <td data-l=t!("print.now")>{after}</td>
                </tr>
            }
        })
        .collect_view();
    let from = line
        .change
        .price_from
        .map(|at| view! { <p>{t!("change.price_from", day = day(at))}</p> });
    view! {
        <SheetFacts facts=named/>
        <table class="sf">
            <thead>
                <tr>
                    <th scope="col">{t!("ui.what")}</th>
                    <th scope="col">{t!("print.before")}</th>
                    <th scope="col">{t!("print.now")}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        {from}
    }
    .into_any()
}

/// What it comes to in words: more than before by a change, less by a release. Of an order the table
/// says it.
fn sums(request: &RequestDetail) -> Option<AnyView> {
    let row = &request.row;
    let makes_a_disk = |what| matches!(what, What::Restore | What::RestoreBackup);
    let text = match &request.change {
        Some(line) if !makes_a_disk(line.change.what) => {
            let by = line.change.difference();
            t!("print.moves", month = by.yuan(), year = by.year().yuan())
        }
        _ if !request.releases.is_empty() => {
            let month = request
                .releases
                .iter()
                .fold(Money::ZERO, |sum, one| sum + one.month);
            t!(
                "print.saved",
                n = request.releases.len(),
                month = month.yuan(),
                year = month.year().yuan()
            )
        }
        None => return None,
        Some(_) => {
            let verdict = request.verdict.as_ref();
            t!(
                "print.sums",
                month = row.month.yuan(),
                once = row.once.yuan(),
                year = verdict.map(|v| v.year.yuan()).unwrap_or_default()
            )
        }
    };
    Some(view! { <p class="sheet-code">{text}</p> }.into_any())
}

/// The quota before and after; a release that frees it later has none to show.
fn quota(request: &RequestDetail) -> AnyView {
    let changes: Vec<&Change> = request
        .verdict
        .iter()
        .flat_map(|v| v.changes.iter())
        .collect();
    if changes.is_empty() {
        return view! { <p>{t!("print.no_quota")}</p> }.into_any();
    }
    let changes = changes
        .into_iter()
        .map(|c| change(c, request))
        .collect_view();
    view! {
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
    }
    .into_any()
}

/// A line with every parameter by its name, where it stands and for how long.
fn item(n: usize, line: &DetailLine) -> AnyView {
    let own = &line.view.line;
    let colon = t!("ui.colon");
    let mut spec: Vec<String> = line
        .view
        .facts
        .iter()
        .map(|fact| format!("{}{colon}{}", facts::label(&fact.label), facts::value(fact)))
        .collect();
    let level = own.placement.as_ref().map(|p| i18n::msg(&p.level.msg()));
    let place: Vec<String> = [line.view.zone_name.as_ref(), line.view.pool_name.as_ref()]
        .into_iter()
        .flatten()
        .map(i18n::label)
        .chain(level)
        .collect();
    if !place.is_empty() {
        spec.push(format!("{}{colon}{}", t!("print.place"), place.join(" · ")));
    }
    let term = t!("quantity.month", n = own.term_months);
    spec.push(format!("{}{colon}{term}", t!("print.term")));
    if let Some((position, name)) = &line.view.attached_to {
        spec.push(t!("delivery.attached", name = format!("{position} {name}")));
    }
    let title = i18n::label(&own.item_name);
    let quote = &own.quote;
    let amounts = (quote.month, quote.year(), quote.once);
    cells(n, (title, own.name.clone()), spec, own.count, amounts)
}

/// A resource that is given back: its month price is what is saved.
fn released(n: usize, one: &ReleaseLine) -> AnyView {
    let mut spec = vec![one.code.clone()];
    if let Some(at) = one.released_at {
        spec.push(t!("print.released_on", day = day(at)));
    }
    if let Some(at) = one.erase_at {
        spec.push(t!("requests.erased_on", day = day(at)));
    }
    if let Some(number) = &one.certificate {
        spec.push(t!("print.certified", number = number));
    }
    let month = -one.month;
    let title = t!("requests.release").to_owned();
    let amounts = (month, month.year(), Money::ZERO);
    cells(n, (title, one.name.clone()), spec, 1, amounts)
}

/// One row of the items: what a month and a year cost and what is paid once, each in its column.
fn cells(
    n: usize,
    (title, name): (String, String),
    spec: Vec<String>,
    count: i64,
    (month, year, once): (Money, Money, Money),
) -> AnyView {
    let spec = spec.join(t!("print.semicolon"));
    view! {
        <tr>
            <td class="c" data-l=t!("print.n")>{n}</td>
            <td data-l=t!("requests.item")>{title}<br/><small>{name}</small></td>
            <td data-l=t!("requests.spec")>{spec}</td>
            <td class="c" data-l=t!("requests.count")>{count}</td>
            {sum_cells(month, year, once)}
        </tr>
    }
    .into_any()
}

fn sum_cells(month: Money, year: Money, once: Money) -> impl IntoView {
    view! {
        <td class="num" data-l=t!("print.month_yuan")>{month.yuan()}</td>
        <td class="num" data-l=t!("print.year_yuan")>{year.yuan()}</td>
        <td class="num" data-l=t!("print.once_yuan")>{once.yuan()}</td>
    }
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
    let at = opinion.at.minute_text(Zone::SHANGHAI);
    let who = t!("print.signed", name = opinion.by_name);
    view! { <Stamp title who when=at>{text}</Stamp> }.into_any()
}
