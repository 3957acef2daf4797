//! Sign-in, the cookie, how long a session lasts.
use std::{cell::Cell, time::Duration};

use futures::future::join_all;
use lingbao_app::names::LIVE_HEADER;
use lingbao_model::{people::Role, view::people::TokenScope};

use crate::portal::{Browser, PASSWORD, Portal};

/// Whether this browser's session is the clerk's.
async fn is_clerk(browser: &Browser<'_>) -> bool {
    browser.get("/me").await.text.contains("用户clerk")
}

/// The same of a session whose cookie somebody else has written down.
async fn opens(portal: &Portal, cookie: &str) -> bool {
    let header = format!("lingbao={cookie}");
    let asked = [("cookie", header.as_str()), ("accept", "text/html")];
    let somebody = portal.browser();
    let page = somebody.request("GET", "/me", &asked, "".into()).await;
    page.text.contains("用户clerk")
}

#[tokio::test]
async fn of_many_who_sign_in_at_once_two_are_at_the_hasher_and_the_probes_answer_meanwhile() {
    let portal = Portal::start().await;
    portal.account("clerk", &[Role::Applicant]).await;
    let passwords = &portal.app.passwords;
    let over = Cell::new(false);
    let crowd = async {
        join_all((0..24).map(|_| portal.sign_in("clerk"))).await;
        over.set(true);
    };
    let probes = async {
        let (mut most, mut answered) = (0, 0);
        while !over.get() {
            for path in ["/healthz", "/readyz"] {
                let full = passwords.at_work() == 2;
                let probe = portal.browser().get(path).await;
                assert_eq!(probe.status, 200, "{path}: {}", probe.text);
                most = most.max(passwords.at_work());
                answered += usize::from(full);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (most, answered)
    };
    let (most, answered) = tokio::join!(probes, crowd).0;
    assert_eq!(most, 2, "at the hasher at one time");
    assert!(
        answered >= 4,
        "probes while the hasher was full: {answered}"
    );
    assert_eq!(passwords.at_work(), 0);
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_of_the_person_and_nothing_else() {
    let portal = Portal::start().await;
    let user = portal.account("clerk", &[Role::Applicant]).await;
    portal.account("other", &[Role::Applicant]).await;
    let program = portal.token("clerk", &user, TokenScope::Read).await;
    let other = portal.sign_in("other").await;
    let mut own = Vec::new();
    for _ in 0..3 {
        own.push(portal.sign_in("clerk").await);
    }
    let cookies: Vec<_> = own.iter().map(|it| it.cookie("lingbao").unwrap()).collect();
    for browser in &own {
        assert!(is_clerk(browser).await);
    }
    let out = own[1].post("/me", &[]).await;
    assert_eq!((out.status, out.header("location")), (303, "/sign-in"));
    for (browser, cookie) in own.iter().zip(&cookies) {
        assert!(!is_clerk(browser).await && !opens(&portal, cookie).await);
        assert_eq!(browser.get("/api/v1/me").await.status, 401);
    }
    assert!(other.get("/me").await.text.contains("用户other"));
    assert_eq!(program.get("/api/v1/me").await.json()["name"], "用户clerk");
    // The door is open as before.
    assert!(is_clerk(&portal.sign_in("clerk").await).await);
}

#[tokio::test]
async fn a_new_password_ends_every_other_session_of_the_person_and_only_those() {
    let portal = Portal::start().await;
    portal.account("clerk", &[Role::Applicant]).await;
    portal.account("other", &[Role::Applicant]).await;
    let other = portal.sign_in("other").await;
    let (here, there) = (portal.sign_in("clerk").await, portal.sign_in("clerk").await);
    let next = "Qianyun-2027";
    let form = [
        ("current_password", PASSWORD),
        ("new_password", next),
        ("again_password", next),
    ];
    let changed = here.post("/me/password", &form).await;
    assert_eq!(changed.status, 303, "{}", changed.text);
    assert!(is_clerk(&here).await);
    assert!(!is_clerk(&there).await);
    assert!(other.get("/me").await.text.contains("用户other"));
}

#[tokio::test]
async fn an_id_that_was_there_before_the_sign_in_is_nobodys_afterwards() {
    let portal = Portal::start().await;
    portal.account("clerk", &[Role::Applicant]).await;
    let enter = [("account", "clerk"), ("password", PASSWORD)];
    // The session of the door, which somebody else may have laid into this browser.
    let browser = portal.sign_in("clerk").await;
    portal.app.clock.advance_ms(31 * MINUTE);
    assert!(!is_clerk(&browser).await);
    let door = browser.cookie("lingbao").unwrap();
    assert_eq!(browser.post("/sign-in", &enter).await.status, 303);
    assert!(is_clerk(&browser).await);
    assert_ne!(browser.cookie("lingbao").unwrap(), door);
    assert!(!opens(&portal, &door).await);
    // One that looks like ours and that the server has never given, or has ended.
    let ended = browser.cookie("lingbao").unwrap();
    browser.post("/sign-out", &[]).await;
    let laid = format!("lingbao={ended}");
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
        ("cookie", laid.as_str()),
    ];
    let body = format!("account=clerk&password={PASSWORD}");
    let victim = portal.browser();
    let answer = victim
        .request("POST", "/sign-in", &headers, body.into())
        .await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert!(is_clerk(&victim).await);
    assert_ne!(victim.cookie("lingbao").unwrap(), ended);
    assert!(!opens(&portal, &ended).await);
}

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
