//! The audit trail for readers: filtered, cut by key.

use lingbao_model::{
    time::{Timestamp, Zone},
    view::{
        audit::{AuditFilter, AuditLine, Outcome},
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
    },
};

use super::{
    ReadTx,
    sql::{Cursor, Sql, cut},
};
use crate::{authz::Scope, error::StorageError};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    seq: Option<i64>,
    at: i64,
    actor: String,
    actor_name: Option<String>,
    action: String,
    outcome: String,
    subject_kind: String,
    subject_id: String,
    subject_name: Option<String>,
    unit_name: Option<String>,
    detail: String,
    request_id: Option<String>,
    ip: Option<String>,
}

impl TryFrom<Row> for AuditLine {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("audit_event", column, row.id.as_str(), e)
        };
        Ok(Self {
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
            outcome: row.outcome.parse().map_err(|e| wrong("outcome", &e))?,
            seq: row.seq,
            at: Timestamp::from_millis(row.at),
            actor: row.actor,
            actor_name: row.actor_name,
            action: row.action,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            subject_name: row.subject_name,
            unit_name: row.unit_name,
            detail: row.detail,
            request_id: row.request_id,
            ip: row.ip,
        })
    }
}

const SELECT: &str = "SELECT e.id, e.seq, e.at, e.actor, p.name AS actor_name, e.action, e.outcome,
  e.subject_kind, e.subject_id, CASE e.subject_kind
    WHEN 'request' THEN (SELECT s.number FROM request s WHERE s.id = e.subject_id)
    WHEN 'user' THEN (SELECT s.name FROM user_account s WHERE s.id = e.subject_id)
    WHEN 'unit' THEN (SELECT s.short_name FROM unit s WHERE s.id = e.subject_id)
    WHEN 'resource' THEN (SELECT s.name FROM resource s WHERE s.id = e.subject_id)
    WHEN 'system' THEN (SELECT s.name FROM app_system s WHERE s.id = e.subject_id)
    WHEN 'difference' THEN (SELECT s.name FROM difference s WHERE s.id = e.subject_id)
    END AS subject_name, u.short_name AS unit_name, e.detail, e.request_id, e.ip
  FROM audit_event e LEFT JOIN user_account p ON p.id = e.actor LEFT JOIN unit u ON u.id = e.unit_id
  WHERE TRUE";

fn filtered(sql: Sql, scope: &Scope, filter: &AuditFilter) -> Sql {
    let zone = Zone::SHANGHAI;
    let mut sql = scope
        .filter(sql, " AND e.unit_id")
        .maybe(" AND e.outcome = ", filter.outcome.map(Outcome::as_str))
        .maybe(
            " AND e.at >= ",
            filter.from.map(|day| zone.moment(day, 0).millis()),
        )
        .maybe(
            " AND e.at < ",
            filter
                .to
                .map(|day| zone.moment(day.plus_days(1), 0).millis()),
        );
    let (actor, action, subject) = (
        filter.actor.trim(),
        filter.action.trim(),
        filter.subject.trim(),
    );
    if !actor.is_empty() {
        sql = sql
            .push(" AND (e.actor = ")
            .bind(actor)
            .push(" OR e.actor IN (SELECT id FROM user_account WHERE login = ")
            .bind(actor)
            .push(" OR name = ")
            .bind(actor)
            .push("))");
    }
    if !action.is_empty() && !action.ends_with('.') {
        sql = sql.push(" AND e.action = ").bind(action);
    } else if !action.is_empty() {
        // All actions on one kind of thing. Not LIKE: it ignores case on one of the two engines.
        sql = sql
            .push(" AND substr(e.action, 1, CAST(")
            .bind(length(action))
            .push(" AS INTEGER)) = ")
            .bind(action);
    }
    if !subject.is_empty() {
        sql = sql
            .push(" AND (e.subject_id = ")
            .bind(subject)
            .push(" OR e.subject_id IN (SELECT id FROM request WHERE number = ")
            .bind(subject)
            .push("))");
    }
    sql
}

fn length(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// One page of the events in a scope, the latest first.
///
/// # Errors
/// What the database says.
pub async fn list(
    rx: &mut ReadTx,
    scope: &Scope,
    filter: &AuditFilter,
) -> Result<Page<AuditLine>, StorageError> {
    let total = filtered(
        Sql::new("SELECT 1 FROM audit_event e WHERE TRUE"),
        scope,
        filter,
    )
    .capped_count(rx)
    .await?;
    let (rows, next) = slice(rx, scope, filter).await?;
    Ok(Page { rows, next, total })
}

/// The same rows without counting: for files.
///
/// # Errors
/// What the database says.
pub async fn slice(
    rx: &mut ReadTx,
    scope: &Scope,
    filter: &AuditFilter,
) -> Result<(Vec<AuditLine>, Option<String>), StorageError> {
    let limit = match filter.limit {
        0 => PAGE_ROWS,
        n => n.clamp(1, MAX_PAGE_ROWS),
    };
    let mut sql = filtered(Sql::new(SELECT), scope, filter);
    let cursor = filter.after.as_deref().and_then(Cursor::decode);
    if let Some((at, cursor)) = cursor.as_ref().and_then(|c| Some((c.number()?, c))) {
        sql = sql
            .push(" AND (e.at < ")
            .bind(at)
            .push(" OR (e.at = ")
            .bind(at)
            .push(" AND e.id < ")
            .bind(&cursor.id)
            .push("))");
    }
    let rows: Vec<Row> = sql
        .push(" ORDER BY e.at DESC, e.id DESC LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |row| (row.at.to_string(), row.id.clone()));
    Ok((
        rows.into_iter()
            .map(AuditLine::try_from)
            .collect::<Result<_, _>>()?,
        next,
    ))
}
