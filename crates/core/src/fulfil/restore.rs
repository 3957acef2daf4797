//! A new disk out of a snapshot or a backup, with its price and quota told before: at once, or, where somebody
//! has to agree, by a request ([`crate::service::request::change`]) whose last approval begins it.
//!
//! It takes what the disk took of which the copy is: by the same version of the item, at the
//! size of that moment, at today's price. What it takes is held with the act or from the submit on
//! and becomes use in the transaction that ends the saga; if the cloud refuses, it is given back
//! there.

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{Call, ExternalId, Object, PoolRef, VolumeSpec},
};
use lingbao_model::{
    change::{CopyId, Plan},
    id::{RequestId, ResourceId, UserId},
    money::Money,
    msg::Msg,
    param::Answers,
    placement::Pool,
    quota::{Amounts, Demand, PoolShortfall, Shortfall},
    request::Outcome,
    resource::{EventKind, ServiceState},
    text,
    time::{Timestamp, Zone},
    verdict,
    view::resource::{Act, RestoreView, Restoring},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    acts::{came_before, conflict, not_now, ready},
    change,
    cloud_limit::{Limited, Whose},
    step::{CallStep, Undo},
};
use crate::{
    app::Cx,
    audit,
    authz::{Ability, Access, Scope},
    error::{OrNotFound, ServiceError, StorageError},
    saga::{self, End, Ended, Saga, Step},
    service::{
        notice,
        refusal::traced,
        request::{
            change::{
                restore::{Kept, NAME_MAX, gone, is_closed, makable, offered},
                think::in_the_way,
            },
            ground::route_of_one_more,
            route,
        },
    },
    storage::{
        ReadTx, Tx, change as topics, cloud, fulfilment, place, project, quota,
        request::Request,
        resource::{self, Resource},
        resource_action, room,
    },
};

/// What is made out of what. Written once when it starts: a later change of the catalogue does not
/// reach it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Params {
    /// The disk of which the copy is.
    pub resource: ResourceId,
    /// The copy.
    #[serde(rename = "snapshot")]
    pub copy: CopyId,
    /// The resource that the new disk becomes.
    pub new: ResourceId,
    /// Its backend.
    pub backend: String,
    /// The backend's name of the copy.
    #[serde(rename = "snapshot_external_id")]
    pub copy_external_id: String,
    /// The backend's name of the project.
    pub project: String,
    /// The backend's name of the pool.
    pub backend_pool: String,
    /// Name of the new disk.
    pub name: String,
    /// Its answers.
    pub answers: Answers,
    /// What it takes from the quota.
    pub amounts: Amounts,
    /// Its month price.
    pub month: Money,
    /// Price version.
    pub price_version: i64,
    /// End of its term.
    pub expires_at: Timestamp,
    /// Who asked.
    pub actor: UserId,
    /// The request by which it was agreed to; none if it was made at once.
    #[serde(default)]
    pub request: Option<RequestId>,
}

// ---- saga

/// The saga.
pub struct Restore {
    backends: Arc<Backends>,
}

impl Restore {
    /// A saga that restores at these backends.
    #[must_use]
    pub const fn new(backends: Arc<Backends>) -> Self {
        Self { backends }
    }
}

#[async_trait]
impl Saga for Restore {
    const KIND: &'static str = "restore";
    const VERSION: i64 = 1;
    type Params = Params;

    fn steps(&self, params: &Params) -> Vec<Box<dyn Step>> {
        let backend = self.backends.get_or_absent(&params.backend);
        let size = params.answers.integer("size_gb").unwrap_or(0);
        let from = ExternalId(params.copy_external_id.clone());
        let spec = VolumeSpec {
            project: ExternalId(params.project.clone()),
            pool: PoolRef(params.backend_pool.clone()),
            name: params.name.clone(),
            size_gb: u32::try_from(size).unwrap_or(0),
            volume_type: params.answers.text("disk_class").map(str::to_owned),
        };
        let call = match params.copy {
            CopyId::Snapshot(_) => Call::RestoreSnapshot {
                snapshot: from,
                spec,
            },
            CopyId::Backup(_) => Call::RestoreBackup { backup: from, spec },
        };
        let make = move |_: &saga::StepCx| Ok(call.clone());
        let step = CallStep::boxed("volume", backend.clone(), Undo::Delete, Box::new(make));
        let whose = Whose::Of(params.resource.clone());
        vec![Limited::boxed(step, backend, whose)]
    }

    async fn ended(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        ended: &Ended<'_, Params>,
    ) -> Result<(), StorageError> {
        let params = ended.params;
        resource_action::end(tx, &params.resource, ended.saga).await?;
        let scope = Scope::system(cx)
            .map_err(|e| StorageError::inconsistent("saga", "actor", ended.saga.as_str(), e))?;
        let source = resource::get(tx, &scope, &params.resource)
            .await?
            .ok_or_else(|| {
                StorageError::inconsistent("saga", "params", ended.saga.as_str(), "no such disk")
            })?;
        let (unit, agreed) = (format!("unit:{}", source.unit), params.request.as_ref());
        let made: Option<Object> = ended
            .outputs
            .get("volume")
            .and_then(|value| serde_json::from_value(value.clone()).ok());
        match (ended.end, made) {
            (End::Done, Some(object)) => {
                deliver(tx, cx, params, &source, object.id().as_str()).await?;
                if let Some(request) = agreed {
                    let said = format!("request.history.changed.{}", params.copy.what());
                    let said = Msg::new(said);
                    let done = (Outcome::Complete, &said, None);
                    change::close(tx, cx, request, &params.resource, done).await?;
                }
            }
            // The hold stays as long as something stands in the cloud, and so does the request.
            (End::Residue(_), _) if agreed.is_some() => {}
            (End::Residue(_), _) => tell_failure(tx, cx, ended, &source).await?,
            (End::Done | End::Undone, _) => {
                quota::release_part(tx, cx, &booking("release", &source, params)).await?;
                match agreed {
                    Some(request) => {
                        let reason = ended.why();
                        let said = Msg::new("request.history.not_restored");
                        let said = said.with("reason", reason.clone());
                        let told = Msg::new(words(&params.copy).not_restored)
                            .with("name", source.name.clone())
                            .with("reason", reason);
                        let failed = (Outcome::Failed, &said, Some(told));
                        change::close(tx, cx, request, &params.resource, failed).await?;
                    }
                    None => tell_failure(tx, cx, ended, &source).await?,
                }
            }
        }
        topics::touch(tx, cx, &unit).await
    }
}

pub(super) fn booking(what: &str, source: &Resource, params: &Params) -> quota::Booking {
    quota::Booking {
        operation: format!("{what}:{}", params.new),
        vdc: source.vdc.clone(),
        request: params.request.clone(),
        demand: demand(source, &params.amounts),
    }
}

fn demand(source: &Resource, amounts: &Amounts) -> Demand {
    source
        .placement
        .iter()
        .map(|place| (place.pool.clone(), amounts.clone()))
        .collect()
}

/// How one kind of copy is spoken of.
struct Words {
    event: EventKind,
    act: Act,
    audit: &'static str,
    restored: &'static str,
    failed: &'static str,
    not_restored: &'static str,
}

const fn words(copy: &CopyId) -> Words {
    match copy {
        CopyId::Snapshot(_) => Words {
            event: EventKind::SnapshotRestored,
            act: Act::Restore,
            audit: "snapshot.restore",
            restored: "resource.restored",
            failed: "resource.restore_failed",
            not_restored: "notice.not_restored",
        },
        CopyId::Backup(_) => Words {
            event: EventKind::BackupRestored,
            act: Act::RestoreBackup,
            audit: "backup.restore",
            restored: "resource.backup_restored",
            failed: "resource.backup_restore_failed",
            not_restored: "notice.backup_not_restored",
        },
    }
}

/// Writes the new disk down and turns its hold into use.
async fn deliver(
    tx: &mut Tx,
    cx: &Cx,
    params: &Params,
    source: &Resource,
    external_id: &str,
) -> Result<(), StorageError> {
    // Two disks of one line may be made at one moment: each takes its number alone.
    fulfilment::lock(tx, &source.request).await?;
    let new = resource::New {
        id: &params.new,
        unit: &source.unit,
        vdc: &source.vdc,
        system: &source.system,
        request: &source.request,
        item: &source.item,
        piece: resource::next_piece(tx, &source.item).await?,
        code: &source.code,
        item_version: source.item_version.as_str(),
        kind: source.kind,
        name: &params.name,
        placement: source.placement.as_ref(),
        backend: Some(&params.backend),
        external_id: Some(external_id),
        address: None,
        attached_to: None,
        answers: &params.answers,
        amounts: &params.amounts,
        month: params.month,
        price_version: params.price_version,
        delivered_at: cx.now(),
        expires_at: params.expires_at,
    };
    resource::insert(tx, &cx.id(), &new).await?;
    resource::begin_without_trial(tx, &params.new, &params.copy, cx.now()).await?;
    quota::convert(tx, cx, &booking("convert", source, params), &params.new).await?;
    let words = words(&params.copy);
    let (actor, event) = (params.actor.as_str(), words.event);
    resource::add_event(tx, &cx.id(), &source.id, event, actor, cx.now()).await?;
    let msg = Msg::new(words.restored)
        .with("name", source.name.clone())
        .with("new", params.name.clone());
    let link = format!("/resources/{}", params.new);
    notice::send(tx, cx, &params.actor, &msg, &link).await
}

async fn tell_failure(
    tx: &mut Tx,
    cx: &Cx,
    ended: &Ended<'_, Params>,
    source: &Resource,
) -> Result<(), StorageError> {
    let msg = Msg::new(words(&ended.params.copy).failed)
        .with("name", source.name.clone())
        .with("reason", ended.why());
    let link = format!("/resources/{}", source.id);
    notice::send(tx, cx, &ended.params.actor, &msg, &link).await
}

// ---- use cases

/// What becomes of it: price, quota before and after, what does not fit.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see the disk or it has no such copy,
/// [`ServiceError::Forbidden`] if it is not the caller's to use, [`ServiceError::Conflict`] if it
/// can't be done now.
pub async fn preview(
    cx: &Cx,
    id: &ResourceId,
    copy: impl Into<CopyId>,
) -> Result<RestoreView, ServiceError> {
    let wanted = copy.into();
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let source = resource::get(&mut rx, &access.scope(Ability::ReadResources), id)
        .await?
        .or_not_found()?;
    for ability in [Ability::OperateResources, Ability::Order] {
        access.require_on(&mut rx, ability, &source.unit).await?;
    }
    let copy = Kept::get(&mut rx, id, &wanted).await?.or_not_found()?;
    if !matches!(
        source.service,
        ServiceState::Running | ServiceState::Stopped
    ) {
        return not_now(&source);
    }
    if !copy.is_ready {
        return conflict(copy.not_ready());
    }
    let backend = source.backend.clone().unwrap_or_default();
    if !cloud::able(&mut rx, &backend)
        .await?
        .contains(&words(&wanted).act)
    {
        return conflict("resource.cloud_can_not");
    }
    let offered = offered(&mut rx, &source, &copy).await?;
    let account = quota::account(&mut rx, &source.vdc).await?;
    let demand = demand(&source, &offered.amounts);
    let pools = place::pools(&mut rx).await?;
    let short = |s: &Shortfall| verdict::shortfall_msg("verdict.over_quota", s, &pools);
    let mut blocks: Vec<Msg> = account.shortfalls(&demand).iter().map(short).collect();
    if is_closed(&pools, &source) {
        blocks.push(Msg::new("resource.pool_closed"));
    }
    let (ground, asked) = route_of_one_more(&mut rx, &source, offered.quote.each).await?;
    // What is only asked for waits its turn among the requests that are about the disk.
    if asked.is_automatic() {
        let short = room::short(&mut rx, &demand).await?;
        blocks.extend(short.iter().map(|s| no_room(s, &pools)));
    } else {
        blocks.extend(in_the_way(&mut rx, &source, wanted.what(), None).await?);
    }
    let upper = ground.around.has_upper;
    let stages = route::plan(&mut rx, &access.user, &source.unit, upper, &asked).await?;
    let name = match copy.name() {
        "" => format!("{}-{}", source.name, Zone::SHANGHAI.date(copy.at)),
        name => format!("{}-{name}", source.name),
    };
    Ok(RestoreView {
        resource: source.id.clone(),
        resource_name: source.name.clone(),
        name: name.chars().take(NAME_MAX).collect(),
        snapshot: copy.snapshot,
        backup: copy.backup,
        size_gb: copy.size_gb,
        quote: offered.quote,
        changes: account.changes(&demand),
        blocks,
        route: route::views(&stages),
        pools: pools
            .iter()
            .filter(|p| demand.contains_key(&p.id))
            .map(|p| (p.id.clone(), p.name.clone()))
            .collect(),
        expires_at: source.expires_at,
    })
}

fn no_room(short: &PoolShortfall, pools: &[Pool]) -> Msg {
    verdict::pool_shortfall_msg("verdict.no_room", short, pools)
}

/// Makes a new disk out of a copy. `month` is the price that was shown: if today's is another
/// one, the caller looks again.
///
/// # Errors
/// Those of [`preview`]; [`ServiceError::Invalid`] on `name`, [`ServiceError::QuotaExceeded`] with an
/// [`OverQuota`], [`ServiceError::Conflict`] if the price has changed meanwhile.
pub async fn restore(
    cx: &Cx,
    id: &ResourceId,
    copy: impl Into<CopyId>,
    name: &str,
    month: Money,
    form: &str,
) -> Result<Option<Restoring>, ServiceError> {
    let copy = copy.into();
    let result = restore_once(cx, id, &copy, name, month, form).await;
    traced(cx, result, || {
        audit::Event::new(words(&copy).audit, "resource", id).detail(json!({ copy.field(): copy }))
    })
    .await
}

async fn restore_once(
    cx: &Cx,
    id: &ResourceId,
    wanted: &CopyId,
    name: &str,
    month: Money,
    form: &str,
) -> Result<Option<Restoring>, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let ready = ready(&mut tx, &access, id, words(wanted).act).await?;
    let source = &ready.found;
    access
        .require_on(&mut tx, Ability::Order, &source.unit)
        .await?;
    let copy = Kept::get(&mut tx, id, wanted).await?.or_not_found()?;
    if came_before(&mut tx, cx, &access, id, form).await? {
        return Ok(None);
    }
    let name = text::line("name", name, 1, NAME_MAX).map_err(|e| ServiceError::Invalid(vec![e]))?;
    makable(&mut tx, source, &copy).await?;
    let offered = offered(&mut tx, source, &copy).await?;
    if offered.quote.each != month {
        return conflict("resource.price_changed");
    }
    // An act at once is no way round those who sign.
    let (_, asked) = route_of_one_more(&mut tx, source, month).await?;
    if !asked.is_automatic() {
        return conflict("resource.restore_needs_consent");
    }
    let plan = offered.plan(source, &copy, name);
    let params = start(&mut tx, cx, source, &copy, plan, (&access.user, None)).await?;
    let short = quota::hold(&mut tx, cx, &booking("hold", source, &params)).await?;
    if !short.is_empty() {
        return Err(over_quota(&mut tx, short).await?);
    }
    // Nor round those whose requests were approved.
    let takes = demand(source, &params.amounts);
    if let Some(short) = room::hold(&mut tx, &takes).await?.first() {
        let pools = place::pools(&mut tx).await?;
        return Err(ServiceError::Conflict(no_room(short, &pools)));
    }
    topics::touch(&mut tx, cx, &format!("unit:{}", source.unit)).await?;
    let event = audit::Event::new(words(wanted).audit, "resource", id)
        .of_unit(&source.unit)
        .detail(json!({ wanted.field(): wanted, "new": params.new, "month": params.month }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(Some(Restoring {
        resource: params.new,
    }))
}

/// Begins the saga, with the disk booked for it. What it takes is held by whoever calls.
async fn start(
    tx: &mut Tx,
    cx: &Cx,
    source: &Resource,
    copy: &Kept,
    plan: Plan,
    (actor, request): (&UserId, Option<&RequestId>),
) -> Result<Params, ServiceError> {
    let (Some(place), Some(backend), Some(disk)) =
        (&source.placement, source.backend.clone(), plan.disk)
    else {
        return conflict("resource.no_disk");
    };
    let Some(copy_external_id) = copy.external_id.clone() else {
        return conflict(copy.not_ready());
    };
    let Some(project) = project::project(tx, &source.vdc, &backend).await? else {
        return conflict("resource.not_in_cloud");
    };
    let site = fulfilment::pool_site(tx, &place.pool).await?;
    let params = Params {
        resource: source.id.clone(),
        copy: disk.copy,
        new: cx.id(),
        backend,
        copy_external_id,
        project,
        backend_pool: site.backend_pool,
        name: disk.name,
        answers: plan.will.answers,
        amounts: plan.will.amounts,
        month: plan.will.month,
        price_version: plan.will.price_version,
        expires_at: plan.will.until,
        actor: actor.clone(),
        request: request.cloned(),
    };
    let subject = request.map_or(source.id.as_str(), RequestId::as_str);
    let saga = saga::start::<Restore>(tx, cx, subject, &params).await?;
    let by = actor.as_str();
    let what = params.copy.what().as_str();
    if !resource_action::begin(tx, &source.id, &saga, what, by, cx.now()).await? {
        return conflict("resource.busy_now");
    }
    Ok(params)
}

/// Begins a restore that was agreed to, in the transaction of the approval. What was agreed to
/// holds: its price, its size and the end of its term; and the hold is that of the request.
///
/// # Errors
/// [`ServiceError::Conflict`] if the copy is gone, nothing new may stand there any more, or the
/// term is over; nothing of the transaction may be committed then.
pub(super) async fn begin_agreed(
    tx: &mut Tx,
    cx: &Cx,
    request: &Request,
    source: &Resource,
    plan: Plan,
) -> Result<(), ServiceError> {
    let Some(wanted) = plan.disk.as_ref().map(|disk| disk.copy.clone()) else {
        return conflict("resource.no_disk");
    };
    let Some(copy) = Kept::get(tx, &source.id, &wanted).await? else {
        return conflict(gone(&wanted));
    };
    makable(tx, source, &copy).await?;
    if plan.will.until <= cx.now() {
        return conflict("resource.restore_term_over");
    }
    let by = (&request.applicant, Some(&request.id));
    start(tx, cx, source, &copy, plan, by).await?;
    Ok(())
}

/// The answer to more than is left.
pub(super) async fn over_quota(
    rx: &mut ReadTx,
    shortfalls: Vec<Shortfall>,
) -> Result<ServiceError, ServiceError> {
    let pools = place::pools(rx).await?;
    let key = "verdict.over_quota";
    Ok(ServiceError::over_quota(key, shortfalls, &pools, None))
}
