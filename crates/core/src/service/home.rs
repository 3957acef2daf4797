//! The workbench, by the roles of the caller.

use lingbao_model::{
    time::{DAY_MS, Zone},
    view::{
        audit::AuditFilter,
        home::{AuditCounts, Home, PeopleCounts},
        item::Side,
        request::RequestFilter,
    },
};

use super::{admin::Admin, request::sight};
use crate::{
    app::Cx,
    authz::{Ability, Access},
    error::ServiceError,
    storage::{ReadTx, audit_list, calendar, home, notice, operation, policy, request_list, todo},
};

/// Rows of each list on the workbench.
const ROWS: i64 = 5;
/// From so many days before its end a term counts as near.
const NEAR_DAYS: i64 = 30;

/// What the caller's workbench shows.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn home(cx: &Cx) -> Result<Home, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let calendar = calendar::load(&mut rx).await?;
    let (user, now) = (&access.user, cx.now());
    let todo = if access.has(Ability::Decide) {
        let sight = sight(&access);
        Some(todo::todos(&mut rx, &sight, user, None, ROWS, &calendar, now).await?)
    } else {
        None
    };
    let requests = if access.has(Ability::Order) {
        let scope = access.scope(Ability::ReadRequests);
        let filter = RequestFilter {
            mine: true,
            open: true,
            limit: ROWS,
            ..RequestFilter::default()
        };
        Some(request_list::list(&mut rx, &scope, &filter, user, &calendar, now).await?)
    } else {
        None
    };
    let resources = if access.has(Ability::ReadResources) {
        let scope = access.scope(Ability::ReadResources);
        Some(home::resources(&mut rx, &scope, now.plus_millis(NEAR_DAYS * DAY_MS)).await?)
    } else {
        None
    };
    let operations = if access.has(Ability::Operate) {
        Some(operation::counts(&mut rx).await?)
    } else {
        None
    };
    Ok(Home {
        people: people(&mut rx, cx, &access).await?,
        proposed: proposed(&mut rx, &access).await?,
        policies: if access.has(Ability::ManageItems) {
            policy::proposed(&mut rx, &access.user).await?
        } else {
            0
        },
        audit: trail(&mut rx, cx, &access).await?,
        todo,
        requests,
        resources,
        operations,
        notices: notice::list(&mut rx, user, false, None, ROWS).await?.rows,
    })
}

async fn people(
    rx: &mut ReadTx,
    cx: &Cx,
    access: &Access,
) -> Result<Option<PeopleCounts>, ServiceError> {
    if !access.has(Ability::ManageUnits) && !access.has(Ability::ManageRoles) {
        return Ok(None);
    }
    let sight = Admin::load(rx, cx).await?.sight(cx)?;
    Ok(Some(home::people(rx, &sight, cx.now()).await?))
}

async fn proposed(rx: &mut ReadTx, access: &Access) -> Result<Option<i64>, ServiceError> {
    let mut waiting = None;
    for (ability, side) in [
        (Ability::ManageItems, Side::Content),
        (Ability::ManagePrices, Side::Price),
    ] {
        if access.has(ability) {
            let found = home::proposed(rx, side, &access.user).await?;
            waiting = Some(waiting.unwrap_or(0) + found);
        }
    }
    Ok(waiting)
}

async fn trail(
    rx: &mut ReadTx,
    cx: &Cx,
    access: &Access,
) -> Result<Option<AuditCounts>, ServiceError> {
    if !access.has(Ability::ReadAudit) {
        return Ok(None);
    }
    let scope = access.scope(Ability::ReadAudit);
    let zone = Zone::SHANGHAI;
    let day = zone.date(cx.now());
    let (events, refused) = home::events(rx, &scope, zone.moment(day, 0)).await?;
    let filter = AuditFilter {
        limit: ROWS,
        ..AuditFilter::default()
    };
    Ok(Some(AuditCounts {
        day,
        events,
        refused,
        checked: home::chain_check(rx).await?,
        last: audit_list::slice(rx, &scope, &filter).await?.0,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit,
        service::request::fixture::{self, City},
    };
    use lingbao_model::{
        people::{Reach, Role},
        time::MINUTE_MS,
    };

    #[tokio::test]
    async fn the_auditor_sees_whether_the_chain_held_and_others_see_no_trail() {
        for city in City::all().await {
            city.waiting().await;
            let clerk = home(&city.cx(&city.clerk)).await.unwrap();
            assert!(clerk.audit.is_none() && clerk.people.is_none() && clerk.proposed.is_none());
            let (app, person) = (&city.app, &city.colleague);
            fixture::give(app, person, Role::Auditor, &city.bureau, Reach::Site).await;
            let auditor = city.cx(person);
            let seen = home(&auditor).await.unwrap().audit.unwrap();
            assert_eq!((seen.checked, seen.refused), (None, 0));
            assert!(seen.events > 0 && !seen.last.is_empty());
            audit::seal(&city.app.app).await.unwrap();
            city.app.clock.advance_ms(MINUTE_MS);
            let auditor = city.cx(person);
            crate::service::audit::verify(&auditor).await.unwrap();
            let seen = home(&auditor).await.unwrap().audit.unwrap();
            assert_eq!(seen.checked, Some((auditor.now(), true)));
            let last = seen.last.first().map(|line| line.action.as_str());
            assert_eq!(last, Some("audit.verify"));
        }
    }
}
