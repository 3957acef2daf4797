//! What a new installation is given before anybody works with it.

use lingbao_model::{
    id::UnitId,
    people::{Reach, Role, UnitKind, UnitLevel},
};

use super::{catalogue, grant, unit, user};
use crate::{app::Cx, authz::Scope, error::ServiceError, storage::dump};

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
/// administrators. The topmost unit is made if there is none.
///
/// # Errors
/// [`ServiceError::Invalid`] for a name, a password or roles that break the rules.
pub async fn first_account(
    cx: &Cx,
    unit_name: &str,
    new: &user::NewUser,
    roles: &[Role],
) -> Result<(), ServiceError> {
    Scope::system(cx)?;
    let root: UnitId = match unit::roots(cx).await?.into_iter().next() {
        Some(root) => root.id,
        None => {
            let new = unit::NewUnit {
                parent: None,
                name: unit_name.to_owned(),
                short_name: String::new(),
                level: UnitLevel::City,
                kind: UnitKind::Area,
            };
            unit::create(cx, new).await?
        }
    };
    let account = user::create(cx, &root, new).await?;
    for role in roles {
        let reach = role.widest().min(Reach::Site);
        grant::give(cx, &account, *role, &root, reach).await?;
    }
    Ok(())
}
