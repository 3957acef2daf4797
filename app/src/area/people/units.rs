//! The tree of units from its top, and a search through it. A tree of hundreds of units is walked
//! level by level: each unit's page lists what stands below it.

use crate::{asked, error::ApiError, i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::{page::Page, people::UnitNode};

asked!(q, after);

/// One page of the topmost units that the reader sees, or of what a search finds.
///
/// # Errors
/// `Forbidden` for whoever administers nothing.
#[server(name = GetUnits, prefix = "/fn", endpoint = "people/units", output = crate::json::Json)]
pub async fn units(asked: Asked) -> Result<Page<UnitNode>, ApiError> {
    let query = lingbao_model::view::people::UnitQuery {
        text: asked.q,
        after: Some(asked.after).filter(|after| !after.is_empty()),
        ..Default::default()
    };
    Ok(lingbao_core::service::unit::list(&crate::ssr::cx()?, &query).await?)
}

/// The page.
#[component]
pub fn Units() -> impl IntoView {
    let asked = asked::now(Asked::read);
    let list = Resource::new(move || asked.get(), units);
    view! {
        <PageHead title=t!("people.units") fact=t!("people.units_fact")/>
        {list_of(asked, list, |page, asked| view! { <List page asked/> }.into_any())}
    }
}

#[component]
fn List(page: Page<UnitNode>, asked: Asked) -> impl IntoView {
    let active = asked.active();
    let first = (!asked.after.is_empty()).then(|| asked.link(routes::ADMIN_UNITS, ""));
    let next = page
        .next
        .as_deref()
        .map(|after| asked.link(routes::ADMIN_UNITS, after));
    let empty = page.rows.is_empty();
    view! {
        <TableBox>
            <FilterBar action=routes::ADMIN_UNITS active=active>
                <Find label=t!("people.find_unit") placeholder=t!("people.find_hint") value=asked.q/>
            </FilterBar>
            {if empty {
                view! { <Empty icon="org" title=t!("people.no_unit_found")/> }.into_any()
            } else {
                view! { <UnitTable units=page.rows/> }.into_any()
            }}
            <Pager total=page.total nostrip:first=first nostrip:next=next/>
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
