//! Sign-in, sign-out, passwords, and what a person sees of their own account.
//!
//! The door tells as little as it can: an unknown name, a closed account and a wrong password get
//! the same answer after the same work, and names that nobody has lock like real ones.

use std::{net::IpAddr, time::Duration};

use lingbao_model::{
    id::UserId,
    msg::{FieldError, Msg},
    people::{IDLE_MINUTES, LOCK_AFTER_FAILURES, LOCK_MINUTES, LoginName, check_password},
    time::Timestamp,
    view::people::{Profile, SessionRow, SignedIn, Viewer, tries_left},
};
use serde_json::json;

use crate::{
    app::{Actor, Cx},
    audit::{self, Event},
    authz::{Ability, Access},
    error::ServiceError,
    service::request::sight,
    storage::{self, Tx, door, notice, operation, request_list, session_list, todo, user as users},
};

/// Failures from one address that close the door to it. High, because a whole office may stand
/// behind one address, and each account has a lock of its own.
const ADDRESS_FAILURES: i64 = 100;
/// Inside so many minutes.
const ADDRESS_WINDOW: i64 = 10;
/// For so many minutes.
const ADDRESS_PAUSE: i64 = 5;
/// Longest wait for one of the two places at the hasher.
const QUEUE: Duration = Duration::from_secs(15);
/// Counts of failures are forgotten after so many minutes without a new one.
const FORGET: i64 = 24 * 60;

/// After how many milliseconds without an act of the person a session ends.
pub const IDLE_MS: i64 = IDLE_MINUTES * lingbao_model::time::MINUTE_MS;

/// Checks a login name and a password, and notes the visit. The caller renews the session's id
/// and puts the user into the session.
///
/// # Errors
/// [`ServiceError::Invalid`] on `password` for anything that does not fit,
/// [`ServiceError::Conflict`] while the name is locked, [`ServiceError::TooMany`] for an address
/// with too many failures or a crowd at the door.
pub async fn sign_in(cx: &Cx, login: &str, password: &str) -> Result<SignedIn, ServiceError> {
    let name = LoginName::parse("login", login).ok();
    let shown = name.as_ref().map_or("-", LoginName::as_str);
    let (address, subject) = (address(cx.ip), format!("login:{shown}"));

    let mut rx = cx.db().read().await?;
    if let Some(until) = door::refused_until(&mut rx, &address, cx.now()).await? {
        return Err(too_many(until.since(cx.now())));
    }
    let known = match &name {
        Some(name) => door::by_login(&mut rx, name.as_str()).await?,
        None => None,
    }
    .filter(|account| account.active);
    let locked = match &known {
        Some(account) => account.locked_until.filter(|until| *until > cx.now()),
        None => door::refused_until(&mut rx, &subject, cx.now()).await?,
    };
    drop(rx);
    if let Some(until) = locked {
        // Counted on the address: who goes on knocking is soon not written down any more.
        let mut tx = cx.db().begin().await?;
        count_address(&mut tx, cx, &address).await?;
        tx.commit().await?;
        refuse(cx, shown, "locked").await?;
        return Err(lock_message(until));
    }

    let fits = verify(cx, known.as_ref().map(|a| a.hash.as_str()), password).await?;

    let mut tx = cx.db().begin().await?;
    if let Some(account) = known.as_ref().filter(|_| fits) {
        let ip = cx.ip.map(|ip| ip.to_string());
        if let Some(visit) = door::enter(&mut tx, account, cx.now(), ip.as_deref()).await? {
            let cx = cx.acting_as(Actor::User(account.user.clone()));
            let event = Event::new("session.sign_in", "user", &account.user);
            audit::record(&mut tx, &cx, event).await?;
            tx.commit().await?;
            return Ok(visit);
        }
        // Locked or closed since it was read: falls through to the count, which says so.
    }
    let until = cx.now().plus_minutes(LOCK_MINUTES);
    let counted = match &known {
        Some(account) => {
            let most = LOCK_AFTER_FAILURES;
            match door::count_account(&mut tx, &account.user, cx.now(), most, until).await? {
                Some(count) => count,
                None => door::Count {
                    failures: most,
                    until: door::locked_until(&mut tx, &account.user).await?,
                },
            }
        }
        // Like the count on an account, this one grows old only by a lock or a success.
        None => {
            let ever = Timestamp::from_millis(0);
            let most = LOCK_AFTER_FAILURES;
            door::count_subject(&mut tx, &subject, cx.now(), ever, most, until).await?
        }
    };
    count_address(&mut tx, cx, &address).await?;
    door::forget_counts(&mut tx, cx.now().plus_minutes(-FORGET)).await?;
    tx.commit().await?;

    match counted.until {
        Some(until) => {
            refuse(cx, shown, "locks").await?;
            Err(lock_message(until))
        }
        None => {
            refuse(cx, shown, "wrong").await?;
            let msg = Msg::new("sign_in.wrong")
                .with("left", tries_left(counted.failures))
                .with("minutes", LOCK_MINUTES);
            Err(ServiceError::invalid("password", msg))
        }
    }
}

async fn verify(cx: &Cx, hash: Option<&str>, password: &str) -> Result<bool, ServiceError> {
    match tokio::time::timeout(QUEUE, cx.app.passwords.verify(hash, password)).await {
        Ok(answer) => answer.map_err(|e| ServiceError::internal("password", e)),
        Err(_) => Err(ServiceError::TooMany { retry_after_s: 5 }),
    }
}

async fn hash(cx: &Cx, password: &str) -> Result<String, ServiceError> {
    let hashing = cx.app.passwords.hash(&cx.app.random, password);
    match tokio::time::timeout(QUEUE, hashing).await {
        Ok(answer) => answer.map_err(|e| ServiceError::internal("password", e)),
        Err(_) => Err(ServiceError::TooMany { retry_after_s: 5 }),
    }
}

/// A hash of a first password that somebody gives to another.
pub(super) async fn first_hash(
    cx: &Cx,
    login: &LoginName,
    password: &str,
) -> Result<String, ServiceError> {
    check_password("password", login, password).map_err(|e| ServiceError::Invalid(vec![e]))?;
    hash(cx, password).await
}

/// Under which name an address is counted; of IPv6 the network, which one caller has whole.
fn address(ip: Option<IpAddr>) -> String {
    match ip {
        Some(IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = ip.segments();
            format!("ip:{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Some(ip) => format!("ip:{}", ip.to_canonical()),
        None => "ip:-".to_owned(),
    }
}

async fn count_address(tx: &mut Tx, cx: &Cx, address: &str) -> Result<(), ServiceError> {
    let from = cx.now().plus_minutes(-ADDRESS_WINDOW);
    let until = cx.now().plus_minutes(ADDRESS_PAUSE);
    door::count_subject(tx, address, cx.now(), from, ADDRESS_FAILURES, until).await?;
    Ok(())
}

fn too_many(wait_ms: i64) -> ServiceError {
    ServiceError::TooMany {
        retry_after_s: u64::try_from(wait_ms / 1000 + 1).unwrap_or(1),
    }
}

fn lock_message(until: Timestamp) -> ServiceError {
    ServiceError::Conflict(
        Msg::new("sign_in.locked")
            .with("until", until)
            .with("minutes", LOCK_MINUTES),
    )
}

async fn refuse(cx: &Cx, login: &str, why: &str) -> Result<(), ServiceError> {
    let event = Event::new("session.sign_in", "login", login).detail(json!({ "refused": why }));
    Ok(audit::record_refusal(cx, event).await?)
}

/// Ends the session that asks. The caller forgets its cookie.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn sign_out(cx: &Cx) -> Result<(), ServiceError> {
    let user = cx.actor.user().ok_or(ServiceError::Unauthenticated)?;
    let mut tx = cx.db().begin().await?;
    if let Some(session) = &cx.session {
        storage::session::delete(&mut tx, session).await?;
    }
    let event = Event::new("session.sign_out", "user", user);
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

/// Ends all sessions of the person, this one included; how many. The caller forgets its cookie.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn sign_out_everywhere(cx: &Cx) -> Result<u64, ServiceError> {
    let user = cx.actor.user().ok_or(ServiceError::Unauthenticated)?;
    let mut tx = cx.db().begin().await?;
    let ended = storage::session::delete_of_user(&mut tx, user, None).await?;
    let event = Event::new("session.sign_out_everywhere", "user", user)
        .detail(json!({ "sessions": ended }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(ended)
}

/// Changes the person's own password; all other sessions end. Wrong guesses at the present one
/// count like failed sign-ins, because a stolen session would be the place to guess.
///
/// # Errors
/// [`ServiceError::Invalid`] on `current_password`, `new_password` or `again_password`;
/// [`ServiceError::Conflict`] while the account is locked.
pub async fn change_password(
    cx: &Cx,
    current: &str,
    new: &str,
    again: &str,
) -> Result<(), ServiceError> {
    let user = cx
        .actor
        .user()
        .ok_or(ServiceError::Unauthenticated)?
        .clone();
    let mut rx = cx.db().read().await?;
    let account = door::by_user(&mut rx, &user)
        .await?
        .filter(|a| a.active)
        .ok_or(ServiceError::Unauthenticated)?;
    drop(rx);
    if let Some(until) = account.locked_until.filter(|until| *until > cx.now()) {
        return Err(lock_message(until));
    }
    let login = LoginName::parse("login", &account.login)
        .map_err(|_| ServiceError::internal("login name of a user", account.login.clone()))?;
    let mut errors: Vec<FieldError> = Vec::new();
    if let Err(error) = check_password("new_password", &login, new) {
        errors.push(error);
    } else if new == current {
        errors.push(FieldError::new(
            "new_password",
            Msg::new("error.password_same"),
        ));
    }
    if again != new {
        errors.push(FieldError::new(
            "again_password",
            Msg::new("error.password_again"),
        ));
    }
    if !errors.is_empty() {
        return Err(ServiceError::Invalid(errors));
    }

    if !verify(cx, Some(&account.hash), current).await? {
        return Err(wrong_current(cx, &user).await?);
    }
    let hash = hash(cx, new).await?;

    let mut tx = cx.db().begin().await?;
    door::set_password(&mut tx, &user, &hash, cx.now(), false).await?;
    storage::session::delete_of_user(&mut tx, &user, cx.session.as_deref()).await?;
    // Whoever knew the old password may have made a token with it.
    storage::token::revoke_all(&mut tx, &user, cx.now()).await?;
    let event = Event::new("user.change_password", "user", &user);
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

async fn wrong_current(cx: &Cx, user: &UserId) -> Result<ServiceError, ServiceError> {
    let until = cx.now().plus_minutes(LOCK_MINUTES);
    let mut tx = cx.db().begin().await?;
    let counted = door::count_account(&mut tx, user, cx.now(), LOCK_AFTER_FAILURES, until).await?;
    let locked = match counted {
        Some(count) => count.until,
        None => door::locked_until(&mut tx, user).await?,
    };
    if locked.is_some() {
        // Whoever guesses here holds a session that is not theirs.
        storage::session::delete_of_user(&mut tx, user, None).await?;
    }
    tx.commit().await?;
    let event = Event::new("user.change_password", "user", user);
    audit::record_refusal(cx, event.detail(json!({ "refused": "wrong" }))).await?;
    Ok(match (locked, counted) {
        (None, Some(count)) => ServiceError::invalid(
            "current_password",
            Msg::new("account.wrong_password")
                .with("left", tries_left(count.failures))
                .with("minutes", LOCK_MINUTES),
        ),
        (until, _) => lock_message(until.unwrap_or(cx.now())),
    })
}

/// The signed-in person, for the frame of every page; `None` if nobody is.
///
/// # Errors
/// What the database says.
pub async fn viewer(cx: &Cx) -> Result<Option<Viewer>, ServiceError> {
    if cx.actor.user().is_none() {
        return Ok(None);
    }
    let mut rx = cx.db().read().await?;
    let access = match Access::load(&mut rx, cx).await {
        Ok(access) => access,
        // The account was closed under a living session.
        Err(ServiceError::Unauthenticated) => return Ok(None),
        Err(error) => return Err(error),
    };
    let unit_name = storage::unit::name(&mut rx, &access.unit).await?;
    let unread = notice::unread(&mut rx, &access.user).await?;
    let visits = door::visits(&mut rx, &access.user).await?;
    let account = door::by_user(&mut rx, &access.user).await?;
    let todo = if access.has(Ability::Decide) {
        todo::count(&mut rx, &sight(&access), &access.user).await?
    } else {
        0
    };
    let stuck = if access.has(Ability::Operate) {
        operation::waiting_for_operator(&mut rx).await?
    } else {
        0
    };
    let requests = request_list::open_of(&mut rx, &access.user).await?;
    Ok(Some(Viewer {
        abilities: Ability::ALL
            .iter()
            .filter(|ability| access.has(**ability))
            .map(|ability| ability.as_str().to_owned())
            .collect(),
        user: access.user,
        name: access.name,
        unit: access.unit,
        unit_name: unit_name.unwrap_or_default(),
        grants: access.grants,
        unread,
        todo,
        requests,
        stuck,
        prev_login: visits.before,
        failed_tries: visits.failed,
        must_change_password: account.is_some_and(|a| a.must_change),
    }))
}

/// The person's own page.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn profile(cx: &Cx) -> Result<Profile, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let account = door::by_user(&mut rx, &access.user)
        .await?
        .ok_or(ServiceError::Unauthenticated)?;
    let visits = door::visits(&mut rx, &access.user).await?;
    Ok(Profile {
        login: account.login,
        phone: users::phone(&mut rx, &access.user).await?,
        unit_name: storage::unit::name(&mut rx, &access.unit)
            .await?
            .unwrap_or_default(),
        grants: users::grants(&mut rx, &access.user).await?,
        name: access.name,
        last_login: visits.this,
        prev_login: visits.before,
        failed_tries: visits.failed,
        password_changed_at: account.changed_at,
        must_change_password: account.must_change,
    })
}

/// The person's living sessions.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn my_sessions(cx: &Cx) -> Result<Vec<SessionRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    Ok(session_list::of_user(&mut rx, &access.user, cx.now(), cx.session.as_deref()).await?)
}
