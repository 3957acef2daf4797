//! Resources and their events.

mod change;
mod term;

pub use change::{
    New, add_change, add_event, attach, begin_without_trial, detach_all, events, insert, known_as,
    mark_released, next_piece, rebuilt, reinstalled, set_states, start_billing, start_trial,
};
pub use term::{Ending, Term, apply, ending, note_reminder, stand, term, turn, turning};

use std::collections::BTreeMap;

use lingbao_model::{
    catalogue::Fulfiller,
    id::{
        ItemVersionId, PoolId, RequestId, RequestItemId, ResourceId, SystemId, UnitId, VdcId,
        ZoneId,
    },
    money::Money,
    msg::{Label, Msg},
    param::Answers,
    placement::{Level, Placement},
    quota::Amounts,
    resource::{BillingState, ServiceState},
    time::Timestamp,
    view::{
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
        resource::{Related, ResourceFilter, Sort},
    },
};

use super::{
    ReadTx,
    sql::{Cursor, Sql, cut},
};
use crate::{authz::Scope, error::StorageError, on};

/// A resource as it is stored, with the names that lists show.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Identifier.
    pub id: ResourceId,
    /// Whose.
    pub unit: UnitId,
    /// Short name of the unit.
    pub unit_name: String,
    /// Whose quota.
    pub vdc: VdcId,
    /// System.
    pub system: SystemId,
    /// Name of the system.
    pub system_name: String,
    /// The request that ordered it.
    pub request: RequestId,
    /// Its number.
    pub request_number: String,
    /// The line of that request.
    pub item: RequestItemId,
    /// The piece of that line.
    pub piece: i64,
    /// Code of the catalogue item.
    pub code: String,
    /// Name of the catalogue item.
    pub item_name: Label,
    /// Version of the catalogue item, for reading the answers.
    pub item_version: ItemVersionId,
    /// Kind of thing.
    pub kind: Fulfiller,
    /// Name.
    pub name: String,
    /// Where it runs; `None` for work of people.
    pub placement: Option<Placement>,
    /// Name of the zone.
    pub zone_name: Option<Label>,
    /// Name of the pool.
    pub pool_name: Option<Label>,
    /// Name of the backend.
    pub backend: Option<String>,
    /// The backend's name for it.
    pub external_id: Option<String>,
    /// Address.
    pub address: Option<String>,
    /// What it is attached to.
    pub attached_to: Option<ResourceId>,
    /// Answers of the order.
    pub answers: Answers,
    /// What it takes from the quota.
    pub amounts: Amounts,
    /// Month price.
    pub month: Money,
    /// What it does.
    pub service: ServiceState,
    /// What is charged.
    pub billing: BillingState,
    /// Delivered.
    pub delivered_at: Timestamp,
    /// Confirmed by the applicant.
    pub confirmed_at: Option<Timestamp>,
    /// End of the trial run.
    pub trial_until: Option<Timestamp>,
    /// Charged since.
    pub billing_from: Option<Timestamp>,
    /// End of the term.
    pub expires_at: Timestamp,
    /// Given back.
    pub released_at: Option<Timestamp>,
    /// When it is erased, while it lies in the recycle bin.
    pub erase_at: Option<Timestamp>,
    /// Version of the row.
    pub version: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    unit_id: String,
    unit_name: String,
    vdc_id: String,
    system_id: String,
    system_name: String,
    request_id: String,
    request_number: Option<String>,
    request_item_id: String,
    piece: i64,
    code: String,
    item_name: String,
    item_version_id: String,
    kind: String,
    name: String,
    sort_key: String,
    zone_id: Option<String>,
    zone_zh: Option<String>,
    zone_en: Option<String>,
    pool_id: Option<String>,
    pool_zh: Option<String>,
    pool_en: Option<String>,
    level: Option<i64>,
    backend: Option<String>,
    external_id: Option<String>,
    address: Option<String>,
    attached_to: Option<String>,
    answers: String,
    amounts: String,
    month_fen: i64,
    service_state: String,
    billing_state: String,
    delivered_at: i64,
    confirmed_at: Option<i64>,
    trial_until: Option<i64>,
    billing_from: Option<i64>,
    expires_at: i64,
    released_at: Option<i64>,
    erase_at: Option<i64>,
    version: i64,
}

const SELECT: &str = "SELECT r.id, r.unit_id, u.short_name AS unit_name, r.vdc_id, r.system_id, s.name AS system_name,
  r.request_id, q.number AS request_number, r.request_item_id, r.piece, r.code, i.item_name, r.item_version_id, r.kind,
  r.name, r.sort_key, r.zone_id, z.name_zh AS zone_zh, z.name_en AS zone_en, r.pool_id, p.name_zh AS pool_zh,
  p.name_en AS pool_en, r.level, r.backend, r.external_id, r.address, r.attached_to, r.answers, r.amounts, r.month_fen,
  r.service_state, r.billing_state, r.delivered_at, r.confirmed_at, r.trial_until, r.billing_from, r.expires_at,
  r.released_at, r.erase_at, r.version
FROM resource r JOIN unit u ON u.id = r.unit_id JOIN app_system s ON s.id = r.system_id
  JOIN request q ON q.id = r.request_id JOIN request_item i ON i.id = r.request_item_id
  LEFT JOIN zone z ON z.id = r.zone_id LEFT JOIN pool p ON p.id = r.pool_id WHERE TRUE";

impl Resource {
    /// That what it does stands against what is wanted of it.
    #[must_use]
    pub fn not_now(&self) -> Msg {
        let state = Msg::new(format!("resource.service.{}", self.service));
        Msg::new("resource.not_possible_now").with("state", state)
    }
}

impl TryFrom<Row> for Resource {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let at = row.id.clone();
        let wrong = |column: &'static str| {
            let at = at.clone();
            move |e: &dyn std::fmt::Display| {
                StorageError::inconsistent("resource", column, at.as_str(), e)
            }
        };
        let placement = match (row.zone_id, row.level, row.pool_id) {
            (Some(zone), Some(level), Some(pool)) => Some(Placement {
                zone: ZoneId::try_from(zone).map_err(|e| wrong("zone_id")(&e))?,
                level: Level::try_from(level).map_err(|e| wrong("level")(&e))?,
                pool: PoolId::try_from(pool).map_err(|e| wrong("pool_id")(&e))?,
            }),
            _ => None,
        };
        let label = |zh: Option<String>, en: Option<String>| {
            zh.map(|zh| Label {
                zh,
                en: en.unwrap_or_default(),
            })
        };
        Ok(Self {
            id: row.id.try_into().map_err(|e| wrong("id")(&e))?,
            unit: row.unit_id.try_into().map_err(|e| wrong("unit_id")(&e))?,
            unit_name: row.unit_name,
            vdc: row.vdc_id.try_into().map_err(|e| wrong("vdc_id")(&e))?,
            system: row
                .system_id
                .try_into()
                .map_err(|e| wrong("system_id")(&e))?,
            system_name: row.system_name,
            request: row
                .request_id
                .try_into()
                .map_err(|e| wrong("request_id")(&e))?,
            request_number: row.request_number.unwrap_or_default(),
            item: row
                .request_item_id
                .try_into()
                .map_err(|e| wrong("request_item_id")(&e))?,
            piece: row.piece,
            code: row.code,
            item_name: serde_json::from_str(&row.item_name).map_err(|e| wrong("item_name")(&e))?,
            item_version: row
                .item_version_id
                .parse()
                .map_err(|e| wrong("item_version_id")(&e))?,
            kind: row.kind.parse().map_err(|e| wrong("kind")(&e))?,
            name: row.name,
            placement,
            zone_name: label(row.zone_zh, row.zone_en),
            pool_name: label(row.pool_zh, row.pool_en),
            backend: row.backend,
            external_id: row.external_id,
            address: row.address,
            attached_to: row
                .attached_to
                .map(ResourceId::try_from)
                .transpose()
                .map_err(|e| wrong("attached_to")(&e))?,
            answers: serde_json::from_str(&row.answers).map_err(|e| wrong("answers")(&e))?,
            amounts: serde_json::from_str(&row.amounts).map_err(|e| wrong("amounts")(&e))?,
            month: Money::from_fen(row.month_fen),
            service: row
                .service_state
                .parse()
                .map_err(|e| wrong("service_state")(&e))?,
            billing: row
                .billing_state
                .parse()
                .map_err(|e| wrong("billing_state")(&e))?,
            delivered_at: Timestamp::from_millis(row.delivered_at),
            confirmed_at: row.confirmed_at.map(Timestamp::from_millis),
            trial_until: row.trial_until.map(Timestamp::from_millis),
            billing_from: row.billing_from.map(Timestamp::from_millis),
            expires_at: Timestamp::from_millis(row.expires_at),
            released_at: row.released_at.map(Timestamp::from_millis),
            erase_at: row.erase_at.map(Timestamp::from_millis),
            version: row.version,
        })
    }
}

/// Appends the conditions of a filter; shared by the page, its count and the export.
fn filtered(sql: Sql, scope: &Scope, filter: &ResourceFilter) -> Sql {
    let mut sql = scope.filter(sql, " AND r.unit_id");
    sql = sql
        .maybe(" AND r.kind = ", filter.kind.map(Fulfiller::as_str))
        .maybe(
            " AND r.billing_state = ",
            filter.billing.map(BillingState::as_str),
        )
        .maybe(
            " AND r.system_id = ",
            filter.system.as_ref().map(SystemId::as_str),
        )
        .maybe(
            " AND r.unit_id = ",
            filter.unit.as_ref().map(UnitId::as_str),
        );
    // What was given back is history, or lies in the bin: shown only when asked for.
    sql = match filter.state {
        Some(state) => sql.push(" AND r.service_state = ").bind(state.as_str()),
        None => sql.push(" AND r.service_state <> 'released' AND r.service_state <> 'recycled'"),
    };
    // By its end only what has one coming can be sorted; what lies in the bin is found by it.
    if filter.sort == Some(Sort::Erase) || filter.state == Some(ServiceState::Recycled) {
        sql = sql.push(" AND r.erase_at IS NOT NULL");
    }
    match filter
        .text
        .as_deref()
        .map(str::trim)
        .filter(|t| !t.is_empty())
    {
        Some(text) => super::search::matching(sql, " AND r.id", "resource", text),
        None => sql,
    }
}

/// One page of the list.
///
/// # Errors
/// What the database says.
pub async fn list(
    rx: &mut ReadTx,
    scope: &Scope,
    filter: &ResourceFilter,
) -> Result<Page<Resource>, StorageError> {
    let limit = filter.limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);
    let total = filtered(
        Sql::new("SELECT 1 FROM resource r WHERE TRUE"),
        scope,
        filter,
    )
    .capped_count(rx)
    .await?;
    let (rows, next) = slice(rx, scope, filter, limit).await?;
    Ok(Page { rows, next, total })
}

/// The rows after the filter's cursor, at most `limit`, and where the next ones begin. The export
/// walks the whole list with it.
///
/// # Errors
/// What the database says.
pub async fn slice(
    rx: &mut ReadTx,
    scope: &Scope,
    filter: &ResourceFilter,
    limit: i64,
) -> Result<(Vec<Resource>, Option<String>), StorageError> {
    let sort = filter.sort.unwrap_or(Sort::Newest);
    let mut sql = filtered(Sql::new(SELECT), scope, filter);
    let cursor = filter.cursor.as_deref().and_then(Cursor::decode);
    sql = match (sort, cursor) {
        (Sort::Newest, Some(at)) => {
            after(sql, " AND (r.delivered_at, r.id) < (", at.number(), at.id)
        }
        (Sort::Oldest, Some(at)) => {
            after(sql, " AND (r.delivered_at, r.id) > (", at.number(), at.id)
        }
        (Sort::Erase, Some(at)) => after(sql, " AND (r.erase_at, r.id) > (", at.number(), at.id),
        (Sort::Name, Some(at)) => sql
            .push(" AND (r.sort_key, r.id) > (")
            .bind(at.key)
            .push(", ")
            .bind(at.id)
            .push(")"),
        (_, None) => sql,
    };
    sql = sql.push(match sort {
        Sort::Newest => " ORDER BY r.delivered_at DESC, r.id DESC LIMIT ",
        Sort::Oldest => " ORDER BY r.delivered_at, r.id LIMIT ",
        Sort::Name => " ORDER BY r.sort_key, r.id LIMIT ",
        Sort::Erase => " ORDER BY r.erase_at, r.id LIMIT ",
    });
    let rows: Vec<Row> = sql.bind(limit + 1).all(rx).await?;
    let (rows, next) = cut(rows, limit, |r| match sort {
        Sort::Name => (r.sort_key.clone(), r.id.clone()),
        Sort::Erase => (
            r.erase_at.map(|at| at.to_string()).unwrap_or_default(),
            r.id.clone(),
        ),
        Sort::Newest | Sort::Oldest => (r.delivered_at.to_string(), r.id.clone()),
    });
    Ok((
        rows.into_iter()
            .map(Resource::try_from)
            .collect::<Result<_, _>>()?,
        next,
    ))
}

fn after(sql: Sql, piece: &'static str, key: Option<i64>, id: String) -> Sql {
    sql.push(piece).bind(key).push(", ").bind(id).push(")")
}

/// One resource within a scope.
///
/// # Errors
/// What the database says.
pub async fn get(
    rx: &mut ReadTx,
    scope: &Scope,
    id: &ResourceId,
) -> Result<Option<Resource>, StorageError> {
    let row: Option<Row> = scope
        .filter(
            Sql::new(SELECT).push(" AND r.id = ").bind(id.as_str()),
            " AND r.unit_id",
        )
        .optional(rx)
        .await?;
    row.map(Resource::try_from).transpose()
}

/// Those of these resources that stand within a scope, by id: one question for all of them.
///
/// # Errors
/// What the database says.
pub async fn of_ids(
    rx: &mut ReadTx,
    scope: &Scope,
    ids: &[ResourceId],
) -> Result<BTreeMap<ResourceId, Resource>, StorageError> {
    let sql = Sql::new(SELECT)
        .push(" AND r.id IN ")
        .bind_list(ids.iter().map(ResourceId::as_str));
    let rows: Vec<Row> = scope.filter(sql, " AND r.unit_id").all(rx).await?;
    rows.into_iter()
        .map(|row| Resource::try_from(row).map(|one| (one.id.clone(), one)))
        .collect()
}

/// The resources that one request ordered, in the order of its lines.
///
/// # Errors
/// What the database says.
pub async fn of_request(
    rx: &mut ReadTx,
    scope: &Scope,
    request: &RequestId,
) -> Result<Vec<Resource>, StorageError> {
    let sql = Sql::new(SELECT)
        .push(" AND r.from_snapshot IS NULL AND r.from_backup IS NULL AND r.request_id = ")
        .bind(request.as_str());
    let rows: Vec<Row> = scope
        .filter(sql, " AND r.unit_id")
        .push(" ORDER BY i.position, r.piece, r.id")
        .all(rx)
        .await?;
    rows.into_iter().map(Resource::try_from).collect()
}

/// Hosts to which a thing could be attached: of the same data centre, in the same cell, standing and
/// with nothing under way. By name, at most 200.
///
/// # Errors
/// What the database says.
pub async fn hosts_for(
    rx: &mut ReadTx,
    scope: &Scope,
    thing: &Resource,
) -> Result<Vec<Related>, StorageError> {
    let (Some(place), Some(backend)) = (&thing.placement, &thing.backend) else {
        return Ok(Vec::new());
    };
    let sql = Sql::new(
        "SELECT r.id, r.name, r.kind FROM resource r WHERE r.kind = 'server' AND r.external_id IS NOT NULL
           AND r.service_state IN ('running', 'stopped')
           AND NOT EXISTS (SELECT 1 FROM resource_action a WHERE a.resource_id = r.id) AND r.vdc_id = ",
    )
    .bind(thing.vdc.as_str())
    .push(" AND r.backend = ")
    .bind(backend.as_str())
    .push(" AND r.pool_id = ")
    .bind(place.pool.as_str())
    .push(" AND r.zone_id = ")
    .bind(place.zone.as_str())
    .push(" AND r.level = ")
    .bind(i64::from(place.level));
    let rows: Vec<(String, String, String)> = scope
        .filter(sql, " AND r.unit_id")
        .push(" ORDER BY r.sort_key, r.id LIMIT 200")
        .all(rx)
        .await?;
    rows.into_iter().map(related).collect()
}

/// What hangs on a resource and is not released.
///
/// # Errors
/// What the database says.
pub async fn attachments(rx: &mut ReadTx, id: &ResourceId) -> Result<Vec<Related>, StorageError> {
    let rows: Vec<(String, String, String)> = on!(rx, conn => sqlx::query_as(
        "SELECT id, name, kind FROM resource WHERE attached_to = $1 AND service_state <> 'released' ORDER BY sort_key, id")
        .bind(id.as_str()).fetch_all(conn).await)?;
    rows.into_iter().map(related).collect()
}

/// Name and kind of a resource, for a link.
///
/// # Errors
/// What the database says.
pub async fn related_to(rx: &mut ReadTx, id: &ResourceId) -> Result<Option<Related>, StorageError> {
    let row: Option<(String, String, String)> = on!(rx, conn => sqlx::query_as(
        "SELECT id, name, kind FROM resource WHERE id = $1").bind(id.as_str()).fetch_optional(conn).await)?;
    row.map(related).transpose()
}

/// What the things that a request ordered hang on, by id.
///
/// # Errors
/// What the database says.
pub async fn targets_of(
    rx: &mut ReadTx,
    request: &RequestId,
) -> Result<BTreeMap<ResourceId, Related>, StorageError> {
    let rows: Vec<(String, String, String)> = Sql::new(
        "SELECT DISTINCT t.id, t.name, t.kind FROM resource r JOIN resource t ON t.id = r.attached_to
         WHERE r.request_id = ",
    )
    .bind(request.as_str())
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|row| related(row).map(|one| (one.id.clone(), one)))
        .collect()
}

/// The backend's name of a resource.
///
/// # Errors
/// What the database says.
pub async fn external_id(rx: &mut ReadTx, id: &ResourceId) -> Result<Option<String>, StorageError> {
    let row: Option<(Option<String>,)> = Sql::new("SELECT external_id FROM resource WHERE id = ")
        .bind(id.as_str())
        .optional(rx)
        .await?;
    Ok(row.and_then(|(id,)| id))
}

/// What a resource does.
///
/// # Errors
/// What the database says.
pub async fn service_of(
    rx: &mut ReadTx,
    id: &ResourceId,
) -> Result<Option<ServiceState>, StorageError> {
    let row: Option<(String,)> = Sql::new("SELECT service_state FROM resource WHERE id = ")
        .bind(id.as_str())
        .optional(rx)
        .await?;
    row.map(|(state,)| {
        state
            .parse()
            .map_err(|e| StorageError::inconsistent("resource", "service_state", id.as_str(), e))
    })
    .transpose()
}

fn related((id, name, kind): (String, String, String)) -> Result<Related, StorageError> {
    let wrong = |column, e: &dyn std::fmt::Display| {
        StorageError::inconsistent("resource", column, id.as_str(), e)
    };
    Ok(Related {
        id: id.parse().map_err(|e| wrong("id", &e))?,
        kind: kind.parse().map_err(|e| wrong("kind", &e))?,
        name,
    })
}

fn ids(rows: Vec<(String,)>) -> Result<Vec<ResourceId>, StorageError> {
    rows.into_iter()
        .map(|(id,)| {
            id.parse()
                .map_err(|e| StorageError::inconsistent("resource", "id", id.as_str(), e))
        })
        .collect()
}
