//! The last approval: quota that was asked for is handed down, and the work begins.

use lingbao_model::{
    fulfilment::groups,
    msg::{FieldError, Msg},
    request::{Event, Kind, Line},
    verdict::pool_shortfall_msg,
};

use super::{advance, link};
use crate::{
    app::{Actor, Cx},
    error::{ServiceError, StorageError},
    fulfil::{change, plan::FulfilRequest, release::ReleaseRequest},
    jobs,
    service::notice,
    storage::{
        Tx, fulfilment, history, place, quota,
        request::{self as requests, Request},
        room, vdc,
    },
};

/// Asks for the work of an approved request, in the transaction of the last approval: one row for
/// each piece, and a job that starts it. A change was begun before, because that may be refused.
///
/// # Errors
/// What the database says.
pub async fn approved(
    tx: &mut Tx,
    cx: &Cx,
    request: &Request,
    lines: &[Line],
) -> Result<(), StorageError> {
    let id = request.id.clone();
    match request.kind {
        Kind::Release => {
            jobs::enqueue(tx, cx, &ReleaseRequest { request: id }).await?;
        }
        Kind::New => {
            for (number, group) in (0_i64..).zip(groups(lines)) {
                for (item, piece) in group {
                    fulfilment::insert(tx, &id, &item, piece, number).await?;
                }
            }
            jobs::enqueue(tx, cx, &FulfilRequest { request: id }).await?;
        }
        // By `change::begin`.
        Kind::Change => {}
        // It stood there before.
        Kind::Import => {}
    }
    Ok(())
}

/// Holds what the request takes from the pools, until the transaction ends against everybody else who
/// is about to: that it is approved is what holds it from then on.
///
/// # Errors
/// [`ServiceError::Conflict`] for whoever approves, [`ServiceError::Invalid`] for the applicant of what
/// nobody is asked about; with pool, dimension, asked and left. Nothing of the transaction may be
/// committed then.
async fn hold_room(tx: &mut Tx, request: &Request, automatic: bool) -> Result<(), ServiceError> {
    let asked = room::of_request(tx, &request.id).await?;
    let short = room::hold(tx, &asked).await?;
    let Some(first) = short.first() else {
        return Ok(());
    };
    let pools = place::pools(tx).await?;
    let said = |key, short| pool_shortfall_msg(key, short, &pools);
    Err(if automatic {
        let all = short.iter().map(|one| said("verdict.no_room", one));
        ServiceError::Invalid(all.map(|msg| FieldError::new("verdict", msg)).collect())
    } else {
        ServiceError::Conflict(said("approval.no_room", first))
    })
}

/// Approves a request, saves it and begins the work.
///
/// # Errors
/// Those of [`hold_room`] and of [`change::begin`].
pub(super) async fn approve(
    tx: &mut Tx,
    cx: &Cx,
    request: &mut Request,
    lines: &[Line],
    automatic: bool,
) -> Result<(), ServiceError> {
    advance(request, Event::Approve)?;
    request.stage = None;
    request.due_at = None;
    request.approved_at = Some(cx.now());
    if request.with_quota_change
        && let Some(parent) = vdc::parent(tx, &request.vdc).await?
    {
        quota::grant_missing(tx, cx, &request.id, &parent, &request.vdc).await?;
    }
    let change = request.kind == Kind::Change;
    // Its row and the quota before that of the request: the order of a submit.
    let done = change && change::begin(tx, cx, request).await?;
    // The pools after resource and quota, for every caller.
    hold_room(tx, request, automatic).await?;
    requests::save(tx, request).await?;
    approved(tx, cx, request, lines).await?;
    let key = match (automatic, change) {
        (true, _) => "request.history.approved_automatically",
        (false, false) => "request.history.approved",
        (false, true) => "request.history.change_approved",
    };
    let program = Actor::System;
    let actor = if automatic { &program } else { &cx.actor };
    history::add_by(tx, cx, actor, &request.id, &Msg::new(key)).await?;
    if done {
        history::add_by(
            tx,
            cx,
            actor,
            &request.id,
            &Msg::new("request.history.changed.renew"),
        )
        .await?;
    }
    if !automatic {
        let key = if change {
            "notice.change_approved"
        } else {
            "notice.approved"
        };
        let msg = Msg::new(key)
            .with("number", request.number.clone().unwrap_or_default())
            .with("title", request.title.clone());
        notice::send(
            tx,
            cx,
            &request.applicant,
            &msg,
            &link::request(&request.id),
        )
        .await?;
    }
    Ok(())
}
