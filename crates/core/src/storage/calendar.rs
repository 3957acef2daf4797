//! The working-day calendar: days of later notices over the built-in years.

use lingbao_model::calendar::{Calendar, DayKind};

use super::ReadTx;
use crate::{error::StorageError, on};

/// The calendar as it is known now.
///
/// # Errors
/// What the database says; a day or kind that is none.
pub async fn load(rx: &mut ReadTx) -> Result<Calendar, StorageError> {
    let rows: Vec<(String, String)> = on!(rx, conn => sqlx::query_as(
        "SELECT day, kind FROM calendar_day ORDER BY day").fetch_all(conn).await)?;
    let mut calendar = Calendar::builtin();
    for (day, kind) in rows {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("calendar_day", column, day.as_str(), e)
        };
        let kind = match kind.as_str() {
            "off" => DayKind::Off,
            "work" => DayKind::Work,
            other => return Err(wrong("kind", &other)),
        };
        calendar.set(day.parse().map_err(|e| wrong("day", &e))?, kind);
    }
    Ok(calendar)
}
