//! For operators: sagas and work orders; for leaders: the overview.
use axum::{
    Json,
    extract::{Path, Query},
};
use lingbao_core::service::{
    job,
    operation::{self, WorkOrderAct},
    overview,
};
use lingbao_model::{
    id::{JobId, ResourceId, SagaId, UserId},
    view::{
        operation::{
            CloudsFilter, CloudsView, JobFilter, JobLine, JobState, LimitFilter, LimitState,
            OperationCounts, SagaDetail, SagaFilter, SagaLine, SagaState, WorkOrderDetail,
            WorkOrderFilter, WorkOrderRow, WorkOrderStatus,
        },
        overview::Overview,
    },
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Body, Caller, Listed, Paging, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(summary))
        .routes(routes!(counts))
        .routes(routes!(sagas))
        .routes(routes!(one_saga))
        .routes(routes!(retry))
        .routes(routes!(discard))
        .routes(routes!(jobs))
        .routes(routes!(retry_job))
        .routes(routes!(discard_job))
        .routes(routes!(clouds))
        .routes(routes!(work_orders))
        .routes(routes!(one_work_order))
        .routes(routes!(act))
}

/// The figures of the whole site, counted from rows.
#[utoipa::path(get, path = "/overview", tag = "operations",
    responses((status = 200, body = Overview), (status = 403, body = ProblemDocument)))]
async fn summary(Caller(cx): Caller) -> Answer<Overview> {
    Ok(Json(overview::overview(&cx).await?))
}

/// How much is running, stuck, left behind.
#[utoipa::path(get, path = "/operations", tag = "operations",
    responses((status = 200, body = OperationCounts), (status = 403, body = ProblemDocument)))]
async fn counts(Caller(cx): Caller) -> Answer<OperationCounts> {
    Ok(Json(operation::counts(&cx).await?))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct SagaQuery {
    /// In this state; without one those that are not over, of one request or resource all.
    state: Option<SagaState>,
    /// What it does: `build`, `change`, `power`, `operate`, `restore`, `recycle`, `release`, `mend`,
    /// `relay`, `remove`.
    kind: Option<String>,
    /// For the request with this number.
    request: Option<String>,
    /// What built, changed or otherwise worked on this resource.
    resource: Option<ResourceId>,
}

/// Sagas, the latest first.
#[utoipa::path(get, path = "/sagas", tag = "operations", params(SagaQuery, Paging),
    responses((status = 200, body = Listed<SagaLine>)))]
async fn sagas(
    Caller(cx): Caller,
    Query(query): Query<SagaQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<SagaLine>> {
    let filter = SagaFilter {
        state: query.state,
        kind: query.kind,
        request: query.request,
        resource: query.resource,
        limit: Some(paging.rows()),
        cursor: paging.after,
    };
    Ok(Json(operation::sagas(&cx, &filter).await?.into()))
}

/// One saga with its steps.
#[utoipa::path(get, path = "/sagas/{id}", tag = "operations", params(("id" = String, Path)),
    responses((status = 200, body = SagaDetail), (status = 404, body = ProblemDocument)))]
async fn one_saga(Caller(cx): Caller, Path(saga): Path<String>) -> Answer<SagaDetail> {
    Ok(Json(operation::saga_detail(&cx, &id(&saga)?).await?))
}

/// Tries a stuck saga again.
#[utoipa::path(post, path = "/sagas/{id}/retry", tag = "operations", params(("id" = String, Path)),
    responses((status = 200, body = SagaDetail), (status = 409, body = ProblemDocument)))]
async fn retry(Caller(cx): Caller, Path(saga): Path<String>) -> Answer<SagaDetail> {
    let saga: SagaId = id(&saga)?;
    operation::retry_saga(&cx, &saga).await?;
    Ok(Json(operation::saga_detail(&cx, &saga).await?))
}

/// Why something is given up.
#[derive(Debug, Deserialize, ToSchema)]
struct Reason {
    /// For the applicant and the audit trail.
    reason: String,
}

/// Gives a stuck saga up: what it made is taken back.
#[utoipa::path(post, path = "/sagas/{id}/discard", tag = "operations", params(("id" = String, Path)),
    request_body = Reason,
    responses((status = 200, body = SagaDetail), (status = 409, body = ProblemDocument)))]
async fn discard(
    Caller(cx): Caller,
    Path(saga): Path<String>,
    Body(why): Body<Reason>,
) -> Answer<SagaDetail> {
    let saga: SagaId = id(&saga)?;
    operation::discard_saga(&cx, &saga, &why.reason).await?;
    Ok(Json(operation::saga_detail(&cx, &saga).await?))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct JobQuery {
    /// In this state; without one the stuck ones, of one request all.
    state: Option<JobState>,
    /// What it does: `saga.advance`, `fulfil.request`, …
    kind: Option<String>,
    /// For the request with this number, or for a saga that works for it.
    request: Option<String>,
}

/// Background jobs, the latest first.
#[utoipa::path(get, path = "/jobs", tag = "operations", params(JobQuery, Paging),
    responses((status = 200, body = Listed<JobLine>)))]
async fn jobs(
    Caller(cx): Caller,
    Query(query): Query<JobQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<JobLine>> {
    let filter = JobFilter {
        state: query.state,
        kind: query.kind,
        request: query.request,
        limit: Some(paging.rows()),
        cursor: paging.after,
    };
    Ok(Json(job::list(&cx, &filter).await?.into()))
}

/// Lets a stuck job try again.
#[utoipa::path(post, path = "/jobs/{id}/retry", tag = "operations", params(("id" = String, Path)),
    responses((status = 200, body = OperationCounts), (status = 409, body = ProblemDocument)))]
async fn retry_job(Caller(cx): Caller, Path(stuck): Path<String>) -> Answer<OperationCounts> {
    let stuck: JobId = id(&stuck)?;
    job::retry(&cx, &stuck).await?;
    Ok(Json(operation::counts(&cx).await?))
}

/// Gives a stuck job up.
#[utoipa::path(post, path = "/jobs/{id}/discard", tag = "operations", params(("id" = String, Path)),
    responses((status = 200, body = OperationCounts), (status = 409, body = ProblemDocument)))]
async fn discard_job(Caller(cx): Caller, Path(stuck): Path<String>) -> Answer<OperationCounts> {
    let stuck: JobId = id(&stuck)?;
    job::discard(&cx, &stuck).await?;
    Ok(Json(operation::counts(&cx).await?))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct CloudsQuery {
    /// The limits that are kept so; without one all.
    #[param(inline)]
    limits: Option<LimitState>,
    /// `next` of `foreign`; its first page without it.
    foreign: Option<String>,
}

/// Whether the backends answer, one page of what stands in them and is nobody's (`foreign`), and one
/// of the projects' limits (`after` is `next` of `limits`).
#[utoipa::path(get, path = "/clouds", tag = "operations", params(CloudsQuery, Paging),
    responses((status = 200, body = CloudsView), (status = 403, body = ProblemDocument)))]
async fn clouds(
    Caller(cx): Caller,
    Query(query): Query<CloudsQuery>,
    Query(paging): Query<Paging>,
) -> Answer<CloudsView> {
    let filter = CloudsFilter {
        limits: LimitFilter {
            state: query.limits,
            limit: Some(paging.rows()),
            cursor: paging.after,
        },
        foreign: query.foreign,
    };
    Ok(Json(operation::clouds(&cx, &filter).await?))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct WorkOrderQuery {
    /// In this state; without one those that are not closed.
    status: Option<WorkOrderStatus>,
    /// On which this person works.
    assignee: Option<UserId>,
    /// On which the caller works.
    mine: bool,
}

/// Work orders, the most urgent first.
#[utoipa::path(get, path = "/work-orders", tag = "operations", params(WorkOrderQuery, Paging),
    responses((status = 200, body = Listed<WorkOrderRow>)))]
async fn work_orders(
    Caller(cx): Caller,
    Query(query): Query<WorkOrderQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Listed<WorkOrderRow>> {
    let filter = WorkOrderFilter {
        status: query.status,
        assignee: query.assignee,
        mine: query.mine,
        limit: Some(paging.rows()),
        cursor: paging.after,
    };
    Ok(Json(operation::work_orders(&cx, &filter).await?.into()))
}

/// One work order.
#[utoipa::path(get, path = "/work-orders/{id}", tag = "operations", params(("id" = String, Path)),
    responses((status = 200, body = WorkOrderDetail), (status = 404, body = ProblemDocument)))]
async fn one_work_order(Caller(cx): Caller, Path(order): Path<String>) -> Answer<WorkOrderDetail> {
    Ok(Json(operation::work_order_detail(&cx, &id(&order)?).await?))
}

/// What is done to a work order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "act", rename_all = "snake_case")]
enum Act {
    /// Take it over.
    Take,
    /// Tick the parts that are done.
    Tick {
        /// Numbers of the parts that are done, from 0.
        done: Vec<usize>,
        /// A note.
        #[serde(default)]
        note: String,
    },
    /// Finish it.
    Finish {
        /// What the applicant reads.
        note: String,
    },
    /// Give it up.
    Fail {
        /// Why.
        note: String,
    },
}

/// An act with the version that was read.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WorkOrderChange)]
struct Change {
    /// As it was read.
    version: i64,
    /// What.
    #[serde(flatten)]
    act: Act,
}

/// Acts on a work order.
#[utoipa::path(post, path = "/work-orders/{id}/act", tag = "operations", params(("id" = String, Path)),
    request_body = Change,
    responses((status = 200, body = WorkOrderRow), (status = 409, body = ProblemDocument)))]
async fn act(
    Caller(cx): Caller,
    Path(order): Path<String>,
    Body(change): Body<Change>,
) -> Answer<WorkOrderRow> {
    let act = match change.act {
        Act::Take => WorkOrderAct::Take,
        Act::Tick { done, note } => WorkOrderAct::Tick { done, note },
        Act::Finish { note } => WorkOrderAct::Finish { note },
        Act::Fail { note } => WorkOrderAct::Fail { note },
    };
    Ok(Json(
        operation::act_on_work_order(&cx, &id(&order)?, change.version, &act).await?,
    ))
}
