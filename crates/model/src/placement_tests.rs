//! Rules of the matrix zone × level × pool.

use super::*;
use crate::id::Id;
use crate::time::Timestamp;
use proptest::prelude::*;

fn id<I: Id>(n: u128) -> I {
    let site = "tt".to_owned().try_into().unwrap();
    I::generate(&site, Timestamp::default(), n)
}

fn zones(internet: &[bool]) -> Vec<Zone> {
    (0_u128..)
        .zip(internet)
        .map(|(n, internet)| Zone {
            id: id(n),
            name: Label::new("区", "zone"),
            hint: Label::new("", ""),
            internet: *internet,
        })
        .collect()
}

/// Which zone, lowest, highest, open.
type Drawn = (usize, Level, Level, bool);

fn pools(zones: &[Zone], drawn: &[Drawn]) -> Vec<Pool> {
    (0_u128..)
        .zip(drawn)
        .map(|(n, (zone, lowest, highest, open))| Pool {
            id: id(n),
            name: Label::new("池", "pool"),
            backend: "simulator".to_owned(),
            zone: zones[zone % zones.len()].id.clone(),
            lowest: *lowest,
            highest: *highest,
            purpose: Purpose::Sector,
            xinchuang: false,
            overcommit_percent: 100,
            open: *open,
        })
        .collect()
}

fn level() -> impl Strategy<Value = Level> {
    prop::sample::select(Level::ALL)
}

proptest! {
    #[test]
    fn of_all_cells_exactly_the_legal_ones_are_accepted_and_every_other_says_the_same_everywhere(
        internet in prop::collection::vec(any::<bool>(), 1..5),
        drawn in prop::collection::vec((any::<usize>(), level(), level(), any::<bool>()), 0..7),
    ) {
        let zones = zones(&internet);
        let pools = pools(&zones, &drawn);
        for zone in &zones {
            for level in Level::ALL {
                for pool in &pools {
                    let cell = Placement {
                        zone: zone.id.clone(),
                        level: *level,
                        pool: pool.id.clone(),
                    };
                    // The rule once more, in one line and in no order of reasons.
                    let is_legal = pool.zone == zone.id
                        && pool.open
                        && (pool.lowest..=pool.highest).contains(level)
                        && !(zone.internet && *level == Level::Three);
                    let form = pool.accepts(zone, *level);
                    prop_assert_eq!(form.is_ok(), is_legal);
                    // What the matrix of the form says is what the server says to the chosen cell.
                    let server = legal(&zones, &pools, &cell);
                    prop_assert_eq!(server.map(|(z, p)| (&z.id, &p.id)),
                        form.map(|()| (&zone.id, &pool.id)));
                }
            }
        }
    }

    #[test]
    fn a_zone_or_a_pool_that_is_not_there_reads_as_unknown_whatever_the_other_is(
        internet in prop::collection::vec(any::<bool>(), 1..5),
        drawn in prop::collection::vec((any::<usize>(), level(), level(), any::<bool>()), 1..7),
        level in level(),
    ) {
        let zones = zones(&internet);
        let pools = pools(&zones, &drawn);
        let unknown = Msg::new("placement.unknown");
        let cells = [
            (id(1000), pools[0].id.clone()),
            (zones[0].id.clone(), id(1000)),
            (id(1000), id(1000)),
        ];
        for (zone, pool) in cells {
            let cell = Placement { zone, level, pool };
            prop_assert_eq!(legal(&zones, &pools, &cell).map(|_| ()), Err(unknown.clone()));
        }
    }
}
