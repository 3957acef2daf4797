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

impl Cloud {
    /// How full a pool is.
    pub async fn capacity(self: &Arc<Self>, pool: &str) -> Answer<Capacity> {
        let Some(zone) = self.config.zone(pool) else {
            return Err(Refusal::new(RefusalReason::NotFound, format!("no pool {pool}")).into());
        };
        let (hosts, disks, addresses) =
            tokio::join!(self.hosts(zone), self.disks(zone), self.addresses(zone));
        let (hosts, disks, addresses) = (hosts?, disks?, addresses?);
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
            disk_gb_total: disks.0,
            disk_gb_used: disks.1,
            addresses_total: addresses.0,
            addresses_used: addresses.1,
            servers: sum.servers,
        })
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

    /// Total and used GiB of the pool's storage.
    async fn disks(&self, zone: &ZoneConfig) -> Answer<(u64, u64)> {
        let path = "/scheduler-stats/get_pools";
        let found = self
            .get_shared(Service::Volume, path, &[("detail", "true")])
            .await?;
        let mut sum = (0, 0);
        for it in list(&found, "pools", &["name"])? {
            if !text(it, "name").starts_with(&zone.storage) {
                continue;
            }
            let it = &it["capabilities"];
            let total = figure(it, "total_capacity_gb");
            // What was promised, where Cinder tells it: thin disks grow.
            let promised =
                figure(it, "provisioned_capacity_gb").max(figure(it, "allocated_capacity_gb"));
            sum.0 += whole(total);
            sum.1 += whole(promised.max(total - figure(it, "free_capacity_gb")));
        }
        Ok(sum)
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
}
