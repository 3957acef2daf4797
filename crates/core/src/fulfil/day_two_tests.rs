//! Rules of what is done at once to what stands, on both engines, against the simulated cloud.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{
        BackedUp, BackupSpec, Call, CallKind, ExternalId, Kind, Object, OperationId, Outcome,
        PoolRef, Power, Provisioner, RefusalReason,
        simulator::{Fault, Latency, On, Simulator, What as Failure},
    },
};
use lingbao_model::{
    catalogue::Fulfiller,
    change::CopyId,
    id::{BackupId, ResourceId, SnapshotId, UserId},
    money::Money,
    quota::Dimension,
    request::{Decision, Status},
    resource::{BillingState, EventKind, ServiceState},
    time::MINUTE_MS,
    view::{
        operation::SagaFilter,
        resource::{Act, MOST_SNAPSHOTS, ResourceDetail, ResourceFilter, SnapshotState},
    },
};

use super::{
    acts, operate,
    restore::{self, Restore},
};
use crate::{
    app::Cx,
    clock::Clock as _,
    error::ServiceError,
    jobs::{Registry, run_until_idle},
    saga::harness::{self, Bench},
    seed,
    service::{
        approval, cart, console, notice, request,
        request::{change::restore::Kept, fixture::City, release},
        resource,
    },
    storage::{backup, operation, quota, resource as rows, snapshot, sql::Sql},
    testing::{CONSOLE, TestApp, WithConsoles},
};

/// A city with a cloud, two hosts of the bureau, a disk on the first.
pub(super) struct Town {
    pub(super) city: City,
    pub(super) cloud: Simulator,
    pub(super) jobs: Arc<Registry>,
    pub(super) host: ResourceId,
    pub(super) other: ResourceId,
    pub(super) disk: ResourceId,
}

impl Town {
    pub(super) async fn all() -> Vec<Self> {
        Self::slow(Latency::default()).await
    }

    pub(super) async fn slow(latency: Latency) -> Vec<Self> {
        let mut all = Vec::new();
        for city in City::all().await {
            all.push(Self::on(city, latency).await);
        }
        all
    }

    pub(super) async fn on(mut city: City, latency: Latency) -> Self {
        let told = city.app.clock.clone();
        let config = seed::cloud(None, 7, latency);
        let cloud = Simulator::open("simulator", config, move || told.now()).unwrap();
        let backends = Arc::new(Backends::default().with(WithConsoles(cloud.clone())));
        city.app = city.app.clone().with_backends(backends.clone());
        let jobs = Arc::new(super::wire(Registry::new(), &backends));
        let view = city.cart(2).await;
        let cx = city.cx(&city.clerk);
        let disk = city.disk(&view.lines[0].line.id);
        cart::put_line(&cx, &view.id, view.version, None, &disk)
            .await
            .unwrap();
        let view = cart::open(&cx, &view.id).await.unwrap();
        city.submit(&view).await.unwrap();
        let mut town = Self {
            host: city.app.id(),
            other: city.app.id(),
            disk: city.app.id(),
            city,
            cloud,
            jobs,
        };
        town.approve().await;
        town.settle().await;
        let all = resource::list(&cx, &ResourceFilter::default())
            .await
            .unwrap()
            .rows;
        let of = |kind| all.iter().filter(move |r| r.kind == kind);
        town.disk = of(Fulfiller::Volume).next().unwrap().id.clone();
        let disk = town.see(&town.disk).await;
        town.host = disk.attached_to.unwrap().id;
        let other = of(Fulfiller::Server).find(|r| r.id != town.host);
        town.other = other.unwrap().id.clone();
        town
    }

    pub(super) fn clerk(&self) -> Cx {
        self.city.cx(&self.city.clerk)
    }

    pub(super) async fn approve(&self) {
        let city = &self.city;
        for signer in [&city.leader, &city.office, &city.security, &city.finance] {
            let cx = city.cx(signer);
            if approval::next_todo(&cx, None).await.unwrap().is_some() {
                city.decide(signer, Decision::Approve).await;
            }
        }
    }

    pub(super) async fn run(&self) {
        run_until_idle(&self.city.app.app, &self.jobs)
            .await
            .unwrap();
    }

    /// Until nothing that was begun is still under way.
    pub(super) async fn settle(&self) {
        for _ in 0..60 {
            self.run().await;
            let open =
                Sql::new("SELECT count(*) FROM saga WHERE state IN ('running', 'unwinding')");
            if self.city.count(open).await == 0 {
                return;
            }
            self.city.app.clock.advance_ms(MINUTE_MS);
        }
        panic!("something does not end");
    }

    pub(super) async fn see(&self, id: &ResourceId) -> ResourceDetail {
        resource::detail(&self.clerk(), id).await.unwrap()
    }

    pub(super) async fn events(&self, id: &ResourceId, kind: EventKind) -> usize {
        let events = self.see(id).await.events;
        events.iter().filter(|e| e.kind == kind).count()
    }

    /// What of a kind the cloud holds.
    pub(super) async fn there(&self, kind: Kind) -> Vec<Object> {
        let page = self.cloud.list(None, None).await.unwrap();
        assert!(page.next.is_none(), "one page holds it all");
        let objects = page.objects.into_iter();
        objects.filter(|o| o.kind() == kind).collect()
    }

    pub(super) fn fault(&self, kind: CallKind, what: Failure, times: u32) {
        self.cloud.inject(Fault {
            on: On::Call(kind),
            what,
            skip: 0,
            times: Some(times),
        });
    }

    pub(super) async fn notices(&self) -> Vec<String> {
        let page = notice::list(&self.clerk(), false, None, 50).await.unwrap();
        page.rows.into_iter().map(|n| n.msg.key.into()).collect()
    }

    pub(super) async fn snapshot(&self, name: &str) -> SnapshotId {
        acts::take_snapshot(&self.clerk(), &self.disk, name, "", "")
            .await
            .unwrap();
        self.settle().await;
        self.see(&self.disk).await.snapshots[0].id.clone()
    }

    /// A backup of the disk that some plan has made.
    pub(super) async fn backup(&self) -> BackupId {
        let id: BackupId = self.city.app.id();
        let mut tx = self.city.app.db.begin().await.unwrap();
        let volume = rows::external_id(&mut tx, &self.disk).await.unwrap();
        let volume = volume.unwrap();
        let at = self.city.app.clock.now();
        backup::insert(&mut tx, &id, &self.disk, (&self.disk, &volume), at)
            .await
            .unwrap();
        let scope = crate::authz::Scope::system(&self.city.app.system()).unwrap();
        let disk = rows::get(&mut tx, &scope, &self.disk).await.unwrap();
        let vdc = disk.unwrap().vdc;
        let project = crate::storage::project::project(&mut tx, &vdc, "simulator").await;
        let spec = BackupSpec {
            project: ExternalId(project.unwrap().unwrap()),
            of: BackedUp::Volume(ExternalId(volume)),
            name: "data".into(),
        };
        let op = OperationId(id.to_string());
        let Outcome::Done(made) = self.cloud.create_backup(&op, spec).await else {
            panic!("a backup")
        };
        let size_gb = i64::from(made.size_gb);
        backup::made(&mut tx, &id, made.id.as_str(), size_gb)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub(super) async fn audited(&self, action: &'static str, outcome: &'static str) -> i64 {
        let sql = Sql::new("SELECT count(*) FROM audit_event WHERE action = ")
            .bind(action)
            .push(" AND outcome = ")
            .bind(outcome);
        self.city.count(sql).await
    }
}

pub(super) fn key<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(ServiceError::Conflict(msg)) => msg.key.to_string(),
        Err(ServiceError::Invalid(fields)) => fields
            .iter()
            .map(|f| format!("{}:{} ", f.field, f.msg.key))
            .collect(),
        Err(ServiceError::NotFound) => "404".into(),
        Err(ServiceError::Forbidden) => "403".into(),
        Err(ServiceError::QuotaExceeded(_)) => "quota".into(),
        Err(other) => format!("{other:?}"),
    }
}

pub(super) const FORM: &str = "form-of-this-test";

#[tokio::test]
async fn a_server_restarts_once_however_often_the_form_is_sent() {
    let slow = Latency {
        change_server_ms: 5_000,
        ..Latency::default()
    };
    for town in Town::slow(slow).await {
        let cx = town.clerk();
        for _ in 0..2 {
            acts::restart(&cx, &town.host, FORM).await.unwrap();
        }
        let seen = town.see(&town.host).await;
        assert_eq!(seen.busy.unwrap().key, "resource.busy.restart");
        assert_eq!(seen.may, [Act::ShowSecret]);
        // Another press, of another tab.
        assert_eq!(
            key(acts::restart(&cx, &town.host, "").await),
            "resource.busy_now"
        );
        town.settle().await;
        assert_eq!(town.events(&town.host, EventKind::Restarted).await, 1);
        acts::restart(&cx, &town.host, FORM).await.unwrap();
        town.settle().await;
        assert_eq!(town.events(&town.host, EventKind::Restarted).await, 1);
        let seen = town.see(&town.host).await;
        assert!(seen.busy.is_none() && seen.row.service == ServiceState::Running);
        assert!(seen.may.contains(&Act::Restart));
        assert_eq!(town.audited("resource.restart", "done").await, 1);
    }
}

#[tokio::test]
async fn an_operator_finds_what_was_done_to_a_resource_and_nothing_of_its_neighbours() {
    for town in Town::all().await {
        acts::restart(&town.clerk(), &town.host, "").await.unwrap();
        town.settle().await;
        let mut rx = town.city.app.db.read().await.unwrap();
        for (id, kinds) in [
            (&town.host, &["build", "operate"][..]),
            (&town.other, &["build"][..]),
        ] {
            let filter = SagaFilter {
                resource: Some(id.clone()),
                ..SagaFilter::default()
            };
            let rows = operation::sagas(&mut rx, &filter).await.unwrap().rows;
            let mut found: Vec<_> = rows.iter().map(|row| row.kind.as_str()).collect();
            found.sort_unstable();
            assert_eq!(found, kinds);
        }
    }
}

#[tokio::test]
async fn what_is_given_back_is_shown_once_each_with_its_snapshots_and_nothing_out_of_sight() {
    for town in Town::all().await {
        town.snapshot("first").await;
        let cx = town.clerk();
        let mut ids = vec![town.disk.clone(), town.host.clone(), town.disk.clone()];
        let (rows, snapshots) = resource::giving_back(&cx, &ids).await.unwrap();
        let shown: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
        assert_eq!((shown, snapshots), (ids[..2].to_vec(), 1));
        ids.push(cx.id());
        let unknown = resource::giving_back(&cx, &ids).await;
        assert!(matches!(unknown, Err(ServiceError::NotFound)));
    }
}

#[tokio::test]
async fn what_the_cloud_refuses_changes_nothing_and_is_told_with_its_reason() {
    for town in Town::all().await {
        let cx = town.clerk();
        let refuse = Failure::Refuse(RefusalReason::QuotaExceeded);
        let snapshot = town.snapshot("first").await;
        let whole = town.see(&town.disk).await;
        for kind in [
            CallKind::RestartServer,
            CallKind::CreateSnapshot,
            CallKind::DeleteSnapshot,
            CallKind::DetachVolume,
            CallKind::RestoreSnapshot,
        ] {
            town.fault(kind, refuse, 1);
        }
        acts::restart(&cx, &town.host, "").await.unwrap();
        town.settle().await;
        acts::take_snapshot(&cx, &town.disk, "second", "", "")
            .await
            .unwrap();
        town.settle().await;
        acts::delete_snapshot(&cx, &town.disk, &snapshot, "")
            .await
            .unwrap();
        town.settle().await;
        acts::detach(&cx, &town.disk, "").await.unwrap();
        town.settle().await;
        let view = restore::preview(&cx, &town.disk, &snapshot).await.unwrap();
        restore::restore(&cx, &town.disk, &snapshot, "copy", view.quote.each, "")
            .await
            .unwrap();
        town.settle().await;
        assert_eq!(town.see(&town.disk).await, whole);
        assert_eq!(town.events(&town.host, EventKind::Restarted).await, 0);
        let mut told = town.notices().await;
        told.retain(|key| key.ends_with("_failed"));
        told.sort();
        assert_eq!(
            told,
            [
                "resource.delete_snapshot_failed",
                "resource.detach_failed",
                "resource.restart_failed",
                "resource.restore_failed",
                "resource.snapshot_failed",
            ]
        );
        town.city.assert_ledger().await;
        let standing = town.city.standing(&town.city.vdc, Dimension::SsdGb).await;
        assert_eq!(standing.held, 0);
    }
}

#[tokio::test]
async fn a_lost_answer_and_a_cloud_that_was_away_come_to_one_act() {
    for town in Town::all().await {
        let cx = town.clerk();
        for kind in [
            CallKind::CreateSnapshot,
            CallKind::RestoreSnapshot,
            CallKind::RestartServer,
        ] {
            town.fault(kind, Failure::LoseAnswer, 1);
            town.fault(kind, Failure::Unreachable, 1);
        }
        let snapshot = town.snapshot("kept").await;
        assert_eq!(town.there(Kind::Snapshot).await.len(), 1);
        acts::restart(&cx, &town.host, "").await.unwrap();
        town.settle().await;
        assert_eq!(town.events(&town.host, EventKind::Restarted).await, 1);
        let price = restore::preview(&cx, &town.disk, &snapshot)
            .await
            .unwrap()
            .quote
            .each;
        let made = restore::restore(&cx, &town.disk, &snapshot, "copy", price, "")
            .await
            .unwrap()
            .unwrap();
        town.settle().await;
        assert_eq!(town.there(Kind::Volume).await.len(), 2);
        assert_eq!(town.see(&made.resource).await.row.name, "copy");
    }
}

#[tokio::test]
async fn only_who_operates_the_unit_s_things_may_and_a_stranger_finds_nothing() {
    for town in Town::all().await {
        let snapshot = town.snapshot("kept").await;
        let city = &town.city;
        let unknown: ResourceId = city.app.id();
        let try_all = async |user: &UserId, host: &ResourceId, disk: &ResourceId| {
            let cx = city.cx(user);
            let money = Money::ZERO;
            [
                key(acts::restart(&cx, host, "").await),
                key(console::open(&cx, host).await),
                key(acts::take_snapshot(&cx, disk, "x", "", "").await),
                key(acts::delete_snapshot(&cx, disk, &snapshot, "").await),
                key(restore::preview(&cx, disk, &snapshot).await),
                key(restore::restore(&cx, disk, &snapshot, "x", money, "").await),
                key(acts::attach(&cx, disk, host, "").await),
                key(acts::detach(&cx, disk, "").await),
            ]
        };
        // Who reads the unit's things without using them; who reads no things at all.
        for user in [&city.leader, &city.deputy, &city.office, &city.security] {
            let said = try_all(user, &town.host, &town.disk).await;
            assert!(said.iter().all(|s| s == "403"), "{user}: {said:?}");
            assert_eq!(
                resource::detail(&city.cx(user), &town.host)
                    .await
                    .unwrap()
                    .may,
                []
            );
        }
        for user in [&city.stranger, &city.villager, &city.finance] {
            let said = try_all(user, &town.host, &town.disk).await;
            assert!(said.iter().all(|s| s == "404"), "{user}: {said:?}");
        }
        let said = try_all(&city.clerk, &unknown, &unknown).await;
        assert!(said.iter().take(6).all(|s| s == "404"), "{said:?}");
        // A snapshot of another disk is no snapshot of this thing.
        let cx = town.clerk();
        let elsewhere = acts::delete_snapshot(&cx, &town.host, &snapshot, "").await;
        assert_eq!(key(elsewhere), "404");
        // A colleague of the bureau may.
        acts::restart(&city.cx(&city.colleague), &town.other, "")
            .await
            .unwrap();
        for action in [
            "resource.restart",
            "resource.console",
            "snapshot.take",
            "resource.attach",
        ] {
            assert!(town.audited(action, "refused").await >= 7, "{action}");
        }
    }
}

#[tokio::test]
async fn a_console_is_fetched_when_asked_for_and_written_down_nowhere() {
    for town in Town::all().await {
        let cx = town.clerk();
        assert!(town.see(&town.host).await.may.contains(&Act::Console));
        assert_eq!(console::open(&cx, &town.host).await.unwrap().url, CONSOLE);
        assert_eq!(town.audited("resource.console", "done").await, 1);
        let kept = town
            .city
            .count(Sql::new(
                "SELECT count(*) FROM audit_event WHERE detail LIKE '%sesame%'",
            ))
            .await;
        assert_eq!(kept, 0);
        // The cloud is away: said, and nothing is audited as given.
        town.cloud.inject(Fault {
            on: On::Reading,
            what: Failure::Unreachable,
            skip: 0,
            times: None,
        });
        assert_eq!(
            key(console::open(&cx, &town.host).await),
            "resource.cloud_away"
        );
        town.cloud.clear_faults();
        assert_eq!(town.audited("resource.console", "done").await, 1);
        // Not of a disk, and not of a host that is switched off.
        assert_eq!(
            key(console::open(&cx, &town.disk).await),
            "resource.not_possible_now"
        );
        super::power::switch(&cx, &town.host, false).await.unwrap();
        town.settle().await;
        assert_eq!(
            key(console::open(&cx, &town.host).await),
            "resource.not_possible_now"
        );
        assert!(!town.see(&town.host).await.may.contains(&Act::Console));
        assert_eq!(
            key(acts::restart(&cx, &town.host, "").await),
            "resource.not_possible_now"
        );
        // A cloud that says it has none is not asked.
        let mut tx = town.city.app.db.begin().await.unwrap();
        crate::storage::cloud::save_able(&mut tx, "simulator", &[])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            key(console::open(&cx, &town.other).await),
            "resource.no_console"
        );
        let may = town.see(&town.other).await.may;
        for act in [Act::Restart, Act::Console, Act::Snapshot, Act::Attach] {
            assert!(!may.contains(&act), "{act}");
        }
        assert!(may.contains(&Act::Stop) && may.contains(&Act::Release));
        assert_eq!(
            key(acts::restart(&cx, &town.other, "").await),
            "resource.cloud_can_not"
        );
    }
}

#[tokio::test]
async fn a_disk_has_five_snapshots_at_most_and_each_has_name_size_and_author() {
    for town in Town::all().await {
        let cx = town.clerk();
        for n in 0..MOST_SNAPSHOTS {
            let (cx, form) = (town.clerk(), format!("form-number-{n}"));
            for _ in 0..2 {
                acts::take_snapshot(&cx, &town.disk, &format!("s{n}"), "升级前", &form)
                    .await
                    .unwrap();
                town.city.app.clock.advance_ms(1_000);
            }
            town.settle().await;
        }
        let seen = town.see(&town.disk).await.snapshots;
        let names: Vec<&str> = seen.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["s4", "s3", "s2", "s1", "s0"]);
        for one in &seen {
            assert_eq!((one.size_gb, one.state), (100, SnapshotState::Ready));
            assert_eq!(
                (one.by.as_deref(), one.note.as_str()),
                (Some("clerk"), "升级前")
            );
        }
        assert_eq!(town.there(Kind::Snapshot).await.len(), MOST_SNAPSHOTS);
        let more = acts::take_snapshot(&cx, &town.disk, "s5", "", "").await;
        assert_eq!(key(more), "resource.too_many_snapshots");
        acts::delete_snapshot(&cx, &town.disk, &seen[2].id, "")
            .await
            .unwrap();
        town.settle().await;
        assert_eq!(
            town.see(&town.disk).await.snapshots.len(),
            MOST_SNAPSHOTS - 1
        );
        assert_eq!(town.there(Kind::Snapshot).await.len(), MOST_SNAPSHOTS - 1);
        let again = acts::delete_snapshot(&cx, &town.disk, &seen[2].id, "").await;
        assert_eq!(key(again), "404");
        assert_eq!(
            town.events(&town.disk, EventKind::SnapshotTaken).await,
            MOST_SNAPSHOTS
        );
        assert_eq!(town.events(&town.disk, EventKind::SnapshotDeleted).await, 1);
        let bad = acts::take_snapshot(&cx, &town.disk, " ", &"长".repeat(201), "").await;
        let said = key(bad);
        assert!(said.contains("name:") && said.contains("note:"), "{said}");
        let host = acts::take_snapshot(&cx, &town.host, "x", "", "").await;
        assert_eq!(key(host), "resource.no_disk");
    }
}

#[tokio::test]
async fn a_disk_that_is_given_back_takes_its_snapshots_with_it() {
    for town in Town::all().await {
        let cx = town.clerk();
        let snapshot = town.snapshot("one").await;
        town.snapshot("two").await;
        let disk = town.disk.clone();
        release::create(&cx, &[disk], "系统下线", true, "form-of-the-release")
            .await
            .unwrap();
        // From now on nothing else is done to it.
        let taken = acts::take_snapshot(&cx, &town.disk, "three", "", "").await;
        assert_eq!(key(taken), "resource.being_released");
        let deleted = acts::delete_snapshot(&cx, &town.disk, &snapshot, "").await;
        assert_eq!(key(deleted), "resource.being_released");
        assert_eq!(
            key(acts::detach(&cx, &town.disk, "").await),
            "resource.being_released"
        );
        // The cloud lets the snapshots go at the second time only.
        town.fault(
            CallKind::DeleteSnapshot,
            Failure::Refuse(RefusalReason::Conflict),
            1,
        );
        town.approve().await;
        town.settle().await;
        assert_eq!(
            town.see(&town.disk).await.row.service,
            ServiceState::Released
        );
        assert_eq!(town.see(&town.disk).await.snapshots, []);
        assert_eq!(town.there(Kind::Snapshot).await.len(), 0);
        assert_eq!(town.there(Kind::Volume).await.len(), 0);
    }
}

#[tokio::test]
async fn a_release_waits_for_the_snapshot_that_is_just_being_taken() {
    let slow = Latency {
        other_ms: 400_000,
        ..Latency::default()
    };
    for town in Town::slow(slow).await {
        let cx = town.clerk();
        acts::take_snapshot(&cx, &town.disk, "late", "", "")
            .await
            .unwrap();
        town.run().await;
        assert_eq!(town.there(Kind::Snapshot).await.len(), 1);
        let disk = town.disk.clone();
        release::create(&cx, &[disk], "系统下线", true, "form-of-the-release")
            .await
            .unwrap();
        town.approve().await;
        town.run().await;
        assert_eq!(town.there(Kind::Volume).await.len(), 1);
        town.settle().await;
        // The snapshot stands; the release begins now.
        town.city.app.clock.advance_ms(MINUTE_MS);
        town.settle().await;
        assert_eq!(town.there(Kind::Snapshot).await.len(), 0);
        assert_eq!(town.there(Kind::Volume).await.len(), 0);
        let busy = town
            .city
            .count(Sql::new("SELECT count(*) FROM resource_action"))
            .await;
        assert_eq!(busy, 0);
    }
}

#[tokio::test]
async fn a_disk_out_of_a_snapshot_is_told_held_made_and_charged() {
    for town in Town::all().await {
        let cx = town.clerk();
        let city = &town.city;
        let snapshot = town.snapshot("before").await;
        let before = city.standing(&city.vdc, Dimension::SsdGb).await;
        let view = restore::preview(&cx, &town.disk, &snapshot).await.unwrap();
        let disk = town.see(&town.disk).await;
        assert_eq!((view.quote.each, view.blocks.len()), (disk.row.month, 0));
        assert_eq!(view.expires_at, disk.row.expires_at);
        let asked: Vec<_> = view
            .changes
            .iter()
            .map(|c| (c.dimension, c.asked))
            .collect();
        let money = disk.row.month;
        assert_eq!(
            asked,
            [
                (Dimension::SsdGb, 100),
                (Dimension::MonthlyFee, money.fen())
            ]
        );
        // Confirmed with a price that nobody showed.
        let other = Money::from_fen(1);
        let wrong = restore::restore(&cx, &town.disk, &snapshot, "copy", other, FORM).await;
        assert_eq!(key(wrong), "resource.price_changed");
        let nameless = restore::restore(&cx, &town.disk, &snapshot, " ", money, FORM).await;
        assert!(key(nameless).starts_with("name:"));
        let made = restore::restore(&cx, &town.disk, &snapshot, "copy", money, FORM)
            .await
            .unwrap()
            .unwrap();
        let again = restore::restore(&cx, &town.disk, &snapshot, "copy", money, FORM).await;
        assert_eq!(again.unwrap(), None);
        let held = city.standing(&city.vdc, Dimension::SsdGb).await;
        assert_eq!((held.held, held.used), (before.held + 100, before.used));
        town.settle().await;
        let after = city.standing(&city.vdc, Dimension::SsdGb).await;
        assert_eq!((after.held, after.used), (before.held, before.used + 100));
        city.assert_ledger().await;
        let new = town.see(&made.resource).await;
        assert_eq!((new.row.name.as_str(), new.row.month), ("copy", money));
        assert_eq!(new.made_from.unwrap().id, town.disk);
        assert_eq!(new.attached_to, None);
        assert!(new.may.contains(&Act::Attach));
        assert_eq!(town.there(Kind::Volume).await.len(), 2);
        assert_eq!(
            town.events(&town.disk, EventKind::SnapshotRestored).await,
            1
        );
        assert!(
            town.notices()
                .await
                .contains(&"resource.restored".to_owned())
        );
        // Nobody ordered it: it stands on no delivery sheet; and it is nobody's in no cloud.
        let sheet = resource::delivery_sheet(&cx, &disk.request).await.unwrap();
        assert!(sheet.lines.iter().all(|l| l.row.id != made.resource));
        // The next rounds: charged, and known.
        city.app.clock.advance_ms(11 * MINUTE_MS);
        town.run().await;
        let new = town.see(&made.resource).await;
        assert_eq!(new.row.billing, BillingState::Billing);
        let foreign = Sql::new("SELECT count(*) FROM difference WHERE closed_at IS NULL");
        assert_eq!(city.count(foreign).await, 0);
        // Given back, it frees what it took.
        let ids = [made.resource.clone()];
        release::create(&cx, &ids, "不再需要", true, "form-of-the-release")
            .await
            .unwrap();
        town.approve().await;
        town.settle().await;
        let freed = city.standing(&city.vdc, Dimension::SsdGb).await;
        assert_eq!((freed.held, freed.used), (before.held, before.used));
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_disk_that_does_not_fit_is_told_before_and_refused() {
    for town in Town::all().await {
        let cx = town.clerk();
        let city = &town.city;
        let snapshot = town.snapshot("before").await;
        let used = city.standing(&city.vdc, Dimension::SsdGb).await.used;
        city.only(Dimension::SsdGb, used + 99).await;
        let view = restore::preview(&cx, &town.disk, &snapshot).await.unwrap();
        assert_eq!(view.blocks.len(), 1);
        assert_eq!(view.blocks[0].key, "verdict.over_quota");
        let month = view.quote.each;
        let refused = restore::restore(&cx, &town.disk, &snapshot, "copy", month, "").await;
        assert_eq!(key(refused), "quota");
        let seen = town.see(&town.disk).await;
        assert!(seen.busy.is_none());
        assert_eq!(city.standing(&city.vdc, Dimension::SsdGb).await.held, 0);
        city.assert_ledger().await;
        // One GB more, and it fits.
        city.only(Dimension::SsdGb, used + 100).await;
        restore::restore(&cx, &town.disk, &snapshot, "copy", month, "")
            .await
            .unwrap();
        town.settle().await;
        assert_eq!(city.standing(&city.vdc, Dimension::SsdGb).await.left(), 0);
    }
}

#[tokio::test]
async fn a_disk_moves_from_one_host_to_another() {
    for town in Town::all().await {
        let cx = town.clerk();
        let taken = acts::attach(&cx, &town.disk, &town.other, "").await;
        assert_eq!(key(taken), "resource.attached_already");
        acts::detach(&cx, &town.disk, FORM).await.unwrap();
        // Both are under way: nothing else is done to either of them.
        assert_eq!(
            key(acts::restart(&cx, &town.host, "").await),
            "resource.busy_now"
        );
        acts::detach(&cx, &town.disk, FORM).await.unwrap();
        town.settle().await;
        acts::detach(&cx, &town.disk, FORM).await.unwrap();
        let free = town.see(&town.disk).await;
        assert_eq!(free.attached_to, None);
        let mut hosts: Vec<_> = free.hosts.iter().map(|h| h.id.clone()).collect();
        hosts.sort();
        let mut both = vec![town.host.clone(), town.other.clone()];
        both.sort();
        assert_eq!(hosts, both);
        let nothing = acts::detach(&cx, &town.disk, "").await;
        assert_eq!(key(nothing), "resource.attached_to_nothing");
        let itself = acts::attach(&cx, &town.disk, &town.disk, "").await;
        assert_eq!(key(itself), "host:error.not_in_list ");
        acts::attach(&cx, &town.disk, &town.other, "")
            .await
            .unwrap();
        town.settle().await;
        let seen = town.see(&town.disk).await;
        assert_eq!(seen.attached_to.unwrap().id, town.other);
        let other = town.see(&town.other).await;
        assert_eq!(other.attachments.len(), 1);
        for id in [&town.disk, &town.other] {
            assert_eq!(town.events(id, EventKind::Attached).await, 1);
        }
        for id in [&town.disk, &town.host] {
            assert_eq!(town.events(id, EventKind::Detached).await, 1);
        }
        // The cloud says so too.
        let Object::Volume(volume) = town.there(Kind::Volume).await.remove(0) else {
            panic!("a volume")
        };
        let mut rx = town.city.app.db.read().await.unwrap();
        let there = rows::external_id(&mut rx, &town.other).await.unwrap();
        drop(rx);
        assert_eq!(volume.attached_to.map(|id| id.0), there);
    }
}

#[tokio::test]
async fn attaching_that_fails_takes_nothing_off_a_host_where_somebody_else_hung_it() {
    for town in Town::all().await {
        let cx = town.clerk();
        acts::detach(&cx, &town.disk, "").await.unwrap();
        town.settle().await;
        let mut rx = town.city.app.db.read().await.unwrap();
        let disk = rows::external_id(&mut rx, &town.disk).await.unwrap();
        let host = rows::external_id(&mut rx, &town.host).await.unwrap();
        drop(rx);
        let host = ExternalId(host.unwrap());
        let by_hand = Call::AttachVolume {
            volume: ExternalId(disk.unwrap()),
            server: host.clone(),
        };
        let op = OperationId("hand".into());
        let done = town.cloud.execute(&op, by_hand).await;
        assert!(matches!(done, Outcome::Done(_) | Outcome::Running { .. }));
        let refused = Failure::Refuse(RefusalReason::InvalidSpec);
        town.fault(CallKind::AttachVolume, refused, 1);
        acts::attach(&cx, &town.disk, &town.other, "")
            .await
            .unwrap();
        town.settle().await;
        let Object::Volume(volume) = town.there(Kind::Volume).await.remove(0) else {
            panic!("a volume")
        };
        assert_eq!(volume.attached_to, Some(host));
        let seen = town.see(&town.disk).await;
        assert_eq!((seen.attached_to, seen.busy), (None, None));
    }
}

#[tokio::test]
async fn a_disk_goes_to_no_host_of_another_cell_and_to_none_that_is_given_back() {
    for town in Town::all().await {
        let cx = town.clerk();
        acts::detach(&cx, &town.disk, "").await.unwrap();
        town.settle().await;
        let mut tx = town.city.app.db.begin().await.unwrap();
        Sql::new("UPDATE resource SET level = 3 WHERE id = ")
            .bind(town.host.as_str())
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let hosts = town.see(&town.disk).await.hosts;
        assert_eq!(hosts.len(), 1);
        assert_eq!(hosts[0].id, town.other);
        let elsewhere = acts::attach(&cx, &town.disk, &town.host, "").await;
        assert_eq!(key(elsewhere), "host:error.not_in_list ");
        let ids = [town.other.clone()];
        release::create(&cx, &ids, "系统下线", true, "form-of-the-release")
            .await
            .unwrap();
        let going = acts::attach(&cx, &town.disk, &town.other, "").await;
        assert_eq!(key(going), "resource.being_released");
    }
}

#[tokio::test]
async fn an_address_is_attached_and_taken_off_like_a_disk() {
    for town in Town::all().await {
        let city = &town.city;
        let cx = town.clerk();
        let view = city.cart(1).await;
        let on = view.lines[0].line.id.to_string();
        let typed = [
            ("attach_to", on.as_str()),
            ("carrier", "telecom"),
            ("bandwidth_mbps", "2"),
        ];
        let form = lingbao_model::view::request::LineForm {
            item: "N-EIP".into(),
            cell: city.cell.clone(),
            typed: typed.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..lingbao_model::view::request::LineForm::default()
        };
        cart::put_line(&cx, &view.id, view.version, None, &form)
            .await
            .unwrap();
        let view = cart::open(&cx, &view.id).await.unwrap();
        let request = city.submit(&view).await.unwrap().request;
        town.approve().await;
        town.settle().await;
        let detail = request::detail::detail(&cx, &request).await.unwrap();
        assert_eq!(detail.row.status, Status::Delivered);
        let filter = ResourceFilter {
            kind: Some(Fulfiller::Address),
            ..ResourceFilter::default()
        };
        let address = resource::list(&cx, &filter)
            .await
            .unwrap()
            .rows
            .remove(0)
            .id;
        acts::detach(&cx, &address, "").await.unwrap();
        town.settle().await;
        assert_eq!(town.see(&address).await.attached_to, None);
        acts::attach(&cx, &address, &town.other, "").await.unwrap();
        town.settle().await;
        assert_eq!(town.see(&address).await.attached_to.unwrap().id, town.other);
        let Object::Address(there) = town.there(Kind::Address).await.remove(0) else {
            panic!("an address")
        };
        let host = town
            .cloud
            .get(Kind::Server, &there.associated_with.unwrap())
            .await;
        let Some(Object::Server(host)) = host.unwrap() else {
            panic!("a host")
        };
        assert_eq!(host.power, Power::Active);
    }
}

/// What a drill plays in: one town, and what it last asked for.
struct Drill<'a> {
    town: &'a Town,
    last: Mutex<Option<SnapshotId>>,
    begun: AtomicBool,
}

impl Drill<'_> {
    /// The books and the cloud say the same, and nothing is under way.
    async fn assert_even(&self, when: &str) {
        let town = self.town;
        let kept = Sql::new("SELECT count(*) FROM snapshot WHERE state = 'ready'");
        let open =
            Sql::new("SELECT count(*) FROM snapshot WHERE state NOT IN ('ready', 'deleted')");
        let (kept, open) = (town.city.count(kept).await, town.city.count(open).await);
        let there = town.there(Kind::Snapshot).await.len();
        assert_eq!((there, open), (usize::try_from(kept).unwrap(), 0), "{when}");
        let disks = Sql::new("SELECT count(*) FROM resource WHERE kind = 'volume'");
        let disks = town.city.count(disks).await;
        let there = town.there(Kind::Volume).await.len();
        assert_eq!(there, usize::try_from(disks).unwrap(), "{when}");
        let standing = town.city.standing(&town.city.vdc, Dimension::SsdGb).await;
        // Two hosts with a system disk of 40 GB each.
        assert_eq!(
            (standing.held, standing.used),
            (0, 80 + disks * 100),
            "{when}"
        );
        town.city.assert_ledger().await;
    }
}

struct Taking<'a>(Drill<'a>);

#[async_trait]
impl Bench for Taking<'_> {
    type Saga = operate::Operate;

    async fn fresh(&self, app: &TestApp) -> (operate::Operate, operate::Params) {
        let town = self.0.town;
        let cx = town.clerk();
        let id: SnapshotId = app.id();
        let mut tx = app.db.begin().await.unwrap();
        let disk = rows::get(
            &mut tx,
            &crate::authz::Scope::system(&app.system()).unwrap(),
            &town.disk,
        )
        .await
        .unwrap()
        .unwrap();
        let new = snapshot::New {
            id: &id,
            resource: &town.disk,
            name: "drill",
            note: "",
            size_gb: 100,
            by: &town.city.clerk,
            at: cx.now(),
        };
        // The first time only the steps are counted.
        if self.0.begun.swap(true, Ordering::SeqCst) {
            snapshot::insert(&mut tx, &new).await.unwrap();
        }
        let project = crate::storage::project::project(&mut tx, &disk.vdc, "simulator").await;
        tx.commit().await.unwrap();
        *self.0.last.lock().unwrap() = Some(id.clone());
        let params = operate::Params {
            resource: town.disk.clone(),
            kind: Fulfiller::Volume,
            backend: "simulator".into(),
            external_id: disk.external_id.unwrap(),
            what: operate::What::TakeSnapshot {
                snapshot: id,
                project: project.unwrap().unwrap(),
                name: "drill".into(),
            },
            actor: town.city.clerk.clone(),
        };
        let backends = Backends::default().with(town.cloud.clone());
        (operate::Operate::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        let last = self.0.last.lock().unwrap().clone().unwrap();
        let seen = self.0.town.see(&self.0.town.disk).await.snapshots;
        assert!(seen.iter().any(|s| s.id == last), "{when}");
        self.0.assert_even(when).await;
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        let last = self.0.last.lock().unwrap().clone().unwrap();
        let seen = self.0.town.see(&self.0.town.disk).await.snapshots;
        assert!(seen.iter().all(|s| s.id != last), "{when}");
        self.0.assert_even(when).await;
    }
}

struct Restoring<'a> {
    drill: Drill<'a>,
    copy: CopyId,
}

#[async_trait]
impl Bench for Restoring<'_> {
    type Saga = Restore;

    async fn fresh(&self, app: &TestApp) -> (Restore, restore::Params) {
        let town = self.drill.town;
        let mut tx = app.db.begin().await.unwrap();
        let scope = crate::authz::Scope::system(&app.system()).unwrap();
        let disk = rows::get(&mut tx, &scope, &town.disk)
            .await
            .unwrap()
            .unwrap();
        let kept = Kept::get(&mut tx, &town.disk, &self.copy).await;
        let project = crate::storage::project::project(&mut tx, &disk.vdc, "simulator").await;
        let Some(Object::Volume(volume)) = town
            .cloud
            .get(Kind::Volume, &ExternalId(disk.external_id.clone().unwrap()))
            .await
            .unwrap()
        else {
            panic!("a volume")
        };
        let PoolRef(backend_pool) = volume.spec.pool;
        let params = restore::Params {
            resource: town.disk.clone(),
            copy: self.copy.clone(),
            new: app.id(),
            backend: "simulator".into(),
            copy_external_id: kept.unwrap().unwrap().external_id.unwrap(),
            project: project.unwrap().unwrap(),
            backend_pool,
            name: "drill".into(),
            answers: disk.answers.clone(),
            amounts: disk.amounts.clone(),
            month: disk.month,
            price_version: 1,
            expires_at: disk.expires_at,
            actor: town.city.clerk.clone(),
            request: None,
        };
        let booking = restore::booking("hold", &disk, &params);
        // The first time only the steps are counted.
        if self.drill.begun.swap(true, Ordering::SeqCst) {
            let short = quota::hold(&mut tx, &app.system(), &booking).await.unwrap();
            assert_eq!(short, []);
        }
        tx.commit().await.unwrap();
        let backends = Backends::default().with(town.cloud.clone());
        (Restore::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        self.drill.assert_even(when).await;
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        self.drill.assert_even(when).await;
    }
}

#[tokio::test]
async fn killed_after_any_commit_or_failed_at_its_step_a_snapshot_is_taken_once_or_not_at_all() {
    for town in Town::all().await {
        let drill = Taking(Drill {
            town: &town,
            last: Mutex::default(),
            begun: AtomicBool::default(),
        });
        harness::drill(&town.city.app, &drill).await;
    }
}

#[tokio::test]
async fn killed_after_any_commit_or_failed_at_its_step_a_disk_is_made_once_or_not_at_all() {
    for town in Town::all().await {
        let (snapshot, backup) = (town.snapshot("source").await, town.backup().await);
        for copy in [CopyId::Snapshot(snapshot), CopyId::Backup(backup)] {
            let drill = Restoring {
                drill: Drill {
                    town: &town,
                    last: Mutex::default(),
                    begun: AtomicBool::default(),
                },
                copy,
            };
            harness::drill(&town.city.app, &drill).await;
        }
    }
}
