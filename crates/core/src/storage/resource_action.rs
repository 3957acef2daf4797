//! What is being done to a resource right now: one thing at a time.

use lingbao_model::{
    id::{RequestId, ResourceId, SagaId, UserId},
    time::Timestamp,
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// Books a resource for a change. `false` if another change is under way.
///
/// # Errors
/// What the database says.
pub async fn begin(
    tx: &mut Tx,
    resource: &ResourceId,
    saga: &SagaId,
    kind: &str,
    actor: &str,
    at: Timestamp,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query("INSERT INTO resource_action (resource_id, saga_id, kind, started_at, actor)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (resource_id) DO NOTHING")
        .bind(resource.as_str()).bind(saga.as_str()).bind(kind).bind(at.millis()).bind(actor)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Makes whoever else wants to change the resource wait for this transaction.
///
/// # Errors
/// What the database says.
pub async fn lock(tx: &mut Tx, resource: &ResourceId) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE resource SET version = version WHERE id = $1")
        .bind(resource.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The change is over.
///
/// # Errors
/// What the database says.
pub async fn end(tx: &mut Tx, resource: &ResourceId, saga: &SagaId) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("DELETE FROM resource_action WHERE resource_id = $1 AND saga_id = $2")
        .bind(resource.as_str()).bind(saga.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Notes that a form was sent. `false` if the same form came before: its act is not done again.
///
/// # Errors
/// What the database says.
pub async fn note_form(
    tx: &mut Tx,
    form: &str,
    user: &UserId,
    resource: &ResourceId,
    at: Timestamp,
) -> Result<bool, StorageError> {
    // Apart from the forms of requests, whose subjects are requests.
    let form = format!("act:{form}");
    let rows = on!(tx, conn => sqlx::query("INSERT INTO sent_form (form_id, user_id, subject_id, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (form_id) DO NOTHING")
        .bind(&form).bind(user.as_str()).bind(resource.as_str()).bind(at.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Which change is under way: `start`, `stop`, `release`, `restart`, `snapshot`, `delete_snapshot`,
/// `restore`, `restore_backup`, `attach`, `detach`, `rules`, `password`, `reinstall`, `erase`.
///
/// # Errors
/// What the database says.
pub async fn current(
    rx: &mut ReadTx,
    resource: &ResourceId,
) -> Result<Option<String>, StorageError> {
    let row: Option<(String,)> = Sql::new("SELECT kind FROM resource_action WHERE resource_id = ")
        .bind(resource.as_str())
        .optional(rx)
        .await?;
    Ok(row.map(|(kind,)| kind))
}

/// The release request of a resource that is still open.
///
/// # Errors
/// What the database says.
pub async fn open_release(
    rx: &mut ReadTx,
    resource: &ResourceId,
) -> Result<Option<RequestId>, StorageError> {
    let row: Option<(String,)> = Sql::new(
        "SELECT q.id FROM request_release l JOIN request q ON q.id = l.request_id
         WHERE q.status IN ('in_approval', 'returned', 'approved') AND l.resource_id = ",
    )
    .bind(resource.as_str())
    .push(" ORDER BY q.id LIMIT 1")
    .optional(rx)
    .await?;
    row.map(|(id,)| {
        id.parse()
            .map_err(|e| StorageError::inconsistent("request", "id", id.as_str(), e))
    })
    .transpose()
}
