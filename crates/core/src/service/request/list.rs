//! The list of requests, as pages and as a file.

use lingbao_model::{
    request::Status,
    view::{
        page::Page,
        request::{RequestFilter, RequestRow},
    },
};

use crate::{
    app::Cx,
    authz::{Ability, Access},
    error::ServiceError,
    storage::{calendar, request_list},
};

/// Rows of one slice of a file.
const SLICE: i64 = 500;

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

/// How many of them stand in each state that is under way; the filter's own state is ignored.
///
/// # Errors
/// As [`list`].
pub async fn counts(cx: &Cx, filter: &RequestFilter) -> Result<Vec<(Status, i64)>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ReadRequests)?;
    let scope = access.scope(Ability::ReadRequests);
    let calendar = calendar::load(&mut rx).await?;
    Ok(request_list::open_counts(&mut rx, &scope, filter, &access.user, &calendar).await?)
}

/// The next rows of a file and where it goes on; the whole list in slices, so that memory does not
/// grow with it.
///
/// # Errors
/// As [`list`].
pub async fn export(
    cx: &Cx,
    filter: &RequestFilter,
) -> Result<(Vec<RequestRow>, Option<String>), ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ReadRequests)?;
    let scope = access.scope(Ability::ReadRequests);
    let calendar = calendar::load(&mut rx).await?;
    let (user, now) = (&access.user, cx.now());
    Ok(request_list::export(&mut rx, &scope, filter, user, &calendar, now, SLICE).await?)
}
