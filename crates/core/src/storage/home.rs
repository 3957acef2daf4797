//! Counts of the workbench.

use lingbao_model::{time::Timestamp, view::home::ResourceCounts};

use super::{ReadTx, sql::Sql};
use crate::{authz::Scope, error::StorageError};

/// Resources in a scope that were not given back, and those whose term ends before a moment.
///
/// # Errors
/// What the database says.
pub async fn resources(
    rx: &mut ReadTx,
    scope: &Scope,
    before: Timestamp,
) -> Result<ResourceCounts, StorageError> {
    let sql = Sql::new("SELECT count(*), CAST(SUM(CASE WHEN r.expires_at < ")
        .bind(before.millis())
        .push(" THEN 1 ELSE 0 END) AS BIGINT) FROM resource r WHERE r.service_state <> 'released'");
    let row: Option<(i64, Option<i64>)> = scope.filter(sql, " AND r.unit_id").optional(rx).await?;
    let (all, expiring) = row.unwrap_or((0, None));
    Ok(ResourceCounts {
        all,
        expiring: expiring.unwrap_or(0),
    })
}
