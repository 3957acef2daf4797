//! Snapshots of disks: one that was taken in the cloud itself is kept as its disk's, a lost one is
//! written off.

use lingbao_backends::provisioning::{ExternalId, Kind, Object, Snapshot};
use lingbao_model::{
    id::{DifferenceId, SnapshotId},
    msg::Msg,
    people::Role,
    resource::EventKind,
    view::{
        difference::{Act, Closing, DifferenceKind, DifferenceRow, ThingKind},
        resource::MOST_SNAPSHOTS,
    },
};
use serde_json::{Value, json};

use super::{Opened, PATIENCE, event, open, operator, stale};
use crate::{
    app::Cx,
    error::{OrNotFound, ServiceError},
    service::{notice, refusal::traced},
    storage::{change, difference, request_change, resource, resource_action, snapshot},
};

/// Longest name that is taken over; a cloud's may be longer.
const NAME_MAX: usize = 60;

/// Whether it is a snapshot of a disk of ours that was taken in the cloud itself.
pub(super) fn of_our_disk(row: &DifferenceRow) -> bool {
    row.kind == DifferenceKind::Foreign
        && row.thing == ThingKind::Snapshot
        && row.resource.is_some()
}

/// Keeps a snapshot that was taken in the cloud itself as one of its disk. It takes no quota and costs
/// nothing, as any of ours.
///
/// # Errors
/// [`ServiceError::Conflict`] if it is over, has moved since it was read ([`DifferenceRow::digest`]),
/// its disk is being changed or given back or has as many as a disk may have, or the cloud does not
/// answer.
pub async fn keep(cx: &Cx, id: &DifferenceId, read: &str) -> Result<(), ServiceError> {
    let done = do_keep(cx, id, read).await;
    traced(cx, done, || event("difference.adopt", id, Value::Null)).await
}

/// The snapshot as it stands now: what a round saw may be minutes old.
async fn stands(cx: &Cx, id: &DifferenceId) -> Result<Snapshot, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    let row = difference::get(&mut rx, id).await?.or_not_found()?;
    drop(rx);
    if !of_our_disk(&row) || row.closed_at.is_some() {
        return Err(ServiceError::Conflict(Msg::new("difference.not_this")));
    }
    let cloud = cx.app.backends.get_or_absent(&row.backend);
    let thing = ExternalId(row.external_id);
    match tokio::time::timeout(PATIENCE, cloud.get(Kind::Snapshot, &thing)).await {
        Ok(Ok(there)) => there
            .and_then(Object::into_snapshot)
            .ok_or_else(|| ServiceError::Conflict(Msg::new("difference.over"))),
        Ok(Err(_)) | Err(_) => Err(ServiceError::Conflict(Msg::new("resource.cloud_away"))),
    }
}

async fn do_keep(cx: &Cx, id: &DifferenceId, read: &str) -> Result<(), ServiceError> {
    let there = stands(cx, id).await?;
    let mut opened = open(cx, id, Act::Adopt, Some(read)).await?;
    opened.alone().await?;
    let disk = opened.standing_resource().await?;
    if disk.external_id.as_deref() != Some(there.spec.volume.as_str()) {
        return Err(stale());
    }
    let by = opened.access.user.clone();
    let name: String = opened.row.typed().chars().take(NAME_MAX).collect();
    let tx = &mut opened.tx;
    if resource_action::open_release(tx, &disk.id).await?.is_some() {
        return Err(ServiceError::Conflict(Msg::new("resource.being_released")));
    }
    if snapshot::of_resource(tx, &disk.id).await?.len() >= MOST_SNAPSHOTS {
        let max = i64::try_from(MOST_SNAPSHOTS).unwrap_or(i64::MAX);
        let msg = Msg::new("resource.too_many_snapshots").with("max", max);
        return Err(ServiceError::Conflict(msg));
    }
    let new: SnapshotId = cx.id();
    let row = snapshot::New {
        id: &new,
        resource: &disk.id,
        name: &name,
        note: "",
        size_gb: there.size_gb.into(),
        by: &by,
        at: cx.now(),
    };
    snapshot::insert(tx, &row).await?;
    snapshot::made(tx, &new, there.id.as_str()).await?;
    let kind = EventKind::SnapshotTakenIn;
    resource::add_event(tx, &cx.id(), &disk.id, kind, by.as_str(), cx.now()).await?;
    change::touch(tx, cx, &format!("unit:{}", disk.unit)).await?;
    opened.close(cx, Closing::Adopted).await?;
    let said = json!({ "resource": disk.id, "name": name, "snapshot": new });
    let event = event("difference.adopt", id, said).of_unit(&disk.unit);
    opened.commit(cx, event).await
}

/// Writes a lost snapshot off: its row goes, and its unit hears why.
pub(super) async fn write_off(
    mut opened: Opened,
    cx: &Cx,
    reason: &str,
) -> Result<(), ServiceError> {
    let disk = opened.standing_resource().await?;
    let by = opened.access.user.clone();
    let (row, tx) = (opened.row.clone(), &mut opened.tx);
    let name = row.external_id.as_str();
    let mut kept = difference::snapshots(tx, &row.backend, [name]).await?;
    let Some(kept) = kept.remove(name).filter(|kept| !kept.busy) else {
        return Err(ServiceError::Conflict(Msg::new("difference.over")));
    };
    if let Some(number) = request_change::wants(tx, &disk.id, &(&kept.id).into()).await? {
        let msg = Msg::new("resource.snapshot_asked_for").with("number", number);
        return Err(ServiceError::Conflict(msg));
    }
    snapshot::gone(tx, &kept.id, cx.now()).await?;
    let kind = EventKind::SnapshotLost;
    resource::add_event(tx, &cx.id(), &disk.id, kind, by.as_str(), cx.now()).await?;
    let msg = Msg::new("notice.snapshot_written_off")
        .with("name", disk.name.clone())
        .with("snapshot", kept.name.clone())
        .with("reason", reason.to_owned());
    let link = format!("/resources/{}", disk.id);
    notice::send_to_role(tx, cx, Role::Applicant, &disk.unit, &msg, &link).await?;
    change::touch(tx, cx, &format!("unit:{}", disk.unit)).await?;
    opened.close(cx, Closing::WrittenOff).await?;
    let said = json!({ "resource": disk.id, "name": kept.name, "reason": reason });
    let event = event("difference.write_off", &row.id, said).of_unit(&disk.unit);
    opened.commit(cx, event).await
}
