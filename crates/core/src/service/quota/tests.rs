//! Limits as people set them, hand them on and take them back.

use lingbao_model::{
    id::{UserId, ZoneId},
    people::{Reach, Role, UnitKind, UnitLevel},
    quota::{Amounts, Standing},
};

use super::*;
use crate::{
    service::{grant, unit, user},
    storage::sql::Sql,
    testing::{TestApp, engines},
};

struct World {
    city: UnitId,
    east: UnitId,
    leader: UserId,
    /// Of the eastern county.
    head: UserId,
    /// Of the whole site; works in the west.
    reviewer: UserId,
    stranger: UserId,
    pool: PoolId,
}

/// A city with 10 cores and two counties below it.
async fn world(app: &TestApp) -> World {
    let system = app.app.system();
    let make = async |parent: Option<&UnitId>, name: &str, level| {
        let new = unit::NewUnit {
            parent: parent.cloned(),
            name: name.into(),
            short_name: String::new(),
            level,
            kind: UnitKind::Area,
        };
        unit::create(&system, new).await.unwrap()
    };
    let city = make(None, "甬城市", UnitLevel::City).await;
    let east = make(Some(&city), "东县", UnitLevel::County).await;
    let west = make(Some(&city), "西县", UnitLevel::County).await;
    let person = async |login: &str, unit: &UnitId, role, reach| {
        let new = user::NewUser {
            login: login.into(),
            name: format!("{login}某"),
            password: "Lingbao-2026".into(),
            ..user::NewUser::default()
        };
        let id = user::create(&system, unit, &new).await.unwrap();
        grant::give(&system, &id, role, unit, reach).await.unwrap();
        id
    };
    let leader = person("leader", &city, Role::DeptLeader, Reach::Own).await;
    let head = person("head", &east, Role::DeptLeader, Reach::Own).await;
    let reviewer = person("reviewer", &west, Role::Reviewer, Reach::Site).await;
    let stranger = person("stranger", &west, Role::Applicant, Reach::Own).await;
    let mut tx = app.db.begin().await.unwrap();
    Sql::new("UPDATE credential SET must_change = FALSE")
        .run(&mut tx)
        .await
        .unwrap();
    let (zone, pool) = (system.id::<ZoneId>(), system.id::<PoolId>());
    Sql::new("INSERT INTO zone (id, name_zh, name_en, hint_zh, hint_en, internet, sort) VALUES (")
        .bind(zone.as_str())
        .push(", 'z', 'z', '', '', FALSE, 1)")
        .run(&mut tx)
        .await
        .unwrap();
    Sql::new("INSERT INTO pool (id, name_zh, name_en, backend, backend_pool, zone_id, lowest, highest, purpose, xinchuang, overcommit_percent, sort) VALUES (")
        .bind(pool.as_str()).push(", 'p', 'p', 'simulator', 'p', ").bind(zone.as_str())
        .push(", 2, 3, 'sector', FALSE, 100, 1)").run(&mut tx).await.unwrap();
    let (own, _) = vdc::of_unit(&mut tx, &city).await.unwrap().remove(0);
    quota::set_limit(&mut tx, &system, "limit", &own, &pool, Dimension::Vcpu, 10)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    World {
        city,
        east,
        leader,
        head,
        reviewer,
        stranger,
        pool,
    }
}

impl World {
    fn hand(&self, amount: i64, form_id: &str) -> Hand {
        Hand {
            child: self.east.clone(),
            pool: self.pool.clone(),
            dimension: Dimension::Vcpu,
            amount,
            form_id: form_id.into(),
        }
    }

    fn limit(&self, limit: i64, was: Option<i64>) -> Limit {
        Limit {
            field: "limit".into(),
            pool: self.pool.clone(),
            dimension: Dimension::Vcpu,
            limit,
            was,
        }
    }

    /// The county holds so many cores for a request.
    async fn hold(&self, app: &TestApp, operation: &str, vcpus: i64) -> bool {
        let cx = app.app.system();
        let mut amounts = Amounts::default();
        amounts.add(Dimension::Vcpu, vcpus);
        let mut tx = app.db.begin().await.unwrap();
        let booking = quota::Booking {
            operation: operation.into(),
            vdc: vdc::of_unit(&mut tx, &self.east).await.unwrap().remove(0).0,
            request: None,
            demand: [(self.pool.clone(), amounts)].into(),
        };
        let short = quota::hold(&mut tx, &cx, &booking).await.unwrap();
        if short.is_empty() {
            tx.commit().await.unwrap();
        }
        short.is_empty()
    }

    /// Where city and county stand.
    async fn standings(&self, app: &TestApp) -> (Standing, Standing) {
        let shown = view(&app.cx(&self.leader), None).await.unwrap();
        assert_eq!((&shown.unit, shown.may_hand), (&self.city, true));
        let county = shown.children.iter().find(|c| c.unit == self.east).unwrap();
        let mut rx = app.db.read().await.unwrap();
        assert_eq!(quota::recount(&mut rx).await.unwrap(), []);
        (
            shown.rows[0].standing,
            county.rows.first().map(|r| r.standing).unwrap_or_default(),
        )
    }
}

fn at(error: Result<impl std::fmt::Debug, ServiceError>) -> String {
    match error {
        Err(ServiceError::Invalid(fields)) => fields
            .iter()
            .map(|one| format!("{}:{}", one.field, one.msg.key))
            .collect::<Vec<_>>()
            .join(" "),
        Err(ServiceError::Conflict(msg)) => msg.key.to_string(),
        other => format!("{other:?}"),
    }
}

/// What somebody was told last.
async fn told(app: &TestApp, user: &UserId) -> Option<String> {
    let page = notice::list(&app.cx(user), true, None, 1).await.unwrap();
    page.rows
        .into_iter()
        .next()
        .map(|one| one.msg.key.to_string())
}

async fn events(app: &TestApp) -> i64 {
    Sql::new("SELECT count(*) FROM audit_event WHERE action LIKE 'quota.%' AND outcome = 'done'")
        .number(&mut app.db.read().await.unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_clerk_of_another_unit_finds_nothing() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let w = world(&app).await;
        let cx = app.cx(&w.stranger);
        for unit in [&w.east, &w.city, &cx.id()] {
            let shown = view(&cx, Some(unit.clone())).await;
            assert!(matches!(shown, Err(ServiceError::NotFound)), "{shown:?}");
        }
        let own = view(&cx, None).await.unwrap();
        assert!(!own.may_hand && own.children.is_empty());
        let handed = hand(&cx, &w.hand(1, "f")).await;
        assert!(matches!(handed, Err(ServiceError::NotFound)), "{handed:?}");
        assert_eq!(events(&app).await, 0);
    }
}

#[tokio::test]
async fn more_than_is_left_changes_nothing_and_a_form_books_once() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let w = world(&app).await;
        let cx = app.cx(&w.leader);
        let before = w.standings(&app).await;
        for amount in [11, 0, -1, i64::MAX] {
            let refused = hand(&cx, &w.hand(amount, "f")).await;
            assert!(
                matches!(&refused, Err(ServiceError::Invalid(f)) if f[0].field == "amount"),
                "{refused:?}"
            );
        }
        assert_eq!((w.standings(&app).await, events(&app).await), (before, 0));
        // The same form, mended; then clicked twice.
        hand(&cx, &w.hand(4, "f")).await.unwrap();
        hand(&cx, &w.hand(4, "f")).await.unwrap();
        let (city, county) = w.standings(&app).await;
        assert_eq!((city.handed, city.left(), county.limit), (4, 6, 4));
        assert_eq!(events(&app).await, 1);
        let entries = view(&cx, None).await.unwrap().entries;
        assert_eq!(entries.iter().map(|e| e.handed).sum::<i64>(), 4);
        // Gone back to, and sent with another amount: that is another act.
        hand(&cx, &w.hand(2, "f")).await.unwrap();
        let (city, county) = w.standings(&app).await;
        assert_eq!((city.handed, city.left(), county.limit), (6, 4, 6));
    }
}

#[tokio::test]
async fn what_is_taken_back_leaves_use_alone_and_only_stops_what_is_new() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let w = world(&app).await;
        app.clock.advance_ms(1);
        let cx = app.cx(&w.leader);
        hand(&cx, &w.hand(8, "f")).await.unwrap();
        assert_eq!(
            told(&app, &w.head).await.as_deref(),
            Some("quota.notice.handed")
        );
        assert!(w.hold(&app, "hold:a", 6).await);
        app.clock.advance_ms(1);
        let cx = app.cx(&w.leader);
        let after = hand(&cx, &w.hand(-5, "g")).await.unwrap();
        assert_eq!((after.limit, after.held, after.left()), (3, 6, -3));
        // Clicked twice.
        assert_eq!(hand(&cx, &w.hand(-5, "g")).await.unwrap(), after);
        let (city, county) = w.standings(&app).await;
        assert_eq!((city.handed, city.left(), county), (3, 7, after));
        assert_eq!(
            told(&app, &w.head).await.as_deref(),
            Some("quota.notice.taken_below")
        );
        assert!(!w.hold(&app, "hold:b", 1).await, "nothing new fits");
        let more = hand(&cx, &w.hand(-4, "h")).await;
        assert_eq!(at(more), "amount:quota.not_takeable");
        assert_eq!(w.standings(&app).await, (city, county));
        assert_eq!(events(&app).await, 2);
    }
}

#[tokio::test]
async fn what_a_unit_has_handed_on_can_not_be_taken_from_it() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let w = world(&app).await;
        let new = unit::NewUnit {
            parent: Some(w.east.clone()),
            name: "东镇".into(),
            short_name: String::new(),
            level: UnitLevel::Township,
            kind: UnitKind::Area,
        };
        let town = unit::create(&app.app.system(), new).await.unwrap();
        hand(&app.cx(&w.leader), &w.hand(8, "f")).await.unwrap();
        let on = Hand {
            child: town,
            ..w.hand(5, "g")
        };
        hand(&app.cx(&w.head), &on).await.unwrap();
        let cx = app.cx(&w.leader);
        assert_eq!(
            at(hand(&cx, &w.hand(-4, "h")).await),
            "amount:quota.not_takeable"
        );
        let after = hand(&cx, &w.hand(-3, "h")).await.unwrap();
        assert_eq!((after.limit, after.handed, after.left()), (5, 5, 0));
        // The county's head takes nothing from the city.
        let up = Hand {
            child: w.city.clone(),
            ..w.hand(-1, "i")
        };
        let refused = hand(&app.cx(&w.head), &up).await;
        assert!(
            matches!(refused, Err(ServiceError::NotFound)),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn the_site_s_limits_are_set_by_its_reviewer_alone_and_all_or_none() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let w = world(&app).await;
        app.clock.advance_ms(1);
        let reviewer = app.cx(&w.reviewer);
        let shown = view(&reviewer, None).await.unwrap();
        assert_eq!(shown.site.as_ref(), Some(&w.city));
        assert_eq!(shown.pools.len(), 1);
        assert_eq!(view(&app.cx(&w.leader), None).await.unwrap().site, None);

        let forty = [w.limit(40, Some(10))];
        let refused = set_site(&app.cx(&w.leader), &w.city, &forty, "f").await;
        assert!(
            matches!(refused, Err(ServiceError::Forbidden)),
            "{refused:?}"
        );
        for unit in [&w.city, &app.cx(&w.stranger).id()] {
            let refused = set_site(&app.cx(&w.stranger), unit, &forty, "f").await;
            assert!(
                matches!(refused, Err(ServiceError::NotFound)),
                "{refused:?}"
            );
        }
        let below = set_site(&reviewer, &w.east, &[w.limit(40, None)], "f").await;
        assert_eq!(at(below), "quota.from_above");
        let nowhere = Limit {
            pool: app.cx(&w.reviewer).id(),
            ..w.limit(1, None)
        };
        let refused = set_site(&reviewer, &w.city, &[nowhere], "f").await;
        assert!(
            matches!(refused, Err(ServiceError::NotFound)),
            "{refused:?}"
        );
        assert_eq!(events(&app).await, 0);

        // Twice, as by a double click; then an old page.
        set_site(&reviewer, &w.city, &forty, "f").await.unwrap();
        set_site(&reviewer, &w.city, &forty, "f").await.unwrap();
        assert_eq!(
            at(set_site(&reviewer, &w.city, &forty, "g").await),
            "error.stale"
        );
        assert_eq!(w.standings(&app).await.0.limit, 40);
        assert_eq!(
            told(&app, &w.leader).await.as_deref(),
            Some("quota.notice.limits")
        );
        let own = told(&app, &w.reviewer).await;
        assert_ne!(
            own.as_deref(),
            Some("quota.notice.limits"),
            "who did it knows"
        );
        // What is as it was is no act.
        let same = [w.limit(40, None)];
        set_site(&reviewer, &w.city, &same, "h").await.unwrap();
        assert_eq!(events(&app).await, 1);

        let memory = Limit {
            field: "memory".into(),
            dimension: Dimension::MemoryGb,
            ..w.limit(-1, None)
        };
        let half = set_site(&reviewer, &w.city, &[w.limit(50, None), memory], "i").await;
        assert_eq!(at(half), "memory:quota.limit_range");
        assert_eq!(w.standings(&app).await.0.limit, 40);
    }
}

#[tokio::test]
async fn a_limit_of_the_site_falls_below_use_but_not_below_what_was_handed_on() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let w = world(&app).await;
        let reviewer = app.cx(&w.reviewer);
        hand(&app.cx(&w.leader), &w.hand(4, "f")).await.unwrap();
        let refused = set_site(&reviewer, &w.city, &[w.limit(3, None)], "f").await;
        assert_eq!(at(refused), "limit:quota.below_handed");
        let cx = app.app.system();
        let mut amounts = Amounts::default();
        amounts.add(Dimension::Vcpu, 6);
        let mut tx = app.db.begin().await.unwrap();
        let booking = quota::Booking {
            operation: "hold:city".into(),
            vdc: vdc::of_unit(&mut tx, &w.city).await.unwrap().remove(0).0,
            request: None,
            demand: [(w.pool.clone(), amounts)].into(),
        };
        assert_eq!(quota::hold(&mut tx, &cx, &booking).await.unwrap(), []);
        tx.commit().await.unwrap();
        app.clock.advance_ms(1);
        let reviewer = app.cx(&w.reviewer);
        let five = [w.limit(5, Some(10))];
        set_site(&reviewer, &w.city, &five, "g").await.unwrap();
        let (city, _) = w.standings(&app).await;
        assert_eq!((city.limit, city.held, city.left()), (5, 6, -5));
        assert_eq!(
            told(&app, &w.leader).await.as_deref(),
            Some("quota.notice.limits_below")
        );
    }
}

#[tokio::test]
async fn pools_of_which_the_site_has_nothing_are_named() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let w = world(&app).await;
        let named = async || {
            let mut rx = app.db.read().await.unwrap();
            quota::pools_without_limit(&mut rx).await.unwrap()
        };
        assert_eq!(named().await, Vec::<String>::new());
        let none = [w.limit(0, None)];
        set_site(&app.cx(&w.reviewer), &w.city, &none, "f")
            .await
            .unwrap();
        assert_eq!(named().await, ["p"]);
    }
}
