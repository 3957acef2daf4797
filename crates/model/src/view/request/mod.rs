//! What pages show of requests: the cart, the list, one request, to-dos, the approval card.

mod approval;
mod change;

pub use change::{ChangeForm, ChangeLine, ChangeView, TriedChange};

pub use approval::{
    CardView, Changed, DecideAnswer, Decided, Difference, DoneRow, PHRASES, TodoRow,
};

use serde::{Deserialize, Serialize};

use crate::calendar::Lamp;
use crate::catalogue::Offer;
use crate::fulfilment;
use crate::id::{PoolId, RequestId, RequestItemId, ResourceId, StepId, SystemId, UnitId, UserId};
use crate::money::Money;
use crate::msg::{FieldError, Label, Msg};
use crate::param::{Fact, Typed};
use crate::people::Role;
use crate::quota::Change;
use crate::request::{Decision, Kind, Line, Outcome, Status, StepStatus};
use crate::time::{Date, Timestamp};
use crate::verdict::{Surroundings, Verdict};
use crate::view::system::SystemRow;
use crate::words;

/// One line as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LineView {
    /// The line.
    pub line: Line,
    /// Specification, in the order of the form.
    pub facts: Vec<Fact>,
    /// Name of the zone.
    pub zone_name: Option<Label>,
    /// Name of the pool.
    pub pool_name: Option<Label>,
    /// Name and position of the line to which it attaches.
    pub attached_to: Option<(i64, String)>,
    /// The item can't be ordered any more, or has a newer version than this line was made from.
    pub outdated: Option<Msg>,
}

/// One group of approvers on the way of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApproverView {
    /// Name of the step.
    pub name: Label,
    /// Role that decides.
    pub role: Role,
    /// Name of the unit from whose ranks the approver comes.
    pub unit_name: String,
    /// Names of those who could decide today, without the applicant; at most five.
    pub people: Vec<String>,
}

/// One stage on the way of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StageView {
    /// Name.
    pub name: Label,
    /// Term in working days.
    pub due_days: u32,
    /// Groups in parallel.
    pub approvers: Vec<ApproverView>,
}

/// The cart: a request that is being written (or supplemented after a return).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CartView {
    /// The draft.
    pub id: RequestId,
    /// Its version; goes with every change.
    pub version: i64,
    /// Draft or returned.
    pub status: Status,
    /// Number, if it was submitted before.
    pub number: Option<String>,
    /// Whose.
    pub unit: UnitId,
    /// Name of the unit.
    pub unit_name: String,
    /// System that was chosen.
    pub system: Option<SystemId>,
    /// Systems of the unit to choose from.
    pub systems: Vec<SystemRow>,
    /// Title.
    pub title: String,
    /// Reason.
    pub reason: String,
    /// Missing quota is asked for in the same request.
    pub with_quota_change: bool,
    /// Lines, in order.
    pub lines: Vec<LineView>,
    /// What will become of it.
    pub verdict: Verdict,
    /// Names of the pools that the verdict speaks of.
    pub pools: Vec<(PoolId, Label)>,
    /// Who will approve, stage by stage; empty if it will be approved automatically.
    pub route: Vec<StageView>,
    /// When the last stage ends at the latest, if it were submitted now.
    pub due_at: Option<Timestamp>,
    /// What is still missing, by field of the form.
    pub problems: Vec<FieldError>,
    /// Goes with the submit; the same form sent twice makes one request.
    pub form_id: String,
    /// When it was last saved.
    pub saved_at: Timestamp,
    /// What the approver who returned it asked for.
    pub asked: Option<OpinionView>,
}

/// A draft in the list of drafts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DraftRow {
    /// The draft.
    pub id: RequestId,
    /// Its version.
    pub version: i64,
    /// Title; empty if none was given.
    pub title: String,
    /// Name of the system.
    pub system_name: Option<String>,
    /// Lines.
    pub lines: i64,
    /// Month price.
    pub month: Money,
    /// When it was last saved.
    pub saved_at: Timestamp,
    /// Whether it is the one that the catalogue adds to.
    pub current: bool,
}

/// The head of a cart as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct HeadForm {
    /// Id of the system; empty for none yet.
    pub system: String,
    /// Title.
    pub title: String,
    /// Reason.
    pub reason: String,
    /// Missing quota is asked for in the same request.
    pub with_quota_change: bool,
}

/// A line as it was typed: the configure form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct LineForm {
    /// Code of the item.
    pub item: String,
    /// Name of the thing; empty for one made from the item's.
    pub name: String,
    /// Zone, level and pool in one choice, `zone/level/pool`; empty for the three fields below.
    pub cell: String,
    /// Zone.
    pub zone: String,
    /// Level.
    pub level: String,
    /// Pool.
    pub pool: String,
    /// Pieces; empty means 1.
    pub count: String,
    /// Months; empty means 12.
    pub term_months: String,
    /// Parameters by key; the attach parameter holds the id of a line of the same cart.
    pub typed: Typed,
}

/// A draft to be made whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct NewDraft {
    /// System, title, reason.
    pub head: HeadForm,
    /// Its lines, in order. `item` is the code of an item. A line that hangs on another one of this
    /// list (a disk on a host) names it by `#` and its number, from 1, in the parameter that asks for
    /// it; the other one comes first.
    pub lines: Vec<LineForm>,
}

/// The configure page of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigureView {
    /// The item with schema and price.
    pub offer: Offer,
    /// Everything that the verdict needs.
    pub surroundings: Surroundings,
    /// Systems of the unit.
    pub systems: Vec<SystemRow>,
    /// System of the cart.
    pub system: Option<SystemId>,
    /// The form: defaults, or the line that is changed.
    pub form: LineForm,
    /// The line that is changed; `None` for a new one.
    pub line: Option<RequestItemId>,
    /// The other lines of the cart, with what each takes: the verdict counts them too.
    pub others: Vec<(Line, crate::quota::Consumption)>,
    /// Lines of the cart to which this item may attach.
    pub targets: Vec<Target>,
    /// The cart.
    pub cart: RequestId,
    /// Its version.
    pub version: i64,
    /// Missing quota is asked for in the same request.
    pub with_quota_change: bool,
}

/// A line to which another may attach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Target {
    /// The line.
    pub line: RequestItemId,
    /// Its position.
    pub position: i64,
    /// Its name.
    pub name: String,
    /// Its pieces.
    pub count: i64,
    /// Its pool.
    pub pool: Option<PoolId>,
}

/// What a half-filled configure form says before it is put into the cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriedLine {
    /// What is wrong, by field.
    pub errors: Vec<FieldError>,
    /// The line, as far as it could be read.
    pub line: Line,
    /// The verdict on the cart with this line in it.
    pub verdict: Verdict,
}

/// What came of putting a line into the cart or taking one out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CartChange {
    /// The cart.
    pub cart: RequestId,
    /// Its new version.
    pub version: i64,
    /// The line.
    pub line: RequestItemId,
}

/// What came of copying an earlier request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Copied {
    /// The new draft.
    pub cart: RequestId,
    /// What was left out or changed, and why.
    pub notes: Vec<Msg>,
}

words! {
    /// Order of the request list.
    pub enum RequestSort {
        /// Youngest first.
        Newest = "newest",
        /// Oldest first.
        Oldest = "oldest",
    }
}

/// Filter of the request list; empty fields filter nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct RequestFilter {
    /// Words in number, title, system or applicant; sound and initials count.
    pub text: String,
    /// Where it stands.
    pub status: Option<Status>,
    /// Only those that have not ended.
    pub open: bool,
    /// Submitted on this day or later.
    pub from: Option<Date>,
    /// Submitted on this day or earlier.
    pub to: Option<Date>,
    /// Only the caller's own.
    pub mine: bool,
    /// Of this unit.
    pub unit: Option<UnitId>,
    /// Order.
    pub sort: Option<RequestSort>,
    /// Where the page begins, from [`crate::view::page::Page::next`].
    pub after: Option<String>,
    /// Rows of the page; 0 means the default.
    pub limit: i64,
}

/// One row of the request list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestRow {
    /// Identifier.
    pub id: RequestId,
    /// Number.
    pub number: String,
    /// Something new, or something given back.
    pub kind: Kind,
    /// Title.
    pub title: String,
    /// Whose.
    pub unit: UnitId,
    /// Short name of the unit.
    pub unit_name: String,
    /// Name of the system.
    pub system_name: String,
    /// Name of the applicant.
    pub applicant_name: String,
    /// Where it stands.
    pub status: Status,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Name of the stage that is open.
    pub stage_name: Option<Label>,
    /// Month price.
    pub month: Money,
    /// Charged once.
    pub once: Money,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// Term of what is waited for now.
    pub due_at: Option<Timestamp>,
    /// Its lamp.
    pub lamp: Option<Lamp>,
}

words! {
    /// What a viewer may do to a request now.
    #[cfg_attr(feature = "openapi", schema(as = RequestAct))]
    pub enum Act {
        /// Decide on an open step (see [`RequestDetail::my_step`]).
        Decide = "decide",
        /// Take it back.
        Withdraw = "withdraw",
        /// Supplement and submit it again.
        Supplement = "supplement",
        /// Confirm the delivery.
        Confirm = "confirm",
        /// Make a new one out of it.
        Copy = "copy",
        /// See the delivery sheet.
        Delivery = "delivery",
    }
}

/// One piece on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PieceView {
    /// Number of the piece, from 0.
    pub piece: i64,
    /// Where it stands.
    pub status: fulfilment::Status,
    /// The resource it became.
    pub resource: Option<ResourceId>,
    /// Why it failed.
    pub reason: Option<Msg>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
}

/// One line with its fulfilment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DetailLine {
    /// The line.
    pub view: LineView,
    /// Its pieces; empty before the approval.
    pub pieces: Vec<PieceView>,
}

/// A resource that a release request gives back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseLine {
    /// The resource.
    pub resource: ResourceId,
    /// Its name.
    pub name: String,
    /// Code of the item.
    pub code: String,
    /// Month price that ends with it.
    pub month: Money,
    /// When it was given back.
    pub released_at: Option<Timestamp>,
    /// When it is erased, while it lies in the recycle bin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erase_at: Option<Timestamp>,
    /// Number of the certificate of its erasure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// A release that was given back for a supplement. What it gives back stands; only the reason is
/// written anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnedRelease {
    /// The request.
    pub request: RequestId,
    /// Its version; goes with the supplement.
    pub version: i64,
    /// What it gives back.
    pub resources: Vec<ResourceId>,
    /// The reason as it was.
    pub reason: String,
    /// How many days the data is kept; 0: erased at once.
    pub keep_days: i64,
    /// What the approver who returned it asked for.
    pub asked: Option<OpinionView>,
}

/// One approval step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepView {
    /// Identifier.
    pub id: StepId,
    /// Grows when a resubmit begins from the first stage again.
    pub round: i64,
    /// Stage, from 0.
    pub stage: i64,
    /// Name.
    pub name: Label,
    /// Role that decides.
    pub role: Role,
    /// Name of the unit from whose ranks the approver comes.
    pub unit_name: String,
    /// Names of those who could decide today, for an open or planned step; at most five.
    pub people: Vec<String>,
    /// Where it stands.
    pub status: StepStatus,
    /// When it was opened.
    pub opened_at: Option<Timestamp>,
    /// Until when it should be decided.
    pub due_at: Option<Timestamp>,
    /// Its lamp, while it is open.
    pub lamp: Option<Lamp>,
    /// When an approver first opened the card.
    pub seen_at: Option<Timestamp>,
    /// What was decided.
    pub opinion: Option<OpinionView>,
}

/// An opinion (意见).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpinionView {
    /// Who.
    pub by: UserId,
    /// Their name.
    pub by_name: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub decision: Decision,
    /// In their words; may be empty.
    pub text: String,
}

/// One entry of the history (流转记录).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HistoryRow {
    /// When.
    pub at: Timestamp,
    /// Who; `None` for the program itself.
    pub by_name: Option<String>,
    /// What.
    pub msg: Msg,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestDetail {
    /// The row of the list.
    pub row: RequestRow,
    /// For changes: the version that was read.
    pub version: i64,
    /// Full name of the unit.
    pub unit_full_name: String,
    /// The system.
    pub system: Option<SystemRow>,
    /// Who asked.
    pub applicant: UserId,
    /// Their telephone.
    pub applicant_phone: String,
    /// Reason.
    pub reason: String,
    /// Missing quota was asked for in the same request.
    pub with_quota_change: bool,
    /// Lines with their fulfilment.
    pub lines: Vec<DetailLine>,
    /// Resources that it gives back.
    pub releases: Vec<ReleaseLine>,
    /// How many days they lie in the recycle bin; 0: they are erased at once.
    pub keep_days: Option<i64>,
    /// The resource that it changes, before and after.
    pub change: Option<ChangeLine>,
    /// Steps of all rounds, in order.
    pub steps: Vec<StepView>,
    /// History, oldest first.
    pub history: Vec<HistoryRow>,
    /// The verdict by which it was submitted: price, quota before and after, reasons.
    pub verdict: Option<Verdict>,
    /// Names of the pools that the verdict speaks of.
    pub pools: Vec<(PoolId, Label)>,
    /// Revision that was submitted last.
    pub revision: i64,
    /// Digest of that revision: printed on the form.
    pub digest: String,
    /// When the last stage agreed.
    pub approved_at: Option<Timestamp>,
    /// When the last piece was settled.
    pub settled_at: Option<Timestamp>,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// What this viewer may do now.
    pub may: Vec<Act>,
    /// The open step on which this viewer may decide.
    pub my_step: Option<StepId>,
}

/// What came of a submit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Submitted {
    /// The request.
    pub request: RequestId,
    /// Its number.
    pub number: String,
    /// Where it stands: approved if nobody had to be asked.
    pub status: Status,
    /// The same form had been sent before; nothing new was made.
    pub again: bool,
}

/// What an over-quota answer carries: names, numbers and the way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OverQuota {
    /// What does not fit, dimension by dimension.
    pub shortfalls: Vec<crate::quota::Shortfall>,
    /// The same in words.
    pub messages: Vec<Msg>,
    /// The same request, asking for the missing quota too; `None` if the unit above has too
    /// little to give.
    pub link: Option<String>,
}
