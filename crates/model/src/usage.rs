//! Utilisation (利用率): how much of what a host was given it uses, and what is called idle or busy.
//!
//! Two rates stand side by side (`domain.md` NB-03): the allocation rate (分配率 = Σ allocated ÷ Σ
//! capacity, see [`crate::view::overview::PoolLoad`]) and the usage rate (使用率 = Σ mean used ÷ Σ
//! allocated, [`rate`]). All shares are tenths of a percent (permille) of what the host was given.
//! The bounds stand here and nowhere else.

use serde::{Deserialize, Serialize};

use crate::words;

words! {
    /// What of a host is measured.
    #[cfg_attr(feature = "openapi", schema(as = UsageMeasure))]
    pub enum Measure {
        /// Time of its cores.
        Cpu = "cpu",
        /// Memory.
        Memory = "memory",
        /// Disks.
        Disk = "disk",
    }
}

words! {
    /// What the last 30 days say of a host.
    #[cfg_attr(feature = "openapi", schema(as = UsageLoad))]
    pub enum Load {
        /// Low use (低效): a smaller one would do, or none.
        Idle = "idle",
        /// High use (高负载).
        Busy = "busy",
        /// Neither.
        Normal = "normal",
        /// Too few days with enough samples to say.
        Few = "few",
        /// Nothing was measured.
        NoData = "none",
    }
}

/// Samples of a whole day: one every five minutes (`domain.md` 3.13, "CPU 30-day mean of 5-min samples").
pub const SAMPLES_A_DAY: i64 = 288;
/// A day with fewer samples than half of its own is marked and counts for nothing: a host that was
/// measured during the night alone is not idle. Our choice; the sources name no number.
pub const LEAST_SAMPLES: i64 = SAMPLES_A_DAY / 2;
/// So many days are looked at together (`domain.md` HS-04 and 3.13: "for 30 days").
pub const WINDOW_DAYS: i64 = 30;
/// So many of the 30 days must have enough samples before a host is called idle, so that a day on
/// which Prometheus stood still does not empty the list. Our choice.
pub const LEAST_DAYS: i64 = 24;
/// So many days are enough to call a host busy: waiting a month would not help it. Our choice.
pub const LEAST_DAYS_BUSY: i64 = 7;
/// Idle is below this of the cores and [`IDLE_MEMORY`] of the memory (`domain.md` 3.13, bands of S7).
pub const IDLE_CPU: i64 = 300;
/// See [`IDLE_CPU`].
pub const IDLE_MEMORY: i64 = 400;
/// Busy is above this of the cores, or [`BUSY_MEMORY`] of the memory (`domain.md` 3.13, bands of S7).
pub const BUSY_CPU: i64 = 500;
/// See [`BUSY_CPU`].
pub const BUSY_MEMORY: i64 = 700;
/// A proposed size leaves room for twice the peak (`domain.md` 3.16, "p95 … × 2").
pub const ROOM: i64 = 2;

/// One measure of one host on one civil day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = UsageReading))]
pub struct Reading {
    /// Mean of the samples, tenths of a percent.
    pub mean: i64,
    /// Peak: 95th percentile of the samples, tenths of a percent.
    pub peak: i64,
    /// How many there were.
    pub samples: i64,
}

impl Reading {
    /// Whether the day has samples enough to count.
    #[must_use]
    pub const fn is_enough(self) -> bool {
        self.samples >= LEAST_SAMPLES
    }
}

/// One measure of one host over the last 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = UsageSum))]
pub struct Sum {
    /// Mean of all samples of the days that count, tenths of a percent.
    pub mean: i64,
    /// The highest peak of a day that counts, tenths of a percent.
    pub peak: i64,
    /// How many days count.
    pub days: i64,
}

/// A mean out of a sum of `value × weight` and the sum of weights, half up; `None` of nothing.
#[must_use]
pub const fn mean(weighted: i64, weight: i64) -> Option<i64> {
    if weight <= 0 {
        None
    } else {
        Some((weighted.saturating_mul(2).saturating_add(weight)) / (weight.saturating_mul(2)))
    }
}

/// The usage rate (使用率 = Σ mean used ÷ Σ allocated) of several hosts in tenths of a percent:
/// `used` is Σ share × size, `allocated` Σ size, of the hosts that were measured. `None` of none.
#[must_use]
pub const fn rate(used: i64, allocated: i64) -> Option<i64> {
    mean(used, allocated)
}

/// What the last 30 days say of a host. Zombies (僵尸) need the network and sign-ins too, of which
/// nothing is known here: nobody is called one.
#[must_use]
pub fn load(cpu: Option<Sum>, memory: Option<Sum>) -> Load {
    let known = |sum: Option<Sum>, days: i64| sum.filter(|sum| sum.days >= days);
    let above = |sum: Option<Sum>, days, bound| known(sum, days).is_some_and(|s| s.mean > bound);
    if cpu.is_none() && memory.is_none() {
        return Load::NoData;
    }
    if above(cpu, LEAST_DAYS_BUSY, BUSY_CPU) || above(memory, LEAST_DAYS_BUSY, BUSY_MEMORY) {
        return Load::Busy;
    }
    let (cpu, memory) = (known(cpu, LEAST_DAYS), known(memory, LEAST_DAYS));
    let low = |sum: Option<Sum>, bound| sum.map(|sum| sum.mean < bound);
    match (low(cpu, IDLE_CPU), low(memory, IDLE_MEMORY)) {
        (Some(true), Some(true)) => Load::Idle,
        // One of the two that is not low is enough to know.
        (Some(false), _) | (_, Some(false)) => Load::Normal,
        // Low cores with memory unknown may be a cache that is full: nothing is said of it.
        _ => Load::Few,
    }
}

/// The size that would do: the smallest power of two that holds twice the peak; `None` if that is no
/// smaller than what there is. A hint: the form of the change knows what is offered.
#[must_use]
pub const fn smaller(size: i64, peak: i64) -> Option<i64> {
    let needed = size.saturating_mul(peak).saturating_mul(ROOM);
    let mut fits: i64 = 1;
    while fits < size && fits.saturating_mul(1000) < needed {
        fits = fits.saturating_mul(2);
    }
    if fits < size { Some(fits) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn sum(mean: i64, days: i64) -> Option<Sum> {
        Some(Sum {
            mean,
            peak: mean,
            days,
        })
    }

    #[test]
    fn idle_is_below_30_percent_of_cores_and_below_40_of_memory_for_30_days() {
        assert_eq!(load(sum(299, 30), sum(399, 30)), Load::Idle);
        assert_eq!(load(sum(299, LEAST_DAYS), sum(399, LEAST_DAYS)), Load::Idle);
        // On the bound is not below it, and one of the two is not both.
        assert_eq!(load(sum(300, 30), sum(399, 30)), Load::Normal);
        assert_eq!(load(sum(299, 30), sum(400, 30)), Load::Normal);
        assert_eq!(load(sum(0, 30), sum(0, 30)), Load::Idle);
    }

    #[test]
    fn busy_is_above_50_percent_of_cores_or_above_70_of_memory() {
        assert_eq!(load(sum(501, 30), sum(100, 30)), Load::Busy);
        assert_eq!(load(sum(100, 30), sum(701, 30)), Load::Busy);
        assert_eq!(load(sum(500, 30), sum(700, 30)), Load::Normal);
        assert_eq!(load(sum(900, LEAST_DAYS_BUSY), None), Load::Busy);
        assert_eq!(load(sum(900, LEAST_DAYS_BUSY - 1), None), Load::Few);
    }

    #[test]
    fn too_few_days_or_one_measure_alone_are_never_called_idle() {
        assert_eq!(load(sum(10, LEAST_DAYS - 1), sum(10, 30)), Load::Few);
        assert_eq!(load(sum(10, 30), sum(10, LEAST_DAYS - 1)), Load::Few);
        assert_eq!(load(sum(10, 30), None), Load::Few);
        assert_eq!(load(None, sum(10, 30)), Load::Few);
        // What is known to be used is not idle, whatever the other says.
        assert_eq!(load(sum(350, 30), None), Load::Normal);
        assert_eq!(load(None, None), Load::NoData);
    }

    #[test]
    fn a_day_of_fewer_than_half_its_samples_does_not_count() {
        let of = |samples| Reading {
            mean: 0,
            peak: 0,
            samples,
        };
        assert!(of(LEAST_SAMPLES).is_enough() && of(SAMPLES_A_DAY).is_enough());
        assert!(!of(LEAST_SAMPLES - 1).is_enough() && !of(0).is_enough());
    }

    #[test]
    fn a_rate_weighs_hosts_by_their_size_and_nothing_has_none() {
        // 16 cores at 10 %, 4 at 60 %: (1.6 + 2.4) of 20.
        assert_eq!(rate(100 * 16 + 600 * 4, 20), Some(200));
        assert_eq!(mean(5, 2), Some(3));
        assert_eq!(rate(0, 0), None);
    }

    #[test]
    fn a_smaller_size_has_room_for_twice_the_peak() {
        assert_eq!(smaller(16, 100), Some(4));
        assert_eq!(smaller(8, 250), Some(4));
        assert_eq!(smaller(8, 251), None);
        assert_eq!(smaller(4, 0), Some(1));
        assert_eq!(smaller(1, 0), None);
        assert_eq!(smaller(12, 400), None);
        assert_eq!(smaller(12, 300), Some(8));
        assert_eq!(smaller(0, 500), None);
    }
}
