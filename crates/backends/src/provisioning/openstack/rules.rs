//! What the owner of a host lets in: a security group of the host's own beside that of its preset,
//! made on first use, found again by the server's id in its name, deleted with the server.
use std::collections::{BTreeMap, BTreeSet};

use lingbao_model::access_rule::{AccessRule, Cidr, PortRange, Protocol};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, list, text},
    config::{Rule, network},
    fault::{Answer, Fault, Flow, optional, refuse},
    listing::Whole,
    op::{MARK, Memory},
    security::{FIELDS, RULE, beyond, of_group, preset_group, protocol},
    server::server,
    version::Service,
};
use crate::provisioning::{ExternalId, LetIn, Object, RefusalReason, Settled};

/// How the names of hosts' own groups begin; the id of the server follows.
fn prefix() -> String {
    format!("{MARK}-host-")
}

/// The name of a host's own group.
fn group_name(server: &ExternalId) -> String {
    format!("{}{server}", prefix())
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

/// A text that must be there, empty or not. Half an answer is never "of nobody".
fn said<'a>(it: &'a Value, key: &str) -> Answer<&'a str> {
    let there = it.get(key).and_then(Value::as_str);
    there.ok_or_else(|| Fault::NotSent(format!("an answer without its `{key}`")))
}

/// Whether a port is a server's. Anybody may write a server's id on a port of his own; only Nova
/// writes its owner.
fn is_servers(port: &Value) -> Answer<bool> {
    Ok(said(port, "device_owner")?.starts_with("compute:"))
}

/// A rule that comes in as one of ours; `None` if we make none such.
fn own_rule(rule: &Value) -> Option<AccessRule> {
    if text(rule, "ethertype") != "IPv4" || !of_group(rule).is_empty() {
        return None;
    }
    let protocol: Protocol = protocol(rule).parse().ok()?;
    let port = |key: &str| rule.get(key).and_then(Value::as_u64);
    let ports = match (protocol, port("port_range_min"), port("port_range_max")) {
        (Protocol::Icmp, None, None) => None,
        // Of ICMP these are type and code.
        (Protocol::Icmp, ..) => return None,
        (_, None, None) => Some(PortRange {
            from: 1,
            to: u16::MAX,
        }),
        (_, Some(from), Some(to)) if (1..=to).contains(&from) => Some(PortRange {
            from: u16::try_from(from).ok()?,
            to: u16::try_from(to).ok()?,
        }),
        _ => return None,
    };
    let source = match text(rule, "remote_ip_prefix") {
        "" => Cidr::EVERYWHERE,
        from => network(from)?.parse().ok()?,
    };
    Some(AccessRule {
        protocol,
        ports,
        source,
    })
}

/// A rule in Neutron's words.
fn its_words(rule: &Value) -> String {
    let protocol = match protocol(rule) {
        any if any.is_empty() => "any".to_owned(),
        name => name,
    };
    let port = |key: &str| rule.get(key).and_then(Value::as_u64);
    let ports = match (port("port_range_min"), port("port_range_max")) {
        (None, None) => String::new(),
        (from, to) => format!(" {}-{}", from.unwrap_or_default(), to.unwrap_or_default()),
    };
    let ethertype = text(rule, "ethertype");
    let keys = [
        ("remote_group_id", "group "),
        ("remote_address_group_id", "address group "),
        ("remote_ip_prefix", ""),
    ];
    let source = keys.iter().find_map(|(key, word)| {
        let it = text(rule, key);
        (!it.is_empty()).then(|| format!("{word}{it}"))
    });
    let source = source.unwrap_or_else(|| "everywhere".to_owned());
    format!("{ethertype} {protocol}{ports} {source}")
}

/// Adds what a group lets in. What goes out is nobody's rule: Neutron itself writes it.
fn add(group: &Value, let_in: &mut LetIn) -> Answer<()> {
    for rule in list(group, "security_group_rules", RULE)? {
        if text(rule, "direction") != "ingress" {
            continue;
        }
        match own_rule(rule) {
            Some(rule) => let_in.rules.push(rule),
            None => let_in.others.push(its_words(rule)),
        }
    }
    Ok(())
}

/// What somebody opened in the group of a preset, each beginning with the group's name.
fn opened(group: &Value, project: &ExternalId, preset: &[Rule]) -> Answer<Vec<String>> {
    let name = text(group, "name");
    let rules = beyond(group, project, preset)?.into_iter();
    Ok(rules
        .map(|it| format!("{name}: {}", its_words(it)))
        .collect())
}

impl Cloud {
    /// Lets in to a server what these rules say, and nothing else beside its preset; what somebody
    /// opened in the preset's group is closed.
    pub async fn set_rules(
        &self,
        memory: &Memory,
        id: &ExternalId,
        rules: &[AccessRule],
    ) -> Flow<Settled> {
        let it = self.calm_server(id).await?;
        let (project, name) = (project(&it), group_name(id));
        if let Some(preset) = server(&it).spec.security_preset {
            self.restore_preset(memory, &project, &preset).await?;
        }
        let turn = memory.group_turn(&project, &name);
        let _turn = turn.lock().await;
        let mut groups = self.groups(&project, &name).await?.into_iter();
        let group = match groups.next() {
            Some(group) => group,
            None if rules.is_empty() => return Ok(present(&it)),
            None => self.make_group(&project, &name).await?,
        };
        let wanted: Vec<Rule> = rules.iter().map(Rule::from).collect();
        self.mend(&group, &project, &wanted).await?;
        self.close_others(&group).await?;
        // Another of the same name is of somebody else's making: nothing comes in by it.
        for other in groups {
            self.mend(&other, &project, &[]).await?;
            self.close_others(&other).await?;
        }
        self.join(id, &project, text(&group, "id")).await?;
        Ok(present(&it))
    }

    /// Takes out of a group what somebody let in by another way than IPv4: no portal ever does.
    pub(super) async fn close_others(&self, group: &Value) -> Answer<()> {
        for rule in list(group, "security_group_rules", RULE)? {
            if text(rule, "direction") == "ingress" && text(rule, "ethertype") != "IPv4" {
                let path = format!("/security-group-rules/{}", text(rule, "id"));
                let deleted = self.change(Service::Network, Method::DELETE, &path, None);
                optional(deleted.await)?;
            }
        }
        Ok(())
    }

    /// The ports of a server.
    async fn ports(&self, id: &ExternalId, project: &ExternalId) -> Answer<Vec<Value>> {
        let query = [("device_id", id.as_str()), ("project_id", project.as_str())];
        let found = self.get(Service::Network, "/ports", &query).await?;
        let mut own = Vec::new();
        for port in list(&found, "ports", &["id"])? {
            if is_servers(port)? {
                own.push(port.clone());
            }
        }
        Ok(own)
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

    /// What is let in to a server beside its preset, and by its preset's group beyond the preset.
    pub async fn rules_of(&self, id: &ExternalId) -> Answer<Option<LetIn>> {
        let Some(it) = self.server_value(id).await? else {
            return Ok(None);
        };
        let project = project(&it);
        let mut let_in = LetIn::default();
        let groups = self.groups(&project, &group_name(id)).await?;
        let preset = server(&it).spec.security_preset;
        let preset = preset.and_then(|name| Some((preset_group(&name), self.preset(&name)?)));
        let of_preset = match &preset {
            Some((name, _)) => self.groups(&project, name).await?,
            None => Vec::new(),
        };
        if groups.is_empty() && of_preset.is_empty() {
            return Ok(Some(let_in));
        }
        let ports = self.ports(id, &project).await?;
        let on = ports
            .iter()
            .map(groups_of)
            .collect::<Answer<Vec<&Vec<Value>>>>()?;
        // A group on no port lets nothing in.
        let stands = |group: &&Value| on.iter().any(|groups| groups.contains(&group["id"]));
        for group in groups.iter().filter(stands) {
            add(group, &mut let_in)?;
        }
        if let Some((_, rules)) = &preset {
            for group in of_preset.iter().filter(stands) {
                let_in.others.extend(opened(group, &project, rules)?);
            }
        }
        Ok(Some(let_in))
    }

    /// What is let in to all servers beside their presets, and by the presets' groups beyond the
    /// presets: two lists, however many servers there are.
    pub async fn all_rules(&self) -> Answer<BTreeMap<ExternalId, LetIn>> {
        // Which groups are on the ports of which servers. Of a port nothing else is asked: clouds have
        // many.
        let mut on: BTreeSet<(String, String)> = BTreeSet::new();
        let ports = Whole {
            path: "/ports",
            key: "ports",
            links: "ports_links",
            query: &[
                ("fields", "id"),
                ("fields", "device_id"),
                ("fields", "device_owner"),
                ("fields", "security_groups"),
            ],
            fields: &["id"],
        };
        self.whole(ports, |port| {
            if is_servers(port)? {
                let server = said(port, "device_id")?;
                let groups = groups_of(port)?.iter().filter_map(Value::as_str);
                on.extend(groups.map(|group| (group.to_owned(), server.to_owned())));
            }
            Ok(())
        })
        .await?;
        let prefix = prefix();
        let mut all: BTreeMap<ExternalId, LetIn> = BTreeMap::new();
        let groups = Whole {
            path: "/security-groups",
            key: "security_groups",
            links: "security_groups_links",
            query: &[],
            fields: FIELDS,
        };
        self.whole(groups, |group| {
            // A name may be empty, but it is told.
            let name = said(group, "name")?;
            let id = text(group, "id").to_owned();
            if let Some(server) = name.strip_prefix(&prefix) {
                if on.contains(&(id, server.to_owned())) {
                    add(group, all.entry(ExternalId(server.to_owned())).or_default())?;
                }
            } else if let Some(rules) = self.preset_of_group(name) {
                let opened = opened(group, &project(group), &rules)?;
                if opened.is_empty() {
                    return Ok(());
                }
                let from = on.range((id.clone(), String::new())..);
                for (_, server) in from.take_while(|(group, _)| *group == id) {
                    let let_in = all.entry(ExternalId(server.clone())).or_default();
                    let_in.others.extend(opened.iter().cloned());
                }
            }
            Ok(())
        })
        .await?;
        Ok(all)
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
        let said = serde_json::to_string(&own_rule(&tcp)).unwrap();
        assert_eq!(
            said,
            r#"{"protocol":"tcp","ports":{"from":8000,"to":8100},"source":"10.8.0.0/24"}"#
        );
        let ping = own_rule(&of("icmp", Value::Null, Value::Null, Value::Null)).unwrap();
        assert_eq!((ping.ports, ping.source), (None, Cidr::EVERYWHERE));
        // By its number, and at all ports.
        let all = own_rule(&of("17", Value::Null, Value::Null, json!("10.8.0.0/24"))).unwrap();
        assert_eq!(all.to_string(), "udp 1-65535 10.8.0.0/24");
    }

    #[test]
    fn what_no_portal_opens_is_told_in_neutrons_words() {
        let rule = |more: Value| {
            let mut it = json!({ "id": "r", "direction": "ingress", "ethertype": "IPv4",
                "protocol": "tcp", "port_range_min": 22, "port_range_max": 22 });
            let all = it.as_object_mut().unwrap();
            all.extend(more.as_object().unwrap().clone());
            it
        };
        let group = json!({ "security_group_rules": [
            rule(json!({ "remote_ip_prefix": "10.8.0.0/24" })),
            rule(json!({ "ethertype": "IPv6", "remote_ip_prefix": "::/0" })),
            rule(json!({ "protocol": null, "port_range_min": null, "port_range_max": null })),
            rule(json!({ "remote_group_id": "g" })),
            rule(json!({ "remote_address_group_id": "a" })),
            rule(json!({ "protocol": "sctp" })),
            rule(json!({ "protocol": "icmp", "port_range_min": 8, "port_range_max": 0 })),
            rule(json!({ "direction": "egress" })),
        ] });
        let mut let_in = LetIn::default();
        add(&group, &mut let_in).unwrap();
        let own: Vec<String> = let_in.rules.iter().map(ToString::to_string).collect();
        assert_eq!(own, ["tcp 22 10.8.0.0/24"]);
        assert_eq!(
            let_in.others,
            [
                "IPv6 tcp 22-22 ::/0",
                "IPv4 any everywhere",
                "IPv4 tcp 22-22 group g",
                "IPv4 tcp 22-22 address group a",
                "IPv4 sctp 22-22 everywhere",
                "IPv4 icmp 8-0 everywhere",
            ]
        );
        // A rule that does not say which way it goes is no rule that goes out.
        let half = json!({ "security_group_rules": [{ "id": "r", "ethertype": "IPv4" }] });
        assert!(matches!(add(&half, &mut let_in), Err(Fault::NotSent(_))));
    }

    #[test]
    fn a_port_that_does_not_tell_its_groups_is_left_alone() {
        for half in [json!({}), json!({ "security_groups": null })] {
            assert!(matches!(groups_of(&half), Err(Fault::NotSent(_))));
        }
    }
}
