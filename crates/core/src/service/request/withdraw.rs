//! Taking a request back: by the applicant until somebody acted, by itself when a returned one was
//! not supplemented in time.

use lingbao_model::{
    id::RequestId,
    msg::Msg,
    request::{Event, Status, StepState, may_withdraw},
};
use serde_json::json;

use super::{advance, expect_version, link, own, touch, void_steps};
use crate::{
    app::Cx,
    audit::{self, Event as AuditEvent},
    authz::{Access, Scope},
    error::ServiceError,
    service::{notice, refusal::traced},
    storage::{
        Tx, history, quota,
        request::{self as requests, Request},
        step,
    },
};

/// Takes a request back.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Conflict`] when
/// somebody has acted already.
pub async fn withdraw(cx: &Cx, id: &RequestId, version: i64) -> Result<(), ServiceError> {
    let result = withdraw_own(cx, id, version).await;
    traced(cx, result, || {
        AuditEvent::new("request.withdraw", "request", id)
    })
    .await
}

async fn withdraw_own(cx: &Cx, id: &RequestId, version: i64) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let mut request = own(&mut tx, &access, id).await?;
    let steps = step::of_request(&mut tx, id).await?;
    let states: Vec<StepState> = steps.iter().map(step::Step::state).collect();
    if request.status == Status::InApproval && !may_withdraw(request.status, &states) {
        return Err(ServiceError::Conflict(Msg::new("request.acted_already")));
    }
    // A second click finds it ended: the machine says so, not the version.
    if request.status.after(Event::Withdraw).is_ok() {
        expect_version(&request, version)?;
    }
    end(&mut tx, cx, &mut request, "request.history.withdrawn").await?;
    Ok(tx.commit().await?)
}

async fn end(
    tx: &mut Tx,
    cx: &Cx,
    request: &mut Request,
    why: &'static str,
) -> Result<(), ServiceError> {
    advance(request, Event::Withdraw)?;
    // The steps first, as a decision locks them.
    let mut steps = step::of_request(tx, &request.id).await?;
    void_steps(tx, cx, &mut steps).await?;
    request.closed_at = Some(cx.now());
    request.due_at = None;
    request.stage = None;
    let operation = format!("withdraw:{}", request.id);
    quota::release_all(tx, cx, &request.id, &operation).await?;
    requests::save(tx, request).await?;
    history::add(tx, cx, &request.id, &Msg::new(why)).await?;
    touch(tx, cx, request).await?;
    let event = AuditEvent::new("request.withdraw", "request", &request.id)
        .of_unit(&request.unit)
        .detail(json!({ "number": request.number, "why": why }));
    Ok(audit::record(tx, cx, event).await?)
}

/// Closes returned requests that were not supplemented in time; how many. For a periodic job.
///
/// # Errors
/// [`ServiceError::Forbidden`] if it is not the program that acts; what the database says.
pub async fn expire_returned(cx: &Cx) -> Result<usize, ServiceError> {
    Scope::system(cx)?;
    let mut tx = cx.db().begin().await?;
    let late = requests::overdue(&mut tx, Status::Returned, cx.now(), 50).await?;
    let count = late.len();
    for mut request in late {
        end(&mut tx, cx, &mut request, "request.history.expired").await?;
        let msg = Msg::new("notice.expired")
            .with("number", request.number.clone().unwrap_or_default())
            .with("title", request.title.clone());
        let to = link::request(&request.id);
        notice::send(&mut tx, cx, &request.applicant, &msg, &to).await?;
    }
    tx.commit().await?;
    Ok(count)
}
