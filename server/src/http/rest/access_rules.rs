//! What may come in to a host, who gets in, and its system anew.
use axum::{Json, extract::Path};
use lingbao_core::{
    Cx,
    fulfil::{access_rule, reinstall},
    service::resource,
};
use lingbao_model::{
    access_rule::AccessRuleForm,
    id::{AccessRuleId, ResourceId},
    reinstall::ReinstallForm,
    view::resource::{AccessRulesView, ReinstallView, ResourceDetail},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(rules, add_rule))
        .routes(routes!(remove_rule))
        .routes(routes!(new_password))
        .routes(routes!(reinstalling, reinstall_host))
}

async fn as_they_are(cx: &Cx, of: &ResourceId) -> Answer<AccessRulesView> {
    Ok(Json(access_rule::view(cx, of).await?))
}

/// What may come in to a host: by its protection level, and by its own rules.
#[utoipa::path(get, path = "/resources/{id}/rules", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = AccessRulesView), (status = 404, body = ProblemDocument)))]
async fn rules(Caller(cx): Caller, Path(resource_id): Path<String>) -> Answer<AccessRulesView> {
    as_they_are(&cx, &id(&resource_id)?).await
}

/// Adds a rule to those of a host. It stands among them when the cloud has taken it.
#[utoipa::path(post, path = "/resources/{id}/rules", tag = "resources", params(("id" = String, Path)),
    request_body = AccessRuleForm,
    responses((status = 200, body = AccessRulesView), (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
async fn add_rule(
    Caller(cx): Caller,
    Path(resource_id): Path<String>,
    Body(form): Body<AccessRuleForm>,
) -> Answer<AccessRulesView> {
    let of = id(&resource_id)?;
    access_rule::add(&cx, &of, &form, "").await?;
    as_they_are(&cx, &of).await
}

/// Removes a rule of a host. It is gone when the cloud has given it up.
#[utoipa::path(delete, path = "/resources/{id}/rules/{rule}", tag = "resources",
    params(("id" = String, Path), ("rule" = String, Path)),
    responses((status = 200, body = AccessRulesView), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
async fn remove_rule(
    Caller(cx): Caller,
    Path((resource_id, rule)): Path<(String, String)>,
) -> Answer<AccessRulesView> {
    let of = id(&resource_id)?;
    access_rule::remove(&cx, &of, &id::<AccessRuleId>(&rule)?, "").await?;
    as_they_are(&cx, &of).await
}

/// Sets a new one-time password for the administrator of a running host. It is shown once on the page
/// of the host; a program is not told it.
#[utoipa::path(post, path = "/resources/{id}/password", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = ResourceDetail), (status = 409, body = ProblemDocument)))]
async fn new_password(
    Caller(cx): Caller,
    Path(resource_id): Path<String>,
) -> Answer<ResourceDetail> {
    let of = id(&resource_id)?;
    access_rule::new_password(&cx, &of, "").await?;
    Ok(Json(resource::detail(&cx, &of).await?))
}

/// What becomes of a host whose system is installed anew: what stays, and the ways in to choose from.
#[utoipa::path(get, path = "/resources/{id}/reinstall", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = ReinstallView), (status = 404, body = ProblemDocument)))]
async fn reinstalling(
    Caller(cx): Caller,
    Path(resource_id): Path<String>,
) -> Answer<ReinstallView> {
    Ok(Json(reinstall::view(&cx, &id(&resource_id)?).await?))
}

/// Installs a host's system anew from its image, with an SSH key or a one-time password. What the
/// system disk holds is lost; everything else, its price and its quota stay. `confirm` is the name of
/// the host. A one-time password is shown once on the page of the host; a program is not told it.
#[utoipa::path(post, path = "/resources/{id}/reinstall", tag = "resources", params(("id" = String, Path)),
    request_body = ReinstallForm,
    responses((status = 200, body = ResourceDetail), (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
async fn reinstall_host(
    Caller(cx): Caller,
    Path(resource_id): Path<String>,
    Body(form): Body<ReinstallForm>,
) -> Answer<ResourceDetail> {
    let of = id(&resource_id)?;
    reinstall::reinstall(&cx, &of, &form, "").await?;
    Ok(Json(resource::detail(&cx, &of).await?))
}
