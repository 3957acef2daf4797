//! The console of a host in the browser.
//!
//! The link is a key to the host for as long as the cloud lets it live. So it is fetched when it is
//! asked for, given to the one who asked, and written down nowhere: the audit event says that it was
//! given, not what it is.

use std::time::Duration;

use lingbao_backends::provisioning::{ExternalId, ReadError, RefusalReason};
use lingbao_model::{
    catalogue::Fulfiller,
    id::ResourceId,
    resource::ServiceState,
    view::resource::{Act, ConsoleLink},
};

use super::refusal::traced;
use crate::{
    app::Cx,
    audit,
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError, conflict},
    storage::{
        ReadTx, cloud,
        resource::{self, Resource},
        resource_action,
    },
};

/// How long a page waits for the cloud's answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// A link to the console of a running server.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see the server, [`ServiceError::Forbidden`] if it
/// is not the caller's to use, [`ServiceError::Conflict`] if it does not run or is being given back,
/// if its cloud has no consoles, refuses this one, or does not answer now.
pub async fn open(cx: &Cx, id: &ResourceId) -> Result<ConsoleLink, ServiceError> {
    let result = open_once(cx, id).await;
    traced(cx, result, || {
        audit::Event::new("resource.console", "resource", id)
    })
    .await
}

async fn allowed(
    rx: &mut ReadTx,
    cx: &Cx,
    id: &ResourceId,
) -> Result<(Resource, String, ExternalId), ServiceError> {
    let access = Access::load(rx, cx).await?;
    let found = resource::get(rx, &access.scope(Ability::ReadResources), id)
        .await?
        .or_not_found()?;
    access
        .require_on(rx, Ability::OperateResources, &found.unit)
        .await?;
    if found.kind != Fulfiller::Server || found.service != ServiceState::Running {
        return Err(ServiceError::Conflict(found.not_now()));
    }
    if resource_action::open_release(rx, id).await?.is_some() {
        return conflict("resource.being_released");
    }
    let (Some(backend), Some(external_id)) = (found.backend.clone(), found.external_id.clone())
    else {
        return conflict("resource.not_in_cloud");
    };
    if !cloud::able(rx, &backend).await?.contains(&Act::Console) {
        return conflict("resource.no_console");
    }
    Ok((found, backend, ExternalId(external_id)))
}

/// What the caller reads of a console that was not given: a no of the cloud is no silence, and trying
/// again would not help.
const fn said(error: &ReadError) -> &'static str {
    match error {
        ReadError::Unreachable(_) => "resource.cloud_away",
        ReadError::Refused(refusal) => match refusal.reason {
            RefusalReason::Conflict => "resource.console_not_now",
            RefusalReason::Unsupported => "resource.no_console",
            _ => "resource.console_refused",
        },
    }
}

async fn open_once(cx: &Cx, id: &ResourceId) -> Result<ConsoleLink, ServiceError> {
    let mut rx = cx.db().read().await?;
    let (found, backend, server) = allowed(&mut rx, cx, id).await?;
    // The cloud may take its time: nobody waits for our database meanwhile.
    drop(rx);
    let cloud = cx.app.backends.get_or_absent(&backend);
    let url = match tokio::time::timeout(PATIENCE, cloud.console(&server)).await {
        Ok(Ok(Some(link))) => link.0,
        Ok(Ok(None)) => return conflict("resource.no_console"),
        Ok(Err(error)) => {
            tracing::warn!(backend, %error, "a console could not be opened");
            return conflict(said(&error));
        }
        Err(_) => {
            tracing::warn!(backend, "a cloud gave no console in time");
            return conflict("resource.cloud_away");
        }
    };
    // It becomes a link in a page: nothing that a browser would run.
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        tracing::error!(backend, "a console is no web address");
        return conflict("resource.no_console");
    }
    // Asked again, now that it is known: rights may have gone while the cloud thought.
    let mut tx = cx.db().begin().await?;
    allowed(&mut tx, cx, id).await?;
    let event = audit::Event::new("resource.console", "resource", id);
    audit::record(&mut tx, cx, event.of_unit(&found.unit)).await?;
    tx.commit().await?;
    Ok(ConsoleLink { url })
}

#[cfg(test)]
mod tests {
    use lingbao_backends::provisioning::Refusal;

    use super::*;

    #[test]
    fn a_console_that_the_cloud_refuses_is_not_told_as_silence() {
        let refused = |reason| said(&ReadError::Refused(Refusal::new(reason, "no")));
        for (reason, key) in [
            (RefusalReason::Conflict, "resource.console_not_now"),
            (RefusalReason::Unsupported, "resource.no_console"),
            (RefusalReason::InvalidSpec, "resource.console_refused"),
            (RefusalReason::Denied, "resource.console_refused"),
            (RefusalReason::NotFound, "resource.console_refused"),
        ] {
            assert_eq!(refused(reason), key, "{reason:?}");
        }
        let silent = ReadError::Unreachable("time-out".into());
        assert_eq!(said(&silent), "resource.cloud_away");
    }
}
