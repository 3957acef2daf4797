//! The administration of approval policies: who must agree to what. Two persons publish.
use axum::{Json, extract::Path};
use lingbao_core::service::policy;
use lingbao_model::{
    policy::{Facts, Policy, Route},
    view::{
        item::Act,
        policy::{PolicyRow, PolicyView, Seen},
    },
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Listed, Portal, ProblemDocument};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(policies))
        .routes(routes!(one))
        .routes(routes!(write))
        .routes(routes!(try_out))
        .routes(routes!(act))
}

/// Which policy is in force for each kind of request, and since when: all of them, one a kind.
#[utoipa::path(get, path = "/policies", tag = "policies",
    responses((status = 200, body = Listed<PolicyRow>), (status = 403, body = ProblemDocument)))]
async fn policies(Caller(cx): Caller) -> Answer<Listed<PolicyRow>> {
    Ok(Json((policy::list(&cx).await?, None).into()))
}

/// The policy for a kind of request (`new`, `change`, `release`) with its versions.
#[utoipa::path(get, path = "/policies/{kind}", tag = "policies", params(("kind" = String, Path)),
    responses((status = 200, body = PolicyView), (status = 404, body = ProblemDocument)))]
async fn one(Caller(cx): Caller, Path(kind): Path<String>) -> Answer<PolicyView> {
    Ok(Json(policy::get(&cx, &kind).await?))
}

/// A policy, written anew.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PolicyDraft)]
struct Draft {
    /// `seen` of the policy, as it was read.
    seen: Seen,
    /// The whole of it.
    policy: Policy,
}

/// Writes a draft; nothing of it is in force.
#[utoipa::path(put, path = "/policies/{kind}/draft", tag = "policies",
    params(("kind" = String, Path)), request_body = Draft,
    responses((status = 200, body = PolicyView), (status = 409, body = ProblemDocument),
        (status = 422, body = ProblemDocument)))]
async fn write(
    Caller(cx): Caller,
    Path(kind): Path<String>,
    Body(draft): Body<Draft>,
) -> Answer<PolicyView> {
    policy::write(&cx, &kind, draft.seen, &draft.policy).await?;
    Ok(Json(policy::get(&cx, &kind).await?))
}

/// A policy and a request to try it on.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PolicyTrial)]
struct Trial {
    /// What the route depends on.
    facts: Facts,
    /// The policy; without it the one in force.
    policy: Option<Policy>,
}

/// Which stages and steps a request would take; nothing is written.
#[utoipa::path(post, path = "/policies/{kind}/try", tag = "policies",
    params(("kind" = String, Path)), request_body = Trial,
    responses((status = 200, body = Route), (status = 404, body = ProblemDocument)))]
async fn try_out(
    Caller(cx): Caller,
    Path(kind): Path<String>,
    Body(trial): Body<Trial>,
) -> Answer<Route> {
    let route = policy::try_out(&cx, &kind, trial.policy, &trial.facts).await?;
    Ok(Json(route))
}

/// A step of a version on its way to publication.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PolicyStep)]
struct Step {
    /// Number of the version.
    number: i64,
    /// Version of its row, as it was read.
    version: i64,
    /// `propose`, `take_back` or `publish`; the latter never by who wrote it.
    act: Act,
}

/// Proposes a draft, takes a proposal back, or publishes it. Requests under way keep their version.
#[utoipa::path(post, path = "/policies/{kind}/act", tag = "policies",
    params(("kind" = String, Path)), request_body = Step,
    responses((status = 200, body = PolicyView), (status = 409, body = ProblemDocument)))]
async fn act(
    Caller(cx): Caller,
    Path(kind): Path<String>,
    Body(step): Body<Step>,
) -> Answer<PolicyView> {
    let (number, version) = (step.number, step.version);
    policy::act(&cx, &kind, Seen { number, version }, step.act).await?;
    Ok(Json(policy::get(&cx, &kind).await?))
}
