//! The job that moves a saga on: forward, or backward, until a step must wait.
use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use lingbao_model::{
    id::{OperationRef, SagaId},
    msg::Msg,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    End, MAX_ATTEMPTS, Outcome, Registry, Silence, Step, StepCx, Undone, Verified, encode_msg,
    registry::{AnyEnded, AnySaga},
};
use crate::{
    error::StorageError,
    jobs::{Handler, Job, JobError, Run, backoff},
    storage::{
        Tx,
        saga::{self as rows, SagaRow, StepChange, StepRow},
    },
};

/// The job's parameters: which saga.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Advance {
    /// The saga.
    pub saga: SagaId,
}

impl Job for Advance {
    const KIND: &'static str = "saga.advance";
    const MAX_ATTEMPTS: i64 = 20;

    fn dedup_key(&self) -> Option<String> {
        Some(self.saga.to_string())
    }
}

/// Moves sagas on.
#[derive(Debug)]
pub struct Driver {
    registry: Arc<Registry>,
    /// After so many commits the driver behaves as if the process had died.
    #[cfg(any(test, feature = "test-support"))]
    pub(super) dies_after: Option<std::sync::atomic::AtomicI64>,
}

/// Whether the driver goes on or has settled the job.
enum Next {
    Go,
    Settled,
}

/// A saga in the driver's hands.
struct Loaded {
    id: SagaId,
    row: SagaRow,
    rows: Vec<StepRow>,
    saga: Arc<dyn AnySaga>,
    steps: Vec<Box<dyn Step>>,
}

impl Loaded {
    fn outputs(&self) -> BTreeMap<String, Value> {
        self.rows
            .iter()
            .filter_map(|step| {
                let value = serde_json::from_str(step.output.as_deref()?).ok()?;
                Some((step.name.clone(), value))
            })
            .collect()
    }

    fn step(&self, row: &StepRow) -> Result<&dyn Step, StorageError> {
        usize::try_from(row.position)
            .ok()
            .and_then(|at| self.steps.get(at))
            .map(AsRef::as_ref)
            .ok_or_else(|| {
                StorageError::inconsistent("saga_step", "position", self.id.as_str(), row.position)
            })
    }

    fn cx(&self, run: &Run, row: &StepRow, operation: OperationRef) -> StepCx {
        StepCx {
            cx: run.cx(),
            saga: self.id.clone(),
            operation,
            attempt: row.attempt,
            outputs: self.outputs(),
        }
    }

    fn operation(&self, row: &StepRow) -> Result<OperationRef, StorageError> {
        row.operation_id
            .clone()
            .and_then(|id| OperationRef::try_from(id).ok())
            .ok_or_else(|| {
                StorageError::inconsistent("operation", "id", self.id.as_str(), &row.name)
            })
    }
}

/// Until when a call may still show that got through and was not answered: one of this run, or one
/// before it.
fn unsure_until(row: &StepRow, step: &dyn Step, lost: bool, now: Timestamp) -> Option<Timestamp> {
    if lost {
        let settle_ms = step.outside().map_or(0, |it| it.settle_ms);
        return Some(now.plus_millis(settle_ms));
    }
    row.unsure_until.map(Timestamp::from_millis)
}

/// The outside has answered: what its silence has cost is given back. Refusals stay counted, or what
/// begins well and is refused at its end would be tried for ever.
fn forgive(change: &mut StepChange<'_>) {
    change.attempt -= change.silences;
    change.silences = 0;
}

impl Driver {
    /// A driver of these sagas.
    #[must_use]
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            #[cfg(any(test, feature = "test-support"))]
            dies_after: None,
        }
    }

    async fn commit(&self, tx: Tx) -> Result<(), JobError> {
        tx.commit().await?;
        #[cfg(any(test, feature = "test-support"))]
        if let Some(left) = &self.dies_after
            && left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) == 1
        {
            return Err(JobError::LeaseLost);
        }
        Ok(())
    }

    /// Loads a saga with its plan; writes the plan down if that has not been done.
    async fn load(&self, run: &Run, id: &SagaId) -> Result<Loaded, JobError> {
        let mut rx = run.app().db.read().await?;
        let row = rows::get(&mut rx, id)
            .await?
            .ok_or_else(|| JobError::fail(format!("there is no saga {id}")))?;
        let mut steps = rows::steps(&mut rx, id).await?;
        drop(rx);
        // What a younger copy has begun waits for one: while a new version is rolled out both are there.
        let until = run.cx().now().plus_millis(30_000);
        let saga = self.registry.get(&row.kind, row.version).ok_or_else(|| {
            let (kind, version) = (&row.kind, row.version);
            JobError::wait(
                until,
                format!("this copy of the program has no saga {kind} {version}"),
            )
        })?;
        let plan = saga.steps(&row.params).map_err(|error| {
            let kind = &row.kind;
            tracing::warn!(saga = %id, kind, %error, "this copy can't read the parameters of saga {kind}");
            JobError::wait(
                until,
                format!("this copy of the program can't read its parameters: {error}"),
            )
        })?;
        let names: Vec<String> = plan.iter().map(|step| step.name()).collect();
        if steps.is_empty() && !names.is_empty() {
            let mut tx = run.begin().await?;
            rows::plan(&mut tx, id, &names).await?;
            steps = rows::steps(&mut tx, id).await?;
            self.commit(tx).await?;
        }
        if !steps.iter().map(|step| &step.name).eq(&names) {
            return Err(JobError::fail(format!(
                "saga {} has other steps than it began with: its version must change",
                row.kind
            )));
        }
        Ok(Loaded {
            id: id.clone(),
            row,
            rows: steps,
            saga,
            steps: plan,
        })
    }

    async fn forward(&self, run: &Run, loaded: &Loaded) -> Result<Next, JobError> {
        let Some(row) = loaded.rows.iter().find(|row| row.state != "done") else {
            return self.end(run, loaded, "running", End::Done).await;
        };
        let step = loaded.step(row)?;
        let settle_ms = step.outside().map_or(0, |it| it.settle_ms);
        let operation;
        // In the middle of a call when the last claim ended, or the last answer was lost.
        let mut unsure = false;
        if row.state == "pending" {
            operation = run.cx().id();
            let now = run.cx().now();
            let mut tx = run.begin().await?;
            // Also locks the saga's row against a cancel that comes at this moment.
            if !rows::transit(&mut tx, &loaded.id, ("running", "running"), None, now).await? {
                return Ok(Next::Go);
            }
            rows::open_operation(&mut tx, &operation, &loaded.id, row.position, now).await?;
            let doing = StepChange {
                state: "doing",
                attempt: 0,
                silences: 0,
                wait_reason: None,
                // Should this claim end in the middle of the call.
                unsure_until: (settle_ms > 0).then(|| now.plus_millis(settle_ms).millis()),
                error: None,
                output: None,
            };
            rows::change_step(&mut tx, &loaded.id, row.position, &doing, now).await?;
            self.commit(tx).await?;
        } else {
            // A signal may have come before the time.
            let until = row.unsure_until.map(Timestamp::from_millis);
            if let Some(until) = until.filter(|until| *until > run.cx().now()) {
                let why = format!(
                    "{}: an answer was lost, what it began may still show",
                    row.name
                );
                let mut tx = run.begin().await?;
                run.park(&mut tx, Some(until), &why).await?;
                self.commit(tx).await?;
                return Ok(Next::Settled);
            }
            operation = loaded.operation(row)?;
            unsure = row.unsure_until.is_some() || row.wait_reason.is_none();
        }
        let cx = loaded.cx(run, row, operation);
        if let Some(outside) = step.outside()
            && let Some(silence) = super::outside::away(&cx, outside.name).await
        {
            let outcome = Outcome::Silent(silence);
            return self.record(run, loaded, row, step, &cx, outcome).await;
        }
        let verified = if unsure {
            step.verify(&cx).await
        } else {
            Verified::Absent
        };
        let outcome = match verified {
            Verified::Present(output) => Outcome::Done(output),
            Verified::Absent | Verified::Fallen => step.run(&cx).await,
            Verified::Wait { until, why } => Outcome::Silent(Silence {
                lost: false,
                away: Some(until),
                why,
            }),
            Verified::Unknown(why) => Outcome::Silent(Silence {
                lost: false,
                away: None,
                why,
            }),
        };
        self.record(run, loaded, row, step, &cx, outcome).await
    }

    /// Writes down what a step's `run` came to.
    async fn record(
        &self,
        run: &Run,
        loaded: &Loaded,
        row: &StepRow,
        step: &dyn Step,
        cx: &StepCx,
        outcome: Outcome,
    ) -> Result<Next, JobError> {
        let (id, position, now) = (&loaded.id, row.position, run.cx().now());
        let mut tx = run.begin().await?;
        let mut change = StepChange {
            state: "doing",
            attempt: row.attempt,
            silences: row.silences,
            wait_reason: None,
            unsure_until: None,
            error: None,
            output: None,
        };
        let next = match &outcome {
            Outcome::Done(output) => {
                step.save(&mut tx, cx, output).await?;
                rows::finish_operation(&mut tx, cx.operation.as_str()).await?;
                let output = output.to_string();
                let done = StepChange {
                    state: "done",
                    output: Some(&output),
                    ..change
                };
                rows::change_step(&mut tx, id, position, &done, now).await?;
                Next::Go
            }
            Outcome::Wait { until, why } => {
                forgive(&mut change);
                change.wait_reason = Some(why);
                rows::change_step(&mut tx, id, position, &change, now).await?;
                run.park(&mut tx, *until, why).await?;
                Next::Settled
            }
            Outcome::Silent(Silence {
                away: Some(until),
                lost,
                why,
            }) => {
                let unsure = unsure_until(row, step, *lost, now);
                change.wait_reason = Some(why);
                change.unsure_until = unsure.map(Timestamp::millis);
                rows::change_step(&mut tx, id, position, &change, now).await?;
                let until = unsure.map_or(*until, |unsure| unsure.max(*until));
                run.park(&mut tx, Some(until), why).await?;
                Next::Settled
            }
            Outcome::Retry(error) | Outcome::Silent(Silence { why: error, .. }) => {
                let lost = matches!(outcome, Outcome::Silent(Silence { lost: true, .. }));
                let silent = matches!(outcome, Outcome::Silent(_));
                let unsure = silent.then(|| unsure_until(row, step, lost, now)).flatten();
                change.unsure_until = unsure.map(Timestamp::millis);
                change.attempt += 1;
                change.silences += i64::from(silent);
                change.error = Some(error);
                // A saga that is being cancelled is not stuck: its undo decides.
                if change.attempt >= MAX_ATTEMPTS
                    && rows::transit(&mut tx, id, ("running", "stuck"), None, now).await?
                {
                    change.state = "stuck";
                    rows::change_step(&mut tx, id, position, &change, now).await?;
                    run.complete(&mut tx).await?;
                } else {
                    rows::change_step(&mut tx, id, position, &change, now).await?;
                    let again = backoff(run.app(), now, row.attempt);
                    let again = unsure.map_or(again, |unsure| unsure.max(again));
                    run.park(&mut tx, Some(again), &format!("{}: {error}", row.name))
                        .await?;
                }
                Next::Settled
            }
            Outcome::Fail(reason) => {
                let text = encode_msg(reason);
                rows::transit(&mut tx, id, ("running", "unwinding"), Some(&text), now).await?;
                change.error = Some(&text);
                rows::change_step(&mut tx, id, position, &change, now).await?;
                Next::Go
            }
        };
        self.commit(tx).await?;
        Ok(next)
    }

    async fn backward(&self, run: &Run, loaded: &Loaded) -> Result<Next, JobError> {
        let last = loaded
            .rows
            .iter()
            .rev()
            .find(|row| matches!(row.state.as_str(), "doing" | "done" | "undoing" | "stuck"));
        let Some(row) = last else {
            let left: Vec<String> = loaded
                .rows
                .iter()
                .filter(|row| row.state == "residue")
                .map(|row| row.name.clone())
                .collect();
            let end = if left.is_empty() {
                End::Undone
            } else {
                End::Residue(left)
            };
            return self.end(run, loaded, "unwinding", end).await;
        };
        let (id, position) = (&loaded.id, row.position);
        let step = loaded.step(row)?;
        let operation = loaded.operation(row)?;
        let (mut attempt, mut silences) = (row.attempt, row.silences);
        if row.state != "undoing" {
            (attempt, silences) = (0, 0);
            let now = run.cx().now();
            let mut tx = run.begin().await?;
            rows::bury_operation(&mut tx, operation.as_str(), now).await?;
            let undoing = StepChange {
                state: "undoing",
                attempt,
                silences,
                wait_reason: None,
                unsure_until: None,
                error: row.error.as_deref(),
                output: None,
            };
            rows::change_step(&mut tx, id, position, &undoing, now).await?;
            self.commit(tx).await?;
        }
        let cx = StepCx {
            attempt,
            ..loaded.cx(run, row, operation)
        };
        let undone = step.undo(&cx).await;
        let now = run.cx().now();
        let mut tx = run.begin().await?;
        let mut change = StepChange {
            state: "undoing",
            attempt,
            silences,
            wait_reason: None,
            unsure_until: None,
            error: row.error.as_deref(),
            output: None,
        };
        let mut next = Next::Go;
        match &undone {
            Undone::Done => {
                if row.output.is_some() {
                    step.unsave(&mut tx, &cx).await?;
                }
                change.state = "undone";
                rows::change_step(&mut tx, id, position, &change, now).await?;
            }
            Undone::Wait { until, why } => {
                forgive(&mut change);
                change.wait_reason = Some(why);
                rows::change_step(&mut tx, id, position, &change, now).await?;
                run.park(&mut tx, *until, why).await?;
                next = Next::Settled;
            }
            Undone::Silent(Silence {
                away: Some(until),
                why,
                ..
            }) => {
                change.wait_reason = Some(why);
                rows::change_step(&mut tx, id, position, &change, now).await?;
                run.park(&mut tx, Some(*until), why).await?;
                next = Next::Settled;
            }
            Undone::Retry(error) | Undone::Silent(Silence { why: error, .. })
                if attempt + 1 < MAX_ATTEMPTS =>
            {
                change.attempt += 1;
                change.silences += i64::from(matches!(undone, Undone::Silent(_)));
                change.error = Some(error);
                rows::change_step(&mut tx, id, position, &change, now).await?;
                let again = backoff(run.app(), now, attempt);
                run.park(&mut tx, Some(again), &format!("undo {}: {error}", row.name))
                    .await?;
                next = Next::Settled;
            }
            Undone::Retry(error)
            | Undone::Residue(error)
            | Undone::Silent(Silence { why: error, .. }) => {
                change.state = "residue";
                change.attempt += 1;
                change.error = Some(error);
                rows::change_step(&mut tx, id, position, &change, now).await?;
            }
        }
        self.commit(tx).await?;
        Ok(next)
    }

    /// Ends the saga, tells its definition and completes the job, in one transaction.
    async fn end(
        &self,
        run: &Run,
        loaded: &Loaded,
        from: &str,
        end: End,
    ) -> Result<Next, JobError> {
        let to = match &end {
            End::Done => "done",
            End::Undone => "undone",
            End::Residue(_) => "residue",
        };
        let cx = run.cx();
        let mut tx = run.begin().await?;
        if !rows::transit(&mut tx, &loaded.id, (from, to), None, cx.now()).await? {
            return Ok(Next::Go);
        }
        let reason: Option<Msg> = super::reason(&loaded.row);
        let ended = AnyEnded {
            saga: &loaded.id,
            subject: &loaded.row.subject,
            params: &loaded.row.params,
            end: &end,
            reason: reason.as_ref(),
            outputs: &loaded.outputs(),
        };
        loaded.saga.ended(&mut tx, &cx, ended).await?;
        run.complete(&mut tx).await?;
        self.commit(tx).await?;
        metrics::counter!("lingbao_sagas_ended", "kind" => loaded.row.kind.clone(), "end" => to)
            .increment(1);
        Ok(Next::Settled)
    }
}

#[async_trait]
impl Handler<Advance> for Driver {
    async fn run(&self, run: &Run, job: Advance) -> Result<(), JobError> {
        loop {
            let loaded = self.load(run, &job.saga).await?;
            let next = match loaded.row.state.as_str() {
                "running" => self.forward(run, &loaded).await?,
                "unwinding" => self.backward(run, &loaded).await?,
                // Ended, or stuck until an operator acts.
                _ => return Ok(()),
            };
            if let Next::Settled = next {
                return Ok(());
            }
        }
    }
}
