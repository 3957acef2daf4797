//! The leader's page: few numbers, each with its definition (口径).

use serde::{Deserialize, Serialize};

use crate::id::{PoolId, UnitId};
use crate::money::Money;
use crate::msg::Label;
use crate::quota::Dimension;
use crate::time::Timestamp;

/// Capacity of one pool in one dimension, as its backend last said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PoolLoad {
    /// The pool.
    pub pool: PoolId,
    /// Its name.
    pub name: Label,
    /// The dimension.
    pub dimension: Dimension,
    /// Capacity after over-commit.
    pub total: i64,
    /// Allocated to resources.
    pub allocated: i64,
    /// When the backend said so.
    pub read_at: Timestamp,
}

impl PoolLoad {
    /// Allocated share in tenths of a percent; 0 without capacity.
    pub const fn permille(&self) -> i64 {
        permille(self.allocated, self.total)
    }
}

/// `part / whole` in tenths of a percent, half up; 0 of nothing.
pub const fn permille(part: i64, whole: i64) -> i64 {
    if whole <= 0 {
        0
    } else {
        (part.saturating_mul(2000) + whole) / (2 * whole)
    }
}

/// One unit in the ranking by hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnitLoad {
    /// The unit.
    pub unit: UnitId,
    /// Its short name.
    pub name: String,
    /// Its running hosts.
    pub hosts: i64,
    /// Month price of what it has.
    pub month: Money,
}

/// One month of the trend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MonthLoad {
    /// `2026-11`.
    pub month: String,
    /// Resources delivered in it.
    pub delivered: i64,
    /// Requests submitted in it.
    pub requests: i64,
}

/// The overview of the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Overview {
    /// Units that have moved in: units with at least one system.
    pub units: i64,
    /// Of these, on the level of the city.
    pub city_units: i64,
    /// Of these, on the level of the counties.
    pub county_units: i64,
    /// Application systems.
    pub systems: i64,
    /// Of these, being tested.
    pub testing_systems: i64,
    /// Running hosts.
    pub hosts: i64,
    /// All resources that were not given back.
    pub resources: i64,
    /// Allocated cores of all pools.
    pub allocated_cores: i64,
    /// Cores of all pools after over-commit.
    pub total_cores: i64,
    /// Month price of everything that was not given back.
    pub month: Money,
    /// Requests on their way through approval.
    pub in_approval: i64,
    /// Of these, past their term.
    pub overdue: i64,
    /// Requests settled in the last 30 days.
    pub settled: i64,
    /// Their mean time from the last approval to delivery, seconds.
    pub deliver_seconds: Option<i64>,
    /// Of them, approved without any human step.
    pub automatic: i64,
    /// Pools.
    pub pools: Vec<PoolLoad>,
    /// The units with most hosts, at most ten.
    pub top: Vec<UnitLoad>,
    /// The last six months, oldest first.
    pub months: Vec<MonthLoad>,
    /// When this was counted.
    pub counted_at: Timestamp,
}

impl Overview {
    /// Allocation rate (分配率 = Σ allocated / Σ capacity after over-commit) in tenths of a percent.
    pub const fn allocation_permille(&self) -> i64 {
        permille(self.allocated_cores, self.total_cores)
    }
}

#[cfg(test)]
mod tests {
    use super::permille;

    #[test]
    fn a_share_is_rounded_half_up_and_nothing_of_nothing_is_nothing() {
        assert_eq!(permille(17, 20), 850);
        assert_eq!(permille(1, 3), 333);
        assert_eq!(permille(2, 3), 667);
        assert_eq!(permille(5, 0), 0);
    }
}
