//! Rounds over the simulated cloud, on both engines: what is done behind the portal's back is found,
//! and put right once.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{
        Access, Address, BackupPlan, Call, CallKind, Capabilities, Capacity, ExternalId, Kind,
        LackingNetwork, Network, NetworkSpec, Object, OperationId, OperationState, Outcome, Page,
        PollToken, PoolRef, ProjectSpec, Provisioner, ReadError, RefusalReason, ServerSize,
        ServerSpec, Settled, SnapshotSpec, Usage, Volume, VolumeSpec, VolumeState,
        simulator::{Fault, Latency, On, Simulator, What},
    },
};
use lingbao_model::{
    access_rule::{AccessRule, AccessRuleForm, text_of},
    catalogue::Fulfiller,
    id::{DifferenceId, RequestItemId, ResourceId, SagaId, UserId},
    money::Money,
    param::Answer,
    people::{Reach, Role},
    quota::{Amounts, Dimension},
    request::Decision,
    resource::{BillingState, ServiceState},
    view::{
        difference::{
            Act, Aspect, Closing, DifferenceDetail, DifferenceFilter, DifferenceKind,
            DifferenceRow, ThingKind,
        },
        operation::CloudsFilter,
        request::LineForm,
        resource::ResourceFilter,
    },
};

use super::{
    begin, compare,
    mend::{Mend, Params, Work, there},
    relay::{self, Relay},
    remove::{self, Remove},
    round::{Desk, Ended, PATIENCE_MS, round},
};
use crate::{
    authz::Scope,
    clock::Clock as _,
    error::ServiceError,
    fulfil::{self, acts},
    jobs::{Registry, run_until_idle},
    saga::harness::{Bench, drill},
    seed,
    service::{
        approval, cart, difference, operation,
        request::fixture::{City, add, give},
        resource as resources,
    },
    storage::{
        access_rule, cloud, difference as rows, quota, request as requests,
        resource::{self, Resource},
        resource_action,
        snapshot::{self, Snapshot as KeptSnapshot},
        sql::Sql,
    },
    testing::TestApp,
};

const CLOUD: &str = "simulator";
const MINUTE_MS: i64 = 60_000;
/// Longer than from one round to the next.
const ROUND_MS: i64 = 6 * MINUTE_MS;

/// A city with a cloud of its own.
struct World {
    city: City,
    cloud: Simulator,
    jobs: Arc<Registry>,
    operator: UserId,
    hand: AtomicI64,
}

impl World {
    async fn all() -> Vec<Self> {
        Self::all_with(Latency::default()).await
    }

    async fn all_with(latency: Latency) -> Vec<Self> {
        let mut all = Vec::new();
        for mut city in City::all().await {
            let told = city.app.clock.clone();
            let config = seed::cloud(None, 7, latency);
            let cloud = Simulator::open(CLOUD, config, move || told.now()).unwrap();
            let backends = Arc::new(Backends::default().with(cloud.clone()));
            city.app = city.app.clone().with_backends(backends.clone());
            let jobs = Arc::new(fulfil::wire(Registry::new(), &backends));
            let operator = add(&city.app, "operator", &city.bureau).await;
            give(
                &city.app,
                &operator,
                Role::Operator,
                &city.bureau,
                Reach::Site,
            )
            .await;
            all.push(Self {
                city,
                cloud,
                jobs,
                operator,
                hand: AtomicI64::new(0),
            });
        }
        all
    }

    async fn work(&self) {
        run_until_idle(&self.city.app.app, &self.jobs)
            .await
            .unwrap();
    }

    /// Time for a round passes.
    async fn next_round(&self) {
        self.city.app.clock.advance_ms(ROUND_MS);
        self.work().await;
    }

    async fn approve(&self) {
        let city = &self.city;
        for signer in [&city.leader, &city.office, &city.security, &city.finance] {
            while approval::next_todo(&city.cx(signer), None)
                .await
                .unwrap()
                .is_some()
            {
                city.decide(signer, Decision::Approve).await;
            }
        }
    }

    /// A delivered host with a disk on it.
    async fn host_with_disk(&self) -> (Resource, Resource) {
        let all = self.host_with(&[City::disk]).await;
        (of(&all, Fulfiller::Server), of(&all, Fulfiller::Volume))
    }

    /// A delivered host with what was ordered on it.
    async fn host_with(&self, forms: &[fn(&City, &RequestItemId) -> LineForm]) -> Vec<Resource> {
        let city = &self.city;
        let mut view = city.cart(1).await;
        let host = view.lines[0].line.id.clone();
        let cx = city.cx(&city.clerk);
        for form in forms {
            let form = form(city, &host);
            cart::put_line(&cx, &view.id, view.version, None, &form)
                .await
                .unwrap();
            view = cart::open(&cx, &view.id).await.unwrap();
        }
        let request = city.submit(&view).await.unwrap().request;
        self.approve().await;
        self.work().await;
        let scope = Scope::system(&city.app.system()).unwrap();
        let mut rx = city.app.db.read().await.unwrap();
        let all = resource::of_request(&mut rx, &scope, &request)
            .await
            .unwrap();
        assert_eq!(all.len(), forms.len() + 1);
        all
    }

    /// Some delivered hosts.
    async fn hosts(&self, count: i64) -> Vec<Resource> {
        let city = &self.city;
        let view = city.cart(count).await;
        let request = city.submit(&view).await.unwrap().request;
        self.approve().await;
        self.work().await;
        let scope = Scope::system(&city.app.system()).unwrap();
        let mut rx = city.app.db.read().await.unwrap();
        let all = resource::of_request(&mut rx, &scope, &request)
            .await
            .unwrap();
        assert_eq!(all.len(), usize::try_from(count).unwrap());
        all
    }

    async fn resource(&self, id: &ResourceId) -> Resource {
        let scope = Scope::system(&self.city.app.system()).unwrap();
        let mut rx = self.city.app.db.read().await.unwrap();
        resource::get(&mut rx, &scope, id).await.unwrap().unwrap()
    }

    /// Somebody acts in the cloud itself.
    async fn by_hand(&self, call: Call) {
        let n = self.hand.fetch_add(1, Ordering::SeqCst);
        let op = OperationId(format!("by-hand-{n}"));
        let outcome = self.cloud.execute(&op, call).await;
        assert!(
            matches!(outcome, Outcome::Done(_) | Outcome::Running { .. }),
            "{outcome:?}"
        );
    }

    async fn delete(&self, lost: &Resource) {
        self.by_hand(Call::DeleteServer { server: ext(lost) }).await;
    }

    async fn servers(&self) -> Vec<lingbao_backends::provisioning::Server> {
        let page = self.cloud.list(None, None).await.unwrap();
        page.objects
            .into_iter()
            .filter_map(Object::into_server)
            .collect()
    }

    async fn standing(&self) -> Vec<DifferenceRow> {
        self.list(false).await
    }

    async fn list(&self, past: bool) -> Vec<DifferenceRow> {
        let filter = DifferenceFilter {
            past,
            ..DifferenceFilter::default()
        };
        let view = difference::list(&self.city.cx(&self.operator), &filter)
            .await
            .unwrap();
        view.page.rows
    }

    async fn only(&self, kind: DifferenceKind) -> DifferenceRow {
        let mut all = self.standing().await;
        all.retain(|row| row.kind == kind);
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    async fn may(&self, id: &DifferenceId) -> Vec<Act> {
        let cx = self.city.cx(&self.operator);
        difference::detail(&cx, id).await.unwrap().may
    }

    async fn one_round(&self, cloud: &dyn Provisioner) -> Ended {
        round(&Desk::Bare(&self.city.app.app), CLOUD, cloud)
            .await
            .unwrap()
    }

    async fn used(&self) -> i64 {
        let vdc = &self.city.vdc;
        self.city.standing(vdc, Dimension::Vcpu).await.used
    }

    async fn events(&self, id: &ResourceId) -> Vec<String> {
        let mut rx = self.city.app.db.read().await.unwrap();
        let all = resource::events(&mut rx, id).await.unwrap();
        all.into_iter().map(|e| e.kind.to_string()).collect()
    }
}

fn of(all: &[Resource], kind: Fulfiller) -> Resource {
    all.iter().find(|one| one.kind == kind).unwrap().clone()
}

fn ext(of: &Resource) -> ExternalId {
    ExternalId(of.external_id.clone().unwrap())
}

fn conflict<T: std::fmt::Debug>(result: Result<T, ServiceError>, key: &str) {
    match result {
        Err(ServiceError::Conflict(msg)) => assert_eq!(msg.key, key),
        other => panic!("{other:?}"),
    }
}

/// A cloud whose list has small pages and breaks off after some of them, whose disks ail, and which calls
/// things the work of other operations.
struct Halting {
    inner: Simulator,
    page: usize,
    /// Pages that are still given; below zero: all.
    left: AtomicI64,
    /// What its disks do.
    disks: VolumeState,
    /// The operations that these things are said to be made by.
    made_by: HashMap<ExternalId, OperationId>,
    /// The networks that it says lack a part.
    lacking: Vec<LackingNetwork>,
}

impl Halting {
    /// One that lists everything.
    fn whole(inner: &Simulator) -> Self {
        Self {
            inner: inner.clone(),
            page: usize::MAX,
            left: AtomicI64::new(-1),
            disks: VolumeState::Ready,
            made_by: HashMap::new(),
            lacking: Vec::new(),
        }
    }

    fn ailing(inner: &Simulator, disks: VolumeState) -> Self {
        Self {
            disks,
            ..Self::whole(inner)
        }
    }

    fn told(&self, mut object: Object) -> Object {
        let op = self.made_by.get(object.id()).cloned();
        match (&mut object, op) {
            (Object::Volume(it), Some(op)) => it.operation = op,
            (Object::Server(it), Some(op)) => it.operation = op,
            (Object::Address(it), Some(op)) => it.operation = op,
            _ => {}
        }
        if let Object::Volume(volume) = &mut object {
            volume.state = self.disks;
        }
        object
    }
}

#[async_trait]
impl Provisioner for Halting {
    fn name(&self) -> &str {
        self.inner.name()
    }
    async fn capabilities(&self) -> Result<Capabilities, ReadError> {
        self.inner.capabilities().await
    }
    async fn capacity(&self, pool: &PoolRef) -> Result<Capacity, ReadError> {
        self.inner.capacity(pool).await
    }
    async fn health(&self) -> Result<(), ReadError> {
        self.inner.health().await
    }
    async fn execute(&self, op: &OperationId, call: Call) -> Outcome<Settled> {
        self.inner.execute(op, call).await
    }
    async fn poll(&self, token: &PollToken) -> Outcome<Settled> {
        self.inner.poll(token).await
    }
    async fn get(&self, kind: Kind, id: &ExternalId) -> Result<Option<Object>, ReadError> {
        let there = self.inner.get(kind, id).await?;
        Ok(there.map(|object| self.told(object)))
    }
    async fn find_by_operation(&self, op: &OperationId) -> Result<OperationState, ReadError> {
        self.inner.find_by_operation(op).await
    }
    async fn cancel(&self, op: &OperationId) -> Outcome<OperationState> {
        self.inner.cancel(op).await
    }
    async fn list(
        &self,
        project: Option<&ExternalId>,
        cursor: Option<&str>,
    ) -> Result<Page, ReadError> {
        if self.left.load(Ordering::SeqCst) == 0 {
            return Err(ReadError::Unreachable("in the middle of the list".into()));
        }
        self.left.fetch_sub(1, Ordering::SeqCst);
        let mut page = self.inner.list(project, cursor).await?;
        let objects = std::mem::take(&mut page.objects).into_iter();
        page.objects = objects.map(|object| self.told(object)).collect();
        if page.objects.len() > self.page {
            page.objects.truncate(self.page);
            page.next = page.objects.last().map(|object| object.id().0.clone());
        }
        Ok(page)
    }
    async fn lacking_networks(&self) -> Result<Vec<LackingNetwork>, ReadError> {
        Ok(self.lacking.clone())
    }
    async fn usage(&self, server: &ExternalId) -> Result<Option<Usage>, ReadError> {
        self.inner.usage(server).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_host_is_found_missing_and_built_anew_as_the_same_resource() {
    for world in World::all().await {
        let (host, disk) = world.host_with_disk().await;
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let used = world.used().await;
        let cx = world.city.cx(&world.city.clerk);
        let first = resources::show_secret(&cx, &host.id).await.unwrap();

        world.delete(&host).await;
        world.next_round().await;
        let lost = world.only(DifferenceKind::Missing).await;
        assert_eq!(
            (lost.resource.as_ref(), lost.month),
            (Some(&host.id), host.month)
        );
        assert!(lost.said.iter().all(|said| said.cloud.is_none()));
        assert_eq!(world.may(&lost.id).await, [Act::Restore, Act::WriteOff]);
        // The disk hangs free there, and can't be put back before its host is.
        let free = world.only(DifferenceKind::Changed).await;
        assert_eq!(free.resource.as_ref(), Some(&disk.id));
        let cx = world.city.cx(&world.operator);
        conflict(
            difference::restore(&cx, &free.id, &free.digest).await,
            "difference.target_lost",
        );
        // Its unit reads it on the page of the host.
        let seen = resources::detail(&world.city.cx(&world.city.clerk), &host.id)
            .await
            .unwrap();
        let word = seen.cloud.unwrap();
        assert_eq!(word.kind, Some(DifferenceKind::Missing));
        assert_eq!((word.silent, word.difference), (false, None));

        world.city.app.clock.advance_ms(1_000);
        let cx = world.city.cx(&world.operator);
        difference::restore(&cx, &lost.id, &lost.digest)
            .await
            .unwrap();
        // Twice is once.
        conflict(
            difference::restore(&cx, &lost.id, &lost.digest).await,
            "resource.busy_now",
        );
        world.work().await;
        let back = world.resource(&host.id).await;
        assert_ne!(back.external_id, host.external_id);
        assert_eq!(
            (back.service, back.month, back.expires_at, back.billing),
            (host.service, host.month, host.expires_at, host.billing)
        );
        let servers = world.servers().await;
        assert_eq!(servers.len(), 1);
        assert_eq!(servers[0].id, ext(&back));
        assert_eq!(servers[0].spec.name, host.name);
        assert_eq!(Some(servers[0].private_address.to_string()), back.address);
        let there = world.cloud.get(Kind::Volume, &ext(&disk)).await.unwrap();
        let volume = match there {
            Some(Object::Volume(volume)) => volume,
            other => panic!("{other:?}"),
        };
        assert_eq!(volume.attached_to, Some(ext(&back)));
        assert_eq!(world.used().await, used, "quota is not booked again");
        world.city.assert_ledger().await;
        assert_eq!(world.events(&host.id).await[0], "restored");
        assert_eq!(world.standing().await, []);
        let closed = world.list(true).await;
        let how = |id: &DifferenceId| {
            let row = closed.iter().find(|row| row.id == *id).unwrap();
            (row.closing, row.closed_by.clone())
        };
        assert_eq!(
            how(&lost.id),
            (Some(Closing::Restored), Some("operator".into()))
        );
        assert_eq!(how(&free.id), (Some(Closing::Agrees), None));
        // A new password, shown once, and a notice.
        let cx = world.city.cx(&world.city.clerk);
        let second = resources::show_secret(&cx, &host.id).await.unwrap();
        assert_ne!(first, second);
        let told = Sql::new("SELECT count(*) FROM notice WHERE msg LIKE '%notice.rebuilt%'");
        assert!(world.city.count(told).await > 0);
    }
}

/// A lost host with a disk, to be built anew under every fault.
struct Rebuilding<'a> {
    world: &'a World,
    host: ResourceId,
    disk: Resource,
    used: i64,
}

#[async_trait]
impl Bench for Rebuilding<'_> {
    type Saga = Mend;

    async fn fresh(&self, app: &TestApp) -> (Mend, Params) {
        let host = self.world.resource(&self.host).await;
        self.world.delete(&host).await;
        let scope = Scope::system(&app.system()).unwrap();
        let mut tx = app.db.begin().await.unwrap();
        let (build, works) = begin::anew(&mut tx, &app.system(), &scope, &host, true)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let params = Params {
            difference: app.id(),
            resource: self.host.clone(),
            actor: self.world.operator.clone(),
            backend: CLOUD.into(),
            build: Some(build),
            works,
            whole: true,
        };
        let backends = Backends::default().with(self.world.cloud.clone());
        (Mend::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        let host = self.world.resource(&self.host).await;
        let servers = self.world.servers().await;
        assert_eq!(servers.len(), 1, "{when}");
        assert_eq!(servers[0].id, ext(&host), "{when}");
        let there = self.world.cloud.get(Kind::Volume, &ext(&self.disk)).await;
        let Ok(Some(Object::Volume(volume))) = there else {
            panic!("{when}: no disk");
        };
        assert_eq!(volume.attached_to, Some(ext(&host)), "{when}");
        // What its owner lets in comes in again.
        let rules = self.world.cloud.server_rules(&ext(&host)).await.unwrap();
        assert_eq!(rules.unwrap().rules.len(), 1, "{when}");
        assert_eq!(self.world.used().await, self.used, "{when}");
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        assert_eq!(self.world.servers().await, [], "{when}");
        assert_eq!(self.world.used().await, self.used, "{when}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_killed_refused_or_doubled_at_any_step_builds_one_host_or_none() {
    for world in World::all().await {
        let (host, disk) = world.host_with_disk().await;
        let cx = world.city.cx(&world.city.clerk);
        let form = AccessRuleForm {
            protocol: "tcp".into(),
            ports: "8000-8100".into(),
            source: "10.8.0.0/24".into(),
            note: String::new(),
        };
        fulfil::access_rule::add(&cx, &host.id, &form, "")
            .await
            .unwrap();
        world.work().await;
        let bench = Rebuilding {
            host: host.id,
            disk,
            used: world.used().await,
            world: &world,
        };
        drill(&world.city.app, &bench).await;
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cloud_that_answers_half_makes_no_difference_and_closes_none() {
    for world in World::all().await {
        let hosts = world.hosts(4).await;
        world.city.app.clock.advance_ms(MINUTE_MS);
        let cloud = Halting {
            inner: world.cloud.clone(),
            page: 2,
            left: AtomicI64::new(-1),
            disks: VolumeState::Ready,
            made_by: HashMap::new(),
            lacking: Vec::new(),
        };
        let whole = world.one_round(&cloud).await;
        let agrees = Ended::Whole {
            things: 4,
            differences: 0,
        };
        assert_eq!(whole, agrees);
        world.delete(&hosts[0]).await;
        let size = ServerSize {
            vcpus: 8,
            memory_gb: 16,
        };
        let server = ext(&hosts[1]);
        world.by_hand(Call::ResizeServer { server, size }).await;
        for pages in 0..3 {
            cloud.left.store(pages, Ordering::SeqCst);
            let ended = world.one_round(&cloud).await;
            assert!(matches!(ended, Ended::Broken(_)), "{pages}: {ended:?}");
            assert_eq!(world.standing().await, [], "after {pages} pages");
        }
        cloud.left.store(-1, Ordering::SeqCst);
        world.one_round(&cloud).await;
        assert_eq!(world.standing().await.len(), 2);
        // Put right by hand, it stands until a whole round has been read.
        let size = ServerSize {
            vcpus: 4,
            memory_gb: 8,
        };
        let server = ext(&hosts[1]);
        world.by_hand(Call::ResizeServer { server, size }).await;
        world.city.app.clock.advance_ms(MINUTE_MS);
        for pages in 0..3 {
            cloud.left.store(pages, Ordering::SeqCst);
            world.one_round(&cloud).await;
            assert_eq!(world.standing().await.len(), 2);
        }
        let view = difference::list(
            &world.city.cx(&world.operator),
            &DifferenceFilter::default(),
        )
        .await
        .unwrap();
        assert!(view.rounds[0].error.is_some() && view.rounds[0].compared_at.is_some());
        cloud.left.store(-1, Ordering::SeqCst);
        world.one_round(&cloud).await;
        world.only(DifferenceKind::Missing).await;
        assert_eq!(world.standing().await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_without_the_cloud_is_said_and_nothing_is_ordered_twice_when_it_returns() {
    for world in World::all().await {
        let old = world.hosts(1).await.remove(0);
        world.next_round().await;
        // The answer to the order is lost on the way, and then all is silent.
        world.cloud.inject(Fault {
            on: On::Call(lingbao_backends::provisioning::CallKind::CreateServer),
            what: What::LoseAnswer,
            skip: 0,
            times: Some(1),
        });
        world.cloud.inject(Fault {
            on: On::AnyCall,
            what: What::Unreachable,
            skip: 3,
            times: None,
        });
        world.cloud.inject(Fault {
            on: On::Reading,
            what: What::Unreachable,
            skip: 0,
            times: None,
        });
        let view = world.city.cart(1).await;
        let request = world.city.submit(&view).await.unwrap().request;
        world.approve().await;
        for _ in 0..12 {
            world.city.app.clock.advance_ms(5 * MINUTE_MS);
            world.work().await;
        }
        assert_eq!(world.standing().await, [], "silence is no difference");
        let clerk = world.city.cx(&world.city.clerk);
        let page = resources::detail(&clerk, &old.id).await.unwrap();
        let word = page.cloud.unwrap();
        assert!(word.silent && word.answered_at.is_some() && word.kind.is_none());
        assert_eq!(page.row.service, ServiceState::Running);

        // Nobody has to help when it comes back.
        world.cloud.clear_faults();
        for _ in 0..2 {
            world.city.app.clock.advance_ms(MINUTE_MS);
            world.work().await;
        }
        world.next_round().await;
        let scope = Scope::system(&world.city.app.system()).unwrap();
        let mut rx = world.city.app.db.read().await.unwrap();
        let made = resource::of_request(&mut rx, &scope, &request)
            .await
            .unwrap();
        drop(rx);
        assert_eq!(made.len(), 1);
        assert_eq!(world.servers().await.len(), 2, "one old, one ordered");
        assert_eq!(world.standing().await, []);
        let page = resources::detail(&clerk, &old.id).await.unwrap();
        assert_eq!(page.cloud, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_saga_works_on_and_what_was_just_delivered_is_left_alone() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        world.delete(&host).await;
        // Delivered in the very moment in which the round begins.
        world.one_round(&world.cloud).await;
        assert_eq!(world.standing().await, []);
        world.city.app.clock.advance_ms(MINUTE_MS);
        let app = &world.city.app;
        let saga: SagaId = app.id();
        let mut tx = app.db.begin().await.unwrap();
        resource_action::begin(&mut tx, &host.id, &saga, "stop", "x", app.clock.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        world.one_round(&world.cloud).await;
        assert_eq!(world.standing().await, []);
        let mut tx = app.db.begin().await.unwrap();
        resource_action::end(&mut tx, &host.id, &saga)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        world.one_round(&world.cloud).await;
        let lost = world.only(DifferenceKind::Missing).await;
        // It stands while something is done to it, and only this is refused meanwhile.
        let mut tx = app.db.begin().await.unwrap();
        resource_action::begin(&mut tx, &host.id, &saga, "stop", "x", app.clock.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        app.clock.advance_ms(MINUTE_MS);
        world.one_round(&world.cloud).await;
        assert_eq!(world.only(DifferenceKind::Missing).await.id, lost.id);
        assert_eq!(world.may(&lost.id).await, []);
        let cx = world.city.cx(&world.operator);
        let refused = difference::write_off(&cx, &lost.id, "没有了").await;
        conflict(refused, "resource.busy_now");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_rounds_at_once_double_nothing_and_an_older_one_undoes_nothing() {
    for world in World::all().await {
        let hosts = world.hosts(3).await;
        world.city.app.clock.advance_ms(MINUTE_MS);
        world.delete(&hosts[0]).await;
        let server = ext(&hosts[1]);
        world.by_hand(Call::StopServer { server }).await;
        let (app, cloud) = (world.city.app.app.clone(), world.cloud.clone());
        let many: Vec<_> = (0..4)
            .map(|_| {
                let (app, cloud) = (app.clone(), cloud.clone());
                tokio::spawn(async move { round(&Desk::Bare(&app), CLOUD, &cloud).await })
            })
            .collect();
        for one in many {
            one.await.unwrap().unwrap();
        }
        assert_eq!(world.standing().await.len(), 2);
        let all = Sql::new("SELECT count(*) FROM difference");
        assert_eq!(world.city.count(all).await, 2);
        // A younger round has written: what this one read is old.
        let mut tx = app.db.begin().await.unwrap();
        let later = app.clock.now().plus_millis(1);
        assert!(rows::claim_round(&mut tx, CLOUD, later).await.unwrap());
        tx.commit().await.unwrap();
        let server = ext(&hosts[1]);
        world.by_hand(Call::StartServer { server }).await;
        assert_eq!(world.one_round(&world.cloud).await, Ended::Overtaken);
        assert_eq!(world.standing().await.len(), 2);
        // Two workers with the jobs of the same moment.
        world.city.app.clock.advance_ms(ROUND_MS);
        let (a, b) = tokio::join!(
            run_until_idle(&app, &world.jobs),
            run_until_idle(&app, &world.jobs)
        );
        a.unwrap();
        b.unwrap();
        world.only(DifferenceKind::Missing).await;
        let all = Sql::new("SELECT count(*) FROM difference");
        assert_eq!(world.city.count(all).await, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_was_switched_off_there_is_switched_back_or_followed() {
    for world in World::all().await {
        let hosts = world.hosts(2).await;
        for host in &hosts {
            let server = ext(host);
            world.by_hand(Call::StopServer { server }).await;
        }
        world.next_round().await;
        let found = world.standing().await;
        assert_eq!(found.len(), 2);
        let of = |host: &Resource| {
            let row = found
                .iter()
                .find(|row| row.resource.as_ref() == Some(&host.id));
            row.unwrap().clone()
        };
        let (restored, followed) = (of(&hosts[0]), of(&hosts[1]));
        let acts = [Act::Restore, Act::Follow, Act::Note];
        assert_eq!(world.may(&restored.id).await, acts);
        let cx = world.city.cx(&world.operator);
        let refused = difference::write_off(&cx, &restored.id, "不要了").await;
        conflict(refused, "difference.not_this");
        difference::restore(&cx, &restored.id, &restored.digest)
            .await
            .unwrap();
        difference::follow(&cx, &followed.id, &followed.digest, Act::Follow)
            .await
            .unwrap();
        conflict(
            difference::follow(&cx, &followed.id, &followed.digest, Act::Follow).await,
            "difference.over",
        );
        world.work().await;
        assert_eq!(world.standing().await, []);
        assert_eq!(
            world.resource(&hosts[0].id).await.service,
            ServiceState::Running
        );
        assert_eq!(
            world.resource(&hosts[1].id).await.service,
            ServiceState::Stopped
        );
        assert_eq!(world.events(&hosts[1].id).await[0], "stopped");
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let mut how: Vec<_> = world.list(true).await.iter().map(|r| r.closing).collect();
        how.sort();
        assert_eq!(how, [Some(Closing::Restored), Some(Closing::Followed)]);
        let on = world.servers().await;
        assert_eq!(
            on.iter()
                .filter(|s| s.power == lingbao_backends::provisioning::Power::Active)
                .count(),
            1
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_and_a_disk_that_were_changed_there_are_changed_back() {
    for world in World::all().await {
        let (host, disk) = world.host_with_disk().await;
        let size = ServerSize {
            vcpus: 8,
            memory_gb: 16,
        };
        let server = ext(&host);
        world.by_hand(Call::ResizeServer { server, size }).await;
        let volume = ext(&disk);
        world.by_hand(Call::DetachVolume { volume }).await;
        world.next_round().await;
        let found = world.standing().await;
        assert_eq!(found.len(), 2);
        let differing = |row: &DifferenceRow| -> Vec<Aspect> {
            let differ = row.said.iter().filter(|said| said.differs());
            differ.map(|said| said.aspect).collect()
        };
        for row in &found {
            let expected = if row.thing == ThingKind::Server {
                vec![Aspect::Vcpus, Aspect::Memory]
            } else {
                vec![Aspect::Target]
            };
            assert_eq!(differing(row), expected);
            let cx = world.city.cx(&world.operator);
            // What was ordered stays ordered: neither side's size is for sale here.
            conflict(
                difference::follow(&cx, &row.id, &row.digest, Act::Follow).await,
                "difference.not_this",
            );
            difference::restore(&cx, &row.id, &row.digest)
                .await
                .unwrap();
        }
        world.work().await;
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let server = world.servers().await.remove(0);
        assert_eq!((server.spec.vcpus, server.spec.memory_gb), (4, 8));
        let closed = world.list(true).await;
        assert!(closed.iter().all(|r| r.closing == Some(Closing::Restored)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_disk_is_made_anew_empty_and_attached() {
    for world in World::all().await {
        let (host, disk) = world.host_with_disk().await;
        let volume = ext(&disk);
        world.by_hand(Call::DetachVolume { volume }).await;
        let volume = ext(&disk);
        world.by_hand(Call::DeleteVolume { volume }).await;
        world.next_round().await;
        let lost = world.only(DifferenceKind::Missing).await;
        let cx = world.city.cx(&world.operator);
        difference::restore(&cx, &lost.id, &lost.digest)
            .await
            .unwrap();
        world.work().await;
        let back = world.resource(&disk.id).await;
        let there = world.cloud.get(Kind::Volume, &ext(&back)).await.unwrap();
        let Some(Object::Volume(volume)) = there else {
            panic!("no disk");
        };
        assert_eq!(volume.attached_to, Some(ext(&host)));
        assert_eq!(volume.spec.size_gb, 100);
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_off_is_released_frees_its_quota_once_and_is_charged_no_more() {
    for world in World::all().await {
        let (host, disk) = world.host_with_disk().await;
        assert!(world.used().await > 0);
        world.delete(&host).await;
        world.next_round().await;
        let lost = world.only(DifferenceKind::Missing).await;
        let cx = world.city.cx(&world.operator);
        let empty = difference::write_off(&cx, &lost.id, " ").await;
        assert!(matches!(empty, Err(ServiceError::Invalid(_))), "{empty:?}");
        difference::write_off(&cx, &lost.id, "机房故障，主机不再需要")
            .await
            .unwrap();
        conflict(
            difference::write_off(&cx, &lost.id, "再来一次").await,
            "difference.over",
        );
        let gone = world.resource(&host.id).await;
        assert_eq!(
            (gone.service, gone.billing),
            (ServiceState::Released, BillingState::Stopped)
        );
        assert_eq!(world.used().await, 0);
        world.city.assert_ledger().await;
        assert_eq!(world.resource(&disk.id).await.attached_to, None);
        let events = world.events(&host.id).await;
        for kind in ["released", "written_off"] {
            assert_eq!(events.iter().filter(|e| *e == kind).count(), 1, "{kind}");
        }
        let told = Sql::new("SELECT count(*) FROM notice WHERE msg LIKE '%notice.written_off%'");
        assert!(world.city.count(told).await > 0);
        let audited = Sql::new(
            "SELECT count(*) FROM audit_event WHERE action = 'difference.write_off' AND outcome = 'done'",
        );
        assert_eq!(world.city.count(audited).await, 1);
        world.next_round().await;
        assert_eq!(
            world.standing().await,
            [],
            "the disk hangs on nothing, on both sides"
        );
    }
}

#[tokio::test]
async fn what_came_back_or_can_not_be_asked_for_is_neither_built_anew_nor_written_off() {
    for world in World::all().await {
        let hosts = world.hosts(2).await;
        world.delete(&hosts[0]).await;
        world.next_round().await;
        let lost = world.only(DifferenceKind::Missing).await;
        let cx = world.city.cx(&world.operator);
        let reading = |times| Fault {
            on: On::Reading,
            what: What::Unreachable,
            skip: 0,
            times,
        };
        let both = async |key: &str| {
            conflict(difference::restore(&cx, &lost.id, &lost.digest).await, key);
            let reason = "机房故障，主机不再需要";
            conflict(difference::write_off(&cx, &lost.id, reason).await, key);
        };
        world.cloud.inject(reading(None));
        both("resource.cloud_away").await;
        world.cloud.clear_faults();
        // The list is old: under that name something stands by now.
        let there = hosts[1].external_id.clone().unwrap();
        let mut tx = world.city.app.db.begin().await.unwrap();
        Sql::new("UPDATE difference SET external_id = ")
            .bind(&*there)
            .push(" WHERE id = ")
            .bind(lost.id.as_str())
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        both("difference.over").await;
        world.work().await;
        assert_eq!(world.servers().await.len(), 1, "nothing was built");
        let host = world.resource(&hosts[0].id).await;
        assert_eq!(host.service, ServiceState::Running);
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_foreign_is_listed_noted_and_forgotten_when_it_has_gone() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        let own = world.servers().await.remove(0);
        let spec = ServerSpec {
            name: "nobodys".into(),
            ..own.spec.clone()
        };
        world.by_hand(Call::CreateServer { spec }).await;
        world.next_round().await;
        let found = world.only(DifferenceKind::Foreign).await;
        assert_eq!((found.name.as_str(), found.resource), ("nobodys", None));
        assert_eq!(world.may(&found.id).await, [Act::Note]);
        let cx = world.city.cx(&world.operator);
        let clouds = operation::clouds(&cx, &CloudsFilter::default())
            .await
            .unwrap();
        assert_eq!(clouds.foreign.rows.len(), 1);
        assert_eq!(operation::counts(&cx).await.unwrap().differences, 1);
        difference::note(&cx, &found.id, "网络组的跳板机")
            .await
            .unwrap();
        world.next_round().await;
        let noted = world.only(DifferenceKind::Foreign).await;
        assert_eq!(noted.note, "网络组的跳板机");
        assert_eq!(noted.noted_by.as_deref(), Some("operator"));
        let counts = operation::counts(&cx).await.unwrap();
        assert_eq!((counts.differences, counts.foreign), (0, 1));
        let server = ExternalId(found.external_id.clone());
        world.by_hand(Call::DeleteServer { server }).await;
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        assert_eq!(world.list(true).await[0].closing, Some(Closing::Gone));
        assert_eq!(world.servers().await[0].id, ext(&host));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_between_two_states_is_called_stuck_only_after_a_while() {
    let latency = Latency {
        change_server_ms: 2 * 60 * 60_000,
        ..Latency::default()
    };
    for world in World::all_with(latency).await {
        let host = world.hosts(1).await.remove(0);
        world.next_round().await;
        let server = ext(&host);
        world.by_hand(Call::StopServer { server }).await;
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let cx = world.city.cx(&world.operator);
        assert_eq!(operation::counts(&cx).await.unwrap().differences, 0);
        world.city.app.clock.advance_ms(PATIENCE_MS);
        world.work().await;
        let stuck = world.only(DifferenceKind::Stuck).await;
        assert_eq!(stuck.said[0].cloud.as_deref(), Some("changing"));
        world.city.app.clock.advance_ms(2 * 60 * MINUTE_MS);
        world.work().await;
        world.only(DifferenceKind::Changed).await;
        assert_eq!(world.list(true).await[0].closing, Some(Closing::Turned));
    }
}

#[tokio::test]
async fn none_but_an_operator_of_the_whole_site_sees_or_settles_a_difference() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        world.delete(&host).await;
        world.next_round().await;
        let id = world.only(DifferenceKind::Missing).await.id;
        let city = &world.city;
        let mut people: BTreeMap<String, UserId> = BTreeMap::new();
        for role in Role::ALL {
            let login = format!("as-{role}").replace('_', "-");
            let person = add(&city.app, &login, &city.bureau).await;
            let reach = if *role == Role::Operator {
                // A county's operator runs no cloud.
                Reach::Subtree
            } else {
                role.widest()
            };
            give(&city.app, &person, *role, &city.bureau, reach).await;
            people.insert(login, person);
        }
        for (login, person) in &people {
            let cx = city.cx(person);
            let filter = DifferenceFilter::default();
            let answers = [
                difference::list(&cx, &filter).await.map(|_| ()),
                difference::export(&cx, &filter).await.map(|_| ()),
                difference::detail(&cx, &id).await.map(|_| ()),
                difference::compare(&cx).await,
                difference::restore(&cx, &id, "").await,
                difference::follow(&cx, &id, "", Act::Follow).await,
                difference::adopt(&cx, &id, "", Money::ZERO).await,
                difference::write_off(&cx, &id, "不要了").await,
                difference::remove(&cx, &id, "web-1").await,
                difference::keep(&cx, &id, "").await,
                difference::note(&cx, &id, "不管它").await,
            ];
            for (n, answer) in answers.iter().enumerate() {
                let forbidden = matches!(answer, Err(ServiceError::Forbidden));
                assert!(forbidden, "{login}, act {n}: {answer:?}");
            }
        }
        let refused = Sql::new(
            "SELECT count(*) FROM audit_event WHERE outcome = 'refused' AND action LIKE 'difference.%'",
        );
        let acts = 8 * i64::try_from(people.len()).unwrap();
        assert_eq!(city.count(refused).await, acts);
        assert_eq!(world.standing().await.len(), 1);
        let nobody: DifferenceId = city.app.id();
        let operator = city.cx(&world.operator);
        let unknown = difference::restore(&operator, &nobody, "").await;
        assert!(
            matches!(unknown, Err(ServiceError::NotFound)),
            "{unknown:?}"
        );
        difference::compare(&operator).await.unwrap();
    }
}

fn address(city: &City, on: &RequestItemId) -> LineForm {
    let typed = [
        ("attach_to", on.as_str()),
        ("carrier", "telecom"),
        ("bandwidth_mbps", "2"),
    ];
    LineForm {
        item: "N-EIP".into(),
        typed: typed.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        ..city.disk(on)
    }
}

fn backup(city: &City, on: &RequestItemId) -> LineForm {
    let typed = [
        ("attach_to", on.as_str()),
        ("size_gb", "100"),
        ("schedule", "weekly"),
        ("keep_days", "30"),
    ];
    LineForm {
        item: "D-LB".into(),
        typed: typed.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        ..city.disk(on)
    }
}

impl World {
    /// Somebody deletes an address or a backup plan in the cloud itself.
    async fn lose(&self, lost: &Resource) {
        self.by_hand(match lost.kind {
            Fulfiller::Address => Call::ReleaseAddress { address: ext(lost) },
            Fulfiller::Backup => Call::DeleteBackupPlan { plan: ext(lost) },
            other => panic!("{other}"),
        })
        .await;
    }

    /// That it is missing, as it stands now.
    async fn missing(&self, lost: &Resource) -> DifferenceRow {
        let mut all = self.standing().await;
        all.retain(|row| {
            row.kind == DifferenceKind::Missing && row.resource.as_ref() == Some(&lost.id)
        });
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    /// An operator has it built anew.
    async fn build_anew(&self, lost: &Resource) -> Resource {
        let row = self.missing(lost).await;
        let cx = self.city.cx(&self.operator);
        difference::restore(&cx, &row.id, &row.digest)
            .await
            .unwrap();
        self.work().await;
        self.resource(&lost.id).await
    }

    /// Why it can't be built anew now, empty if it can; then it can be written off and nothing else.
    async fn hindrance(&self, lost: &Resource) -> String {
        let row = self.missing(lost).await;
        let cx = self.city.cx(&self.operator);
        let seen = difference::detail(&cx, &row.id).await.unwrap();
        let Some(why) = seen.hindrance else {
            assert_eq!(seen.may, [Act::Restore, Act::WriteOff]);
            return String::new();
        };
        assert_eq!(seen.may, [Act::WriteOff], "{why:?}");
        let refused = difference::restore(&cx, &row.id, &row.digest).await;
        conflict(refused, &why.key);
        why.key.into_owned()
    }

    async fn booked(&self, dimension: Dimension) -> i64 {
        let vdc = &self.city.vdc;
        self.city.standing(vdc, dimension).await.used
    }

    /// How often the clerk was told something.
    async fn told(&self, key: &str, words: &str) -> i64 {
        let told = Sql::new("SELECT count(*) FROM notice WHERE msg LIKE ")
            .bind(format!("%\"{key}\"%{words}%"))
            .push(" AND user_id = ")
            .bind(self.city.clerk.as_str());
        self.city.count(told).await
    }

    async fn the_address(&self, of: &Resource) -> Address {
        match self.cloud.get(Kind::Address, &ext(of)).await.unwrap() {
            Some(Object::Address(address)) => address,
            other => panic!("{other:?}"),
        }
    }

    async fn the_plan(&self, of: &Resource) -> BackupPlan {
        match self.cloud.get(Kind::BackupPlan, &ext(of)).await.unwrap() {
            Some(Object::BackupPlan(plan)) => plan,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_address_is_taken_anew_leads_to_its_host_and_its_unit_is_told_both() {
    for world in World::all().await {
        let all = world.host_with(&[address]).await;
        let (host, eip) = (of(&all, Fulfiller::Server), of(&all, Fulfiller::Address));
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let used = world.booked(Dimension::Addresses).await;
        let spec = world.the_address(&eip).await.spec;
        // Before it is missed, the one that is free again is somebody else's.
        world.lose(&eip).await;
        let taken = Call::AllocateAddress { spec: spec.clone() };
        world.by_hand(taken).await;
        world.next_round().await;
        assert_eq!(world.hindrance(&eip).await, "");
        let back = world.build_anew(&eip).await;
        let there = world.the_address(&back).await;
        let (before, after) = (eip.address.clone().unwrap(), there.address.to_string());
        assert_ne!(before, after);
        assert_ne!(back.external_id, eip.external_id);
        assert_eq!(back.address, Some(after.clone()));
        assert_eq!(
            (there.spec, there.associated_with),
            (spec, Some(ext(&host)))
        );
        assert_eq!(
            (back.month, back.expires_at, back.billing),
            (eip.month, eip.expires_at, eip.billing)
        );
        assert_eq!(back.attached_to, Some(host.id));
        assert_eq!(world.booked(Dimension::Addresses).await, used);
        world.city.assert_ledger().await;
        assert_eq!(world.events(&eip.id).await[0], "restored");
        let both = format!("{before}%{after}");
        assert_eq!(world.told("notice.rebuilt_address", &both).await, 1);
        // Sheet, page and list say the new one, and it is found by it.
        let cx = world.city.cx(&world.city.clerk);
        let sheet = resources::delivery_sheet(&cx, &eip.request).await.unwrap();
        let mut lines = sheet.lines.into_iter();
        let line = lines.find(|line| line.row.id == eip.id).unwrap();
        assert_eq!(line.row.address, Some(after.clone()));
        let page = resources::detail(&cx, &eip.id).await.unwrap();
        assert_eq!((page.row.address, page.cloud), (Some(after.clone()), None));
        for (text, found) in [(&after, true), (&before, false)] {
            let filter = ResourceFilter {
                text: Some(text.clone()),
                ..ResourceFilter::default()
            };
            let rows = resources::list(&cx, &filter).await.unwrap().rows;
            assert_eq!(rows.iter().any(|row| row.id == eip.id), found, "{text}");
        }
        // What somebody took is nobody's, and nothing else differs.
        world.next_round().await;
        world.only(DifferenceKind::Foreign).await;
        assert_eq!(world.standing().await.len(), 1);

        // The cloud may give the same one again: then nobody is sent to change names.
        world.lose(&back).await;
        world.next_round().await;
        let again = world.build_anew(&back).await;
        assert_ne!(again.external_id, back.external_id);
        assert_eq!(again.address, Some(after.clone()));
        let same = world.told("notice.rebuilt_address_same", &after).await;
        assert_eq!(same, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_address_that_led_nowhere_leads_nowhere_again() {
    for world in World::all().await {
        let all = world.host_with(&[address]).await;
        let eip = of(&all, Fulfiller::Address);
        let cx = world.city.cx(&world.city.clerk);
        fulfil::acts::detach(&cx, &eip.id, "").await.unwrap();
        world.work().await;
        world.lose(&eip).await;
        world.next_round().await;
        let back = world.build_anew(&eip).await;
        assert_ne!(back.external_id, eip.external_id);
        assert_eq!(world.the_address(&back).await.associated_with, None);
        world.next_round().await;
        assert_eq!(world.standing().await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_backup_plan_is_made_anew_for_its_host_with_its_schedule() {
    for world in World::all().await {
        let all = world.host_with(&[backup]).await;
        let (host, plan) = (of(&all, Fulfiller::Server), of(&all, Fulfiller::Backup));
        let used = world.booked(Dimension::BackupGb).await;
        let spec = world.the_plan(&plan).await.spec;
        assert_eq!((spec.every_hours, spec.keep_days), (7 * 24, 30));
        world.lose(&plan).await;
        world.next_round().await;
        assert_eq!(world.hindrance(&plan).await, "");
        let back = world.build_anew(&plan).await;
        assert_ne!(back.external_id, plan.external_id);
        assert_eq!(world.the_plan(&back).await.spec, spec);
        assert_eq!(
            (back.month, back.expires_at, back.attached_to),
            (plan.month, plan.expires_at, Some(host.id))
        );
        assert_eq!(world.booked(Dimension::BackupGb).await, used);
        world.city.assert_ledger().await;
        assert_eq!(world.events(&plan.id).await[0], "restored");
        assert_eq!(world.told("notice.rebuilt_backup", &plan.name).await, 1);
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let how = world.list(true).await.remove(0).closing;
        assert_eq!(how, Some(Closing::Restored));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_lost_with_its_host_is_built_anew_after_it() {
    for world in World::all().await {
        let all = world.host_with(&[address, backup]).await;
        let (eip, plan) = (of(&all, Fulfiller::Address), of(&all, Fulfiller::Backup));
        let host = of(&all, Fulfiller::Server);
        world.lose(&eip).await;
        world.lose(&plan).await;
        world.delete(&host).await;
        world.next_round().await;
        for lost in [&eip, &plan] {
            assert_eq!(world.hindrance(lost).await, "difference.target_lost");
        }
        let host = world.build_anew(&host).await;
        world.next_round().await;
        for lost in [&eip, &plan] {
            assert_eq!(world.hindrance(lost).await, "");
            world.build_anew(lost).await;
        }
        let eip = world.resource(&eip.id).await;
        let plan = world.resource(&plan.id).await;
        let leads = world.the_address(&eip).await.associated_with;
        assert_eq!(leads, Some(ext(&host)));
        assert_eq!(world.the_plan(&plan).await.spec.target, ext(&host));
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_plan_that_can_not_be_made_anew_says_why_and_is_written_off() {
    for world in World::all().await {
        let all = world.host_with(&[backup]).await;
        let (host, plan) = (of(&all, Fulfiller::Server), of(&all, Fulfiller::Backup));
        world.lose(&plan).await;
        world.next_round().await;
        let app = &world.city.app;
        let lacks = async |kinds: &[Fulfiller]| {
            let mut tx = app.db.begin().await.unwrap();
            cloud::save_lacks(&mut tx, CLOUD, kinds).await.unwrap();
            tx.commit().await.unwrap();
        };
        lacks(&[Fulfiller::Backup]).await;
        assert_eq!(world.hindrance(&plan).await, "difference.cloud_lacks");
        lacks(&[]).await;
        let put = async |what: ServiceState| {
            let found = world.resource(&host.id).await;
            let mut tx = app.db.begin().await.unwrap();
            resource::set_states(&mut tx, &found, what, found.billing)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        };
        put(ServiceState::Recycled).await;
        assert_eq!(world.hindrance(&plan).await, "difference.target_in_bin");
        put(ServiceState::Running).await;
        assert_eq!(world.hindrance(&plan).await, "");
        world.delete(&host).await;
        world.next_round().await;
        assert_eq!(world.hindrance(&plan).await, "difference.target_lost");
        // Written off, the host is none any more.
        let cx = world.city.cx(&world.operator);
        let lost = world.missing(&host).await;
        difference::write_off(&cx, &lost.id, "机房故障，主机不再需要")
            .await
            .unwrap();
        assert_eq!(world.hindrance(&plan).await, "difference.no_target");
        let lost = world.missing(&plan).await;
        difference::write_off(&cx, &lost.id, "主机已核销")
            .await
            .unwrap();
        let gone = world.resource(&plan.id).await;
        assert_eq!(gone.service, ServiceState::Released);
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        world.city.assert_ledger().await;
    }
}

/// A lost address or backup plan of a host that stands, to be built anew under every fault.
struct Returning<'a> {
    world: &'a World,
    host: Resource,
    lost: Resource,
    dimension: Dimension,
    used: i64,
}

impl Returning<'_> {
    /// What of its kind stands in the cloud.
    async fn there(&self) -> Vec<Object> {
        let page = self.world.cloud.list(None, None).await.unwrap();
        let mut all = page.objects;
        all.retain(|object| compare::thing(object) == ThingKind::of(self.lost.kind));
        all
    }
}

#[async_trait]
impl Bench for Returning<'_> {
    type Saga = Mend;

    async fn fresh(&self, app: &TestApp) -> (Mend, Params) {
        let lost = self.world.resource(&self.lost.id).await;
        self.world.lose(&lost).await;
        let scope = Scope::system(&app.system()).unwrap();
        let mut tx = app.db.begin().await.unwrap();
        let (build, works) = begin::anew(&mut tx, &app.system(), &scope, &lost, true)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let params = Params {
            difference: app.id(),
            resource: lost.id,
            actor: self.world.operator.clone(),
            backend: CLOUD.into(),
            build: Some(build),
            works,
            whole: true,
        };
        let backends = Backends::default().with(self.world.cloud.clone());
        (Mend::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        let back = self.world.resource(&self.lost.id).await;
        let there = self.there().await;
        assert_eq!(there.len(), 1, "{when}");
        assert_eq!(*there[0].id(), ext(&back), "{when}");
        match &there[0] {
            Object::Address(it) => {
                assert_eq!(it.associated_with, Some(ext(&self.host)), "{when}");
                assert_eq!(back.address, Some(it.address.to_string()), "{when}");
            }
            Object::BackupPlan(it) => assert_eq!(it.spec.target, ext(&self.host), "{when}"),
            other => panic!("{when}: {other:?}"),
        }
        let used = self.world.booked(self.dimension).await;
        assert_eq!(used, self.used, "{when}");
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        assert_eq!(self.there().await, [], "{when}");
        assert_eq!(self.world.servers().await.len(), 1, "{when}");
        let used = self.world.booked(self.dimension).await;
        assert_eq!(used, self.used, "{when}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_or_a_plan_whose_return_is_killed_refused_or_doubled_stands_once_or_not_at_all()
{
    for world in World::all().await {
        let all = world.host_with(&[address, backup]).await;
        for (kind, dimension) in [
            (Fulfiller::Address, Dimension::Addresses),
            (Fulfiller::Backup, Dimension::BackupGb),
        ] {
            let bench = Returning {
                world: &world,
                host: of(&all, Fulfiller::Server),
                lost: of(&all, kind),
                dimension,
                used: world.booked(dimension).await,
            };
            drill(&world.city.app, &bench).await;
        }
        world.city.assert_ledger().await;
    }
}

const PAGES: &str = "tcp 8000-8100 10.8.0.0/24";
/// What no law allows: the door to the machine, open to everybody.
const DOOR: &str = "tcp 22 0.0.0.0/0";
const INSIDE: &str = "tcp 9000 10.9.0.0/16";

fn parsed(rules: &[&str]) -> Vec<AccessRule> {
    rules.iter().map(|rule| rule.parse().unwrap()).collect()
}

impl World {
    /// The owner of a host lets somebody in to the pages.
    async fn open_pages(&self, host: &ResourceId) {
        self.opens(host, "8000-8100").await;
    }

    /// The owner of a host lets somebody in.
    async fn opens(&self, host: &ResourceId, ports: &str) {
        let cx = self.city.cx(&self.city.clerk);
        let form = AccessRuleForm {
            protocol: "tcp".into(),
            ports: ports.into(),
            source: "10.8.0.0/24".into(),
            note: "接口".into(),
        };
        fulfil::access_rule::add(&cx, host, &form, "")
            .await
            .unwrap();
        self.work().await;
    }

    /// Somebody says in the cloud itself what comes in.
    async fn let_in_by_hand(&self, host: &Resource, rules: &[&str]) {
        let (server, rules) = (ext(host), parsed(rules));
        self.by_hand(Call::SetServerRules { server, rules }).await;
    }

    /// What the cloud lets in to a host.
    async fn comes_in(&self, host: &Resource) -> String {
        let told = self.cloud.server_rules(&ext(host)).await.unwrap().unwrap();
        text_of(&told.rules, &told.others)
    }

    /// What the rows let in to a host.
    async fn said(&self, host: &ResourceId) -> String {
        let mut rx = self.city.app.db.read().await.unwrap();
        let rows = access_rule::of_resource(&mut rx, host).await.unwrap();
        let rules: Vec<AccessRule> = rows.into_iter().map(|row| row.rule).collect();
        text_of(&rules, &[])
    }

    /// The only difference, which is one of rules alone: both sides.
    async fn rules_apart(&self) -> (DifferenceRow, Option<String>, Option<String>) {
        let row = self.only(DifferenceKind::Changed).await;
        let differing: Vec<_> = row.said.iter().filter(|said| said.differs()).collect();
        assert_eq!(differing.len(), 1, "{row:#?}");
        let one = differing[0].clone();
        assert_eq!(one.aspect, Aspect::Rules);
        // Nothing is charged for who comes in.
        assert_eq!(row.month, Money::ZERO);
        (row, one.ours, one.cloud)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_opened_by_hand_is_found_never_followed_against_the_law_and_closed_again() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        world.open_pages(&host.id).await;
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        world.let_in_by_hand(&host, &[PAGES, DOOR]).await;
        world.next_round().await;
        let (row, ours, cloud) = world.rules_apart().await;
        assert_eq!(row.resource.as_ref(), Some(&host.id));
        assert_eq!(ours.as_deref(), Some(PAGES));
        assert_eq!(cloud, Some(format!("{DOOR}; {PAGES}")));
        let may = [Act::Restore, Act::Follow, Act::Note];
        assert_eq!(world.may(&row.id).await, may);
        // Its unit reads it on the page of the host.
        let clerk = world.city.cx(&world.city.clerk);
        let seen = resources::detail(&clerk, &host.id).await.unwrap();
        assert_eq!(seen.cloud.unwrap().kind, Some(DifferenceKind::Changed));

        let cx = world.city.cx(&world.operator);
        match difference::follow(&cx, &row.id, &row.digest, Act::Follow).await {
            Err(ServiceError::Conflict(msg)) => {
                assert_eq!(msg.key, "difference.rule_forbidden");
                let said = serde_json::to_string(&msg).unwrap();
                assert!(said.contains(DOOR), "{said}");
                assert!(said.contains("access_rule.guarded"), "{said}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(world.said(&host.id).await, PAGES);
        difference::restore(&cx, &row.id, &row.digest)
            .await
            .unwrap();
        // While it is being closed its owner changes nothing.
        conflict(
            difference::restore(&cx, &row.id, &row.digest).await,
            "resource.busy_now",
        );
        world.work().await;
        assert_eq!(world.comes_in(&host).await, PAGES);
        assert_eq!(world.said(&host.id).await, PAGES);
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let closed = world.list(true).await;
        assert_eq!(closed.len(), 1);
        assert_eq!(closed[0].closing, Some(Closing::Restored));
        assert_eq!(closed[0].closed_by.as_deref(), Some("operator"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_law_allows_can_be_followed_and_becomes_the_rules_of_the_host() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        world.open_pages(&host.id).await;
        world.let_in_by_hand(&host, &[INSIDE]).await;
        world.next_round().await;
        let (row, ours, cloud) = world.rules_apart().await;
        assert_eq!(
            (ours.as_deref(), cloud.as_deref()),
            (Some(PAGES), Some(INSIDE))
        );
        let cx = world.city.cx(&world.operator);
        difference::follow(&cx, &row.id, &row.digest, Act::Follow)
            .await
            .unwrap();
        conflict(
            difference::follow(&cx, &row.id, &row.digest, Act::Follow).await,
            "difference.over",
        );
        assert_eq!(world.said(&host.id).await, INSIDE);
        assert_eq!(world.comes_in(&host).await, INSIDE);
        assert_eq!(world.events(&host.id).await[0], "rules_changed");
        assert_eq!(world.list(true).await[0].closing, Some(Closing::Followed));
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        // All closed there, while it is switched off there too: one act follows in both.
        world.let_in_by_hand(&host, &[]).await;
        let server = ext(&host);
        world.by_hand(Call::StopServer { server }).await;
        world.next_round().await;
        let row = world.only(DifferenceKind::Changed).await;
        assert_eq!(row.month, host.month);
        world.city.app.clock.advance_ms(1_000);
        let cx = world.city.cx(&world.operator);
        difference::follow(&cx, &row.id, &row.digest, Act::Follow)
            .await
            .unwrap();
        assert_eq!(world.said(&host.id).await, "");
        let stopped = world.resource(&host.id).await;
        assert_eq!(stopped.service, ServiceState::Stopped);
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let followed = Sql::new(
            "SELECT count(*) FROM audit_event WHERE action = 'difference.follow' AND outcome = 'done'",
        );
        assert_eq!(world.city.count(followed).await, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_that_has_moved_since_it_was_read_is_not_followed() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        world.open_pages(&host.id).await;
        world.let_in_by_hand(&host, &[INSIDE]).await;
        world.next_round().await;
        let (read, ..) = world.rules_apart().await;
        // A round writes another word into the row that the operator has before him.
        let wide = "tcp 9000 10.0.0.0/8";
        world.let_in_by_hand(&host, &[wide]).await;
        world.next_round().await;
        let (now, _, cloud) = world.rules_apart().await;
        assert_eq!((&now.id, cloud.as_deref()), (&read.id, Some(wide)));
        let cx = world.city.cx(&world.operator);
        let refused = difference::follow(&cx, &read.id, &read.digest, Act::Follow).await;
        conflict(refused, "error.stale");
        let refused = difference::restore(&cx, &read.id, &read.digest).await;
        conflict(refused, "error.stale");
        assert_eq!(world.said(&host.id).await, PAGES);

        // Its owner says other rules, which closes what stood open; the round after it breaks off.
        // Within the minute: its look would call the cloud silent, and the rules would wait.
        world.city.app.clock.advance_ms(1_000);
        world.cloud.inject(Fault {
            on: On::Reading,
            what: What::Unreachable,
            skip: 0,
            times: None,
        });
        world.opens(&host.id, "7000").await;
        let cx = world.city.cx(&world.operator);
        let follow = || difference::follow(&cx, &now.id, &now.digest, Act::Follow);
        conflict(follow().await, "resource.cloud_away");
        world.cloud.clear_faults();
        let own = world.comes_in(&host).await;
        assert_eq!(world.said(&host.id).await, own);
        assert_eq!(world.rules_apart().await.0.digest, now.digest);
        conflict(follow().await, "error.stale");
        // Nor where the cloud is again as the round saw it: then the owner's rules are not.
        world.let_in_by_hand(&host, &[wide]).await;
        conflict(follow().await, "error.stale");
        let refused = difference::restore(&cx, &now.id, &now.digest).await;
        conflict(refused, "error.stale");
        assert_eq!(world.said(&host.id).await, own);
        world.next_round().await;
        let (row, ours, _) = world.rules_apart().await;
        assert_eq!(ours, Some(own));
        let cx = world.city.cx(&world.operator);
        difference::follow(&cx, &row.id, &row.digest, Act::Follow)
            .await
            .unwrap();
        assert_eq!(world.said(&host.id).await, wide);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_about_a_host_is_looked_at_anew_when_its_owner_has_said_its_rules() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        world.let_in_by_hand(&host, &[DOOR]).await;
        world.next_round().await;
        world.rules_apart().await;
        world.city.app.clock.advance_ms(1_000);
        world.open_pages(&host.id).await;
        assert_eq!(world.comes_in(&host).await, PAGES);
        assert_eq!(world.standing().await, []);
        assert_eq!(world.list(true).await[0].closing, Some(Closing::Agrees));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_law_lets_the_portal_follow_in_rules_it_follows_in_power_alone() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        world.let_in_by_hand(&host, &[DOOR]).await;
        let server = ext(&host);
        world.by_hand(Call::StopServer { server }).await;
        world.next_round().await;
        let row = world.only(DifferenceKind::Changed).await;
        let may = [Act::Restore, Act::Follow, Act::FollowPower, Act::Note];
        assert_eq!(world.may(&row.id).await, may);
        let cx = world.city.cx(&world.operator);
        let both = difference::follow(&cx, &row.id, &row.digest, Act::Follow).await;
        conflict(both, "difference.rule_forbidden");
        difference::follow(&cx, &row.id, &row.digest, Act::FollowPower)
            .await
            .unwrap();
        let stopped = world.resource(&host.id).await;
        assert_eq!(stopped.service, ServiceState::Stopped);
        assert_eq!(world.said(&host.id).await, "");
        // The door stands open and is said so at once.
        world.work().await;
        let (left, ours, cloud) = world.rules_apart().await;
        assert_eq!((left.id, ours), (row.id, None));
        assert_eq!(cloud.as_deref(), Some(DOOR));
        let may = [Act::Restore, Act::Follow, Act::Note];
        assert_eq!(world.may(&world.standing().await[0].id).await, may);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_rule_is_being_opened_nothing_is_called_different() {
    let latency = Latency {
        other_ms: u64::try_from(3 * ROUND_MS).unwrap(),
        ..Latency::default()
    };
    for world in World::all_with(latency).await {
        let host = world.hosts(1).await.remove(0);
        world.next_round().await;
        world.open_pages(&host.id).await;
        // The cloud has it already, and our rows not before it says that it has.
        assert_eq!(world.comes_in(&host).await, PAGES);
        assert_eq!(world.said(&host.id).await, "");
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        world.city.app.clock.advance_ms(3 * ROUND_MS);
        world.work().await;
        assert_eq!(world.said(&host.id).await, PAGES);
        world.next_round().await;
        assert_eq!(world.standing().await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_could_not_be_read_make_no_difference_and_close_none() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        world.open_pages(&host.id).await;
        world.next_round().await;
        let half = || {
            world.cloud.inject(Fault {
                on: On::Reading,
                what: What::Unreachable,
                skip: 0,
                times: Some(1),
            });
        };
        world.let_in_by_hand(&host, &[]).await;
        world.city.app.clock.advance_ms(MINUTE_MS);
        half();
        let ended = world.one_round(&world.cloud).await;
        assert!(matches!(ended, Ended::Broken(_)), "{ended:?}");
        assert_eq!(world.standing().await, []);
        world.one_round(&world.cloud).await;
        let (_, ours, cloud) = world.rules_apart().await;
        assert_eq!((ours.as_deref(), cloud), (Some(PAGES), None));
        world.let_in_by_hand(&host, &[PAGES]).await;
        world.city.app.clock.advance_ms(MINUTE_MS);
        half();
        world.one_round(&world.cloud).await;
        world.rules_apart().await;
        world.one_round(&world.cloud).await;
        assert_eq!(world.standing().await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_rules_moved_has_not_the_version_any_more_that_a_round_held_beside_the_cloud()
{
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        world.let_in_by_hand(&host, &[DOOR]).await;
        world.city.app.clock.advance_ms(MINUTE_MS);
        let mut tx = world.city.app.db.begin().await.unwrap();
        let before = rows::ours(&mut tx, CLOUD, [ext(&host).as_str()])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        world.open_pages(&host.id).await;
        let mut tx = world.city.app.db.begin().await.unwrap();
        let after = rows::ours(&mut tx, CLOUD, [ext(&host).as_str()])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let version = |all: &HashMap<String, rows::Ours>| all[ext(&host).as_str()].version;
        // The round writes only about a row that has the version that it was held beside.
        assert!(version(&after) > version(&before));
        assert_eq!(world.comes_in(&host).await, PAGES);
        world.one_round(&world.cloud).await;
        assert_eq!(world.standing().await, []);
    }
}

/// A host whose door stands open in the cloud, to be closed under every fault.
struct Shutting<'a> {
    world: &'a World,
    host: Resource,
}

#[async_trait]
impl Bench for Shutting<'_> {
    type Saga = Mend;

    async fn fresh(&self, app: &TestApp) -> (Mend, Params) {
        self.world.let_in_by_hand(&self.host, &[PAGES, DOOR]).await;
        let params = Params {
            difference: app.id(),
            resource: self.host.id.clone(),
            actor: self.world.operator.clone(),
            backend: CLOUD.into(),
            build: None,
            works: vec![Work::Rules {
                server: there(ext(&self.host).0),
                rules: parsed(&[PAGES]),
            }],
            whole: true,
        };
        let backends = Backends::default().with(self.world.cloud.clone());
        (Mend::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        assert_eq!(self.world.comes_in(&self.host).await, PAGES, "{when}");
        assert_eq!(self.world.said(&self.host.id).await, PAGES, "{when}");
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        // It stands, and its owner's word is the same; the next round says what comes in.
        assert_eq!(self.world.servers().await.len(), 1, "{when}");
        assert_eq!(self.world.said(&self.host.id).await, PAGES, "{when}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_a_door_that_is_killed_refused_or_doubled_leaves_the_host_and_its_rules() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        world.open_pages(&host.id).await;
        let bench = Shutting {
            host,
            world: &world,
        };
        drill(&world.city.app, &bench).await;
    }
}
// ---- what ends each kind of difference

impl World {
    async fn resized_by_hand(&self, host: &Resource, vcpus: u32, memory_gb: u32) {
        let (server, size) = (ext(host), ServerSize { vcpus, memory_gb });
        self.by_hand(Call::ResizeServer { server, size }).await;
    }

    /// The only difference that a resource stands in.
    async fn of(&self, about: &Resource) -> DifferenceRow {
        let mut all = self.standing().await;
        all.retain(|row| row.resource.as_ref() == Some(&about.id));
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    async fn detail(&self, id: &DifferenceId) -> DifferenceDetail {
        let cx = self.city.cx(&self.operator);
        difference::detail(&cx, id).await.unwrap()
    }

    /// An operator takes over what the page shows.
    async fn adopt(&self, row: &DifferenceRow) -> Result<(), ServiceError> {
        let shown = self.detail(&row.id).await.adoption.unwrap().change;
        let cx = self.city.cx(&self.operator);
        difference::adopt(&cx, &row.id, &row.digest, shown.month_after).await
    }

    /// What breaks in the cloud while somebody works on it there stands in an error.
    async fn broken(&self, host: &Resource) {
        let call = CallKind::ReinstallServer;
        self.cloud.inject(Fault {
            on: On::Call(call),
            what: What::FailLate(RefusalReason::Broken),
            skip: 0,
            times: Some(1),
        });
        let there = self.cloud.get(Kind::Server, &ext(host)).await.unwrap();
        let spec = there.and_then(Object::into_server).unwrap().spec;
        let n = self.hand.fetch_add(1, Ordering::SeqCst);
        let call = Call::ReinstallServer {
            server: ext(host),
            image: spec.image,
            access: Access::OneTimePassword,
        };
        let _ = self
            .cloud
            .execute(&OperationId(format!("broken-{n}")), call)
            .await;
        self.cloud.clear_faults();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_of_the_cloud_is_taken_over_once_with_its_price_and_its_quota() {
    for world in World::all().await {
        let (host, disk) = world.host_with_disk().await;
        let (cores, space) = (
            world.booked(Dimension::Vcpu).await,
            world.booked(Dimension::SsdGb).await,
        );
        world.resized_by_hand(&host, 8, 16).await;
        let (volume, size_gb) = (ext(&disk), 200);
        world.by_hand(Call::ExtendVolume { volume, size_gb }).await;
        world.next_round().await;
        let (larger, grown) = (world.of(&host).await, world.of(&disk).await);
        let acts = [Act::Restore, Act::Adopt, Act::Note];
        assert_eq!(world.may(&larger.id).await, acts);
        // No cloud makes a disk smaller.
        assert_eq!(world.may(&grown.id).await, [Act::Adopt, Act::Note]);
        let shown = world.detail(&larger.id).await.adoption.unwrap();
        assert_eq!(
            (shown.against, shown.change.month_before),
            (vec![], host.month)
        );
        let month = shown.change.month_after;
        assert!(month > host.month);
        let cx = world.city.cx(&world.operator);
        let adopt =
            async |digest: &str, month| difference::adopt(&cx, &larger.id, digest, month).await;
        conflict(
            adopt(&larger.digest, host.month).await,
            "resource.price_changed",
        );
        conflict(adopt("another", month).await, "error.stale");
        assert_eq!(world.resource(&host.id).await.month, host.month);
        for row in [&larger, &grown] {
            world.adopt(row).await.unwrap();
        }
        conflict(adopt(&larger.digest, month).await, "difference.over");
        let (host, disk) = (
            world.resource(&host.id).await,
            world.resource(&disk.id).await,
        );
        let number = |of: &Resource, key| of.answers.integer(key).unwrap();
        assert_eq!(
            (number(&host, "vcpus"), number(&host, "memory_gb")),
            (8, 16)
        );
        assert_eq!((host.month, number(&disk, "size_gb")), (month, 200));
        assert_eq!(world.booked(Dimension::Vcpu).await, cores + 4);
        assert_eq!(world.booked(Dimension::SsdGb).await, space + 100);
        world.city.assert_ledger().await;
        assert_eq!(world.events(&host.id).await[0], "resized");
        assert_eq!(world.events(&disk.id).await[0], "extended");
        assert_eq!(world.told("notice.adopted", &host.name).await, 1);
        let audited = Sql::new(
            "SELECT count(*) FROM audit_event WHERE action = 'difference.adopt' AND outcome = 'done'",
        );
        assert_eq!(world.city.count(audited).await, 2);
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let closed = world.list(true).await;
        assert!(closed.iter().all(|r| r.closing == Some(Closing::Followed)));
        // Back again it is another difference, and books again.
        world.resized_by_hand(&host, 4, 8).await;
        world.next_round().await;
        world.adopt(&world.of(&host).await).await.unwrap();
        assert_eq!(world.booked(Dimension::Vcpu).await, cores);
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_that_does_not_fit_or_is_not_on_offer_is_said_and_can_be_restored() {
    for world in World::all().await {
        let hosts = world.hosts(2).await;
        world.resized_by_hand(&hosts[0], 8, 16).await;
        world.resized_by_hand(&hosts[1], 65, 8).await;
        let (city, used) = (&world.city, world.booked(Dimension::Vcpu).await);
        let mut tx = city.app.db.begin().await.unwrap();
        let (cx, vdc, pool) = (city.app.system(), &city.vdc, &city.pool);
        quota::set_limit(&mut tx, &cx, "limit:less", vdc, pool, Dimension::Vcpu, used)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        world.next_round().await;
        let (short, odd) = (world.of(&hosts[0]).await, world.of(&hosts[1]).await);
        for (row, key) in [
            (&short, "verdict.over_quota"),
            (&odd, "difference.size_not_offered"),
        ] {
            let detail = world.detail(&row.id).await;
            assert_eq!(detail.adoption.unwrap().against[0].key, key);
            assert_eq!(detail.may, [Act::Restore, Act::Note]);
        }
        let refused = world.adopt(&short).await;
        assert!(
            matches!(refused, Err(ServiceError::QuotaExceeded(_))),
            "{refused:?}"
        );
        conflict(world.adopt(&odd).await, "difference.size_not_offered");
        assert_eq!(world.booked(Dimension::Vcpu).await, used);
        city.assert_ledger().await;
        let cx = city.cx(&world.operator);
        for row in [&short, &odd] {
            difference::restore(&cx, &row.id, &row.digest)
                .await
                .unwrap();
        }
        world.work().await;
        world.next_round().await;
        assert_eq!(world.standing().await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_that_moved_on_or_a_cloud_that_is_away_is_taken_over_by_nobody() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        world.resized_by_hand(&host, 8, 16).await;
        world.next_round().await;
        let row = world.of(&host).await;
        world.cloud.inject(Fault {
            on: On::Reading,
            what: What::Unreachable,
            skip: 0,
            times: None,
        });
        conflict(world.adopt(&row).await, "resource.cloud_away");
        world.cloud.clear_faults();
        world.resized_by_hand(&host, 16, 32).await;
        conflict(world.adopt(&row).await, "error.stale");
        assert_eq!(world.resource(&host.id).await.month, host.month);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_too_small_there_grows_to_what_was_sold() {
    for world in World::all().await {
        let (_, disk) = world.host_with_disk().await;
        let mut answers = disk.answers.clone();
        answers.0.insert("size_gb".to_owned(), Answer::Integer(200));
        let mut tx = world.city.app.db.begin().await.unwrap();
        resource::reinstalled(&mut tx, &disk, &answers, disk.service)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        world.next_round().await;
        let row = world.of(&disk).await;
        assert_eq!(world.may(&row.id).await, [Act::Restore, Act::Note]);
        let cx = world.city.cx(&world.operator);
        difference::restore(&cx, &row.id, &row.digest)
            .await
            .unwrap();
        world.work().await;
        world.next_round().await;
        assert_eq!(world.standing().await, [], "and it hangs where it hung");
        let there = world.cloud.get(Kind::Volume, &ext(&disk)).await.unwrap();
        assert!(matches!(there, Some(Object::Volume(it)) if it.spec.size_gb == 200));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_and_an_address_of_the_cloud_are_written_down_and_the_unit_is_told() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        let mut tx = world.city.app.db.begin().await.unwrap();
        resource::known_as(&mut tx, &host, Some("another"), Some("10.255.255.9"))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        world.next_round().await;
        let row = world.of(&host).await;
        assert_eq!(world.may(&row.id).await, [Act::Follow, Act::Note]);
        let cx = world.city.cx(&world.operator);
        difference::follow(&cx, &row.id, &row.digest, Act::Follow)
            .await
            .unwrap();
        assert_eq!(world.resource(&host.id).await.address, host.address);
        assert_eq!(world.events(&host.id).await[0], "followed");
        let told = world.told("notice.address_followed", "10.255.255.9");
        assert_eq!(told.await, 1);
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let how = world.list(true).await.remove(0).closing;
        assert_eq!(how, Some(Closing::Followed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_backs_up_another_host_is_made_anew_for_its_own() {
    for world in World::all().await {
        let all = world.host_with(&[backup]).await;
        let plan = of(&all, Fulfiller::Backup);
        let other = world.hosts(1).await.remove(0);
        let mut tx = world.city.app.db.begin().await.unwrap();
        resource::attach(&mut tx, &plan, Some(&other.id))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        world.next_round().await;
        let row = world.of(&plan).await;
        assert_eq!(world.may(&row.id).await, [Act::Restore, Act::Note]);
        let cx = world.city.cx(&world.operator);
        difference::restore(&cx, &row.id, &row.digest)
            .await
            .unwrap();
        world.work().await;
        let back = world.resource(&plan.id).await;
        assert_eq!(world.the_plan(&back).await.spec.target, ext(&other));
        world.next_round().await;
        assert_eq!(world.standing().await, [], "the old plan is gone");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_somebody_lets_run_otherwise_is_changed_and_runs_again_as_it_was_ordered() {
    for world in World::all().await {
        let all = world.host_with(&[backup]).await;
        let plan = of(&all, Fulfiller::Backup);
        world
            .by_hand(Call::ChangeBackupPlan {
                plan: ext(&plan),
                every_hours: 24,
                keep_days: 1,
            })
            .await;
        world.next_round().await;
        let row = world.of(&plan).await;
        assert_eq!(row.kind, DifferenceKind::Changed);
        let said: Vec<_> = row.said.iter().filter(|said| said.differs()).collect();
        assert_eq!((said.len(), said[0].cloud.as_deref()), (1, Some("24/1")));
        assert_eq!(world.may(&row.id).await, [Act::Restore, Act::Note]);
        let cx = world.city.cx(&world.operator);
        difference::restore(&cx, &row.id, &row.digest)
            .await
            .unwrap();
        world.work().await;
        let there = world.the_plan(&plan).await.spec;
        assert_eq!((there.every_hours, there.keep_days), (168, 30));
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        assert_eq!(world.resource(&plan.id).await.external_id, plan.external_id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_in_an_error_is_restarted_or_written_off_and_foreign_from_then_on() {
    for world in World::all().await {
        let hosts = world.hosts(2).await;
        for host in &hosts {
            world.broken(host).await;
        }
        world.next_round().await;
        let (again, off) = (world.of(&hosts[0]).await, world.of(&hosts[1]).await);
        assert_eq!(again.kind, DifferenceKind::Stuck);
        let acts = [Act::Restore, Act::WriteOff, Act::Note];
        assert_eq!(world.may(&again.id).await, acts);
        let cx = world.city.cx(&world.operator);
        difference::restore(&cx, &again.id, &again.digest)
            .await
            .unwrap();
        let twice = difference::restore(&cx, &again.id, &again.digest).await;
        conflict(twice, "resource.busy_now");
        difference::write_off(&cx, &off.id, "硬件故障，不再修复")
            .await
            .unwrap();
        world.work().await;
        assert_eq!(
            world.told("notice.written_off_stuck", &hosts[1].name).await,
            1
        );
        world.city.assert_ledger().await;
        world.next_round().await;
        let left = world.only(DifferenceKind::Foreign).await;
        assert_eq!(Some(left.external_id), hosts[1].external_id);
        assert_eq!(world.standing().await.len(), 1);
        let there = world
            .cloud
            .get(Kind::Server, &ext(&hosts[0]))
            .await
            .unwrap();
        let power = there.and_then(Object::into_server).unwrap().power;
        assert_eq!(power, lingbao_backends::provisioning::Power::Active);
        let gone = world.resource(&hosts[1].id).await;
        assert_eq!(gone.service, ServiceState::Released);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_in_an_error_is_told_and_written_off_and_one_between_two_states_after_a_while() {
    for mut world in World::all().await {
        let (_, disk) = world.host_with_disk().await;
        let inner = world.cloud.clone();
        let ailing = |disks| Halting::ailing(&inner, disks);
        for (state, wait_ms, told) in [
            (VolumeState::Ready, ROUND_MS, None),
            (VolumeState::Changing, ROUND_MS, None),
            (VolumeState::Changing, PATIENCE_MS, Some("changing")),
            (VolumeState::Error, ROUND_MS, Some("error")),
        ] {
            world.city.app.clock.advance_ms(wait_ms);
            let ended = world.one_round(&ailing(state)).await;
            assert!(matches!(ended, Ended::Whole { .. }), "{ended:?}");
            let standing = world.standing().await;
            assert_eq!(standing.len(), usize::from(told.is_some()), "{state:?}");
            if let Some(row) = standing.first() {
                assert_eq!(row.kind, DifferenceKind::Stuck);
                assert_eq!(row.said[0].aspect, Aspect::State);
                assert_eq!(row.said[0].cloud.as_deref(), told);
                assert_eq!(world.may(&row.id).await, [Act::WriteOff, Act::Note]);
            }
        }
        let row = world.only(DifferenceKind::Stuck).await;
        let why = "云平台上无法修复";
        // The cloud is asked once more, and its disk is well again.
        let cx = world.city.cx(&world.operator);
        let well = difference::write_off(&cx, &row.id, why).await;
        conflict(well, "difference.over");
        let backends = Backends::default().with(ailing(VolumeState::Error));
        world.city.app = world.city.app.clone().with_backends(Arc::new(backends));
        let cx = world.city.cx(&world.operator);
        difference::write_off(&cx, &row.id, why).await.unwrap();
        let off = world.resource(&disk.id).await;
        assert_eq!(off.service, ServiceState::Released);
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_again_is_neither_restarted_nor_written_off() {
    for world in World::all().await {
        let host = world.hosts(1).await.remove(0);
        world.broken(&host).await;
        world.next_round().await;
        let row = world.of(&host).await;
        world
            .by_hand(Call::RestartServer { server: ext(&host) })
            .await;
        world.city.app.clock.advance_ms(MINUTE_MS);
        let cx = world.city.cx(&world.operator);
        let restored = difference::restore(&cx, &row.id, &row.digest).await;
        conflict(restored, "difference.over");
        let off = difference::write_off(&cx, &row.id, "硬件故障，不再修复").await;
        conflict(off, "difference.over");
    }
}

// ---- what no row names

impl World {
    /// Somebody makes a disk in the cloud itself, as large as nothing that was sold, beside another.
    async fn disk_by_hand(&self, beside: &Resource, name: &str) -> ExternalId {
        let spec = VolumeSpec {
            name: name.into(),
            size_gb: 10,
            ..self.the_disk(&ext(beside)).await.unwrap().spec
        };
        self.by_hand(Call::CreateVolume { spec }).await;
        let page = self.cloud.list(None, None).await.unwrap();
        let mut all = page.objects.into_iter().filter_map(Object::into_volume);
        all.find(|it| it.spec.name == name).unwrap().id
    }

    async fn the_disk(&self, id: &ExternalId) -> Option<Volume> {
        let there = self.cloud.get(Kind::Volume, id).await.unwrap();
        there.and_then(Object::into_volume)
    }

    /// A round that is told of these things that the operation of a resource of ours made them too.
    async fn round_of_doubles(&self, of: &Resource, doubles: &[&ExternalId]) {
        let kind = compare::kind_of(of.kind).unwrap();
        let made = self.cloud.get(kind, &ext(of)).await.unwrap().unwrap();
        let told = |id: &&ExternalId| ((*id).clone(), made.operation().clone());
        let cloud = Halting {
            made_by: doubles.iter().map(told).collect(),
            ..Halting::whole(&self.cloud)
        };
        let ended = self.one_round(&cloud).await;
        assert!(matches!(ended, Ended::Whole { .. }), "{ended:?}");
    }

    /// An address beside one that was ordered, of the same project and pool.
    async fn address_by_hand(&self, beside: &Resource) -> Address {
        let before = self.addresses().await;
        let spec = self.the_address(beside).await.spec;
        self.by_hand(Call::AllocateAddress { spec }).await;
        let mut all = self.addresses().await;
        all.retain(|it| before.iter().all(|old| old.id != it.id));
        all.remove(0)
    }

    async fn addresses(&self) -> Vec<Address> {
        let page = self.cloud.list(None, None).await.unwrap();
        let all = page.objects.into_iter();
        all.filter_map(Object::into_address).collect()
    }

    async fn named(&self, name: &str) -> DifferenceRow {
        let all = self.standing().await;
        all.into_iter().find(|row| row.name == name).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operation_made_twice_is_a_double_and_goes_by_itself_while_it_is_young_and_unused()
{
    for world in World::all().await {
        let all = world.host_with(&[address]).await;
        let (host, eip) = (of(&all, Fulfiller::Server), of(&all, Fulfiller::Address));
        let [twin, used] = [
            world.address_by_hand(&eip).await,
            world.address_by_hand(&eip).await,
        ];
        world
            .by_hand(Call::AssociateAddress {
                address: used.id.clone(),
                server: Some(ext(&host)),
            })
            .await;
        world.round_of_doubles(&eip, &[&twin.id, &used.id]).await;
        let row = world.named(&twin.address.to_string()).await;
        assert_eq!(row.kind, DifferenceKind::Double);
        assert_eq!(row.resource.as_ref(), Some(&eip.id), "the one that stays");
        // It is being deleted: nobody has to.
        assert_eq!(world.may(&row.id).await, [Act::Note]);
        let row = world.named(&used.address.to_string()).await;
        assert_eq!(row.kind, DifferenceKind::Double);
        assert_eq!(world.may(&row.id).await, [Act::Note]);
        let mut rx = world.city.app.db.read().await.unwrap();
        let of_address = rows::of_resource(&mut rx, &eip.id).await.unwrap();
        drop(rx);
        assert_eq!(of_address, [], "a double is no matter of the unit");
        world.work().await;
        let left = world.addresses().await;
        assert!(left.iter().all(|it| it.id != twin.id));
        assert!(left.iter().any(|it| it.id == used.id));
        assert_eq!(
            world.the_address(&eip).await.associated_with,
            Some(ext(&host))
        );
        let past = world.list(true).await.remove(0);
        assert_eq!(
            (past.name, past.closing, past.closed_by),
            (twin.address.to_string(), Some(Closing::Removed), None)
        );
        let audited = Sql::new(
            "SELECT count(*) FROM audit_event WHERE action = 'difference.remove' AND actor = 'system'",
        );
        assert_eq!(world.city.count(audited).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_double_that_is_a_disk_is_deleted_by_nobody_but_an_operator() {
    for world in World::all().await {
        let (_, disk) = world.host_with_disk().await;
        let twin = world.disk_by_hand(&disk, "twin").await;
        world.round_of_doubles(&disk, &[&twin]).await;
        let row = world.only(DifferenceKind::Double).await;
        assert_eq!(row.resource.as_ref(), Some(&disk.id), "the one that stays");
        assert_eq!(world.may(&row.id).await, [Act::Remove, Act::Note]);
        world.work().await;
        assert!(world.the_disk(&twin).await.is_some());
        let cx = world.city.cx(&world.operator);
        difference::remove(&cx, &row.id, "twin").await.unwrap();
        world.work().await;
        assert_eq!(world.the_disk(&twin).await, None);
        assert!(world.the_disk(&ext(&disk)).await.is_some());
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_double_that_is_old_goes_by_an_operator_who_types_its_name() {
    for world in World::all().await {
        let all = world.host_with(&[address]).await;
        let (host, eip) = (of(&all, Fulfiller::Server), of(&all, Fulfiller::Address));
        world.city.app.clock.advance_ms(25 * 60 * MINUTE_MS);
        world.work().await;
        let twin = world.address_by_hand(&eip).await;
        let called = twin.address.to_string();
        world.round_of_doubles(&eip, &[&twin.id]).await;
        let row = world.only(DifferenceKind::Double).await;
        assert_eq!(world.may(&row.id).await, [Act::Remove, Act::Note]);
        let cx = world.city.cx(&world.operator);
        let wrong = difference::remove(&cx, &row.id, eip.address.as_deref().unwrap()).await;
        assert!(matches!(wrong, Err(ServiceError::Invalid(_))), "{wrong:?}");
        difference::remove(&cx, &row.id, &format!(" {called} "))
            .await
            .unwrap();
        conflict(
            difference::remove(&cx, &row.id, &called).await,
            "difference.removing",
        );
        world.work().await;
        assert!(world.addresses().await.iter().all(|it| it.id != twin.id));
        let past = world.list(true).await;
        let past = past.into_iter().find(|one| one.id == row.id).unwrap();
        assert_eq!(
            (past.closing, past.closed_by.as_deref()),
            (Some(Closing::Removed), Some("operator"))
        );
        // What an operation gave is no double of itself, whatever the row has come to name.
        world.round_of_doubles(&eip, &[]).await;
        assert_eq!(world.standing().await, []);
        assert_eq!(world.servers().await[0].id, ext(&host));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_disk_is_deleted_by_its_name_and_never_while_a_host_uses_it() {
    for world in World::all().await {
        let (host, disk) = world.host_with_disk().await;
        let stray = world.disk_by_hand(&disk, "stray").await;
        world.next_round().await;
        let row = world.only(DifferenceKind::Foreign).await;
        assert_eq!(world.may(&row.id).await, [Act::Remove, Act::Note]);
        let cx = world.city.cx(&world.operator);
        difference::remove(&cx, &row.id, "stray").await.unwrap();
        // Somebody is faster: it is looked at once more before it goes.
        world
            .by_hand(Call::AttachVolume {
                volume: stray.clone(),
                server: ext(&host),
            })
            .await;
        world.work().await;
        let there = world.the_disk(&stray).await.unwrap();
        assert_eq!(there.attached_to, Some(ext(&host)));
        let told = Sql::new("SELECT count(*) FROM notice WHERE msg LIKE ")
            .bind("%difference.remove_failed%difference.hangs%".to_owned())
            .push(" AND user_id = ")
            .bind(world.operator.as_str());
        assert_eq!(world.city.count(told).await, 1);
        world.next_round().await;
        assert_eq!(world.may(&row.id).await, [Act::Note]);
        conflict(
            difference::remove(&cx, &row.id, "stray").await,
            "difference.hangs",
        );
        world
            .by_hand(Call::DetachVolume {
                volume: stray.clone(),
            })
            .await;
        world.next_round().await;
        difference::remove(&cx, &row.id, "stray").await.unwrap();
        world.work().await;
        assert_eq!(world.the_disk(&stray).await, None);
        assert_eq!(world.standing().await, []);
        assert!(world.the_disk(&ext(&disk)).await.is_some());
        world.city.assert_ledger().await;
    }
}

impl World {
    /// A snapshot of a disk that its owner has taken.
    async fn snapshot(&self, disk: &Resource, name: &str) -> KeptSnapshot {
        let cx = self.city.cx(&self.city.clerk);
        acts::take_snapshot(&cx, &disk.id, name, "", "")
            .await
            .unwrap();
        self.work().await;
        let mut rx = self.city.app.db.read().await.unwrap();
        let all = snapshot::of_resource(&mut rx, &disk.id).await.unwrap();
        all.into_iter().find(|it| it.row.name == name).unwrap()
    }

    async fn snapshots(&self, disk: &Resource) -> Vec<String> {
        let mut rx = self.city.app.db.read().await.unwrap();
        let all = snapshot::of_resource(&mut rx, &disk.id).await.unwrap();
        all.into_iter().map(|it| it.row.name).collect()
    }

    /// Somebody takes a snapshot in the cloud itself.
    async fn snapshot_by_hand(&self, disk: &Resource, name: &str) {
        let spec = SnapshotSpec {
            project: self.the_disk(&ext(disk)).await.unwrap().spec.project,
            volume: ext(disk),
            name: name.into(),
        };
        self.by_hand(Call::CreateSnapshot { spec }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_is_lost_is_found_missing_and_its_row_goes_by_writing_it_off() {
    for world in World::all().await {
        let (_, disk) = world.host_with_disk().await;
        let lost = world.snapshot(&disk, "before").await;
        world.snapshot(&disk, "after").await;
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let there = ExternalId(lost.external_id.clone().unwrap());
        world
            .by_hand(Call::DeleteSnapshot { snapshot: there })
            .await;
        world.next_round().await;
        let row = world.only(DifferenceKind::Missing).await;
        assert_eq!(
            (row.thing, row.name.as_str()),
            (ThingKind::Snapshot, "before")
        );
        assert_eq!(row.resource.as_ref(), Some(&disk.id));
        assert_eq!(row.month, Money::ZERO);
        assert_eq!(world.may(&row.id).await, [Act::WriteOff]);
        // Its disk is not lost.
        let mut rx = world.city.app.db.read().await.unwrap();
        assert_eq!(rows::of_resource(&mut rx, &disk.id).await.unwrap(), []);
        drop(rx);
        let cx = world.city.cx(&world.operator);
        difference::write_off(&cx, &row.id, "在云平台上被删除")
            .await
            .unwrap();
        assert_eq!(world.snapshots(&disk).await, ["after"]);
        assert!(
            world
                .events(&disk.id)
                .await
                .contains(&"snapshot_lost".to_owned())
        );
        assert_eq!(world.told("notice.snapshot_written_off", "before").await, 1);
        let disk = world.resource(&disk.id).await;
        assert_ne!(disk.service, ServiceState::Released);
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let how = world.list(true).await.remove(0).closing;
        assert_eq!(how, Some(Closing::WrittenOff));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_was_taken_there_is_kept_as_its_disks_or_deleted() {
    for world in World::all().await {
        let (_, disk) = world.host_with_disk().await;
        for name in ["keep", "drop"] {
            world.snapshot_by_hand(&disk, name).await;
        }
        world.next_round().await;
        // A cloud takes some for itself while it backs up.
        assert_eq!(world.standing().await, []);
        world.next_round().await;
        world.next_round().await;
        let (keep, drop) = (world.named("keep").await, world.named("drop").await);
        for row in [&keep, &drop] {
            assert_eq!(row.kind, DifferenceKind::Foreign);
            assert_eq!(row.resource.as_ref(), Some(&disk.id));
            let acts = [Act::Adopt, Act::Remove, Act::Note];
            assert_eq!(world.may(&row.id).await, acts);
        }
        let cx = world.city.cx(&world.operator);
        conflict(
            difference::keep(&cx, &keep.id, "older").await,
            "error.stale",
        );
        difference::keep(&cx, &keep.id, &keep.digest).await.unwrap();
        difference::remove(&cx, &drop.id, "drop").await.unwrap();
        world.work().await;
        assert_eq!(world.snapshots(&disk).await, ["keep"]);
        assert!(
            world
                .events(&disk.id)
                .await
                .contains(&"snapshot_taken_in".to_owned())
        );
        world.next_round().await;
        assert_eq!(world.standing().await, []);
        let left = world.cloud.list(None, None).await.unwrap().objects;
        let left: Vec<_> = left.into_iter().filter_map(Object::into_snapshot).collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].spec.name, "keep");
        // It is one of its disk like any other: it goes by its owner's word.
        let mut rx = world.city.app.db.read().await.unwrap();
        let kept = snapshot::of_resource(&mut rx, &disk.id)
            .await
            .unwrap()
            .remove(0);
        std::mem::drop(rx);
        let clerk = world.city.cx(&world.city.clerk);
        acts::delete_snapshot(&clerk, &disk.id, &kept.row.id, "")
            .await
            .unwrap();
        world.work().await;
        let there = world.cloud.get(Kind::Snapshot, &left[0].id).await.unwrap();
        assert_eq!(there, None);
        world.city.assert_ledger().await;
    }
}

/// A stray disk that is deleted while things go wrong.
struct Removing<'a> {
    world: &'a World,
    disk: Resource,
    strays: std::sync::Mutex<Vec<ExternalId>>,
}

#[async_trait]
impl Bench for Removing<'_> {
    type Saga = Remove;

    async fn fresh(&self, app: &TestApp) -> (Remove, remove::Params) {
        let old: Vec<_> = self.strays.lock().unwrap().drain(..).collect();
        for volume in old {
            self.world.by_hand(Call::DeleteVolume { volume }).await;
        }
        let difference: DifferenceId = app.id();
        let name = format!("stray-{difference}");
        let stray = self.world.disk_by_hand(&self.disk, &name).await;
        self.strays.lock().unwrap().push(stray.clone());
        let params = remove::Params {
            difference,
            backend: CLOUD.into(),
            thing: ThingKind::Volume,
            external_id: stray.0,
            name,
            actor: Some(self.world.operator.clone()),
        };
        let backends = Backends::default().with(self.world.cloud.clone());
        (Remove::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, app: &TestApp, when: &str) {
        let stray = self.strays.lock().unwrap().last().unwrap().clone();
        assert_eq!(self.world.the_disk(&stray).await, None, "{when}");
        self.assert_clean(app, when).await;
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        // Gone or not, it is that one alone.
        let ours = self.world.the_disk(&ext(&self.disk)).await;
        assert!(ours.is_some_and(|it| it.attached_to.is_some()), "{when}");
        assert_eq!(self.world.servers().await.len(), 1, "{when}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_is_killed_refused_or_doubled_takes_nothing_but_what_it_was_told() {
    for world in World::all().await {
        let (_, disk) = world.host_with_disk().await;
        let bench = Removing {
            disk,
            strays: std::sync::Mutex::default(),
            world: &world,
        };
        drill(&world.city.app, &bench).await;
    }
}

impl World {
    /// The private networks in the cloud.
    async fn networks(&self) -> Vec<Network> {
        let page = self.cloud.list(None, None).await.unwrap();
        let all = page.objects.into_iter();
        all.filter_map(Object::into_network).collect()
    }

    /// The cloud, of whose networks the router is gone.
    async fn without_routers(&self) -> Halting {
        let lacks = |network| LackingNetwork {
            network,
            subnet: true,
            router: false,
        };
        let mut lacking: Vec<_> = self.networks().await.into_iter().map(lacks).collect();
        // Another portal's on the same cloud is not ours to mend.
        let mut others = lacking[0].clone();
        others.network.id = "others".into();
        lacking.push(others);
        Halting {
            lacking,
            ..Halting::whole(&self.cloud)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_lost_its_router_is_found_missing_and_made_whole() {
    for mut world in World::all().await {
        world.host_with_disk().await;
        let network = world.networks().await.remove(0);
        let cloud = world.without_routers().await;
        let ended = world.one_round(&cloud).await;
        assert!(matches!(ended, Ended::Whole { .. }), "{ended:?}");
        // An order may be mending it at this moment.
        assert_eq!(world.standing().await, []);
        world.city.app.clock.advance_ms(2 * MINUTE_MS);
        world.one_round(&cloud).await;
        let row = world.only(DifferenceKind::Missing).await;
        assert_eq!(
            (row.thing, row.external_id.as_str(), &row.resource),
            (ThingKind::Network, network.id.as_str(), &None)
        );
        let said: Vec<_> = row
            .said
            .iter()
            .map(|said| (&said.ours, &said.cloud))
            .collect();
        let (whole, left) = (Some("subnet, router".to_owned()), Some("subnet".to_owned()));
        assert_eq!(said, [(&whole, &left)]);
        // It can't be written off: its unit needs it.
        assert_eq!(world.may(&row.id).await, [Act::Restore]);
        let cx = world.city.cx(&world.operator);
        let off = difference::write_off(&cx, &row.id, "nobody needs it").await;
        assert!(matches!(off, Err(ServiceError::Conflict(_))), "{off:?}");
        // The cloud is asked once more, and has it whole by now.
        conflict(
            difference::restore(&cx, &row.id, &row.digest).await,
            "difference.over",
        );
        let backends = Arc::new(Backends::default().with(cloud));
        world.city.app = world.city.app.clone().with_backends(backends);
        let cx = world.city.cx(&world.operator);
        difference::restore(&cx, &row.id, &row.digest)
            .await
            .unwrap();
        conflict(
            difference::restore(&cx, &row.id, &row.digest).await,
            "difference.relaying",
        );
        assert_eq!(world.may(&row.id).await, []);
        world.work().await;
        assert_eq!(world.standing().await, []);
        let past = world.list(true).await;
        assert!(past.iter().any(|one| one.id == row.id), "{past:#?}");
        assert_eq!(world.networks().await, [network]);
    }
}

/// A network that is made whole while things go wrong.
struct Relaying<'a> {
    world: &'a World,
    network: Network,
}

#[async_trait]
impl Bench for Relaying<'_> {
    type Saga = Relay;

    async fn fresh(&self, app: &TestApp) -> (Relay, relay::Params) {
        let params = relay::Params {
            difference: app.id(),
            backend: CLOUD.into(),
            spec: self.network.spec.clone(),
            name: "vpc".into(),
            actor: self.world.operator.clone(),
        };
        let backends = Backends::default().with(self.world.cloud.clone());
        (Relay::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, app: &TestApp, when: &str) {
        self.assert_clean(app, when).await;
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        let there = self.world.networks().await;
        assert_eq!(there, std::slice::from_ref(&self.network), "{when}");
        assert_eq!(self.world.servers().await.len(), 1, "{when}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_whose_mending_is_killed_refused_or_doubled_stays_the_one_that_it_is() {
    for world in World::all().await {
        world.host_with_disk().await;
        let bench = Relaying {
            network: world.networks().await.remove(0),
            world: &world,
        };
        drill(&world.city.app, &bench).await;
    }
}

/// Five thousand hosts of the bureau, in the cloud and in the rows, each with a rule.
async fn five_thousand(city: &City, cloud: &Simulator) -> Vec<ExternalId> {
    const COUNT: i64 = 5_000;
    let view = city.cart(1).await;
    let request = city.submit(&view).await.unwrap().request;
    let mut tx = city.app.db.begin().await.unwrap();
    let line = requests::lines(&mut tx, &request).await.unwrap().remove(0);
    tx.commit().await.unwrap();
    let made = |outcome: Outcome<Settled>| match outcome {
        Outcome::Done(Settled::Present(object)) => *object,
        other => panic!("{other:?}"),
    };
    let project = Call::EnsureProject {
        spec: ProjectSpec {
            key: "p".into(),
            name: "p".into(),
        },
    };
    let project = made(cloud.seed(vec![("p".into(), project)]).remove(0));
    let network = Call::EnsureNetwork {
        spec: NetworkSpec {
            project: project.id().clone(),
            key: "n".into(),
            name: "n".into(),
            cidr: "10.0.0.0/16".into(),
        },
    };
    let network = made(cloud.seed(vec![("n".into(), network)]).remove(0));
    let calls = (0..COUNT).map(|n| {
        let spec = ServerSpec {
            project: project.id().clone(),
            pool: "public-general".into(),
            network: network.id().clone(),
            name: format!("web-{n:04}"),
            vcpus: 4,
            memory_gb: 8,
            system_disk_gb: 40,
            image: "kylin-v10".into(),
            flavour: None,
            security_preset: None,
            access: Access::OneTimePassword,
            user_data: None,
            metadata: BTreeMap::new(),
        };
        (OperationId(format!("s{n}")), Call::CreateServer { spec })
    });
    let servers: Vec<_> = cloud
        .seed(calls.collect())
        .into_iter()
        .filter_map(|outcome| made(outcome).into_server())
        .collect();
    let opened = servers.iter().map(|server| {
        let (server, rules) = (server.id.clone(), parsed(&[PAGES]));
        let op = OperationId(format!("rules {server}"));
        (op, Call::SetServerRules { server, rules })
    });
    let _ = cloud.seed(opened.collect());
    let cx = city.app.system();
    let mut tx = city.app.db.begin().await.unwrap();
    for (n, server) in servers.iter().enumerate() {
        let address = server.private_address.to_string();
        let new = resource::New {
            id: &cx.id(),
            unit: &city.bureau,
            vdc: &city.vdc,
            system: &city.system,
            request: &request,
            item: &line.id,
            piece: i64::try_from(n).unwrap(),
            code: &line.code,
            item_version: line.version.as_str(),
            kind: line.kind,
            name: &server.spec.name,
            placement: line.placement.as_ref(),
            backend: Some(CLOUD),
            external_id: Some(server.id.as_str()),
            address: Some(&address),
            attached_to: None,
            answers: &line.answers,
            amounts: &Amounts::default(),
            month: line.quote.each,
            price_version: line.price_version,
            delivered_at: cx.now(),
            expires_at: cx.now(),
        };
        resource::insert(&mut tx, &cx.id(), &new).await.unwrap();
        let rule = access_rule::New {
            id: &cx.id(),
            resource: new.id,
            rule: &parsed(&[PAGES])[0],
            note: "",
            by: &city.clerk,
            at: cx.now(),
        };
        access_rule::insert(&mut tx, &rule).await.unwrap();
    }
    tx.commit().await.unwrap();
    servers.into_iter().map(|server| server.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure: cargo nextest run --release --run-ignored all -E 'test(five_thousand)' --no-capture"]
async fn five_thousand_servers_are_compared_in_ten_seconds() {
    for city in City::all().await {
        let told = city.app.clock.clone();
        let mut config = seed::cloud(None, 7, Latency::default());
        for pool in &mut config.pools {
            pool.hosts = 400;
        }
        let cloud = Simulator::open(CLOUD, config, move || told.now()).unwrap();
        let servers = five_thousand(&city, &cloud).await;
        city.app.clock.advance_ms(MINUTE_MS);
        for (what, expected) in [("everything agrees", 0), ("three hundred differ", 300)] {
            if expected > 0 {
                let calls = servers.iter().take(300).enumerate().map(|(n, server)| {
                    let server = server.clone();
                    let call = match n % 4 {
                        0 => Call::DeleteServer { server },
                        1 => Call::StopServer { server },
                        2 => Call::SetServerRules {
                            server,
                            rules: parsed(&[PAGES, DOOR]),
                        },
                        _ => Call::ResizeServer {
                            server,
                            size: ServerSize {
                                vcpus: 2,
                                memory_gb: 4,
                            },
                        },
                    };
                    (OperationId(format!("hand{n}")), call)
                });
                let _ = cloud.seed(calls.collect());
                city.app.clock.advance_ms(MINUTE_MS);
            }
            let began = std::time::Instant::now();
            let ended = round(&Desk::Bare(&city.app.app), CLOUD, &cloud)
                .await
                .unwrap();
            let took = began.elapsed();
            let engine = city.app.db.read().await.unwrap().engine();
            eprintln!("{engine:?}: 5000 servers, {what}: {} ms", took.as_millis());
            let Ended::Whole { differences, .. } = ended else {
                panic!("{ended:?}");
            };
            assert_eq!(differences, expected);
            assert!(took.as_secs() < 10, "{took:?}");
        }
    }
}
