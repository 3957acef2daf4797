//! What server functions and post handlers find in the context of their request.

use crate::error::{ApiError, ErrorCode};
use leptos::prelude::use_context;
use lingbao_core::Cx;
use lingbao_model::msg::Msg;
use std::str::FromStr;

/// Who asks, with everything a use case needs; the server puts it into the context of each request.
///
/// # Errors
/// `Internal` when it did not: a fault of the wiring.
pub fn cx() -> Result<Cx, ApiError> {
    use_context::<Cx>().ok_or_else(|| {
        tracing::error!("no Cx in the context of the request");
        ApiError::new(ErrorCode::Internal, Msg::new("error.internal")).answered()
    })
}

/// An id out of a path or a form. A text that is none is answered like an id that nothing has.
///
/// # Errors
/// `NotFound`.
pub fn id<T: FromStr>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::not_found().answered())
}

/// The same where an empty text stands for none.
///
/// # Errors
/// `NotFound`.
pub fn id_or_none<T: FromStr>(text: &str) -> Result<Option<T>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    id(text).map(Some)
}
