//! What the clouds say, held beside our rows.
//!
//! ```text
//! every five minutes, and at an operator's button
//!   CompareClouds ─▶ CompareCloud, one a backend, at most one of each at a time
//!     read     all rules of hosts, and every page of the list; our rows of a page in one query
//!     confirm  what looks different is read anew on both sides: our row, then the thing itself
//!     write    what still differs and whose row has not moved meanwhile
//!     close    what was not found again
//! ```
//!
//! Nothing is written before the whole list was read: a cloud that does not answer, or answers half,
//! makes no difference and closes none. What a saga of ours works on, or is about to, is left alone.
//!
//! Files: [`compare`] (one thing beside one row), [`round`] (one backend) with `nobodys` (what no row names),
//! `snapshots` and `networks`, [`begin`] and [`mend`] (making the cloud follow the portal), [`relay`] (the
//! same of a network), [`remove`] (deleting what no row names).

pub mod begin;
pub mod compare;
pub mod mend;
mod networks;
mod nobodys;
pub mod relay;
pub mod remove;
pub mod round;
mod snapshots;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::Backends;
use lingbao_model::{
    id::{ResourceId, UserId},
    view::difference::{Aspect, Closing, DifferenceKind, Said},
};
use serde::{Deserialize, Serialize};

use crate::{
    app::Cx,
    error::StorageError,
    jobs::{self, Handler, Job, JobError, Registry, Run},
    storage::{Tx, difference},
};

const MINUTE_MS: i64 = 60_000;

/// Asks for a round over each backend.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompareClouds {}
impl Job for CompareClouds {
    // The name of the job that looked for foreign things alone.
    const KIND: &'static str = "upkeep.foreign";
    const MAX_ATTEMPTS: i64 = 3;
    fn dedup_key(&self) -> Option<String> {
        Some("all".to_owned())
    }
}

/// One round over one backend.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompareCloud {
    /// Name of the backend.
    pub backend: String,
}
impl Job for CompareCloud {
    const KIND: &'static str = "upkeep.compare";
    const MAX_ATTEMPTS: i64 = 3;
    fn dedup_key(&self) -> Option<String> {
        Some(self.backend.clone())
    }
}

/// Adds the handlers and their schedule.
#[must_use]
pub fn wire(registry: Registry, backends: &Arc<Backends>) -> Registry {
    registry
        .handle::<CompareClouds>(Asker(backends.clone()))
        .handle::<CompareCloud>(Comparer(backends.clone()))
        .every(5 * MINUTE_MS, CompareClouds {})
}

struct Asker(Arc<Backends>);

#[async_trait]
impl Handler<CompareClouds> for Asker {
    async fn run(&self, run: &Run, _: CompareClouds) -> Result<(), JobError> {
        let mut tx = run.begin().await?;
        for (name, _) in self.0.iter() {
            let backend = name.to_owned();
            jobs::enqueue(&mut tx, &run.cx(), &CompareCloud { backend }).await?;
        }
        run.complete(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

struct Comparer(Arc<Backends>);

#[async_trait]
impl Handler<CompareCloud> for Comparer {
    async fn run(&self, run: &Run, job: CompareCloud) -> Result<(), JobError> {
        // A backend that the configuration has no more is not compared any more.
        if let Some(cloud) = self.0.get(&job.backend) {
            round::round(&round::Desk::Job(run), &job.backend, &**cloud).await?;
        }
        Ok(())
    }
}

/// A server was switched as the portal wanted: if nothing but that was different, it is settled.
///
/// # Errors
/// What the database says.
pub async fn switched(
    tx: &mut Tx,
    cx: &Cx,
    resource: &ResourceId,
    by: &UserId,
) -> Result<(), StorageError> {
    for row in difference::of_resource(tx, resource).await? {
        let differs = |said: &&Said| said.differs();
        let power = row
            .said
            .iter()
            .filter(differs)
            .all(|said| said.aspect == Aspect::Power);
        if row.kind == DifferenceKind::Changed && power {
            difference::close(tx, &row.id, Closing::Restored, Some(by), cx.now()).await?;
        }
    }
    Ok(())
}
