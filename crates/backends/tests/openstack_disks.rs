//! What becomes of disks while Cinder and Nova work on them, against a small stand-in. Time stands
//! still; what the stand-in says of its things is as old as a test wants it.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests stand outside the test functions"
)]

mod stand;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lingbao_backends::provisioning::{openstack::OpenStack, *};
use serde_json::{Value, json};

/// What the cloud holds, and what was asked of it.
#[derive(Default)]
struct Stand {
    volumes: BTreeMap<String, Value>,
    /// Method and path of what changes something.
    asked: Vec<String>,
}

type Shared = Arc<Mutex<Stand>>;

struct World {
    cloud: OpenStack,
    stand: Shared,
    url: String,
}

fn fine(value: &Value) -> Response {
    (StatusCode::OK, value.to_string()).into_response()
}

fn none() -> Response {
    let said = json!({ "itemNotFound": { "message": "not there", "code": 404 } });
    (StatusCode::NOT_FOUND, said.to_string()).into_response()
}

fn sign_in(url: &str) -> Response {
    let service = |kind: &str, path: &str| {
        let endpoint = json!({ "interface": "public", "url": format!("{url}/{path}") });
        json!({ "type": kind, "endpoints": [endpoint] })
    };
    let catalogue = [
        service("compute", "compute/v2.1"),
        service("volumev3", "volume/v3"),
        service("network", "network"),
    ];
    let token = json!({ "token": { "project": { "id": "own" }, "user": { "id": "u" },
        "catalog": catalogue } });
    let token = token.to_string();
    (StatusCode::CREATED, [("X-Subject-Token", "t")], token).into_response()
}

async fn answer(State((stand, url)): State<(Shared, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut stand = stand.lock().unwrap();
    let path = parts.uri.path().trim_matches('/');
    let method = parts.method.as_str();
    match (method, path) {
        ("POST", "v3/auth/tokens") => return sign_in(&url),
        ("GET", "compute/v2.1") => {
            return fine(&json!({ "version": { "id": "v2.1", "version": "2.93" } }));
        }
        ("GET", "volume/v3") => {
            return fine(&json!({ "versions": [{ "id": "v3.0", "version": "3.59" }] }));
        }
        _ => {}
    }
    if method != "GET" {
        stand.asked.push(format!("{method} {path}"));
    }
    let path: Vec<&str> = path.split('/').collect();
    match path.as_slice() {
        ["volume", "v3", rest @ ..] => cinder(&mut stand, method, rest, &body),
        _ => none(),
    }
}

fn cinder(stand: &mut Stand, method: &str, path: &[&str], body: &Value) -> Response {
    match (method, path) {
        ("GET", ["volumes", id]) => match stand.volumes.get(*id) {
            Some(it) => fine(&json!({ "volume": it })),
            None => none(),
        },
        ("POST", ["volumes", id, "metadata"]) => {
            let it = stand.volumes.get_mut(*id).unwrap();
            for (key, value) in body["metadata"].as_object().unwrap() {
                it["metadata"][key] = value.clone();
            }
            fine(body)
        }
        // The answer comes at once, the zeroes take their time.
        ("DELETE", ["volumes", id]) | ("POST", ["volumes", id, "action"]) => {
            stand.volumes.get_mut(*id).unwrap()["status"] = json!("deleting");
            StatusCode::ACCEPTED.into_response()
        }
        _ => none(),
    }
}

async fn world() -> World {
    let stand = Shared::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new()
        .fallback(answer)
        .with_state((stand.clone(), url.clone()));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    World {
        cloud: stand::open(stand::config(&url)),
        stand,
        url,
    }
}

/// The hour and minute of the day on which all tests take place, half a minute after midnight; a day
/// before for hours that are still to come.
fn at(hour: u32, minute: u32) -> String {
    let day = if (hour, minute) > (0, 0) {
        "2025-12-31"
    } else {
        "2026-01-01"
    };
    format!("{day}T{hour:02}:{minute:02}:00.000000")
}

impl World {
    /// A volume of 100 GiB that hangs on nothing.
    fn volume(&self, id: &str, status: &str) {
        let it = json!({ "id": id, "name": id, "status": status, "size": 100, "metadata": {},
            "bootable": "false", "attachments": [], "os-vol-tenant-attr:tenant_id": "p1",
            "created_at": at(0, 0), "updated_at": at(0, 0) });
        self.stand.lock().unwrap().volumes.insert(id.to_owned(), it);
    }

    fn set(&self, id: &str, key: &str, value: Value) {
        self.stand.lock().unwrap().volumes.get_mut(id).unwrap()[key] = value;
    }

    /// Another process on the same cloud.
    fn elsewhere(&self) -> OpenStack {
        stand::open(stand::config(&self.url))
    }

    /// How often this was asked for.
    fn asked(&self, what: &str) -> usize {
        let stand = self.stand.lock().unwrap();
        stand.asked.iter().filter(|it| *it == what).count()
    }
}

fn reason<T: std::fmt::Debug>(outcome: Outcome<T>) -> RefusalReason {
    match outcome {
        Outcome::Refused(refusal) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_hangs_on_nothing_is_detached_whatever_becomes_of_it() {
    let w = world().await;
    for status in [
        "available",
        "error",
        "deleting",
        "error_deleting",
        "extending",
        "error_extending",
        "backing-up",
    ] {
        w.volume("v1", status);
        let done = w.elsewhere().detach_volume(&"op".into(), "v1".into()).await;
        assert!(matches!(done, Outcome::Done(_)), "{status}: {done:?}");
    }
    for status in ["in-use", "reserved", "attaching"] {
        w.volume("v1", status);
        let no = w.elsewhere().detach_volume(&"op".into(), "v1".into()).await;
        assert_eq!(reason(no), RefusalReason::Conflict, "{status}");
    }
    w.volume("v1", "detaching");
    let wait = w.elsewhere().detach_volume(&"op".into(), "v1".into()).await;
    assert!(matches!(wait, Outcome::Running { .. }), "{wait:?}");
    assert!(w.stand.lock().unwrap().asked.is_empty());
}

#[tokio::test]
async fn another_process_goes_on_with_a_deletion_and_forces_one_that_failed() {
    let w = world().await;
    let volume = || ExternalId::from("v1");
    // As a release asks: each run detaches first.
    let release = async |cloud: &OpenStack| {
        let free = cloud.detach_volume(&"op:detach".into(), volume()).await;
        assert!(matches!(free, Outcome::Done(_)), "{free:?}");
        cloud.delete_volume(&"op:delete".into(), volume()).await
    };
    w.volume("v1", "available");
    let begun = release(&w.cloud).await;
    assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
    let there = w.elsewhere();
    let still = release(&there).await;
    assert!(matches!(still, Outcome::Running { .. }), "{still:?}");
    w.set("v1", "status", json!("error_deleting"));
    assert_eq!(reason(release(&there).await), RefusalReason::Conflict);
    assert_eq!(w.asked("POST volume/v3/volumes/v1/action"), 1);
    let again = release(&w.elsewhere()).await;
    assert!(matches!(again, Outcome::Running { .. }), "{again:?}");
    w.stand.lock().unwrap().volumes.clear();
    let gone = w
        .elsewhere()
        .delete_volume(&"op:delete".into(), volume())
        .await;
    assert!(matches!(gone, Outcome::Done(())), "{gone:?}");
}

#[tokio::test]
async fn a_disk_may_be_wiped_for_as_long_as_it_is_large_and_not_for_ever() {
    let w = world().await;
    w.volume("v1", "deleting");
    // Ten minutes of a cloud's patience, and a hundred of a hundred GiB.
    w.set("v1", "updated_at", json!(at(22, 15)));
    match w.cloud.delete_volume(&"op".into(), "v1".into()).await {
        Outcome::Running { retry_after_ms, .. } => assert_eq!(retry_after_ms, 60_000),
        other => panic!("{other:?}"),
    }
    w.set("v1", "updated_at", json!(at(22, 5)));
    let late = w.cloud.delete_volume(&"op".into(), "v1".into()).await;
    assert_eq!(reason(late), RefusalReason::Conflict);
}
