//! Work that is done after the commit that asked for it.
//!
//! A job is enqueued in the caller's transaction, so it exists exactly if the change does. A worker
//! claims it: the claim is a **lease** with a **fencing token** that grows with each claim. Every
//! transaction of the worker begins with [`Run::begin`], which checks the token and locks the job's
//! row; a worker that slept past its lease gets [`Conflict::LeaseLost`] and can commit nothing.
//!
//! ```ignore
//! #[derive(Serialize, Deserialize)]
//! struct Remind { request: RequestId }
//! impl Job for Remind {
//!     const KIND: &'static str = "remind";
//!     fn dedup_key(&self) -> Option<String> { Some(self.request.to_string()) }
//! }
//!
//! struct Reminder;
//! #[async_trait]
//! impl Handler<Remind> for Reminder {
//!     async fn run(&self, run: &Run, job: Remind) -> Result<(), JobError> {
//!         let mut tx = run.begin().await?;        // fenced
//!         notices::add(&mut tx, …).await?;
//!         run.complete(&mut tx).await?;           // the work and its end in one commit
//!         tx.commit().await?;
//!         Ok(())
//!     }
//! }
//!
//! jobs::enqueue(&mut tx, cx, &Remind { request }).await?;       // in a service
//! let registry = Registry::new().handle(Reminder);                 // in the wiring
//! ```
//!
//! Things to note:
//! - A handler may run more than once (a crash after the commit but before `complete` in a
//!   transaction of its own): complete in the work's own transaction, as above, or be idempotent.
//! - `Ok(())` without `complete` is completed by the worker.
//! - Waiting ([`JobError::wait`], [`JobError::wait_for_signal`]) holds no lease and spends no
//!   attempt. [`enqueue`] of a living key is the signal: it wakes a waiting job and makes a running
//!   one run once more, so that after a commit there is always a run that sees it.
//! - [`JobError::retry`] backs off with jitter; the last attempt leaves the job *stuck*, for an
//!   operator to [`retry`] or [`discard`]. [`JobError::fail`] is stuck at once.
//! - A database without room is nobody's failure: the job is tried again twice a minute, for as long as
//!   it takes, and spends no attempt ([`JobError::NoRoom`]).
//! - A job of a kind that this program does not know is left for a copy that does.
//! - Leases compare the clocks of the copies: keep them within a few seconds (NTP).
mod registry;
mod worker;

#[cfg(test)]
mod tests;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use lingbao_model::{id::JobId, time::Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

pub use registry::{Handler, Registry};
pub(crate) use worker::backoff;
pub use worker::{Worker, run_until_idle};

pub use crate::storage::job::{JobCount, JobFilter, JobRow};
use crate::{
    app::{Actor, App, Cx},
    error::{Conflict, ServiceError, StorageError},
    storage::{
        ReadTx, Tx,
        job::{self as rows, ClaimRow, NewJob},
    },
};

/// How long a claim holds without a heartbeat.
pub const LEASE_MS: i64 = 30_000;

/// The parameters of a kind of job.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind's name in the table; never changes.
    const KIND: &'static str;
    /// At so many failures it is stuck.
    const MAX_ATTEMPTS: i64 = 10;

    /// At most one living job of the kind has this key; `None` allows any number.
    fn dedup_key(&self) -> Option<String> {
        None
    }
}

/// What [`enqueue`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// A new job.
    New(JobId),
    /// There was a living one of the same key, which has been told.
    Joined,
}

fn encode<J: Job>(job: &J) -> Result<String, StorageError> {
    serde_json::to_string(job)
        .map_err(|error| StorageError::inconsistent("job", "payload", J::KIND, error))
}

/// Asks for a job as soon as the transaction is committed.
///
/// # Errors
/// Those of the database.
pub async fn enqueue<J: Job>(tx: &mut Tx, cx: &Cx, job: &J) -> Result<Enqueued, StorageError> {
    enqueue_at(tx, cx, job, cx.now()).await
}

/// Asks for a job at a moment.
///
/// # Errors
/// Those of the database.
pub async fn enqueue_at<J: Job>(
    tx: &mut Tx,
    cx: &Cx,
    job: &J,
    run_at: Timestamp,
) -> Result<Enqueued, StorageError> {
    let payload = encode(job)?;
    let dedup_key = job.dedup_key();
    tx.wake_after_commit(&cx.app.job_bell);
    // The living job of the key may end between the two statements (PostgreSQL); then the key is
    // free, and the next round inserts.
    for _ in 0..8 {
        let new = NewJob {
            id: cx.id(),
            kind: J::KIND,
            payload: payload.clone(),
            max_attempts: J::MAX_ATTEMPTS,
            run_at,
            dedup_key: dedup_key.clone(),
            period: None,
            request_id: cx.request_id.as_deref(),
            actor: cx.actor.as_str(),
            now: cx.now(),
        };
        if rows::insert(tx, &new).await? {
            return Ok(Enqueued::New(new.id));
        }
        if let Some(key) = &dedup_key
            && rows::signal(tx, J::KIND, key, run_at).await?
        {
            return Ok(Enqueued::Joined);
        }
    }
    Err(StorageError::Conflict(Conflict::Unique))
}

/// Asks for the one job that stands for a period. Says whether it was the first to. While an older one
/// of the same key lives there is none for this period: what takes longer than its period does not
/// pile up.
///
/// # Errors
/// Those of the database.
pub async fn enqueue_period<J: Job>(
    tx: &mut Tx,
    cx: &Cx,
    job: &J,
    period: &str,
) -> Result<bool, StorageError> {
    tx.wake_after_commit(&cx.app.job_bell);
    rows::insert(
        tx,
        &NewJob {
            id: cx.id(),
            kind: J::KIND,
            payload: encode(job)?,
            max_attempts: J::MAX_ATTEMPTS,
            run_at: cx.now(),
            dedup_key: job.dedup_key(),
            period: Some(period.to_owned()),
            request_id: cx.request_id.as_deref(),
            actor: cx.actor.as_str(),
            now: cx.now(),
        },
    )
    .await
}

/// An operator's retry of a stuck job: attempts begin anew. Authorize and audit before.
///
/// # Errors
/// [`Conflict::Version`] when the job is not stuck any more, or a younger one of its key lives.
pub async fn retry(tx: &mut Tx, cx: &Cx, id: &JobId) -> Result<(), StorageError> {
    tx.wake_after_commit(&cx.app.job_bell);
    let done = rows::retry(tx, id, cx.now()).await?;
    StorageError::expect_version(u64::from(done), "job", id.as_str())
}

/// An operator's discard of a job that does not run. Authorize and audit before.
///
/// # Errors
/// [`Conflict::Version`] when the job runs or has ended.
pub async fn discard(tx: &mut Tx, cx: &Cx, id: &JobId) -> Result<(), StorageError> {
    let done = rows::discard(tx, id, cx.now()).await?;
    StorageError::expect_version(u64::from(done), "job", id.as_str())
}

/// Jobs, youngest first.
///
/// # Errors
/// Those of the database.
pub async fn list(rx: &mut ReadTx, filter: &JobFilter) -> Result<Vec<JobRow>, StorageError> {
    rows::list(rx, filter).await
}

/// One job.
///
/// # Errors
/// Those of the database.
pub async fn get(rx: &mut ReadTx, id: &JobId) -> Result<Option<JobRow>, StorageError> {
    rows::get(rx, id).await
}

/// Publishes depth and age of the queue by kind and status, and how many passwords are at the hasher.
///
/// # Errors
/// Those of the database.
pub async fn publish_metrics(app: &App) -> Result<Vec<JobCount>, StorageError> {
    let mut rx = app.db.read().await?;
    let counts = rows::counts(&mut rx).await?;
    let now = app.clock.now().millis();
    for one in &counts {
        let labels = [("kind", one.kind.clone()), ("status", one.status.clone())];
        // Far below 2^52 both; a gauge is a float.
        metrics::gauge!("lingbao_jobs", &labels).set(one.count as f64);
        let age_ms = if one.status == "ready" {
            (now - one.oldest).max(0)
        } else {
            0
        };
        metrics::gauge!("lingbao_job_age_ms", &labels).set(age_ms as f64);
    }
    metrics::gauge!("lingbao_passwords_at_work").set(app.passwords.at_work() as f64);
    Ok(counts)
}

/// Checks that a claim still holds and keeps it until the commit; prolongs the lease. Every
/// transaction of a worker must call this first; [`Run::begin`] does.
///
/// # Errors
/// [`Conflict::LeaseLost`].
pub async fn fence(tx: &mut Tx, claim: &Claim) -> Result<(), StorageError> {
    let now = claim.app.clock.now();
    let until = now.plus_millis(LEASE_MS);
    claim.held(rows::fence(tx, &claim.row.id, claim.row.fence, now, until).await?)
}

/// A job in a worker's hands.
#[derive(Debug, Clone)]
pub struct Claim {
    app: Arc<App>,
    row: ClaimRow,
}

impl Claim {
    /// The job.
    #[must_use]
    pub fn job(&self) -> &JobId {
        &self.row.id
    }

    /// Failures so far.
    #[must_use]
    pub fn attempt(&self) -> i64 {
        self.row.attempt
    }

    fn held(&self, held: bool) -> Result<(), StorageError> {
        if held {
            Ok(())
        } else {
            Err(StorageError::Conflict(Conflict::LeaseLost {
                job: self.row.id.to_string(),
            }))
        }
    }
}

/// What a handler is given: the claim and the surroundings.
#[derive(Debug)]
pub struct Run {
    claim: Claim,
    settled: AtomicBool,
}

impl Run {
    fn new(claim: Claim) -> Self {
        Self {
            claim,
            settled: AtomicBool::new(false),
        }
    }

    /// The claim.
    #[must_use]
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// What the process shares.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.claim.app
    }

    /// The surroundings at this moment: the program itself acts, on behalf of the HTTP request that
    /// asked for the job.
    #[must_use]
    pub fn cx(&self) -> Cx {
        let mut cx = Cx::new(self.claim.app.clone(), Actor::System);
        cx.request_id.clone_from(&self.claim.row.request_id);
        cx
    }

    /// Begins a transaction that can only commit while the lease is held.
    ///
    /// # Errors
    /// [`Conflict::LeaseLost`], or those of the database.
    pub async fn begin(&self) -> Result<Tx, StorageError> {
        let mut tx = self.claim.app.db.begin().await?;
        fence(&mut tx, &self.claim).await?;
        Ok(tx)
    }

    /// Marks the job as done in the handler's own transaction.
    ///
    /// # Errors
    /// [`Conflict::LeaseLost`], or those of the database.
    pub async fn complete(&self, tx: &mut Tx) -> Result<(), StorageError> {
        let Claim { app, row } = &self.claim;
        self.claim
            .held(rows::complete(tx, &row.id, row.fence, app.clock.now()).await?)?;
        self.settled.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Lets the job wait, in the handler's own transaction: until a moment, or (`None`) for a
    /// signal.
    ///
    /// # Errors
    /// [`Conflict::LeaseLost`], or those of the database.
    pub async fn park(
        &self,
        tx: &mut Tx,
        until: Option<Timestamp>,
        why: &str,
    ) -> Result<(), StorageError> {
        let Claim { app, row } = &self.claim;
        let now = app.clock.now();
        self.claim
            .held(rows::park(tx, &row.id, row.fence, until, why, now).await?)?;
        self.settled.store(true, Ordering::SeqCst);
        Ok(())
    }
}

/// How a run ended that did not end well.
#[derive(Debug, Error)]
pub enum JobError {
    /// Try again after a while; counts as an attempt.
    #[error("{0}")]
    Retry(String),
    /// Trying again would not help: stuck.
    #[error("{0}")]
    Fail(String),
    /// Nothing is wrong, it is only too early; counts as nothing.
    #[error("waits: {why}")]
    Wait {
        /// Not before; `None` waits for a signal.
        until: Option<Timestamp>,
        /// For what, in the operator's words.
        why: String,
    },
    /// The database has no room for what it did; counts as nothing, and is tried again.
    #[error("the database is full")]
    NoRoom,
    /// Another worker has the job.
    #[error("the lease is lost")]
    LeaseLost,
}

impl JobError {
    /// Try again after a while.
    pub fn retry(error: impl ToString) -> Self {
        Self::Retry(error.to_string())
    }

    /// Trying again would not help.
    pub fn fail(error: impl ToString) -> Self {
        Self::Fail(error.to_string())
    }

    /// Not before a moment.
    pub fn wait(until: Timestamp, why: impl Into<String>) -> Self {
        Self::Wait {
            until: Some(until),
            why: why.into(),
        }
    }

    /// Not before [`enqueue`] of the same key.
    pub fn wait_for_signal(why: impl Into<String>) -> Self {
        Self::Wait {
            until: None,
            why: why.into(),
        }
    }
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

impl From<StorageError> for JobError {
    fn from(error: StorageError) -> Self {
        match &error {
            StorageError::Conflict(Conflict::LeaseLost { .. }) => Self::LeaseLost,
            StorageError::Full(_) => Self::NoRoom,
            _ => Self::Retry(chain(&error)),
        }
    }
}

impl From<ServiceError> for JobError {
    fn from(error: ServiceError) -> Self {
        match &error {
            ServiceError::Internal { .. }
            | ServiceError::Unavailable { .. }
            | ServiceError::Conflict(_)
            | ServiceError::TooMany { .. } => Self::Retry(chain(&error)),
            ServiceError::Unauthenticated
            | ServiceError::NotFound
            | ServiceError::Forbidden
            | ServiceError::Invalid(_)
            | ServiceError::QuotaExceeded(_) => Self::Fail(chain(&error)),
        }
    }
}
