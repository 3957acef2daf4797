//! A panic, a request that takes too long and one too many become proper answers.
use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use futures::FutureExt;
use lingbao_model::msg::Msg;

use crate::http::{Portal, events, problem::Refusal};

/// Guards the answer. Event streams are bounded by [`events`] itself.
pub async fn layer(State(portal): State<Portal>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let kept = {
        // What is needed to answer in the caller's language, should the answer not come.
        let (mut copy, ()) = Request::new(()).into_parts();
        copy.headers = parts.headers.clone();
        copy.uri = parts.uri.clone();
        copy
    };
    let request = Request::from_parts(parts, body);
    let Ok(_permit) = portal.places.clone().try_acquire_owned() else {
        metrics::counter!("lingbao_requests_refused").increment(1);
        return busy(Refusal::new(503, Msg::new("problem.busy")).answer(&portal, &kept));
    };
    let limit = Duration::from_secs(portal.config.limits.request_seconds);
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    let answer = if kept.uri.path() == events::PATH {
        Ok(answer.await)
    } else {
        tokio::time::timeout(limit, answer).await
    };
    match answer {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            tracing::error!(panic = text, path = kept.uri.path(), "a handler panicked");
            metrics::counter!("lingbao_panics").increment(1);
            Refusal::new(500, Msg::new("error.internal")).answer(&portal, &kept)
        }
        Err(_) => {
            tracing::warn!(
                path = kept.uri.path(),
                "an answer took longer than {limit:?}"
            );
            busy(Refusal::new(503, Msg::new("problem.slow")).answer(&portal, &kept))
        }
    }
}

fn busy(mut response: Response) -> Response {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
