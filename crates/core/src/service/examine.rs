//! What the doctor (`lingbao doctor`) asks.

use lingbao_model::{
    calendar::Calendar,
    time::{Timestamp, Zone},
};

use crate::{
    app::Cx,
    authz::Scope,
    error::ServiceError,
    storage::{dump, examine, place, quota},
};

/// So many days before the end of a year the next one's holidays should be known: the State Council
/// announces them in November.
const CALENDAR_DAYS: i64 = 60;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// How far the database's clock is ahead of ours, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
    /// Pools: backend, and the pool's name there.
    pub pools: Vec<(String, String)>,
    /// Open pools of which the site has nothing to give, though somebody works with the portal: what
    /// the pools are called at their backends.
    pub without_limit: Vec<String>,
    /// A year whose holidays should be known by now and are not.
    pub calendar_misses: Option<i32>,
}

/// Looks.
///
/// # Errors
/// What the database says.
pub async fn findings(cx: &Cx) -> Result<Findings, ServiceError> {
    Scope::system(cx)?;
    let mut rx = cx.db().read().await?;
    let clock = examine::clock(&mut rx).await?;
    let pools = place::sites(&mut rx).await?;
    // Before there is a unit nobody could set a limit.
    let without_limit = if dump::in_use(&mut rx).await? {
        quota::pools_without_limit(&mut rx).await?
    } else {
        Vec::new()
    };
    let mut calendar_misses = None;
    for at in [
        cx.now(),
        cx.now()
            .plus_millis(CALENDAR_DAYS * lingbao_model::time::DAY_MS),
    ] {
        let year = year(at);
        if !Calendar::builtin().knows(year) && examine::calendar_days(&mut rx, year).await? == 0 {
            calendar_misses = Some(year);
            break;
        }
    }
    Ok(Findings {
        clock_ahead_ms: clock.map(|clock| clock.since(cx.app.clock.now())),
        pools: pools
            .into_iter()
            .map(|(_, backend, pool)| (backend, pool))
            .collect(),
        without_limit,
        calendar_misses,
    })
}

fn year(at: Timestamp) -> i32 {
    let date = Zone::SHANGHAI.date(at).to_string();
    date.split('-')
        .next()
        .and_then(|year| year.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestApp, engines};

    #[tokio::test]
    async fn a_year_without_holidays_is_missed_in_time() {
        for db in engines().await {
            let app = TestApp::on(&db);
            assert_eq!(year(crate::testing::START), 2026);
            // 20 November: sixty days on it is the next year, which is not announced.
            let found = findings(&app.system()).await.unwrap();
            assert_eq!(found.calendar_misses, Some(2027));
            app.clock.advance_ms(-30 * lingbao_model::time::DAY_MS);
            let found = findings(&app.system()).await.unwrap();
            assert_eq!(found.calendar_misses, None);
        }
    }
}
