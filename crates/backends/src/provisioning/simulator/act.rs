//! What a call does to the simulated cloud: pure decisions, from a state to a [`Change`].
use std::net::Ipv4Addr;

use lingbao_model::{access_rule::AccessRule, time::Timestamp};

use super::{
    chance,
    config::{PoolConfig, SimulatorConfig},
    state::{Change, Record, State, public_space},
};
use crate::provisioning::{
    Access, Address, AddressSpec, Call, ExternalId, Kind, Network, NetworkSpec, Object,
    OperationId, Power, Project, ProjectQuota, ProjectSpec, Refusal, RefusalReason, Server,
    ServerSize, ServerSpec, Volume, VolumeSpec, VolumeState, cidr,
};

/// A decision: what changes, and which object the operation is about.
#[derive(Debug)]
pub(super) struct Act {
    pub change: Change,
    pub target: ExternalId,
}

pub(super) type Decision = Result<Act, Refusal>;

/// The surroundings of a decision.
pub(super) struct Deciding<'a> {
    pub config: &'a SimulatorConfig,
    pub state: &'a State,
    pub op: &'a OperationId,
    pub now: Timestamp,
    /// When it will be ready.
    pub ready_at: Timestamp,
    /// Whether building shall fail.
    pub fail: bool,
}

pub(super) fn no<T>(reason: RefusalReason, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(reason, detail))
}

pub(super) fn check(holds: bool, reason: RefusalReason, detail: &str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { no(reason, detail) }
}

pub(super) fn put(record: Record) -> Decision {
    let target = record.object.id().clone();
    Ok(Act {
        change: Change {
            put: vec![record],
            ..Change::default()
        },
        target,
    })
}

fn nothing(target: ExternalId) -> Decision {
    Ok(Act {
        change: Change::default(),
        target,
    })
}

impl Deciding<'_> {
    pub(super) fn decide(&self, call: Call) -> Decision {
        match call {
            Call::EnsureProject { spec } => self.ensure_project(spec),
            Call::SetProjectQuota { project, quota } => self.set_quota(&project, quota),
            Call::EnsureNetwork { spec } => self.ensure_network(spec),
            Call::CreateServer { spec } => self.create_server(spec),
            Call::ResizeServer { server, size } => self.resize(&server, size),
            Call::StartServer { server } => self.power(&server, Power::Active),
            Call::StopServer { server } => self.power(&server, Power::Stopped),
            Call::RestartServer { server } => self.restart(&server),
            Call::SetServerRules { server, rules } => self.set_rules(server, rules),
            Call::RenewPassword { server } => self.renew_password(server),
            Call::ReinstallServer {
                server,
                image,
                access,
            } => self.reinstall(&server, image, access),
            Call::DeleteServer { server } => self.delete_server(server),
            Call::CreateVolume { spec } => self.create_volume(spec),
            Call::ExtendVolume { volume, size_gb } => self.extend(&volume, size_gb),
            Call::AttachVolume { volume, server } => self.attach(&volume, Some(&server)),
            Call::DetachVolume { volume } => self.attach(&volume, None),
            Call::DeleteVolume { volume } => self.delete_volume(volume),
            Call::AllocateAddress { spec } => self.allocate(spec),
            Call::AssociateAddress { address, server } => self.associate(&address, server),
            Call::ReleaseAddress { address } => self.delete(address, Kind::Address),
            Call::CreateBackupPlan { spec } => self.create_plan(spec),
            Call::ChangeBackupPlan {
                plan,
                every_hours,
                keep_days,
            } => self.change_plan(&plan, every_hours, keep_days),
            Call::DeleteBackupPlan { plan } => self.delete(plan, Kind::BackupPlan),
            Call::CreateSnapshot { spec } => self.create_snapshot(spec),
            Call::DeleteSnapshot { snapshot } => self.delete(snapshot, Kind::Snapshot),
            Call::RestoreSnapshot { snapshot, spec } => self.restore(&snapshot, spec),
            Call::CreateBackup { spec } => self.create_backup(spec),
            Call::DeleteBackup { backup } => self.delete(backup, Kind::Backup),
            Call::RestoreBackup { backup, spec } => self.restore_backup(&backup, spec),
        }
    }

    pub(super) fn new_id(&self, kind: Kind) -> Result<ExternalId, Refusal> {
        let id = chance::id(self.config.seed, kind, self.op.as_str());
        check(
            self.state.record(&id).is_none(),
            RefusalReason::Conflict,
            "this operation has made an object already",
        )?;
        Ok(id)
    }

    fn pool(&self, name: &str) -> Result<&PoolConfig, Refusal> {
        self.config
            .pools
            .iter()
            .find(|pool| pool.name == name)
            .ok_or_else(|| Refusal::new(RefusalReason::NotFound, format!("no pool {name}")))
    }

    pub(super) fn object(&self, id: &ExternalId, kind: Kind) -> Result<&Record, Refusal> {
        self.state
            .record(id)
            .filter(|record| record.object.kind() == kind)
            .ok_or_else(|| Refusal::new(RefusalReason::NotFound, format!("no {kind:?} {id}")))
    }

    fn server(&self, id: &ExternalId) -> Result<&Server, Refusal> {
        match &self.object(id, Kind::Server)?.object {
            Object::Server(server) => Ok(server),
            _ => no(RefusalReason::NotFound, id.as_str()),
        }
    }

    /// A server that is not between two states.
    fn calm_server(&self, id: &ExternalId) -> Result<Server, Refusal> {
        let server = self.server(id)?.clone();
        let calm = self.object(id, Kind::Server)?.busy_until <= self.now;
        check(calm, RefusalReason::Conflict, "it is between two states")?;
        check(
            server.power != Power::Error,
            RefusalReason::Conflict,
            "the server is in an error state",
        )?;
        Ok(server)
    }

    pub(super) fn volume(&self, id: &ExternalId) -> Result<Volume, Refusal> {
        match &self.object(id, Kind::Volume)?.object {
            Object::Volume(volume) => Ok(volume.clone()),
            _ => no(RefusalReason::NotFound, id.as_str()),
        }
    }

    /// Whether the project's quota has room for so much more.
    fn quota(
        &self,
        project: &ExternalId,
        vcpus: u64,
        memory_gb: u64,
        disk_gb: u64,
        addresses: u64,
    ) -> Result<(), Refusal> {
        self.object(project, Kind::Project)?;
        let quota = self.state.quota(project).unwrap_or_default();
        let used = self.state.project(project);
        let fits = |limit: Option<u64>, used: u64, more: u64| {
            more == 0 || limit.is_none_or(|limit| used + more <= limit)
        };
        check(
            fits(quota.vcpus, used.vcpus, vcpus)
                && fits(quota.memory_gb, used.memory_gb, memory_gb)
                && fits(quota.disk_gb, used.disk_gb, disk_gb)
                && fits(quota.addresses, used.addresses, addresses),
            RefusalReason::QuotaExceeded,
            "the project's quota is used up",
        )
    }

    fn disk(&self, pool: &PoolConfig, more_gb: u32) -> Result<(), Refusal> {
        check(
            self.state.pool(&pool.name).disk_gb + u64::from(more_gb) <= pool.disk_gb,
            RefusalReason::NoCapacity,
            "the pool has no disk space left",
        )
    }

    /// The host with most free cores that has room. `leaving` is what a resized server gives back
    /// on its own host.
    fn place(
        &self,
        pool: &PoolConfig,
        size: ServerSize,
        leaving: Option<&Server>,
    ) -> Result<String, Refusal> {
        let mut best: Option<(u64, u64, String)> = None;
        for index in 0..pool.hosts {
            let name = pool.host(index);
            let mut used = self.state.host(&name);
            if let Some(old) = leaving.filter(|old| old.host.as_ref() == Some(&name)) {
                used.vcpus -= u64::from(old.spec.vcpus);
                used.memory_gb -= u64::from(old.spec.memory_gb);
            }
            let vcpus = pool.host_vcpus_total().saturating_sub(used.vcpus);
            let memory = u64::from(pool.host_memory_gb).saturating_sub(used.memory_gb);
            if vcpus < u64::from(size.vcpus) || memory < u64::from(size.memory_gb) {
                continue;
            }
            // A resized server stays where it is if it can.
            if leaving.is_some_and(|old| old.host.as_ref() == Some(&name)) {
                return Ok(name);
            }
            if best.as_ref().is_none_or(|b| (vcpus, memory) > (b.0, b.1)) {
                best = Some((vcpus, memory, name));
            }
        }
        best.map(|(_, _, name)| name)
            .ok_or_else(|| Refusal::new(RefusalReason::NoCapacity, "no host has room"))
    }

    fn ensure_project(&self, spec: ProjectSpec) -> Decision {
        check(!spec.key.is_empty(), RefusalReason::InvalidSpec, "no key")?;
        let id = chance::id(self.config.seed, Kind::Project, &spec.key);
        if self.state.record(&id).is_some() {
            return nothing(id);
        }
        put(Record::quiet(Object::Project(Project {
            id,
            spec,
            quota: ProjectQuota::default(),
            operation: self.op.clone(),
        })))
    }

    fn set_quota(&self, project: &ExternalId, quota: ProjectQuota) -> Decision {
        match &self.object(project, Kind::Project)?.object {
            Object::Project(old) => put(Record::quiet(Object::Project(Project {
                quota,
                ..old.clone()
            }))),
            _ => no(RefusalReason::NotFound, project.as_str()),
        }
    }

    fn ensure_network(&self, spec: NetworkSpec) -> Decision {
        self.object(&spec.project, Kind::Project)?;
        check(!spec.key.is_empty(), RefusalReason::InvalidSpec, "no key")?;
        cidr::parse(&spec.cidr)?;
        let key = format!("{}/{}", spec.project, spec.key);
        let id = chance::id(self.config.seed, Kind::Network, &key);
        if let Some(Object::Network(old)) = self.state.record(&id).map(|r| &r.object) {
            check(
                old.spec.cidr == spec.cidr,
                RefusalReason::Conflict,
                "the network has other addresses",
            )?;
            return nothing(id);
        }
        put(Record::quiet(Object::Network(Network {
            id,
            spec,
            operation: self.op.clone(),
        })))
    }

    fn create_server(&self, spec: ServerSpec) -> Decision {
        use RefusalReason::InvalidSpec;
        let id = self.new_id(Kind::Server)?;
        check(
            spec.vcpus > 0 && spec.memory_gb > 0 && spec.system_disk_gb > 0,
            InvalidSpec,
            "a size of nothing",
        )?;
        self.installable(&spec.image, &spec.access)?;
        let network = match &self.object(&spec.network, Kind::Network)?.object {
            Object::Network(network) if network.spec.project == spec.project => network,
            _ => return no(InvalidSpec, "the network is another project's"),
        };
        let pool = self.pool(spec.pool.as_str())?;
        self.quota(
            &spec.project,
            spec.vcpus.into(),
            spec.memory_gb.into(),
            spec.system_disk_gb.into(),
            0,
        )?;
        self.disk(pool, spec.system_disk_gb)?;
        let size = ServerSize {
            vcpus: spec.vcpus,
            memory_gb: spec.memory_gb,
        };
        let host = self.place(pool, size, None)?;
        let (first, count) = cidr::parse(&network.spec.cidr)?;
        // The first ones are the gateway's and its kin's.
        let private = self.free(network.id.as_str(), first + 4, count.saturating_sub(5))?;
        let password = (spec.access == Access::OneTimePassword)
            .then(|| chance::password(self.config.seed, self.op.as_str()));
        put(Record {
            busy_until: self.ready_at,
            busy_as: Power::Building,
            object: Object::Server(Server {
                id,
                spec,
                power: if self.fail {
                    Power::Error
                } else {
                    Power::Active
                },
                host: Some(host),
                stands: None,
                private_address: private,
                one_time_password: password,
                installed_by: None,
                created_at: self.now,
                operation: self.op.clone(),
            }),
        })
    }

    fn changing(&self, server: Server) -> Decision {
        put(Record {
            object: Object::Server(server),
            busy_until: self.ready_at,
            busy_as: Power::Changing,
        })
    }

    fn resize(&self, id: &ExternalId, size: ServerSize) -> Decision {
        let mut server = self.calm_server(id)?;
        check(
            size.vcpus > 0 && size.memory_gb > 0,
            RefusalReason::InvalidSpec,
            "a size of nothing",
        )?;
        let more = |new: u32, old: u32| u64::from(new.saturating_sub(old));
        self.quota(
            &server.spec.project,
            more(size.vcpus, server.spec.vcpus),
            more(size.memory_gb, server.spec.memory_gb),
            0,
            0,
        )?;
        let pool = self.pool(server.spec.pool.as_str())?;
        server.host = Some(self.place(pool, size, Some(&server))?);
        server.spec.vcpus = size.vcpus;
        server.spec.memory_gb = size.memory_gb;
        self.changing(server)
    }

    fn power(&self, id: &ExternalId, power: Power) -> Decision {
        let server = self.calm_server(id)?;
        if server.power == power {
            return nothing(id.clone());
        }
        self.changing(Server { power, ..server })
    }

    fn restart(&self, id: &ExternalId) -> Decision {
        let server = self.server(id)?.clone();
        let calm = self.object(id, Kind::Server)?.busy_until <= self.now;
        check(
            calm,
            RefusalReason::Conflict,
            "the server is between two states",
        )?;
        check(
            server.power != Power::Stopped,
            RefusalReason::Conflict,
            "the server does not run",
        )?;
        self.changing(Server {
            power: Power::Active,
            ..server
        })
    }

    fn set_rules(&self, id: ExternalId, rules: Vec<AccessRule>) -> Decision {
        self.calm_server(&id)?;
        Ok(Act {
            change: Change {
                rules: vec![(id.clone(), rules)],
                ..Change::default()
            },
            target: id,
        })
    }

    /// Nobody signs in to a simulated host: the password follows from the operation that set it.
    fn renew_password(&self, id: ExternalId) -> Decision {
        let server = self.calm_server(&id)?;
        check(
            server.power == Power::Active,
            RefusalReason::Conflict,
            "the server does not run",
        )?;
        nothing(id)
    }

    /// Whether a system can be installed from this image with this way in.
    fn installable(&self, image: &str, access: &Access) -> Result<(), Refusal> {
        use RefusalReason::InvalidSpec;
        let has = self.config.images.iter().any(|one| one == image);
        check(has, InvalidSpec, "no such image")?;
        let Access::SshKeys(keys) = access else {
            return Ok(());
        };
        let known = |key: &String| {
            ["ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-", "sk-"]
                .iter()
                .any(|kind| key.starts_with(kind))
        };
        check(
            !keys.is_empty() && keys.iter().all(known),
            InvalidSpec,
            "not a public key",
        )
    }

    /// What fails on the way leaves it in an error state, out of which another installation helps.
    fn reinstall(&self, id: &ExternalId, image: String, access: Access) -> Decision {
        let mut server = self.server(id)?.clone();
        let calm = self.object(id, Kind::Server)?.busy_until <= self.now;
        check(
            calm,
            RefusalReason::Conflict,
            "the server is between two states",
        )?;
        check(
            server.power != Power::Error || server.installed_by.is_some(),
            RefusalReason::Conflict,
            "the server is in an error state",
        )?;
        self.installable(&image, &access)?;
        server.power = match server.power {
            _ if self.fail => Power::Error,
            Power::Stopped => Power::Stopped,
            _ => Power::Active,
        };
        server.spec.image = image;
        server.spec.access = access;
        // That of its maker opens nothing any more.
        server.one_time_password = None;
        server.installed_by = Some(self.op.clone());
        self.changing(server)
    }

    fn delete(&self, id: ExternalId, kind: Kind) -> Decision {
        if self.object(&id, kind).is_err() {
            return nothing(id);
        }
        Ok(Act {
            change: Change {
                remove: vec![id.clone()],
                ..Change::default()
            },
            target: id,
        })
    }

    fn delete_server(&self, id: ExternalId) -> Decision {
        let freed = self.state.children(&id).map(|child| {
            let mut child = child.clone();
            match &mut child.object {
                Object::Volume(volume) => volume.attached_to = None,
                Object::Address(address) => address.associated_with = None,
                _ => {}
            }
            child
        });
        let put = freed.collect();
        let mut act = self.delete(id, Kind::Server)?;
        act.change.put = put;
        Ok(act)
    }

    pub(super) fn create_volume(&self, spec: VolumeSpec) -> Decision {
        let id = self.new_id(Kind::Volume)?;
        check(
            spec.size_gb > 0,
            RefusalReason::InvalidSpec,
            "a size of nothing",
        )?;
        let pool = self.pool(spec.pool.as_str())?;
        self.quota(&spec.project, 0, 0, spec.size_gb.into(), 0)?;
        self.disk(pool, spec.size_gb)?;
        put(Record::quiet(Object::Volume(Volume {
            id,
            spec,
            state: VolumeState::Ready,
            attached_to: None,
            operation: self.op.clone(),
        })))
    }

    fn extend(&self, id: &ExternalId, size_gb: u32) -> Decision {
        let mut volume = self.volume(id)?;
        let Some(more) = size_gb.checked_sub(volume.spec.size_gb) else {
            return no(RefusalReason::InvalidSpec, "a volume never shrinks");
        };
        if more == 0 {
            return nothing(id.clone());
        }
        let pool = self.pool(volume.spec.pool.as_str())?;
        self.quota(&volume.spec.project, 0, 0, more.into(), 0)?;
        self.disk(pool, more)?;
        volume.spec.size_gb = size_gb;
        put(Record::quiet(Object::Volume(volume)))
    }

    fn attach(&self, id: &ExternalId, to: Option<&ExternalId>) -> Decision {
        let mut volume = self.volume(id)?;
        if volume.attached_to.as_ref() == to {
            return nothing(id.clone());
        }
        if let Some(to) = to {
            let server = self.calm_server(to)?;
            check(
                volume.attached_to.is_none(),
                RefusalReason::Conflict,
                "the volume is attached to another server",
            )?;
            check(
                server.spec.project == volume.spec.project && server.spec.pool == volume.spec.pool,
                RefusalReason::InvalidSpec,
                "volume and server are of different projects or pools",
            )?;
        }
        volume.attached_to = to.cloned();
        put(Record::quiet(Object::Volume(volume)))
    }

    fn delete_volume(&self, id: ExternalId) -> Decision {
        if let Ok(volume) = self.volume(&id) {
            check(
                volume.attached_to.is_none(),
                RefusalReason::Conflict,
                "the volume is attached",
            )?;
            check(
                self.state.children(&id).next().is_none(),
                RefusalReason::Conflict,
                "the volume has snapshots",
            )?;
        }
        self.delete(id, Kind::Volume)
    }

    fn allocate(&self, spec: AddressSpec) -> Decision {
        let id = self.new_id(Kind::Address)?;
        check(
            spec.bandwidth_mbps > 0,
            RefusalReason::InvalidSpec,
            "no bandwidth",
        )?;
        let pool = self.pool(spec.pool.as_str())?;
        self.quota(&spec.project, 0, 0, 0, 1)?;
        let space = public_space(&pool.name);
        let address = self.free(&space, pool.first_address.into(), pool.addresses)?;
        put(Record::quiet(Object::Address(Address {
            id,
            spec,
            address,
            associated_with: None,
            operation: self.op.clone(),
        })))
    }

    fn associate(&self, id: &ExternalId, to: Option<ExternalId>) -> Decision {
        let Object::Address(mut address) = self.object(id, Kind::Address)?.object.clone() else {
            return no(RefusalReason::NotFound, id.as_str());
        };
        if address.associated_with == to {
            return nothing(id.clone());
        }
        if let Some(to) = &to {
            let server = self.calm_server(to)?;
            check(
                server.spec.project == address.spec.project,
                RefusalReason::InvalidSpec,
                "address and server are of different projects",
            )?;
        }
        address.associated_with = to;
        put(Record::quiet(Object::Address(address)))
    }

    fn free(&self, space: &str, first: u32, count: u32) -> Result<Ipv4Addr, Refusal> {
        (first..first.saturating_add(count))
            .find(|address| !self.state.is_taken(space, *address))
            .map(Ipv4Addr::from)
            .ok_or_else(|| Refusal::new(RefusalReason::NoAddress, "no address is free"))
    }
}
