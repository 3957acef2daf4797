//! From an approved request to running things, and from running things back to nothing.
//!
//! ```text
//! approved ─▶ plan: one `fulfilment` row a piece, groups (model::fulfilment::groups)
//!            ─▶ job `fulfil.request`: starts a saga for each group that is ready
//!                 saga `build`: project, network, then a step or two a piece
//!                   done   ─▶ resource rows, hold → used, pieces delivered, groups that waited begin
//!                   undone ─▶ pieces failed, hold given back, what waited for them is called off
//!                   residue─▶ as undone, but the hold stays until an operator has cleaned up
//!            ─▶ last piece settled: the request is delivered (or closed, if nothing was)
//! ```
//!
//! Everything that changes our own rows happens in [`Saga::ended`](crate::saga::Saga::ended), in
//! the transaction that ends the saga: there is no moment at which a machine is delivered and its
//! quota is not used. The steps themselves only talk to backends, under operation ids that were in
//! the database before the first call. So a process may be killed at any moment: whoever goes on
//! finds the same operation ids, and a backend makes one thing for one id.
//!
//! Files: [`plan`] (what is to be built), [`build`] and [`step`] (building), [`power`] (start,
//! stop), [`acts`] and [`operate`] (restart, snapshots, attaching), [`access_rule`] (what may come in
//! to a host, and who), [`reinstall`] (its system anew), [`restore`] (a disk out of a snapshot, at
//! once or agreed to), [`change`] (another size, a longer term), [`expiry`] (the end of a term), [`release`] (giving back and erasing), [`recycle`] (into the
//! recycle bin), [`bin`] (out of it, either way), [`certificate`] (that it is erased), [`upkeep`]
//! (what comes round by itself), [`cloud_limit`] (the portal's limits, as the clouds keep them),
//! [`backup`] (backup plans of clouds without schedules), [`reconcile`] (what the clouds say, held
//! beside our rows).

pub mod access_rule;
pub mod acts;
pub mod backup;
pub mod bin;
pub mod build;
pub mod certificate;
pub mod change;
pub mod cloud_limit;
pub mod expiry;
pub mod operate;
pub mod pieces;
pub mod plan;
pub mod power;
pub mod reconcile;
pub mod recycle;
pub mod reinstall;
pub mod release;
pub mod restore;
pub mod step;
pub mod upkeep;

#[cfg(test)]
mod access_rule_tests;
#[cfg(test)]
mod backup_tests;
#[cfg(test)]
mod bin_tests;
#[cfg(test)]
mod build_tests;
#[cfg(test)]
mod cloud_limit_tests;
#[cfg(test)]
mod day_two_tests;
#[cfg(test)]
mod exhausted_tests;
#[cfg(test)]
mod reinstall_tests;
#[cfg(test)]
mod restore_tests;
#[cfg(test)]
mod room_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk_tests;

use std::sync::Arc;

use lingbao_backends::Backends;

use crate::{jobs, saga};

/// Adds everything of this module to a program's jobs and sagas.
#[must_use]
pub fn wire(jobs: jobs::Registry, backends: &Arc<Backends>) -> jobs::Registry {
    let sagas = saga::Registry::new()
        .with(build::Build::new(backends.clone()))
        .with(power::Power::new(backends.clone()))
        .with(operate::Operate::new(backends.clone()))
        .with(restore::Restore::new(backends.clone()))
        .with(release::Release::new(backends.clone()))
        .with(recycle::Recycle::new(backends.clone()))
        .with(change::Change::new(backends.clone()))
        .with(reconcile::mend::Mend::new(backends.clone()))
        .with(reconcile::remove::Remove::new(backends.clone()))
        .with(reconcile::relay::Relay::new(backends.clone()));
    let jobs = saga::wire(jobs, Arc::new(sagas))
        .handle::<plan::FulfilRequest>(plan::Planner)
        .handle::<release::ReleaseRequest>(release::Releaser);
    let jobs = bin::wire(expiry::wire(jobs));
    let jobs = cloud_limit::wire(upkeep::wire(jobs, backends), backends);
    let jobs = backup::wire(jobs, backends);
    reconcile::wire(jobs, backends)
}
