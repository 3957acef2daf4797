//! The security group of a preset, one in each project, kept as the configuration says.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, inner, list, text},
    config::{Rule, default_presets, network},
    fault::{Answer, Fault, optional},
    networks::oldest_first,
    op::{MARK, Memory},
    version::Service,
};
use crate::provisioning::{ExternalId, Refusal, RefusalReason};

/// What tells two rules apart: protocol, ports, network, group.
type Face = (String, i64, i64, String, String);

/// How the names of presets' groups begin; the name of the preset follows.
fn prefix() -> String {
    format!("{MARK}-")
}

/// The name of a preset's group.
pub(super) fn preset_group(preset: &str) -> String {
    format!("{}{preset}", prefix())
}

/// What each group that is read must have.
pub(super) const FIELDS: &[&str] = &["id", "security_group_rules"];

/// What each rule that is read must have.
pub(super) const RULE: &[&str] = &["id", "direction", "ethertype"];

/// Neutron's form of a rule. Without a project it would count against the limits of the portal's own,
/// and one day every order would be refused.
fn body(rule: &Rule, project: &ExternalId, group: &str) -> Value {
    let mut it = json!({
        "project_id": project,
        "security_group_id": group,
        "direction": "ingress",
        "ethertype": "IPv4",
    });
    let protocol = rule.protocol();
    if !protocol.is_empty() {
        it["protocol"] = json!(protocol);
    }
    if rule.from_port > 0 && protocol != "icmp" {
        it["port_range_min"] = json!(rule.from_port);
        it["port_range_max"] = json!(rule.to_port.max(rule.from_port));
    }
    if rule.from.is_empty() {
        it["remote_group_id"] = json!(group);
    } else {
        it["remote_ip_prefix"] = json!(network(&rule.from).unwrap_or_else(|| rule.from.clone()));
    }
    it
}

/// The protocol of a rule; empty if it is any. Who opens something by hand may have written a number.
pub(super) fn protocol(rule: &Value) -> String {
    let said = text(rule, "protocol").to_lowercase();
    let name = match said.as_str() {
        "1" => "icmp",
        "6" => "tcp",
        "17" => "udp",
        name => name,
    };
    name.to_owned()
}

/// The group whose members a rule lets in instead of a network; empty if it is none.
pub(super) fn of_group(rule: &Value) -> &str {
    let keys = ["remote_group_id", "remote_address_group_id"];
    let mut named = keys.iter().map(|key| text(rule, key));
    named.find(|id| !id.is_empty()).unwrap_or_default()
}

fn face(rule: &Value) -> Face {
    let port = |key: &str| rule.get(key).and_then(Value::as_i64).unwrap_or(0);
    // Neutron writes "from everywhere" as nothing.
    let from = text(rule, "remote_ip_prefix");
    let from = network(from).unwrap_or_else(|| from.to_owned());
    let from = if from == "0.0.0.0/0" {
        String::new()
    } else {
        from
    };
    let ports = (port("port_range_min"), port("port_range_max"));
    let group = of_group(rule).to_owned();
    (protocol(rule), ports.0, ports.1, from, group)
}

/// What a group lets in beyond the rules that it shall have.
pub(super) fn beyond<'a>(
    group: &'a Value,
    project: &ExternalId,
    rules: &[Rule],
) -> Answer<Vec<&'a Value>> {
    let id = text(group, "id");
    let wanted = rules.iter().map(|rule| face(&body(rule, project, id)));
    let wanted: Vec<Face> = wanted.collect();
    let there = list(group, "security_group_rules", RULE)?.iter();
    Ok(there
        .filter(|rule| text(rule, "direction") == "ingress")
        .filter(|rule| text(rule, "ethertype") != "IPv4" || !wanted.contains(&face(rule)))
        .collect())
}

/// Whether Neutron has a rule that is the same to it.
fn is_there_already(fault: &Fault) -> bool {
    matches!(fault, Fault::Refused(it)
        if it.reason == RefusalReason::Conflict && it.detail.contains("already exists"))
}

impl Cloud {
    /// The rules of a preset; `None` if nobody knows it.
    pub fn preset(&self, name: &str) -> Option<Vec<Rule>> {
        if self.config.presets.is_empty() {
            return default_presets().remove(name);
        }
        self.config.presets.get(name).cloned()
    }

    /// The rules of the preset whose group is called so; `None` if it is the group of none.
    pub fn preset_of_group(&self, name: &str) -> Option<Vec<Rule>> {
        self.preset(name.strip_prefix(&prefix())?)
    }

    /// Makes the project's groups of a preset let in again what they shall, and nothing else.
    pub(super) async fn restore_preset(
        &self,
        memory: &Memory,
        project: &ExternalId,
        preset: &str,
    ) -> Answer<()> {
        let turn = memory.group_turn(project, preset);
        let _turn = turn.lock().await;
        let Some(rules) = self.preset(preset) else {
            return Ok(());
        };
        for group in self.groups(project, &preset_group(preset)).await? {
            self.mend(&group, project, &rules).await?;
            self.close_others(&group).await?;
        }
        Ok(())
    }

    /// Id of the project's group of a preset, made or mended if need be.
    pub async fn ensure_group(
        &self,
        memory: &Memory,
        project: &ExternalId,
        preset: &str,
    ) -> Answer<String> {
        // The machines of an order come together: one makes the group, the others find it.
        let turn = memory.group_turn(project, preset);
        let _turn = turn.lock().await;
        let key = format!("group {project} {preset}");
        if let Some(Value::String(id)) = self.cache.get(&key, self.now()) {
            return Ok(id);
        }
        let Some(rules) = self.preset(preset) else {
            let said = format!("the configuration has no preset {preset}");
            return Err(Refusal::new(RefusalReason::InvalidSpec, said).into());
        };
        let name = preset_group(preset);
        let group = match self.groups(project, &name).await?.into_iter().next() {
            Some(it) => it,
            None => self.make_group(project, &name).await?,
        };
        let id = text(&group, "id").to_owned();
        self.mend(&group, project, &rules).await?;
        self.close_others(&group).await?;
        self.cache.put(&key, self.now(), &json!(id));
        Ok(id)
    }

    /// Makes a group; the one that stays, if another process made it too.
    pub(super) async fn make_group(&self, project: &ExternalId, name: &str) -> Answer<Value> {
        let body = json!({ "security_group": {
            "name": name, "project_id": project, "description": "lingbao: do not change",
        }});
        let path = "/security-groups";
        let made = self
            .change(Service::Network, Method::POST, path, Some(&body))
            .await?;
        self.settle_group(project, name, inner(made, "security_group", FIELDS)?)
            .await
    }

    /// The project's groups of a name, the oldest first.
    pub(super) async fn groups(&self, project: &ExternalId, name: &str) -> Answer<Vec<Value>> {
        let query = [("project_id", project.as_str()), ("name", name)];
        let found = self
            .get(Service::Network, "/security-groups", &query)
            .await?;
        let mut all = list(&found, "security_groups", FIELDS)?.to_vec();
        oldest_first(&mut all);
        Ok(all)
    }

    /// Which group stays: another process may have made one as well. Our own goes if it is the
    /// younger; nobody uses it yet.
    async fn settle_group(&self, project: &ExternalId, name: &str, own: Value) -> Answer<Value> {
        let oldest = self.groups(project, name).await?.into_iter().next();
        let Some(oldest) = oldest.filter(|it| it["id"] != own["id"]) else {
            return Ok(own);
        };
        let path = format!("/security-groups/{}", text(&own, "id"));
        let deleted = self.change(Service::Network, Method::DELETE, &path, None);
        optional(deleted.await)?;
        Ok(oldest)
    }

    /// Makes the rules of a group what they shall be.
    pub(super) async fn mend(
        &self,
        group: &Value,
        project: &ExternalId,
        rules: &[Rule],
    ) -> Answer<()> {
        let id = text(group, "id");
        let there: Vec<&Value> = list(group, "security_group_rules", &["id"])?
            .iter()
            .filter(|rule| {
                text(rule, "direction") == "ingress" && text(rule, "ethertype") == "IPv4"
            })
            .collect();
        let wanted: Vec<Value> = rules.iter().map(|rule| body(rule, project, id)).collect();
        let faces: Vec<Face> = wanted.iter().map(face).collect();
        let mut lacking: Vec<&Value> = Vec::new();
        for rule in &wanted {
            let is_there = there.iter().any(|other| face(other) == face(rule));
            if !is_there && !lacking.iter().any(|other| face(other) == face(rule)) {
                lacking.push(rule);
            }
        }
        if !lacking.is_empty() {
            let body = json!({ "security_group_rules": lacking });
            let path = "/security-group-rules";
            let made = self.change(Service::Network, Method::POST, path, Some(&body));
            match made.await {
                // One of them is there by now, so that none was made: one by one then.
                Err(fault) if is_there_already(&fault) => {
                    for rule in lacking {
                        let body = json!({ "security_group_rule": rule });
                        let made = self.change(Service::Network, Method::POST, path, Some(&body));
                        match made.await {
                            Err(fault) if !is_there_already(&fault) => return Err(fault),
                            _ => {}
                        }
                    }
                }
                made => {
                    made?;
                }
            }
        }
        for rule in there.iter().filter(|rule| !faces.contains(&face(rule))) {
            let path = format!("/security-group-rules/{}", text(rule, "id"));
            optional(
                self.change(Service::Network, Method::DELETE, &path, None)
                    .await,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_known_again_in_neutrons_words() {
        let rule = Rule {
            protocol: "tcp".into(),
            from_port: 80,
            to_port: 0,
            from: "0.0.0.0/0".into(),
        };
        let back = json!({ "direction": "ingress", "protocol": "tcp", "port_range_min": 80,
            "port_range_max": 80, "remote_ip_prefix": "0.0.0.0/0", "remote_group_id": null });
        assert_eq!(face(&body(&rule, &"p".into(), "g")), face(&back));
        let rule = Rule {
            protocol: "TCP".into(),
            from: "10.1.2.3".into(),
            ..rule
        };
        let back = json!({ "direction": "ingress", "protocol": "tcp", "port_range_min": 80,
            "port_range_max": 80, "remote_ip_prefix": "10.1.2.3/32", "remote_group_id": null });
        assert_eq!(face(&body(&rule, &"p".into(), "g")), face(&back));
    }

    #[test]
    fn level_three_shows_nothing_in_the_clear() {
        let presets = default_presets();
        for (name, rules) in &presets {
            let open = |rule: &&Rule| rule.from == "0.0.0.0/0";
            let ports: Vec<u16> = rules
                .iter()
                .filter(open)
                .map(|rule| rule.from_port)
                .collect();
            let expected: &[u16] = match name.as_str() {
                "level2-internet" => &[80, 443],
                "level3-internet" => &[443],
                _ => &[],
            };
            assert_eq!(ports, expected, "{name}");
        }
    }
}
