//! Snapshots of disks, as a round compares them.

use std::collections::HashMap;

use lingbao_model::{
    id::{ResourceId, SnapshotId, UnitId},
    time::Timestamp,
    view::resource::SnapshotState,
};

use crate::{
    error::StorageError,
    storage::{ReadTx, sql::Sql},
};

/// A snapshot that stands in a cloud by our rows.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Identifier.
    pub id: SnapshotId,
    /// Its disk.
    pub disk: ResourceId,
    /// Whose.
    pub unit: UnitId,
    /// Name.
    pub name: String,
    /// Name of its disk.
    pub disk_name: String,
    /// GiB.
    pub size_gb: i64,
    /// The backend's name for it.
    pub external_id: String,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Whether something is being done to it or to its disk.
    pub busy: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    resource_id: String,
    unit_id: String,
    name: String,
    disk_name: String,
    size_gb: i64,
    external_id: String,
    created_at: i64,
    state: String,
    busy: i64,
}

impl TryFrom<Row> for Kept {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let at = row.id.clone();
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("snapshot", column, at.as_str(), e)
        };
        Ok(Self {
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
            disk: row
                .resource_id
                .parse()
                .map_err(|e| wrong("resource_id", &e))?,
            unit: row.unit_id.parse().map_err(|e| wrong("unit_id", &e))?,
            name: row.name,
            disk_name: row.disk_name,
            size_gb: row.size_gb,
            external_id: row.external_id,
            asked_at: Timestamp::from_millis(row.created_at),
            busy: row.busy > 0 || row.state != SnapshotState::Ready.as_str(),
        })
    }
}

/// The snapshots that some things of a backend are, by the backend's names.
///
/// # Errors
/// What the database says.
pub async fn of_names<'a>(
    rx: &mut ReadTx,
    backend: &str,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<String, Kept>, StorageError> {
    let ids: Vec<&str> = ids.into_iter().collect();
    // Most pages of a list hold none.
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<Row> = Sql::new(
        "SELECT s.id, s.resource_id, r.unit_id, s.name, r.name AS disk_name, s.size_gb, s.external_id,
           s.created_at, s.state,
           (SELECT count(*) FROM resource_action a WHERE a.resource_id = r.id)
             + (SELECT count(*) FROM request_release l JOIN request q ON q.id = l.request_id
                WHERE l.resource_id = r.id AND q.status = 'approved') AS busy
         FROM snapshot s JOIN resource r ON r.id = s.resource_id
         WHERE s.state <> 'deleted' AND r.service_state <> 'released' AND r.backend = ",
    )
    .bind(backend)
    .push(" AND s.external_id IN ")
    .bind_list(ids)
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.external_id.clone(), Kept::try_from(row)?)))
        .collect()
}

/// The backend's names of our snapshots after one of them, in order.
///
/// # Errors
/// What the database says.
pub async fn names_after(
    rx: &mut ReadTx,
    backend: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, StorageError> {
    let rows: Vec<(String,)> = Sql::new(
        "SELECT s.external_id FROM snapshot s JOIN resource r ON r.id = s.resource_id
         WHERE s.state <> 'deleted' AND r.service_state <> 'released' AND r.backend = ",
    )
    .bind(backend)
    .push(" AND s.external_id > ")
    .bind(after)
    .push(" ORDER BY s.external_id LIMIT ")
    .bind(limit)
    .all(rx)
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
