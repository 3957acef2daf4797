//! Everything that answers HTTP: what stands around each answer ([`middleware`]), who asks
//! ([`context`]), the pages ([`pages`]), the programming interface ([`rest`]), probes ([`health`])
//! and event streams ([`events`]).
pub mod context;
pub mod error_page;
pub mod events;
pub mod health;
pub mod middleware;
pub mod pages;
pub mod problem;
pub mod rest;
pub mod sessions;

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
    routing::{get, post},
};
use leptos::config::LeptosOptions;
use lingbao_app::{form::ssr::Pages, names::PRESENCE};
use lingbao_core::{App, service::notice, session_store::Sessions};
use metrics_exporter_prometheus::PrometheusHandle;
use middleware::{access_log, client, client::Network, cross_site, guard, headers, request_id};
use std::net::IpAddr;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::{compression::CompressionLayer, limit::RequestBodyLimitLayer};
use tower_sessions::session::Id;

use crate::config::Config;

/// What all handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Portal(Arc<Inner>);

/// The inside of [`Portal`].
pub struct Inner {
    /// The application.
    pub app: Arc<App>,
    /// The configuration.
    pub config: Config,
    /// Names this build; see [`pages::build_id`].
    pub build: Arc<str>,
    /// Path of the style sheet, for pages that the application does not make.
    pub style: String,
    /// The sessions.
    pub sessions: Sessions,
    /// The event streams.
    pub hub: Arc<events::Hub>,
    /// The figures; absent where no recorder is installed (tests).
    pub metrics: Option<PrometheusHandle>,
    /// Cancelled when the process is to stop.
    pub stop: CancellationToken,
    /// Believed proxies.
    pub proxies: Vec<Network>,
    /// Who may read the figures.
    pub metrics_from: Vec<Network>,
    /// Places for requests.
    pub places: Arc<Semaphore>,
    touched: Mutex<HashMap<Id, i64>>,
}

impl Deref for Portal {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// A session is prolonged at most so often.
const TOUCH_MS: i64 = 60_000;

impl Portal {
    /// Puts the shared things together. `config` was validated.
    #[must_use]
    pub fn new(
        app: Arc<App>,
        config: Config,
        options: &LeptosOptions,
        metrics: Option<PrometheusHandle>,
        stop: CancellationToken,
    ) -> Self {
        let networks = |list: &[String]| list.iter().filter_map(|one| one.parse().ok()).collect();
        let folder = std::env::current_exe().ok();
        let folder = folder.as_deref().and_then(|exe| exe.parent());
        Self(Arc::new(Inner {
            build: pages::build_id(folder.unwrap_or_else(|| std::path::Path::new("."))),
            style: pages::style_path(options, folder),
            sessions: Sessions::new(app.clone()),
            hub: Arc::default(),
            proxies: networks(&config.server.trusted_proxies),
            metrics_from: networks(&config.server.metrics_from),
            places: Arc::new(Semaphore::new(config.limits.concurrent_requests)),
            touched: Mutex::default(),
            app,
            config,
            metrics,
            stop,
        }))
    }

    /// Whether an address is a believed proxy's.
    #[must_use]
    pub fn is_proxy(&self, ip: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.holds(ip))
    }

    /// Notes that the person did something. The store writes once a minute; this memory spares it
    /// the question in between, and losing it costs nothing.
    async fn touch(&self, id: &Id) {
        let now = self.app.clock.now().millis();
        {
            let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
            if touched
                .get(id)
                .is_some_and(|at| (0..TOUCH_MS).contains(&(now - at)))
            {
                return;
            }
            if touched.len() > 10_000 {
                touched.clear();
            }
            touched.insert(*id, now);
        }
        let noted = self.sessions.touch(id, sessions::idle_ms(&self.config));
        // What is asked for must not wait in line twice.
        notice::courtesy("a session as in use", noted).await;
    }
}

/// The whole portal, as it is served.
pub fn router(portal: &Portal, options: LeptosOptions) -> Router {
    let pages = pages::pages(
        Pages {
            options,
            build: portal.build.clone(),
            context: context::provider(portal),
        },
        portal.config.limits.concurrent_pages,
    );
    let own = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route(events::PATH, get(events::open))
        // The layer around it prolongs the session.
        .route(PRESENCE, post(async || StatusCode::NO_CONTENT))
        .with_state(portal.clone());
    let limit = portal.config.limits.body_kib * 1024;
    // The last layer is the outermost.
    own.merge(rest::router(portal))
        .merge(pages)
        .layer(from_fn_with_state(portal.clone(), context::layer))
        .layer(sessions::layer(portal))
        .layer(from_fn_with_state(portal.clone(), cross_site::layer))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(limit))
        .layer(from_fn_with_state(portal.clone(), dressed))
        .layer(CompressionLayer::new().quality(tower_http::CompressionLevel::Fastest))
        .layer(from_fn_with_state(portal.clone(), client::layer))
        .layer(from_fn_with_state(portal.clone(), guard::layer))
        .layer(from_fn_with_state(portal.clone(), headers::layer))
        .layer(from_fn(access_log::layer))
        .layer(from_fn_with_state(portal.clone(), request_id::layer))
}

/// Gives a bare refusal of a library (405, 413, a broken form) the form of ours.
async fn dressed(State(portal): State<Portal>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let (mut copy, ()) = Request::new(()).into_parts();
    copy.headers = parts.headers.clone();
    copy.uri = parts.uri.clone();
    let response = next.run(Request::from_parts(parts, body)).await;
    if !problem::is_bare(&response) || copy.uri.path() == "/readyz" {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let refusal = parts.extensions.remove::<problem::Refusal>();
    let refusal = refusal.unwrap_or_else(|| problem::Refusal::of_status(parts.status));
    let mut answer = refusal.answer(&portal, &copy);
    for name in [http::header::ALLOW, http::header::RETRY_AFTER] {
        if let Some(value) = parts.headers.get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    *answer.extensions_mut() = parts.extensions;
    answer
}
