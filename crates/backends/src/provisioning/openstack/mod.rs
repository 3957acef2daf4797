//! A real cloud: OpenStack through its own interfaces (Keystone v3, Nova, Neutron, Cinder, Glance,
//! Placement), without a client library; `docs/decisions/0016` says why.
//!
//! Things to note:
//! - The cloud keeps everything; this process keeps nothing that it could not read again but which
//!   operations were cancelled here ([`cancel`](Provisioner::cancel) says what follows from that).
//! - An operation's object is found by one filtered request: a tag in Nova and Keystone, metadata in
//!   Cinder, the description in Neutron.
//! - What the cloud does in the background is asked for again by the same call under the same id, or
//!   by [`poll`](Provisioner::poll); both say the same.
//! - A first-time password follows from a secret and the operation (see `access`).
mod access;
mod addresses;
mod backups;
mod capacity;
mod check;
mod client;
pub mod config;
mod fallen;
mod fault;
mod keystone;
mod lacking;
mod listing;
mod lookup;
mod makes;
mod names;
mod networks;
mod offered;
mod op;
mod plans;
mod power;
mod projects;
mod reinstall;
mod resize;
mod restores;
mod routers;
mod rules;
mod security;
mod server;
mod servers;
mod sizes;
mod snapshots;
mod system_disk;
mod time;
mod version;
mod volumes;
mod watch;

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use lingbao_model::access_rule::Opening;
use serde::{Deserialize, Serialize};

pub use config::{Credential, OpenStackConfig, Rule, ZoneConfig};

use self::{
    client::Cloud,
    fault::{Answer, Fault, Flow, Stop, cancelled, outcome, refuse},
    op::{Acted, Memory},
    power::Act,
    version::Service,
};
use super::{
    Access, Call, CallKind, Capabilities, Capacity, ExternalId, Finding, Kind, LackingNetwork,
    LetIn, Object, Offered, OperationId, OperationState, Outcome, Page, PollToken, PoolRef,
    Provisioner, ReadError, RefusalReason, Secret, Server, Settled, Usage,
};
use crate::Clock;

/// A cloud. Cheap to clone; clones share tokens and memory.
#[derive(Clone)]
pub struct OpenStack {
    cloud: Arc<Cloud>,
    memory: Arc<Memory>,
}

impl fmt::Debug for OpenStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenStack({})", self.cloud.name)
    }
}

/// What a poll is asked with.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Token {
    /// How the making of something stands.
    Made { op: OperationId, kind: Kind },
    /// How an act on something stands; small, and without secrets.
    Again { op: OperationId, call: Box<Call> },
}

impl Token {
    fn text(&self) -> PollToken {
        PollToken(serde_json::to_string(self).unwrap_or_default())
    }
}

/// What needs a cinder-backup. What stands goes on being read and deleted without it.
const BACKUPS: &[CallKind] = &[
    CallKind::CreateBackupPlan,
    CallKind::ChangeBackupPlan,
    CallKind::DeleteBackupPlan,
    CallKind::CreateBackup,
    CallKind::DeleteBackup,
    CallKind::RestoreBackup,
];

/// What a call makes, if it makes something.
const fn makes(call: &Call) -> Option<Kind> {
    match call {
        Call::EnsureProject { .. } => Some(Kind::Project),
        Call::EnsureNetwork { .. } => Some(Kind::Network),
        Call::CreateServer { .. } => Some(Kind::Server),
        Call::CreateVolume { .. } => Some(Kind::Volume),
        Call::RestoreSnapshot { .. } | Call::RestoreBackup { .. } => Some(Kind::Volume),
        Call::CreateSnapshot { .. } => Some(Kind::Snapshot),
        Call::CreateBackup { .. } => Some(Kind::Backup),
        Call::CreateBackupPlan { .. } => Some(Kind::BackupPlan),
        Call::AllocateAddress { .. } => Some(Kind::Address),
        _ => None,
    }
}

/// On what a call acts, if it acts on something that is there.
fn target(call: &Call) -> Option<(Kind, &ExternalId)> {
    Some(match call {
        Call::SetProjectQuota { project, .. } => (Kind::Project, project),
        Call::ResizeServer { server, .. }
        | Call::StartServer { server }
        | Call::StopServer { server }
        | Call::RestartServer { server }
        | Call::SetServerRules { server, .. }
        | Call::RenewPassword { server }
        | Call::ReinstallServer { server, .. }
        | Call::DeleteServer { server } => (Kind::Server, server),
        Call::AttachVolume { volume, .. }
        | Call::DetachVolume { volume }
        | Call::DeleteVolume { volume } => (Kind::Volume, volume),
        Call::AssociateAddress { address, .. } | Call::ReleaseAddress { address } => {
            (Kind::Address, address)
        }
        Call::DeleteSnapshot { snapshot } => (Kind::Snapshot, snapshot),
        Call::DeleteBackup { backup } => (Kind::Backup, backup),
        Call::ChangeBackupPlan { plan, .. } | Call::DeleteBackupPlan { plan } => {
            (Kind::BackupPlan, plan)
        }
        _ => return None,
    })
}

/// Whether after a lost answer it must not be asked for again at once: it makes something, or acts on
/// a server, where a second request would do it twice, or be refused while the first is under way.
const fn must_settle(call: &Call) -> bool {
    makes(call).is_some()
        || matches!(
            call,
            Call::ResizeServer { .. }
                | Call::StartServer { .. }
                | Call::StopServer { .. }
                | Call::RestartServer { .. }
                | Call::ReinstallServer { .. }
                | Call::AttachVolume { .. }
        )
}

/// Whether the password of an operation, which is over, is one that opens the server.
fn sets_password(op: &OperationId, call: &Call, server: &Server) -> bool {
    match call {
        Call::RenewPassword { .. } => true,
        Call::ReinstallServer { access, .. } => {
            *access == Access::OneTimePassword && server.installed_by.as_ref() == Some(op)
        }
        _ => false,
    }
}

fn token(op: &OperationId, call: &Call) -> PollToken {
    let op = op.clone();
    let made = match call {
        // What is restored goes on only when it is asked for again.
        Call::RestoreBackup { .. } => None,
        // A network that waits for another's hand may be another operation's: only its key finds it.
        _ => makes(call).filter(|kind| *kind != Kind::Network),
    };
    let token = match made {
        Some(kind) => Token::Made { op, kind },
        None => Token::Again {
            op,
            call: Box::new(call.clone()),
        },
    };
    token.text()
}

impl OpenStack {
    /// A cloud by its configuration; nothing is asked of it yet.
    ///
    /// # Errors
    /// If the certificates of the authority can't be read.
    pub fn new(
        name: impl Into<String>,
        config: OpenStackConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            cloud: Arc::new(Cloud::new(&name.into(), config, clock)?),
            memory: Arc::default(),
        })
    }

    /// One object; `None` if it is not there.
    async fn object(&self, kind: Kind, id: &ExternalId) -> Answer<Option<Object>> {
        let cloud = &self.cloud;
        Ok(match kind {
            Kind::Project => cloud.get_project(id).await?,
            Kind::Network => cloud
                .network_value(id)
                .await?
                .as_ref()
                .map(networks::network),
            Kind::Server => cloud
                .server_value(id)
                .await?
                .map(|it| Object::Server(server::server_in(&it, &cloud.config.zones))),
            Kind::Volume => cloud
                .volume_value(id)
                .await?
                .map(|it| Object::Volume(volumes::volume_in(&it, &cloud.config.volume_types))),
            Kind::Address => cloud
                .address_value(id)
                .await?
                .map(|it| Object::Address(addresses::address(&it))),
            Kind::Snapshot => cloud
                .snapshot_value(id)
                .await?
                .map(|it| Object::Snapshot(snapshots::snapshot(&it))),
            Kind::Backup => cloud
                .backup_value(id)
                .await?
                .map(|it| Object::Backup(backups::backup(&it))),
            Kind::BackupPlan => cloud.plan_value(id).await?.map(Object::BackupPlan),
        })
    }

    /// Does a call, unless it is over: the same operation is one act, even when what it did has been
    /// undone by another one since.
    async fn once(&self, op: &OperationId, call: Call) -> Flow<Settled> {
        const OTHER: &str = "this operation id stands for another call";
        let acted = self.memory.acted(op);
        let Some((kind, id)) = target(&call).map(|(kind, id)| (kind, id.clone())) else {
            if acted.is_some() {
                return refuse(RefusalReason::Conflict, OTHER);
            }
            return self.dispatch(op, call).await;
        };
        let digest = op::digest(&[&serde_json::to_string(&call).unwrap_or_default()]);
        if self.memory.what(op).is_some() || acted.as_ref().is_some_and(|it| it.digest != digest) {
            return refuse(RefusalReason::Conflict, OTHER);
        }
        if acted.is_some_and(|it| it.done) {
            let mut there = self.object(kind, &id).await?;
            if let Some(Object::Server(server)) = &mut there
                && sets_password(op, &call, server)
            {
                server.one_time_password = self.cloud.password(op);
            }
            return Ok(there.map_or(Settled::Gone, |it| Settled::Present(Box::new(it))));
        }
        let flow = self.dispatch(op, call).await;
        let done = flow.is_ok();
        // What was refused, or never sent, was no act.
        if done || matches!(flow, Err(Stop::Running(_) | Stop::Fault(Fault::Lost(_)))) {
            self.memory.act(op, Acted { digest, done });
        }
        flow
    }

    async fn dispatch(&self, op: &OperationId, call: Call) -> Flow<Settled> {
        let (cloud, memory) = (&self.cloud, &*self.memory);
        match call {
            Call::EnsureProject { spec } => cloud.ensure_project(op, spec).await,
            Call::SetProjectQuota { project, quota } => cloud.set_quota(&project, quota).await,
            Call::EnsureNetwork { spec } => cloud.ensure_network(memory, op, spec).await,
            Call::CreateServer { spec } => cloud.create_server(memory, op, spec).await,
            Call::ResizeServer { server, size } => {
                cloud.act(memory, op, &server, Act::Resize(size)).await
            }
            Call::StartServer { server } => cloud.act(memory, op, &server, Act::Start).await,
            Call::StopServer { server } => cloud.act(memory, op, &server, Act::Stop).await,
            Call::RestartServer { server } => cloud.act(memory, op, &server, Act::Restart).await,
            Call::SetServerRules { server, rules } => {
                cloud.set_rules(memory, &server, &rules).await
            }
            Call::RenewPassword { server } => cloud.renew_password(op, &server).await,
            Call::ReinstallServer {
                server,
                image,
                access,
            } => cloud.reinstall(memory, op, &server, &image, &access).await,
            Call::DeleteServer { server } => cloud.delete_server(&server).await,
            Call::CreateVolume { spec } => cloud.create_volume(memory, op, spec, None).await,
            Call::ExtendVolume { volume, size_gb } => cloud.extend(&volume, size_gb).await,
            Call::AttachVolume { volume, server } => {
                cloud.attach(memory, op, &volume, &server).await
            }
            Call::DetachVolume { volume } => cloud.detach(&volume).await,
            Call::DeleteVolume { volume } => cloud.delete_volume(&volume).await,
            Call::AllocateAddress { spec } => cloud.allocate(memory, op, spec).await,
            Call::AssociateAddress { address, server } => {
                cloud.associate(memory, &address, server).await
            }
            Call::ReleaseAddress { address } => cloud.release(&address).await,
            Call::CreateSnapshot { spec } => cloud.create_snapshot(memory, op, spec).await,
            Call::DeleteSnapshot { snapshot } => cloud.delete_snapshot(&snapshot).await,
            Call::RestoreSnapshot { snapshot, spec } => {
                cloud.create_volume(memory, op, spec, Some(snapshot)).await
            }
            Call::CreateBackupPlan { spec } => cloud.create_plan(memory, op, spec).await,
            Call::ChangeBackupPlan {
                plan,
                every_hours,
                keep_days,
            } => cloud.change_plan(&plan, every_hours, keep_days).await,
            Call::DeleteBackupPlan { plan } => cloud.delete_plan(&plan).await,
            Call::CreateBackup { spec } => cloud.create_backup(memory, op, spec).await,
            Call::DeleteBackup { backup } => cloud.delete_backup(&backup).await,
            Call::RestoreBackup { backup, spec } => {
                cloud.restore_backup(memory, op, &backup, spec).await
            }
        }
    }
}

#[async_trait]
impl Provisioner for OpenStack {
    fn name(&self) -> &str {
        &self.cloud.name
    }

    fn settle_ms(&self) -> u64 {
        self.cloud.config.settle_ms
    }

    async fn capabilities(&self) -> Result<Capabilities, ReadError> {
        let config = &self.cloud.config;
        let mut calls: std::collections::BTreeSet<_> = CallKind::ALL.iter().copied().collect();
        match self.cloud.keeps_backups().await {
            Ok(true) => {}
            Ok(false) | Err(Fault::Refused(_)) => {
                for call in BACKUPS {
                    calls.remove(call);
                }
            }
            Err(fault) => return Err(fault.into()),
        }
        if !config
            .zones
            .iter()
            .any(|zone| config.external_of(zone).is_some())
        {
            calls.remove(&CallKind::AllocateAddress);
        }
        match self.cloud.nova_minor().await {
            Ok(minor) if minor >= reinstall::OF_VOLUME => {}
            Ok(_) | Err(Fault::Refused(_)) => {
                calls.remove(&CallKind::ReinstallServer);
            }
            Err(fault) => return Err(fault.into()),
        }
        Ok(Capabilities {
            calls,
            makes: self.cloud.makes().await?,
            one_time_password: config.password_secret.is_some(),
            // Nova's own figures are those of the hypervisor's driver, another set for each.
            usage: false,
            console: true,
        })
    }

    async fn capacity(&self, pool: &PoolRef) -> Result<Capacity, ReadError> {
        Ok(self.cloud.capacity(pool.as_str()).await?)
    }

    async fn health(&self) -> Result<(), ReadError> {
        self.cloud.get(Service::Compute, "/limits", &[]).await?;
        Ok(())
    }

    async fn execute(&self, op: &OperationId, call: Call) -> Outcome<Settled> {
        if let Err(refusal) = op::check(op) {
            return Outcome::Refused(refusal);
        }
        let turn = self.memory.turn(op);
        let _turn = turn.lock().await;
        if self.memory.is_cancelled(op) {
            return Outcome::Refused(cancelled(op));
        }
        let token = token(op, &call);
        // Dropped before the turn: who waits for the turn sees the doubt.
        let doubt = must_settle(&call).then(|| self.memory.in_doubt(op, self.cloud.clock.as_ref()));
        let flow = self.once(op, call).await;
        if let Some(doubt) = doubt
            && !matches!(flow, Err(Stop::Fault(Fault::Lost(_))))
        {
            doubt.known();
        }
        outcome(flow, || token)
    }

    async fn poll(&self, token: &PollToken) -> Outcome<Settled> {
        match serde_json::from_str(token.as_str()) {
            Ok(Token::Again { op, call }) => match self.execute(&op, *call).await {
                // The same act again is how one asks.
                Outcome::Unknown(why) => Outcome::Unreachable(why),
                outcome => outcome,
            },
            Ok(Token::Made { op, .. }) if self.memory.is_cancelled(&op) => {
                Outcome::Refused(cancelled(&op))
            }
            Ok(Token::Made { op, kind }) => {
                let flow = match self.making(&op, kind).await {
                    Ok(Some(settled)) => Ok(settled),
                    Ok(None)
                        if self
                            .memory
                            .settling(&op, self.cloud.now(), self.cloud.config.settle_ms)
                            .is_some() =>
                    {
                        Err(Stop::Running(1_000))
                    }
                    Ok(None) => Ok(Settled::Gone),
                    Err(stop) => Err(stop),
                };
                outcome(flow, || token.clone())
            }
            Err(_) => Outcome::refused(RefusalReason::NotFound, "not a token of this backend"),
        }
    }

    async fn get(&self, kind: Kind, id: &ExternalId) -> Result<Option<Object>, ReadError> {
        Ok(self.object(kind, id).await?)
    }

    async fn find_by_operation(&self, op: &OperationId) -> Result<OperationState, ReadError> {
        if op::check(op).is_err() {
            return Ok(OperationState::Never);
        }
        Ok(self.state(op).await?)
    }

    /// OpenStack has no tombstones: this process refuses later calls, waits for the one that is under
    /// way, waits again after a lost answer, and then names what is there. A call of another process,
    /// or one that was on its way for longer, is met by the portal's sweep, which asks
    /// [`find_by_operation`](Provisioner::find_by_operation) for a day.
    async fn cancel(&self, op: &OperationId) -> Outcome<OperationState> {
        if let Err(refusal) = op::check(op) {
            return Outcome::Refused(refusal);
        }
        self.memory.cancel(op);
        let turn = self.memory.turn(op);
        let _turn = turn.lock().await;
        let settle_ms = self.cloud.config.settle_ms;
        if let Some(retry_after_ms) = self.memory.settling(op, self.cloud.now(), settle_ms) {
            return Outcome::Running {
                poll: PollToken(op.0.clone()),
                retry_after_ms,
            };
        }
        let state = match self.state(op).await {
            // Nothing was made: it may have been a resize, which goes back if it still can.
            Ok(state @ OperationState::Cancelled { left: None }) => {
                self.cloud.take_back(op).await.map(|()| state)
            }
            state => state.map_err(Stop::from),
        };
        match state {
            Ok(state) => Outcome::Done(state),
            Err(Stop::Running(retry_after_ms)) => Outcome::Running {
                poll: PollToken(op.0.clone()),
                retry_after_ms,
            },
            Err(Stop::Fault(Fault::NotSent(why) | Fault::Lost(why))) => Outcome::Unreachable(why),
            Err(Stop::Fault(Fault::TurnedAway { why, after })) => Outcome::NotSent { why, after },
            Err(Stop::Fault(Fault::Refused(refusal))) => Outcome::Refused(refusal),
        }
    }

    async fn list(
        &self,
        project: Option<&ExternalId>,
        cursor: Option<&str>,
    ) -> Result<Page, ReadError> {
        Ok(self.cloud.page(project, cursor).await?)
    }

    async fn check(&self) -> Result<Vec<Finding>, ReadError> {
        Ok(self.cloud.check().await?)
    }

    async fn check_offered(&self, offered: &Offered) -> Result<Vec<Finding>, ReadError> {
        Ok(self.cloud.check_offered(offered).await)
    }

    async fn console(&self, server: &ExternalId) -> Result<Option<Secret>, ReadError> {
        Ok(Some(self.cloud.console(server).await?))
    }

    async fn server_rules(&self, server: &ExternalId) -> Result<Option<LetIn>, ReadError> {
        Ok(self.cloud.rules_of(server).await?)
    }

    async fn all_rules(&self) -> Result<Option<BTreeMap<ExternalId, LetIn>>, ReadError> {
        Ok(Some(self.cloud.all_rules().await?))
    }

    async fn lacking_networks(&self) -> Result<Vec<LackingNetwork>, ReadError> {
        Ok(self.cloud.lacking_networks().await?)
    }

    fn preset(&self, name: &str) -> Option<Vec<Opening>> {
        let rules = self.cloud.preset(name)?;
        Some(rules.iter().filter_map(Rule::opening).collect())
    }

    async fn usage(&self, _: &ExternalId) -> Result<Option<Usage>, ReadError> {
        Ok(None)
    }
}
