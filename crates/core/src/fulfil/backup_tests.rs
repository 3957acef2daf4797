//! Rules of backup plans that the portal runs, on both engines, against the simulated cloud.

use std::collections::BTreeSet;

use lingbao_backends::provisioning::{
    BackedUp, Call, CallKind, ExternalId, Kind, Object, OperationId, Provisioner, RefusalReason,
    simulator::{Fault, On, What as Failure},
};
use lingbao_model::{
    catalogue::Fulfiller,
    change::What,
    id::ResourceId,
    resource::ServiceState,
    time::{DAY_MS, MINUTE_MS},
    view::{
        backup::{BackupRow, BackupState, PlanRuns},
        request::{ChangeForm, LineForm},
    },
};

use super::{
    backup::{RUN_MS, TOLD_AT},
    bin, certificate,
    day_two_tests::Town,
};
use crate::{
    authz::Scope,
    service::{cart, request::change},
    storage::resource as rows,
};

const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A host, a disk on it, and the plan that backs both up.
struct Planned {
    host: ResourceId,
    disk: ResourceId,
    plan: ResourceId,
}

impl Town {
    /// Orders a host with a disk and a plan.
    async fn planned(&self, schedule: &str, keep_days: &str) -> Planned {
        let city = &self.city;
        let view = city.cart(1).await;
        let (cx, on) = (self.clerk(), &view.lines[0].line.id);
        let typed = [
            ("attach_to", on.as_str()),
            ("size_gb", "100"),
            ("schedule", schedule),
            ("keep_days", keep_days),
        ];
        let plan = LineForm {
            item: "D-LB".into(),
            typed: typed.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..city.disk(on)
        };
        let mut version = view.version;
        for form in [city.disk(on), plan] {
            let put = cart::put_line(&cx, &view.id, version, None, &form).await;
            version = put.unwrap().version;
        }
        let view = cart::open(&cx, &view.id).await.unwrap();
        let request = city.submit(&view).await.unwrap().request;
        self.approve().await;
        self.settle().await;
        let mut rx = city.app.db.read().await.unwrap();
        let scope = Scope::system(&city.app.system()).unwrap();
        let all = rows::of_request(&mut rx, &scope, &request).await.unwrap();
        let of = |kind| all.iter().find(|r| r.kind == kind).unwrap().id.clone();
        Planned {
            host: of(Fulfiller::Server),
            disk: of(Fulfiller::Volume),
            plan: of(Fulfiller::Backup),
        }
    }

    /// Time goes by, and what came round meanwhile is done.
    async fn pass(&self, ms: i64) {
        self.city.app.clock.advance_ms(ms);
        self.run().await;
    }

    /// A town whose plan has made its first backups.
    async fn backed_up(&self, schedule: &str, keep_days: &str) -> Planned {
        let planned = self.planned(schedule, keep_days).await;
        self.pass(MINUTE_MS).await;
        assert_eq!(self.kept(&planned.plan).await.len(), 2);
        planned
    }

    /// The backups that the page of a thing shows.
    async fn kept(&self, of: &ResourceId) -> Vec<BackupRow> {
        self.see(of).await.backups
    }

    async fn runs(&self, plan: &ResourceId) -> PlanRuns {
        self.see(plan).await.plan_runs.unwrap()
    }

    /// Ids of the backups in the cloud.
    async fn in_cloud(&self) -> BTreeSet<ExternalId> {
        let all = self.there(Kind::Backup).await;
        all.iter().map(|it| it.id().clone()).collect()
    }

    /// How often the clerk was told that a plan fails.
    async fn told(&self) -> usize {
        let all = self.notices().await;
        all.iter()
            .filter(|key| *key == "notice.backup_fails")
            .count()
    }
}

#[tokio::test]
async fn a_plan_makes_a_backup_of_each_disk_soon_after_delivery_and_then_by_its_schedule() {
    for town in Town::all().await {
        let planned = town.planned("daily", "7").await;
        let Planned { host, disk, plan } = &planned;
        town.pass(MINUTE_MS).await;
        let kept = town.kept(plan).await;
        let of: BTreeSet<_> = kept.iter().map(|one| &one.of).collect();
        assert_eq!((kept.len(), of), (2, [host, disk].into()));
        assert!(kept.iter().all(|one| one.state == BackupState::Kept));
        let sizes: BTreeSet<_> = kept.iter().map(|one| one.size_gb).collect();
        assert_eq!(sizes, [Some(40), Some(100)].into());
        let mut there = BTreeSet::new();
        for object in town.there(Kind::Backup).await {
            if let Object::Backup(backup) = object {
                there.insert(match backup.spec.of {
                    BackedUp::SystemDisk(id) => ("system", id.0),
                    BackedUp::Volume(id) => ("volume", id.0),
                });
            }
        }
        let mut rx = town.city.app.db.read().await.unwrap();
        let mut wanted = BTreeSet::new();
        for (what, id) in [("system", host), ("volume", disk)] {
            let name = rows::external_id(&mut rx, id).await.unwrap();
            wanted.insert((what, name.unwrap()));
        }
        drop(rx);
        assert_eq!(there, wanted);
        let runs = town.runs(plan).await;
        assert!(!runs.running && !runs.rests && runs.failures == 0);
        let (done, next) = (runs.done_at.unwrap(), runs.next_at.unwrap());
        assert_eq!(next, done.plus_millis(DAY_MS));
        // The pages of what is backed up show their own.
        assert_eq!(town.kept(host).await.len(), 1);
        assert_eq!(town.kept(disk).await.len(), 1);
        assert!(town.see(host).await.plan_runs.is_none());
        town.pass(DAY_MS - HOUR_MS).await;
        assert_eq!(town.in_cloud().await.len(), 2);
        town.pass(HOUR_MS).await;
        assert_eq!(town.in_cloud().await.len(), 4);
        assert_eq!(town.kept(plan).await.len(), 4);
    }
}

#[tokio::test]
async fn what_is_older_than_the_plan_keeps_is_deleted_but_the_last_of_a_disk() {
    for town in Town::all().await {
        let planned = town.backed_up("daily", "2").await;
        for _ in 0..3 {
            town.pass(DAY_MS).await;
        }
        // Those of yesterday and of now.
        assert_eq!(town.in_cloud().await.len(), 4);
        let young = town.kept(&planned.plan).await.into_iter().take(2);
        let last: BTreeSet<_> = young.map(|one| one.id).collect();
        town.fault(
            CallKind::CreateBackup,
            Failure::Refuse(RefusalReason::NoCapacity),
            100,
        );
        for _ in 0..5 {
            town.pass(DAY_MS).await;
        }
        assert_eq!(town.in_cloud().await.len(), 2);
        let kept = town.kept(&planned.plan).await.into_iter();
        assert_eq!(kept.map(|one| one.id).collect::<BTreeSet<_>>(), last);
    }
}

#[tokio::test]
async fn a_plan_that_fails_goes_on_tells_its_owners_once_and_stops_telling_when_it_works() {
    for town in Town::all().await {
        let Planned { plan, .. } = town.backed_up("daily", "7").await;
        town.cloud.inject(Fault {
            on: On::Call(CallKind::CreateBackup),
            what: Failure::Refuse(RefusalReason::QuotaExceeded),
            skip: 0,
            times: None,
        });
        for n in 1..=TOLD_AT + 2 {
            town.pass(DAY_MS).await;
            let runs = town.runs(&plan).await;
            assert_eq!((runs.failures, runs.running), (n, false));
            assert_eq!(runs.failure.unwrap().key, "backup.failure.quota");
            assert!(runs.failed_at.unwrap() > runs.done_at.unwrap());
            assert_eq!(town.told().await, usize::from(n >= TOLD_AT), "after {n}");
        }
        // Nothing is left over of what was not made.
        assert_eq!(town.in_cloud().await.len(), 2);
        assert_eq!(town.kept(&plan).await.len(), 2);
        town.cloud.clear_faults();
        town.pass(DAY_MS).await;
        let runs = town.runs(&plan).await;
        assert_eq!(runs.failures, 0);
        assert!(runs.done_at.unwrap() > runs.failed_at.unwrap());
        assert_eq!(town.kept(&plan).await.len(), 4);
    }
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_backup_and_a_cloud_that_is_away_is_waited_for() {
    for town in Town::all().await {
        town.fault(CallKind::CreateBackup, Failure::LoseAnswer, 1);
        let planned = town.planned("daily", "7").await;
        for _ in 0..5 {
            town.pass(MINUTE_MS).await;
        }
        assert_eq!(town.in_cloud().await.len(), 2);
        assert_eq!(town.kept(&planned.plan).await.len(), 2);
        town.cloud.inject(Fault {
            on: On::Call(CallKind::CreateBackup),
            what: Failure::Unreachable,
            skip: 0,
            times: None,
        });
        town.pass(DAY_MS).await;
        for _ in 0..3 {
            town.pass(HOUR_MS).await;
        }
        let runs = town.runs(&planned.plan).await;
        assert!(runs.running && runs.failures == 0);
        town.cloud.clear_faults();
        town.pass(5 * MINUTE_MS).await;
        assert_eq!(town.in_cloud().await.len(), 4);
        assert_eq!(town.runs(&planned.plan).await.failures, 0);
        // Not for ever.
        town.cloud.inject(Fault {
            on: On::Call(CallKind::CreateBackup),
            what: Failure::Unreachable,
            skip: 0,
            times: None,
        });
        town.pass(DAY_MS).await;
        town.pass(RUN_MS + MINUTE_MS).await;
        let runs = town.runs(&planned.plan).await;
        assert_eq!((runs.running, runs.failures), (false, 1));
        assert_eq!(runs.failure.unwrap().key, "backup.failure.silent");
    }
}

#[tokio::test]
async fn a_plan_rests_while_its_host_lies_in_the_bin_and_goes_on_when_it_is_taken_back() {
    for town in Town::all().await {
        let planned = town.backed_up("daily", "2").await;
        let before = town.in_cloud().await;
        town.give_back(&[&planned.host, &planned.disk]).await;
        for _ in 0..4 {
            town.pass(DAY_MS).await;
        }
        assert_eq!(
            town.in_cloud().await,
            before,
            "nothing made, nothing deleted"
        );
        let runs = town.runs(&planned.plan).await;
        assert!(runs.rests && runs.next_at.is_none() && !runs.running);
        // Its disk comes with it.
        let taken = bin::take_back(&town.clerk(), &planned.host, "").await;
        taken.unwrap();
        town.settle().await;
        town.pass(MINUTE_MS).await;
        let after = town.in_cloud().await;
        assert_eq!(after.len(), 2);
        assert!(after.is_disjoint(&before), "made anew, the old ones over");
        assert!(!town.runs(&planned.plan).await.rests);
        // The plan itself in the bin rests too.
        town.give_back(&[&planned.plan]).await;
        let seen = town.see(&planned.plan).await;
        assert_eq!(seen.row.service, ServiceState::Recycled);
        assert!(seen.plan_runs.unwrap().rests);
        town.pass(2 * DAY_MS).await;
        assert_eq!(town.in_cloud().await, after);
    }
}

#[tokio::test]
async fn backups_are_erased_with_their_disks_and_their_plan_and_the_certificates_count_them() {
    for town in Town::all().await {
        let Planned { host, disk, plan } = town.backed_up("daily", "30").await;
        town.pass(DAY_MS).await;
        assert_eq!(town.in_cloud().await.len(), 4);
        // With a disk go its own, and the plan goes on with the rest.
        town.give_back(&[&disk]).await;
        for _ in 0..9 {
            town.pass(DAY_MS).await;
            town.settle().await;
        }
        let paper = certificate::of_resource(&town.clerk(), &disk)
            .await
            .unwrap();
        assert_eq!(paper.facts.backups, 2);
        let rest = town.kept(&plan).await;
        assert!(rest.iter().all(|one| one.of == host), "{rest:?}");
        assert!(rest.len() > 2);
        assert_eq!(town.in_cloud().await.len(), rest.len());
        // A lost answer in the middle of it changes nothing.
        town.fault(CallKind::DeleteBackup, Failure::LoseAnswer, 1);
        town.give_back(&[&host, &plan]).await;
        let rest = town.in_cloud().await.len();
        for _ in 0..9 {
            town.pass(DAY_MS).await;
            town.settle().await;
        }
        assert_eq!(town.in_cloud().await.len(), 0);
        let mut counted = 0;
        for id in [&host, &plan] {
            let paper = certificate::of_resource(&town.clerk(), id).await.unwrap();
            assert!(paper.intact);
            counted += paper.facts.backups;
        }
        assert_eq!(usize::try_from(counted).unwrap(), rest);
        let seen = town.see(&plan).await;
        assert!(seen.backups.is_empty() && seen.plan_runs.is_none());
    }
}

#[tokio::test]
async fn a_plan_that_is_changed_runs_by_its_new_schedule() {
    for town in Town::all().await {
        let Planned { plan, .. } = town.backed_up("daily", "7").await;
        let begun = town.runs(&plan).await.done_at.unwrap();
        let typed = [
            ("size_gb", "100"),
            ("schedule", "weekly"),
            ("keep_days", "7"),
        ];
        let form = ChangeForm {
            what: What::Plan,
            typed: typed.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            reason: "一周一次就够".into(),
        };
        change::create(&town.clerk(), &plan, &form, "form-of-a-plan")
            .await
            .unwrap();
        town.approve().await;
        town.settle().await;
        let next = town.runs(&plan).await.next_at.unwrap();
        assert_eq!(next, begun.plus_millis(7 * DAY_MS));
        town.pass(2 * DAY_MS).await;
        assert_eq!(town.in_cloud().await.len(), 2);
        town.pass(5 * DAY_MS).await;
        assert!(town.runs(&plan).await.done_at.unwrap() >= next);
    }
}

#[tokio::test]
async fn a_backup_that_is_gone_from_the_cloud_is_shown_no_more_and_is_no_difference() {
    for town in Town::all().await {
        let Planned { plan, .. } = town.backed_up("daily", "7").await;
        let backup = town.in_cloud().await.into_iter().next().unwrap();
        let by_hand = OperationId("by-hand".into());
        town.cloud
            .execute(&by_hand, Call::DeleteBackup { backup })
            .await;
        town.pass(DAY_MS).await;
        assert_eq!(town.kept(&plan).await.len(), 3);
        assert_eq!(town.in_cloud().await.len(), 3);
        assert!(town.see(&plan).await.cloud.is_none());
    }
}

#[tokio::test]
async fn a_backup_out_of_which_a_disk_is_asked_for_is_kept_beyond_its_days() {
    for town in Town::all().await {
        town.city.price("S-EVS", "70000000", "700000000").await;
        let Planned { plan, disk, .. } = town.backed_up("daily", "1").await;
        let old = town.kept(&disk).await[0].id.clone();
        let typed = [
            ("backup", old.to_string()),
            ("name", "copy".to_owned()),
            ("month", "70000".to_owned()),
        ];
        let form = ChangeForm {
            what: What::RestoreBackup,
            typed: typed.map(|(k, v)| (k.to_owned(), v)).into(),
            reason: "误删数据找回".into(),
        };
        let asked = change::create(&town.clerk(), &disk, &form, "form-of-a-copy")
            .await
            .unwrap();
        for _ in 0..3 {
            town.pass(DAY_MS).await;
        }
        let has = async |town: &Town| {
            let kept = town.kept(&disk).await;
            kept.iter()
                .any(|one| one.id == old && one.state == BackupState::Kept)
        };
        assert!(has(&town).await);
        let request = crate::service::request::detail::detail(&town.clerk(), &asked.request).await;
        let version = request.unwrap().version;
        crate::service::request::withdraw::withdraw(&town.clerk(), &asked.request, version)
            .await
            .unwrap();
        town.pass(DAY_MS).await;
        assert!(!has(&town).await);
        assert!(town.runs(&plan).await.failures == 0);
    }
}
