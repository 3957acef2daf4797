//! Takes in what hosts use, day by day, from a system that measures them (`lingbao_backends::usage`).
//!
//! ```text
//! every half hour (looked at each minute, so that a first start need not wait)
//!   AskUsage ─▶ TakeUsage, at most one at a time
//!     days   of the last ones that were not answered yet, the youngest first: each measure is asked for
//!            whole; only when all have answered is the day written, and marked when all of it is written
//!     sums   the last 30 days of each host in one row, and what they say (`lingbao_model::usage`)
//!     forget days older than the configuration keeps
//! ```
//!
//! A day may be asked for again at any time: what is said then stands in place of what was said before. A
//! round that was killed in the middle of a day finds it unmarked. A source that does not answer ends the
//! asking and not the round: sums move on with the calendar, so that old measurements don't stay for ever.
//! A day that is refused, or answered half, is left for the next round and the older ones are asked for.

#[cfg(any(test, feature = "test-support"))]
pub mod fake;
mod round;

#[cfg(test)]
mod tests;

pub(crate) use round::last_day;

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::usage::UsageSource;
use serde::{Deserialize, Serialize};

use crate::{
    jobs::{self, Handler, Job, JobError, Registry, Run},
    storage::usage,
};

const MINUTE_MS: i64 = 60_000;
/// Between two rounds.
const ROUND_MS: i64 = 30 * MINUTE_MS;

/// What measures the hosts, and how long that is kept.
#[derive(Debug, Clone)]
pub struct Metering {
    /// Whom to ask.
    pub source: Arc<dyn UsageSource>,
    /// So many days back are asked for.
    pub catch_up_days: i64,
    /// So many days are kept.
    pub keep_days: i64,
}

/// Asks for a round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AskUsage {}
impl Job for AskUsage {
    const KIND: &'static str = "usage.ask";
    const MAX_ATTEMPTS: i64 = 3;
}

/// One round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TakeUsage {}
impl Job for TakeUsage {
    const KIND: &'static str = "usage.take";
    const MAX_ATTEMPTS: i64 = 3;
    fn dedup_key(&self) -> Option<String> {
        Some("all".to_owned())
    }
}

/// Adds the handlers and their schedule. Without anything that measures they do nothing.
#[must_use]
pub fn wire(registry: Registry) -> Registry {
    registry
        .handle::<AskUsage>(Asker)
        .handle::<TakeUsage>(Taker)
        .every(MINUTE_MS, AskUsage {})
}

struct Asker;

#[async_trait]
impl Handler<AskUsage> for Asker {
    async fn run(&self, run: &Run, _: AskUsage) -> Result<(), JobError> {
        if run.app().usage.is_none() {
            return Ok(());
        }
        let mut tx = run.begin().await?;
        let last = usage::last(&mut tx).await?.round;
        if last.is_some_and(|(at, _)| run.cx().now().since(at) < ROUND_MS) {
            return Ok(());
        }
        jobs::enqueue(&mut tx, &run.cx(), &TakeUsage {}).await?;
        run.complete(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

struct Taker;

#[async_trait]
impl Handler<TakeUsage> for Taker {
    async fn run(&self, run: &Run, _: TakeUsage) -> Result<(), JobError> {
        if let Some(metering) = run.app().usage.clone() {
            round::round(run, &metering).await?;
        }
        Ok(())
    }
}
