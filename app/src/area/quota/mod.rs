//! Quotas of a unit: limits, what is booked, what was handed on, the ledger.

mod file;
mod hand;
mod limits;

use crate::form::ssr::{Pages, page_post};
use crate::{error::ApiError, facts, i18n, pages::page, routes, t, ui::*};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, hooks::use_query_map, path};
use lingbao_model::{
    id::{PoolId, UnitId},
    quota::{Dimension, Standing},
    time::Zone,
    view::quota::{ChildQuota, LedgerRow, QuotaRow, QuotaView},
};

/// Path of the numbers as a file.
pub const CSV: &str = "/quota.csv";

/// Where the page is.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![page(path!("/quota"), Quota)]
}

/// What the page posts to itself, and its numbers as a file.
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route(routes::QUOTA, page_post(ssr::act))
        .route(CSV, axum::routing::get(file::csv))
}

/// The quota of a unit, of the person's own one for an empty text; and the units among which the
/// reader may choose, by name.
///
/// # Errors
/// `NotFound`, `Forbidden`.
#[server(name = GetQuota, prefix = "/fn", endpoint = "quota/view", output = crate::json::Json)]
pub async fn quota_of(
    unit: String,
    find: String,
) -> Result<(QuotaView, Vec<(UnitId, String)>), ApiError> {
    use lingbao_core::service::{notice, quota};
    let cx = crate::ssr::cx()?;
    let shown = quota::view(&cx, ssr::unit(&unit)?).await?;
    notice::seen(&cx, &of_unit(shown.unit.as_str())).await;
    let query = lingbao_model::view::people::UnitQuery {
        text: find,
        limit: i64::try_from(MANY + 1).unwrap_or_default(),
        ..Default::default()
    };
    Ok((shown, quota::readable(&cx, &query).await?.rows))
}

#[component]
fn Quota() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        query.with(|query| {
            let of = |name: &str| query.get(name).unwrap_or_default();
            (of("unit"), of("q"), of("set"))
        })
    });
    let shown = Resource::new(move || asked.get(), |(unit, find, _)| quota_of(unit, find));
    list_of(asked, shown, |(shown, units), (_, find, set)| {
        if set == limits::SET && shown.site.as_ref() == Some(&shown.unit) {
            return view! { <limits::Limits shown/> }.into_any();
        }
        view! { <Body shown units find/> }.into_any()
    })
}

/// The page of one unit.
fn of_unit(unit: &str) -> String {
    routes::with_query(routes::QUOTA, &[("unit", unit)])
}

/// From so many units on a list to choose from is searched first.
const MANY: usize = 100;

/// The choice of a unit, for whoever sees several.
fn choose(unit: &UnitId, name: &str, units: Vec<(UnitId, String)>, find: String) -> AnyView {
    let searched = !find.is_empty();
    if units.len() < 2 && !searched {
        return ().into_any();
    }
    let search = (searched || units.len() > MANY)
        .then(|| view! { <Find label=t!("quota.find_unit") value=find/> });
    let mut options: Vec<Opt> = units
        .into_iter()
        .take(MANY)
        .map(|(id, name)| (id.to_string(), name))
        .collect();
    let unit = unit.to_string();
    // What is shown can always be left standing, wherever a search or the end of the list fell.
    if options.iter().all(|(id, _)| *id != unit) {
        options.insert(0, (unit.clone(), name.to_owned()));
    }
    view! {
        <FilterBar action=routes::QUOTA active=searched>
            {search}
            <FilterSelect name="unit" label=t!("quota.unit") options value=unit/>
        </FilterBar>
    }
    .into_any()
}

#[component]
fn Body(shown: QuotaView, units: Vec<(UnitId, String)>, find: String) -> impl IntoView {
    let QuotaView {
        unit,
        unit_name,
        rows,
        children,
        entries,
        may_hand,
        site,
        ..
    } = shown;
    let choice = choose(&unit, &unit_name, units, find);
    let file = routes::with_query(CSV, &[("unit", unit.as_str())]);
    let file = (!rows.is_empty() || !children.is_empty()).then(|| {
        view! { <LinkButton href=file icon="down" external=true>{t!("resources.csv")}</LinkButton> }
    });
    // More is asked for with the request that needs it: its cart opens with the question ticked.
    let ask = crate::viewer::use_viewer()
        .filter(|viewer| viewer.can("order"))
        .map(|_| {
            let href = routes::with_query(routes::CART, &[("quota", "1")]);
            view! { <LinkButton href icon="plus">{t!("quota.ask_more")}</LinkButton> }
        });
    let set = site.as_ref().map(|site| {
        let href = limits::link(site.as_str());
        view! { <LinkButton href>{t!("quota.set_limits")}</LinkButton> }
    });
    let acts = view! {
        {file}
        {ask}
        {set}
    };
    // A dimension without a limit shows only when something is booked on it.
    let rows: Vec<QuotaRow> = rows
        .into_iter()
        .filter(|row| counts(row.standing))
        .collect();
    let mut pools: Vec<(PoolId, String)> = Vec::new();
    for row in &rows {
        if pools.iter().all(|(id, _)| *id != row.pool) {
            pools.push((row.pool.clone(), i18n::label(&row.pool_name)));
        }
    }
    let limits = if rows.is_empty() {
        // Where nothing is, nothing can be handed on or ordered: the first step is whoever sets it.
        let (title, note, href, act) = match &site {
            Some(site) if *site == unit => (
                t!("quota.none_site"),
                t!("quota.none_site_note"),
                limits::link(site.as_str()),
                t!("quota.set_limits"),
            ),
            _ => (
                t!("quota.none"),
                t!("quota.none_note"),
                routes::CATALOGUE.to_owned(),
                t!("quota.order"),
            ),
        };
        let act = view! { <LinkButton href kind=Kind::Main>{act}</LinkButton> };
        view! {
            <section class="panel">
                <Empty title note act=act.into_any()/>
            </section>
        }
        .into_any()
    } else {
        let panels = pools
            .iter()
            .map(|(id, name)| {
                let rows: Vec<_> = rows.iter().filter(|row| row.pool == *id).cloned().collect();
                view! { <PoolPanel name=name.clone() rows/> }
            })
            .collect_view();
        view! { <div class="keyline keyline-in"><QuotaKey/></div> {panels} }.into_any()
    };
    let form = (may_hand && !children.is_empty() && !rows.is_empty()).then(|| {
        let units = children
            .iter()
            .map(|child| (child.unit.to_string(), child.name.clone()))
            .collect();
        let pools = pools
            .iter()
            .map(|(id, name)| (id.to_string(), name.clone()))
            .collect();
        view! { <hand::HandForm unit=unit.to_string() units pools/> }
    });
    let below = (!children.is_empty()).then(|| {
        view! {
            <Panel title=t!("quota.children")>
                <Below children/>
            </Panel>
        }
    });
    view! {
        <PageHead title=t!("quota.title") fact=t!("quota.fact", unit = unit_name) acts=acts.into_any()/>
        <ErrorSummary/>
        {choice}
        {limits}
        {below}
        {form}
        <Fold summary=t!("quota.ledger")>
            <Ledger entries/>
        </Fold>
    }
}

fn counts(standing: Standing) -> bool {
    standing != Standing::default()
}

fn dimension(dimension: Dimension) -> String {
    i18n::t_key(&format!("dimension.{dimension}")).into_owned()
}

fn unit_of(dimension: Dimension) -> String {
    i18n::t_key(&format!("quota.unit.{dimension}")).into_owned()
}

/// One pool, a row for each dimension.
#[component]
fn PoolPanel(name: String, rows: Vec<QuotaRow>) -> impl IntoView {
    // Widths of their own, so that the columns of all pools stand in line.
    let columns = vec![
        col(t!("quota.dimension")).class("c-14"),
        col(t!("quota.bar")),
        col(t!("quota.limit")).class("num c-10"),
        col(t!("quota.used")).class("num c-10"),
        col(t!("quota.held")).class("num c-10"),
        col(t!("quota.handed")).class("num c-10"),
        col(t!("quota.left")).class("num c-10"),
        col(t!("quota.state")).class("corner c-10"),
    ];
    let caption = t!("quota.table", pool = name);
    view! {
        <Panel title=name>
            <Table caption columns flat=true>
                {rows.into_iter().map(limit_row).collect_view()}
            </Table>
        </Panel>
    }
}

fn limit_row(row: QuotaRow) -> impl IntoView {
    let QuotaRow {
        dimension: d,
        standing,
        ..
    } = row;
    let scale = if d == Dimension::MonthlyFee { 100 } else { 1 };
    // What was handed on is gone from here like what is used; the columns tell them apart.
    let amounts = Amounts {
        limit: standing.limit / scale,
        used: standing.used.saturating_add(standing.handed) / scale,
        held: standing.held / scale,
        now: 0,
    };
    let name = dimension(d);
    view! {
        <Row>
            <RowHead name=name.clone() sub=unit_of(d)/>
            <Cell l=t!("quota.bar")>
                <QuotaBar label=name unit=unit_of(d) amounts/>
            </Cell>
            {numbers(d, standing)}
            <Cell l=t!("quota.state") class="corner">{state(d, standing)}</Cell>
        </Row>
    }
}

/// The five number cells that limits and units below share. Phones show what is left of how much,
/// and the rest when it is asked for.
fn numbers(d: Dimension, standing: Standing) -> impl IntoView {
    let rest = [
        (t!("quota.limit"), standing.limit),
        (t!("quota.used"), standing.used),
        (t!("quota.held"), standing.held),
        (t!("quota.handed"), standing.handed),
    ]
    .map(|(label, n)| (label, facts::amount(d, n)));
    let wide = rest
        .clone()
        .map(|(label, text)| view! { <Cell l=label class="num only-wide">{text}</Cell> });
    let folded: Vec<(Text, AnyView)> = rest
        .into_iter()
        .map(|(label, text)| (label.into(), text.into_any()))
        .collect();
    view! {
        {wide.into_iter().collect_view()}
        <Cell l=t!("quota.left") class="num">
            <b>{facts::amount(d, standing.left())}</b>
            <span class="only-phone-i">" / "{facts::measured(d, standing.limit)}</span>
        </Cell>
        <Cell l="" class="only-phone"><Fold summary=t!("quota.more")><Facts facts=folded/></Fold></Cell>
    }
}

/// Warns from 80 % on, louder from 90 %, and when nothing or less is left.
fn state(d: Dimension, standing: Standing) -> impl IntoView {
    let percent = standing.percent();
    let (look, text) = match (standing.left(), percent) {
        (left, _) if left < 0 => (
            Look::Bad,
            t!("quota.over", n = facts::amount(d, left.saturating_neg())),
        ),
        (_, 100..) => (Look::Bad, t!("quota.full").to_owned()),
        (_, 90..) => (Look::Act, t!("quota.at", percent = percent)),
        (_, 80..) => (Look::Wait, t!("quota.at", percent = percent)),
        _ => (Look::Ok, t!("quota.fine").to_owned()),
    };
    view! { <Chip look text/> }
}

/// The units below, a row for each of their dimensions.
#[component]
fn Below(children: Vec<ChildQuota>) -> impl IntoView {
    let columns = vec![
        col(t!("quota.child")),
        col(t!("quota.pool")),
        col(t!("quota.dimension")),
        col(t!("quota.limit")).class("num"),
        col(t!("quota.used")).class("num"),
        col(t!("quota.held")).class("num"),
        col(t!("quota.handed")).class("num"),
        col(t!("quota.left")).class("num"),
    ];
    view! {
        <Table caption=t!("quota.children") columns flat=true>
            {children.into_iter().map(child_rows).collect_view()}
        </Table>
    }
}

fn child_rows(child: ChildQuota) -> AnyView {
    let ChildQuota { name, rows, unit } = child;
    let href = of_unit(unit.as_str());
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|row| counts(row.standing))
        .collect();
    if rows.is_empty() {
        return view! {
            <Row>
                <RowHead name href sub=t!("quota.no_child_rows")/>
                <td role="cell" colspan="7"></td>
            </Row>
        }
        .into_any();
    }
    rows.into_iter()
        .map(|row| {
            let (name, href) = (name.clone(), href.clone());
            view! {
                <Row>
                    <RowHead name href/>
                    <Cell l=t!("quota.pool")>{i18n::label(&row.pool_name)}</Cell>
                    <Cell l=t!("quota.dimension")>
                        {dimension(row.dimension)} " " <span class="sub">{unit_of(row.dimension)}</span>
                    </Cell>
                    {numbers(row.dimension, row.standing)}
                </Row>
            }
        })
        .collect_view()
        .into_any()
}

#[component]
fn Ledger(entries: Vec<LedgerRow>) -> impl IntoView {
    if entries.is_empty() {
        return view! { <Empty title=t!("quota.no_entries")/> }.into_any();
    }
    let columns = vec![
        col(t!("quota.at_time")),
        col(t!("quota.kind")),
        col(t!("quota.pool")),
        col(t!("quota.dimension")),
        col(t!("quota.change")),
        col(t!("quota.request")),
    ];
    view! {
        <Table caption=t!("quota.ledger") columns tight=true flat=true>
            {entries.into_iter().map(entry).collect_view()}
        </Table>
    }
    .into_any()
}

fn entry(row: LedgerRow) -> impl IntoView {
    let d = row.dimension;
    let changes = [
        (t!("quota.limit"), row.limit),
        (t!("quota.handed"), row.handed),
        (t!("quota.held"), row.held),
        (t!("quota.used"), row.used),
    ]
    .into_iter()
    .filter(|(_, n)| *n != 0)
    .map(|(word, n)| {
        format!(
            "{word} {}{}",
            if n > 0 { "+" } else { "" },
            facts::amount(d, n)
        )
    })
    .collect::<Vec<_>>()
    .join(" · ");
    view! {
        <Row>
            <RowHead name=row.at.minute_text(Zone::SHANGHAI)/>
            <Cell l=t!("quota.kind")>{i18n::t_key(&format!("quota.kind.{}", row.kind)).into_owned()}</Cell>
            <Cell l=t!("quota.pool")>{i18n::label(&row.pool_name)}</Cell>
            <Cell l=t!("quota.dimension")>{dimension(d)}</Cell>
            <Cell l=t!("quota.change")>{changes}</Cell>
            <Cell l=t!("quota.request")>{row.request.unwrap_or_else(|| "—".to_owned())}</Cell>
        </Row>
    }
}

/// The posts of the page.
pub mod ssr {
    use super::{hand, limits};
    use crate::{
        form::ssr::{Done, Posted, Refused},
        ssr::id,
    };
    use lingbao_model::{
        id::UnitId,
        msg::{FieldError, Msg},
        quota::Dimension,
        text::{parse_integer, parse_yuan},
    };

    /// The unit of a URL; the person's own one for an empty text.
    ///
    /// # Errors
    /// `NotFound` for what is no unit's id.
    pub fn unit(text: &str) -> Result<Option<UnitId>, crate::error::ApiError> {
        Some(text)
            .filter(|text| !text.is_empty())
            .map(id)
            .transpose()
    }

    /// An amount as it is typed: 元 for the monthly fee, whole numbers otherwise.
    ///
    /// # Errors
    /// A message at the field.
    pub fn amount(field: &str, dimension: Dimension, typed: &str) -> Result<i64, FieldError> {
        let (read, wrong) = match dimension {
            Dimension::MonthlyFee => (parse_yuan(typed), Msg::new("quota.not_yuan")),
            _ => (parse_integer(typed), Msg::new("error.not_a_number")),
        };
        read.ok_or_else(|| FieldError::new(field, wrong))
    }

    /// Hands on, takes back, or sets the site's limits.
    ///
    /// # Errors
    /// What the service says.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        if form.value("do") == limits::SET {
            limits::ssr::set(form).await
        } else {
            hand::ssr::hand(form).await
        }
    }
}
