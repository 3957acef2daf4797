//! What exists in the simulated cloud, and the sums beside it.
use std::collections::{BTreeMap, BTreeSet};

use lingbao_model::{access_rule::AccessRule, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::provisioning::{
    CallKind, ExternalId, Object, OperationId, Power, ProjectQuota, Refusal, Server,
};

/// An object, and until when it is seen between two states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// As it stands when it is not busy; holds the one-time password too.
    pub object: Object,
    pub busy_until: Timestamp,
    pub busy_as: Power,
}

impl Record {
    pub(super) fn quiet(object: Object) -> Self {
        Self {
            object,
            busy_until: Timestamp::default(),
            busy_as: Power::Changing,
        }
    }

    /// As it is seen at a moment, without or with the password.
    pub(super) fn view(&self, now: Timestamp, with_password: bool) -> Object {
        let mut object = self.object.clone();
        if let Object::Server(server) = &mut object {
            if now < self.busy_until {
                server.power = self.busy_as;
            }
            if !with_password {
                server.one_time_password = None;
            }
        }
        object
    }
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpRecord {
    /// Kind and digest of the call; `None` if it was cancelled before it came.
    pub call: Option<(CallKind, u64)>,
    pub target: Option<ExternalId>,
    pub ready_at: Timestamp,
    /// It had begun and failed.
    pub failed: Option<Refusal>,
    pub cancelled: bool,
}

/// One act's effect: a line of the log. Applying it twice changes nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Change {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub put: Vec<Record>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<ExternalId>,
    /// What may come in to these servers from here on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<(ExternalId, Vec<AccessRule>)>,
    pub op: Option<(OperationId, OpRecord)>,
}

/// Cores, memory, disk and addresses handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    pub vcpus: u64,
    pub memory_gb: u64,
    pub disk_gb: u64,
    pub addresses: u64,
    pub servers: u64,
}

impl Sum {
    fn of(object: &Object) -> Self {
        match object {
            Object::Server(s) => Self {
                vcpus: s.spec.vcpus.into(),
                memory_gb: s.spec.memory_gb.into(),
                disk_gb: s.spec.system_disk_gb.into(),
                servers: 1,
                addresses: 0,
            },
            Object::Volume(v) => Self {
                disk_gb: v.spec.size_gb.into(),
                ..Self::default()
            },
            Object::Address(_) => Self {
                addresses: 1,
                ..Self::default()
            },
            _ => Self::default(),
        }
    }

    fn add(&mut self, of: Self) {
        self.vcpus += of.vcpus;
        self.memory_gb += of.memory_gb;
        self.disk_gb += of.disk_gb;
        self.addresses += of.addresses;
        self.servers += of.servers;
    }

    fn take(&mut self, of: Self) {
        self.vcpus -= of.vcpus;
        self.memory_gb -= of.memory_gb;
        self.disk_gb -= of.disk_gb;
        self.addresses -= of.addresses;
        self.servers -= of.servers;
    }
}

/// Everything that exists. Fields are changed by [`State::apply`] alone, so that the sums are right.
#[derive(Debug, Default)]
pub(super) struct State {
    objects: BTreeMap<ExternalId, Record>,
    ops: BTreeMap<OperationId, OpRecord>,
    pools: BTreeMap<String, Sum>,
    hosts: BTreeMap<String, Sum>,
    projects: BTreeMap<ExternalId, Sum>,
    /// Public addresses taken, by pool; private ones, by network.
    addresses: BTreeMap<String, BTreeSet<u32>>,
    /// Disks, addresses and snapshots that hang on an object.
    children: BTreeMap<ExternalId, BTreeSet<ExternalId>>,
    /// What may come in to a server beside its preset, if anything.
    rules: BTreeMap<ExternalId, Vec<AccessRule>>,
}

impl State {
    pub(super) fn record(&self, id: &ExternalId) -> Option<&Record> {
        self.objects.get(id)
    }

    pub(super) fn op(&self, op: &OperationId) -> Option<&OpRecord> {
        self.ops.get(op)
    }

    pub(super) fn after(&self, id: &str) -> impl Iterator<Item = &Record> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.objects
            .range((Excluded(ExternalId::from(id)), Unbounded))
            .map(|(_, record)| record)
    }

    pub(super) fn children(&self, id: &ExternalId) -> impl Iterator<Item = &Record> {
        self.children
            .get(id)
            .into_iter()
            .flatten()
            .filter_map(|child| self.objects.get(child))
    }

    pub(super) fn rules(&self, server: &ExternalId) -> &[AccessRule] {
        self.rules.get(server).map_or(&[], Vec::as_slice)
    }

    pub(super) fn all_rules(&self) -> impl Iterator<Item = (&ExternalId, &[AccessRule])> {
        self.rules.iter().map(|(id, rules)| (id, rules.as_slice()))
    }

    pub(super) fn pool(&self, pool: &str) -> Sum {
        self.pools.get(pool).copied().unwrap_or_default()
    }

    pub(super) fn host(&self, host: &str) -> Sum {
        self.hosts.get(host).copied().unwrap_or_default()
    }

    pub(super) fn project(&self, project: &ExternalId) -> Sum {
        self.projects.get(project).copied().unwrap_or_default()
    }

    pub(super) fn quota(&self, project: &ExternalId) -> Option<ProjectQuota> {
        match &self.objects.get(project)?.object {
            Object::Project(p) => Some(p.quota),
            _ => None,
        }
    }

    /// Whether an address of this pool or network is taken.
    pub(super) fn is_taken(&self, space: &str, address: u32) -> bool {
        self.addresses
            .get(space)
            .is_some_and(|taken| taken.contains(&address))
    }

    /// Everything as one change, for a snapshot.
    pub(super) fn lines(&self) -> impl Iterator<Item = Change> {
        let objects = self.objects.values().map(|record| Change {
            put: vec![record.clone()],
            ..Change::default()
        });
        let ops = self.ops.iter().map(|(id, op)| Change {
            op: Some((id.clone(), op.clone())),
            ..Change::default()
        });
        let rules = self.rules.iter().map(|(id, rules)| Change {
            rules: vec![(id.clone(), rules.clone())],
            ..Change::default()
        });
        objects.chain(rules).chain(ops)
    }

    pub(super) fn apply(&mut self, change: Change) {
        for id in change.remove {
            if let Some(old) = self.objects.remove(&id) {
                self.uncount(&old.object);
            }
            self.rules.remove(&id);
        }
        for (id, rules) in change.rules {
            if rules.is_empty() {
                self.rules.remove(&id);
            } else {
                self.rules.insert(id, rules);
            }
        }
        for record in change.put {
            let id = record.object.id().clone();
            if let Some(old) = self.objects.remove(&id) {
                self.uncount(&old.object);
            }
            self.count(&record.object);
            self.objects.insert(id, record);
        }
        if let Some((id, op)) = change.op {
            self.ops.insert(id, op);
        }
    }

    fn count(&mut self, object: &Object) {
        let sum = Sum::of(object);
        self.projects
            .entry(object.project().clone())
            .or_default()
            .add(sum);
        if let Some(pool) = pool(object) {
            self.pools.entry(pool.to_owned()).or_default().add(sum);
        }
        if let Object::Server(Server {
            host: Some(host), ..
        }) = object
        {
            self.hosts.entry(host.clone()).or_default().add(sum);
        }
        if let Some((space, address)) = taken(object) {
            self.addresses.entry(space).or_default().insert(address);
        }
        if let Some(parent) = parent(object) {
            self.children
                .entry(parent.clone())
                .or_default()
                .insert(object.id().clone());
        }
    }

    fn uncount(&mut self, object: &Object) {
        let sum = Sum::of(object);
        if let Some(of) = self.projects.get_mut(object.project()) {
            of.take(sum);
        }
        if let Some(of) = pool(object).and_then(|pool| self.pools.get_mut(pool)) {
            of.take(sum);
        }
        if let Object::Server(Server {
            host: Some(host), ..
        }) = object
            && let Some(of) = self.hosts.get_mut(host)
        {
            of.take(sum);
        }
        if let Some((space, address)) = taken(object)
            && let Some(of) = self.addresses.get_mut(&space)
        {
            of.remove(&address);
        }
        if let Some(of) = parent(object).and_then(|parent| self.children.get_mut(parent)) {
            of.remove(object.id());
        }
    }
}

fn pool(object: &Object) -> Option<&str> {
    match object {
        Object::Server(s) => Some(s.spec.pool.as_str()),
        Object::Volume(v) => Some(v.spec.pool.as_str()),
        Object::Address(a) => Some(a.spec.pool.as_str()),
        _ => None,
    }
}

fn parent(object: &Object) -> Option<&ExternalId> {
    match object {
        Object::Volume(v) => v.attached_to.as_ref(),
        Object::Address(a) => a.associated_with.as_ref(),
        Object::Snapshot(s) => Some(&s.spec.volume),
        _ => None,
    }
}

/// Names the space in which addresses are unique.
pub(super) fn public_space(pool: &str) -> String {
    format!("pool {pool}")
}

fn taken(object: &Object) -> Option<(String, u32)> {
    match object {
        Object::Server(s) => Some((s.spec.network.0.clone(), s.private_address.into())),
        Object::Address(a) => Some((public_space(a.spec.pool.as_str()), a.address.into())),
        _ => None,
    }
}
