//! Requests, from submit to confirmed delivery.
use axum::{
    Json,
    extract::{Path, Query},
    http::StatusCode,
};
use lingbao_core::service::{
    cart,
    request::{confirm, detail, list, release, resubmit, submit, withdraw},
    resource,
};
use lingbao_model::{
    id::{RequestId, ResourceId},
    request::Status,
    view::{
        request::{Copied, RequestDetail, RequestFilter, RequestRow, Submitted},
        resource::DeliverySheet,
    },
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Failed, Listed, Paging, Portal, ProblemDocument, Version, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(requests))
        .routes(routes!(one))
        .routes(routes!(send))
        .routes(routes!(send_again))
        .routes(routes!(take_back))
        .routes(routes!(confirmed))
        .routes(routes!(copied))
        .routes(routes!(delivery))
        .routes(routes!(give_back))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct RequestQuery {
    /// Number, title or system.
    q: String,
    /// In this state.
    status: Option<Status>,
    /// Under way alone.
    open: bool,
    /// The caller's own alone.
    mine: bool,
}

/// Requests that the caller reads, the latest first.
#[utoipa::path(get, path = "/requests", tag = "requests", params(RequestQuery, Paging),
    responses((status = 200, body = Listed<RequestRow>)))]
async fn requests(
    Caller(cx): Caller,
    Query(query): Query<RequestQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<RequestRow>> {
    let filter = RequestFilter {
        text: query.q,
        status: query.status,
        open: query.open,
        mine: query.mine,
        limit: paging.rows(),
        after: paging.after,
        ..RequestFilter::default()
    };
    Ok(Json(list::list(&cx, &filter).await?.into()))
}

/// One request with items, progress, steps and history.
#[utoipa::path(get, path = "/requests/{id}", tag = "requests", params(("id" = String, Path)),
    responses((status = 200, body = RequestDetail), (status = 404, body = ProblemDocument)))]
async fn one(Caller(cx): Caller, Path(request): Path<String>) -> Answer<RequestDetail> {
    Ok(Json(detail::detail(&cx, &id(&request)?).await?))
}

/// Submits a draft. Over quota the answer is a problem with `code` `quota_exceeded`.
#[utoipa::path(post, path = "/requests/{id}/submit", tag = "requests", params(("id" = String, Path)),
    request_body = Version,
    responses((status = 200, body = Submitted), (status = 422, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
async fn send(
    Caller(cx): Caller,
    Path(request): Path<String>,
    Body(read): Body<Version>,
) -> Answer<Submitted> {
    let form = cart::form_id(&cx);
    Ok(Json(
        submit::submit(&cx, &id(&request)?, read.version, &form).await?,
    ))
}

/// Submits a returned request again.
#[utoipa::path(post, path = "/requests/{id}/resubmit", tag = "requests", params(("id" = String, Path)),
    request_body = Version,
    responses((status = 200, body = Submitted), (status = 409, body = ProblemDocument)))]
async fn send_again(
    Caller(cx): Caller,
    Path(request): Path<String>,
    Body(read): Body<Version>,
) -> Answer<Submitted> {
    let form = cart::form_id(&cx);
    Ok(Json(
        resubmit::resubmit(&cx, &id(&request)?, read.version, &form).await?,
    ))
}

/// Withdraws a request on which the next stage has not acted.
#[utoipa::path(post, path = "/requests/{id}/withdraw", tag = "requests", params(("id" = String, Path)),
    request_body = Version,
    responses((status = 200, body = RequestDetail), (status = 409, body = ProblemDocument)))]
async fn take_back(
    Caller(cx): Caller,
    Path(request): Path<String>,
    Body(read): Body<Version>,
) -> Answer<RequestDetail> {
    let request: RequestId = id(&request)?;
    withdraw::withdraw(&cx, &request, read.version).await?;
    Ok(Json(detail::detail(&cx, &request).await?))
}

/// Confirms the delivery.
#[utoipa::path(post, path = "/requests/{id}/confirm", tag = "requests", params(("id" = String, Path)),
    request_body = Version,
    responses((status = 200, body = RequestDetail), (status = 409, body = ProblemDocument)))]
async fn confirmed(
    Caller(cx): Caller,
    Path(request): Path<String>,
    Body(read): Body<Version>,
) -> Answer<RequestDetail> {
    let request: RequestId = id(&request)?;
    confirm::confirm(&cx, &request, read.version).await?;
    Ok(Json(detail::detail(&cx, &request).await?))
}

/// Copies a request into a new draft.
#[utoipa::path(post, path = "/requests/{id}/copy", tag = "requests", params(("id" = String, Path)),
    responses((status = 201, body = Copied), (status = 404, body = ProblemDocument)))]
async fn copied(
    Caller(cx): Caller,
    Path(request): Path<String>,
) -> Result<(StatusCode, Json<Copied>), Failed> {
    Ok((
        StatusCode::CREATED,
        Json(cart::copy(&cx, &id(&request)?).await?),
    ))
}

/// The delivery sheet.
#[utoipa::path(get, path = "/requests/{id}/delivery", tag = "requests", params(("id" = String, Path)),
    responses((status = 200, body = DeliverySheet), (status = 404, body = ProblemDocument)))]
async fn delivery(Caller(cx): Caller, Path(request): Path<String>) -> Answer<DeliverySheet> {
    Ok(Json(resource::delivery_sheet(&cx, &id(&request)?).await?))
}

/// Resources to be given back.
#[derive(Debug, Deserialize, ToSchema)]
struct ReleaseOrder {
    /// Which.
    resources: Vec<ResourceId>,
    /// Why.
    reason: String,
    /// Erase them as soon as everybody has agreed; nothing can be taken back then. Otherwise they lie
    /// in the recycle bin first.
    #[serde(default)]
    erase_at_once: bool,
}

/// Asks for the release of resources. They lie in the recycle bin before they are erased, unless
/// `erase_at_once` says otherwise.
#[utoipa::path(post, path = "/releases", tag = "requests", request_body = ReleaseOrder,
    responses((status = 201, body = Submitted), (status = 422, body = ProblemDocument)))]
async fn give_back(
    Caller(cx): Caller,
    Body(order): Body<ReleaseOrder>,
) -> Result<(StatusCode, Json<Submitted>), Failed> {
    let form = cart::form_id(&cx);
    let (ids, reason) = (&order.resources, &order.reason);
    let made = release::create(&cx, ids, reason, order.erase_at_once, &form).await?;
    Ok((StatusCode::CREATED, Json(made)))
}
