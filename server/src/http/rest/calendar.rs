//! The working-day calendar.
use axum::{Json, extract::Query};
use lingbao_core::{ServiceError, service::calendar};
use lingbao_model::calendar::{DayKind, NoticeDay};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Portal, ProblemDocument};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new().routes(routes!(read, enter))
}

/// One day of a notice.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HolidayDay {
    /// The holiday for which it is off, or worked in its place.
    #[serde(default)]
    name: String,
    /// YYYY-MM-DD.
    date: String,
    /// Off, or worked though it is the end of a week.
    is_off_day: bool,
}

/// A year's notice, in the form of the project holiday-cn.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Holidays {
    /// The year of the notice; days of the December before may stand in it.
    year: i32,
    /// Its days.
    days: Vec<HolidayDay>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct YearQuery {
    /// Of this year; of the present one without it.
    year: Option<i32>,
}

/// A year of the calendar.
#[derive(Debug, Serialize, ToSchema)]
struct CalendarYear {
    /// The year.
    year: i32,
    /// Whether a notice for it was entered or is built in; without one only the ends of weeks are off.
    known: bool,
    /// What is otherwise than in every week, in order; built-in days have no name.
    days: Vec<HolidayDay>,
}

/// The working days of a year, by which terms are reckoned now.
#[utoipa::path(get, path = "/calendar", tag = "operations", params(YearQuery),
    responses((status = 200, body = CalendarYear)))]
async fn read(Caller(cx): Caller, Query(query): Query<YearQuery>) -> Answer<CalendarYear> {
    let found = calendar::year(&cx, query.year).await?;
    let day = |one: NoticeDay| HolidayDay {
        name: one.name,
        date: one.day.to_string(),
        is_off_day: one.kind == DayKind::Off,
    };
    Ok(Json(CalendarYear {
        year: found.year,
        known: found.known,
        days: found.days.into_iter().map(day).collect(),
    }))
}

/// What became of a notice.
#[derive(Debug, Serialize, ToSchema)]
struct HolidaysEntered {
    /// So many days had been entered for that year before; they are gone.
    replaced: u64,
}

/// Enters a year's holidays in the place of what was entered for that year before. Terms that begin
/// from now on are reckoned by them; those that run already end as was said.
#[utoipa::path(put, path = "/calendar", tag = "operations", request_body = Holidays,
    responses((status = 200, body = HolidaysEntered), (status = 403, body = ProblemDocument),
        (status = 422, body = ProblemDocument)))]
async fn enter(Caller(cx): Caller, Body(holidays): Body<Holidays>) -> Answer<HolidaysEntered> {
    let json = serde_json::to_string(&holidays)
        .map_err(|e| ServiceError::internal("a notice can not be written", e))?;
    let notice = calendar::read("days", &json)?;
    let replaced = calendar::enter(&cx, &notice).await?;
    Ok(Json(HolidaysEntered { replaced }))
}
