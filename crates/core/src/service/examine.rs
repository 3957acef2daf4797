//! What the doctor (`lingbao doctor`) asks.

use lingbao_backends::provisioning::{Offered, OfferedSizes, Steps};
use lingbao_model::{
    calendar::Calendar,
    catalogue::{Fulfiller, Offer},
    param::{Kind, Schema},
    time::{Timestamp, Zone},
};

use crate::{
    app::Cx,
    authz::Scope,
    error::ServiceError,
    storage::{dump, examine, item, place, quota},
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
    /// Whether that year has begun.
    pub calendar_is_late: bool,
    /// What can be ordered: whatever pool is chosen, its cloud must make it.
    pub offered: Offered,
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
    let offered = offered(&item::offers(&mut rx).await?);
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
    let calendar_is_late = calendar_misses == Some(year(cx.now()));
    Ok(Findings {
        clock_ahead_ms: clock.map(|clock| clock.since(cx.app.clock.now())),
        pools: pools
            .into_iter()
            .map(|(_, backend, pool)| (backend, pool))
            .collect(),
        without_limit,
        calendar_misses,
        calendar_is_late,
        offered,
    })
}

/// Architectures, images, disk classes and sizes of what can be ordered.
fn offered(offers: &[Offer]) -> Offered {
    let mut all = Offered::default();
    for offer in offers {
        let schema = &offer.content.schema;
        match offer.content.fulfiller {
            Fulfiller::Server => {
                all.archs.extend(options(schema, "arch"));
                all.images.extend(options(schema, "image"));
                if let (Some(vcpus), Some(memory_gb)) =
                    (steps(schema, "vcpus"), steps(schema, "memory_gb"))
                {
                    all.sizes.push(OfferedSizes {
                        by: offer.code.clone(),
                        vcpus,
                        memory_gb,
                    });
                }
            }
            Fulfiller::Volume => all.disk_classes.extend(options(schema, "disk_class")),
            Fulfiller::Address | Fulfiller::Backup | Fulfiller::People => {}
        }
    }
    all
}

/// What may be chosen for a parameter.
fn options(schema: &Schema, key: &str) -> Vec<String> {
    match schema.get(key).map(|param| &param.kind) {
        Some(Kind::Choice { options, .. }) => options.iter().map(|it| it.value.clone()).collect(),
        _ => Vec::new(),
    }
}

/// The numbers that may be typed for a parameter.
fn steps(schema: &Schema, key: &str) -> Option<Steps> {
    let Kind::Integer {
        min,
        max,
        step,
        default,
        ..
    } = &schema.get(key)?.kind
    else {
        return None;
    };
    Some(Steps {
        first: u32::try_from(*min).ok()?,
        last: u32::try_from(*max).ok()?,
        step: u32::try_from(*step).ok()?,
        default: u32::try_from(*default).ok()?,
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
    use crate::{
        service::catalogue,
        testing::{TestApp, engines},
    };

    #[tokio::test]
    async fn a_year_without_holidays_is_missed_in_time() {
        for db in engines().await {
            let app = TestApp::on(&db);
            assert_eq!(year(crate::testing::START), 2026);
            // 20 November: sixty days on it is the next year, which is not announced.
            let found = findings(&app.system()).await.unwrap();
            assert_eq!(found.calendar_misses, Some(2027));
            assert!(!found.calendar_is_late);
            app.clock.advance_ms(-30 * lingbao_model::time::DAY_MS);
            let found = findings(&app.system()).await.unwrap();
            assert_eq!(found.calendar_misses, None);
        }
    }

    #[tokio::test]
    async fn every_image_class_and_size_that_can_be_ordered_is_to_be_looked_up() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let cx = app.system();
            let found = findings(&cx).await.unwrap();
            assert_eq!(found.offered, Offered::default());
            let mut tx = app.db.begin().await.unwrap();
            catalogue::install_defaults(&mut tx, &cx, "c")
                .await
                .unwrap();
            tx.commit().await.unwrap();
            let offered = findings(&cx).await.unwrap().offered;
            let archs: Vec<&str> = offered.archs.iter().map(String::as_str).collect();
            assert_eq!(archs, ["general", "hygon", "kunpeng"]);
            let images: Vec<&str> = offered.images.iter().map(String::as_str).collect();
            assert_eq!(images, ["debian-12", "kylin-v10", "openeuler-22", "uos-20"]);
            let classes: Vec<&str> = offered.disk_classes.iter().map(String::as_str).collect();
            assert_eq!(classes, ["sas", "sata", "ssd"]);
            let [sizes] = offered.sizes.as_slice() else {
                panic!("{:?}", offered.sizes);
            };
            assert_eq!(sizes.by, "C-ECS");
            assert_eq!((sizes.vcpus.count(), sizes.vcpus.default), (64, 4));
            assert_eq!((sizes.memory_gb.count(), sizes.memory_gb.default), (512, 8));
        }
    }
}
