//! The loop that claims and runs.
use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use lingbao_model::time::Timestamp;
use tokio::{sync::Mutex, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{Claim, JobError, LEASE_MS, Registry, Run, fence};
use crate::{app::App, error::StorageError, storage::job as rows};

/// The first wait after a failure; doubles with each further one.
const BACKOFF_MS: i64 = 2_000;
/// The longest wait between two attempts.
const BACKOFF_MAX_MS: i64 = 600_000;
/// The shortest sleep of an idle worker.
const BREATH_MS: u64 = 20;
/// How long a job is left alone that the full database had no room for.
const NO_ROOM_MS: i64 = 30_000;
/// How long a job of an unknown kind is left to others.
const UNKNOWN_MS: i64 = 30_000;

/// Claims and runs jobs until it is told to stop.
#[derive(Debug, Clone)]
pub struct Worker {
    app: Arc<App>,
    registry: Arc<Registry>,
    name: String,
    concurrency: usize,
    grace: Duration,
    /// The last period that this process has asked for, by schedule.
    asked: Arc<Mutex<BTreeMap<usize, i64>>>,
}

impl Worker {
    /// A worker with four jobs at once and 20 s of grace. `name` tells the copies apart on the
    /// operator's page.
    #[must_use]
    pub fn new(app: Arc<App>, registry: Arc<Registry>, name: impl Into<String>) -> Self {
        Self {
            app,
            registry,
            name: name.into(),
            concurrency: 4,
            grace: Duration::from_secs(20),
            asked: Arc::default(),
        }
    }

    /// At most so many jobs at once.
    #[must_use]
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = jobs.max(1);
        self
    }

    /// How long a soft stop waits for running jobs before it gives them back.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Works until `stop` is cancelled; then takes nothing new, lets what runs finish within the
    /// grace, and gives back what does not.
    pub async fn run(self, stop: CancellationToken) {
        let hard = CancellationToken::new();
        let mut running = JoinSet::new();
        while !stop.is_cancelled() {
            if let Err(error) = self.housekeeping().await {
                tracing::warn!(error = %super::chain(&error), "the worker could not look after the queue");
            }
            // Whether there is a hand free for what comes due while it sleeps.
            let mut free = false;
            while running.len() < self.concurrency && !stop.is_cancelled() {
                match self.claim().await {
                    Ok(Some(claim)) => {
                        let worker = self.clone();
                        let hard = hard.clone();
                        running.spawn(async move { worker.execute(claim, &hard).await });
                    }
                    Ok(None) => {
                        free = true;
                        break;
                    }
                    Err(error) => {
                        tracing::warn!(error = %super::chain(&error), "the worker could not claim a job");
                        break;
                    }
                }
            }
            let pause = self.pause(free).await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.app.job_bell.notified() => {}
                Some(_) = running.join_next(), if !running.is_empty() => {}
                () = sleep(pause) => {}
            }
        }
        let finished = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(self.grace, finished).await.is_err() {
            hard.cancel();
            while running.join_next().await.is_some() {}
        }
    }

    /// How long to sleep: about a second, or until the next job that this process knows of is due.
    async fn pause(&self, free: bool) -> Duration {
        let longest = 900 + self.app.random.below(200);
        let mut pause = longest;
        if free && let Ok(mut rx) = self.app.db.read().await {
            let now = self.app.clock.now();
            let until = now.plus_millis(i64::try_from(longest).unwrap_or(i64::MAX));
            if let Ok(Some(at)) = rows::next_due(&mut rx, until).await {
                // Never without a breath: another copy may hold what is due already.
                let left = at.millis().saturating_sub(now.millis());
                pause = u64::try_from(left).unwrap_or(0).clamp(BREATH_MS, longest);
            }
        }
        Duration::from_millis(pause)
    }

    /// Takes jobs from workers that are gone, and asks for what comes round.
    pub(super) async fn housekeeping(&self) -> Result<(), StorageError> {
        let now = self.app.clock.now();
        for (index, schedule) in self.registry.schedules.iter().enumerate() {
            let period = now.millis().div_euclid(schedule.every_ms());
            if self.asked.lock().await.get(&index) == Some(&period) {
                continue;
            }
            let mut tx = self.app.db.begin().await?;
            schedule
                .enqueue(&mut tx, &self.app.system(), &period.to_string())
                .await?;
            tx.commit().await?;
            self.asked.lock().await.insert(index, period);
        }
        let mut rx = self.app.db.read().await?;
        if !rows::anything_due(&mut rx, now).await? {
            return Ok(());
        }
        drop(rx);
        let mut tx = self.app.db.begin().await?;
        let released = rows::release_expired(&mut tx, now).await?;
        tx.commit().await?;
        if released > 0 {
            metrics::counter!("lingbao_job_leases_expired").increment(released);
            tracing::warn!(
                released,
                "took {released} jobs from workers that let their lease run out"
            );
        }
        Ok(())
    }

    pub(super) async fn claim(&self) -> Result<Option<Claim>, StorageError> {
        let now = self.app.clock.now();
        let mut rx = self.app.db.read().await?;
        if !rows::anything_due(&mut rx, now).await? {
            return Ok(None);
        }
        drop(rx);
        let mut tx = self.app.db.begin().await?;
        let row = rows::claim(&mut tx, &self.name, now, now.plus_millis(LEASE_MS)).await?;
        tx.commit().await?;
        Ok(row.map(|row| Claim {
            app: self.app.clone(),
            row,
        }))
    }

    /// Runs one claimed job to its end, with a heartbeat beside it.
    async fn execute(&self, claim: Claim, hard: &CancellationToken) {
        let job = claim.row.id.clone();
        let kind = claim.row.kind.clone();
        let run = Run::new(claim);
        let ended = tokio::select! {
            ended = self.handle(&run) => Ended::Of(ended),
            () = self.heartbeat(&run.claim) => Ended::Of(Err(JobError::LeaseLost)),
            () = hard.cancelled() => Ended::Released,
        };
        let outcome = match &ended {
            Ended::Released => "released",
            Ended::Of(Ok(())) => "done",
            Ended::Of(Err(JobError::Wait { .. })) => "waiting",
            Ended::Of(Err(JobError::NoRoom)) => "no_room",
            Ended::Of(Err(JobError::Retry(_))) => "retry",
            Ended::Of(Err(JobError::Fail(_))) => "failed",
            Ended::Of(Err(JobError::LeaseLost)) => "lost",
        };
        metrics::counter!("lingbao_job_runs", "kind" => kind.clone(), "outcome" => outcome)
            .increment(1);
        if let Ended::Of(Err(
            error @ (JobError::Retry(_)
            | JobError::Fail(_)
            | JobError::NoRoom
            | JobError::LeaseLost),
        )) = &ended
        {
            tracing::warn!(%job, kind, error = %error, request_id = run.claim.row.request_id, "job {kind} did not finish: {error}");
        }
        if let Err(error) = self.settle(&run, ended).await {
            // Not lost: the lease runs out and another claim begins where this one stood.
            tracing::warn!(%job, kind, error = %super::chain(&error), "the end of job {kind} could not be written");
        }
    }

    async fn handle(&self, run: &Run) -> Result<(), JobError> {
        let Some(handler) = self.registry.handler(&run.claim.row.kind) else {
            let until = self.app.clock.now().plus_millis(UNKNOWN_MS);
            return Err(JobError::wait(
                until,
                "no handler of this kind in this copy of the program",
            ));
        };
        AssertUnwindSafe(handler.run(run, &run.claim.row.payload))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| {
                let text = panic
                    .downcast_ref::<&str>()
                    .map(|text| (*text).to_owned())
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                Err(JobError::retry(format!("panicked: {text}")))
            })
    }

    /// Prolongs the lease three times in its length; returns when it is lost.
    async fn heartbeat(&self, claim: &Claim) {
        loop {
            sleep(Duration::from_millis(LEASE_MS.unsigned_abs() / 3)).await;
            let beat = async {
                let mut tx = self.app.db.begin().await?;
                fence(&mut tx, claim).await?;
                tx.commit().await
            };
            match beat.await {
                Ok(()) => {}
                Err(StorageError::Conflict(_)) => return,
                // The database may be back before the lease is over.
                Err(error) => tracing::warn!(error = %super::chain(&error), "a heartbeat failed"),
            }
        }
    }

    async fn settle(&self, run: &Run, ended: Ended) -> Result<(), StorageError> {
        let settled = run.settled.load(std::sync::atomic::Ordering::SeqCst);
        if matches!(ended, Ended::Of(Err(JobError::LeaseLost)))
            || (settled && matches!(ended, Ended::Of(Ok(()))))
        {
            return Ok(());
        }
        let row = &run.claim.row;
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        // No complaint when nothing is met: then the lease is lost, and the other worker decides.
        match ended {
            Ended::Of(Ok(())) => rows::complete(&mut tx, &row.id, row.fence, now).await?,
            Ended::Of(Err(JobError::Wait { until, why })) => {
                rows::park(&mut tx, &row.id, row.fence, until, &why, now).await?
            }
            Ended::Of(Err(error @ JobError::NoRoom)) => {
                let (until, why) = (now.plus_millis(NO_ROOM_MS), error.to_string());
                rows::park(&mut tx, &row.id, row.fence, Some(until), &why, now).await?
            }
            Ended::Of(Err(JobError::Retry(error))) => {
                let again = backoff(&self.app, now, row.attempt);
                rows::failed(&mut tx, &row.id, row.fence, &error, Some(again)).await?
            }
            Ended::Of(Err(JobError::Fail(error))) => {
                rows::failed(&mut tx, &row.id, row.fence, &error, None).await?
            }
            Ended::Of(Err(JobError::LeaseLost)) => false,
            Ended::Released => rows::release(&mut tx, &row.id, row.fence, now).await?,
        };
        tx.commit().await
    }
}

enum Ended {
    Of(Result<(), JobError>),
    Released,
}

/// When to try again after `failures` failures: doubling, with a quarter of jitter, so that what
/// failed together does not come back together.
pub(crate) fn backoff(app: &App, now: Timestamp, failures: i64) -> Timestamp {
    let doublings = u32::try_from(failures.clamp(0, 16)).unwrap_or(16);
    let wait = BACKOFF_MS
        .saturating_mul(1 << doublings)
        .min(BACKOFF_MAX_MS);
    let jitter = app.random.below(wait.unsigned_abs() / 4);
    now.plus_millis(wait)
        .plus_millis(i64::try_from(jitter).unwrap_or(0))
}

/// Runs whatever is due at the clock's present, one job after the other, and what that makes due,
/// until nothing is. For tests and the first start; returns how many claims it took.
///
/// # Errors
/// Those of the database.
pub async fn run_until_idle(app: &Arc<App>, registry: &Arc<Registry>) -> Result<u64, StorageError> {
    let worker = Worker::new(app.clone(), registry.clone(), "until-idle");
    let never = CancellationToken::new();
    let mut claims = 0;
    loop {
        worker.housekeeping().await?;
        let Some(claim) = worker.claim().await? else {
            return Ok(claims);
        };
        worker.execute(claim, &never).await;
        claims += 1;
    }
}
