//! Deleting in a cloud what no row of ours names: a double at its first sight, or what an operator
//! has said to delete.
//!
//! It goes by an operation of its own: cancelling the one that made a double would take the older of
//! the two, which may be the one that was delivered.

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{Call, ExternalId, Provisioner, ReadError},
};
use lingbao_model::{
    id::{DifferenceId, UserId},
    msg::Msg,
    view::difference::{Closing, ThingKind},
};
use serde::{Deserialize, Serialize};

use super::compare;
use crate::{
    app::Cx,
    error::StorageError,
    fulfil::step::{CallStep, Silent, Undo, delete_call},
    saga::{End, Ended, Outcome, Outside, Saga, Step, StepCx, Undone, Verified},
    service::notice,
    storage::{Tx, change, difference},
};

/// What is deleted. Written once when it starts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Params {
    /// The difference; the saga's subject too.
    pub difference: DifferenceId,
    /// The backend.
    pub backend: String,
    /// Kind of thing.
    pub thing: ThingKind,
    /// The backend's name for it.
    pub external_id: String,
    /// Its name in the cloud.
    pub name: String,
    /// The operator; `None` if a round found it safe to.
    pub actor: Option<UserId>,
}

/// The saga.
pub struct Remove {
    backends: Arc<Backends>,
}

impl Remove {
    /// A saga that deletes at these backends.
    #[must_use]
    pub const fn new(backends: Arc<Backends>) -> Self {
        Self { backends }
    }
}

#[async_trait]
impl Saga for Remove {
    const KIND: &'static str = "remove";
    const VERSION: i64 = 1;
    type Params = Params;

    fn steps(&self, params: &Params) -> Vec<Box<dyn Step>> {
        let backend = self.backends.get_or_absent(&params.backend);
        let id = ExternalId(params.external_id.clone());
        let kind = compare::kind_of_thing(params.thing);
        let thing = id.clone();
        let call = move |_: &StepCx| -> Result<Call, String> {
            delete_call(kind, thing.clone()).ok_or_else(|| "call that deletes it".to_owned())
        };
        vec![Box::new(Delete {
            call: CallStep::boxed("delete", backend.clone(), Undo::Nothing, Box::new(call)),
            backend,
            thing: params.thing,
            id,
        })]
    }

    async fn ended(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        ended: &Ended<'_, Params>,
    ) -> Result<(), StorageError> {
        let params = ended.params;
        if *ended.end == End::Done {
            let (id, by) = (&params.difference, params.actor.as_ref());
            difference::close(tx, id, Closing::Removed, by, cx.now()).await?;
        } else if let Some(actor) = &params.actor {
            let reason = ended.why();
            let msg = Msg::new("difference.remove_failed")
                .with("name", params.name.clone())
                .with("reason", reason);
            let link = format!("/operations/differences/{}", params.difference);
            notice::send(tx, cx, actor, &msg, &link).await?;
        }
        change::touch(tx, cx, "clouds").await
    }
}

/// Deletes, and looks right before each attempt, however much later than the one before that is: what
/// has a row by now, or hangs on a host, is left alone. Neutron gives an address back whatever it leads
/// to.
struct Delete {
    call: Box<dyn Step>,
    backend: Arc<dyn Provisioner>,
    thing: ThingKind,
    id: ExternalId,
}

impl Delete {
    async fn is_named(&self, cx: &StepCx) -> Result<bool, StorageError> {
        let mut rx = cx.cx.app.db.read().await?;
        let id = [self.id.as_str()];
        let ours = difference::ours(&mut rx, self.backend.name(), id).await?;
        let snapshots = difference::snapshots(&mut rx, self.backend.name(), id).await?;
        Ok(!ours.is_empty() || !snapshots.is_empty())
    }
}

#[async_trait]
impl Step for Delete {
    fn name(&self) -> String {
        self.call.name()
    }

    fn outside(&self) -> Option<Outside<'_>> {
        self.call.outside()
    }

    async fn run(&self, cx: &StepCx) -> Outcome {
        match self.is_named(cx).await {
            Ok(false) => {}
            Ok(true) => return Outcome::Fail(Msg::new("difference.named_by_now")),
            Err(error) => return Outcome::Retry(error.to_string()),
        }
        let kind = compare::kind_of_thing(self.thing);
        match self.backend.get(kind, &self.id).await {
            Ok(Some(object)) if compare::hangs_on_host(&object) => {
                Outcome::Fail(Msg::new("difference.hangs"))
            }
            // What is gone is deleted: the call finds that.
            Ok(_) => self.call.run(cx).await,
            Err(ReadError::Refused(refusal)) => Outcome::Retry(refusal.to_string()),
            Err(error) => Silent::of(cx, self.backend.name(), error.to_string())
                .await
                .outcome(),
        }
    }

    async fn undo(&self, cx: &StepCx) -> Undone {
        self.call.undo(cx).await
    }

    async fn verify(&self, cx: &StepCx) -> Verified {
        self.call.verify(cx).await
    }

    fn stays(&self) -> bool {
        self.call.stays()
    }
}
