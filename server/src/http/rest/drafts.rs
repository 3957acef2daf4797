//! Drafts: the cart. `POST /drafts` takes head and lines at once.
use axum::{Json, extract::Path, http::StatusCode};
use lingbao_core::service::cart;
use lingbao_model::{
    msg::Msg,
    view::request::{CartView, DraftRow, HeadForm, LineForm, NewDraft},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Failed, Listed, Portal, ProblemDocument, Version, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(drafts, make))
        .routes(routes!(one, save, discard))
        .routes(routes!(refresh))
        .routes(routes!(add_line))
        .routes(routes!(change_line, remove_line))
}

/// The caller's drafts.
#[utoipa::path(get, path = "/drafts", tag = "drafts",
    responses((status = 200, body = Listed<DraftRow>)))]
async fn drafts(Caller(cx): Caller) -> Answer<Listed<DraftRow>> {
    Ok(Json(cart::drafts(&cx).await?.into()))
}

/// One draft with verdict, price and quota.
#[utoipa::path(get, path = "/drafts/{id}", tag = "drafts", params(("id" = String, Path)),
    responses((status = 200, body = CartView), (status = 404, body = ProblemDocument)))]
async fn one(Caller(cx): Caller, Path(draft): Path<String>) -> Answer<CartView> {
    Ok(Json(cart::open(&cx, &id(&draft)?).await?))
}

/// Makes a draft with its lines, all of it or nothing. Sent again under its `Idempotency-Key`, it
/// answers with the same draft.
#[utoipa::path(post, path = "/drafts", tag = "drafts", request_body = NewDraft,
    responses((status = 201, body = CartView), (status = 422, body = ProblemDocument)))]
async fn make(
    Caller(cx): Caller,
    Body(new): Body<NewDraft>,
) -> Result<(StatusCode, Json<CartView>), Failed> {
    Ok((StatusCode::CREATED, Json(cart::make(&cx, &new).await?)))
}

/// A changed head, with the version that was read.
#[derive(Debug, Deserialize, ToSchema)]
struct HeadChange {
    /// As it was read.
    version: i64,
    /// The whole head.
    head: HeadForm,
}

/// Changes the head of a draft.
#[utoipa::path(put, path = "/drafts/{id}", tag = "drafts", params(("id" = String, Path)),
    request_body = HeadChange,
    responses((status = 200, body = CartView), (status = 409, body = ProblemDocument)))]
async fn save(
    Caller(cx): Caller,
    Path(draft): Path<String>,
    Body(change): Body<HeadChange>,
) -> Answer<CartView> {
    let draft = id(&draft)?;
    cart::save_head(&cx, &draft, change.version, &change.head).await?;
    Ok(Json(cart::open(&cx, &draft).await?))
}

/// A draft with the items and prices of today.
#[derive(Debug, Serialize, ToSchema)]
struct Refreshed {
    /// The draft.
    draft: CartView,
    /// What was left out or has another price, and why.
    notes: Vec<Msg>,
}

/// Takes the items and prices of today: for a draft whose lines are `outdated`.
#[utoipa::path(post, path = "/drafts/{id}/refresh", tag = "drafts", params(("id" = String, Path)),
    request_body = Version,
    responses((status = 200, body = Refreshed), (status = 409, body = ProblemDocument)))]
async fn refresh(
    Caller(cx): Caller,
    Path(draft): Path<String>,
    Body(read): Body<Version>,
) -> Answer<Refreshed> {
    let draft = id(&draft)?;
    let notes = cart::refresh(&cx, &draft, read.version).await?;
    let draft = cart::open(&cx, &draft).await?;
    Ok(Json(Refreshed { draft, notes }))
}

/// Throws a draft away.
#[utoipa::path(delete, path = "/drafts/{id}", tag = "drafts", params(("id" = String, Path)),
    request_body = Version,
    responses((status = 204), (status = 404, body = ProblemDocument)))]
async fn discard(
    Caller(cx): Caller,
    Path(draft): Path<String>,
    Body(read): Body<Version>,
) -> Result<StatusCode, Failed> {
    cart::discard(&cx, &id(&draft)?, read.version).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A line, with the version of the draft that was read.
#[derive(Debug, Deserialize, ToSchema)]
struct LineChange {
    /// As it was read.
    version: i64,
    /// The whole line.
    line: LineForm,
}

/// Adds a line.
#[utoipa::path(post, path = "/drafts/{id}/lines", tag = "drafts", params(("id" = String, Path)),
    request_body = LineChange,
    responses((status = 200, body = CartView), (status = 422, body = ProblemDocument)))]
async fn add_line(
    Caller(cx): Caller,
    Path(draft): Path<String>,
    Body(change): Body<LineChange>,
) -> Answer<CartView> {
    let draft = id(&draft)?;
    cart::put_line(&cx, &draft, change.version, None, &change.line).await?;
    Ok(Json(cart::open(&cx, &draft).await?))
}

/// Changes a line.
#[utoipa::path(put, path = "/drafts/{id}/lines/{line}", tag = "drafts",
    params(("id" = String, Path), ("line" = String, Path)), request_body = LineChange,
    responses((status = 200, body = CartView), (status = 409, body = ProblemDocument)))]
async fn change_line(
    Caller(cx): Caller,
    Path((draft, line)): Path<(String, String)>,
    Body(change): Body<LineChange>,
) -> Answer<CartView> {
    let (draft, line) = (id(&draft)?, id(&line)?);
    cart::put_line(&cx, &draft, change.version, Some(&line), &change.line).await?;
    Ok(Json(cart::open(&cx, &draft).await?))
}

/// Removes a line.
#[utoipa::path(delete, path = "/drafts/{id}/lines/{line}", tag = "drafts",
    params(("id" = String, Path), ("line" = String, Path)), request_body = Version,
    responses((status = 200, body = CartView), (status = 409, body = ProblemDocument)))]
async fn remove_line(
    Caller(cx): Caller,
    Path((draft, line)): Path<(String, String)>,
    Body(read): Body<Version>,
) -> Answer<CartView> {
    let draft = id(&draft)?;
    cart::remove_line(&cx, &draft, read.version, &id(&line)?).await?;
    Ok(Json(cart::open(&cx, &draft).await?))
}
