//! The resource that a change request is about, and the change as it was submitted last.

use lingbao_model::{
    change::{CopyId, Plan},
    id::{RequestId, ResourceId},
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// Writes down what a request changes; a resubmit writes over it.
///
/// # Errors
/// What the database says.
pub async fn put(
    tx: &mut Tx,
    request: &RequestId,
    resource: &ResourceId,
    plan: &Plan,
) -> Result<(), StorageError> {
    let plan = serde_json::to_string(plan)
        .map_err(|e| StorageError::inconsistent("request_change", "plan", request.as_str(), e))?;
    on!(tx, conn => sqlx::query("INSERT INTO request_change (request_id, resource_id, plan) VALUES ($1, $2, $3)
         ON CONFLICT (request_id) DO UPDATE SET plan = excluded.plan")
        .bind(request.as_str()).bind(resource.as_str()).bind(&plan).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// What a request changes; `None` if it is no change.
///
/// # Errors
/// What the database says.
pub async fn get(
    rx: &mut ReadTx,
    request: &RequestId,
) -> Result<Option<(ResourceId, Plan)>, StorageError> {
    let row: Option<(String, String)> =
        Sql::new("SELECT resource_id, plan FROM request_change WHERE request_id = ")
            .bind(request.as_str())
            .optional(rx)
            .await?;
    row.map(|(resource, plan)| {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("request_change", column, request.as_str(), e)
        };
        Ok((
            resource.parse().map_err(|e| wrong("resource_id", &e))?,
            serde_json::from_str(&plan).map_err(|e| wrong("plan", &e))?,
        ))
    })
    .transpose()
}

/// The number of another request on its way that changes a resource.
///
/// # Errors
/// What the database says.
pub async fn under_way(
    rx: &mut ReadTx,
    resource: &ResourceId,
    but: Option<&RequestId>,
) -> Result<Option<String>, StorageError> {
    let row = open(rx, resource, but).await?;
    Ok(row.map(|(_, number)| number))
}

/// The number of the request on its way that wants a new disk out of this copy.
///
/// # Errors
/// What the database says.
pub async fn wants(
    rx: &mut ReadTx,
    resource: &ResourceId,
    copy: &CopyId,
) -> Result<Option<String>, StorageError> {
    let Some((request, number)) = open(rx, resource, None).await? else {
        return Ok(None);
    };
    let disk = get(rx, &request).await?.and_then(|(_, plan)| plan.disk);
    Ok(disk.is_some_and(|d| d.copy == *copy).then_some(number))
}

/// The request on its way that changes a resource, with its number: there is one at most.
async fn open(
    rx: &mut ReadTx,
    resource: &ResourceId,
    but: Option<&RequestId>,
) -> Result<Option<(RequestId, String)>, StorageError> {
    let row: Option<(String, Option<String>)> = Sql::new(
        "SELECT r.id, r.number FROM request_change c JOIN request r ON r.id = c.request_id
         WHERE r.status IN ('in_approval', 'returned', 'approved') AND c.resource_id = ",
    )
    .bind(resource.as_str())
    .maybe(" AND r.id <> ", but.map(RequestId::as_str))
    .push(" ORDER BY r.id LIMIT 1")
    .optional(rx)
    .await?;
    row.map(|(id, number)| {
        let wrong = |e| StorageError::inconsistent("request", "id", &id, e);
        Ok((id.parse().map_err(wrong)?, number.unwrap_or_default()))
    })
    .transpose()
}
