//! What the OpenStack client makes of a cloud that fails: a small stand-in for Keystone, Nova and
//! Cinder whose failures are in our hands. How a cloud behaves that does not fail is asked of a real
//! one (`openstack.rs`), not of this.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stand outside the test functions"
)]
mod acts;
mod answers;
mod missing;
mod tls;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{
        Method, StatusCode,
        header::{LOCATION, RETRY_AFTER},
    },
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

/// What happens to a request that makes a volume or installs a server anew.
enum What {
    /// It is not looked at.
    Refuse(u16, &'static str),
    /// The same, with a `Retry-After`.
    Later(u16, &'static str),
    /// It is done, and this is said instead of the answer.
    Say(u16, &'static str),
    /// It is done, and the answer comes too late.
    Hang,
}

#[derive(Default)]
struct Stand {
    url: String,
    volumes: Vec<Value>,
    faults: VecDeque<What>,
    /// Answers to reading Cinder, before it answers well.
    reading: VecDeque<u16>,
    /// What reading a path says with 200 instead of the answer.
    wrong: BTreeMap<String, String>,
    servers: Vec<Value>,
    /// What was asked of servers, the newest last.
    actions: Vec<Value>,
    /// What is said to a new password instead of yes, if anything; the passwords that were set.
    agent: Option<(u16, &'static str)>,
    passwords: Vec<String>,
    /// The orders to install a server anew that were taken.
    rebuilds: Vec<Value>,
    /// The sizes before resizes, by server.
    before: BTreeMap<String, Value>,
    /// What the sign-in leaves out of its token.
    without: &'static str,
    /// What the sign-in says instead of a token, if anything.
    sign_in: &'static str,
    logins: usize,
    nova: &'static str,
    /// Method, path and microversion of each request but the sign-ins.
    seen: Vec<(String, String, String)>,
}

type Shared = Arc<Mutex<Stand>>;

fn login(stand: &mut Stand) -> Response {
    stand.logins += 1;
    let services = [
        ("compute", "/compute/v2.1"),
        ("volumev3", "/volume/v3/p1"),
        ("network", "/network"),
        ("image", "/image"),
        ("placement", "/placement"),
    ];
    let catalogue: Vec<Value> = services
        .iter()
        .map(|(kind, path)| {
            let url = format!("{}{path}", stand.url);
            json!({ "type": kind, "endpoints": [{ "interface": "public", "region_id": "R", "url": url }] })
        })
        .collect();
    // An hour by a clock that is apart from ours by half a century.
    let mut token = json!({ "token": {
        "issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2026-01-01T01:00:00.000000Z",
        "project": { "id": "p1" }, "user": { "id": "u1" }, "roles": [{ "name": "admin" }],
        "catalog": catalogue } });
    let leave_out = stand.without;
    token["token"].as_object_mut().unwrap().remove(leave_out);
    let id = format!("token-{}", stand.logins);
    let text = match stand.sign_in {
        "" => token.to_string(),
        other => other.to_owned(),
    };
    (StatusCode::CREATED, [("X-Subject-Token", id)], text).into_response()
}

fn said(status: u16, body: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let to = [(LOCATION, "http://127.0.0.1:9/elsewhere")];
    (status, to, body.to_owned()).into_response()
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path().to_owned();
    let head = |name: &str| {
        let value = parts.headers.get(name).and_then(|v| v.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (reply, hang) = {
        let mut stand = shared.lock().unwrap();
        if path == "/v3/auth/tokens" {
            return login(&mut stand);
        }
        let version = head("OpenStack-API-Version");
        stand
            .seen
            .push((parts.method.to_string(), path.clone(), version));
        match stand.wrong.get(&path) {
            Some(wrong) if parts.method == Method::GET => (said(200, wrong), false),
            _ => {
                let query = parts.uri.query().unwrap_or_default();
                serve(&mut stand, &parts.method, &path, query, &body)
            }
        }
    };
    if hang {
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    reply
}

/// The answer, and whether it comes too late.
fn serve(
    stand: &mut Stand,
    method: &Method,
    path: &str,
    query: &str,
    body: &[u8],
) -> (Response, bool) {
    if let Some(reply) = acts::serve(stand, method, path, query, body) {
        return (reply, false);
    }
    let json = |value: Value| (Body::from(value.to_string()).into_response(), false);
    match (method.as_str(), path) {
        ("GET", "/compute/v2.1/") => {
            json(json!({ "version": { "id": "v2.1", "version": stand.nova } }))
        }
        ("GET", "/volume/v3/") => {
            json(json!({ "versions": [{ "id": "v3.0", "version": "3.70" }] }))
        }
        ("GET", "/compute/v2.1/limits") => json(json!({ "limits": {} })),
        ("GET", "/network/v2.0/floatingips") => json(json!({ "floatingips": [] })),
        ("GET", "/network/v2.0/networks") => json(json!({ "networks": [] })),
        ("GET", "/network/v2.0/ports") => json(json!({ "ports": [] })),
        ("GET", "/network/v2.0/security-groups") => json(json!({ "security_groups": [] })),
        ("GET", "/volume/v3/p1/snapshots/detail") => json(json!({ "snapshots": [] })),
        ("GET", "/volume/v3/p1/types") => json(json!({ "volume_types": [] })),
        ("GET", "/volume/v3/p1/backups/detail") => json(json!({ "backups": [] })),
        ("GET", "/volume/v3/p1/os-services") => {
            json(json!({ "services": [{ "binary": "cinder-backup" }] }))
        }
        ("GET", "/v3/projects") => json(json!({ "projects": [] })),
        ("GET", "/volume/v3/p1/volumes/detail") => match stand.reading.pop_front() {
            Some(status) => (said(status, "<html>"), false),
            None => json(json!({ "volumes": stand.volumes })),
        },
        ("POST", "/volume/v3/p1/volumes/v1/action") => json(Value::Null),
        ("GET", path) if path.starts_with("/volume/v3/p1/volumes/") => {
            let id = path.rsplit('/').next().unwrap();
            let it = stand.volumes.iter().find(|it| it["id"] == id).unwrap();
            json(json!({ "volume": it }))
        }
        ("DELETE", path) if path.starts_with("/volume/v3/p1/volumes/") => {
            let id = path.rsplit('/').next().unwrap();
            stand.volumes.retain(|it| it["id"] != id);
            (StatusCode::ACCEPTED.into_response(), false)
        }
        ("POST", "/volume/v3/p1/volumes") => {
            let fault = stand.faults.pop_front();
            if let Some(What::Refuse(status, body)) = fault {
                return (said(status, body), false);
            }
            if let Some(What::Later(status, after)) = fault {
                let mut reply = said(status, "{}");
                reply
                    .headers_mut()
                    .insert(RETRY_AFTER, after.parse().unwrap());
                return (reply, false);
            }
            let asked: Value = serde_json::from_slice(body).unwrap();
            let number = stand.volumes.len() + 1;
            let made = volume(&asked["volume"], number);
            stand.volumes.push(made.clone());
            match fault {
                Some(What::Say(status, body)) => (said(status, body), false),
                other => (
                    (StatusCode::ACCEPTED, json!({ "volume": made }).to_string()).into_response(),
                    matches!(other, Some(What::Hang)),
                ),
            }
        }
        _ => (StatusCode::NOT_FOUND.into_response(), false),
    }
}

fn volume(asked: &Value, number: usize) -> Value {
    let mut it = asked.clone();
    it["id"] = json!(format!("v{number}"));
    it["status"] = json!("available");
    it["created_at"] = json!(format!("2026-01-01T00:00:{number:02}.000000"));
    it["os-vol-tenant-attr:tenant_id"] = json!("p1");
    it["attachments"] = json!([]);
    it
}

struct World {
    cloud: OpenStack,
    stand: Shared,
    now: Arc<AtomicI64>,
}

async fn world() -> World {
    let stand = Shared::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    {
        let mut stand = stand.lock().unwrap();
        stand.url.clone_from(&url);
        stand.nova = "2.96";
    }
    let app = Router::new().fallback(answer).with_state(stand.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let now = Arc::new(AtomicI64::new(1_000_000));
    World {
        cloud: open(&url, &now),
        stand,
        now,
    }
}

fn open(url: &str, now: &Arc<AtomicI64>) -> OpenStack {
    opened(config(url), now)
}

fn config(url: &str) -> OpenStackConfig {
    OpenStackConfig {
        auth_url: format!("{url}/v3"),
        region: Some("R".into()),
        interface: "public".into(),
        ca_pem: None,
        credential: Credential::Password {
            user: "lingbao".into(),
            user_domain: "Default".into(),
            password: Secret("x".into()),
            project: "lingbao".into(),
            project_domain: "Default".into(),
        },
        domain: "default".into(),
        role: "member".into(),
        password_secret: Some(Secret("s".repeat(32))),
        timeout_ms: 1_000,
        connect_timeout_ms: 500,
        settle_ms: 10_000,
        poll_ms: 1_000,
        build_minutes: 10,
        stall_minutes: 3,
        external_network: None,
        outbound: false,
        dns_servers: Vec::new(),
        zones: vec![ZoneConfig {
            name: "p".into(),
            ..ZoneConfig::default()
        }],
        images: [("kylin-v10".to_owned(), "kylin".to_owned())].into(),
        flavours: BTreeMap::new(),
        make_flavours: false,
        volume_types: BTreeMap::new(),
        presets: BTreeMap::new(),
    }
}

fn opened(config: OpenStackConfig, now: &Arc<AtomicI64>) -> OpenStack {
    let now = now.clone();
    let clock: Arc<dyn Clock> =
        Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
    OpenStack::new("stand", config, clock).unwrap()
}

fn spec() -> VolumeSpec {
    VolumeSpec {
        project: "p1".into(),
        pool: "p".into(),
        name: "d".into(),
        size_gb: 10,
        volume_type: None,
    }
}

impl World {
    fn fault(&self, what: What) {
        self.stand.lock().unwrap().faults.push_back(what);
    }

    /// From now on reading a path says this.
    fn say(&self, path: &str, text: &str) {
        let mut stand = self.stand.lock().unwrap();
        stand.wrong.insert(path.to_owned(), text.to_owned());
    }

    fn volumes(&self) -> usize {
        self.stand.lock().unwrap().volumes.len()
    }

    fn asked(&self, method: &str, path: &str) -> usize {
        let stand = self.stand.lock().unwrap();
        let same = |it: &&(String, String, String)| it.0 == method && it.1 == path;
        stand.seen.iter().filter(same).count()
    }

    fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    async fn make(&self) -> Outcome<Volume> {
        self.cloud.create_volume(&"op".into(), spec()).await
    }
}

const VOLUMES: &str = "/volume/v3/p1/volumes";

#[tokio::test]
async fn a_lost_answer_is_waited_out_and_what_it_made_is_found() {
    for fault in [
        What::Hang,
        What::Say(504, "<html>Gateway time-out</html>"),
        What::Say(502, ""),
        What::Say(202, "{\"volume\": {\"id\": \"v1"),
        What::Say(202, "{}"),
        What::Say(
            500,
            "{\"computeFault\": {\"message\": \"Unexpected API Error\"}}",
        ),
        What::Say(302, ""),
    ] {
        let w = world().await;
        w.fault(fault);
        let lost = w.make().await;
        assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
        let made = w.make().await;
        assert!(matches!(made, Outcome::Done(_)), "{made:?}");
        assert_eq!((w.volumes(), w.asked("POST", VOLUMES)), (1, 1));
    }
}

#[tokio::test]
async fn after_a_lost_answer_nothing_is_made_before_its_time() {
    let w = world().await;
    // Lost, and not to be seen yet: it is still on its way.
    w.fault(What::Refuse(504, "<html>"));
    assert!(matches!(w.make().await, Outcome::Unknown(_)));
    let wait = w.make().await;
    assert!(
        matches!(
            wait,
            Outcome::Running {
                retry_after_ms: 10_000,
                ..
            }
        ),
        "{wait:?}"
    );
    assert_eq!(w.asked("POST", VOLUMES), 1);
    w.pass(10_000);
    let begun = w.make().await;
    assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
    assert!(matches!(w.make().await, Outcome::Done(_)));
    assert_eq!((w.volumes(), w.asked("POST", VOLUMES)), (1, 2));
}

#[tokio::test]
async fn who_stops_waiting_leaves_a_doubt_as_a_lost_answer_does() {
    let w = world().await;
    w.fault(What::Hang);
    let waited = tokio::time::timeout(Duration::from_millis(300), w.make()).await;
    assert!(waited.is_err(), "{waited:?}");
    // On its way still: it can't be seen yet.
    w.stand.lock().unwrap().volumes.clear();
    let wait = w.make().await;
    assert!(matches!(wait, Outcome::Running { .. }), "{wait:?}");
    assert_eq!(w.asked("POST", VOLUMES), 1);
    w.pass(10_000);
    assert!(matches!(w.make().await, Outcome::Running { .. }));
    assert_eq!(w.asked("POST", VOLUMES), 2);
}

#[tokio::test]
async fn a_deletion_that_came_to_nothing_is_asked_for_again_and_told() {
    let w = world().await;
    assert!(matches!(w.make().await, Outcome::Running { .. }));
    w.stand.lock().unwrap().volumes[0]["status"] = json!("error_deleting");
    match w.cloud.delete_volume(&"away".into(), "v1".into()).await {
        Outcome::Refused(refusal) => assert_eq!(refusal.reason, RefusalReason::Conflict),
        other => panic!("{other:?}"),
    }
    assert_eq!(w.asked("POST", "/volume/v3/p1/volumes/v1/action"), 1);
}

#[tokio::test]
async fn a_404_from_something_in_between_is_not_taken_for_gone() {
    let w = world().await;
    match w.cloud.delete_server(&"away".into(), "s1".into()).await {
        Outcome::Unreachable(why) => assert!(why.contains("404"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_failed_look_makes_nothing() {
    let w = world().await;
    w.stand.lock().unwrap().reading.extend([503, 500]);
    for _ in 0..2 {
        let made = w.make().await;
        assert!(matches!(made, Outcome::Unreachable(_)), "{made:?}");
    }
    assert_eq!(w.asked("POST", VOLUMES), 0);
}

#[tokio::test]
async fn a_refusal_has_the_clouds_words() {
    let w = world().await;
    w.fault(What::Refuse(
        413,
        "{\"overLimit\": {\"message\": \"VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota 'volumes'.\"}}",
    ));
    match w.make().await {
        Outcome::Refused(refusal) => {
            assert_eq!(refusal.reason, RefusalReason::QuotaExceeded);
            assert!(refusal.detail.contains("allowed (10)"), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
    // The refusal is not held against the operation.
    assert!(matches!(w.make().await, Outcome::Running { .. }));
}

#[tokio::test]
async fn a_token_is_renewed_after_a_401_and_the_request_repeated() {
    let w = world().await;
    w.fault(What::Refuse(401, "Authentication required"));
    assert!(matches!(w.make().await, Outcome::Running { .. }));
    let logins = w.stand.lock().unwrap().logins;
    // The portal's own, that of the project, and the project's again.
    assert_eq!((w.volumes(), logins), (1, 3));
    w.stand.lock().unwrap().reading.extend([401, 401]);
    match w.make().await {
        Outcome::Refused(refusal) => assert_eq!(refusal.reason, RefusalReason::Denied),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end_by_our_own_clock() {
    let w = world().await;
    w.cloud.health().await.unwrap();
    w.pass(54 * 60_000);
    w.cloud.health().await.unwrap();
    assert_eq!(w.stand.lock().unwrap().logins, 1);
    w.pass(2 * 60_000);
    w.cloud.health().await.unwrap();
    assert_eq!(w.stand.lock().unwrap().logins, 2);
}

#[tokio::test]
async fn each_service_is_asked_for_its_own_version_alone() {
    let w = world().await;
    w.cloud.find_by_operation(&"op".into()).await.unwrap();
    let stand = w.stand.lock().unwrap();
    for (_, path, version) in &stand.seen {
        let expected = match path.as_str() {
            "/compute/v2.1/" | "/volume/v3/" => "",
            path if path.starts_with("/compute") => "compute 2.93",
            path if path.starts_with("/volume") => "volume 3.70",
            _ => "",
        };
        assert_eq!(version, expected, "{path}");
    }
}

#[tokio::test]
async fn a_cloud_that_is_too_old_is_named_so() {
    let w = world().await;
    w.stand.lock().unwrap().nova = "2.38";
    match w.cloud.health().await {
        Err(ReadError::Refused(refusal)) => {
            assert_eq!(refusal.reason, RefusalReason::Unsupported);
            assert!(
                refusal.detail.contains("2.38") && refusal.detail.contains("2.53"),
                "{refusal}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn of_doubles_the_oldest_stays() {
    let w = world().await;
    assert!(matches!(w.make().await, Outcome::Running { .. }));
    {
        let mut stand = w.stand.lock().unwrap();
        let double = volume(&stand.volumes[0].clone(), 2);
        stand.volumes.insert(0, double);
    }
    match w.make().await {
        Outcome::Done(volume) => assert_eq!(volume.id, "v1".into()),
        other => panic!("{other:?}"),
    }
    assert_eq!(w.volumes(), 1);
}

#[tokio::test]
async fn cancelling_waits_for_the_call_under_way_and_names_what_it_made() {
    let w = world().await;
    w.fault(What::Hang);
    let op = OperationId::from("op");
    let (made, cancelled) = tokio::join!(w.make(), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        w.cloud.cancel(&op).await
    });
    assert!(matches!(made, Outcome::Unknown(_)), "{made:?}");
    // The answer was lost: what it made may still come.
    assert!(
        matches!(cancelled, Outcome::Running { .. }),
        "{cancelled:?}"
    );
    w.pass(10_000);
    match w.cloud.cancel(&op).await {
        Outcome::Done(OperationState::Cancelled { left: Some(left) }) => {
            assert_eq!(left.id(), &ExternalId::from("v1"));
        }
        other => panic!("{other:?}"),
    }
    match w.make().await {
        Outcome::Refused(refusal) => assert_eq!(refusal.reason, RefusalReason::Cancelled),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let cloud = open(&url, &Arc::new(AtomicI64::new(0)));
    let made = cloud.create_volume(&"op".into(), spec()).await;
    assert!(matches!(made, Outcome::Unreachable(_)), "{made:?}");
    assert!(matches!(
        cloud.health().await,
        Err(ReadError::Unreachable(_))
    ));
}

#[tokio::test]
async fn no_id_leads_to_another_address() {
    let w = world().await;
    for id in ["../../v3/users", "v1?all=1", "v1/action#", "%2e%2e"] {
        let id = ExternalId::from(id);
        assert_eq!(w.cloud.get(Kind::Volume, &id).await.unwrap(), None);
    }
    assert!(
        w.stand
            .lock()
            .unwrap()
            .seen
            .iter()
            .all(|it| it.1.ends_with('/'))
    );
}
