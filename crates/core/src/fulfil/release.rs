//! Giving resources back: what an approved release request starts, and what erases what has lain in
//! the recycle bin long enough.
//!
//! A request that keeps its things goes into the bin by [`super::recycle`]; here they are erased, at
//! once or later. What was deleted is read back, and a certificate says so.
//!
//! Deleting can't be undone, so this saga never unwinds: a step that the backend refuses waits for
//! an operator. Each resource is written off in the transaction that ends its step.

pub(super) mod delete;

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::Backends;
use lingbao_model::{
    catalogue::Fulfiller,
    id::{PoolId, RequestId, ResourceId, UnitId, UserId, VdcId},
    msg::Msg,
    quota::Amounts,
    request::{Outcome as RequestOutcome, Status as RequestStatus},
    resource::{EventKind, ServiceState},
    time::{DAY_MS, Timestamp},
};
use serde::{Deserialize, Serialize};

use self::delete::Delete;
use super::recycle;
use crate::{
    app::{Actor, Cx},
    authz::Scope,
    error::StorageError,
    jobs::{Handler, Job, JobError, Run},
    saga::{self, End, Ended, Saga, Step},
    service::notice,
    storage::{Tx, bin, change, fulfilment, history, request, resource, resource_action},
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
    /// The resources, in the order in which they go.
    pub resources: Vec<Part>,
    /// Whether they lay in the recycle bin: then the request is closed already.
    #[serde(default)]
    pub from_bin: bool,
    /// Who had them erased before their time.
    #[serde(default)]
    pub by: Option<UserId>,
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
    match bin::terms(tx, request).await? {
        Some(days) if days > 0 => return recycle::start(tx, cx, &head, days).await,
        _ => {}
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
        resources.push(Part::of(found));
    }
    resources.sort_by_key(|p| turn(p.kind));
    let params = Params {
        request: request.clone(),
        unit: head.unit,
        applicant: head.applicant,
        resources,
        from_bin: false,
        by: None,
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

/// What hangs on a server goes before it. A plan goes after it: it may be a note on the server, and
/// from one that stands in an error no note is taken off.
const fn turn(kind: Fulfiller) -> u8 {
    match kind {
        Fulfiller::Server => 1,
        Fulfiller::Backup => 2,
        _ => 0,
    }
}

impl Part {
    pub(super) fn of(found: resource::Resource) -> Self {
        Self {
            attached: found.attached_to.is_some(),
            resource: found.id,
            kind: found.kind,
            backend: found.backend,
            external_id: found.external_id,
            vdc: found.vdc,
            pool: found.placement.map(|p| p.pool),
            amounts: found.amounts,
        }
    }
}

/// Begins to erase what of these lies in the bin, was given back by the request and is to be erased
/// by `due`: how many. What is taken back, or being erased, at this very moment is left alone.
///
/// # Errors
/// What the database says.
pub(super) async fn erase(
    tx: &mut Tx,
    cx: &Cx,
    request: &RequestId,
    ids: &[ResourceId],
    by: Option<&UserId>,
    due: Timestamp,
) -> Result<usize, StorageError> {
    let Some(head) = fulfilment::head(tx, request).await? else {
        return Ok(0);
    };
    let scope = Scope::system(&cx.acting_as(Actor::System))
        .map_err(|e| StorageError::inconsistent("job", "actor", request.as_str(), e))?;
    let mut ids = ids.to_vec();
    ids.sort();
    let mut resources = Vec::new();
    for id in &ids {
        resource_action::lock(tx, id).await?;
        let Some(found) = resource::get(tx, &scope, id).await? else {
            continue;
        };
        let lies = found.service == ServiceState::Recycled;
        if lies
            && found.erase_at.is_some_and(|at| at <= due)
            && resource_action::current(tx, id).await?.is_none()
        {
            resources.push(Part::of(found));
        }
    }
    if resources.is_empty() {
        return Ok(0);
    }
    resources.sort_by_key(|p| turn(p.kind));
    let params = Params {
        request: request.clone(),
        unit: head.unit,
        applicant: head.applicant,
        resources,
        from_bin: true,
        by: by.cloned(),
    };
    let saga = saga::start::<Release>(tx, cx, request.as_str(), &params).await?;
    let actor = by.map_or("system", UserId::as_str);
    for part in &params.resources {
        let id = &part.resource;
        resource_action::begin(tx, id, &saga, "erase", actor, cx.now()).await?;
        let event = EventKind::EraseStarted;
        resource::add_event(tx, &cx.id(), id, event, actor, cx.now()).await?;
    }
    change::touch(tx, cx, &format!("unit:{}", params.unit)).await?;
    Ok(params.resources.len())
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
                request: params.request.clone(),
                by: params.by.clone(),
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
        let link = format!("/requests/{}", head.id);
        if ended.params.from_bin {
            let done = *ended.end == End::Done;
            if !done {
                // An operator gave it up: what still lies there gets another day.
                let until = cx.now().plus_millis(DAY_MS);
                for part in &ended.params.resources {
                    bin::lie_until(tx, &part.resource, until).await?;
                }
            }
            let key = if done {
                "notice.erased"
            } else {
                "notice.not_erased"
            };
            let msg = Msg::new(key)
                .with("number", head.number.clone())
                .with("name", names(tx, cx, ended.params).await?);
            notice::send(tx, cx, &head.applicant, &msg, &link).await?;
            change::touch(tx, cx, &format!("unit:{}", head.unit)).await?;
            return change::touch(tx, cx, &format!("request:{}", head.id)).await;
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
        // What is gone is nobody's to confirm.
        fulfilment::end_request(tx, &head, outcome, cx.now()).await?;
        history::add(tx, cx, &head.id, &Msg::new(history)).await?;
        let msg = Msg::new(notice).with("number", head.number.clone());
        notice::send(tx, cx, &head.applicant, &msg, &link).await?;
        change::touch(tx, cx, &format!("request:{}", head.id)).await
    }
}

/// The names of what is erased, the first three of them.
async fn names(tx: &mut Tx, cx: &Cx, params: &Params) -> Result<String, StorageError> {
    const MOST: usize = 3;
    let scope = Scope::system(cx)
        .map_err(|e| StorageError::inconsistent("saga", "actor", params.request.as_str(), e))?;
    let mut names = Vec::new();
    for part in params.resources.iter().take(MOST) {
        let found = resource::get(tx, &scope, &part.resource).await?;
        names.extend(found.map(|found| found.name));
    }
    let more = if params.resources.len() > MOST {
        " …"
    } else {
        ""
    };
    Ok(format!("{}{more}", names.join(", ")))
}
