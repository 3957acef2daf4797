//! Background jobs, for operators: what is stuck and why, once more or no more.

use lingbao_model::{
    id::JobId,
    time::Timestamp,
    view::{
        operation::{JobFilter, JobLine, JobState},
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
    },
};

use crate::{
    app::Cx,
    audit,
    authz::{Ability, Access},
    error::{Conflict, OrNotFound, ServiceError, StorageError},
    jobs::{self, JobRow},
    storage::{
        Tx,
        job::{self, JobFilter as Rows},
        sql::{Cursor, cut},
    },
};

/// `run_at` of a job that waits for a signal is the end of time; nobody reads that as a moment.
const FAR_MS: i64 = i64::MAX;

fn line(row: JobRow) -> Result<JobLine, StorageError> {
    let wrong = |column, error: &dyn std::fmt::Display| {
        StorageError::inconsistent("job", column, row.id.as_str(), error)
    };
    let state: JobState = row.status.parse().map_err(|e| wrong("status", &e))?;
    let due = matches!(state, JobState::Ready | JobState::Waiting) && row.run_at != FAR_MS;
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
    })
}

/// One page of jobs, the youngest first.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators.
pub async fn list(cx: &Cx, filter: &JobFilter) -> Result<Page<JobLine>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::Operate)?;
    let state = filter.state.unwrap_or(JobState::Stuck);
    let limit = filter.limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);
    let asked = Rows {
        status: Some(state.as_str().to_owned()),
        before: filter
            .cursor
            .as_deref()
            .and_then(Cursor::decode)
            .map(|at| at.id),
        limit: limit + 1,
        ..Rows::default()
    };
    let total = job::count(&mut rx, state.as_str()).await?;
    let rows = jobs::list(&mut rx, &asked).await?;
    let (rows, next) = cut(rows, limit, |row| (String::new(), row.id.clone()));
    Ok(Page {
        rows: rows.into_iter().map(line).collect::<Result<_, _>>()?,
        next,
        total,
    })
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
    let mut tx = stuck(cx, id).await?;
    jobs::discard(&mut tx, cx, id).await?;
    audit::record(&mut tx, cx, audit::Event::new("job.discard", "job", id)).await?;
    tx.commit().await?;
    Ok(())
}
