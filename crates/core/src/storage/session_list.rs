//! Browser sessions of a person. The store that reads and writes their values is the session
//! middleware's; here stands what a person sees of them; they are ended by [`super::session`].

use lingbao_model::{id::UserId, time::Timestamp, view::people::SessionRow};

use super::ReadTx;
use crate::{error::StorageError, on};

/// Living sessions of a user, the latest first; `current` is the digest of the one that asks.
///
/// # Errors
/// What the database says.
pub async fn of_user(
    rx: &mut ReadTx,
    user: &UserId,
    now: Timestamp,
    current: Option<&str>,
) -> Result<Vec<SessionRow>, StorageError> {
    let rows: Vec<(String, i64, i64, i64)> = on!(rx, conn => sqlx::query_as(
        "SELECT id, created_at, seen_at, expires_at FROM session
         WHERE user_id = $1 AND expires_at > $2 ORDER BY seen_at DESC, id LIMIT 50")
        .bind(user.as_str()).bind(now.millis()).fetch_all(conn).await)?;
    Ok(rows
        .into_iter()
        .map(|(id, created, seen, expires)| SessionRow {
            created_at: Timestamp::from_millis(created),
            seen_at: Timestamp::from_millis(seen),
            expires_at: Timestamp::from_millis(expires),
            current: current == Some(id.as_str()),
        })
        .collect())
}
