//! What is to be built, in which groups, and what follows when a piece is settled.

use std::collections::BTreeMap;

use async_trait::async_trait;
use lingbao_model::{
    access_rule,
    catalogue::{Content, Fulfiller},
    fulfilment::{self as machine, Event, Status, is_bound},
    id::{RequestId, RequestItemId, ResourceId, VdcId},
    msg::Msg,
    placement::Placement,
    quota::{Amounts, Dimension},
    request::{Line, Outcome, Status as RequestStatus},
};
use serde::{Deserialize, Serialize};

use super::build::{Attach, Build, Params, PiecePlan, Site};
use crate::{
    app::Cx,
    error::StorageError,
    jobs::{Handler, Job, JobError, Run},
    saga,
    storage::{
        ReadTx, Tx,
        fulfilment::{self, Head, Piece},
        history, item, project, quota, request_line, resource,
    },
};

/// Starts the sagas of an approved request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FulfilRequest {
    /// The request.
    pub request: RequestId,
}

impl Job for FulfilRequest {
    const KIND: &'static str = "fulfil.request";
    fn dedup_key(&self) -> Option<String> {
        Some(self.request.to_string())
    }
}

/// Runs [`FulfilRequest`].
#[derive(Debug)]
pub struct Planner;

#[async_trait]
impl Handler<FulfilRequest> for Planner {
    async fn run(&self, run: &Run, job: FulfilRequest) -> Result<(), JobError> {
        let mut tx = run.begin().await?;
        go_on(&mut tx, &run.cx(), &job.request).await?;
        run.complete(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Starts what can start, calls off what has lost its target, and ends the request when its last
/// piece is settled. Safe to call at any time and any number of times.
///
/// # Errors
/// What the database says.
pub async fn go_on(tx: &mut Tx, cx: &Cx, request: &RequestId) -> Result<(), StorageError> {
    fulfilment::lock(tx, request).await?;
    let Some(head) = fulfilment::head(tx, request).await? else {
        return Ok(());
    };
    if head.status != RequestStatus::Approved {
        return Ok(());
    }
    let lines = request_line::of_request(tx, request).await?;
    loop {
        let pieces = fulfilment::of_request(tx, request).await?;
        let ready = waiting_groups(&pieces);
        let mut moved = false;
        for group in ready {
            match readiness(&lines, &pieces, &group) {
                Readiness::NotYet => {}
                Readiness::Ready => {
                    begin(tx, cx, &head, &lines, &pieces, &group).await?;
                    moved = true;
                }
                Readiness::TargetLost => {
                    call_off(tx, cx, &head, &lines, &group).await?;
                    moved = true;
                }
            }
        }
        if !moved {
            break;
        }
    }
    let pieces = fulfilment::of_request(tx, request).await?;
    let states: Vec<Status> = pieces.iter().map(|p| p.status).collect();
    if let Some(outcome) = machine::outcome(&states) {
        settle(tx, cx, &head, outcome).await?;
    }
    Ok(())
}

fn waiting_groups(pieces: &[Piece]) -> Vec<Vec<Piece>> {
    let mut groups: BTreeMap<i64, Vec<Piece>> = BTreeMap::new();
    for piece in pieces.iter().filter(|p| p.status == Status::Waiting) {
        groups.entry(piece.group).or_default().push(piece.clone());
    }
    groups.into_values().collect()
}

enum Readiness {
    Ready,
    NotYet,
    TargetLost,
}

/// Whether everything outside the group that its pieces attach to has been delivered.
fn readiness(lines: &[Line], pieces: &[Piece], group: &[Piece]) -> Readiness {
    for piece in group {
        let Some(line) = lines.iter().find(|l| l.id == piece.item) else {
            continue;
        };
        if is_bound(line) {
            continue;
        }
        let Some((item, number)) = machine::target(lines, line, piece.piece) else {
            continue;
        };
        match pieces
            .iter()
            .find(|p| p.item == item && p.piece == number)
            .map(|p| p.status)
        {
            Some(Status::Delivered) => {}
            Some(Status::Waiting | Status::Running) => return Readiness::NotYet,
            Some(Status::Failed | Status::Residue | Status::Cancelled) | None => {
                return Readiness::TargetLost;
            }
        }
    }
    Readiness::Ready
}

async fn call_off(
    tx: &mut Tx,
    cx: &Cx,
    head: &Head,
    lines: &[Line],
    group: &[Piece],
) -> Result<(), StorageError> {
    let reason = Msg::new("fulfilment.target_lost");
    for piece in group {
        fulfilment::settle(tx, piece, Event::Cancel, Some(&reason), cx.now()).await?;
        let Some(line) = lines.iter().find(|l| l.id == piece.item) else {
            continue;
        };
        let Some(placement) = &line.placement else {
            continue;
        };
        let amounts = amounts(tx, line).await?;
        release(
            tx,
            cx,
            &head.id,
            &head.vdc,
            &piece.item,
            piece.piece,
            placement,
            &amounts,
        )
        .await?;
    }
    Ok(())
}

/// Begins the saga of one group.
async fn begin(
    tx: &mut Tx,
    cx: &Cx,
    head: &Head,
    lines: &[Line],
    pieces: &[Piece],
    group: &[Piece],
) -> Result<(), StorageError> {
    let mut plans: Vec<PiecePlan> = Vec::with_capacity(group.len());
    let mut place: Option<Placement> = None;
    for piece in group {
        let line = lines.iter().find(|l| l.id == piece.item).ok_or_else(|| {
            StorageError::inconsistent(
                "fulfilment",
                "request_item_id",
                piece.item.as_str(),
                "no such line",
            )
        })?;
        if place.is_none() {
            place.clone_from(&line.placement);
        }
        let attach = match machine::target(lines, line, piece.piece) {
            None => None,
            Some(target) => attach(tx, &plans, pieces, &target).await?,
        };
        plans.push(piece_plan(tx, cx, line, piece, attach).await?);
    }
    let site = match &place {
        None => None,
        Some(place) => Some(site(tx, cx, &head.vdc, place).await?),
    };
    let params = Params {
        request: head.id.clone(),
        unit: head.unit.clone(),
        unit_name: head.unit_name.clone(),
        vdc: head.vdc.clone(),
        system: head.system.clone().ok_or_else(|| {
            StorageError::inconsistent("request", "system_id", head.id.as_str(), "no system")
        })?,
        site,
        pieces: plans,
    };
    let saga = saga::start::<Build>(tx, cx, head.id.as_str(), &params).await?;
    for (piece, plan) in group.iter().zip(&params.pieces) {
        fulfilment::begin(tx, piece, &saga, &plan.resource, cx.now()).await?;
    }
    Ok(())
}

async fn attach(
    rx: &mut ReadTx,
    plans: &[PiecePlan],
    pieces: &[Piece],
    (item, number): &(RequestItemId, i64),
) -> Result<Option<Attach>, StorageError> {
    if let Some(index) = plans
        .iter()
        .position(|p| p.item == *item && p.piece == *number)
    {
        let resource = plans.get(index).map(|p| p.resource.clone());
        return Ok(resource.map(|resource| Attach::Here { index, resource }));
    }
    let built = pieces
        .iter()
        .find(|p| p.item == *item && p.piece == *number)
        .and_then(|p| p.resource.clone());
    let Some(resource) = built else {
        return Ok(None);
    };
    let external_id = resource::external_id(rx, &resource).await?;
    Ok(external_id.map(|external_id| Attach::Built {
        resource,
        external_id,
    }))
}

async fn piece_plan(
    rx: &mut ReadTx,
    cx: &Cx,
    line: &Line,
    piece: &Piece,
    attach: Option<Attach>,
) -> Result<PiecePlan, StorageError> {
    let content = content(rx, line).await?;
    let resource: ResourceId = cx.id();
    let hours = content.deliver_hours;
    Ok(PiecePlan {
        item: line.id.clone(),
        piece: piece.piece,
        resource,
        code: line.code.clone(),
        item_name: line.item_name.clone(),
        item_version: line.version.to_string(),
        kind: line.kind,
        name: piece_name(line, piece.piece),
        placement: line.placement.clone(),
        answers: line.answers.clone(),
        amounts: one_piece(line, &content),
        month: line.quote.each,
        price_version: line.price_version,
        term_months: line.term_months,
        attach,
        due_at: (line.kind == Fulfiller::People).then(|| cx.now().plus_minutes(hours * 60)),
        checklist: content.checklist,
    })
}

/// `web` for a single piece, `web-01`, `web-02` … for several.
fn piece_name(line: &Line, piece: i64) -> String {
    if line.count == 1 {
        line.name.clone()
    } else {
        format!("{}-{:02}", line.name, piece + 1)
    }
}

async fn content(rx: &mut ReadTx, line: &Line) -> Result<Content, StorageError> {
    item::content(rx, &line.version).await?.ok_or_else(|| {
        StorageError::inconsistent(
            "request_item",
            "item_version_id",
            line.id.as_str(),
            "no such version",
        )
    })
}

/// What one piece of a line takes from the quota, its month price included.
fn one_piece(line: &Line, content: &Content) -> Amounts {
    let mut amounts = content.consumption.amounts(&line.answers, 1);
    amounts.add(Dimension::MonthlyFee, line.quote.each.fen());
    amounts
}

async fn amounts(rx: &mut ReadTx, line: &Line) -> Result<Amounts, StorageError> {
    Ok(one_piece(line, &content(rx, line).await?))
}

/// Where a VDC's things stand: backend, pool and network.
pub(super) async fn site(
    tx: &mut Tx,
    cx: &Cx,
    vdc: &VdcId,
    place: &Placement,
) -> Result<Site, StorageError> {
    let pool = fulfilment::pool_site(tx, &place.pool).await?;
    let name = format!("vpc-{}", pool.backend_pool);
    let vpc = project::ensure_vpc(tx, cx.id(), vdc, &place.pool, &name, cx.now()).await?;
    let project_key = project::key(tx, vdc, &pool.backend).await?;
    Ok(Site {
        project_key,
        backend: pool.backend,
        pool: place.pool.clone(),
        backend_pool: pool.backend_pool,
        vpc: vpc.id,
        vpc_name: vpc.name,
        cidr: vpc.cidr,
        security_preset: access_rule::preset_name(place.level, pool.internet),
    })
}

/// The hold of a delivered piece becomes use.
///
/// # Errors
/// What the database says.
pub async fn take(
    tx: &mut Tx,
    cx: &Cx,
    request: &RequestId,
    vdc: &VdcId,
    plan: &PiecePlan,
) -> Result<(), StorageError> {
    let Some(place) = &plan.placement else {
        return Ok(());
    };
    quota::convert(
        tx,
        cx,
        &booking(
            "convert",
            request,
            vdc,
            &plan.item,
            plan.piece,
            place,
            &plan.amounts,
        ),
        &plan.resource,
    )
    .await
}

/// The hold of a failed piece is given back.
///
/// # Errors
/// What the database says.
pub async fn give_back(
    tx: &mut Tx,
    cx: &Cx,
    request: &RequestId,
    vdc: &VdcId,
    plan: &PiecePlan,
) -> Result<(), StorageError> {
    let Some(place) = &plan.placement else {
        return Ok(());
    };
    release(
        tx,
        cx,
        request,
        vdc,
        &plan.item,
        plan.piece,
        place,
        &plan.amounts,
    )
    .await
}

#[expect(
    clippy::too_many_arguments,
    reason = "a piece is named by all of these, with a plan and without one"
)]
async fn release(
    tx: &mut Tx,
    cx: &Cx,
    request: &RequestId,
    vdc: &VdcId,
    item: &RequestItemId,
    piece: i64,
    place: &Placement,
    amounts: &Amounts,
) -> Result<(), StorageError> {
    quota::release_part(
        tx,
        cx,
        &booking("release", request, vdc, item, piece, place, amounts),
    )
    .await
}

fn booking(
    what: &str,
    request: &RequestId,
    vdc: &VdcId,
    item: &RequestItemId,
    piece: i64,
    place: &Placement,
    amounts: &Amounts,
) -> quota::Booking {
    quota::Booking {
        operation: format!("{what}:{item}:{piece}"),
        vdc: vdc.clone(),
        request: Some(request.clone()),
        demand: [(place.pool.clone(), amounts.clone())].into(),
    }
}

/// Ends a request whose pieces are all settled.
async fn settle(tx: &mut Tx, cx: &Cx, head: &Head, outcome: Outcome) -> Result<(), StorageError> {
    fulfilment::settle_request(tx, head, outcome, cx.now()).await?;
    let failed = matches!(outcome, Outcome::Failed);
    let key = if failed {
        "notice.request_failed"
    } else {
        "notice.request_delivered"
    };
    let msg = Msg::new(key)
        .with("number", head.number.clone())
        .with("outcome", Msg::new(format!("request.outcome.{outcome}")));
    history::add(
        tx,
        cx,
        &head.id,
        &Msg::new(format!("request.history.settled.{outcome}")),
    )
    .await?;
    crate::service::notice::send(
        tx,
        cx,
        &head.applicant,
        &msg,
        &format!("/requests/{}", head.id),
    )
    .await?;
    crate::storage::change::touch(tx, cx, &format!("request:{}", head.id)).await?;
    crate::audit::record(
        tx,
        cx,
        crate::audit::Event::new("request.settle", "request", &head.id)
            .of_unit(&head.unit)
            .detail(serde_json::json!({ "outcome": outcome })),
    )
    .await
}
