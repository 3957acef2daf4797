//! All rows of a database, read without knowing a table: what a submit writes is found by looking at
//! the rows before and after it.
use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgPool, Row, SqlitePool};

use crate::Failure;

/// A value of one of the three types that the portal stores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// TEXT.
    Text(Option<String>),
    /// BIGINT.
    Number(Option<i64>),
    /// BOOLEAN.
    Flag(Option<bool>),
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns with their types, in the order of [`Rows`].
    pub columns: Vec<(String, String)>,
    /// Which columns are the primary key.
    pub key: Vec<usize>,
}

/// The rows of a table by their key.
pub type Rows = BTreeMap<Vec<Value>, Vec<Value>>;

/// A database that is written without the portal between.
#[derive(Debug, Clone)]
pub enum Pool {
    /// The embedded one: one connection, as the portal has one for writing.
    Sqlite(SqlitePool),
    /// The other.
    Postgres(PgPool),
}

/// The same expression on whichever driver it is.
macro_rules! either {
    ($pool:expr, $it:ident => $e:expr) => {
        match $pool {
            $crate::rows::Pool::Sqlite($it) => $e,
            $crate::rows::Pool::Postgres($it) => $e,
        }
    };
}

impl Pool {
    /// The tables with their columns and keys.
    pub async fn tables(&self) -> Result<Vec<Table>, Failure> {
        let sql = match self {
            Self::Sqlite(_) => {
                "SELECT m.name, c.name, upper(c.type), c.pk > 0
                 FROM sqlite_master m JOIN pragma_table_info(m.name) c
                 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.cid"
            }
            Self::Postgres(_) => {
                "SELECT c.table_name::text, c.column_name::text, upper(c.data_type::text), EXISTS (
                   SELECT 1 FROM information_schema.table_constraints t
                   JOIN information_schema.key_column_usage k
                     ON k.constraint_name = t.constraint_name AND k.table_schema = t.table_schema
                   WHERE t.constraint_type = 'PRIMARY KEY' AND k.table_schema = c.table_schema
                     AND k.table_name = c.table_name AND k.column_name = c.column_name)
                 FROM information_schema.columns c WHERE c.table_schema = current_schema()
                 ORDER BY c.table_name, c.ordinal_position"
            }
        };
        let rows: Vec<(String, String, String, bool)> =
            either!(self, pool => sqlx::query_as(sql).fetch_all(pool).await)?;
        let mut tables: Vec<Table> = Vec::new();
        for (table, column, kind, key) in rows {
            if table == "_sqlx_migrations" {
                continue;
            }
            if tables.last().is_none_or(|last| last.name != table) {
                tables.push(Table {
                    name: table,
                    columns: Vec::new(),
                    key: Vec::new(),
                });
            }
            if let Some(last) = tables.last_mut() {
                if key {
                    last.key.push(last.columns.len());
                }
                last.columns.push((column, kind));
            }
        }
        tables.retain(|table| !table.key.is_empty());
        Ok(tables)
    }

    /// All rows of a table.
    pub async fn read(&self, table: &Table) -> Result<Rows, Failure> {
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| &**name).collect();
        let sql = format!("SELECT {} FROM {}", names.join(", "), table.name);
        let rows: Vec<Vec<Value>> = either!(self, pool => {
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(pool).await?;
            let mut all = Vec::with_capacity(rows.len());
            for row in rows {
                let mut values = Vec::with_capacity(table.columns.len());
                for (n, (column, kind)) in table.columns.iter().enumerate() {
                    values.push(match kind.as_str() {
                        "TEXT" => Value::Text(row.try_get(n)?),
                        "BIGINT" => Value::Number(row.try_get(n)?),
                        "BOOLEAN" => Value::Flag(row.try_get(n)?),
                        other => return Err(format!("{}.{column} is {other}", table.name).into()),
                    });
                }
                all.push(values);
            }
            all
        });
        let keyed = |row: Vec<Value>| {
            let key = table.key.iter().map(|at| row[*at].clone()).collect();
            (key, row)
        };
        Ok(rows.into_iter().map(keyed).collect())
    }
}
