//! What operators see: work orders, sagas with their steps, the health of the backends.

use serde::{Deserialize, Serialize};

use crate::cloud_limit::CloudLimit;
use crate::id::{JobId, RequestId, RequestItemId, ResourceId, SagaId, UserId, WorkOrderId};
use crate::msg::{Label, Msg};
use crate::param::Fact;
use crate::time::Timestamp;
use crate::view::page::Page;
use crate::words;

words! {
    /// Where a work order stands.
    pub enum WorkOrderStatus {
        /// Nobody has it yet.
        Open = "open",
        /// Somebody works on it.
        Taken = "taken",
        /// Done.
        Done = "done",
        /// Given up.
        Failed = "failed",
    }
}

/// One part of a work order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Check {
    /// What is to be done.
    pub label: Label,
    /// Whether it has been.
    pub done: bool,
}

/// A work order (工单).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkOrderRow {
    /// Identifier.
    pub id: WorkOrderId,
    /// The request.
    pub request: RequestId,
    /// Its number.
    pub request_number: String,
    /// The line of the request.
    pub item: RequestItemId,
    /// The piece of that line.
    pub piece: i64,
    /// For which unit.
    pub unit_name: String,
    /// What is to be done.
    pub title: Label,
    /// Its parts.
    pub checklist: Vec<Check>,
    /// Where it stands.
    pub status: WorkOrderStatus,
    /// Who works on it.
    pub assignee: Option<UserId>,
    /// That person's name.
    pub assignee_name: Option<String>,
    /// By when.
    pub due_at: Timestamp,
    /// What the assignee wrote.
    pub note: String,
    /// Asked for.
    pub created_at: Timestamp,
    /// Done or given up.
    pub closed_at: Option<Timestamp>,
    /// Version of the row.
    pub version: i64,
}

/// A work order with what one needs to do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkOrderDetail {
    /// The order.
    pub order: WorkOrderRow,
    /// What the applicant asked for, answer by answer.
    pub facts: Vec<Fact>,
    /// How many.
    pub count: i64,
    /// Why it is asked for.
    pub reason: String,
    /// Who asked.
    pub applicant_name: String,
    /// Where to call.
    pub applicant_phone: String,
}

/// Filter of work orders; without a status: those that are not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkOrderFilter {
    /// Status.
    pub status: Option<WorkOrderStatus>,
    /// Who works on it.
    pub assignee: Option<UserId>,
    /// Those that the reader works on.
    pub mine: bool,
    /// Where the page begins.
    pub cursor: Option<String>,
    /// Rows of a page.
    pub limit: Option<i64>,
}

words! {
    /// Where the way of a fulfilment stands, for the operator.
    pub enum SagaState {
        /// Goes forward by itself.
        Running = "running",
        /// Too many failures: an operator must act.
        Stuck = "stuck",
        /// Ended whole.
        Done = "done",
        /// Being taken back.
        Unwinding = "unwinding",
        /// Taken back; nothing is left.
        Undone = "undone",
        /// Taken back, but something is left behind.
        Residue = "residue",
    }
}

/// The kinds of sagas, in the order in which the operator chooses among them.
pub const SAGA_KINDS: &[&str] = &[
    "build", "change", "power", "operate", "restore", "recycle", "release", "mend", "relay",
    "remove",
];

/// Filter of sagas; without a state: those that are not over, of one request or resource all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SagaFilter {
    /// State.
    pub state: Option<SagaState>,
    /// What it does, one of [`SAGA_KINDS`].
    pub kind: Option<String>,
    /// Number of the request for which it works, or that ordered what it works on.
    pub request: Option<String>,
    /// The resource that it built, changed, or worked on otherwise.
    pub resource: Option<ResourceId>,
    /// Where the page begins.
    pub cursor: Option<String>,
    /// Rows of a page.
    pub limit: Option<i64>,
}

/// Something that a saga works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SagaThing {
    /// The resource, once it stands.
    pub resource: Option<ResourceId>,
    /// Its name.
    pub name: String,
    /// Name of its item.
    pub item: Label,
}

/// One saga in the operator's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SagaLine {
    /// Identifier.
    pub id: SagaId,
    /// What it does: `build`, `power`, `release`.
    pub kind: String,
    /// Where it stands.
    pub state: SagaState,
    /// Name of the first thing it works on.
    pub subject: String,
    /// What it works on; at most three.
    pub things: Vec<SagaThing>,
    /// How many things it works on.
    pub thing_count: i64,
    /// The request for which it works.
    pub request: Option<RequestId>,
    /// Number of that request.
    pub request_number: Option<String>,
    /// Unit for which it works.
    pub unit_name: Option<String>,
    /// The step at which it stands.
    pub step: Option<String>,
    /// Failed attempts at that step.
    pub attempt: i64,
    /// The last error, or what it waits for.
    pub why: Option<String>,
    /// Began.
    pub created_at: Timestamp,
    /// Last changed.
    pub updated_at: Timestamp,
}

/// One step of a saga.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SagaStepLine {
    /// Name.
    pub name: String,
    /// pending, doing, done, undoing, undone, stuck, residue.
    pub state: String,
    /// Failed attempts.
    pub attempt: i64,
    /// The last error.
    pub error: Option<String>,
    /// What it waits for.
    pub waits: Option<String>,
    /// Operation id at the backend.
    pub operation: Option<String>,
    /// Began.
    pub started_at: Option<Timestamp>,
    /// Ended.
    pub finished_at: Option<Timestamp>,
}

/// One saga with its steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SagaDetail {
    /// The line.
    pub line: SagaLine,
    /// Its steps.
    pub steps: Vec<SagaStepLine>,
    /// Why it is being taken back.
    pub reason: Option<Msg>,
    /// Whether it may be tried again.
    pub may_retry: bool,
    /// Whether it may be given up and taken back.
    pub may_discard: bool,
}

/// Health of one backend, as last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BackendLine {
    /// Name.
    pub name: String,
    /// When it last answered.
    pub answered_at: Option<Timestamp>,
    /// When it was last asked.
    pub asked_at: Timestamp,
    /// Why it doesn't answer now.
    pub error: Option<String>,
    /// The pools of which it refuses to tell how full they are.
    pub refused: Vec<RefusedPool>,
}

/// A pool that its backend refuses, as last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefusedPool {
    /// Name.
    pub pool: Label,
    /// Why, in the operator's words.
    pub why: String,
}

/// Numbers at the top of the operator's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OperationCounts {
    /// Sagas that need an operator.
    pub stuck: i64,
    /// Sagas that left something behind.
    pub residue: i64,
    /// Sagas on their way.
    pub running: i64,
    /// Work orders that are not closed.
    pub work_orders: i64,
    /// Jobs that need an operator.
    pub stuck_jobs: i64,
    /// Things in the clouds that are nobody's.
    pub foreign: i64,
    /// Backends that don't answer.
    pub silent: i64,
    /// Things that a cloud says otherwise and that nobody has said to let stand; foreign ones too.
    pub differences: i64,
}

words! {
    /// Where a background job stands.
    pub enum JobState {
        /// Too many failures: an operator must act.
        Stuck = "stuck",
        /// A worker has it.
        Running = "running",
        /// Its turn comes next.
        Ready = "ready",
        /// Waits for a moment or a signal.
        Waiting = "waiting",
        /// Ended well.
        Done = "done",
        /// Given up by an operator.
        Discarded = "discarded",
    }
}

/// The kinds of jobs, in the order in which the operator chooses among them.
pub const JOB_KINDS: &[&str] = &[
    "saga.advance",
    "saga.sweep",
    "fulfil.request",
    "release.request",
    "bin.erase",
    "backup.look",
    "backup.run",
    "expiry.remind",
    "expiry.turn",
    "upkeep.billing",
    "upkeep.terms",
    "upkeep.capacity",
    "upkeep.limits",
    "upkeep.foreign",
    "upkeep.compare",
    "usage.ask",
    "usage.take",
    "cleanup",
];

/// Filter of jobs; without a state: the stuck ones, of one request all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobFilter {
    /// State.
    pub state: Option<JobState>,
    /// What it does, one of [`JOB_KINDS`].
    pub kind: Option<String>,
    /// Number of the request for which it works, or that ordered what it works on.
    pub request: Option<String>,
    /// Where the page begins.
    pub cursor: Option<String>,
    /// Rows of a page.
    pub limit: Option<i64>,
}

/// One background job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobLine {
    /// Identifier.
    pub id: JobId,
    /// What it does, by its name in the program.
    pub kind: String,
    /// For what: the handler's own JSON.
    pub payload: String,
    /// The saga that it drives.
    pub saga: Option<SagaLine>,
    /// Number of the request for which it works.
    pub request_number: Option<String>,
    /// Unit for which it works.
    pub unit_name: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// Failures so far.
    pub attempt: i64,
    /// At so many it is stuck.
    pub max_attempts: i64,
    /// The last failure, or what it waits for.
    pub why: Option<String>,
    /// Asked for.
    pub created_at: Timestamp,
    /// Not before; absent for one that waits for a signal or is over.
    pub run_at: Option<Timestamp>,
    /// Whether an operator may let it try again or give it up.
    pub may_act: bool,
}

/// What the clouds say of themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CloudsView {
    /// The backends, by name.
    pub backends: Vec<BackendLine>,
    /// One page of what stands in them and is nobody's, the latest first.
    pub foreign: Page<ForeignLine>,
    /// One page of what the units' projects may take there, by unit.
    pub limits: Page<CloudLimitLine>,
}

words! {
    /// How a cloud keeps the limits of a project.
    pub enum LimitState {
        /// Not as the portal wrote them: other figures, a writing that failed, or not read back yet.
        Waiting = "waiting",
        /// As the portal wrote them.
        Kept = "kept",
    }
}

/// Which pages of what the clouds say; as long as the limits' one is the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CloudsFilter {
    /// Of the limits.
    pub limits: LimitFilter,
    /// Where the page of what is nobody's begins.
    pub foreign: Option<String>,
}

/// Filter of the limits; without a state: all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LimitFilter {
    /// State.
    pub state: Option<LimitState>,
    /// Where the page begins.
    pub cursor: Option<String>,
    /// Rows of a page.
    pub limit: Option<i64>,
}

/// What a unit's project in a cloud may take: what the portal wrote, and what the cloud keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CloudLimitLine {
    /// Name of the backend.
    pub backend: String,
    /// The backend's name for the project.
    pub project: String,
    /// Name of the unit.
    pub unit_name: String,
    /// What the portal wrote; what it does not limit is the cloud's own.
    pub written: CloudLimit,
    /// When it was last written, or tried to.
    pub written_at: Option<Timestamp>,
    /// What the cloud said when it was read back; absent if it never was.
    pub said: Option<CloudLimit>,
    /// When.
    pub said_at: Option<Timestamp>,
    /// Since when the cloud keeps another figure; absent while it keeps what was written.
    pub differs_since: Option<Timestamp>,
    /// Why the last writing failed, in the cloud's words.
    pub error: Option<String>,
}

/// Something in a cloud that no resource accounts for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ForeignLine {
    /// Name of the backend.
    pub backend: String,
    /// The backend's name for it.
    pub external_id: String,
    /// Kind of thing.
    pub kind: String,
    /// Its name there.
    pub name: String,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
}
