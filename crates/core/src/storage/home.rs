//! Counts of the workbench.

use lingbao_model::{
    id::UserId,
    time::Timestamp,
    view::{
        home::{PeopleCounts, ResourceCounts},
        item::Side,
    },
};

use super::{ReadTx, sql::Sql};
use crate::{authz::Scope, error::StorageError};

/// Resources in a scope that were not given back (what lies in the recycle bin was), and those whose term ends before a moment.
///
/// # Errors
/// What the database says.
pub async fn resources(
    rx: &mut ReadTx,
    scope: &Scope,
    before: Timestamp,
) -> Result<ResourceCounts, StorageError> {
    let sql = Sql::new("SELECT count(*), CAST(SUM(CASE WHEN r.expires_at < ")
        .bind(before.millis())
        .push(" THEN 1 ELSE 0 END) AS BIGINT) FROM resource r WHERE r.service_state <> 'released' AND r.service_state <> 'recycled'");
    let row: Option<(i64, Option<i64>)> = scope.filter(sql, " AND r.unit_id").optional(rx).await?;
    let (all, expiring) = row.unwrap_or((0, None));
    Ok(ResourceCounts {
        all,
        expiring: expiring.unwrap_or(0),
    })
}

/// Units and accounts in a scope.
///
/// # Errors
/// What the database says.
pub async fn people(
    rx: &mut ReadTx,
    scope: &Scope,
    now: Timestamp,
) -> Result<PeopleCounts, StorageError> {
    let units = Sql::new("SELECT count(*) FROM unit u WHERE TRUE");
    let users = Sql::new("SELECT count(*) FROM user_account u WHERE TRUE");
    let locked =
        Sql::new("SELECT count(*) FROM user_account u WHERE u.active AND u.locked_until > ")
            .bind(now.millis());
    Ok(PeopleCounts {
        units: scope.filter(units, " AND u.id").number(rx).await?,
        users: scope.filter(users, " AND u.unit_id").number(rx).await?,
        locked: scope.filter(locked, " AND u.unit_id").number(rx).await?,
    })
}

/// Versions of one side that wait for a second person, who can't be the one who wrote them.
///
/// # Errors
/// What the database says.
pub async fn proposed(rx: &mut ReadTx, side: Side, person: &UserId) -> Result<i64, StorageError> {
    Sql::new(match side {
        Side::Content => {
            "SELECT count(*) FROM item_version WHERE state = 'proposed' AND written_by <> "
        }
        Side::Price => {
            "SELECT count(*) FROM price_version WHERE state = 'proposed' AND written_by <> "
        }
    })
    .bind(person.as_str())
    .number(rx)
    .await
}

/// Events in a scope since a moment: all, and those that were refused.
///
/// # Errors
/// What the database says.
pub async fn events(
    rx: &mut ReadTx,
    scope: &Scope,
    since: Timestamp,
) -> Result<(i64, i64), StorageError> {
    let sql = Sql::new(
        "SELECT count(*), CAST(SUM(CASE WHEN e.outcome = 'refused' THEN 1 ELSE 0 END) AS BIGINT)
         FROM audit_event e WHERE e.at >= ",
    )
    .bind(since.millis());
    let row: Option<(i64, Option<i64>)> = scope.filter(sql, " AND e.unit_id").optional(rx).await?;
    let (all, refused) = row.unwrap_or((0, None));
    Ok((all, refused.unwrap_or(0)))
}

/// When somebody last looked whether the chain of the audit trail holds, and whether it did.
///
/// # Errors
/// What the database says.
pub async fn chain_check(rx: &mut ReadTx) -> Result<Option<(Timestamp, bool)>, StorageError> {
    let row: Option<(i64, String)> = Sql::new(
        "SELECT at, detail FROM audit_event WHERE subject_id = 'chain' AND action = 'audit.verify'
         ORDER BY at DESC, id DESC LIMIT 1",
    )
    .optional(rx)
    .await?;
    row.map(|(at, detail)| {
        let detail: serde_json::Value = serde_json::from_str(&detail)
            .map_err(|e| StorageError::inconsistent("audit_event", "detail", "chain", e))?;
        let whole = detail.get("whole").and_then(serde_json::Value::as_bool);
        Ok((Timestamp::from_millis(at), whole == Some(true)))
    })
    .transpose()
}
