//! What pages show of backup plans and of what they keep.

use serde::{Deserialize, Serialize};

use crate::catalogue::Fulfiller;
use crate::id::{BackupId, ResourceId};
use crate::msg::Msg;
use crate::time::Timestamp;
use crate::words;

words! {
    /// Where a backup stands.
    pub enum BackupState {
        /// The cloud is making it.
        Making = "making",
        /// Kept.
        Kept = "kept",
        /// It is older than the plan keeps, or was not made: what there is of it is deleted.
        Dropping = "dropping",
        /// Gone.
        Deleted = "deleted",
    }
}

/// One backup (备份) of a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BackupRow {
    /// Identifier.
    pub id: BackupId,
    /// The disk, or the host whose system disk it is of.
    pub of: ResourceId,
    /// Its name.
    pub of_name: String,
    /// A host or a disk.
    pub of_kind: Fulfiller,
    /// Size of the disk at that moment, GB; `None` until it is made.
    pub size_gb: Option<i64>,
    /// Where it stands.
    pub state: BackupState,
    /// When it was asked for.
    pub at: Timestamp,
}

/// How a backup plan runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanRuns {
    /// Whether a run is under way.
    pub running: bool,
    /// Whether it rests, because its host is given back or gone.
    pub rests: bool,
    /// When the next run begins; `None` while it rests, and before the first run, which begins within
    /// minutes.
    pub next_at: Option<Timestamp>,
    /// The last run that went through.
    pub done_at: Option<Timestamp>,
    /// The last run that failed.
    pub failed_at: Option<Timestamp>,
    /// Why it failed.
    pub failure: Option<Msg>,
    /// How many runs failed one after the other since the last that went through.
    pub failures: i64,
}
