//! Installing a server anew, against a stand-in that takes the order as Nova does: metadata and order
//! in one step.
use super::*;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqP6 zhang";

/// Takes the order for a rebuild, or does what was ordered instead.
pub fn serve(stand: &mut Stand, id: &str, asked: &Value) -> Response {
    let fault = stand.faults.pop_front();
    if let Some(What::Refuse(status, body)) = fault {
        return said(status, body);
    }
    let number = stand.actions.len() + 1;
    let it = stand.servers.iter_mut().find(|it| it["id"] == id).unwrap();
    let status = it["status"].as_str().unwrap();
    if !["ACTIVE", "SHUTOFF", "ERROR"].contains(&status) {
        let words = format!("Cannot 'rebuild' instance {id} while it is in vm_state {status}");
        let words = json!({ "conflictingRequest": { "code": 409, "message": words } });
        return said(409, &words.to_string());
    }
    if status == "ERROR" {
        it["status"] = json!("ACTIVE");
    }
    it["metadata"] = asked["metadata"].clone();
    stand.rebuilds.push(asked.clone());
    stand.actions.push(
        json!({ "server": id, "action": "rebuild", "request_id": format!("req-{number}"), "message": null,
            "events": [reported("rebuild_server", "Success"), reported("compute_rebuild_instance", "Success")] }),
    );
    match fault {
        Some(What::Say(status, body)) => said(status, body),
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

/// What a part of Nova says of its share in an order; without a result while it works on it.
fn reported(event: &str, result: &str) -> Value {
    let result = Some(result).filter(|result| !result.is_empty());
    json!({ "event": event, "result": result })
}

fn install(access: Access) -> Call {
    Call::ReinstallServer {
        server: id(),
        image: "kylin-v10".into(),
        access,
    }
}

fn with_key() -> Call {
    install(Access::SshKeys(vec![KEY.into()]))
}

fn with_password() -> Call {
    install(Access::OneTimePassword)
}

/// A server that starts from a volume, with an image to install.
async fn with_image(status: &str) -> World {
    let w = with_server(status).await;
    w.say("/image/v2/images", r#"{"images":[{"id":"img-1"}]}"#);
    let mut stand = w.stand.lock().unwrap();
    stand.servers[0]["image"] = json!("");
    stand.servers[0]["metadata"] = json!({ "lingbao_op": "made", "lingbao_act": "b req-1", "of_others": "kept",
        "lingbao_access": "keys", "lingbao_key_00": "ssh-rsa OLD" });
    drop(stand);
    w
}

impl World {
    fn rebuilds(&self) -> Vec<Value> {
        self.stand.lock().unwrap().rebuilds.clone()
    }

    /// What the parts of Nova say of the newest action.
    fn report(&self, events: &[(&str, &str)]) {
        let events: Vec<Value> = events.iter().map(|it| reported(it.0, it.1)).collect();
        let mut stand = self.stand.lock().unwrap();
        stand.actions.last_mut().unwrap()["events"] = json!(events);
    }

    /// The server's disks, by their states.
    fn disks(&self, states: &[&str]) {
        let mut stand = self.stand.lock().unwrap();
        let name = |n: usize| format!("v{}", n + 1);
        stand.volumes = states
            .iter()
            .enumerate()
            .map(|(n, status)| {
                json!({ "id": name(n), "status": status, "metadata": {}, "attachments": [],
                    "os-vol-tenant-attr:tenant_id": "p1" })
            })
            .collect();
        let ids: Vec<Value> = (0..states.len())
            .map(|n| json!({ "id": name(n) }))
            .collect();
        stand.servers[0]["os-extended-volumes:volumes_attached"] = json!(ids);
    }

    /// What Nova says of the newest action, and where it leaves the server.
    fn ends(&self, status: &str, message: &str) {
        let mut stand = self.stand.lock().unwrap();
        stand.actions.last_mut().unwrap()["message"] = json!(message);
        stand.servers[0]["status"] = json!(status);
        stand.servers[0]["fault"] =
            json!({ "message": "Failed to rebuild volume backed instance." });
    }
}

#[tokio::test]
async fn an_installation_says_all_in_one_order_and_is_waited_for() {
    let w = with_image("ACTIVE").await;
    let begun = w.cloud.execute(&"op".into(), with_key()).await;
    let Outcome::Running { poll, .. } = begun else {
        panic!("{begun:?}")
    };
    w.status("REBUILD");
    let under_way = w.cloud.poll(&poll).await;
    assert!(
        matches!(under_way, Outcome::Running { .. }),
        "{under_way:?}"
    );
    w.status("ACTIVE");
    let there = settled(w.cloud.poll(&poll).await);
    assert_eq!(there.spec.access, Access::SshKeys(vec![KEY.into()]));
    assert_eq!(there.installed_by, Some("op".into()));
    assert_eq!(
        (there.operation, there.one_time_password),
        ("made".into(), None)
    );
    let all = w.rebuilds();
    assert_eq!(all.len(), 1);
    let asked = &all[0];
    assert_eq!(asked["imageRef"], "img-1");
    // Given and empty: a key pair that somebody else gave it opens nothing any more.
    assert!(asked.get("key_name").is_some_and(Value::is_null));
    assert!(asked.get("adminPass").is_none() && asked["user_data"].is_string());
    // It takes the place of what stood there.
    let meta = &asked["metadata"];
    assert_eq!(
        (&meta["of_others"], &meta["lingbao_act"]),
        (&json!("kept"), &json!("b req-1"))
    );
    assert_eq!(
        (&meta["lingbao_key_00"], &meta["lingbao_image"]),
        (&json!(KEY), &json!("kylin-v10"))
    );
    let seen = w.stand.lock().unwrap().seen.clone();
    let asked = seen.iter().find(|it| it.0 == "POST" && it.1 == ACTION);
    assert_eq!(asked.unwrap().2, "compute 2.93");
}

#[tokio::test]
async fn after_a_lost_answer_one_look_says_whether_it_was_taken() {
    for taken in [true, false] {
        let w = with_image("SHUTOFF").await;
        // Lost on its way there, or on its way back.
        let lost = if taken {
            What::Say(504, "<html>Gateway time-out</html>")
        } else {
            What::Refuse(504, "<html>Gateway time-out</html>")
        };
        w.fault(lost);
        let first = w.cloud.execute(&"op".into(), with_password()).await;
        assert!(matches!(first, Outcome::Unknown(_)), "{first:?}");
        if !taken {
            // What may still be on its way is not asked for again at once.
            let early = w.cloud.execute(&"op".into(), with_password()).await;
            assert!(matches!(early, Outcome::Running { .. }), "{early:?}");
            w.pass(10_000);
        }
        let there = settled(w.settle("op", with_password()).await);
        assert_eq!(there.power, Power::Stopped);
        let password = there.one_time_password.unwrap();
        assert_eq!(w.rebuilds().len(), 1);
        assert_eq!(w.rebuilds()[0]["adminPass"], password.0);
        // Told twice, and to a process that knows nothing.
        for cloud in [w.cloud.clone(), w.elsewhere()] {
            let again = settled(cloud.execute(&"op".into(), with_password()).await);
            assert_eq!(again.one_time_password, Some(password.clone()));
        }
        assert_eq!(w.rebuilds().len(), 1);
    }
}

#[tokio::test]
async fn one_that_comes_late_is_not_done_after_another() {
    let w = with_image("ACTIVE").await;
    let _ = settled(w.settle("a", with_password()).await);
    let _ = settled(w.settle("stop", Call::StopServer { server: id() }).await);
    let _ = settled(w.settle("b", with_key()).await);
    for cloud in [w.cloud.clone(), w.elsewhere()] {
        let late = settled(cloud.execute(&"a".into(), with_password()).await);
        assert_eq!(late.installed_by, Some("b".into()));
        assert_eq!(late.one_time_password, None);
    }
    assert_eq!(w.words(), ["rebuild", "stop", "rebuild"]);
}

#[tokio::test]
async fn what_fails_half_way_is_broken_and_another_installation_helps() {
    for (status, words) in [("ERROR", "volume backed"), ("ACTIVE", "list of actions")] {
        let w = with_image("ACTIVE").await;
        let _ = w.cloud.execute(&"a".into(), with_key()).await;
        w.ends(status, "Error");
        for cloud in [w.cloud.clone(), w.elsewhere()] {
            match cloud.execute(&"a".into(), with_key()).await {
                Outcome::Refused(refusal) => {
                    assert_eq!(refusal.reason, RefusalReason::Broken);
                    assert!(refusal.detail.contains(words), "{}", refusal.detail);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(w.rebuilds().len(), 1);
        let there = settled(w.settle("b", with_key()).await);
        assert_eq!(there.power, Power::Active);
        assert_eq!(w.rebuilds().len(), 2);
    }
    // Not out of an error that nobody knows.
    let w = with_image("ERROR").await;
    let refused = w.cloud.execute(&"a".into(), with_key()).await;
    assert_eq!(reason(refused), RefusalReason::Conflict);
}

#[tokio::test]
async fn what_no_host_has_reported_as_done_is_not_done() {
    const HOST: &str = "compute_rebuild_instance";
    let begin = async || {
        let w = with_image("ACTIVE").await;
        let begun = w.cloud.execute(&"op".into(), with_password()).await;
        assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
        w
    };
    // The order was lost on its way to the host, or broke off in it and somebody has reset the state.
    for events in [
        &[("rebuild_server", "Success"), (HOST, "")][..],
        &[("rebuild_server", "Success")],
        &[],
    ] {
        let w = begin().await;
        w.report(events);
        for _ in 0..2 {
            let waits = w.cloud.execute(&"op".into(), with_password()).await;
            assert!(matches!(waits, Outcome::Running { .. }), "{waits:?}");
            w.pass(5_000);
        }
        let lost = w.cloud.execute(&"op".into(), with_password()).await;
        assert_eq!(reason(lost), RefusalReason::Broken, "{events:?}");
        assert_eq!(w.rebuilds().len(), 1);
    }
    // The report comes a moment after the state.
    let w = begin().await;
    w.report(&[("rebuild_server", "Success"), (HOST, "")]);
    let waits = w.cloud.execute(&"op".into(), with_password()).await;
    assert!(matches!(waits, Outcome::Running { .. }), "{waits:?}");
    w.report(&[("rebuild_server", "Success"), (HOST, "Success")]);
    let there = settled(w.cloud.execute(&"op".into(), with_password()).await);
    assert!(there.one_time_password.is_some());
    for events in [
        &[("rebuild_server", "Error")][..],
        &[("rebuild_server", "Success"), (HOST, "Error")],
    ] {
        let w = begin().await;
        w.report(events);
        let failed = w.cloud.execute(&"op".into(), with_password()).await;
        assert_eq!(reason(failed), RefusalReason::Broken, "{events:?}");
    }
    // Somebody else's, by hand and later, says nothing of ours.
    let w = begin().await;
    w.stand.lock().unwrap().actions.push(
        json!({ "server": "s1", "action": "rebuild", "request_id": "req-9", "message": "Error" }),
    );
    let there = settled(w.cloud.execute(&"op".into(), with_password()).await);
    assert_eq!(there.installed_by, Some("op".into()));
}

#[tokio::test]
async fn what_is_taken_and_can_not_be_read_any_more_is_never_told_as_not_begun() {
    // The server is gone with it.
    let w = with_image("ACTIVE").await;
    let _ = w.cloud.execute(&"op".into(), with_key()).await;
    w.status("DELETED");
    let gone = w.cloud.execute(&"op".into(), with_key()).await;
    assert_eq!(reason(gone), RefusalReason::Broken);
    let never = w.cloud.execute(&"other".into(), with_key()).await;
    assert_eq!(reason(never), RefusalReason::NotFound);
    // A later version of this program judges its way in otherwise: the mark counts.
    let w = with_image("ACTIVE").await;
    let _ = w.cloud.execute(&"op".into(), with_key()).await;
    let other = install(Access::SshKeys(Vec::new()));
    let there = settled(w.elsewhere().execute(&"op".into(), other.clone()).await);
    assert_eq!(there.installed_by, Some("op".into()));
    let unbegun = w.elsewhere().execute(&"new".into(), other).await;
    assert_eq!(reason(unbegun), RefusalReason::InvalidSpec);
}

#[tokio::test]
async fn another_installation_helps_only_where_every_disk_is_still_attached() {
    for (states, helps) in [
        (&["in-use", "in-use"][..], true),
        (&["error", "in-use"], false),
        (&["in-use", "reserved"], false),
    ] {
        let w = with_image("ACTIVE").await;
        let _ = w.cloud.execute(&"a".into(), with_key()).await;
        w.ends("ERROR", "Error");
        w.disks(states);
        let told = w.cloud.execute(&"b".into(), with_key()).await;
        if helps {
            assert!(matches!(told, Outcome::Running { .. }), "{told:?}");
        } else {
            assert_eq!(reason(told), RefusalReason::Broken, "{states:?}");
        }
        assert_eq!(w.rebuilds().len(), if helps { 2 } else { 1 });
    }
}

#[tokio::test]
async fn what_nova_does_not_take_leaves_the_server_as_it_was() {
    let old = "Invalid imageRef provided.";
    let w = with_image("ACTIVE").await;
    w.fault(What::Refuse(
        400,
        r#"{"badRequest":{"message":"Invalid imageRef provided."}}"#,
    ));
    match w.cloud.execute(&"a".into(), with_key()).await {
        Outcome::Refused(refusal) => {
            assert_eq!(refusal.reason, RefusalReason::InvalidSpec);
            assert!(refusal.detail.contains(old), "{}", refusal.detail);
        }
        other => panic!("{other:?}"),
    }
    let there = w.server().await;
    assert_eq!((there.installed_by, w.rebuilds().len()), (None, 0));
    w.status("REBUILD");
    let busy = w.cloud.execute(&"b".into(), with_key()).await;
    assert_eq!(reason(busy), RefusalReason::Conflict);
    // Nova takes the order in no such state, however long one asks.
    for status in ["PAUSED", "SUSPENDED", "SHELVED_OFFLOADED", "RESCUE"] {
        w.status(status);
        let asleep = w.cloud.execute(&"c".into(), with_key()).await;
        assert_eq!(reason(asleep), RefusalReason::Unsupported, "{status}");
    }
    assert_eq!(w.asked("POST", ACTION), 1);
    let none = Call::ReinstallServer {
        server: id(),
        image: "none".into(),
        access: Access::OneTimePassword,
    };
    w.status("ACTIVE");
    let none = w.cloud.execute(&"d".into(), none).await;
    assert_eq!(reason(none), RefusalReason::InvalidSpec);
}

#[tokio::test]
async fn an_older_nova_is_told_from_one_that_can() {
    for (nova, image, can) in [
        ("2.92", json!(""), false),
        ("2.93", json!(""), true),
        ("2.92", json!({ "id": "img-0" }), true),
        ("2.56", json!({ "id": "img-0" }), false),
    ] {
        let w = with_image("ACTIVE").await;
        {
            let mut stand = w.stand.lock().unwrap();
            stand.nova = nova;
            stand.servers[0]["image"] = image.clone();
        }
        let told = w.cloud.execute(&"a".into(), with_key()).await;
        if can {
            assert!(matches!(told, Outcome::Running { .. }), "{nova} {told:?}");
        } else {
            assert_eq!(reason(told), RefusalReason::Unsupported, "{nova}");
            assert!(w.rebuilds().is_empty());
        }
        // What the portal offers is what its own servers can be given: they start from volumes.
        let able = w.cloud.capabilities().await.unwrap();
        let offered = able.calls.contains(&CallKind::ReinstallServer);
        assert_eq!(offered, nova == "2.93", "{nova}");
    }
}
