//! The working-day calendar: days of later notices over the built-in years.

use std::collections::BTreeMap;

use lingbao_model::{
    calendar::{Calendar, DayKind, Notice},
    time::Date,
};

use super::{ReadTx, Tx};
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

/// For what days of a year are off or worked, as it was entered; the built-in years do not say.
///
/// # Errors
/// What the database says; a day that is none.
pub async fn names(rx: &mut ReadTx, year: i32) -> Result<BTreeMap<Date, String>, StorageError> {
    let rows: Vec<(String, String)> = on!(rx, conn => sqlx::query_as(
        "SELECT day, note FROM calendar_day WHERE day >= $1 AND day <= $2")
        .bind(format!("{year:04}-01-01")).bind(format!("{year:04}-12-31"))
        .fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(day, name)| match day.parse::<Date>() {
            Ok(of) => Ok((of, name)),
            Err(e) => Err(StorageError::inconsistent("calendar_day", "day", day, e)),
        })
        .collect()
}

/// Writes a year's notice in the place of what was entered for that year before; how many days that
/// were. A day that the notice before or after names too is as it was said last.
///
/// # Errors
/// What the database says.
pub async fn replace(tx: &mut Tx, notice: &Notice) -> Result<u64, StorageError> {
    let year = notice.year;
    let replaced = on!(tx, conn => sqlx::query(
        "DELETE FROM calendar_day WHERE year = $1 OR (year = 0 AND day >= $2 AND day <= $3)")
        .bind(i64::from(year)).bind(format!("{year:04}-01-01")).bind(format!("{year:04}-12-31"))
        .execute(conn).await.map(|done| done.rows_affected()))?;
    for one in &notice.days {
        let kind = match one.kind {
            DayKind::Off => "off",
            DayKind::Work => "work",
        };
        on!(tx, conn => sqlx::query(
            "INSERT INTO calendar_day (day, kind, note, year) VALUES ($1, $2, $3, $4)
             ON CONFLICT (day) DO UPDATE SET kind = excluded.kind, note = excluded.note, year = excluded.year")
            .bind(one.day.to_string()).bind(kind).bind(&one.name).bind(i64::from(year))
            .execute(conn).await.map(|_| ()))?;
    }
    Ok(replaced)
}
