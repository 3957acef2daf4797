//! The step that deletes one resource in its cloud, reads it back, and writes it off.

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::provisioning::{
    Call, ExternalId, Kind, OperationId, Outcome as Answer, Provisioner, RefusalReason,
};
use lingbao_model::{
    catalogue::Fulfiller,
    id::{RequestId, UserId},
    resource::{EventKind, ServiceState},
    time::Timestamp,
    view::{bin::ErasureMethod, resource::SnapshotState},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Part;
use crate::{
    authz::Scope,
    error::StorageError,
    fulfil::{
        backup,
        certificate::{self, How},
        reconcile::compare::kind_of,
        step::{Silent, delete_call, later, outside},
    },
    saga::{Outcome, Outside, Step, StepCx, Undone, Verified},
    storage::{Tx, change, quota, resource, snapshot},
};

/// Deletes one resource, after its snapshots and backups and after taking it off what it hangs on, and
/// reads it back.
pub(in crate::fulfil) struct Delete {
    pub name: String,
    pub part: Part,
    pub backend: Option<Arc<dyn Provisioner>>,
    pub applicant: UserId,
    pub request: RequestId,
    pub by: Option<UserId>,
}

/// What the step keeps: what the certificate says of how it went.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Gone {
    /// When the cloud said that it does not have it; `None` for what is in no cloud.
    absent_at: Option<Timestamp>,
    /// How many snapshots went with it.
    snapshots: i64,
    /// How many backups did.
    #[serde(default)]
    backups: i64,
}

impl Delete {
    /// The snapshots of a disk go before it: with one of them no cloud deletes it. They are looked
    /// up when the disk's turn comes, because one may just have been taken; `Err` while one is.
    async fn snapshots(&self, cx: &StepCx) -> Result<Vec<(String, Call)>, Outcome> {
        if self.part.kind != Fulfiller::Volume {
            return Ok(Vec::new());
        }
        let again = |error: StorageError| Outcome::Retry(error.to_string());
        let mut rx = cx.cx.db().read().await.map_err(again)?;
        let all = snapshot::of_resource(&mut rx, &self.part.resource)
            .await
            .map_err(again)?;
        if all.iter().any(|s| s.row.state == SnapshotState::Making) {
            return Err(Outcome::Wait {
                until: Some(cx.cx.now().plus_millis(2_000)),
                why: "a snapshot of it is being taken".into(),
            });
        }
        Ok(all
            .into_iter()
            .filter_map(|s| {
                let snapshot = ExternalId(s.external_id?);
                Some((s.row.id.to_string(), Call::DeleteSnapshot { snapshot }))
            })
            .collect())
    }

    fn calls(&self, id: &str) -> Vec<(String, Call)> {
        let id = ExternalId(id.to_owned());
        let Some(kind) = kind_of(self.part.kind) else {
            return Vec::new();
        };
        let mut calls = Vec::new();
        match self.part.kind {
            Fulfiller::Volume => {
                calls.push(("detach".into(), Call::DetachVolume { volume: id.clone() }));
            }
            Fulfiller::Address => {
                calls.push((
                    "free".into(),
                    Call::AssociateAddress {
                        address: id.clone(),
                        server: None,
                    },
                ));
            }
            _ => {}
        }
        calls.extend(delete_call(kind, id).map(|call| ("delete".into(), call)));
        calls
    }
}

/// Asks the cloud for what was deleted: `Ok` when it says that it does not have it.
async fn read_back(
    cx: &StepCx,
    backend: &dyn Provisioner,
    kind: Kind,
    id: &ExternalId,
) -> Result<(), Outcome> {
    match backend.get(kind, id).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(Outcome::Retry(format!(
            "{id} was deleted and is still there"
        ))),
        Err(error) => Err(Silent::of(cx, backend.name(), error.to_string())
            .await
            .outcome()),
    }
}

#[async_trait]
impl Step for Delete {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn outside(&self) -> Option<Outside<'_>> {
        self.part.external_id.as_ref()?;
        let backend = self.backend.as_deref()?;
        // Deleting twice is deleting once.
        Some(Outside {
            settle_ms: 0,
            ..outside(backend)
        })
    }

    async fn run(&self, cx: &StepCx) -> Outcome {
        let (Some(backend), Some(id)) = (&self.backend, &self.part.external_id) else {
            return Outcome::Done(Value::Null);
        };
        let snapshots = match self.snapshots(cx).await {
            Ok(snapshots) => snapshots,
            Err(outcome) => return outcome,
        };
        let backups = match backup::erase(cx, &**backend, &self.part.resource).await {
            Ok(backups) => backups,
            Err(outcome) => return outcome,
        };
        let kept: Vec<ExternalId> = snapshots
            .iter()
            .filter_map(|(_, call)| match call {
                Call::DeleteSnapshot { snapshot } => Some(snapshot.clone()),
                _ => None,
            })
            .collect();
        for (part, call) in snapshots.into_iter().chain(self.calls(id)) {
            let operation = OperationId(format!("{}:{part}", cx.operation));
            match backend.execute(&operation, call).await {
                Answer::Done(_) => {}
                Answer::Running { retry_after_ms, .. } => {
                    return Outcome::Wait {
                        until: Some(later(cx, retry_after_ms)),
                        why: format!("{part}: {} works on it", backend.name()),
                    };
                }
                // Somebody was faster: gone is gone.
                Answer::Refused(refusal) if refusal.reason == RefusalReason::NotFound => {}
                Answer::Refused(refusal) => return Outcome::Retry(refusal.to_string()),
                Answer::Unreachable(why) | Answer::NotSent { why, .. } | Answer::Unknown(why) => {
                    return Silent::of(cx, backend.name(), why).await.outcome();
                }
            }
        }
        let own = kind_of(self.part.kind).map(|kind| (kind, ExternalId(id.clone())));
        let gone = kept
            .iter()
            .map(|snapshot| (Kind::Snapshot, snapshot.clone()));
        for (kind, id) in gone.chain(own) {
            if let Err(outcome) = read_back(cx, &**backend, kind, &id).await {
                return outcome;
            }
        }
        let snapshots = i64::try_from(kept.len()).unwrap_or(i64::MAX);
        Outcome::Done(json!(Gone {
            absent_at: Some(cx.cx.now()),
            snapshots,
            backups,
        }))
    }

    async fn undo(&self, _: &StepCx) -> Undone {
        Undone::Done
    }

    async fn verify(&self, _: &StepCx) -> Verified {
        // Deleting twice is deleting once.
        Verified::Absent
    }

    async fn save(&self, tx: &mut Tx, cx: &StepCx, output: &Value) -> Result<(), StorageError> {
        let scope = Scope::system(&cx.cx)
            .map_err(|e| StorageError::inconsistent("saga", "actor", cx.saga.as_str(), e))?;
        let Some(found) = resource::get(tx, &scope, &self.part.resource).await? else {
            return Ok(());
        };
        if found.service == ServiceState::Released {
            return Ok(());
        }
        resource::mark_released(tx, &found, cx.cx.now()).await?;
        resource::detach_all(tx, &found.id).await?;
        snapshot::all_gone(tx, &found.id, cx.cx.now()).await?;
        backup::all_gone(tx, &found.id, cx.cx.now()).await?;
        resource::add_event(
            tx,
            &cx.cx.id(),
            &found.id,
            EventKind::Released,
            self.applicant.as_str(),
            cx.cx.now(),
        )
        .await?;
        if let Some(pool) = &self.part.pool {
            let booking = quota::Booking {
                operation: format!("free:{}", found.id),
                vdc: self.part.vdc.clone(),
                request: None,
                demand: [(pool.clone(), found.amounts.clone())].into(),
            };
            quota::free(tx, &cx.cx, &booking, &found.id).await?;
        }
        let gone: Gone = serde_json::from_value(output.clone()).unwrap_or_default();
        let how = How {
            request: Some(self.request.clone()),
            by: self.by.clone(),
            method: match gone.absent_at {
                Some(_) => ErasureMethod::Deleted,
                None => ErasureMethod::NotInCloud,
            },
            absent_at: gone.absent_at,
            snapshots: gone.snapshots,
            backups: gone.backups,
        };
        certificate::certify(tx, &cx.cx, &found, how).await?;
        change::touch(tx, &cx.cx, &format!("unit:{}", found.unit)).await
    }
}
