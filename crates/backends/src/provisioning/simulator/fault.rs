//! Failures on order, for tests and drills. They are not kept over a restart.
use serde::{Deserialize, Serialize};

use crate::provisioning::{CallKind, RefusalReason};

/// A failure to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Whom it hits.
    pub on: On,
    /// What happens.
    pub what: What,
    /// So many matching calls go well first: 2 fails the third.
    #[serde(default)]
    pub skip: u32,
    /// So many calls fail then; `None` is all until the faults are cleared.
    pub times: Option<u32>,
}

/// Whom a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// Calls that change something.
    AnyCall,
    /// Calls of one kind.
    Call(CallKind),
    /// Reading calls, polls included. Only `Unreachable` and `Slow` mean something here.
    Reading,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Refused at once.
    Refuse(RefusalReason),
    /// Building or installing a server begins and is refused by the poll; it stays behind in an error
    /// state. Other calls are refused at once.
    FailLate(RefusalReason),
    /// Nothing is done.
    Unreachable,
    /// Done, and the answer is lost.
    LoseAnswer,
    /// Done after so many milliseconds.
    Slow {
        /// How long.
        ms: u64,
    },
}

/// The faults that wait for their calls.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to this call (`None`: a reading one). The oldest fault that is due hits.
    pub(super) fn hit(&mut self, kind: Option<CallKind>) -> Option<What> {
        for fault in &mut self.0 {
            let meant = match (fault.on, kind) {
                (On::AnyCall, Some(_)) | (On::Reading, None) => true,
                (On::Call(on), Some(kind)) => on == kind,
                _ => false,
            };
            if !meant || fault.times == Some(0) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            return Some(fault.what);
        }
        None
    }
}
