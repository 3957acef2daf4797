//! From an installation without demo data to the first cart, by page: the site's limits, parts for
//! the units, an application system.
use lingbao_model::{calendar::Notice, people::Role, quota::Dimension};
use lingbao_server::command;
use serde_json::{Value, json};

use crate::{
    full::{hosts, send, with_limits},
    portal::{Answer, Browser, Portal},
};

/// The fields of the form of limits: every limit becomes `to`.
fn limits(quota: &Value, root: &str, was: &str, to: &str) -> Vec<(String, String)> {
    let mut form = vec![
        ("do".to_owned(), "limits".to_owned()),
        ("unit".to_owned(), root.to_owned()),
        ("form_id".to_owned(), format!("form-of-{to}")),
    ];
    for (at, pool) in quota["pools"].as_array().unwrap().iter().enumerate() {
        form.push((format!("pool-{at}"), pool[0].as_str().unwrap().to_owned()));
        for d in Dimension::ALL {
            form.push((format!("limit-{at}-{d}"), to.to_owned()));
            form.push((format!("was-limit-{at}-{d}"), was.to_owned()));
        }
    }
    form
}

async fn fill_in(browser: &Browser<'_>, path: &str, form: &[(String, String)]) -> Answer {
    let form: Vec<_> = form.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    browser.post(path, &form).await
}

#[tokio::test]
async fn the_reviewer_reads_what_the_first_step_is_and_does_it_by_page() {
    let portal = Portal::start().await;
    portal.account("reviewer", &[Role::Reviewer]).await;
    portal.account("clerk", &[Role::Applicant]).await;
    let root = portal.root.to_string();
    let reviewer = portal.sign_in("reviewer").await;
    let page = reviewer.get("/quota").await;
    assert!(page.text.contains("全站还没有配额") && page.text.contains("set=limits"));
    let form_page = format!("/quota?unit={root}&set=limits");
    let page = reviewer.get(&form_page).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("name=\"limit-0-vcpu\""), "{}", page.text);
    let quota = reviewer.get("/api/v1/quota").await.json();

    let wrong = fill_in(&reviewer, &form_page, &limits(&quota, &root, "0", "十")).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("value=\"十\""), "what was typed stands");
    // Full-width digits; clicked twice.
    let form = limits(&quota, &root, "0", "１，０００");
    for _ in 0..2 {
        let set = fill_in(&reviewer, &form_page, &form).await;
        assert_eq!(set.status, 303, "{}", set.text);
    }
    let now = reviewer.get("/api/v1/quota").await.json();
    assert_eq!(now["rows"][0]["standing"]["limit"], 1_000);
    let fees: Vec<_> = now["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["dimension"] == "monthly_fee")
        .collect();
    assert_eq!(
        fees[0]["standing"]["limit"], 100_000,
        "yuan are kept in fen"
    );
    let entries = now["entries"].as_array().unwrap();
    assert_eq!(
        entries.len(),
        (quota["pools"].as_array().unwrap().len() * 9).min(50)
    );

    // Lower: only with the tick. An old page changes nothing.
    let mut lower = limits(&quota, &root, "1,000", "500");
    let unsure = fill_in(&reviewer, &form_page, &lower).await;
    assert_eq!(unsure.status, 422);
    assert!(unsure.text.contains("请先核对并勾选确认"));
    lower.push(("confirm".to_owned(), "yes".to_owned()));
    let set = fill_in(&reviewer, &form_page, &lower).await;
    assert_eq!(set.status, 303, "{}", set.text);
    let old = fill_in(
        &reviewer,
        &form_page,
        &limits(&quota, &root, "1000", "2000"),
    )
    .await;
    assert_eq!(old.status, 409, "{}", old.text);

    let clerk = portal.sign_in("clerk").await;
    assert!(!clerk.get("/quota").await.text.contains("set=limits"));
    let refused = fill_in(&clerk, "/quota", &limits(&quota, &root, "500", "600")).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
}

#[tokio::test]
async fn a_part_is_handed_on_and_taken_back_by_page_and_by_program() {
    let portal = Portal::start().await;
    portal.account("reviewer", &[Role::Reviewer]).await;
    let east = portal.unit(&portal.root, "东县").await;
    portal.account_in(&east, "clerk", &[Role::Applicant]).await;
    let reviewer = portal.sign_in("reviewer").await;
    with_limits(&portal, &reviewer).await;
    let quota = reviewer.get("/api/v1/quota").await.json();
    let pool = quota["pools"][0][0].as_str().unwrap().to_owned();
    let root = portal.root.to_string();
    let post = async |who: &Browser<'_>, act: &str, amount: &str, more: &[(&str, &str)]| {
        let id = format!("{act}-{amount}");
        let mut form = vec![
            ("unit", root.as_str()),
            ("act", act),
            ("child", east.as_str()),
            ("pool", pool.as_str()),
            ("dimension", "vcpu"),
            ("amount", amount),
            ("form_id", id.as_str()),
        ];
        form.extend(more);
        who.post("/quota", &form).await
    };
    let handed = post(&reviewer, "hand", "１００", &[]).await;
    assert_eq!(handed.status, 303, "{}", handed.text);
    let unsure = post(&reviewer, "take", "40", &[]).await;
    assert_eq!(unsure.status, 422);
    assert!(unsure.text.contains("value=\"40\""));
    let sure = [("confirm", "yes")];
    let more = post(&reviewer, "take", "101", &sure).await;
    assert_eq!(more.status, 422);
    assert!(more.text.contains("最多收回 100"), "{}", more.text);
    for _ in 0..2 {
        let taken = post(&reviewer, "take", "40", &sure).await;
        assert_eq!(taken.status, 303, "{}", taken.text);
    }
    let limit = async || {
        let path = format!("/api/v1/quota/{east}");
        let shown = reviewer.get(&path).await.json();
        shown["rows"][0]["standing"]["limit"].as_i64().unwrap()
    };
    assert_eq!(limit().await, 60);
    let path = format!("/api/v1/quota/{east}/hand?form=once");
    let part = json!({ "pool": pool, "dimension": "vcpu", "amount": -10 });
    for _ in 0..2 {
        assert_eq!(send(&reviewer, "POST", &path, &part).await.status, 200);
    }
    assert_eq!(limit().await, 50);
    // Whose limits come from above has none to be set.
    let path = format!("/api/v1/quota/{east}/limits");
    let one = json!({ "limits": [{ "pool": pool, "dimension": "vcpu", "limit": 9 }] });
    let refused = send(&reviewer, "PUT", &path, &one).await;
    assert_eq!(
        (refused.status, refused.json()["key"].as_str()),
        (409, Some("quota.from_above"))
    );
    let clerk = portal.sign_in("clerk").await;
    let path = format!("/api/v1/quota/{root}/limits");
    assert_eq!(send(&clerk, "PUT", &path, &one).await.status, 404);
    assert_eq!(post(&clerk, "take", "1", &sure).await.status, 404);
}

#[tokio::test]
async fn a_system_is_made_beside_the_cart_that_needs_it() {
    let portal = Portal::start().await;
    for (login, role) in [("reviewer", Role::Reviewer), ("clerk", Role::Applicant)] {
        portal.account(login, &[role]).await;
    }
    let reviewer = portal.sign_in("reviewer").await;
    let cell = with_limits(&portal, &reviewer).await;
    assert_eq!(reviewer.get("/cart/system").await.status, 403);
    let clerk = portal.sign_in("clerk").await;
    let form = clerk.get("/cart/system").await;
    assert_eq!(form.status, 200);
    assert!(
        form.text.contains("四级及以上"),
        "help stands beside the field"
    );
    assert_eq!(clerk.get("/api/v1/drafts").await.json()["rows"], json!([]));

    let draft = send(
        &clerk,
        "POST",
        "/api/v1/drafts",
        &hosts(&json!(""), &cell, "1"),
    )
    .await
    .json();
    let (id, version) = (draft["id"].as_str().unwrap(), draft["version"].to_string());
    let cart = format!("/cart/{id}");
    assert!(clerk.get(&cart).await.text.contains("value=\"system\""));
    let head = [
        ("cart", id),
        ("version", version.as_str()),
        ("title", "写到一半的标题"),
        ("do", "system"),
    ];
    let left = clerk.post(&cart, &head).await;
    assert_eq!(left.status, 303, "{}", left.text);
    let to = left.header("location").to_owned();
    assert_eq!(to, format!("/cart/system?cart={id}"));
    let typed = |level: &'static str| {
        [
            ("cart", id),
            ("name", "经济普查平台"),
            ("level", level),
            ("state", "testing"),
            ("form_id", "system-form"),
        ]
    };
    let wrong = clerk.post(&to, &typed("")).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("value=\"经济普查平台\""));
    for _ in 0..2 {
        let made = clerk.post(&to, &typed("3")).await;
        assert_eq!((made.status, made.header("location")), (303, cart.as_str()));
    }
    let systems = clerk.get("/api/v1/systems").await.json();
    assert_eq!(systems["rows"].as_array().unwrap().len(), 1);
    let now = clerk.get(&format!("/api/v1/drafts/{id}")).await.json();
    assert_eq!(now["system"], systems["rows"][0]["id"]);
    assert_eq!(now["title"], "写到一半的标题", "what was typed is kept");
    // Somebody else's cart is none.
    portal.account("other", &[Role::Applicant]).await;
    let other = portal.sign_in("other").await;
    let foreign = other
        .post(&to, &[("cart", id), ("name", "别的系统"), ("level", "2")])
        .await;
    assert_eq!(foreign.status, 404, "{}", foreign.text);
    let none = other.get("/api/v1/systems").await.json();
    assert_eq!(
        none["rows"].as_array().unwrap().len(),
        1,
        "nothing was made"
    );
    let kept = clerk.get(&format!("/api/v1/drafts/{id}")).await.json();
    assert_eq!(kept["system"], now["system"]);
}

#[tokio::test]
async fn the_calculator_of_terms_reckons_with_the_holidays_that_were_entered() {
    let portal = Portal::start().await;
    portal.account("clerk", &[Role::Applicant]).await;
    let clerk = portal.sign_in("clerk").await;
    let asked = "/help/deadline?from=2026-12-31&days=1";
    let page = clerk.get(asked).await;
    assert!(page.text.contains("2027-01-01"), "{}", page.text);

    let said = json!({ "year": 2027, "days": [
        { "name": "元旦", "date": "2027-01-03", "isOffDay": true },
        { "name": "元旦", "date": "2027-01-01", "isOffDay": true },
        { "name": "元旦", "date": "2027-01-02", "isOffDay": true },
        { "name": "元旦", "date": "2027-01-09", "isOffDay": false },
    ] });
    let notice = Notice::read(&said.to_string()).unwrap();
    assert_eq!(
        command::days(&notice),
        "2027-01-01 to 2027-01-03  off  元旦\n2027-01-09  worked  元旦"
    );
    let entered = command::enter(&portal.app.app, &notice).await.unwrap();
    assert!(
        entered.starts_with("4 days of 2027 are entered."),
        "{entered}"
    );
    let again = command::enter(&portal.app.app, &notice).await.unwrap();
    assert!(again.contains("in the place of the 4"), "{again}");
    let page = clerk.get(asked).await;
    assert!(page.text.contains("2027-01-04"), "{}", page.text);
    let posted = clerk
        .post("/help/deadline", &[("from", "2026-12-31"), ("days", "5")])
        .await;
    assert_eq!(posted.status, 303, "{}", posted.text);
    let page = clerk.get(posted.header("location")).await;
    assert!(page.text.contains("2027-01-08"), "{}", page.text);
}

#[tokio::test]
async fn a_system_is_corrected_beside_the_cart_that_chooses_it() {
    let portal = Portal::start().await;
    for (login, role) in [("reviewer", Role::Reviewer), ("clerk", Role::Applicant)] {
        portal.account(login, &[role]).await;
    }
    let cell = with_limits(&portal, &portal.sign_in("reviewer").await).await;
    let clerk = portal.sign_in("clerk").await;
    let system = json!({ "name": "经济普杳平台", "level": "3" });
    let made = send(&clerk, "POST", "/api/v1/systems", &system).await;
    let system = made.json()["id"].as_str().unwrap().to_owned();
    let order = hosts(&json!(system), &cell, "1");
    let draft = send(&clerk, "POST", "/api/v1/drafts", &order).await.json();
    let (id, version) = (draft["id"].as_str().unwrap(), draft["version"].to_string());
    let cart = format!("/cart/{id}");
    let left = [
        ("cart", id),
        ("version", version.as_str()),
        ("system", system.as_str()),
        ("title", "写到一半的标题"),
        ("do", "edit_system"),
    ];
    let left = clerk.post(&cart, &left).await;
    let to = left.header("location").to_owned();
    assert_eq!(to, format!("/cart/system?cart={id}&system={system}"));
    let form = clerk.get(&to).await;
    assert!(
        form.text.contains("value=\"经济普杳平台\""),
        "{}",
        form.text
    );
    let row = &clerk.get("/api/v1/systems").await.json()["rows"][0];
    let version = row["version"].to_string();
    let typed = |name: &'static str| {
        [
            ("cart", id),
            ("system", system.as_str()),
            ("version", version.as_str()),
            ("name", name),
            ("short_name", "jjpc"),
            ("level", "2"),
            ("state", "live"),
        ]
    };
    let wrong = clerk.post(&to, &typed("")).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    let done = clerk.post(&to, &typed("经济普查平台")).await;
    assert_eq!((done.status, done.header("location")), (303, cart.as_str()));
    let row = &clerk.get("/api/v1/systems").await.json()["rows"][0];
    assert_eq!(row["name"], "经济普查平台");
    assert_eq!(row["state"], "live");
    // Who is slower is told so; what nobody has is not found.
    let late = clerk.post(&to, &typed("经济普查平台二")).await;
    assert_eq!(late.status, 409, "{}", late.text);
    let nothing = clerk.get("/cart/system?system=sys_none").await;
    assert_eq!(nothing.status, 404);
}
