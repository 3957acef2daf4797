//! Backup plans. No service of OpenStack's base set keeps schedules: a plan is a note on its server,
//! an entry of the metadata and a tag by which the server is found, and whoever wrote it makes the
//! backups. So a plan is read, changed, missed and deleted like everything else that stands in the
//! cloud, and goes with its server.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, list, text},
    fault::{Answer, Flow, optional, refuse},
    op::{META, Memory, TAG, tag},
    version::Service,
};
use crate::provisioning::{
    BackupPlan, BackupPlanSpec, ExternalId, Kind, Object, OperationId, RefusalReason, Settled,
};

/// Begins the entries of plans; the digits of the operation's tag follow.
const PLAN: &str = "plan_";

fn key(digits: &str) -> String {
    format!("{META}{PLAN}{digits}")
}

fn digits(op: &OperationId) -> String {
    tag(op).trim_start_matches(TAG).to_owned()
}

/// The server of a plan, and the digits of its operation.
fn split(id: &ExternalId) -> Option<(ExternalId, &str)> {
    let (server, digits) = id.as_str().split_once('.')?;
    let hex = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| (ExternalId(server.to_owned()), digits))
}

/// An entry: hours, days, and the operation.
fn entry(every_hours: u32, keep_days: u32, op: &OperationId) -> String {
    format!("{every_hours} {keep_days} {op}")
}

/// The plans of a server, in the order of their ids.
pub(super) fn plans(server: &Value) -> Vec<BackupPlan> {
    let meta = server["metadata"].as_object().into_iter().flatten();
    let plan = |(key, value): (&String, &Value)| {
        let digits = key.strip_prefix(META)?.strip_prefix(PLAN)?;
        let mut parts = value.as_str()?.splitn(3, ' ');
        let (hours, days) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let target = ExternalId(text(server, "id").to_owned());
        Some(BackupPlan {
            id: ExternalId(format!("{target}.{digits}")),
            spec: BackupPlanSpec {
                project: ExternalId(text(server, "tenant_id").to_owned()),
                target,
                every_hours: hours,
                keep_days: days,
            },
            operation: OperationId(parts.next()?.to_owned()),
        })
    };
    meta.filter_map(plan).collect()
}

fn present(plan: BackupPlan) -> Settled {
    Settled::Present(Box::new(Object::BackupPlan(plan)))
}

impl Cloud {
    /// A plan; `None` if it is not there.
    pub async fn plan_value(&self, id: &ExternalId) -> Answer<Option<BackupPlan>> {
        let Some((server, _)) = split(id) else {
            return Ok(None);
        };
        let found = self.server_value(&server).await?;
        let all = found.as_ref().map(plans).unwrap_or_default();
        Ok(all.into_iter().find(|plan| plan.id == *id))
    }

    /// The plan of an operation.
    pub async fn plan_of(&self, op: &OperationId) -> Answer<Option<BackupPlan>> {
        let tag = tag(op);
        let query = [("all_tenants", "1"), ("tags", tag.as_str())];
        let found = self.get(Service::Compute, "/servers", &query).await?;
        for it in list(&found, "servers", &["id"])? {
            let id = ExternalId(text(it, "id").to_owned());
            let server = self.server_value(&id).await?;
            let all = server.as_ref().map(plans).unwrap_or_default();
            if let Some(plan) = all.into_iter().find(|plan| plan.operation == *op) {
                return Ok(Some(plan));
            }
        }
        Ok(None)
    }

    /// Makes a plan. Written twice it is one: its place follows from its operation.
    pub async fn create_plan(
        &self,
        memory: &Memory,
        op: &OperationId,
        spec: BackupPlanSpec,
    ) -> Flow<Settled> {
        if let Some(plan) = self.plan_of(op).await? {
            if (&plan.spec.target, &plan.spec.project) != (&spec.target, &spec.project) {
                let said = "this operation id stands for another call";
                return refuse(RefusalReason::Conflict, said);
            }
            memory.made(op, Kind::BackupPlan, &plan.id);
            return Ok(present(plan));
        }
        if memory.what(op).is_some() {
            return Ok(Settled::Gone);
        }
        check(spec.every_hours, spec.keep_days)?;
        match self.server_value(&spec.target).await? {
            Some(it) if text(&it, "tenant_id") == spec.project.as_str() => {}
            Some(_) => {
                return refuse(
                    RefusalReason::InvalidSpec,
                    "the server is another project's",
                );
            }
            None => return refuse(RefusalReason::NotFound, "nothing to back up"),
        }
        // The tag first: what is written can then be found.
        let path = format!("/servers/{}/tags/{}", spec.target, tag(op));
        self.change(Service::Compute, Method::PUT, &path, None)
            .await?;
        let digits = digits(op);
        self.write_plan(
            &spec.target,
            &digits,
            &entry(spec.every_hours, spec.keep_days, op),
        )
        .await?;
        let id = ExternalId(format!("{}.{digits}", spec.target));
        memory.made(op, Kind::BackupPlan, &id);
        Ok(present(BackupPlan {
            id,
            spec,
            operation: op.clone(),
        }))
    }

    async fn write_plan(&self, server: &ExternalId, digits: &str, entry: &str) -> Answer<()> {
        let path = format!("/servers/{server}/metadata");
        let mut meta = serde_json::Map::new();
        meta.insert(key(digits), json!(entry));
        let body = json!({ "metadata": meta });
        self.change(Service::Compute, Method::POST, &path, Some(&body))
            .await?;
        Ok(())
    }

    /// Lets a plan run otherwise.
    pub async fn change_plan(
        &self,
        id: &ExternalId,
        every_hours: u32,
        keep_days: u32,
    ) -> Flow<Settled> {
        let Some(mut plan) = self.plan_value(id).await? else {
            return refuse(RefusalReason::NotFound, format!("no backup plan {id}"));
        };
        check(every_hours, keep_days)?;
        (plan.spec.every_hours, plan.spec.keep_days) = (every_hours, keep_days);
        if let Some((server, digits)) = split(id) {
            let entry = entry(every_hours, keep_days, &plan.operation);
            self.write_plan(&server, digits, &entry).await?;
        }
        Ok(present(plan))
    }

    /// Deletes a plan.
    pub async fn delete_plan(&self, id: &ExternalId) -> Flow<Settled> {
        let Some((server, digits)) = split(id) else {
            return Ok(Settled::Gone);
        };
        if self.plan_value(id).await?.is_none() {
            return Ok(Settled::Gone);
        }
        // The tag first: while the entry stands, it is clear that something is left to do.
        for path in [
            format!("tags/{TAG}{digits}"),
            format!("metadata/{}", key(digits)),
        ] {
            let path = format!("/servers/{server}/{path}");
            let asked = self.change(Service::Compute, Method::DELETE, &path, None);
            optional(asked.await)?;
        }
        Ok(Settled::Gone)
    }
}

fn check(every_hours: u32, keep_days: u32) -> Flow<()> {
    if every_hours > 0 && keep_days > 0 {
        return Ok(());
    }
    refuse(RefusalReason::InvalidSpec, "never, or kept for no time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_from_the_note_on_its_server() {
        let op = OperationId::from("itm_nb_1:2");
        let digits = digits(&op);
        let server = json!({ "id": "s1", "tenant_id": "p1", "metadata": {
            key(&digits): entry(24, 7, &op), "lingbao_op": "other", "lingbao_plan_x": "nonsense",
        }});
        let mut all = plans(&server);
        let plan = all.pop().unwrap();
        assert!(all.is_empty(), "{all:?}");
        assert_eq!((plan.spec.every_hours, plan.spec.keep_days), (24, 7));
        assert_eq!((&plan.spec.target, &plan.operation), (&"s1".into(), &op));
        assert_eq!(split(&plan.id), Some(("s1".into(), digits.as_str())));
        assert_eq!(split(&"s1".into()), None);
        assert!(key(&digits).len() <= 255);
    }
}
