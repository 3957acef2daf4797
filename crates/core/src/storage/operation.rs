//! Sagas as operators see them: with the request, the unit and the step at which they stand.

use std::collections::BTreeMap;

use lingbao_model::{
    id::{RequestId, ResourceId, SagaId},
    msg::Label,
    time::Timestamp,
    view::operation::{OperationCounts, SagaFilter, SagaLine, SagaState, SagaStepLine, SagaThing},
    view::page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
};
use serde::Deserialize;

use super::{
    ReadTx, saga as rows,
    sql::{Cursor, Sql, cut},
};
use crate::error::StorageError;

/// A line names so many of the things that its saga works on.
const THINGS: usize = 3;

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    kind: String,
    state: String,
    subject: String,
    params: String,
    name: Option<String>,
    request_id: Option<String>,
    request_number: Option<String>,
    unit_name: Option<String>,
    step: Option<String>,
    attempt: Option<i64>,
    why: Option<String>,
    created_at: i64,
    updated_at: i64,
}

// The step at which a saga stands is the first that is neither waiting for its turn nor over; a
// saga's subject is a request (build) or a resource (power, release).
const SELECT: &str = "SELECT s.id, s.kind, s.state, s.subject, s.params, r.name,
  q.id AS request_id, q.number AS request_number, u.short_name AS unit_name,
  t.name AS step, t.attempt, COALESCE(t.error, t.wait_reason) AS why, s.created_at, s.updated_at
FROM saga s
  LEFT JOIN resource r ON r.id = s.subject
  LEFT JOIN request q ON q.id = COALESCE(r.request_id, s.subject)
  LEFT JOIN unit u ON u.id = q.unit_id
  LEFT JOIN saga_step t ON t.saga_id = s.id AND t.position = (SELECT MIN(x.position) FROM saga_step x
    WHERE x.saga_id = s.id AND x.state IN ('doing', 'undoing', 'stuck', 'residue'))
WHERE TRUE";

/// Names and items of resources.
type Known = BTreeMap<String, (String, Label)>;

fn line(row: Row, parts: &[Part], known: &Known) -> Result<SagaLine, StorageError> {
    let at = row.id.clone();
    let wrong = |column, e: &dyn std::fmt::Display| {
        StorageError::inconsistent("saga", column, at.as_str(), e)
    };
    let things: Vec<SagaThing> = parts
        .iter()
        .take(THINGS)
        .filter_map(|part| thing(part, known))
        .collect();
    Ok(SagaLine {
        id: row.id.parse().map_err(|e| wrong("id", &e))?,
        kind: row.kind,
        state: row.state.parse().map_err(|e| wrong("state", &e))?,
        subject: row
            .name
            .or_else(|| things.first().map(|thing| thing.name.clone()))
            .or_else(|| row.request_number.clone())
            .unwrap_or(row.subject),
        things,
        thing_count: i64::try_from(parts.len()).unwrap_or(i64::MAX),
        request: row
            .request_id
            .map(|r| r.parse())
            .transpose()
            .map_err(|e| wrong("subject", &e))?,
        request_number: row.request_number,
        unit_name: row.unit_name,
        step: row.step,
        attempt: row.attempt.unwrap_or(0),
        why: row.why,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
    })
}

/// What the parameters of all kinds of sagas say of the things that they work on.
#[derive(Default, Deserialize)]
#[serde(default)]
struct About {
    resource: Option<ResourceId>,
    pieces: Vec<Part>,
    resources: Vec<Part>,
    kept: Vec<Part>,
    gone: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    resource: ResourceId,
    /// What is built first has a name before it has a row; a request's sagas are told apart by it.
    name: Option<String>,
    item_name: Option<Label>,
}

fn parts(params: &str) -> Vec<Part> {
    let about: About = serde_json::from_str(params).unwrap_or_default();
    let one = about.resource.map(|resource| Part {
        resource,
        name: None,
        item_name: None,
    });
    let many = [about.pieces, about.resources, about.kept, about.gone];
    one.into_iter().chain(many.into_iter().flatten()).collect()
}

fn thing(part: &Part, known: &Known) -> Option<SagaThing> {
    if let Some((name, item)) = known.get(part.resource.as_str()) {
        return Some(SagaThing {
            resource: Some(part.resource.clone()),
            name: name.clone(),
            item: item.clone(),
        });
    }
    Some(SagaThing {
        resource: None,
        name: part.name.clone()?,
        item: part.item_name.clone()?,
    })
}

/// Rows with what they work on: one question for all of them.
async fn lines(rx: &mut ReadTx, rows: Vec<Row>) -> Result<Vec<SagaLine>, StorageError> {
    let all: Vec<Vec<Part>> = rows.iter().map(|row| parts(&row.params)).collect();
    let ids = all.iter().flat_map(|parts| parts.iter().take(THINGS));
    let found: Vec<(String, String, String)> = Sql::new(
        "SELECT r.id, r.name, i.item_name FROM resource r
         JOIN request_item i ON i.id = r.request_item_id WHERE r.id IN ",
    )
    .bind_list(ids.map(|part| part.resource.as_str()))
    .all(rx)
    .await?;
    let mut known = Known::new();
    for (id, name, item) in found {
        let item = serde_json::from_str(&item)
            .map_err(|e| StorageError::inconsistent("request_item", "item_name", id.as_str(), e))?;
        known.insert(id, (name, item));
    }
    rows.into_iter()
        .zip(&all)
        .map(|(row, parts)| line(row, parts, &known))
        .collect()
}

fn narrowed(sql: Sql, filter: &SagaFilter) -> Sql {
    let of_one = filter.request.is_some() || filter.resource.is_some();
    let mut sql = match filter.state {
        Some(state) => sql.push(" AND s.state = ").bind(state.as_str()),
        None if of_one => sql,
        None => sql.push(" AND s.state IN ('running', 'stuck', 'unwinding', 'residue')"),
    };
    if let Some(kind) = &filter.kind {
        sql = sql.push(" AND s.kind = ").bind(kind.as_str());
    }
    if let Some(number) = &filter.request {
        sql = of_request(sql, number);
    }
    if let Some(resource) = &filter.resource {
        sql = of_resource(sql, resource);
    }
    sql
}

/// Sagas `s` that work for the request with a number, or on what it ordered.
pub(super) fn of_request(sql: Sql, number: &str) -> Sql {
    sql.push(" AND (s.subject IN (SELECT x.id FROM request x WHERE x.number = ")
        .bind(number)
        .push(" UNION ALL SELECT y.id FROM resource y JOIN request x ON x.id = y.request_id WHERE x.number = ")
        .bind(number)
        .push(") OR s.id IN (SELECT f.saga_id FROM fulfilment f JOIN request x ON x.id = f.request_id WHERE f.saga_id IS NOT NULL AND x.number = ")
        .bind(number)
        .push("))")
}

/// Sagas `s` of a resource: what was done to it at once, what built it, and of the requests that change
/// it or give it back those that name it; one such request may have a saga for each of many resources.
fn of_resource(sql: Sql, resource: &ResourceId) -> Sql {
    let id = resource.as_str();
    sql.push(" AND (s.subject = ")
        .bind(id)
        .push(" OR s.id IN (SELECT f.saga_id FROM resource y JOIN fulfilment f ON f.request_id = y.request_id AND f.resource_id = y.id WHERE f.saga_id IS NOT NULL AND y.id = ")
        .bind(id)
        .push(") OR (s.subject IN (SELECT c.request_id FROM request_change c WHERE c.resource_id = ")
        .bind(id)
        .push(" UNION ALL SELECT l.request_id FROM request_release l WHERE l.resource_id = ")
        .bind(id)
        .push(") AND s.params LIKE ")
        .bind(format!("%\"{id}\"%"))
        .push("))")
}

/// One page of sagas, youngest first.
///
/// # Errors
/// What the database says.
pub async fn sagas(rx: &mut ReadTx, filter: &SagaFilter) -> Result<Page<SagaLine>, StorageError> {
    let limit = filter.limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);
    let total = narrowed(Sql::new("SELECT 1 FROM saga s WHERE TRUE"), filter)
        .capped_count(rx)
        .await?;
    let mut sql = narrowed(Sql::new(SELECT), filter);
    if let Some(at) = filter.cursor.as_deref().and_then(Cursor::decode) {
        sql = sql.push(" AND s.id < ").bind(at.id);
    }
    let rows: Vec<Row> = sql
        .push(" ORDER BY s.id DESC LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |r| (String::new(), r.id.clone()));
    Ok(Page {
        rows: lines(rx, rows).await?,
        next,
        total,
    })
}

/// The sagas with these ids, by id.
///
/// # Errors
/// What the database says.
pub async fn of_ids(
    rx: &mut ReadTx,
    ids: &[&SagaId],
) -> Result<BTreeMap<SagaId, SagaLine>, StorageError> {
    let rows: Vec<Row> = Sql::new(SELECT)
        .push(" AND s.id IN ")
        .bind_list(ids.iter().map(|id| id.as_str()))
        .all(rx)
        .await?;
    let lines = lines(rx, rows).await?;
    Ok(lines.into_iter().map(|l| (l.id.clone(), l)).collect())
}

/// Number and unit of these requests, by id.
///
/// # Errors
/// What the database says.
pub async fn requests(
    rx: &mut ReadTx,
    ids: &[&RequestId],
) -> Result<BTreeMap<String, (Option<String>, String)>, StorageError> {
    let rows: Vec<(String, Option<String>, String)> = Sql::new(
        "SELECT q.id, q.number, u.short_name FROM request q JOIN unit u ON u.id = q.unit_id WHERE q.id IN ",
    )
    .bind_list(ids.iter().map(|id| id.as_str()))
    .all(rx)
    .await?;
    let pairs = rows.into_iter();
    Ok(pairs
        .map(|(id, number, unit)| (id, (number, unit)))
        .collect())
}

/// One saga.
///
/// # Errors
/// What the database says.
pub async fn saga(rx: &mut ReadTx, id: &SagaId) -> Result<Option<SagaLine>, StorageError> {
    Ok(of_ids(rx, &[id]).await?.remove(id))
}

/// Its steps, in order.
///
/// # Errors
/// What the database says.
pub async fn steps(rx: &mut ReadTx, id: &SagaId) -> Result<Vec<SagaStepLine>, StorageError> {
    let rows = rows::steps(rx, id).await?;
    Ok(rows
        .into_iter()
        .map(|row| SagaStepLine {
            name: row.name,
            state: row.state,
            attempt: row.attempt,
            error: row.error,
            waits: row.wait_reason,
            operation: row.operation_id,
            started_at: row.started_at.map(Timestamp::from_millis),
            finished_at: row.finished_at.map(Timestamp::from_millis),
        })
        .collect())
}

/// Whether a saga was ever started for a subject.
///
/// # Errors
/// What the database says.
pub async fn has_saga(rx: &mut ReadTx, subject: &str) -> Result<bool, StorageError> {
    Sql::new("SELECT count(*) FROM saga WHERE subject = ")
        .bind(subject)
        .number(rx)
        .await
        .map(|n| n > 0)
}

/// The numbers at the top of the operator's page.
///
/// # Errors
/// What the database says.
pub async fn counts(rx: &mut ReadTx) -> Result<OperationCounts, StorageError> {
    let rows: Vec<(String, i64)> = Sql::new(
        "SELECT state, count(*) FROM saga WHERE state NOT IN ('done', 'undone') GROUP BY state",
    )
    .all(rx)
    .await?;
    let of = |states: &[SagaState]| {
        rows.iter()
            .filter(|(s, _)| states.iter().any(|x| x.as_str() == s))
            .map(|(_, n)| n)
            .sum()
    };
    Ok(OperationCounts {
        stuck: of(&[SagaState::Stuck]),
        residue: of(&[SagaState::Residue]),
        running: of(&[SagaState::Running, SagaState::Unwinding]),
        work_orders: Sql::new("SELECT count(*) FROM work_order WHERE status IN ('open', 'taken')")
            .number(rx)
            .await?,
        stuck_jobs: Sql::new("SELECT count(*) FROM job WHERE status = 'stuck'")
            .number(rx)
            .await?,
        foreign: Sql::new(
            "SELECT count(*) FROM difference WHERE kind IN ('foreign', 'double') AND closed_at IS NULL AND ripe",
        )
        .number(rx)
        .await?,
        differences: Sql::new(
            "SELECT count(*) FROM difference WHERE closed_at IS NULL AND ripe AND note = ''",
        )
        .number(rx)
        .await?,
        silent: Sql::new("SELECT count(*) FROM backend_health WHERE error IS NOT NULL")
            .number(rx)
            .await?,
    })
}

/// How many things wait for an operator: the number beside the page in the navigation.
///
/// # Errors
/// What the database says.
pub async fn waiting_for_operator(rx: &mut ReadTx) -> Result<i64, StorageError> {
    Sql::new(
        "SELECT (SELECT count(*) FROM saga WHERE state IN ('stuck', 'residue'))
           + (SELECT count(*) FROM job WHERE status = 'stuck')
           + (SELECT count(*) FROM backend_health WHERE error IS NOT NULL)
           + (SELECT count(*) FROM difference WHERE closed_at IS NULL AND ripe AND note = '')",
    )
    .number(rx)
    .await
}
