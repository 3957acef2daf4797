//! A resource (资源): what runs, and what is charged for it. Two states side by side.

use crate::request::InvalidTransition;
use crate::time::{DAY_MS, Timestamp};
use crate::words;

/// How many days a thing that was given back lies in the recycle bin (回收站), unless the
/// configuration says otherwise.
pub const KEEP_DAYS: i64 = 7;
/// Most days that it may lie there.
pub const MOST_KEEP_DAYS: i64 = 30;

/// A certificate's number: site, `X` for 销毁, day, counter of the day: `NB-X20261121-0001`.
#[must_use]
pub fn erasure_number(site: &crate::id::SiteCode, day: crate::time::Date, counter: i64) -> String {
    format!(
        "{}-X{}-{counter:04}",
        site.as_str().to_ascii_uppercase(),
        day.compact()
    )
}

/// How many days are left until a moment; a day that has begun counts.
#[must_use]
pub const fn days_left(now: Timestamp, until: Timestamp) -> i64 {
    let ms = until.millis().saturating_sub(now.millis());
    if ms <= 0 { 0 } else { (ms - 1) / DAY_MS + 1 }
}

words! {
    /// What the resource does.
    pub enum ServiceState {
        /// In service.
        Running = "running",
        /// Switched off by its owner.
        Stopped = "stopped",
        /// The backend is working on it.
        Changing = "changing",
        /// In the recycle bin (回收站): given back, switched off, its data kept until it is erased.
        Recycled = "recycled",
        /// Given back; nothing runs.
        Released = "released",
    }
}

words! {
    /// What is charged.
    pub enum BillingState {
        /// Delivered, not yet confirmed: nothing is charged.
        Unconfirmed = "unconfirmed",
        /// Trial run (试运行): nothing is charged.
        Trial = "trial",
        /// Charged (计费).
        Billing = "billing",
        /// Charged no more (停止计费).
        Stopped = "stopped",
    }
}

words! {
    /// What happened to a resource; bills are made of these events.
    pub enum EventKind {
        /// Delivered.
        Delivered = "delivered",
        /// Confirmed; the trial run begins.
        TrialStarted = "trial_started",
        /// Charging begins.
        BillingStarted = "billing_started",
        /// Switched on.
        Started = "started",
        /// Switched off.
        Stopped = "stopped",
        /// Has another size; its month price may be another from here on.
        Resized = "resized",
        /// A disk has grown; its month price may be another from here on.
        Extended = "extended",
        /// Backs up otherwise; its month price may be another from here on.
        Replanned = "replanned",
        /// Its term goes on.
        Renewed = "renewed",
        /// The month price of a renewed term begins to hold.
        Repriced = "repriced",
        /// Release was asked for and approved.
        ReleaseStarted = "release_started",
        /// Given back and gone from its cloud; charging has ended.
        Released = "released",
        /// Given back and put into the recycle bin; charging ends.
        Recycled = "recycled",
        /// Taken back out of the recycle bin; charging goes on where its trial run is over.
        TakenBack = "taken_back",
        /// What lay in the recycle bin begins to be erased.
        EraseStarted = "erase_started",
        /// Restarted by its owner.
        Restarted = "restarted",
        /// A snapshot was taken of it.
        SnapshotTaken = "snapshot_taken",
        /// A snapshot of it was deleted.
        SnapshotDeleted = "snapshot_deleted",
        /// A new disk was made out of a snapshot of it.
        SnapshotRestored = "snapshot_restored",
        /// A new disk was made out of a backup of it.
        BackupRestored = "backup_restored",
        /// A snapshot of it that was taken in the cloud itself became the portal's.
        SnapshotTakenIn = "snapshot_taken_in",
        /// A snapshot of it was lost in the cloud and written off.
        SnapshotLost = "snapshot_lost",
        /// Attached to a host; on the host: something was attached to it.
        Attached = "attached",
        /// Taken off its host; on the host: something was taken off it.
        Detached = "detached",
        /// What may come in to a host is another set of rules from here on.
        RulesChanged = "rules_changed",
        /// A host has a new one-time password.
        PasswordRenewed = "password_renewed",
        /// A host's system was installed anew; what its system disk held is gone.
        Reinstalled = "reinstalled",
        /// Installing a host's system anew broke off: what its system disk holds is not known.
        ReinstallFailed = "reinstall_failed",
        /// Lost in the cloud and built anew; what it held is gone.
        Restored = "restored",
        /// Lost in the cloud and written off; its release follows.
        WrittenOff = "written_off",
        /// It stood in the cloud already and became the portal's (纳管).
        TakenIn = "taken_in",
        /// Taking it in was undone: it goes on in the cloud, and nothing was ever charged for it.
        TakenOut = "taken_out",
        /// Its name or address was written down as it is in the cloud.
        Followed = "followed",
    }
}

impl EventKind {
    /// Whether it leaves both states as they are: what is done to a thing that goes on as before.
    const fn changes_no_state(self) -> bool {
        matches!(
            self,
            Self::Restarted
                | Self::SnapshotTaken
                | Self::SnapshotDeleted
                | Self::SnapshotRestored
                | Self::BackupRestored
                | Self::SnapshotTakenIn
                | Self::SnapshotLost
                | Self::Attached
                | Self::Detached
                | Self::RulesChanged
                | Self::PasswordRenewed
                | Self::Reinstalled
                | Self::ReinstallFailed
                | Self::Restored
                | Self::WrittenOff
                | Self::TakenIn
                | Self::TakenOut
                | Self::Followed
        )
    }
}

impl BillingState {
    /// The next state.
    ///
    /// # Errors
    /// [`InvalidTransition`] if the event is not possible here.
    pub const fn after(self, event: EventKind) -> Result<Self, InvalidTransition> {
        match (self, event) {
            (Self::Unconfirmed, EventKind::TrialStarted) => Ok(Self::Trial),
            (Self::Trial, EventKind::BillingStarted) => Ok(Self::Billing),
            (
                Self::Unconfirmed | Self::Trial | Self::Billing,
                EventKind::Released | EventKind::Recycled,
            )
            // Out of the recycle bin, where nothing is charged.
            | (Self::Stopped, EventKind::Released) => Ok(Self::Stopped),
            // `BillingStarted` follows at once where the trial run is over.
            (Self::Stopped, EventKind::TakenBack) => Ok(Self::Trial),
            (
                state,
                EventKind::Started
                | EventKind::Stopped
                | EventKind::ReleaseStarted
                | EventKind::EraseStarted,
            ) => Ok(state),
            (state, EventKind::Resized | EventKind::Extended | EventKind::Replanned) => Ok(state),
            (
                Self::Unconfirmed | Self::Trial | Self::Billing,
                EventKind::Renewed | EventKind::Repriced,
            ) => Ok(self),
            (state, event) if event.changes_no_state() => Ok(state),
            (from, event) => Err(InvalidTransition {
                from: from.as_str(),
                event: event.as_str(),
            }),
        }
    }
}

impl ServiceState {
    /// The next state once an event has happened.
    ///
    /// # Errors
    /// [`InvalidTransition`] if the event is not possible here.
    pub const fn after(self, event: EventKind) -> Result<Self, InvalidTransition> {
        match (self, event) {
            (Self::Stopped | Self::Changing, EventKind::Started) => Ok(Self::Running),
            (Self::Running | Self::Changing, EventKind::Stopped) => Ok(Self::Stopped),
            (Self::Running | Self::Stopped, EventKind::ReleaseStarted) => Ok(Self::Changing),
            (Self::Running | Self::Stopped | Self::Changing, EventKind::Recycled) => {
                Ok(Self::Recycled)
            }
            // A host comes back switched off: `Stopped` follows.
            (Self::Recycled, EventKind::TakenBack) => Ok(Self::Running),
            (
                Self::Recycled,
                EventKind::EraseStarted | EventKind::WrittenOff | EventKind::SnapshotLost,
            ) => Ok(self),
            (
                Self::Running | Self::Stopped | Self::Changing | Self::Recycled,
                EventKind::Released,
            ) => Ok(Self::Released),
            (
                Self::Running | Self::Stopped,
                EventKind::TrialStarted
                | EventKind::BillingStarted
                | EventKind::Resized
                | EventKind::Extended
                | EventKind::Replanned
                | EventKind::Renewed
                | EventKind::Repriced,
            ) => Ok(self),
            (Self::Running | Self::Stopped, event) if event.changes_no_state() => Ok(self),
            (from, event) => Err(InvalidTransition {
                from: from.as_str(),
                event: event.as_str(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_charged_before_the_trial_run_has_ended() {
        let state = BillingState::Unconfirmed;
        assert!(state.after(EventKind::BillingStarted).is_err());
        let trial = state.after(EventKind::TrialStarted).unwrap();
        assert_eq!(
            trial.after(EventKind::BillingStarted),
            Ok(BillingState::Billing)
        );
    }

    #[test]
    fn out_of_the_recycle_bin_lead_taking_back_and_erasing_alone() {
        let bin = ServiceState::Recycled;
        let leads: Vec<_> = EventKind::ALL
            .iter()
            .filter_map(|event| Some((*event, bin.after(*event).ok()?)))
            .collect();
        assert_eq!(
            leads,
            [
                (EventKind::Released, ServiceState::Released),
                (EventKind::TakenBack, ServiceState::Running),
                (EventKind::EraseStarted, bin),
                (EventKind::SnapshotLost, bin),
                (EventKind::WrittenOff, bin),
            ]
        );
        for state in ServiceState::ALL {
            let may = state.after(EventKind::Recycled).is_ok();
            let stands = !matches!(state, ServiceState::Recycled | ServiceState::Released);
            assert_eq!(may, stands, "{state}");
        }
    }

    #[test]
    fn the_bin_ends_the_charge_and_taking_back_lets_it_go_on() {
        for state in [
            BillingState::Unconfirmed,
            BillingState::Trial,
            BillingState::Billing,
        ] {
            assert_eq!(state.after(EventKind::Recycled), Ok(BillingState::Stopped));
        }
        let back = BillingState::Stopped.after(EventKind::TakenBack).unwrap();
        assert_eq!(
            back.after(EventKind::BillingStarted),
            Ok(BillingState::Billing)
        );
        assert_eq!(
            BillingState::Stopped.after(EventKind::Released),
            Ok(BillingState::Stopped)
        );
    }

    #[test]
    fn a_day_that_has_begun_is_left() {
        let at = Timestamp::from_millis;
        assert_eq!(days_left(at(0), at(7 * DAY_MS)), 7);
        assert_eq!(days_left(at(1), at(7 * DAY_MS)), 7);
        assert_eq!(days_left(at(6 * DAY_MS), at(7 * DAY_MS)), 1);
        assert_eq!(days_left(at(7 * DAY_MS), at(7 * DAY_MS)), 0);
        assert_eq!(days_left(at(9 * DAY_MS), at(7 * DAY_MS)), 0);
    }

    #[test]
    fn what_was_released_stays_released_and_free_of_charge() {
        for event in EventKind::ALL {
            assert!(ServiceState::Released.after(*event).is_err(), "{event}");
        }
        assert!(
            BillingState::Stopped
                .after(EventKind::BillingStarted)
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn no_run_of_events_charges_what_is_not_in_service_or_was_not_on_trial(
            events in proptest::collection::vec(0_usize..EventKind::ALL.len(), 0..60),
        ) {
            let (mut service, mut billing) = (ServiceState::Running, BillingState::Unconfirmed);
            for event in events.into_iter().map(|i| EventKind::ALL[i]) {
                // It happens if both states let it.
                if let (Ok(next), Ok(charged)) = (service.after(event), billing.after(event)) {
                    prop_assert!(service != ServiceState::Released, "{event}");
                    if event.changes_no_state() {
                        prop_assert_eq!((next, charged), (service, billing));
                    }
                    if charged == BillingState::Billing {
                        let from = matches!(billing, BillingState::Trial | BillingState::Billing);
                        prop_assert!(from, "{event}");
                    }
                    if service == ServiceState::Recycled && next != service {
                        let out = matches!(event, EventKind::TakenBack | EventKind::Released);
                        prop_assert!(out, "{event}");
                    }
                    (service, billing) = (next, charged);
                }
                let away = matches!(service, ServiceState::Recycled | ServiceState::Released);
                prop_assert_eq!(billing == BillingState::Stopped, away);
            }
        }
    }
}
