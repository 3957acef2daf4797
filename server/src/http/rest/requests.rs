//! Requests, from submit to confirmed delivery.
use axum::{
    Json,
    extract::{Path, Query},
    http::StatusCode,
};
use lingbao_core::{
    ServiceError,
    service::{
        cart,
        request::{change, confirm, detail, list, release, resubmit, submit, withdraw},
        resource,
    },
};
use lingbao_model::{
    id::{RequestId, ResourceId},
    msg::Msg,
    request::{Kind, Status},
    time::Date,
    view::{
        request::{
            ChangeForm, Copied, HeadForm, RequestDetail, RequestFilter, RequestRow, RequestSort,
            Submitted,
        },
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
    /// Submitted on this day or later.
    from: Option<Date>,
    /// Submitted on this day or earlier.
    to: Option<Date>,
    /// In this order.
    #[param(inline)]
    sort: Option<RequestSort>,
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
        from: query.from,
        to: query.to,
        sort: query.sort,
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

/// A draft to be submitted.
#[derive(Debug, Deserialize, ToSchema)]
struct Submission {
    /// As it was read.
    version: i64,
    /// The whole head, if it is to be another than the saved one: both become one act.
    #[serde(default)]
    head: Option<HeadForm>,
}

/// Submits a draft. Over quota the answer is a problem with `code` `quota_exceeded`.
#[utoipa::path(post, path = "/requests/{id}/submit", tag = "requests", params(("id" = String, Path)),
    request_body = Submission,
    responses((status = 200, body = Submitted), (status = 422, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
async fn send(
    Caller(cx): Caller,
    Path(request): Path<String>,
    Body(sent): Body<Submission>,
) -> Answer<Submitted> {
    let (form, head) = (cart::form_id(&cx), sent.head.as_ref());
    Ok(Json(
        submit::submit(&cx, &id(&request)?, sent.version, head, &form).await?,
    ))
}

/// A supplement.
#[derive(Debug, Deserialize, ToSchema)]
struct Supplement {
    /// As it was read.
    version: i64,
    /// Of an order: the whole head, if it is to be another than the saved one. Its lines are changed
    /// as those of a draft.
    #[serde(default)]
    head: Option<HeadForm>,
    /// Of a release: the reason, if it is to be another.
    #[serde(default)]
    reason: Option<String>,
    /// Of a change: the whole of it.
    #[serde(default)]
    change: Option<ChangeForm>,
}

/// Submits a returned request again: an order, a release or a change.
#[utoipa::path(post, path = "/requests/{id}/resubmit", tag = "requests", params(("id" = String, Path)),
    request_body = Supplement,
    responses((status = 200, body = Submitted), (status = 422, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
async fn send_again(
    Caller(cx): Caller,
    Path(request): Path<String>,
    Body(sent): Body<Supplement>,
) -> Answer<Submitted> {
    let (form, version) = (cart::form_id(&cx), sent.version);
    let of: RequestId = id(&request)?;
    // What is out of sight goes to the last one, that leaves a trace of the attempt.
    let (kind, reason) = match detail::detail(&cx, &of).await {
        Ok(found) => (found.row.kind, found.reason),
        Err(ServiceError::NotFound) => (Kind::New, String::new()),
        Err(error) => return Err(error.into()),
    };
    let done = match kind {
        Kind::Release => {
            let reason = sent.reason.unwrap_or(reason);
            release::resubmit(&cx, &of, version, &reason, &form).await?
        }
        Kind::Change => {
            let missing = || ServiceError::invalid("change", Msg::new("error.required"));
            let typed = sent.change.ok_or_else(missing)?;
            change::resubmit(&cx, &of, version, &typed, &form).await?
        }
        Kind::New | Kind::Import => {
            resubmit::resubmit(&cx, &of, version, sent.head.as_ref(), &form).await?
        }
    };
    Ok(Json(done))
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
