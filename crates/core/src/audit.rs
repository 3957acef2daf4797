//! Who did what, in a form that can't be changed unnoticed.
//!
//! [`record`] appends an event in the transaction of the change, so there is no change without its
//! event and no event without its change. [`record_refusal`] does so in a transaction of its own,
//! because the refused one is rolled back. Neither numbers: that would make every transaction of the
//! portal wait for every other. A sealer ([`run_sealer`], one in each process, of which the lock on
//! the head lets one work at a time) numbers the events without gaps within seconds and chains them:
//! each hash covers the event and the hash before. The head is signed with a key outside the
//! database, so that even who rewrites the whole table is found out by [`verify_chain`].
//!
//! Things to note: `detail` is for what changed (before, after), never for secrets or for more of a
//! person than an auditor needs.
use std::{borrow::Cow, sync::Arc, time::Duration};

use lingbao_model::{
    id::{AuditId, UnitId},
    view::audit::ACTIONS,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub use crate::storage::audit::AuditRow;
use crate::{
    app::{App, Cx},
    crypto::Crypto,
    error::StorageError,
    idempotency,
    storage::{
        Tx,
        audit::{self as rows, HeadRow},
    },
};

/// How many events are sealed in one transaction.
const BATCH: i64 = 500;
/// How often the sealer looks.
const EVERY: Duration = Duration::from_secs(2);
/// What the head's signature is bound to.
const HEAD: &str = "audit_head";

/// Something that somebody did, or was refused.
#[derive(Debug, Clone)]
pub struct Event {
    action: Cow<'static, str>,
    subject_kind: &'static str,
    subject_id: String,
    unit: Option<UnitId>,
    detail: Value,
}

impl Event {
    /// `action` (`request.submit`) on a thing. It must stand in [`ACTIONS`], or readers have no words.
    pub fn new(
        action: impl Into<Cow<'static, str>>,
        subject_kind: &'static str,
        subject_id: impl ToString,
    ) -> Self {
        let action = action.into();
        debug_assert!(ACTIONS.contains(&&*action), "unlisted action: {action}");
        Self {
            action,
            subject_kind,
            subject_id: subject_id.to_string(),
            unit: None,
            detail: Value::Null,
        }
    }

    /// Whose matter it is: the unit's administrators see it.
    #[must_use]
    pub fn of_unit(mut self, unit: &UnitId) -> Self {
        self.unit = Some(unit.clone());
        self
    }

    /// What changed.
    #[must_use]
    pub fn detail(mut self, detail: impl Serialize) -> Self {
        self.detail = serde_json::to_value(detail)
            .unwrap_or_else(|error| json!({ "unprintable": error.to_string() }));
        self
    }

    fn row(self, cx: &Cx, outcome: &str) -> AuditRow {
        AuditRow {
            id: cx.id::<AuditId>().into(),
            seq: None,
            at: cx.now().millis(),
            actor: cx.actor.as_str().to_owned(),
            action: self.action.into_owned(),
            outcome: outcome.to_owned(),
            subject_kind: self.subject_kind.to_owned(),
            subject_id: self.subject_id,
            unit_id: self.unit.map(String::from),
            detail: self.detail.to_string(),
            request_id: cx.request_id.clone(),
            ip: cx.ip.map(|ip| ip.to_string()),
            session: cx.session.clone(),
            prev_hash: None,
            hash: None,
        }
    }
}

/// Records what the transaction does. Here the transaction also takes the request's idempotency
/// key, because everything that changes something comes by.
///
/// # Errors
/// Those of the database; [`Conflict::Unique`](crate::error::Conflict::Unique) when the same request
/// was faster under the same key.
pub async fn record(tx: &mut Tx, cx: &Cx, event: Event) -> Result<(), StorageError> {
    idempotency::claim(tx, cx).await?;
    rows::insert(tx, &event.row(cx, "done")).await
}

/// Records that it was refused, in a transaction of its own. Call it after the refused transaction
/// has been dropped: SQLite has one writer.
///
/// # Errors
/// Those of the database.
pub async fn record_refusal(cx: &Cx, event: Event) -> Result<(), StorageError> {
    let mut tx = cx.db().begin().await?;
    rows::insert(&mut tx, &event.row(cx, "refused")).await?;
    tx.commit().await
}

/// What the hash covers, in a form that reads in one way only.
fn covered(row: &AuditRow, seq: i64, prev_hash: &str) -> String {
    json!([
        seq,
        prev_hash,
        row.id,
        row.at,
        row.actor,
        row.action,
        row.outcome,
        row.subject_kind,
        row.subject_id,
        row.unit_id,
        row.detail,
        row.request_id,
        row.ip,
        row.session,
    ])
    .to_string()
}

fn signed(head: &HeadRow) -> String {
    format!("{} {}", head.seq, head.hash)
}

/// Numbers and chains what has been recorded up to now. Returns how many events.
///
/// # Errors
/// Those of the database.
pub async fn seal(app: &App) -> Result<u64, StorageError> {
    let mut sealed = 0;
    loop {
        let mut rx = app.db.read().await?;
        if !rows::anything_unsealed(&mut rx).await? {
            return Ok(sealed);
        }
        drop(rx);
        let mut tx = app.db.begin().await?;
        let mut head = rows::take_head(&mut tx, app.clock.now()).await?;
        for row in rows::unsealed(&mut tx, BATCH).await? {
            let seq = head.seq + 1;
            let hash = app
                .crypto
                .digest_hex(covered(&row, seq, &head.hash).as_bytes());
            rows::seal(&mut tx, &row.id, seq, &head.hash, &hash).await?;
            head = HeadRow {
                seq,
                hash,
                mac: String::new(),
            };
            sealed += 1;
        }
        if head.mac.is_empty() && head.seq > 0 {
            head.mac = app.crypto.sign(HEAD, signed(&head).as_bytes());
            rows::put_head(&mut tx, &head).await?;
        }
        tx.commit().await?;
    }
}

/// Seals every two seconds until it is told to stop, and once more then.
pub async fn run_sealer(app: Arc<App>, stop: CancellationToken) {
    loop {
        let last = stop.is_cancelled();
        if let Err(error) = seal(&app).await {
            tracing::warn!(error = %crate::jobs::chain(&error), "audit events could not be sealed");
        }
        if last {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// At this number.
    pub seq: i64,
    /// In this way, for the auditor's report.
    pub why: BrokenWhy,
}

/// How the chain is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokenWhy {
    /// An event is missing.
    Gap,
    /// An event does not follow on the one before.
    Link,
    /// An event was changed after it was sealed.
    Changed,
    /// The chain ends elsewhere than its head says.
    End,
    /// The head was not signed by this installation.
    Signature,
}

/// What [`verify_chain`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainCheck {
    /// How many events were checked.
    pub checked: i64,
    /// The first fault.
    pub broken: Option<Broken>,
}

/// Walks the whole chain.
///
/// # Errors
/// Those of the database.
pub async fn verify_chain(app: &App) -> Result<ChainCheck, StorageError> {
    let crypto: &dyn Crypto = &*app.crypto;
    let mut rx = app.db.read().await?;
    let head = rows::head(&mut rx).await?;
    let (mut seq, mut hash) = (0, String::new());
    let broken = |seq, why| ChainCheck {
        checked: seq - 1,
        broken: Some(Broken { seq, why }),
    };
    loop {
        let page = rows::sealed(&mut rx, seq, BATCH).await?;
        if page.is_empty() {
            break;
        }
        for row in page {
            seq += 1;
            if row.seq != Some(seq) {
                return Ok(broken(seq, BrokenWhy::Gap));
            }
            if row.prev_hash.as_deref() != Some(&hash) {
                return Ok(broken(seq, BrokenWhy::Link));
            }
            hash = crypto.digest_hex(covered(&row, seq, &hash).as_bytes());
            if row.hash.as_deref() != Some(&hash) {
                return Ok(broken(seq, BrokenWhy::Changed));
            }
        }
    }
    if head.seq != seq || head.hash != hash {
        return Ok(broken(seq, BrokenWhy::End));
    }
    if seq > 0 && !crypto.verify(HEAD, signed(&head).as_bytes(), &head.mac) {
        return Ok(broken(seq, BrokenWhy::Signature));
    }
    Ok(ChainCheck {
        checked: seq,
        broken: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        on,
        testing::{TestApp, engines},
    };

    async fn act(cx: &Cx, n: i64) {
        let mut tx = cx.db().begin().await.unwrap();
        let event = Event::new("request.submit", "request", n).detail(json!({ "n": n }));
        record(&mut tx, cx, event).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn tamper(app: &TestApp, sql: &'static str) {
        let mut tx = app.db.begin().await.unwrap();
        on!(&mut tx, conn => sqlx::query(sql).execute(conn).await.map(|_| ())).unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_chain_has_no_gap_under_parallel_commits_and_two_sealers() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let stop = CancellationToken::new();
            let mut sealers = tokio::task::JoinSet::new();
            for _ in 0..2 {
                let (app, stop) = (app.app.clone(), stop.clone());
                sealers.spawn(async move {
                    while !stop.is_cancelled() {
                        seal(&app).await.unwrap();
                    }
                });
            }
            let mut writers = tokio::task::JoinSet::new();
            for writer in 0..6 {
                let app = app.clone();
                writers.spawn(async move {
                    for n in 0..25 {
                        act(&app.system(), writer * 100 + n).await;
                    }
                });
            }
            while let Some(done) = writers.join_next().await {
                done.unwrap();
            }
            stop.cancel();
            while let Some(done) = sealers.join_next().await {
                done.unwrap();
            }
            seal(&app).await.unwrap();
            let check = verify_chain(&app).await.unwrap();
            assert_eq!(
                check,
                ChainCheck {
                    checked: 150,
                    broken: None
                }
            );
        }
    }

    #[tokio::test]
    async fn every_way_to_change_the_past_is_found() {
        let cases = [
            (
                "UPDATE audit_event SET actor = 'somebody' WHERE seq = 2",
                2,
                BrokenWhy::Changed,
            ),
            ("DELETE FROM audit_event WHERE seq = 2", 2, BrokenWhy::Gap),
            ("DELETE FROM audit_event WHERE seq = 3", 2, BrokenWhy::End),
            (
                "UPDATE audit_event SET prev_hash = 'x' WHERE seq = 3",
                3,
                BrokenWhy::Link,
            ),
            ("UPDATE audit_head SET mac = 'x'", 3, BrokenWhy::Signature),
        ];
        for (sql, seq, why) in cases {
            for db in engines().await {
                let app = TestApp::on(&db);
                for n in 0..3 {
                    act(&app.system(), n).await;
                }
                assert_eq!(seal(&app).await.unwrap(), 3);
                tamper(&app, sql).await;
                let check = verify_chain(&app).await.unwrap();
                assert_eq!(check.broken, Some(Broken { seq, why }), "{sql}");
            }
        }
    }

    #[tokio::test]
    async fn a_row_that_is_changed_by_hand_is_found_in_whatever_column() {
        // Each column that a reader believes.
        let cases = [
            "UPDATE audit_event SET id = 'aud_forged' WHERE seq = 2",
            "UPDATE audit_event SET at = at + 1 WHERE seq = 2",
            "UPDATE audit_event SET actor = 'usr_other' WHERE seq = 2",
            "UPDATE audit_event SET action = 'request.withdraw' WHERE seq = 2",
            "UPDATE audit_event SET outcome = 'refused' WHERE seq = 2",
            "UPDATE audit_event SET subject_kind = 'unit' WHERE seq = 2",
            "UPDATE audit_event SET subject_id = '7' WHERE seq = 2",
            "UPDATE audit_event SET unit_id = NULL WHERE seq = 2",
            "UPDATE audit_event SET detail = '{\"n\":7}' WHERE seq = 2",
            "UPDATE audit_event SET request_id = 'req-7' WHERE seq = 2",
            "UPDATE audit_event SET ip = '192.0.2.9' WHERE seq = 2",
            "UPDATE audit_event SET session = NULL WHERE seq = 2",
        ];
        for db in engines().await {
            let app = TestApp::on(&db);
            let mut cx = app.cx(&app.id());
            cx.session = Some("session".to_owned());
            let unit = app.id();
            for n in 0..3 {
                let mut tx = cx.db().begin().await.unwrap();
                let event = Event::new("request.submit", "request", n)
                    .of_unit(&unit)
                    .detail(json!({ "n": n }));
                record(&mut tx, &cx, event).await.unwrap();
                tx.commit().await.unwrap();
            }
            seal(&app).await.unwrap();
            let mut rx = app.db.read().await.unwrap();
            let before = rows::sealed(&mut rx, 1, 1).await.unwrap().remove(0);
            drop(rx);
            let whole = verify_chain(&app).await.unwrap();
            assert_eq!((whole.checked, whole.broken), (3, None));
            for sql in cases {
                tamper(&app, sql).await;
                let check = verify_chain(&app).await.unwrap();
                let why = BrokenWhy::Changed;
                assert_eq!(check.broken, Some(Broken { seq: 2, why }), "{sql}");
                put_back(&app, &before).await;
                let check = verify_chain(&app).await.unwrap();
                assert_eq!(check.broken, None, "after {sql}");
            }
        }
    }

    /// Writes the second event as it was.
    async fn put_back(app: &TestApp, row: &AuditRow) {
        let mut tx = app.db.begin().await.unwrap();
        on!(&mut tx, conn => sqlx::query(
            "UPDATE audit_event SET id = $1, at = $2, actor = $3, action = $4, outcome = $5,
                    subject_kind = $6, subject_id = $7, unit_id = $8, detail = $9, request_id = $10,
                    ip = $11, session = $12 WHERE seq = 2")
            .bind(&row.id).bind(row.at).bind(&row.actor).bind(&row.action).bind(&row.outcome)
            .bind(&row.subject_kind).bind(&row.subject_id).bind(&row.unit_id).bind(&row.detail)
            .bind(&row.request_id).bind(&row.ip).bind(&row.session)
            .execute(conn).await.map(|_| ()))
        .unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn who_rewrites_the_whole_chain_without_the_key_is_found_out() {
        for db in engines().await {
            let app = TestApp::on(&db);
            for n in 0..3 {
                act(&app.system(), n).await;
            }
            seal(&app).await.unwrap();
            // Everything as the sealer itself would have written it, but for the signature of the head: once
            // with another actor, once as if the last event had never been.
            for (sql, last) in [
                ("UPDATE audit_event SET actor = 'somebody' WHERE seq = 2", 3),
                ("DELETE FROM audit_event WHERE seq = 3", 2),
            ] {
                tamper(&app, sql).await;
                let mut tx = app.db.begin().await.unwrap();
                let mut hash = String::new();
                for row in rows::sealed(&mut tx, 0, 10).await.unwrap() {
                    let seq = row.seq.unwrap();
                    let before = hash;
                    let text = covered(&row, seq, &before);
                    hash = app.crypto.digest_hex(text.as_bytes());
                    on!(&mut tx, conn => sqlx::query(
                        "UPDATE audit_event SET prev_hash = $1, hash = $2 WHERE seq = $3")
                        .bind(&before).bind(&hash).bind(seq).execute(conn).await.map(|_| ()))
                    .unwrap();
                }
                let mut head = rows::head(&mut tx).await.unwrap();
                (head.seq, head.hash) = (last, hash);
                rows::put_head(&mut tx, &head).await.unwrap();
                tx.commit().await.unwrap();
                let (seq, why) = (last, BrokenWhy::Signature);
                let check = verify_chain(&app).await.unwrap();
                assert_eq!(check.broken, Some(Broken { seq, why }), "{sql}");
            }
        }
    }

    #[tokio::test]
    async fn a_change_that_is_rolled_back_leaves_no_event_and_a_refusal_leaves_one() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let cx = app.cx(&app.id());
            let mut tx = cx.db().begin().await.unwrap();
            record(&mut tx, &cx, Event::new("request.submit", "request", 1))
                .await
                .unwrap();
            tx.rollback().await.unwrap();
            let unit = app.id();
            let refused = Event::new("request.submit", "request", 1).of_unit(&unit);
            record_refusal(&cx, refused).await.unwrap();
            seal(&app).await.unwrap();
            let mut rx = app.db.read().await.unwrap();
            let all = rows::sealed(&mut rx, 0, 10).await.unwrap();
            assert_eq!(all.len(), 1);
            assert_eq!(all[0].outcome, "refused");
            assert_eq!(all[0].unit_id.as_deref(), Some(unit.as_str()));
            assert_eq!(all[0].actor, cx.actor.as_str());
        }
    }
}
