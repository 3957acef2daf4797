//! Specifications that go in and states that come out. Units stand in the names: `_gb` is GiB,
//! `_mbps` is 10^6 bits a second.
use std::{collections::BTreeMap, fmt, net::Ipv4Addr};

use lingbao_model::{access_rule::AccessRule, time::Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    outcome::{OperationId, text_type},
    state::{Power, VolumeState},
};

text_type! {
    /// The backend's own id of an object.
    ExternalId
}
text_type! {
    /// The backend's name of a pool; in OpenStack a region with an availability zone.
    PoolRef
}

/// A text that must not reach a log: `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A tenant of the backend: one for each unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSpec {
    /// The portal's key; a second `ensure` with the same key gives the same project.
    pub key: String,
    /// For people.
    pub name: String,
}

/// Upper limits of a project in the backend; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProjectQuota {
    /// Virtual cores.
    pub vcpus: Option<u64>,
    /// Memory.
    pub memory_gb: Option<u64>,
    /// Volumes and system disks.
    pub disk_gb: Option<u64>,
    /// Public addresses.
    pub addresses: Option<u64>,
}

/// A private network of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Its project.
    pub project: ExternalId,
    /// The portal's key; a second `ensure` with the same project and key gives the same network.
    pub key: String,
    /// For people.
    pub name: String,
    /// `10.8.0.0/24`; prefix length 8 to 29.
    pub cidr: String,
}

/// A cloud host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSpec {
    /// Its project.
    pub project: ExternalId,
    /// Where it shall stand.
    pub pool: PoolRef,
    /// Its network.
    pub network: ExternalId,
    /// Host name.
    pub name: String,
    /// Virtual cores.
    pub vcpus: u32,
    /// Memory.
    pub memory_gb: u32,
    /// The volume it starts from.
    pub system_disk_gb: u32,
    /// Code of the image; see [`Capabilities::makes`].
    pub image: String,
    /// The backend's name of a flavour; `None` lets it find one by cores and memory.
    pub flavour: Option<String>,
    /// Name of a set of firewall rules the backend knows; `None` is its default.
    pub security_preset: Option<String>,
    /// How its owner gets in.
    pub access: Access,
    /// cloud-init text.
    pub user_data: Option<Secret>,
    /// Tags; the operation id is added by the backend.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// The tag of a host that tells the code of its processor architecture.
pub const ARCH: &str = "lingbao_arch";

impl ServerSpec {
    /// Code of the processor architecture; `None` takes what stands in the pool.
    #[must_use]
    pub fn arch(&self) -> Option<&str> {
        self.metadata.get(ARCH).map(String::as_str)
    }
}

/// How the owner gets into a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// With a public key, in the form of `authorized_keys`.
    SshKeys(Vec<String>),
    /// With a password that the backend makes; see [`Server::one_time_password`].
    OneTimePassword,
}

/// A change of size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSize {
    /// Virtual cores.
    pub vcpus: u32,
    /// Memory.
    pub memory_gb: u32,
}

/// A block disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSpec {
    /// Its project.
    pub project: ExternalId,
    /// Where it shall stand.
    pub pool: PoolRef,
    /// For people.
    pub name: String,
    /// Size.
    pub size_gb: u32,
    /// The backend's name of a storage class; `None` is its default.
    pub volume_type: Option<String>,
}

/// A public address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressSpec {
    /// Its project.
    pub project: ExternalId,
    /// Whose addresses.
    pub pool: PoolRef,
    /// Upper limit of traffic.
    pub bandwidth_mbps: u32,
}

/// Regular backups of a server or a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPlanSpec {
    /// Its project.
    pub project: ExternalId,
    /// What is backed up.
    pub target: ExternalId,
    /// Hours between two backups, at least 1.
    pub every_hours: u32,
    /// Days a backup is kept, at least 1.
    pub keep_days: u32,
}

/// The state of a volume at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotSpec {
    /// Its project.
    pub project: ExternalId,
    /// Of which volume; attached or not.
    pub volume: ExternalId,
    /// For people.
    pub name: String,
}

/// A copy of a disk, kept apart from it: it outlives the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSpec {
    /// Its project.
    pub project: ExternalId,
    /// Of which disk; attached or not.
    pub of: BackedUp,
    /// For people.
    pub name: String,
}

/// What a backup is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackedUp {
    /// The system disk of this server.
    SystemDisk(ExternalId),
    /// This volume.
    Volume(ExternalId),
}

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// [`Project`].
    Project,
    /// [`Network`].
    Network,
    /// [`Server`].
    Server,
    /// [`Volume`].
    Volume,
    /// [`Address`].
    Address,
    /// [`BackupPlan`].
    BackupPlan,
    /// [`Snapshot`].
    Snapshot,
    /// [`Backup`].
    Backup,
}

/// A project as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Id.
    pub id: ExternalId,
    /// As asked.
    pub spec: ProjectSpec,
    /// Limits.
    pub quota: ProjectQuota,
    /// Who made it.
    pub operation: OperationId,
}

/// A network as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Id.
    pub id: ExternalId,
    /// As asked.
    pub spec: NetworkSpec,
    /// Who made it.
    pub operation: OperationId,
}

/// A network that was finished, and of which somebody has deleted a part in the cloud itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LackingNetwork {
    /// The network.
    pub network: Network,
    /// Whether its subnet stands.
    pub subnet: bool,
    /// Whether its router stands, or it needs none.
    pub router: bool,
}

/// A server as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Id.
    pub id: ExternalId,
    /// As asked, with the size of the last resize.
    pub spec: ServerSpec,
    /// What it does.
    pub power: Power,
    /// The physical machine, if the backend tells.
    pub host: Option<String>,
    /// Where it stands, if it was made for no pool and the backend tells. Where one pool alone is
    /// there, that stands in its specification too.
    #[serde(default)]
    pub stands: Option<super::Stands>,
    /// Its address in its network; `0.0.0.0` until it has one.
    pub private_address: Ipv4Addr,
    /// Given only in answers to the operation that made it (create, poll, find by operation) and to
    /// those that set another (renew, reinstall, poll), each its own; never by `get` and `list`: show it
    /// once and do not keep it. The first one is told no more when its system was installed anew.
    pub one_time_password: Option<Secret>,
    /// The operation that last installed its system anew; `None` while it is as it was made.
    #[serde(default)]
    pub installed_by: Option<OperationId>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Who made it.
    pub operation: OperationId,
}

/// A disk as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Id.
    pub id: ExternalId,
    /// As asked, with the size and the storage class of now.
    pub spec: VolumeSpec,
    /// What it does.
    #[serde(default)]
    pub state: VolumeState,
    /// The server it is attached to.
    pub attached_to: Option<ExternalId>,
    /// Who made it.
    pub operation: OperationId,
}

/// An address as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Id.
    pub id: ExternalId,
    /// As asked.
    pub spec: AddressSpec,
    /// The address.
    pub address: Ipv4Addr,
    /// The server it leads to, or whatever else the backend says it leads to.
    pub associated_with: Option<ExternalId>,
    /// Who made it.
    pub operation: OperationId,
}

/// A backup plan as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPlan {
    /// Id.
    pub id: ExternalId,
    /// As asked.
    pub spec: BackupPlanSpec,
    /// Who made it.
    pub operation: OperationId,
}

/// A snapshot as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Id.
    pub id: ExternalId,
    /// As asked.
    pub spec: SnapshotSpec,
    /// Size of the volume at that moment.
    pub size_gb: u32,
    /// Who made it.
    pub operation: OperationId,
}

/// A backup as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Id.
    pub id: ExternalId,
    /// As asked.
    pub spec: BackupSpec,
    /// Size of the disk at that moment.
    pub size_gb: u32,
    /// Who made it.
    pub operation: OperationId,
}

/// Any object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "object", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "most things of a cloud are servers, and a page of them is read once"
)]
pub enum Object {
    /// A project.
    Project(Project),
    /// A network.
    Network(Network),
    /// A server.
    Server(Server),
    /// A volume.
    Volume(Volume),
    /// An address.
    Address(Address),
    /// A backup plan.
    BackupPlan(BackupPlan),
    /// A snapshot.
    Snapshot(Snapshot),
    /// A backup.
    Backup(Backup),
}

macro_rules! each {
    ($self:ident, $o:ident => $e:expr) => {
        match $self {
            Object::Project($o) => $e,
            Object::Network($o) => $e,
            Object::Server($o) => $e,
            Object::Volume($o) => $e,
            Object::Address($o) => $e,
            Object::BackupPlan($o) => $e,
            Object::Snapshot($o) => $e,
            Object::Backup($o) => $e,
        }
    };
}

impl Object {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &ExternalId {
        each!(self, o => &o.id)
    }

    /// The operation that made it.
    #[must_use]
    pub fn operation(&self) -> &OperationId {
        each!(self, o => &o.operation)
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Project(_) => Kind::Project,
            Self::Network(_) => Kind::Network,
            Self::Server(_) => Kind::Server,
            Self::Volume(_) => Kind::Volume,
            Self::Address(_) => Kind::Address,
            Self::BackupPlan(_) => Kind::BackupPlan,
            Self::Snapshot(_) => Kind::Snapshot,
            Self::Backup(_) => Kind::Backup,
        }
    }

    /// The project it belongs to (a project: itself).
    #[must_use]
    pub const fn project(&self) -> &ExternalId {
        match self {
            Self::Project(o) => &o.id,
            Self::Network(o) => &o.spec.project,
            Self::Server(o) => &o.spec.project,
            Self::Volume(o) => &o.spec.project,
            Self::Address(o) => &o.spec.project,
            Self::BackupPlan(o) => &o.spec.project,
            Self::Snapshot(o) => &o.spec.project,
            Self::Backup(o) => &o.spec.project,
        }
    }

    /// The project, if it is one.
    #[must_use]
    pub fn into_project(self) -> Option<Project> {
        if let Self::Project(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The network, if it is one.
    #[must_use]
    pub fn into_network(self) -> Option<Network> {
        if let Self::Network(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The server, if it is one.
    #[must_use]
    pub fn into_server(self) -> Option<Server> {
        if let Self::Server(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The volume, if it is one.
    #[must_use]
    pub fn into_volume(self) -> Option<Volume> {
        if let Self::Volume(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The address, if it is one.
    #[must_use]
    pub fn into_address(self) -> Option<Address> {
        if let Self::Address(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The backup plan, if it is one.
    #[must_use]
    pub fn into_backup_plan(self) -> Option<BackupPlan> {
        if let Self::BackupPlan(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The snapshot, if it is one.
    #[must_use]
    pub fn into_snapshot(self) -> Option<Snapshot> {
        if let Self::Snapshot(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The backup, if it is one.
    #[must_use]
    pub fn into_backup(self) -> Option<Backup> {
        if let Self::Backup(it) = self {
            Some(it)
        } else {
            None
        }
    }
}

/// How the object of an operation stands when the operation has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// It is there.
    Present(Box<Object>),
    /// It is not there (any more).
    Gone,
}

/// What a cloud lets in to a server beside its preset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LetIn {
    /// What a portal says too, in no order.
    pub rules: Vec<AccessRule>,
    /// What no portal says, in the cloud's words: other protocols, IPv6, members of a group. Somebody
    /// opened it there.
    pub others: Vec<String>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Each object once over all pages, as long as nothing changes meanwhile.
    pub objects: Vec<Object>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}
