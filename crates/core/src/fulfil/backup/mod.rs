//! Backup plans (备份策略) of clouds that have no schedule of their own: the portal makes the backups.
//!
//! ```text
//! each minute: what is due ─▶ job `backup.run`, one a plan
//!   begin   a row for each disk of the host, in one commit, before the cloud is asked
//!   make    each under its row's id: a lost answer is asked for again and makes nothing twice
//!   end     done or failed with the reason; what is older than the plan keeps is to be deleted
//!   drop    until it is gone
//! ```
//!
//! A plan rests while its host lies in the bin: nothing is made then, and nothing deleted. The last
//! backup of a disk stays however old it is, so that a plan which fails for weeks does not end with
//! nothing. What erases a disk or a plan takes its backups along ([`super::release`]).

mod erase;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{
        BackedUp, BackupSpec, Call, CallKind, ExternalId, Kind, Object, OperationId,
        Outcome as Answer, Provisioner, Refusal, RefusalReason, Settled,
    },
};
use lingbao_model::{
    catalogue::Fulfiller,
    change::What,
    id::{BackupId, ResourceId},
    msg::Msg,
    people::Role,
    resource::ServiceState,
    time::{DAY_MS, MINUTE_MS, Timestamp},
    view::backup::BackupState,
};
use serde::{Deserialize, Serialize};

pub(super) use erase::{all_gone, erase};

use self::erase::{Away, take_away};
use super::pieces::schedule;
use crate::{
    app::Cx,
    authz::Scope,
    error::StorageError,
    jobs::{self, Handler, Job, JobError, Registry, Run},
    saga::outside,
    service::notice,
    storage::{
        ReadTx, Tx,
        backup::{self, Backup},
        change, project, request_change,
        resource::{self, Resource},
        resource_action,
    },
};

const HOUR_MS: i64 = 60 * MINUTE_MS;
/// How long a run may take before what it has not made counts as failed.
pub const RUN_MS: i64 = 12 * HOUR_MS;
/// How long the state of a disk may stand against its backup.
const BUSY_MS: i64 = HOUR_MS;
/// How long nobody asks a cloud that gives no answer.
const AWAY_MS: i64 = MINUTE_MS;
/// So many failures in a row are told.
pub const TOLD_AT: i64 = 3;
/// Plans of one look.
const MOST: i64 = 200;

/// Looks for plans that have something to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LookAtPlans {}
impl Job for LookAtPlans {
    const KIND: &'static str = "backup.look";
    const MAX_ATTEMPTS: i64 = 3;
}

/// Runs a plan, or goes on with its run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunPlan {
    /// The plan's resource.
    pub plan: ResourceId,
}
impl Job for RunPlan {
    const KIND: &'static str = "backup.run";
    fn dedup_key(&self) -> Option<String> {
        Some(self.plan.to_string())
    }
}

/// Adds the handlers and the schedule.
#[must_use]
pub fn wire(registry: Registry, backends: &Arc<Backends>) -> Registry {
    registry
        .handle::<LookAtPlans>(Looker)
        .handle::<RunPlan>(Runner(backends.clone()))
        .every(MINUTE_MS, LookAtPlans {})
}

struct Looker;

#[async_trait]
impl Handler<LookAtPlans> for Looker {
    async fn run(&self, run: &Run, _: LookAtPlans) -> Result<(), JobError> {
        let mut tx = run.begin().await?;
        let cx = run.cx();
        for plan in backup::due(&mut tx, cx.now(), MOST).await? {
            jobs::enqueue(&mut tx, &cx, &RunPlan { plan }).await?;
        }
        run.complete(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// A plan and what it is about.
struct Ground {
    plan: Resource,
    backend: String,
    /// The backend's name of the project.
    project: String,
    host: Option<Resource>,
    disks: Vec<Resource>,
}

impl Ground {
    async fn load(rx: &mut ReadTx, cx: &Cx, id: &ResourceId) -> Result<Option<Self>, StorageError> {
        let scope = Scope::system(cx)
            .map_err(|e| StorageError::inconsistent("job", "actor", id.as_str(), e))?;
        let Some(plan) = resource::get(rx, &scope, id).await? else {
            return Ok(None);
        };
        let Some(backend) = plan.backend.clone() else {
            return Ok(None);
        };
        let Some(project) = project::project(rx, &plan.vdc, &backend).await? else {
            return Ok(None);
        };
        let host = match &plan.attached_to {
            Some(host) => resource::get(rx, &scope, host).await?,
            None => None,
        };
        let mut disks = Vec::new();
        if let Some(host) = &host {
            for hung in resource::attachments(rx, &host.id).await? {
                if hung.kind == Fulfiller::Volume {
                    disks.extend(resource::get(rx, &scope, &hung.id).await?);
                }
            }
        }
        Ok(Some(Self {
            plan,
            backend,
            project,
            host,
            disks,
        }))
    }

    fn stands(&self) -> bool {
        stands(self.plan.service, self.host.as_ref().map(|h| h.service))
    }

    /// Everything whose backup is due now, with the backend's name of it.
    fn to_back_up(&self) -> Vec<(&ResourceId, &str)> {
        let all = self.host.iter().chain(&self.disks);
        let stand = all.filter(|one| is_there(one.service));
        stand
            .filter_map(|one| Some((&one.id, one.external_id.as_deref()?)))
            .collect()
    }

    fn every_ms(&self) -> i64 {
        i64::from(schedule(&self.plan.answers).0.max(1)) * HOUR_MS
    }

    fn keep_ms(&self) -> i64 {
        i64::from(schedule(&self.plan.answers).1.max(1)) * DAY_MS
    }
}

const fn is_there(service: ServiceState) -> bool {
    matches!(service, ServiceState::Running | ServiceState::Stopped)
}

/// Whether a plan runs, by what it and its host do; it rests while either lies in the bin.
#[must_use]
pub const fn stands(plan: ServiceState, host: Option<ServiceState>) -> bool {
    match host {
        Some(host) => is_there(plan) && is_there(host),
        None => false,
    }
}

/// Milliseconds between two questions, the longer the longer it takes.
fn pause(since: Timestamp, now: Timestamp, asked: u64) -> i64 {
    let asked = i64::try_from(asked).unwrap_or(1_000).clamp(50, MINUTE_MS);
    ((now.millis() - since.millis()) / 12).clamp(asked, 10 * MINUTE_MS)
}

/// Why a backup was not made, for the owner; the cloud's own words stay with the operator.
fn plain(refusal: &Refusal) -> Msg {
    Msg::new(match refusal.reason {
        RefusalReason::NoCapacity | RefusalReason::NoAddress => "backup.failure.no_capacity",
        RefusalReason::QuotaExceeded => "backup.failure.quota",
        RefusalReason::NotFound => "backup.failure.not_found",
        RefusalReason::Conflict => "backup.failure.busy",
        RefusalReason::Denied => "backup.failure.denied",
        RefusalReason::Broken | RefusalReason::Cancelled => "backup.failure.broken",
        RefusalReason::InvalidSpec | RefusalReason::Unsupported | RefusalReason::NoAgent => {
            "backup.failure.unsupported"
        }
    })
}

/// That it is not over: in how many milliseconds to ask again, and what is waited for.
type Waits = Option<(i64, String)>;

struct Runner(Arc<Backends>);

#[async_trait]
impl Handler<RunPlan> for Runner {
    async fn run(&self, run: &Run, job: RunPlan) -> Result<(), JobError> {
        let cx = run.cx();
        let mut rx = run.app().db.read().await?;
        let ground = Ground::load(&mut rx, &cx, &job.plan).await?;
        let running = backup::running(&mut rx, &job.plan).await?;
        drop(rx);
        let Some(ground) = ground else {
            return Ok(());
        };
        let again = |ms: i64| run.cx().now().plus_millis(ms);
        let Some(cloud) = self.0.get(&ground.backend) else {
            let why = "the configuration has no such backend";
            return Err(JobError::wait(again(AWAY_MS), why));
        };
        let cloud: &dyn Provisioner = &**cloud;
        // What is over is ended as failed, whether the cloud answers or not.
        let over = running
            .as_ref()
            .is_some_and(|it| it.running && it.begun_at.plus_millis(RUN_MS) <= cx.now());
        if !over && outside::is_away(&cx, &ground.backend).await {
            let why = format!("{} is away", ground.backend);
            return Err(JobError::wait(again(AWAY_MS), why));
        }
        let mut under_way = running.as_ref().is_some_and(|it| it.running);
        let due = running.as_ref().is_none_or(|it| it.next_at <= cx.now());
        if !under_way && due && ground.stands() {
            let able = match cloud.capabilities().await {
                Ok(able) => able.calls.contains(&CallKind::CreateBackup),
                Err(error) => return Err(JobError::wait(again(AWAY_MS), error.to_string())),
            };
            if !begin(run, &job.plan, able).await? {
                let why = "something else is being done to the host or the plan";
                return Err(JobError::wait(again(MINUTE_MS), why));
            }
            under_way = able;
        }
        let mut rx = run.app().db.read().await?;
        let begun = backup::running(&mut rx, &job.plan).await?;
        drop(rx);
        let begun = begun.map_or(cx.now(), |it| it.begun_at);
        if under_way {
            if let Some((ms, why)) = make_all(run, cloud, &ground, begun).await? {
                return Err(JobError::wait(again(ms), why));
            }
            end(run, cloud, &ground).await?;
        }
        if ground.plan.service == ServiceState::Released {
            drop_all(run, &job.plan).await?;
        }
        match take_all_away(run, cloud, &job.plan, begun).await? {
            Some((ms, why)) => Err(JobError::wait(again(ms), why)),
            None => Ok(()),
        }
    }
}

/// A run begins: a row for each disk. `false`, with nothing written, while something is done to the
/// host, the plan or a disk. A cloud that is not `able` runs its plans by itself.
async fn begin(run: &Run, plan: &ResourceId, able: bool) -> Result<bool, JobError> {
    let mut tx = run.begin().await?;
    let cx = run.cx();
    let Some(seen) = Ground::load(&mut tx, &cx, plan).await? else {
        return Ok(true);
    };
    let disks = seen.disks.iter().map(|disk| disk.id.clone());
    let all: BTreeSet<ResourceId> = disks
        .chain(seen.host.iter().map(|host| host.id.clone()))
        .chain([plan.clone()])
        .collect();
    for id in &all {
        resource_action::lock(&mut tx, id).await?;
        if resource_action::current(&mut tx, id).await?.is_some() {
            return Ok(false);
        }
    }
    let Some(ground) = Ground::load(&mut tx, &cx, plan).await? else {
        return Ok(true);
    };
    let known = |id: &ResourceId| all.contains(id);
    if !ground.stands() || !ground.to_back_up().iter().all(|(id, _)| known(id)) {
        return Ok(false);
    }
    let next = cx.now().plus_millis(ground.every_ms());
    backup::begin(&mut tx, plan, cx.now(), next, able).await?;
    if able {
        for of in ground.to_back_up() {
            backup::insert(&mut tx, &cx.id(), plan, of, cx.now()).await?;
        }
    }
    touch(&mut tx, &cx, &ground.plan).await?;
    tx.commit().await?;
    Ok(true)
}

async fn touch(tx: &mut Tx, cx: &Cx, plan: &Resource) -> Result<(), StorageError> {
    change::touch(tx, cx, &format!("unit:{}", plan.unit)).await
}

async fn of_plan(
    rx: &mut ReadTx,
    plan: &ResourceId,
    state: BackupState,
) -> Result<Vec<Backup>, StorageError> {
    let mut all = backup::of_resource(rx, plan).await?;
    all.retain(|one| one.row.state == state);
    Ok(all)
}

/// Of two waits the shorter one.
fn sooner(a: Waits, b: Waits) -> Waits {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Makes what is not made yet; what is still waited for.
async fn make_all(
    run: &Run,
    cloud: &dyn Provisioner,
    ground: &Ground,
    begun: Timestamp,
) -> Result<Waits, JobError> {
    let mut rx = run.app().db.read().await?;
    let all = of_plan(&mut rx, &ground.plan.id, BackupState::Making).await?;
    drop(rx);
    let mut waits = None;
    for one in all {
        waits = sooner(waits, make(run, cloud, ground, begun, &one).await?);
    }
    Ok(waits)
}

async fn make(
    run: &Run,
    cloud: &dyn Provisioner,
    ground: &Ground,
    begun: Timestamp,
    one: &Backup,
) -> Result<Waits, JobError> {
    let there = ExternalId(one.of_external.clone());
    let spec = BackupSpec {
        project: ExternalId(ground.project.clone()),
        of: match one.row.of_kind {
            Fulfiller::Server => BackedUp::SystemDisk(there),
            _ => BackedUp::Volume(there),
        },
        name: one.row.of_name.clone(),
    };
    let (id, name) = (&one.row.id, cloud.name());
    let operation = OperationId(id.to_string());
    let answer = cloud.execute(&operation, Call::CreateBackup { spec }).await;
    let now = run.cx().now();
    let within = |ms: i64| now.millis() - begun.millis() < ms;
    let failure = match answer {
        Answer::Done(Settled::Present(object)) => {
            let size_gb = match &*object {
                Object::Backup(made) => i64::from(made.size_gb),
                _ => 0,
            };
            let mut tx = run.begin().await?;
            backup::made(&mut tx, id, object.id().as_str(), size_gb).await?;
            tx.commit().await?;
            return Ok(None);
        }
        Answer::Done(Settled::Gone) => Msg::new("backup.failure.gone"),
        Answer::Running { retry_after_ms, .. } if within(RUN_MS) => {
            let ms = pause(begun, now, retry_after_ms);
            return Ok(Some((ms, format!("{name} makes backups"))));
        }
        Answer::Running { .. } => Msg::new("backup.failure.too_long"),
        // What is between two states comes to rest.
        Answer::Refused(refusal)
            if refusal.reason == RefusalReason::Conflict && within(BUSY_MS) =>
        {
            let ms = pause(begun, now, 5_000);
            return Ok(Some((ms, refusal.to_string())));
        }
        Answer::Refused(refusal) => {
            tracing::warn!(backup = %id, plan = %ground.plan.id, %refusal, "a backup was refused");
            plain(&refusal)
        }
        Answer::Unreachable(why) | Answer::NotSent { why, .. } | Answer::Unknown(why)
            if within(RUN_MS) =>
        {
            return Ok(Some((AWAY_MS, format!("{name} gives no answer: {why}"))));
        }
        Answer::Unreachable(_) | Answer::NotSent { .. } | Answer::Unknown(_) => {
            Msg::new("backup.failure.silent")
        }
    };
    let mut tx = run.begin().await?;
    backup::failed(&mut tx, id, &failure).await?;
    tx.commit().await?;
    Ok(None)
}

/// A run is over: what came of it, and what is kept no longer.
async fn end(run: &Run, cloud: &dyn Provisioner, ground: &Ground) -> Result<(), JobError> {
    let plan = &ground.plan;
    let lost = lost(run, cloud, &plan.id).await?;
    let mut tx = run.begin().await?;
    let cx = run.cx();
    let Some(was) = backup::running(&mut tx, &plan.id).await? else {
        return Ok(());
    };
    if !was.running {
        return Ok(());
    }
    let all = backup::of_resource(&mut tx, &plan.id).await?;
    let of_run = |one: &&Backup| one.row.at == was.begun_at;
    let failure = all
        .iter()
        .filter(of_run)
        .find_map(|one| one.failure.clone());
    backup::end(&mut tx, &plan.id, failure.as_ref(), cx.now()).await?;
    for id in &lost {
        backup::gone(&mut tx, id, cx.now()).await?;
    }
    if ground.stands() {
        let kept = all.iter().filter(|one| !lost.contains(&one.row.id));
        for one in too_old(kept, cx.now().plus_millis(-ground.keep_ms())) {
            if !is_wanted(&mut tx, one).await? {
                backup::drop_it(&mut tx, &one.row.id).await?;
            }
        }
    }
    let link = link(&plan.id);
    match &failure {
        None if was.failures > 0 => notice::settle(&mut tx, &cx, &[link]).await?,
        Some(reason) if was.failures + 1 == TOLD_AT => {
            let msg = Msg::new("notice.backup_fails")
                .with("name", plan.name.clone())
                .with("n", TOLD_AT)
                .with("reason", reason.clone());
            notice::send_to_role(&mut tx, &cx, Role::Applicant, &plan.unit, &msg, &link).await?;
        }
        _ => {}
    }
    touch(&mut tx, &cx, plan).await?;
    tx.commit().await?;
    Ok(())
}

/// Where the notice of a plan that fails leads: a place of its own, so that nothing else settles it.
fn link(plan: &ResourceId) -> String {
    format!("/resources/{plan}#backups")
}

/// Whether a new disk is made out of the disk's backups just now, or asked for out of this one: then
/// it is kept until the end of the next run.
async fn is_wanted(tx: &mut Tx, one: &Backup) -> Result<bool, StorageError> {
    let (of, copy) = (&one.row.of, (&one.row.id).into());
    if request_change::wants(tx, of, &copy).await?.is_some() {
        return Ok(true);
    }
    let under_way = resource_action::current(tx, of).await?;
    Ok(under_way.as_deref() == Some(What::RestoreBackup.as_str()))
}

/// Of each disk everything older than `before` but the youngest that is kept.
fn too_old<'a>(all: impl Iterator<Item = &'a Backup>, before: Timestamp) -> Vec<&'a Backup> {
    let mut by_disk: BTreeMap<&ResourceId, Vec<&Backup>> = BTreeMap::new();
    for one in all.filter(|one| one.row.state == BackupState::Kept) {
        by_disk.entry(&one.row.of).or_default().push(one);
    }
    let mut old = Vec::new();
    for of_disk in by_disk.into_values() {
        let youngest = of_disk.iter().map(|one| one.row.at).max();
        let over = of_disk
            .into_iter()
            .filter(|one| one.row.at <= before && Some(one.row.at) != youngest);
        old.extend(over);
    }
    old
}

/// What is kept by our rows and the cloud does not have any more: the next runs make new ones. While
/// it does not answer, nothing is lost.
async fn lost(
    run: &Run,
    cloud: &dyn Provisioner,
    plan: &ResourceId,
) -> Result<BTreeSet<BackupId>, JobError> {
    let mut rx = run.app().db.read().await?;
    let all = of_plan(&mut rx, plan, BackupState::Kept).await?;
    drop(rx);
    let mut lost = BTreeSet::new();
    for one in all {
        let Some(there) = &one.external_id else {
            continue;
        };
        let found = cloud.get(Kind::Backup, &ExternalId(there.clone())).await;
        match found {
            Ok(None) => {
                tracing::warn!(backup = %one.row.id, %plan, "a backup is gone from the cloud");
                lost.insert(one.row.id);
            }
            Ok(Some(_)) => {}
            Err(_) => return Ok(BTreeSet::new()),
        }
    }
    Ok(lost)
}

/// Nothing of a plan that is given back is kept.
async fn drop_all(run: &Run, plan: &ResourceId) -> Result<(), JobError> {
    let mut tx = run.begin().await?;
    for one in of_plan(&mut tx, plan, BackupState::Kept).await? {
        backup::drop_it(&mut tx, &one.row.id).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Deletes what is kept no longer; what is still waited for.
async fn take_all_away(
    run: &Run,
    cloud: &dyn Provisioner,
    plan: &ResourceId,
    begun: Timestamp,
) -> Result<Waits, JobError> {
    let mut rx = run.app().db.read().await?;
    let all = of_plan(&mut rx, plan, BackupState::Dropping).await?;
    drop(rx);
    let mut waits = None;
    for one in all {
        let id = &one.row.id;
        let now = run.cx().now();
        let wait = match take_away(cloud, id, one.external_id.as_deref()).await {
            Away::Gone => {
                let mut tx = run.begin().await?;
                backup::gone(&mut tx, id, now).await?;
                tx.commit().await?;
                continue;
            }
            Away::Waits(ms, why) => (pause(begun, now, ms), why),
            Away::No(why) => (pause(begun, now, 60_000), why),
            Away::Silent(why) => (AWAY_MS, why),
        };
        waits = sooner(waits, Some(wait));
    }
    Ok(waits)
}
