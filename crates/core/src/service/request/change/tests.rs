//! Changes of resources, each rule as a test on both engines. The hosts are real ones of the
//! simulator, so that money and quota can be counted from the order to the end of the change.

use std::sync::{Arc, Mutex};

use lingbao_backends::{
    Backends,
    provisioning::{
        ExternalId, Kind as Thing, Object, Power, Provisioner,
        simulator::{Latency, Simulator},
    },
};
use lingbao_model::{
    change::What,
    id::{RequestId, ResourceId, UserId},
    makes::{GENERAL, Hosts, Makes},
    money::Money,
    param::Answer,
    quota::Dimension,
    request::{Decision, Outcome, Status},
    resource::{EventKind, ServiceState},
    time::{DAY_MS, Timestamp},
    view::{
        request::{
            Act, CardView, ChangeForm, DecideAnswer, LineForm, OverQuota, RequestDetail, Submitted,
        },
        resource::{Act as ResourceAct, ResourceDetail, ResourceEventRow},
    },
};

use crate::{
    clock::Clock as _,
    error::ServiceError,
    fulfil::{self, power},
    jobs::{Registry, run_until_idle},
    saga::harness::{self, Bench},
    seed,
    service::{
        approval, cart,
        request::{change, detail, fixture::City, release, tests::key, withdraw},
        resource,
    },
    storage::{place, quota, request_change, sql::Sql},
    testing::TestApp,
};

/// A city with a cloud under it, and a host of the clerk: 4 cores, 8 GB, 348.00 a month.
struct Site {
    city: City,
    cloud: Arc<dyn Provisioner>,
    backends: Arc<Backends>,
    jobs: Arc<Registry>,
    host: ResourceId,
}

impl Site {
    async fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for city in City::all().await {
            let told = city.app.clock.clone();
            let mut config = seed::cloud(None, 7, Latency::default());
            for pool in &mut config.pools {
                pool.host_memory_gb = 64;
            }
            let cloud = Simulator::open("simulator", config, move || told.now()).unwrap();
            let backends = Arc::new(Backends::default().with(cloud));
            let cloud = backends.get("simulator").unwrap().clone();
            let jobs = Arc::new(crate::fulfil::wire(Registry::new(), &backends));
            let cart = city.cart(1).await;
            let made = city.submit(&cart).await.unwrap();
            run_until_idle(&city.app.app, &jobs).await.unwrap();
            let host = resource_of(&city, &made.request, "server").await;
            all.push(Self {
                city,
                cloud,
                backends,
                jobs,
                host,
            });
        }
        all
    }

    async fn work(&self) {
        run_until_idle(&self.city.app.app, &self.jobs)
            .await
            .unwrap();
    }

    async fn ask(&self, form: &ChangeForm, sent: &str) -> Result<Submitted, ServiceError> {
        let cx = self.city.cx(&self.city.clerk);
        change::create(&cx, &self.host, form, sent).await
    }

    async fn seen(&self) -> ResourceDetail {
        let cx = self.city.cx(&self.city.clerk);
        resource::detail(&cx, &self.host).await.unwrap()
    }

    async fn request(&self, id: &RequestId) -> RequestDetail {
        let cx = self.city.cx(&self.city.clerk);
        detail::detail(&cx, id).await.unwrap()
    }

    /// Held and used of a dimension.
    async fn booked(&self, dimension: Dimension) -> (i64, i64) {
        let now = self.city.standing(&self.city.vdc, dimension).await;
        (now.held, now.used)
    }

    /// Cores, memory and power of the host at the cloud.
    async fn machine(&self) -> (u32, u32, Power) {
        self.machine_of(&self.host).await
    }

    async fn machine_of(&self, host: &ResourceId) -> (u32, u32, Power) {
        let id = Sql::new("SELECT external_id FROM resource WHERE id = ").bind(host.as_str());
        let mut rx = self.city.app.db.read().await.unwrap();
        let (id,): (String,) = id.optional(&mut rx).await.unwrap().unwrap();
        match self.cloud.get(Thing::Server, &ExternalId(id)).await {
            Ok(Some(Object::Server(it))) => (it.spec.vcpus, it.spec.memory_gb, it.power),
            other => panic!("{other:?}"),
        }
    }

    /// Everybody who is asked agrees.
    async fn agree(&self) {
        let city = &self.city;
        for signer in [&city.leader, &city.office, &city.security, &city.finance] {
            let cx = city.cx(signer);
            if approval::next_todo(&cx, None).await.unwrap().is_some() {
                city.decide(signer, Decision::Approve).await;
            }
        }
    }

    /// Nothing is held, and the ledger adds up.
    async fn assert_settled(&self) {
        for dimension in Dimension::ALL {
            assert_eq!(self.booked(*dimension).await.0, 0, "{dimension}");
        }
        self.city.assert_ledger().await;
    }
}

async fn resource_of(city: &City, request: &RequestId, kind: &str) -> ResourceId {
    let mut rx = city.app.db.read().await.unwrap();
    let (id,): (String,) = Sql::new("SELECT id FROM resource WHERE request_id = ")
        .bind(request.as_str())
        .push(" AND kind = ")
        .bind(kind)
        .optional(&mut rx)
        .await
        .unwrap()
        .expect("a resource");
    id.parse().unwrap()
}

fn size(vcpus: i64, memory_gb: i64) -> ChangeForm {
    let typed = [("vcpus", vcpus), ("memory_gb", memory_gb)];
    ChangeForm {
        what: What::Resize,
        typed: typed.map(|(k, n)| (k.to_owned(), n.to_string())).into(),
        reason: "普查高峰".into(),
    }
}

fn months(n: i64) -> ChangeForm {
    ChangeForm {
        what: What::Renew,
        typed: [("months".to_owned(), n.to_string())].into(),
        reason: "继续使用".into(),
    }
}

/// The only event of a kind; those of one moment stand in no order.
fn event(of: &ResourceDetail, kind: EventKind) -> &ResourceEventRow {
    let mut all = of.events.iter().filter(|e| e.kind == kind);
    let one = all.next().expect("an event");
    assert!(all.next().is_none());
    one
}

fn yuan(n: i64) -> Money {
    Money::from_fen(n * 100)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_larger_host_holds_what_it_takes_more_and_books_it_when_it_stands() {
    for site in Site::all().await {
        assert_eq!(site.booked(Dimension::Vcpu).await, (0, 4));
        let until = site.seen().await.row.expires_at;
        // 4 cores and 8 GB more for 320.00 a month: within the quota and small, at once.
        let made = site.ask(&size(8, 16), "form-of-a-change").await.unwrap();
        assert_eq!(made.status, Status::Approved);
        assert_eq!(site.booked(Dimension::Vcpu).await, (4, 4));
        assert_eq!(site.booked(Dimension::MemoryGb).await, (8, 8));
        assert_eq!(site.booked(Dimension::SsdGb).await, (0, 40));
        let busy = site.seen().await;
        assert_eq!(busy.busy.unwrap().key, "resource.busy.change");
        assert!(!busy.may.contains(&ResourceAct::Resize));
        site.work().await;

        let after = site.seen().await;
        assert_eq!(site.machine().await, (8, 16, Power::Active));
        assert_eq!(after.row.month, yuan(668));
        assert_eq!(after.row.expires_at, until);
        assert_eq!(after.row.service, ServiceState::Running);
        assert_eq!(site.booked(Dimension::Vcpu).await, (0, 8));
        assert_eq!(site.booked(Dimension::MonthlyFee).await, (0, 66_800));
        // The bill is made of events: the old and the new price stand in this one.
        let said = event(&after, EventKind::Resized).change.clone().unwrap();
        assert_eq!(
            (said.month_before, said.month_after),
            (yuan(348), yuan(668))
        );
        assert_eq!(said.facts.len(), 2);
        let request = site.request(&made.request).await;
        assert_eq!(request.row.status, Status::Closed);
        assert_eq!(request.row.outcome, Some(Outcome::Complete));
        assert_eq!(request.row.month, yuan(320));
        site.assert_settled().await;
    }
}

/// The drills of the saga: refused, lied to, done twice, killed after every commit.
struct Drill {
    site: Site,
    now: Mutex<Option<(RequestId, ResourceId)>>,
}

impl Drill {
    async fn end(&self, when: &str, size: (u32, u32), outcome: Outcome) {
        let (request, host) = self.now.lock().unwrap().clone().unwrap();
        let (vcpus, memory_gb, power) = self.site.machine_of(&host).await;
        assert_eq!(
            (vcpus, memory_gb, power),
            (size.0, size.1, Power::Active),
            "{when}"
        );
        let seen = self.site.request(&request).await;
        assert_eq!(seen.row.status, Status::Closed, "{when}");
        assert_eq!(seen.row.outcome, Some(outcome), "{when}");
        self.site.assert_settled().await;
        let events = Sql::new(
            "SELECT count(*) FROM resource_event WHERE kind = 'resized' AND resource_id = ",
        )
        .bind(host.as_str());
        let events = self.site.city.count(events).await;
        assert_eq!(events, i64::from(outcome == Outcome::Complete), "{when}");
    }
}

#[async_trait::async_trait]
impl Bench for Drill {
    type Saga = fulfil::change::Change;

    async fn fresh(&self, _: &TestApp) -> (Self::Saga, fulfil::change::Params) {
        let city = &self.site.city;
        // The drill opens one world more than it plays.
        let unplayed = self.now.lock().unwrap().take();
        if let Some((request, _)) = unplayed
            && self.site.request(&request).await.row.status == Status::Approved
        {
            let mut tx = city.app.db.begin().await.unwrap();
            quota::release_all(&mut tx, &city.app.system(), &request, "unplayed")
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
        let ordered = city.submit(&city.cart(1).await).await.unwrap();
        self.site.work().await;
        let host = resource_of(city, &ordered.request, "server").await;
        let (cx, form) = (city.cx(&city.clerk), size(16, 32));
        let sent = format!("form-for-{host}");
        let asked = change::create(&cx, &host, &form, &sent).await.unwrap();
        let mut tx = city.app.db.begin().await.unwrap();
        Sql::new("UPDATE request SET status = 'approved' WHERE id = ")
            .bind(asked.request.as_str())
            .run(&mut tx)
            .await
            .unwrap();
        let row: (String, String) =
            Sql::new("SELECT external_id, pool_id FROM resource WHERE id = ")
                .bind(host.as_str())
                .optional(&mut tx)
                .await
                .unwrap()
                .unwrap();
        let (_, plan) = request_change::get(&mut tx, &asked.request)
            .await
            .unwrap()
            .unwrap();
        tx.commit().await.unwrap();
        let params = fulfil::change::Params {
            request: asked.request.clone(),
            applicant: city.clerk.clone(),
            resource: host.clone(),
            vdc: city.vdc.clone(),
            pool: Some(row.1.parse().unwrap()),
            backend: "simulator".into(),
            external_id: row.0,
            plan,
        };
        *self.now.lock().unwrap() = Some((asked.request, host));
        (
            fulfil::change::Change::new(self.site.backends.clone()),
            params,
        )
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        self.end(when, (16, 32), Outcome::Complete).await;
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        self.end(when, (4, 8), Outcome::Failed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_killed_refused_or_done_twice_ends_whole_or_leaves_nothing() {
    for site in Site::all().await {
        let drill = Drill {
            site,
            now: Mutex::default(),
        };
        harness::drill(&drill.site.city.app, &drill).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_that_the_pool_does_not_make_is_refused_before_anybody_agrees() {
    for site in Site::all().await {
        let hosts = Hosts {
            images: Vec::new(),
            sizes: Some(vec![(8, 16)]),
        };
        let makes = Makes {
            hosts: [(GENERAL.to_owned(), hosts)].into(),
            disk_classes: None,
        };
        let mut tx = site.city.app.db.begin().await.unwrap();
        for (pool, ..) in place::sites(&mut tx).await.unwrap() {
            place::save_makes(&mut tx, &pool, Some(&makes))
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let refused = key(site.ask(&size(8, 12), "form-of-a-change").await);
        assert_eq!(refused, "verdict:change.no_size ");
        // That the image is made no more keeps no host from growing.
        site.ask(&size(8, 16), "form-of-another").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_smaller_host_frees_quota_only_when_it_is_smaller() {
    for site in Site::all().await {
        // Less of one and more of the other.
        let made = site.ask(&size(2, 12), "form-of-a-change").await.unwrap();
        assert_eq!(made.status, Status::Approved);
        assert_eq!(site.booked(Dimension::Vcpu).await, (0, 4));
        assert_eq!(site.booked(Dimension::MemoryGb).await, (4, 8));
        site.work().await;
        assert_eq!(site.booked(Dimension::Vcpu).await, (0, 2));
        assert_eq!(site.booked(Dimension::MemoryGb).await, (0, 12));
        // 2 × 46 + 12 × 17 + 40 × 0.70
        assert_eq!(site.seen().await.row.month, yuan(324));
        assert_eq!(site.booked(Dimension::MonthlyFee).await, (0, 32_400));
        assert_eq!(site.request(&made.request).await.row.month, yuan(-24));
        site.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_host_stays_stopped_and_a_busy_one_is_not_changed() {
    for site in Site::all().await {
        let cx = site.city.cx(&site.city.clerk);
        power::switch(&cx, &site.host, false).await.unwrap();
        let busy = site.ask(&size(8, 16), "form-of-a-change").await;
        assert_eq!(key(busy), "resource.busy_now");
        site.work().await;
        site.ask(&size(8, 16), "form-of-a-change").await.unwrap();
        let busy = power::switch(&cx, &site.host, true).await;
        assert_eq!(key(busy), "resource.busy_now");
        site.work().await;
        assert_eq!(site.machine().await, (8, 16, Power::Stopped));
        assert_eq!(site.seen().await.row.service, ServiceState::Stopped);
        site.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_cloud_refuses_is_told_and_its_hold_given_back() {
    for site in Site::all().await {
        // No host has 128 GB.
        let made = site.ask(&size(4, 128), "form-of-a-change").await.unwrap();
        assert_eq!(made.status, Status::InApproval);
        site.agree().await;
        assert_eq!(site.booked(Dimension::MemoryGb).await, (120, 8));
        site.work().await;
        let request = site.request(&made.request).await;
        assert_eq!(request.row.status, Status::Closed);
        assert_eq!(request.row.outcome, Some(Outcome::Failed));
        let last = request.history.last().unwrap().msg.clone();
        assert_eq!(last.key, "request.history.not_changed");
        let after = site.seen().await;
        assert_eq!((after.row.month, after.busy), (yuan(348), None));
        assert_eq!(site.machine().await, (4, 8, Power::Active));
        site.assert_settled().await;
        // And it may be asked for again.
        site.ask(&size(8, 8), "form-of-another").await.unwrap();
        site.work().await;
        assert_eq!(site.machine().await, (8, 8, Power::Active));
        site.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_quota_the_answer_names_what_is_missing() {
    for site in Site::all().await {
        site.city.only(Dimension::Vcpu, 6).await;
        let cx = site.city.cx(&site.city.clerk);
        let tried = change::try_it(&cx, &site.host, &size(16, 8), None).await;
        let tried = tried.unwrap();
        assert_eq!(tried.verdict.shortfalls[0].missing(), 10);
        assert_eq!(tried.change.month_after, yuan(900));
        let over = site.ask(&size(16, 8), "form-of-a-change").await;
        let Err(ServiceError::QuotaExceeded(json)) = over else {
            panic!("12 cores do not fit into 2");
        };
        let over: OverQuota = serde_json::from_value(*json).unwrap();
        let short = &over.shortfalls[0];
        assert_eq!((short.asked, short.missing()), (12, 10));
        assert_eq!(over.messages[0].key, "verdict.over_quota");
        // Fewer cores and more memory fit: only what is taken more must.
        site.ask(&size(4, 16), "form-of-a-change").await.unwrap();
        site.work().await;
        assert_eq!(site.machine().await, (4, 16, Power::Active));
        site.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_sees_before_and_after_and_what_was_changed_since() {
    for site in Site::all().await {
        let city = &site.city;
        let cx = city.cx(&city.clerk);
        let made = site.ask(&size(16, 32), "form-of-a-change").await.unwrap();
        assert_eq!(made.status, Status::InApproval);
        let card: CardView = city.card(&city.leader).await;
        let shown = card.change.clone().unwrap();
        assert_eq!(
            (card.month, shown.change.difference()),
            (yuan(960), yuan(960))
        );
        assert_eq!(shown.name, "web");
        let cores = card.changes.iter().find(|c| c.dimension == Dimension::Vcpu);
        let cores = cores.unwrap();
        assert_eq!(
            (cores.before.held, cores.before.used, cores.asked),
            (0, 4, 12)
        );
        city.decide(&city.leader, Decision::Return).await;
        assert_eq!(site.booked(Dimension::Vcpu).await, (12, 4));

        // Supplemented with a smaller size it goes back to whoever returned it.
        let seen = site.request(&made.request).await;
        assert_eq!(seen.may, [Act::Withdraw, Act::Supplement]);
        let view = change::form(&cx, &site.host, What::Resize, Some(&made.request)).await;
        let view = view.unwrap();
        assert_eq!(view.form.typed["vcpus"], "16");
        assert_eq!(view.asked.unwrap().text, "请补充说明");
        let id = &made.request;
        let stale = change::resubmit(&cx, id, seen.version - 1, &size(16, 24), "stale-form").await;
        assert_eq!(key(stale), "error.stale");
        change::resubmit(&cx, id, seen.version, &size(16, 24), "form-again")
            .await
            .unwrap();
        assert_eq!(site.booked(Dimension::MemoryGb).await, (16, 8));
        let Ok(DecideAnswer::Changed(differs)) =
            city.decide_on(&city.leader, &card, Decision::Approve).await
        else {
            // The old step is closed: the card of the new one shows the new digest.
            let fresh = city.card(&city.leader).await;
            assert_ne!(fresh.digest, card.digest);
            let old = CardView {
                digest: card.digest.clone(),
                ..fresh
            };
            let answer = city.decide_on(&city.leader, &old, Decision::Approve).await;
            let Ok(DecideAnswer::Changed(differs)) = answer else {
                panic!("what was shown is not what is there: {answer:?}");
            };
            let keys: Vec<&str> = differs.differences.iter().map(|d| &*d.what.key).collect();
            assert!(keys.contains(&"request.diff.month_after"), "{keys:?}");
            assert!(keys.contains(&"request.diff.quota"), "{keys:?}");
            site.agree().await;
            site.work().await;
            assert_eq!(site.machine().await, (16, 24, Power::Active));
            site.assert_settled().await;
            continue;
        };
        panic!("a closed step was decided: {differs:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_an_end_without_consent_gives_the_hold_back() {
    for site in Site::all().await {
        let city = &site.city;
        let cx = city.cx(&city.clerk);
        for (n, way) in ["reject", "withdraw", "expire"].into_iter().enumerate() {
            let form = format!("form-of-change-{n}");
            let made = site.ask(&size(16, 32), &form).await.unwrap();
            assert_eq!(site.booked(Dimension::Vcpu).await, (12, 4));
            match way {
                "reject" => drop(city.decide(&city.leader, Decision::Reject).await),
                "withdraw" => {
                    let version = site.request(&made.request).await.version;
                    withdraw::withdraw(&cx, &made.request, version)
                        .await
                        .unwrap();
                }
                _ => {
                    city.decide(&city.leader, Decision::Return).await;
                    city.app.clock.advance_ms(25 * DAY_MS);
                    let system = city.app.system();
                    assert_eq!(withdraw::expire_returned(&system).await.unwrap(), 1);
                }
            }
            assert!(site.request(&made.request).await.row.status.is_final());
            assert_eq!(site.booked(Dimension::Vcpu).await, (0, 4));
            site.assert_settled().await;
        }
        assert_eq!(site.machine().await, (4, 8, Power::Active));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_term_is_renewed_once_ahead_and_keeps_its_price() {
    for site in Site::all().await {
        let before = site.seen().await.row;
        // 348.00 a month go on: small enough to need nobody.
        let made = site.ask(&months(6), "form-of-a-renewal").await.unwrap();
        assert_eq!(made.status, Status::Closed);
        let after = site.seen().await;
        assert!(after.row.expires_at > before.expires_at);
        assert_eq!(after.row.month, before.month);
        assert!(after.busy.is_none());
        assert!(event(&after, EventKind::Renewed).change.is_some());
        assert!(!after.may.contains(&ResourceAct::Renew));
        let twice = site.ask(&months(6), "form-of-another").await;
        assert_eq!(key(twice), "months:change.renewed_already ");
        let audit = Sql::new("SELECT count(*) FROM audit_event WHERE action = 'request.change'");
        assert_eq!(site.city.count(audit).await, 1);
        site.assert_settled().await;
        let wait = before.expires_at.millis() - site.city.app.clock.now().millis();
        site.city.app.clock.advance_ms(wait + 1);
        site.work().await;
        assert!(site.seen().await.may.contains(&ResourceAct::Renew));
        site.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_price_of_the_day_holds_from_the_end_of_the_old_term() {
    for site in Site::all().await {
        let old = site.seen().await.row.expires_at;
        // Cores become dearer: 4 × 92 + 8 × 17 + 28.
        site.city.price("C-ECS", "4600000000", "9200000000").await;
        let made = site.ask(&months(3), "form-of-a-renewal").await.unwrap();
        assert_eq!(
            made.status,
            Status::InApproval,
            "532.00 a month need consent"
        );
        let facts = site.city.card(&site.city.leader).await;
        assert_eq!(facts.month, yuan(184));
        assert_eq!(site.booked(Dimension::MonthlyFee).await, (18_400, 34_800));
        site.agree().await;
        assert_eq!(site.request(&made.request).await.row.status, Status::Closed);
        let now = site.seen().await.row;
        assert_eq!(now.month, yuan(348), "the contract price holds to its end");
        assert_eq!(site.booked(Dimension::MonthlyFee).await, (0, 53_200));
        let wait = old.millis() - site.city.app.clock.now().millis();
        site.city.app.clock.advance_ms(wait);
        site.work().await;
        let now = site.seen().await;
        assert_eq!(now.row.month, yuan(532));
        assert_eq!(event(&now, EventKind::Repriced).at, old);
        // It becomes cheaper: what the old price took beyond the new one is free from the turn on.
        site.city.price("C-ECS", "9200000000", "4600000000").await;
        let end = now.row.expires_at;
        site.ask(&months(3), "form-of-another").await.unwrap();
        site.agree().await;
        assert_eq!(site.booked(Dimension::MonthlyFee).await, (0, 53_200));
        let wait = end.millis() - site.city.app.clock.now().millis();
        site.city.app.clock.advance_ms(wait);
        site.work().await;
        site.work().await;
        assert_eq!(site.seen().await.row.month, yuan(348));
        assert_eq!(site.booked(Dimension::MonthlyFee).await, (0, 34_800));
        site.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_and_a_release_refuse_each_other() {
    for site in Site::all().await {
        let city = &site.city;
        let cx = city.cx(&city.clerk);
        let hosts = std::slice::from_ref(&site.host);
        let made = site.ask(&size(16, 32), "form-of-a-change").await.unwrap();
        let refused = release::create(&cx, hosts, "系统停用", true, "form-of-release").await;
        assert_eq!(key(refused), "release.changing");
        let second = site.ask(&months(6), "form-of-another").await;
        assert_eq!(key(second), "change.under_way");
        assert_eq!(site.seen().await.change_request, Some(made.number));
        city.decide(&city.leader, Decision::Reject).await;
        release::create(&cx, hosts, "系统停用", true, "form-of-release")
            .await
            .unwrap();
        let refused = site.ask(&size(8, 16), "form-of-a-third").await;
        assert_eq!(key(refused), "resource.being_released");
        // The form says so and stands: what was typed in it outlives the release of a colleague.
        let form = change::form(&cx, &site.host, What::Renew, None).await;
        let blocks = form.unwrap().tried.verdict.blocks;
        assert_eq!(blocks.last().unwrap().key, "resource.being_released");
        site.agree().await;
        site.work().await;
        let gone = site.ask(&size(8, 16), "form-of-a-fourth").await;
        assert_eq!(key(gone), "resource.not_possible_now");
        site.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_changes_at_once_one_is_made_and_a_form_sent_twice_makes_one() {
    for site in Site::all().await {
        let (a, b) = (size(8, 16), size(6, 12));
        let (one, two) = tokio::join!(
            site.ask(&a, "form-number-one"),
            site.ask(&b, "form-number-two")
        );
        let lost = if one.is_ok() { two } else { one };
        let why = key(lost);
        assert!(
            why == "change.under_way" || why == "resource.busy_now",
            "{why}"
        );
        site.work().await;
        site.assert_settled().await;
        let c = size(3, 3);
        let (one, two) = tokio::join!(
            site.ask(&c, "form-sent-twice"),
            site.ask(&c, "form-sent-twice")
        );
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(one.number, two.number);
        assert!(one.again != two.again);
        site.work().await;
        assert_eq!(site.machine().await, (3, 3, Power::Active));
        site.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_orders_nothing_for_the_unit_changes_nothing() {
    for site in Site::all().await {
        let city = &site.city;
        let of = |user: &UserId| city.cx(user);
        for (user, known) in [
            (&city.leader, true),
            (&city.deputy, true),
            (&city.office, true),
            (&city.stranger, false),
            (&city.villager, false),
        ] {
            let cx = of(user);
            let asked = change::create(&cx, &site.host, &size(8, 16), "a-foreign-form").await;
            let looked = change::form(&cx, &site.host, What::Resize, None).await;
            let tried = change::try_it(&cx, &site.host, &size(8, 16), None).await;
            let answers = [key(asked), key(looked), key(tried)];
            let expected = if known { "forbidden" } else { "not found" };
            assert_eq!(answers, [expected; 3], "{user}");
        }
        // An id that nothing has reads like one of somebody else.
        let nothing: ResourceId = city.app.id();
        let asked =
            change::create(&of(&city.clerk), &nothing, &size(8, 16), "a-foreign-form").await;
        assert_eq!(key(asked), "not found");
        // A colleague orders for the same unit; a returned change of the clerk is not theirs.
        let made = site.ask(&size(16, 32), "form-of-a-change").await.unwrap();
        city.decide(&city.leader, Decision::Return).await;
        let version = site.request(&made.request).await.version;
        let (id, form) = (&made.request, size(8, 16));
        let again =
            change::resubmit(&of(&city.colleague), id, version, &form, "foreign-form").await;
        assert_eq!(key(again), "not found");
        let role = Sql::new("UPDATE user_grant SET revoked_at = 1 WHERE user_id = ")
            .bind(city.clerk.as_str());
        let mut tx = city.app.db.begin().await.unwrap();
        role.run(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let again = change::resubmit(&of(&city.clerk), id, version, &form, "form-too-late").await;
        assert!(["forbidden", "not found"].contains(&&*key(again)));
        city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_what_is_not_as_it_was_is_refused_at_approval() {
    for site in Site::all().await {
        let city = &site.city;
        let made = site.ask(&size(16, 32), "form-of-a-change").await.unwrap();
        let card = city.card(&city.leader).await;
        let mut tx = city.app.db.begin().await.unwrap();
        Sql::new("UPDATE resource SET month_fen = 1, version = version + 1 WHERE id = ")
            .bind(site.host.as_str())
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let refused = city.decide_on(&city.leader, &card, Decision::Approve).await;
        assert_eq!(key(refused), "change.moved_on");
        let seen = site.request(&made.request).await;
        assert_eq!(seen.row.status, Status::InApproval);
        // Returned and computed anew it goes on.
        city.decide_on(&city.leader, &card, Decision::Return)
            .await
            .unwrap();
        let version = site.request(&made.request).await.version;
        let cx = city.cx(&city.clerk);
        let again =
            change::resubmit(&cx, &made.request, version, &size(16, 32), "form-again").await;
        again.unwrap();
        site.agree().await;
        site.work().await;
        assert_eq!(site.machine().await, (16, 32, Power::Active));
        site.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_mistyped_is_said_by_field() {
    for site in Site::all().await {
        let bare = |form: ChangeForm| ChangeForm {
            reason: String::new(),
            ..form
        };
        let cases = [
            (size(4, 8), "vcpus:change.nothing "),
            (size(65, 8), "vcpus:error.too_large "),
            (bare(size(8, 8)), "reason:error.too_short "),
            (months(13), "months:error.too_large "),
            (
                ChangeForm {
                    what: What::Extend,
                    ..size(8, 8)
                },
                "what:change.not_for_this ",
            ),
        ];
        for (form, expected) in cases {
            let said = key(site.ask(&form, "form-of-a-change").await);
            let field = expected.split(':').next().unwrap();
            assert!(said.starts_with(field), "{said} for {expected}");
        }
        site.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_grows_where_it_is() {
    for site in Site::all().await {
        let city = &site.city;
        let view = city.cart(1).await;
        let cx = city.cx(&city.clerk);
        let host = view.lines[0].line.id.clone();
        cart::put_line(&cx, &view.id, view.version, None, &city.disk(&host))
            .await
            .unwrap();
        let view = cart::open(&cx, &view.id).await.unwrap();
        let made = city.submit(&view).await.unwrap();
        site.work().await;
        let disk = resource_of(city, &made.request, "volume").await;
        let form = ChangeForm {
            what: What::Extend,
            typed: [("size_gb".to_owned(), "300".to_owned())].into(),
            reason: "数据增多".into(),
        };
        let (_, used) = site.booked(Dimension::SsdGb).await;
        let made = change::create(&cx, &disk, &form, "form-of-a-disk")
            .await
            .unwrap();
        assert_eq!(made.status, Status::Approved);
        assert_eq!(site.booked(Dimension::SsdGb).await, (200, used));
        site.work().await;
        assert_eq!(site.booked(Dimension::SsdGb).await, (0, used + 200));
        let seen = resource::detail(&cx, &disk).await.unwrap();
        assert_eq!(seen.row.month, yuan(210));
        assert!(event(&seen, EventKind::Extended).change.is_some());
        assert!(seen.may.contains(&ResourceAct::Extend));
        assert!(seen.attached_to.is_some());
        site.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_plan_takes_space_and_price_of_what_it_becomes() {
    for site in Site::all().await {
        let city = &site.city;
        let view = city.cart(1).await;
        let cx = city.cx(&city.clerk);
        let host = view.lines[0].line.id.clone();
        let typed = [
            ("attach_to", host.as_str()),
            ("size_gb", "100"),
            ("schedule", "daily"),
            ("keep_days", "7"),
        ];
        let backup = LineForm {
            item: "D-LB".into(),
            typed: typed.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..city.disk(&host)
        };
        cart::put_line(&cx, &view.id, view.version, None, &backup)
            .await
            .unwrap();
        let view = cart::open(&cx, &view.id).await.unwrap();
        let made = city.submit(&view).await.unwrap();
        site.work().await;
        let plan = resource_of(city, &made.request, "backup").await;
        let becomes = |size: &str, schedule: &str, days: &str| ChangeForm {
            what: What::Plan,
            typed: [
                ("size_gb", size),
                ("schedule", schedule),
                ("keep_days", days),
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
            reason: "保留更久".into(),
        };
        let (_, used) = site.booked(Dimension::BackupGb).await;
        let as_it_is = becomes("100", "daily", "7");
        let same = change::create(&cx, &plan, &as_it_is, "form-of-a-plan").await;
        assert_eq!(key(same), "size_gb:change.nothing ");
        // A schedule alone changes neither space nor price.
        change::create(
            &cx,
            &plan,
            &becomes("100", "weekly", "30"),
            "form-of-a-plan",
        )
        .await
        .unwrap();
        site.work().await;
        assert_eq!(site.booked(Dimension::BackupGb).await, (0, used));
        change::create(
            &cx,
            &plan,
            &becomes("250", "weekly", "30"),
            "form-of-a-plan-2",
        )
        .await
        .unwrap();
        assert_eq!(site.booked(Dimension::BackupGb).await, (150, used));
        site.work().await;
        assert_eq!(site.booked(Dimension::BackupGb).await, (0, used + 150));
        let seen = resource::detail(&cx, &plan).await.unwrap();
        assert_eq!(seen.row.month, yuan(50));
        let events = seen.events.iter();
        let said = events.filter(|e| e.kind == EventKind::Replanned && e.change.is_some());
        assert_eq!(said.count(), 2);
        assert!(seen.may.contains(&ResourceAct::Plan));
        let page = site.cloud.list(None, None).await.unwrap();
        let there = page.objects.into_iter().find_map(Object::into_backup_plan);
        let spec = there.unwrap().spec;
        assert_eq!((spec.every_hours, spec.keep_days), (168, 30));
        site.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_term_that_ends_is_reminded_of_four_times_and_each_time_once() {
    for site in Site::all().await {
        let city = &site.city;
        let end = site.seen().await.row.expires_at;
        let told = |user: &UserId| {
            Sql::new("SELECT count(*) FROM notice WHERE msg LIKE '%notice.expires%' AND user_id = ")
                .bind(user.as_str())
        };
        let mut counts = Vec::new();
        for days in [61, 60, 30, 7, 1] {
            let at = Timestamp::from_millis(end.millis() - days * DAY_MS);
            city.app
                .clock
                .advance_ms(at.millis() - city.app.clock.now().millis());
            site.work().await;
            city.app.clock.advance_ms(DAY_MS / 2);
            site.work().await;
            counts.push(city.count(told(&city.clerk)).await);
        }
        assert_eq!(counts, [0, 1, 2, 3, 4]);
        assert_eq!(city.count(told(&city.leader)).await, 4);
        assert_eq!(city.count(told(&city.stranger)).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_being_given_back_is_not_reminded_of_and_a_renewed_term_anew() {
    for site in Site::all().await {
        let city = &site.city;
        let cx = city.cx(&city.clerk);
        let all = || Sql::new("SELECT count(*) FROM expiry_reminder");
        let to = |at: Timestamp| at.millis() - city.app.clock.now().millis();
        let end = site.seen().await.row.expires_at;
        city.app.clock.advance_ms(to(end) - 20 * DAY_MS);
        site.work().await;
        assert_eq!(city.count(all()).await, 1);
        // Renewed by a month it ends in some fifty days: only what lies ahead is said again.
        site.ask(&months(1), "form-of-a-renewal").await.unwrap();
        city.app.clock.advance_ms(DAY_MS);
        site.work().await;
        assert_eq!(city.count(all()).await, 1);
        let end = site.seen().await.row.expires_at;
        city.app.clock.advance_ms(to(end) - 29 * DAY_MS);
        site.work().await;
        assert_eq!(city.count(all()).await, 2);
        let hosts = std::slice::from_ref(&site.host);
        release::create(&cx, hosts, "系统停用", true, "form-of-release")
            .await
            .unwrap();
        city.app.clock.advance_ms(to(end) - 6 * DAY_MS);
        site.work().await;
        assert_eq!(city.count(all()).await, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answers_of_the_order_stay_but_for_the_size() {
    for site in Site::all().await {
        site.ask(&size(8, 16), "form-of-a-change").await.unwrap();
        site.work().await;
        let mut rx = site.city.app.db.read().await.unwrap();
        let (answers,): (String,) = Sql::new("SELECT answers FROM resource WHERE id = ")
            .bind(site.host.as_str())
            .optional(&mut rx)
            .await
            .unwrap()
            .unwrap();
        let answers: lingbao_model::param::Answers = serde_json::from_str(&answers).unwrap();
        assert_eq!(answers.text("image"), Some("kylin-v10"));
        assert_eq!(answers.0["vcpus"], Answer::Integer(8));
        assert_eq!(answers.integer("system_disk_gb"), Some(40));
    }
}
