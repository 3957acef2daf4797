//! Switching a server on and off: at once, by one saga of one step.

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{Call, ExternalId},
};
use lingbao_model::{
    catalogue::Fulfiller,
    id::{ResourceId, UserId},
    msg::Msg,
    resource::{EventKind, ServiceState},
};
use serde::{Deserialize, Serialize};

use super::step::{CallStep, Undo};
use crate::{
    app::Cx,
    audit,
    authz::{Ability, Access, Scope},
    error::{OrNotFound, ServiceError, StorageError},
    saga::{self, End, Ended, Saga, Step},
    service::refusal::traced,
    storage::{Tx, change, resource, resource_action},
};

/// What is switched.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Params {
    /// The server.
    pub resource: ResourceId,
    /// Its backend.
    pub backend: String,
    /// The backend's name for it.
    pub external_id: String,
    /// On or off.
    pub on: bool,
    /// Who asked.
    pub actor: UserId,
}

/// The saga.
pub struct Power {
    backends: Arc<Backends>,
}

impl Power {
    /// A saga that switches at these backends.
    #[must_use]
    pub const fn new(backends: Arc<Backends>) -> Self {
        Self { backends }
    }
}

#[async_trait]
impl Saga for Power {
    const KIND: &'static str = "power";
    const VERSION: i64 = 1;
    type Params = Params;

    fn steps(&self, params: &Params) -> Vec<Box<dyn Step>> {
        let backend = self.backends.get_or_absent(&params.backend);
        let (server, on) = (ExternalId(params.external_id.clone()), params.on);
        let call = move |_: &saga::StepCx| {
            let server = server.clone();
            Ok(if on {
                Call::StartServer { server }
            } else {
                Call::StopServer { server }
            })
        };
        let name = if on { "start" } else { "stop" };
        vec![CallStep::boxed(
            name,
            backend.clone(),
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
        let Params {
            resource: id,
            on,
            actor,
            ..
        } = ended.params;
        // The row first, as whoever begins something locks it.
        resource_action::lock(tx, id).await?;
        resource_action::end(tx, id, ended.saga).await?;
        let scope = Scope::system(cx)
            .map_err(|e| StorageError::inconsistent("saga", "actor", ended.saga.as_str(), e))?;
        let Some(found) = resource::get(tx, &scope, id).await? else {
            return Ok(());
        };
        if *ended.end == End::Done && found.service == ServiceState::Recycled {
            // An operator switched it off again behind whoever had switched it on there.
            super::reconcile::switched(tx, cx, id, actor).await?;
        } else if *ended.end == End::Done && found.service != ServiceState::Released {
            super::reconcile::switched(tx, cx, id, actor).await?;
            let (state, event) = if *on {
                (ServiceState::Running, EventKind::Started)
            } else {
                (ServiceState::Stopped, EventKind::Stopped)
            };
            if found.service != state {
                resource::set_states(tx, &found, state, found.billing).await?;
                resource::add_event(tx, &cx.id(), id, event, actor.as_str(), cx.now()).await?;
            }
        } else {
            let what = Msg::new(if *on {
                "resource.start_failed"
            } else {
                "resource.stop_failed"
            });
            let reason = ended.why();
            let msg = what.with("name", found.name.clone()).with("reason", reason);
            crate::service::notice::send(tx, cx, actor, &msg, &format!("/resources/{id}")).await?;
        }
        change::touch(tx, cx, &format!("unit:{}", found.unit)).await
    }
}

/// Asks for a server to be switched on or off; the answer comes by itself.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see it, [`ServiceError::Forbidden`] if it is
/// not the caller's to use, [`ServiceError::Conflict`] if it is being changed or stands so already.
pub async fn switch(cx: &Cx, id: &ResourceId, on: bool) -> Result<(), ServiceError> {
    let result = switch_once(cx, id, on).await;
    traced(cx, result, || audit::Event::new(action(on), "resource", id)).await
}

const fn action(on: bool) -> &'static str {
    if on {
        "resource.start"
    } else {
        "resource.stop"
    }
}

async fn switch_once(cx: &Cx, id: &ResourceId, on: bool) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let found = resource::get(&mut tx, &access.scope(Ability::ReadResources), id)
        .await?
        .or_not_found()?;
    access
        .require_on(&mut tx, Ability::OperateResources, &found.unit)
        .await?;
    let wanted = if on {
        ServiceState::Stopped
    } else {
        ServiceState::Running
    };
    if found.kind != Fulfiller::Server || found.service != wanted {
        return Err(ServiceError::Conflict(found.not_now()));
    }
    if resource_action::open_release(&mut tx, id).await?.is_some() {
        return Err(ServiceError::Conflict(Msg::new("resource.being_released")));
    }
    let (Some(backend), Some(external_id)) = (found.backend.clone(), found.external_id.clone())
    else {
        return Err(ServiceError::Conflict(Msg::new("resource.not_in_cloud")));
    };
    let params = Params {
        resource: id.clone(),
        backend,
        external_id,
        on,
        actor: access.user.clone(),
    };
    let saga = saga::start::<Power>(&mut tx, cx, id.as_str(), &params).await?;
    let kind = if on { "start" } else { "stop" };
    if !resource_action::begin(&mut tx, id, &saga, kind, access.user.as_str(), cx.now()).await? {
        return Err(ServiceError::Conflict(Msg::new("resource.busy_now")));
    }
    change::touch(&mut tx, cx, &format!("unit:{}", found.unit)).await?;
    audit::record(
        &mut tx,
        cx,
        audit::Event::new(action(on), "resource", id).of_unit(&found.unit),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}
