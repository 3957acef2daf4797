//! Tokens of the programming interface. Only their digests are here.

use lingbao_model::{
    id::{TokenId, UserId},
    time::{MINUTE_MS, Timestamp},
    view::{
        page::{MAX_PAGE_ROWS, Page},
        people::{TokenRow, TokenScope},
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
    name: String,
    scope: String,
    created_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl TryFrom<Row> for TokenRow {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("api_token", column, row.id.as_str(), e)
        };
        Ok(Self {
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
            scope: row.scope.parse().map_err(|e| wrong("scope", &e))?,
            created_at: Timestamp::from_millis(row.created_at),
            expires_at: Timestamp::from_millis(row.expires_at),
            used_at: row.used_at.map(Timestamp::from_millis),
            revoked_at: row.revoked_at.map(Timestamp::from_millis),
            name: row.name,
        })
    }
}

/// Writes a token down.
///
/// # Errors
/// What the database says.
pub async fn insert(
    tx: &mut Tx,
    user: &UserId,
    row: &TokenRow,
    digest: &str,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO api_token (id, user_id, name, hash, scope, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(row.id.as_str()).bind(user.as_str()).bind(&row.name).bind(digest)
        .bind(row.scope.as_str()).bind(row.created_at.millis()).bind(row.expires_at.millis())
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// One page of the tokens of a user, the latest first.
///
/// # Errors
/// What the database says.
pub async fn of_user(
    rx: &mut ReadTx,
    user: &UserId,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<TokenRow>, StorageError> {
    let limit = limit.clamp(1, MAX_PAGE_ROWS);
    let total = Sql::new("SELECT 1 FROM api_token WHERE user_id = ")
        .bind(user.as_str())
        .capped_count(rx)
        .await?;
    let mut sql = Sql::new(
        "SELECT id, name, scope, created_at, expires_at, used_at, revoked_at FROM api_token
         WHERE user_id = ",
    )
    .bind(user.as_str());
    if let Some((at, cursor)) = after
        .and_then(Cursor::decode)
        .and_then(|c| Some((c.number()?, c)))
    {
        sql = sql
            .push(" AND (created_at, id) < (")
            .bind(at)
            .push(", ")
            .bind(cursor.id)
            .push(")");
    }
    let rows: Vec<Row> = sql
        .push(" ORDER BY created_at DESC, id DESC LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |row| {
        (row.created_at.to_string(), row.id.clone())
    });
    let rows = rows
        .into_iter()
        .map(TokenRow::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Page { rows, next, total })
}

/// Whether anything has come in by a token of a user.
///
/// # Errors
/// What the database says.
pub async fn used(rx: &mut ReadTx, user: &UserId, id: &TokenId) -> Result<bool, StorageError> {
    let found: Option<i64> = on!(rx, conn => sqlx::query_scalar(
        "SELECT used_at FROM api_token WHERE id = $1 AND user_id = $2 AND used_at IS NOT NULL")
        .bind(id.as_str()).bind(user.as_str()).fetch_optional(conn).await)?;
    Ok(found.is_some())
}

/// Tokens of a user that open something at `now`.
///
/// # Errors
/// What the database says.
pub async fn living(rx: &mut ReadTx, user: &UserId, now: Timestamp) -> Result<i64, StorageError> {
    Ok(on!(rx, conn => sqlx::query_scalar(
        "SELECT count(*) FROM api_token WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2")
        .bind(user.as_str()).bind(now.millis()).fetch_one(conn).await)?)
}

/// Revokes one living token of a user; how many rows that met (0 or 1).
///
/// # Errors
/// What the database says.
pub async fn revoke(
    tx: &mut Tx,
    user: &UserId,
    id: &TokenId,
    now: Timestamp,
) -> Result<u64, StorageError> {
    Ok(on!(tx, conn => sqlx::query(
        "UPDATE api_token SET revoked_at = $1 WHERE id = $2 AND user_id = $3 AND revoked_at IS NULL")
        .bind(now.millis()).bind(id.as_str()).bind(user.as_str())
        .execute(conn).await.map(|done| done.rows_affected()))?)
}

/// Revokes all tokens of a user; how many.
///
/// # Errors
/// What the database says.
pub async fn revoke_all(tx: &mut Tx, user: &UserId, now: Timestamp) -> Result<u64, StorageError> {
    Ok(on!(tx, conn => sqlx::query(
        "UPDATE api_token SET revoked_at = $1 WHERE user_id = $2 AND revoked_at IS NULL")
        .bind(now.millis()).bind(user.as_str())
        .execute(conn).await.map(|done| done.rows_affected()))?)
}

/// A token that opens something.
#[derive(Debug, Clone)]
pub struct Living {
    /// The token.
    pub id: TokenId,
    /// Whose.
    pub user: UserId,
    /// What it may do.
    pub scope: TokenScope,
    /// Whether its last use was noted less than a minute ago.
    pub fresh: bool,
}

/// The token with a digest, if it lives and its owner's account is open.
///
/// # Errors
/// What the database says.
pub async fn by_digest(
    rx: &mut ReadTx,
    digest: &str,
    now: Timestamp,
) -> Result<Option<Living>, StorageError> {
    let row: Option<(String, String, String, Option<i64>)> = on!(rx, conn => sqlx::query_as(
        "SELECT t.id, t.user_id, t.scope, t.used_at FROM api_token t
         JOIN user_account u ON u.id = t.user_id
         WHERE t.hash = $1 AND t.revoked_at IS NULL AND t.expires_at > $2 AND u.active")
        .bind(digest).bind(now.millis()).fetch_optional(conn).await)?;
    row.map(|(id, user, scope, used)| {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("api_token", column, id.as_str(), e)
        };
        Ok(Living {
            id: id.parse().map_err(|e| wrong("id", &e))?,
            user: user.parse().map_err(|e| wrong("user_id", &e))?,
            scope: scope.parse().map_err(|e| wrong("scope", &e))?,
            fresh: used.is_some_and(|at| now.millis() - at < MINUTE_MS),
        })
    })
    .transpose()
}

/// Notes the use of a token.
///
/// # Errors
/// What the database says.
pub async fn touch(tx: &mut Tx, id: &TokenId, now: Timestamp) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE api_token SET used_at = $1 WHERE id = $2")
        .bind(now.millis()).bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}
