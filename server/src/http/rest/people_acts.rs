//! What administrators do to units, accounts and roles.
use axum::{Json, extract::Path, http::StatusCode};
use lingbao_core::service::{
    grant,
    unit::{self, NewUnit},
    user::{self, NewUser},
};
use lingbao_model::{
    id::{UnitId, UserId},
    people::{Reach, Role, UnitKind, UnitLevel},
    view::people::{UnitDetail, UserDetail},
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Failed, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(make_unit))
        .routes(routes!(rename_unit))
        .routes(routes!(open_unit))
        .routes(routes!(make_user))
        .routes(routes!(edit_user))
        .routes(routes!(open_user))
        .routes(routes!(reset_password))
        .routes(routes!(unlock))
        .routes(routes!(give))
        .routes(routes!(take))
}

/// A unit to be made.
#[derive(Debug, Deserialize, ToSchema)]
struct UnitForm {
    /// Full name.
    name: String,
    /// Short name; the full one if it is empty.
    #[serde(default)]
    short_name: String,
    /// Level.
    level: UnitLevel,
    /// Kind.
    kind: UnitKind,
}

/// Makes a unit below another one, with a virtual data centre of its own.
#[utoipa::path(post, path = "/units/{id}/units", tag = "people",
    params(("id" = String, Path, description = "The unit above.")), request_body = UnitForm,
    responses((status = 201, body = UnitDetail), (status = 422, body = ProblemDocument)))]
async fn make_unit(
    Caller(cx): Caller,
    Path(parent): Path<String>,
    Body(form): Body<UnitForm>,
) -> Result<(StatusCode, Json<UnitDetail>), Failed> {
    let new = NewUnit {
        parent: Some(id(&parent)?),
        name: form.name,
        short_name: form.short_name,
        level: form.level,
        kind: form.kind,
    };
    let made = unit::create(&cx, new).await?;
    Ok((StatusCode::CREATED, Json(unit::get(&cx, &made).await?)))
}

/// New names of a unit.
#[derive(Debug, Deserialize, ToSchema)]
struct UnitNames {
    /// As it was read.
    version: i64,
    /// Full name.
    name: String,
    /// Short name.
    #[serde(default)]
    short_name: String,
}

/// Renames a unit.
#[utoipa::path(put, path = "/units/{id}", tag = "people", params(("id" = String, Path)),
    request_body = UnitNames,
    responses((status = 200, body = UnitDetail), (status = 409, body = ProblemDocument)))]
async fn rename_unit(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(names): Body<UnitNames>,
) -> Answer<UnitDetail> {
    let of: UnitId = id(&of)?;
    unit::rename(&cx, &of, names.version, &names.name, &names.short_name).await?;
    Ok(Json(unit::get(&cx, &of).await?))
}

/// Whether a unit or an account is open.
#[derive(Debug, Deserialize, ToSchema)]
struct Opening {
    /// As it was read.
    version: i64,
    /// Open, or closed.
    active: bool,
}

/// Closes a unit, or opens it again.
#[utoipa::path(put, path = "/units/{id}/active", tag = "people", params(("id" = String, Path)),
    request_body = Opening,
    responses((status = 200, body = UnitDetail), (status = 409, body = ProblemDocument)))]
async fn open_unit(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(opening): Body<Opening>,
) -> Answer<UnitDetail> {
    let of: UnitId = id(&of)?;
    unit::set_active(&cx, &of, opening.version, opening.active).await?;
    Ok(Json(unit::get(&cx, &of).await?))
}

/// An account to be made.
#[derive(Debug, Deserialize, ToSchema)]
struct UserForm {
    /// Login name.
    login: String,
    /// The person's name.
    name: String,
    /// Telephone.
    #[serde(default)]
    phone: String,
    /// First password; the person must change it.
    password: String,
}

/// Makes an account in a unit, without any role.
#[utoipa::path(post, path = "/units/{id}/users", tag = "people",
    params(("id" = String, Path, description = "The person's unit.")), request_body = UserForm,
    responses((status = 201, body = UserDetail), (status = 422, body = ProblemDocument)))]
async fn make_user(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(form): Body<UserForm>,
) -> Result<(StatusCode, Json<UserDetail>), Failed> {
    let new = NewUser {
        login: form.login,
        name: form.name,
        phone: form.phone,
        password: form.password,
    };
    let made = user::create(&cx, &id(&of)?, &new).await?;
    Ok((StatusCode::CREATED, Json(user::get(&cx, &made).await?)))
}

/// An account, changed.
#[derive(Debug, Deserialize, ToSchema)]
struct UserChange {
    /// As it was read.
    version: i64,
    /// The person's name.
    name: String,
    /// Telephone.
    #[serde(default)]
    phone: String,
    /// The person's unit; who moves keeps no role.
    unit: UnitId,
}

/// Changes name and telephone, or moves the person to another unit.
#[utoipa::path(put, path = "/users/{id}", tag = "people", params(("id" = String, Path)),
    request_body = UserChange,
    responses((status = 200, body = UserDetail), (status = 409, body = ProblemDocument)))]
async fn edit_user(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(to): Body<UserChange>,
) -> Answer<UserDetail> {
    let of: UserId = id(&of)?;
    user::edit(&cx, &of, to.version, &to.name, &to.phone, &to.unit).await?;
    Ok(Json(user::get(&cx, &of).await?))
}

/// Closes an account (sessions end, tokens are revoked), or opens it again.
#[utoipa::path(put, path = "/users/{id}/active", tag = "people", params(("id" = String, Path)),
    request_body = Opening,
    responses((status = 200, body = UserDetail), (status = 409, body = ProblemDocument)))]
async fn open_user(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(opening): Body<Opening>,
) -> Answer<UserDetail> {
    let of: UserId = id(&of)?;
    user::set_active(&cx, &of, opening.version, opening.active).await?;
    Ok(Json(user::get(&cx, &of).await?))
}

/// A first password.
#[derive(Debug, Deserialize, ToSchema)]
struct FirstPassword {
    /// The person must change it at the next sign-in.
    password: String,
}

/// Gives a new first password; sessions end. Not for holders of the three powers.
#[utoipa::path(post, path = "/users/{id}/password", tag = "people", params(("id" = String, Path)),
    request_body = FirstPassword,
    responses((status = 200, body = UserDetail), (status = 409, body = ProblemDocument)))]
async fn reset_password(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(first): Body<FirstPassword>,
) -> Answer<UserDetail> {
    let of: UserId = id(&of)?;
    user::reset_password(&cx, &of, &first.password).await?;
    Ok(Json(user::get(&cx, &of).await?))
}

/// Takes the lock of an account away before it runs out.
#[utoipa::path(post, path = "/users/{id}/unlock", tag = "people", params(("id" = String, Path)),
    responses((status = 200, body = UserDetail), (status = 409, body = ProblemDocument)))]
async fn unlock(Caller(cx): Caller, Path(of): Path<String>) -> Answer<UserDetail> {
    let of: UserId = id(&of)?;
    grant::unlock(&cx, &of).await?;
    Ok(Json(user::get(&cx, &of).await?))
}

/// A role on a unit.
#[derive(Debug, Deserialize, ToSchema)]
struct NewGrant {
    /// The role.
    role: Role,
    /// On which unit.
    unit: UnitId,
    /// How far it reaches from there.
    reach: Reach,
}

/// Gives a role.
#[utoipa::path(post, path = "/users/{id}/grants", tag = "people", params(("id" = String, Path)),
    request_body = NewGrant,
    responses((status = 201, body = UserDetail), (status = 422, body = ProblemDocument)))]
async fn give(
    Caller(cx): Caller,
    Path(to): Path<String>,
    Body(new): Body<NewGrant>,
) -> Result<(StatusCode, Json<UserDetail>), Failed> {
    let to: UserId = id(&to)?;
    grant::give(&cx, &to, new.role, &new.unit, new.reach).await?;
    Ok((StatusCode::CREATED, Json(user::get(&cx, &to).await?)))
}

/// Takes a role away.
#[utoipa::path(delete, path = "/users/{id}/grants/{grant}", tag = "people",
    params(("id" = String, Path), ("grant" = String, Path)),
    responses((status = 200, body = UserDetail), (status = 404, body = ProblemDocument)))]
async fn take(
    Caller(cx): Caller,
    Path((from, taken)): Path<(String, String)>,
) -> Answer<UserDetail> {
    let from: UserId = id(&from)?;
    grant::take(&cx, &from, &id(&taken)?).await?;
    Ok(Json(user::get(&cx, &from).await?))
}
