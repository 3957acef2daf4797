//! Installing a host's system anew, with another key or another password: for whoever lost the way in,
//! or whose system is past mending. It costs nothing and takes no quota, so it is done at once; what
//! the system disk held is gone, so the host's name is typed.
//!
//! The cloud is told once: what has begun can't be taken back. Our rows follow in the transaction that
//! ends the saga. What came to nothing before the cloud took it leaves the host as it was; what broke
//! half-way, or was given up while nobody knew, is told as such and stands in the host's history.
//!
//! The disks that hang on it are booked with it: the cloud takes them off while it installs, so that
//! nobody may change them, and no comparison may find them hanging on nothing.

use lingbao_backends::provisioning::{Access as WayIn, Call, ExternalId, Object, Power};
use lingbao_model::{
    catalogue::Fulfiller,
    id::ResourceId,
    msg::Msg,
    param::{Choice, FactValue, Schema},
    reinstall::{ReinstallForm, way, ways, with_way},
    resource::{EventKind, ServiceState},
    view::{
        difference::DifferenceKind,
        resource::{Act, ReinstallView},
    },
};
use serde_json::json;

use super::{
    acts::{begin, came_before, conflict, ready},
    operate::{Params, What},
    reconcile::CompareCloud,
    step::keep_password,
};
use crate::{
    app::Cx,
    audit,
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError, StorageError},
    jobs,
    saga::Ended,
    service::{notice, refusal::traced},
    storage::{
        ReadTx, Tx, access_rule as rules, cloud, difference, item, request_change,
        resource::{self, Resource},
        resource_action, secret,
    },
};

/// The step's name.
pub(super) const STEP: &str = "reinstall";

// ---- what the saga does and writes

/// What the cloud is told.
pub(super) fn call(server: ExternalId, image: &str, key: Option<&str>) -> Call {
    Call::ReinstallServer {
        server,
        image: image.to_owned(),
        access: match key {
            Some(key) => WayIn::SshKeys(vec![key.to_owned()]),
            None => WayIn::OneTimePassword,
        },
    }
}

/// The rows follow the cloud: who gets in, and whether it runs. `false` if the cloud has no server to
/// show for it.
pub(super) async fn written(
    tx: &mut Tx,
    cx: &Cx,
    ended: &Ended<'_, Params>,
    found: &Resource,
    key: Option<&str>,
) -> Result<bool, StorageError> {
    let output = ended.outputs.get(STEP).cloned().unwrap_or_default();
    let Ok(Object::Server(server)) = serde_json::from_value(output) else {
        return Ok(false);
    };
    let said = if key.is_some() {
        // The password that still waits opens nothing any more.
        secret::forget(tx, &found.id).await?;
        "resource.reinstalled_key"
    } else {
        if !keep_password(tx, cx, &found.id, &server).await? {
            return Ok(false);
        }
        "resource.reinstalled_password"
    };
    let (service, event) = match server.power {
        Power::Stopped => (ServiceState::Stopped, EventKind::Stopped),
        _ => (ServiceState::Running, EventKind::Started),
    };
    resource::reinstalled(tx, found, &with_way(&found.answers, key), service).await?;
    let actor = &ended.params.actor;
    if service != found.service {
        resource::add_event(tx, &cx.id(), &found.id, event, actor.as_str(), cx.now()).await?;
    }
    let msg = Msg::new(said).with("name", found.name.clone());
    let link = format!("/resources/{}", found.id);
    notice::send(tx, cx, actor, &msg, &link).await?;
    Ok(true)
}

/// How it came to nothing, in words for its owner. Unless the cloud refused it before it began, its
/// history says so too, and the cloud is asked how the host stands.
pub(super) async fn failed(
    tx: &mut Tx,
    cx: &Cx,
    params: &Params,
    reason: &Msg,
) -> Result<&'static str, StorageError> {
    let said = match reason.key.strip_prefix("fulfilment.refused.") {
        Some("broken") => "resource.reinstall_broken",
        Some(_) => return Ok("resource.reinstall_failed"),
        // An operator gave it up, and its answer may have been lost.
        None => "resource.reinstall_unsure",
    };
    let (id, by) = (&params.resource, params.actor.as_str());
    if said == "resource.reinstall_broken" {
        // It was the old system's.
        secret::forget(tx, id).await?;
    }
    resource::add_event(tx, &cx.id(), id, EventKind::ReinstallFailed, by, cx.now()).await?;
    let backend = params.backend.clone();
    jobs::enqueue(tx, cx, &CompareCloud { backend }).await?;
    Ok(said)
}

// ---- reading

async fn schema(rx: &mut ReadTx, found: &Resource) -> Result<Schema, StorageError> {
    let content = item::content(rx, &found.item_version).await?;
    Ok(content.map(|content| content.schema).unwrap_or_default())
}

/// What stands against it beside what stands against every act.
async fn hindrance(
    rx: &mut ReadTx,
    found: &Resource,
    ways: &[Choice],
) -> Result<Option<Msg>, StorageError> {
    let stands = difference::of_resource(rx, &found.id).await?;
    if stands.iter().any(|one| one.kind == DifferenceKind::Missing) {
        return Ok(Some(Msg::new("reinstall.missing")));
    }
    // A change was thought through from the answers as they stand.
    if let Some(number) = request_change::under_way(rx, &found.id, None).await? {
        let msg = Msg::new("change.under_way")
            .with("name", found.name.clone())
            .with("number", number);
        return Ok(Some(msg));
    }
    let can = !ways.is_empty() && found.answers.text("image").is_some();
    Ok((!can).then(|| Msg::new("reinstall.no_way")))
}

/// What installing a host anew would do to it.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see it, or it is no host.
pub async fn view(cx: &Cx, id: &ResourceId) -> Result<ReinstallView, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let scope = access.scope(Ability::ReadResources);
    let found = resource::get(&mut rx, &scope, id).await?;
    let found = found
        .filter(|it| it.kind == Fulfiller::Server)
        .or_not_found()?;
    let schema = schema(&mut rx, &found).await?;
    let backend = found.backend.clone().unwrap_or_default();
    let able = cloud::able(&mut rx, &backend).await?;
    let ways = ways(&schema, able.contains(&Act::NewPassword));
    let stands = matches!(found.service, ServiceState::Running | ServiceState::Stopped);
    let closed = if !stands {
        Some(found.not_now())
    } else if found.external_id.is_none() {
        Some(Msg::new("resource.not_in_cloud"))
    } else if !able.contains(&Act::Reinstall) {
        Some(Msg::new("resource.cloud_can_not"))
    } else if resource_action::open_release(&mut rx, id).await?.is_some() {
        Some(Msg::new("resource.being_released"))
    } else {
        hindrance(&mut rx, &found, &ways).await?
    };
    let busy = resource_action::current(&mut rx, id).await?;
    let own = access
        .require_on(&mut rx, Ability::OperateResources, &found.unit)
        .await;
    let facts = schema.facts(&found.answers).into_iter();
    let mut image = facts.filter(|fact| fact.key == "image");
    let image = image.next().and_then(|fact| match fact.value {
        FactValue::Choice(label) => Some(label),
        _ => None,
    });
    let rules = rules::of_resource(&mut rx, id).await?.len();
    let attachments = resource::attachments(&mut rx, id).await?;
    Ok(ReinstallView {
        may: own.is_ok() && closed.is_none() && busy.is_none(),
        busy: busy.map(|kind| Msg::new(format!("resource.busy.{kind}"))),
        closed,
        image,
        way: way(&found.answers).to_owned(),
        ways,
        runs: found.service == ServiceState::Running,
        attachments,
        rules,
        address: found.address,
        month: found.month,
        expires_at: found.expires_at,
        resource: found.id,
        name: found.name,
    })
}

// ---- the use case

/// Has a host's system installed anew from its image, with an SSH key or a new one-time password. The
/// host goes on running or standing still. It can't be undone.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see it, [`ServiceError::Forbidden`] if it is not
/// the caller's to use, [`ServiceError::Invalid`] on `access`, `ssh_key` and `confirm`,
/// [`ServiceError::Conflict`] if it is no host, is being changed or given back, lies in the recycle bin,
/// is missing in its cloud, or its cloud can't.
pub async fn reinstall(
    cx: &Cx,
    id: &ResourceId,
    form: &ReinstallForm,
    sent: &str,
) -> Result<(), ServiceError> {
    let result = reinstall_once(cx, id, form, sent).await;
    traced(cx, result, || {
        audit::Event::new("resource.reinstall", "resource", id)
    })
    .await
}

async fn reinstall_once(
    cx: &Cx,
    id: &ResourceId,
    form: &ReinstallForm,
    sent: &str,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let ready = ready(&mut tx, &access, id, Act::Reinstall).await?;
    if came_before(&mut tx, cx, &access, id, sent).await? {
        return Ok(());
    }
    let found = &ready.found;
    if found.kind != Fulfiller::Server {
        return conflict("resource.no_host");
    }
    let able = cloud::able(&mut tx, &ready.backend).await?;
    let passwords = able.contains(&Act::NewPassword);
    let schema = schema(&mut tx, found).await?;
    let ways = ways(&schema, passwords);
    if let Some(msg) = hindrance(&mut tx, found, &ways).await? {
        return Err(ServiceError::Conflict(msg));
    }
    let read = form.read(&schema, &found.answers, &found.name, passwords);
    let key = read.map_err(ServiceError::Invalid)?;
    let image = found.answers.text("image").unwrap_or_default().to_owned();
    let detail = json!({
        "image": image, "access": form.access.trim(), "ssh_key": key, "was": way(&found.answers),
    });
    // Nothing is hung on it or taken off meanwhile: that would book the host, which is ours.
    let hangs = resource::attachments(&mut tx, id).await?.into_iter();
    let disks = hangs.filter(|one| one.kind == Fulfiller::Volume);
    let disks = disks.map(|one| one.id).collect();
    let what = What::Reinstall { image, key, disks };
    begin(&mut tx, cx, &access, &ready, what).await?;
    let event = audit::Event::new("resource.reinstall", "resource", id)
        .of_unit(&found.unit)
        .detail(detail);
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(())
}
