//! The audit trail as auditors read it.

use serde::{Deserialize, Serialize};

use crate::id::AuditId;
use crate::time::{Date, Timestamp};
use crate::words;

words! {
    /// Whether it was done or refused.
    pub enum Outcome {
        /// Done.
        Done = "done",
        /// Refused.
        Refused = "refused",
    }
}

/// Every action that an event can have. Readers see words for each, in both languages: a test of
/// the pages walks this list, and the events of the core take nothing else while they are tested.
pub const ACTIONS: &[&str] = &[
    "audit.verify",
    "backup.restore",
    "calendar.enter",
    "cart.copy",
    "cart.create",
    "cart.discard",
    "cart.put_line",
    "cart.refresh",
    "cart.remove_line",
    "cart.restore_line",
    "cart.save_head",
    "difference.adopt",
    "difference.compare",
    "difference.follow",
    "difference.note",
    "difference.remove",
    "difference.restore",
    "difference.write_off",
    "grant.give",
    "grant.take",
    "import.take",
    "import.undo",
    "item.create",
    "item.offered",
    "item.publication",
    "item.write",
    "job.discard",
    "job.retry",
    "policy.publication",
    "policy.write",
    "quota.hand",
    "quota.limit",
    "quota.take_back",
    "request.approve",
    "request.change",
    "request.confirm",
    "request.reject",
    "request.release",
    "request.resubmit",
    "request.return",
    "request.settle",
    "request.submit",
    "request.withdraw",
    "resource.attach",
    "resource.console",
    "resource.detach",
    "resource.erase",
    "resource.erased",
    "resource.new_password",
    "resource.reinstall",
    "resource.restart",
    "resource.rule_add",
    "resource.rule_remove",
    "resource.show_secret",
    "resource.start",
    "resource.stop",
    "resource.take_back",
    "saga.discard",
    "saga.retry",
    "session.sign_in",
    "session.sign_out",
    "session.sign_out_everywhere",
    "snapshot.delete",
    "snapshot.restore",
    "snapshot.take",
    "system.create",
    "system.edit",
    "system.restore",
    "token.create",
    "token.revoke",
    "unit.close",
    "unit.create",
    "unit.open",
    "unit.rename",
    "user.change_password",
    "user.close",
    "user.create",
    "user.edit",
    "user.open",
    "user.reset_password",
    "user.unlock",
    "work_order.fail",
    "work_order.finish",
    "work_order.take",
    "work_order.tick",
];

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditLine {
    /// Identifier.
    pub id: AuditId,
    /// Number in the chain; `None` for some seconds, until it is sealed.
    pub seq: Option<i64>,
    /// When.
    pub at: Timestamp,
    /// Who: a user's id, `system` or `anonymous`.
    pub actor: String,
    /// Name of the person, if it was one.
    pub actor_name: Option<String>,
    /// What: `request.submit`.
    pub action: String,
    /// Whether it was done or refused.
    pub outcome: Outcome,
    /// The kind of thing it was done to.
    pub subject_kind: String,
    /// The thing.
    pub subject_id: String,
    /// Its name for people, where it has one: a request's number, a person's, unit's or resource's name.
    pub subject_name: Option<String>,
    /// Short name of the unit whose matter it is.
    pub unit_name: Option<String>,
    /// What changed, JSON; `null` if there is nothing to say.
    pub detail: String,
    /// The HTTP request.
    pub request_id: Option<String>,
    /// From where.
    pub ip: Option<String>,
}

/// Which events to list; empty fields filter nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct AuditFilter {
    /// Login name, name or id of who did it; `system`, `anonymous`.
    pub actor: String,
    /// How the action begins: `request.`.
    pub action: String,
    /// Id of the thing, or number of a request.
    pub subject: String,
    /// Done or refused.
    pub outcome: Option<Outcome>,
    /// On this day or later.
    pub from: Option<Date>,
    /// On this day or earlier.
    pub to: Option<Date>,
    /// Where the page begins, from [`crate::view::page::Page::next`].
    pub after: Option<String>,
    /// Rows of the page; 0 means the default.
    pub limit: i64,
}
