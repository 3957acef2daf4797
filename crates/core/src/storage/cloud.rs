//! What the clouds say of themselves: whether they answer, and what in them is nobody's.

use std::collections::BTreeMap;

use lingbao_model::{
    catalogue::Fulfiller,
    msg::Label,
    time::Timestamp,
    view::{
        operation::{BackendLine, ForeignLine, RefusedPool},
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
        resource::Act,
    },
};

use super::{
    ReadTx, Tx,
    sql::{Cursor, Sql, cut},
};
use crate::{error::StorageError, on};

/// Writes down whether a backend answers.
///
/// # Errors
/// What the database says.
pub async fn save_health(
    tx: &mut Tx,
    backend: &str,
    error: Option<&str>,
    at: Timestamp,
) -> Result<(), StorageError> {
    let answered = error.is_none().then(|| at.millis());
    on!(tx, conn => sqlx::query("INSERT INTO backend_health (backend, answered_at, error, read_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (backend) DO UPDATE SET answered_at = COALESCE(excluded.answered_at, backend_health.answered_at),
           error = excluded.error, read_at = excluded.read_at")
        .bind(backend).bind(answered).bind(error).bind(at.millis()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Whether the backends answer, and what each refuses to tell.
///
/// # Errors
/// What the database says.
pub async fn health(rx: &mut ReadTx) -> Result<Vec<BackendLine>, StorageError> {
    let rows: Vec<(String, Option<i64>, i64, Option<String>)> = Sql::new(
        "SELECT backend, answered_at, read_at, error FROM backend_health ORDER BY backend",
    )
    .all(rx)
    .await?;
    let refusals: Vec<(String, String, String, String)> = Sql::new(
        "SELECT backend, name_zh, name_en, refusal FROM pool WHERE refusal IS NOT NULL ORDER BY sort, id",
    )
    .all(rx)
    .await?;
    let mut refused: BTreeMap<String, Vec<RefusedPool>> = BTreeMap::new();
    for (backend, zh, en, why) in refusals {
        let pool = Label { zh, en };
        let of_backend = refused.entry(backend).or_default();
        of_backend.push(RefusedPool { pool, why });
    }
    Ok(rows
        .into_iter()
        .map(|(name, answered_at, asked_at, error)| BackendLine {
            answered_at: answered_at.map(Timestamp::from_millis),
            asked_at: Timestamp::from_millis(asked_at),
            error,
            refused: refused.remove(&name).unwrap_or_default(),
            name,
        })
        .collect())
}

/// Writes down what a backend does not make.
///
/// # Errors
/// What the database says.
pub async fn save_lacks(
    tx: &mut Tx,
    backend: &str,
    lacks: &[Fulfiller],
) -> Result<(), StorageError> {
    Sql::new("DELETE FROM backend_lack WHERE backend = ")
        .bind(backend)
        .run(tx)
        .await?;
    for kind in lacks {
        on!(tx, conn => sqlx::query("INSERT INTO backend_lack (backend, kind) VALUES ($1, $2)")
            .bind(backend).bind(kind.as_str()).execute(conn).await.map(|_| ()))?;
    }
    Ok(())
}

/// What the backends do not make: backend and kind. Of one that never answered nothing is known,
/// and nothing stands here.
///
/// # Errors
/// What the database says.
pub async fn lacks(rx: &mut ReadTx) -> Result<Vec<(String, Fulfiller)>, StorageError> {
    let rows: Vec<(String, String)> =
        Sql::new("SELECT backend, kind FROM backend_lack ORDER BY backend, kind")
            .all(rx)
            .await?;
    rows.into_iter()
        .map(|(backend, kind)| {
            let kind = kind.parse().map_err(|e| {
                StorageError::inconsistent("backend_lack", "kind", backend.as_str(), e)
            })?;
            Ok((backend, kind))
        })
        .collect()
}

/// Writes down what a backend can do to what stands.
///
/// # Errors
/// What the database says.
pub async fn save_able(tx: &mut Tx, backend: &str, able: &[Act]) -> Result<(), StorageError> {
    Sql::new("DELETE FROM backend_able WHERE backend = ")
        .bind(backend)
        .run(tx)
        .await?;
    for act in able {
        on!(tx, conn => sqlx::query("INSERT INTO backend_able (backend, act) VALUES ($1, $2)")
            .bind(backend).bind(act.as_str()).execute(conn).await.map(|_| ()))?;
    }
    Ok(())
}

/// What a backend can do to what stands, as it has said last; nothing if it never answered.
///
/// # Errors
/// What the database says.
pub async fn able(rx: &mut ReadTx, backend: &str) -> Result<Vec<Act>, StorageError> {
    let rows: Vec<(String,)> = Sql::new("SELECT act FROM backend_able WHERE backend = ")
        .bind(backend)
        .push(" ORDER BY act")
        .all(rx)
        .await?;
    rows.into_iter()
        .map(|(act,)| {
            act.parse()
                .map_err(|e| StorageError::inconsistent("backend_able", "act", backend, e))
        })
        .collect()
}

#[derive(sqlx::FromRow)]
struct Foreign {
    id: String,
    backend: String,
    external_id: String,
    thing: String,
    name: String,
    first_seen: i64,
    last_seen: i64,
}

/// One page of what is nobody's, the latest first.
///
/// # Errors
/// What the database says.
pub async fn foreign(
    rx: &mut ReadTx,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Page<ForeignLine>, StorageError> {
    let limit = limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);
    let open = |sql: Sql| {
        sql.push(
            " FROM difference WHERE kind IN ('foreign', 'double') AND closed_at IS NULL AND ripe",
        )
    };
    let total = open(Sql::new("SELECT 1")).capped_count(rx).await?;
    let mut sql = open(Sql::new(
        "SELECT id, backend, external_id, thing, name, first_seen, last_seen",
    ));
    if let Some(at) = after.and_then(Cursor::decode) {
        sql = sql
            .push(" AND (first_seen, id) < (")
            .bind(at.number())
            .push(", ")
            .bind(at.id)
            .push(")");
    }
    let rows: Vec<Foreign> = sql
        .push(" ORDER BY first_seen DESC, id DESC LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |row| {
        (row.first_seen.to_string(), row.id.clone())
    });
    let rows = rows
        .into_iter()
        .map(|row| ForeignLine {
            backend: row.backend,
            external_id: row.external_id,
            kind: row.thing,
            name: row.name,
            first_seen: Timestamp::from_millis(row.first_seen),
            last_seen: Timestamp::from_millis(row.last_seen),
        })
        .collect();
    Ok(Page { rows, next, total })
}

/// Whether the last look at a backend, not before a moment, got no answer.
///
/// # Errors
/// What the database says.
pub async fn silent_since(
    rx: &mut ReadTx,
    backend: &str,
    since: Timestamp,
) -> Result<bool, StorageError> {
    let silent =
        Sql::new("SELECT count(*) FROM backend_health WHERE error IS NOT NULL AND backend = ")
            .bind(backend)
            .push(" AND read_at >= ")
            .bind(since.millis());
    Ok(silent.number(rx).await? > 0)
}

/// Whether a backend is silent now, and when it last answered.
///
/// # Errors
/// What the database says.
pub async fn silence(
    rx: &mut ReadTx,
    backend: &str,
) -> Result<(bool, Option<Timestamp>), StorageError> {
    let row: Option<(Option<i64>, Option<String>)> =
        Sql::new("SELECT answered_at, error FROM backend_health WHERE backend = ")
            .bind(backend)
            .optional(rx)
            .await?;
    Ok(row.map_or((false, None), |(answered_at, error)| {
        (error.is_some(), answered_at.map(Timestamp::from_millis))
    }))
}

#[cfg(test)]
mod tests {
    use lingbao_model::view::page::Total;

    use super::*;
    use crate::testing::engines;

    #[tokio::test]
    async fn what_is_nobodys_is_listed_page_by_page_the_latest_first() {
        for db in engines().await {
            let mut tx = db.begin().await.unwrap();
            // Two of them were seen in the same moment.
            for (id, seen) in [("a", 1_i64), ("b", 2), ("c", 2), ("d", 3), ("e", 4)] {
                let kind = if id == "e" { "missing" } else { "foreign" };
                Sql::new(
                    "INSERT INTO difference (id, backend, kind, thing, external_id, name, operation, said,
                       month_fen, first_seen, last_seen, ripe) VALUES (",
                )
                .bind(id)
                .push(", 'simulator', ")
                .bind(kind)
                .push(", 'server', ")
                .bind(id)
                .push(", 'x', '', '[]', 0, ")
                .bind(seen)
                .push(", 9, TRUE)")
                .run(&mut tx)
                .await
                .unwrap();
            }
            tx.commit().await.unwrap();
            let mut rx = db.read().await.unwrap();
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = foreign(&mut rx, after.as_deref(), Some(2)).await.unwrap();
                assert_eq!(page.total, Total::Exact(4));
                assert!(page.rows.len() <= 2);
                seen.extend(page.rows.into_iter().map(|line| line.external_id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen, ["d", "c", "b", "a"]);
        }
    }
}
