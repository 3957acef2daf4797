//! Application systems.
use axum::{
    Json,
    extract::{Path, Query},
    http::StatusCode,
};
use lingbao_core::service::system;
use lingbao_model::view::system::{SystemForm, SystemRow};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Failed, Listed, Paging, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(systems, make))
        .routes(routes!(one, edit))
}

/// Systems of the caller's unit, by name.
#[utoipa::path(get, path = "/systems", tag = "systems", params(Paging),
    responses((status = 200, body = Listed<SystemRow>)))]
async fn systems(Caller(cx): Caller, Query(paging): Query<Paging>) -> Answer<Listed<SystemRow>> {
    let limit = paging.rows();
    let page = system::page(&cx, paging.after.as_deref(), limit).await?;
    Ok(Json(page.into()))
}

/// One system.
#[utoipa::path(get, path = "/systems/{id}", tag = "systems", params(("id" = String, Path)),
    responses((status = 200, body = SystemRow), (status = 404, body = ProblemDocument)))]
async fn one(Caller(cx): Caller, Path(system_id): Path<String>) -> Answer<SystemRow> {
    Ok(Json(system::get(&cx, &id(&system_id)?).await?))
}

/// Makes a system.
#[utoipa::path(post, path = "/systems", tag = "systems", request_body = SystemForm,
    responses((status = 201, body = SystemRow), (status = 422, body = ProblemDocument)))]
async fn make(
    Caller(cx): Caller,
    Body(form): Body<SystemForm>,
) -> Result<(StatusCode, Json<SystemRow>), Failed> {
    let made = system::create(&cx, &form).await?;
    Ok((StatusCode::CREATED, Json(system::get(&cx, &made).await?)))
}

/// A changed system, with the version that was read.
#[derive(Debug, Deserialize, ToSchema)]
struct SystemChange {
    /// As it was read.
    version: i64,
    /// The whole form.
    #[serde(flatten)]
    form: SystemForm,
}

/// Changes a system.
#[utoipa::path(put, path = "/systems/{id}", tag = "systems", params(("id" = String, Path)),
    request_body = SystemChange,
    responses((status = 200, body = SystemRow), (status = 409, body = ProblemDocument)))]
async fn edit(
    Caller(cx): Caller,
    Path(system_id): Path<String>,
    Body(change): Body<SystemChange>,
) -> Answer<SystemRow> {
    let system_id = id(&system_id)?;
    system::edit(&cx, &system_id, change.version, &change.form).await?;
    Ok(Json(system::get(&cx, &system_id).await?))
}
