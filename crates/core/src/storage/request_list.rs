//! The list of requests: filtered, searched, cut by key.

use lingbao_model::{
    calendar::Calendar,
    id::{RequestId, UnitId, UserId},
    money::Money,
    request::Status,
    time::Timestamp,
    view::{
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
        request::{DraftRow, RequestFilter, RequestRow, RequestSort},
    },
};

use super::{
    ReadTx, search,
    sql::{Cursor, Sql, cut},
    step::Sight,
};
use crate::{authz::Scope, error::StorageError};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    number: Option<String>,
    kind: String,
    title: String,
    unit_id: String,
    unit_name: String,
    system_name: Option<String>,
    applicant_name: String,
    status: String,
    outcome: Option<String>,
    stage_name: Option<String>,
    month_fen: i64,
    once_fen: i64,
    submitted_at: Option<i64>,
    due_at: Option<i64>,
    sort_at: i64,
}

impl Row {
    fn read(self, calendar: &Calendar, now: Timestamp) -> Result<RequestRow, StorageError> {
        let id = self.id;
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("request", column, id.as_str(), e)
        };
        let due_at = self.due_at.map(Timestamp::from_millis);
        let status: Status = self.status.parse().map_err(|e| wrong("status", &e))?;
        Ok(RequestRow {
            kind: self.kind.parse().map_err(|e| wrong("kind", &e))?,
            unit: self.unit_id.parse().map_err(|e| wrong("unit_id", &e))?,
            outcome: self
                .outcome
                .map(|o| o.parse())
                .transpose()
                .map_err(|e| wrong("outcome", &e))?,
            stage_name: self
                .stage_name
                .map(|n| serde_json::from_str(&n))
                .transpose()
                .map_err(|e| wrong("stage", &e))?,
            number: self.number.unwrap_or_default(),
            title: self.title,
            unit_name: self.unit_name,
            system_name: self.system_name.unwrap_or_default(),
            applicant_name: self.applicant_name,
            month: Money::from_fen(self.month_fen),
            once: Money::from_fen(self.once_fen),
            submitted_at: Timestamp::from_millis(self.submitted_at.unwrap_or(self.sort_at)),
            lamp: due_at
                .filter(|_| !status.is_final())
                .map(|due| calendar.lamp(now, due)),
            status,
            due_at,
            id: id.parse().map_err(|e| wrong("id", &e))?,
        })
    }
}

const SELECT: &str = "SELECT r.id, r.number, r.kind, r.title, r.unit_id, u.short_name AS unit_name,
  y.name AS system_name, p.name AS applicant_name, r.status, r.outcome,
  (SELECT s.name FROM approval_step s WHERE s.request_id = r.id AND s.status = 'open'
     ORDER BY s.stage, s.position, s.id LIMIT 1) AS stage_name,
  r.month_fen, r.once_fen, r.submitted_at, r.due_at, r.sort_at
  FROM request r JOIN unit u ON u.id = r.unit_id JOIN user_account p ON p.id = r.applicant_id
  LEFT JOIN app_system y ON y.id = r.system_id WHERE r.status <> 'draft'";

fn filtered(
    sql: Sql,
    scope: &Scope,
    filter: &RequestFilter,
    person: &UserId,
    calendar: &Calendar,
) -> Sql {
    let zone = calendar.zone;
    let from = filter.from.map(|day| zone.moment(day, 0).millis());
    let until = filter
        .to
        .map(|day| zone.moment(day.plus_days(1), 0).millis());
    let mut sql = scope
        .filter(sql, " AND r.unit_id")
        .maybe(" AND r.status = ", filter.status.map(Status::as_str))
        .maybe(" AND r.sort_at >= ", from)
        .maybe(" AND r.sort_at < ", until)
        .maybe(
            " AND r.unit_id = ",
            filter.unit.as_ref().map(|u| u.as_str()),
        )
        .maybe(
            " AND r.applicant_id = ",
            filter.mine.then(|| person.as_str()),
        );
    if filter.open {
        sql = sql.push(" AND r.status IN ('in_approval', 'returned', 'approved', 'delivered')");
    }
    search::matching(sql, " AND r.id", "request", &filter.text)
}

#[derive(sqlx::FromRow)]
struct Begun {
    id: String,
    version: i64,
    title: String,
    system_name: Option<String>,
    lines: i64,
    month_fen: i64,
    sort_at: i64,
}

impl TryFrom<Begun> for DraftRow {
    type Error = StorageError;
    fn try_from(row: Begun) -> Result<Self, StorageError> {
        let id = row
            .id
            .parse()
            .map_err(|e| StorageError::inconsistent("request", "id", row.id.as_str(), e))?;
        Ok(Self {
            id,
            version: row.version,
            title: row.title,
            system_name: row.system_name,
            lines: row.lines,
            month: Money::from_fen(row.month_fen),
            saved_at: Timestamp::from_millis(row.sort_at),
            current: false,
        })
    }
}

/// One page of the drafts that a person has begun for a unit, the one touched last first: that one is the
/// current one.
///
/// # Errors
/// What the database says.
pub async fn drafts(
    rx: &mut ReadTx,
    applicant: &UserId,
    unit: &UnitId,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<DraftRow>, StorageError> {
    let limit = limit.clamp(1, MAX_PAGE_ROWS);
    let own = |sql: Sql| {
        sql.bind(applicant.as_str())
            .push(" AND r.status = 'draft' AND r.kind = 'new' AND r.unit_id = ")
            .bind(unit.as_str())
    };
    let total = own(Sql::new("SELECT 1 FROM request r WHERE r.applicant_id = "))
        .capped_count(rx)
        .await?;
    let mut sql = own(Sql::new(
        "SELECT r.id, r.version, r.title, y.name AS system_name,
           (SELECT count(*) FROM request_item i WHERE i.request_id = r.id) AS lines, r.month_fen, r.sort_at
         FROM request r LEFT JOIN app_system y ON y.id = r.system_id WHERE r.applicant_id = ",
    ));
    let cursor = after.and_then(Cursor::decode);
    let cursor = cursor.and_then(|c| Some((c.number()?, c.id)));
    let first = cursor.is_none();
    if let Some((at, id)) = cursor {
        sql = sql
            .push(" AND (r.sort_at, r.id) < (")
            .bind(at)
            .push(", ")
            .bind(id)
            .push(")");
    }
    let rows: Vec<Begun> = sql
        .push(" ORDER BY r.sort_at DESC, r.id DESC LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |row| (row.sort_at.to_string(), row.id.clone()));
    let mut rows = rows
        .into_iter()
        .map(DraftRow::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(latest) = rows.first_mut().filter(|_| first) {
        latest.current = true;
    }
    Ok(Page { rows, next, total })
}

/// How many requests of a person are under way.
///
/// # Errors
/// What the database says.
pub async fn open_of(rx: &mut ReadTx, person: &UserId) -> Result<i64, StorageError> {
    Sql::new("SELECT count(*) FROM request WHERE status IN ('in_approval', 'returned', 'approved', 'delivered') AND applicant_id = ")
        .bind(person.as_str())
        .number(rx)
        .await
}

/// One page of the submitted requests in a scope.
///
/// # Errors
/// What the database says.
pub async fn list(
    rx: &mut ReadTx,
    scope: &Scope,
    filter: &RequestFilter,
    person: &UserId,
    calendar: &Calendar,
    now: Timestamp,
) -> Result<Page<RequestRow>, StorageError> {
    let limit = match filter.limit {
        0 => PAGE_ROWS,
        n => n.clamp(1, MAX_PAGE_ROWS),
    };
    // By the status and not by `submitted_at`, which stands in no index: the rows need not be read.
    let count = Sql::new("SELECT 1 FROM request r WHERE r.status <> 'draft'");
    let total = filtered(count, scope, filter, person, calendar)
        .capped_count(rx)
        .await?;
    let cursor = filter.after.as_deref().and_then(Cursor::decode);
    let (rows, next) = slice(rx, scope, filter, person, calendar, cursor.as_ref(), limit).await?;
    Ok(Page {
        rows: rows
            .into_iter()
            .map(|row| row.read(calendar, now))
            .collect::<Result<_, _>>()?,
        next,
        total,
    })
}

async fn slice(
    rx: &mut ReadTx,
    scope: &Scope,
    filter: &RequestFilter,
    person: &UserId,
    calendar: &Calendar,
    cursor: Option<&Cursor>,
    limit: i64,
) -> Result<(Vec<Row>, Option<String>), StorageError> {
    let oldest = filter.sort == Some(RequestSort::Oldest);
    let mut sql = filtered(Sql::new(SELECT), scope, filter, person, calendar);
    if let Some((at, cursor)) = cursor.and_then(|c| Some((c.number()?, c))) {
        sql = sql
            .push(if oldest {
                " AND (r.sort_at > "
            } else {
                " AND (r.sort_at < "
            })
            .bind(at)
            .push(" OR (r.sort_at = ")
            .bind(at)
            .push(if oldest {
                " AND r.id > "
            } else {
                " AND r.id < "
            })
            .bind(&cursor.id)
            .push("))");
    }
    // What is open is little among years of history. A sum is in no index: that keeps SQLite from
    // walking all of the history in order, only to save the sorting of a handful of rows.
    let rows: Vec<Row> = sql
        .push(match (filter.open, oldest) {
            (true, true) => " ORDER BY r.sort_at + 0, r.id LIMIT ",
            (true, false) => " ORDER BY r.sort_at + 0 DESC, r.id DESC LIMIT ",
            (false, true) => " ORDER BY r.sort_at, r.id LIMIT ",
            (false, false) => " ORDER BY r.sort_at DESC, r.id DESC LIMIT ",
        })
        .bind(limit + 1)
        .all(rx)
        .await?;
    Ok(cut(rows, limit, |row| {
        (row.sort_at.to_string(), row.id.clone())
    }))
}

/// The rows after the filter's cursor, at most `limit`, and where the next ones begin: for files.
///
/// # Errors
/// What the database says.
pub async fn export(
    rx: &mut ReadTx,
    scope: &Scope,
    filter: &RequestFilter,
    person: &UserId,
    calendar: &Calendar,
    now: Timestamp,
    limit: i64,
) -> Result<(Vec<RequestRow>, Option<String>), StorageError> {
    let cursor = filter.after.as_deref().and_then(Cursor::decode);
    let (rows, next) = slice(rx, scope, filter, person, calendar, cursor.as_ref(), limit).await?;
    let rows = rows
        .into_iter()
        .map(|row| row.read(calendar, now))
        .collect::<Result<_, _>>()?;
    Ok((rows, next))
}

/// How many of the filtered requests stand in each state that is under way; the state of the filter
/// is ignored. What has ended is years of history: nobody counts it on every visit.
///
/// # Errors
/// What the database says.
pub async fn open_counts(
    rx: &mut ReadTx,
    scope: &Scope,
    filter: &RequestFilter,
    person: &UserId,
    calendar: &Calendar,
) -> Result<Vec<(Status, i64)>, StorageError> {
    let filter = RequestFilter {
        status: None,
        open: true,
        ..filter.clone()
    };
    let sql = Sql::new("SELECT r.status, count(*) FROM request r WHERE r.status <> 'draft'");
    let rows: Vec<(String, i64)> = filtered(sql, scope, &filter, person, calendar)
        .push(" GROUP BY r.status")
        .all(rx)
        .await?;
    rows.into_iter()
        .map(|(status, count)| {
            let wrong = |e| StorageError::inconsistent("request", "status", status.as_str(), e);
            Ok((status.parse().map_err(wrong)?, count))
        })
        .collect()
}

/// The row of one request in a person's sight.
///
/// # Errors
/// What the database says.
pub async fn row(
    rx: &mut ReadTx,
    sight: &Sight,
    id: &RequestId,
    calendar: &Calendar,
    now: Timestamp,
) -> Result<Option<RequestRow>, StorageError> {
    let sql = Sql::new(SELECT).push(" AND r.id = ").bind(id.as_str());
    let row: Option<Row> = sight.filter(sql).optional(rx).await?;
    row.map(|row| row.read(calendar, now)).transpose()
}
