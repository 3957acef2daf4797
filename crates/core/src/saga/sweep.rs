//! Removes what a lost or late answer created after its operation was undone.
use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use lingbao_model::id::{OperationRef, SagaId};
use serde::{Deserialize, Serialize};

use super::{Registry, StepCx, Undone, Verified, outside};
use crate::{
    error::StorageError,
    jobs::{Handler, Job, JobError, Run},
    storage::saga::{self as rows, TombstoneRow},
};

/// How long an undone operation is watched: a day.
pub const SWEEP_MS: i64 = 86_400_000;
/// How many tombstones are read at once.
const PAGE: i64 = 100;

/// The periodic job. It takes no parameters: it looks at every tombstone.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sweep {}

impl Job for Sweep {
    const KIND: &'static str = "saga.sweep";
    fn dedup_key(&self) -> Option<String> {
        Some("all".to_owned())
    }
}

/// Sweeps.
#[derive(Debug)]
pub struct Sweeper {
    registry: Arc<Registry>,
}

impl Sweeper {
    /// A sweeper of these sagas.
    #[must_use]
    pub fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    /// Looks at one tombstone; says whether something was swept away. Who is `silent` is asked no more:
    /// each further tombstone would wait for a time-out of its own.
    async fn look(
        &self,
        run: &Run,
        stone: &TombstoneRow,
        silent: &mut BTreeSet<String>,
    ) -> Result<bool, StorageError> {
        let bad = |column| StorageError::inconsistent("operation", column, &stone.id, "not an id");
        let id = SagaId::try_from(stone.saga_id.clone()).map_err(|_| bad("saga_id"))?;
        let operation = OperationRef::try_from(stone.id.clone()).map_err(|_| bad("id"))?;
        let mut rx = run.app().db.read().await?;
        let row = rows::get(&mut rx, &id).await?;
        let step_rows = rows::steps(&mut rx, &id).await?;
        drop(rx);
        // A copy with the right version will see it: a tombstone stands for a day.
        let Some(row) = row else { return Ok(false) };
        let Some(saga) = self.registry.get(&row.kind, row.version) else {
            return Ok(false);
        };
        let steps = saga
            .steps(&row.params)
            .map_err(|error| StorageError::inconsistent("saga", "params", id.as_str(), error))?;
        let Some(step) = usize::try_from(stone.position)
            .ok()
            .and_then(|at| steps.get(at))
        else {
            return Ok(false);
        };
        let outputs = step_rows
            .iter()
            .filter_map(|row| {
                Some((
                    row.name.clone(),
                    serde_json::from_str(row.output.as_deref()?).ok()?,
                ))
            })
            .collect();
        let cx = StepCx {
            cx: run.cx(),
            saga: id,
            operation,
            attempt: 0,
            outputs,
        };
        let whom = step.outside().map(|it| it.name.to_owned());
        if let Some(name) = &whom {
            if silent.contains(name) {
                return Ok(false);
            }
            if outside::away(&cx, name).await.is_some() {
                silent.insert(name.clone());
                return Ok(false);
            }
        }
        match step.verify(&cx).await {
            Verified::Present(_) | Verified::Fallen => {}
            Verified::Absent => return Ok(false),
            Verified::Wait { .. } | Verified::Unknown(_) => {
                silent.extend(whom);
                return Ok(false);
            }
        }
        tracing::warn!(operation = %cx.operation, saga = %cx.saga, step = step.name(),
            "operation {} was undone and appeared all the same: sweeping it away", cx.operation);
        // What does not go at once is met again by the next sweep.
        Ok(step.undo(&cx).await == Undone::Done)
    }
}

#[async_trait]
impl Handler<Sweep> for Sweeper {
    async fn run(&self, run: &Run, _: Sweep) -> Result<(), JobError> {
        let mut after = String::new();
        let mut silent = BTreeSet::new();
        loop {
            let mut rx = run.app().db.read().await?;
            let page = rows::tombstones(&mut rx, &after, PAGE).await?;
            drop(rx);
            let Some(last) = page.last() else { break };
            after.clone_from(&last.id);
            for stone in &page {
                match self.look(run, stone, &mut silent).await {
                    Ok(true) => {
                        let mut tx = run.begin().await?;
                        rows::count_swept(&mut tx, &stone.id).await?;
                        tx.commit().await?;
                        metrics::counter!("lingbao_operations_swept").increment(1);
                    }
                    Ok(false) => {}
                    // One bad row must not keep the others from being swept.
                    Err(error @ StorageError::Inconsistency { .. }) => {
                        tracing::error!(operation = stone.id, error = %error, "a tombstone can't be read");
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let cx = run.cx();
        let mut tx = run.begin().await?;
        rows::close_tombstones(&mut tx, cx.now().plus_millis(-SWEEP_MS)).await?;
        run.complete(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
