//! Volumes that came to nothing while nothing worked for Cinder.
use super::*;

const SERVICES: &str = "/volume/v3/p1/os-services";

/// One that was ordered half a minute ago and fell.
async fn fallen() -> World {
    let w = world().await;
    w.now.store(1_767_225_630_000, Ordering::SeqCst);
    assert!(matches!(w.make().await, Outcome::Running { .. }));
    w.stand.lock().unwrap().volumes[0]["status"] = json!("error");
    w
}

/// What stores volumes is up or down.
fn store_is(w: &World, state: &str) {
    let service = json!({ "binary": "cinder-volume", "host": "a@fast", "zone": "nova",
        "status": "enabled", "state": state });
    w.say(SERVICES, &json!({ "services": [service] }).to_string());
}

async fn is_running(w: &World) {
    let outcome = w.make().await;
    assert!(matches!(outcome, Outcome::Running { .. }), "{outcome:?}");
}

async fn is_refused(w: &World, reason: RefusalReason) {
    match w.make().await {
        Outcome::Refused(refusal) => assert_eq!(refusal.reason, reason),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_volume_that_fell_while_its_store_was_down_is_made_anew_when_it_is_back() {
    let w = fallen().await;
    store_is(&w, "down");
    for _ in 0..2 {
        is_running(&w).await;
    }
    let asked = w.cloud.find_by_operation(&"op".into()).await.unwrap();
    assert!(matches!(asked, OperationState::Running { .. }), "{asked:?}");
    // Nothing is ordered while nothing could come of it.
    assert_eq!((w.volumes(), w.asked("POST", VOLUMES)), (1, 1));
    store_is(&w, "up");
    is_running(&w).await;
    assert_eq!(w.volumes(), 0);
    // Somebody else's, so that the next has another id.
    let other = volume(&json!({ "metadata": {} }), 1);
    w.stand.lock().unwrap().volumes.push(other);
    is_running(&w).await;
    assert_eq!((w.volumes(), w.asked("POST", VOLUMES)), (2, 2));
    let made = w.make().await;
    assert!(matches!(made, Outcome::Done(_)), "{made:?}");
}

#[tokio::test]
async fn a_volume_that_fell_while_its_store_was_up_found_no_room() {
    let w = fallen().await;
    store_is(&w, "up");
    is_refused(&w, RefusalReason::NoCapacity).await;
    assert_eq!((w.volumes(), w.asked("POST", VOLUMES)), (1, 1));
}

#[tokio::test]
async fn a_store_that_stays_down_is_not_waited_for_for_ever_and_is_no_want_of_room() {
    let w = fallen().await;
    store_is(&w, "down");
    is_running(&w).await;
    w.pass(10 * 60_000);
    is_refused(&w, RefusalReason::Broken).await;
}

#[tokio::test]
async fn a_volume_that_was_ordered_a_while_ago_is_not_deleted_to_be_made_anew() {
    let w = fallen().await;
    w.pass(10 * 60_000);
    for state in ["down", "up"] {
        store_is(&w, state);
        is_refused(&w, RefusalReason::NoCapacity).await;
    }
    assert_eq!(
        (w.volumes(), w.asked("DELETE", "/volume/v3/p1/volumes/v1")),
        (1, 0)
    );
}
