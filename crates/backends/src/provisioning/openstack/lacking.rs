//! Networks that were finished, and of which somebody has deleted the subnet or the router since.
use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    client::{Cloud, text},
    fault::{Answer, Fault},
    listing::Whole,
    networks::{is_ready, kept_as, network},
    op::READY,
    routers::FEET,
};
use crate::provisioning::{LackingNetwork, Object};

impl Cloud {
    /// The networks that lack a part: of two lists, however many networks there are. What is kept of
    /// them is forgotten, so that ensuring them makes the part anew.
    pub async fn lacking_networks(&self) -> Answer<Vec<LackingNetwork>> {
        let mut ready = Vec::new();
        let networks = Whole {
            path: "/networks",
            key: "networks",
            links: "networks_links",
            query: &[("tags", READY)],
            fields: &["id", "project_id", "description"],
        };
        self.whole(networks, |it| {
            // Half an answer is never "none".
            let subnets = it.get("subnets").and_then(Value::as_array);
            let subnets =
                subnets.ok_or_else(|| Fault::NotSent("a network without its `subnets`".into()))?;
            if let Object::Network(found) = network(it)
                && is_ready(it)
                && !found.operation.0.is_empty()
            {
                ready.push((found, !subnets.is_empty()));
            }
            Ok(())
        })
        .await?;
        // Read after the networks: what was finished meanwhile has its router.
        let mut feet: BTreeSet<String> = BTreeSet::new();
        let routed = self.has_ways() && !ready.is_empty();
        if routed {
            let query = FEET.map(|owner| ("device_owner", owner));
            let ports = Whole {
                path: "/ports",
                key: "ports",
                links: "ports_links",
                query: &query,
                fields: &["network_id", "device_owner"],
            };
            self.whole(ports, |port| {
                if FEET.contains(&text(port, "device_owner")) {
                    feet.insert(text(port, "network_id").to_owned());
                }
                Ok(())
            })
            .await?;
        }
        let mut lacking = Vec::new();
        for (network, subnet) in ready {
            let router = !routed || feet.contains(&network.id.0);
            if subnet && router {
                continue;
            }
            self.cache.forget(&kept_as(&network.spec));
            lacking.push(LackingNetwork {
                network,
                subnet,
                router,
            });
        }
        Ok(lacking)
    }
}
