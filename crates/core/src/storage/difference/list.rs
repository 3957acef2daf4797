//! What operators read of the differences.

use lingbao_model::{
    id::{DifferenceId, ResourceId},
    money::Money,
    time::Timestamp,
    view::{
        difference::{DifferenceCount, DifferenceFilter, DifferenceKind, DifferenceRow},
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
    },
};

use crate::{
    crypto,
    error::StorageError,
    storage::{
        ReadTx,
        sql::{Cursor, Sql, cut},
    },
};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    backend: String,
    kind: String,
    thing: String,
    external_id: String,
    operation: String,
    resource_id: Option<String>,
    name: String,
    unit_name: Option<String>,
    system_name: Option<String>,
    said: String,
    month_fen: i64,
    first_seen: i64,
    last_seen: i64,
    note: String,
    noted_by: Option<String>,
    closed_at: Option<i64>,
    closed_how: Option<String>,
    closed_by: Option<String>,
}

const SELECT: &str = "SELECT d.id, d.backend, d.kind, d.thing, d.external_id, d.operation, d.resource_id, d.name,
  u.short_name AS unit_name, s.name AS system_name, d.said, d.month_fen, d.first_seen, d.last_seen, d.note,
  n.name AS noted_by, d.closed_at, d.closed_how, c.name AS closed_by
FROM difference d LEFT JOIN resource r ON r.id = d.resource_id LEFT JOIN unit u ON u.id = r.unit_id
  LEFT JOIN app_system s ON s.id = r.system_id LEFT JOIN user_account n ON n.id = d.noted_by
  LEFT JOIN user_account c ON c.id = d.closed_by WHERE d.ripe";

impl TryFrom<Row> for DifferenceRow {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let at = row.id.clone();
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("difference", column, at.as_str(), e)
        };
        Ok(Self {
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
            backend: row.backend,
            kind: row.kind.parse().map_err(|e| wrong("kind", &e))?,
            thing: row.thing.parse().map_err(|e| wrong("thing", &e))?,
            external_id: row.external_id,
            operation: row.operation,
            resource: row
                .resource_id
                .map(ResourceId::try_from)
                .transpose()
                .map_err(|e| wrong("resource_id", &e))?,
            name: row.name,
            unit_name: row.unit_name,
            system_name: row.system_name,
            digest: crypto::sha256_hex(row.said.as_bytes()),
            said: serde_json::from_str(&row.said).map_err(|e| wrong("said", &e))?,
            month: Money::from_fen(row.month_fen),
            first_seen: Timestamp::from_millis(row.first_seen),
            last_seen: Timestamp::from_millis(row.last_seen),
            note: row.note,
            noted_by: row.noted_by,
            closed_at: row.closed_at.map(Timestamp::from_millis),
            closing: row
                .closed_how
                .map(|how| how.parse())
                .transpose()
                .map_err(|e| wrong("closed_how", &e))?,
            closed_by: row.closed_by,
        })
    }
}

fn narrowed(sql: Sql, filter: &DifferenceFilter) -> Sql {
    sql.push(if filter.past {
        " AND d.closed_at IS NOT NULL"
    } else {
        " AND d.closed_at IS NULL"
    })
    .maybe(" AND d.kind = ", filter.kind.map(DifferenceKind::as_str))
    .maybe(" AND d.backend = ", filter.backend.as_deref())
}

/// One page of the list, the newest first.
///
/// # Errors
/// What the database says.
pub async fn list(
    rx: &mut ReadTx,
    filter: &DifferenceFilter,
) -> Result<Page<DifferenceRow>, StorageError> {
    let limit = filter.limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);
    let total = narrowed(Sql::new("SELECT 1 FROM difference d WHERE d.ripe"), filter)
        .capped_count(rx)
        .await?;
    let (rows, next) = slice(rx, filter, limit).await?;
    Ok(Page { rows, next, total })
}

/// The rows after the filter's cursor, at most `limit`, and where the next ones begin.
///
/// # Errors
/// What the database says.
pub async fn slice(
    rx: &mut ReadTx,
    filter: &DifferenceFilter,
    limit: i64,
) -> Result<(Vec<DifferenceRow>, Option<String>), StorageError> {
    let mut sql = narrowed(Sql::new(SELECT), filter);
    if let Some(at) = filter.cursor.as_deref().and_then(Cursor::decode) {
        sql = sql
            .push(if filter.past {
                " AND (d.closed_at, d.id) < ("
            } else {
                " AND (d.first_seen, d.id) < ("
            })
            .bind(at.number())
            .push(", ")
            .bind(at.id)
            .push(")");
    }
    let rows: Vec<Row> = sql
        .push(if filter.past {
            " ORDER BY d.closed_at DESC, d.id DESC LIMIT "
        } else {
            " ORDER BY d.first_seen DESC, d.id DESC LIMIT "
        })
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |r| {
        let key = if filter.past {
            r.closed_at.unwrap_or(0)
        } else {
            r.first_seen
        };
        (key.to_string(), r.id.clone())
    });
    Ok((
        rows.into_iter()
            .map(DifferenceRow::try_from)
            .collect::<Result<_, _>>()?,
        next,
    ))
}

/// One difference.
///
/// # Errors
/// What the database says.
pub async fn get(
    rx: &mut ReadTx,
    id: &DifferenceId,
) -> Result<Option<DifferenceRow>, StorageError> {
    let row: Option<Row> = Sql::new(SELECT)
        .push(" AND d.id = ")
        .bind(id.as_str())
        .optional(rx)
        .await?;
    row.map(DifferenceRow::try_from).transpose()
}

/// What stands about a resource, the gravest first. A double of it and a snapshot are other things.
///
/// # Errors
/// What the database says.
pub async fn of_resource(
    rx: &mut ReadTx,
    id: &ResourceId,
) -> Result<Vec<DifferenceRow>, StorageError> {
    let rows: Vec<Row> = Sql::new(SELECT)
        .push(" AND d.closed_at IS NULL AND d.kind <> 'double' AND d.thing <> 'snapshot' AND d.resource_id = ")
        .bind(id.as_str())
        .push(" ORDER BY CASE d.kind WHEN 'missing' THEN 0 WHEN 'stuck' THEN 1 ELSE 2 END, d.id")
        .all(rx)
        .await?;
    rows.into_iter().map(DifferenceRow::try_from).collect()
}

/// How many stand, by kind, and what they cost a month.
///
/// # Errors
/// What the database says.
pub async fn counts(rx: &mut ReadTx) -> Result<Vec<DifferenceCount>, StorageError> {
    let rows: Vec<(String, i64, i64)> = Sql::new(
        "SELECT d.kind, count(*), CAST(SUM(d.month_fen) AS BIGINT) FROM difference d
         WHERE d.ripe AND d.closed_at IS NULL GROUP BY d.kind",
    )
    .all(rx)
    .await?;
    Ok(DifferenceKind::ALL
        .iter()
        .map(|&kind| {
            let row = rows.iter().find(|(name, ..)| name == kind.as_str());
            DifferenceCount {
                kind,
                count: row.map_or(0, |row| row.1),
                month: Money::from_fen(row.map_or(0, |row| row.2)),
            }
        })
        .collect())
}
