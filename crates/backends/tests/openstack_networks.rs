//! Orders that come together for one private network, against a small stand-in for Neutron that is
//! slow enough for them to meet, and says no to a second subnet or foot of a router as Neutron does.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests stand outside the test functions"
)]
mod hosts;
mod limits;
mod sizes;
mod stand;
mod waiting;
mod ways;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use lingbao_backends::provisioning::{
    openstack::{OpenStack, OpenStackConfig, ZoneConfig},
    *,
};
use serde_json::{Value, json};

use stand::PORTAL;

/// What there is, by the name of its list: `networks`, `subnets`, `routers`, `ports`.
type Stand = Arc<Mutex<BTreeMap<String, Vec<Value>>>>;

static NUMBER: AtomicUsize = AtomicUsize::new(0);

fn refused(status: StatusCode, kind: &str) -> Response {
    let said = json!({ "NeutronError": { "type": kind, "message": kind, "detail": "" } });
    (status, said.to_string()).into_response()
}

fn fine(value: &Value) -> Response {
    (StatusCode::OK, value.to_string()).into_response()
}

async fn answer(State((stand, url)): State<(Stand, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    if path == "/v3/auth/tokens" {
        let service = |kind: &str, path: &str| {
            let endpoint = json!({ "interface": "public", "url": format!("{url}/{path}") });
            json!({ "type": kind, "endpoints": [endpoint] })
        };
        let catalogue = [
            service("network", "network"),
            service("compute", "compute/v2.1"),
            service("volumev3", "volume/v3"),
            service("image", "image"),
        ];
        let project = body["auth"]["scope"]["project"]["id"].as_str();
        let token = json!({ "token": { "project": { "id": project.unwrap_or(PORTAL) },
            "user": { "id": "u" }, "catalog": catalogue } });
        return (
            StatusCode::CREATED,
            [("X-Subject-Token", "t")],
            token.to_string(),
        )
            .into_response();
    }
    if let Some(id) = path.strip_prefix("/v3/projects/p") {
        return fine(&json!({ "project": { "id": format!("p{id}"), "tags": [] } }));
    }
    if path == "/volume/v3/" {
        return fine(&json!({ "versions": [{ "id": "v3.0", "version": "3.70" }] }));
    }
    // No snapshots, types or projects are looked for here; whoever asks finds none. Disks and services
    // there are where a test says so.
    for (path_of, name) in [
        ("/volume/v3/volumes/detail", "volumes"),
        ("/volume/v3/snapshots/detail", "snapshots"),
        ("/volume/v3/backups/detail", "backups"),
        ("/volume/v3/types", "volume_types"),
        ("/volume/v3/os-services", "services"),
        ("/v3/projects", "projects"),
    ] {
        if path == path_of {
            let said = stand.lock().unwrap().get(path_of).cloned();
            return fine(&json!({ name: said.unwrap_or_default() }));
        }
    }
    if path == "/image/v2/images" {
        return fine(&json!({ "images": [{ "id": "i1" }] }));
    }
    let query = parts.uri.query().unwrap_or_default().to_owned();
    if path == "/compute/v2.1/flavors/detail" {
        return sizes::page(&stand.lock().unwrap(), &query);
    }
    if let Some(reply) = waiting::nova(&stand, &parts.method, &path, &query, &body) {
        return reply;
    }
    if path.contains("/os-quota-sets/") || path.starts_with("/network/v2.0/quotas/") {
        return limits::keep(&mut stand.lock().unwrap(), &parts.method, &path, &body);
    }
    if path == "/compute/v2.1/" {
        return fine(&json!({ "version": { "id": "v2.1", "version": "2.93" } }));
    }
    if let Some(reply) = hosts::nova(&stand, &parts.method, &path) {
        return reply;
    }
    // What is asked at once meets at once.
    tokio::time::sleep(Duration::from_millis(30)).await;
    let path = path.strip_prefix("/network/v2.0/").unwrap().to_owned();
    serve(
        &mut stand.lock().unwrap(),
        &parts.method,
        &path,
        &query,
        &body,
    )
}

fn serve(
    stand: &mut BTreeMap<String, Vec<Value>>,
    method: &Method,
    path: &str,
    query: &str,
    body: &Value,
) -> Response {
    if let Some(reply) = ways::neutron(stand, method, path, body) {
        return reply;
    }
    if let Some(reply) = hosts::neutron(stand, method, path) {
        return reply;
    }
    let parts: Vec<&str> = path.split('/').collect();
    let there = stand.clone();
    let known = |kind: &str| there.get(kind).cloned().unwrap_or_default();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["security-group-rules"]) => {
            limits::make_rules(stand, body["security_group_rules"].as_array().unwrap())
        }
        ("DELETE", ["security-group-rules", id]) => {
            let all = stand.get_mut("security-group-rules").unwrap();
            all.retain(|it| it["id"] != *id);
            StatusCode::NO_CONTENT.into_response()
        }
        ("POST", ["security-groups"]) => {
            let mut group = body["security_group"].clone();
            let number = NUMBER.fetch_add(1, Ordering::SeqCst);
            group["id"] = json!(format!("group{number}"));
            group["created_at"] = json!("2026-01-01T00:00:00Z");
            group["security_group_rules"] = json!([]);
            let all = stand.entry("security-groups".into()).or_default();
            all.push(group.clone());
            fine(&json!({ "security_group": group }))
        }
        ("GET", ["security-groups"]) => {
            let mut groups = known("security-groups");
            let same = |it: &Value, key: &str| {
                let filter = format!("{key}={}", it[key].as_str().unwrap());
                query.split('&').any(|one| one == filter)
            };
            let asks = |key: &str| query.contains(&format!("{key}="));
            groups.retain(|it| {
                let keys = ["project_id", "name"];
                keys.iter().all(|key| !asks(key) || same(it, key))
            });
            for group in &mut groups {
                let mut rules = known("security-group-rules");
                rules.retain(|it| it["security_group_id"] == group["id"]);
                group["security_group_rules"] = json!(rules);
            }
            fine(&json!({ "security_groups": groups }))
        }
        ("GET", [kind]) => {
            let filters: Vec<_> = query
                .split('&')
                .filter_map(|it| it.split_once('='))
                .collect();
            let mut found = known(kind);
            found.retain(|it| {
                let same = |(key, value): &(&str, &str)| match *key {
                    "router%3Aexternal" => it["external"] == true,
                    // How the list is told, not what is on it.
                    "fields" | "limit" | "marker" | "sort_key" | "sort_dir" => true,
                    "tags" => it["tags"]
                        .as_array()
                        .is_some_and(|tags| tags.iter().any(|tag| tag == value)),
                    // Any of those that are named.
                    "device_owner" => filters.iter().any(|(key, of)| {
                        *key == "device_owner" && it[key] == of.replace("%3A", ":")
                    }),
                    key => it[key] == value.replace("%3A", ":"),
                };
                filters.iter().all(same)
            });
            fine(&json!({ *kind: found }))
        }
        ("POST", [kind]) => {
            let one = kind.trim_end_matches('s');
            let mut it = body[one].clone();
            let second = |other: &Value| other["network_id"] == it["network_id"];
            if *kind == "subnets" && known(kind).iter().any(second) {
                return refused(StatusCode::BAD_REQUEST, "InvalidInput");
            }
            if *kind == "subnets" {
                let all = stand.get_mut("networks").unwrap();
                let Some(network) = all
                    .iter_mut()
                    .find(|it| it["id"] == body[one]["network_id"])
                else {
                    return refused(StatusCode::NOT_FOUND, "NetworkNotFound");
                };
                network["subnets"] = json!(["subnet"]);
            }
            // Later ones come first by id: the same second tells nothing of who was first.
            let number = 999 - NUMBER.fetch_add(1, Ordering::SeqCst);
            it["id"] = json!(format!("{one}{number}"));
            it["created_at"] = json!("2026-01-01T00:00:00Z");
            stand
                .entry((*kind).to_owned())
                .or_default()
                .push(it.clone());
            fine(&json!({ one: it }))
        }
        ("PUT", ["routers", router, "add_router_interface"]) => {
            let subnets = known("subnets");
            let subnet = subnets.iter().find(|it| it["id"] == body["subnet_id"]);
            let network = subnet.unwrap()["network_id"].clone();
            let is_foot = |it: &Value| {
                it["network_id"] == network && it["device_owner"] == "network:router_interface"
            };
            if known("ports").iter().any(is_foot) {
                return refused(StatusCode::BAD_REQUEST, "BadRequest");
            }
            let foot = json!({ "device_id": router, "network_id": network, "project_id": "p1",
                "device_owner": "network:router_interface" });
            stand.entry("ports".into()).or_default().push(foot);
            fine(&json!({}))
        }
        ("PUT", [kind, id, "tags"]) => {
            let all = stand.get_mut(*kind).unwrap();
            let Some(it) = all.iter_mut().find(|it| it["id"] == *id) else {
                return refused(StatusCode::NOT_FOUND, "NotFound");
            };
            it["tags"] = body["tags"].clone();
            fine(body)
        }
        ("GET", [kind, id]) => {
            let all = known(kind);
            let it = all.iter().find(|it| it["id"] == *id).unwrap();
            fine(&json!({ kind.trim_end_matches('s'): it }))
        }
        ("PUT", [kind, id]) => {
            let all = stand.get_mut(*kind).unwrap();
            let it = all.iter_mut().find(|it| it["id"] == *id).unwrap();
            for (key, value) in body[kind.trim_end_matches('s')].as_object().unwrap() {
                it[key] = value.clone();
            }
            fine(body)
        }
        ("DELETE", ["networks", id]) => {
            if known("ports").iter().any(|it| it["network_id"] == *id) {
                return refused(StatusCode::CONFLICT, "NetworkInUse");
            }
            stand
                .get_mut("networks")
                .unwrap()
                .retain(|it| it["id"] != *id);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => panic!("{method} {path}"),
    }
}

/// The clouds of so many processes, and what stands in them.
async fn world(processes: usize) -> (Vec<OpenStack>, Stand) {
    let stand = Stand::default();
    let outside = json!({ "id": "ext", "name": "public", "external": true });
    stand
        .lock()
        .unwrap()
        .insert("networks".into(), vec![outside]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    stand.lock().unwrap().insert("url".into(), vec![json!(url)]);
    let state = (stand.clone(), url.clone());
    let app = Router::new().fallback(answer).with_state(state);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let clouds = (0..processes).map(|_| open(&url)).collect();
    (clouds, stand)
}

fn open(url: &str) -> OpenStack {
    open_by(url, &stand::now())
}

/// The same, by a clock in a test's hand.
fn open_by(url: &str, now: &Arc<AtomicI64>) -> OpenStack {
    stand::open(
        OpenStackConfig {
            external_network: Some("public".into()),
            zones: vec![ZoneConfig {
                name: "p".into(),
                ..ZoneConfig::default()
            }],
            images: [("kylin-v10".to_owned(), "kylin".to_owned())].into(),
            ..stand::config(url)
        },
        now,
    )
}

/// Asks until it is settled.
async fn ensure(cloud: OpenStack, op: String) -> Network {
    for _ in 0..20 {
        let spec = NetworkSpec {
            project: "p1".into(),
            key: "vpc".into(),
            name: "vpc".into(),
            cidr: "10.8.0.0/24".into(),
        };
        match cloud.ensure_network(&op.as_str().into(), spec).await {
            Outcome::Done(network) => return network,
            Outcome::Running { .. } => tokio::time::sleep(Duration::from_millis(50)).await,
            other => panic!("{op}: {other:?}"),
        }
    }
    panic!("{op} is never settled")
}

async fn together(clouds: &[OpenStack], orders: usize) -> Vec<ExternalId> {
    let asked = (0..orders).map(|n| {
        let cloud = clouds[n % clouds.len()].clone();
        tokio::spawn(ensure(cloud, format!("saga{n}")))
    });
    let asked: Vec<_> = asked.collect();
    let mut ids = Vec::new();
    for one in asked {
        ids.push(one.await.unwrap().id);
    }
    ids
}

#[tokio::test]
async fn orders_that_come_together_make_one_network() {
    let (clouds, stand) = world(1).await;
    let ids = together(&clouds, 6).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let stand = stand.lock().unwrap();
    let count = |kind: &str| stand[kind].len();
    // The network beside the external one.
    assert_eq!((count("networks"), count("subnets")), (2, 1));
    assert_eq!((count("routers"), count("ports")), (1, 1));
    let gateway = json!({ "network_id": "ext", "enable_snat": false });
    assert_eq!(stand["routers"][0]["external_gateway_info"], gateway);
}

#[tokio::test]
async fn who_was_given_anothers_network_is_told_of_it() {
    let (clouds, _) = world(1).await;
    let ids = together(&clouds, 2).await;
    for op in ["saga0", "saga1"] {
        let op = OperationId::from(op);
        match clouds[0].find_by_operation(&op).await.unwrap() {
            OperationState::Done(Settled::Present(object)) => assert_eq!(object.id(), &ids[0]),
            other => panic!("{op}: {other:?}"),
        }
    }
    // One of the two made it: only that one would have to take it away.
    let mut left = Vec::new();
    for op in ["saga0", "saga1"] {
        match clouds[0].cancel(&op.into()).await {
            Outcome::Done(OperationState::Cancelled { left: it }) => left.extend(it),
            other => panic!("{op}: {other:?}"),
        }
    }
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn processes_that_come_together_agree_on_one_network() {
    let (clouds, stand) = world(3).await;
    let ids = together(&clouds, 6).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let stand = stand.lock().unwrap();
    assert_eq!((stand["networks"].len(), stand["ports"].len()), (2, 1));
    // Each router that leads outside takes a public address.
    assert_eq!(stand["routers"].len(), 1);
    let gateway = &stand["routers"][0]["external_gateway_info"];
    assert_eq!(gateway["network_id"], "ext");
}

/// Orders a host with a preset in a project that has a network.
async fn order(cloud: &OpenStack, project: &str, preset: &str) -> Outcome<Server> {
    let op = format!("{project}:{preset}");
    let op = op.as_str().into();
    cloud.create_server(&op, spec(project, preset)).await
}

fn spec(project: &str, preset: &str) -> ServerSpec {
    ServerSpec {
        project: project.into(),
        pool: "p".into(),
        network: format!("net-{project}").as_str().into(),
        name: "h".into(),
        vcpus: 1,
        memory_gb: 2,
        system_disk_gb: 40,
        image: "kylin-v10".into(),
        flavour: None,
        security_preset: Some(preset.into()),
        access: Access::SshKeys(vec!["ssh-ed25519 AAAA me".into()]),
        user_data: None,
        metadata: BTreeMap::new(),
    }
}

fn private_network(project: &str) -> Value {
    json!({ "id": format!("net-{project}"), "project_id": project, "description": "lingbao:a key:vpc" })
}

#[tokio::test]
async fn security_rules_count_against_the_unit_and_not_against_the_portal() {
    let (clouds, stand) = world(1).await;
    let units: Vec<String> = (0..12).map(|n| format!("p{n}")).collect();
    for unit in &units {
        let network = private_network(unit);
        let mut stand = stand.lock().unwrap();
        stand.get_mut("networks").unwrap().push(network);
    }
    for unit in &units {
        let made = order(&clouds[0], unit, "level2-internet").await;
        assert!(matches!(made, Outcome::Running { .. }), "{unit}: {made:?}");
    }
    let stand = stand.lock().unwrap();
    for kind in ["security-groups", "security-group-rules"] {
        for it in &stand[kind] {
            assert!(units.iter().any(|unit| it["project_id"] == **unit), "{it}");
        }
    }
}

#[tokio::test]
async fn a_units_groups_and_rules_have_no_limit() {
    let (clouds, stand) = world(1).await;
    let quota = ProjectQuota {
        addresses: Some(3),
        ..ProjectQuota::default()
    };
    let op = OperationId::from("q");
    let set = clouds[0].set_project_quota(&op, "p1".into(), quota);
    match set.await {
        Outcome::Done(project) => assert_eq!(project.quota, quota),
        other => panic!("{other:?}"),
    }
    let stand = stand.lock().unwrap();
    let kept = &stand["/network/v2.0/quotas/p1"][0]["quota"];
    assert_eq!(kept["floatingip"], 3);
    assert_eq!(kept["security_group"], -1);
    assert_eq!(kept["security_group_rule"], -1);
}

#[tokio::test]
async fn what_is_not_told_of_limits_is_not_no_limit() {
    let (clouds, stand) = world(1).await;
    let quota = ProjectQuota::default();
    let op = OperationId::from("q");
    let set = clouds[0].set_project_quota(&op, "p1".into(), quota);
    assert!(matches!(set.await, Outcome::Done(_)));
    for half in [json!({}), json!({ "quota": {} }), json!({ "quota": null })] {
        let quotas = "/network/v2.0/quotas/p1".to_owned();
        stand.lock().unwrap().insert(quotas, vec![half.clone()]);
        let read = clouds[0].get(Kind::Project, &"p1".into()).await;
        assert!(
            matches!(read, Err(ReadError::Unreachable(_))),
            "{half}: {read:?}"
        );
    }
}

/// Groups and rules of an earlier version, whose rules belong to the portal's own project.
#[tokio::test]
async fn a_group_that_was_made_before_is_found_and_left_as_it_is() {
    let (clouds, stand) = world(2).await;
    {
        let mut stand = stand.lock().unwrap();
        let network = private_network("p1");
        stand.get_mut("networks").unwrap().push(network);
    }
    let made = order(&clouds[0], "p1", "level3").await;
    assert!(matches!(made, Outcome::Running { .. }), "{made:?}");
    let before = {
        let mut stand = stand.lock().unwrap();
        for rule in stand.get_mut("security-group-rules").unwrap() {
            rule["project_id"] = json!(PORTAL);
        }
        stand.clone()
    };
    // Another process: nothing is remembered.
    let made = order(&clouds[1], "p1", "level3").await;
    assert!(matches!(made, Outcome::Running { .. }), "{made:?}");
    let after = stand.lock().unwrap();
    for kind in ["security-groups", "security-group-rules"] {
        assert_eq!(after[kind], before[kind], "{kind}");
    }
}
