//! What runs.
use axum::{
    Json,
    extract::{Path, Query},
    http::StatusCode,
};
use lingbao_core::{
    fulfil::power,
    service::{cart, request::change as changes, resource},
};
use lingbao_model::{
    catalogue::Fulfiller,
    id::{ResourceId, SystemId},
    resource::{BillingState, ServiceState},
    view::{
        request::{ChangeForm, Submitted, TriedChange},
        resource::{ResourceDetail, ResourceFilter, ResourceRow, Sort},
    },
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Failed, Listed, Paging, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(resources))
        .routes(routes!(one))
        .routes(routes!(start))
        .routes(routes!(stop))
        .routes(routes!(change))
        .routes(routes!(try_change))
        .routes(routes!(change_again))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct ResourceQuery {
    /// Part of a name or an address.
    q: Option<String>,
    /// Kind of thing.
    kind: Option<Fulfiller>,
    /// In this state.
    state: Option<ServiceState>,
    /// Charged so.
    #[param(inline)]
    billing: Option<BillingState>,
    /// Of this system.
    system: Option<SystemId>,
    /// In this order; `erase` is for what lies in the recycle bin.
    #[param(inline)]
    sort: Option<Sort>,
}

/// Resources that the caller reads, the latest first. What lies in the recycle bin (`recycled`) and what
/// was given back (`released`) is there when asked for.
#[utoipa::path(get, path = "/resources", tag = "resources", params(ResourceQuery, Paging),
    responses((status = 200, body = Listed<ResourceRow>)))]
async fn resources(
    Caller(cx): Caller,
    Query(query): Query<ResourceQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<ResourceRow>> {
    let filter = ResourceFilter {
        text: query.q,
        kind: query.kind,
        state: query.state,
        billing: query.billing,
        system: query.system,
        sort: query.sort,
        limit: Some(paging.rows()),
        cursor: paging.after,
        ..ResourceFilter::default()
    };
    Ok(Json(resource::list(&cx, &filter).await?.into()))
}

/// One resource with its events.
#[utoipa::path(get, path = "/resources/{id}", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = ResourceDetail), (status = 404, body = ProblemDocument)))]
async fn one(Caller(cx): Caller, Path(resource_id): Path<String>) -> Answer<ResourceDetail> {
    Ok(Json(resource::detail(&cx, &id(&resource_id)?).await?))
}

/// Switches a server on.
#[utoipa::path(post, path = "/resources/{id}/start", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = ResourceDetail), (status = 409, body = ProblemDocument)))]
async fn start(Caller(cx): Caller, Path(resource_id): Path<String>) -> Answer<ResourceDetail> {
    let resource_id: ResourceId = id(&resource_id)?;
    power::switch(&cx, &resource_id, true).await?;
    Ok(Json(resource::detail(&cx, &resource_id).await?))
}

/// Asks for another size (`resize`, `extend`), a longer term (`renew`), or a new disk out of a
/// snapshot or a backup to which somebody must agree (`restore`, `restore_backup`). Where the policy wants nobody's consent it
/// begins at once. Over quota the answer is a problem with `code`
/// `quota_exceeded`.
#[utoipa::path(post, path = "/resources/{id}/changes", tag = "resources", params(("id" = String, Path)),
    request_body = ChangeForm,
    responses((status = 201, body = Submitted), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
async fn change(
    Caller(cx): Caller,
    Path(resource_id): Path<String>,
    Body(form): Body<ChangeForm>,
) -> Result<(StatusCode, Json<Submitted>), Failed> {
    let sent = cart::form_id(&cx);
    let made = changes::create(&cx, &id(&resource_id)?, &form, &sent).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// What would become of a change: before and after, price, quota, route. Nothing is written.
#[utoipa::path(post, path = "/resources/{id}/changes/try", tag = "resources", params(("id" = String, Path)),
    request_body = ChangeForm,
    responses((status = 200, body = TriedChange), (status = 404, body = ProblemDocument)))]
async fn try_change(
    Caller(cx): Caller,
    Path(resource_id): Path<String>,
    Body(form): Body<ChangeForm>,
) -> Answer<TriedChange> {
    Ok(Json(
        changes::try_it(&cx, &id(&resource_id)?, &form, None).await?,
    ))
}

/// A returned change as it is submitted again.
#[derive(Debug, Deserialize, ToSchema)]
struct ChangeAgain {
    /// The version that was read.
    version: i64,
    /// The change.
    #[serde(flatten)]
    form: ChangeForm,
}

/// Submits a returned change again, with other sizes or the same.
#[utoipa::path(post, path = "/requests/{id}/change", tag = "requests", params(("id" = String, Path)),
    request_body = ChangeAgain,
    responses((status = 200, body = Submitted), (status = 409, body = ProblemDocument),
        (status = 422, body = ProblemDocument)))]
async fn change_again(
    Caller(cx): Caller,
    Path(request): Path<String>,
    Body(read): Body<ChangeAgain>,
) -> Answer<Submitted> {
    let sent = cart::form_id(&cx);
    let request = id(&request)?;
    Ok(Json(
        changes::resubmit(&cx, &request, read.version, &read.form, &sent).await?,
    ))
}

/// Switches a server off.
#[utoipa::path(post, path = "/resources/{id}/stop", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = ResourceDetail), (status = 409, body = ProblemDocument)))]
async fn stop(Caller(cx): Caller, Path(resource_id): Path<String>) -> Answer<ResourceDetail> {
    let resource_id: ResourceId = id(&resource_id)?;
    power::switch(&cx, &resource_id, false).await?;
    Ok(Json(resource::detail(&cx, &resource_id).await?))
}
