//! The search of the whole site: every kind of thing within what the caller may read of it.

use lingbao_model::view::search::{Hit, HitKind};

use crate::{
    app::Cx,
    authz::{Ability, Access, Scope},
    error::ServiceError,
    storage::hit,
};

/// What the caller may find under these words, kind by kind; nothing for an empty search.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn find(cx: &Cx, typed: &str) -> Result<Vec<Hit>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let mut all = Vec::new();
    if typed.trim().is_empty() {
        return Ok(all);
    }
    for kind in HitKind::ALL {
        if let Some(scope) = sight(&access, *kind) {
            all.extend(hit::find(&mut rx, &scope, *kind, typed).await?);
        }
    }
    Ok(all)
}

/// How far the caller sees things of a kind; `None` if not at all.
fn sight(access: &Access, kind: HitKind) -> Option<Scope> {
    let abilities: &[Ability] = match kind {
        HitKind::Request => &[Ability::ReadRequests],
        HitKind::Resource | HitKind::System => &[Ability::ReadResources],
        // No one person has both.
        HitKind::Unit | HitKind::User => &[Ability::ManageUnits, Ability::ManageRoles],
    };
    let ability = abilities.iter().find(|ability| access.has(**ability))?;
    Some(access.scope(*ability))
}
