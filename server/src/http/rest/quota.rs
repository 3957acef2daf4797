//! Quotas: what a unit may use and uses, and handing a part on.
use axum::{
    Json,
    extract::{Path, Query},
};
use lingbao_core::service::quota::{self, Hand};
use lingbao_model::{id::PoolId, quota::Dimension, view::quota::QuotaView};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(own))
        .routes(routes!(of_unit))
        .routes(routes!(hand))
}

/// The quota of the caller's unit: limits, what is held and used, units below, the last entries of
/// the ledger.
#[utoipa::path(get, path = "/quota", tag = "quota",
    responses((status = 200, body = QuotaView), (status = 403, body = ProblemDocument)))]
async fn own(Caller(cx): Caller) -> Answer<QuotaView> {
    Ok(Json(quota::view(&cx, None).await?))
}

/// The quota of a unit.
#[utoipa::path(get, path = "/quota/{id}", tag = "quota", params(("id" = String, Path)),
    responses((status = 200, body = QuotaView), (status = 404, body = ProblemDocument)))]
async fn of_unit(Caller(cx): Caller, Path(unit): Path<String>) -> Answer<QuotaView> {
    Ok(Json(quota::view(&cx, Some(id(&unit)?)).await?))
}

/// A part of a limit.
#[derive(Debug, Deserialize, ToSchema)]
struct Part {
    /// In which pool.
    pool: PoolId,
    /// Which dimension.
    dimension: Dimension,
    /// How much, in the unit of the dimension (分 for the monthly fee).
    amount: i64,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct FormQuery {
    /// A name of the caller's for this handing on: sent twice, it is booked once.
    form: String,
}

/// Hands a part of a limit on to a unit below; answers the quota of that unit's superior.
#[utoipa::path(post, path = "/quota/{id}/hand", tag = "quota",
    params(("id" = String, Path, description = "The unit that gets it."), FormQuery),
    request_body = Part,
    responses((status = 200, body = QuotaView), (status = 422, body = ProblemDocument)))]
async fn hand(
    Caller(cx): Caller,
    Path(child): Path<String>,
    Query(query): Query<FormQuery>,
    Body(part): Body<Part>,
) -> Answer<QuotaView> {
    let hand = Hand {
        child: id(&child)?,
        pool: part.pool,
        dimension: part.dimension,
        amount: part.amount,
        form_id: query.form,
    };
    quota::hand(&cx, &hand).await?;
    Ok(Json(quota::view(&cx, None).await?))
}
