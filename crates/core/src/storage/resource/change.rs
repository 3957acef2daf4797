//! What happens to a resource: it is made, its states move, its events are written and read.

use lingbao_model::{
    catalogue::Fulfiller,
    change::{Change, CopyId},
    id::*,
    money::Money,
    param::Answers,
    placement::Placement,
    quota::Amounts,
    resource::{BillingState, EventKind, ServiceState},
    time::Timestamp,
    view::resource::ResourceEventRow,
};

use super::{Resource, ids};
use crate::{
    error::StorageError,
    on,
    storage::{ReadTx, Tx, search},
};

/// A resource that has just been built.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Identifier, chosen before the backend was called.
    pub id: &'a ResourceId,
    /// Whose.
    pub unit: &'a UnitId,
    /// Whose quota.
    pub vdc: &'a VdcId,
    /// System.
    pub system: &'a SystemId,
    /// The request that ordered it.
    pub request: &'a RequestId,
    /// The line.
    pub item: &'a RequestItemId,
    /// The piece.
    pub piece: i64,
    /// Code of the catalogue item.
    pub code: &'a str,
    /// Version of the catalogue item.
    pub item_version: &'a str,
    /// Kind of thing.
    pub kind: Fulfiller,
    /// Name.
    pub name: &'a str,
    /// Where it runs.
    pub placement: Option<&'a Placement>,
    /// Name of the backend.
    pub backend: Option<&'a str>,
    /// The backend's name for it.
    pub external_id: Option<&'a str>,
    /// Address.
    pub address: Option<&'a str>,
    /// What it is attached to.
    pub attached_to: Option<&'a ResourceId>,
    /// Answers of the order.
    pub answers: &'a Answers,
    /// What it takes from the quota.
    pub amounts: &'a Amounts,
    /// Month price of the piece.
    pub month: Money,
    /// Price version of the order.
    pub price_version: i64,
    /// When.
    pub delivered_at: Timestamp,
    /// End of the term.
    pub expires_at: Timestamp,
}

fn json<T: serde::Serialize>(
    column: &'static str,
    row: &str,
    value: &T,
) -> Result<String, StorageError> {
    serde_json::to_string(value).map_err(|e| StorageError::inconsistent("resource", column, row, e))
}

/// Writes a resource down and says that it was delivered.
///
/// # Errors
/// What the database says; a conflict if the piece was delivered already.
pub async fn insert(
    tx: &mut Tx,
    event: &ResourceEventId,
    new: &New<'_>,
) -> Result<(), StorageError> {
    let answers = json("answers", new.id.as_str(), new.answers)?;
    let amounts = json("amounts", new.id.as_str(), new.amounts)?;
    let sort_key = search::sort_key(new.name);
    on!(tx, conn => sqlx::query("INSERT INTO resource (id, unit_id, vdc_id, system_id, request_id, request_item_id, piece,
         code, item_version_id, kind, name, sort_key, zone_id, pool_id, level, backend, external_id, address, attached_to,
         answers, amounts, month_fen, price_version, service_state, billing_state, delivered_at, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
         'running', 'unconfirmed', $24, $25)")
        .bind(new.id.as_str()).bind(new.unit.as_str()).bind(new.vdc.as_str()).bind(new.system.as_str())
        .bind(new.request.as_str()).bind(new.item.as_str()).bind(new.piece).bind(new.code).bind(new.item_version)
        .bind(new.kind.as_str()).bind(new.name).bind(&sort_key)
        .bind(new.placement.map(|p| p.zone.as_str())).bind(new.placement.map(|p| p.pool.as_str()))
        .bind(new.placement.map(|p| i64::from(p.level)))
        .bind(new.backend).bind(new.external_id).bind(new.address).bind(new.attached_to.map(ResourceId::as_str))
        .bind(&answers).bind(&amounts).bind(new.month.fen()).bind(new.price_version)
        .bind(new.delivered_at.millis()).bind(new.expires_at.millis())
        .execute(conn).await.map(|_| ()))?;
    let mut words = vec![new.name];
    words.extend(new.address);
    search::index(tx, "resource", new.id.as_str(), &words).await?;
    add_event(
        tx,
        event,
        new.id,
        EventKind::Delivered,
        "system",
        new.delivered_at,
    )
    .await
}

/// Appends an event.
///
/// # Errors
/// What the database says.
pub async fn add_event(
    tx: &mut Tx,
    event: &ResourceEventId,
    resource: &ResourceId,
    kind: EventKind,
    actor: &str,
    at: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO resource_event (id, resource_id, at, kind, actor) VALUES ($1, $2, $3, $4, $5)")
        .bind(event.as_str()).bind(resource.as_str()).bind(at.millis()).bind(kind.as_str()).bind(actor)
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Appends the event of a change, with what was before and after: bills are made of it.
///
/// # Errors
/// What the database says.
pub async fn add_change(
    tx: &mut Tx,
    event: &ResourceEventId,
    resource: &ResourceId,
    kind: EventKind,
    (actor, at): (&str, Timestamp),
    change: &Change,
) -> Result<(), StorageError> {
    let detail = json("detail", resource.as_str(), change)?;
    on!(tx, conn => sqlx::query("INSERT INTO resource_event (id, resource_id, at, kind, actor, detail) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(event.as_str()).bind(resource.as_str()).bind(at.millis()).bind(kind.as_str()).bind(actor).bind(&detail)
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The newest events, at most 200.
///
/// # Errors
/// What the database says.
pub async fn events(
    rx: &mut ReadTx,
    resource: &ResourceId,
) -> Result<Vec<ResourceEventRow>, StorageError> {
    let rows: Vec<(String, i64, String, Option<String>, String)> = on!(rx, conn => sqlx::query_as(
        "SELECT e.id, e.at, e.kind, u.name, e.detail FROM resource_event e LEFT JOIN user_account u ON u.id = e.actor
         WHERE e.resource_id = $1 ORDER BY e.at DESC, e.id DESC LIMIT 200")
        .bind(resource.as_str()).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(id, at, kind, actor, detail)| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("resource_event", column, id.as_str(), e)
            };
            let kind: EventKind = kind.parse().map_err(|e| wrong("kind", &e))?;
            let changed = matches!(
                kind,
                EventKind::Resized
                    | EventKind::Extended
                    | EventKind::Replanned
                    | EventKind::Renewed
                    | EventKind::Repriced
            );
            let change = changed.then(|| serde_json::from_str(&detail)).transpose();
            Ok(ResourceEventRow {
                at: Timestamp::from_millis(at),
                kind,
                actor,
                change: change.map_err(|e| wrong("detail", &e))?,
            })
        })
        .collect()
}

/// Moves the states of a resource that was read in `version`.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn set_states(
    tx: &mut Tx,
    resource: &Resource,
    service: ServiceState,
    billing: BillingState,
) -> Result<(), StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE resource SET service_state = $1, billing_state = $2, version = version + 1 WHERE id = $3 AND version = $4")
        .bind(service.as_str()).bind(billing.as_str()).bind(resource.id.as_str()).bind(resource.version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "resource", resource.id.as_str())
}

/// Marks a resource as given back; its row stays.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn mark_released(
    tx: &mut Tx,
    resource: &Resource,
    at: Timestamp,
) -> Result<(), StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE resource SET service_state = 'released', billing_state = 'stopped', released_at = $1, erase_at = NULL,
           version = version + 1
         WHERE id = $2 AND version = $3 AND service_state <> 'released'")
        .bind(at.millis()).bind(resource.id.as_str()).bind(resource.version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "resource", resource.id.as_str())
}

/// Attaches a resource that was read in `version` to a host, or (`None`) takes it off.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn attach(
    tx: &mut Tx,
    resource: &Resource,
    to: Option<&ResourceId>,
) -> Result<(), StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE resource SET attached_to = $1, version = version + 1 WHERE id = $2 AND version = $3")
        .bind(to.map(ResourceId::as_str)).bind(resource.id.as_str()).bind(resource.version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "resource", resource.id.as_str())
}

/// The number for one more thing of a line of a request: above all pieces that were ordered. Lock the
/// request before, or two get the same.
///
/// # Errors
/// What the database says.
pub async fn next_piece(tx: &mut Tx, item: &RequestItemId) -> Result<i64, StorageError> {
    // A line orders a hundred pieces at most.
    let row: (i64,) = on!(tx, conn => sqlx::query_as(
        "SELECT COALESCE(MAX(piece), 0) + 1 FROM resource WHERE request_item_id = $1 AND piece >= 1000")
        .bind(item.as_str()).fetch_one(conn).await)?;
    Ok(row.0.max(1000))
}

/// A thing that nobody needs to confirm: what it was made of was tried. Its trial run ends as it
/// begins, and the next round of billing charges it from that moment.
///
/// # Errors
/// What the database says.
pub async fn begin_without_trial(
    tx: &mut Tx,
    resource: &ResourceId,
    from: &CopyId,
    at: Timestamp,
) -> Result<(), StorageError> {
    let (snapshot, backup) = match from {
        CopyId::Snapshot(id) => (Some(id.as_str()), None),
        CopyId::Backup(id) => (None, Some(id.as_str())),
    };
    on!(tx, conn => sqlx::query(
        "UPDATE resource SET billing_state = 'trial', confirmed_at = $1, trial_until = $1, from_snapshot = $2,
           from_backup = $3, version = version + 1 WHERE id = $4")
        .bind(at.millis()).bind(snapshot).bind(backup).bind(resource.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// A resource was built anew: the backend's name for it, and its address if it has one.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn rebuilt(
    tx: &mut Tx,
    resource: &Resource,
    external_id: &str,
    address: Option<&str>,
) -> Result<(), StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE resource SET external_id = $1, cloud_name = NULL, address = COALESCE($2, address), version = version + 1
         WHERE id = $3 AND version = $4 AND service_state <> 'released'")
        .bind(external_id).bind(address).bind(resource.id.as_str()).bind(resource.version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "resource", resource.id.as_str())?;
    let mut words = vec![resource.name.as_str()];
    words.extend(address.or(resource.address.as_deref()));
    search::index(tx, "resource", resource.id.as_str(), &words).await
}

/// A resource that was read in `version` is called and reached in the cloud as this says; `None` is
/// its own name, and the address that it has.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn known_as(
    tx: &mut Tx,
    resource: &Resource,
    cloud_name: Option<&str>,
    address: Option<&str>,
) -> Result<(), StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE resource SET cloud_name = $1, address = COALESCE($2, address), version = version + 1
         WHERE id = $3 AND version = $4 AND service_state <> 'released'")
        .bind(cloud_name).bind(address).bind(resource.id.as_str()).bind(resource.version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "resource", resource.id.as_str())?;
    let mut words = vec![resource.name.as_str()];
    words.extend(address.or(resource.address.as_deref()));
    search::index(tx, "resource", resource.id.as_str(), &words).await
}

/// The system of a host that was read in `version` was installed anew: how its owner gets in, and
/// whether it runs.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn reinstalled(
    tx: &mut Tx,
    resource: &Resource,
    answers: &Answers,
    service: ServiceState,
) -> Result<(), StorageError> {
    let answers = json("answers", resource.id.as_str(), answers)?;
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE resource SET answers = $1, service_state = $2, version = version + 1
         WHERE id = $3 AND version = $4 AND service_state <> 'released'")
        .bind(&answers).bind(service.as_str()).bind(resource.id.as_str()).bind(resource.version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "resource", resource.id.as_str())
}

/// What was attached to a resource hangs free now.
///
/// # Errors
/// What the database says.
pub async fn detach_all(tx: &mut Tx, from: &ResourceId) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE resource SET attached_to = NULL, version = version + 1 WHERE attached_to = $1")
        .bind(from.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The delivered pieces of a request begin their trial run: the ids of those that do.
///
/// # Errors
/// What the database says.
pub async fn start_trial(
    tx: &mut Tx,
    request: &RequestId,
    at: Timestamp,
    until: Timestamp,
) -> Result<Vec<ResourceId>, StorageError> {
    let rows: Vec<(String,)> = on!(tx, conn => sqlx::query_as(
        "UPDATE resource SET billing_state = 'trial', confirmed_at = $1, trial_until = $2, version = version + 1
         WHERE request_id = $3 AND billing_state = 'unconfirmed' AND service_state <> 'released' RETURNING id")
        .bind(at.millis()).bind(until.millis()).bind(request.as_str()).fetch_all(conn).await)?;
    ids(rows)
}

/// Trial runs that are over begin to be charged: the ids of those that do, at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn start_billing(
    tx: &mut Tx,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(ResourceId, Timestamp)>, StorageError> {
    let rows: Vec<(String, i64)> = on!(tx, conn => sqlx::query_as(
        "UPDATE resource SET billing_state = 'billing', billing_from = trial_until, version = version + 1
         WHERE billing_state = 'trial' AND id IN (SELECT id FROM resource WHERE billing_state = 'trial'
           AND trial_until <= $1 ORDER BY trial_until, id LIMIT $2) RETURNING id, billing_from")
        .bind(now.millis()).bind(limit).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(id, at)| {
            let id = id
                .parse()
                .map_err(|e| StorageError::inconsistent("resource", "id", id.as_str(), e))?;
            Ok((id, Timestamp::from_millis(at)))
        })
        .collect()
}
