//! The portal's own database fills up, or another process holds it, at each call to the cloud in turn,
//! while an order is built and while what was built is given back: the work waits and then goes on where it
//! stood. Nothing is lost, nothing is made twice, nobody has to press a button.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{
        Call, Capabilities, Capacity, ExternalId, Kind, Object, OperationId, OperationState,
        Outcome, Page, PollToken, PoolRef, Provisioner, ReadError, Settled, Usage,
        simulator::{Latency, Simulator},
    },
};
use lingbao_model::{
    id::{RequestId, ResourceId},
    quota::Dimension,
    request::Status,
    time::MINUTE_MS,
};
use tokio::sync::Mutex;

use super::day_two_tests::{FORM, Town};
use crate::{
    error::StorageError,
    jobs::{Registry, run_until_idle},
    service::{
        cart,
        request::{detail, fixture::City, release},
    },
    storage::{Db, DbConfig, Tx, sql::Sql},
    testing::TestDb,
};

/// What happens to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    /// It has no room for another page.
    Full,
    /// Another process holds its write lock, longer than anybody waits.
    Locked,
}

/// Harms the database of the portal at one of the calls to come.
struct Harming {
    harm: Harm,
    db: Arc<TestDb>,
    other: Db,
    /// So many calls until then; 0 for never.
    left: AtomicUsize,
    held: Mutex<Option<Tx>>,
    /// Whether it is harmed now.
    now: AtomicUsize,
}

impl Harming {
    async fn called(&self) {
        let left = self.left.load(Ordering::SeqCst);
        self.left.store(left.saturating_sub(1), Ordering::SeqCst);
        if left != 1 {
            return;
        }
        self.now.store(1, Ordering::SeqCst);
        match self.harm {
            Harm::Full => self.db.fill().await,
            Harm::Locked => *self.held.lock().await = Some(self.other.begin().await.unwrap()),
        }
    }

    fn is_harmed(&self) -> bool {
        self.now.load(Ordering::SeqCst) == 1
    }

    async fn heal(&self) {
        self.left.store(0, Ordering::SeqCst);
        if self.now.swap(0, Ordering::SeqCst) == 0 {
            return;
        }
        match self.harm {
            Harm::Full => self.db.make_room().await,
            Harm::Locked => {
                let held = self.held.lock().await.take();
                held.unwrap().rollback().await.unwrap();
            }
        }
    }
}

/// A cloud that answers as ever, only that something happens at home meanwhile.
#[derive(Clone)]
struct Meanwhile(Simulator, Arc<Harming>);

#[async_trait]
impl Provisioner for Meanwhile {
    fn name(&self) -> &str {
        self.0.name()
    }
    async fn capabilities(&self) -> Result<Capabilities, ReadError> {
        self.0.capabilities().await
    }
    async fn capacity(&self, pool: &PoolRef) -> Result<Capacity, ReadError> {
        self.0.capacity(pool).await
    }
    async fn health(&self) -> Result<(), ReadError> {
        self.0.health().await
    }
    async fn execute(&self, op: &OperationId, call: Call) -> Outcome<Settled> {
        let answer = self.0.execute(op, call).await;
        self.1.called().await;
        answer
    }
    async fn poll(&self, token: &PollToken) -> Outcome<Settled> {
        let answer = self.0.poll(token).await;
        self.1.called().await;
        answer
    }
    async fn get(&self, kind: Kind, id: &ExternalId) -> Result<Option<Object>, ReadError> {
        self.0.get(kind, id).await
    }
    async fn find_by_operation(&self, op: &OperationId) -> Result<OperationState, ReadError> {
        self.0.find_by_operation(op).await
    }
    async fn cancel(&self, op: &OperationId) -> Outcome<OperationState> {
        self.0.cancel(op).await
    }
    async fn list(
        &self,
        project: Option<&ExternalId>,
        cursor: Option<&str>,
    ) -> Result<Page, ReadError> {
        self.0.list(project, cursor).await
    }
    async fn usage(&self, server: &ExternalId) -> Result<Option<Usage>, ReadError> {
        self.0.usage(server).await
    }
}

struct Home {
    town: Town,
    harming: Arc<Harming>,
    jobs: Arc<Registry>,
}

impl Home {
    async fn of(harm: Harm) -> Self {
        let db = TestDb::sqlite_with(|own: &mut DbConfig| {
            own.max_page_count = Some(2_500);
            (own.wait, own.queue) = (Duration::from_millis(20), Duration::from_millis(100));
        })
        .await;
        let city = City::on(db).await;
        let other = Db::open(&city.db.config).await.unwrap();
        let harming = Arc::new(Harming {
            harm,
            db: city.db.clone(),
            other,
            left: AtomicUsize::new(0),
            held: Mutex::default(),
            now: AtomicUsize::new(0),
        });
        let town = Town::on(city, Latency::default()).await;
        let cloud = Meanwhile(town.cloud.clone(), harming.clone());
        let backends = Arc::new(Backends::default().with(cloud));
        Self {
            jobs: Arc::new(super::wire(Registry::new(), &backends)),
            town,
            harming,
        }
    }

    async fn run(&self) -> Result<u64, StorageError> {
        run_until_idle(&self.town.city.app.app, &self.jobs).await
    }

    /// Lets everything run with the database harmed at the `at`th call, for an hour; then heals it and
    /// lets it come to its end. Whether it came so far, and whether something had to wait.
    async fn suffer(&self, at: usize, ended: Sql) -> (bool, bool) {
        let city = &self.town.city;
        let has_ended = async || city.count(ended.clone()).await > 0;
        self.harming.left.store(at, Ordering::SeqCst);
        for _ in 0..20 {
            match self.run().await {
                Ok(_) if !self.harming.is_harmed() && has_ended().await => break,
                Ok(_) | Err(StorageError::Full(_) | StorageError::Busy(_)) => {}
                Err(other) => panic!("{other:?}"),
            }
            city.app.clock.advance_ms(3 * MINUTE_MS);
        }
        let (harmed, waited) = (self.harming.is_harmed(), !has_ended().await);
        self.harming.heal().await;
        for _ in 0..60 {
            self.run().await.unwrap();
            if has_ended().await {
                break;
            }
            city.app.clock.advance_ms(MINUTE_MS);
        }
        (harmed, waited)
    }

    async fn order(&self) -> RequestId {
        let (town, city) = (&self.town, &self.town.city);
        let view = city.cart(1).await;
        let disk = city.disk(&view.lines[0].line.id);
        cart::put_line(&town.clerk(), &view.id, view.version, None, &disk)
            .await
            .unwrap();
        let view = cart::open(&town.clerk(), &view.id).await.unwrap();
        let request = city.submit(&view).await.unwrap().request;
        town.approve().await;
        request
    }

    async fn status(&self, request: &RequestId) -> Status {
        let seen = detail::detail(&self.town.clerk(), request).await.unwrap();
        seen.row.status
    }

    /// What a request delivered, hosts first.
    async fn made(&self, request: &RequestId) -> Vec<ResourceId> {
        let sql = Sql::new("SELECT id FROM resource WHERE request_id = ").bind(request.as_str());
        let sql = sql.push(" AND service_state = 'running' ORDER BY kind, id");
        let mut rx = self.town.city.app.db.read().await.unwrap();
        let rows: Vec<(String,)> = sql.all(&mut rx).await.unwrap();
        rows.into_iter().map(|(id,)| id.parse().unwrap()).collect()
    }

    /// The cloud holds what the books say, no more and no less; nothing is held, nothing is stuck.
    async fn assert_even(&self, when: &str) {
        let city = &self.town.city;
        let standing = "SELECT external_id FROM resource WHERE service_state <> 'released'";
        let mut rx = city.app.db.read().await.unwrap();
        let mut books: Vec<(String,)> = Sql::new(standing).all(&mut rx).await.unwrap();
        drop(rx);
        let page = self.town.cloud.list(None, None).await.unwrap();
        assert!(page.next.is_none(), "one page holds it all");
        let mut cloud: Vec<(String,)> = page
            .objects
            .iter()
            .filter(|o| !matches!(o, Object::Project(_) | Object::Network(_)))
            .map(|o| (o.id().to_string(),))
            .collect();
        books.sort();
        cloud.sort();
        assert_eq!(cloud, books, "{when}");
        city.assert_ledger().await;
        for dimension in Dimension::ALL {
            let now = city.standing(&city.vdc, *dimension).await;
            assert_eq!(now.held, 0, "{when}: {dimension}");
        }
        for sql in [
            "SELECT count(*) FROM job WHERE status = 'stuck'",
            "SELECT count(*) FROM saga WHERE state <> 'done'",
            "SELECT count(*) FROM fulfilment WHERE status <> 'delivered'",
            "SELECT count(*) FROM saga_step WHERE attempt > 0",
        ] {
            assert_eq!(city.count(Sql::new(sql)).await, 0, "{when}: {sql}");
        }
    }
}

async fn each_call_in_turn(harm: Harm) {
    let home = Home::of(harm).await;
    let (mut building, mut releasing) = (true, true);
    let (mut harms, mut waits) = (0, 0);
    for at in 1..60 {
        let when = format!("{harm:?} at call {at}");
        let request = home.order().await;
        let ended = "SELECT count(*) FROM request WHERE status = 'delivered' AND id = ";
        let ended = Sql::new(ended).bind(request.as_str());
        let (harmed, waited) = home.suffer(if building { at } else { 0 }, ended).await;
        building = harmed;
        harms += usize::from(harmed);
        waits += usize::from(waited);
        assert_eq!(home.status(&request).await, Status::Delivered, "{when}");
        let made = home.made(&request).await;
        assert_eq!(made.len(), 2, "{when}");
        home.assert_even(&when).await;

        let (cx, form) = (home.town.clerk(), format!("{FORM}-{at}"));
        let sent = release::create(&cx, &made, "系统下线", true, &form).await;
        home.town.approve().await;
        let ended = "SELECT count(*) FROM request WHERE status = 'closed' AND id = ";
        let ended = Sql::new(ended).bind(sent.unwrap().request.as_str());
        let (harmed, waited) = home.suffer(if releasing { at } else { 0 }, ended).await;
        releasing = harmed;
        harms += usize::from(harmed);
        waits += usize::from(waited);
        assert_eq!(home.made(&request).await, [], "{when}, given back");
        home.assert_even(&format!("{when}, given back")).await;
        if !building && !releasing {
            assert!(harms > 5, "{harms} calls were met");
            assert!(waits * 2 > harms, "of {harms} harms {waits} were felt");
            return;
        }
    }
    panic!("{harm:?}: there is always another call");
}

#[tokio::test]
async fn what_meets_a_full_database_goes_on_when_there_is_room() {
    each_call_in_turn(Harm::Full).await;
}

#[tokio::test]
async fn what_meets_a_locked_database_goes_on_when_it_is_free() {
    each_call_in_turn(Harm::Locked).await;
}
