//! What may come in to a host, and who gets in: by program and by page, through the router.
use axum::body::Body;
use lingbao_model::people::Role;
use serde_json::json;

use crate::{
    day_two::{Town, post},
    portal::{Answer, Browser},
};

const SAME: [(&str, &str); 1] = [("sec-fetch-site", "same-origin")];

async fn delete(clerk: &Browser<'_>, path: &str) -> Answer {
    clerk.request("DELETE", path, &SAME, Body::empty()).await
}

#[tokio::test]
async fn a_program_opens_and_closes_and_is_told_what_the_law_forbids() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let path = format!("/api/v1/resources/{}/rules", town.host);
    let seen = clerk.get(&path).await.json();
    assert_eq!((&seen["own"], &seen["may"]), (&json!([]), &json!(true)));
    let ssh =
        json!({ "protocol": "tcp", "ports": { "from": 22, "to": 22 }, "source": "10.0.0.0/8" });
    assert!(seen["preset"].as_array().unwrap().contains(&ssh), "{seen}");

    let guarded = json!({ "protocol": "tcp", "ports": "22", "source": "0.0.0.0/0" });
    let refused = post(&clerk, &path, &guarded).await;
    let error = &refused.json()["errors"][0];
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert_eq!(
        (error["field"].as_str(), error["key"].as_str()),
        (Some("source"), Some("access_rule.guarded"))
    );
    assert!(error["message"].as_str().unwrap().contains("SSH"));
    let good =
        json!({ "protocol": "tcp", "ports": "8000-8100", "source": "10.8.0.0/24", "note": "接口" });
    let taken = post(&clerk, &path, &good).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    assert_eq!(taken.json()["busy"]["key"], "resource.busy.rules");
    town.run().await;
    let seen = clerk.get(&path).await.json();
    assert_eq!(seen["own"][0]["rule"]["source"], "10.8.0.0/24");
    assert_eq!(seen["own"][0]["note"], "接口");
    let rule = format!("{path}/{}", seen["own"][0]["id"].as_str().unwrap());
    let gone = delete(&clerk, &rule).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    town.run().await;
    assert_eq!(clerk.get(&path).await.json()["own"], json!([]));
    assert_eq!(delete(&clerk, &rule).await.status, 404);

    let host = format!("/api/v1/resources/{}", town.host);
    let asked = post(&clerk, &format!("{host}/password"), &json!({})).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    town.run().await;
    let seen = clerk.get(&host).await.json();
    assert_eq!(seen["secret_waits"], json!(true));
    let events = seen["events"].as_array().unwrap();
    assert!(
        events
            .iter()
            .any(|event| event["kind"] == "password_renewed")
    );
}

#[tokio::test]
async fn rules_of_a_foreign_host_an_unknown_one_and_a_disk_are_one_404() {
    let town = Town::start().await;
    let elsewhere = town.portal.unit(&town.portal.root, "别的单位").await;
    town.portal
        .account_in(&elsewhere, "other", &[Role::Applicant])
        .await;
    let other = town.portal.sign_in("other").await;
    let mut unknown = town.host.clone();
    unknown.replace_range(unknown.len() - 3.., "000");
    let rule = "acr_tt_01JD3C00000000000000000000";
    for id in [town.host.as_str(), unknown.as_str(), "x"] {
        let path = format!("/api/v1/resources/{id}/rules");
        let good = json!({ "protocol": "tcp", "ports": "1", "source": "10.8.0.0/24" });
        let password = format!("/api/v1/resources/{id}/password");
        for answer in [
            other.get(&path).await,
            post(&other, &path, &good).await,
            delete(&other, &format!("{path}/{rule}")).await,
            post(&other, &password, &json!({})).await,
            other.get(&format!("/resources/{id}/rules")).await,
            other
                .post(&format!("/resources/{id}/rules"), &[("do", "add")])
                .await,
            other
                .post(&format!("/resources/{id}"), &[("do", "new_password")])
                .await,
        ] {
            assert_eq!(answer.status, 404, "{id}: {}", answer.text);
        }
    }
    let clerk = town.portal.sign_in("clerk").await;
    let disk = clerk.get(&format!("/resources/{}/rules", town.disk)).await;
    assert_eq!(disk.status, 404);
}

#[tokio::test]
async fn the_page_says_who_comes_in_keeps_what_was_typed_and_offers_the_right_network() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let host = format!("/resources/{}", town.host);
    let page = format!("{host}/rules");
    let before = clerk.get(&host).await;
    assert!(before.text.contains(&format!("href=\"{page}\"")));
    assert!(before.text.contains("value=\"new_password\""));
    let shown = clerk.get(&page).await;
    assert_eq!(shown.status, 200);
    for words in [
        "TCP 22（SSH）",
        "10.0.0.0/8",
        "不收费，不占配额",
        "等保二级",
    ] {
        assert!(shown.text.contains(words), "{words}: {}", shown.text);
    }
    let typed = |source: &'static str, form: &'static str| {
        [
            ("do", "add"),
            ("protocol", "udp"),
            ("ports", "5353"),
            ("source", source),
            ("note", "名称解析"),
            ("form_id", form),
        ]
    };
    let refused = clerk
        .post(&page, &typed("10.1.2.3/8", "one-form-of-many"))
        .await;
    assert_eq!(refused.status, 422);
    for words in ["10.1.2.3/8", "10.0.0.0/8", "名称解析", "5353"] {
        assert!(refused.text.contains(words), "{words}");
    }
    for _ in 0..2 {
        let taken = clerk
            .post(&page, &typed("10.0.0.0/8", "one-form-of-many"))
            .await;
        assert_eq!(
            (taken.status, taken.header("location")),
            (303, page.as_str())
        );
        town.run().await;
    }
    let seen = clerk.get(&format!("/api/v1{page}")).await.json();
    assert_eq!(seen["own"].as_array().unwrap().len(), 1);
    let rule = seen["own"][0]["id"].as_str().unwrap();
    let shown = clerk.get(&page).await;
    assert!(shown.text.contains("UDP 5353") && shown.text.contains(rule));
    let gone = [
        ("do", "remove"),
        ("rule", rule),
        ("form_id", "another-form-of-many"),
    ];
    assert_eq!(clerk.post(&page, &gone).await.status, 303);
    town.run().await;
    let seen = clerk.get(&format!("/api/v1{page}")).await.json();
    assert_eq!(seen["own"], json!([]));
    // A new password comes as the first one did: behind a tick, once.
    let asked = [("do", "new_password"), ("form_id", "third-form-of-many")];
    assert_eq!(clerk.post(&host, &asked).await.status, 303);
    town.run().await;
    let told = clerk
        .post(&host, &[("do", "secret"), ("confirm", "yes")])
        .await;
    assert_eq!(
        (told.status, told.header("cache-control")),
        (200, "no-store")
    );
}
