//! What the clouds say of themselves: whether they answer, and what in them is nobody's.

use lingbao_model::{
    catalogue::Fulfiller,
    time::Timestamp,
    view::{
        operation::{BackendLine, ForeignLine},
        resource::Act,
    },
};

use super::{ReadTx, Tx, sql::Sql};
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

/// Whether the backends answer.
///
/// # Errors
/// What the database says.
pub async fn health(rx: &mut ReadTx) -> Result<Vec<BackendLine>, StorageError> {
    let rows: Vec<(String, Option<i64>, i64, Option<String>)> = Sql::new(
        "SELECT backend, answered_at, read_at, error FROM backend_health ORDER BY backend",
    )
    .all(rx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(name, answered_at, asked_at, error)| BackendLine {
            name,
            answered_at: answered_at.map(Timestamp::from_millis),
            asked_at: Timestamp::from_millis(asked_at),
            error,
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

/// Something that a cloud has.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The backend's name for it.
    pub external_id: String,
    /// Kind of thing.
    pub kind: &'static str,
    /// Its name there.
    pub name: String,
    /// The operation that made it.
    pub operation: String,
}

/// Writes down what of a page of a cloud's list is nobody's: no resource of ours names it, and the
/// piece for which it was made is not on its way.
///
/// # Errors
/// What the database says.
pub async fn note_foreign(
    tx: &mut Tx,
    backend: &str,
    seen: &[Seen],
    at: Timestamp,
) -> Result<(), StorageError> {
    if seen.is_empty() {
        return Ok(());
    }
    let known: Vec<(String,)> = Sql::new(
        "SELECT external_id FROM resource WHERE service_state <> 'released' AND backend = ",
    )
    .bind(backend)
    .push(" AND external_id IN ")
    .bind_list(seen.iter().map(|s| s.external_id.as_str()))
    .all(tx)
    .await?;
    for one in seen
        .iter()
        .filter(|s| !known.iter().any(|(id,)| *id == s.external_id))
    {
        // `<line>:<piece>:<verb>`, see fulfil::pieces.
        let mut parts = one.operation.split(':');
        let (item, piece) = (
            parts.next().unwrap_or_default(),
            parts.next().and_then(|p| p.parse::<i64>().ok()),
        );
        let under_way = Sql::new(
            "SELECT count(*) FROM fulfilment f JOIN request q ON q.id = f.request_id
             WHERE q.status = 'approved' AND f.status IN ('waiting', 'running', 'residue') AND f.request_item_id = ",
        )
        .bind(item)
        .push(" AND f.piece = ")
        .bind(piece)
        .number(tx)
        .await?;
        // Of what is made at once the operation is a step's of a saga that has not ended.
        let at_once = Sql::new(
            "SELECT count(*) FROM operation o JOIN saga s ON s.id = o.saga_id
             WHERE s.state IN ('running', 'stuck', 'unwinding', 'residue') AND o.id = ",
        )
        .bind(one.operation.as_str())
        .number(tx)
        .await?;
        if under_way + at_once > 0 {
            continue;
        }
        on!(tx, conn => sqlx::query("INSERT INTO cloud_foreign (backend, external_id, kind, name, operation, first_seen, last_seen)
             VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (backend, external_id) DO UPDATE SET last_seen = excluded.last_seen")
            .bind(backend).bind(&one.external_id).bind(one.kind).bind(&one.name).bind(&one.operation).bind(at.millis())
            .execute(conn).await.map(|_| ()))?;
    }
    Ok(())
}

/// Forgets what a whole reading of a cloud has not seen again.
///
/// # Errors
/// What the database says.
pub async fn forget_unseen(
    tx: &mut Tx,
    backend: &str,
    since: Timestamp,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("DELETE FROM cloud_foreign WHERE backend = $1 AND last_seen < $2")
        .bind(backend).bind(since.millis()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// What is nobody's, at most 500 things.
///
/// # Errors
/// What the database says.
pub async fn foreign(rx: &mut ReadTx) -> Result<Vec<ForeignLine>, StorageError> {
    let rows: Vec<(String, String, String, String, i64, i64)> = Sql::new(
        "SELECT backend, external_id, kind, name, first_seen, last_seen FROM cloud_foreign ORDER BY first_seen DESC, external_id LIMIT 500",
    )
    .all(rx)
    .await?;
    Ok(rows
        .into_iter()
        .map(
            |(backend, external_id, kind, name, first_seen, last_seen)| ForeignLine {
                backend,
                external_id,
                kind,
                name,
                first_seen: Timestamp::from_millis(first_seen),
                last_seen: Timestamp::from_millis(last_seen),
            },
        )
        .collect())
}
