//! What the owner of a host lets in: a security group of the host's own beside that of its preset,
//! made on first use, found again by the server's id in its name, deleted with the server.
use lingbao_model::access_rule::{AccessRule, Cidr, PortRange};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, list, text},
    config::{Rule, network},
    fault::{Answer, Fault, Flow, optional, refuse},
    op::{MARK, Memory},
    security::FIELDS,
    server::server,
    version::Service,
};
use crate::provisioning::{ExternalId, Object, RefusalReason, Settled};

/// The name of a host's own group.
fn group_name(server: &ExternalId) -> String {
    format!("{MARK}-host-{server}")
}

fn project(it: &Value) -> ExternalId {
    ExternalId(text(it, "tenant_id").to_owned())
}

fn present(it: &Value) -> Settled {
    Settled::Present(Box::new(Object::Server(server(it))))
}

/// The groups of a port. Half an answer is never "none": a port that is told only one group loses the
/// others.
fn groups_of(port: &Value) -> Answer<&Vec<Value>> {
    let there = port.get("security_groups").and_then(Value::as_array);
    there.ok_or_else(|| Fault::NotSent("a port without its `security_groups`".into()))
}

/// A rule of Neutron's as one of ours; `None` if it is none that we make.
fn read(rule: &Value) -> Option<AccessRule> {
    let comes_in = text(rule, "direction") == "ingress" && text(rule, "ethertype") == "IPv4";
    if !comes_in || !text(rule, "remote_group_id").is_empty() {
        return None;
    }
    let port = |key: &str| rule.get(key)?.as_u64().and_then(|n| u16::try_from(n).ok());
    let ports = port("port_range_min").zip(port("port_range_max"));
    Some(AccessRule {
        protocol: text(rule, "protocol").to_lowercase().parse().ok()?,
        ports: ports.map(|(from, to)| PortRange { from, to }),
        source: match text(rule, "remote_ip_prefix") {
            "" => Cidr::EVERYWHERE,
            from => network(from)?.parse().ok()?,
        },
    })
}

impl Cloud {
    /// Lets in to a server what these rules say, and nothing else beside its preset.
    pub async fn set_rules(
        &self,
        memory: &Memory,
        id: &ExternalId,
        rules: &[AccessRule],
    ) -> Flow<Settled> {
        let it = self.calm_server(id).await?;
        let (project, name) = (project(&it), group_name(id));
        let turn = memory.group_turn(&project, &name);
        let _turn = turn.lock().await;
        let group = match self.groups(&project, &name).await?.into_iter().next() {
            Some(group) => group,
            None if rules.is_empty() => return Ok(present(&it)),
            None => self.make_group(&project, &name).await?,
        };
        let wanted: Vec<Rule> = rules.iter().map(Rule::from).collect();
        self.mend(&group, &project, &wanted).await?;
        self.join(id, &project, text(&group, "id")).await?;
        Ok(present(&it))
    }

    /// The ports of a server.
    async fn ports(&self, id: &ExternalId, project: &ExternalId) -> Answer<Vec<Value>> {
        let query = [("device_id", id.as_str()), ("project_id", project.as_str())];
        let found = self.get(Service::Network, "/ports", &query).await?;
        // Anybody may write a server's id on a port of his own; only Nova writes its owner.
        let is_servers = |it: &&Value| text(it, "device_owner").starts_with("compute:");
        let ports = list(&found, "ports", &["id"])?;
        Ok(ports.iter().filter(is_servers).cloned().collect())
    }

    /// Puts a group on every port of a server, beside those that are on it.
    async fn join(&self, id: &ExternalId, project: &ExternalId, group: &str) -> Flow<()> {
        let ports = self.ports(id, project).await?;
        if ports.is_empty() {
            return refuse(RefusalReason::Conflict, "the server has no port yet");
        }
        for port in &ports {
            let mut groups = groups_of(port)?.clone();
            if groups.iter().any(|there| there == group) {
                continue;
            }
            groups.push(json!(group));
            let path = format!("/ports/{}", text(port, "id"));
            let body = json!({ "port": { "security_groups": groups } });
            self.change(Service::Network, Method::PUT, &path, Some(&body))
                .await?;
        }
        Ok(())
    }

    /// What is let in to a server beside its preset.
    pub async fn rules_of(&self, id: &ExternalId) -> Answer<Option<Vec<AccessRule>>> {
        let Some(it) = self.server_value(id).await? else {
            return Ok(None);
        };
        let project = project(&it);
        let groups = self.groups(&project, &group_name(id)).await?;
        let Some(group) = groups.into_iter().next() else {
            return Ok(Some(Vec::new()));
        };
        for port in self.ports(id, &project).await? {
            if groups_of(&port)?.contains(&group["id"]) {
                let rules = list(&group, "security_group_rules", &["id"])?;
                return Ok(Some(rules.iter().filter_map(read).collect()));
            }
        }
        // A group on no port lets nothing in.
        Ok(Some(Vec::new()))
    }

    /// Deletes the group of a server that is gone. While a port still has it Neutron says no, as to a
    /// server that waits for its final deletion: then it stays, and lets nobody in anywhere else.
    pub async fn drop_rules(&self, id: &ExternalId) -> Flow<()> {
        let query = [("name", &*group_name(id))];
        let path = "/security-groups";
        let found = self.get(Service::Network, path, &query).await?;
        let is_ours = |it: &&Value| text(it, "description").starts_with(MARK);
        for group in list(&found, "security_groups", FIELDS)?
            .iter()
            .filter(is_ours)
        {
            let path = format!("{path}/{}", text(group, "id"));
            let deleted = self.change(Service::Network, Method::DELETE, &path, None);
            match optional(deleted.await) {
                Err(fault) if fault.reason() == Some(RefusalReason::Conflict) => {
                    tracing::warn!(server = %id, group = text(group, "id"), "the group of a server that is gone is still used");
                }
                answer => {
                    answer?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_back_from_neutrons_words() {
        let of = |protocol: &str, from: Value, to: Value, source: Value| {
            json!({ "direction": "ingress", "ethertype": "IPv4", "protocol": protocol,
                "port_range_min": from, "port_range_max": to, "remote_ip_prefix": source,
                "remote_group_id": null })
        };
        let tcp = of("tcp", json!(8000), json!(8100), json!("10.8.0.0/24"));
        let said = serde_json::to_string(&read(&tcp)).unwrap();
        assert_eq!(
            said,
            r#"{"protocol":"tcp","ports":{"from":8000,"to":8100},"source":"10.8.0.0/24"}"#
        );
        let ping = read(&of("icmp", Value::Null, Value::Null, Value::Null)).unwrap();
        assert_eq!((ping.ports, ping.source), (None, Cidr::EVERYWHERE));
        let mut inside = tcp.clone();
        inside["remote_group_id"] = json!("g");
        let mut out = tcp;
        out["direction"] = json!("egress");
        assert_eq!((read(&inside), read(&out)), (None, None));
    }

    #[test]
    fn a_port_that_does_not_tell_its_groups_is_left_alone() {
        for half in [json!({}), json!({ "security_groups": null })] {
            assert!(matches!(groups_of(&half), Err(Fault::NotSent(_))));
        }
    }
}
