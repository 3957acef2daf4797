//! What runs.
use axum::{
    Json,
    extract::{Path, Query},
};
use lingbao_core::{fulfil::power, service::resource};
use lingbao_model::{
    catalogue::Fulfiller,
    id::{ResourceId, SystemId},
    resource::ServiceState,
    view::resource::{ResourceDetail, ResourceFilter, ResourceRow},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Caller, Listed, Paging, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(resources))
        .routes(routes!(one))
        .routes(routes!(start))
        .routes(routes!(stop))
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
    /// Of this system.
    system: Option<SystemId>,
}

/// Resources that the caller reads, the latest first.
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
        system: query.system,
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

/// Switches a server off.
#[utoipa::path(post, path = "/resources/{id}/stop", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = ResourceDetail), (status = 409, body = ProblemDocument)))]
async fn stop(Caller(cx): Caller, Path(resource_id): Path<String>) -> Answer<ResourceDetail> {
    let resource_id: ResourceId = id(&resource_id)?;
    power::switch(&cx, &resource_id, false).await?;
    Ok(Json(resource::detail(&cx, &resource_id).await?))
}
