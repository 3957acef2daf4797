//! What pages show of utilisation (利用率).

use serde::{Deserialize, Serialize};

use super::{overview::PoolLoad, page::Page, resource::Act};
use crate::{
    id::{ResourceId, UnitId},
    money::Money,
    msg::Label,
    resource::ServiceState,
    time::{Date, Timestamp},
    usage::{Load, Measure, Reading, Sum, rate},
    words,
};

words! {
    /// Order of the list of hosts; what was not measured comes last.
    pub enum UsageSort {
        /// Dearest first.
        MonthDown = "-month",
        /// Cheapest first.
        Month = "month",
        /// Lowest mean of the cores first.
        Cpu = "cpu",
        /// Highest mean of the cores first.
        CpuDown = "-cpu",
        /// Lowest mean of the memory first.
        Memory = "memory",
        /// Highest mean of the memory first.
        MemoryDown = "-memory",
    }
}

/// Filter of the list of hosts; empty fields filter nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct UsageFilter {
    /// Part of a name or an address.
    pub text: Option<String>,
    /// What the last 30 days say.
    pub load: Option<Load>,
    /// Unit.
    pub unit: Option<UnitId>,
    /// Order; the dearest first without it.
    pub sort: Option<UsageSort>,
    /// Where the page begins.
    pub cursor: Option<String>,
    /// Rows of a page.
    pub limit: Option<i64>,
}

/// How far the measurements go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageHead {
    /// Whether a Prometheus is configured; without one nothing is measured.
    pub configured: bool,
    /// What is measured.
    pub measures: Vec<Measure>,
    /// The last day about which something is known.
    pub until: Option<Date>,
    /// When it was last asked.
    pub tried_at: Option<Timestamp>,
    /// Whether the last round broke off.
    pub broken: bool,
    /// Why, for operators.
    pub error: Option<String>,
    /// Ids in the last day's answers that are no host of ours, for operators.
    pub unknown: Option<i64>,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageRow {
    /// The resource.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// Name of the catalogue item.
    pub item_name: Label,
    /// Unit.
    pub unit: UnitId,
    /// Short name of the unit.
    pub unit_name: String,
    /// Name of the system.
    pub system_name: String,
    /// What it does.
    pub service: ServiceState,
    /// Month price.
    pub month: Money,
    /// Its cores.
    pub vcpus: i64,
    /// Its memory, GiB.
    pub memory_gb: i64,
    /// Cores over the last 30 days.
    pub cpu: Option<Sum>,
    /// Memory over the last 30 days.
    pub memory: Option<Sum>,
    /// Disks over the last 30 days.
    pub disk: Option<Sum>,
    /// What that says.
    pub load: Load,
    /// What the viewer may do about it: `resize`, `release`.
    pub may: Vec<Act>,
}

impl UsageRow {
    /// Cores and memory of a size that would do, if it is idle and smaller in one of them.
    #[must_use]
    pub fn smaller(&self) -> Option<(i64, i64)> {
        if self.load != Load::Idle {
            return None;
        }
        let fits =
            |size: i64, sum: Option<Sum>| sum.and_then(|sum| crate::usage::smaller(size, sum.peak));
        let (cores, memory) = (
            fits(self.vcpus, self.cpu),
            fits(self.memory_gb, self.memory),
        );
        (cores.is_some() || memory.is_some()).then(|| {
            (
                cores.unwrap_or(self.vcpus),
                memory.unwrap_or(self.memory_gb),
            )
        })
    }
}

/// Hosts counted together, with what they use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageCounts {
    /// Hosts that were not given back.
    pub hosts: i64,
    /// Of these, with any measurement in the last 30 days.
    pub measured: i64,
    /// Called idle.
    pub idle: i64,
    /// What the idle ones cost a month.
    pub idle_month: Money,
    /// Called busy.
    pub busy: i64,
    /// Σ share × cores of the hosts whose cores were measured.
    pub cpu_used: i64,
    /// Σ cores of these.
    pub cpu_of: i64,
    /// Σ share × GiB of the hosts whose memory was measured.
    pub memory_used: i64,
    /// Σ GiB of these.
    pub memory_of: i64,
}

impl UsageCounts {
    /// Usage rate of the cores in tenths of a percent; `None` if none were measured.
    #[must_use]
    pub const fn cpu(&self) -> Option<i64> {
        rate(self.cpu_used, self.cpu_of)
    }
    /// Usage rate of the memory in tenths of a percent; `None` if none was measured.
    #[must_use]
    pub const fn memory(&self) -> Option<i64> {
        rate(self.memory_used, self.memory_of)
    }
}

/// What was allocated of what may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Allocation {
    /// Cores in use.
    pub cores: i64,
    /// Cores of the quota, less what was handed on.
    pub cores_limit: i64,
    /// Memory in use, GiB.
    pub memory_gb: i64,
    /// Memory of the quota, less what was handed on, GiB.
    pub memory_limit: i64,
}

/// The list of hosts with what stands above it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageView {
    /// How far the measurements go.
    pub head: UsageHead,
    /// The page.
    pub page: Page<UsageRow>,
    /// All hosts in sight.
    pub counts: UsageCounts,
    /// Their quota; `None` for those who read none.
    pub allocation: Option<Allocation>,
    /// Capacity of the pools, for those who see the whole site.
    pub pools: Vec<PoolLoad>,
}

/// One unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnitUsage {
    /// The unit.
    pub unit: UnitId,
    /// Its short name.
    pub name: String,
    /// Its hosts.
    pub counts: UsageCounts,
    /// Its quota; `None` for those who read none.
    pub allocation: Option<Allocation>,
}

/// All units in sight, the largest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitsUsage {
    /// How far the measurements go.
    pub head: UsageHead,
    /// The units.
    pub units: Vec<UnitUsage>,
}

/// One host on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageDay {
    /// The civil day.
    pub day: Date,
    /// Cores; `None` if nothing was measured.
    pub cpu: Option<Reading>,
    /// Memory.
    pub memory: Option<Reading>,
    /// Disks.
    pub disk: Option<Reading>,
}

/// One host day by day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageDetail {
    /// How far the measurements go.
    pub head: UsageHead,
    /// The host over the last 30 days.
    pub row: UsageRow,
    /// Each of the last 30 days, oldest first.
    pub days: Vec<UsageDay>,
}
