//! The workbench: what a person has to do and what goes on, by the roles they hold.

use serde::{Deserialize, Serialize};

use super::{
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
    /// The latest notices.
    pub notices: Vec<NoticeRow>,
}
