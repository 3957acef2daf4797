//! The recycle bin: what lies in it, since when, until when, and what was agreed about it.

use lingbao_model::{
    id::{RequestId, ResourceId},
    quota::Amounts,
    resource::{BillingState, ServiceState},
    time::Timestamp,
};

use super::{ReadTx, Tx, resource::Resource, sql::Sql};
use crate::{error::StorageError, on};

/// Notes how many days what a request gives back lies in the bin; 0: it is erased at once.
///
/// # Errors
/// What the database says.
pub async fn set_terms(
    tx: &mut Tx,
    request: &RequestId,
    keep_days: i64,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO release_terms (request_id, keep_days) VALUES ($1, $2)")
        .bind(request.as_str()).bind(keep_days).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// How many days what a request gives back lies in the bin; `None` for a request that was submitted
/// before there was one.
///
/// # Errors
/// What the database says.
pub async fn terms(rx: &mut ReadTx, request: &RequestId) -> Result<Option<i64>, StorageError> {
    let row: Option<(i64,)> = Sql::new("SELECT keep_days FROM release_terms WHERE request_id = ")
        .bind(request.as_str())
        .optional(rx)
        .await?;
    Ok(row.map(|(days,)| days))
}

/// How a thing goes into the bin.
#[derive(Debug)]
pub struct Recycled<'a> {
    /// The request that gave it back.
    pub request: &'a RequestId,
    /// When.
    pub at: Timestamp,
    /// When it is erased.
    pub erase_at: Timestamp,
    /// What it goes on taking from the quota.
    pub kept: &'a Amounts,
    /// What it took besides.
    pub freed: &'a Amounts,
}

fn json(column: &'static str, row: &ResourceId, of: &Amounts) -> Result<String, StorageError> {
    serde_json::to_string(of)
        .map_err(|e| StorageError::inconsistent("resource", column, row.as_str(), e))
}

/// Puts a resource that was read in its version into the bin.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn put(tx: &mut Tx, resource: &Resource, how: &Recycled<'_>) -> Result<(), StorageError> {
    let (kept, freed) = (
        json("amounts", &resource.id, how.kept)?,
        json("freed", &resource.id, how.freed)?,
    );
    let rows = Sql::new(
        "UPDATE resource SET service_state = 'recycled', billing_state = 'stopped', version = version + 1, recycled_at = ",
    )
    .bind(how.at.millis())
    .push(", recycled_by = ")
    .bind(how.request.as_str())
    .push(", erase_at = ")
    .bind(how.erase_at.millis())
    .push(", amounts = ")
    .bind(kept)
    .push(", freed = ")
    .bind(freed)
    .push(" WHERE id = ")
    .bind(resource.id.as_str())
    .push(" AND service_state NOT IN ('released', 'recycled') AND version = ")
    .bind(resource.version)
    .run(tx)
    .await?;
    StorageError::expect_version(rows, "resource", resource.id.as_str())
}

/// What stands beside a resource in the bin, or beside one that was erased out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lying {
    /// The request that gave it back.
    pub request: RequestId,
    /// When it was put there.
    pub since: Timestamp,
    /// What is booked again when it is taken back.
    pub freed: Amounts,
}

/// What stands beside a resource in the bin; `None` if it never lay there, or was taken back.
///
/// # Errors
/// What the database says.
pub async fn lying(rx: &mut ReadTx, id: &ResourceId) -> Result<Option<Lying>, StorageError> {
    let row: Option<(String, i64, String)> = Sql::new(
        "SELECT recycled_by, recycled_at, freed FROM resource
         WHERE recycled_by IS NOT NULL AND recycled_at IS NOT NULL AND freed IS NOT NULL AND id = ",
    )
    .bind(id.as_str())
    .optional(rx)
    .await?;
    row.map(|(request, since, freed)| {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("resource", column, id.as_str(), e)
        };
        Ok(Lying {
            request: request.parse().map_err(|e| wrong("recycled_by", &e))?,
            since: Timestamp::from_millis(since),
            freed: serde_json::from_str(&freed).map_err(|e| wrong("freed", &e))?,
        })
    })
    .transpose()
}

/// Whether a resource lies in the bin.
///
/// # Errors
/// What the database says.
pub async fn holds(rx: &mut ReadTx, id: &ResourceId) -> Result<bool, StorageError> {
    let n = Sql::new("SELECT count(*) FROM resource WHERE service_state = 'recycled' AND id = ")
        .bind(id.as_str())
        .number(rx)
        .await?;
    Ok(n > 0)
}

/// How a thing comes back out of the bin.
#[derive(Debug)]
pub struct Back<'a> {
    /// What it does.
    pub service: ServiceState,
    /// What is charged.
    pub billing: BillingState,
    /// When it was confirmed.
    pub confirmed_at: Timestamp,
    /// End of its trial run.
    pub trial_until: Timestamp,
    /// Charged since.
    pub billing_from: Option<Timestamp>,
    /// What it takes from the quota.
    pub amounts: &'a Amounts,
}

/// Takes a resource that was read in its version out of the bin.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn take_out(
    tx: &mut Tx,
    resource: &Resource,
    back: &Back<'_>,
) -> Result<(), StorageError> {
    let amounts = json("amounts", &resource.id, back.amounts)?;
    let rows = Sql::new(
        "UPDATE resource SET version = version + 1, recycled_at = NULL, recycled_by = NULL, erase_at = NULL,
           freed = NULL, service_state = ",
    )
    .bind(back.service.as_str())
    .push(", billing_state = ")
    .bind(back.billing.as_str())
    .push(", confirmed_at = ")
    .bind(back.confirmed_at.millis())
    .push(", trial_until = ")
    .bind(back.trial_until.millis())
    .push(", billing_from = ")
    .bind(back.billing_from.map(Timestamp::millis))
    .push(", amounts = ")
    .bind(amounts)
    .push(" WHERE id = ")
    .bind(resource.id.as_str())
    .push(" AND service_state = 'recycled' AND version = ")
    .bind(resource.version)
    .run(tx)
    .await?;
    StorageError::expect_version(rows, "resource", resource.id.as_str())
}

/// Lets a resource lie in the bin until another moment.
///
/// # Errors
/// What the database says.
pub async fn lie_until(tx: &mut Tx, id: &ResourceId, until: Timestamp) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE resource SET erase_at = $1, version = version + 1 WHERE id = $2 AND service_state = 'recycled'")
        .bind(until.millis()).bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// What is to be erased by now and has nothing under way, with the request that gave it back: the
/// longest due first, at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn due(
    rx: &mut ReadTx,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(RequestId, ResourceId)>, StorageError> {
    let rows: Vec<(String, String)> = Sql::new(
        "SELECT r.recycled_by, r.id FROM resource r WHERE r.service_state = 'recycled' AND r.recycled_by IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM resource_action a WHERE a.resource_id = r.id)
           AND r.erase_at IS NOT NULL AND r.erase_at <= ",
    )
    .bind(now.millis())
    .push(" ORDER BY r.erase_at, r.id LIMIT ")
    .bind(limit)
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(request, id)| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("resource", column, id.as_str(), e)
            };
            Ok((
                request.parse().map_err(|e| wrong("recycled_by", &e))?,
                id.parse().map_err(|e| wrong("id", &e))?,
            ))
        })
        .collect()
}
