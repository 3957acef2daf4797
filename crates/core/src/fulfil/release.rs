//! Giving resources back: what an approved release request starts.
//!
//! Deleting can't be undone, so this saga never unwinds: a step that the backend refuses waits for
//! an operator. Each resource is written off in the transaction that ends its step.

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{
        Call, ExternalId, Kind, OperationId, Outcome as Answer, Provisioner, RefusalReason,
    },
};
use lingbao_model::{
    catalogue::Fulfiller,
    id::{PoolId, RequestId, ResourceId, UnitId, UserId, VdcId},
    msg::Msg,
    quota::Amounts,
    request::{Outcome as RequestOutcome, Status as RequestStatus},
    resource::{EventKind, ServiceState},
    view::resource::SnapshotState,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::step::delete_call;
use crate::{
    app::Cx,
    authz::Scope,
    error::StorageError,
    jobs::{Handler, Job, JobError, Run},
    saga::{self, End, Ended, Outcome, Saga, Step, StepCx, Undone, Verified},
    storage::{
        Tx, change, fulfilment, history, quota, request, resource, resource_action, snapshot,
    },
};

/// Starts the saga of an approved release request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReleaseRequest {
    /// The request.
    pub request: RequestId,
}

impl Job for ReleaseRequest {
    const KIND: &'static str = "release.request";
    fn dedup_key(&self) -> Option<String> {
        Some(self.request.to_string())
    }
}

/// What is given back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Params {
    /// The request.
    pub request: RequestId,
    /// Whose.
    pub unit: UnitId,
    /// Who asked.
    pub applicant: UserId,
    /// The resources; what attaches comes before what it is attached to.
    pub resources: Vec<Part>,
}

/// One resource.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Part {
    /// The resource.
    pub resource: ResourceId,
    /// Kind of thing.
    pub kind: Fulfiller,
    /// Its backend; `None` for what people did.
    pub backend: Option<String>,
    /// The backend's name for it.
    pub external_id: Option<String>,
    /// Whether it is attached to something.
    pub attached: bool,
    /// Whose quota.
    pub vdc: VdcId,
    /// In which pool.
    pub pool: Option<PoolId>,
    /// What it frees.
    pub amounts: Amounts,
}

/// Runs [`ReleaseRequest`].
#[derive(Debug)]
pub struct Releaser;

#[async_trait]
impl Handler<ReleaseRequest> for Releaser {
    async fn run(&self, run: &Run, job: ReleaseRequest) -> Result<(), JobError> {
        let mut tx = run.begin().await?;
        if !start(&mut tx, &run.cx(), &job.request).await? {
            drop(tx);
            let again = run.cx().now().plus_millis(2_000);
            return Err(JobError::wait(
                again,
                "something else is being done to a resource of it",
            ));
        }
        run.complete(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Begins the release, unless it has begun. `false`, with nothing written, while something else is
/// done to one of its resources: that may change what the cloud calls it and what it takes. Once a
/// release is approved nothing new begins, so the waiting ends.
async fn start(tx: &mut Tx, cx: &Cx, request: &RequestId) -> Result<bool, StorageError> {
    let Some(head) = fulfilment::head(tx, request).await? else {
        return Ok(true);
    };
    if head.status != RequestStatus::Approved
        || crate::storage::operation::has_saga(tx, request.as_str()).await?
    {
        return Ok(true);
    }
    let scope = Scope::system(cx)
        .map_err(|e| StorageError::inconsistent("job", "actor", request.as_str(), e))?;
    let mut resources = Vec::new();
    for id in request::releases(tx, request).await? {
        // What it takes from the quota must not change between here and the end.
        resource_action::lock(tx, &id).await?;
        let Some(found) = resource::get(tx, &scope, &id).await? else {
            continue;
        };
        if found.service == ServiceState::Released {
            continue;
        }
        if resource_action::current(tx, &id).await?.is_some() {
            return Ok(false);
        }
        resources.push(Part {
            attached: found.attached_to.is_some(),
            resource: found.id,
            kind: found.kind,
            backend: found.backend,
            external_id: found.external_id,
            vdc: found.vdc,
            pool: found.placement.map(|p| p.pool),
            amounts: found.amounts,
        });
    }
    // What hangs on a server goes before the server.
    resources.sort_by_key(|p| p.kind == Fulfiller::Server);
    let params = Params {
        request: request.clone(),
        unit: head.unit,
        applicant: head.applicant,
        resources,
    };
    let saga = saga::start::<Release>(tx, cx, request.as_str(), &params).await?;
    for part in &params.resources {
        resource_action::begin(
            tx,
            &part.resource,
            &saga,
            "release",
            params.applicant.as_str(),
            cx.now(),
        )
        .await?;
        resource::add_event(
            tx,
            &cx.id(),
            &part.resource,
            EventKind::ReleaseStarted,
            params.applicant.as_str(),
            cx.now(),
        )
        .await?;
    }
    Ok(true)
}

/// The saga.
pub struct Release {
    backends: Arc<Backends>,
}

impl Release {
    /// A saga that deletes at these backends.
    #[must_use]
    pub const fn new(backends: Arc<Backends>) -> Self {
        Self { backends }
    }
}

#[async_trait]
impl Saga for Release {
    const KIND: &'static str = "release";
    const VERSION: i64 = 1;
    type Params = Params;

    fn steps(&self, params: &Params) -> Vec<Box<dyn Step>> {
        let step = |(index, part): (usize, &Part)| -> Box<dyn Step> {
            let backend = part
                .backend
                .as_deref()
                .map(|name| self.backends.get_or_absent(name));
            Box::new(Delete {
                name: format!("{}-{}", part.kind, index + 1),
                part: part.clone(),
                backend,
                applicant: params.applicant.clone(),
            })
        };
        params.resources.iter().enumerate().map(step).collect()
    }

    async fn ended(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        ended: &Ended<'_, Params>,
    ) -> Result<(), StorageError> {
        let Some(head) = fulfilment::head(tx, &ended.params.request).await? else {
            return Ok(());
        };
        for part in &ended.params.resources {
            resource_action::end(tx, &part.resource, ended.saga).await?;
        }
        // Given up half way, what was not deleted still stands, is held against the quota and
        // charged: the applicant must hear that, and may ask again.
        let (outcome, history, notice) = match ended.end {
            End::Done => (
                RequestOutcome::Complete,
                "request.history.released",
                "notice.released",
            ),
            End::Undone | End::Residue(_) => (
                RequestOutcome::Failed,
                "request.history.not_released",
                "notice.not_released",
            ),
        };
        fulfilment::settle_request(tx, &head, outcome, cx.now()).await?;
        history::add(tx, cx, &head.id, &Msg::new(history)).await?;
        let msg = Msg::new(notice).with("number", head.number.clone());
        crate::service::notice::send(
            tx,
            cx,
            &head.applicant,
            &msg,
            &format!("/requests/{}", head.id),
        )
        .await?;
        change::touch(tx, cx, &format!("request:{}", head.id)).await
    }
}

/// Deletes one resource, after its snapshots and after taking it off what it hangs on.
struct Delete {
    name: String,
    part: Part,
    backend: Option<Arc<dyn Provisioner>>,
    applicant: UserId,
}

impl Delete {
    /// The snapshots of a disk go before it: with one of them no cloud deletes it. They are looked
    /// up when the disk's turn comes, because one may just have been taken; `Err` while one is.
    async fn snapshots(&self, cx: &StepCx) -> Result<Vec<(String, Call)>, Outcome> {
        if self.part.kind != Fulfiller::Volume {
            return Ok(Vec::new());
        }
        let again = |error: StorageError| Outcome::Retry(error.to_string());
        let mut rx = cx.cx.db().read().await.map_err(again)?;
        let all = snapshot::of_resource(&mut rx, &self.part.resource)
            .await
            .map_err(again)?;
        if all.iter().any(|s| s.row.state == SnapshotState::Making) {
            return Err(Outcome::Wait {
                until: Some(cx.cx.now().plus_millis(2_000)),
                why: "a snapshot of it is being taken".into(),
            });
        }
        Ok(all
            .into_iter()
            .filter_map(|s| {
                let snapshot = ExternalId(s.external_id?);
                Some((s.row.id.to_string(), Call::DeleteSnapshot { snapshot }))
            })
            .collect())
    }

    fn calls(&self, id: &str) -> Vec<(String, Call)> {
        let id = ExternalId(id.to_owned());
        let kind = match self.part.kind {
            Fulfiller::Server => Kind::Server,
            Fulfiller::Volume => Kind::Volume,
            Fulfiller::Address => Kind::Address,
            Fulfiller::Backup => Kind::BackupPlan,
            Fulfiller::People => return Vec::new(),
        };
        let mut calls = Vec::new();
        match self.part.kind {
            Fulfiller::Volume => {
                calls.push(("detach".into(), Call::DetachVolume { volume: id.clone() }));
            }
            Fulfiller::Address => {
                calls.push((
                    "free".into(),
                    Call::AssociateAddress {
                        address: id.clone(),
                        server: None,
                    },
                ));
            }
            _ => {}
        }
        calls.extend(delete_call(kind, id).map(|call| ("delete".into(), call)));
        calls
    }
}

#[async_trait]
impl Step for Delete {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn run(&self, cx: &StepCx) -> Outcome {
        let (Some(backend), Some(id)) = (&self.backend, &self.part.external_id) else {
            return Outcome::Done(Value::Null);
        };
        let snapshots = match self.snapshots(cx).await {
            Ok(snapshots) => snapshots,
            Err(outcome) => return outcome,
        };
        for (part, call) in snapshots.into_iter().chain(self.calls(id)) {
            let operation = OperationId(format!("{}:{part}", cx.operation));
            match backend.execute(&operation, call).await {
                Answer::Done(_) => {}
                Answer::Running { retry_after_ms, .. } => {
                    let ms = i64::try_from(retry_after_ms)
                        .unwrap_or(1000)
                        .clamp(50, 60_000);
                    return Outcome::Wait {
                        until: Some(cx.cx.now().plus_millis(ms)),
                        why: format!("{part}: {} works on it", backend.name()),
                    };
                }
                // Somebody was faster: gone is gone.
                Answer::Refused(refusal) if refusal.reason == RefusalReason::NotFound => {}
                Answer::Refused(refusal) => return Outcome::Retry(refusal.to_string()),
                Answer::Unreachable(why) | Answer::Unknown(why) => return Outcome::Retry(why),
            }
        }
        Outcome::Done(Value::Null)
    }

    async fn undo(&self, _: &StepCx) -> Undone {
        Undone::Done
    }

    async fn verify(&self, _: &StepCx) -> Verified {
        // Deleting twice is deleting once.
        Verified::Absent
    }

    async fn save(&self, tx: &mut Tx, cx: &StepCx, _: &Value) -> Result<(), StorageError> {
        let scope = Scope::system(&cx.cx)
            .map_err(|e| StorageError::inconsistent("saga", "actor", cx.saga.as_str(), e))?;
        let Some(found) = resource::get(tx, &scope, &self.part.resource).await? else {
            return Ok(());
        };
        if found.service == ServiceState::Released {
            return Ok(());
        }
        resource::mark_released(tx, &found, cx.cx.now()).await?;
        resource::detach_all(tx, &found.id).await?;
        snapshot::all_gone(tx, &found.id, cx.cx.now()).await?;
        resource::add_event(
            tx,
            &cx.cx.id(),
            &found.id,
            EventKind::Released,
            self.applicant.as_str(),
            cx.cx.now(),
        )
        .await?;
        if let Some(pool) = &self.part.pool {
            let booking = quota::Booking {
                operation: format!("free:{}", found.id),
                vdc: self.part.vdc.clone(),
                request: None,
                demand: [(pool.clone(), found.amounts.clone())].into(),
            };
            quota::free(tx, &cx.cx, &booking, &found.id).await?;
        }
        change::touch(tx, &cx.cx, &format!("unit:{}", found.unit)).await
    }
}
