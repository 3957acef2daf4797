//! Servers: finding, making and deleting them.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    access,
    client::{Cloud, inner, list, text},
    fallen::is_given_up,
    fault::{Answer, Fault, Flow, Stop, of_build, optional, refuse},
    keystone::Scope,
    names::Place,
    networks::oldest_first,
    op::{MARK, META_OP, Memory, tag},
    server::{FIELDS, META_CALL, call, has_password, is_deleted, metadata, power, server},
    version::Service,
};
use crate::provisioning::{
    Access, ExternalId, Kind, Object, OperationId, Power, Refusal, RefusalReason, Secret,
    ServerSize, ServerSpec, Settled,
};

/// Why there are no passwords.
const NO_SECRET: &str = "one-time passwords need backends.….secret_file";

/// Whether nobody inside the server takes the order. Nova says "conflict" to that too, as to a server
/// between two states or a locked one; those words are its own.
fn is_no_agent(refusal: &Refusal) -> bool {
    let passes = ["while it is in", "is locked", "is not running"];
    match refusal.reason {
        RefusalReason::Unsupported => true,
        RefusalReason::Conflict => !passes.iter().any(|word| refusal.detail.contains(word)),
        _ => false,
    }
}

/// Whether a server is deleted and an administrator could call it back still, for as long as the
/// cloud is set to (`reclaim_instance_interval`).
fn can_be_called_back(it: &Value) -> bool {
    text(it, "status") == "SOFT_DELETED"
}

impl Cloud {
    /// A server; `None` if it is not there.
    pub async fn server_value(&self, id: &ExternalId) -> Answer<Option<Value>> {
        Ok(self.server_kept(id).await?.filter(|it| !is_deleted(it)))
    }

    /// A server, also one that is deleted and that Nova keeps for its own sake.
    async fn server_kept(&self, id: &ExternalId) -> Answer<Option<Value>> {
        let path = format!("/servers/{id}");
        let found = optional(self.get(Service::Compute, &path, &[]).await)?;
        found.map(|it| inner(it, "server", FIELDS)).transpose()
    }

    /// The server of an operation, found by its tag; of doubles the oldest stays, the others are
    /// deleted. `known` is one that was read just now.
    pub async fn server_of(&self, op: &OperationId, known: Option<Value>) -> Answer<Option<Value>> {
        let tag = tag(op);
        let query = [("all_tenants", "1"), ("tags", tag.as_str())];
        // Names alone: for details Nova asks Neutron about each server.
        let found = self.get(Service::Compute, "/servers", &query).await?;
        let mut all = Vec::new();
        for it in list(&found, "servers", &["id"])? {
            let id = text(it, "id");
            let it = match &known {
                Some(known) if text(known, "id") == id => Some(known.clone()),
                _ => self.server_value(&ExternalId(id.to_owned())).await?,
            };
            all.extend(it.filter(|it| text(&it["metadata"], META_OP) == op.as_str()));
        }
        oldest_first(&mut all);
        for double in all.iter().skip(1) {
            tracing::warn!(operation = %op, server = text(double, "id"), "a double is deleted");
            let path = format!("/servers/{}", text(double, "id"));
            optional(
                self.change(Service::Compute, Method::DELETE, &path, None)
                    .await,
            )?;
        }
        Ok(all.into_iter().next())
    }

    /// The password that an operation gave, if it gave one.
    pub(super) fn password(&self, op: &OperationId) -> Option<Secret> {
        let secret = self.config.password_secret.as_ref()?;
        Some(access::password(secret, op))
    }

    /// The password that an operation gives by a way in, if that is one.
    pub(super) fn password_for(&self, access: &Access, op: &OperationId) -> Flow<Option<Secret>> {
        match (access, self.password(op)) {
            (Access::SshKeys(_), _) => Ok(None),
            (Access::OneTimePassword, Some(password)) => Ok(Some(password)),
            (Access::OneTimePassword, None) => refuse(RefusalReason::Unsupported, NO_SECRET),
        }
    }

    /// A server for its maker: with its password, while that opens it.
    pub fn for_maker(&self, it: &Value) -> Object {
        let mut server = server(it);
        if has_password(it) && server.installed_by.is_none() {
            server.one_time_password = self.password(&server.operation);
        }
        Object::Server(server)
    }

    /// How the making of a server stands.
    pub async fn built(&self, memory: &Memory, it: &Value) -> Flow<Settled> {
        // It is being taken away, whatever becomes of it before it is gone.
        if is_given_up(memory, it) {
            return Err(Stop::Running(self.config.poll_ms));
        }
        match power(it) {
            Power::Error => Err(self.fallen(memory, it).await),
            Power::Building => Err(self.under_way(text(it, "created"), "building the server")),
            _ => Ok(Settled::Present(Box::new(self.for_maker(it)))),
        }
    }

    /// Why a server came to nothing, in the cloud's words.
    pub fn build_fault(&self, it: &Value) -> Refusal {
        let said = text(&it["fault"], "message");
        of_build(if said.is_empty() {
            "the server is in an error state"
        } else {
            said
        })
    }

    /// The server of an operation. While one that this process has made is being built, that one is
    /// read and nothing else; once it stands, doubles are looked for.
    pub async fn newest_of(&self, memory: &Memory, op: &OperationId) -> Answer<Option<Value>> {
        let known = match memory.what(op).filter(|it| it.kind == Kind::Server) {
            Some(made) => self.server_value(&made.id).await?,
            None => None,
        };
        match known {
            Some(it) if power(&it) == Power::Building => Ok(Some(it)),
            known => self.server_of(op, known).await,
        }
    }

    /// Makes a server.
    pub async fn create_server(
        &self,
        memory: &Memory,
        op: &OperationId,
        spec: ServerSpec,
    ) -> Flow<Settled> {
        let asked = call(&spec);
        if let Some(made) = memory.what(op)
            && let Some(stop) = self.still_building(&made.id, Some(&asked)).await
        {
            return Err(stop);
        }
        if let Some(it) = self.newest_of(memory, op).await? {
            if text(&it["metadata"], META_CALL) != asked {
                let said = "this operation id stands for another call";
                return refuse(RefusalReason::Conflict, said);
            }
            let id = ExternalId(text(&it, "id").to_owned());
            if self.goes(memory, &it).await? {
                // Its volume goes with it, and its part of the quota is free for the next.
                memory.fell(op, &id);
                let (state, why) = (text(&it, "status"), text(&it["fault"], "message"));
                tracing::warn!(operation = %op, server = %id, state, why, "a server fell with a service of the cloud and is built anew");
                self.delete_server(&id).await?;
                return Err(Stop::Running(self.config.poll_ms));
            }
            memory.made(op, Kind::Server, &id);
            if power(&it) == Power::Building {
                let since = self.since(text(&it, "created"));
                self.wait_for(&id, since, asked).await;
            }
            return self.built(memory, &it).await;
        }
        if let Some(made) = memory.what(op) {
            // The list may lag behind the answer that named it.
            return match self.server_value(&made.id).await? {
                Some(it) => self.built(memory, &it).await,
                None => Ok(Settled::Gone),
            };
        }
        // Before the body too: the answer that was lost may be that of the preset's group.
        if let Some(ms) = memory.settling(op, self.now(), self.config.settle_ms) {
            return Err(Stop::Running(ms));
        }
        let body = self.server_body(memory, op, &spec).await?;
        let scope = Scope::Project(spec.project.clone());
        let made = self
            .change_as(
                &scope,
                Service::Compute,
                Method::POST,
                "/servers",
                Some(&body),
            )
            .await?;
        let id = ExternalId(text(&inner(made, "server", &["id"])?, "id").to_owned());
        memory.made(op, Kind::Server, &id);
        self.wait_for(&id, self.now(), asked).await;
        Err(Stop::Running(self.config.poll_ms))
    }

    /// The request; everything that can be refused is refused here, before anything is made.
    async fn server_body(
        &self,
        memory: &Memory,
        op: &OperationId,
        spec: &ServerSpec,
    ) -> Flow<Value> {
        use RefusalReason::InvalidSpec;
        if spec.vcpus == 0 || spec.memory_gb == 0 || spec.system_disk_gb == 0 {
            return refuse(InvalidSpec, "a size of nothing");
        }
        access::check(&spec.access)?;
        let Some(zone) = self.config.zone(spec.pool.as_str()) else {
            return refuse(RefusalReason::NotFound, format!("no pool {}", spec.pool));
        };
        let password = self.password_for(&spec.access, op)?;
        let size = ServerSize {
            vcpus: spec.vcpus,
            memory_gb: spec.memory_gb,
        };
        let place = Place::in_zone(&self.config, zone, spec.arch());
        let (image, flavour, network) = tokio::try_join!(
            self.image(place, &spec.image),
            self.flavour(place, size, spec.flavour.as_deref(), 0),
            self.network_owner(&spec.network),
        )?;
        match network {
            Some(owner) if owner == spec.project.as_str() => {}
            Some(_) => return refuse(InvalidSpec, "the network is another project's"),
            None => {
                return refuse(
                    RefusalReason::NotFound,
                    format!("no network {}", spec.network),
                );
            }
        }
        let mut disk = json!({
            "boot_index": 0,
            "uuid": image,
            "source_type": "image",
            "destination_type": "volume",
            "volume_size": spec.system_disk_gb,
            "delete_on_termination": true,
        });
        if !zone.system_volume_type.is_empty() {
            // Nova takes it from 2.67 on; an older one takes the default type.
            if self.nova_minor().await? >= 67 {
                disk["volume_type"] = json!(zone.system_volume_type);
            }
        }
        let text = access::user_data(&spec.access, password.as_ref(), spec.user_data.as_ref())?;
        let mut server = json!({
            "name": spec.name,
            "flavorRef": flavour,
            "networks": [{ "uuid": spec.network }],
            "block_device_mapping_v2": [disk],
            "metadata": metadata(op, spec),
            "tags": [MARK, tag(op)],
            "user_data": text,
        });
        if !zone.zone.is_empty() {
            server["availability_zone"] = json!(zone.zone);
        }
        if let Some(preset) = &spec.security_preset {
            let group = self.ensure_group(memory, &spec.project, preset).await?;
            server["security_groups"] = json!([{ "name": group }]);
        }
        if let Some(password) = &password {
            // For guests that ask Nova's agent or config drive instead of cloud-init.
            server["adminPass"] = json!(password.0);
        }
        Ok(json!({ "server": server }))
    }

    /// Deletes a server, and what Nova leaves of the disk from which it starts. Nova detaches its other
    /// disks, and Neutron takes addresses off the port that goes with it.
    pub async fn delete_server(&self, id: &ExternalId) -> Flow<Settled> {
        let found = self.server_kept(id).await?;
        if let Some(it) = found.as_ref().filter(|it| text(it, "status") != "DELETED") {
            self.mark_disks(it).await?;
        }
        if found.as_ref().is_some_and(can_be_called_back) {
            // What is to be gone must be gone.
            self.ask(id, &json!({ "forceDelete": null })).await?;
            return Err(Stop::Running(1_000));
        }
        let Some(it) = found.filter(|it| !is_deleted(it)) else {
            return self.gone(id).await;
        };
        let mut failed = false;
        if text(&it, "OS-EXT-STS:task_state") != "deleting" {
            failed = optional(self.delete_failed(id).await)?.unwrap_or(false);
            let path = format!("/servers/{id}");
            optional(
                self.change(Service::Compute, Method::DELETE, &path, None)
                    .await,
            )?;
        }
        let left = self.server_kept(id).await?;
        if left.as_ref().is_some_and(can_be_called_back) {
            return Err(Stop::Running(1_000));
        }
        match left.filter(|it| !is_deleted(it)) {
            None => self.gone(id).await,
            // Asked again, and said: waiting would have no end, and no operator would hear of it.
            Some(_) if failed => refuse(
                RefusalReason::Conflict,
                "nova could not delete the server; asked again",
            ),
            Some(it) => Err(self.under_way(text(&it, "updated"), "deleting the server")),
        }
    }

    /// Clears up after a server that is gone.
    async fn gone(&self, id: &ExternalId) -> Flow<Settled> {
        self.delete_disks(id).await?;
        self.drop_rules(id).await?;
        Ok(Settled::Gone)
    }

    /// A server that is not between two states.
    pub async fn calm_server(&self, id: &ExternalId) -> Flow<Value> {
        let Some(it) = self.server_value(id).await? else {
            return refuse(RefusalReason::NotFound, format!("no server {id}"));
        };
        match power(&it) {
            Power::Active | Power::Stopped => Ok(it),
            Power::Error => refuse(RefusalReason::Conflict, "the server is in an error state"),
            Power::Building | Power::Changing => {
                refuse(RefusalReason::Conflict, "the server is between two states")
            }
        }
    }

    /// Sets a new password for the administrator of a running server, and tells it. It follows from
    /// the operation: asked for again after a lost answer it is the same one.
    pub async fn renew_password(&self, op: &OperationId, id: &ExternalId) -> Flow<Settled> {
        let Some(password) = self.password(op) else {
            return refuse(RefusalReason::Unsupported, NO_SECRET);
        };
        let it = self.calm_server(id).await?;
        if power(&it) != Power::Active {
            return refuse(RefusalReason::Conflict, "the server does not run");
        }
        let body = json!({ "changePassword": { "adminPass": password.0 } });
        match self.ask(id, &body).await {
            Err(Fault::Refused(refusal)) if is_no_agent(&refusal) => {
                return refuse(RefusalReason::NoAgent, refusal.detail);
            }
            answer => answer?,
        };
        let mut server = server(&it);
        server.one_time_password = Some(password);
        Ok(Settled::Present(Box::new(Object::Server(server))))
    }

    /// A console in the browser, for as long as the cloud lets the link live.
    ///
    /// # Errors
    /// [`RefusalReason::Conflict`] if the server does not run.
    pub async fn console(&self, id: &ExternalId) -> Answer<Secret> {
        let body = json!({ "remote_console": { "protocol": "vnc", "type": "novnc" } });
        let path = format!("/servers/{id}/remote-consoles");
        let made = self
            .change(Service::Compute, Method::POST, &path, Some(&body))
            .await?;
        let console = inner(made, "remote_console", &["url"])?;
        Ok(Secret(text(&console, "url").to_owned()))
    }
}
