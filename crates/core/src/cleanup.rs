//! Forgets what has served its time.
//!
//! | rows              | forgotten                                   | why so late                      |
//! | ---               | ---                                         | ---                              |
//! | `session`         | a day after it expired                      | a form that met its end is kept  |
//! | `idempotency_key` | a day after the answer                      | clients retry within hours       |
//! | `job`             | 30 days after the end, periodic ones a day  | operators look back a month      |
//! | `change`          | ten minutes after                           | open tabs look seconds back    |
//! | `sent_form`       | 30 days after                               | a tab may stay open for weeks  |
//!
//! Sagas, their steps and operations, and audit events are never forgotten.
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    idempotency,
    jobs::{Handler, Job, JobError, Registry, Run},
    storage::{change, job, request, session},
};

const DAY_MS: i64 = 86_400_000;
const JOBS_KEPT_MS: i64 = 30 * DAY_MS;
const CHANGES_KEPT_MS: i64 = 600_000;
const FORMS_KEPT_MS: i64 = 30 * DAY_MS;

/// The periodic job; it takes no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cleanup {}

impl Job for Cleanup {
    const KIND: &'static str = "cleanup";
}

/// Forgets.
#[derive(Debug)]
struct Cleaner;

#[async_trait]
impl Handler<Cleanup> for Cleaner {
    async fn run(&self, run: &Run, _: Cleanup) -> Result<(), JobError> {
        let now = run.cx().now();
        let mut tx = run.begin().await?;
        let sessions = session::delete_expired(&mut tx, now.plus_millis(-DAY_MS)).await?;
        let keys = idempotency::purge(&mut tx, now).await?;
        let (old, periodic) = (now.plus_millis(-JOBS_KEPT_MS), now.plus_millis(-DAY_MS));
        let jobs = job::purge(&mut tx, old, periodic).await?;
        change::prune(&mut tx, now.plus_millis(-CHANGES_KEPT_MS)).await?;
        request::forget_sent_forms(&mut tx, now.plus_millis(-FORMS_KEPT_MS)).await?;
        run.complete(&mut tx).await?;
        tx.commit().await?;
        tracing::debug!(
            sessions,
            keys,
            jobs,
            "forgot {sessions} sessions, {keys} keys, {jobs} jobs"
        );
        Ok(())
    }
}

/// Adds the hourly clean-up to a program's jobs.
#[must_use]
pub fn wire(jobs: Registry) -> Registry {
    jobs.handle::<Cleanup>(Cleaner).every(3_600_000, Cleanup {})
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        jobs::{JobFilter, list, run_until_idle},
        testing::{TestApp, engines},
    };

    #[tokio::test]
    async fn a_clean_up_a_day_later_forgets_the_one_of_today() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let jobs = Arc::new(wire(Registry::new()));
            for _ in 0..3 {
                run_until_idle(&app, &jobs).await.unwrap();
                app.clock.advance_ms(DAY_MS - 1);
            }
            let mut rx = app.db.read().await.unwrap();
            let left = list(&mut rx, &JobFilter::default()).await.unwrap();
            // The first was two days old at the third run, the second just under one.
            assert_eq!(left.len(), 2, "{left:?}");
        }
    }
}
