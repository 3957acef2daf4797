//! Drills of the saga that builds, on both engines, against the simulated cloud: killed, run twice,
//! refused, without an answer, with something left behind. And of the one that switches.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{
        Call, CallKind, ExternalId, Kind, Object, OperationId, Power as Runs, Provisioner as _,
        RefusalReason,
        simulator::{Fault, On, What},
    },
};
use lingbao_model::{
    catalogue::Fulfiller,
    fulfilment::Status as Piece,
    id::{RequestId, RequestItemId, SagaId, UserId},
    people::{Reach, Role},
    quota::{Dimension, Standing},
    request::{Outcome, Status},
    resource::{EventKind, ServiceState},
    view::request::LineForm,
};

use super::{
    build::{Build, Params},
    day_two_tests::Town,
    plan,
    power::{self, Power},
};
use crate::{
    authz::Scope,
    saga::harness::{self, Bench},
    service::{
        cart, operation,
        request::fixture::{City, add, give},
    },
    storage::{fulfilment, quota, resource as rows, sql::Sql},
    testing::TestApp,
};

/// What a host and a disk take, as [`City`] orders them.
const HOST_AND_DISK: [(Dimension, i64); 3] = [
    (Dimension::Vcpu, 4),
    (Dimension::MemoryGb, 8),
    (Dimension::SsdGb, 40 + 100),
];
/// What their backup takes.
const BACKUP: (Dimension, i64) = (Dimension::BackupGb, 100);

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

/// What the books and the cloud say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct World {
    books: BTreeMap<Dimension, Standing>,
    cloud: BTreeSet<String>,
}

impl World {
    async fn of(town: &Town) -> Self {
        let city = &town.city;
        let mut rx = city.app.db.read().await.unwrap();
        let account = quota::account(&mut rx, &city.vdc).await.unwrap();
        drop(rx);
        let standing = |d: &Dimension| (*d, account.standing(&city.pool, *d));
        let mut there = Vec::new();
        let mut next = None;
        loop {
            let page = town.cloud.list(None, next.as_deref()).await.unwrap();
            there.extend(page.objects);
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        // What plans make comes in their own time.
        there.retain(|o| o.kind() != Kind::Backup);
        Self {
            books: Dimension::ALL.iter().map(standing).collect(),
            cloud: there
                .iter()
                .map(|o| format!("{:?} {}", o.kind(), o.id()))
                .collect(),
        }
    }

    fn at(&mut self, dimension: Dimension) -> &mut Standing {
        self.books.entry(dimension).or_default()
    }
}

/// An order of a host, a disk on it and its backup, approved and begun; whoever asked first runs it.
#[derive(Clone)]
struct Order {
    request: RequestId,
    before: World,
    /// What its host and its disk are built by.
    params: String,
}

struct Building<'a> {
    town: &'a Town,
    last: Mutex<Option<Order>>,
}

impl<'a> Building<'a> {
    const fn at(town: &'a Town) -> Self {
        Self {
            town,
            last: Mutex::new(None),
        }
    }

    fn order(&self) -> Order {
        self.last.lock().unwrap().clone().unwrap()
    }

    /// The pieces of an order: host, disk, backup.
    async fn pieces(&self, request: &RequestId) -> Vec<Piece> {
        let mut rx = self.town.city.app.db.read().await.unwrap();
        let mut pieces = fulfilment::of_request(&mut rx, request).await.unwrap();
        pieces.sort_by_key(|piece| piece.group);
        pieces.into_iter().map(|piece| piece.status).collect()
    }

    async fn ordered(&self) -> Order {
        let (town, city) = (self.town, &self.town.city);
        let before = World::of(town).await;
        let view = city.cart(1).await;
        let (cx, host) = (town.clerk(), &view.lines[0].line.id);
        let mut version = view.version;
        for form in [city.disk(host), backup(city, host)] {
            let put = cart::put_line(&cx, &view.id, version, None, &form).await;
            version = put.unwrap().version;
        }
        let view = cart::open(&cx, &view.id).await.unwrap();
        let request = city.submit(&view).await.unwrap().request;
        town.approve().await;
        let mut tx = city.app.db.begin().await.unwrap();
        plan::go_on(&mut tx, &city.app.system(), &request)
            .await
            .unwrap();
        let (saga, params): (String, String) =
            Sql::new("SELECT id, params FROM saga WHERE state = 'running' AND subject = ")
                .bind(request.as_str())
                .optional(&mut tx)
                .await
                .unwrap()
                .unwrap();
        // The drill plays it instead.
        for sql in [
            Sql::new("DELETE FROM job WHERE kind IN ('fulfil.request', 'saga.advance')"),
            Sql::new("DELETE FROM saga WHERE id = ").bind(saga.as_str()),
        ] {
            sql.run(&mut tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        Order {
            request,
            before,
            params,
        }
    }

    /// Once everything that was begun has ended: the request says so, exactly this was built, exactly
    /// this is booked, and nothing is held.
    async fn assert_built(&self, when: &str, with_backup: bool) {
        let (town, city) = (self.town, &self.town.city);
        town.settle().await;
        let order = self.order();
        let (last, outcome) = match with_backup {
            true => (Piece::Delivered, Outcome::Complete),
            false => (Piece::Failed, Outcome::Partial),
        };
        assert_eq!(
            self.pieces(&order.request).await,
            [Piece::Delivered, Piece::Delivered, last],
            "{when}"
        );
        self.assert_request(Status::Delivered, outcome, when).await;
        let mut rx = city.app.db.read().await.unwrap();
        let scope = Scope::system(&city.app.system()).unwrap();
        let made = rows::of_request(&mut rx, &scope, &order.request)
            .await
            .unwrap();
        let sealed = Sql::new(
            "SELECT count(*) FROM delivery_secret s JOIN resource r ON r.id = s.resource_id
             WHERE r.request_id = ",
        );
        let sealed = sealed.bind(order.request.as_str()).number(&mut rx).await;
        drop(rx);
        assert_eq!(sealed.unwrap(), 1, "the first password of the host: {when}");
        let mut wanted = order.before;
        let kinds: Vec<Fulfiller> = made.iter().map(|r| r.kind).collect();
        let all = [Fulfiller::Server, Fulfiller::Volume, Fulfiller::Backup];
        assert_eq!(kinds, all[..2 + usize::from(with_backup)], "{when}");
        let host = made[0].external_id.clone().map(ExternalId);
        for one in &made {
            let there = ExternalId(one.external_id.clone().unwrap());
            let (kind, hangs_on) = match one.kind {
                Fulfiller::Server => (Kind::Server, None),
                Fulfiller::Volume => (Kind::Volume, host.clone()),
                _ => (Kind::BackupPlan, host.clone()),
            };
            let on = match town.cloud.get(kind, &there).await.unwrap() {
                Some(Object::Volume(volume)) => volume.attached_to,
                Some(Object::BackupPlan(plan)) => Some(plan.spec.target),
                Some(_) => None,
                None => panic!("{there} is not there: {when}"),
            };
            assert_eq!(on, hangs_on, "{when}");
            let to = (one.kind != Fulfiller::Server).then(|| made[0].id.clone());
            assert_eq!(one.attached_to, to, "{when}");
            assert!(wanted.cloud.insert(format!("{kind:?} {there}")), "{when}");
            wanted.at(Dimension::MonthlyFee).used += one.month.fen();
        }
        let backup = with_backup.then_some(BACKUP);
        for (dimension, amount) in HOST_AND_DISK.into_iter().chain(backup) {
            wanted.at(dimension).used += amount;
        }
        assert_eq!(World::of(town).await, wanted, "{when}");
        city.assert_ledger().await;
    }

    async fn assert_request(&self, status: Status, outcome: Outcome, when: &str) {
        let sql = Sql::new("SELECT status, outcome FROM request WHERE id = ");
        let mut rx = self.town.city.app.db.read().await.unwrap();
        let ended: Option<(String, Option<String>)> = sql
            .bind(self.order().request.as_str())
            .optional(&mut rx)
            .await
            .unwrap();
        let wanted = (status.to_string(), Some(outcome.to_string()));
        assert_eq!(ended, Some(wanted), "{when}");
    }

    async fn delivered(&self) -> i64 {
        let sql = Sql::new("SELECT count(*) FROM resource WHERE request_id = ");
        let sql = sql.bind(self.order().request.as_str());
        self.town.city.count(sql).await
    }

    fn inject(&self, on: On, what: What, skip: u32, times: Option<u32>) {
        self.town.cloud.inject(Fault {
            on,
            what,
            skip,
            times,
        });
    }

    /// Plays one order and looks at its end.
    async fn expect(&self, fault: harness::Fault, end: &str, when: &str) {
        let (_, state, _) = harness::play(&self.town.city.app, self, fault).await;
        self.town.cloud.clear_faults();
        assert_eq!(state, end, "{when}");
        match end {
            "done" => self.assert_whole(&self.town.city.app, when).await,
            _ => self.assert_clean(&self.town.city.app, when).await,
        }
    }
}

#[async_trait]
impl Bench for Building<'_> {
    type Saga = Build;

    async fn fresh(&self, _: &TestApp) -> (Build, Params) {
        let last = self.last.lock().unwrap().clone();
        // The drill opens one world more than it plays.
        let unplayed = match last {
            Some(last) if self.pieces(&last.request).await[0] == Piece::Running => Some(last),
            _ => None,
        };
        let order = match unplayed {
            Some(order) => order,
            None => self.ordered().await,
        };
        let params: Params = serde_json::from_str(&order.params).unwrap();
        let kinds: Vec<Fulfiller> = params.pieces.iter().map(|piece| piece.kind).collect();
        assert_eq!(kinds, [Fulfiller::Server, Fulfiller::Volume]);
        *self.last.lock().unwrap() = Some(order);
        let backends = Backends::default().with(self.town.cloud.clone());
        (Build::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        self.assert_built(when, true).await;
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        let order = self.order();
        assert_eq!(
            self.pieces(&order.request).await,
            [Piece::Failed, Piece::Failed, Piece::Cancelled],
            "{when}"
        );
        self.assert_request(Status::Closed, Outcome::Failed, when)
            .await;
        assert_eq!(self.delivered().await, 0, "{when}");
        assert_eq!(World::of(self.town).await, order.before, "{when}");
        self.town.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_any_commit_or_failed_at_any_step_an_order_is_whole_or_nothing_is_left() {
    for town in Town::all().await {
        harness::drill(&town.city.app, &Building::at(&town)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_answer_of_the_cloud_is_lost_everything_is_built_once_or_taken_back() {
    for town in Town::all().await {
        let building = Building::at(&town);
        for what in [What::LoseAnswer, What::Unreachable] {
            // Project, network, host, disk, attaching; project, network, backup.
            for skip in 0..8 {
                building.inject(On::AnyCall, what, skip, Some(1));
                let when = format!("{what:?} after {skip} calls");
                let fault = harness::Fault::default();
                building.expect(fault, "done", &when).await;
            }
            // Project, network, host, disk; taking off, deleting the disk, deleting the host.
            for skip in 0..7 {
                let no = What::Refuse(RefusalReason::InvalidSpec);
                building.inject(On::Call(CallKind::AttachVolume), no, 0, None);
                building.inject(On::AnyCall, what, skip, Some(1));
                let when = format!("{what:?} after {skip} calls, and the disk does not fit");
                let fault = harness::Fault::default();
                building.expect(fault, "undone", &when).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_cloud_refuses_at_once_or_late_is_taken_back_with_its_whole_group() {
    for town in Town::all().await {
        let building = Building::at(&town);
        let reason = RefusalReason::NoCapacity;
        for (kind, what) in [
            (CallKind::CreateServer, What::Refuse(reason)),
            (CallKind::CreateServer, What::FailLate(reason)),
            (CallKind::CreateVolume, What::Refuse(reason)),
            (CallKind::AttachVolume, What::Refuse(reason)),
        ] {
            for twice in [false, true] {
                building.inject(On::Call(kind), what, 0, None);
                let fault = harness::Fault {
                    twice,
                    ..harness::Fault::default()
                };
                let when = format!("{kind:?} {what:?} {fault:?}");
                building.expect(fault, "undone", &when).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_any_commit_a_refused_backup_fails_alone_and_only_its_hold_is_given_back() {
    for town in Town::all().await {
        let building = Building::at(&town);
        for after in 1.. {
            let refused = What::Refuse(RefusalReason::NoCapacity);
            building.inject(On::Call(CallKind::CreateBackupPlan), refused, 0, None);
            let fault = harness::Fault {
                die_after: Some(after),
                ..harness::Fault::default()
            };
            let (_, state, died) = harness::play(&town.city.app, &building, fault).await;
            assert_eq!(state, "done", "{fault:?}");
            building.assert_built(&format!("{fault:?}"), false).await;
            town.cloud.clear_faults();
            if !died {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_taken_back_keeps_its_hold_until_an_operator_has_cleaned_up() {
    for town in Town::all().await {
        let (building, city) = (Building::at(&town), &town.city);
        let operator = add(&city.app, "operator", &city.bureau).await;
        give(
            &city.app,
            &operator,
            Role::Operator,
            &city.bureau,
            Reach::Site,
        )
        .await;
        let no = What::Refuse(RefusalReason::InvalidSpec);
        building.inject(On::Call(CallKind::AttachVolume), no, 0, None);
        let locked = What::Refuse(RefusalReason::Unsupported);
        building.inject(On::Call(CallKind::DeleteVolume), locked, 0, None);
        let fault = harness::Fault::default();
        let (saga, state, _) = harness::play(&city.app, &building, fault).await;
        assert_eq!(state, "residue");
        let order = building.order();
        let params: Params = serde_json::from_str(&order.params).unwrap();
        // Looked at, tried again in vain, looked at again.
        for when in ["at first", "tried again"] {
            assert_eq!(
                building.pieces(&order.request).await,
                [Piece::Residue, Piece::Residue, Piece::Cancelled],
                "{when}"
            );
            building
                .assert_request(Status::Closed, Outcome::Failed, when)
                .await;
            assert_eq!(building.delivered().await, 0, "{when}");
            let mut now = World::of(&town).await;
            // Of the group one thing stands, and the group is held; what was called off is not.
            let left: Vec<String> = now.cloud.difference(&order.before.cloud).cloned().collect();
            assert_eq!(left.len(), 1, "{when}: {left:?}");
            assert!(left[0].starts_with("Volume "), "{when}: {left:?}");
            now.cloud.remove(&left[0]);
            let mut wanted = order.before.clone();
            for (dimension, amount) in HOST_AND_DISK {
                wanted.at(dimension).held += amount;
            }
            let fees = params.pieces.iter().map(|piece| piece.month.fen());
            wanted.at(Dimension::MonthlyFee).held += fees.sum::<i64>();
            assert_eq!(now, wanted, "{when}");
            city.assert_ledger().await;
            try_again(&town, &operator, &saga).await;
        }
        assert_eq!(state_of(&town, &saga).await, "residue");
        town.cloud.clear_faults();
        try_again(&town, &operator, &saga).await;
        assert_eq!(state_of(&town, &saga).await, "undone");
        assert_eq!(
            building.pieces(&order.request).await,
            [Piece::Failed, Piece::Failed, Piece::Cancelled]
        );
        assert_eq!(World::of(&town).await, order.before);
        city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cloud_that_lets_nobody_in_for_a_while_leaves_no_residue() {
    for town in Town::all().await {
        let building = Building::at(&town);
        let no = What::Refuse(RefusalReason::InvalidSpec);
        building.inject(On::Call(CallKind::AttachVolume), no, 0, None);
        let denied = What::Refuse(RefusalReason::Denied);
        building.inject(On::Call(CallKind::DeleteVolume), denied, 0, Some(3));
        let fault = harness::Fault::default();
        building.expect(fault, "undone", "denied three times").await;
    }
}

async fn try_again(town: &Town, operator: &UserId, saga: &SagaId) {
    operation::retry_saga(&town.city.cx(operator), saga)
        .await
        .unwrap();
    town.settle().await;
}

async fn state_of(town: &Town, saga: &SagaId) -> String {
    let mut rx = town.city.app.db.read().await.unwrap();
    let row = crate::saga::get(&mut rx, saga).await.unwrap();
    row.unwrap().state
}

// ---- switching

struct Switching<'a> {
    town: &'a Town,
    on: bool,
    /// How often it was switched so before, by its events.
    before: Mutex<usize>,
}

impl Switching<'_> {
    const fn states(on: bool) -> (ServiceState, Runs) {
        match on {
            true => (ServiceState::Running, Runs::Active),
            false => (ServiceState::Stopped, Runs::Stopped),
        }
    }

    async fn host(&self) -> rows::Resource {
        let app = &self.town.city.app;
        let mut rx = app.db.read().await.unwrap();
        let scope = Scope::system(&app.system()).unwrap();
        let found = rows::get(&mut rx, &scope, &self.town.host).await;
        found.unwrap().unwrap()
    }

    async fn runs(&self) -> Runs {
        let there = ExternalId(self.host().await.external_id.unwrap());
        match self.town.cloud.get(Kind::Server, &there).await.unwrap() {
            Some(Object::Server(server)) => server.power,
            other => panic!("{other:?}"),
        }
    }

    async fn events(&self) -> usize {
        let kind = match self.on {
            true => EventKind::Started,
            false => EventKind::Stopped,
        };
        self.town.events(&self.town.host, kind).await
    }
}

#[async_trait]
impl Bench for Switching<'_> {
    type Saga = Power;

    async fn fresh(&self, app: &TestApp) -> (Power, power::Params) {
        let town = self.town;
        let (service, runs) = Self::states(!self.on);
        if self.host().await.service != service {
            power::switch(&town.clerk(), &town.host, !self.on)
                .await
                .unwrap();
            town.settle().await;
        }
        let host = self.host().await;
        assert_eq!(host.service, service);
        let external_id = host.external_id.unwrap();
        if self.runs().await != runs {
            // What is done and said not to be is not taken back: a round over the cloud finds it.
            let server = ExternalId(external_id.clone());
            let call = match self.on {
                true => Call::StopServer { server },
                false => Call::StartServer { server },
            };
            let by_hand = OperationId(format!("by hand {:x}", app.random.bits()));
            town.cloud.execute(&by_hand, call).await;
            assert_eq!(self.runs().await, runs);
        }
        *self.before.lock().unwrap() = self.events().await;
        let params = power::Params {
            resource: town.host.clone(),
            backend: "simulator".into(),
            external_id,
            on: self.on,
            actor: town.city.clerk.clone(),
        };
        let backends = Backends::default().with(town.cloud.clone());
        (Power::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        let (service, runs) = Self::states(self.on);
        assert_eq!(self.host().await.service, service, "{when}");
        assert_eq!(self.runs().await, runs, "{when}");
        let before = *self.before.lock().unwrap();
        assert_eq!(self.events().await, before + 1, "{when}");
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        let (service, _) = Self::states(!self.on);
        assert_eq!(self.host().await.service, service, "{when}");
        let before = *self.before.lock().unwrap();
        assert_eq!(self.events().await, before, "{when}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_any_commit_or_failed_a_host_is_switched_once_or_is_said_to_stand_as_it_was() {
    for town in Town::all().await {
        for on in [false, true] {
            let switching = Switching {
                town: &town,
                on,
                before: Mutex::default(),
            };
            harness::drill(&town.city.app, &switching).await;
        }
    }
}
