//! Approval policies by page and by program: seen, written in a form of rows, tried, published.
use lingbao_model::{
    people::{Reach, Role},
    view::people::TokenScope,
};
use serde_json::{Value, json};

use crate::{
    as_typed::{fields, named, press},
    portal::{Answer, Browser, Portal},
};

const FORM: &str = "/admin/policies/new?as=form";

async fn send(browser: &Browser<'_>, page: &Answer, act: &str, other: &[(&str, &str)]) -> Answer {
    press(browser, FORM, page, act, other).await
}

#[tokio::test]
async fn the_threshold_is_raised_by_page_and_published_by_another_person() {
    let portal = Portal::start().await;
    for login in ["one", "two"] {
        portal.account(login, &[Role::Reviewer]).await;
    }
    assert_eq!(Role::Reviewer.widest(), Reach::Site);
    let (one, two) = (portal.sign_in("one").await, portal.sign_in("two").await);
    let list = one.get("/admin/policies").await;
    assert_eq!(list.status, 200, "{}", list.text);
    assert!(list.text.contains("/admin/policies/release"));
    let shown = one.get("/admin/policies/new").await;
    assert!(shown.text.contains("500.00"), "{}", shown.text);
    let paper = one.get("/admin/policies/new?as=paper").await;
    assert!(paper.text.contains("sheet"), "{}", paper.text);

    // What is wrong is told at its field, and what was typed stands there still.
    let form = one.get(FORM).await;
    assert_eq!(form.status, 200, "{}", form.text);
    let threshold = named(&form.text, "500.00");
    let wrong = send(
        &one,
        &form,
        "write",
        &[(&threshold, "viel"), ("s0.due_days", "0")],
    )
    .await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    assert!(wrong.text.contains("value=\"viel\""));
    assert!(
        wrong.text.contains("href=\"#f-s0-due-days\""),
        "{}",
        wrong.text
    );

    // A row comes and goes, and the other fields keep what was typed.
    let more = send(
        &one,
        &form,
        "test s0.g0",
        &[(&threshold, "50"), ("s0.g0.new", "internet")],
    )
    .await;
    assert_eq!(more.status, 200, "{}", more.text);
    assert!(fields(&more.text).contains(&("row".to_owned(), "s0.g0.t0".to_owned())));
    assert!(fields(&more.text).contains(&(threshold.clone(), "50".to_owned())));
    let less = send(&one, &more, "remove s0.g0.t0", &[("s0.g0.join", "none")]).await;
    assert!(!fields(&less.text).iter().any(|pair| pair.1 == "s0.g0.t0"));

    // The example: 300 yuan a month passes by itself, and not any more.
    let tried = send(&one, &form, "try", &[]).await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    assert!(!tried.text.contains("id=\"route\""));
    let tried = send(&one, &less, "try", &[]).await;
    assert!(tried.text.contains("id=\"route\""), "{}", tried.text);

    let written = send(&one, &less, "write", &[]).await;
    assert_eq!(written.status, 303, "{}", written.text);
    // Whoever opened the form before is told what is otherwise, and keeps what was typed.
    let late = send(&two, &form, "write", &[(&threshold, "77")]).await;
    assert_eq!(late.status, 409, "{}", late.text);
    assert!(
        late.text.contains("value=\"77\"") && late.text.contains("50.00"),
        "{}",
        late.text
    );

    let step = async |browser: &Browser<'_>, act: &str| {
        let page = browser.get("/admin/policies/new").await;
        let mut typed = fields(&page.text);
        typed.push(("do".to_owned(), act.to_owned()));
        let typed: Vec<_> = typed
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        browser.post("/admin/policies/new", &typed).await
    };
    assert_eq!(step(&one, "propose").await.status, 303);
    assert_eq!(step(&one, "publish").await.status, 409, "not who wrote it");
    assert_eq!(step(&two, "publish").await.status, 303);
    let shown = two.get("/admin/policies/new").await;
    assert!(shown.text.contains("50.00"), "{}", shown.text);
}

#[tokio::test]
async fn a_policy_is_written_and_published_by_program_and_not_by_strangers() {
    let portal = Portal::start().await;
    let (first, second, clerk) = (
        portal.account("one", &[Role::Reviewer]).await,
        portal.account("two", &[Role::Reviewer]).await,
        portal.account("clerk", &[Role::Applicant]).await,
    );
    let one = portal.token("one", &first, TokenScope::Write).await;
    let two = portal.token("two", &second, TokenScope::Write).await;
    let clerk = portal.token("clerk", &clerk, TokenScope::Write).await;
    let list = one.get("/api/v1/policies").await.json();
    let kinds: Vec<_> = list["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["kind"])
        .collect();
    assert_eq!(kinds, ["new", "change", "release"]);
    let read = one.get("/api/v1/policies/release").await.json();
    let mut policy = read["in_force"]["policy"].clone();
    policy["stages"][0]["due_days"] = json!(3);
    let draft = json!({ "seen": read["seen"], "policy": policy });
    let path = "/api/v1/policies/release";
    let answer = clerk.json("PUT", &format!("{path}/draft"), &draft).await;
    assert_eq!(answer.status, 403, "{}", answer.text);
    let answer = one.json("PUT", &format!("{path}/draft"), &draft).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let again = two.json("PUT", &format!("{path}/draft"), &draft).await;
    assert_eq!(
        (again.status, again.json()["key"].as_str()),
        (409, Some("policy.changed"))
    );
    let act = async |who: &Browser<'_>, act: &str| {
        let seen = who.get(path).await.json()["seen"].clone();
        let step: Value =
            json!({ "number": seen["number"], "version": seen["version"], "act": act });
        who.json("POST", &format!("{path}/act"), &step).await
    };
    assert_eq!(act(&one, "propose").await.status, 200);
    assert_eq!(act(&one, "publish").await.status, 409);
    let published = act(&two, "publish").await;
    assert_eq!(published.status, 200, "{}", published.text);
    assert_eq!(published.json()["in_force"]["number"], 2);
    let facts = json!({ "month": 100, "once": 0, "within_quota": true, "level": null,
        "internet": false, "items": ["C-ECS"], "unit_level": "city", "has_upper": false });
    let tried = one
        .json("POST", &format!("{path}/try"), &json!({ "facts": facts }))
        .await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    assert_eq!(tried.json()["stages"][0]["due_days"], 3);
    let gone = one.get("/api/v1/policies/import").await;
    assert_eq!(gone.status, 404, "{}", gone.text);
    assert_eq!(clerk.get("/api/v1/policies").await.status, 403);
}
