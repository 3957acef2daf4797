//! The audit trail and the search over everything.
use axum::{Json, extract::Query};
use lingbao_core::{
    audit::BrokenWhy,
    service::{audit, search},
};
use lingbao_model::{
    time::Date,
    view::{
        audit::{AuditFilter, AuditLine, Outcome},
        search::{Hit, HitKind},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Caller, Listed, Paging, Portal, ProblemDocument};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(events))
        .routes(routes!(check))
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

/// What a walk through the chain found.
#[derive(Debug, Serialize, ToSchema)]
struct Chain {
    /// So many events were checked.
    checked: i64,
    /// The first fault; absent of a chain that is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<Fault>,
}

/// Where and how the chain is broken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChainFault)]
struct Fault {
    /// At the event with this number.
    seq: i64,
    /// How.
    why: Why,
}

/// How the chain is broken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChainFaultKind)]
#[serde(rename_all = "snake_case")]
enum Why {
    /// An event is missing.
    Gap,
    /// An event does not follow on the one before.
    Link,
    /// An event was changed after it was sealed.
    Changed,
    /// The chain ends elsewhere than its head says.
    End,
    /// The head was not signed by this installation.
    Signature,
}

/// Walks the whole chain and says whether anything was changed, taken out or cut off. That somebody
/// looked is an event itself.
#[utoipa::path(post, path = "/audit/check", tag = "audit",
    responses((status = 200, body = Chain), (status = 403, body = ProblemDocument)))]
async fn check(Caller(cx): Caller) -> Answer<Chain> {
    let found = audit::verify(&cx).await?;
    Ok(Json(Chain {
        checked: found.checked,
        broken: found.broken.map(|fault| Fault {
            seq: fault.seq,
            why: match fault.why {
                BrokenWhy::Gap => Why::Gap,
                BrokenWhy::Link => Why::Link,
                BrokenWhy::Changed => Why::Changed,
                BrokenWhy::End => Why::End,
                BrokenWhy::Signature => Why::Signature,
            },
        }),
    }))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// Number, name, address, pinyin.
    q: String,
    /// Things of this kind alone.
    #[param(inline)]
    kind: Option<HitKind>,
}

/// Requests, resources, systems, units and accounts that the caller sees and a search meets, kind after
/// kind.
#[utoipa::path(get, path = "/search", tag = "search", params(SearchQuery, Paging),
    responses((status = 200, body = Listed<Hit>)))]
async fn find(
    Caller(cx): Caller,
    Query(query): Query<SearchQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<Hit>> {
    let (after, limit) = (paging.after.as_deref(), paging.rows());
    let page = search::page(&cx, &query.q, query.kind, after, limit).await?;
    Ok(Json(page.into()))
}
