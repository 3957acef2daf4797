//! What is typed is not lost: the cart whose head saves itself, a form sent twice, a form that meets
//! an ended session, a release that came back.
use axum::body::Body;
use lingbao_app::names::LIVE_HEADER;
use lingbao_core::storage::{item_version, step};
use lingbao_model::{id::StepId, people::Role, time::MINUTE_MS};
use serde_json::{Value, json};

use crate::{
    day_two::{Town, post},
    portal::{Answer, Browser, escape},
};

pub const FORM: &str = "one-form-of-many";

/// A draft of so many hosts, with its id and the cell of the host.
pub async fn draft(town: &Town, clerk: &Browser<'_>, hosts: i64) -> Value {
    let of = format!("/api/v1/resources/{}", town.host);
    let request = clerk.get(&of).await.json()["request"].clone();
    let old = format!("/api/v1/requests/{}/copy", request.as_str().unwrap());
    let copied = post(clerk, &old, &json!({})).await;
    assert_eq!(copied.status, 201, "{}", copied.text);
    let path = format!("/api/v1/drafts/{}", copied.json()["cart"].as_str().unwrap());
    let draft = clerk.get(&path).await.json();
    let (line, form) = (&draft["lines"][0]["line"], host(&draft, hosts));
    let change = json!({ "version": draft["version"], "line": form });
    let path = format!("{path}/lines/{}", line["id"].as_str().unwrap());
    let headers = [
        ("content-type", "application/json"),
        ("sec-fetch-site", "same-origin"),
    ];
    let body = Body::from(change.to_string());
    let changed = clerk.request("PUT", &path, &headers, body).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    changed.json()
}

fn host(draft: &Value, hosts: i64) -> Value {
    let place = &draft["lines"][0]["line"]["placement"];
    let cell = format!(
        "{}/2/{}",
        place["zone"].as_str().unwrap(),
        place["pool"].as_str().unwrap()
    );
    let typed = json!({ "arch": "general", "vcpus": "4", "memory_gb": "8", "image": "debian-12",
        "system_disk_gb": "40", "access": "password" });
    json!({ "item": "C-ECS", "name": "web", "cell": cell, "count": hosts.to_string(), "typed": typed })
}

/// The form of a cart as a browser would post it, with another head.
pub struct Form {
    path: String,
    fields: Vec<(&'static str, String)>,
}

impl Form {
    pub fn of(draft: &Value, title: &str) -> Self {
        let own = draft["id"].as_str().unwrap().to_owned();
        let system = draft["system"].as_str().unwrap().to_owned();
        Self {
            path: format!("/cart/{own}"),
            fields: vec![
                ("cart", own),
                ("version", draft["version"].to_string()),
                ("form_id", FORM.to_owned()),
                ("system", system),
                ("title", title.to_owned()),
                ("reason", "核验表单不丢内容。".to_owned()),
            ],
        }
    }

    pub async fn press(&self, browser: &Browser<'_>, act: &str) -> Answer {
        let mut fields: Vec<(&str, &str)> =
            self.fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        fields.push(("do", act));
        browser.post(&self.path, &fields).await
    }
}

/// Calls a server function, as a script of our own page does.
async fn ask(browser: &Browser<'_>, path: &str, fields: &[(&str, &str)]) -> Answer {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
    ];
    let body: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    browser
        .request("POST", path, &headers, Body::from(body.join("&")))
        .await
}

/// Asks for what a page shows now, as an open page does by itself.
async fn renew(browser: &Browser<'_>, path: &str) -> Answer {
    let headers = [(LIVE_HEADER, "1")];
    browser.request("GET", path, &headers, Body::empty()).await
}

pub async fn boss(town: &Town) -> Browser<'_> {
    town.portal.account("boss", &[Role::DeptLeader]).await;
    town.portal.sign_in("boss").await
}

/// The first to-do with its card.
async fn todo(boss: &Browser<'_>) -> (String, Value) {
    let todos = boss.get("/api/v1/todos").await.json();
    let step = todos["rows"][0]["step"].as_str().unwrap().to_owned();
    let card = boss.get(&format!("/api/v1/todos/{step}")).await.json();
    (step, card)
}

pub async fn give_back(boss: &Browser<'_>) {
    let (step, card) = todo(boss).await;
    let said =
        json!({ "decision": "return", "opinion": "请说明数据去向", "digest": card["digest"] });
    let done = post(boss, &format!("/api/v1/todos/{step}/decide"), &said).await;
    assert_eq!(done.status, 200, "{}", done.text);
}

#[tokio::test]
async fn a_double_click_with_another_head_at_one_instant_makes_one_request_that_both_see() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let draft = draft(&town, &clerk, 1).await;
    let (one, two) = (
        Form::of(&draft, "第一次按下"),
        Form::of(&draft, "第二次按下"),
    );
    let (first, second) = tokio::join!(one.press(&clerk, "submit"), two.press(&clerk, "submit"));
    assert_eq!((first.status, second.status), (303, 303), "{}", second.text);
    assert_eq!(first.header("location"), second.header("location"));
    assert!(first.header("location").starts_with("/requests/"));
    let page = clerk.get(first.header("location")).await;
    let heads = ["第一次按下", "第二次按下"];
    let seen = heads.iter().filter(|head| page.text.contains(**head));
    assert_eq!(seen.count(), 1, "one head, and not half of each");
    // An hour later, by the back button, with a third head.
    let late = Form::of(&draft, "回退再按").press(&clerk, "submit").await;
    assert_eq!(late.header("location"), first.header("location"));
    // Another form of the cart is told where it went.
    let mut other = Form::of(&draft, "另一个窗口");
    other.fields[2].1 = "another-form-of-many".into();
    let told = other.press(&clerk, "submit").await;
    assert_eq!(told.status, 409);
    assert!(told.text.contains("已提交，单号"), "{}", told.text);
}

#[tokio::test]
async fn a_refused_double_click_says_what_is_missing_and_keeps_what_was_typed() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let draft = draft(&town, &clerk, 1).await;
    let mut form = Form::of(&draft, "还差一个理由");
    form.fields[5].1 = String::new();
    let (first, second) = tokio::join!(form.press(&clerk, "submit"), form.press(&clerk, "submit"));
    for refused in [first, second] {
        assert_eq!(refused.status, 422, "{}", refused.text);
        assert!(refused.text.contains("value=\"还差一个理由\""));
    }
    let page = clerk.get(&form.path).await;
    assert!(page.text.contains("value=\"还差一个理由\""), "it is saved");
    form.fields[5].1 = "现在补上理由。".into();
    let sent = form.press(&clerk, "submit").await;
    assert_eq!(sent.status, 303, "its version stands: {}", sent.text);
}

#[tokio::test]
async fn every_button_of_the_cart_keeps_what_was_typed() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let first = draft(&town, &clerk, 1).await;
    let line = first["lines"][0]["line"]["id"].as_str().unwrap();
    let api = format!("/api/v1/drafts/{}", first["id"].as_str().unwrap());
    let page = clerk
        .get(&format!("/cart/{}", first["id"].as_str().unwrap()))
        .await;
    assert!(page.text.contains(&format!("value=\"edit {line} C-ECS\"")));
    let edited = Form::of(&first, "改之前填的")
        .press(&clerk, &format!("edit {line} C-ECS"))
        .await;
    assert_eq!(edited.status, 303, "{}", edited.text);
    let to = edited.header("location");
    assert!(
        to.starts_with("/catalogue/C-ECS?cart=") && to.ends_with(&format!("line={line}")),
        "{to}"
    );
    assert_eq!(clerk.get(to).await.status, 200);
    let now = clerk.get(&api).await.json();
    assert_eq!(now["title"], "改之前填的");

    // An item goes out of the catalogue: 更新 keeps the head, and says what it left out.
    let mut tx = town.portal.app.db.begin().await.unwrap();
    let disk = item_version::item(&mut tx, "S-EVS").await.unwrap().unwrap();
    item_version::set_offered(&mut tx, &disk.id, disk.version, false)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let renewed = Form::of(&now, "更新之前填的")
        .press(&clerk, "refresh")
        .await;
    assert_eq!(renewed.status, 303, "{}", renewed.text);
    let page = clerk.get(renewed.header("location")).await;
    assert!(page.text.contains("value=\"更新之前填的\""));
    assert!(page.text.contains("已下架，没有带过来"), "{}", page.text);
    let page = clerk.get(renewed.header("location")).await;
    assert!(
        !page.text.contains("已下架，没有带过来"),
        "notes are shown once"
    );

    let now = clerk.get(&api).await.json();
    assert_eq!(now["lines"].as_array().unwrap().len(), 1);
    let line = now["lines"][0]["line"]["id"].as_str().unwrap();
    let removed = Form::of(&now, "移除之前填的")
        .press(&clerk, &format!("remove {line}"))
        .await;
    assert_eq!(removed.status, 303, "{}", removed.text);
    assert_eq!(clerk.get(&api).await.json()["title"], "移除之前填的");
}

#[tokio::test]
async fn a_copy_says_on_the_cart_what_was_left_out_and_a_program_renews_a_draft() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let draft = draft(&town, &clerk, 1).await;
    let mut tx = town.portal.app.db.begin().await.unwrap();
    let disk = item_version::item(&mut tx, "S-EVS").await.unwrap().unwrap();
    item_version::set_offered(&mut tx, &disk.id, disk.version, false)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let of = format!("/api/v1/resources/{}", town.host);
    let request = clerk.get(&of).await.json()["request"].clone();
    let page = format!("/requests/{}", request.as_str().unwrap());
    let copied = clerk.post(&page, &[("do", "copy")]).await;
    assert_eq!(copied.status, 303, "{}", copied.text);
    let cart = clerk.get(copied.header("location")).await;
    assert!(cart.text.contains("已下架，没有带过来"), "{}", cart.text);

    let path = format!("/api/v1/drafts/{}/refresh", draft["id"].as_str().unwrap());
    let body = json!({ "version": draft["version"] });
    let renewed = post(&clerk, &path, &body).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    let renewed = renewed.json();
    assert_eq!(renewed["notes"][0]["key"], "cart.copy.retired");
    assert_eq!(renewed["draft"]["lines"].as_array().unwrap().len(), 1);
    let stale = post(&clerk, &path, &body).await;
    assert_eq!(stale.json()["key"], "error.stale", "{}", stale.text);
}

#[tokio::test]
async fn a_cart_names_who_would_approve_and_says_where_nobody_could() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let draft = draft(&town, &clerk, 4).await;
    let id = draft["id"].as_str().unwrap();
    let mut said = Vec::new();
    for account in [
        None,
        Some(Role::Leader),
        Some(Role::Reviewer),
        Some(Role::Finance),
    ] {
        if let Some(role) = account {
            town.portal.account(&format!("new-{role}"), &[role]).await;
        }
        let draft = clerk.get(&format!("/api/v1/drafts/{id}")).await.json();
        let page = clerk.get(&format!("/cart/{id}")).await.text;
        let stages = draft["route"].as_array().unwrap().iter();
        let groups: Vec<&Value> = stages
            .flat_map(|stage| stage["approvers"].as_array().unwrap())
            .collect();
        assert!(!groups.is_empty(), "{draft}");
        let people = |group: &Value| group["people"].as_array().unwrap().clone();
        for name in groups.iter().flat_map(|group| people(group)) {
            assert!(page.contains(name.as_str().unwrap()), "{name}");
        }
        let nobody = groups.iter().any(|group| people(group).is_empty());
        assert_eq!(page.contains("目前无人可审批"), nobody, "{groups:?}");
        said.push(nobody);
    }
    assert_eq!((said.first(), said.last()), (Some(&true), Some(&false)));
}

#[tokio::test]
async fn a_head_saves_itself_and_is_told_when_another_window_was_faster() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let draft = draft(&town, &clerk, 1).await;
    let version = draft["version"].to_string();
    let save = async |title: &str, version: &str| {
        let fields = [
            ("id", draft["id"].as_str().unwrap()),
            ("version", version),
            ("system", ""),
            ("title", title),
            ("reason", ""),
            ("with_quota_change", ""),
        ];
        ask(&clerk, "/fn/order/save-head", &fields).await
    };
    let saved = save("自动保存", &version).await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    let next = saved.json()["version"].to_string();
    assert_ne!(next, version);
    // The panel beside the form is told what is still missing: no longer the title.
    let missing = saved.json()["judged"][1].clone();
    let missing = missing.as_array().unwrap().iter();
    let missing: Vec<&str> = missing.filter_map(|it| it["field"].as_str()).collect();
    assert!(missing.contains(&"reason"), "{missing:?}");
    assert!(!missing.contains(&"title"), "{missing:?}");
    let other = save("另一个窗口", &version).await;
    assert_eq!(other.status, 409, "{}", other.text);
    assert!(other.text.contains("error.stale"), "{}", other.text);
    assert_eq!(save("接着自动保存", &next).await.status, 200);
    let page = clerk
        .get(&format!("/cart/{}", draft["id"].as_str().unwrap()))
        .await;
    assert!(page.text.contains("value=\"接着自动保存\""));
}

#[tokio::test]
async fn a_form_that_meets_an_ended_session_waits_for_the_person_who_typed_it_and_nobody_else() {
    let town = Town::start().await;
    town.portal.account("other", &[Role::Applicant]).await;
    let typed = "会话结束之前填的标题";
    for (login, polled, waits) in [
        ("clerk", false, true),
        ("clerk", true, true),
        ("other", false, false),
    ] {
        let clerk = town.portal.sign_in("clerk").await;
        let form = Form::of(&draft(&town, &clerk, 1).await, typed);
        town.portal.app.clock.advance_ms(31 * MINUTE_MS);
        if polled {
            // The open page asks for news: the browser brings the ended session for the last time.
            renew(&clerk, &form.path).await;
        }
        let met = form.press(&clerk, "save").await;
        assert!((302..=303).contains(&met.status), "{}", met.text);
        let door = met.header("location");
        assert!(door.starts_with("/sign-in?next="), "{door}");
        let enter = [
            ("account", login),
            ("password", crate::portal::PASSWORD),
            ("next", form.path.as_str()),
        ];
        let entered = clerk.post("/sign-in", &enter).await;
        assert_eq!(entered.header("location"), form.path);
        let page = clerk.get(&form.path).await;
        assert_eq!(page.text.contains(typed), waits, "{login}");
        if !waits {
            // Nor does it wait for the first one behind the second.
            let enter = [("account", "clerk"), ("password", crate::portal::PASSWORD)];
            clerk.post("/sign-in", &enter).await;
            assert!(!clerk.get(&form.path).await.text.contains(typed));
            continue;
        }
        assert!(
            page.text.contains("登录失效前填的内容都在"),
            "{}",
            page.text
        );
        assert_eq!(form.press(&clerk, "save").await.status, 303);
    }
}

#[tokio::test]
async fn what_was_left_for_the_next_page_is_not_taken_by_news_of_the_one_before() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let form = Form::of(&draft(&town, &clerk, 1).await, "刚刚保存的标题");
    let saved = form.press(&clerk, "save").await;
    assert_eq!(saved.status, 303);
    let news = renew(&clerk, &form.path).await;
    assert_eq!(news.status, 200);
    assert!(!news.text.contains("class=\"toast\""), "{}", news.text);
    let next = clerk.get(&form.path).await;
    assert!(next.text.contains("class=\"toast\""), "{}", next.text);
}

#[tokio::test]
async fn a_form_that_meets_a_session_that_was_left_is_not_kept() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let form = Form::of(&draft(&town, &clerk, 1).await, "退出之后才提交的标题");
    clerk.post("/sign-out", &[]).await;
    form.press(&clerk, "save").await;
    let enter = [("account", "clerk"), ("password", crate::portal::PASSWORD)];
    clerk.post("/sign-in", &enter).await;
    let page = clerk.get(&form.path).await;
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("退出之后才提交的标题"));
}

#[tokio::test]
async fn the_door_leads_back_to_the_whole_address() {
    let town = Town::start().await;
    let nobody = town.portal.browser();
    let asked = nobody.get("/requests?q=web&mine=1").await;
    let door = asked.header("location");
    assert_eq!(
        door, "/sign-in?next=%2Frequests%3Fq%3Dweb%26mine%3D1",
        "{}",
        asked.text
    );
}

#[tokio::test]
async fn more_than_one_request_gives_back_is_refused_before_it_is_read() {
    let town = Town::start().await;
    let clerk = town.portal.sign_in("clerk").await;
    let one = format!("resource={}", town.host);
    for (count, status) in [(1, 200), (101, 422)] {
        let path = format!("/requests/release?{}", vec![one.as_str(); count].join("&"));
        let page = clerk.get(&path).await;
        assert_eq!(page.status, status, "{count}: {}", page.text);
    }
}

#[tokio::test]
async fn a_returned_release_is_supplemented_by_page_and_by_program() {
    let town = Town::start().await;
    let boss = boss(&town).await;
    let clerk = town.portal.sign_in("clerk").await;
    let order = json!({ "resources": [town.host, town.disk], "reason": "系统下线" });
    let made = post(&clerk, "/api/v1/releases", &order).await.json();
    let request = made["request"].as_str().unwrap().to_owned();
    let page = format!("/requests/{request}");
    let form = format!("/requests/release?request={request}");
    assert_eq!(clerk.get(&form).await.status, 409, "nobody returned it");
    give_back(&boss).await;
    assert!(
        clerk
            .get(&page)
            .await
            .text
            .contains(&format!("href=\"{form}\""))
    );
    let shown = clerk.get(&form).await;
    assert_eq!(shown.status, 200);
    for word in [
        "请说明数据去向",
        "系统下线",
        "重新提交",
        "批准后在回收站保留 7 天",
    ] {
        assert!(shown.text.contains(word), "{word}: {}", shown.text);
    }
    let api = format!("/api/v1{page}");
    let version = clerk.get(&api).await.json()["version"].to_string();
    let fields = |reason| {
        [
            ("request", request.as_str()),
            ("version", version.as_str()),
            ("form_id", FORM),
            ("reason", reason),
        ]
    };
    let short = clerk.post(&form, &fields("")).await;
    assert_eq!(short.status, 422, "{}", short.text);
    for _ in 0..2 {
        let sent = clerk.post(&form, &fields("系统下线，数据已迁走")).await;
        assert_eq!((sent.status, sent.header("location")), (303, page.as_str()));
    }
    let (_, card) = todo(&boss).await;
    assert_eq!(card["reason"], "系统下线，数据已迁走");

    // Once more, by program: another reason, or the same.
    give_back(&boss).await;
    let version = clerk.get(&api).await.json()["version"].clone();
    let again = post(
        &clerk,
        &format!("{api}/resubmit"),
        &json!({ "version": version }),
    )
    .await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(again.json()["status"], "in_approval");
    assert_eq!(todo(&boss).await.1["reason"], "系统下线，数据已迁走");
    // A stranger finds neither.
    let elsewhere = town.portal.unit(&town.portal.root, "别的单位").await;
    town.portal
        .account_in(&elsewhere, "other", &[Role::Applicant])
        .await;
    let other = town.portal.sign_in("other").await;
    assert_eq!(other.get(&form).await.status, 404);
    let refused = post(&other, &format!("{api}/resubmit"), &json!({ "version": 1 })).await;
    assert_eq!(refused.status, 404, "{}", refused.text);
}

/// A request of several hosts, that waits for the leader of the unit.
async fn waiting(town: &Town, clerk: &Browser<'_>) -> String {
    let form = Form::of(&draft(town, clerk, 3).await, "三台主机");
    let sent = form.press(clerk, "submit").await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    sent.header("location").replace("/requests/", "")
}

#[tokio::test]
async fn the_two_hundred_and_first_to_do_can_be_decided() {
    let town = Town::start().await;
    let boss = boss(&town).await;
    let clerk = town.portal.sign_in("clerk").await;
    let request = waiting(&town, &clerk).await.parse().unwrap();
    let mut tx = town.portal.app.db.begin().await.unwrap();
    let last = step::of_request(&mut tx, &request).await.unwrap().remove(0);
    for _ in 0..200 {
        let urgent = step::Step {
            id: town.portal.app.id::<StepId>(),
            due_at: last.due_at.map(|at| at.plus_minutes(-60)),
            ..last.clone()
        };
        step::insert(&mut tx, &urgent).await.unwrap();
    }
    tx.commit().await.unwrap();
    let card = boss.get(&format!("/todo/{}", last.id)).await;
    assert_eq!(card.status, 200);
    assert!(card.text.contains("value=\"approve\""), "{}", card.text);
}

#[tokio::test]
async fn a_phrase_of_consent_is_no_reason_to_refuse() {
    let town = Town::start().await;
    let boss = boss(&town).await;
    let clerk = town.portal.sign_in("clerk").await;
    waiting(&town, &clerk).await;
    let (step, card) = todo(&boss).await;
    let path = format!("/todo/{step}");
    let fields = |act, phrase, opinion| {
        [
            ("do", act),
            ("digest", card["digest"].as_str().unwrap()),
            ("phrase", phrase),
            ("opinion", opinion),
        ]
    };
    for (act, phrase) in [("reject", "同意"), ("return", "拟同意，请领导审定")] {
        let refused = boss.post(&path, &fields(act, phrase, "")).await;
        assert_eq!(refused.status, 422, "{act}: {}", refused.text);
        // Nor typed, nor by program.
        let refused = boss.post(&path, &fields(act, "", phrase)).await;
        assert_eq!(refused.status, 422, "{act}: {}", refused.text);
        let said = json!({ "decision": act, "opinion": phrase, "digest": card["digest"] });
        let refused = post(&boss, &format!("/api/v1/todos/{step}/decide"), &said).await;
        assert_eq!(refused.status, 422, "{act}: {}", refused.text);
    }
    let own = boss
        .post(&path, &fields("return", "同意", "请写明用途"))
        .await;
    assert_eq!(own.status, 303, "{}", own.text);
}
