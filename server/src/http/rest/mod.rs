//! `/api/v1`: what the pages do, for programs, by the same services. One file a noun.
//!
//! Every handler is three lines: who, what, convert. Refusals are problem documents; lists are pages
//! with `next`; amounts are whole 分, moments Unix milliseconds; a POST with `Idempotency-Key` does
//! its work once ([`idempotency`]).
mod access_rules;
mod approvals;
mod audit;
mod bin;
mod calendar;
mod catalogue;
mod differences;
mod docs;
mod drafts;
mod idempotency;
mod imports;
mod items;
mod me;
mod operations;
mod people;
mod people_acts;
mod policies;
mod quota;
mod requests;
mod resource_acts;
mod resources;
mod systems;
mod usage;

use std::str::FromStr;

use axum::{
    Router,
    extract::{FromRequest, Request},
    http::HeaderMap,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use lingbao_core::ServiceError;
use lingbao_model::{text::REASON_MAX, view::page::Page};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{
    IntoParams, Modify, OpenApi, ToSchema,
    openapi::{
        RefOr, Schema,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use super::{Portal, context::Caller, problem::Refusal};

/// A refusal of a handler; becomes a problem document on its way out.
#[derive(Debug)]
pub struct Failed(Refusal);

impl From<ServiceError> for Failed {
    fn from(error: ServiceError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        self.0.pending()
    }
}

/// What a handler answers.
pub type Answer<T> = Result<axum::Json<T>, Failed>;

/// A body of JSON; one that can't be read is refused with the place of the fault.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Portal> for Body<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, portal: &Portal) -> Result<Self, Failed> {
        match axum::Json::<T>::from_request(request, portal).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(Failed(Refusal::unreadable(
                rejection.status().as_u16(),
                &rejection.body_text(),
            ))),
        }
    }
}

/// An id out of a path. A text that is none is answered like an id that nothing has.
///
/// # Errors
/// 404.
pub fn id<T: FromStr>(text: &str) -> Result<T, Failed> {
    text.parse().map_err(|_| ServiceError::NotFound.into())
}

/// Where a page of a list begins, and how long it is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// `next` of the page before; the first page without it.
    pub after: Option<String>,
    /// Rows of the page, 1 to 200; 50 without it.
    pub limit: Option<i64>,
}

impl Paging {
    /// The number of rows, inside its bounds.
    #[must_use]
    pub fn rows(&self) -> i64 {
        use lingbao_model::view::page::{MAX_PAGE_ROWS, PAGE_ROWS};
        self.limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS)
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// `after` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> From<Page<T>> for Listed<T> {
    fn from(page: Page<T>) -> Self {
        Self {
            rows: page.rows,
            next: page.next,
        }
    }
}

impl<T> From<(Vec<T>, Option<String>)> for Listed<T> {
    fn from((rows, next): (Vec<T>, Option<String>)) -> Self {
        Self { rows, next }
    }
}

/// The version of a thing that was read: a change of another one is refused with 409.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Version {
    /// As it was read.
    pub version: i64,
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Where the kind of problem is explained.
    pub r#type: String,
    /// What happened, in the language of `Accept-Language`.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The kind: `invalid`, `not_found`, `conflict`, `quota_exceeded`, …
    pub code: String,
    /// Key of the message, the same in every language.
    pub key: String,
    /// Messages about fields.
    pub errors: Option<Vec<ProblemField>>,
    /// Facts of the kind: dimension, limit, asked and left of an exceeded quota.
    pub facts: Option<serde_json::Value>,
    /// Path of the page on which to go on.
    pub next: Option<String>,
    /// To be quoted to the operator.
    pub request_id: Option<String>,
}

/// A message about one field.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemField {
    /// The field.
    pub field: String,
    /// What is wrong and how to mend it.
    pub message: String,
    /// Key of the message.
    pub key: String,
}

struct Additions;

impl Modify for Additions {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "A token made on the page /me, or by POST /api/v1/tokens.",
            ))
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// All of it with its document. The schemas of the paths are in that only now.
fn parts() -> (Router<Portal>, utoipa::openapi::OpenApi) {
    let (router, mut document) = routes().split_for_parts();
    let schemas = document.components.as_mut().map(|all| &mut all.schemas);
    for schema in schemas.into_iter().flat_map(|all| all.values_mut()) {
        bound(schema);
    }
    (router, document)
}

/// Says of each reason and opinion how long it may be: attributes take numbers alone, and there is one
/// bound.
fn bound(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            for (name, inner) in &mut object.properties {
                if let ("reason" | "opinion", RefOr::T(Schema::Object(text))) = (&**name, inner) {
                    text.max_length = Some(usize::from(REASON_MAX));
                }
            }
        }
        RefOr::T(Schema::AllOf(all)) => all.items.iter_mut().for_each(bound),
        RefOr::T(_) | RefOr::Ref(_) => {}
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lingbao",
        description = "The self-service portal of a government cloud, for programs. \
            Lists are pages: ask again with `after` = `next`. Amounts are whole 分 (1/100 元), moments \
            Unix milliseconds, days YYYY-MM-DD. A POST that carries an `Idempotency-Key` does its work \
            once and answers the same again for a day. Refusals are problem documents (RFC 9457). \
            By page alone: changing one's own password, ending one's sessions and reading the one-time \
            password of a host, so that a token that leaks opens neither an account nor a machine.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(ProblemDocument, ProblemField, lingbao_model::time::Date)),
    modifiers(&Additions),
    security(("token" = [])),
)]
struct Document;

fn routes() -> OpenApiRouter<Portal> {
    let nouns = OpenApiRouter::new()
        .merge(me::routes())
        .merge(people::routes())
        .merge(people_acts::routes())
        .merge(catalogue::routes())
        .merge(systems::routes())
        .merge(drafts::routes())
        .merge(requests::routes())
        .merge(approvals::routes())
        .merge(resources::routes())
        .merge(resource_acts::routes())
        .merge(bin::routes())
        .merge(access_rules::routes())
        .merge(quota::routes())
        .merge(usage::routes())
        .merge(items::routes())
        .merge(policies::routes())
        .merge(audit::routes())
        .merge(differences::routes())
        .merge(imports::routes())
        .merge(operations::routes())
        .merge(calendar::routes());
    OpenApiRouter::with_openapi(Document::openapi()).nest("/api/v1", nouns)
}

/// The document of the programming interface.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    parts().1
}

/// All of `/api/v1`.
pub fn router(portal: &Portal) -> Router {
    let (router, document) = parts();
    let page = docs::page(portal, &document);
    let document = document.to_json().unwrap_or_default();
    let json = [(http::header::CONTENT_TYPE, "application/json")];
    router
        .layer(from_fn_with_state(portal.clone(), idempotency::layer))
        .route(
            "/api/v1/openapi.json",
            get(move || async move { (json, document) }),
        )
        .route(
            "/api/v1/docs",
            get(move |headers: HeaderMap| async move { page.in_language_of(&headers) }),
        )
        .route("/api", axum::routing::any(nothing))
        .route("/api/{*rest}", axum::routing::any(nothing))
        .with_state(portal.clone())
}

async fn nothing() -> Failed {
    ServiceError::NotFound.into()
}
