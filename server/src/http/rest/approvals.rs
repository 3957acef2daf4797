//! Steps that wait for the caller.
use axum::{
    Json,
    extract::{Path, Query},
};
use lingbao_core::service::approval;
use lingbao_model::{
    request::Decision,
    view::request::{CardView, DecideAnswer, DoneRow, TodoRow},
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Listed, Paging, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(todos))
        .routes(routes!(done))
        .routes(routes!(card))
        .routes(routes!(decide))
}

/// Open steps, the most urgent first.
#[utoipa::path(get, path = "/todos", tag = "approvals", params(Paging),
    responses((status = 200, body = Listed<TodoRow>)))]
async fn todos(Caller(cx): Caller, Query(paging): Query<Paging>) -> Answer<Listed<TodoRow>> {
    Ok(Json(
        approval::todos(&cx, paging.after.as_deref(), paging.rows())
            .await?
            .into(),
    ))
}

/// Steps on which the caller has acted.
#[utoipa::path(get, path = "/done", tag = "approvals", params(Paging),
    responses((status = 200, body = Listed<DoneRow>)))]
async fn done(Caller(cx): Caller, Query(paging): Query<Paging>) -> Answer<Listed<DoneRow>> {
    Ok(Json(
        approval::done(&cx, paging.after.as_deref(), paging.rows())
            .await?
            .into(),
    ))
}

/// What a decision is made on; `digest` goes back with it.
#[utoipa::path(get, path = "/todos/{step}", tag = "approvals", params(("step" = String, Path)),
    responses((status = 200, body = CardView), (status = 404, body = ProblemDocument)))]
async fn card(Caller(cx): Caller, Path(step): Path<String>) -> Answer<CardView> {
    Ok(Json(approval::card(&cx, &id(&step)?).await?))
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
struct DecisionOrder {
    /// What.
    decision: Decision,
    /// Why; needed to reject and to return.
    #[serde(default)]
    opinion: String,
    /// Of the card that was read. If the request changed since, the answer is the difference.
    digest: String,
}

/// Decides a step.
#[utoipa::path(post, path = "/todos/{step}/decide", tag = "approvals", params(("step" = String, Path)),
    request_body = DecisionOrder,
    responses((status = 200, body = DecideAnswer), (status = 409, body = ProblemDocument)))]
async fn decide(
    Caller(cx): Caller,
    Path(step): Path<String>,
    Body(order): Body<DecisionOrder>,
) -> Answer<DecideAnswer> {
    let step = id(&step)?;
    Ok(Json(
        approval::decide(&cx, &step, order.decision, &order.opinion, &order.digest).await?,
    ))
}
