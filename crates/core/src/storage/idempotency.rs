//! Rows of the table `idempotency_key`. What they mean: [`crate::idempotency`].
use lingbao_model::{id::UserId, time::Timestamp};

use super::{ReadTx, Tx};
use crate::{error::StorageError, on};

/// A kept answer.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct KeyRow {
    /// Of the request it answered.
    pub digest: String,
    /// HTTP status.
    pub status: i64,
    /// Body.
    pub response: String,
}

/// The answer that was kept under a key.
pub async fn get(
    rx: &mut ReadTx,
    user: &UserId,
    key: &str,
    since: Timestamp,
) -> Result<Option<KeyRow>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_as(
        "SELECT digest, status, response FROM idempotency_key
         WHERE user_id = $1 AND key = $2 AND created_at > $3")
        .bind(user.as_str()).bind(key).bind(since.millis()).fetch_optional(conn).await)?)
}

/// Writes a row down unless the key is taken; an outdated row of the same key gives way. Says
/// whether it did.
pub async fn insert(
    tx: &mut Tx,
    user: &UserId,
    key: &str,
    row: &KeyRow,
    now: Timestamp,
    since: Timestamp,
) -> Result<bool, StorageError> {
    on!(tx, conn => sqlx::query(
        "DELETE FROM idempotency_key WHERE user_id = $1 AND key = $2 AND created_at <= $3")
        .bind(user.as_str()).bind(key).bind(since.millis())
        .execute(conn).await.map(|_| ()))?;
    let rows = on!(tx, conn => sqlx::query(
        "INSERT INTO idempotency_key (user_id, key, digest, status, response, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING")
        .bind(user.as_str()).bind(key).bind(&row.digest).bind(row.status).bind(&row.response)
        .bind(now.millis()).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Puts the answer in the place of a claim. Says whether the claim was there.
pub async fn answer(
    tx: &mut Tx,
    user: &UserId,
    key: &str,
    whose: &str,
    row: &KeyRow,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE idempotency_key SET status = $4, response = $5
         WHERE user_id = $1 AND key = $2 AND status = 0 AND response = $3")
        .bind(user.as_str()).bind(key).bind(whose).bind(row.status).bind(&row.response)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Forgets answers that were kept before a moment.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> Result<u64, StorageError> {
    Ok(
        on!(tx, conn => sqlx::query("DELETE FROM idempotency_key WHERE created_at <= $1")
        .bind(before.millis()).execute(conn).await.map(|done| done.rows_affected()))?,
    )
}
