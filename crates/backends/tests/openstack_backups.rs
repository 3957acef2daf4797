//! What becomes of backups and their plans when Cinder and Nova answer badly, against a small stand-in.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests stand outside the test functions"
)]

mod restores;
mod stand;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lingbao_backends::provisioning::{
    openstack::{OpenStack, OpenStackConfig, ZoneConfig},
    *,
};
use serde_json::{Value, json};

/// What the cloud holds: a volume `v1`, and a server `s1` that starts from the volume `v0`.
struct Stand {
    backups: Vec<Value>,
    /// Volumes that were made.
    volumes: Vec<Value>,
    /// How often a backup was restored.
    restores: u32,
    /// Status of the volume `v1`.
    volume: &'static str,
    metadata: BTreeMap<String, Value>,
    tags: Vec<String>,
    /// Whether there is a cinder-backup.
    keeps: bool,
    /// Answers to what is posted that get lost after it was done.
    lost: u32,
}

type Shared = Arc<Mutex<Stand>>;

struct World {
    cloud: OpenStack,
    stand: Shared,
    now: Arc<AtomicI64>,
    url: String,
}

fn config(url: &str) -> OpenStackConfig {
    OpenStackConfig {
        zones: vec![ZoneConfig {
            name: "gov".into(),
            ..ZoneConfig::default()
        }],
        ..stand::config(url)
    }
}

fn fine(value: &Value) -> Response {
    (StatusCode::OK, value.to_string()).into_response()
}

fn none() -> Response {
    let said = json!({ "itemNotFound": { "message": "not there", "code": 404 } });
    (StatusCode::NOT_FOUND, said.to_string()).into_response()
}

fn volume(id: &str, status: &str) -> Response {
    fine(&json!({ "volume": {
        "id": id, "status": status, "os-vol-tenant-attr:tenant_id": "p1", "metadata": {},
        "bootable": if id == "v0" { "true" } else { "false" }, "size": 40,
        "attachments": [{ "server_id": "s1" }], "created_at": "2026-01-01T00:00:00.000000",
    }}))
}

async fn answer(State((stand, url)): State<(Shared, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut stand = stand.lock().unwrap();
    let path: Vec<&str> = parts
        .uri
        .path()
        .trim_matches('/')
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let query = parts.uri.query().unwrap_or_default();
    match (parts.method.as_str(), path.as_slice()) {
        ("POST", ["v3", "auth", "tokens"]) => {
            let service = |kind: &str, path: &str| {
                let endpoint = json!({ "interface": "public", "url": format!("{url}/{path}") });
                json!({ "type": kind, "endpoints": [endpoint] })
            };
            let catalogue = [
                service("compute", "compute/v2.1"),
                service("volumev3", "volume/v3"),
            ];
            let project = body["auth"]["scope"]["project"]["id"].as_str();
            let project = project.unwrap_or("own");
            let token = json!({ "token": { "project": { "id": project }, "user": { "id": "u" },
                "catalog": catalogue } });
            let token = token.to_string();
            (StatusCode::CREATED, [("X-Subject-Token", "t")], token).into_response()
        }
        ("GET", ["compute", "v2.1"]) => {
            fine(&json!({ "version": { "id": "v2.1", "version": "2.93" } }))
        }
        ("GET", ["volume", "v3"]) => {
            fine(&json!({ "versions": [{ "id": "v3.0", "version": "3.27" }] }))
        }
        ("GET", ["volume", "v3", "os-services"]) => {
            let one = stand.keeps.then(|| json!({ "binary": "cinder-backup" }));
            let all: Vec<Value> = one.into_iter().collect();
            fine(&json!({ "services": all }))
        }
        ("GET", ["volume", "v3", "volumes", "v0"]) => volume("v0", "in-use"),
        ("GET", ["volume", "v3", "volumes", "v1"]) => volume("v1", stand.volume),
        ("GET", ["volume", "v3", "volumes", "detail"]) => {
            let asked = |it: &&Value| {
                let by = if query.contains("name=") {
                    &it["name"]
                } else {
                    &it["metadata"]["lingbao_op"]
                };
                query.contains(by.as_str().unwrap())
            };
            let all: Vec<&Value> = stand.volumes.iter().filter(asked).collect();
            fine(&json!({ "volumes": all }))
        }
        ("POST", ["volume", "v3", "volumes"]) => {
            let mut it = body["volume"].clone();
            let number = stand.volumes.len() + 1;
            it["id"] = json!(format!("r{number}"));
            it["status"] = json!("creating");
            it["attachments"] = json!([]);
            it["created_at"] = json!(format!("2026-01-01T00:00:0{number}.000000"));
            it["os-vol-tenant-attr:tenant_id"] = json!("p1");
            stand.volumes.push(it.clone());
            if stand.lost > 0 {
                stand.lost -= 1;
                return StatusCode::BAD_GATEWAY.into_response();
            }
            (StatusCode::ACCEPTED, json!({ "volume": it }).to_string()).into_response()
        }
        ("POST", ["volume", "v3", "backups", _, "restore"]) => {
            let id = &body["restore"]["volume_id"];
            let there = stand.volumes.iter_mut().find(|it| it["id"] == *id);
            there.unwrap()["status"] = json!("restoring-backup");
            stand.restores += 1;
            if stand.lost > 0 {
                stand.lost -= 1;
                return StatusCode::BAD_GATEWAY.into_response();
            }
            StatusCode::ACCEPTED.into_response()
        }
        (method, ["volume", "v3", "volumes", id, rest @ ..]) => {
            let Some(at) = stand.volumes.iter().position(|it| it["id"] == *id) else {
                return none();
            };
            match (method, rest) {
                ("PUT", []) => {
                    for (key, value) in body["volume"].as_object().unwrap() {
                        stand.volumes[at][key] = value.clone();
                    }
                }
                ("PUT", ["metadata"]) => stand.volumes[at]["metadata"] = body["metadata"].clone(),
                ("DELETE", []) => {
                    stand.volumes.remove(at);
                    return StatusCode::ACCEPTED.into_response();
                }
                _ => {}
            }
            fine(&json!({ "volume": stand.volumes[at] }))
        }
        ("GET", ["volume", "v3", "backups", "detail"]) => {
            let named = |it: &&Value| query.contains(it["name"].as_str().unwrap());
            let all: Vec<&Value> = stand.backups.iter().filter(named).collect();
            fine(&json!({ "backups": all }))
        }
        ("POST", ["volume", "v3", "backups"]) => {
            let mut it = body["backup"].clone();
            let number = stand.backups.len() + 1;
            it["id"] = json!(format!("b{number}"));
            it["status"] = json!("creating");
            it["size"] = json!(40);
            it["created_at"] = json!(format!("2026-01-01T00:00:0{number}.000000"));
            it["os-backup-project-attr:project_id"] = json!("p1");
            stand.backups.push(it.clone());
            if stand.lost > 0 {
                stand.lost -= 1;
                return StatusCode::BAD_GATEWAY.into_response();
            }
            (StatusCode::ACCEPTED, json!({ "backup": it }).to_string()).into_response()
        }
        ("GET", ["volume", "v3", "backups", id]) => {
            match stand.backups.iter().find(|it| it["id"] == *id) {
                Some(it) => fine(&json!({ "backup": it })),
                None => none(),
            }
        }
        ("DELETE", ["volume", "v3", "backups", id]) => {
            stand.backups.retain(|it| it["id"] != *id);
            StatusCode::ACCEPTED.into_response()
        }
        ("GET", ["compute", "v2.1", "servers", "s1"]) => fine(&json!({ "server": {
            "id": "s1", "status": "ACTIVE", "tenant_id": "p1", "metadata": stand.metadata,
            "os-extended-volumes:volumes_attached": [{ "id": "v1" }, { "id": "v0" }],
        }})),
        ("GET", ["compute", "v2.1", "servers"]) => {
            let tagged = stand.tags.iter().any(|tag| query.contains(tag.as_str()));
            let all: Vec<Value> = tagged.then(|| json!({ "id": "s1" })).into_iter().collect();
            fine(&json!({ "servers": all }))
        }
        ("POST", ["compute", "v2.1", "servers", "s1", "metadata"]) => {
            for (key, value) in body["metadata"].as_object().unwrap() {
                stand.metadata.insert(key.clone(), value.clone());
            }
            if stand.lost > 0 {
                stand.lost -= 1;
                return StatusCode::BAD_GATEWAY.into_response();
            }
            fine(&json!({ "metadata": stand.metadata }))
        }
        ("DELETE", ["compute", "v2.1", "servers", "s1", "metadata", key]) => {
            stand.metadata.remove(*key);
            StatusCode::NO_CONTENT.into_response()
        }
        ("PUT", ["compute", "v2.1", "servers", "s1", "tags", tag]) => {
            stand.tags.push((*tag).to_owned());
            StatusCode::CREATED.into_response()
        }
        ("DELETE", ["compute", "v2.1", "servers", "s1", "tags", tag]) => {
            stand.tags.retain(|one| one != tag);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => none(),
    }
}

async fn world() -> World {
    let stand = Arc::new(Mutex::new(Stand {
        backups: Vec::new(),
        volumes: Vec::new(),
        restores: 0,
        volume: "in-use",
        metadata: BTreeMap::new(),
        tags: Vec::new(),
        keeps: true,
        lost: 0,
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new()
        .fallback(answer)
        .with_state((stand.clone(), url.clone()));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let now = stand::now();
    World {
        cloud: stand::open(config(&url), &now),
        stand,
        now,
        url,
    }
}

impl World {
    async fn make(&self, op: &str, of: BackedUp) -> Outcome<Backup> {
        let spec = BackupSpec {
            project: "p1".into(),
            of,
            name: "db 01".into(),
        };
        self.cloud.create_backup(&op.into(), spec).await
    }

    /// All backups come to a state.
    fn come_to(&self, status: &str) {
        for it in &mut self.stand.lock().unwrap().backups {
            it["status"] = json!(status);
            it["fail_reason"] = json!("no space left on device");
        }
    }

    fn count(&self) -> usize {
        self.stand.lock().unwrap().backups.len()
    }

    /// A world with a backup of which the cloud is done.
    async fn with_backup() -> Self {
        let w = world().await;
        let made = w.make("op1", disk()).await;
        assert!(matches!(made, Outcome::Running { .. }), "{made:?}");
        w.come_to("available");
        w
    }

    async fn restore(&self) -> Outcome<Volume> {
        let op = "op2".into();
        self.cloud.restore_backup(&op, "b1".into(), copy()).await
    }

    async fn goes_on(&self) {
        let answer = self.restore().await;
        assert!(matches!(answer, Outcome::Running { .. }), "{answer:?}");
    }

    /// All volumes come to a state.
    fn volumes_come_to(&self, status: &str) {
        for it in &mut self.stand.lock().unwrap().volumes {
            it["status"] = json!(status);
        }
    }

    /// Cinder is through: the metadata are those of the disk whose backup it is.
    fn filled(&self) {
        let mut stand = self.stand.lock().unwrap();
        for it in &mut stand.volumes {
            it["metadata"] = json!({ "lingbao_op": "op0", "lingbao_call": "another" });
            it["status"] = json!("available");
        }
    }

    /// How many volumes were made, and how often they were filled.
    fn made(&self) -> (usize, u32) {
        let stand = self.stand.lock().unwrap();
        (stand.volumes.len(), stand.restores)
    }
}

fn copy() -> VolumeSpec {
    VolumeSpec {
        project: "p1".into(),
        pool: PoolRef("gov".into()),
        name: "copy".into(),
        size_gb: 40,
        volume_type: None,
    }
}

fn disk() -> BackedUp {
    BackedUp::Volume("v1".into())
}

#[tokio::test]
async fn after_a_lost_answer_the_backup_is_found_and_none_is_made_twice() {
    let w = world().await;
    w.stand.lock().unwrap().lost = 1;
    let lost = w.make("op1", disk()).await;
    assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    let again = w.make("op1", disk()).await;
    assert!(matches!(again, Outcome::Running { .. }), "{again:?}");
    w.come_to("available");
    let Outcome::Done(made) = w.make("op1", disk()).await else {
        panic!("it is there");
    };
    assert_eq!((made.spec.name.as_str(), w.count()), ("db 01", 1));
    // Another process, that remembers nothing, finds it by its operation too.
    match w.cloud.find_by_operation(&"op1".into()).await {
        Ok(OperationState::Done(Settled::Present(it))) => assert_eq!(*it.id(), made.id),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn of_doubles_the_oldest_stays() {
    let w = world().await;
    assert!(matches!(
        w.make("op1", disk()).await,
        Outcome::Running { .. }
    ));
    {
        let mut stand = w.stand.lock().unwrap();
        let mut double = stand.backups[0].clone();
        double["id"] = json!("b0");
        double["created_at"] = json!("2025-12-31T00:00:00.000000");
        stand.backups.push(double);
    }
    w.come_to("available");
    let Outcome::Done(made) = w.make("op1", disk()).await else {
        panic!("it is there");
    };
    assert_eq!((made.id, w.count()), ("b0".into(), 1));
}

#[tokio::test]
async fn a_backup_that_came_to_nothing_says_why_and_is_named_to_be_deleted() {
    let w = world().await;
    assert!(matches!(
        w.make("op1", disk()).await,
        Outcome::Running { .. }
    ));
    w.come_to("error");
    match w.make("op1", disk()).await {
        Outcome::Refused(refusal) => {
            assert_eq!(refusal.reason, RefusalReason::Broken);
            assert!(refusal.detail.contains("no space left"), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
    let Outcome::Done(OperationState::Cancelled { left: Some(left) }) =
        w.cloud.cancel(&"op1".into()).await
    else {
        panic!("something is left");
    };
    let op = "op2".into();
    let first = w.cloud.delete_backup(&op, left.id().clone()).await;
    assert!(matches!(first, Outcome::Running { .. }), "{first:?}");
    let then = w.cloud.delete_backup(&op, left.id().clone()).await;
    assert!(matches!(then, Outcome::Done(())), "{then:?}");
    assert_eq!(w.count(), 0);
}

#[tokio::test]
async fn the_system_disk_of_a_server_is_the_volume_from_which_it_starts() {
    let w = world().await;
    let made = w.make("op1", BackedUp::SystemDisk("s1".into())).await;
    assert!(matches!(made, Outcome::Running { .. }), "{made:?}");
    assert_eq!(w.stand.lock().unwrap().backups[0]["volume_id"], "v0");
    let none = w.make("op2", BackedUp::SystemDisk("s2".into())).await;
    assert!(
        matches!(&none, Outcome::Refused(no) if no.reason == RefusalReason::NotFound),
        "{none:?}"
    );
    w.stand.lock().unwrap().volume = "backing-up";
    let busy = w.make("op3", disk()).await;
    assert!(
        matches!(&busy, Outcome::Refused(no) if no.reason == RefusalReason::Conflict),
        "{busy:?}"
    );
    assert_eq!(w.count(), 1);
}

#[tokio::test]
async fn a_backup_may_take_hours_and_is_asked_for_more_seldom() {
    let w = world().await;
    assert!(matches!(
        w.make("op1", disk()).await,
        Outcome::Running { .. }
    ));
    w.now.fetch_add(5 * 3_600_000, Ordering::SeqCst);
    match w.make("op1", disk()).await {
        Outcome::Running { retry_after_ms, .. } => assert_eq!(retry_after_ms, 60_000),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_a_service_of_cinder_neither_backups_nor_plans_are_offered() {
    let w = world().await;
    let calls = [CallKind::CreateBackup, CallKind::CreateBackupPlan];
    let can = w.cloud.capabilities().await.unwrap().calls;
    assert!(calls.iter().all(|call| can.contains(call)));
    w.stand.lock().unwrap().keeps = false;
    let can = w.cloud.capabilities().await.unwrap().calls;
    assert!(calls.iter().all(|call| !can.contains(call)));
    assert!(can.contains(&CallKind::CreateSnapshot));
}

#[tokio::test]
async fn a_plan_is_a_note_on_its_server_that_a_lost_answer_writes_once() {
    let w = world().await;
    let spec = BackupPlanSpec {
        project: "p1".into(),
        target: "s1".into(),
        every_hours: 24,
        keep_days: 7,
    };
    let op = "op1".into();
    w.stand.lock().unwrap().lost = 1;
    let lost = w.cloud.create_backup_plan(&op, spec.clone()).await;
    assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    let Outcome::Done(plan) = w.cloud.create_backup_plan(&op, spec.clone()).await else {
        panic!("it is there");
    };
    assert_eq!(plan.spec, spec);
    {
        let stand = w.stand.lock().unwrap();
        let notes: Vec<&Value> = stand.metadata.values().collect();
        assert_eq!(notes, [&json!("24 7 op1")]);
        assert_eq!(stand.tags.len(), 1);
    }
    let op = "op2".into();
    let gone = w.cloud.delete_backup_plan(&op, plan.id.clone()).await;
    assert!(matches!(gone, Outcome::Done(())), "{gone:?}");
    let stand = w.stand.lock().unwrap();
    assert!(stand.metadata.is_empty() && stand.tags.is_empty());
}
