//! Private networks: a network, its subnet, and a router to the outside where there is one.
//!
//! Neutron takes tags only after a thing was made, so what must not be lost stands in the
//! description: `lingbao:OPERATION key:KEY cidr:CIDR`.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, inner, list, missing, text},
    config::ZoneConfig,
    fault::{Answer, Flow, Stop, optional, refuse},
    op::{MARK, Memory, READY, describe, described, tag},
    version::Service,
};
use crate::provisioning::{
    ExternalId, Kind, Network, NetworkSpec, Object, OperationId, RefusalReason, Settled, cidr,
};

/// The value of `name:` in a description.
fn part<'a>(description: &'a str, name: &str) -> &'a str {
    let mut words = description.split(' ');
    words
        .find_map(|word| word.strip_prefix(name))
        .unwrap_or_default()
}

/// A network as it stands.
pub(super) fn network(it: &Value) -> Object {
    let description = text(it, "description");
    Object::Network(Network {
        id: ExternalId(text(it, "id").to_owned()),
        spec: NetworkSpec {
            project: ExternalId(text(it, "project_id").to_owned()),
            key: part(description, "key:").to_owned(),
            name: text(it, "name").to_owned(),
            cidr: part(description, "cidr:").to_owned(),
        },
        operation: described(description),
    })
}

fn is_ready(it: &Value) -> bool {
    list(it, "tags").iter().any(|one| one == READY)
}

/// The oldest first; of the same age, the smaller id.
pub(super) fn oldest_first(all: &mut [Value]) {
    all.sort_by_key(|it| {
        let created = [text(it, "created_at"), text(it, "created")].concat();
        (created, text(it, "id").to_owned())
    });
}

impl Cloud {
    /// A network; `None` if it is not there.
    pub async fn network_value(&self, id: &ExternalId) -> Answer<Option<Value>> {
        let found = self
            .get(Service::Network, &format!("/networks/{id}"), &[])
            .await;
        optional(found)?.map(|it| inner(it, "network")).transpose()
    }

    /// Networks by their operation.
    pub async fn networks_of(&self, op: &OperationId) -> Answer<Vec<Value>> {
        let found = self
            .get(Service::Network, "/networks", &[("tags", &tag(op))])
            .await?;
        let own = |it: &&Value| described(text(it, "description")) == *op;
        Ok(list(&found, "networks")
            .iter()
            .filter(own)
            .cloned()
            .collect())
    }

    /// Id of an external network by its name or id.
    pub async fn external_id(&self, name: &str) -> Answer<String> {
        let key = format!("external {name}");
        if let Some(Value::String(id)) = self.cache.get(&key, self.now()) {
            return Ok(id);
        }
        let found = self
            .get(
                Service::Network,
                "/networks",
                &[("router:external", "true")],
            )
            .await?;
        let all = list(&found, "networks");
        let by = |field: &str| all.iter().find(|it| text(it, field) == name);
        let Some(it) = by("id").or_else(|| by("name")) else {
            return Err(missing(&format!("neutron has no external network {name}")));
        };
        let id = text(it, "id").to_owned();
        self.cache.put(&key, self.now(), &json!(id));
        Ok(id)
    }

    /// A network by project and key, made if it is not there.
    pub async fn ensure_network(
        &self,
        memory: &Memory,
        op: &OperationId,
        spec: NetworkSpec,
    ) -> Flow<Settled> {
        cidr::parse(&spec.cidr)?;
        if spec.key.is_empty() || spec.key.len() > 80 || spec.key.contains(char::is_whitespace) {
            return refuse(
                RefusalReason::InvalidSpec,
                "a key has 1 to 80 letters without spaces",
            );
        }
        if self.project_value(&spec.project).await?.is_none() {
            return refuse(
                RefusalReason::NotFound,
                format!("no project {}", spec.project),
            );
        }
        let mut it = match self.network_by_key(&spec).await? {
            Some(it) => it,
            None => {
                if let Some(ms) = memory.settling(op, self.now(), self.config.settle_ms) {
                    return Err(Stop::Running(ms));
                }
                let made = self.make_network(op, &spec).await?;
                // A second process may have been at it: the older one stays.
                self.network_by_key(&spec).await?.unwrap_or(made)
            }
        };
        let Object::Network(there) = network(&it) else {
            return refuse(RefusalReason::NotFound, "no network");
        };
        if there.spec.cidr != spec.cidr {
            return refuse(RefusalReason::Conflict, "the network has other addresses");
        }
        if !is_ready(&it) {
            self.set_up_network(&there, &mut it).await?;
        }
        memory.made(op, Kind::Network, &there.id);
        Ok(Settled::Present(Box::new(Object::Network(there))))
    }

    async fn network_by_key(&self, spec: &NetworkSpec) -> Answer<Option<Value>> {
        let query = [("project_id", spec.project.as_str())];
        let found = self.get(Service::Network, "/networks", &query).await?;
        let own = |it: &&Value| {
            let description = text(it, "description");
            description.starts_with("lingbao:") && part(description, "key:") == spec.key
        };
        let mut all: Vec<Value> = list(&found, "networks")
            .iter()
            .filter(own)
            .cloned()
            .collect();
        oldest_first(&mut all);
        for double in all.iter().skip(1) {
            let path = format!("/networks/{}", text(double, "id"));
            optional(
                self.change(Service::Network, Method::DELETE, &path, None)
                    .await,
            )?;
        }
        Ok(all.into_iter().next())
    }

    async fn make_network(&self, op: &OperationId, spec: &NetworkSpec) -> Answer<Value> {
        let body = json!({ "network": {
            "name": spec.name,
            "project_id": spec.project,
            "description": format!("{} key:{} cidr:{}", describe(op), spec.key, spec.cidr),
        }});
        let made = self
            .change(Service::Network, Method::POST, "/networks", Some(&body))
            .await?;
        inner(made, "network")
    }

    async fn set_up_network(&self, network: &Network, it: &mut Value) -> Answer<()> {
        let subnet = self.ensure_subnet(network).await?;
        // Where only some pools have public addresses, the router waits for the first one to tell
        // which way leads outside.
        let external = match &self.config.external_network {
            Some(external) => Some(self.external_id(external).await?),
            None => None,
        };
        let outside = |zone: &ZoneConfig| !zone.external_network.is_empty();
        if external.is_some() || self.config.zones.iter().any(outside) {
            let router = self.ensure_router(network, external.as_deref()).await?;
            self.ensure_interface(network, &router, &subnet).await?;
        }
        let path = format!("/networks/{}/tags", network.id);
        let body = json!({ "tags": [MARK, READY, tag(&network.operation)] });
        self.change(Service::Network, Method::PUT, &path, Some(&body))
            .await?;
        it["tags"] = body["tags"].clone();
        Ok(())
    }

    async fn ensure_subnet(&self, network: &Network) -> Answer<String> {
        let query = [("network_id", network.id.as_str())];
        let found = self.get(Service::Network, "/subnets", &query).await?;
        if let Some(it) = list(&found, "subnets").first() {
            return Ok(text(it, "id").to_owned());
        }
        let mut subnet = json!({
            "network_id": network.id,
            "project_id": network.spec.project,
            "name": network.spec.name,
            "description": describe(&network.operation),
            "ip_version": 4,
            "cidr": network.spec.cidr,
        });
        if !self.config.dns_servers.is_empty() {
            subnet["dns_nameservers"] = json!(self.config.dns_servers);
        }
        let body = json!({ "subnet": subnet });
        let made = self
            .change(Service::Network, Method::POST, "/subnets", Some(&body))
            .await?;
        Ok(text(&inner(made, "subnet")?, "id").to_owned())
    }

    /// A router for each network: two of one project may have the same addresses.
    async fn ensure_router(&self, network: &Network, external: Option<&str>) -> Answer<String> {
        let name = format!("lingbao-{}", network.id);
        let query = [
            ("name", name.as_str()),
            ("project_id", network.spec.project.as_str()),
        ];
        let found = self.get(Service::Network, "/routers", &query).await?;
        if let Some(it) = list(&found, "routers").first() {
            return Ok(text(it, "id").to_owned());
        }
        let mut router = json!({
            "name": name,
            "project_id": network.spec.project,
            "description": describe(&network.operation),
        });
        if let Some(external) = external {
            router["external_gateway_info"] = json!({ "network_id": external });
        }
        let body = json!({ "router": router });
        let made = self
            .change(Service::Network, Method::POST, "/routers", Some(&body))
            .await?;
        Ok(text(&inner(made, "router")?, "id").to_owned())
    }

    async fn ensure_interface(&self, network: &Network, router: &str, subnet: &str) -> Answer<()> {
        let query = [("device_id", router), ("network_id", network.id.as_str())];
        let found = self.get(Service::Network, "/ports", &query).await?;
        if !list(&found, "ports").is_empty() {
            return Ok(());
        }
        let path = format!("/routers/{router}/add_router_interface");
        let body = json!({ "subnet_id": subnet });
        self.change(Service::Network, Method::PUT, &path, Some(&body))
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_carries_what_neutron_has_no_field_for() {
        let it = json!({ "id": "n", "project_id": "p", "name": "vpc",
            "description": "lingbao:saga:1 key:vpc_1 cidr:10.8.0.0/24" });
        let Object::Network(network) = network(&it) else {
            panic!()
        };
        assert_eq!(network.spec.key, "vpc_1");
        assert_eq!(network.spec.cidr, "10.8.0.0/24");
        assert_eq!(network.operation, "saga:1".into());
    }

    #[test]
    fn the_oldest_of_doubles_stays() {
        let of = |id: &str, at: &str| json!({ "id": id, "created_at": at });
        let mut all = [of("c", "2026-02"), of("b", "2026-01"), of("a", "2026-01")];
        oldest_first(&mut all);
        assert_eq!(all.map(|it| text(&it, "id").to_owned()), ["a", "b", "c"]);
    }
}
