//! Versions that one person writes and another one publishes: contents and prices of items, approval
//! policies. Each has a table of its own; all tables are of one shape, and this is what is done with
//! it. How a first row is written stands with its table ([`item_version`](super::item_version),
//! [`policy`](super::policy)).

use lingbao_model::{catalogue::Publication, id::UserId, time::Timestamp, view::item::Side};
use serde::de::DeserializeOwned;

use super::{ReadTx, Tx, sql::Sql};
use crate::error::StorageError;

/// Where versions of one sort stand.
#[derive(Debug, Clone, Copy)]
pub struct Versions {
    table: &'static str,
    /// The column of what they are versions of.
    of: &'static str,
    /// The column of what they say, as JSON.
    says: &'static str,
}

impl Versions {
    /// Contents of items.
    pub const CONTENT: Self = Self {
        table: "item_version",
        of: "item_id",
        says: "content",
    };
    /// Prices of items.
    pub const PRICE: Self = Self {
        table: "price_version",
        of: "item_id",
        says: "formula",
    };
    /// Approval policies, of a kind of request.
    pub const POLICY: Self = Self {
        table: "policy_version",
        of: "kind",
        says: "content",
    };

    /// Of one side of items.
    #[must_use]
    pub const fn of_side(side: Side) -> Self {
        match side {
            Side::Content => Self::CONTENT,
            Side::Price => Self::PRICE,
        }
    }
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
    /// What it says, as JSON.
    pub json: String,
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
    json: String,
    version: i64,
}

/// The versions of one thing, the newest first, at most 50.
///
/// # Errors
/// What the database says.
pub async fn list(rx: &mut ReadTx, sort: Versions, of: &str) -> Result<Vec<Version>, StorageError> {
    let rows: Vec<Row> = Sql::new(
        "SELECT v.number, v.state, v.written_by, w.name AS writer, v.written_at, p.name AS publisher,
           v.published_at, v.retired_at, v.version, v.",
    )
    .push(sort.says)
    .push(" AS json FROM ")
    .push(sort.table)
    .push(
        " v LEFT JOIN user_account w ON w.id = v.written_by
           LEFT JOIN user_account p ON p.id = v.published_by WHERE v.",
    )
    .push(sort.of)
    .push(" = ")
    .bind(of)
    .push(" ORDER BY v.number DESC LIMIT 50")
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let state = row.state.parse();
            Ok(Version {
                number: row.number,
                state: state.map_err(|e| StorageError::inconsistent(sort.table, "state", of, e))?,
                written_by: row.written_by,
                writer: row.writer,
                written_at: Timestamp::from_millis(row.written_at),
                publisher: row.publisher,
                published_at: row.published_at.map(Timestamp::from_millis),
                retired_at: row.retired_at.map(Timestamp::from_millis),
                json: row.json,
                version: row.version,
            })
        })
        .collect()
}

/// What a stored JSON says.
///
/// # Errors
/// [`StorageError::Inconsistency`] if it can't be read.
pub fn read<T: DeserializeOwned>(sort: Versions, of: &str, json: &str) -> Result<T, StorageError> {
    serde_json::from_str(json).map_err(|e| StorageError::inconsistent(sort.table, sort.says, of, e))
}

/// What is written in a draft.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Where it stands.
    pub sort: Versions,
    /// Of what it is a version.
    pub of: &'a str,
    /// Number of the version.
    pub number: i64,
    /// What it says.
    pub json: &'a str,
    /// Who wrote it.
    pub by: &'a UserId,
    /// When.
    pub at: Timestamp,
}

/// Writes a draft on; who wrote it last counts as its writer. `version` is that of the row that was
/// read.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn rewrite(tx: &mut Tx, version: i64, draft: &Draft<'_>) -> Result<(), StorageError> {
    let done = Sql::new("UPDATE ")
        .push(draft.sort.table)
        .push(" SET ")
        .push(draft.sort.says)
        .push(" = ")
        .bind(draft.json)
        .push(", written_by = ")
        .bind(draft.by.as_str())
        .push(", written_at = ")
        .bind(draft.at.millis())
        .push(", version = version + 1 WHERE state = 'draft' AND ")
        .push(draft.sort.of)
        .push(" = ")
        .bind(draft.of)
        .push(" AND number = ")
        .bind(draft.number)
        .push(" AND version = ")
        .bind(version)
        .run(tx)
        .await?;
    StorageError::expect_version(done, draft.sort.table, draft.of)
}

/// A step of a version from one state to another.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Where it stands.
    pub sort: Versions,
    /// Of what it is a version.
    pub of: &'a str,
    /// Number of the version.
    pub number: i64,
    /// Version of the row that was read.
    pub version: i64,
    /// In which state it is.
    pub from: Publication,
    /// In which it will be.
    pub to: Publication,
    /// By whom.
    pub by: &'a UserId,
    /// When.
    pub at: Timestamp,
}

/// Takes a step; publishing retires the version in force first. What names that one keeps it.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn take(tx: &mut Tx, step: &Step<'_>) -> Result<(), StorageError> {
    let mut sql = Sql::new("UPDATE ")
        .push(step.sort.table)
        .push(" SET state = ")
        .bind(step.to.as_str());
    match step.to {
        Publication::Proposed => sql = sql.push(", proposed_at = ").bind(step.at.millis()),
        Publication::Published => {
            Sql::new("UPDATE ")
                .push(step.sort.table)
                .push(" SET state = 'retired', retired_at = ")
                .bind(step.at.millis())
                .push(", version = version + 1 WHERE state = 'published' AND ")
                .push(step.sort.of)
                .push(" = ")
                .bind(step.of)
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
        .push(" AND ")
        .push(step.sort.of)
        .push(" = ")
        .bind(step.of)
        .push(" AND number = ")
        .bind(step.number)
        .push(" AND version = ")
        .bind(step.version)
        .run(tx)
        .await?;
    StorageError::expect_version(done, step.sort.table, step.of)
}
