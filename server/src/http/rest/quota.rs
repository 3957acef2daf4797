//! Quotas: what a unit may use and uses, setting the site's limits, handing parts on and taking
//! them back.
use axum::{
    Json,
    extract::{Path, Query},
};
use lingbao_core::service::quota::{self, Hand, Limit};
use lingbao_model::{
    id::{PoolId, UnitId},
    quota::Dimension,
    view::{people::UnitQuery, quota::QuotaView},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Listed, Paging, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(own))
        .routes(routes!(units))
        .routes(routes!(of_unit))
        .routes(routes!(hand))
        .routes(routes!(set))
}

/// The quota of the caller's unit: limits, what is held and used, units below, the last entries of
/// the ledger.
#[utoipa::path(get, path = "/quota", tag = "quota",
    responses((status = 200, body = QuotaView), (status = 403, body = ProblemDocument)))]
async fn own(Caller(cx): Caller) -> Answer<QuotaView> {
    Ok(Json(quota::view(&cx, None).await?))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct ChoiceQuery {
    /// Words of a name, pinyin or initials; without any, all units.
    q: String,
}

/// A unit to choose.
#[derive(Debug, Serialize, ToSchema)]
struct UnitChoice {
    /// Identifier.
    id: UnitId,
    /// Name.
    name: String,
}

/// The units whose quota the caller may read, by name.
#[utoipa::path(get, path = "/quota/units", tag = "quota", params(ChoiceQuery, Paging),
    responses((status = 200, body = Listed<UnitChoice>), (status = 403, body = ProblemDocument)))]
async fn units(
    Caller(cx): Caller,
    Query(query): Query<ChoiceQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<UnitChoice>> {
    let query = UnitQuery {
        text: query.q,
        limit: paging.rows(),
        after: paging.after,
        ..UnitQuery::default()
    };
    let page = quota::readable(&cx, &query).await?;
    let choice = |(id, name)| UnitChoice { id, name };
    Ok(Json(Listed {
        rows: page.rows.into_iter().map(choice).collect(),
        next: page.next,
    }))
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
    /// How much, in the unit of the dimension (分 for the monthly fee); below 0 it is taken back.
    amount: i64,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct FormQuery {
    /// A name of the caller's for this handing on: sent twice, it is booked once.
    form: String,
}

/// Hands a part of a limit on to a unit below, or takes a part back: what that unit uses stays, and
/// what it has handed on itself can't be taken. Answers the caller's quota.
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

/// One limit of the site.
#[derive(Debug, Deserialize, ToSchema)]
struct SiteLimit {
    /// In which pool.
    pool: PoolId,
    /// Which dimension.
    dimension: Dimension,
    /// The new limit, in the unit of the dimension (分 for the monthly fee).
    limit: i64,
    /// The limit as it was read: if it is another one by now, nothing is set (409).
    #[serde(default)]
    was: Option<i64>,
}

/// Limits of the site.
#[derive(Debug, Deserialize, ToSchema)]
struct SiteLimits {
    /// Those that change; all others stay as they are.
    limits: Vec<SiteLimit>,
}

/// Sets limits of the site itself, all of them or none. The unit is the topmost one (`site` of the
/// quota); a limit may fall below use, but not below what was handed on.
#[utoipa::path(put, path = "/quota/{id}/limits", tag = "quota", params(("id" = String, Path)),
    request_body = SiteLimits,
    responses((status = 200, body = QuotaView), (status = 403, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
async fn set(
    Caller(cx): Caller,
    Path(unit): Path<String>,
    Body(new): Body<SiteLimits>,
) -> Answer<QuotaView> {
    let unit = id(&unit)?;
    let limits: Vec<Limit> = new
        .limits
        .into_iter()
        .enumerate()
        .map(|(at, one)| Limit {
            field: format!("limits[{at}].limit"),
            pool: one.pool,
            dimension: one.dimension,
            limit: one.limit,
            was: one.was,
        })
        .collect();
    quota::set_site(&cx, &unit, &limits, "").await?;
    Ok(Json(quota::view(&cx, Some(unit)).await?))
}
