//! Work orders (工单): pieces that people fulfil.

use lingbao_model::{
    id::{RequestId, RequestItemId, UnitId, UserId, WorkOrderId},
    msg::Label,
    time::Timestamp,
    view::{
        operation::{Check, WorkOrderFilter, WorkOrderRow, WorkOrderStatus},
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
    },
};

use super::{
    ReadTx, Tx,
    sql::{Cursor, Sql, cut},
};
use crate::{error::StorageError, on};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    request_id: String,
    request_number: Option<String>,
    request_item_id: String,
    piece: i64,
    unit_name: String,
    title: String,
    checklist: String,
    status: String,
    assignee_id: Option<String>,
    assignee_name: Option<String>,
    due_at: i64,
    note: String,
    created_at: i64,
    closed_at: Option<i64>,
    version: i64,
}

const SELECT: &str = "SELECT w.id, w.request_id, q.number AS request_number, w.request_item_id, w.piece, n.short_name AS unit_name,
  w.title, w.checklist, w.status, w.assignee_id, a.name AS assignee_name, w.due_at, w.note, w.created_at, w.closed_at, w.version
FROM work_order w JOIN request q ON q.id = w.request_id JOIN unit n ON n.id = w.unit_id
  LEFT JOIN user_account a ON a.id = w.assignee_id WHERE TRUE";

impl TryFrom<Row> for WorkOrderRow {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let at = row.id.clone();
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("work_order", column, at.as_str(), e)
        };
        Ok(Self {
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
            request: row
                .request_id
                .parse()
                .map_err(|e| wrong("request_id", &e))?,
            request_number: row.request_number.unwrap_or_default(),
            item: row
                .request_item_id
                .parse()
                .map_err(|e| wrong("request_item_id", &e))?,
            piece: row.piece,
            unit_name: row.unit_name,
            title: serde_json::from_str(&row.title).map_err(|e| wrong("title", &e))?,
            checklist: serde_json::from_str(&row.checklist).map_err(|e| wrong("checklist", &e))?,
            status: row.status.parse().map_err(|e| wrong("status", &e))?,
            assignee: row
                .assignee_id
                .map(|a| a.parse())
                .transpose()
                .map_err(|e| wrong("assignee_id", &e))?,
            assignee_name: row.assignee_name,
            due_at: Timestamp::from_millis(row.due_at),
            note: row.note,
            created_at: Timestamp::from_millis(row.created_at),
            closed_at: row.closed_at.map(Timestamp::from_millis),
            version: row.version,
        })
    }
}

/// Why a request is asked for, by whom, and where to call.
///
/// # Errors
/// What the database says.
pub async fn contact(
    rx: &mut ReadTx,
    request: &RequestId,
) -> Result<(String, String, String), StorageError> {
    let row: Option<(String, String, String)> = Sql::new(
        "SELECT q.reason, u.name, u.phone FROM request q JOIN user_account u ON u.id = q.applicant_id WHERE q.id = ",
    )
    .bind(request.as_str())
    .optional(rx)
    .await?;
    Ok(row.unwrap_or_default())
}

/// A work order that has just been asked for.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Identifier.
    pub id: &'a WorkOrderId,
    /// The request.
    pub request: &'a RequestId,
    /// Its line.
    pub item: &'a RequestItemId,
    /// The piece.
    pub piece: i64,
    /// For whom.
    pub unit: &'a UnitId,
    /// What is to be done.
    pub title: &'a Label,
    /// Its parts.
    pub checklist: &'a [Check],
    /// By when.
    pub due_at: Timestamp,
    /// Now.
    pub at: Timestamp,
}

fn json<T: serde::Serialize + ?Sized>(
    column: &'static str,
    row: &str,
    value: &T,
) -> Result<String, StorageError> {
    serde_json::to_string(value)
        .map_err(|e| StorageError::inconsistent("work_order", column, row, e))
}

/// Writes it down; one a piece, twice is once.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<(), StorageError> {
    let title = json("title", new.id.as_str(), new.title)?;
    let checklist = json("checklist", new.id.as_str(), new.checklist)?;
    on!(tx, conn => sqlx::query("INSERT INTO work_order (id, request_id, request_item_id, piece, unit_id, title, checklist, status,
         due_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', $8, $9) ON CONFLICT (request_item_id, piece) DO NOTHING")
        .bind(new.id.as_str()).bind(new.request.as_str()).bind(new.item.as_str()).bind(new.piece).bind(new.unit.as_str())
        .bind(&title).bind(&checklist).bind(new.due_at.millis()).bind(new.at.millis()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// One work order.
///
/// # Errors
/// What the database says.
pub async fn get(rx: &mut ReadTx, id: &WorkOrderId) -> Result<Option<WorkOrderRow>, StorageError> {
    let row: Option<Row> = Sql::new(SELECT)
        .push(" AND w.id = ")
        .bind(id.as_str())
        .optional(rx)
        .await?;
    row.map(WorkOrderRow::try_from).transpose()
}

/// The work order of a piece.
///
/// # Errors
/// What the database says.
pub async fn of_piece(
    rx: &mut ReadTx,
    item: &RequestItemId,
    piece: i64,
) -> Result<Option<WorkOrderRow>, StorageError> {
    let row: Option<Row> = Sql::new(SELECT)
        .push(" AND w.request_item_id = ")
        .bind(item.as_str())
        .push(" AND w.piece = ")
        .bind(piece)
        .optional(rx)
        .await?;
    row.map(WorkOrderRow::try_from).transpose()
}

/// One page of work orders, the most urgent first.
///
/// # Errors
/// What the database says.
pub async fn list(
    rx: &mut ReadTx,
    filter: &WorkOrderFilter,
) -> Result<Page<WorkOrderRow>, StorageError> {
    let limit = filter.limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);
    let narrowed = |sql: Sql| {
        let sql = match filter.status {
            Some(status) => sql.push(" AND w.status = ").bind(status.as_str()),
            None => sql.push(" AND w.status IN ('open', 'taken')"),
        };
        sql.maybe(
            " AND w.assignee_id = ",
            filter.assignee.as_ref().map(UserId::as_str),
        )
    };
    let total = narrowed(Sql::new("SELECT 1 FROM work_order w WHERE TRUE"))
        .capped_count(rx)
        .await?;
    let mut sql = narrowed(Sql::new(SELECT));
    if let Some(at) = filter.cursor.as_deref().and_then(Cursor::decode) {
        sql = sql
            .push(" AND (w.due_at, w.id) > (")
            .bind(at.number())
            .push(", ")
            .bind(at.id)
            .push(")");
    }
    let rows: Vec<Row> = sql
        .push(" ORDER BY w.due_at, w.id LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |r| (r.due_at.to_string(), r.id.clone()));
    Ok(Page {
        rows: rows
            .into_iter()
            .map(WorkOrderRow::try_from)
            .collect::<Result<_, _>>()?,
        next,
        total,
    })
}

/// Writes a work order back that was read in its `version`.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn save(tx: &mut Tx, order: &WorkOrderRow) -> Result<(), StorageError> {
    let checklist = json("checklist", order.id.as_str(), &order.checklist)?;
    let rows = on!(tx, conn => sqlx::query("UPDATE work_order SET status = $1, assignee_id = $2, checklist = $3, note = $4,
         closed_at = $5, version = version + 1 WHERE id = $6 AND version = $7")
        .bind(order.status.as_str()).bind(order.assignee.as_ref().map(UserId::as_str)).bind(&checklist).bind(&order.note)
        .bind(order.closed_at.map(Timestamp::millis)).bind(order.id.as_str()).bind(order.version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "work_order", order.id.as_str())
}

/// Closes the open work order of a piece that is not wanted any more.
///
/// # Errors
/// What the database says.
pub async fn abandon(
    tx: &mut Tx,
    item: &RequestItemId,
    piece: i64,
    at: Timestamp,
) -> Result<(), StorageError> {
    let failed = WorkOrderStatus::Failed.as_str();
    on!(tx, conn => sqlx::query("UPDATE work_order SET status = $1, closed_at = $2, version = version + 1
         WHERE request_item_id = $3 AND piece = $4 AND status IN ('open', 'taken')")
        .bind(failed).bind(at.millis()).bind(item.as_str()).bind(piece).execute(conn).await.map(|_| ()))?;
    Ok(())
}
