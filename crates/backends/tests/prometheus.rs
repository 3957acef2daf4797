//! What the client makes of a Prometheus: answers as its documentation gives them, from a small
//! stand-in, and failures. A real one is asked by `a_real_prometheus_…`, which `scripts/prometheus`
//! starts with a day of samples.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests stand outside the test functions"
)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lingbao_backends::{
    provisioning::Secret,
    usage::{
        SourceError, UsageSource,
        prometheus::{Login, Prometheus, PrometheusConfig},
    },
};
use lingbao_model::{
    time::{Date, Timestamp, Zone},
    usage::{Measure, Reading, SAMPLES_A_DAY},
};
use serde_json::{Value, json};

/// One request: path, authorization, form.
type Asked = (String, String, BTreeMap<String, String>);

#[derive(Default)]
struct Stand {
    /// Answers by the beginning of the query.
    answers: Vec<(&'static str, u16, String)>,
    asked: Vec<Asked>,
}

type Shared = Arc<Mutex<Stand>>;

/// `a%20b+c` as text.
fn plain(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex: Vec<u8> = rest.by_ref().take(2).collect();
                u8::from_str_radix(str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

async fn answer(State(stand): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let form: BTreeMap<_, _> = str::from_utf8(&body)
        .unwrap()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (plain(name), plain(value)))
        .collect();
    let header = parts.headers.get("authorization");
    let header = header
        .map_or("", |value| value.to_str().unwrap())
        .to_owned();
    let query = form.get("query").cloned().unwrap_or_default();
    let mut stand = stand.lock().unwrap();
    stand
        .asked
        .push((parts.uri.path().to_owned(), header, form));
    let found = stand
        .answers
        .iter()
        .find(|(begin, ..)| query.starts_with(begin));
    match found {
        Some((_, status, body)) => {
            (StatusCode::from_u16(*status).unwrap(), body.clone()).into_response()
        }
        None => vector(&[]).to_string().into_response(),
    }
}

/// An instant vector as the HTTP API answers it.
fn vector(series: &[(&str, &str)]) -> Value {
    let result: Vec<_> = series
        .iter()
        .map(|(id, value)| json!({ "metric": { "instance_id": id }, "value": [1_435_781_451.781, value] }))
        .collect();
    json!({ "status": "success", "data": { "resultType": "vector", "result": result } })
}

struct World {
    stand: Shared,
    source: Prometheus,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut PrometheusConfig)) -> Self {
        let stand = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/prom/", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(stand.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut config = config(url);
        change(&mut config);
        Self {
            stand,
            source: Prometheus::new(config).unwrap(),
        }
    }

    fn say(&self, query: &'static str, status: u16, body: impl ToString) {
        let mut stand = self.stand.lock().unwrap();
        stand.answers.retain(|(begin, ..)| *begin != query);
        stand.answers.push((query, status, body.to_string()));
    }

    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.stand.lock().unwrap().asked)
    }

    async fn cpu(&self) -> Result<BTreeMap<String, Reading>, SourceError> {
        let (from, until) = day();
        let read = self.source.read(Measure::Cpu, from, until).await;
        read.map(|readings| readings.servers)
    }

    /// What the doctor says of a measure: problem and remedy.
    async fn wrong(&self, measure: Measure) -> Option<(String, String)> {
        let findings = self.source.check(day().1).await;
        let of = findings
            .into_iter()
            .find(|one| one.what.starts_with(&format!("usage, {measure}")));
        let wrong = of.unwrap().wrong?;
        Some((wrong.problem, wrong.remedy))
    }
}

fn config(url: String) -> PrometheusConfig {
    PrometheusConfig {
        url,
        login: Login::Open,
        ca_pem: None,
        label: "instance_id".into(),
        queries: [(Measure::Cpu, "cpu_percent # of the exporter".to_owned())].into(),
        timeout_ms: 2_000,
    }
}

/// 2026-11-19 in Shanghai.
fn day() -> (Timestamp, Timestamp) {
    let day = Date::new(2026, 11, 19).unwrap();
    let zone = Zone::SHANGHAI;
    (zone.moment(day, 0), zone.moment(day, 1440))
}

#[tokio::test]
async fn a_day_is_three_queries_over_exactly_its_288_steps() {
    let w = World::new().await;
    w.say("avg_over_time", 200, vector(&[("a", "12.34"), ("b", "0")]));
    w.say(
        "quantile_over_time",
        200,
        vector(&[("a", "40"), ("b", "0.04")]),
    );
    w.say(
        "count_over_time",
        200,
        vector(&[("a", "288"), ("b", "289")]),
    );
    let read = w.cpu().await.unwrap();
    let of = |mean, peak| Reading {
        mean,
        peak,
        samples: SAMPLES_A_DAY,
    };
    assert_eq!(read["a"], of(123, 400));
    assert_eq!(read["b"], of(0, 0));
    let asked = w.asked();
    assert_eq!(asked.len(), 3);
    for (path, header, form) in asked {
        assert_eq!((path.as_str(), header.as_str()), ("/prom/api/v1/query", ""));
        // The comment ends before the bracket; a second before midnight, a day back.
        let over = "(cpu_percent # of the exporter\n)[86400s:5m]";
        assert!(form["query"].contains(over), "{}", form["query"]);
        assert_eq!(form["time"], "1795103999.000");
    }
}

#[tokio::test]
async fn what_is_no_number_no_share_without_label_or_twice_is_left_out_and_counted() {
    let w = World::new().await;
    let mut means = vector(&[
        ("fine", "50"),
        ("nan", "NaN"),
        ("endless", "+Inf"),
        ("negative", "-3"),
        ("huge", "250"),
        ("over", "100.4"),
        ("twice", "1"),
        ("twice", "2"),
        ("alone", "5"),
    ]);
    let result = means["data"]["result"].as_array_mut().unwrap();
    result.push(json!({ "metric": { "domain": "instance-1" }, "value": [1, "7"] }));
    w.say("avg_over_time", 200, &means);
    let all = [
        "fine", "nan", "endless", "negative", "huge", "over", "twice",
    ];
    w.say("quantile_over_time", 200, vector(&all.map(|id| (id, "60"))));
    w.say("count_over_time", 200, vector(&all.map(|id| (id, "100"))));
    let (from, until) = day();
    let read = w.source.read(Measure::Cpu, from, until).await.unwrap();
    let ids: Vec<_> = read.servers.keys().map(String::as_str).collect();
    assert_eq!(ids, ["fine", "over"]);
    assert_eq!(
        read.servers["over"].mean, 1000,
        "a rate may be a little above"
    );
    assert_eq!(read.servers["fine"].samples, 100);
    // nan, endless, negative, huge, alone; twice two times; one without the label.
    assert_eq!(read.odd, 8);
}

#[tokio::test]
async fn a_peak_above_the_whole_is_the_whole_and_takes_no_mean_along() {
    let w = World::new().await;
    let all = ["above", "far", "none", "endless", "negative"];
    w.say("avg_over_time", 200, vector(&all.map(|id| (id, "20"))));
    w.say("count_over_time", 200, vector(&all.map(|id| (id, "288"))));
    let peaks = [
        ("above", "104"),
        ("far", "730.5"),
        ("none", "NaN"),
        ("endless", "+Inf"),
        ("negative", "-1"),
    ];
    w.say("quantile_over_time", 200, vector(&peaks));
    let (from, until) = day();
    let read = w.source.read(Measure::Cpu, from, until).await.unwrap();
    let ids: Vec<_> = read.servers.keys().map(String::as_str).collect();
    assert_eq!(ids, ["above", "far"]);
    for of in read.servers.values() {
        assert_eq!((of.mean, of.peak, of.samples), (200, 1000, SAMPLES_A_DAY));
    }
    assert_eq!(read.odd, 3);
}

#[tokio::test]
async fn half_an_answer_is_an_error_and_never_nothing() {
    let w = World::new().await;
    let good = vector(&[("a", "1")]);
    for begin in ["avg_over_time", "quantile_over_time", "count_over_time"] {
        w.say(begin, 200, &good);
    }
    assert!(w.cpu().await.is_ok());
    let mut warned = good.clone();
    warned["warnings"] = json!(["fetch series from store: context deadline exceeded"]);
    // VictoriaMetrics.
    let mut lacking = good.clone();
    lacking["isPartial"] = json!(true);
    let broken = [
        warned.to_string(),
        lacking.to_string(),
        String::new(),
        "null".to_owned(),
        "<html>".to_owned(),
        json!({ "status": "success" }).to_string(),
        json!({ "status": "success", "data": { "resultType": "vector" } }).to_string(),
        json!({ "status": "success", "data": { "resultType": "matrix", "result": [] } }).to_string(),
        json!({ "status": "success", "data": { "resultType": "vector", "result": [{ "metric": {} }] } }).to_string(),
        json!({ "status": "success", "data": { "resultType": "vector", "result": [{ "value": [1, "2"] }] } }).to_string(),
        good.to_string()[..60].to_owned(),
    ];
    for begin in ["avg_over_time", "quantile_over_time", "count_over_time"] {
        for body in &broken {
            w.say(begin, 200, body);
            let read = w.cpu().await;
            assert!(
                matches!(
                    read,
                    Err(SourceError::Partial(_)) | Err(SourceError::Unreachable(_))
                ),
                "{begin} {body}: {read:?}"
            );
        }
        w.say(begin, 200, &good);
    }
    // A note about the query is no missing part.
    let mut noted = good.clone();
    noted["isPartial"] = json!(false);
    noted["warnings"] = json!(["PromQL info: metric might not be a counter"]);
    noted["infos"] = json!(["PromQL info: anything"]);
    w.say("avg_over_time", 200, &noted);
    assert!(w.cpu().await.is_ok());
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason() {
    let w = World::new().await;
    let refused = json!({ "status": "error", "errorType": "bad_data", "error": "invalid parameter \"query\": parse error" });
    w.say("avg_over_time", 400, &refused);
    let said = w.cpu().await.unwrap_err();
    assert!(
        matches!(&said, SourceError::Refused(why) if why.contains("parse error")),
        "{said}"
    );
    for (status, refusal) in [(401, true), (403, true), (502, false), (302, false)] {
        w.say("avg_over_time", status, "who are you");
        let said = w.cpu().await.unwrap_err();
        assert_eq!(
            matches!(said, SourceError::Refused(_)),
            refusal,
            "{status}: {said}"
        );
    }
    let away = Prometheus::new(config("http://127.0.0.1:9".into())).unwrap();
    let (from, until) = day();
    let said = away.read(Measure::Cpu, from, until).await.unwrap_err();
    assert!(matches!(said, SourceError::Unreachable(_)), "{said}");
    let said = away.read(Measure::Disk, from, until).await.unwrap_err();
    assert!(matches!(said, SourceError::Refused(_)), "{said}");
}

#[tokio::test]
async fn it_says_who_asks_and_never_in_its_own_words() {
    let token = Secret("s3same".into());
    let bearer = World::with(|config| config.login = Login::Bearer(token.clone())).await;
    bearer.cpu().await.unwrap();
    assert!(
        bearer
            .asked()
            .iter()
            .all(|(_, header, _)| header == "Bearer s3same")
    );
    assert!(!format!("{:?}", bearer.source).contains("s3same"));
    let login = Login::Basic {
        user: "lingbao".into(),
        password: token,
    };
    let basic = World::with(|config| config.login = login).await;
    basic.cpu().await.unwrap();
    let sent = basic.asked().remove(0).1;
    assert_eq!(sent, "Basic bGluZ2JhbzpzM3NhbWU=");
}

#[tokio::test]
async fn the_doctor_names_what_is_wrong_and_what_would_mend_it() {
    let w = World::new().await;
    let three = |value: &str| vector(&[("a", value), ("b", value), ("c", value)]);
    w.say("cpu_percent", 200, three("12"));
    assert_eq!(w.wrong(Measure::Cpu).await, None);
    assert_eq!(w.wrong(Measure::Memory).await, None, "not measured is fine");
    w.say("cpu_percent", 200, vector(&[]));
    let (problem, remedy) = w.wrong(Measure::Cpu).await.unwrap();
    assert!(
        problem.contains("no samples") && remedy.contains("cpu_query"),
        "{problem} {remedy}"
    );
    let other = json!({ "status": "success", "data": { "resultType": "vector", "result": [
        { "metric": { "domain": "instance-1", "job": "libvirt" }, "value": [1, "7"] }] } });
    w.say("cpu_percent", 200, other);
    let (problem, remedy) = w.wrong(Measure::Cpu).await.unwrap();
    assert!(
        problem.contains("domain, job") && remedy.contains("usage.label"),
        "{problem} {remedy}"
    );
    w.say("cpu_percent", 200, vector(&[("a", "1"), ("a", "2")]));
    let (problem, remedy) = w.wrong(Measure::Cpu).await.unwrap();
    assert!(
        problem.contains("more than one") && remedy.contains("max by"),
        "{problem}"
    );
    w.say("cpu_percent", 200, three("0.4"));
    assert!(w.wrong(Measure::Cpu).await.unwrap().1.contains("100"));
    w.say("cpu_percent", 200, three("350"));
    assert!(w.wrong(Measure::Cpu).await.unwrap().0.contains("350"));
    w.say(
        "cpu_percent",
        400,
        json!({ "status": "error", "errorType": "bad_data", "error": "parse error" }),
    );
    assert!(
        w.wrong(Measure::Cpu)
            .await
            .unwrap()
            .0
            .contains("parse error")
    );
    let away = Prometheus::new(config("http://127.0.0.1:9".into())).unwrap();
    let findings = away.check(day().1).await;
    assert_eq!(findings.len(), 1);
    let remedy = &findings[0].wrong.as_ref().unwrap().remedy;
    assert!(remedy.contains("prometheus_url"), "{remedy}");
}

#[test]
fn other_queries_are_another_source_and_another_password_is_not() {
    let digest = |change: fn(&mut PrometheusConfig)| {
        let mut config = config("http://p:9090".into());
        change(&mut config);
        Prometheus::new(config).unwrap().digest().to_owned()
    };
    let first = digest(|_| {});
    assert_eq!(first.len(), 16);
    assert_eq!(first, digest(|config| config.timeout_ms = 1));
    assert_eq!(
        first,
        digest(|config| config.login = Login::Bearer(Secret("x".into())))
    );
    assert_ne!(first, digest(|config| config.label = "resource".into()));
    assert_ne!(first, digest(|config| config.url = "http://q:9090".into()));
    assert_ne!(
        first,
        digest(|config| {
            config.queries.insert(Measure::Memory, "memory".into());
        })
    );
}

/// Against a real Prometheus with the samples of `scripts/prometheus`, by the queries that are the
/// defaults of the configuration.
#[tokio::test]
#[ignore = "needs a Prometheus: scripts/prometheus run cargo test -p lingbao-backends --test prometheus -- --ignored"]
async fn a_real_prometheus_tells_means_peaks_and_samples_of_a_day() {
    let url = std::env::var("LINGBAO_TEST_PROMETHEUS").unwrap();
    let reference = include_str!("../../../docs/configuration.md");
    let query = |key: &str| {
        let line = reference
            .lines()
            .find(|line| line.starts_with(&format!("| `{key}`")))
            .unwrap();
        let begin = line.find("`\"").unwrap() + 2;
        line[begin..begin + line[begin..].find("\"`").unwrap()].to_owned()
    };
    let mut config = config(url);
    config.queries = [
        (Measure::Cpu, query("cpu_query")),
        (Measure::Memory, query("memory_query")),
    ]
    .into();
    config.timeout_ms = 30_000;
    let source = Prometheus::new(config).unwrap();
    let (from, until) = day();
    let cpu = source.read(Measure::Cpu, from, until).await.unwrap();
    assert_eq!((cpu.servers.len(), cpu.odd), (3, 0), "{cpu:?}");
    let steady = cpu.servers["11111111-1111-4111-8111-111111111111"];
    assert_eq!(
        (steady.mean, steady.peak, steady.samples),
        (250, 250, SAMPLES_A_DAY)
    );
    // 10 % of the day and 90 % for two hours of it: above the 95th percentile.
    let bursts = cpu.servers["22222222-2222-4222-8222-222222222222"];
    assert!((165..=169).contains(&bursts.mean), "{bursts:?}");
    assert_eq!((bursts.peak, bursts.samples), (900, SAMPLES_A_DAY));
    // Six hours alone: 72 samples, the first a step after the first two scrapes.
    let young = cpu.servers["33333333-3333-4333-8333-333333333333"];
    assert_eq!(young.mean, 500);
    assert!((70..=72).contains(&young.samples), "{young:?}");
    let memory = source.read(Measure::Memory, from, until).await.unwrap();
    let ids: Vec<_> = memory.servers.keys().collect();
    assert_eq!(
        ids.len(),
        2,
        "the guest without a driver says nothing: {memory:?}"
    );
    assert_eq!(
        memory.servers["11111111-1111-4111-8111-111111111111"].mean,
        300
    );
    let checked = source.check(until.plus_millis(-60_000)).await;
    assert!(checked.iter().all(|one| one.wrong.is_none()), "{checked:?}");
    let seen = source.servers(until.plus_millis(-60_000)).await.unwrap();
    assert_eq!(seen.len(), 3);
    // The day before has no samples: nothing is said, and nothing is zero.
    let before = source
        .read(
            Measure::Cpu,
            from.plus_millis(-2 * 86_400_000),
            from.plus_millis(-86_400_000),
        )
        .await
        .unwrap();
    assert!(before.servers.is_empty());
}
