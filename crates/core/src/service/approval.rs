//! The approver's side: what waits, what was decided, the card, the decision.

use lingbao_model::{
    id::StepId,
    view::{
        page::{MAX_PAGE_ROWS, Page},
        request::{DoneRow, TodoRow},
    },
};

use super::request::sight;
pub use super::request::{card::card, decide::decide};
use crate::{
    app::Cx,
    authz::Access,
    error::ServiceError,
    storage::{calendar, sql::Cursor, todo},
};

/// One page of what waits for the caller, the most urgent first; empty for whoever decides
/// nothing.
///
/// # Errors
/// [`ServiceError::Unauthenticated`].
pub async fn todos(
    cx: &Cx,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<TodoRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let calendar = calendar::load(&mut rx).await?;
    let cursor = after.and_then(Cursor::decode);
    let (sight, now) = (sight(&access), cx.now());
    let cursor = cursor.as_ref();
    Ok(todo::todos(&mut rx, &sight, &access.user, cursor, limit, &calendar, now).await?)
}

/// How many steps wait for the caller.
///
/// # Errors
/// [`ServiceError::Unauthenticated`].
pub async fn todo_count(cx: &Cx) -> Result<i64, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    Ok(todo::count(&mut rx, &sight(&access), &access.user).await?)
}

/// One page of what the caller decided, the latest first.
///
/// # Errors
/// [`ServiceError::Unauthenticated`].
pub async fn done(cx: &Cx, after: Option<&str>, limit: i64) -> Result<Page<DoneRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let cursor = after.and_then(Cursor::decode);
    Ok(todo::done(&mut rx, &access.user, cursor.as_ref(), limit).await?)
}

/// The same rows without their count, and where the next ones begin: for files.
///
/// # Errors
/// [`ServiceError::Unauthenticated`].
pub async fn done_export(
    cx: &Cx,
    after: Option<&str>,
) -> Result<(Vec<DoneRow>, Option<String>), ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let cursor = after.and_then(Cursor::decode);
    Ok(todo::done_slice(&mut rx, &access.user, cursor.as_ref(), MAX_PAGE_ROWS).await?)
}

/// The to-do after one, or the first; `None` when nothing waits.
///
/// # Errors
/// [`ServiceError::Unauthenticated`].
pub async fn next_todo(cx: &Cx, after: Option<&StepId>) -> Result<Option<StepId>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let queue = todo::queue(&mut rx, &sight(&access), &access.user).await?;
    let at = after.and_then(|id| queue.iter().position(|s| s == id));
    Ok(match at {
        Some(at) => queue.get(at + 1).or_else(|| queue.first()).cloned(),
        None => queue.first().cloned(),
    })
}
