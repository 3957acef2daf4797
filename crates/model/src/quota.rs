//! Quotas: dimensions, what a configuration takes, and whether it fits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{PoolId, VdcId};
use crate::param::{Answers, Condition, Unit};
use crate::price::Quantity;
use crate::words;

words! {
    /// What is limited (`domain.md` 3.8).
    pub enum Dimension {
        /// Virtual cores.
        Vcpu = "vcpu",
        /// Memory, GB.
        MemoryGb = "memory_gb",
        /// SSD, GB.
        SsdGb = "ssd_gb",
        /// SAS disks, GB.
        SasGb = "sas_gb",
        /// SATA disks, GB.
        SataGb = "sata_gb",
        /// Backup space, GB.
        BackupGb = "backup_gb",
        /// Elastic addresses.
        Addresses = "addresses",
        /// Bandwidth, Mbps.
        BandwidthMbps = "bandwidth_mbps",
        /// Monthly fee, 分.
        MonthlyFee = "monthly_fee",
    }
}

impl Dimension {
    /// In what it is counted; money is counted in nothing but itself.
    #[must_use]
    pub const fn unit(self) -> Option<Unit> {
        Some(match self {
            Self::Vcpu => Unit::Core,
            Self::MemoryGb | Self::SsdGb | Self::SasGb | Self::SataGb | Self::BackupGb => {
                Unit::Gigabyte
            }
            Self::Addresses => Unit::Piece,
            Self::BandwidthMbps => Unit::Mbps,
            Self::MonthlyFee => return None,
        })
    }

    /// Whether it is room for data: what lies in the recycle bin goes on taking it.
    #[must_use]
    pub const fn is_storage(self) -> bool {
        matches!(
            self,
            Self::SsdGb | Self::SasGb | Self::SataGb | Self::BackupGb
        )
    }
}

words! {
    /// What a pool can run out of, as its backend counts it. Disks are one room whatever their class.
    pub enum PoolDimension {
        /// Virtual cores.
        Vcpu = "vcpu",
        /// Memory, GB.
        MemoryGb = "memory_gb",
        /// Room for disks, GB.
        DiskGb = "disk_gb",
        /// Elastic addresses.
        Addresses = "addresses",
    }
}

impl PoolDimension {
    /// How much of it an order takes. What the same order gives back somewhere is not counted: it
    /// is free only afterwards.
    #[must_use]
    pub fn asked(self, amounts: &Amounts) -> i64 {
        let drawn: &[Dimension] = match self {
            Self::Vcpu => &[Dimension::Vcpu],
            Self::MemoryGb => &[Dimension::MemoryGb],
            Self::DiskGb => &[Dimension::SsdGb, Dimension::SasGb, Dimension::SataGb],
            Self::Addresses => &[Dimension::Addresses],
        };
        drawn.iter().map(|one| amounts.get(*one).max(0)).sum()
    }
}

/// What a pool can still take; what is absent is not known, and not 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Room(pub BTreeMap<PoolDimension, i64>);

/// Amounts by dimension; a dimension that is absent is 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Amounts(pub BTreeMap<Dimension, i64>);

impl Amounts {
    /// The amount of one dimension.
    pub fn get(&self, dimension: Dimension) -> i64 {
        self.0.get(&dimension).copied().unwrap_or(0)
    }
    /// Adds to one dimension.
    pub fn add(&mut self, dimension: Dimension, amount: i64) {
        if amount != 0 {
            *self.0.entry(dimension).or_insert(0) += amount;
        }
    }
    /// Adds all of another.
    pub fn add_all(&mut self, other: &Self) {
        for (dimension, amount) in &other.0 {
            self.add(*dimension, *amount);
        }
    }
    /// What goes on being taken in the recycle bin, and what is free meanwhile.
    #[must_use]
    pub fn kept_and_freed(&self) -> (Self, Self) {
        let (kept, freed) = self
            .0
            .clone()
            .into_iter()
            .partition(|(dimension, _)| dimension.is_storage());
        (Self(kept), Self(freed))
    }
    /// Every amount `n` times.
    #[must_use]
    pub fn times(&self, n: i64) -> Self {
        Self(
            self.0
                .iter()
                .map(|(d, a)| (*d, a.saturating_mul(n)))
                .collect(),
        )
    }
}

/// Amounts by pool: what one request takes from each.
pub type Demand = BTreeMap<PoolId, Amounts>;

/// One dimension of a pool that has too little room for a demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolShortfall {
    /// The pool.
    pub pool: PoolId,
    /// Which dimension.
    pub dimension: PoolDimension,
    /// What was asked.
    pub asked: i64,
    /// What is left: free as the cloud says, without what is held.
    pub left: i64,
}

/// What pools have too little of for a demand; of what is not known nothing is missing.
pub fn pool_shortfalls(demand: &Demand, capacity: &[(PoolId, Room)]) -> Vec<PoolShortfall> {
    let mut short = Vec::new();
    for (pool, amounts) in demand {
        let Some((_, room)) = capacity.iter().find(|(p, _)| p == pool) else {
            continue;
        };
        for (dimension, left) in &room.0 {
            let asked = dimension.asked(amounts);
            if asked > 0 && asked > *left {
                short.push(PoolShortfall {
                    pool: pool.clone(),
                    dimension: *dimension,
                    asked,
                    left: *left,
                });
            }
        }
    }
    short
}

/// One line of an item's quota rule: which dimension, how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Takes {
    /// The dimension.
    pub dimension: Dimension,
    /// How much one piece takes.
    pub quantity: Quantity,
    /// Whether the line applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
}

/// What one piece of an item takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Consumption(pub Vec<Takes>);

impl Consumption {
    /// Amounts for `count` pieces of a configuration; the monthly fee is added by the caller,
    /// who knows the quote.
    pub fn amounts(&self, answers: &Answers, count: i64) -> Amounts {
        let mut amounts = Amounts::default();
        for takes in &self.0 {
            if takes.when.as_ref().is_some_and(|c| !c.holds(answers)) {
                continue;
            }
            let each = match &takes.quantity {
                Quantity::One => 1,
                Quantity::Param { key } => answers.integer(key).unwrap_or(0),
            };
            amounts.add(takes.dimension, each.saturating_mul(count));
        }
        amounts
    }
}

/// Where a limit stands. `handed` has been handed on to children and counts as booked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Standing {
    /// The limit.
    pub limit: i64,
    /// Handed on to children.
    pub handed: i64,
    /// Held by open requests (预占).
    pub held: i64,
    /// Used by live resources (已用).
    pub used: i64,
}

impl Standing {
    /// What is left; negative when the limit was set below use.
    pub const fn left(self) -> i64 {
        self.limit
            .saturating_sub(self.handed)
            .saturating_sub(self.held)
            .saturating_sub(self.used)
    }
    /// Booked share of the limit in percent, rounded down; 100 when there is no limit to share.
    pub const fn percent(self) -> i64 {
        let booked = self
            .handed
            .saturating_add(self.held)
            .saturating_add(self.used);
        if self.limit <= 0 {
            100
        } else {
            booked.saturating_mul(100) / self.limit
        }
    }
    /// The standing after a further hold.
    #[must_use]
    pub const fn with_held(self, more: i64) -> Self {
        Self {
            held: self.held.saturating_add(more),
            ..self
        }
    }
}

/// One dimension in one pool that a demand does not fit into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Shortfall {
    /// Whose quota.
    pub vdc: VdcId,
    /// In which pool.
    pub pool: PoolId,
    /// Which dimension.
    pub dimension: Dimension,
    /// Standing before the demand.
    pub standing: Standing,
    /// What was asked.
    pub asked: i64,
}

impl Shortfall {
    /// By how much the limit would have to grow.
    pub const fn missing(&self) -> i64 {
        self.asked.saturating_sub(self.standing.left())
    }
}

/// One dimension in one pool before and after a demand; what the quota bars show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Change {
    /// In which pool.
    pub pool: PoolId,
    /// Which dimension.
    pub dimension: Dimension,
    /// Standing before.
    pub before: Standing,
    /// What the demand adds.
    pub asked: i64,
}

/// Standings of one VDC, by pool and dimension. A dimension without a row has the limit 0:
/// what was never granted can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Account {
    /// Whose quota.
    pub vdc: VdcId,
    /// The rows.
    pub standings: Vec<(PoolId, Dimension, Standing)>,
}

impl Account {
    /// The standing of one dimension in one pool.
    pub fn standing(&self, pool: &PoolId, dimension: Dimension) -> Standing {
        self.standings
            .iter()
            .find(|(p, d, _)| p == pool && *d == dimension)
            .map_or_else(Standing::default, |(_, _, s)| *s)
    }

    /// Every dimension that a demand touches, before and after.
    pub fn changes(&self, demand: &Demand) -> Vec<Change> {
        let mut changes = Vec::new();
        for (pool, amounts) in demand {
            for (dimension, asked) in &amounts.0 {
                changes.push(Change {
                    pool: pool.clone(),
                    dimension: *dimension,
                    before: self.standing(pool, *dimension),
                    asked: *asked,
                });
            }
        }
        changes
    }

    /// What doesn't fit.
    pub fn shortfalls(&self, demand: &Demand) -> Vec<Shortfall> {
        self.changes(demand)
            .into_iter()
            .filter(|c| c.asked > 0 && c.asked > c.before.left())
            .map(|c| Shortfall {
                vdc: self.vdc.clone(),
                pool: c.pool,
                dimension: c.dimension,
                standing: c.before,
                asked: c.asked,
            })
            .collect()
    }
}

words! {
    /// What a ledger entry does. The ledger is append-only; the counters are its cache.
    pub enum EntryKind {
        /// Sets the limit (amount = change of the limit).
        Limit = "limit",
        /// Hands a part on to a child.
        Hand = "hand",
        /// Holds for a request.
        Hold = "hold",
        /// Gives a hold back.
        Release = "release",
        /// Turns a hold into use at delivery.
        Convert = "convert",
        /// Gives use back when a resource is released.
        Free = "free",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use crate::time::Timestamp;

    #[test]
    fn what_was_handed_on_held_or_used_is_not_left() {
        let standing = Standing {
            limit: 64,
            handed: 10,
            held: 4,
            used: 36,
        };
        assert_eq!(standing.left(), 14);
        assert_eq!(standing.percent(), 78);
        assert_eq!(
            Standing {
                limit: 10,
                used: 12,
                ..Standing::default()
            }
            .left(),
            -2
        );
    }

    #[test]
    fn in_the_bin_room_for_data_stays_taken_and_everything_else_is_free() {
        let mut all = Amounts::default();
        for dimension in Dimension::ALL {
            all.add(*dimension, 7);
        }
        let (mut kept, freed) = all.kept_and_freed();
        let names: Vec<_> = kept.0.keys().copied().collect();
        assert_eq!(
            names,
            [
                Dimension::SsdGb,
                Dimension::SasGb,
                Dimension::SataGb,
                Dimension::BackupGb
            ]
        );
        assert_eq!(freed.get(Dimension::Vcpu), 7);
        kept.add_all(&freed);
        assert_eq!(kept, all);
    }

    #[test]
    fn disks_of_all_classes_ask_for_the_same_room_and_backups_for_none_of_it() {
        let mut asked = Amounts::default();
        for dimension in Dimension::ALL {
            asked.add(*dimension, 7);
        }
        assert_eq!(PoolDimension::DiskGb.asked(&asked), 21);
        assert_eq!(PoolDimension::Vcpu.asked(&asked), 7);
        // A disk that becomes free makes no room for one that is asked for at the same time.
        asked.add(Dimension::SataGb, -100);
        assert_eq!(PoolDimension::DiskGb.asked(&asked), 14);
    }

    #[test]
    fn a_demand_that_does_not_fit_names_dimension_asked_and_left() {
        let site = "nb".to_owned().try_into().unwrap();
        let pool = PoolId::generate(&site, Timestamp::default(), 1);
        let account = Account {
            vdc: VdcId::generate(&site, Timestamp::default(), 1),
            standings: vec![(
                pool.clone(),
                Dimension::Vcpu,
                Standing {
                    limit: 8,
                    ..Standing::default()
                },
            )],
        };
        let mut amounts = Amounts::default();
        amounts.add(Dimension::Vcpu, 8);
        assert!(
            account
                .shortfalls(&Demand::from([(pool.clone(), amounts.clone())]))
                .is_empty()
        );
        amounts.add(Dimension::Vcpu, 1);
        amounts.add(Dimension::MemoryGb, 16);
        let short = account.shortfalls(&Demand::from([(pool, amounts)]));
        assert_eq!(
            short
                .iter()
                .map(|s| (s.dimension, s.asked, s.missing()))
                .collect::<Vec<_>>(),
            [(Dimension::Vcpu, 9, 1), (Dimension::MemoryGb, 16, 16)]
        );
    }
}
