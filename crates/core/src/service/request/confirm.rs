//! Confirming a delivery: by the applicant, or by itself after three working days. The trial run
//! begins.

use lingbao_model::{
    id::{RequestId, ResourceEventId},
    msg::Msg,
    request::{CONFIRM_DAYS, Event, TRIAL_DAYS},
    resource::EventKind,
};
use serde_json::json;

use super::{advance, expect_version, link, own, touch};
use crate::{
    app::Cx,
    audit::{self, Event as AuditEvent},
    authz::{Access, Scope},
    error::ServiceError,
    service::{notice, refusal::traced},
    storage::{
        Tx, calendar, history,
        request::{self as requests, Request},
        resource,
    },
};

/// Confirms the delivery.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Conflict`].
pub async fn confirm(cx: &Cx, id: &RequestId, version: i64) -> Result<(), ServiceError> {
    let result = confirm_own(cx, id, version).await;
    traced(cx, result, || {
        AuditEvent::new("request.confirm", "request", id)
    })
    .await
}

async fn confirm_own(cx: &Cx, id: &RequestId, version: i64) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let mut request = own(&mut tx, &access, id).await?;
    let by_hand = Msg::new("request.history.confirmed");
    // A second click finds it closed: the machine says so, not the version.
    if request.status.after(Event::Confirm).is_ok() {
        expect_version(&request, version)?;
    }
    close(&mut tx, cx, &mut request, &by_hand).await?;
    Ok(tx.commit().await?)
}

async fn close(
    tx: &mut Tx,
    cx: &Cx,
    request: &mut Request,
    said: &Msg,
) -> Result<(), ServiceError> {
    advance(request, Event::Confirm)?;
    request.closed_at = Some(cx.now());
    request.due_at = None;
    requests::save(tx, request).await?;
    let until = cx.now().plus_minutes(TRIAL_DAYS * 24 * 60);
    let begun = resource::start_trial(tx, &request.id, cx.now(), until).await?;
    for id in &begun {
        let (event, actor) = (cx.id::<ResourceEventId>(), cx.actor.as_str());
        resource::add_event(tx, &event, id, EventKind::TrialStarted, actor, cx.now()).await?;
    }
    history::add(tx, cx, &request.id, said).await?;
    touch(tx, cx, request).await?;
    let event = AuditEvent::new("request.confirm", "request", &request.id)
        .of_unit(&request.unit)
        .detail(json!({ "resources": begun, "trial_until": until }));
    Ok(audit::record(tx, cx, event).await?)
}

/// Confirms deliveries that nobody objected to for three working days; how many. For a periodic
/// job.
///
/// # Errors
/// [`ServiceError::Forbidden`] if it is not the program that acts; what the database says.
pub async fn auto_confirm(cx: &Cx) -> Result<usize, ServiceError> {
    Scope::system(cx)?;
    let mut tx = cx.db().begin().await?;
    let calendar = calendar::load(&mut tx).await?;
    // Three working days are at least as long as three days; the calendar decides.
    let before = cx
        .now()
        .plus_minutes(-i64::from(CONFIRM_DAYS) * 24 * 60 + 24 * 60);
    let mut count = 0;
    for mut request in requests::unconfirmed(&mut tx, before, 50).await? {
        let due = request.settled_at.map(|at| calendar.due(at, CONFIRM_DAYS));
        if due.is_none_or(|due| due > cx.now()) {
            continue;
        }
        let by_itself = Msg::new("request.history.confirmed_by_itself");
        close(&mut tx, cx, &mut request, &by_itself).await?;
        let msg = Msg::new("notice.confirmed_by_itself")
            .with("number", request.number.clone().unwrap_or_default());
        let to = link::request(&request.id);
        notice::send(&mut tx, cx, &request.applicant, &msg, &to).await?;
        count += 1;
    }
    tx.commit().await?;
    Ok(count)
}
