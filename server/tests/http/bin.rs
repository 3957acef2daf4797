//! The recycle bin and the certificate of erasure: by program and by page, through the router.
use lingbao_core::clock::Clock as _;
use lingbao_model::{people::Role, time::DAY_MS};
use serde_json::{Value, json};

use crate::{
    day_two::{Town, post},
    portal::Browser,
};

/// Everybody whose turn it is agrees.
async fn agree(leader: &Browser<'_>) {
    let todos = leader.get("/api/v1/todos").await.json();
    for todo in todos["rows"].as_array().unwrap() {
        let step = todo["step"].as_str().unwrap();
        let card = leader.get(&format!("/api/v1/todos/{step}")).await.json();
        let said = json!({ "decision": "approve", "opinion": "同意", "digest": card["digest"] });
        let done = post(leader, &format!("/api/v1/todos/{step}/decide"), &said).await;
        assert_eq!(done.status, 200, "{}", done.text);
    }
}

/// Asks for the release of host and disk, and lets it happen.
async fn give_back(town: &Town, clerk: &Browser<'_>, leader: &Browser<'_>, at_once: bool) -> Value {
    let order = json!({
        "resources": [town.host, town.disk], "reason": "系统下线", "erase_at_once": at_once,
    });
    let made = post(clerk, "/api/v1/releases", &order).await;
    assert_eq!(made.status, 201, "{}", made.text);
    agree(leader).await;
    town.run().await;
    made.json()
}

async fn leader(town: &Town) -> Browser<'_> {
    town.portal.account("boss", &[Role::DeptLeader]).await;
    town.portal.sign_in("boss").await
}

#[tokio::test]
async fn a_program_gives_back_takes_back_and_reads_the_certificate() {
    let town = Town::start().await;
    let boss = leader(&town).await;
    let clerk = town.portal.sign_in("clerk").await;
    give_back(&town, &clerk, &boss, false).await;
    let list = clerk
        .get("/api/v1/resources?state=recycled&sort=erase")
        .await
        .json();
    assert_eq!(list["rows"].as_array().unwrap().len(), 2);
    assert_eq!(list["rows"][0]["days_left"], 7);
    let all = clerk.get("/api/v1/resources").await.json();
    assert_eq!(all["rows"], json!([]));
    let host = format!("/api/v1/resources/{}", town.host);
    let view = clerk.get(&format!("{host}/bin")).await.json();
    assert_eq!(view["with"][0]["id"].as_str(), Some(town.disk.as_str()));
    assert_eq!(view["blocks"], json!([]));
    let start = post(&clerk, &format!("{host}/start"), &json!({})).await;
    assert_eq!(
        (start.status, start.json()["key"].as_str()),
        (409, Some("resource.not_possible_now"))
    );
    let back = post(&clerk, &format!("{host}/take-back"), &json!({})).await;
    assert_eq!(back.status, 200, "{}", back.text);
    assert_eq!(back.json()["row"]["service"], "stopped");
    let again = post(&clerk, &format!("{host}/take-back"), &json!({})).await;
    assert_eq!(again.status, 409);
    // Once more, and this time its days pass.
    let made = give_back(&town, &clerk, &boss, false).await;
    let none = clerk.get(&format!("{host}/certificate")).await;
    assert_eq!(none.status, 404);
    town.portal.app.clock.advance_ms(7 * DAY_MS + 60_000);
    town.run().await;
    let (clerk, boss) = (
        town.portal.sign_in("clerk").await,
        town.portal.sign_in("boss").await,
    );
    let paper = clerk.get(&format!("{host}/certificate")).await;
    assert_eq!(paper.status, 200, "{}", paper.text);
    let paper = paper.json();
    assert_eq!(paper["facts"]["method"], "deleted");
    assert!(paper["facts"]["absent_at"].as_i64().unwrap() <= town.portal.app.clock.now().millis());
    assert_eq!(paper["facts"]["approved_by"], json!(["用户boss"]));
    assert_eq!(paper["intact"], true);
    let request = made["request"].as_str().unwrap();
    let papers = format!("/api/v1/requests/{request}/certificates");
    let all = boss.get(&papers).await.json();
    assert_eq!(all["rows"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_leader_erases_early_with_the_name_typed_and_others_do_not() {
    let town = Town::start().await;
    let boss = leader(&town).await;
    let clerk = town.portal.sign_in("clerk").await;
    give_back(&town, &clerk, &boss, false).await;
    let path = format!("/api/v1/resources/{}/erase", town.disk);
    let name = clerk
        .get(&format!("/api/v1/resources/{}", town.disk))
        .await
        .json()["row"]["name"]
        .clone();
    let refused = post(&clerk, &path, &json!({ "confirm": name })).await;
    assert_eq!(refused.status, 403);
    let wrong = post(&boss, &path, &json!({ "confirm": "x" })).await;
    assert_eq!(
        (wrong.status, wrong.json()["errors"][0]["field"].as_str()),
        (422, Some("confirm"))
    );
    let done = post(&boss, &path, &json!({ "confirm": name })).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(done.json()["busy"]["key"], "resource.busy.erase");
    town.run().await;
    let paper = format!("/api/v1/resources/{}/certificate", town.disk);
    assert_eq!(
        boss.get(&paper).await.json()["facts"]["ordered_by"],
        "用户boss"
    );
}

#[tokio::test]
async fn the_form_says_what_becomes_of_the_data_and_keeps_what_was_typed() {
    let town = Town::start().await;
    let boss = leader(&town).await;
    let clerk = town.portal.sign_in("clerk").await;
    let both = format!("{},{}", town.host, town.disk);
    let form = format!("/requests/release?resource={both}");
    let page = clerk.get(&form).await;
    assert!(page.text.contains("保留 7 天") && page.text.contains("批准后立即销毁"));
    let at_once = [
        ("resources", both.as_str()),
        ("reason", "系统下线，数据已迁走"),
        ("ending", "erase"),
        ("form_id", "one-form-of-many"),
    ];
    let refused = clerk.post(&form, &at_once).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("系统下线，数据已迁走"));
    assert!(refused.text.contains("请勾选确认"), "{}", refused.text);
    let in_bin = [
        ("resources", both.as_str()),
        ("reason", "系统下线，数据已迁走"),
        ("ending", "bin"),
        ("form_id", "one-form-of-many"),
    ];
    let made = clerk.post(&form, &in_bin).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let todos = boss.get("/api/v1/todos").await.json();
    let step = todos["rows"][0]["step"].as_str().unwrap();
    let card = boss.get(&format!("/todo/{step}")).await;
    assert!(card.text.contains("回收站保留 7 天"), "{}", card.text);
    agree(&boss).await;
    town.run().await;

    let list = clerk.get("/resources?state=recycled&sort=erase").await;
    assert!(list.text.contains("7 天后销毁"), "{}", list.text);
    let resource = format!("/resources/{}", town.host);
    let page = clerk.get(&resource).await;
    assert!(page.text.contains("还剩 7 天") && page.text.contains("/bin\""));
    let bin = format!("{resource}/bin");
    let page = clerk.get(&bin).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("value=\"take_back\"") && page.text.contains("qbar"));
    assert!(!page.text.contains("value=\"erase\""));
    let back = [("do", "take_back"), ("form_id", "another-form-of-many")];
    for _ in 0..2 {
        let done = clerk.post(&bin, &back).await;
        assert_eq!(
            (done.status, done.header("location")),
            (303, resource.as_str())
        );
    }
    assert_eq!(clerk.get(&bin).await.status, 409);

    // Erased at once, confirmed: a paper to print, one for each and a list of both.
    let confirmed = [
        ("resources", both.as_str()),
        ("reason", "系统下线，数据已迁走"),
        ("ending", "erase"),
        ("confirm", "yes"),
        ("form_id", "third-form-of-many"),
    ];
    let made = clerk.post(&form, &confirmed).await;
    assert_eq!(made.status, 303, "{}", made.text);
    agree(&boss).await;
    town.run().await;
    let paper = clerk.get(&format!("{resource}/certificate")).await;
    assert_eq!(paper.status, 200);
    for word in [
        "数据销毁证明",
        "答复为不存在",
        "class=\"sheet\"",
        "TT-X2026",
    ] {
        assert!(paper.text.contains(word), "{word}: {}", paper.text);
    }
    assert!(!paper.text.contains("摘要不符"));
    let request = made.header("location").to_owned();
    let page = clerk.get(&request).await;
    assert!(page.text.contains("/certificates\"") && page.text.contains("TT-X2026"));
    let all = clerk.get(&format!("{request}/certificates")).await;
    assert_eq!(all.status, 200);
    assert_eq!(all.text.matches("答复为不存在").count(), 2);
}

#[tokio::test]
async fn a_foreign_thing_an_unknown_and_a_malformed_id_are_one_404_in_the_bin() {
    let town = Town::start().await;
    let boss = leader(&town).await;
    let clerk = town.portal.sign_in("clerk").await;
    give_back(&town, &clerk, &boss, false).await;
    let elsewhere = town.portal.unit(&town.portal.root, "别的单位").await;
    let roles = [Role::Applicant, Role::DeptLeader];
    town.portal.account_in(&elsewhere, "other", &roles).await;
    let other = town.portal.sign_in("other").await;
    let mut unknown = town.disk.clone();
    unknown.replace_range(unknown.len() - 3.., "000");
    for id in [town.disk.as_str(), unknown.as_str(), "x"] {
        let api = format!("/api/v1/resources/{id}");
        for (act, body) in [
            ("take-back", json!({})),
            ("erase", json!({ "confirm": "data" })),
        ] {
            let answer = post(&other, &format!("{api}/{act}"), &body).await;
            assert_eq!(answer.status, 404, "{id} {act}: {}", answer.text);
        }
        for path in [
            format!("{api}/bin"),
            format!("{api}/certificate"),
            format!("/resources/{id}/bin"),
            format!("/resources/{id}/certificate"),
        ] {
            assert_eq!(other.get(&path).await.status, 404, "{path}");
        }
        let page = other
            .post(&format!("/resources/{id}/bin"), &[("do", "take_back")])
            .await;
        assert_eq!(page.status, 404, "{id}");
    }
}
