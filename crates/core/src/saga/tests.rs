use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use lingbao_model::{id::SagaId, msg::Msg};
use serde::Deserialize;
use serde_json::json;

use super::{
    harness::{Bench, Fault, drill, play},
    *,
};
use crate::{
    clock::Clock as _,
    jobs::{JobFilter, JobRow, Registry as Jobs, run_until_idle},
    testing::{TestApp, TestDb, engines},
};

/// A cloud of three things that are made one after the other, the second only at the second call.
#[derive(Debug, Default)]
struct Cloud {
    /// Thing by operation.
    things: BTreeMap<String, String>,
    polls: BTreeMap<String, i64>,
    saved: Vec<String>,
    ends: Vec<End>,
    /// `run` of this thing gives this instead.
    scripted: BTreeMap<&'static str, Outcome>,
    /// `undo` of this thing gives this instead.
    undo: BTreeMap<&'static str, Undone>,
    /// This thing stays.
    stays: Option<&'static str>,
    /// After a lost answer, what was begun has shown itself after so long.
    settle_ms: i64,
    /// What it was asked, in order.
    asked: Vec<String>,
    /// It answers no question.
    mute: bool,
}

#[derive(Clone, Default)]
struct Build(Arc<Mutex<Cloud>>);

struct Make {
    thing: &'static str,
    cloud: Arc<Mutex<Cloud>>,
}

#[derive(Serialize, Deserialize)]
struct Params {
    things: i64,
}

/// Its name in the configuration.
const CLOUD: &str = "gov";
const THINGS: [&str; 3] = ["address", "server", "disk"];

#[async_trait]
impl Step for Make {
    fn name(&self) -> String {
        self.thing.to_owned()
    }

    fn outside(&self) -> Option<Outside<'_>> {
        Some(Outside {
            name: CLOUD,
            settle_ms: self.cloud.lock().unwrap().settle_ms,
        })
    }

    async fn run(&self, cx: &StepCx) -> Outcome {
        let mut cloud = self.cloud.lock().unwrap();
        cloud.asked.push(format!("run {}", self.thing));
        if let Some(outcome) = cloud.scripted.get(self.thing) {
            return outcome.clone();
        }
        if self.thing == "disk" {
            assert_eq!(cx.output::<String>("server").as_deref(), Some("server"));
        }
        let polls = cloud.polls.entry(cx.operation.to_string()).or_insert(0);
        *polls += 1;
        if self.thing == "server" && *polls == 1 {
            let until = Some(cx.cx.now().plus_minutes(1));
            return Outcome::Wait {
                until,
                why: "the server boots".into(),
            };
        }
        cloud
            .things
            .insert(cx.operation.to_string(), self.thing.to_owned());
        Outcome::Done(json!(self.thing))
    }

    async fn undo(&self, cx: &StepCx) -> Undone {
        let mut cloud = self.cloud.lock().unwrap();
        if let Some(undone) = cloud.undo.get(self.thing) {
            return undone.clone();
        }
        if cloud.stays != Some(self.thing) {
            cloud.things.remove(cx.operation.as_str());
        }
        Undone::Done
    }

    async fn verify(&self, cx: &StepCx) -> Verified {
        let mut cloud = self.cloud.lock().unwrap();
        cloud.asked.push(format!("verify {}", self.thing));
        if cloud.mute {
            return Verified::Unknown("timed out".into());
        }
        match cloud.things.get(cx.operation.as_str()) {
            Some(thing) => Verified::Present(json!(thing)),
            None => Verified::Absent,
        }
    }

    fn stays(&self) -> bool {
        self.cloud.lock().unwrap().stays == Some(self.thing)
    }

    async fn save(
        &self,
        _: &mut Tx,
        _: &StepCx,
        _: &serde_json::Value,
    ) -> Result<(), StorageError> {
        self.cloud.lock().unwrap().saved.push(self.thing.to_owned());
        Ok(())
    }

    async fn unsave(&self, _: &mut Tx, _: &StepCx) -> Result<(), StorageError> {
        let mut cloud = self.cloud.lock().unwrap();
        let before = cloud.saved.len();
        cloud.saved.retain(|thing| thing != self.thing);
        assert_eq!(
            cloud.saved.len() + 1,
            before,
            "only what was saved is taken back, once"
        );
        Ok(())
    }
}

#[async_trait]
impl Saga for Build {
    const KIND: &'static str = "test.build";
    const VERSION: i64 = 1;
    type Params = Params;

    fn steps(&self, params: &Params) -> Vec<Box<dyn Step>> {
        THINGS
            .into_iter()
            .take(usize::try_from(params.things).unwrap())
            .map(|thing| -> Box<dyn Step> {
                Box::new(Make {
                    thing,
                    cloud: self.0.clone(),
                })
            })
            .collect()
    }

    async fn ended(
        &self,
        _: &mut Tx,
        _: &Cx,
        ended: &Ended<'_, Params>,
    ) -> Result<(), StorageError> {
        assert_eq!(ended.params.things, 3);
        self.0.lock().unwrap().ends.push(ended.end.clone());
        Ok(())
    }
}

#[derive(Default)]
struct BuildBench(Mutex<Build>);

#[async_trait]
impl Bench for BuildBench {
    type Saga = Build;

    async fn fresh(&self, _: &TestApp) -> (Build, Params) {
        let build = Build::default();
        *self.0.lock().unwrap() = build.clone();
        (build, Params { things: 3 })
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        let build = self.0.lock().unwrap().clone();
        let cloud = build.0.lock().unwrap();
        let mut things: Vec<&String> = cloud.things.values().collect();
        things.sort();
        assert_eq!(things, ["address", "disk", "server"], "{when}");
        assert_eq!(cloud.saved, THINGS, "{when}");
        assert_eq!(cloud.ends, [End::Done], "{when}");
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        let build = self.0.lock().unwrap().clone();
        let cloud = build.0.lock().unwrap();
        assert!(
            cloud.things.is_empty() && cloud.saved.is_empty(),
            "{when}: {cloud:?}"
        );
        assert_eq!(cloud.ends, [End::Undone], "{when}");
    }
}

#[tokio::test]
async fn the_harness_finds_nothing_wrong_with_a_right_saga() {
    for db in engines().await {
        drill(&TestApp::on(&db), &BuildBench::default()).await;
    }
}

/// A saga whose undo forgets: the harness has to find that.
#[derive(Default)]
struct Forgetful(BuildBench);

#[async_trait]
impl Bench for Forgetful {
    type Saga = Build;
    async fn fresh(&self, app: &TestApp) -> (Build, Params) {
        let (build, params) = self.0.fresh(app).await;
        build.0.lock().unwrap().undo.insert("address", Undone::Done);
        (build, params)
    }
    async fn assert_whole(&self, app: &TestApp, when: &str) {
        self.0.assert_whole(app, when).await;
    }
    async fn assert_clean(&self, app: &TestApp, when: &str) {
        self.0.assert_clean(app, when).await;
    }
}

#[tokio::test]
#[should_panic(expected = "lie_at: Some(0)")]
async fn the_harness_finds_an_undo_that_forgets() {
    let db = TestDb::sqlite().await;
    drill(&TestApp::on(&db), &Forgetful::default()).await;
}

struct Stage {
    app: TestApp,
    build: Build,
    jobs: Arc<Jobs>,
    saga: SagaId,
}

impl Stage {
    async fn set(db: &TestDb, prepare: impl FnOnce(&mut Cloud)) -> Self {
        // Several stages stand on one database: their ids must differ.
        static SEED: AtomicU64 = AtomicU64::new(1);
        let app = TestApp::with_seed(db, SEED.fetch_add(1, Ordering::Relaxed));
        let build = Build::default();
        prepare(&mut build.0.lock().unwrap());
        let sagas = Arc::new(Registry::new().with(build.clone()));
        let jobs = Arc::new(wire(Jobs::new(), sagas));
        let mut tx = app.db.begin().await.unwrap();
        let params = Params { things: 3 };
        let saga = start::<Build>(&mut tx, &app.system(), "rqi_1", &params)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Self {
            app,
            build,
            jobs,
            saga,
        }
    }

    async fn play(&self, minutes: i64) {
        for _ in 0..minutes {
            run_until_idle(&self.app.app, &self.jobs).await.unwrap();
            self.app.clock.advance_ms(60_000);
        }
        run_until_idle(&self.app.app, &self.jobs).await.unwrap();
    }

    async fn state(&self) -> String {
        let mut rx = self.app.db.read().await.unwrap();
        get(&mut rx, &self.saga).await.unwrap().unwrap().state
    }

    fn cloud(&self) -> std::sync::MutexGuard<'_, Cloud> {
        self.build.0.lock().unwrap()
    }

    /// Goes on until a step has failed so often.
    async fn until_attempt(&self, name: &str, attempt: i64) {
        for _ in 0..20 {
            self.elsewhere_after(10).await;
            let step = self.step(name).await;
            if step.state != "pending" && step.attempt == attempt {
                return;
            }
        }
        panic!("{:?}", self.step(name).await);
    }

    /// The minute's look at the cloud found this.
    async fn looked(&self, error: Option<&str>) {
        let mut tx = self.app.db.begin().await.unwrap();
        crate::storage::cloud::save_health(&mut tx, CLOUD, error, self.app.clock.now())
            .await
            .unwrap();
        if error.is_none() {
            outside::answers(&mut tx, &self.app.system()).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Another copy of the program works for a moment, after so long and a signal.
    async fn elsewhere_after(&self, ms: i64) {
        self.app.clock.advance_ms(ms);
        let mut tx = self.app.db.begin().await.unwrap();
        super::wake(&mut tx, &self.app.system(), &self.saga)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let sagas = Arc::new(Registry::new().with(self.build.clone()));
        let jobs = Arc::new(wire(Jobs::new(), sagas));
        run_until_idle(&self.app.app, &jobs).await.unwrap();
    }

    async fn step(&self, name: &str) -> StepRow {
        let mut rx = self.app.db.read().await.unwrap();
        let all = steps(&mut rx, &self.saga).await.unwrap();
        all.into_iter().find(|step| step.name == name).unwrap()
    }
}

#[tokio::test]
async fn a_waiting_step_shows_what_it_waits_for_and_costs_no_attempt() {
    for db in engines().await {
        let stage = Stage::set(&db, |_| {}).await;
        stage.play(0).await;
        let step = stage.step("server").await;
        assert_eq!((step.state.as_str(), step.attempt), ("doing", 0));
        assert_eq!(step.wait_reason.as_deref(), Some("the server boots"));
        assert!(step.operation_id.is_some());
        stage.play(1).await;
        assert_eq!(stage.state().await, "done");
        assert_eq!(stage.step("server").await.wait_reason, None);
        let mut rx = stage.app.db.read().await.unwrap();
        let filter = SagaFilter {
            subject: Some("rqi_1".into()),
            ..SagaFilter::default()
        };
        assert_eq!(list(&mut rx, &filter).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_step_that_keeps_failing_is_stuck_until_an_operator_retries() {
    for db in engines().await {
        let stage = Stage::set(&db, |cloud| {
            cloud
                .scripted
                .insert("disk", Outcome::Retry("no route".into()));
        })
        .await;
        stage.play(40).await;
        assert_eq!(stage.state().await, "stuck");
        let step = stage.step("disk").await;
        assert_eq!((step.state.as_str(), step.attempt), ("stuck", MAX_ATTEMPTS));
        assert_eq!(step.error.as_deref(), Some("no route"));
        stage.build.0.lock().unwrap().scripted.clear();
        let mut tx = stage.app.db.begin().await.unwrap();
        retry(&mut tx, &stage.app.system(), &stage.saga)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        stage.play(0).await;
        assert_eq!(stage.state().await, "done");
        let mut tx = stage.app.db.begin().await.unwrap();
        assert!(
            retry(&mut tx, &stage.app.system(), &stage.saga)
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn a_stuck_or_waiting_saga_can_be_taken_back() {
    for db in engines().await {
        for stuck in [true, false] {
            let stage = Stage::set(&db, |cloud| {
                let outcome = if stuck {
                    Outcome::Retry("no route".into())
                } else {
                    Outcome::Wait {
                        until: None,
                        why: "an installer".into(),
                    }
                };
                cloud.scripted.insert("disk", outcome);
            })
            .await;
            stage.play(40).await;
            assert_eq!(stage.state().await, if stuck { "stuck" } else { "running" });
            let mut tx = stage.app.db.begin().await.unwrap();
            let why = Msg::new("saga.discarded");
            unwind(&mut tx, &stage.app.system(), &stage.saga, &why)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            stage.play(0).await;
            assert_eq!(stage.state().await, "undone");
            let cloud = stage.build.0.lock().unwrap();
            assert!(cloud.things.is_empty() && cloud.saved.is_empty());
        }
    }
}

#[tokio::test]
async fn what_can_not_be_undone_is_residue_and_the_rest_is_undone() {
    for db in engines().await {
        let stage = Stage::set(&db, |cloud| {
            cloud
                .scripted
                .insert("disk", Outcome::Fail(Msg::new("backend.no_space")));
            cloud
                .undo
                .insert("server", Undone::Residue("locked by the hypervisor".into()));
        })
        .await;
        stage.play(3).await;
        assert_eq!(stage.state().await, "residue");
        assert_eq!(
            stage.step("server").await.error.as_deref(),
            Some("locked by the hypervisor")
        );
        assert_eq!(stage.step("address").await.state, "undone");
        stage.build.0.lock().unwrap().undo.clear();
        let mut tx = stage.app.db.begin().await.unwrap();
        retry(&mut tx, &stage.app.system(), &stage.saga)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        stage.play(0).await;
        assert_eq!(stage.state().await, "undone");
        let cloud = stage.build.0.lock().unwrap();
        assert!(cloud.things.is_empty() && cloud.saved.is_empty());
        assert_eq!(
            cloud.ends,
            [End::Residue(vec!["server".into()]), End::Undone]
        );
    }
}

#[tokio::test]
async fn what_appears_after_its_undo_is_swept_away() {
    for db in engines().await {
        let stage = Stage::set(&db, |cloud| {
            cloud
                .scripted
                .insert("disk", Outcome::Fail(Msg::new("backend.no_space")));
        })
        .await;
        stage.play(3).await;
        assert_eq!(stage.state().await, "undone");
        let late = stage.step("disk").await.operation_id.unwrap();
        stage
            .build
            .0
            .lock()
            .unwrap()
            .things
            .insert(late, "disk".into());
        stage.play(6).await;
        assert!(stage.build.0.lock().unwrap().things.is_empty());
        assert_eq!(stage.step("disk").await.swept, Some(1));
    }
}

#[tokio::test]
async fn what_stays_when_it_is_undone_is_nothing_to_sweep() {
    for db in engines().await {
        let stage = Stage::set(&db, |cloud| {
            cloud.stays = Some("address");
            cloud
                .scripted
                .insert("disk", Outcome::Fail(Msg::new("backend.no_space")));
        })
        .await;
        stage.play(3).await;
        assert_eq!(stage.state().await, "undone");
        stage.play(6).await;
        let there: Vec<String> = {
            let cloud = stage.build.0.lock().unwrap();
            cloud.things.values().cloned().collect()
        };
        assert_eq!(there, ["address"]);
        assert_eq!(stage.step("address").await.swept, Some(0));
    }
}

#[tokio::test]
async fn a_saga_of_a_version_that_is_unknown_here_waits_for_a_copy_that_knows_it() {
    for db in engines().await {
        let stage = Stage::set(&db, |_| {}).await;
        let poor = Arc::new(wire(Jobs::new(), Arc::default()));
        run_until_idle(&stage.app.app, &poor).await.unwrap();
        assert_eq!(stage.state().await, "running");
        stage.app.clock.advance_ms(31_000);
        stage.play(2).await;
        assert_eq!(stage.state().await, "done");
    }
}

/// The saga as a copy knows it that is older than what its parameters can say.
struct Older;

#[async_trait]
impl Saga for Older {
    const KIND: &'static str = Build::KIND;
    const VERSION: i64 = Build::VERSION;
    type Params = Vec<String>;

    fn steps(&self, _: &Vec<String>) -> Vec<Box<dyn Step>> {
        Vec::new()
    }

    async fn ended(
        &self,
        _: &mut Tx,
        _: &Cx,
        _: &Ended<'_, Vec<String>>,
    ) -> Result<(), StorageError> {
        Ok(())
    }
}

#[tokio::test]
async fn parameters_that_can_not_be_read_here_wait_for_a_copy_that_reads_them_and_say_so() {
    for db in engines().await {
        let stage = Stage::set(&db, |_| {}).await;
        let older = Arc::new(wire(Jobs::new(), Arc::new(Registry::new().with(Older))));
        run_until_idle(&stage.app.app, &older).await.unwrap();
        assert_eq!(stage.state().await, "running");
        let mut rx = stage.app.db.read().await.unwrap();
        let waits = JobFilter {
            status: Some("waiting".into()),
            ..JobFilter::default()
        };
        let all = crate::jobs::list(&mut rx, &waits).await.unwrap();
        let why = |row: &JobRow| row.wait_reason.clone().unwrap_or_default();
        assert!(
            all.iter()
                .any(|row| why(row).contains("can't read its parameters"))
        );
        drop(rx);
        stage.app.clock.advance_ms(31_000);
        stage.play(2).await;
        assert_eq!(stage.state().await, "done");
    }
}

#[tokio::test]
async fn a_death_in_the_middle_of_a_call_is_verified_before_it_is_called_again() {
    let db = TestDb::sqlite().await;
    let bench = BuildBench::default();
    // 1 the plan, 2 the operation of the first step.
    let fault = Fault {
        die_after: Some(2),
        ..Fault::default()
    };
    let (_, state, died) = play(&TestApp::on(&db), &bench, fault).await;
    assert_eq!((state.as_str(), died), ("done", true));
    bench.assert_whole(&TestApp::on(&db), "after a death").await;
}

/// No answer; it may have got through.
fn lost() -> Outcome {
    Outcome::Silent(Silence {
        lost: true,
        away: None,
        why: "timed out".into(),
    })
}

#[tokio::test]
async fn after_a_lost_answer_no_copy_of_the_program_asks_before_the_outside_has_settled() {
    for db in engines().await {
        for comes in [true, false] {
            let stage = Stage::set(&db, |cloud| {
                cloud.settle_ms = 20_000;
                cloud.scripted.insert("address", lost());
            })
            .await;
            stage.play(0).await;
            assert_eq!(stage.cloud().asked, ["run address"]);
            stage.elsewhere_after(9_000).await;
            stage.elsewhere_after(9_000).await;
            assert_eq!(stage.cloud().asked, ["run address"], "too early");
            assert_eq!(stage.step("address").await.attempt, 1);
            let operation = stage.step("address").await.operation_id.unwrap();
            stage.cloud().scripted.clear();
            if comes {
                stage.cloud().things.insert(operation, "address".into());
            }
            stage.elsewhere_after(3_000).await;
            let asked = stage.cloud().asked.clone();
            let then = if comes { "run server" } else { "run address" };
            assert_eq!(asked[1..3], ["verify address", then]);
            assert_eq!(stage.step("address").await.unsure_until, None);
            stage.play(2).await;
            assert_eq!(stage.state().await, "done");
            assert_eq!(stage.cloud().things.len(), 3);
        }
    }
}

/// No answer; it certainly did not get through.
fn unreachable() -> Silence {
    Silence {
        lost: false,
        away: None,
        why: "no route".into(),
    }
}

#[tokio::test]
async fn nobody_calls_an_outside_that_is_away_and_who_waits_is_woken_when_it_answers() {
    for db in engines().await {
        let stage = Stage::set(&db, |_| {}).await;
        stage.looked(Some("timed out")).await;
        for _ in 0..3 {
            stage.play(0).await;
            stage.app.clock.advance_ms(outside::AWAY_MS);
        }
        let asked = || stage.cloud().asked.clone();
        assert!(asked().is_empty(), "{:?}", asked());
        let step = stage.step("address").await;
        assert_eq!((step.state.as_str(), step.attempt), ("doing", 0));
        assert_eq!(step.wait_reason.as_deref(), Some("gov is away"));
        stage.looked(Some("timed out")).await;
        stage.play(0).await;
        stage.app.clock.advance_ms(1_000);
        stage.looked(None).await;
        stage.play(0).await;
        assert_eq!(asked()[..2], ["run address", "run server"]);
    }
}

#[tokio::test]
async fn an_outside_that_nobody_looks_at_any_more_is_asked() {
    for db in engines().await {
        let stage = Stage::set(&db, |_| {}).await;
        stage.looked(Some("timed out")).await;
        stage.app.clock.advance_ms(4 * 60_000);
        stage.play(2).await;
        assert_eq!(stage.state().await, "done");
    }
}

#[tokio::test]
async fn a_sweep_asks_an_outside_that_is_silent_once() {
    for db in engines().await {
        let stage = Stage::set(&db, |cloud| {
            let fail = Outcome::Fail(Msg::new("backend.no_space"));
            cloud.scripted.insert("disk", fail);
        })
        .await;
        stage.play(3).await;
        assert_eq!(stage.state().await, "undone");
        for (mute, error, questions) in [
            (false, None, THINGS.len()),
            (true, None, 1),
            (true, Some("timed out"), 0),
        ] {
            stage.app.clock.advance_ms(300_000);
            stage.looked(error).await;
            stage.cloud().asked.clear();
            stage.cloud().mute = mute;
            stage.play(0).await;
            let asked = stage.cloud().asked.clone();
            assert_eq!(asked.len(), questions, "{asked:?}");
        }
    }
}

#[tokio::test]
async fn what_a_silence_has_cost_is_given_back_when_the_outside_answers() {
    for db in engines().await {
        let stage = Stage::set(&db, |_| {}).await;
        let script = |outcome| stage.cloud().scripted.insert("address", outcome);
        for _ in 0..3 {
            script(Outcome::Silent(unreachable()));
            stage.until_attempt("address", MAX_ATTEMPTS - 1).await;
            script(Outcome::Wait {
                until: None,
                why: "gov works on it".into(),
            });
            stage.until_attempt("address", 0).await;
        }
        stage.cloud().scripted.clear();
        stage.elsewhere_after(10).await;
        stage.play(3).await;
        assert_eq!(stage.state().await, "done");
    }
}

#[tokio::test]
async fn what_begins_well_and_is_refused_each_time_is_stuck_all_the_same() {
    for db in engines().await {
        let stage = Stage::set(&db, |_| {}).await;
        let script = |outcome| stage.cloud().scripted.insert("address", outcome);
        for refused in 1..MAX_ATTEMPTS {
            script(Outcome::Retry("not in this state".into()));
            stage.until_attempt("address", refused).await;
            script(Outcome::Silent(unreachable()));
            stage.until_attempt("address", refused + 1).await;
            if refused + 1 == MAX_ATTEMPTS {
                break;
            }
            script(Outcome::Wait {
                until: None,
                why: "gov works on it".into(),
            });
            stage.until_attempt("address", refused).await;
        }
        assert_eq!(stage.state().await, "stuck");
    }
}

#[tokio::test]
async fn what_a_silence_has_cost_an_undoing_is_given_back_as_well() {
    for db in engines().await {
        let stage = Stage::set(&db, |cloud| {
            let fail = Outcome::Fail(Msg::new("backend.no_space"));
            cloud.scripted.insert("disk", fail);
        })
        .await;
        let script = |undone| stage.cloud().undo.insert("disk", undone);
        for _ in 0..3 {
            script(Undone::Silent(unreachable()));
            stage.until_attempt("disk", MAX_ATTEMPTS - 1).await;
            script(Undone::Wait {
                until: None,
                why: "gov takes it back".into(),
            });
            stage.until_attempt("disk", 0).await;
        }
        stage.cloud().undo.clear();
        stage.elsewhere_after(10).await;
        stage.play(3).await;
        assert_eq!(stage.state().await, "undone");
    }
}

#[tokio::test]
async fn a_lost_answer_of_an_outside_that_is_away_is_looked_for_before_it_is_called_again() {
    for db in engines().await {
        let stage = Stage::set(&db, |cloud| cloud.settle_ms = 20_000).await;
        let away = Outcome::Silent(Silence {
            lost: true,
            away: Some(stage.app.clock.now().plus_millis(5_000)),
            why: "gov is away".into(),
        });
        stage.cloud().scripted.insert("address", away);
        stage.play(0).await;
        stage.cloud().scripted.clear();
        stage.elsewhere_after(15_000).await;
        assert_eq!(stage.cloud().asked, ["run address"], "too early");
        let step = stage.step("address").await;
        assert_eq!(step.attempt, 0);
        assert_eq!(step.wait_reason.as_deref(), Some("gov is away"));
        stage.elsewhere_after(6_000).await;
        let asked = stage.cloud().asked.clone();
        assert_eq!(asked[1..3], ["verify address", "run address"]);
    }
}

#[tokio::test]
async fn who_died_in_the_middle_of_a_call_may_have_made_it_and_the_outside_settles_first() {
    for db in engines().await {
        let stage = Stage::set(&db, |cloud| cloud.settle_ms = 60_000).await;
        let mut driver = Driver::new(Arc::new(Registry::new().with(stage.build.clone())));
        // 1 the plan, 2 the operation of the first step.
        driver.dies_after = Some(AtomicI64::new(2));
        let jobs = Arc::new(Jobs::new().handle::<Advance>(driver));
        run_until_idle(&stage.app.app, &jobs).await.unwrap();
        stage.elsewhere_after(crate::jobs::LEASE_MS + 1_000).await;
        assert!(stage.cloud().asked.is_empty(), "{:?}", stage.cloud().asked);
        stage.elsewhere_after(30_000).await;
        let asked = stage.cloud().asked.clone();
        assert_eq!(asked[..2], ["verify address", "run address"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancel_at_any_moment_ends_whole_or_clean() {
    for db in engines().await {
        for delay_ms in [0, 3, 6, 12, 25, 50] {
            let stage = Stage::set(&db, |_| {}).await;
            let stop = tokio_util::sync::CancellationToken::new();
            let worker = crate::jobs::Worker::new(stage.app.app.clone(), stage.jobs.clone(), "w");
            let running = tokio::spawn(worker.run(stop.clone()));
            tokio::time::sleep(std::time::Duration::from_millis(delay_ms)).await;
            // One minute passes, so that the server may have booted when the cancel comes.
            stage
                .app
                .clock
                .advance_ms(if delay_ms % 2 == 0 { 0 } else { 61_000 });
            let mut tx = stage.app.db.begin().await.unwrap();
            let why = Msg::new("saga.cancelled");
            let cancelled = unwind(&mut tx, &stage.app.system(), &stage.saga, &why).await;
            if cancelled.is_ok() {
                tx.commit().await.unwrap();
            } else {
                tx.rollback().await.unwrap();
            }
            let mut state = stage.state().await;
            for _ in 0..400 {
                if matches!(state.as_str(), "done" | "undone") {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(25)).await;
                state = stage.state().await;
            }
            stop.cancel();
            running.await.unwrap();
            assert_eq!(state, if cancelled.is_ok() { "undone" } else { "done" });
            let cloud = stage.build.0.lock().unwrap();
            let left = if cancelled.is_ok() { 0 } else { 3 };
            assert_eq!(
                (cloud.things.len(), cloud.saved.len()),
                (left, left),
                "{delay_ms}"
            );
            assert_eq!(cloud.ends.len(), 1);
        }
    }
}
