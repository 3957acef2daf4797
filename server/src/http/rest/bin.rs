//! The recycle bin, and certificates of erasure.
use axum::{
    Json,
    extract::{Path, Query},
};
use lingbao_core::{
    fulfil::{bin, certificate},
    service::resource,
};
use lingbao_model::view::{
    bin::{BinView, Certificate},
    resource::ResourceDetail,
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Listed, Paging, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(lying))
        .routes(routes!(take_back))
        .routes(routes!(erase))
        .routes(routes!(certified))
        .routes(routes!(certificates))
}

/// A thing in the recycle bin: until when, what taking it back takes and costs, and what stands in its
/// way. The list is `GET /resources?state=recycled&sort=erase`.
#[utoipa::path(get, path = "/resources/{id}/bin", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = BinView), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn lying(Caller(cx): Caller, Path(resource_id): Path<String>) -> Answer<BinView> {
    Ok(Json(bin::view(&cx, &id(&resource_id)?).await?))
}

/// Takes a thing back out of the recycle bin, with what hangs on it there. A host comes back switched
/// off. Over quota the answer is a problem with `code` `quota_exceeded`.
#[utoipa::path(post, path = "/resources/{id}/take-back", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = ResourceDetail), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn take_back(Caller(cx): Caller, Path(resource_id): Path<String>) -> Answer<ResourceDetail> {
    let of = id(&resource_id)?;
    bin::take_back(&cx, &of, "").await?;
    Ok(Json(resource::detail(&cx, &of).await?))
}

/// An erasure before its time.
#[derive(Debug, Deserialize, ToSchema)]
struct EraseOrder {
    /// Name of the thing: says which one is meant.
    confirm: String,
}

/// Has a thing erased that lies in the recycle bin, before its time is over. For the leader of its unit,
/// who did not ask for its release.
#[utoipa::path(post, path = "/resources/{id}/erase", tag = "resources", params(("id" = String, Path)),
    request_body = EraseOrder,
    responses((status = 200, body = ResourceDetail), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument),
        (status = 422, body = ProblemDocument)))]
async fn erase(
    Caller(cx): Caller,
    Path(resource_id): Path<String>,
    Body(order): Body<EraseOrder>,
) -> Answer<ResourceDetail> {
    let of = id(&resource_id)?;
    bin::erase(&cx, &of, &order.confirm, "").await?;
    Ok(Json(resource::detail(&cx, &of).await?))
}

/// The certificate of erasure of a resource.
#[utoipa::path(get, path = "/resources/{id}/certificate", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = Certificate), (status = 404, body = ProblemDocument)))]
async fn certified(Caller(cx): Caller, Path(resource_id): Path<String>) -> Answer<Certificate> {
    let of = id(&resource_id)?;
    Ok(Json(certificate::of_resource(&cx, &of).await?))
}

/// The certificates of everything that a release request gave back and that is erased by now, by number.
#[utoipa::path(get, path = "/requests/{id}/certificates", tag = "requests", params(("id" = String, Path), Paging),
    responses((status = 200, body = Listed<Certificate>), (status = 404, body = ProblemDocument)))]
async fn certificates(
    Caller(cx): Caller,
    Path(request): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<Certificate>> {
    let after = paging.after.as_deref();
    let page = certificate::of_request(&cx, &request, after, paging.rows()).await?;
    Ok(Json(page.into()))
}
