//! Requests to the services: address from the catalogue, token, microversion of each service alone,
//! a deadline, a bounded answer.
use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lingbao_model::time::Timestamp;
use reqwest::{Certificate, Method, redirect::Policy};
use serde_json::Value;

use super::{
    config::OpenStackConfig,
    fault::{Answer, Fault, Stop, of_status},
    keystone::{Scope, Tokens},
    time::moment,
    version::{Service, Versions},
    watch::Watch,
};
use crate::{
    Clock,
    provisioning::{LONGEST_AFTER, Refusal, RefusalReason},
};

/// The longest answer that is read: 500 servers with all their details are about 2 MB.
const LONGEST: usize = 32 << 20;
/// The pauses after which a look asks again for what came to an error.
const AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(600)];
/// An error that comes within so long came at once.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A connection to one cloud.
pub(super) struct Cloud {
    pub name: String,
    pub config: OpenStackConfig,
    pub clock: Arc<dyn Clock>,
    pub tokens: Tokens,
    pub versions: Versions,
    pub cache: Cache,
    pub watch: tokio::sync::Mutex<Watch>,
    http: reqwest::Client,
}

/// What seldom changes in a cloud: ids by name, for a minute.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<String, (i64, Value)>>);

impl Cache {
    /// A value that is at most a minute old.
    pub fn get(&self, key: &str, now: i64) -> Option<Value> {
        self.younger(key, now, 60_000)
    }

    /// A value that is younger than so many milliseconds.
    fn younger(&self, key: &str, now: i64, ms: i64) -> Option<Value> {
        let kept = lock(&self.0);
        let (at, value) = kept.get(key)?;
        (now.saturating_sub(*at) < ms).then(|| value.clone())
    }

    /// Keeps a value.
    pub fn put(&self, key: &str, now: i64, value: &Value) {
        let mut kept = lock(&self.0);
        if kept.len() > 4_096 {
            kept.clear();
        }
        kept.insert(key.to_owned(), (now, value.clone()));
    }

    /// Forgets a value.
    pub fn forget(&self, key: &str) {
        lock(&self.0).remove(key);
    }
}

/// A lock that a panic elsewhere does not poison.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request before it is sent.
pub(super) struct Ask<'a> {
    pub service: Service,
    pub method: Method,
    pub path: &'a str,
    pub query: &'a [(&'a str, &'a str)],
    pub body: Option<&'a Value>,
}

/// An answer with what its head said.
pub(super) struct Heard {
    pub status: u16,
    pub token: Option<String>,
    /// After how many seconds it wants to be asked again, if it says so.
    pub after: Option<u32>,
    pub body: Vec<u8>,
}

impl Cloud {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// If the certificate of the authority can't be read.
    pub fn new(
        name: &str,
        config: OpenStackConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, reqwest::Error> {
        // A proxy of the environment is for the world outside, not for the machine room. Redirects
        // are not followed: they would turn a POST into a GET and send the token elsewhere.
        let mut http = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(Duration::from_millis(config.timeout_ms))
            .connect_timeout(Duration::from_millis(config.connect_timeout_ms));
        if let Some(pem) = &config.ca_pem {
            // Who names an authority trusts that one, and no public one beside it.
            http = http.tls_built_in_root_certs(false);
            for certificate in Certificate::from_pem_bundle(pem.as_bytes())? {
                http = http.add_root_certificate(certificate);
            }
        }
        Ok(Self {
            name: name.to_owned(),
            config,
            clock,
            tokens: Tokens::default(),
            versions: Versions::default(),
            cache: Cache::default(),
            watch: tokio::sync::Mutex::default(),
            http: http.build()?,
        })
    }

    /// Reads what several pools share: within seconds the answer is taken again.
    pub async fn get_shared(
        &self,
        service: Service,
        path: &str,
        query: &[(&str, &str)],
    ) -> Answer<Value> {
        let key = format!("{service:?} {path} {query:?}");
        if let Some(kept) = self.cache.younger(&key, self.now(), 10_000) {
            return Ok(kept);
        }
        let found = self.get_patiently(service, path, query).await?;
        self.cache.put(&key, self.now(), &found);
        Ok(found)
    }

    /// Reads, and asks again where an error came at once. The look at a cloud is of many questions: one
    /// that is lost now and then must not pass for a cloud that is away, to which nobody speaks any more.
    async fn get_patiently(
        &self,
        service: Service,
        path: &str,
        query: &[(&str, &str)],
    ) -> Answer<Value> {
        for pause in AGAIN {
            let begun = Instant::now();
            match self.get(service, path, query).await {
                Ok(found) => return Ok(found),
                Err(no @ Fault::Refused(_)) => return Err(no),
                // Who says nothing for seconds would say nothing again.
                Err(fault) if begun.elapsed() > AT_ONCE => return Err(fault),
                Err(fault) => tracing::debug!(path, ?fault, "asked again"),
            }
            tokio::time::sleep(pause).await;
        }
        self.get(service, path, query).await
    }

    /// Reads. A lost answer is no more than a need to ask again.
    pub async fn get(&self, service: Service, path: &str, query: &[(&str, &str)]) -> Answer<Value> {
        let ask = Ask {
            service,
            method: Method::GET,
            path,
            query,
            body: None,
        };
        self.send(&Scope::Portal, ask).await
    }

    /// Changes something, with the rights of the portal's own project.
    pub async fn change(
        &self,
        service: Service,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Answer<Value> {
        self.change_as(&Scope::Portal, service, method, path, body)
            .await
    }

    /// Changes something, with the rights of a project.
    pub async fn change_as(
        &self,
        scope: &Scope,
        service: Service,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Answer<Value> {
        self.send(
            scope,
            Ask {
                service,
                method,
                path,
                query: &[],
                body,
            },
        )
        .await
    }

    async fn send(&self, scope: &Scope, ask: Ask<'_>) -> Answer<Value> {
        // Ids come from rows and orders; none may lead to another address.
        if ask.path.contains(['?', '#', '%', ' ', '\\']) || ask.path.contains("..") {
            let said = format!("not an id: {}", ask.path);
            return Err(Refusal::new(RefusalReason::NotFound, said).into());
        }
        let version = self.version(ask.service).await?;
        let mut renewed = false;
        loop {
            let token = self.token(scope).await?;
            let base = token.endpoint(ask.service, &self.config)?;
            let url = format!("{base}{}", ask.path);
            let changes = ask.method != Method::GET;
            let mut request = self
                .http
                .request(ask.method.clone(), url)
                .header("Accept", "application/json")
                .header("X-Auth-Token", &token.id.0);
            if !ask.query.is_empty() {
                request = request.query(ask.query);
            }
            // Each service its own: Cinder answers 400 to a header that names another service.
            if let Some((header, value)) = version.as_deref().and_then(|v| ask.service.header(v)) {
                request = request.header(header, value);
            }
            if let Some(body) = ask.body {
                request = request.json(body);
            }
            let heard = self.hear(request, changes).await?;
            match heard.status {
                // A token may die before its time: revoked, or Keystone's keys were changed.
                401 if !renewed => {
                    self.tokens.forget(scope, &token);
                    renewed = true;
                }
                200..=299 => return parse(&heard.body, changes),
                status => {
                    if status == 406 {
                        self.versions.forget(ask.service);
                    }
                    let service = ask.service.word();
                    let fault = of_status(service, status, &heard.body, changes);
                    return Err(fault.told(heard.after));
                }
            }
        }
    }

    /// Sends a request and reads the answer, up to a bound.
    pub async fn hear(&self, request: reqwest::RequestBuilder, changes: bool) -> Answer<Heard> {
        let lost = |why: String| {
            if changes {
                Fault::Lost(why)
            } else {
                Fault::NotSent(why)
            }
        };
        let mut response = request.send().await.map_err(|error| {
            // Only an error of connecting (or of building the request) proves that nothing was sent.
            if error.is_connect() || error.is_builder() {
                Fault::NotSent(chain(&error))
            } else {
                lost(chain(&error))
            }
        })?;
        let status = response.status().as_u16();
        let head = |name: &str| {
            let value = response.headers().get(name);
            value.and_then(|v| v.to_str().ok()).map(str::to_owned)
        };
        let token = head("X-Subject-Token");
        let after = head("Retry-After").and_then(|told| seconds(&told));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| lost(chain(&e)))? {
            if body.len() + chunk.len() > LONGEST {
                return Err(lost(format!("an answer of more than {LONGEST} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Heard {
            status,
            token,
            after,
            body,
        })
    }

    /// A request to an address outside the catalogue: Keystone before there is a token, and the
    /// pages on which services tell their versions.
    pub fn plain(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, url)
            .header("Accept", "application/json")
    }

    /// Something is under way since a moment that the cloud tells: ask again, more seldom the longer
    /// it takes, and not for ever.
    pub fn under_way(&self, since: &str, what: &str) -> Stop {
        self.under_way_since(self.since(since), what)
    }

    /// Milliseconds of a moment that the cloud tells; of the present if it tells none.
    pub fn since(&self, told: &str) -> i64 {
        moment(told).map_or_else(|| self.now(), Timestamp::millis)
    }

    /// Something is under way since so many milliseconds of the clock.
    pub fn under_way_since(&self, since: i64, what: &str) -> Stop {
        let minutes = u64::from(self.config.build_minutes);
        self.within(minutes, 15_000, since, what)
    }

    /// A volume, snapshot or backup is being deleted, or a backup written into a volume, since it was
    /// last changed. Many a Cinder writes zeroes over what it deletes: that takes as long as the thing is large, a minute for each GiB at
    /// the slowest.
    pub fn wiping(&self, it: &Value, what: &str) -> Stop {
        let minutes = u64::from(self.config.build_minutes) + it["size"].as_u64().unwrap_or(0);
        let since = self.since(text(it, "updated_at"));
        self.within(minutes, 60_000, since, what)
    }

    /// Something is under way for no longer than so many minutes, and asked about each `longest`
    /// milliseconds in the end.
    fn within(&self, minutes: u64, longest: u64, since: i64, what: &str) -> Stop {
        let age = u64::try_from(self.now().saturating_sub(since)).unwrap_or(0);
        if age > minutes * 60_000 {
            let said = format!("{what} takes longer than {minutes} minutes");
            return Refusal::new(RefusalReason::Conflict, said).into();
        }
        let shortest = self.config.poll_ms;
        Stop::Running((age / 12).clamp(shortest, shortest.max(longest)))
    }

    /// Milliseconds of the present.
    pub fn now(&self) -> i64 {
        self.clock.now().millis()
    }
}

/// The seconds of a `Retry-After`; `None` for one that names a moment, by a clock that is not ours.
fn seconds(told: &str) -> Option<u32> {
    let told = told.trim();
    let is_number = !told.is_empty() && told.bytes().all(|byte| byte.is_ascii_digit());
    // More than fits is very long.
    is_number.then(|| told.parse().unwrap_or(u32::MAX).min(LONGEST_AFTER))
}

/// An empty answer is `null`; half an answer is a lost one.
fn parse(body: &[u8], changes: bool) -> Answer<Value> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|error| {
        let why = format!("an answer that can't be read: {error}");
        if changes {
            Fault::Lost(why)
        } else {
            Fault::NotSent(why)
        }
    })
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

/// The text of a field; empty if there is none.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The list of a field that may be left out: tags, links.
pub(super) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The list that an answer is about, of things that each have these fields.
///
/// # Errors
/// [`Fault::NotSent`] if it has no such list, or something in it lacks a field. What can't be read is
/// asked for again and is never "nothing there": that would make a second machine, or call one missing.
pub(super) fn list<'a>(answer: &'a Value, key: &str, fields: &[&str]) -> Answer<&'a [Value]> {
    let Some(all) = answer.get(key).and_then(Value::as_array) else {
        return Err(Fault::NotSent(format!(
            "an answer without its list `{key}`"
        )));
    };
    match all.iter().find_map(|it| first_lack(it, fields)) {
        Some(field) => Err(Fault::NotSent(format!(
            "an answer with one of `{key}` without its `{field}`"
        ))),
        None => Ok(all),
    }
}

/// The one object that an answer wraps, with these fields.
///
/// # Errors
/// [`Fault::Lost`] if it is not there, or lacks one: half an answer.
pub(super) fn inner(mut answer: Value, key: &str, fields: &[&str]) -> Answer<Value> {
    let it = match answer.get_mut(key).map(Value::take) {
        Some(it @ Value::Object(_)) => it,
        _ => return Err(Fault::Lost(format!("an answer without `{key}`"))),
    };
    match first_lack(&it, fields) {
        Some(field) => Err(Fault::Lost(format!("a `{key}` without its `{field}`"))),
        None => Ok(it),
    }
}

/// The first of the fields that a thing does not have as it must.
fn first_lack<'a>(it: &Value, fields: &[&'a str]) -> Option<&'a str> {
    if !it.is_object() {
        return Some("fields");
    }
    let has = |field: &str| match (field, it.get(field)) {
        (_, None) => false,
        ("metadata", Some(it)) => it.is_object(),
        ("attachments" | "events" | "security_group_rules", Some(it)) => it.is_array(),
        // Neutron leaves it empty, or without a value where a thing is older than descriptions are.
        ("description", Some(it)) => it.is_string() || it.is_null(),
        (_, Some(it)) => it.as_str().is_some_and(|text| !text.is_empty()),
    };
    fields.iter().copied().find(|field| !has(field))
}

/// A refusal because something of the configuration is not in the cloud.
pub(super) fn missing(what: &str) -> Fault {
    Fault::Refused(Refusal::new(RefusalReason::InvalidSpec, what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_lacks_its_list_is_not_an_empty_list() {
        let fields = ["id", "metadata"];
        let fine = json!({ "servers": [{ "id": "s", "metadata": {} }] });
        assert_eq!(list(&fine, "servers", &fields).map(<[Value]>::len), Ok(1));
        assert_eq!(
            list(&json!({ "servers": [] }), "servers", &fields).map(<[Value]>::len),
            Ok(0)
        );
        for wrong in [
            Value::Null,
            json!({}),
            json!([]),
            json!({ "servers": null }),
            json!({ "servers": {} }),
            json!({ "server": [] }),
            json!({ "servers": ["s"] }),
            json!({ "servers": [{ "id": "s" }] }),
            json!({ "servers": [{ "id": "", "metadata": {} }] }),
            json!({ "servers": [{ "id": "s", "metadata": [] }] }),
        ] {
            let read = list(&wrong, "servers", &fields);
            assert!(matches!(read, Err(Fault::NotSent(_))), "{wrong}: {read:?}");
        }
    }

    #[test]
    fn a_cloud_is_left_alone_for_five_minutes_at_most() {
        for (told, after) in [
            ("0", Some(0)),
            (" 60 ", Some(60)),
            ("86400", Some(300)),
            ("99999999999", Some(300)),
            ("", None),
            ("-1", None),
            ("soon", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ] {
            assert_eq!(seconds(told), after, "{told}");
        }
    }

    #[test]
    fn what_lacks_its_object_is_half_an_answer() {
        assert!(inner(json!({ "volume": { "id": "v" } }), "volume", &["id"]).is_ok());
        for wrong in [
            Value::Null,
            json!({ "volume": null }),
            json!({ "volume": [] }),
            json!({ "volume": {} }),
        ] {
            let read = inner(wrong.clone(), "volume", &["id"]);
            assert!(matches!(read, Err(Fault::Lost(_))), "{wrong}: {read:?}");
        }
    }
}
