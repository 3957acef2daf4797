//! Virtual data centres: the holders of quotas.

use lingbao_model::{
    id::{UnitId, VdcId},
    people::UnitLevel,
    time::Timestamp,
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// Gives a unit a virtual data centre, below one of its parent unit's.
///
/// # Errors
/// What the database says.
pub async fn create(
    tx: &mut Tx,
    id: &VdcId,
    unit: &UnitId,
    parent: Option<&VdcId>,
    name: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO vdc (id, unit_id, parent_id, name, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id.as_str()).bind(unit.as_str()).bind(parent.map(VdcId::as_str)).bind(name)
        .bind(now.millis()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The virtual data centres of a unit with their names, the first one first.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn of_unit(rx: &mut ReadTx, unit: &UnitId) -> Result<Vec<(VdcId, String)>, StorageError> {
    let rows: Vec<(String, String)> = on!(rx, conn => sqlx::query_as(
        "SELECT id, name FROM vdc WHERE unit_id = $1 ORDER BY created_at, id")
        .bind(unit.as_str()).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(id, name)| match VdcId::try_from(id.clone()) {
            Ok(vdc) => Ok((vdc, name)),
            Err(e) => Err(StorageError::inconsistent("vdc", "id", id, e)),
        })
        .collect()
}

/// Renames the first virtual data centre of a unit along with the unit.
///
/// # Errors
/// What the database says.
pub async fn rename_first(tx: &mut Tx, unit: &UnitId, name: &str) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE vdc SET name = $1, version = version + 1
         WHERE id = (SELECT id FROM vdc WHERE unit_id = $2 ORDER BY created_at, id LIMIT 1)")
        .bind(name).bind(unit.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The VDC from whose limits a VDC's limits were handed down.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn parent(rx: &mut ReadTx, id: &VdcId) -> Result<Option<VdcId>, StorageError> {
    let parent: Option<Option<String>> = on!(rx, conn => sqlx::query_scalar(
        "SELECT parent_id FROM vdc WHERE id = $1").bind(id.as_str()).fetch_optional(conn).await)?;
    parent
        .flatten()
        .map(|p| p.parse())
        .transpose()
        .map_err(|e| StorageError::inconsistent("vdc", "parent_id", id.as_str(), e))
}

/// The VDCs whose limits were handed down from this one, with their units and the units' short
/// names, in the order of the units.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn children(
    rx: &mut ReadTx,
    id: &VdcId,
) -> Result<Vec<(VdcId, UnitId, String)>, StorageError> {
    let rows: Vec<(String, String, String)> = Sql::new(
        "SELECT v.id, v.unit_id, u.short_name FROM vdc v JOIN unit u ON u.id = v.unit_id WHERE v.parent_id = ",
    )
    .bind(id.as_str())
    .push(" ORDER BY u.sort_key, u.id, v.created_at, v.id LIMIT ")
    .bind(super::unit::MOST)
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(vdc, unit, name)| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("vdc", column, vdc.as_str(), e)
            };
            Ok((
                vdc.parse().map_err(|e| wrong("id", &e))?,
                unit.parse().map_err(|e| wrong("unit_id", &e))?,
                name,
            ))
        })
        .collect()
}

/// The unit whose VDC stands above all others: its limits are the site's.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn top_unit(rx: &mut ReadTx) -> Result<Option<UnitId>, StorageError> {
    let unit: Option<String> = on!(rx, conn => sqlx::query_scalar(
        "SELECT unit_id FROM vdc WHERE parent_id IS NULL ORDER BY created_at, id LIMIT 1")
        .fetch_optional(conn).await)?;
    unit.map(|u| u.parse())
        .transpose()
        .map_err(|e| StorageError::inconsistent("vdc", "unit_id", "top", e))
}

/// Whose a VDC is.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn unit(rx: &mut ReadTx, id: &VdcId) -> Result<Option<UnitId>, StorageError> {
    let unit: Option<String> = on!(rx, conn => sqlx::query_scalar(
        "SELECT unit_id FROM vdc WHERE id = $1").bind(id.as_str()).fetch_optional(conn).await)?;
    unit.map(|u| u.parse())
        .transpose()
        .map_err(|e| StorageError::inconsistent("vdc", "unit_id", id.as_str(), e))
}

/// Where a VDC of a unit stands: the unit's level, the unit above it, the VDC above this one.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn above(
    rx: &mut ReadTx,
    unit: &UnitId,
    vdc: &VdcId,
) -> Result<Option<(UnitLevel, Option<UnitId>, Option<VdcId>)>, StorageError> {
    let row: Option<(String, Option<String>, Option<String>)> = Sql::new(
        "SELECT u.level, p.parent_id, v.parent_id FROM unit u LEFT JOIN unit p ON p.id = u.parent_id
         JOIN vdc v ON v.unit_id = u.id WHERE u.id = ",
    )
    .bind(unit.as_str())
    .push(" AND v.id = ")
    .bind(vdc.as_str())
    .optional(rx)
    .await?;
    row.map(|(level, above, parent)| {
        let wrong = |table, column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent(table, column, vdc.as_str(), e)
        };
        Ok((
            level.parse().map_err(|e| wrong("unit", "level", &e))?,
            above
                .map(|id| id.parse())
                .transpose()
                .map_err(|e| wrong("unit", "parent_id", &e))?,
            parent
                .map(|id| id.parse())
                .transpose()
                .map_err(|e| wrong("vdc", "parent_id", &e))?,
        ))
    })
    .transpose()
}
