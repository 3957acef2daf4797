//! "Something changed": what browsers that look at a topic are told, and nothing more than that.
//!
//! Topics are `user:<id>` (badges, notices), `unit:<id>`, `request:<id>`. The row is written in
//! the transaction of the change; each process polls the table once for all its open pages.

use lingbao_model::time::Timestamp;

use super::{ReadTx, Tx};
use crate::{app::Cx, error::StorageError, on};

/// Says that `topic` changed, once this transaction is committed.
///
/// # Errors
/// What the database says.
pub async fn touch(tx: &mut Tx, cx: &Cx, topic: &str) -> Result<(), StorageError> {
    // Sorts by time, and two of one moment stay apart.
    let id = format!("{:013}{:032X}", cx.now().millis(), cx.app.random.bits());
    on!(tx, conn => sqlx::query("INSERT INTO change (id, at, topic) VALUES ($1, $2, $3)")
        .bind(&id).bind(cx.now().millis()).bind(topic).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// What changed at or after a moment: `(id, topic)`, oldest first. A transaction commits later
/// than the moment it carries, so a reader looks some seconds back and skips the ids it has seen.
///
/// # Errors
/// What the database says.
pub async fn since(
    rx: &mut ReadTx,
    from: Timestamp,
    limit: i64,
) -> Result<Vec<(String, String)>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_as(
        "SELECT id, topic FROM change WHERE at >= $1 ORDER BY at, id LIMIT $2")
        .bind(from.millis()).bind(limit).fetch_all(conn).await)?)
}

/// Forgets what is older than a moment; how many rows went.
///
/// # Errors
/// What the database says.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, StorageError> {
    Ok(
        on!(tx, conn => sqlx::query("DELETE FROM change WHERE at < $1")
        .bind(before.millis()).execute(conn).await.map(|done| done.rows_affected()))?,
    )
}
