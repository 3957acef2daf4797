//! Drafts: the cart. `POST /drafts` takes head and lines at once.
use axum::{
    Json,
    extract::{Path, Query},
    http::StatusCode,
};
use lingbao_core::service::cart;
use lingbao_model::{
    msg::Msg,
    view::request::{CartView, DraftRow, HeadForm, LineForm, NewDraft, TriedLine},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Failed, Listed, Paging, Portal, ProblemDocument, Version, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(drafts, make))
        .routes(routes!(one, save, discard))
        .routes(routes!(refresh))
        .routes(routes!(try_alone))
        .routes(routes!(try_line))
        .routes(routes!(add_line))
        .routes(routes!(change_line, remove_line))
}

/// The caller's drafts, the one touched last first.
#[utoipa::path(get, path = "/drafts", tag = "drafts", params(Paging),
    responses((status = 200, body = Listed<DraftRow>)))]
async fn drafts(Caller(cx): Caller, Query(paging): Query<Paging>) -> Answer<Listed<DraftRow>> {
    let page = cart::drafts(&cx, paging.after.as_deref(), paging.rows()).await?;
    Ok(Json(page.into()))
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

/// A line to be tried without a draft.
#[derive(Debug, Deserialize, ToSchema)]
struct LineTrial {
    /// What the verdict depends on: the system, and whether missing quota is asked for too.
    #[serde(default)]
    head: HeadForm,
    /// The line.
    line: LineForm,
}

/// What a draft with this line alone would say: price, quota, way of approval, and what is wrong by field.
/// Nothing is written, no draft is made.
#[utoipa::path(post, path = "/drafts/try", tag = "drafts", request_body = LineTrial,
    responses((status = 200, body = TriedLine), (status = 404, body = ProblemDocument),
        (status = 422, body = ProblemDocument)))]
async fn try_alone(Caller(cx): Caller, Body(trial): Body<LineTrial>) -> Answer<TriedLine> {
    Ok(Json(cart::try_alone(&cx, &trial.head, &trial.line).await?))
}

/// A line to be tried in a draft.
#[derive(Debug, Deserialize, ToSchema)]
struct DraftTrial {
    /// In the place of this line of the draft; beside all of them without it.
    #[serde(default)]
    id: Option<String>,
    /// The line.
    line: LineForm,
}

/// What the draft would say with this line in it: price, quota, way of approval, and what is wrong by
/// field. Nothing is written.
#[utoipa::path(post, path = "/drafts/{id}/lines/try", tag = "drafts", params(("id" = String, Path)),
    request_body = DraftTrial,
    responses((status = 200, body = TriedLine), (status = 404, body = ProblemDocument)))]
async fn try_line(
    Caller(cx): Caller,
    Path(draft): Path<String>,
    Body(trial): Body<DraftTrial>,
) -> Answer<TriedLine> {
    let line = trial.id.as_deref().map(id).transpose()?;
    Ok(Json(
        cart::try_line(&cx, &id(&draft)?, line.as_ref(), &trial.line).await?,
    ))
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
