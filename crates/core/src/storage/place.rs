//! Zones, pools and what the backends last said of their capacity.

use lingbao_model::{
    id::{PoolId, ZoneId},
    makes::Makes,
    msg::Label,
    placement::{Level, Pool, Zone},
    quota::PoolDimension,
    time::Timestamp,
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// All zones, in their order.
///
/// # Errors
/// What the database says.
pub async fn zones(rx: &mut ReadTx) -> Result<Vec<Zone>, StorageError> {
    let rows: Vec<(String, String, String, String, String, bool)> = Sql::new(
        "SELECT id, name_zh, name_en, hint_zh, hint_en, internet FROM zone ORDER BY sort, id",
    )
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(id, zh, en, hint_zh, hint_en, internet)| {
            let id = id
                .parse()
                .map_err(|e| StorageError::inconsistent("zone", "id", id.as_str(), e))?;
            Ok(Zone {
                id,
                name: Label { zh, en },
                hint: Label {
                    zh: hint_zh,
                    en: hint_en,
                },
                internet,
            })
        })
        .collect()
}

#[derive(sqlx::FromRow)]
struct PoolRow {
    id: String,
    name_zh: String,
    name_en: String,
    backend: String,
    zone_id: String,
    lowest: i64,
    highest: i64,
    purpose: String,
    xinchuang: bool,
    overcommit_percent: i64,
    open: bool,
}

/// All pools, in their order.
///
/// # Errors
/// What the database says.
pub async fn pools(rx: &mut ReadTx) -> Result<Vec<Pool>, StorageError> {
    let rows: Vec<PoolRow> = Sql::new(
        "SELECT id, name_zh, name_en, backend, zone_id, lowest, highest, purpose, xinchuang, overcommit_percent, open
         FROM pool ORDER BY sort, id",
    )
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let at = row.id.clone();
            let wrong = |column: &'static str, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("pool", column, at.as_str(), e)
            };
            Ok(Pool {
                id: row.id.parse().map_err(|e| wrong("id", &e))?,
                name: Label {
                    zh: row.name_zh,
                    en: row.name_en,
                },
                backend: row.backend,
                zone: row.zone_id.parse().map_err(|e| wrong("zone_id", &e))?,
                lowest: Level::try_from(row.lowest).map_err(|e| wrong("lowest", &e))?,
                highest: Level::try_from(row.highest).map_err(|e| wrong("highest", &e))?,
                purpose: row.purpose.parse().map_err(|e| wrong("purpose", &e))?,
                xinchuang: row.xinchuang,
                overcommit_percent: row.overcommit_percent,
                open: row.open,
            })
        })
        .collect()
}

/// A zone to be written down.
#[derive(Debug, Clone)]
pub struct NewZone<'a> {
    /// The zone.
    pub zone: &'a Zone,
    /// Its place in lists.
    pub sort: i64,
}

/// Writes a zone down.
///
/// # Errors
/// What the database says.
pub async fn insert_zone(tx: &mut Tx, new: &NewZone<'_>) -> Result<(), StorageError> {
    let NewZone { zone, sort } = new;
    on!(tx, conn => sqlx::query("INSERT INTO zone (id, name_zh, name_en, hint_zh, hint_en, internet, sort) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(zone.id.as_str()).bind(&zone.name.zh).bind(&zone.name.en).bind(&zone.hint.zh).bind(&zone.hint.en)
        .bind(zone.internet).bind(*sort).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// A pool to be written down.
#[derive(Debug, Clone)]
pub struct NewPool<'a> {
    /// The pool.
    pub pool: &'a Pool,
    /// Its name at the backend.
    pub backend_pool: &'a str,
    /// Its place in lists.
    pub sort: i64,
}

/// Writes a pool down.
///
/// # Errors
/// What the database says.
pub async fn insert_pool(tx: &mut Tx, new: &NewPool<'_>) -> Result<(), StorageError> {
    let pool = new.pool;
    on!(tx, conn => sqlx::query("INSERT INTO pool (id, name_zh, name_en, backend, backend_pool, zone_id, lowest, highest, purpose,
         xinchuang, overcommit_percent, open, sort) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
        .bind(pool.id.as_str()).bind(&pool.name.zh).bind(&pool.name.en).bind(&pool.backend).bind(new.backend_pool)
        .bind(pool.zone.as_str()).bind(i64::from(pool.lowest)).bind(i64::from(pool.highest)).bind(pool.purpose.as_str())
        .bind(pool.xinchuang).bind(pool.overcommit_percent).bind(pool.open).bind(new.sort).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Where each pool stands at its backend: pool, backend, the pool's name there.
///
/// # Errors
/// What the database says.
pub async fn sites(rx: &mut ReadTx) -> Result<Vec<(PoolId, String, String)>, StorageError> {
    let rows: Vec<(String, String, String)> =
        Sql::new("SELECT id, backend, backend_pool FROM pool ORDER BY sort, id")
            .all(rx)
            .await?;
    rows.into_iter()
        .map(|(id, backend, there)| {
            Ok((
                id.parse()
                    .map_err(|e| StorageError::inconsistent("pool", "id", id.as_str(), e))?,
                backend,
                there,
            ))
        })
        .collect()
}

/// Pools whose backend gave no answer at the last look.
///
/// # Errors
/// What the database says.
pub async fn silent(rx: &mut ReadTx) -> Result<Vec<PoolId>, StorageError> {
    let rows: Vec<(String,)> = Sql::new(
        "SELECT p.id FROM pool p JOIN backend_health h ON h.backend = p.backend
         WHERE h.error IS NOT NULL ORDER BY p.sort, p.id",
    )
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(id,)| {
            id.parse::<PoolId>()
                .map_err(|e| StorageError::inconsistent("pool", "id", id.as_str(), e))
        })
        .collect()
}

/// What a backend says of one dimension of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolFigure<'a> {
    /// What it can give in all.
    pub total: i64,
    /// What it has handed out.
    pub allocated: i64,
    /// The hosts that were counted; see [`PoolLoad::hosts`](lingbao_model::view::overview::PoolLoad::hosts).
    pub hosts: Option<&'a str>,
}

/// Writes down what a backend says of one dimension of a pool, asked at a moment: what was there
/// before is among it. What it does not tell any more
/// (`None`) is not known from then on: an old figure would pass for a new one.
///
/// # Errors
/// What the database says.
pub async fn save_capacity(
    tx: &mut Tx,
    pool: &PoolId,
    dimension: PoolDimension,
    said: Option<PoolFigure<'_>>,
    at: Timestamp,
) -> Result<(), StorageError> {
    let Some(PoolFigure {
        total,
        allocated,
        hosts,
    }) = said
    else {
        Sql::new("DELETE FROM pool_capacity WHERE pool_id = ")
            .bind(pool.as_str())
            .push(" AND dimension = ")
            .bind(dimension.as_str())
            .run(tx)
            .await?;
        return Ok(());
    };
    on!(tx, conn => sqlx::query("INSERT INTO pool_capacity (pool_id, dimension, total, allocated, read_at, hosts) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (pool_id, dimension) DO UPDATE SET total = excluded.total, allocated = excluded.allocated,
           read_at = excluded.read_at, hosts = excluded.hosts")
        .bind(pool.as_str()).bind(dimension.as_str()).bind(total).bind(allocated).bind(at.millis()).bind(hosts)
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Writes down why a backend does not tell how full a pool is; `None` if it does.
///
/// # Errors
/// What the database says.
pub async fn save_refusal(
    tx: &mut Tx,
    pool: &PoolId,
    why: Option<&str>,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE pool SET refusal = $2 WHERE id = $1")
        .bind(pool.as_str()).bind(why).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Writes down what is made in a pool; `None` if its backend does not tell.
///
/// # Errors
/// What the database says.
pub async fn save_makes(
    tx: &mut Tx,
    pool: &PoolId,
    makes: Option<&Makes>,
) -> Result<(), StorageError> {
    let text = makes.map(serde_json::to_string).transpose();
    let text = text.map_err(|e| StorageError::inconsistent("pool", "makes", pool.as_str(), e))?;
    on!(tx, conn => sqlx::query("UPDATE pool SET makes = $2 WHERE id = $1")
        .bind(pool.as_str()).bind(text.as_deref()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// What is made in the pools whose backends have told it.
///
/// # Errors
/// What the database says.
pub async fn makes(rx: &mut ReadTx) -> Result<Vec<(PoolId, Makes)>, StorageError> {
    let rows: Vec<(String, String)> =
        Sql::new("SELECT id, makes FROM pool WHERE makes IS NOT NULL ORDER BY sort, id")
            .all(rx)
            .await?;
    rows.into_iter()
        .map(|(id, text)| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("pool", column, id.as_str(), e)
            };
            let pool = id.parse().map_err(|e| wrong("id", &e))?;
            let makes = serde_json::from_str(&text).map_err(|e| wrong("makes", &e))?;
            Ok((pool, makes))
        })
        .collect()
}

/// Whether there is any zone yet.
///
/// # Errors
/// What the database says.
pub async fn any_zone(rx: &mut ReadTx) -> Result<bool, StorageError> {
    Ok(Sql::new("SELECT count(*) FROM zone").number(rx).await? > 0)
}

/// The zone with an id.
#[must_use]
pub fn find<'a>(zones: &'a [Zone], id: &ZoneId) -> Option<&'a Zone> {
    zones.iter().find(|z| z.id == *id)
}

#[cfg(test)]
mod tests {
    use lingbao_model::quota::Room;

    use super::*;
    use crate::{
        authz::Scope,
        service::catalogue,
        storage::{overview, room::free},
        testing::{TestApp, engines},
    };

    #[tokio::test]
    async fn hosts_of_two_pools_count_once_and_what_is_told_no_more_is_not_known() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let (cx, now) = (app.system(), crate::testing::START);
            let mut tx = app.db.begin().await.unwrap();
            catalogue::install_defaults(&mut tx, &cx, "c")
                .await
                .unwrap();
            let pools = sites(&mut tx).await.unwrap();
            let (one, other) = (&pools[0].0, &pools[1].0);
            let cores = PoolFigure {
                total: 100,
                allocated: 10,
                hosts: Some("gov"),
            };
            for pool in [one, other] {
                save_capacity(&mut tx, pool, PoolDimension::Vcpu, Some(cores), now)
                    .await
                    .unwrap();
            }
            // More was promised than there is: nothing is left, and not less than nothing.
            let disk = PoolFigure {
                total: 1_000,
                allocated: 1_200,
                hosts: None,
            };
            save_capacity(&mut tx, one, PoolDimension::DiskGb, Some(disk), now)
                .await
                .unwrap();
            let scope = Scope::system(&cx).unwrap();
            let seen = overview::count(&mut tx, &scope, &[], now).await.unwrap();
            assert_eq!((seen.allocated_cores, seen.total_cores), (10, 100));
            assert_eq!(seen.pools.len(), 3);
            let room = |all: &[(PoolId, Room)], pool: &PoolId| -> Vec<_> {
                let found = all.iter().find(|(it, _)| it == pool);
                found.map_or_else(Vec::new, |(_, room)| room.0.clone().into_iter().collect())
            };
            let all = free(&mut tx).await.unwrap();
            let cores = (PoolDimension::Vcpu, 90);
            assert_eq!(room(&all, one), [cores, (PoolDimension::DiskGb, 0)]);
            assert_eq!(room(&all, other), [cores]);
            save_capacity(&mut tx, one, PoolDimension::DiskGb, None, now)
                .await
                .unwrap();
            let all = free(&mut tx).await.unwrap();
            assert_eq!(room(&all, one), [cores]);
            tx.commit().await.unwrap();
        }
    }
}
