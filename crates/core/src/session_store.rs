//! Browser sessions in the database, for `tower-sessions`.
//!
//! Things to note:
//! - A session holds the user's id under [`USER_KEY`], flash messages and a form that met the end of
//!   the one before ([`ENDED_KEY`]), nothing else; roles are read for each request. The user's id also fills a column, so that "sign out everywhere" is
//!   [`sign_out_everywhere`], one DELETE.
//! - The table holds the digest of the cookie's value: who reads the table can't take a session over.
//! - Set the layer to `Expiry::OnInactivity` and leave `always_save` off; call [`Sessions::touch`]
//!   for what the user does, and not for polls and event streams. It writes at most once a minute.
//! - What can't be saved because the database is full or locked is a message at most: whoever signs in
//!   makes a new session ([`SessionStore::create`]), and that must go right.
//! - A session that was ended elsewhere while a request was under way is not brought back by that
//!   request's save.
use std::sync::Arc;

use async_trait::async_trait;
use lingbao_model::{id::UserId, time::Timestamp};
use time::OffsetDateTime;
use tower_sessions::{
    ExpiredDeletion, SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::{
    app::App,
    error::StorageError,
    storage::{
        Tx,
        session::{self as rows, SessionRow},
    },
};

/// Under this key a signed-in session holds the user's id.
pub const USER_KEY: &str = "user";
/// Under this key the session of the door holds the user whose session had ended before it.
pub const ENDED_KEY: &str = "ended";
/// A session is written for being used at most so often.
const TOUCH_MS: i64 = 60_000;

/// The store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<App>);

/// Ends all sessions of a user but, where given, the one with this [`Sessions::digest`]. Returns
/// how many.
///
/// # Errors
/// Those of the database.
pub async fn sign_out_everywhere(
    tx: &mut Tx,
    user: &UserId,
    but: Option<&str>,
) -> std::result::Result<u64, StorageError> {
    rows::delete_of_user(tx, user, but).await
}

impl Sessions {
    /// The sessions of this application.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self(app)
    }

    /// How a session is named in the table and in the audit trail.
    #[must_use]
    pub fn digest(&self, id: &Id) -> String {
        self.0.crypto.digest_hex(id.to_string().as_bytes())
    }

    /// Notes that the user did something: the session lives for another `idle_ms`. Writes only if
    /// the last note is older than a minute.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn touch(&self, id: &Id, idle_ms: i64) -> std::result::Result<(), StorageError> {
        let (digest, now) = (self.digest(id), self.0.clock.now());
        let mut rx = self.0.db.read().await?;
        let row = rows::get(&mut rx, &digest, now).await?;
        drop(rx);
        if row.is_none_or(|row| now.millis() - row.seen_at < TOUCH_MS) {
            return Ok(());
        }
        let mut tx = self.0.db.begin().await?;
        rows::touch(&mut tx, &digest, now, now.plus_millis(idle_ms)).await?;
        tx.commit().await
    }

    /// Whose session it was, of one that has expired: what its owner typed is kept for them alone. One
    /// that was signed out of, or ended from elsewhere, is nobody's.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ended(&self, id: &Id) -> std::result::Result<Option<UserId>, StorageError> {
        let (digest, now) = (self.digest(id), self.0.clock.now());
        let mut rx = self.0.db.read().await?;
        let user = rows::ended(&mut rx, &digest, now).await?;
        user.map(|text| {
            text.parse()
                .map_err(|e| StorageError::inconsistent("session", "user_id", digest.as_str(), e))
        })
        .transpose()
    }

    async fn write(&self, row: &SessionRow) -> std::result::Result<(), StorageError> {
        let mut tx = self.0.db.begin().await?;
        rows::update(&mut tx, row).await?;
        tx.commit().await
    }

    fn row(&self, record: &Record) -> Result<SessionRow> {
        let now = self.0.clock.now().millis();
        let user = record.data.get(USER_KEY).and_then(|value| value.as_str());
        Ok(SessionRow {
            id: self.digest(&record.id),
            user_id: user.map(str::to_owned),
            data: serde_json::to_string(&record.data)
                .map_err(|error| Error::Encode(error.to_string()))?,
            created_at: now,
            seen_at: now,
            expires_at: millis(record.expiry_date),
        })
    }
}

fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

fn date(at: i64) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000)
        .map_err(|error| Error::Decode(error.to_string()))
}

fn backend(error: StorageError) -> Error {
    Error::Backend(crate::jobs::chain(&error))
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let mut tx = self.0.db.begin().await.map_err(backend)?;
        while !rows::insert(&mut tx, &self.row(record)?)
            .await
            .map_err(backend)?
        {
            record.id = Id::default();
        }
        tx.commit().await.map_err(backend)
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let row = self.row(record)?;
        let now = Timestamp::from_millis(row.seen_at);
        let mut rx = self.0.db.read().await.map_err(backend)?;
        let old = rows::get(&mut rx, &row.id, now).await.map_err(backend)?;
        drop(rx);
        let Some(old) = old else { return Ok(()) };
        if old.data == row.data && row.seen_at - old.seen_at < TOUCH_MS {
            return Ok(());
        }
        match self.write(&row).await {
            // A message is shown twice, or not at all; the page that was made all the same is shown.
            Err(error @ (StorageError::Full(_) | StorageError::Busy(_))) => {
                tracing::warn!(%error, "a session could not be saved");
                Ok(())
            }
            wrote => wrote.map_err(backend),
        }
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let mut rx = self.0.db.read().await.map_err(backend)?;
        let row = rows::get(&mut rx, &self.digest(id), self.0.clock.now()).await;
        row.map_err(backend)?
            .map(|row| {
                let data = serde_json::from_str(&row.data)
                    .map_err(|error| Error::Decode(error.to_string()))?;
                Ok(Record {
                    id: *id,
                    data,
                    expiry_date: date(row.expires_at)?,
                })
            })
            .transpose()
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let mut tx = self.0.db.begin().await.map_err(backend)?;
        rows::delete(&mut tx, &self.digest(id))
            .await
            .map_err(backend)?;
        tx.commit().await.map_err(backend)
    }
}

#[async_trait]
impl ExpiredDeletion for Sessions {
    async fn delete_expired(&self) -> Result<()> {
        let mut tx = self.0.db.begin().await.map_err(backend)?;
        rows::delete_expired(&mut tx, self.0.clock.now())
            .await
            .map_err(backend)?;
        tx.commit().await.map_err(backend)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;
    use crate::testing::{TestApp, engines};

    const IDLE_MS: i64 = 30 * 60_000;

    fn record(app: &TestApp, user: Option<&UserId>) -> Record {
        let mut data = HashMap::from([("flash".to_owned(), json!("saved"))]);
        if let Some(user) = user {
            data.insert(USER_KEY.to_owned(), json!(user));
        }
        let until = app.app.clock.now().plus_millis(IDLE_MS);
        Record {
            id: Id::default(),
            data,
            expiry_date: date(until.millis()).unwrap(),
        }
    }

    async fn row(app: &TestApp, store: &Sessions, id: &Id) -> Option<SessionRow> {
        let mut rx = app.db.read().await.unwrap();
        rows::get(&mut rx, &store.digest(id), app.app.clock.now())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_session_is_loaded_as_it_was_saved_and_not_after_its_time() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let store = Sessions::new(app.app.clone());
            let mut mine = record(&app, None);
            store.create(&mut mine).await.unwrap();
            assert_eq!(store.load(&mine.id).await.unwrap(), Some(mine.clone()));
            assert_eq!(store.load(&Id::default()).await.unwrap(), None);
            let raw = row(&app, &store, &mine.id).await.unwrap();
            assert!(!raw.id.contains(&mine.id.to_string()));
            let mut twin = Record {
                id: mine.id,
                ..record(&app, None)
            };
            store.create(&mut twin).await.unwrap();
            assert_ne!(twin.id, mine.id, "a taken id is changed");
            app.clock.advance_ms(IDLE_MS);
            assert_eq!(store.load(&mine.id).await.unwrap(), None);
            store.delete_expired().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_touch_prolongs_but_writes_at_most_once_a_minute() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let store = Sessions::new(app.app.clone());
            let mut mine = record(&app, None);
            store.create(&mut mine).await.unwrap();
            let began = row(&app, &store, &mine.id).await.unwrap();
            app.clock.advance_ms(59_000);
            store.touch(&mine.id, IDLE_MS).await.unwrap();
            store.save(&mine).await.unwrap();
            assert_eq!(row(&app, &store, &mine.id).await.unwrap(), began);
            app.clock.advance_ms(1_000);
            store.touch(&mine.id, IDLE_MS).await.unwrap();
            let touched = row(&app, &store, &mine.id).await.unwrap();
            assert_eq!(touched.expires_at, began.expires_at + 60_000);
        }
    }

    #[tokio::test]
    async fn signing_out_everywhere_ends_all_others_for_good() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let store = Sessions::new(app.app.clone());
            let user: UserId = app.id();
            let mut here = record(&app, None);
            store.create(&mut here).await.unwrap();
            here.data.insert(USER_KEY.to_owned(), json!(user));
            store.save(&here).await.unwrap();
            let mut there = record(&app, Some(&user));
            store.create(&mut there).await.unwrap();
            let mut stranger = record(&app, Some(&app.id()));
            store.create(&mut stranger).await.unwrap();
            let mut tx = app.db.begin().await.unwrap();
            let but = store.digest(&here.id);
            assert_eq!(
                sign_out_everywhere(&mut tx, &user, Some(&but))
                    .await
                    .unwrap(),
                1
            );
            tx.commit().await.unwrap();
            there.data.insert("flash".to_owned(), json!("late"));
            store.save(&there).await.unwrap();
            assert_eq!(store.load(&there.id).await.unwrap(), None);
            assert!(store.load(&here.id).await.unwrap().is_some());
            assert!(store.load(&stranger.id).await.unwrap().is_some());
        }
    }
}
