//! A host's system anew: by program and by page, through the router.
use lingbao_model::people::Role;
use serde_json::json;

use crate::day_two::{Town, post};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqP6xkN2y7b4mF0v8uTq1wZs3dYh5rLc9jEoGiVpXtB zhang";

#[tokio::test]
async fn a_program_reads_what_stays_and_has_it_installed_with_a_key() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let host = format!("/api/v1/resources/{}", town.host);
    let path = format!("{host}/reinstall");
    let view = clerk.get(&path).await.json();
    assert_eq!(
        (&view["may"], &view["way"]),
        (&json!(true), &json!("password"))
    );
    assert_eq!(view["image"]["zh"], "Debian 12");
    assert_eq!(view["attachments"][0]["name"], "data");
    let before = clerk.get(&host).await.json();

    let body = json!({ "access": "ssh_key", "ssh_key": "ssh-rsa short", "confirm": "wep" });
    let refused = post(&clerk, &path, &body).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let errors = refused.json()["errors"].clone();
    let said: Vec<_> = errors
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["field"])
        .collect();
    assert_eq!(said, ["ssh_key", "confirm"]);
    // Of two events of one moment nobody knows which was first.
    town.portal.app.clock.advance_ms(1_000);
    let body = json!({ "access": "ssh_key", "ssh_key": KEY, "confirm": "web" });
    let taken = post(&clerk, &path, &body).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    assert_eq!(taken.json()["busy"]["key"], "resource.busy.reinstall");
    let twice = post(&clerk, &path, &body).await;
    assert_eq!(twice.status, 409, "{}", twice.text);
    town.run().await;
    let after = clerk.get(&host).await.json();
    assert_eq!(after["events"][0]["kind"], "reinstalled");
    for same in [
        "name",
        "address",
        "month",
        "expires_at",
        "service",
        "billing",
    ] {
        assert_eq!(after["row"][same], before["row"][same], "{same}");
    }
    assert_eq!(
        (&before["secret_waits"], &after["secret_waits"]),
        (&json!(true), &json!(false))
    );
    let facts = after["row"]["facts"].as_array().unwrap();
    let key = facts.iter().find(|fact| fact["key"] == "ssh_key").unwrap();
    assert_eq!(key["value"]["value"], KEY);
}

#[tokio::test]
async fn a_foreign_host_an_unknown_one_and_a_disk_are_one_404() {
    let town = Town::start().await;
    let elsewhere = town.portal.unit(&town.portal.root, "别的单位").await;
    town.portal
        .account_in(&elsewhere, "other", &[Role::Applicant])
        .await;
    let other = town.portal.sign_in("other").await;
    let mut unknown = town.host.clone();
    unknown.replace_range(unknown.len() - 3.., "000");
    let good = json!({ "access": "password", "confirm": "web" });
    for id in [town.host.as_str(), unknown.as_str(), "x"] {
        let path = format!("/resources/{id}/reinstall");
        let api = format!("/api/v1{path}");
        let typed = [
            ("do", "reinstall"),
            ("access", "password"),
            ("confirm", "web"),
        ];
        for answer in [
            other.get(&api).await,
            post(&other, &api, &good).await,
            other.get(&path).await,
            other.post(&path, &typed).await,
        ] {
            assert_eq!(answer.status, 404, "{id}: {}", answer.text);
        }
    }
    let clerk = town.portal.sign_in("clerk").await;
    let disk = clerk
        .get(&format!("/resources/{}/reinstall", town.disk))
        .await;
    assert_eq!(disk.status, 404);
}

#[tokio::test]
async fn the_page_says_what_is_lost_keeps_what_was_typed_and_leads_back_to_the_host() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let host = format!("/resources/{}", town.host);
    let page = format!("{host}/reinstall");
    let before = clerk.get(&host).await;
    assert!(before.text.contains(&format!("href=\"{page}\"")));
    let shown = clerk.get(&page).await;
    assert_eq!(shown.status, 200);
    for words in [
        "将丢失",
        "系统盘上的全部内容",
        "不占新的配额",
        "重装不收费",
        "Debian 12",
        "data",
    ] {
        assert!(shown.text.contains(words), "{words}: {}", shown.text);
    }
    let typed = |key: &'static str, confirm: &'static str| {
        [
            ("do", "reinstall"),
            ("access", "ssh_key"),
            ("ssh_key", key),
            ("confirm", confirm),
            ("form_id", "one-form-of-many"),
        ]
    };
    let refused = clerk.post(&page, &typed("ssh-rsa 打错了", "web")).await;
    assert_eq!(refused.status, 422);
    for words in ["ssh-rsa 打错了", "不是可用的 SSH 公钥", "value=\"web\""] {
        assert!(refused.text.contains(words), "{words}");
    }
    let refused = clerk.post(&page, &typed(KEY, "another")).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("名称不符") && refused.text.contains(KEY));
    for _ in 0..2 {
        let taken = clerk.post(&page, &typed(KEY, "web")).await;
        assert_eq!(
            (taken.status, taken.header("location")),
            (303, host.as_str())
        );
        town.run().await;
    }
    let seen = clerk.get(&format!("/api/v1{host}")).await.json();
    let events = seen["events"].as_array().unwrap();
    let times = events.iter().filter(|e| e["kind"] == "reinstalled").count();
    assert_eq!(times, 1);
    // A password comes as the first one did: behind a tick, once.
    let asked = [
        ("do", "reinstall"),
        ("access", "password"),
        ("confirm", "web"),
        ("form_id", "another-form-of-many"),
    ];
    assert_eq!(clerk.post(&page, &asked).await.status, 303);
    town.run().await;
    let told = clerk
        .post(&host, &[("do", "secret"), ("confirm", "yes")])
        .await;
    assert_eq!(
        (told.status, told.header("cache-control")),
        (200, "no-store")
    );
}
