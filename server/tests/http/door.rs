//! Sign-in, the cookie, how long a session lasts.
use lingbao_app::names::LIVE_HEADER;
use lingbao_model::people::Role;

use crate::portal::{PASSWORD, Portal};

#[tokio::test]
async fn a_person_signs_in_by_the_page_and_out_again() {
    let portal = Portal::start().await;
    portal.account("clerk", &[Role::Applicant]).await;
    let browser = portal.browser();
    let wrong = browser
        .post(
            "/sign-in",
            &[("account", "clerk"), ("password", "Wrong-2026x")],
        )
        .await;
    assert_eq!(wrong.status, 422);
    assert!(
        !wrong.text.contains("Wrong-2026x"),
        "a password never comes back"
    );
    assert!(
        wrong.text.contains("value=\"clerk\""),
        "the name stays typed"
    );
    let right = browser
        .post(
            "/sign-in",
            &[
                ("account", "clerk"),
                ("password", PASSWORD),
                ("next", "/notices"),
            ],
        )
        .await;
    assert_eq!((right.status, right.header("location")), (303, "/notices"));
    let page = browser.get("/me").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("用户clerk"));
    let out = browser.post("/sign-out", &[]).await;
    assert_eq!((out.status, out.header("location")), (303, "/sign-in"));
    assert!(!browser.get("/me").await.text.contains("用户clerk"));
}

#[tokio::test]
async fn nobody_is_led_to_another_host_after_signing_in() {
    let portal = Portal::start().await;
    portal.account("clerk", &[Role::Applicant]).await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example"] {
        let browser = portal.browser();
        let form = [("account", "clerk"), ("password", PASSWORD), ("next", next)];
        assert_eq!(
            browser.post("/sign-in", &form).await.header("location"),
            "/",
            "{next}"
        );
    }
}

#[tokio::test]
async fn the_cookie_follows_the_public_address() {
    for (url, name, secure) in [
        ("http://portal.test", "lingbao", false),
        ("https://portal.test", "__Host-lingbao", true),
    ] {
        let portal = Portal::with(|config| config.server.public_url = url.to_owned()).await;
        portal.account("clerk", &[Role::Applicant]).await;
        let form = [("account", "clerk"), ("password", PASSWORD)];
        let answer = portal.browser().post("/sign-in", &form).await;
        let cookie = answer.header("set-cookie");
        assert!(cookie.starts_with(&format!("{name}=")), "{cookie}");
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
            "{cookie}"
        );
        assert!(
            cookie.contains("Path=/") && !cookie.contains("Domain"),
            "{cookie}"
        );
        assert!(
            !cookie.contains("Max-Age"),
            "the server decides when it ends: {cookie}"
        );
        assert_eq!(cookie.contains("Secure"), secure, "{cookie}");
        assert_eq!(
            answer.header("strict-transport-security").is_empty(),
            !secure
        );
    }
}

#[tokio::test]
async fn the_id_of_a_session_is_renewed_at_sign_in() {
    let portal = Portal::start().await;
    portal.account("clerk", &[Role::Applicant]).await;
    let browser = portal.sign_in("clerk").await;
    let first = browser.cookie("lingbao").unwrap();
    browser
        .post("/sign-in", &[("account", "clerk"), ("password", PASSWORD)])
        .await;
    let second = browser.cookie("lingbao").unwrap();
    assert_ne!(first, second);
    // The first one opens nothing any more.
    let old = format!("lingbao={first}");
    let answer = portal
        .browser()
        .request("GET", "/me", &[("cookie", &old)], "".into())
        .await;
    assert!(!answer.text.contains("用户clerk"));
}

const MINUTE: i64 = 60_000;

#[tokio::test]
async fn a_session_lives_by_what_the_person_does_and_not_by_polls() {
    let portal = Portal::start().await;
    portal.account("clerk", &[Role::Applicant]).await;
    let browser = portal.sign_in("clerk").await;
    let signed_in = async |browser: &crate::portal::Browser<'_>| {
        browser.get("/me").await.text.contains("用户clerk")
    };
    for _ in 0..4 {
        portal.app.clock.advance_ms(20 * MINUTE);
        assert!(
            signed_in(&browser).await,
            "twenty minutes are no idle time-out"
        );
    }
    // Somebody who fills in a long form is there, though no page is opened.
    for _ in 0..3 {
        portal.app.clock.advance_ms(20 * MINUTE);
        let headers = [("sec-fetch-site", "same-origin")];
        let sign = browser
            .request("POST", "/presence", &headers, "".into())
            .await;
        assert_eq!(sign.status, 204);
    }
    // Badges, lists and event streams for half an hour: nobody is there.
    for _ in 0..6 {
        portal.app.clock.advance_ms(5 * MINUTE);
        let news = [(LIVE_HEADER, "1")];
        browser.request("GET", "/", &news, "".into()).await;
        browser.get("/fn/requests/list?filter=").await;
        browser.get("/events?t=viewer").await;
    }
    portal.app.clock.advance_ms(1_000);
    assert!(
        !signed_in(&browser).await,
        "polls must not keep a session alive"
    );
}

#[tokio::test]
async fn the_page_of_an_administrator_offers_no_reset_that_would_be_refused() {
    let portal = Portal::start().await;
    portal.account("keeper", &[Role::SystemAdmin]).await;
    let keeper = portal.sign_in("keeper").await;
    for (login, role, offered) in [
        ("clerk", Role::Applicant, true),
        ("security", Role::SecurityAdmin, false),
        ("auditor", Role::Auditor, false),
    ] {
        let id = portal.account(login, &[role]).await;
        let path = format!("/admin/users/{id}");
        let page = keeper.get(&path).await;
        assert_eq!(page.status, 200);
        let link = format!("href=\"{path}/password\"");
        assert_eq!(page.text.contains(&link), offered, "{login}");
        let reset = [("password", "Qianyun-2027")];
        let answer = keeper.post(&format!("{path}/password"), &reset).await;
        let status = if offered { 303 } else { 409 };
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}
