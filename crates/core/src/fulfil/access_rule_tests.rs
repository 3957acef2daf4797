//! Rules of what may come in to a host and of its passwords, on both engines, against the simulated
//! cloud.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU16, Ordering},
};

use async_trait::async_trait;
use lingbao_backends::{
    Backends,
    provisioning::{
        CallKind, ExternalId, Provisioner, RefusalReason,
        simulator::{Latency, What as Failure},
    },
};
use lingbao_model::{
    access_rule::{AccessRule, AccessRuleForm, MOST_RULES, Protocol},
    catalogue::Fulfiller,
    id::{AccessRuleId, ResourceId, UserId},
    resource::{EventKind, ServiceState},
    view::resource::Act,
};

use super::{
    access_rule::{self, Change},
    day_two_tests::{FORM, Town, key},
    operate,
};
use crate::{
    authz::Scope,
    saga::harness::{self, Bench},
    service::{request::release, resource},
    storage::{access_rule as rows, cloud, resource as resources, sql::Sql},
    testing::TestApp,
};

fn typed(protocol: &str, ports: &str, source: &str) -> AccessRuleForm {
    AccessRuleForm {
        protocol: protocol.into(),
        ports: ports.into(),
        source: source.into(),
        note: "接口".into(),
    }
}

fn pages() -> AccessRuleForm {
    typed("tcp", "8000-8100", "10.8.0.0/24")
}

/// What the cloud lets in to a host.
async fn there(town: &Town, id: &ResourceId) -> Option<Vec<AccessRule>> {
    let mut rx = town.city.app.db.read().await.unwrap();
    let named = resources::external_id(&mut rx, id).await.unwrap().unwrap();
    drop(rx);
    let told = town.cloud.server_rules(&ExternalId(named)).await.unwrap();
    told.map(|mut told| {
        told.rules.sort();
        told.rules
    })
}

/// What our rows say.
async fn ours(town: &Town, id: &ResourceId) -> Vec<AccessRule> {
    let mut rx = town.city.app.db.read().await.unwrap();
    let all = rows::of_resource(&mut rx, id).await.unwrap();
    let mut all: Vec<AccessRule> = all.into_iter().map(|row| row.rule).collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_rule_stands_when_the_cloud_has_taken_it_and_goes_when_it_has_given_it_up() {
    let slow = Latency {
        other_ms: 5_000,
        ..Latency::default()
    };
    for town in Town::slow(slow).await {
        let cx = town.clerk();
        let before = access_rule::view(&cx, &town.host).await.unwrap();
        assert!(before.may && before.own.is_empty() && !before.preset.is_empty());
        assert!(before.network.unwrap().ends_with("/24"));
        for _ in 0..2 {
            access_rule::add(&cx, &town.host, &pages(), FORM)
                .await
                .unwrap();
        }
        let waiting = access_rule::view(&cx, &town.host).await.unwrap();
        assert_eq!(waiting.busy.unwrap().key, "resource.busy.rules");
        assert!(!waiting.may && waiting.own.is_empty());
        let other = typed("udp", "53", "10.0.0.0/8");
        let late = access_rule::add(&cx, &town.host, &other, "").await;
        assert_eq!(key(late), "resource.busy_now");
        town.settle().await;
        access_rule::add(&cx, &town.host, &pages(), FORM)
            .await
            .unwrap();
        town.settle().await;
        access_rule::add(&cx, &town.host, &other, "").await.unwrap();
        town.settle().await;
        let seen = access_rule::view(&cx, &town.host).await.unwrap();
        let said: Vec<_> = seen
            .own
            .iter()
            .map(|row| (row.rule.ports.unwrap().to_string(), row.note.as_str()))
            .collect();
        assert_eq!(
            said,
            [("8000-8100".to_owned(), "接口"), ("53".to_owned(), "接口")]
        );
        assert_eq!(seen.own[0].by.as_deref(), Some("clerk"));
        assert_eq!(there(&town, &town.host).await.unwrap().len(), 2);
        assert_eq!(there(&town, &town.other).await.unwrap(), []);
        let twice = access_rule::add(&cx, &town.host, &pages(), "").await;
        assert_eq!(key(twice), "source:access_rule.twice ");

        let gone = seen.own[0].id.clone();
        // Of another host there is no such rule.
        let elsewhere = access_rule::remove(&cx, &town.other, &gone, "").await;
        assert_eq!(key(elsewhere), "404");
        for _ in 0..2 {
            access_rule::remove(&cx, &town.host, &gone, "another-form")
                .await
                .unwrap();
        }
        town.settle().await;
        let again = access_rule::remove(&cx, &town.host, &gone, "").await;
        assert_eq!(key(again), "404");
        assert_eq!(ours(&town, &town.host).await.len(), 1);
        assert_eq!(
            there(&town, &town.host).await.unwrap(),
            ours(&town, &town.host).await
        );
        assert_eq!(town.events(&town.host, EventKind::RulesChanged).await, 3);
        assert_eq!(town.audited("resource.rule_add", "done").await, 2);
        assert_eq!(town.audited("resource.rule_remove", "done").await, 1);
        town.city.assert_ledger().await;
    }
}

#[tokio::test]
async fn what_the_law_forbids_is_refused_at_its_field_and_reaches_no_cloud() {
    for town in Town::all().await {
        let cx = town.clerk();
        let try_it =
            async |form: AccessRuleForm| key(access_rule::add(&cx, &town.host, &form, "").await);
        for (form, says) in [
            (
                typed("tcp", "22", "0.0.0.0/0"),
                "source:access_rule.guarded ",
            ),
            (
                typed("tcp", "3306", "8.8.8.8"),
                "source:access_rule.guarded ",
            ),
            (typed("tcp", "1", "127.0.0.1"), "source:access_rule.nobody "),
            (
                typed("tcp", "1", "10.1.2.3/8"),
                "source:access_rule.host_bits ",
            ),
            (
                typed("tcp", "9-1", "10.0.0.0/8"),
                "ports:access_rule.bad_ports ",
            ),
            (
                typed("icmp", "1", "10.0.0.0/8"),
                "ports:access_rule.icmp_has_no_ports ",
            ),
            (
                typed("gre", "1", "x"),
                "protocol:error.not_in_list source:access_rule.bad_source ",
            ),
        ] {
            assert_eq!(try_it(form).await, says);
        }
        // The level and the zone are those of the host.
        let open = typed("tcp", "8080", "0.0.0.0/0");
        let internet = access_rule::view(&cx, &town.host).await.unwrap().internet;
        let mut tx = town.city.app.db.begin().await.unwrap();
        Sql::new("UPDATE resource SET level = 3 WHERE id = ")
            .bind(town.host.as_str())
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let says = if internet {
            "source:access_rule.level_three "
        } else {
            "source:access_rule.no_internet "
        };
        assert_eq!(try_it(open).await, says);
        assert_eq!(there(&town, &town.host).await.unwrap(), []);
        let disk = access_rule::add(&cx, &town.disk, &pages(), "").await;
        assert_eq!(key(disk), "resource.no_host");
        let disk = access_rule::view(&cx, &town.disk).await;
        assert_eq!(key(disk), "404");
        assert_eq!(town.audited("resource.rule_add", "done").await, 0);
    }
}

#[tokio::test]
async fn a_host_has_fifty_rules_at_most() {
    for town in Town::all().await {
        let cx = town.clerk();
        let mut tx = town.city.app.db.begin().await.unwrap();
        for n in 0..MOST_RULES {
            let port = u16::try_from(8_000 + n).unwrap();
            let rule = AccessRule {
                protocol: Protocol::Tcp,
                ports: port.to_string().parse().ok(),
                source: "10.8.0.0/24".parse().unwrap(),
            };
            let id: AccessRuleId = cx.id();
            let new = rows::New {
                id: &id,
                resource: &town.host,
                rule: &rule,
                note: "",
                by: &town.city.clerk,
                at: cx.now(),
            };
            rows::insert(&mut tx, &new).await.unwrap();
        }
        tx.commit().await.unwrap();
        let more = access_rule::add(&cx, &town.host, &pages(), "").await;
        assert_eq!(key(more), "access_rule.too_many");
        let view = access_rule::view(&cx, &town.host).await.unwrap();
        let one = &view.own[7].id;
        access_rule::remove(&cx, &town.host, one, "").await.unwrap();
        town.settle().await;
        // The whole set was said.
        assert_eq!(
            there(&town, &town.host).await.unwrap().len(),
            MOST_RULES - 1
        );
        access_rule::add(&cx, &town.host, &pages(), "")
            .await
            .unwrap();
        town.settle().await;
        assert_eq!(ours(&town, &town.host).await.len(), MOST_RULES);
    }
}

#[tokio::test]
async fn what_the_cloud_refuses_opens_nothing_and_what_is_lost_comes_to_one_set() {
    for town in Town::all().await {
        let cx = town.clerk();
        let refuse = Failure::Refuse(RefusalReason::QuotaExceeded);
        town.fault(CallKind::SetServerRules, refuse, 1);
        access_rule::add(&cx, &town.host, &pages(), "")
            .await
            .unwrap();
        town.settle().await;
        assert_eq!(ours(&town, &town.host).await, []);
        assert_eq!(there(&town, &town.host).await.unwrap(), []);
        assert!(
            town.notices()
                .await
                .contains(&"resource.rules_failed".to_owned())
        );
        town.fault(CallKind::SetServerRules, Failure::LoseAnswer, 1);
        town.fault(CallKind::SetServerRules, Failure::Unreachable, 1);
        access_rule::add(&cx, &town.host, &pages(), "")
            .await
            .unwrap();
        town.settle().await;
        let both = (
            ours(&town, &town.host).await,
            there(&town, &town.host).await.unwrap(),
        );
        assert_eq!((both.0.len(), &both.0), (1, &both.1));
        assert_eq!(town.events(&town.host, EventKind::RulesChanged).await, 1);
    }
}

#[tokio::test]
async fn only_who_operates_the_host_changes_its_rules_and_a_stranger_finds_nothing() {
    for town in Town::all().await {
        let city = &town.city;
        access_rule::add(&town.clerk(), &town.host, &pages(), "")
            .await
            .unwrap();
        town.settle().await;
        let rule = access_rule::view(&town.clerk(), &town.host)
            .await
            .unwrap()
            .own[0]
            .id
            .clone();
        let unknown: ResourceId = city.app.id();
        let try_all = async |user: &UserId, host: &ResourceId| {
            let cx = city.cx(user);
            let other = typed("tcp", "9000", "10.0.0.0/8");
            [
                key(access_rule::add(&cx, host, &other, "").await),
                key(access_rule::remove(&cx, host, &rule, "").await),
                key(access_rule::new_password(&cx, host, "").await),
            ]
        };
        // Who reads the unit's things reads the rules too, and changes none.
        for user in [&city.leader, &city.deputy, &city.office, &city.security] {
            let view = access_rule::view(&city.cx(user), &town.host).await.unwrap();
            assert!(!view.may && view.own.len() == 1, "{user}");
            let said = try_all(user, &town.host).await;
            assert!(said.iter().all(|s| s == "403"), "{user}: {said:?}");
        }
        for user in [&city.stranger, &city.villager, &city.finance] {
            let view = access_rule::view(&city.cx(user), &town.host).await;
            assert_eq!(key(view), "404", "{user}");
            let said = try_all(user, &town.host).await;
            assert!(said.iter().all(|s| s == "404"), "{user}: {said:?}");
        }
        let said = try_all(&city.clerk, &unknown).await;
        assert!(said.iter().all(|s| s == "404"), "{said:?}");
        for action in [
            "resource.rule_add",
            "resource.rule_remove",
            "resource.new_password",
        ] {
            assert!(town.audited(action, "refused").await >= 7, "{action}");
        }
        assert_eq!(ours(&town, &town.host).await.len(), 1);
        // A colleague of the bureau may.
        access_rule::remove(&city.cx(&city.colleague), &town.host, &rule, "")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_host_that_is_given_back_takes_its_rules_with_it() {
    for town in Town::all().await {
        let cx = town.clerk();
        access_rule::add(&cx, &town.other, &pages(), "")
            .await
            .unwrap();
        town.settle().await;
        let ids = [town.other.clone()];
        release::create(&cx, &ids, "系统下线", true, "form-of-the-release")
            .await
            .unwrap();
        let late = access_rule::add(&cx, &town.other, &typed("tcp", "1", "10.0.0.0/8"), "").await;
        assert_eq!(key(late), "resource.being_released");
        let view = access_rule::view(&cx, &town.other).await.unwrap();
        assert_eq!(view.closed.unwrap().key, "resource.being_released");
        town.approve().await;
        town.settle().await;
        assert_eq!(there(&town, &town.other).await, None);
        let view = access_rule::view(&cx, &town.other).await.unwrap();
        assert!(!view.may && view.own.is_empty());
    }
}

#[tokio::test]
async fn a_new_password_is_shown_once_in_the_place_of_the_old_one() {
    let slow = Latency {
        other_ms: 5_000,
        ..Latency::default()
    };
    for town in Town::slow(slow).await {
        let cx = town.clerk();
        let first = resource::show_secret(&cx, &town.host).await.unwrap();
        assert!(town.see(&town.host).await.may.contains(&Act::NewPassword));
        town.fault(CallKind::RenewPassword, Failure::LoseAnswer, 1);
        for _ in 0..2 {
            access_rule::new_password(&cx, &town.host, FORM)
                .await
                .unwrap();
        }
        let seen = town.see(&town.host).await;
        assert_eq!(seen.busy.unwrap().key, "resource.busy.password");
        town.settle().await;
        assert_eq!(town.events(&town.host, EventKind::PasswordRenewed).await, 1);
        assert!(
            town.notices()
                .await
                .contains(&"resource.password_waits".to_owned())
        );
        let second = resource::show_secret(&cx, &town.host).await.unwrap();
        assert_ne!(first, second);
        let again = resource::show_secret(&cx, &town.host).await;
        assert_eq!(key(again), "resource.secret_gone");
        // It stands in no row as it is.
        let pattern = format!("%{second}%");
        for sql in [
            Sql::new("SELECT count(*) FROM saga_step WHERE output LIKE "),
            Sql::new("SELECT count(*) FROM audit_event WHERE detail LIKE "),
            Sql::new("SELECT count(*) FROM delivery_secret WHERE wrapped LIKE "),
        ] {
            assert_eq!(town.city.count(sql.bind(pattern.as_str())).await, 0);
        }
        assert_eq!(town.audited("resource.new_password", "done").await, 1);
        assert_eq!(town.audited("resource.show_secret", "done").await, 2);
    }
}

#[tokio::test]
async fn where_no_password_can_be_set_the_old_one_stays_and_the_reason_is_told() {
    for town in Town::all().await {
        let cx = town.clerk();
        let refuse = Failure::Refuse(RefusalReason::NoAgent);
        town.fault(CallKind::RenewPassword, refuse, 1);
        access_rule::new_password(&cx, &town.host, "")
            .await
            .unwrap();
        town.settle().await;
        assert_eq!(town.events(&town.host, EventKind::PasswordRenewed).await, 0);
        let told = Sql::new("SELECT count(*) FROM notice WHERE msg LIKE '%refused.no_agent%'");
        assert_eq!(town.city.count(told).await, 1);
        // The first one was not shown yet, and still waits.
        resource::show_secret(&cx, &town.host).await.unwrap();
        super::power::switch(&cx, &town.host, false).await.unwrap();
        town.settle().await;
        let off = town.see(&town.host).await;
        assert_eq!(off.row.service, ServiceState::Stopped);
        assert!(!off.may.contains(&Act::NewPassword) && off.may.contains(&Act::Rules));
        let off = access_rule::new_password(&cx, &town.host, "").await;
        assert_eq!(key(off), "resource.not_possible_now");
        // What is switched off can be opened all the same.
        access_rule::add(&cx, &town.host, &pages(), "")
            .await
            .unwrap();
        town.settle().await;
        let disk = access_rule::new_password(&cx, &town.disk, "").await;
        assert_eq!(key(disk), "resource.no_host");
        // A cloud that says it can't is not asked.
        let mut tx = town.city.app.db.begin().await.unwrap();
        cloud::save_able(&mut tx, "simulator", &[]).await.unwrap();
        tx.commit().await.unwrap();
        let can_not = "resource.cloud_can_not";
        let said = access_rule::new_password(&cx, &town.other, "").await;
        assert_eq!(key(said), can_not);
        let said = access_rule::add(&cx, &town.other, &pages(), "").await;
        assert_eq!(key(said), can_not);
        let view = access_rule::view(&cx, &town.other).await.unwrap();
        assert!(!view.may && view.closed.unwrap().key == can_not);
    }
}

/// Rules of a host, one more each time, under every fault.
struct Setting<'a> {
    town: &'a Town,
    port: AtomicU16,
    last: Mutex<Option<AccessRule>>,
}

impl Setting<'_> {
    async fn assert_even(&self, has: bool, when: &str) {
        let ours = ours(self.town, &self.town.host).await;
        let there = there(self.town, &self.town.host).await.unwrap();
        assert_eq!(ours, there, "{when}");
        let last = self.last.lock().unwrap().unwrap();
        assert_eq!(ours.contains(&last), has, "{when}");
    }
}

#[async_trait]
impl Bench for Setting<'_> {
    type Saga = operate::Operate;

    async fn fresh(&self, app: &TestApp) -> (operate::Operate, operate::Params) {
        let town = self.town;
        let port = self.port.fetch_add(1, Ordering::SeqCst);
        let rule = AccessRule {
            protocol: Protocol::Tcp,
            ports: port.to_string().parse().ok(),
            source: "10.8.0.0/24".parse().unwrap(),
        };
        *self.last.lock().unwrap() = Some(rule);
        let before = ours(town, &town.host).await;
        let mut tx = app.db.begin().await.unwrap();
        let scope = Scope::system(&app.system()).unwrap();
        let host = resources::get(&mut tx, &scope, &town.host).await;
        tx.commit().await.unwrap();
        let params = operate::Params {
            resource: town.host.clone(),
            kind: Fulfiller::Server,
            backend: "simulator".into(),
            external_id: host.unwrap().unwrap().external_id.unwrap(),
            what: operate::What::SetRules {
                rules: [before.clone(), vec![rule]].concat(),
                before,
                change: Change::Add {
                    id: app.id(),
                    rule,
                    note: String::new(),
                },
            },
            actor: town.city.clerk.clone(),
        };
        let backends = Backends::default().with(town.cloud.clone());
        (operate::Operate::new(Arc::new(backends)), params)
    }

    async fn assert_whole(&self, _: &TestApp, when: &str) {
        self.assert_even(true, when).await;
    }

    async fn assert_clean(&self, _: &TestApp, when: &str) {
        self.assert_even(false, when).await;
    }
}

#[tokio::test]
async fn killed_after_any_commit_or_failed_at_its_step_rows_and_cloud_let_in_the_same() {
    for town in Town::all().await {
        let drill = Setting {
            town: &town,
            port: AtomicU16::new(8_000),
            last: Mutex::default(),
        };
        harness::drill(&town.city.app, &drill).await;
    }
}
