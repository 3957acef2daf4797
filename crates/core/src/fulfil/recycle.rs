//! Into the recycle bin (回收站): what an approved release that keeps its things for some days does.
//!
//! Hosts are switched off. Disks stay as they are on hosts that go with them; where only one of the
//! two goes they are taken off each other, so that nobody uses what nobody pays for. Addresses go at
//! once: they are scarce and hold no data. Backup plans stay with what they have kept, and rest.
//!
//! What can be taken back is done first, the addresses last. Our rows move in the transaction that
//! ends the saga; taking things back out of the bin then needs no cloud.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{Call, ExternalId, OperationId, Outcome as Answer, Provisioner, RefusalReason},
};
use lingbao_model::{
    catalogue::Fulfiller,
    id::{RequestId, ResourceId, UnitId, UserId},
    msg::Msg,
    request::{Outcome as RequestOutcome, Status as RequestStatus},
    resource::{EventKind, ServiceState},
    time::{DAY_MS, Timestamp, Zone},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    release::{Part, delete::Delete},
    step::{Silent, later, may_pass, outside},
};
use crate::{
    app::Cx,
    authz::Scope,
    error::StorageError,
    saga::{self, End, Ended, Outcome, Outside, Saga, Step, StepCx, Undone, Verified},
    service::notice,
    storage::{
        Tx, bin, change, fulfilment, history, quota, request,
        resource::{self, Resource},
        resource_action,
    },
};

/// What goes into the bin, and what goes at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Params {
    /// The request.
    pub request: RequestId,
    /// Whose.
    pub unit: UnitId,
    /// Who asked.
    pub applicant: UserId,
    /// How many days it lies there.
    pub keep_days: i64,
    /// What is kept.
    pub kept: Vec<Kept>,
    /// What goes at once: addresses, and what is in no cloud.
    pub gone: Vec<Part>,
}

/// One thing that is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The resource.
    pub resource: ResourceId,
    /// Its backend.
    pub backend: String,
    /// The backend's name for it.
    pub external_id: String,
    /// Kind of thing.
    pub kind: Fulfiller,
    /// Whether it is a host that runs by our row: given up half way it runs again.
    pub runs: bool,
    /// What is taken off each other, because only one of the two goes.
    pub loose: Vec<Loose>,
}

/// A disk or an address that is taken off a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loose {
    /// The disk or the address.
    pub resource: ResourceId,
    /// Kind of thing.
    pub kind: Fulfiller,
    /// The backend's name for it.
    pub external_id: String,
    /// The host.
    pub host: ResourceId,
    /// The backend's name for it.
    pub host_external_id: String,
}

impl Loose {
    fn call(&self, on: bool) -> Call {
        let (thing, host) = (
            ExternalId(self.external_id.clone()),
            ExternalId(self.host_external_id.clone()),
        );
        match (self.kind, on) {
            (Fulfiller::Address, on) => Call::AssociateAddress {
                address: thing,
                server: on.then_some(host),
            },
            (_, true) => Call::AttachVolume {
                volume: thing,
                server: host,
            },
            (_, false) => Call::DetachVolume { volume: thing },
        }
    }
}

impl Params {
    /// Everything that takes part, each once, in the order in which rows are locked.
    fn parts(&self) -> BTreeSet<&ResourceId> {
        let kept = self.kept.iter().flat_map(|kept| {
            let loose = kept.loose.iter().flat_map(|l| [&l.resource, &l.host]);
            std::iter::once(&kept.resource).chain(loose)
        });
        kept.chain(self.gone.iter().map(|part| &part.resource))
            .collect()
    }
}

fn system(cx: &Cx, at: &RequestId) -> Result<Scope, StorageError> {
    Scope::system(cx).map_err(|e| StorageError::inconsistent("job", "actor", at.as_str(), e))
}

/// The hosts that stay in use and on which a disk hangs that goes.
async fn hosts_left(
    tx: &mut Tx,
    scope: &Scope,
    going: &BTreeSet<ResourceId>,
) -> Result<BTreeSet<ResourceId>, StorageError> {
    let mut hosts = BTreeSet::new();
    for id in going {
        if let Some(found) = resource::get(tx, scope, id).await?
            && found.kind == Fulfiller::Volume
        {
            hosts.extend(found.attached_to.filter(|host| !going.contains(host)));
        }
    }
    Ok(hosts)
}

/// What stays in use and hangs on a host that goes: disks and addresses. A backup plan can't be moved
/// and stays with what it keeps.
async fn stays_behind(
    tx: &mut Tx,
    scope: &Scope,
    going: &BTreeSet<ResourceId>,
) -> Result<Vec<Resource>, StorageError> {
    let mut all = Vec::new();
    for id in going {
        for hung in resource::attachments(tx, id).await? {
            let loose = matches!(hung.kind, Fulfiller::Volume | Fulfiller::Address);
            if loose
                && !going.contains(&hung.id)
                && let Some(found) = resource::get(tx, scope, &hung.id).await?
            {
                all.push(found);
            }
        }
    }
    Ok(all)
}

/// Begins to put what a release request gives back into the bin. `false`, with nothing written, while
/// something else is done to a part of it.
///
/// # Errors
/// What the database says.
pub(super) async fn start(
    tx: &mut Tx,
    cx: &Cx,
    head: &fulfilment::Head,
    keep_days: i64,
) -> Result<bool, StorageError> {
    let Some(params) = plan(tx, cx, head, keep_days).await? else {
        return Ok(false);
    };
    let saga = saga::start::<Recycle>(tx, cx, head.id.as_str(), &params).await?;
    let actor = params.applicant.as_str();
    let kept = params.kept.iter().map(|kept| &kept.resource);
    let going: BTreeSet<_> = kept
        .chain(params.gone.iter().map(|part| &part.resource))
        .collect();
    for id in params.parts() {
        let what = if going.contains(id) {
            "release"
        } else {
            "detach"
        };
        // Switching takes no lock of the row before it begins: whoever was faster is waited for.
        if !resource_action::begin(tx, id, &saga, what, actor, cx.now()).await? {
            return Ok(false);
        }
        if going.contains(id) {
            let event = EventKind::ReleaseStarted;
            resource::add_event(tx, &cx.id(), id, event, actor, cx.now()).await?;
        }
    }
    Ok(true)
}

/// What goes where, with everything that takes part locked; `None` while something else is done to a
/// part of it.
pub(super) async fn plan(
    tx: &mut Tx,
    cx: &Cx,
    head: &fulfilment::Head,
    keep_days: i64,
) -> Result<Option<Params>, StorageError> {
    let scope = system(cx, &head.id)?;
    let going: BTreeSet<ResourceId> = request::releases(tx, &head.id).await?.into_iter().collect();
    let seen = stays_behind(tx, &scope, &going).await?;
    // All in one order, so that two that meet never wait for each other.
    let mut all = going.clone();
    all.extend(hosts_left(tx, &scope, &going).await?);
    all.extend(seen.iter().map(|found| found.id.clone()));
    for id in &all {
        resource_action::lock(tx, id).await?;
        if resource_action::current(tx, id).await?.is_some() {
            return Ok(None);
        }
    }
    // Whoever attaches something locks both: from here on nothing moves. What moved just before is
    // looked at anew.
    let behind = stays_behind(tx, &scope, &going).await?;
    let hosts = hosts_left(tx, &scope, &going).await?;
    let known = |id: &ResourceId| all.contains(id);
    if !behind.iter().all(|found| known(&found.id)) || !hosts.iter().all(known) {
        return Ok(None);
    }
    let mut params = Params {
        request: head.id.clone(),
        unit: head.unit.clone(),
        applicant: head.applicant.clone(),
        keep_days,
        kept: Vec::new(),
        gone: Vec::new(),
    };
    for id in &going {
        let Some(found) = resource::get(tx, &scope, id).await? else {
            continue;
        };
        if !matches!(found.service, ServiceState::Running | ServiceState::Stopped) {
            continue;
        }
        let names = (found.backend.clone(), found.external_id.clone());
        match (found.kind, names) {
            (
                Fulfiller::Server | Fulfiller::Volume | Fulfiller::Backup,
                (Some(backend), Some(external_id)),
            ) => {
                let loose = loose(tx, &found, &external_id, &going, &behind).await?;
                params.kept.push(Kept {
                    kind: found.kind,
                    runs: found.kind == Fulfiller::Server && found.service == ServiceState::Running,
                    resource: found.id,
                    backend,
                    external_id,
                    loose,
                });
            }
            _ => params.gone.push(Part::of(found)),
        }
    }
    Ok(Some(params))
}

/// What is taken off a thing that goes, or off what it is taken itself.
async fn loose(
    tx: &mut Tx,
    found: &Resource,
    external_id: &str,
    going: &BTreeSet<ResourceId>,
    behind: &[Resource],
) -> Result<Vec<Loose>, StorageError> {
    if found.kind == Fulfiller::Server {
        let hung = behind
            .iter()
            .filter(|one| one.attached_to.as_ref() == Some(&found.id));
        return Ok(hung
            .filter_map(|one| {
                Some(Loose {
                    resource: one.id.clone(),
                    kind: one.kind,
                    external_id: one.external_id.clone()?,
                    host: found.id.clone(),
                    host_external_id: external_id.to_owned(),
                })
            })
            .collect());
    }
    let Some(host) = &found.attached_to else {
        return Ok(Vec::new());
    };
    if found.kind != Fulfiller::Volume || going.contains(host) {
        return Ok(Vec::new());
    }
    let there = resource::external_id(tx, host).await?;
    Ok(there
        .map(|host_external_id| Loose {
            resource: found.id.clone(),
            kind: found.kind,
            external_id: external_id.to_owned(),
            host: host.clone(),
            host_external_id,
        })
        .into_iter()
        .collect())
}

/// The saga.
pub struct Recycle {
    backends: Arc<Backends>,
}

impl Recycle {
    /// A saga that works at these backends.
    #[must_use]
    pub const fn new(backends: Arc<Backends>) -> Self {
        Self { backends }
    }
}

#[async_trait]
impl Saga for Recycle {
    const KIND: &'static str = "recycle";
    const VERSION: i64 = 1;
    type Params = Params;

    fn steps(&self, params: &Params) -> Vec<Box<dyn Step>> {
        let mut steps: Vec<Box<dyn Step>> = Vec::new();
        for kept in &params.kept {
            let backend = self.backends.get_or_absent(&kept.backend);
            let mut put = |what: &str, call: Call, back: Option<Call>| {
                steps.push(Box::new(Put {
                    name: format!("{what}-{}", steps.len() + 1),
                    backend: backend.clone(),
                    call,
                    back,
                }));
            };
            // Also what is off by our row: it may have been switched on in the cloud itself.
            if kept.kind == Fulfiller::Server {
                let server = ExternalId(kept.external_id.clone());
                let on = kept.runs.then(|| Call::StartServer {
                    server: server.clone(),
                });
                put("stop", Call::StopServer { server }, on);
            }
            for loose in &kept.loose {
                put("detach", loose.call(false), Some(loose.call(true)));
            }
        }
        for part in &params.gone {
            let backend = part
                .backend
                .as_deref()
                .map(|name| self.backends.get_or_absent(name));
            steps.push(Box::new(Delete {
                name: format!("{}-{}", part.kind, steps.len() + 1),
                part: part.clone(),
                backend,
                applicant: params.applicant.clone(),
                request: params.request.clone(),
                by: None,
            }));
        }
        steps
    }

    async fn ended(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        ended: &Ended<'_, Params>,
    ) -> Result<(), StorageError> {
        // Nobody knows what runs and what hangs where: all of it stays busy, and the request open,
        // until an operator has looked.
        if matches!(ended.end, End::Residue(_)) {
            return Ok(());
        }
        let params = ended.params;
        let Some(head) = fulfilment::head(tx, &params.request).await? else {
            return Ok(());
        };
        // The rows first, as whoever begins something locks them.
        for id in params.parts() {
            resource_action::lock(tx, id).await?;
        }
        for id in params.parts() {
            resource_action::end(tx, id, ended.saga).await?;
        }
        // Told before, when something was left.
        if head.status != RequestStatus::Approved {
            return change::touch(tx, cx, &format!("unit:{}", head.unit)).await;
        }
        let link = format!("/requests/{}", head.id);
        let until = cx.now().plus_millis(params.keep_days * DAY_MS);
        let (outcome, history, notice_key) = if *ended.end == End::Done {
            for kept in &params.kept {
                put_away(tx, cx, params, kept, until).await?;
            }
            let only_gone = params.kept.is_empty();
            let (history, notice) = if only_gone {
                ("request.history.released", "notice.released")
            } else {
                ("request.history.recycled", "notice.recycled")
            };
            (RequestOutcome::Complete, history, notice)
        } else {
            // Given up: what was switched off or taken off was put back.
            let (history, notice) = ("request.history.not_released", "notice.not_released");
            (RequestOutcome::Failed, history, notice)
        };
        if head.status == RequestStatus::Approved {
            fulfilment::end_request(tx, &head, outcome, cx.now()).await?;
        }
        let said = |key: &'static str| {
            Msg::new(key)
                .with("number", head.number.clone())
                .with("day", Zone::SHANGHAI.date(until))
        };
        history::add(tx, cx, &head.id, &said(history)).await?;
        notice::send(tx, cx, &head.applicant, &said(notice_key), &link).await?;
        change::touch(tx, cx, &format!("unit:{}", head.unit)).await?;
        change::touch(tx, cx, &format!("request:{}", head.id)).await
    }
}

/// One thing lies in the bin from now on: its charge ends, its computing power is free.
async fn put_away(
    tx: &mut Tx,
    cx: &Cx,
    params: &Params,
    kept: &Kept,
    until: Timestamp,
) -> Result<(), StorageError> {
    let scope = system(cx, &params.request)?;
    let actor = params.applicant.as_str();
    for loose in &kept.loose {
        if let Some(found) = resource::get(tx, &scope, &loose.resource).await?
            && found.service != ServiceState::Released
        {
            resource::attach(tx, &found, None).await?;
            for id in [&loose.resource, &loose.host] {
                let event = EventKind::Detached;
                resource::add_event(tx, &cx.id(), id, event, actor, cx.now()).await?;
            }
        }
    }
    let Some(found) = resource::get(tx, &scope, &kept.resource).await? else {
        return Ok(());
    };
    if !matches!(found.service, ServiceState::Running | ServiceState::Stopped) {
        return Ok(());
    }
    let (stays, freed) = found.amounts.kept_and_freed();
    let how = bin::Recycled {
        request: &params.request,
        at: cx.now(),
        erase_at: until,
        kept: &stays,
        freed: &freed,
    };
    bin::put(tx, &found, &how).await?;
    let event = EventKind::Recycled;
    resource::add_event(tx, &cx.id(), &found.id, event, actor, cx.now()).await?;
    if let Some(place) = &found.placement {
        let booking = quota::Booking {
            // A thing goes into the bin by one request once.
            operation: format!("bin:{}:{}", params.request, found.id),
            vdc: found.vdc.clone(),
            request: None,
            demand: [(place.pool.clone(), freed)].into(),
        };
        quota::free(tx, cx, &booking, &found.id).await?;
    }
    Ok(())
}

/// One call that another one takes back. What the cloud refuses waits for an operator; what it does
/// not have any more can't be switched off, and the next round of the reconciler says so.
struct Put {
    name: String,
    backend: Arc<dyn Provisioner>,
    call: Call,
    /// `None` if nothing is to be put back.
    back: Option<Call>,
}

#[async_trait]
impl Step for Put {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn outside(&self) -> Option<Outside<'_>> {
        // Switched off twice is switched off once.
        Some(Outside {
            settle_ms: 0,
            ..outside(&*self.backend)
        })
    }

    async fn run(&self, cx: &StepCx) -> Outcome {
        let operation = OperationId(cx.operation.to_string());
        match self.backend.execute(&operation, self.call.clone()).await {
            Answer::Done(_) => Outcome::Done(Value::Null),
            Answer::Running { retry_after_ms, .. } => Outcome::Wait {
                until: Some(later(cx, retry_after_ms)),
                why: format!("{} works on it", self.backend.name()),
            },
            Answer::Refused(refusal) if refusal.reason == RefusalReason::NotFound => {
                Outcome::Done(Value::Null)
            }
            Answer::Refused(refusal) => Outcome::Retry(refusal.to_string()),
            Answer::Unreachable(why) | Answer::NotSent { why, .. } | Answer::Unknown(why) => {
                Silent::of(cx, self.backend.name(), why).await.outcome()
            }
        }
    }

    async fn undo(&self, cx: &StepCx) -> Undone {
        let Some(back) = self.back.clone() else {
            return Undone::Done;
        };
        if let Some(silence) = saga::outside::away(cx, self.backend.name()).await {
            return Undone::Silent(silence);
        }
        let operation = OperationId(format!("{}:undo", cx.operation));
        match self.backend.execute(&operation, back).await {
            Answer::Done(_) => Undone::Done,
            Answer::Running { retry_after_ms, .. } => Undone::Wait {
                until: Some(later(cx, retry_after_ms)),
                why: format!("{} takes it back", self.backend.name()),
            },
            Answer::Refused(refusal) => match refusal.reason {
                RefusalReason::NotFound => Undone::Done,
                _ if may_pass(&refusal) => Undone::Retry(refusal.to_string()),
                _ => Undone::Residue(refusal.to_string()),
            },
            Answer::Unreachable(why) | Answer::NotSent { why, .. } | Answer::Unknown(why) => {
                Silent::of(cx, self.backend.name(), why).await.undone()
            }
        }
    }

    async fn verify(&self, _: &StepCx) -> Verified {
        // Switched off twice is switched off once.
        Verified::Absent
    }
}
