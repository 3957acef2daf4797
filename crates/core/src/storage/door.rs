//! What happens at the door: passwords, failures, locks, visits.
//!
//! Failures of a known account are counted on its row. Those of addresses and of login names that
//! nobody has are counted in `sign_in_counter` by the same rules, so that a lock tells nothing.

use lingbao_model::{
    id::UserId,
    time::Timestamp,
    view::people::{SignedIn, Visit},
};

use super::{ReadTx, Tx};
use crate::{error::StorageError, on};

/// An account as the door sees it.
#[derive(Debug, Clone)]
pub struct Account {
    /// Who.
    pub user: UserId,
    /// Login name.
    pub login: String,
    /// Argon2id, PHC form.
    pub hash: String,
    /// Whether the account may be used.
    pub active: bool,
    /// Locked while this lies ahead.
    pub locked_until: Option<Timestamp>,
    /// When the password was last changed.
    pub changed_at: Timestamp,
    /// The password must be changed.
    pub must_change: bool,
}

type Columns = (String, String, String, bool, Option<i64>, i64, bool);

fn account(columns: Option<Columns>) -> Result<Option<Account>, StorageError> {
    columns
        .map(|(id, login, hash, active, locked, changed, must_change)| {
            Ok(Account {
                user: UserId::try_from(id.clone())
                    .map_err(|e| StorageError::inconsistent("user_account", "id", id, e))?,
                login,
                hash,
                active,
                locked_until: locked.map(Timestamp::from_millis),
                changed_at: Timestamp::from_millis(changed),
                must_change,
            })
        })
        .transpose()
}

/// The account of a login name.
///
/// # Errors
/// What the database says.
pub async fn by_login(rx: &mut ReadTx, login: &str) -> Result<Option<Account>, StorageError> {
    account(on!(rx, conn => sqlx::query_as(
        "SELECT u.id, u.login, c.hash, u.active, u.locked_until, c.changed_at, c.must_change
         FROM user_account u JOIN credential c ON c.user_id = u.id WHERE u.login = $1")
        .bind(login).fetch_optional(conn).await)?)
}

/// The account of a user.
///
/// # Errors
/// What the database says.
pub async fn by_user(rx: &mut ReadTx, user: &UserId) -> Result<Option<Account>, StorageError> {
    account(on!(rx, conn => sqlx::query_as(
        "SELECT u.id, u.login, c.hash, u.active, u.locked_until, c.changed_at, c.must_change
         FROM user_account u JOIN credential c ON c.user_id = u.id WHERE u.id = $1")
        .bind(user.as_str()).fetch_optional(conn).await)?)
}

/// Notes a visit and forgets the failures. `None` if the account is locked or closed by now, or its
/// password is another than the one that was read and verified.
///
/// # Errors
/// What the database says.
pub async fn enter(
    tx: &mut Tx,
    account: &Account,
    now: Timestamp,
    ip: Option<&str>,
) -> Result<Option<SignedIn>, StorageError> {
    let user = &account.user;
    let row: Option<(Option<i64>, Option<String>)> = on!(tx, conn => sqlx::query_as(
        "UPDATE user_account SET failures = 0, locked_until = NULL,
                prev_login_at = last_login_at, prev_login_ip = last_login_ip,
                last_login_at = $1, last_login_ip = $2
         WHERE id = $3 AND active AND (locked_until IS NULL OR locked_until <= $1)
           AND EXISTS (SELECT 1 FROM credential c WHERE c.user_id = user_account.id AND c.hash = $4)
         RETURNING prev_login_at, prev_login_ip")
        .bind(now.millis()).bind(ip).bind(user.as_str()).bind(&account.hash).fetch_optional(conn).await)?;
    let Some((at, ip)) = row else {
        return Ok(None);
    };
    let must_change_password = by_user(tx, user).await?.is_some_and(|a| a.must_change);
    Ok(Some(SignedIn {
        user: user.clone(),
        prev_login: visit(at, ip),
        must_change_password,
    }))
}

fn visit(at: Option<i64>, ip: Option<String>) -> Option<Visit> {
    at.map(|at| Visit {
        at: Timestamp::from_millis(at),
        ip: ip.unwrap_or_default(),
    })
}

/// The sign-ins of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visits {
    /// This one.
    pub this: Option<Visit>,
    /// The one before.
    pub before: Option<Visit>,
    /// Tries that failed between the two.
    pub failed: i64,
}

/// This visit of a user, the one before, and how many tries failed between them, as the audit trail
/// has them: the counts at the door are forgotten by a success.
///
/// # Errors
/// What the database says.
pub async fn visits(rx: &mut ReadTx, user: &UserId) -> Result<Visits, StorageError> {
    type Row = (
        Option<i64>,
        Option<String>,
        Option<i64>,
        Option<String>,
        i64,
    );
    let row: Option<Row> = on!(rx, conn => sqlx::query_as(
        "SELECT u.last_login_at, u.last_login_ip, u.prev_login_at, u.prev_login_ip,
                (SELECT count(*) FROM audit_event a
                 WHERE a.subject_id = u.login AND a.at > COALESCE(u.prev_login_at, 0) AND a.at <= u.last_login_at
                   AND a.subject_kind = 'login' AND a.action = 'session.sign_in' AND a.outcome = 'refused')
         FROM user_account u WHERE u.id = $1")
        .bind(user.as_str()).fetch_optional(conn).await)?;
    Ok(
        row.map_or_else(Visits::default, |(at, ip, before, before_ip, failed)| {
            Visits {
                this: visit(at, ip),
                before: visit(before, before_ip),
                failed,
            }
        }),
    )
}

/// How a count stands after one more failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Failures so far.
    pub failures: i64,
    /// Refused while this lies ahead.
    pub until: Option<Timestamp>,
}

fn counted((failures, until): (i64, Option<i64>)) -> Count {
    Count {
        failures,
        until: until.map(Timestamp::from_millis),
    }
}

/// Counts a failure of an account; the one that reaches `most` locks it until `until`. A lock that
/// ran out begins a new count. `None` if the account is locked already: nothing is added then.
///
/// # Errors
/// What the database says.
pub async fn count_account(
    tx: &mut Tx,
    user: &UserId,
    now: Timestamp,
    most: i64,
    until: Timestamp,
) -> Result<Option<Count>, StorageError> {
    let row: Option<(i64, Option<i64>)> = on!(tx, conn => sqlx::query_as(
        "UPDATE user_account SET
            failures = CASE WHEN locked_until IS NULL THEN failures + 1 ELSE 1 END,
            locked_until = CASE WHEN locked_until IS NULL AND failures + 1 >= $2 THEN $3 ELSE NULL END
         WHERE id = $4 AND (locked_until IS NULL OR locked_until <= $1)
         RETURNING failures, locked_until")
        .bind(now.millis()).bind(most).bind(until.millis()).bind(user.as_str())
        .fetch_optional(conn).await)?;
    Ok(row.map(counted))
}

/// Until when an account is locked, read afresh.
///
/// # Errors
/// What the database says.
pub async fn locked_until(
    rx: &mut ReadTx,
    user: &UserId,
) -> Result<Option<Timestamp>, StorageError> {
    let row: Option<(Option<i64>,)> = on!(rx, conn => sqlx::query_as(
        "SELECT locked_until FROM user_account WHERE id = $1")
        .bind(user.as_str()).fetch_optional(conn).await)?;
    Ok(row.and_then(|(until,)| until).map(Timestamp::from_millis))
}

/// Counts a failure of an address or of a name that nobody has; the one that reaches `most`
/// refuses until `until`. A count that began before `from` begins anew, as does one whose refusal
/// ran out.
///
/// # Errors
/// What the database says.
pub async fn count_subject(
    tx: &mut Tx,
    subject: &str,
    now: Timestamp,
    from: Timestamp,
    most: i64,
    until: Timestamp,
) -> Result<Count, StorageError> {
    // In the CASEs the bare column names are the row as it was.
    let row: (i64, Option<i64>) = on!(tx, conn => sqlx::query_as(
        "INSERT INTO sign_in_counter AS c (subject, failures, since, until, seen_at)
         VALUES ($1, 1, $2, NULL, $2)
         ON CONFLICT (subject) DO UPDATE SET
            failures = CASE WHEN c.until > $2 THEN c.failures
                            WHEN c.until IS NOT NULL OR c.since < $3 THEN 1
                            ELSE c.failures + 1 END,
            since = CASE WHEN c.until <= $2 OR (c.until IS NULL AND c.since < $3) THEN $2
                         ELSE c.since END,
            until = CASE WHEN c.until > $2 THEN c.until
                         WHEN c.until IS NULL AND c.since >= $3 AND c.failures + 1 >= $4 THEN $5
                         ELSE NULL END,
            seen_at = $2
         RETURNING failures, until")
        .bind(subject).bind(now.millis()).bind(from.millis()).bind(most).bind(until.millis())
        .fetch_one(conn).await)?;
    Ok(counted(row))
}

/// Until when an address or a name that nobody has is refused; `None` if it is not.
///
/// # Errors
/// What the database says.
pub async fn refused_until(
    rx: &mut ReadTx,
    subject: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, StorageError> {
    let row: Option<(Option<i64>,)> = on!(rx, conn => sqlx::query_as(
        "SELECT until FROM sign_in_counter WHERE subject = $1 AND until > $2")
        .bind(subject).bind(now.millis()).fetch_optional(conn).await)?;
    Ok(row.and_then(|(until,)| until).map(Timestamp::from_millis))
}

/// Forgets counts that nothing was added to since a moment; how many.
///
/// # Errors
/// What the database says.
pub async fn forget_counts(tx: &mut Tx, before: Timestamp) -> Result<u64, StorageError> {
    Ok(
        on!(tx, conn => sqlx::query("DELETE FROM sign_in_counter WHERE seen_at < $1")
        .bind(before.millis()).execute(conn).await.map(|done| done.rows_affected()))?,
    )
}

/// Takes a lock away and forgets the failures.
///
/// # Errors
/// What the database says.
pub async fn unlock(tx: &mut Tx, user: &UserId) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE user_account SET failures = 0, locked_until = NULL, version = version + 1
         WHERE id = $1")
        .bind(user.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Puts a new password in place.
///
/// # Errors
/// What the database says.
pub async fn set_password(
    tx: &mut Tx,
    user: &UserId,
    hash: &str,
    now: Timestamp,
    must_change: bool,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE credential SET hash = $1, changed_at = $2, must_change = $3 WHERE user_id = $4")
        .bind(hash).bind(now.millis()).bind(must_change).bind(user.as_str())
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}
