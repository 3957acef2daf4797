//! What is done at once to what runs: by program and by page, through the router.
use std::sync::Arc;

use axum::body::Body;
use lingbao_backends::{
    Backends,
    provisioning::simulator::{Latency, Simulator},
};
use lingbao_core::{
    clock::Clock as _,
    fulfil,
    jobs::{Registry, run_until_idle},
    seed,
    storage::{item, place, quota, sql::Sql, vdc},
    testing::{CONSOLE, WithConsoles},
};
use lingbao_model::{
    catalogue::Publication, people::Role, quota::Dimension, view::people::TokenScope,
};
use serde_json::{Value, json};

use crate::portal::{Browser, Portal};

pub struct Town {
    pub portal: Portal,
    pub jobs: Arc<Registry>,
    pub host: String,
    pub disk: String,
}

impl Town {
    /// A portal with a cloud, and a host with a disk on it, ordered and delivered.
    pub async fn start() -> Self {
        let portal = Portal::with_clouds(|app| {
            let told = app.clock.clone();
            let config = seed::cloud(None, 7, Latency::default());
            let cloud = Simulator::open("simulator", config, move || told.now()).unwrap();
            Arc::new(Backends::default().with(WithConsoles(cloud)))
        })
        .await;
        let backends = portal.app.app.backends.clone();
        let jobs = Arc::new(fulfil::wire(Registry::new(), &backends));
        let cx = portal.app.app.system();
        let mut tx = portal.app.app.db.begin().await.unwrap();
        let root = vdc::of_unit(&mut tx, &portal.root)
            .await
            .unwrap()
            .remove(0)
            .0;
        for pool in place::pools(&mut tx).await.unwrap() {
            for dimension in Dimension::ALL {
                let operation = format!("limit:{}:{dimension}", pool.id);
                quota::set_limit(
                    &mut tx, &cx, &operation, &root, &pool.id, *dimension, 1_000_000,
                )
                .await
                .unwrap();
            }
        }
        let pool = place::pools(&mut tx).await.unwrap().remove(0);
        tx.commit().await.unwrap();
        let user = portal.account("clerk", &[Role::Applicant]).await;
        let mut town = Self {
            host: String::new(),
            disk: String::new(),
            jobs,
            portal,
        };
        let clerk = town.portal.token("clerk", &user, TokenScope::Write).await;
        let system =
            json!({ "name": "统计直报", "short_name": "tjzb", "level": "2", "state": "live" });
        let made = clerk.json("POST", "/api/v1/systems", &system).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let systems = clerk.get("/api/v1/systems").await.json();
        let cell = format!("{}/2/{}", pool.zone, pool.id);
        let host = json!({ "arch": "general", "vcpus": "1", "memory_gb": "2", "image": "debian-12",
            "system_disk_gb": "40", "access": "password" });
        let disk = json!({ "attach_to": "#1", "disk_class": "ssd", "size_gb": "20" });
        let order = json!({
            "head": { "system": systems["rows"][0]["id"], "title": "一台主机", "reason": "核验日常运维用的一台主机。" },
            "lines": [
                { "item": "C-ECS", "name": "web", "cell": cell, "typed": host },
                { "item": "S-EVS", "name": "data", "cell": cell, "typed": disk },
            ],
        });
        let draft = clerk.json("POST", "/api/v1/drafts", &order).await;
        assert_eq!(draft.status, 201, "{}", draft.text);
        let path = format!(
            "/api/v1/requests/{}/submit",
            draft.json()["id"].as_str().unwrap()
        );
        let body = json!({ "version": draft.json()["version"] });
        let sent = clerk.json("POST", &path, &body).await;
        assert_eq!(sent.status, 200, "{}", sent.text);
        assert_eq!(sent.json()["status"], "approved", "{}", sent.text);
        town.run().await;
        let rows = clerk.get("/api/v1/resources").await.json();
        let of = |kind: &str| {
            let rows = rows["rows"].as_array().unwrap();
            let row = rows.iter().find(|r| r["kind"] == kind).unwrap();
            row["id"].as_str().unwrap().to_owned()
        };
        let (host, disk) = (of("server"), of("volume"));
        drop(clerk);
        town.host = host;
        town.disk = disk;
        town
    }

    pub async fn run(&self) {
        run_until_idle(&self.portal.app.app, &self.jobs)
            .await
            .unwrap();
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/api/v1/resources/{}{rest}", self.disk)
    }

    /// Another price of disks, in millionths of 分 a GB.
    pub async fn price(&self, from: &str, to: &str) {
        let app = &self.portal.app.app;
        let mut tx = app.db.begin().await.unwrap();
        let offer = item::offer(&mut tx, "S-EVS").await.unwrap().unwrap();
        let formula = serde_json::to_string(&offer.price).unwrap();
        let formula = serde_json::from_str(&formula.replace(from, to)).unwrap();
        Sql::new("UPDATE price_version SET state = 'retired' WHERE item_id = ")
            .bind(offer.item.as_str())
            .run(&mut tx)
            .await
            .unwrap();
        let (number, at) = (offer.price_version + 1, app.clock.now());
        let published = Publication::Published;
        item::insert_price(
            &mut tx,
            &offer.item,
            number,
            &formula,
            published,
            "system",
            at,
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }
}

pub async fn post(clerk: &Browser<'_>, path: &str, body: &Value) -> crate::portal::Answer {
    let headers = [
        ("content-type", "application/json"),
        ("sec-fetch-site", "same-origin"),
    ];
    clerk
        .request("POST", path, &headers, Body::from(body.to_string()))
        .await
}

fn asked(snapshot: &str, name: &str, month: &Value) -> Value {
    let typed = json!({ "snapshot": snapshot, "name": name, "month": month.to_string() });
    json!({ "what": "restore", "typed": typed, "reason": "恢复演练" })
}

#[tokio::test]
async fn a_disk_that_needs_consent_is_asked_for_by_program_and_by_page() {
    let town = Town::start().await;
    town.portal.account("chief", &[Role::DeptLeader]).await;
    let clerk = town.portal.sign_in("clerk").await;
    let taken = post(
        &clerk,
        &town.path("/snapshots"),
        &json!({ "name": "before" }),
    )
    .await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    town.run().await;
    let seen = clerk.get(&town.path("")).await.json();
    let snapshot = seen["snapshots"][0]["id"].as_str().unwrap();
    town.price("70000000", "7000000000").await;

    let path = town.path(&format!("/snapshots/{snapshot}/restore"));
    let view = clerk.get(&path).await.json();
    assert_eq!(view["blocks"], json!([]));
    assert_eq!(view["route"].as_array().unwrap().len(), 1, "{view}");
    let month = &view["quote"]["each"];
    let order = json!({ "name": "copy", "month": month });
    let refused = post(&clerk, &path, &order).await;
    assert_eq!(
        (refused.status, refused.json()["key"].as_str()),
        (409, Some("resource.restore_needs_consent"))
    );
    let body = asked(snapshot, "copy", month);
    let tried = post(&clerk, &town.path("/changes/try"), &body).await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    assert_eq!(tried.json()["change"]["month_after"], *month);
    let stale = asked(snapshot, "copy", &json!(1));
    let stale = post(&clerk, &town.path("/changes"), &stale).await;
    assert_eq!(
        (stale.status, stale.json()["key"].as_str()),
        (409, Some("resource.price_changed"))
    );
    let made = post(&clerk, &town.path("/changes"), &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json()["status"], "in_approval");
    let request = made.json()["request"].as_str().unwrap().to_owned();
    let paper = clerk.get(&format!("/requests/{request}")).await;
    assert!(paper.text.contains("copy") && paper.text.contains("before"));
    let kept = clerk
        .request(
            "DELETE",
            &town.path(&format!("/snapshots/{snapshot}")),
            &[("sec-fetch-site", "same-origin")],
            Body::empty(),
        )
        .await;
    assert_eq!(
        (kept.status, kept.json()["key"].as_str()),
        (409, Some("resource.snapshot_asked_for"))
    );
    let version = clerk
        .get(&format!("/api/v1/requests/{request}"))
        .await
        .json()["version"]
        .clone();
    let withdraw = format!("/api/v1/requests/{request}/withdraw");
    let back = post(&clerk, &withdraw, &json!({ "version": version })).await;
    assert!(back.status < 300, "{}", back.text);

    // By page: the same form, with a reason; without one what was typed stays.
    let page = format!("/resources/{}/snapshots/{snapshot}", town.disk);
    let shown = clerk.get(&page).await;
    assert!(shown.text.contains("name=\"asks\"") && shown.text.contains("name=\"reason\""));
    let month = month.to_string();
    let bare = [
        ("asks", "yes"),
        ("name", "of-the-page"),
        ("month", month.as_str()),
        ("reason", ""),
        ("form_id", "one-form-of-many"),
    ];
    let refused = clerk.post(&page, &bare).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("of-the-page"));
    let mut whole = bare;
    whole[3].1 = "恢复演练";
    let mut places = Vec::new();
    for _ in 0..2 {
        let sent = clerk.post(&page, &whole).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        places.push(sent.header("location").to_owned());
    }
    assert_eq!(places[0], places[1]);
    assert!(places[0].starts_with("/requests/"));
    let chief = town.portal.sign_in("chief").await;
    let todos = chief.get("/api/v1/todos").await.json();
    let step = todos["rows"][0]["step"].as_str().unwrap();
    let card = chief.get(&format!("/todo/{step}")).await;
    assert!(card.text.contains("of-the-page") && card.text.contains("用快照新建云硬盘"));
    let digest = chief.get(&format!("/api/v1/todos/{step}")).await.json()["digest"].clone();
    let agree = json!({ "decision": "approve", "opinion": "同意", "digest": digest });
    let decided = post(&chief, &format!("/api/v1/todos/{step}/decide"), &agree).await;
    assert_eq!(decided.status, 200, "{}", decided.text);
    town.run().await;
    let volumes = clerk.get("/api/v1/resources?kind=volume").await.json();
    let volumes = volumes["rows"].as_array().unwrap();
    assert!(volumes.iter().any(|disk| disk["name"] == "of-the-page"));
}

#[tokio::test]
async fn a_program_restarts_keeps_doubles_moves_and_deletes() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let host = format!("/api/v1/resources/{}/restart", town.host);
    let answer = post(&clerk, &host, &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["busy"]["key"], "resource.busy.restart");
    let again = post(&clerk, &host, &json!({})).await;
    assert_eq!(
        (again.status, again.json()["key"].as_str()),
        (409, Some("resource.busy_now"))
    );
    town.run().await;
    let seen = clerk
        .get(&format!("/api/v1/resources/{}", town.host))
        .await
        .json();
    let events = seen["events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["kind"] == "restarted"));

    let nameless = post(&clerk, &town.path("/snapshots"), &json!({ "name": "" })).await;
    assert_eq!(
        (
            nameless.status,
            nameless.json()["errors"][0]["field"].as_str()
        ),
        (422, Some("name"))
    );
    let order = json!({ "name": "before", "note": "升级之前" });
    let taken = post(&clerk, &town.path("/snapshots"), &order).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    assert_eq!(taken.json()["snapshots"][0]["state"], "making");
    town.run().await;
    let seen = clerk.get(&town.path("")).await.json();
    assert_eq!(seen["snapshots"][0]["state"], "ready");
    let snapshot = seen["snapshots"][0]["id"].as_str().unwrap().to_owned();

    let restore = town.path(&format!("/snapshots/{snapshot}/restore"));
    let view = clerk.get(&restore).await.json();
    assert_eq!(view["blocks"], json!([]));
    let wrong = json!({ "name": "copy", "month": 1 });
    let refused = post(&clerk, &restore, &wrong).await;
    assert_eq!(
        (refused.status, refused.json()["key"].as_str()),
        (409, Some("resource.price_changed"))
    );
    let order = json!({ "name": "copy", "month": view["quote"]["each"] });
    let made = post(&clerk, &restore, &order).await;
    assert_eq!(made.status, 202, "{}", made.text);
    let copy = made.json()["resource"].as_str().unwrap().to_owned();
    town.run().await;
    let seen = clerk.get(&format!("/api/v1/resources/{copy}")).await.json();
    assert_eq!(
        (seen["row"]["name"].as_str(), &seen["attached_to"]),
        (Some("copy"), &Value::Null)
    );

    let attach = format!("/api/v1/resources/{copy}/attach");
    let done = post(&clerk, &attach, &json!({ "host": town.host })).await;
    assert_eq!(done.status, 200, "{}", done.text);
    town.run().await;
    let seen = clerk.get(&format!("/api/v1/resources/{copy}")).await.json();
    assert_eq!(seen["attached_to"]["id"].as_str(), Some(town.host.as_str()));
    let off = post(
        &clerk,
        &format!("/api/v1/resources/{copy}/detach"),
        &json!({}),
    )
    .await;
    assert_eq!(off.status, 200, "{}", off.text);

    let gone = clerk
        .request(
            "DELETE",
            &town.path(&format!("/snapshots/{snapshot}")),
            &[("sec-fetch-site", "same-origin")],
            Body::empty(),
        )
        .await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    town.run().await;
    assert_eq!(
        clerk.get(&town.path("")).await.json()["snapshots"],
        json!([])
    );
}

#[tokio::test]
async fn a_foreign_thing_an_unknown_and_a_malformed_id_are_one_404_for_every_act() {
    let town = Town::start().await;
    let elsewhere = town.portal.unit(&town.portal.root, "别的单位").await;
    town.portal
        .account_in(&elsewhere, "other", &[Role::Applicant])
        .await;
    let other = town.portal.sign_in("other").await;
    let snapshot = "snp_tt_01JD3C00000000000000000000";
    let backup = "bak_tt_01JD3C00000000000000000000";
    let mut unknown = town.disk.clone();
    unknown.replace_range(unknown.len() - 3.., "000");
    for id in [town.disk.as_str(), unknown.as_str(), "x"] {
        let name = json!({ "name": "x", "note": "" });
        let order = json!({ "name": "x", "month": 1 });
        let to = json!({ "host": town.host });
        let asked = asked(snapshot, "x", &json!(1));
        for (act, body) in [
            ("restart".to_owned(), &Value::Null),
            ("console".to_owned(), &Value::Null),
            ("snapshots".to_owned(), &name),
            (format!("snapshots/{snapshot}/restore"), &order),
            (format!("backups/{backup}/restore"), &order),
            ("changes".to_owned(), &asked),
            ("changes/try".to_owned(), &asked),
            ("attach".to_owned(), &to),
            ("detach".to_owned(), &Value::Null),
        ] {
            let answer = post(&other, &format!("/api/v1/resources/{id}/{act}"), body).await;
            assert_eq!(answer.status, 404, "{id} {act}: {}", answer.text);
        }
        let path = format!("/api/v1/resources/{id}/snapshots/{snapshot}");
        let headers = [("sec-fetch-site", "same-origin")];
        let answer = other
            .request("DELETE", &path, &headers, Body::empty())
            .await;
        assert_eq!(answer.status, 404, "{id}: {}", answer.text);
        let answer = other.get(&format!("{path}/restore")).await;
        assert_eq!(answer.status, 404, "{id}: {}", answer.text);
        let page = other
            .get(&format!("/resources/{id}/snapshots/{snapshot}"))
            .await;
        assert_eq!(page.status, 404, "{id}");
        let path = format!("/api/v1/resources/{id}/backups/{backup}/restore");
        assert_eq!(other.get(&path).await.status, 404, "{id}");
        let page = format!("/resources/{id}/backups/{backup}");
        assert_eq!(other.get(&page).await.status, 404, "{id}");
        let typed = [("name", "x"), ("month", "1")];
        assert_eq!(other.post(&page, &typed).await.status, 404, "{id}");
        let page = other
            .post(&format!("/resources/{id}"), &[("do", "console")])
            .await;
        assert_eq!(page.status, 404, "{id}");
    }
}

#[tokio::test]
async fn a_console_is_in_the_answer_to_the_press_alone_and_learns_nothing_of_the_portal() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let page = format!("/resources/{}", town.host);
    let before = clerk.get(&page).await;
    assert!(
        before.text.contains("value=\"console\"") && !before.text.contains("console.cloud.test")
    );
    let shown = clerk.post(&page, &[("do", "console")]).await;
    assert_eq!(
        (shown.status, shown.header("cache-control")),
        (200, "no-store")
    );
    let link = shown
        .text
        .split("<a ")
        .find(|a| a.contains("console.cloud.test"))
        .unwrap();
    let link = link.split('>').next().unwrap();
    for part in [
        "noopener noreferrer",
        "referrerpolicy=\"no-referrer\"",
        "target=\"_blank\"",
    ] {
        assert!(link.contains(part), "{link}");
    }
    assert!(!clerk.get(&page).await.text.contains("console.cloud.test"));
    // By program: with a key it is done once, and the link is not given again.
    let path = format!("/api/v1{page}/console");
    let headers = [
        ("content-type", "application/json"),
        ("sec-fetch-site", "same-origin"),
        ("idempotency-key", "k"),
    ];
    let first = clerk
        .request("POST", &path, &headers, Body::from("{}"))
        .await;
    assert_eq!(
        (first.status, first.header("cache-control")),
        (200, "no-store")
    );
    assert_eq!(first.json()["url"], CONSOLE);
    let again = clerk
        .request("POST", &path, &headers, Body::from("{}"))
        .await;
    assert_eq!(
        (again.status, again.json()["key"].as_str()),
        (409, Some("problem.done_already"))
    );
}

#[tokio::test]
async fn the_pages_say_what_an_act_leads_to_and_keep_what_was_typed() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let page = format!("/resources/{}", town.disk);
    let bad = [
        ("do", "snapshot"),
        ("name", ""),
        ("note", "升级之前"),
        ("form_id", "one-form-of-many"),
    ];
    let refused = clerk.post(&page, &bad).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("升级之前"));
    let good = [
        ("do", "snapshot"),
        ("name", "before"),
        ("note", ""),
        ("form_id", "one-form-of-many"),
    ];
    for _ in 0..2 {
        let taken = clerk.post(&page, &good).await;
        assert_eq!(
            (taken.status, taken.header("location")),
            (303, page.as_str())
        );
        town.run().await;
    }
    let seen = clerk.get(&town.path("")).await.json();
    assert_eq!(seen["snapshots"].as_array().unwrap().len(), 1);
    let snapshot = seen["snapshots"][0]["id"].as_str().unwrap();
    let offer = clerk.get(&format!("{page}/snapshots/{snapshot}")).await;
    assert_eq!(offer.status, 200);
    assert!(
        offer.text.contains("20 GB") && offer.text.contains("qbar"),
        "{}",
        offer.text
    );
    let release = clerk
        .get(&format!("/requests/release?resource={}", town.disk))
        .await;
    assert!(release.text.contains("1 个快照"));
    let month = seen["row"]["month"].to_string();
    let order = [
        ("name", "copy"),
        ("month", month.as_str()),
        ("form_id", "another-form-of-many"),
    ];
    for _ in 0..2 {
        let made = clerk
            .post(&format!("{page}/snapshots/{snapshot}"), &order)
            .await;
        assert_eq!(made.status, 303, "{}", made.text);
        town.run().await;
    }
    let volumes = clerk.get("/api/v1/resources?kind=volume").await.json();
    assert_eq!(volumes["rows"].as_array().unwrap().len(), 2);
}
