//! Machines, disks and addresses, wherever they come from.
//!
//! ```ignore
//! let made = backend.create_server(&op, spec).await;
//! match made {
//!     Outcome::Done(server) => …,
//!     Outcome::Running { poll, .. } => …,            // later: backend.poll(&poll)
//!     Outcome::Refused(refusal) => …,                // nothing was made
//!     Outcome::Unreachable(_) => …,                  // call again
//!     Outcome::NotSent { after, .. } => …,           // call again, after so many seconds
//!     Outcome::Unknown(_) => backend.find_by_operation(&op).await,
//! }
//! ```
//!
//! Things to note:
//! - The same [`OperationId`] twice is one act: one object, never two. With another call under the
//!   same id it is refused as a conflict.
//! - [`Provisioner::cancel`] leaves a tombstone: after it no call under that id makes anything, not
//!   even one that is still on its way. What had been made before is named, to be deleted.
//! - Deleting what is not there is `Done`.
//! - A call is refused as a conflict while its server is between two states; deleting is always
//!   possible.
//! - A backend writes [`Provisioner::execute`]; the typed calls come with the trait.
mod capability;
mod cidr;
pub mod http;
mod offer;
pub mod openstack;
pub mod outcome;
pub mod people;
pub mod simulator;
pub mod spec;
mod state;

use std::collections::BTreeMap;

use async_trait::async_trait;
use lingbao_model::access_rule::{self, AccessRule, Opening};
use serde::{Deserialize, Serialize};

pub use capability::*;
pub use offer::*;
pub use outcome::{
    Finding, LONGEST_AFTER, OperationId, OperationState, Outcome, PollToken, ReadError, Refusal,
    RefusalReason, Wrong,
};
pub use spec::*;
pub use state::*;

/// Where something stands that was made for no pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stands {
    /// The cloud's own word for the place: in OpenStack an availability zone.
    pub zone: String,
    /// The pools that are there.
    pub pools: Vec<PoolRef>,
}

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident $body:tt,)*) => {
        /// Everything that changes something.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "call", rename_all = "snake_case")]
        pub enum Call { $($(#[$doc])* $name $body,)* }

        /// The kinds of calls.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum CallKind { $($(#[$doc])* $name,)* }

        impl CallKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }

        impl Call {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> CallKind {
                match self { $(Self::$name { .. } => CallKind::$name,)* }
            }
        }
    };
}

calls! {
    /// A project by its key, made if it is not there.
    EnsureProject { #[doc = "What."] spec: ProjectSpec },
    /// Sets a project's limits.
    SetProjectQuota { #[doc = "Whose."] project: ExternalId, #[doc = "Limits."] quota: ProjectQuota },
    /// A network by its key, made if it is not there.
    EnsureNetwork { #[doc = "What."] spec: NetworkSpec },
    /// Makes a server.
    CreateServer { #[doc = "What."] spec: ServerSpec },
    /// Changes a server's size.
    ResizeServer { #[doc = "Which."] server: ExternalId, #[doc = "To what."] size: ServerSize },
    /// Switches a server on.
    StartServer { #[doc = "Which."] server: ExternalId },
    /// Switches a server off.
    StopServer { #[doc = "Which."] server: ExternalId },
    /// Restarts a running server. One in an error state is switched off and on again, which may help.
    RestartServer { #[doc = "Which."] server: ExternalId },
    /// Lets in to a server, beside its preset, exactly what these rules say: the whole set, so that
    /// twice is once.
    SetServerRules { #[doc = "Which."] server: ExternalId, #[doc = "What."] rules: Vec<AccessRule> },
    /// Sets a new one-time password for the administrator of a running server; see
    /// [`Server::one_time_password`].
    RenewPassword { #[doc = "Which."] server: ExternalId },
    /// Installs the system of a server anew from an image, with another way in: what its system disk
    /// held is gone. It keeps everything else and runs or stands still as before; one that an
    /// installation left in an error state runs afterwards. Once begun it can't be taken back.
    ReinstallServer { #[doc = "Which."] server: ExternalId, #[doc = "Code of the image; see [`Capabilities::makes`]."] image: String, #[doc = "How its owner gets in from then on."] access: Access },
    /// Deletes a server; its disks are detached and its addresses freed of it.
    DeleteServer { #[doc = "Which."] server: ExternalId },
    /// Makes a volume.
    CreateVolume { #[doc = "What."] spec: VolumeSpec },
    /// Makes a volume larger, attached or not; it never shrinks. Of its own size already it stays.
    ExtendVolume { #[doc = "Which."] volume: ExternalId, #[doc = "To what."] size_gb: u32 },
    /// Attaches a volume.
    AttachVolume { #[doc = "Which."] volume: ExternalId, #[doc = "To which."] server: ExternalId },
    /// Detaches a volume from whatever it is attached to.
    DetachVolume { #[doc = "Which."] volume: ExternalId },
    /// Deletes a volume that is not attached and has no snapshots.
    DeleteVolume { #[doc = "Which."] volume: ExternalId },
    /// Takes a public address.
    AllocateAddress { #[doc = "What."] spec: AddressSpec },
    /// Leads an address to a server, or (`None`) to nowhere.
    AssociateAddress { #[doc = "Which."] address: ExternalId, #[doc = "To which."] server: Option<ExternalId> },
    /// Gives an address back.
    ReleaseAddress { #[doc = "Which."] address: ExternalId },
    /// Makes a backup plan.
    CreateBackupPlan { #[doc = "What."] spec: BackupPlanSpec },
    /// Lets a backup plan run otherwise; what it has kept stays for as long as it keeps now.
    ChangeBackupPlan { #[doc = "Which."] plan: ExternalId, #[doc = "Hours between two backups, at least 1."] every_hours: u32, #[doc = "Days a backup is kept, at least 1."] keep_days: u32 },
    /// Deletes a backup plan.
    DeleteBackupPlan { #[doc = "Which."] plan: ExternalId },
    /// Keeps the state of a volume as it is now.
    CreateSnapshot { #[doc = "What."] spec: SnapshotSpec },
    /// Deletes a snapshot; the volume stays as it is.
    DeleteSnapshot { #[doc = "Which."] snapshot: ExternalId },
    /// Makes a new volume, at least as large, out of a snapshot; the old one stays as it is.
    RestoreSnapshot { #[doc = "Which."] snapshot: ExternalId, #[doc = "What."] spec: VolumeSpec },
    /// Makes a backup of a disk. A cloud that runs backup plans by itself leaves this out of its
    /// [`Capabilities`]; where it is offered, whoever made the plan makes its backups.
    CreateBackup { #[doc = "What."] spec: BackupSpec },
    /// Deletes a backup; the disk stays as it is.
    DeleteBackup { #[doc = "Which."] backup: ExternalId },
    /// Makes a new volume, at least as large, out of a backup; the disk of which it is need not be
    /// there any more.
    RestoreBackup { #[doc = "Which."] backup: ExternalId, #[doc = "What."] spec: VolumeSpec },
}

/// A cloud. See the [module](self) for the laws that each backend keeps.
#[async_trait]
pub trait Provisioner: Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &str;
    /// After a lost answer, what the call has begun has shown itself after so many milliseconds: before
    /// that, not to find it says nothing.
    fn settle_ms(&self) -> u64 {
        0
    }
    /// What it can do.
    async fn capabilities(&self) -> Result<Capabilities, ReadError>;
    /// How full a pool is; [`RefusalReason::NotFound`] if it has no such pool.
    async fn capacity(&self, pool: &PoolRef) -> Result<Capacity, ReadError>;
    /// Whether it answers.
    async fn health(&self) -> Result<(), ReadError>;
    /// Does one call under an operation id. The typed calls below are easier to use.
    async fn execute(&self, op: &OperationId, call: Call) -> Outcome<Settled>;
    /// How a running operation stands.
    async fn poll(&self, token: &PollToken) -> Outcome<Settled>;
    /// One object; `None` if it is not there.
    async fn get(&self, kind: Kind, id: &ExternalId) -> Result<Option<Object>, ReadError>;
    /// What became of an operation.
    async fn find_by_operation(&self, op: &OperationId) -> Result<OperationState, ReadError>;
    /// Makes sure that nothing more comes of an operation, and says what had come of it: always
    /// [`OperationState::Cancelled`].
    async fn cancel(&self, op: &OperationId) -> Outcome<OperationState>;
    /// The objects of a project, or of all of them, a page at a time in an order that stays the same
    /// while nothing changes. A page may be empty and still have a next one. What the portal did not
    /// make carries an empty operation. A project's quota may be left out here; `get` tells it.
    async fn list(
        &self,
        project: Option<&ExternalId>,
        cursor: Option<&str>,
    ) -> Result<Page, ReadError>;
    /// What of the configuration the backend does not have, each with the remedy; for the operator's
    /// doctor. A backend without anything to look up finds nothing.
    async fn check(&self) -> Result<Vec<Finding>, ReadError> {
        Ok(Vec::new())
    }
    /// What of a catalogue's offer the backend can't make, each with the remedy; for the operator's
    /// doctor. Images are all that every backend knows by name.
    async fn check_offered(&self, offered: &Offered) -> Result<Vec<Finding>, ReadError> {
        let there = self.capabilities().await?.makes;
        let images = offered.images.iter().map(|code| {
            let what = format!("image {code} of the catalogue");
            if there.values().any(|makes| makes.has_image(code)) {
                return Finding::fine(what);
            }
            let remedy = "give the cloud an image of this code, or take it out of the item";
            Finding::wrong(what, "the cloud has none of this code", remedy)
        });
        Ok(images.collect())
    }
    /// A link to a running server's console in the browser; `None` if the backend has none. It is a
    /// key to the host for as long as it lives: show it to the one who asked and do not keep it.
    async fn console(&self, _server: &ExternalId) -> Result<Option<Secret>, ReadError> {
        Ok(None)
    }
    /// What may come in to a server beside its preset; `None` if it is not there, or the backend does
    /// not tell.
    async fn server_rules(&self, _server: &ExternalId) -> Result<Option<LetIn>, ReadError> {
        Ok(None)
    }
    /// What may come in to all servers beside their presets: all of it or an error, never a part. To
    /// a server that is not named nothing more comes in. `None` if the backend does not tell.
    async fn all_rules(&self) -> Result<Option<BTreeMap<ExternalId, LetIn>>, ReadError> {
        Ok(None)
    }
    /// The networks of which a part is lost: all of them or an error, never a few. Ensured anew
    /// ([`Call::EnsureNetwork`]) they are whole. A backend whose networks have no parts names none.
    async fn lacking_networks(&self) -> Result<Vec<LackingNetwork>, ReadError> {
        Ok(Vec::new())
    }
    /// What a preset ([`ServerSpec::security_preset`]) lets in; `None` if there is none of that name.
    fn preset(&self, name: &str) -> Option<Vec<Opening>> {
        access_rule::preset(name)
    }
    /// How busy a server is now; `None` if it is not there or not running.
    async fn usage(&self, server: &ExternalId) -> Result<Option<Usage>, ReadError>;

    /// See [`Call::EnsureProject`].
    async fn ensure_project(&self, op: &OperationId, spec: ProjectSpec) -> Outcome<Project> {
        let done = self.execute(op, Call::EnsureProject { spec }).await;
        done.narrow(Object::into_project)
    }
    /// See [`Call::SetProjectQuota`].
    async fn set_project_quota(
        &self,
        op: &OperationId,
        project: ExternalId,
        quota: ProjectQuota,
    ) -> Outcome<Project> {
        let done = self
            .execute(op, Call::SetProjectQuota { project, quota })
            .await;
        done.narrow(Object::into_project)
    }
    /// See [`Call::EnsureNetwork`].
    async fn ensure_network(&self, op: &OperationId, spec: NetworkSpec) -> Outcome<Network> {
        let done = self.execute(op, Call::EnsureNetwork { spec }).await;
        done.narrow(Object::into_network)
    }
    /// See [`Call::CreateServer`].
    async fn create_server(&self, op: &OperationId, spec: ServerSpec) -> Outcome<Server> {
        let done = self.execute(op, Call::CreateServer { spec }).await;
        done.narrow(Object::into_server)
    }
    /// See [`Call::ResizeServer`].
    async fn resize_server(
        &self,
        op: &OperationId,
        server: ExternalId,
        size: ServerSize,
    ) -> Outcome<Server> {
        let done = self.execute(op, Call::ResizeServer { server, size }).await;
        done.narrow(Object::into_server)
    }
    /// See [`Call::StartServer`].
    async fn start_server(&self, op: &OperationId, server: ExternalId) -> Outcome<Server> {
        let done = self.execute(op, Call::StartServer { server }).await;
        done.narrow(Object::into_server)
    }
    /// See [`Call::StopServer`].
    async fn stop_server(&self, op: &OperationId, server: ExternalId) -> Outcome<Server> {
        let done = self.execute(op, Call::StopServer { server }).await;
        done.narrow(Object::into_server)
    }
    /// See [`Call::RestartServer`].
    async fn restart_server(&self, op: &OperationId, server: ExternalId) -> Outcome<Server> {
        let done = self.execute(op, Call::RestartServer { server }).await;
        done.narrow(Object::into_server)
    }
    /// See [`Call::SetServerRules`].
    async fn set_server_rules(
        &self,
        op: &OperationId,
        server: ExternalId,
        rules: Vec<AccessRule>,
    ) -> Outcome<Server> {
        let done = self
            .execute(op, Call::SetServerRules { server, rules })
            .await;
        done.narrow(Object::into_server)
    }
    /// See [`Call::RenewPassword`].
    async fn renew_password(&self, op: &OperationId, server: ExternalId) -> Outcome<Server> {
        let done = self.execute(op, Call::RenewPassword { server }).await;
        done.narrow(Object::into_server)
    }
    /// See [`Call::ReinstallServer`].
    async fn reinstall_server(
        &self,
        op: &OperationId,
        server: ExternalId,
        image: String,
        access: Access,
    ) -> Outcome<Server> {
        let call = Call::ReinstallServer {
            server,
            image,
            access,
        };
        self.execute(op, call).await.narrow(Object::into_server)
    }
    /// See [`Call::DeleteServer`].
    async fn delete_server(&self, op: &OperationId, server: ExternalId) -> Outcome<()> {
        let done = self.execute(op, Call::DeleteServer { server }).await;
        done.map(|_| ())
    }
    /// See [`Call::CreateVolume`].
    async fn create_volume(&self, op: &OperationId, spec: VolumeSpec) -> Outcome<Volume> {
        let done = self.execute(op, Call::CreateVolume { spec }).await;
        done.narrow(Object::into_volume)
    }
    /// See [`Call::ExtendVolume`].
    async fn extend_volume(
        &self,
        op: &OperationId,
        volume: ExternalId,
        size_gb: u32,
    ) -> Outcome<Volume> {
        let done = self
            .execute(op, Call::ExtendVolume { volume, size_gb })
            .await;
        done.narrow(Object::into_volume)
    }
    /// See [`Call::AttachVolume`].
    async fn attach_volume(
        &self,
        op: &OperationId,
        volume: ExternalId,
        server: ExternalId,
    ) -> Outcome<Volume> {
        let done = self
            .execute(op, Call::AttachVolume { volume, server })
            .await;
        done.narrow(Object::into_volume)
    }
    /// See [`Call::DetachVolume`].
    async fn detach_volume(&self, op: &OperationId, volume: ExternalId) -> Outcome<Volume> {
        let done = self.execute(op, Call::DetachVolume { volume }).await;
        done.narrow(Object::into_volume)
    }
    /// See [`Call::DeleteVolume`].
    async fn delete_volume(&self, op: &OperationId, volume: ExternalId) -> Outcome<()> {
        let done = self.execute(op, Call::DeleteVolume { volume }).await;
        done.map(|_| ())
    }
    /// See [`Call::AllocateAddress`].
    async fn allocate_address(&self, op: &OperationId, spec: AddressSpec) -> Outcome<Address> {
        let done = self.execute(op, Call::AllocateAddress { spec }).await;
        done.narrow(Object::into_address)
    }
    /// See [`Call::AssociateAddress`].
    async fn associate_address(
        &self,
        op: &OperationId,
        address: ExternalId,
        server: Option<ExternalId>,
    ) -> Outcome<Address> {
        let done = self
            .execute(op, Call::AssociateAddress { address, server })
            .await;
        done.narrow(Object::into_address)
    }
    /// See [`Call::ReleaseAddress`].
    async fn release_address(&self, op: &OperationId, address: ExternalId) -> Outcome<()> {
        let done = self.execute(op, Call::ReleaseAddress { address }).await;
        done.map(|_| ())
    }
    /// See [`Call::CreateBackupPlan`].
    async fn create_backup_plan(
        &self,
        op: &OperationId,
        spec: BackupPlanSpec,
    ) -> Outcome<BackupPlan> {
        let done = self.execute(op, Call::CreateBackupPlan { spec }).await;
        done.narrow(Object::into_backup_plan)
    }
    /// See [`Call::ChangeBackupPlan`].
    async fn change_backup_plan(
        &self,
        op: &OperationId,
        plan: ExternalId,
        every_hours: u32,
        keep_days: u32,
    ) -> Outcome<BackupPlan> {
        let call = Call::ChangeBackupPlan {
            plan,
            every_hours,
            keep_days,
        };
        self.execute(op, call)
            .await
            .narrow(Object::into_backup_plan)
    }
    /// See [`Call::DeleteBackupPlan`].
    async fn delete_backup_plan(&self, op: &OperationId, plan: ExternalId) -> Outcome<()> {
        let done = self.execute(op, Call::DeleteBackupPlan { plan }).await;
        done.map(|_| ())
    }
    /// See [`Call::CreateSnapshot`].
    async fn create_snapshot(&self, op: &OperationId, spec: SnapshotSpec) -> Outcome<Snapshot> {
        let done = self.execute(op, Call::CreateSnapshot { spec }).await;
        done.narrow(Object::into_snapshot)
    }
    /// See [`Call::DeleteSnapshot`].
    async fn delete_snapshot(&self, op: &OperationId, snapshot: ExternalId) -> Outcome<()> {
        let done = self.execute(op, Call::DeleteSnapshot { snapshot }).await;
        done.map(|_| ())
    }
    /// See [`Call::CreateBackup`].
    async fn create_backup(&self, op: &OperationId, spec: BackupSpec) -> Outcome<Backup> {
        let done = self.execute(op, Call::CreateBackup { spec }).await;
        done.narrow(Object::into_backup)
    }
    /// See [`Call::DeleteBackup`].
    async fn delete_backup(&self, op: &OperationId, backup: ExternalId) -> Outcome<()> {
        let done = self.execute(op, Call::DeleteBackup { backup }).await;
        done.map(|_| ())
    }
    /// See [`Call::RestoreSnapshot`].
    async fn restore_snapshot(
        &self,
        op: &OperationId,
        snapshot: ExternalId,
        spec: VolumeSpec,
    ) -> Outcome<Volume> {
        let done = self
            .execute(op, Call::RestoreSnapshot { snapshot, spec })
            .await;
        done.narrow(Object::into_volume)
    }
    /// See [`Call::RestoreBackup`].
    async fn restore_backup(
        &self,
        op: &OperationId,
        backup: ExternalId,
        spec: VolumeSpec,
    ) -> Outcome<Volume> {
        let done = self.execute(op, Call::RestoreBackup { backup, spec }).await;
        done.narrow(Object::into_volume)
    }
}
