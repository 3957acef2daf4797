//! Background jobs, for operators: what is stuck and why, once more or no more.

use lingbao_model::{
    id::{JobId, RequestId, SagaId},
    time::Timestamp,
    view::{
        operation::{JobFilter, JobLine, JobState},
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
    },
};
use serde::Deserialize;

use super::refusal::traced;
use crate::{
    app::Cx,
    audit,
    authz::{Ability, Access},
    error::{Conflict, OrNotFound, ServiceError, StorageError},
    jobs::{self, JobRow},
    storage::{
        ReadTx, Tx,
        job::{self, JobFilter as Rows},
        operation,
        sql::{Cursor, cut},
    },
};

fn line(row: JobRow) -> Result<JobLine, StorageError> {
    let wrong = |column, error: &dyn std::fmt::Display| {
        StorageError::inconsistent("job", column, row.id.as_str(), error)
    };
    let state: JobState = row.status.parse().map_err(|e| wrong("status", &e))?;
    let due = matches!(state, JobState::Ready | JobState::Waiting) && row.run_at != job::NEVER;
    Ok(JobLine {
        id: row.id.parse().map_err(|e| wrong("id", &e))?,
        may_act: state == JobState::Stuck,
        state,
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        why: row.error.or(row.wait_reason),
        created_at: Timestamp::from_millis(row.created_at),
        run_at: due.then(|| Timestamp::from_millis(row.run_at)),
        kind: row.kind,
        payload: row.payload,
        saga: None,
        request_number: None,
        unit_name: None,
    })
}

/// What the payloads of all kinds of jobs say of what they are about.
#[derive(Default, Deserialize)]
#[serde(default)]
struct About {
    saga: Option<SagaId>,
    request: Option<RequestId>,
}

/// Says of jobs what they are about: two questions for all of them.
async fn named(rx: &mut ReadTx, lines: &mut [JobLine]) -> Result<(), StorageError> {
    let about: Vec<About> = lines
        .iter()
        .map(|line| serde_json::from_str(&line.payload).unwrap_or_default())
        .collect();
    let sagas: Vec<&SagaId> = about.iter().filter_map(|a| a.saga.as_ref()).collect();
    let sagas = operation::of_ids(rx, &sagas).await?;
    let requests: Vec<&RequestId> = about.iter().filter_map(|a| a.request.as_ref()).collect();
    let requests = operation::requests(rx, &requests).await?;
    for (line, about) in lines.iter_mut().zip(&about) {
        if let Some(saga) = about.saga.as_ref().and_then(|id| sagas.get(id)) {
            line.request_number.clone_from(&saga.request_number);
            line.unit_name.clone_from(&saga.unit_name);
            line.saga = Some(saga.clone());
        } else if let Some(of) = &about.request
            && let Some((number, unit)) = requests.get(of.as_str())
        {
            line.request_number.clone_from(number);
            line.unit_name = Some(unit.clone());
        }
    }
    Ok(())
}

/// One page of jobs, the youngest first.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators.
pub async fn list(cx: &Cx, filter: &JobFilter) -> Result<Page<JobLine>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::Operate)?;
    let limit = filter.limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);
    let stuck = filter.request.is_none().then_some(JobState::Stuck);
    let asked = Rows {
        status: filter.state.or(stuck).map(|state| state.to_string()),
        kind: filter.kind.clone(),
        request: filter.request.clone(),
        before: filter
            .cursor
            .as_deref()
            .and_then(Cursor::decode)
            .map(|at| at.id),
        limit: limit + 1,
    };
    let total = job::count(&mut rx, &asked).await?;
    let rows = jobs::list(&mut rx, &asked).await?;
    let (rows, next) = cut(rows, limit, |row| (String::new(), row.id.clone()));
    let mut rows: Vec<JobLine> = rows.into_iter().map(line).collect::<Result<_, _>>()?;
    named(&mut rx, &mut rows).await?;
    Ok(Page { rows, next, total })
}

/// A transaction of an operator over a job that is stuck.
async fn stuck(cx: &Cx, id: &JobId) -> Result<Tx, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    access.require(Ability::Operate)?;
    let row = jobs::get(&mut tx, id).await?.or_not_found()?;
    if row.status != JobState::Stuck.as_str() {
        return Err(StorageError::Conflict(Conflict::Version {
            table: "job",
            row: id.to_string(),
        })
        .into());
    }
    Ok(tx)
}

/// Lets a stuck job try again; its attempts begin anew.
///
/// # Errors
/// [`ServiceError::Conflict`] if it is not stuck any more, or a younger job does the same.
pub async fn retry(cx: &Cx, id: &JobId) -> Result<(), ServiceError> {
    let result = retry_once(cx, id).await;
    traced(cx, result, || audit::Event::new("job.retry", "job", id)).await
}

async fn retry_once(cx: &Cx, id: &JobId) -> Result<(), ServiceError> {
    let mut tx = stuck(cx, id).await?;
    jobs::retry(&mut tx, cx, id).await?;
    audit::record(&mut tx, cx, audit::Event::new("job.retry", "job", id)).await?;
    tx.commit().await?;
    Ok(())
}

/// Gives a stuck job up. What it was for is not done; a periodic one comes round by itself.
///
/// # Errors
/// [`ServiceError::Conflict`] if it is not stuck any more.
pub async fn discard(cx: &Cx, id: &JobId) -> Result<(), ServiceError> {
    let result = discard_once(cx, id).await;
    traced(cx, result, || audit::Event::new("job.discard", "job", id)).await
}

async fn discard_once(cx: &Cx, id: &JobId) -> Result<(), ServiceError> {
    let mut tx = stuck(cx, id).await?;
    jobs::discard(&mut tx, cx, id).await?;
    audit::record(&mut tx, cx, audit::Event::new("job.discard", "job", id)).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use lingbao_model::people::{Reach, Role};

    use super::*;
    use crate::{
        service::request::fixture::{City, add, give},
        storage::sql::Sql,
    };

    /// A job in a status; the oldest one that the city has.
    async fn job_in(city: &City, status: &'static str) -> JobId {
        let cx = city.app.system();
        let id: JobId = cx.id();
        let mut tx = city.app.db.begin().await.unwrap();
        Sql::new("INSERT INTO job (id, kind, payload, status, attempt, max_attempts, fence, run_at, woken, actor, error, created_at) VALUES (")
            .bind(id.as_str())
            .push(", 'test', '{}', ")
            .bind(status)
            .push(", 3, 3, 0, 0, FALSE, 'system', 'the cloud said no', 0)")
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// How often something was done, and how often it was refused.
    async fn events(city: &City, action: &'static str) -> (i64, i64) {
        let of = |outcome: &'static str| {
            let sql = "SELECT count(*) FROM audit_event WHERE action = ";
            let sql = Sql::new(sql).bind(action);
            city.count(sql.push(" AND outcome = ").bind(outcome))
        };
        (of("done").await, of("refused").await)
    }

    #[tokio::test]
    async fn an_operator_retries_or_gives_up_what_is_stuck_and_nothing_else() {
        for city in City::all().await {
            let person = add(&city.app, "operator", &city.bureau).await;
            give(
                &city.app,
                &person,
                Role::Operator,
                &city.bureau,
                Reach::Site,
            )
            .await;
            let cx = city.cx(&person);
            let (stuck, other, runs) = (
                job_in(&city, "stuck").await,
                job_in(&city, "stuck").await,
                job_in(&city, "running").await,
            );
            let shown = list(&cx, &JobFilter::default()).await.unwrap();
            assert_eq!(shown.rows.len(), 2);
            assert!(shown.rows.iter().all(|job| job.may_act));
            assert_eq!(shown.rows[0].why.as_deref(), Some("the cloud said no"));

            retry(&cx, &stuck).await.unwrap();
            discard(&cx, &other).await.unwrap();
            assert_eq!(
                list(&cx, &JobFilter::default()).await.unwrap().rows.len(),
                0
            );
            for act in [retry(&cx, &runs).await, discard(&cx, &stuck).await] {
                assert!(matches!(act, Err(ServiceError::Conflict(_))), "{act:?}");
            }
            let stranger = retry(&city.cx(&city.clerk), &stuck).await;
            assert!(matches!(stranger, Err(ServiceError::Forbidden)));
            // What was refused stands beside what was done.
            assert_eq!(events(&city, "job.retry").await, (1, 2));
            assert_eq!(events(&city, "job.discard").await, (1, 1));
        }
    }
}
