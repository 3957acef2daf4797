//! Rules of a disk out of a snapshot that is asked for because somebody must agree to it, and of one
//! out of a backup, on both engines, against the simulated cloud.

use lingbao_backends::provisioning::{
    Call, CallKind, Kind, OperationId, Provisioner, RefusalReason, simulator::What as Failure,
};
use lingbao_model::{
    change::{CopyId, What},
    id::{BackupId, RequestId, ResourceId, SnapshotId, UserId},
    money::Money,
    quota::Dimension,
    request::{Decision, Outcome, Status},
    resource::EventKind,
    time::MINUTE_MS,
    view::{
        request::{Act as RequestAct, ChangeForm, RequestDetail, Submitted},
        resource::{Act, ResourceDetail, ResourceFilter},
    },
};

use super::{
    acts,
    day_two_tests::{FORM, Town, key},
    restore,
};
use crate::{
    clock::Clock as _,
    error::ServiceError,
    service::{
        request::{change, detail, release, withdraw},
        resource,
    },
    storage::{backup, snapshot, sql::Sql},
};

fn order(copy: impl Into<CopyId>, name: &str, month: Money) -> ChangeForm {
    let copy = copy.into();
    let typed = [
        (copy.field(), copy.as_str().to_owned()),
        ("name", name.to_owned()),
        ("month", month.fen().to_string()),
    ];
    ChangeForm {
        what: copy.what(),
        typed: typed.map(|(key, text)| (key.to_owned(), text)).into(),
        reason: "恢复演练".into(),
    }
}

fn yuan(n: i64) -> Money {
    Money::from_fen(n * 100)
}

impl Town {
    /// Towns where a disk of 100 GB costs 700.00 a month, to which a leader must agree.
    async fn dear() -> Vec<Self> {
        let all = Self::all().await;
        for town in &all {
            town.city.price("S-EVS", "70000000", "700000000").await;
        }
        all
    }

    async fn ask(&self, order: &ChangeForm, sent: &str) -> Result<Submitted, ServiceError> {
        change::create(&self.clerk(), &self.disk, order, sent).await
    }

    async fn request(&self, id: &RequestId) -> RequestDetail {
        detail::detail(&self.clerk(), id).await.unwrap()
    }

    async fn named(&self, name: &str) -> ResourceDetail {
        let all = resource::list(&self.clerk(), &ResourceFilter::default()).await;
        let rows = all.unwrap().rows;
        let row = rows.iter().find(|row| row.name == name).expect("a disk");
        self.see(&row.id).await
    }

    /// Held and used of a dimension.
    async fn booked(&self, dimension: Dimension) -> (i64, i64) {
        let now = self.city.standing(&self.city.vdc, dimension).await;
        (now.held, now.used)
    }

    async fn assert_nothing_held(&self) {
        for dimension in Dimension::ALL {
            assert_eq!(self.booked(*dimension).await.0, 0, "{dimension}");
        }
        self.city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_disk_to_agree_to_is_held_from_the_submit_and_made_at_the_last_approval() {
    for town in Town::dear().await {
        let (cx, city) = (town.clerk(), &town.city);
        let snapshot = town.snapshot("before").await;
        let disk = town.see(&town.disk).await;
        let view = restore::preview(&cx, &town.disk, &snapshot).await.unwrap();
        assert_eq!((view.blocks.len(), view.route.len()), (0, 1));
        let month = view.quote.each;
        assert_eq!(month, yuan(700));
        let at_once = restore::restore(&cx, &town.disk, &snapshot, "copy", month, "").await;
        assert_eq!(key(at_once), "resource.restore_needs_consent");
        let (held, used) = town.booked(Dimension::SsdGb).await;
        let made = town
            .ask(&order(&snapshot, "copy", month), FORM)
            .await
            .unwrap();
        assert_eq!(made.status, Status::InApproval);
        assert_eq!(town.booked(Dimension::SsdGb).await, (held + 100, used));
        assert_eq!(town.there(Kind::Volume).await.len(), 1);

        // The card: all of the price, the quota, and what is made out of what.
        let card = city.card(&city.leader).await;
        let shown = card.change.unwrap();
        assert_eq!((card.month, shown.name), (month, disk.row.name.clone()));
        let change = shown.change;
        assert_eq!(
            (change.what, change.month_before, change.month_after),
            (What::Restore, Money::ZERO, month)
        );
        let keys: Vec<&str> = change.facts.iter().map(|fact| &*fact.key).collect();
        assert!(keys.starts_with(&["name", "snapshot"]) && keys.contains(&"size_gb"));
        let asked = card
            .changes
            .iter()
            .find(|c| c.dimension == Dimension::SsdGb);
        assert_eq!(asked.unwrap().asked, 100);

        town.approve().await;
        assert_eq!(
            town.request(&made.request).await.row.status,
            Status::Approved
        );
        let busy = town.see(&town.disk).await.busy.unwrap();
        assert_eq!(busy.key, "resource.busy.restore");
        town.settle().await;
        assert_eq!(town.booked(Dimension::SsdGb).await, (held, used + 100));
        town.assert_nothing_held().await;
        let seen = town.request(&made.request).await;
        assert_eq!(
            (seen.row.status, seen.row.outcome),
            (Status::Closed, Some(Outcome::Complete))
        );
        let last = &seen.history.last().unwrap().msg.key;
        assert_eq!(last, "request.history.changed.restore");
        let copy = town.named("copy").await;
        assert_eq!(
            (copy.row.month, copy.row.expires_at),
            (month, disk.row.expires_at)
        );
        assert_eq!(copy.made_from.unwrap().id, town.disk);
        assert_eq!(town.there(Kind::Volume).await.len(), 2);
        let told = town.notices().await;
        assert!(told.contains(&"resource.restored".to_owned()));
        assert_eq!(town.audited("request.change", "done").await, 1);
    }
}

#[tokio::test]
async fn where_nobody_is_asked_a_request_for_a_disk_begins_at_once() {
    for town in Town::all().await {
        let snapshot = town.snapshot("before").await;
        let view = restore::preview(&town.clerk(), &town.disk, &snapshot).await;
        let view = view.unwrap();
        assert_eq!(view.route, []);
        let asked = order(&snapshot, "copy", view.quote.each);
        let made = town.ask(&asked, FORM).await.unwrap();
        assert_eq!(made.status, Status::Approved);
        town.settle().await;
        assert_eq!(town.request(&made.request).await.row.status, Status::Closed);
        assert_eq!(town.named("copy").await.row.month, view.quote.each);
        town.assert_nothing_held().await;
    }
}

#[tokio::test]
async fn a_disk_that_is_not_agreed_to_is_not_made_and_its_hold_is_given_back() {
    for town in Town::dear().await {
        let snapshot = town.snapshot("before").await;
        let asked = order(&snapshot, "copy", yuan(700));
        for way in ["reject", "withdraw"] {
            let made = town.ask(&asked, &format!("form-to-{way}")).await.unwrap();
            assert_eq!(town.booked(Dimension::MonthlyFee).await.0, 70_000);
            if way == "reject" {
                town.city.decide(&town.city.leader, Decision::Reject).await;
            } else {
                let version = town.request(&made.request).await.version;
                withdraw::withdraw(&town.clerk(), &made.request, version)
                    .await
                    .unwrap();
            }
            assert!(town.request(&made.request).await.row.status.is_final());
            town.assert_nothing_held().await;
        }
        town.settle().await;
        assert_eq!(town.there(Kind::Volume).await.len(), 1);
    }
}

#[tokio::test]
async fn a_returned_restore_is_named_and_priced_anew_and_keeps_its_snapshot() {
    for town in Town::dear().await {
        let (cx, city) = (town.clerk(), &town.city);
        let snapshot = town.snapshot("before").await;
        city.app.clock.advance_ms(MINUTE_MS);
        let later = town.snapshot("later").await;
        assert_ne!(snapshot, later);
        let asked = order(&snapshot, "copy", yuan(700));
        let made = town.ask(&asked, FORM).await.unwrap();
        city.decide(&city.leader, Decision::Return).await;
        assert_eq!(town.booked(Dimension::MonthlyFee).await.0, 70_000);
        let seen = town.request(&made.request).await;
        assert_eq!(seen.may, [RequestAct::Withdraw, RequestAct::Supplement]);
        town.city.price("S-EVS", "700000000", "800000000").await;
        let id = &made.request;
        let view = change::form(&cx, &town.disk, What::Restore, Some(id)).await;
        let view = view.unwrap();
        assert_eq!(view.form.typed["name"], "copy");
        assert_eq!(view.form.typed["snapshot"], snapshot.to_string());
        assert_eq!(view.tried.errors, []);
        assert!(view.tried.verdict.passes());
        assert_eq!(view.tried.change.month_after, yuan(800));
        // The price of before is not the one that stands in the form.
        let stale = order(&snapshot, "other", yuan(700));
        let refused = change::resubmit(&cx, id, seen.version, &stale, "form-stale").await;
        assert_eq!(key(refused), "resource.price_changed");
        let fresh = order(&later, "other", yuan(800));
        change::resubmit(&cx, id, seen.version, &fresh, "form-again")
            .await
            .unwrap();
        assert_eq!(town.booked(Dimension::MonthlyFee).await.0, 80_000);
        town.approve().await;
        town.settle().await;
        let made = town.named("other").await;
        assert_eq!(made.row.month, yuan(800));
        let request = town.request(id).await;
        let facts = request.change.unwrap().change.facts;
        let of = facts.iter().find(|fact| fact.key == "snapshot").unwrap();
        assert!(format!("{:?}", of.after).contains("before"));
        town.assert_nothing_held().await;
    }
}

#[tokio::test]
async fn the_price_that_was_shown_and_agreed_to_holds() {
    for town in Town::dear().await {
        let snapshot = town.snapshot("before").await;
        let wrong = town.ask(&order(&snapshot, "copy", yuan(1)), FORM).await;
        assert_eq!(key(wrong), "resource.price_changed");
        let mut unseen = order(&snapshot, "copy", yuan(700));
        unseen.typed.remove("month");
        let unseen = town.ask(&unseen, FORM).await;
        assert_eq!(key(unseen), "resource.price_changed");
        town.assert_nothing_held().await;
        let asked = order(&snapshot, "copy", yuan(700));
        town.ask(&asked, FORM).await.unwrap();
        town.city.price("S-EVS", "700000000", "900000000").await;
        town.approve().await;
        town.settle().await;
        assert_eq!(town.named("copy").await.row.month, yuan(700));
        town.assert_nothing_held().await;
    }
}

#[tokio::test]
async fn what_the_cloud_refuses_ends_the_request_with_its_reason() {
    for town in Town::dear().await {
        let snapshot = town.snapshot("before").await;
        let refuse = Failure::Refuse(RefusalReason::QuotaExceeded);
        town.fault(CallKind::RestoreSnapshot, refuse, 1);
        let asked = order(&snapshot, "copy", yuan(700));
        let made = town.ask(&asked, FORM).await.unwrap();
        town.approve().await;
        town.settle().await;
        let seen = town.request(&made.request).await;
        assert_eq!(
            (seen.row.status, seen.row.outcome),
            (Status::Closed, Some(Outcome::Failed))
        );
        let last = &seen.history.last().unwrap().msg.key;
        assert_eq!(last, "request.history.not_restored");
        let told = town.notices().await;
        assert!(told.contains(&"notice.not_restored".to_owned()));
        town.assert_nothing_held().await;
        assert!(town.see(&town.disk).await.busy.is_none());
        // And it may be asked for again.
        town.ask(&asked, "form-of-another").await.unwrap();
        town.approve().await;
        town.settle().await;
        assert_eq!(town.named("copy").await.row.month, yuan(700));
        town.assert_nothing_held().await;
    }
}

#[tokio::test]
async fn a_form_sent_twice_is_one_request_and_what_is_mistyped_or_foreign_is_none() {
    for town in Town::dear().await {
        let city = &town.city;
        let snapshot = town.snapshot("before").await;
        let asked = order(&snapshot, "copy", yuan(700));
        let of = async |user: &UserId, disk: &ResourceId| {
            key(change::create(&city.cx(user), disk, &asked, "a-foreign-form").await)
        };
        for (user, said) in [
            (&city.leader, "403"),
            (&city.office, "403"),
            (&city.stranger, "404"),
            (&city.villager, "404"),
        ] {
            assert_eq!(of(user, &town.disk).await, said);
        }
        assert_eq!(of(&city.clerk, &city.app.id()).await, "404");
        let unknown: SnapshotId = city.app.id();
        let unknown = order(&unknown, "copy", yuan(700));
        assert_eq!(key(town.ask(&unknown, FORM).await), "404");
        let on_host = change::create(&town.clerk(), &town.host, &asked, FORM).await;
        assert_eq!(key(on_host), "what:change.not_for_this ");
        let nameless = order(&snapshot, " ", yuan(700));
        assert!(key(town.ask(&nameless, FORM).await).starts_with("name:"));
        let mut silent = asked.clone();
        silent.reason = String::new();
        assert_eq!(key(town.ask(&silent, FORM).await), "reason:error.required ");
        town.assert_nothing_held().await;

        let one = town.ask(&asked, FORM).await.unwrap();
        let two = town.ask(&asked, FORM).await.unwrap();
        assert_eq!(
            (one.number, one.again, two.again),
            (two.number, false, true)
        );
        assert_eq!(town.booked(Dimension::SsdGb).await.0, 100);
    }
}

#[tokio::test]
async fn a_disk_that_does_not_fit_is_not_asked_for() {
    for town in Town::dear().await {
        let snapshot = town.snapshot("before").await;
        let used = town.booked(Dimension::SsdGb).await.1;
        town.city.only(Dimension::SsdGb, used + 99).await;
        let asked = order(&snapshot, "copy", yuan(700));
        assert_eq!(key(town.ask(&asked, FORM).await), "quota");
        town.assert_nothing_held().await;
        town.city.only(Dimension::SsdGb, used + 100).await;
        town.ask(&asked, FORM).await.unwrap();
        town.approve().await;
        town.settle().await;
        assert_eq!(town.booked(Dimension::SsdGb).await, (0, used + 100));
    }
}

#[tokio::test]
async fn while_it_is_asked_for_its_snapshot_stays_and_its_disk_is_not_given_back() {
    for town in Town::dear().await {
        let (cx, city) = (town.clerk(), &town.city);
        let spare = town.snapshot("spare").await;
        city.app.clock.advance_ms(MINUTE_MS);
        let snapshot = town.snapshot("before").await;
        let asked = order(&snapshot, "copy", yuan(700));
        let made = town.ask(&asked, FORM).await.unwrap();
        let kept = acts::delete_snapshot(&cx, &town.disk, &snapshot, "").await;
        assert_eq!(key(kept), "resource.snapshot_asked_for");
        acts::delete_snapshot(&cx, &town.disk, &spare, "")
            .await
            .unwrap();
        town.settle().await;
        let ids = [town.disk.clone()];
        let release = release::create(&cx, &ids, "不再需要", true, "form-of-release").await;
        assert_eq!(key(release), "release.changing");
        let second = town.ask(&asked, "form-of-another").await;
        assert_eq!(key(second), "change.under_way");
        let view = restore::preview(&cx, &town.disk, &snapshot).await.unwrap();
        assert_eq!(view.blocks[0].key, "change.under_way");
        // Withdrawn, it is free.
        let version = town.request(&made.request).await.version;
        withdraw::withdraw(&cx, &made.request, version)
            .await
            .unwrap();
        acts::delete_snapshot(&cx, &town.disk, &snapshot, "")
            .await
            .unwrap();
        town.settle().await;
        let gone = town.ask(&asked, "form-too-late").await;
        assert_eq!(key(gone), "resource.snapshot_gone");
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn what_can_not_be_made_any_more_is_said_at_the_approval_and_on_the_returned_form() {
    for town in Town::dear().await {
        let (cx, city) = (town.clerk(), &town.city);
        let snapshot = town.snapshot("before").await;
        let asked = order(&snapshot, "copy", yuan(700));
        let made = town.ask(&asked, FORM).await.unwrap();
        let card = city.card(&city.leader).await;
        let open = async |sql: &'static str| {
            let mut tx = city.app.db.begin().await.unwrap();
            let sql = Sql::new(sql).bind(city.pool.as_str());
            sql.run(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
        };
        open("UPDATE pool SET open = FALSE WHERE id = ").await;
        let refused = city.decide_on(&city.leader, &card, Decision::Approve).await;
        assert_eq!(key(refused), "resource.pool_closed");
        open("UPDATE pool SET open = TRUE WHERE id = ").await;
        // Somebody deletes the snapshot in the cloud itself.
        let mut tx = city.app.db.begin().await.unwrap();
        let now = city.app.clock.now();
        snapshot::gone(&mut tx, &snapshot, now).await.unwrap();
        tx.commit().await.unwrap();
        let refused = city.decide_on(&city.leader, &card, Decision::Approve).await;
        assert_eq!(key(refused), "resource.snapshot_gone");
        assert_eq!(town.booked(Dimension::SsdGb).await.0, 100);
        city.decide_on(&city.leader, &card, Decision::Return)
            .await
            .unwrap();
        let id = &made.request;
        let view = change::form(&cx, &town.disk, What::Restore, Some(id)).await;
        let view = view.unwrap();
        assert_eq!(view.form.typed["name"], "copy");
        assert_eq!(view.tried.errors[0].msg.key, "resource.snapshot_gone");
        let version = town.request(id).await.version;
        let again = change::resubmit(&cx, id, version, &asked, "form-again").await;
        assert_eq!(key(again), "resource.snapshot_gone");
        assert_eq!(town.booked(Dimension::SsdGb).await.0, 100);
        withdraw::withdraw(&cx, id, version).await.unwrap();
        town.assert_nothing_held().await;
    }
}

#[tokio::test]
async fn a_disk_out_of_a_backup_is_told_held_made_and_stands_on_no_delivery_sheet() {
    for town in Town::all().await {
        let cx = town.clerk();
        let backup = town.backup().await;
        let disk = town.see(&town.disk).await;
        assert!(disk.may.contains(&Act::RestoreBackup));
        let before = town.booked(Dimension::SsdGb).await;
        let view = restore::preview(&cx, &town.disk, &backup).await.unwrap();
        assert_eq!((view.blocks.len(), view.size_gb), (0, 100));
        assert_eq!(view.backup.as_ref().map(|row| &row.id), Some(&backup));
        assert_eq!(view.snapshot, None);
        assert_eq!(view.quote.each, disk.row.month);
        let month = view.quote.each;
        let wrong = restore::restore(&cx, &town.disk, &backup, "copy", yuan(1), "").await;
        assert_eq!(key(wrong), "resource.price_changed");
        let made = restore::restore(&cx, &town.disk, &backup, "copy", month, FORM).await;
        let made = made.unwrap().unwrap();
        assert_eq!(
            town.booked(Dimension::SsdGb).await,
            (before.0 + 100, before.1)
        );
        let busy = town.see(&town.disk).await.busy.unwrap();
        assert_eq!(busy.key, "resource.busy.restore_backup");
        town.settle().await;
        assert_eq!(
            town.booked(Dimension::SsdGb).await,
            (before.0, before.1 + 100)
        );
        town.assert_nothing_held().await;
        let copy = town.see(&made.resource).await;
        assert_eq!((copy.row.name.as_str(), copy.row.month), ("copy", month));
        assert_eq!(copy.made_from.unwrap().id, town.disk);
        assert_eq!(town.there(Kind::Volume).await.len(), 2);
        assert_eq!(town.events(&town.disk, EventKind::BackupRestored).await, 1);
        let told = town.notices().await;
        assert!(told.contains(&"resource.backup_restored".to_owned()));
        assert_eq!(town.audited("backup.restore", "done").await, 1);
        let sheet = resource::delivery_sheet(&cx, &disk.request).await.unwrap();
        assert!(sheet.lines.iter().all(|l| l.row.id != made.resource));
    }
}

#[tokio::test]
async fn a_disk_out_of_a_backup_to_agree_to_is_asked_for_and_made_at_the_last_approval() {
    for town in Town::dear().await {
        let (cx, backup) = (town.clerk(), town.backup().await);
        let at_once = restore::restore(&cx, &town.disk, &backup, "copy", yuan(700), "").await;
        assert_eq!(key(at_once), "resource.restore_needs_consent");
        let asked = order(&backup, "copy", yuan(700));
        let made = town.ask(&asked, FORM).await.unwrap();
        assert_eq!(town.booked(Dimension::SsdGb).await.0, 100);
        let change = town.city.card(&town.city.leader).await.change.unwrap();
        let change = change.change;
        assert_eq!(change.what, What::RestoreBackup);
        assert!(change.facts.iter().any(|fact| fact.key == "backup"));
        // Returned, it keeps its backup.
        town.city.decide(&town.city.leader, Decision::Return).await;
        let id = &made.request;
        let view = change::form(&cx, &town.disk, What::RestoreBackup, Some(id)).await;
        let view = view.unwrap();
        assert_eq!(view.form.typed["backup"], backup.to_string());
        let version = town.request(id).await.version;
        let again = order(&backup, "other", yuan(700));
        change::resubmit(&cx, id, version, &again, "form-again")
            .await
            .unwrap();
        town.approve().await;
        town.settle().await;
        let seen = town.request(id).await;
        assert_eq!(seen.row.outcome, Some(Outcome::Complete));
        let last = &seen.history.last().unwrap().msg.key;
        assert_eq!(last, "request.history.changed.restore_backup");
        assert_eq!(town.named("other").await.row.month, yuan(700));
        town.assert_nothing_held().await;
    }
}

#[tokio::test]
async fn a_backup_that_the_cloud_has_lost_or_does_not_restore_makes_nothing_and_frees_its_hold() {
    for town in Town::dear().await {
        let backup = town.backup().await;
        let refuse = Failure::Refuse(RefusalReason::Broken);
        town.fault(CallKind::RestoreBackup, refuse, 1);
        let asked = order(&backup, "copy", yuan(700));
        for form in ["form-of-the-first", "form-of-the-second"] {
            let made = town.ask(&asked, form).await.unwrap();
            town.approve().await;
            town.settle().await;
            let seen = town.request(&made.request).await;
            assert_eq!(
                (seen.row.status, seen.row.outcome),
                (Status::Closed, Some(Outcome::Failed))
            );
            let told = town.notices().await;
            assert!(told.contains(&"notice.backup_not_restored".to_owned()));
            assert!(town.see(&town.disk).await.busy.is_none());
            assert_eq!(town.there(Kind::Volume).await.len(), 1);
            town.assert_nothing_held().await;
            // The second time somebody has deleted it in the cloud itself.
            if let Some(there) = town.there(Kind::Backup).await.pop() {
                let op = OperationId("by-hand".into());
                let call = Call::DeleteBackup {
                    backup: there.id().clone(),
                };
                town.cloud.execute(&op, call).await;
            }
        }
    }
}

#[tokio::test]
async fn only_a_kept_backup_of_the_disk_itself_is_restored() {
    for town in Town::dear().await {
        let (cx, city) = (town.clerk(), &town.city);
        let backup = town.backup().await;
        let month = yuan(700);
        let unknown: BackupId = city.app.id();
        for (of, id) in [(&town.disk, &unknown), (&town.host, &backup)] {
            assert_eq!(key(restore::preview(&cx, of, id).await), "404");
            let made = restore::restore(&cx, of, id, "copy", month, "").await;
            assert_eq!(key(made), "404");
        }
        for user in [&city.stranger, &city.villager] {
            let cx = city.cx(user);
            assert_eq!(key(restore::preview(&cx, &town.disk, &backup).await), "404");
            let made = restore::restore(&cx, &town.disk, &backup, "x", month, "").await;
            assert_eq!(key(made), "404");
        }
        let asked = order(&unknown, "copy", month);
        assert_eq!(key(town.ask(&asked, FORM).await), "404");
        let asked = order(&backup, "copy", month);
        let made = town.ask(&asked, FORM).await.unwrap();
        let card = city.card(&city.leader).await;
        let mut tx = city.app.db.begin().await.unwrap();
        backup::drop_it(&mut tx, &backup).await.unwrap();
        tx.commit().await.unwrap();
        let not_ready = restore::preview(&cx, &town.disk, &backup).await;
        assert_eq!(key(not_ready), "resource.backup_not_ready");
        let refused = city.decide_on(&city.leader, &card, Decision::Approve).await;
        assert_eq!(key(refused), "resource.backup_not_ready");
        let mut tx = city.app.db.begin().await.unwrap();
        let now = city.app.clock.now();
        backup::gone(&mut tx, &backup, now).await.unwrap();
        tx.commit().await.unwrap();
        let refused = city.decide_on(&city.leader, &card, Decision::Approve).await;
        assert_eq!(key(refused), "resource.backup_gone");
        city.decide(&city.leader, Decision::Reject).await;
        assert!(town.request(&made.request).await.row.status.is_final());
        let late = town.ask(&asked, "form-too-late").await;
        assert_eq!(key(late), "resource.backup_gone");
        town.assert_nothing_held().await;
    }
}
