//! Deleting backups: what is older than its plan keeps, and what is erased with a disk or a plan.

use lingbao_backends::provisioning::{
    Call, ExternalId, Kind, OperationId, OperationState, Outcome as Answer, Provisioner,
    RefusalReason,
};
use lingbao_model::{
    id::{BackupId, ResourceId},
    time::Timestamp,
    view::backup::BackupState,
};

use crate::{
    error::StorageError,
    fulfil::step::{Silent, later},
    saga::{Outcome, StepCx},
    storage::{Tx, backup},
};

/// How the deleting of a backup stands.
pub(super) enum Away {
    /// The cloud says that it does not have it.
    Gone,
    /// Ask again.
    Waits(u64, String),
    /// The cloud says no.
    No(String),
    /// The cloud says nothing.
    Silent(String),
}

/// Deletes a backup, or what there is of one that was not made, and reads it back.
pub(super) async fn take_away(
    cloud: &dyn Provisioner,
    id: &BackupId,
    external_id: Option<&str>,
) -> Away {
    let there = match external_id {
        Some(there) => ExternalId(there.to_owned()),
        None => match cloud.cancel(&OperationId(id.to_string())).await {
            Answer::Done(OperationState::Cancelled { left: Some(left) }) => left.id().clone(),
            Answer::Done(_) => return Away::Gone,
            Answer::Running { retry_after_ms, .. } => {
                return Away::Waits(
                    retry_after_ms,
                    "what is left of a backup is looked for".into(),
                );
            }
            Answer::Refused(refusal) => return Away::No(refusal.to_string()),
            Answer::Unreachable(why) | Answer::NotSent { why, .. } | Answer::Unknown(why) => {
                return Away::Silent(why);
            }
        },
    };
    let operation = OperationId(format!("{id}:drop"));
    let call = Call::DeleteBackup {
        backup: there.clone(),
    };
    match cloud.execute(&operation, call).await {
        Answer::Done(_) => {}
        Answer::Running { retry_after_ms, .. } => {
            return Away::Waits(retry_after_ms, "a backup is being deleted".into());
        }
        Answer::Refused(refusal) if refusal.reason == RefusalReason::NotFound => {}
        Answer::Refused(refusal) => return Away::No(refusal.to_string()),
        Answer::Unreachable(why) | Answer::NotSent { why, .. } | Answer::Unknown(why) => {
            return Away::Silent(why);
        }
    }
    match cloud.get(Kind::Backup, &there).await {
        Ok(None) => Away::Gone,
        Ok(Some(_)) => Away::No(format!("{there} was deleted and is still there")),
        Err(error) => Away::Silent(error.to_string()),
    }
}

/// Deletes all backups of a disk, or of a plan, which goes after them: how many there were. `Err` while
/// it is not over. They are looked up when their turn comes, because one may just have been made.
pub(in crate::fulfil) async fn erase(
    cx: &StepCx,
    cloud: &dyn Provisioner,
    resource: &ResourceId,
) -> Result<i64, Outcome> {
    let again = |error: StorageError| Outcome::Retry(error.to_string());
    let mut rx = cx.cx.db().read().await.map_err(again)?;
    let all = backup::of_resource(&mut rx, resource)
        .await
        .map_err(again)?;
    drop(rx);
    if all.iter().any(|b| b.row.state == BackupState::Making) {
        return Err(Outcome::Wait {
            until: Some(cx.cx.now().plus_millis(5_000)),
            why: "a backup is being made".into(),
        });
    }
    for one in &all {
        match take_away(cloud, &one.row.id, one.external_id.as_deref()).await {
            Away::Gone => {}
            Away::Waits(ms, why) => {
                return Err(Outcome::Wait {
                    until: Some(later(cx, ms)),
                    why,
                });
            }
            Away::No(why) => return Err(Outcome::Retry(why)),
            Away::Silent(why) => {
                return Err(Silent::of(cx, cloud.name(), why).await.outcome());
            }
        }
    }
    let made = all.iter().filter(|b| b.external_id.is_some()).count();
    Ok(i64::try_from(made).unwrap_or(i64::MAX))
}

/// Our rows of what [`erase`] deleted.
///
/// # Errors
/// What the database says.
pub(in crate::fulfil) async fn all_gone(
    tx: &mut Tx,
    resource: &ResourceId,
    at: Timestamp,
) -> Result<(), StorageError> {
    for one in backup::of_resource(tx, resource).await? {
        backup::gone(tx, &one.row.id, at).await?;
    }
    Ok(())
}
