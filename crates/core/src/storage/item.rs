//! Catalogue items: their versions and prices.

use std::collections::BTreeMap;

use lingbao_model::{
    catalogue::{Content, Offer, Publication},
    id::{ItemId, ItemVersionId},
    price::Formula,
    time::Timestamp,
};

use super::{
    ReadTx, Tx,
    sql::{Cursor, Sql},
};
use crate::{error::StorageError, on};

#[derive(sqlx::FromRow)]
struct OfferRow {
    sort: i64,
    item_id: String,
    code: String,
    version_id: String,
    version: i64,
    content: String,
    price_version: i64,
    formula: String,
}

/// An item with the published version and the published price.
const OFFERS: &str = "SELECT i.sort, i.id AS item_id, i.code, v.id AS version_id, v.number AS version, v.content, p.number AS price_version, p.formula
FROM item i JOIN item_version v ON v.item_id = i.id AND v.state = 'published'
  JOIN price_version p ON p.item_id = i.id AND p.state = 'published' WHERE i.offered";

impl TryFrom<OfferRow> for Offer {
    type Error = StorageError;
    fn try_from(row: OfferRow) -> Result<Self, StorageError> {
        let wrong = |table, column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent(table, column, row.code.as_str(), e)
        };
        Ok(Self {
            item: row.item_id.parse().map_err(|e| wrong("item", "id", &e))?,
            version_id: row
                .version_id
                .parse()
                .map_err(|e| wrong("item_version", "id", &e))?,
            version: row.version,
            content: serde_json::from_str(&row.content)
                .map_err(|e| wrong("item_version", "content", &e))?,
            price_version: row.price_version,
            price: serde_json::from_str(&row.formula)
                .map_err(|e| wrong("price_version", "formula", &e))?,
            code: row.code,
        })
    }
}

/// Everything that can be ordered, in the order of the catalogue.
///
/// # Errors
/// What the database says.
pub async fn offers(rx: &mut ReadTx) -> Result<Vec<Offer>, StorageError> {
    let all = offers_after(rx, None).await?;
    Ok(all.into_iter().map(|(_, offer)| offer).collect())
}

/// The same after a place in that order, each with the key of its own place.
///
/// # Errors
/// What the database says.
pub async fn offers_after(
    rx: &mut ReadTx,
    after: Option<&str>,
) -> Result<Vec<(i64, Offer)>, StorageError> {
    let mut sql = Sql::new(OFFERS);
    if let Some((sort, cursor)) = after
        .and_then(Cursor::decode)
        .and_then(|c| Some((c.number()?, c)))
    {
        sql = sql
            .push(" AND (i.sort, i.code) > (")
            .bind(sort)
            .push(", ")
            .bind(cursor.id)
            .push(")");
    }
    let rows: Vec<OfferRow> = sql.push(" ORDER BY i.sort, i.code").all(rx).await?;
    rows.into_iter()
        .map(|row| Ok((row.sort, Offer::try_from(row)?)))
        .collect()
}

/// What can be ordered under a code; `None` if nothing can.
///
/// # Errors
/// What the database says.
pub async fn offer(rx: &mut ReadTx, code: &str) -> Result<Option<Offer>, StorageError> {
    let row: Option<OfferRow> = Sql::new(OFFERS)
        .push(" AND i.code = ")
        .bind(code)
        .optional(rx)
        .await?;
    row.map(Offer::try_from).transpose()
}

/// What a version of an item says about itself, published or not.
///
/// # Errors
/// What the database says.
pub async fn content(
    rx: &mut ReadTx,
    version: &ItemVersionId,
) -> Result<Option<Content>, StorageError> {
    let row: Option<(String,)> = Sql::new("SELECT content FROM item_version WHERE id = ")
        .bind(version.as_str())
        .optional(rx)
        .await?;
    row.map(|(json,)| {
        serde_json::from_str(&json)
            .map_err(|e| StorageError::inconsistent("item_version", "content", version.as_str(), e))
    })
    .transpose()
}

/// The offers of some items.
///
/// # Errors
/// What the database says.
pub async fn by_codes(
    rx: &mut ReadTx,
    codes: impl IntoIterator<Item = &str>,
) -> Result<Vec<Offer>, StorageError> {
    let rows: Vec<OfferRow> = Sql::new(OFFERS)
        .push(" AND i.code IN ")
        .bind_list(codes)
        .push(" ORDER BY i.sort, i.id")
        .all(rx)
        .await?;
    rows.into_iter().map(Offer::try_from).collect()
}

/// Contents of versions, whatever their state: lines keep the version they were made from.
///
/// # Errors
/// What the database says.
pub async fn contents(
    rx: &mut ReadTx,
    versions: impl IntoIterator<Item = &ItemVersionId>,
) -> Result<BTreeMap<ItemVersionId, Content>, StorageError> {
    let rows: Vec<(String, String)> = Sql::new("SELECT id, content FROM item_version WHERE id IN ")
        .bind_list(versions.into_iter().map(ItemVersionId::as_str))
        .push(" ORDER BY id")
        .all(rx)
        .await?;
    rows.into_iter()
        .map(|(id, content)| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("item_version", column, id.as_str(), e)
            };
            Ok((
                id.parse().map_err(|e| wrong("id", &e))?,
                serde_json::from_str(&content).map_err(|e| wrong("content", &e))?,
            ))
        })
        .collect()
}

fn json<T: serde::Serialize>(
    table: &'static str,
    column: &'static str,
    row: &str,
    value: &T,
) -> Result<String, StorageError> {
    serde_json::to_string(value).map_err(|e| StorageError::inconsistent(table, column, row, e))
}

/// Writes an item down, without any version.
///
/// # Errors
/// A conflict if the code is taken.
pub async fn insert(
    tx: &mut Tx,
    id: &ItemId,
    code: &str,
    sort: i64,
    at: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO item (id, code, sort, created_at) VALUES ($1, $2, $3, $4)")
        .bind(id.as_str()).bind(code).bind(sort).bind(at.millis()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// A version to be written down.
#[derive(Debug, Clone)]
pub struct NewVersion<'a> {
    /// Identifier.
    pub id: &'a ItemVersionId,
    /// The item.
    pub item: &'a ItemId,
    /// Its number.
    pub number: i64,
    /// What it says.
    pub content: &'a Content,
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
pub async fn insert_version(tx: &mut Tx, new: &NewVersion<'_>) -> Result<(), StorageError> {
    let content = json("item_version", "content", new.id.as_str(), new.content)?;
    let published = (new.state == Publication::Published).then(|| new.at.millis());
    on!(tx, conn => sqlx::query("INSERT INTO item_version (id, item_id, number, content, state, written_by, written_at, published_by, published_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(new.id.as_str()).bind(new.item.as_str()).bind(new.number).bind(&content).bind(new.state.as_str()).bind(new.by)
        .bind(new.at.millis()).bind(published.map(|_| new.by)).bind(published).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Writes a price version down.
///
/// # Errors
/// A conflict if the number is taken.
pub async fn insert_price(
    tx: &mut Tx,
    item: &ItemId,
    number: i64,
    formula: &Formula,
    state: Publication,
    by: &str,
    at: Timestamp,
) -> Result<(), StorageError> {
    let formula = json("price_version", "formula", item.as_str(), formula)?;
    let published = (state == Publication::Published).then(|| at.millis());
    on!(tx, conn => sqlx::query("INSERT INTO price_version (item_id, number, formula, state, written_by, written_at, published_by, published_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(item.as_str()).bind(number).bind(&formula).bind(state.as_str()).bind(by).bind(at.millis())
        .bind(published.map(|_| by)).bind(published).execute(conn).await.map(|_| ()))?;
    Ok(())
}
