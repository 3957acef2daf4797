//! All rows of all tables as JSON, engine-independent: what a backup is made of.
//!
//! Names of tables and columns come from the database's own catalogue and are checked to be plain
//! before they stand in a statement; values are bound.
use futures::TryStreamExt;
use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;

use super::{ReadTx, Tx, db::Engine};
use crate::{error::StorageError, on};

/// Not carried over: sessions of that day must not come alive, changes are of seconds, and what was
/// written to the clouds is written anew.
const LEFT_OUT: &[&str] = &["_sqlx_migrations", "session", "change", "cloud_limit"];

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    columns: Vec<(String, Kind)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Flag,
}

fn plain(name: &str) -> Result<(), StorageError> {
    let fits = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if fits {
        Ok(())
    } else {
        Err(StorageError::inconsistent(
            "schema",
            "name",
            name,
            "no plain name",
        ))
    }
}

/// The tables that a backup holds, by name.
///
/// # Errors
/// What the database says; [`StorageError::Inconsistency`] for a column of a type that is not ours.
pub async fn tables(rx: &mut ReadTx) -> Result<Vec<Table>, StorageError> {
    let sql = match rx.engine() {
        Engine::Sqlite => {
            "SELECT m.name, p.name, lower(p.type) FROM sqlite_master m, pragma_table_info(m.name) p
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, p.cid"
        }
        Engine::Postgres => {
            "SELECT CAST(c.table_name AS TEXT), CAST(c.column_name AS TEXT), CAST(c.data_type AS TEXT)
             FROM information_schema.columns c
             JOIN information_schema.tables t USING (table_schema, table_name)
             WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'
             ORDER BY CAST(c.table_name AS TEXT) COLLATE \"C\", c.ordinal_position"
        }
    };
    let rows: Vec<(String, String, String)> =
        on!(rx, conn => sqlx::query_as(sql).fetch_all(conn).await)?;
    let mut all: Vec<Table> = Vec::new();
    for (table, column, kind) in rows {
        if LEFT_OUT.contains(&table.as_str()) {
            continue;
        }
        plain(&table)?;
        plain(&column)?;
        let kind = match kind.as_str() {
            "text" => Kind::Text,
            "bigint" => Kind::Integer,
            "boolean" => Kind::Flag,
            other => {
                return Err(StorageError::inconsistent("schema", "type", column, other));
            }
        };
        match all.last_mut().filter(|last| last.name == table) {
            Some(last) => last.columns.push((column, kind)),
            None => all.push(Table {
                name: table,
                columns: vec![(column, kind)],
            }),
        }
    }
    Ok(all)
}

/// Hands each row of a table on as JSON, without holding the table in memory.
///
/// # Errors
/// What the database says, and what `each` says.
pub async fn rows<E: From<StorageError>>(
    rx: &mut ReadTx,
    table: &Table,
    mut each: impl FnMut(&str) -> Result<(), E>,
) -> Result<u64, E> {
    let sql = match rx.engine() {
        Engine::Sqlite => {
            let pairs: Vec<_> = table
                .columns
                .iter()
                .map(|(name, _)| format!("'{name}', {name}"))
                .collect();
            format!(
                "SELECT json_object({}) FROM {}",
                pairs.join(", "),
                table.name
            )
        }
        Engine::Postgres => format!("SELECT CAST(row_to_json(t) AS TEXT) FROM {} t", table.name),
    };
    let mut count = 0;
    on!(rx, conn => {
        let mut stream = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch(conn);
        loop {
            match stream.try_next().await {
                Ok(Some(json)) => {
                    each(&json)?;
                    count += 1;
                }
                Ok(None) => break,
                Err(error) => return Err(StorageError::from(error).into()),
            }
        }
    });
    Ok(count)
}

/// Puts the checks of foreign keys off to [`settle`], because rows come in no order.
///
/// # Errors
/// What the database says.
pub async fn defer(tx: &mut Tx) -> Result<(), StorageError> {
    match tx.engine() {
        Engine::Sqlite => run(tx, "PRAGMA defer_foreign_keys = ON".to_owned()).await,
        Engine::Postgres => {
            each_foreign_key(tx, "DEFERRABLE INITIALLY DEFERRED").await?;
            run(tx, "SET CONSTRAINTS ALL DEFERRED".to_owned()).await
        }
    }
}

/// Checks the foreign keys. (SQLite does at the commit.)
///
/// # Errors
/// A row refers to one that is not there.
pub async fn settle(tx: &mut Tx) -> Result<(), StorageError> {
    if tx.engine() == Engine::Postgres {
        run(tx, "SET CONSTRAINTS ALL IMMEDIATE".to_owned()).await?;
        each_foreign_key(tx, "NOT DEFERRABLE").await?;
    }
    Ok(())
}

async fn each_foreign_key(tx: &mut Tx, how: &str) -> Result<(), StorageError> {
    let keys: Vec<(String, String)> = on!(tx, conn => sqlx::query_as(
        "SELECT CAST(r.relname AS TEXT), CAST(c.conname AS TEXT) FROM pg_constraint c
         JOIN pg_class r ON r.oid = c.conrelid
         WHERE c.contype = 'f' AND r.relnamespace = CAST(current_schema() AS regnamespace)")
        .fetch_all(conn).await)?;
    for (table, key) in keys {
        plain(&table)?;
        plain(&key)?;
        run(
            tx,
            format!("ALTER TABLE {table} ALTER CONSTRAINT {key} {how}"),
        )
        .await?;
    }
    Ok(())
}

async fn run(tx: &mut Tx, sql: String) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(AssertSqlSafe(sql)).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Takes all rows out of a table.
///
/// # Errors
/// What the database says.
pub async fn clear(tx: &mut Tx, table: &Table) -> Result<(), StorageError> {
    run(tx, format!("DELETE FROM {}", table.name)).await
}

/// Writes a row.
///
/// # Errors
/// What the database says; [`StorageError::Inconsistency`] for a column that the table does not
/// have, or a value of another type.
pub async fn insert(
    tx: &mut Tx,
    table: &Table,
    row: &Map<String, Value>,
) -> Result<(), StorageError> {
    let located = |reason: &str, column: &str| {
        StorageError::inconsistent("backup", "row", format!("{}.{column}", table.name), reason)
    };
    let known = |name: &String| table.columns.iter().any(|(column, _)| column == name);
    if let Some(unknown) = row.keys().find(|name| !known(name)) {
        return Err(located("this program knows no such column", unknown));
    }
    let names: Vec<_> = table
        .columns
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let places: Vec<_> = (1..=names.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({})",
        table.name,
        names.join(", "),
        places.join(", ")
    );
    on!(tx, conn => {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (name, kind) in &table.columns {
            let value = row.get(name).unwrap_or(&Value::Null);
            query = match (kind, value) {
                (Kind::Text, Value::String(text)) => query.bind(text.clone()),
                (Kind::Text, Value::Null) => query.bind(None::<String>),
                (Kind::Integer, Value::Null) => query.bind(None::<i64>),
                (Kind::Integer, value) => match value.as_i64() {
                    Some(number) => query.bind(number),
                    None => return Err(located("no whole number", name)),
                },
                (Kind::Flag, Value::Null) => query.bind(None::<bool>),
                (Kind::Flag, Value::Bool(flag)) => query.bind(*flag),
                // SQLite keeps a truth value as 0 or 1.
                (Kind::Flag, value) => match value.as_i64() {
                    Some(number) => query.bind(number != 0),
                    None => return Err(located("no truth value", name)),
                },
                (Kind::Text, _) => return Err(located("no text", name)),
            };
        }
        query.execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// Whether the portal has been used: there is a unit or an account.
///
/// # Errors
/// What the database says.
pub async fn in_use(rx: &mut ReadTx) -> Result<bool, StorageError> {
    let count: i64 = on!(rx, conn => sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM unit) + (SELECT count(*) FROM user_account)")
        .fetch_one(conn).await)?;
    Ok(count > 0)
}

/// The last request number of a day (`YYYYMMDD`), or the last number of a certificate (`XYYYYMMDD`).
///
/// # Errors
/// What the database says.
pub async fn last_number(rx: &mut ReadTx, day: &str) -> Result<i64, StorageError> {
    let last: Option<i64> = on!(rx, conn => sqlx::query_scalar(
        "SELECT last FROM request_counter WHERE day = $1").bind(day).fetch_optional(conn).await)?;
    Ok(last.unwrap_or(0))
}

/// Lets the numbers of a day go on after `last`.
///
/// # Errors
/// What the database says.
pub async fn set_last_number(tx: &mut Tx, day: &str, last: i64) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO request_counter (day, last) VALUES ($1, $2)
         ON CONFLICT (day) DO UPDATE SET last = excluded.last")
        .bind(day).bind(last).execute(conn).await.map(|_| ()))?;
    Ok(())
}
