//! What stands around every answer: headers, refusals, limits, probes.
use axum::body::Body;
use lingbao_model::people::Role;

use crate::portal::Portal;

/// One of each kind of answer: page, file, refusal, probe, redirect.
const PATHS: &[&str] = &[
    "/sign-in",
    "/",
    "/help",
    "/nothing",
    "/pkg/nothing.js",
    "/healthz",
    "/readyz",
    "/events",
    "/metrics",
    "/robots.txt",
];

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let portal = Portal::start().await;
    for path in PATHS {
        let answer = portal.browser().get(path).await;
        for (name, wanted) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), wanted, "{path}: {name}");
        }
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(
            !policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"),
            "{path}"
        );
        assert_eq!(answer.header("x-request-id").len(), 16, "{path}");
        assert!(!answer.header("cache-control").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_page_has_a_fresh_nonce_and_every_script_carries_it() {
    let portal = Portal::start().await;
    let nonce = |policy: &str| {
        let rest = policy
            .split("'nonce-")
            .nth(1)
            .unwrap_or_else(|| panic!("{policy}"));
        rest.split('\'').next().unwrap().to_owned()
    };
    let first = portal.browser().get("/sign-in").await;
    let second = portal.browser().get("/sign-in").await;
    let (a, b) = (
        nonce(first.header("content-security-policy")),
        nonce(second.header("content-security-policy")),
    );
    assert_ne!(a, b);
    for script in first.text.split("<script").skip(1) {
        let tag = script.split('>').next().unwrap();
        assert!(tag.contains(&a), "a script without the nonce: {tag}");
    }
}

#[tokio::test]
async fn posts_of_other_sites_are_refused_and_ours_pass_without_a_referer() {
    let portal = Portal::start().await;
    portal.account("clerk", &[Role::Applicant]).await;
    let browser = portal.sign_in("clerk").await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("origin", "http://portal.test")], true),
        (&[("origin", "https://evil.example")], false),
        (&[("origin", "null")], false),
        (&[], false),
    ];
    for (headers, passes) in cases {
        let mut all = vec![form];
        all.extend_from_slice(headers);
        let answer = browser
            .request("POST", "/look", &all, Body::from("set=dark"))
            .await;
        assert_eq!(
            answer.status,
            if *passes { 303 } else { 403 },
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_says_what_it_is_in_the_language_of_the_reader() {
    let portal = Portal::start().await;
    let browser = portal.browser();
    for (language, words) in [
        ("zh-CN", "这个请求来自别的网站"),
        ("en", "came from another site"),
    ] {
        let headers = [
            ("accept-language", language),
            ("origin", "https://evil.example"),
        ];
        let answer = browser
            .request("POST", "/sign-in", &headers, Body::empty())
            .await;
        assert_eq!(answer.status, 403);
        assert!(answer.text.contains(words), "{}", answer.text);
        assert!(
            answer.text.contains(answer.header("x-request-id")),
            "it can be reported"
        );
        let headers = [
            ("accept-language", language),
            ("origin", "https://evil.example"),
        ];
        let answer = browser
            .request("POST", "/api/v1/tokens", &headers, Body::empty())
            .await;
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(
            (problem["status"].as_u64(), problem["code"].as_str()),
            (Some(403), Some("forbidden"))
        );
        assert!(
            problem["title"].as_str().unwrap().contains(words),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn what_does_not_exist_is_404_for_people_and_programs() {
    let portal = Portal::start().await;
    assert_eq!(portal.browser().get("/nothing").await.status, 404);
    let answer = portal.browser().get("/api/v1/nothing").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (404, "application/problem+json")
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let portal = Portal::with(|config| config.limits.body_kib = 16).await;
    let headers = [
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let body = format!("set={}", "x".repeat(20 * 1024));
    let answer = portal
        .browser()
        .request("POST", "/look", &headers, Body::from(body))
        .await;
    assert_eq!(answer.status, 413);
    assert!(
        answer.text.contains("<h1>"),
        "a page, not a bare word: {}",
        answer.text
    );
}

#[tokio::test]
async fn the_probes_speak_and_the_figures_are_for_their_readers() {
    let portal = Portal::start().await;
    assert_eq!(portal.browser().get("/healthz").await.text, "ok");
    let ready = portal.browser().get("/readyz").await;
    assert_eq!(
        (ready.status, ready.json()["ready"].as_bool()),
        (200, Some(true))
    );
    assert_eq!(
        portal.browser().get("/metrics").await.status,
        404,
        "not from anywhere"
    );
    portal.shared.stop.cancel();
    let ready = portal.browser().get("/readyz").await;
    assert_eq!(
        (ready.status, ready.json()["missing"][0].as_str()),
        (503, Some("stopping"))
    );
}

#[tokio::test]
async fn a_request_too_many_is_told_to_come_back() {
    let portal = Portal::with(|config| config.limits.concurrent_requests = 1).await;
    let place = portal.shared.places.clone().try_acquire_owned().unwrap();
    let answer = portal.browser().get("/help").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    drop(place);
    assert_eq!(portal.browser().get("/help").await.status, 200);
}

#[tokio::test]
async fn events_are_for_who_is_signed_in_and_not_without_end() {
    let portal = Portal::with(|config| config.session.streams_per_user = 1).await;
    portal.account("clerk", &[Role::Applicant]).await;
    assert_eq!(portal.browser().get("/events?t=viewer").await.status, 401);
    let browser = portal.sign_in("clerk").await;
    let answer = browser.get("/events?t=viewer&t=request:x&t=jobs").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "text/event-stream")
    );
    // That stream was dropped, so its place is free again.
    assert_eq!(browser.get("/events").await.status, 200);
}
