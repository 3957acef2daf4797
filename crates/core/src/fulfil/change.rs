//! Changing what runs: what an approved change request starts.
//!
//! A renewal needs no cloud: it is booked in the transaction of the approval. Another size is a saga
//! of one call, begun in that same transaction, so that nothing else can be begun on the resource in
//! between. Quota, price and the resource's row change in the transaction that ends it. There is
//! nothing to confirm: no trial run begins, and the request is closed. A new disk out of a snapshot
//! begins here too and is made by the saga that makes one at once ([`restore`]).

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{Call, ExternalId, ServerSize},
};
use lingbao_model::{
    change::{Plan, Stand, What},
    id::{PoolId, RequestId, ResourceId, UserId, VdcId},
    msg::Msg,
    quota::{Amounts, Dimension},
    request::{Event, Outcome, Status as RequestStatus},
    resource::EventKind,
    time::MINUTE_MS,
};
use serde::{Deserialize, Serialize};

use super::{
    cloud_limit::{Limited, Whose},
    pieces::schedule,
    restore,
    step::{CallStep, MakeCall, Undo},
};
use crate::{
    app::Cx,
    audit,
    authz::Scope,
    error::{ServiceError, StorageError},
    saga::{self, End, Ended, Saga, Step},
    service::{notice, request::change::think::free},
    storage::{
        Tx, backup, change, fulfilment, history, item, quota,
        request::Request,
        request_change,
        resource::{self, Resource},
        resource_action,
    },
};

const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What is changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Params {
    /// The request.
    pub request: RequestId,
    /// Who asked.
    pub applicant: UserId,
    /// The resource.
    pub resource: ResourceId,
    /// Whose quota.
    pub vdc: VdcId,
    /// In which pool.
    pub pool: Option<PoolId>,
    /// Its backend.
    pub backend: String,
    /// The backend's name for it.
    pub external_id: String,
    /// The change.
    pub plan: Plan,
}

/// The saga.
pub struct Change {
    backends: Arc<Backends>,
}

impl Change {
    /// A saga that changes things at these backends.
    #[must_use]
    pub const fn new(backends: Arc<Backends>) -> Self {
        Self { backends }
    }
}

/// The call that gives a thing the size with which it stands.
fn sized(what: What, id: ExternalId, stand: &Stand) -> MakeCall {
    let number = |key: &str| {
        let n = stand.answers.integer(key).unwrap_or(0);
        u32::try_from(n).unwrap_or(0)
    };
    let call = match what {
        What::Resize => Some(Call::ResizeServer {
            server: id,
            size: ServerSize {
                vcpus: number("vcpus"),
                memory_gb: number("memory_gb"),
            },
        }),
        What::Extend => Some(Call::ExtendVolume {
            volume: id,
            size_gb: number("size_gb"),
        }),
        What::Plan => {
            let (every_hours, keep_days) = schedule(&stand.answers);
            Some(Call::ChangeBackupPlan {
                plan: id,
                every_hours,
                keep_days,
            })
        }
        // A renewal needs none; a new disk has a saga of its own.
        What::Renew | What::Restore | What::RestoreBackup => None,
    };
    Box::new(move |_| {
        call.clone()
            .ok_or_else(|| "call: this change needs none".to_owned())
    })
}

#[async_trait]
impl Saga for Change {
    const KIND: &'static str = "change";
    const VERSION: i64 = 1;
    type Params = Params;

    fn steps(&self, params: &Params) -> Vec<Box<dyn Step>> {
        let backend = self.backends.get_or_absent(&params.backend);
        let (plan, id) = (&params.plan, ExternalId(params.external_id.clone()));
        // A disk can't be shrunk: there is nothing to take back. One that has grown after all is a
        // difference that the next round of the reconciler shows; asked for that size it is booked.
        let undo = match plan.what {
            What::Extend => Undo::Nothing,
            What::Resize | What::Plan | What::Renew | What::Restore | What::RestoreBackup => {
                Undo::Call(sized(plan.what, id.clone(), &plan.was))
            }
        };
        let make = sized(plan.what, id, &plan.will);
        let step = CallStep::boxed(plan.what.as_str(), backend.clone(), undo, make);
        let whose = Whose::Of(params.resource.clone());
        vec![Limited::boxed(step, backend, whose)]
    }

    async fn ended(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        ended: &Ended<'_, Params>,
    ) -> Result<(), StorageError> {
        // Nobody knows its size: it stays busy and held until an operator has looked.
        if matches!(ended.end, End::Residue(_)) {
            return Ok(());
        }
        let params = ended.params;
        resource_action::lock(tx, &params.resource).await?;
        resource_action::end(tx, &params.resource, ended.saga).await?;
        let scope = system_scope(cx, ended.saga.as_str())?;
        let found = resource::get(tx, &scope, &params.resource).await?;
        let outcome = match (&found, ended.end) {
            (Some(found), End::Done) => {
                book(
                    tx,
                    cx,
                    &params.request,
                    &params.applicant,
                    found,
                    &params.plan,
                )
                .await?;
                Outcome::Complete
            }
            _ => {
                let operation = format!("undo:{}", params.request);
                quota::release_all(tx, cx, &params.request, &operation).await?;
                Outcome::Failed
            }
        };
        let reason = ended.why();
        let (said, told) = if outcome == Outcome::Complete {
            (
                Msg::new(format!("request.history.changed.{}", params.plan.what)),
                Msg::new("notice.changed"),
            )
        } else {
            (
                Msg::new("request.history.not_changed").with("reason", reason.clone()),
                Msg::new("notice.not_changed").with("reason", reason),
            )
        };
        let name = found.as_ref().map(|f| f.name.clone()).unwrap_or_default();
        let told = Some(told.with("name", name));
        let end = (outcome, &said, told);
        close(tx, cx, &params.request, &params.resource, end).await
    }
}

/// Closes the request of a change whose work has ended: what its history says, and what its
/// applicant is told beside what the work told already.
///
/// # Errors
/// What the database says.
pub(super) async fn close(
    tx: &mut Tx,
    cx: &Cx,
    request: &RequestId,
    resource: &ResourceId,
    (outcome, said, told): (Outcome, &Msg, Option<Msg>),
) -> Result<(), StorageError> {
    let Some(head) = fulfilment::head(tx, request).await? else {
        return Ok(());
    };
    if head.status == RequestStatus::Approved {
        fulfilment::end_request(tx, &head, outcome, cx.now()).await?;
    }
    history::add(tx, cx, &head.id, said).await?;
    if let Some(told) = told {
        let told = told.with("number", head.number.clone());
        let to = format!("/requests/{}", head.id);
        notice::send(tx, cx, &head.applicant, &told, &to).await?;
    }
    change::touch(tx, cx, &to_topic(&head.id)).await?;
    change::touch(tx, cx, &format!("unit:{}", head.unit)).await?;
    audit::record(
        tx,
        cx,
        audit::Event::new("request.settle", "request", &head.id)
            .of_unit(&head.unit)
            .detail(serde_json::json!({ "outcome": outcome, "resource": resource })),
    )
    .await
}

fn to_topic(request: &RequestId) -> String {
    format!("request:{request}")
}

fn system_scope(cx: &Cx, at: &str) -> Result<Scope, StorageError> {
    Scope::system(&cx.acting_as(crate::app::Actor::System))
        .map_err(|e| StorageError::inconsistent("saga", "actor", at, e))
}

/// The form that renews a resource: where its reminders lead.
#[must_use]
pub fn renewal(resource: &ResourceId) -> String {
    format!("/resources/{resource}/change?what=renew")
}

/// The term on a resource's page: where the reminders of those lead who order nothing. A place of its
/// own, so that a renewal settles no other notice of the resource.
#[must_use]
pub fn term_of(resource: &ResourceId) -> String {
    format!("/resources/{resource}#term")
}

/// What a change books, once: what was held is used, what is not needed any more is free, the
/// resource stands as planned, and its history says what was and what is.
async fn book(
    tx: &mut Tx,
    cx: &Cx,
    request: &RequestId,
    applicant: &UserId,
    found: &Resource,
    plan: &Plan,
) -> Result<(), StorageError> {
    if let Some(place) = &found.placement {
        let booking = |what: &str, amounts: Amounts| quota::Booking {
            operation: format!("{what}:{request}"),
            vdc: found.vdc.clone(),
            request: Some(request.clone()),
            demand: [(place.pool.clone(), amounts)].into(),
        };
        quota::convert(tx, cx, &booking("convert", plan.more()), &found.id).await?;
        quota::free(tx, cx, &booking("free", plan.less()), &found.id).await?;
    }
    resource::apply(tx, found, plan, cx.now()).await?;
    if plan.what == What::Plan {
        let every_ms = i64::from(schedule(&plan.will.answers).0) * HOUR_MS;
        backup::reschedule(tx, &found.id, every_ms).await?;
    }
    if plan.what == What::Renew {
        // Nobody need be reminded of the old end any more.
        let asked = [renewal(&found.id), term_of(&found.id)];
        notice::settle(tx, cx, &asked).await?;
    }
    let content = item::content(tx, &plan.will.version).await?;
    let schema = content.map(|c| c.schema).unwrap_or_default();
    let kind = match plan.what {
        What::Resize => EventKind::Resized,
        What::Extend => EventKind::Extended,
        What::Plan => EventKind::Replanned,
        What::Renew => EventKind::Renewed,
        What::Restore => EventKind::SnapshotRestored,
        What::RestoreBackup => EventKind::BackupRestored,
    };
    let by = (applicant.as_str(), cx.now());
    resource::add_change(tx, &cx.id(), &found.id, kind, by, &plan.shown(&schema)).await
}

/// Begins an approved change, in the transaction of the approval. A renewal is done then: the
/// request is closed, and the caller saves it. `true` if it is.
///
/// # Errors
/// [`ServiceError::Conflict`] if the resource is not as it was when the change was asked for, or
/// something else is done to it; nothing of the transaction may be committed then.
pub async fn begin(tx: &mut Tx, cx: &Cx, request: &mut Request) -> Result<bool, ServiceError> {
    let inconsistent = |what| {
        StorageError::inconsistent("request_change", "resource_id", request.id.as_str(), what)
    };
    let (id, mut plan) = request_change::get(tx, &request.id)
        .await?
        .ok_or_else(|| inconsistent("nothing is changed"))?;
    resource_action::lock(tx, &id).await?;
    let scope = system_scope(cx, request.id.as_str())?;
    let found = resource::get(tx, &scope, &id)
        .await?
        .ok_or_else(|| inconsistent("no such resource"))?;
    free(tx, &found, plan.what, Some(&request.id)).await?;
    // The disk need not be as it was: the new one is made of its copy.
    if plan.what.makes_disk() {
        restore::begin_agreed(tx, cx, request, &found, plan).await?;
        return Ok(false);
    }
    let term = resource::term(tx, &id).await?;
    if resource::stand(&found, &term) != plan.was {
        let msg = Msg::new("change.moved_on").with("name", found.name.clone());
        return Err(ServiceError::Conflict(msg));
    }
    if plan.what == What::Renew {
        if plan.will.until <= cx.now() {
            return Err(ServiceError::Conflict(Msg::new("change.term_over")));
        }
        // The old term ended while consent was waited for: nothing of its price is kept.
        if plan.was.until <= cx.now() && found.placement.is_some() {
            let fee = plan.will.month.fen();
            plan.will.amounts.0.insert(Dimension::MonthlyFee, fee);
            plan.will.amounts.0.retain(|_, n| *n != 0);
        }
        book(tx, cx, &request.id, &request.applicant, &found, &plan).await?;
        for event in [Event::Settle, Event::Confirm] {
            let next = request.status.after(event);
            request.status = next.map_err(|e| ServiceError::Conflict(e.msg()))?;
        }
        request.outcome = Some(Outcome::Complete);
        request.settled_at = Some(cx.now());
        request.closed_at = Some(cx.now());
        return Ok(true);
    }
    let (Some(backend), Some(external_id)) = (found.backend.clone(), found.external_id.clone())
    else {
        return Err(ServiceError::Conflict(Msg::new("resource.not_in_cloud")));
    };
    let params = Params {
        request: request.id.clone(),
        applicant: request.applicant.clone(),
        resource: id.clone(),
        vdc: found.vdc.clone(),
        pool: found.placement.as_ref().map(|p| p.pool.clone()),
        backend,
        external_id,
        plan,
    };
    let saga = saga::start::<Change>(tx, cx, request.id.as_str(), &params).await?;
    let by = request.applicant.as_str();
    if !resource_action::begin(tx, &id, &saga, "change", by, cx.now()).await? {
        return Err(ServiceError::Conflict(Msg::new("resource.busy_now")));
    }
    Ok(false)
}
