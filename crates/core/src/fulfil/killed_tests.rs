//! The process dies, again and again, at any moment of its work: while hosts with disks, addresses and
//! backup plans are built, while what stands is resized, extended and given back. Whoever is started next
//! goes on from the database and the cloud alone. In the end there is exactly what was ordered, of the size
//! that was asked for last, and nothing that is nobody's.
//!
//! A life ends here by dropping everything that runs in it; `end2end/journeys/killed.spec.ts` does the same
//! with a signal to the real process.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lingbao_backends::{
    Backends,
    provisioning::{
        ExternalId, Kind, Object, Provisioner as _,
        simulator::{Latency, Simulator, SimulatorConfig},
    },
};
use lingbao_model::{
    catalogue::Fulfiller,
    change::What,
    id::{RequestId, RequestItemId, ResourceId},
    quota::Dimension,
    request::{Decision, Status},
    resource::ServiceState,
    view::{
        request::{ChangeForm, LineForm},
        resource::{ResourceFilter, ResourceRow},
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    authz::Scope,
    clock::Clock as _,
    error::ServiceError,
    jobs::{LEASE_MS, Registry, run_until_idle},
    seed,
    service::{
        approval, cart,
        request::{change, detail, fixture::City, release, submit},
        resource,
    },
    storage::{Db, resource as rows, sql::Sql},
    testing::TestApp,
};

/// Lives that end by a kill.
const LIVES: u64 = 36;
/// So many kills at least must meet a saga at work.
const HITS: usize = 12;

/// What hangs on the hosts of an order, by its number.
const SHAPES: [&[Fulfiller]; 6] = [
    &[],
    &[Fulfiller::Volume],
    &[Fulfiller::Address],
    &[Fulfiller::Backup],
    &[Fulfiller::Volume, Fulfiller::Address, Fulfiller::Backup],
    &[Fulfiller::Volume, Fulfiller::Volume],
];

/// What was asked for of a kind of thing, and which parameter is its size.
const fn sized(kind: Fulfiller) -> Option<(What, &'static str)> {
    match kind {
        Fulfiller::Server => Some((What::Resize, "vcpus")),
        Fulfiller::Volume => Some((What::Extend, "size_gb")),
        Fulfiller::Backup => Some((What::Plan, "size_gb")),
        Fulfiller::Address | Fulfiller::People => None,
    }
}

/// Whether somebody who does one thing may be told so by whoever does another to the same thing.
fn told<T>(result: Result<T, ServiceError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(ServiceError::Conflict(_) | ServiceError::Invalid(_)) => None,
        Err(other) => panic!("{other:?}"),
    }
}

struct Story {
    city: City,
    config: SimulatorConfig,
    rng: StdRng,
    /// Kinds of the things that a request ordered.
    ordered: BTreeMap<RequestId, Vec<Fulfiller>>,
    /// The last size that was agreed to, by its parameter.
    sizes: BTreeMap<ResourceId, (&'static str, i64)>,
    given_back: BTreeMap<ResourceId, bool>,
    acts: u64,
}

/// One life of the process: pools, cloud and jobs of its own.
struct Life {
    app: TestApp,
    cloud: Simulator,
    jobs: Arc<Registry>,
}

impl Life {
    async fn begin(story: &Story, number: u64) -> Self {
        let db = Db::open(&story.city.db.config).await.unwrap();
        let told = story.city.app.clock.clone();
        let opened = Simulator::open("simulator", story.config.clone(), move || told.now());
        let cloud = opened.unwrap();
        let backends = Arc::new(Backends::default().with(cloud.clone()));
        Self {
            // Chance that no life before it had.
            app: story.city.app.again(&db, 1_000 + number, backends.clone()),
            jobs: Arc::new(super::wire(Registry::new(), &backends)),
            cloud,
        }
    }

    /// Two hands that work without an end.
    async fn work(&self) {
        tokio::join!(self.hand(), self.hand());
    }

    async fn hand(&self) {
        loop {
            run_until_idle(&self.app.app, &self.jobs).await.unwrap();
            self.app.clock.advance_ms(150);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Story {
    /// Somebody does something.
    async fn act(&mut self) {
        self.acts += 1;
        match self.acts % 4 {
            0 => self.give_back().await,
            2 => self.change().await,
            _ => self.order().await,
        }
        self.agree().await;
    }

    async fn order(&mut self) {
        let (city, cx) = (&self.city, self.city.cx(&self.city.clerk));
        let count: i64 = self.rng.random_range(1..=2);
        let shape = SHAPES[self.rng.random_range(0..SHAPES.len())];
        let view = city.cart(count).await;
        let (host, mut version) = (&view.lines[0].line.id, view.version);
        let mut kinds = vec![Fulfiller::Server; usize::try_from(count).unwrap()];
        for kind in shape {
            let form = LineForm {
                count: count.to_string(),
                ..beside(city, *kind, host)
            };
            let put = cart::put_line(&cx, &view.id, version, None, &form).await;
            version = put.unwrap().version;
            kinds.extend((0..count).map(|_| *kind));
        }
        kinds.sort_unstable();
        let view = cart::open(&cx, &view.id).await.unwrap();
        let sent = submit::submit(&cx, &view.id, view.version, None, &view.form_id).await;
        self.ordered.insert(sent.unwrap().request, kinds);
    }

    async fn running(&self) -> Vec<ResourceRow> {
        let filter = ResourceFilter {
            state: Some(ServiceState::Running),
            ..ResourceFilter::default()
        };
        let cx = self.city.cx(&self.city.clerk);
        resource::list(&cx, &filter).await.unwrap().rows
    }

    /// Another size for something that runs.
    async fn change(&mut self) {
        let rows = self.running().await;
        let rows: Vec<_> = rows.iter().filter(|row| sized(row.kind).is_some()).collect();
        if rows.is_empty() {
            return;
        }
        let row = rows[self.rng.random_range(0..rows.len())];
        let Some((what, key)) = sized(row.kind) else {
            return;
        };
        // A disk only grows, a host becomes smaller too.
        let size = match what {
            What::Resize => self.rng.random_range(1..=12),
            _ => 100 + 10 * i64::try_from(self.acts).unwrap(),
        };
        let mut typed = BTreeMap::from([(key.to_owned(), size.to_string())]);
        match what {
            What::Resize => {
                typed.insert("memory_gb".to_owned(), (2 * size).to_string());
            }
            What::Plan => {
                typed.insert("schedule".to_owned(), "daily".to_owned());
                typed.insert("keep_days".to_owned(), "7".to_owned());
            }
            _ => {}
        }
        let form = ChangeForm {
            what,
            typed,
            reason: "普查高峰".to_owned(),
        };
        let cx = self.city.cx(&self.city.clerk);
        let sent = change::create(&cx, &row.id, &form, &format!("size-{}", self.acts)).await;
        if told(sent).is_some() {
            self.sizes.insert(row.id.clone(), (key, size));
        }
    }

    /// Something that runs goes into the bin, or is erased at once.
    async fn give_back(&mut self) {
        let rows = self.running().await;
        if rows.is_empty() {
            return;
        }
        let id = rows[self.rng.random_range(0..rows.len())].id.clone();
        let (at_once, form) = (self.rng.random_bool(0.5), format!("back-{}", self.acts));
        let cx = self.city.cx(&self.city.clerk);
        let sent = release::create(&cx, std::slice::from_ref(&id), "系统下线", at_once, &form);
        if told(sent.await).is_some() {
            self.given_back.insert(id, at_once);
        }
    }

    /// Everybody who is asked agrees to everything.
    async fn agree(&self) {
        let city = &self.city;
        for _ in 0..2 {
            for signer in [&city.leader, &city.office, &city.security, &city.finance] {
                let cx = city.cx(signer);
                while approval::next_todo(&cx, None).await.unwrap().is_some() {
                    city.decide(signer, Decision::Approve).await;
                }
            }
        }
    }

    /// Sagas that stand as being worked on.
    async fn at_work(&self) -> i64 {
        let sql = "SELECT count(*) FROM job WHERE status = 'running' AND kind = 'saga.advance'";
        self.city.count(Sql::new(sql)).await
    }

    // ---- the end

    /// The last life comes to rest.
    async fn rest(&self, life: &Life) {
        for _ in 0..120 {
            run_until_idle(&life.app.app, &life.jobs).await.unwrap();
            self.agree().await;
            self.city.app.clock.advance_ms(60_000);
            let open = "SELECT count(*) FROM saga WHERE state IN ('running', 'unwinding')";
            let waits = "SELECT count(*) FROM request WHERE status IN ('in_approval', 'approved')";
            if self.city.count(Sql::new(open)).await + self.city.count(Sql::new(waits)).await == 0 {
                return;
            }
        }
        panic!("something does not come to its end");
    }

    async fn assert_whole(&self, life: &Life) {
        let city = &self.city;
        let cx = city.cx(&city.clerk);
        let scope = Scope::system(&city.app.system()).unwrap();
        // Of each order exactly what was ordered.
        for (request, kinds) in &self.ordered {
            let seen = detail::detail(&cx, request).await.unwrap();
            assert!(
                matches!(seen.row.status, Status::Delivered | Status::Closed),
                "{:?}",
                seen.row
            );
            let made = self.resources(request).await;
            let mut found = Vec::new();
            for id in &made {
                let mut rx = city.app.db.read().await.unwrap();
                let row = rows::get(&mut rx, &scope, id).await.unwrap().unwrap();
                found.push(row.kind);
            }
            found.sort_unstable();
            assert_eq!(&found, kinds, "{request}");
        }
        // What was given back is where it was to go, and of the rest each has its last size, here and there.
        let mut books = Vec::new();
        for id in self.all().await {
            let mut rx = city.app.db.read().await.unwrap();
            let row = rows::get(&mut rx, &scope, &id).await.unwrap().unwrap();
            drop(rx);
            let wanted = match self.given_back.get(&id) {
                Some(true) => ServiceState::Released,
                Some(false) if row.kind == Fulfiller::Address => ServiceState::Released,
                Some(false) => ServiceState::Recycled,
                None => ServiceState::Running,
            };
            assert_eq!(row.service, wanted, "{id}");
            if wanted == ServiceState::Released {
                continue;
            }
            let there = ExternalId(row.external_id.clone().unwrap());
            if let Some((key, size)) = self.sizes.get(&id) {
                let answer = row.answers.0.get(*key).unwrap().typed();
                assert_eq!(answer, size.to_string(), "{id}: {key}");
                let is = match row.kind {
                    Fulfiller::Server => match life.cloud.get(Kind::Server, &there).await {
                        Ok(Some(Object::Server(it))) => i64::from(it.spec.vcpus),
                        other => panic!("{other:?}"),
                    },
                    Fulfiller::Volume => match life.cloud.get(Kind::Volume, &there).await {
                        Ok(Some(Object::Volume(it))) => i64::from(it.spec.size_gb),
                        other => panic!("{other:?}"),
                    },
                    // The size of a plan is the portal's alone.
                    _ => *size,
                };
                assert_eq!(is, *size, "{id} in the cloud");
            }
            books.push(there.0);
        }
        let mut cloud = self.stands_in(life).await;
        books.sort();
        cloud.sort();
        assert_eq!(cloud, books, "nothing is nobody's, nothing is missing");
        city.assert_ledger().await;
        for dimension in Dimension::ALL {
            let now = city.standing(&city.vdc, *dimension).await;
            assert_eq!(now.held, 0, "{dimension}");
        }
        for sql in [
            "SELECT count(*) FROM job WHERE status = 'stuck'",
            "SELECT count(*) FROM saga WHERE state <> 'done'",
            "SELECT count(*) FROM fulfilment WHERE status <> 'delivered'",
            "SELECT count(*) FROM resource_action",
        ] {
            assert_eq!(city.count(Sql::new(sql)).await, 0, "{sql}");
        }
    }

    async fn resources(&self, request: &RequestId) -> Vec<ResourceId> {
        let sql = Sql::new("SELECT id FROM resource WHERE request_id = ").bind(request.as_str());
        ids(sql.all(&mut self.city.app.db.read().await.unwrap()).await.unwrap())
    }

    async fn all(&self) -> Vec<ResourceId> {
        let sql = Sql::new("SELECT id FROM resource ORDER BY id");
        ids(sql.all(&mut self.city.app.db.read().await.unwrap()).await.unwrap())
    }

    async fn stands_in(&self, life: &Life) -> Vec<String> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = life.cloud.list(None, cursor.as_deref()).await.unwrap();
            // The backups that plans make come in their own time.
            let things = page.objects.into_iter().filter(|o| {
                !matches!(
                    o,
                    Object::Project(_) | Object::Network(_) | Object::Backup(_)
                )
            });
            all.extend(things.map(|o| o.id().to_string()));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return all,
            }
        }
    }
}

fn ids(rows: Vec<(String,)>) -> Vec<ResourceId> {
    rows.into_iter().map(|(id,)| id.parse().unwrap()).collect()
}

/// A form of what hangs on a host.
fn beside(city: &City, kind: Fulfiller, host: &RequestItemId) -> LineForm {
    let (item, more): (_, &[(&str, &str)]) = match kind {
        Fulfiller::Address => ("N-EIP", &[("carrier", "telecom"), ("bandwidth_mbps", "2")]),
        Fulfiller::Backup => (
            "D-LB",
            &[
                ("size_gb", "100"),
                ("schedule", "weekly"),
                ("keep_days", "30"),
            ],
        ),
        _ => ("S-EVS", &[("disk_class", "ssd"), ("size_gb", "100")]),
    };
    let on = [("attach_to", host.as_str())];
    let own = on.iter().chain(more);
    LineForm {
        item: item.to_owned(),
        typed: own.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..city.disk(host)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_at_any_moment_leaves_exactly_what_was_ordered() {
    for city in City::all().await {
        let folder = tempfile::tempdir().unwrap();
        let latency = Latency {
            build_server_ms: 3_000,
            change_server_ms: 2_000,
            other_ms: 1_000,
            jitter_percent: 50,
        };
        let mut story = Story {
            config: seed::cloud(Some(folder.path().to_owned()), 7, latency),
            city,
            rng: StdRng::seed_from_u64(9),
            ordered: BTreeMap::new(),
            sizes: BTreeMap::new(),
            given_back: BTreeMap::new(),
            acts: 0,
        };
        let mut hits = 0;
        for number in 0..LIVES {
            let life = Life::begin(&story, number).await;
            let lives = Duration::from_millis(story.rng.random_range(20..120));
            for _ in 0..2 {
                story.act().await;
                // Dropped wherever it stands.
                assert!(tokio::time::timeout(lives, life.work()).await.is_err());
                hits += usize::from(story.at_work().await > 0);
            }
            drop(life);
            // Nobody takes the work of the dead before their lease is over.
            story.city.app.clock.advance_ms(LEASE_MS + 1_000);
        }
        assert!(hits >= HITS, "{hits} kills met a saga at work");
        let life = Life::begin(&story, LIVES).await;
        story.rest(&life).await;
        story.assert_whole(&life).await;
        assert!(story.ordered.len() > 20 && story.sizes.len() > 5 && story.given_back.len() > 5);
    }
}
