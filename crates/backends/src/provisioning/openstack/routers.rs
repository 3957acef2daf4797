//! The way outside of a private network: a router of its own, that stands in it.
//!
//! A router is made without a gateway, gets its foot into the network, and is led outside last. Of two
//! that were made at once, or after a lost answer, one gets its foot in; the other takes no public
//! address, and goes.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, inner, list, text},
    config::ZoneConfig,
    fault::{Answer, Fault, Flow, optional, refuse},
    networks::{is_a_race, network, oldest_first},
    op::{Memory, describe, described},
    version::Service,
};
use crate::provisioning::{ExternalId, Network, Object, RefusalReason};

/// What each router that is read must have.
const FIELDS: &[&str] = &["id", "project_id"];

fn has_own_way(zone: &ZoneConfig) -> bool {
    !zone.external_network.is_empty()
}

/// Who owns a port that is a router's foot in its network: a router of one host, of each host, of two.
pub(super) const FEET: [&str; 3] = [
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
];

/// Id of the external network to which a router leads.
fn leads_to(router: &Value) -> Option<&str> {
    Some(text(&router["external_gateway_info"], "network_id")).filter(|id| !id.is_empty())
}

/// What the portal calls the router of a network.
fn name_of(network: &Network) -> String {
    format!("lingbao-{}", network.id)
}

impl Cloud {
    /// The external network to which new routers lead at once. Where a pool has one of its own, a
    /// router waits for its first address to tell which way leads outside: it has one way alone.
    pub(super) async fn first_gateway(&self) -> Answer<Option<String>> {
        match &self.config.external_network {
            Some(external) if !self.config.zones.iter().any(has_own_way) => {
                self.external_id(external).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Whether networks get routers at all.
    pub(super) fn has_ways(&self) -> bool {
        self.config.external_network.is_some() || self.config.zones.iter().any(has_own_way)
    }

    /// Gives a network its router, and that its way outside if it is known yet.
    pub(super) async fn set_up_way(
        &self,
        network: &Network,
        subnet: &str,
        gateway: Option<&str>,
    ) -> Answer<()> {
        let router = self.ensure_way(network, subnet).await?;
        // Where a router of somebody else's stands, its way is not ours to choose.
        let is_own = text(&router, "name") == name_of(network);
        match gateway.filter(|_| is_own && leads_to(&router).is_none()) {
            Some(external) => self.lead(&router, external).await,
            None => Ok(()),
        }
    }

    /// Gives a router its way outside. Neutron would let every host out by it, also those that nobody
    /// gave an address.
    async fn lead(&self, router: &Value, external: &str) -> Answer<()> {
        let way = json!({ "network_id": external, "enable_snat": self.config.outbound });
        let body = json!({ "router": { "external_gateway_info": way } });
        let path = format!("/routers/{}", text(router, "id"));
        self.change(Service::Network, Method::PUT, &path, Some(&body))
            .await?;
        Ok(())
    }

    /// Id of the router that stands in a network, whoever made it. What stands in the network counts,
    /// and not the name.
    pub(super) async fn foot(&self, network: &ExternalId) -> Answer<Option<String>> {
        // Of a key that is named more than once Neutron takes any value; a network has many ports.
        let mut query = vec![("network_id", network.as_str())];
        query.extend(FEET.map(|owner| ("device_owner", owner)));
        let found = self.get(Service::Network, "/ports", &query).await?;
        let ports = list(&found, "ports", &["device_id", "device_owner"])?;
        let foot = ports
            .iter()
            .find(|port| FEET.contains(&text(port, "device_owner")));
        Ok(foot.map(|port| text(port, "device_id").to_owned()))
    }

    /// The router that stands in a network, made and led into it if there is none; others that were made
    /// for it go. A router for each network: two of one project may have the same addresses.
    async fn ensure_way(&self, network: &Network, subnet: &str) -> Answer<Value> {
        let router = match self.foot(&network.id).await? {
            Some(router) => router,
            None => self.step_in(network, subnet).await?,
        };
        let mut own = None;
        for it in self.routers_for(network).await? {
            if text(&it, "id") == router {
                own = Some(it);
            } else {
                self.drop_router(text(&it, "id")).await?;
            }
        }
        if let Some(it) = own {
            return Ok(it);
        }
        let path = format!("/routers/{router}");
        let found = self.get(Service::Network, &path, &[]).await?;
        inner(found, "router", FIELDS)
    }

    /// Leads a router into a network; gives the one that stands there then, which may be another.
    async fn step_in(&self, network: &Network, subnet: &str) -> Answer<String> {
        let router = self.ensure_router(network).await?;
        let path = format!("/routers/{router}/add_router_interface");
        let body = json!({ "subnet_id": subnet });
        let led = self.change(Service::Network, Method::PUT, &path, Some(&body));
        match led.await {
            Ok(_) => Ok(router),
            Err(fault) if is_a_race(&fault) => match self.foot(&network.id).await? {
                Some(there) => Ok(there),
                None => {
                    // The network may be gone, a double of another's: its router goes with it.
                    self.drop_router(&router).await?;
                    Err(fault)
                }
            },
            Err(fault) => Err(fault),
        }
    }

    /// The routers that the portal has made for a network, the oldest first.
    async fn routers_for(&self, network: &Network) -> Answer<Vec<Value>> {
        let name = name_of(network);
        let query = [
            ("name", name.as_str()),
            ("project_id", network.spec.project.as_str()),
        ];
        let found = self.get(Service::Network, "/routers", &query).await?;
        let mut all = list(&found, "routers", FIELDS)?.to_vec();
        all.retain(|it| !described(text(it, "description")).0.is_empty());
        oldest_first(&mut all);
        Ok(all)
    }

    async fn ensure_router(&self, network: &Network) -> Answer<String> {
        if let Some(it) = self.routers_for(network).await?.first() {
            return Ok(text(it, "id").to_owned());
        }
        let body = json!({ "router": {
            "name": name_of(network),
            "project_id": network.spec.project,
            "description": describe(&network.operation),
        }});
        let made = self
            .change(Service::Network, Method::POST, "/routers", Some(&body))
            .await?;
        Ok(text(&inner(made, "router", &["id"])?, "id").to_owned())
    }

    /// Deletes a router that stands nowhere; one that somebody led elsewhere stays.
    async fn drop_router(&self, id: &str) -> Answer<()> {
        let path = format!("/routers/{id}");
        let deleted = self.change(Service::Network, Method::DELETE, &path, None);
        match optional(deleted.await) {
            Err(fault) if fault.reason() == Some(RefusalReason::Conflict) => {
                tracing::warn!(
                    router = id,
                    "a second router of a network is in use and stays"
                );
                Ok(())
            }
            deleted => deleted.map(|_| ()),
        }
    }

    /// Leads the network of a server's port to the external network of an address: the network may be
    /// older than the first external network of the configuration, or have waited for this address.
    pub(super) async fn open_way(&self, memory: &Memory, port: &Value, external: &str) -> Flow<()> {
        let id = ExternalId(text(port, "network_id").to_owned());
        let there = self.network_value(&id).await?;
        let Some(Object::Network(network)) = there.as_ref().map(network) else {
            return refuse(RefusalReason::Conflict, "the server's network is gone");
        };
        if network.spec.project.as_str() != text(port, "project_id") {
            // Somebody else's network: how it leads outside is not ours to change.
            return Ok(());
        }
        let turn = memory.network_turn(&network.spec.project, &network.spec.key);
        let _turn = turn.lock().await;
        let subnet = text(&port["fixed_ips"][0], "subnet_id");
        let router = match self.ensure_way(&network, subnet).await {
            // Another process may have been quicker: the next attempt finds its router.
            Err(Fault::Refused(it)) if it.reason != RefusalReason::Denied => {
                return refuse(RefusalReason::Conflict, it.detail);
            }
            router => router?,
        };
        if text(&router, "project_id") != network.spec.project.as_str() {
            let said = "another project's router stands in the server's private network";
            return refuse(RefusalReason::Conflict, said);
        }
        match leads_to(&router) {
            Some(there) if there == external => Ok(()),
            Some(there) => refuse(
                RefusalReason::Conflict,
                format!(
                    "the address is of external network {external}, and the private network of the \
                     server already leads outside through {there}: a router has one way alone"
                ),
            ),
            None => Ok(self.lead(&router, external).await?),
        }
    }
}
