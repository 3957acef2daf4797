//! Approval policies, versioned.

use lingbao_model::{
    catalogue::Publication,
    id::{PolicyId, UserId},
    policy::Policy,
    time::Timestamp,
};

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

fn content(new: &New<'_>) -> Result<String, StorageError> {
    serde_json::to_string(new.policy)
        .map_err(|e| StorageError::inconsistent("policy_version", "content", new.id.as_str(), e))
}

/// Writes a version down.
///
/// # Errors
/// A conflict if the number is taken.
pub async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<(), StorageError> {
    let content = content(new)?;
    let published = (new.state == Publication::Published).then(|| new.at.millis());
    on!(tx, conn => sqlx::query("INSERT INTO policy_version (id, kind, number, content, state, written_by, written_at, published_by, published_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(new.id.as_str()).bind(new.kind).bind(new.number).bind(&content).bind(new.state.as_str()).bind(new.by)
        .bind(new.at.millis()).bind(published.map(|_| new.by)).bind(published).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// A version as it is stored.
#[derive(Debug, Clone)]
pub struct Version {
    /// Number, from 1.
    pub number: i64,
    /// Where it stands.
    pub state: Publication,
    /// Id of who wrote it, or `system`.
    pub written_by: String,
    /// Their name.
    pub writer: Option<String>,
    /// When.
    pub written_at: Timestamp,
    /// Name of who published it.
    pub publisher: Option<String>,
    /// When.
    pub published_at: Option<Timestamp>,
    /// When another one took its place.
    pub retired_at: Option<Timestamp>,
    /// The policy.
    pub policy: Policy,
    /// Version of the row.
    pub version: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    number: i64,
    state: String,
    written_by: String,
    writer: Option<String>,
    written_at: i64,
    publisher: Option<String>,
    published_at: Option<i64>,
    retired_at: Option<i64>,
    content: String,
    version: i64,
}

/// The versions for a kind of request, the newest first, at most 50.
///
/// # Errors
/// What the database says.
pub async fn versions(rx: &mut ReadTx, kind: &str) -> Result<Vec<Version>, StorageError> {
    let rows: Vec<Row> = Sql::new(
        "SELECT v.number, v.state, v.written_by, w.name AS writer, v.written_at, p.name AS publisher,
           v.published_at, v.retired_at, v.content, v.version
         FROM policy_version v LEFT JOIN user_account w ON w.id = v.written_by
           LEFT JOIN user_account p ON p.id = v.published_by
         WHERE v.kind = ",
    )
    .bind(kind)
    .push(" ORDER BY v.number DESC LIMIT 50")
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("policy_version", column, kind, e)
            };
            Ok(Version {
                number: row.number,
                state: row.state.parse().map_err(|e| wrong("state", &e))?,
                written_by: row.written_by,
                writer: row.writer,
                written_at: Timestamp::from_millis(row.written_at),
                publisher: row.publisher,
                published_at: row.published_at.map(Timestamp::from_millis),
                retired_at: row.retired_at.map(Timestamp::from_millis),
                policy: serde_json::from_str(&row.content).map_err(|e| wrong("content", &e))?,
                version: row.version,
            })
        })
        .collect()
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

/// Writes a draft on; who wrote it last counts as its writer.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn rewrite_draft(tx: &mut Tx, version: i64, draft: &New<'_>) -> Result<(), StorageError> {
    let content = content(draft)?;
    let done = Sql::new("UPDATE policy_version SET content = ")
        .bind(content)
        .push(", written_by = ")
        .bind(draft.by)
        .push(", written_at = ")
        .bind(draft.at.millis())
        .push(", version = version + 1 WHERE state = 'draft' AND kind = ")
        .bind(draft.kind)
        .push(" AND number = ")
        .bind(draft.number)
        .push(" AND version = ")
        .bind(version)
        .run(tx)
        .await?;
    StorageError::expect_version(done, "policy_version", draft.kind)
}

/// A step of a version from one state to another.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Kind of request.
    pub kind: &'a str,
    /// Number of the version.
    pub number: i64,
    /// Version of the row that was read.
    pub version: i64,
    /// Where it stands.
    pub from: Publication,
    /// Where it goes.
    pub to: Publication,
    /// By whom.
    pub by: &'a UserId,
    /// When.
    pub at: Timestamp,
}

/// Takes a step; publishing retires the version in force first. Requests that name that one keep it.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn take(tx: &mut Tx, step: &Step<'_>) -> Result<(), StorageError> {
    let mut sql = Sql::new("UPDATE policy_version SET state = ").bind(step.to.as_str());
    match step.to {
        Publication::Proposed => sql = sql.push(", proposed_at = ").bind(step.at.millis()),
        Publication::Published => {
            Sql::new("UPDATE policy_version SET state = 'retired', retired_at = ")
                .bind(step.at.millis())
                .push(", version = version + 1 WHERE state = 'published' AND kind = ")
                .bind(step.kind)
                .run(tx)
                .await?;
            sql = sql
                .push(", published_by = ")
                .bind(step.by.as_str())
                .push(", published_at = ")
                .bind(step.at.millis());
        }
        Publication::Draft | Publication::Retired => {}
    }
    let done = sql
        .push(", version = version + 1 WHERE state = ")
        .bind(step.from.as_str())
        .push(" AND kind = ")
        .bind(step.kind)
        .push(" AND number = ")
        .bind(step.number)
        .push(" AND version = ")
        .bind(step.version)
        .run(tx)
        .await?;
    StorageError::expect_version(done, "policy_version", step.kind)
}
