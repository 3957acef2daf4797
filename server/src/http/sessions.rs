//! The browser's session: a cookie whose name and `Secure` follow the public address, and a row
//! that the server alone lets expire.
//!
//! The cookie carries no `Max-Age`: it ends with the browser, or when the row does. So the row can
//! be prolonged by what the person does without sending the cookie anew each time.
use async_trait::async_trait;
use lingbao_core::session_store::Sessions;
use time::OffsetDateTime;
use tower_sessions::{
    Expiry, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store::Result,
};

use super::Portal;
use crate::config::Config;

/// After how many milliseconds without an act of the person a session ends.
#[must_use]
pub fn idle_ms(config: &Config) -> i64 {
    i64::from(config.session.idle_minutes) * 60_000
}

/// Name of the cookie. The prefix makes the browser refuse one that another host or an insecure
/// page has set; it exists with TLS alone.
#[must_use]
pub fn cookie_name(config: &Config) -> &'static str {
    if config.is_https() {
        "__Host-lingbao"
    } else {
        "lingbao"
    }
}

/// The store with the end of each session reckoned from our clock.
#[derive(Debug, Clone)]
pub struct Store {
    rows: Sessions,
    portal_clock: std::sync::Arc<dyn lingbao_core::clock::Clock>,
    idle_ms: i64,
}

impl Store {
    fn until(&self, record: &Record) -> Record {
        let end = self.portal_clock.now().plus_millis(self.idle_ms).millis();
        let nanos = i128::from(end) * 1_000_000;
        Record {
            expiry_date: OffsetDateTime::from_unix_timestamp_nanos(nanos)
                .unwrap_or(record.expiry_date),
            ..record.clone()
        }
    }
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> Result<()> {
        *record = self.until(record);
        self.rows.create(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.rows.save(&self.until(record)).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.rows.load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.rows.delete(id).await
    }
}

/// The layer that reads and writes the cookie.
#[must_use]
pub fn layer(portal: &Portal) -> SessionManagerLayer<Store> {
    let store = Store {
        rows: portal.sessions.clone(),
        portal_clock: portal.app.clock.clone(),
        idle_ms: idle_ms(&portal.config),
    };
    SessionManagerLayer::new(store)
        .with_name(cookie_name(&portal.config))
        .with_secure(portal.config.is_https())
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnSessionEnd)
}
