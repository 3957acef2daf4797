//! The laws of the ledger, on both engines and with real concurrency.

use std::sync::Arc;

use lingbao_model::{
    id::{PoolId, ResourceId, UnitId, VdcId},
    quota::{Amounts, Dimension, Standing},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{quota, sql::Sql};
use crate::{
    app::Cx,
    storage::Tx,
    testing::{TestApp, TestDb, engines},
};

struct Place {
    parent: VdcId,
    child: VdcId,
    pool: PoolId,
}

/// A city with one unit below it and one pool.
async fn place(tx: &mut Tx, cx: &Cx) -> Place {
    let (city, unit) = (cx.id::<UnitId>(), cx.id::<UnitId>());
    let place = Place {
        parent: cx.id(),
        child: cx.id(),
        pool: cx.id(),
    };
    for (id, parent, vdc, above) in [
        (&city, None, &place.parent, None),
        (&unit, Some(&city), &place.child, Some(&place.parent)),
    ] {
        Sql::new("INSERT INTO unit (id, parent_id, name, short_name, sort_key, level, kind, created_at) VALUES (")
            .bind(id.as_str()).push(", ").bind(parent.map(UnitId::as_str)).push(", 'u', 'u', 'u', 'city', 'area', 0)")
            .run(tx).await.unwrap();
        Sql::new("INSERT INTO vdc (id, unit_id, parent_id, name, created_at) VALUES (")
            .bind(vdc.as_str())
            .push(", ")
            .bind(id.as_str())
            .push(", ")
            .bind(above.map(VdcId::as_str))
            .push(", 'v', 0)")
            .run(tx)
            .await
            .unwrap();
    }
    let zone = cx.id::<lingbao_model::id::ZoneId>();
    Sql::new("INSERT INTO zone (id, name_zh, name_en, hint_zh, hint_en, internet, sort) VALUES (")
        .bind(zone.as_str())
        .push(", 'z', 'z', '', '', FALSE, 1)")
        .run(tx)
        .await
        .unwrap();
    Sql::new("INSERT INTO pool (id, name_zh, name_en, backend, backend_pool, zone_id, lowest, highest, purpose, xinchuang, overcommit_percent, sort) VALUES (")
        .bind(place.pool.as_str()).push(", 'p', 'p', 'simulator', 'p', ").bind(zone.as_str())
        .push(", 2, 3, 'sector', FALSE, 100, 1)").run(tx).await.unwrap();
    place
}

fn booking(operation: String, place: &Place, vcpus: i64) -> quota::Booking {
    let mut amounts = Amounts::default();
    amounts.add(Dimension::Vcpu, vcpus);
    quota::Booking {
        operation,
        vdc: place.child.clone(),
        request: None,
        demand: [(place.pool.clone(), amounts)].into(),
    }
}

async fn prepared(db: &TestDb, limit: i64) -> (TestApp, Arc<Place>) {
    let app = TestApp::on(db);
    let cx = app.system();
    let mut tx = app.db.begin().await.unwrap();
    let place = place(&mut tx, &cx).await;
    quota::set_limit(
        &mut tx,
        &cx,
        "limit",
        &place.parent,
        &place.pool,
        Dimension::Vcpu,
        10 * limit,
    )
    .await
    .unwrap();
    let pair = (&place.parent, &place.child);
    assert!(
        quota::hand(
            &mut tx,
            &cx,
            "hand",
            pair,
            &place.pool,
            Dimension::Vcpu,
            limit
        )
        .await
        .unwrap()
    );
    tx.commit().await.unwrap();
    (app, Arc::new(place))
}

async fn child(app: &TestApp, place: &Place) -> Standing {
    let mut rx = app.db.read().await.unwrap();
    assert_eq!(
        quota::recount(&mut rx).await.unwrap(),
        [],
        "the balances must add up to the ledger"
    );
    quota::account(&mut rx, &place.child)
        .await
        .unwrap()
        .standing(&place.pool, Dimension::Vcpu)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_concurrent_holds_exactly_those_fit_for_which_there_is_room() {
    for db in engines().await {
        let (app, place) = prepared(&db, 137).await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..1000 {
            let (cx, place) = (app.system(), place.clone());
            tasks.spawn(async move {
                let mut tx = cx.db().begin().await.unwrap();
                let short = quota::hold(&mut tx, &cx, &booking(format!("hold:{n}"), &place, 1))
                    .await
                    .unwrap();
                if short.is_empty() {
                    tx.commit().await.unwrap();
                }
                short.is_empty()
            });
        }
        let mut fitted = 0;
        while let Some(done) = tasks.join_next().await {
            fitted += i64::from(done.unwrap());
        }
        assert_eq!(fitted, 137);
        assert_eq!(
            child(&app, &place).await,
            Standing {
                limit: 137,
                held: 137,
                ..Standing::default()
            }
        );
    }
}

#[tokio::test]
async fn the_same_operation_books_once_however_often_it_is_repeated() {
    for db in engines().await {
        let (app, place) = prepared(&db, 10).await;
        let cx = app.system();
        for _ in 0..3 {
            let mut tx = app.db.begin().await.unwrap();
            assert_eq!(
                quota::hold(&mut tx, &cx, &booking("hold:a".into(), &place, 4))
                    .await
                    .unwrap(),
                []
            );
            tx.commit().await.unwrap();
        }
        assert_eq!(child(&app, &place).await.held, 4);
    }
}

#[tokio::test]
async fn what_does_not_fit_names_the_dimension_what_was_asked_and_what_is_left() {
    for db in engines().await {
        let (app, place) = prepared(&db, 10).await;
        let cx = app.system();
        let mut tx = app.db.begin().await.unwrap();
        let short = quota::hold(&mut tx, &cx, &booking("hold:a".into(), &place, 11))
            .await
            .unwrap();
        drop(tx);
        assert_eq!(short.len(), 1);
        assert_eq!(
            (
                short[0].dimension,
                short[0].asked,
                short[0].standing.left(),
                short[0].missing()
            ),
            (Dimension::Vcpu, 11, 10, 1)
        );
        assert_eq!(child(&app, &place).await.held, 0);
    }
}

#[tokio::test]
async fn a_limit_that_was_handed_on_can_not_be_handed_on_again() {
    for db in engines().await {
        let (app, place) = prepared(&db, 10).await;
        let cx = app.system();
        let pair = (&place.parent, &place.child);
        let mut tx = app.db.begin().await.unwrap();
        assert!(
            quota::hand(&mut tx, &cx, "more", pair, &place.pool, Dimension::Vcpu, 90)
                .await
                .unwrap()
        );
        assert!(
            !quota::hand(
                &mut tx,
                &cx,
                "too much",
                pair,
                &place.pool,
                Dimension::Vcpu,
                1
            )
            .await
            .unwrap()
        );
    }
}

/// Random interleavings of holds, deliveries, failures and releases by parallel tasks, each on
/// operations of its own, as requests do.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_interleaving_books_above_the_limit_or_leaks() {
    for seed in 0..3_u64 {
        for db in engines().await {
            let (app, place) = prepared(&db, 40).await;
            let mut tasks = tokio::task::JoinSet::new();
            for task in 0..8_u64 {
                let (cx, place) = (app.system(), place.clone());
                tasks.spawn(async move {
                    let mut rng = StdRng::seed_from_u64(seed * 100 + task);
                    let mut booked = (0, 0);
                    for n in 0..12 {
                        let size = rng.random_range(1..=9);
                        let name = |what: &str| format!("{what}:{seed}:{task}:{n}");
                        let resource = cx.id::<ResourceId>();
                        let mut tx = cx.db().begin().await.unwrap();
                        let short = quota::hold(&mut tx, &cx, &booking(name("hold"), &place, size))
                            .await
                            .unwrap();
                        if !short.is_empty() {
                            continue;
                        }
                        tx.commit().await.unwrap();
                        let mut tx = cx.db().begin().await.unwrap();
                        let fate = rng.random_range(0..4);
                        match fate {
                            0 => booked.0 += size,
                            1 => quota::release_part(
                                &mut tx,
                                &cx,
                                &booking(name("release"), &place, size),
                            )
                            .await
                            .unwrap(),
                            _ => {
                                quota::convert(
                                    &mut tx,
                                    &cx,
                                    &booking(name("convert"), &place, size),
                                    &resource,
                                )
                                .await
                                .unwrap();
                                booked.1 += size;
                            }
                        }
                        tx.commit().await.unwrap();
                        if fate == 3 {
                            let mut tx = cx.db().begin().await.unwrap();
                            quota::free(
                                &mut tx,
                                &cx,
                                &booking(name("free"), &place, size),
                                &resource,
                            )
                            .await
                            .unwrap();
                            tx.commit().await.unwrap();
                            booked.1 -= size;
                        }
                        let mut rx = cx.db().read().await.unwrap();
                        let now = quota::account(&mut rx, &place.child)
                            .await
                            .unwrap()
                            .standing(&place.pool, Dimension::Vcpu);
                        assert!(now.left() >= 0, "{now:?}");
                    }
                    booked
                });
            }
            let (mut held, mut used) = (0, 0);
            while let Some(done) = tasks.join_next().await {
                let booked = done.unwrap();
                held += booked.0;
                used += booked.1;
            }
            assert_eq!(
                child(&app, &place).await,
                Standing {
                    limit: 40,
                    held,
                    used,
                    ..Standing::default()
                }
            );
        }
    }
}
