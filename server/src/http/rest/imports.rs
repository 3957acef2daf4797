//! Taking in what stands in a cloud already, for operators.
use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Path, Query, Request},
    http::header::CONTENT_TYPE,
};
use lingbao_app::area::imports::file;
use lingbao_core::{Cx, ServiceError, service::import};
use lingbao_model::view::import::{
    ForeignThing, ImportBatch, ImportDetail, ImportPreview, ImportRow,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Failed, Listed, Paging, Portal, ProblemDocument, Refusal, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(things))
        .routes(routes!(preview))
        .routes(routes!(list, take))
        .routes(routes!(one))
        .routes(routes!(undo))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct ThingQuery {
    /// At this backend.
    cloud: Option<String>,
}

/// Hosts, disks and addresses in the clouds that are nobody's, those that were found last first.
#[utoipa::path(get, path = "/imports/things", tag = "operations", params(ThingQuery, Paging),
    responses((status = 200, body = Listed<ForeignThing>), (status = 403, body = ProblemDocument)))]
async fn things(
    Caller(cx): Caller,
    Query(query): Query<ThingQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<ForeignThing>> {
    let (cloud, after) = (query.cloud.as_deref(), paging.after.as_deref());
    let page = import::things(&cx, cloud, after, paging.rows()).await?;
    Ok(Json(page.into()))
}

/// Rows of a sheet.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
struct ImportSheet {
    /// At most 2 000 for a preview, 500 to be taken in.
    rows: Vec<ImportRow>,
}

/// A sheet as it was sent: its rows, or a file as a spreadsheet writes it.
enum Sent {
    Rows(Vec<ImportRow>),
    File(Bytes),
}

/// The kinds of files that are read; what is in them decides which of both one is.
const FILES: [&str; 2] = [
    "text/csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
];

impl FromRequest<Portal> for Sent {
    type Rejection = Failed;

    async fn from_request(request: Request, portal: &Portal) -> Result<Self, Failed> {
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if FILES.iter().any(|file| kind.eq_ignore_ascii_case(file)) {
            return match Bytes::from_request(request, portal).await {
                Ok(file) => Ok(Self::File(file)),
                Err(rejection) => Err(Failed(Refusal::of_status(rejection.status()))),
            };
        }
        let Body(sheet) = Body::<ImportSheet>::from_request(request, portal).await?;
        Ok(Self::Rows(sheet.rows))
    }
}

impl Sent {
    async fn rows(self, cx: &Cx) -> Result<Vec<ImportRow>, Failed> {
        let file = match self {
            Self::Rows(rows) => return Ok(rows),
            Self::File(file) => file,
        };
        let wrong = |field| ServiceError::Invalid(vec![field]);
        let text = match import::workbook(cx, &file).await? {
            Some(text) => text,
            None => file::decode(&file).map_err(wrong)?,
        };
        Ok(file::read(&text).map_err(wrong)?.rows)
    }
}

/// What will come of a sheet, row by row; nothing is written. Rows are sent as JSON, or a CSV or XLSX file
/// with headings as the body; a thing is named by its id in the cloud or by its name there, a unit and a system by id or name.
/// What hangs on a host goes to that host's unit and system, and needs to name neither.
#[utoipa::path(post, path = "/imports/preview", tag = "operations",
    request_body(content((ImportSheet = "application/json"), (String = "text/csv"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, body = ImportPreview), (status = 422, body = ProblemDocument)))]
async fn preview(Caller(cx): Caller, sent: Sent) -> Answer<ImportPreview> {
    let rows = sent.rows(&cx).await?;
    Ok(Json(import::preview(&cx, &rows).await?))
}

/// Takes all of these in, or none: each becomes a resource of its unit as if ordered, charged from
/// today. A `month` in a row is held beside today's price.
#[utoipa::path(post, path = "/imports", tag = "operations",
    request_body(content((ImportSheet = "application/json"), (String = "text/csv"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, body = ImportDetail), (status = 422, body = ProblemDocument)))]
async fn take(Caller(cx): Caller, sent: Sent) -> Answer<ImportDetail> {
    let rows = sent.rows(&cx).await?;
    let done = import::take(&cx, &rows, "").await?;
    Ok(Json(import::detail(&cx, &done.batch).await?))
}

/// What was taken in, the latest first.
#[utoipa::path(get, path = "/imports", tag = "operations", params(Paging),
    responses((status = 200, body = Listed<ImportBatch>), (status = 403, body = ProblemDocument)))]
async fn list(Caller(cx): Caller, Query(paging): Query<Paging>) -> Answer<Listed<ImportBatch>> {
    let limit = Some(paging.rows());
    let page = import::batches(&cx, paging.after.as_deref(), limit).await?;
    Ok(Json(page.into()))
}

/// One batch with its things, and whether it can be undone.
#[utoipa::path(get, path = "/imports/{id}", tag = "operations", params(("id" = String, Path)),
    responses((status = 200, body = ImportDetail), (status = 404, body = ProblemDocument)))]
async fn one(Caller(cx): Caller, Path(of): Path<String>) -> Answer<ImportDetail> {
    Ok(Json(import::detail(&cx, &id(&of)?).await?))
}

/// Undoes a batch: its things leave the portal and go on in the cloud. Within seven days, and as long
/// as nothing was done with them.
#[utoipa::path(post, path = "/imports/{id}/undo", tag = "operations", params(("id" = String, Path)),
    responses((status = 200, body = ImportDetail), (status = 409, body = ProblemDocument)))]
async fn undo(Caller(cx): Caller, Path(of): Path<String>) -> Answer<ImportDetail> {
    let of = id(&of)?;
    import::undo(&cx, &of).await?;
    Ok(Json(import::detail(&cx, &of).await?))
}
