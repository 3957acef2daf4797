//! Taking in what stands in a cloud already, for operators.
use axum::{
    Json,
    extract::{Path, Query},
};
use lingbao_core::service::import;
use lingbao_model::view::import::{
    ForeignThing, ImportBatch, ImportDetail, ImportPreview, ImportRow,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Listed, Paging, Portal, ProblemDocument, id};

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

/// Rows of a sheet, as JSON; files (XLSX, CSV) are read by the page alone.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
struct ImportSheet {
    /// At most 2 000 for a preview, 500 to be taken in.
    rows: Vec<ImportRow>,
}

/// What will come of a sheet, row by row; nothing is written. Rows are sent as JSON (`application/json`);
/// a thing is named by its id in the cloud or by its name there, a unit and a system by id or name.
/// What hangs on a host goes to that host's unit and system, and needs to name neither.
#[utoipa::path(post, path = "/imports/preview", tag = "operations", request_body = ImportSheet,
    responses((status = 200, body = ImportPreview), (status = 422, body = ProblemDocument)))]
async fn preview(Caller(cx): Caller, Body(sheet): Body<ImportSheet>) -> Answer<ImportPreview> {
    Ok(Json(import::preview(&cx, &sheet.rows).await?))
}

/// Takes all of these in, or none: each becomes a resource of its unit as if ordered, charged from
/// today. A `month` in a row is held beside today's price.
#[utoipa::path(post, path = "/imports", tag = "operations", request_body = ImportSheet,
    responses((status = 200, body = ImportDetail), (status = 422, body = ProblemDocument)))]
async fn take(Caller(cx): Caller, Body(sheet): Body<ImportSheet>) -> Answer<ImportDetail> {
    let done = import::take(&cx, &sheet.rows, "").await?;
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
