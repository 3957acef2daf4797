//! How full a pool is: hosts from Placement, disks from Cinder's scheduler, addresses from Neutron.
use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;
use tokio::task::JoinSet;

use super::{
    client::{Cloud, inner, list, text},
    config::ZoneConfig,
    fault::{Answer, Fault, optional},
    version::Service,
};
use crate::provisioning::{Capacity, Refusal, RefusalReason};

/// Hosts that are asked about at once.
const AT_ONCE: usize = 8;

/// A physical machine.
struct Host {
    provider: String,
    takes_new: bool,
}

/// What one host offers and has handed out.
#[derive(Default)]
struct Load {
    vcpus_total: u64,
    vcpus_used: u64,
    mb_total: u64,
    mb_used: u64,
    servers: u64,
}

/// A figure that may be a number or a text such as `infinite`, which counts as nothing known.
fn figure(it: &Value, key: &str) -> f64 {
    let value = &it[key];
    let parsed = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    parsed.filter(|n| n.is_finite() && *n > 0.0).unwrap_or(0.0)
}

/// What a provider may hand out of one thing: over-commit counts, what is reserved does not.
fn offered(inventories: &Value, class: &str) -> u64 {
    let it = &inventories[class];
    let ratio = if it["allocation_ratio"].is_number() {
        figure(it, "allocation_ratio")
    } else {
        1.0
    };
    whole((figure(it, "total") - figure(it, "reserved")).max(0.0) * ratio)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a figure of a machine room, never negative"
)]
const fn whole(figure: f64) -> u64 {
    figure as u64
}

fn load(inventories: &Value, allocations: &Value, takes_new: bool) -> Load {
    let mut load = Load::default();
    if takes_new {
        load.vcpus_total = offered(inventories, "VCPU");
        load.mb_total = offered(inventories, "MEMORY_MB");
    }
    for one in allocations
        .as_object()
        .into_iter()
        .flat_map(|all| all.values())
    {
        let of = |class: &str| one["resources"][class].as_u64().unwrap_or(0);
        load.vcpus_used += of("VCPU");
        load.mb_used += of("MEMORY_MB");
        load.servers += 1;
    }
    load
}

/// A figure of Cinder's; `None` if it is a word (`infinite`, `unknown`, `auto`), missing or negative.
fn told(it: &Value, key: &str) -> Option<f64> {
    let value = &it[key];
    let parsed = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    parsed.filter(|n| n.is_finite() && *n >= 0.0)
}

/// What a pool of Cinder may hand out in all, and what of it is left, as its scheduler reckons
/// (CapacityFilter): what is reserved is never handed out, and thin disks may be promised several
/// times over, as long as the room that is really free bears it.
fn room(it: &Value) -> Option<(f64, f64)> {
    let (total, free) = (
        told(it, "total_capacity_gb")?,
        told(it, "free_capacity_gb")?,
    );
    let percent = told(it, "reserved_percentage").unwrap_or(0.0);
    let reserved = (total * percent / 100.0).floor();
    let total = (total - reserved).max(0.0);
    let free = (free - reserved).clamp(0.0, total);
    if it["thin_provisioning_support"] != Value::Bool(true) {
        return Some((total, free));
    }
    let ratio = told(it, "max_over_subscription_ratio").filter(|ratio| *ratio >= 1.0)?;
    let promised =
        told(it, "provisioned_capacity_gb").or_else(|| told(it, "allocated_capacity_gb"))?;
    let left = (total * ratio - promised).max(0.0).min(free * ratio);
    Some((total * ratio, left))
}

/// Total and used GiB of those of Cinder's pools that begin so and take new disks. One that does not
/// tell leaves the sum open: no figure is better than a wrong one.
fn stored(pools: &[Value], begins: &str) -> Option<(u64, u64)> {
    let own = pools.iter().filter(|it| {
        let up = text(&it["capabilities"], "backend_state") != "down";
        up && text(it, "name").starts_with(begins)
    });
    let mut sum = None;
    for it in own {
        let (total, left) = room(&it["capabilities"])?;
        let (totals, used) = sum.unwrap_or((0, 0));
        sum = Some((totals + whole(total), used + whole(total) - whole(left)));
    }
    sum
}

impl Cloud {
    /// How full a pool is. Glance has no figure, but hosts start from its images: while it is away the
    /// cloud makes nothing, and that is told here as it is of the other services.
    pub async fn capacity(self: &Arc<Self>, pool: &str) -> Answer<Capacity> {
        let Some(zone) = self.config.zone(pool) else {
            return Err(Refusal::new(RefusalReason::NotFound, format!("no pool {pool}")).into());
        };
        let (hosts, disks, addresses, glance) = tokio::join!(
            self.hosts(zone),
            self.disks(zone),
            self.addresses(zone),
            self.glance(),
        );
        let (hosts, disks, addresses, ()) = (hosts?, disks?, addresses?, glance?);
        let mut sum = Load::default();
        for some in hosts.chunks(AT_ONCE) {
            let mut asked = JoinSet::new();
            for host in some {
                let (cloud, provider, takes_new) =
                    (self.clone(), host.provider.clone(), host.takes_new);
                asked.spawn(async move { cloud.load(&provider, takes_new).await });
            }
            while let Some(load) = asked.join_next().await {
                let load = load.map_err(|error| Fault::NotSent(error.to_string()))??;
                sum.vcpus_total += load.vcpus_total;
                sum.vcpus_used += load.vcpus_used;
                sum.mb_total += load.mb_total;
                sum.mb_used += load.mb_used;
                sum.servers += load.servers;
            }
        }
        Ok(Capacity {
            vcpus_total: sum.vcpus_total,
            vcpus_used: sum.vcpus_used,
            memory_gb_total: sum.mb_total / 1_024,
            memory_gb_used: sum.mb_used.div_ceil(1_024),
            disk_gb_total: disks.map(|it| it.0),
            disk_gb_used: disks.map_or(0, |it| it.1),
            addresses_total: addresses.0,
            addresses_used: addresses.1,
            servers: sum.servers,
            hosts: Some(zone.zone.clone()),
        })
    }

    /// Whether Glance answers; a refusal is an answer.
    async fn glance(&self) -> Answer<()> {
        let query = [("limit", "1")];
        match self.get_shared(Service::Image, "/images", &query).await {
            Ok(_) | Err(Fault::Refused(_)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    async fn load(&self, provider: &str, takes_new: bool) -> Answer<Load> {
        let of = |what: &str| format!("/resource_providers/{provider}/{what}");
        let (inventories, allocations) = (of("inventories"), of("allocations"));
        let (inventories, allocations) = tokio::join!(
            self.get_shared(Service::Placement, &inventories, &[]),
            self.get_shared(Service::Placement, &allocations, &[]),
        );
        // A host that has just come or gone has no provider.
        let told = |answer: Answer<Value>, key: &str| {
            let there = optional(answer)?.map(|it| inner(it, key, &[])).transpose();
            there.map(Option::unwrap_or_default)
        };
        let inventories = told(inventories, "inventories")?;
        let allocations = told(allocations, "allocations")?;
        Ok(load(&inventories, &allocations, takes_new))
    }

    /// The hosts of an availability zone.
    async fn hosts(&self, zone: &ZoneConfig) -> Answer<Vec<Host>> {
        let (zones, all) = tokio::join!(
            self.get_shared(Service::Compute, "/os-availability-zone/detail", &[]),
            self.get_shared(Service::Compute, "/os-hypervisors/detail", &[]),
        );
        let (zones, all) = (zones?, all?);
        let names: BTreeSet<&str> = list(&zones, "availabilityZoneInfo", &["zoneName"])?
            .iter()
            .filter(|it| zone.zone.is_empty() || text(it, "zoneName") == zone.zone)
            .filter_map(|it| it["hosts"].as_object())
            .flat_map(|hosts| hosts.keys().map(String::as_str))
            .collect();
        let own = |it: &&Value| names.contains(text(&it["service"], "host"));
        let hosts = list(&all, "hypervisors", &["id"])?.iter();
        let hosts = hosts.filter(own).map(|it| Host {
            provider: text(it, "id").to_owned(),
            takes_new: text(it, "status") == "enabled" && text(it, "state") == "up",
        });
        Ok(hosts.collect())
    }

    /// Total and used GiB of the pool's storage, if Cinder knows.
    async fn disks(&self, zone: &ZoneConfig) -> Answer<Option<(u64, u64)>> {
        let path = "/scheduler-stats/get_pools";
        let found = self
            .get_shared(Service::Volume, path, &[("detail", "true")])
            .await?;
        Ok(stored(list(&found, "pools", &["name"])?, &zone.storage))
    }

    /// Total and used public addresses.
    async fn addresses(&self, zone: &ZoneConfig) -> Answer<(u64, u64)> {
        let Some(external) = self.config.external_of(zone) else {
            return Ok((0, 0));
        };
        let id = self.external_id(external).await?;
        let path = format!("/network-ip-availabilities/{id}");
        let found = self.get_shared(Service::Network, &path, &[]).await?;
        let it = inner(found, "network_ip_availability", &[])?;
        Ok((
            whole(figure(&it, "total_ips")),
            whole(figure(&it, "used_ips")),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn over_commit_counts_and_what_is_reserved_does_not() {
        let inventories = json!({
            "VCPU": { "total": 64, "reserved": 4, "allocation_ratio": 4.0 },
            "MEMORY_MB": { "total": 262_144, "reserved": 512, "allocation_ratio": 1.0 } });
        let allocations = json!({
            "a": { "resources": { "VCPU": 2, "MEMORY_MB": 4_096 } },
            "b": { "resources": { "VCPU": 8, "MEMORY_MB": 8_192 } } });
        let it = load(&inventories, &allocations, true);
        assert_eq!((it.vcpus_total, it.vcpus_used, it.servers), (240, 10, 2));
        assert_eq!((it.mb_total, it.mb_used), (261_632, 12_288));
        assert_eq!(load(&inventories, &allocations, false).vcpus_total, 0);
        assert_eq!(figure(&json!({ "x": "infinite" }), "x"), 0.0);
    }

    /// A pool of Cinder that has 1000 GiB, 400 of them free.
    fn pool(name: &str, otherwise: Value) -> Value {
        let mut it = json!({ "name": name, "capabilities": {
            "total_capacity_gb": 1_000, "free_capacity_gb": 400.5, "reserved_percentage": 10,
            "allocated_capacity_gb": 700 } });
        for (key, value) in otherwise.as_object().into_iter().flatten() {
            it["capabilities"][key] = value.clone();
        }
        it
    }

    #[test]
    fn disks_are_counted_as_cinders_scheduler_does() {
        let of = |otherwise: Value| stored(&[pool("a@b#c", otherwise)], "");
        // Thick: what is reserved is not for handing out, and what is really free is left.
        assert_eq!(of(json!({})), Some((900, 900 - 300)));
        let thin =
            json!({ "thin_provisioning_support": true, "max_over_subscription_ratio": "2.0" });
        let thin = |more: Value| {
            let mut all = thin.clone();
            for (key, value) in more.as_object().into_iter().flatten() {
                all[key] = value.clone();
            }
            of(all)
        };
        // Thin: 1800 may be promised, and what others than Cinder have made counts.
        assert_eq!(
            thin(json!({ "provisioned_capacity_gb": 1_500 })),
            Some((1_800, 1_500))
        );
        assert_eq!(
            thin(json!({ "provisioned_capacity_gb": 2_500 })),
            Some((1_800, 1_800))
        );
        // Little is promised, and yet no more than twice of what is really free is left.
        assert_eq!(thin(json!({})), Some((1_800, 1_800 - 601)));
        assert_eq!(
            of(json!({ "free_capacity_gb": 0, "total_capacity_gb": 0 })),
            Some((0, 0))
        );
    }

    #[test]
    fn storage_that_does_not_tell_its_room_has_no_figure_and_no_wrong_one() {
        let thin = |ratio: Value| json!({ "thin_provisioning_support": true, "max_over_subscription_ratio": ratio });
        for otherwise in [
            json!({ "free_capacity_gb": "infinite" }),
            json!({ "free_capacity_gb": "unknown" }),
            json!({ "total_capacity_gb": "infinite" }),
            json!({ "total_capacity_gb": "unknown", "free_capacity_gb": "unknown" }),
            json!({ "free_capacity_gb": null }),
            json!({ "free_capacity_gb": -1 }),
            thin(json!("auto")),
            thin(json!(null)),
            thin(json!(0.5)),
        ] {
            let pools = [
                pool("a@b#c", otherwise.clone()),
                pool("a@fine#c", json!({})),
            ];
            assert_eq!(stored(&pools, ""), None, "{otherwise}");
            assert_eq!(stored(&pools, "a@fine"), Some((900, 600)));
        }
        assert_eq!(stored(&[], ""), None);
        assert_eq!(stored(&[pool("a@b#c", json!({}))], "x@"), None);
        let down = pool(
            "a@b#c",
            json!({ "backend_state": "down", "free_capacity_gb": "unknown" }),
        );
        assert_eq!(
            stored(&[down, pool("a@b#d", json!({}))], "a@b"),
            Some((900, 600))
        );
    }
}
