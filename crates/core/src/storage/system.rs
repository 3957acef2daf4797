//! Application systems (系统): every resource belongs to one.

use lingbao_model::{
    id::{SystemId, UnitId},
    placement::Level,
    time::Timestamp,
    view::{
        page::Page,
        system::{SystemRow, SystemState},
    },
};

use super::{
    ReadTx, Tx, search,
    sql::{Cursor, Sql, cut},
};
use crate::{authz::Scope, error::StorageError, on};

/// Most systems that one answer holds.
pub const MOST: i64 = 500;

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    unit_id: String,
    unit_name: String,
    name: String,
    short_name: String,
    sort_key: String,
    level: i64,
    state: String,
    contact_name: String,
    contact_phone: String,
    version: i64,
}

impl TryFrom<Row> for SystemRow {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("app_system", column, row.id.as_str(), e)
        };
        Ok(Self {
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
            unit: row.unit_id.parse().map_err(|e| wrong("unit_id", &e))?,
            level: Level::try_from(row.level).map_err(|e| wrong("level", &e))?,
            state: row.state.parse().map_err(|e| wrong("state", &e))?,
            unit_name: row.unit_name,
            name: row.name,
            short_name: row.short_name,
            contact_name: row.contact_name,
            contact_phone: row.contact_phone,
            version: row.version,
        })
    }
}

const SELECT: &str =
    "SELECT s.id, s.unit_id, u.name AS unit_name, s.name, s.short_name, s.sort_key, s.level, s.state,
  s.contact_name, s.contact_phone, s.version
  FROM app_system s JOIN unit u ON u.id = s.unit_id WHERE TRUE";

/// One page of the systems of a unit, by name.
///
/// # Errors
/// What the database says.
pub async fn of_unit(
    rx: &mut ReadTx,
    scope: &Scope,
    unit: &UnitId,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<SystemRow>, StorageError> {
    let limit = limit.clamp(1, MOST);
    let narrowed = |sql: Sql| {
        scope
            .filter(sql, " AND s.unit_id")
            .push(" AND s.unit_id = ")
            .bind(unit.as_str())
    };
    let total = narrowed(Sql::new("SELECT 1 FROM app_system s WHERE TRUE"))
        .capped_count(rx)
        .await?;
    let mut sql = narrowed(Sql::new(SELECT));
    if let Some(at) = after.and_then(Cursor::decode) {
        sql = sql
            .push(" AND (s.sort_key, s.id) > (")
            .bind(at.key)
            .push(", ")
            .bind(at.id)
            .push(")");
    }
    let rows: Vec<Row> = sql
        .push(" ORDER BY s.sort_key, s.id LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |row| (row.sort_key.clone(), row.id.clone()));
    let rows = rows
        .into_iter()
        .map(SystemRow::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Page { rows, next, total })
}

/// All systems of a unit, by name, to choose one from.
///
/// # Errors
/// What the database says.
pub async fn choices(
    rx: &mut ReadTx,
    scope: &Scope,
    unit: &UnitId,
) -> Result<Vec<SystemRow>, StorageError> {
    let rows: Vec<Row> = scope
        .filter(Sql::new(SELECT), " AND s.unit_id")
        .push(" AND s.unit_id = ")
        .bind(unit.as_str())
        .push(" ORDER BY s.sort_key, s.id")
        .all(rx)
        .await?;
    rows.into_iter().map(SystemRow::try_from).collect()
}

/// One system within a scope.
///
/// # Errors
/// What the database says.
pub async fn get(
    rx: &mut ReadTx,
    scope: &Scope,
    id: &SystemId,
) -> Result<Option<SystemRow>, StorageError> {
    let row: Option<Row> = scope
        .filter(Sql::new(SELECT), " AND s.unit_id")
        .push(" AND s.id = ")
        .bind(id.as_str())
        .optional(rx)
        .await?;
    row.map(SystemRow::try_from).transpose()
}

/// Whether it has resources, or a request on its way.
///
/// # Errors
/// What the database says.
pub async fn in_use(rx: &mut ReadTx, id: &SystemId) -> Result<bool, StorageError> {
    let resources = Sql::new(
        "SELECT count(*) FROM resource WHERE service_state <> 'released' AND system_id = ",
    )
    .bind(id.as_str())
    .number(rx)
    .await?;
    let requests = Sql::new(
        "SELECT count(*) FROM request WHERE status IN ('in_approval', 'returned', 'approved') AND system_id = ",
    )
    .bind(id.as_str())
    .number(rx)
    .await?;
    Ok(resources + requests > 0)
}

/// The system of a request that the caller has seen already.
///
/// # Errors
/// What the database says.
pub async fn of_request(
    rx: &mut ReadTx,
    request: &super::request::Request,
) -> Result<Option<SystemRow>, StorageError> {
    let Some(id) = &request.system else {
        return Ok(None);
    };
    let row: Option<Row> = Sql::new(SELECT)
        .push(" AND s.id = ")
        .bind(id.as_str())
        .optional(rx)
        .await?;
    row.map(SystemRow::try_from).transpose()
}

/// Which of a name and a short name another system of the unit has already.
///
/// # Errors
/// What the database says.
pub async fn taken(
    rx: &mut ReadTx,
    unit: &UnitId,
    name: &str,
    short_name: &str,
    but: Option<&SystemId>,
) -> Result<(bool, bool), StorageError> {
    let rows: Vec<(String, String)> =
        Sql::new("SELECT name, short_name FROM app_system WHERE unit_id = ")
            .bind(unit.as_str())
            .push(" AND (name = ")
            .bind(name)
            .push(" OR short_name = ")
            .bind(short_name)
            .push(")")
            .maybe(" AND id <> ", but.map(SystemId::as_str))
            .push(" ORDER BY id LIMIT 10")
            .all(rx)
            .await?;
    Ok((
        rows.iter().any(|(n, _)| n == name),
        rows.iter().any(|(_, s)| s == short_name),
    ))
}

/// What a person writes of a system.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// Name.
    pub name: &'a str,
    /// Short name.
    pub short_name: &'a str,
    /// Protection level.
    pub level: Level,
    /// Whether it serves people already.
    pub state: SystemState,
    /// Who knows about it.
    pub contact_name: &'a str,
    /// Their telephone.
    pub contact_phone: &'a str,
}

/// Writes a system down.
///
/// # Errors
/// What the database says.
pub async fn insert(
    tx: &mut Tx,
    id: &SystemId,
    unit: &UnitId,
    fields: Fields<'_>,
    now: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO app_system (id, unit_id, name, short_name, sort_key, level, state, contact_name,
           contact_phone, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(id.as_str()).bind(unit.as_str()).bind(fields.name).bind(fields.short_name)
        .bind(search::sort_key(fields.name)).bind(i64::from(fields.level))
        .bind(fields.state.as_str()).bind(fields.contact_name).bind(fields.contact_phone)
        .bind(now.millis()).execute(conn).await.map(|_| ()))?;
    search::index(tx, "system", id.as_str(), &[fields.name, fields.short_name]).await
}

/// Changes a system that was read in `version`.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn update(
    tx: &mut Tx,
    id: &SystemId,
    version: i64,
    fields: Fields<'_>,
) -> Result<(), StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE app_system SET name = $1, short_name = $2, sort_key = $3, level = $4, state = $5,
           contact_name = $6, contact_phone = $7, version = version + 1 WHERE id = $8 AND version = $9")
        .bind(fields.name).bind(fields.short_name).bind(search::sort_key(fields.name))
        .bind(i64::from(fields.level)).bind(fields.state.as_str()).bind(fields.contact_name)
        .bind(fields.contact_phone).bind(id.as_str()).bind(version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "app_system", id.as_str())?;
    search::index(tx, "system", id.as_str(), &[fields.name, fields.short_name]).await
}
