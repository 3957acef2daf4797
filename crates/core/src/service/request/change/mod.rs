//! Changing a resource: a request of its own kind, submitted at once.
//!
//! ```text
//! form(cx, &ResourceId, What, supplement: Option<&RequestId>) -> ChangeView
//! try_it(cx, &ResourceId, &ChangeForm, supplement) -> TriedChange      nothing is written
//! create(cx, &ResourceId, &ChangeForm, form_id) -> Submitted
//! resubmit(cx, &RequestId, version, &ChangeForm, form_id) -> Submitted
//! ```
//!
//! What is held is only what the change takes beyond what the resource has. Only one request at a
//! time may be about to change a resource or to give it back: all of them lock its row first.

pub mod restore;
pub mod think;

#[cfg(test)]
mod tests;

use lingbao_model::{
    change::What,
    id::{RequestId, ResourceId},
    msg::Msg,
    param::Typed,
    request::{Event, Kind, StepStatus},
    text,
    view::request::{ChangeForm, ChangeView, Submitted, TriedChange},
};
use serde_json::json;

use self::think::{Thought, free, in_the_way, think};
use super::{
    advance, detail, expect_version, own, person_name,
    resubmit::{back_to_stage, new_round},
    snapshot::{self, Shown, Snapshot},
    submit::{answer, send_on, sent_before, take_number},
    touch,
};
use crate::{
    app::Cx,
    audit::{self, Event as AuditEvent},
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    service::refusal::traced,
    storage::{
        ReadTx, Tx, history, item, quota,
        request::{self as requests, Request},
        request_change,
        resource::{self, Resource},
        resource_action, step, system, unit as units,
    },
};

/// Months that a renewal proposes.
const PROPOSED_MONTHS: &str = "12";

/// A resource that the caller sees and whose applicant the caller is.
async fn orderable(
    rx: &mut ReadTx,
    access: &Access,
    id: &ResourceId,
) -> Result<Resource, ServiceError> {
    let scope = access.scope(Ability::ReadResources);
    let found = resource::get(rx, &scope, id).await?.or_not_found()?;
    access.require_on(rx, Ability::Order, &found.unit).await?;
    Ok(found)
}

/// The returned change of the caller's own that is supplemented.
async fn supplemented(
    rx: &mut ReadTx,
    access: &Access,
    resource: &ResourceId,
    id: &RequestId,
) -> Result<(Request, What, Typed), ServiceError> {
    let request = own(rx, access, id).await?;
    let (of, plan) = request_change::get(rx, id).await?.or_not_found()?;
    if of != *resource {
        return Err(ServiceError::NotFound);
    }
    // Only what was returned can be submitted again.
    advance(&mut request.clone(), Event::Resubmit)?;
    let mut typed: Typed = Typed::new();
    if let Some(disk) = &plan.disk {
        typed.insert(disk.copy.field().into(), disk.copy.as_str().to_owned());
        typed.insert("name".into(), disk.name.clone());
        return Ok((request, plan.what, typed));
    }
    for (key, answer) in &plan.will.answers.0 {
        typed.insert(key.clone(), answer.typed());
    }
    typed.insert("months".into(), plan.months.to_string());
    Ok((request, plan.what, typed))
}

/// The form that changes a resource, with what would become of what stands in it.
///
/// # Errors
/// [`ServiceError::NotFound`] out of sight, [`ServiceError::Forbidden`] for whoever orders nothing
/// for its unit. What keeps it from being changed now stands among the blocks of the verdict.
pub async fn form(
    cx: &Cx,
    id: &ResourceId,
    what: What,
    supplement: Option<&RequestId>,
) -> Result<ChangeView, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let found = orderable(&mut rx, &access, id).await?;
    let again = match supplement {
        Some(request) => Some(supplemented(&mut rx, &access, id, request).await?),
        None => None,
    };
    let what = again.as_ref().map_or(what, |(_, what, _)| *what);
    if !what.fits(found.kind) {
        return Err(ServiceError::NotFound);
    }
    let in_the_way = in_the_way(&mut rx, &found, what, supplement).await?;
    let keys = what.keys(found.kind);
    let (request, typed) = match again {
        Some((request, _, typed)) => (Some(request), typed),
        None => {
            let now = |key: &&&str| Some(((**key).to_owned(), found.answers.0.get(**key)?.typed()));
            let mut typed: Typed = keys.iter().filter_map(|key| now(&key)).collect();
            typed.insert("months".into(), PROPOSED_MONTHS.into());
            (None, typed)
        }
    };
    let asked = match &request {
        Some(request) => {
            let steps = step::of_request(&mut rx, &request.id).await?;
            let returned = steps.iter().filter(|s| s.status == StepStatus::Returned);
            returned
                .max_by_key(|s| s.acted_at)
                .and_then(detail::opinion)
        }
        None => None,
    };
    let facts = item::content(&mut rx, &found.item_version)
        .await?
        .map(|c| c.schema.facts(&found.answers))
        .unwrap_or_default();
    let offer = item::offer(&mut rx, &found.code).await?;
    let params = offer.map(|o| o.content.schema.0).unwrap_or_default();
    let thought = think(&mut rx, cx, found, (what, &typed), request.as_ref()).await?;
    let of = thought.resource.clone();
    let mut tried = thought.tried(&mut rx, &access.user).await?;
    tried.verdict.blocks.extend(in_the_way);
    Ok(ChangeView {
        resource: of.id,
        name: of.name,
        kind: of.kind,
        item_name: of.item_name,
        facts,
        what,
        params: params
            .into_iter()
            .filter(|p| keys.contains(&p.key.as_str()))
            .collect(),
        form: ChangeForm {
            what,
            typed,
            reason: request
                .as_ref()
                .map(|r| r.reason.clone())
                .unwrap_or_default(),
        },
        tried,
        version: request.as_ref().map_or(0, |r| r.version),
        request: request.map(|r| r.id),
        asked,
    })
}

/// What would become of a change; nothing is written.
///
/// # Errors
/// As [`form`].
pub async fn try_it(
    cx: &Cx,
    id: &ResourceId,
    form: &ChangeForm,
    supplement: Option<&RequestId>,
) -> Result<TriedChange, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let found = orderable(&mut rx, &access, id).await?;
    let request = match supplement {
        Some(request) => Some(supplemented(&mut rx, &access, id, request).await?.0),
        None => None,
    };
    let in_the_way = in_the_way(&mut rx, &found, form.what, supplement).await?;
    let typed = (form.what, &form.typed);
    let thought = think(&mut rx, cx, found, typed, request.as_ref()).await?;
    let mut tried = thought.tried(&mut rx, &access.user).await?;
    tried.verdict.blocks.extend(in_the_way);
    Ok(tried)
}

/// Asks for a change. Where the policy wants nobody's consent it begins at once.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Invalid`] by field of the
/// form, [`ServiceError::QuotaExceeded`] with
/// [`OverQuota`](lingbao_model::view::request::OverQuota), [`ServiceError::Conflict`] for a resource
/// that is busy, is being given back, or waits for another change.
pub async fn create(
    cx: &Cx,
    id: &ResourceId,
    form: &ChangeForm,
    form_id: &str,
) -> Result<Submitted, ServiceError> {
    let result = create_once(cx, id, form, form_id).await;
    traced(cx, result, || {
        AuditEvent::new("request.change", "resource", id)
    })
    .await
}

async fn create_once(
    cx: &Cx,
    id: &ResourceId,
    form: &ChangeForm,
    form_id: &str,
) -> Result<Submitted, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let new: RequestId = cx.id();
    if let Some(answer) = sent_before(&mut tx, cx, &access, &new, form_id).await? {
        return Ok(answer);
    }
    let (thought, reason) = ready(&mut tx, cx, &access, id, form, None).await?;
    let mut request = blank(cx, &access, new, &thought.resource, reason);
    requests::insert(&mut tx, &request).await?;
    request_change::put(&mut tx, &request.id, id, &thought.plan).await?;
    advance(&mut request, Event::Submit)?;
    request.revision = 1;
    hold(&mut tx, cx, &request, &thought).await?;
    take_number(&mut tx, cx, &mut request).await?;
    request.submitted_at = Some(cx.now());
    let snapshot = snapshot_of(&mut tx, &mut request, &thought).await?;
    snapshot::keep(&mut tx, cx, &mut request, &snapshot).await?;
    let said = format!("request.history.change_submitted.{}", form.what);
    let said = Msg::new(said).with("cost", request.cost());
    history::add(&mut tx, cx, &request.id, &said).await?;
    let (has_upper, route) = (thought.ground.around.has_upper, &thought.verdict.route);
    let automatic = send_on(&mut tx, cx, &mut request, has_upper, route, &[]).await?;
    requests::index(&mut tx, &request, &snapshot.shown.system_name).await?;
    touch(&mut tx, cx, &request).await?;
    let event = AuditEvent::new("request.change", "request", &request.id)
        .of_unit(&request.unit)
        .detail(json!({
            "number": request.number, "resource": id, "what": form.what, "digest": request.digest,
            "month_before": thought.plan.was.month, "month_after": thought.plan.will.month,
            "automatic": automatic,
        }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(answer(&request, false))
}

/// Everything that must hold before a change is written down, first and after a return: seen,
/// allowed, free, readable, within the quota. The resource's row is locked from here to the commit.
async fn ready(
    tx: &mut Tx,
    cx: &Cx,
    access: &Access,
    id: &ResourceId,
    form: &ChangeForm,
    own: Option<&RequestId>,
) -> Result<(Thought, String), ServiceError> {
    orderable(tx, access, id).await?;
    resource_action::lock(tx, id).await?;
    let found = orderable(tx, access, id).await?;
    free(tx, &found, form.what, own).await?;
    let reason = text::paragraph("reason", &form.reason, 2, usize::from(text::REASON_MAX));
    let mut thought = think(tx, cx, found, (form.what, &form.typed), None).await?;
    let reason = reason.unwrap_or_else(|error| {
        thought.errors.push(error);
        String::new()
    });
    thought.require()?;
    restore::same_price(&form.typed, &thought.plan)?;
    Ok((thought, reason))
}

/// Submits a returned change again, with other sizes or the same. It goes straight to the stage that
/// gave it back if it costs and lasts no more than the stages before agreed to.
///
/// # Errors
/// As [`create`].
pub async fn resubmit(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    form: &ChangeForm,
    form_id: &str,
) -> Result<Submitted, ServiceError> {
    let result = resubmit_once(cx, id, version, form, form_id).await;
    traced(cx, result, || {
        AuditEvent::new("request.resubmit", "request", id)
    })
    .await
}

async fn resubmit_once(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    form: &ChangeForm,
    form_id: &str,
) -> Result<Submitted, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    if let Some(answer) = sent_before(&mut tx, cx, &access, id, form_id).await? {
        return Ok(answer);
    }
    let mut request = own(&mut tx, &access, id).await?;
    let Some((resource, before)) = request_change::get(&mut tx, id).await? else {
        return Err(ServiceError::Conflict(Msg::new("change.not_one")));
    };
    let (facts, policy) = (request.facts.clone(), request.policy.clone());
    advance(&mut request, Event::Resubmit)?;
    expect_version(&request, version)?;
    request.revision += 1;
    // What it would be is what it was: a renewal does not become another size on its way, and a disk
    // is not made of another copy.
    let mut form = ChangeForm {
        what: before.what,
        ..form.clone()
    };
    if let Some(disk) = &before.disk {
        let (field, copy) = (disk.copy.field(), disk.copy.as_str());
        form.typed.insert(field.to_owned(), copy.to_owned());
    }
    // The hold is given back and taken anew in one transaction: what is booked is the difference.
    orderable(&mut tx, &access, &resource).await?;
    resource_action::lock(&mut tx, &resource).await?;
    let operation = format!("rehold:{}:{}", request.id, request.revision);
    quota::release_all(&mut tx, cx, &request.id, &operation).await?;
    let (thought, reason) = ready(&mut tx, cx, &access, &resource, &form, Some(id)).await?;
    request.reason = reason;
    request_change::put(&mut tx, id, &resource, &thought.plan).await?;
    hold(&mut tx, cx, &request, &thought).await?;

    let path = &thought.verdict.route;
    let around = &thought.ground.around;
    let same = facts
        .as_ref()
        .is_some_and(|f| around.policy.route(f) == *path);
    let straight = request.return_stage.is_some()
        && policy.as_ref() == Some(&thought.ground.policy)
        && (same || path.is_automatic())
        && thought.plan.to_agree() <= before.to_agree()
        && thought.plan.will.until <= before.will.until;
    let snapshot = snapshot_of(&mut tx, &mut request, &thought).await?;
    snapshot::keep(&mut tx, cx, &mut request, &snapshot).await?;
    if straight {
        back_to_stage(&mut tx, cx, &mut request).await?;
    } else {
        new_round(&mut tx, cx, &mut request, around.has_upper, path, &[]).await?;
    }
    requests::index(&mut tx, &request, &snapshot.shown.system_name).await?;
    touch(&mut tx, cx, &request).await?;
    let event = AuditEvent::new("request.resubmit", "request", id)
        .of_unit(&request.unit)
        .detail(
            json!({ "revision": request.revision, "digest": request.digest, "straight": straight }),
        );
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(answer(&request, false))
}

/// Holds what the change takes beyond what the resource has, in its own VDC.
async fn hold(
    tx: &mut Tx,
    cx: &Cx,
    request: &Request,
    thought: &Thought,
) -> Result<(), ServiceError> {
    let booking = quota::Booking {
        operation: format!("hold:{}:{}", request.id, request.revision),
        vdc: request.vdc.clone(),
        request: Some(request.id.clone()),
        demand: thought.demand(),
    };
    let short = quota::hold(tx, cx, &booking).await?;
    if short.is_empty() {
        Ok(())
    } else {
        Err(thought.over_quota(short))
    }
}

fn blank(cx: &Cx, access: &Access, id: RequestId, of: &Resource, reason: String) -> Request {
    let (unit, vdc) = (of.unit.clone(), of.vdc.clone());
    Request {
        system: Some(of.system.clone()),
        title: of.name.clone(),
        reason,
        ..Request::draft(id, Kind::Change, unit, vdc, access.user.clone(), cx.now())
    }
}

/// What an approver will be shown. The month of the request is the difference.
async fn snapshot_of(
    tx: &mut Tx,
    request: &mut Request,
    thought: &Thought,
) -> Result<Snapshot, ServiceError> {
    request.month = thought.verdict.month;
    request.facts = Some(thought.verdict.facts.clone());
    request.policy = Some(thought.ground.policy.clone());
    let unit = units::name(tx, &request.unit).await?.unwrap_or_default();
    let applicant = person_name(tx, &request.applicant).await?;
    let system = system::of_request(tx, request).await?;
    let (lines, releases) = (Vec::new(), Vec::new());
    let shown = Shown::of(request, &unit, &applicant, system.as_ref(), lines, releases);
    Ok(Snapshot {
        shown: Shown {
            change: Some(thought.line()),
            ..shown
        },
        verdict: Some(thought.verdict.clone()),
    })
}
