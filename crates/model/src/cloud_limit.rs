//! What a unit's project in a cloud may take (云平台限额): the portal's limits, as the cloud keeps them.
//!
//! The portal refuses what goes beyond a limit long before a cloud hears of it. The cloud's limit is
//! the second lock, for what is made past the portal, so it must never refuse what the portal has
//! agreed to: it is the portal's limit and, on top, whatever the cloud counts and the portal does not
//! (a host in the recycle bin, a snapshot, something foreign).

use serde::{Deserialize, Serialize};

use crate::catalogue::Fulfiller;
use crate::param::Answers;
use crate::quota::{Amounts, Dimension, Standing};

/// How many dimensions clouds limit.
const DIMENSIONS: usize = 4;

/// How much of each dimension a cloud counts; GiB and pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Virtual cores.
    pub vcpus: i64,
    /// Memory.
    pub memory_gb: i64,
    /// Disks, system disks and snapshots, whatever they are made of.
    pub disk_gb: i64,
    /// Public addresses.
    pub addresses: i64,
}

impl Counted {
    const fn figures(self) -> [i64; DIMENSIONS] {
        [self.vcpus, self.memory_gb, self.disk_gb, self.addresses]
    }

    const fn of([vcpus, memory_gb, disk_gb, addresses]: [i64; DIMENSIONS]) -> Self {
        Self {
            vcpus,
            memory_gb,
            disk_gb,
            addresses,
        }
    }

    /// What a thing with these answers takes in a cloud, whatever it books in the portal.
    #[must_use]
    pub fn of_thing(kind: Fulfiller, answers: &Answers) -> Self {
        let number = |key: &str| answers.integer(key).unwrap_or(0).max(0);
        match kind {
            Fulfiller::Server => Self {
                vcpus: number("vcpus"),
                memory_gb: number("memory_gb"),
                disk_gb: number("system_disk_gb"),
                addresses: 0,
            },
            Fulfiller::Volume => Self::of_disk(number("size_gb")),
            Fulfiller::Address => Self {
                addresses: 1,
                ..Self::default()
            },
            // Backups lie elsewhere, and people take nothing.
            Fulfiller::Backup | Fulfiller::People => Self::default(),
        }
    }

    /// Room for data alone.
    #[must_use]
    pub fn of_disk(disk_gb: i64) -> Self {
        Self {
            disk_gb,
            ..Self::default()
        }
    }

    /// What of a booking the portal's limits see of these dimensions.
    #[must_use]
    pub fn of_amounts(amounts: &Amounts) -> Self {
        let disks = [Dimension::SsdGb, Dimension::SasGb, Dimension::SataGb];
        Self {
            vcpus: amounts.get(Dimension::Vcpu),
            memory_gb: amounts.get(Dimension::MemoryGb),
            disk_gb: disks.into_iter().map(|class| amounts.get(class)).sum(),
            addresses: amounts.get(Dimension::Addresses),
        }
    }

    /// Both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let (mut sum, more) = (self.figures(), other.figures());
        for (one, more) in sum.iter_mut().zip(more) {
            *one = one.saturating_add(more);
        }
        Self::of(sum)
    }

    /// So many times.
    #[must_use]
    pub fn times(self, n: i64) -> Self {
        Self::of(self.figures().map(|one| one.saturating_mul(n)))
    }

    /// What of it is not booked.
    #[must_use]
    pub fn beyond(self, booked: Self) -> Self {
        let (mut left, booked) = (self.figures(), booked.figures());
        for (one, booked) in left.iter_mut().zip(booked) {
            *one = one.saturating_sub(booked.max(0)).max(0);
        }
        Self::of(left)
    }
}

/// Upper limits of a project in a cloud; none is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CloudLimit {
    /// Virtual cores.
    pub vcpus: Option<i64>,
    /// Memory, GiB.
    pub memory_gb: Option<i64>,
    /// Disks, system disks and snapshots, GiB.
    pub disk_gb: Option<i64>,
    /// Public addresses.
    pub addresses: Option<i64>,
}

impl CloudLimit {
    const fn figures(self) -> [Option<i64>; DIMENSIONS] {
        [self.vcpus, self.memory_gb, self.disk_gb, self.addresses]
    }

    const fn of([vcpus, memory_gb, disk_gb, addresses]: [Option<i64>; DIMENSIONS]) -> Self {
        Self {
            vcpus,
            memory_gb,
            disk_gb,
            addresses,
        }
    }

    fn with(self, other: Self, f: impl Fn(Option<i64>, Option<i64>) -> Option<i64>) -> Self {
        let (mut made, other) = (self.figures(), other.figures());
        for (one, other) in made.iter_mut().zip(other) {
            *one = f(*one, other);
        }
        Self::of(made)
    }

    /// What the portal's limits allow a VDC's own project: what was not handed on, and never less than
    /// what is booked. A dimension of which the VDC has no row is not limited by the portal.
    #[must_use]
    pub fn of_standings(rows: impl IntoIterator<Item = (Dimension, Standing)>) -> Self {
        let mut made = Self::default();
        for (dimension, standing) in rows {
            let figure = match dimension {
                Dimension::Vcpu => &mut made.vcpus,
                Dimension::MemoryGb => &mut made.memory_gb,
                // Clouds have one limit for disks of all classes.
                Dimension::SsdGb | Dimension::SasGb | Dimension::SataGb => &mut made.disk_gb,
                Dimension::Addresses => &mut made.addresses,
                Dimension::BackupGb | Dimension::BandwidthMbps | Dimension::MonthlyFee => continue,
            };
            let own = standing.limit.saturating_sub(standing.handed);
            let booked = standing.held.saturating_add(standing.used);
            *figure = Some(figure.unwrap_or(0).saturating_add(own.max(booked).max(0)));
        }
        made
    }

    /// With room for so much more in what is limited.
    #[must_use]
    pub fn plus(self, more: Counted) -> Self {
        let more = Self::of(more.figures().map(Some));
        self.with(more, |limit, more| {
            limit.map(|limit| limit.saturating_add(more.unwrap_or(0)))
        })
    }

    /// The higher of both; what only one of them limits is limited by that.
    #[must_use]
    pub fn raised(self, wanted: Self) -> Self {
        self.with(wanted, Ord::max)
    }

    /// Where the portal limits nothing, what the cloud has of its own stays: it is not made unlimited,
    /// and not too small for what it counts.
    #[must_use]
    pub fn beside(self, own: Self, counted: Counted) -> Self {
        let counted = Self::of(counted.figures().map(Some));
        self.with(
            own.with(counted, |own, counted| {
                own.map(|own| own.max(counted.unwrap_or(0)))
            }),
            Option::or,
        )
    }

    /// Whether the portal leaves a dimension to the cloud.
    #[must_use]
    pub fn is_partial(self) -> bool {
        self.figures().contains(&None)
    }

    /// Whether it leaves room for all that is wanted. Before something was ever written nothing is
    /// known of what the cloud has.
    #[must_use]
    pub fn covers(self, wanted: Self) -> bool {
        let mut pairs = self.figures().into_iter().zip(wanted.figures());
        pairs.all(|(has, wanted)| wanted.is_none() || has >= wanted)
    }

    /// Whether what a cloud limits of its own leaves room for what it counts.
    #[must_use]
    pub fn holds(self, counted: Counted) -> bool {
        let mut pairs = self.figures().into_iter().zip(counted.figures());
        pairs.all(|(limit, counted)| limit.is_none_or(|limit| limit >= counted))
    }

    /// Whether a cloud that says this keeps what was written. What the portal does not limit is the
    /// cloud's own.
    #[must_use]
    pub fn keeps(self, written: Self) -> bool {
        let mut pairs = self.figures().into_iter().zip(written.figures());
        pairs.all(|(said, written)| written.is_none() || said == written)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::param::Answer;

    fn limit() -> impl Strategy<Value = CloudLimit> {
        proptest::array::uniform4(proptest::option::of(0_i64..1_000)).prop_map(CloudLimit::of)
    }

    fn counted() -> impl Strategy<Value = Counted> {
        proptest::array::uniform4(0_i64..1_000).prop_map(Counted::of)
    }

    fn standing(limit: i64, handed: i64, held: i64, used: i64) -> Standing {
        Standing {
            limit,
            handed,
            held,
            used,
        }
    }

    fn answers(all: &[(&str, i64)]) -> Answers {
        let all = all.iter();
        Answers(
            all.map(|(key, n)| ((*key).to_owned(), Answer::Integer(*n)))
                .collect(),
        )
    }

    #[test]
    fn what_was_handed_on_is_the_units_below_and_what_is_booked_is_never_cut() {
        let made = CloudLimit::of_standings([
            (Dimension::Vcpu, standing(64, 24, 4, 8)),
            // Another pool of the same cloud, whose limit was taken back below use.
            (Dimension::Vcpu, standing(4, 0, 2, 8)),
            (Dimension::SsdGb, standing(100, 0, 0, 0)),
            (Dimension::SataGb, standing(1_000, 0, 0, 0)),
            (Dimension::Addresses, standing(0, 0, 0, 0)),
            (Dimension::MonthlyFee, standing(9, 0, 0, 0)),
        ]);
        let wanted = CloudLimit {
            vcpus: Some(50),
            memory_gb: None,
            disk_gb: Some(1_100),
            addresses: Some(0),
        };
        assert_eq!(made, wanted);
    }

    #[test]
    fn what_a_thing_takes_in_the_cloud_follows_from_what_was_ordered() {
        let host = answers(&[("vcpus", 4), ("memory_gb", 8), ("system_disk_gb", 40)]);
        let host = Counted::of_thing(Fulfiller::Server, &host);
        assert_eq!(host.figures(), [4, 8, 40, 0]);
        // In the recycle bin only the disk stays booked.
        let mut kept = Amounts::default();
        kept.add(Dimension::SsdGb, 40);
        let beyond = host.beyond(Counted::of_amounts(&kept));
        assert_eq!(beyond.figures(), [4, 8, 0, 0]);
        let disk = Counted::of_thing(Fulfiller::Volume, &answers(&[("size_gb", 100)]));
        assert_eq!(disk, Counted::of_disk(100));
    }

    #[test]
    fn what_the_portal_does_not_limit_keeps_the_limit_that_the_cloud_has() {
        let written = CloudLimit {
            vcpus: Some(8),
            ..CloudLimit::default()
        };
        let own = CloudLimit::of([Some(20), Some(64), None, Some(5)]);
        let counted = Counted::of([1, 1, 1, 7]);
        let made = written.beside(own, counted);
        assert_eq!(made.figures(), [Some(8), Some(64), None, Some(7)]);
        assert!(made.keeps(written) && !own.keeps(written));
        assert!(made.holds(counted) && !own.holds(counted));
    }

    proptest! {
        #[test]
        fn what_is_raised_covers_both(a in limit(), b in limit()) {
            let raised = a.raised(b);
            prop_assert!(raised.covers(a) && raised.covers(b));
            prop_assert!(raised.keeps(raised));
        }

        #[test]
        fn room_for_more_covers_what_was_before(a in limit(), more in counted()) {
            prop_assert!(a.plus(more).covers(a));
            prop_assert_eq!(a.plus(more).is_partial(), a.is_partial());
        }

        #[test]
        fn nothing_that_had_a_limit_loses_it(written in limit(), own in limit(), counted in counted()) {
            let made = written.beside(own, counted);
            for (made, own) in made.figures().into_iter().zip(own.figures()) {
                prop_assert!(made.is_some() || own.is_none());
            }
            prop_assert!(made.keeps(written));
        }
    }
}
