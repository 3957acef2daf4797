//! One host, day by day.

use super::{
    chart,
    words::{definitions, fact, nothing, pair, state, trouble, word},
};
use crate::{asked, error::ApiError, facts, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    usage::{Load, Measure, Reading},
    view::{
        resource::Act,
        usage::{UsageDay, UsageDetail, UsageRow},
    },
};

/// One host in the reader's sight.
///
/// # Errors
/// `NotFound`.
#[server(name = GetHostUsage, prefix = "/fn", endpoint = "usage/host", output = crate::json::Json)]
pub async fn host(id: String) -> Result<UsageDetail, ApiError> {
    let cx = crate::ssr::cx()?;
    Ok(lingbao_core::service::usage::host(&cx, &crate::ssr::id(&id)?).await?)
}

/// The page.
#[component]
pub fn HostPage() -> impl IntoView {
    let id = asked::param("id");
    let version = live::version("usage");
    let found = Resource::new(move || (id.get(), version.get()), |(id, _)| host(id));
    page_of(found, |found| view! { <Detail found/> }.into_any())
}

#[component]
fn Detail(found: UsageDetail) -> impl IntoView {
    let UsageDetail { head, row, days } = found;
    let crumbs = vec![
        (t!("nav.resources").to_owned(), routes::RESOURCES.to_owned()),
        (row.name.clone(), routes::resource(row.id.as_str())),
    ];
    let known = head.configured && row.load != Load::NoData;
    let body = match nothing(&head) {
        Some(empty) => empty,
        None if !known => {
            view! { <Empty icon="pulse" title=t!("usage.host_none") note=t!("usage.host_none_note")/> }
                .into_any()
        }
        None => head
            .measures
            .iter()
            .map(|measure| panel(*measure, &row, &days))
            .collect_view()
            .into_any(),
    };
    let advice = (known && row.load == Load::Idle).then(|| advice(&row));
    let chip = known.then(|| state(row.load));
    let acts = acts(&row);
    let (far, trouble) = (fact(&head), trouble(&head));
    let size = format!(
        "{} · {} · {}",
        facts::label(&row.item_name),
        size(&row),
        row.unit_name
    );
    view! {
        <PageHead title=t!("usage.of", name = row.name.clone()) fact=size crumbs acts>
            {chip} " " {far}
        </PageHead>
        {trouble}
        {advice}
        {body}
        {definitions()}
    }
}

/// Cores and memory in words.
pub fn size(row: &UsageRow) -> String {
    format!(
        "{} {} GB",
        t!("quantity.core", n = row.vcpus),
        row.memory_gb
    )
}

fn panel(measure: Measure, row: &UsageRow, days: &[UsageDay]) -> AnyView {
    let (sum, of): (_, fn(&UsageDay) -> Option<Reading>) = match measure {
        Measure::Cpu => (row.cpu, |day| day.cpu),
        Measure::Memory => (row.memory, |day| day.memory),
        Measure::Disk => (row.disk, |day| day.disk),
    };
    let name = word("usage.measure", measure.as_str());
    let sub = match sum {
        Some(sum) => t!("usage.sum", pair = pair(Some(sum)), days = sum.days),
        None => t!("usage.sum_none").to_owned(),
    };
    let days: Vec<_> = days.iter().map(|day| (day.day, of(day))).collect();
    let chart = if days.iter().any(|(_, reading)| reading.is_some()) {
        chart::days(name.clone(), days)
    } else {
        view! { <p class="hint">{t!("usage.no_data")}</p> }.into_any()
    };
    view! { <Panel title=name sub=sub pad=true>{chart}</Panel> }.into_any()
}

/// What an idle host costs, and what would do.
fn advice(row: &UsageRow) -> AnyView {
    let month = row.month.yuan();
    let text = match row.smaller() {
        Some((cores, memory)) => t!(
            "usage.advice_size",
            month = month,
            cores = cores,
            memory = memory
        ),
        None => t!("usage.advice", month = month),
    };
    view! { <Banner tone=Tone::Warn>{text}</Banner> }.into_any()
}

/// The ways to the forms; only they change something.
pub fn acts(row: &UsageRow) -> AnyView {
    let id = row.id.as_str();
    row.may
        .iter()
        .filter_map(|act| match act {
            Act::Resize => Some((
                routes::change(id, Act::Resize.as_str(), ""),
                t!("resources.resize"),
            )),
            Act::Release => Some((
                routes::with_query("/requests/release", &[("resource", id)]),
                t!("resources.release"),
            )),
            _ => None,
        })
        .map(|(href, text)| view! { <LinkButton href=href>{text}</LinkButton> })
        .collect_view()
        .into_any()
}
