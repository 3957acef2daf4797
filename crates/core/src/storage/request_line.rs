//! The lines (申请明细) of requests.

use lingbao_model::{
    catalogue::Fulfiller,
    id::{RequestId, RequestItemId},
    placement::{Level, Placement},
    request::Line,
};
use serde::Deserialize;

use super::{ReadTx, Tx};
use crate::{error::StorageError, on};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    position: i64,
    item_version_id: String,
    code: String,
    content: String,
    item_name: String,
    name: String,
    zone_id: Option<String>,
    level: Option<i64>,
    pool_id: Option<String>,
    answers: String,
    count: i64,
    term_months: i64,
    attach_to: Option<String>,
    price_version: i64,
    quote: String,
}

/// The one field of a version's content that a line carries.
#[derive(Deserialize)]
struct Kind {
    fulfiller: Fulfiller,
}

impl TryFrom<Row> for Line {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("request_item", column, row.id.as_str(), e)
        };
        let placement = match (&row.zone_id, row.level, &row.pool_id) {
            (Some(zone), Some(level), Some(pool)) => Some(Placement {
                zone: zone.parse().map_err(|e| wrong("zone_id", &e))?,
                level: Level::try_from(level).map_err(|e| wrong("level", &e))?,
                pool: pool.parse().map_err(|e| wrong("pool_id", &e))?,
            }),
            (None, None, None) => None,
            _ => return Err(wrong("zone_id", &"a placement is all three or none")),
        };
        let kind: Kind =
            serde_json::from_str(&row.content).map_err(|e| wrong("item_version_id", &e))?;
        Ok(Self {
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
            version: row
                .item_version_id
                .parse()
                .map_err(|e| wrong("item_version_id", &e))?,
            kind: kind.fulfiller,
            item_name: serde_json::from_str(&row.item_name).map_err(|e| wrong("item_name", &e))?,
            answers: serde_json::from_str(&row.answers).map_err(|e| wrong("answers", &e))?,
            quote: serde_json::from_str(&row.quote).map_err(|e| wrong("quote", &e))?,
            attach_to: row
                .attach_to
                .as_ref()
                .map(|a| a.parse())
                .transpose()
                .map_err(|e| wrong("attach_to", &e))?,
            placement,
            position: row.position,
            code: row.code,
            name: row.name,
            count: row.count,
            term_months: row.term_months,
            price_version: row.price_version,
        })
    }
}

/// The lines of a request that the caller has seen, in order.
///
/// # Errors
/// What the database says.
pub async fn of_request(rx: &mut ReadTx, request: &RequestId) -> Result<Vec<Line>, StorageError> {
    let rows: Vec<Row> = on!(rx, conn => sqlx::query_as(
        "SELECT i.id, i.position, i.item_version_id, i.code, v.content, i.item_name, i.name, i.zone_id,
           i.level, i.pool_id, i.answers, i.count, i.term_months, i.attach_to, i.price_version, i.quote
         FROM request_item i JOIN item_version v ON v.id = i.item_version_id
         WHERE i.request_id = $1 ORDER BY i.position, i.id")
        .bind(request.as_str()).fetch_all(conn).await)?;
    rows.into_iter().map(Line::try_from).collect()
}

fn json(line: &Line, value: &impl serde::Serialize) -> Result<String, StorageError> {
    serde_json::to_string(value)
        .map_err(|e| StorageError::inconsistent("request_item", "answers", line.id.as_str(), e))
}

/// Writes a line, new or changed. What it attaches to must be there already.
///
/// # Errors
/// What the database says.
pub async fn put(tx: &mut Tx, request: &RequestId, line: &Line) -> Result<(), StorageError> {
    let (name, answers, quote) = (
        json(line, &line.item_name)?,
        json(line, &line.answers)?,
        json(line, &line.quote)?,
    );
    let place = line.placement.as_ref();
    on!(tx, conn => sqlx::query(
        "INSERT INTO request_item (id, request_id, position, item_version_id, code, item_name, name, zone_id,
           level, pool_id, answers, count, term_months, attach_to, price_version, quote, month_fen)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         ON CONFLICT (id) DO UPDATE SET position = excluded.position, item_version_id = excluded.item_version_id,
           code = excluded.code, item_name = excluded.item_name, name = excluded.name, zone_id = excluded.zone_id,
           level = excluded.level, pool_id = excluded.pool_id, answers = excluded.answers, count = excluded.count,
           term_months = excluded.term_months, attach_to = excluded.attach_to,
           price_version = excluded.price_version, quote = excluded.quote, month_fen = excluded.month_fen
         WHERE request_item.request_id = excluded.request_id")
        .bind(line.id.as_str()).bind(request.as_str()).bind(line.position).bind(line.version.as_str())
        .bind(&line.code).bind(&name).bind(&line.name).bind(place.map(|p| p.zone.as_str()))
        .bind(place.map(|p| i64::from(p.level))).bind(place.map(|p| p.pool.as_str())).bind(&answers)
        .bind(line.count).bind(line.term_months).bind(line.attach_to.as_ref().map(RequestItemId::as_str))
        .bind(line.price_version).bind(&quote).bind(line.quote.month.fen())
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Takes a line out of a draft. Lines that attach to it keep the wish in their answers and lose
/// the reference.
///
/// # Errors
/// What the database says.
pub async fn remove(
    tx: &mut Tx,
    request: &RequestId,
    line: &RequestItemId,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE request_item SET attach_to = NULL WHERE request_id = $1 AND attach_to = $2")
        .bind(request.as_str()).bind(line.as_str()).execute(conn).await.map(|_| ()))?;
    on!(tx, conn => sqlx::query("DELETE FROM request_item WHERE request_id = $1 AND id = $2")
        .bind(request.as_str()).bind(line.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Whether a line id is in use, in whatever request.
///
/// # Errors
/// What the database says.
pub async fn exists(rx: &mut ReadTx, line: &RequestItemId) -> Result<bool, StorageError> {
    let n: i64 = on!(rx, conn => sqlx::query_scalar("SELECT count(*) FROM request_item WHERE id = $1")
        .bind(line.as_str()).fetch_one(conn).await)?;
    Ok(n > 0)
}
