//! Backups of volumes, as cinder-backup keeps them: always whole ones.
//!
//! Cinder keeps metadata of backups from 3.43 on only. So the operation stands in the description,
//! and its tag is the name, by which Cinder's list is filtered.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, inner, list, text},
    fault::{Answer, Fault, Flow, Stop, optional, refuse},
    keystone::Scope,
    networks::oldest_first,
    op::{Memory, describe, described, tag},
    snapshots::NOT_DELETED,
    version::Service,
    volumes::is_system_disk,
};
use crate::provisioning::{
    BackedUp, Backup, BackupSpec, ExternalId, Kind, Object, OperationId, Refusal, RefusalReason,
    Settled,
};

/// What each backup that is read must have.
pub(super) const FIELDS: &[&str] = &["id", "status", "os-backup-project-attr:project_id"];
/// Cinder's longest description.
const LONGEST: usize = 255;

/// The description: the operation, what it is of, and the name for people.
fn description(op: &OperationId, spec: &BackupSpec) -> String {
    let of = match &spec.of {
        BackedUp::SystemDisk(server) => format!("system:{server}"),
        BackedUp::Volume(volume) => format!("volume:{volume}"),
    };
    let said = format!("{} of:{of} {}", describe(op), spec.name);
    said.chars().take(LONGEST).collect()
}

/// What a backup is of: of one that somebody else made, its volume.
fn of(it: &Value) -> BackedUp {
    let said = text(it, "description")
        .split(' ')
        .nth(1)
        .unwrap_or_default();
    match said.strip_prefix("of:system:") {
        Some(server) if !server.is_empty() => BackedUp::SystemDisk(server.into()),
        _ => BackedUp::Volume(text(it, "volume_id").into()),
    }
}

/// A backup as it stands.
pub(super) fn backup(it: &Value) -> Backup {
    let said = text(it, "description");
    let operation = described(said);
    let name = if operation.0.is_empty() {
        text(it, "name").to_owned()
    } else {
        said.splitn(3, ' ').nth(2).unwrap_or_default().to_owned()
    };
    Backup {
        id: ExternalId(text(it, "id").to_owned()),
        spec: BackupSpec {
            project: text(it, "os-backup-project-attr:project_id").into(),
            of: of(it),
            name,
        },
        size_gb: it["size"]
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0),
        operation,
    }
}

impl Cloud {
    /// Whether this Cinder has a service that keeps backups, up or down just now.
    pub async fn keeps_backups(&self) -> Answer<bool> {
        let query = [("binary", "cinder-backup")];
        let found = self.get(Service::Volume, "/os-services", &query).await?;
        let all = list(&found, "services", &["binary"])?;
        Ok(all.iter().any(|it| text(it, "binary") == "cinder-backup"))
    }

    /// A backup; `None` if it is not there.
    pub async fn backup_value(&self, id: &ExternalId) -> Answer<Option<Value>> {
        let found = self
            .get(Service::Volume, &format!("/backups/{id}"), &[])
            .await;
        optional(found)?
            .map(|it| inner(it, "backup", FIELDS))
            .transpose()
    }

    /// The backup of an operation; of doubles the oldest stays.
    pub async fn backup_of(&self, op: &OperationId) -> Answer<Option<Value>> {
        let name = tag(op);
        let query = [("all_tenants", "1"), ("name", name.as_str())];
        let found = self.get(Service::Volume, "/backups/detail", &query).await?;
        let own = |it: &&Value| {
            described(text(it, "description")) == *op && text(it, "status") != "deleting"
        };
        let there = list(&found, "backups", FIELDS)?.iter();
        let mut all: Vec<Value> = there.filter(own).cloned().collect();
        oldest_first(&mut all);
        let mut all = all.into_iter();
        let Some(mut kept) = all.next() else {
            return Ok(None);
        };
        for double in all {
            let id = text(&double, "id");
            tracing::warn!(operation = %op, id, "a double of a backup is deleted");
            let path = format!("/backups/{id}");
            let asked = self.change(Service::Volume, Method::DELETE, &path, None);
            match asked.await {
                // Cinder deletes nothing that it still makes. Nothing is settled before the double
                // is gone: the caller asks again.
                Err(Fault::Refused(refusal)) if refusal.reason != RefusalReason::NotFound => {
                    kept["status"] = json!("creating");
                }
                deleted => {
                    optional(deleted)?;
                }
            }
        }
        Ok(Some(kept))
    }

    /// How the making of a backup stands. It takes as long as the disk is large: whoever asked for it
    /// decides how long that may be.
    pub fn backup_built(&self, it: &Value) -> Flow<Settled> {
        match text(it, "status") {
            "creating" => {
                let age = self
                    .now()
                    .saturating_sub(self.since(text(it, "created_at")));
                let shortest = self.config.poll_ms;
                let pause = u64::try_from(age).unwrap_or(0) / 12;
                Err(Stop::Running(pause.clamp(shortest, shortest.max(60_000))))
            }
            "error" => {
                let why = text(it, "fail_reason");
                let said = format!("cinder could not make the backup: {why}");
                Err(Refusal::new(RefusalReason::Broken, said).into())
            }
            _ => Ok(Settled::Present(Box::new(Object::Backup(backup(it))))),
        }
    }

    /// Makes a backup.
    pub async fn create_backup(
        &self,
        memory: &Memory,
        op: &OperationId,
        spec: BackupSpec,
    ) -> Flow<Settled> {
        if let Some(it) = self.backup_of(op).await? {
            let there = backup(&it).spec;
            if (there.project, there.of) != (spec.project, spec.of) {
                let said = "this operation id stands for another call";
                return refuse(RefusalReason::Conflict, said);
            }
            memory.made(op, Kind::Backup, &ExternalId(text(&it, "id").to_owned()));
            return self.backup_built(&it);
        }
        if memory.what(op).is_some() {
            return Ok(Settled::Gone);
        }
        let volume = self.volume_to_back_up(&spec).await?;
        if let Some(ms) = memory.settling(op, self.now(), self.config.settle_ms) {
            return Err(Stop::Running(ms));
        }
        let body = json!({ "backup": {
            "volume_id": volume,
            "name": tag(op),
            "description": description(op, &spec),
            // Of an attached volume too: what stands on the disk at this moment.
            "force": true,
        }});
        let scope = Scope::Project(spec.project.clone());
        let made = self
            .change_as(
                &scope,
                Service::Volume,
                Method::POST,
                "/backups",
                Some(&body),
            )
            .await?;
        let it = inner(made, "backup", &["id"])?;
        memory.made(op, Kind::Backup, &ExternalId(text(&it, "id").to_owned()));
        Err(Stop::Running(self.config.poll_ms))
    }

    /// The volume of which a backup is wanted, if one can be made of it now.
    async fn volume_to_back_up(&self, spec: &BackupSpec) -> Flow<String> {
        let it = match &spec.of {
            BackedUp::Volume(id) => self.volume_value(id).await?,
            BackedUp::SystemDisk(server) => self.system_disk(server).await?,
        };
        let Some(it) = it else {
            return refuse(RefusalReason::NotFound, "no disk to back up");
        };
        if text(&it, "os-vol-tenant-attr:tenant_id") != spec.project.as_str() {
            let said = "the disk is another project's";
            return refuse(RefusalReason::InvalidSpec, said);
        }
        match text(&it, "status") {
            "available" | "in-use" => Ok(text(&it, "id").to_owned()),
            status => refuse(RefusalReason::Conflict, format!("the volume is {status}")),
        }
    }

    /// The volume from which a server starts; `None` if that lies in no Cinder.
    async fn system_disk(&self, server: &ExternalId) -> Flow<Option<Value>> {
        let Some(it) = self.server_value(server).await? else {
            return refuse(RefusalReason::NotFound, format!("no server {server}"));
        };
        let disks = "os-extended-volumes:volumes_attached";
        for one in super::client::items(&it, disks) {
            let id = ExternalId(text(one, "id").to_owned());
            let volume = self.volume_value(&id).await?;
            if let Some(volume) = volume.filter(|it| is_system_disk(it, self.now())) {
                return Ok(Some(volume));
            }
        }
        Ok(None)
    }

    /// Deletes a backup.
    pub async fn delete_backup(&self, id: &ExternalId) -> Flow<Settled> {
        let Some(it) = self.backup_value(id).await? else {
            return Ok(Settled::Gone);
        };
        let path = format!("/backups/{id}");
        match text(&it, "status") {
            "deleting" => {
                return Err(self.wiping(&it, "deleting the backup"));
            }
            "error_deleting" => {
                // Cinder deletes such a one only when it is made to.
                let path = format!("{path}/action");
                let body = json!({ "os-force_delete": {} });
                let asked = self.change(Service::Volume, Method::POST, &path, Some(&body));
                optional(asked.await)?;
                return refuse(RefusalReason::Conflict, NOT_DELETED);
            }
            "available" | "error" => {}
            status => {
                return refuse(RefusalReason::Conflict, format!("the backup is {status}"));
            }
        }
        optional(
            self.change(Service::Volume, Method::DELETE, &path, None)
                .await,
        )?;
        Err(Stop::Running(self.config.poll_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_backup_is_of_and_for_whom_stands_in_its_description() {
        let read = |of: BackedUp, volume: &str| {
            let spec = BackupSpec {
                project: "p1".into(),
                of,
                name: "db-01 数据盘".into(),
            };
            let op = OperationId::from("bak_nb_1");
            let it = json!({ "id": "b1", "status": "available", "volume_id": volume, "size": 20,
                "name": tag(&op), "description": description(&op, &spec),
                "os-backup-project-attr:project_id": "p1" });
            let read = backup(&it);
            assert_eq!((&read.operation, read.size_gb), (&op, 20));
            (read.spec == spec).then_some(())
        };
        assert!(read(BackedUp::Volume("v1".into()), "v1").is_some());
        assert!(read(BackedUp::SystemDisk("s1".into()), "v2").is_some());
        let foreign = json!({ "id": "b2", "volume_id": "v1", "name": "mine", "description": null });
        let foreign = backup(&foreign);
        assert_eq!(foreign.spec.name, "mine");
        assert_eq!(foreign.spec.of, BackedUp::Volume("v1".into()));
        assert_eq!(foreign.operation, "".into());
    }
}
