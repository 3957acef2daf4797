//! What may come in to a host beside its preset: the rules of its owner.

use std::collections::HashMap;

use lingbao_model::{
    access_rule::{AccessRule, PortRange},
    id::{AccessRuleId, ResourceId, UserId},
    time::Timestamp,
    view::resource::AccessRuleRow,
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// A rule as its columns say it; of ICMP both ports are 0.
fn rule(
    at: &str,
    protocol: &str,
    from: i64,
    to: i64,
    source: &str,
) -> Result<AccessRule, StorageError> {
    let wrong = |column, e: &dyn std::fmt::Display| {
        StorageError::inconsistent("access_rule", column, at, e)
    };
    let port = |column, n: i64| u16::try_from(n).map_err(|e| wrong(column, &e));
    let ports = PortRange {
        from: port("from_port", from)?,
        to: port("to_port", to)?,
    };
    Ok(AccessRule {
        protocol: protocol.parse().map_err(|e| wrong("protocol", &e))?,
        ports: (ports.from > 0).then_some(ports),
        source: source.parse().map_err(|e| wrong("source", &e))?,
    })
}

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
        Ok(Self {
            rule: rule(&at, &row.protocol, row.from_port, row.to_port, &row.source)?,
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

/// The rules of some hosts; a host without any is left out.
///
/// # Errors
/// What the database says.
pub async fn of_resources<'a>(
    rx: &mut ReadTx,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<ResourceId, Vec<AccessRule>>, StorageError> {
    let rows: Vec<(String, String, i64, i64, String)> = Sql::new(
        "SELECT resource_id, protocol, from_port, to_port, source FROM access_rule WHERE resource_id IN ",
    )
    .bind_list(ids)
    .all(rx)
    .await?;
    let mut all: HashMap<ResourceId, Vec<AccessRule>> = HashMap::new();
    for (id, protocol, from, to, source) in rows {
        let rule = rule(&id, &protocol, from, to, &source)?;
        let id: ResourceId = id.parse().map_err(|e| {
            StorageError::inconsistent("access_rule", "resource_id", id.as_str(), e)
        })?;
        all.entry(id).or_default().push(rule);
    }
    Ok(all)
}

/// What may come in to a host has changed, or may have: whoever held its row beside the cloud before
/// knows nothing any more.
///
/// # Errors
/// What the database says.
pub async fn moved(tx: &mut Tx, resource: &ResourceId) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE resource SET version = version + 1 WHERE id = $1")
        .bind(resource.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
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
