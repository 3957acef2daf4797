//! One SQL text for two engines.
//!
//! [`Db`] is a pool of connections to SQLite or PostgreSQL. A transaction is either a [`ReadTx`],
//! which can only read, or a [`Tx`], which can also write. A `Tx` *is* a `ReadTx` (it dereferences
//! to one), so a storage function that reads takes `&mut ReadTx` and may be called with either; one
//! that writes takes `&mut Tx`, and the compiler refuses to call it on a page that only looks.
//!
//! The macro [`on!`](crate::on) runs the same expression on whichever driver the transaction is of:
//!
//! ```
//! use lingbao_core::{error::StorageError, on, storage::{ReadTx, Tx}};
//!
//! #[derive(sqlx::FromRow)]
//! struct UnitRow { id: String, name: String, version: i64 }
//!
//! async fn get(rx: &mut ReadTx, id: &str) -> Result<Option<UnitRow>, StorageError> {
//!     on!(rx, conn => sqlx::query_as("SELECT id, name, version FROM unit WHERE id = $1")
//!         .bind(id).fetch_optional(conn).await)
//!         .map_err(StorageError::from)
//! }
//!
//! async fn rename(tx: &mut Tx, id: &str, name: &str, version: i64) -> Result<(), StorageError> {
//!     let done = on!(tx, conn => sqlx::query(
//!             "UPDATE unit SET name = $1, version = version + 1 WHERE id = $2 AND version = $3")
//!         .bind(name).bind(id).bind(version).execute(conn).await
//!         .map(|done| done.rows_affected()))?;
//!     StorageError::expect_version(done, "unit", id)
//! }
//!
//! # async fn example(db: &lingbao_core::storage::Db) -> Result<(), StorageError> {
//! let mut rx = db.read().await?;          // a page
//! let unit = get(&mut rx, "unt_1").await?;
//!
//! let mut tx = db.begin().await?;         // a change
//! if let Some(unit) = get(&mut tx, "unt_1").await? {   // the same reading function
//!     rename(&mut tx, &unit.id, "统计局", unit.version).await?;
//! }
//! tx.commit().await?;
//! # Ok(()) }
//! ```
//!
//! Things to note:
//! - The expression is compiled twice, once for each driver, so its result must be a type of ours:
//!   map `rows_affected()` inside it, as above.
//! - Dropping a transaction rolls it back. `commit` consumes it.
//! - After an error the transaction is dead on PostgreSQL. Never catch a unique violation and go on;
//!   write `ON CONFLICT … DO NOTHING` and look at the number of rows.
//! - On SQLite there is one writer: `begin` waits its turn (at most [`DbConfig::queue`]) and takes
//!   the write lock at once, so that a transaction which has begun never fails for want of a lock.
//!   Do no I/O of other kinds between `begin` and `commit`.
//! - A read transaction sees one moment on both engines.
//! - Portable SQL: TEXT, BIGINT and BOOLEAN only; `$1`; `CAST(SUM(x) AS BIGINT)`; every `ORDER BY`
//!   ends in the id; `LIKE` differs in case; constraint names do not exist on SQLite.
//! - Durability: SQLite runs WAL with `synchronous = FULL`, so a commit is on the disk when
//!   `commit` returns, exactly as with PostgreSQL's defaults; benchmarks compare like with like.
use std::{
    fs::File,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool,
    Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use tokio::sync::Notify;

use super::migrations;
use crate::error::StorageError;

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct DbConfig {
    /// `sqlite:///path/to/file.db` or `postgres://…`.
    pub url: String,
    /// Most connections at once (SQLite: of the reader pool; its writer is always one).
    pub max_connections: u32,
    /// How long to wait for a lock that another process holds before `Busy`.
    pub wait: Duration,
    /// How long to stand in the queue for a connection before `Busy`. On SQLite everybody who
    /// writes stands in one queue, so this is the longest burst of writes that is borne. With `wait`
    /// it ends before a request does.
    pub queue: Duration,
    /// PostgreSQL's `statement_timeout`.
    pub statement_timeout: Duration,
    /// PostgreSQL's `application_name`, seen by its administrators.
    pub application_name: String,
    /// PostgreSQL schema to work in; the server's default when absent.
    pub schema: Option<String>,
    /// Refuse to open a SQLite file that another process has opened exclusively. Set by whatever
    /// runs jobs or serves pages; left out by short commands that only read.
    pub exclusive: bool,
    /// SQLite: the file may not grow past this many pages (4 KiB each).
    pub max_page_count: Option<u32>,
}

impl DbConfig {
    /// The defaults around a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 8,
            wait: Duration::from_secs(5),
            queue: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(15),
            application_name: "lingbao".to_owned(),
            schema: None,
            exclusive: false,
            max_page_count: None,
        }
    }
}

/// Which of the two engines stands behind a [`Db`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The embedded one.
    Sqlite,
    /// The one that several copies of the server share.
    Postgres,
}

/// The pools. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    /// SQLite: many readers, one writer.
    Sqlite {
        /// Connections that refuse to write.
        reader: SqlitePool,
        /// The one connection that writes.
        writer: SqlitePool,
        /// Holds the advisory lock of the file for as long as any clone lives.
        lock: Option<Arc<File>>,
    },
    /// PostgreSQL.
    Postgres(PgPool),
}

/// A process that stands still in the middle of a transaction (stopped, swapped out, its machine
/// gone) must not hold its locks for longer than a job's lease, which is 30 s: PostgreSQL ends its
/// session before.
const IDLE_IN_TRANSACTION_MS: u32 = 20_000;

/// Begins a transaction even if the caller goes away meanwhile: a `BEGIN` that is called off half
/// way would go back into the pool as an open transaction, and the next caller would write into it.
async fn begun(
    pool: &PgPool,
    statement: &'static str,
) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, StorageError> {
    let pool = pool.clone();
    match tokio::spawn(async move { pool.begin_with(statement).await }).await {
        Ok(begun) => Ok(begun?),
        // The runtime is on its way down.
        Err(_) => Err(StorageError::Unavailable(sqlx::Error::PoolClosed)),
    }
}

impl Db {
    /// Opens the pools and makes sure that the database answers. Does not migrate.
    ///
    /// # Errors
    /// [`StorageError::Locked`] when another process holds the SQLite file exclusively;
    /// otherwise whatever connecting gives.
    pub async fn open(config: &DbConfig) -> Result<Self, StorageError> {
        if config.url.starts_with("sqlite:") {
            Self::open_sqlite(config).await
        } else {
            Self::open_postgres(config).await
        }
    }

    async fn open_sqlite(config: &DbConfig) -> Result<Self, StorageError> {
        let mut options = SqliteConnectOptions::from_str(&config.url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(config.wait);
        if let Some(pages) = config.max_page_count {
            options = options.pragma("max_page_count", pages.to_string());
        }
        let lock = if config.exclusive {
            Some(Arc::new(take_file_lock(options.get_filename())?))
        } else {
            None
        };
        // The writer first: it creates the file and switches it to WAL, which readers may not.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(config.queue)
            // A full disk makes SQLite roll back by itself, and sqlx 0.9 then counts the transaction as
            // open for ever: such a connection is replaced, or nothing would be written any more.
            .before_acquire(|conn, _| Box::pin(async move { Ok(!conn.is_in_transaction()) }))
            .connect_with(options.clone())
            .await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(config.queue)
            .connect_with(
                options
                    .pragma("query_only", "ON")
                    // KiB for each connection, where SQLite's own choice is two MiB: what one reader
                    // has read, the operating system keeps for all of them.
                    .pragma("cache_size", "-1024"),
            )
            .await?;
        Ok(Self::Sqlite {
            reader,
            writer,
            lock,
        })
    }

    async fn open_postgres(config: &DbConfig) -> Result<Self, StorageError> {
        let mut settings = vec![
            (
                "statement_timeout",
                format!("{}ms", config.statement_timeout.as_millis()),
            ),
            ("lock_timeout", format!("{}ms", config.wait.as_millis())),
            (
                "idle_in_transaction_session_timeout",
                format!("{IDLE_IN_TRANSACTION_MS}ms"),
            ),
        ];
        if let Some(schema) = &config.schema {
            settings.push(("search_path", schema.clone()));
        }
        let options = PgConnectOptions::from_str(&config.url)?
            .application_name(&config.application_name)
            .options(settings);
        let pool = PgPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(config.queue)
            .connect_with(options)
            .await?;
        let collation: String = sqlx::query_scalar(
            "SELECT datcollate FROM pg_database WHERE datname = current_database()",
        )
        .fetch_one(&pool)
        .await?;
        if !matches!(collation.as_str(), "C" | "POSIX" | "C.UTF-8" | "C.utf8") {
            tracing::warn!(
                collation,
                "the database should be created with collation C: lists may page in another order than on SQLite"
            );
        }
        Ok(Self::Postgres(pool))
    }

    /// Which engine this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self {
            Self::Sqlite { .. } => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// Begins a transaction that may write.
    ///
    /// # Errors
    /// [`StorageError::Busy`] when no connection (SQLite: the write lock) came free in time.
    pub async fn begin(&self) -> Result<Tx, StorageError> {
        let inner = match self {
            Self::Sqlite { writer, .. } => {
                ReadTx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?)
            }
            Self::Postgres(pool) => ReadTx::Postgres(begun(pool, "BEGIN").await?),
        };
        Ok(Tx { inner, wake: None })
    }

    /// Begins a transaction that only reads, and sees one moment.
    ///
    /// # Errors
    /// [`StorageError::Busy`] when no connection came free in time.
    pub async fn read(&self) -> Result<ReadTx, StorageError> {
        Ok(match self {
            Self::Sqlite { reader, .. } => ReadTx::Sqlite(reader.begin().await?),
            Self::Postgres(pool) => ReadTx::Postgres(
                begun(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?,
            ),
        })
    }

    /// Brings the schema up to what this program needs. Safe to call from several copies at once.
    ///
    /// # Errors
    /// A statement of a migration failed, or an applied migration differs from ours.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        let migrator = migrations::of(self.engine())?;
        match self {
            Self::Sqlite { writer, .. } => migrator.run(writer).await?,
            Self::Postgres(pool) => migrator.run(pool).await?,
        }
        Ok(())
    }

    /// The newest migration applied to the database; 0 for an empty one. Readiness compares it with
    /// [`migrations::needed`].
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn schema_version(&self) -> Result<i64, StorageError> {
        let mut rx = self.read().await?;
        let exists: i64 = match &mut rx {
            ReadTx::Sqlite(tx) => {
                sqlx::query_scalar(
                    "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'",
                )
                .fetch_one(&mut **tx)
                .await?
            }
            ReadTx::Postgres(tx) => {
                sqlx::query_scalar(
                    "SELECT count(*) FROM pg_tables WHERE tablename = '_sqlx_migrations'
                       AND schemaname = ANY (current_schemas(false))",
                )
                .fetch_one(&mut **tx)
                .await?
            }
        };
        if exists == 0 {
            return Ok(0);
        }
        Ok(crate::on!(&mut rx, conn => sqlx::query_scalar(
            "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success")
            .fetch_one(conn).await)?)
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// It gave none.
    pub async fn ping(&self) -> Result<(), StorageError> {
        let mut rx = self.read().await?;
        let _: i64 = crate::on!(&mut rx, conn => sqlx::query_scalar("SELECT CAST(1 AS BIGINT)")
            .fetch_one(conn).await)?;
        Ok(())
    }

    /// Closes the pools after the transactions that are still open.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { reader, writer, .. } => {
                reader.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Takes the advisory lock `<file>.lock`; the operating system frees it when the process ends,
/// however it ends.
fn take_file_lock(database: &Path) -> Result<File, StorageError> {
    let mut path = PathBuf::from(database).into_os_string();
    path.push(".lock");
    let path = PathBuf::from(path);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| StorageError::Driver(sqlx::Error::Io(error)))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StorageError::Locked {
            path: database.display().to_string(),
        }),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(StorageError::Driver(sqlx::Error::Io(error)))
        }
    }
}

/// A transaction that may only read.
#[derive(Debug)]
pub enum ReadTx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

impl ReadTx {
    /// The engine, for the few statements that must differ.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// The driver's connection: what [`on!`](crate::on) matches on.
    #[doc(hidden)]
    pub fn raw(&mut self) -> Raw<'_> {
        match self {
            Self::Sqlite(tx) => Raw::Sqlite(tx),
            Self::Postgres(tx) => Raw::Postgres(tx),
        }
    }
}

/// A transaction that may write; a [`ReadTx`] to every function that only reads.
#[derive(Debug)]
pub struct Tx {
    inner: ReadTx,
    wake: Option<Arc<Notify>>,
}

impl Tx {
    /// Makes the changes durable.
    ///
    /// # Errors
    /// The changes were not made: a deferred constraint, a lost connection, a full disk.
    pub async fn commit(self) -> Result<(), StorageError> {
        match self.inner {
            ReadTx::Sqlite(tx) => tx.commit().await?,
            ReadTx::Postgres(tx) => tx.commit().await?,
        }
        if let Some(wake) = self.wake {
            wake.notify_one();
        }
        Ok(())
    }

    /// Takes the changes back. Dropping does the same, a little later.
    ///
    /// # Errors
    /// The connection is lost (and with it the changes).
    pub async fn rollback(self) -> Result<(), StorageError> {
        match self.inner {
            ReadTx::Sqlite(tx) => tx.rollback().await?,
            ReadTx::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }

    /// Wakes somebody once the changes are there to be seen, and not if they never will be.
    pub fn wake_after_commit(&mut self, whom: &Arc<Notify>) {
        self.wake = Some(whom.clone());
    }
}

impl Deref for Tx {
    type Target = ReadTx;
    fn deref(&self) -> &ReadTx {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut ReadTx {
        &mut self.inner
    }
}

/// A borrowed driver connection.
#[doc(hidden)]
pub enum Raw<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

/// Runs an expression on whichever driver a transaction is of; see the [module](crate::storage::db).
#[macro_export]
macro_rules! on {
    ($tx:expr, $conn:ident => $body:expr) => {
        match $crate::storage::ReadTx::raw($tx) {
            $crate::storage::db::Raw::Sqlite($conn) => $body,
            $crate::storage::db::Raw::Postgres($conn) => $body,
        }
    };
}
