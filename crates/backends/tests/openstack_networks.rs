//! Orders that come together for one private network, against a small stand-in for Neutron that is
//! slow enough for them to meet, and says no to a second subnet or foot of a router as Neutron does.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests stand outside the test functions"
)]
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
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
use lingbao_backends::{
    Clock,
    provisioning::{
        openstack::{Credential, OpenStack, OpenStackConfig, ZoneConfig},
        *,
    },
};
use lingbao_model::time::Timestamp;
use serde_json::{Value, json};

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
        ];
        let token = json!({ "token": { "project": { "id": "own" }, "user": { "id": "u" },
            "catalog": catalogue } });
        return (
            StatusCode::CREATED,
            [("X-Subject-Token", "t")],
            token.to_string(),
        )
            .into_response();
    }
    if path == "/v3/projects/p1" {
        return fine(&json!({ "project": { "id": "p1", "tags": [] } }));
    }
    if path == "/compute/v2.1/" {
        return fine(&json!({ "version": { "id": "v2.1", "version": "2.93" } }));
    }
    if path == "/compute/v2.1/servers/s1" {
        let server = json!({ "id": "s1", "status": "ACTIVE", "tenant_id": "p1", "metadata": {} });
        return fine(&json!({ "server": server }));
    }
    // What is asked at once meets at once.
    tokio::time::sleep(Duration::from_millis(30)).await;
    let path = path.strip_prefix("/network/v2.0/").unwrap().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
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
    let parts: Vec<&str> = path.split('/').collect();
    let there = stand.clone();
    let known = |kind: &str| there.get(kind).cloned().unwrap_or_default();
    match (method.as_str(), parts.as_slice()) {
        ("GET", [kind]) => {
            let filters: Vec<_> = query
                .split('&')
                .filter_map(|it| it.split_once('='))
                .collect();
            let mut found = known(kind);
            found.retain(|it| {
                let same = |(key, value): &(&str, &str)| match *key {
                    "router%3Aexternal" => it["external"] == true,
                    key => it[key] == *value,
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
        ("PUT", ["networks", id, "tags"]) => {
            let all = stand.get_mut("networks").unwrap();
            let Some(it) = all.iter_mut().find(|it| it["id"] == *id) else {
                return refused(StatusCode::NOT_FOUND, "NetworkNotFound");
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
    let state = (stand.clone(), url.clone());
    let app = Router::new().fallback(answer).with_state(state);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let clouds = (0..processes).map(|_| open(&url)).collect();
    (clouds, stand)
}

fn open(url: &str) -> OpenStack {
    let config = OpenStackConfig {
        auth_url: format!("{url}/v3"),
        region: None,
        interface: "public".into(),
        ca_pem: None,
        credential: Credential::Application {
            id: "a".into(),
            secret: Secret("x".into()),
        },
        domain: "default".into(),
        role: "member".into(),
        password_secret: None,
        timeout_ms: 5_000,
        connect_timeout_ms: 500,
        settle_ms: 10_000,
        poll_ms: 1_000,
        build_minutes: 10,
        external_network: Some("public".into()),
        outbound: false,
        dns_servers: Vec::new(),
        zones: vec![ZoneConfig {
            name: "p".into(),
            zone: String::new(),
            volume_zone: String::new(),
            external_network: String::new(),
            storage: String::new(),
            system_volume_type: String::new(),
        }],
        images: BTreeMap::new(),
        flavours: BTreeMap::new(),
        make_flavours: false,
        volume_types: BTreeMap::new(),
        presets: BTreeMap::new(),
    };
    // Half a minute after the stand-in's networks were made.
    let clock: Arc<dyn Clock> = Arc::new(|| Timestamp::from_millis(1_767_225_630_000));
    OpenStack::new("stand", config, clock).unwrap()
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
async fn processes_that_come_together_agree_on_one_network() {
    let (clouds, stand) = world(3).await;
    let ids = together(&clouds, 6).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let stand = stand.lock().unwrap();
    assert_eq!((stand["networks"].len(), stand["ports"].len()), (2, 1));
}

#[tokio::test]
async fn the_first_address_leads_a_network_without_a_router_outside() {
    let (clouds, stand) = world(1).await;
    {
        let mut stand = stand.lock().unwrap();
        // Finished while the configuration had no external network.
        let network = json!({ "id": "n1", "project_id": "p1", "name": "vpc", "subnets": ["sub"],
            "description": "lingbao:old key:vpc cidr:10.8.0.0/24",
            "tags": ["lingbao", "lingbao-ready"] });
        stand.get_mut("networks").unwrap().push(network);
        let subnet = json!({ "id": "sub", "network_id": "n1" });
        stand.insert("subnets".into(), vec![subnet]);
        let port = |id: &str, owner: &str, project: &str| {
            json!({ "id": id, "device_id": "s1", "device_owner": owner, "network_id": "n1",
                "project_id": project, "fixed_ips": [{ "subnet_id": "sub" }] })
        };
        let forged = [port("x", "", "p1"), port("y", "compute:nova", "p2")];
        let own = port("z", "compute:nova", "p1");
        stand.insert("ports".into(), [&forged[..], &[own]].concat());
        let address = |id: &str, of: &str| json!({ "id": id, "floating_network_id": of, "project_id": "p1", "description": "lingbao:a" });
        let both = vec![address("f1", "ext"), address("f2", "other")];
        stand.insert("floatingips".into(), both);
    }
    let lead = async |id: &'static str| {
        let (op, address, server) = (OperationId::from(id), id.into(), Some("s1".into()));
        let call = Call::AssociateAddress { address, server };
        clouds[0].execute(&op, call).await
    };
    let led = lead("f1").await;
    assert!(matches!(led, Outcome::Done(_)), "{led:?}");
    {
        let stand = stand.lock().unwrap();
        assert_eq!(stand["floatingips"][0]["port_id"], "z");
        let gateway = &stand["routers"][0]["external_gateway_info"];
        assert_eq!(gateway["network_id"], "ext");
    }
    // A router has one way alone.
    match lead("f2").await {
        Outcome::Refused(refusal) => assert_eq!(refusal.reason, RefusalReason::Conflict),
        other => panic!("{other:?}"),
    }
    assert_eq!(stand.lock().unwrap()["routers"].len(), 1);
}
