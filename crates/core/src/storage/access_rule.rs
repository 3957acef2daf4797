//! What may come in to a host beside its preset: the rules of its owner.

use lingbao_model::{
    access_rule::{AccessRule, PortRange},
    id::{AccessRuleId, ResourceId, UserId},
    time::Timestamp,
    view::resource::AccessRuleRow,
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    protocol: String,
    from_port: i64,
    to_port: i64,
    source: String,
    note: String,
    created_at: i64,
    by_name: Option<String>,
}

impl TryFrom<Row> for AccessRuleRow {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let at = row.id.clone();
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("access_rule", column, at.as_str(), e)
        };
        let port = |column, n: i64| u16::try_from(n).map_err(|e| wrong(column, &e));
        let ports = PortRange {
            from: port("from_port", row.from_port)?,
            to: port("to_port", row.to_port)?,
        };
        Ok(Self {
            rule: AccessRule {
                protocol: row.protocol.parse().map_err(|e| wrong("protocol", &e))?,
                ports: (ports.from > 0).then_some(ports),
                source: row.source.parse().map_err(|e| wrong("source", &e))?,
            },
            note: row.note,
            at: Timestamp::from_millis(row.created_at),
            by: row.by_name,
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
        })
    }
}

/// The rules of a host, the oldest first.
///
/// # Errors
/// What the database says.
pub async fn of_resource(
    rx: &mut ReadTx,
    resource: &ResourceId,
) -> Result<Vec<AccessRuleRow>, StorageError> {
    let rows: Vec<Row> = Sql::new(
        "SELECT a.id, a.protocol, a.from_port, a.to_port, a.source, a.note, a.created_at, u.name AS by_name
         FROM access_rule a LEFT JOIN user_account u ON u.id = a.created_by WHERE a.resource_id = ",
    )
    .bind(resource.as_str())
    .push(" ORDER BY a.created_at, a.id")
    .all(rx)
    .await?;
    rows.into_iter().map(AccessRuleRow::try_from).collect()
}

/// A rule that the cloud has taken.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Identifier.
    pub id: &'a AccessRuleId,
    /// Of which host.
    pub resource: &'a ResourceId,
    /// The rule.
    pub rule: &'a AccessRule,
    /// What it is for.
    pub note: &'a str,
    /// Who asked.
    pub by: &'a UserId,
    /// When.
    pub at: Timestamp,
}

/// Writes it down; twice is once.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<(), StorageError> {
    let (from, to) = new
        .rule
        .ports
        .map_or((0, 0), |ports| (i64::from(ports.from), i64::from(ports.to)));
    on!(tx, conn => sqlx::query("INSERT INTO access_rule
         (id, resource_id, protocol, from_port, to_port, source, note, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING")
        .bind(new.id.as_str()).bind(new.resource.as_str()).bind(new.rule.protocol.as_str()).bind(from).bind(to)
        .bind(new.rule.source.to_string()).bind(new.note).bind(new.at.millis()).bind(new.by.as_str())
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The cloud has given it up; twice is once.
///
/// # Errors
/// What the database says.
pub async fn delete(
    tx: &mut Tx,
    resource: &ResourceId,
    id: &AccessRuleId,
) -> Result<(), StorageError> {
    Sql::new("DELETE FROM access_rule WHERE id = ")
        .bind(id.as_str())
        .push(" AND resource_id = ")
        .bind(resource.as_str())
        .run(tx)
        .await?;
    Ok(())
}
