//! Rules of a host's system that is installed anew, on both engines, against the simulated cloud.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{
        Access, CallKind, ExternalId, Kind, Object, Power, Provisioner, RefusalReason, Server,
        simulator::{Latency, What as Failure},
    },
};
use lingbao_model::{
    catalogue::Fulfiller,
    change::What,
    id::{ResourceId, UserId},
    reinstall::ReinstallForm,
    resource::{EventKind, ServiceState},
    view::{
        request::ChangeForm,
        resource::{Act, ResourceDetail},
    },
};

use super::{
    access_rule, acts,
    day_two_tests::{FORM, Town, key},
    operate, reinstall,
};
use crate::{
    authz::Scope,
    saga::harness::{self, Bench},
    service::{
        request::{self, release},
        resource,
    },
    storage::{cloud, resource as resources, secret, sql::Sql},
    testing::TestApp,
};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqP6xkN2y7b4mF0v8uTq1wZs3dYh5rLc9jEoGiVpXtB zhang";

fn typed(access: &str, ssh_key: &str, confirm: &str) -> ReinstallForm {
    ReinstallForm {
        access: access.into(),
        ssh_key: ssh_key.into(),
        confirm: confirm.into(),
    }
}

impl Town {
    async fn name(&self) -> String {
        self.see(&self.host).await.row.name
    }

    async fn with_key(&self) -> ReinstallForm {
        typed("ssh_key", KEY, &self.name().await)
    }

    async fn with_password(&self) -> ReinstallForm {
        typed("password", "", &self.name().await)
    }

    /// The host in the cloud.
    async fn server(&self) -> Server {
        let mut rx = self.city.app.db.read().await.unwrap();
        let named = resources::external_id(&mut rx, &self.host).await.unwrap();
        let named = ExternalId(named.unwrap());
        match self.cloud.get(Kind::Server, &named).await.unwrap() {
            Some(Object::Server(server)) => server,
            other => panic!("{other:?}"),
        }
    }

    async fn answer(&self, name: &str) -> Option<String> {
        let mut rx = self.city.app.db.read().await.unwrap();
        let scope = Scope::system(&self.city.app.system()).unwrap();
        let found = resources::get(&mut rx, &scope, &self.host).await.unwrap();
        found.unwrap().answers.text(name).map(str::to_owned)
    }

    async fn waits(&self) -> bool {
        let mut rx = self.city.app.db.read().await.unwrap();
        secret::waits(&mut rx, &self.host).await.unwrap()
    }

    /// Asks for it and waits for what comes of it.
    async fn install(&self, form: &ReinstallForm) {
        reinstall::reinstall(&self.clerk(), &self.host, form, "")
            .await
            .unwrap();
        self.settle().await;
    }
}

/// What stays of a host, whatever becomes of its system.
fn lasting(seen: &ResourceDetail) -> impl PartialEq + std::fmt::Debug + use<> {
    let row = &seen.row;
    (
        row.name.clone(),
        row.address.clone(),
        (row.month, row.expires_at, row.billing),
        seen.attachments.clone(),
        (seen.trial_until, seen.billing_from),
    )
}

#[tokio::test]
async fn a_key_takes_the_place_of_the_password_and_everything_but_the_system_stays() {
    let slow = Latency {
        build_server_ms: 5_000,
        ..Latency::default()
    };
    for town in Town::slow(slow).await {
        let cx = town.clerk();
        let before = town.see(&town.host).await;
        assert!(before.may.contains(&Act::Reinstall) && town.waits().await);
        let view = reinstall::view(&cx, &town.host).await.unwrap();
        assert!(view.may && view.closed.is_none() && view.runs);
        assert_eq!((view.way.as_str(), view.ways.len()), ("password", 2));
        assert_eq!(
            (view.month, &view.address),
            (before.row.month, &before.row.address)
        );
        assert_eq!(view.attachments, before.attachments);
        assert!(view.image.is_some());
        let image = town.answer("image").await;

        town.fault(CallKind::ReinstallServer, Failure::LoseAnswer, 1);
        let form = town.with_key().await;
        for _ in 0..2 {
            reinstall::reinstall(&cx, &town.host, &form, FORM)
                .await
                .unwrap();
        }
        let busy = town.see(&town.host).await;
        assert_eq!(busy.busy.unwrap().key, "resource.busy.reinstall");
        let view = reinstall::view(&cx, &town.host).await.unwrap();
        assert!(!view.may && view.busy.is_some());
        let other = reinstall::reinstall(&cx, &town.host, &form, "").await;
        assert_eq!(key(other), "resource.busy_now");
        let other = access_rule::new_password(&cx, &town.host, "").await;
        assert_eq!(key(other), "resource.busy_now");
        assert!(town.waits().await);
        town.settle().await;

        let after = town.see(&town.host).await;
        assert_eq!(lasting(&after), lasting(&before));
        assert_eq!(after.row.service, ServiceState::Running);
        assert_eq!(town.answer("access").await.as_deref(), Some("ssh_key"));
        assert_eq!(town.answer("ssh_key").await.as_deref(), Some(KEY));
        assert_eq!(town.answer("image").await, image);
        let there = town.server().await;
        assert_eq!(there.spec.access, Access::SshKeys(vec![KEY.into()]));
        assert!(there.installed_by.is_some() && there.power == Power::Active);
        // The first password opens nothing any more, and nobody is offered it.
        assert!(!after.secret_waits && !after.may.contains(&Act::ShowSecret));
        let sheet = before.request.clone();
        let sheet = resource::delivery_sheet(&cx, &sheet).await.unwrap();
        let line = sheet.lines.iter().find(|line| line.row.id == town.host);
        let line = line.unwrap();
        assert!(!line.secret_waits && line.row.facts.iter().any(|f| f.key == "ssh_key"));
        assert_eq!(town.events(&town.host, EventKind::Reinstalled).await, 1);
        assert_eq!(town.audited("resource.reinstall", "done").await, 1);
        let told = town.notices().await;
        assert!(
            told.contains(&"resource.reinstalled_key".to_owned()),
            "{told:?}"
        );
        // The form again, after it is done: nothing more.
        reinstall::reinstall(&cx, &town.host, &form, FORM)
            .await
            .unwrap();
        town.settle().await;
        assert_eq!(town.events(&town.host, EventKind::Reinstalled).await, 1);
        town.city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_new_password_is_shown_once_and_a_host_that_is_off_stays_off() {
    for town in Town::all().await {
        let cx = town.clerk();
        let first = resource::show_secret(&cx, &town.host).await.unwrap();
        town.install(&town.with_key().await).await;
        super::power::switch(&cx, &town.host, false).await.unwrap();
        town.settle().await;
        assert!(town.see(&town.host).await.may.contains(&Act::Reinstall));
        town.install(&town.with_password().await).await;
        let seen = town.see(&town.host).await;
        assert_eq!(seen.row.service, ServiceState::Stopped);
        assert_eq!(town.server().await.power, Power::Stopped);
        assert!(seen.secret_waits);
        assert_eq!(town.answer("access").await.as_deref(), Some("password"));
        assert_eq!(town.answer("ssh_key").await, None);
        let second = resource::show_secret(&cx, &town.host).await.unwrap();
        assert!(second != first && second.len() == 16);
        let again = resource::show_secret(&cx, &town.host).await;
        assert_eq!(key(again), "resource.secret_gone");
        let pattern = format!("%{second}%");
        for sql in [
            Sql::new("SELECT count(*) FROM saga_step WHERE output LIKE "),
            Sql::new("SELECT count(*) FROM audit_event WHERE detail LIKE "),
        ] {
            assert_eq!(town.city.count(sql.bind(pattern.as_str())).await, 0);
        }
        // Rules of its own go on holding.
        let form = lingbao_model::access_rule::AccessRuleForm {
            protocol: "tcp".into(),
            ports: "8080".into(),
            source: "10.8.0.0/24".into(),
            note: String::new(),
        };
        access_rule::add(&cx, &town.host, &form, "").await.unwrap();
        town.settle().await;
        town.install(&town.with_key().await).await;
        let there = town.cloud.server_rules(&town.server().await.id).await;
        assert_eq!(there.unwrap().unwrap().rules.len(), 1);
    }
}

#[tokio::test]
async fn what_is_typed_wrong_is_said_at_its_field_and_reaches_no_cloud() {
    for town in Town::all().await {
        let (cx, name) = (town.clerk(), town.name().await);
        for (form, says) in [
            (
                typed("ssh_key", "-----BEGIN PRIVATE KEY-----", &name),
                "ssh_key:error.ssh_key ",
            ),
            (typed("ssh_key", "", &name), "ssh_key:error.required "),
            (
                typed("password", "", "another"),
                "confirm:reinstall.confirm_wrong ",
            ),
            (typed("x", "", &name), "access:error.not_in_list "),
        ] {
            let said = reinstall::reinstall(&cx, &town.host, &form, FORM).await;
            assert_eq!(key(said), says);
        }
        let form = town.with_key().await;
        let disk = reinstall::reinstall(&cx, &town.disk, &form, "").await;
        assert_eq!(key(disk), "resource.no_host");
        let disk = reinstall::view(&cx, &town.disk).await;
        assert_eq!(key(disk), "404");
        assert_eq!(town.server().await.installed_by, None);
        assert_eq!(town.audited("resource.reinstall", "done").await, 0);
        // The form was not used up by what was refused.
        reinstall::reinstall(&cx, &town.host, &form, FORM)
            .await
            .unwrap();
        town.settle().await;
        assert!(town.server().await.installed_by.is_some());
    }
}

#[tokio::test]
async fn only_who_operates_the_host_may_and_a_stranger_finds_nothing() {
    for town in Town::all().await {
        let city = &town.city;
        let form = town.with_key().await;
        let unknown: ResourceId = city.app.id();
        let try_it = async |user: &UserId, host: &ResourceId| {
            key(reinstall::reinstall(&city.cx(user), host, &form, "").await)
        };
        for user in [&city.leader, &city.deputy, &city.office, &city.security] {
            let view = reinstall::view(&city.cx(user), &town.host).await.unwrap();
            assert!(!view.may, "{user}");
            assert_eq!(try_it(user, &town.host).await, "403", "{user}");
        }
        for user in [&city.stranger, &city.villager, &city.finance] {
            let view = reinstall::view(&city.cx(user), &town.host).await;
            assert_eq!(key(view), "404", "{user}");
            assert_eq!(try_it(user, &town.host).await, "404", "{user}");
        }
        assert_eq!(try_it(&city.clerk, &unknown).await, "404");
        assert!(town.audited("resource.reinstall", "refused").await >= 7);
        assert_eq!(town.server().await.installed_by, None);
        let by = try_it(&city.colleague, &town.host).await;
        assert_eq!(by, "()");
    }
}

#[tokio::test]
async fn what_is_given_back_missing_being_changed_or_in_a_cloud_that_can_not_is_left_alone() {
    for town in Town::all().await {
        let (cx, form) = (town.clerk(), town.with_key().await);
        let try_it = async || key(reinstall::reinstall(&cx, &town.host, &form, "").await);
        let closed = async || {
            let view = reinstall::view(&cx, &town.host).await.unwrap();
            assert!(!view.may);
            view.closed.unwrap().key.to_string()
        };
        let mut tx = town.city.app.db.begin().await.unwrap();
        let able = cloud::able(&mut tx, "simulator").await.unwrap();
        cloud::save_able(&mut tx, "simulator", &[]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(try_it().await, "resource.cloud_can_not");
        assert_eq!(closed().await, "resource.cloud_can_not");
        assert!(!town.see(&town.host).await.may.contains(&Act::Reinstall));
        // Where no passwords are made a key is left.
        let mut tx = town.city.app.db.begin().await.unwrap();
        cloud::save_able(&mut tx, "simulator", &[Act::Reinstall])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let view = reinstall::view(&cx, &town.host).await.unwrap();
        assert!(view.may && view.ways.len() == 1 && view.ways[0].value == "ssh_key");
        let password = town.with_password().await;
        let said = reinstall::reinstall(&cx, &town.host, &password, "").await;
        assert_eq!(key(said), "access:error.not_in_list ");
        let mut tx = town.city.app.db.begin().await.unwrap();
        cloud::save_able(&mut tx, "simulator", &able).await.unwrap();
        tx.commit().await.unwrap();

        let ids = [town.host.clone()];
        release::create(&cx, &ids, "系统下线", false, "form-of-the-release")
            .await
            .unwrap();
        assert_eq!(try_it().await, "resource.being_released");
        assert_eq!(closed().await, "resource.being_released");
        town.approve().await;
        town.settle().await;
        assert_eq!(
            town.see(&town.host).await.row.service,
            ServiceState::Recycled
        );
        assert_eq!(try_it().await, "resource.not_possible_now");
        assert_eq!(closed().await, "resource.not_possible_now");
        assert!(!town.see(&town.host).await.may.contains(&Act::Reinstall));
        assert_eq!(town.server().await.installed_by, None);
    }
}

#[tokio::test]
async fn the_disks_of_a_host_are_booked_with_it_and_free_again_when_it_is_over() {
    for town in Town::all().await {
        let (cx, disk) = (town.clerk(), &town.disk);
        let hangs = town.see(&town.host).await.attachments;
        assert!(hangs.iter().any(|it| it.id == *disk));
        let snapshot = async || key(acts::take_snapshot(&cx, disk, "first", "", "").await);
        let refuse = Failure::Refuse(RefusalReason::InvalidSpec);
        for fault in [
            None,
            Some(refuse),
            Some(Failure::FailLate(RefusalReason::Broken)),
        ] {
            if let Some(fault) = fault {
                town.fault(CallKind::ReinstallServer, fault, 1);
            }
            let form = town.with_key().await;
            reinstall::reinstall(&cx, &town.host, &form, "")
                .await
                .unwrap();
            let busy = town.see(disk).await.busy;
            assert_eq!(busy.unwrap().key, "resource.busy.reinstall");
            assert_eq!(snapshot().await, "resource.busy_now");
            town.settle().await;
            assert!(town.see(disk).await.busy.is_none());
            assert_eq!(town.events(disk, EventKind::Reinstalled).await, 0);
        }
        // And the other way round: what is done to a disk is waited for.
        acts::take_snapshot(&cx, disk, "second", "", "")
            .await
            .unwrap();
        let form = town.with_key().await;
        let said = reinstall::reinstall(&cx, &town.host, &form, "").await;
        assert_eq!(key(said), "resource.busy_now");
        assert!(town.see(&town.host).await.busy.is_none());
    }
}

#[tokio::test]
async fn what_the_cloud_refuses_changes_nothing_and_what_breaks_half_way_is_told() {
    for town in Town::all().await {
        let whole = town.see(&town.host).await;
        let refuse = Failure::Refuse(RefusalReason::InvalidSpec);
        town.fault(CallKind::ReinstallServer, refuse, 1);
        town.install(&town.with_key().await).await;
        assert_eq!(town.see(&town.host).await, whole);
        assert_eq!(town.server().await.installed_by, None);
        let told = town.notices().await;
        assert!(
            told.contains(&"resource.reinstall_failed".to_owned()),
            "{told:?}"
        );

        let break_it = Failure::FailLate(RefusalReason::Broken);
        town.fault(CallKind::ReinstallServer, break_it, 1);
        town.install(&town.with_key().await).await;
        let seen = town.see(&town.host).await;
        assert_eq!(town.server().await.power, Power::Error);
        // The password that waited was the old system's.
        assert!(seen.busy.is_none() && !seen.secret_waits);
        assert!(town.see(&town.disk).await.busy.is_none());
        assert_eq!(town.answer("access").await.as_deref(), Some("password"));
        assert_eq!(town.events(&town.host, EventKind::Reinstalled).await, 0);
        assert_eq!(town.events(&town.host, EventKind::ReinstallFailed).await, 1);
        let told = town.notices().await;
        assert!(
            told.contains(&"resource.reinstall_broken".to_owned()),
            "{told:?}"
        );

        // Once more, and it runs.
        assert!(seen.may.contains(&Act::Reinstall));
        town.install(&town.with_password().await).await;
        let seen = town.see(&town.host).await;
        assert_eq!(seen.row.service, ServiceState::Running);
        assert_eq!(town.server().await.power, Power::Active);
        assert_eq!(town.events(&town.host, EventKind::Reinstalled).await, 1);
        resource::show_secret(&town.clerk(), &town.host)
            .await
            .unwrap();
        town.city.assert_ledger().await;
    }
}

/// A host's system, installed with another key each time, under every fault.
struct Installing<'a> {
    town: &'a Town,
    count: AtomicUsize,
    last: Mutex<Option<Before>>,
}

/// The key that is installed, and what the cloud and our rows held before.
#[derive(Clone)]
struct Before {
    key: String,
    server: Server,
    answer: Option<String>,
    events: [usize; 2],
}

impl Installing<'_> {
    fn last(&self) -> Before {
        self.last.lock().unwrap().clone().unwrap()
    }

    /// How often the history says that it was done, and that it broke off.
    async fn events(&self) -> [usize; 2] {
        let (town, host) = (self.town, &self.town.host);
        [
            town.events(host, EventKind::Reinstalled).await,
            town.events(host, EventKind::ReinstallFailed).await,
        ]
    }

    async fn assert_free(&self, when: &str) {
        let seen = self.town.see(&self.town.host).await;
        assert!(seen.row.service == ServiceState::Running, "{when}");
        assert!(seen.busy.is_none(), "{when}");
    }
}

#[async_trait]
impl Bench for Installing<'_> {
    type Saga = operate::Operate;

    async fn fresh(&self, _: &TestApp) -> (operate::Operate, operate::Params) {
        let town = self.town;
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let key = format!("{KEY}-{number}");
        let server = town.server().await;
        let before = Before {
            key: key.clone(),
            server: server.clone(),
            answer: town.answer("ssh_key").await,
            events: self.events().await,
        };
        *self.last.lock().unwrap() = Some(before);
        let params = operate::Params {
            resource: town.host.clone(),
            kind: Fulfiller::Server,
            backend: "simulator".into(),
            external_id: server.id.to_string(),
            what: operate::What::Reinstall {
                image: town.answer("image").await.unwrap(),
                key: Some(key),
                disks: vec![town.disk.clone()],
            },
            actor: town.city.clerk.clone(),
        };
        let backends = Backends::default().with(town.cloud.clone());
        (operate::Operate::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        let before = self.last();
        self.assert_free(when).await;
        let there = self.town.server().await;
        let keys = vec![before.key.clone()];
        assert_eq!(there.spec.access, Access::SshKeys(keys), "{when}");
        assert_ne!(there.installed_by, before.server.installed_by, "{when}");
        let answer = self.town.answer("ssh_key").await;
        assert_eq!(answer, Some(before.key), "{when}");
        let [done, broken] = before.events;
        assert_eq!(self.events().await, [done + 1, broken], "{when}");
    }

    /// Our rows stay as they were. Where the cloud had done it all the same, or nobody knows, the
    /// history says so.
    async fn assert_clean(&self, _: &TestApp, when: &str) {
        let before = self.last();
        self.assert_free(when).await;
        let answer = self.town.answer("ssh_key").await;
        assert_eq!(answer, before.answer, "{when}");
        let there = self.town.server().await;
        let taken = there.spec.access == Access::SshKeys(vec![before.key]);
        let moved = there.installed_by != before.server.installed_by;
        assert_eq!(taken, moved, "{when}");
        let [done, broken] = before.events;
        assert_eq!(self.events().await, [done, broken + 1], "{when}");
    }
}

#[tokio::test]
async fn killed_after_any_commit_or_failed_at_its_step_it_is_installed_once_or_told() {
    for town in Town::all().await {
        let drill = Installing {
            town: &town,
            count: AtomicUsize::new(0),
            last: Mutex::default(),
        };
        harness::drill(&town.city.app, &drill).await;
    }
}

#[tokio::test]
async fn while_a_change_waits_for_consent_nothing_is_installed() {
    for town in Town::all().await {
        let (cx, form) = (town.clerk(), town.with_key().await);
        let larger = ChangeForm {
            what: What::Resize,
            typed: [("vcpus", "8"), ("memory_gb", "16")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            reason: "业务增长".into(),
        };
        request::change::create(&cx, &town.host, &larger, "form-larger")
            .await
            .unwrap();
        let said = reinstall::reinstall(&cx, &town.host, &form, "").await;
        assert_eq!(key(said), "change.under_way");
        let view = reinstall::view(&cx, &town.host).await.unwrap();
        assert_eq!(view.closed.unwrap().key, "change.under_way");
        assert!(!town.see(&town.host).await.may.contains(&Act::Reinstall));
        // What stood when it was asked for still stands: it goes through.
        town.approve().await;
        town.settle().await;
        assert_eq!(town.server().await.spec.vcpus, 8);
        town.install(&form).await;
        let there = town.server().await;
        assert_eq!(
            (there.spec.vcpus, there.spec.access),
            (8, Access::SshKeys(vec![KEY.into()]))
        );
    }
}
