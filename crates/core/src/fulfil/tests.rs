//! Rules of the fulfilment that need the database: how a request ends, on both engines.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lingbao_backends::{
    Backends,
    provisioning::{
        Call, CallKind, Object, Outcome, Provisioner as _,
        simulator::{Fault, Latency, On, Simulator, What},
    },
};
use lingbao_model::{
    id::{RequestId, SagaId},
    people::{Reach, Role},
    request::{Decision, Status},
    view::{
        operation::{JobFilter, JobState, SagaFilter},
        page::Total,
        request::LineForm,
    },
};

use super::{
    build::{Build, Params},
    plan, upkeep,
};
use crate::{
    app::App,
    clock::Clock as _,
    jobs::{Registry, run_until_idle},
    saga::{End, Ended, Saga as _},
    seed,
    service::{
        approval, cart, job,
        request::fixture::{City, add, give},
        resource,
    },
    storage::{self, fulfilment, operation, sql::Sql},
};

/// An approved request of two works for people, which hold no quota: nothing but the request itself
/// keeps their ends apart.
async fn two_works(city: &City) -> RequestId {
    let typed = [("person_days", "1"), ("scope", "迁移两个系统的数据")];
    let work = LineForm {
        item: "M-MIG".into(),
        name: "mig".into(),
        typed: typed.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        ..LineForm::default()
    };
    let view = city
        .cart_with(&city.clerk, &city.system, &work, false)
        .await;
    let cx = city.cx(&city.clerk);
    let other = LineForm {
        name: "mig-2".into(),
        ..work
    };
    cart::put_line(&cx, &view.id, view.version, None, &other)
        .await
        .unwrap();
    let view = cart::open(&cx, &view.id).await.unwrap();
    let request = city.submit(&view).await.unwrap().request;
    approve(city).await;
    assert_eq!(status(&city.app, &request).await, Status::Approved);
    let mut tx = city.app.db.begin().await.unwrap();
    plan::go_on(&mut tx, &city.app.system(), &request)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    request
}

/// Everybody who is asked agrees.
async fn approve(city: &City) {
    for signer in [&city.leader, &city.office, &city.security, &city.finance] {
        let cx = city.cx(signer);
        if approval::next_todo(&cx, None).await.unwrap().is_some() {
            city.decide(signer, Decision::Approve).await;
        }
    }
}

async fn status(app: &App, request: &RequestId) -> Status {
    let mut rx = app.db.read().await.unwrap();
    let head = fulfilment::head(&mut rx, request).await.unwrap();
    head.unwrap().status
}

async fn sagas(app: &App) -> Vec<(SagaId, Params)> {
    let rows: Vec<(String, String)> =
        Sql::new("SELECT id, params FROM saga WHERE kind = 'build' ORDER BY id")
            .all(&mut app.db.read().await.unwrap())
            .await
            .unwrap();
    rows.into_iter()
        .map(|(id, params)| (id.parse().unwrap(), serde_json::from_str(&params).unwrap()))
        .collect()
}

/// Ends a saga as its driver would, and commits a moment later.
async fn end(app: Arc<App>, (saga, params): (SagaId, Params)) {
    let ended = Ended {
        saga: &saga,
        subject: params.request.as_str(),
        params: &params,
        end: &End::Undone,
        reason: None,
        outputs: &BTreeMap::new(),
    };
    let mut tx = app.db.begin().await.unwrap();
    Build::new(Arc::new(Backends::default()))
        .ended(&mut tx, &app.system(), &ended)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_last_two_pieces_end_in_one_moment_ends() {
    for city in City::all().await {
        let request = two_works(&city).await;
        let mut both = sagas(&city.app).await;
        assert_eq!(both.len(), 2);
        let (one, two) = (both.remove(0), both.remove(0));
        let app = &city.app.app;
        let one = tokio::spawn(end(app.clone(), one));
        let two = tokio::spawn(end(app.clone(), two));
        one.await.unwrap();
        two.await.unwrap();
        assert_eq!(status(&city.app, &request).await, Status::Closed);
    }
}

#[tokio::test]
async fn the_sagas_of_one_request_are_called_after_what_they_build() {
    for city in City::all().await {
        two_works(&city).await;
        let mut rx = city.app.db.read().await.unwrap();
        let page = operation::sagas(&mut rx, &SagaFilter::default()).await;
        let rows = page.unwrap().rows;
        let mut names: Vec<_> = rows.iter().map(|r| r.subject.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["mig", "mig-2"]);
        for row in &rows {
            let [thing] = row.things.as_slice() else {
                panic!("{row:?}");
            };
            assert_eq!((&thing.name, row.thing_count), (&row.subject, 1));
            // Before it is delivered there is no page to lead to.
            assert!(thing.resource.is_none() && !thing.item.zh.is_empty());
        }
        drop(rx);
        let person = add(&city.app, "operator", &city.bureau).await;
        let (role, reach) = (Role::Operator, Reach::Site);
        give(&city.app, &person, role, &city.bureau, reach).await;
        let filter = JobFilter {
            state: Some(JobState::Ready),
            ..JobFilter::default()
        };
        let jobs = job::list(&city.cx(&person), &filter).await.unwrap().rows;
        let driving: Vec<_> = jobs.iter().filter(|job| job.saga.is_some()).collect();
        assert_eq!(driving.len(), 2);
        for job in driving {
            assert!(job.request_number.is_some() && job.unit_name.is_some());
        }
        // Of one request in whatever state; of a kind; of a request that there is not.
        let number = rows[0].request_number.clone();
        for (request, kind, found) in [
            (number.clone(), Some("saga.advance"), 2),
            (number, Some("cleanup"), 0),
            (Some("TT-19990101-0001".to_owned()), None, 0),
        ] {
            let filter = JobFilter {
                request,
                kind: kind.map(str::to_owned),
                ..JobFilter::default()
            };
            let page = job::list(&city.cx(&person), &filter).await.unwrap();
            assert_eq!(page.rows.len(), found, "{filter:?}");
            assert_eq!(page.total, Total::Exact(page.rows.len() as i64));
        }
    }
}

#[tokio::test]
async fn an_operator_finds_the_sagas_of_a_request_by_its_number_and_of_a_kind() {
    for city in City::all().await {
        let request = two_works(&city).await;
        let mut rx = city.app.db.read().await.unwrap();
        let all = operation::sagas(&mut rx, &SagaFilter::default()).await;
        let number = all.unwrap().rows[0].request_number.clone();
        let of = |request: Option<&str>, kind: Option<&str>| SagaFilter {
            request: request.map(str::to_owned),
            kind: kind.map(str::to_owned),
            ..SagaFilter::default()
        };
        for (filter, found) in [
            (of(number.as_deref(), None), 2),
            (of(number.as_deref(), Some("build")), 2),
            (of(number.as_deref(), Some("release")), 0),
            (of(Some("TT-19990101-0001"), None), 0),
            (of(None, Some("power")), 0),
        ] {
            let page = operation::sagas(&mut rx, &filter).await.unwrap();
            assert_eq!(page.rows.len(), found, "{filter:?}");
        }
        drop(rx);
        // What is over is found by its request too.
        let mut tx = city.app.db.begin().await.unwrap();
        Sql::new("UPDATE saga SET state = 'done'")
            .run(&mut tx)
            .await
            .unwrap();
        let over = operation::sagas(&mut tx, &of(number.as_deref(), None)).await;
        let over = over.unwrap().rows;
        assert_eq!(over.len(), 2);
        assert!(
            over.iter()
                .all(|one| one.request.as_ref() == Some(&request))
        );
    }
}

#[tokio::test]
async fn a_request_that_was_left_with_nothing_to_do_is_found_and_ended() {
    for city in City::all().await {
        let request = two_works(&city).await;
        // What a fault of the program left behind: the pieces are over, the request is not.
        let mut tx = city.app.db.begin().await.unwrap();
        Sql::new("UPDATE fulfilment SET status = 'failed', settled_at = 1 WHERE request_id = ")
            .bind(request.as_str())
            .run(&mut tx)
            .await
            .unwrap();
        Sql::new("DELETE FROM job").run(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(status(&city.app, &request).await, Status::Approved);
        let backends = Arc::new(Backends::default());
        let jobs =
            upkeep::wire(Registry::new(), &backends).handle::<plan::FulfilRequest>(plan::Planner);
        run_until_idle(&city.app.app, &Arc::new(jobs))
            .await
            .unwrap();
        assert_eq!(status(&city.app, &request).await, Status::Closed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_password_stands_nowhere_in_the_clear() {
    for city in City::all().await {
        let told = city.app.clock.clone();
        let cloud = Simulator::open(
            "simulator",
            seed::cloud(None, 7, Latency::default()),
            move || told.now(),
        )
        .unwrap();
        let jobs = super::wire(Registry::new(), &Arc::new(Backends::default().with(cloud)));
        let request = city.waiting().await;
        approve(&city).await;
        run_until_idle(&city.app.app, &Arc::new(jobs))
            .await
            .unwrap();
        assert_eq!(status(&city.app, &request).await, Status::Delivered);
        let mut rx = city.app.db.read().await.unwrap();
        let hosts: Vec<(String,)> = Sql::new("SELECT id FROM resource WHERE request_id = ")
            .bind(request.as_str())
            .all(&mut rx)
            .await
            .unwrap();
        let kept: Vec<(String,)> = Sql::new(
            "SELECT output FROM saga_step WHERE output IS NOT NULL
             UNION ALL SELECT wrapped FROM delivery_secret",
        )
        .all(&mut rx)
        .await
        .unwrap();
        drop(rx);
        assert!(
            kept.iter()
                .any(|(text,)| text.contains("one_time_password"))
        );
        for (host,) in hosts {
            let id = host.parse().unwrap();
            let shown = resource::show_secret(&city.cx(&city.clerk), &id)
                .await
                .unwrap();
            assert!(shown.len() >= 8);
            assert!(kept.iter().all(|(text,)| !text.contains(&shown)));
        }
    }
}

#[tokio::test]
async fn a_pool_that_its_cloud_refuses_is_told_and_the_cloud_answers_all_the_same() {
    for city in City::all().await {
        let told = city.app.clock.clone();
        let setting = seed::cloud(None, 7, Latency::default());
        let cloud = Simulator::open("simulator", setting, move || told.now()).unwrap();
        let backends = Arc::new(Backends::default().with(cloud.clone()));
        let jobs =
            upkeep::wire(Registry::new(), &backends).handle::<plan::FulfilRequest>(plan::Planner);
        let jobs = Arc::new(jobs);
        let look = async || {
            city.app.clock.advance_ms(60_000);
            run_until_idle(&city.app.app, &jobs).await.unwrap();
            let mut rx = city.app.db.read().await.unwrap();
            let lines = storage::cloud::health(&mut rx).await.unwrap();
            lines
                .into_iter()
                .find(|line| line.name == "simulator")
                .unwrap()
        };
        let rename = async |from: &str, to: &str| {
            let mut tx = city.app.db.begin().await.unwrap();
            let sql = Sql::new("UPDATE pool SET backend_pool = ").bind(to);
            let sql = sql.push(" WHERE backend = 'simulator' AND backend_pool = ");
            sql.bind(from).run(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
        };
        let made_from_an_image = async || {
            let mut rx = city.app.db.read().await.unwrap();
            let makes = storage::place::makes(&mut rx).await.unwrap();
            let made = makes.iter().filter(|(_, it)| it.has_image("kylin-v10"));
            made.count()
        };
        assert_eq!(made_from_an_image().await, 0);
        let line = look().await;
        assert!(line.error.is_none() && line.refused.is_empty(), "{line:?}");
        let pools = made_from_an_image().await;
        assert!(pools > 1);
        let mut rx = city.app.db.read().await.unwrap();
        let there = storage::place::sites(&mut rx).await.unwrap();
        drop(rx);
        let there = there.into_iter().find(|it| it.1 == "simulator").unwrap().2;
        rename(&there, "not-there-yet").await;
        let line = look().await;
        assert_eq!((line.error, line.refused.len()), (None, 1));
        assert_eq!(line.answered_at, Some(line.asked_at));
        // Of a pool that is not there nothing is known any more.
        assert_eq!(made_from_an_image().await, pools - 1);
        rename("not-there-yet", &there).await;
        assert_eq!(look().await.refused, []);
        // One question is enough to know that it is silent.
        cloud.inject(Fault {
            on: On::Reading,
            what: What::Unreachable,
            skip: 0,
            times: Some(1),
        });
        assert!(look().await.error.is_some());
        // While it is silent, what it said last holds.
        assert_eq!(made_from_an_image().await, pools);
        let now = city.app.clock.now();
        let read = Sql::new("SELECT count(*) FROM pool_capacity WHERE read_at = ");
        assert_eq!(city.count(read.bind(now.millis())).await, 0);
        assert_eq!(look().await.error, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_in_the_cloud_while_it_is_built_is_not_delivered() {
    for city in City::all().await {
        let told = city.app.clock.clone();
        let cloud = Simulator::open(
            "simulator",
            seed::cloud(None, 7, Latency::default()),
            move || told.now(),
        )
        .unwrap();
        let backends = Backends::default().with(cloud.clone());
        let jobs = Arc::new(super::wire(Registry::new(), &Arc::new(backends)));
        let request = city.waiting().await;
        cloud.inject(Fault {
            on: On::Call(CallKind::CreateServer),
            what: What::LoseAnswer,
            skip: 0,
            times: None,
        });
        approve(&city).await;
        run_until_idle(&city.app.app, &jobs).await.unwrap();
        let listed = cloud.list(None, None).await.unwrap().objects;
        let made: Vec<_> = listed.into_iter().filter_map(Object::into_server).collect();
        assert!(!made.is_empty());
        for server in made {
            let delete = Call::DeleteServer { server: server.id };
            let op = format!("by hand {}", server.operation).as_str().into();
            let mut done = false;
            for _ in 0..100 {
                done |= matches!(cloud.execute(&op, delete.clone()).await, Outcome::Done(_));
                city.app.clock.advance_ms(1_000);
            }
            assert!(done);
        }
        cloud.clear_faults();
        for _ in 0..20 {
            city.app.clock.advance_ms(60_000);
            run_until_idle(&city.app.app, &jobs).await.unwrap();
        }
        assert_eq!(status(&city.app, &request).await, Status::Closed);
        let mut rx = city.app.db.read().await.unwrap();
        let count = |sql: &'static str| Sql::new(sql).bind(request.as_str());
        let rows: Vec<(String,)> = count("SELECT id FROM resource WHERE request_id = ")
            .all(&mut rx)
            .await
            .unwrap();
        assert_eq!(rows, [], "nothing is delivered, and nothing is charged");
        let why: Vec<(String,)> =
            count("SELECT DISTINCT reason FROM fulfilment WHERE request_id = ")
                .all(&mut rx)
                .await
                .unwrap();
        assert!(
            why.iter().all(|(said,)| said.contains("made_and_gone")),
            "{why:?}"
        );
        drop(rx);
        let listed = cloud.list(None, None).await.unwrap().objects;
        assert_eq!(
            listed.into_iter().filter_map(Object::into_server).count(),
            0
        );
    }
}
