//! What each cloud must do, told as functions over any [`Provisioner`]. What happens in the
//! background is waited for, so that a cloud which answers at once and one which takes its time are
//! held to the same.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stand outside the test functions"
)]
mod attached;
mod copies;
mod guarded;

use std::{collections::BTreeSet, fmt::Debug, future::Future, time::Duration};

use lingbao_backends::provisioning::*;
use lingbao_model::makes::{EACH, GENERAL};

pub use attached::*;
pub use copies::*;
pub use guarded::*;

/// A cloud under test with a project and a network in it.
pub struct Ground {
    pub cloud: Box<dyn Provisioner>,
    pub project: ExternalId,
    pub network: ExternalId,
    /// A pool with public addresses.
    pub pool: PoolRef,
    /// Code of an image.
    pub image: String,
    /// Begins each operation id, so that two runs on one cloud don't meet.
    pub run: String,
    /// How long to wait between two questions, and how often.
    pub patience: (Duration, u32),
}

pub fn done<T: Debug>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Done(it) => it,
        other => panic!("{other:?}"),
    }
}

pub fn reason<T: Debug>(outcome: Outcome<T>) -> RefusalReason {
    match outcome {
        Outcome::Refused(refusal) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

/// A project and a network of a key; the same key gives the same ones.
pub async fn ground(cloud: &dyn Provisioner, run: &str, key: &str) -> (ExternalId, ExternalId) {
    let spec = ProjectSpec {
        key: key.into(),
        name: "统计局".into(),
    };
    let op = format!("{run}op-p").into();
    let project = done(cloud.ensure_project(&op, spec).await).id;
    let spec = NetworkSpec {
        project: project.clone(),
        key: "n1".into(),
        name: "n1".into(),
        cidr: "10.8.0.0/24".into(),
    };
    let op = format!("{run}op-n").into();
    // Networks of many projects are made at once here: a cloud may still be at it.
    for _ in 0..60 {
        match cloud.ensure_network(&op, spec.clone()).await {
            Outcome::Running { .. } => tokio::time::sleep(Duration::from_secs(1)).await,
            outcome => return (project, done(outcome).id),
        }
    }
    panic!("the network of {key} does not come about");
}

impl Ground {
    pub fn op(&self, name: &str) -> OperationId {
        OperationId(format!("{}{name}", self.run))
    }

    /// Asks until it is settled. Asking again under the same id is the way to ask.
    pub async fn settle<T, F>(&self, call: impl Fn() -> F) -> Outcome<T>
    where
        F: Future<Output = Outcome<T>>,
    {
        for _ in 0..self.patience.1 {
            match call().await {
                Outcome::Running { .. } => tokio::time::sleep(self.patience.0).await,
                outcome => return outcome,
            }
        }
        panic!("it goes on for ever")
    }

    pub fn server(&self, vcpus: u32) -> ServerSpec {
        ServerSpec {
            project: self.project.clone(),
            pool: self.pool.clone(),
            network: self.network.clone(),
            name: "h".into(),
            vcpus,
            memory_gb: 1,
            system_disk_gb: 40,
            image: self.image.clone(),
            flavour: None,
            security_preset: None,
            access: Access::OneTimePassword,
            user_data: None,
            metadata: [].into(),
        }
    }

    pub fn volume(&self) -> VolumeSpec {
        VolumeSpec {
            project: self.project.clone(),
            pool: self.pool.clone(),
            name: "d".into(),
            size_gb: 100,
            volume_type: None,
        }
    }

    pub fn address(&self) -> AddressSpec {
        AddressSpec {
            project: self.project.clone(),
            pool: self.pool.clone(),
            bandwidth_mbps: 10,
        }
    }

    pub async fn capacity(&self) -> Capacity {
        self.cloud.capacity(&self.pool).await.unwrap()
    }

    pub async fn make(&self, op: &str, spec: ServerSpec) -> Outcome<Server> {
        let op = self.op(op);
        self.settle(|| self.cloud.create_server(&op, spec.clone()))
            .await
    }

    pub async fn delete(&self, op: &str, server: &ExternalId) {
        let op = self.op(op);
        let delete = || self.cloud.delete_server(&op, server.clone());
        done(self.settle(delete).await);
    }

    /// Everything of the project, each thing once.
    pub async fn all(&self, project: Option<&ExternalId>) -> Vec<Object> {
        let (mut all, mut seen, mut cursor) = (Vec::new(), BTreeSet::new(), None::<String>);
        loop {
            let page = self.cloud.list(project, cursor.as_deref()).await.unwrap();
            for object in page.objects {
                assert!(
                    seen.insert((object.kind(), object.id().clone())),
                    "twice: {object:?}"
                );
                all.push(object);
            }
            cursor = page.next;
            if cursor.is_none() {
                return all;
            }
        }
    }

    /// What this run has made and is still there.
    pub async fn own(&self, kind: Kind) -> usize {
        let all = self.all(Some(&self.project)).await;
        let own = |it: &&Object| it.kind() == kind && it.operation().0.starts_with(&self.run);
        all.iter().filter(own).count()
    }
}

/// The names of the behaviours that hold on every cloud, for a macro that makes tests of them.
#[macro_export]
macro_rules! shared_behaviours {
    ($make:ident) => {
        $make! {
            the_same_operation_twice_is_one_object;
            an_operation_id_stands_for_one_call;
            what_is_cancelled_can_make_nothing;
            cancelling_names_what_was_made;
            what_was_made_is_found_by_its_operation;
            an_address_leads_to_one_server;
            a_project_quota_is_kept;
            deleting_twice_is_done_twice;
            a_volume_is_on_one_server_at_a_time;
            a_volume_grows_where_it_is_and_never_shrinks;
            a_snapshot_keeps_what_a_volume_was;
            a_backup_is_one_copy_and_outlives_its_disk;
            cancelling_a_backup_names_it_and_makes_no_other;
            a_volume_comes_out_of_a_backup_also_when_its_disk_is_gone;
            a_backup_plan_is_of_something_and_runs_as_it_was_said_last;
            power_follows_orders;
            the_password_is_told_only_to_its_operation;
            what_comes_in_is_the_whole_set_that_was_said;
            what_is_opened_by_hand_is_told_in_the_list_of_all_rules;
            a_new_password_is_told_to_who_set_it;
            a_system_is_installed_anew_once_and_the_rest_stays;
            what_was_ordered_is_read_back;
            ensuring_twice_is_one;
            what_makes_no_sense_is_refused;
            health_and_capabilities_are_told;
        }
    };
}

pub async fn the_same_operation_twice_is_one_object(g: &Ground) {
    let first = done(g.make("a", g.server(2)).await);
    let again = done(g.make("a", g.server(2)).await);
    assert_eq!(first, again);
    assert_eq!(g.own(Kind::Server).await, 1);
    let other = done(g.make("b", g.server(2)).await);
    assert_ne!(first.id, other.id);
    assert_ne!(first.private_address, other.private_address);
    assert_eq!(g.own(Kind::Server).await, 2);
}

pub async fn an_operation_id_stands_for_one_call(g: &Ground) {
    done(g.make("a", g.server(2)).await);
    assert_eq!(
        reason(g.make("a", g.server(4)).await),
        RefusalReason::Conflict
    );
}

pub async fn what_is_cancelled_can_make_nothing(g: &Ground) {
    let op = g.op("a");
    let cancelled = OperationState::Cancelled { left: None };
    for _ in 0..2 {
        assert_eq!(done(g.cloud.cancel(&op).await), cancelled);
    }
    assert_eq!(
        reason(g.make("a", g.server(2)).await),
        RefusalReason::Cancelled
    );
    assert_eq!(g.own(Kind::Server).await, 0);
}

pub async fn cancelling_names_what_was_made(g: &Ground) {
    let op = g.op("a");
    let made = done(g.make("a", g.server(2)).await);
    match done(g.cloud.cancel(&op).await) {
        OperationState::Cancelled { left: Some(left) } => assert_eq!(left.id(), &made.id),
        other => panic!("{other:?}"),
    }
    g.delete("b", &made.id).await;
    let left = g.cloud.find_by_operation(&op).await.unwrap();
    assert_eq!(left, OperationState::Cancelled { left: None });
    assert_eq!(
        reason(g.make("a", g.server(2)).await),
        RefusalReason::Cancelled
    );
}

pub async fn what_was_made_is_found_by_its_operation(g: &Ground) {
    let op = g.op("a");
    assert_eq!(
        g.cloud.find_by_operation(&op).await.unwrap(),
        OperationState::Never
    );
    let made = done(g.make("a", g.server(2)).await);
    match g.cloud.find_by_operation(&op).await.unwrap() {
        OperationState::Done(Settled::Present(object)) => {
            assert_eq!(object.into_server(), Some(made));
        }
        other => panic!("{other:?}"),
    }
    let op = g.op("v");
    let volume = done(g.settle(|| g.cloud.create_volume(&op, g.volume())).await);
    match g.cloud.find_by_operation(&op).await.unwrap() {
        OperationState::Done(Settled::Present(object)) => {
            assert_eq!(object.into_volume(), Some(volume));
        }
        other => panic!("{other:?}"),
    }
}

pub async fn a_project_quota_is_kept(g: &Ground) {
    let quota = ProjectQuota {
        vcpus: Some(4),
        memory_gb: Some(64),
        ..ProjectQuota::default()
    };
    let set = |op: &str, quota| {
        let op = g.op(op);
        async move {
            g.cloud
                .set_project_quota(&op, g.project.clone(), quota)
                .await
        }
    };
    assert_eq!(done(set("q", quota).await).quota, quota);
    match g.cloud.get(Kind::Project, &g.project).await.unwrap() {
        Some(Object::Project(project)) => assert_eq!(project.quota, quota),
        other => panic!("{other:?}"),
    }
    let server = done(g.make("a", g.server(4)).await);
    assert_eq!(
        reason(g.make("b", g.server(1)).await),
        RefusalReason::QuotaExceeded
    );
    let size = ServerSize {
        vcpus: 5,
        memory_gb: 1,
    };
    let op = g.op("c");
    let larger = g
        .settle(|| g.cloud.resize_server(&op, server.id.clone(), size))
        .await;
    assert_eq!(reason(larger), RefusalReason::QuotaExceeded);
    // Below what is in use: only what is new is refused.
    let less = ProjectQuota {
        vcpus: Some(1),
        ..ProjectQuota::default()
    };
    assert_eq!(done(set("d", less).await).quota, less);
    assert_eq!(
        done(set("e", ProjectQuota::default()).await).quota,
        ProjectQuota::default()
    );
}

pub async fn deleting_twice_is_done_twice(g: &Ground) {
    let server = done(g.make("a", g.server(2)).await);
    for op in ["b", "b", "c"] {
        g.delete(op, &server.id).await;
    }
    assert_eq!(g.cloud.get(Kind::Server, &server.id).await.unwrap(), None);
    // The operation that made it does not make it again.
    assert_eq!(
        reason(g.make("a", g.server(2)).await),
        RefusalReason::NotFound
    );
    assert_eq!(g.own(Kind::Server).await, 0);
}

pub async fn power_follows_orders(g: &Ground) {
    let id = done(g.make("a", g.server(1)).await).id;
    let (b, c, d, e, f) = (g.op("b"), g.op("c"), g.op("d"), g.op("e"), g.op("f"));
    let stopped = done(g.settle(|| g.cloud.stop_server(&b, id.clone())).await);
    assert_eq!(stopped.power, Power::Stopped);
    let restart = g.settle(|| g.cloud.restart_server(&c, id.clone())).await;
    assert_eq!(reason(restart), RefusalReason::Conflict);
    let started = done(g.settle(|| g.cloud.start_server(&d, id.clone())).await);
    assert_eq!(started.power, Power::Active);
    let restarted = done(g.settle(|| g.cloud.restart_server(&f, id.clone())).await);
    assert_eq!(restarted.power, Power::Active);
    let size = ServerSize {
        vcpus: 8,
        memory_gb: 16,
    };
    let resized = done(
        g.settle(|| g.cloud.resize_server(&e, id.clone(), size))
            .await,
    );
    assert_eq!((resized.spec.vcpus, resized.spec.memory_gb), (8, 16));
    assert_eq!(resized.power, Power::Active);
    assert!(g.capacity().await.memory_gb_used >= 16);
}

pub async fn the_password_is_told_only_to_its_operation(g: &Ground) {
    let made = done(g.make("a", g.server(1)).await);
    let password = made.one_time_password.unwrap();
    assert_eq!(password.0.len(), 16);
    assert!(!format!("{password:?}").contains(&password.0));
    let again = done(g.make("a", g.server(1)).await);
    assert_eq!(again.one_time_password, Some(password));
    match g.cloud.get(Kind::Server, &made.id).await.unwrap() {
        Some(Object::Server(server)) => assert_eq!(server.one_time_password, None),
        other => panic!("{other:?}"),
    }
    for object in g.all(Some(&g.project)).await {
        let told = object.into_server().and_then(|it| it.one_time_password);
        assert_eq!(told, None);
    }
    let op = g.op("b");
    let stopped = done(g.settle(|| g.cloud.stop_server(&op, made.id.clone())).await);
    assert_eq!(stopped.one_time_password, None);
    let mut keyed = g.server(1);
    keyed.access = Access::SshKeys(vec!["ssh-ed25519 AAAA me".into()]);
    let keyed = done(g.make("c", keyed).await);
    assert_eq!(keyed.one_time_password, None);
}

/// A reconciler reads what stands there, long after the order.
pub async fn what_was_ordered_is_read_back(g: &Ground) {
    let spec = ServerSpec {
        security_preset: Some("level2-internet".into()),
        access: Access::SshKeys(vec!["ssh-ed25519 AAAA me".into()]),
        metadata: [("lingbao_resource".to_owned(), "res_1".to_owned())].into(),
        ..g.server(2)
    };
    let made = done(g.make("a", spec.clone()).await);
    assert_eq!(made.spec, spec);
    // Others come and go in a cloud meanwhile; this one is in the figures in any case.
    let capacity = g.capacity().await;
    assert!(
        capacity.vcpus_used >= 2 && capacity.servers >= 1,
        "{capacity:?}"
    );
    match g.cloud.get(Kind::Server, &made.id).await.unwrap() {
        Some(Object::Server(server)) => {
            assert_eq!((&server.spec, &server.operation), (&spec, &g.op("a")));
        }
        other => panic!("{other:?}"),
    }
    let (v, p) = (g.op("v"), g.op("p"));
    let volume = done(g.settle(|| g.cloud.create_volume(&v, g.volume())).await);
    assert_eq!((&volume.spec, &volume.operation), (&g.volume(), &v));
    let address = done(g.settle(|| g.cloud.allocate_address(&p, g.address())).await);
    assert_eq!((&address.spec, &address.operation), (&g.address(), &p));
    let listed = g.all(Some(&g.project)).await;
    for object in [
        Object::Server(made),
        Object::Volume(volume),
        Object::Address(address),
    ] {
        let same = listed.iter().find(|it| it.id() == object.id());
        assert_eq!(same, Some(&object));
    }
    let everywhere = g.all(None).await;
    assert!(everywhere.iter().any(|it| it.id() == &g.project));
    assert!(
        listed
            .iter()
            .all(|it| everywhere.iter().any(|other| other.id() == it.id()))
    );
}

pub async fn ensuring_twice_is_one(g: &Ground) {
    let again = ground(g.cloud.as_ref(), &format!("{}again", g.run), &g.key().await).await;
    assert_eq!(again, (g.project.clone(), g.network.clone()));
    let spec = NetworkSpec {
        project: g.project.clone(),
        key: "n1".into(),
        name: "n1".into(),
        cidr: "10.9.0.0/24".into(),
    };
    let other = g.cloud.ensure_network(&g.op("x"), spec.clone()).await;
    assert_eq!(reason(other), RefusalReason::Conflict);
    let nowhere = NetworkSpec {
        project: "none".into(),
        ..spec
    };
    let other = g.cloud.ensure_network(&g.op("y"), nowhere).await;
    assert_eq!(reason(other), RefusalReason::NotFound);
}

impl Ground {
    async fn key(&self) -> String {
        match self.cloud.get(Kind::Project, &self.project).await.unwrap() {
            Some(Object::Project(project)) => project.spec.key,
            other => panic!("{other:?}"),
        }
    }
}

pub async fn what_makes_no_sense_is_refused(g: &Ground) {
    let mut spec = g.server(1);
    spec.image = "none".into();
    assert_eq!(reason(g.make("a", spec).await), RefusalReason::InvalidSpec);
    let mut spec = g.server(1);
    spec.access = Access::SshKeys(vec!["-----BEGIN PRIVATE KEY".into()]);
    assert_eq!(reason(g.make("b", spec).await), RefusalReason::InvalidSpec);
    let mut spec = g.server(1);
    spec.pool = "none".into();
    assert_eq!(reason(g.make("c", spec).await), RefusalReason::NotFound);
    assert_eq!(
        reason(g.make("d", g.server(0)).await),
        RefusalReason::InvalidSpec
    );
    for (number, cidr) in ["10.8.0.1/24", "10.8.0.0", "10.8.0.0/33", "x/24"]
        .into_iter()
        .enumerate()
    {
        let spec = NetworkSpec {
            project: g.project.clone(),
            key: format!("bad{number}"),
            name: String::new(),
            cidr: cidr.into(),
        };
        let op = g.op(&format!("cidr{number}"));
        let made = g.cloud.ensure_network(&op, spec).await;
        assert_eq!(reason(made), RefusalReason::InvalidSpec, "{cidr}");
    }
    let none = ExternalId::from("none");
    let start = g.cloud.start_server(&g.op("e"), none.clone()).await;
    assert_eq!(reason(start), RefusalReason::NotFound);
    let detach = g.cloud.detach_volume(&g.op("f"), none.clone()).await;
    assert_eq!(reason(detach), RefusalReason::NotFound);
    done(g.cloud.delete_volume(&g.op("g"), none.clone()).await);
    for kind in [
        Kind::Project,
        Kind::Network,
        Kind::Server,
        Kind::Volume,
        Kind::Address,
    ] {
        assert_eq!(g.cloud.get(kind, &none).await.unwrap(), None, "{kind:?}");
    }
}

pub async fn health_and_capabilities_are_told(g: &Ground) {
    g.cloud.health().await.unwrap();
    let can = g.cloud.capabilities().await.unwrap();
    for kind in [
        CallKind::CreateServer,
        CallKind::CreateVolume,
        CallKind::AllocateAddress,
        CallKind::CreateBackupPlan,
        CallKind::CreateBackup,
    ] {
        assert!(can.calls.contains(&kind), "{kind:?}");
    }
    let makes = &can.makes[&g.pool];
    let general = makes.hosts_of(GENERAL).unwrap();
    assert!(general.images.contains(&g.image) && can.one_time_password);
    // A pool without a word of its own has general hosts, or those of each architecture.
    assert!(
        makes.hosts.contains_key(EACH) || makes.hosts_of("kunpeng").is_none(),
        "{makes:?}"
    );
    let capacity = g.capacity().await;
    assert!(
        capacity.vcpus_total > 0 && capacity.memory_gb_total > 0 && capacity.addresses_total > 0
    );
    let none = g.cloud.capacity(&"none".into()).await;
    assert!(matches!(none, Err(ReadError::Refused(_))), "{none:?}");
    assert_ne!(
        capacity.hosts, None,
        "two pools may stand on the same hosts"
    );
    for finding in g.cloud.check().await.unwrap() {
        assert_eq!(finding.wrong, None, "{}", finding.what);
    }
    let mut offered = Offered::default();
    offered.images.insert(g.image.clone());
    offered.images.insert("nothing-of-the-kind".into());
    let found = g.cloud.check_offered(&offered).await.unwrap();
    let wrong: Vec<&str> = found
        .iter()
        .filter(|finding| finding.wrong.is_some())
        .map(|finding| finding.what.as_str())
        .collect();
    assert_eq!(wrong, ["image nothing-of-the-kind of the catalogue"]);
}
