//! What can be ordered.
use axum::{
    Json,
    extract::{Path, Query},
};
use lingbao_core::service::catalogue;
use lingbao_model::{catalogue::Offer, placement::Place};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Caller, Listed, Paging, Portal, ProblemDocument};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(items))
        .routes(routes!(item))
        .routes(routes!(places))
}

/// Items with parameters and prices.
#[utoipa::path(get, path = "/catalogue/items", tag = "catalogue", params(Paging),
    responses((status = 200, body = Listed<Offer>)))]
async fn items(Caller(cx): Caller, Query(paging): Query<Paging>) -> Answer<Listed<Offer>> {
    let page = catalogue::offers_page(&cx, paging.after.as_deref(), paging.rows()).await?;
    Ok(Json(page.into()))
}

/// One item, by its code.
#[utoipa::path(get, path = "/catalogue/items/{code}", tag = "catalogue", params(("code" = String, Path)),
    responses((status = 200, body = Offer), (status = 404, body = ProblemDocument)))]
async fn item(Caller(cx): Caller, Path(code): Path<String>) -> Answer<Offer> {
    Ok(Json(catalogue::offer(&cx, &code).await?))
}

/// Where one may order: every legal cell of zone, protection level and pool. A line of a draft names
/// its place by `cell`.
#[utoipa::path(get, path = "/places", tag = "catalogue", params(Paging),
    responses((status = 200, body = Listed<Place>)))]
async fn places(Caller(cx): Caller, Query(paging): Query<Paging>) -> Answer<Listed<Place>> {
    let page = catalogue::places_page(&cx, paging.after.as_deref(), paging.rows()).await?;
    Ok(Json(page.into()))
}
