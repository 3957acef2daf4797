//! Refused attempts leave a trace of their own.

use lingbao_model::msg::Msg;
use serde_json::json;

use crate::{
    app::{Actor, Cx},
    audit::{self, Event},
    error::ServiceError,
};

/// Records an attempt that was refused (forbidden, not found, against a rule) and hands the result
/// on. What was merely mistyped, and faults of ours, are no attempts. Call it when the refused
/// transaction is dropped: a use case is a private function inside, this around it.
///
/// # Errors
/// Those of `result`.
pub async fn traced<T>(
    cx: &Cx,
    result: Result<T, ServiceError>,
    event: impl FnOnce() -> Event,
) -> Result<T, ServiceError> {
    let reason = match &result {
        Err(ServiceError::Forbidden) => json!({ "refused": "forbidden" }),
        Err(ServiceError::NotFound) => json!({ "refused": "not_found" }),
        Err(ServiceError::Conflict(Msg { key, .. })) => json!({ "refused": key }),
        _ => return result,
    };
    // Nobody's attempts are counted at the door; here they would only fill the trail.
    if cx.actor != Actor::Anonymous
        && let Err(error) = audit::record_refusal(cx, event().detail(reason)).await
    {
        tracing::error!(%error, "a refusal could not be recorded");
    }
    result
}
