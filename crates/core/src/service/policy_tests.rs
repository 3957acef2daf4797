use lingbao_model::{
    id::UserId,
    msg::{Arg, Msg},
    people::{Reach, Role},
    policy::{NamedZone, Policy, Ranks, Test},
    request::{Decision, Status},
    view::{
        item::Act,
        policy::{PolicyView, Seen},
        request::DecideAnswer,
    },
};

use crate::{
    app::Cx,
    error::ServiceError,
    service::{
        policy,
        request::fixture::{City, add, give},
    },
    storage::sql::Sql,
};

/// A second person of the cloud office.
async fn second(city: &City) -> UserId {
    let second = add(&city.app, "office2", &city.bureau).await;
    give(
        &city.app,
        &second,
        Role::Reviewer,
        &city.bureau,
        Reach::Site,
    )
    .await;
    second
}

async fn view(cx: &Cx, kind: &str) -> PolicyView {
    policy::get(cx, kind).await.unwrap()
}

/// The policy in force with another threshold of what is approved automatically.
async fn with_threshold(cx: &Cx, yuan: i64) -> Policy {
    let mut policy = view(cx, "new").await.in_force.unwrap().policy;
    policy.automatic = Some(Test::All {
        of: vec![
            Test::WithinQuota,
            Test::Not {
                of: Box::new(Test::CostAbove { fen: yuan * 100 }),
            },
        ],
    });
    policy
}

async fn act(cx: &Cx, kind: &str, act: Act) -> Result<(), ServiceError> {
    let seen = view(cx, kind).await.seen;
    policy::act(cx, kind, seen, act).await
}

async fn publish(one: &Cx, two: &Cx, kind: &str, new: &Policy) {
    let seen = view(one, kind).await.seen;
    policy::write(one, kind, seen, new).await.unwrap();
    act(one, kind, Act::Propose).await.unwrap();
    act(two, kind, Act::Publish).await.unwrap();
}

fn conflict<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> Msg {
    match result {
        Err(ServiceError::Conflict(msg)) => msg,
        other => panic!("{other:?}"),
    }
}

/// The keys of a message and of those inside it.
fn keys(msg: &Msg) -> Vec<String> {
    let inner = msg.args.iter().filter_map(|arg| match &arg.1 {
        Arg::Msg(inner) => Some(keys(inner)),
        _ => None,
    });
    let mut all = vec![msg.key.to_string()];
    all.extend(inner.flatten());
    all
}

#[tokio::test]
async fn a_policy_is_published_by_another_person_than_who_wrote_it() {
    for city in City::all().await {
        let (one, two) = (city.cx(&city.office), city.cx(&second(&city).await));
        let before = view(&one, "new").await;
        assert_eq!(before.in_force.as_ref().unwrap().number, 1);
        let new = with_threshold(&one, 100).await;
        let number = policy::write(&one, "new", before.seen, &new).await.unwrap();
        assert_eq!(number, 2);
        // A draft is in force for nobody, and is not published before it was proposed.
        assert_eq!(
            conflict(act(&two, "new", Act::Publish).await).key,
            "policy.moved"
        );
        act(&one, "new", Act::Propose).await.unwrap();
        let own = act(&one, "new", Act::Publish).await;
        assert_eq!(conflict(own).key, "items.second_person");
        let waits = policy::write(&two, "new", view(&two, "new").await.seen, &new).await;
        assert_eq!(conflict(waits).key, "items.waits");
        assert_eq!(view(&one, "new").await.in_force.unwrap().number, 1);
        act(&two, "new", Act::Publish).await.unwrap();

        let after = view(&one, "new").await;
        let in_force = after.in_force.unwrap();
        assert_eq!((in_force.number, in_force.policy), (2, new));
        assert_eq!(in_force.by.as_deref(), Some("office2"));
        let states: Vec<_> = after.versions.iter().map(|v| v.state.as_str()).collect();
        assert_eq!(states, ["published", "retired"]);
        let told: Vec<_> = after.versions[0].changes.iter().map(|m| &*m.key).collect();
        assert_eq!(told, ["policy.diff.automatic"]);
        let events = Sql::new(
            "SELECT count(*) FROM audit_event WHERE subject_kind = 'policy' AND outcome = 'done'",
        );
        assert_eq!(city.count(events).await, 3, "written, proposed, published");
    }
}

#[tokio::test]
async fn a_request_under_way_keeps_the_version_by_which_it_was_routed() {
    for city in City::all().await {
        let (one, two) = (city.cx(&city.office), city.cx(&second(&city).await));
        // Two hosts for 696.00 wait for the leader of the bureau.
        let under_way = city.waiting().await;
        let mut strict = with_threshold(&one, 100).await;
        let mut another = strict.stages[0].clone();
        another.key = "again".into();
        another.groups[0].role = Role::Finance;
        another.groups[0].ranks = Ranks::Site;
        strict.stages.push(another);
        publish(&one, &two, "new", &strict).await;

        let versions = Sql::new(
            "SELECT p.number FROM request r JOIN policy_version p ON p.id = r.policy_id WHERE r.id = ",
        )
        .bind(under_way.as_str());
        assert_eq!(city.count(versions).await, 1);
        let DecideAnswer::Decided(_) = city.decide(&city.leader, Decision::Approve).await else {
            panic!("decided on what the card showed");
        };
        let status = Sql::new("SELECT count(*) FROM request WHERE status = ")
            .bind(Status::Approved.as_str())
            .push(" AND id = ")
            .bind(under_way.as_str());
        assert_eq!(city.count(status).await, 1, "nobody else was asked");

        // One host was approved automatically; by the new version it waits for the leader.
        let cart = city.cart(1).await;
        let made = city.submit(&cart).await.unwrap();
        assert_eq!(made.status, Status::InApproval);
        let versions = Sql::new(
            "SELECT p.number FROM request r JOIN policy_version p ON p.id = r.policy_id WHERE r.id = ",
        )
        .bind(made.request.as_str());
        assert_eq!(city.count(versions).await, 2);
    }
}

#[tokio::test]
async fn whoever_writes_over_somebody_else_is_told_what_is_otherwise() {
    for city in City::all().await {
        let (one, two) = (city.cx(&city.office), city.cx(&second(&city).await));
        let read = view(&one, "new").await.seen;
        let mut mine = with_threshold(&one, 200).await;
        mine.stages[0].due_days = 3;
        let theirs = with_threshold(&two, 100).await;
        policy::write(&two, "new", read, &theirs).await.unwrap();
        let told = conflict(policy::write(&one, "new", read, &mine).await);
        let keys = keys(&told);
        for key in [
            "policy.changed",
            "policy.diff.automatic",
            "policy.diff.due_days",
        ] {
            assert!(keys.iter().any(|one| one == key), "{key}: {keys:?}");
        }
        let who = told.args.iter().find(|arg| arg.0 == "who").unwrap();
        assert_eq!(who.1, Arg::Text("office2".into()));
        // Knowing that, it may be written over.
        let read = view(&one, "new").await.seen;
        assert_eq!(policy::write(&one, "new", read, &mine).await.unwrap(), 2);
        let stale = Seen {
            number: 2,
            version: read.version,
        };
        let told = conflict(policy::act(&two, "new", stale, Act::Propose).await);
        assert_eq!(told.key, "policy.moved");
    }
}

#[tokio::test]
async fn a_kind_without_a_policy_of_its_own_follows_until_it_has_one() {
    for city in City::all().await {
        let (one, two) = (city.cx(&city.office), city.cx(&second(&city).await));
        let before = view(&one, "change").await;
        assert_eq!((before.seen, before.versions.len()), (Seen::default(), 0));
        let of_new = view(&one, "new").await.in_force;
        assert_eq!(before.in_force, of_new);
        let rows = policy::list(&one).await.unwrap();
        let follows: Vec<_> = rows.iter().map(|row| row.follows.is_some()).collect();
        assert_eq!(follows, [false, true, false], "new, change, release");
        let own = with_threshold(&one, 100).await;
        publish(&one, &two, "change", &own).await;
        let after = view(&one, "change").await;
        assert_eq!(after.in_force.unwrap().policy, own);
        assert_eq!(after.follows, None);
        assert_eq!(view(&one, "new").await.in_force, of_new);
    }
}

#[tokio::test]
async fn a_policy_that_breaks_a_rule_is_not_written_and_strangers_see_none() {
    for city in City::all().await {
        let office = city.cx(&city.office);
        let read = view(&office, "new").await.seen;
        let mut wrong = with_threshold(&office, 100).await;
        wrong.stages[0].due_days = 0;
        let told = policy::write(&office, "new", read, &wrong).await;
        assert!(
            matches!(&told, Err(ServiceError::Invalid(e)) if e[0].field == "stages[0].due_days"),
            "{told:?}"
        );
        let mut unknown = with_threshold(&office, 100).await;
        unknown.stages[1].groups[0].when = Some(Test::AnyItem {
            codes: vec!["X-NONE".into()],
        });
        let told = policy::write(&office, "new", read, &unknown).await;
        assert!(
            matches!(&told, Err(ServiceError::Invalid(e)) if e[0].msg.key == "policy.no_item"),
            "{told:?}"
        );
        let in_zone = |id| Test::AnyZone {
            zones: vec![NamedZone { id, name: None }],
        };
        unknown.stages[1].groups[0].when = Some(in_zone(city.app.id()));
        let told = policy::write(&office, "new", read, &unknown).await;
        assert!(
            matches!(&told, Err(ServiceError::Invalid(e)) if e[0].msg.key == "policy.unknown_zone"),
            "{told:?}"
        );
        let right = with_threshold(&office, 100).await;
        for stranger in [&city.clerk, &city.leader, &city.finance] {
            let cx = city.cx(stranger);
            assert!(matches!(
                policy::list(&cx).await,
                Err(ServiceError::Forbidden)
            ));
            assert!(matches!(
                policy::get(&cx, "new").await,
                Err(ServiceError::Forbidden)
            ));
            let written = policy::write(&cx, "new", read, &right).await;
            assert!(matches!(written, Err(ServiceError::Forbidden)));
            let acted = policy::act(&cx, "new", read, Act::TakeBack).await;
            assert!(matches!(acted, Err(ServiceError::Forbidden)));
        }
        for kind in ["import", "none"] {
            let found = policy::get(&office, kind).await;
            assert!(matches!(found, Err(ServiceError::NotFound)), "{kind}");
        }
        assert_eq!(view(&office, "new").await.versions.len(), 1);
    }
}

#[tokio::test]
async fn whoever_asks_never_decides_whatever_the_policy_says() {
    for city in City::all().await {
        let (one, two) = (city.cx(&city.office), city.cx(&second(&city).await));
        // The applicant leads the bureau as well, and so does a deputy.
        give(
            &city.app,
            &city.clerk,
            Role::DeptLeader,
            &city.bureau,
            Reach::Subtree,
        )
        .await;
        let mut new = with_threshold(&one, 100).await;
        new.automatic = None;
        publish(&one, &two, "new", &new).await;
        let cart = city.cart(1).await;
        let made = city.submit(&cart).await.unwrap();
        assert_eq!(made.status, Status::InApproval);
        let clerk = city.cx(&city.clerk);
        let waiting = crate::service::approval::todo_count(&clerk).await.unwrap();
        assert_eq!(waiting, 0);
        city.todo(&city.leader).await;
    }
}

#[tokio::test]
async fn an_example_takes_the_way_of_a_submit() {
    for city in City::all().await {
        let cx = city.cx(&city.office);
        let cart = city.cart(2).await;
        let facts = &cart.verdict.facts;
        let tried = policy::try_out(&cx, "new", None, facts).await.unwrap();
        let tried: Vec<_> = tried.stages.iter().map(|s| s.name.clone()).collect();
        let shown: Vec<_> = cart.route.iter().map(|s| s.name.clone()).collect();
        assert_eq!(tried, shown);
        let none = with_threshold(&cx, 1_000).await;
        let tried = policy::try_out(&cx, "new", Some(none), facts).await;
        assert!(tried.unwrap().is_automatic());
    }
}

#[tokio::test]
async fn a_zone_of_a_condition_is_called_by_its_name() {
    for city in City::all().await {
        let office = city.cx(&city.office);
        let read = view(&office, "new").await;
        let zone = read.zones[0].clone();
        let mut typed = with_threshold(&office, 100).await;
        typed.stages[1].groups[0].when = Some(Test::AnyZone {
            zones: vec![NamedZone {
                id: zone.id.clone(),
                name: None,
            }],
        });
        policy::write(&office, "new", read.seen, &typed)
            .await
            .unwrap();
        let written = view(&office, "new").await.versions[0].policy.clone();
        let Some(Test::AnyZone { zones }) = &written.stages[1].groups[0].when else {
            panic!("{written:?}");
        };
        assert_eq!(zones[0].name, Some(zone.name));
    }
}
