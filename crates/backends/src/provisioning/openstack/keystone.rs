//! Keystone: tokens with their catalogues.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, items, lock, text},
    config::{Credential, OpenStackConfig},
    fault::{Answer, Fault, of_status},
    time::moment,
    version::Service,
};
use crate::provisioning::{ExternalId, Refusal, RefusalReason, Secret};

/// A token is renewed so long before its end, in milliseconds.
const MARGIN: i64 = 300_000;
/// A login that got no answer is told for so many milliseconds to all others: not longer than the
/// shortest wait before the next attempt.
const FAILED_MS: i64 = 2_000;
/// Tokens that are kept; the one that was not used for longest goes first.
const KEPT: usize = 256;

/// Whose rights a token carries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// The portal's own project.
    Portal,
    /// A unit's project. Nova and Cinder make servers and volumes in the token's project alone.
    Project(ExternalId),
}

/// A token and what came with it.
#[derive(Debug)]
pub(super) struct Token {
    pub id: Secret,
    /// By our clock.
    ends: i64,
    pub project: String,
    pub user: String,
    pub roles: Vec<String>,
    catalogue: Value,
}

impl Token {
    /// Where a service answers, without a slash at the end.
    pub fn endpoint(&self, service: Service, config: &OpenStackConfig) -> Answer<String> {
        if service == Service::Identity {
            return Ok(config.auth_url.trim_end_matches('/').to_owned());
        }
        let all = self.catalogue.as_array().map_or(&[][..], Vec::as_slice);
        let wanted = |endpoint: &&Value| {
            text(endpoint, "interface") == config.interface
                && config.region.as_deref().is_none_or(|region| {
                    text(endpoint, "region_id") == region || text(endpoint, "region") == region
                })
        };
        // A service may be registered more than once, for each region on its own.
        let found = service.types().iter().find_map(|kind| {
            let entries = all.iter().filter(|entry| text(entry, "type") == *kind);
            let mut endpoints = entries.flat_map(|entry| items(entry, "endpoints"));
            endpoints.find(wanted)
        });
        let url = found.map(|endpoint| text(endpoint, "url").trim_end_matches('/'));
        let Some(url) = url.filter(|url| !url.is_empty()) else {
            let region = config.region.as_deref().unwrap_or("any");
            let (interface, word) = (&config.interface, service.word());
            let said =
                format!("the catalogue has no {interface} endpoint of {word} in region {region}");
            return Err(Fault::Refused(Refusal::new(
                RefusalReason::Unsupported,
                said,
            )));
        };
        Ok(if url.ends_with(service.path()) {
            url.to_owned()
        } else {
            format!("{url}{}", service.path())
        })
    }
}

/// The tokens in use.
#[derive(Default)]
pub(super) struct Tokens {
    kept: Mutex<HashMap<Scope, (i64, Arc<Token>)>>,
    /// One asks, the others wait for its answer.
    asking: tokio::sync::Mutex<()>,
    /// The last login that got no answer, and when.
    failed: Mutex<Option<(i64, Fault)>>,
}

impl Tokens {
    /// Asks anew next time, unless another task has just done so.
    pub fn forget(&self, scope: &Scope, dead: &Arc<Token>) {
        let mut kept = lock(&self.kept);
        if kept.get(scope).is_some_and(|(_, it)| Arc::ptr_eq(it, dead)) {
            kept.remove(scope);
        }
    }

    fn get(&self, scope: &Scope, now: i64) -> Option<Arc<Token>> {
        let mut kept = lock(&self.kept);
        let (used, token) = kept.get_mut(scope)?;
        if now + MARGIN >= token.ends {
            return None;
        }
        *used = now;
        Some(token.clone())
    }

    /// How a login has just failed. No answer is none for anybody; a no concerns its own project, and
    /// comes quickly.
    fn failure(&self, now: i64) -> Option<Fault> {
        let failed = lock(&self.failed);
        let (at, fault) = failed.as_ref()?;
        let fresh = (0..FAILED_MS).contains(&now.saturating_sub(*at));
        fresh.then(|| fault.clone())
    }

    fn failed(&self, now: i64, fault: &Fault) {
        if !matches!(fault, Fault::Refused(_)) {
            *lock(&self.failed) = Some((now, fault.clone()));
        }
    }

    fn put(&self, scope: &Scope, now: i64, token: &Arc<Token>) {
        let mut kept = lock(&self.kept);
        if kept.len() >= KEPT {
            let oldest = kept.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(scope, _)| scope.clone()) {
                kept.remove(&oldest);
            }
        }
        kept.insert(scope.clone(), (now, token.clone()));
    }
}

/// A name or an id, as Keystone takes domains.
fn domain(name: &str) -> Value {
    // Ids are 32 hexadecimal digits, but for the first domain, whose id is `default`.
    let is_id = name == "default"
        || (name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_id {
        json!({ "id": name })
    } else {
        json!({ "name": name })
    }
}

impl Cloud {
    /// A token that still lives for some minutes.
    pub async fn token(&self, scope: &Scope) -> Answer<Arc<Token>> {
        if let Some(token) = self.tokens.get(scope, self.now()) {
            return Ok(token);
        }
        let _turn = self.tokens.asking.lock().await;
        if let Some(token) = self.tokens.get(scope, self.now()) {
            return Ok(token);
        }
        // Who has waited for a login that timed out does not begin one that will.
        if let Some(fault) = self.tokens.failure(self.now()) {
            return Err(fault);
        }
        match self.log_in(scope).await {
            Ok(token) => {
                let token = Arc::new(token);
                self.tokens.put(scope, self.now(), &token);
                Ok(token)
            }
            Err(fault) => {
                self.tokens.failed(self.now(), &fault);
                Err(fault)
            }
        }
    }

    async fn log_in(&self, scope: &Scope) -> Answer<Token> {
        let (identity, own) = match &self.config.credential {
            Credential::Password {
                user,
                user_domain,
                password,
                project,
                project_domain,
            } => (
                json!({ "methods": ["password"], "password": { "user": {
                    "name": user, "domain": domain(user_domain), "password": password.0 } } }),
                Some(json!({ "project": { "name": project, "domain": domain(project_domain) } })),
            ),
            Credential::Application { id, secret } => (
                json!({ "methods": ["application_credential"],
                    "application_credential": { "id": id, "secret": secret.0 } }),
                None,
            ),
        };
        let mut auth = json!({ "identity": identity });
        let scoped = match scope {
            Scope::Portal => own,
            Scope::Project(id) if own.is_some() => Some(json!({ "project": { "id": id } })),
            // Keystone takes no other project from an application credential: it is asked for its
            // own, and the difference is told below.
            Scope::Project(_) => None,
        };
        if let Some(scoped) = scoped {
            auth["scope"] = scoped;
        }
        let url = format!("{}/auth/tokens", self.config.auth_url.trim_end_matches('/'));
        let request = self
            .plain(Method::POST, &url)
            .json(&json!({ "auth": auth }));
        // Nothing is lost with a lost token.
        let heard = self.hear(request, false).await?;
        if !(200..=299).contains(&heard.status) {
            let fault = of_status("keystone", heard.status, &heard.body, false);
            return Err(fault.told(heard.after));
        }
        let mut answer: Value = serde_json::from_slice(&heard.body)
            .map_err(|error| Fault::NotSent(format!("keystone: {error}")))?;
        let token = answer.get_mut("token").map(Value::take);
        let mut token = token.unwrap_or_default();
        let project = text(&token["project"], "id").to_owned();
        // Without its list of services every one of them would count as not there.
        let is_whole = token["catalog"].is_array()
            && !project.is_empty()
            && !text(&token["user"], "id").is_empty();
        let (Some(id), true) = (heard.token, is_whole) else {
            return Err(Fault::NotSent("keystone: an answer without a token".into()));
        };
        if let Scope::Project(wanted) = scope
            && *wanted.0 != *project
        {
            let said = format!(
                "an application credential is bound to project {project}; to make things in \
                 project {wanted} the portal needs a user with a password"
            );
            return Err(Fault::Refused(Refusal::new(RefusalReason::Denied, said)));
        }
        // The cloud's clock may be apart from ours; how long it lives is the same on both.
        let lives = match (
            moment(text(&token, "issued_at")),
            moment(text(&token, "expires_at")),
        ) {
            (Some(from), Some(to)) => to.since(from),
            _ => 2 * MARGIN,
        };
        let roles = items(&token, "roles")
            .iter()
            .map(|role| text(role, "name").to_owned());
        Ok(Token {
            id: Secret(id),
            ends: self.now() + lives,
            roles: roles.collect(),
            user: text(&token["user"], "id").to_owned(),
            project,
            catalogue: token["catalog"].take(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: &str, catalogue: Value) -> Token {
        Token {
            id: Secret(id.into()),
            ends: 10 * MARGIN,
            project: String::new(),
            user: String::new(),
            roles: Vec::new(),
            catalogue,
        }
    }

    fn config(region: Option<&str>) -> OpenStackConfig {
        OpenStackConfig {
            auth_url: "http://127.0.0.1:5000/v3".into(),
            region: region.map(str::to_owned),
            interface: "public".into(),
            ca_pem: None,
            credential: Credential::Application {
                id: "a".into(),
                secret: Secret("x".into()),
            },
            domain: "default".into(),
            role: "member".into(),
            password_secret: None,
            timeout_ms: 1_000,
            connect_timeout_ms: 500,
            settle_ms: 10_000,
            poll_ms: 1_000,
            build_minutes: 10,
            stall_minutes: 3,
            external_network: None,
            outbound: false,
            dns_servers: Vec::new(),
            zones: Vec::new(),
            images: [].into(),
            flavours: [].into(),
            make_flavours: false,
            volume_types: [].into(),
            presets: [].into(),
        }
    }

    #[test]
    fn a_service_is_found_in_whichever_entry_its_region_stands() {
        let entry = |kind: &str, region: &str, port: u16| {
            json!({ "type": kind, "endpoints": [
                { "interface": "internal", "region_id": region, "url": "http://127.0.0.1:1/" },
                { "interface": "public", "region_id": region,
                  "url": format!("http://127.0.0.1:{port}/v2.1/") }] })
        };
        let catalogue = json!([
            { "type": "compute", "endpoints": [] },
            entry("compute", "east", 10),
            entry("compute", "west", 20),
            entry("network", "north", 30),
        ]);
        let token = token("a", catalogue);
        let of = |region| token.endpoint(Service::Compute, &config(region));
        assert_eq!(of(Some("east")), Ok("http://127.0.0.1:10/v2.1".into()));
        assert_eq!(of(Some("west")), Ok("http://127.0.0.1:20/v2.1".into()));
        assert_eq!(of(None), Ok("http://127.0.0.1:10/v2.1".into()));
        let nowhere = of(Some("north")).map_err(|fault| fault.reason());
        assert_eq!(nowhere, Err(Some(RefusalReason::Unsupported)));
    }

    #[test]
    fn a_login_without_an_answer_failed_for_all_who_wait_and_a_no_for_its_own_project() {
        let tokens = Tokens::default();
        tokens.failed(0, &Refusal::new(RefusalReason::Denied, "").into());
        assert_eq!(tokens.failure(1), None);
        let silent = of_status("keystone", 503, b"", false);
        tokens.failed(0, &silent);
        assert_eq!(tokens.failure(FAILED_MS - 1), Some(silent));
        assert_eq!(tokens.failure(FAILED_MS), None);
    }

    #[test]
    fn only_the_dead_token_is_forgotten() {
        let of = |id: &str| Arc::new(token(id, Value::Null));
        let (dead, new, tokens) = (of("a"), of("b"), Tokens::default());
        tokens.put(&Scope::Portal, 0, &new);
        tokens.forget(&Scope::Portal, &dead);
        assert!(tokens.get(&Scope::Portal, 0).is_some());
        tokens.forget(&Scope::Portal, &new);
        assert!(tokens.get(&Scope::Portal, 0).is_none());
    }
}
