//! Which handler runs which kind, and what comes round by itself.
use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;

use super::{Job, JobError, Run, enqueue_period};
use crate::{app::Cx, error::StorageError, storage::Tx};

/// Runs the jobs of one kind.
#[async_trait]
pub trait Handler<J: Job>: Send + Sync + 'static {
    /// Does the work; see the [module](crate::jobs) for what to keep in mind.
    async fn run(&self, run: &Run, job: J) -> Result<(), JobError>;
}

/// A handler whose kind is known only by name.
#[async_trait]
pub(super) trait AnyHandler: Send + Sync {
    async fn run(&self, run: &Run, payload: &str) -> Result<(), JobError>;
}

struct Typed<J, H>(H, std::marker::PhantomData<fn(J)>);

#[async_trait]
impl<J: Job, H: Handler<J>> AnyHandler for Typed<J, H> {
    async fn run(&self, run: &Run, payload: &str) -> Result<(), JobError> {
        let job = serde_json::from_str(payload)
            .map_err(|error| JobError::fail(format!("the payload does not decode: {error}")))?;
        self.0.run(run, job).await
    }
}

/// A job that comes round.
#[async_trait]
pub(super) trait Schedule: Send + Sync {
    fn every_ms(&self) -> i64;
    async fn enqueue(&self, tx: &mut Tx, cx: &Cx, period: &str) -> Result<bool, StorageError>;
}

struct Every<J> {
    every_ms: i64,
    job: J,
}

#[async_trait]
impl<J: Job> Schedule for Every<J> {
    fn every_ms(&self) -> i64 {
        self.every_ms
    }

    async fn enqueue(&self, tx: &mut Tx, cx: &Cx, period: &str) -> Result<bool, StorageError> {
        enqueue_period(tx, cx, &self.job, period).await
    }
}

/// The handlers and schedules of a program. Built once, in the wiring.
#[derive(Clone, Default)]
pub struct Registry {
    handlers: BTreeMap<&'static str, Arc<dyn AnyHandler>>,
    pub(super) schedules: Vec<Arc<dyn Schedule>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.handlers.keys()).finish()
    }
}

impl Registry {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a handler for the jobs `J`.
    #[must_use]
    pub fn handle<J: Job>(mut self, handler: impl Handler<J>) -> Self {
        let typed = Typed(handler, std::marker::PhantomData);
        self.handlers.insert(J::KIND, Arc::new(typed));
        self
    }

    /// With `job` once in every `every_ms` milliseconds, whatever the number of workers. Periods
    /// are counted from 1970, so every copy names them alike. A job that may take longer than its
    /// period needs a [`Job::dedup_key`].
    #[must_use]
    pub fn every<J: Job>(mut self, every_ms: i64, job: J) -> Self {
        self.schedules.push(Arc::new(Every {
            every_ms: every_ms.max(1),
            job,
        }));
        self
    }

    /// The kinds that have a handler.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.handlers.keys().copied()
    }

    pub(super) fn handler(&self, kind: &str) -> Option<Arc<dyn AnyHandler>> {
        self.handlers.get(kind).cloned()
    }
}
