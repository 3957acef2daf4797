//! The workbench, by the roles of the caller.

use lingbao_model::{
    time::DAY_MS,
    view::{home::Home, request::RequestFilter},
};

use super::request::sight;
use crate::{
    app::Cx,
    authz::{Ability, Access},
    error::ServiceError,
    storage::{calendar, home, notice, operation, request_list, todo},
};

/// Rows of each list on the workbench.
const ROWS: i64 = 5;
/// From so many days before its end a term counts as near.
const NEAR_DAYS: i64 = 30;

/// What the caller's workbench shows.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn home(cx: &Cx) -> Result<Home, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let calendar = calendar::load(&mut rx).await?;
    let (user, now) = (&access.user, cx.now());
    let todo = if access.has(Ability::Decide) {
        let sight = sight(&access);
        Some(todo::todos(&mut rx, &sight, user, None, ROWS, &calendar, now).await?)
    } else {
        None
    };
    let requests = if access.has(Ability::Order) {
        let scope = access.scope(Ability::ReadRequests);
        let filter = RequestFilter {
            mine: true,
            open: true,
            limit: ROWS,
            ..RequestFilter::default()
        };
        Some(request_list::list(&mut rx, &scope, &filter, user, &calendar, now).await?)
    } else {
        None
    };
    let resources = if access.has(Ability::ReadResources) {
        let scope = access.scope(Ability::ReadResources);
        Some(home::resources(&mut rx, &scope, now.plus_millis(NEAR_DAYS * DAY_MS)).await?)
    } else {
        None
    };
    let operations = if access.has(Ability::Operate) {
        Some(operation::counts(&mut rx).await?)
    } else {
        None
    };
    Ok(Home {
        todo,
        requests,
        resources,
        operations,
        notices: notice::list(&mut rx, user, false, None, ROWS).await?.rows,
    })
}
