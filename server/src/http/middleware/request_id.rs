//! Names each request: in the log, in the audit trail, in messages about faults, in the answer.
use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};

use crate::http::Portal;

/// The header that carries the name, in the request (set here) and in the answer.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The name of a request.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Names the request. A name that came with it is kept only from a trusted proxy, which may have
/// written it into a log of its own.
pub async fn layer(State(portal): State<Portal>, mut request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(&HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|id| (8..=64).contains(&id.len()))
        .filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        .filter(|_| super::client::peer(&request).is_some_and(|peer| portal.is_proxy(peer)))
        .map(str::to_owned);
    let id = given.unwrap_or_else(|| format!("{:016x}", portal.app.random.bits() >> 64));
    let value = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("-"));
    request.headers_mut().insert(HEADER, value.clone());
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).await;
    response.headers_mut().insert(HEADER, value);
    response
}
