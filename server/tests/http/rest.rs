//! The programming interface: tokens, idempotency, problem documents, the document itself.
use axum::body::Body;
use lingbao_model::{people::Role, view::people::TokenScope};
use serde_json::{Value, json};

use crate::{
    full::send,
    portal::{Browser, Portal},
};

async fn clerk(portal: &Portal) -> lingbao_model::id::UserId {
    portal.account("clerk", &[Role::Applicant]).await
}

async fn keyed(
    browser: &Browser<'_>,
    path: &str,
    key: &str,
    body: &Value,
) -> crate::portal::Answer {
    let headers = [
        ("content-type", "application/json"),
        ("sec-fetch-site", "same-origin"),
        ("idempotency-key", key),
    ];
    browser
        .request("POST", path, &headers, Body::from(body.to_string()))
        .await
}

#[tokio::test]
async fn a_token_opens_what_its_scope_says_until_it_is_revoked() {
    let portal = Portal::start().await;
    let user = clerk(&portal).await;
    let reader = portal.token("clerk", &user, TokenScope::Read).await;
    let writer = portal.token("clerk", &user, TokenScope::Write).await;
    let order = json!({ "name": "ci", "scope": "read", "days": 7 });
    assert_eq!(reader.get("/api/v1/me").await.json()["name"], "用户clerk");
    // A token makes no token, whatever it may do.
    for token in [&reader, &writer] {
        let answer = token.json("POST", "/api/v1/tokens", &order).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
    }
    let session = portal.sign_in("clerk").await;
    let made = keyed(&session, "/api/v1/tokens", "k", &order).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(made.json()["secret"].as_str().unwrap().starts_with("lbk_"));
    let id = made.json()["row"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/tokens/{id}");
    assert_eq!(
        writer
            .request("DELETE", &path, &[], Body::empty())
            .await
            .status,
        204
    );
    assert_eq!(
        writer
            .request("DELETE", &path, &[], Body::empty())
            .await
            .status,
        404
    );
    let secret = format!("Bearer {}", made.json()["secret"].as_str().unwrap());
    let headers = [("authorization", secret.as_str())];
    let answer = portal
        .browser()
        .request("GET", "/api/v1/me", &headers, Body::empty())
        .await;
    assert_eq!(
        (answer.status, answer.header("www-authenticate")),
        (401, "Bearer")
    );
    // A token opens the programming interface alone.
    assert!(!reader.get("/me").await.text.contains("用户clerk"));
}

#[tokio::test]
async fn without_a_token_and_without_a_session_there_is_nothing() {
    let portal = Portal::start().await;
    let document = portal.browser().get("/api/v1/openapi.json").await.json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let path = path
                .replace("{id}", "x")
                .replace("{line}", "x")
                .replace("{step}", "x")
                .replace("{code}", "x")
                .replace("{kind}", "x")
                .replace("{snapshot}", "x")
                .replace("{backup}", "x")
                .replace("{grant}", "x");
            let headers = [
                ("sec-fetch-site", "same-origin"),
                ("content-type", "application/json"),
            ];
            let method = method.to_uppercase();
            let answer = portal
                .browser()
                .request(&method, &path, &headers, Body::from("{}"))
                .await;
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text);
            assert_eq!(
                answer.header("content-type"),
                "application/problem+json",
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn the_same_post_twice_does_its_work_once() {
    let portal = Portal::start().await;
    let user = clerk(&portal).await;
    let writer = portal.token("clerk", &user, TokenScope::Write).await;
    let system = json!({ "name": "统计直报", "short_name": "tjzb", "level": "2", "state": "live",
        "contact_name": "张三", "contact_phone": "0574-1" });
    let first = keyed(&writer, "/api/v1/systems", "k1", &system).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = keyed(&writer, "/api/v1/systems", "k1", &system).await;
    assert_eq!(
        (again.status, again.header("idempotency-replayed")),
        (201, "true")
    );
    assert_eq!(first.json(), again.json());
    let listed = writer.get("/api/v1/systems").await.json();
    assert_eq!(listed["rows"].as_array().unwrap().len(), 1);
    let other = json!({ "name": "另一个", "short_name": "lyg", "level": "2", "state": "live" });
    let taken = keyed(&writer, "/api/v1/systems", "k1", &other).await;
    assert_eq!(
        (taken.status, taken.json()["key"].as_str()),
        (422, Some("problem.key_taken"))
    );
    // A secret is shown once: the work is not repeated, and neither is the answer.
    let order = json!({ "name": "ci", "scope": "read", "days": 7 });
    let session = portal.sign_in("clerk").await;
    assert_eq!(
        keyed(&session, "/api/v1/tokens", "k2", &order).await.status,
        201
    );
    let again = keyed(&session, "/api/v1/tokens", "k2", &order).await;
    assert_eq!(
        (again.status, again.json()["key"].as_str()),
        (409, Some("problem.done_already"))
    );
}

#[tokio::test]
async fn unknown_foreign_and_malformed_ids_are_one_404() {
    let portal = Portal::start().await;
    let user = clerk(&portal).await;
    let elsewhere = portal.unit(&portal.root, "别的单位").await;
    let other = portal
        .account_in(&elsewhere, "other", &[Role::Applicant])
        .await;
    let mine = portal.token("clerk", &user, TokenScope::Write).await;
    let theirs = portal.token("other", &other, TokenScope::Write).await;
    let draft = theirs.json("POST", "/api/v1/drafts", &json!({})).await;
    assert_eq!(draft.status, 201, "{}", draft.text);
    let foreign = draft.json()["id"].as_str().unwrap().to_owned();
    let mut unknown = foreign.clone();
    unknown.replace_range(unknown.len() - 3.., "000");
    let mut answers = Vec::new();
    for id in [
        foreign.as_str(),
        unknown.as_str(),
        "x",
        "unt_nb_01JD3C00000000000000000000",
    ] {
        let answer = mine.get(&format!("/api/v1/drafts/{id}")).await;
        assert_eq!(answer.status, 404, "{id}: {}", answer.text);
        let mut document = answer.json();
        document.as_object_mut().unwrap().remove("request_id");
        answers.push(document);
    }
    answers.dedup();
    assert_eq!(
        answers.len(),
        1,
        "an answer tells more than another: {answers:#?}"
    );
}

#[tokio::test]
async fn a_draft_is_made_in_one_post_or_not_at_all() {
    let portal = Portal::start().await;
    let user = clerk(&portal).await;
    let writer = portal.token("clerk", &user, TokenScope::Write).await;
    let before = writer.get("/api/v1/drafts").await.json()["rows"]
        .as_array()
        .unwrap()
        .len();
    let bad = json!({ "head": { "title": "两台主机" }, "lines": [{ "item": "C-NOTHING" }] });
    let answer = writer.json("POST", "/api/v1/drafts", &bad).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert_eq!(answer.json()["errors"][0]["field"], "lines[0].item");
    let after = writer.get("/api/v1/drafts").await.json()["rows"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(before, after, "half a draft stayed");
    // The key of a refused draft is free again for the mended one.
    assert_eq!(
        keyed(&writer, "/api/v1/drafts", "d1", &bad).await.status,
        422
    );
    let good = json!({ "head": { "title": "两台主机" } });
    let mended = keyed(&writer, "/api/v1/drafts", "d1", &good).await;
    assert_eq!(mended.status, 201, "{}", mended.text);
    let again = keyed(&writer, "/api/v1/drafts", "d1", &good).await;
    assert_eq!(again.json(), mended.json(), "one key, one draft");
}

#[tokio::test]
async fn a_body_that_can_not_be_read_is_refused_with_the_place() {
    let portal = Portal::start().await;
    let user = clerk(&portal).await;
    let writer = portal.token("clerk", &user, TokenScope::Write).await;
    let headers = [("content-type", "application/json")];
    let answer = writer
        .request(
            "POST",
            "/api/v1/systems",
            &headers,
            Body::from("{\"name\": 1}"),
        )
        .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (422, "application/problem+json")
    );
    assert!(
        answer.json()["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("line 1"),
        "{}",
        answer.text
    );
    let answer = writer
        .request("PUT", "/api/v1/me", &headers, Body::empty())
        .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (405, "application/problem+json")
    );
}

#[tokio::test]
async fn a_list_of_systems_ends_on_its_last_page_and_not_before() {
    let portal = Portal::start().await;
    let user = clerk(&portal).await;
    let writer = portal.token("clerk", &user, TokenScope::Write).await;
    let mut made = Vec::new();
    for n in 0..3 {
        let system =
            json!({ "name": format!("统计系统{n}"), "short_name": format!("tj{n}"), "level": "2" });
        let answer = keyed(&writer, "/api/v1/systems", &format!("s{n}"), &system).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        made.push(answer.json()["id"].clone());
    }
    let mut listed = Vec::new();
    let mut path = "/api/v1/systems?limit=2".to_owned();
    loop {
        let page = writer.get(&path).await.json();
        listed.extend(
            page["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["id"].clone()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/v1/systems?limit=2&after={next}");
    }
    assert_eq!(listed, made);
}

#[tokio::test]
async fn an_operator_enters_a_years_holidays_by_page_and_by_program() {
    let portal = Portal::start().await;
    clerk(&portal).await;
    portal.account("operator", &[Role::Operator]).await;
    let notice = json!({ "year": 2027,
        "days": [{ "name": "元旦", "date": "2027-01-01", "isOffDay": true }] });
    let text = notice.to_string();
    let form = [("do", "enter"), ("notice", text.as_str())];

    let clerk = portal.sign_in("clerk").await;
    let page = clerk.get("/help/deadline").await;
    assert!(!page.text.contains("name=\"notice\""), "{}", page.text);
    assert_eq!(clerk.post("/help/deadline", &form).await.status, 403);
    let refused = send(&clerk, "PUT", "/api/v1/calendar", &notice).await;
    assert_eq!(refused.status, 403, "{}", refused.text);

    let operator = portal.sign_in("operator").await;
    let page = operator.get("/help/deadline").await;
    assert!(page.text.contains("name=\"notice\""), "{}", page.text);
    let bad = [("do", "enter"), ("notice", "{}")];
    assert_eq!(operator.post("/help/deadline", &bad).await.status, 422);
    assert_eq!(operator.post("/help/deadline", &form).await.status, 303);
    let again = send(&operator, "PUT", "/api/v1/calendar", &notice).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(again.json()["replaced"], 1);
    let none = send(
        &operator,
        "PUT",
        "/api/v1/calendar",
        &json!({ "year": 2027, "days": [] }),
    )
    .await;
    assert_eq!(none.status, 422, "{}", none.text);
}

#[tokio::test]
async fn the_document_is_whole_and_can_be_read_as_a_page() {
    let portal = Portal::start().await;
    let answer = portal.browser().get("/api/v1/openapi.json").await;
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let names: Vec<String> = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    for piece in answer.text.split("#/components/schemas/").skip(1) {
        let name = piece.split('"').next().unwrap().to_owned();
        assert!(names.contains(&name), "{name} is referred to and not there");
    }
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            assert!(
                operation["summary"].is_string(),
                "{method} {path} says nothing of itself"
            );
            assert!(operation["tags"][0].is_string(), "{method} {path}");
            for place in path.split('{').skip(1) {
                let name = place.split('}').next().unwrap();
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(
                    parameters.iter().any(|p| p["name"] == name),
                    "{method} {path}: {name}"
                );
            }
        }
    }
    assert!(operations > 40, "{operations}");
    for (language, words) in [("zh-CN", "编程接口"), ("en", "Programming interface")] {
        let headers = [("accept-language", language)];
        let page = portal
            .browser()
            .request("GET", "/api/v1/docs", &headers, Body::empty())
            .await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains(words) && page.text.contains("/api/v1/requests"));
        assert!(!page.text.contains("<script"));
        // It looks like the portal, leads back to it, and is found from there.
        assert!(
            page.text.contains("rel=\"stylesheet\"") && page.text.contains("href=\"/me/tokens\"")
        );
    }
    portal.account("clerk", &[Role::Applicant]).await;
    let tokens = portal.sign_in("clerk").await.get("/me/tokens").await;
    assert!(
        tokens.text.contains("href=\"/api/v1/docs\""),
        "{}",
        tokens.text
    );
}

#[tokio::test]
async fn programs_narrow_lists_as_the_pages_do() {
    let portal = Portal::start().await;
    let admin = portal.account("admin", &[Role::SystemAdmin]).await;
    let clerk = clerk(&portal).await;
    let document = portal.browser().get("/api/v1/openapi.json").await.json();
    for (path, names) in [
        ("/api/v1/requests", &["from", "to", "sort"][..]),
        ("/api/v1/resources", &["billing"][..]),
        ("/api/v1/users", &["role", "unit", "newest"][..]),
        ("/api/v1/sagas", &["kind", "request"][..]),
    ] {
        let known = document["paths"][path]["get"]["parameters"].as_array();
        for name in names {
            let there = known.is_some_and(|all| all.iter().any(|one| one["name"] == *name));
            assert!(there, "{path}: {name}");
        }
    }
    let admin = portal.token("admin", &admin, TokenScope::Read).await;
    let rows = |answer: crate::portal::Answer| {
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["rows"].as_array().unwrap().clone()
    };
    let found = rows(admin.get("/api/v1/users?role=applicant").await);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["id"], clerk.to_string());
    let beside = portal.unit(&portal.root, "另一局").await;
    let none = rows(admin.get(&format!("/api/v1/users?unit={beside}")).await);
    assert!(none.is_empty(), "{none:?}");
    let client = portal.token("clerk", &clerk, TokenScope::Read).await;
    for path in [
        "/api/v1/requests?from=2026-11-01&to=2026-11-30&sort=oldest",
        "/api/v1/resources?billing=trial",
    ] {
        assert!(rows(client.get(path).await).is_empty());
    }
    let wrong = client.get("/api/v1/requests?from=yesterday").await;
    assert!((400..500).contains(&wrong.status), "{}", wrong.text);
}

#[test]
fn the_page_of_statuses_knows_every_kind_of_refusal() {
    use lingbao_core::ServiceError as E;
    use lingbao_model::msg::Msg;
    use lingbao_server::http::problem::Refusal;
    let page = include_str!("../../../docs/http-status.md");
    let all = [
        E::Unauthenticated,
        E::NotFound,
        E::Forbidden,
        E::Invalid(Vec::new()),
        E::Conflict(Msg::new("error.stale")),
        E::QuotaExceeded(Box::new(json!({}))),
        E::TooMany { retry_after_s: 1 },
        E::Unavailable {
            context: String::new(),
        },
        E::Internal {
            context: String::new(),
            source: None,
        },
    ];
    for error in all {
        // A new kind must be added above, and to the page.
        match &error {
            E::Unauthenticated | E::NotFound | E::Forbidden | E::Invalid(_) | E::Conflict(_) => {}
            E::QuotaExceeded(_)
            | E::TooMany { .. }
            | E::Unavailable { .. }
            | E::Internal { .. } => {}
        }
        let refusal = Refusal::from(error);
        let code = serde_json::to_value(refusal.error.code).unwrap();
        let line = format!("| {} | `{}` |", refusal.status, code.as_str().unwrap());
        assert!(page.contains(&line), "docs/http-status.md misses {line}");
    }
}
