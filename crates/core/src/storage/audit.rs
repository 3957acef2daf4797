//! Rows of the tables `audit_event` and `audit_head`. What they mean: [`crate::audit`].
use lingbao_model::time::Timestamp;

use super::{ReadTx, Tx};
use crate::{error::StorageError, on};

/// An audit event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AuditRow {
    /// Its id.
    pub id: String,
    /// Its number in the chain, once sealed.
    pub seq: Option<i64>,
    /// When.
    pub at: i64,
    /// Who: a user's id, `system` or `anonymous`.
    pub actor: String,
    /// What: `request.submit`.
    pub action: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// The kind of thing it was done to.
    pub subject_kind: String,
    /// The thing.
    pub subject_id: String,
    /// Whose matter it is.
    pub unit_id: Option<String>,
    /// Before and after, JSON.
    pub detail: String,
    /// The HTTP request.
    pub request_id: Option<String>,
    /// From where.
    pub ip: Option<String>,
    /// Digest of the session's id.
    pub session: Option<String>,
    /// Hash of the event before.
    pub prev_hash: Option<String>,
    /// Hash over all this.
    pub hash: Option<String>,
}

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct HeadRow {
    /// Number of the last sealed event.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
    /// Signature over both.
    pub mac: String,
}

/// Appends an event, not sealed yet.
pub async fn insert(tx: &mut Tx, row: &AuditRow) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO audit_event (id, at, actor, action, outcome, subject_kind, subject_id, unit_id,
                                  detail, request_id, ip, session)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
        .bind(&row.id).bind(row.at).bind(&row.actor).bind(&row.action).bind(&row.outcome)
        .bind(&row.subject_kind).bind(&row.subject_id).bind(&row.unit_id).bind(&row.detail)
        .bind(&row.request_id).bind(&row.ip).bind(&row.session)
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Whether anything waits to be sealed.
pub async fn anything_unsealed(rx: &mut ReadTx) -> Result<bool, StorageError> {
    let row: Option<i64> = on!(rx, conn => sqlx::query_scalar(
        "SELECT at FROM audit_event WHERE seq IS NULL ORDER BY at, id LIMIT 1")
        .fetch_optional(conn).await)?;
    Ok(row.is_some())
}

/// Takes the end of the chain for this transaction: a second sealer waits here.
pub async fn take_head(tx: &mut Tx, now: Timestamp) -> Result<HeadRow, StorageError> {
    Ok(on!(tx, conn => sqlx::query_as(
        "UPDATE audit_head SET sealed_at = $1 WHERE id = 1 RETURNING seq, hash, mac")
        .bind(now.millis()).fetch_one(conn).await)?)
}

/// The end of the chain, to look at.
pub async fn head(rx: &mut ReadTx) -> Result<HeadRow, StorageError> {
    Ok(
        on!(rx, conn => sqlx::query_as("SELECT seq, hash, mac FROM audit_head WHERE id = 1")
        .fetch_one(conn).await)?,
    )
}

/// Moves the end of the chain.
pub async fn put_head(tx: &mut Tx, head: &HeadRow) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE audit_head SET seq = $1, hash = $2, mac = $3 WHERE id = 1")
        .bind(head.seq).bind(&head.hash).bind(&head.mac)
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The oldest events that wait to be sealed.
pub async fn unsealed(rx: &mut ReadTx, limit: i64) -> Result<Vec<AuditRow>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_as(
        "SELECT id, seq, at, actor, action, outcome, subject_kind, subject_id, unit_id, detail,
                request_id, ip, session, prev_hash, hash
         FROM audit_event WHERE seq IS NULL ORDER BY at, id LIMIT $1")
        .bind(limit).fetch_all(conn).await)?)
}

/// Seals one event.
pub async fn seal(
    tx: &mut Tx,
    id: &str,
    seq: i64,
    prev_hash: &str,
    hash: &str,
) -> Result<(), StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE audit_event SET seq = $2, prev_hash = $3, hash = $4 WHERE id = $1 AND seq IS NULL")
        .bind(id).bind(seq).bind(prev_hash).bind(hash)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "audit_event", id)
}

/// Sealed events after a number, in their order.
pub async fn sealed(
    rx: &mut ReadTx,
    after: i64,
    limit: i64,
) -> Result<Vec<AuditRow>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_as(
        "SELECT id, seq, at, actor, action, outcome, subject_kind, subject_id, unit_id, detail,
                request_id, ip, session, prev_hash, hash
         FROM audit_event WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(after).bind(limit).fetch_all(conn).await)?)
}
