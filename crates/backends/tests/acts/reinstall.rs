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
        json!({ "server": id, "action": "rebuild", "request_id": format!("req-{number}"), "message": null }),
    );
    match fault {
        Some(What::Say(status, body)) => said(status, body),
        _ => StatusCode::ACCEPTED.into_response(),
    }
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
    w.status("PAUSED");
    let asleep = w.cloud.execute(&"c".into(), with_key()).await;
    assert_eq!(reason(asleep), RefusalReason::Conflict);
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
