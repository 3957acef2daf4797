//! Servers whose building fell with a service of the cloud. While Keystone is away, Neutron believes
//! nobody, and Nova gives up what it is building just then: no fault of the order. Such a server has
//! never run and holds nothing; it is deleted and ordered again under the same operation, after a
//! pause that grows. The cloud keeps the moment of the fall, this process how often it was: after a
//! restart it is tried a few times more, and that is all.
use serde_json::Value;

use super::{
    client::{Cloud, text},
    fault::{Stop, is_outage},
    op::{META_OP, Memory},
    time::moment,
};
use crate::provisioning::{ExternalId, OperationId, Refusal, RefusalReason};

/// Pauses before a server is ordered anew, in milliseconds.
const PAUSES: [i64; 5] = [5_000, 30_000, 120_000, 300_000, 600_000];

/// Whether the building of a server in error fell with a service of the cloud. Only one that has never
/// run: what ran holds data.
fn fell_with_a_service(it: &Value) -> bool {
    let never_ran = it.get("OS-SRV-USG:launched_at") == Some(&Value::Null);
    never_ran && is_outage(text(&it["fault"], "message"))
}

impl Cloud {
    /// What a server in an error state comes to: a no, or the order again when its pause is over.
    pub(super) fn fallen(&self, memory: &Memory, it: &Value) -> Stop {
        let Some(wait) = self.pause(memory, it) else {
            let mut refusal = self.build_fault(it);
            if fell_with_a_service(it) {
                refusal = Refusal::new(RefusalReason::Broken, refusal.detail);
            }
            return refusal.into();
        };
        Stop::Running(wait.max(self.config.poll_ms))
    }

    /// Whether a server fell with a service of the cloud, and it is time to order it anew.
    pub(super) fn falls_due(&self, memory: &Memory, it: &Value) -> bool {
        self.pause(memory, it) == Some(0)
    }

    /// Milliseconds until a fallen server may be ordered anew; `None` if it is none, or fell too often.
    fn pause(&self, memory: &Memory, it: &Value) -> Option<u64> {
        if text(it, "status") != "ERROR" || !fell_with_a_service(it) {
            return None;
        }
        let op = OperationId(text(&it["metadata"], META_OP).to_owned());
        let falls = memory.falls(&op, &ExternalId(text(it, "id").to_owned()));
        let pause = PAUSES.get(falls - 1)?;
        let since = moment(text(&it["fault"], "created"))?.millis();
        // Of a clock that runs ahead of ours no more than the pause.
        let passed = self.now().saturating_sub(since).max(0);
        Some(u64::try_from(pause - passed).unwrap_or(0))
    }
}
