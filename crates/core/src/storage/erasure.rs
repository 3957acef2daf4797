//! Certificates of erasure: one a resource, never changed.

use std::collections::BTreeMap;

use lingbao_model::{
    id::{RequestId, ResourceId},
    time::{Date, Timestamp},
};

use super::{
    ReadTx, Tx,
    sql::{Cursor, Sql, cut},
};
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

/// Numbers of the certificates of what a request gave back, by resource.
///
/// # Errors
/// What the database says.
pub async fn numbers(
    rx: &mut ReadTx,
    request: &RequestId,
) -> Result<BTreeMap<String, String>, StorageError> {
    let rows: Vec<(String, String)> =
        Sql::new("SELECT resource_id, number FROM erasure WHERE request_id = ")
            .bind(request.as_str())
            .all(rx)
            .await?;
    Ok(rows.into_iter().collect())
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

/// The certificates of what a request gave back and that is erased, by number: at most `limit` after the
/// cursor, and where the next ones begin.
///
/// # Errors
/// What the database says.
pub async fn of_request(
    rx: &mut ReadTx,
    request: &RequestId,
    after: Option<&str>,
    limit: i64,
) -> Result<(Vec<Kept>, Option<String>), StorageError> {
    let rows: Vec<(String, String, String)> =
        Sql::new("SELECT number, facts, digest FROM erasure WHERE request_id = ")
            .bind(request.as_str())
            .maybe(
                " AND number > ",
                after.and_then(Cursor::decode).map(|c| c.key),
            )
            .push(" ORDER BY number LIMIT ")
            .bind(limit + 1)
            .all(rx)
            .await?;
    let (rows, next) = cut(rows, limit, |(number, ..)| (number.clone(), String::new()));
    let rows = rows
        .into_iter()
        .map(|(_, facts, digest)| Kept { facts, digest })
        .collect();
    Ok((rows, next))
}
