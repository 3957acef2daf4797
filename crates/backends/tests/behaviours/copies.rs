//! Backups, and the plans by which they are made.
use lingbao_backends::provisioning::*;

use super::{Ground, done, reason};

fn backup(g: &Ground, of: BackedUp) -> BackupSpec {
    BackupSpec {
        project: g.project.clone(),
        of,
        name: "数据盘 1".into(),
    }
}

pub async fn a_backup_is_one_copy_and_outlives_its_disk(g: &Ground) {
    let server = done(g.make("s", g.server(1)).await).id;
    let op = g.op("v");
    let disk = done(g.settle(|| g.cloud.create_volume(&op, g.volume())).await).id;
    let op = g.op("on");
    let attach = || g.cloud.attach_volume(&op, disk.clone(), server.clone());
    done(g.settle(attach).await);
    // Of what is attached, and of the system disk that nobody ordered by itself.
    let all = [
        ("1", BackedUp::Volume(disk.clone()), 100),
        ("2", BackedUp::SystemDisk(server.clone()), 40),
    ];
    let mut made = Vec::new();
    for (op, of, size_gb) in all {
        let (op, spec) = (g.op(op), backup(g, of));
        let first = done(g.settle(|| g.cloud.create_backup(&op, spec.clone())).await);
        let again = done(g.settle(|| g.cloud.create_backup(&op, spec.clone())).await);
        assert_eq!(first, again);
        assert_eq!((&first.spec, first.size_gb), (&spec, size_gb));
        assert_eq!(first.operation, op);
        let there = g.cloud.get(Kind::Backup, &first.id).await.unwrap();
        assert_eq!(there, Some(Object::Backup(first.clone())));
        match g.cloud.find_by_operation(&op).await.unwrap() {
            OperationState::Done(Settled::Present(object)) => assert_eq!(object.id(), &first.id),
            other => panic!("{other:?}"),
        }
        made.push(first.id);
    }
    assert_eq!(g.own(Kind::Backup).await, 2);
    let op = g.op("1");
    let other = backup(g, BackedUp::SystemDisk(server.clone()));
    let other = g.settle(|| g.cloud.create_backup(&op, other.clone())).await;
    assert_eq!(reason(other), RefusalReason::Conflict);
    for of in [
        BackedUp::Volume("none".into()),
        BackedUp::SystemDisk("none".into()),
    ] {
        let none = g.cloud.create_backup(&g.op("3"), backup(g, of)).await;
        assert_eq!(reason(none), RefusalReason::NotFound);
    }
    g.delete("d", &server).await;
    let op = g.op("off");
    done(g.settle(|| g.cloud.detach_volume(&op, disk.clone())).await);
    let op = g.op("x");
    done(g.settle(|| g.cloud.delete_volume(&op, disk.clone())).await);
    assert_eq!(g.own(Kind::Backup).await, 2);
    for (n, id) in made.iter().enumerate() {
        for turn in 0..2 {
            let op = g.op(&format!("gone{n}-{turn}"));
            done(g.settle(|| g.cloud.delete_backup(&op, id.clone())).await);
        }
        assert_eq!(g.cloud.get(Kind::Backup, id).await.unwrap(), None);
    }
    assert_eq!(g.own(Kind::Backup).await, 0);
}

pub async fn cancelling_a_backup_names_it_and_makes_no_other(g: &Ground) {
    let op = g.op("v");
    let disk = done(g.settle(|| g.cloud.create_volume(&op, g.volume())).await).id;
    let spec = backup(g, BackedUp::Volume(disk));
    let op = g.op("1");
    let made = done(g.settle(|| g.cloud.create_backup(&op, spec.clone())).await);
    match done(g.settle(|| g.cloud.cancel(&op)).await) {
        OperationState::Cancelled { left: Some(left) } => assert_eq!(*left.id(), made.id),
        other => panic!("{other:?}"),
    }
    let again = g.cloud.create_backup(&op, spec).await;
    assert_eq!(reason(again), RefusalReason::Cancelled);
    let op = g.op("2");
    done(
        g.settle(|| g.cloud.delete_backup(&op, made.id.clone()))
            .await,
    );
    assert_eq!(g.own(Kind::Backup).await, 0);
}

pub async fn a_volume_comes_out_of_a_backup_also_when_its_disk_is_gone(g: &Ground) {
    let op = g.op("v");
    let disk = done(g.settle(|| g.cloud.create_volume(&op, g.volume())).await).id;
    let (op, spec) = (g.op("b"), backup(g, BackedUp::Volume(disk.clone())));
    let kept = done(g.settle(|| g.cloud.create_backup(&op, spec.clone())).await).id;
    let op = g.op("d");
    done(g.settle(|| g.cloud.delete_volume(&op, disk.clone())).await);
    let restore = |op, from: &ExternalId, size_gb| {
        let spec = VolumeSpec {
            size_gb,
            name: "out of it".into(),
            ..g.volume()
        };
        g.cloud.restore_backup(op, from.clone(), spec)
    };
    let small = g.op("small");
    let small = g.settle(|| restore(&small, &kept, 50)).await;
    assert_eq!(reason(small), RefusalReason::InvalidSpec);
    let none = g.op("none");
    let none = g.settle(|| restore(&none, &"none".into(), 120)).await;
    assert_eq!(reason(none), RefusalReason::NotFound);
    let r = g.op("r");
    let made = done(g.settle(|| restore(&r, &kept, 120)).await);
    let again = done(g.settle(|| restore(&r, &kept, 120)).await);
    assert_eq!(made, again);
    assert_eq!((made.spec.size_gb, &made.operation), (120, &r));
    assert_eq!(made.spec.name, "out of it");
    assert_eq!(made.spec.volume_type, g.volume().volume_type);
    match g.cloud.find_by_operation(&r).await.unwrap() {
        OperationState::Done(Settled::Present(object)) => assert_eq!(object.id(), &made.id),
        other => panic!("{other:?}"),
    }
    let other = g.settle(|| restore(&r, &kept, 130)).await;
    assert_eq!(reason(other), RefusalReason::Conflict);
    assert_eq!(g.own(Kind::Volume).await, 1);
    // The copy stands by itself.
    let op = g.op("x");
    done(g.settle(|| g.cloud.delete_backup(&op, kept.clone())).await);
    let gone = g.op("gone");
    let gone = g.settle(|| restore(&gone, &kept, 120)).await;
    assert_eq!(reason(gone), RefusalReason::NotFound);
    // What is cancelled is named, to be deleted.
    match done(g.settle(|| g.cloud.cancel(&r)).await) {
        OperationState::Cancelled { left: Some(left) } => assert_eq!(*left.id(), made.id),
        other => panic!("{other:?}"),
    }
    let op = g.op("y");
    done(
        g.settle(|| g.cloud.delete_volume(&op, made.id.clone()))
            .await,
    );
}

pub async fn a_backup_plan_is_of_something_and_runs_as_it_was_said_last(g: &Ground) {
    let server = done(g.make("a", g.server(1)).await);
    let mut spec = BackupPlanSpec {
        project: g.project.clone(),
        target: server.id,
        every_hours: 24,
        keep_days: 7,
    };
    let (op, as_asked) = (g.op("b"), spec.clone());
    let plan = done(g.cloud.create_backup_plan(&op, as_asked.clone()).await);
    let again = done(g.cloud.create_backup_plan(&op, as_asked.clone()).await);
    assert_eq!((&plan, &plan.spec), (&again, &as_asked));
    assert_eq!(g.own(Kind::BackupPlan).await, 1);
    match g.cloud.find_by_operation(&op).await.unwrap() {
        OperationState::Done(Settled::Present(object)) => assert_eq!(object.id(), &plan.id),
        other => panic!("{other:?}"),
    }
    let id = plan.id;
    let change = |op: &str, every_hours| {
        let (op, id) = (g.op(op), id.clone());
        async move { g.cloud.change_backup_plan(&op, id, every_hours, 30).await }
    };
    let changed = done(change("e", 168).await);
    let runs = (changed.spec.every_hours, changed.spec.keep_days);
    assert_eq!(runs, (168, 30));
    let there = g.cloud.get(Kind::BackupPlan, &id).await.unwrap();
    assert_eq!(there, Some(Object::BackupPlan(changed)));
    assert_eq!(reason(change("f", 0).await), RefusalReason::InvalidSpec);
    for op in ["c", "c", "h"] {
        done(g.cloud.delete_backup_plan(&g.op(op), id.clone()).await);
    }
    assert_eq!(g.cloud.get(Kind::BackupPlan, &id).await.unwrap(), None);
    assert_eq!(reason(change("g", 24).await), RefusalReason::NotFound);
    spec.target = "none".into();
    let none = g.cloud.create_backup_plan(&g.op("d"), spec).await;
    assert_eq!(reason(none), RefusalReason::NotFound);
}
