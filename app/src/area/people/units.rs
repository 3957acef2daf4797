//! The tree of units from its top, and a search through it. A tree of hundreds of units is walked
//! level by level: each unit's page lists what stands below it.

use crate::{error::ApiError, i18n, routes, t, ui::*};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::view::people::UnitNode;

/// The topmost units that the reader sees, or what a search finds.
///
/// # Errors
/// `Forbidden` for whoever administers nothing.
#[server(name = GetUnits, prefix = "/fn", endpoint = "people/units", output = crate::json::Json)]
pub async fn units(q: String) -> Result<Vec<UnitNode>, ApiError> {
    use lingbao_core::service::unit;
    let cx = crate::ssr::cx()?;
    Ok(if q.trim().is_empty() {
        unit::roots(&cx).await?
    } else {
        unit::search(&cx, &q).await?
    })
}

/// The page.
#[component]
pub fn Units() -> impl IntoView {
    let query = use_query_map();
    let q = Memo::new(move |_| query.with(|query| query.get("q").unwrap_or_default()));
    let list = Resource::new(move || q.get(), units);
    view! {
        <PageHead title=t!("people.units") fact=t!("people.units_fact")/>
        {list_of(q, list, |found, typed| view! { <List found typed/> }.into_any())}
    }
}

#[component]
fn List(found: Vec<UnitNode>, typed: String) -> impl IntoView {
    let active = !typed.trim().is_empty();
    view! {
        <TableBox>
            <FilterBar action=routes::ADMIN_UNITS active=active>
                <Find label=t!("people.find_unit") placeholder=t!("people.find_hint") value=typed/>
            </FilterBar>
            {if found.is_empty() {
                view! { <Empty icon="org" title=t!("people.no_unit_found")/> }.into_any()
            } else {
                view! { <UnitTable units=found/> }.into_any()
            }}
        </TableBox>
    }
}

/// Units as a table, each a link to its page.
#[component]
pub fn UnitTable(units: Vec<UnitNode>) -> impl IntoView {
    let columns = vec![
        col(t!("people.unit")),
        col(t!("people.level")),
        col(t!("people.kind")),
        col(t!("people.below")).class("num"),
        col(t!("people.accounts")).class("num"),
        col(t!("people.state")),
    ];
    view! {
        <Table caption=t!("people.units") columns flat=true>
            {units.into_iter().map(row).collect_view()}
        </Table>
    }
}

fn row(unit: UnitNode) -> impl IntoView {
    let sub = if unit.short_name != unit.name {
        unit.short_name.clone()
    } else {
        Default::default()
    };
    view! {
        <Row>
            <RowHead name=unit.name href=routes::unit(unit.id.as_str()) sub=sub/>
            <Cell l=t!("people.level")>{i18n::t_key(&format!("unit_level.{}", unit.level)).into_owned()}</Cell>
            <Cell l=t!("people.kind")>{i18n::t_key(&format!("unit_kind.{}", unit.kind)).into_owned()}</Cell>
            <Cell l=t!("people.below") class="num">{unit.children}</Cell>
            <Cell l=t!("people.accounts") class="num">{unit.users}</Cell>
            <Cell l=t!("people.state")>{state(unit.active)}</Cell>
        </Row>
    }
}

/// Whether a unit takes part.
pub fn state(active: bool) -> impl IntoView {
    let (look, text) = if active {
        (Look::Ok, t!("people.unit_open"))
    } else {
        (Look::Stop, t!("people.unit_shut"))
    };
    view! { <Chip look text/> }
}
