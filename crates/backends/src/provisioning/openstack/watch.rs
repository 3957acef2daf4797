//! Waiting for servers. While one is being built, Nova asks Neutron for its ports and groups at every
//! look at it; twenty that are waited for would keep Neutron from building them. So all who wait share
//! one short list of what is being built, and a server itself is read when it is no longer on it.
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::{
    client::{Cloud, list, text},
    fault::{Answer, Stop},
    version::Service,
};
use crate::provisioning::ExternalId;

/// A server that is waited for.
struct Waited {
    /// When its building began, in milliseconds as the cloud tells it.
    since: i64,
    /// The digest of the order.
    call: String,
    /// When it was last read itself, by our clock.
    looked: i64,
}

/// The list tells names alone. Whether a building goes on is seen of the server itself, which is read
/// so often while it is on the list, in milliseconds.
const LOOK: i64 = 30_000;

/// What this process waits for, and what was said last.
#[derive(Default)]
pub(super) struct Watch {
    waited: BTreeMap<ExternalId, Waited>,
    /// `None` in it: the cloud gave no answer.
    said: Option<(Instant, Option<BTreeSet<ExternalId>>)>,
}

impl Cloud {
    /// From now on a server is waited for that is being built since `since`, as `call` orders it.
    pub async fn wait_for(&self, id: &ExternalId, since: i64, call: String) {
        let mut watch = self.watch.lock().await;
        // Whoever gave up waiting does not take itself off.
        let now = self.now();
        let oldest = now - i64::from(self.config.build_minutes) * 60_000;
        watch.waited.retain(|_, it| it.since >= oldest);
        watch.waited.entry(id.clone()).or_insert(Waited {
            since,
            call,
            looked: now,
        });
    }

    /// When to ask again for a server that is waited for and is being built still; `call` is the
    /// digest of the order, if it is ordered again. `None` says nothing: the server itself must be
    /// asked.
    pub async fn still_building(&self, id: &ExternalId, call: Option<&str>) -> Option<Stop> {
        // Who comes while the list is being read waits for it, and takes the same.
        let mut watch = self.watch.lock().await;
        let waited = watch.waited.get_mut(id)?;
        // Another order under the same operation is not to be told to wait.
        let since = (call.is_none_or(|call| call == waited.call)).then_some(waited.since)?;
        let now = self.now();
        if call.is_some() && now.saturating_sub(waited.looked) >= LOOK {
            waited.looked = now;
            return None;
        }
        let fresh = Duration::from_millis(self.config.poll_ms / 2);
        if watch.said.as_ref().is_none_or(|it| it.0.elapsed() >= fresh) {
            // That a cloud does not answer is told by whoever then asks for the server.
            let all = self.all_building().await.ok();
            watch.said = Some((Instant::now(), all));
        }
        let all = watch.said.as_ref()?.1.as_ref()?;
        if all.contains(id) {
            return Some(self.under_way_since(since, "building the server"));
        }
        watch.waited.remove(id);
        None
    }

    /// Ids of the servers that are being built, as far as one page goes.
    async fn all_building(&self) -> Answer<BTreeSet<ExternalId>> {
        let query = [("all_tenants", "1"), ("status", "BUILD")];
        let found = self.get(Service::Compute, "/servers", &query).await?;
        let ids = list(&found, "servers", &["id"])?.iter();
        Ok(ids
            .map(|it| ExternalId(text(it, "id").to_owned()))
            .collect())
    }
}
