//! Taking in and undoing over the simulated cloud, on both engines.

use std::{collections::BTreeMap, sync::Arc};

use lingbao_backends::{
    Backends,
    provisioning::{
        Access as Login, Address, AddressSpec, Call, ExternalId, NetworkSpec, Object, OperationId,
        Outcome, ProjectSpec, Provisioner as _, Server, ServerSpec, Settled, Volume, VolumeSpec,
        simulator::{Latency, Simulator},
    },
};
use lingbao_model::{
    catalogue::Fulfiller,
    id::{ResourceId, UserId},
    money::Money,
    people::{Reach, Role},
    quota::Dimension,
    request::{Decision, Status},
    resource::{BillingState, EventKind, ServiceState},
    view::{
        difference::{Closing, DifferenceFilter, DifferenceKind, DifferenceRow, ThingKind},
        import::{self as sheets, COLUMNS, ImportPreview, ImportRow, Imported, MOST_TAKEN},
    },
};
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};

use super::{batches, detail, preview, propose, start, take, undo, workbook};
use crate::{
    app::Cx,
    authz::Scope,
    clock::Clock as _,
    error::ServiceError,
    fulfil,
    jobs::{Registry, run_until_idle},
    seed,
    service::{
        approval, difference, notice,
        request::{
            detail as requests,
            fixture::{City, add, give},
        },
    },
    storage::{
        difference::About,
        project,
        resource::{self, Resource},
        sql::Sql,
    },
};

const CLOUD: &str = "simulator";
/// Longer than from one round to the next.
const ROUND_MS: i64 = 6 * 60_000;
const DAY_MS: i64 = 24 * 60 * 60_000;
/// 4 cores at 46, 8 GB at 17, 40 GB at 0.70.
const PRICE: Money = Money::from_fen(34_800);

struct World {
    city: City,
    cloud: Simulator,
    jobs: Arc<Registry>,
    operator: UserId,
}

/// A server that somebody has built in the cloud itself.
fn spec(project: &ExternalId, network: &ExternalId, name: &str) -> ServerSpec {
    ServerSpec {
        project: project.clone(),
        pool: "public-general".into(),
        network: network.clone(),
        name: name.to_owned(),
        vcpus: 4,
        memory_gb: 8,
        system_disk_gb: 40,
        image: "kylin-v10".into(),
        flavour: None,
        security_preset: None,
        access: Login::OneTimePassword,
        user_data: None,
        metadata: BTreeMap::new(),
    }
}

fn made(outcome: Outcome<Settled>) -> Object {
    match outcome {
        Outcome::Done(Settled::Present(object)) => *object,
        other => panic!("{other:?}"),
    }
}

impl World {
    async fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for mut city in City::all().await {
            let told = city.app.clock.clone();
            let config = seed::cloud(None, 7, Latency::default());
            let cloud = Simulator::open(CLOUD, config, move || told.now()).unwrap();
            let backends = Arc::new(Backends::default().with(cloud.clone()));
            city.app = city.app.clone().with_backends(backends.clone());
            let jobs = Arc::new(fulfil::wire(Registry::new(), &backends));
            let operator = add(&city.app, "operator", &city.bureau).await;
            let reach = Reach::Site;
            give(&city.app, &operator, Role::Operator, &city.bureau, reach).await;
            all.push(Self {
                city,
                cloud,
                jobs,
                operator,
            });
        }
        all
    }

    fn cx(&self) -> Cx {
        self.city.cx(&self.operator)
    }

    async fn work(&self) {
        run_until_idle(&self.city.app.app, &self.jobs)
            .await
            .unwrap();
    }

    /// Time for a round passes.
    async fn next_round(&self) {
        self.city.app.clock.advance_ms(ROUND_MS);
        self.work().await;
    }

    /// A project in the cloud that the portal has not made, with its network.
    fn legacy(&self, key: &str) -> (ExternalId, ExternalId) {
        let call = Call::EnsureProject {
            spec: ProjectSpec {
                key: key.to_owned(),
                name: key.to_owned(),
            },
        };
        let op = OperationId(format!("project {key}"));
        let project = made(self.cloud.seed(vec![(op, call)]).remove(0))
            .id()
            .clone();
        let call = Call::EnsureNetwork {
            spec: NetworkSpec {
                project: project.clone(),
                key: key.to_owned(),
                name: key.to_owned(),
                cidr: "10.200.0.0/16".to_owned(),
            },
        };
        let op = OperationId(format!("network {key}"));
        let network = made(self.cloud.seed(vec![(op, call)]).remove(0))
            .id()
            .clone();
        (project, network)
    }

    fn build(&self, spec: ServerSpec) -> Server {
        let op = OperationId(format!("by hand {} {}", spec.project, spec.name));
        let call = Call::CreateServer { spec };
        let object = made(self.cloud.seed(vec![(op, call)]).remove(0));
        object.into_server().unwrap()
    }

    /// A disk that somebody has made in the cloud itself, beside a server.
    fn disk(&self, beside: &Server, name: &str) -> Volume {
        let spec = VolumeSpec {
            project: beside.spec.project.clone(),
            pool: beside.spec.pool.clone(),
            name: name.to_owned(),
            size_gb: 100,
            volume_type: Some("ssd".to_owned()),
        };
        let op = OperationId(format!("disk {} {name}", spec.project));
        let object = made(
            self.cloud
                .seed(vec![(op, Call::CreateVolume { spec })])
                .remove(0),
        );
        object.into_volume().unwrap()
    }

    /// A server with a disk and an address that hang on it, found by a round.
    async fn server_with_all(&self, key: &str) -> (Server, Volume, Address) {
        let server = self.strangers(key, 1).await.remove(0);
        let disk = self.disk(&server, &format!("{key} data"));
        let spec = AddressSpec {
            project: server.spec.project.clone(),
            pool: server.spec.pool.clone(),
            bandwidth_mbps: 2,
        };
        let op = OperationId(format!("address {key}"));
        let call = Call::AllocateAddress { spec };
        let address = made(self.cloud.seed(vec![(op, call)]).remove(0));
        let address = address.into_address().unwrap();
        let calls = [
            Call::AttachVolume {
                volume: disk.id.clone(),
                server: server.id.clone(),
            },
            Call::AssociateAddress {
                address: address.id.clone(),
                server: Some(server.id.clone()),
            },
        ];
        for (n, call) in calls.into_iter().enumerate() {
            let op = OperationId(format!("hang {key} {n}"));
            made(self.cloud.seed(vec![(op, call)]).remove(0));
        }
        self.next_round().await;
        (server, disk, address)
    }

    /// So many servers of a project that the portal knows nothing of, found by a round.
    async fn strangers(&self, key: &str, count: usize) -> Vec<Server> {
        let (project, network) = self.legacy(key);
        let servers = (0..count)
            .map(|n| self.build(spec(&project, &network, &format!("{key}-{n:03}"))))
            .collect();
        self.next_round().await;
        servers
    }

    async fn foreign(&self) -> Vec<DifferenceRow> {
        let filter = DifferenceFilter {
            limit: Some(200),
            ..DifferenceFilter::default()
        };
        let page = difference::list(&self.cx(), &filter).await.unwrap().page;
        assert!(
            page.rows.iter().all(|r| r.kind == DifferenceKind::Foreign),
            "{:#?}",
            page.rows
        );
        page.rows
    }

    async fn taken(&self, rows: &[ImportRow]) -> Result<Imported, ServiceError> {
        take(&self.cx(), rows, "").await
    }

    async fn preview(&self, rows: &[ImportRow]) -> ImportPreview {
        preview(&self.cx(), rows).await.unwrap()
    }

    async fn resources(&self) -> Vec<Resource> {
        let scope = Scope::system(&self.city.app.system()).unwrap();
        let mut rx = self.city.app.db.read().await.unwrap();
        let ids: Vec<(String,)> = Sql::new("SELECT id FROM resource ORDER BY id")
            .all(&mut rx)
            .await
            .unwrap();
        let mut all = Vec::new();
        for (id,) in ids {
            let id: ResourceId = id.parse().unwrap();
            all.extend(resource::get(&mut rx, &scope, &id).await.unwrap());
        }
        all
    }

    /// Every standing of the bureau.
    async fn account(&self) -> lingbao_model::quota::Account {
        let mut rx = self.city.app.db.read().await.unwrap();
        crate::storage::quota::account(&mut rx, &self.city.vdc)
            .await
            .unwrap()
    }

    async fn project(&self) -> Option<String> {
        let mut rx = self.city.app.db.read().await.unwrap();
        project::project(&mut rx, &self.city.vdc, CLOUD)
            .await
            .unwrap()
    }

    /// A host that the clerk orders; where it stands.
    async fn order(&self) -> Server {
        let city = &self.city;
        let view = city.cart(1).await;
        city.submit(&view).await.unwrap();
        for signer in [&city.leader, &city.office, &city.security, &city.finance] {
            while approval::next_todo(&city.cx(signer), None)
                .await
                .unwrap()
                .is_some()
            {
                city.decide(signer, Decision::Approve).await;
            }
        }
        self.work().await;
        let host = self.resources().await.pop().unwrap();
        let id = ExternalId(host.external_id.unwrap());
        let kind = lingbao_backends::provisioning::Kind::Server;
        let there = self.cloud.get(kind, &id).await.unwrap().unwrap();
        there.into_server().unwrap()
    }
}

fn row(server: &Server) -> ImportRow {
    ImportRow {
        cloud: CLOUD.to_owned(),
        external_id: server.id.to_string(),
        unit: "统计局".to_owned(),
        system: "经济普查平台".to_owned(),
        ..ImportRow::default()
    }
}

fn rows(servers: &[Server]) -> Vec<ImportRow> {
    (2..)
        .zip(servers)
        .map(|(line, server)| ImportRow {
            line,
            ..row(server)
        })
        .collect()
}

/// What stands in the way of the only row: column and key.
fn only(preview: &ImportPreview) -> (String, String) {
    assert_eq!(preview.lines.len(), 1);
    let errors = &preview.lines[0].errors;
    assert_eq!(errors.len(), 1, "{errors:#?}");
    (errors[0].field.clone(), errors[0].msg.key.to_string())
}

fn fields(result: Result<Imported, ServiceError>) -> Vec<String> {
    match result {
        Err(ServiceError::Invalid(errors)) => errors.into_iter().map(|e| e.field).collect(),
        other => panic!("{other:?}"),
    }
}

fn conflict<T: std::fmt::Debug>(result: Result<T, ServiceError>, key: &str) {
    match result {
        Err(ServiceError::Conflict(msg)) => assert_eq!(msg.key, key),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_a_cloud_becomes_a_units_as_if_ordered() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 2).await;
        let before = world.account().await;
        let seen = start(&world.cx(), Some(CLOUD), None, None, None)
            .await
            .unwrap();
        assert_eq!(seen.things.rows.len(), 2);
        let one = &seen.things.rows[0];
        assert_eq!((one.vcpus, one.memory_gb, one.disk_gb), (4, 8, 40));
        assert_eq!(one.project, servers[0].spec.project.to_string());
        assert_eq!(
            (one.owner.as_deref(), one.pool.as_str()),
            (None, "public-general")
        );

        // First it is shown, and nothing is written.
        let mut sheet = rows(&servers);
        sheet[1].name = "Ｄｂ-01".to_owned();
        sheet[1].expires = "２０２７年３月１日".to_owned();
        let shown = world.preview(&sheet).await;
        assert_eq!((shown.good, shown.month), (2, PRICE + PRICE));
        let plan = shown.lines[1].plan.clone().unwrap();
        assert_eq!(
            (plan.name.as_str(), plan.cloud_name.as_str()),
            ("db-01", "legacy-001")
        );
        assert_eq!(plan.expires.to_string(), "2027-03-01");
        assert_eq!(plan.project.as_deref(), None, "the first row brings it");
        assert!(shown.lines[0].plan.as_ref().unwrap().project.is_some());
        let vcpu = shown
            .quotas
            .iter()
            .find(|quota| quota.change.dimension == Dimension::Vcpu)
            .unwrap();
        assert_eq!((vcpu.change.before.used, vcpu.change.asked), (0, 8));
        assert_eq!(world.account().await, before);
        assert_eq!(world.resources().await.len(), 0);

        for row in &mut sheet {
            row.month = Some(PRICE);
        }
        let form = "form-of-the-import";
        let done = take(&world.cx(), &sheet, form).await.unwrap();
        assert_eq!((done.count, done.again), (2, false));
        // The same form again is the same batch.
        let again = take(&world.cx(), &sheet, form).await.unwrap();
        assert_eq!((again.batch, again.again), (done.batch.clone(), true));

        let all = world.resources().await;
        assert_eq!(all.len(), 2);
        let host = all.iter().find(|r| r.name == "db-01").unwrap();
        assert_eq!(
            (host.service, host.billing, host.month),
            (ServiceState::Running, BillingState::Billing, PRICE)
        );
        assert_eq!(host.billing_from, Some(host.delivered_at));
        assert_eq!(host.external_id.as_deref(), Some(servers[1].id.as_str()));
        assert_eq!(host.answers.text("image"), Some("kylin-v10"));
        let mut rx = world.city.app.db.read().await.unwrap();
        let events = resource::events(&mut rx, &host.id).await.unwrap();
        drop(rx);
        let kinds: Vec<EventKind> = events.iter().map(|e| e.kind).collect();
        for kind in [EventKind::TakenIn, EventKind::BillingStarted] {
            assert!(kinds.contains(&kind), "{kinds:?}");
        }
        let standing = world.city.standing(&world.city.vdc, Dimension::Vcpu).await;
        assert_eq!((standing.used, standing.held), (8, 0));
        world.city.assert_ledger().await;

        // Its unit reads it like any order, and was told.
        let leader = world.city.cx(&world.city.leader);
        let order = requests::detail(&leader, &host.request).await.unwrap();
        assert_eq!((order.row.status, order.lines.len()), (Status::Closed, 2));
        assert!(order.lines.iter().all(|line| line.pieces.len() == 1));
        assert_eq!(order.row.number, host.request_number);
        let told = notice::list(&leader, true, None, 10).await.unwrap().rows;
        assert_eq!(told[0].msg.key, "notice.taken_in");
        let listed = batches(&world.cx(), None, None).await.unwrap().rows;
        assert_eq!((listed.len(), listed[0].count), (1, 2));

        // The next round finds nothing, whatever they are called in the cloud.
        world.next_round().await;
        assert_eq!(world.foreign().await, []);
        let filter = DifferenceFilter {
            past: true,
            ..DifferenceFilter::default()
        };
        let past = difference::list(&world.cx(), &filter).await.unwrap();
        assert!(
            past.page
                .rows
                .iter()
                .all(|row| row.closing == Some(Closing::Adopted))
        );
        // What the unit orders from now on stands beside it, in the same project.
        let project = servers[0].spec.project.to_string();
        assert_eq!(world.project().await, Some(project.clone()));
        let ordered = world.order().await;
        assert_eq!(ordered.spec.project.to_string(), project);
        world.next_round().await;
        assert_eq!(world.foreign().await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undone_batch_leaves_no_trace_in_quota_and_is_foreign_again() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 3).await;
        let noted = world.foreign().await.remove(0);
        difference::note(&world.cx(), &noted.id, "留给普查")
            .await
            .unwrap();
        let (quota, foreign) = (world.account().await, world.foreign().await);
        let sheet = rows(&servers);
        let done = world.taken(&sheet).await.unwrap();
        let shown = detail(&world.cx(), &done.batch).await.unwrap();
        assert_eq!((shown.things.len(), shown.blocks.len()), (3, 0));
        world.city.app.clock.advance_ms(DAY_MS);
        undo(&world.cx(), &done.batch).await.unwrap();
        conflict(
            undo(&world.cx(), &done.batch).await,
            "import.undone_already",
        );
        world.city.assert_ledger().await;
        // A dimension that was never touched before has a row now, of zeros.
        for (pool, dimension, standing) in world.account().await.standings {
            assert_eq!(standing, quota.standing(&pool, dimension), "{dimension}");
        }
        for gone in world.resources().await {
            assert_eq!(
                (gone.service, gone.billing, gone.billing_from),
                (ServiceState::Released, BillingState::Stopped, None)
            );
            assert_eq!(gone.external_id, None);
        }
        assert_eq!(world.project().await, None);
        let told = |rows: &[DifferenceRow]| {
            let mut all: Vec<_> = rows
                .iter()
                .map(|r| {
                    let note = (r.note.clone(), r.noted_by.clone());
                    (r.external_id.clone(), r.said.clone(), r.first_seen, note)
                })
                .collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all
        };
        assert_eq!(told(&world.foreign().await), told(&foreign));
        world.next_round().await;
        assert_eq!(told(&world.foreign().await), told(&foreign));
        // The cloud was not touched, and they can be taken in anew.
        assert_eq!(world.cloud.list(None, None).await.unwrap().objects.len(), 5);
        let again = world.taken(&sheet).await.unwrap();
        assert_eq!(again.count, 3);
        world.city.assert_ledger().await;
        world.next_round().await;
        assert_eq!(world.foreign().await, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_is_nobodys_again_in_whatever_order_its_batches_are_undone() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 2).await;
        for first in [0, 1] {
            let mut done = Vec::new();
            for server in &servers {
                done.push(world.taken(&[row(server)]).await.unwrap().batch);
            }
            undo(&world.cx(), &done[first]).await.unwrap();
            let project = servers[0].spec.project.to_string();
            assert_eq!(world.project().await, Some(project), "one stands there");
            undo(&world.cx(), &done[1 - first]).await.unwrap();
            assert_eq!(world.project().await, None, "{first} first");
        }
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_undo_at_one_instant_the_second_is_told() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 2).await;
        let done = world.taken(&rows(&servers)).await.unwrap();
        let (one, two) = (world.cx(), world.cx());
        let (a, b) = tokio::join!(undo(&one, &done.batch), undo(&two, &done.batch));
        let (first, second) = if a.is_ok() { (a, b) } else { (b, a) };
        first.unwrap();
        conflict(second, "import.undone_already");
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_in_which_a_cloud_keeps_itself_become_no_units() {
    for world in World::all().await {
        for name in ["admin", "Service"] {
            let servers = world.strangers(name, 1).await;
            let mut own = row(&servers[0]);
            own.name = "web".to_owned();
            conflict(world.taken(&[own]).await, "import.project_reserved");
        }
        assert_eq!(world.project().await, None);
        assert_eq!(world.resources().await.len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vdc_whose_project_is_written_down_gets_no_other() {
    for world in World::all().await {
        let (db, vdc) = (&world.city.app.db, &world.city.vdc);
        for (answered, fits) in [("one", true), ("one", true), ("two", false)] {
            let mut tx = db.begin().await.unwrap();
            let saved = project::save_project(&mut tx, vdc, CLOUD, answered).await;
            assert_eq!(saved.is_ok(), fits, "{answered}: {saved:?}");
            if fits {
                tx.commit().await.unwrap();
            }
        }
        assert_eq!(world.project().await.as_deref(), Some("one"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_changed_since_or_long_ago_is_not_undone() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 2).await;
        let done = world.taken(&rows(&servers[..1])).await.unwrap();
        let late = world.taken(&rows(&servers[1..])).await.unwrap();
        let all = world.resources().await;
        let own = |host: &&Resource| host.external_id.as_deref() == Some(servers[0].id.as_str());
        let host = all.iter().find(own).unwrap();
        let app = &world.city.app;
        let cx = app.system();
        let mut tx = app.db.begin().await.unwrap();
        let renewed = EventKind::Renewed;
        resource::add_event(&mut tx, &cx.id(), &host.id, renewed, "system", cx.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let shown = detail(&world.cx(), &done.batch).await.unwrap();
        assert_eq!(shown.blocks[0].key, "import.touched.changed");
        conflict(
            undo(&world.cx(), &done.batch).await,
            "import.touched.changed",
        );
        world.city.app.clock.advance_ms(8 * DAY_MS);
        conflict(undo(&world.cx(), &late.batch).await, "import.undo_late");
        assert_eq!(
            world
                .city
                .standing(&world.city.vdc, Dimension::Vcpu)
                .await
                .used,
            8
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_is_not_where_the_cloud_has_the_host_is_refused_with_both_names() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 1).await;
        let server = &servers[0];
        let place = async |pools: &[&str]| {
            let about = About {
                project: server.spec.project.to_string(),
                zone: "az-2".to_owned(),
                pools: pools.iter().map(|&one| one.to_owned()).collect(),
                image: server.spec.image.clone(),
                disk_gb: server.spec.system_disk_gb,
                ..About::default()
            };
            let about = serde_json::to_string(&about).unwrap();
            let mut tx = world.city.app.db.begin().await.unwrap();
            Sql::new("UPDATE difference SET about = ")
                .bind(&*about)
                .push(" WHERE external_id = ")
                .bind(server.id.as_str())
                .run(&mut tx)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        };
        let own = ImportRow {
            pool: server.spec.pool.to_string(),
            ..row(server)
        };
        place(&["internet-general"]).await;
        let shown = world.preview(std::slice::from_ref(&own)).await;
        assert_eq!(only(&shown), ("pool".into(), "import.other_zone".into()));
        let msg = format!("{:?}", shown.lines[0].errors[0].msg);
        assert!(msg.contains("az-2") && msg.contains("通用池"), "{msg}");
        place(&[]).await;
        let shown = world.preview(std::slice::from_ref(&own)).await;
        assert_eq!(only(&shown).1, "import.other_zone");
        place(&["internet-general", server.spec.pool.as_str()]).await;
        let shown = world.preview(&[own]).await;
        assert_eq!(shown.good, 1, "{:?}", shown.lines[0].errors);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_says_why_it_can_not_be_taken_in() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 2).await;
        let own = row(&servers[0]);
        let check = async |change: fn(&mut ImportRow), field: &str, key: &str| {
            let mut row = own.clone();
            change(&mut row);
            let shown = world.preview(&[row]).await;
            assert_eq!(only(&shown), (field.to_owned(), key.to_owned()));
            assert_eq!(shown.good, 0);
        };
        check(|r| r.unit = "不存在局".into(), "unit", "import.no_unit").await;
        check(|r| r.system.clear(), "system", "error.required").await;
        check(|r| r.system = "x".into(), "system", "import.no_system").await;
        check(|r| r.pool = "x".into(), "pool", "import.no_pool").await;
        check(
            |r| r.pool = "互联网通用池".into(),
            "pool",
            "import.other_pool",
        )
        .await;
        check(|r| r.zone = "x".into(), "zone", "import.no_zone").await;
        check(|r| r.level = "五".into(), "level", "import.no_level").await;
        check(
            |r| r.level = "３级".into(),
            "pool",
            "placement.level_too_high",
        )
        .await;
        check(|r| r.item = "S-EVS".into(), "item", "import.no_item").await;
        check(|r| r.name = "9x".into(), "name", "error.hostname").await;
        check(|r| r.expires = "soon".into(), "expires", "import.no_day").await;
        check(
            |r| r.expires = "2026-11-20".into(),
            "expires",
            "import.day_past",
        )
        .await;
        check(
            |r| r.expires = "2028-01-01".into(),
            "expires",
            "import.day_far",
        )
        .await;
        check(
            |r| r.external_id = "x".into(),
            "external_id",
            "import.not_foreign",
        )
        .await;
        check(|r| r.cloud.clear(), "cloud", "error.required").await;
        check(
            |r| r.month = Some(Money::ZERO),
            "month",
            "import.price_changed",
        )
        .await;
        let column = |r: &mut ImportRow| drop(r.more.insert("colour".into(), "red".into()));
        check(column, "colour", "import.no_column").await;
        let cores = |r: &mut ImportRow| drop(r.more.insert("vcpus".into(), "2".into()));
        check(cores, "vcpus", "import.cloud_says").await;

        // The same thing twice, a size that is not sold, and one in a project of somebody else's.
        let shown = world.preview(&[own.clone(), own.clone()]).await;
        assert_eq!(shown.lines[1].errors[0].msg.key, "import.twice");
        let (project, network) = world.legacy("small");
        let mut tiny = spec(&project, &network, "tiny");
        tiny.system_disk_gb = 25;
        let tiny = world.build(tiny);
        world.next_round().await;
        let shown = world.preview(&[row(&tiny)]).await;
        assert_eq!(shown.lines[0].errors[0].field, "system_disk_gb");
        assert_eq!(
            world.taken(std::slice::from_ref(&own)).await.unwrap().count,
            1
        );
        let shown = world.preview(std::slice::from_ref(&own)).await;
        assert_eq!(only(&shown).1, "import.ours");
        let big = world.build(spec(&project, &network, "big"));
        world.next_round().await;
        let shown = world.preview(&[row(&big)]).await;
        assert_eq!(
            only(&shown),
            ("unit".into(), "import.second_project".into())
        );
        let county = ImportRow {
            unit: "东县".to_owned(),
            ..row(&servers[1])
        };
        let stranger = &world.city.stranger;
        world.city.new_system(stranger).await;
        let shown = world.preview(&[county]).await;
        assert_eq!(
            only(&shown),
            ("unit".into(), "import.anothers_project".into())
        );

        // What is gone since the round, or gone at the last moment, is not charged.
        let op = OperationId("gone".into());
        let server = servers[1].id.clone();
        let _ = world.cloud.seed(vec![(op, Call::DeleteServer { server })]);
        assert_eq!(world.preview(&[row(&servers[1])]).await.good, 1);
        let answer = fields(world.taken(&[row(&servers[1])]).await);
        assert_eq!(answer, ["rows[0].external_id"]);
        assert_eq!(fields(world.taken(&[]).await), ["rows"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_quota_is_told_row_by_row_and_nothing_is_written() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 3).await;
        world.city.only(Dimension::Vcpu, 9).await;
        let sheet = rows(&servers);
        let shown = world.preview(&sheet).await;
        assert_eq!(shown.good, 2);
        let short = &shown.lines[2].errors[0];
        assert_eq!(
            (short.field.as_str(), &*short.msg.key),
            ("quota", "verdict.over_quota")
        );
        let said = serde_json::to_string(&short.msg).unwrap();
        for part in ["dimension", "asked", "left"] {
            assert!(said.contains(part), "{said}");
        }
        assert_eq!(fields(world.taken(&sheet).await), ["rows[2].quota"]);
        assert_eq!(world.resources().await.len(), 0);
        assert_eq!(world.foreign().await.len(), 3);
        assert_eq!(world.taken(&sheet[..2]).await.unwrap().count, 2);
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_take_the_same_in_at_one_instant_make_one() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 4).await;
        let sheet = rows(&servers);
        let (one, two, three) = (world.cx(), world.cx(), world.cx());
        let other: Vec<ImportRow> = sheet.iter().rev().cloned().collect();
        let (a, b, c) = tokio::join!(
            take(&one, &sheet, ""),
            take(&two, &other, ""),
            take(&three, &sheet, "one-and-the-same-form")
        );
        let done: Vec<_> = [a, b, c].into_iter().filter_map(Result::ok).collect();
        assert_eq!(done.len(), 1, "{done:?}");
        assert_eq!(world.resources().await.len(), 4);
        world.city.assert_ledger().await;
        let standing = world.city.standing(&world.city.vdc, Dimension::Vcpu).await;
        assert_eq!(standing.used, 16);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_units_never_share_a_project_whoever_is_first() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 2).await;
        world.city.new_system(&world.city.stranger).await;
        let vdc = {
            let mut rx = world.city.app.db.read().await.unwrap();
            let units = crate::storage::import::units(&mut rx).await.unwrap();
            let county = units.into_iter().find(|u| u.name == "东县").unwrap();
            county.vdc.unwrap()
        };
        let cx = world.city.app.system();
        let mut tx = world.city.app.db.begin().await.unwrap();
        for dimension in Dimension::ALL {
            let operation = format!("hand:{dimension}");
            let from_to = (&world.city.city_vdc, &vdc);
            let pool = &world.city.pool;
            let fits = crate::storage::quota::hand(
                &mut tx, &cx, &operation, from_to, pool, *dimension, 1_000_000,
            );
            assert!(fits.await.unwrap());
        }
        tx.commit().await.unwrap();
        let county = ImportRow {
            unit: "东县".to_owned(),
            ..row(&servers[1])
        };
        let ours = [row(&servers[0])];
        let theirs = [county];
        let (one, two) = (world.cx(), world.cx());
        let (a, b) = tokio::join!(take(&one, &ours, ""), take(&two, &theirs, ""));
        assert_eq!(
            [&a, &b].into_iter().filter(|done| done.is_ok()).count(),
            1,
            "{a:?} {b:?}"
        );
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_are_taken_in_and_undone_at_once() {
    for world in World::all().await {
        let (project, network) = world.legacy("many");
        let calls = (0..MOST_TAKEN)
            .map(|n| {
                let spec = ServerSpec {
                    vcpus: 1,
                    memory_gb: 1,
                    ..spec(&project, &network, &format!("many-{n:03}"))
                };
                (
                    OperationId(format!("many {n}")),
                    Call::CreateServer { spec },
                )
            })
            .collect();
        let servers: Vec<Server> = world
            .cloud
            .seed(calls)
            .into_iter()
            .filter_map(|outcome| made(outcome).into_server())
            .collect();
        world.next_round().await;
        let sheet = rows(&servers);
        let began = std::time::Instant::now();
        let done = world.taken(&sheet).await.unwrap();
        let took = began.elapsed();
        assert_eq!(done.count, 500);
        world.city.assert_ledger().await;
        let used = world.city.standing(&world.city.vdc, Dimension::Vcpu).await;
        assert_eq!((used.used, used.held), (500, 0));
        world.next_round().await;
        assert_eq!(world.foreign().await, []);
        let began = std::time::Instant::now();
        undo(&world.cx(), &done.batch).await.unwrap();
        let engine = world.city.app.db.read().await.unwrap().engine();
        eprintln!(
            "{engine:?}: 500 taken in {} ms, undone {} ms",
            took.as_millis(),
            began.elapsed().as_millis()
        );
        world.city.assert_ledger().await;
        let more = vec![row(&servers[0]); MOST_TAKEN + 1];
        assert_eq!(fields(world.taken(&more).await), ["rows"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_operators_of_the_site_take_in_and_refusals_leave_a_trace() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 1).await;
        let sheet = rows(&servers);
        let done = world.taken(&sheet).await.unwrap();
        let county = add(&world.city.app, "county-operator", &world.city.bureau).await;
        let reach = Reach::Own;
        let bureau = &world.city.bureau;
        give(&world.city.app, &county, Role::Operator, bureau, reach).await;
        for user in [&world.city.clerk, &world.city.leader, &county] {
            let cx = world.city.cx(user);
            let refused = |result: Result<(), ServiceError>| {
                assert!(matches!(result, Err(ServiceError::Forbidden)), "{result:?}");
            };
            refused(preview(&cx, &sheet).await.map(drop));
            refused(start(&cx, None, None, None, None).await.map(drop));
            refused(propose(&cx, &[], &super::Wish::default()).await.map(drop));
            refused(batches(&cx, None, None).await.map(drop));
            refused(detail(&cx, &done.batch).await.map(drop));
            refused(take(&cx, &sheet, "").await.map(drop));
            refused(undo(&cx, &done.batch).await);
            refused(workbook(&cx, b"PK\x03\x04").await.map(drop));
        }
        let trail =
            "SELECT count(*) FROM audit_event WHERE outcome = 'refused' AND action LIKE 'import.%'";
        assert_eq!(world.city.count(Sql::new(trail)).await, 6);
        let done =
            "SELECT count(*) FROM audit_event WHERE outcome = 'done' AND action = 'import.take'";
        assert_eq!(world.city.count(Sql::new(done)).await, 2);
        let unknown = world.city.app.id();
        let result = undo(&world.cx(), &unknown).await;
        assert!(matches!(result, Err(ServiceError::NotFound)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_proposed_for_chosen_things_with_names_that_hosts_can_have() {
    for world in World::all().await {
        let (project, network) = world.legacy("legacy");
        world.build(spec(&project, &network, "Web Server 01（旧）"));
        world.next_round().await;
        let thing = world.foreign().await.remove(0);
        let wish = super::Wish {
            system: Some(world.city.system.clone()),
            item: "C-ECS".to_owned(),
            ..super::Wish::default()
        };
        let mut sheet = propose(&world.cx(), std::slice::from_ref(&thing.id), &wish)
            .await
            .unwrap();
        assert_eq!(sheet.len(), 1);
        assert_eq!(sheet[0].name, "web-server-01");
        assert_eq!(
            (sheet[0].unit.as_str(), sheet[0].system.as_str()),
            ("统计局", "经济普查平台")
        );
        assert_eq!(world.preview(&sheet).await.good, 1);
        sheet[0].name.clear();
        assert_eq!(only(&world.preview(&sheet).await).1, "import.needs_name");
        sheet[0].name = "web".to_owned();
        world.taken(&sheet).await.unwrap();
        world.next_round().await;
        assert_eq!(world.foreign().await, [], "it is compared by its own name");
        // The address in the list leads to the one thing.
        let one = start(&world.cx(), None, Some(&thing.id), None, None)
            .await
            .unwrap();
        assert_eq!(one.things.rows.len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workbook_is_taken_in_and_undone_and_its_bad_row_is_told_as_the_spreadsheet_shows_it() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 3).await;
        let mut book = Workbook::new();
        let page = book.add_worksheet();
        let codes = ["cloud", "external_id", "unit", "system", "expires"];
        for (column, code) in (0..).zip(codes) {
            page.write_string(1, column, code).unwrap();
        }
        let day = Format::new().set_num_format("yyyy/m/d");
        let date = ExcelDateTime::from_ymd(2027, 3, 1).unwrap();
        for (row, server) in (2..).zip(&servers) {
            let cells = [CLOUD, server.id.as_str(), "统计局", "经济普查平台"];
            for (column, cell) in (0..).zip(cells) {
                page.write_string(row, column, cell).unwrap();
            }
            page.write_datetime_with_format(row, 4, &date, &day)
                .unwrap();
        }
        let lost = Formula::new("=Z9").set_result("#REF!");
        page.write_formula(4, 2, lost).unwrap();
        let file = book.save_to_buffer().unwrap();

        let text = workbook(&world.cx(), &file).await.unwrap().unwrap();
        let code = |cell: &str| COLUMNS.iter().copied().find(|code| *code == cell);
        let sheet = sheets::read(&text, code).unwrap();
        let shown = world.preview(&sheet.rows).await;
        assert_eq!(shown.good, 2, "{:#?}", shown.lines);
        let plan = shown.lines[0].plan.as_ref().unwrap();
        assert_eq!(plan.expires.to_string(), "2027-03-01");
        let (line, errors) = (shown.lines[2].row.line, &shown.lines[2].errors);
        assert_eq!((line, errors.len()), (5, 1), "{errors:#?}");
        let (column, key) = (errors[0].field.as_str(), &*errors[0].msg.key);
        assert_eq!(
            (sheet.letters()[column].as_str(), key),
            ("C", "import.no_value")
        );

        assert_eq!(fields(world.taken(&sheet.rows).await), ["rows[2].unit"]);
        let done = world.taken(&sheet.rows[..2]).await.unwrap();
        assert_eq!(done.count, 2);
        world.city.assert_ledger().await;
        undo(&world.cx(), &done.batch).await.unwrap();
        assert_eq!(world.foreign().await.len(), 3);
        world.city.assert_ledger().await;

        // What is in a file decides, and what is wrong with it is said at the file.
        let other = workbook(&world.cx(), b"cloud,external_id\n").await;
        assert_eq!(other.unwrap(), None);
        let long = vec![b'a'; sheets::MOST_BYTES + 1];
        for file in [&file[..file.len() / 2], &long] {
            match workbook(&world.cx(), file).await {
                Err(ServiceError::Invalid(errors)) => assert_eq!(errors[0].field, "file"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_in_error_leaves_its_thing_to_a_good_one_below() {
    for world in World::all().await {
        let servers = world.strangers("legacy", 1).await;
        let good = row(&servers[0]);
        let bad = ImportRow {
            unit: "没有的单位".to_owned(),
            ..good.clone()
        };
        let shown = world.preview(&[bad, good.clone(), good]).await;
        assert_eq!(shown.good, 1, "{:#?}", shown.lines);
        let keys: Vec<Vec<&str>> = shown
            .lines
            .iter()
            .map(|line| line.errors.iter().map(|error| &*error.msg.key).collect())
            .collect();
        assert_eq!(keys, [vec!["import.no_unit"], vec![], vec!["import.twice"]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thing_is_named_by_its_id_or_its_name_and_several_of_one_name_are_listed() {
    for world in World::all().await {
        let (ours, here) = world.legacy("legacy");
        let (theirs, there) = world.legacy("other");
        let first = world.build(spec(&ours, &here, "first"));
        let twin = world.build(spec(&ours, &here, "twin"));
        let other = world.build(spec(&theirs, &there, "twin"));
        world.next_round().await;
        let by_name = |name: &str| ImportRow {
            external_id: name.to_owned(),
            ..row(&first)
        };
        let shown = world.preview(&[by_name(" first "), row(&first)]).await;
        assert_eq!(shown.good, 1, "{:#?}", shown.lines);
        let plan = shown.lines[0].plan.as_ref().unwrap();
        assert_eq!(plan.external_id, first.id.to_string());
        assert_eq!(&*shown.lines[1].errors[0].msg.key, "import.twice");

        let shown = world.preview(&[by_name("twin")]).await;
        assert_eq!(only(&shown), ("external_id".into(), "import.many".into()));
        let told = format!("{:?}", shown.lines[0].errors[0].msg);
        for part in [&twin.id, &other.id, &ours, &theirs] {
            assert!(told.contains(part.as_str()), "{told}");
        }
        assert_eq!(
            only(&world.preview(&[by_name("nobody")]).await).1,
            "import.not_foreign"
        );

        // Once the unit has its project, only what stands there can be meant.
        assert_eq!(world.taken(&[by_name("first")]).await.unwrap().count, 1);
        let shown = world.preview(&[by_name("twin")]).await;
        assert_eq!(shown.good, 1, "{:#?}", shown.lines);
        let plan = shown.lines[0].plan.as_ref().unwrap();
        assert_eq!(plan.external_id, twin.id.to_string());
        assert_eq!(world.taken(&[by_name("twin")]).await.unwrap().count, 1);
        world.city.assert_ledger().await;
    }
}

/// A row that names a thing and nothing else.
fn bare(line: i64, id: &ExternalId) -> ImportRow {
    ImportRow {
        line,
        cloud: CLOUD.to_owned(),
        external_id: id.to_string(),
        ..ImportRow::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_and_an_address_go_with_the_host_on_which_they_hang() {
    for world in World::all().await {
        let (server, disk, address) = world.server_with_all("legacy").await;
        let seen = start(&world.cx(), None, None, None, None).await.unwrap();
        let all = seen.things.rows;
        assert_eq!(all.len(), 3);
        let one = all.iter().find(|one| one.thing == ThingKind::Volume);
        let one = one.unwrap();
        assert_eq!(
            (one.disk_gb, one.class.as_deref(), one.state.as_str()),
            (100, Some("ssd"), "ready")
        );
        assert_eq!(one.hangs_on.as_deref(), Some(server.id.as_str()));

        // In whatever order they stand in the sheet; what hangs on a host names neither unit nor system.
        let host = ImportRow {
            line: 4,
            ..row(&server)
        };
        let sheet = [bare(2, &disk.id), bare(3, &address.id), host];
        assert_eq!(
            only(&world.preview(&sheet[..1]).await),
            ("external_id".into(), "import.host_foreign".into())
        );
        let shown = world.preview(&sheet).await;
        assert_eq!(shown.good, 3, "{:#?}", shown.lines);
        // 100 GB at 0.70, 2 Mbps at 20.
        let extra = Money::from_fen(7_000) + Money::from_fen(4_000);
        assert_eq!(shown.month, PRICE + extra);
        let plan = shown.lines[0].plan.as_ref().unwrap();
        assert_eq!(plan.host.as_deref(), Some("legacy-000"));
        assert_eq!(
            (plan.name.as_str(), plan.code.as_str()),
            ("legacy data", "S-EVS")
        );
        let done = world.taken(&sheet).await.unwrap();
        assert_eq!(done.count, 3);
        let all = world.resources().await;
        let of = |kind| all.iter().find(|one| one.kind == kind).unwrap();
        let host = of(Fulfiller::Server);
        for kind in [Fulfiller::Volume, Fulfiller::Address] {
            let one = of(kind);
            assert_eq!(one.attached_to.as_ref(), Some(&host.id), "{kind}");
            assert_eq!(
                (one.service, one.billing, &one.system, &one.placement),
                (
                    ServiceState::Running,
                    BillingState::Billing,
                    &host.system,
                    &host.placement
                )
            );
        }
        assert_eq!(of(Fulfiller::Volume).answers.integer("size_gb"), Some(100));
        let eip = of(Fulfiller::Address);
        assert_eq!(eip.address, Some(address.address.to_string()));
        let addresses = async || {
            let vdc = &world.city.vdc;
            world.city.standing(vdc, Dimension::Addresses).await.used
        };
        assert_eq!(addresses().await, 1);
        world.city.assert_ledger().await;
        // Nothing differs: neither what they are nor where they hang.
        world.next_round().await;
        assert_eq!(world.foreign().await, []);

        // They leave together, and are foreign again.
        undo(&world.cx(), &done.batch).await.unwrap();
        assert_eq!(addresses().await, 0);
        world.city.assert_ledger().await;
        world.next_round().await;
        assert_eq!(world.foreign().await.len(), 3);
        // One after the other: a host on which something hangs stays until that has gone.
        let first = world.taken(&sheet[2..]).await.unwrap().batch;
        let then = world.taken(&sheet[..2]).await.unwrap().batch;
        conflict(undo(&world.cx(), &first).await, "import.touched.attached");
        undo(&world.cx(), &then).await.unwrap();
        undo(&world.cx(), &first).await.unwrap();
        world.city.assert_ledger().await;
        assert_eq!(world.project().await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_on_a_host_stays_away_while_something_is_done_to_that() {
    for world in World::all().await {
        let (server, disk, _) = world.server_with_all("legacy").await;
        world.taken(&[row(&server)]).await.unwrap();
        let own = bare(2, &disk.id);
        assert_eq!(world.preview(std::slice::from_ref(&own)).await.good, 1);
        let host = world.resources().await.remove(0);
        let lies = async |state: ServiceState| {
            let mut tx = world.city.app.db.begin().await.unwrap();
            Sql::new("UPDATE resource SET service_state = ")
                .bind(state.as_str())
                .push(" WHERE id = ")
                .bind(host.id.as_str())
                .run(&mut tx)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        };
        lies(ServiceState::Recycled).await;
        let shown = world.preview(std::slice::from_ref(&own)).await;
        assert_eq!(
            only(&shown),
            ("external_id".into(), "import.host_busy".into())
        );
        assert_eq!(
            fields(world.taken(std::slice::from_ref(&own)).await),
            ["rows[0].external_id"]
        );
        lies(ServiceState::Running).await;
        assert_eq!(world.taken(&[own]).await.unwrap().count, 1);
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_alone_means_a_host_and_an_item_is_for_its_kind_of_thing() {
    for world in World::all().await {
        let (project, network) = world.legacy("legacy");
        let server = world.build(spec(&project, &network, "both"));
        let disk = world.disk(&server, "both");
        let nameless = world.disk(&server, "");
        world.next_round().await;
        let meant = async |item: &str| {
            let row = ImportRow {
                external_id: "both".to_owned(),
                item: item.to_owned(),
                ..row(&server)
            };
            let shown = world.preview(&[row]).await;
            assert_eq!(shown.good, 1, "{:#?}", shown.lines);
            shown.lines[0].plan.clone().unwrap().external_id
        };
        assert_eq!(meant("").await, server.id.to_string());
        assert_eq!(meant("s-evs").await, disk.id.to_string());
        let own = ImportRow {
            external_id: disk.id.to_string(),
            ..row(&server)
        };
        let check = async |change: fn(&mut ImportRow), field: &str, key: &str| {
            let mut row = own.clone();
            change(&mut row);
            let shown = world.preview(&[row]).await;
            assert_eq!(only(&shown), (field.to_owned(), key.to_owned()));
        };
        check(|r| r.item = "C-ECS".into(), "item", "import.no_item").await;
        check(|r| r.system.clear(), "system", "error.required").await;
        let hangs = |r: &mut ImportRow| drop(r.more.insert("attach_to".into(), "x".into()));
        check(hangs, "attach_to", "import.no_column").await;
        let size = |r: &mut ImportRow| drop(r.more.insert("size_gb".into(), "90".into()));
        check(size, "size_gb", "import.cloud_says").await;
        let mut unnamed = ImportRow {
            external_id: nameless.id.to_string(),
            ..row(&server)
        };
        let shown = world.preview(std::slice::from_ref(&unnamed)).await;
        assert_eq!(only(&shown).1, "import.needs_line");
        unnamed.name = "普查数据盘".to_owned();
        let both = [own, unnamed];
        assert_eq!(world.taken(&both).await.unwrap().count, 2);
        // They hang on nothing, and are compared by what they are called there.
        world.next_round().await;
        let left = world.foreign().await;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].thing, ThingKind::Server);
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_what_hangs_are_proposed_without_a_place_and_with_their_own_item() {
    for world in World::all().await {
        world.server_with_all("legacy").await;
        let all = world.foreign().await;
        let ids: Vec<_> = all.iter().map(|row| row.id.clone()).collect();
        let wish = super::Wish {
            system: Some(world.city.system.clone()),
            item: "C-ECS".to_owned(),
            ..super::Wish::default()
        };
        let sheet = propose(&world.cx(), &ids, &wish).await.unwrap();
        assert_eq!(sheet.len(), 3);
        for row in &sheet {
            let thing = all.iter().find(|one| one.external_id == row.external_id);
            let host = thing.unwrap().thing == ThingKind::Server;
            assert_eq!(row.system.is_empty(), !host);
            assert_eq!(row.item, if host { "C-ECS" } else { "" });
        }
        let lines = (2..)
            .zip(sheet)
            .map(|(line, row)| ImportRow { line, ..row });
        let sheet: Vec<ImportRow> = lines.collect();
        assert_eq!(world.taken(&sheet).await.unwrap().count, 3);
        world.city.assert_ledger().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bandwidth_that_the_cloud_does_not_tell_stands_in_a_column() {
    for world in World::all().await {
        let (server, _, address) = world.server_with_all("legacy").await;
        world.taken(&[row(&server)]).await.unwrap();
        let about = About {
            project: server.spec.project.to_string(),
            ..About::default()
        };
        let about = serde_json::to_string(&about).unwrap();
        let mut tx = world.city.app.db.begin().await.unwrap();
        Sql::new("UPDATE difference SET about = ")
            .bind(&*about)
            .push(" WHERE external_id = ")
            .bind(address.id.as_str())
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mut own = bare(2, &address.id);
        assert_eq!(
            only(&world.preview(std::slice::from_ref(&own)).await),
            ("bandwidth_mbps".into(), "import.cloud_silent".into())
        );
        own.more.insert("bandwidth_mbps".into(), "2".into());
        // Its pool is that of its host.
        let shown = world.preview(&[own]).await;
        assert_eq!(shown.good, 1, "{:#?}", shown.lines);
    }
}
