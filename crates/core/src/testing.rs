//! What tests stand on: both engines, a clock that is told the time, a generator that repeats.
//!
//! ```ignore
//! for db in testing::engines().await {
//!     let app = TestApp::on(&db);
//!     let mut tx = app.db.begin().await.unwrap();
//!     // …
//!     app.clock.advance_ms(60_000);
//! }
//! ```
//!
//! SQLite is always tested, each test on a file of its own. PostgreSQL joins when
//! `LINGBAO_TEST_POSTGRES` holds a URL; each test works in a schema of its own, which the next
//! `TestDb` to be dropped leaves behind for the private server to throw away.
#![expect(
    clippy::unwrap_used,
    reason = "a test that can't be set up should stop at once"
)]
use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{
        Call, Capabilities, Capacity, ExternalId, Kind, Object, OperationId, OperationState,
        Outcome, Page, PollToken, PoolRef, Provisioner, ReadError, Secret, Settled, Usage,
        simulator::Simulator,
    },
};
use lingbao_model::{
    id::{SiteCode, UserId},
    time::Timestamp,
};

use crate::{
    app::{Actor, App, Cx, Random},
    clock::{Clock, MockClock},
    crypto::StandardCrypto,
    storage::{Db, DbConfig},
    usage::Metering,
};

/// When tests begin: 2026-11-20 09:00 in Shanghai, a Friday.
pub const START: Timestamp = Timestamp::from_millis(1_795_136_400_000);

/// A migrated database of one test.
#[derive(Debug)]
pub struct TestDb {
    /// The pools.
    pub db: Db,
    /// How it was opened, to open it a second time as another copy of the server would.
    pub config: DbConfig,
    _folder: Option<tempfile::TempDir>,
}

impl Deref for TestDb {
    type Target = Db;
    fn deref(&self) -> &Db {
        &self.db
    }
}

impl TestDb {
    /// A fresh SQLite file.
    pub async fn sqlite() -> Self {
        Self::sqlite_with(|_| {}).await
    }

    /// The same, opened in a way of one's own.
    pub async fn sqlite_with(change: impl FnOnce(&mut DbConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let mut config = DbConfig::new(url);
        change(&mut config);
        Self::open(config, Some(folder)).await
    }

    /// A fresh schema on the PostgreSQL of `LINGBAO_TEST_POSTGRES`, if there is one.
    pub async fn postgres() -> Option<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let url = std::env::var("LINGBAO_TEST_POSTGRES").ok()?;
        let schema = format!(
            "t{}_{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let config = DbConfig {
            schema: Some(schema.clone()),
            ..DbConfig::new(url)
        };
        let admin = sqlx::PgPool::connect(&config.url).await.unwrap();
        for sql in [
            format!("DROP SCHEMA IF EXISTS {schema} CASCADE"),
            format!("CREATE SCHEMA {schema}"),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .execute(&admin)
                .await
                .unwrap();
        }
        admin.close().await;
        Some(Self::open(config, None).await)
    }

    async fn open(config: DbConfig, folder: Option<tempfile::TempDir>) -> Self {
        let db = Db::open(&config).await.unwrap();
        db.migrate().await.unwrap();
        Self {
            db,
            config,
            _folder: folder,
        }
    }
}

impl TestDb {
    /// Fills the file of an embedded database: it may not grow any more, and what was free in it is
    /// taken. Where a bound of one's own is set ([`DbConfig::max_page_count`]) it grows up to that, and
    /// connections that are opened afterwards find it full too.
    pub async fn fill(&self) {
        let Db::Sqlite { writer, .. } = &self.db else {
            return;
        };
        let bytes = "CREATE TABLE IF NOT EXISTS filler (bytes BLOB NOT NULL)";
        sqlx::query(bytes).execute(writer).await.unwrap();
        if self.config.max_page_count.is_none() {
            // The number of pages never falls below what there is.
            let bound = "PRAGMA max_page_count = 1";
            sqlx::query(bound).execute(writer).await.unwrap();
        }
        let mut size = 1 << 22;
        while size > 8 {
            let insert = sqlx::query("INSERT INTO filler (bytes) VALUES (zeroblob($1))");
            if insert.bind(size).execute(writer).await.is_err() {
                size /= 2;
            }
        }
    }

    /// Takes away what [`Self::fill`] has put there.
    pub async fn make_room(&self) {
        if let Db::Sqlite { writer, .. } = &self.db {
            let all = sqlx::query("DELETE FROM filler");
            all.execute(writer).await.unwrap();
        }
    }
}

/// A fresh database on each engine that is there.
pub async fn engines() -> Vec<TestDb> {
    let mut all = vec![TestDb::sqlite().await];
    all.extend(TestDb::postgres().await);
    all
}

/// An [`App`] of a test, with its clock in hand.
#[derive(Debug, Clone)]
pub struct TestApp {
    /// The application.
    pub app: Arc<App>,
    /// Its clock.
    pub clock: Arc<MockClock>,
}

impl Deref for TestApp {
    type Target = Arc<App>;
    fn deref(&self) -> &Arc<App> {
        &self.app
    }
}

impl TestApp {
    /// An application on `db`, at [`START`], with seed 42.
    #[must_use]
    pub fn on(db: &Db) -> Self {
        Self::with_seed(db, 42)
    }

    /// The same with another seed: a second copy of the server.
    #[must_use]
    pub fn with_seed(db: &Db, seed: u64) -> Self {
        let clock = Arc::new(MockClock::new(START));
        let shown: Arc<dyn Clock> = clock.clone();
        let app = App::with(
            db.clone(),
            SiteCode::try_from("tt".to_owned()).unwrap(),
            Arc::new(StandardCrypto::new(&[42; 32])),
            shown,
            Random::from_seed(seed),
        );
        Self {
            app: Arc::new(app),
            clock,
        }
    }

    /// The same application with clouds to ask.
    #[must_use]
    pub fn with_backends(self, backends: Arc<Backends>) -> Self {
        let app = App::with(
            self.app.db.clone(),
            self.app.site.clone(),
            self.app.crypto.clone(),
            self.app.clock.clone(),
            Random::from_seed(43),
        );
        Self {
            app: Arc::new(app.with_backends(backends)),
            ..self
        }
    }

    /// The same application, its surroundings otherwise.
    fn with(self, change: impl FnOnce(App) -> App) -> Self {
        let app = App::with(
            self.app.db.clone(),
            self.app.site.clone(),
            self.app.crypto.clone(),
            self.app.clock.clone(),
            Random::from_seed(44),
        );
        let app = app.with_backends(self.app.backends.clone());
        Self {
            app: Arc::new(change(app)),
            ..self
        }
    }

    /// The same application with another time in the recycle bin.
    #[must_use]
    pub fn with_keep_days(self, days: i64) -> Self {
        self.with(|app| app.with_keep_days(days))
    }

    /// The same application with a telephone for help.
    #[must_use]
    pub fn with_phone(self, phone: &str) -> Self {
        self.with(|app| app.with_phone(phone))
    }

    /// The same application with something that measures the hosts.
    #[must_use]
    pub fn with_usage(self, usage: Metering) -> Self {
        self.with(|app| app.with_usage(Some(Arc::new(usage))))
    }

    /// The surroundings of an act by this user.
    #[must_use]
    pub fn cx(&self, user: &UserId) -> Cx {
        Cx::new(self.app.clone(), Actor::User(user.clone()))
    }
}

/// Where the consoles of [`WithConsoles`] are.
pub const CONSOLE: &str = "https://console.cloud.test/vnc?token=sesame";

/// A simulated cloud that has consoles, as a real one has.
#[derive(Debug, Clone)]
pub struct WithConsoles(pub Simulator);

#[async_trait]
impl Provisioner for WithConsoles {
    fn name(&self) -> &str {
        self.0.name()
    }
    async fn capabilities(&self) -> Result<Capabilities, ReadError> {
        let able = self.0.capabilities().await?;
        Ok(Capabilities {
            console: true,
            ..able
        })
    }
    async fn capacity(&self, pool: &PoolRef) -> Result<Capacity, ReadError> {
        self.0.capacity(pool).await
    }
    async fn health(&self) -> Result<(), ReadError> {
        self.0.health().await
    }
    async fn execute(&self, op: &OperationId, call: Call) -> Outcome<Settled> {
        self.0.execute(op, call).await
    }
    async fn poll(&self, token: &PollToken) -> Outcome<Settled> {
        self.0.poll(token).await
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
    async fn console(&self, _: &ExternalId) -> Result<Option<Secret>, ReadError> {
        self.0.health().await?;
        Ok(Some(Secret(CONSOLE.to_owned())))
    }
    async fn usage(&self, server: &ExternalId) -> Result<Option<Usage>, ReadError> {
        self.0.usage(server).await
    }
}
