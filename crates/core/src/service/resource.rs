//! Resources: list, detail, export, delivery sheet, one-time password.
//!
//! Switching on and off and giving back change the cloud and stand in [`crate::fulfil`].

use std::collections::BTreeMap;

use lingbao_model::{
    catalogue::{Content, Fulfiller},
    change::What,
    id::{ItemVersionId, RequestId, ResourceId},
    msg::{Label, Msg},
    param::Fact,
    resource::{ServiceState, days_left},
    time::Timestamp,
    view::{
        backup::PlanRuns,
        page::Page,
        resource::{
            Act, CloudWord, DeliveryLine, DeliverySheet, ResourceDetail, ResourceFilter,
            ResourceRow,
        },
    },
};

use super::refusal::traced;
use crate::{
    app::Cx,
    audit,
    authz::{Ability, Access, Scope},
    error::{OrNotFound, ServiceError},
    fulfil::backup::stands,
    storage::{
        ReadTx, backup, cloud, difference, erasure, fulfilment, item, request_change,
        resource::{self, Resource},
        resource_action, secret, snapshot,
    },
};

/// The schemas by which the answers of a page of resources are read, each version once.
#[derive(Default)]
struct Schemas(BTreeMap<ItemVersionId, Content>);

impl Schemas {
    async fn facts(
        &mut self,
        rx: &mut ReadTx,
        resource: &Resource,
    ) -> Result<Vec<Fact>, ServiceError> {
        if !self.0.contains_key(&resource.item_version)
            && let Some(content) = item::content(rx, &resource.item_version).await?
        {
            self.0.insert(resource.item_version.clone(), content);
        }
        Ok(self
            .0
            .get(&resource.item_version)
            .map(|c| c.schema.facts(&resource.answers))
            .unwrap_or_default())
    }

    async fn row(
        &mut self,
        rx: &mut ReadTx,
        now: Timestamp,
        resource: Resource,
    ) -> Result<ResourceRow, ServiceError> {
        let facts = self.facts(rx, &resource).await?;
        Ok(ResourceRow {
            id: resource.id,
            name: resource.name,
            kind: resource.kind,
            code: resource.code,
            item_name: resource.item_name,
            facts,
            unit: resource.unit,
            unit_name: resource.unit_name,
            system: resource.system,
            system_name: resource.system_name,
            zone_name: resource.zone_name,
            pool_name: resource.pool_name,
            level: resource.placement.map(|p| p.level),
            address: resource.address,
            service: resource.service,
            billing: resource.billing,
            month: resource.month,
            delivered_at: resource.delivered_at,
            expires_at: resource.expires_at,
            erase_at: resource.erase_at,
            days_left: resource.erase_at.map(|at| days_left(now, at)),
        })
    }
}

/// One page of the resources that the caller may see.
///
/// # Errors
/// [`ServiceError::Forbidden`] for roles without resources.
pub async fn list(cx: &Cx, filter: &ResourceFilter) -> Result<Page<ResourceRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ReadResources)?;
    let page = resource::list(&mut rx, &access.scope(Ability::ReadResources), filter).await?;
    let mut schemas = Schemas::default();
    let mut rows = Vec::with_capacity(page.rows.len());
    for one in page.rows {
        rows.push(schemas.row(&mut rx, cx.now(), one).await?);
    }
    Ok(Page {
        rows,
        next: page.next,
        total: page.total,
    })
}

/// The next rows of an export and where it goes on; the whole list in slices, so that memory does
/// not grow with it.
///
/// # Errors
/// As [`list`].
pub async fn export(
    cx: &Cx,
    filter: &ResourceFilter,
) -> Result<(Vec<ResourceRow>, Option<String>), ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ReadResources)?;
    let (slice, next) =
        resource::slice(&mut rx, &access.scope(Ability::ReadResources), filter, 500).await?;
    let mut schemas = Schemas::default();
    let mut rows = Vec::with_capacity(slice.len());
    for one in slice {
        rows.push(schemas.row(&mut rx, cx.now(), one).await?);
    }
    Ok((rows, next))
}

/// What is about to be given back, in the order of the ids, each once, and how many snapshots go with
/// it.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see one of them.
pub async fn giving_back(
    cx: &Cx,
    ids: &[ResourceId],
) -> Result<(Vec<ResourceRow>, i64), ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let scope = access.scope(Ability::ReadResources);
    let mut found = resource::of_ids(&mut rx, &scope, ids).await?;
    let mut schemas = Schemas::default();
    let mut rows: Vec<ResourceRow> = Vec::with_capacity(ids.len());
    for id in ids {
        if rows.iter().any(|row| row.id == *id) {
            continue;
        }
        let one = found.remove(id).or_not_found()?;
        rows.push(schemas.row(&mut rx, cx.now(), one).await?);
    }
    let snapshots = snapshot::count_of(&mut rx, ids).await?;
    Ok((rows, snapshots))
}

/// One resource with its events.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see it.
pub async fn detail(cx: &Cx, id: &ResourceId) -> Result<ResourceDetail, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let found = resource::get(&mut rx, &access.scope(Ability::ReadResources), id)
        .await?
        .or_not_found()?;
    let operates = access
        .require_on(&mut rx, Ability::OperateResources, &found.unit)
        .await
        .is_ok();
    let busy = resource_action::current(&mut rx, id).await?;
    let release_request = resource_action::open_release(&mut rx, id).await?;
    let change_request = request_change::under_way(&mut rx, id, None).await?;
    let secret_waits = secret::waits(&mut rx, id).await?;
    let able = match &found.backend {
        Some(backend) => cloud::able(&mut rx, backend).await?,
        None => Vec::new(),
    };
    let orders = access
        .require_on(&mut rx, Ability::Order, &found.unit)
        .await
        .is_ok();
    let free = busy.is_none() && release_request.is_none();
    let changing = change_request.is_some();
    let mut may = if operates {
        acts(&found, free, changing, orders, secret_waits, &able)
    } else {
        Vec::new()
    };
    let lies = found.service == ServiceState::Recycled;
    if lies && busy.is_none() {
        may.extend((operates && orders).then_some(Act::TakeBack));
        let erases = access.require_on(&mut rx, Ability::EraseResources, &found.unit);
        may.extend(erases.await.is_ok().then_some(Act::Erase));
    }
    if orders && free && !changing && !lies && found.service != ServiceState::Released {
        let term = resource::term(&mut rx, id).await?;
        let renewed = term.next_from.is_some();
        may.extend(changes(&found, renewed, &able));
    }
    let hosts = if may.contains(&Act::Attach) {
        let scope = access.scope(Ability::OperateResources);
        resource::hosts_for(&mut rx, &scope, &found).await?
    } else {
        Vec::new()
    };
    let made_from = match snapshot::origin(&mut rx, id).await? {
        Some(origin) => resource::related_to(&mut rx, &origin).await?,
        None => None,
    };
    let snapshots = snapshot::of_resource(&mut rx, id).await?;
    let backups = backup::of_resource(&mut rx, id).await?;
    let attached_to = match &found.attached_to {
        Some(target) => resource::related_to(&mut rx, target).await?,
        None => None,
    };
    Ok(ResourceDetail {
        request: found.request.clone(),
        request_number: found.request_number.clone(),
        attached_to,
        attachments: resource::attachments(&mut rx, id).await?,
        confirmed_at: found.confirmed_at,
        trial_until: found.trial_until,
        billing_from: found.billing_from,
        released_at: found.released_at,
        busy: busy.map(|kind| Msg::new(format!("resource.busy.{kind}"))),
        release_request,
        change_request,
        events: resource::events(&mut rx, id).await?,
        may,
        secret_waits: operates && secret_waits,
        snapshots: snapshots.into_iter().map(|s| s.row).collect(),
        backups: backups.into_iter().map(|b| b.row).collect(),
        plan_runs: plan_runs(&mut rx, &found).await?,
        hosts,
        made_from,
        cloud: cloud_word(&mut rx, &found, access.has(Ability::Operate)).await?,
        certificate: erasure::number(&mut rx, id).await?,
        row: Schemas::default().row(&mut rx, cx.now(), found).await?,
    })
}

/// How a backup plan runs; `None` for other things, and for one that is no more.
async fn plan_runs(rx: &mut ReadTx, found: &Resource) -> Result<Option<PlanRuns>, ServiceError> {
    let over = found.service == ServiceState::Released;
    if found.kind != Fulfiller::Backup || found.backend.is_none() || over {
        return Ok(None);
    }
    let host = match &found.attached_to {
        Some(host) => resource::service_of(rx, host).await?,
        None => None,
    };
    let rests = !stands(found.service, host);
    let runs = backup::running(rx, &found.id).await?;
    Ok(Some(PlanRuns {
        running: runs.as_ref().is_some_and(|it| it.running),
        rests,
        next_at: runs.as_ref().map(|it| it.next_at).filter(|_| !rests),
        done_at: runs.as_ref().and_then(|it| it.done_at),
        failed_at: runs.as_ref().and_then(|it| it.failed_at),
        failures: runs.as_ref().map_or(0, |it| it.failures),
        failure: runs.and_then(|it| it.failure),
    }))
}

/// What the cloud says otherwise of a resource, or that it says nothing.
async fn cloud_word(
    rx: &mut ReadTx,
    found: &Resource,
    operator: bool,
) -> Result<Option<CloudWord>, ServiceError> {
    let Some(backend) = &found.backend else {
        return Ok(None);
    };
    if found.service == ServiceState::Released {
        return Ok(None);
    }
    let (silent, answered_at) = cloud::silence(rx, backend).await?;
    // What an operator lets stand is nobody's worry.
    let mut stands = difference::of_resource(rx, &found.id).await?.into_iter();
    let stands = stands.find(|row| row.note.is_empty());
    Ok((silent || stands.is_some()).then(|| CloudWord {
        silent,
        answered_at,
        kind: stands.as_ref().map(|row| row.kind),
        since: stands.as_ref().map(|row| row.first_seen),
        difference: stands.filter(|_| operator).map(|row| row.id),
    }))
}

/// What may be asked to be changed about it, of what its cloud can do; a term that goes on already
/// is not renewed twice.
fn changes(found: &Resource, renewed: bool, able: &[Act]) -> Vec<Act> {
    let all = [
        (What::Resize, Act::Resize),
        (What::Extend, Act::Extend),
        (What::Plan, Act::Plan),
        (What::Renew, Act::Renew),
    ];
    let may = |(what, act): (What, Act)| {
        let can = match what {
            What::Renew => !renewed,
            What::Resize | What::Extend | What::Plan | What::Restore | What::RestoreBackup => {
                able.contains(&act)
            }
        };
        (what.fits(found.kind) && can).then_some(act)
    };
    all.into_iter().filter_map(may).collect()
}

/// What its owner may do to it now; `free` if nothing is under way, `changing` if a change is asked
/// for, `able` what its cloud can do.
fn acts(
    found: &Resource,
    free: bool,
    changing: bool,
    orders: bool,
    secret_waits: bool,
    able: &[Act],
) -> Vec<Act> {
    let mut may = Vec::new();
    let stands = matches!(found.service, ServiceState::Running | ServiceState::Stopped);
    let gone = matches!(
        found.service,
        ServiceState::Recycled | ServiceState::Released
    );
    let live = !gone && free;
    if live && found.kind == Fulfiller::Server {
        match found.service {
            ServiceState::Running => may.extend([
                Act::Stop,
                Act::Restart,
                Act::Console,
                Act::NewPassword,
                Act::Rules,
                Act::Reinstall,
            ]),
            ServiceState::Stopped => may.extend([Act::Start, Act::Rules, Act::Reinstall]),
            ServiceState::Changing | ServiceState::Recycled | ServiceState::Released => {}
        }
    }
    if live && stands && found.kind == Fulfiller::Volume {
        may.push(Act::Snapshot);
        if orders {
            may.extend([Act::Restore, Act::RestoreBackup]);
        }
    }
    if live && stands && matches!(found.kind, Fulfiller::Volume | Fulfiller::Address) {
        may.push(match found.attached_to {
            Some(_) => Act::Detach,
            None => Act::Attach,
        });
    }
    may.retain(|act| match act {
        Act::Restart
        | Act::Console
        | Act::Snapshot
        | Act::Restore
        | Act::RestoreBackup
        | Act::Attach
        | Act::Rules
        | Act::NewPassword => able.contains(act),
        Act::Reinstall => able.contains(act) && !changing,
        Act::Detach => able.contains(&Act::Attach),
        Act::Start
        | Act::Stop
        | Act::Release
        | Act::ShowSecret
        | Act::TakeBack
        | Act::Erase
        | Act::Resize
        | Act::Extend
        | Act::Plan
        | Act::Renew => true,
    });
    if live && !changing && found.kind != Fulfiller::People {
        may.push(Act::Release);
    }
    if secret_waits && !gone {
        may.push(Act::ShowSecret);
    }
    may
}

/// Shows the one-time password of a server, once. Audited.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see the server, [`ServiceError::Forbidden`] if
/// it is not the caller's to use, [`ServiceError::Conflict`] if it was shown already.
pub async fn show_secret(cx: &Cx, id: &ResourceId) -> Result<String, ServiceError> {
    let result = show_secret_once(cx, id).await;
    traced(cx, result, || {
        audit::Event::new("resource.show_secret", "resource", id)
    })
    .await
}

async fn show_secret_once(cx: &Cx, id: &ResourceId) -> Result<String, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let found = resource::get(&mut tx, &access.scope(Ability::ReadResources), id)
        .await?
        .or_not_found()?;
    access
        .require_on(&mut tx, Ability::OperateResources, &found.unit)
        .await?;
    if found.service == ServiceState::Recycled {
        return Err(ServiceError::Conflict(found.not_now()));
    }
    let wrapped = secret::take(&mut tx, id, &access.user, cx.now())
        .await?
        .ok_or_else(|| ServiceError::Conflict(Msg::new("resource.secret_gone")))?;
    let password = cx
        .app
        .crypto
        .unwrap(id.as_str(), &wrapped)
        .map_err(|e| ServiceError::internal("a one-time password does not unwrap", e))?;
    let password = String::from_utf8(password)
        .map_err(|e| ServiceError::internal("a one-time password is no text", e))?;
    audit::record(
        &mut tx,
        cx,
        audit::Event::new("resource.show_secret", "resource", id).of_unit(&found.unit),
    )
    .await?;
    tx.commit().await?;
    Ok(password)
}

/// The delivery sheet of a request.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see the request or nothing was settled yet.
pub async fn delivery_sheet(cx: &Cx, request: &RequestId) -> Result<DeliverySheet, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let scope: Scope = access.scope(Ability::ReadRequests);
    let head = fulfilment::sheet_head(&mut rx, &scope, request)
        .await?
        .or_not_found()?;
    let own = access
        .require_on(&mut rx, Ability::OperateResources, &head.unit)
        .await
        .is_ok();
    // A sheet may have thousands of lines: what each needs is asked for all of them.
    let targets = resource::targets_of(&mut rx, request).await?;
    let waiting = secret::waiting_of(&mut rx, request).await?;
    let mut schemas = Schemas::default();
    let mut lines = Vec::new();
    for one in resource::of_request(&mut rx, &scope, request).await? {
        let target = one.attached_to.as_ref();
        lines.push(DeliveryLine {
            attached_to: target.and_then(|id| targets.get(id)).cloned(),
            secret_waits: own && waiting.contains(one.id.as_str()),
            row: schemas.row(&mut rx, cx.now(), one).await?,
        });
    }
    let failed: Vec<(Label, Msg)> = fulfilment::failures(&mut rx, request).await?;
    let call = match cx.app.phone.as_str() {
        "" => fulfilment::duty(&mut rx).await?,
        phone => phone.to_owned(),
    };
    Ok(DeliverySheet {
        request: request.clone(),
        number: head.number,
        unit_name: head.unit_name,
        system_name: head.system_name,
        settled_at: head.settled_at,
        lines,
        failed,
        call,
    })
}
