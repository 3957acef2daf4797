//! What was submitted, each time it was: the snapshots that people decide on.
use lingbao_model::time::Timestamp;

use super::{ReadTx, Tx, request::Request};
use crate::{error::StorageError, on};

/// Keeps what was submitted: snapshot (JSON) and its digest.
///
/// # Errors
/// What the database says.
pub async fn add_revision(
    tx: &mut Tx,
    request: &Request,
    snapshot: &str,
    at: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO request_revision (request_id, revision, digest, snapshot, at) VALUES ($1, $2, $3, $4, $5)")
        .bind(request.id.as_str()).bind(request.revision).bind(&request.digest).bind(snapshot)
        .bind(at.millis()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The snapshot of the last revision.
///
/// # Errors
/// What the database says.
pub async fn last_snapshot(
    rx: &mut ReadTx,
    request: &Request,
) -> Result<Option<String>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_scalar(
        "SELECT snapshot FROM request_revision WHERE request_id = $1 ORDER BY revision DESC LIMIT 1")
        .bind(request.id.as_str()).fetch_optional(conn).await)?)
}

/// The latest snapshot that had a digest: what somebody was shown.
///
/// # Errors
/// What the database says.
pub async fn snapshot_of_digest(
    rx: &mut ReadTx,
    request: &Request,
    digest: &str,
) -> Result<Option<String>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_scalar(
        "SELECT snapshot FROM request_revision WHERE request_id = $1 AND digest = $2
         ORDER BY revision DESC LIMIT 1")
        .bind(request.id.as_str()).bind(digest).fetch_optional(conn).await)?)
}
