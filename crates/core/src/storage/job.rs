//! Rows of the table `job`. What they mean and how they are used: [`crate::jobs`].
use lingbao_model::{id::JobId, time::Timestamp, view::page::Total};

use sqlx::AssertSqlSafe;

use super::{ReadTx, Tx, db::Engine, operation, sql::Sql};
use crate::{error::StorageError, on};

/// Where "not before" lies while a job waits for a person: it never comes by itself.
pub const NEVER: i64 = i64::MAX;

/// A job to be written down.
#[derive(Debug)]
pub struct NewJob<'a> {
    /// Its id.
    pub id: JobId,
    /// Which handler runs it.
    pub kind: &'a str,
    /// JSON for the handler.
    pub payload: String,
    /// At so many failures it is stuck.
    pub max_attempts: i64,
    /// Not before.
    pub run_at: Timestamp,
    /// At most one living job of the kind has this key.
    pub dedup_key: Option<String>,
    /// At most one job of the kind, living or not, stands for this period.
    pub period: Option<String>,
    /// The HTTP request that asked for it.
    pub request_id: Option<&'a str>,
    /// Who asked for it.
    pub actor: &'a str,
    /// When.
    pub now: Timestamp,
}

/// What a claim gave out.
#[derive(Debug, Clone)]
pub struct ClaimRow {
    /// The job.
    pub id: JobId,
    /// Its kind.
    pub kind: String,
    /// Its JSON.
    pub payload: String,
    /// Failures so far.
    pub attempt: i64,
    /// The fencing token.
    pub fence: i64,
    /// The HTTP request that asked for it.
    pub request_id: Option<String>,
}

/// A job as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct JobRow {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Its JSON.
    pub payload: String,
    /// `ready`, `running`, `waiting`, `done`, `stuck` or `discarded`.
    pub status: String,
    /// Failures so far.
    pub attempt: i64,
    /// At so many it is stuck.
    pub max_attempts: i64,
    /// Not before (Unix milliseconds).
    pub run_at: i64,
    /// Which worker has it.
    pub lease_by: Option<String>,
    /// Until when.
    pub lease_until: Option<i64>,
    /// What it waits for.
    pub wait_reason: Option<String>,
    /// The last failure.
    pub error: Option<String>,
    /// The HTTP request that asked for it.
    pub request_id: Option<String>,
    /// Who asked for it.
    pub actor: Option<String>,
    /// When it was asked for.
    pub created_at: i64,
    /// When a worker last took it.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Of this status only.
    pub status: Option<String>,
    /// Of this kind only.
    pub kind: Option<String>,
    /// For the request with this number, or for a saga that works for it.
    pub request: Option<String>,
    /// Older than this one (the last of the page before).
    pub before: Option<String>,
    /// At most so many; 50 if 0.
    pub limit: i64,
}

/// How many jobs of a kind are in a status.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct JobCount {
    /// The kind.
    pub kind: String,
    /// The status.
    pub status: String,
    /// How many.
    pub count: i64,
    /// The earliest `run_at` among them.
    pub oldest: i64,
}

/// Writes a job down, unless its key or period is taken. Says whether it did.
pub async fn insert(tx: &mut Tx, job: &NewJob<'_>) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "INSERT INTO job (id, kind, payload, status, max_attempts, run_at, dedup_key, period,
                          request_id, actor, created_at)
         VALUES ($1, $2, $3, 'ready', $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT DO NOTHING")
        .bind(job.id.as_str())
        .bind(job.kind)
        .bind(&job.payload)
        .bind(job.max_attempts)
        .bind(job.run_at.millis())
        .bind(&job.dedup_key)
        .bind(&job.period)
        .bind(job.request_id)
        .bind(job.actor)
        .bind(job.now.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Tells the living job of this key that it is wanted: one that waits becomes due at `run_at`, one
/// that runs will run again, one that is ready needs nothing. Says whether there is one.
pub async fn signal(
    tx: &mut Tx,
    kind: &str,
    dedup_key: &str,
    run_at: Timestamp,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE job
         SET woken = CASE WHEN status = 'running' THEN TRUE ELSE woken END,
             run_at = CASE WHEN status = 'waiting' AND run_at > $3 THEN $3 ELSE run_at END
         WHERE kind = $1 AND dedup_key = $2 AND status IN ('ready', 'waiting', 'running')")
        .bind(kind).bind(dedup_key).bind(run_at.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}

/// Takes the next job that is due. Exact on both engines: the outer WHERE looks at the status
/// again, and whoever comes second changes no row.
pub async fn claim(
    tx: &mut Tx,
    worker: &str,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<ClaimRow>, StorageError> {
    // On PostgreSQL the workers step around each other's rows instead of racing for the first.
    let sql = match tx.engine() {
        Engine::Sqlite => {
            "UPDATE job SET status = 'running', fence = fence + 1, lease_until = $2, lease_by = $3,
                    woken = FALSE, wait_reason = NULL, started_at = $1
             WHERE status IN ('ready', 'waiting') AND id = (
                 SELECT id FROM job WHERE status IN ('ready', 'waiting') AND run_at <= $1
                 ORDER BY run_at, id LIMIT 1)
             RETURNING id, kind, payload, attempt, fence, request_id"
        }
        Engine::Postgres => {
            "UPDATE job SET status = 'running', fence = fence + 1, lease_until = $2, lease_by = $3,
                    woken = FALSE, wait_reason = NULL, started_at = $1
             WHERE status IN ('ready', 'waiting') AND id = (
                 SELECT id FROM job WHERE status IN ('ready', 'waiting') AND run_at <= $1
                 ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING id, kind, payload, attempt, fence, request_id"
        }
    };
    let row: Option<(String, String, String, i64, i64, Option<String>)> = on!(tx, conn => sqlx::query_as(sql)
            .bind(now.millis()).bind(lease_until.millis()).bind(worker)
            .fetch_optional(conn).await)?;
    row.map(|(id, kind, payload, attempt, fence, request_id)| {
        let id = JobId::try_from(id.clone())
            .map_err(|error| StorageError::inconsistent("job", "id", id, error))?;
        Ok(ClaimRow {
            id,
            kind,
            payload,
            attempt,
            fence,
            request_id,
        })
    })
    .transpose()
}

/// Whether a job is due, or a lease has run out: a look that takes no lock.
pub async fn anything_due(rx: &mut ReadTx, now: Timestamp) -> Result<bool, StorageError> {
    let due: i64 = on!(rx, conn => sqlx::query_scalar(
        "SELECT count(*) FROM (
             SELECT 1 FROM (SELECT id FROM job
                WHERE status IN ('ready', 'waiting') AND run_at <= $1 LIMIT 1) due
             UNION ALL
             SELECT 1 FROM (SELECT id FROM job
                WHERE status = 'running' AND lease_until < $1 LIMIT 1) late) any_of_them")
        .bind(now.millis()).fetch_one(conn).await)?;
    Ok(due > 0)
}

/// When the next job is due, if that is before `until`: a look that takes no lock.
pub async fn next_due(
    rx: &mut ReadTx,
    until: Timestamp,
) -> Result<Option<Timestamp>, StorageError> {
    let next: Option<i64> = on!(rx, conn => sqlx::query_scalar(
        "SELECT run_at FROM job WHERE status IN ('ready', 'waiting') AND run_at < $1
         ORDER BY run_at, id LIMIT 1")
        .bind(until.millis()).fetch_optional(conn).await)?;
    Ok(next.map(Timestamp::from_millis))
}

/// Makes due at once what waits for a moment until `until`. What somebody else tells just now is left
/// to them.
pub async fn hasten(
    tx: &mut Tx,
    kind: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<u64, StorageError> {
    let skip = match tx.engine() {
        Engine::Sqlite => "",
        Engine::Postgres => " FOR UPDATE SKIP LOCKED",
    };
    let sql = format!(
        "UPDATE job SET run_at = $2
         WHERE id IN (SELECT id FROM job WHERE kind = $1 AND status = 'waiting'
                        AND run_at > $2 AND run_at <= $3{skip})"
    );
    Ok(on!(tx, conn => sqlx::query(AssertSqlSafe(sql.as_str()))
        .bind(kind).bind(now.millis()).bind(until.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?)
}

/// Checks the fencing token and prolongs the lease. From here to the commit nobody else can take
/// the job: on PostgreSQL its row is locked, on SQLite everything is. Says whether the lease held.
pub async fn fence(
    tx: &mut Tx,
    id: &JobId,
    fence: i64,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE job SET lease_until = $4
         WHERE id = $1 AND fence = $2 AND status = 'running' AND lease_until > $3")
        .bind(id.as_str()).bind(fence).bind(now.millis()).bind(lease_until.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Ends a claim well: the job is done, or ready again if a signal came while it ran.
pub async fn complete(
    tx: &mut Tx,
    id: &JobId,
    fence: i64,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE job SET status = CASE WHEN woken THEN 'ready' ELSE 'done' END,
                run_at = CASE WHEN woken THEN $3 ELSE run_at END,
                finished_at = CASE WHEN woken THEN NULL ELSE $3 END,
                woken = FALSE, lease_until = NULL, lease_by = NULL, error = NULL, attempt = 0
         WHERE id = $1 AND fence = $2 AND status = 'running'")
        .bind(id.as_str()).bind(fence).bind(now.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Ends a claim by waiting, without a lease and without an attempt: until a moment, or for a
/// signal. A signal that came meanwhile makes the job due at once.
pub async fn park(
    tx: &mut Tx,
    id: &JobId,
    fence: i64,
    until: Option<Timestamp>,
    reason: &str,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE job SET status = 'waiting', run_at = CASE WHEN woken THEN $3 ELSE $4 END,
                wait_reason = $5, woken = FALSE, lease_until = NULL, lease_by = NULL
         WHERE id = $1 AND fence = $2 AND status = 'running'")
        .bind(id.as_str()).bind(fence).bind(now.millis())
        .bind(until.map_or(NEVER, Timestamp::millis)).bind(reason)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Ends a claim badly: ready again at `again_at`, or stuck at the last attempt. `None` is stuck at
/// once.
pub async fn failed(
    tx: &mut Tx,
    id: &JobId,
    fence: i64,
    error: &str,
    again_at: Option<Timestamp>,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE job SET status = CASE WHEN $3 AND attempt + 1 < max_attempts THEN 'ready' ELSE 'stuck' END,
                attempt = attempt + 1, run_at = $4, error = $5,
                woken = FALSE, lease_until = NULL, lease_by = NULL
         WHERE id = $1 AND fence = $2 AND status = 'running'")
        .bind(id.as_str()).bind(fence).bind(again_at.is_some())
        .bind(again_at.map_or(NEVER, Timestamp::millis)).bind(error)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Gives a claim back untouched: the worker stops.
pub async fn release(
    tx: &mut Tx,
    id: &JobId,
    fence: i64,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE job SET status = 'ready', run_at = $3, woken = FALSE,
                lease_until = NULL, lease_by = NULL
         WHERE id = $1 AND fence = $2 AND status = 'running'")
        .bind(id.as_str()).bind(fence).bind(now.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Takes the jobs away from workers whose lease has run out. That costs an attempt, so that a job
/// which kills its worker is stuck one day. Returns how many.
pub async fn release_expired(tx: &mut Tx, now: Timestamp) -> Result<u64, StorageError> {
    // On PostgreSQL a job whose row a standing worker still locks does not keep the others waiting.
    let skip = match tx.engine() {
        Engine::Sqlite => "",
        Engine::Postgres => " FOR UPDATE SKIP LOCKED",
    };
    let sql = format!(
        "UPDATE job SET status = CASE WHEN attempt + 1 < max_attempts THEN 'ready' ELSE 'stuck' END,
                attempt = attempt + 1, fence = fence + 1, run_at = $1, woken = FALSE,
                error = 'the worker ' || COALESCE(lease_by, '') || ' let its lease run out',
                lease_until = NULL, lease_by = NULL
         WHERE id IN (SELECT id FROM job WHERE status = 'running' AND lease_until < $1{skip})"
    );
    Ok(on!(tx, conn => sqlx::query(AssertSqlSafe(sql.as_str()))
        .bind(now.millis()).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// An operator's retry of a stuck job. `false` when it is not stuck, or a younger job of its key
/// lives.
pub async fn retry(tx: &mut Tx, id: &JobId, now: Timestamp) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE job SET status = 'ready', attempt = 0, run_at = $2
         WHERE id = $1 AND status = 'stuck' AND NOT EXISTS (
             SELECT 1 FROM job other WHERE other.kind = job.kind
                AND other.dedup_key = job.dedup_key
                AND other.status IN ('ready', 'waiting', 'running'))")
        .bind(id.as_str()).bind(now.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// An operator's discard of a job that does not run.
pub async fn discard(tx: &mut Tx, id: &JobId, now: Timestamp) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE job SET status = 'discarded', finished_at = $2
         WHERE id = $1 AND status IN ('stuck', 'ready', 'waiting')")
        .bind(id.as_str()).bind(now.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// One job.
pub async fn get(rx: &mut ReadTx, id: &JobId) -> Result<Option<JobRow>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_as(
        "SELECT id, kind, payload, status, attempt, max_attempts, run_at, lease_by, lease_until,
                wait_reason, error, request_id, actor, created_at, started_at, finished_at
         FROM job WHERE id = $1")
        .bind(id.as_str()).fetch_optional(conn).await)?)
}

fn narrowed(sql: Sql, filter: &JobFilter) -> Sql {
    let sql = sql
        .maybe(" AND status = ", filter.status.as_deref())
        .maybe(" AND kind = ", filter.kind.as_deref());
    let Some(number) = &filter.request else {
        return sql;
    };
    // Jobs that work for a request or a saga have its id as their key.
    let of = sql
        .push(" AND dedup_key IN (SELECT x.id FROM request x WHERE x.number = ")
        .bind(number)
        .push(" UNION ALL SELECT s.id FROM saga s WHERE TRUE");
    operation::of_request(of, number).push(")")
}

/// Jobs, youngest first.
pub async fn list(rx: &mut ReadTx, filter: &JobFilter) -> Result<Vec<JobRow>, StorageError> {
    let limit = if filter.limit == 0 { 50 } else { filter.limit };
    let all = Sql::new(
        "SELECT id, kind, payload, status, attempt, max_attempts, run_at, lease_by, lease_until,
                wait_reason, error, request_id, actor, created_at, started_at, finished_at
         FROM job WHERE TRUE",
    );
    narrowed(all, filter)
        .maybe(" AND id < ", filter.before.as_deref())
        .push(" ORDER BY id DESC LIMIT ")
        .bind(limit)
        .all(rx)
        .await
}

/// How many jobs a filter leaves, wherever the page begins.
pub async fn count(rx: &mut ReadTx, filter: &JobFilter) -> Result<Total, StorageError> {
    narrowed(Sql::new("SELECT 1 FROM job WHERE TRUE"), filter)
        .capped_count(rx)
        .await
}

/// How many living and stuck jobs there are, by kind and status.
pub async fn counts(rx: &mut ReadTx) -> Result<Vec<JobCount>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_as(
        "SELECT kind, status, count(*) AS count, MIN(run_at) AS oldest FROM job
         WHERE status IN ('ready', 'waiting', 'running', 'stuck')
         GROUP BY kind, status ORDER BY kind, status")
        .fetch_all(conn).await)?)
}

/// Forgets jobs that ended before a moment; periodic ones, of which there are many, before another.
pub async fn purge(
    tx: &mut Tx,
    before: Timestamp,
    periodic_before: Timestamp,
) -> Result<u64, StorageError> {
    Ok(on!(tx, conn => sqlx::query(
        "DELETE FROM job WHERE status IN ('done', 'discarded')
           AND (finished_at < $1 OR (period IS NOT NULL AND finished_at < $2))")
        .bind(before.millis()).bind(periodic_before.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?)
}
