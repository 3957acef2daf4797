//! Approval policies, versioned.

use lingbao_model::{catalogue::Publication, id::PolicyId, policy::Policy, time::Timestamp};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// The policy in force for a kind of request (`new`, `release`, `change`).
///
/// # Errors
/// What the database says.
pub async fn published(
    rx: &mut ReadTx,
    kind: &str,
) -> Result<Option<(PolicyId, Policy)>, StorageError> {
    let row: Option<(String, String)> =
        Sql::new("SELECT id, content FROM policy_version WHERE state = 'published' AND kind = ")
            .bind(kind)
            .optional(rx)
            .await?;
    row.map(|(id, content)| {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("policy_version", column, id.as_str(), e)
        };
        Ok((
            id.parse().map_err(|e| wrong("id", &e))?,
            serde_json::from_str(&content).map_err(|e| wrong("content", &e))?,
        ))
    })
    .transpose()
}

/// The policy that holds for a kind of request: its own, and for a change, while it has none, that
/// of what is new.
///
/// # Errors
/// What the database says.
pub async fn in_force(
    rx: &mut ReadTx,
    kind: &str,
) -> Result<Option<(PolicyId, Policy)>, StorageError> {
    match published(rx, kind).await? {
        None if kind == "change" => published(rx, "new").await,
        found => Ok(found),
    }
}

/// A version to be written down.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Identifier.
    pub id: &'a PolicyId,
    /// Kind of request.
    pub kind: &'a str,
    /// Its number.
    pub number: i64,
    /// The policy.
    pub policy: &'a Policy,
    /// Where it stands.
    pub state: Publication,
    /// Who wrote it.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
}

/// Writes a version down.
///
/// # Errors
/// A conflict if the number is taken.
pub async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<(), StorageError> {
    let content = serde_json::to_string(new.policy)
        .map_err(|e| StorageError::inconsistent("policy_version", "content", new.id.as_str(), e))?;
    let published = (new.state == Publication::Published).then(|| new.at.millis());
    on!(tx, conn => sqlx::query("INSERT INTO policy_version (id, kind, number, content, state, written_by, written_at, published_by, published_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(new.id.as_str()).bind(new.kind).bind(new.number).bind(&content).bind(new.state.as_str()).bind(new.by)
        .bind(new.at.millis()).bind(published.map(|_| new.by)).bind(published).execute(conn).await.map(|_| ()))?;
    Ok(())
}
