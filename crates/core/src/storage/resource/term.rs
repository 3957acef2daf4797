//! Size, price and term of a resource: what a change sets, the price of a renewed term, and what
//! ends soon.

use lingbao_model::{
    change::{Plan, Stand, What},
    id::ResourceId,
    money::Money,
    time::Timestamp,
};

use super::{Resource, ids};
use crate::{
    error::StorageError,
    on,
    storage::{ReadTx, Tx, sql::Sql},
};

/// What stands beside a resource about its contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Term {
    /// Number of the price version of its month price.
    pub price_version: i64,
    /// When a renewed term begins, if it has not begun.
    pub next_from: Option<Timestamp>,
    /// Month price and price version of the renewed term.
    pub next: Option<(Money, i64)>,
}

/// The contract of a resource.
///
/// # Errors
/// What the database says.
pub async fn term(rx: &mut ReadTx, id: &ResourceId) -> Result<Term, StorageError> {
    type Row = (i64, Option<i64>, Option<i64>, Option<i64>);
    let row: Option<Row> = Sql::new(
        "SELECT price_version, next_from, next_month_fen, next_price_version FROM resource WHERE id = ",
    )
    .bind(id.as_str())
    .optional(rx)
    .await?;
    let Some((price_version, next_from, fen, version)) = row else {
        return Ok(Term::default());
    };
    Ok(Term {
        price_version,
        next_from: next_from.map(Timestamp::from_millis),
        next: fen
            .zip(version)
            .map(|(fen, version)| (Money::from_fen(fen), version)),
    })
}

/// All of a resource that a change may touch.
#[must_use]
pub fn stand(resource: &Resource, term: &Term) -> Stand {
    Stand {
        version: resource.item_version.clone(),
        price_version: term.price_version,
        answers: resource.answers.clone(),
        amounts: resource.amounts.clone(),
        month: resource.month,
        next: term.next.map(|(month, _)| month),
        until: resource.expires_at,
    }
}

/// Sets what a change has made of a resource that was read in `version`. The price of a renewed
/// term begins to hold at the end of the term before; a change of size sets the price of both.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn apply(
    tx: &mut Tx,
    resource: &Resource,
    plan: &Plan,
    now: Timestamp,
) -> Result<(), StorageError> {
    let row = resource.id.as_str();
    let wrong = |column, e| StorageError::inconsistent("resource", column, row, e);
    let will = &plan.will;
    let answers = serde_json::to_string(&will.answers).map_err(|e| wrong("answers", e))?;
    let amounts = serde_json::to_string(&will.amounts).map_err(|e| wrong("amounts", e))?;
    let mut sql = Sql::new("UPDATE resource SET version = version + 1, amounts = ").bind(&*amounts);
    let begun = plan.was.until <= now;
    if plan.what == What::Renew {
        let (from, fen, version) = if begun {
            (None, None, None)
        } else {
            let fen = will.month.fen();
            (
                Some(plan.was.until.millis()),
                Some(fen),
                Some(will.price_version),
            )
        };
        sql = sql
            .push(", expires_at = ")
            .bind(will.until.millis())
            .push(", renewed_at = ")
            .bind(now.millis())
            .push(", next_from = ")
            .bind(from)
            .push(", next_month_fen = ")
            .bind(fen)
            .push(", next_price_version = ")
            .bind(version);
    } else {
        sql = sql
            .push(", item_version_id = ")
            .bind(will.version.as_str())
            .push(", answers = ")
            .bind(&*answers)
            .push(", next_month_fen = NULL, next_price_version = NULL");
    }
    if plan.what != What::Renew || begun {
        sql = sql
            .push(", month_fen = ")
            .bind(will.month.fen())
            .push(", price_version = ")
            .bind(will.price_version);
    }
    let rows = sql
        .push(" WHERE id = ")
        .bind(row)
        .push(" AND version = ")
        .bind(resource.version)
        .push(" AND service_state <> 'released' AND service_state <> 'recycled'")
        .run(tx)
        .await?;
    StorageError::expect_version(rows, "resource", row)
}

/// Resources whose renewed term has begun, at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn turning(
    rx: &mut ReadTx,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<ResourceId>, StorageError> {
    // What is being changed or given back was read by whoever does it, and what lies in the bin costs
    // nothing: its turn comes afterwards.
    let rows = Sql::new("SELECT r.id FROM resource r WHERE r.service_state <> 'released' AND r.service_state <> 'recycled' AND NOT EXISTS
           (SELECT 1 FROM resource_action a WHERE a.resource_id = r.id) AND r.next_from IS NOT NULL AND r.next_from <= ")
        .bind(now.millis())
        .push(" ORDER BY r.next_from, r.id LIMIT ")
        .bind(limit)
        .all(rx)
        .await?;
    ids(rows)
}

/// The renewed term of a resource begins: its price holds, and `amounts` is what it takes from now.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn turn(tx: &mut Tx, resource: &Resource, will: &Stand) -> Result<(), StorageError> {
    let amounts = serde_json::to_string(&will.amounts)
        .map_err(|e| StorageError::inconsistent("resource", "amounts", resource.id.as_str(), e))?;
    let rows = on!(tx, conn => sqlx::query("UPDATE resource SET month_fen = $1, price_version = $2, amounts = $3, next_from = NULL,
         next_month_fen = NULL, next_price_version = NULL, version = version + 1 WHERE id = $4 AND version = $5")
        .bind(will.month.fen()).bind(will.price_version).bind(&amounts).bind(resource.id.as_str()).bind(resource.version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "resource", resource.id.as_str())
}

/// A resource whose term ends soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The resource.
    pub id: ResourceId,
    /// End of its term.
    pub until: Timestamp,
    /// When that end was agreed: at delivery, or at the last renewal.
    pub since: Timestamp,
}

/// Resources whose term ends between two moments and that nobody gives back: after a place in that
/// order, at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn ending(
    rx: &mut ReadTx,
    (now, to): (Timestamp, Timestamp),
    after: Option<&Ending>,
    limit: i64,
) -> Result<Vec<Ending>, StorageError> {
    let mut sql = Sql::new(
        "SELECT r.id, r.expires_at, COALESCE(r.renewed_at, r.delivered_at) FROM resource r
         WHERE r.service_state <> 'released' AND r.service_state <> 'recycled' AND NOT EXISTS (SELECT 1 FROM request_release l
           JOIN request q ON q.id = l.request_id WHERE l.resource_id = r.id
             AND q.status IN ('in_approval', 'returned', 'approved'))
         AND r.kind <> 'people' AND r.expires_at > ",
    )
    .bind(now.millis())
    .push(" AND r.expires_at <= ")
    .bind(to.millis());
    if let Some(last) = after {
        sql = sql
            .push(" AND (r.expires_at, r.id) > (")
            .bind(last.until.millis())
            .push(", ")
            .bind(last.id.as_str())
            .push(")");
    }
    let rows: Vec<(String, i64, i64)> = sql
        .push(" ORDER BY r.expires_at, r.id LIMIT ")
        .bind(limit)
        .all(rx)
        .await?;
    rows.into_iter()
        .map(|(id, until, since)| {
            Ok(Ending {
                id: id
                    .parse()
                    .map_err(|e| StorageError::inconsistent("resource", "id", id.as_str(), e))?,
                until: Timestamp::from_millis(until),
                since: Timestamp::from_millis(since),
            })
        })
        .collect()
}

/// Notes a reminder. `false` if it was sent before, by whatever worker.
///
/// # Errors
/// What the database says.
pub async fn note_reminder(
    tx: &mut Tx,
    ending: &Ending,
    days: i64,
    at: Timestamp,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query("INSERT INTO expiry_reminder (resource_id, expires_at, days, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (resource_id, expires_at, days) DO NOTHING")
        .bind(ending.id.as_str()).bind(ending.until.millis()).bind(days).bind(at.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}
