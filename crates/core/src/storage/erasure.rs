//! Certificates of erasure: one a resource, never changed.

use lingbao_model::{
    id::{RequestId, ResourceId},
    time::{Date, Timestamp},
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// A certificate as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What it certifies, JSON.
    pub facts: String,
    /// Digest of exactly these bytes.
    pub digest: String,
}

/// The next number of a day. The day's counter is locked from here to the commit.
///
/// # Errors
/// What the database says.
pub async fn next_number(tx: &mut Tx, day: Date) -> Result<i64, StorageError> {
    let day = format!("X{}", day.compact());
    Ok(on!(tx, conn => sqlx::query_scalar(
        "INSERT INTO request_counter (day, last) VALUES ($1, 1)
         ON CONFLICT (day) DO UPDATE SET last = request_counter.last + 1 RETURNING last")
        .bind(&day).fetch_one(conn).await)?)
}

/// Keeps a certificate.
///
/// # Errors
/// What the database says; a conflict if the resource has one.
pub async fn insert(
    tx: &mut Tx,
    resource: &ResourceId,
    number: &str,
    request: Option<&RequestId>,
    kept: &Kept,
    at: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO erasure (resource_id, number, request_id, facts, digest, erased_at)
         VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(resource.as_str()).bind(number).bind(request.map(RequestId::as_str)).bind(&kept.facts).bind(&kept.digest)
        .bind(at.millis()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Number of the certificate of a resource.
///
/// # Errors
/// What the database says.
pub async fn number(
    rx: &mut ReadTx,
    resource: &ResourceId,
) -> Result<Option<String>, StorageError> {
    let row: Option<(String,)> = Sql::new("SELECT number FROM erasure WHERE resource_id = ")
        .bind(resource.as_str())
        .optional(rx)
        .await?;
    Ok(row.map(|(number,)| number))
}

/// The certificate of a resource.
///
/// # Errors
/// What the database says.
pub async fn of_resource(
    rx: &mut ReadTx,
    resource: &ResourceId,
) -> Result<Option<Kept>, StorageError> {
    let row: Option<(String, String)> =
        Sql::new("SELECT facts, digest FROM erasure WHERE resource_id = ")
            .bind(resource.as_str())
            .optional(rx)
            .await?;
    Ok(row.map(|(facts, digest)| Kept { facts, digest }))
}

/// The certificates of everything that a request gave back and that is erased, by number.
///
/// # Errors
/// What the database says.
pub async fn of_request(rx: &mut ReadTx, request: &RequestId) -> Result<Vec<Kept>, StorageError> {
    let rows: Vec<(String, String)> =
        Sql::new("SELECT facts, digest FROM erasure WHERE request_id = ")
            .bind(request.as_str())
            .push(" ORDER BY number")
            .all(rx)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(facts, digest)| Kept { facts, digest })
        .collect())
}
