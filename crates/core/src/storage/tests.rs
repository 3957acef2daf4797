use std::time::Duration;

use super::{Db, DbConfig, ReadTx, Tx, migrations};
use crate::{
    error::{Conflict, StorageError},
    on,
    testing::{TestDb, engines},
};

async fn put(tx: &mut Tx, id: &str, data: &str) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO session (id, data, created_at, seen_at, expires_at) VALUES ($1, $2, 1, 1, 1)")
        .bind(id).bind(data).execute(conn).await.map(|_| ()))?;
    Ok(())
}

async fn count(rx: &mut ReadTx) -> i64 {
    on!(rx, conn => sqlx::query_scalar("SELECT count(*) FROM session").fetch_one(conn).await)
        .unwrap()
}

#[tokio::test]
async fn a_write_transaction_reads_too_and_a_dropped_one_leaves_nothing() {
    for db in engines().await {
        let mut tx = db.begin().await.unwrap();
        put(&mut tx, "a", "{}").await.unwrap();
        assert_eq!(count(&mut tx).await, 1);
        tx.commit().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        put(&mut tx, "b", "{}").await.unwrap();
        drop(tx);
        assert_eq!(count(&mut db.read().await.unwrap()).await, 1);
    }
}

#[tokio::test]
async fn a_read_transaction_sees_one_moment_and_writes_nothing() {
    for db in engines().await {
        let mut rx = db.read().await.unwrap();
        assert_eq!(count(&mut rx).await, 0);
        let mut tx = db.begin().await.unwrap();
        put(&mut tx, "a", "{}").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count(&mut rx).await, 0);
        let refused = on!(&mut rx, conn => sqlx::query("DELETE FROM session")
            .execute(conn).await.map(|_| ()));
        assert!(refused.is_err());
        drop(rx);
        assert_eq!(count(&mut db.read().await.unwrap()).await, 1);
    }
}

#[tokio::test]
async fn a_taken_key_is_a_conflict() {
    for db in engines().await {
        let mut tx = db.begin().await.unwrap();
        put(&mut tx, "a", "{}").await.unwrap();
        let error = put(&mut tx, "a", "{}").await.unwrap_err();
        assert!(
            matches!(error, StorageError::Conflict(Conflict::Unique)),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn the_schema_says_its_version_and_migrating_again_changes_nothing() {
    for db in engines().await {
        assert_eq!(
            db.schema_version().await.unwrap(),
            migrations::needed(db.engine())
        );
        db.migrate().await.unwrap();
        db.ping().await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("empty.db").display());
    let empty = Db::open(&DbConfig::new(url)).await.unwrap();
    assert_eq!(empty.schema_version().await.unwrap(), 0);
}

#[tokio::test]
async fn a_second_server_on_one_file_is_refused_until_the_first_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("one.db").display());
    let config = DbConfig {
        exclusive: true,
        ..DbConfig::new(url)
    };
    let first = Db::open(&config).await.unwrap();
    let error = Db::open(&config).await.unwrap_err();
    assert!(matches!(&error, StorageError::Locked { path } if path.ends_with("one.db")));
    first.close().await;
    drop(first);
    Db::open(&config).await.unwrap();
}

#[tokio::test]
async fn a_full_file_is_said_to_be_full_and_keeps_what_it_had() {
    let small = TestDb::sqlite().await;
    let (used,): (i64,) = {
        let Db::Sqlite { writer, .. } = &small.db else {
            unreachable!()
        };
        sqlx::query_as("PRAGMA page_count")
            .fetch_one(writer)
            .await
            .unwrap()
    };
    small.close().await;
    let pages = u32::try_from(used).unwrap() + 4;
    let config = DbConfig {
        max_page_count: Some(pages),
        ..small.config.clone()
    };
    let db = Db::open(&config).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    put(&mut tx, "small", "{}").await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let error = put(&mut tx, "large", &"x".repeat(100_000))
        .await
        .unwrap_err();
    assert!(matches!(error, StorageError::Full(_)), "{error:?}");
    drop(tx);
    assert_eq!(count(&mut db.read().await.unwrap()).await, 1);
    // What fits is written afterwards as before, whoever rolled back.
    let mut tx = db.begin().await.unwrap();
    put(&mut tx, "fits", "{}").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&mut db.read().await.unwrap()).await, 2);
}

#[tokio::test]
async fn a_writer_waits_its_turn_and_then_says_busy() {
    let db = TestDb::sqlite().await;
    let config = DbConfig {
        wait: Duration::from_millis(200),
        ..db.config.clone()
    };
    let impatient = Db::open(&config).await.unwrap();
    let _held = db.begin().await.unwrap();
    let error = impatient.begin().await.unwrap_err();
    assert!(matches!(error, StorageError::Busy(_)), "{error:?}");
}

#[tokio::test]
async fn who_stands_in_the_queue_too_long_is_told_that_it_is_busy() {
    let db = TestDb::sqlite().await;
    let config = DbConfig {
        queue: Duration::from_millis(100),
        ..db.config.clone()
    };
    let short = Db::open(&config).await.unwrap();
    let _held = short.begin().await.unwrap();
    let error = short.begin().await.unwrap_err();
    assert!(matches!(error, StorageError::Busy(_)), "{error:?}");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_busy() {
    if let Some(db) = TestDb::postgres().await {
        let config = DbConfig {
            statement_timeout: Duration::from_millis(50),
            ..db.config.clone()
        };
        let Db::Postgres(pool) = Db::open(&config).await.unwrap() else {
            panic!("not PostgreSQL")
        };
        let error = sqlx::query("SELECT pg_sleep(5)")
            .execute(&pool)
            .await
            .unwrap_err();
        assert!(matches!(StorageError::from(error), StorageError::Busy(_)));
    }
}
