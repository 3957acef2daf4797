//! One line a request, and the figures of `/metrics`. The route stands in it as a pattern
//! (`/requests/{number}`): a path may hold what nobody should read in a log.
use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use lingbao_core::Actor;

use super::{client::Client, request_id::RequestId};

/// Writes the line.
pub async fn layer(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("-", MatchedPath::as_str)
        .to_owned();
    let id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone());
    let response = next.run(request).await;
    let elapsed = began.elapsed();
    let status = response.status().as_u16();
    let labels = [("route", route.clone()), ("status", status.to_string())];
    metrics::histogram!("lingbao_http_seconds", &labels).record(elapsed.as_secs_f64());
    let ip = response
        .extensions()
        .get::<Client>()
        .and_then(|client| client.0);
    let actor = response
        .extensions()
        .get::<Actor>()
        .map_or("-", Actor::as_str)
        .to_owned();
    // Built files and probes would drown the rest.
    let quiet = status < 400 && matches!(route.as_str(), "/healthz" | "/readyz" | "/metrics" | "-");
    let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if quiet {
        tracing::debug!(target: "access", request_id = id, %method, route, status, duration_ms, "request");
    } else {
        let ip = ip.map(tracing::field::display);
        tracing::info!(target: "access", request_id = id, %method, route, status, duration_ms, actor, ip, "request");
    }
    response
}
