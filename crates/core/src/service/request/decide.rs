//! Deciding on a step: approve, reject, return.

use lingbao_model::{
    id::StepId,
    msg::{Arg, Msg},
    request::{
        Consequence, Decision, Event, SUPPLEMENT_DAYS, Status, StepState, StepStatus,
        decide as machine,
    },
    view::request::{Changed, DecideAnswer, Decided},
};
use serde_json::json;

use super::{advance, approved, link, route, sight, snapshot, touch, void_steps};
use crate::{
    app::Cx,
    audit::{self, Event as AuditEvent},
    authz::Access,
    error::{OrNotFound, ServiceError},
    service::{notice, refusal::traced},
    storage::{
        ReadTx, Tx, calendar, history, quota,
        request::{self as requests, Request},
        step::{self, Sight, Step},
        todo,
    },
};

/// So often a decision is tried again when another step of the same request was decided at the
/// same moment.
const TRIES: usize = 4;

/// Decides on an open step. `digest` is that of the card on which the decision was made: if the
/// request is another by now, the answer is the difference and nothing is decided.
///
/// # Errors
/// [`ServiceError::NotFound`] for a step out of sight, [`ServiceError::Forbidden`] for a step that
/// is somebody else's or about one's own request, [`ServiceError::Invalid`] on `opinion`,
/// [`ServiceError::Conflict`] that names who decided and when.
pub async fn decide(
    cx: &Cx,
    id: &StepId,
    decision: Decision,
    opinion: &str,
    digest: &str,
) -> Result<DecideAnswer, ServiceError> {
    let mut result = decide_once(cx, id, decision, opinion, digest).await;
    for _ in 1..TRIES {
        match &result {
            // Somebody else's commit came between: what it was is read anew.
            Err(ServiceError::Conflict(msg)) if msg.key == "error.stale" => {
                result = decide_once(cx, id, decision, opinion, digest).await;
            }
            _ => break,
        }
    }
    traced(cx, result, || {
        AuditEvent::new(format!("request.{decision}"), "step", id)
    })
    .await
}

async fn decide_once(
    cx: &Cx,
    id: &StepId,
    decision: Decision,
    opinion: &str,
    digest: &str,
) -> Result<DecideAnswer, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let sight = sight(&access);
    let step = step::get(&mut tx, &sight, id).await?.or_not_found()?;
    let mut request = load(&mut tx, &sight, &step).await?;
    authorize(&mut tx, &access, &step, &request).await?;
    let opinion = decision
        .check_opinion(opinion)
        .map_err(|e| ServiceError::Invalid(vec![e]))?;
    let mut steps = step::of_request(&mut tx, &request.id).await?;
    steps.retain(|s| s.round == step.round);
    let states: Vec<StepState> = steps.iter().map(Step::state).collect();
    let consequence = match machine(&states, id, decision) {
        Ok(consequence) if request.status == Status::InApproval => consequence,
        Ok(_) => {
            let event = decision.as_str();
            let from = request.status.as_str();
            let wrong = lingbao_model::request::InvalidTransition { from, event };
            return Err(ServiceError::Conflict(wrong.msg()));
        }
        Err(wrong) => {
            // Not the step as it was read first: whoever decided may have done so since.
            let now = steps.iter().find(|s| s.id == *id);
            return Err(now
                .and_then(taken)
                .unwrap_or(ServiceError::Conflict(wrong.msg())));
        }
    };
    if digest != request.digest {
        return changed(&mut tx, &request, &step, digest).await;
    }

    act(&mut tx, cx, &access, &mut steps, id, decision, &opinion).await?;
    let said = Msg::new(format!("request.history.{}", past(decision)))
        .with("step", step.name.clone())
        .with("opinion", opinion.clone());
    history::add(&mut tx, cx, &request.id, &said).await?;
    follow(
        &mut tx,
        cx,
        &mut request,
        &mut steps,
        &step,
        consequence,
        &opinion,
    )
    .await?;
    touch(&mut tx, cx, &request).await?;
    crate::storage::change::touch(&mut tx, cx, &notice::topic(&access.user)).await?;
    let event = AuditEvent::new(format!("request.{decision}"), "request", &request.id)
        .of_unit(&request.unit)
        .detail(json!({
            "number": request.number, "step": id, "role": step.role, "opinion": opinion,
            "digest": digest, "status": request.status,
        }));
    audit::record(&mut tx, cx, event).await?;
    let queue = todo::queue(&mut tx, &sight, &access.user).await?;
    tx.commit().await?;
    Ok(DecideAnswer::Decided(Decided {
        request: request.id,
        number: request.number.unwrap_or_default(),
        status: request.status,
        decision,
        next: queue.into_iter().next(),
    }))
}

pub(super) async fn load(
    rx: &mut ReadTx,
    sight: &Sight,
    step: &Step,
) -> Result<Request, ServiceError> {
    requests::get(rx, sight, &step.request)
        .await?
        .or_not_found()
}

/// Whether the caller may decide on a step: a role that reaches its unit, and never the applicant,
/// whatever they became since.
pub(super) async fn authorize(
    rx: &mut ReadTx,
    access: &Access,
    step: &Step,
    request: &Request,
) -> Result<(), ServiceError> {
    let reaches = access.holds_on(rx, step.role, &step.unit).await?;
    if reaches && request.applicant != access.user {
        Ok(())
    } else {
        Err(ServiceError::Forbidden)
    }
}

/// Who decided, in which way and when.
fn taken(step: &Step) -> Option<ServiceError> {
    let (decision, at) = (step.decision?, step.acted_at?);
    let who: Arg = step.acted_name.clone().unwrap_or_default().into();
    Some(ServiceError::Conflict(
        Msg::new("approval.taken")
            .with("who", who)
            .with("when", at)
            .with("decision", Msg::new(format!("request.event.{decision}"))),
    ))
}

async fn changed(
    tx: &mut Tx,
    request: &Request,
    step: &Step,
    digest: &str,
) -> Result<DecideAnswer, ServiceError> {
    let now = requests::last_snapshot(tx, request).await?;
    let shown = requests::snapshot_of_digest(tx, request, digest).await?;
    let differences = match (shown, now) {
        (Some(shown), Some(now)) => {
            let shown = snapshot::read(request, &shown)?.shown;
            let now = snapshot::read(request, &now)?.shown;
            snapshot::differences(&shown, &now)
        }
        // The card was never one of this request: it must be looked at anew, whatever it says.
        _ => Vec::new(),
    };
    Ok(DecideAnswer::Changed(Changed {
        step: step.id.clone(),
        differences,
    }))
}

async fn act(
    tx: &mut Tx,
    cx: &Cx,
    access: &Access,
    steps: &mut [Step],
    id: &StepId,
    decision: Decision,
    opinion: &str,
) -> Result<(), ServiceError> {
    for step in steps.iter_mut().filter(|s| s.id == *id) {
        step.status = match decision {
            Decision::Approve => StepStatus::Approved,
            Decision::Reject => StepStatus::Rejected,
            Decision::Return => StepStatus::Returned,
        };
        step.acted_by = Some(access.user.clone());
        step.acted_at = Some(cx.now());
        step.decision = Some(decision);
        opinion.clone_into(&mut step.opinion);
        step::save(tx, step).await?;
        // The other deciders need not look any more.
        notice::settle(tx, cx, &[link::card(&step.id)]).await?;
    }
    Ok(())
}

/// What a decision brings about. Saves the request in each case, so that of two decisions on one
/// request at one moment the second reads what the first did.
async fn follow(
    tx: &mut Tx,
    cx: &Cx,
    request: &mut Request,
    steps: &mut [Step],
    step: &Step,
    consequence: Consequence,
    opinion: &str,
) -> Result<(), ServiceError> {
    match consequence {
        Consequence::StageGoesOn => requests::save(tx, request).await?,
        Consequence::NextStage(stage) => {
            let calendar = calendar::load(tx).await?;
            route::open_stage(tx, cx, request, &calendar, steps, stage).await?;
            requests::save(tx, request).await?;
        }
        Consequence::Approved => {
            let lines = requests::lines(tx, &request.id).await?;
            approved::approve(tx, cx, request, &lines, false).await?;
        }
        Consequence::Rejected => {
            advance(request, Event::Reject)?;
            request.closed_at = Some(cx.now());
            request.stage = None;
            request.due_at = None;
            let operation = format!("reject:{}", request.id);
            quota::release_all(tx, cx, &request.id, &operation).await?;
            void_steps(tx, cx, steps).await?;
            requests::save(tx, request).await?;
            tell(tx, cx, request, "notice.rejected", opinion).await?;
        }
        Consequence::Returned => {
            advance(request, Event::Return)?;
            let calendar = calendar::load(tx).await?;
            request.return_stage = Some(step.stage);
            // The others of the stage are not asked until it comes back.
            let beside = steps.iter().filter(|s| s.status == StepStatus::Open);
            let asked: Vec<String> = beside.map(|s| link::card(&s.id)).collect();
            notice::settle(tx, cx, &asked).await?;
            request.stage = None;
            request.due_at = Some(calendar.due(cx.now(), SUPPLEMENT_DAYS));
            requests::save(tx, request).await?;
            tell(tx, cx, request, "notice.returned", opinion).await?;
        }
    }
    Ok(())
}

async fn tell(
    tx: &mut Tx,
    cx: &Cx,
    request: &Request,
    key: &'static str,
    opinion: &str,
) -> Result<(), ServiceError> {
    let msg = Msg::new(key)
        .with("number", request.number.clone().unwrap_or_default())
        .with("title", request.title.clone())
        .with("reason", opinion);
    let to = link::request(&request.id);
    Ok(notice::send(tx, cx, &request.applicant, &msg, &to).await?)
}

fn past(decision: Decision) -> &'static str {
    match decision {
        Decision::Approve => "agreed",
        Decision::Reject => "rejected",
        Decision::Return => "returned",
    }
}
