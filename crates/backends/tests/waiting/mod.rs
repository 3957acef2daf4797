//! Servers that take their time, and who waits for them.
mod fallen;
mod stalled;

use super::*;

/// Servers that were ordered, and what was asked of Nova.
const SERVERS: &str = "servers";
const ASKED: &str = "asked";
/// What works for Nova.
const SERVICES: &str = "/compute/v2.1/os-services";

/// What Nova says of the servers that were ordered here.
pub fn nova(
    stand: &Stand,
    method: &Method,
    path: &str,
    query: &str,
    body: &Value,
) -> Option<Response> {
    let mut stand = stand.lock().unwrap();
    if path == SERVICES {
        let services = stand.get(SERVICES).cloned().unwrap_or_default();
        return Some(fine(&json!({ "services": services })));
    }
    let rest = path.strip_prefix("/compute/v2.1/servers")?;
    if method == Method::POST && rest.is_empty() {
        let all = stand.entry(SERVERS.into()).or_default();
        let id = format!("s{}", all.len() + 1);
        let mut it = body["server"].clone();
        it["id"] = json!(id);
        it["tenant_id"] = json!("p1");
        it["status"] = json!("BUILD");
        all.push(it);
        return Some(fine(&json!({ "server": { "id": id } })));
    }
    let all = stand.get(SERVERS).cloned().unwrap_or_default();
    if rest.is_empty() {
        let shown = |it: &&Value| {
            let by_tag = |tag: &str| it["tags"].as_array().unwrap().contains(&json!(tag));
            match query.split('&').find_map(|one| one.strip_prefix("tags=")) {
                Some(tag) => by_tag(tag) && it["status"] != "DELETED",
                None => query.contains("status=BUILD") && it["status"] == "BUILD",
            }
        };
        if !query.contains("tags=") {
            stand.entry(ASKED.into()).or_default().push(json!("list"));
            if stand.contains_key("no lists") {
                return Some(StatusCode::SERVICE_UNAVAILABLE.into_response());
            }
        }
        let named: Vec<Value> = all.iter().filter(shown).cloned().collect();
        return Some(fine(&json!({ "servers": named })));
    }
    if rest.ends_with("/os-instance-actions") {
        return Some(fine(&json!({ "instanceActions": [] })));
    }
    if rest == "/detail" {
        return Some(fine(&json!({ "servers": [] })));
    }
    let it = all
        .iter()
        .find(|it| rest == format!("/{}", it["id"].as_str().unwrap()))?;
    // The one that the tests of hosts take for granted stands already.
    if !it["name"].as_str().unwrap().starts_with("waiting") {
        return None;
    }
    if it["status"] == "DELETED" {
        let said = json!({ "itemNotFound": { "code": 404, "message": "no such server" } });
        return Some((StatusCode::NOT_FOUND, said.to_string()).into_response());
    }
    if method == Method::DELETE && stand.contains_key("keeps") {
        return Some(StatusCode::NO_CONTENT.into_response());
    }
    if method == Method::DELETE {
        let all = stand.get_mut(SERVERS).unwrap();
        let it = all.iter_mut().find(|one| one["id"] == it["id"]).unwrap();
        it["status"] = json!("DELETED");
        return Some(StatusCode::NO_CONTENT.into_response());
    }
    stand
        .entry(ASKED.into())
        .or_default()
        .push(it["id"].clone());
    Some(fine(&json!({ "server": it })))
}

/// What was asked since the last time: lists, and servers by their ids.
fn asked(stand: &Stand) -> Vec<Value> {
    let mut asked = stand.lock().unwrap().remove(ASKED).unwrap_or_default();
    asked.sort_by_key(Value::to_string);
    asked
}

fn all_stand(stand: &Stand) {
    for it in stand.lock().unwrap().get_mut(SERVERS).unwrap() {
        if it["status"] != "DELETED" {
            it["status"] = json!("ACTIVE");
        }
    }
}

/// An order of a server that takes its time.
fn slow(n: usize) -> (OperationId, ServerSpec) {
    let name = format!("waiting{n}");
    let op = OperationId::from(name.as_str());
    let spec = ServerSpec {
        name,
        ..spec("p1", "level2")
    };
    (op, spec)
}

/// Servers that were ordered a moment ago: what to ask for them with.
async fn ordered(cloud: &OpenStack, stand: &Stand, count: usize) -> Vec<PollToken> {
    let network = private_network("p1");
    stand
        .lock()
        .unwrap()
        .get_mut("networks")
        .unwrap()
        .push(network);
    let mut tokens = Vec::new();
    for n in 1..=count {
        let (op, spec) = slow(n);
        let made = cloud.create_server(&op, spec).await;
        let Outcome::Running { poll, .. } = made else {
            panic!("{made:?}");
        };
        tokens.push(poll);
    }
    asked(stand);
    tokens
}

/// How the servers stand that were ordered, the oldest first.
fn states(stand: &Stand) -> Vec<String> {
    let stand = stand.lock().unwrap();
    let of = |it: &Value| it["status"].as_str().unwrap().to_owned();
    stand[SERVERS].iter().map(of).collect()
}

fn is_running(outcome: &Outcome<Server>) {
    assert!(matches!(outcome, Outcome::Running { .. }), "{outcome:?}");
}

async fn polled(cloud: &OpenStack, tokens: &[PollToken]) -> Vec<Outcome<Settled>> {
    let all = tokens.iter().map(|token| {
        let (cloud, token) = (cloud.clone(), token.clone());
        tokio::spawn(async move { cloud.poll(&token).await })
    });
    let mut outcomes = Vec::new();
    for one in all.collect::<Vec<_>>() {
        outcomes.push(one.await.unwrap());
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_wait_for_servers_share_one_list() {
    let (clouds, stand) = world(1).await;
    let tokens = ordered(&clouds[0], &stand, 8).await;
    for outcome in polled(&clouds[0], &tokens).await {
        assert!(matches!(outcome, Outcome::Running { .. }), "{outcome:?}");
    }
    assert_eq!(asked(&stand), [json!("list")]);
    // Who orders again asks in the same way; another order under the operation is told so.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let (op, mut spec) = slow(1);
    let again = clouds[0].create_server(&op, spec.clone()).await;
    assert!(matches!(again, Outcome::Running { .. }), "{again:?}");
    assert_eq!(asked(&stand), [json!("list")]);
    spec.vcpus = 2;
    let other = clouds[0].create_server(&op, spec).await;
    assert!(matches!(other, Outcome::Refused(_)), "{other:?}");
    assert_eq!(asked(&stand), [json!("s1")]);
    all_stand(&stand);
    // As long as an answer is shared.
    tokio::time::sleep(Duration::from_millis(600)).await;
    for outcome in polled(&clouds[0], &tokens).await {
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    let mut once: Vec<Value> = (1..=8).map(|n| json!(format!("s{n}"))).collect();
    once.insert(0, json!("list"));
    assert_eq!(asked(&stand), once);
}

#[tokio::test]
async fn where_the_list_is_not_given_the_server_itself_is_asked() {
    let (clouds, stand) = world(1).await;
    let tokens = ordered(&clouds[0], &stand, 1).await;
    stand.lock().unwrap().insert("no lists".into(), Vec::new());
    let still = polled(&clouds[0], &tokens).await;
    assert!(matches!(still[0], Outcome::Running { .. }), "{still:?}");
    all_stand(&stand);
    let built = polled(&clouds[0], &tokens).await;
    assert!(matches!(built[0], Outcome::Done(_)), "{built:?}");
    assert!(asked(&stand).contains(&json!("s1")));
}
