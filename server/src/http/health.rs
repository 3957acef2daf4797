//! Whether the process lives, whether it can serve, and its figures.
use axum::{
    Json,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use lingbao_core::{jobs, storage::migrations};
use serde_json::json;

use super::{Portal, middleware::client::Client};

/// A job that was due for so long means that nobody works.
const STALLED_MS: i64 = 120_000;

/// The process answers.
pub async fn alive() -> &'static str {
    "ok"
}

/// Database, schema and worker. 503 as long as something is missing.
pub async fn ready(State(portal): State<Portal>) -> Response {
    let app = &portal.app;
    let needed = migrations::needed(app.db.engine());
    let (mut problems, mut schema) = (Vec::new(), 0);
    match app.db.schema_version().await {
        Ok(version) => {
            schema = version;
            if version < needed {
                problems.push("schema");
            } else {
                match jobs::publish_metrics(app).await {
                    Ok(counts) => {
                        let limit = app.clock.now().millis() - STALLED_MS;
                        if counts
                            .iter()
                            .any(|one| one.status == "ready" && one.oldest < limit)
                        {
                            problems.push("worker");
                        }
                    }
                    Err(_) => problems.push("database"),
                }
            }
        }
        Err(error) => {
            tracing::warn!(%error, "not ready: the database does not answer");
            problems.push("database");
        }
    }
    if portal.stop.is_cancelled() {
        problems.push("stopping");
    }
    let status = if problems.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "ready": problems.is_empty(),
        "missing": problems,
        "schema": schema,
        "schema_needed": needed,
        "build": &*portal.build,
    });
    (status, Json(body)).into_response()
}

/// The figures, for the addresses of the configuration; for everybody else there is nothing here.
pub async fn metrics(State(portal): State<Portal>, request: Request) -> Response {
    let client = request
        .extensions()
        .get::<Client>()
        .and_then(|client| client.0);
    let allowed = client.is_some_and(|ip| portal.metrics_from.iter().any(|net| net.holds(ip)));
    let Some(handle) = portal.metrics.as_ref().filter(|_| allowed) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if let Err(error) = jobs::publish_metrics(&portal.app).await {
        tracing::warn!(%error, "the queue could not be counted");
    }
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        handle.render(),
    )
        .into_response()
}
