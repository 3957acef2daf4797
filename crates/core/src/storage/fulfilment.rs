//! Pieces on their way: which group they belong to, which saga builds them, how they ended.

use std::collections::BTreeMap;

use lingbao_model::{
    fulfilment::{Event, Status},
    id::{PoolId, RequestId, RequestItemId, ResourceId, SagaId, SystemId, UnitId, UserId, VdcId},
    msg::{Label, Msg},
    people::{Reach, Role},
    request::{Event as RequestEvent, Outcome, Status as RequestStatus},
    time::Timestamp,
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{authz::Scope, error::StorageError, on};

/// One piece.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Line of the request.
    pub item: RequestItemId,
    /// Number of the piece, from 0.
    pub piece: i64,
    /// Pieces of one group succeed or fail together.
    pub group: i64,
    /// Where it stands.
    pub status: Status,
    /// The saga that builds it.
    pub saga: Option<SagaId>,
    /// The resource it becomes.
    pub resource: Option<ResourceId>,
    /// Why it failed.
    pub reason: Option<Msg>,
    /// When its saga began.
    pub started_at: Option<Timestamp>,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    request_item_id: String,
    piece: i64,
    group_no: i64,
    status: String,
    saga_id: Option<String>,
    resource_id: Option<String>,
    reason: Option<String>,
    started_at: Option<i64>,
    settled_at: Option<i64>,
}

impl TryFrom<Row> for Piece {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let at = format!("{}/{}", row.request_item_id, row.piece);
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("fulfilment", column, at.as_str(), e)
        };
        Ok(Self {
            item: row
                .request_item_id
                .parse()
                .map_err(|e| wrong("request_item_id", &e))?,
            piece: row.piece,
            group: row.group_no,
            status: row.status.parse().map_err(|e| wrong("status", &e))?,
            saga: row
                .saga_id
                .map(|s| s.parse())
                .transpose()
                .map_err(|e| wrong("saga_id", &e))?,
            resource: row
                .resource_id
                .map(|r| r.parse())
                .transpose()
                .map_err(|e| wrong("resource_id", &e))?,
            reason: row
                .reason
                .map(|r| serde_json::from_str(&r))
                .transpose()
                .map_err(|e| wrong("reason", &e))?,
            started_at: row.started_at.map(Timestamp::from_millis),
            settled_at: row.settled_at.map(Timestamp::from_millis),
        })
    }
}

const SELECT: &str = "SELECT f.request_item_id, f.piece, f.group_no, f.status, f.saga_id, f.resource_id, f.reason, f.started_at,
  f.settled_at FROM fulfilment f JOIN request_item i ON i.id = f.request_item_id WHERE f.request_id = ";

/// The pieces of a request, by group, line and number.
///
/// # Errors
/// What the database says.
pub async fn of_request(rx: &mut ReadTx, request: &RequestId) -> Result<Vec<Piece>, StorageError> {
    let rows: Vec<Row> = Sql::new(SELECT)
        .bind(request.as_str())
        .push(" ORDER BY f.group_no, i.position, f.piece, f.request_item_id")
        .all(rx)
        .await?;
    rows.into_iter().map(Piece::try_from).collect()
}

/// Writes down a piece that waits for its turn. Twice is once.
///
/// # Errors
/// What the database says.
pub async fn insert(
    tx: &mut Tx,
    request: &RequestId,
    item: &RequestItemId,
    piece: i64,
    group: i64,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO fulfilment (request_item_id, piece, request_id, group_no, status)
         VALUES ($1, $2, $3, $4, 'waiting') ON CONFLICT (request_item_id, piece) DO NOTHING")
        .bind(item.as_str()).bind(piece).bind(request.as_str()).bind(group).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Writes down a piece that stood there before it was asked for.
///
/// # Errors
/// What the database says.
pub async fn insert_delivered(
    tx: &mut Tx,
    request: &RequestId,
    item: &RequestItemId,
    resource: &ResourceId,
    at: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO fulfilment (request_item_id, piece, request_id, group_no, status, resource_id, settled_at)
         VALUES ($1, 0, $2, 0, 'delivered', $3, $4)")
        .bind(item.as_str()).bind(request.as_str()).bind(resource.as_str()).bind(at.millis())
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Gives a waiting piece to a saga.
///
/// # Errors
/// A conflict if it has been begun already.
pub async fn begin(
    tx: &mut Tx,
    piece: &Piece,
    saga: &SagaId,
    resource: &ResourceId,
    at: Timestamp,
) -> Result<(), StorageError> {
    let next = transition(piece, Event::Start)?;
    let rows = on!(tx, conn => sqlx::query("UPDATE fulfilment SET status = $1, saga_id = $2, resource_id = $3, started_at = $4
         WHERE request_item_id = $5 AND piece = $6 AND status = 'waiting'")
        .bind(next.as_str()).bind(saga.as_str()).bind(resource.as_str()).bind(at.millis())
        .bind(piece.item.as_str()).bind(piece.piece).execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "fulfilment", piece.item.as_str())
}

/// Settles a piece, or cleans a residue up.
///
/// # Errors
/// [`StorageError::Inconsistency`] if the machine does not allow it; a conflict if somebody else
/// was faster.
pub async fn settle(
    tx: &mut Tx,
    piece: &Piece,
    event: Event,
    reason: Option<&Msg>,
    at: Timestamp,
) -> Result<(), StorageError> {
    let next = transition(piece, event)?;
    let reason = reason
        .map(serde_json::to_string)
        .transpose()
        .map_err(|e| StorageError::inconsistent("fulfilment", "reason", piece.item.as_str(), e))?;
    let rows = on!(tx, conn => sqlx::query("UPDATE fulfilment SET status = $1, reason = COALESCE($2, reason), settled_at = $3
         WHERE request_item_id = $4 AND piece = $5 AND status = $6")
        .bind(next.as_str()).bind(reason).bind(at.millis()).bind(piece.item.as_str()).bind(piece.piece)
        .bind(piece.status.as_str()).execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "fulfilment", piece.item.as_str())
}

fn transition(piece: &Piece, event: Event) -> Result<Status, StorageError> {
    piece
        .status
        .after(event)
        .map_err(|e| StorageError::inconsistent("fulfilment", "status", piece.item.as_str(), e))
}

/// Why pieces of a request failed: name of the item and reason.
///
/// # Errors
/// What the database says.
pub async fn failures(
    rx: &mut ReadTx,
    request: &RequestId,
) -> Result<Vec<(Label, Msg)>, StorageError> {
    let rows: Vec<(String, Option<String>)> = Sql::new(
        "SELECT i.item_name, f.reason FROM fulfilment f JOIN request_item i ON i.id = f.request_item_id
         WHERE f.status IN ('failed', 'residue', 'cancelled') AND f.request_id = ",
    )
    .bind(request.as_str())
    .push(" ORDER BY i.position, f.piece, i.id")
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(name, reason)| {
            let wrong = |e: serde_json::Error| {
                StorageError::inconsistent("fulfilment", "reason", request.as_str(), e)
            };
            let reason = reason
                .map(|r| serde_json::from_str(&r))
                .transpose()
                .map_err(wrong)?;
            Ok((
                serde_json::from_str(&name).map_err(wrong)?,
                reason.unwrap_or_else(|| Msg::new("fulfilment.unknown_reason")),
            ))
        })
        .collect()
}

/// What fulfilment needs to know of a request.
#[derive(Debug, Clone)]
pub struct Head {
    /// Identifier.
    pub id: RequestId,
    /// Number.
    pub number: String,
    /// Where it stands.
    pub status: RequestStatus,
    /// Whose.
    pub unit: UnitId,
    /// Name of the unit.
    pub unit_name: String,
    /// Whose quota.
    pub vdc: VdcId,
    /// Who asked.
    pub applicant: UserId,
    /// The system; a release has none.
    pub system: Option<SystemId>,
    /// Version of the row.
    pub version: i64,
}

#[derive(sqlx::FromRow)]
struct HeadRow {
    number: Option<String>,
    status: String,
    unit_id: String,
    unit_name: String,
    vdc_id: String,
    applicant_id: String,
    system_id: Option<String>,
    version: i64,
}

/// Makes whoever settles another piece of the request wait for this transaction: of two that end
/// the last two pieces in one moment, the second must see what the first did.
///
/// # Errors
/// What the database says.
pub async fn lock(tx: &mut Tx, request: &RequestId) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE request SET version = version WHERE id = $1")
        .bind(request.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Approved requests of which every piece is over, and that are not: nobody will look at them again
/// by himself. At most 200.
///
/// # Errors
/// What the database says.
pub async fn forgotten(rx: &mut ReadTx) -> Result<Vec<RequestId>, StorageError> {
    let rows: Vec<(String,)> = Sql::new(
        "SELECT q.id FROM request q WHERE q.status = 'approved'
           AND EXISTS (SELECT 1 FROM fulfilment f WHERE f.request_id = q.id)
           AND NOT EXISTS (SELECT 1 FROM fulfilment f WHERE f.request_id = q.id
             AND f.status IN ('waiting', 'running', 'residue'))
         ORDER BY q.id LIMIT 200",
    )
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(id,)| {
            id.parse()
                .map_err(|e| StorageError::inconsistent("request", "id", id.as_str(), e))
        })
        .collect()
}

/// The head of a submitted request.
///
/// # Errors
/// What the database says.
pub async fn head(rx: &mut ReadTx, request: &RequestId) -> Result<Option<Head>, StorageError> {
    let row: Option<HeadRow> = Sql::new(
        "SELECT q.number, q.status, q.unit_id, u.name AS unit_name, q.vdc_id, q.applicant_id, q.system_id, q.version
         FROM request q JOIN unit u ON u.id = q.unit_id WHERE q.id = ",
    )
    .bind(request.as_str())
    .optional(rx)
    .await?;
    row.map(|row| {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("request", column, request.as_str(), e)
        };
        Ok(Head {
            id: request.clone(),
            number: row.number.unwrap_or_default(),
            status: row.status.parse().map_err(|e| wrong("status", &e))?,
            unit: row.unit_id.parse().map_err(|e| wrong("unit_id", &e))?,
            unit_name: row.unit_name,
            vdc: row.vdc_id.parse().map_err(|e| wrong("vdc_id", &e))?,
            applicant: row
                .applicant_id
                .parse()
                .map_err(|e| wrong("applicant_id", &e))?,
            system: row
                .system_id
                .map(|s| s.parse())
                .transpose()
                .map_err(|e| wrong("system_id", &e))?,
            version: row.version,
        })
    })
    .transpose()
}

/// Ends a request whose pieces are all settled: the applicant is asked to confirm, or, if nothing
/// was delivered, there is nothing to confirm and it is closed.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn settle_request(
    tx: &mut Tx,
    head: &Head,
    outcome: Outcome,
    at: Timestamp,
) -> Result<(), StorageError> {
    settle_as(tx, head, outcome, outcome == Outcome::Failed, at).await
}

/// Ends a request about whose end there is nothing to confirm.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn end_request(
    tx: &mut Tx,
    head: &Head,
    outcome: Outcome,
    at: Timestamp,
) -> Result<(), StorageError> {
    settle_as(tx, head, outcome, true, at).await
}

async fn settle_as(
    tx: &mut Tx,
    head: &Head,
    outcome: Outcome,
    nothing: bool,
    at: Timestamp,
) -> Result<(), StorageError> {
    let wrong = |e| StorageError::inconsistent("request", "status", head.id.as_str(), e);
    let mut next = head.status.after(RequestEvent::Settle).map_err(wrong)?;
    if nothing {
        next = next.after(RequestEvent::Confirm).map_err(wrong)?;
    }
    let rows = on!(tx, conn => sqlx::query("UPDATE request SET status = $1, outcome = $2, settled_at = $3, closed_at = $4,
         due_at = NULL, stage = NULL, version = version + 1 WHERE id = $5 AND version = $6")
        .bind(next.as_str()).bind(outcome.as_str()).bind(at.millis()).bind(nothing.then(|| at.millis()))
        .bind(head.id.as_str()).bind(head.version).execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "request", head.id.as_str())
}

/// Where a pool stands at its backend.
#[derive(Debug, Clone)]
pub struct PoolSite {
    /// Name of the backend.
    pub backend: String,
    /// The pool's name there.
    pub backend_pool: String,
    /// Whether the internet reaches its zone.
    pub internet: bool,
}

/// Where a pool stands at its backend.
///
/// # Errors
/// What the database says; [`StorageError::Inconsistency`] if there is no such pool.
pub async fn pool_site(rx: &mut ReadTx, pool: &PoolId) -> Result<PoolSite, StorageError> {
    let row: Option<(String, String, bool)> = Sql::new(
        "SELECT p.backend, p.backend_pool, z.internet FROM pool p JOIN zone z ON z.id = p.zone_id WHERE p.id = ",
    )
    .bind(pool.as_str())
    .optional(rx)
    .await?;
    row.map(|(backend, backend_pool, internet)| PoolSite {
        backend,
        backend_pool,
        internet,
    })
    .ok_or_else(|| StorageError::inconsistent("pool", "id", pool.as_str(), "no such pool"))
}

/// Head of a delivery sheet.
#[derive(Debug, Clone)]
pub struct SheetHead {
    /// Whose.
    pub unit: UnitId,
    /// Number of the request.
    pub number: String,
    /// Name of the unit.
    pub unit_name: String,
    /// Name of the system.
    pub system_name: String,
    /// When the last piece was settled.
    pub settled_at: Option<Timestamp>,
}

/// The head of the delivery sheet of an approved request.
///
/// # Errors
/// What the database says.
pub async fn sheet_head(
    rx: &mut ReadTx,
    scope: &Scope,
    request: &RequestId,
) -> Result<Option<SheetHead>, StorageError> {
    let sql = Sql::new(
        "SELECT q.unit_id, q.number, u.name, COALESCE(s.name, ''), q.settled_at FROM request q JOIN unit u ON u.id = q.unit_id
         LEFT JOIN app_system s ON s.id = q.system_id WHERE q.status IN ('approved', 'delivered', 'closed') AND q.id = ",
    )
    .bind(request.as_str());
    /// Unit, number, the unit's name, the system's, and when it was settled.
    type Row = (String, Option<String>, String, String, Option<i64>);
    let row: Option<Row> = scope.filter(sql, " AND q.unit_id").optional(rx).await?;
    row.map(|(unit, number, unit_name, system_name, settled_at)| {
        Ok(SheetHead {
            unit: unit.parse().map_err(|e| {
                StorageError::inconsistent("request", "unit_id", request.as_str(), e)
            })?,
            number: number.unwrap_or_default(),
            unit_name,
            system_name,
            settled_at: settled_at.map(Timestamp::from_millis),
        })
    })
    .transpose()
}

/// Whom to call where the site names no telephone: name and phone of an operator of the whole site
/// who can be called; empty if there is none.
///
/// # Errors
/// What the database says.
pub async fn duty(rx: &mut ReadTx) -> Result<String, StorageError> {
    let row: Option<(String, String)> = Sql::new(
        "SELECT u.name, u.phone FROM user_grant g JOIN user_account u ON u.id = g.user_id
         WHERE g.revoked_at IS NULL AND u.active AND u.phone <> '' AND g.role = ",
    )
    .bind(Role::Operator.as_str())
    .push(" AND g.reach = ")
    .bind(Reach::Site.as_str())
    .push(" ORDER BY u.sort_key, u.id LIMIT 1")
    .optional(rx)
    .await?;
    Ok(row
        .map(|(name, phone)| format!("{name} {phone}").trim().to_owned())
        .unwrap_or_default())
}

/// How many pieces of each state a set of requests has, for lists with a small progress bar.
///
/// # Errors
/// What the database says.
pub async fn progress(
    rx: &mut ReadTx,
    requests: &[RequestId],
) -> Result<BTreeMap<String, Vec<(Status, i64)>>, StorageError> {
    let rows: Vec<(String, String, i64)> =
        Sql::new("SELECT request_id, status, count(*) FROM fulfilment WHERE request_id IN ")
            .bind_list(requests.iter().map(RequestId::as_str))
            .push(" GROUP BY request_id, status ORDER BY request_id, status")
            .all(rx)
            .await?;
    let mut progress: BTreeMap<String, Vec<(Status, i64)>> = BTreeMap::new();
    for (request, status, count) in rows {
        let status = status
            .parse()
            .map_err(|e| StorageError::inconsistent("fulfilment", "status", request.as_str(), e))?;
        progress.entry(request).or_default().push((status, count));
    }
    Ok(progress)
}
