//! Random walks through the portal, on both engines: applicants, approvers and workers act at the same
//! time, by chance that follows from a seed, on a cloud that fails now and then. Whatever they did, in
//! whatever order: no limit is exceeded, nothing is held for nothing, the books add up, and the cloud
//! holds what the books say.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use lingbao_backends::provisioning::{
    CallKind, Object, Provisioner as _, RefusalReason,
    simulator::{Fault, Latency, On, What},
};
use lingbao_model::{
    id::{RequestId, ResourceId, UserId, VdcId},
    quota::{Amounts, Dimension, Standing},
    request::{Decision, Status},
    resource::ServiceState,
    view::{
        request::LineForm,
        resource::{ResourceFilter, ResourceRow},
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::day_two_tests::Town;
use crate::{
    authz::Scope,
    error::ServiceError,
    jobs::run_until_idle,
    service::{
        approval, cart,
        request::{
            confirm, detail,
            release::{self, returned},
            resubmit, submit, withdraw,
        },
        resource,
    },
    storage::{quota, resource as rows, sql::Sql},
};

/// Walks on each engine. Each begins where the one before it ended.
const SEEDS: u64 = 12;
/// What each applicant does in one walk.
const ACTS: usize = 7;
/// Free cores at the beginning of a walk: a few orders fit, not all.
const ROOM: i64 = 60;

/// What somebody may be told whom another one was faster than, or who asks for too much.
fn told<T>(seed: u64, result: Result<T, ServiceError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(
            ServiceError::Conflict(_) | ServiceError::Invalid(_) | ServiceError::QuotaExceeded(_),
        ) => None,
        Err(other) => panic!("seed {seed}: {other:?}"),
    }
}

struct Walk {
    town: Town,
    seed: u64,
    /// Applicants who still act.
    acting: AtomicUsize,
}

/// One of a slice by chance.
fn one_of<'a, T>(rng: &mut StdRng, all: &'a [T]) -> Option<&'a T> {
    (!all.is_empty()).then(|| &all[rng.random_range(0..all.len())])
}

impl Walk {
    fn rng(&self, who: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed * 100 + who)
    }

    fn form(&self) -> String {
        let form = format!("walk-{:x}", self.town.city.app.random.bits());
        form.chars().take(40).collect()
    }

    // ---- applicants

    async fn apply(self: Arc<Self>, user: UserId, who: u64) {
        let mut rng = self.rng(who);
        let mut own: Vec<RequestId> = Vec::new();
        for _ in 0..ACTS {
            match rng.random_range(0..10) {
                0..5 => own.extend(self.order(&mut rng, &user).await),
                5 => self.take_back(&mut rng, &user, &own).await,
                6 | 7 => self.supplement(&mut rng, &user, &own).await,
                8 => own.extend(self.give_back(&mut rng, &user).await),
                _ => self.confirm(&mut rng, &user, &own).await,
            }
            self.assert_within().await;
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..8))).await;
        }
        self.acting.fetch_sub(1, Ordering::SeqCst);
    }

    async fn order(&self, rng: &mut StdRng, user: &UserId) -> Option<RequestId> {
        let (city, cx) = (&self.town.city, self.town.city.cx(user));
        let form = LineForm {
            count: rng.random_range(1..=7).to_string(),
            ..city.host()
        };
        let view = city
            .cart_with(user, &city.system, &form, rng.random_bool(0.3))
            .await;
        let host = &view.lines[0].line;
        if rng.random_bool(0.5) {
            let count = match rng.random_bool(0.5) {
                true => 1,
                false => host.count,
            };
            let disk = LineForm {
                count: count.to_string(),
                ..city.disk(&host.id)
            };
            let put = cart::put_line(&cx, &view.id, view.version, None, &disk).await;
            put.unwrap();
        }
        let view = cart::open(&cx, &view.id).await.unwrap();
        let sent = submit::submit(&cx, &view.id, view.version, None, &view.form_id).await;
        let sent = told(self.seed, sent);
        if sent.is_none() {
            // A cart that was refused would stand among the drafts, and those have a limit.
            let left = cart::open(&cx, &view.id).await.unwrap();
            cart::discard(&cx, &left.id, left.version).await.unwrap();
        }
        sent.map(|sent| sent.request)
    }

    /// Where a request of one's own stands, and its version.
    async fn stands(
        &self,
        rng: &mut StdRng,
        user: &UserId,
        own: &[RequestId],
    ) -> Option<(RequestId, Status, i64)> {
        let id = one_of(rng, own)?.clone();
        let seen = detail::detail(&self.town.city.cx(user), &id).await.unwrap();
        Some((id, seen.row.status, seen.version))
    }

    async fn take_back(&self, rng: &mut StdRng, user: &UserId, own: &[RequestId]) {
        if let Some((id, _, version)) = self.stands(rng, user, own).await {
            let done = withdraw::withdraw(&self.town.city.cx(user), &id, version).await;
            told(self.seed, done);
        }
    }

    async fn confirm(&self, rng: &mut StdRng, user: &UserId, own: &[RequestId]) {
        if let Some((id, _, version)) = self.stands(rng, user, own).await {
            let done = confirm::confirm(&self.town.city.cx(user), &id, version).await;
            told(self.seed, done);
        }
    }

    /// Supplements one of one's returned requests: an order with more or fewer hosts, at times.
    async fn supplement(&self, rng: &mut StdRng, user: &UserId, own: &[RequestId]) {
        let cx = self.town.city.cx(user);
        let mut back = Vec::new();
        for id in own {
            let seen = detail::detail(&cx, id).await.unwrap();
            if seen.row.status == Status::Returned {
                back.push((id.clone(), seen.releases.is_empty()));
            }
        }
        let Some((id, is_order)) = one_of(rng, &back).cloned() else {
            return;
        };
        if !is_order {
            let form = self.form();
            if let Some(view) = told(self.seed, returned(&cx, &id).await) {
                let sent = release::resubmit(&cx, &id, view.version, "数据已备份", &form).await;
                told(self.seed, sent);
            }
            return;
        }
        let Some(view) = told(self.seed, cart::open(&cx, &id).await) else {
            return;
        };
        let mut version = view.version;
        if view.lines.len() == 1 && rng.random_bool(0.5) {
            let line = &view.lines[0].line;
            let mut form = cart::line::form_of(line);
            form.count = rng.random_range(1..=7).to_string();
            let put = cart::put_line(&cx, &id, version, Some(&line.id), &form).await;
            match told(self.seed, put) {
                Some(change) => version = change.version,
                None => return,
            }
        }
        let sent = resubmit::resubmit(&cx, &id, version, None, &view.form_id).await;
        told(self.seed, sent);
    }

    async fn running(&self, user: &UserId) -> Vec<ResourceRow> {
        let cx = self.town.city.cx(user);
        let filter = ResourceFilter {
            state: Some(ServiceState::Running),
            ..ResourceFilter::default()
        };
        resource::list(&cx, &filter).await.unwrap().rows
    }

    async fn give_back(&self, rng: &mut StdRng, user: &UserId) -> Option<RequestId> {
        let rows = self.running(user).await;
        let some: Vec<ResourceId> = (0..rng.random_range(1..=3))
            .filter_map(|_| one_of(rng, &rows).map(|row| row.id.clone()))
            .collect();
        let (at_once, form) = (rng.random_bool(0.6), self.form());
        let cx = self.town.city.cx(user);
        let sent = release::create(&cx, &some, "系统下线", at_once, &form).await;
        told(self.seed, sent).map(|sent| sent.request)
    }

    // ---- approvers

    async fn approve(self: Arc<Self>, user: UserId, who: u64) {
        let mut rng = self.rng(who);
        while self.acting.load(Ordering::SeqCst) > 0 {
            let decision = match rng.random_range(0..10) {
                0..7 => Decision::Approve,
                7 => Decision::Reject,
                _ => Decision::Return,
            };
            self.decide(&user, decision).await;
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..12))).await;
        }
    }

    /// Decides on the first to-do of somebody; `false` if there is none, or another one was faster.
    async fn decide(&self, user: &UserId, decision: Decision) -> bool {
        let cx = self.town.city.cx(user);
        let Some(step) = approval::next_todo(&cx, None).await.unwrap() else {
            return false;
        };
        let Some(card) = told(self.seed, approval::card(&cx, &step).await) else {
            return false;
        };
        let opinion = "请补充说明";
        let said = approval::decide(&cx, &step, decision, opinion, &card.digest).await;
        told(self.seed, said).is_some()
    }

    // ---- the program and the cloud

    async fn work(self: Arc<Self>, who: u64) {
        let (mut rng, town) = (self.rng(who), &self.town);
        while self.acting.load(Ordering::SeqCst) > 0 {
            if rng.random_bool(0.3) {
                self.harm(&mut rng);
            }
            run_until_idle(&town.city.app.app, &town.jobs)
                .await
                .unwrap();
            town.city.app.clock.advance_ms(rng.random_range(0..2_000));
            tokio::time::sleep(Duration::from_millis(rng.random_range(1..5))).await;
        }
    }

    /// One call to come goes wrong.
    fn harm(&self, rng: &mut StdRng) {
        let no = RefusalReason::NoCapacity;
        let faults = [
            (On::Call(CallKind::CreateServer), What::Refuse(no)),
            (On::Call(CallKind::CreateServer), What::FailLate(no)),
            (On::Call(CallKind::CreateVolume), What::Refuse(no)),
            (On::Call(CallKind::AttachVolume), What::Refuse(no)),
            (On::AnyCall, What::LoseAnswer),
            (On::AnyCall, What::Unreachable),
        ];
        if let Some((on, what)) = one_of(rng, &faults).copied() {
            self.town.cloud.inject(Fault {
                on,
                what,
                skip: rng.random_range(0..4),
                times: Some(1),
            });
        }
    }

    // ---- what holds at every moment

    async fn accounts(&self) -> Vec<(VdcId, String, Dimension, Standing)> {
        let city = &self.town.city;
        let mut rx = city.app.db.read().await.unwrap();
        let mut all = Vec::new();
        for vdc in [&city.vdc, &city.city_vdc] {
            let account = quota::account(&mut rx, vdc).await.unwrap();
            for (pool, dimension, standing) in account.standings {
                all.push((vdc.clone(), pool.to_string(), dimension, standing));
            }
        }
        all
    }

    async fn assert_within(&self) {
        for at in self.accounts().await {
            let now = at.3;
            assert!(now.left() >= 0, "seed {}: {at:?}", self.seed);
            let least = now.held.min(now.used).min(now.handed).min(now.limit);
            assert!(least >= 0, "seed {}: {at:?}", self.seed);
        }
    }

    // ---- the end

    /// Whatever is open comes to its end: what waits is agreed to, what was returned is taken back.
    async fn end(&self) {
        let (town, city) = (&self.town, &self.town.city);
        town.cloud.clear_faults();
        for _ in 0..50 {
            for user in [&city.leader, &city.office, &city.security, &city.finance] {
                while self.decide(user, Decision::Approve).await {}
            }
            town.settle().await;
            let open: Vec<(String, String, i64)> = Sql::new(
                "SELECT id, applicant_id, version FROM request WHERE status = 'returned' ORDER BY id",
            )
            .all(&mut city.app.db.read().await.unwrap())
            .await
            .unwrap();
            for (id, applicant, version) in open {
                let (id, applicant) = (id.parse().unwrap(), applicant.parse().unwrap());
                withdraw::withdraw(&city.cx(&applicant), &id, version)
                    .await
                    .unwrap();
            }
            let open = "SELECT count(*) FROM request WHERE status IN ('in_approval', 'returned', 'approved')";
            if city.count(Sql::new(open)).await == 0 {
                return;
            }
            city.app.clock.advance_ms(60_000);
        }
        panic!("seed {}: a request does not come to its end", self.seed);
    }

    async fn assert_even(&self) {
        let (town, city, seed) = (&self.town, &self.town.city, self.seed);
        self.assert_within().await;
        let mut rx = city.app.db.read().await.unwrap();
        assert_eq!(quota::recount(&mut rx).await.unwrap(), [], "seed {seed}");
        let scope = Scope::system(&city.app.system()).unwrap();
        let ids: Vec<(String,)> =
            Sql::new("SELECT id FROM resource WHERE service_state <> 'released' ORDER BY id")
                .all(&mut rx)
                .await
                .unwrap();
        let mut used: BTreeMap<String, Amounts> = BTreeMap::new();
        let mut books = Vec::new();
        for (id,) in ids {
            let found = rows::get(&mut rx, &scope, &id.parse().unwrap()).await;
            let found = found.unwrap().unwrap();
            let takes = match found.service {
                ServiceState::Recycled => found.amounts.kept_and_freed().0,
                ServiceState::Changing => panic!("seed {seed}: {found:?}"),
                _ => found.amounts,
            };
            let place = found.placement.unwrap();
            used.entry(place.pool.to_string())
                .or_default()
                .add_all(&takes);
            books.extend(found.external_id);
        }
        drop(rx);
        // Nothing is held any more, and what is used is what stands.
        for (vdc, pool, dimension, now) in self.accounts().await {
            let there = used.get(&pool).filter(|_| vdc == city.vdc);
            let wanted = there.map_or(0, |amounts| amounts.get(dimension));
            assert_eq!(
                (now.held, now.used),
                (0, wanted),
                "seed {seed}: {vdc} {pool} {dimension}"
            );
        }
        // Nothing stands in the cloud that is nobody's.
        let mut cloud: Vec<String> = self.stands_in_the_cloud().await;
        books.sort();
        cloud.sort();
        assert_eq!(cloud, books, "seed {seed}");
        for sql in [
            "SELECT count(*) FROM saga WHERE state NOT IN ('done', 'undone')",
            "SELECT count(*) FROM fulfilment WHERE status NOT IN ('delivered', 'failed', 'cancelled')",
            "SELECT count(*) FROM resource_action",
            "SELECT count(*) FROM job WHERE status = 'stuck'",
        ] {
            let left = town.city.count(Sql::new(sql)).await;
            assert_eq!(left, 0, "seed {seed}: {sql}");
        }
    }

    async fn stands_in_the_cloud(&self) -> Vec<String> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.town.cloud.list(None, cursor.as_deref()).await.unwrap();
            let things = page.objects.into_iter();
            let things = things.filter(|o| !matches!(o, Object::Project(_) | Object::Network(_)));
            all.extend(things.map(|o| o.id().to_string()));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return all,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_people_and_the_cloud_do_at_once_no_limit_is_exceeded_and_nothing_leaks() {
    let slow = Latency {
        build_server_ms: 1_500,
        change_server_ms: 500,
        other_ms: 300,
        jitter_percent: 100,
    };
    for mut town in Town::slow(slow).await {
        for seed in 0..SEEDS {
            let booked = town.city.standing(&town.city.vdc, Dimension::Vcpu).await;
            town.city.only(Dimension::Vcpu, booked.used + ROOM).await;
            let walk = Arc::new(Walk {
                town,
                seed,
                acting: AtomicUsize::new(2),
            });
            let city = &walk.town.city;
            let mut tasks = tokio::task::JoinSet::new();
            for (who, user) in (0..).zip([&city.clerk, &city.colleague]) {
                tasks.spawn(walk.clone().apply(user.clone(), who));
            }
            let signers = [&city.leader, &city.deputy, &city.office];
            for (who, user) in (10..).zip(signers) {
                tasks.spawn(walk.clone().approve(user.clone(), who));
            }
            for who in [20, 21] {
                tasks.spawn(walk.clone().work(who));
            }
            while let Some(done) = tasks.join_next().await {
                // The others would go on for ever.
                if let Err(error) = done {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
            walk.end().await;
            walk.assert_even().await;
            town = Arc::into_inner(walk).unwrap().town;
        }
        // The walks went somewhere.
        for status in ["delivered", "closed", "rejected", "withdrawn"] {
            let sql = Sql::new("SELECT count(*) FROM request WHERE status = ").bind(status);
            assert!(town.city.count(sql).await > 0, "{status}");
        }
        for status in ["delivered", "failed"] {
            let sql = Sql::new("SELECT count(*) FROM fulfilment WHERE status = ").bind(status);
            assert!(town.city.count(sql).await > 0, "{status}");
        }
    }
}
