//! The rules of requests, each as a test on both engines.

use lingbao_model::{
    id::{PoolId, RequestId},
    msg::Arg,
    people::{Reach, Role},
    quota::Dimension,
    request::{Decision, Status},
    time::{DAY_MS, MINUTE_MS},
    view::request::{Act, DecideAnswer, HeadForm, LineForm, OverQuota, Submitted},
};

use super::{
    confirm, detail,
    fixture::{City, add, give},
    release, resubmit, submit, withdraw,
};
use crate::{
    error::ServiceError,
    service::{approval, cart, resource},
    storage::{cloud, quota, sql::Sql},
};

/// What the caller is told, as keys.
pub fn key<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> String {
    match result.unwrap_err() {
        ServiceError::Conflict(msg) => msg.key.into_owned(),
        ServiceError::Invalid(fields) => fields
            .iter()
            .map(|f| format!("{}:{} ", f.field, f.msg.key))
            .collect(),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn a_small_order_is_approved_by_itself_and_its_work_begins() {
    for city in City::all().await {
        let cart = city.cart(1).await;
        assert!(cart.route.is_empty() && cart.problems.is_empty());
        let made = city.submit(&cart).await.unwrap();
        assert_eq!(made.status, Status::Approved);
        assert_eq!(made.number, "TT-20261120-0001");
        let cx = city.cx(&city.clerk);
        let seen = detail::detail(&cx, &made.request).await.unwrap();
        let told = seen.history.iter();
        let told: Vec<_> = told.map(|h| (&*h.msg.key, h.by_name.is_some())).collect();
        // The rule is nobody's act.
        assert_eq!(
            told,
            [
                ("request.history.submitted", true),
                ("request.history.approved_automatically", false)
            ]
        );
        let pieces = Sql::new("SELECT count(*) FROM fulfilment WHERE status = 'waiting'");
        assert_eq!(city.count(pieces).await, 1);
        let jobs = Sql::new("SELECT count(*) FROM job WHERE kind = 'fulfil.request'");
        assert_eq!(city.count(jobs).await, 1);
        assert_eq!(city.standing(&city.vdc, Dimension::Vcpu).await.held, 4);
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_form_that_is_sent_twice_makes_one_request() {
    for city in City::all().await {
        let cart = city.cart(2).await;
        let (one, two) = tokio::join!(city.submit(&cart), city.submit(&cart));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!((&one.request, &one.number), (&two.request, &two.number));
        assert!(one.again != two.again);
        // The back button, an hour later.
        let third: Submitted = city.submit(&cart).await.unwrap();
        assert!(third.again && third.number == one.number);
        let requests = Sql::new("SELECT count(*) FROM request WHERE number IS NOT NULL");
        assert_eq!(city.count(requests).await, 1);
        assert_eq!(city.standing(&city.vdc, Dimension::Vcpu).await.held, 8);
        // Another form of the same cart is told that it is on its way.
        let mut other = cart;
        other.form_id = "another-form".into();
        assert_eq!(key(city.submit(&other).await), "request.submitted_already");
    }
}

#[tokio::test]
async fn a_form_that_is_sent_twice_with_another_head_makes_one_request_with_one_of_them() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let cart = city.cart(2).await;
        let head = |title: &str| HeadForm {
            system: city.system.to_string(),
            title: title.into(),
            reason: "第五次全国经济普查".into(),
            with_quota_change: false,
        };
        let (a, b) = (head("先按的"), head("后按的"));
        let send = |head| submit::submit(&cx, &cart.id, cart.version, Some(head), &cart.form_id);
        let (one, two) = tokio::join!(send(&a), send(&b));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!((&one.request, &one.number), (&two.request, &two.number));
        assert!(one.again != two.again);
        let seen = detail::detail(&cx, &one.request).await.unwrap();
        assert_eq!(seen.row.title, if two.again { a.title } else { b.title });
        let requests = Sql::new("SELECT count(*) FROM request WHERE number IS NOT NULL");
        assert_eq!(city.count(requests).await, 1);
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn what_was_typed_outlives_a_refused_submit_and_the_version_stands() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let cart = city.cart(1).await;
        let mut head = HeadForm {
            system: city.system.to_string(),
            title: "换了标题".into(),
            ..HeadForm::default()
        };
        let send = async |head: &HeadForm, version| {
            submit::submit(&cx, &cart.id, version, Some(head), &cart.form_id).await
        };
        // Both posts of a double click are told what is missing.
        let (one, two) = tokio::join!(send(&head, cart.version), send(&head, cart.version));
        for refused in [one, two] {
            assert!(key(refused).starts_with("reason:"));
        }
        let kept = cart::open(&cx, &cart.id).await.unwrap();
        assert_eq!(
            (kept.title.as_str(), kept.version),
            ("换了标题", cart.version)
        );
        // What can't be read, or comes from another version, is not kept.
        let old = HeadForm {
            title: "旧窗口".into(),
            ..head.clone()
        };
        assert_eq!(key(send(&old, cart.version - 1).await), "error.stale");
        let long = HeadForm {
            title: "长".repeat(100),
            ..head.clone()
        };
        assert!(key(send(&long, cart.version).await).starts_with("title:"));
        let kept = cart::open(&cx, &cart.id).await.unwrap();
        assert_eq!(kept.title, "换了标题");
        head.reason = "补上理由".into();
        let made = send(&head, cart.version).await.unwrap();
        assert!(!made.again);
    }
}

#[tokio::test]
async fn a_supplement_is_judged_anew_when_the_quota_moves_between_verdict_and_hold() {
    for city in City::all().await {
        let (cx, system) = (city.cx(&city.clerk), city.system.clone());
        let form = LineForm {
            count: "2".into(),
            ..city.host()
        };
        let cart = city.cart_with(&city.clerk, &system, &form, true).await;
        let id = city.submit(&cart).await.unwrap().request;
        city.decide(&city.leader, Decision::Return).await;
        // It moves to a pool of which it holds nothing yet: giving back its old hold keeps nobody out there.
        let view = cart::open(&cx, &id).await.unwrap();
        let line = &view.lines[0].line;
        let moved = LineForm {
            cell: city.cell_three.clone(),
            ..cart::line::form_of(line)
        };
        let change = cart::put_line(&cx, &id, view.version, Some(&line.id), &moved)
            .await
            .unwrap();
        let pool: PoolId = city.cell_three.rsplit('/').next().unwrap().parse().unwrap();
        city.hand(&pool, Dimension::Vcpu, 8 - 10_000_000).await;

        let mut tx = city.app.db.begin().await.unwrap();
        let way = (&city.city_vdc, &city.vdc);
        assert!(
            quota::hand(&mut tx, &cx, "taken-back", way, &pool, Dimension::Vcpu, -8)
                .await
                .unwrap()
        );
        let again =
            async { resubmit::resubmit(&cx, &id, change.version, None, &view.form_id).await };
        let meanwhile = async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            tx.commit().await.unwrap();
        };
        let (again, ()) = tokio::join!(again, meanwhile);
        assert_eq!(again.unwrap().status, Status::InApproval);
        let mut rx = city.app.db.read().await.unwrap();
        let above = quota::account(&mut rx, &city.city_vdc).await.unwrap();
        assert_eq!(above.standing(&pool, Dimension::Vcpu).held, 8);
        drop(rx);
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_supplement_that_is_sent_twice_carries_its_head_once() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let id = city.waiting().await;
        city.decide(&city.leader, Decision::Return).await;
        let view = cart::open(&cx, &id).await.unwrap();
        let head = HeadForm {
            system: city.system.to_string(),
            title: view.title.clone(),
            reason: "补充了说明".into(),
            with_quota_change: false,
        };
        let send = || resubmit::resubmit(&cx, &id, view.version, Some(&head), &view.form_id);
        let (one, two) = tokio::join!(send(), send());
        assert!(one.unwrap().again != two.unwrap().again);
        let card = city.card(&city.leader).await;
        assert_eq!(card.reason, "补充了说明");
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_host_with_its_disk_goes_from_cart_to_approval() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let view = city.cart(2).await;
        let host = view.lines[0].line.id.clone();
        let disk = LineForm {
            count: "2".into(),
            ..city.disk(&host)
        };
        let change = cart::put_line(&cx, &view.id, view.version, None, &disk)
            .await
            .unwrap();
        // The host goes and comes back: its disk hangs on it again.
        let removed = view.lines[0].line.clone();
        let gone = cart::remove_line(&cx, &view.id, change.version, &host)
            .await
            .unwrap();
        let without = cart::open(&cx, &view.id).await.unwrap();
        assert_eq!(without.problems[0].msg.key, "attach.gone");
        let back = cart::restore_line(&cx, &view.id, gone.version, &removed)
            .await
            .unwrap();
        let stale = cart::restore_line(&cx, &view.id, gone.version, &removed).await;
        assert_eq!(key(stale), "error.stale");
        let full = cart::open(&cx, &view.id).await.unwrap();
        assert_eq!(full.version, back.version);
        assert_eq!(full.problems, []);
        assert_eq!(full.lines[1].attached_to, Some((1, "web".into())));
        // 2 × 348.00 + 2 × 70.00
        assert_eq!(full.verdict.month.yuan(), "836.00");
        assert_eq!(full.route[0].approvers[0].people, ["deputy", "leader"]);

        city.submit(&full).await.unwrap();
        let card = city.card(&city.leader).await;
        assert_eq!((card.position, card.of), (1, 1));
        assert_eq!(card.month.yuan(), "836.00");
        let vcpu = card
            .changes
            .iter()
            .find(|c| c.dimension == Dimension::Vcpu)
            .unwrap();
        assert_eq!((vcpu.before.held, vcpu.asked), (0, 8));
        let answer = city.decide(&city.leader, Decision::Approve).await;
        let DecideAnswer::Decided(decided) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!((decided.status, decided.next), (Status::Approved, None));
        // A host and its disk are one group.
        let groups = Sql::new("SELECT count(DISTINCT group_no) FROM fulfilment");
        assert_eq!(city.count(groups).await, 2);
        assert_eq!(
            approval::todo_count(&city.cx(&city.leader)).await.unwrap(),
            0
        );
        let done = approval::done(&city.cx(&city.leader), None, 0)
            .await
            .unwrap();
        assert_eq!(done.rows.len(), 1);
    }
}

#[tokio::test]
async fn over_quota_names_dimension_asked_and_left_and_the_way_out() {
    for city in City::all().await {
        city.only(Dimension::Vcpu, 6).await;
        let cart = city.cart(2).await;
        let Err(ServiceError::QuotaExceeded(json)) = city.submit(&cart).await else {
            panic!("8 cores do not fit into 6");
        };
        let over: OverQuota = serde_json::from_value(*json).unwrap();
        let short = &over.shortfalls[0];
        assert_eq!(over.shortfalls.len(), 1);
        assert_eq!(short.dimension, Dimension::Vcpu);
        assert_eq!((short.standing.limit, short.asked), (6, 8));
        assert_eq!((short.standing.left(), short.missing()), (6, 2));
        assert_eq!(over.messages[0].key, "verdict.over_quota");
        assert_eq!(over.link, Some(format!("/cart/{}?quota=1", cart.id)));
        assert_eq!(city.standing(&city.vdc, Dimension::Vcpu).await.held, 0);
    }
}

#[tokio::test]
async fn the_missing_quota_comes_with_the_same_request() {
    for city in City::all().await {
        city.only(Dimension::Vcpu, 6).await;
        let above = city.standing(&city.city_vdc, Dimension::Vcpu).await;
        let form = LineForm {
            count: "2".into(),
            ..city.host()
        };
        let cart = city.cart_with(&city.clerk, &city.system, &form, true).await;
        assert!(cart.verdict.passes());
        city.submit(&cart).await.unwrap();
        let own = city.standing(&city.vdc, Dimension::Vcpu).await;
        assert_eq!((own.limit, own.held), (6, 6));
        let held = city.standing(&city.city_vdc, Dimension::Vcpu).await.held;
        assert_eq!(held, above.held + 2);
        // Beyond the quota the cloud office is asked too.
        city.decide(&city.leader, Decision::Approve).await;
        let answer = city.decide(&city.office, Decision::Approve).await;
        assert!(matches!(answer, DecideAnswer::Decided(d) if d.status == Status::Approved));
        let own = city.standing(&city.vdc, Dimension::Vcpu).await;
        assert_eq!((own.limit, own.held), (8, 8));
        let after = city.standing(&city.city_vdc, Dimension::Vcpu).await;
        assert_eq!((after.held, after.handed), (above.held, above.handed + 2));
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn an_order_to_a_cloud_that_does_not_answer_is_warned_once_and_may_go() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let form = city.host();
        let cart = city
            .cart_with(&city.clerk, &city.system, &form, false)
            .await;
        cart::put_line(&cx, &cart.id, cart.version, None, &form)
            .await
            .unwrap();
        for (error, warned) in [(Some("no answer"), 1), (None, 0)] {
            let mut tx = city.app.db.begin().await.unwrap();
            cloud::save_health(&mut tx, "simulator", error, cx.now())
                .await
                .unwrap();
            tx.commit().await.unwrap();
            let verdict = cart::open(&cx, &cart.id).await.unwrap().verdict;
            let silent = verdict.warns.iter().filter(|it| it.key == "verdict.silent");
            assert_eq!(silent.count(), warned);
            assert!(verdict.passes());
        }
    }
}

#[tokio::test]
async fn a_refusal_gives_back_both_parts_of_a_hold() {
    for city in City::all().await {
        city.only(Dimension::Vcpu, 6).await;
        let above = city.standing(&city.city_vdc, Dimension::Vcpu).await;
        let form = LineForm {
            count: "2".into(),
            ..city.host()
        };
        let cart = city.cart_with(&city.clerk, &city.system, &form, true).await;
        let made = city.submit(&cart).await.unwrap();
        city.decide(&city.leader, Decision::Reject).await;
        assert_eq!(city.standing(&city.vdc, Dimension::Vcpu).await.held, 0);
        assert_eq!(city.standing(&city.city_vdc, Dimension::Vcpu).await, above);
        let seen = detail::detail(&city.cx(&city.clerk), &made.request)
            .await
            .unwrap();
        assert_eq!(seen.row.status, Status::Rejected);
        assert_eq!(seen.may, [Act::Copy]);
        assert_eq!(seen.steps[0].opinion.as_ref().unwrap().text, "请补充说明");
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn two_who_decide_at_one_instant_make_one_decision() {
    for city in City::all().await {
        city.waiting().await;
        let card = city.card(&city.leader).await;
        let (one, two) = tokio::join!(
            city.decide_on(&city.leader, &card, Decision::Approve),
            city.decide_on(&city.deputy, &card, Decision::Approve),
        );
        let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
        assert!(matches!(won, Ok(DecideAnswer::Decided(_))), "{won:?}");
        let Err(ServiceError::Conflict(msg)) = lost else {
            panic!("{lost:?}")
        };
        assert_eq!(msg.key, "approval.taken");
        let who = &msg.args.iter().find(|(name, _)| name == "who").unwrap().1;
        assert!(matches!(who, Arg::Text(name) if name == "leader" || name == "deputy"));
        let jobs = Sql::new("SELECT count(*) FROM job WHERE kind = 'fulfil.request'");
        assert_eq!(city.count(jobs).await, 1);
    }
}

#[tokio::test]
async fn two_groups_of_one_stage_may_decide_at_one_instant() {
    for city in City::all().await {
        // Level three and more than 20 000 a month: security and finance countersign.
        let mut form = LineForm {
            cell: city.cell_three.clone(),
            count: "2".into(),
            ..city.host()
        };
        form.typed.insert("vcpus".into(), "64".into());
        form.typed.insert("memory_gb".into(), "512".into());
        let cart = city
            .cart_with(&city.clerk, &city.system, &form, false)
            .await;
        city.submit(&cart).await.unwrap();
        city.decide(&city.leader, Decision::Approve).await;
        city.decide(&city.office, Decision::Approve).await;
        let (a, b) = (
            city.card(&city.security).await,
            city.card(&city.finance).await,
        );
        let (one, two) = tokio::join!(
            city.decide_on(&city.security, &a, Decision::Approve),
            city.decide_on(&city.finance, &b, Decision::Approve),
        );
        let approved = [one, two]
            .into_iter()
            .filter(|r| matches!(r, Ok(DecideAnswer::Decided(d)) if d.status == Status::Approved))
            .count();
        assert_eq!(approved, 1, "the second of them approves the request");
        assert_eq!(
            city.count(Sql::new(
                "SELECT count(*) FROM approval_step WHERE status = 'approved'"
            ))
            .await,
            4
        );
    }
}

#[tokio::test]
async fn an_applicant_who_became_a_leader_does_not_approve_their_own() {
    for city in City::all().await {
        let id = city.waiting().await;
        give(
            &city.app,
            &city.clerk,
            Role::DeptLeader,
            &city.bureau,
            Reach::Subtree,
        )
        .await;
        let cx = city.cx(&city.clerk);
        assert_eq!(approval::todo_count(&cx).await.unwrap(), 0);
        let step = city.todo(&city.leader).await;
        let card = approval::card(&cx, &step).await.unwrap();
        assert!(!card.open);
        let refused = city.decide_on(&city.clerk, &card, Decision::Approve).await;
        assert!(matches!(refused, Err(ServiceError::Forbidden)));
        let seen = detail::detail(&cx, &id).await.unwrap();
        assert!(!seen.may.contains(&Act::Decide) && seen.my_step.is_none());
        let refusals = "SELECT count(*) FROM audit_event WHERE outcome = 'refused'";
        assert_eq!(city.count(Sql::new(refusals)).await, 1);
    }
}

#[tokio::test]
async fn where_nobody_could_act_the_step_goes_up_and_the_history_says_so() {
    for city in City::all().await {
        // A township without a leader below a county without one: the cloud office's reviewer.
        let system = city.new_system(&city.villager).await;
        let form = LineForm {
            count: "2".into(),
            ..city.host()
        };
        let vdc_quota = city.cart_with(&city.villager, &system, &form, true).await;
        let cx = city.cx(&city.villager);
        // No quota anywhere above the township but in the city: that is not its parent.
        assert!(!vdc_quota.verdict.passes());
        let steps = &vdc_quota.route[0].approvers[0];
        assert_eq!(steps.role, Role::Reviewer);
        assert_eq!(steps.people, ["office"]);
        let refused = submit::submit(
            &cx,
            &vdc_quota.id,
            vdc_quota.version,
            None,
            "form-of-village",
        )
        .await;
        assert!(matches!(refused, Err(ServiceError::QuotaExceeded(_))));
        // The bureau's only leaders leave: its next request goes up too.
        for leader in [&city.leader, &city.deputy] {
            let mut tx = city.app.db.begin().await.unwrap();
            Sql::new(
                "UPDATE user_grant SET revoked_at = 1, revoked_by = 'system' WHERE user_id = ",
            )
            .bind(leader.as_str())
            .run(&mut tx)
            .await
            .unwrap();
            tx.commit().await.unwrap();
        }
        let id = city.waiting().await;
        let seen = detail::detail(&city.cx(&city.clerk), &id).await.unwrap();
        assert_eq!(seen.steps[0].role, Role::Reviewer);
        let keys: Vec<&str> = seen.history.iter().map(|h| &*h.msg.key).collect();
        assert_eq!(
            keys,
            ["request.history.submitted", "request.history.rerouted"]
        );
        let answer = city.decide(&city.office, Decision::Approve).await;
        assert!(matches!(answer, DecideAnswer::Decided(d) if d.status == Status::Approved));
    }
}

#[tokio::test]
async fn a_card_of_yesterday_is_answered_with_the_difference() {
    for city in City::all().await {
        let id = city.waiting().await;
        let old = city.card(&city.leader).await;
        city.decide(&city.leader, Decision::Return).await;
        let cx = city.cx(&city.clerk);
        let view = cart::open(&cx, &id).await.unwrap();
        assert_eq!(view.status, Status::Returned);
        assert_eq!(view.asked.as_ref().unwrap().text, "请补充说明");
        let line = &view.lines[0].line;
        let mut form = cart::line::form_of(line);
        form.count = "1".into();
        let change = cart::put_line(&cx, &id, view.version, Some(&line.id), &form)
            .await
            .unwrap();
        let again = resubmit::resubmit(&cx, &id, change.version, None, &view.form_id)
            .await
            .unwrap();
        assert_eq!(again.status, Status::InApproval);
        assert_eq!(city.standing(&city.vdc, Dimension::Vcpu).await.held, 4);

        let step = city.todo(&city.leader).await;
        assert_ne!(step, old.step, "whoever gave it back has a fresh step");
        let leader = city.cx(&city.leader);
        let on_old_card = approval::decide(&leader, &step, Decision::Approve, "", &old.digest);
        let DecideAnswer::Changed(changed) = on_old_card.await.unwrap() else {
            panic!("decided on what is no more");
        };
        let what: Vec<&str> = changed.differences.iter().map(|d| &*d.what.key).collect();
        assert_eq!(what, ["request.diff.month", "request.diff.line"]);
        let open = Sql::new("SELECT count(*) FROM approval_step WHERE status = 'open'");
        assert_eq!(city.count(open).await, 1, "nothing was decided");
        let answer = city.decide(&city.leader, Decision::Approve).await;
        assert!(matches!(answer, DecideAnswer::Decided(d) if d.status == Status::Approved));
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_supplement_goes_straight_back_unless_it_grew_dearer() {
    for city in City::all().await {
        // Seven hosts for 2 436 a month: the leader, then the cloud office.
        let cart_view = city.cart(7).await;
        let made = city.submit(&cart_view).await.unwrap();
        city.decide(&city.leader, Decision::Approve).await;
        city.decide(&city.office, Decision::Return).await;
        let cx = city.cx(&city.clerk);
        let view = cart::open(&cx, &made.request).await.unwrap();
        let head = HeadForm {
            system: city.system.to_string(),
            title: view.title.clone(),
            reason: "补充了说明".into(),
            with_quota_change: false,
        };
        let version = cart::save_head(&cx, &view.id, view.version, &head)
            .await
            .unwrap();
        resubmit::resubmit(&cx, &view.id, version, None, &view.form_id)
            .await
            .unwrap();
        assert_eq!(
            approval::todo_count(&city.cx(&city.leader)).await.unwrap(),
            0
        );
        city.decide(&city.office, Decision::Return).await;

        // One host more: everybody is asked anew.
        let view = cart::open(&cx, &made.request).await.unwrap();
        let mut form = cart::line::form_of(&view.lines[0].line);
        form.count = "8".into();
        let line = view.lines[0].line.id.clone();
        let change = cart::put_line(&cx, &view.id, view.version, Some(&line), &form)
            .await
            .unwrap();
        resubmit::resubmit(&cx, &view.id, change.version, None, &view.form_id)
            .await
            .unwrap();
        assert_eq!(city.standing(&city.vdc, Dimension::Vcpu).await.held, 32);
        assert_eq!(
            approval::todo_count(&city.cx(&city.office)).await.unwrap(),
            0
        );
        city.decide(&city.leader, Decision::Approve).await;
        let answer = city.decide(&city.office, Decision::Approve).await;
        assert!(matches!(answer, DecideAnswer::Decided(d) if d.status == Status::Approved));
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_request_is_taken_back_only_until_somebody_acted() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let id = city.waiting().await;
        let version = detail::detail(&cx, &id).await.unwrap().version;
        withdraw::withdraw(&cx, &id, version).await.unwrap();
        assert_eq!(city.standing(&city.vdc, Dimension::Vcpu).await.held, 0);
        assert_eq!(
            approval::todo_count(&city.cx(&city.leader)).await.unwrap(),
            0
        );
        let twice = withdraw::withdraw(&cx, &id, version).await;
        assert_eq!(key(twice), "request.not_possible_now");

        let cart_view = city.cart(7).await;
        let id = city.submit(&cart_view).await.unwrap().request;
        city.decide(&city.leader, Decision::Approve).await;
        let seen = detail::detail(&cx, &id).await.unwrap();
        assert!(!seen.may.contains(&Act::Withdraw));
        let late = withdraw::withdraw(&cx, &id, seen.version).await;
        assert_eq!(key(late), "request.acted_already");
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_supplement_is_taken_back_until_somebody_acted_on_it() {
    for city in City::all().await {
        // Seven hosts go to the leader and then to the office; the eighth makes them dearer, and
        // everybody is asked anew.
        for (count, last) in [("7", &city.office), ("8", &city.leader)] {
            let cx = city.cx(&city.clerk);
            let cart_view = city.cart(7).await;
            let id = city.submit(&cart_view).await.unwrap().request;
            city.decide(&city.leader, Decision::Approve).await;
            city.app.clock.advance_ms(MINUTE_MS);
            city.decide(&city.office, Decision::Return).await;
            city.app.clock.advance_ms(MINUTE_MS);
            let again = async || {
                let cx = city.cx(&city.clerk);
                let view = cart::open(&cx, &id).await.unwrap();
                let mut form = cart::line::form_of(&view.lines[0].line);
                form.count = count.into();
                let line = view.lines[0].line.id.clone();
                let change = cart::put_line(&cx, &id, view.version, Some(&line), &form)
                    .await
                    .unwrap();
                resubmit::resubmit(&cx, &id, change.version, None, &view.form_id)
                    .await
                    .unwrap();
                detail::detail(&cx, &id).await.unwrap()
            };
            let seen = again().await;
            assert!(seen.may.contains(&Act::Withdraw), "nobody has looked at it");

            // Whoever acts on the supplement ends that; a second supplement begins it again.
            city.app.clock.advance_ms(MINUTE_MS);
            city.decide(last, Decision::Return).await;
            city.app.clock.advance_ms(MINUTE_MS);
            let seen = again().await;
            assert!(seen.may.contains(&Act::Withdraw));
            if count == "8" {
                city.app.clock.advance_ms(MINUTE_MS);
                city.decide(&city.leader, Decision::Approve).await;
                let acted = detail::detail(&cx, &id).await.unwrap();
                assert!(!acted.may.contains(&Act::Withdraw));
                let late = withdraw::withdraw(&cx, &id, acted.version).await;
                assert_eq!(key(late), "request.acted_already");
            } else {
                withdraw::withdraw(&cx, &id, seen.version).await.unwrap();
                assert_eq!(city.standing(&city.vdc, Dimension::Vcpu).await.held, 0);
                let left = approval::todo_count(&city.cx(&city.office)).await.unwrap();
                assert_eq!(left, 0);
            }
        }
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn what_is_not_supplemented_in_time_closes_and_gives_its_hold_back() {
    for city in City::all().await {
        let id = city.waiting().await;
        city.decide(&city.leader, Decision::Return).await;
        assert_eq!(city.standing(&city.vdc, Dimension::Vcpu).await.held, 8);
        let early = withdraw::expire_returned(&city.app.system()).await.unwrap();
        city.app.clock.advance_ms(25 * DAY_MS);
        let late = withdraw::expire_returned(&city.app.system()).await.unwrap();
        assert_eq!((early, late), (0, 1));
        assert_eq!(city.standing(&city.vdc, Dimension::Vcpu).await.held, 0);
        let seen = detail::detail(&city.cx(&city.clerk), &id).await.unwrap();
        assert_eq!(seen.row.status, Status::Withdrawn);
        let by_hand = withdraw::expire_returned(&city.cx(&city.clerk)).await;
        assert!(matches!(by_hand, Err(ServiceError::Forbidden)));
    }
}

#[tokio::test]
async fn a_delivery_is_confirmed_by_hand_or_by_itself_after_three_working_days() {
    for city in City::all().await {
        for by_hand in [true, false] {
            let cart_view = city.cart(1).await;
            let id = city.submit(&cart_view).await.unwrap().request;
            let host = city.deliver(&id).await;
            let trial = || {
                Sql::new("SELECT count(*) FROM resource_event WHERE kind = 'trial_started' AND resource_id = ")
                    .bind(host.as_str())
            };
            assert_eq!(city.count(trial()).await, 0);
            let cx = city.cx(&city.clerk);
            let seen = detail::detail(&cx, &id).await.unwrap();
            assert!(seen.may.contains(&Act::Confirm));
            if by_hand {
                confirm::confirm(&cx, &id, seen.version).await.unwrap();
                let twice = confirm::confirm(&cx, &id, seen.version).await;
                assert_eq!(key(twice), "request.not_possible_now");
            } else {
                // Friday 9:00: the third working day is Wednesday, to 17:30.
                city.app.clock.advance_ms(5 * DAY_MS + 8 * 60 * MINUTE_MS);
                assert_eq!(confirm::auto_confirm(&city.app.system()).await.unwrap(), 0);
                city.app.clock.advance_ms(31 * MINUTE_MS);
                assert_eq!(confirm::auto_confirm(&city.app.system()).await.unwrap(), 1);
            }
            let seen = detail::detail(&cx, &id).await.unwrap();
            assert_eq!(seen.row.status, Status::Closed);
            assert_eq!(city.count(trial()).await, 1);
        }
    }
}

#[tokio::test]
async fn a_delivery_that_cannot_be_confirmed_by_itself_holds_up_no_other() {
    for city in City::all().await {
        let mut ids = Vec::new();
        for _ in 0..3 {
            let cart_view = city.cart(1).await;
            let id = city.submit(&cart_view).await.unwrap().request;
            city.deliver(&id).await;
            city.app.clock.advance_ms(MINUTE_MS);
            ids.push(id);
        }
        // Of the first two only one can close: the second is refused by the database.
        let mut tx = city.app.db.begin().await.unwrap();
        let fault = format!(
            "CREATE UNIQUE INDEX fault ON request(unit_id) WHERE status = 'closed' AND id <> '{}'",
            ids[2]
        );
        Sql::new(fault.leak()).run(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        city.app.clock.advance_ms(6 * DAY_MS);
        let system = city.app.system();
        assert_eq!(key(confirm::auto_confirm(&system).await), "error.conflict");
        let status = async |id: &RequestId| {
            let seen = detail::detail(&city.cx(&city.clerk), id).await;
            seen.unwrap().row.status
        };
        assert_eq!(status(&ids[0]).await, Status::Closed);
        assert_eq!(
            status(&ids[1]).await,
            Status::Delivered,
            "nothing half done"
        );
        assert_eq!(status(&ids[2]).await, Status::Closed);
        let mut tx = city.app.db.begin().await.unwrap();
        Sql::new("DROP INDEX fault").run(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(confirm::auto_confirm(&system).await.unwrap(), 1);
        assert_eq!(status(&ids[1]).await, Status::Closed);
    }
}

#[tokio::test]
async fn the_delivery_sheet_says_whom_to_call() {
    for mut city in City::all().await {
        let cart_view = city.cart(1).await;
        let id = city.submit(&cart_view).await.unwrap().request;
        city.deliver(&id).await;
        let call = async |city: &City| {
            let sheet = resource::delivery_sheet(&city.cx(&city.clerk), &id).await;
            sheet.unwrap().call
        };
        // A bureau's operator looks after no cloud, and who has no telephone can't be called.
        let own = add(&city.app, "a-own", &city.bureau).await;
        give(&city.app, &own, Role::Operator, &city.bureau, Reach::Own).await;
        let mute = add(&city.app, "b-mute", &city.bureau).await;
        give(&city.app, &mute, Role::Operator, &city.bureau, Reach::Site).await;
        let mut tx = city.app.db.begin().await.unwrap();
        Sql::new("UPDATE user_account SET phone = '' WHERE id = ")
            .bind(mute.as_str())
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(call(&city).await, "");
        let duty = add(&city.app, "c-duty", &city.bureau).await;
        give(&city.app, &duty, Role::Operator, &city.bureau, Reach::Site).await;
        assert_eq!(call(&city).await, "c-duty 0000-1");
        // The site's own telephone comes before anybody's.
        city.app = city.app.clone().with_phone("12345，工作日 9:00–17:30");
        assert_eq!(call(&city).await, "12345，工作日 9:00–17:30");
    }
}

#[tokio::test]
async fn a_resource_is_given_back_once_and_only_with_the_leaders_consent() {
    for city in City::all().await {
        let cx = city.cx(&city.clerk);
        let cart_view = city.cart(1).await;
        let id = city.submit(&cart_view).await.unwrap().request;
        let host = city.deliver(&id).await;
        let hosts = std::slice::from_ref(&host);
        let made = release::create(&cx, hosts, "系统停用", true, "form-of-release")
            .await
            .unwrap();
        let again = release::create(&cx, hosts, "系统停用", true, "form-of-release")
            .await
            .unwrap();
        assert!(again.again && again.number == made.number);
        let second = release::create(&cx, hosts, "系统停用", true, "another-form").await;
        assert_eq!(key(second), "release.under_way");

        let card = city.card(&city.leader).await;
        assert_eq!(card.releases[0].name, "web");
        let early = release::returned(&cx, &made.request).await;
        assert_eq!(key(early), "request.not_possible_now");
        city.decide(&city.leader, Decision::Return).await;
        let seen = detail::detail(&cx, &made.request).await.unwrap();
        assert_eq!(seen.may, [Act::Withdraw, Act::Supplement]);
        let version = seen.version;
        let again = release::returned(&cx, &made.request).await.unwrap();
        assert_eq!((again.version, again.keep_days), (version, 0));
        assert_eq!(again.reason, "系统停用");
        assert_eq!(again.resources.as_slice(), hosts);
        assert_eq!(again.asked.unwrap().text, "请补充说明");
        let of_colleague = release::returned(&city.cx(&city.colleague), &made.request).await;
        assert!(matches!(of_colleague, Err(ServiceError::NotFound)));
        let order = release::returned(&cx, &id).await;
        assert_eq!(key(order), "release.not_one");
        release::resubmit(&cx, &made.request, version, "数据已备份", "third-form")
            .await
            .unwrap();
        let answer = city.decide(&city.leader, Decision::Approve).await;
        assert!(matches!(answer, DecideAnswer::Decided(d) if d.status == Status::Approved));
        let jobs = Sql::new("SELECT count(*) FROM job WHERE kind = 'release.request'");
        assert_eq!(city.count(jobs).await, 1);
    }
}

#[tokio::test]
async fn numbers_of_a_day_have_no_gap_and_begin_anew_the_next_day() {
    for city in City::all().await {
        let mut numbers = Vec::new();
        for i in 0..3 {
            if i == 2 {
                city.app.clock.advance_ms(DAY_MS);
            }
            let cart_view = city.cart(2).await;
            numbers.push(city.submit(&cart_view).await.unwrap().number);
        }
        assert_eq!(
            numbers,
            ["TT-20261120-0001", "TT-20261120-0002", "TT-20261121-0001"]
        );
    }
}
