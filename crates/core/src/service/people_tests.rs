//! The rules of people, each as a test on both engines.

use std::net::{IpAddr, Ipv4Addr};

use lingbao_model::{
    id::{GrantId, NoticeId, TokenId, UnitId, UserId},
    msg::Msg,
    people::{Reach, Role, UnitKind, UnitLevel},
    time::{DAY_MS, MINUTE_MS},
    view::people::{TokenScope, UnitNode, UnitQuery, UserQuery},
};

use super::{grant, install, notice, search, session, token, unit, user};
use crate::{
    app::{Actor, Cx},
    error::ServiceError,
    storage::sql::Sql,
    testing::{TestApp, TestDb, engines},
};

const PASSWORD: &str = "Lingbao-2026";

/// Units in sight: those that a search meets, the topmost ones for an empty one.
async fn units(cx: &Cx, typed: &str) -> Result<Vec<UnitNode>, ServiceError> {
    let query = UnitQuery {
        text: typed.to_owned(),
        ..UnitQuery::default()
    };
    Ok(unit::list(cx, &query).await?.rows)
}

/// Units directly below one.
async fn below(cx: &Cx, parent: &UnitId, limit: i64) -> Result<Vec<UnitNode>, ServiceError> {
    let mut query = UnitQuery {
        below: Some(parent.clone()),
        limit,
        ..UnitQuery::default()
    };
    let mut all = Vec::new();
    loop {
        let page = unit::list(cx, &query).await?;
        all.extend(page.rows);
        if page.next.is_none() {
            return Ok(all);
        }
        query.after = page.next;
    }
}

/// A city with two counties and a township, and one person for each part that is played.
struct World {
    _db: TestDb,
    app: TestApp,
    city: UnitId,
    east: UnitId,
    west: UnitId,
    village: UnitId,
    /// System administrator of the site.
    system: UserId,
    /// Security administrator of the site.
    security: UserId,
    /// System administrator of the eastern county alone.
    east_system: UserId,
    /// Security administrator of the eastern county alone.
    east_security: UserId,
    /// A clerk of the eastern county.
    clerk: UserId,
    /// A clerk of the western county.
    stranger: UserId,
}

impl World {
    async fn all() -> Vec<Self> {
        let mut worlds = Vec::new();
        for db in engines().await {
            worlds.push(Self::on(db).await);
        }
        worlds
    }

    async fn on(db: TestDb) -> Self {
        let app = TestApp::on(&db);
        let system = app.app.system();
        let make = async |parent: Option<&UnitId>, name: &str, level| {
            let new = unit::NewUnit {
                parent: parent.cloned(),
                name: name.into(),
                short_name: String::new(),
                level,
                kind: UnitKind::Area,
            };
            unit::create(&system, new).await.unwrap()
        };
        let city = make(None, "甬城市", UnitLevel::City).await;
        let east = make(Some(&city), "东县", UnitLevel::County).await;
        let west = make(Some(&city), "西县", UnitLevel::County).await;
        let village = make(Some(&east), "东县一镇", UnitLevel::Township).await;
        let person = async |login: &str, unit: &UnitId, role: Role, reach| {
            let new = user::NewUser {
                login: login.into(),
                name: format!("{login}某"),
                password: PASSWORD.into(),
                ..user::NewUser::default()
            };
            let id = user::create(&system, unit, &new).await.unwrap();
            grant::give(&system, &id, role, unit, reach).await.unwrap();
            if login != "clerk" {
                let mut tx = app.db.begin().await.unwrap();
                Sql::new("UPDATE credential SET must_change = FALSE WHERE user_id = ")
                    .bind(id.as_str())
                    .run(&mut tx)
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
            }
            id
        };
        Self {
            system: person("system", &city, Role::SystemAdmin, Reach::Site).await,
            security: person("security", &city, Role::SecurityAdmin, Reach::Site).await,
            east_system: person("eastsystem", &east, Role::SystemAdmin, Reach::Subtree).await,
            east_security: person("eastsecurity", &east, Role::SecurityAdmin, Reach::Subtree).await,
            clerk: person("clerk", &east, Role::Applicant, Reach::Own).await,
            stranger: person("stranger", &west, Role::Applicant, Reach::Own).await,
            _db: db,
            app,
            city,
            east,
            west,
            village,
        }
    }

    fn cx(&self, user: &UserId) -> Cx {
        self.app.cx(user)
    }

    fn door(&self) -> Cx {
        let address = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9)));
        Cx::new(self.app.app.clone(), Actor::Anonymous).with_request("r1", address)
    }

    async fn audited(&self, action: &'static str, outcome: &'static str) -> i64 {
        Sql::new("SELECT count(*) FROM audit_event WHERE action = ")
            .bind(action)
            .push(" AND outcome = ")
            .bind(outcome)
            .number(&mut self.app.db.read().await.unwrap())
            .await
            .unwrap()
    }

    /// The clerk has put an own password in the place of the first one.
    async fn own_password(&self) {
        let mut tx = self.app.db.begin().await.unwrap();
        Sql::new("UPDATE credential SET must_change = FALSE")
            .run(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn version(&self, user: &UserId) -> i64 {
        user::get(&self.app.app.system(), user)
            .await
            .unwrap()
            .version
    }
}

/// What the caller is told, as one text.
fn told<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> String {
    match result.unwrap_err() {
        ServiceError::Invalid(fields) => fields
            .iter()
            .map(|f| format!("{}:{}", f.field, serde_json::to_string(&f.msg).unwrap()))
            .collect(),
        ServiceError::Conflict(msg) => serde_json::to_string(&msg).unwrap(),
        other => other.to_string(),
    }
}

fn is_not_found<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> bool {
    matches!(result, Err(ServiceError::NotFound))
}

fn is_conflict<T: std::fmt::Debug>(result: Result<T, ServiceError>, key: &str) -> bool {
    matches!(result, Err(ServiceError::Conflict(msg)) if msg.key == key)
}

#[tokio::test]
async fn five_failures_lock_for_thirty_minutes_and_the_right_password_does_not_open() {
    for world in World::all().await {
        for left in (1..=4).rev() {
            let told = told(session::sign_in(&world.door(), "clerk", "wrong").await);
            assert!(
                told.contains("sign_in.wrong") && told.contains(&format!("\"v\":{left}")),
                "{told}"
            );
        }
        let fifth = session::sign_in(&world.door(), "clerk", "wrong").await;
        assert!(is_conflict(fifth, "sign_in.locked"));
        let right = session::sign_in(&world.door(), "clerk", PASSWORD).await;
        assert!(is_conflict(right, "sign_in.locked"));
        assert_eq!(world.audited("session.sign_in", "refused").await, 6);

        world.app.clock.advance_ms(30 * MINUTE_MS - 1);
        let right = session::sign_in(&world.door(), "clerk", PASSWORD).await;
        assert!(is_conflict(right, "sign_in.locked"));
        world.app.clock.advance_ms(1);
        // A lock that ran out begins a new count.
        let told = told(session::sign_in(&world.door(), "clerk", "wrong").await);
        assert!(told.contains("\"v\":4"), "{told}");
        session::sign_in(&world.door(), "clerk", PASSWORD)
            .await
            .unwrap();
        assert_eq!(world.audited("session.sign_in", "done").await, 1);
    }
}

#[tokio::test]
async fn an_unknown_name_and_a_closed_account_are_answered_like_a_wrong_password_up_to_the_lock() {
    for world in World::all().await {
        let version = world.version(&world.stranger).await;
        user::set_active(&world.cx(&world.system), &world.stranger, version, false)
            .await
            .unwrap();
        for _ in 0..7 {
            let known = told(session::sign_in(&world.door(), "clerk", "wrong").await);
            let nobody = told(session::sign_in(&world.door(), "nobody", "wrong").await);
            let closed = told(session::sign_in(&world.door(), "stranger", PASSWORD).await);
            assert_eq!(known, nobody);
            assert_eq!(known, closed);
        }
        world.app.clock.advance_ms(30 * MINUTE_MS);
        let known = told(session::sign_in(&world.door(), "clerk", "wrong").await);
        assert_eq!(
            known,
            told(session::sign_in(&world.door(), "nobody", "wrong").await)
        );
        assert!(
            session::sign_in(&world.door(), "拎包 OR 1=1", "x")
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn two_copies_of_the_server_share_the_count() {
    for world in World::all().await {
        let other = TestApp::with_seed(&world.app.db, 7);
        for i in 0..5 {
            let app = if i % 2 == 0 { &world.app } else { &other };
            let cx = Cx::new(app.app.clone(), Actor::Anonymous);
            session::sign_in(&cx, "clerk", "wrong").await.unwrap_err();
        }
        let cx = Cx::new(other.app.clone(), Actor::Anonymous);
        assert!(is_conflict(
            session::sign_in(&cx, "clerk", PASSWORD).await,
            "sign_in.locked"
        ));
    }
}

#[tokio::test]
async fn an_address_that_fails_too_often_waits_whatever_it_tries() {
    for world in World::all().await {
        let mut tx = world.app.db.begin().await.unwrap();
        Sql::new("INSERT INTO sign_in_counter (subject, failures, since, seen_at) VALUES ('ip:10.0.0.9', 99, ")
            .bind(world.door().now().millis()).push(", ").bind(world.door().now().millis()).push(")")
            .run(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        session::sign_in(&world.door(), "clerk", "wrong")
            .await
            .unwrap_err();
        let right = session::sign_in(&world.door(), "clerk", PASSWORD).await;
        assert!(
            matches!(right, Err(ServiceError::TooMany { retry_after_s }) if retry_after_s > 290)
        );
        world.app.clock.advance_ms(5 * MINUTE_MS);
        session::sign_in(&world.door(), "clerk", PASSWORD)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_visit_before_is_told_and_the_first_password_must_be_changed() {
    for world in World::all().await {
        let first = session::sign_in(&world.door(), "ＣＬＥＲＫ", PASSWORD)
            .await
            .unwrap();
        assert_eq!((first.prev_login, first.must_change_password), (None, true));
        let cx = world.cx(&world.clerk);
        let same = session::change_password(&cx, PASSWORD, PASSWORD, PASSWORD).await;
        assert!(told(same).contains("error.password_same"));
        let other = session::change_password(&cx, PASSWORD, "Qianyun-2027", "Qianyun-2028").await;
        assert!(told(other).starts_with("again_password"));
        session::change_password(&cx, PASSWORD, "Qianyun-2027", "Qianyun-2027")
            .await
            .unwrap();
        world.app.clock.advance_ms(DAY_MS);
        assert!(
            session::sign_in(&world.door(), "clerk", PASSWORD)
                .await
                .is_err()
        );
        let second = session::sign_in(&world.door(), "clerk", "Qianyun-2027")
            .await
            .unwrap();
        assert!(!second.must_change_password);
        assert_eq!(second.prev_login.unwrap().ip, "10.0.0.9");
        // The old password was tried once since; somebody else's failures are not this person's.
        let other = session::sign_in(&world.door(), "nobody", PASSWORD).await;
        assert!(other.is_err());
        let seen = session::viewer(&cx).await.unwrap().unwrap();
        assert_eq!(seen.failed_tries, 1);
        assert_eq!(session::profile(&cx).await.unwrap().failed_tries, 1);
    }
}

#[tokio::test]
async fn until_the_first_password_is_changed_the_roles_open_nothing() {
    for world in World::all().await {
        let new = user::NewUser {
            login: "deputy".into(),
            name: "副手".into(),
            password: PASSWORD.into(),
            ..user::NewUser::default()
        };
        let admin = world.cx(&world.system);
        let id = user::create(&admin, &world.city, &new).await.unwrap();
        let security = world.cx(&world.security);
        grant::give(&security, &id, Role::SystemAdmin, &world.city, Reach::Site)
            .await
            .unwrap();
        let cx = world.cx(&id);
        assert!(matches!(units(&cx, "").await, Err(ServiceError::Forbidden)));
        assert!(
            session::viewer(&cx)
                .await
                .unwrap()
                .unwrap()
                .abilities
                .is_empty()
        );
        session::change_password(&cx, PASSWORD, "Qianyun-2027", "Qianyun-2027")
            .await
            .unwrap();
        assert_eq!(units(&cx, "").await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn guessing_the_present_password_in_a_stolen_session_locks_and_ends_it() {
    for world in World::all().await {
        let cx = world.cx(&world.clerk);
        for _ in 0..4 {
            let told =
                told(session::change_password(&cx, "guess", "Qianyun-2027", "Qianyun-2027").await);
            assert!(told.starts_with("current_password"), "{told}");
        }
        let fifth = session::change_password(&cx, "guess", "Qianyun-2027", "Qianyun-2027").await;
        assert!(is_conflict(fifth, "sign_in.locked"));
        assert!(is_conflict(
            session::sign_in(&world.door(), "clerk", PASSWORD).await,
            "sign_in.locked"
        ));
    }
}

#[tokio::test]
async fn the_security_administrator_unlocks_and_nobody_else_does() {
    for world in World::all().await {
        for _ in 0..5 {
            session::sign_in(&world.door(), "clerk", "wrong")
                .await
                .unwrap_err();
        }
        let by = async |who: &UserId| grant::unlock(&world.cx(who), &world.clerk).await;
        assert!(matches!(
            by(&world.system).await,
            Err(ServiceError::Forbidden)
        ));
        assert!(matches!(
            by(&world.clerk).await,
            Err(ServiceError::Forbidden)
        ));
        by(&world.security).await.unwrap();
        assert!(is_conflict(by(&world.security).await, "people.not_locked"));
        session::sign_in(&world.door(), "clerk", PASSWORD)
            .await
            .unwrap();
        assert_eq!(world.audited("user.unlock", "done").await, 1);
        assert_eq!(world.audited("user.unlock", "refused").await, 3);
    }
}

#[tokio::test]
async fn a_foreign_id_is_answered_like_an_unknown_one_by_every_function() {
    for world in World::all().await {
        let cx = world.cx(&world.east_system);
        let unknown: (UnitId, UserId) = (cx.id(), cx.id());
        for (place, person) in [(&world.west, &world.stranger), (&unknown.0, &unknown.1)] {
            assert!(is_not_found(unit::get(&cx, place).await));
            assert!(is_not_found(below(&cx, place, 0).await));
            assert!(is_not_found(
                unit::rename(&cx, place, 1, "新名字", "").await
            ));
            assert!(is_not_found(unit::set_active(&cx, place, 1, false).await));
            let new = unit::NewUnit {
                parent: Some(place.clone()),
                name: "新单位".into(),
                short_name: String::new(),
                level: UnitLevel::Township,
                kind: UnitKind::Area,
            };
            assert!(is_not_found(unit::create(&cx, new).await));
            let new = user::NewUser {
                login: "newperson".into(),
                name: "新人".into(),
                password: PASSWORD.into(),
                ..user::NewUser::default()
            };
            assert!(is_not_found(user::create(&cx, place, &new).await));
            assert!(is_not_found(user::get(&cx, person).await));
            assert!(is_not_found(
                user::edit(&cx, person, 1, "名", "", &world.east).await
            ));
            assert!(is_not_found(
                user::edit(&cx, &world.clerk, 1, "名", "", place).await
            ));
            assert!(is_not_found(user::set_active(&cx, person, 1, false).await));
            assert!(is_not_found(
                user::reset_password(&cx, person, PASSWORD).await
            ));
            let cx = world.cx(&world.east_security);
            let (role, own) = (Role::Applicant, Reach::Own);
            assert!(is_not_found(
                grant::give(&cx, person, role, &world.east, own).await
            ));
            assert!(is_not_found(
                grant::give(&cx, &world.clerk, role, place, own).await
            ));
            assert!(is_not_found(
                grant::take(&cx, person, &cx.id::<GrantId>()).await
            ));
            assert!(is_not_found(grant::unlock(&cx, person).await));
        }
        // The city above is out of a county's sight too, and no count gives it away.
        assert!(is_not_found(unit::get(&cx, &world.city).await));
        assert_eq!(units(&cx, "").await.unwrap().len(), 1);
        assert!(units(&cx, "西县").await.unwrap().is_empty());
        let all = user::list(&cx, &UserQuery::default()).await.unwrap();
        assert_eq!(all.rows.len(), 3);
        assert_eq!(all.total, lingbao_model::view::page::Total::Exact(3));
        let query = UserQuery {
            text: "stranger".into(),
            ..UserQuery::default()
        };
        assert!(user::list(&cx, &query).await.unwrap().rows.is_empty());
    }
}

#[tokio::test]
async fn an_applicant_sees_nobody_and_administers_nothing() {
    for world in World::all().await {
        let cx = world.cx(&world.clerk);
        let forbidden =
            |result: Result<(), ServiceError>| matches!(result, Err(ServiceError::Forbidden));
        assert!(forbidden(
            user::list(&cx, &UserQuery::default()).await.map(drop)
        ));
        assert!(forbidden(user::get(&cx, &world.stranger).await.map(drop)));
        assert!(forbidden(user::get(&cx, &world.clerk).await.map(drop)));
        assert!(forbidden(units(&cx, "").await.map(drop)));
        assert!(forbidden(unit::get(&cx, &world.east).await.map(drop)));
        assert!(forbidden(units(&cx, "县").await.map(drop)));
        let (role, unit) = (Role::DeptLeader, &world.east);
        let given = grant::give(&cx, &world.clerk, role, unit, Reach::Subtree).await;
        assert!(forbidden(given.map(drop)));
        assert_eq!(world.audited("grant.give", "refused").await, 1);
    }
}

#[tokio::test]
async fn who_makes_accounts_gives_no_roles_and_who_gives_roles_makes_no_accounts() {
    for world in World::all().await {
        let new = user::NewUser {
            login: "newperson".into(),
            name: "新人".into(),
            password: PASSWORD.into(),
            ..user::NewUser::default()
        };
        let made = user::create(&world.cx(&world.security), &world.east, &new).await;
        assert!(matches!(made, Err(ServiceError::Forbidden)));
        let id = user::create(&world.cx(&world.system), &world.east, &new)
            .await
            .unwrap();
        let (role, unit) = (Role::DeptLeader, &world.east);
        let given = grant::give(&world.cx(&world.system), &id, role, unit, Reach::Subtree).await;
        assert!(matches!(given, Err(ServiceError::Forbidden)));
        grant::give(&world.cx(&world.security), &id, role, unit, Reach::Subtree)
            .await
            .unwrap();
        let again = user::create(&world.cx(&world.system), &world.east, &new).await;
        assert!(told(again).contains("people.login_taken"));
        let roles = user::get(&world.cx(&world.system), &id)
            .await
            .unwrap()
            .row
            .roles;
        assert_eq!(roles, [Role::DeptLeader]);
        assert_eq!(notice::unread(&world.cx(&id)).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn nobody_gives_a_role_to_oneself_and_exclusive_roles_do_not_meet() {
    for world in World::all().await {
        let cx = world.cx(&world.security);
        let site = Reach::Site;
        let own = grant::give(&cx, &world.security, Role::AuditAdmin, &world.city, site).await;
        assert!(is_conflict(own, "people.not_oneself"));
        let held = user::get(&cx, &world.security).await.unwrap().grants;
        let own = grant::take(&cx, &world.security, &held[0].id).await;
        assert!(is_conflict(own, "people.not_oneself"));
        let give =
            async |to: &UserId, role, reach| grant::give(&cx, to, role, &world.east, reach).await;
        for role in [Role::SecurityAdmin, Role::AuditAdmin, Role::Applicant] {
            assert!(
                told(give(&world.system, role, Reach::Own).await).contains("people.roles_exclude")
            );
        }
        let wide = give(&world.clerk, Role::DeptLeader, Reach::Site).await;
        assert!(told(wide).contains("people.reach_too_wide"));
        assert!(is_conflict(
            give(&world.clerk, Role::Applicant, Reach::Own).await,
            "people.role_held"
        ));
        give(&world.clerk, Role::DeptLeader, Reach::Subtree)
            .await
            .unwrap();
        // A county's administrator hands out nothing that reaches the site.
        let east = world.cx(&world.east_security);
        let wide = grant::give(&east, &world.clerk, Role::Operator, &world.east, site).await;
        assert!(matches!(wide, Err(ServiceError::Forbidden)));
    }
}

#[tokio::test]
async fn the_last_of_a_power_stays() {
    for world in World::all().await {
        let cx = world.cx(&world.security);
        let east = user::get(&cx, &world.east_system).await.unwrap().grants;
        grant::take(&cx, &world.east_system, &east[0].id)
            .await
            .unwrap();
        let last = user::get(&cx, &world.system).await.unwrap().grants;
        assert!(is_conflict(
            grant::take(&cx, &world.system, &last[0].id).await,
            "people.last_of_role"
        ));
        assert!(is_not_found(
            grant::take(&cx, &world.clerk, &last[0].id).await
        ));
        let admin = world.cx(&world.system);
        let version = world.version(&world.system).await;
        let own = user::set_active(&admin, &world.system, version, false).await;
        assert!(is_conflict(own, "people.not_oneself"));
        let reset = user::reset_password(&admin, &world.security, "Qianyun-2027").await;
        assert!(is_conflict(reset, "people.reset_of_power"));
        user::reset_password(&admin, &world.clerk, "Qianyun-2027")
            .await
            .unwrap();
        let visit = session::sign_in(&world.door(), "clerk", "Qianyun-2027")
            .await
            .unwrap();
        assert!(visit.must_change_password);
    }
}

#[tokio::test]
async fn the_server_gives_an_administrator_a_new_password_and_opens_the_lock() {
    for world in World::all().await {
        world.own_password().await;
        for _ in 0..5 {
            let wrong = session::sign_in(&world.door(), "security", "Not-this-1").await;
            wrong.unwrap_err();
        }
        let locked = session::sign_in(&world.door(), "security", PASSWORD).await;
        assert!(is_conflict(locked, "sign_in.locked"));
        let system = world.app.system();
        let nobody = install::lost_password(&system, "nobody", "Qianyun-2027").await;
        assert!(is_not_found(nobody));
        let weak = install::lost_password(&system, "security", "short").await;
        assert!(matches!(weak, Err(ServiceError::Invalid(_))));
        let admin = world.cx(&world.system);
        let by_hand = install::lost_password(&admin, "security", "Qianyun-2027").await;
        assert!(matches!(by_hand, Err(ServiceError::Forbidden)));
        let open = install::lost_password(&system, "security", "Qianyun-2027").await;
        assert!(open.unwrap(), "the account is open");
        let visit = session::sign_in(&world.door(), "security", "Qianyun-2027")
            .await
            .unwrap();
        assert!(visit.must_change_password);
    }
}

#[tokio::test]
async fn a_closed_account_loses_its_tokens_and_who_moves_loses_the_roles() {
    for world in World::all().await {
        world.own_password().await;
        let cx = world.cx(&world.clerk);
        let made = token::create(&cx, "脚本", "read", "30").await.unwrap();
        let admin = world.cx(&world.system);
        let version = world.version(&world.clerk).await;
        user::edit(
            &admin,
            &world.clerk,
            version,
            "某",
            "0574-1",
            &world.village,
        )
        .await
        .unwrap();
        let stale = user::edit(&admin, &world.clerk, version, "某", "", &world.village).await;
        assert!(is_conflict(stale, "error.stale"));
        let moved = user::get(&admin, &world.clerk).await.unwrap();
        assert!(moved.grants.is_empty() && moved.row.unit == world.village);
        assert!(
            token::authenticate(&world.door(), &made.secret)
                .await
                .unwrap()
                .is_some()
        );
        user::set_active(&admin, &world.clerk, moved.version, false)
            .await
            .unwrap();
        assert!(
            token::authenticate(&world.door(), &made.secret)
                .await
                .unwrap()
                .is_none()
        );
        assert!(matches!(
            token::list(&cx, None, 50).await,
            Err(ServiceError::Unauthenticated)
        ));
        assert!(session::viewer(&cx).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_token_opens_until_it_expires_or_is_revoked_by_its_owner() {
    for world in World::all().await {
        world.own_password().await;
        let cx = world.cx(&world.clerk);
        let made = token::create(&cx, "脚本", "write", "３０").await.unwrap();
        assert!(made.secret.starts_with(token::PREFIX));
        let opened = token::authenticate(&world.door(), &made.secret)
            .await
            .unwrap();
        assert_eq!(opened, Some((world.clerk.clone(), TokenScope::Write)));
        for wrong in ["", "lbk_", &made.secret[..46], &format!("{}x", made.secret)] {
            assert_eq!(
                token::authenticate(&world.door(), wrong).await.unwrap(),
                None
            );
        }
        let used = token::list(&cx, None, 50).await.unwrap().rows[0]
            .used_at
            .unwrap();
        world.app.clock.advance_ms(MINUTE_MS - 1);
        token::authenticate(&world.door(), &made.secret)
            .await
            .unwrap();
        assert_eq!(
            token::list(&cx, None, 50).await.unwrap().rows[0].used_at,
            Some(used),
            "touched once a minute"
        );
        assert!(is_not_found(
            token::revoke(&world.cx(&world.stranger), &made.row.id).await
        ));
        assert!(is_not_found(token::revoke(&cx, &cx.id::<TokenId>()).await));

        world.app.clock.advance_ms(30 * DAY_MS);
        assert_eq!(
            token::authenticate(&world.door(), &made.secret)
                .await
                .unwrap(),
            None
        );
        let cx = world.cx(&world.clerk);
        let made = token::create(&cx, "脚本", "read", "365").await.unwrap();
        token::revoke(&cx, &made.row.id).await.unwrap();
        assert_eq!(
            token::authenticate(&world.door(), &made.secret)
                .await
                .unwrap(),
            None
        );
        let told = told(token::create(&cx, " ", "all", "366").await);
        assert!(
            ["name:", "scope:", "days:"]
                .iter()
                .all(|field| told.contains(field)),
            "{told}"
        );
    }
}

#[tokio::test]
async fn notices_are_read_by_their_reader_alone() {
    for world in World::all().await {
        let cx = world.app.app.system();
        let mut tx = cx.db().begin().await.unwrap();
        let msg = Msg::new("people.notice_password_reset");
        notice::send(&mut tx, &cx, &world.clerk, &msg, "/me")
            .await
            .unwrap();
        let role = Role::Applicant;
        let sent = notice::send_to_role(&mut tx, &cx, role, &world.east, &msg, "/")
            .await
            .unwrap();
        assert_eq!(sent, 1, "the stranger's unit is another one");
        tx.commit().await.unwrap();
        let (own, other) = (world.cx(&world.clerk), world.cx(&world.stranger));
        let before = notice::unread(&own).await.unwrap();
        let page = notice::list(&own, true, None, 1).await.unwrap();
        assert_eq!(page.rows[0].msg, msg);
        let rest = notice::list(&own, true, page.next.as_deref(), 50)
            .await
            .unwrap();
        assert_eq!(1 + rest.rows.len() as i64, before);
        let id: &NoticeId = &page.rows[0].id;
        assert!(is_not_found(notice::open(&other, id).await));
        notice::open(&own, id).await.unwrap();
        assert_eq!(notice::unread(&own).await.unwrap(), before - 1);
        notice::read_all(&own).await.unwrap();
        assert_eq!(notice::unread(&own).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn units_keep_their_rules() {
    for world in World::all().await {
        let cx = world.cx(&world.system);
        let new = |parent: Option<&UnitId>, name: &str, level| unit::NewUnit {
            parent: parent.cloned(),
            name: name.into(),
            short_name: String::new(),
            level,
            kind: UnitKind::Government,
        };
        let top = unit::create(&cx, new(None, "别的市", UnitLevel::City)).await;
        assert!(matches!(top, Err(ServiceError::Forbidden)));
        let above = unit::create(&cx, new(Some(&world.east), "某市", UnitLevel::City)).await;
        assert!(told(above).starts_with("level"));
        let twice = unit::create(&cx, new(Some(&world.city), "东县", UnitLevel::County)).await;
        assert!(told(twice).contains("people.unit_name_taken"));
        let id = unit::create(&cx, new(Some(&world.east), "东县统计局", UnitLevel::County))
            .await
            .unwrap();
        let found = unit::get(&cx, &id).await.unwrap();
        assert_eq!(
            found.path.iter().map(|p| p.1.as_str()).collect::<Vec<_>>(),
            ["甬城市", "东县"]
        );
        assert_eq!(found.vdcs.len(), 1);
        assert_eq!(units(&cx, "dxtjj").await.unwrap()[0].id, id);
        // One a page, none left out, none twice, by name.
        let one_by_one = below(&cx, &world.city, 1).await.unwrap();
        assert_eq!(one_by_one, below(&cx, &world.city, 0).await.unwrap());
        assert!(one_by_one.len() >= 2);
        unit::rename(&cx, &id, 1, "东县数据局", "").await.unwrap();
        assert!(is_conflict(
            unit::rename(&cx, &id, 1, "东县统计局", "").await,
            "error.stale"
        ));
        assert_eq!(unit::get(&cx, &id).await.unwrap().vdcs[0].1, "东县数据局");
        let close = async |id: &UnitId, version| unit::set_active(&cx, id, version, false).await;
        assert!(is_conflict(
            close(&world.east, 1).await,
            "people.unit_has_units"
        ));
        assert!(is_conflict(
            close(&world.west, 1).await,
            "people.unit_has_users"
        ));
        close(&id, 2).await.unwrap();
        let below = unit::create(&cx, new(Some(&id), "下级单位", UnitLevel::County)).await;
        assert!(is_conflict(below, "people.unit_closed"));
    }
}

#[tokio::test]
async fn lists_page_by_key_search_by_sound_and_filter() {
    for world in World::all().await {
        let cx = world.cx(&world.system);
        let mut seen = Vec::new();
        let mut query = UserQuery {
            limit: 2,
            ..UserQuery::default()
        };
        loop {
            let page = user::list(&cx, &query).await.unwrap();
            seen.extend(page.rows.into_iter().map(|row| row.login));
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        assert_eq!(
            seen,
            [
                "clerk",
                "eastsecurity",
                "eastsystem",
                "security",
                "stranger",
                "system"
            ]
        );
        let logins = async |query: UserQuery| -> Vec<String> {
            let page = user::list(&cx, &query).await.unwrap();
            page.rows.into_iter().map(|row| row.login).collect()
        };
        let base = UserQuery::default;
        assert_eq!(
            logins(UserQuery {
                text: "clerkm".into(),
                ..base()
            })
            .await,
            ["clerk"]
        );
        assert_eq!(
            logins(UserQuery {
                unit: Some(world.west.clone()),
                ..base()
            })
            .await,
            ["stranger"]
        );
        let role = Some(Role::SystemAdmin);
        assert_eq!(
            logins(UserQuery { role, ..base() }).await,
            ["eastsystem", "system"]
        );
        assert_eq!(
            logins(UserQuery {
                newest: true,
                limit: 1,
                ..base()
            })
            .await
            .len(),
            1
        );
        assert!(
            logins(UserQuery {
                state: "locked".into(),
                ..base()
            })
            .await
            .is_empty()
        );
    }
}

#[tokio::test]
async fn the_search_finds_only_what_the_reader_may_read() {
    for world in World::all().await {
        let found = async |who: &UserId, typed: &str| -> Vec<String> {
            let hits = search::find(&world.cx(who), typed).await.unwrap();
            hits.into_iter().map(|hit| hit.title).collect()
        };
        assert_eq!(found(&world.system, "dx").await, ["东县", "东县一镇"]);
        assert_eq!(found(&world.security, "stranger").await, ["stranger某"]);
        assert!(found(&world.east_system, "stranger").await.is_empty());
        assert!(found(&world.east_system, "西县").await.is_empty());
        assert!(found(&world.stranger, "县").await.is_empty());
        assert!(found(&world.system, " ").await.is_empty());
    }
}

#[tokio::test]
async fn a_first_password_makes_no_token_and_a_new_password_ends_those_of_the_old_one() {
    for world in World::all().await {
        let cx = world.cx(&world.clerk);
        let early = token::create(&cx, "脚本", "write", "30").await;
        assert!(matches!(early, Err(ServiceError::Forbidden)), "{early:?}");
        world.own_password().await;
        let made = token::create(&cx, "脚本", "write", "30").await.unwrap();
        session::change_password(&cx, PASSWORD, "Qianyun-2027", "Qianyun-2027")
            .await
            .unwrap();
        let opened = token::authenticate(&world.door(), &made.secret).await;
        assert_eq!(opened.unwrap(), None);
    }
}

#[tokio::test]
async fn the_last_holder_of_a_power_is_not_moved_out_of_it() {
    for world in World::all().await {
        let admin = world.cx(&world.system);
        for id in [&world.security, &world.east_security] {
            let version = world.version(id).await;
            let moved = user::edit(&admin, id, version, "某", "0574-1", &world.village).await;
            if *id == world.security {
                moved.unwrap();
            } else {
                assert!(is_conflict(moved, "people.last_of_role"));
            }
        }
    }
}
