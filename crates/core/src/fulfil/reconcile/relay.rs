//! Making a network whole again, of which somebody has deleted the subnet or the router: it is ensured
//! anew, as for an order. What stands on it stays.

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{Call, NetworkSpec},
};
use lingbao_model::{
    id::{DifferenceId, UserId},
    msg::Msg,
    view::difference::Closing,
};
use serde::{Deserialize, Serialize};

use crate::{
    app::Cx,
    error::StorageError,
    fulfil::step::{CallStep, Undo},
    saga::{End, Ended, Saga, Step, StepCx},
    service::notice,
    storage::{Tx, change, difference},
};

/// What is made whole. Written once when it starts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Params {
    /// The difference; the saga's subject too.
    pub difference: DifferenceId,
    /// The backend.
    pub backend: String,
    /// The network, as the cloud has it.
    pub spec: NetworkSpec,
    /// Its name, for people.
    pub name: String,
    /// The operator.
    pub actor: UserId,
}

/// The saga.
pub struct Relay {
    backends: Arc<Backends>,
}

impl Relay {
    /// A saga that makes networks whole at these backends.
    #[must_use]
    pub const fn new(backends: Arc<Backends>) -> Self {
        Self { backends }
    }
}

#[async_trait]
impl Saga for Relay {
    const KIND: &'static str = "relay";
    const VERSION: i64 = 1;
    type Params = Params;

    fn steps(&self, params: &Params) -> Vec<Box<dyn Step>> {
        let backend = self.backends.get_or_absent(&params.backend);
        let spec = params.spec.clone();
        let call = move |_: &StepCx| -> Result<Call, String> {
            Ok(Call::EnsureNetwork { spec: spec.clone() })
        };
        // Nothing is taken back: hosts stand on it.
        vec![CallStep::boxed(
            "network",
            backend,
            Undo::Nothing,
            Box::new(call),
        )]
    }

    async fn ended(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        ended: &Ended<'_, Params>,
    ) -> Result<(), StorageError> {
        let params = ended.params;
        let (id, by) = (&params.difference, &params.actor);
        if *ended.end == End::Done {
            difference::close(tx, id, Closing::Restored, Some(by), cx.now()).await?;
        } else {
            let reason = ended.why();
            let msg = Msg::new("difference.restore_failed")
                .with("name", params.name.clone())
                .with("reason", reason);
            let link = format!("/operations/differences/{id}");
            notice::send(tx, cx, by, &msg, &link).await?;
        }
        change::touch(tx, cx, "clouds").await
    }
}
