//! The recycle bin (回收站) from inside: what lies in it, taking it back, erasing it before its time,
//! and the job that erases it when its time is over.
//!
//! Taking back changes our rows alone: disks are where they were, and hosts come back switched off.
//! It and the job that erases lock the row, look whether it still lies there with nothing under way,
//! and so never both have it.

use async_trait::async_trait;
use lingbao_model::{
    catalogue::Fulfiller,
    id::{ResourceEventId, ResourceId},
    money::Money,
    msg::Msg,
    quota::{Demand, Shortfall},
    request::TRIAL_DAYS,
    resource::{BillingState, EventKind, ServiceState, days_left},
    time::Zone,
    verdict,
    view::{bin::BinView, difference::DifferenceKind, resource::Related},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    acts::{came_before, conflict, not_now},
    release,
    restore::over_quota,
};
use crate::{
    app::Cx,
    audit,
    authz::{Ability, Access, Scope},
    error::{OrNotFound, ServiceError, StorageError},
    jobs::{Handler, Job, JobError, Registry, Run},
    service::refusal::traced,
    storage::{
        ReadTx, Tx,
        bin::{self, Lying},
        change, difference, fulfilment, place, quota,
        resource::{self, Resource},
        resource_action, snapshot,
    },
};

const MINUTE_MS: i64 = 60_000;
/// So much is looked at in one round of the job.
const SLICE: i64 = 200;

// ---- erasing when the time is over

/// Erases what has lain in the bin long enough.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EraseDue {}
impl Job for EraseDue {
    const KIND: &'static str = "bin.erase";
}

/// Adds the handler and its schedule.
#[must_use]
pub fn wire(registry: Registry) -> Registry {
    registry
        .handle::<EraseDue>(Eraser)
        .every(10 * MINUTE_MS, EraseDue {})
}

struct Eraser;

#[async_trait]
impl Handler<EraseDue> for Eraser {
    async fn run(&self, run: &Run, _: EraseDue) -> Result<(), JobError> {
        loop {
            let cx = run.cx();
            let mut rx = run.app().db.read().await?;
            let due = bin::due(&mut rx, cx.now(), SLICE).await?;
            drop(rx);
            let mut begun = 0;
            // What was given back together is erased together: disks before their hosts.
            let mut left = due.as_slice();
            while let Some((request, _)) = left.first() {
                let own = left.iter().filter(|(of, _)| of == request);
                let ids: Vec<ResourceId> = own.map(|(_, id)| id.clone()).collect();
                let mut tx = run.begin().await?;
                begun += release::erase(&mut tx, &cx, request, &ids, None, cx.now()).await?;
                tx.commit().await?;
                let rest = left.iter().position(|(of, _)| of != request);
                left = rest.and_then(|at| left.get(at..)).unwrap_or_default();
            }
            if begun == 0 {
                return Ok(());
            }
        }
    }
}

// ---- taking back

/// A thing of the bin with what comes back with it, itself first.
struct Group {
    things: Vec<(Resource, Lying)>,
    host: Option<Related>,
}

impl Group {
    fn demand(&self) -> Demand {
        let mut demand = Demand::new();
        for (thing, lying) in &self.things {
            if let Some(place) = &thing.placement {
                demand
                    .entry(place.pool.clone())
                    .or_default()
                    .add_all(&lying.freed);
            }
        }
        demand
    }

    fn month(&self) -> Money {
        self.things
            .iter()
            .fold(Money::ZERO, |sum, (thing, _)| sum + thing.month)
    }
}

/// What hangs on a thing in the bin and went there with it.
async fn hung(
    rx: &mut ReadTx,
    scope: &Scope,
    found: &Resource,
    lying: &Lying,
) -> Result<Vec<(Resource, Lying)>, StorageError> {
    let mut all = Vec::new();
    for one in resource::attachments(rx, &found.id).await? {
        let Some(thing) = resource::get(rx, scope, &one.id).await? else {
            continue;
        };
        if thing.service != ServiceState::Recycled {
            continue;
        }
        if let Some(own) = bin::lying(rx, &thing.id).await?
            && own.request == lying.request
        {
            all.push((thing, own));
        }
    }
    Ok(all)
}

async fn group(rx: &mut ReadTx, scope: &Scope, found: Resource) -> Result<Group, ServiceError> {
    let lying = bin::lying(rx, &found.id).await?;
    let Some(lying) = lying.filter(|_| found.service == ServiceState::Recycled) else {
        return not_now(&found);
    };
    let host = match &found.attached_to {
        Some(host) if bin::holds(rx, host).await? => resource::related_to(rx, host).await?,
        _ => None,
    };
    let mut things = hung(rx, scope, &found, &lying).await?;
    things.insert(0, (found, lying));
    Ok(Group { things, host })
}

/// Why it can't be taken back now, whatever the quota says.
async fn blocks(rx: &mut ReadTx, cx: &Cx, group: &Group) -> Result<Vec<Msg>, StorageError> {
    let mut all = Vec::new();
    if let Some(host) = &group.host {
        all.push(Msg::new("bin.with_its_host").with("name", host.name.clone()));
    }
    for (thing, lying) in &group.things {
        if resource_action::current(rx, &thing.id).await?.is_some() {
            all.push(Msg::new("bin.being_erased").with("name", thing.name.clone()));
        } else if bin::erasing_began(rx, &thing.id, lying.since).await? {
            // Given up half way, nobody knows how much of it the cloud still has.
            all.push(Msg::new("bin.erasing_began").with("name", thing.name.clone()));
        }
        if thing.expires_at <= cx.now() {
            let day = Zone::SHANGHAI.date(thing.expires_at);
            let msg = Msg::new("bin.term_over").with("name", thing.name.clone());
            all.push(msg.with("day", day));
        }
        let said = difference::of_resource(rx, &thing.id).await?;
        if said.iter().any(|row| row.kind == DifferenceKind::Missing) {
            all.push(Msg::new("bin.lost").with("name", thing.name.clone()));
        }
    }
    Ok(all)
}

/// A thing in the bin: until when, what comes back with it, what that takes and costs.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see it, [`ServiceError::Conflict`] if it does not
/// lie in the bin.
pub async fn view(cx: &Cx, id: &ResourceId) -> Result<BinView, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let scope = access.scope(Ability::ReadResources);
    let found = resource::get(&mut rx, &scope, id).await?.or_not_found()?;
    let may_take_back = owns(&mut rx, &access, &found).await?;
    let erases = access
        .require_on(&mut rx, Ability::EraseResources, &found.unit)
        .await;
    let group = group(&mut rx, &scope, found).await?;
    let Some((thing, lying)) = group.things.first() else {
        return Err(ServiceError::NotFound);
    };
    let head = fulfilment::head(&mut rx, &lying.request)
        .await?
        .or_not_found()?;
    let busy = resource_action::current(&mut rx, id).await?.is_some();
    let may_erase = erases.is_ok() && head.applicant != access.user && !busy;
    let account = quota::account(&mut rx, &thing.vdc).await?;
    let demand = group.demand();
    let pools = place::pools(&mut rx).await?;
    let mut blocks = blocks(&mut rx, cx, &group).await?;
    let short = |s: &Shortfall| verdict::shortfall_msg("verdict.over_quota", s, &pools);
    blocks.extend(account.shortfalls(&demand).iter().map(short));
    let erase_at = thing.erase_at.unwrap_or(cx.now());
    let related = |(thing, _): &(Resource, Lying)| Related {
        id: thing.id.clone(),
        name: thing.name.clone(),
        kind: thing.kind,
    };
    let snapshots = snapshot::of_resource(&mut rx, id).await?.len();
    Ok(BinView {
        resource: thing.id.clone(),
        name: thing.name.clone(),
        kind: thing.kind,
        request: head.id,
        request_number: head.number,
        recycled_at: lying.since,
        erase_at,
        days_left: days_left(cx.now(), erase_at),
        month: group.month(),
        expires_at: thing.expires_at,
        with: group.things.iter().skip(1).map(related).collect(),
        host: group.host.clone(),
        snapshots: i64::try_from(snapshots).unwrap_or(i64::MAX),
        changes: account.changes(&demand),
        pools: pools
            .iter()
            .filter(|p| demand.contains_key(&p.id))
            .map(|p| (p.id.clone(), p.name.clone()))
            .collect(),
        blocks,
        may_take_back,
        may_erase,
    })
}

/// Whether the caller may take things of a unit back: who orders for it and operates its things.
async fn owns(rx: &mut ReadTx, access: &Access, found: &Resource) -> Result<bool, ServiceError> {
    for ability in [Ability::OperateResources, Ability::Order] {
        match access.require_on(rx, ability, &found.unit).await {
            Ok(()) => {}
            Err(ServiceError::Forbidden) => return Ok(false),
            Err(other) => return Err(other),
        }
    }
    Ok(true)
}

/// Takes a thing back out of the bin, with what hangs on it there. The quota is booked again; price
/// and term are those of before; a host comes back switched off.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Conflict`] if it does not
/// lie there, is being erased, its term is over, its cloud has lost it or it comes back with its host;
/// [`ServiceError::QuotaExceeded`] with an [`OverQuota`](lingbao_model::view::request::OverQuota).
pub async fn take_back(cx: &Cx, id: &ResourceId, form: &str) -> Result<(), ServiceError> {
    let result = take_back_once(cx, id, form).await;
    traced(cx, result, || {
        audit::Event::new("resource.take_back", "resource", id)
    })
    .await
}

async fn take_back_once(cx: &Cx, id: &ResourceId, form: &str) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let scope = access.scope(Ability::ReadResources);
    let seen = resource::get(&mut tx, &scope, id).await?.or_not_found()?;
    if !owns(&mut tx, &access, &seen).await? {
        return Err(ServiceError::Forbidden);
    }
    // All in one order, as whoever erases them locks them.
    let mut all = vec![id.clone()];
    let on_it = resource::attachments(&mut tx, id).await?;
    all.extend(on_it.into_iter().map(|one| one.id));
    all.sort();
    for one in &all {
        resource_action::lock(&mut tx, one).await?;
    }
    if came_before(&mut tx, cx, &access, id, form).await? {
        return Ok(());
    }
    let found = resource::get(&mut tx, &scope, id).await?.or_not_found()?;
    let unit = found.unit.clone();
    let group = group(&mut tx, &scope, found).await?;
    if let Some(msg) = blocks(&mut tx, cx, &group).await?.into_iter().next() {
        return Err(ServiceError::Conflict(msg));
    }
    book(&mut tx, cx, &group).await?;
    for (thing, lying) in &group.things {
        come_back(&mut tx, cx, thing, lying, access.user.as_str()).await?;
    }
    change::touch(&mut tx, cx, &format!("unit:{unit}")).await?;
    let things: Vec<_> = group.things.iter().map(|(thing, _)| &thing.id).collect();
    let event = audit::Event::new("resource.take_back", "resource", id)
        .of_unit(&unit)
        .detail(json!({ "resources": things, "month": group.month() }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(())
}

/// Books what was free meanwhile, all of it or nothing.
async fn book(tx: &mut Tx, cx: &Cx, group: &Group) -> Result<(), ServiceError> {
    let Some((first, lying)) = group.things.first() else {
        return Ok(());
    };
    let booking = |operation: String, demand: Demand| quota::Booking {
        operation,
        vdc: first.vdc.clone(),
        request: None,
        demand,
    };
    // A thing comes out of the bin by which one request put it there once.
    let hold = booking(
        format!("unbin:{}:{}", lying.request, first.id),
        group.demand(),
    );
    let short = quota::hold(tx, cx, &hold).await?;
    if !short.is_empty() {
        return Err(over_quota(tx, short).await?);
    }
    for (thing, lying) in &group.things {
        let Some(place) = &thing.placement else {
            continue;
        };
        let own = booking(
            format!("unbin:{}:{}:use", lying.request, thing.id),
            [(place.pool.clone(), lying.freed.clone())].into(),
        );
        quota::convert(tx, cx, &own, &thing.id).await?;
    }
    Ok(())
}

/// One thing is in use again: charged from now, unless its trial run goes on.
async fn come_back(
    tx: &mut Tx,
    cx: &Cx,
    thing: &Resource,
    lying: &Lying,
    actor: &str,
) -> Result<(), StorageError> {
    let now = cx.now();
    // Whoever takes back what was never confirmed has confirmed it.
    let confirmed_at = thing.confirmed_at.unwrap_or(now);
    let trial_until = match thing.confirmed_at {
        Some(_) => thing.trial_until.unwrap_or(now),
        None => now.plus_minutes(TRIAL_DAYS * 24 * 60),
    };
    let charged = trial_until <= now;
    let mut amounts = thing.amounts.clone();
    amounts.add_all(&lying.freed);
    let server = thing.kind == Fulfiller::Server;
    let back = bin::Back {
        service: if server {
            ServiceState::Stopped
        } else {
            ServiceState::Running
        },
        billing: if charged {
            BillingState::Billing
        } else {
            BillingState::Trial
        },
        confirmed_at,
        trial_until,
        billing_from: charged.then_some(now),
        amounts: &amounts,
    };
    bin::take_out(tx, thing, &back).await?;
    let events = [
        Some(EventKind::TakenBack),
        server.then_some(EventKind::Stopped),
        charged.then_some(EventKind::BillingStarted),
    ];
    for event in events.into_iter().flatten() {
        let id: ResourceEventId = cx.id();
        resource::add_event(tx, &id, &thing.id, event, actor, now).await?;
    }
    Ok(())
}

// ---- erasing before the time is over

/// Has a thing erased that lies in the bin, before its time is over. `typed` is its name, by which who
/// acts says which one is meant. Whoever asked for its release does not decide on this.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`] for others than leaders of its unit,
/// [`ServiceError::Invalid`] on `confirm`, [`ServiceError::Conflict`] if it does not lie there, is
/// being erased already, or the caller asked for its release.
pub async fn erase(cx: &Cx, id: &ResourceId, typed: &str, form: &str) -> Result<(), ServiceError> {
    let result = erase_once(cx, id, typed, form).await;
    traced(cx, result, || {
        audit::Event::new("resource.erase", "resource", id)
    })
    .await
}

async fn erase_once(cx: &Cx, id: &ResourceId, typed: &str, form: &str) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let scope = access.scope(Ability::ReadResources);
    let seen = resource::get(&mut tx, &scope, id).await?.or_not_found()?;
    access
        .require_on(&mut tx, Ability::EraseResources, &seen.unit)
        .await?;
    if typed.trim() != seen.name {
        let msg = Msg::new("bin.confirm_wrong").with("name", seen.name);
        return Err(ServiceError::invalid("confirm", msg));
    }
    resource_action::lock(&mut tx, id).await?;
    if came_before(&mut tx, cx, &access, id, form).await? {
        return Ok(());
    }
    let found = resource::get(&mut tx, &scope, id).await?.or_not_found()?;
    let lying = bin::lying(&mut tx, id).await?;
    let Some(lying) = lying.filter(|_| found.service == ServiceState::Recycled) else {
        return not_now(&found);
    };
    let head = fulfilment::head(&mut tx, &lying.request)
        .await?
        .or_not_found()?;
    if head.applicant == access.user {
        return conflict("bin.own_release");
    }
    if resource_action::current(&mut tx, id).await?.is_some() {
        return conflict("resource.busy_now");
    }
    bin::lie_until(&mut tx, id, cx.now()).await?;
    let (request, ids) = (&lying.request, std::slice::from_ref(id));
    release::erase(&mut tx, cx, request, ids, Some(&access.user), cx.now()).await?;
    let event = audit::Event::new("resource.erase", "resource", id)
        .of_unit(&found.unit)
        .detail(json!({ "name": found.name, "was_due": found.erase_at }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(())
}
