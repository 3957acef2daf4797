//! What becomes of the limits of a project that the portal finds, against a small stand-in for
//! Keystone and the three services that keep limits.
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
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use lingbao_backends::provisioning::{openstack::OpenStack, *};
use serde_json::{Value, json};

use stand::PORTAL;

/// The projects, and the limits by the path under which a service keeps them.
#[derive(Default)]
struct Stand {
    projects: Vec<Value>,
    limits: BTreeMap<String, Value>,
    url: String,
    /// How often limits were written.
    written: usize,
    /// Whether the portal's user has its role in the project.
    member: bool,
    /// Requests that change something, and which of them gets no answer: whether it is done all the same.
    changes: usize,
    lost: Option<(usize, bool)>,
    /// Whether the portal's user may not write limits.
    no_limits: bool,
}

type Shared = Arc<Mutex<Stand>>;

fn fine(value: &Value) -> Response {
    (StatusCode::OK, value.to_string()).into_response()
}

async fn answer(State((stand, url)): State<(Shared, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = parts.uri.path();
    let mut stand = stand.lock().unwrap();
    let lost = if parts.method == Method::GET || path == "/v3/auth/tokens" {
        None
    } else {
        stand.changes += 1;
        let number = stand.changes;
        stand.lost.filter(|(which, _)| *which == number)
    };
    match lost {
        None => serve(&mut stand, &url, &parts.method, path, &body),
        Some((_, done)) => {
            if done {
                serve(&mut stand, &url, &parts.method, path, &body);
            }
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

fn serve(stand: &mut Stand, url: &str, method: &Method, path: &str, body: &Value) -> Response {
    if path == "/v3/auth/tokens" {
        let service = |kind: &str, path: &str| {
            let endpoint = json!({ "interface": "public", "url": format!("{url}/{path}") });
            json!({ "type": kind, "endpoints": [endpoint] })
        };
        let catalogue = [
            service("network", "network"),
            service("compute", "compute/v2.1"),
            service("volumev3", "volume/v3"),
        ];
        let token = json!({ "token": { "project": { "id": PORTAL }, "user": { "id": "u" },
            "catalog": catalogue } });
        let token = token.to_string();
        return (StatusCode::CREATED, [("X-Subject-Token", "t")], token).into_response();
    }
    if path == "/compute/v2.1/" {
        return fine(&json!({ "version": { "id": "v2.1", "version": "2.93" } }));
    }
    if path == "/volume/v3/" {
        return fine(&json!({ "versions": [{ "id": "v3.0", "version": "3.70" }] }));
    }
    // Of anything else there is nothing.
    for (of, name) in [
        ("/compute/v2.1/servers", "servers"),
        ("/volume/v3/volumes/detail", "volumes"),
        ("/volume/v3/snapshots/detail", "snapshots"),
        ("/volume/v3/backups/detail", "backups"),
        ("/network/v2.0/floatingips", "floatingips"),
        ("/network/v2.0/networks", "networks"),
    ] {
        if path == of {
            return fine(&json!({ name: [] }));
        }
    }
    if path.contains("/os-quota-sets/") || path.starts_with("/network/v2.0/quotas/") {
        if method == Method::PUT && stand.no_limits {
            let said = json!({ "forbidden": { "code": 403, "message":
                "Policy doesn't allow os_compute_api:os-quota-sets:update to be performed." } });
            return (StatusCode::FORBIDDEN, said.to_string()).into_response();
        }
        if method == Method::PUT {
            stand.written += 1;
            // Nova, Cinder and Neutron keep what a body does not name.
            let kept = stand.limits.get_mut(path).unwrap();
            for (set, figures) in body.as_object().unwrap() {
                for (key, figure) in figures.as_object().unwrap() {
                    kept[set][key] = figure.clone();
                }
            }
        }
        return fine(&stand.limits[path]);
    }
    let parts_of: Vec<&str> = path.trim_start_matches("/v3/").split('/').collect();
    match (method.as_str(), parts_of.as_slice()) {
        ("GET", ["roles"]) => fine(&json!({ "roles": [{ "id": "r", "name": "member" }] })),
        ("GET", ["projects"]) => fine(&json!({ "projects": stand.projects })),
        ("POST", ["projects"]) => {
            let mut it = body["project"].clone();
            it["id"] = json!("p1");
            stand.projects.push(it.clone());
            (StatusCode::CREATED, json!({ "project": it }).to_string()).into_response()
        }
        ("GET", ["projects", _]) => fine(&json!({ "project": stand.projects[0] })),
        ("PUT", ["projects", _, "users", ..]) => {
            stand.member = true;
            StatusCode::NO_CONTENT.into_response()
        }
        ("PUT", ["projects", _, "tags"]) => {
            stand.projects[0]["tags"] = body["tags"].clone();
            fine(body)
        }
        // What else the doctor looks at is not there.
        _ if !path.starts_with("/v3/") => StatusCode::NOT_FOUND.into_response(),
        other => panic!("{other:?}"),
    }
}

/// A cloud with these projects, whose services keep their own limits until others are written.
async fn world(projects: Vec<Value>) -> (OpenStack, Shared) {
    let nova = json!({ "quota_set": { "cores": 20, "ram": 51_200, "instances": 10 } });
    let cinder = json!({ "quota_set": { "gigabytes": 1_000, "volumes": 10, "snapshots": 10 } });
    let neutron = json!({ "quota": { "floatingip": 50, "port": 500 } });
    let limits = [
        ("/compute/v2.1/os-quota-sets/p1", nova),
        ("/volume/v3/os-quota-sets/p1", cinder),
        ("/network/v2.0/quotas/p1", neutron),
    ];
    let own = limits
        .clone()
        .map(|(path, kept)| (path.replace("/p1", "/own"), kept));
    let limits = limits.map(|(path, kept)| (path.to_owned(), kept));
    let stand = Arc::new(Mutex::new(Stand {
        projects,
        limits: limits.into_iter().chain(own).collect(),
        ..Stand::default()
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new()
        .fallback(answer)
        .with_state((stand.clone(), url.clone()));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    stand.lock().unwrap().url.clone_from(&url);
    (stand::open(stand::config(&url), &stand::now()), stand)
}

async fn ensure(cloud: &OpenStack) -> Outcome<Project> {
    let spec = ProjectSpec {
        key: "old".into(),
        name: "统计局".into(),
    };
    cloud.ensure_project(&"op".into(), spec).await
}

async fn ensured(cloud: &OpenStack) -> Project {
    match ensure(cloud).await {
        Outcome::Done(project) => project,
        other => panic!("{other:?}"),
    }
}

fn old(tags: &[&str]) -> Value {
    json!({ "id": "p1", "name": "old", "description": "", "domain_id": "default", "tags": tags })
}

const OWN: ProjectQuota = ProjectQuota {
    vcpus: Some(20),
    memory_gb: Some(50),
    disk_gb: Some(1_000),
    addresses: Some(50),
};

#[tokio::test]
async fn a_project_that_an_operator_tagged_keeps_the_limits_that_it_had() {
    for tags in [&["lingbao"][..], &[]] {
        let (cloud, stand) = world(vec![old(tags)]).await;
        assert_eq!(ensured(&cloud).await.quota, OWN, "{tags:?}");
        let stand = stand.lock().unwrap();
        assert_eq!(stand.written, 0, "{tags:?}");
        let tags = stand.projects[0]["tags"].as_array().unwrap();
        assert!(tags.contains(&json!("lingbao-ready")), "{tags:?}");
    }
}

#[tokio::test]
async fn a_project_that_the_portal_made_has_no_limits_before_it_writes_some() {
    let (cloud, stand) = world(Vec::new()).await;
    assert_eq!(ensured(&cloud).await.quota, ProjectQuota::default());
    assert_eq!(stand.lock().unwrap().written, 3);
    // Made, and its maker died before it was set up: the operation stands in its tags.
    let half = old(&["lingbao", "lingbao-op-0123456789abcdef0123456789abcdef"]);
    let (cloud, _) = world(vec![half]).await;
    assert_eq!(ensured(&cloud).await.quota, ProjectQuota::default());
}

#[tokio::test]
async fn a_project_is_not_done_before_it_is_set_up() {
    // Making it, the role, three limits, the tags.
    for which in 1..=6 {
        for done in [false, true] {
            let (first, stand) = world(Vec::new()).await;
            stand.lock().unwrap().lost = Some((which, done));
            let lost = ensure(&first).await;
            assert!(matches!(lost, Outcome::Unknown(_)), "{which}: {lost:?}");
            // The portal was killed meanwhile.
            let url = stand.lock().unwrap().url.clone();
            let second = stand::open(stand::config(&url), &stand::now());
            let found = second.find_by_operation(&"op".into()).await.unwrap();
            if (which, done) == (6, true) {
                let is_there = matches!(found, OperationState::Done(Settled::Present(_)));
                assert!(is_there, "{found:?}");
            } else {
                assert_eq!(found, OperationState::Never, "{which} {done}");
            }
            ensured(&second).await;
            let found = second.find_by_operation(&"op".into()).await.unwrap();
            let is_there = matches!(found, OperationState::Done(Settled::Present(_)));
            assert!(is_there, "{which} {done}: {found:?}");
            assert!(stand.lock().unwrap().member, "{which} {done}");
        }
    }
}

#[tokio::test]
async fn who_may_not_write_limits_waits_for_an_operator_and_is_told_by_the_doctor() {
    let (cloud, stand) = world(Vec::new()).await;
    let limits = async || {
        let found = cloud.check().await.unwrap();
        let of = found.into_iter();
        let of = of.filter(|it| it.what.starts_with("limits of "));
        of.map(|it| it.wrong).collect::<Vec<_>>()
    };
    let before = stand.lock().unwrap().limits.clone();
    let told = limits().await;
    assert!(
        told.len() == 3 && told.iter().all(Option::is_none),
        "{told:?}"
    );
    {
        let mut stand = stand.lock().unwrap();
        assert_eq!(stand.written, 3);
        // The figures are what they were.
        for (path, kept) in &mut stand.limits {
            let set = kept.get_mut("quota_set").and_then(Value::as_object_mut);
            if let Some(set) = set {
                set.remove("force");
            }
            assert_eq!(*kept, before[path]);
        }
        stand.no_limits = true;
    }
    let told = limits().await;
    assert!(
        told.len() == 3 && told.iter().all(Option::is_some),
        "{told:?}"
    );
    match ensure(&cloud).await {
        Outcome::Refused(refusal) => assert_eq!(refusal.reason, RefusalReason::Denied),
        other => panic!("{other:?}"),
    }
}
