//! A resource (资源): what runs, and what is charged for it. Two states side by side.

use crate::request::InvalidTransition;
use crate::words;

words! {
    /// What the resource does.
    pub enum ServiceState {
        /// In service.
        Running = "running",
        /// Switched off by its owner.
        Stopped = "stopped",
        /// The backend is working on it.
        Changing = "changing",
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
        /// Its term goes on.
        Renewed = "renewed",
        /// The month price of a renewed term begins to hold.
        Repriced = "repriced",
        /// Release was asked for and approved.
        ReleaseStarted = "release_started",
        /// Given back; charging ends.
        Released = "released",
        /// Restarted by its owner.
        Restarted = "restarted",
        /// A snapshot was taken of it.
        SnapshotTaken = "snapshot_taken",
        /// A snapshot of it was deleted.
        SnapshotDeleted = "snapshot_deleted",
        /// A new disk was made out of a snapshot of it.
        SnapshotRestored = "snapshot_restored",
        /// Attached to a host; on the host: something was attached to it.
        Attached = "attached",
        /// Taken off its host; on the host: something was taken off it.
        Detached = "detached",
        /// Lost in the cloud and built anew; what it held is gone.
        Restored = "restored",
        /// Lost in the cloud and written off; its release follows.
        WrittenOff = "written_off",
        /// It stood in the cloud already and became the portal's (纳管).
        TakenIn = "taken_in",
        /// Taking it in was undone: it goes on in the cloud, and nothing was ever charged for it.
        TakenOut = "taken_out",
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
                | Self::Attached
                | Self::Detached
                | Self::Restored
                | Self::WrittenOff
                | Self::TakenIn
                | Self::TakenOut
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
            (Self::Unconfirmed | Self::Trial | Self::Billing, EventKind::Released) => {
                Ok(Self::Stopped)
            }
            (state, EventKind::Started | EventKind::Stopped | EventKind::ReleaseStarted) => {
                Ok(state)
            }
            (state, EventKind::Resized | EventKind::Extended) => Ok(state),
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
            (Self::Running | Self::Stopped | Self::Changing, EventKind::Released) => {
                Ok(Self::Released)
            }
            (
                Self::Running | Self::Stopped,
                EventKind::TrialStarted
                | EventKind::BillingStarted
                | EventKind::Resized
                | EventKind::Extended
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
}
