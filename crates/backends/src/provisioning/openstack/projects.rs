//! Projects and their limits.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, inner, items, list, text},
    fault::{Answer, Fault, Flow, optional, refuse},
    keystone::Scope,
    op::{MARK, META_OP, READY, TAG, tag},
    version::Service,
};
use crate::provisioning::{
    ExternalId, Object, OperationId, Project, ProjectQuota, ProjectSpec, Refusal, RefusalReason,
    Settled,
};

/// What each project that is read must have.
const FIELDS: &[&str] = &["id", "name"];
/// No limit, as the services write it.
const NO_LIMIT: i64 = -1;

fn project(it: &Value, quota: ProjectQuota) -> Object {
    Object::Project(Project {
        id: ExternalId(text(it, "id").to_owned()),
        spec: ProjectSpec {
            key: text(it, "name").to_owned(),
            name: text(it, "description").to_owned(),
        },
        quota,
        operation: OperationId(text(it, META_OP).to_owned()),
    })
}

/// Under which name the cache keeps a project that is set up.
fn kept_as(key: &str) -> String {
    format!("project {key}")
}

fn has_tag(it: &Value, tag: &str) -> bool {
    items(it, "tags").iter().any(|one| one == tag)
}

/// Whether the portal made it. The mark alone says nothing: operators set it on old projects, so that
/// the portal sees what stands in them.
fn is_made_here(it: &Value) -> bool {
    let of_operation = |tag: &Value| tag.as_str().is_some_and(|tag| tag.starts_with(TAG));
    !text(it, META_OP).is_empty() || items(it, "tags").iter().any(of_operation)
}

impl Cloud {
    /// The id of the domain in which projects are made.
    pub async fn domain_id(&self) -> Answer<String> {
        let wanted = &self.config.domain;
        if wanted == "default" {
            return Ok(wanted.clone());
        }
        let key = format!("domain {wanted}");
        if let Some(Value::String(id)) = self.cache.get(&key, self.now()) {
            return Ok(id);
        }
        let found = self
            .get(Service::Identity, "/domains", &[("name", wanted)])
            .await?;
        let id = match list(&found, "domains", &["id"])?.first() {
            Some(domain) => text(domain, "id").to_owned(),
            None => {
                let one = self
                    .get(Service::Identity, &format!("/domains/{wanted}"), &[])
                    .await?;
                text(&inner(one, "domain", &["id"])?, "id").to_owned()
            }
        };
        self.cache.put(&key, self.now(), &json!(id));
        Ok(id)
    }

    /// The id of the role that the portal's user takes in each project.
    pub async fn role_id(&self) -> Answer<String> {
        let wanted = &self.config.role;
        let key = format!("role {wanted}");
        if let Some(Value::String(id)) = self.cache.get(&key, self.now()) {
            return Ok(id);
        }
        let found = self
            .get(Service::Identity, "/roles", &[("name", wanted)])
            .await?;
        let Some(role) = list(&found, "roles", &["id"])?.first() else {
            let said = format!("keystone has no role called {wanted}");
            return Err(Refusal::new(RefusalReason::Denied, said).into());
        };
        let id = text(role, "id").to_owned();
        self.cache.put(&key, self.now(), &json!(id));
        Ok(id)
    }

    async fn project_by_key(&self, key: &str) -> Answer<Option<Value>> {
        let domain = self.domain_id().await?;
        let query = [("name", key), ("domain_id", domain.as_str())];
        let found = self.get(Service::Identity, "/projects", &query).await?;
        Ok(list(&found, "projects", FIELDS)?.first().cloned())
    }

    /// A project; `None` if it is not there.
    pub async fn project_value(&self, id: &ExternalId) -> Answer<Option<Value>> {
        let path = format!("/projects/{id}");
        let found = optional(self.get(Service::Identity, &path, &[]).await)?;
        found
            .map(|answer| inner(answer, "project", &["id"]))
            .transpose()
    }

    /// A project with its limits. Its key is empty if [`Self::ensure_project`] would not find it by its
    /// name, because it is of another domain, or if it is the portal's own.
    pub async fn get_project(&self, id: &ExternalId) -> Answer<Option<Object>> {
        let Some(mut it) = self.project_value(id).await? else {
            return Ok(None);
        };
        let foreign = text(&it, "domain_id") != self.domain_id().await?;
        if foreign || self.token(&Scope::Portal).await?.project == *id.0 {
            it["name"] = json!("");
        }
        Ok(Some(project(&it, self.quota(id).await?)))
    }

    /// The portal's projects without their limits: those would be three requests each.
    pub async fn projects(&self, tag: &str) -> Answer<Vec<Object>> {
        let found = self.tagged(tag).await?;
        let all = found.iter();
        Ok(all.map(|it| project(it, ProjectQuota::default())).collect())
    }

    /// The project that an operation has made, once it is set up: it carries the operation from the
    /// first request on, and before the last one nothing can be made in it.
    pub async fn project_of(&self, op: &OperationId) -> Answer<Option<Object>> {
        let found = self.tagged(&tag(op)).await?;
        let own = |it: &&Value| text(it, META_OP) == op.as_str() && has_tag(it, READY);
        let it = found.iter().find(own);
        Ok(it.map(|it| project(it, ProjectQuota::default())))
    }

    async fn tagged(&self, tag: &str) -> Answer<Vec<Value>> {
        let found = self
            .get(Service::Identity, "/projects", &[("tags", tag)])
            .await?;
        // Keystone leaves out what goes beyond its own limit; whose project is left out would be gone.
        if found["truncated"] == true {
            let said = "keystone lists only some of the projects: raise list_limit in [resource]";
            return Err(Fault::NotSent(said.into()));
        }
        Ok(list(&found, "projects", FIELDS)?.to_vec())
    }

    /// A project by its key, made if it is not there. Keystone keeps names apart, so there is never
    /// a second one.
    pub async fn ensure_project(&self, op: &OperationId, spec: ProjectSpec) -> Flow<Settled> {
        if spec.key.is_empty() || spec.key.chars().count() > 64 {
            return refuse(RefusalReason::InvalidSpec, "a key has 1 to 64 letters");
        }
        // The machines of one order ask for their project one after the other.
        let key = kept_as(&spec.key);
        if let Some(kept) = self.cache.get(&key, self.now())
            && let Ok(there) = serde_json::from_value::<Project>(kept)
        {
            return Ok(Settled::Present(Box::new(Object::Project(there))));
        }
        let found = match self.project_by_key(&spec.key).await? {
            Some(it) => it,
            None => self.make_project(op, &spec).await?,
        };
        let id = ExternalId(text(&found, "id").to_owned());
        if !has_tag(&found, READY) {
            self.set_up_project(op, &id, &found).await?;
        }
        let there = self.get_project(&id).await?;
        let there = there.ok_or_else(|| Fault::Lost("the project has gone again".into()))?;
        if let Object::Project(project) = &there {
            self.cache.put(&key, self.now(), &json!(project));
        }
        Ok(Settled::Present(Box::new(there)))
    }

    async fn make_project(&self, op: &OperationId, spec: &ProjectSpec) -> Flow<Value> {
        let mut it = json!({
            "name": spec.key,
            "description": spec.name,
            "domain_id": self.domain_id().await?,
            "tags": [MARK, tag(op)],
        });
        it[META_OP] = json!(op);
        let body = json!({ "project": it });
        match self
            .change(Service::Identity, Method::POST, "/projects", Some(&body))
            .await
        {
            Ok(answer) => Ok(inner(answer, "project", &["id"])?),
            // Somebody was faster.
            Err(fault) if fault.reason() == Some(RefusalReason::Conflict) => self
                .project_by_key(&spec.key)
                .await?
                .ok_or_else(|| fault.into()),
            Err(fault) => Err(fault.into()),
        }
    }

    /// The portal's rights in it, then no limits: the portal keeps them itself until it sets some.
    async fn set_up_project(&self, op: &OperationId, id: &ExternalId, it: &Value) -> Answer<()> {
        let role = self.role_id().await?;
        let user = self.token(&Scope::Portal).await?.user.clone();
        let path = format!("/projects/{id}/users/{user}/roles/{role}");
        self.change(Service::Identity, Method::PUT, &path, None)
            .await?;
        // One that was not made here keeps the limits that somebody gave it, until the portal writes its
        // own figures.
        if is_made_here(it) {
            self.write_quota(id, ProjectQuota::default()).await?;
        }
        let own = tag(op);
        let mut tags: Vec<&str> = items(it, "tags").iter().filter_map(Value::as_str).collect();
        tags.extend([MARK, READY]);
        if text(it, META_OP).is_empty() {
            tags.push(&own);
        }
        tags.sort_unstable();
        tags.dedup();
        let path = format!("/projects/{id}/tags");
        let body = json!({ "tags": tags });
        self.change(Service::Identity, Method::PUT, &path, Some(&body))
            .await?;
        Ok(())
    }

    /// Sets a project's limits in the three services that keep them and reads them back.
    pub async fn set_quota(&self, id: &ExternalId, quota: ProjectQuota) -> Flow<Settled> {
        let Some(it) = self.project_value(id).await? else {
            return refuse(RefusalReason::NotFound, format!("no project {id}"));
        };
        self.cache.forget(&kept_as(text(&it, "name")));
        self.write_quota(id, quota).await?;
        let kept = self.quota(id).await?;
        if kept != quota {
            let said = format!("the cloud keeps other limits than asked: {kept:?}");
            return refuse(RefusalReason::Denied, said);
        }
        Ok(Settled::Present(Box::new(project(&it, kept))))
    }

    async fn write_quota(&self, id: &ExternalId, quota: ProjectQuota) -> Answer<()> {
        let number = |limit: Option<u64>, unit: i64| {
            limit.map_or(NO_LIMIT, |n| {
                i64::try_from(n).unwrap_or(i64::MAX).saturating_mul(unit)
            })
        };
        let nova = json!({ "quota_set": {
            "cores": number(quota.vcpus, 1),
            "ram": number(quota.memory_gb, 1_024),
            // Counted in cores alone: the cloud's default of ten servers would come before them.
            "instances": NO_LIMIT,
            // A limit may be set below what is in use; it then blocks what is new.
            "force": true,
        }});
        let cinder = json!({ "quota_set": {
            "gigabytes": number(quota.disk_gb, 1), "volumes": NO_LIMIT, "snapshots": NO_LIMIT,
            // The portal counts what its plans keep by itself; ten and a terabyte are the defaults.
            "backups": NO_LIMIT, "backup_gigabytes": NO_LIMIT,
        }});
        let neutron = json!({ "quota": {
            "floatingip": number(quota.addresses, 1), "port": NO_LIMIT,
            // Each preset is a group of the project's own; their rules would soon be a hundred.
            "security_group": NO_LIMIT, "security_group_rule": NO_LIMIT,
        }});
        let sets = format!("/os-quota-sets/{id}");
        let quotas = format!("/quotas/{id}");
        self.change(Service::Compute, Method::PUT, &sets, Some(&nova))
            .await?;
        self.change(Service::Volume, Method::PUT, &sets, Some(&cinder))
            .await?;
        self.change(Service::Network, Method::PUT, &quotas, Some(&neutron))
            .await?;
        Ok(())
    }

    /// Writes one limit of the portal's own project in each service as it stands there: whether the
    /// portal's user may write limits.
    pub async fn try_quota(&self) -> Answer<Vec<(Service, Answer<()>)>> {
        let own = self.token(&Scope::Portal).await?.project.clone();
        let (sets, quotas) = (format!("/os-quota-sets/{own}"), format!("/quotas/{own}"));
        let mut tried = Vec::new();
        for (service, path, set, key) in [
            (Service::Compute, &sets, "quota_set", "cores"),
            (Service::Volume, &sets, "quota_set", "gigabytes"),
            (Service::Network, &quotas, "quota", "floatingip"),
        ] {
            tried.push((service, self.write_again(service, path, set, key).await));
        }
        Ok(tried)
    }

    async fn write_again(&self, service: Service, path: &str, set: &str, key: &str) -> Answer<()> {
        let found = self.get(service, path, &[]).await?;
        let Some(limit) = found[set][key].as_i64() else {
            let said = format!("an answer without `{set}.{key}`");
            return Err(Fault::NotSent(said));
        };
        let mut body = json!({ set: { key: limit } });
        if service == Service::Compute {
            // It may be below what is in use.
            body[set]["force"] = json!(true);
        }
        self.change(service, Method::PUT, path, Some(&body)).await?;
        Ok(())
    }

    /// The limits of a project as the services keep them.
    pub async fn quota(&self, id: &ExternalId) -> Answer<ProjectQuota> {
        let sets = format!("/os-quota-sets/{id}");
        let quotas = format!("/quotas/{id}");
        let (nova, cinder, neutron) = tokio::join!(
            self.get(Service::Compute, &sets, &[]),
            self.get(Service::Volume, &sets, &[]),
            self.get(Service::Network, &quotas, &[]),
        );
        let (nova, cinder, neutron) = (nova?, cinder?, neutron?);
        // Less than nothing is no limit; what is not told is not known.
        let limit = |answer: &Value, set: &str, key: &str| match answer[set][key].as_i64() {
            Some(number) => Ok(u64::try_from(number).ok()),
            None => Err(Fault::NotSent(format!("an answer without `{set}.{key}`"))),
        };
        Ok(ProjectQuota {
            vcpus: limit(&nova, "quota_set", "cores")?,
            memory_gb: limit(&nova, "quota_set", "ram")?.map(|mb| mb / 1_024),
            disk_gb: limit(&cinder, "quota_set", "gigabytes")?,
            addresses: limit(&neutron, "quota", "floatingip")?,
        })
    }
}
