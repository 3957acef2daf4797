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

/// Deliveries that are looked at in one read.
const BATCH: i64 = 50;

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
/// job. Each is a transaction of its own: one that can't be confirmed holds up no other.
///
/// # Errors
/// [`ServiceError::Forbidden`] if it is not the program that acts; what the database says; the first
/// refusal, after all have had their turn, so that the job is seen to fail.
pub async fn auto_confirm(cx: &Cx) -> Result<usize, ServiceError> {
    Scope::system(cx)?;
    let calendar = calendar::load(&mut cx.db().read().await?).await?;
    // Three working days are at least as long as three days; the calendar decides.
    let before = cx
        .now()
        .plus_minutes(-i64::from(CONFIRM_DAYS) * 24 * 60 + 24 * 60);
    let (mut count, mut refused, mut after) = (0, None, None);
    loop {
        let found = {
            let mut rx = cx.db().read().await?;
            requests::unconfirmed(&mut rx, before, after.as_ref(), BATCH).await?
        };
        let last = i64::try_from(found.len()).is_ok_and(|n| n < BATCH);
        for request in found {
            let Some(settled) = request.settled_at else {
                continue;
            };
            let id = request.id.clone();
            after = Some((settled, id.clone()));
            if calendar.due(settled, CONFIRM_DAYS) > cx.now() {
                continue;
            }
            match confirm_by_itself(cx, request).await {
                Ok(()) => count += 1,
                // Somebody has acted since it was found.
                Err(ServiceError::Conflict(why)) if why.key == "error.stale" => {}
                Err(e) => {
                    tracing::error!(request = %id, error = %e, "a delivery is not confirmed by itself");
                    refused = refused.or(Some(e));
                }
            }
        }
        if last {
            break;
        }
    }
    refused.map_or(Ok(count), Err)
}

async fn confirm_by_itself(cx: &Cx, mut request: Request) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let by_itself = Msg::new("request.history.confirmed_by_itself");
    close(&mut tx, cx, &mut request, &by_itself).await?;
    let msg = Msg::new("notice.confirmed_by_itself")
        .with("number", request.number.clone().unwrap_or_default());
    let to = link::request(&request.id);
    notice::send(&mut tx, cx, &request.applicant, &msg, &to).await?;
    Ok(tx.commit().await?)
}
