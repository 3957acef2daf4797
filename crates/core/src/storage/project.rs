//! A unit's project and networks at a backend.

use lingbao_model::{
    id::{PoolId, VdcId, VpcId},
    time::Timestamp,
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// The backend's name for a VDC's project, once it was made.
///
/// # Errors
/// What the database says.
pub async fn project(
    rx: &mut ReadTx,
    vdc: &VdcId,
    backend: &str,
) -> Result<Option<String>, StorageError> {
    let row: Option<(String,)> =
        Sql::new("SELECT external_id FROM backend_project WHERE vdc_id = ")
            .bind(vdc.as_str())
            .push(" AND backend = ")
            .bind(backend)
            .optional(rx)
            .await?;
    Ok(row.map(|(id,)| id))
}

/// Writes the project down; twice is once.
///
/// # Errors
/// What the database says; the VDC has another project there already, beside which nothing may be
/// built.
pub async fn save_project(
    tx: &mut Tx,
    vdc: &VdcId,
    backend: &str,
    external_id: &str,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO backend_project (vdc_id, backend, external_id) VALUES ($1, $2, $3)
         ON CONFLICT (vdc_id, backend) DO NOTHING")
        .bind(vdc.as_str()).bind(backend).bind(external_id).execute(conn).await.map(|_| ()))?;
    match project(tx, vdc, backend).await? {
        Some(kept) if kept != external_id => Err(StorageError::inconsistent(
            "backend_project",
            "external_id",
            vdc.as_str(),
            format!("the project is {kept}, the cloud answers with {external_id}"),
        )),
        _ => Ok(()),
    }
}

/// Under which key a backend finds the VDC's project, where that is not the VDC's id: the project
/// stood there before and became the unit's. Whoever makes another project the VDC's waits for this
/// transaction.
///
/// # Errors
/// What the database says.
pub async fn key(tx: &mut Tx, vdc: &VdcId, backend: &str) -> Result<Option<String>, StorageError> {
    lock(tx, vdc).await?;
    let row: Option<(Option<String>,)> =
        Sql::new("SELECT project_key FROM backend_project WHERE vdc_id = ")
            .bind(vdc.as_str())
            .push(" AND backend = ")
            .bind(backend)
            .optional(tx)
            .await?;
    Ok(row.and_then(|(key,)| key))
}

/// Makes whoever is about to use or choose the VDC's project wait for this transaction.
///
/// # Errors
/// What the database says.
pub async fn lock(tx: &mut Tx, vdc: &VdcId) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE vdc SET version = version WHERE id = $1")
        .bind(vdc.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Makes a project that stands at a backend the VDC's. `false` if it is another VDC's, or this one
/// has another project there.
///
/// # Errors
/// What the database says.
pub async fn adopt(
    tx: &mut Tx,
    vdc: &VdcId,
    backend: &str,
    external_id: &str,
    key: &str,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query("INSERT INTO backend_project (vdc_id, backend, external_id, project_key)
         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
        .bind(vdc.as_str()).bind(backend).bind(external_id).bind(key)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// The projects at a backend: the backend's name, and whose it is.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn owners(rx: &mut ReadTx, backend: &str) -> Result<Vec<(String, VdcId)>, StorageError> {
    let rows: Vec<(String, String)> =
        Sql::new("SELECT external_id, vdc_id FROM backend_project WHERE backend = ")
            .bind(backend)
            .push(" ORDER BY vdc_id")
            .all(rx)
            .await?;
    rows.into_iter()
        .map(|(project, vdc)| match vdc.parse() {
            Ok(id) => Ok((project, id)),
            Err(e) => Err(StorageError::inconsistent(
                "backend_project",
                "vdc_id",
                vdc,
                e,
            )),
        })
        .collect()
}

/// Takes a project off a VDC again, unless something of the VDC stands at that backend or is on its
/// way: then it stays the unit's. `false` if it stays.
///
/// # Errors
/// What the database says.
pub async fn give_up(
    tx: &mut Tx,
    vdc: &VdcId,
    backend: &str,
    external_id: &str,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query("DELETE FROM backend_project WHERE vdc_id = $1 AND backend = $2
           AND external_id = $3 AND project_key IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM resource r WHERE r.vdc_id = $1 AND r.backend = $2 AND r.service_state <> 'released')
         AND NOT EXISTS (SELECT 1 FROM vpc n JOIN pool p ON p.id = n.pool_id
           WHERE n.vdc_id = $1 AND p.backend = $2 AND n.external_id IS NOT NULL)
         AND NOT EXISTS (SELECT 1 FROM fulfilment f JOIN request q ON q.id = f.request_id
           WHERE q.vdc_id = $1 AND f.status IN ('waiting', 'running', 'residue'))")
        .bind(vdc.as_str()).bind(backend).bind(external_id)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// A VPC (专有网络).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vpc {
    /// Identifier.
    pub id: VpcId,
    /// Name.
    pub name: String,
    /// Its addresses.
    pub cidr: String,
    /// The backend's name for it, once it was made.
    pub external_id: Option<String>,
}

/// The VPC of a VDC in a pool; makes the row, with an address range that no other VPC of the site
/// has, if there is none.
///
/// # Errors
/// What the database says.
pub async fn ensure_vpc(
    tx: &mut Tx,
    id: VpcId,
    vdc: &VdcId,
    pool: &PoolId,
    name: &str,
    at: Timestamp,
) -> Result<Vpc, StorageError> {
    if let Some(vpc) = vpc(tx, vdc, pool).await? {
        return Ok(vpc);
    }
    // One counter row: two transactions never get the same range.
    let last: (String,) = on!(tx, conn => sqlx::query_as("INSERT INTO setting (key, value) VALUES ('vpc.last', '1')
         ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(setting.value AS BIGINT) + 1 AS TEXT) RETURNING value")
        .fetch_one(conn).await)?;
    let n: i64 = last
        .0
        .parse()
        .map_err(|e| StorageError::inconsistent("setting", "value", "vpc.last", e))?;
    let cidr = format!("10.{}.{}.0/24", (n / 256) % 256, n % 256);
    let made = on!(tx, conn => sqlx::query("INSERT INTO vpc (id, vdc_id, pool_id, name, cidr, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (vdc_id, pool_id) DO NOTHING")
        .bind(id.as_str()).bind(vdc.as_str()).bind(pool.as_str()).bind(name).bind(&cidr).bind(at.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    if made == 1 {
        return Ok(Vpc {
            id,
            name: name.to_owned(),
            cidr,
            external_id: None,
        });
    }
    vpc(tx, vdc, pool)
        .await?
        .ok_or_else(|| StorageError::inconsistent("vpc", "vdc_id", vdc.as_str(), "made and gone"))
}

/// The VPC of a VDC in a pool.
///
/// # Errors
/// What the database says.
pub async fn vpc(rx: &mut ReadTx, vdc: &VdcId, pool: &PoolId) -> Result<Option<Vpc>, StorageError> {
    let row: Option<(String, String, String, Option<String>)> =
        Sql::new("SELECT id, name, cidr, external_id FROM vpc WHERE vdc_id = ")
            .bind(vdc.as_str())
            .push(" AND pool_id = ")
            .bind(pool.as_str())
            .optional(rx)
            .await?;
    row.map(|(id, name, cidr, external_id)| {
        let id = id
            .parse()
            .map_err(|e| StorageError::inconsistent("vpc", "id", id.as_str(), e))?;
        Ok(Vpc {
            id,
            name,
            cidr,
            external_id,
        })
    })
    .transpose()
}

/// Writes down the backend's name for a VPC; another one if the cloud's was deleted whole and made anew.
///
/// # Errors
/// What the database says.
pub async fn save_vpc(tx: &mut Tx, id: &VpcId, external_id: &str) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE vpc SET external_id = $1 WHERE id = $2")
        .bind(external_id).bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}
