//! Block disks.
use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, inner, items, list, text},
    fallen::is_given_up,
    fault::{Answer, Fault, Flow, Stop, optional, refuse},
    keystone::Scope,
    networks::oldest_first,
    op::{META_OP, Memory, digest},
    restores::restored_by,
    server::{META_CALL, server},
    snapshots,
    time::moment,
    version::Service,
};
use crate::provisioning::{
    ExternalId, Kind, Object, OperationId, PoolRef, RefusalReason, Settled, Volume, VolumeSpec,
    VolumeState,
};

/// What each volume that is read must have. Cinder tells the project to an administrator alone.
pub(super) const FIELDS: &[&str] = &[
    "id",
    "status",
    "os-vol-tenant-attr:tenant_id",
    "metadata",
    "attachments",
];
/// Entry of the metadata that names what was last asked for.
pub(super) const ACT: &str = "lingbao_act";
/// That a detaching was asked for. Operations have more letters.
const DETACH: &str = "detach";

/// That a larger size was asked for.
const EXTEND: &str = "extend";

/// Whether a microversion of Cinder extends what is attached.
fn extends_attached(version: &str) -> bool {
    version
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)))
        .is_some_and(|version| version >= (3, 42))
}

/// What tells two orders under one operation apart.
pub(super) fn call(spec: &VolumeSpec, from: Option<&ExternalId>) -> String {
    let class = spec.volume_type.as_deref().unwrap_or_default();
    let size = spec.size_gb.to_string();
    let from = from.map_or("", ExternalId::as_str);
    digest(&[
        &spec.project.0,
        &spec.pool.0,
        &spec.name,
        &size,
        class,
        from,
    ])
}

fn project(it: &Value) -> &str {
    text(it, "os-vol-tenant-attr:tenant_id")
}

/// The server on which a volume hangs.
pub(super) fn server_of(it: &Value) -> Option<ExternalId> {
    let first = items(it, "attachments")
        .first()
        .map(|one| text(one, "server_id"));
    first
        .filter(|id| !id.is_empty())
        .map(|id| ExternalId(id.to_owned()))
}

/// What a volume does. While a backup of it is made it can be used.
fn state(status: &str) -> VolumeState {
    match status {
        "available" | "in-use" | "backing-up" => VolumeState::Ready,
        error if error.starts_with("error") => VolumeState::Error,
        _ => VolumeState::Changing,
    }
}

/// A volume as it stands, of the class that its type has by now. One that somebody has retyped is
/// called by the class of that type; if none has it, by the type. One that was made in the cloud itself
/// is of the class whose type it has, if that is one alone. `types` are the types of classes.
pub(super) fn volume_in(it: &Value, types: &BTreeMap<String, String>) -> Volume {
    let mut volume = volume(it);
    let there = text(it, "volume_type");
    if volume.spec.volume_type.is_none() && !there.is_empty() {
        let mut of_type = types.iter().filter(|(_, name)| *name == there);
        if let (Some((class, _)), None) = (of_type.next(), of_type.next()) {
            volume.spec.volume_type = Some(class.clone());
        }
        return volume;
    }
    if let Some(class) = &volume.spec.volume_type
        && !there.is_empty()
        && types.get(class).unwrap_or(class) != there
    {
        let other = types.iter().find(|(_, name)| *name == there);
        let called = other.map_or(there, |(class, _)| class.as_str());
        volume.spec.volume_type = Some(called.to_owned());
    }
    volume
}

/// A volume as it stands, of the class that was asked for.
pub(super) fn volume(it: &Value) -> Volume {
    let meta = &it["metadata"];
    let class = Some(text(meta, "lingbao_class")).filter(|class| !class.is_empty());
    Volume {
        id: ExternalId(text(it, "id").to_owned()),
        spec: VolumeSpec {
            project: ExternalId(project(it).to_owned()),
            pool: PoolRef(text(meta, "lingbao_pool").to_owned()),
            name: text(it, "name").to_owned(),
            size_gb: it["size"]
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(0),
            volume_type: class.map(str::to_owned),
        },
        state: state(text(it, "status")),
        attached_to: server_of(it),
        operation: restored_by(it).unwrap_or_else(|| OperationId(text(meta, META_OP).to_owned())),
    }
}

/// Whether it is the system disk of a server, which Nova made and deletes with it. One that is left
/// over when its server has long gone is an object like others.
///
/// While Nova installs a server anew, its disk is attached to nothing: Nova reserves it, Cinder copies
/// the image, and lists only what is attached. If that breaks off, the disk stays like this.
pub(super) fn is_system_disk(it: &Value, now: i64) -> bool {
    let made = moment(text(it, "created_at")).unwrap_or_default().millis();
    let own = server_of(it).is_some() || is_busy(it) || text(it, "status") == "error";
    text(&it["metadata"], META_OP).is_empty()
        && text(it, "bootable") == "true"
        && (own || now - made < 15 * 60_000)
}

pub(super) fn present(it: &Value) -> Settled {
    Settled::Present(Box::new(Object::Volume(volume(it))))
}

fn is_busy(it: &Value) -> bool {
    let between = [
        "creating",
        "attaching",
        "detaching",
        "reserved",
        "deleting",
        "downloading",
    ];
    between.contains(&text(it, "status"))
}

impl Cloud {
    /// A volume; `None` if it is not there.
    pub async fn volume_value(&self, id: &ExternalId) -> Answer<Option<Value>> {
        let found = self
            .get(Service::Volume, &format!("/volumes/{id}"), &[])
            .await;
        optional(found)?
            .map(|it| inner(it, "volume", FIELDS))
            .transpose()
    }

    /// The volume of an operation; of doubles the oldest stays.
    pub async fn volume_of(&self, op: &OperationId) -> Answer<Option<Value>> {
        self.stored_of("volumes", op).await
    }

    /// What an operation made among Cinder's `volumes` or `snapshots`; of doubles the oldest stays.
    pub(super) async fn stored_of(&self, kind: &str, op: &OperationId) -> Answer<Option<Value>> {
        // Cinder reads the filter as a dictionary of Python.
        let filter = format!(
            "{{'{META_OP}': '{}'}}",
            op.as_str().replace(['\'', '\\'], "_")
        );
        let query = [("all_tenants", "1"), ("metadata", filter.as_str())];
        let found = self
            .get(Service::Volume, &format!("/{kind}/detail"), &query)
            .await?;
        let own = |it: &&Value| {
            text(&it["metadata"], META_OP) == op.as_str()
                && text(it, "status") != "deleting"
                // Its metadata may be those of the disk whose backup it is.
                && restored_by(it).is_none()
        };
        let fields = match kind {
            "volumes" => FIELDS,
            _ => snapshots::FIELDS,
        };
        let there = list(&found, kind, fields)?.iter();
        let mut all: Vec<Value> = there.filter(own).cloned().collect();
        oldest_first(&mut all);
        let mut all = all.into_iter();
        let Some(mut kept) = all.next() else {
            return Ok(None);
        };
        for double in all {
            tracing::warn!(operation = %op, kind, id = text(&double, "id"), "a double is deleted");
            let path = format!("/{kind}/{}", text(&double, "id"));
            match self
                .change(Service::Volume, Method::DELETE, &path, None)
                .await
            {
                // Cinder deletes nothing that it still makes. Nothing is settled before the double
                // is gone: the caller asks again.
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

    /// How the making of a volume stands.
    pub async fn volume_built(&self, memory: &Memory, it: &Value) -> Flow<Settled> {
        if is_given_up(memory, it) {
            return Err(Stop::Running(self.config.poll_ms));
        }
        match text(it, "status") {
            "creating" | "downloading" => {
                Err(self.under_way(text(it, "created_at"), "making the volume"))
            }
            "error" => Err(self.volume_fallen(memory, it).await),
            _ => Ok(present(it)),
        }
    }

    /// Makes a volume, empty or out of a snapshot.
    pub async fn create_volume(
        &self,
        memory: &Memory,
        op: &OperationId,
        spec: VolumeSpec,
        from: Option<ExternalId>,
    ) -> Flow<Settled> {
        if let Some(it) = self.volume_of(op).await? {
            if text(&it["metadata"], META_CALL) != call(&spec, from.as_ref()) {
                let said = "this operation id stands for another call";
                return refuse(RefusalReason::Conflict, said);
            }
            let id = ExternalId(text(&it, "id").to_owned());
            if self.volume_goes(memory, &it).await? {
                memory.fell(op, &id);
                tracing::warn!(operation = %op, volume = %id, "a volume fell with a service of the cloud and is made anew");
                self.delete_volume(&id).await?;
                return Err(Stop::Running(self.config.poll_ms));
            }
            memory.made(op, Kind::Volume, &id);
            return self.volume_built(memory, &it).await;
        }
        if memory.what(op).is_some() {
            return Ok(Settled::Gone);
        }
        let mut volume = self.new_volume(op, &spec, from.as_ref())?;
        if let Some(from) = &from {
            let Some(snapshot) = self.snapshot_value(from).await? else {
                return refuse(RefusalReason::NotFound, format!("no snapshot {from}"));
            };
            if snapshots::project(&snapshot) != spec.project.as_str() {
                let said = "the snapshot is another project's";
                return refuse(RefusalReason::InvalidSpec, said);
            }
            volume["snapshot_id"] = json!(from);
        }
        self.order_volume(memory, op, &spec.project, volume).await
    }

    /// The order of a volume, empty or (`from`) out of a copy.
    pub(super) fn new_volume(
        &self,
        op: &OperationId,
        spec: &VolumeSpec,
        from: Option<&ExternalId>,
    ) -> Flow<Value> {
        if spec.size_gb == 0 {
            return refuse(RefusalReason::InvalidSpec, "a size of nothing");
        }
        let Some(zone) = self.config.zone(spec.pool.as_str()) else {
            return refuse(RefusalReason::NotFound, format!("no pool {}", spec.pool));
        };
        if op.as_str().contains(['\'', '\\']) {
            return refuse(RefusalReason::InvalidSpec, "an operation id with quotes");
        }
        let mut volume = json!({
            "name": spec.name,
            "size": spec.size_gb,
            "metadata": { META_OP: op, META_CALL: call(spec, from), "lingbao_pool": spec.pool },
        });
        if let Some(class) = &spec.volume_type {
            volume["metadata"]["lingbao_class"] = json!(class);
            volume["volume_type"] = json!(self.volume_type(class));
        }
        if !zone.volume_zone.is_empty() {
            volume["availability_zone"] = json!(zone.volume_zone);
        }
        Ok(volume)
    }

    /// Orders a volume, unless an answer was lost a moment ago.
    pub(super) async fn order_volume(
        &self,
        memory: &Memory,
        op: &OperationId,
        project: &ExternalId,
        volume: Value,
    ) -> Flow<Settled> {
        if let Some(ms) = memory.settling(op, self.now(), self.config.settle_ms) {
            return Err(Stop::Running(ms));
        }
        let body = json!({ "volume": volume });
        let scope = Scope::Project(project.clone());
        let made = self
            .change_as(
                &scope,
                Service::Volume,
                Method::POST,
                "/volumes",
                Some(&body),
            )
            .await?;
        let it = inner(made, "volume", &["id"])?;
        memory.made(op, Kind::Volume, &ExternalId(text(&it, "id").to_owned()));
        Err(Stop::Running(self.config.poll_ms))
    }

    /// Attaches a volume. Asked again, it says how that stands: the volume itself tells to which
    /// server it goes, and its mark, which stands there before Nova is asked, for whom.
    pub async fn attach(
        &self,
        memory: &Memory,
        op: &OperationId,
        id: &ExternalId,
        to: &ExternalId,
    ) -> Flow<Settled> {
        let Some(it) = self.volume_value(id).await? else {
            return refuse(RefusalReason::NotFound, format!("no volume {id}"));
        };
        let ours = text(&it["metadata"], ACT) == op.as_str();
        match (server_of(&it), text(&it, "status")) {
            (Some(there), "in-use") if there == *to => return Ok(present(&it)),
            (Some(there), _) if there != *to => {
                let said = "the volume is attached to another server";
                return refuse(RefusalReason::Conflict, said);
            }
            (_, "available") if !ours => {}
            (_, "available") => {
                // What was lost may be on its way still.
                if let Some(ms) = memory.settling(op, self.now(), self.config.settle_ms) {
                    return Err(Stop::Running(ms));
                }
                // It was asked for and fell back: said once, so that the next attempt tries again.
                self.mark(id, "").await?;
                return refuse(
                    RefusalReason::Conflict,
                    "the volume was not attached after all",
                );
            }
            _ if is_busy(&it) && ours => {
                return Err(self.under_way(text(&it, "updated_at"), "attaching the volume"));
            }
            (_, status) => {
                return refuse(RefusalReason::Conflict, format!("the volume is {status}"));
            }
        }
        let host = self.calm_server(to).await?;
        let there = server(&host);
        let own = volume(&it);
        // What was taken in names no pool.
        let (theirs, ours) = (&there.spec.pool, &own.spec.pool);
        let other_pool = !theirs.0.is_empty() && !ours.0.is_empty() && theirs != ours;
        if there.spec.project != own.spec.project || other_pool {
            let said = "volume and server are of different projects or pools";
            return refuse(RefusalReason::InvalidSpec, said);
        }
        let path = format!("/servers/{to}/os-volume_attachments");
        let body = json!({ "volumeAttachment": { "volumeId": id } });
        self.mark(id, op.as_str()).await?;
        let asked = self.change(Service::Compute, Method::POST, &path, Some(&body));
        if let Err(fault) = asked.await {
            // Nova has not taken it: the next attempt asks anew.
            if !matches!(fault, Fault::Lost(_)) {
                self.mark_asked("volumes", id, "").await;
            }
            return Err(fault.into());
        }
        Err(Stop::Running(self.config.poll_ms))
    }

    async fn mark(&self, id: &ExternalId, op: &str) -> Answer<()> {
        self.note(id, ACT, op).await
    }

    /// Writes an entry into the metadata of a volume.
    pub(super) async fn note(&self, id: &ExternalId, key: &str, value: &str) -> Answer<()> {
        let body = json!({ "metadata": { key: value } });
        let path = format!("/volumes/{id}/metadata");
        self.change(Service::Volume, Method::POST, &path, Some(&body))
            .await?;
        Ok(())
    }

    /// Notes on a volume or snapshot what the cloud has just taken. What has gone meanwhile needs no
    /// note, and a note that is lost costs one round of asking.
    pub(super) async fn mark_asked(&self, kind: &str, id: &ExternalId, what: &str) {
        let body = json!({ "metadata": { ACT: what } });
        let path = format!("/{kind}/{id}/metadata");
        let asked = self.change(Service::Volume, Method::POST, &path, Some(&body));
        if let Err(fault) = asked.await {
            tracing::debug!(%id, ?fault, "no note of `{what}`");
        }
    }

    /// Makes a volume larger. Asked again, its size says how that stands.
    pub async fn extend(&self, id: &ExternalId, size_gb: u32) -> Flow<Settled> {
        let Some(it) = self.volume_value(id).await? else {
            return refuse(RefusalReason::NotFound, format!("no volume {id}"));
        };
        let has = volume(&it).spec.size_gb;
        if size_gb < has {
            return refuse(RefusalReason::InvalidSpec, "a volume never shrinks");
        }
        let asked = text(&it["metadata"], ACT) == EXTEND;
        match text(&it, "status") {
            "extending" => {
                return Err(self.under_way(text(&it, "updated_at"), "extending the volume"));
            }
            "available" | "in-use" if size_gb == has => {
                if asked {
                    self.mark(id, "").await?;
                }
                return Ok(present(&it));
            }
            // It was asked for and fell back: said once, so that the next attempt tries again.
            "available" | "in-use" if asked => {
                self.mark(id, "").await?;
                let said = "cinder found no room for the new size";
                return refuse(RefusalReason::NoCapacity, said);
            }
            "available" => {}
            "in-use" if self.extends_in_use().await? => {}
            "in-use" => {
                let said = "this Cinder extends only what is not attached (before 3.42)";
                return refuse(RefusalReason::Unsupported, said);
            }
            "error_extending" => {
                let said = "cinder could not extend the volume; reset its state";
                return refuse(RefusalReason::Conflict, said);
            }
            status => {
                return refuse(RefusalReason::Conflict, format!("the volume is {status}"));
            }
        }
        let path = format!("/volumes/{id}/action");
        let body = json!({ "os-extend": { "new_size": size_gb } });
        self.change(Service::Volume, Method::POST, &path, Some(&body))
            .await?;
        self.mark_asked("volumes", id, EXTEND).await;
        Err(Stop::Running(self.config.poll_ms))
    }

    /// Whether Cinder extends a volume that is attached: from 3.42 on.
    async fn extends_in_use(&self) -> Answer<bool> {
        let agreed = self.version(Service::Volume).await?;
        Ok(agreed.is_some_and(|agreed| extends_attached(&agreed)))
    }

    /// Detaches a volume from whatever it is attached to.
    pub async fn detach(&self, id: &ExternalId) -> Flow<Settled> {
        let Some(it) = self.volume_value(id).await? else {
            return refuse(RefusalReason::NotFound, format!("no volume {id}"));
        };
        match (server_of(&it), text(&it, "status")) {
            (_, "available" | "error") => return Ok(present(&it)),
            (_, "detaching") => {
                return Err(self.under_way(text(&it, "updated_at"), "detaching the volume"));
            }
            (Some(from), "in-use") => {
                let fell_back = text(&it["metadata"], ACT) == DETACH;
                let path = format!("/servers/{from}/os-volume_attachments/{id}");
                let asked = self.change(Service::Compute, Method::DELETE, &path, None);
                if optional(asked.await)?.is_none() {
                    let said = "cinder calls the volume attached, and nova knows nothing of it";
                    return refuse(RefusalReason::Conflict, said);
                }
                if fell_back {
                    let said = "nova could not detach the volume; asked again";
                    return refuse(RefusalReason::Conflict, said);
                }
                self.mark_asked("volumes", id, DETACH).await;
            }
            // What hangs on nothing needs no detaching, whatever else becomes of it: each run of a
            // release begins with this, also where Cinder is deleting the volume, or could not.
            (None, status) if !["in-use", "attaching", "reserved"].contains(&status) => {
                return Ok(present(&it));
            }
            (_, status) => {
                return refuse(RefusalReason::Conflict, format!("the volume is {status}"));
            }
        }
        Err(Stop::Running(self.config.poll_ms))
    }

    /// Deletes a volume that is not attached.
    pub async fn delete_volume(&self, id: &ExternalId) -> Flow<Settled> {
        let Some(it) = self.volume_value(id).await? else {
            return Ok(Settled::Gone);
        };
        match text(&it, "status") {
            "deleting" => {
                return Err(self.wiping(&it, "deleting the volume"));
            }
            // Cinder deletes it when nothing is written to it any more.
            "restoring-backup" => {
                return Err(self.wiping(&it, "restoring the backup"));
            }
            "in-use" | "attaching" | "detaching" | "reserved" => {
                return refuse(RefusalReason::Conflict, "the volume is attached");
            }
            "error_deleting" => {
                // Cinder deletes such a one only when it is made to.
                let path = format!("/volumes/{id}/action");
                let body = json!({ "os-force_delete": {} });
                let asked = self.change(Service::Volume, Method::POST, &path, Some(&body));
                optional(asked.await)?;
                return refuse(RefusalReason::Conflict, snapshots::NOT_DELETED);
            }
            _ => {
                // What is busy in the storage falls back to where it was before.
                let fell_back = text(&it["metadata"], ACT) == snapshots::DELETE;
                let path = format!("/volumes/{id}");
                optional(
                    self.change(Service::Volume, Method::DELETE, &path, None)
                        .await,
                )?;
                if fell_back {
                    return refuse(RefusalReason::Conflict, snapshots::NOT_DELETED);
                }
                self.mark_asked("volumes", id, snapshots::DELETE).await;
            }
        }
        Err(Stop::Running(self.config.poll_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_disk_is_one_while_its_image_is_copied_and_after_that_broke_off() {
        let of = |status: &str, bootable: &str, op: &str| {
            let it = json!({ "status": status, "bootable": bootable, "attachments": [],
                "metadata": { META_OP: op }, "created_at": "2026-01-01T00:00:00.000000" });
            is_system_disk(&it, 1_800_000_000_000)
        };
        for status in ["reserved", "downloading", "attaching", "error"] {
            assert!(of(status, "true", ""), "{status}");
            // Ours, or one that no server starts from.
            assert!(!of(status, "true", "op") && !of(status, "false", ""));
        }
        for status in ["available", "error_deleting"] {
            assert!(!of(status, "true", ""), "{status}");
        }
    }

    #[test]
    fn what_was_made_in_the_cloud_itself_is_of_the_one_class_that_has_its_type() {
        let types = [("ssd", "fast"), ("sas", "slow"), ("sata", "slow")];
        let types = types.map(|(class, name)| (class.to_owned(), name.to_owned()));
        let class = |there: &str| {
            let it = json!({ "id": "v", "volume_type": there, "metadata": {} });
            volume_in(&it, &types.clone().into()).spec.volume_type
        };
        assert_eq!(class("fast").as_deref(), Some("ssd"));
        for silent in ["slow", "other", ""] {
            assert_eq!(class(silent), None, "{silent}");
        }
    }

    #[test]
    fn what_is_attached_grows_from_cinder_3_42_on() {
        assert!(extends_attached("3.42") && extends_attached("3.70"));
        assert!(!extends_attached("3.41") && !extends_attached("3.9") && !extends_attached(""));
    }
}
