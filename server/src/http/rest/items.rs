//! The administration of the catalogue: items, versions, prices. Two persons publish.
use axum::{
    Json,
    extract::{Path, Query},
    http::StatusCode,
};
use lingbao_core::service::item;
use lingbao_model::view::item::{Act, ItemRow, ItemView, Side};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Failed, Listed, Paging, Portal, ProblemDocument};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(items, make))
        .routes(routes!(one))
        .routes(routes!(write))
        .routes(routes!(act))
        .routes(routes!(offer))
}

/// All items, also those that nobody can order, in the order of the catalogue.
#[utoipa::path(get, path = "/items", tag = "items", params(Paging),
    responses((status = 200, body = Listed<ItemRow>), (status = 403, body = ProblemDocument)))]
async fn items(Caller(cx): Caller, Query(paging): Query<Paging>) -> Answer<Listed<ItemRow>> {
    let page = item::page(&cx, paging.after.as_deref(), paging.rows()).await?;
    Ok(Json(page.into()))
}

/// One item with its versions and prices.
#[utoipa::path(get, path = "/items/{code}", tag = "items", params(("code" = String, Path)),
    responses((status = 200, body = ItemView), (status = 404, body = ProblemDocument)))]
async fn one(Caller(cx): Caller, Path(code): Path<String>) -> Answer<ItemView> {
    Ok(Json(item::get(&cx, &code).await?))
}

/// An item to be made.
#[derive(Debug, Deserialize, ToSchema)]
struct NewItem {
    /// Its code (`C-ECS`).
    code: String,
    /// Code of the item of which its first drafts are copies.
    like: String,
}

/// Makes an item that nobody can order yet.
#[utoipa::path(post, path = "/items", tag = "items", request_body = NewItem,
    responses((status = 201, body = ItemView), (status = 422, body = ProblemDocument)))]
async fn make(
    Caller(cx): Caller,
    Body(new): Body<NewItem>,
) -> Result<(StatusCode, Json<ItemView>), Failed> {
    let code = item::create(&cx, &new.code, &new.like).await?;
    Ok((StatusCode::CREATED, Json(item::get(&cx, &code).await?)))
}

/// One side of an item, written anew.
#[derive(Debug, Deserialize, ToSchema)]
struct Draft {
    /// Content or price.
    side: Side,
    /// Number of the newest version, as it was read; 0 if there was none.
    number: i64,
    /// Version of its row, as it was read; 0 if there was none.
    version: i64,
    /// The whole of it, as JSON text; the formats are in the how-to page of items.
    text: String,
}

/// Writes a draft of one side; nothing of it is in force.
#[utoipa::path(put, path = "/items/{code}/draft", tag = "items", params(("code" = String, Path)),
    request_body = Draft,
    responses((status = 200, body = ItemView), (status = 409, body = ProblemDocument),
        (status = 422, body = ProblemDocument)))]
async fn write(
    Caller(cx): Caller,
    Path(code): Path<String>,
    Body(draft): Body<Draft>,
) -> Answer<ItemView> {
    let seen = (draft.number, draft.version);
    item::write(&cx, &code, draft.side, seen, &draft.text).await?;
    Ok(Json(item::get(&cx, &code).await?))
}

/// A step of a version on its way to publication.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ItemStep)]
struct Step {
    /// Content or price.
    side: Side,
    /// Number of the version.
    number: i64,
    /// Version of its row, as it was read.
    version: i64,
    /// `propose`, `take_back` or `publish`; the latter never by who wrote it.
    act: Act,
}

/// Proposes a draft, takes a proposal back, or publishes it.
#[utoipa::path(post, path = "/items/{code}/act", tag = "items", params(("code" = String, Path)),
    request_body = Step,
    responses((status = 200, body = ItemView), (status = 409, body = ProblemDocument)))]
async fn act(
    Caller(cx): Caller,
    Path(code): Path<String>,
    Body(step): Body<Step>,
) -> Answer<ItemView> {
    let which = (step.number, step.version);
    item::act(&cx, &code, step.side, which, step.act).await?;
    Ok(Json(item::get(&cx, &code).await?))
}

/// Whether an item stands in the catalogue.
#[derive(Debug, Deserialize, ToSchema)]
struct Offering {
    /// As it was read.
    version: i64,
    /// In the catalogue, or taken out of it.
    offered: bool,
}

/// Takes an item out of the catalogue, or puts it back.
#[utoipa::path(put, path = "/items/{code}/offered", tag = "items", params(("code" = String, Path)),
    request_body = Offering,
    responses((status = 200, body = ItemView), (status = 409, body = ProblemDocument)))]
async fn offer(
    Caller(cx): Caller,
    Path(code): Path<String>,
    Body(offering): Body<Offering>,
) -> Answer<ItemView> {
    item::set_offered(&cx, &code, offering.version, offering.offered).await?;
    Ok(Json(item::get(&cx, &code).await?))
}
