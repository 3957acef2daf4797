//! `Idempotency-Key`: the same POST, sent twice, does its work once and is answered alike.
//! How key and work are committed together: [`lingbao_core::idempotency`].
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use lingbao_core::{
    Cx,
    idempotency::{self, IdempotencyKey, Seen},
};
use lingbao_model::msg::Msg;

use super::{Failed, Portal, Refusal};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// An answer that must not be kept: it holds a secret that is shown once.
#[derive(Debug, Clone, Copy)]
pub struct Once;

/// Looks the key up before the work, keeps the answer after it.
pub async fn layer(State(portal): State<Portal>, request: Request, next: Next) -> Response {
    let key = request.headers().get(&KEY).cloned();
    let (Some(key), &Method::POST) = (key, request.method()) else {
        return next.run(request).await;
    };
    match keyed(&portal, &key, request, next).await {
        Ok(response) => response,
        Err(refusal) => Failed(refusal).into_response(),
    }
}

async fn keyed(
    portal: &Portal,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=200).contains(&key.len()));
    let key = key.ok_or_else(|| Refusal::new(400, Msg::new("problem.key")))?;
    let (mut parts, body) = request.into_parts();
    // The limit of bodies stands around this already.
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .map_err(|_| Refusal::of_status(StatusCode::PAYLOAD_TOO_LARGE))?;
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let key = IdempotencyKey::new(&*portal.app.crypto, key, parts.method.as_str(), path, &body);
    let Some(cx) = parts.extensions.get_mut::<Cx>() else {
        return Ok(next.run(Request::from_parts(parts, Body::from(body))).await);
    };
    cx.idempotency = Some(key);
    let cx = cx.clone();
    if let Some(known) = recall(&cx).await? {
        return Ok(known);
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if response.status() == StatusCode::CONFLICT {
        // Perhaps the same request was faster; then its answer is the answer.
        if let Some(known) = recall(&cx).await? {
            return Ok(known);
        }
    }
    if !response.status().is_success() || response.extensions().get::<Once>().is_some() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .map_err(|error| internal(&error))?;
    let text = String::from_utf8_lossy(&body);
    if let Err(error) = idempotency::finish(&cx, parts.status.as_u16(), &text).await {
        // The work is done; a repeated request will be told so, without the answer.
        tracing::warn!(%error, "an answer could not be kept");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

async fn recall(cx: &Cx) -> Result<Option<Response>, Refusal> {
    let seen = idempotency::recall(cx)
        .await
        .map_err(lingbao_core::ServiceError::from)?;
    match seen {
        Seen::New => Ok(None),
        Seen::Replay { status, response } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            let headers = [
                (
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/json"),
                ),
                (REPLAYED, HeaderValue::from_static("true")),
            ];
            Ok(Some((status, headers, response).into_response()))
        }
        Seen::Lost => Err(Refusal::new(409, Msg::new("problem.done_already"))),
        Seen::Different => Err(Refusal::new(422, Msg::new("problem.key_taken"))),
    }
}

fn internal(error: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(%error, "an answer could not be read");
    Refusal::new(500, Msg::new("error.internal"))
}
