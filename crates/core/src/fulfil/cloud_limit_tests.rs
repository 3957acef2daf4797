//! Rules of the limits that are written to the clouds, on both engines, against the simulated cloud.

use lingbao_backends::provisioning::{
    CallKind, ExternalId, Kind, Object, OperationId, Outcome, ProjectQuota, Provisioner as _,
    RefusalReason, ServerSpec, simulator::What as Failure,
};
use lingbao_model::{
    cloud_limit::CloudLimit,
    id::OperationRef,
    quota::Dimension,
    time::MINUTE_MS,
    view::{
        operation::{CloudLimitLine, LimitFilter, LimitState},
        page::Total,
    },
};

use super::{cloud_limit::CLAIM_MS, day_two_tests::Town};
use crate::{
    clock::Clock as _,
    storage::{cloud_limit, place, sql::Sql},
};

impl Town {
    async fn project(&self) -> ExternalId {
        let sql = Sql::new("SELECT external_id FROM backend_project WHERE vdc_id = ");
        let mut rx = self.city.app.db.read().await.unwrap();
        let row: Option<(String,)> = sql
            .bind(self.city.vdc.as_str())
            .optional(&mut rx)
            .await
            .unwrap();
        ExternalId(row.unwrap().0)
    }

    /// What the cloud allows the bureau's project.
    async fn allowed(&self) -> ProjectQuota {
        let project = self.project().await;
        match self.cloud.get(Kind::Project, &project).await.unwrap() {
            Some(Object::Project(project)) => project.quota,
            other => panic!("{other:?}"),
        }
    }

    async fn cores(&self) -> Option<u64> {
        self.allowed().await.vcpus
    }

    /// Somebody sets other limits in the cloud itself.
    async fn set_by_hand(&self, op: &str, quota: ProjectQuota) {
        let (op, project) = (OperationId(op.into()), self.project().await);
        let set = self.cloud.set_project_quota(&op, project, quota).await;
        assert!(matches!(set, Outcome::Done(_)), "{set:?}");
    }

    async fn minutes(&self, n: usize) {
        for _ in 0..n {
            self.city.app.clock.advance_ms(MINUTE_MS);
            self.run().await;
        }
    }

    /// The bureau has so many cores and no more, in one pool; the cloud knows it.
    async fn tight(&self, cores: i64) {
        let mut rx = self.city.app.db.read().await.unwrap();
        let pools = place::pools(&mut rx).await.unwrap();
        drop(rx);
        for pool in pools.iter().filter(|pool| pool.id != self.city.pool) {
            let all = -10_000_000;
            self.city.hand(&pool.id, Dimension::Vcpu, all).await;
        }
        self.city.only(Dimension::Vcpu, cores).await;
        self.minutes(20).await;
        assert_eq!(self.cores().await, u64::try_from(cores).ok());
    }

    /// So many hosts are ordered, and everybody agrees.
    async fn order(&self, hosts: i64) {
        let cart = self.city.cart(hosts).await;
        self.city.submit(&cart).await.unwrap();
        self.approve().await;
    }

    async fn servers(&self) -> usize {
        self.there(Kind::Server).await.len()
    }

    async fn line(&self) -> CloudLimitLine {
        let mut rx = self.city.app.db.read().await.unwrap();
        let all = LimitFilter::default();
        let mut lines = cloud_limit::list(&mut rx, &all).await.unwrap().rows;
        assert_eq!(lines.len(), 1);
        lines.remove(0)
    }
}

#[tokio::test]
async fn what_is_handed_on_is_written_within_the_minute_and_what_is_taken_back_after_a_while() {
    for town in Town::all().await {
        let city = &town.city;
        town.tight(12).await;
        city.only(Dimension::Vcpu, 16).await;
        assert_eq!(town.cores().await, Some(12));
        town.minutes(1).await;
        assert_eq!(town.cores().await, Some(16));
        city.only(Dimension::Vcpu, 10).await;
        town.minutes(5).await;
        assert_eq!(town.cores().await, Some(16), "what was deleted may count");
        town.minutes(15).await;
        assert_eq!(town.cores().await, Some(10));
        // Two hosts of four cores stand.
        city.only(Dimension::Vcpu, 4).await;
        town.minutes(20).await;
        assert_eq!(town.cores().await, Some(8), "never below what is in use");
        let line = town.line().await;
        assert_eq!(line.written.vcpus, Some(8));
        assert_eq!((line.said, line.differs_since), (Some(line.written), None));
    }
}

#[tokio::test]
async fn a_host_in_the_recycle_bin_takes_no_room_from_what_may_be_ordered() {
    for town in Town::all().await {
        town.tight(12).await;
        town.give_back(&[&town.host, &town.disk]).await;
        // Four cores are used of twelve; the cloud counts eight.
        town.order(2).await;
        town.settle().await;
        assert_eq!(town.servers().await, 4);
        assert_eq!(town.cores().await, Some(16));
        town.city.assert_ledger().await;
    }
}

#[tokio::test]
async fn an_order_right_after_a_raised_limit_is_built() {
    for town in Town::all().await {
        town.tight(8).await;
        town.city.only(Dimension::Vcpu, 16).await;
        town.order(2).await;
        town.run().await;
        town.settle().await;
        assert_eq!(town.servers().await, 4);
        assert_eq!(town.cores().await, Some(16));
    }
}

#[tokio::test]
async fn a_snapshot_has_room_beside_the_disks_that_were_ordered() {
    for town in Town::all().await {
        let before = town.allowed().await.disk_gb.unwrap();
        town.snapshot("before").await;
        assert_eq!(town.allowed().await.disk_gb, Some(before + 100));
    }
}

#[tokio::test]
async fn what_is_set_in_the_cloud_itself_is_told_and_written_over() {
    for town in Town::all().await {
        town.tight(12).await;
        let ours = town.allowed().await;
        let theirs = ProjectQuota {
            vcpus: Some(9),
            ..ours
        };
        town.set_by_hand("hand", theirs).await;
        let mut told = 0;
        for _ in 0..24 {
            town.minutes(1).await;
            let line = town.line().await;
            if line.differs_since.is_some() {
                assert_eq!(line.said.unwrap().vcpus, Some(9));
                assert_eq!(line.written.vcpus, Some(12));
                told += 1;
            }
        }
        assert!(told > 0);
        assert_eq!(town.allowed().await, ours);
        assert_eq!(town.line().await.differs_since, None);
    }
}

#[tokio::test]
async fn a_cloud_that_refuses_the_limits_is_told_of_and_stops_no_order() {
    for town in Town::all().await {
        town.tight(12).await;
        let refuse = Failure::Refuse(RefusalReason::Denied);
        town.fault(CallKind::SetProjectQuota, refuse, 1_000);
        town.city.only(Dimension::Vcpu, 16).await;
        town.minutes(1).await;
        let line = town.line().await;
        assert_eq!(line.written.vcpus, Some(16));
        assert_eq!(line.said.unwrap().vcpus, Some(12));
        assert!(line.differs_since.is_some() && line.error.is_some());
        town.order(1).await;
        town.settle().await;
        assert_eq!(town.servers().await, 3);

        town.cloud.clear_faults();
        town.minutes(12).await;
        assert_eq!(town.cores().await, Some(16));
        let line = town.line().await;
        assert!(line.differs_since.is_none() && line.error.is_none());
    }
}

#[tokio::test]
async fn while_the_cloud_takes_no_limits_an_order_waits_and_is_built_once() {
    for town in Town::all().await {
        town.tight(8).await;
        town.fault(CallKind::SetProjectQuota, Failure::Unreachable, 1_000);
        town.city.only(Dimension::Vcpu, 16).await;
        town.order(2).await;
        town.minutes(2).await;
        assert_eq!((town.servers().await, town.cores().await), (2, Some(8)));
        assert!(town.line().await.error.is_some());

        town.cloud.clear_faults();
        town.settle().await;
        assert_eq!((town.servers().await, town.cores().await), (4, Some(16)));
        assert_eq!(town.line().await.error, None);
        town.city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again() {
    for town in Town::all().await {
        town.tight(8).await;
        town.fault(CallKind::SetProjectQuota, Failure::LoseAnswer, 1);
        town.city.only(Dimension::Vcpu, 16).await;
        town.order(2).await;
        town.settle().await;
        assert_eq!((town.servers().await, town.cores().await), (4, Some(16)));
        assert_eq!(town.line().await.said.unwrap().vcpus, Some(16));
    }
}

#[tokio::test]
async fn whoever_dies_while_writing_is_waited_for_and_nobody_relies_on_it() {
    for town in Town::all().await {
        let app = &town.city.app;
        town.tight(8).await;
        town.city.only(Dimension::Vcpu, 16).await;
        // Killed between its commit and the cloud's answer.
        let (project, now) = (town.project().await, app.clock.now());
        let at = ("simulator", project.as_str());
        let asked = CloudLimit {
            vcpus: Some(100),
            memory_gb: Some(100_000_000),
            disk_gb: Some(100_000_000),
            addresses: Some(100_000_000),
        };
        let operation: OperationRef = app.id();
        let mut tx = app.db.begin().await.unwrap();
        cloud_limit::lock(&mut tx, at.0, at.1).await.unwrap();
        let until = now.plus_millis(CLAIM_MS);
        cloud_limit::claim(&mut tx, at, &operation, asked, (now, until))
            .await
            .unwrap();
        tx.commit().await.unwrap();

        town.order(2).await;
        town.run().await;
        assert_eq!((town.servers().await, town.cores().await), (2, Some(8)));
        town.settle().await;
        assert_eq!(town.servers().await, 4);
        assert_eq!(town.cores().await, Some(100));
        // What the dead one says late is heard no more.
        let late = cloud_limit::Wrote {
            asked,
            said: None,
            settled: false,
            error: Some("late".into()),
        };
        let mut tx = app.db.begin().await.unwrap();
        let heard = cloud_limit::settle(&mut tx, at, &operation, &late, now).await;
        assert!(!heard.unwrap());
        tx.commit().await.unwrap();
        // More than the portal wants is lowered in time.
        town.minutes(20).await;
        assert_eq!(town.cores().await, Some(16));
    }
}

#[tokio::test]
async fn what_the_portal_does_not_limit_keeps_the_limit_that_the_cloud_has() {
    for town in Town::all().await {
        let ours = town.allowed().await;
        let own = ProjectQuota {
            vcpus: Some(3),
            addresses: Some(5),
            ..ours
        };
        town.set_by_hand("adopted", own).await;
        let mut tx = town.city.app.db.begin().await.unwrap();
        Sql::new("DELETE FROM quota_balance WHERE dimension = 'addresses'")
            .run(&mut tx)
            .await
            .unwrap();
        // As if it had just become the bureau's.
        Sql::new("DELETE FROM cloud_limit")
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        town.minutes(1).await;
        let kept = town.allowed().await;
        assert_eq!((kept.vcpus, kept.addresses), (ours.vcpus, Some(5)));
        assert_eq!(town.line().await.written.addresses, None);
    }
}

#[tokio::test]
async fn what_is_foreign_in_the_project_takes_no_room_from_what_may_be_ordered() {
    for town in Town::all().await {
        town.tight(8).await;
        let before = town.allowed().await.disk_gb.unwrap();
        let Some(Object::Server(model)) = town.there(Kind::Server).await.into_iter().next() else {
            panic!("no server");
        };
        // Somebody makes room by hand, and a host.
        let wide = ProjectQuota::default();
        town.set_by_hand("wide", wide).await;
        let spec = ServerSpec {
            name: "by-hand".into(),
            vcpus: 2,
            memory_gb: 4,
            system_disk_gb: 60,
            metadata: std::collections::BTreeMap::new(),
            ..model.spec.clone()
        };
        let op = OperationId("by-hand".into());
        let made = town.cloud.create_server(&op, spec).await;
        assert!(
            matches!(made, Outcome::Done(_) | Outcome::Running { .. }),
            "{made:?}"
        );
        town.minutes(30).await;
        assert_eq!(town.cores().await, Some(10));
        assert_eq!(town.allowed().await.disk_gb, Some(before + 60));
    }
}

#[tokio::test]
async fn limits_that_wait_are_listed_apart_from_those_that_are_kept_page_by_page() {
    for town in Town::all().await {
        town.tight(12).await;
        let mut tx = town.city.app.db.begin().await.unwrap();
        for cloud in ["north", "east", "west"] {
            Sql::new("INSERT INTO backend_project (vdc_id, backend, external_id) VALUES (")
                .bind(town.city.vdc.as_str())
                .push(", ")
                .bind(cloud)
                .push(", 'p')")
                .run(&mut tx)
                .await
                .unwrap();
            Sql::new("INSERT INTO cloud_limit (backend, project) VALUES (")
                .bind(cloud)
                .push(", 'p')")
                .run(&mut tx)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let mut rx = town.city.app.db.read().await.unwrap();
        let mut filter = LimitFilter {
            state: Some(LimitState::Waiting),
            cursor: None,
            limit: Some(2),
        };
        let mut seen = Vec::new();
        loop {
            let page = cloud_limit::list(&mut rx, &filter).await.unwrap();
            assert_eq!(page.total, Total::Exact(3));
            assert!(page.rows.len() <= 2);
            seen.extend(page.rows.into_iter().map(|line| line.backend));
            filter.cursor = page.next;
            if filter.cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["east", "north", "west"]);
        filter.state = Some(LimitState::Kept);
        let kept = cloud_limit::list(&mut rx, &filter).await.unwrap();
        assert_eq!((kept.rows.len(), kept.total), (1, Total::Exact(1)));
        filter.state = None;
        let all = cloud_limit::list(&mut rx, &filter).await.unwrap();
        assert_eq!(all.total, Total::Exact(4));
    }
}
