//! The same request, sent twice, does its work once (`Idempotency-Key`).
//!
//! The REST layer puts the key and the request's digest into the [`Cx`] and asks [`look`] first. The
//! service calls [`keep`] in the transaction that does the work: without a key that does nothing.
//! Two requests of one key at the same moment: the second finds the key taken, its whole
//! transaction falls with [`Conflict::Unique`](crate::error::Conflict::Unique), and the REST layer
//! asks [`look`] again, which now gives the first one's answer.
use lingbao_model::{id::UserId, time::Timestamp};
use serde::Serialize;

use crate::{
    app::Cx,
    crypto::Crypto,
    error::StorageError,
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
        }
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
            Some(row) => Seen::Replay {
                status: u16::try_from(row.status).map_err(|error| {
                    StorageError::inconsistent("idempotency_key", "status", &key.key, error)
                })?,
                response: row.response,
            },
        },
    )
}

/// Keeps the answer, in the transaction that does the work. Nothing happens without a key.
///
/// # Errors
/// [`Conflict::Unique`](crate::error::Conflict::Unique) when another request of the key was faster.
pub async fn keep(
    tx: &mut Tx,
    cx: &Cx,
    status: u16,
    response: &impl Serialize,
) -> Result<(), StorageError> {
    let (Some(user), Some(key)) = (cx.actor.user(), &cx.idempotency) else {
        return Ok(());
    };
    let response = serde_json::to_string(response).map_err(|error| {
        StorageError::inconsistent("idempotency_key", "response", &key.key, error)
    })?;
    let row = KeyRow {
        digest: key.digest.clone(),
        status: i64::from(status),
        response,
    };
    let user: &UserId = user;
    rows::insert(tx, user, &key.key, &row, cx.now(), since(cx.now())).await
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
    use serde_json::json;

    use super::*;
    use crate::{
        error::Conflict,
        testing::{TestApp, engines},
    };

    fn keyed(app: &TestApp, user: &UserId, body: &str) -> Cx {
        let key = IdempotencyKey::new(
            &*app.crypto,
            "k1",
            "POST",
            "/api/v1/requests",
            body.as_bytes(),
        );
        let mut cx = app.cx(user);
        cx.idempotency = Some(key);
        cx
    }

    async fn seen(cx: &Cx) -> Seen {
        look(&mut cx.db().read().await.unwrap(), cx).await.unwrap()
    }

    async fn work(cx: &Cx) -> Result<(), StorageError> {
        let mut tx = cx.db().begin().await?;
        keep(&mut tx, cx, 201, &json!({ "id": "req_1" })).await?;
        tx.commit().await
    }

    #[tokio::test]
    async fn the_second_sending_gets_the_first_ones_answer_for_a_day() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let (user, other) = (app.id(), app.id());
            let cx = keyed(&app, &user, "a");
            assert_eq!(seen(&cx).await, Seen::New);
            work(&cx).await.unwrap();
            let response = r#"{"id":"req_1"}"#.to_owned();
            assert_eq!(
                seen(&cx).await,
                Seen::Replay {
                    status: 201,
                    response
                }
            );
            assert_eq!(seen(&keyed(&app, &user, "b")).await, Seen::Different);
            assert_eq!(
                seen(&keyed(&app, &other, "a")).await,
                Seen::New,
                "keys are each user's own"
            );
            assert_eq!(seen(&app.cx(&user)).await, Seen::New);
            let taken = work(&cx).await.unwrap_err();
            assert!(
                matches!(taken, StorageError::Conflict(Conflict::Unique)),
                "{taken:?}"
            );
            app.clock.advance_ms(KEPT_MS);
            let cx = keyed(&app, &user, "b");
            assert_eq!(seen(&cx).await, Seen::New);
            work(&cx).await.unwrap();
            let mut tx = app.db.begin().await.unwrap();
            assert_eq!(purge(&mut tx, cx.now()).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn without_a_key_nothing_is_kept() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let cx = app.cx(&app.id());
            work(&cx).await.unwrap();
            work(&cx).await.unwrap();
            assert_eq!(seen(&cx).await, Seen::New);
        }
    }
}
