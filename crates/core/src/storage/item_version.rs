//! Versions of items and prices while they are written, proposed, published and retired.
//!
//! The two tables differ in the name of what they hold; everything else is the same statement.

use lingbao_model::{
    catalogue::{Content, Publication},
    id::{ItemId, ItemVersionId, UserId},
    time::Timestamp,
    view::item::{ItemRow, Side},
};

use super::{ReadTx, Tx, sql::Sql};
use crate::error::StorageError;

/// An item's own row.
#[derive(Debug, Clone)]
pub struct Item {
    /// Identifier.
    pub id: ItemId,
    /// Whether it is offered.
    pub offered: bool,
    /// Version of the row.
    pub version: i64,
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
    /// JSON of the content or the formula.
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
    json: String,
    version: i64,
}

#[derive(sqlx::FromRow)]
struct ListRow {
    code: String,
    offered: bool,
    newest: Option<String>,
    content: Option<i64>,
    price: Option<i64>,
    proposed: i64,
}

const fn table(side: Side) -> &'static str {
    match side {
        Side::Content => "item_version",
        Side::Price => "price_version",
    }
}

/// All items in the order of the catalogue.
///
/// # Errors
/// What the database says.
pub async fn list(rx: &mut ReadTx) -> Result<Vec<ItemRow>, StorageError> {
    let rows: Vec<ListRow> = Sql::new(
        "SELECT i.code, i.offered,
           (SELECT v.content FROM item_version v WHERE v.item_id = i.id ORDER BY v.number DESC LIMIT 1) AS newest,
           (SELECT v.number FROM item_version v WHERE v.item_id = i.id AND v.state = 'published') AS content,
           (SELECT p.number FROM price_version p WHERE p.item_id = i.id AND p.state = 'published') AS price,
           (SELECT count(*) FROM item_version v WHERE v.item_id = i.id AND v.state = 'proposed')
             + (SELECT count(*) FROM price_version p WHERE p.item_id = i.id AND p.state = 'proposed') AS proposed
         FROM item i ORDER BY i.sort, i.code, i.id",
    )
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let name = match row.newest {
                None => lingbao_model::msg::Label::default(),
                Some(json) => {
                    serde_json::from_str::<Content>(&json)
                        .map_err(|e| {
                            StorageError::inconsistent(
                                "item_version",
                                "content",
                                row.code.as_str(),
                                e,
                            )
                        })?
                        .name
                }
            };
            Ok(ItemRow {
                code: row.code,
                name,
                offered: row.offered,
                content: row.content,
                price: row.price,
                proposed: row.proposed,
            })
        })
        .collect()
}

/// The item with a code.
///
/// # Errors
/// What the database says.
pub async fn item(rx: &mut ReadTx, code: &str) -> Result<Option<Item>, StorageError> {
    let row: Option<(String, bool, i64)> =
        Sql::new("SELECT id, offered, version FROM item WHERE code = ")
            .bind(code)
            .optional(rx)
            .await?;
    row.map(|(id, offered, version)| {
        Ok(Item {
            id: id
                .parse()
                .map_err(|e| StorageError::inconsistent("item", "id", code, e))?,
            offered,
            version,
        })
    })
    .transpose()
}

/// Where the next new item stands in the catalogue.
///
/// # Errors
/// What the database says.
pub async fn next_sort(rx: &mut ReadTx) -> Result<i64, StorageError> {
    Sql::new("SELECT COALESCE(MAX(sort), 0) + 10 FROM item")
        .number(rx)
        .await
}

/// The versions of one side, the newest first, at most 50.
///
/// # Errors
/// What the database says.
pub async fn versions(
    rx: &mut ReadTx,
    side: Side,
    item: &ItemId,
) -> Result<Vec<Version>, StorageError> {
    let json = match side {
        Side::Content => "v.content",
        Side::Price => "v.formula",
    };
    let rows: Vec<Row> = Sql::new(
        "SELECT v.number, v.state, v.written_by, w.name AS writer, v.written_at, p.name AS publisher, v.published_at, ",
    )
    .push(json)
    .push(" AS json, v.version FROM ")
    .push(table(side))
    .push(" v LEFT JOIN user_account w ON w.id = v.written_by LEFT JOIN user_account p ON p.id = v.published_by WHERE v.item_id = ")
    .bind(item.as_str())
    .push(" ORDER BY v.number DESC LIMIT 50")
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Version {
                number: row.number,
                state: row.state.parse().map_err(|e| {
                    StorageError::inconsistent(table(side), "state", item.as_str(), e)
                })?,
                written_by: row.written_by,
                writer: row.writer,
                written_at: Timestamp::from_millis(row.written_at),
                publisher: row.publisher,
                published_at: row.published_at.map(Timestamp::from_millis),
                json: row.json,
                version: row.version,
            })
        })
        .collect()
}

/// What is written in a draft.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Of which side.
    pub side: Side,
    /// Of which item.
    pub item: &'a ItemId,
    /// Number of the version.
    pub number: i64,
    /// The content or the formula.
    pub json: &'a str,
    /// Who wrote it.
    pub by: &'a UserId,
    /// When.
    pub at: Timestamp,
}

/// Writes a new draft down.
///
/// # Errors
/// A conflict if the number is taken.
pub async fn insert_draft(
    tx: &mut Tx,
    id: &ItemVersionId,
    draft: &Draft<'_>,
) -> Result<(), StorageError> {
    let sql = match draft.side {
        Side::Content => Sql::new(
            "INSERT INTO item_version (item_id, number, content, state, written_by, written_at, id) VALUES (",
        ),
        Side::Price => Sql::new(
            "INSERT INTO price_version (item_id, number, formula, state, written_by, written_at) VALUES (",
        ),
    }
    .bind(draft.item.as_str())
    .push(", ")
    .bind(draft.number)
    .push(", ")
    .bind(draft.json)
    .push(", 'draft', ")
    .bind(draft.by.as_str())
    .push(", ")
    .bind(draft.at.millis());
    let sql = match draft.side {
        Side::Content => sql.push(", ").bind(id.as_str()),
        Side::Price => sql,
    };
    sql.push(")").run(tx).await.map(|_| ())
}

/// Writes a draft on; who wrote it last counts as its writer.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn rewrite_draft(
    tx: &mut Tx,
    version: i64,
    draft: &Draft<'_>,
) -> Result<(), StorageError> {
    let column = match draft.side {
        Side::Content => " SET content = ",
        Side::Price => " SET formula = ",
    };
    let done = Sql::new("UPDATE ")
        .push(table(draft.side))
        .push(column)
        .bind(draft.json)
        .push(", written_by = ")
        .bind(draft.by.as_str())
        .push(", written_at = ")
        .bind(draft.at.millis())
        .push(", version = version + 1 WHERE state = 'draft' AND item_id = ")
        .bind(draft.item.as_str())
        .push(" AND number = ")
        .bind(draft.number)
        .push(" AND version = ")
        .bind(version)
        .run(tx)
        .await?;
    StorageError::expect_version(done, table(draft.side), draft.item.as_str())
}

/// A step of a version from one state to another.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Of which side.
    pub side: Side,
    /// Of which item.
    pub item: &'a ItemId,
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

/// Takes a step; publishing retires the version in force first.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn take(tx: &mut Tx, step: &Step<'_>) -> Result<(), StorageError> {
    let mut sql = Sql::new("UPDATE ")
        .push(table(step.side))
        .push(" SET state = ")
        .bind(step.to.as_str());
    match step.to {
        Publication::Proposed => sql = sql.push(", proposed_at = ").bind(step.at.millis()),
        Publication::Published => {
            Sql::new("UPDATE ")
                .push(table(step.side))
                .push(" SET state = 'retired', retired_at = ")
                .bind(step.at.millis())
                .push(", version = version + 1 WHERE state = 'published' AND item_id = ")
                .bind(step.item.as_str())
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
        .push(" AND item_id = ")
        .bind(step.item.as_str())
        .push(" AND number = ")
        .bind(step.number)
        .push(" AND version = ")
        .bind(step.version)
        .run(tx)
        .await?;
    StorageError::expect_version(done, table(step.side), step.item.as_str())
}

/// Takes an item out of the catalogue, or puts it back; running orders keep their version.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn set_offered(
    tx: &mut Tx,
    item: &ItemId,
    version: i64,
    offered: bool,
) -> Result<(), StorageError> {
    let done = Sql::new("UPDATE item SET offered = ")
        .bind(offered)
        .push(", version = version + 1 WHERE id = ")
        .bind(item.as_str())
        .push(" AND version = ")
        .bind(version)
        .run(tx)
        .await?;
    StorageError::expect_version(done, "item", item.as_str())
}
