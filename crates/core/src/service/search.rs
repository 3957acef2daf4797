//! The search of the whole site: every kind of thing within what the caller may read of it.

use lingbao_model::view::{
    page::{MAX_PAGE_ROWS, Page, Total},
    search::{HITS, Hit, HitKind},
};

use crate::{
    app::Cx,
    authz::{Ability, Access, Scope},
    error::ServiceError,
    storage::{
        hit,
        sql::{Cursor, cut},
    },
};

/// The first of what the caller may find under these words, at most [`HITS`] of each kind; nothing for
/// an empty search.
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
            let found = hit::find(&mut rx, &scope, *kind, typed, None, HITS).await?;
            all.extend(found.into_iter().map(|one| one.hit));
        }
    }
    Ok(all)
}

/// One page of all of it, kind after kind, or of one kind alone.
///
/// # Errors
/// As [`find`].
pub async fn page(
    cx: &Cx,
    typed: &str,
    only: Option<HitKind>,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<Hit>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let limit = limit.clamp(1, MAX_PAGE_ROWS);
    let (mut found, mut count, mut more) = (Vec::new(), 0, false);
    let kinds = HitKind::ALL.iter().filter(|_| !typed.trim().is_empty());
    let start = after.and_then(Cursor::decode).and_then(begin);
    for &kind in kinds.filter(|kind| only.is_none_or(|one| one == **kind)) {
        let Some(scope) = sight(&access, kind) else {
            continue;
        };
        match hit::count(&mut rx, &scope, kind, typed).await? {
            Total::Exact(n) => count += n,
            Total::MoreThan(_) => more = true,
        }
        let from = match &start {
            Some((before, _)) if place(*before) > place(kind) => continue,
            Some((same, at)) if *same == kind => Some(at),
            _ => None,
        };
        let room = limit + 1 - i64::try_from(found.len()).unwrap_or(limit);
        if room > 0 {
            found.extend(hit::find(&mut rx, &scope, kind, typed, from, room).await?);
        }
    }
    let (rows, next) = cut(found, limit, |one| {
        (
            format!("{} {}", one.hit.kind, one.at.key),
            one.at.id.clone(),
        )
    });
    let total = if more {
        Total::MoreThan(Total::EXACT_TO)
    } else {
        Total::from_capped(count)
    };
    Ok(Page {
        rows: rows.into_iter().map(|one| one.hit).collect(),
        next,
        total,
    })
}

/// The kind with which a page goes on, and the place in it.
fn begin(at: Cursor) -> Option<(HitKind, Cursor)> {
    let (kind, key) = at.key.split_once(' ')?;
    let from = Cursor {
        key: key.to_owned(),
        id: at.id,
    };
    // A place that is none is the beginning, as in every list.
    let kind: HitKind = kind.parse().ok()?;
    (kind != HitKind::Request || from.number().is_some()).then_some((kind, from))
}

/// Where a kind stands among the others.
fn place(kind: HitKind) -> Option<usize> {
    HitKind::ALL.iter().position(|one| *one == kind)
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
