//! The same request, sent twice, does its work once (`Idempotency-Key`).
//!
//! The REST layer puts the key and the request's digest into the [`Cx`] and asks [`look`] first.
//! Whatever changes something leaves an audit event in its transaction, and
//! [`audit::record`](crate::audit::record) calls [`claim`] there: key and work are committed
//! together. Two requests of one key at the same moment: the second finds the key taken and its whole
//! transaction falls with [`Conflict::Unique`]. Afterwards the REST layer
//! hands the answer over to [`finish`], to be given again. If the process dies in between, the work
//! is done and the answer lost: the repeated request is told so ([`Seen::Lost`]) and does nothing.
//! A use case whose answer must not get lost keeps it in its own transaction ([`keep`]).
use lingbao_model::time::Timestamp;

use crate::{
    app::Cx,
    crypto::Crypto,
    error::{Conflict, StorageError},
    storage::{
        ReadTx, Tx,
        idempotency::{self as rows, KeyRow},
    },
};

/// How long an answer is kept: a day.
pub const KEPT_MS: i64 = 86_400_000;

/// What a request said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    key: String,
    digest: String,
    of_form: bool,
}

impl IdempotencyKey {
    /// A key with the request that came with it.
    #[must_use]
    pub fn new(crypto: &dyn Crypto, key: &str, method: &str, path: &str, body: &[u8]) -> Self {
        // The line of the request can't hold a line feed, so the parts stay apart.
        let mut data = format!("{method} {path}\n").into_bytes();
        data.extend_from_slice(body);
        Self {
            key: key.to_owned(),
            digest: crypto.digest_hex(&data),
            of_form: false,
        }
    }

    /// The key of a page's form with its one-time id. What was typed belongs to the key: the same form
    /// sent again with another name does something else.
    #[must_use]
    pub fn of_form(crypto: &dyn Crypto, form: &str, what: &str, typed: &[u8]) -> Self {
        let id = crypto.digest_hex(form.as_bytes());
        let key = format!("form:{what}:{id}:{}", crypto.digest_hex(typed));
        Self {
            of_form: true,
            ..Self::new(crypto, &key, "FORM", what, typed)
        }
    }

    /// Whether it is a form's: its answer is what was made, and not that of an HTTP request.
    #[must_use]
    pub const fn is_of_form(&self) -> bool {
        self.of_form
    }
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nothing: do the work.
    New,
    /// The work is done: answer this again.
    Replay {
        /// HTTP status.
        status: u16,
        /// Body.
        response: String,
    },
    /// The work is done or is just being done; its answer is not known.
    Lost,
    /// The key came with another request before: refuse.
    Different,
}

fn since(now: Timestamp) -> Timestamp {
    now.plus_millis(-KEPT_MS)
}

/// Asks what is known of the key in the surroundings, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn look(rx: &mut ReadTx, cx: &Cx) -> Result<Seen, StorageError> {
    let (Some(user), Some(key)) = (cx.actor.user(), &cx.idempotency) else {
        return Ok(Seen::New);
    };
    Ok(
        match rows::get(rx, user, &key.key, since(cx.now())).await? {
            None => Seen::New,
            Some(row) if row.digest != key.digest => Seen::Different,
            Some(row) if row.status == CLAIMED => Seen::Lost,
            Some(row) => Seen::Replay {
                status: u16::try_from(row.status).map_err(|error| {
                    StorageError::inconsistent("idempotency_key", "status", &key.key, error)
                })?,
                response: row.response,
            },
        },
    )
}

/// The same question outside of a transaction.
///
/// # Errors
/// Those of the database.
pub async fn recall(cx: &Cx) -> Result<Seen, StorageError> {
    if cx.idempotency.is_none() {
        return Ok(Seen::New);
    }
    look(&mut cx.db().read().await?, cx).await
}

/// Stands for a status as long as there is no answer yet.
const CLAIMED: i64 = 0;

/// Takes the key for the work of this transaction. One request may do its work in several
/// transactions, and repeat one that fell. Nothing happens without a key.
///
/// # Errors
/// [`Conflict::Unique`] when another request of the key was faster.
pub async fn claim(tx: &mut Tx, cx: &Cx) -> Result<(), StorageError> {
    let (Some(user), Some(key)) = (cx.actor.user(), &cx.idempotency) else {
        return Ok(());
    };
    // Whose the claim is: the HTTP request's, whose name is unlike any other's.
    let whose = cx.request_id.clone().unwrap_or_default();
    let row = KeyRow {
        digest: key.digest.clone(),
        status: CLAIMED,
        response: whose,
    };
    if rows::insert(tx, user, &key.key, &row, cx.now(), since(cx.now())).await? {
        return Ok(());
    }
    match rows::get(tx, user, &key.key, since(cx.now())).await? {
        Some(found) if found == row => Ok(()),
        _ => Err(StorageError::Conflict(Conflict::Unique)),
    }
}

/// Keeps the answer in the transaction of the work: it is there as soon as the work is. Nothing
/// happens without a key.
///
/// # Errors
/// Those of the database; [`Conflict::Unique`] when another request of the key was faster.
pub async fn keep(tx: &mut Tx, cx: &Cx, status: u16, response: &str) -> Result<(), StorageError> {
    claim(tx, cx).await?;
    let (Some(user), Some(key)) = (cx.actor.user(), &cx.idempotency) else {
        return Ok(());
    };
    let whose = cx.request_id.clone().unwrap_or_default();
    let row = KeyRow {
        digest: key.digest.clone(),
        status: i64::from(status),
        response: response.to_owned(),
    };
    rows::answer(tx, user, &key.key, &whose, &row).await?;
    Ok(())
}

/// Keeps the answer of what was done under the key, unless it was kept with the work. Nothing
/// happens without a key.
///
/// # Errors
/// Those of the database.
pub async fn finish(cx: &Cx, status: u16, response: &str) -> Result<(), StorageError> {
    let (Some(user), Some(key)) = (cx.actor.user(), &cx.idempotency) else {
        return Ok(());
    };
    let whose = cx.request_id.clone().unwrap_or_default();
    let row = KeyRow {
        digest: key.digest.clone(),
        status: i64::from(status),
        response: response.to_owned(),
    };
    let mut tx = cx.db().begin().await?;
    if !rows::answer(&mut tx, user, &key.key, &whose, &row).await? {
        // What changed nothing has left no claim.
        rows::insert(&mut tx, user, &key.key, &row, cx.now(), since(cx.now())).await?;
    }
    tx.commit().await
}

/// Forgets answers older than a day. Returns how many.
///
/// # Errors
/// Those of the database.
pub async fn purge(tx: &mut Tx, now: Timestamp) -> Result<u64, StorageError> {
    rows::purge(tx, since(now)).await
}

#[cfg(test)]
mod tests {
    use lingbao_model::id::UserId;

    use super::*;
    use crate::testing::{TestApp, engines};

    fn keyed(app: &TestApp, user: &UserId, request: &str, body: &str) -> Cx {
        let path = "/api/v1/requests";
        let key = IdempotencyKey::new(&*app.crypto, "k1", "POST", path, body.as_bytes());
        let mut cx = app.cx(user).with_request(request, None);
        cx.idempotency = Some(key);
        cx
    }

    async fn seen(cx: &Cx) -> Seen {
        look(&mut cx.db().read().await.unwrap(), cx).await.unwrap()
    }

    async fn work(cx: &Cx) -> Result<(), StorageError> {
        let mut tx = cx.db().begin().await?;
        claim(&mut tx, cx).await?;
        tx.commit().await
    }

    #[tokio::test]
    async fn the_second_sending_gets_the_first_ones_answer_for_a_day() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let (user, other) = (app.id(), app.id());
            let cx = keyed(&app, &user, "r1", "a");
            assert_eq!(seen(&cx).await, Seen::New);
            work(&cx).await.unwrap();
            work(&cx).await.unwrap();
            let again = keyed(&app, &user, "r2", "a");
            assert_eq!(
                seen(&again).await,
                Seen::Lost,
                "the work is done, the answer not given"
            );
            let taken = work(&again).await.unwrap_err();
            assert!(
                matches!(taken, StorageError::Conflict(Conflict::Unique)),
                "{taken:?}"
            );
            finish(&cx, 201, "{}").await.unwrap();
            let response = "{}".to_owned();
            assert_eq!(
                seen(&again).await,
                Seen::Replay {
                    status: 201,
                    response
                }
            );
            assert_eq!(seen(&keyed(&app, &user, "r3", "b")).await, Seen::Different);
            let others = keyed(&app, &other, "r4", "a");
            assert_eq!(seen(&others).await, Seen::New, "keys are each user's own");
            assert_eq!(seen(&app.cx(&user)).await, Seen::New);
            app.clock.advance_ms(KEPT_MS);
            let cx = keyed(&app, &user, "r5", "b");
            assert_eq!(seen(&cx).await, Seen::New);
            work(&cx).await.unwrap();
            let mut tx = app.db.begin().await.unwrap();
            assert_eq!(purge(&mut tx, cx.now()).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn an_answer_that_was_kept_with_the_work_is_never_lost() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let user = app.id();
            let cx = keyed(&app, &user, "r1", "a");
            let mut tx = app.db.begin().await.unwrap();
            claim(&mut tx, &cx).await.unwrap();
            keep(&mut tx, &cx, 201, "{\"id\":1}").await.unwrap();
            tx.commit().await.unwrap();
            let kept = Seen::Replay {
                status: 201,
                response: "{\"id\":1}".to_owned(),
            };
            assert_eq!(seen(&keyed(&app, &user, "r2", "a")).await, kept);
            // The layer around it changes nothing afterwards.
            finish(&cx, 201, "{}").await.unwrap();
            assert_eq!(seen(&cx).await, kept);
            // Another request of the key that comes too late falls whole.
            let late = keyed(&app, &user, "r3", "a");
            let mut tx = app.db.begin().await.unwrap();
            let taken = keep(&mut tx, &late, 201, "{}").await.unwrap_err();
            assert!(
                matches!(taken, StorageError::Conflict(Conflict::Unique)),
                "{taken:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_fell_leaves_no_claim() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let cx = keyed(&app, &app.id(), "r1", "a");
            let mut tx = app.db.begin().await.unwrap();
            claim(&mut tx, &cx).await.unwrap();
            tx.rollback().await.unwrap();
            assert_eq!(seen(&cx).await, Seen::New);
        }
    }

    #[tokio::test]
    async fn without_a_key_nothing_is_kept() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let cx = app.cx(&app.id());
            work(&cx).await.unwrap();
            finish(&cx, 200, "{}").await.unwrap();
            assert_eq!(seen(&cx).await, Seen::New);
        }
    }
}
