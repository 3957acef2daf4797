//! Submitting again after a return.
//!
//! The rule: it goes straight to the stage that gave it back if the policy is the same, the facts
//! lead to the same route (or to none: whoever asked for a supplement is asked again) and neither
//! the month price nor the one-off price is higher than what the stages before agreed to.
//! Otherwise a new round begins at the first stage.

use lingbao_model::{
    id::RequestId,
    msg::Msg,
    policy::Route,
    request::{Event, Kind, Line, Status, StepStatus},
    view::request::{HeadForm, Submitted},
};
use serde_json::json;

use super::{
    advance, expect_version,
    judge::{self, Judged},
    own, route, snapshot,
    submit::{ANEW, answer, hold, keep_refused, moved, send_on, sent_before, snapshot_of},
    touch, void_steps,
};
use crate::{
    app::Cx,
    audit::{self, Event as AuditEvent},
    authz::Access,
    error::ServiceError,
    service::{cart, refusal::traced},
    storage::{
        Tx, calendar, history, quota,
        request::{self as requests, Request},
        step::{self, Step},
    },
};

/// Submits a returned request again, with the head as it was typed, or as it was saved.
///
/// # Errors
/// As [`submit`](super::submit::submit).
pub async fn resubmit(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    head: Option<&HeadForm>,
    form: &str,
) -> Result<Submitted, ServiceError> {
    let mut result = resubmit_once(cx, id, version, head, form).await;
    for _ in 0..ANEW {
        if moved(&result) {
            result = resubmit_once(cx, id, version, head, form).await;
        }
    }
    keep_refused(cx, id, version, head, &result).await;
    traced(cx, result, || {
        AuditEvent::new("request.resubmit", "request", id)
    })
    .await
}

async fn resubmit_once(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    head: Option<&HeadForm>,
    form: &str,
) -> Result<Submitted, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    if let Some(answer) = sent_before(&mut tx, cx, &access, id, form).await? {
        return Ok(answer);
    }
    let mut request = own(&mut tx, &access, id).await?;
    match request.kind {
        Kind::New => {}
        Kind::Release => return Err(ServiceError::Conflict(Msg::new("release.is_one"))),
        Kind::Change => return Err(ServiceError::Conflict(Msg::new("change.is_one"))),
        Kind::Import => return Err(ServiceError::Conflict(Msg::new("import.is_one"))),
    }
    if request.status != Status::Returned {
        advance(&mut request, Event::Resubmit)?;
    }
    expect_version(&request, version)?;
    if let Some(head) = head {
        cart::set_head(&mut tx, &access, &mut request, head).await?;
    }
    let before = agreed(&mut tx, &request).await?;
    request.revision += 1;
    // The hold is given back and taken anew in one transaction: what is booked is the difference.
    let operation = format!("rehold:{}:{}", request.id, request.revision);
    quota::release_all(&mut tx, cx, &request.id, &operation).await?;
    let judged = judge::judge(&mut tx, &request).await?;
    judged.require(&request)?;

    let straight = goes_straight(&request, &judged, before);
    advance(&mut request, Event::Resubmit)?;
    hold(&mut tx, cx, &request, &judged).await?;
    let snapshot = snapshot_of(&mut tx, &mut request, &judged).await?;
    snapshot::keep(&mut tx, cx, &mut request, &snapshot).await?;
    if straight {
        back_to_stage(&mut tx, cx, &mut request).await?;
    } else {
        let (has_upper, route) = (judged.ground.around.has_upper, &judged.verdict.route);
        new_round(&mut tx, cx, &mut request, has_upper, route, &judged.lines).await?;
    }
    requests::index(&mut tx, &request, &snapshot.shown.system_name).await?;
    touch(&mut tx, cx, &request).await?;
    let event = AuditEvent::new("request.resubmit", "request", &request.id)
        .of_unit(&request.unit)
        .detail(
            json!({ "revision": request.revision, "digest": request.digest, "straight": straight }),
        );
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(answer(&request, false))
}

/// Month and one-off price that the stages before agreed to.
async fn agreed(
    tx: &mut Tx,
    request: &Request,
) -> Result<(lingbao_model::money::Money, lingbao_model::money::Money), ServiceError> {
    match requests::last_snapshot(tx, request).await? {
        None => Ok((request.month, request.once)),
        Some(text) => {
            let shown = snapshot::read(request, &text)?.shown;
            Ok((shown.month, shown.once))
        }
    }
}

fn goes_straight(
    request: &Request,
    judged: &Judged,
    (month, once): (lingbao_model::money::Money, lingbao_model::money::Money),
) -> bool {
    let route = &judged.verdict.route;
    let same_route = request
        .facts
        .as_ref()
        .is_some_and(|facts| judged.ground.around.policy.route(facts) == *route);
    request.return_stage.is_some()
        && request.policy.as_ref() == Some(&judged.ground.policy)
        && (same_route || route.is_automatic())
        && judged.verdict.month <= month
        && judged.verdict.once <= once
}

/// Notes in the history how it goes on, and reads the steps of the round in which it was given back.
async fn returned(
    tx: &mut Tx,
    cx: &Cx,
    request: &Request,
    key: &'static str,
) -> Result<Vec<Step>, ServiceError> {
    let said = Msg::new(key).with("cost", request.cost());
    history::add(tx, cx, &request.id, &said).await?;
    let mut steps = step::of_request(tx, &request.id).await?;
    let round = steps.iter().map(|s| s.round).max().unwrap_or(0);
    steps.retain(|s| s.round == round);
    Ok(steps)
}

/// Whoever gave it back gets a fresh step; the others of the stage, who had not decided, go on
/// with fresh terms.
pub(super) async fn back_to_stage(
    tx: &mut Tx,
    cx: &Cx,
    request: &mut Request,
) -> Result<(), ServiceError> {
    let steps = returned(tx, cx, request, "request.history.resubmitted").await?;
    let stage = request.return_stage.take().unwrap_or(0);
    let mut again: Vec<Step> = Vec::new();
    for old in steps {
        if old.stage == stage && old.status == StepStatus::Returned {
            let fresh = Step {
                id: cx.id(),
                status: StepStatus::Planned,
                opened_at: None,
                due_at: None,
                seen_at: None,
                acted_by: None,
                acted_name: None,
                acted_at: None,
                decision: None,
                opinion: String::new(),
                version: 1,
                ..old
            };
            step::insert(tx, &fresh).await?;
            again.push(fresh);
        } else {
            again.push(old);
        }
    }
    let calendar = calendar::load(tx).await?;
    route::open_stage(tx, cx, request, &calendar, &mut again, stage).await?;
    Ok(requests::save(tx, request).await?)
}

/// Everybody is asked anew, from the first stage on; those who had not decided need no longer.
pub(super) async fn new_round(
    tx: &mut Tx,
    cx: &Cx,
    request: &mut Request,
    has_upper: bool,
    route: &Route,
    lines: &[Line],
) -> Result<(), ServiceError> {
    let mut steps = returned(tx, cx, request, "request.history.resubmitted_anew").await?;
    void_steps(tx, cx, &mut steps).await?;
    request.return_stage = None;
    send_on(tx, cx, request, has_upper, route, lines).await?;
    Ok(())
}
