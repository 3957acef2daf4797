//! What people do instead of a machine: the specification of a work order.
//!
//! A definition and nothing more: who does it, and whether it is done, stands in the portal's own
//! rows, for no outside system knows.
use lingbao_model::msg::Label;
use serde::{Deserialize, Serialize};

/// Work for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkOrderSpec {
    /// What is to be done, in one line.
    pub title: Label,
    /// What must be ticked off before it is done, in this order.
    pub checklist: Vec<Label>,
    /// Working hours until it is overdue.
    pub deadline_hours: u32,
}

/// Why a work order makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WorkOrderError {
    /// Nobody could tell when it is done.
    #[error("a work order needs at least one thing to tick off")]
    NothingToDo,
    /// It would be overdue at once.
    #[error("a work order needs at least one hour")]
    NoTime,
}

/// What came of handing it over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handed {
    /// It waits for a person; the saga sleeps until the person's act wakes it.
    Waiting {
        /// As handed over.
        work: WorkOrderSpec,
    },
}

impl WorkOrderSpec {
    /// Hands it over to people.
    ///
    /// # Errors
    /// If it can never be done.
    pub fn hand_over(self) -> Result<Handed, WorkOrderError> {
        if self.checklist.is_empty() {
            return Err(WorkOrderError::NothingToDo);
        }
        if self.deadline_hours == 0 {
            return Err(WorkOrderError::NoTime);
        }
        Ok(Handed::Waiting { work: self })
    }
}
