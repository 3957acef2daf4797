//! Half an answer is never nothing: what lacks its list, its object or its parts is asked for again.
use super::*;

const WRONG: [&str; 8] = [
    "",
    "null",
    "[]",
    "{}",
    "{\"KIND\": null}",
    "{\"KIND\": {}}",
    "{\"KIND\": [\"x\"]}",
    "{\"KIND\": [{\"id\": \"x\"}]}",
];

#[tokio::test]
async fn an_answer_without_its_list_makes_no_second_object() {
    let w = world().await;
    assert!(matches!(w.make().await, Outcome::Running { .. }));
    let detail = format!("{VOLUMES}/detail");
    for wrong in WRONG {
        let wrong = wrong.replace("KIND", "volumes");
        w.say(&detail, &wrong);
        // A process that remembers nothing: only the list could tell it what is there.
        let other = open(&w.stand.lock().unwrap().url, &w.now);
        let made = other.create_volume(&"op".into(), spec()).await;
        assert!(matches!(made, Outcome::Unreachable(_)), "{wrong}: {made:?}");
        let found = other.find_by_operation(&"op".into()).await;
        assert!(
            matches!(found, Err(ReadError::Unreachable(_))),
            "{wrong}: {found:?}"
        );
        let cancelled = other.cancel(&"op".into()).await;
        assert!(
            matches!(cancelled, Outcome::Unreachable(_)),
            "{wrong}: {cancelled:?}"
        );
    }
    assert_eq!((w.volumes(), w.asked("POST", VOLUMES)), (1, 1));
}

/// Everything, or why not.
async fn all(cloud: &OpenStack) -> Result<Vec<Object>, ReadError> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = cloud.list(None, cursor.as_deref()).await?;
        all.extend(page.objects);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

#[tokio::test]
async fn a_list_that_could_not_be_read_is_not_an_empty_one() {
    let w = world().await;
    assert_eq!(all(&w.cloud).await.unwrap(), []);
    for (kind, path) in [
        ("projects", "/v3/projects"),
        ("networks", "/network/v2.0/networks"),
        ("servers", "/compute/v2.1/servers/detail"),
        ("volumes", "/volume/v3/p1/volumes/detail"),
        ("floatingips", "/network/v2.0/floatingips"),
        ("snapshots", "/volume/v3/p1/snapshots/detail"),
        ("backups", "/volume/v3/p1/backups/detail"),
    ] {
        for wrong in WRONG {
            let wrong = wrong.replace("KIND", kind);
            w.say(path, &wrong);
            let read = all(&w.cloud).await;
            assert!(
                matches!(read, Err(ReadError::Unreachable(_))),
                "{path} {wrong}: {read:?}"
            );
        }
        w.stand.lock().unwrap().wrong.clear();
    }
    // Projects that Keystone leaves out would take everything in them along.
    w.say("/v3/projects", "{\"projects\": [], \"truncated\": true}");
    let read = all(&w.cloud).await;
    assert!(matches!(read, Err(ReadError::Unreachable(_))), "{read:?}");
}

#[tokio::test]
async fn rules_that_could_not_be_read_are_not_none() {
    let w = world().await;
    assert_eq!(w.cloud.all_rules().await.unwrap().unwrap(), [].into());
    let port = |more: &str| format!("{{\"ports\": [{{\"id\": \"a\"{more}}}]}}");
    let owner = ", \"device_owner\": \"compute:nova\"";
    let halves = [
        port(""),
        port(owner),
        port(&format!("{owner}, \"security_groups\": [\"g\"]")),
        port(&format!("{owner}, \"device_id\": \"s\"")),
    ];
    for (kind, path, halves) in [
        ("ports", "/network/v2.0/ports", halves.to_vec()),
        (
            "security_groups",
            "/network/v2.0/security-groups",
            vec!["{\"security_groups\": [{\"id\": \"g\", \"security_group_rules\": []}]}".into()],
        ),
    ] {
        let wrong = WRONG.iter().map(|wrong| wrong.replace("KIND", kind));
        for wrong in wrong.chain(halves) {
            w.say(path, &wrong);
            let read = w.cloud.all_rules().await;
            assert!(
                matches!(read, Err(ReadError::Unreachable(_))),
                "{path} {wrong}: {read:?}"
            );
        }
        w.stand.lock().unwrap().wrong.clear();
    }
    // A list whose next page is the same one has no end that could be reached.
    let of = |n| json!({ "id": format!("p{n}"), "device_owner": "" });
    let all: Vec<Value> = (0..500).map(of).collect();
    w.say("/network/v2.0/ports", &json!({ "ports": all }).to_string());
    let read = w.cloud.all_rules().await;
    assert!(matches!(read, Err(ReadError::Unreachable(_))), "{read:?}");
}

#[tokio::test]
async fn networks_that_could_not_be_read_lack_nothing_and_are_not_whole() {
    let w = world().await;
    assert_eq!(w.cloud.lacking_networks().await.unwrap(), []);
    let half = json!({ "networks": [{ "id": "n1", "project_id": "p1", "description": "lingbao:a",
        "tags": ["lingbao-ready"] }] });
    let wrong = WRONG.iter().map(|wrong| wrong.replace("KIND", "networks"));
    for wrong in wrong.chain([half.to_string()]) {
        w.say("/network/v2.0/networks", &wrong);
        let read = w.cloud.lacking_networks().await;
        assert!(
            matches!(read, Err(ReadError::Unreachable(_))),
            "{wrong}: {read:?}"
        );
    }
}

#[tokio::test]
async fn what_is_no_cursor_does_not_end_a_list() {
    let w = world().await;
    for cursor in ["", "server", "bucket x"] {
        match w.cloud.list(None, Some(cursor)).await {
            Err(ReadError::Refused(refusal)) => {
                assert_eq!(refusal.reason, RefusalReason::InvalidSpec);
            }
            other => panic!("{cursor}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_full_page_may_have_a_next_one_whether_or_not_a_link_says_so() {
    let w = world().await;
    for (count, next) in [(499, "backup "), (500, "snapshot s499")] {
        let next = Some(next.to_owned());
        let of = |n| {
            json!({ "id": format!("s{n}"), "status": "available", "metadata": {},
            "os-extended-snapshot-attributes:project_id": "of another" })
        };
        let all: Vec<Value> = (0..count).map(of).collect();
        let said = json!({ "snapshots": all }).to_string();
        w.say("/volume/v3/p1/snapshots/detail", &said);
        let page = w.cloud.list(None, Some("snapshot ")).await.unwrap();
        assert_eq!((page.objects, page.next), (vec![], next), "{count}");
    }
}

/// Lists of a cloud in which `p1` is the portal's and `p2` somebody else's.
async fn listed(path: &str, kind: &str, all: Value) -> Vec<Object> {
    let w = world().await;
    let own = json!({ "projects": [{ "id": "p1", "name": "unit" }] });
    w.say("/v3/projects", &own.to_string());
    w.say(path, &json!({ kind: all }).to_string());
    let mut found = self::all(&w.cloud).await.unwrap();
    found.retain(|it| !matches!(it, Object::Project(_)));
    found
}

#[tokio::test]
async fn what_an_operation_made_twice_is_listed_twice_and_both_carry_it() {
    let volume = |id: &str, project: &str, op: &str| {
        json!({ "id": id, "name": id, "status": "available", "size": 10, "attachments": [],
            "os-vol-tenant-attr:tenant_id": project, "bootable": "false",
            "metadata": { "lingbao_op": op, "lingbao_pool": "gov", "lingbao_class": "ssd" } })
    };
    let both = json!([
        volume("v1", "p1", "line:0:volume"),
        volume("v2", "p1", "line:0:volume"),
        volume("v3", "p1", ""),
        volume("v4", "p2", "line:0:volume"),
    ]);
    let found = listed("/volume/v3/p1/volumes/detail", "volumes", both).await;
    let told: Vec<(&str, &str)> = found
        .iter()
        .map(|it| (it.id().as_str(), it.operation().0.as_str()))
        .collect();
    assert_eq!(
        told,
        [("v1", "line:0:volume"), ("v2", "line:0:volume"), ("v3", "")]
    );
}

#[tokio::test]
async fn a_snapshot_is_listed_with_its_disk_whoever_took_it() {
    let snapshot = |id: &str, project: &str, metadata: Value| {
        json!({ "id": id, "name": id, "status": "available", "size": 10, "volume_id": "v1",
            "os-extended-snapshot-attributes:project_id": project, "metadata": metadata })
    };
    let both = json!([
        snapshot("s1", "p1", json!({ "lingbao_op": "line:0:snapshot" })),
        snapshot("s2", "p1", json!({})),
        snapshot("s3", "p2", json!({})),
    ]);
    let found = listed("/volume/v3/p1/snapshots/detail", "snapshots", both).await;
    let told: Vec<_> = found
        .into_iter()
        .filter_map(Object::into_snapshot)
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for (one, (id, op)) in told.iter().zip([("s1", "line:0:snapshot"), ("s2", "")]) {
        assert_eq!((one.id.as_str(), one.operation.0.as_str()), (id, op));
        assert_eq!((one.spec.volume.as_str(), one.size_gb), ("v1", 10));
    }
}

#[tokio::test]
async fn an_address_that_leads_to_no_server_is_in_use_by_its_port() {
    let address = |id: &str, port: Value, details: Value| {
        json!({ "id": id, "project_id": "p1", "description": "", "tags": [],
            "floating_ip_address": "198.51.100.7", "port_id": port, "port_details": details })
    };
    let server = json!({ "device_owner": "compute:nova", "device_id": "server-1" });
    let balancer = json!({ "device_owner": "Octavia", "device_id": "lb-1" });
    let all = json!([
        address("a1", json!("port-1"), server),
        address("a2", json!("port-2"), balancer),
        // A cloud that tells no details of a port says at least that there is one.
        address("a3", json!("port-3"), Value::Null),
        address("a4", Value::Null, Value::Null),
    ]);
    let found = listed("/network/v2.0/floatingips", "floatingips", all).await;
    let told: Vec<_> = found
        .into_iter()
        .filter_map(Object::into_address)
        .map(|it| it.associated_with.map(|id| id.0))
        .collect();
    let of = |id: &str| Some(id.to_owned());
    assert_eq!(told, [of("server-1"), of("port-2"), of("port-3"), None]);
}

#[tokio::test]
async fn an_answer_without_its_object_is_not_gone() {
    let w = world().await;
    assert!(matches!(w.make().await, Outcome::Running { .. }));
    for wrong in [
        "",
        "null",
        "{}",
        "{\"volume\": null}",
        "{\"volume\": {\"id\": \"v1\"}}",
    ] {
        w.say("/volume/v3/p1/volumes/v1", wrong);
        let there = w.cloud.get(Kind::Volume, &"v1".into()).await;
        assert!(
            matches!(there, Err(ReadError::Unreachable(_))),
            "{wrong}: {there:?}"
        );
        let deleted = w.cloud.delete_volume(&"away".into(), "v1".into()).await;
        assert!(
            matches!(deleted, Outcome::Unknown(_)),
            "{wrong}: {deleted:?}"
        );
    }
    assert_eq!(w.volumes(), 1);
}

#[tokio::test]
async fn a_token_without_its_parts_is_asked_for_again() {
    for part in ["catalog", "project", "user"] {
        let w = world().await;
        w.stand.lock().unwrap().without = part;
        // Half a catalogue would refuse the order for good: "the cloud has no such service".
        let made = w.make().await;
        assert!(matches!(made, Outcome::Unreachable(_)), "{part}: {made:?}");
        w.stand.lock().unwrap().without = "";
        // How a login failed is told to all others for two seconds.
        w.now.fetch_add(2_001, Ordering::Relaxed);
        assert!(matches!(w.make().await, Outcome::Running { .. }), "{part}");
    }
}

#[tokio::test]
async fn a_page_without_versions_is_asked_for_again() {
    let w = world().await;
    w.say("/volume/v3/", "{}");
    let made = w.make().await;
    assert!(matches!(made, Outcome::Unreachable(_)), "{made:?}");
}

#[tokio::test]
async fn what_a_token_can_t_be_is_no_reason_to_fall() {
    let w = world().await;
    for wrong in ["[]", "\"token\"", "7"] {
        w.stand.lock().unwrap().sign_in = wrong;
        let health = w.cloud.health().await;
        assert!(
            matches!(health, Err(ReadError::Unreachable(_))),
            "{wrong}: {health:?}"
        );
    }
}

#[tokio::test]
async fn what_was_turned_away_may_be_asked_again_after_the_time_that_the_cloud_names() {
    let w = world().await;
    let busy = "{\"overLimit\": {\"message\": \"too many requests\"}}";
    for (what, named) in [
        (What::Refuse(429, busy), None),
        (What::Later(429, "60"), Some(60)),
        (What::Later(413, "86400"), Some(300)),
    ] {
        w.fault(what);
        match w.make().await {
            Outcome::NotSent { after, .. } => assert_eq!(after, named),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(w.make().await, Outcome::Running { .. }));
    assert_eq!(w.volumes(), 1);
    // Of this one nobody knows whether it was done.
    let w = world().await;
    w.fault(What::Later(503, "60"));
    assert!(matches!(w.make().await, Outcome::Unknown(_)));
}

#[tokio::test]
async fn who_waits_for_a_login_that_is_not_answered_fails_with_it_and_not_one_after_the_other() {
    // It takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let cloud = Arc::new(open(&url, &Arc::new(AtomicI64::new(1_000_000))));
    let begun = std::time::Instant::now();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let cloud = cloud.clone();
        asking.spawn(async move { cloud.health().await });
    }
    for one in asking.join_all().await {
        assert!(matches!(one, Err(ReadError::Unreachable(_))), "{one:?}");
    }
    // A login is given up after a second.
    assert!(begun.elapsed() < Duration::from_millis(2_500));
}

#[tokio::test]
async fn a_cloud_whose_glance_is_away_does_not_answer() {
    let w = world().await;
    for (path, text) in [
        (
            "/compute/v2.1/os-availability-zone/detail",
            r#"{"availabilityZoneInfo":[]}"#,
        ),
        (
            "/compute/v2.1/os-hypervisors/detail",
            r#"{"hypervisors":[]}"#,
        ),
        ("/volume/v3/p1/scheduler-stats/get_pools", r#"{"pools":[]}"#),
    ] {
        w.say(path, text);
    }
    let images = "/image/v2/images";
    for (said, answers) in [(r#"{"images":[]}"#, true), ("<html>", false)] {
        w.say(images, said);
        w.now.fetch_add(20_000, Ordering::SeqCst);
        let told = w.cloud.capacity(&"p".into()).await;
        let away = matches!(told, Err(ReadError::Unreachable(_)));
        assert_eq!((told.is_ok(), away), (answers, !answers), "{told:?}");
    }
}
