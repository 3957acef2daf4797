//! What comes round by itself: reading capacity, beginning to charge, ending terms.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{CallKind, Capabilities, Capacity, PoolRef, ReadError, RefusalReason},
};
use lingbao_model::{
    catalogue::Fulfiller, id::PoolId, quota::PoolDimension, resource::EventKind, time::Timestamp,
    view::resource::Act,
};
use serde::{Deserialize, Serialize};

use super::plan::FulfilRequest;
use crate::{
    jobs::{self, Handler, Job, JobError, Registry, Run},
    saga,
    service::request,
    storage::{cloud, fulfilment, place, place::PoolFigure, resource, room},
};

const MINUTE_MS: i64 = 60_000;

/// Reads what the pools can still take and what the clouds make at all. Pages and verdicts read our rows and never ask a backend.
/// It is also the one that asks a cloud that is away, and wakes who waits for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadCapacity {}
impl Job for ReadCapacity {
    const KIND: &'static str = "upkeep.capacity";
    const MAX_ATTEMPTS: i64 = 3;
    fn dedup_key(&self) -> Option<String> {
        Some("all".to_owned())
    }
}

/// Begins to charge what has ended its trial run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StartBilling {}
impl Job for StartBilling {
    const KIND: &'static str = "upkeep.billing";
}

/// Confirms deliveries that nobody objected to, closes what was never supplemented, and looks again
/// at requests that were left approved with nothing more to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndTerms {}
impl Job for EndTerms {
    const KIND: &'static str = "upkeep.terms";
}

/// Adds the handlers and their schedules.
#[must_use]
pub fn wire(registry: Registry, backends: &Arc<Backends>) -> Registry {
    registry
        .handle::<ReadCapacity>(CapacityReader(backends.clone()))
        .handle::<StartBilling>(BillingStarter)
        .handle::<EndTerms>(TermEnder)
        .every(MINUTE_MS, ReadCapacity {})
        .every(5 * MINUTE_MS, StartBilling {})
        .every(10 * MINUTE_MS, EndTerms {})
}

/// What the backends came to in one look.
#[derive(Default)]
struct Heard {
    answers: BTreeSet<String>,
    silent: BTreeMap<String, String>,
    denies: BTreeMap<String, String>,
}

impl Heard {
    fn is_silent(&self, backend: &str) -> bool {
        self.silent.contains_key(backend)
    }

    /// One pool of it was asked.
    fn note(&mut self, backend: &str, error: Option<&ReadError>) {
        let backend = backend.to_owned();
        match error {
            Some(ReadError::Unreachable(why)) => {
                self.silent.insert(backend, why.clone());
            }
            Some(ReadError::Refused(refusal)) if refusal.reason == RefusalReason::Denied => {
                self.denies.insert(backend, refusal.to_string());
            }
            // A no is an answer, and concerns this pool alone.
            Some(ReadError::Refused(_)) | None => {
                self.answers.insert(backend);
            }
        }
    }

    /// Of each backend why it does not answer, if it does not. One that lets nobody in (a password that
    /// was changed there first) is as good as away.
    fn told(self) -> BTreeMap<String, Option<String>> {
        let mut told: BTreeMap<_, _> = self
            .denies
            .into_iter()
            .map(|(b, why)| (b, Some(why)))
            .collect();
        told.extend(self.answers.into_iter().map(|backend| (backend, None)));
        told.extend(self.silent.into_iter().map(|(b, why)| (b, Some(why))));
        told
    }
}

struct CapacityReader(Arc<Backends>);

#[async_trait]
impl Handler<ReadCapacity> for CapacityReader {
    async fn run(&self, run: &Run, _: ReadCapacity) -> Result<(), JobError> {
        let sites = place::sites(&mut run.app().db.read().await?).await?;
        let mut said: Vec<(PoolId, Capacity, Timestamp)> = Vec::new();
        let mut refused: Vec<(PoolId, Option<String>)> = Vec::new();
        let mut heard = Heard::default();
        for (pool, backend, there) in &sites {
            // Of one that is silent each further pool would wait for a time-out of its own.
            if heard.is_silent(backend) {
                continue;
            }
            // What is built while it answers may be missing in the answer.
            let asked = run.cx().now();
            let answer = match self.0.get(backend) {
                Some(cloud) => cloud.capacity(&PoolRef(there.clone())).await,
                None => Err(ReadError::Unreachable(
                    "the configuration has no such backend".to_owned(),
                )),
            };
            heard.note(backend, answer.as_ref().err());
            match answer {
                Ok(capacity) => {
                    refused.push((pool.clone(), None));
                    said.push((pool.clone(), capacity, asked));
                }
                Err(ReadError::Refused(refusal)) => {
                    refused.push((pool.clone(), Some(refusal.to_string())));
                }
                Err(ReadError::Unreachable(_)) => {}
            }
        }
        let health = heard.told();
        let mut lacking = Vec::new();
        for (backend, _) in health.iter().filter(|(_, error)| error.is_none()) {
            // While it does not answer, what it said last holds.
            if let Some(cloud) = self.0.get(backend)
                && let Ok(able) = cloud.capabilities().await
            {
                lacking.push((backend, lacks(&able), acts(&able), able.makes));
            }
        }
        let mut tx = run.begin().await?;
        let now = run.cx().now();
        // An approval that has counted what is held counts on the figures of before.
        // All that is written to below, in the order in which everybody locks.
        let spoke = |backend: &String| lacking.iter().any(|(one, ..)| *one == backend);
        let read: BTreeSet<&PoolId> = sites
            .iter()
            .filter(|(_, backend, _)| spoke(backend))
            .map(|(pool, ..)| pool)
            .chain(said.iter().map(|(pool, ..)| pool))
            .chain(refused.iter().map(|(pool, _)| pool))
            .collect();
        room::lock(&mut tx, read.into_iter()).await?;
        for (backend, lacks, acts, makes) in &lacking {
            cloud::save_lacks(&mut tx, backend, lacks).await?;
            cloud::save_able(&mut tx, backend, acts).await?;
            for (pool, _, there) in sites.iter().filter(|(_, on, _)| on == *backend) {
                let makes = makes.get(&PoolRef(there.clone()));
                place::save_makes(&mut tx, pool, makes).await?;
            }
        }
        for (pool, capacity, asked) in &said {
            for (dimension, figure) in figures(capacity) {
                place::save_capacity(&mut tx, pool, dimension, figure, *asked).await?;
            }
        }
        for (pool, why) in &refused {
            place::save_refusal(&mut tx, pool, why.as_deref()).await?;
        }
        let mut back = false;
        for (backend, error) in &health {
            back |= error.is_none() && cloud::silence(&mut tx, backend).await?.0;
            cloud::save_health(&mut tx, backend, error.as_deref(), now).await?;
        }
        if back {
            saga::outside::answers(&mut tx, &run.cx()).await?;
        }
        run.complete(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The kinds of things of which a backend lacks a call.
fn lacks(able: &Capabilities) -> Vec<Fulfiller> {
    let needs = |kind: &Fulfiller| -> &'static [CallKind] {
        match kind {
            Fulfiller::Server => &[
                CallKind::EnsureProject,
                CallKind::EnsureNetwork,
                CallKind::CreateServer,
                CallKind::DeleteServer,
            ],
            Fulfiller::Volume => &[
                CallKind::CreateVolume,
                CallKind::AttachVolume,
                CallKind::DeleteVolume,
            ],
            Fulfiller::Address => &[
                CallKind::AllocateAddress,
                CallKind::AssociateAddress,
                CallKind::ReleaseAddress,
            ],
            Fulfiller::Backup => &[CallKind::CreateBackupPlan, CallKind::DeleteBackupPlan],
            Fulfiller::People => &[],
        }
    };
    let missing = |kind: &Fulfiller| needs(kind).iter().any(|call| !able.calls.contains(call));
    Fulfiller::ALL.iter().copied().filter(missing).collect()
}

/// What a backend can do to what stands.
fn acts(able: &Capabilities) -> Vec<Act> {
    let takes = |calls: &[CallKind]| calls.iter().all(|call| able.calls.contains(call));
    [
        (Act::Restart, takes(&[CallKind::RestartServer])),
        (Act::Console, able.console),
        (
            Act::Snapshot,
            takes(&[CallKind::CreateSnapshot, CallKind::DeleteSnapshot]),
        ),
        (Act::Restore, takes(&[CallKind::RestoreSnapshot])),
        (Act::RestoreBackup, takes(&[CallKind::RestoreBackup])),
        (
            Act::Attach,
            takes(&[CallKind::AttachVolume, CallKind::DetachVolume]),
        ),
        (Act::Resize, takes(&[CallKind::ResizeServer])),
        (Act::Extend, takes(&[CallKind::ExtendVolume])),
        (Act::Plan, takes(&[CallKind::ChangeBackupPlan])),
        (Act::Rules, takes(&[CallKind::SetServerRules])),
        (
            Act::NewPassword,
            able.one_time_password && takes(&[CallKind::RenewPassword]),
        ),
        (Act::Reinstall, takes(&[CallKind::ReinstallServer])),
    ]
    .into_iter()
    .filter_map(|(act, can)| can.then_some(act))
    .collect()
}

fn figures(capacity: &Capacity) -> [(PoolDimension, Option<PoolFigure<'_>>); 4] {
    let of = |total: u64, used: u64, hosts| PoolFigure {
        total: i64::try_from(total).unwrap_or(i64::MAX),
        allocated: i64::try_from(used).unwrap_or(i64::MAX),
        hosts,
    };
    let hosts = capacity.hosts.as_deref();
    let (cores, cores_used) = (capacity.vcpus_total, capacity.vcpus_used);
    let (memory, memory_used) = (capacity.memory_gb_total, capacity.memory_gb_used);
    let disk = capacity.disk_gb_total;
    let (addresses, addresses_used) = (capacity.addresses_total, capacity.addresses_used);
    [
        (PoolDimension::Vcpu, Some(of(cores, cores_used, hosts))),
        (
            PoolDimension::MemoryGb,
            Some(of(memory, memory_used, hosts)),
        ),
        (
            PoolDimension::DiskGb,
            disk.map(|total| of(total, capacity.disk_gb_used, None)),
        ),
        (
            PoolDimension::Addresses,
            Some(of(addresses, addresses_used, None)),
        ),
    ]
}

struct BillingStarter;

#[async_trait]
impl Handler<StartBilling> for BillingStarter {
    async fn run(&self, run: &Run, _: StartBilling) -> Result<(), JobError> {
        loop {
            let mut tx = run.begin().await?;
            let cx = run.cx();
            let begun = resource::start_billing(&mut tx, cx.now(), 200).await?;
            for (id, at) in &begun {
                resource::add_event(
                    &mut tx,
                    &cx.id(),
                    id,
                    EventKind::BillingStarted,
                    "system",
                    *at,
                )
                .await?;
            }
            tx.commit().await?;
            if begun.len() < 200 {
                return Ok(());
            }
        }
    }
}

struct TermEnder;

#[async_trait]
impl Handler<EndTerms> for TermEnder {
    async fn run(&self, run: &Run, _: EndTerms) -> Result<(), JobError> {
        // Both are use cases of their own, each with its own transaction, and do nothing twice.
        let cx = run.cx();
        request::confirm::auto_confirm(&cx)
            .await
            .map_err(JobError::retry)?;
        request::withdraw::expire_returned(&cx)
            .await
            .map_err(JobError::retry)?;
        let mut tx = run.begin().await?;
        for request in fulfilment::forgotten(&mut tx).await? {
            jobs::enqueue(&mut tx, &cx, &FulfilRequest { request }).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use lingbao_backends::provisioning::Refusal;

    use super::*;

    #[test]
    fn a_cloud_is_silent_that_gives_no_answer_or_lets_nobody_in_and_not_one_that_refuses_a_pool() {
        let no = |reason| Some(ReadError::Refused(Refusal::new(reason, "zone")));
        let silent = |pools: Vec<Option<ReadError>>| {
            let mut heard = Heard::default();
            for error in &pools {
                heard.note("gov", error.as_ref());
            }
            heard.told().remove("gov").flatten().is_some()
        };
        let (missing, denied) = (RefusalReason::NotFound, RefusalReason::Denied);
        let away = || Some(ReadError::Unreachable("timed out".into()));
        assert!(!silent(vec![None, no(missing)]));
        assert!(!silent(vec![no(missing)]));
        assert!(!silent(vec![no(denied), None]));
        assert!(!silent(vec![no(denied), no(missing)]));
        assert!(silent(vec![no(denied), no(denied)]));
        assert!(silent(vec![None, away()]));
        assert!(silent(vec![no(denied), away()]));
    }

    #[test]
    fn a_cloud_without_schedules_lacks_backups_and_nothing_else() {
        let mut able = Capabilities {
            calls: CallKind::ALL.iter().copied().collect(),
            makes: BTreeMap::new(),
            one_time_password: true,
            usage: true,
            console: false,
        };
        assert_eq!(lacks(&able), []);
        able.calls.remove(&CallKind::CreateBackupPlan);
        assert_eq!(lacks(&able), [Fulfiller::Backup]);
    }

    #[test]
    fn a_cloud_that_does_not_tell_its_disks_has_no_figure_for_them_and_keeps_the_others() {
        let mut said = Capacity {
            vcpus_total: 8,
            vcpus_used: 2,
            disk_gb_total: Some(500),
            disk_gb_used: 40,
            hosts: Some("gov".into()),
            ..Capacity::default()
        };
        let of = |said: &Capacity, wanted: PoolDimension| {
            let all = figures(said);
            let one = all.into_iter().find(|(dimension, _)| *dimension == wanted);
            let one = one.and_then(|(_, figure)| figure);
            one.map(|it| (it.total, it.allocated, it.hosts.map(str::to_owned)))
        };
        let gov = Some("gov".to_owned());
        assert_eq!(of(&said, PoolDimension::Vcpu), Some((8, 2, gov.clone())));
        assert_eq!(of(&said, PoolDimension::DiskGb), Some((500, 40, None)));
        said.disk_gb_total = None;
        assert_eq!(of(&said, PoolDimension::DiskGb), None);
        assert_eq!(of(&said, PoolDimension::Vcpu), Some((8, 2, gov)));
    }

    #[test]
    fn what_a_cloud_can_not_do_to_what_stands_is_left_out() {
        let mut able = Capabilities {
            calls: CallKind::ALL.iter().copied().collect(),
            makes: BTreeMap::new(),
            one_time_password: true,
            usage: true,
            console: true,
        };
        let all = [
            Act::Restart,
            Act::Console,
            Act::Snapshot,
            Act::Restore,
            Act::RestoreBackup,
            Act::Attach,
            Act::Resize,
            Act::Extend,
            Act::Plan,
            Act::Rules,
            Act::NewPassword,
            Act::Reinstall,
        ];
        assert_eq!(acts(&able), all);
        able.console = false;
        able.one_time_password = false;
        able.calls.remove(&CallKind::SetServerRules);
        able.calls.remove(&CallKind::DeleteSnapshot);
        able.calls.remove(&CallKind::ExtendVolume);
        able.calls.remove(&CallKind::ChangeBackupPlan);
        let left = [
            Act::Restart,
            Act::Restore,
            Act::RestoreBackup,
            Act::Attach,
            Act::Resize,
            Act::Reinstall,
        ];
        assert_eq!(acts(&able), left);
    }
}
