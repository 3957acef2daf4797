//! A database that is full, or held by somebody else: what was there is read, what is typed is kept.
use axum::body::Body;
use futures::future::join_all;
use lingbao_core::storage::Db;
use lingbao_model::{people::Role, quota::Dimension, view::people::TokenScope};
use serde_json::{Value, json};

use crate::portal::{Answer, Browser, Portal};

/// Sends JSON as our own page would.
pub async fn send(who: &Browser<'_>, method: &str, path: &str, body: &Value) -> Answer {
    let headers = [
        ("content-type", "application/json"),
        ("sec-fetch-site", "same-origin"),
    ];
    let body = Body::from(body.to_string());
    who.request(method, path, &headers, body).await
}

/// Gives the whole site ample limits; answers a place in which a host can be ordered.
pub async fn with_limits(portal: &Portal, reviewer: &Browser<'_>) -> String {
    let quota = reviewer.get("/api/v1/quota").await.json();
    let limits: Vec<Value> = quota["pools"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|pool| {
            Dimension::ALL
                .iter()
                .map(|d| json!({ "pool": pool[0], "dimension": d, "limit": 10_000_000, "was": 0 }))
        })
        .collect();
    let path = format!("/api/v1/quota/{}/limits", portal.root);
    let set = send(reviewer, "PUT", &path, &json!({ "limits": limits })).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let places = reviewer.get("/api/v1/places").await.json();
    places["rows"][0]["cell"].as_str().unwrap().to_owned()
}

/// Hosts of 348.00 a month.
pub fn hosts(system: &Value, cell: &str, count: &str) -> Value {
    let typed = json!({ "arch": "general", "vcpus": "4", "memory_gb": "8", "image": "kylin-v10",
        "system_disk_gb": "40", "access": "password" });
    json!({ "head": { "system": system, "title": "普查主机", "reason": "第五次全国经济普查" },
        "lines": [{ "item": "C-ECS", "name": "web", "cell": cell, "count": count, "typed": typed }] })
}

async fn begun(portal: &Portal) -> (Browser<'_>, Value, String) {
    for (login, role) in [
        ("reviewer", Role::Reviewer),
        ("boss", Role::DeptLeader),
        ("clerk", Role::Applicant),
    ] {
        portal.account(login, &[role]).await;
    }
    let cell = with_limits(portal, &portal.sign_in("reviewer").await).await;
    let clerk = portal.sign_in("clerk").await;
    let system = json!({ "name": "经济普查平台", "level": "2" });
    let made = send(&clerk, "POST", "/api/v1/systems", &system).await;
    assert_eq!(made.status, 201, "{}", made.text);
    (clerk, made.json()["id"].clone(), cell)
}

/// Asks for three hosts, which somebody has to agree to; the path of the step's card.
async fn asked(portal: &Portal, clerk: &Browser<'_>, order: &Value) -> String {
    let draft = send(clerk, "POST", "/api/v1/drafts", order).await;
    assert_eq!(draft.status, 201, "{}", draft.text);
    let draft = draft.json();
    let path = format!("/api/v1/requests/{}/submit", draft["id"].as_str().unwrap());
    let sent = send(
        clerk,
        "POST",
        &path,
        &json!({ "version": draft["version"] }),
    )
    .await;
    assert_eq!(sent.json()["status"], "in_approval", "{}", sent.text);
    let boss = portal.sign_in("boss").await;
    let todos = boss.get("/api/v1/todos").await.json();
    format!("/todo/{}", todos["rows"][0]["step"].as_str().unwrap())
}

#[tokio::test]
async fn a_card_is_shown_while_somebody_else_writes() {
    let portal = Portal::start().await;
    let (clerk, system, cell) = begun(&portal).await;
    let card = asked(&portal, &clerk, &hosts(&system, &cell, "3")).await;
    let boss = portal.sign_in("boss").await;
    let held = portal.db.begin().await.unwrap();
    let page = boss.get(&card).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("普查主机"));
    drop(held);
    // The next look can note it again.
    assert_eq!(boss.get(&card).await.status, 200);
}

#[tokio::test]
async fn a_token_reads_a_full_database_and_a_locked_one() {
    let portal = Portal::start().await;
    let clerk = portal.account("clerk", &[Role::Applicant]).await;
    let program = portal.token("clerk", &clerk, TokenScope::Read).await;
    let held = portal.db.begin().await.unwrap();
    let read = program.get("/api/v1/requests").await;
    assert_eq!(read.status, 200, "{}", read.text);
    drop(held);
    portal.db.fill().await;
    // Its last use is noted once a minute: each of these would be.
    for _ in 0..3 {
        portal.app.clock.advance_ms(120_000);
        let read = program.get("/api/v1/requests").await;
        assert_eq!(read.status, 200, "{}", read.text);
    }
}

#[tokio::test]
async fn whoever_waits_in_vain_for_a_locked_database_keeps_what_was_typed() {
    // A tenth of the times that hold by themselves; the request has longer.
    let portal = Portal::with(|config| {
        config.database.wait_ms = 500;
        config.database.queue_ms = 1_000;
        config.limits.request_seconds = 5;
    })
    .await;
    let (clerk, system, cell) = begun(&portal).await;
    let order = hosts(&system, &cell, "3");
    let draft = send(&clerk, "POST", "/api/v1/drafts", &order).await.json();
    let id = draft["id"].as_str().unwrap();
    let (page, api) = (format!("/cart/{id}"), format!("/api/v1/drafts/{id}"));
    let version = draft["version"].to_string();
    // A session that was used a minute ago is to be prolonged, too.
    portal.app.clock.advance_ms(120_000);
    let other = Db::open(&portal.db.config).await.unwrap();
    let held = other.begin().await.unwrap();
    let posts = (0..8).map(|n| {
        let (clerk, page, version, system) = (&clerk, &page, &version, &system);
        async move {
            let reason = format!("第 {n} 位写的：第五次全国经济普查");
            let form = [
                ("cart", id),
                ("version", version.as_str()),
                ("system", system.as_str().unwrap()),
                ("title", "锁住也要留住"),
                ("reason", reason.as_str()),
                ("do", "save"),
            ];
            (clerk.post(page, &form).await, reason)
        }
    });
    for (answer, reason) in join_all(posts).await {
        assert_eq!(answer.status, 503, "{}", answer.text);
        for typed in [reason.as_str(), "锁住也要留住"] {
            assert!(answer.text.contains(typed), "{typed} is lost");
        }
    }
    drop(held);
    let after = clerk.get(&api).await.json();
    assert_eq!(
        after["version"], draft["version"],
        "nothing half was written"
    );
}

#[tokio::test]
async fn a_full_database_shows_what_it_has_and_keeps_what_was_typed() {
    let portal = Portal::start().await;
    let (clerk, system, cell) = begun(&portal).await;
    let order = hosts(&system, &cell, "3");
    let card = asked(&portal, &clerk, &order).await;
    let draft = send(&clerk, "POST", "/api/v1/drafts", &order).await.json();
    let id = draft["id"].as_str().unwrap();
    let (page, api) = (format!("/cart/{id}"), format!("/api/v1/drafts/{id}"));
    let boss = portal.sign_in("boss").await;
    portal.db.fill().await;

    // What still finds room in the last pages is saved; then comes the first that does not.
    let mut refused = None;
    for n in 0..400 {
        let before = clerk.get(&api).await.json();
        let version = before["version"].to_string();
        let reason = format!("第 {n} 次：{}", "经济普查".repeat(100));
        let form = [
            ("cart", id),
            ("version", version.as_str()),
            ("system", system.as_str().unwrap()),
            ("title", "磁盘已满也要留住"),
            ("reason", reason.as_str()),
            ("do", "save"),
        ];
        let answer = clerk.post(&page, &form).await;
        if answer.status != 303 {
            refused = Some((answer, before, reason));
            break;
        }
    }
    let (answer, before, reason) = refused.unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text);
    for typed in [reason.as_str(), "磁盘已满也要留住"] {
        assert!(answer.text.contains(typed), "{typed} is lost");
    }
    let after = clerk.get(&api).await.json();
    assert_eq!(
        after["version"], before["version"],
        "nothing half was written"
    );
    assert_eq!(after["reason"], before["reason"]);

    for path in ["/", "/requests", "/resources", "/quota", "/drafts", &page] {
        let shown = clerk.get(path).await;
        assert_eq!(shown.status, 200, "{path}: {}", shown.text);
    }
    for path in ["/todo", &card] {
        let shown = boss.get(path).await;
        assert_eq!(shown.status, 200, "{path}: {}", shown.text);
    }
}
