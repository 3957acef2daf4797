//! The history (流转记录) of requests: appended, never changed.

use lingbao_model::{
    id::{HistoryId, Id, RequestId},
    msg::Msg,
    time::Timestamp,
    view::request::HistoryRow,
};

use super::{ReadTx, Tx};
use crate::{
    app::{Actor, Cx},
    error::StorageError,
    on,
};

/// Appends an entry in the name of whoever acts.
///
/// # Errors
/// What the database says.
pub async fn add(tx: &mut Tx, cx: &Cx, request: &RequestId, msg: &Msg) -> Result<(), StorageError> {
    add_by(tx, cx, &cx.actor, request, msg).await
}

/// Appends an entry in somebody's name: what a rule decides is nobody's act, whoever set it off.
///
/// # Errors
/// What the database says.
pub async fn add_by(
    tx: &mut Tx,
    cx: &Cx,
    actor: &Actor,
    request: &RequestId,
    msg: &Msg,
) -> Result<(), StorageError> {
    let text = serde_json::to_string(msg)
        .map_err(|e| StorageError::inconsistent("request_history", "msg", request.as_str(), e))?;
    // Entries of one act carry one moment: their ids, a millisecond apart, keep their order.
    let before: i64 = on!(tx, conn => sqlx::query_scalar(
        "SELECT count(*) FROM request_history WHERE request_id = $1 AND at = $2")
        .bind(request.as_str()).bind(cx.now().millis()).fetch_one(conn).await)?;
    let moment = cx.now().plus_millis(before);
    let id = HistoryId::generate(&cx.app.site, moment, cx.app.random.bits());
    on!(tx, conn => sqlx::query(
        "INSERT INTO request_history (id, request_id, at, actor, msg) VALUES ($1, $2, $3, $4, $5)")
        .bind(id.as_str()).bind(request.as_str()).bind(cx.now().millis())
        .bind(actor.as_str()).bind(&text).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The whole history of a request that the caller has seen, oldest first.
///
/// # Errors
/// What the database says.
pub async fn of_request(
    rx: &mut ReadTx,
    request: &RequestId,
) -> Result<Vec<HistoryRow>, StorageError> {
    let rows: Vec<(String, i64, Option<String>, String)> = on!(rx, conn => sqlx::query_as(
        "SELECT h.id, h.at, u.name, h.msg FROM request_history h
         LEFT JOIN user_account u ON u.id = h.actor WHERE h.request_id = $1 ORDER BY h.at, h.id")
        .bind(request.as_str()).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(id, at, by_name, msg)| {
            Ok(HistoryRow {
                at: Timestamp::from_millis(at),
                by_name,
                msg: serde_json::from_str(&msg)
                    .map_err(|e| StorageError::inconsistent("request_history", "msg", id, e))?,
            })
        })
        .collect()
}
