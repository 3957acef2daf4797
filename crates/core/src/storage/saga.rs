//! Rows of the tables `saga`, `saga_step` and `operation`. What they mean: [`crate::saga`].
use lingbao_model::{
    id::{OperationRef, SagaId},
    time::Timestamp,
};

use super::{ReadTx, Tx};
use crate::{error::StorageError, on};

/// A saga as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SagaRow {
    /// Its id.
    pub id: String,
    /// Which list of steps.
    pub kind: String,
    /// Which version of the list.
    pub version: i64,
    /// What it works for.
    pub subject: String,
    /// From which the steps are made, JSON.
    pub params: String,
    /// `running`, `stuck`, `done`, `unwinding`, `undone` or `residue`.
    pub state: String,
    /// Why it unwinds: a message, JSON.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: i64,
    /// When it last moved.
    pub updated_at: i64,
    /// When it ended.
    pub finished_at: Option<i64>,
}

/// The progress of one step, with its operation.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StepRow {
    /// From 0.
    pub position: i64,
    /// Its name.
    pub name: String,
    /// `pending`, `doing`, `done`, `undoing`, `undone`, `stuck` or `residue`.
    pub state: String,
    /// Failed attempts in this direction.
    pub attempt: i64,
    /// So many of them got no answer at all.
    pub silences: i64,
    /// What it waits for, while it waits.
    pub wait_reason: Option<String>,
    /// Until when an answer that was lost may still show itself; `None` if none was.
    pub unsure_until: Option<i64>,
    /// What it gave to later steps, JSON; there exactly if it was done once.
    pub output: Option<String>,
    /// The last failure.
    pub error: Option<String>,
    /// When it began.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// The operation at the backend, from before the first call on.
    pub operation_id: Option<String>,
    /// How often something that came late was swept away.
    pub swept: Option<i64>,
}

/// Which sagas to list.
#[derive(Debug, Clone, Default)]
pub struct SagaFilter {
    /// In this state only.
    pub state: Option<String>,
    /// Of this kind only.
    pub kind: Option<String>,
    /// For this subject only.
    pub subject: Option<String>,
    /// Older than this one (the last of the page before).
    pub before: Option<String>,
    /// At most so many; 50 if 0.
    pub limit: i64,
}

/// An undone operation under which something may still appear.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TombstoneRow {
    /// The operation.
    pub id: String,
    /// Its saga.
    pub saga_id: String,
    /// Its step.
    pub position: i64,
}

/// Writes a saga down.
pub async fn insert(
    tx: &mut Tx,
    id: &SagaId,
    (kind, version): (&str, i64),
    subject: &str,
    params: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO saga (id, kind, version, subject, params, state, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'running', $6, $6)")
        .bind(id.as_str()).bind(kind).bind(version).bind(subject).bind(params).bind(now.millis())
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Writes the steps down, once.
pub async fn plan(tx: &mut Tx, id: &SagaId, names: &[String]) -> Result<(), StorageError> {
    for (name, position) in names.iter().zip(0_i64..) {
        on!(tx, conn => sqlx::query(
            "INSERT INTO saga_step (saga_id, position, name, state) VALUES ($1, $2, $3, 'pending')
             ON CONFLICT DO NOTHING")
            .bind(id.as_str()).bind(position).bind(name)
            .execute(conn).await.map(|_| ()))?;
    }
    Ok(())
}

/// One saga.
pub async fn get(rx: &mut ReadTx, id: &SagaId) -> Result<Option<SagaRow>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_as(
        "SELECT id, kind, version, subject, params, state, reason, created_at, updated_at,
                finished_at
         FROM saga WHERE id = $1")
        .bind(id.as_str()).fetch_optional(conn).await)?)
}

/// Sagas, youngest first.
pub async fn list(rx: &mut ReadTx, filter: &SagaFilter) -> Result<Vec<SagaRow>, StorageError> {
    let limit = if filter.limit == 0 { 50 } else { filter.limit };
    Ok(on!(rx, conn => sqlx::query_as(
        "SELECT id, kind, version, subject, params, state, reason, created_at, updated_at,
                finished_at
         FROM saga
         WHERE ($1 IS NULL OR state = $1) AND ($2 IS NULL OR kind = $2)
           AND ($3 IS NULL OR subject = $3) AND ($4 IS NULL OR id < $4)
         ORDER BY id DESC LIMIT $5")
        .bind(&filter.state).bind(&filter.kind).bind(&filter.subject).bind(&filter.before)
        .bind(limit).fetch_all(conn).await)?)
}

/// Whether a saga for this subject has not ended.
pub async fn stands_for(rx: &mut ReadTx, subject: &str) -> Result<bool, StorageError> {
    let row: (i64,) = on!(rx, conn => sqlx::query_as(
        "SELECT count(*) FROM saga
         WHERE subject = $1 AND state IN ('running', 'stuck', 'unwinding', 'residue')")
        .bind(subject).fetch_one(conn).await)?;
    Ok(row.0 > 0)
}

/// The steps of a saga in order.
pub async fn steps(rx: &mut ReadTx, id: &SagaId) -> Result<Vec<StepRow>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_as(
        "SELECT s.position, s.name, s.state, s.attempt, s.silences, s.wait_reason, s.unsure_until, s.output,
                s.error, s.started_at, s.finished_at, o.id AS operation_id, o.swept
         FROM saga_step s
         LEFT JOIN operation o ON o.saga_id = s.saga_id AND o.position = s.position
         WHERE s.saga_id = $1 ORDER BY s.position")
        .bind(id.as_str()).fetch_all(conn).await)?)
}

/// Moves a saga from one state to another; says whether it was in the first. A `reason` replaces
/// the old one only if there is one.
pub async fn transit(
    tx: &mut Tx,
    id: &SagaId,
    (from, to): (&str, &str),
    reason: Option<&str>,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let ended = matches!(to, "done" | "undone" | "residue").then_some(now.millis());
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE saga SET state = $3, reason = COALESCE($4, reason), updated_at = $5,
                finished_at = $6
         WHERE id = $1 AND state = $2")
        .bind(id.as_str()).bind(from).bind(to).bind(reason).bind(now.millis()).bind(ended)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// What changes in a step.
#[derive(Debug)]
pub struct StepChange<'a> {
    /// The new state.
    pub state: &'a str,
    /// Failed attempts in this direction.
    pub attempt: i64,
    /// So many of them got no answer at all.
    pub silences: i64,
    /// What it waits for.
    pub wait_reason: Option<&'a str>,
    /// Until when an answer that was lost may still show itself.
    pub unsure_until: Option<i64>,
    /// The last failure.
    pub error: Option<&'a str>,
    /// Its output; the old one stays when absent.
    pub output: Option<&'a str>,
}

/// Writes the progress of a step down.
pub async fn change_step(
    tx: &mut Tx,
    id: &SagaId,
    position: i64,
    change: &StepChange<'_>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let ended =
        matches!(change.state, "done" | "undone" | "residue" | "stuck").then_some(now.millis());
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE saga_step SET state = $3, attempt = $4, wait_reason = $5, error = $6,
                output = COALESCE($7, output), started_at = COALESCE(started_at, $8),
                finished_at = $9, unsure_until = $10, silences = $11
         WHERE saga_id = $1 AND position = $2")
        .bind(id.as_str()).bind(position).bind(change.state).bind(change.attempt)
        .bind(change.wait_reason).bind(change.error).bind(change.output).bind(now.millis())
        .bind(ended).bind(change.unsure_until).bind(change.silences)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "saga_step", id.as_str())
}

/// Puts steps of one state back into another with fresh attempts.
pub async fn reset_steps(
    tx: &mut Tx,
    id: &SagaId,
    from: &str,
    to: &str,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE saga_step SET state = $3, attempt = 0, silences = 0, wait_reason = NULL, finished_at = NULL
         WHERE saga_id = $1 AND state = $2")
        .bind(id.as_str()).bind(from).bind(to)
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Writes an operation down before its first call.
pub async fn open_operation(
    tx: &mut Tx,
    operation: &OperationRef,
    id: &SagaId,
    position: i64,
    now: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO operation (id, saga_id, position, state, created_at)
         VALUES ($1, $2, $3, 'open', $4)")
        .bind(operation.as_str()).bind(id.as_str()).bind(position).bind(now.millis())
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Marks an operation as done.
pub async fn finish_operation(tx: &mut Tx, operation: &str) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE operation SET state = 'done' WHERE id = $1")
        .bind(operation).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Puts a tombstone on an operation: what appears under it from now on is to be swept away.
pub async fn bury_operation(
    tx: &mut Tx,
    operation: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE operation SET state = 'tombstone', buried_at = $2 WHERE id = $1")
        .bind(operation).bind(now.millis()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Closes an operation whose step is undone and leaves what it did: nothing is looked for under it.
pub async fn close_operation(tx: &mut Tx, operation: &str) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE operation SET state = 'closed' WHERE id = $1")
        .bind(operation).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Operations whose step is undone and whose tombstone still stands, oldest first, after `after`.
pub async fn tombstones(
    rx: &mut ReadTx,
    after: &str,
    limit: i64,
) -> Result<Vec<TombstoneRow>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_as(
        "SELECT o.id, o.saga_id, o.position FROM operation o
         JOIN saga_step s ON s.saga_id = o.saga_id AND s.position = o.position
         WHERE o.state = 'tombstone' AND s.state = 'undone' AND o.id > $1
         ORDER BY o.id LIMIT $2")
        .bind(after).bind(limit).fetch_all(conn).await)?)
}

/// Counts something that had to be swept away.
pub async fn count_swept(tx: &mut Tx, operation: &str) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE operation SET swept = swept + 1 WHERE id = $1")
        .bind(operation).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Takes away the tombstones that were set before a moment.
pub async fn close_tombstones(tx: &mut Tx, before: Timestamp) -> Result<u64, StorageError> {
    Ok(on!(tx, conn => sqlx::query(
        "UPDATE operation SET state = 'closed' WHERE state = 'tombstone' AND buried_at < $1
           AND EXISTS (SELECT 1 FROM saga_step s WHERE s.saga_id = operation.saga_id
                         AND s.position = operation.position AND s.state = 'undone')")
        .bind(before.millis()).execute(conn).await.map(|done| done.rows_affected()))?)
}
