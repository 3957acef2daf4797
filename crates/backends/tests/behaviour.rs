//! The behaviours of every cloud (`behaviours/`) on the embedded one and the same over HTTP, and what
//! only a cloud can show whose failures and clock are in our hands.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stand outside the test functions"
)]
mod behaviours;

use std::{
    collections::BTreeSet,
    ops::Deref,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use lingbao_backends::provisioning::{
    http::{RemoteSimulator, router},
    simulator::{Fault, Latency, On, PoolConfig, Simulator, SimulatorConfig, What},
    *,
};
use lingbao_model::time::Timestamp;

use behaviours::{Ground, done, ground, reason};

fn config(folder: Option<&Path>) -> SimulatorConfig {
    SimulatorConfig {
        folder: folder.map(Path::to_owned),
        seed: 7,
        pools: vec![PoolConfig {
            name: "p".into(),
            hosts: 2,
            host_vcpus: 8,
            host_memory_gb: 64,
            overcommit_percent: 200,
            disk_gb: 10_000,
            first_address: [203, 0, 113, 10].into(),
            addresses: 2,
        }],
        latency: Latency::default(),
        images: vec!["kylin-v10".into()],
    }
}

/// A cloud under test, and the hands behind it.
struct World {
    ground: Ground,
    behind: Simulator,
    now: Arc<AtomicI64>,
}

impl Deref for World {
    type Target = Ground;
    fn deref(&self) -> &Ground {
        &self.ground
    }
}

async fn world(config: SimulatorConfig, remote: bool) -> World {
    let now = Arc::new(AtomicI64::new(1_000_000));
    let clock = now.clone();
    let behind = Simulator::open("sim", config, move || {
        Timestamp::from_millis(clock.load(Ordering::SeqCst))
    })
    .unwrap();
    let cloud: Box<dyn Provisioner> = if remote {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let token = Some(Secret("t".into()));
        let app = router(behind.clone(), token.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Box::new(RemoteSimulator::new("sim", &url, token, Duration::from_millis(1500)).unwrap())
    } else {
        Box::new(behind.clone())
    };
    let (project, network) = ground(cloud.as_ref(), "", "u1").await;
    let ground = Ground {
        cloud,
        project,
        network,
        pool: "p".into(),
        image: "kylin-v10".into(),
        run: String::new(),
        patience: (Duration::from_millis(1), 1),
    };
    World {
        ground,
        behind,
        now,
    }
}

/// Writes each behaviour as two tests.
macro_rules! behaviours {
    ($($name:ident $(with $config:expr)?;)*) => {
        mod embedded {
            use super::*;
            $(#[tokio::test]
            async fn $name() { super::$name(world(behaviours!(@ $($config)?), false).await).await; })*
        }
        mod remote {
            use super::*;
            $(#[tokio::test]
            async fn $name() { super::$name(world(behaviours!(@ $($config)?), true).await).await; })*
        }
    };
    (@) => { config(None) };
    (@ $config:expr) => { $config };
}

/// The behaviours of every cloud, here as two tests each.
macro_rules! shared {
    ($($name:ident;)*) => {
        mod embedded_shared {
            use super::*;
            $(#[tokio::test]
            async fn $name() { behaviours::$name(&world(config(None), false).await.ground).await; })*
        }
        mod remote_shared {
            use super::*;
            $(#[tokio::test]
            async fn $name() { behaviours::$name(&world(config(None), true).await.ground).await; })*
        }
    };
}

shared_behaviours!(shared);

behaviours! {
    a_lost_answer_is_found_by_its_operation;
    addresses_run_out_and_come_back;
    a_full_pool_refuses_and_makes_nothing;
    a_stopped_server_is_not_busy;
    a_server_is_built_in_time with slow();
    a_late_failure_leaves_a_server_to_delete with slow();
    an_installation_that_fails_half_way_leaves_a_broken_server with slow();
    lists_are_read_page_by_page;
    an_unreachable_cloud_has_done_nothing;
    the_embedded_cloud_can_do_everything;
}

fn slow() -> SimulatorConfig {
    SimulatorConfig {
        latency: Latency {
            build_server_ms: 5_000,
            change_server_ms: 2_000,
            other_ms: 0,
            jitter_percent: 0,
        },
        ..config(None)
    }
}

async fn a_lost_answer_is_found_by_its_operation(w: World) {
    let op = "a".into();
    let never = w.cloud.find_by_operation(&op).await.unwrap();
    assert_eq!(never, OperationState::Never);
    w.behind.inject(Fault {
        on: On::Call(CallKind::CreateServer),
        what: What::LoseAnswer,
        skip: 0,
        times: Some(1),
    });
    let lost = w.cloud.create_server(&op, w.server(2)).await;
    assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    let found = match w.cloud.find_by_operation(&op).await.unwrap() {
        OperationState::Done(Settled::Present(object)) => object.id().clone(),
        other => panic!("{other:?}"),
    };
    let again = done(w.cloud.create_server(&op, w.server(2)).await);
    assert_eq!(again.id, found);
    assert_eq!(w.capacity().await.servers, 1);
}

async fn addresses_run_out_and_come_back(w: World) {
    let first = done(w.cloud.allocate_address(&"a".into(), w.address()).await);
    let second = done(w.cloud.allocate_address(&"b".into(), w.address()).await);
    assert_ne!(first.address, second.address);
    let none = w.cloud.allocate_address(&"c".into(), w.address()).await;
    assert_eq!(reason(none), RefusalReason::NoAddress);
    let server = done(w.cloud.create_server(&"s".into(), w.server(1)).await);
    let to = Some(server.id.clone());
    let led = w
        .cloud
        .associate_address(&"d".into(), first.id.clone(), to)
        .await;
    assert_eq!(done(led).associated_with, Some(server.id));
    done(w.cloud.release_address(&"e".into(), first.id).await);
    // The refusal is not held against the operation.
    let third = done(w.cloud.allocate_address(&"c".into(), w.address()).await);
    assert_eq!(third.address, first.address);
}

async fn a_full_pool_refuses_and_makes_nothing(w: World) {
    // Two hosts of 8 cores at 1 : 2 hold 16 each; 20 fit on none, though 32 are free.
    let big = w.cloud.create_server(&"a".into(), w.server(20)).await;
    assert_eq!(reason(big), RefusalReason::NoCapacity);
    for op in ["b", "c"] {
        done(w.cloud.create_server(&op.into(), w.server(16)).await);
    }
    let more = w.cloud.create_server(&"d".into(), w.server(1)).await;
    assert_eq!(reason(more), RefusalReason::NoCapacity);
    let capacity = w.capacity().await;
    assert_eq!((capacity.vcpus_used, capacity.vcpus_total), (32, 32));
    assert_eq!(capacity.disk_gb_used, 80);
    let none = w.cloud.find_by_operation(&"d".into()).await.unwrap();
    assert_eq!(none, OperationState::Never);
}

async fn a_stopped_server_is_not_busy(w: World) {
    let id = done(w.cloud.create_server(&"a".into(), w.server(1)).await).id;
    let first = w.cloud.usage(&id).await.unwrap();
    assert!(first.is_some());
    assert_eq!(first, w.cloud.usage(&id).await.unwrap());
    done(w.cloud.stop_server(&"b".into(), id.clone()).await);
    assert_eq!(w.cloud.usage(&id).await.unwrap(), None);
}

async fn a_server_is_built_in_time(w: World) {
    let op = "a".into();
    let (token, wait) = match w.cloud.create_server(&op, w.server(1)).await {
        Outcome::Running {
            poll,
            retry_after_ms,
        } => (poll, retry_after_ms),
        other => panic!("{other:?}"),
    };
    assert_eq!(wait, 5_000);
    w.now.fetch_add(4_999, Ordering::SeqCst);
    let early = w.cloud.poll(&token).await;
    assert!(matches!(early, Outcome::Running { .. }), "{early:?}");
    let id = match &w.cloud.list(None, None).await.unwrap().objects[..] {
        [.., Object::Server(server)] => {
            assert_eq!(server.power, Power::Building);
            server.id.clone()
        }
        other => panic!("{other:?}"),
    };
    let busy = w.cloud.stop_server(&"b".into(), id).await;
    assert_eq!(reason(busy), RefusalReason::Conflict);
    w.now.fetch_add(1, Ordering::SeqCst);
    match done(w.cloud.poll(&token).await) {
        Settled::Present(object) => {
            assert_eq!(object.into_server().unwrap().power, Power::Active);
        }
        Settled::Gone => panic!(),
    }
}

async fn a_late_failure_leaves_a_server_to_delete(w: World) {
    w.behind.inject(Fault {
        on: On::Call(CallKind::CreateServer),
        what: What::FailLate(RefusalReason::NoCapacity),
        skip: 1,
        times: Some(1),
    });
    let (good, bad) = ("a".into(), "b".into());
    for op in [&good, &bad] {
        let begun = w.cloud.create_server(op, w.server(1)).await;
        assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
    }
    w.now.fetch_add(5_000, Ordering::SeqCst);
    done(w.cloud.create_server(&good, w.server(1)).await);
    let late = w.cloud.create_server(&bad, w.server(1)).await;
    assert_eq!(reason(late), RefusalReason::NoCapacity);
    let left = match w.cloud.find_by_operation(&bad).await.unwrap() {
        OperationState::Failed { left, .. } => left.unwrap(),
        other => panic!("{other:?}"),
    };
    done(w.cloud.delete_server(&"c".into(), left).await);
    assert_eq!(w.capacity().await.servers, 1);
}

async fn an_installation_that_fails_half_way_leaves_a_broken_server(w: World) {
    let made = "s".into();
    let begun = w.cloud.create_server(&made, w.server(1)).await;
    assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
    w.now.fetch_add(5_000, Ordering::SeqCst);
    let id = done(w.cloud.create_server(&made, w.server(1)).await).id;
    w.behind.inject(Fault {
        on: On::Call(CallKind::ReinstallServer),
        what: What::FailLate(RefusalReason::Broken),
        skip: 0,
        times: Some(1),
    });
    let install = |op: &'static str| {
        let (op, image) = (op.into(), w.image.clone());
        let (id, access) = (id.clone(), Access::OneTimePassword);
        let cloud = &w.cloud;
        async move { cloud.reinstall_server(&op, id, image, access).await }
    };
    let begun = install("a").await;
    assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
    let busy = w.cloud.stop_server(&"b".into(), id.clone()).await;
    assert_eq!(reason(busy), RefusalReason::Conflict);
    w.now.fetch_add(5_000, Ordering::SeqCst);
    assert_eq!(reason(install("a").await), RefusalReason::Broken);
    match w.cloud.get(Kind::Server, &id).await.unwrap() {
        Some(Object::Server(server)) => assert_eq!(server.power, Power::Error),
        other => panic!("{other:?}"),
    }
    let again = install("c").await;
    assert!(matches!(again, Outcome::Running { .. }), "{again:?}");
    w.now.fetch_add(5_000, Ordering::SeqCst);
    assert_eq!(done(install("c").await).power, Power::Active);
    assert_eq!(reason(install("a").await), RefusalReason::Broken);
}

async fn lists_are_read_page_by_page(w: World) {
    for number in 0..1_010 {
        let spec = ProjectSpec {
            key: format!("k{number}"),
            name: String::new(),
        };
        let op = format!("o{number}").into();
        done(
            w.behind
                .seed(vec![(op, Call::EnsureProject { spec })])
                .remove(0),
        );
    }
    let (mut seen, mut pages, mut cursor) = (BTreeSet::new(), 0, None::<String>);
    loop {
        let page = w.cloud.list(None, cursor.as_deref()).await.unwrap();
        pages += 1;
        for object in &page.objects {
            assert!(seen.insert(object.id().clone()), "twice");
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    // With the first project and its network.
    assert_eq!((pages, seen.len()), (3, 1_012));
    let own = w.cloud.list(Some(&w.project), None).await.unwrap();
    assert_eq!((own.objects.len(), own.next), (2, None));
}

async fn an_unreachable_cloud_has_done_nothing(w: World) {
    w.behind.inject(Fault {
        on: On::AnyCall,
        what: What::Unreachable,
        skip: 0,
        times: None,
    });
    w.behind.inject(Fault {
        on: On::Reading,
        what: What::Unreachable,
        skip: 0,
        times: Some(1),
    });
    let health = w.cloud.health().await;
    assert!(matches!(health, Err(ReadError::Unreachable(_))));
    let made = w.cloud.create_server(&"a".into(), w.server(1)).await;
    assert!(matches!(made, Outcome::Unreachable(_)), "{made:?}");
    w.behind.clear_faults();
    assert_eq!(w.capacity().await.servers, 0);
    done(w.cloud.create_server(&"a".into(), w.server(1)).await);
}

async fn the_embedded_cloud_can_do_everything(w: World) {
    let can = w.cloud.capabilities().await.unwrap();
    assert_eq!(can.calls.len(), CallKind::ALL.len());
    let makes = &can.makes[&w.pool];
    assert!(makes.has_image("kylin-v10") && !makes.has_image("windows"));
}

#[tokio::test]
async fn a_closed_port_is_unreachable_and_a_late_answer_unknown() {
    let w = world(config(None), true).await;
    w.behind.inject(Fault {
        on: On::AnyCall,
        what: What::Slow { ms: 2_500 },
        skip: 0,
        times: Some(1),
    });
    let op = "a".into();
    let late = w.cloud.create_server(&op, w.server(1)).await;
    assert!(matches!(late, Outcome::Unknown(_)), "{late:?}");
    // Whether the late call came through or not: repeated, it is one server.
    done(w.cloud.create_server(&op, w.server(1)).await);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(w.capacity().await.servers, 1);

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let gone = RemoteSimulator::new("x", &url, None, Duration::from_secs(1)).unwrap();
    let made = gone.create_server(&op, w.server(1)).await;
    assert!(matches!(made, Outcome::Unreachable(_)), "{made:?}");
}

#[tokio::test]
async fn without_the_token_nothing_is_done() {
    let behind = Simulator::open("s", config(None), Timestamp::default).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = router(behind, Some(Secret("right".into())));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let wrong = Some(Secret("wrong".into()));
    let cloud = RemoteSimulator::new("s", &url, wrong, Duration::from_secs(1)).unwrap();
    let spec = ProjectSpec {
        key: "u".into(),
        name: String::new(),
    };
    let made = cloud.ensure_project(&"a".into(), spec).await;
    assert_eq!(reason(made), RefusalReason::Denied);
}
