//! The leader's page: few numbers, each with its definition a click away. Prints on one sheet.

use crate::{error::ApiError, facts, i18n, live, pages::page, routes, t, ui::*, viewer};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};
use lingbao_model::{
    money::grouped_signed,
    quota::PoolDimension,
    time::Zone,
    view::overview::{Overview, PoolLoad, permille},
};

/// Where the page is.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![page(path!("/overview"), OverviewPage)]
}

/// The numbers of the reader's sight.
///
/// # Errors
/// `Forbidden` for roles without an overview.
#[server(name = GetOverview, prefix = "/fn", endpoint = "overview/numbers", output = crate::json::Json)]
pub async fn numbers() -> Result<Overview, ApiError> {
    Ok(lingbao_core::service::overview::overview(&crate::ssr::cx()?).await?)
}

/// The page.
#[component]
fn OverviewPage() -> impl IntoView {
    let version = live::version("requests");
    let found = Resource::new(move || version.get(), |_| numbers());
    page_of(found, |found| view! { <Numbers found/> }.into_any())
}

/// Tenths of a percent as they are printed.
fn percent(permille: i64) -> String {
    format!("{}.{}%", permille / 10, permille % 10)
}

/// One number of a row under a group.
fn fact(name: &'static str, value: impl Into<String>, unit: &'static str) -> impl IntoView {
    view! {
        <div>
            <dt>{name}</dt>
            <dd>{value.into()}<span class="unit">{unit}</span></dd>
        </div>
    }
}

#[component]
fn Numbers(found: Overview) -> impl IntoView {
    let at = found.counted_at.minute_text(Zone::SHANGHAI);
    view! {
        <PageHead title=t!("nav.overview") fact=t!("overview.fact", at = at)/>
        {todo()}
        <div class="groups">
            <div class="gap-6">{scale(&found)}{cost(&found)}</div>
            <div class="gap-6">{use_of_pools(&found)}{handling(&found)}</div>
        </div>
    }
}

/// What waits for the reader's own decision.
fn todo() -> Option<AnyView> {
    let waiting = viewer::use_viewer()?.todo;
    (waiting > 0).then(|| {
        let acts = view! { <a href=routes::TODO>{t!("overview.decide")}</a> }.into_any();
        view! { <Banner tone=Tone::Warn acts>{t!("overview.waiting", n = waiting)}</Banner> }
            .into_any()
    })
}

/// The units by level. Those below the counties are named where there are any, so that the parts
/// come to the number above them.
fn units_of(found: &Overview) -> String {
    let (city, county) = (found.city_units, found.county_units);
    match found.units - city - county {
        0 => t!("overview.units_of", city = city, county = county),
        below => t!(
            "overview.units_of_all",
            city = city,
            county = county,
            below = below
        ),
    }
}

fn scale(found: &Overview) -> impl IntoView + use<> {
    let axis: Vec<String> = found
        .months
        .iter()
        .map(|month| month.month.clone())
        .collect();
    let line = |name: &str, values: Vec<i64>| Line {
        name: name.to_owned(),
        texts: values.iter().map(|n| grouped_signed(*n)).collect(),
        values,
    };
    let lines = vec![
        line(
            t!("overview.delivered"),
            found.months.iter().map(|month| month.delivered).collect(),
        ),
        line(
            t!("overview.submitted"),
            found.months.iter().map(|month| month.requests).collect(),
        ),
    ];
    view! {
        <section class="group" aria-labelledby="g1">
            <header>
                <h2 id="g1">{t!("overview.scale")}</h2>
                <Definition
                    of=t!("overview.units")
                    formula=t!("overview.units_formula")
                    source=t!("overview.units_source")
                    right=true
                />
            </header>
            <p class="big">{grouped_signed(found.units)}<span class="unit">{t!("overview.units_unit")}</span></p>
            <p class="claim">
                {units_of(found)}
            </p>
            <Plot label=t!("overview.trend") axis lines/>
            <dl class="facts">
                {fact(t!("overview.systems"), grouped_signed(found.systems), t!("overview.pieces"))}
                {fact(t!("overview.testing"), grouped_signed(found.testing_systems), t!("overview.pieces"))}
                {fact(t!("overview.resources"), grouped_signed(found.resources), t!("overview.items"))}
            </dl>
        </section>
    }
}

fn cost(found: &Overview) -> impl IntoView + use<> {
    let bars = found
        .top
        .iter()
        .map(|unit| Bar {
            name: unit.name.clone(),
            value: unit.hosts,
            text: t!(
                "overview.top_text",
                hosts = grouped_signed(unit.hosts),
                month = facts::large_text(unit.month)
            ),
        })
        .collect::<Vec<_>>();
    let (month, unit) = facts::large(found.month);
    let top = (!bars.is_empty()).then(|| {
        view! {
            <h3 class="h-sub">{t!("overview.top")}</h3>
            <Bars bars/>
        }
    });
    view! {
        <section class="group" aria-labelledby="g2">
            <header>
                <h2 id="g2">{t!("overview.cost")}</h2>
                <Definition
                    of=t!("overview.month")
                    formula=t!("overview.month_formula")
                    source=t!("overview.month_source")
                    right=true
                />
            </header>
            <p class="big">{month}<span class="unit">{t!("overview.a_month", unit = unit)}</span></p>
            <p class="claim">{t!("overview.month_claim", year = facts::large_text(found.month.year()))}</p>
            {top}
            <dl class="facts">
                {fact(t!("overview.hosts"), grouped_signed(found.hosts), t!("overview.hosts_unit"))}
            </dl>
        </section>
    }
}

fn use_of_pools(found: &Overview) -> impl IntoView + use<> {
    // Pool by pool, its dimensions in the order that all pages have.
    let mut all: Vec<_> = found.pools.iter().collect();
    let place = |pool: &PoolLoad| {
        (
            found.pools.iter().position(|one| one.pool == pool.pool),
            PoolDimension::ALL
                .iter()
                .position(|one| *one == pool.dimension),
        )
    };
    all.sort_by_key(|pool| place(pool));
    let rows = all
        .iter()
        .map(|pool| {
            let dimension = i18n::t_key(&format!("dimension.{}", pool.dimension));
            let name = format!("{} · {dimension}", facts::label(&pool.name));
            let width = format!(
                "{}.{}%",
                pool.permille().min(1000) / 10,
                pool.permille().min(1000) % 10
            );
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td>
                        <svg aria-hidden="true">
                            <rect class="b-rest" width="100%" height="100%" rx="2"></rect>
                            <rect class="b-1" width=width height="100%" rx="2"></rect>
                        </svg>
                    </td>
                    <td>{percent(pool.permille())}</td>
                </tr>
            }
        })
        .collect_view();
    let numbers = all.into_iter().map(pool_line).collect_view();
    let any = !found.pools.is_empty();
    let pools = if any {
        view! {
            <h3 class="h-sub h-first">{t!("overview.pools")}</h3>
            <table class="bars"><tbody>{rows}</tbody></table>
            <Fold summary=t!("ui.numbers")>
                <table class="lines">
                    <thead>
                        <tr>
                            <th scope="col">{t!("resources.pool")}</th>
                            <th scope="col">{t!("overview.allocated")}</th>
                            <th scope="col">{t!("overview.held")}</th>
                            <th scope="col">{t!("overview.capacity")}</th>
                            <th scope="col">{t!("overview.read_at")}</th>
                        </tr>
                    </thead>
                    <tbody>{numbers}</tbody>
                </table>
            </Fold>
        }
        .into_any()
    } else {
        view! { <p class="hint">{t!("overview.no_pools")}</p> }.into_any()
    };
    let rate = if found.total_cores > 0 {
        percent(found.allocation_permille())
    } else {
        "—".to_owned()
    };
    view! {
        <section class="group" aria-labelledby="g3">
            <header>
                <h2 id="g3">{t!("overview.use")}</h2>
                <Definition
                    of=t!("overview.rate")
                    formula=t!("overview.rate_formula")
                    source=t!("overview.rate_source")
                />
            </header>
            <p class="big">{rate}<span class="unit">{t!("overview.rate")}</span></p>
            <p class="claim">
                {t!(
                    "overview.rate_claim",
                    allocated = grouped_signed(found.allocated_cores),
                    total = grouped_signed(found.total_cores),
                )}
            </p>
            {pools}
        </section>
    }
}

fn pool_line(pool: &PoolLoad) -> impl IntoView + use<> {
    let dimension = i18n::t_key(&format!("dimension.{}", pool.dimension));
    view! {
        <tr>
            <th scope="row">{facts::label(&pool.name)} " · " {dimension}</th>
            <td>{grouped_signed(pool.allocated)}</td>
            <td>{grouped_signed(pool.held)}</td>
            <td>{grouped_signed(pool.total)}</td>
            <td>{pool.read_at.minute_text(Zone::SHANGHAI)}</td>
        </tr>
    }
}

/// A mean time in the unit in which it can be read: never "0 minutes".
fn span(seconds: i64) -> (String, &'static str) {
    let half_up = |unit: i64| grouped_signed((seconds + unit / 2) / unit);
    match seconds {
        ..1 => (t!("overview.instant").to_owned(), ""),
        1..120 => (half_up(1), t!("overview.seconds")),
        120..7200 => (half_up(60), t!("overview.minutes")),
        _ => (half_up(3600), t!("overview.hours")),
    }
}

fn handling(found: &Overview) -> impl IntoView + use<> {
    let automatic = if found.settled > 0 {
        percent(permille(found.automatic, found.settled))
    } else {
        "—".to_owned()
    };
    let (value, unit) = found
        .deliver_seconds
        .map_or_else(|| ("—".to_owned(), ""), span);
    let overdue = (found.overdue > 0).then(|| {
        let flag = Flag {
            icon: "warn",
            good: Some(false),
            text: t!("overview.overdue", n = found.overdue),
            note: String::new(),
        };
        view! { <Flags flags=vec![flag]/> }
    });
    view! {
        <section class="group" aria-labelledby="g4">
            <header>
                <h2 id="g4">{t!("overview.handling")}</h2>
                <Definition
                    of=t!("overview.deliver")
                    formula=t!("overview.deliver_formula")
                    source=t!("overview.deliver_source")
                    right=true
                />
            </header>
            <p class="big">{value}<span class="unit">{unit}</span></p>
            <p class="claim">{t!("overview.deliver")}</p>
            {overdue}
            <dl class="facts">
                {fact(t!("overview.in_approval"), grouped_signed(found.in_approval), t!("overview.requests_unit"))}
                {fact(t!("overview.settled"), grouped_signed(found.settled), t!("overview.requests_unit"))}
                {fact(t!("overview.automatic"), automatic, "")}
            </dl>
        </section>
    }
}
