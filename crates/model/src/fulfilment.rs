//! Fulfilment (交付): one row a piece, and the groups that succeed or fail together.

use std::collections::BTreeMap;

use crate::catalogue::Fulfiller;
use crate::id::RequestItemId;
use crate::request::{InvalidTransition, Line, Outcome};
use crate::words;

words! {
    /// Where the fulfilment of one piece stands.
    #[cfg_attr(feature = "openapi", schema(as = PieceStatus))]
    pub enum Status {
        /// Waits for approval or for its turn.
        Waiting = "waiting",
        /// Being built.
        Running = "running",
        /// Built and handed over.
        Delivered = "delivered",
        /// Not built; nothing was left behind.
        Failed = "failed",
        /// Not built, and something could not be taken back; an operator must look.
        Residue = "residue",
        /// Called off before it began.
        Cancelled = "cancelled",
    }
}

words! {
    /// What can happen to the fulfilment of a piece.
    #[cfg_attr(feature = "openapi", schema(as = FulfilmentEvent))]
    pub enum Event {
        /// Its saga begins.
        Start = "start",
        /// Built.
        Deliver = "deliver",
        /// Failed and taken back.
        Fail = "fail",
        /// Failed, and something is left behind.
        Leave = "leave",
        /// Called off.
        Cancel = "cancel",
        /// What was left behind has been removed.
        Clean = "clean",
    }
}

impl Status {
    /// The next state.
    ///
    /// # Errors
    /// [`InvalidTransition`] if the event is not possible here.
    pub const fn after(self, event: Event) -> Result<Self, InvalidTransition> {
        match (self, event) {
            (Self::Waiting, Event::Start) => Ok(Self::Running),
            (Self::Running, Event::Deliver) => Ok(Self::Delivered),
            (Self::Running, Event::Fail) | (Self::Residue, Event::Clean) => Ok(Self::Failed),
            (Self::Running, Event::Leave) => Ok(Self::Residue),
            (Self::Waiting, Event::Cancel) => Ok(Self::Cancelled),
            (from, event) => Err(InvalidTransition {
                from: from.as_str(),
                event: event.as_str(),
            }),
        }
    }

    /// Whether the piece is settled: delivered, or certain not to come.
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// How a request ends whose pieces are all settled; `None` while one is not.
pub fn outcome(pieces: &[Status]) -> Option<Outcome> {
    if pieces.iter().any(|p| !p.is_settled()) {
        return None;
    }
    let delivered = pieces.iter().filter(|p| **p == Status::Delivered).count();
    Some(match delivered {
        0 => Outcome::Failed,
        n if n == pieces.len() => Outcome::Complete,
        _ => Outcome::Partial,
    })
}

/// One piece of a line: the line and the number of the piece, from 0.
pub type Piece = (RequestItemId, i64);

/// The piece to which a piece of an attaching line goes: piece `j` goes to piece `j % count` of the
/// target line.
pub fn target(lines: &[Line], line: &Line, piece: i64) -> Option<Piece> {
    let to = line.attach_to.as_ref()?;
    let target = lines.iter().find(|l| l.id == *to)?;
    Some((to.clone(), piece % target.count.max(1)))
}

/// Whether a line stands or falls with what it attaches to. A host without its disk is of no use,
/// so they are built, and taken back, together. An address or a backup comes after its host and may
/// fail alone: the host stays, and the request is delivered in part.
pub fn is_bound(line: &Line) -> bool {
    line.attach_to.is_some() && line.kind == Fulfiller::Volume
}

/// Splits the lines of a request into groups of pieces that are built, and fail, together: a piece
/// and every bound piece that attaches to it. Groups are in the order of the request, what attaches
/// comes after its target, inside a group and among groups.
pub fn groups(lines: &[Line]) -> Vec<Vec<Piece>> {
    let mut group_of: BTreeMap<Piece, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<Piece>> = Vec::new();
    let mut waiting: Vec<&Line> = lines.iter().collect();
    // Each round places the lines whose target has been placed; a line whose target is missing or
    // that attaches in a circle (refused at submit) stands alone rather than being lost.
    while !waiting.is_empty() {
        let ready = |l: &&Line| {
            l.attach_to
                .as_ref()
                .is_none_or(|t| group_of.contains_key(&(t.clone(), 0)))
        };
        let (now, later): (Vec<&Line>, Vec<&Line>) = waiting.iter().partition(|l| ready(l));
        let stuck = now.is_empty();
        let placing = if stuck { later.clone() } else { now };
        for line in placing {
            for piece in 0..line.count {
                let to = if is_bound(line) {
                    target(lines, line, piece)
                } else {
                    None
                };
                let index = match to.and_then(|t| group_of.get(&t).copied()) {
                    Some(index) => index,
                    None => {
                        groups.push(Vec::new());
                        groups.len() - 1
                    }
                };
                group_of.insert((line.id.clone(), piece), index);
                if let Some(group) = groups.get_mut(index) {
                    group.push((line.id.clone(), piece));
                }
            }
        }
        waiting = if stuck { Vec::new() } else { later };
    }
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{Id, ItemVersionId, SiteCode};
    use crate::msg::Label;
    use crate::param::Answers;
    use crate::price::Quote;
    use crate::time::Timestamp;

    fn line(n: u128, count: i64, attach_to: Option<u128>) -> Line {
        let site: SiteCode = "nb".to_owned().try_into().unwrap();
        let id = |n| RequestItemId::generate(&site, Timestamp::default(), n);
        Line {
            id: id(n),
            position: n as i64,
            version: ItemVersionId::generate(&site, Timestamp::default(), 1),
            code: "X".into(),
            kind: if attach_to.is_some() {
                Fulfiller::Volume
            } else {
                Fulfiller::Server
            },
            item_name: Label::default(),
            name: String::new(),
            placement: None,
            answers: Answers::default(),
            count,
            term_months: 12,
            attach_to: attach_to.map(id),
            price_version: 1,
            quote: Quote::default(),
        }
    }

    #[test]
    fn every_host_and_its_own_disks_are_one_group() {
        let lines = [line(1, 2, None), line(2, 4, Some(1)), line(3, 1, None)];
        let groups = groups(&lines);
        assert_eq!(groups.len(), 3);
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        assert_eq!(sizes, [3, 3, 1]);
        assert_eq!(
            groups[1],
            [
                (lines[0].id.clone(), 1),
                (lines[1].id.clone(), 1),
                (lines[1].id.clone(), 3)
            ]
        );
    }

    #[test]
    fn one_disk_may_go_to_the_first_of_two_hosts_but_three_are_not_dealt_out() {
        let check = |count| {
            let lines = [line(1, 2, None), line(2, count, Some(1))];
            crate::request::check_attachments(&lines, |_| std::slice::from_ref(&lines[0].code))
                .map_err(|errors| errors[0].msg.key.clone())
        };
        assert_eq!(check(1), Ok(()));
        assert_eq!(check(2), Ok(()));
        assert_eq!(check(3), Err("attach.count".into()));
        assert_eq!(check(4), Ok(()));
        let lines = [line(1, 2, None), line(2, 1, Some(1))];
        assert_eq!(target(&lines, &lines[1], 0), Some((lines[0].id.clone(), 0)));
        assert_eq!(groups(&lines).len(), 2);
    }

    #[test]
    fn a_chain_of_attachments_is_one_group_whatever_the_order_of_lines() {
        let lines = [line(3, 1, Some(2)), line(2, 1, Some(1)), line(1, 1, None)];
        let groups = groups(&lines);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0][0].0, lines[2].id);
    }

    #[test]
    fn an_address_may_fail_alone_and_its_host_stays() {
        let mut address = line(2, 1, Some(1));
        address.kind = Fulfiller::Address;
        let lines = [address, line(1, 1, None)];
        let groups = groups(&lines);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0][0].0, lines[1].id, "the host comes first");
        assert_eq!(target(&lines, &lines[0], 0), Some((lines[1].id.clone(), 0)));
    }

    #[test]
    fn no_piece_is_lost_even_if_lines_attach_in_a_circle() {
        let lines = [line(1, 1, Some(2)), line(2, 1, Some(1))];
        assert_eq!(groups(&lines).iter().map(Vec::len).sum::<usize>(), 2);
    }

    #[test]
    fn a_request_with_one_failed_piece_is_delivered_in_part() {
        use Status::*;
        assert_eq!(outcome(&[Delivered, Running]), None);
        assert_eq!(outcome(&[Delivered, Failed]), Some(Outcome::Partial));
        assert_eq!(outcome(&[Delivered, Delivered]), Some(Outcome::Complete));
        assert_eq!(outcome(&[Residue, Cancelled]), Some(Outcome::Failed));
    }

    #[test]
    fn a_delivered_piece_never_fails_afterwards() {
        for event in Event::ALL {
            assert!(Status::Delivered.after(*event).is_err());
        }
    }

    /// Lines that attach to none or to one before them, in any order.
    fn lines() -> impl Strategy<Value = Vec<Line>> {
        let kind = prop_oneof![
            Just(Fulfiller::Volume),
            Just(Fulfiller::Address),
            Just(Fulfiller::Backup),
        ];
        let one = (1_i64..5, proptest::option::of(0_u128..8), kind);
        let make = |drawn: Vec<(i64, Option<u128>, Fulfiller)>| -> Vec<Line> {
            let number = |(n, (count, to, kind)): (u128, (i64, Option<u128>, Fulfiller))| {
                let to = to.filter(|_| n > 1).map(|to| to % (n - 1) + 1);
                let made = line(n, count, to);
                let kind = to.map_or(made.kind, |_| kind);
                Line { kind, ..made }
            };
            (1..).zip(drawn).map(number).collect()
        };
        let drawn = proptest::collection::vec(one, 0..8);
        drawn.prop_map(make).prop_shuffle()
    }

    proptest! {
        #[test]
        fn no_run_of_events_ends_a_piece_twice_or_delivers_what_was_not_begun(
            events in proptest::collection::vec(0_usize..Event::ALL.len(), 0..30),
        ) {
            let mut state = Status::Waiting;
            let mut begun = false;
            // What is held for a piece is given back or used once.
            let mut ends = 0;
            for event in events.into_iter().map(|i| Event::ALL[i]) {
                if let Ok(next) = state.after(event) {
                    if state.is_settled() {
                        prop_assert_eq!((state, next), (Status::Residue, Status::Failed));
                    }
                    begun |= event == Event::Start;
                    state = next;
                    ends += u32::from(state.is_settled() && state != Status::Residue);
                }
                let over = state.is_settled() && state != Status::Residue;
                prop_assert_eq!(ends, u32::from(over));
                let untouched = matches!(state, Status::Waiting | Status::Cancelled);
                prop_assert_eq!(begun, !untouched);
            }
        }

        #[test]
        fn a_request_ends_with_its_last_piece_whatever_the_order(
            drawn in proptest::collection::vec(0_usize..Status::ALL.len(), 1..12),
        ) {
            let mut pieces: Vec<Status> = drawn.into_iter().map(|i| Status::ALL[i]).collect();
            let ended = outcome(&pieces);
            prop_assert_eq!(ended.is_some(), pieces.iter().all(|p| p.is_settled()));
            let delivered = |p: &Status| *p == Status::Delivered;
            prop_assert!(ended != Some(Outcome::Complete) || pieces.iter().all(delivered));
            prop_assert!(ended != Some(Outcome::Failed) || !pieces.iter().any(delivered));
            pieces.reverse();
            prop_assert_eq!(outcome(&pieces), ended);
        }

        #[test]
        fn every_piece_is_in_one_group_a_bound_one_with_its_target_and_after_it(lines in lines()) {
            let groups = groups(&lines);
            let all: Vec<(usize, &Piece)> = groups
                .iter()
                .enumerate()
                .flat_map(|(at, group)| group.iter().map(move |piece| (at, piece)))
                .collect();
            let mut once: Vec<&Piece> = all.iter().map(|(_, piece)| *piece).collect();
            once.sort();
            once.dedup();
            prop_assert_eq!(once.len(), all.len());
            prop_assert_eq!(all.len(), lines.iter().map(|l| l.count as usize).sum::<usize>());
            let place = |wanted: &Piece| all.iter().position(|(_, piece)| *piece == wanted).unwrap();
            for line in &lines {
                for piece in 0..line.count {
                    let own = place(&(line.id.clone(), piece));
                    let Some(to) = target(&lines, line, piece) else {
                        prop_assert!(line.attach_to.is_none());
                        continue;
                    };
                    let to = place(&to);
                    prop_assert!(to < own, "what it attaches to comes first");
                    prop_assert_eq!(all[to].0 == all[own].0, is_bound(line));
                }
            }
        }
    }
}
