//! The portal's limits, written to the clouds and read back (云平台限额; decision 25).
//!
//! What a project may take follows from our rows alone ([`cloud_limit::ground`]): the limits of its VDC
//! in the pools of that cloud and, on top, what the cloud counts and the ledger does not. So nobody
//! who changes a limit need tell the clouds of it. Each minute the figures are computed anew and
//! written where they are other ones than those written last; and whatever takes room in a cloud
//! makes sure of them first ([`Limited`]).
//!
//! ```text
//! raised   ─▶ written at once: by the minute, or by the first saga that needs it
//! lowered  ─▶ written when it has stayed lower for a quarter of an hour: what was deleted may count
//!             for a while, and what was written off is found again as foreign by the next round
//! silent   ─▶ sagas wait as for any other call, the minute tries again
//! refused  ─▶ told to the operator; sagas go on, for the portal's own limit holds
//! ```
//!
//! A writing is claimed in the row before the cloud is called, so that an older figure never comes
//! after a younger one; whoever dies holding a claim is waited for no longer than [`CLAIM_MS`].

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{
        ExternalId, Kind, Object, OperationId, Outcome as Answer, ProjectQuota, Provisioner,
        ReadError, Refusal, RefusalReason,
    },
};
use lingbao_model::{
    cloud_limit::{CloudLimit, Counted},
    id::{OperationRef, ResourceId, VdcId},
    time::{MINUTE_MS, Timestamp},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::step::Silent;
use crate::{
    app::Cx,
    error::StorageError,
    jobs::{Handler, Job, JobError, LEASE_MS, Registry, Run},
    saga::{Outcome, Outside, Step, StepCx, Undone, Verified, outside},
    storage::{
        Tx,
        cloud_limit::{self, Ground, Kept, Wrote},
        project,
    },
};

/// As long as a lease: whose work another one takes over, his claim is over too.
pub const CLAIM_MS: i64 = LEASE_MS;
/// So long the portal's figures stay lower before the cloud's are lowered: three rounds over a cloud.
const LOWER_MS: i64 = 15 * MINUTE_MS;
/// So often a cloud is asked what it keeps, and told again what it does not keep.
const LOOK_MS: i64 = 10 * MINUTE_MS;
/// When a saga looks again whether another one has written.
const AGAIN_MS: i64 = 500;

// ---- what is to be done

/// What is to be done about a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thought {
    /// Nothing.
    Fine,
    /// Somebody writes, until then at most.
    Busy(Timestamp),
    /// These figures are to be written.
    Write(CloudLimit),
    /// From now on (or no more) the portal's figures are lower than those written.
    Lower(Option<Timestamp>),
    /// The cloud is to be asked what it keeps.
    Look,
}

fn older(at: Option<Timestamp>, now: Timestamp, ms: i64) -> bool {
    at.is_none_or(|at| at.plus_millis(ms) <= now)
}

/// Whether the cloud has said that it keeps other figures than these.
fn differs(kept: &Kept, asked: CloudLimit) -> bool {
    kept.said.is_some_and(|said| !said.keeps(asked))
}

/// What the portal allows, with room for what it does not see.
fn wanted(ground: &Ground) -> CloudLimit {
    ground.limit.plus(ground.unbooked)
}

/// What is to be done before something is built: only what would be too little matters.
fn before_building(kept: &Kept, ground: &Ground, now: Timestamp) -> Thought {
    if let Some(until) = kept.claimed_until
        && until > now
    {
        return Thought::Busy(until);
    }
    let wanted = wanted(ground);
    let Some(asked) = kept.asked else {
        return Thought::Write(wanted);
    };
    // Where the portal limits nothing, the cloud's own limit must leave room too.
    let own = wanted.beside(kept.said.unwrap_or_default(), Counted::default());
    // What the cloud has said no to is not written again each time; what somebody changed there is.
    let changed = differs(kept, asked) && !kept.failed;
    if kept.settled && !changed && asked.covers(wanted) && own.holds(ground.counted) {
        Thought::Fine
    } else {
        Thought::Write(asked.raised(wanted))
    }
}

/// What is to be done each minute.
fn each_minute(kept: &Kept, ground: &Ground, now: Timestamp) -> Thought {
    let first = before_building(kept, ground, now);
    let (Thought::Fine, Some(asked)) = (first, kept.asked) else {
        return first;
    };
    let wanted = wanted(ground);
    if kept.failed && older(kept.tried_at, now, LOOK_MS) {
        return Thought::Write(asked);
    }
    // What the portal limits no more keeps the figure that it had.
    let target = wanted.beside(asked, Counted::default());
    let lower = !target.covers(asked);
    match (lower, kept.lower_since) {
        (true, None) => return Thought::Lower(Some(now)),
        (true, Some(since)) if older(Some(since), now, LOWER_MS) => return Thought::Write(target),
        (false, Some(_)) => return Thought::Lower(None),
        _ => {}
    }
    if older(kept.said_at, now, LOOK_MS) {
        Thought::Look
    } else {
        Thought::Fine
    }
}

// ---- writing and reading

fn to_cloud(limit: CloudLimit) -> ProjectQuota {
    let figure = |limit: Option<i64>| limit.map(|n| u64::try_from(n).unwrap_or(0));
    ProjectQuota {
        vcpus: figure(limit.vcpus),
        memory_gb: figure(limit.memory_gb),
        disk_gb: figure(limit.disk_gb),
        addresses: figure(limit.addresses),
    }
}

fn from_cloud(quota: ProjectQuota) -> CloudLimit {
    let figure = |limit: Option<u64>| limit.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    CloudLimit {
        vcpus: figure(quota.vcpus),
        memory_gb: figure(quota.memory_gb),
        disk_gb: figure(quota.disk_gb),
        addresses: figure(quota.addresses),
    }
}

async fn said_by(backend: &dyn Provisioner, project: &str) -> Result<CloudLimit, ReadError> {
    let id = ExternalId(project.to_owned());
    match backend.get(Kind::Project, &id).await? {
        Some(Object::Project(found)) => Ok(from_cloud(found.quota)),
        _ => {
            let gone = Refusal::new(RefusalReason::NotFound, format!("no project {project}"));
            Err(ReadError::Refused(gone))
        }
    }
}

/// Writes figures and reads them back.
async fn write(
    backend: &dyn Provisioner,
    project: &str,
    operation: &OperationRef,
    asked: CloudLimit,
    counted: Counted,
) -> Wrote {
    let failed = |settled: bool, why: String| Wrote {
        asked,
        said: None,
        settled,
        error: Some(why),
    };
    let mut target = asked;
    if asked.is_partial() {
        match said_by(backend, project).await {
            Ok(own) => target = asked.beside(own, counted),
            Err(error) => {
                let settled = matches!(error, ReadError::Refused(_));
                return failed(settled, error.to_string());
            }
        }
    }
    let op = OperationId(operation.to_string());
    let id = ExternalId(project.to_owned());
    match backend.set_project_quota(&op, id, to_cloud(target)).await {
        Answer::Done(done) => {
            let said = from_cloud(done.quota);
            let error = (!said.keeps(asked)).then(|| "the cloud keeps other figures".to_owned());
            Wrote {
                asked,
                said: Some(said),
                settled: true,
                error,
            }
        }
        Answer::Refused(refusal) => Wrote {
            said: said_by(backend, project).await.ok(),
            ..failed(true, refusal.to_string())
        },
        Answer::Running { .. } => failed(false, "the cloud has not done it yet".to_owned()),
        Answer::Unreachable(why) | Answer::NotSent { why, .. } | Answer::Unknown(why) => {
            failed(false, why)
        }
    }
}

/// What came of making sure of a project's limits.
enum Sure {
    /// They are as they should be, or the cloud won't have it so.
    Yes,
    /// Somebody else writes; look again then.
    Wait(Timestamp),
    /// The cloud does not answer.
    Away(String),
}

/// Looks, under the row's lock, what is to be written, and writes it.
async fn make_so(
    cx: &Cx,
    backend: &dyn Provisioner,
    vdc: &VdcId,
    project: &str,
    think: fn(&Kept, &Ground, Timestamp) -> Thought,
) -> Result<Sure, StorageError> {
    let (at, now) = ((backend.name(), project), cx.now());
    let mut tx = cx.db().begin().await?;
    cloud_limit::lock(&mut tx, at.0, at.1).await?;
    let kept = cloud_limit::kept(&mut tx, at.0, at.1).await?;
    let ground = cloud_limit::ground(&mut tx, vdc, at.0, at.1).await?;
    let asked = match think(&kept, &ground, now) {
        Thought::Write(asked) => asked,
        Thought::Busy(until) => return Ok(Sure::Wait(until)),
        Thought::Fine | Thought::Lower(_) | Thought::Look => return Ok(Sure::Yes),
    };
    let operation: OperationRef = cx.id();
    let until = now.plus_millis(CLAIM_MS);
    cloud_limit::claim(&mut tx, at, &operation, asked, (now, until)).await?;
    tx.commit().await?;
    let wrote = write(backend, project, &operation, asked, ground.counted).await;
    if let Some(why) = &wrote.error {
        tracing::warn!(
            backend = at.0,
            project,
            why,
            "the limits of a project were not written"
        );
    }
    let mut tx = cx.db().begin().await?;
    let ours = cloud_limit::settle(&mut tx, at, &operation, &wrote, now).await?;
    tx.commit().await?;
    Ok(if !ours {
        Sure::Wait(now.plus_millis(AGAIN_MS))
    } else if wrote.settled {
        Sure::Yes
    } else {
        Sure::Away(wrote.error.unwrap_or_default())
    })
}

// ---- before something is built

/// Whose project takes more.
#[derive(Debug, Clone)]
pub enum Whose {
    /// That of a VDC.
    Vdc(VdcId),
    /// That in which a resource stands.
    Of(ResourceId),
}

/// A step that takes room in a cloud, and makes sure of the limits there before it begins. It bears the
/// name of what it wraps: sagas that began without it go on with it.
pub struct Limited {
    step: Box<dyn Step>,
    backend: Arc<dyn Provisioner>,
    whose: Whose,
}

impl Limited {
    /// A step that goes on when there is room.
    #[must_use]
    pub fn boxed(
        step: Box<dyn Step>,
        backend: Arc<dyn Provisioner>,
        whose: Whose,
    ) -> Box<dyn Step> {
        Box::new(Self {
            step,
            backend,
            whose,
        })
    }

    async fn sure(&self, cx: &Cx) -> Result<Sure, StorageError> {
        let mut rx = cx.db().read().await?;
        let vdc = match &self.whose {
            Whose::Vdc(vdc) => Some(vdc.clone()),
            Whose::Of(resource) => cloud_limit::vdc_of(&mut rx, resource).await?,
        };
        let Some(vdc) = vdc else {
            return Ok(Sure::Yes);
        };
        let name = self.backend.name();
        let Some(project) = project::project(&mut rx, &vdc, name).await? else {
            return Ok(Sure::Yes);
        };
        drop(rx);
        make_so(cx, &*self.backend, &vdc, &project, before_building).await
    }
}

#[async_trait]
impl Step for Limited {
    fn name(&self) -> String {
        self.step.name()
    }
    fn outside(&self) -> Option<Outside<'_>> {
        self.step.outside()
    }
    async fn run(&self, cx: &StepCx) -> Outcome {
        match self.sure(&cx.cx).await {
            Ok(Sure::Yes) => self.step.run(cx).await,
            Ok(Sure::Wait(until)) => Outcome::Wait {
                until: Some(until.min(cx.cx.now().plus_millis(AGAIN_MS))),
                why: format!("the limits of the project at {}", self.backend.name()),
            },
            Ok(Sure::Away(why)) => Silent::of(cx, self.backend.name(), why).await.outcome(),
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
    async fn undo(&self, cx: &StepCx) -> Undone {
        self.step.undo(cx).await
    }
    async fn verify(&self, cx: &StepCx) -> Verified {
        self.step.verify(cx).await
    }
    fn stays(&self) -> bool {
        self.step.stays()
    }
    async fn save(&self, tx: &mut Tx, cx: &StepCx, output: &Value) -> Result<(), StorageError> {
        self.step.save(tx, cx, output).await
    }
    async fn unsave(&self, tx: &mut Tx, cx: &StepCx) -> Result<(), StorageError> {
        self.step.unsave(tx, cx).await
    }
}

// ---- each minute

/// Writes the limits of the units' projects to the clouds where they have changed, and reads them back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeepLimits {}
impl Job for KeepLimits {
    const KIND: &'static str = "upkeep.limits";
    const MAX_ATTEMPTS: i64 = 3;
    fn dedup_key(&self) -> Option<String> {
        Some("all".to_owned())
    }
}

/// Adds the handler and its schedule.
#[must_use]
pub fn wire(registry: Registry, backends: &Arc<Backends>) -> Registry {
    registry
        .handle::<KeepLimits>(Keeper(backends.clone()))
        .every(MINUTE_MS, KeepLimits {})
}

struct Keeper(Arc<Backends>);

#[async_trait]
impl Handler<KeepLimits> for Keeper {
    async fn run(&self, run: &Run, _: KeepLimits) -> Result<(), JobError> {
        let mut wrong = None;
        for (name, backend) in self.0.iter() {
            if outside::is_away(&run.cx(), name).await {
                continue;
            }
            let mut rx = run.app().db.read().await?;
            let owners = project::owners(&mut rx, name).await?;
            drop(rx);
            for (project, vdc) in owners {
                match keep(&run.cx(), &**backend, &vdc, &project).await {
                    Ok(true) => {}
                    // It does not answer: in a minute it is asked again.
                    Ok(false) => break,
                    // One row that makes no sense keeps no other unit waiting.
                    Err(error) => wrong = Some(error),
                }
            }
        }
        wrong.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Does what is to be done about a project. `false` if the cloud does not answer.
async fn keep(
    cx: &Cx,
    backend: &dyn Provisioner,
    vdc: &VdcId,
    project: &str,
) -> Result<bool, StorageError> {
    let (name, now) = (backend.name(), cx.now());
    // Without the row's lock: mostly there is nothing to do.
    let mut rx = cx.db().read().await?;
    let kept = cloud_limit::kept(&mut rx, name, project).await?;
    let ground = cloud_limit::ground(&mut rx, vdc, name, project).await?;
    drop(rx);
    match each_minute(&kept, &ground, now) {
        Thought::Fine | Thought::Busy(_) => Ok(true),
        Thought::Write(_) => {
            let sure = make_so(cx, backend, vdc, project, each_minute).await?;
            Ok(!matches!(sure, Sure::Away(_)))
        }
        Thought::Lower(since) => {
            let mut tx = cx.db().begin().await?;
            cloud_limit::note_lower(&mut tx, name, project, since).await?;
            tx.commit().await?;
            Ok(true)
        }
        Thought::Look => match said_by(backend, project).await {
            Ok(said) => {
                let differs = kept.asked.is_some_and(|asked| !said.keeps(asked));
                if differs {
                    tracing::warn!(
                        backend = name,
                        project,
                        ?said,
                        "a cloud keeps other limits of a project than were written"
                    );
                }
                let mut tx = cx.db().begin().await?;
                let (at, tried) = ((name, project), kept.tried_at);
                cloud_limit::looked(&mut tx, at, tried, said, differs, now).await?;
                tx.commit().await?;
                Ok(true)
            }
            Err(ReadError::Unreachable(_)) => Ok(false),
            Err(ReadError::Refused(refusal)) => {
                tracing::warn!(backend = name, project, %refusal, "a cloud does not tell the limits of a project");
                Ok(true)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

    fn of(vcpus: i64) -> CloudLimit {
        let (all, none) = (Some(vcpus), Some(0));
        CloudLimit {
            vcpus: all,
            memory_gb: none,
            disk_gb: none,
            addresses: none,
        }
    }

    fn ground(limit: i64, unbooked: i64) -> Ground {
        let cores = |vcpus| Counted {
            vcpus,
            ..Counted::default()
        };
        Ground {
            limit: of(limit),
            counted: cores(unbooked),
            unbooked: cores(unbooked),
        }
    }

    fn kept(asked: i64) -> Kept {
        Kept {
            asked: Some(of(asked)),
            settled: true,
            said: Some(of(asked)),
            said_at: Some(NOW),
            tried_at: Some(NOW),
            ..Kept::default()
        }
    }

    fn later(ms: i64) -> Timestamp {
        NOW.plus_millis(ms)
    }

    #[test]
    fn what_was_never_written_is_written_and_what_is_raised_is_written_at_once() {
        for think in [before_building, each_minute] {
            let first = think(&Kept::default(), &ground(8, 2), NOW);
            assert_eq!(first, Thought::Write(of(10)));
            assert_eq!(think(&kept(8), &ground(8, 0), NOW), Thought::Fine);
            let raised = think(&kept(8), &ground(8, 4), NOW);
            assert_eq!(raised, Thought::Write(of(12)));
        }
    }

    #[test]
    fn what_is_lowered_is_written_when_it_has_stayed_lower() {
        let mut kept = kept(12);
        let ground = ground(8, 0);
        assert_eq!(before_building(&kept, &ground, NOW), Thought::Fine);
        assert_eq!(each_minute(&kept, &ground, NOW), Thought::Lower(Some(NOW)));
        kept.lower_since = Some(NOW);
        kept.said_at = Some(later(LOWER_MS));
        assert_eq!(
            each_minute(&kept, &ground, later(LOWER_MS - 1)),
            Thought::Fine
        );
        let due = each_minute(&kept, &ground, later(LOWER_MS));
        assert_eq!(due, Thought::Write(of(8)));
        let back = each_minute(&kept, &self::ground(12, 0), later(LOWER_MS));
        assert_eq!(back, Thought::Lower(None));
    }

    #[test]
    fn nobody_relies_on_figures_that_are_being_written() {
        let mut kept = kept(8);
        let ground = ground(8, 0);
        kept.settled = false;
        kept.claimed_until = Some(later(1));
        assert_eq!(
            before_building(&kept, &ground, NOW),
            Thought::Busy(later(1))
        );
        // Whoever wrote has died: nobody knows what the cloud keeps.
        let dead = before_building(&kept, &ground, later(1));
        assert_eq!(dead, Thought::Write(of(8)));
    }

    #[test]
    fn what_was_changed_in_the_cloud_is_written_again_and_what_it_refuses_after_a_while() {
        let mut kept = kept(8);
        kept.said = Some(of(4));
        let ground = ground(8, 0);
        // Somebody changed it there.
        let changed = before_building(&kept, &ground, NOW);
        assert_eq!(changed, Thought::Write(of(8)));
        // It has said no: what is ordered goes on.
        kept.failed = true;
        assert_eq!(before_building(&kept, &ground, NOW), Thought::Fine);
        assert_eq!(each_minute(&kept, &ground, NOW), Thought::Fine);
        let again = each_minute(&kept, &ground, later(LOOK_MS));
        assert_eq!(again, Thought::Write(of(8)));
    }

    #[test]
    fn what_the_portal_does_not_limit_is_raised_where_it_would_be_too_little() {
        let mut kept = kept(8);
        let mut ground = ground(8, 0);
        ground.limit.addresses = None;
        kept.asked = Some(ground.limit);
        kept.said = Some(CloudLimit {
            addresses: Some(1),
            ..of(8)
        });
        assert_eq!(before_building(&kept, &ground, NOW), Thought::Fine);
        ground.counted.addresses = 2;
        let raised = before_building(&kept, &ground, NOW);
        assert_eq!(raised, Thought::Write(ground.limit));
    }
}
