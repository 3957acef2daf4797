//! Making the cloud follow the portal again: what is missing is built anew under the same resource,
//! what was changed is changed back.
//!
//! The resource keeps its row, its price and its quota; only the cloud's name for it and its address
//! change, in the transaction that ends the saga; its unit is told the address that was and the one
//! that is. The operation ids are the saga's own: those of the
//! order stand for what was lost.

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{BackupPlanSpec, Call, ExternalId, Object, PoolRef, Provisioner, ServerSize},
};
use lingbao_model::{
    access_rule::AccessRule,
    catalogue::Fulfiller,
    id::{DifferenceId, ResourceId, UserId},
    msg::Msg,
    people::Role,
    resource::{EventKind, ServiceState},
    view::difference::Closing,
};
use serde::{Deserialize, Serialize};

use super::CompareCloud;
use crate::{
    app::Cx,
    authz::Scope,
    error::StorageError,
    fulfil::{
        build::{self, Attach},
        pieces,
        step::{CallStep, MakeCall, Undo, id_of, keep_password},
    },
    jobs,
    saga::{End, Ended, Saga, Step, StepCx},
    service::notice,
    storage::{
        Tx, access_rule, change, difference,
        resource::{self, Resource},
        resource_action, snapshot,
    },
};

// ---- params

/// What one saga puts right. Written once when it starts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Params {
    /// The difference.
    pub difference: DifferenceId,
    /// The resource.
    pub resource: ResourceId,
    /// The operator.
    pub actor: UserId,
    /// The backend.
    pub backend: String,
    /// What is built anew: one piece, that of the resource.
    pub build: Option<build::Params>,
    /// What is done, in this order.
    pub works: Vec<Work>,
    /// Whether nothing else is different.
    pub whole: bool,
}

/// Something in the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "thing", rename_all = "snake_case")]
pub enum Thing {
    /// What this saga makes.
    Made,
    /// What is there.
    There {
        /// The backend's name for it.
        external_id: String,
    },
}

pub(super) fn there(external_id: impl Into<String>) -> Thing {
    Thing::There {
        external_id: external_id.into(),
    }
}

/// One work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum Work {
    /// Builds the resource anew.
    Make,
    /// Gives a server its size back.
    Resize {
        /// Which.
        server: Thing,
        /// Cores.
        vcpus: u32,
        /// Memory.
        memory_gb: u32,
    },
    /// Restarts a server, out of an error too.
    Restart {
        /// Which.
        server: Thing,
    },
    /// Gives a disk the size that was sold.
    Extend {
        /// Which.
        volume: Thing,
        /// GiB.
        size_gb: u32,
    },
    /// Lets in to a server what its owner has let in.
    Rules {
        /// Which.
        server: Thing,
        /// All of them.
        rules: Vec<AccessRule>,
    },
    /// Takes a disk off whatever it hangs on.
    Detach {
        /// Which.
        volume: Thing,
    },
    /// Attaches a disk.
    Attach {
        /// Which.
        volume: Thing,
        /// To which.
        server: Thing,
    },
    /// Leads an address to a server, or to nowhere.
    Lead {
        /// Which.
        address: Thing,
        /// To which.
        server: Option<Thing>,
    },
    /// Backs up what this saga makes, as a plan did that lost its server.
    Plan {
        /// The resource that is the plan.
        resource: ResourceId,
        /// Hours between two backups.
        every_hours: u32,
        /// Days that one is kept.
        keep_days: u32,
    },
    /// Lets a plan run as it was ordered.
    Replan {
        /// Which.
        plan: Thing,
        /// Hours between two backups.
        every_hours: u32,
        /// Days that one is kept.
        keep_days: u32,
    },
    /// Deletes the plan that lost its server.
    Drop {
        /// The backend's name for it.
        plan: String,
    },
    /// Switches a server.
    Switch {
        /// Which.
        server: Thing,
        /// On or off.
        on: bool,
    },
}

impl Work {
    fn name(&self, index: usize, made: &str) -> String {
        let verb = match self {
            Self::Make => return made.to_owned(),
            Self::Resize { .. } => "resize",
            Self::Restart { .. } => "restart",
            Self::Extend { .. } => "extend",
            Self::Rules { .. } => "rules",
            Self::Detach { .. } => "detach",
            Self::Attach { .. } => "attach",
            Self::Lead { .. } => "associate",
            Self::Plan { .. } => "backup",
            Self::Replan { .. } => "plan",
            Self::Drop { .. } => "drop",
            Self::Switch { on: true, .. } => "start",
            Self::Switch { on: false, .. } => "stop",
        };
        format!("{verb}-{}", index + 1)
    }
}

// ---- definition

/// The saga.
pub struct Mend {
    backends: Arc<Backends>,
}

impl Mend {
    /// A saga that mends at these backends.
    #[must_use]
    pub const fn new(backends: Arc<Backends>) -> Self {
        Self { backends }
    }
}

/// Name of the step that builds anew.
fn made(params: &Params) -> String {
    let piece = params.build.as_ref().and_then(|build| build.pieces.first());
    piece.map_or_else(String::new, |piece| pieces::make_name(0, piece.kind))
}

fn id(thing: Thing, made: String) -> impl Fn(&StepCx) -> Result<ExternalId, String> {
    move |cx| match &thing {
        Thing::Made => id_of(cx, &made),
        Thing::There { external_id } => Ok(ExternalId(external_id.clone())),
    }
}

impl Params {
    fn step(
        &self,
        index: usize,
        work: &Work,
        backend: &Arc<dyn Provisioner>,
    ) -> Option<Box<dyn Step>> {
        let made = made(self);
        let name = work.name(index, &made);
        let of = |thing: &Thing| id(thing.clone(), made.clone());
        let (undo, call): (Undo, MakeCall) = match work.clone() {
            Work::Make => {
                let build = self.build.as_ref()?;
                let (site, piece) = (build.site.clone()?, build.pieces.first()?.clone());
                let pool = PoolRef(site.backend_pool);
                let preset = site.security_preset;
                let make = move |cx: &StepCx| match (piece.kind, &piece.attach) {
                    (Fulfiller::Volume, _) => pieces::volume_call(cx, &piece, &pool),
                    (Fulfiller::Address, _) => pieces::address_call(cx, &piece, &pool),
                    (Fulfiller::Backup, Some(Attach::Built { external_id, .. })) => {
                        pieces::plan_call(cx, &piece, ExternalId(external_id.clone()))
                    }
                    (Fulfiller::Backup, _) => Err("server to back up".to_owned()),
                    (Fulfiller::Server | Fulfiller::People, _) => {
                        pieces::server_call(cx, &piece, &pool, &preset)
                    }
                };
                (Undo::Delete, Box::new(make))
            }
            Work::Resize {
                server,
                vcpus,
                memory_gb,
            } => {
                let server = of(&server);
                let make = move |cx: &StepCx| {
                    Ok(Call::ResizeServer {
                        server: server(cx)?,
                        size: ServerSize { vcpus, memory_gb },
                    })
                };
                (Undo::Nothing, Box::new(make))
            }
            Work::Restart { server } => {
                let server = of(&server);
                let make = move |cx: &StepCx| {
                    Ok(Call::RestartServer {
                        server: server(cx)?,
                    })
                };
                (Undo::Nothing, Box::new(make))
            }
            Work::Extend { volume, size_gb } => {
                let volume = of(&volume);
                let make = move |cx: &StepCx| {
                    Ok(Call::ExtendVolume {
                        volume: volume(cx)?,
                        size_gb,
                    })
                };
                (Undo::Nothing, Box::new(make))
            }
            Work::Rules { server, rules } => {
                let server = of(&server);
                let make = move |cx: &StepCx| {
                    Ok(Call::SetServerRules {
                        server: server(cx)?,
                        rules: rules.clone(),
                    })
                };
                // Of one that was built they go with it; of one that stands they are what its owner said.
                (Undo::Nothing, Box::new(make))
            }
            Work::Detach { volume } => {
                let volume = of(&volume);
                let make = move |cx: &StepCx| {
                    Ok(Call::DetachVolume {
                        volume: volume(cx)?,
                    })
                };
                (Undo::Nothing, Box::new(make))
            }
            Work::Attach { volume, server } => {
                let (back, volume, server) = (of(&volume), of(&volume), of(&server));
                let make = move |cx: &StepCx| {
                    Ok(Call::AttachVolume {
                        volume: volume(cx)?,
                        server: server(cx)?,
                    })
                };
                let undo = move |cx: &StepCx| Ok(Call::DetachVolume { volume: back(cx)? });
                (Undo::Call(Box::new(undo)), Box::new(make))
            }
            Work::Lead { address, server } => {
                let (back, address) = (of(&address), of(&address));
                let server = server.as_ref().map(of);
                let make = move |cx: &StepCx| {
                    Ok(Call::AssociateAddress {
                        address: address(cx)?,
                        server: server.as_ref().map(|server| server(cx)).transpose()?,
                    })
                };
                let undo = move |cx: &StepCx| {
                    Ok(Call::AssociateAddress {
                        address: back(cx)?,
                        server: None,
                    })
                };
                (Undo::Call(Box::new(undo)), Box::new(make))
            }
            Work::Plan {
                every_hours,
                keep_days,
                ..
            } => {
                let target = of(&Thing::Made);
                let make = move |cx: &StepCx| {
                    Ok(Call::CreateBackupPlan {
                        spec: BackupPlanSpec {
                            project: id_of(cx, "project")?,
                            target: target(cx)?,
                            every_hours,
                            keep_days,
                        },
                    })
                };
                (Undo::Delete, Box::new(make))
            }
            Work::Replan {
                plan,
                every_hours,
                keep_days,
            } => {
                let plan = of(&plan);
                let make = move |cx: &StepCx| {
                    Ok(Call::ChangeBackupPlan {
                        plan: plan(cx)?,
                        every_hours,
                        keep_days,
                    })
                };
                (Undo::Nothing, Box::new(make))
            }
            Work::Drop { plan } => {
                let plan = ExternalId(plan);
                let make = move |_: &StepCx| Ok(Call::DeleteBackupPlan { plan: plan.clone() });
                (Undo::Nothing, Box::new(make))
            }
            Work::Switch { server, on } => {
                let server = of(&server);
                let make = move |cx: &StepCx| {
                    let server = server(cx)?;
                    Ok(if on {
                        Call::StartServer { server }
                    } else {
                        Call::StopServer { server }
                    })
                };
                (Undo::Nothing, Box::new(make))
            }
        };
        Some(CallStep::boxed(name, backend.clone(), undo, call))
    }
}

#[async_trait]
impl Saga for Mend {
    const KIND: &'static str = "mend";
    const VERSION: i64 = 1;
    type Params = Params;

    fn steps(&self, params: &Params) -> Vec<Box<dyn Step>> {
        let backend = self.backends.get_or_absent(&params.backend);
        let mut steps = Vec::new();
        if let Some(build) = &params.build
            && let Some(site) = &build.site
        {
            steps.push(pieces::project_step(&backend, build, site));
            steps.push(pieces::network_step(&backend, site));
        }
        for (index, work) in params.works.iter().enumerate() {
            steps.extend(params.step(index, work, &backend));
        }
        steps
    }

    async fn ended(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        ended: &Ended<'_, Params>,
    ) -> Result<(), StorageError> {
        let params = ended.params;
        // The row first, as whoever begins something locks it.
        resource_action::lock(tx, &params.resource).await?;
        // What is left in the cloud keeps it busy until an operator has cleaned up.
        if !matches!(ended.end, End::Residue(_)) {
            resource_action::end(tx, &params.resource, ended.saga).await?;
        }
        let is_rules = |work: &Work| matches!(work, Work::Rules { .. });
        if params.works.iter().any(is_rules) {
            access_rule::moved(tx, &params.resource).await?;
        }
        let scope = Scope::system(cx)
            .map_err(|e| StorageError::inconsistent("saga", "actor", ended.saga.as_str(), e))?;
        let Some(found) = resource::get(tx, &scope, &params.resource).await? else {
            return Ok(());
        };
        // Given back meanwhile, what was built is nobody's: the next round says so.
        if *ended.end == End::Done && found.service != ServiceState::Released {
            let object = |name: &str| -> Option<Object> {
                let output = ended.outputs.get(name)?;
                serde_json::from_value(output.clone()).ok()
            };
            if let Some(object) = object(&made(params)) {
                rebuilt(tx, cx, &found, &object, &params.actor).await?;
            }
            for (index, work) in params.works.iter().enumerate() {
                if let Work::Plan { resource: of, .. } = work
                    && let Some(plan) = object(&work.name(index, ""))
                    && let Some(row) = resource::get(tx, &scope, of).await?
                    && row.service != ServiceState::Released
                {
                    resource::rebuilt(tx, &row, plan.id().as_str(), None).await?;
                }
            }
            if params.whole {
                let (id, by) = (&params.difference, Some(&params.actor));
                difference::close(tx, id, Closing::Restored, by, cx.now()).await?;
            }
        } else if *ended.end != End::Done {
            let reason = ended.why();
            let msg = Msg::new("difference.restore_failed")
                .with("name", found.name.clone())
                .with("reason", reason);
            let link = format!("/operations/differences/{}", params.difference);
            notice::send(tx, cx, &params.actor, &msg, &link).await?;
        }
        // What hung on it may agree again too.
        let backend = params.backend.clone();
        jobs::enqueue(tx, cx, &CompareCloud { backend }).await?;
        change::touch(tx, cx, &format!("unit:{}", found.unit)).await
    }
}

/// The resource is what was just built; its unit hears of it.
async fn rebuilt(
    tx: &mut Tx,
    cx: &Cx,
    found: &Resource,
    object: &Object,
    by: &UserId,
) -> Result<(), StorageError> {
    let address = match object {
        Object::Server(server) => Some(server.private_address.to_string()),
        Object::Address(it) => Some(it.address.to_string()),
        _ => None,
    };
    resource::rebuilt(tx, found, object.id().as_str(), address.as_deref()).await?;
    if found.kind == Fulfiller::Volume {
        // No cloud deletes a disk that has snapshots: they went before it.
        snapshot::all_gone(tx, &found.id, cx.now()).await?;
    }
    resource::add_event(
        tx,
        &cx.id(),
        &found.id,
        EventKind::Restored,
        by.as_str(),
        cx.now(),
    )
    .await?;
    if let Object::Server(server) = object {
        keep_password(tx, cx, &found.id, server).await?;
    }
    let msg = told(found, address).with("name", found.name.clone());
    let link = format!("/resources/{}", found.id);
    notice::send_to_role(tx, cx, Role::Applicant, &found.unit, &msg, &link)
        .await
        .map(|_| ())
}

/// What the unit hears of what was built anew: of a public address which one it was and is, since
/// names and lists elsewhere say the old one.
fn told(found: &Resource, address: Option<String>) -> Msg {
    match found.kind {
        Fulfiller::Server | Fulfiller::People => Msg::new("notice.rebuilt"),
        Fulfiller::Volume => Msg::new("notice.rebuilt_volume"),
        Fulfiller::Backup => Msg::new("notice.rebuilt_backup"),
        Fulfiller::Address if address == found.address => {
            Msg::new("notice.rebuilt_address_same").with("after", address.unwrap_or_default())
        }
        Fulfiller::Address => Msg::new("notice.rebuilt_address")
            .with("before", found.address.clone().unwrap_or_default())
            .with("after", address.unwrap_or_default()),
    }
}
