//! Acts on a server, against a stand-in for Nova's servers that resizes, sleeps and wakes up as Nova
//! does.
mod reinstall;

use super::*;

const ACTION: &str = "/compute/v2.1/servers/s1/action";
const SERVERS: &str = "/compute/v2.1/servers";

/// What is asked of Nova about servers.
pub fn serve(
    stand: &mut Stand,
    method: &Method,
    path: &str,
    query: &str,
    body: &[u8],
) -> Option<Response> {
    let json = |value: Value| Some(Body::from(value.to_string()).into_response());
    let flavours = || {
        let of = |id: &str, vcpus: u32, ram: u32, disk: u32| json!({ "id": id, "name": id, "vcpus": vcpus, "ram": ram, "disk": disk });
        [
            of("small", 1, 2_048, 0),
            of("large", 2, 4_096, 0),
            of("large-20", 2, 4_096, 20),
            of("large-60", 2, 4_096, 60),
            of("large-40", 2, 4_096, 40),
        ]
    };
    let parts: Vec<&str> = path.strip_prefix("/compute/v2.1/")?.split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["flavors", "detail"]) => json(json!({ "flavors": flavours() })),
        ("GET", ["servers"] | ["servers", "detail"]) => {
            let filter = |name: &str| {
                let all = query.split('&').find_map(|it| it.strip_prefix(name));
                all.map(str::to_owned)
            };
            let mut found = stand.servers.clone();
            if let Some(status) = filter("status=") {
                found.retain(|it| it["status"] == status);
            }
            if filter("tags=").is_some() {
                found.clear();
            }
            json(json!({ "servers": found }))
        }
        ("GET", ["servers", id, "os-instance-actions"]) => {
            let own = |it: &&Value| it["server"] == *id;
            let mut all: Vec<Value> = stand.actions.iter().filter(own).rev().cloned().collect();
            // Only one that is asked for by itself tells them.
            for it in &mut all {
                it.as_object_mut().unwrap().remove("events");
            }
            json(json!({ "instanceActions": all }))
        }
        ("GET", ["servers", id, "os-instance-actions", request]) => {
            let own = |it: &&Value| it["server"] == *id && it["request_id"] == *request;
            let it = stand.actions.iter().find(own)?;
            json(json!({ "instanceAction": it }))
        }
        ("GET", ["servers", id]) => {
            let it = stand.servers.iter().find(|it| it["id"] == *id)?;
            json(json!({ "server": it }))
        }
        ("POST", ["servers", id, "metadata"]) => {
            let asked: Value = serde_json::from_slice(body).unwrap();
            let it = stand.servers.iter_mut().find(|it| it["id"] == *id)?;
            for (key, value) in asked["metadata"].as_object().unwrap() {
                it["metadata"][key] = value.clone();
            }
            json(asked)
        }
        ("POST", ["servers", id, "action"]) => {
            let asked: Value = serde_json::from_slice(body).unwrap();
            let (name, asked) = asked.as_object().unwrap().iter().next().unwrap();
            if name == "rebuild" {
                return Some(reinstall::serve(stand, id, asked));
            }
            let it = stand.servers.iter_mut().find(|it| it["id"] == *id)?;
            if name == "changePassword" {
                return Some(match stand.agent {
                    Some((status, words)) => {
                        let said =
                            json!({ "conflictingRequest": { "code": status, "message": words } });
                        self::said(status, &said.to_string())
                    }
                    None => {
                        let word = asked["adminPass"].as_str().unwrap();
                        stand.passwords.push(word.to_owned());
                        StatusCode::ACCEPTED.into_response()
                    }
                });
            }
            let (from, to) = match name.as_str() {
                "os-start" => ("SHUTOFF", "ACTIVE"),
                "os-stop" => ("ACTIVE", "SHUTOFF"),
                "reboot" => ("ACTIVE", "ACTIVE"),
                "unpause" => ("PAUSED", "ACTIVE"),
                "resume" => ("SUSPENDED", "ACTIVE"),
                "unshelve" => ("SHELVED_OFFLOADED", "ACTIVE"),
                "resize" => ("ACTIVE", "VERIFY_RESIZE"),
                "confirmResize" | "revertResize" => ("VERIFY_RESIZE", "ACTIVE"),
                other => panic!("{other}"),
            };
            let way_out = name == "os-stop" || asked["type"] == "HARD";
            let errs = way_out && it["status"] == "ERROR";
            if it["status"] != from && !errs {
                let said = format!("Cannot '{name}' instance while it is {}", it["status"]);
                let said = json!({ "conflictingRequest": { "code": 409, "message": said } });
                return Some(self::said(409, &said.to_string()));
            }
            it["status"] = json!(to);
            match name.as_str() {
                "resize" => {
                    let old = it["flavor"].take();
                    stand.before.insert((*id).to_owned(), old);
                    let new = flavours()
                        .into_iter()
                        .find(|one| one["id"] == asked["flavorRef"]);
                    it["flavor"] = new.unwrap();
                }
                "revertResize" => it["flavor"] = stand.before[*id].clone(),
                _ => {}
            }
            let number = stand.actions.len() + 1;
            let action = name.trim_start_matches("os-");
            stand
                .actions
                .push(json!({ "server": id, "action": action, "request_id": format!("req-{number}"), "message": null }));
            Some(StatusCode::ACCEPTED.into_response())
        }
        _ => None,
    }
}

async fn with_server(status: &str) -> World {
    let w = world().await;
    {
        let mut stand = w.stand.lock().unwrap();
        stand.servers.push(
            json!({ "id": "s1", "tenant_id": "p1", "name": "h", "status": status,
            "metadata": {}, "flavor": { "vcpus": 1, "ram": 2_048 },
            "updated": "2026-01-01T00:00:00Z", "created": "2026-01-01T00:00:00Z" }),
        );
        stand.actions.push(
            json!({ "server": "s1", "action": "create", "request_id": "req-1", "message": null }),
        );
    }
    w
}

const LARGE: ServerSize = ServerSize {
    vcpus: 2,
    memory_gb: 4,
};
const SMALL: ServerSize = ServerSize {
    vcpus: 1,
    memory_gb: 2,
};

fn id() -> ExternalId {
    "s1".into()
}

fn resize(size: ServerSize) -> Call {
    Call::ResizeServer { server: id(), size }
}

impl World {
    /// Asks until it is settled.
    async fn settle(&self, op: &str, call: Call) -> Outcome<Settled> {
        for _ in 0..9 {
            match self.cloud.execute(&op.into(), call.clone()).await {
                Outcome::Running { .. } => {}
                outcome => return outcome,
            }
        }
        panic!("{op} goes on for ever")
    }

    /// What was asked of the server, the oldest first.
    fn words(&self) -> Vec<String> {
        let stand = self.stand.lock().unwrap();
        let all = stand.actions.iter().skip(1);
        all.map(|it| it["action"].as_str().unwrap().to_owned())
            .collect()
    }

    fn status(&self, status: &str) {
        self.stand.lock().unwrap().servers[0]["status"] = json!(status);
    }

    async fn server(&self) -> Server {
        let there = self.cloud.get(Kind::Server, &id()).await.unwrap();
        there.and_then(Object::into_server).unwrap()
    }

    /// Another process on the same cloud.
    fn elsewhere(&self) -> OpenStack {
        open(&self.stand.lock().unwrap().url, &self.now)
    }
}

fn settled(outcome: Outcome<Settled>) -> Server {
    match outcome {
        Outcome::Done(Settled::Present(object)) => object.into_server().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn reason<T: std::fmt::Debug>(outcome: Outcome<T>) -> RefusalReason {
    match outcome {
        Outcome::Refused(refusal) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

const CANCELLED: OperationState = OperationState::Cancelled { left: None };

#[tokio::test]
async fn what_is_in_error_is_restarted_hard_and_waited_for() {
    let w = with_server("ERROR").await;
    let restart = || Call::RestartServer { server: id() };
    let begun = w.cloud.execute(&"op".into(), restart()).await;
    assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
    // Nova calls it an error until it runs.
    w.status("ERROR");
    w.stand.lock().unwrap().servers[0]["updated"] = json!(null);
    let still = w.cloud.execute(&"op".into(), restart()).await;
    assert!(matches!(still, Outcome::Running { .. }), "{still:?}");
    w.status("ACTIVE");
    let there = settled(w.cloud.execute(&"op".into(), restart()).await);
    assert_eq!(there.power, Power::Active);
    assert_eq!(w.words(), ["reboot"]);
}

#[tokio::test]
async fn what_is_in_error_can_be_switched_off_and_neither_started_nor_resized() {
    let w = with_server("ERROR").await;
    let resized = w.cloud.execute(&"larger".into(), resize(LARGE)).await;
    assert_eq!(reason(resized), RefusalReason::Conflict);
    let started = w.cloud.start_server(&"on".into(), "s1".into()).await;
    assert!(matches!(started, Outcome::Refused(_)), "{started:?}");
    let stopped = w.cloud.stop_server(&"off".into(), "s1".into()).await;
    assert!(matches!(stopped, Outcome::Running { .. }), "{stopped:?}");
    match w.cloud.stop_server(&"off".into(), "s1".into()).await {
        Outcome::Done(server) => assert_eq!(server.power, Power::Stopped),
        other => panic!("{other:?}"),
    }
    assert_eq!(w.asked("POST", ACTION), 1);
}

#[tokio::test]
async fn who_ordered_a_resize_says_yes_to_it() {
    let w = with_server("ACTIVE").await;
    let there = settled(w.settle("op", resize(LARGE)).await);
    assert_eq!((there.spec.vcpus, there.spec.memory_gb), (2, 4));
    assert_eq!(w.words(), ["resize", "confirmResize"]);
    // What is over is not taken back.
    assert_eq!(w.cloud.cancel(&"op".into()).await, Outcome::Done(CANCELLED));
    assert_eq!(w.words(), ["resize", "confirmResize"]);
    assert_eq!(w.server().await.spec.vcpus, 2);
}

#[tokio::test]
async fn a_server_that_starts_from_an_image_keeps_as_large_a_disk() {
    for (disk, taken) in [(20, "large-20"), (30, "large-40"), (40, "large-40")] {
        let w = with_server("ACTIVE").await;
        {
            let mut stand = w.stand.lock().unwrap();
            stand.servers[0]["image"] = json!({ "id": "img-1" });
            stand.servers[0]["flavor"] = json!({ "vcpus": 1, "ram": 2_048, "disk": disk });
        }
        let _ = settled(w.settle("op", resize(LARGE)).await);
        let flavour = w.stand.lock().unwrap().servers[0]["flavor"]["id"].clone();
        assert_eq!(flavour, taken, "{disk}");
    }
    let w = with_server("ACTIVE").await;
    {
        let mut stand = w.stand.lock().unwrap();
        stand.servers[0]["image"] = json!({ "id": "img-1" });
        stand.servers[0]["flavor"] = json!({ "vcpus": 1, "ram": 2_048, "disk": 80 });
    }
    let none = w.cloud.execute(&"op".into(), resize(LARGE)).await;
    assert_eq!(reason(none), RefusalReason::InvalidSpec);
    assert_eq!(w.asked("POST", ACTION), 0);
}

#[tokio::test]
async fn a_resize_that_is_cancelled_before_the_yes_goes_back() {
    for other_process in [false, true] {
        let w = with_server("ACTIVE").await;
        let begun = w.cloud.execute(&"op".into(), resize(LARGE)).await;
        assert!(matches!(begun, Outcome::Running { .. }), "{begun:?}");
        assert_eq!(w.server().await.power, Power::Changing);
        let cloud = if other_process {
            w.elsewhere()
        } else {
            w.cloud.clone()
        };
        let first = cloud.cancel(&"op".into()).await;
        assert!(matches!(first, Outcome::Running { .. }), "{first:?}");
        for _ in 0..2 {
            let then = cloud.cancel(&"op".into()).await;
            assert_eq!(then, Outcome::Done(CANCELLED));
        }
        assert_eq!(w.words(), ["resize", "revertResize"]);
        let there = w.server().await;
        assert_eq!((there.spec.vcpus, there.power), (1, Power::Active));
        let late = cloud.execute(&"op".into(), resize(LARGE)).await;
        assert_eq!(reason(late), RefusalReason::Cancelled);
    }
}

#[tokio::test]
async fn a_resize_under_way_is_waited_for_and_then_goes_back() {
    let w = with_server("ACTIVE").await;
    let _ = w.cloud.execute(&"op".into(), resize(LARGE)).await;
    for status in ["RESIZE", "VERIFY_RESIZE"] {
        w.status(status);
        let cancelled = w.cloud.cancel(&"op".into()).await;
        assert!(
            matches!(cancelled, Outcome::Running { .. }),
            "{status}: {cancelled:?}"
        );
    }
    assert_eq!(w.words(), ["resize", "revertResize"]);
    let cancelled = w.cloud.cancel(&"op".into()).await;
    assert_eq!(cancelled, Outcome::Done(CANCELLED));
}

#[tokio::test]
async fn somebody_elses_resize_is_not_answered() {
    let w = with_server("ACTIVE").await;
    let _ = settled(w.settle("op", resize(LARGE)).await);
    {
        // By hand, after ours was over; the mark is still ours.
        let mut stand = w.stand.lock().unwrap();
        stand.actions.push(
            json!({ "server": "s1", "action": "resize", "request_id": "req-9", "message": null }),
        );
        stand.servers[0]["status"] = json!("VERIFY_RESIZE");
    }
    let other = w.elsewhere();
    assert_eq!(other.cancel(&"op".into()).await, Outcome::Done(CANCELLED));
    let stop = Call::StopServer { server: id() };
    assert_eq!(
        reason(other.execute(&"b".into(), stop).await),
        RefusalReason::Conflict
    );
    let back = other.execute(&"c".into(), resize(SMALL)).await;
    assert_eq!(reason(back), RefusalReason::Conflict);
    assert_eq!(w.words(), ["resize", "confirmResize", "resize"]);
}

/// A saga that takes its change back by a call of its own asks for the old size.
#[tokio::test]
async fn the_old_size_takes_a_resize_back_that_nobody_has_confirmed() {
    let w = with_server("ACTIVE").await;
    let _ = w.cloud.execute(&"op".into(), resize(LARGE)).await;
    for status in ["RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE"] {
        w.status(status);
        let back = w.cloud.execute(&"op:undo".into(), resize(SMALL)).await;
        assert!(
            matches!(back, Outcome::Running { .. }),
            "{status}: {back:?}"
        );
    }
    w.status("ACTIVE");
    let there = settled(w.settle("op:undo", resize(SMALL)).await);
    assert_eq!((there.spec.vcpus, there.power), (1, Power::Active));
    assert_eq!(w.words(), ["resize", "revertResize"]);
    // After the yes it is a resize like others.
    let _ = settled(w.settle("b", resize(LARGE)).await);
    let _ = settled(w.settle("b:undo", resize(SMALL)).await);
    let words = ["resize", "confirmResize", "resize", "confirmResize"];
    assert_eq!(w.words()[2..], words);
}

#[tokio::test]
async fn what_sleeps_is_told_as_stopped_and_started_in_its_own_way() {
    for (status, word) in [
        ("PAUSED", "unpause"),
        ("SUSPENDED", "resume"),
        ("SHELVED_OFFLOADED", "unshelve"),
        ("SHUTOFF", "start"),
    ] {
        let w = with_server(status).await;
        assert_eq!(w.server().await.power, Power::Stopped, "{status}");
        let there = settled(w.settle("op", Call::StartServer { server: id() }).await);
        assert_eq!(there.power, Power::Active, "{status}");
        assert_eq!(w.words(), [word], "{status}");
    }
}

#[tokio::test]
async fn what_only_sleeps_is_switched_off_when_a_stop_is_asked_for() {
    for (status, words) in [
        ("PAUSED", &["unpause", "stop"][..]),
        ("SUSPENDED", &["resume", "stop"]),
        ("SHELVED_OFFLOADED", &[]),
        ("SHUTOFF", &[]),
        ("ACTIVE", &["stop"]),
    ] {
        let w = with_server(status).await;
        let there = settled(w.settle("op", Call::StopServer { server: id() }).await);
        assert_eq!(there.power, Power::Stopped, "{status}");
        assert_eq!(w.words(), words, "{status}");
    }
}

#[tokio::test]
async fn what_sleeps_can_be_neither_restarted_nor_resized() {
    let w = with_server("PAUSED").await;
    for (op, call) in [
        ("a", Call::RestartServer { server: id() }),
        ("b", resize(LARGE)),
    ] {
        let refused = w.cloud.execute(&op.into(), call).await;
        assert_eq!(reason(refused), RefusalReason::Conflict, "{op}");
    }
    assert_eq!(w.asked("POST", ACTION), 0);
}

#[tokio::test]
async fn a_restart_happens_once_for_each_operation() {
    let w = with_server("ACTIVE").await;
    let restart = || Call::RestartServer { server: id() };
    let begun = w.cloud.execute(&"op".into(), restart()).await;
    let Outcome::Running { poll, .. } = begun else {
        panic!("{begun:?}")
    };
    w.status("REBOOT");
    let under_way = w.cloud.poll(&poll).await;
    assert!(
        matches!(under_way, Outcome::Running { .. }),
        "{under_way:?}"
    );
    w.status("ACTIVE");
    assert_eq!(settled(w.cloud.poll(&poll).await).power, Power::Active);
    for cloud in [w.cloud.clone(), w.elsewhere()] {
        let again = cloud.execute(&"op".into(), restart()).await;
        assert_eq!(settled(again).power, Power::Active);
    }
    assert_eq!(w.words(), ["reboot"]);
    let _ = settled(w.settle("other", restart()).await);
    assert_eq!(w.words(), ["reboot", "reboot"]);
}

#[tokio::test]
async fn an_act_that_is_over_is_not_done_again_after_another() {
    let w = with_server("ACTIVE").await;
    let (stop, start) = (
        Call::StopServer { server: id() },
        Call::StartServer { server: id() },
    );
    let _ = settled(w.settle("a", stop.clone()).await);
    let _ = settled(w.settle("b", start.clone()).await);
    let again = settled(w.settle("a", stop).await);
    assert_eq!(again.power, Power::Active);
    assert_eq!(w.words(), ["stop", "start"]);
    // And stands for no other call.
    for call in [
        start,
        Call::DeleteServer { server: id() },
        Call::CreateVolume { spec: spec() },
    ] {
        let other = w.cloud.execute(&"a".into(), call).await;
        assert_eq!(reason(other), RefusalReason::Conflict);
    }
    assert_eq!(w.asked("DELETE", &format!("{SERVERS}/s1")), 0);
}

#[tokio::test]
async fn a_new_password_follows_from_its_operation_and_is_the_same_after_a_lost_answer() {
    let w = with_server("ACTIVE").await;
    let renew = async |cloud: &OpenStack, op: &str| {
        let told = settled(
            cloud
                .execute(&op.into(), Call::RenewPassword { server: id() })
                .await,
        );
        told.one_time_password.unwrap().0
    };
    let first = renew(&w.cloud, "a").await;
    // Known here, and to a process that knows nothing.
    assert_eq!(renew(&w.cloud, "a").await, first);
    assert_eq!(renew(&w.elsewhere(), "a").await, first);
    let second = renew(&w.cloud, "b").await;
    assert_ne!(second, first);
    let set = w.stand.lock().unwrap().passwords.clone();
    assert_eq!(set, [first.clone(), first, second]);
    assert_eq!(w.server().await.one_time_password, None);
    w.status("SHUTOFF");
    let off = w.cloud.renew_password(&"c".into(), id()).await;
    assert_eq!(reason(off), RefusalReason::Conflict);
}

#[tokio::test]
async fn where_nothing_inside_takes_the_order_the_old_password_stays() {
    use RefusalReason::{Conflict, NoAgent};
    for (status, words, means) in [
        (409, "QEMU guest agent is not enabled", NoAgent),
        (
            409,
            "Failed to set admin password on s1 because error setting admin password",
            NoAgent,
        ),
        (501, "Unable to set password on instance", NoAgent),
        (
            409,
            "Cannot 'changePassword' instance s1 while it is in task_state rebooting",
            Conflict,
        ),
        (409, "Instance s1 is locked", Conflict),
    ] {
        let w = with_server("ACTIVE").await;
        w.stand.lock().unwrap().agent = Some((status, words));
        let told = w.cloud.renew_password(&"a".into(), id()).await;
        assert_eq!(reason(told), means, "{words}");
        assert!(w.stand.lock().unwrap().passwords.is_empty());
        // A refusal was no act: what was mended since is asked anew.
        w.stand.lock().unwrap().agent = None;
        let told = w.cloud.renew_password(&"a".into(), id()).await;
        assert!(matches!(told, Outcome::Done(_)), "{words}: {told:?}");
    }
}
