//! What the owner of a host lets in: a group of its own beside that of its preset.
use lingbao_model::access_rule::{AccessRule, Protocol, text_of};

use super::*;

const SERVER: &str = "/compute/v2.1/servers/s1";
const GROUP: &str = "lingbao-host-s1";

/// The one server that stands here, until it is deleted.
pub fn nova(stand: &Stand, method: &Method, path: &str) -> Option<Response> {
    let rest = path.strip_prefix(SERVER)?;
    let mut stand = stand.lock().unwrap();
    if rest == "/os-instance-actions" {
        return Some(fine(&json!({ "instanceActions": [] })));
    }
    if method == Method::DELETE {
        stand.insert("gone".into(), Vec::new());
        return Some(StatusCode::NO_CONTENT.into_response());
    }
    if stand.contains_key("gone") {
        let said = json!({ "itemNotFound": { "code": 404, "message": "no such server" } });
        return Some((StatusCode::NOT_FOUND, said.to_string()).into_response());
    }
    let server = json!({ "id": "s1", "status": "ACTIVE", "tenant_id": "p1",
        "metadata": { "lingbao_preset": "level2" } });
    Some(fine(&json!({ "server": server })))
}

/// What Neutron is asked about a group.
pub fn neutron(
    stand: &mut BTreeMap<String, Vec<Value>>,
    method: &Method,
    path: &str,
) -> Option<Response> {
    let id = path.strip_prefix("security-groups/")?;
    assert_eq!(method, Method::DELETE);
    let uses = |port: &Value| {
        port["security_groups"]
            .as_array()
            .unwrap()
            .contains(&json!(id))
    };
    let gone = stand.contains_key("gone");
    if !gone && stand.get("ports").is_some_and(|all| all.iter().any(uses)) {
        return Some(refused(StatusCode::CONFLICT, "SecurityGroupInUse"));
    }
    stand
        .get_mut("security-groups")
        .unwrap()
        .retain(|it| it["id"] != id);
    Some(StatusCode::NO_CONTENT.into_response())
}

fn rule(protocol: Protocol, ports: &str, source: &str) -> AccessRule {
    AccessRule {
        protocol,
        ports: ports.parse().ok(),
        source: source.parse().unwrap(),
    }
}

fn pages() -> AccessRule {
    rule(Protocol::Tcp, "8000-8100", "10.8.0.0/24")
}

fn names() -> AccessRule {
    rule(Protocol::Udp, "53", "0.0.0.0/0")
}

async fn set(cloud: &OpenStack, op: &str, rules: &[AccessRule]) -> Outcome<Server> {
    let (op, server) = (OperationId::from(op), "s1".into());
    cloud.set_server_rules(&op, server, rules.to_vec()).await
}

fn is_done(outcome: Outcome<Server>) {
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

/// Two processes, a server with a preset and two ports, and a port that only says that it is its.
async fn with_ports() -> (Vec<OpenStack>, Stand) {
    let (clouds, stand) = world(2).await;
    let network = private_network("p1");
    {
        let mut stand = stand.lock().unwrap();
        stand.get_mut("networks").unwrap().push(network);
    }
    let made = order(&clouds[0], "p1", "level2").await;
    assert!(matches!(made, Outcome::Running { .. }), "{made:?}");
    {
        let mut stand = stand.lock().unwrap();
        let preset = stand["security-groups"][0]["id"].clone();
        let port = |id: &str, owner: &str| {
            json!({ "id": id, "device_id": "s1", "device_owner": owner, "project_id": "p1",
                "network_id": "net-p1", "security_groups": [preset] })
        };
        let ports = vec![
            port("a", "compute:nova"),
            port("b", "compute:nova"),
            port("x", ""),
        ];
        stand.insert("ports".into(), ports);
    }
    (clouds, stand)
}

/// What is let in to the server: the same, whether it alone is asked about or all are.
async fn told(cloud: &OpenStack) -> String {
    let one = cloud.server_rules(&"s1".into()).await.unwrap().unwrap();
    let mut all = cloud.all_rules().await.unwrap().unwrap();
    let listed = all.remove(&"s1".into()).unwrap_or_default();
    assert!(all.is_empty(), "{all:?}");
    let [one, listed] = [one, listed].map(|it| text_of(&it.rules, &it.others));
    assert_eq!(one, listed);
    one
}

/// The rules of the host's own group, by what they open.
fn own(stand: &Stand) -> Vec<(String, Value)> {
    let stand = stand.lock().unwrap();
    let groups: Vec<&Value> = stand["security-groups"]
        .iter()
        .filter(|it| it["name"] == GROUP)
        .collect();
    assert!(groups.len() <= 1, "{groups:?}");
    let of = |it: &&Value| {
        groups
            .iter()
            .any(|group| group["id"] == it["security_group_id"])
    };
    let rules = stand["security-group-rules"].iter().filter(of);
    let mut all: Vec<_> = rules
        .map(|it| {
            assert_eq!(it["project_id"], "p1");
            let ports = (&it["port_range_min"], &it["port_range_max"]);
            let said = format!("{} {} {}", it["protocol"], ports.0, ports.1);
            (said.replace('"', ""), it["id"].clone())
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[tokio::test]
async fn a_hosts_own_rules_stand_beside_its_preset_and_go_with_it() {
    let (clouds, stand) = with_ports().await;
    is_done(set(&clouds[0], "nothing", &[]).await);
    assert_eq!(stand.lock().unwrap()["security-groups"].len(), 1);
    is_done(set(&clouds[0], "a", &[pages(), names()]).await);
    let first = own(&stand);
    let said: Vec<&str> = first.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(said, ["tcp 8000 8100", "udp 53 53"]);
    {
        let stand = stand.lock().unwrap();
        let groups = |at: usize| stand["ports"][at]["security_groups"].as_array().unwrap();
        // Beside the preset; whoever writes a server's id on a port of his own gets nothing.
        assert_eq!([0, 1, 2].map(|at| groups(at).len()), [2, 2, 1]);
        assert_eq!(groups(0)[0], stand["security-groups"][0]["id"]);
    }
    // The answer was lost: another process says it again, and nothing is touched.
    let before = stand.lock().unwrap().clone();
    is_done(set(&clouds[1], "a", &[pages(), names()]).await);
    assert_eq!(*stand.lock().unwrap(), before);
    assert_eq!(
        told(&clouds[1]).await,
        "tcp 8000-8100 10.8.0.0/24; udp 53 0.0.0.0/0"
    );
    // Another set: what stays is not made anew, so that nobody is cut off meanwhile.
    let pings = rule(Protocol::Icmp, "", "10.8.0.0/24");
    is_done(set(&clouds[0], "b", &[pages(), pings]).await);
    let second = own(&stand);
    let said: Vec<&str> = second.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(said, ["icmp null null", "tcp 8000 8100"]);
    assert_eq!(second[1], first[0]);
    let gone = clouds[0].delete_server(&"away".into(), "s1".into()).await;
    assert_eq!(gone, Outcome::Done(()));
    let stand = stand.lock().unwrap();
    let left: Vec<&Value> = stand["security-groups"]
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(left, ["lingbao-level2"]);
}

#[tokio::test]
async fn what_neutron_has_no_room_for_is_refused_and_opens_nothing() {
    let (clouds, stand) = with_ports().await;
    let kept = json!({ "quota": { "security_group_rule": 0 } });
    let quotas = "/network/v2.0/quotas/p1".to_owned();
    stand.lock().unwrap().insert(quotas, vec![kept]);
    match set(&clouds[0], "a", &[pages()]).await {
        Outcome::Refused(refusal) => assert_eq!(refusal.reason, RefusalReason::QuotaExceeded),
        other => panic!("{other:?}"),
    }
    assert_eq!(told(&clouds[0]).await, "");
    let stand = stand.lock().unwrap();
    assert_eq!(
        stand["ports"][0]["security_groups"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn what_somebody_opens_in_neutron_is_told_and_closed_when_the_set_is_said_again() {
    let (clouds, stand) = with_ports().await;
    assert_eq!(told(&clouds[0]).await, "");
    is_done(set(&clouds[0], "a", &[pages()]).await);
    let said = "tcp 8000-8100 10.8.0.0/24";
    assert_eq!(told(&clouds[0]).await, said);
    let by_hand = |more: Value| {
        let mut stand = stand.lock().unwrap();
        let groups = &stand["security-groups"];
        let own = groups.iter().find(|it| it["name"] == GROUP).unwrap();
        let mut rule = json!({ "security_group_id": own["id"], "project_id": "p1",
            "direction": "ingress", "ethertype": "IPv4", "protocol": "6", "port_range_min": 22,
            "port_range_max": 22, "remote_ip_prefix": null, "remote_group_id": null });
        let more = more.as_object().unwrap().clone();
        rule.as_object_mut().unwrap().extend(more);
        stand.get_mut("security-group-rules").unwrap().push(rule);
    };
    by_hand(json!({ "id": "h1" }));
    by_hand(json!({ "id": "h2", "ethertype": "IPv6", "remote_ip_prefix": "::/0" }));
    // What Neutron writes by itself into each group.
    by_hand(json!({ "id": "h3", "direction": "egress", "protocol": null }));
    assert_eq!(
        told(&clouds[0]).await,
        "tcp 22 0.0.0.0/0; tcp 8000-8100 10.8.0.0/24; IPv6 tcp 22-22 ::/0"
    );
    is_done(set(&clouds[1], "b", &[pages()]).await);
    assert_eq!(told(&clouds[0]).await, said);
    // On no port it lets nobody in; said again, it does.
    for port in stand.lock().unwrap().get_mut("ports").unwrap() {
        port["security_groups"].as_array_mut().unwrap().truncate(1);
    }
    assert_eq!(told(&clouds[0]).await, "");
    is_done(set(&clouds[0], "c", &[pages()]).await);
    assert_eq!(told(&clouds[0]).await, said);
}

#[tokio::test]
async fn what_somebody_opens_in_a_presets_group_is_told_and_closed_when_the_set_is_said_again() {
    let (clouds, stand) = with_ports().await;
    is_done(set(&clouds[0], "a", &[pages()]).await);
    let before = stand.lock().unwrap()["security-group-rules"].len();
    let by_hand = |more: Value| {
        let mut stand = stand.lock().unwrap();
        let groups = &stand["security-groups"];
        let preset = groups.iter().find(|it| it["name"] == "lingbao-level2");
        let mut rule = json!({ "security_group_id": preset.unwrap()["id"], "project_id": "p1",
            "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22,
            "port_range_max": 22, "remote_ip_prefix": null, "remote_group_id": null });
        let more = more.as_object().unwrap().clone();
        rule.as_object_mut().unwrap().extend(more);
        stand.get_mut("security-group-rules").unwrap().push(rule);
    };
    by_hand(json!({ "id": "h1", "remote_ip_prefix": "0.0.0.0/0" }));
    by_hand(json!({ "id": "h2", "ethertype": "IPv6", "remote_ip_prefix": "::/0" }));
    // The members of a group of somebody's own.
    by_hand(
        json!({ "id": "h3", "protocol": null, "port_range_min": null, "port_range_max": null,
        "remote_group_id": "another" }),
    );
    by_hand(json!({ "id": "h4", "direction": "egress", "protocol": null }));
    let told = told(&clouds[0]).await;
    let told: Vec<&str> = told.split("; ").collect();
    assert_eq!(told.len(), 4, "{told:?}");
    for one in [
        "tcp 8000-8100 10.8.0.0/24",
        "lingbao-level2: IPv4 tcp 22-22 0.0.0.0/0",
        "lingbao-level2: IPv6 tcp 22-22 ::/0",
        "lingbao-level2: IPv4 any group another",
    ] {
        assert!(told.contains(&one), "{one}: {told:?}");
    }
    is_done(set(&clouds[1], "b", &[pages()]).await);
    let all = clouds[0].all_rules().await.unwrap().unwrap();
    assert!(all[&ExternalId("s1".into())].others.is_empty());
    // What goes out is left.
    let after = stand.lock().unwrap()["security-group-rules"].len();
    assert_eq!(after, before + 1);
}

#[tokio::test]
async fn a_port_that_does_not_tell_its_groups_keeps_them() {
    let (clouds, stand) = with_ports().await;
    stand.lock().unwrap().get_mut("ports").unwrap()[0]["security_groups"] = Value::Null;
    let half = set(&clouds[0], "a", &[pages()]).await;
    assert!(matches!(half, Outcome::Unreachable(_)), "{half:?}");
    let all = clouds[0].all_rules().await;
    assert!(matches!(all, Err(ReadError::Unreachable(_))), "{all:?}");
    let stand = stand.lock().unwrap();
    assert_eq!(stand["ports"][0]["security_groups"], Value::Null);
}

#[test]
fn the_presets_of_a_configuration_are_told_as_they_are() {
    let cloud = open("http://127.0.0.1:9");
    let built_in = cloud.preset("level3-internet").unwrap();
    let open: Vec<_> = built_in
        .iter()
        .filter(|it| it.source.is_some_and(|from| from.size() > 1 << 31))
        .map(|it| it.ports.unwrap().to_string())
        .collect();
    assert_eq!(open, ["443"]);
    assert_eq!(cloud.preset("level9"), None);
}
