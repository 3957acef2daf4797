//! What is known of whom the steps call before they call.
use lingbao_model::time::Timestamp;

use super::{Advance, Silence, StepCx};
use crate::{
    app::Cx,
    error::StorageError,
    jobs::Job as _,
    storage::{Tx, cloud, job},
};

/// Whom a step calls.
#[derive(Debug, Clone, Copy)]
pub struct Outside<'a> {
    /// Its name in the configuration.
    pub name: &'a str,
    /// After a lost answer, what was begun has shown itself after so many milliseconds.
    pub settle_ms: i64,
}

/// How long nobody calls an outside that is away, unless it answers before.
pub const AWAY_MS: i64 = 30_000;
/// How old a look may be that is believed without asking anew: three of the looks that come each
/// minute. Whom nobody looks at any more has to be asked.
const BELIEVED_MS: i64 = 180_000;

/// Whether an outside is known to be away. Then nothing is called: each call would hold a hand of the
/// worker until its time is out, and what waits for others would stand still behind it.
pub async fn is_away(cx: &Cx, outside: &str) -> bool {
    let since = cx.now().plus_millis(-BELIEVED_MS);
    let look = async {
        let mut rx = cx.db().read().await?;
        cloud::silent_since(&mut rx, outside, since).await
    };
    // What can't be read here is told by whoever then calls.
    matches!(look.await, Ok(true))
}

/// The same for a step: what it comes to while nobody is called.
pub async fn away(cx: &StepCx, outside: &str) -> Option<Silence> {
    is_away(&cx.cx, outside).await.then(|| Silence {
        lost: false,
        away: Some(until(cx.cx.now())),
        why: format!("{outside} is away"),
    })
}

/// When an outside that is away is called again.
#[must_use]
pub const fn until(now: Timestamp) -> Timestamp {
    now.plus_millis(AWAY_MS)
}

/// An outside that was away answers: who waits for a moment asks again now.
///
/// # Errors
/// Those of the database.
pub async fn answers(tx: &mut Tx, cx: &Cx) -> Result<(), StorageError> {
    tx.wake_after_commit(&cx.app.job_bell);
    job::hasten(tx, Advance::KIND, cx.now(), until(cx.now())).await?;
    Ok(())
}
