//! Drills every saga has to pass: a failure at each step in turn unwinds clean, each step run twice
//! changes nothing, a crash after each commit resumes.
//!
//! ```ignore
//! struct BuildBench { cloud: Arc<FakeCloud> }
//! impl Bench for BuildBench { … }
//! harness::drill(&app, &BuildBench { … }).await;
//! ```
#![expect(clippy::panic, reason = "a failed drill is a failed test")]
use std::sync::{Arc, atomic::AtomicI64};

use async_trait::async_trait;
use lingbao_model::{id::SagaId, msg::Msg};
use serde_json::Value;

use super::{
    Advance, Driver, Ended, Outcome, Outside, Registry, Saga, Step, StepCx, Undone, Verified, get,
    start,
};
use crate::{
    app::Cx,
    error::StorageError,
    jobs::{self, run_until_idle},
    storage::Tx,
    testing::TestApp,
};

/// What a drill needs to know of a saga and its world.
#[async_trait]
pub trait Bench: Send + Sync {
    /// The saga under test.
    type Saga: Saga;

    /// A fresh world (no trace of the drill before), and a saga with parameters to play in it.
    async fn fresh(&self, app: &TestApp) -> (Self::Saga, <Self::Saga as Saga>::Params);
    /// Panics unless the world holds exactly what a finished saga makes.
    async fn assert_whole(&self, app: &TestApp, when: &str);
    /// Panics unless the world holds nothing.
    async fn assert_clean(&self, app: &TestApp, when: &str);
}

/// What goes wrong in a drill.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fault {
    /// This step refuses before it does anything.
    pub refuse_at: Option<usize>,
    /// This step does its work and then says that it failed.
    pub lie_at: Option<usize>,
    /// Each step is run twice, and undone twice.
    pub twice: bool,
    /// The process dies after so many commits of the driver, once.
    pub die_after: Option<i64>,
}

struct Faulty<S> {
    inner: S,
    fault: Fault,
}

struct FaultyStep {
    inner: Box<dyn Step>,
    position: usize,
    fault: Fault,
}

#[async_trait]
impl Step for FaultyStep {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn outside(&self) -> Option<Outside<'_>> {
        self.inner.outside()
    }

    async fn run(&self, cx: &StepCx) -> Outcome {
        if self.fault.refuse_at == Some(self.position) {
            return Outcome::Fail(Msg::new("drill.refused"));
        }
        let outcome = self.inner.run(cx).await;
        let outcome = match outcome {
            Outcome::Done(_) if self.fault.twice => self.inner.run(cx).await,
            other => other,
        };
        match outcome {
            Outcome::Done(_) if self.fault.lie_at == Some(self.position) => {
                Outcome::Fail(Msg::new("drill.lied"))
            }
            other => other,
        }
    }

    async fn undo(&self, cx: &StepCx) -> Undone {
        match self.inner.undo(cx).await {
            Undone::Done if self.fault.twice => self.inner.undo(cx).await,
            other => other,
        }
    }

    async fn verify(&self, cx: &StepCx) -> Verified {
        self.inner.verify(cx).await
    }

    async fn save(&self, tx: &mut Tx, cx: &StepCx, output: &Value) -> Result<(), StorageError> {
        self.inner.save(tx, cx, output).await
    }

    async fn unsave(&self, tx: &mut Tx, cx: &StepCx) -> Result<(), StorageError> {
        self.inner.unsave(tx, cx).await
    }
}

#[async_trait]
impl<S: Saga> Saga for Faulty<S> {
    const KIND: &'static str = S::KIND;
    const VERSION: i64 = S::VERSION;
    type Params = S::Params;

    fn steps(&self, params: &S::Params) -> Vec<Box<dyn Step>> {
        let wrap = |(position, inner)| -> Box<dyn Step> {
            Box::new(FaultyStep {
                inner,
                position,
                fault: self.fault,
            })
        };
        self.inner
            .steps(params)
            .into_iter()
            .enumerate()
            .map(wrap)
            .collect()
    }

    async fn ended(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        ended: &Ended<'_, S::Params>,
    ) -> Result<(), StorageError> {
        self.inner.ended(tx, cx, ended).await
    }
}

/// Plays a saga once with a fault, until it has ended or is stuck; moves the clock over waits.
/// Gives its id, its state, and whether the planned death took place.
pub async fn play<B: Bench>(app: &TestApp, bench: &B, fault: Fault) -> (SagaId, String, bool) {
    let (saga, params) = bench.fresh(app).await;
    let registry = Arc::new(Registry::new().with(Faulty { inner: saga, fault }));
    let mut driver = Driver::new(registry);
    driver.dies_after = fault.die_after.map(AtomicI64::new);
    let deaths = Arc::new(driver);
    let jobs = Arc::new(jobs::Registry::new().handle::<Advance>(Shared(deaths.clone())));
    let mut tx = must(app.db.begin().await);
    let id = must(start::<B::Saga>(&mut tx, &app.system(), "drill", &params).await);
    must(tx.commit().await);
    for _ in 0..500 {
        must(run_until_idle(&app.app, &jobs).await);
        let mut rx = must(app.db.read().await);
        let state = must(get(&mut rx, &id).await)
            .map(|row| row.state)
            .unwrap_or_default();
        drop(rx);
        if !matches!(state.as_str(), "running" | "unwinding") {
            let died = deaths
                .dies_after
                .as_ref()
                .is_some_and(|left| left.load(std::sync::atomic::Ordering::SeqCst) <= 0);
            return (id, state, died);
        }
        app.clock.advance_ms(jobs::LEASE_MS + 1_000);
    }
    panic!("the saga does not end under {fault:?}");
}

struct Shared(Arc<Driver>);

#[async_trait]
impl jobs::Handler<Advance> for Shared {
    async fn run(&self, run: &jobs::Run, job: Advance) -> Result<(), jobs::JobError> {
        jobs::Handler::run(&*self.0, run, job).await
    }
}

/// All drills.
pub async fn drill<B: Bench>(app: &TestApp, bench: &B) {
    let (saga, params) = bench.fresh(app).await;
    let steps = saga.steps(&params).len();
    assert!(steps > 0, "a saga without steps needs no drill");

    expect(app, bench, Fault::default(), "done").await;
    expect(
        app,
        bench,
        Fault {
            twice: true,
            ..Fault::default()
        },
        "done",
    )
    .await;
    for at in 0..steps {
        for twice in [false, true] {
            let refused = Fault {
                refuse_at: Some(at),
                twice,
                ..Fault::default()
            };
            expect(app, bench, refused, "undone").await;
            let lied = Fault {
                lie_at: Some(at),
                twice,
                ..Fault::default()
            };
            expect(app, bench, lied, "undone").await;
        }
    }
    for after in 1.. {
        let death = Fault {
            die_after: Some(after),
            ..Fault::default()
        };
        if !expect(app, bench, death, "done").await {
            assert!(after > 1, "the driver never died");
            break;
        }
    }
    for after in 1.. {
        let death = Fault {
            die_after: Some(after),
            lie_at: Some(steps - 1),
            ..Fault::default()
        };
        if !expect(app, bench, death, "undone").await {
            break;
        }
    }
}

async fn expect<B: Bench>(app: &TestApp, bench: &B, fault: Fault, end: &str) -> bool {
    let (_, state, died) = play(app, bench, fault).await;
    let when = format!("{fault:?}");
    assert_eq!(state, end, "under {when}");
    if end == "done" {
        bench.assert_whole(app, &when).await;
    } else {
        bench.assert_clean(app, &when).await;
    }
    died
}

fn must<T>(result: Result<T, StorageError>) -> T {
    result.unwrap_or_else(|error| panic!("the drill's database failed: {error:?}"))
}
