//! Units and accounts of a demo city.

use std::{collections::BTreeMap, sync::Arc};

use lingbao_model::{
    id::{UnitId, UserId},
    people::{Reach, Role, UnitKind, UnitLevel},
};

use super::{Account, City, CityUnit, PASSWORD};
use crate::{
    app::{App, Cx},
    error::ServiceError,
    service::{
        catalogue,
        unit::{self, NewUnit},
    },
    storage::{Tx, user as users},
};

/// Who is who in the city.
#[derive(Debug, Default)]
pub struct People {
    /// The city itself: the top of the tree.
    pub root: Option<UnitId>,
    /// Units by code (bureaus, counties) or short name (below the counties).
    pub units: BTreeMap<String, UnitId>,
    /// Users by login.
    pub users: BTreeMap<String, UserId>,
}

impl People {
    /// A unit of the city.
    pub fn unit(&self, code: &str) -> Result<&UnitId, ServiceError> {
        self.units.get(code).ok_or(ServiceError::NotFound)
    }
    /// A user of the city.
    pub fn user(&self, login: &str) -> Result<&UserId, ServiceError> {
        self.users.get(login).ok_or(ServiceError::NotFound)
    }
}

/// Makes them.
pub async fn load(app: &Arc<App>, city: &City, backend: &str) -> Result<People, ServiceError> {
    let cx = app.system();
    let mut people = People::default();
    let top = NewUnit {
        parent: None,
        name: city.name.clone(),
        short_name: city.short.clone(),
        level: UnitLevel::City,
        kind: UnitKind::Area,
    };
    let root = unit::create(&cx, top).await?;
    let mut waiting: Vec<(&CityUnit, UnitId)> =
        city.units.iter().rev().map(|u| (u, root.clone())).collect();
    while let Some((one, parent)) = waiting.pop() {
        let new = NewUnit {
            parent: Some(parent),
            name: one.name.clone(),
            short_name: one.short.clone(),
            level: one.level,
            kind: one.kind,
        };
        let id = unit::create(&cx, new).await?;
        waiting.extend(one.children.iter().rev().map(|child| (child, id.clone())));
        people
            .units
            .insert(one.code.clone().unwrap_or_else(|| one.short.clone()), id);
    }
    people.root = Some(root);
    let hash = app
        .passwords
        .hash(&app.random, PASSWORD)
        .await
        .map_err(|e| ServiceError::internal("the demo password", e))?;
    let mut tx = app.db.begin().await?;
    catalogue::install_defaults(&mut tx, &cx, backend).await?;
    for account in accounts(city) {
        add(&mut tx, &cx, &mut people, &account, &hash).await?;
    }
    tx.commit().await?;
    Ok(people)
}

/// The accounts of the data, and a clerk and a leader for every other unit with a code.
fn accounts(city: &City) -> Vec<Account> {
    let mut accounts = city.accounts.clone();
    for (n, one) in city.units.iter().enumerate() {
        let Some(code) = &one.code else { continue };
        for (login, role, reach, who) in [
            ("clerk", Role::Applicant, Reach::Own, "经办人"),
            ("leader", Role::DeptLeader, Reach::Subtree, "负责人"),
        ] {
            let held = |a: &&Account| a.unit == *code && a.roles.iter().any(|(r, _)| *r == role);
            if accounts.iter().any(|a| held(&a)) {
                continue;
            }
            accounts.push(Account {
                login: format!("{login}.{code}"),
                name: format!("{who}{:02}", n + 1),
                unit: code.clone(),
                roles: vec![(role, reach)],
                note: format!("{}{who}", one.short),
            });
        }
    }
    accounts
}

async fn add(
    tx: &mut Tx,
    cx: &Cx,
    people: &mut People,
    account: &Account,
    hash: &str,
) -> Result<(), ServiceError> {
    let id: UserId = cx.id();
    let unit = people.unit(&account.unit)?.clone();
    let phone = format!("0000-{:05}", 12_000 + people.users.len());
    let new = users::New {
        id: &id,
        login: &account.login,
        name: &account.name,
        unit: &unit,
        phone: &phone,
        hash,
        must_change: false,
        now: cx.now(),
    };
    users::insert(tx, &new).await?;
    for (role, reach) in &account.roles {
        // A reach over the whole site is given on the top of the tree.
        let on = if *reach == Reach::Site {
            people.root.as_ref().unwrap_or(&unit)
        } else {
            &unit
        };
        let grant = users::NewGrant {
            id: &cx.id(),
            user: &id,
            role: *role,
            unit: on,
            reach: *reach,
            by: "system",
            now: cx.now(),
        };
        users::insert_grant(tx, &grant).await?;
    }
    people.users.insert(account.login.clone(), id);
    Ok(())
}
