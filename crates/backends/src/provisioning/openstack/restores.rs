//! New volumes out of backups.
//!
//! Cinder restores into a volume that is there, and at the end writes the metadata of the disk whose
//! backup it is over that of the volume: the operation is lost in the moment in which it is over. A
//! name is left alone, and the description with it, unless it begins with `restore_backup_`. So the
//! volume is made under the tag of its operation, by which Cinder's list is filtered, and the
//! description says of which call it is and whether Cinder was told to fill it. When it is full it gets
//! its metadata back, and last its own name; from then on it is a volume like others.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    backups,
    client::{Cloud, list, text},
    fault::{Answer, Fault, Flow, Stop, optional, refuse},
    keystone::Scope,
    networks::oldest_first,
    op::{META_OP, Memory, describe, described, tag},
    server::META_CALL,
    version::Service,
    volumes::{FIELDS, call, present},
};
use crate::provisioning::{
    ExternalId, Kind, OperationId, Refusal, RefusalReason, Settled, VolumeSpec,
};

/// Last word of the description before Cinder was told to fill it, and after.
const EMPTY: &str = "empty";
const FILLS: &str = "fills";
/// What is older is no double of a call whose answer was lost, whatever it looks like.
const YOUNG_MS: i64 = 10 * 60_000;

/// The operation that restores a backup into a volume; `None` for other volumes.
pub(super) fn restored_by(it: &Value) -> Option<OperationId> {
    let op = described(text(it, "description"));
    (!op.0.is_empty() && text(it, "name") == tag(&op)).then_some(op)
}

fn description(op: &OperationId, call: &str, so_far: &str) -> String {
    format!("{} {call} {so_far}", describe(op))
}

/// The call of which such a volume is, and how far it came.
fn told(it: &Value) -> (&str, &str) {
    let mut words = text(it, "description").split(' ').skip(1);
    let (call, so_far) = (words.next(), words.next());
    (call.unwrap_or_default(), so_far.unwrap_or_default())
}

/// Whether Cinder has been told to fill it: it says so, or its metadata are another disk's by now.
fn was_told(it: &Value, op: &OperationId) -> bool {
    told(it).1 == FILLS || text(&it["metadata"], META_OP) != op.as_str()
}

fn id(it: &Value) -> ExternalId {
    ExternalId(text(it, "id").to_owned())
}

fn broken() -> Refusal {
    Refusal::new(RefusalReason::Broken, "cinder could not restore the backup")
}

/// A restore as it was called for.
struct Wanted<'a> {
    op: &'a OperationId,
    backup: &'a ExternalId,
    spec: VolumeSpec,
    call: String,
}

impl Cloud {
    /// The volume into which an operation restores a backup, as long as it has no name of its own.
    async fn restored_of(&self, op: &OperationId) -> Answer<Option<Value>> {
        let name = tag(op);
        let query = [("all_tenants", "1"), ("name", name.as_str())];
        let found = self.get(Service::Volume, "/volumes/detail", &query).await?;
        let own =
            |it: &&Value| restored_by(it).as_ref() == Some(op) && text(it, "status") != "deleting";
        let there = list(&found, "volumes", FIELDS)?.iter();
        let mut all: Vec<Value> = there.filter(own).cloned().collect();
        oldest_first(&mut all);
        // The one into which something is written already is the one that stays.
        all.sort_by_key(|it| !was_told(it, op));
        let mut all = all.into_iter();
        let Some(mut kept) = all.next() else {
            return Ok(None);
        };
        for double in all {
            let id = id(&double);
            let age = self
                .now()
                .saturating_sub(self.since(text(&double, "created_at")));
            if told(&double).0 != told(&kept).0 || was_told(&double, op) || age >= YOUNG_MS {
                tracing::warn!(operation = %op, %id, "what looks like a double stays");
                continue;
            }
            tracing::warn!(operation = %op, %id, "a double is deleted");
            let path = format!("/volumes/{id}");
            let asked = self.change(Service::Volume, Method::DELETE, &path, None);
            match asked.await {
                // Cinder deletes nothing that it still makes: nothing goes on before it is gone.
                Err(fault) if fault.reason() == Some(RefusalReason::Conflict) => {
                    kept["status"] = json!("creating");
                }
                deleted => {
                    optional(deleted)?;
                }
            }
        }
        Ok(Some(kept))
    }

    /// The volume of an operation, also while a backup is restored into it.
    pub(super) async fn volume_or_restored(&self, op: &OperationId) -> Answer<Option<Value>> {
        match self.volume_of(op).await? {
            Some(it) => Ok(Some(it)),
            None => self.restored_of(op).await,
        }
    }

    /// How a volume stands into which a backup is restored. Only the call itself goes on with it.
    pub(super) fn restored_so_far(&self, it: &Value) -> Stop {
        if text(it, "status").starts_with("error") {
            return broken().into();
        }
        Stop::Running(self.config.poll_ms)
    }

    /// Makes a volume out of a backup. Asked again, it takes the next step.
    pub async fn restore_backup(
        &self,
        memory: &Memory,
        op: &OperationId,
        backup: &ExternalId,
        spec: VolumeSpec,
    ) -> Flow<Settled> {
        const OTHER: &str = "this operation id stands for another call";
        let call = call(&spec, Some(backup));
        if let Some(it) = self.volume_of(op).await? {
            if text(&it["metadata"], META_CALL) != call {
                return refuse(RefusalReason::Conflict, OTHER);
            }
            memory.made(op, Kind::Volume, &id(&it));
            return self.volume_built(memory, &it).await;
        }
        let wanted = Wanted {
            op,
            backup,
            spec,
            call,
        };
        if let Some(it) = self.restored_of(op).await? {
            if told(&it).0 != wanted.call {
                return refuse(RefusalReason::Conflict, OTHER);
            }
            return self.go_on(memory, &wanted, &it).await;
        }
        if memory.what(op).is_some() {
            return Ok(Settled::Gone);
        }
        let mut volume = self.new_volume(op, &wanted.spec, Some(backup))?;
        self.can_be_restored(&wanted).await?;
        volume["name"] = json!(tag(op));
        volume["description"] = json!(description(op, &wanted.call, EMPTY));
        let project = &wanted.spec.project;
        self.order_volume(memory, op, project, volume).await
    }

    /// Whether Cinder can restore the backup into such a volume now.
    async fn can_be_restored(&self, wanted: &Wanted<'_>) -> Flow<()> {
        let (id, spec) = (wanted.backup, &wanted.spec);
        let Some(it) = self.backup_value(id).await? else {
            return refuse(RefusalReason::NotFound, format!("no backup {id}"));
        };
        let there = backups::backup(&it);
        if there.spec.project != spec.project || there.size_gb > spec.size_gb {
            let said = "the backup is another project's, or larger";
            return refuse(RefusalReason::InvalidSpec, said);
        }
        match text(&it, "status") {
            "available" => Ok(()),
            "error" => refuse(RefusalReason::Broken, "the backup is broken"),
            status => refuse(RefusalReason::Conflict, format!("the backup is {status}")),
        }
    }

    async fn go_on(&self, memory: &Memory, wanted: &Wanted<'_>, it: &Value) -> Flow<Settled> {
        let (op, id) = (wanted.op, id(it));
        let told = was_told(it, op);
        if !told && self.volume_goes(memory, it).await? {
            memory.fell(op, &id);
            tracing::warn!(operation = %op, volume = %id, "a volume fell with a service of the cloud and is made anew");
            self.delete_volume(&id).await?;
            return Err(Stop::Running(self.config.poll_ms));
        }
        memory.made(op, Kind::Volume, &id);
        match text(it, "status") {
            "available" if told => self.restored(wanted, &id).await,
            "available" => self.fill(memory, wanted, &id).await,
            "restoring-backup" => Err(self.wiping(it, "restoring the backup")),
            status if told && status.starts_with("error") => Err(broken().into()),
            "in-use" | "attaching" | "reserved" => {
                let said = "somebody attached the volume before it was restored";
                refuse(RefusalReason::Conflict, said)
            }
            _ => self.volume_built(memory, it).await,
        }
    }

    /// Tells Cinder to restore the backup into a volume that is empty. Told twice, because it was not
    /// written down the first time, it writes the same once more: nobody has the volume yet.
    async fn fill(&self, memory: &Memory, wanted: &Wanted<'_>, id: &ExternalId) -> Flow<Settled> {
        self.can_be_restored(wanted).await?;
        if let Some(ms) = memory.settling(wanted.op, self.now(), self.config.settle_ms) {
            return Err(Stop::Running(ms));
        }
        let scope = Scope::Project(wanted.spec.project.clone());
        let path = format!("/backups/{}/restore", wanted.backup);
        let body = json!({ "restore": { "volume_id": id } });
        self.change_as(&scope, Service::Volume, Method::POST, &path, Some(&body))
            .await?;
        let said = description(wanted.op, &wanted.call, FILLS);
        if let Err(fault) = self
            .describe_volume(id, json!({ "description": said }))
            .await
        {
            tracing::debug!(%id, ?fault, "no note that it is being filled");
        }
        Err(Stop::Running(self.config.poll_ms))
    }

    /// Gives a volume that is full its metadata back, and then its name.
    async fn restored(&self, wanted: &Wanted<'_>, id: &ExternalId) -> Flow<Settled> {
        let order = self.new_volume(wanted.op, &wanted.spec, Some(wanted.backup))?;
        let path = format!("/volumes/{id}/metadata");
        let body = json!({ "metadata": order["metadata"] });
        self.change(Service::Volume, Method::PUT, &path, Some(&body))
            .await?;
        let own = json!({ "name": order["name"], "description": "" });
        self.describe_volume(id, own).await?;
        let there = self.volume_value(id).await?;
        Ok(there.map_or(Settled::Gone, |it| present(&it)))
    }

    async fn describe_volume(&self, id: &ExternalId, words: Value) -> Result<Value, Fault> {
        let body = json!({ "volume": words });
        let path = format!("/volumes/{id}");
        self.change(Service::Volume, Method::PUT, &path, Some(&body))
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provisioning::openstack::volumes::volume;

    #[test]
    fn a_volume_that_is_being_restored_is_its_operations_whatever_its_metadata_say() {
        let (op, source) = (OperationId::from("sga_nb_1:volume"), "sga_nb_0:disk");
        let of = |name: &str, so_far: &str, meta: &str| {
            json!({ "id": "v", "status": "available", "name": name,
                "description": description(&op, "c0ffee", so_far), "metadata": { META_OP: meta } })
        };
        let empty = of(&tag(&op), EMPTY, op.as_str());
        assert_eq!(restored_by(&empty).as_ref(), Some(&op));
        assert_eq!(told(&empty), ("c0ffee", EMPTY));
        assert!(!was_told(&empty, &op));
        // By its description, or by the metadata that Cinder has written over it.
        assert!(was_told(&of(&tag(&op), FILLS, op.as_str()), &op));
        let full = of(&tag(&op), EMPTY, source);
        assert!(was_told(&full, &op));
        assert_eq!(volume(&full).operation, op);
        // With its own name it is one like others.
        let named = of("data", "", op.as_str());
        assert_eq!(restored_by(&named), None);
        assert_eq!(volume(&named).operation, op);
    }
}
