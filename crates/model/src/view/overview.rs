//! The leader's page: few numbers, each with its definition (口径).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{PoolId, UnitId};
use crate::money::Money;
use crate::msg::Label;
use crate::quota::PoolDimension;
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
    pub dimension: PoolDimension,
    /// Capacity after over-commit.
    pub total: i64,
    /// Allocated to resources.
    pub allocated: i64,
    /// Held: agreed to, and not among what the backend said was allocated.
    pub held: i64,
    /// When the backend said so.
    pub read_at: Timestamp,
    /// The backend.
    pub backend: String,
    /// Of cores and memory: the hosts that were counted, as the backend calls them. Pools of one
    /// backend with the same word stand on the same hosts; empty is all hosts of the backend; absent
    /// is hosts of its own.
    pub hosts: Option<String>,
}

/// Allocated and whole of all pools together. Hosts on which several pools stand count once, as they
/// were read last.
pub fn of_all(pools: &[PoolLoad], dimension: PoolDimension) -> (i64, i64) {
    let mut counted: BTreeMap<(&str, &str), &PoolLoad> = BTreeMap::new();
    let mut own = Vec::new();
    for pool in pools.iter().filter(|pool| pool.dimension == dimension) {
        let Some(hosts) = &pool.hosts else {
            own.push(pool);
            continue;
        };
        let last = counted.entry((pool.backend.as_str(), hosts.as_str()));
        let last = last.or_insert(pool);
        if pool.read_at > last.read_at {
            *last = pool;
        }
    }
    // All hosts of a backend hold each part of them.
    let parts = counted
        .iter()
        .filter(|(key, _)| key.1.is_empty() || !counted.contains_key(&(key.0, "")))
        .map(|(_, pool)| *pool);
    own.into_iter().chain(parts).fold((0, 0), |sum, pool| {
        (sum.0 + pool.allocated, sum.1 + pool.total)
    })
}

impl PoolLoad {
    /// What is neither allocated nor held; negative when there is less than was agreed to.
    pub const fn left(&self) -> i64 {
        self.total
            .saturating_sub(self.allocated)
            .saturating_sub(self.held)
    }
    /// Whether what is taken from the one is taken from the other: the same pool, or the same hosts.
    /// All hosts of a backend hold each part of them.
    pub fn shares(&self, other: &Self) -> bool {
        let same_hosts = match (&self.hosts, &other.hosts) {
            (Some(one), Some(two)) => one == two || one.is_empty() || two.is_empty(),
            _ => false,
        };
        self.dimension == other.dimension
            && (self.pool == other.pool || (self.backend == other.backend && same_hosts))
    }
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
    /// Allocated cores of all pools; hosts on which several pools stand count once.
    pub allocated_cores: i64,
    /// Cores of all pools after over-commit; hosts on which several pools stand count once.
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
    use super::*;
    use crate::id::Id;

    #[test]
    fn a_share_is_rounded_half_up_and_nothing_of_nothing_is_nothing() {
        assert_eq!(permille(17, 20), 850);
        assert_eq!(permille(1, 3), 333);
        assert_eq!(permille(2, 3), 667);
        assert_eq!(permille(5, 0), 0);
    }

    fn pool(n: u64, backend: &str, hosts: Option<&str>, figures: (i64, i64), at: i64) -> PoolLoad {
        let site = "nb".to_owned().try_into().unwrap();
        PoolLoad {
            pool: PoolId::generate(&site, Timestamp::default(), n.into()),
            name: Label::new("池", "Pool"),
            dimension: PoolDimension::Vcpu,
            total: figures.1,
            allocated: figures.0,
            held: 0,
            read_at: Timestamp::from_millis(at),
            backend: backend.to_owned(),
            hosts: hosts.map(str::to_owned),
        }
    }

    #[test]
    fn hosts_on_which_several_pools_stand_count_once_and_as_they_were_read_last() {
        let mut pools = vec![
            pool(1, "a", Some("gov"), (10, 100), 1),
            pool(2, "a", Some("gov"), (12, 100), 2),
            pool(3, "a", Some("net"), (5, 50), 1),
            pool(4, "b", Some("gov"), (1, 7), 1),
            pool(5, "b", None, (2, 8), 1),
            pool(6, "b", None, (2, 8), 1),
        ];
        assert_eq!(of_all(&pools, PoolDimension::Vcpu), (22, 173));
        assert_eq!(of_all(&pools, PoolDimension::DiskGb), (0, 0));
        // A pool on all hosts of its cloud holds the other two, and nothing of another cloud.
        pools.push(pool(7, "a", Some(""), (20, 180), 1));
        assert_eq!(of_all(&pools, PoolDimension::Vcpu), (25, 203));
    }

    #[test]
    fn pools_take_from_each_other_on_the_same_hosts_of_one_backend_alone() {
        let one = pool(1, "a", Some("gov"), (0, 1), 1);
        let shares = |other: &PoolLoad| {
            assert_eq!(one.shares(other), other.shares(&one));
            one.shares(other)
        };
        assert!(shares(&one));
        assert!(shares(&pool(2, "a", Some("gov"), (0, 1), 1)));
        assert!(shares(&pool(2, "a", Some(""), (0, 1), 1)));
        assert!(!shares(&pool(2, "a", Some("net"), (0, 1), 1)));
        assert!(!shares(&pool(2, "b", Some("gov"), (0, 1), 1)));
        assert!(!shares(&pool(2, "a", None, (0, 1), 1)));
        let memory = PoolLoad {
            dimension: PoolDimension::MemoryGb,
            ..one.clone()
        };
        assert!(!shares(&memory));
    }
}
