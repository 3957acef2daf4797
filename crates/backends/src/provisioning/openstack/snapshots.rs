//! Snapshots of volumes.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, inner, text},
    fault::{Answer, Flow, Stop, optional, refuse},
    keystone::Scope,
    op::{META_OP, Memory, digest},
    server::META_CALL,
    version::Service,
    volumes::{ACT, volume},
};
use crate::provisioning::{
    ExternalId, Kind, Object, OperationId, Refusal, RefusalReason, Settled, Snapshot, SnapshotSpec,
};

/// What each snapshot that is read must have.
pub(super) const FIELDS: &[&str] = &[
    "id",
    "status",
    "os-extended-snapshot-attributes:project_id",
    "metadata",
];
/// That a deletion was asked for, in the metadata of a volume or snapshot.
pub(super) const DELETE: &str = "delete";
/// Said once for each deletion that came to nothing, so that the attempts count.
pub(super) const NOT_DELETED: &str = "cinder could not delete it; asked again";

fn call(spec: &SnapshotSpec) -> String {
    digest(&[&spec.project.0, &spec.volume.0, &spec.name])
}

/// Whose it is.
pub(super) fn project(it: &Value) -> &str {
    text(it, "os-extended-snapshot-attributes:project_id")
}

/// A snapshot as it stands.
pub(super) fn snapshot(it: &Value) -> Snapshot {
    Snapshot {
        id: ExternalId(text(it, "id").to_owned()),
        spec: SnapshotSpec {
            project: ExternalId(project(it).to_owned()),
            volume: ExternalId(text(it, "volume_id").to_owned()),
            name: text(it, "name").to_owned(),
        },
        size_gb: it["size"]
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0),
        operation: OperationId(text(&it["metadata"], META_OP).to_owned()),
    }
}

impl Cloud {
    /// A snapshot; `None` if it is not there.
    pub async fn snapshot_value(&self, id: &ExternalId) -> Answer<Option<Value>> {
        let found = self
            .get(Service::Volume, &format!("/snapshots/{id}"), &[])
            .await;
        optional(found)?
            .map(|it| inner(it, "snapshot", FIELDS))
            .transpose()
    }

    /// The snapshot of an operation; of doubles the oldest stays.
    pub async fn snapshot_of(&self, op: &OperationId) -> Answer<Option<Value>> {
        self.stored_of("snapshots", op).await
    }

    /// How the making of a snapshot stands.
    pub fn snapshot_built(&self, it: &Value) -> Flow<Settled> {
        match text(it, "status") {
            "creating" | "backing-up" => {
                Err(self.under_way(text(it, "created_at"), "making the snapshot"))
            }
            "error" => {
                let said = "cinder could not make the snapshot";
                Err(Refusal::new(RefusalReason::NoCapacity, said).into())
            }
            _ => Ok(Settled::Present(Box::new(Object::Snapshot(snapshot(it))))),
        }
    }

    /// Makes a snapshot.
    pub async fn create_snapshot(
        &self,
        memory: &Memory,
        op: &OperationId,
        spec: SnapshotSpec,
    ) -> Flow<Settled> {
        if let Some(it) = self.snapshot_of(op).await? {
            if text(&it["metadata"], META_CALL) != call(&spec) {
                let said = "this operation id stands for another call";
                return refuse(RefusalReason::Conflict, said);
            }
            memory.made(op, Kind::Snapshot, &ExternalId(text(&it, "id").to_owned()));
            return self.snapshot_built(&it);
        }
        if memory.what(op).is_some() {
            return Ok(Settled::Gone);
        }
        if op.as_str().contains(['\'', '\\']) {
            return refuse(RefusalReason::InvalidSpec, "an operation id with quotes");
        }
        match self.volume_value(&spec.volume).await? {
            Some(it) if volume(&it).spec.project == spec.project => {}
            Some(_) => {
                return refuse(
                    RefusalReason::InvalidSpec,
                    "the volume is another project's",
                );
            }
            None => {
                return refuse(
                    RefusalReason::NotFound,
                    format!("no volume {}", spec.volume),
                );
            }
        }
        if let Some(ms) = memory.settling(op, self.now(), self.config.settle_ms) {
            return Err(Stop::Running(ms));
        }
        let body = json!({ "snapshot": {
            "volume_id": spec.volume,
            "name": spec.name,
            // Of an attached volume too: what stands on the disk at this moment.
            "force": true,
            "metadata": { META_OP: op, META_CALL: call(&spec) },
        }});
        let scope = Scope::Project(spec.project.clone());
        let made = self
            .change_as(
                &scope,
                Service::Volume,
                Method::POST,
                "/snapshots",
                Some(&body),
            )
            .await?;
        let it = inner(made, "snapshot", &["id"])?;
        memory.made(op, Kind::Snapshot, &ExternalId(text(&it, "id").to_owned()));
        Err(Stop::Running(self.config.poll_ms))
    }

    /// Deletes a snapshot.
    pub async fn delete_snapshot(&self, id: &ExternalId) -> Flow<Settled> {
        let Some(it) = self.snapshot_value(id).await? else {
            return Ok(Settled::Gone);
        };
        if text(&it, "status") == "deleting" {
            return Err(self.wiping(&it, "deleting the snapshot"));
        }
        if text(&it, "status") == "error_deleting" {
            // Cinder deletes such a one only when it is made to.
            let path = format!("/snapshots/{id}/action");
            let body = json!({ "os-force_delete": {} });
            let asked = self.change(Service::Volume, Method::POST, &path, Some(&body));
            optional(asked.await)?;
            return refuse(RefusalReason::Conflict, NOT_DELETED);
        }
        // What is busy in the storage falls back to where it was before.
        let fell_back = text(&it["metadata"], ACT) == DELETE;
        let path = format!("/snapshots/{id}");
        optional(
            self.change(Service::Volume, Method::DELETE, &path, None)
                .await,
        )?;
        if fell_back {
            return refuse(RefusalReason::Conflict, NOT_DELETED);
        }
        self.mark_asked("snapshots", id, DELETE).await;
        Err(Stop::Running(self.config.poll_ms))
    }
}
