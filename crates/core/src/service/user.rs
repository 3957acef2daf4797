//! Accounts. The system administrator makes, edits and closes them; roles and locks are the
//! security administrator's ([`super::grant`]). No one person can make an approver.

use lingbao_model::{
    id::{UnitId, UserId},
    msg::{FieldError, Msg},
    people::{LoginName, Role},
    text,
    view::{
        page::Page,
        people::{UserDetail, UserQuery, UserRow},
    },
};
use serde_json::json;

use super::{admin::Admin, form, notice, refusal::traced, session};
use crate::{
    app::{Actor, Cx},
    audit::{self, Event},
    authz::Ability,
    error::{OrNotFound, ServiceError},
    storage::{self, ReadTx, Tx, door, token, unit as units, user as users},
};

/// An account to be made, as it was typed.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// Login name.
    pub login: String,
    /// The person's name.
    pub name: String,
    /// Telephone.
    pub phone: String,
    /// First password, to be changed at the first sign-in.
    pub password: String,
}

/// One page of the users that the caller administers.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever administers nothing.
pub async fn list(cx: &Cx, query: &UserQuery) -> Result<Page<UserRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let sight = Admin::load(&mut rx, cx).await?.sight(cx)?;
    Ok(users::list(&mut rx, &sight, query, cx.now()).await?)
}

/// One user.
///
/// # Errors
/// [`ServiceError::Forbidden`], [`ServiceError::NotFound`].
pub async fn get(cx: &Cx, id: &UserId) -> Result<UserDetail, ServiceError> {
    let mut rx = cx.db().read().await?;
    let (_, user) = seen(&mut rx, cx, id).await?;
    Ok(user)
}

/// The caller, and the user if the caller sees them.
pub(super) async fn seen(
    rx: &mut ReadTx,
    cx: &Cx,
    id: &UserId,
) -> Result<(Admin, UserDetail), ServiceError> {
    let admin = Admin::load(rx, cx).await?;
    let sight = admin.sight(cx)?;
    let user = users::get(rx, &sight, id, cx.now()).await?.or_not_found()?;
    Ok((admin, user))
}

/// Makes an account in a unit, without any role.
///
/// # Errors
/// [`ServiceError::NotFound`] for a unit out of sight, [`ServiceError::Forbidden`],
/// [`ServiceError::Invalid`] on `login`, `name`, `phone`, `password`.
pub async fn create(cx: &Cx, unit: &UnitId, new: &NewUser) -> Result<UserId, ServiceError> {
    create_by(cx, unit, new, "").await
}

/// The same from the form of a page: posted twice, it makes one.
///
/// # Errors
/// As [`create`].
pub async fn create_by(
    cx: &Cx,
    unit: &UnitId,
    new: &NewUser,
    form_id: &str,
) -> Result<UserId, ServiceError> {
    let typed = (unit, &new.login, &new.name, &new.phone);
    let cx = form::of(cx, form_id, "user.create", &typed)?;
    if let Some(made) = form::before(&cx).await? {
        return Ok(made);
    }
    let result = create_in(&cx, unit, new).await;
    let result = form::settle(&cx, result).await;
    traced(&cx, result, || Event::new("user.create", "unit", unit)).await
}

async fn create_in(cx: &Cx, unit: &UnitId, new: &NewUser) -> Result<UserId, ServiceError> {
    // Before the hash: it costs a core, and not everybody may spend it.
    let mut rx = cx.db().read().await?;
    authorize_in(&mut rx, cx, unit).await?;
    drop(rx);
    let ready = ready(cx, new).await?;
    let mut tx = cx.db().begin().await?;
    let id = insert_in(&mut tx, cx, unit, &ready).await?;
    form::keep(&mut tx, cx, &id).await?;
    tx.commit().await?;
    Ok(id)
}

/// An account whose fields obey the rules, its password hashed.
pub(super) struct Ready {
    login: LoginName,
    name: String,
    phone: String,
    hash: String,
}

/// Reads the fields of a new account. Takes its time for the hash: no transaction may be open.
pub(super) async fn ready(cx: &Cx, new: &NewUser) -> Result<Ready, ServiceError> {
    let (login, name, phone) = match (
        LoginName::parse("login", &new.login),
        text::line("name", &new.name, 1, 40),
        phone(&new.phone),
    ) {
        (Ok(login), Ok(name), Ok(phone)) => (login, name, phone),
        (login, name, phone) => {
            let errors = [login.err(), name.err(), phone.err()];
            return Err(ServiceError::Invalid(
                errors.into_iter().flatten().collect(),
            ));
        }
    };
    let hash = session::first_hash(cx, &login, &new.password).await?;
    Ok(Ready {
        login,
        name,
        phone,
        hash,
    })
}

/// Makes the account inside a transaction that may do more.
pub(super) async fn insert_in(
    tx: &mut Tx,
    cx: &Cx,
    unit: &UnitId,
    new: &Ready,
) -> Result<UserId, ServiceError> {
    authorize_in(tx, cx, unit).await?;
    let id: UserId = cx.id();
    let inserted = users::insert(
        tx,
        &users::New {
            id: &id,
            login: new.login.as_str(),
            name: &new.name,
            unit,
            phone: &new.phone,
            hash: &new.hash,
            must_change: true,
            now: cx.now(),
        },
    )
    .await?;
    if !inserted {
        return Err(ServiceError::invalid(
            "login",
            Msg::new("people.login_taken"),
        ));
    }
    let event = Event::new("user.create", "user", &id)
        .of_unit(unit)
        .detail(json!({ "login": new.login.as_str(), "name": new.name }));
    audit::record(tx, cx, event).await?;
    Ok(id)
}

async fn authorize_in(rx: &mut ReadTx, cx: &Cx, unit: &UnitId) -> Result<(), ServiceError> {
    let admin = Admin::load(rx, cx).await?;
    let found = units::get(rx, &admin.sight(cx)?, unit)
        .await?
        .or_not_found()?;
    admin.require_on(rx, Ability::ManageUnits, unit).await?;
    if found.active {
        Ok(())
    } else {
        Err(ServiceError::Conflict(Msg::new("people.unit_closed")))
    }
}

fn phone(typed: &str) -> Result<String, FieldError> {
    let phone = text::line("phone", &text::half_width(typed), 0, 30)?;
    if phone
        .bytes()
        .all(|b| b.is_ascii_digit() || b"+-() ".contains(&b))
    {
        Ok(phone)
    } else {
        Err(FieldError::new("phone", Msg::new("people.phone")))
    }
}

/// Changes name and telephone, or moves the person to another unit. Who moves keeps no role: the
/// security administrator of the new unit gives them anew.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Invalid`] on `name`
/// and `phone`, [`ServiceError::Conflict`] when somebody else changed it.
pub async fn edit(
    cx: &Cx,
    id: &UserId,
    version: i64,
    name: &str,
    phone: &str,
    unit: &UnitId,
) -> Result<(), ServiceError> {
    let result = edit_seen(cx, id, version, name, phone, unit).await;
    traced(cx, result, || Event::new("user.edit", "user", id)).await
}

async fn edit_seen(
    cx: &Cx,
    id: &UserId,
    version: i64,
    name: &str,
    typed_phone: &str,
    unit: &UnitId,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    // Before the roles are read: one that is given now must not outlive the move.
    users::lock(&mut tx, id).await?;
    let (admin, user) = seen(&mut tx, cx, id).await?;
    admin
        .require_on(&mut tx, Ability::ManageUnits, &user.row.unit)
        .await?;
    let moves = *unit != user.row.unit;
    if moves {
        authorize_in(&mut tx, cx, unit).await?;
        not_oneself(&admin, id)?;
        not_the_last_in(&mut tx, &user.row.roles).await?;
    }
    let (name, phone) = match (text::line("name", name, 1, 40), phone(typed_phone)) {
        (Ok(name), Ok(phone)) => (name, phone),
        (name, phone) => {
            let errors = [name.err(), phone.err()];
            return Err(ServiceError::Invalid(
                errors.into_iter().flatten().collect(),
            ));
        }
    };
    users::edit(&mut tx, id, version, &user.row.login, &name, &phone, unit).await?;
    if moves {
        for grant in &user.grants {
            let by = cx.actor.as_str();
            users::revoke_grant(&mut tx, id, &grant.id, by, cx.now()).await?;
        }
    }
    let event = Event::new("user.edit", "user", id)
        .of_unit(&user.row.unit)
        .detail(json!({
            "name": [user.row.name, name],
            "unit": [user.row.unit, unit],
            "roles_ended": if moves { user.grants.len() } else { 0 },
        }));
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

fn not_oneself(admin: &Admin, id: &UserId) -> Result<(), ServiceError> {
    if admin.is(id) {
        Err(ServiceError::Conflict(Msg::new("people.not_oneself")))
    } else {
        Ok(())
    }
}

/// Closes an account (sessions end, tokens are revoked), or opens it again.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Conflict`] for one's
/// own account and when somebody else changed it.
pub async fn set_active(
    cx: &Cx,
    id: &UserId,
    version: i64,
    active: bool,
) -> Result<(), ServiceError> {
    let action = if active { "user.open" } else { "user.close" };
    let result = set_active_seen(cx, id, version, active, action).await;
    traced(cx, result, || Event::new(action, "user", id)).await
}

async fn set_active_seen(
    cx: &Cx,
    id: &UserId,
    version: i64,
    active: bool,
    action: &'static str,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let (admin, user) = seen(&mut tx, cx, id).await?;
    let unit = &user.row.unit;
    admin
        .require_on(&mut tx, Ability::ManageUnits, unit)
        .await?;
    not_oneself(&admin, id)?;
    if active {
        authorize_in(&mut tx, cx, unit).await?;
    } else {
        not_the_last_in(&mut tx, &user.row.roles).await?;
    }
    users::set_active(&mut tx, id, version, active).await?;
    if !active {
        end_access(&mut tx, cx, id).await?;
    }
    audit::record(&mut tx, cx, Event::new(action, "user", id).of_unit(unit)).await?;
    Ok(tx.commit().await?)
}

/// Somebody must be left who can give roles, make accounts, and read the trail.
pub(super) async fn not_the_last_in(tx: &mut Tx, roles: &[Role]) -> Result<(), ServiceError> {
    // One at a time: two who take each other's role away would both still count two.
    users::lock_powers(tx).await?;
    for role in [Role::SystemAdmin, Role::SecurityAdmin, Role::AuditAdmin] {
        if roles.contains(&role) && users::count_holders(tx, role).await? <= 1 {
            return Err(ServiceError::Conflict(Msg::new("people.last_of_role")));
        }
    }
    Ok(())
}

async fn end_access(tx: &mut Tx, cx: &Cx, id: &UserId) -> Result<(), ServiceError> {
    storage::session::delete_of_user(tx, id, None).await?;
    token::revoke_all(tx, id, cx.now()).await?;
    Ok(())
}

/// Gives a new first password; sessions end, and the person must change it at the next sign-in.
/// Not for holders of the three powers: with their password the system administrator would be all
/// three. Theirs is given by `lingbao user password` on the server
/// ([`lost_password`](super::install::lost_password)).
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Invalid`] on
/// `password`, [`ServiceError::Conflict`] for an administrator.
pub async fn reset_password(cx: &Cx, id: &UserId, password: &str) -> Result<(), ServiceError> {
    let result = reset_seen(cx, id, password).await;
    traced(cx, result, || Event::new("user.reset_password", "user", id)).await
}

async fn reset_seen(cx: &Cx, id: &UserId, password: &str) -> Result<(), ServiceError> {
    let mut rx = cx.db().read().await?;
    let login = authorize_reset(&mut rx, cx, id).await?.row.login;
    drop(rx);
    let login = LoginName::parse("login", &login)
        .map_err(|_| ServiceError::internal("login name of a user", login))?;
    let hash = session::first_hash(cx, &login, password).await?;

    let mut tx = cx.db().begin().await?;
    let user = authorize_reset(&mut tx, cx, id).await?;
    door::set_password(&mut tx, id, &hash, cx.now(), true).await?;
    if cx.actor == Actor::System {
        // Who lost it has tried, and nobody may be left to take the lock away.
        door::unlock(&mut tx, id).await?;
    }
    end_access(&mut tx, cx, id).await?;
    let msg = Msg::new("people.notice_password_reset");
    notice::send(&mut tx, cx, id, &msg, "/me").await?;
    let event = Event::new("user.reset_password", "user", id).of_unit(&user.row.unit);
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

async fn authorize_reset(
    rx: &mut ReadTx,
    cx: &Cx,
    id: &UserId,
) -> Result<UserDetail, ServiceError> {
    let (admin, user) = seen(rx, cx, id).await?;
    admin
        .require_on(rx, Ability::ManageUnits, &user.row.unit)
        .await?;
    let power = user.row.roles.iter().any(|role| !role.is_business());
    if power && matches!(admin, Admin::Person(_)) {
        return Err(ServiceError::Conflict(Msg::new("people.reset_of_power")));
    }
    Ok(user)
}
