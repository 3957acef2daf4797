//! Prometheus, or what speaks its HTTP API (Thanos, VictoriaMetrics): instant queries at the end of a
//! day, one for all servers, for the mean, the peak and the number of samples of each measure.
//!
//! A query of the configuration gives percent (0 to 100) by server now. It is asked for over a day as a
//! subquery of five-minute steps. The moment asked at is a second before the day's end and the range a
//! whole day: steps lie on whole multiples of five minutes, so there are 288 of them whether the range
//! is closed at its beginning (Prometheus 2) or open (3).

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    error::Error,
    time::Duration,
};

use async_trait::async_trait;
use lingbao_model::{
    time::Timestamp,
    usage::{Measure, Reading, SAMPLES_A_DAY},
};
use reqwest::{Certificate, redirect::Policy};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Readings, SourceError, UsageSource};
use crate::{
    BackendsError,
    provisioning::{Finding, Secret},
};

/// The longest answer that is read: 10 000 servers with some labels are about 3 MB.
const LONGEST: usize = 32 << 20;
/// Shares above this are no shares; a little above 100 % comes from rates.
const MOST_PERCENT: f64 = 110.0;

/// How it is told who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Nobody is asked.
    Open,
    /// `Authorization: Bearer …`.
    Bearer(Secret),
    /// `Authorization: Basic …`.
    Basic {
        /// Name.
        user: String,
        /// Password.
        password: Secret,
    },
}

/// Where it is and what it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusConfig {
    /// Where, with the path before `/api/v1` if there is one: `https://prometheus.example:9090`.
    pub url: String,
    /// How it is told who asks.
    pub login: Login,
    /// Certificates (PEM) of the authority that signed its own; the public ones count without.
    pub ca_pem: Option<String>,
    /// The label that carries the cloud's name of a server.
    pub label: String,
    /// The queries, in percent of what a server was given.
    pub queries: BTreeMap<Measure, String>,
    /// Longest time for one query, in milliseconds.
    pub timeout_ms: u64,
}

/// A connection to a Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    config: PrometheusConfig,
    digest: String,
    http: reqwest::Client,
}

/// One series of an answer.
struct Series {
    labels: BTreeMap<String, String>,
    value: f64,
}

fn partial(why: impl Into<String>) -> SourceError {
    SourceError::Partial(why.into())
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        said = format!("{said}: {cause}");
        next = cause.source();
    }
    said
}

impl Prometheus {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// If the certificate of the authority can't be read.
    pub fn new(config: PrometheusConfig) -> Result<Self, BackendsError> {
        Self::open(config).map_err(|source| BackendsError::Client {
            name: "prometheus".to_owned(),
            source,
        })
    }

    fn open(config: PrometheusConfig) -> Result<Self, reqwest::Error> {
        // A proxy of the environment is for the world outside; redirects would take the token along.
        let mut http = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(Duration::from_millis(config.timeout_ms))
            .connect_timeout(Duration::from_millis(config.timeout_ms.min(5_000)));
        if let Some(pem) = &config.ca_pem {
            http = http.tls_built_in_root_certs(false);
            for certificate in Certificate::from_pem_bundle(pem.as_bytes())? {
                http = http.add_root_certificate(certificate);
            }
        }
        let mut hash = Sha256::new();
        for part in [config.url.as_str(), &config.label].into_iter().chain(
            config
                .queries
                .iter()
                .flat_map(|(m, q)| [m.as_str(), q.as_str()]),
        ) {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let digest = hash.finalize();
        let digest = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        Ok(Self {
            http: http.build()?,
            digest,
            config,
        })
    }

    /// An instant query: the series of its answer.
    async fn query(&self, query: &str, at: Timestamp) -> Result<Vec<Series>, SourceError> {
        let url = format!("{}/api/v1/query", self.config.url.trim_end_matches('/'));
        let millis = at.millis();
        let time = format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000));
        let mut request = self
            .http
            .post(url)
            .header("Accept", "application/json")
            .form(&[("query", query), ("time", &time)]);
        request = match &self.config.login {
            Login::Open => request,
            Login::Bearer(token) => request.bearer_auth(&token.0),
            Login::Basic { user, password } => request.basic_auth(user, Some(&password.0)),
        };
        let away = |error: reqwest::Error| {
            // The address is in the configuration; a user in it must not reach the log.
            SourceError::Unreachable(chain(&error.without_url()))
        };
        let mut response = request.send().await.map_err(away)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(away)? {
            if body.len() + chunk.len() > LONGEST {
                return Err(partial(format!("an answer of more than {LONGEST} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        read(status, &body)
    }

    fn of(&self, measure: Measure) -> Result<&str, SourceError> {
        let query = self.config.queries.get(&measure).map(String::as_str);
        query.ok_or_else(|| SourceError::Refused(format!("there is no query for {measure}")))
    }

    /// The answer by server, and how many series were left out.
    async fn by_server(
        &self,
        query: &str,
        at: Timestamp,
    ) -> Result<(BTreeMap<String, f64>, i64), SourceError> {
        let (mut servers, mut twice, mut odd) = (BTreeMap::new(), BTreeSet::new(), 0);
        for mut series in self.query(query, at).await? {
            let Some(id) = series.labels.remove(&self.config.label) else {
                odd += 1;
                continue;
            };
            match servers.entry(id) {
                Entry::Vacant(place) => {
                    place.insert(series.value);
                }
                Entry::Occupied(place) => {
                    odd += 1;
                    twice.insert(place.key().clone());
                }
            }
        }
        // Which of two is right can't be known: neither is.
        for id in &twice {
            servers.remove(id);
            odd += 1;
        }
        Ok((servers, odd))
    }

    async fn check_query(&self, measure: Measure, at: Timestamp) -> Finding {
        let what = format!("usage, {measure}");
        let wrong = |problem: String, remedy: String| Finding::wrong(what.clone(), problem, remedy);
        let series = match self.of(measure) {
            Ok(query) => self.query(query, at).await,
            Err(error) => Err(error),
        };
        let series = match series {
            Ok(series) => series,
            Err(error) => {
                let remedy = format!("mend usage.{measure}_query: try it on Prometheus's own page");
                return wrong(error.to_string(), remedy);
            }
        };
        let label = &self.config.label;
        if series.is_empty() {
            return wrong(
                "the query gives no samples now".to_owned(),
                format!(
                    "check that the exporter runs and is scraped, and that usage.{measure}_query names its metrics"
                ),
            );
        }
        let mut ids = BTreeSet::new();
        for one in &series {
            let Some(id) = one.labels.get(label) else {
                let there: Vec<_> = one.labels.keys().map(String::as_str).collect();
                return wrong(
                    format!(
                        "a series has no label {label}; it has: {}",
                        there.join(", ")
                    ),
                    format!(
                        "keep the label in the query (`max by ({label}) (…)`), or name the one that carries the cloud's server id in usage.label"
                    ),
                );
            };
            if !ids.insert(id.as_str()) {
                return wrong(
                    format!("more than one series of {label}={id:?}"),
                    format!("put `max by ({label}) (…)` around usage.{measure}_query"),
                );
            }
        }
        let most = series.iter().map(|one| one.value).filter(|v| v.is_finite());
        let most = most.fold(f64::NEG_INFINITY, f64::max);
        if !(0.0..=MOST_PERCENT).contains(&most) {
            return wrong(
                format!("the largest value is {most:.1}, which is no percent"),
                "the query must give percent of what the server was given, 0 to 100".to_owned(),
            );
        }
        if series.len() > 2 && most > 0.0 && most <= 1.0 {
            return wrong(
                format!("the largest value is {most:.3}: it looks like a share of 1"),
                "multiply the query by 100".to_owned(),
            );
        }
        Finding::fine(format!("{what}: {} servers", ids.len()))
    }
}

/// The series of an answer; anything but a whole vector is an error.
fn read(status: u16, body: &[u8]) -> Result<Vec<Series>, SourceError> {
    let answer: Value = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(_) if status == 401 || status == 403 => {
            return Err(SourceError::Refused(format!("status {status}")));
        }
        Err(_) if status != 200 => {
            return Err(SourceError::Unreachable(format!("status {status}")));
        }
        Err(error) => return Err(partial(error.to_string())),
    };
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    if text("status") == "error" {
        return Err(SourceError::Refused(format!(
            "{}: {}",
            text("errorType"),
            text("error")
        )));
    }
    if status != 200 || text("status") != "success" {
        return Err(SourceError::Unreachable(format!("status {status}")));
    }
    // Some versions put notes about the query among the warnings; all others tell that a part is missing.
    let warnings = answer.get("warnings").and_then(Value::as_array);
    let mut warnings = warnings.into_iter().flatten().filter_map(Value::as_str);
    if let Some(warning) = warnings.find(|text| !text.starts_with("PromQL info")) {
        return Err(partial(warning));
    }
    // VictoriaMetrics tells so that a store is away.
    if answer.get("isPartial").and_then(Value::as_bool) == Some(true) {
        return Err(partial("isPartial"));
    }
    let data = answer.get("data").ok_or_else(|| partial("no data"))?;
    if data.get("resultType").and_then(Value::as_str) != Some("vector") {
        return Err(partial("the query gives no instant vector"));
    }
    let result = data.get("result").and_then(Value::as_array);
    let result = result.ok_or_else(|| partial("no result"))?;
    result
        .iter()
        .map(|one| series(one).ok_or_else(|| partial("a series without its labels or its value")))
        .collect()
}

fn series(one: &Value) -> Option<Series> {
    let labels = one.get("metric")?.as_object()?.iter();
    let labels = labels
        .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect::<Option<_>>()?;
    // `[moment, "number"]`; a number may be NaN, +Inf or -Inf.
    let value = one.get("value")?.as_array()?.get(1)?.as_str()?;
    Some(Series {
        labels,
        value: value.parse().ok()?,
    })
}

/// Percent as tenths of a percent; `None` for what is no share.
fn permille(percent: f64) -> Option<i64> {
    if !(0.0..=MOST_PERCENT).contains(&percent) {
        return None;
    }
    // At most 1 100 after the line above.
    Some(((percent * 10.0).round() as i64).min(1000))
}

/// A peak as tenths of a percent. A clock that jumps makes a rate of several hundred percent: the day's mean
/// is no less true for it, so a peak above the whole is the whole.
fn peak(percent: f64) -> Option<i64> {
    if percent.is_finite() {
        permille(percent.min(100.0))
    } else {
        None
    }
}

/// A count of samples; `None` for what is none.
fn count(samples: f64) -> Option<i64> {
    let most = SAMPLES_A_DAY as f64 + 1.0;
    (0.0..=most)
        .contains(&samples)
        .then(|| (samples.round() as i64).min(SAMPLES_A_DAY))
}

#[async_trait]
impl UsageSource for Prometheus {
    fn digest(&self) -> &str {
        &self.digest
    }

    fn measures(&self) -> Vec<Measure> {
        self.config.queries.keys().copied().collect()
    }

    async fn read(
        &self,
        measure: Measure,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Readings, SourceError> {
        let seconds = until.since(from) / 1000;
        // The query may end in a comment.
        let over = format!("({}\n)[{seconds}s:5m]", self.of(measure)?);
        let at = until.plus_millis(-1000);
        let (means, odd) = self
            .by_server(&format!("avg_over_time({over})"), at)
            .await?;
        let (mut peaks, _) = self
            .by_server(&format!("quantile_over_time(0.95, {over})"), at)
            .await?;
        let (mut counts, _) = self
            .by_server(&format!("count_over_time({over})"), at)
            .await?;
        let mut all = Readings {
            odd,
            ..Readings::default()
        };
        for (id, mean) in means {
            let reading = permille(mean)
                .zip(peaks.remove(&id).and_then(peak))
                .zip(counts.remove(&id).and_then(count));
            match reading {
                Some(((mean, peak), samples)) => {
                    let reading = Reading {
                        mean,
                        peak,
                        samples,
                    };
                    all.servers.insert(id, reading);
                }
                None => all.odd += 1,
            }
        }
        Ok(all)
    }

    async fn servers(&self, at: Timestamp) -> Result<BTreeSet<String>, SourceError> {
        let mut all = BTreeSet::new();
        for query in self.config.queries.values() {
            all.extend(self.by_server(query, at).await?.0.into_keys());
        }
        Ok(all)
    }

    async fn check(&self, at: Timestamp) -> Vec<Finding> {
        let what = format!("usage, {}", self.config.url);
        if let Err(error) = self.query("vector(1)", at).await {
            let remedy = match &error {
                SourceError::Unreachable(_) => {
                    "check usage.prometheus_url (without /api/v1), usage.ca_file, and that it runs"
                }
                SourceError::Refused(_) => {
                    "check usage.token_file, or usage.user and usage.password_file"
                }
                SourceError::Partial(_) => "check that usage.prometheus_url is a Prometheus",
            };
            return vec![Finding::wrong(what, error.to_string(), remedy)];
        }
        let mut findings = vec![Finding::fine(format!("{what} answers"))];
        for measure in Measure::ALL {
            findings.push(if self.config.queries.contains_key(measure) {
                self.check_query(*measure, at).await
            } else {
                Finding::fine(format!("usage, {measure}: not measured"))
            });
        }
        findings
    }
}
