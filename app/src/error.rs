//! Errors as the page and its server functions see them.
//!
//! `ApiError` is the last of the four error types (model, storage, service, api): it holds what the
//! person may read and nothing else. Inside detail stays in the log, under the request id.

use crate::json::JsonText;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use lingbao_model::msg::{FieldError, Msg};
use serde::{Deserialize, Serialize};

/// What kind of refusal it is; decides the HTTP status and what the page offers next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Something typed is not acceptable; `fields` say what.
    Invalid,
    /// Nobody is signed in, or the session has ended.
    Unauthenticated,
    /// Known, but not allowed; only where the existence of the thing is no secret.
    Forbidden,
    /// Does not exist, or not for this reader.
    NotFound,
    /// Somebody else changed it meanwhile, or it is in another state.
    Conflict,
    /// More than the quota leaves.
    QuotaExceeded,
    /// Too many tries in a short time.
    TooMany,
    /// A part outside does not answer at the moment.
    Unavailable,
    /// Our fault.
    Internal,
    /// Only in the browser: the server could not be reached.
    Offline,
}

impl ErrorCode {
    /// The HTTP status; `Offline` never travels and counts as 503.
    pub fn status(self) -> u16 {
        match self {
            Self::Invalid | Self::QuotaExceeded => 422,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooMany => 429,
            Self::Unavailable | Self::Offline => 503,
            Self::Internal => 500,
        }
    }
}

/// A refusal that a page can show: a message, messages about fields, and where to go next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// The kind.
    pub code: ErrorCode,
    /// What to tell the person.
    pub msg: Msg,
    /// Messages about single fields of the form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldError>,
    /// Where the way goes on: path of a page (a pre-filled quota request, the changed thing).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Facts for the page's own use: dimension, limit, asked and left of an exceeded quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Box<serde_json::Value>>,
    /// Number to quote to the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl ApiError {
    /// An error with a message and nothing else.
    pub fn new(code: ErrorCode, msg: Msg) -> Self {
        Self {
            code,
            msg,
            fields: Vec::new(),
            next: None,
            facts: None,
            request_id: None,
        }
    }

    /// The one answer for "does not exist" and "is not yours".
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, Msg::new("error.not_found"))
    }

    /// Typed values that cannot be taken.
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        Self {
            fields,
            ..Self::new(ErrorCode::Invalid, Msg::new("error.invalid"))
        }
    }

    /// Nobody is signed in.
    pub fn unauthenticated() -> Self {
        Self::new(
            ErrorCode::Unauthenticated,
            Msg::new("error.unauthenticated"),
        )
    }

    /// The same error with a way to go on.
    #[must_use]
    pub fn with_next(mut self, path: impl Into<String>) -> Self {
        self.next = Some(path.into());
        self
    }

    /// The same error with its status written to the answer of the server function being run.
    ///
    /// leptos 0.9: replace by `FromServerFnError::status_code`; in 0.8 every error is a 500.
    /// While a page is being rendered the status is the page's own affair (a panel that fails must
    /// not make the page fail), so this does nothing there.
    #[must_use]
    #[cfg(feature = "ssr")]
    pub fn answered(self) -> Self {
        use leptos::prelude::use_context;
        let called = use_context::<http::request::Parts>()
            .is_some_and(|parts| parts.uri.path().starts_with(crate::routes::FN_PREFIX));
        if called
            && let Some(options) = use_context::<leptos_axum::ResponseOptions>()
            && let Ok(status) = http::StatusCode::from_u16(self.code.status())
        {
            options.set_status(status);
        }
        self
    }
}

/// What a service refused, as the page may say it; the inside goes to the log here and nowhere else.
#[cfg(feature = "ssr")]
impl From<lingbao_core::error::ServiceError> for ApiError {
    fn from(error: lingbao_core::error::ServiceError) -> Self {
        use lingbao_core::error::ServiceError as E;
        let mut api = match &error {
            E::Unauthenticated => Self::unauthenticated(),
            E::NotFound => Self::not_found(),
            E::Forbidden => Self::new(ErrorCode::Forbidden, Msg::new("error.forbidden")),
            E::Invalid(fields) => Self::invalid(fields.clone()),
            E::Conflict(msg) => Self::new(ErrorCode::Conflict, msg.clone()),
            E::QuotaExceeded(facts) => Self {
                next: facts
                    .get("next")
                    .and_then(|next| next.as_str())
                    .map(ToOwned::to_owned),
                facts: Some(facts.clone()),
                ..Self::new(ErrorCode::QuotaExceeded, Msg::new("error.quota_exceeded"))
            },
            E::TooMany { retry_after_s } => {
                let minutes = i64::try_from(retry_after_s.div_ceil(60)).unwrap_or(i64::MAX);
                Self::new(
                    ErrorCode::TooMany,
                    Msg::new("error.too_many").with("minutes", minutes),
                )
            }
            E::Unavailable { context } => {
                tracing::warn!(context, "unavailable");
                Self::new(ErrorCode::Unavailable, Msg::new("error.unavailable"))
            }
            E::Internal { context, source } => {
                let cause = source.as_deref().map(tracing::field::display);
                tracing::error!(context, cause, "internal error");
                Self::new(ErrorCode::Internal, Msg::new("error.internal"))
            }
        };
        if matches!(api.code, ErrorCode::Unavailable | ErrorCode::Internal) {
            api.request_id = request_id();
        }
        api.answered()
    }
}

/// The id of the request being answered, as the outermost layer set it.
#[cfg(feature = "ssr")]
fn request_id() -> Option<String> {
    let parts = leptos::prelude::use_context::<http::request::Parts>()?;
    parts
        .headers
        .get("x-request-id")?
        .to_str()
        .ok()
        .map(ToOwned::to_owned)
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}", self.code, self.msg.key)
    }
}

impl std::error::Error for ApiError {}

impl FromServerFnError for ApiError {
    type Encoder = JsonText;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) => {
                Self::new(ErrorCode::Offline, Msg::new("error.offline"))
            }
            // The server answered something that this build does not understand: an old tab.
            ServerFnErrorErr::Deserialization(_) => {
                Self::new(ErrorCode::Conflict, Msg::new("error.old_page"))
            }
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => {
                Self::new(ErrorCode::Invalid, Msg::new("error.invalid"))
            }
            _ => Self::new(ErrorCode::Internal, Msg::new("error.internal")),
        }
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn travels_and_comes_back() {
        let error = ApiError::invalid(vec![FieldError::new("cpu", Msg::new("error.required"))])
            .with_next("/quota");
        assert_eq!(ApiError::de(error.ser()), error);
    }

    #[test]
    fn an_answer_that_is_no_error_asks_for_a_reload() {
        let error = ApiError::de("<!doctype html>".into());
        assert_eq!(
            (error.code, &*error.msg.key),
            (ErrorCode::Conflict, "error.old_page")
        );
    }
}
