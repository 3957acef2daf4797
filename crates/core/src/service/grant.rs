//! Roles and locks: the security administrator's. Nobody gives a role to oneself.

use lingbao_model::{
    id::{GrantId, UnitId, UserId},
    msg::Msg,
    people::{Reach, Role, check_roles, role_key},
};
use serde_json::json;

use super::{admin::Admin, notice, refusal::traced, user};
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::Ability,
    error::{OrNotFound, ServiceError},
    storage::{Tx, door, unit as units, user as users},
};

/// Gives a user a role on a unit.
///
/// # Errors
/// [`ServiceError::NotFound`] for a user or a unit out of sight, [`ServiceError::Forbidden`],
/// [`ServiceError::Invalid`] on `role` or `reach` when the rules of the roles forbid it,
/// [`ServiceError::Conflict`] for oneself, for a closed account, and for a role held already.
pub async fn give(
    cx: &Cx,
    to: &UserId,
    role: Role,
    unit: &UnitId,
    reach: Reach,
) -> Result<GrantId, ServiceError> {
    let result = give_seen(cx, to, role, unit, reach).await;
    traced(cx, result, || Event::new("grant.give", "user", to)).await
}

async fn give_seen(
    cx: &Cx,
    to: &UserId,
    role: Role,
    unit: &UnitId,
    reach: Reach,
) -> Result<GrantId, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let id = give_in(&mut tx, cx, to, role, (unit, reach)).await?;
    tx.commit().await?;
    Ok(id)
}

/// The same inside a transaction that does more.
pub(super) async fn give_in(
    tx: &mut Tx,
    cx: &Cx,
    to: &UserId,
    role: Role,
    (unit, reach): (&UnitId, Reach),
) -> Result<GrantId, ServiceError> {
    // Before the roles are read: two grants that fit alone may exclude each other.
    users::lock(tx, to).await?;
    let (admin, person) = user::seen(tx, cx, to).await?;
    let sight = admin.sight(cx)?;
    let on = units::get(tx, &sight, unit).await?.or_not_found()?;
    let ability = Ability::ManageRoles;
    admin.require_on(tx, ability, &person.row.unit).await?;
    admin.require_on(tx, ability, unit).await?;
    if reach == Reach::Site && !reaches_site(&admin) {
        return Err(ServiceError::Forbidden);
    }
    if admin.is(to) {
        return Err(ServiceError::Conflict(Msg::new("people.not_oneself")));
    }
    if person.row.state.code() == "inactive" || !on.active {
        return Err(ServiceError::Conflict(Msg::new("people.closed")));
    }
    let widest = role.widest();
    if reach > widest {
        let msg = Msg::new("people.reach_too_wide").with("role", Msg::new(role_key(role)));
        return Err(ServiceError::invalid("reach", msg));
    }
    let mut roles = person.row.roles.clone();
    roles.push(role);
    check_roles(&roles).map_err(|msg| ServiceError::invalid("role", msg))?;

    let id: GrantId = cx.id();
    let given = users::insert_grant(
        tx,
        &users::NewGrant {
            id: &id,
            user: to,
            role,
            unit,
            reach,
            by: cx.actor.as_str(),
            now: cx.now(),
        },
    )
    .await?;
    if !given {
        return Err(ServiceError::Conflict(Msg::new("people.role_held")));
    }
    tell(tx, cx, to, "people.notice_role_given", role, &on.name).await?;
    let event = Event::new("grant.give", "user", to)
        .of_unit(unit)
        .detail(json!({ "grant": id, "role": role, "reach": reach, "unit": unit }));
    audit::record(tx, cx, event).await?;
    Ok(id)
}

/// What reaches the whole site is given only by whom reaches it.
fn reaches_site(admin: &Admin) -> bool {
    match admin {
        Admin::System => true,
        Admin::Person(access) => access.grants.iter().any(|grant| {
            grant.reach == Reach::Site && Ability::ManageRoles.roles().contains(&grant.role)
        }),
    }
}

async fn tell(
    tx: &mut Tx,
    cx: &Cx,
    to: &UserId,
    key: &'static str,
    role: Role,
    unit: &str,
) -> Result<(), ServiceError> {
    let msg = Msg::new(key)
        .with("role", Msg::new(role_key(role)))
        .with("unit", unit);
    Ok(notice::send(tx, cx, to, &msg, "/me").await?)
}

/// Takes a role away.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Conflict`] for one's
/// own and for the last of the three powers.
pub async fn take(cx: &Cx, from: &UserId, grant: &GrantId) -> Result<(), ServiceError> {
    let result = take_seen(cx, from, grant).await;
    traced(cx, result, || Event::new("grant.take", "user", from)).await
}

async fn take_seen(cx: &Cx, from: &UserId, id: &GrantId) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    users::lock(&mut tx, from).await?;
    let (admin, person) = user::seen(&mut tx, cx, from).await?;
    let grant = person
        .grants
        .iter()
        .find(|grant| grant.id == *id)
        .or_not_found()?;
    let ability = Ability::ManageRoles;
    admin.require_on(&mut tx, ability, &person.row.unit).await?;
    if grant.reach == Reach::Site && !reaches_site(&admin) {
        return Err(ServiceError::Forbidden);
    }
    if admin.is(from) {
        return Err(ServiceError::Conflict(Msg::new("people.not_oneself")));
    }
    user::not_the_last_in(&mut tx, &[grant.role]).await?;
    users::revoke_grant(&mut tx, from, id, cx.actor.as_str(), cx.now()).await?;
    tell(
        &mut tx,
        cx,
        from,
        "people.notice_role_taken",
        grant.role,
        &grant.unit_name,
    )
    .await?;
    let event = Event::new("grant.take", "user", from)
        .of_unit(&grant.unit)
        .detail(json!({ "grant": id, "role": grant.role, "unit": grant.unit }));
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

/// Takes the lock of an account away before it runs out.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Conflict`] for one's
/// own account and for one that is not locked.
pub async fn unlock(cx: &Cx, id: &UserId) -> Result<(), ServiceError> {
    let result = unlock_seen(cx, id).await;
    traced(cx, result, || Event::new("user.unlock", "user", id)).await
}

async fn unlock_seen(cx: &Cx, id: &UserId) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let (admin, person) = user::seen(&mut tx, cx, id).await?;
    admin
        .require_on(&mut tx, Ability::ManageRoles, &person.row.unit)
        .await?;
    if admin.is(id) {
        return Err(ServiceError::Conflict(Msg::new("people.not_oneself")));
    }
    if person.row.state.code() != "locked" {
        return Err(ServiceError::Conflict(Msg::new("people.not_locked")));
    }
    door::unlock(&mut tx, id).await?;
    let event = Event::new("user.unlock", "user", id).of_unit(&person.row.unit);
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}
