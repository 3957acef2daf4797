//! The whole portal in a test: the real router on a database of its own, a clock that is told the
//! time, a generator that repeats.
//!
//! ```ignore
//! let portal = Portal::start().await;
//! portal.account("clerk", &[Role::Applicant]).await;
//! let clerk = portal.sign_in("clerk").await;           // a browser with its cookie
//! let page = clerk.get("/requests").await;
//! assert_eq!(page.status, 200);
//! let answer = clerk.post("/cart", &[("title", "x")]).await;
//! let client = portal.token("clerk", TokenScope::Write).await;  // a program with a token
//! ```
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, Response, header},
};
use lingbao_backends::Backends;
use lingbao_core::{
    Actor, Cx,
    service::{grant, install, token, unit, user},
    testing::{TestApp, TestDb},
    usage::Metering,
};
use lingbao_model::{
    id::{UnitId, UserId},
    people::{Role, UnitKind, UnitLevel},
    view::people::TokenScope,
};
use lingbao_server::{
    config::Config,
    http::{self, Portal as Shared, pages},
    wiring::database_config,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The password of every account of a test.
pub const PASSWORD: &str = "Suitcase-2026";

/// A portal of one test.
pub struct Portal {
    /// The application with its clock.
    pub app: TestApp,
    /// What the handlers share.
    pub shared: Shared,
    /// The topmost unit.
    pub root: UnitId,
    /// The database.
    pub db: TestDb,
    router: Router,
}

impl Portal {
    /// With the configuration's defaults, a catalogue and one topmost unit.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With a configuration of one's own.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::of(change, |app| app).await
    }

    /// With clouds to ask; they are told the time by the application's clock.
    pub async fn with_clouds(clouds: impl FnOnce(&TestApp) -> Arc<Backends>) -> Self {
        let asked = |app: TestApp| {
            let clouds = clouds(&app);
            app.with_backends(clouds)
        };
        Self::of(|_| {}, asked).await
    }

    /// With clouds to ask, and something that measures their servers.
    pub async fn measured(clouds: impl FnOnce(&TestApp) -> Arc<Backends>, by: Metering) -> Self {
        let asked = |app: TestApp| {
            let clouds = clouds(&app);
            app.with_backends(clouds).with_usage(by)
        };
        Self::of(|_| {}, asked).await
    }

    async fn of(change: impl FnOnce(&mut Config), asked: impl FnOnce(TestApp) -> TestApp) -> Self {
        let mut config = Config::default();
        change(&mut config);
        assert_eq!(config.validate(), Vec::<String>::new());
        let wired = database_config(&config, false).unwrap();
        let db = TestDb::sqlite_with(|own| (own.wait, own.queue) = (wired.wait, wired.queue)).await;
        let app = asked(TestApp::on(&db));
        let folder = std::env::current_exe().unwrap();
        let options = pages::leptos_options("target/site", folder.parent().unwrap());
        let stop = CancellationToken::new();
        let shared = Shared::new(app.app.clone(), config, &options, None, stop);
        let router = http::router(&shared, options);
        let cx = app.app.system();
        install::defaults(&cx, "simulator").await.unwrap();
        let root = unit::create(&cx, a_unit(None, "示范市", UnitLevel::City))
            .await
            .unwrap();
        Self {
            app,
            shared,
            root,
            db,
            router,
        }
    }

    /// One more unit below another.
    pub async fn unit(&self, parent: &UnitId, name: &str) -> UnitId {
        let new = a_unit(Some(parent.clone()), name, UnitLevel::City);
        unit::create(&self.app.app.system(), new).await.unwrap()
    }

    /// An account in the topmost unit.
    pub async fn account(&self, login: &str, roles: &[Role]) -> UserId {
        self.account_in(&self.root.clone(), login, roles).await
    }

    /// An account in a unit, with roles on it that reach as far as such roles may. Its first
    /// password is changed already.
    pub async fn account_in(&self, unit: &UnitId, login: &str, roles: &[Role]) -> UserId {
        let cx = self.app.app.system();
        let new = user::NewUser {
            login: login.to_owned(),
            name: format!("用户{login}"),
            phone: String::new(),
            password: format!("{PASSWORD}-first"),
        };
        let id = user::create(&cx, unit, &new).await.unwrap();
        for role in roles {
            grant::give(&cx, &id, *role, unit, role.widest())
                .await
                .unwrap();
        }
        let own = Cx::new(self.app.app.clone(), Actor::User(id.clone()));
        let first = format!("{PASSWORD}-first");
        lingbao_core::service::session::change_password(&own, &first, PASSWORD, PASSWORD)
            .await
            .unwrap();
        id
    }

    /// The surroundings of an act by somebody, to prepare things without HTTP.
    pub fn cx(&self, user: &UserId) -> Cx {
        self.app.cx(user)
    }

    /// A browser that nobody has signed in with.
    pub fn browser(&self) -> Browser<'_> {
        Browser {
            portal: self,
            cookies: Mutex::default(),
            token: None,
        }
    }

    /// A browser in which somebody has signed in, through the page.
    pub async fn sign_in(&self, login: &str) -> Browser<'_> {
        let browser = self.browser();
        let answer = browser
            .post("/sign-in", &[("account", login), ("password", PASSWORD)])
            .await;
        assert_eq!(answer.status, 303, "{login} can't sign in: {}", answer.text);
        browser
    }

    /// A program with a token of somebody.
    pub async fn token(&self, login: &str, user: &UserId, scope: TokenScope) -> Browser<'_> {
        let made = token::create(&self.cx(user), login, scope.as_str(), "30")
            .await
            .unwrap();
        Browser {
            portal: self,
            cookies: Mutex::default(),
            token: Some(made.secret),
        }
    }

    /// Sends a request as it is.
    pub async fn send(&self, mut request: Request<Body>) -> Answer {
        let peer: SocketAddr = "192.0.2.7:50000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = self.router.clone().oneshot(request).await.unwrap();
        Answer::read(response).await
    }
}

fn a_unit(parent: Option<UnitId>, name: &str, level: UnitLevel) -> unit::NewUnit {
    unit::NewUnit {
        parent,
        name: name.to_owned(),
        short_name: String::new(),
        level,
        kind: UnitKind::Government,
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty for an event stream.
    pub text: String,
}

impl Answer {
    async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let endless = kind.is_some_and(|kind| kind == "text/event-stream");
        let text = if endless {
            String::new()
        } else {
            let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
        }
    }

    /// A header as text; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }
}

/// Somebody who asks: a browser with cookies, or a program with a token.
pub struct Browser<'a> {
    portal: &'a Portal,
    cookies: Mutex<Vec<(String, String)>>,
    token: Option<String>,
}

impl Browser<'_> {
    /// Whether the browser holds a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.cookies.lock().unwrap();
        cookies
            .iter()
            .find(|pair| pair.0 == name)
            .map(|pair| pair.1.clone())
    }

    /// Asks for a page.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[("accept", "text/html")], Body::empty())
            .await
    }

    /// Posts a form, as our own page does.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
            .collect();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("accept", "text/html"),
            ("sec-fetch-site", "same-origin"),
        ];
        self.request("POST", path, &headers, Body::from(body.join("&")))
            .await
    }

    /// Sends JSON, as a program does.
    pub async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.request(method, path, &headers, Body::from(body.to_string()))
            .await
    }

    /// Sends anything.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "portal.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let cookies: Vec<_> = {
            let held = self.cookies.lock().unwrap();
            held.iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect()
        };
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let answer = self.portal.send(request.body(body).unwrap()).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            let mut held = self.cookies.lock().unwrap();
            held.retain(|pair| pair.0 != name);
            if !set.contains("Max-Age=0") {
                held.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }
}

/// A value as it stands in the body of a form.
pub fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
