//! The batches of what was taken in.

use lingbao_model::{
    id::{DifferenceId, ImportId, ResourceId, UserId, VdcId},
    money::Money,
    time::Timestamp,
    view::{
        import::{ImportBatch, ImportedThing},
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
    },
};

use crate::{
    error::StorageError,
    on,
    storage::{
        ReadTx, Tx,
        sql::{Cursor, Sql, cut},
    },
};

/// Writes a batch down. `false` if the same form had made one before; a second sending at the same
/// moment waits here for the end of the first.
///
/// # Errors
/// What the database says.
pub async fn insert(
    tx: &mut Tx,
    id: &ImportId,
    form: Option<&str>,
    by: &UserId,
    (things, month): (i64, Money),
    at: Timestamp,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query("INSERT INTO import_batch (id, at, taken_by, form_id, things, month_fen)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (form_id) DO NOTHING")
        .bind(id.as_str()).bind(at.millis()).bind(by.as_str()).bind(form).bind(things).bind(month.fen())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// What came of a form that this person sent before: the batch and how many things it took in.
///
/// # Errors
/// What the database says.
pub async fn of_form(
    rx: &mut ReadTx,
    form: &str,
    by: &UserId,
) -> Result<Option<(ImportId, i64)>, StorageError> {
    let row: Option<(String, i64)> =
        Sql::new("SELECT id, things FROM import_batch WHERE form_id = ")
            .bind(form)
            .push(" AND taken_by = ")
            .bind(by.as_str())
            .optional(rx)
            .await?;
    row.map(|(id, things)| match id.parse() {
        Ok(id) => Ok((id, things)),
        Err(e) => Err(StorageError::inconsistent("import_batch", "id", id, e)),
    })
    .transpose()
}

/// How many things a batch took in, and what they cost a month.
///
/// # Errors
/// What the database says.
pub async fn count(
    tx: &mut Tx,
    id: &ImportId,
    things: i64,
    month: Money,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE import_batch SET things = $1, month_fen = $2 WHERE id = $3")
        .bind(things).bind(month.fen()).bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Writes down that a thing was taken in by a batch.
///
/// # Errors
/// What the database says.
pub async fn add_thing(
    tx: &mut Tx,
    batch: &ImportId,
    resource: &ResourceId,
    difference: &DifferenceId,
    external_id: &str,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO import_thing (resource_id, batch_id, difference_id, external_id) VALUES ($1, $2, $3, $4)")
        .bind(resource.as_str()).bind(batch.as_str()).bind(difference.as_str()).bind(external_id)
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Writes down that a project became a VDC's by a batch.
///
/// # Errors
/// What the database says.
pub async fn add_project(
    tx: &mut Tx,
    batch: &ImportId,
    vdc: &VdcId,
    backend: &str,
    external_id: &str,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO import_project (batch_id, vdc_id, backend, external_id) VALUES ($1, $2, $3, $4)")
        .bind(batch.as_str()).bind(vdc.as_str()).bind(backend).bind(external_id)
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The projects that became VDCs' by this or another batch, of the VDCs and backends of this batch's
/// things: what a batch brought may have stayed because of a later one's things.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn projects(
    rx: &mut ReadTx,
    batch: &ImportId,
) -> Result<Vec<(VdcId, String, String)>, StorageError> {
    let rows: Vec<(String, String, String)> = Sql::new(
        "SELECT DISTINCT p.vdc_id, p.backend, p.external_id FROM import_project p
           WHERE EXISTS (SELECT 1 FROM import_thing t JOIN resource r ON r.id = t.resource_id
             WHERE r.vdc_id = p.vdc_id AND r.backend = p.backend AND t.batch_id = ",
    )
    .bind(batch.as_str())
    .push(") ORDER BY p.vdc_id, p.backend, p.external_id")
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(vdc, backend, project)| match vdc.parse() {
            Ok(vdc) => Ok((vdc, backend, project)),
            Err(e) => Err(StorageError::inconsistent(
                "import_project",
                "vdc_id",
                vdc,
                e,
            )),
        })
        .collect()
}

type BatchRow = (String, i64, String, i64, i64, Option<i64>, Option<String>);

const BATCH: &str =
    "SELECT b.id, b.at, u.name, b.things, b.month_fen, b.undone_at, w.name FROM import_batch b
  JOIN user_account u ON u.id = b.taken_by LEFT JOIN user_account w ON w.id = b.undone_by WHERE TRUE";

fn batch(
    (id, at, by_name, count, month, undone_at, undone_by): BatchRow,
) -> Result<ImportBatch, StorageError> {
    Ok(ImportBatch {
        id: id
            .parse()
            .map_err(|e| StorageError::inconsistent("import_batch", "id", id.as_str(), e))?,
        at: Timestamp::from_millis(at),
        by_name,
        count,
        month: Money::from_fen(month),
        undone_at: undone_at.map(Timestamp::from_millis),
        undone_by,
    })
}

/// One page of batches, the latest first.
///
/// # Errors
/// What the database says.
pub async fn batches(
    rx: &mut ReadTx,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Page<ImportBatch>, StorageError> {
    let limit = limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);
    let total = Sql::new("SELECT 1 FROM import_batch")
        .capped_count(rx)
        .await?;
    let mut sql = Sql::new(BATCH);
    if let Some(at) = after.and_then(Cursor::decode) {
        sql = sql
            .push(" AND (b.at, b.id) < (")
            .bind(at.number())
            .push(", ")
            .bind(at.id)
            .push(")");
    }
    let rows: Vec<BatchRow> = sql
        .push(" ORDER BY b.at DESC, b.id DESC LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |r| (r.1.to_string(), r.0.clone()));
    Ok(Page {
        rows: rows.into_iter().map(batch).collect::<Result<_, _>>()?,
        next,
        total,
    })
}

/// One batch.
///
/// # Errors
/// What the database says.
pub async fn get(rx: &mut ReadTx, id: &ImportId) -> Result<Option<ImportBatch>, StorageError> {
    let row: Option<BatchRow> = Sql::new(BATCH)
        .push(" AND b.id = ")
        .bind(id.as_str())
        .optional(rx)
        .await?;
    row.map(batch).transpose()
}

#[derive(sqlx::FromRow)]
struct ThingRow {
    id: String,
    name: String,
    backend: Option<String>,
    unit_name: String,
    system_name: String,
    month_fen: i64,
    service_state: String,
    request_id: String,
    number: Option<String>,
    difference_id: String,
}

/// The things of a batch, each with the difference that it was.
///
/// # Errors
/// What the database says.
pub async fn things(
    rx: &mut ReadTx,
    batch: &ImportId,
) -> Result<Vec<(ImportedThing, DifferenceId)>, StorageError> {
    let rows: Vec<ThingRow> = Sql::new(
        "SELECT r.id, r.name, r.backend, u.short_name AS unit_name, s.name AS system_name, r.month_fen, r.service_state,
           r.request_id, q.number, t.difference_id
         FROM import_thing t JOIN resource r ON r.id = t.resource_id JOIN unit u ON u.id = r.unit_id
           JOIN app_system s ON s.id = r.system_id JOIN request q ON q.id = r.request_id WHERE t.batch_id = ",
    )
    .bind(batch.as_str())
    .push(" ORDER BY r.id")
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let at = row.id.clone();
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("resource", column, at.as_str(), e)
            };
            let difference = row
                .difference_id
                .parse()
                .map_err(|e| wrong("difference_id", &e))?;
            let thing = ImportedThing {
                resource: row.id.parse().map_err(|e| wrong("id", &e))?,
                name: row.name,
                backend: row.backend.unwrap_or_default(),
                unit_name: row.unit_name,
                system_name: row.system_name,
                month: Money::from_fen(row.month_fen),
                state: row
                    .service_state
                    .parse()
                    .map_err(|e| wrong("service_state", &e))?,
                request: row
                    .request_id
                    .parse()
                    .map_err(|e| wrong("request_id", &e))?,
                number: row.number.unwrap_or_default(),
            };
            Ok((thing, difference))
        })
        .collect()
}

/// What has been done with things of a batch since: name of the thing and why it can't leave
/// (`released`, `busy`, `attached`, `requested`, `changed`). At most 20.
///
/// # Errors
/// What the database says.
pub async fn touched(
    rx: &mut ReadTx,
    batch: &ImportId,
) -> Result<Vec<(String, String)>, StorageError> {
    let of = |sql: Sql, piece| sql.push(piece).bind(batch.as_str());
    let sql = Sql::new(
        "SELECT r.name, 'released' FROM import_thing t JOIN resource r ON r.id = t.resource_id
         WHERE r.service_state = 'released' AND t.batch_id = ",
    )
    .bind(batch.as_str());
    let sql = of(
        sql,
        " UNION ALL SELECT r.name, 'busy' FROM import_thing t JOIN resource r ON r.id = t.resource_id
         WHERE EXISTS (SELECT 1 FROM resource_action a WHERE a.resource_id = r.id) AND t.batch_id = ",
    );
    let sql = of(
        sql,
        " UNION ALL SELECT r.name, 'attached' FROM import_thing t JOIN resource r ON r.id = t.resource_id
         WHERE EXISTS (SELECT 1 FROM resource a WHERE a.attached_to = r.id AND a.service_state <> 'released'
             AND NOT EXISTS (SELECT 1 FROM import_thing o WHERE o.resource_id = a.id AND o.batch_id = t.batch_id))
           AND t.batch_id = ",
    );
    let sql = of(
        sql,
        " UNION ALL SELECT r.name, 'requested' FROM import_thing t JOIN resource r ON r.id = t.resource_id
         WHERE (EXISTS (SELECT 1 FROM request_release l JOIN request q ON q.id = l.request_id
             WHERE l.resource_id = r.id AND q.status IN ('in_approval', 'returned', 'approved'))
           OR EXISTS (SELECT 1 FROM request_change c JOIN request q ON q.id = c.request_id
             WHERE c.resource_id = r.id AND q.status IN ('in_approval', 'returned', 'approved')))
           AND t.batch_id = ",
    );
    // Whatever else stands in its history changed it, or is a part of a bill.
    let sql = of(
        sql,
        " UNION ALL SELECT r.name, 'changed' FROM import_thing t JOIN resource r ON r.id = t.resource_id
         WHERE r.service_state <> 'released' AND EXISTS (SELECT 1 FROM resource_event e WHERE e.resource_id = r.id
             AND e.kind NOT IN ('delivered', 'taken_in', 'billing_started', 'started', 'stopped', 'restarted'))
           AND t.batch_id = ",
    );
    sql.push(" ORDER BY 1, 2 LIMIT 20").all(rx).await
}

/// Marks a batch as undone; `false` if it is already. Whoever undoes it too waits here.
///
/// # Errors
/// What the database says.
pub async fn mark_undone(
    tx: &mut Tx,
    id: &ImportId,
    by: &UserId,
    at: Timestamp,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE import_batch SET undone_at = $1, undone_by = $2 WHERE id = $3 AND undone_at IS NULL")
        .bind(at.millis()).bind(by.as_str()).bind(id.as_str())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}
