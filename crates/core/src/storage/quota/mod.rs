//! The quota ledger and its balances.
//!
//! Every booking has an **operation**, a text that names what is done once (`hold:<request>:3`,
//! `convert:<item>:0`). The ledger takes one entry for an operation, VDC, pool and dimension; if
//! the entry is there already, the balance is left alone. A balance moves by one conditional
//! update, in the fixed order of pool and dimension, so that two bookings never deadlock and never
//! both get the last unit.
//!
//! A booking that does not fit answers with all its shortfalls; the caller drops the transaction.

mod ledger;

pub use ledger::{Difference, entries, is_booked, pools_without_limit, recount};

use std::collections::BTreeMap;

use lingbao_model::{
    id::{PoolId, QuotaEntryId, RequestId, ResourceId, VdcId},
    quota::{Account, Demand, Dimension, EntryKind, Shortfall, Standing},
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{app::Cx, error::StorageError, on};

/// What is booked.
#[derive(Debug, Clone)]
pub struct Booking {
    /// What is done once.
    pub operation: String,
    /// Whose quota.
    pub vdc: VdcId,
    /// For which request.
    pub request: Option<RequestId>,
    /// How much, by pool and dimension. Zero and negative amounts are left out.
    pub demand: Demand,
}

/// What one booking adds to a balance; all four may be negative.
#[derive(Debug, Clone, Copy, Default)]
struct Delta {
    limit: i64,
    handed: i64,
    held: i64,
    used: i64,
}

/// A cell of the ledger.
struct Cell<'a> {
    operation: &'a str,
    vdc: &'a VdcId,
    pool: &'a PoolId,
    dimension: Dimension,
}

/// Books one cell. `false` if it was booked before; the balance was not touched then.
async fn enter(
    tx: &mut Tx,
    cx: &Cx,
    cell: &Cell<'_>,
    kind: EntryKind,
    delta: Delta,
    request: Option<&RequestId>,
    resource: Option<&ResourceId>,
) -> Result<bool, StorageError> {
    let id: QuotaEntryId = cx.id();
    let rows = on!(tx, conn => sqlx::query("INSERT INTO quota_entry (id, operation, vdc_id, pool_id, dimension, kind,
         limit_delta, handed_delta, held_delta, used_delta, request_id, resource_id, at, actor)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
       ON CONFLICT (operation, vdc_id, pool_id, dimension) DO NOTHING")
        .bind(id.as_str()).bind(cell.operation).bind(cell.vdc.as_str()).bind(cell.pool.as_str())
        .bind(cell.dimension.as_str()).bind(kind.as_str())
        .bind(delta.limit).bind(delta.handed).bind(delta.held).bind(delta.used)
        .bind(request.map(RequestId::as_str)).bind(resource.map(ResourceId::as_str))
        .bind(cx.now().millis()).bind(cx.actor.as_str()).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Moves a balance. With `within_limit` only if what is booked stays within the limit, and a limit
/// only as far down as it was handed on; `false` if it would not.
async fn shift(
    tx: &mut Tx,
    cell: &Cell<'_>,
    delta: Delta,
    within_limit: bool,
) -> Result<bool, StorageError> {
    // A dimension without a row has the limit 0; only a limit makes one.
    on!(tx, conn => sqlx::query("INSERT INTO quota_balance (vdc_id, pool_id, dimension) VALUES ($1, $2, $3)
         ON CONFLICT (vdc_id, pool_id, dimension) DO NOTHING")
        .bind(cell.vdc.as_str()).bind(cell.pool.as_str()).bind(cell.dimension.as_str())
        .execute(conn).await.map(|_| ()))?;
    let mut sql = Sql::new("UPDATE quota_balance SET limit_amount = limit_amount + ")
        .bind(delta.limit)
        .push(", handed = handed + ")
        .bind(delta.handed)
        .push(", held = held + ")
        .bind(delta.held)
        .push(", used = used + ")
        .bind(delta.used)
        .push(" WHERE vdc_id = ")
        .bind(cell.vdc.as_str())
        .push(" AND pool_id = ")
        .bind(cell.pool.as_str())
        .push(" AND dimension = ")
        .bind(cell.dimension.as_str());
    if within_limit {
        let more = delta.handed + delta.held + delta.used - delta.limit;
        sql = sql
            .push(" AND limit_amount - handed - held - used >= ")
            .bind(more);
    }
    if delta.limit < 0 {
        // Those below would have more together than there is.
        sql = sql
            .push(" AND limit_amount - handed >= ")
            .bind(delta.limit.saturating_neg());
    }
    Ok(sql.run(tx).await? == 1)
}

async fn standing(rx: &mut ReadTx, cell: &Cell<'_>) -> Result<Standing, StorageError> {
    let row: Option<(i64, i64, i64, i64)> =
        Sql::new("SELECT limit_amount, handed, held, used FROM quota_balance WHERE vdc_id = ")
            .bind(cell.vdc.as_str())
            .push(" AND pool_id = ")
            .bind(cell.pool.as_str())
            .push(" AND dimension = ")
            .bind(cell.dimension.as_str())
            .optional(rx)
            .await?;
    Ok(
        row.map_or_else(Standing::default, |(limit, handed, held, used)| Standing {
            limit,
            handed,
            held,
            used,
        }),
    )
}

fn cells(booking: &Booking) -> impl Iterator<Item = (Cell<'_>, i64)> {
    booking.demand.iter().flat_map(move |(pool, amounts)| {
        amounts
            .0
            .iter()
            .filter(|(_, amount)| **amount > 0)
            .map(move |(dimension, amount)| {
                let cell = Cell {
                    operation: &booking.operation,
                    vdc: &booking.vdc,
                    pool,
                    dimension: *dimension,
                };
                (cell, *amount)
            })
    })
}

/// Holds for a request. What does not fit comes back as shortfalls, and nothing of the transaction
/// may be committed then.
///
/// # Errors
/// What the database says.
pub async fn hold(tx: &mut Tx, cx: &Cx, booking: &Booking) -> Result<Vec<Shortfall>, StorageError> {
    let mut short = Vec::new();
    for (cell, asked) in cells(booking) {
        let delta = Delta {
            held: asked,
            ..Delta::default()
        };
        if !enter(
            tx,
            cx,
            &cell,
            EntryKind::Hold,
            delta,
            booking.request.as_ref(),
            None,
        )
        .await?
        {
            continue;
        }
        if !shift(tx, &cell, delta, true).await? {
            short.push(Shortfall {
                vdc: cell.vdc.clone(),
                pool: cell.pool.clone(),
                dimension: cell.dimension,
                standing: standing(tx, &cell).await?,
                asked,
            });
        }
    }
    Ok(short)
}

/// Books that can't be refused: they give back or move what is booked already.
async fn move_all(
    tx: &mut Tx,
    cx: &Cx,
    booking: &Booking,
    kind: EntryKind,
    resource: Option<&ResourceId>,
    delta: impl Fn(i64) -> Delta,
) -> Result<(), StorageError> {
    for (cell, amount) in cells(booking) {
        let delta = delta(amount);
        if enter(
            tx,
            cx,
            &cell,
            kind,
            delta,
            booking.request.as_ref(),
            resource,
        )
        .await?
        {
            shift(tx, &cell, delta, false).await?;
        }
    }
    Ok(())
}

/// Gives a part of a request's hold back: a piece that failed.
///
/// # Errors
/// What the database says.
pub async fn release_part(tx: &mut Tx, cx: &Cx, booking: &Booking) -> Result<(), StorageError> {
    move_all(tx, cx, booking, EntryKind::Release, None, |n| Delta {
        held: -n,
        ..Delta::default()
    })
    .await
}

/// Turns a part of a request's hold into use: a piece that was delivered.
///
/// # Errors
/// What the database says.
pub async fn convert(
    tx: &mut Tx,
    cx: &Cx,
    booking: &Booking,
    resource: &ResourceId,
) -> Result<(), StorageError> {
    let delta = |n: i64| Delta {
        held: -n,
        used: n,
        ..Delta::default()
    };
    move_all(tx, cx, booking, EntryKind::Convert, Some(resource), delta).await
}

/// Gives use back: a resource that was released.
///
/// # Errors
/// What the database says.
pub async fn free(
    tx: &mut Tx,
    cx: &Cx,
    booking: &Booking,
    resource: &ResourceId,
) -> Result<(), StorageError> {
    move_all(tx, cx, booking, EntryKind::Free, Some(resource), |n| {
        Delta {
            used: -n,
            ..Delta::default()
        }
    })
    .await
}

/// Gives everything back that a request still holds, wherever: its own VDC, and the VDC above that
/// holds the quota it asked for. `operation` names the reason (`withdraw:<request>`).
///
/// # Errors
/// What the database says.
pub async fn release_all(
    tx: &mut Tx,
    cx: &Cx,
    request: &RequestId,
    operation: &str,
) -> Result<(), StorageError> {
    let rows: Vec<(String, String, String, i64)> = Sql::new(
        "SELECT e.vdc_id, e.pool_id, e.dimension, CAST(SUM(e.held_delta) AS BIGINT)
         FROM quota_entry e WHERE e.request_id = ",
    )
    .bind(request.as_str())
    .push(" GROUP BY e.vdc_id, e.pool_id, e.dimension HAVING SUM(e.held_delta) > 0")
    .all(tx)
    .await?;
    let own: Option<String> = Sql::new("SELECT vdc_id FROM request WHERE id = ")
        .bind(request.as_str())
        .optional(tx)
        .await?
        .map(|(vdc,)| vdc);
    let mut held = rows
        .into_iter()
        .map(|(vdc, pool, dimension, held)| Ok((keys(vdc, pool, &dimension)?, held)))
        .collect::<Result<Vec<_>, StorageError>>()?;
    // In the order in which a submit locks them: first the request's own VDC, then the one above.
    held.sort_by(|((a, pool_a, dim_a), _), ((b, pool_b, dim_b), _)| {
        let above = |vdc: &VdcId| own.as_deref() != Some(vdc.as_str());
        (above(a), a, pool_a, dim_a).cmp(&(above(b), b, pool_b, dim_b))
    });
    for ((vdc, pool, dimension), held) in held {
        let cell = Cell {
            operation,
            vdc: &vdc,
            pool: &pool,
            dimension,
        };
        let delta = Delta {
            held: -held,
            ..Delta::default()
        };
        if enter(
            tx,
            cx,
            &cell,
            EntryKind::Release,
            delta,
            Some(request),
            None,
        )
        .await?
        {
            shift(tx, &cell, delta, false).await?;
        }
    }
    Ok(())
}

/// The quota that a request asked for and the VDC above holds for it is handed down: the limit
/// grows by what was missing, and the request holds it where it belongs. `parent_operation` is the
/// operation under which the VDC above held it.
///
/// # Errors
/// What the database says.
pub async fn grant_missing(
    tx: &mut Tx,
    cx: &Cx,
    request: &RequestId,
    parent: &VdcId,
    child: &VdcId,
) -> Result<(), StorageError> {
    let rows: Vec<(String, String, i64)> = Sql::new(
        "SELECT pool_id, dimension, CAST(SUM(held_delta) AS BIGINT) FROM quota_entry WHERE request_id = ",
    )
    .bind(request.as_str())
    .push(" AND vdc_id = ")
    .bind(parent.as_str())
    .push(" GROUP BY pool_id, dimension HAVING SUM(held_delta) > 0 ORDER BY pool_id, dimension")
    .all(tx)
    .await?;
    let operation = format!("grant:{request}");
    let handed = |missing: i64| Delta {
        held: -missing,
        handed: missing,
        ..Delta::default()
    };
    let mut given = Vec::with_capacity(rows.len());
    for (pool, dimension, missing) in rows {
        let (_, pool, dimension) = keys(parent.to_string(), pool, &dimension)?;
        let above = Cell {
            operation: &operation,
            vdc: parent,
            pool: &pool,
            dimension,
        };
        let delta = handed(missing);
        if enter(tx, cx, &above, EntryKind::Hand, delta, Some(request), None).await? {
            given.push((pool, dimension, missing));
        }
    }
    // First all cells of the one below, then all of the one above: the order in which a submit
    // locks them too, so that the two never wait for each other.
    for (pool, dimension, missing) in &given {
        let below = Cell {
            operation: &operation,
            vdc: child,
            pool,
            dimension: *dimension,
        };
        let delta = Delta {
            limit: *missing,
            held: *missing,
            ..Delta::default()
        };
        enter(tx, cx, &below, EntryKind::Hand, delta, Some(request), None).await?;
        shift(tx, &below, delta, false).await?;
    }
    for (pool, dimension, missing) in &given {
        let above = Cell {
            operation: &operation,
            vdc: parent,
            pool,
            dimension: *dimension,
        };
        shift(tx, &above, handed(*missing), false).await?;
    }
    Ok(())
}

/// Where a cell stands, with its row locked until the transaction ends: who reads a limit in order
/// to move it by what is missing must be the only one.
///
/// # Errors
/// What the database says.
pub async fn locked(
    tx: &mut Tx,
    vdc: &VdcId,
    pool: &PoolId,
    dimension: Dimension,
) -> Result<Standing, StorageError> {
    let cell = Cell {
        operation: "",
        vdc,
        pool,
        dimension,
    };
    shift(tx, &cell, Delta::default(), false).await?;
    standing(tx, &cell).await
}

/// Sets a limit that nobody handed down: that of the site's own VDC. It may be set below use and
/// then blocks only what is new. `false` if it would fall below what was handed on, and nothing of
/// the transaction may be committed then.
///
/// # Errors
/// What the database says.
pub async fn set_limit(
    tx: &mut Tx,
    cx: &Cx,
    operation: &str,
    vdc: &VdcId,
    pool: &PoolId,
    dimension: Dimension,
    limit: i64,
) -> Result<bool, StorageError> {
    let cell = Cell {
        operation,
        vdc,
        pool,
        dimension,
    };
    let delta = Delta {
        limit: limit - locked(tx, vdc, pool, dimension).await?.limit,
        ..Delta::default()
    };
    if enter(tx, cx, &cell, EntryKind::Limit, delta, None, None).await? {
        return shift(tx, &cell, delta, false).await;
    }
    Ok(true)
}

/// Hands a part of a limit on to a child (`amount` > 0) or takes a part back (`amount` < 0). A part
/// can only be handed on while it is left, and taken back while the child has not handed it on; the
/// child may be left with less than it uses. `false` if it does not fit, and nothing of the
/// transaction may be committed then.
///
/// # Errors
/// What the database says.
pub async fn hand(
    tx: &mut Tx,
    cx: &Cx,
    operation: &str,
    (parent, child): (&VdcId, &VdcId),
    pool: &PoolId,
    dimension: Dimension,
    amount: i64,
) -> Result<bool, StorageError> {
    let above = Cell {
        operation,
        vdc: parent,
        pool,
        dimension,
    };
    let handed = Delta {
        handed: amount,
        ..Delta::default()
    };
    if !enter(tx, cx, &above, EntryKind::Hand, handed, None, None).await? {
        return Ok(true);
    }
    let below = Cell {
        operation,
        vdc: child,
        pool,
        dimension,
    };
    let given = Delta {
        limit: amount,
        ..Delta::default()
    };
    enter(tx, cx, &below, EntryKind::Hand, given, None, None).await?;
    // First the one below, then the one above: the order in which a submit locks them.
    Ok(shift(tx, &below, given, false).await? && shift(tx, &above, handed, amount > 0).await?)
}

fn keys(
    vdc: String,
    pool: String,
    dimension: &str,
) -> Result<(VdcId, PoolId, Dimension), StorageError> {
    let at = format!("{vdc}/{pool}/{dimension}");
    let wrong = |column, e: &dyn std::fmt::Display| {
        StorageError::inconsistent("quota_entry", column, at.as_str(), e)
    };
    Ok((
        vdc.parse().map_err(|e| wrong("vdc_id", &e))?,
        pool.parse().map_err(|e| wrong("pool_id", &e))?,
        dimension.parse().map_err(|e| wrong("dimension", &e))?,
    ))
}

/// A balance: VDC, pool, dimension, limit, handed, held, used.
type Balance = (String, String, String, i64, i64, i64, i64);

const BALANCES: &str =
    "SELECT b.vdc_id, b.pool_id, b.dimension, b.limit_amount, b.handed, b.held, b.used
  FROM quota_balance b";

fn balance(row: Balance) -> Result<(VdcId, (PoolId, Dimension, Standing)), StorageError> {
    let (vdc, pool, dimension, limit, handed, held, used) = row;
    let (vdc, pool, dimension) = keys(vdc, pool, &dimension)?;
    let standing = Standing {
        limit,
        handed,
        held,
        used,
    };
    Ok((vdc, (pool, dimension, standing)))
}

/// Where a VDC stands, all pools and dimensions.
///
/// # Errors
/// What the database says.
pub async fn account(rx: &mut ReadTx, vdc: &VdcId) -> Result<Account, StorageError> {
    let rows: Vec<Balance> = Sql::new(BALANCES)
        .push(" WHERE b.vdc_id = ")
        .bind(vdc.as_str())
        .push(" ORDER BY b.pool_id, b.dimension")
        .all(rx)
        .await?;
    let mut standings = Vec::with_capacity(rows.len());
    for row in rows {
        standings.push(balance(row)?.1);
    }
    Ok(Account {
        vdc: vdc.clone(),
        standings,
    })
}

/// Where the VDCs directly below one stand, as far as they have anything; in one statement, however
/// many they are.
///
/// # Errors
/// What the database says.
pub async fn accounts_below(
    rx: &mut ReadTx,
    vdc: &VdcId,
) -> Result<BTreeMap<VdcId, Account>, StorageError> {
    let rows: Vec<Balance> = Sql::new(BALANCES)
        .push(" JOIN vdc v ON v.id = b.vdc_id WHERE v.parent_id = ")
        .bind(vdc.as_str())
        .push(" ORDER BY b.vdc_id, b.pool_id, b.dimension")
        .all(rx)
        .await?;
    let mut accounts: BTreeMap<VdcId, Account> = BTreeMap::new();
    for row in rows {
        let (vdc, one) = balance(row)?;
        let account = accounts.entry(vdc.clone()).or_insert_with(|| Account {
            vdc,
            standings: Vec::new(),
        });
        account.standings.push(one);
    }
    Ok(accounts)
}
