//! One-time passwords of delivered servers: wrapped, shown once, then gone.

use std::collections::BTreeSet;

use lingbao_model::{
    id::{RequestId, ResourceId, UserId},
    time::Timestamp,
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// A one-time password that waits to be shown.
///
/// # Errors
/// What the database says.
pub async fn keep(
    tx: &mut Tx,
    resource: &ResourceId,
    wrapped: &str,
    at: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO delivery_secret (resource_id, wrapped, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (resource_id) DO NOTHING")
        .bind(resource.as_str()).bind(wrapped).bind(at.millis()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// A new one-time password in the place of the old one.
///
/// # Errors
/// What the database says.
pub async fn renew(
    tx: &mut Tx,
    resource: &ResourceId,
    wrapped: &str,
    at: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO delivery_secret (resource_id, wrapped, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (resource_id) DO UPDATE SET wrapped = excluded.wrapped, created_at = excluded.created_at,
           shown_at = NULL, shown_to = NULL")
        .bind(resource.as_str()).bind(wrapped).bind(at.millis()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// A password that opens nothing any more need not be shown.
///
/// # Errors
/// What the database says.
pub async fn forget(tx: &mut Tx, resource: &ResourceId) -> Result<(), StorageError> {
    Sql::new("DELETE FROM delivery_secret WHERE resource_id = ")
        .bind(resource.as_str())
        .run(tx)
        .await
        .map(|_| ())
}

/// Whether a one-time password waits.
///
/// # Errors
/// What the database says.
pub async fn waits(rx: &mut ReadTx, resource: &ResourceId) -> Result<bool, StorageError> {
    Sql::new("SELECT count(*) FROM delivery_secret WHERE wrapped IS NOT NULL AND resource_id = ")
        .bind(resource.as_str())
        .number(rx)
        .await
        .map(|n| n > 0)
}

/// The resources of a request whose one-time password waits.
///
/// # Errors
/// What the database says.
pub async fn waiting_of(
    rx: &mut ReadTx,
    request: &RequestId,
) -> Result<BTreeSet<String>, StorageError> {
    let rows: Vec<(String,)> = Sql::new(
        "SELECT s.resource_id FROM delivery_secret s JOIN resource r ON r.id = s.resource_id
         WHERE s.wrapped IS NOT NULL AND r.request_id = ",
    )
    .bind(request.as_str())
    .all(rx)
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Takes the one-time password out: it is gone afterwards. `None` if it was shown already.
///
/// # Errors
/// What the database says.
pub async fn take(
    tx: &mut Tx,
    resource: &ResourceId,
    user: &UserId,
    at: Timestamp,
) -> Result<Option<String>, StorageError> {
    let wrapped: Option<(Option<String>,)> =
        Sql::new("SELECT wrapped FROM delivery_secret WHERE resource_id = ")
            .bind(resource.as_str())
            .optional(tx)
            .await?;
    let Some(Some(wrapped)) = wrapped.map(|(w,)| w) else {
        return Ok(None);
    };
    let rows = on!(tx, conn => sqlx::query("UPDATE delivery_secret SET wrapped = NULL, shown_at = $1, shown_to = $2
         WHERE resource_id = $3 AND wrapped IS NOT NULL")
        .bind(at.millis()).bind(user.as_str()).bind(resource.as_str()).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok((rows == 1).then_some(wrapped))
}
