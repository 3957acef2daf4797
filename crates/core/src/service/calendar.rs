//! The working-day calendar: entered once a year by who keeps the server, read by everybody.

use lingbao_model::calendar::{Calendar, Notice};
use serde_json::json;

use crate::{
    app::Cx,
    audit::{self, Event},
    authz::Scope,
    error::ServiceError,
    storage::calendar,
};

/// The calendar by which terms are reckoned now. It is no secret: the State Council publishes it.
///
/// # Errors
/// What the database says.
pub async fn known(cx: &Cx) -> Result<Calendar, ServiceError> {
    let mut rx = cx.db().read().await?;
    Ok(calendar::load(&mut rx).await?)
}

/// Enters a year's notice in the place of what was entered for that year before; how many days that
/// were. Terms that begin from now on are reckoned by it, those that run already end as was said.
///
/// # Errors
/// [`ServiceError::Forbidden`] if it is not the program that acts; what the database says.
pub async fn enter(cx: &Cx, notice: &Notice) -> Result<u64, ServiceError> {
    Scope::system(cx)?;
    let mut tx = cx.db().begin().await?;
    let replaced = calendar::replace(&mut tx, notice).await?;
    let event = Event::new("calendar.enter", "calendar", notice.year)
        .detail(json!({ "days": notice.days.len(), "replaced": replaced }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(replaced)
}
