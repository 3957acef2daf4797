//! Notices (站内信), each to one person.

use lingbao_model::{
    id::{NoticeId, UserId},
    msg::Msg,
    time::Timestamp,
    view::{
        page::{MAX_PAGE_ROWS, Page},
        people::NoticeRow,
    },
};

use super::{
    ReadTx, Tx,
    db::Engine,
    sql::{Cursor, Sql, cut},
};
use crate::{error::StorageError, on};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    at: i64,
    msg: String,
    link: String,
    read_at: Option<i64>,
}

impl TryFrom<Row> for NoticeRow {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("notice", column, row.id.as_str(), e)
        };
        Ok(Self {
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
            msg: serde_json::from_str(&row.msg).map_err(|e| wrong("msg", &e))?,
            at: Timestamp::from_millis(row.at),
            read: row.read_at.is_some(),
            link: row.link,
        })
    }
}

/// Writes a notice down.
///
/// # Errors
/// What the database says.
pub async fn insert(
    tx: &mut Tx,
    id: &NoticeId,
    user: &UserId,
    at: Timestamp,
    msg: &Msg,
    link: &str,
) -> Result<(), StorageError> {
    let text = serde_json::to_string(msg)
        .map_err(|e| StorageError::inconsistent("notice", "msg", id.as_str(), e))?;
    on!(tx, conn => sqlx::query(
        "INSERT INTO notice (id, user_id, at, msg, link) VALUES ($1, $2, $3, $4, $5)")
        .bind(id.as_str()).bind(user.as_str()).bind(at.millis()).bind(&text).bind(link)
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// One page of a person's notices, the latest first.
///
/// # Errors
/// What the database says.
pub async fn list(
    rx: &mut ReadTx,
    user: &UserId,
    unread_only: bool,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<NoticeRow>, StorageError> {
    let limit = limit.clamp(1, MAX_PAGE_ROWS);
    let mine = |sql: Sql| {
        let sql = sql.bind(user.as_str());
        if unread_only {
            sql.push(" AND read_at IS NULL")
        } else {
            sql
        }
    };
    let total = mine(Sql::new("SELECT 1 FROM notice WHERE user_id = "))
        .capped_count(rx)
        .await?;
    let mut sql = mine(Sql::new(
        "SELECT id, at, msg, link, read_at FROM notice WHERE user_id = ",
    ));
    if let Some((at, cursor)) = after.and_then(|c| Some((c.number()?, c))) {
        sql = sql
            .push(" AND (at < ")
            .bind(at)
            .push(" OR (at = ")
            .bind(at)
            .push(" AND id < ")
            .bind(&cursor.id)
            .push("))");
    }
    let rows: Vec<Row> = sql
        .push(" ORDER BY at DESC, id DESC LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |row| (row.at.to_string(), row.id.clone()));
    Ok(Page {
        rows: rows
            .into_iter()
            .map(NoticeRow::try_from)
            .collect::<Result<_, _>>()?,
        next,
        total,
    })
}

/// The link of one of a person's notices, if it is theirs.
///
/// # Errors
/// What the database says.
pub async fn link(
    rx: &mut ReadTx,
    user: &UserId,
    id: &NoticeId,
) -> Result<Option<String>, StorageError> {
    Ok(
        on!(rx, conn => sqlx::query_scalar("SELECT link FROM notice WHERE id = $1 AND user_id = $2")
        .bind(id.as_str()).bind(user.as_str()).fetch_optional(conn).await)?,
    )
}

/// How many of a person's notices are unread.
///
/// # Errors
/// What the database says.
pub async fn unread(rx: &mut ReadTx, user: &UserId) -> Result<i64, StorageError> {
    Ok(on!(rx, conn => sqlx::query_scalar(
        "SELECT count(*) FROM notice WHERE user_id = $1 AND read_at IS NULL")
        .bind(user.as_str()).fetch_one(conn).await)?)
}

/// Whether an unread notice of a person leads somewhere.
///
/// # Errors
/// What the database says.
pub async fn unread_to(rx: &mut ReadTx, user: &UserId, link: &str) -> Result<bool, StorageError> {
    let found: Option<i64> = on!(rx, conn => sqlx::query_scalar(
        "SELECT at FROM notice WHERE user_id = $1 AND read_at IS NULL AND link = $2 LIMIT 1")
        .bind(user.as_str()).bind(link).fetch_optional(conn).await)?;
    Ok(found.is_some())
}

/// Marks the unread notices of a person that lead somewhere; how many.
///
/// # Errors
/// What the database says.
pub async fn mark_read_to(
    tx: &mut Tx,
    user: &UserId,
    link: &str,
    now: Timestamp,
) -> Result<u64, StorageError> {
    read(now)
        .push(" AND user_id = ")
        .bind(user.as_str())
        .push(" AND link = ")
        .bind(link)
        .push(locked(tx))
        .run(tx)
        .await
}

/// Begins the marking of unread notices; conditions follow, then [`locked`].
fn read(now: Timestamp) -> Sql {
    Sql::new("UPDATE notice SET read_at = ")
        .bind(now.millis())
        .push(" WHERE id IN (SELECT id FROM notice WHERE read_at IS NULL")
}

/// Ends it. Whoever marks several locks them in one order: a decision and "all as read" that meet
/// wait for each other and never both.
fn locked(rx: &ReadTx) -> &'static str {
    match rx.engine() {
        Engine::Sqlite => ")",
        Engine::Postgres => " ORDER BY id FOR UPDATE)",
    }
}

/// Marks the unread notices that lead to one of these places, whoever has them; their readers.
///
/// # Errors
/// What the database says.
pub async fn mark_settled(
    tx: &mut Tx,
    links: &[String],
    now: Timestamp,
) -> Result<Vec<UserId>, StorageError> {
    if links.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(String,)> = read(now)
        .push(" AND link IN ")
        .bind_list(links.iter().map(String::as_str))
        .push(locked(tx))
        .push(" RETURNING user_id")
        .all(tx)
        .await?;
    let mut readers = rows
        .into_iter()
        .map(|(id,)| {
            id.parse()
                .map_err(|e| StorageError::inconsistent("notice", "user_id", id.as_str(), e))
        })
        .collect::<Result<Vec<UserId>, _>>()?;
    readers.sort();
    readers.dedup();
    Ok(readers)
}

/// Marks one unread notice of a person, or all of them (`None`); how many.
///
/// # Errors
/// What the database says.
pub async fn mark_read(
    tx: &mut Tx,
    user: &UserId,
    id: Option<&NoticeId>,
    now: Timestamp,
) -> Result<u64, StorageError> {
    read(now)
        .push(" AND user_id = ")
        .bind(user.as_str())
        .maybe(" AND id = ", id.map(NoticeId::as_str))
        .push(locked(tx))
        .run(tx)
        .await
}
