//! What a new installation is given before anybody works with it.

use lingbao_model::{
    id::UnitId,
    people::{LoginName, Reach, Role, UnitKind, UnitLevel},
    view::people::UnitQuery,
};

use super::{catalogue, grant, refusal::traced, unit, user};
use crate::{
    app::Cx,
    audit::Event,
    authz::Scope,
    error::{OrNotFound, ServiceError},
    storage::{door, dump, unit as units},
};

/// Zones, pools, items, prices and policies; nothing if there are some. `backend` is the backend on
/// which the pools stand. Says whether it wrote anything.
///
/// # Errors
/// What the database says.
pub async fn defaults(cx: &Cx, backend: &str) -> Result<bool, ServiceError> {
    Scope::system(cx)?;
    let mut tx = cx.db().begin().await?;
    let wrote = catalogue::install_defaults(&mut tx, cx, backend).await?;
    tx.commit().await?;
    Ok(wrote)
}

/// Whether nobody has begun: no unit and no account.
///
/// # Errors
/// What the database says.
pub async fn is_empty(cx: &Cx) -> Result<bool, ServiceError> {
    Scope::system(cx)?;
    let mut rx = cx.db().read().await?;
    Ok(!dump::in_use(&mut rx).await?)
}

/// Makes an account with a role over the whole site, from the command line: the first
/// administrators. What an installation begins with comes with it if it is not there (see
/// [`defaults`]), and so does the topmost unit: all of it, or nothing.
///
/// # Errors
/// [`ServiceError::Invalid`] for a name, a password or roles that break the rules, and for a login
/// that is taken.
pub async fn first_account(
    cx: &Cx,
    (unit_name, backend): (&str, &str),
    new: &user::NewUser,
    roles: &[Role],
) -> Result<(), ServiceError> {
    let result = make_first(cx, (unit_name, backend), new, roles).await;
    traced(cx, result, || Event::new("user.create", "unit", "-")).await
}

async fn make_first(
    cx: &Cx,
    (unit_name, backend): (&str, &str),
    new: &user::NewUser,
    roles: &[Role],
) -> Result<(), ServiceError> {
    let all = Scope::system(cx)?;
    let ready = user::ready(cx, new).await?;
    let mut tx = cx.db().begin().await?;
    catalogue::install_defaults(&mut tx, cx, backend).await?;
    let top = units::list(&mut tx, &all, &UnitQuery::default()).await?;
    let root: UnitId = match top.rows.into_iter().next() {
        Some(root) => root.id,
        None => {
            let new = unit::NewUnit {
                parent: None,
                name: unit_name.to_owned(),
                short_name: String::new(),
                level: UnitLevel::City,
                kind: UnitKind::Area,
            };
            unit::create_in(&mut tx, cx, &new).await?
        }
    };
    let account = user::insert_in(&mut tx, cx, &root, &ready).await?;
    for role in roles {
        let reach = role.widest().min(Reach::Site);
        grant::give_in(&mut tx, cx, &account, *role, (&root, reach)).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Gives a new first password to an account, of an administrator too, from the command line, and
/// takes its lock away. Says whether the account is open: a closed one stays closed.
///
/// # Errors
/// [`ServiceError::Invalid`] for a password that breaks the rules, [`ServiceError::NotFound`] for a
/// name that no account bears.
pub async fn lost_password(cx: &Cx, login: &str, password: &str) -> Result<bool, ServiceError> {
    Scope::system(cx)?;
    let name = LoginName::parse("login", login).map_err(|_| ServiceError::NotFound)?;
    let mut rx = cx.db().read().await?;
    let account = door::by_login(&mut rx, name.as_str())
        .await?
        .or_not_found()?;
    drop(rx);
    user::reset_password(cx, &account.user, password).await?;
    Ok(account.active)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        storage::sql::Sql,
        testing::{TestApp, TestDb},
    };

    fn person(login: &str) -> user::NewUser {
        user::NewUser {
            login: login.to_owned(),
            name: "李管".to_owned(),
            phone: String::new(),
            password: "Qianyun-2026".to_owned(),
        }
    }

    async fn rows(app: &TestApp, table: &'static str) -> i64 {
        let mut rx = app.db.read().await.unwrap();
        Sql::new(table).number(&mut rx).await.unwrap()
    }

    const UNITS: &str = "SELECT count(*) FROM unit";
    const POOLS: &str = "SELECT count(*) FROM pool WHERE backend = 'gov'";
    const ITEMS: &str = "SELECT count(*) FROM item";
    const POLICIES: &str = "SELECT count(*) FROM policy_version";
    const ACCOUNTS: &str = "SELECT count(*) FROM user_account";

    #[tokio::test]
    async fn the_first_account_brings_what_an_installation_begins_with_and_later_ones_nothing() {
        let db = TestDb::sqlite().await;
        let app = TestApp::on(&db);
        let cx = app.app.system();
        let place = ("青州市", "gov");
        first_account(&cx, place, &person("admin"), &[Role::SystemAdmin])
            .await
            .unwrap();
        let mut before = Vec::new();
        for table in [UNITS, POOLS, ITEMS, POLICIES] {
            before.push(rows(&app, table).await);
        }
        assert!(before.iter().all(|rows| *rows > 0), "{before:?}");
        first_account(&cx, place, &person("audit"), &[Role::AuditAdmin])
            .await
            .unwrap();
        let taken = first_account(&cx, place, &person("audit"), &[Role::AuditAdmin]).await;
        assert!(matches!(taken, Err(ServiceError::Invalid(_))), "{taken:?}");
        let mut after = Vec::new();
        for table in [UNITS, POOLS, ITEMS, POLICIES] {
            after.push(rows(&app, table).await);
        }
        assert_eq!(before, after);
        assert_eq!(rows(&app, ACCOUNTS).await, 2);
    }

    #[tokio::test]
    async fn a_first_account_that_is_refused_leaves_nothing() {
        let db = TestDb::sqlite().await;
        let app = TestApp::on(&db);
        let cx = app.app.system();
        // Two of the three administrators in one person: the last role is refused.
        let roles = [Role::SystemAdmin, Role::AuditAdmin];
        let both = first_account(&cx, ("青州市", "gov"), &person("admin"), &roles).await;
        assert!(matches!(both, Err(ServiceError::Invalid(_))), "{both:?}");
        for table in [UNITS, POOLS, ITEMS, POLICIES, ACCOUNTS] {
            assert_eq!(rows(&app, table).await, 0, "{table}");
        }
    }
}
