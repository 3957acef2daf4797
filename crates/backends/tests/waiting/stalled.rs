//! Servers that their cloud has forgotten half-way.
use super::*;

/// Disks of the unit, as Cinder lists them.
const DISKS: &str = "/volume/v3/volumes/detail";

/// One that was ordered half a minute ago, and on which Nova is at this.
async fn forgotten(task: &str) -> (OpenStack, Stand, Arc<AtomicI64>) {
    let (_, stand) = world(1).await;
    let url = stand.lock().unwrap()["url"][0].as_str().unwrap().to_owned();
    let now = stand::now();
    let cloud = open_by(&url, &now);
    ordered(&cloud, &stand, 1).await;
    set(&stand, "OS-EXT-STS:task_state", json!(task));
    set(&stand, "OS-SRV-USG:launched_at", Value::Null);
    set(&stand, "updated", json!("2026-01-01T00:00:00Z"));
    (cloud, stand, now)
}

/// Something of the newest server.
fn set(stand: &Stand, key: &str, value: Value) {
    let mut stand = stand.lock().unwrap();
    stand.get_mut(SERVERS).unwrap().last_mut().unwrap()[key] = value;
}

/// Asks again after so many seconds.
async fn after(cloud: &OpenStack, now: &AtomicI64, seconds: i64) -> Outcome<Server> {
    now.fetch_add(seconds * 1_000, Ordering::SeqCst);
    let (op, spec) = slow(1);
    cloud.create_server(&op, spec).await
}

/// Asks twice a minute.
async fn minutes(cloud: &OpenStack, now: &AtomicI64, minutes: usize) {
    for _ in 0..2 * minutes {
        is_running(&after(cloud, now, 30).await);
    }
}

#[tokio::test]
async fn a_build_that_stands_still_for_three_minutes_is_deleted_and_ordered_anew() {
    for task in ["", "scheduling", "networking", "block_device_mapping"] {
        let (cloud, stand, now) = forgotten(task).await;
        minutes(&cloud, &now, 3).await;
        assert_eq!(states(&stand), ["BUILD"], "{task}");
        is_running(&after(&cloud, &now, 30).await);
        assert_eq!(states(&stand), ["DELETED"], "{task}");
        is_running(&after(&cloud, &now, 1).await);
        assert_eq!(states(&stand), ["DELETED", "BUILD"], "{task}");
        all_stand(&stand);
        match after(&cloud, &now, 30).await {
            Outcome::Done(server) => assert_eq!(server.id, "s2".into()),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_build_that_goes_on_or_was_not_looked_at_is_left() {
    let (cloud, stand, now) = forgotten("scheduling").await;
    minutes(&cloud, &now, 2).await;
    set(&stand, "OS-EXT-STS:task_state", json!("networking"));
    minutes(&cloud, &now, 2).await;
    // Nobody could ask: what stood still meanwhile may go on only now.
    is_running(&after(&cloud, &now, 180).await);
    minutes(&cloud, &now, 2).await;
    assert_eq!(states(&stand), ["BUILD"]);
    let (cloud, stand, now) = forgotten("spawning").await;
    minutes(&cloud, &now, 8).await;
    assert_eq!(states(&stand), ["BUILD"]);
}

#[tokio::test]
async fn a_build_whose_disk_is_being_filled_is_left() {
    let (cloud, stand, now) = forgotten("block_device_mapping").await;
    let disk = json!({ "id": "v1", "status": "downloading", "os-vol-tenant-attr:tenant_id": "p1",
        "metadata": {}, "attachments": [] });
    stand.lock().unwrap().insert(DISKS.into(), vec![disk]);
    minutes(&cloud, &now, 6).await;
    assert_eq!(states(&stand), ["BUILD"]);
    stand.lock().unwrap().remove(DISKS);
    is_running(&after(&cloud, &now, 30).await);
    assert_eq!(states(&stand), ["DELETED"]);
}

#[tokio::test]
async fn what_is_given_up_is_never_told_as_built() {
    let (cloud, stand, now) = forgotten("").await;
    stand
        .lock()
        .unwrap()
        .insert("keeps".into(), vec![json!("the deleting takes its time")]);
    minutes(&cloud, &now, 3).await;
    is_running(&after(&cloud, &now, 30).await);
    // It woke up after all while it was being deleted.
    set(&stand, "status", json!("ACTIVE"));
    let (op, _) = slow(1);
    let found = cloud.find_by_operation(&op).await.unwrap();
    assert!(matches!(found, OperationState::Running { .. }), "{found:?}");
    is_running(&after(&cloud, &now, 30).await);
    stand.lock().unwrap().remove("keeps");
    is_running(&after(&cloud, &now, 30).await);
    assert_eq!(states(&stand), ["DELETED"]);
    is_running(&after(&cloud, &now, 1).await);
    assert_eq!(states(&stand), ["DELETED", "BUILD"]);
}
