//! Notices: written inside other use cases' transactions, read by their one reader.

use std::time::Duration;

use lingbao_model::{
    id::{NoticeId, UnitId, UserId},
    msg::Msg,
    people::Role,
    view::{page::Page, people::NoticeRow},
};

use crate::{
    app::Cx,
    authz::Access,
    error::{OrNotFound, ServiceError, StorageError},
    storage::{Tx, change, notice as notices, sql::Cursor, user as users},
};

/// Topic of a person's badges and notices.
#[must_use]
pub fn topic(user: &UserId) -> String {
    format!("user:{user}")
}

/// Writes a notice to one person, as part of the caller's transaction. `link` is a path inside the
/// portal.
///
/// # Errors
/// What the database says.
pub async fn send(
    tx: &mut Tx,
    cx: &Cx,
    to: &UserId,
    msg: &Msg,
    link: &str,
) -> Result<(), StorageError> {
    notices::insert(tx, &cx.id(), to, cx.now(), msg, link).await?;
    change::touch(tx, cx, &topic(to)).await
}

/// Writes a notice to everybody who holds a role that reaches a unit, except the person who acts;
/// how many.
///
/// # Errors
/// What the database says.
pub async fn send_to_role(
    tx: &mut Tx,
    cx: &Cx,
    role: Role,
    unit: &UnitId,
    msg: &Msg,
    link: &str,
) -> Result<usize, StorageError> {
    let mut sent = 0;
    for user in users::holders(tx, role, unit).await? {
        if cx.actor.user() != Some(&user) {
            send(tx, cx, &user, msg, link).await?;
            sent += 1;
        }
    }
    Ok(sent)
}

/// What notices asked for in these places is done, by whomever: they are read, for those too who
/// have lost the role meanwhile.
///
/// # Errors
/// What the database says.
pub async fn settle(tx: &mut Tx, cx: &Cx, links: &[String]) -> Result<(), StorageError> {
    for user in notices::mark_settled(tx, links, cx.now()).await? {
        change::touch(tx, cx, &topic(&user)).await?;
    }
    Ok(())
}

/// How long an answer waits for what is written down beside it.
const COURTESY: Duration = Duration::from_millis(500);

/// Notes what was merely looked at or made use of. A courtesy: the answer is given whether or not
/// this can be written down, on a full disk and behind a long write too.
pub async fn courtesy<E: std::fmt::Display>(
    what: &'static str,
    noted: impl Future<Output = Result<(), E>>,
) {
    match tokio::time::timeout(COURTESY, noted).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "{what} could not be noted"),
        Err(_) => tracing::warn!("{what} was not noted in time"),
    }
}

/// The person has opened a page: whatever led there is read, if that can be noted.
pub async fn seen(cx: &Cx, link: &str) {
    courtesy("a notice as read", seen_once(cx, link)).await;
}

async fn seen_once(cx: &Cx, link: &str) -> Result<(), ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    if !notices::unread_to(&mut rx, &access.user, link).await? {
        return Ok(());
    }
    drop(rx);
    let mut tx = cx.db().begin().await?;
    if notices::mark_read_to(&mut tx, &access.user, link, cx.now()).await? > 0 {
        change::touch(&mut tx, cx, &topic(&access.user)).await?;
    }
    Ok(tx.commit().await?)
}

/// One page of the person's notices, the latest first.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn list(
    cx: &Cx,
    unread_only: bool,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<NoticeRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let after = after.and_then(Cursor::decode);
    Ok(notices::list(&mut rx, &access.user, unread_only, after.as_ref(), limit).await?)
}

/// How many notices of the person are unread.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn unread(cx: &Cx) -> Result<i64, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    Ok(notices::unread(&mut rx, &access.user).await?)
}

/// Marks one notice as read and says where it leads. Reading is no change of anything, so it
/// leaves no audit event.
///
/// # Errors
/// [`ServiceError::NotFound`] for somebody else's and for one that never was.
pub async fn open(cx: &Cx, id: &NoticeId) -> Result<String, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let link = notices::link(&mut tx, &access.user, id)
        .await?
        .or_not_found()?;
    if notices::mark_read(&mut tx, &access.user, Some(id), cx.now()).await? > 0 {
        change::touch(&mut tx, cx, &topic(&access.user)).await?;
    }
    tx.commit().await?;
    Ok(link)
}

/// Marks all notices of the person as read; how many there were.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn read_all(cx: &Cx) -> Result<u64, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let read = notices::mark_read(&mut tx, &access.user, None, cx.now()).await?;
    if read > 0 {
        change::touch(&mut tx, cx, &topic(&access.user)).await?;
    }
    tx.commit().await?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use lingbao_model::request::Decision;

    use super::*;
    use crate::service::request::{detail, fixture::City, withdraw};

    #[tokio::test]
    async fn what_was_decided_or_seen_is_read_by_itself() {
        for city in City::all().await {
            city.waiting().await;
            let (leader, deputy) = (city.cx(&city.leader), city.cx(&city.deputy));
            for cx in [&leader, &deputy] {
                assert_eq!(unread(cx).await.unwrap(), 1, "both were asked");
            }
            city.decide(&city.leader, Decision::Return).await;
            for cx in [&leader, &deputy] {
                assert_eq!(unread(cx).await.unwrap(), 0, "nobody is asked any more");
            }
            // The applicant was told; opening the request is reading it, another page is not.
            let clerk = city.cx(&city.clerk);
            let told = list(&clerk, true, None, 10).await.unwrap().rows;
            let to = told[0].link.clone();
            seen(&clerk, "/me").await;
            assert_eq!(unread(&clerk).await.unwrap(), 1);
            seen(&leader, &to).await;
            assert_eq!(unread(&clerk).await.unwrap(), 1, "nobody reads for another");
            seen(&clerk, &to).await;
            assert_eq!(unread(&clerk).await.unwrap(), 0);

            // Taken back, a request asks nobody either.
            let id = city.waiting().await;
            assert_eq!(unread(&deputy).await.unwrap(), 1);
            let version = detail::detail(&clerk, &id).await.unwrap().version;
            withdraw::withdraw(&clerk, &id, version).await.unwrap();
            assert_eq!(unread(&deputy).await.unwrap(), 0);
        }
    }
}
