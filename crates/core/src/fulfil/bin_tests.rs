//! Rules of the recycle bin, on both engines, against the simulated cloud: what goes there, comes back,
//! and is erased with a certificate.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{
        Call, CallKind, ExternalId, Kind, Object, OperationId, Power, Provisioner, RefusalReason,
        simulator::{Fault, Latency, On, What as Failure},
    },
};
use lingbao_model::{
    catalogue::Fulfiller,
    change::What,
    id::{RequestId, ResourceId, UserId},
    people::{Reach, Role},
    quota::Dimension,
    request::{Outcome, Status},
    resource::{BillingState, EventKind, ServiceState},
    time::{DAY_MS, MINUTE_MS},
    view::{
        bin::ErasureMethod,
        difference::{Act as DifferenceAct, DifferenceFilter, DifferenceKind, DifferenceRow},
        request::{Act as RequestAct, ChangeForm, LineForm},
        resource::{Act, ResourceFilter, Sort},
    },
};

use super::{
    acts, bin, certificate,
    day_two_tests::{Town, key},
    power, recycle,
    release::{self as releases, Release},
};
use crate::{
    app::Cx,
    authz::Scope,
    saga::harness::{self, Bench},
    service::{
        cart, difference,
        request::{
            self,
            fixture::{add, give},
            release,
        },
        resource,
    },
    storage::{erasure, fulfilment, resource as rows, sql::Sql},
    testing::TestApp,
};

/// Cores of one host of the city.
const CORES: i64 = 4;

impl Town {
    /// Asks for the release of things; everybody agrees, and it is done.
    pub(super) async fn give_back(&self, ids: &[&ResourceId]) -> RequestId {
        let ids: Vec<ResourceId> = ids.iter().map(|id| (*id).clone()).collect();
        let form = format!("form-{:x}", self.city.app.random.bits());
        let form: String = form.chars().take(40).collect();
        let made = release::create(&self.clerk(), &ids, "系统下线", false, &form)
            .await
            .unwrap();
        self.approve().await;
        self.settle().await;
        made.request
    }

    async fn used(&self, dimension: Dimension) -> i64 {
        let standing = self.city.standing(&self.city.vdc, dimension).await;
        assert_eq!(standing.held, 0, "{dimension}");
        standing.used
    }

    async fn row(&self, id: &ResourceId) -> rows::Resource {
        let mut rx = self.city.app.db.read().await.unwrap();
        let scope = Scope::system(&self.city.app.system()).unwrap();
        rows::get(&mut rx, &scope, id).await.unwrap().unwrap()
    }

    async fn states(&self, ids: &[&ResourceId]) -> Vec<ServiceState> {
        let mut all = Vec::new();
        for id in ids {
            all.push(self.row(id).await.service);
        }
        all
    }

    async fn power(&self, id: &ResourceId) -> Option<Power> {
        let there = ExternalId(self.row(id).await.external_id.unwrap());
        match self.cloud.get(Kind::Server, &there).await.unwrap() {
            Some(Object::Server(server)) => Some(server.power),
            _ => None,
        }
    }

    /// On what a disk hangs in the cloud.
    async fn hangs_on(&self, disk: &ResourceId) -> Option<String> {
        let there = ExternalId(self.row(disk).await.external_id.unwrap());
        match self.cloud.get(Kind::Volume, &there).await.unwrap() {
            Some(Object::Volume(volume)) => volume.attached_to.map(|id| id.0),
            other => panic!("{other:?}"),
        }
    }

    async fn days_pass(&self, days: i64) {
        self.city.app.clock.advance_ms(days * DAY_MS + MINUTE_MS);
        self.run().await;
        self.settle().await;
    }

    async fn operator(&self) -> Cx {
        let city = &self.city;
        let operator: UserId = add(&city.app, "operator", &city.bureau).await;
        give(
            &city.app,
            &operator,
            Role::Operator,
            &city.bureau,
            Reach::Site,
        )
        .await;
        city.cx(&operator)
    }

    async fn differences(&self, operator: &Cx) -> Vec<DifferenceRow> {
        self.city.app.clock.advance_ms(6 * MINUTE_MS);
        self.run().await;
        let filter = DifferenceFilter::default();
        let view = difference::list(operator, &filter).await.unwrap();
        view.page.rows
    }

    /// Somebody acts in the cloud itself.
    async fn by_hand(&self, op: &str, call: Call) {
        self.cloud.execute(&OperationId(op.into()), call).await;
    }
}

#[tokio::test]
async fn what_is_given_back_is_switched_off_costs_nothing_and_keeps_its_data() {
    for town in Town::all().await {
        let (cx, city) = (town.clerk(), &town.city);
        town.snapshot("before").await;
        let (cores, ssd) = (
            town.used(Dimension::Vcpu).await,
            town.used(Dimension::SsdGb).await,
        );
        let fee = town.used(Dimension::MonthlyFee).await;
        let request = town.give_back(&[&town.host, &town.disk]).await;
        let both = [&town.host, &town.disk];
        assert_eq!(town.states(&both).await, [ServiceState::Recycled; 2]);
        for id in both {
            let seen = town.see(id).await;
            assert_eq!(seen.row.billing, BillingState::Stopped);
            assert_eq!(seen.row.days_left, Some(7));
            assert_eq!(seen.may, [Act::TakeBack]);
            assert_eq!(town.events(id, EventKind::Recycled).await, 1);
        }
        // The cloud: off, and everything where it was.
        assert_eq!(town.power(&town.host).await, Some(Power::Stopped));
        let host = town.row(&town.host).await;
        assert_eq!(town.hangs_on(&town.disk).await, host.external_id);
        assert_eq!(town.there(Kind::Snapshot).await.len(), 1);
        // The books: computing power and money are free, room for data is not.
        assert_eq!(town.used(Dimension::Vcpu).await, cores - CORES);
        assert_eq!(town.used(Dimension::SsdGb).await, ssd);
        assert!(town.used(Dimension::MonthlyFee).await < fee);
        city.assert_ledger().await;
        // The request is closed; it says until when.
        let seen = request::detail::detail(&cx, &request).await.unwrap();
        assert_eq!(seen.row.status, Status::Closed);
        assert_eq!(
            (seen.keep_days, seen.may.contains(&RequestAct::Confirm)),
            (Some(7), false)
        );
        assert!(seen.releases.iter().all(|one| one.erase_at.is_some()));
        let mut said = seen.history.iter().map(|entry| &entry.msg.key);
        assert!(said.any(|key| key == "request.history.recycled"));
        assert!(town.notices().await.contains(&"notice.recycled".to_owned()));
        // The list: there when asked for, what is erased first on top.
        let all = resource::list(&cx, &ResourceFilter::default())
            .await
            .unwrap();
        assert_eq!(all.rows.len(), 1);
        let asked = ResourceFilter {
            state: Some(ServiceState::Recycled),
            sort: Some(Sort::Erase),
            limit: Some(1),
            ..ResourceFilter::default()
        };
        let first = resource::list(&cx, &asked).await.unwrap();
        let next = ResourceFilter {
            cursor: first.next.clone(),
            ..asked
        };
        let second = resource::list(&cx, &next).await.unwrap();
        let mut names = [first.rows[0].id.clone(), second.rows[0].id.clone()];
        names.sort();
        let mut wanted = both.map(Clone::clone);
        wanted.sort();
        assert_eq!((names, second.next), (wanted, None));
    }
}

#[tokio::test]
async fn nothing_is_done_to_what_lies_in_the_bin_and_the_refusal_says_why() {
    for town in Town::all().await {
        let cx = town.clerk();
        let snapshot = town.snapshot("before").await;
        town.give_back(&[&town.host, &town.disk]).await;
        let not_now = "resource.not_possible_now";
        for said in [
            key(power::switch(&cx, &town.host, true).await),
            key(power::switch(&cx, &town.host, false).await),
            key(acts::restart(&cx, &town.host, "").await),
            key(acts::take_snapshot(&cx, &town.disk, "x", "", "").await),
            key(acts::delete_snapshot(&cx, &town.disk, &snapshot, "").await),
            key(acts::detach(&cx, &town.disk, "").await),
            key(acts::attach(&cx, &town.disk, &town.other, "").await),
            key(super::restore::preview(&cx, &town.disk, &snapshot).await),
            key(resource::show_secret(&cx, &town.host).await),
        ] {
            assert_eq!(said, not_now);
        }
        let again = release::create(
            &cx,
            std::slice::from_ref(&town.disk),
            "再退一次",
            false,
            "form-again",
        )
        .await;
        assert_eq!(key(again), "release.not_now");
        let form = ChangeForm {
            what: What::Renew,
            typed: [("months".to_owned(), "6".to_owned())].into(),
            reason: "继续使用".into(),
        };
        let renewed = request::change::create(&cx, &town.host, &form, "form-renewal").await;
        assert!(renewed.is_err(), "{renewed:?}");
        assert_eq!(
            town.states(&[&town.host, &town.disk]).await,
            [ServiceState::Recycled; 2]
        );
        assert_eq!(town.power(&town.host).await, Some(Power::Stopped));
    }
}

#[tokio::test]
async fn taken_back_it_is_booked_again_at_its_price_and_a_host_brings_its_disk() {
    for town in Town::all().await {
        let (cx, city) = (town.clerk(), &town.city);
        let before: Vec<i64> = {
            let mut all = Vec::new();
            for dimension in Dimension::ALL {
                all.push(town.used(*dimension).await);
            }
            all
        };
        let (host, disk) = (town.row(&town.host).await, town.row(&town.disk).await);
        town.give_back(&[&town.host, &town.disk]).await;
        // The disk comes back with its host, and not without it.
        let alone = bin::take_back(&town.clerk(), &town.disk, "").await;
        assert_eq!(key(alone), "bin.with_its_host");
        let view = bin::view(&town.clerk(), &town.host).await.unwrap();
        assert_eq!((view.with.len(), view.days_left), (1, 7));
        assert_eq!(view.month, host.month + disk.month);
        assert!(view.blocks.is_empty() && view.may_take_back && !view.may_erase);
        let cores = view.changes.iter().find(|c| c.dimension == Dimension::Vcpu);
        assert_eq!(cores.unwrap().asked, CORES);
        for _ in 0..2 {
            bin::take_back(&town.clerk(), &town.host, "form-to-take-back")
                .await
                .unwrap();
        }
        assert_eq!(
            town.states(&[&town.host, &town.disk]).await,
            [ServiceState::Stopped, ServiceState::Running]
        );
        for (dimension, was) in Dimension::ALL.iter().zip(before) {
            assert_eq!(town.used(*dimension).await, was, "{dimension}");
        }
        city.assert_ledger().await;
        let seen = town.see(&town.disk).await;
        assert_eq!(
            (seen.row.month, seen.row.expires_at),
            (disk.month, disk.expires_at)
        );
        assert_eq!(seen.attached_to.unwrap().id, town.host);
        assert_eq!((seen.row.erase_at, seen.row.days_left), (None, None));
        // Nobody had confirmed it: its trial run begins.
        assert_eq!(seen.row.billing, BillingState::Trial);
        assert_eq!(town.events(&town.host, EventKind::TakenBack).await, 1);
        assert_eq!(town.audited("resource.take_back", "done").await, 1);
        // It is a thing like any other: on, and given back again by another request.
        power::switch(&cx, &town.host, true).await.unwrap();
        town.settle().await;
        assert_eq!(town.power(&town.host).await, Some(Power::Active));
        town.give_back(&[&town.host, &town.disk]).await;
        assert_eq!(
            town.states(&[&town.host, &town.disk]).await,
            [ServiceState::Recycled; 2]
        );
        bin::take_back(&town.clerk(), &town.host, "").await.unwrap();
        city.assert_ledger().await;
        // Nothing of it is erased later.
        town.days_pass(9).await;
        assert_eq!(town.there(Kind::Server).await.len(), 2);
        assert_eq!(town.there(Kind::Volume).await.len(), 1);
    }
}

#[tokio::test]
async fn what_was_charged_is_charged_again_from_the_moment_it_is_taken_back() {
    for town in Town::all().await {
        // Confirmed by itself, and the trial run over.
        town.days_pass(7).await;
        town.days_pass(31).await;
        assert_eq!(town.row(&town.host).await.billing, BillingState::Billing);
        town.give_back(&[&town.host]).await;
        town.days_pass(3).await;
        assert_eq!(town.row(&town.host).await.billing, BillingState::Stopped);
        bin::take_back(&town.clerk(), &town.host, "").await.unwrap();
        let back = town.row(&town.host).await;
        assert_eq!(back.billing, BillingState::Billing);
        assert_eq!(back.billing_from, Some(town.city.app.app.system().now()));
        assert_eq!(town.events(&town.host, EventKind::BillingStarted).await, 2);
    }
}

#[tokio::test]
async fn over_quota_beyond_its_term_or_lost_it_is_not_taken_back_and_says_so() {
    for town in Town::all().await {
        let city = &town.city;
        town.give_back(&[&town.host, &town.disk]).await;
        let used = town.used(Dimension::Vcpu).await;
        city.only(Dimension::Vcpu, used + CORES - 1).await;
        let view = bin::view(&town.clerk(), &town.host).await.unwrap();
        assert_eq!(view.blocks.len(), 1);
        assert_eq!(view.blocks[0].key, "verdict.over_quota");
        assert_eq!(
            key(bin::take_back(&town.clerk(), &town.host, "").await),
            "quota"
        );
        assert_eq!(town.used(Dimension::Vcpu).await, used);
        city.assert_ledger().await;
        city.only(Dimension::Vcpu, used + CORES).await;
        // Gone in the cloud: there is nothing to be taken back.
        let there = ExternalId(town.row(&town.disk).await.external_id.unwrap());
        let detach = Call::DetachVolume {
            volume: there.clone(),
        };
        town.by_hand("hand-1", detach).await;
        town.by_hand("hand-2", Call::DeleteVolume { volume: there })
            .await;
        let operator = town.operator().await;
        assert_eq!(town.differences(&operator).await.len(), 1);
        assert_eq!(
            key(bin::take_back(&town.clerk(), &town.host, "").await),
            "bin.lost"
        );
        // Its term is over.
        let mut tx = city.app.db.begin().await.unwrap();
        Sql::new("UPDATE resource SET expires_at = ")
            .bind(city.app.system().now().millis())
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            key(bin::take_back(&town.clerk(), &town.host, "").await),
            "bin.term_over"
        );
        assert_eq!(town.row(&town.host).await.service, ServiceState::Recycled);
    }
}

#[tokio::test]
async fn only_who_orders_takes_back_only_a_leader_erases_early_and_a_stranger_finds_nothing() {
    for town in Town::all().await {
        let city = &town.city;
        give(
            &city.app,
            &city.deputy,
            Role::Applicant,
            &city.bureau,
            Reach::Own,
        )
        .await;
        let ids = [town.host.clone(), town.disk.clone()];
        let deputy = city.cx(&city.deputy);
        release::create(&deputy, &ids, "系统下线", false, "form-of-deputy")
            .await
            .unwrap();
        town.approve().await;
        town.settle().await;
        let name = town.row(&town.disk).await.name;
        for (user, back, erase) in [
            (&city.stranger, "404", "404"),
            (&city.villager, "404", "404"),
            (&city.finance, "404", "404"),
            (&city.leader, "403", ""),
            (&city.office, "403", "403"),
            (&city.security, "403", "403"),
            (&city.clerk, "", "403"),
        ] {
            let cx = city.cx(user);
            if !back.is_empty() {
                assert_eq!(key(bin::take_back(&cx, &town.host, "").await), back);
            }
            if !erase.is_empty() {
                assert_eq!(key(bin::erase(&cx, &town.disk, &name, "").await), erase);
            }
            let seen = bin::view(&cx, &town.disk).await;
            assert_eq!(seen.is_ok(), back != "404", "{user}");
            let paper = certificate::of_resource(&cx, &town.disk).await;
            assert_eq!(key(paper), "404", "nothing is erased yet");
        }
        // The leader who asked for the release is not the one who decides on this.
        let own = bin::erase(&deputy, &town.disk, &name, "").await;
        assert_eq!(key(own), "bin.own_release");
        let leader = city.cx(&city.leader);
        let wrong = bin::erase(&leader, &town.disk, "anything", "").await;
        assert_eq!(key(wrong), "confirm:bin.confirm_wrong ");
        assert!(bin::view(&leader, &town.disk).await.unwrap().may_erase);
        for _ in 0..2 {
            bin::erase(&leader, &town.disk, &name, "form-to-erase")
                .await
                .unwrap();
        }
        // Begun, it is not taken back any more, neither alone nor with its host.
        assert_eq!(
            key(bin::take_back(&town.clerk(), &town.host, "").await),
            "bin.being_erased"
        );
        town.settle().await;
        assert_eq!(
            town.states(&[&town.host, &town.disk]).await,
            [ServiceState::Recycled, ServiceState::Released]
        );
        let paper = certificate::of_resource(&leader, &town.disk).await.unwrap();
        assert_eq!(paper.facts.ordered_by.as_deref(), Some("leader"));
        assert_eq!(paper.facts.asked_by.as_deref(), Some("deputy"));
        assert_eq!(paper.facts.approved_by, ["leader"]);
        assert_eq!(town.audited("resource.erase", "done").await, 1);
        assert!(town.audited("resource.erase", "refused").await >= 6);
        // The host is still there to be taken back, alone.
        bin::take_back(&town.clerk(), &town.host, "").await.unwrap();
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn when_its_days_are_over_it_is_erased_and_a_certificate_says_how() {
    for town in Town::all().await {
        let (cx, city) = (town.clerk(), &town.city);
        town.snapshot("before").await;
        let names: Vec<Option<String>> = vec![
            town.row(&town.host).await.external_id,
            town.row(&town.disk).await.external_id,
        ];
        let request = town.give_back(&[&town.host, &town.disk]).await;
        town.days_pass(6).await;
        assert_eq!(town.there(Kind::Server).await.len(), 2);
        assert_eq!(town.see(&town.host).await.row.days_left, Some(1));
        // The cloud loses answers, and is away for a moment while it is read back.
        for kind in [
            CallKind::DeleteSnapshot,
            CallKind::DeleteVolume,
            CallKind::DeleteServer,
        ] {
            town.fault(kind, Failure::LoseAnswer, 1);
        }
        town.fault(
            CallKind::DeleteVolume,
            Failure::Refuse(RefusalReason::Conflict),
            1,
        );
        town.cloud.inject(Fault {
            on: On::Reading,
            what: Failure::Unreachable,
            skip: 0,
            times: Some(2),
        });
        town.days_pass(1).await;
        assert_eq!(
            town.states(&[&town.host, &town.disk]).await,
            [ServiceState::Released; 2]
        );
        assert_eq!(town.there(Kind::Server).await.len(), 1);
        assert_eq!(town.there(Kind::Volume).await.len(), 0);
        assert_eq!(town.there(Kind::Snapshot).await.len(), 0);
        // What stayed booked is free, once.
        assert_eq!(town.used(Dimension::SsdGb).await, 40);
        assert_eq!(town.used(Dimension::Vcpu).await, CORES);
        city.assert_ledger().await;
        for (id, (name, snapshots)) in [&town.host, &town.disk]
            .into_iter()
            .zip(names.into_iter().zip([0, 1]))
        {
            let paper = certificate::of_resource(&cx, id).await.unwrap();
            let facts = &paper.facts;
            assert!(paper.intact, "{facts:?}");
            assert_eq!(
                (facts.method, &facts.external_id),
                (ErasureMethod::Deleted, &name)
            );
            assert_eq!(facts.backend.as_deref(), Some("simulator"));
            assert!(facts.absent_at.is_some_and(|at| at <= facts.erased_at));
            assert!(facts.recycled_at.is_some_and(|at| at < facts.erased_at));
            assert_eq!(facts.snapshots, snapshots);
            assert_eq!(facts.asked_by.as_deref(), Some("clerk"));
            assert_eq!(
                (&*facts.unit_name, facts.ordered_by.as_deref()),
                ("统计局", None)
            );
            assert!(facts.number.starts_with("TT-X2026"), "{}", facts.number);
            assert_eq!(town.see(id).await.certificate.as_ref(), Some(&facts.number));
            // Its digest stands in the audit trail.
            let audited = Sql::new("SELECT count(*) FROM audit_event WHERE action = 'resource.erased' AND subject_id = ")
                .bind(id.as_str())
                .push(" AND detail LIKE ")
                .bind(format!("%{}%", paper.digest));
            assert_eq!(city.count(audited).await, 1);
        }
        let page = async |after: Option<&str>, limit| {
            certificate::of_request(&cx, request.as_str(), after, limit)
                .await
                .unwrap()
        };
        let (all, next) = page(None, 50).await;
        assert_eq!(next, None);
        let (first, next) = page(None, 1).await;
        assert_eq!(first, all[..1]);
        assert_eq!(page(next.as_deref(), 1).await, (all[1..].to_vec(), None));
        let numbers: Vec<&str> = all
            .iter()
            .map(|one| one.facts.number.rsplit('-').next().unwrap())
            .collect();
        assert_eq!(numbers, ["0001", "0002"]);
        assert!(town.notices().await.contains(&"notice.erased".to_owned()));
        let seen = request::detail::detail(&cx, &request).await.unwrap();
        assert!(seen.releases.iter().all(|one| one.certificate.is_some()));
        // Changed by hand it does not fit its digest any more.
        let mut tx = city.app.db.begin().await.unwrap();
        Sql::new("UPDATE erasure SET facts = replace(facts, 'simulator', 'another')")
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert!(
            !certificate::of_resource(&cx, &town.disk)
                .await
                .unwrap()
                .intact
        );
    }
}

#[tokio::test]
async fn asked_to_be_erased_at_once_or_without_a_bin_it_is_gone_with_the_approval() {
    for mut town in Town::all().await {
        let ids = [town.disk.clone()];
        release::create(&town.clerk(), &ids, "系统下线", true, "form-at-once")
            .await
            .unwrap();
        let card = town.city.card(&town.city.leader).await;
        assert!(
            card.flags
                .iter()
                .any(|f| f.key == "card.flag.erased_at_once")
        );
        town.approve().await;
        town.settle().await;
        assert_eq!(town.row(&town.disk).await.service, ServiceState::Released);
        let paper = certificate::of_resource(&town.clerk(), &town.disk)
            .await
            .unwrap();
        assert_eq!(
            (paper.facts.recycled_at, paper.facts.method),
            (None, ErasureMethod::Deleted)
        );
        town.city.app = town.city.app.clone().with_keep_days(0);
        let request = town.give_back(&[&town.host]).await;
        assert_eq!(town.row(&town.host).await.service, ServiceState::Released);
        let seen = request::detail::detail(&town.clerk(), &request)
            .await
            .unwrap();
        assert_eq!((seen.row.status, seen.keep_days), (Status::Closed, Some(0)));
        town.city.assert_ledger().await;
    }
}

#[tokio::test]
async fn what_was_agreed_to_holds_whatever_the_configuration_says_later() {
    for mut town in Town::all().await {
        let ids = [town.host.clone()];
        release::create(&town.clerk(), &ids, "系统下线", false, "form-of-seven")
            .await
            .unwrap();
        let card = town.city.card(&town.city.leader).await;
        assert!(card.flags.iter().any(|f| f.key == "card.flag.recycled"));
        town.city.app = town.city.app.clone().with_keep_days(0);
        town.approve().await;
        town.settle().await;
        assert_eq!(town.see(&town.host).await.row.days_left, Some(7));
    }
}

#[tokio::test]
async fn where_only_one_of_the_two_goes_they_are_taken_off_each_other() {
    for town in Town::all().await {
        let cx = town.clerk();
        // The disk goes, its host runs on without it.
        town.give_back(&[&town.disk]).await;
        assert_eq!(town.power(&town.host).await, Some(Power::Active));
        assert_eq!(town.hangs_on(&town.disk).await, None);
        assert_eq!(town.row(&town.disk).await.attached_to, None);
        assert_eq!(town.events(&town.host, EventKind::Detached).await, 1);
        bin::take_back(&town.clerk(), &town.disk, "").await.unwrap();
        acts::attach(&cx, &town.disk, &town.host, "").await.unwrap();
        town.settle().await;
        // The host goes, its disk stays in use.
        town.give_back(&[&town.host]).await;
        assert_eq!(town.hangs_on(&town.disk).await, None);
        assert_eq!(
            town.states(&[&town.host, &town.disk]).await,
            [ServiceState::Recycled, ServiceState::Running]
        );
        acts::attach(&cx, &town.disk, &town.other, "")
            .await
            .unwrap();
        town.settle().await;
        assert!(town.hangs_on(&town.disk).await.is_some());
        let operator = town.operator().await;
        assert_eq!(town.differences(&operator).await, []);
    }
}

#[tokio::test]
async fn an_address_goes_at_once_and_does_not_come_back() {
    for town in Town::all().await {
        let (cx, city) = (town.clerk(), &town.city);
        let view = city.cart(1).await;
        let on = view.lines[0].line.id.to_string();
        let typed = [
            ("attach_to", on.as_str()),
            ("carrier", "telecom"),
            ("bandwidth_mbps", "2"),
        ];
        let form = LineForm {
            item: "N-EIP".into(),
            cell: city.cell.clone(),
            typed: typed.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..LineForm::default()
        };
        cart::put_line(&cx, &view.id, view.version, None, &form)
            .await
            .unwrap();
        let view = cart::open(&cx, &view.id).await.unwrap();
        city.submit(&view).await.unwrap();
        town.approve().await;
        town.settle().await;
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
        let host = town.row(&address).await.attached_to.unwrap();
        town.give_back(&[&host, &address]).await;
        assert_eq!(
            town.states(&[&host, &address]).await,
            [ServiceState::Recycled, ServiceState::Released]
        );
        assert_eq!(town.there(Kind::Address).await.len(), 0);
        assert_eq!(town.used(Dimension::Addresses).await, 0);
        let paper = certificate::of_resource(&cx, &address).await.unwrap();
        assert_eq!(
            (paper.facts.kind, paper.facts.recycled_at),
            (Fulfiller::Address, None)
        );
        bin::take_back(&cx, &host, "").await.unwrap();
        assert_eq!(town.see(&host).await.attachments, []);
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_round_knows_what_lies_in_the_bin() {
    for town in Town::all().await {
        let operator = town.operator().await;
        town.give_back(&[&town.host, &town.disk]).await;
        assert_eq!(town.differences(&operator).await, []);
        // Switched on behind our back it differs, and is switched off again.
        let host = ExternalId(town.row(&town.host).await.external_id.unwrap());
        let on = Call::StartServer {
            server: host.clone(),
        };
        town.by_hand("hand-on", on).await;
        let all = town.differences(&operator).await;
        assert_eq!((all.len(), all[0].kind), (1, DifferenceKind::Changed));
        let may = difference::detail(&operator, &all[0].id).await.unwrap().may;
        assert_eq!(may, [DifferenceAct::Restore, DifferenceAct::Note]);
        let followed =
            difference::follow(&operator, &all[0].id, &all[0].digest, DifferenceAct::Follow).await;
        assert_eq!(key(followed), "difference.in_bin");
        difference::restore(&operator, &all[0].id, &all[0].digest)
            .await
            .unwrap();
        town.settle().await;
        assert_eq!(town.power(&town.host).await, Some(Power::Stopped));
        assert_eq!(town.row(&town.host).await.service, ServiceState::Recycled);
        assert_eq!(town.differences(&operator).await, []);
        // Deleted behind our back it can only be written off: a paper says that nobody confirms it.
        let gone = Call::DeleteServer { server: host };
        town.by_hand("hand-gone", gone).await;
        let all = town.differences(&operator).await;
        let lost = all
            .iter()
            .find(|row| row.kind == DifferenceKind::Missing)
            .unwrap();
        let may = difference::detail(&operator, &lost.id).await.unwrap().may;
        assert_eq!(may, [DifferenceAct::WriteOff]);
        assert_eq!(
            key(difference::restore(&operator, &lost.id, &lost.digest).await),
            "difference.in_bin"
        );
        difference::write_off(&operator, &lost.id, "在云平台上被删除")
            .await
            .unwrap();
        let paper = certificate::of_resource(&town.clerk(), &town.host)
            .await
            .unwrap();
        assert_eq!(
            (paper.facts.method, paper.facts.absent_at),
            (ErasureMethod::WrittenOff, None)
        );
        assert_eq!(paper.facts.ordered_by.as_deref(), Some("operator"));
        // Its disk still lies there, and its system disk's room is free, once.
        assert_eq!(town.used(Dimension::SsdGb).await, 40 + 100);
        town.city.assert_ledger().await;
        town.days_pass(8).await;
        assert_eq!(town.row(&town.disk).await.service, ServiceState::Released);
        assert_eq!(town.used(Dimension::SsdGb).await, 40);
        town.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taken_back_and_due_at_the_same_instant_one_of_the_two_has_it() {
    for town in Town::all().await {
        let request = town.give_back(&[&town.host, &town.disk]).await;
        town.city.app.clock.advance_ms(7 * DAY_MS + MINUTE_MS);
        let (clerk, system) = (town.clerk(), town.city.app.system());
        let (host, ids) = (town.host.clone(), [town.host.clone(), town.disk.clone()]);
        let back = tokio::spawn(async move { bin::take_back(&clerk, &host, "").await });
        let erased = tokio::spawn(async move {
            let mut tx = system.db().begin().await.unwrap();
            let now = system.now();
            let begun = releases::erase(&mut tx, &system, &request, &ids, None, now).await;
            tx.commit().await.unwrap();
            begun.unwrap()
        });
        let (back, erased) = (back.await.unwrap(), erased.await.unwrap());
        town.settle().await;
        let both = [&town.host, &town.disk];
        if back.is_ok() {
            assert_eq!(erased, 0);
            let states = [ServiceState::Stopped, ServiceState::Running];
            assert_eq!(town.states(&both).await, states);
            assert_eq!(town.there(Kind::Volume).await.len(), 1);
        } else {
            assert_eq!((key(back), erased), ("bin.being_erased".to_owned(), 2));
            assert_eq!(town.states(&both).await, [ServiceState::Released; 2]);
            assert_eq!(town.there(Kind::Volume).await.len(), 0);
        }
        town.city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_release_waits_for_what_is_being_done_and_a_disk_under_way_is_not_lost() {
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
        let ids = [town.host.clone(), town.disk.clone()];
        release::create(&cx, &ids, "系统下线", false, "form-of-the-release")
            .await
            .unwrap();
        town.approve().await;
        town.run().await;
        assert_eq!(town.power(&town.host).await, Some(Power::Active));
        town.settle().await;
        town.city.app.clock.advance_ms(MINUTE_MS);
        town.settle().await;
        assert_eq!(
            town.states(&[&town.host, &town.disk]).await,
            [ServiceState::Recycled; 2]
        );
        assert_eq!(town.there(Kind::Snapshot).await.len(), 1);
        let busy = Sql::new("SELECT count(*) FROM resource_action");
        assert_eq!(town.city.count(busy).await, 0);
    }
}

// ---- drills

/// An approved release whose job nobody runs: the drill plays its saga.
async fn approved(town: &Town, ids: &[ResourceId]) -> RequestId {
    let form = format!("form-{:x}", town.city.app.random.bits());
    let form: String = form.chars().take(40).collect();
    let made = release::create(&town.clerk(), ids, "演练", false, &form)
        .await
        .unwrap();
    town.approve().await;
    let mut tx = town.city.app.db.begin().await.unwrap();
    Sql::new("DELETE FROM job WHERE kind = 'release.request'")
        .run(&mut tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    made.request
}

/// A host goes into the bin and the disk on it stays: switched off, and taken off each other.
struct Recycling<'a> {
    town: &'a Town,
    begun: AtomicBool,
    cores: i64,
}

#[async_trait]
impl Bench for Recycling<'_> {
    type Saga = recycle::Recycle;

    async fn fresh(&self, app: &TestApp) -> (recycle::Recycle, recycle::Params) {
        let town = self.town;
        let cx = town.clerk();
        if town.row(&town.host).await.service == ServiceState::Recycled {
            bin::take_back(&town.clerk(), &town.host, "").await.unwrap();
            power::switch(&cx, &town.host, true).await.unwrap();
            town.settle().await;
            acts::attach(&cx, &town.disk, &town.host, "").await.unwrap();
            town.settle().await;
        }
        let own = town.row(&town.host).await.request;
        // The first time only the steps are counted.
        let first = !self.begun.swap(true, Ordering::SeqCst);
        let request = match first {
            true => own,
            false => approved(town, std::slice::from_ref(&town.host)).await,
        };
        let mut tx = app.db.begin().await.unwrap();
        let head = fulfilment::head(&mut tx, &request).await.unwrap().unwrap();
        let plan = recycle::plan(&mut tx, &app.system(), &head, 7)
            .await
            .unwrap();
        drop(tx);
        let mut params = plan.unwrap();
        if first {
            // Of another request: what it gives back is made up.
            let external_id = town.row(&town.host).await.external_id.unwrap();
            params.kept = vec![recycle::Kept {
                resource: town.host.clone(),
                kind: Fulfiller::Server,
                backend: "simulator".into(),
                loose: vec![recycle::Loose {
                    resource: town.disk.clone(),
                    kind: Fulfiller::Volume,
                    external_id: town.row(&town.disk).await.external_id.unwrap(),
                    host: town.host.clone(),
                    host_external_id: external_id.clone(),
                }],
                external_id,
                runs: true,
            }];
        }
        assert_eq!((params.kept.len(), params.kept[0].loose.len()), (1, 1));
        let backends = Backends::default().with(town.cloud.clone());
        (recycle::Recycle::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        let town = self.town;
        assert_eq!(
            town.row(&town.host).await.service,
            ServiceState::Recycled,
            "{when}"
        );
        assert_eq!(town.power(&town.host).await, Some(Power::Stopped), "{when}");
        assert_eq!(town.hangs_on(&town.disk).await, None, "{when}");
        assert_eq!(town.row(&town.disk).await.attached_to, None, "{when}");
        assert_eq!(
            town.used(Dimension::Vcpu).await,
            self.cores - CORES,
            "{when}"
        );
        town.city.assert_ledger().await;
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        let town = self.town;
        let host = town.row(&town.host).await;
        assert_eq!(host.service, ServiceState::Running, "{when}");
        assert_eq!(town.power(&town.host).await, Some(Power::Active), "{when}");
        assert_eq!(town.hangs_on(&town.disk).await, host.external_id, "{when}");
        assert_eq!(town.used(Dimension::Vcpu).await, self.cores, "{when}");
        town.city.assert_ledger().await;
        // The request says that it came to nothing, and another one may be asked for.
        let failed =
            Sql::new("SELECT count(*) FROM request WHERE kind = 'release' AND status = 'approved'");
        assert_eq!(town.city.count(failed).await, 0, "{when}");
    }
}

#[tokio::test]
async fn killed_after_any_commit_or_failed_at_any_step_a_host_lies_in_the_bin_or_runs_on() {
    for town in Town::all().await {
        let drill = Recycling {
            cores: town.used(Dimension::Vcpu).await,
            begun: AtomicBool::default(),
            town: &town,
        };
        harness::drill(&town.city.app, &drill).await;
    }
}

/// A host with its disk is erased out of the bin.
struct Erasing<'a> {
    town: &'a Town,
    last: std::sync::Mutex<Vec<ResourceId>>,
}

#[async_trait]
impl Bench for Erasing<'_> {
    type Saga = Release;

    async fn fresh(&self, app: &TestApp) -> (Release, releases::Params) {
        let town = self.town;
        let (city, cx) = (&town.city, town.clerk());
        let view = city.cart(1).await;
        let disk = city.disk(&view.lines[0].line.id);
        cart::put_line(&cx, &view.id, view.version, None, &disk)
            .await
            .unwrap();
        let view = cart::open(&cx, &view.id).await.unwrap();
        let order = city.submit(&view).await.unwrap().request;
        town.approve().await;
        town.settle().await;
        let mut rx = app.db.read().await.unwrap();
        let scope = Scope::system(&app.system()).unwrap();
        let made = rows::of_request(&mut rx, &scope, &order).await.unwrap();
        drop(rx);
        let ids: Vec<&ResourceId> = made.iter().map(|one| &one.id).collect();
        let request = town.give_back(&ids).await;
        let mut resources = Vec::new();
        for id in &ids {
            resources.push(releases::Part::of(town.row(id).await));
        }
        resources.sort_by_key(|part| part.kind == Fulfiller::Server);
        *self.last.lock().unwrap() = ids.into_iter().cloned().collect();
        let params = releases::Params {
            request,
            unit: city.bureau.clone(),
            applicant: city.clerk.clone(),
            resources,
            from_bin: true,
            by: None,
        };
        let backends = Backends::default().with(town.cloud.clone());
        (Release::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        let town = self.town;
        let last = self.last.lock().unwrap().clone();
        for id in &last {
            assert_eq!(town.row(id).await.service, ServiceState::Released, "{when}");
            let mut rx = town.city.app.db.read().await.unwrap();
            assert!(
                erasure::number(&mut rx, id).await.unwrap().is_some(),
                "{when}"
            );
        }
        assert_eq!(town.there(Kind::Server).await.len(), 2, "{when}");
        assert_eq!(town.there(Kind::Volume).await.len(), 1, "{when}");
        assert_eq!(town.used(Dimension::SsdGb).await, 80 + 100, "{when}");
        town.city.assert_ledger().await;
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        panic!("what is erased is not taken back: {when}");
    }
}

#[tokio::test]
async fn killed_after_any_commit_or_run_twice_what_is_due_is_erased_and_certified_once() {
    for town in Town::all().await {
        let bench = Erasing {
            town: &town,
            last: std::sync::Mutex::default(),
        };
        let app = &town.city.app;
        let twice = harness::Fault {
            twice: true,
            ..harness::Fault::default()
        };
        for fault in [harness::Fault::default(), twice] {
            let (_, state, _) = harness::play(app, &bench, fault).await;
            assert_eq!(state, "done");
            bench.assert_whole(app, &format!("{fault:?}")).await;
        }
        for after in 1.. {
            let fault = harness::Fault {
                die_after: Some(after),
                ..harness::Fault::default()
            };
            let (_, state, died) = harness::play(app, &bench, fault).await;
            assert_eq!(state, "done", "{fault:?}");
            bench.assert_whole(app, &format!("{fault:?}")).await;
            if !died {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_release_that_an_operator_gives_up_leaves_everything_in_use() {
    for town in Town::all().await {
        town.fault(
            CallKind::StopServer,
            Failure::Refuse(RefusalReason::Denied),
            100,
        );
        let ids = [town.host.clone()];
        let made = release::create(&town.clerk(), &ids, "系统下线", false, "form-given-up")
            .await
            .unwrap();
        town.approve().await;
        town.settle().await;
        let stuck: Vec<(String,)> =
            Sql::new("SELECT id FROM saga WHERE kind = 'recycle' AND state = 'stuck'")
                .all(&mut town.city.app.db.read().await.unwrap())
                .await
                .unwrap();
        let saga = stuck[0].0.parse().unwrap();
        let mut tx = town.city.app.db.begin().await.unwrap();
        let reason = lingbao_model::msg::Msg::new("saga.discarded");
        crate::saga::unwind(&mut tx, &town.city.app.system(), &saga, &reason)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        town.settle().await;
        assert_eq!(town.row(&town.host).await.service, ServiceState::Running);
        assert_eq!(
            town.hangs_on(&town.disk).await,
            town.row(&town.host).await.external_id
        );
        let seen = request::detail::detail(&town.clerk(), &made.request)
            .await
            .unwrap();
        assert_eq!(
            (seen.row.status, seen.row.outcome),
            (Status::Closed, Some(Outcome::Failed))
        );
        assert!(
            town.notices()
                .await
                .contains(&"notice.not_released".to_owned())
        );
    }
}
