//! The leader's overview.

use lingbao_model::{
    time::{Timestamp, Zone},
    view::overview::Overview,
};

use crate::{
    app::Cx,
    authz::{Ability, Access},
    error::ServiceError,
    storage::overview,
};

/// The numbers of the caller's sight.
///
/// # Errors
/// [`ServiceError::Forbidden`] for roles without an overview.
pub async fn overview(cx: &Cx) -> Result<Overview, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::Overview)?;
    Ok(overview::count(
        &mut rx,
        &access.scope(Ability::Overview),
        &last_months(cx.now(), 6),
        cx.now(),
    )
    .await?)
}

/// The last `n` months, this one included: name, first moment, first moment after; oldest first.
fn last_months(now: Timestamp, n: i32) -> Vec<(String, Timestamp, Timestamp)> {
    let zone = Zone::SHANGHAI;
    let this = zone.date(now).month_start();
    (0..n)
        .rev()
        .map(|back| {
            let first = this.plus_months(-back);
            let name = format!("{:04}-{:02}", first.year(), first.month());
            (
                name,
                zone.moment(first, 0),
                zone.moment(first.plus_months(1), 0),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_months_join_without_gap_and_end_with_this_one() {
        let months = last_months(crate::testing::START, 6);
        assert_eq!(months.first().map(|m| m.0.as_str()), Some("2026-06"));
        assert_eq!(months.last().map(|m| m.0.as_str()), Some("2026-11"));
        assert!(months.windows(2).all(|w| w[0].2 == w[1].1));
    }
}
