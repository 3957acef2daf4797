//! What hosts use of what they were given.
use axum::{
    Json,
    extract::{Path, Query},
};
use lingbao_core::service::usage;
use lingbao_model::{
    id::UnitId,
    usage::Load,
    view::{
        overview::PoolLoad,
        usage::{
            Allocation, UnitUsage, UsageCounts, UsageDetail, UsageFilter, UsageHead, UsageRow,
            UsageSort,
        },
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Caller, Paging, Portal, ProblemDocument, id};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::new()
        .routes(routes!(hosts))
        .routes(routes!(units))
        .routes(routes!(host))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct UsageQuery {
    /// Part of a name or an address.
    q: Option<String>,
    /// What the last 30 days say.
    load: Option<Load>,
    /// Of this unit.
    unit: Option<UnitId>,
    /// Order; the dearest first without it.
    #[param(inline)]
    sort: Option<UsageSort>,
}

/// A page of hosts, with what all of them use. Shares are tenths of a percent; a share that is absent is
/// not known, which is not 0.
#[derive(Debug, Serialize, ToSchema)]
struct HostsUsage {
    /// How far the measurements go; `configured` is false where nothing measures.
    head: UsageHead,
    /// All hosts in sight.
    counts: UsageCounts,
    /// Usage rate of their cores (使用率 = Σ mean used ÷ Σ allocated).
    cpu: Option<i64>,
    /// Usage rate of their memory.
    memory: Option<i64>,
    /// Their quota, for the allocation rate (分配率); absent for those who read none.
    allocation: Option<Allocation>,
    /// Capacity of the pools, for those who see the whole site.
    pools: Vec<PoolLoad>,
    /// The rows.
    rows: Vec<UsageRow>,
    /// `after` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Hosts that the caller reads with their last 30 days: `load=idle` lists those of low use (低效),
/// `load=busy` those of high use (高负载).
#[utoipa::path(get, path = "/usage", tag = "usage", params(UsageQuery, Paging),
    responses((status = 200, body = HostsUsage), (status = 403, body = ProblemDocument)))]
async fn hosts(
    Caller(cx): Caller,
    Query(query): Query<UsageQuery>,
    Query(paging): Query<Paging>,
) -> Answer<HostsUsage> {
    let filter = UsageFilter {
        text: query.q,
        load: query.load,
        unit: query.unit,
        sort: query.sort,
        limit: Some(paging.rows()),
        cursor: paging.after,
    };
    let view = usage::list(&cx, &filter).await?;
    let (cpu, memory) = measured(&view.head, &view.counts);
    Ok(Json(HostsUsage {
        head: view.head,
        counts: view.counts,
        cpu,
        memory,
        allocation: view.allocation,
        pools: view.pools,
        rows: view.page.rows,
        next: view.page.next,
    }))
}

fn measured(head: &UsageHead, counts: &UsageCounts) -> (Option<i64>, Option<i64>) {
    if head.configured {
        (counts.cpu(), counts.memory())
    } else {
        (None, None)
    }
}

/// One unit with its rates.
#[derive(Debug, Serialize, ToSchema)]
struct UnitRates {
    /// The unit with its counts.
    #[serde(flatten)]
    unit: UnitUsage,
    /// Usage rate of its cores.
    cpu: Option<i64>,
    /// Usage rate of its memory.
    memory: Option<i64>,
}

/// One page of the units in sight.
#[derive(Debug, Serialize, ToSchema)]
struct UnitsRates {
    /// How far the measurements go.
    head: UsageHead,
    /// The units, those with most hosts first.
    rows: Vec<UnitRates>,
    /// `after` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Allocation rate and usage rate by unit.
#[utoipa::path(get, path = "/usage/units", tag = "usage", params(Paging),
    responses((status = 200, body = UnitsRates), (status = 403, body = ProblemDocument)))]
async fn units(Caller(cx): Caller, Query(paging): Query<Paging>) -> Answer<UnitsRates> {
    let after = paging.after.as_deref();
    let (found, next) = usage::units_page(&cx, after, paging.rows()).await?;
    let rows = found.units.into_iter().map(|unit| {
        let (cpu, memory) = measured(&found.head, &unit.counts);
        UnitRates { unit, cpu, memory }
    });
    Ok(Json(UnitsRates {
        rows: rows.collect(),
        next,
        head: found.head,
    }))
}

/// One host with each of its last 30 days.
#[utoipa::path(get, path = "/resources/{id}/usage", tag = "usage", params(("id" = String, Path)),
    responses((status = 200, body = UsageDetail), (status = 404, body = ProblemDocument)))]
async fn host(Caller(cx): Caller, Path(of): Path<String>) -> Answer<UsageDetail> {
    Ok(Json(usage::host(&cx, &id(&of)?).await?))
}
