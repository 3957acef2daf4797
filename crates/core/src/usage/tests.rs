//! What rounds take in and what readers see of it, on both engines.

use std::sync::Arc;

use lingbao_backends::usage::SourceError;
use lingbao_model::{
    id::{ResourceId, UserId},
    people::{Reach, Role},
    resource::{EventKind, ServiceState},
    time::{DAY_MS, Date, Zone},
    usage::{LEAST_DAYS, LEAST_SAMPLES, Load, Measure, Reading, WINDOW_DAYS},
    view::{
        resource::Act,
        usage::{UsageDetail, UsageFilter, UsageHead, UsageSort, UsageView},
    },
};

use super::{Metering, fake::Measured, last_day, wire};
use crate::{
    app::Cx,
    clock::Clock as _,
    error::ServiceError,
    jobs::{Registry, run_until_idle},
    service::{
        request::fixture::{self, City},
        usage,
    },
    storage::{cloud, resource as rows, sql::Sql, usage::windows},
};

/// A city with two hosts of the bureau and something that measures them.
struct Town {
    city: City,
    source: Measured,
    jobs: Arc<Registry>,
    web: ResourceId,
    db: ResourceId,
}

impl Town {
    async fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for city in City::all().await {
            let source = Measured::called("one");
            let mut town = Self {
                web: host(&city).await,
                db: host(&city).await,
                jobs: Arc::new(wire(Registry::new())),
                source,
                city,
            };
            // The hosts have stood for a while.
            town.city.app.clock.advance_ms(40 * DAY_MS);
            town.measure(town.source.metering(35, 400));
            all.push(town);
        }
        all
    }

    fn measure(&mut self, metering: Metering) {
        self.city.app = self.city.app.clone().with_usage(metering);
    }

    fn last(&self) -> Date {
        last_day(self.city.app.clock.now())
    }

    /// The clock goes on by half an hour, so that a round comes.
    async fn round(&self) {
        self.city.app.clock.advance_ms(30 * 60_000);
        run_until_idle(&self.city.app.app, &self.jobs)
            .await
            .unwrap();
    }

    fn cx(&self, user: &UserId) -> Cx {
        self.city.cx(user)
    }

    async fn list(&self, user: &UserId, filter: &UsageFilter) -> UsageView {
        usage::list(&self.cx(user), filter).await.unwrap()
    }

    async fn names(&self, filter: &UsageFilter) -> Vec<ResourceId> {
        let view = self.list(&self.city.clerk, filter).await;
        view.page.rows.into_iter().map(|row| row.id).collect()
    }

    async fn see(&self, id: &ResourceId) -> UsageDetail {
        usage::host(&self.cx(&self.city.clerk), id).await.unwrap()
    }

    async fn head(&self) -> UsageHead {
        self.list(&self.city.clerk, &UsageFilter::default())
            .await
            .head
    }

    /// Both measures of a host, so many days to yesterday.
    fn say(&self, id: &ResourceId, days: i64, cpu: i64, memory: i64) {
        let span = (self.last(), days);
        self.source.say(id.as_str(), Measure::Cpu, span, cpu);
        self.source.say(id.as_str(), Measure::Memory, span, memory);
    }

    async fn rows(&self) -> i64 {
        self.city
            .count(Sql::new("SELECT count(*) FROM usage_day"))
            .await
    }
}

/// A delivered host of the bureau with 4 cores and 8 GB; its cloud calls it by its id.
async fn host(city: &City) -> ResourceId {
    let cart = city.cart(1).await;
    let sent = city.submit(&cart).await.unwrap();
    city.deliver(&sent.request).await
}

fn only(load: Load) -> UsageFilter {
    UsageFilter {
        load: Some(load),
        ..UsageFilter::default()
    }
}

#[tokio::test]
async fn thirty_quiet_days_make_a_host_idle_and_its_price_stands_at_stake() {
    for town in Town::all().await {
        town.say(&town.web, 35, 100, 200);
        town.say(&town.db, 35, 600, 300);
        town.round().await;
        let view = town.list(&town.city.clerk, &only(Load::Idle)).await;
        assert_eq!(view.page.rows.len(), 1);
        let row = &view.page.rows[0];
        assert_eq!((&row.id, row.vcpus, row.memory_gb), (&town.web, 4, 8));
        let cpu = row.cpu.unwrap();
        assert_eq!((cpu.mean, cpu.peak, cpu.days), (100, 150, WINDOW_DAYS));
        // Twice the peak of 15 % of 4 cores and of 25 % of 8 GB.
        assert_eq!(row.smaller(), Some((2, 4)));
        assert_eq!(town.names(&only(Load::Busy)).await.first(), Some(&town.db));
        assert_eq!((view.counts.hosts, view.counts.measured), (2, 2));
        assert_eq!((view.counts.idle, view.counts.busy), (1, 1));
        assert_eq!(view.counts.idle_month, row.month);
        // Equal sizes: the mean of both.
        assert_eq!(view.counts.cpu(), Some(350));
        assert_eq!(view.counts.memory(), Some(250));
        assert_eq!(view.head.until, Some(town.last()));
        assert!(view.head.configured && !view.head.broken);
        let days = town.see(&town.web).await.days;
        assert_eq!(days.len(), 30);
        assert_eq!(days[29].day, town.last());
        assert!(days.iter().all(|day| day.cpu.unwrap().mean == 100));
    }
}

#[tokio::test]
async fn a_round_twice_is_a_round_once_and_a_standstill_is_caught_up() {
    for town in Town::all().await {
        town.say(&town.web, 35, 100, 200);
        town.round().await;
        assert_eq!(town.source.asked().len(), 2 * 35);
        let rows = town.rows().await;
        assert_eq!(rows, 35);
        town.round().await;
        town.round().await;
        assert_eq!(town.source.asked(), []);
        assert_eq!(town.rows().await, rows);
        // Three days without a portal.
        town.city.app.clock.advance_ms(3 * DAY_MS);
        town.say(&town.web, 3, 900, 200);
        town.round().await;
        let asked = town.source.asked();
        assert_eq!(asked.len(), 6, "{asked:?}");
        assert_eq!(asked[0].0, town.last(), "the youngest first");
        assert_eq!(town.rows().await, rows + 3);
    }
}

#[tokio::test]
async fn half_an_answer_writes_nothing_of_the_day_and_says_since_when() {
    for town in Town::all().await {
        town.say(&town.web, 35, 100, 200);
        let half = SourceError::Partial("a store is away".into());
        town.source.fail(Some((Measure::Memory, half)));
        town.round().await;
        assert_eq!(town.rows().await, 0);
        let head = town.head().await;
        assert!(head.broken && head.until.is_none());
        assert_eq!(head.error, None, "why is for operators");
        assert!(town.names(&only(Load::NoData)).await.contains(&town.web));
        town.source.fail(None);
        town.round().await;
        assert_eq!(town.rows().await, 35);
        assert!(!town.head().await.broken);
        // Later it falls silent: what is known stands, and old days leave the window.
        let away = SourceError::Unreachable("connection refused".into());
        town.source.fail(Some((Measure::Cpu, away)));
        town.city.app.clock.advance_ms(10 * DAY_MS);
        town.round().await;
        let row = town.see(&town.web).await.row;
        assert_eq!(row.cpu.unwrap().days, WINDOW_DAYS - 10);
        assert_eq!(
            row.load,
            Load::Few,
            "twenty days are too few to call it idle"
        );
        town.city.app.clock.advance_ms(30 * DAY_MS);
        town.round().await;
        assert_eq!(town.see(&town.web).await.row.load, Load::NoData);
    }
}

#[tokio::test]
async fn a_refused_day_hides_no_older_one_and_silence_ends_the_asking() {
    for mut town in Town::all().await {
        town.say(&town.web, 35, 100, 200);
        let refused = SourceError::Refused("too many samples".into());
        town.source.fail_day(town.last(), refused);
        town.round().await;
        assert_eq!(town.source.asked().len(), 1 + 2 * 34);
        assert_eq!(town.rows().await, 34);
        let head = town.head().await;
        assert!(head.broken, "the day that is missing is told of");
        assert_eq!(head.until, Some(town.last().plus_days(-1)));
        let away = SourceError::Unreachable("connection refused".into());
        town.source.fail_day(town.last().plus_days(-1), away);
        town.measure(town.source.mended("two").metering(35, 400));
        town.round().await;
        assert_eq!(town.source.asked().len(), 2, "no day behind the silence");
        assert_eq!(town.rows().await, 34);
    }
}

#[tokio::test]
async fn other_queries_say_a_day_anew_and_nothing_of_the_old_ones_stays() {
    for mut town in Town::all().await {
        town.say(&town.web, 35, 100, 200);
        town.say(&town.db, 35, 300, 200);
        town.round().await;
        assert_eq!(town.rows().await, 70);
        let second = Measured::called("two");
        let span = (town.last(), 5);
        second.say(town.web.as_str(), Measure::Cpu, span, 900);
        town.measure(second.metering(35, 400));
        town.round().await;
        assert_eq!(
            town.rows().await,
            5 + 2 * 30,
            "nobody is named on the others"
        );
        let (web, db) = (town.see(&town.web).await, town.see(&town.db).await);
        assert_eq!(web.days[29].cpu.map(|cpu| cpu.mean), Some(900));
        assert_eq!((web.days[29].memory, db.days[29].cpu), (None, None));
        assert_eq!(db.days[0].cpu.map(|cpu| cpu.mean), Some(300));
        assert_eq!(db.row.cpu.map(|cpu| cpu.days), Some(WINDOW_DAYS - 5));
        // Later they name a host of ours on the others too.
        town.city.app.clock.advance_ms(DAY_MS / 4);
        let span = (town.last(), 35);
        second.say(town.web.as_str(), Measure::Cpu, span, 900);
        town.round().await;
        let (web, db) = (town.see(&town.web).await, town.see(&town.db).await);
        assert!(web.days.iter().all(|day| day.memory.is_none()));
        assert!(db.days.iter().all(|day| day.cpu.is_none()));
        assert_eq!(db.row.load, Load::NoData);
    }
}

#[tokio::test]
async fn hosts_are_gone_through_whether_they_were_measured_or_not() {
    for town in Town::all().await {
        town.say(&town.web, 35, 100, 200);
        town.round().await;
        let span = (town.last().plus_days(-WINDOW_DAYS), town.last());
        let mut rx = town.city.app.db.read().await.unwrap();
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let found = windows(&mut rx, &after, span, 8 * 3_600_000, 1).await;
            let Some(window) = found.unwrap().pop() else {
                break;
            };
            after = window.host.to_string();
            seen.push((window.host, window.days));
        }
        let mut both = vec![(town.web.clone(), WINDOW_DAYS), (town.db.clone(), 0)];
        both.sort();
        assert_eq!(seen, both);
        drop(rx);
        assert_eq!(town.see(&town.db).await.row.load, Load::NoData);
        // The recycle bin is no place of hosts that are used.
        let mut tx = town.city.app.db.begin().await.unwrap();
        Sql::new("UPDATE resource SET service_state = 'recycled' WHERE id = ")
            .bind(town.web.as_str())
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let view = town.list(&town.city.clerk, &UsageFilter::default()).await;
        assert_eq!((view.counts.hosts, view.page.rows.len()), (1, 1));
        assert_eq!(view.counts.measured, 0);
        town.round().await;
        let sums = Sql::new("SELECT count(*) FROM usage_sum");
        assert_eq!(town.city.count(sums).await, 0);
        assert_eq!(town.see(&town.web).await.row.may, []);
    }
}

#[tokio::test]
async fn a_day_with_too_few_samples_is_kept_marked_and_never_counted_as_idle() {
    for town in Town::all().await {
        let thin = Reading {
            mean: 0,
            peak: 0,
            samples: LEAST_SAMPLES - 1,
        };
        for back in 0..30 {
            let day = town.last().plus_days(-back);
            for measure in [Measure::Cpu, Measure::Memory] {
                town.source.say_day(town.web.as_str(), measure, day, thin);
            }
        }
        town.say(&town.db, LEAST_DAYS - 1, 10, 10);
        town.round().await;
        let seen = town.see(&town.web).await;
        assert_eq!((seen.row.load, seen.row.cpu), (Load::Few, None));
        assert!(seen.days.iter().all(|day| !day.cpu.unwrap().is_enough()));
        assert_eq!(town.names(&only(Load::Idle)).await, []);
        assert_eq!(town.see(&town.db).await.row.load, Load::Few);
        town.say(&town.db, LEAST_DAYS, 10, 10);
        // The day that was empty of it before is asked for again only with other queries.
        let mended = town.source.mended("two");
        let mut town = town;
        town.measure(mended.metering(35, 400));
        town.round().await;
        assert_eq!(town.names(&only(Load::Idle)).await, [town.db.clone()]);
    }
}

#[tokio::test]
async fn ids_that_are_nobodys_are_counted_and_an_empty_day_is_asked_for_again() {
    for town in Town::all().await {
        let span = (town.last(), 35);
        town.source.say("srv-of-another", Measure::Cpu, span, 10);
        town.round().await;
        assert_eq!(town.rows().await, 0);
        assert!(town.head().await.until.is_none());
        let _ = town.source.asked();
        town.round().await;
        assert_eq!(town.source.asked(), [], "not every half hour");
        town.city.app.clock.advance_ms(DAY_MS / 4);
        town.say(&town.web, 35, 100, 100);
        town.round().await;
        assert_eq!(town.source.asked().len(), 2 * 35);
        assert_eq!(town.rows().await, 35);
        let operator = &town.city.colleague;
        let (app, root) = (&town.city.app, &town.city.bureau);
        fixture::give(app, operator, Role::Operator, root, Reach::Site).await;
        let head = town.list(operator, &UsageFilter::default()).await.head;
        assert_eq!(head.unknown, Some(1));
        assert_eq!(town.head().await.unknown, None);
    }
}

#[tokio::test]
async fn a_host_that_was_resized_begins_anew() {
    for town in Town::all().await {
        town.say(&town.web, 35, 100, 100);
        let cx = town.city.app.system();
        let resized = Zone::SHANGHAI.moment(town.last().plus_days(-5), 600);
        let mut tx = town.city.app.db.begin().await.unwrap();
        rows::add_event(
            &mut tx,
            &cx.id(),
            &town.web,
            EventKind::Resized,
            "system",
            resized,
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        town.round().await;
        let row = town.see(&town.web).await.row;
        assert_eq!((row.load, row.cpu.unwrap().days), (Load::Few, 5));
    }
}

#[tokio::test]
async fn what_was_given_back_is_not_listed_and_old_days_are_forgotten() {
    for mut town in Town::all().await {
        town.measure(town.source.metering(35, 40));
        town.say(&town.web, 35, 100, 100);
        town.say(&town.db, 35, 100, 100);
        town.round().await;
        assert_eq!(town.rows().await, 70);
        let cx = town.city.app.system();
        let scope = crate::authz::Scope::system(&cx).unwrap();
        let mut tx = town.city.app.db.begin().await.unwrap();
        let found = rows::get(&mut tx, &scope, &town.web)
            .await
            .unwrap()
            .unwrap();
        rows::mark_released(&mut tx, &found, cx.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(town.names(&UsageFilter::default()).await, [town.db.clone()]);
        let clerk = town.cx(&town.city.clerk);
        let gone = usage::host(&clerk, &town.web).await;
        assert!(matches!(gone, Err(ServiceError::NotFound)), "{gone:?}");
        // The rounds of later days forget what is older than forty days.
        town.city.app.clock.advance_ms(10 * DAY_MS);
        town.round().await;
        assert_eq!(town.rows().await, 60, "the five oldest of each are gone");
        let sums = Sql::new("SELECT count(*) FROM usage_sum");
        assert_eq!(town.city.count(sums).await, 1);
    }
}

#[tokio::test]
async fn nobody_sees_another_units_hosts_or_counts() {
    for town in Town::all().await {
        town.say(&town.web, 35, 100, 100);
        town.round().await;
        let stranger = &town.city.stranger;
        let view = town.list(stranger, &UsageFilter::default()).await;
        assert_eq!((view.page.rows.len(), view.counts.hosts), (0, 0));
        assert!(view.pools.is_empty());
        let filter = UsageFilter {
            unit: Some(town.city.bureau.clone()),
            ..UsageFilter::default()
        };
        assert_eq!(town.list(stranger, &filter).await.page.rows, []);
        let foreign = usage::host(&town.cx(stranger), &town.web).await;
        let unknown = usage::host(&town.cx(stranger), &town.city.app.id()).await;
        assert!(matches!(foreign, Err(ServiceError::NotFound)));
        assert!(matches!(unknown, Err(ServiceError::NotFound)));
        let units = usage::units(&town.cx(stranger)).await.unwrap().units;
        assert!(units.iter().all(|unit| unit.unit != town.city.bureau));
        let (rows, _) = usage::export(&town.cx(stranger), &UsageFilter::default())
            .await
            .unwrap();
        assert_eq!(rows, []);
        // Who reads no resources reads none of this.
        let finance = town.cx(&town.city.finance);
        let refused = usage::list(&finance, &UsageFilter::default()).await;
        assert!(
            matches!(refused, Err(ServiceError::Forbidden)),
            "{refused:?}"
        );
        assert!(usage::units(&finance).await.is_err());
        // The office sees all and the pools beside it.
        let office = town.list(&town.city.office, &UsageFilter::default()).await;
        assert_eq!(office.counts.hosts, 2);
        assert!(usage::known(&finance).await.is_err());
    }
}

#[tokio::test]
async fn both_rates_stand_by_unit_and_pages_follow_each_other() {
    for town in Town::all().await {
        town.say(&town.web, 35, 200, 300);
        town.round().await;
        let units = usage::units(&town.cx(&town.city.office))
            .await
            .unwrap()
            .units;
        let office = town.cx(&town.city.office);
        let (mut walked, mut next) = (Vec::new(), None);
        for _ in &units {
            let after: Option<String> = next.take();
            let (page, on) = usage::units_page(&office, after.as_deref(), 1)
                .await
                .unwrap();
            walked.extend(page.units);
            next = on;
        }
        assert_eq!((walked.len(), next), (units.len(), None));
        assert_eq!(walked[0].unit, town.city.bureau, "the largest first");
        assert!(units.iter().all(|one| walked.contains(one)));
        let bureau = units.iter().find(|u| u.unit == town.city.bureau).unwrap();
        assert_eq!((bureau.counts.hosts, bureau.counts.measured), (2, 1));
        assert_eq!(bureau.counts.cpu(), Some(200), "of the measured alone");
        let allocation = bureau.allocation.unwrap();
        assert!(allocation.cores_limit > 0 && allocation.memory_limit > 0);
        assert_eq!(
            bureau.counts.idle_month,
            town.see(&town.web).await.row.month
        );
        for (sort, first) in [
            (UsageSort::Cpu, &town.web),
            (UsageSort::CpuDown, &town.web),
            (UsageSort::Memory, &town.web),
            (UsageSort::MemoryDown, &town.web),
        ] {
            let mut filter = UsageFilter {
                sort: Some(sort),
                limit: Some(1),
                ..UsageFilter::default()
            };
            let view = town.list(&town.city.clerk, &filter).await;
            assert_eq!(&view.page.rows[0].id, first, "{sort}: unmeasured last");
            filter.cursor = view.page.next;
            assert!(filter.cursor.is_some());
            let view = town.list(&town.city.clerk, &filter).await;
            assert_eq!(view.page.rows[0].id, town.db, "{sort}");
            assert_eq!(view.page.next, None);
        }
        for sort in [UsageSort::Month, UsageSort::MonthDown] {
            let mut filter = UsageFilter {
                sort: Some(sort),
                limit: Some(1),
                ..UsageFilter::default()
            };
            let mut seen = Vec::new();
            loop {
                let page = town.list(&town.city.clerk, &filter).await.page;
                seen.extend(page.rows.into_iter().map(|row| row.id));
                match page.next {
                    Some(next) => filter.cursor = Some(next),
                    None => break,
                }
            }
            seen.sort();
            let mut both = vec![town.web.clone(), town.db.clone()];
            both.sort();
            assert_eq!(seen, both, "{sort}");
        }
    }
}

#[tokio::test]
async fn the_ways_on_are_for_those_who_may_order_and_clouds_that_can() {
    for town in Town::all().await {
        town.say(&town.web, 35, 100, 100);
        town.round().await;
        assert_eq!(town.see(&town.web).await.row.may, [Act::Release]);
        let mut tx = town.city.app.db.begin().await.unwrap();
        cloud::save_able(&mut tx, "simulator", &[Act::Resize])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let row = town.see(&town.web).await.row;
        assert_eq!(row.may, [Act::Resize, Act::Release]);
        assert_eq!(row.service, ServiceState::Running);
        let leader = town.list(&town.city.leader, &only(Load::Idle)).await;
        assert_eq!(leader.page.rows[0].may, []);
    }
}

#[tokio::test]
async fn without_anything_that_measures_nothing_is_asked_and_the_answer_says_so() {
    for city in City::all().await {
        let id = host(&city).await;
        let jobs = Arc::new(wire(Registry::new()));
        for _ in 0..3 {
            city.app.clock.advance_ms(30 * 60_000);
            run_until_idle(&city.app.app, &jobs).await.unwrap();
        }
        let taken = Sql::new("SELECT count(*) FROM usage_round");
        assert_eq!(city.count(taken).await, 0);
        let view = usage::list(&city.cx(&city.clerk), &UsageFilter::default())
            .await
            .unwrap();
        assert!(!view.head.configured && view.head.measures.is_empty());
        assert_eq!((view.counts.measured, view.counts.cpu()), (0, None));
        assert_eq!(view.page.rows[0].load, Load::NoData);
        let seen = usage::host(&city.cx(&city.clerk), &id).await.unwrap();
        assert!(seen.days.iter().all(|day| day.cpu.is_none()));
    }
}
