//! The ledger as it is read: its latest entries, and the recount that compares it with the balances.

use lingbao_model::{
    id::{PoolId, VdcId},
    msg::Label,
    quota::{Dimension, Standing},
    time::Timestamp,
    view::quota::LedgerRow,
};

use super::keys;
use crate::{
    error::StorageError,
    storage::{ReadTx, sql::Sql},
};

#[derive(sqlx::FromRow)]
struct EntryRow {
    at: i64,
    kind: String,
    pool_id: String,
    name_zh: String,
    name_en: String,
    dimension: String,
    limit_delta: i64,
    handed_delta: i64,
    held_delta: i64,
    used_delta: i64,
    number: Option<String>,
}

/// The latest entries of a VDC's ledger, the last one first.
///
/// # Errors
/// What the database says.
pub async fn entries(
    rx: &mut ReadTx,
    vdc: &VdcId,
    limit: i64,
) -> Result<Vec<LedgerRow>, StorageError> {
    let rows: Vec<EntryRow> = Sql::new(
        "SELECT e.at, e.kind, e.pool_id, p.name_zh, p.name_en, e.dimension, e.limit_delta, e.handed_delta,
           e.held_delta, e.used_delta, r.number
         FROM quota_entry e JOIN pool p ON p.id = e.pool_id LEFT JOIN request r ON r.id = e.request_id
         WHERE e.vdc_id = ",
    )
    .bind(vdc.as_str())
    .push(" ORDER BY e.at DESC, e.id DESC LIMIT ")
    .bind(limit)
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let (_, pool, dimension) = keys(vdc.to_string(), row.pool_id, &row.dimension)?;
            Ok(LedgerRow {
                at: Timestamp::from_millis(row.at),
                kind: row.kind.parse().map_err(|e| {
                    StorageError::inconsistent("quota_entry", "kind", vdc.as_str(), e)
                })?,
                pool,
                pool_name: Label::new(row.name_zh, row.name_en),
                dimension,
                limit: row.limit_delta,
                handed: row.handed_delta,
                held: row.held_delta,
                used: row.used_delta,
                request: row.number,
            })
        })
        .collect()
}

/// Whether an operation was booked already.
///
/// # Errors
/// What the database says.
pub async fn is_booked(rx: &mut ReadTx, operation: &str) -> Result<bool, StorageError> {
    let n = Sql::new("SELECT count(*) FROM quota_entry WHERE operation = ")
        .bind(operation)
        .number(rx)
        .await?;
    Ok(n > 0)
}

/// The open pools, by their names at their backends, of which the site has nothing to give: nobody
/// can order there.
///
/// # Errors
/// What the database says.
pub async fn pools_without_limit(rx: &mut ReadTx) -> Result<Vec<String>, StorageError> {
    let rows: Vec<(String,)> = Sql::new(
        "SELECT p.backend_pool FROM pool p WHERE p.open AND NOT EXISTS (
           SELECT 1 FROM quota_balance b JOIN vdc v ON v.id = b.vdc_id
           WHERE b.pool_id = p.id AND v.parent_id IS NULL AND b.limit_amount > 0)
         ORDER BY p.sort, p.id",
    )
    .all(rx)
    .await?;
    Ok(rows.into_iter().map(|(pool,)| pool).collect())
}

/// A balance that differs from its ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Whose.
    pub vdc: VdcId,
    /// In which pool.
    pub pool: PoolId,
    /// Which dimension.
    pub dimension: Dimension,
    /// What the balance says.
    pub balance: Standing,
    /// What the ledger adds up to.
    pub ledger: Standing,
}

/// Adds the ledger up and compares; empty when the cache is right.
///
/// # Errors
/// What the database says.
pub async fn recount(rx: &mut ReadTx) -> Result<Vec<Difference>, StorageError> {
    type Row = (
        String,
        String,
        String,
        i64,
        i64,
        i64,
        i64,
        i64,
        i64,
        i64,
        i64,
    );
    let rows: Vec<Row> = Sql::new(
        "SELECT b.vdc_id, b.pool_id, b.dimension, b.limit_amount, b.handed, b.held, b.used,
           COALESCE(e.l, 0), COALESCE(e.h, 0), COALESCE(e.d, 0), COALESCE(e.u, 0)
         FROM quota_balance b LEFT JOIN (SELECT vdc_id, pool_id, dimension, CAST(SUM(limit_delta) AS BIGINT) AS l,
             CAST(SUM(handed_delta) AS BIGINT) AS h, CAST(SUM(held_delta) AS BIGINT) AS d, CAST(SUM(used_delta) AS BIGINT) AS u
           FROM quota_entry GROUP BY vdc_id, pool_id, dimension) e
           ON e.vdc_id = b.vdc_id AND e.pool_id = b.pool_id AND e.dimension = b.dimension
         WHERE b.limit_amount <> COALESCE(e.l, 0) OR b.handed <> COALESCE(e.h, 0) OR b.held <> COALESCE(e.d, 0)
           OR b.used <> COALESCE(e.u, 0) ORDER BY b.vdc_id, b.pool_id, b.dimension",
    )
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(vdc, pool, dimension, bl, bh, bd, bu, el, eh, ed, eu)| {
            let (vdc, pool, dimension) = keys(vdc, pool, &dimension)?;
            Ok(Difference {
                vdc,
                pool,
                dimension,
                balance: Standing {
                    limit: bl,
                    handed: bh,
                    held: bd,
                    used: bu,
                },
                ledger: Standing {
                    limit: el,
                    handed: eh,
                    held: ed,
                    used: eu,
                },
            })
        })
        .collect()
}
