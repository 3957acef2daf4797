//! Approval policies: which one is in force, and new versions. What is done with versions afterwards
//! stands in [`publication`](super::publication).

use lingbao_model::{
    catalogue::Publication,
    id::{PolicyId, UserId},
    policy::Policy,
    time::Timestamp,
};

use super::{
    ReadTx, Tx,
    publication::{self, Versions},
    sql::Sql,
};
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
            publication::read(Versions::POLICY, &id, &content)?,
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
    /// The policy, as JSON.
    pub json: &'a str,
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
    let published = (new.state == Publication::Published).then(|| new.at.millis());
    on!(tx, conn => sqlx::query("INSERT INTO policy_version (id, kind, number, content, state, written_by, written_at, published_by, published_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(new.id.as_str()).bind(new.kind).bind(new.number).bind(new.json).bind(new.state.as_str()).bind(new.by)
        .bind(new.at.millis()).bind(published.map(|_| new.by)).bind(published).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Versions that wait for a second person, who can't be the one who wrote them.
///
/// # Errors
/// What the database says.
pub async fn proposed(rx: &mut ReadTx, person: &UserId) -> Result<i64, StorageError> {
    Sql::new("SELECT count(*) FROM policy_version WHERE state = 'proposed' AND written_by <> ")
        .bind(person.as_str())
        .number(rx)
        .await
}
