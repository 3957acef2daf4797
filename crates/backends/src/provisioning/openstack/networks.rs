//! Private networks: a network, its subnet, and a router to the outside where there is one (`routers`).
//!
//! Neutron takes tags only after a thing was made, so what must not be lost stands in the
//! description: `lingbao:OPERATION key:KEY cidr:CIDR`.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    check::said,
    client::{Cloud, inner, items, list, missing, text},
    fault::{Answer, Fault, Flow, Stop, optional, refuse},
    op::{MARK, Memory, READY, describe, described, tag},
    version::Service,
};
use crate::provisioning::{
    ExternalId, Kind, Network, NetworkSpec, Object, OperationId, Refusal, RefusalReason, Settled,
    cidr,
};

/// What each network that is read must have.
pub(super) const FIELDS: &[&str] = &["id", "project_id", "description"];

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

/// Under which key a network that was ensured is kept for a minute.
pub(super) fn kept_as(spec: &NetworkSpec) -> String {
    format!("network {} {}", spec.project, spec.key)
}

pub(super) fn is_ready(it: &Value) -> bool {
    items(it, "tags").iter().any(|one| one == READY)
}

/// The order in which networks of one key are taken: a finished one, then one that is being set up,
/// then the oldest; of the same age, the smaller id. So what somebody already stands on is never the
/// double.
fn best_first(all: &mut [Value]) {
    oldest_first(all);
    all.sort_by_key(|it| (!is_ready(it), items(it, "subnets").is_empty()));
}

/// Whether a refusal may come from somebody else who sets up the same network: what was to be made is
/// there already, or what it was made for is gone.
pub(super) fn is_a_race(fault: &Fault) -> bool {
    use RefusalReason::{Conflict, InvalidSpec, NotFound};
    matches!(fault.reason(), Some(InvalidSpec | NotFound | Conflict))
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
        optional(found)?
            .map(|it| inner(it, "network", FIELDS))
            .transpose()
    }

    /// Whose a network is; `None` if it is not there. Kept for a minute, because each server of an
    /// order asks: what is deleted meanwhile Nova refuses.
    pub async fn network_owner(&self, id: &ExternalId) -> Answer<Option<String>> {
        let key = format!("owner {id}");
        if let Some(Value::String(owner)) = self.cache.get(&key, self.now()) {
            return Ok(Some(owner));
        }
        let found = self.network_value(id).await?;
        let owner = found.map(|it| text(&it, "project_id").to_owned());
        if let Some(owner) = &owner {
            self.cache.put(&key, self.now(), &json!(owner));
        }
        Ok(owner)
    }

    /// Networks by their operation.
    pub async fn networks_of(&self, op: &OperationId) -> Answer<Vec<Value>> {
        let found = self
            .get(Service::Network, "/networks", &[("tags", &tag(op))])
            .await?;
        let own = |it: &&Value| described(text(it, "description")) == *op;
        Ok(list(&found, "networks", FIELDS)?
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
        let all = list(&found, "networks", &["id"])?;
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
        // The machines of one order ask for their network one after the other.
        let kept_as = kept_as(&spec);
        if let Some(kept) = self.cache.get(&kept_as, self.now())
            && let Ok(there) = serde_json::from_value::<Network>(kept)
            && there.spec.cidr == spec.cidr
        {
            memory.made(op, Kind::Network, &there.id);
            return Ok(Settled::Present(Box::new(Object::Network(there))));
        }
        if self.project_value(&spec.project).await?.is_none() {
            return refuse(
                RefusalReason::NotFound,
                format!("no project {}", spec.project),
            );
        }
        // Orders of one unit come together, each with its own operation: in this process one makes
        // the network, the others find it. Between processes the cloud decides, see below.
        let turn = memory.network_turn(&spec.project, &spec.key);
        let _turn = turn.lock().await;
        let mut it = match self.network_by_key(&spec).await? {
            Some(it) => it,
            None => {
                if let Some(ms) = memory.settling(op, self.now(), self.config.settle_ms) {
                    return Err(Stop::Running(ms));
                }
                let made = self.make_network(op, &spec).await?;
                // A second process may have been at it: one of the two stays.
                self.network_by_key(&spec).await?.unwrap_or(made)
            }
        };
        let Object::Network(there) = network(&it) else {
            return refuse(RefusalReason::NotFound, "no network");
        };
        if there.spec.cidr != spec.cidr {
            return refuse(RefusalReason::Conflict, "the network has other addresses");
        }
        let ready = is_ready(&it);
        if !ready || self.lacks_part(&there, &it).await? {
            if ready {
                tracing::warn!(network = %there.id, "a finished network has lost its subnet or router: made anew");
            }
            // What a lost answer was about may still come: a second router, say.
            if let Some(ms) = memory.settling(op, self.now(), self.config.settle_ms) {
                return Err(Stop::Running(ms));
            }
            let gateway = self.first_gateway().await?;
            let set_up = self
                .set_up_network(&there, &mut it, gateway.as_deref())
                .await;
            if let Err(fault) = set_up {
                let since = text(&it, "created_at");
                return Err(match self.under_way(since, "setting up the network") {
                    // It is as old as it is: another process may mend it too, or an operator must.
                    _ if ready && is_a_race(&fault) => {
                        let why = said(&fault);
                        let detail = format!("the network lacks its subnet or router: {why}");
                        Refusal::new(RefusalReason::Conflict, detail).into()
                    }
                    Stop::Running(_) if is_a_race(&fault) => Stop::Running(1_000),
                    _ => fault.into(),
                });
            }
        }
        memory.made(op, Kind::Network, &there.id);
        self.cache.put(&kept_as, self.now(), &json!(there));
        Ok(Settled::Present(Box::new(Object::Network(there))))
    }

    async fn network_by_key(&self, spec: &NetworkSpec) -> Flow<Option<Value>> {
        let query = [("project_id", spec.project.as_str())];
        let found = self.get(Service::Network, "/networks", &query).await?;
        let own = |it: &&Value| {
            let description = text(it, "description");
            description.starts_with("lingbao:") && part(description, "key:") == spec.key
        };
        let mut all: Vec<Value> = list(&found, "networks", FIELDS)?
            .iter()
            .filter(own)
            .cloned()
            .collect();
        best_first(&mut all);
        // A second one that is finished may have hosts: it is left to an operator.
        for double in all.iter().skip(1).filter(|it| !is_ready(it)) {
            let path = format!("/networks/{}", text(double, "id"));
            match self
                .change(Service::Network, Method::DELETE, &path, None)
                .await
            {
                // Another process sets it up at this moment: what became of it is seen next time.
                Err(fault) if fault.reason() == Some(RefusalReason::Conflict) => {
                    let since = text(double, "created_at");
                    return Err(self.under_way(since, "setting up the network"));
                }
                deleted => {
                    optional(deleted)?;
                }
            }
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
        inner(made, "network", &["id"])
    }

    /// Whether somebody has deleted a part of a network that was finished.
    async fn lacks_part(&self, network: &Network, it: &Value) -> Answer<bool> {
        if items(it, "subnets").is_empty() {
            return Ok(true);
        }
        Ok(self.has_ways() && self.foot(&network.id).await?.is_none())
    }

    async fn set_up_network(
        &self,
        network: &Network,
        it: &mut Value,
        gateway: Option<&str>,
    ) -> Answer<()> {
        let subnet = self.ensure_subnet(network).await?;
        if self.has_ways() {
            self.set_up_way(network, &subnet, gateway).await?;
        }
        if is_ready(it) {
            return Ok(());
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
        if let Some(it) = list(&found, "subnets", &["id"])?.first() {
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
        Ok(text(&inner(made, "subnet", &["id"])?, "id").to_owned())
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

    #[test]
    fn what_somebody_stands_on_is_never_the_double() {
        let of = |id: &str, at: &str, tags: Value, subnets: Value| json!({ "id": id, "created_at": at, "tags": tags, "subnets": subnets });
        let mut all = [
            of("a", "2026-01", json!([]), json!([])),
            of("b", "2026-01", json!([]), json!(["s"])),
            of("c", "2026-02", json!([MARK, READY]), json!(["s"])),
        ];
        best_first(&mut all);
        assert_eq!(all.map(|it| text(&it, "id").to_owned()), ["c", "b", "a"]);
    }
}
