//! Servers whose building fell because one service of the cloud gave another no answer.
use super::*;

const FULL: &str = "No valid host was found. There are not enough hosts available.";
const OUTAGE: &str = "Build of instance x aborted: The server is currently unavailable. Please try again at a later time.<br /><br />";
/// By the stand-in's clock half a minute ago; a quarter of an hour ago; a moment ago.
const BEFORE: &str = "2026-01-01T00:00:00Z";
const LONG_AGO: &str = "2025-12-31T23:45:00Z";
const JUST_NOW: &str = "2026-01-01T00:00:29Z";

/// The newest server falls.
fn falls(stand: &Stand, message: &str, created: &str, launched: Value) {
    let mut stand = stand.lock().unwrap();
    let it = stand.get_mut(SERVERS).unwrap().last_mut().unwrap();
    it["status"] = json!("ERROR");
    it["fault"] = json!({ "code": 500, "created": created, "message": message });
    it["OS-SRV-USG:launched_at"] = launched;
}

/// The one host on which servers run is up or down.
fn host_is(stand: &Stand, state: &str) {
    let service = json!({ "binary": "nova-compute", "host": "c1", "zone": "nova",
        "status": "enabled", "state": state });
    let mut stand = stand.lock().unwrap();
    stand.insert(SERVICES.into(), vec![service]);
}

/// One that was ordered a moment ago and is asked for again.
async fn one() -> (OpenStack, Stand, PollToken) {
    let (mut clouds, stand) = world(1).await;
    let mut tokens = ordered(&clouds[0], &stand, 1).await;
    (clouds.remove(0), stand, tokens.remove(0))
}

async fn again(cloud: &OpenStack) -> Outcome<Server> {
    // As long as the list of what is being built is shared.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let (op, spec) = slow(1);
    cloud.create_server(&op, spec).await
}

async fn made_by(cloud: &OpenStack) -> OperationState {
    cloud.find_by_operation(&slow(1).0).await.unwrap()
}

#[tokio::test]
async fn a_build_that_fell_with_a_service_of_the_cloud_is_deleted_and_ordered_anew() {
    let (cloud, stand, token) = one().await;
    falls(&stand, OUTAGE, BEFORE, Value::Null);
    // Who only asks is told that it goes on.
    assert!(matches!(cloud.poll(&token).await, Outcome::Running { .. }));
    is_running(&again(&cloud).await);
    assert_eq!(states(&stand), ["DELETED"]);
    // Nothing is taken for made by the operation meanwhile.
    assert_eq!(made_by(&cloud).await, OperationState::Never);
    is_running(&again(&cloud).await);
    assert_eq!(states(&stand), ["DELETED", "BUILD"]);
    all_stand(&stand);
    match again(&cloud).await {
        Outcome::Done(server) => assert_eq!(server.id, "s2".into()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_fallen_build_is_ordered_anew_after_a_pause_that_grows_and_not_for_ever() {
    let (cloud, stand, _) = one().await;
    falls(&stand, OUTAGE, JUST_NOW, Value::Null);
    let wait = again(&cloud).await;
    assert!(
        matches!(
            wait,
            Outcome::Running {
                retry_after_ms: 4_000,
                ..
            }
        ),
        "{wait:?}"
    );
    assert_eq!(states(&stand), ["ERROR"]);
    for tries in 1..=5 {
        falls(&stand, OUTAGE, LONG_AGO, Value::Null);
        is_running(&again(&cloud).await);
        is_running(&again(&cloud).await);
        assert_eq!(states(&stand).len(), tries + 1);
        falls(&stand, OUTAGE, JUST_NOW, Value::Null);
        if tries < 5 {
            is_running(&again(&cloud).await);
        }
        assert_eq!(states(&stand).last().unwrap(), "ERROR");
    }
    // Five times anew are enough.
    falls(&stand, OUTAGE, LONG_AGO, Value::Null);
    match again(&cloud).await {
        Outcome::Refused(refusal) => {
            assert_eq!(refusal.reason, RefusalReason::Broken);
            assert!(refusal.detail.contains("currently unavailable"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(states(&stand).last().unwrap(), "ERROR");
}

#[tokio::test]
async fn what_has_run_or_found_no_room_is_not_deleted_to_be_ordered_anew() {
    let ran = json!("2025-12-31T00:00:00.000000");
    for (said, launched) in [(FULL, Value::Null), (OUTAGE, ran)] {
        let (cloud, stand, token) = one().await;
        falls(&stand, said, LONG_AGO, launched);
        for _ in 0..2 {
            let outcome = again(&cloud).await;
            assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
        }
        assert!(matches!(cloud.poll(&token).await, Outcome::Refused(_)));
        assert_eq!(states(&stand), ["ERROR"]);
    }
}

#[tokio::test]
async fn a_fallen_build_that_is_cancelled_is_not_ordered_anew() {
    let (cloud, stand, _) = one().await;
    falls(&stand, OUTAGE, LONG_AGO, Value::Null);
    is_running(&again(&cloud).await);
    let cancelled = cloud.cancel(&slow(1).0).await;
    assert!(
        matches!(
            cancelled,
            Outcome::Done(OperationState::Cancelled { left: None })
        ),
        "{cancelled:?}"
    );
    assert!(matches!(again(&cloud).await, Outcome::Refused(_)));
    assert_eq!(states(&stand), ["DELETED"]);
}

#[tokio::test]
async fn a_build_that_found_no_place_while_its_hosts_were_down_is_ordered_anew_when_they_are_back()
{
    let (cloud, stand, token) = one().await;
    host_is(&stand, "down");
    falls(&stand, FULL, BEFORE, Value::Null);
    for _ in 0..2 {
        is_running(&again(&cloud).await);
    }
    assert!(matches!(cloud.poll(&token).await, Outcome::Running { .. }));
    // Nothing is ordered while nothing could come of it.
    assert_eq!(states(&stand), ["ERROR"]);
    host_is(&stand, "up");
    is_running(&again(&cloud).await);
    assert_eq!(states(&stand), ["DELETED"]);
    is_running(&again(&cloud).await);
    assert_eq!(states(&stand), ["DELETED", "BUILD"]);
    all_stand(&stand);
    let built = again(&cloud).await;
    assert!(matches!(built, Outcome::Done(_)), "{built:?}");
}

#[tokio::test]
async fn hosts_that_stay_down_are_not_waited_for_for_ever_and_are_no_want_of_room() {
    let (cloud, stand, _) = one().await;
    host_is(&stand, "down");
    falls(&stand, FULL, LONG_AGO, Value::Null);
    match again(&cloud).await {
        Outcome::Refused(refusal) => assert_eq!(refusal.reason, RefusalReason::Broken),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_build_that_found_no_place_while_all_was_up_found_no_room() {
    let (cloud, stand, _) = one().await;
    host_is(&stand, "up");
    falls(&stand, FULL, BEFORE, Value::Null);
    match again(&cloud).await {
        Outcome::Refused(refusal) => assert_eq!(refusal.reason, RefusalReason::NoCapacity),
        other => panic!("{other:?}"),
    }
}
