//! A submit's rows written again without the submit: the same inserts, updates and deletes in one
//! transaction, with ids of their own.
use sqlx::{AssertSqlSafe, Database, Encode, Type, query::Query};

use crate::{
    Failure,
    rows::{Pool, Rows, Table, Value},
};

/// What happened to one row.
#[derive(Debug, Clone)]
enum Change {
    Insert(Vec<Value>),
    /// Before, after.
    Update(Vec<Value>, Vec<Value>),
    Delete(Vec<Value>),
}

/// All that a submit wrote, in the order in which it takes its locks: the sent form, the quota, the
/// number, then the rest.
#[derive(Debug, Clone)]
pub struct Recording {
    changes: Vec<(Table, Change)>,
    /// Rows of the request that stand before and after: its lines.
    standing: Vec<(Table, Vec<Value>)>,
    /// Texts that name this one request and must differ each time: ids, number, form.
    own: Vec<String>,
}

/// Tables whose rows are shared by all requests, and the one that is written before them.
const FIRST: [&str; 4] = [
    "sent_form",
    "quota_balance",
    "quota_entry",
    "request_counter",
];
/// Counters that all requests share.
const SHARED: [&str; 2] = ["request_counter", "quota_balance"];
/// Rows that others refer to.
const BASE: [&str; 2] = ["request", "request_item"];

impl Recording {
    /// What changed between two readings of all tables. `known` are texts that name the request
    /// beside the ids of new rows.
    #[must_use]
    pub fn between(tables: &[Table], before: &[Rows], after: &[Rows], known: &[&str]) -> Self {
        let mut changes = Vec::new();
        let mut own: Vec<String> = known.iter().map(|text| (*text).to_owned()).collect();
        for ((table, before), after) in tables.iter().zip(before).zip(after) {
            for (key, row) in after {
                match before.get(key) {
                    None => {
                        if let [Value::Text(Some(id))] = &key[..] {
                            own.push(id.clone());
                        }
                        changes.push((table.clone(), Change::Insert(row.clone())));
                    }
                    Some(old) if old != row => {
                        changes.push((table.clone(), Change::Update(old.clone(), row.clone())));
                    }
                    Some(_) => {}
                }
            }
            for (key, row) in before {
                if !after.contains_key(key) {
                    changes.push((table.clone(), Change::Delete(row.clone())));
                }
            }
        }
        let place = |name: &str| {
            let first = FIRST.iter().position(|one| *one == name);
            let base = BASE.iter().position(|one| *one == name);
            first.or(base.map(|at| at + 10)).unwrap_or(20)
        };
        changes.sort_by_key(|(table, _)| place(&table.name));
        own.sort();
        own.dedup();
        let mut made = Self {
            changes,
            standing: Vec::new(),
            own,
        };
        for ((table, before), after) in tables.iter().zip(before).zip(after) {
            for (key, row) in after {
                if before.get(key) == Some(row) && made.is_own(table, row) {
                    made.standing.push((table.clone(), row.clone()));
                }
            }
        }
        made
    }

    /// How many rows of which table, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut parts: Vec<(String, usize)> = Vec::new();
        for (table, change) in &self.changes {
            let verb = match change {
                Change::Insert(_) => "+",
                Change::Update(..) => "~",
                Change::Delete(_) => "-",
            };
            let part = format!("{verb}{}", table.name);
            match parts.iter_mut().find(|(name, _)| *name == part) {
                Some((_, count)) => *count += 1,
                None => parts.push((part, 1)),
            }
        }
        let parts: Vec<String> = parts
            .into_iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        format!("{} rows: {}", self.changes.len(), parts.join(", "))
    }

    /// A text as it reads in the `n`th copy.
    fn renamed(&self, text: &str, n: usize) -> String {
        let mut text = text.to_owned();
        for own in &self.own {
            if text.contains(own.as_str()) {
                let kept = &own[..own.len().saturating_sub(6)];
                text = text.replace(own.as_str(), &format!("{kept}{n:06}"));
            }
        }
        text
    }

    fn copied(&self, row: &[Value], n: usize) -> Vec<Value> {
        row.iter()
            .map(|value| match value {
                Value::Text(Some(text)) => Value::Text(Some(self.renamed(text, n))),
                other => other.clone(),
            })
            .collect()
    }

    fn is_own(&self, table: &Table, row: &[Value]) -> bool {
        table.key.iter().any(|at| match &row[*at] {
            Value::Text(Some(text)) => self.own.iter().any(|own| text.contains(own.as_str())),
            _ => false,
        })
    }

    /// The statements that put the draft of the `n`th copy there: what a submit finds.
    #[must_use]
    pub fn draft(&self, n: usize) -> Vec<Statement> {
        let mut all = Vec::new();
        for (table, change) in &self.changes {
            if let Change::Update(before, _) | Change::Delete(before) = change
                && self.is_own(table, before)
            {
                all.push(insert(table, self.copied(before, n)));
            }
        }
        for (table, row) in &self.standing {
            all.push(insert(table, self.copied(row, n)));
        }
        all
    }

    /// The statements of the `n`th copy of the submit.
    #[must_use]
    pub fn submit(&self, n: usize) -> Vec<Statement> {
        self.changes
            .iter()
            .map(|(table, change)| match change {
                Change::Insert(row) => insert(table, self.copied(row, n)),
                Change::Update(before, after) => {
                    update(table, before, self.copied(before, n), self.copied(after, n))
                }
                Change::Delete(row) => delete(table, &self.copied(row, n)),
            })
            .collect()
    }
}

/// A statement with its values.
#[derive(Debug, Clone)]
pub struct Statement {
    sql: String,
    values: Vec<Value>,
}

fn insert(table: &Table, values: Vec<Value>) -> Statement {
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| &**name).collect();
    let places: Vec<String> = (1..=names.len()).map(|n| format!("${n}")).collect();
    Statement {
        sql: format!(
            "INSERT INTO {} ({}) VALUES ({})",
            table.name,
            names.join(", "),
            places.join(", ")
        ),
        values,
    }
}

fn update(table: &Table, before: &[Value], key_of: Vec<Value>, after: Vec<Value>) -> Statement {
    let mut values = Vec::new();
    let mut sets = Vec::new();
    // As in the portal, only what changes is written.
    for (at, (name, _)) in table.columns.iter().enumerate() {
        // Counters are moved on, as the portal moves them; set back, they would give numbers twice.
        if SHARED.contains(&&*table.name)
            && let (Value::Number(Some(was)), Value::Number(Some(is))) = (&before[at], &after[at])
            && was != is
        {
            values.push(Value::Number(Some(is - was)));
            sets.push(format!("{name} = {name} + ${}", values.len()));
            continue;
        }
        if key_of[at] != after[at] || before[at] != after[at] && !table.key.contains(&at) {
            values.push(after[at].clone());
            sets.push(format!("{name} = ${}", values.len()));
        }
    }
    let wheres = keys(table, &key_of, &mut values);
    Statement {
        sql: format!(
            "UPDATE {} SET {} WHERE {wheres}",
            table.name,
            sets.join(", ")
        ),
        values,
    }
}

fn delete(table: &Table, row: &[Value]) -> Statement {
    let mut values = Vec::new();
    let wheres = keys(table, row, &mut values);
    Statement {
        sql: format!("DELETE FROM {} WHERE {wheres}", table.name),
        values,
    }
}

fn keys(table: &Table, row: &[Value], values: &mut Vec<Value>) -> String {
    let mut wheres = Vec::new();
    for at in &table.key {
        values.push(row[*at].clone());
        wheres.push(format!("{} = ${}", table.columns[*at].0, values.len()));
    }
    wheres.join(" AND ")
}

fn bound<'q, D>(statement: &'q Statement) -> Query<'q, D, D::Arguments>
where
    D: Database,
    Option<&'q str>: Encode<'q, D> + Type<D>,
    Option<i64>: Encode<'q, D> + Type<D>,
    Option<bool>: Encode<'q, D> + Type<D>,
{
    let mut query = sqlx::query(AssertSqlSafe(statement.sql.clone()));
    for value in &statement.values {
        query = match value {
            Value::Text(text) => query.bind(text.as_deref()),
            Value::Number(number) => query.bind(*number),
            Value::Flag(flag) => query.bind(*flag),
        };
    }
    query
}

/// One transaction. A row that an update or delete does not find is a mistake of the recording.
pub async fn write(pool: &Pool, statements: &[Statement]) -> Result<(), Failure> {
    match pool {
        Pool::Sqlite(pool) => {
            let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
            for one in statements {
                let done = bound(one).execute(&mut *tx).await?;
                expect_one(done.rows_affected(), one)?;
            }
            tx.commit().await?;
        }
        Pool::Postgres(pool) => {
            let mut tx = pool.begin().await?;
            for one in statements {
                let done = bound(one).execute(&mut *tx).await?;
                expect_one(done.rows_affected(), one)?;
            }
            tx.commit().await?;
        }
    }
    Ok(())
}

fn expect_one(rows: u64, statement: &Statement) -> Result<(), Failure> {
    if rows == 1 {
        return Ok(());
    }
    Err(format!("{rows} rows by {}", statement.sql).into())
}
