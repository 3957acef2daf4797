//! The audit trail for those who read it. How it is written: [`crate::audit`].

use lingbao_model::view::{
    audit::{AuditFilter, AuditLine},
    page::{MAX_PAGE_ROWS, Page},
};

use super::refusal::traced;
use crate::{
    app::Cx,
    audit::{self, ChainCheck},
    authz::{Ability, Access},
    error::ServiceError,
    storage::audit_list,
};

/// One page of events, the latest first. Who audits the whole site sees all; who audits units sees
/// what was their matter.
///
/// # Errors
/// [`ServiceError::Forbidden`] for everybody else.
pub async fn list(cx: &Cx, filter: &AuditFilter) -> Result<Page<AuditLine>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ReadAudit)?;
    Ok(audit_list::list(&mut rx, &access.scope(Ability::ReadAudit), filter).await?)
}

/// The next rows of a file and where it goes on.
///
/// # Errors
/// As [`list`].
pub async fn export(
    cx: &Cx,
    filter: &AuditFilter,
) -> Result<(Vec<AuditLine>, Option<String>), ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ReadAudit)?;
    let filter = AuditFilter {
        limit: MAX_PAGE_ROWS,
        ..filter.clone()
    };
    Ok(audit_list::slice(&mut rx, &access.scope(Ability::ReadAudit), &filter).await?)
}

/// Walks the whole chain and says whether anything was changed, taken out or cut off. That
/// somebody looked is an event itself.
///
/// # Errors
/// As [`list`].
pub async fn verify(cx: &Cx) -> Result<ChainCheck, ServiceError> {
    let result = verify_once(cx).await;
    traced(cx, result, || {
        audit::Event::new("audit.verify", "audit", "chain")
    })
    .await
}

async fn verify_once(cx: &Cx) -> Result<ChainCheck, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ReadAudit)?;
    drop(rx);
    let check = audit::verify_chain(&cx.app).await?;
    let detail = serde_json::json!({ "checked": check.checked, "whole": check.broken.is_none() });
    let mut tx = cx.db().begin().await?;
    audit::record(
        &mut tx,
        cx,
        audit::Event::new("audit.verify", "audit", "chain").detail(detail),
    )
    .await?;
    tx.commit().await?;
    Ok(check)
}

#[cfg(test)]
mod tests {
    use lingbao_model::view::audit::Outcome;

    use super::*;
    use crate::testing::{TestApp, engines};

    #[tokio::test]
    async fn filters_of_the_trail_hold_on_both_engines() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let system = app.app.system();
            let mut tx = system.db().begin().await.unwrap();
            for n in 0..3 {
                let event = audit::Event::new("request.submit", "request", format!("r{n}"));
                audit::record(&mut tx, &system, event).await.unwrap();
            }
            tx.commit().await.unwrap();
            audit::record_refusal(&system, audit::Event::new("session.sign_in", "user", "x"))
                .await
                .unwrap();
            assert!(matches!(
                list(&system, &AuditFilter::default()).await,
                Err(ServiceError::Unauthenticated)
            ));

            let mut rx = system.db().read().await.unwrap();
            let scope = crate::authz::Scope::system(&system).unwrap();
            let submitted = AuditFilter {
                action: "request.".into(),
                limit: 2,
                ..AuditFilter::default()
            };
            let first = audit_list::list(&mut rx, &scope, &submitted).await.unwrap();
            assert_eq!(
                (first.rows.len(), first.total),
                (2, lingbao_model::view::page::Total::Exact(3))
            );
            let rest = AuditFilter {
                after: first.next,
                ..submitted
            };
            let (rest, next) = audit_list::slice(&mut rx, &scope, &rest).await.unwrap();
            assert_eq!((rest.len(), next), (1, None));
            let refused = AuditFilter {
                outcome: Some(Outcome::Refused),
                ..AuditFilter::default()
            };
            let refused = audit_list::list(&mut rx, &scope, &refused).await.unwrap();
            assert_eq!(
                refused
                    .rows
                    .iter()
                    .map(|e| e.action.as_str())
                    .collect::<Vec<_>>(),
                ["session.sign_in"]
            );
            let subject = AuditFilter {
                subject: "r1".into(),
                ..AuditFilter::default()
            };
            assert_eq!(
                audit_list::list(&mut rx, &scope, &subject)
                    .await
                    .unwrap()
                    .rows
                    .len(),
                1
            );
        }
    }
}
