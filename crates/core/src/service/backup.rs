//! Backup and restore: all rows as lines of JSON, from either engine and into either.
//!
//! The first line says what it is, then comes a line a row, the last line counts them, so that a
//! file that was cut off is noticed. A backup is one moment: it is read in one transaction. It holds
//! no session and no key: whoever restores needs the key file beside it, or the wrapped one-time
//! passwords stay shut.
//!
//! A restore replaces all rows in one transaction. The cloud has lived on since: what it holds that
//! the restored rows don't know is *foreign*, listed by the reconciler and never touched. Operations
//! that were under way are asked for again under their old ids, which makes nothing twice.
//! How numbers stay unique: `docs/decisions/0012-numbers-after-a-restore.md`.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Write},
};

use lingbao_model::time::{Timestamp, Zone};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    app::Cx,
    audit::{self, Event},
    authz::Scope,
    error::{ServiceError, StorageError},
    storage::{dump, migrations},
};

/// Version of the format.
const FORMAT: i64 = 1;
/// By so much the numbers of the day jump when nobody knows how far they had come. No city files so
/// many requests a day.
const JUMP: i64 = 5_000;

/// Why there is no backup, or no restore.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file.
    #[error("the file: {0}")]
    File(#[from] io::Error),
    /// The database.
    #[error("the database: {0}")]
    Storage(#[from] StorageError),
    /// Refused.
    #[error("{0}")]
    Service(#[from] ServiceError),
    /// It is no backup, or not all of it.
    #[error("line {line}: {reason}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Another version of the schema.
    #[error(
        "the backup has schema {found}, this program {needed}: restore it with the program that wrote it, then migrate"
    )]
    Schema {
        /// What the backup has.
        found: i64,
        /// What the program has.
        needed: i64,
    },
    /// The database is in use.
    #[error("the database holds units and accounts: restore into an empty one, or say --replace")]
    InUse,
    /// Another site's.
    #[error("the backup is of site {found}, the configuration says {configured}")]
    Site {
        /// Whose it is.
        found: String,
        /// Whose this is.
        configured: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    lingbao_backup: i64,
    schema: i64,
    site: String,
    at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Line {
    t: Option<String>,
    r: Option<Map<String, Value>>,
    end: Option<BTreeMap<String, u64>>,
}

/// What was written or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The moment of the backup.
    pub at: Timestamp,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// After a restore: the number after which today's requests go on.
    pub numbers_from: Option<i64>,
}

/// Writes all rows.
///
/// # Errors
/// See [`BackupError`].
pub async fn dump(cx: &Cx, out: &mut dyn Write) -> Result<Summary, BackupError> {
    Scope::system(cx)?;
    let head = Head {
        lingbao_backup: FORMAT,
        schema: cx.db().schema_version().await?,
        site: cx.app.site.as_str().to_owned(),
        at: cx.now(),
    };
    write_line(out, &json!(head))?;
    let mut rx = cx.db().read().await?;
    let mut rows = BTreeMap::new();
    for table in dump::tables(&mut rx).await? {
        let count = dump::rows::<BackupError>(&mut rx, &table, |row| {
            // The row is JSON already; the name is plain.
            writeln!(out, "{{\"t\":\"{}\",\"r\":{row}}}", table.name)?;
            Ok(())
        })
        .await?;
        rows.insert(table.name, count);
    }
    write_line(out, &json!({ "end": rows }))?;
    out.flush()?;
    Ok(Summary {
        at: head.at,
        rows,
        numbers_from: None,
    })
}

fn write_line(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    writeln!(out, "{value}")
}

/// Replaces all rows by those of a backup. `replace` permits it for a database in use; `numbers_from`
/// says how far today's numbers had come, if somebody knows.
///
/// # Errors
/// See [`BackupError`]; then nothing was changed.
pub async fn restore(
    cx: &Cx,
    input: &mut dyn BufRead,
    replace: bool,
    numbers_from: Option<i64>,
) -> Result<Summary, BackupError> {
    Scope::system(cx)?;
    let mut lines = input.lines().enumerate();
    let malformed = |line: usize, reason: &dyn std::fmt::Display| BackupError::Malformed {
        line: line + 1,
        reason: reason.to_string(),
    };
    let head: Head = match lines.next() {
        Some((at, line)) => serde_json::from_str(&line?).map_err(|e| malformed(at, &e))?,
        None => return Err(malformed(0, &"the file is empty")),
    };
    if head.lingbao_backup != FORMAT {
        return Err(malformed(0, &"another version of the format"));
    }
    let needed = migrations::needed(cx.db().engine());
    if head.schema != needed {
        return Err(BackupError::Schema {
            found: head.schema,
            needed,
        });
    }
    if head.site != cx.app.site.as_str() {
        let configured = cx.app.site.as_str().to_owned();
        return Err(BackupError::Site {
            found: head.site,
            configured,
        });
    }

    let mut tx = cx.db().begin().await?;
    let used = dump::in_use(&mut tx).await?;
    if used && !replace {
        return Err(BackupError::InUse);
    }
    let day = day(cx.now());
    let certificates = format!("X{day}");
    let before = dump::last_number(&mut tx, &day).await?;
    let certified = dump::last_number(&mut tx, &certificates).await?;
    let tables: BTreeMap<String, dump::Table> = dump::tables(&mut tx)
        .await?
        .into_iter()
        .map(|table| (table.name.clone(), table))
        .collect();
    dump::defer(&mut tx).await?;
    for table in tables.values() {
        dump::clear(&mut tx, table).await?;
    }
    let mut rows: BTreeMap<String, u64> = BTreeMap::new();
    let mut counted = None;
    for (at, line) in lines {
        if counted.is_some() {
            return Err(malformed(at, &"something stands after the end"));
        }
        let line: Line = serde_json::from_str(&line?).map_err(|e| malformed(at, &e))?;
        match (line.t, line.r, line.end) {
            (Some(name), Some(row), None) => {
                let table = tables
                    .get(&name)
                    .ok_or_else(|| malformed(at, &"an unknown table"))?;
                dump::insert(&mut tx, table, &row).await?;
                *rows.entry(name).or_default() += 1;
            }
            (None, None, Some(end)) => counted = Some(end),
            _ => return Err(malformed(at, &"neither a row nor the end")),
        }
    }
    let mut counted = counted.ok_or_else(|| malformed(rows.len(), &"the end is missing"))?;
    counted.retain(|_, count| *count > 0);
    if counted != rows {
        return Err(malformed(0, &"the rows are not as many as the end says"));
    }
    dump::settle(&mut tx).await?;

    // The counter of this very database knows how far the numbers had come. A new database knows
    // nothing, and a paper printed an hour ago may carry today's next number.
    let restored = dump::last_number(&mut tx, &day).await?;
    let last = match numbers_from {
        Some(known) => known.max(before).max(restored),
        None if used => before.max(restored),
        None => restored + JUMP,
    };
    dump::set_last_number(&mut tx, &day, last).await?;
    let restored = dump::last_number(&mut tx, &certificates).await?;
    let last_certificate = if used {
        certified.max(restored)
    } else {
        restored + JUMP
    };
    dump::set_last_number(&mut tx, &certificates, last_certificate).await?;
    let event = Event::new("system.restore", "backup", head.at.millis().to_string())
        .detail(json!({ "at": head.at, "numbers_from": last }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(Summary {
        at: head.at,
        rows,
        numbers_from: Some(last),
    })
}

fn day(now: Timestamp) -> String {
    Zone::SHANGHAI.date(now).to_string().replace('-', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::StorageError,
        storage::{Db, Tx},
        testing::{TestApp, engines},
    };

    async fn backup(app: &TestApp) -> Vec<u8> {
        let mut file = Vec::new();
        dump(&app.system(), &mut file).await.unwrap();
        file
    }

    async fn count_up(db: &Db, to: i64) -> Result<(), StorageError> {
        let mut tx: Tx = db.begin().await?;
        dump::set_last_number(&mut tx, &day(crate::testing::START), to).await?;
        tx.commit().await
    }

    async fn seed(app: &TestApp) {
        use lingbao_model::people::{UnitKind, UnitLevel};
        let cx = app.system();
        let mut parent = None;
        for name in ["示范市", "统计局", "普查中心"] {
            let new = crate::service::unit::NewUnit {
                parent: parent.clone(),
                name: name.to_owned(),
                short_name: String::new(),
                level: UnitLevel::City,
                kind: UnitKind::Government,
            };
            parent = Some(crate::service::unit::create(&cx, new).await.unwrap());
        }
        count_up(&app.db, 7).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_written_comes_back_on_either_engine() {
        for source in engines().await {
            let from = TestApp::on(&source);
            seed(&from).await;
            let file = backup(&from).await;
            for target in engines().await {
                let to = TestApp::on(&target);
                let done = restore(&to.system(), &mut &file[..], false, None)
                    .await
                    .unwrap();
                assert_eq!(done.rows["unit"], 3);
                assert_eq!(
                    done.numbers_from,
                    Some(7 + JUMP),
                    "a new database can't know"
                );
                let again = backup(&to).await;
                let rows = |file: &[u8], table: &str| {
                    let begin = format!("{{\"t\":\"{table}\"");
                    let text = String::from_utf8(file.to_vec()).unwrap();
                    let mut lines: Vec<Value> = text
                        .lines()
                        .filter(|line| line.starts_with(&begin))
                        .map(|line| serde_json::from_str(line).unwrap())
                        .collect();
                    for line in &mut lines {
                        // SQLite writes truth as 1.
                        for value in line["r"].as_object_mut().unwrap().values_mut() {
                            if let Value::Bool(flag) = value {
                                *value = json!(i64::from(*flag));
                            }
                        }
                    }
                    lines.sort_by_key(ToString::to_string);
                    lines
                };
                for table in ["unit", "unit_closure", "vdc", "search_term"] {
                    assert_eq!(rows(&file, table), rows(&again, table), "{table}");
                    assert!(!rows(&file, table).is_empty(), "{table}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_used_database_is_replaced_only_when_told_and_goes_on_counting() {
        for db in engines().await {
            let app = TestApp::on(&db);
            seed(&app).await;
            let file = backup(&app).await;
            count_up(&app.db, 12).await.unwrap();
            let refused = restore(&app.system(), &mut &file[..], false, None).await;
            assert!(matches!(refused, Err(BackupError::InUse)), "{refused:?}");
            let done = restore(&app.system(), &mut &file[..], true, None)
                .await
                .unwrap();
            assert_eq!(done.numbers_from, Some(12), "no number is given twice");
            let done = restore(&app.system(), &mut &file[..], true, Some(40))
                .await
                .unwrap();
            assert_eq!(done.numbers_from, Some(40));
        }
    }

    #[tokio::test]
    async fn a_file_that_was_cut_off_changes_nothing() {
        for db in engines().await {
            let app = TestApp::on(&db);
            seed(&app).await;
            let file = backup(&app).await;
            let text = String::from_utf8(file).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            let without_end = lines[..lines.len() - 1].join("\n");
            let without_row = [&lines[..5], &lines[6..]].concat().join("\n");
            for broken in [without_end, without_row, String::new(), "{}".to_owned()] {
                let refused = restore(&app.system(), &mut broken.as_bytes(), true, None).await;
                assert!(
                    matches!(refused, Err(BackupError::Malformed { .. })),
                    "{refused:?}"
                );
            }
            assert_eq!(backup(&app).await.len(), text.len(), "nothing was changed");
        }
    }
}
