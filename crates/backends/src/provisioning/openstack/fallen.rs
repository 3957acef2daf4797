//! Servers and volumes whose building fell with a service of the cloud, or stands still. While
//! Keystone is away, Neutron believes nobody, and Nova gives up what it is building just then, or
//! forgets it half-way; while no `nova-compute` or `cinder-volume` works, the schedulers call that a
//! want of room. No fault of the order: what came of it has never run and holds nothing; it is deleted
//! and ordered again under the same operation, after a pause that grows. The cloud keeps the moment of
//! the fall, this process how often it was: after a restart it is tried a few times more, and that is
//! all.
use serde_json::Value;

use super::{
    client::{Cloud, list, text},
    config::ZoneConfig,
    fault::{Answer, Fault, Stop, is_outage, suspects},
    op::{META_OP, Memory},
    server::power,
    time::moment,
    version::Service,
    volumes::{self, server_of},
};
use crate::provisioning::{ExternalId, OperationId, Power, Refusal, RefusalReason};

/// Pauses before something is ordered anew, in milliseconds.
const PAUSES: [i64; 5] = [5_000, 30_000, 120_000, 300_000, 600_000];
/// What fell with a service that is down still is looked at again after so many milliseconds.
const DOWN: u64 = 15_000;
/// What Nova does with a server just now.
const TASK: &str = "OS-EXT-STS:task_state";
/// The newest disks of a project that are looked at; those that are being made are the newest.
const NEWEST: &str = "100";

/// Something that came to nothing.
struct Fall {
    op: OperationId,
    id: ExternalId,
    pool: String,
    /// When, in milliseconds as the cloud tells it.
    since: i64,
}

impl Fall {
    fn of(it: &Value, since: i64) -> Self {
        let (op, id) = names(it);
        let pool = text(&it["metadata"], "lingbao_pool").to_owned();
        Self {
            op,
            id,
            pool,
            since,
        }
    }
}

/// The operation that made something, and its id.
fn names(it: &Value) -> (OperationId, ExternalId) {
    let op = OperationId(text(&it["metadata"], META_OP).to_owned());
    (op, ExternalId(text(it, "id").to_owned()))
}

/// Whether this process is taking it away, to make it anew.
pub(super) fn is_given_up(memory: &Memory, it: &Value) -> bool {
    let (op, id) = names(it);
    memory.is_given_up(&op, &id)
}

/// Whether a server has never run: what ran holds data.
fn never_ran(it: &Value) -> bool {
    it.get("OS-SRV-USG:launched_at") == Some(&Value::Null)
}

/// Whether a service that should work for a zone is down. One that was switched off on purpose is
/// not missed.
fn is_down(it: &Value, service: Service, zone: Option<&ZoneConfig>) -> bool {
    let (binary, theirs) = match service {
        Service::Volume => ("cinder-volume", zone.map(|zone| &zone.volume_zone)),
        _ => ("nova-compute", zone.map(|zone| &zone.zone)),
    };
    let in_zone = theirs.is_none_or(|name| name.is_empty() || text(it, "zone") == name);
    // Cinder's service is `host@backend`; the pool's storage may be named by more or less of it.
    let (host, storage) = (
        text(it, "host"),
        zone.map_or("", |zone| zone.storage.as_str()),
    );
    let of_storage = host.starts_with(storage) || storage.starts_with(host);
    text(it, "binary") == binary
        && text(it, "state") == "down"
        && text(it, "status") != "disabled"
        && in_zone
        && (service != Service::Volume || of_storage)
}

impl Cloud {
    /// What a server in an error state comes to: a no, or the order again when its pause is over.
    pub(super) async fn fallen(&self, memory: &Memory, it: &Value) -> Stop {
        match self.pause(memory, it).await {
            Ok(Some(wait)) => Stop::Running(wait.max(self.config.poll_ms)),
            Ok(None) => {
                let said = text(&it["fault"], "message");
                let outage = never_ran(it) && is_outage(said);
                broken_if(outage || is_excused(memory, it), self.build_fault(it))
            }
            Err(fault) => fault.into(),
        }
    }

    /// The same of a volume.
    pub(super) async fn volume_fallen(&self, memory: &Memory, it: &Value) -> Stop {
        match self.volume_pause(memory, it).await {
            Ok(Some(wait)) => Stop::Running(wait.max(self.config.poll_ms)),
            Ok(None) => broken_if(is_excused(memory, it), volume_fault()),
            Err(fault) => fault.into(),
        }
    }

    /// Whether a server is to be deleted and ordered anew: it fell with a service of the cloud and its
    /// pause is over, or its building stands still.
    pub(super) async fn goes(&self, memory: &Memory, it: &Value) -> Answer<bool> {
        Ok(is_given_up(memory, it)
            || self.pause(memory, it).await? == Some(0)
            || self.stands_still(memory, it).await?)
    }

    /// Whether a volume is to be deleted and ordered anew.
    pub(super) async fn volume_goes(&self, memory: &Memory, it: &Value) -> Answer<bool> {
        Ok(is_given_up(memory, it) || self.volume_pause(memory, it).await? == Some(0))
    }

    /// Milliseconds until a fallen server may be ordered anew; `None` if it is none, or fell too often.
    async fn pause(&self, memory: &Memory, it: &Value) -> Answer<Option<u64>> {
        if text(it, "status") != "ERROR" || !never_ran(it) {
            return Ok(None);
        }
        let Some(since) = moment(text(&it["fault"], "created")) else {
            return Ok(None);
        };
        let (fall, said) = (Fall::of(it, since.millis()), text(&it["fault"], "message"));
        if is_outage(said) {
            return Ok(self.wait(memory, &fall));
        }
        self.without_place(memory, &fall, suspects(said)).await
    }

    /// The same of a volume. Cinder tells no reason; one that was ordered a while ago may hold data.
    async fn volume_pause(&self, memory: &Memory, it: &Value) -> Answer<Option<u64>> {
        let Some(created) = moment(text(it, "created_at")) else {
            return Ok(None);
        };
        let young = self.is_within(created.millis());
        if text(it, "status") != "error" || server_of(it).is_some() || !young {
            return Ok(None);
        }
        let since = moment(text(it, "updated_at")).unwrap_or(created);
        let fall = Fall::of(it, since.millis());
        self.without_place(memory, &fall, &[Service::Volume]).await
    }

    /// The same of what found no place: if one of these services is down, it is waited for, and what
    /// fell meanwhile is ordered anew when it is back.
    async fn without_place(
        &self,
        memory: &Memory,
        fall: &Fall,
        suspects: &[Service],
    ) -> Answer<Option<u64>> {
        let Some(wait) = self.wait(memory, fall) else {
            return Ok(None);
        };
        if self.is_one_down(suspects, &fall.pool).await? {
            memory.excuse(&fall.op, &fall.id);
            return Ok(self.is_within(fall.since).then(|| wait.max(DOWN)));
        }
        Ok(memory.is_excused(&fall.op, &fall.id).then_some(wait))
    }

    /// What is left of the pause after a fall; `None` if it fell too often.
    fn wait(&self, memory: &Memory, fall: &Fall) -> Option<u64> {
        let falls = memory.falls(&fall.op, &fall.id);
        let pause = PAUSES.get(falls - 1)?;
        // Of a clock that runs ahead of ours no more than the pause.
        let passed = self.now().saturating_sub(fall.since).max(0);
        Some(u64::try_from(pause - passed).unwrap_or(0))
    }

    /// Whether a moment is no longer ago than a building may take.
    fn is_within(&self, since: i64) -> bool {
        self.now().saturating_sub(since) < i64::from(self.config.build_minutes) * 60_000
    }

    /// Whether one of these services is down where a pool builds.
    async fn is_one_down(&self, services: &[Service], pool: &str) -> Answer<bool> {
        let zone = self.config.zone(pool);
        for service in services {
            let found = match self.get(*service, "/os-services", &[]).await {
                // Who may not ask takes the words of the cloud as they are.
                Err(Fault::Refused(_)) => continue,
                answer => answer?,
            };
            let all = list(&found, "services", &["binary"])?;
            if all.iter().any(|it| is_down(it, *service, zone)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the building of a server stands still: its cloud has forgotten it. What is waited for
    /// must have been seen, and by the cloud's own clock be as old; each time anew it is given longer.
    async fn stands_still(&self, memory: &Memory, it: &Value) -> Answer<bool> {
        if power(it) != Power::Building || !never_ran(it) || self.config.stall_minutes == 0 {
            return Ok(false);
        }
        let (op, id) = names(it);
        let (task, updated) = (text(it, TASK), text(it, "updated"));
        let unchanged = memory.unchanged(&op, format!("{id} {task} {updated}"), self.now());
        let falls = memory.falls(&op, &id);
        let minutes = i64::from(self.config.stall_minutes) * i64::try_from(falls).unwrap_or(1);
        let told = self.now().saturating_sub(self.since(updated));
        if falls > PAUSES.len() || unchanged.min(told) < minutes * 60_000 {
            return Ok(false);
        }
        match task {
            "" | "scheduling" | "networking" => Ok(true),
            // A large image on a slow store takes its time, and Nova says nothing meanwhile.
            "block_device_mapping" => Ok(!self.fills_a_disk(text(it, "tenant_id")).await?),
            // What a hypervisor starts Nova gives up by itself.
            _ => Ok(false),
        }
    }

    /// Whether Cinder makes a disk of this project just now.
    async fn fills_a_disk(&self, project: &str) -> Answer<bool> {
        let query = [
            ("all_tenants", "1"),
            ("project_id", project),
            ("limit", NEWEST),
        ];
        let path = "/volumes/detail";
        let found = self.get(Service::Volume, path, &query).await?;
        let all = list(&found, "volumes", volumes::FIELDS)?;
        Ok(all.iter().any(|it| {
            text(it, "os-vol-tenant-attr:tenant_id") == project
                && ["creating", "downloading"].contains(&text(it, "status"))
        }))
    }
}

fn is_excused(memory: &Memory, it: &Value) -> bool {
    let (op, id) = names(it);
    memory.is_excused(&op, &id)
}

/// Cinder tells no reason with the volume; its scheduler found no place in nearly every case.
fn volume_fault() -> Refusal {
    Refusal::new(
        RefusalReason::NoCapacity,
        "cinder could not make the volume",
    )
}

/// A no that is no want of room if it came from an outage.
fn broken_if(outage: bool, refusal: Refusal) -> Stop {
    if outage {
        return Refusal::new(RefusalReason::Broken, refusal.detail).into();
    }
    refusal.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_is_missed_where_its_pool_builds_and_not_where_it_was_switched_off() {
        let zone = ZoneConfig {
            zone: "gov".into(),
            volume_zone: "nova".into(),
            storage: "a@fast#".into(),
            ..ZoneConfig::default()
        };
        let of = |binary: &str, zone: &str, host: &str| {
            json!({ "binary": binary, "zone": zone, "host": host, "status": "enabled",
                "state": "down" })
        };
        let compute = of("nova-compute", "gov", "c1");
        assert!(is_down(&compute, Service::Compute, Some(&zone)));
        assert!(is_down(&compute, Service::Compute, None));
        let volume = of("cinder-volume", "nova", "a@fast");
        assert!(is_down(&volume, Service::Volume, Some(&zone)));
        for (other, service) in [
            (of("nova-compute", "office", "c1"), Service::Compute),
            (of("nova-scheduler", "gov", "c1"), Service::Compute),
            (of("cinder-volume", "nova", "a@slow"), Service::Volume),
            (of("cinder-volume", "other", "a@fast"), Service::Volume),
        ] {
            assert!(!is_down(&other, service, Some(&zone)), "{other}");
        }
        for (key, value) in [("state", "up"), ("status", "disabled")] {
            let mut it = compute.clone();
            it[key] = json!(value);
            assert!(!is_down(&it, Service::Compute, Some(&zone)), "{it}");
        }
    }
}
