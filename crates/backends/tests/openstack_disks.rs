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
use lingbao_backends::provisioning::{
    openstack::{OpenStack, OpenStackConfig},
    *,
};
use serde_json::{Value, json};

/// What the cloud holds, and what was asked of it.
#[derive(Default)]
struct Stand {
    volumes: BTreeMap<String, Value>,
    /// The server `s1`, until it is deleted.
    server: Option<Value>,
    /// Method and path of what changes something.
    asked: Vec<String>,
    /// What becomes of a request to attach a volume; it is taken if nothing is said.
    attaching: Option<Attaching>,
}

/// What becomes of a request to attach a volume.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attaching {
    /// Nova takes it, and its answer is lost.
    Taken,
    /// It is lost itself.
    Lost,
    /// Nova says no.
    Refused,
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
        ["compute", "v2.1", "servers", "s1", rest @ ..] => nova(&mut stand, method, rest, &body),
        ["network", "v2.0", "security-groups"] => fine(&json!({ "security_groups": [] })),
        _ => none(),
    }
}

/// A server that is deleted lets go of its disks. This Nova deletes none of them, as where nobody told
/// it to, or where Cinder could not.
fn nova(stand: &mut Stand, method: &str, path: &[&str], body: &Value) -> Response {
    let Some(server) = &stand.server else {
        return none();
    };
    match (method, path) {
        ("GET", []) => fine(&json!({ "server": server })),
        ("GET", ["os-instance-actions"]) => fine(&json!({ "instanceActions": [] })),
        ("POST", ["os-volume_attachments"]) => {
            let how = stand.attaching.take();
            if how == Some(Attaching::Refused) {
                let said = json!({ "conflictingRequest": { "code": 409, "message": "locked" } });
                return (StatusCode::CONFLICT, said.to_string()).into_response();
            }
            let id = body["volumeAttachment"]["volumeId"].as_str().unwrap();
            if how != Some(Attaching::Lost) {
                stand.volumes.get_mut(id).unwrap()["status"] = json!("reserved");
            }
            match how {
                None => fine(body),
                Some(_) => StatusCode::BAD_GATEWAY.into_response(),
            }
        }
        ("DELETE", ["os-volume_attachments", id]) => {
            let it = stand.volumes.get_mut(*id).unwrap();
            (it["attachments"], it["status"]) = (json!([]), json!("available"));
            let server = stand.server.as_mut().unwrap();
            let hung = server["os-extended-volumes:volumes_attached"].as_array_mut();
            hung.unwrap().retain(|it| it["id"] != *id);
            StatusCode::ACCEPTED.into_response()
        }
        ("DELETE", []) => {
            stand.server = None;
            for it in stand.volumes.values_mut() {
                if it["attachments"][0]["server_id"] == "s1" {
                    it["attachments"] = json!([]);
                    it["status"] = json!("available");
                }
            }
            StatusCode::NO_CONTENT.into_response()
        }
        _ => none(),
    }
}

fn cinder(stand: &mut Stand, method: &str, path: &[&str], body: &Value) -> Response {
    match (method, path) {
        ("GET", ["volumes", "detail"]) => {
            let all: Vec<&Value> = stand.volumes.values().collect();
            fine(&json!({ "volumes": all }))
        }
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
        cloud: stand::open(stand::config(&url), &stand::now()),
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

    /// The server, with these disks: each at its place, and whether Nova was told to delete it too.
    /// All could be started from.
    fn server(&self, disks: &[(&str, &str, bool)]) {
        let mut attached = Vec::new();
        for (id, device, told) in disks {
            self.volume(id, "in-use");
            self.set(id, "bootable", json!("true"));
            let place = json!([{ "server_id": "s1", "device": device }]);
            self.set(id, "attachments", place);
            attached.push(json!({ "id": id, "delete_on_termination": told }));
        }
        let it = json!({ "id": "s1", "name": "h", "status": "ACTIVE", "tenant_id": "p1",
            "metadata": {}, "image": "", "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda",
            "os-extended-volumes:volumes_attached": attached });
        self.stand.lock().unwrap().server = Some(it);
    }

    async fn delete_server(&self, cloud: &OpenStack) -> Outcome<()> {
        cloud.delete_server(&"op".into(), "s1".into()).await
    }

    /// What Cinder has, by names and states.
    fn disks(&self) -> Vec<(String, String)> {
        let stand = self.stand.lock().unwrap();
        let text = |it: &Value| it["status"].as_str().unwrap().to_owned();
        let all = stand.volumes.iter();
        all.map(|(id, it)| (id.clone(), text(it))).collect()
    }

    /// Another process on the same cloud.
    fn elsewhere(&self) -> OpenStack {
        stand::open(stand::config(&self.url), &stand::now())
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

#[tokio::test]
async fn the_system_disk_goes_with_its_server_whatever_nova_does_and_by_any_process() {
    for told in [false, true] {
        let w = world().await;
        w.server(&[("v0", "/dev/vda", told), ("v1", "/dev/vdb", false)]);
        let begun = w.delete_server(&w.cloud).await;
        assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
        {
            // Before the server went: afterwards nothing says whose disk it was.
            let asked = w.stand.lock().unwrap().asked.clone();
            let first = [
                "POST volume/v3/volumes/v0/metadata",
                "DELETE compute/v2.1/servers/s1",
                "DELETE volume/v3/volumes/v0",
            ];
            assert_eq!(asked[..3], first, "told: {told}");
        }
        let there = w.elsewhere();
        let still = w.delete_server(&there).await;
        assert!(matches!(still, Outcome::Running { .. }), "{still:?}");
        w.stand.lock().unwrap().volumes.remove("v0");
        let gone = w.delete_server(&there).await;
        assert!(matches!(gone, Outcome::Done(())), "{gone:?}");
        // Another disk that hung on it stays, though it could be started from.
        assert_eq!(w.disks(), [("v1".to_owned(), "available".to_owned())]);
    }
}

#[tokio::test]
async fn a_data_disk_that_nova_was_told_to_delete_is_taken_off_first_and_stays() {
    let w = world().await;
    w.server(&[("v0", "/dev/vda", true), ("v1", "/dev/vdb", true)]);
    let begun = w.delete_server(&w.cloud).await;
    assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
    assert_eq!(w.asked("DELETE compute/v2.1/servers/s1"), 0);
    let goes = w.delete_server(&w.elsewhere()).await;
    assert!(matches!(goes, Outcome::Running { .. }), "{goes:?}");
    w.stand.lock().unwrap().volumes.remove("v0");
    let gone = w.delete_server(&w.elsewhere()).await;
    assert!(matches!(gone, Outcome::Done(())), "{gone:?}");
    assert_eq!(w.disks(), [("v1".to_owned(), "available".to_owned())]);
}

#[tokio::test]
async fn a_disk_that_was_saved_from_a_deletion_that_did_not_happen_stays() {
    let w = world().await;
    w.server(&[("v0", "/dev/vda", true)]);
    // Marked when Nova refused to delete its server, and detached by somebody since.
    w.volume("saved", "available");
    w.set("saved", "metadata", json!({ "lingbao_server": "s1" }));
    let begun = w.delete_server(&w.cloud).await;
    assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
    w.stand.lock().unwrap().volumes.remove("v0");
    let gone = w.delete_server(&w.elsewhere()).await;
    assert!(matches!(gone, Outcome::Done(())), "{gone:?}");
    assert_eq!(w.disks(), [("saved".to_owned(), "available".to_owned())]);
    // While the server is being deleted, what Nova has detached already keeps its mark.
    w.server(&[]);
    w.stand.lock().unwrap().server.as_mut().unwrap()["OS-EXT-STS:task_state"] = json!("deleting");
    w.set("saved", "metadata", json!({ "lingbao_server": "s1" }));
    let wait = w.delete_server(&w.elsewhere()).await;
    assert!(matches!(wait, Outcome::Running { .. }), "{wait:?}");
    let marked = w.stand.lock().unwrap().volumes["saved"]["metadata"]["lingbao_server"].clone();
    assert_eq!(marked, "s1");
}

#[tokio::test]
async fn a_system_disk_that_can_not_be_deleted_keeps_its_server_from_being_gone() {
    let w = world().await;
    w.server(&[("v0", "/dev/vda", true)]);
    assert!(matches!(
        w.delete_server(&w.cloud).await,
        Outcome::Running { .. }
    ));
    w.set("v0", "status", json!("error_deleting"));
    let no = w.delete_server(&w.elsewhere()).await;
    assert_eq!(reason(no), RefusalReason::Conflict);
    // Somebody has rescued it since: it is not ours to delete.
    w.set("v0", "status", json!("in-use"));
    w.set("v0", "attachments", json!([{ "server_id": "s2" }]));
    let no = w.delete_server(&w.elsewhere()).await;
    assert_eq!(reason(no), RefusalReason::Conflict);
    assert_eq!(w.asked("DELETE volume/v3/volumes/v0"), 1);
}

#[tokio::test]
async fn a_disk_tells_what_it_does_and_of_which_class_its_type_is() {
    let w = world().await;
    let classes = [("ssd", "ceph-ssd"), ("sata", "ceph-hdd")];
    let classes = classes.map(|(class, name)| (class.to_owned(), name.to_owned()));
    let cloud = stand::open(
        OpenStackConfig {
            volume_types: classes.into(),
            ..stand::config(&w.url)
        },
        &stand::now(),
    );
    let read = async || {
        let there = cloud.get(Kind::Volume, &"v1".into()).await.unwrap();
        there.and_then(Object::into_volume).unwrap()
    };
    for (status, state) in [
        ("available", VolumeState::Ready),
        ("in-use", VolumeState::Ready),
        ("backing-up", VolumeState::Ready),
        ("attaching", VolumeState::Changing),
        ("retyping", VolumeState::Changing),
        ("error", VolumeState::Error),
        ("error_extending", VolumeState::Error),
        ("error_deleting", VolumeState::Error),
    ] {
        w.volume("v1", status);
        assert_eq!(read().await.state, state, "{status}");
    }
    // Somebody else's is of the class that has its type, if one has.
    for (name, class) in [("ceph-ssd", Some("ssd")), ("tape", None), ("", None)] {
        w.set("v1", "volume_type", json!(name));
        let told = read().await.spec.volume_type;
        assert_eq!(told.as_deref(), class, "{name}");
    }
    w.set("v1", "metadata", json!({ "lingbao_class": "ssd" }));
    for (name, class) in [
        ("ceph-ssd", "ssd"),
        ("ceph-hdd", "sata"),
        ("tape", "tape"),
        ("", "ssd"),
    ] {
        w.set("v1", "volume_type", json!(name));
        let told = read().await.spec.volume_type;
        assert_eq!(told.as_deref(), Some(class), "{name}");
    }
}

const ATTACH: &str = "POST compute/v2.1/servers/s1/os-volume_attachments";

impl World {
    async fn attach(&self, cloud: &OpenStack) -> Outcome<Volume> {
        let (volume, server) = ("v1".into(), "s1".into());
        cloud.attach_volume(&"op".into(), volume, server).await
    }

    /// A server and a disk that hangs on nothing, of which the next request to attach comes to this.
    fn to_attach(&self, how: Option<Attaching>) {
        self.server(&[]);
        self.volume("v1", "available");
        self.stand.lock().unwrap().attaching = how;
    }
}

#[tokio::test]
async fn a_disk_that_was_taken_in_names_no_pool_and_hangs_on_hosts_that_do() {
    let w = world().await;
    w.to_attach(None);
    w.stand.lock().unwrap().server.as_mut().unwrap()["metadata"] = json!({ "lingbao_pool": "p" });
    let begun = w.attach(&w.cloud).await;
    assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
    assert_eq!(w.asked(ATTACH), 1);
}

#[tokio::test]
async fn an_attaching_whose_answer_was_lost_is_waited_for_by_any_process() {
    for other in [false, true] {
        let w = world().await;
        w.to_attach(Some(Attaching::Taken));
        let lost = w.attach(&w.cloud).await;
        assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
        let cloud = if other {
            w.elsewhere()
        } else {
            w.cloud.clone()
        };
        for status in ["reserved", "attaching"] {
            w.set("v1", "status", json!(status));
            let wait = w.attach(&cloud).await;
            assert!(
                matches!(wait, Outcome::Running { .. }),
                "{status}: {wait:?}"
            );
        }
        w.set("v1", "status", json!("in-use"));
        w.set("v1", "attachments", json!([{ "server_id": "s1" }]));
        let done = w.attach(&cloud).await;
        assert!(matches!(done, Outcome::Done(_)), "{done:?}");
        assert_eq!(w.asked(ATTACH), 1);
    }
}

#[tokio::test]
async fn what_may_be_on_its_way_to_nova_is_not_asked_for_again_at_once() {
    let w = world().await;
    w.to_attach(Some(Attaching::Lost));
    let lost = w.attach(&w.cloud).await;
    assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    let wait = w.attach(&w.cloud).await;
    assert!(matches!(wait, Outcome::Running { .. }), "{wait:?}");
    assert_eq!(w.asked(ATTACH), 1);
    // Who knows nothing of it says once that it came to nothing, and asks then.
    let there = w.elsewhere();
    assert_eq!(reason(w.attach(&there).await), RefusalReason::Conflict);
    let again = w.attach(&there).await;
    assert!(matches!(again, Outcome::Running { .. }), "{again:?}");
    assert_eq!(w.asked(ATTACH), 2);
}

#[tokio::test]
async fn what_nova_refused_is_asked_for_anew_by_the_next_attempt() {
    let w = world().await;
    w.to_attach(Some(Attaching::Refused));
    assert_eq!(reason(w.attach(&w.cloud).await), RefusalReason::Conflict);
    let again = w.attach(&w.cloud).await;
    assert!(matches!(again, Outcome::Running { .. }), "{again:?}");
    assert_eq!(w.asked(ATTACH), 2);
}

#[tokio::test]
async fn a_disk_that_somebody_else_attaches_is_not_taken_for_ours() {
    let w = world().await;
    w.to_attach(None);
    w.volume("v1", "reserved");
    assert_eq!(reason(w.attach(&w.cloud).await), RefusalReason::Conflict);
    assert_eq!(w.asked(ATTACH), 0);
}
