//! Both rates by unit, and the same list as a file.

use super::words::{definitions, fact, known, nothing, share, tabs, trouble};
use crate::{asked, error::ApiError, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    money::grouped_signed,
    view::usage::{UnitUsage, UnitsUsage},
};

/// Path of the file.
pub const CSV: &str = "/usage/units.csv";

asked!(q, sort);

/// The units in the reader's sight.
///
/// # Errors
/// `Forbidden` for roles without resources.
#[server(name = GetUnitsUsage, prefix = "/fn", endpoint = "usage/units", output = crate::json::Json)]
pub async fn units(asked: Asked) -> Result<UnitsUsage, ApiError> {
    let found = lingbao_core::service::usage::units(&crate::ssr::cx()?).await?;
    Ok(UnitsUsage {
        units: ssr::sorted(&asked, found.units),
        head: found.head,
    })
}

/// The page.
#[component]
pub fn Units() -> impl IntoView {
    let asked = asked::now(Asked::read);
    let version = live::version("usage");
    let list = Resource::new(
        move || (asked.get(), version.get()),
        |(asked, _)| units(asked),
    );
    list_of(asked, list, |found, asked| {
        view! { <List found asked/> }.into_any()
    })
}

#[component]
fn List(found: UnitsUsage, asked: Asked) -> impl IntoView {
    let UnitsUsage { head, units } = found;
    let total = Total::Exact(i64::try_from(units.len()).unwrap_or(0));
    let empty = units.is_empty();
    let file = asked.link(CSV, "");
    let acts = (!empty).then(|| {
        view! { <LinkButton href=file icon="down" external=true>{t!("resources.csv")}</LinkButton> }.into_any()
    });
    let measured = nothing(&head).is_none();
    // The allocation rate is known whether anything is measured or not.
    let without = (!head.configured).then(|| view! { <Banner>{t!("usage.off_note")}</Banner> });
    let active = asked.active();
    let value = asked.q.clone();
    let sort = asked.sort.clone();
    let body = if empty {
        let title = if active {
            t!("usage.no_unit_found")
        } else {
            t!("resources.none")
        };
        view! { <Empty icon="org" title=title/> }.into_any()
    } else {
        view! { <Rows units asked measured/> }.into_any()
    };
    view! {
        <PageHead title=t!("usage.title") fact=fact(&head) nostrip:acts=acts/>
        {tabs(true)}
        {trouble(&head)}
        {without}
        <TableBox>
            <FilterBar action=routes::USAGE_UNITS active=active>
                <Find label=t!("usage.find_unit") value=value/>
                {(!sort.is_empty()).then(|| view! { <input type="hidden" name="sort" value=sort/> })}
            </FilterBar>
            {body}
            <Pager total/>
        </TableBox>
        {definitions()}
    }
}

#[component]
fn Rows(units: Vec<UnitUsage>, asked: Asked, measured: bool) -> impl IntoView {
    let query = asked.query();
    let now = if asked.sort.is_empty() {
        "-hosts"
    } else {
        asked.sort.as_str()
    };
    let sorted = |text: &'static str, key: &str| {
        col(text)
            .class("num")
            .sorted(key, now, routes::USAGE_UNITS, &query)
    };
    let columns = vec![
        col(t!("resources.unit")),
        sorted(t!("usage.hosts"), "hosts"),
        col(t!("usage.cores")).class("num"),
        sorted(t!("usage.allocation"), "rate"),
        sorted(t!("usage.cpu_rate"), "cpu"),
        sorted(t!("usage.memory_rate_head"), "memory"),
        sorted(t!("usage.idle_stake"), "idle"),
    ];
    view! {
        <Table caption=t!("usage.units") columns tight=true>
            {units.into_iter().map(|unit| row(unit, measured)).collect_view()}
        </Table>
    }
}

fn row(unit: UnitUsage, measured: bool) -> impl IntoView {
    let counts = unit.counts;
    let href = routes::with_query(routes::USAGE, &[("unit", unit.unit.as_str())]);
    let (cores, rate) = match unit.allocation {
        Some(all) => (
            format!(
                "{} / {}",
                grouped_signed(all.cores),
                grouped_signed(all.cores_limit)
            ),
            share(all.cores, all.cores_limit),
        ),
        None => ("—".to_owned(), "—".to_owned()),
    };
    // Nothing measures: no number, and no zero either.
    let of = move |text: String| if measured { text } else { "—".to_owned() };
    let idle = if counts.idle > 0 {
        t!(
            "usage.idle_of",
            n = counts.idle,
            month = counts.idle_month.yuan()
        )
    } else if counts.measured > 0 {
        t!("usage.idle_none").to_owned()
    } else {
        t!("usage.no_data").to_owned()
    };
    let sub = measured.then(|| {
        t!(
            "usage.measured",
            n = grouped_signed(counts.measured),
            all = grouped_signed(counts.hosts)
        )
    });
    view! {
        <Row>
            <RowHead name=unit.name href=href sub=sub.unwrap_or_default()/>
            <Cell l=t!("usage.hosts") class="num">{grouped_signed(counts.hosts)}</Cell>
            <Cell l=t!("usage.cores") class="num">{cores}</Cell>
            <Cell l=t!("usage.allocation") class="num">{rate}</Cell>
            <Cell l=t!("usage.cpu_rate") class="num">{of(known(counts.cpu()))}</Cell>
            <Cell l=t!("usage.memory_rate_head") class="num">{of(known(counts.memory()))}</Cell>
            <Cell l=t!("usage.idle_stake") class="num">{of(idle)}</Cell>
        </Row>
    }
}

/// The server's side of the list.
pub mod ssr {
    use super::Asked;
    use crate::{csv, form::ssr::Pages, i18n::Lang};
    use axum::{
        extract::{Query, Request, State},
        response::Response,
    };
    use lingbao_core::service::usage;
    use lingbao_model::view::{overview::permille, usage::UnitUsage};

    /// The units that are asked for, in the order that is asked for. They are few: a city has hundreds.
    pub fn sorted(asked: &Asked, mut units: Vec<UnitUsage>) -> Vec<UnitUsage> {
        let wanted = asked.q.trim().to_lowercase();
        units.retain(|unit| unit.name.to_lowercase().contains(&wanted));
        let (key, down) = match asked.sort.strip_prefix('-') {
            Some(key) => (key, true),
            None => (asked.sort.as_str(), false),
        };
        let number = |unit: &UnitUsage| match key {
            "rate" => unit
                .allocation
                .filter(|all| all.cores_limit > 0)
                .map(|all| permille(all.cores, all.cores_limit)),
            "cpu" => unit.counts.cpu(),
            "memory" => unit.counts.memory(),
            "idle" => (unit.counts.measured > 0).then(|| unit.counts.idle_month.fen()),
            _ => Some(unit.counts.hosts),
        };
        // Without a word about it the largest come first; what is not known comes last either way.
        let down = down || key.is_empty();
        units.sort_by_key(|unit| {
            let n = number(unit);
            (n.is_none(), n.map(|n| if down { -n } else { n }))
        });
        units
    }

    /// The list as a file.
    pub async fn csv(
        State(pages): State<Pages>,
        Query(asked): Query<Asked>,
        request: Request,
    ) -> Response {
        let name = "usage-units.csv";
        let all = |cx, asked, _| async move {
            let found = usage::units(&cx).await?;
            Ok((sorted(&asked, found.units), None))
        };
        let file = csv::File { name, head, line };
        file.answer(&pages, request, || Ok(asked), all).await
    }

    fn head(lang: Lang) -> String {
        let keys = [
            "resources.unit",
            "usage.hosts",
            "usage.measured_head",
            "usage.cores_used",
            "usage.cores_limit",
            "usage.memory_used",
            "usage.memory_limit",
            "usage.cpu_rate",
            "usage.memory_rate_head",
            "usage.idle_head",
            "usage.idle_month",
            "usage.busy_head",
        ];
        csv::heads(lang, keys)
    }

    /// Numbers for computing; empty where nothing is known.
    fn line(_: Lang, unit: &UnitUsage) -> String {
        let counts = unit.counts;
        let percent = |n: i64| format!("{}.{}", n / 10, n % 10);
        let measured = |text: String| {
            if counts.measured > 0 {
                text
            } else {
                String::new()
            }
        };
        let [cores, cores_limit, memory, memory_limit] =
            unit.allocation.map_or_else(Default::default, |all| {
                [all.cores, all.cores_limit, all.memory_gb, all.memory_limit].map(|n| n.to_string())
            });
        csv::line([
            unit.name.clone(),
            counts.hosts.to_string(),
            counts.measured.to_string(),
            cores,
            cores_limit,
            memory,
            memory_limit,
            counts.cpu().map(percent).unwrap_or_default(),
            counts.memory().map(percent).unwrap_or_default(),
            measured(counts.idle.to_string()),
            measured(csv::amount(counts.idle_month)),
            measured(counts.busy.to_string()),
        ])
    }
}
