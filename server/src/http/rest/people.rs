//! Units and accounts, for who administers them.
use axum::{
    Json,
    extract::{Path, Query},
};
use lingbao_core::service::{unit, user};
use lingbao_model::{
    id::UnitId,
    people::Role,
    view::people::{UnitDetail, UnitNode, UnitQuery, UserDetail, UserQuery, UserRow},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Caller, Listed, Paging, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(units))
        .routes(routes!(one_unit))
        .routes(routes!(users))
        .routes(routes!(one_user))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct TreeQuery {
    /// Words of a name, pinyin or initials; without any and without `below`, the topmost units.
    q: String,
    /// Directly below this unit.
    below: Option<UnitId>,
}

/// Units, by name: those that a search meets, those below a unit, or the topmost ones.
#[utoipa::path(get, path = "/units", tag = "people", params(TreeQuery, Paging),
    responses((status = 200, body = Listed<UnitNode>), (status = 403, body = ProblemDocument),
        (status = 404, body = ProblemDocument)))]
async fn units(
    Caller(cx): Caller,
    Query(query): Query<TreeQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<UnitNode>> {
    let query = UnitQuery {
        text: query.q,
        below: query.below,
        limit: paging.rows(),
        after: paging.after,
    };
    Ok(Json(unit::list(&cx, &query).await?.into()))
}

/// One unit with what stands above and below it.
#[utoipa::path(get, path = "/units/{id}", tag = "people", params(("id" = String, Path)),
    responses((status = 200, body = UnitDetail), (status = 404, body = ProblemDocument)))]
async fn one_unit(Caller(cx): Caller, Path(unit_id): Path<String>) -> Answer<UnitDetail> {
    Ok(Json(unit::get(&cx, &id(&unit_id)?).await?))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct PeopleQuery {
    /// Words in name, login or telephone.
    q: String,
    /// `active`, `locked` or `inactive`.
    state: String,
    /// With this role.
    #[param(inline)]
    role: Option<Role>,
    /// In this unit and below it.
    unit: Option<UnitId>,
    /// The newest first, instead of by name.
    newest: bool,
}

/// Accounts.
#[utoipa::path(get, path = "/users", tag = "people", params(PeopleQuery, Paging),
    responses((status = 200, body = Listed<UserRow>), (status = 403, body = ProblemDocument)))]
async fn users(
    Caller(cx): Caller,
    Query(query): Query<PeopleQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<UserRow>> {
    let limit = paging.rows();
    let query = UserQuery {
        text: query.q,
        state: query.state,
        role: query.role,
        unit: query.unit,
        newest: query.newest,
        after: paging.after,
        limit,
    };
    Ok(Json(user::list(&cx, &query).await?.into()))
}

/// One account.
#[utoipa::path(get, path = "/users/{id}", tag = "people", params(("id" = String, Path)),
    responses((status = 200, body = UserDetail), (status = 404, body = ProblemDocument)))]
async fn one_user(Caller(cx): Caller, Path(user_id): Path<String>) -> Answer<UserDetail> {
    Ok(Json(user::get(&cx, &id(&user_id)?).await?))
}
