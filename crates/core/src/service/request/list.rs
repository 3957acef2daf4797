//! The list of requests, as pages and as a file.

use lingbao_model::view::{
    page::Page,
    request::{RequestFilter, RequestRow},
};

use crate::{
    app::Cx,
    authz::{Ability, Access},
    error::ServiceError,
    storage::{calendar, request_list},
};

/// Most rows of a file.
pub const MOST_ROWS: i64 = 10_000;

/// One page of the submitted requests in the caller's reach.
///
/// # Errors
/// [`ServiceError::Unauthenticated`]; [`ServiceError::Forbidden`] for whoever reads no requests.
pub async fn list(cx: &Cx, filter: &RequestFilter) -> Result<Page<RequestRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ReadRequests)?;
    let scope = access.scope(Ability::ReadRequests);
    let calendar = calendar::load(&mut rx).await?;
    let (user, now) = (&access.user, cx.now());
    Ok(request_list::list(&mut rx, &scope, filter, user, &calendar, now).await?)
}

/// The same rows for a file, at most [`MOST_ROWS`]; the page's place in the list is ignored.
///
/// # Errors
/// As [`list`].
pub async fn csv(cx: &Cx, filter: &RequestFilter) -> Result<Vec<RequestRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ReadRequests)?;
    let scope = access.scope(Ability::ReadRequests);
    let calendar = calendar::load(&mut rx).await?;
    let (user, now) = (&access.user, cx.now());
    Ok(request_list::all(&mut rx, &scope, filter, user, &calendar, now, MOST_ROWS).await?)
}
