//! Public addresses: floating IPs of the pool's external network.
use std::net::Ipv4Addr;

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, inner, items, list, text},
    fault::{Answer, Flow, Stop, optional, refuse},
    networks::oldest_first,
    op::{MARK, Memory, describe, described},
    version::Service,
};
use crate::provisioning::{
    Address, AddressSpec, ExternalId, Kind, Object, OperationId, PoolRef, RefusalReason, Settled,
};

/// What each address that is read must have.
pub(super) const FIELDS: &[&str] = &["id", "project_id", "description"];

/// The value of a tag `name=value`.
fn tagged<'a>(it: &'a Value, name: &str) -> &'a str {
    let tags = items(it, "tags").iter().filter_map(Value::as_str);
    let mut found = tags.filter_map(|tag| tag.strip_prefix(name)?.strip_prefix('='));
    found.next().unwrap_or_default()
}

/// An address as it stands.
pub(super) fn address(it: &Value) -> Address {
    let port = &it["port_details"];
    let server = text(port, "device_id");
    let leads = text(port, "device_owner").starts_with("compute:") && !server.is_empty();
    // What leads to a load balancer is in use as well; it has no server to be called by.
    let to = if leads { server } else { text(it, "port_id") };
    Address {
        id: ExternalId(text(it, "id").to_owned()),
        spec: AddressSpec {
            project: ExternalId(text(it, "project_id").to_owned()),
            pool: PoolRef(tagged(it, "pool").to_owned()),
            bandwidth_mbps: tagged(it, "mbps").parse().unwrap_or(0),
        },
        address: text(it, "floating_ip_address")
            .parse()
            .unwrap_or(Ipv4Addr::UNSPECIFIED),
        associated_with: (!to.is_empty()).then(|| ExternalId(to.to_owned())),
        operation: described(text(it, "description")),
    }
}

/// Whether an address of the portal's is set up to the end. Neutron takes tags only after it was made.
pub(super) fn is_whole(address: &Address) -> bool {
    !address.spec.pool.as_str().is_empty()
}

fn present(it: &Value) -> Settled {
    Settled::Present(Box::new(Object::Address(address(it))))
}

impl Cloud {
    /// An address; `None` if it is not there.
    pub async fn address_value(&self, id: &ExternalId) -> Answer<Option<Value>> {
        let found = self
            .get(Service::Network, &format!("/floatingips/{id}"), &[])
            .await;
        optional(found)?
            .map(|it| inner(it, "floatingip", FIELDS))
            .transpose()
    }

    /// The address of an operation; doubles are given back, the oldest stays.
    pub async fn address_of(&self, op: &OperationId) -> Answer<Option<Value>> {
        let query = [("description", &*describe(op))];
        let found = self.get(Service::Network, "/floatingips", &query).await?;
        let own = |it: &&Value| described(text(it, "description")) == *op;
        let mut all: Vec<Value> = list(&found, "floatingips", FIELDS)?
            .iter()
            .filter(own)
            .cloned()
            .collect();
        oldest_first(&mut all);
        for double in all.iter().skip(1) {
            let path = format!("/floatingips/{}", text(double, "id"));
            optional(
                self.change(Service::Network, Method::DELETE, &path, None)
                    .await,
            )?;
        }
        Ok(all.into_iter().next())
    }

    /// Takes an address.
    pub async fn allocate(
        &self,
        memory: &Memory,
        op: &OperationId,
        spec: AddressSpec,
    ) -> Flow<Settled> {
        if spec.bandwidth_mbps == 0 {
            return refuse(RefusalReason::InvalidSpec, "no bandwidth");
        }
        let Some(zone) = self.config.zone(spec.pool.as_str()) else {
            return refuse(RefusalReason::NotFound, format!("no pool {}", spec.pool));
        };
        let Some(external) = self.config.external_of(zone) else {
            let said = format!("pool {} has no external network", spec.pool);
            return refuse(RefusalReason::NoAddress, said);
        };
        let mut it = match self.address_of(op).await? {
            Some(it) => it,
            None => {
                if memory.what(op).is_some() {
                    return Ok(Settled::Gone);
                }
                if let Some(ms) = memory.settling(op, self.now(), self.config.settle_ms) {
                    return Err(Stop::Running(ms));
                }
                let body = json!({ "floatingip": {
                    "floating_network_id": self.external_id(external).await?,
                    "project_id": spec.project,
                    "description": describe(op),
                }});
                let path = "/floatingips";
                let made = self
                    .change(Service::Network, Method::POST, path, Some(&body))
                    .await?;
                let made = inner(made, "floatingip", FIELDS)?;
                self.address_of(op).await?.unwrap_or(made)
            }
        };
        if tagged(&it, "pool").is_empty() {
            let (pool, mbps) = (&spec.pool, spec.bandwidth_mbps);
            let tags = json!([MARK, format!("pool={pool}"), format!("mbps={mbps}")]);
            let path = format!("/floatingips/{}/tags", text(&it, "id"));
            let body = json!({ "tags": tags });
            self.change(Service::Network, Method::PUT, &path, Some(&body))
                .await?;
            it["tags"] = tags;
        }
        let there = address(&it);
        if there.spec != spec {
            let said = "this operation id stands for another call";
            return refuse(RefusalReason::Conflict, said);
        }
        memory.made(op, Kind::Address, &there.id);
        Ok(present(&it))
    }

    /// Leads an address to a server, or to nowhere.
    pub async fn associate(
        &self,
        memory: &Memory,
        id: &ExternalId,
        to: Option<ExternalId>,
    ) -> Flow<Settled> {
        let Some(it) = self.address_value(id).await? else {
            return refuse(RefusalReason::NotFound, format!("no address {id}"));
        };
        let there = address(&it);
        let is_free = text(&it, "port_id").is_empty();
        if there.associated_with == to && (to.is_some() || is_free) {
            return Ok(present(&it));
        }
        let port = match &to {
            None => Value::Null,
            Some(server) => {
                let server = self.calm_server(server).await?;
                if text(&server, "tenant_id") != there.spec.project.as_str() {
                    let said = "address and server are of different projects";
                    return refuse(RefusalReason::InvalidSpec, said);
                }
                let query = [
                    ("device_id", text(&server, "id")),
                    ("project_id", there.spec.project.as_str()),
                ];
                let found = self.get(Service::Network, "/ports", &query).await?;
                // Anybody may write a server's id on a port of his own; only Nova writes its owner.
                let is_servers = |it: &&Value| text(it, "device_owner").starts_with("compute:");
                let ports = list(&found, "ports", &["id"])?;
                let Some(port) = ports.iter().find(is_servers) else {
                    return refuse(RefusalReason::Conflict, "the server has no port yet");
                };
                self.open_way(memory, port, text(&it, "floating_network_id"))
                    .await?;
                json!(text(port, "id"))
            }
        };
        let path = format!("/floatingips/{id}");
        let body = json!({ "floatingip": { "port_id": port } });
        self.change(Service::Network, Method::PUT, &path, Some(&body))
            .await?;
        let there = self.address_value(id).await?;
        Ok(there.as_ref().map_or(Settled::Gone, present))
    }

    /// Gives an address back.
    pub async fn release(&self, id: &ExternalId) -> Flow<Settled> {
        let path = format!("/floatingips/{id}");
        optional(
            self.change(Service::Network, Method::DELETE, &path, None)
                .await,
        )?;
        Ok(Settled::Gone)
    }
}
