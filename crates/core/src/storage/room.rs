//! Room in the pools (decision 27): what the clouds said they have, without what was agreed to and is
//! not among what they said.
//!
//! Nothing is written down for it. From its last approval on a request takes from its pools what it
//! holds in the quota ledger; what is delivered goes on being taken until the pool has been read
//! after that. So it is given back wherever the hold is: no second ledger can go another way.

use std::collections::BTreeMap;

use lingbao_model::{
    id::{PoolId, RequestId},
    msg::Label,
    quota::{Demand, PoolDimension, PoolShortfall, Room},
    time::Timestamp,
    view::overview::PoolLoad,
};

use super::{ReadTx, Tx, sql::Sql};
use crate::error::StorageError;

fn demand(rows: Vec<(String, String, i64)>) -> Result<Demand, StorageError> {
    let mut demand = Demand::new();
    for (pool, dimension, amount) in rows {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("quota_entry", column, pool.as_str(), e)
        };
        let dimension = dimension.parse().map_err(|e| wrong("dimension", &e))?;
        demand
            .entry(pool.parse().map_err(|e| wrong("pool_id", &e))?)
            .or_default()
            .add(dimension, amount);
    }
    Ok(demand)
}

/// What a request holds, wherever: what it takes from the pools once it is approved.
///
/// # Errors
/// What the database says.
pub async fn of_request(rx: &mut ReadTx, request: &RequestId) -> Result<Demand, StorageError> {
    let rows = Sql::new(
        "SELECT pool_id, dimension, CAST(SUM(held_delta) AS BIGINT) FROM quota_entry
         WHERE held_delta <> 0 AND request_id = ",
    )
    .bind(request.as_str())
    .push(" GROUP BY pool_id, dimension ORDER BY pool_id, dimension")
    .all(rx)
    .await?;
    demand(rows)
}

/// What all requests under way hold, and what was delivered after its pool was read. One statement:
/// a delivery that comes between two would be in neither. What was taken in stood there before.
async fn agreed(rx: &mut ReadTx) -> Result<Demand, StorageError> {
    let rows = Sql::new(
        "SELECT b.pool_id, b.dimension, CAST(SUM(b.amount) AS BIGINT) FROM (
           SELECT e.pool_id, e.dimension, e.held_delta AS amount
           FROM request q JOIN quota_entry e ON e.request_id = q.id AND e.held_delta <> 0
           WHERE q.status = 'approved'
           UNION ALL
           SELECT e.pool_id, e.dimension, e.used_delta AS amount
           FROM (SELECT pool_id, MAX(read_at) AS read_at FROM pool_capacity GROUP BY pool_id) c
           JOIN quota_entry e ON e.pool_id = c.pool_id AND e.at >= c.read_at AND e.kind = 'convert'
           LEFT JOIN request q ON q.id = e.request_id
           WHERE q.kind IS NULL OR q.kind <> 'import') b
         GROUP BY b.pool_id, b.dimension ORDER BY b.pool_id, b.dimension",
    )
    .all(rx)
    .await?;
    demand(rows)
}

#[derive(sqlx::FromRow)]
struct Said {
    id: String,
    name_zh: String,
    name_en: String,
    backend: String,
    dimension: String,
    total: i64,
    allocated: i64,
    read_at: i64,
    hosts: Option<String>,
}

/// Every pool in every dimension that its cloud told of, as if `more` were held too.
async fn loads_with(rx: &mut ReadTx, more: &Demand) -> Result<Vec<PoolLoad>, StorageError> {
    let mut held = agreed(rx).await?;
    for (pool, amounts) in more {
        held.entry(pool.clone()).or_default().add_all(amounts);
    }
    let rows: Vec<Said> = Sql::new(
        "SELECT p.id, p.name_zh, p.name_en, p.backend, c.dimension, c.total, c.allocated, c.read_at, c.hosts
         FROM pool p JOIN pool_capacity c ON c.pool_id = p.id ORDER BY p.sort, p.id, c.dimension",
    )
    .all(rx)
    .await?;
    let mut loads = rows
        .into_iter()
        .map(|row| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("pool_capacity", column, row.id.as_str(), e)
            };
            Ok(PoolLoad {
                pool: row.id.parse().map_err(|e| wrong("pool_id", &e))?,
                dimension: row.dimension.parse().map_err(|e| wrong("dimension", &e))?,
                name: Label {
                    zh: row.name_zh,
                    en: row.name_en,
                },
                total: row.total,
                allocated: row.allocated,
                held: 0,
                read_at: Timestamp::from_millis(row.read_at),
                backend: row.backend,
                hosts: row.hosts,
            })
        })
        .collect::<Result<Vec<_>, StorageError>>()?;
    let own = |load: &PoolLoad| {
        held.get(&load.pool)
            .map_or(0, |it| load.dimension.asked(it))
    };
    let of_hosts = |load: &PoolLoad| {
        let there = loads.iter().filter(|other| other.shares(load));
        there.map(own).sum::<i64>()
    };
    let sums: Vec<i64> = loads.iter().map(of_hosts).collect();
    for (load, sum) in loads.iter_mut().zip(sums) {
        load.held = sum;
    }
    Ok(loads)
}

/// What the clouds last said about the pools, and what is held.
///
/// # Errors
/// What the database says.
pub async fn loads(rx: &mut ReadTx) -> Result<Vec<PoolLoad>, StorageError> {
    loads_with(rx, &Demand::new()).await
}

/// What each pool can still take, as far as its cloud said.
///
/// # Errors
/// What the database says.
pub async fn free(rx: &mut ReadTx) -> Result<Vec<(PoolId, Room)>, StorageError> {
    let mut free: BTreeMap<PoolId, Room> = BTreeMap::new();
    for load in loads(rx).await? {
        let left = load.left().max(0);
        // Kept even if nothing is left: absent means unknown.
        let room = free.entry(load.pool).or_default();
        room.0.insert(load.dimension, left);
    }
    Ok(free.into_iter().collect())
}

/// What the pools have too little of for what is not approved yet; empty if it fits, and of what no
/// cloud tells.
///
/// # Errors
/// What the database says.
pub async fn short(rx: &mut ReadTx, asked: &Demand) -> Result<Vec<PoolShortfall>, StorageError> {
    if !takes_room(asked) {
        return Ok(Vec::new());
    }
    // With it, because two of its pools may stand on the same hosts.
    let with_it = loads_with(rx, asked).await?;
    let short = with_it.into_iter().filter_map(|load| {
        let own = asked
            .get(&load.pool)
            .map_or(0, |it| load.dimension.asked(it));
        let left = load.left();
        (own > 0 && left < 0).then(|| PoolShortfall {
            asked: own,
            left: left.saturating_add(own).max(0),
            pool: load.pool,
            dimension: load.dimension,
        })
    });
    Ok(short.collect())
}

/// [`short`] for what is about to be approved: until the transaction ends nobody else is told that
/// there is room in these pools, and no reading of them is written.
///
/// # Errors
/// What the database says.
pub async fn hold(tx: &mut Tx, asked: &Demand) -> Result<Vec<PoolShortfall>, StorageError> {
    if !takes_room(asked) {
        return Ok(Vec::new());
    }
    lock(tx, asked.keys()).await?;
    short(tx, asked).await
}

fn takes_room(asked: &Demand) -> bool {
    let mut dimensions = PoolDimension::ALL.iter();
    dimensions.any(|dimension| asked.values().any(|amounts| dimension.asked(amounts) > 0))
}

/// Locks these pools and all that may stand on their hosts, in the order of their ids.
///
/// # Errors
/// What the database says.
pub async fn lock(tx: &mut Tx, pools: impl Iterator<Item = &PoolId>) -> Result<(), StorageError> {
    let beside: Vec<(String,)> =
        Sql::new("SELECT id FROM pool WHERE backend IN (SELECT backend FROM pool WHERE id IN ")
            .bind_list(pools.map(PoolId::as_str))
            .push(") ORDER BY id")
            .all(tx)
            .await?;
    for (id,) in beside {
        Sql::new("UPDATE pool SET version = version WHERE id = ")
            .bind(id)
            .run(tx)
            .await?;
    }
    Ok(())
}
