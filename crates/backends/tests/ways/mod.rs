//! Ways outside: routers and addresses; and what comes late.
use super::*;

/// Set, it makes Neutron lose the answer to the next of these, and make it only when it is let.
const LATE: &str = "late";
/// Set, Neutron makes no subnet.
const HIDDEN: &str = "hidden";

/// What Neutron does with routers that go, and with a group whose making takes its time.
pub fn neutron(
    stand: &mut BTreeMap<String, Vec<Value>>,
    method: &Method,
    path: &str,
    body: &Value,
) -> Option<Response> {
    if method == Method::POST && path == "security-groups" {
        let late = stand.get_mut(LATE).filter(|late| late.is_empty())?;
        let mut group = body["security_group"].clone();
        group["id"] = json!("late");
        group["created_at"] = json!("2026-01-01T00:00:00Z");
        late.push(group);
        return Some(StatusCode::GATEWAY_TIMEOUT.into_response());
    }
    if method == Method::POST && path == "subnets" && stand.contains_key(HIDDEN) {
        return Some(refused(StatusCode::BAD_REQUEST, "InvalidInput"));
    }
    let id = path
        .strip_prefix("routers/")
        .filter(|_| method == Method::DELETE)?;
    let stands = |port: &Value| port["device_id"] == id;
    if stand.get("ports").is_some_and(|all| all.iter().any(stands)) {
        return Some(refused(StatusCode::CONFLICT, "RouterInUse"));
    }
    let all = stand.get_mut("routers").unwrap();
    let before = all.len();
    all.retain(|it| it["id"] != id);
    if all.len() == before {
        return Some(refused(StatusCode::NOT_FOUND, "RouterNotFound"));
    }
    Some(StatusCode::NO_CONTENT.into_response())
}

#[tokio::test]
async fn the_first_address_leads_a_network_without_a_router_outside() {
    let (clouds, stand) = world(1).await;
    {
        let mut stand = stand.lock().unwrap();
        // Finished while the configuration had no external network.
        let network = json!({ "id": "n1", "project_id": "p1", "name": "vpc", "subnets": ["sub"],
            "description": "lingbao:old key:vpc cidr:10.8.0.0/24",
            "tags": ["lingbao", "lingbao-ready"] });
        stand.get_mut("networks").unwrap().push(network);
        let subnet = json!({ "id": "sub", "network_id": "n1" });
        stand.insert("subnets".into(), vec![subnet]);
        let port = |id: &str, owner: &str, project: &str| {
            json!({ "id": id, "device_id": "s1", "device_owner": owner, "network_id": "n1",
                "project_id": project, "fixed_ips": [{ "subnet_id": "sub" }] })
        };
        let forged = [port("x", "", "p1"), port("y", "compute:nova", "p2")];
        let own = port("z", "compute:nova", "p1");
        stand.insert("ports".into(), [&forged[..], &[own]].concat());
        let address = |id: &str, of: &str| json!({ "id": id, "floating_network_id": of, "project_id": "p1", "description": "lingbao:a" });
        let both = vec![address("f1", "ext"), address("f2", "other")];
        stand.insert("floatingips".into(), both);
    }
    let lead = async |id: &'static str| {
        let (op, address, server) = (OperationId::from(id), id.into(), Some("s1".into()));
        let call = Call::AssociateAddress { address, server };
        clouds[0].execute(&op, call).await
    };
    let led = lead("f1").await;
    assert!(matches!(led, Outcome::Done(_)), "{led:?}");
    {
        let stand = stand.lock().unwrap();
        assert_eq!(stand["floatingips"][0]["port_id"], "z");
        let gateway = &stand["routers"][0]["external_gateway_info"];
        assert_eq!(gateway["network_id"], "ext");
    }
    // A router has one way alone.
    match lead("f2").await {
        Outcome::Refused(refusal) => assert_eq!(refusal.reason, RefusalReason::Conflict),
        other => panic!("{other:?}"),
    }
    assert_eq!(stand.lock().unwrap()["routers"].len(), 1);
}

/// A network of the portal's, finished or not, whose routers are these.
fn network_with(stand: &Stand, tags: &[&str], routers: Vec<Value>) {
    let mut stand = stand.lock().unwrap();
    let network = json!({ "id": "n1", "project_id": "p1", "name": "vpc", "subnets": ["sub"],
        "description": "lingbao:old key:vpc cidr:10.8.0.0/24", "tags": tags,
        "created_at": "2026-01-01T00:00:00Z" });
    stand.get_mut("networks").unwrap().push(network);
    let subnet = json!({ "id": "sub", "network_id": "n1" });
    stand.insert("subnets".into(), vec![subnet]);
    stand.insert("routers".into(), routers);
}

fn router(id: &str, name: &str, description: &str) -> Value {
    json!({ "id": id, "name": name, "description": description, "project_id": "p1",
        "created_at": format!("2026-01-01T00:00:0{}Z", &id[1..]),
        "external_gateway_info": { "network_id": "ext" } })
}

fn routers(stand: &Stand) -> Vec<String> {
    let stand = stand.lock().unwrap();
    let all = stand["routers"].iter();
    all.map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn of_the_routers_that_were_made_for_a_network_one_stays() {
    let (clouds, stand) = world(1).await;
    let both = ["r1", "r2"].map(|id| router(id, "lingbao-n1", "lingbao:old"));
    // Somebody else's of the same name, and one of another network.
    let others = [
        router("r3", "lingbao-n1", "made by hand"),
        router("r4", "lingbao-n2", "lingbao:old"),
    ];
    network_with(&stand, &[], [both, others].concat());
    assert_eq!(ensure(clouds[0].clone(), "op".into()).await.id, "n1".into());
    assert_eq!(routers(&stand), ["r1", "r3", "r4"]);
    assert_eq!(stand.lock().unwrap()["ports"][0]["device_id"], "r1");
}

#[tokio::test]
async fn what_stands_in_a_network_is_its_router() {
    let (clouds, stand) = world(1).await;
    // Another's stands in the network: what was made for it goes, and its way is left as it is.
    let mut of_hand = router("r1", "by hand", "");
    of_hand["external_gateway_info"] = Value::Null;
    let foot = json!({ "device_id": "r1", "network_id": "n1", "project_id": "p1",
        "device_owner": "network:router_interface" });
    stand.lock().unwrap().insert("ports".into(), vec![foot]);
    let double = router("r2", "lingbao-n1", "lingbao:old");
    network_with(&stand, &[], vec![of_hand.clone(), double]);
    ensure(clouds[0].clone(), "op".into()).await;
    assert_eq!(stand.lock().unwrap()["routers"], [of_hand]);
}

const FINISHED: [&str; 3] = ["lingbao", "lingbao-ready", "of an operator"];

#[tokio::test]
async fn what_somebody_deleted_of_a_network_is_there_again_with_the_next_order() {
    let (clouds, stand) = world(3).await;
    network_with(&stand, &FINISHED, Vec::new());
    ensure(clouds[0].clone(), "a".into()).await;
    assert_eq!(routers(&stand).len(), 1);
    {
        let mut stand = stand.lock().unwrap();
        let gateway = &stand["routers"][0]["external_gateway_info"];
        assert_eq!(gateway["network_id"], "ext");
        // The subnet and, before it, the router's foot.
        stand.insert("ports".into(), Vec::new());
        stand.insert("subnets".into(), Vec::new());
        stand.get_mut("networks").unwrap()[1]["subnets"] = json!([]);
    }
    ensure(clouds[1].clone(), "b".into()).await;
    let before = {
        let stand = stand.lock().unwrap();
        assert_eq!((stand["subnets"].len(), stand["ports"].len()), (1, 1));
        assert_eq!(stand["subnets"][0]["cidr"], "10.8.0.0/24");
        assert_eq!(stand["routers"].len(), 1);
        assert_eq!(stand["networks"][1]["tags"], json!(FINISHED));
        stand.clone()
    };
    // What is whole is left as it is.
    ensure(clouds[2].clone(), "c".into()).await;
    assert_eq!(*stand.lock().unwrap(), before);
}

#[tokio::test]
async fn a_network_that_lacks_a_part_is_told_and_is_whole_when_it_is_ensured_again() {
    let (clouds, stand) = world(1).await;
    let cloud = &clouds[0];
    let told = async || {
        let lacking = cloud.lacking_networks().await.unwrap();
        let parts = lacking.into_iter();
        parts
            .map(|one| (one.network.id.0, one.subnet, one.router))
            .collect::<Vec<_>>()
    };
    network_with(&stand, &FINISHED, Vec::new());
    assert_eq!(told().await, [("n1".to_owned(), true, false)]);
    ensure(cloud.clone(), "a".into()).await;
    assert_eq!(told().await, []);
    {
        let mut stand = stand.lock().unwrap();
        stand.insert("ports".into(), Vec::new());
        stand.insert("subnets".into(), Vec::new());
        stand.get_mut("networks").unwrap()[1]["subnets"] = json!([]);
    }
    assert_eq!(told().await, [("n1".to_owned(), false, false)]);
    // What was kept of it a moment ago is not believed any more.
    ensure(cloud.clone(), "b".into()).await;
    assert_eq!(told().await, []);
    // One that is still being set up lacks nothing.
    stand.lock().unwrap().get_mut("networks").unwrap()[1]["tags"] = json!(["lingbao"]);
    stand.lock().unwrap().insert("ports".into(), Vec::new());
    assert_eq!(told().await, []);
}

#[tokio::test]
async fn a_network_that_can_t_be_mended_waits_for_an_operator() {
    let (clouds, stand) = world(1).await;
    network_with(&stand, &FINISHED, Vec::new());
    // Neutron has another subnet with these addresses, and does not show it.
    {
        let mut stand = stand.lock().unwrap();
        stand.get_mut("networks").unwrap()[1]["subnets"] = json!([]);
        stand.get_mut("subnets").unwrap()[0]["network_id"] = json!("hidden");
        stand.insert(HIDDEN.into(), Vec::new());
    }
    let spec = NetworkSpec {
        project: "p1".into(),
        key: "vpc".into(),
        name: "vpc".into(),
        cidr: "10.8.0.0/24".into(),
    };
    match clouds[0].ensure_network(&"op".into(), spec).await {
        Outcome::Refused(refusal) => {
            assert_eq!(refusal.reason, RefusalReason::Conflict);
            assert!(refusal.detail.contains("lacks"), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_address_is_not_done_before_its_pool_is_written_to_it() {
    let (clouds, stand) = world(2).await;
    // Taken, and its taker died before it could write the tags.
    let address = json!({ "id": "f1", "floating_network_id": "ext", "project_id": "p1",
        "description": "lingbao:a" });
    let all = vec![address];
    stand.lock().unwrap().insert("floatingips".into(), all);
    let op = OperationId::from("a");
    match clouds[0].find_by_operation(&op).await.unwrap() {
        // Who has undone the operation finds by this what to give back.
        OperationState::Failed { left, .. } => assert_eq!(left, Some("f1".into())),
        other => panic!("{other:?}"),
    }
    let spec = AddressSpec {
        project: "p1".into(),
        pool: "p".into(),
        bandwidth_mbps: 5,
    };
    let taken = clouds[0].allocate_address(&op, spec.clone()).await;
    assert!(
        matches!(&taken, Outcome::Done(it) if it.spec == spec),
        "{taken:?}"
    );
    match clouds[1].find_by_operation(&op).await.unwrap() {
        OperationState::Done(Settled::Present(object)) => assert_eq!(object.id(), &"f1".into()),
        other => panic!("{other:?}"),
    }
    assert_eq!(stand.lock().unwrap()["floatingips"].len(), 1);
}

#[tokio::test]
async fn after_a_lost_answer_a_presets_group_is_not_made_twice() {
    let (clouds, stand) = world(2).await;
    {
        let mut stand = stand.lock().unwrap();
        let network = private_network("p1");
        stand.get_mut("networks").unwrap().push(network);
        stand.insert(LATE.into(), Vec::new());
    }
    let lost = order(&clouds[0], "p1", "level2").await;
    assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    // Neutron still works on it: nothing is asked for again before it may be there.
    let waits = order(&clouds[0], "p1", "level2").await;
    assert!(matches!(waits, Outcome::Running { .. }), "{waits:?}");
    assert!(!stand.lock().unwrap().contains_key("security-groups"));
    {
        let mut stand = stand.lock().unwrap();
        let came = stand[LATE].clone();
        stand.insert("security-groups".into(), came);
    }
    let made = order(&clouds[1], "p1", "level2").await;
    assert!(matches!(made, Outcome::Running { .. }), "{made:?}");
    assert_eq!(stand.lock().unwrap()["security-groups"].len(), 1);
}
