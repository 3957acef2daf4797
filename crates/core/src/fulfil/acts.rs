//! What somebody asks for at once of a thing that stands: restart, snapshots, attaching. Price and
//! quota stay as they are. The answer comes by itself, when the saga has ended.
//!
//! A form that is sent twice is one act; two different ones on the same thing are one after the
//! other, because only one change of a thing is under way at a time.

use lingbao_model::{
    catalogue::Fulfiller,
    id::{ResourceId, SnapshotId},
    msg::Msg,
    resource::ServiceState,
    text,
    view::resource::{Act, MOST_SNAPSHOTS, SnapshotState},
};
use serde_json::json;

use super::operate::{Operate, Params, What};
use crate::{
    app::Cx,
    audit,
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    saga,
    service::refusal::traced,
    storage::{
        Tx, change, cloud, project, request_change,
        resource::{self, Resource},
        resource_action, snapshot,
    },
};

/// Longest name of a snapshot.
const NAME_MAX: usize = 40;
/// Longest note of a snapshot.
const NOTE_MAX: usize = 200;

pub(super) use crate::error::conflict;

/// A thing that its owner may operate now, with its names in the cloud.
pub(super) struct Ready {
    pub found: Resource,
    pub backend: String,
    pub external_id: String,
}

/// The thing, seen by the caller, the caller's to operate, standing, not on its way out, and within
/// the powers of its cloud. Whoever else wants to change it waits for this transaction.
pub(super) async fn ready(
    tx: &mut Tx,
    access: &Access,
    id: &ResourceId,
    act: Act,
) -> Result<Ready, ServiceError> {
    let scope = access.scope(Ability::ReadResources);
    let seen = resource::get(tx, &scope, id).await?.or_not_found()?;
    access
        .require_on(tx, Ability::OperateResources, &seen.unit)
        .await?;
    resource_action::lock(tx, id).await?;
    let found = resource::get(tx, &scope, id).await?.or_not_found()?;
    if !matches!(found.service, ServiceState::Running | ServiceState::Stopped) {
        return not_now(&found);
    }
    if resource_action::open_release(tx, id).await?.is_some() {
        return conflict("resource.being_released");
    }
    let (Some(backend), Some(external_id)) = (found.backend.clone(), found.external_id.clone())
    else {
        return conflict("resource.not_in_cloud");
    };
    if !cloud::able(tx, &backend).await?.contains(&act) {
        return conflict("resource.cloud_can_not");
    }
    Ok(Ready {
        found,
        backend,
        external_id,
    })
}

pub(super) fn not_now<T>(found: &Resource) -> Result<T, ServiceError> {
    Err(ServiceError::Conflict(found.not_now()))
}

/// Whether the same form came before. Programs send none (empty): they have their own keys.
pub(super) async fn came_before(
    tx: &mut Tx,
    cx: &Cx,
    access: &Access,
    id: &ResourceId,
    form: &str,
) -> Result<bool, ServiceError> {
    if form.is_empty() {
        return Ok(false);
    }
    if !(8..=64).contains(&form.len()) || !form.is_ascii() {
        return Err(ServiceError::invalid("form_id", Msg::new("error.form_id")));
    }
    Ok(!resource_action::note_form(tx, form, &access.user, id, cx.now()).await?)
}

/// Starts the saga, with everything that takes part booked for it.
pub(super) async fn begin(
    tx: &mut Tx,
    cx: &Cx,
    access: &Access,
    ready: &Ready,
    what: What,
) -> Result<(), ServiceError> {
    let id = &ready.found.id;
    let kind = what.kind();
    let mut parts = what.others().to_vec();
    parts.push(id.clone());
    // In one order, so that two acts on the same things never wait for each other.
    parts.sort();
    let params = Params {
        resource: id.clone(),
        kind: ready.found.kind,
        backend: ready.backend.clone(),
        external_id: ready.external_id.clone(),
        what,
        actor: access.user.clone(),
    };
    let saga = saga::start::<Operate>(tx, cx, id.as_str(), &params).await?;
    for part in &parts {
        if !resource_action::begin(tx, part, &saga, kind, access.user.as_str(), cx.now()).await? {
            return conflict("resource.busy_now");
        }
    }
    change::touch(tx, cx, &format!("unit:{}", ready.found.unit)).await?;
    Ok(())
}

/// Restarts a running server.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see it, [`ServiceError::Forbidden`] if it is not
/// the caller's to use, [`ServiceError::Conflict`] if it does not run, is being changed or given
/// back, or its cloud restarts nothing.
pub async fn restart(cx: &Cx, id: &ResourceId, form: &str) -> Result<(), ServiceError> {
    let result = restart_once(cx, id, form).await;
    traced(cx, result, || {
        audit::Event::new("resource.restart", "resource", id)
    })
    .await
}

async fn restart_once(cx: &Cx, id: &ResourceId, form: &str) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let ready = ready(&mut tx, &access, id, Act::Restart).await?;
    if came_before(&mut tx, cx, &access, id, form).await? {
        return Ok(());
    }
    if ready.found.kind != Fulfiller::Server || ready.found.service != ServiceState::Running {
        return not_now(&ready.found);
    }
    begin(&mut tx, cx, &access, &ready, What::Restart).await?;
    let event = audit::Event::new("resource.restart", "resource", id);
    audit::record(&mut tx, cx, event.of_unit(&ready.found.unit)).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes a snapshot of a disk. It takes no quota and costs nothing; a disk has at most
/// [`MOST_SNAPSHOTS`].
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Invalid`] on `name` and
/// `note`, [`ServiceError::Conflict`] if it is no disk, has too many, is being changed or given back,
/// or its cloud takes none.
pub async fn take_snapshot(
    cx: &Cx,
    id: &ResourceId,
    name: &str,
    note: &str,
    form: &str,
) -> Result<(), ServiceError> {
    let result = take_snapshot_once(cx, id, name, note, form).await;
    traced(cx, result, || {
        audit::Event::new("snapshot.take", "resource", id)
    })
    .await
}

async fn take_snapshot_once(
    cx: &Cx,
    id: &ResourceId,
    name: &str,
    note: &str,
    form: &str,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let ready = ready(&mut tx, &access, id, Act::Snapshot).await?;
    if came_before(&mut tx, cx, &access, id, form).await? {
        return Ok(());
    }
    if ready.found.kind != Fulfiller::Volume {
        return conflict("resource.no_disk");
    }
    let mut wrong = Vec::new();
    let name = text::line("name", name, 1, NAME_MAX).map_err(|e| wrong.push(e));
    let note = text::line("note", note, 0, NOTE_MAX).map_err(|e| wrong.push(e));
    let (Ok(name), Ok(note)) = (name, note) else {
        return Err(ServiceError::Invalid(wrong));
    };
    if snapshot::of_resource(&mut tx, id).await?.len() >= MOST_SNAPSHOTS {
        let max = i64::try_from(MOST_SNAPSHOTS).unwrap_or(i64::MAX);
        return Err(ServiceError::Conflict(
            Msg::new("resource.too_many_snapshots").with("max", max),
        ));
    }
    let Some(project) = project::project(&mut tx, &ready.found.vdc, &ready.backend).await? else {
        return conflict("resource.not_in_cloud");
    };
    let new = snapshot::New {
        id: &cx.id(),
        resource: id,
        name: &name,
        note: &note,
        size_gb: ready.found.answers.integer("size_gb").unwrap_or(0),
        by: &access.user,
        at: cx.now(),
    };
    snapshot::insert(&mut tx, &new).await?;
    let what = What::TakeSnapshot {
        snapshot: new.id.clone(),
        project,
        name: name.clone(),
    };
    begin(&mut tx, cx, &access, &ready, what).await?;
    let event = audit::Event::new("snapshot.take", "resource", id)
        .of_unit(&ready.found.unit)
        .detail(json!({ "snapshot": new.id, "name": name }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(())
}

/// Deletes a snapshot of a disk.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see the disk or it has no such snapshot,
/// [`ServiceError::Forbidden`], [`ServiceError::Conflict`] if the disk is being changed or given
/// back, or the snapshot is not whole.
pub async fn delete_snapshot(
    cx: &Cx,
    id: &ResourceId,
    snapshot: &SnapshotId,
    form: &str,
) -> Result<(), ServiceError> {
    let result = delete_snapshot_once(cx, id, snapshot, form).await;
    traced(cx, result, || {
        audit::Event::new("snapshot.delete", "resource", id).detail(json!({ "snapshot": snapshot }))
    })
    .await
}

async fn delete_snapshot_once(
    cx: &Cx,
    id: &ResourceId,
    wanted: &SnapshotId,
    form: &str,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let ready = ready(&mut tx, &access, id, Act::Snapshot).await?;
    if came_before(&mut tx, cx, &access, id, form).await? {
        return Ok(());
    }
    let snap = snapshot::get(&mut tx, id, wanted).await?.or_not_found()?;
    let (SnapshotState::Ready, Some(external_id)) = (snap.row.state, snap.external_id) else {
        return conflict("resource.snapshot_not_ready");
    };
    if let Some(number) = request_change::wants(&mut tx, id, &wanted.into()).await? {
        let msg = Msg::new("resource.snapshot_asked_for").with("number", number);
        return Err(ServiceError::Conflict(msg));
    }
    snapshot::set_state(&mut tx, wanted, SnapshotState::Deleting).await?;
    let what = What::DeleteSnapshot {
        snapshot: wanted.clone(),
        external_id,
    };
    begin(&mut tx, cx, &access, &ready, what).await?;
    let event = audit::Event::new("snapshot.delete", "resource", id)
        .of_unit(&ready.found.unit)
        .detail(json!({ "snapshot": wanted, "name": snap.row.name }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(())
}

/// Attaches a free disk or address to a host of the same data centre and cell.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see one of them, [`ServiceError::Forbidden`],
/// [`ServiceError::Invalid`] on `host` if it is none of the hosts to choose from,
/// [`ServiceError::Conflict`] if it is attached already, or one of them is being changed or given
/// back.
pub async fn attach(
    cx: &Cx,
    id: &ResourceId,
    host: &ResourceId,
    form: &str,
) -> Result<(), ServiceError> {
    let result = attach_once(cx, id, host, form).await;
    traced(cx, result, || {
        audit::Event::new("resource.attach", "resource", id).detail(json!({ "host": host }))
    })
    .await
}

async fn attach_once(
    cx: &Cx,
    id: &ResourceId,
    host: &ResourceId,
    form: &str,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let (ready, server) = pair(&mut tx, &access, id, host).await?;
    if came_before(&mut tx, cx, &access, id, form).await? {
        return Ok(());
    }
    if ready.found.attached_to.is_some() {
        return conflict("resource.attached_already");
    }
    let suits = server.found.kind == Fulfiller::Server
        && server.found.vdc == ready.found.vdc
        && server.backend == ready.backend
        && server.found.placement == ready.found.placement;
    if !suits {
        return Err(ServiceError::invalid("host", Msg::new("error.not_in_list")));
    }
    let what = What::Attach {
        host: host.clone(),
        host_external_id: server.external_id,
    };
    begin(&mut tx, cx, &access, &ready, what).await?;
    let event = audit::Event::new("resource.attach", "resource", id)
        .of_unit(&ready.found.unit)
        .detail(json!({ "host": host }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes a disk or an address off its host.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Conflict`] if it is free,
/// or one of the two is being changed or given back.
pub async fn detach(cx: &Cx, id: &ResourceId, form: &str) -> Result<(), ServiceError> {
    let result = detach_once(cx, id, form).await;
    traced(cx, result, || {
        audit::Event::new("resource.detach", "resource", id)
    })
    .await
}

async fn detach_once(cx: &Cx, id: &ResourceId, form: &str) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let scope = access.scope(Ability::ReadResources);
    let seen = resource::get(&mut tx, &scope, id).await?.or_not_found()?;
    let Some(host) = seen.attached_to else {
        access
            .require_on(&mut tx, Ability::OperateResources, &seen.unit)
            .await?;
        // The second press of a form whose first one has done it is no mistake.
        if came_before(&mut tx, cx, &access, id, form).await? {
            return Ok(());
        }
        return conflict("resource.attached_to_nothing");
    };
    let (ready, server) = pair(&mut tx, &access, id, &host).await?;
    if came_before(&mut tx, cx, &access, id, form).await? {
        return Ok(());
    }
    if ready.found.attached_to.as_ref() != Some(&host) {
        return conflict("error.stale");
    }
    let what = What::Detach {
        host: host.clone(),
        host_external_id: server.external_id,
    };
    begin(&mut tx, cx, &access, &ready, what).await?;
    let event = audit::Event::new("resource.detach", "resource", id)
        .of_unit(&ready.found.unit)
        .detail(json!({ "host": host }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(())
}

/// A disk or address, and a host; locked in one order.
async fn pair(
    tx: &mut Tx,
    access: &Access,
    id: &ResourceId,
    host: &ResourceId,
) -> Result<(Ready, Ready), ServiceError> {
    if id == host {
        return Err(ServiceError::invalid("host", Msg::new("error.not_in_list")));
    }
    let (thing, server) = if id < host {
        let thing = ready(tx, access, id, Act::Attach).await?;
        (thing, ready(tx, access, host, Act::Attach).await?)
    } else {
        let server = ready(tx, access, host, Act::Attach).await?;
        (ready(tx, access, id, Act::Attach).await?, server)
    };
    if !matches!(thing.found.kind, Fulfiller::Volume | Fulfiller::Address) {
        return not_now(&thing.found);
    }
    Ok((thing, server))
}
