//! The behaviours of every cloud against a real OpenStack, and what only a real one shows.
//!
//! `LINGBAO_OPENSTACK` names a JSON file of a cloud that may be filled and emptied: `auth_url`,
//! `region`, `user`, `user_domain`, `password`, `project`, `project_domain`, and, to look at what an
//! application credential can do, `application_credential_id` and `application_credential_secret`.
//! Optional: `external_network` (`public`), `image` (`kylin-v10`), `zone` (`gov`). Without it these tests say so and do
//! nothing.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stand outside the test functions"
)]
mod behaviours;

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::StatusCode,
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
use serde_json::Value;

use behaviours::{Ground, done, ground, reason};

/// Past the harness, which keeps to itself what a test prints that passes.
fn left_out(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "LEFT OUT: {test}: {why}");
}

/// The cloud's file; `None`, said aloud, if there is none.
fn lab(test: &str) -> Option<Value> {
    let Ok(path) = std::env::var("LINGBAO_OPENSTACK") else {
        left_out(test, "LINGBAO_OPENSTACK names no cloud");
        return None;
    };
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    Some(serde_json::from_str(&text).unwrap())
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens of a real cloud end by the real clock"
)]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(now)
}

fn of(lab: &Value, key: &str, default: &str) -> String {
    lab[key].as_str().unwrap_or(default).to_owned()
}

fn config(lab: &Value) -> OpenStackConfig {
    OpenStackConfig {
        auth_url: of(lab, "auth_url", "http://127.0.0.1:5000/v3"),
        region: lab["region"].as_str().map(str::to_owned),
        interface: "public".into(),
        ca_pem: None,
        credential: Credential::Password {
            user: of(lab, "user", "admin"),
            user_domain: of(lab, "user_domain", "default"),
            password: Secret(of(lab, "password", "openstack")),
            project: of(lab, "project", "admin"),
            project_domain: of(lab, "project_domain", "default"),
        },
        domain: "default".into(),
        role: "member".into(),
        password_secret: Some(Secret("a secret of thirty-two letters!!".into())),
        timeout_ms: 60_000,
        connect_timeout_ms: 2_000,
        settle_ms: 3_000,
        poll_ms: 1_000,
        build_minutes: 10,
        stall_minutes: 3,
        external_network: Some(of(lab, "external_network", "public")),
        outbound: false,
        dns_servers: Vec::new(),
        zones: vec![ZoneConfig {
            name: "p".into(),
            zone: of(lab, "zone", "gov"),
            ..ZoneConfig::default()
        }],
        images: [("kylin-v10".to_owned(), of(lab, "image", "kylin-v10"))].into(),
        flavours: BTreeMap::new(),
        make_flavours: true,
        volume_types: BTreeMap::new(),
        presets: BTreeMap::new(),
    }
}

fn open(lab: &Value) -> OpenStack {
    OpenStack::new("lab", config(lab), clock()).unwrap()
}

/// One project for all behaviours: each network's router takes a public address for good.
async fn world(lab: &Value, behaviour: &str) -> Ground {
    let cloud = Box::new(open(lab));
    let run = format!("{:x}-{behaviour}-", now().millis());
    let key = if behaviour == "a_project_quota_is_kept" {
        "lab-quota"
    } else {
        "lab-shared"
    };
    let (project, network) = ground(cloud.as_ref(), &run, key).await;
    Ground {
        cloud,
        project,
        network,
        pool: "p".into(),
        image: "kylin-v10".into(),
        run,
        patience: (Duration::from_millis(500), 240),
    }
}

/// Takes everything of this run away.
async fn clear(world: &Ground) {
    let all = world.all(Some(&world.project)).await;
    let own = all
        .iter()
        .filter(|it| it.operation().0.starts_with(&world.run));
    let rank = |it: &&Object| match it.kind() {
        Kind::Server | Kind::Snapshot | Kind::Backup => 0,
        _ => 1,
    };
    let mut own: Vec<&Object> = own.collect();
    own.sort_by_key(rank);
    for (number, object) in own.into_iter().enumerate() {
        let id = object.id().clone();
        let call = match object.kind() {
            Kind::Server => Call::DeleteServer { server: id },
            Kind::Volume => Call::DeleteVolume { volume: id },
            Kind::Address => Call::ReleaseAddress { address: id },
            Kind::Snapshot => Call::DeleteSnapshot { snapshot: id },
            Kind::Backup => Call::DeleteBackup { backup: id },
            _ => continue,
        };
        let op = world.op(&format!("clear{number}"));
        done(
            world
                .settle(|| world.cloud.execute(&op, call.clone()))
                .await,
        );
    }
}

macro_rules! tests {
    ($($name:ident;)*) => {
        $(#[tokio::test]
        async fn $name() {
            let Some(lab) = lab(stringify!($name)) else { return };
            let world = world(&lab, stringify!($name)).await;
            behaviours::$name(&world).await;
            clear(&world).await;
        })*
    };
}

shared_behaviours!(tests);

/// What OpenStack can't keep: the tombstone of a cancelled operation is of one process. The portal's
/// sweep asks again, and this is what it is told.
#[tokio::test]
async fn a_tombstone_is_of_one_process() {
    let Some(lab) = lab("a_tombstone_is_of_one_process") else {
        return;
    };
    let here = world(&lab, "tombstone").await;
    let op = here.op("v");
    let cancelled = OperationState::Cancelled { left: None };
    assert_eq!(done(here.cloud.cancel(&op).await), cancelled);
    let there = open(&lab);
    let made = here
        .settle(|| there.create_volume(&op, here.volume()))
        .await;
    let made = done(made);
    // The sweep of the first process finds and names it, and takes it away.
    match here.cloud.find_by_operation(&op).await.unwrap() {
        OperationState::Cancelled { left: Some(left) } => assert_eq!(left.id(), &made.id),
        other => panic!("{other:?}"),
    }
    clear(&here).await;
    assert_eq!(here.cloud.find_by_operation(&op).await.unwrap(), cancelled);
}

/// A way to the cloud that does what it is asked and then loses the answer, as a proxy does whose
/// patience ends.
#[derive(Clone)]
struct Losing {
    /// `http://HOST:`, as it stands before each port of the cloud.
    there: String,
    here: String,
    http: reqwest::Client,
    /// End of the path whose next POST loses its answer.
    lose: Arc<Mutex<Option<&'static str>>>,
}

async fn losing(State(way): State<Losing>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let url = format!("{}{}", way.there, &parts.uri.to_string()[1..]);
    let mut onward = way.http.request(parts.method.clone(), url);
    for name in [
        "X-Auth-Token",
        "OpenStack-API-Version",
        "Content-Type",
        "Accept",
    ] {
        if let Some(value) = parts.headers.get(name) {
            onward = onward.header(name, value);
        }
    }
    let body = to_bytes(body, 1 << 24).await.unwrap();
    let answer = onward.body(body).send().await.unwrap();
    let (status, token) = (
        answer.status(),
        answer.headers().get("X-Subject-Token").cloned(),
    );
    let text = answer.text().await.unwrap().replace(&way.there, &way.here);
    let mut lose = way.lose.lock().unwrap();
    if lose.is_some_and(|end| parts.method == "POST" && parts.uri.path().ends_with(end)) {
        *lose = None;
        return StatusCode::GATEWAY_TIMEOUT.into_response();
    }
    let mut response = (status, text).into_response();
    if let Some(token) = token {
        response.headers_mut().insert("X-Subject-Token", token);
    }
    response
}

#[tokio::test]
async fn a_lost_answer_is_found_by_its_operation() {
    let Some(lab) = lab("a_lost_answer_is_found_by_its_operation") else {
        return;
    };
    let mut here = world(&lab, "lost").await;
    let mut config = config(&lab);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (scheme, rest) = config.auth_url.split_once("://").unwrap();
    let (host, rest) = rest.split_once(':').unwrap();
    let way = Losing {
        there: format!("{scheme}://{host}:"),
        here: format!("http://{}/", listener.local_addr().unwrap()),
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        lose: Arc::default(),
    };
    config.auth_url = format!("{}{rest}", way.here);
    let app = Router::new().fallback(losing).with_state(way.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    here.cloud = Box::new(OpenStack::new("losing", config, clock()).unwrap());
    let lose = |end| *way.lose.lock().unwrap() = Some(end);

    let (a, v, p) = (here.op("a"), here.op("v"), here.op("p"));
    lose("/servers");
    let lost = here.cloud.create_server(&a, here.server(1)).await;
    assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    lose("/volumes");
    let lost = here.cloud.create_volume(&v, here.volume()).await;
    assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    lose("/floatingips");
    let lost = here.cloud.allocate_address(&p, here.address()).await;
    assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    for op in [&a, &v] {
        let found = here.cloud.find_by_operation(op).await.unwrap();
        let there = !matches!(found, OperationState::Never | OperationState::Failed { .. });
        assert!(there, "{op}: {found:?}");
    }
    // Neutron writes pool and bandwidth only to what is there: half an address is named as such,
    // for who takes it back; who goes on under the operation makes it whole.
    let half = match here.cloud.find_by_operation(&p).await.unwrap() {
        OperationState::Failed {
            left: Some(half), ..
        } => half,
        other => panic!("{other:?}"),
    };
    let server = done(here.make("a", here.server(1)).await);
    assert!(server.one_time_password.is_some());
    done(
        here.settle(|| here.cloud.create_volume(&v, here.volume()))
            .await,
    );
    let address = done(
        here.settle(|| here.cloud.allocate_address(&p, here.address()))
            .await,
    );
    assert_eq!((&address.id, &address.spec), (&half, &here.address()));
    let whole = here.cloud.find_by_operation(&p).await.unwrap();
    assert!(matches!(whole, OperationState::Done(_)), "{whole:?}");
    for kind in [Kind::Server, Kind::Volume, Kind::Address] {
        assert_eq!(here.own(kind).await, 1, "{kind:?}");
    }
    clear(&here).await;
}

/// What a second process knows of the first one's work: everything that stands in the cloud.
#[tokio::test]
async fn another_process_goes_on_where_the_first_stopped() {
    let Some(lab) = lab("another_process_goes_on_where_the_first_stopped") else {
        return;
    };
    let here = world(&lab, "restart").await;
    let op = here.op("a");
    let begun = here.cloud.create_server(&op, here.server(1)).await;
    let Outcome::Running { poll, .. } = begun else {
        panic!("{begun:?}")
    };
    let there = open(&lab);
    let made = done(
        here.settle(|| there.create_server(&op, here.server(1)))
            .await,
    );
    assert_eq!(made, done(here.make("a", here.server(1)).await));
    assert!(made.one_time_password.is_some());
    match done(here.settle(|| there.poll(&poll)).await) {
        Settled::Present(object) => assert_eq!(object.into_server(), Some(made.clone())),
        Settled::Gone => panic!(),
    }
    let begun = here.cloud.stop_server(&here.op("b"), made.id.clone()).await;
    assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
    let (b, id) = (here.op("b"), made.id);
    let stopped = done(here.settle(|| there.stop_server(&b, id.clone())).await);
    assert_eq!(stopped.power, Power::Stopped);
    clear(&here).await;
}

/// Two processes that make the same at once: the older object stays.
#[tokio::test]
async fn of_two_that_race_one_object_stays() {
    let Some(lab) = lab("of_two_that_race_one_object_stays") else {
        return;
    };
    let here = world(&lab, "race").await;
    let there = open(&lab);
    let op = here.op("v");
    let (one, two) = tokio::join!(
        here.cloud.create_volume(&op, here.volume()),
        there.create_volume(&op, here.volume()),
    );
    let begun = |it: &Outcome<Volume>| matches!(it, Outcome::Running { .. } | Outcome::Done(_));
    assert!(begun(&one) && begun(&two), "{one:?} {two:?}");
    let one = done(
        here.settle(|| here.cloud.create_volume(&op, here.volume()))
            .await,
    );
    let two = done(
        here.settle(|| there.create_volume(&op, here.volume()))
            .await,
    );
    assert_eq!(one, two);
    let mut left = here.own(Kind::Volume).await;
    for _ in 0..60 {
        if left == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        left = here.own(Kind::Volume).await;
    }
    assert_eq!(left, 1);
    clear(&here).await;
}

#[tokio::test]
async fn a_console_opens_for_a_running_server() {
    let Some(lab) = lab("a_console_opens_for_a_running_server") else {
        return;
    };
    let here = world(&lab, "console").await;
    let made = done(here.make("a", here.server(1)).await);
    let link = here.cloud.console(&made.id).await.unwrap().unwrap();
    assert!(link.0.starts_with("http"), "no link");
    clear(&here).await;
}

/// The doctor names what is missing, and what would mend it.
#[tokio::test]
async fn what_is_missing_is_named_with_its_remedy() {
    let Some(lab) = lab("what_is_missing_is_named_with_its_remedy") else {
        return;
    };
    let mut config = config(&lab);
    config.images.insert("uos".into(), "no-such-image".into());
    config
        .flavours
        .insert("4x8".into(), "no-such-flavour".into());
    config
        .volume_types
        .insert("ssd".into(), "no-such-type".into());
    config.role = "no-such-role".into();
    config.zones[0].zone = "no-such-zone".into();
    config.zones[0].external_network = "no-such-network".into();
    let cloud = OpenStack::new("lab", config, clock()).unwrap();
    let found = cloud.check().await.unwrap();
    let wrong: Vec<&Finding> = found.iter().filter(|it| it.wrong.is_some()).collect();
    for word in ["uos", "flavour", "type", "role", "zone", "external network"] {
        let named = wrong.iter().find(|it| it.what.contains(word));
        assert!(
            named.is_some_and(|it| !it.wrong.as_ref().unwrap().remedy.is_empty()),
            "{word}: {found:?}"
        );
    }
    let mut bad = self::config(&lab);
    bad.region = Some("Nowhere".into());
    let found = OpenStack::new("lab", bad, clock())
        .unwrap()
        .check()
        .await
        .unwrap();
    let named = |it: &Finding| {
        it.wrong
            .as_ref()
            .is_some_and(|w| w.problem.contains("Nowhere"))
    };
    assert!(found.iter().any(named), "{found:?}");
}

/// An application credential is bound to its project: reading goes, making elsewhere does not.
#[tokio::test]
async fn an_application_credential_makes_nothing_in_other_projects() {
    let Some(lab) = lab("an_application_credential_makes_nothing_in_other_projects") else {
        return;
    };
    if lab["application_credential_id"].is_null() {
        left_out("application credential", "the file names none");
        return;
    }
    let here = world(&lab, "application").await;
    let credential = Credential::Application {
        id: of(&lab, "application_credential_id", ""),
        secret: Secret(of(&lab, "application_credential_secret", "")),
    };
    let config = OpenStackConfig {
        credential,
        ..config(&lab)
    };
    let cloud = OpenStack::new("lab", config, clock()).unwrap();
    cloud.health().await.unwrap();
    let made = cloud.create_volume(&here.op("a"), here.volume()).await;
    assert_eq!(reason(made), RefusalReason::Denied);
    let found = cloud.check().await.unwrap();
    let said = found
        .iter()
        .find(|it| it.what == "application credential")
        .unwrap();
    assert!(
        said.wrong
            .as_ref()
            .unwrap()
            .remedy
            .contains("password_file")
    );
}
