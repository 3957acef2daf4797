//! The workbench: what a person has to do and what goes on, by the roles they hold.

use crate::time::{Date, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    audit::AuditLine,
    operation::OperationCounts,
    page::Page,
    people::NoticeRow,
    request::{RequestRow, TodoRow},
};

/// Resources in the reader's sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceCounts {
    /// Not given back.
    pub all: i64,
    /// Of these, with a term that ends within 30 days or has ended.
    pub expiring: i64,
}

/// Units and accounts that an administrator keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeopleCounts {
    /// Units.
    pub units: i64,
    /// Accounts, closed ones included.
    pub users: i64,
    /// Of these, locked now.
    pub locked: i64,
}

/// The audit trail of today, for auditors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCounts {
    /// The day that is counted.
    pub day: Date,
    /// Events of that day.
    pub events: i64,
    /// Of these, refused.
    pub refused: i64,
    /// When somebody last looked whether the chain holds, and whether it did.
    pub checked: Option<(Timestamp, bool)>,
    /// The latest events.
    pub last: Vec<AuditLine>,
}

/// What the workbench shows. A part is `None` where the roles give no such ability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// The most urgent steps that wait for a decision, with their number in all.
    pub todo: Option<Page<TodoRow>>,
    /// The person's own requests that have not ended, the youngest first.
    pub requests: Option<Page<RequestRow>>,
    /// Resources.
    pub resources: Option<ResourceCounts>,
    /// What operators look after.
    pub operations: Option<OperationCounts>,
    /// Units and accounts.
    pub people: Option<PeopleCounts>,
    /// Versions of items and prices that wait for this person as the second one.
    pub proposed: Option<i64>,
    /// Versions of approval policies that do.
    pub policies: i64,
    /// The audit trail.
    pub audit: Option<AuditCounts>,
    /// The latest notices.
    pub notices: Vec<NoticeRow>,
}
