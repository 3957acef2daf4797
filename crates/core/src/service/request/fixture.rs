//! A small city for the tests of requests: a bureau, a county with a township, one person for each
//! part that is played, quota for everybody, the catalogue of a fresh installation.

use std::sync::Arc;

use lingbao_model::{
    catalogue::Publication,
    id::{
        GrantId, ItemId, PoolId, RequestId, RequestItemId, ResourceId, StepId, SystemId, UnitId,
        UserId, VdcId,
    },
    people::{Reach, Role, UnitKind, UnitLevel},
    price::Formula,
    quota::{Amounts, Dimension, Standing},
    request::Decision,
    view::request::{CardView, CartView, DecideAnswer, HeadForm, LineForm, Submitted},
    view::system::SystemForm,
};

use crate::{
    app::Cx,
    clock::Clock as _,
    error::ServiceError,
    service::{approval, cart, catalogue, request, system, unit},
    storage::{
        item, place, quota,
        request::{self as requests, Request},
        request_line, resource,
        sql::Sql,
        user::{self as users, New, NewGrant},
        vdc,
    },
    testing::{TestApp, TestDb, engines},
};

/// The city.
pub struct City {
    pub app: TestApp,
    pub bureau: UnitId,
    /// Orders for the bureau.
    pub clerk: UserId,
    /// Orders for the bureau too.
    pub colleague: UserId,
    /// Leads the bureau.
    pub leader: UserId,
    /// A second leader of the bureau.
    pub deputy: UserId,
    /// Examines for the cloud office.
    pub office: UserId,
    pub security: UserId,
    pub finance: UserId,
    /// Orders for the county: a stranger to the bureau.
    pub stranger: UserId,
    /// Orders for the township.
    pub villager: UserId,
    /// The system of the bureau.
    pub system: SystemId,
    /// Zone, level and pool of ordinary things.
    pub cell: String,
    /// The pool of that cell.
    pub pool: PoolId,
    /// For level three.
    pub cell_three: String,
    pub vdc: VdcId,
    pub city_vdc: VdcId,
    /// Where it stands.
    pub db: Arc<TestDb>,
}

impl City {
    /// One on each engine.
    pub async fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for db in engines().await {
            all.push(Self::on(db).await);
        }
        all
    }

    /// One on a database of its own kind.
    pub async fn on(db: TestDb) -> Self {
        let app = TestApp::on(&db);
        let cx = app.system();
        let make = async |parent: Option<&UnitId>, name: &str, level, kind| {
            let new = unit::NewUnit {
                parent: parent.cloned(),
                name: name.into(),
                short_name: String::new(),
                level,
                kind,
            };
            unit::create(&cx, new).await.unwrap()
        };
        let city = make(None, "甬城市", UnitLevel::City, UnitKind::Area).await;
        let gov = UnitKind::Government;
        let bureau = make(Some(&city), "统计局", UnitLevel::City, gov).await;
        let county = make(Some(&city), "东县", UnitLevel::County, UnitKind::Area).await;
        let township = make(Some(&county), "一镇", UnitLevel::Township, UnitKind::Area).await;
        let mut tx = app.db.begin().await.unwrap();
        catalogue::install_defaults(&mut tx, &cx, "simulator")
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mut rx = app.db.read().await.unwrap();
        let pools = place::pools(&mut rx).await.unwrap();
        let first = |unit: Vec<(VdcId, String)>| unit.into_iter().next().unwrap().0;
        let city_vdc = first(vdc::of_unit(&mut rx, &city).await.unwrap());
        let bureau_vdc = first(vdc::of_unit(&mut rx, &bureau).await.unwrap());
        drop(rx);
        let mut person = Vec::new();
        for (login, unit, role, reach) in [
            ("clerk", &bureau, Role::Applicant, Reach::Own),
            ("colleague", &bureau, Role::Applicant, Reach::Own),
            ("leader", &bureau, Role::DeptLeader, Reach::Subtree),
            ("deputy", &bureau, Role::DeptLeader, Reach::Subtree),
            ("office", &city, Role::Reviewer, Reach::Site),
            ("security", &city, Role::SecurityOfficer, Reach::Site),
            ("finance", &city, Role::Finance, Reach::Site),
            ("stranger", &county, Role::Applicant, Reach::Own),
            ("villager", &township, Role::Applicant, Reach::Own),
        ] {
            let id = add(&app, login, unit).await;
            give(&app, &id, role, unit, reach).await;
            person.push(id);
        }
        let mut people = person.into_iter();
        let mut next = || people.next().unwrap();
        let mut made = Self {
            clerk: next(),
            colleague: next(),
            leader: next(),
            deputy: next(),
            office: next(),
            security: next(),
            finance: next(),
            stranger: next(),
            villager: next(),
            system: app.id(),
            cell: format!("{}/2/{}", pools[0].zone, pools[0].id),
            pool: pools[0].id.clone(),
            cell_three: format!("{}/3/{}", pools[1].zone, pools[1].id),
            vdc: bureau_vdc,
            city_vdc,
            app,
            bureau,
            db: Arc::new(db),
        };
        for pool in pools {
            for dimension in Dimension::ALL {
                made.limit(&pool.id, *dimension, 100_000_000).await;
                made.hand(&pool.id, *dimension, 10_000_000).await;
            }
        }
        made.system = made.new_system(&made.clerk).await;
        made
    }

    pub fn cx(&self, user: &UserId) -> Cx {
        self.app.cx(user)
    }

    async fn limit(&self, pool: &PoolId, dimension: Dimension, amount: i64) {
        let cx = self.app.system();
        let mut tx = self.app.db.begin().await.unwrap();
        let operation = format!("limit:{:x}", self.app.random.bits());
        quota::set_limit(
            &mut tx,
            &cx,
            &operation,
            &self.city_vdc,
            pool,
            dimension,
            amount,
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    /// Hands quota on to the bureau, or takes it back.
    pub async fn hand(&self, pool: &PoolId, dimension: Dimension, amount: i64) {
        let cx = self.app.system();
        let mut tx = self.app.db.begin().await.unwrap();
        let operation = format!("hand:{:x}", self.app.random.bits());
        let from_to = (&self.city_vdc, &self.vdc);
        let fits = quota::hand(&mut tx, &cx, &operation, from_to, pool, dimension, amount)
            .await
            .unwrap();
        assert!(fits);
        tx.commit().await.unwrap();
    }

    /// Sets what the bureau has of one dimension in the ordinary pool.
    pub async fn only(&self, dimension: Dimension, amount: i64) {
        let now = self.standing(&self.vdc, dimension).await.limit;
        self.hand(&self.pool, dimension, amount - now).await;
    }

    pub async fn standing(&self, vdc: &VdcId, dimension: Dimension) -> Standing {
        let mut rx = self.app.db.read().await.unwrap();
        let account = quota::account(&mut rx, vdc).await.unwrap();
        account.standing(&self.pool, dimension)
    }

    /// The ledger adds up to the balances.
    pub async fn assert_ledger(&self) {
        let mut rx = self.app.db.read().await.unwrap();
        assert_eq!(quota::recount(&mut rx).await.unwrap(), []);
    }

    pub async fn new_system(&self, user: &UserId) -> SystemId {
        let form = SystemForm {
            name: "经济普查平台".into(),
            level: "2".into(),
            ..SystemForm::default()
        };
        system::create(&self.cx(user), &form).await.unwrap()
    }

    /// A form of a host of 4 cores and 8 GB for 348.00 a month.
    pub fn host(&self) -> LineForm {
        let typed = [
            ("arch", "general"),
            ("vcpus", "4"),
            ("memory_gb", "8"),
            ("image", "kylin-v10"),
            ("system_disk_gb", "40"),
            ("access", "password"),
        ];
        LineForm {
            item: "C-ECS".into(),
            name: "web".into(),
            cell: self.cell.clone(),
            typed: typed.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..LineForm::default()
        }
    }

    /// A form of a disk of 100 GB.
    pub fn disk(&self, on: &RequestItemId) -> LineForm {
        let typed = [
            ("attach_to", on.as_str()),
            ("disk_class", "ssd"),
            ("size_gb", "100"),
        ];
        LineForm {
            item: "S-EVS".into(),
            cell: self.cell.clone(),
            typed: typed.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..LineForm::default()
        }
    }

    /// A cart of the clerk with so many hosts in one line and everything that is needed.
    pub async fn cart(&self, hosts: i64) -> CartView {
        let form = LineForm {
            count: hosts.to_string(),
            ..self.host()
        };
        self.cart_with(&self.clerk, &self.system, &form, false)
            .await
    }

    pub async fn cart_with(
        &self,
        user: &UserId,
        system: &SystemId,
        form: &LineForm,
        with_quota_change: bool,
    ) -> CartView {
        let cx = self.cx(user);
        let id = cart::create(&cx).await.unwrap();
        let head = HeadForm {
            system: system.to_string(),
            title: "经济普查数据采集".into(),
            reason: "第五次全国经济普查".into(),
            with_quota_change,
        };
        let version = cart::save_head(&cx, &id, 1, &head).await.unwrap();
        cart::put_line(&cx, &id, version, None, form).await.unwrap();
        cart::open(&cx, &id).await.unwrap()
    }

    pub async fn submit(&self, cart: &CartView) -> Result<Submitted, ServiceError> {
        let cx = self.cx(&self.clerk);
        request::submit::submit(&cx, &cart.id, cart.version, None, &cart.form_id).await
    }

    /// A request of the clerk that waits for the leader of the bureau (two hosts).
    pub async fn waiting(&self) -> RequestId {
        let cart = self.cart(2).await;
        self.submit(&cart).await.unwrap().request
    }

    /// What the fulfilment would do to an approved request of one host: the host stands, the
    /// applicant is asked to confirm.
    pub async fn deliver(&self, id: &RequestId) -> ResourceId {
        let cx = self.app.system();
        let mut tx = self.app.db.begin().await.unwrap();
        let line = requests::lines(&mut tx, id).await.unwrap().remove(0);
        let resource: ResourceId = cx.id();
        let new = resource::New {
            id: &resource,
            unit: &self.bureau,
            vdc: &self.vdc,
            system: &self.system,
            request: id,
            item: &line.id,
            piece: 0,
            code: &line.code,
            item_version: line.version.as_str(),
            kind: line.kind,
            name: &line.name,
            placement: line.placement.as_ref(),
            backend: Some("simulator"),
            external_id: Some(resource.as_str()),
            address: None,
            attached_to: None,
            answers: &line.answers,
            amounts: &Amounts::default(),
            month: line.quote.each,
            price_version: line.price_version,
            delivered_at: cx.now(),
            expires_at: cx.now(),
        };
        resource::insert(&mut tx, &cx.id(), &new).await.unwrap();
        Sql::new("UPDATE request SET status = 'delivered', outcome = 'complete', settled_at = ")
            .bind(cx.now().millis())
            .push(", version = version + 1 WHERE id = ")
            .bind(id.as_str())
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        resource
    }

    /// The first to-do of a person.
    pub async fn todo(&self, user: &UserId) -> StepId {
        let next = approval::next_todo(&self.cx(user), None).await.unwrap();
        next.expect("a to-do")
    }

    pub async fn card(&self, user: &UserId) -> CardView {
        let step = self.todo(user).await;
        approval::card(&self.cx(user), &step).await.unwrap()
    }

    /// Decides on the first to-do of a person as its card shows it.
    pub async fn decide(&self, user: &UserId, decision: Decision) -> DecideAnswer {
        let card = self.card(user).await;
        self.decide_on(user, &card, decision).await.unwrap()
    }

    pub async fn decide_on(
        &self,
        user: &UserId,
        card: &CardView,
        decision: Decision,
    ) -> Result<DecideAnswer, ServiceError> {
        let opinion = "请补充说明";
        approval::decide(&self.cx(user), &card.step, decision, opinion, &card.digest).await
    }

    /// A thousand drafts of one host each, written straight into the tables.
    pub async fn thousand_drafts(&self) -> Vec<RequestId> {
        let model = self.cart(1).await;
        let cx = self.cx(&self.clerk);
        let mut tx = self.app.db.begin().await.unwrap();
        let draft = requests::of_applicant(&mut tx, &self.clerk, &model.id)
            .await
            .unwrap()
            .unwrap();
        let mut ids = Vec::new();
        for _ in 0..1000 {
            let id: RequestId = cx.id();
            let copy = Request {
                id: id.clone(),
                version: 1,
                ..draft.clone()
            };
            requests::insert(&mut tx, &copy).await.unwrap();
            let mut line = model.lines[0].line.clone();
            line.id = cx.id();
            request_line::put(&mut tx, &id, &line).await.unwrap();
            ids.push(id);
        }
        tx.commit().await.unwrap();
        ids
    }

    /// A new price of an item: one rate, in millionths of 分, in place of another.
    pub async fn price(&self, code: &str, from: &str, to: &str) {
        let mut tx = self.app.db.begin().await.unwrap();
        let row: (String, i64, String) = Sql::new(
            "SELECT p.item_id, p.number, p.formula FROM price_version p JOIN item i ON i.id = p.item_id
             WHERE p.state = 'published' AND i.code = ",
        )
        .bind(code)
        .optional(&mut tx)
        .await
        .unwrap()
        .unwrap();
        let id: ItemId = row.0.parse().unwrap();
        assert!(row.2.contains(from), "{}", row.2);
        let formula: Formula = serde_json::from_str(&row.2.replace(from, to)).unwrap();
        Sql::new("UPDATE price_version SET state = 'retired' WHERE item_id = ")
            .bind(&*row.0)
            .run(&mut tx)
            .await
            .unwrap();
        let (state, at) = (Publication::Published, self.app.clock.now());
        item::insert_price(&mut tx, &id, row.1 + 1, &formula, state, "system", at)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn count(&self, sql: Sql) -> i64 {
        let mut rx = self.app.db.read().await.unwrap();
        sql.number(&mut rx).await.unwrap()
    }
}

/// An account without a password that opens anything.
pub async fn add(app: &TestApp, login: &str, unit: &UnitId) -> UserId {
    let id: UserId = app.id();
    let mut tx = app.db.begin().await.unwrap();
    let new = New {
        id: &id,
        login,
        name: login,
        unit,
        phone: "0000-1",
        hash: "-",
        must_change: false,
        now: app.clock.now(),
    };
    assert!(users::insert(&mut tx, &new).await.unwrap());
    tx.commit().await.unwrap();
    id
}

/// Gives a role, whoever may hold it.
pub async fn give(app: &TestApp, user: &UserId, role: Role, unit: &UnitId, reach: Reach) {
    let id: GrantId = app.id();
    let mut tx = app.db.begin().await.unwrap();
    let new = NewGrant {
        id: &id,
        user,
        role,
        unit,
        reach,
        by: "system",
        now: app.clock.now(),
    };
    users::insert_grant(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
}
