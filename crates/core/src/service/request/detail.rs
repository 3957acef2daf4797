//! One request with everything that is known of it.

use lingbao_model::{
    calendar::Calendar,
    fulfilment::Status as PieceStatus,
    id::{PoolId, RequestId},
    msg::Label,
    request::{Kind, Status, StepState, StepStatus, may_withdraw},
    time::Timestamp,
    view::request::{
        Act, DetailLine, OpinionView, PieceView, ReleaseLine, RequestDetail, StepView,
    },
};

use super::{decide, release, sight, snapshot};
use crate::{
    app::Cx,
    authz::{Ability, Access, Scope},
    error::{OrNotFound, ServiceError, StorageError},
    storage::{
        ReadTx, calendar, erasure, fulfilment, history, place,
        request::{self as requests, Request},
        request_list, resource,
        step::{self, Step},
        system, unit as units, user as users,
    },
};

/// The request that an address names: by its number, as people do, or by its identifier.
///
/// # Errors
/// [`ServiceError::NotFound`], the same for what is unknown and for what is out of sight.
pub async fn find(cx: &Cx, key: &str) -> Result<RequestId, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let id = match key.parse() {
        Ok(id) => id,
        Err(_) => requests::by_number(&mut rx, key).await?.or_not_found()?,
    };
    requests::get(&mut rx, &sight(&access), &id)
        .await?
        .or_not_found()?;
    Ok(id)
}

/// One request in the caller's sight; drafts are in the cart.
///
/// # Errors
/// [`ServiceError::NotFound`].
pub async fn detail(cx: &Cx, id: &RequestId) -> Result<RequestDetail, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let sight = sight(&access);
    let request = requests::get(&mut rx, &sight, id).await?.or_not_found()?;
    let calendar = calendar::load(&mut rx).await?;
    let row = request_list::row(&mut rx, &sight, id, &calendar, cx.now())
        .await?
        .or_not_found()?;
    let snapshot = match requests::last_snapshot(&mut rx, &request).await? {
        Some(text) => Some(snapshot::read(&request, &text)?),
        None => None,
    };
    let steps = step::of_request(&mut rx, id).await?;
    let my_step = my_step(&mut rx, &access, &request, &steps).await?;
    let verdict = snapshot.as_ref().and_then(|s| s.verdict.clone());
    let lines = lines(&mut rx, &request, snapshot.as_ref()).await?;
    let delivered = lines
        .iter()
        .flat_map(|line| &line.pieces)
        .any(|piece| piece.status == PieceStatus::Delivered);
    Ok(RequestDetail {
        may: acts(
            &mut rx,
            &access,
            &request,
            &steps,
            my_step.is_some(),
            delivered,
        )
        .await?,
        my_step,
        unit_full_name: units::name(&mut rx, &request.unit)
            .await?
            .unwrap_or_default(),
        system: system::of_request(&mut rx, &request).await?,
        applicant_phone: users::phone(&mut rx, &request.applicant).await?,
        lines,
        releases: releases(&mut rx, cx, &request).await?,
        keep_days: snapshot.as_ref().and_then(|s| s.shown.keep_days),
        change: snapshot.and_then(|s| s.shown.change),
        steps: step_views(&mut rx, &request, steps, &calendar, cx.now()).await?,
        history: history::of_request(&mut rx, id).await?,
        pools: match &verdict {
            Some(v) => pool_names(&mut rx, v.changes.iter().map(|c| &c.pool)).await?,
            None => Vec::new(),
        },
        verdict,
        row,
        version: request.version,
        applicant: request.applicant,
        reason: request.reason,
        with_quota_change: request.with_quota_change,
        revision: request.revision,
        digest: request.digest,
        approved_at: request.approved_at,
        settled_at: request.settled_at,
        closed_at: request.closed_at,
    })
}

/// The open step on which the caller may decide.
async fn my_step(
    rx: &mut ReadTx,
    access: &Access,
    request: &Request,
    steps: &[Step],
) -> Result<Option<lingbao_model::id::StepId>, ServiceError> {
    if request.status != Status::InApproval {
        return Ok(None);
    }
    for step in steps.iter().filter(|s| s.status == StepStatus::Open) {
        match decide::authorize(rx, access, step, request).await {
            Ok(()) => return Ok(Some(step.id.clone())),
            Err(ServiceError::Forbidden) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(None)
}

async fn acts(
    rx: &mut ReadTx,
    access: &Access,
    request: &Request,
    steps: &[Step],
    decides: bool,
    delivered: bool,
) -> Result<Vec<Act>, ServiceError> {
    let orders = match access.require_on(rx, Ability::Order, &request.unit).await {
        Ok(()) => true,
        Err(ServiceError::Forbidden) => false,
        Err(other) => return Err(other),
    };
    let mine = orders && request.applicant == access.user;
    let states: Vec<StepState> = steps.iter().map(Step::state).collect();
    let all = [
        (Act::Decide, decides),
        (Act::Withdraw, mine && may_withdraw(request.status, &states)),
        (Act::Supplement, mine && request.status == Status::Returned),
        (Act::Confirm, mine && request.status == Status::Delivered),
        (Act::Copy, orders && request.kind == Kind::New),
        (Act::Delivery, delivered),
    ];
    Ok(all
        .into_iter()
        .filter_map(|(act, may)| may.then_some(act))
        .collect())
}

/// The lines as they were submitted, with their pieces.
async fn lines(
    rx: &mut ReadTx,
    request: &Request,
    snapshot: Option<&snapshot::Snapshot>,
) -> Result<Vec<DetailLine>, StorageError> {
    let pieces = fulfilment::of_request(rx, &request.id).await?;
    let shown = snapshot
        .map(|s| s.shown.lines.as_slice())
        .unwrap_or_default();
    Ok(shown
        .iter()
        .map(|line| DetailLine {
            pieces: pieces
                .iter()
                .filter(|p| p.item == line.view.line.id)
                .map(|p| PieceView {
                    piece: p.piece,
                    status: p.status,
                    resource: p.resource.clone(),
                    reason: p.reason.clone(),
                    started_at: p.started_at,
                    settled_at: p.settled_at,
                })
                .collect(),
            view: line.view.clone(),
        })
        .collect())
}

/// What a release gives back, as it is now. Whoever sees the request sees these.
pub(super) async fn releases(
    rx: &mut ReadTx,
    cx: &Cx,
    request: &Request,
) -> Result<Vec<ReleaseLine>, ServiceError> {
    if request.kind != Kind::Release {
        return Ok(Vec::new());
    }
    let scope = Scope::system(&cx.acting_as(crate::app::Actor::System))?;
    let mut numbers = erasure::numbers(rx, &request.id).await?;
    let ids = requests::releases(rx, &request.id).await?;
    let resources = resource::of_ids(rx, &scope, &ids).await?;
    let lines = ids.iter().filter_map(|id| {
        let mut line = release::line(resources.get(id)?);
        line.certificate = numbers.remove(id.as_str());
        Some(line)
    });
    Ok(lines.collect())
}

/// The opinion of a step that was decided.
pub(in crate::service) fn opinion(step: &Step) -> Option<OpinionView> {
    Some(OpinionView {
        by: step.acted_by.clone()?,
        by_name: step.acted_name.clone().unwrap_or_default(),
        at: step.acted_at?,
        decision: step.decision?,
        text: step.opinion.clone(),
    })
}

async fn step_views(
    rx: &mut ReadTx,
    request: &Request,
    steps: Vec<Step>,
    calendar: &Calendar,
    now: Timestamp,
) -> Result<Vec<StepView>, StorageError> {
    let mut views = Vec::with_capacity(steps.len());
    for step in steps {
        let waits = matches!(step.status, StepStatus::Open | StepStatus::Planned);
        let people = if waits {
            step::deciders(rx, step.role, &step.unit, &request.applicant).await?
        } else {
            Vec::new()
        };
        let ticks = step.status == StepStatus::Open && request.status == Status::InApproval;
        views.push(StepView {
            lamp: step
                .due_at
                .filter(|_| ticks)
                .map(|due| calendar.lamp(now, due)),
            opinion: opinion(&step),
            people: people.into_iter().take(5).map(|(_, name)| name).collect(),
            id: step.id,
            round: step.round,
            stage: step.stage,
            name: step.name,
            role: step.role,
            unit_name: step.unit_name,
            status: step.status,
            opened_at: step.opened_at,
            due_at: step.due_at,
            seen_at: step.seen_at,
        });
    }
    Ok(views)
}

/// Names of some pools.
pub(super) async fn pool_names<'a>(
    rx: &mut ReadTx,
    pools: impl Iterator<Item = &'a PoolId>,
) -> Result<Vec<(PoolId, Label)>, StorageError> {
    let wanted: std::collections::BTreeSet<&PoolId> = pools.collect();
    Ok(place::pools(rx)
        .await?
        .into_iter()
        .filter(|p| wanted.contains(&p.id))
        .map(|p| (p.id, p.name))
        .collect())
}
