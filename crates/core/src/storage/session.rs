//! Rows of the table `session`. Used by [`crate::session_store`] and by sign-out.
use lingbao_model::{id::UserId, time::Timestamp};

use super::{ReadTx, Tx};
use crate::{error::StorageError, on};

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SessionRow {
    /// Digest of the cookie's value.
    pub id: String,
    /// Whose it is.
    pub user_id: Option<String>,
    /// Its values, JSON.
    pub data: String,
    /// When it began.
    pub created_at: i64,
    /// When the user last did something, exact to a minute.
    pub seen_at: i64,
    /// From when on it is as good as absent.
    pub expires_at: i64,
}

/// Writes a session down; says whether its id was free.
pub async fn insert(tx: &mut Tx, row: &SessionRow) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "INSERT INTO session (id, user_id, data, created_at, seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING")
        .bind(&row.id).bind(&row.user_id).bind(&row.data)
        .bind(row.created_at).bind(row.seen_at).bind(row.expires_at)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Changes a session that is still there; one that was ended meanwhile stays ended.
pub async fn update(tx: &mut Tx, row: &SessionRow) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE session SET user_id = $2, data = $3, seen_at = $4, expires_at = $5 WHERE id = $1")
        .bind(&row.id).bind(&row.user_id).bind(&row.data).bind(row.seen_at).bind(row.expires_at)
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// A session that has not expired.
pub async fn get(
    rx: &mut ReadTx,
    id: &str,
    now: Timestamp,
) -> Result<Option<SessionRow>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_as(
        "SELECT id, user_id, data, created_at, seen_at, expires_at FROM session
         WHERE id = $1 AND expires_at > $2")
        .bind(id).bind(now.millis()).fetch_optional(conn).await)?)
}

/// Whose session it was, of one that has expired and is not forgotten yet.
pub async fn ended(
    rx: &mut ReadTx,
    id: &str,
    now: Timestamp,
) -> Result<Option<String>, StorageError> {
    let row: Option<(Option<String>,)> = on!(rx, conn => sqlx::query_as(
        "SELECT user_id FROM session WHERE id = $1 AND expires_at <= $2")
        .bind(id).bind(now.millis()).fetch_optional(conn).await)?;
    Ok(row.and_then(|(user,)| user))
}

/// Notes that the user did something.
pub async fn touch(
    tx: &mut Tx,
    id: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE session SET seen_at = $2, expires_at = $3 WHERE id = $1 AND expires_at > $2")
        .bind(id).bind(now.millis()).bind(expires_at.millis())
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Ends a session.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("DELETE FROM session WHERE id = $1")
        .bind(id).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Ends all sessions of a user but, where given, this one. Returns how many.
pub async fn delete_of_user(
    tx: &mut Tx,
    user: &UserId,
    but: Option<&str>,
) -> Result<u64, StorageError> {
    Ok(
        on!(tx, conn => sqlx::query("DELETE FROM session WHERE user_id = $1 AND id <> $2")
        .bind(user.as_str()).bind(but.unwrap_or_default())
        .execute(conn).await.map(|done| done.rows_affected()))?,
    )
}

/// Forgets sessions that expired until then. Returns how many.
pub async fn delete_expired(tx: &mut Tx, until: Timestamp) -> Result<u64, StorageError> {
    Ok(
        on!(tx, conn => sqlx::query("DELETE FROM session WHERE expires_at <= $1")
        .bind(until.millis()).execute(conn).await.map(|done| done.rows_affected()))?,
    )
}
