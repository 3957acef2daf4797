//! A database that is full, or held by somebody else: what was there is read, what is typed is kept.
use lingbao_model::{people::Role, quota::Dimension};
use serde_json::{Value, json};

use crate::portal::{Browser, Portal};

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
    let set = reviewer
        .json("PUT", &path, &json!({ "limits": limits }))
        .await;
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
    let made = clerk.json("POST", "/api/v1/systems", &system).await;
    assert_eq!(made.status, 201, "{}", made.text);
    (clerk, made.json()["id"].clone(), cell)
}

/// Asks for three hosts, which somebody has to agree to; the path of the step's card.
async fn asked(portal: &Portal, clerk: &Browser<'_>, order: &Value) -> String {
    let draft = clerk.json("POST", "/api/v1/drafts", order).await;
    assert_eq!(draft.status, 201, "{}", draft.text);
    let draft = draft.json();
    let path = format!("/api/v1/requests/{}/submit", draft["id"].as_str().unwrap());
    let sent = clerk
        .json("POST", &path, &json!({ "version": draft["version"] }))
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
async fn a_full_database_shows_what_it_has_and_keeps_what_was_typed() {
    let portal = Portal::start().await;
    let (clerk, system, cell) = begun(&portal).await;
    let order = hosts(&system, &cell, "3");
    let card = asked(&portal, &clerk, &order).await;
    let draft = clerk.json("POST", "/api/v1/drafts", &order).await.json();
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
