//! What the doctor asks the database.
use lingbao_model::time::Timestamp;

use super::{ReadTx, db::Engine};
use crate::{error::StorageError, on};

/// What time it is for the database; `None` for the embedded one, which has no clock of its own.
///
/// # Errors
/// What the database says.
pub async fn clock(rx: &mut ReadTx) -> Result<Option<Timestamp>, StorageError> {
    if rx.engine() == Engine::Sqlite {
        return Ok(None);
    }
    let millis: i64 = on!(rx, conn => sqlx::query_scalar(
        "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
        .fetch_one(conn).await)?;
    Ok(Some(Timestamp::from_millis(millis)))
}

/// How many days of a year's notice stand in the calendar beside the built-in ones.
///
/// # Errors
/// What the database says.
pub async fn calendar_days(rx: &mut ReadTx, year: i32) -> Result<i64, StorageError> {
    Ok(on!(rx, conn => sqlx::query_scalar(
        "SELECT count(*) FROM calendar_day WHERE year = $1 OR (year = 0 AND day >= $2 AND day <= $3)")
        .bind(i64::from(year)).bind(format!("{year:04}-01-01")).bind(format!("{year:04}-12-31"))
        .fetch_one(conn).await)?)
}
