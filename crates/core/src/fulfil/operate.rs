//! What is done at once to a thing that stands: restart, snapshots, attaching, rules, passwords, its
//! system installed anew. One saga of one step; the use cases that start it are in [`super::acts`],
//! [`super::access_rule`] and [`super::reinstall`].

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{Call, ExternalId, Object, Provisioner, SnapshotSpec},
};
use lingbao_model::{
    access_rule::AccessRule,
    catalogue::Fulfiller,
    id::{ResourceId, SnapshotId, UserId},
    msg::Msg,
    resource::{EventKind, ServiceState},
    view::resource::SnapshotState,
};
use serde::{Deserialize, Serialize};

use super::{
    access_rule,
    cloud_limit::{Limited, Whose},
    reinstall,
    step::{CallStep, MakeCall, Undo},
};
use crate::{
    app::Cx,
    authz::Scope,
    error::StorageError,
    saga::{End, Ended, Saga, Step},
    service::notice,
    storage::{Tx, change, resource, resource_action, snapshot},
};

/// What is done to what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Params {
    /// The thing.
    pub resource: ResourceId,
    /// Kind of thing.
    pub kind: Fulfiller,
    /// Its backend.
    pub backend: String,
    /// The backend's name for it.
    pub external_id: String,
    /// What is done.
    pub what: What,
    /// Who asked.
    pub actor: UserId,
}

/// What is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A server is restarted.
    Restart,
    /// A snapshot of a disk is taken.
    TakeSnapshot {
        /// Our row of it.
        snapshot: SnapshotId,
        /// The backend's name of the project.
        project: String,
        /// Its name.
        name: String,
    },
    /// A snapshot of a disk is deleted.
    DeleteSnapshot {
        /// Our row of it.
        snapshot: SnapshotId,
        /// The backend's name for it.
        external_id: String,
    },
    /// A disk or an address is attached to a host.
    Attach {
        /// The host.
        host: ResourceId,
        /// The backend's name for it.
        host_external_id: String,
    },
    /// A disk or an address is taken off its host.
    Detach {
        /// The host.
        host: ResourceId,
        /// The backend's name for it.
        host_external_id: String,
    },
    /// Other rules say what may come in to a server.
    SetRules {
        /// All of them.
        rules: Vec<AccessRule>,
        /// All of them before.
        before: Vec<AccessRule>,
        /// What becomes of our rows.
        change: access_rule::Change,
    },
    /// A server gets a new one-time password.
    NewPassword,
    /// A server's system is installed anew.
    Reinstall {
        /// Code of the image.
        image: String,
        /// The key that opens it afterwards; `None` for a one-time password.
        key: Option<String>,
        /// The disks that hang on it: the cloud takes them off meanwhile and hangs them on again.
        #[serde(default)]
        disks: Vec<ResourceId>,
    },
}

impl What {
    /// The word under which it stands in `resource_action`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::TakeSnapshot { .. } => "snapshot",
            Self::DeleteSnapshot { .. } => "delete_snapshot",
            Self::Attach { .. } => "attach",
            Self::Detach { .. } => "detach",
            Self::SetRules { .. } => "rules",
            Self::NewPassword => "password",
            Self::Reinstall { .. } => "reinstall",
        }
    }

    /// The host that takes part in it.
    #[must_use]
    pub const fn host(&self) -> Option<&ResourceId> {
        match self {
            Self::Attach { host, .. } | Self::Detach { host, .. } => Some(host),
            _ => None,
        }
    }

    /// What takes part in it beside the thing itself, and is booked as it is.
    pub(super) fn others(&self) -> &[ResourceId] {
        match self {
            Self::Attach { host, .. } | Self::Detach { host, .. } => std::slice::from_ref(host),
            Self::Reinstall { disks, .. } => disks,
            _ => &[],
        }
    }

    /// Whether nobody knows what stands when it could be neither done nor undone: where a thing hangs,
    /// what is open, which system runs.
    const fn doubtful(&self) -> bool {
        matches!(self, Self::SetRules { .. } | Self::Reinstall { .. }) || self.host().is_some()
    }
}

/// The saga.
pub struct Operate {
    backends: Arc<Backends>,
}

impl Operate {
    /// A saga that works at these backends.
    #[must_use]
    pub const fn new(backends: Arc<Backends>) -> Self {
        Self { backends }
    }
}

fn step(name: &str, backend: Arc<dyn Provisioner>, undo: Undo, call: Call) -> Vec<Box<dyn Step>> {
    let call: MakeCall = Box::new(move |_| Ok(call.clone()));
    vec![CallStep::boxed(name, backend, undo, call)]
}

fn back(call: Call) -> Undo {
    Undo::Call(Box::new(move |_| Ok(call.clone())))
}

/// The call that attaches a thing to a host, or (`None`) takes it off whatever it hangs on.
fn attaching(kind: Fulfiller, thing: ExternalId, host: Option<ExternalId>) -> Call {
    match (kind, host) {
        (Fulfiller::Address, server) => Call::AssociateAddress {
            address: thing,
            server,
        },
        (_, Some(server)) => Call::AttachVolume {
            volume: thing,
            server,
        },
        (_, None) => Call::DetachVolume { volume: thing },
    }
}

#[async_trait]
impl Saga for Operate {
    const KIND: &'static str = "operate";
    const VERSION: i64 = 1;
    type Params = Params;

    fn steps(&self, params: &Params) -> Vec<Box<dyn Step>> {
        let backend = self.backends.get_or_absent(&params.backend);
        let thing = ExternalId(params.external_id.clone());
        let kind = params.kind;
        let off = || attaching(kind, thing.clone(), None);
        let on = |host: &str| attaching(kind, thing.clone(), Some(ExternalId(host.to_owned())));
        match &params.what {
            What::Restart => {
                let call = Call::RestartServer { server: thing };
                step("restart", backend, Undo::Nothing, call)
            }
            What::TakeSnapshot { project, name, .. } => {
                let spec = SnapshotSpec {
                    project: ExternalId(project.clone()),
                    volume: thing,
                    name: name.clone(),
                };
                let call: MakeCall =
                    Box::new(move |_| Ok(Call::CreateSnapshot { spec: spec.clone() }));
                let step = CallStep::boxed("snapshot", backend.clone(), Undo::Delete, call);
                // A snapshot takes no quota here, and room in the cloud.
                let whose = Whose::Of(params.resource.clone());
                vec![Limited::boxed(step, backend, whose)]
            }
            What::DeleteSnapshot { external_id, .. } => {
                let snapshot = ExternalId(external_id.clone());
                let call = Call::DeleteSnapshot { snapshot };
                step("delete", backend, Undo::Nothing, call)
            }
            What::Attach {
                host_external_id, ..
            } => step("attach", backend, back(off()), on(host_external_id)),
            // Given up half way it hangs where our rows say that it hangs.
            What::Detach {
                host_external_id, ..
            } => step("detach", backend, back(on(host_external_id)), off()),
            What::SetRules { rules, before, .. } => {
                let set = |rules: &[AccessRule]| Call::SetServerRules {
                    server: thing.clone(),
                    rules: rules.to_vec(),
                };
                step("rules", backend, back(set(before)), set(rules))
            }
            What::NewPassword => {
                let call = Call::RenewPassword { server: thing };
                step("password", backend, Undo::Nothing, call)
            }
            What::Reinstall { image, key, .. } => {
                let call = reinstall::call(thing, image, key.as_deref());
                step(reinstall::STEP, backend, Undo::Cancel, call)
            }
        }
    }

    async fn ended(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        ended: &Ended<'_, Params>,
    ) -> Result<(), StorageError> {
        let params = ended.params;
        let mut parts: Vec<&ResourceId> = params.what.others().iter().collect();
        parts.push(&params.resource);
        parts.sort();
        // The row first, as whoever begins something locks it.
        for id in &parts {
            resource_action::lock(tx, id).await?;
        }
        // All stay busy until an operator has cleaned up.
        let unsure = matches!(ended.end, End::Residue(_)) && params.what.doubtful();
        if !unsure {
            for id in &parts {
                resource_action::end(tx, id, ended.saga).await?;
            }
        }
        // Undone, too, it was open for a while.
        if matches!(params.what, What::SetRules { .. }) {
            access_rule::told(tx, cx, params).await?;
        }
        let scope = Scope::system(cx)
            .map_err(|e| StorageError::inconsistent("saga", "actor", ended.saga.as_str(), e))?;
        let Some(found) = resource::get(tx, &scope, &params.resource).await? else {
            return Ok(());
        };
        if *ended.end == End::Done {
            // Of what was given back meanwhile only the snapshots' rows are still to be written.
            let mut stands = found.service != ServiceState::Released;
            if let Some(host) = params.what.host() {
                let host = resource::get(tx, &scope, host).await?;
                stands &= host.is_some_and(|h| h.service != ServiceState::Released);
            }
            done(tx, cx, ended, &found, stands).await?;
        } else {
            failed(tx, cx, ended, &found).await?;
        }
        change::touch(tx, cx, &format!("unit:{}", found.unit)).await
    }
}

async fn done(
    tx: &mut Tx,
    cx: &Cx,
    ended: &Ended<'_, Params>,
    found: &resource::Resource,
    stands: bool,
) -> Result<(), StorageError> {
    let params = ended.params;
    match &params.what {
        What::TakeSnapshot { snapshot, .. } => {
            let made: Option<Object> = ended
                .outputs
                .get("snapshot")
                .and_then(|value| serde_json::from_value(value.clone()).ok());
            match made {
                Some(object) => snapshot::made(tx, snapshot, object.id().as_str()).await?,
                // Deleted behind our back before we could write it down.
                None => snapshot::gone(tx, snapshot, cx.now()).await?,
            }
        }
        What::DeleteSnapshot { snapshot, .. } => snapshot::gone(tx, snapshot, cx.now()).await?,
        What::Restart
        | What::Attach { .. }
        | What::Detach { .. }
        | What::SetRules { .. }
        | What::NewPassword
        | What::Reinstall { .. } => {}
    }
    if !stands {
        return Ok(());
    }
    let event = match &params.what {
        What::Restart => EventKind::Restarted,
        What::TakeSnapshot { .. } => EventKind::SnapshotTaken,
        What::DeleteSnapshot { .. } => EventKind::SnapshotDeleted,
        What::Attach { host, .. } => {
            resource::attach(tx, found, Some(host)).await?;
            EventKind::Attached
        }
        What::Detach { .. } => {
            resource::attach(tx, found, None).await?;
            EventKind::Detached
        }
        What::SetRules { change, .. } => {
            access_rule::written(tx, cx, params, change).await?;
            EventKind::RulesChanged
        }
        What::NewPassword => {
            if !access_rule::password_renewed(tx, cx, ended).await? {
                return failed(tx, cx, ended, found).await;
            }
            let msg = Msg::new("resource.password_waits").with("name", found.name.clone());
            let link = format!("/resources/{}", found.id);
            notice::send(tx, cx, &params.actor, &msg, &link).await?;
            EventKind::PasswordRenewed
        }
        What::Reinstall { key, .. } => {
            if !reinstall::written(tx, cx, ended, found, key.as_deref()).await? {
                return failed(tx, cx, ended, found).await;
            }
            EventKind::Reinstalled
        }
    };
    for id in [Some(&params.resource), params.what.host()]
        .into_iter()
        .flatten()
    {
        resource::add_event(tx, &cx.id(), id, event, params.actor.as_str(), cx.now()).await?;
    }
    Ok(())
}

async fn failed(
    tx: &mut Tx,
    cx: &Cx,
    ended: &Ended<'_, Params>,
    found: &resource::Resource,
) -> Result<(), StorageError> {
    let params = ended.params;
    let reason = ended.why();
    let said = match &params.what {
        What::Restart => "resource.restart_failed",
        What::TakeSnapshot { snapshot, .. } => {
            if matches!(ended.end, End::Residue(_)) {
                snapshot::set_state(tx, snapshot, SnapshotState::Left).await?;
            } else {
                snapshot::gone(tx, snapshot, cx.now()).await?;
            }
            "resource.snapshot_failed"
        }
        What::DeleteSnapshot { snapshot, .. } => {
            snapshot::set_state(tx, snapshot, SnapshotState::Ready).await?;
            "resource.delete_snapshot_failed"
        }
        What::Attach { .. } => "resource.attach_failed",
        What::Detach { .. } => "resource.detach_failed",
        What::SetRules { .. } => "resource.rules_failed",
        What::NewPassword => "resource.password_failed",
        What::Reinstall { .. } => reinstall::failed(tx, cx, params, &reason).await?,
    };
    let msg = Msg::new(said)
        .with("name", found.name.clone())
        .with("reason", reason);
    let link = format!("/resources/{}", params.resource);
    notice::send(tx, cx, &params.actor, &msg, &link).await?;
    Ok(())
}
