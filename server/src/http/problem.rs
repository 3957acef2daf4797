//! Refusals as answers: a page for people, a problem document (RFC 9457) under `/api`, the page's
//! own error type under `/fn`. What each status means: `docs/http-status.md`.
use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use lingbao_app::{
    error::{ApiError, ErrorCode},
    i18n::{self, Lang},
    look, routes,
};
use lingbao_core::ServiceError;
use lingbao_model::msg::{FieldError, Msg};
use serde_json::{Value, json};

use super::{Portal, error_page, middleware::request_id};

/// Where the programming interface is.
pub const API: &str = "/api";
/// The media type of problem documents.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal on its way to the caller.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What is said.
    pub error: ApiError,
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        let error = ApiError::from(error);
        Self {
            status: error.code.status(),
            error,
        }
    }
}

impl Refusal {
    /// With a status that no service gives.
    #[must_use]
    pub fn new(status: u16, msg: Msg) -> Self {
        let code = match status {
            401 => ErrorCode::Unauthenticated,
            403 => ErrorCode::Forbidden,
            404 => ErrorCode::NotFound,
            409 => ErrorCode::Conflict,
            429 => ErrorCode::TooMany,
            503 => ErrorCode::Unavailable,
            500.. => ErrorCode::Internal,
            _ => ErrorCode::Invalid,
        };
        Self {
            status,
            error: ApiError::new(code, msg),
        }
    }

    /// A body that could not be read, with what the parser said.
    #[must_use]
    pub fn unreadable(status: u16, said: &str) -> Self {
        let mut refusal = Self::new(status, Msg::new("problem.malformed"));
        let msg = Msg::new("problem.unreadable").with("said", said);
        refusal.error.fields.push(FieldError::new("body", msg));
        refusal
    }

    /// A bare answer that becomes a document or a page on its way out, where the caller's language
    /// is known.
    #[must_use]
    pub fn pending(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }

    /// 403.
    #[must_use]
    pub fn forbidden(msg: Msg) -> Self {
        Self::new(403, msg)
    }

    /// What a bare status of a library says to people.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let key = match status.as_u16() {
            401 => "error.unauthenticated",
            403 => "error.forbidden",
            404 => "error.not_found",
            405 => "problem.method",
            408 | 504 => "problem.slow",
            413 => "problem.too_large",
            415 => "problem.media",
            503 => "error.unavailable",
            500.. => "error.internal",
            _ => "problem.malformed",
        };
        Self::new(status.as_u16(), Msg::new(key))
    }

    /// The answer in the form that the caller reads.
    #[must_use]
    pub fn answer(mut self, portal: &Portal, parts: &Parts) -> Response {
        let id = parts
            .headers
            .get(request_id::HEADER)
            .and_then(|value| value.to_str().ok());
        self.error.request_id = id.map(str::to_owned);
        let lang = language(&parts.headers);
        let path = parts.uri.path();
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if is_api(path) {
            self.document(lang).into_response()
        } else if path.starts_with(routes::FN_PREFIX) {
            (status, Json(self.error)).into_response()
        } else {
            (status, error_page::page(portal, lang, &self)).into_response()
        }
    }

    /// As a problem document.
    #[must_use]
    pub fn document(&self, lang: Lang) -> impl IntoResponse + use<> {
        let error = &self.error;
        let code = serde_json::to_value(error.code).unwrap_or(Value::Null);
        let mut document = json!({
            "type": format!("/api/v1/docs#problem-{}", code.as_str().unwrap_or("internal")),
            "title": i18n::msg_in(lang, &error.msg),
            "status": self.status,
            "code": code,
            "key": error.msg.key,
        });
        let errors: Vec<_> = error
            .fields
            .iter()
            .map(|field| json!({ "field": field.field, "message": i18n::msg_in(lang, &field.msg), "key": field.msg.key }))
            .collect();
        if let Value::Object(map) = &mut document {
            if !errors.is_empty() {
                map.insert("errors".into(), Value::Array(errors));
            }
            if let Some(facts) = &error.facts {
                map.insert("facts".into(), (**facts).clone());
            }
            if let Some(next) = &error.next {
                map.insert("next".into(), json!(next));
            }
            if let Some(id) = &error.request_id {
                map.insert("request_id".into(), json!(id));
            }
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (
            status,
            [(header::CONTENT_TYPE, PROBLEM_JSON)],
            document.to_string(),
        )
            .into_response();
        if self.status == 401 {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Whether a path belongs to the programming interface.
#[must_use]
pub fn is_api(path: &str) -> bool {
    path == API
        || path
            .strip_prefix(API)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// The language of the caller.
#[must_use]
pub fn language(headers: &HeaderMap) -> Lang {
    let accepted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    look::ssr::of(headers).lang(accepted)
}

/// Whether an answer is a bare refusal of a library, without a page or a document of ours.
#[must_use]
pub fn is_bare(response: &Response) -> bool {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return false;
    }
    let kind = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    kind.is_none_or(|kind| kind.starts_with("text/plain"))
}
