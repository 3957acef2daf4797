//! Items as they are managed: their rows, and new drafts of content and price. What is done with
//! versions afterwards stands in [`publication`](super::publication).

use lingbao_model::{
    catalogue::Content,
    id::{ItemId, ItemVersionId},
    view::{
        item::{ItemRow, Side},
        page::{MAX_PAGE_ROWS, Page},
    },
};

use super::{
    ReadTx, Tx,
    publication::{self, Draft, Versions},
    sql::{Cursor, Sql, cut},
};
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

#[derive(sqlx::FromRow)]
struct ListRow {
    code: String,
    sort: i64,
    offered: bool,
    newest: Option<String>,
    content: Option<i64>,
    price: Option<i64>,
    proposed: i64,
}

const LIST: &str = "SELECT i.code, i.sort, i.offered,
           (SELECT v.content FROM item_version v WHERE v.item_id = i.id ORDER BY v.number DESC LIMIT 1) AS newest,
           (SELECT v.number FROM item_version v WHERE v.item_id = i.id AND v.state = 'published') AS content,
           (SELECT p.number FROM price_version p WHERE p.item_id = i.id AND p.state = 'published') AS price,
           (SELECT count(*) FROM item_version v WHERE v.item_id = i.id AND v.state = 'proposed')
             + (SELECT count(*) FROM price_version p WHERE p.item_id = i.id AND p.state = 'proposed') AS proposed
         FROM item i";

impl TryFrom<ListRow> for ItemRow {
    type Error = StorageError;
    fn try_from(row: ListRow) -> Result<Self, StorageError> {
        let name = match row.newest {
            None => lingbao_model::msg::Label::default(),
            Some(json) => publication::read::<Content>(Versions::CONTENT, &row.code, &json)?.name,
        };
        Ok(Self {
            code: row.code,
            name,
            offered: row.offered,
            content: row.content,
            price: row.price,
            proposed: row.proposed,
        })
    }
}

/// All items in the order of the catalogue.
///
/// # Errors
/// What the database says.
pub async fn list(rx: &mut ReadTx) -> Result<Vec<ItemRow>, StorageError> {
    let rows: Vec<ListRow> = Sql::new(LIST)
        .push(" ORDER BY i.sort, i.code")
        .all(rx)
        .await?;
    rows.into_iter().map(ItemRow::try_from).collect()
}

/// One page of them.
///
/// # Errors
/// What the database says.
pub async fn page(
    rx: &mut ReadTx,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<ItemRow>, StorageError> {
    let limit = limit.clamp(1, MAX_PAGE_ROWS);
    let total = Sql::new("SELECT 1 FROM item").capped_count(rx).await?;
    let mut sql = Sql::new(LIST);
    if let Some((sort, cursor)) = after
        .and_then(Cursor::decode)
        .and_then(|c| Some((c.number()?, c)))
    {
        sql = sql
            .push(" WHERE (i.sort, i.code) > (")
            .bind(sort)
            .push(", ")
            .bind(cursor.id)
            .push(")");
    }
    let rows: Vec<ListRow> = sql
        .push(" ORDER BY i.sort, i.code LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |row| (row.sort.to_string(), row.code.clone()));
    let rows = rows
        .into_iter()
        .map(ItemRow::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Page { rows, next, total })
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

/// Writes a new draft down.
///
/// # Errors
/// A conflict if the number is taken.
pub async fn insert_draft(
    tx: &mut Tx,
    id: &ItemVersionId,
    side: Side,
    draft: &Draft<'_>,
) -> Result<(), StorageError> {
    let sql = match side {
        Side::Content => Sql::new(
            "INSERT INTO item_version (item_id, number, content, state, written_by, written_at, id) VALUES (",
        ),
        Side::Price => Sql::new(
            "INSERT INTO price_version (item_id, number, formula, state, written_by, written_at) VALUES (",
        ),
    }
    .bind(draft.of)
    .push(", ")
    .bind(draft.number)
    .push(", ")
    .bind(draft.json)
    .push(", 'draft', ")
    .bind(draft.by.as_str())
    .push(", ")
    .bind(draft.at.millis());
    let sql = match side {
        Side::Content => sql.push(", ").bind(id.as_str()),
        Side::Price => sql,
    };
    sql.push(")").run(tx).await.map(|_| ())
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
