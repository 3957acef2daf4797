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
    prepared_with(db, &[(Dimension::Vcpu, limit)]).await
}

async fn prepared_with(db: &TestDb, limits: &[(Dimension, i64)]) -> (TestApp, Arc<Place>) {
    let app = TestApp::on(db);
    let cx = app.system();
    let mut tx = app.db.begin().await.unwrap();
    let place = place(&mut tx, &cx).await;
    let pair = (&place.parent, &place.child);
    for (dimension, limit) in limits {
        let (pool, operation) = (&place.pool, format!("limit:{dimension}"));
        quota::set_limit(
            &mut tx,
            &cx,
            &operation,
            &place.parent,
            pool,
            *dimension,
            10 * limit,
        )
        .await
        .unwrap();
        let operation = format!("hand:{dimension}");
        let handed = quota::hand(&mut tx, &cx, &operation, pair, pool, *dimension, *limit).await;
        assert!(handed.unwrap());
    }
    tx.commit().await.unwrap();
    (app, Arc::new(place))
}

async fn child(app: &TestApp, place: &Place) -> Standing {
    standing(app, place, Dimension::Vcpu).await
}

async fn standing(app: &TestApp, place: &Place, dimension: Dimension) -> Standing {
    let mut rx = app.db.read().await.unwrap();
    assert_eq!(
        quota::recount(&mut rx).await.unwrap(),
        [],
        "the balances must add up to the ledger"
    );
    quota::account(&mut rx, &place.child)
        .await
        .unwrap()
        .standing(&place.pool, dimension)
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

/// Limits of everything, so that each runs short in a walk.
const LIMITS: [(Dimension, i64); 9] = [
    (Dimension::Vcpu, 40),
    (Dimension::MemoryGb, 80),
    (Dimension::SsdGb, 500),
    (Dimension::SasGb, 150),
    (Dimension::SataGb, 150),
    (Dimension::BackupGb, 150),
    (Dimension::Addresses, 3),
    (Dimension::BandwidthMbps, 16),
    (Dimension::MonthlyFee, 90_000),
];

/// What one of the things takes that can be ordered: a host, a disk of a class, an address, a backup.
fn takes(rng: &mut StdRng, kind: usize) -> Amounts {
    let n = rng.random_range(1..=9);
    let own: &[(Dimension, i64)] = match kind {
        0 => &[
            (Dimension::Vcpu, n),
            (Dimension::MemoryGb, 2 * n),
            (Dimension::SsdGb, 40),
        ],
        1 => &[(Dimension::SsdGb, 10 * n)],
        2 => &[(Dimension::SasGb, 10 * n)],
        3 => &[(Dimension::SataGb, 10 * n)],
        4 => &[(Dimension::Addresses, 1), (Dimension::BandwidthMbps, n)],
        _ => &[(Dimension::BackupGb, 10 * n)],
    };
    let mut amounts = Amounts::default();
    amounts.add(Dimension::MonthlyFee, 1_000 * n);
    for (dimension, amount) in own {
        amounts.add(*dimension, *amount);
    }
    amounts
}

/// What `more` takes beyond `less`, by dimension.
fn beyond(more: &Amounts, less: &Amounts) -> Amounts {
    let mut amounts = Amounts::default();
    for dimension in Dimension::ALL {
        let left = more.get(*dimension) - less.get(*dimension);
        if left > 0 {
            amounts.add(*dimension, left);
        }
    }
    amounts
}

/// One of those who walk: what it holds and uses in the end.
struct Walker {
    cx: Cx,
    place: Arc<Place>,
    rng: StdRng,
    name: String,
    held: Amounts,
    used: Amounts,
}

impl Walker {
    fn booking(&self, what: &str, amounts: &Amounts) -> quota::Booking {
        quota::Booking {
            operation: format!("{what}:{}", self.name),
            vdc: self.place.child.clone(),
            request: None,
            demand: [(self.place.pool.clone(), amounts.clone())].into(),
        }
    }

    async fn hold(&mut self, what: &str, amounts: &Amounts) -> bool {
        let mut tx = self.cx.db().begin().await.unwrap();
        let booking = self.booking(what, amounts);
        let short = quota::hold(&mut tx, &self.cx, &booking).await.unwrap();
        if short.is_empty() {
            tx.commit().await.unwrap();
        }
        short.is_empty()
    }

    async fn convert(&self, what: &str, amounts: &Amounts, resource: &ResourceId) {
        let mut tx = self.cx.db().begin().await.unwrap();
        let booking = self.booking(what, amounts);
        quota::convert(&mut tx, &self.cx, &booking, resource)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn free(&self, what: &str, amounts: &Amounts, resource: &ResourceId) {
        let mut tx = self.cx.db().begin().await.unwrap();
        let booking = self.booking(what, amounts);
        quota::free(&mut tx, &self.cx, &booking, resource)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// One thing: held, then left so, given up, delivered, delivered and given back, or delivered and
    /// changed to another size, which takes more of some and less of others.
    async fn order(&mut self, kind: usize) {
        let amounts = takes(&mut self.rng, kind);
        if !self.hold("hold", &amounts).await {
            return;
        }
        let fate = self.rng.random_range(0..7);
        if fate == 0 {
            self.held.add_all(&amounts);
            return;
        }
        if fate == 1 {
            let mut tx = self.cx.db().begin().await.unwrap();
            let booking = self.booking("release", &amounts);
            quota::release_part(&mut tx, &self.cx, &booking)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            return;
        }
        let resource = self.cx.id::<ResourceId>();
        self.convert("convert", &amounts, &resource).await;
        let mut stands = amounts;
        if fate >= 4 {
            let other = takes(&mut self.rng, kind);
            let more = beyond(&other, &stands);
            if self.hold("more", &more).await {
                self.convert("grow", &more, &resource).await;
                self.free("shrink", &beyond(&stands, &other), &resource)
                    .await;
                stands = other;
            }
        }
        if fate % 3 == 0 {
            self.free("free", &stands, &resource).await;
        } else {
            self.used.add_all(&stands);
        }
    }

    async fn assert_within(&self) {
        let mut rx = self.cx.db().read().await.unwrap();
        let account = quota::account(&mut rx, &self.place.child).await.unwrap();
        for (dimension, _) in LIMITS {
            let now = account.standing(&self.place.pool, dimension);
            assert!(
                now.left() >= 0 && now.held >= 0 && now.used >= 0,
                "{dimension}: {now:?}"
            );
        }
    }
}

/// Random interleavings of holds, deliveries, changes, failures and releases by parallel tasks, over
/// every dimension, each on operations of its own, as requests do.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_interleaving_books_above_the_limit_or_leaks_in_any_dimension() {
    for seed in 0..3_u64 {
        for db in engines().await {
            let (app, place) = prepared_with(&db, &LIMITS).await;
            let mut tasks = tokio::task::JoinSet::new();
            for task in 0..8_u64 {
                let mut walker = Walker {
                    cx: app.system(),
                    place: place.clone(),
                    rng: StdRng::seed_from_u64(seed * 100 + task),
                    name: String::new(),
                    held: Amounts::default(),
                    used: Amounts::default(),
                };
                tasks.spawn(async move {
                    for n in 0..18 {
                        walker.name = format!("{seed}:{task}:{n}");
                        walker.order(n % 6).await;
                        walker.assert_within().await;
                    }
                    walker
                });
            }
            let (mut held, mut used) = (Amounts::default(), Amounts::default());
            while let Some(done) = tasks.join_next().await {
                let walker = done.unwrap();
                held.add_all(&walker.held);
                used.add_all(&walker.used);
            }
            for (dimension, limit) in LIMITS {
                let wanted = Standing {
                    limit,
                    held: held.get(dimension),
                    used: used.get(dimension),
                    ..Standing::default()
                };
                let now = standing(&app, &place, dimension).await;
                assert_eq!(now, wanted, "seed {seed}: {dimension}");
                assert_ends_at_its_limit(&app, &place, dimension, now.left()).await;
            }
        }
    }
}

/// What is left of a dimension can be held to the last of it, and one more is refused by this dimension
/// alone. That every dimension ran short *during* a walk would be a matter of luck.
async fn assert_ends_at_its_limit(app: &TestApp, place: &Place, dimension: Dimension, left: i64) {
    let cx = app.system();
    let mut tx = app.db.begin().await.unwrap();
    for (amount, wanted) in [(left + 1, vec![dimension]), (left, vec![])] {
        let mut amounts = Amounts::default();
        amounts.add(dimension, amount);
        let booking = quota::Booking {
            operation: format!("to the last of {dimension}: {amount}"),
            vdc: place.child.clone(),
            request: None,
            demand: [(place.pool.clone(), amounts)].into(),
        };
        let short = quota::hold(&mut tx, &cx, &booking).await.unwrap();
        let refused: Vec<_> = short.iter().map(|one| one.dimension).collect();
        assert_eq!(refused, wanted, "{dimension}: {amount} of {left}");
    }
}
