//! What becomes of a volume out of a backup while Cinder restores it.
use super::*;

#[tokio::test]
async fn a_restored_volume_is_its_operations_though_cinder_writes_over_its_metadata() {
    let mut w = World::with_backup().await;
    w.goes_on().await;
    w.goes_on().await;
    assert_eq!(w.made(), (1, 0));
    w.volumes_come_to("available");
    w.goes_on().await;
    w.goes_on().await;
    assert_eq!(w.made(), (1, 1));
    w.filled();
    match w.cloud.find_by_operation(&"op2".into()).await {
        Ok(OperationState::Running { .. }) => {}
        other => panic!("{other:?}"),
    }
    // Another process, that remembers nothing, does not take it for the disk whose metadata it has.
    w.cloud = stand::open(config(&w.url), &w.now);
    let other = w.cloud.create_volume(&"op0".into(), copy()).await;
    assert!(matches!(other, Outcome::Running { .. }), "{other:?}");
    assert!(w.stand.lock().unwrap().volumes.pop().is_some());
    let Outcome::Done(made) = w.restore().await else {
        panic!("it is there");
    };
    assert_eq!((&*made.spec.name, made.operation), ("copy", "op2".into()));
    assert_eq!(made.spec.pool, PoolRef("gov".into()));
    assert_eq!(w.stand.lock().unwrap().volumes[0]["description"], "");
    assert!(matches!(w.restore().await, Outcome::Done(_)));
    match w.cloud.find_by_operation(&"op2".into()).await {
        Ok(OperationState::Done(Settled::Present(it))) => assert_eq!(*it.id(), made.id),
        other => panic!("{other:?}"),
    }
    assert_eq!(w.made(), (1, 1));
}

#[tokio::test]
async fn after_lost_answers_one_volume_is_made_and_filled_once() {
    let w = World::with_backup().await;
    w.stand.lock().unwrap().lost = 1;
    let lost = w.restore().await;
    assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    w.goes_on().await;
    w.volumes_come_to("available");
    w.now.fetch_add(20_000, Ordering::SeqCst);
    w.stand.lock().unwrap().lost = 1;
    let lost = w.restore().await;
    assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    w.goes_on().await;
    w.filled();
    assert!(matches!(w.restore().await, Outcome::Done(_)));
    assert_eq!(w.made(), (1, 1));
}

#[tokio::test]
async fn of_volumes_to_be_filled_only_a_young_double_of_the_same_call_is_deleted() {
    for (of_call, minutes, left) in [(true, 0, 1), (false, 0, 2), (true, 11, 2)] {
        let w = World::with_backup().await;
        w.goes_on().await;
        {
            let mut stand = w.stand.lock().unwrap();
            let mut double = stand.volumes[0].clone();
            double["id"] = json!("r9");
            double["created_at"] = json!("2026-01-01T00:00:09.000000");
            if !of_call {
                double["description"] = json!("lingbao:op2 another empty");
            }
            stand.volumes.push(double);
        }
        w.now.fetch_add(minutes * 60_000, Ordering::SeqCst);
        w.volumes_come_to("available");
        w.goes_on().await;
        assert_eq!(w.made(), (left, 1), "{of_call} {minutes}");
        let stand = w.stand.lock().unwrap();
        assert_eq!(stand.volumes[0]["status"], "restoring-backup");
    }
}

#[tokio::test]
async fn a_restore_that_fails_says_so_and_names_its_volume_to_be_deleted() {
    let w = World::with_backup().await;
    w.goes_on().await;
    w.volumes_come_to("available");
    w.goes_on().await;
    w.volumes_come_to("error_restoring");
    match w.restore().await {
        Outcome::Refused(no) => assert_eq!(no.reason, RefusalReason::Broken),
        other => panic!("{other:?}"),
    }
    let Outcome::Done(OperationState::Cancelled { left: Some(left) }) =
        w.cloud.cancel(&"op2".into()).await
    else {
        panic!("something is left");
    };
    // While Cinder still writes into it, its deletion waits.
    w.volumes_come_to("restoring-backup");
    let op = "op3".into();
    let waits = w.cloud.delete_volume(&op, left.id().clone()).await;
    assert!(matches!(waits, Outcome::Running { .. }), "{waits:?}");
    assert_eq!(w.made().0, 1);
    w.volumes_come_to("available");
    let asked = w.cloud.delete_volume(&op, left.id().clone()).await;
    assert!(matches!(asked, Outcome::Running { .. }), "{asked:?}");
    assert_eq!(w.made().0, 0);
}

#[tokio::test]
async fn a_backup_that_is_not_there_is_refused_before_anything_is_made_and_after() {
    let w = world().await;
    let missing = |answer: Outcome<Volume>| match answer {
        Outcome::Refused(no) => assert_eq!(no.reason, RefusalReason::NotFound),
        other => panic!("{other:?}"),
    };
    missing(w.restore().await);
    assert_eq!(w.made(), (0, 0));
    let w = World::with_backup().await;
    w.goes_on().await;
    w.volumes_come_to("available");
    w.stand.lock().unwrap().backups.clear();
    missing(w.restore().await);
    assert_eq!(w.made(), (1, 0));
}
