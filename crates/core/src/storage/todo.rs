//! The lists of an approver: what waits (待办) and what was decided (已办).

use lingbao_model::{
    calendar::Calendar,
    id::{StepId, UserId},
    money::Money,
    time::Timestamp,
    view::{
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
        request::{DoneRow, TodoRow},
    },
};

use super::{
    ReadTx,
    sql::{Cursor, Sql, cut},
    step::Sight,
};
use crate::error::StorageError;

#[derive(sqlx::FromRow)]
struct Todo {
    id: String,
    name: String,
    request_id: String,
    number: Option<String>,
    kind: String,
    title: String,
    unit_name: String,
    applicant_name: String,
    lines: i64,
    month_fen: i64,
    once_fen: i64,
    opened_at: Option<i64>,
    due_at: Option<i64>,
    seen_at: Option<i64>,
}

/// What a list of to-dos shows of each step; the ids follow in parentheses. They are found, sorted
/// and cut first: names, lines and money are read for one page of them and not for thousands.
const TODO: &str =
    "SELECT s.id, s.name, s.request_id, r.number, r.kind, r.title, u.short_name AS unit_name,
  p.name AS applicant_name,
  (SELECT count(*) FROM request_item i WHERE i.request_id = r.id)
    + (SELECT count(*) FROM request_release l WHERE l.request_id = r.id)
    + (SELECT count(*) FROM request_change c WHERE c.request_id = r.id) AS lines,
  r.month_fen, r.once_fen, s.opened_at, s.due_at, s.seen_at
  FROM approval_step s JOIN request r ON r.id = s.request_id JOIN unit u ON u.id = r.unit_id
  JOIN user_account p ON p.id = r.applicant_id WHERE s.id IN (";

const ORDER: &str = " ORDER BY s.due_at, s.id";

/// The ids of the steps that wait for a person; appended to what has begun.
fn waiting(begun: Sql, sight: &Sight, person: &UserId) -> Sql {
    let sql = begun
        .push(
            "SELECT s.id FROM approval_step s JOIN request r ON r.id = s.request_id
  WHERE s.status = 'open' AND r.status = 'in_approval' AND r.applicant_id <> ",
        )
        .bind(person.as_str());
    sight.reach(sql)
}

fn rows_of(limit: i64) -> i64 {
    match limit {
        0 => PAGE_ROWS,
        n => n.clamp(1, MAX_PAGE_ROWS),
    }
}

fn after(sql: Sql, cursor: Option<&Cursor>) -> Sql {
    match cursor.and_then(|c| Some((c.number()?, c))) {
        None => sql,
        Some((due, cursor)) => sql
            .push(" AND (s.due_at > ")
            .bind(due)
            .push(" OR (s.due_at = ")
            .bind(due)
            .push(" AND s.id > ")
            .bind(&cursor.id)
            .push("))"),
    }
}

/// One page of what waits for a person, the most urgent first. What the person applied for
/// themselves is never among it.
///
/// # Errors
/// What the database says.
pub async fn todos(
    rx: &mut ReadTx,
    sight: &Sight,
    person: &UserId,
    cursor: Option<&Cursor>,
    limit: i64,
    calendar: &Calendar,
    now: Timestamp,
) -> Result<Page<TodoRow>, StorageError> {
    let limit = rows_of(limit);
    let total = waiting(Sql::new(""), sight, person)
        .capped_count(rx)
        .await?;
    let rows: Vec<Todo> = after(waiting(Sql::new(TODO), sight, person), cursor)
        .push(ORDER)
        .push(" LIMIT ")
        .bind(limit + 1)
        .push(")")
        .push(ORDER)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |row| {
        (row.due_at.unwrap_or(0).to_string(), row.id.clone())
    });
    let rows = rows
        .into_iter()
        .map(|row| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("approval_step", column, row.id.as_str(), e)
            };
            let due_at = Timestamp::from_millis(row.due_at.unwrap_or(0));
            Ok(TodoRow {
                step: row.id.parse().map_err(|e| wrong("id", &e))?,
                step_name: serde_json::from_str(&row.name).map_err(|e| wrong("name", &e))?,
                request: row
                    .request_id
                    .parse()
                    .map_err(|e| wrong("request_id", &e))?,
                number: row.number.clone().unwrap_or_default(),
                kind: row.kind.parse().map_err(|e| wrong("kind", &e))?,
                title: row.title.clone(),
                unit_name: row.unit_name.clone(),
                applicant_name: row.applicant_name.clone(),
                lines: row.lines,
                month: Money::from_fen(row.month_fen),
                once: Money::from_fen(row.once_fen),
                opened_at: Timestamp::from_millis(row.opened_at.unwrap_or(0)),
                due_at,
                lamp: calendar.lamp(now, due_at),
                unseen: row.seen_at.is_none(),
            })
        })
        .collect::<Result<_, StorageError>>()?;
    Ok(Page { rows, next, total })
}

/// How many steps wait for a person.
///
/// # Errors
/// What the database says.
pub async fn count(rx: &mut ReadTx, sight: &Sight, person: &UserId) -> Result<i64, StorageError> {
    let total = waiting(Sql::new(""), sight, person)
        .capped_count(rx)
        .await?;
    Ok(match total {
        lingbao_model::view::page::Total::Exact(n)
        | lingbao_model::view::page::Total::MoreThan(n) => n,
    })
}

/// The steps that wait for a person, the most urgent first: ids alone, at most 200. For "next" and
/// "3 of 7".
///
/// # Errors
/// What the database says.
pub async fn queue(
    rx: &mut ReadTx,
    sight: &Sight,
    person: &UserId,
) -> Result<Vec<StepId>, StorageError> {
    let rows: Vec<(String,)> = waiting(Sql::new(""), sight, person)
        .push(ORDER)
        .push(" LIMIT ")
        .bind(MAX_PAGE_ROWS)
        .all(rx)
        .await?;
    rows.into_iter()
        .map(|(id,)| {
            id.parse()
                .map_err(|e| StorageError::inconsistent("approval_step", "id", id.as_str(), e))
        })
        .collect()
}

#[derive(sqlx::FromRow)]
struct Done {
    id: String,
    name: String,
    request_id: String,
    number: Option<String>,
    title: String,
    unit_name: String,
    status: String,
    decision: Option<String>,
    opinion: String,
    acted_at: Option<i64>,
    month_fen: i64,
    once_fen: i64,
}

const DONE: &str =
    "SELECT s.id, s.name, s.request_id, r.number, r.title, u.short_name AS unit_name,
  r.status, s.decision, s.opinion, s.acted_at, r.month_fen, r.once_fen
  FROM approval_step s JOIN request r ON r.id = s.request_id JOIN unit u ON u.id = r.unit_id
  WHERE s.decision IS NOT NULL AND s.acted_by = ";

/// One page of what a person decided, the latest first.
///
/// # Errors
/// What the database says.
pub async fn done(
    rx: &mut ReadTx,
    person: &UserId,
    cursor: Option<&Cursor>,
    limit: i64,
) -> Result<Page<DoneRow>, StorageError> {
    let total = Sql::new("SELECT 1 FROM approval_step WHERE decision IS NOT NULL AND acted_by = ")
        .bind(person.as_str())
        .capped_count(rx)
        .await?;
    let (rows, next) = done_slice(rx, person, cursor, limit).await?;
    Ok(Page { rows, next, total })
}

/// The same rows without their count, and where the next ones begin: for files.
///
/// # Errors
/// What the database says.
pub async fn done_slice(
    rx: &mut ReadTx,
    person: &UserId,
    cursor: Option<&Cursor>,
    limit: i64,
) -> Result<(Vec<DoneRow>, Option<String>), StorageError> {
    let limit = rows_of(limit);
    let mut sql = Sql::new(DONE).bind(person.as_str());
    if let Some((at, cursor)) = cursor.and_then(|c| Some((c.number()?, c))) {
        sql = sql
            .push(" AND (s.acted_at < ")
            .bind(at)
            .push(" OR (s.acted_at = ")
            .bind(at)
            .push(" AND s.id < ")
            .bind(&cursor.id)
            .push("))");
    }
    let rows: Vec<Done> = sql
        .push(" ORDER BY s.acted_at DESC, s.id DESC LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |row| {
        (row.acted_at.unwrap_or(0).to_string(), row.id.clone())
    });
    let rows = rows
        .into_iter()
        .map(|row| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("approval_step", column, row.id.as_str(), e)
            };
            Ok(DoneRow {
                step: row.id.parse().map_err(|e| wrong("id", &e))?,
                step_name: serde_json::from_str(&row.name).map_err(|e| wrong("name", &e))?,
                request: row
                    .request_id
                    .parse()
                    .map_err(|e| wrong("request_id", &e))?,
                status: row.status.parse().map_err(|e| wrong("status", &e))?,
                decision: row
                    .decision
                    .as_deref()
                    .unwrap_or_default()
                    .parse()
                    .map_err(|e| wrong("decision", &e))?,
                number: row.number.clone().unwrap_or_default(),
                title: row.title.clone(),
                unit_name: row.unit_name.clone(),
                opinion: row.opinion.clone(),
                acted_at: Timestamp::from_millis(row.acted_at.unwrap_or(0)),
                month: Money::from_fen(row.month_fen),
                once: Money::from_fen(row.once_fen),
            })
        })
        .collect::<Result<_, StorageError>>()?;
    Ok((rows, next))
}
