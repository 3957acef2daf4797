//! Snapshots of disks. The row is written before the cloud is asked, so that whoever gives the disk
//! back knows of every snapshot that hangs on it.

use lingbao_model::{
    id::{ResourceId, SnapshotId, UserId},
    time::Timestamp,
    view::resource::{SnapshotRow, SnapshotState},
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// A snapshot as it is stored.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What pages show.
    pub row: SnapshotRow,
    /// Of which disk.
    pub resource: ResourceId,
    /// The backend's name for it, once it is made.
    pub external_id: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    resource_id: String,
    name: String,
    note: String,
    size_gb: i64,
    state: String,
    external_id: Option<String>,
    created_at: i64,
    by_name: Option<String>,
}

const SELECT: &str =
    "SELECT s.id, s.resource_id, s.name, s.note, s.size_gb, s.state, s.external_id, s.created_at,
  u.name AS by_name
FROM snapshot s LEFT JOIN user_account u ON u.id = s.created_by WHERE TRUE";

impl TryFrom<Row> for Snapshot {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let at = row.id.clone();
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("snapshot", column, at.as_str(), e)
        };
        Ok(Self {
            resource: row
                .resource_id
                .parse()
                .map_err(|e| wrong("resource_id", &e))?,
            external_id: row.external_id,
            row: SnapshotRow {
                id: row.id.parse().map_err(|e| wrong("id", &e))?,
                name: row.name,
                note: row.note,
                size_gb: row.size_gb,
                state: row.state.parse().map_err(|e| wrong("state", &e))?,
                at: Timestamp::from_millis(row.created_at),
                by: row.by_name,
            },
        })
    }
}

/// A snapshot that is about to be taken.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Identifier.
    pub id: &'a SnapshotId,
    /// Of which disk.
    pub resource: &'a ResourceId,
    /// Name.
    pub name: &'a str,
    /// What it is for.
    pub note: &'a str,
    /// Size of the disk.
    pub size_gb: i64,
    /// Who asks.
    pub by: &'a UserId,
    /// When.
    pub at: Timestamp,
}

/// Writes it down as one that is being taken.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO snapshot (id, resource_id, name, note, size_gb, state, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, 'making', $6, $7)")
        .bind(new.id.as_str()).bind(new.resource.as_str()).bind(new.name).bind(new.note).bind(new.size_gb)
        .bind(new.at.millis()).bind(new.by.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The snapshots that a disk has, youngest first.
///
/// # Errors
/// What the database says.
pub async fn of_resource(
    rx: &mut ReadTx,
    resource: &ResourceId,
) -> Result<Vec<Snapshot>, StorageError> {
    let rows: Vec<Row> = Sql::new(SELECT)
        .push(" AND s.state <> 'deleted' AND s.resource_id = ")
        .bind(resource.as_str())
        .push(" ORDER BY s.created_at DESC, s.id DESC")
        .all(rx)
        .await?;
    rows.into_iter().map(Snapshot::try_from).collect()
}

/// How many snapshots these disks have together.
///
/// # Errors
/// What the database says.
pub async fn count_of(rx: &mut ReadTx, resources: &[ResourceId]) -> Result<i64, StorageError> {
    Sql::new("SELECT count(*) FROM snapshot WHERE state <> 'deleted' AND resource_id IN ")
        .bind_list(resources.iter().map(ResourceId::as_str))
        .number(rx)
        .await
}

/// One snapshot of a disk; of another disk it is not found. Whoever may see the disk may see it.
///
/// # Errors
/// What the database says.
pub async fn get(
    rx: &mut ReadTx,
    resource: &ResourceId,
    id: &SnapshotId,
) -> Result<Option<Snapshot>, StorageError> {
    let row: Option<Row> = Sql::new(SELECT)
        .push(" AND s.state <> 'deleted' AND s.resource_id = ")
        .bind(resource.as_str())
        .push(" AND s.id = ")
        .bind(id.as_str())
        .optional(rx)
        .await?;
    row.map(Snapshot::try_from).transpose()
}

/// Whether a disk had such a snapshot that is deleted by now.
///
/// # Errors
/// What the database says.
pub async fn is_gone(
    rx: &mut ReadTx,
    resource: &ResourceId,
    id: &SnapshotId,
) -> Result<bool, StorageError> {
    let row: Option<(String,)> =
        Sql::new("SELECT id FROM snapshot WHERE state = 'deleted' AND resource_id = ")
            .bind(resource.as_str())
            .push(" AND id = ")
            .bind(id.as_str())
            .optional(rx)
            .await?;
    Ok(row.is_some())
}

/// Moves it to a state.
///
/// # Errors
/// What the database says.
pub async fn set_state(
    tx: &mut Tx,
    id: &SnapshotId,
    state: SnapshotState,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE snapshot SET state = $1 WHERE id = $2 AND state <> 'deleted'")
        .bind(state.as_str()).bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// It was taken.
///
/// # Errors
/// What the database says.
pub async fn made(tx: &mut Tx, id: &SnapshotId, external_id: &str) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE snapshot SET state = 'ready', external_id = $1 WHERE id = $2 AND state <> 'deleted'")
        .bind(external_id).bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// It is gone; its row stays.
///
/// # Errors
/// What the database says.
pub async fn gone(tx: &mut Tx, id: &SnapshotId, at: Timestamp) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE snapshot SET state = 'deleted', deleted_at = $1 WHERE id = $2 AND state <> 'deleted'")
        .bind(at.millis()).bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// All of a disk are gone, because the disk is.
///
/// # Errors
/// What the database says.
pub async fn all_gone(
    tx: &mut Tx,
    resource: &ResourceId,
    at: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE snapshot SET state = 'deleted', deleted_at = $1 WHERE resource_id = $2 AND state <> 'deleted'")
        .bind(at.millis()).bind(resource.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The disk out of whose snapshot or backup a resource was made.
///
/// # Errors
/// What the database says.
pub async fn origin(
    rx: &mut ReadTx,
    resource: &ResourceId,
) -> Result<Option<ResourceId>, StorageError> {
    let row: Option<(String,)> = Sql::new(
        "SELECT COALESCE(s.resource_id, b.of_id) FROM resource r
           LEFT JOIN snapshot s ON s.id = r.from_snapshot LEFT JOIN backup b ON b.id = r.from_backup
         WHERE COALESCE(s.resource_id, b.of_id) IS NOT NULL AND r.id = ",
    )
    .bind(resource.as_str())
    .optional(rx)
    .await?;
    row.map(|(id,)| {
        id.parse()
            .map_err(|e| StorageError::inconsistent("resource", "from", id.as_str(), e))
    })
    .transpose()
}
