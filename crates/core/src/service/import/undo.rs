//! Undoing: what was taken in leaves the portal again, and goes on in the cloud as if nothing had
//! happened. No cloud is called.

use std::collections::BTreeSet;

use lingbao_model::{
    id::{ImportId, RequestId, UnitId},
    msg::Msg,
    people::Role,
    resource::EventKind,
    view::{
        difference::Closing,
        import::{ImportBatch, UNDO_DAYS},
    },
};
use serde_json::json;

use super::operator;
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::Ability,
    error::{OrNotFound, ServiceError},
    service::{notice, refusal::traced},
    storage::{
        ReadTx, change, difference, history, import, project, quota, resource, resource_action,
    },
};

/// Why a batch can't be undone; empty if it can.
pub(super) async fn blocks(
    rx: &mut ReadTx,
    cx: &Cx,
    batch: &ImportBatch,
) -> Result<Vec<Msg>, ServiceError> {
    if batch.undone_at.is_some() {
        return Ok(vec![Msg::new("import.undone_already")]);
    }
    if cx.now() > batch.at.plus_minutes(UNDO_DAYS * 24 * 60) {
        return Ok(vec![Msg::new("import.undo_late").with("days", UNDO_DAYS)]);
    }
    let touched = import::touched(rx, &batch.id).await?;
    let told = |(name, why): (String, String)| {
        Msg::new(format!("import.touched.{why}")).with("name", name)
    };
    Ok(touched.into_iter().map(told).collect())
}

/// Undoes a batch: its resources leave the portal, their quota is free, nothing was ever charged for
/// them, and they are foreign again. The cloud is not touched.
///
/// # Errors
/// [`ServiceError::NotFound`] if there is no such batch, [`ServiceError::Conflict`] with the first
/// reason why it can't be undone any more.
pub async fn undo(cx: &Cx, id: &ImportId) -> Result<(), ServiceError> {
    let done = undo_once(cx, id).await;
    traced(cx, done, || Event::new("import.undo", "import", id)).await
}

async fn undo_once(cx: &Cx, id: &ImportId) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = operator(&mut tx, cx).await?;
    import::get(&mut tx, id).await?.or_not_found()?;
    let things = import::things(&mut tx, id).await?;
    let clouds: BTreeSet<&str> = things.iter().map(|(t, _)| t.backend.as_str()).collect();
    for cloud in clouds {
        difference::hold_rounds(&mut tx, cloud).await?;
    }
    // In the order of their ids; whoever wants to change one waits for this transaction.
    for (thing, _) in &things {
        resource_action::lock(&mut tx, &thing.resource).await?;
    }
    // Somebody may have undone it while this one waited.
    let batch = import::get(&mut tx, id).await?.or_not_found()?;
    if let Some(first) = blocks(&mut tx, cx, &batch).await?.into_iter().next() {
        return Err(ServiceError::Conflict(first));
    }
    if !import::mark_undone(&mut tx, id, &access.user, cx.now()).await? {
        return Err(ServiceError::Conflict(Msg::new("import.undone_already")));
    }
    let scope = access.scope(Ability::ReadResources);
    let mut told: BTreeSet<UnitId> = BTreeSet::new();
    let mut orders: BTreeSet<RequestId> = BTreeSet::new();
    let mut leaving = Vec::with_capacity(things.len());
    for (thing, was) in &things {
        let found = resource::get(&mut tx, &scope, &thing.resource)
            .await?
            .or_not_found()?;
        leaving.push((found, was));
    }
    // In the order in which everybody locks quotas: by VDC.
    leaving.sort_by(|(a, _), (b, _)| (&a.vdc, &a.id).cmp(&(&b.vdc, &b.id)));
    for (found, was) in leaving {
        for row in difference::of_resource(&mut tx, &found.id).await? {
            let by = Some(&access.user);
            difference::close(&mut tx, &row.id, Closing::Released, by, cx.now()).await?;
        }
        import::leave(&mut tx, &found.id, cx.now()).await?;
        for kind in [EventKind::TakenOut, EventKind::Released] {
            let by = access.user.as_str();
            resource::add_event(&mut tx, &cx.id(), &found.id, kind, by, cx.now()).await?;
        }
        if let Some(place) = &found.placement {
            let booking = quota::Booking {
                // The same as a release's: whichever comes, it is freed once.
                operation: format!("free:{}", found.id),
                vdc: found.vdc.clone(),
                request: None,
                demand: [(place.pool.clone(), found.amounts.clone())].into(),
            };
            quota::free(&mut tx, cx, &booking, &found.id).await?;
        }
        import::reopen(&mut tx, &cx.id(), was, cx.now()).await?;
        told.insert(found.unit);
        orders.insert(found.request);
    }
    for (vdc, backend, external_id) in import::projects(&mut tx, id).await? {
        project::give_up(&mut tx, &vdc, &backend, &external_id).await?;
    }
    for order in orders {
        let msg = Msg::new("request.history.taken_out");
        history::add(&mut tx, cx, &order, &msg).await?;
        change::touch(&mut tx, cx, &format!("request:{order}")).await?;
    }
    for unit in told {
        let msg = Msg::new("notice.taken_out");
        notice::send_to_role(&mut tx, cx, Role::DeptLeader, &unit, &msg, "/requests").await?;
        change::touch(&mut tx, cx, &format!("unit:{unit}")).await?;
        let event = Event::new("import.undo", "import", id).of_unit(&unit);
        audit::record(&mut tx, cx, event).await?;
    }
    change::touch(&mut tx, cx, "clouds").await?;
    let names: Vec<&str> = things.iter().map(|(t, _)| t.name.as_str()).collect();
    let event = Event::new("import.undo", "import", id).detail(json!({ "things": names }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(())
}
