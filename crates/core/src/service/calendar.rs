//! The working-day calendar: entered once a year by who keeps the server or operates the cloud, read by
//! everybody.

use lingbao_model::{
    calendar::{Calendar, DayKind, Notice, NoticeDay},
    msg::Msg,
    time::Date,
};
use serde_json::json;

use super::refusal::traced;
use crate::{
    app::{Actor, Cx},
    audit::{self, Event},
    authz::{Ability, Access},
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

/// What is known of the days of a year; of this one if none is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Year {
    /// The year.
    pub year: i32,
    /// Whether a notice for it is known; without one only the ends of weeks are off.
    pub known: bool,
    /// Its days off and days worked in their place, in order.
    pub days: Vec<NoticeDay>,
}

/// A year of the calendar by which terms are reckoned now.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn year(cx: &Cx, year: Option<i32>) -> Result<Year, ServiceError> {
    let mut rx = cx.db().read().await?;
    Access::load(&mut rx, cx).await?;
    let calendar = calendar::load(&mut rx).await?;
    let year = year.unwrap_or_else(|| calendar.zone.date(cx.now()).year());
    let mut names = calendar::names(&mut rx, year).await?;
    let said = |(day, kind): (Date, DayKind)| NoticeDay {
        day,
        kind,
        name: names.remove(&day).unwrap_or_default(),
    };
    Ok(Year {
        year,
        known: calendar.knows(year),
        days: calendar.days_of(year).map(said).collect(),
    })
}

/// Reads a notice as somebody gave it in `field`.
///
/// # Errors
/// [`ServiceError::Invalid`] with what is wrong in it.
pub fn read(field: &str, json: &str) -> Result<Notice, ServiceError> {
    Notice::read(json).map_err(|why| {
        let msg = Msg::new("problem.unreadable").with("said", why.to_string());
        ServiceError::invalid(field, msg)
    })
}

/// Enters a year's notice in the place of what was entered for that year before; how many days that
/// were. Terms that begin from now on are reckoned by it, those that run already end as was said.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever neither operates the site nor is the program itself.
pub async fn enter(cx: &Cx, notice: &Notice) -> Result<u64, ServiceError> {
    let result = enter_once(cx, notice).await;
    traced(cx, result, || {
        Event::new("calendar.enter", "calendar", notice.year)
    })
    .await
}

async fn enter_once(cx: &Cx, notice: &Notice) -> Result<u64, ServiceError> {
    let mut tx = cx.db().begin().await?;
    if cx.actor != Actor::System {
        let access = Access::load(&mut tx, cx).await?;
        access.require(Ability::Operate)?;
    }
    let replaced = calendar::replace(&mut tx, notice).await?;
    let event = Event::new("calendar.enter", "calendar", notice.year)
        .detail(json!({ "days": notice.days.len(), "replaced": replaced }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(replaced)
}
