//! What holds for every operation of the programming interface, out of its own document; and what programs
//! can do that pages could do before.
use lingbao_model::{people::Role, text::REASON_MAX, view::people::TokenScope};
use serde_json::{Value, json};

use crate::{
    full::{hosts, send, with_limits},
    portal::{Answer, Browser, Portal},
};

/// Each documented operation: method, path below `/api/v1`, what the document says of it.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods.iter().map(move |(method, operation)| {
            let path = path.strip_prefix("/api/v1").unwrap().to_owned();
            (method.to_uppercase(), path, operation)
        })
    });
    all.collect()
}

async fn document(portal: &Portal) -> Value {
    portal.browser().get("/api/v1/openapi.json").await.json()
}

/// What a reference leads to.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(to) => document.pointer(to.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// A body that fits a schema.
fn sample(document: &Value, schema: &Value) -> Value {
    let schema = resolved(document, schema);
    if let Some(one) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let some = one.iter().find(|s| s["type"] != "null");
        return sample(document, some.unwrap_or(&one[0]));
    }
    if let Some(all) = schema["allOf"].as_array() {
        let parts = all.iter().map(|part| sample(document, part));
        let fields = parts.flat_map(|part| part.as_object().cloned().unwrap_or_default());
        return Value::Object(fields.collect());
    }
    if let Some(words) = schema["enum"].as_array() {
        return words[0].clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").unwrap(),
        one => one,
    };
    match kind.as_str() {
        Some("object") => {
            let properties = schema["properties"].as_object().cloned();
            let fields = properties.unwrap_or_default().into_iter();
            fields
                .map(|(name, inner)| (name, sample(document, &inner)))
                .collect()
        }
        Some("array") => json!([]),
        Some("integer") => json!(1),
        Some("boolean") => json!(false),
        _ => json!("核验一下"),
    }
}

/// Lists that are whole: their rows are as many as a word has values, or as pools have dimensions.
const WHOLE: &[&str] = &["/policies", "/quota", "/quota/{id}"];

#[tokio::test]
async fn every_list_goes_by_pages() {
    let portal = Portal::start().await;
    let document = document(&portal).await;
    let (mut lists, mut whole) = (0, Vec::new());
    for (method, path, operation) in operations(&document) {
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let answer = resolved(&document, schema);
        if method != "GET" || answer["properties"]["rows"].is_null() {
            continue;
        }
        lists += 1;
        let parameters = operation["parameters"].as_array();
        let takes =
            |name: &str| parameters.is_some_and(|all| all.iter().any(|p| p["name"] == name));
        let next = !answer["properties"]["next"].is_null();
        if !(takes("after") && takes("limit") && next) {
            whole.push(path);
        }
    }
    assert_eq!(whole, WHOLE);
    assert!(lists > 20, "{lists}");
}

#[tokio::test]
async fn a_reason_is_as_long_by_page_as_by_program() {
    let portal = Portal::start().await;
    let document = document(&portal).await;
    let most = |schema: &str, field: &str| {
        let of = &document["components"]["schemas"][schema]["properties"][field];
        of["maxLength"].as_u64()
    };
    let bound = Some(u64::from(REASON_MAX));
    for (schema, field) in [
        ("HeadForm", "reason"),
        ("ChangeForm", "reason"),
        ("ReleaseOrder", "reason"),
        ("WriteOff", "reason"),
    ] {
        assert_eq!(most(schema, field), bound, "{schema}.{field}");
    }
    portal.account("reviewer", &[Role::Reviewer]).await;
    let cell = with_limits(&portal, &portal.sign_in("reviewer").await).await;
    portal.account("clerk", &[Role::Applicant]).await;
    let clerk = portal.sign_in("clerk").await;
    let order = hosts(&json!(""), &cell, "1");
    let draft = send(&clerk, "POST", "/api/v1/drafts", &order).await.json();
    let path = format!("/cart/{}", draft["id"].as_str().unwrap());
    let page = clerk.get(&path).await;
    let area = page.text.split("<textarea").nth(1).unwrap();
    let area = area.split('>').next().unwrap();
    assert!(
        area.contains(&format!("maxlength=\"{REASON_MAX}\"")),
        "{area}"
    );
}

/// What a person without any role is let into: what is one's own, and what everybody may read.
const OPEN: &[(&str, &str)] = &[
    ("GET", "/calendar"),
    ("GET", "/catalogue/items"),
    ("GET", "/catalogue/items/{code}"),
    ("GET", "/done"),
    ("GET", "/me"),
    ("GET", "/me/profile"),
    ("GET", "/notices"),
    ("GET", "/places"),
    ("GET", "/search"),
    ("GET", "/todos"),
    ("GET", "/tokens"),
    ("POST", "/notices/read"),
];

/// An id that stands for a thing of somebody else's in a path.
struct Theirs {
    draft: String,
    system: String,
    unit: String,
    user: String,
}

impl Theirs {
    fn fill(&self, path: &str) -> String {
        let word = path.split('/').nth(1).unwrap_or_default();
        let id = match word {
            "drafts" | "requests" => &self.draft,
            "systems" => &self.system,
            "units" | "quota" => &self.unit,
            "users" => &self.user,
            _ => "x",
        };
        let mut path = path.replace("{id}", id);
        for (name, value) in [("{code}", "C-ECS"), ("{kind}", "new")] {
            path = path.replace(name, value);
        }
        // Whatever else is named is nothing.
        while let Some((before, rest)) = path.split_once('{') {
            let after = rest.split_once('}').map_or("", |(_, after)| after);
            path = format!("{before}x{after}");
        }
        path
    }
}

#[tokio::test]
async fn whoever_has_no_role_is_let_into_nothing_but_what_is_open_to_all() {
    let portal = Portal::start().await;
    let document = document(&portal).await;
    let admin = portal.account("admin", &[Role::SystemAdmin]).await;
    portal.account("clerk", &[Role::Applicant]).await;
    let elsewhere = portal.unit(&portal.root, "别的单位").await;
    portal.account_in(&elsewhere, "nobody", &[]).await;
    let clerk = portal.sign_in("clerk").await;
    let made = async |path: &str, body: Value| {
        let answer = send(&clerk, "POST", path, &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    };
    let theirs = Theirs {
        draft: made("/api/v1/drafts", json!({})).await,
        system: made(
            "/api/v1/systems",
            json!({ "name": "经济普查平台", "level": "2" }),
        )
        .await,
        unit: portal.root.to_string(),
        user: admin.to_string(),
    };
    let nobody = portal.sign_in("nobody").await;
    let mut let_in = Vec::new();
    for (method, path, operation) in operations(&document) {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let body = sample(&document, body);
        let asked = format!("/api/v1{}", theirs.fill(&path));
        let answer: Answer = send(&nobody, &method, &asked, &body).await;
        assert!(answer.status < 500, "{method} {path}: {}", answer.text);
        if answer.status < 300 {
            let_in.push((method, path));
        }
    }
    let_in.sort();
    let open: Vec<(String, String)> = OPEN
        .iter()
        .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(let_in, open);
}

async fn try_it(who: &Browser<'_>, path: &str, body: &Value) -> Value {
    let answer = who.json("POST", path, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_program_learns_price_and_quota_of_a_line_before_any_draft_is_made() {
    let portal = Portal::start().await;
    portal.account("reviewer", &[Role::Reviewer]).await;
    let cell = with_limits(&portal, &portal.sign_in("reviewer").await).await;
    let user = portal.account("clerk", &[Role::Applicant]).await;
    let clerk = portal.token("clerk", &user, TokenScope::Write).await;
    let order = hosts(&json!(""), &cell, "2");
    let line = &order["lines"][0];

    let alone = json!({ "line": line });
    let tried = try_it(&clerk, "/api/v1/drafts/try", &alone).await;
    assert_eq!(tried["errors"], json!([]));
    assert_eq!(tried["verdict"]["month"], 69_600);
    assert_eq!(tried["verdict"]["shortfalls"], json!([]));
    let many = json!({ "line": hosts(&json!(""), &cell, "50")["lines"][0] });
    let half = json!({ "line": { "item": "C-ECS", "cell": cell } });
    for (body, why) in [(&many, "verdict"), (&half, "errors")] {
        let tried = try_it(&clerk, "/api/v1/drafts/try", body).await;
        assert!(tried[why].is_array() || tried[why].is_object(), "{tried}");
    }
    let unknown = json!({ "line": { "item": "C-NOTHING" } });
    let answer = clerk.json("POST", "/api/v1/drafts/try", &unknown).await;
    assert_eq!(answer.status, 404, "{}", answer.text);
    let drafts = clerk.get("/api/v1/drafts").await.json();
    assert_eq!(drafts["rows"], json!([]), "nothing is kept");

    // Beside what a draft holds already, or in its place.
    let draft = clerk.json("POST", "/api/v1/drafts", &order).await;
    assert_eq!(draft.status, 201, "{}", draft.text);
    let draft = draft.json();
    let path = format!("/api/v1/drafts/{}/lines/try", draft["id"].as_str().unwrap());
    let beside = try_it(&clerk, &path, &alone).await;
    assert_eq!(beside["verdict"]["month"], 2 * 69_600);
    let own = &draft["lines"][0]["line"]["id"];
    let instead = try_it(&clerk, &path, &json!({ "id": own, "line": line })).await;
    assert_eq!(instead["verdict"]["month"], 69_600);
    let after = clerk
        .get(&format!("/api/v1/drafts/{}", draft["id"].as_str().unwrap()))
        .await;
    assert_eq!(after.json()["lines"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_program_reads_the_working_days_that_were_entered() {
    let portal = Portal::start().await;
    portal.account("operator", &[Role::Operator]).await;
    let user = portal.account("clerk", &[Role::Applicant]).await;
    let clerk = portal.token("clerk", &user, TokenScope::Read).await;
    let year = async |query: &str| {
        let answer = clerk.get(&format!("/api/v1/calendar{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    };
    let unknown = year("?year=2027").await;
    assert_eq!(
        (&unknown["known"], &unknown["days"]),
        (&json!(false), &json!([]))
    );
    let days = json!([
        { "name": "元旦", "date": "2027-01-01", "isOffDay": true },
        { "name": "元旦", "date": "2027-01-03", "isOffDay": false },
    ]);
    let operator = portal.sign_in("operator").await;
    let notice = json!({ "year": 2027, "days": days });
    let entered = send(&operator, "PUT", "/api/v1/calendar", &notice).await;
    assert_eq!(entered.status, 200, "{}", entered.text);
    let known = year("?year=2027").await;
    assert_eq!((&known["known"], &known["days"]), (&json!(true), &days));
    // The present year is built in.
    let present = year("").await;
    assert_eq!(
        (&present["year"], &present["known"]),
        (&json!(2026), &json!(true))
    );
}
