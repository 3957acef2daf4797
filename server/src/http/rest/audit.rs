//! The audit trail and the search over everything.
use axum::{Json, extract::Query};
use lingbao_core::service::{audit, search};
use lingbao_model::{
    time::Date,
    view::{
        audit::{AuditFilter, AuditLine, Outcome},
        search::Hit,
    },
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Caller, Listed, Paging, Portal, ProblemDocument};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(events))
        .routes(routes!(find))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct EventQuery {
    /// Login name, name or id of who did it; `system`, `anonymous`.
    actor: String,
    /// How the action begins: `request.`.
    action: String,
    /// Id of the thing, or number of a request.
    subject: String,
    /// Done or refused.
    outcome: Option<Outcome>,
    /// On this day or later.
    from: Option<Date>,
    /// On this day or earlier.
    to: Option<Date>,
}

/// Events of the audit trail in the caller's sight, the latest first.
#[utoipa::path(get, path = "/audit", tag = "audit", params(EventQuery, Paging),
    responses((status = 200, body = Listed<AuditLine>), (status = 403, body = ProblemDocument)))]
async fn events(
    Caller(cx): Caller,
    Query(query): Query<EventQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<AuditLine>> {
    let filter = AuditFilter {
        actor: query.actor,
        action: query.action,
        subject: query.subject,
        outcome: query.outcome,
        from: query.from,
        to: query.to,
        limit: paging.rows(),
        after: paging.after,
    };
    Ok(Json(audit::list(&cx, &filter).await?.into()))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// Number, name, address, pinyin.
    q: String,
}

/// Requests, resources, units and accounts that the caller sees and a search meets.
#[utoipa::path(get, path = "/search", tag = "search", params(SearchQuery),
    responses((status = 200, body = Listed<Hit>)))]
async fn find(Caller(cx): Caller, Query(query): Query<SearchQuery>) -> Answer<Listed<Hit>> {
    Ok(Json(search::find(&cx, &query.q).await?.into()))
}
