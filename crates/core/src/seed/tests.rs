//! The demo city shows the numbers of its source (宁波 NB-02): 33 units, 105 systems, 530 hosts, 85 %.

use crate::storage::sql::Sql;
use std::sync::Arc;

use lingbao_backends::{Backends, provisioning::simulator::Simulator};
use lingbao_model::quota::PoolDimension;

use super::*;
use crate::{
    app::{Actor, Cx},
    fulfil, jobs,
    service::overview,
    storage::quota,
    testing::{TestApp, TestDb},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ningbo_has_33_units_105_systems_and_530_hosts_on_85_percent_of_its_capacity() {
    let db = TestDb::sqlite().await;
    let app = TestApp::on(&db);
    let clock = app.clock.clone();
    let told = clock.clone();
    let simulator = Simulator::open("simulator", cloud(None, 1, Latency::default()), move || {
        told.now()
    })
    .unwrap();
    let backends = Arc::new(Backends::default().with(simulator.clone()));
    let jobs = Arc::new(fulfil::wire(jobs::Registry::new(), &backends));
    let begun = std::time::Instant::now();
    load(
        &app.app,
        &clock,
        &jobs,
        (&city("ningbo").unwrap(), "simulator"),
        &|text| eprintln!("{:?} {text}", begun.elapsed()),
    )
    .await
    .unwrap();
    let mut rx = app.db.read().await.unwrap();
    assert_eq!(quota::recount(&mut rx).await.unwrap(), []);
    let leader: (String,) = Sql::new("SELECT id FROM user_account WHERE login = 'leader'")
        .optional(&mut rx)
        .await
        .unwrap()
        .unwrap();
    drop(rx);
    let cx = Cx::new(app.app.clone(), Actor::User(leader.0.parse().unwrap()));
    let seen = overview::overview(&cx).await.unwrap();
    assert_eq!(
        (seen.units, seen.city_units, seen.county_units),
        (33, 22, 11)
    );
    assert_eq!((seen.systems, seen.hosts), (105, 530));
    assert!(
        (840..=860).contains(&seen.allocation_permille()),
        "{}",
        seen.allocation_permille()
    );
    let disks = seen.pools.iter();
    let disks = disks.filter(|pool| pool.dimension == PoolDimension::DiskGb);
    assert!(disks.clone().count() == 4 && disks.clone().any(|pool| pool.allocated > 0));
    // What the story did in the portal is what stands in the cloud.
    clock.advance_ms(60_000);
    let desk = fulfil::reconcile::round::Desk::Bare(&app.app);
    let round = fulfil::reconcile::round::round(&desk, "simulator", &simulator);
    let ended = round.await.unwrap();
    assert!(
        matches!(ended, fulfil::reconcile::round::Ended::Whole { differences: 0, things } if things > 530),
        "{ended:?}"
    );
}

#[tokio::test]
async fn newtown_has_people_with_quotas_on_the_cloud_that_was_named_and_nothing_ordered() {
    let db = TestDb::sqlite().await;
    let app = TestApp::on(&db);
    // Nobody answers for this cloud: the first day needs none that does.
    let jobs = Arc::new(fulfil::wire(
        jobs::Registry::new(),
        &Arc::new(Backends::default()),
    ));
    let town = city("newtown").unwrap();
    load(&app.app, &app.clock, &jobs, (&town, "lab"), &|_| {})
        .await
        .unwrap();
    let mut rx = app.db.read().await.unwrap();
    let count = async |rx: &mut _, sql: &'static str| Sql::new(sql).number(rx).await.unwrap();
    assert_eq!(count(&mut rx, "SELECT count(*) FROM request").await, 0);
    assert_eq!(count(&mut rx, "SELECT count(*) FROM app_system").await, 8);
    let elsewhere = "SELECT count(*) FROM pool WHERE backend <> 'lab'";
    assert_eq!(count(&mut rx, elsewhere).await, 0);
    let clerks = "SELECT count(*) FROM quota_balance b JOIN vdc v ON v.id = b.vdc_id
       JOIN user_account u ON u.unit_id = v.unit_id WHERE u.login = 'clerk' AND b.limit_amount > 0";
    assert!(count(&mut rx, clerks).await > 0);
    assert_eq!(quota::recount(&mut rx).await.unwrap(), []);
}

#[tokio::test]
async fn part_of_a_city_is_told_from_a_whole_one() {
    let db = TestDb::sqlite().await;
    let app = TestApp::on(&db);
    assert_eq!(standing(&app.app).await.unwrap(), Standing::Empty);
    let jobs = Arc::new(fulfil::wire(
        jobs::Registry::new(),
        &Arc::new(Backends::default()),
    ));
    let town = city("newtown").unwrap();
    let load = load(&app.app, &app.clock, &jobs, (&town, "lab"), &|_| {});
    let mut load = Box::pin(load);
    // Broken off at the first moment at which there is a unit.
    while standing(&app.app).await.unwrap() == Standing::Empty {
        let step = std::time::Duration::from_millis(1);
        let _ = tokio::time::timeout(step, &mut load).await;
    }
    let part = Standing::Part("newtown".to_owned());
    assert_eq!(standing(&app.app).await.unwrap(), part);
    load.await.unwrap();
    let whole = Standing::City("newtown".to_owned());
    assert_eq!(standing(&app.app).await.unwrap(), whole);
}
