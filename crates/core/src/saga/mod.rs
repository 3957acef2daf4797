//! Work in several places that must end whole or leave nothing behind.
//!
//! A saga is a versioned list of named steps. Each step can `run`, `undo` and `verify`, all
//! idempotent under an **operation id** that is in the database before the first call and goes to
//! the backend too. When a step fails, the steps before it (and it) are undone in reverse order.
//!
//! ```ignore
//! // Params
//! #[derive(Serialize, Deserialize)]
//! struct Params { server: ServerSpec }
//!
//! // Definition
//! struct Build { backend: Arc<dyn Provisioner> }
//! impl Saga for Build {
//!     const KIND: &'static str = "build";
//!     const VERSION: i64 = 1;
//!     type Params = Params;
//!     fn steps(&self, params: &Params) -> Vec<Box<dyn Step>> { vec![Box::new(CreateServer { … })] }
//!     async fn ended(&self, tx: &mut Tx, cx: &Cx, saga: &Ended<'_, Params>) -> Result<(), StorageError> { … }
//! }
//!
//! // Implementation
//! impl Step for CreateServer {
//!     fn name(&self) -> String { "server".into() }
//!     async fn run(&self, cx: &StepCx) -> Outcome { /* call with cx.operation */ }
//!     async fn undo(&self, cx: &StepCx) -> Undone { … }
//!     async fn verify(&self, cx: &StepCx) -> Verified { … }
//!     async fn save(&self, tx: &mut Tx, cx: &StepCx, output: &Value) -> Result<(), StorageError> { … }
//! }
//!
//! // Wiring
//! let sagas = Arc::new(saga::Registry::new().with(Build { backend }));
//! let jobs = saga::wire(jobs::Registry::new(), sagas);
//! // Use, in a service's transaction
//! let id = saga::start::<Build>(&mut tx, cx, item.as_str(), &params).await?;
//! ```
//!
//! Things to note:
//! - `run` is called again, with the same operation id, after every wait. After a crash or a lost
//!   answer `verify` is asked first, and `run` only if it says [`Verified::Absent`].
//! - After a lost answer nobody asks before the outside has settled ([`Outside::settle_ms`]): what is
//!   looked for too early is not there yet, and would be made twice. That moment stands in the step's
//!   row, because another copy of the program may go on with the saga, and because a signal may come.
//! - While an outside is known to be away nobody calls it: the minute's look at it does, and wakes who
//!   waits ([`outside`]).
//! - What a step changes in *our* database belongs into `save` and `unsave`: they run in the very
//!   transaction that marks the step as done or undone, so they happen exactly once. No calls
//!   outside in them.
//! - The failed step itself is undone too: a refusal may have come late.
//! - [`Undone::Residue`], or [`MAX_ATTEMPTS`] failures of an undo, leave a *residue*: the saga goes
//!   on unwinding and ends in `residue`, for an operator to [`retry`]. So many failures of a `run`
//!   leave the saga *stuck*, for an operator to [`retry`] or to [`unwind`].
//! - [`Saga::ended`] runs in the transaction that ends the saga; after a retried residue it runs
//!   again.
//! - An undone operation keeps a tombstone for [`SWEEP_MS`]; the sweep asks `verify` and undoes what
//!   a lost or late answer created after all. One whose step [`stays`](Step::stays) has none.
//! - The driver's transactions lock the job first, then the saga, then what `save` and `ended` touch.
//!   Call [`wake`] (and [`retry`], [`unwind`]) before you change rows that these hooks change too, or
//!   PostgreSQL may have to break a deadlock.
//! - A running saga keeps the version it began with: change the list by adding a type with the next
//!   `VERSION`, and keep the old one until no saga of it runs.
mod driver;
#[cfg(any(test, feature = "test-support"))]
pub mod harness;
pub mod outside;
mod registry;
mod sweep;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use async_trait::async_trait;
use lingbao_model::{
    id::{OperationRef, SagaId},
    msg::Msg,
    time::Timestamp,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use driver::{Advance, Driver};
pub use outside::Outside;
pub use registry::Registry;
pub use sweep::{SWEEP_MS, Sweep, Sweeper};

pub use crate::storage::saga::{SagaFilter, SagaRow, StepRow};
use crate::{
    app::Cx,
    error::StorageError,
    jobs,
    storage::{ReadTx, Tx, saga as rows},
};

/// So many failures of a step in one direction, and it waits for an operator.
pub const MAX_ATTEMPTS: i64 = 8;

/// What a step's `run` came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done; later steps read the value by the step's name.
    Done(Value),
    /// Not yet: call again at a moment, or (`None`) after [`wake`].
    Wait {
        /// When.
        until: Option<Timestamp>,
        /// For what, in the operator's words.
        why: String,
    },
    /// The outside gave no answer.
    Silent(Silence),
    /// It went wrong and may go right next time; counts as an attempt.
    Retry(String),
    /// It will never go right: unwind. The applicant reads the message.
    Fail(Msg),
}

/// No answer of the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// The call may have got through, and what it asked for may be there or still come. `verify` is
    /// asked next, and not before the [`Outside`] has settled; every copy of the program waits for that.
    pub lost: bool,
    /// The outside is away, and that is known: call again at this moment. Otherwise this counts as an
    /// attempt, which is given back as soon as the outside says that it works on it.
    pub away: Option<Timestamp>,
    /// What happened, in the operator's words.
    pub why: String,
}

/// What a step's `undo` came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// Nothing of it is left.
    Done,
    /// Not yet.
    Wait {
        /// When to call again; `None` after [`wake`].
        until: Option<Timestamp>,
        /// For what, in the operator's words.
        why: String,
    },
    /// The outside gave no answer.
    Silent(Silence),
    /// It went wrong and may go right next time; counts as an attempt.
    Retry(String),
    /// It can't be undone; an operator must look.
    Residue(String),
}

/// What the outside says about an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Verified {
    /// It is there, complete, and `run` would have given this.
    Present(Value),
    /// It is not there: `run` may be called.
    Absent,
    /// Something of it is there that came to nothing. `run` may be called and says so; of what was
    /// undone it must not stay.
    Fallen,
    /// The outside is away, and that is known: ask again at a moment.
    Wait {
        /// When.
        until: Timestamp,
        /// What is away, in the operator's words.
        why: String,
    },
    /// The outside does not answer; counts as an attempt.
    Unknown(String),
}

/// What a step is given.
#[derive(Debug, Clone)]
pub struct StepCx {
    /// The surroundings at this moment.
    pub cx: Cx,
    /// The saga.
    pub saga: SagaId,
    /// The operation's id, the same in every call of this step.
    pub operation: OperationRef,
    /// Failed attempts so far in this direction.
    pub attempt: i64,
    /// What the steps before gave, by name.
    pub outputs: BTreeMap<String, Value>,
}

impl StepCx {
    /// What an earlier step gave, or `None` if it gave nothing of this form.
    #[must_use]
    pub fn output<T: DeserializeOwned>(&self, step: &str) -> Option<T> {
        self.outputs
            .get(step)
            .and_then(|value| serde_json::from_value(value.clone()).ok())
    }
}

/// One step. See the [module](crate::saga) for what to keep in mind.
#[async_trait]
pub trait Step: Send + Sync {
    /// Its name, unique in its saga.
    fn name(&self) -> String;
    /// Whom `run` and `verify` call; `None` for a step that stays in our own rows.
    fn outside(&self) -> Option<Outside<'_>> {
        None
    }
    /// Makes it so.
    async fn run(&self, cx: &StepCx) -> Outcome;
    /// Makes it not so; also when `run` never got through.
    async fn undo(&self, cx: &StepCx) -> Undone;
    /// Asks whether it is so.
    async fn verify(&self, cx: &StepCx) -> Verified;
    /// Whether what it did stays when it is undone: then there is nothing to sweep away afterwards.
    fn stays(&self) -> bool {
        false
    }

    /// Writes down in our database what `run` gave.
    async fn save(&self, tx: &mut Tx, cx: &StepCx, output: &Value) -> Result<(), StorageError> {
        let _ = (tx, cx, output);
        Ok(())
    }

    /// Takes back what `save` wrote; called only if it was.
    async fn unsave(&self, tx: &mut Tx, cx: &StepCx) -> Result<(), StorageError> {
        let _ = (tx, cx);
        Ok(())
    }
}

/// How a saga ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Whole.
    Done,
    /// Nothing is left.
    Undone,
    /// These steps could not be undone.
    Residue(Vec<String>),
}

/// What [`Saga::ended`] is told.
#[derive(Debug)]
pub struct Ended<'a, P> {
    /// The saga.
    pub saga: &'a SagaId,
    /// What it worked for.
    pub subject: &'a str,
    /// Its parameters.
    pub params: &'a P,
    /// How it ended.
    pub end: &'a End,
    /// Why it was unwound.
    pub reason: Option<&'a Msg>,
    /// What the steps gave, by name.
    pub outputs: &'a BTreeMap<String, Value>,
}

impl<P> Ended<'_, P> {
    /// Why it was unwound, for people; also where nobody has said it.
    #[must_use]
    pub fn why(&self) -> Msg {
        self.reason
            .cloned()
            .unwrap_or_else(|| Msg::new("fulfilment.unknown_reason"))
    }
}

/// A versioned list of steps.
#[async_trait]
pub trait Saga: Send + Sync + 'static {
    /// The name in the table; never changes.
    const KIND: &'static str;
    /// Grows with every change of the list or of the parameters' form.
    const VERSION: i64;
    /// From which the steps are made.
    type Params: Serialize + DeserializeOwned + Send + Sync;

    /// The steps; the same for the same parameters.
    fn steps(&self, params: &Self::Params) -> Vec<Box<dyn Step>>;

    /// Writes down in our database how it ended.
    async fn ended(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        ended: &Ended<'_, Self::Params>,
    ) -> Result<(), StorageError>;
}

/// Begins a saga as soon as the transaction is committed.
///
/// # Errors
/// Those of the database.
pub async fn start<S: Saga>(
    tx: &mut Tx,
    cx: &Cx,
    subject: &str,
    params: &S::Params,
) -> Result<SagaId, StorageError> {
    let id: SagaId = cx.id();
    let params = serde_json::to_string(params)
        .map_err(|error| StorageError::inconsistent("saga", "params", id.as_str(), error))?;
    rows::insert(tx, &id, (S::KIND, S::VERSION), subject, &params, cx.now()).await?;
    wake(tx, cx, &id).await?;
    Ok(id)
}

/// Tells a saga that what it waits for may have come.
///
/// # Errors
/// Those of the database.
pub async fn wake(tx: &mut Tx, cx: &Cx, id: &SagaId) -> Result<(), StorageError> {
    jobs::enqueue(tx, cx, &Advance { saga: id.clone() }).await?;
    Ok(())
}

/// An operator's retry of a stuck saga, or of a residue. Authorize and audit before.
///
/// # Errors
/// A version conflict when it is neither.
pub async fn retry(tx: &mut Tx, cx: &Cx, id: &SagaId) -> Result<(), StorageError> {
    wake(tx, cx, id).await?;
    if rows::transit(tx, id, ("stuck", "running"), None, cx.now()).await? {
        rows::reset_steps(tx, id, "stuck", "doing").await?;
    } else if rows::transit(tx, id, ("residue", "unwinding"), None, cx.now()).await? {
        rows::reset_steps(tx, id, "residue", "undoing").await?;
    } else {
        return StorageError::expect_version(0, "saga", id.as_str());
    }
    Ok(())
}

/// Takes a running or stuck saga back: a cancel, or an operator's discard. Authorize and audit
/// before.
///
/// # Errors
/// A version conflict when it has ended or is being unwound already.
pub async fn unwind(tx: &mut Tx, cx: &Cx, id: &SagaId, reason: &Msg) -> Result<(), StorageError> {
    wake(tx, cx, id).await?;
    let reason = encode_msg(reason);
    let moved = rows::transit(tx, id, ("running", "unwinding"), Some(&reason), cx.now()).await?
        || rows::transit(tx, id, ("stuck", "unwinding"), Some(&reason), cx.now()).await?;
    StorageError::expect_version(u64::from(moved), "saga", id.as_str())?;
    rows::reset_steps(tx, id, "stuck", "doing").await
}

/// One saga.
///
/// # Errors
/// Those of the database.
pub async fn get(rx: &mut ReadTx, id: &SagaId) -> Result<Option<SagaRow>, StorageError> {
    rows::get(rx, id).await
}

/// Sagas, youngest first.
///
/// # Errors
/// Those of the database.
pub async fn list(rx: &mut ReadTx, filter: &SagaFilter) -> Result<Vec<SagaRow>, StorageError> {
    rows::list(rx, filter).await
}

/// The steps of a saga in order, with their operations.
///
/// # Errors
/// Those of the database.
pub async fn steps(rx: &mut ReadTx, id: &SagaId) -> Result<Vec<StepRow>, StorageError> {
    rows::steps(rx, id).await
}

/// The message why a saga was unwound.
#[must_use]
pub fn reason(row: &SagaRow) -> Option<Msg> {
    row.reason
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
}

fn encode_msg(msg: &Msg) -> String {
    // A Msg is strings and numbers: it always encodes.
    serde_json::to_string(msg).unwrap_or_default()
}

/// Adds the driver and the sweep to a program's jobs.
#[must_use]
pub fn wire(jobs: jobs::Registry, sagas: std::sync::Arc<Registry>) -> jobs::Registry {
    jobs.handle::<Advance>(Driver::new(sagas.clone()))
        .handle::<Sweep>(Sweeper::new(sagas))
        .every(300_000, Sweep {})
}
