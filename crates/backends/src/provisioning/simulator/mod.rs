//! The embedded cloud: hosts, placement, over-commit, latency and failures on order, with its own
//! state file.
//!
//! It has no timers: an operation stores the moment at which it will be ready, and who asks is told
//! how things stand at that moment. So it makes no difference whether the process lives meanwhile.
//!
//! An id follows from the operation that makes the object, so one operation can't make two.
mod act;
mod chance;
mod config;
mod copies;
mod fault;
mod log;
mod state;

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use lingbao_model::{
    access_rule::AccessRule,
    makes::{EACH, Hosts, Makes},
    time::Timestamp,
};
use rand::Rng;

pub use config::{Latency, PoolConfig, SimulatorConfig};
pub use fault::{Fault, On, What};

use self::{
    act::Deciding,
    fault::Faults,
    log::Log,
    state::{Change, OpRecord, State},
};
use super::{
    Access, Call, CallKind, Capabilities, Capacity, ExternalId, Kind, LetIn, Object, OperationId,
    OperationState, Outcome, Page, PollToken, PoolRef, Power, Provisioner, ReadError, Refusal,
    RefusalReason, Settled, Usage,
};
use crate::Clock;

/// Objects on a page of a list.
const PAGE: usize = 500;

/// The simulated cloud. Cheap to clone; clones are one cloud.
#[derive(Clone)]
pub struct Simulator(Arc<Inner>);

struct Inner {
    name: String,
    config: SimulatorConfig,
    clock: Box<dyn Clock>,
    store: Mutex<Store>,
    faults: Mutex<Faults>,
}

struct Store {
    state: State,
    log: Option<Log>,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Simulator({})", self.0.name)
    }
}

/// Nothing is opened here but by calls that a portal makes too.
fn let_in(rules: &[AccessRule]) -> LetIn {
    LetIn {
        rules: rules.to_vec(),
        others: Vec::new(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// Writes down, then makes it so.
    fn commit(&mut self, changes: Vec<Change>) -> io::Result<()> {
        if let Some(log) = &mut self.log {
            log.append(&changes)?;
        }
        for change in changes {
            self.state.apply(change);
        }
        if let Some(log) = &mut self.log
            && log.is_long()
            && let Err(error) = log.compact(&self.state)
        {
            // Nothing is lost: the log goes on growing, and the next change tries again.
            tracing::warn!(%error, "the simulator's snapshot can't be written");
        }
        Ok(())
    }
}

impl Simulator {
    /// Opens the cloud in its folder, or begins an empty one.
    ///
    /// # Errors
    /// If the state file can't be read or another process holds it.
    pub fn open(
        name: impl Into<String>,
        config: SimulatorConfig,
        clock: impl Clock,
    ) -> io::Result<Self> {
        let (log, state) = match &config.folder {
            Some(folder) => {
                let (log, state) = Log::open(folder)?;
                (Some(log), state)
            }
            None => (None, State::default()),
        };
        Ok(Self(Arc::new(Inner {
            name: name.into(),
            config,
            clock: Box::new(clock),
            store: Mutex::new(Store { state, log }),
            faults: Mutex::default(),
        })))
    }

    /// Orders a failure.
    pub fn inject(&self, fault: Fault) {
        lock(&self.0.faults).add(fault);
    }

    /// Calls off all failures.
    pub fn clear_faults(&self) {
        lock(&self.0.faults).clear();
    }

    /// Makes an initial population at once: no latency, no failures, one write for the whole batch.
    /// Idempotent like any call. Blocks; a refused call does not stop the others. If the batch can't
    /// be written down, all are `Unknown` and the cloud changes nothing more until it is opened anew.
    #[must_use]
    pub fn seed(&self, calls: Vec<(OperationId, Call)>) -> Vec<Outcome<Settled>> {
        let now = self.0.clock.now();
        let mut store = lock(&self.0.store);
        let mut changes = Vec::new();
        let mut outcomes = Vec::new();
        for (op, call) in calls {
            let outcome = match self.0.decide(&store.state, now, &op, call, 0, None) {
                Ok(Some(change)) => {
                    // Later calls of the batch refer to it.
                    store.state.apply(change.clone());
                    changes.push(change);
                    self.0.settled(&store.state, now, &op)
                }
                Ok(None) => self.0.settled(&store.state, now, &op),
                Err(refusal) => Outcome::Refused(refusal),
            };
            outcomes.push(outcome);
        }
        // Applied already; to apply a change twice changes nothing.
        if let Err(error) = store.commit(changes) {
            if let Some(log) = &mut store.log {
                log.close();
            }
            return vec![Outcome::Unknown(error.to_string()); outcomes.len()];
        }
        outcomes
    }

    async fn blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Inner) -> T + Send + 'static,
    ) -> Result<T, String> {
        let inner = self.0.clone();
        tokio::task::spawn_blocking(move || f(&inner))
            .await
            .map_err(|error| error.to_string())
    }

    async fn reading(&self) -> Result<(), ReadError> {
        let hit = lock(&self.0.faults).hit(None);
        match hit {
            Some(What::Slow { ms }) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Some(What::Unreachable) => {
                return Err(ReadError::Unreachable("ordered by a fault".into()));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Inner {
    fn latency_ms(&self, kind: CallKind, op: &OperationId) -> u64 {
        let Latency {
            build_server_ms,
            change_server_ms,
            other_ms,
            jitter_percent,
        } = self.config.latency;
        let base = match kind {
            CallKind::CreateServer | CallKind::ReinstallServer => build_server_ms,
            CallKind::ResizeServer
            | CallKind::StartServer
            | CallKind::StopServer
            | CallKind::RestartServer => change_server_ms,
            CallKind::EnsureProject | CallKind::SetProjectQuota | CallKind::EnsureNetwork => 0,
            _ => other_ms,
        };
        let most = base.saturating_mul(jitter_percent) / 100;
        base + chance::generator(self.config.seed, "latency", op.as_str()).random_range(0..=most)
    }

    /// What a call changes; `None` if it came before.
    fn decide(
        &self,
        state: &State,
        now: Timestamp,
        op: &OperationId,
        call: Call,
        latency_ms: u64,
        fail: Option<RefusalReason>,
    ) -> Result<Option<Change>, Refusal> {
        let kind = call.kind();
        let digest = serde_json::to_vec(&call)
            .map(|bytes| chance::digest(&bytes))
            .map_err(|error| Refusal::new(RefusalReason::InvalidSpec, error.to_string()))?;
        if let Some(old) = state.op(op) {
            if old.cancelled {
                return Err(Refusal::new(
                    RefusalReason::Cancelled,
                    "the operation was cancelled",
                ));
            }
            if old.call != Some((kind, digest)) {
                return Err(Refusal::new(
                    RefusalReason::Conflict,
                    "this operation id stands for another call",
                ));
            }
            return Ok(None);
        }
        let ready_at = now.plus_millis(i64::try_from(latency_ms).unwrap_or(i64::MAX));
        let deciding = Deciding {
            config: &self.config,
            state,
            op,
            now,
            ready_at,
            fail: fail.is_some(),
        };
        let mut act = deciding.decide(call)?;
        act.change.op = Some((
            op.clone(),
            OpRecord {
                call: Some((kind, digest)),
                target: Some(act.target),
                ready_at,
                failed: fail.map(|reason| Refusal::new(reason, "ordered by a fault")),
                cancelled: false,
            },
        ));
        Ok(Some(act.change))
    }

    /// How an operation that was begun stands.
    fn settled(&self, state: &State, now: Timestamp, op: &OperationId) -> Outcome<Settled> {
        match self.state_of(state, now, op) {
            OperationState::Done(settled) => Outcome::Done(settled),
            OperationState::Running {
                poll,
                retry_after_ms,
            } => Outcome::Running {
                poll,
                retry_after_ms,
            },
            OperationState::Failed { refusal, .. } => Outcome::Refused(refusal),
            OperationState::Cancelled { .. } => {
                Outcome::refused(RefusalReason::Cancelled, "the operation was cancelled")
            }
            OperationState::Never => Outcome::refused(RefusalReason::NotFound, "no such operation"),
        }
    }

    fn state_of(&self, state: &State, now: Timestamp, op: &OperationId) -> OperationState {
        let Some(record) = state.op(op) else {
            return OperationState::Never;
        };
        let target = record.target.as_ref().and_then(|id| state.record(id));
        let is_maker = target.is_some_and(|target| target.object.operation() == op);
        let object = || {
            let mut object = target?.view(now, is_maker);
            let renews = match (&object, record.call) {
                (_, Some((CallKind::RenewPassword, _))) => true,
                (Object::Server(it), Some((CallKind::ReinstallServer, _))) => {
                    it.spec.access == Access::OneTimePassword
                        && it.installed_by.as_ref() == Some(op)
                }
                _ => false,
            };
            if let Object::Server(server) = &mut object
                && renews
            {
                server.one_time_password = Some(chance::password(self.config.seed, op.as_str()));
            }
            Some(Box::new(object))
        };
        if record.cancelled {
            return OperationState::Cancelled {
                left: object().filter(|_| is_maker),
            };
        }
        let wait = record.ready_at.since(now);
        if wait > 0 {
            return OperationState::Running {
                poll: PollToken(op.0.clone()),
                retry_after_ms: wait.unsigned_abs(),
            };
        }
        match &record.failed {
            Some(refusal) => OperationState::Failed {
                refusal: refusal.clone(),
                left: target
                    .filter(|_| is_maker)
                    .map(|target| target.object.id().clone()),
            },
            None => OperationState::Done(object().map_or(Settled::Gone, Settled::Present)),
        }
    }

    fn run(&self, op: &OperationId, call: Call, fail: Option<RefusalReason>) -> Outcome<Settled> {
        let now = self.clock.now();
        // A late failure is told by a poll, never at once: a refusal at once leaves nothing behind.
        let latency = self
            .latency_ms(call.kind(), op)
            .max(u64::from(fail.is_some()));
        let mut store = lock(&self.store);
        match self.decide(&store.state, now, op, call, latency, fail) {
            Ok(Some(change)) => {
                if let Err(error) = store.commit(vec![change]) {
                    return Outcome::Unreachable(error.to_string());
                }
                self.settled(&store.state, now, op)
            }
            Ok(None) => self.settled(&store.state, now, op),
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    fn cancel(&self, op: &OperationId) -> Outcome<OperationState> {
        let now = self.clock.now();
        let mut store = lock(&self.store);
        let old = store.state.op(op).cloned();
        if old.as_ref().is_none_or(|old| !old.cancelled) {
            let record = OpRecord {
                cancelled: true,
                ..old.unwrap_or(OpRecord {
                    call: None,
                    target: None,
                    ready_at: now,
                    failed: None,
                    cancelled: true,
                })
            };
            let change = Change {
                op: Some((op.clone(), record)),
                ..Change::default()
            };
            if let Err(error) = store.commit(vec![change]) {
                return Outcome::Unreachable(error.to_string());
            }
        }
        Outcome::Done(self.state_of(&store.state, now, op))
    }

    fn capacity(&self, pool: &PoolRef) -> Result<Capacity, ReadError> {
        let Some(config) = self.config.pools.iter().find(|p| p.name == pool.0) else {
            let refusal = Refusal::new(RefusalReason::NotFound, format!("no pool {pool}"));
            return Err(ReadError::Refused(refusal));
        };
        let used = lock(&self.store).state.pool(&config.name);
        let hosts = u64::from(config.hosts);
        Ok(Capacity {
            vcpus_total: hosts * config.host_vcpus_total(),
            vcpus_used: used.vcpus,
            memory_gb_total: hosts * u64::from(config.host_memory_gb),
            memory_gb_used: used.memory_gb,
            disk_gb_total: Some(config.disk_gb),
            disk_gb_used: used.disk_gb,
            addresses_total: config.addresses.into(),
            addresses_used: used.addresses,
            servers: used.servers,
            // Two of the portal's pools may mean one of ours.
            hosts: Some(config.name.clone()),
        })
    }
}

#[async_trait]
impl Provisioner for Simulator {
    fn name(&self) -> &str {
        &self.0.name
    }

    async fn capabilities(&self) -> Result<Capabilities, ReadError> {
        self.reading().await?;
        // Of any size, architecture and class: its hosts and disks are figures.
        let hosts = Hosts {
            images: self.0.config.images.clone(),
            sizes: None,
        };
        let makes = Makes {
            hosts: BTreeMap::from([(EACH.to_owned(), hosts)]),
            disk_classes: None,
        };
        let pools = self.0.config.pools.iter();
        Ok(Capabilities {
            calls: CallKind::ALL.iter().copied().collect(),
            makes: pools
                .map(|pool| (PoolRef(pool.name.clone()), makes.clone()))
                .collect(),
            one_time_password: true,
            usage: true,
            console: false,
        })
    }

    async fn capacity(&self, pool: &PoolRef) -> Result<Capacity, ReadError> {
        self.reading().await?;
        self.0.capacity(pool)
    }

    async fn health(&self) -> Result<(), ReadError> {
        self.reading().await
    }

    async fn execute(&self, op: &OperationId, call: Call) -> Outcome<Settled> {
        let hit = lock(&self.0.faults).hit(Some(call.kind()));
        let mut fail = None;
        match hit {
            Some(What::Refuse(reason)) => return Outcome::refused(reason, "ordered by a fault"),
            Some(What::Unreachable) => return Outcome::Unreachable("ordered by a fault".into()),
            Some(What::Slow { ms }) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Some(What::FailLate(reason))
                if matches!(
                    call.kind(),
                    CallKind::CreateServer | CallKind::ReinstallServer
                ) =>
            {
                fail = Some(reason);
            }
            Some(What::FailLate(reason)) => {
                return Outcome::refused(reason, "ordered by a fault");
            }
            Some(What::LoseAnswer) | None => {}
        }
        let op = op.clone();
        match self.blocking(move |inner| inner.run(&op, call, fail)).await {
            Ok(_) if hit == Some(What::LoseAnswer) => Outcome::Unknown("ordered by a fault".into()),
            Ok(outcome) => outcome,
            Err(why) => Outcome::Unknown(why),
        }
    }

    async fn poll(&self, token: &PollToken) -> Outcome<Settled> {
        if let Err(ReadError::Unreachable(why)) = self.reading().await {
            return Outcome::Unreachable(why);
        }
        let op = OperationId(token.0.clone());
        let store = lock(&self.0.store);
        self.0.settled(&store.state, self.0.clock.now(), &op)
    }

    async fn get(&self, kind: Kind, id: &ExternalId) -> Result<Option<Object>, ReadError> {
        self.reading().await?;
        let store = lock(&self.0.store);
        let found = store.state.record(id).filter(|r| r.object.kind() == kind);
        Ok(found.map(|record| record.view(self.0.clock.now(), false)))
    }

    async fn find_by_operation(&self, op: &OperationId) -> Result<OperationState, ReadError> {
        self.reading().await?;
        let store = lock(&self.0.store);
        Ok(self.0.state_of(&store.state, self.0.clock.now(), op))
    }

    async fn cancel(&self, op: &OperationId) -> Outcome<OperationState> {
        if let Err(ReadError::Unreachable(why)) = self.reading().await {
            return Outcome::Unreachable(why);
        }
        let op = op.clone();
        self.blocking(move |inner| inner.cancel(&op))
            .await
            .unwrap_or_else(Outcome::Unknown)
    }

    async fn list(
        &self,
        project: Option<&ExternalId>,
        cursor: Option<&str>,
    ) -> Result<Page, ReadError> {
        self.reading().await?;
        let now = self.0.clock.now();
        let store = lock(&self.0.store);
        let mut objects: Vec<Object> = store
            .state
            .after(cursor.unwrap_or_default())
            .filter(|record| project.is_none_or(|project| record.object.project() == project))
            .take(PAGE + 1)
            .map(|record| record.view(now, false))
            .collect();
        let more = objects.len() > PAGE;
        objects.truncate(PAGE);
        let last = objects.last().map(|object| object.id().0.clone());
        Ok(Page {
            objects,
            next: last.filter(|_| more),
        })
    }

    async fn server_rules(&self, server: &ExternalId) -> Result<Option<LetIn>, ReadError> {
        self.reading().await?;
        let store = lock(&self.0.store);
        let there = store.state.record(server);
        let there = there.filter(|record| record.object.kind() == Kind::Server);
        Ok(there.map(|_| let_in(store.state.rules(server))))
    }

    async fn all_rules(&self) -> Result<Option<BTreeMap<ExternalId, LetIn>>, ReadError> {
        self.reading().await?;
        let store = lock(&self.0.store);
        let all = store.state.all_rules();
        Ok(Some(
            all.map(|(id, own)| (id.clone(), let_in(own))).collect(),
        ))
    }

    async fn usage(&self, server: &ExternalId) -> Result<Option<Usage>, ReadError> {
        self.reading().await?;
        let now = self.0.clock.now();
        let store = lock(&self.0.store);
        let view = store.state.record(server).map(|r| r.view(now, false));
        let running = matches!(view, Some(Object::Server(s)) if s.power == Power::Active);
        // A steady level of each server's own, and a little that changes each hour.
        let seed = self.0.config.seed;
        let mut level = chance::generator(seed, "usage", server.as_str());
        let hour = format!("{server} {}", now.millis().div_euclid(3_600_000));
        let mut swing = chance::generator(seed, "hour", &hour);
        let mut figure = || level.random_range(3..=70) + swing.random_range(0..=20);
        Ok(running.then(|| Usage {
            cpu_percent: figure(),
            memory_percent: figure(),
        }))
    }
}
