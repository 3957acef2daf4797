//! The simulator's state file: what was answered is there after any end of the process, and no
//! interleaving hands out more than there is.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stand outside the test functions"
)]
use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lingbao_backends::provisioning::{
    simulator::{Latency, PoolConfig, Simulator, SimulatorConfig},
    *,
};
use lingbao_model::time::Timestamp;
use proptest::prelude::*;

const FOLDER: &str = "LINGBAO_TEST_STATE_FOLDER";

fn open(folder: Option<&Path>, hosts: u32) -> std::io::Result<Simulator> {
    let config = SimulatorConfig {
        folder: folder.map(Path::to_owned),
        seed: 1,
        pools: vec![PoolConfig {
            name: "p".into(),
            hosts,
            host_vcpus: 8,
            host_memory_gb: 32,
            overcommit_percent: 150,
            disk_gb: 10_000_000,
            first_address: [203, 0, 113, 0].into(),
            addresses: 5,
        }],
        latency: Latency::default(),
        images: vec!["i".into()],
    };
    Simulator::open("s", config, Timestamp::default)
}

fn present(outcome: Outcome<Settled>) -> Object {
    match outcome {
        Outcome::Done(Settled::Present(object)) => *object,
        other => panic!("{other:?}"),
    }
}

fn ground(sim: &Simulator) -> (ExternalId, ExternalId) {
    let one = |op: &str, call| present(sim.seed(vec![(op.into(), call)]).remove(0));
    let spec = ProjectSpec {
        key: "u".into(),
        name: "u".into(),
    };
    let project = one("p", Call::EnsureProject { spec }).id().clone();
    let spec = NetworkSpec {
        project: project.clone(),
        key: "n".into(),
        name: "n".into(),
        cidr: "10.0.0.0/8".into(),
    };
    let network = one("n", Call::EnsureNetwork { spec }).id().clone();
    (project, network)
}

fn server(ground: &(ExternalId, ExternalId), vcpus: u32, memory_gb: u32) -> ServerSpec {
    ServerSpec {
        project: ground.0.clone(),
        pool: "p".into(),
        network: ground.1.clone(),
        name: "h".into(),
        vcpus,
        memory_gb,
        system_disk_gb: 40,
        image: "i".into(),
        flavour: None,
        security_preset: None,
        access: Access::OneTimePassword,
        user_data: None,
        metadata: [].into(),
    }
}

async fn all(sim: &Simulator) -> Vec<Object> {
    let (mut objects, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = sim.list(None, cursor.as_deref()).await.unwrap();
        objects.extend(page.objects);
        cursor = page.next;
        if cursor.is_none() {
            return objects;
        }
    }
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let sim = open(Some(folder.path()), 3).unwrap();
    let ground = ground(&sim);
    sim.create_server(&"a".into(), server(&ground, 2, 2)).await;
    sim.create_server(&"b".into(), server(&ground, 2, 2)).await;
    let gone = chosen(&sim, "b").await;
    sim.delete_server(&"c".into(), gone).await;
    sim.cancel(&"d".into()).await;
    let (before, capacity) = (all(&sim).await, sim.capacity(&"p".into()).await);
    assert!(open(Some(folder.path()), 3).is_err(), "two at once");
    drop(sim);
    let sim = open(Some(folder.path()), 3).unwrap();
    assert_eq!(all(&sim).await, before);
    assert_eq!(sim.capacity(&"p".into()).await, capacity);
    let late = sim.create_server(&"d".into(), server(&ground, 2, 2)).await;
    assert!(matches!(late, Outcome::Refused(r) if r.reason == RefusalReason::Cancelled));
    let again = sim.create_server(&"a".into(), server(&ground, 2, 2)).await;
    assert!(matches!(again, Outcome::Done(_)), "{again:?}");
    assert_eq!(all(&sim).await, before);
}

async fn chosen(sim: &Simulator, op: &str) -> ExternalId {
    match sim.find_by_operation(&op.into()).await.unwrap() {
        OperationState::Done(Settled::Present(object)) => object.id().clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_torn_line_is_cut_off_and_a_spoilt_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let sim = open(Some(folder.path()), 3).unwrap();
    let ground = ground(&sim);
    let before = all(&sim).await;
    drop(sim);
    let write = |text: &[u8]| {
        let path = folder.path().join("log.jsonl");
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(text).unwrap();
    };
    write(b"{\"put\":[{\"obj");
    let sim = open(Some(folder.path()), 3).unwrap();
    assert_eq!(all(&sim).await, before);
    sim.create_server(&"a".into(), server(&ground, 2, 2)).await;
    drop(sim);
    let sim = open(Some(folder.path()), 3).unwrap();
    assert_eq!(all(&sim).await.len(), before.len() + 1);
    drop(sim);
    write(b"nonsense\n");
    let error = open(Some(folder.path()), 3).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

/// Not a test of its own: the process that the next one kills. It says each operation that was
/// answered.
#[tokio::test]
#[ignore = "the process that another test starts and kills"]
async fn child_that_is_killed() {
    let folder = std::env::var_os(FOLDER).unwrap();
    let sim = open(Some(Path::new(&folder)), 10_000).unwrap();
    let ground = ground(&sim);
    for number in 0.. {
        let op = OperationId(format!("op{number}"));
        let made = sim.create_server(&op, server(&ground, 1, 1)).await;
        assert!(matches!(made, Outcome::Done(_)), "{made:?}");
        println!("\nanswered {op}");
    }
}

#[tokio::test]
async fn a_killed_process_has_lost_nothing_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let mut most = 0;
    for round in 1..6u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "child_that_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let lines = out.lines().map_while(Result::ok);
            lines
                .filter_map(|line| line.strip_prefix("answered ").map(str::to_owned))
                .collect::<Vec<_>>()
        });
        std::thread::sleep(Duration::from_millis(250 + 37 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let answered = reader.join().unwrap();
        assert!(
            !answered.is_empty(),
            "it was killed too early to prove anything"
        );
        let sim = open(Some(folder.path()), 10_000).unwrap();
        for op in &answered {
            let id = chosen(&sim, op).await;
            assert!(sim.get(Kind::Server, &id).await.unwrap().is_some(), "{op}");
        }
        let capacity = sim.capacity(&"p".into()).await.unwrap();
        // Each round repeats the operations of the rounds before it: no second server comes of
        // that. At most the one operation that was under way was done and not answered.
        let (done, said) = (capacity.servers, answered.len() as u64);
        assert!(
            done >= said && done >= most && done <= most.max(said) + 1,
            "{done} done, {said} answered, {most} before"
        );
        most = done;
    }
}

#[tokio::test]
async fn fifty_three_thousand_objects_open_quickly_and_shrink_to_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let sim = open(Some(folder.path()), 10_000).unwrap();
    let ground = ground(&sim);
    let calls = |from: u32, to: u32| {
        let spec = VolumeSpec {
            project: ground.0.clone(),
            pool: "p".into(),
            name: "d".into(),
            size_gb: 10,
            volume_type: None,
        };
        let call = move |n| {
            (
                format!("v{n}").into(),
                Call::CreateVolume { spec: spec.clone() },
            )
        };
        (from..to).map(call).collect::<Vec<_>>()
    };
    let outcomes = sim.seed(calls(0, 53_000));
    assert!(outcomes.iter().all(|o| matches!(o, Outcome::Done(_))));
    let length = |name| std::fs::metadata(folder.path().join(name)).map(|m| m.len());
    assert!(length("snapshot.jsonl").unwrap() > 1_000_000);
    assert_eq!(length("log.jsonl").unwrap(), 0);
    drop(sim);
    let start = Instant::now();
    let sim = open(Some(folder.path()), 10_000).unwrap();
    // Unoptimised and on a busy machine; a release build takes a tenth.
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    let capacity = sim.capacity(&"p".into()).await.unwrap();
    assert_eq!(capacity.disk_gb_used, 530_000);
}

#[derive(Debug, Clone)]
enum Do {
    Create(u32, u32),
    Resize(usize, u32, u32),
    Delete(usize),
    Stop(usize),
    Cancel(usize),
    Address,
    Again(usize),
    Reopen,
}

fn acts() -> impl Strategy<Value = Vec<Do>> {
    let act = prop_oneof![
        6 => (1..8u32, 1..20u32).prop_map(|(v, m)| Do::Create(v, m)),
        2 => (0..40usize, 1..13u32, 1..33u32).prop_map(|(i, v, m)| Do::Resize(i, v, m)),
        2 => (0..40usize).prop_map(Do::Delete),
        1 => (0..40usize).prop_map(Do::Stop),
        1 => (0..40usize).prop_map(Do::Cancel),
        1 => Just(Do::Address),
        2 => (0..40usize).prop_map(Do::Again),
        1 => Just(Do::Reopen),
    ];
    prop::collection::vec(act, 1..60)
}

/// No host holds more than it may, and the sums are those of the objects.
async fn check(sim: &Simulator, hosts: u64) {
    let capacity = sim.capacity(&"p".into()).await.unwrap();
    let mut by_host = std::collections::BTreeMap::<String, (u64, u64)>::new();
    let (mut servers, mut addresses) = (0, std::collections::BTreeSet::new());
    for object in all(sim).await {
        match object {
            Object::Server(s) => {
                let on = by_host.entry(s.host.unwrap()).or_default();
                on.0 += u64::from(s.spec.vcpus);
                on.1 += u64::from(s.spec.memory_gb);
                servers += 1;
            }
            Object::Address(a) => assert!(addresses.insert(a.address), "an address twice"),
            _ => {}
        }
    }
    for (host, (vcpus, memory)) in &by_host {
        assert!(
            *vcpus <= 12 && *memory <= 32,
            "{host}: {vcpus} cores, {memory} GiB"
        );
    }
    assert!(by_host.len() as u64 <= hosts && addresses.len() <= 5);
    assert_eq!(capacity.servers, servers);
    assert_eq!(capacity.vcpus_total, hosts * 12);
    assert_eq!(
        capacity.vcpus_used,
        by_host.values().map(|h| h.0).sum::<u64>()
    );
    assert_eq!(
        capacity.memory_gb_used,
        by_host.values().map(|h| h.1).sum::<u64>()
    );
    assert_eq!(capacity.addresses_used, addresses.len() as u64);
}

async fn play(acts: Vec<Do>) {
    let folder = tempfile::tempdir().unwrap();
    let mut sim = open(Some(folder.path()), 3).unwrap();
    let ground = ground(&sim);
    let mut made: Vec<(String, ServerSpec)> = Vec::new();
    for (number, act) in acts.into_iter().enumerate() {
        let op: OperationId = format!("op{number}").into();
        let find = |index: usize| made.get(index % made.len().max(1)).cloned();
        let id = |sim: &Simulator, index| {
            let (sim, found) = (sim.clone(), find(index));
            async move {
                let state = sim.find_by_operation(&found?.0.into()).await;
                match state.unwrap() {
                    OperationState::Done(Settled::Present(object)) => Some(object.id().clone()),
                    _ => None,
                }
            }
        };
        match act {
            Do::Create(vcpus, memory_gb) => {
                let spec = server(&ground, vcpus, memory_gb);
                sim.create_server(&op, spec.clone()).await;
                made.push((op.0, spec));
            }
            Do::Resize(index, vcpus, memory_gb) => {
                if let Some(id) = id(&sim, index).await {
                    sim.resize_server(&op, id, ServerSize { vcpus, memory_gb })
                        .await;
                }
            }
            Do::Delete(index) => {
                if let Some(id) = id(&sim, index).await {
                    sim.delete_server(&op, id).await;
                }
            }
            Do::Stop(index) => {
                if let Some(id) = id(&sim, index).await {
                    sim.stop_server(&op, id).await;
                }
            }
            Do::Cancel(index) => {
                if let Some((op, _)) = find(index) {
                    sim.cancel(&op.into()).await;
                }
            }
            Do::Address => {
                let spec = AddressSpec {
                    project: ground.0.clone(),
                    pool: "p".into(),
                    bandwidth_mbps: 1,
                };
                sim.allocate_address(&op, spec).await;
            }
            Do::Again(index) => {
                if let Some((op, spec)) = find(index) {
                    sim.create_server(&op.into(), spec).await;
                }
            }
            Do::Reopen => {
                let before = all(&sim).await;
                drop(sim);
                sim = open(Some(folder.path()), 3).unwrap();
                assert_eq!(all(&sim).await, before);
            }
        }
        check(&sim, 3).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn never_more_is_placed_than_there_is(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(play(acts));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_from_many_sides_at_once_fill_the_pool_and_no_more() {
    let sim = open(None, 3).unwrap();
    let ground = ground(&sim);
    // Each operation comes from two sides.
    let orders = (0..200).map(|number| {
        let (sim, spec) = (sim.clone(), server(&ground, 1, 1));
        let op = OperationId(format!("op{}", number / 2));
        tokio::spawn(async move { sim.create_server(&op, spec).await })
    });
    let mut done = std::collections::BTreeSet::new();
    for order in orders.collect::<Vec<_>>() {
        if let Outcome::Done(server) = order.await.unwrap() {
            done.insert(server.id);
        }
    }
    assert_eq!(done.len(), 36);
    check(&sim, 3).await;
}
