//! What stands in a cloud already becomes the portal's (纳管; decision 22), for operators.
//!
//! ```text
//! start(cx, cloud, only, after, limit) -> ImportStart      what is nobody's, and what it could belong to
//! things(cx, cloud, after, limit) -> Page<ForeignThing>     the former alone
//! workbook(cx, &[u8]) -> Option<String>                    the text of a sheet that is uploaded as XLSX
//! propose(cx, &[DifferenceId], &Wish) -> Vec<ImportRow>    rows of a sheet for some of it
//! preview(cx, &[ImportRow]) -> ImportPreview               what will come of a sheet; nothing is written
//! take(cx, &[ImportRow], form) -> Imported                 all of these rows or none
//! undo(cx, &ImportId) -> ()                                as long as nothing was done with its things
//! batches(cx, after, limit) -> Page<ImportBatch>, detail(cx, &ImportId) -> ImportDetail
//! ```

mod file;
mod name;
mod plan;
mod read;
mod stand;
mod take;
#[cfg(test)]
mod tests;
mod undo;

pub use file::workbook;
pub use take::take;
pub use undo::undo;

use lingbao_model::{
    catalogue::Fulfiller,
    id::{DifferenceId, ImportId, SystemId},
    msg::{FieldError, Msg},
    placement::Placement,
    time::Zone,
    view::{
        difference::ThingKind,
        import::{
            ForeignThing, ImportBatch, ImportDetail, ImportPlan, ImportPreview, ImportRow,
            ImportStart, ImportSystem, MOST_ROWS, UNDO_DAYS,
        },
        page::Page,
    },
};

use crate::{
    app::Cx,
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    service::catalogue,
    storage::{ReadTx, difference, import, item, place},
};

/// Whether things of an item are taken in: a backup plan is its host's, and work of people stands in no
/// cloud.
const fn takes_in(kind: Fulfiller) -> bool {
    matches!(
        kind,
        Fulfiller::Server | Fulfiller::Volume | Fulfiller::Address
    )
}

async fn operator(rx: &mut ReadTx, cx: &Cx) -> Result<Access, ServiceError> {
    let access = Access::load(rx, cx).await?;
    access.require(Ability::Operate)?;
    Ok(access)
}

/// What stands in the clouds and is nobody's, and what it could belong to.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators.
pub async fn start(
    cx: &Cx,
    cloud: Option<&str>,
    only: Option<&DifferenceId>,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<ImportStart, ServiceError> {
    let places = catalogue::places(cx).await?;
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    let units = import::units(&mut rx).await?;
    let systems = import::systems(&mut rx).await?;
    let named = |system: import::System| {
        let unit = units.iter().find(|unit| unit.id == system.unit);
        ImportSystem {
            id: system.id,
            name: system.name,
            unit_name: unit.map(|unit| unit.short_name.clone()).unwrap_or_default(),
        }
    };
    let rounds = difference::rounds(&mut rx).await?;
    let mut offers = item::offers(&mut rx).await?;
    offers.retain(|offer| takes_in(offer.content.fulfiller));
    Ok(ImportStart {
        things: import::list(&mut rx, cloud, only, after, limit).await?,
        clouds: rounds.into_iter().map(|round| round.backend).collect(),
        systems: systems.into_iter().map(named).collect(),
        places,
        items: offers
            .into_iter()
            .map(|offer| (offer.code, offer.content.name))
            .collect(),
    })
}

/// One page of what stands in the clouds and is nobody's.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators.
pub async fn things(
    cx: &Cx,
    cloud: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<ForeignThing>, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    Ok(import::list(&mut rx, cloud, None, after, Some(limit)).await?)
}

/// What several things have in common.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The system, and with it the unit.
    pub system: Option<SystemId>,
    /// Zone, level and pool; `None`: as the cloud says.
    pub cell: Option<Placement>,
    /// Code of the item, for things of its kind; empty: the first of the kind.
    pub item: String,
    /// Last day of the term; empty: twelve months from today.
    pub expires: String,
}

/// Rows of a sheet for some things that are nobody's, to be looked over.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators, [`ServiceError::NotFound`] for an unknown
/// system.
pub async fn propose(
    cx: &Cx,
    ids: &[DifferenceId],
    wish: &Wish,
) -> Result<Vec<ImportRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    let offers = item::offers(&mut rx).await?;
    let offer = offers.into_iter().find(|offer| offer.code == wish.item);
    let kind = offer.and_then(|offer| ThingKind::of(offer.content.fulfiller));
    let mut common = ImportRow {
        expires: wish.expires.clone(),
        ..ImportRow::default()
    };
    if let Some(id) = &wish.system {
        let systems = import::systems(&mut rx).await?;
        let system = systems.into_iter().find(|s| s.id == *id).or_not_found()?;
        let units = import::units(&mut rx).await?;
        let unit = units.into_iter().find(|u| u.id == system.unit);
        (common.unit, common.system) = (unit.or_not_found()?.name, system.name);
    }
    if let Some(cell) = &wish.cell {
        let (zones, pools) = (place::zones(&mut rx).await?, place::pools(&mut rx).await?);
        let zone = zones.into_iter().find(|z| z.id == cell.zone);
        let pool = pools.into_iter().find(|p| p.id == cell.pool);
        common.zone = zone.map(|z| z.name.zh).unwrap_or_default();
        common.pool = pool.map(|p| p.name.zh).unwrap_or_default();
        common.level = cell.level.to_string();
    }
    let chosen = import::chosen(&mut rx, ids).await?;
    Ok(chosen
        .into_iter()
        .map(|thing| {
            // What hangs on a host goes where that is.
            let common = match thing.host {
                Some(_) => ImportRow {
                    expires: common.expires.clone(),
                    ..ImportRow::default()
                },
                None => common.clone(),
            };
            let item = Some(&wish.item).filter(|_| kind == Some(thing.row.thing));
            ImportRow {
                name: proposed_name(&thing.row),
                item: item.cloned().unwrap_or_default(),
                cloud: thing.row.backend,
                external_id: thing.row.external_id,
                ..common
            }
        })
        .collect())
}

/// A name that a thing can have, as near to its name in the cloud as can be.
fn proposed_name(row: &ForeignThing) -> String {
    if row.thing == ThingKind::Server {
        return host_name(&row.name);
    }
    let plain = row.name.trim().replace(char::is_control, " ");
    let name = if plain.is_empty() {
        &row.external_id
    } else {
        &plain
    };
    name.chars().take(read::LONGEST_NAME).collect()
}

/// A name that a host can have, as near to its name in the cloud as can be.
fn host_name(cloud: &str) -> String {
    let plain: String = lingbao_model::text::half_width(cloud.trim())
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let mut name = String::with_capacity(plain.len());
    for part in plain.split('-').filter(|part| !part.is_empty()) {
        if !name.is_empty() {
            name.push('-');
        }
        name.push_str(part);
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name.insert_str(0, "host-");
    }
    name.truncate(40);
    name.trim_end_matches('-').to_owned()
}

/// What will come of a sheet; nothing is written, and no cloud is asked.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators, [`ServiceError::Invalid`] for too many rows.
pub async fn preview(cx: &Cx, rows: &[ImportRow]) -> Result<ImportPreview, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    at_most(rows.len(), MOST_ROWS)?;
    let mut ground = plan::load(&mut rx, cx, rows).await?;
    let outcomes = ground.plan(cx, rows);
    let quotas = ground.quotas(&outcomes);
    let (mut good, mut month) = (0, lingbao_model::money::Money::ZERO);
    let mut lines = Vec::with_capacity(rows.len());
    for (row, outcome) in rows.iter().zip(outcomes) {
        let plan: Option<ImportPlan> = outcome.planned.map(|planned| planned.view);
        if let Some(plan) = plan.as_ref().filter(|_| outcome.errors.is_empty()) {
            good += 1;
            month += plan.month;
        }
        lines.push(lingbao_model::view::import::ImportLine {
            row: row.clone(),
            plan,
            errors: outcome.errors,
        });
    }
    Ok(ImportPreview {
        lines,
        good,
        month,
        quotas,
    })
}

fn at_most(rows: usize, most: usize) -> Result<(), ServiceError> {
    if rows <= most {
        return Ok(());
    }
    let max = i64::try_from(most).unwrap_or(i64::MAX);
    let msg = Msg::new("import.too_many").with("max", max);
    Err(ServiceError::Invalid(vec![FieldError::new("rows", msg)]))
}

/// One page of what was taken in, the latest first.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators.
pub async fn batches(
    cx: &Cx,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Page<ImportBatch>, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    Ok(import::batches(&mut rx, after, limit).await?)
}

/// One batch with its things, and whether it can be undone.
///
/// # Errors
/// [`ServiceError::Forbidden`], [`ServiceError::NotFound`].
pub async fn detail(cx: &Cx, id: &ImportId) -> Result<ImportDetail, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    let batch = import::get(&mut rx, id).await?.or_not_found()?;
    let things = import::things(&mut rx, id).await?;
    Ok(ImportDetail {
        blocks: undo::blocks(&mut rx, cx, &batch).await?,
        undo_until: batch.at.plus_minutes(UNDO_DAYS * 24 * 60),
        things: things.into_iter().map(|(thing, _)| thing).collect(),
        batch,
    })
}

/// Today, for the term of what is taken in.
fn today(cx: &Cx) -> lingbao_model::time::Date {
    Zone::SHANGHAI.date(cx.now())
}
