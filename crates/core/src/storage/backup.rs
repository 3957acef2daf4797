//! Backups that the portal's plans make, and how the plans run. The row of a backup is written before
//! the cloud is asked, so that whoever erases a disk knows of every copy of it.

use lingbao_model::{
    id::{BackupId, ResourceId},
    msg::Msg,
    time::Timestamp,
    view::backup::BackupRow,
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// How a plan runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// When its last run began.
    pub begun_at: Timestamp,
    /// Whether that run is not over.
    pub running: bool,
    /// When the next one begins.
    pub next_at: Timestamp,
    /// The last run that went through.
    pub done_at: Option<Timestamp>,
    /// The last run that failed.
    pub failed_at: Option<Timestamp>,
    /// Why.
    pub failure: Option<Msg>,
    /// How many failed in a row.
    pub failures: i64,
}

/// A backup as it is stored.
#[derive(Debug, Clone)]
pub struct Backup {
    /// What pages show.
    pub row: BackupRow,
    /// The backend's name of the disk on that day.
    pub of_external: String,
    /// The backend's name of the backup, once it is made.
    pub external_id: Option<String>,
    /// Why it was not made.
    pub failure: Option<Msg>,
}

fn read_msg(
    table: &'static str,
    at: &str,
    text: Option<String>,
) -> Result<Option<Msg>, StorageError> {
    text.map(|text| {
        serde_json::from_str(&text).map_err(|e| StorageError::inconsistent(table, "failure", at, e))
    })
    .transpose()
}

fn write_msg(table: &'static str, at: &str, msg: &Msg) -> Result<String, StorageError> {
    serde_json::to_string(msg).map_err(|e| StorageError::inconsistent(table, "failure", at, e))
}

// ---- plans

/// The plans that have something to do: a run is due and their host stands, or one that began an hour
/// ago is not over, or they are released and something of them is left.
///
/// # Errors
/// What the database says.
pub async fn due(
    rx: &mut ReadTx,
    now: Timestamp,
    most: i64,
) -> Result<Vec<ResourceId>, StorageError> {
    let rows: Vec<(String,)> = Sql::new(
        "SELECT r.id FROM resource r LEFT JOIN resource h ON h.id = r.attached_to
           LEFT JOIN backup_plan p ON p.resource_id = r.id
         WHERE r.kind = 'backup' AND r.backend IS NOT NULL AND r.external_id IS NOT NULL AND (
           (r.service_state = 'running' AND h.service_state IN ('running', 'stopped')
             AND (p.resource_id IS NULL OR p.next_at <= ",
    )
    .bind(now.millis())
    .push(")) OR (p.running AND p.begun_at <= ")
    .bind(now.plus_millis(-3_600_000).millis())
    .push(
        ") OR (r.service_state = 'released'
             AND EXISTS (SELECT 1 FROM backup b WHERE b.plan_id = r.id AND b.state <> 'deleted')))
         ORDER BY r.id LIMIT ",
    )
    .bind(most)
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(id,)| {
            id.parse()
                .map_err(|e| StorageError::inconsistent("resource", "id", id.as_str(), e))
        })
        .collect()
}

#[derive(sqlx::FromRow)]
struct RunningRow {
    begun_at: i64,
    running: bool,
    next_at: i64,
    done_at: Option<i64>,
    failed_at: Option<i64>,
    failure: Option<String>,
    failures: i64,
}

/// How a plan runs; `None` before its first run.
///
/// # Errors
/// What the database says.
pub async fn running(rx: &mut ReadTx, plan: &ResourceId) -> Result<Option<Running>, StorageError> {
    let row: Option<RunningRow> = Sql::new(
        "SELECT begun_at, running, next_at, done_at, failed_at, failure, failures FROM backup_plan
         WHERE resource_id = ",
    )
    .bind(plan.as_str())
    .optional(rx)
    .await?;
    row.map(|row| {
        Ok(Running {
            begun_at: Timestamp::from_millis(row.begun_at),
            running: row.running,
            next_at: Timestamp::from_millis(row.next_at),
            done_at: row.done_at.map(Timestamp::from_millis),
            failed_at: row.failed_at.map(Timestamp::from_millis),
            failure: read_msg("backup_plan", plan.as_str(), row.failure)?,
            failures: row.failures,
        })
    })
    .transpose()
}

/// A run begins, or (`running` is `false`) the plan is looked at again at the next time.
///
/// # Errors
/// What the database says.
pub async fn begin(
    tx: &mut Tx,
    plan: &ResourceId,
    at: Timestamp,
    next: Timestamp,
    running: bool,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO backup_plan (resource_id, begun_at, running, next_at, failures) VALUES ($1, $2, $3, $4, 0)
         ON CONFLICT (resource_id) DO UPDATE SET begun_at = excluded.begun_at, running = excluded.running, next_at = excluded.next_at")
        .bind(plan.as_str()).bind(at.millis()).bind(running).bind(next.millis()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// A run is over: every backup of it was made, or one was not.
///
/// # Errors
/// What the database says.
pub async fn end(
    tx: &mut Tx,
    plan: &ResourceId,
    failure: Option<&Msg>,
    at: Timestamp,
) -> Result<(), StorageError> {
    match failure {
        None => {
            on!(tx, conn => sqlx::query("UPDATE backup_plan SET running = FALSE, done_at = $1, failures = 0 WHERE resource_id = $2")
                .bind(at.millis()).bind(plan.as_str()).execute(conn).await.map(|_| ()))?;
        }
        Some(failure) => {
            let text = write_msg("backup_plan", plan.as_str(), failure)?;
            on!(tx, conn => sqlx::query("UPDATE backup_plan SET running = FALSE, failed_at = $1, failure = $2, failures = failures + 1
                 WHERE resource_id = $3")
                .bind(at.millis()).bind(text).bind(plan.as_str()).execute(conn).await.map(|_| ()))?;
        }
    }
    Ok(())
}

/// A plan runs otherwise from now on: the next run follows the last by so much.
///
/// # Errors
/// What the database says.
pub async fn reschedule(tx: &mut Tx, plan: &ResourceId, every_ms: i64) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE backup_plan SET next_at = begun_at + $1 WHERE resource_id = $2")
        .bind(every_ms).bind(plan.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

// ---- backups

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    of_id: String,
    of_name: String,
    of_kind: String,
    of_external: String,
    state: String,
    external_id: Option<String>,
    size_gb: Option<i64>,
    failure: Option<String>,
    created_at: i64,
}

const SELECT: &str =
    "SELECT b.id, b.of_id, r.name AS of_name, r.kind AS of_kind, b.of_external, b.state, b.external_id, b.size_gb,
  b.failure, b.created_at
FROM backup b JOIN resource r ON r.id = b.of_id WHERE b.state <> 'deleted'";

impl TryFrom<Row> for Backup {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let at = row.id.clone();
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("backup", column, at.as_str(), e)
        };
        Ok(Self {
            of_external: row.of_external,
            external_id: row.external_id,
            failure: read_msg("backup", &at, row.failure)?,
            row: BackupRow {
                id: row.id.parse().map_err(|e| wrong("id", &e))?,
                of: row.of_id.parse().map_err(|e| wrong("of_id", &e))?,
                of_name: row.of_name,
                of_kind: row.of_kind.parse().map_err(|e| wrong("of_kind", &e))?,
                size_gb: row.size_gb,
                state: row.state.parse().map_err(|e| wrong("state", &e))?,
                at: Timestamp::from_millis(row.created_at),
            },
        })
    }
}

/// The backups that a plan has made, or that are of a disk, and are not deleted; youngest first.
///
/// # Errors
/// What the database says.
pub async fn of_resource(
    rx: &mut ReadTx,
    resource: &ResourceId,
) -> Result<Vec<Backup>, StorageError> {
    let rows: Vec<Row> = Sql::new(SELECT)
        .push(" AND (b.plan_id = ")
        .bind(resource.as_str())
        .push(" OR b.of_id = ")
        .bind(resource.as_str())
        .push(") ORDER BY b.created_at DESC, b.id DESC")
        .all(rx)
        .await?;
    rows.into_iter().map(Backup::try_from).collect()
}

/// One backup of a disk; of another disk it is not found. Whoever may see the disk may see it.
///
/// # Errors
/// What the database says.
pub async fn get(
    rx: &mut ReadTx,
    of: &ResourceId,
    id: &BackupId,
) -> Result<Option<Backup>, StorageError> {
    let row: Option<Row> = Sql::new(SELECT)
        .push(" AND b.of_id = ")
        .bind(of.as_str())
        .push(" AND b.id = ")
        .bind(id.as_str())
        .optional(rx)
        .await?;
    row.map(Backup::try_from).transpose()
}

/// Whether a disk had such a backup that is deleted by now.
///
/// # Errors
/// What the database says.
pub async fn is_gone(
    rx: &mut ReadTx,
    of: &ResourceId,
    id: &BackupId,
) -> Result<bool, StorageError> {
    let row: Option<(String,)> =
        Sql::new("SELECT id FROM backup WHERE state = 'deleted' AND of_id = ")
            .bind(of.as_str())
            .push(" AND id = ")
            .bind(id.as_str())
            .optional(rx)
            .await?;
    Ok(row.is_some())
}

/// Writes a backup down as one that is being made.
///
/// # Errors
/// What the database says.
pub async fn insert(
    tx: &mut Tx,
    id: &BackupId,
    plan: &ResourceId,
    (of, of_external): (&ResourceId, &str),
    at: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO backup (id, plan_id, of_id, of_external, state, created_at) VALUES ($1, $2, $3, $4, 'making', $5)")
        .bind(id.as_str()).bind(plan.as_str()).bind(of.as_str()).bind(of_external).bind(at.millis())
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// It was made.
///
/// # Errors
/// What the database says.
pub async fn made(
    tx: &mut Tx,
    id: &BackupId,
    external_id: &str,
    size_gb: i64,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE backup SET state = 'kept', external_id = $1, size_gb = $2 WHERE id = $3 AND state = 'making'")
        .bind(external_id).bind(size_gb).bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// It was not made: what there is of it is to be deleted.
///
/// # Errors
/// What the database says.
pub async fn failed(tx: &mut Tx, id: &BackupId, why: &Msg) -> Result<(), StorageError> {
    let text = write_msg("backup", id.as_str(), why)?;
    on!(tx, conn => sqlx::query("UPDATE backup SET state = 'dropping', failure = $1 WHERE id = $2 AND state = 'making'")
        .bind(text).bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// It is kept no longer.
///
/// # Errors
/// What the database says.
pub async fn drop_it(tx: &mut Tx, id: &BackupId) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE backup SET state = 'dropping' WHERE id = $1 AND state <> 'deleted'")
        .bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// It is gone; its row stays.
///
/// # Errors
/// What the database says.
pub async fn gone(tx: &mut Tx, id: &BackupId, at: Timestamp) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE backup SET state = 'deleted', deleted_at = $1 WHERE id = $2 AND state <> 'deleted'")
        .bind(at.millis()).bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}
