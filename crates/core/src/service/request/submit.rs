//! Submitting: one transaction, and the same form sent twice makes one request.

use lingbao_model::{
    id::RequestId,
    msg::{FieldError, Msg},
    policy::Route,
    quota::{Amounts, Demand, Shortfall},
    request::{Event, Line, Status, number},
    view::request::{HeadForm, Submitted},
};
use serde_json::json;

use super::{
    advance, approved, expect_version,
    judge::{self, Judged},
    own, person_name, route,
    snapshot::{self, Shown, Snapshot},
    touch,
};
use crate::{
    app::Cx,
    audit::{self, Event as AuditEvent},
    authz::Access,
    error::{OrNotFound, ServiceError},
    service::{cart, refusal::traced},
    storage::{
        Tx, calendar, history, quota,
        request::{self as requests, Request},
        system, unit as units,
    },
};

/// Another booking came between judging and holding (PostgreSQL); judged anew, it may fit.
const MOVED: &str = "request.quota_moved";

/// So often a submit is judged anew before whoever sent it is asked to.
pub(super) const ANEW: usize = 3;

/// Whether a submit was only refused because the quota moved meanwhile.
pub(super) fn moved(result: &Result<Submitted, ServiceError>) -> bool {
    matches!(result, Err(ServiceError::Conflict(msg)) if msg.key == MOVED)
}

/// Submits a draft, with the head as it was typed, or as it was saved. A form that was sent before
/// answers with the request that came of it, whatever was typed since.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Invalid`] with every
/// field and block, [`ServiceError::QuotaExceeded`] with
/// [`OverQuota`](lingbao_model::view::request::OverQuota), [`ServiceError::Conflict`].
pub async fn submit(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    head: Option<&HeadForm>,
    form: &str,
) -> Result<Submitted, ServiceError> {
    let mut result = submit_once(cx, id, version, head, form).await;
    for _ in 0..ANEW {
        if moved(&result) {
            result = submit_once(cx, id, version, head, form).await;
        }
    }
    keep_refused(cx, id, version, head, &result).await;
    traced(cx, result, || {
        AuditEvent::new("request.submit", "request", id)
    })
    .await
}

/// What was typed outlives a refusal about what stands in the cart.
pub(super) async fn keep_refused(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    head: Option<&HeadForm>,
    result: &Result<Submitted, ServiceError>,
) {
    if let Some(head) = head
        && let Err(ServiceError::Invalid(_) | ServiceError::QuotaExceeded(_)) = result
    {
        cart::keep_head(cx, id, version, head).await;
    }
}

async fn submit_once(
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
    if request.status != Status::Draft {
        let number = request.number.clone().unwrap_or_default();
        let msg = Msg::new("request.submitted_already").with("number", number);
        return Err(ServiceError::Conflict(msg));
    }
    expect_version(&request, version)?;
    if let Some(head) = head {
        cart::set_head(&mut tx, &access, &mut request, head).await?;
    }
    let judged = judge::judge(&mut tx, &request).await?;
    judged.require(&request)?;

    advance(&mut request, Event::Submit)?;
    request.revision = 1;
    hold(&mut tx, cx, &request, &judged).await?;
    take_number(&mut tx, cx, &mut request).await?;
    request.submitted_at = Some(cx.now());
    request.sort_at = cx.now();
    let snapshot = snapshot_of(&mut tx, &mut request, &judged).await?;
    snapshot::keep(&mut tx, cx, &mut request, &snapshot).await?;
    let submitted = Msg::new("request.history.submitted").with("cost", request.cost());
    history::add(&mut tx, cx, &request.id, &submitted).await?;
    let (has_upper, route) = (judged.ground.around.has_upper, &judged.verdict.route);
    let automatic = send_on(&mut tx, cx, &mut request, has_upper, route, &judged.lines).await?;
    requests::index(&mut tx, &request, &snapshot.shown.system_name).await?;
    touch(&mut tx, cx, &request).await?;
    let event = AuditEvent::new("request.submit", "request", &request.id)
        .of_unit(&request.unit)
        .detail(json!({
            "number": request.number, "digest": request.digest, "month": request.month,
            "once": request.once, "automatic": automatic,
        }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(answer(&request, false))
}

/// What came of the same form before. Notes the form otherwise; a second sending at the same
/// moment waits for the end of the first.
pub(super) async fn sent_before(
    tx: &mut Tx,
    cx: &Cx,
    access: &Access,
    subject: &RequestId,
    form: &str,
) -> Result<Option<Submitted>, ServiceError> {
    if !(8..=64).contains(&form.len()) || !form.is_ascii() {
        let msg = Msg::new("error.form_id");
        return Err(ServiceError::Invalid(vec![FieldError::new("form_id", msg)]));
    }
    if requests::note_form(tx, form, &access.user, subject, cx.now()).await? {
        return Ok(None);
    }
    let made = requests::sent_form(tx, form, &access.user)
        .await?
        .or_not_found()?;
    let request = requests::of_applicant(tx, &access.user, &made)
        .await?
        .or_not_found()?;
    Ok(Some(answer(&request, true)))
}

pub(super) fn answer(request: &Request, again: bool) -> Submitted {
    Submitted {
        request: request.id.clone(),
        number: request.number.clone().unwrap_or_default(),
        status: request.status,
        again,
    }
}

/// Gives the request its number. The day's counter is locked from here to the commit.
pub(super) async fn take_number(
    tx: &mut Tx,
    cx: &Cx,
    request: &mut Request,
) -> Result<(), ServiceError> {
    let calendar = calendar::load(tx).await?;
    let day = calendar.zone.date(cx.now());
    let count = requests::next_number(tx, day).await?;
    request.number = Some(number(&cx.app.site, day, count));
    Ok(())
}

/// Holds what the request takes: what is left in its own VDC, and, if it asks for more quota too,
/// the missing part in the VDC above.
pub(super) async fn hold(
    tx: &mut Tx,
    cx: &Cx,
    request: &Request,
    judged: &Judged,
) -> Result<(), ServiceError> {
    let (own, above) = split(judged, request.with_quota_change);
    let operation = format!("hold:{}:{}", request.id, request.revision);
    let booking = quota::Booking {
        operation: operation.clone(),
        vdc: request.vdc.clone(),
        request: Some(request.id.clone()),
        demand: own,
    };
    let short = quota::hold(tx, cx, &booking).await?;
    if !short.is_empty() {
        if request.with_quota_change {
            return Err(ServiceError::Conflict(Msg::new(MOVED)));
        }
        return Err(judged.over_quota(request, short));
    }
    let Some(parent) = judged.ground.parent.clone().filter(|_| !above.is_empty()) else {
        return Ok(());
    };
    let booking = quota::Booking {
        operation,
        vdc: parent,
        request: Some(request.id.clone()),
        demand: above,
    };
    let short = quota::hold(tx, cx, &booking).await?;
    if short.is_empty() {
        return Ok(());
    }
    // Somebody was faster. What is said is what is missing here, never where the unit above stands.
    let mut own = judged.verdict.shortfalls.clone();
    own.retain(|it| {
        let same = |up: &Shortfall| up.pool == it.pool && up.dimension == it.dimension;
        short.iter().any(same)
    });
    Err(judged.over_quota(request, own))
}

/// The demand on the own VDC, and what is missing there.
fn split(judged: &Judged, with_quota_change: bool) -> (Demand, Demand) {
    let (mut own, mut above) = (judged.demand.clone(), Demand::new());
    if !with_quota_change {
        return (own, above);
    }
    for short in &judged.verdict.shortfalls {
        let left = short.standing.left().max(0);
        if let Some(amounts) = own.get_mut(&short.pool) {
            amounts.0.insert(short.dimension, left);
        }
        above
            .entry(short.pool.clone())
            .or_insert_with(Amounts::default)
            .add(short.dimension, short.asked - left);
    }
    (own, above)
}

/// What an approver will be shown, out of what was judged.
pub(super) async fn snapshot_of(
    tx: &mut Tx,
    request: &mut Request,
    judged: &Judged,
) -> Result<Snapshot, ServiceError> {
    request.month = judged.verdict.month;
    request.once = judged.verdict.once;
    request.facts = Some(judged.verdict.facts.clone());
    request.policy = Some(judged.ground.policy.clone());
    let unit = units::name(tx, &request.unit).await?.unwrap_or_default();
    let applicant = person_name(tx, &request.applicant).await?;
    let system = system::of_request(tx, request).await?;
    Ok(Snapshot {
        shown: Shown::of(
            request,
            &unit,
            &applicant,
            system.as_ref(),
            judged.views(),
            Vec::new(),
        ),
        verdict: Some(judged.verdict.clone()),
    })
}

/// Opens the first stage of a route, or approves if nobody has to be asked. Saves the request; `true`
/// if it was approved.
pub(super) async fn send_on(
    tx: &mut Tx,
    cx: &Cx,
    request: &mut Request,
    has_upper: bool,
    route: &Route,
    lines: &[Line],
) -> Result<bool, ServiceError> {
    let stages = route::plan(tx, &request.applicant, &request.unit, has_upper, route).await?;
    if stages.is_empty() {
        approved::approve(tx, cx, request, lines, true).await?;
        return Ok(true);
    }
    let calendar = calendar::load(tx).await?;
    route::begin_round(tx, cx, request, &calendar, &stages).await?;
    requests::save(tx, request).await?;
    Ok(false)
}
