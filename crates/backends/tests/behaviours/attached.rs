//! Disks, their snapshots, and addresses: what hangs on a server and outlives it.
use super::*;

pub async fn an_address_leads_to_one_server(g: &Ground) {
    let (a, b) = (g.op("a"), g.op("b"));
    let first = done(g.settle(|| g.cloud.allocate_address(&a, g.address())).await);
    let again = done(g.settle(|| g.cloud.allocate_address(&a, g.address())).await);
    assert_eq!(first, again);
    let second = done(g.settle(|| g.cloud.allocate_address(&b, g.address())).await);
    assert_ne!(first.address, second.address);
    let server = done(g.make("s", g.server(1)).await).id;
    let lead = |op: &str, to: Option<&ExternalId>| {
        let (op, id, to) = (g.op(op), first.id.clone(), to.cloned());
        async move {
            g.settle(|| g.cloud.associate_address(&op, id.clone(), to.clone()))
                .await
        }
    };
    assert_eq!(
        done(lead("c", Some(&server)).await).associated_with,
        Some(server.clone())
    );
    assert_eq!(
        done(lead("d", Some(&server)).await).associated_with,
        Some(server.clone())
    );
    assert_eq!(done(lead("e", None).await).associated_with, None);
    done(lead("f", Some(&server)).await);
    // An address outlives its server.
    g.delete("h", &server).await;
    match g.cloud.get(Kind::Address, &first.id).await.unwrap() {
        Some(Object::Address(address)) => assert_eq!(address.associated_with, None),
        other => panic!("{other:?}"),
    }
    for op in ["i", "i", "j"] {
        let op = g.op(op);
        done(
            g.settle(|| g.cloud.release_address(&op, first.id.clone()))
                .await,
        );
    }
    assert_eq!(g.cloud.get(Kind::Address, &first.id).await.unwrap(), None);
}

pub async fn a_volume_is_on_one_server_at_a_time(g: &Ground) {
    let a = done(g.make("a", g.server(1)).await).id;
    let b = done(g.make("b", g.server(1)).await).id;
    let op = g.op("v");
    let disk = done(g.settle(|| g.cloud.create_volume(&op, g.volume())).await).id;
    let attach = |op: &str, to: &ExternalId| {
        let (op, disk, to) = (g.op(op), disk.clone(), to.clone());
        async move {
            g.settle(|| g.cloud.attach_volume(&op, disk.clone(), to.clone()))
                .await
        }
    };
    let attached = done(attach("1", &a).await);
    assert_eq!(attached.attached_to, Some(a.clone()));
    assert_eq!(reason(attach("2", &b).await), RefusalReason::Conflict);
    let delete = g.cloud.delete_volume(&g.op("3"), disk.clone()).await;
    assert_eq!(reason(delete), RefusalReason::Conflict);
    let op = g.op("4");
    done(g.settle(|| g.cloud.detach_volume(&op, disk.clone())).await);
    assert_eq!(done(attach("5", &b).await).attached_to, Some(b.clone()));
    // A disk outlives its server.
    g.delete("6", &b).await;
    let op = g.op("7");
    done(g.settle(|| g.cloud.detach_volume(&op, disk.clone())).await);
    match g.cloud.get(Kind::Volume, &disk).await.unwrap() {
        Some(Object::Volume(volume)) => assert_eq!(volume.attached_to, None),
        other => panic!("{other:?}"),
    }
    for op in ["8", "8", "9"] {
        let op = g.op(op);
        done(g.settle(|| g.cloud.delete_volume(&op, disk.clone())).await);
    }
}

pub async fn a_snapshot_keeps_what_a_volume_was(g: &Ground) {
    let (v, s, r) = (g.op("v"), g.op("s"), g.op("r"));
    let volume = done(g.settle(|| g.cloud.create_volume(&v, g.volume())).await);
    let spec = SnapshotSpec {
        project: g.project.clone(),
        volume: volume.id.clone(),
        name: "before".into(),
    };
    let snapshot = done(g.settle(|| g.cloud.create_snapshot(&s, spec.clone())).await);
    let again = done(g.settle(|| g.cloud.create_snapshot(&s, spec.clone())).await);
    assert_eq!(snapshot, again);
    assert_eq!((&snapshot.spec, snapshot.size_gb), (&spec, 100));
    let there = g.cloud.get(Kind::Snapshot, &snapshot.id).await.unwrap();
    assert_eq!(there, Some(Object::Snapshot(snapshot.clone())));
    match g.cloud.find_by_operation(&s).await.unwrap() {
        OperationState::Done(Settled::Present(object)) => assert_eq!(object.id(), &snapshot.id),
        other => panic!("{other:?}"),
    }
    let listed = g.all(Some(&g.project)).await;
    assert!(listed.iter().any(|it| it.id() == &snapshot.id));
    let delete = g.cloud.delete_volume(&g.op("d"), volume.id.clone()).await;
    assert_eq!(reason(delete), RefusalReason::Conflict);
    let restore = |op, size_gb| {
        let spec = VolumeSpec {
            size_gb,
            ..g.volume()
        };
        g.cloud.restore_snapshot(op, snapshot.id.clone(), spec)
    };
    let small = g.op("small");
    let small = g.settle(|| restore(&small, 50)).await;
    assert_eq!(reason(small), RefusalReason::InvalidSpec);
    let restored = done(g.settle(|| restore(&r, 120)).await);
    assert_ne!(restored.id, volume.id);
    assert_eq!(restored.spec.size_gb, 120);
    for op in ["x", "x", "y"] {
        let op = g.op(op);
        done(
            g.settle(|| g.cloud.delete_snapshot(&op, snapshot.id.clone()))
                .await,
        );
    }
    let op = g.op("z");
    done(
        g.settle(|| g.cloud.delete_volume(&op, volume.id.clone()))
            .await,
    );
    assert_eq!(g.own(Kind::Snapshot).await, 0);
}

pub async fn a_volume_grows_where_it_is_and_never_shrinks(g: &Ground) {
    let server = done(g.make("s", g.server(1)).await).id;
    let op = g.op("v");
    let disk = done(g.settle(|| g.cloud.create_volume(&op, g.volume())).await).id;
    let extend = |op: &str, size_gb: u32| {
        let (op, disk) = (g.op(op), disk.clone());
        async move {
            g.settle(|| g.cloud.extend_volume(&op, disk.clone(), size_gb))
                .await
        }
    };
    assert_eq!(done(extend("1", 110).await).spec.size_gb, 110);
    let op = g.op("2");
    done(
        g.settle(|| g.cloud.attach_volume(&op, disk.clone(), server.clone()))
            .await,
    );
    // Attached or not, the same operation twice, and its own size once more.
    for op in ["3", "3", "4"] {
        let grown = done(extend(op, 120).await);
        assert_eq!(grown.spec.size_gb, 120);
        assert_eq!(grown.attached_to, Some(server.clone()));
    }
    assert_eq!(reason(extend("5", 110).await), RefusalReason::InvalidSpec);
    match g.cloud.get(Kind::Volume, &disk).await.unwrap() {
        Some(Object::Volume(volume)) => assert_eq!(volume.spec.size_gb, 120),
        other => panic!("{other:?}"),
    }
    let op = g.op("6");
    done(g.settle(|| g.cloud.detach_volume(&op, disk.clone())).await);
    let op = g.op("7");
    done(g.settle(|| g.cloud.delete_volume(&op, disk.clone())).await);
    let gone = extend("8", 130).await;
    assert_eq!(reason(gone), RefusalReason::NotFound);
}
