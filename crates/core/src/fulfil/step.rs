//! One call to a backend as a step of a saga.

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::provisioning::{
    Call, ExternalId, Kind, Object, OperationId, OperationState, Outcome as Answer, Provisioner,
    Refusal, RefusalReason, Secret, Server, Settled,
};
use lingbao_model::{id::ResourceId, msg::Msg, time::Timestamp};
use serde_json::Value;

use crate::{
    app::Cx,
    crypto::CryptoError,
    error::StorageError,
    saga::{self, Outcome, Outside, Silence, Step, StepCx, Undone, Verified},
    storage::{Tx, cloud, secret},
};

/// Makes the call out of what earlier steps gave; `Err` says what is missing.
pub type MakeCall = Box<dyn Fn(&StepCx) -> Result<Call, String> + Send + Sync>;

/// How a step is undone.
pub enum Undo {
    /// The call made something: cancel the operation and delete what came of it.
    Delete,
    /// The call changed something that another step made: this call takes the change back.
    Call(MakeCall),
    /// What has begun can't be taken back; what has not, never does.
    Cancel,
    /// Nothing: projects and networks stay for the next order.
    Nothing,
}

/// A step that makes one call. The operation id makes it idempotent: `run` after a crash, after a
/// lost answer and while the backend works are all the same call.
pub struct CallStep {
    name: String,
    operation: Option<String>,
    backend: Arc<dyn Provisioner>,
    call: MakeCall,
    undo: Undo,
}

impl CallStep {
    /// A step.
    pub fn boxed(
        name: impl Into<String>,
        backend: Arc<dyn Provisioner>,
        undo: Undo,
        call: MakeCall,
    ) -> Box<dyn Step> {
        Box::new(Self {
            name: name.into(),
            operation: None,
            backend,
            call,
            undo,
        })
    }

    /// A step whose operation id follows from what is ordered instead of from the saga. A piece is
    /// built once in its life, so after yesterday's backup was restored over today's cloud the same
    /// piece finds what was built since, and nothing is built again.
    pub fn of_piece(
        name: impl Into<String>,
        operation: String,
        backend: Arc<dyn Provisioner>,
        undo: Undo,
        call: MakeCall,
    ) -> Box<dyn Step> {
        Box::new(Self {
            name: name.into(),
            operation: Some(operation),
            backend,
            call,
            undo,
        })
    }

    /// The operation id as backends know it; `part` tells the calls of one step apart.
    fn operation(&self, cx: &StepCx, part: &str) -> OperationId {
        let id = self
            .operation
            .clone()
            .unwrap_or_else(|| cx.operation.to_string());
        OperationId(if part.is_empty() {
            id
        } else {
            format!("{id}:{part}")
        })
    }
}

/// What the applicant reads about a refusal; the backend's own words stay with the operator.
fn refused(refusal: &Refusal) -> Msg {
    Msg::new(match refusal.reason {
        RefusalReason::NoCapacity => "fulfilment.refused.no_capacity",
        RefusalReason::NoAddress => "fulfilment.refused.no_address",
        RefusalReason::QuotaExceeded => "fulfilment.refused.quota_exceeded",
        RefusalReason::InvalidSpec | RefusalReason::Unsupported => {
            "fulfilment.refused.invalid_spec"
        }
        RefusalReason::NotFound => "fulfilment.refused.not_found",
        RefusalReason::NoAgent => "fulfilment.refused.no_agent",
        RefusalReason::Broken => "fulfilment.refused.broken",
        RefusalReason::Conflict | RefusalReason::Denied | RefusalReason::Cancelled => {
            "fulfilment.refused.other"
        }
    })
}

/// Whether what was refused may go right later, by itself or by an operator's hand: a backend that
/// does not let us in, or whose things are between two states.
pub(super) fn may_pass(refusal: &Refusal) -> bool {
    matches!(
        refusal.reason,
        RefusalReason::Denied | RefusalReason::Conflict
    )
}

/// The longest that a cloud is left alone because it asks for it.
const ALONE_MS: i64 = 600_000;

/// A cloud gave no answer.
pub(super) struct Silent(Silence);

impl Silent {
    /// What the silence of a backend means just now. It is away if each minute's look at it found the
    /// same: however long that lasts, nothing is the fault of the order, and no attempt is spent on it.
    /// Otherwise it answers others, and this counts as an attempt.
    pub async fn of(cx: &StepCx, backend: &str, why: String) -> Self {
        let look = async {
            let mut rx = cx.cx.app.db.read().await?;
            cloud::silence(&mut rx, backend).await
        };
        let away = matches!(look.await, Ok((true, _)));
        Self(Silence {
            lost: false,
            away: away.then(|| saga::outside::until(cx.cx.now())),
            why: if away {
                format!("{backend} is away: {why}")
            } else {
                why
            },
        })
    }

    /// The call may have got through.
    fn lost(mut self) -> Self {
        self.0.lost = true;
        self
    }

    /// The cloud asks to be left alone for so many seconds, if it says how long: that is no attempt.
    fn left_alone(mut self, now: Timestamp, seconds: Option<u32>) -> Self {
        let ms = seconds.map(|seconds| (i64::from(seconds) * 1_000).min(ALONE_MS));
        self.0.away = self.0.away.max(ms.map(|ms| now.plus_millis(ms)));
        self
    }

    /// As what a run came to.
    pub fn outcome(self) -> Outcome {
        Outcome::Silent(self.0)
    }

    /// As what an undoing came to.
    pub fn undone(self) -> Undone {
        Undone::Silent(self.0)
    }

    fn verified(self) -> Verified {
        let Silence { away, why, .. } = self.0;
        match away {
            Some(until) => Verified::Wait { until, why },
            None => Verified::Unknown(why),
        }
    }
}

/// A backend as the one whom a step calls.
pub(super) fn outside(backend: &dyn Provisioner) -> Outside<'_> {
    Outside {
        name: backend.name(),
        settle_ms: i64::try_from(backend.settle_ms()).unwrap_or(i64::MAX),
    }
}

/// When a backend is asked again that wants to be asked after so many milliseconds.
pub(super) fn later(cx: &StepCx, ms: u64) -> Timestamp {
    cx.cx
        .now()
        .plus_millis(i64::try_from(ms).unwrap_or(1000).clamp(50, 60_000))
}

/// What a step keeps of an object. A first password is wrapped before it reaches the database: the
/// rows of a saga stand in every backup.
fn output(cx: &Cx, settled: Settled) -> Result<Value, CryptoError> {
    let Settled::Present(mut object) = settled else {
        return Ok(Value::Null);
    };
    if let Object::Server(server) = &mut *object
        && let Some(password) = &mut server.one_time_password
    {
        let (app, context) = (&cx.app, password_context(&server.operation));
        let wrapped = app
            .crypto
            .wrap(&app.random, &context, password.0.as_bytes())?;
        *password = Secret(wrapped);
    }
    Ok(serde_json::to_value(object).unwrap_or(Value::Null))
}

fn password_context(operation: &OperationId) -> String {
    format!("saga_step:{operation}")
}

/// The first password of a server out of what its step has kept, if it has one.
///
/// # Errors
/// It was wrapped with another key, or changed.
fn kept_password(cx: &Cx, server: &Server) -> Result<Option<Vec<u8>>, CryptoError> {
    let context = password_context(&server.operation);
    let open = |kept: &Secret| cx.app.crypto.unwrap(&context, &kept.0);
    server.one_time_password.as_ref().map(open).transpose()
}

/// The password that a server came with, wrapped for its resource; `None` if it came with none.
///
/// # Errors
/// If it can't be unwrapped, or not be wrapped anew.
pub fn wrapped_password(
    cx: &Cx,
    id: &ResourceId,
    server: &Server,
) -> Result<Option<String>, StorageError> {
    let kept = kept_password(cx, server)
        .map_err(|e| StorageError::inconsistent("saga_step", "output", &server.id.0, e))?;
    let Some(password) = kept else {
        return Ok(None);
    };
    let wrapped = cx.app.crypto.wrap(&cx.app.random, id.as_str(), &password);
    wrapped
        .map(Some)
        .map_err(|e| StorageError::inconsistent("delivery_secret", "wrapped", id.as_str(), e))
}

/// The password that a server came with waits to be shown once, in the place of one that waits
/// already. `false` if it came with none.
///
/// # Errors
/// What the database says, and those of [`wrapped_password`].
pub async fn keep_password(
    tx: &mut Tx,
    cx: &Cx,
    id: &ResourceId,
    server: &Server,
) -> Result<bool, StorageError> {
    let Some(wrapped) = wrapped_password(cx, id, server)? else {
        return Ok(false);
    };
    secret::renew(tx, id, &wrapped, cx.now()).await?;
    Ok(true)
}

#[async_trait]
impl Step for CallStep {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn outside(&self) -> Option<Outside<'_>> {
        Some(outside(&*self.backend))
    }

    async fn run(&self, cx: &StepCx) -> Outcome {
        let call = match (self.call)(cx) {
            Ok(call) => call,
            Err(missing) => return Outcome::Retry(format!("there is no {missing}")),
        };
        match self.backend.execute(&self.operation(cx, ""), call).await {
            // Somebody has deleted it in the cloud before it was ever delivered.
            Answer::Done(Settled::Gone) if self.makes() => {
                Outcome::Fail(Msg::new("fulfilment.made_and_gone"))
            }
            Answer::Done(settled) => match output(&cx.cx, settled) {
                Ok(kept) => Outcome::Done(kept),
                Err(error) => Outcome::Retry(error.to_string()),
            },
            Answer::Running { retry_after_ms, .. } => Outcome::Wait {
                until: Some(later(cx, retry_after_ms)),
                why: format!("{} works on it", self.backend.name()),
            },
            Answer::Refused(refusal) if may_pass(&refusal) => Outcome::Retry(refusal.to_string()),
            Answer::Refused(refusal) => {
                tracing::warn!(saga = %cx.saga, step = self.name, %refusal, "the backend refused step `{}`", self.name);
                Outcome::Fail(refused(&refusal))
            }
            Answer::Unreachable(why) => self.silent(cx, why).await.outcome(),
            Answer::NotSent { why, after } => {
                let silent = self.silent(cx, why).await;
                silent.left_alone(cx.cx.now(), after).outcome()
            }
            Answer::Unknown(why) => self.silent(cx, why).await.lost().outcome(),
        }
    }

    async fn undo(&self, cx: &StepCx) -> Undone {
        if matches!(self.undo, Undo::Nothing) {
            return Undone::Done;
        }
        if let Some(silence) = saga::outside::away(cx, self.backend.name()).await {
            return Undone::Silent(silence);
        }
        match &self.undo {
            Undo::Nothing => Undone::Done,
            Undo::Cancel => self.cancel(cx).await.err().unwrap_or(Undone::Done),
            Undo::Delete => self.delete_what_was_made(cx).await,
            Undo::Call(make) => match make(cx) {
                Ok(call) => match self.hangs_elsewhere(cx).await {
                    Ok(false) => self.settle(cx, call).await,
                    Ok(true) => Undone::Done,
                    Err(why) => self.silent(cx, why).await.undone(),
                },
                // What it changed was never made: there is nothing to take back.
                Err(_) => Undone::Done,
            },
        }
    }

    async fn verify(&self, cx: &StepCx) -> Verified {
        match self
            .backend
            .find_by_operation(&self.operation(cx, ""))
            .await
        {
            // Of what it made nothing is left; `run` says what that means.
            Ok(OperationState::Done(Settled::Gone)) if self.makes() => Verified::Absent,
            Ok(OperationState::Done(settled)) => verified(cx, settled),
            Ok(OperationState::Failed { left: Some(_), .. }) => Verified::Fallen,
            Ok(OperationState::Cancelled { left: Some(object) }) => {
                verified(cx, Settled::Present(object))
            }
            Ok(_) => Verified::Absent,
            Err(error) => self.silent(cx, error.to_string()).await.verified(),
        }
    }

    fn stays(&self) -> bool {
        matches!(self.undo, Undo::Nothing)
    }
}

fn verified(cx: &StepCx, settled: Settled) -> Verified {
    match output(&cx.cx, settled) {
        Ok(kept) => Verified::Present(kept),
        Err(error) => Verified::Unknown(error.to_string()),
    }
}

impl CallStep {
    /// Whether the call makes something: then there is something of it at the end.
    const fn makes(&self) -> bool {
        matches!(self.undo, Undo::Delete)
    }

    async fn silent(&self, cx: &StepCx, why: String) -> Silent {
        Silent::of(cx, self.backend.name(), why).await
    }

    /// The tombstone: after it, not even a call that is still on its way makes anything. Gives what the
    /// operation had made, or what the undoing comes to for now.
    async fn cancel(&self, cx: &StepCx) -> Result<Option<Box<Object>>, Undone> {
        match self.backend.cancel(&self.operation(cx, "")).await {
            Answer::Done(OperationState::Cancelled { left }) => Ok(left),
            Answer::Done(other) => Err(Undone::Retry(format!(
                "cancelled, but the backend says {other:?}"
            ))),
            Answer::Running { retry_after_ms, .. } => Err(Undone::Wait {
                until: Some(later(cx, retry_after_ms)),
                why: "being cancelled".into(),
            }),
            Answer::Refused(refusal) if refusal.reason == RefusalReason::Denied => {
                Err(Undone::Retry(refusal.to_string()))
            }
            Answer::Refused(refusal) => Err(Undone::Residue(refusal.to_string())),
            Answer::Unreachable(why) | Answer::NotSent { why, .. } | Answer::Unknown(why) => {
                Err(self.silent(cx, why).await.undone())
            }
        }
    }

    async fn delete_what_was_made(&self, cx: &StepCx) -> Undone {
        let left = match self.cancel(cx).await {
            Ok(left) => left,
            Err(undone) => return undone,
        };
        match left.and_then(|object| delete_call(object.kind(), object.id().clone())) {
            Some(call) => self.settle(cx, call).await,
            None => Undone::Done,
        }
    }

    /// Whether what this step was to hang on a server hangs on another one by now: then it is not
    /// this step's to take off. If it hangs on nothing, the hanging may still be on its way.
    async fn hangs_elsewhere(&self, cx: &StepCx) -> Result<bool, String> {
        let (kind, thing, own) = match (self.call)(cx) {
            Ok(Call::AttachVolume { volume, server }) => (Kind::Volume, volume, server),
            Ok(Call::AssociateAddress {
                address,
                server: Some(server),
            }) => (Kind::Address, address, server),
            _ => return Ok(false),
        };
        let there = self.backend.get(kind, &thing).await;
        let on = match there.map_err(|error| error.to_string())? {
            Some(Object::Volume(it)) => it.attached_to,
            Some(Object::Address(it)) => it.associated_with,
            _ => None,
        };
        Ok(on.is_some_and(|on| on != own))
    }

    async fn settle(&self, cx: &StepCx, call: Call) -> Undone {
        match self
            .backend
            .execute(&self.operation(cx, "undo"), call)
            .await
        {
            Answer::Done(_) => Undone::Done,
            Answer::Running { retry_after_ms, .. } => Undone::Wait {
                until: Some(later(cx, retry_after_ms)),
                why: format!("{} takes it back", self.backend.name()),
            },
            Answer::Refused(refusal) => match refusal.reason {
                RefusalReason::NotFound => Undone::Done,
                _ if may_pass(&refusal) => Undone::Retry(refusal.to_string()),
                _ => Undone::Residue(refusal.to_string()),
            },
            Answer::Unreachable(why) | Answer::NotSent { why, .. } | Answer::Unknown(why) => {
                self.silent(cx, why).await.undone()
            }
        }
    }
}

/// The call that deletes an object; `None` for what stays.
#[must_use]
pub fn delete_call(kind: Kind, id: ExternalId) -> Option<Call> {
    match kind {
        Kind::Server => Some(Call::DeleteServer { server: id }),
        Kind::Volume => Some(Call::DeleteVolume { volume: id }),
        Kind::Address => Some(Call::ReleaseAddress { address: id }),
        Kind::BackupPlan => Some(Call::DeleteBackupPlan { plan: id }),
        Kind::Snapshot => Some(Call::DeleteSnapshot { snapshot: id }),
        Kind::Backup => Some(Call::DeleteBackup { backup: id }),
        Kind::Project | Kind::Network => None,
    }
}

/// The id of the object that an earlier step gave.
///
/// # Errors
/// What is missing, if it gave none.
pub fn id_of(cx: &StepCx, step: &str) -> Result<ExternalId, String> {
    cx.output::<Object>(step)
        .map(|object| object.id().clone())
        .ok_or_else(|| format!("object of step `{step}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_to_be_left_alone_is_for_so_long_and_it_costs_no_attempt() {
        let now = Timestamp::from_millis(1_000_000);
        let busy = |away_ms: Option<i64>, seconds| {
            let silent = Silent(Silence {
                lost: false,
                away: away_ms.map(|ms| now.plus_millis(ms)),
                why: "429".into(),
            });
            let away = silent.left_alone(now, seconds).0.away;
            away.map(|until| until.since(now))
        };
        assert_eq!(busy(None, None), None, "an attempt");
        assert_eq!(busy(None, Some(60)), Some(60_000));
        assert_eq!(busy(Some(30_000), Some(60)), Some(60_000));
        assert_eq!(busy(Some(30_000), None), Some(30_000));
        assert_eq!(busy(None, Some(86_400)), Some(ALONE_MS));
    }
}
