//! What may come in to a server, and who gets in.
use lingbao_model::access_rule::{AccessRule, Protocol};

use super::*;

fn rule(protocol: Protocol, ports: &str, source: &str) -> AccessRule {
    AccessRule {
        protocol,
        ports: ports.parse().ok(),
        source: source.parse().unwrap(),
    }
}

pub async fn what_comes_in_is_the_whole_set_that_was_said(g: &Ground) {
    let spec = ServerSpec {
        security_preset: Some("level2-internet".into()),
        ..g.server(1)
    };
    let server = done(g.make("s", spec).await).id;
    let there = async || {
        let mut told = g.cloud.server_rules(&server).await.unwrap().unwrap();
        assert!(told.others.is_empty(), "{told:?}");
        told.rules.sort();
        told.rules
    };
    let set = async |op: &str, rules: &[AccessRule]| {
        let op = g.op(op);
        g.settle(|| {
            g.cloud
                .set_server_rules(&op, server.clone(), rules.to_vec())
        })
        .await
    };
    assert_eq!(there().await, []);
    // Nothing to close where nothing was opened.
    assert_eq!(done(set("0", &[]).await).id, server);
    let pages = rule(Protocol::Tcp, "8000-8100", "10.8.0.0/24");
    let names = rule(Protocol::Udp, "53", "0.0.0.0/0");
    let pings = rule(Protocol::Icmp, "", "192.168.7.1");
    let mut three = [pages, names, pings];
    three.sort();
    for op in ["1", "1", "2"] {
        assert_eq!(done(set(op, &three).await).id, server);
        assert_eq!(there().await, three);
    }
    let other = rule(Protocol::Tcp, "8443", "59.200.0.0/16");
    done(set("3", &[pages, other]).await);
    assert_eq!(there().await, {
        let mut two = [pages, other];
        two.sort();
        two
    });
    // What is done to the server leaves them as they are.
    let op = g.op("4");
    let stop = || g.cloud.stop_server(&op, server.clone());
    done(g.settle(stop).await);
    assert_eq!(there().await.len(), 2);
    done(set("5", &[]).await);
    assert_eq!(there().await, []);
    done(set("6", &[pages]).await);
    g.delete("7", &server).await;
    assert_eq!(g.cloud.server_rules(&server).await.unwrap(), None);
    let gone = set("8", &[pages]).await;
    assert_eq!(reason(gone), RefusalReason::NotFound);
}

/// Behind the portal's back: under an operation that is none of its own.
pub async fn what_is_opened_by_hand_is_told_in_the_list_of_all_rules(g: &Ground) {
    let spec = ServerSpec {
        security_preset: Some("level2-internet".into()),
        ..g.server(1)
    };
    let open = done(g.make("s", spec.clone()).await).id;
    let shut = done(g.make("t", spec).await).id;
    let there = async || {
        let mut all = g.cloud.all_rules().await.unwrap().unwrap();
        assert!(!all.contains_key(&shut), "to it nothing more comes in");
        let mut told = all.remove(&open).unwrap_or_default();
        assert!(told.others.is_empty(), "{told:?}");
        told.rules.sort();
        told.rules
    };
    let set = async |op: &str, rules: &[AccessRule]| {
        let op = g.op(op);
        let set = || g.cloud.set_server_rules(&op, open.clone(), rules.to_vec());
        done(g.settle(set).await);
    };
    assert_eq!(there().await, []);
    let pages = rule(Protocol::Tcp, "8000-8100", "10.8.0.0/24");
    set("1", &[pages]).await;
    assert_eq!(there().await, [pages]);
    let door = rule(Protocol::Tcp, "22", "0.0.0.0/0");
    set("by-hand", &[pages, door]).await;
    let mut both = [pages, door];
    both.sort();
    assert_eq!(there().await, both);
    set("2", &[]).await;
    assert_eq!(there().await, []);
    set("3", &[pages]).await;
    g.delete("4", &open).await;
    assert_eq!(there().await, [], "they go with their server");
    g.delete("5", &shut).await;
}

/// Where something inside the server takes the order.
pub async fn a_new_password_is_told_to_who_set_it(g: &Ground) {
    let made = done(g.make("s", g.server(1)).await);
    let renew = async |op: &str| {
        let op = g.op(op);
        g.settle(|| g.cloud.renew_password(&op, made.id.clone()))
            .await
    };
    let first = match renew("1").await {
        Outcome::Refused(refusal) if refusal.reason == RefusalReason::NoAgent => return,
        outcome => done(outcome),
    };
    let first = first.one_time_password.unwrap();
    assert_eq!(first.0.len(), 16);
    assert_ne!(Some(&first), made.one_time_password.as_ref());
    let again = done(renew("1").await).one_time_password;
    assert_eq!(again, Some(first.clone()));
    let second = done(renew("2").await).one_time_password.unwrap();
    assert_ne!(second, first);
    // Nobody else is told.
    match g.cloud.get(Kind::Server, &made.id).await.unwrap() {
        Some(Object::Server(server)) => assert_eq!(server.one_time_password, None),
        other => panic!("{other:?}"),
    }
    let maker = done(g.make("s", g.server(1)).await).one_time_password;
    assert_eq!(maker, made.one_time_password);
    let op = g.op("3");
    let stop = || g.cloud.stop_server(&op, made.id.clone());
    done(g.settle(stop).await);
    assert_eq!(reason(renew("4").await), RefusalReason::Conflict);
    g.delete("5", &made.id).await;
    assert_eq!(reason(renew("6").await), RefusalReason::NotFound);
}

/// Once for each operation: with a key or a password, running or not.
pub async fn a_system_is_installed_anew_once_and_the_rest_stays(g: &Ground) {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqP6 zhang";
    let keys = || Access::SshKeys(vec![key.into()]);
    let made = done(g.make("s", g.server(1)).await);
    let id = made.id.clone();
    let install = async |op: &str, access: Access| {
        let (op, image) = (g.op(op), g.image.clone());
        let call = || {
            g.cloud
                .reinstall_server(&op, id.clone(), image.clone(), access.clone())
        };
        g.settle(call).await
    };
    let there = async || match g.cloud.get(Kind::Server, &id).await.unwrap() {
        Some(Object::Server(server)) => server,
        other => panic!("{other:?}"),
    };
    let op = g.op("v");
    let make = || g.cloud.create_volume(&op, g.volume());
    let disk = done(g.settle(make).await).id;
    let op = g.op("t");
    let attach = || g.cloud.attach_volume(&op, disk.clone(), id.clone());
    done(g.settle(attach).await);

    let with_key = done(install("1", keys()).await);
    assert_eq!(with_key.spec.access, keys());
    assert_eq!(with_key.one_time_password, None);
    assert_eq!(with_key.power, Power::Active);
    let now = there().await;
    assert_eq!(now.installed_by, Some(g.op("1")));
    let same = |it: &Server| (it.private_address, it.spec.name.clone(), it.spec.vcpus);
    assert_eq!(same(&now), same(&made));
    assert_eq!(now.operation, made.operation);
    match g.cloud.get(Kind::Volume, &disk).await.unwrap() {
        Some(Object::Volume(disk)) => assert_eq!(disk.attached_to.as_ref(), Some(&id)),
        other => panic!("{other:?}"),
    }
    // Its first password opens nothing any more.
    let maker = done(g.make("s", g.server(1)).await);
    assert_eq!(maker.one_time_password, None);

    // One that does not run goes on standing still, and has a password that only its operation tells.
    let op = g.op("o");
    let stop = || g.cloud.stop_server(&op, id.clone());
    done(g.settle(stop).await);
    let second = done(install("2", Access::OneTimePassword).await);
    assert_eq!(second.power, Power::Stopped);
    let password = second.one_time_password.unwrap();
    assert_eq!(password.0.len(), 16);
    let again = done(install("2", Access::OneTimePassword).await);
    assert_eq!(again.one_time_password, Some(password.clone()));
    let now = there().await;
    assert_eq!(
        (now.one_time_password, now.spec.access),
        (None, Access::OneTimePassword)
    );

    // What came before is not done again, and an operation stands for one call.
    done(install("1", keys()).await);
    assert_eq!(there().await.installed_by, Some(g.op("2")));
    assert_eq!(reason(install("2", keys()).await), RefusalReason::Conflict);
    let third = done(install("3", Access::OneTimePassword).await);
    assert_ne!(third.one_time_password, Some(password));

    let private = Access::SshKeys(vec!["-----BEGIN OPENSSH PRIVATE KEY".into()]);
    assert_eq!(
        reason(install("4", private).await),
        RefusalReason::InvalidSpec
    );
    assert_eq!(there().await.installed_by, Some(g.op("3")));
    g.delete("5", &id).await;
    assert_eq!(reason(install("6", keys()).await), RefusalReason::NotFound);
}
