//! What somebody may hear about: found within a scope, like everything else.

use super::{ReadTx, sql::Sql};
use crate::{authz::Scope, error::StorageError};

/// The units in a scope.
///
/// # Errors
/// What the database says.
pub async fn units(rx: &mut ReadTx, scope: &Scope) -> Result<Vec<String>, StorageError> {
    let sql = scope.filter(Sql::new("SELECT u.id FROM unit u WHERE TRUE"), " AND u.id");
    let rows: Vec<(String,)> = sql.all(rx).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The id of a request in a scope, by its id or its number.
///
/// # Errors
/// What the database says.
pub async fn request(
    rx: &mut ReadTx,
    scope: &Scope,
    named: &str,
) -> Result<Option<String>, StorageError> {
    let sql = Sql::new("SELECT r.id FROM request r WHERE (r.id = ")
        .bind(named)
        .push(" OR r.number = ")
        .bind(named)
        .push(")");
    let row: Option<(String,)> = scope.filter(sql, " AND r.unit_id").optional(rx).await?;
    Ok(row.map(|(id,)| id))
}

/// The unit of a resource in a scope.
///
/// # Errors
/// What the database says.
pub async fn unit_of_resource(
    rx: &mut ReadTx,
    scope: &Scope,
    id: &str,
) -> Result<Option<String>, StorageError> {
    let sql = Sql::new("SELECT r.unit_id FROM resource r WHERE r.id = ").bind(id);
    let row: Option<(String,)> = scope.filter(sql, " AND r.unit_id").optional(rx).await?;
    Ok(row.map(|(unit,)| unit))
}
