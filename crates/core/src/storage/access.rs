//! Who somebody is and which roles they hold; read for each request, never kept in a session.

use lingbao_model::{
    id::{UnitId, UserId},
    people::Grant,
};

use super::ReadTx;
use crate::{error::StorageError, on};

/// The person behind a session or a token.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PersonRow {
    /// Where the person works.
    pub unit_id: String,
    /// The person's name.
    pub name: String,
    /// Whether the account may be used.
    pub active: bool,
    /// Whether the password was given by somebody else and not yet changed.
    pub must_change: bool,
}

/// The account; `None` if there is none.
///
/// # Errors
/// What the database says.
pub async fn person(rx: &mut ReadTx, user: &UserId) -> Result<Option<PersonRow>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_as(
        "SELECT u.unit_id, u.name, u.active, COALESCE(c.must_change, FALSE) AS must_change
         FROM user_account u LEFT JOIN credential c ON c.user_id = u.id WHERE u.id = $1")
        .bind(user.as_str()).fetch_optional(conn).await)?)
}

/// The roles a user holds now.
///
/// # Errors
/// What the database says; [`StorageError::Inconsistency`] for a role nobody knows.
pub async fn grants(rx: &mut ReadTx, user: &UserId) -> Result<Vec<Grant>, StorageError> {
    let rows: Vec<(String, String, String, String)> = on!(rx, conn => sqlx::query_as(
        "SELECT id, role, unit_id, reach FROM user_grant WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id")
        .bind(user.as_str()).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(id, role, unit, reach)| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("user_grant", column, id.as_str(), e)
            };
            Ok(Grant {
                role: role.parse().map_err(|e| wrong("role", &e))?,
                unit: UnitId::try_from(unit).map_err(|e| wrong("unit_id", &e))?,
                reach: reach.parse().map_err(|e| wrong("reach", &e))?,
            })
        })
        .collect()
}

/// Whether `unit` is one of `ancestors` or stands below one of them.
///
/// # Errors
/// What the database says.
pub async fn is_below(
    rx: &mut ReadTx,
    unit: &UnitId,
    ancestors: &[&UnitId],
) -> Result<bool, StorageError> {
    super::sql::Sql::new("SELECT count(*) FROM unit_closure WHERE descendant = ")
        .bind(unit.as_str())
        .push(" AND ancestor IN ")
        .bind_list(ancestors.iter().map(|u| u.as_str()))
        .number(rx)
        .await
        .map(|n| n > 0)
}
