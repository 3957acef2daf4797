use std::{
    collections::BTreeMap,
    sync::{Mutex, atomic::AtomicI64},
    time::Duration,
};

use async_trait::async_trait;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    clock::Clock as _,
    storage::Db,
    testing::{TestApp, TestDb, engines},
};

#[derive(Serialize, Deserialize, Clone)]
struct Note {
    text: String,
    key: Option<String>,
}

impl Job for Note {
    const KIND: &'static str = "test.note";
    const MAX_ATTEMPTS: i64 = 3;
    fn dedup_key(&self) -> Option<String> {
        self.key.clone()
    }
}

fn note(text: &str) -> Note {
    Note {
        text: text.to_owned(),
        key: None,
    }
}

fn keyed(text: &str) -> Note {
    Note {
        text: text.to_owned(),
        key: Some(text.to_owned()),
    }
}

type Answer = dyn Fn(&Run, i64) -> Result<(), JobError> + Send + Sync;

/// Counts its runs and answers what it is told to, by the number of the run.
#[derive(Clone)]
struct Scripted {
    runs: Arc<Mutex<BTreeMap<String, i64>>>,
    answer: Arc<Answer>,
}

impl Scripted {
    fn new(answer: impl Fn(&Run, i64) -> Result<(), JobError> + Send + Sync + 'static) -> Self {
        Self {
            runs: Arc::default(),
            answer: Arc::new(answer),
        }
    }

    fn total(&self) -> i64 {
        self.runs.lock().unwrap().values().sum()
    }
}

#[async_trait]
impl Handler<Note> for Scripted {
    async fn run(&self, run: &Run, job: Note) -> Result<(), JobError> {
        let number = {
            let mut runs = self.runs.lock().unwrap();
            let count = runs.entry(job.text).or_insert(0);
            *count += 1;
            *count
        };
        tokio::task::yield_now().await;
        (self.answer)(run, number)
    }
}

async fn put(app: &TestApp, job: &Note) -> Enqueued {
    let mut tx = app.db.begin().await.unwrap();
    let enqueued = enqueue(&mut tx, &app.system(), job).await.unwrap();
    tx.commit().await.unwrap();
    enqueued
}

async fn only(app: &TestApp) -> JobRow {
    let mut rx = app.db.read().await.unwrap();
    let all = list(&mut rx, &JobFilter::default()).await.unwrap();
    assert_eq!(all.len(), 1);
    all.into_iter().next().unwrap()
}

fn registry(handler: &Scripted) -> Arc<Registry> {
    Arc::new(Registry::new().handle(handler.clone()))
}

#[tokio::test]
async fn a_job_exists_exactly_if_the_change_does() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let handler = Scripted::new(|_, _| Ok(()));
        let mut tx = app.db.begin().await.unwrap();
        enqueue(&mut tx, &app.system(), &note("lost"))
            .await
            .unwrap();
        tx.rollback().await.unwrap();
        put(&app, &note("kept")).await;
        assert_eq!(run_until_idle(&app, &registry(&handler)).await.unwrap(), 1);
        assert_eq!(handler.runs.lock().unwrap().get("kept"), Some(&1));
        assert_eq!(only(&app).await.status, "done");
    }
}

#[tokio::test]
async fn failures_back_off_and_end_stuck_until_an_operator_acts() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let handler = Scripted::new(|_, run| {
            if run <= 3 {
                Err(JobError::retry("no"))
            } else {
                Ok(())
            }
        });
        let registry = registry(&handler);
        let Enqueued::New(id) = put(&app, &note("a")).await else {
            panic!("joined")
        };
        run_until_idle(&app, &registry).await.unwrap();
        let row = only(&app).await;
        assert_eq!((row.status.as_str(), row.attempt), ("ready", 1));
        let wait = row.run_at - app.app.clock.now().millis();
        assert!((2_000..=2_500).contains(&wait), "{wait}");
        for _ in 0..2 {
            app.clock.advance_ms(10_000);
            run_until_idle(&app, &registry).await.unwrap();
        }
        let row = only(&app).await;
        assert_eq!(
            (row.status.as_str(), row.error.as_deref()),
            ("stuck", Some("no"))
        );
        app.clock.advance_ms(3_600_000);
        assert_eq!(run_until_idle(&app, &registry).await.unwrap(), 0);
        let mut tx = app.db.begin().await.unwrap();
        retry(&mut tx, &app.system(), &id).await.unwrap();
        tx.commit().await.unwrap();
        run_until_idle(&app, &registry).await.unwrap();
        assert_eq!(only(&app).await.status, "done");
        let mut tx = app.db.begin().await.unwrap();
        assert!(retry(&mut tx, &app.system(), &id).await.is_err());
        assert!(discard(&mut tx, &app.system(), &id).await.is_err());
    }
}

#[tokio::test]
async fn a_panic_is_a_failure_and_fail_is_stuck_at_once() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let handler = Scripted::new(|_, run| {
            if run == 1 {
                panic!("oh")
            } else {
                Err(JobError::fail("never"))
            }
        });
        put(&app, &note("a")).await;
        run_until_idle(&app, &registry(&handler)).await.unwrap();
        assert_eq!(only(&app).await.error.as_deref(), Some("panicked: oh"));
        app.clock.advance_ms(10_000);
        run_until_idle(&app, &registry(&handler)).await.unwrap();
        assert_eq!(only(&app).await.status, "stuck");
    }
}

#[tokio::test]
async fn waiting_costs_no_attempt_and_a_signal_ends_it() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let handler = Scripted::new(|run, count| match count {
            1..=5 => Err(JobError::wait(run.cx().now().plus_minutes(1), "poll")),
            6 => Err(JobError::wait_for_signal("a person")),
            _ => Ok(()),
        });
        let registry = registry(&handler);
        put(&app, &keyed("a")).await;
        for _ in 0..6 {
            assert_eq!(run_until_idle(&app, &registry).await.unwrap(), 1);
            app.clock.advance_ms(60_000);
        }
        let row = only(&app).await;
        assert_eq!(
            (row.status.as_str(), row.attempt, row.lease_until),
            ("waiting", 0, None)
        );
        assert_eq!(row.wait_reason.as_deref(), Some("a person"));
        app.clock.advance_ms(365 * 86_400_000);
        assert_eq!(run_until_idle(&app, &registry).await.unwrap(), 0);
        assert_eq!(put(&app, &keyed("a")).await, Enqueued::Joined);
        assert_eq!(run_until_idle(&app, &registry).await.unwrap(), 1);
        assert_eq!(only(&app).await.status, "done");
    }
}

#[tokio::test]
async fn a_signal_to_a_running_job_makes_it_run_again() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let worker = Worker::new(app.app.clone(), Arc::default(), "w");
        put(&app, &keyed("a")).await;
        for settle in ["complete", "park"] {
            let run = Run::new(worker.claim().await.unwrap().unwrap());
            assert_eq!(put(&app, &keyed("a")).await, Enqueued::Joined);
            let mut tx = run.begin().await.unwrap();
            if settle == "complete" {
                run.complete(&mut tx).await.unwrap();
            } else {
                run.park(&mut tx, None, "a person").await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        let run = Run::new(worker.claim().await.unwrap().unwrap());
        let mut tx = run.begin().await.unwrap();
        run.complete(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert!(worker.claim().await.unwrap().is_none());
        assert_eq!(
            put(&app, &keyed("a")).await,
            Enqueued::New(run_id(&app).await)
        );
    }
}

async fn run_id(app: &TestApp) -> JobId {
    let mut rx = app.db.read().await.unwrap();
    let filter = JobFilter {
        status: Some("ready".into()),
        ..JobFilter::default()
    };
    list(&mut rx, &filter)
        .await
        .unwrap()
        .remove(0)
        .id
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_worker_that_slept_past_its_lease_commits_nothing() {
    for db in engines().await {
        let app = TestApp::on(&db);
        put(&app, &note("a")).await;
        let slow = Worker::new(app.app.clone(), Arc::default(), "slow");
        let sleeper = Run::new(slow.claim().await.unwrap().unwrap());
        sleeper.begin().await.unwrap();

        app.clock.advance_ms(LEASE_MS + 1);
        // Even before anybody else has taken the job.
        let lost = sleeper.begin().await.unwrap_err();
        assert!(matches!(
            lost,
            StorageError::Conflict(Conflict::LeaseLost { .. })
        ));

        let quick = Worker::new(app.app.clone(), Arc::default(), "quick");
        quick.housekeeping().await.unwrap();
        let other = Run::new(quick.claim().await.unwrap().unwrap());
        assert_eq!(other.claim().attempt(), 1);
        let mut tx = app.db.begin().await.unwrap();
        put_in(&mut tx, &app, "written by the sleeper").await;
        assert!(fence(&mut tx, sleeper.claim()).await.is_err());
        assert!(sleeper.complete(&mut tx).await.is_err());
        assert!(sleeper.park(&mut tx, None, "x").await.is_err());
        drop(tx);
        let mut tx = other.begin().await.unwrap();
        other.complete(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(only(&app).await.status, "done");
    }
}

async fn put_in(tx: &mut Tx, app: &TestApp, text: &str) {
    enqueue(tx, &app.system(), &note(text)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn six_workers_run_200_jobs_once_each() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let mut tx = app.db.begin().await.unwrap();
        for n in 0..200 {
            enqueue(&mut tx, &app.system(), &note(&n.to_string()))
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let handler = Scripted::new(|_, _| Ok(()));
        let stop = CancellationToken::new();
        let mut workers = tokio::task::JoinSet::new();
        for n in 0..6 {
            let worker = Worker::new(app.app.clone(), registry(&handler), format!("w{n}"));
            workers.spawn(worker.concurrency(1).run(stop.clone()));
        }
        for _ in 0..600 {
            if handler.total() >= 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.cancel();
        while workers.join_next().await.is_some() {}
        let runs = handler.runs.lock().unwrap().clone();
        assert_eq!(runs.len(), 200);
        assert!(runs.values().all(|count| *count == 1), "a job ran twice");
        let mut rx = app.db.read().await.unwrap();
        assert_eq!(rows::counts(&mut rx).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_period_has_one_job_however_many_copies_ask() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let handler = Scripted::new(|_, _| Ok(()));
        let registry = Arc::new(
            Registry::new()
                .handle(handler.clone())
                .every(60_000, note("tick")),
        );
        for _ in 0..3 {
            run_until_idle(&app, &registry).await.unwrap();
            app.clock.advance_ms(20_000);
        }
        // 09:00:00, :20 and :40 are one minute; 09:01:00 is the next.
        assert_eq!(handler.total(), 1);
        run_until_idle(&app, &registry).await.unwrap();
        assert_eq!(handler.total(), 2);
    }
}

#[tokio::test]
async fn what_takes_longer_than_its_period_does_not_pile_up() {
    for db in engines().await {
        let app = TestApp::on(&db);
        let until = app.clock.now().plus_minutes(10);
        let handler = Scripted::new(move |_, number| match number {
            1 => Err(JobError::wait(until, "an outside that hangs")),
            _ => Ok(()),
        });
        let registry = Arc::new(
            Registry::new()
                .handle(handler.clone())
                .every(60_000, keyed("tick")),
        );
        for _ in 0..5 {
            run_until_idle(&app, &registry).await.unwrap();
            app.clock.advance_ms(60_000);
        }
        let mut rx = app.db.read().await.unwrap();
        let all = list(&mut rx, &JobFilter::default()).await.unwrap();
        drop(rx);
        assert_eq!((all.len(), handler.total()), (1, 1));
        app.clock.advance_ms(600_000);
        run_until_idle(&app, &registry).await.unwrap();
        assert_eq!(handler.total(), 2);
        app.clock.advance_ms(60_000);
        run_until_idle(&app, &registry).await.unwrap();
        assert_eq!(handler.total(), 3, "the next one is its own");
    }
}

/// Never ends by itself.
struct Endless(Arc<AtomicI64>);

#[async_trait]
impl Handler<Note> for Endless {
    async fn run(&self, _: &Run, _: Note) -> Result<(), JobError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_soft_stop_gives_back_what_does_not_finish() {
    for db in engines().await {
        let app = TestApp::on(&db);
        put(&app, &note("a")).await;
        let started = Arc::new(AtomicI64::new(0));
        let registry = Arc::new(Registry::new().handle(Endless(started.clone())));
        let stop = CancellationToken::new();
        let worker = Worker::new(app.app.clone(), registry, "w").grace(Duration::from_millis(20));
        let running = tokio::spawn(worker.run(stop.clone()));
        while started.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
        running.await.unwrap();
        let row = only(&app).await;
        assert_eq!(
            (row.status.as_str(), row.attempt, row.lease_by),
            ("ready", 0, None)
        );
    }
}

#[tokio::test]
async fn a_kind_that_is_unknown_here_is_left_to_others() {
    for db in engines().await {
        let app = TestApp::on(&db);
        put(&app, &note("a")).await;
        run_until_idle(&app, &Arc::default()).await.unwrap();
        let row = only(&app).await;
        assert_eq!((row.status.as_str(), row.attempt), ("waiting", 0));
    }
}

/// Does work that needs more room than a full database has left, and ends in the same commit.
struct Bulky(Arc<AtomicI64>);

#[async_trait]
impl Handler<Note> for Bulky {
    async fn run(&self, run: &Run, _: Note) -> Result<(), JobError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let mut tx = run.begin().await?;
        let much = note(&"x".repeat(100_000));
        enqueue_at(&mut tx, &run.cx(), &much, Timestamp::from_millis(i64::MAX)).await?;
        run.complete(&mut tx).await?;
        Ok(tx.commit().await?)
    }
}

#[tokio::test]
async fn a_job_that_finds_no_room_waits_for_it_however_long_and_is_done_once() {
    let db = TestDb::sqlite_with(|own| own.max_page_count = Some(1_000)).await;
    let app = TestApp::on(&db);
    let runs = Arc::new(AtomicI64::new(0));
    let registry = Arc::new(Registry::new().handle(Bulky(runs.clone())));
    put(&app, &note("a")).await;
    db.fill().await;
    // Half a day, in which many more attempts are made than a job has.
    for _ in 0..72 {
        // The claim itself may find no room.
        let told = run_until_idle(&app, &registry).await;
        assert!(
            matches!(told, Ok(_) | Err(StorageError::Full(_))),
            "{told:?}"
        );
        app.clock.advance_ms(600_000);
    }
    let tried = runs.load(Ordering::SeqCst);
    assert!(tried > Note::MAX_ATTEMPTS, "{tried}");
    let row = only(&app).await;
    assert_eq!((row.status.as_str(), row.attempt), ("waiting", 0));
    db.make_room().await;
    run_until_idle(&app, &registry).await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), tried + 1);
    let mut rx = app.db.read().await.unwrap();
    let all = list(&mut rx, &JobFilter::default()).await.unwrap();
    let states: Vec<_> = all.iter().map(|row| row.status.as_str()).collect();
    assert_eq!(states, ["ready", "done"], "what it asked for stands once");
}

#[tokio::test]
async fn a_job_that_meets_a_locked_database_is_done_once_it_is_free() {
    let db = TestDb::sqlite_with(|own| {
        (own.wait, own.queue) = (Duration::from_millis(50), Duration::from_millis(200));
    })
    .await;
    let app = TestApp::on(&db);
    let other = Db::open(&db.config).await.unwrap();
    // Locked before the claim.
    let handler = Scripted::new(|_, _| Ok(()));
    let quick = registry(&handler);
    put(&app, &note("a")).await;
    let held = other.begin().await.unwrap();
    for _ in 0..3 {
        let told = run_until_idle(&app, &quick).await;
        assert!(matches!(told, Err(StorageError::Busy(_))), "{told:?}");
        app.clock.advance_ms(LEASE_MS + 1_000);
    }
    assert_eq!(handler.total(), 0);
    held.rollback().await.unwrap();
    run_until_idle(&app, &quick).await.unwrap();
    assert_eq!(
        (handler.total(), only(&app).await.status.as_str()),
        (1, "done")
    );
    // Locked while the job is at work: what it did is not written, nor that it ended.
    let between = Arc::new(tokio::sync::Mutex::new(None));
    let locks = Locking(other, between.clone());
    let slow = Arc::new(Registry::new().handle(locks));
    put(&app, &note("b")).await;
    assert!(run_until_idle(&app, &slow).await.is_ok());
    let status = async || {
        let mut rx = app.db.read().await.unwrap();
        let all = list(&mut rx, &JobFilter::default()).await.unwrap();
        (all.len(), all[0].status.clone())
    };
    assert_eq!(status().await, (2, "running".to_owned()));
    app.clock.advance_ms(LEASE_MS + 1_000);
    assert!(run_until_idle(&app, &slow).await.is_err());
    let held: Option<Tx> = between.lock().await.take();
    held.unwrap().rollback().await.unwrap();
    run_until_idle(&app, &slow).await.unwrap();
    app.clock.advance_ms(600_000);
    run_until_idle(&app, &slow).await.unwrap();
    assert_eq!(status().await, (2, "done".to_owned()));
}

/// In its first run another process takes the database, before the work is written.
struct Locking(Db, Arc<tokio::sync::Mutex<Option<Tx>>>);

#[async_trait]
impl Handler<Note> for Locking {
    async fn run(&self, run: &Run, _: Note) -> Result<(), JobError> {
        if run.claim().attempt() == 0 {
            *self.1.lock().await = Some(self.0.begin().await?);
        }
        let mut tx = run.begin().await?;
        run.complete(&mut tx).await?;
        Ok(tx.commit().await?)
    }
}
