//! What pages show of resources.

use serde::{Deserialize, Serialize};

use super::backup::{BackupRow, PlanRuns};
use super::difference::DifferenceKind;
use super::request::StageView;
use crate::access_rule::{AccessRule, Opening};
use crate::catalogue::Fulfiller;
use crate::change::Change;
use crate::id::{
    AccessRuleId, DifferenceId, PoolId, RequestId, ResourceId, SnapshotId, SystemId, UnitId,
};
use crate::money::Money;
use crate::msg::{Label, Msg};
use crate::param::{Choice, Fact};
use crate::placement::Level;
use crate::price::Quote;
use crate::quota::Change as QuotaChange;
use crate::resource::{BillingState, EventKind, ServiceState};
use crate::time::Timestamp;
use crate::words;

words! {
    /// Order of the resource list.
    pub enum Sort {
        /// Youngest first.
        Newest = "newest",
        /// Oldest first.
        Oldest = "oldest",
        /// By name.
        Name = "name",
        /// What is erased next first; only what lies in the recycle bin.
        Erase = "erase",
    }
}

/// Filter of the resource list; empty fields filter nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResourceFilter {
    /// Part of a name or an address.
    pub text: Option<String>,
    /// Kind of thing.
    pub kind: Option<Fulfiller>,
    /// What it does.
    pub state: Option<ServiceState>,
    /// What is charged.
    pub billing: Option<BillingState>,
    /// System.
    pub system: Option<SystemId>,
    /// Unit.
    pub unit: Option<UnitId>,
    /// Order.
    pub sort: Option<Sort>,
    /// Where the page begins.
    pub cursor: Option<String>,
    /// Rows of a page.
    pub limit: Option<i64>,
}

/// One row of the resource list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResourceRow {
    /// Identifier.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// Kind of thing.
    pub kind: Fulfiller,
    /// Code of the item.
    pub code: String,
    /// Name of the item.
    pub item_name: Label,
    /// Specification.
    pub facts: Vec<Fact>,
    /// Unit.
    pub unit: UnitId,
    /// Short name of the unit.
    pub unit_name: String,
    /// System.
    pub system: SystemId,
    /// Name of the system.
    pub system_name: String,
    /// Name of the zone.
    pub zone_name: Option<Label>,
    /// Name of the pool.
    pub pool_name: Option<Label>,
    /// Protection level.
    pub level: Option<Level>,
    /// Address.
    pub address: Option<String>,
    /// What it does.
    pub service: ServiceState,
    /// What is charged.
    pub billing: BillingState,
    /// Month price.
    pub month: Money,
    /// Delivered.
    pub delivered_at: Timestamp,
    /// End of the term.
    pub expires_at: Timestamp,
    /// When it is erased, if it lies in the recycle bin.
    pub erase_at: Option<Timestamp>,
    /// How many days are left until then.
    pub days_left: Option<i64>,
}

words! {
    /// What a viewer may do to a resource now.
    #[cfg_attr(feature = "openapi", schema(as = ResourceAct))]
    pub enum Act {
        /// Switch on.
        Start = "start",
        /// Switch off.
        Stop = "stop",
        /// Ask for another size.
        Resize = "resize",
        /// Ask for a larger disk.
        Extend = "extend",
        /// Ask for another backup plan.
        Plan = "plan",
        /// Ask for a longer term.
        Renew = "renew",
        /// Ask for its release.
        Release = "release",
        /// See the one-time password.
        ShowSecret = "show_secret",
        /// Restart.
        Restart = "restart",
        /// Open the console in the browser.
        Console = "console",
        /// Take a snapshot, or delete one.
        Snapshot = "snapshot",
        /// Make a new disk out of a snapshot.
        Restore = "restore",
        /// Make a new disk out of a backup.
        RestoreBackup = "restore_backup",
        /// Attach to a host.
        Attach = "attach",
        /// Take off its host.
        Detach = "detach",
        /// Take back out of the recycle bin.
        TakeBack = "take_back",
        /// Erase before its time in the recycle bin is over.
        Erase = "erase",
        /// Change what may come in.
        Rules = "rules",
        /// Set a new one-time password.
        NewPassword = "new_password",
        /// Install its system anew.
        Reinstall = "reinstall",
    }
}

/// Most snapshots that a disk has at a time. They take no quota and cost nothing; the bound keeps
/// what they take of the pool's storage small.
pub const MOST_SNAPSHOTS: usize = 5;

words! {
    /// Where a snapshot stands.
    pub enum SnapshotState {
        /// The cloud is taking it.
        Making = "making",
        /// Kept.
        Ready = "ready",
        /// The cloud is deleting it.
        Deleting = "deleting",
        /// It could not be taken, and something of it may be left in the cloud: operators see to it.
        Left = "left",
        /// Gone.
        Deleted = "deleted",
    }
}

/// One snapshot (快照) of a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SnapshotRow {
    /// Identifier.
    pub id: SnapshotId,
    /// Name.
    pub name: String,
    /// What it is for, in the words of who took it.
    pub note: String,
    /// Size of the disk at that moment, GB.
    pub size_gb: i64,
    /// Where it stands.
    pub state: SnapshotState,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked.
    pub by: Option<String>,
}

/// What becomes of it when a new disk is made out of a snapshot or a backup; shown before it is
/// confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RestoreView {
    /// The disk.
    pub resource: ResourceId,
    /// Its name.
    pub resource_name: String,
    /// The snapshot, if it is made out of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotRow>,
    /// The backup, if it is made out of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupRow>,
    /// Its size, GB: what the copy holds.
    pub size_gb: i64,
    /// Proposed name of the new disk.
    pub name: String,
    /// What it costs, by today's price.
    pub quote: Quote,
    /// Quota before and after.
    pub changes: Vec<QuotaChange>,
    /// What stands in the way, in words.
    pub blocks: Vec<Msg>,
    /// Who will be asked, stage by stage; empty if it is made at once. With stages it is asked for
    /// by a request: `POST /resources/{id}/changes` with `restore` or `restore_backup`.
    pub route: Vec<StageView>,
    /// Names of the pools that `changes` names.
    pub pools: Vec<(PoolId, Label)>,
    /// End of its term: that of the disk.
    pub expires_at: Timestamp,
}

/// What came of asking for a new disk out of a snapshot or a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Restoring {
    /// The disk that will be there when the cloud has made it.
    pub resource: ResourceId,
}

/// One rule of a host's owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessRuleRow {
    /// Identifier.
    pub id: AccessRuleId,
    /// What it lets in.
    pub rule: AccessRule,
    /// What it is for, in the words of who added it.
    pub note: String,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked.
    pub by: Option<String>,
}

/// What may come in to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessRulesView {
    /// The host.
    pub resource: ResourceId,
    /// Its name.
    pub name: String,
    /// Its protection level.
    pub level: Level,
    /// Whether the internet reaches its zone.
    pub internet: bool,
    /// The addresses of the network in which it stands.
    pub network: Option<String>,
    /// What its protection level lets in; nobody changes that for one host.
    pub preset: Vec<Opening>,
    /// What its owner lets in beside that, the oldest first.
    pub own: Vec<AccessRuleRow>,
    /// Whether the viewer may change it now.
    pub may: bool,
    /// A change that is under way, in words.
    pub busy: Option<Msg>,
    /// Why nobody can change it, whoever looks.
    pub closed: Option<Msg>,
}

/// What becomes of a host whose system is installed anew (重装系统); shown before it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReinstallView {
    /// The host.
    pub resource: ResourceId,
    /// Its name, which is typed to confirm.
    pub name: String,
    /// The image that is installed: that of its order.
    pub image: Option<Label>,
    /// The ways in to choose from: a key, a one-time password.
    pub ways: Vec<Choice>,
    /// The way in now.
    pub way: String,
    /// Whether it runs; it goes on as it is.
    pub runs: bool,
    /// Its address, which stays.
    pub address: Option<String>,
    /// What hangs on it, and stays.
    pub attachments: Vec<Related>,
    /// How many rules of its owner say what may come in; they stay.
    pub rules: usize,
    /// Its month price, which stays.
    pub month: Money,
    /// End of its term, which stays.
    pub expires_at: Timestamp,
    /// Whether the viewer may have it done now.
    pub may: bool,
    /// A change that is under way, in words.
    pub busy: Option<Msg>,
    /// Why nobody can have it done, whoever looks.
    pub closed: Option<Msg>,
}

/// A way to a host's console. It is a key to the host: it is stored nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsoleLink {
    /// The address, for as long as the cloud lets it live.
    pub url: String,
}

/// One event of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResourceEventRow {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// Who; `None` for the program itself.
    pub actor: Option<String>,
    /// What changed, before and after.
    pub change: Option<Change>,
}

/// Another resource that hangs together with this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Related {
    /// Identifier.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: Fulfiller,
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResourceDetail {
    /// The row.
    pub row: ResourceRow,
    /// The request that ordered it.
    pub request: RequestId,
    /// Its number.
    pub request_number: String,
    /// What it is attached to.
    pub attached_to: Option<Related>,
    /// What is attached to it.
    pub attachments: Vec<Related>,
    /// Confirmed by the applicant.
    pub confirmed_at: Option<Timestamp>,
    /// End of the trial run.
    pub trial_until: Option<Timestamp>,
    /// Charged since.
    pub billing_from: Option<Timestamp>,
    /// Given back.
    pub released_at: Option<Timestamp>,
    /// A change that is under way, in words.
    pub busy: Option<Msg>,
    /// A release that waits for approval.
    pub release_request: Option<RequestId>,
    /// The number of a request that waits to change it.
    pub change_request: Option<String>,
    /// Events, youngest first.
    pub events: Vec<ResourceEventRow>,
    /// What the viewer may do now.
    pub may: Vec<Act>,
    /// Whether a one-time password waits to be shown.
    pub secret_waits: bool,
    /// Snapshots of it, youngest first.
    pub snapshots: Vec<SnapshotRow>,
    /// Backups of it, or those that the plan keeps, youngest first.
    pub backups: Vec<BackupRow>,
    /// How the plan runs, if it is a backup plan.
    pub plan_runs: Option<PlanRuns>,
    /// Hosts to which the viewer may attach it now.
    pub hosts: Vec<Related>,
    /// The disk out of whose snapshot or backup it was made.
    pub made_from: Option<Related>,
    /// What there is to know about what the cloud says; `None` while it agrees and answers.
    pub cloud: Option<CloudWord>,
    /// Number of the certificate of its erasure.
    pub certificate: Option<String>,
}

/// What the cloud says of a resource, where it is not what the portal thinks, or that it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CloudWord {
    /// It does not answer now.
    pub silent: bool,
    /// Its last answer; `None` if there was none.
    pub answered_at: Option<Timestamp>,
    /// What it says otherwise.
    pub kind: Option<DifferenceKind>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The difference, for those who may act on it.
    pub difference: Option<DifferenceId>,
}

/// One thing on the delivery sheet (交付单).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeliveryLine {
    /// The resource.
    pub row: ResourceRow,
    /// What it is attached to.
    pub attached_to: Option<Related>,
    /// Whether a one-time password waits to be shown; otherwise a key opens it, or one that was shown.
    pub secret_waits: bool,
}

/// The delivery sheet of a request: addresses, how to get in, whom to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeliverySheet {
    /// The request.
    pub request: RequestId,
    /// Its number.
    pub number: String,
    /// Unit.
    pub unit_name: String,
    /// System.
    pub system_name: String,
    /// When the last piece was settled.
    pub settled_at: Option<Timestamp>,
    /// What was delivered.
    pub lines: Vec<DeliveryLine>,
    /// Pieces that failed, with the reason.
    pub failed: Vec<(Label, Msg)>,
    /// Whom to call: the site's telephone, else name and phone of an operator of the site.
    pub call: String,
}
