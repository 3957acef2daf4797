//! Where the portal and the clouds differ, for operators.
use axum::{
    Json,
    extract::{Path, Query},
};
use lingbao_core::service::{difference, operation};
use lingbao_model::{
    id::DifferenceId,
    money::Money,
    view::{
        difference::{
            Act, DifferenceCount, DifferenceDetail, DifferenceFilter, DifferenceKind,
            DifferenceRow, RoundLine,
        },
        operation::OperationCounts,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Paging, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(compare))
        .routes(routes!(one))
        .routes(routes!(restore))
        .routes(routes!(follow))
        .routes(routes!(adopt))
        .routes(routes!(keep))
        .routes(routes!(write_off))
        .routes(routes!(remove))
        .routes(routes!(note))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct DifferenceQuery {
    /// In this way.
    kind: Option<DifferenceKind>,
    /// At this backend.
    backend: Option<String>,
    /// Those that have ended instead of those that stand.
    past: bool,
}

/// A page of differences, with the counts of all and the rounds over the clouds.
#[derive(Debug, Serialize, ToSchema)]
struct Differences {
    /// The rows.
    rows: Vec<DifferenceRow>,
    /// `after` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// How many stand, by kind.
    counts: Vec<DifferenceCount>,
    /// The rounds, by backend.
    rounds: Vec<RoundLine>,
}

/// What the clouds say otherwise than the portal, the latest first.
#[utoipa::path(get, path = "/differences", tag = "operations", params(DifferenceQuery, Paging),
    responses((status = 200, body = Differences), (status = 403, body = ProblemDocument)))]
async fn list(
    Caller(cx): Caller,
    Query(query): Query<DifferenceQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Differences> {
    let filter = DifferenceFilter {
        kind: query.kind,
        backend: query.backend,
        past: query.past,
        limit: Some(paging.rows()),
        cursor: paging.after,
    };
    let view = difference::list(&cx, &filter).await?;
    Ok(Json(Differences {
        rows: view.page.rows,
        next: view.page.next,
        counts: view.counts,
        rounds: view.rounds,
    }))
}

/// Compares the clouds now; the answer comes before the rounds have ended.
#[utoipa::path(post, path = "/differences/compare", tag = "operations",
    responses((status = 200, body = OperationCounts), (status = 403, body = ProblemDocument)))]
async fn compare(Caller(cx): Caller) -> Answer<OperationCounts> {
    difference::compare(&cx).await?;
    Ok(Json(operation::counts(&cx).await?))
}

/// One difference with what can be done about it.
#[utoipa::path(get, path = "/differences/{id}", tag = "operations", params(("id" = String, Path)),
    responses((status = 200, body = DifferenceDetail), (status = 404, body = ProblemDocument)))]
async fn one(Caller(cx): Caller, Path(of): Path<String>) -> Answer<DifferenceDetail> {
    Ok(Json(difference::detail(&cx, &id(&of)?).await?))
}

/// Upon what the cloud is to follow.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DifferenceRestore)]
struct Restore {
    /// The difference's `digest` as it was read; 409 `error.stale` if both sides say something else now.
    digest: String,
}

/// Makes the cloud follow the portal. What is missing is built anew and empty; a resized host is
/// resized back and restarts; one in an error is restarted; what was opened or closed there is closed or opened again.
#[utoipa::path(post, path = "/differences/{id}/restore", tag = "operations", params(("id" = String, Path)),
    request_body = Restore,
    responses((status = 200, body = DifferenceDetail), (status = 409, body = ProblemDocument)))]
async fn restore(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(sent): Body<Restore>,
) -> Answer<DifferenceDetail> {
    let of: DifferenceId = id(&of)?;
    difference::restore(&cx, &of, &sent.digest).await?;
    Ok(Json(difference::detail(&cx, &of).await?))
}

/// In what the portal is to follow.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DifferenceFollow)]
struct Follow {
    /// The difference's `digest` as it was read; 409 `error.stale` if both sides say something else now.
    digest: String,
    /// Follow in power and leave the rules, which differ too, as they are.
    #[serde(default)]
    power_alone: bool,
}

/// Lets the portal follow the cloud: a server is called running or stopped, as it is there, and what
/// comes in to it there becomes its own rules, as far as the law of rules allows; a name or an address
/// is what it is there.
#[utoipa::path(post, path = "/differences/{id}/follow", tag = "operations", params(("id" = String, Path)),
    request_body = Follow,
    responses((status = 200, body = DifferenceDetail), (status = 409, body = ProblemDocument)))]
async fn follow(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(sent): Body<Follow>,
) -> Answer<DifferenceDetail> {
    let of: DifferenceId = id(&of)?;
    let act = if sent.power_alone {
        Act::FollowPower
    } else {
        Act::Follow
    };
    difference::follow(&cx, &of, &sent.digest, act).await?;
    Ok(Json(difference::detail(&cx, &of).await?))
}

/// At what price a size is taken over.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DifferenceAdopt)]
struct Adopt {
    /// The difference's `digest` as it was read; 409 `error.stale` if both sides say something else now.
    digest: String,
    /// `adoption.change.month_after` as it was read, in fen; 409 `resource.price_changed` if it is another now.
    month: Money,
}

/// Takes over the size that the cloud has of a host or a disk: it is sold at that size from now on, price
/// and quota follow. Refused with 422 and the numbers if it does not fit into the quota.
#[utoipa::path(post, path = "/differences/{id}/adopt", tag = "operations", params(("id" = String, Path)),
    request_body = Adopt,
    responses((status = 200, body = DifferenceDetail), (status = 409, body = ProblemDocument),
        (status = 422, body = ProblemDocument)))]
async fn adopt(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(sent): Body<Adopt>,
) -> Answer<DifferenceDetail> {
    let of: DifferenceId = id(&of)?;
    difference::adopt(&cx, &of, &sent.digest, sent.month).await?;
    Ok(Json(difference::detail(&cx, &of).await?))
}

/// Keeps a snapshot that was taken in the cloud itself as one of its disk; it costs nothing.
#[utoipa::path(post, path = "/differences/{id}/keep", tag = "operations", params(("id" = String, Path)),
    request_body = Restore,
    responses((status = 200, body = DifferenceDetail), (status = 409, body = ProblemDocument)))]
async fn keep(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(sent): Body<Restore>,
) -> Answer<DifferenceDetail> {
    let of: DifferenceId = id(&of)?;
    difference::keep(&cx, &of, &sent.digest).await?;
    Ok(Json(difference::detail(&cx, &of).await?))
}

/// Why something is written off.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WriteOff)]
struct WriteOff {
    /// For the unit and the audit trail.
    reason: String,
}

/// Writes a missing or stuck resource off: it is given back, its quota is free, charging ends. What is
/// stuck still stands in the cloud, and is foreign from the next round on.
#[utoipa::path(post, path = "/differences/{id}/write-off", tag = "operations", params(("id" = String, Path)),
    request_body = WriteOff,
    responses((status = 200, body = DifferenceDetail), (status = 409, body = ProblemDocument)))]
async fn write_off(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(why): Body<WriteOff>,
) -> Answer<DifferenceDetail> {
    let of: DifferenceId = id(&of)?;
    difference::write_off(&cx, &of, &why.reason).await?;
    Ok(Json(difference::detail(&cx, &of).await?))
}

/// What is deleted.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DifferenceRemove)]
struct Remove {
    /// Its `name`, or its `external_id` if it has none: whoever deletes has read which.
    confirm: String,
}

/// Begins to delete in the cloud a double, or a disk, address or snapshot that is nobody's; what it holds is
/// lost. The answer comes before it is gone. Refused while a host uses it.
#[utoipa::path(post, path = "/differences/{id}/remove", tag = "operations", params(("id" = String, Path)),
    request_body = Remove,
    responses((status = 200, body = DifferenceDetail), (status = 409, body = ProblemDocument),
        (status = 422, body = ProblemDocument)))]
async fn remove(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(sent): Body<Remove>,
) -> Answer<DifferenceDetail> {
    let of: DifferenceId = id(&of)?;
    difference::remove(&cx, &of, &sent.confirm).await?;
    Ok(Json(difference::detail(&cx, &of).await?))
}

/// Why a difference may stand.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DifferenceNote)]
struct Note {
    /// For colleagues and the audit trail.
    note: String,
}

/// Lets a difference stand, with a note; it asks nobody to act any more.
#[utoipa::path(post, path = "/differences/{id}/note", tag = "operations", params(("id" = String, Path)),
    request_body = Note,
    responses((status = 200, body = DifferenceDetail), (status = 409, body = ProblemDocument)))]
async fn note(
    Caller(cx): Caller,
    Path(of): Path<String>,
    Body(why): Body<Note>,
) -> Answer<DifferenceDetail> {
    let of: DifferenceId = id(&of)?;
    difference::note(&cx, &of, &why.note).await?;
    Ok(Json(difference::detail(&cx, &of).await?))
}
