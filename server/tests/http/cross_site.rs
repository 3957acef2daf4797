//! What another site's page makes a signed-in browser send: refused on pages, questions of pages and the
//! programming interface alike, and nothing is done.
use axum::body::Body;
use lingbao_model::people::Role;

use crate::portal::Portal;

/// Where the request comes from, as a browser says it.
type Said = &'static [(&'static str, &'static str)];

/// Pages that are not ours. The host of the portal is `portal.test`.
const FOREIGN: &[Said] = &[
    &[("sec-fetch-site", "cross-site")],
    // A page of another name below the same domain.
    &[("sec-fetch-site", "same-site")],
    &[
        ("sec-fetch-site", "same-site"),
        ("origin", "http://news.portal.test"),
    ],
    // What the newer header says is not overruled by the older one.
    &[
        ("sec-fetch-site", "cross-site"),
        ("origin", "http://portal.test"),
    ],
    &[("sec-fetch-site", "nonsense")],
    // Older browsers say the origin alone.
    &[("origin", "https://evil.example")],
    &[("origin", "http://news.portal.test")],
    &[("origin", "http://portal.test.evil.example")],
    &[("origin", "http://evilportal.test")],
    &[("origin", "http://portal.test:8080")],
    // A page in a frame without an origin, a file, a redirect.
    &[("origin", "null")],
    &[("origin", "")],
    // Nothing at all: no browser that we know, and no token.
    &[],
    &[("referer", "http://portal.test/cart")],
    // A name and a password are no token.
    &[("authorization", "Basic Y2xlcms6eA==")],
];

/// Our own pages.
const OURS: &[Said] = &[
    &[("sec-fetch-site", "same-origin")],
    &[("origin", "http://portal.test")],
    &[
        ("origin", "http://portal.test"),
        ("referer", "https://evil.example/"),
    ],
];

/// A way to send something with the cookie, what it carries, and what it answers when it is let in.
struct Way {
    method: &'static str,
    path: &'static str,
    kind: &'static str,
    body: &'static str,
    status: u16,
}

const FORM: &str = "application/x-www-form-urlencoded";

const fn way(
    method: &'static str,
    path: &'static str,
    kind: &'static str,
    body: &'static str,
    status: u16,
) -> Way {
    Way {
        method,
        path,
        kind,
        body,
        status,
    }
}

const SYSTEM: &str = r#"{"name":"统计直报","short_name":"tjzb","level":"2","state":"live",
    "contact_name":"张三","contact_phone":"0574-1"}"#;

const WAYS: &[Way] = &[
    way("POST", "/look", FORM, "set=dark", 303),
    way("POST", "/notices", FORM, "do=all", 303),
    way("POST", "/fn/account/own", FORM, "", 200),
    way("POST", "/api/v1/systems", "application/json", SYSTEM, 201),
    // What a plain form of another page can send without asking first.
    way("POST", "/api/v1/systems", "text/plain", SYSTEM, 415),
    way(
        "PUT",
        "/api/v1/quota/x/limits",
        "application/json",
        r#"{"limits":[]}"#,
        404,
    ),
    way("DELETE", "/api/v1/tokens/x", "application/json", "", 404),
    way("PATCH", "/api/v1/nothing", "application/json", "", 404),
];

#[tokio::test]
async fn what_a_foreign_page_sends_with_our_cookie_is_refused_everywhere_and_does_nothing() {
    let portal = Portal::start().await;
    portal.account("clerk", &[Role::Applicant]).await;
    let clerk = portal.sign_in("clerk").await;
    // A system's name is taken once.
    let send = async |way: &Way, from: Said, name: &str| {
        let mut headers = vec![("content-type", way.kind)];
        headers.extend_from_slice(from);
        let body = Body::from(way.body.replace("tjzb", name).replace("统计直报", name));
        clerk.request(way.method, way.path, &headers, body).await
    };
    let systems = async || {
        let listed = clerk.get("/api/v1/systems").await.json();
        listed["rows"].as_array().unwrap().len()
    };
    for way in WAYS {
        for from in FOREIGN {
            let answer = send(way, from, "foreign").await;
            let what = format!("{} {} from {from:?}", way.method, way.path);
            assert_eq!(answer.status, 403, "{what}: {}", answer.text);
            // Questions of pages are answered with the key of the words.
            let why = ["来自别的网站", "problem.cross_site"];
            assert!(
                why.iter().any(|said| answer.text.contains(said)),
                "{what}: {}",
                answer.text
            );
        }
    }
    assert_eq!(systems().await, 0);
    for (from, name) in OURS.iter().zip(["first", "second", "third"]) {
        for way in WAYS {
            let answer = send(way, from, name).await;
            let what = format!("{} {} from {from:?}", way.method, way.path);
            assert_eq!(answer.status, way.status, "{what}: {}", answer.text);
        }
    }
    assert_eq!(systems().await, OURS.len());
}

#[tokio::test]
async fn a_foreign_page_can_not_sign_anybody_in_or_out() {
    let portal = Portal::start().await;
    portal.account("clerk", &[Role::Applicant]).await;
    let clerk = portal.sign_in("clerk").await;
    for from in FOREIGN {
        for path in ["/sign-in", "/sign-out", "/me", "/presence"] {
            let answer = clerk.request("POST", path, from, Body::empty()).await;
            assert_eq!(answer.status, 403, "{path} from {from:?}");
        }
        assert!(clerk.get("/me").await.text.contains("用户clerk"));
    }
}
