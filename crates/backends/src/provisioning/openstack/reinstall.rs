//! Installing the system of a server anew: Nova's `rebuild`.
//!
//! A rebuild sets the server's metadata in the very change that takes the order, so the operation
//! stands there if and only if Nova took it: after a lost answer one look says which. It is never
//! asked for twice under one id, whatever came of it; what failed half-way is told as broken.
//!
//! That Nova took it is not yet that it was done: mark and action are written before the order leaves
//! for the host. Done is what the host itself has reported as done.
use serde_json::{Value, json};

use super::{
    access,
    client::{Cloud, items, text},
    fault::{Fault, Flow, Stop, refuse},
    names::Place,
    op::{Memory, digest},
    server::{META_INSTALL, power, reinstalled, server},
};
use crate::provisioning::{
    Access, ExternalId, Object, OperationId, Power, Refusal, RefusalReason, Settled,
};

/// From which microversion on Nova installs anew what starts from a volume, as all of our servers do
/// (Zed, 2022).
pub(super) const OF_VOLUME: u32 = 93;
/// And what starts from an image, as others' may: before it a rebuild takes no text for cloud-init.
const OF_IMAGE: u32 = 57;
/// Nova's longest value of the metadata.
const LONGEST: usize = 255;
/// What the host reports when it has installed, or has failed to.
const INSTALLED: &str = "compute_rebuild_instance";

/// Who installed a server anew: `OPERATION REQUEST DIGEST…`, where REQUEST is the newest action
/// before it and the digests are those of the installations before, the newest first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Install<'a> {
    pub op: &'a str,
    newest: &'a str,
    older: Vec<&'a str>,
}

impl<'a> Install<'a> {
    /// The last one of a server; `None` if it is as it was made.
    pub fn of(it: &'a Value) -> Option<Self> {
        let mut words = text(&it["metadata"], META_INSTALL).split(' ');
        Some(Self {
            op: words.next().filter(|op| !op.is_empty())?,
            newest: words.next()?,
            older: words.collect(),
        })
    }

    /// Whether an operation installed it before this one did.
    fn came_after(&self, op: &OperationId) -> bool {
        self.older.contains(&digest(&[op.as_str()]).as_str())
    }
}

/// The mark of the next one; of those before it as many as fit.
fn mark(op: &OperationId, newest: &str, before: Option<&Install<'_>>) -> String {
    let mut mark = format!("{op} {newest}");
    let last = before.map(|it| digest(&[it.op]));
    let older = before.map_or(&[][..], |it| it.older.as_slice());
    for word in last.as_deref().into_iter().chain(older.iter().copied()) {
        if mark.len() + 1 + word.len() > LONGEST {
            break;
        }
        mark.push(' ');
        mark.push_str(word);
    }
    mark
}

/// Our order among a server's actions, the newest first: of those since its mark the oldest, as others
/// may have installed the server by hand since.
fn order<'a>(actions: &'a [Value], newest: &str) -> Option<&'a Value> {
    let since = actions
        .iter()
        .take_while(|it| text(it, "request_id") != newest);
    since.filter(|it| text(it, "action") == "rebuild").last()
}

/// What the parts of the cloud say of an order: `None` while they work on it, or none has begun.
fn reported(action: &Value) -> Option<bool> {
    let events = items(action, "events");
    let failed =
        |it: &Value| text(it, "event").contains("rebuild") && text(it, "result") == "Error";
    let done = |it: &Value| text(it, "event") == INSTALLED && text(it, "result") == "Success";
    if events.iter().any(failed) {
        return Some(false);
    }
    events.iter().any(done).then_some(true)
}

/// What is refused of an order that Nova has taken: the server may not be what it was. What may pass
/// is asked again.
fn broken(stop: Stop) -> Stop {
    match stop {
        Stop::Fault(Fault::Refused(refusal))
            if !matches!(
                refusal.reason,
                RefusalReason::Denied | RefusalReason::Conflict
            ) =>
        {
            Refusal::new(RefusalReason::Broken, refusal.detail).into()
        }
        stop => stop,
    }
}

impl Cloud {
    /// Installs a server anew, or says how it stands.
    pub async fn reinstall(
        &self,
        memory: &Memory,
        op: &OperationId,
        id: &ExternalId,
        image: &str,
        access: &Access,
    ) -> Flow<Settled> {
        let Some(it) = self.server_value(id).await? else {
            let reason = match memory.acted(op) {
                // It was asked for, and the server went with it.
                Some(_) => RefusalReason::Broken,
                None => RefusalReason::NotFound,
            };
            return refuse(reason, format!("no server {id}"));
        };
        let before = Install::of(&it);
        match &before {
            Some(last) if last.op == op.as_str() => {
                let told = self.installed(memory, op, &it, last.newest, access).await;
                return told.map_err(broken);
            }
            Some(last) if last.came_after(op) => {
                return Ok(Settled::Present(Box::new(Object::Server(server(&it)))));
            }
            _ => {}
        }
        access::check(access)?;
        let password = self.password_for(access, op)?;
        match power(&it) {
            Power::Active | Power::Stopped => can_be_installed(text(&it, "status"))?,
            Power::Error if before.is_some() => self.has_its_volumes(&it).await?,
            Power::Error => {
                return refuse(RefusalReason::Conflict, "the server is in an error state");
            }
            Power::Building | Power::Changing => {
                return refuse(RefusalReason::Conflict, "the server is between two states");
            }
        }
        let (what, needed) = if text(&it["image"], "id").is_empty() {
            ("a volume", OF_VOLUME)
        } else {
            ("an image", OF_IMAGE)
        };
        let spoken = self.nova_minor().await?;
        if spoken < needed {
            let said = format!(
                "nova speaks 2.{spoken}: to install anew what starts from {what} it must speak 2.{needed}"
            );
            return refuse(RefusalReason::Unsupported, said);
        }
        let wanted = self.image(Place::of(&self.config, &it), image).await?;
        let cloud_init = access::user_data(access, password.as_ref(), None)?;
        // A request whose answer was lost may still be on its way.
        if let Some(ms) = memory.settling(op, self.now(), self.config.settle_ms) {
            return Err(Stop::Running(ms));
        }
        let actions = self.actions(id).await?;
        let newest = actions.first().map_or("-", |it| text(it, "request_id"));
        let mark = mark(op, newest, before.as_ref());
        let mut rebuild = json!({
            "imageRef": wanted,
            // Whoever made it may have given it a key pair of Nova's own; only this way in is left.
            "key_name": null,
            "user_data": cloud_init,
            "metadata": reinstalled(&it["metadata"], &mark, image, access),
        });
        if let Some(password) = &password {
            rebuild["adminPass"] = json!(password.0);
        }
        self.ask(id, &json!({ "rebuild": rebuild })).await?;
        Err(Stop::Running(self.config.poll_ms))
    }

    /// Out of what an installation has left another one helps only if it left every disk attached:
    /// Nova asks for that, and Cinder attaches none again by itself.
    async fn has_its_volumes(&self, it: &Value) -> Flow<()> {
        for one in items(it, "os-extended-volumes:volumes_attached") {
            let id = ExternalId(text(one, "id").to_owned());
            let volume = self.volume_value(&id).await?;
            let status = volume.as_ref().map_or("gone", |it| text(it, "status"));
            if status != "in-use" {
                let said = format!(
                    "an installation before has left volume {id} {status}: mend it and reset the server's state"
                );
                return refuse(RefusalReason::Broken, said);
            }
        }
        Ok(())
    }

    /// How an installation stands that Nova has taken. `newest`: the newest action before it.
    async fn installed(
        &self,
        memory: &Memory,
        op: &OperationId,
        it: &Value,
        newest: &str,
        access: &Access,
    ) -> Flow<Settled> {
        match power(it) {
            Power::Error => {
                let said = self.build_fault(it).detail;
                return refuse(RefusalReason::Broken, said);
            }
            Power::Building | Power::Changing => {
                return Err(self.under_way(text(it, "updated"), "installing the server"));
            }
            Power::Active | Power::Stopped => {}
        }
        let id = ExternalId(text(it, "id").to_owned());
        let actions = self.actions(&id).await?;
        let told = match order(&actions, newest) {
            Some(order) if !text(order, "message").is_empty() => Some(false),
            Some(order) => {
                let action = self.action(&id, text(order, "request_id")).await?;
                action.as_ref().and_then(reported)
            }
            None => None,
        };
        match told {
            Some(true) => {
                let mut server = server(it);
                server.one_time_password = self.password_for(access, op)?;
                Ok(Settled::Present(Box::new(Object::Server(server))))
            }
            Some(false) => refuse(
                RefusalReason::Broken,
                "nova could not install the server anew; see the server's list of actions",
            ),
            // The report comes a moment after the state, and never if nobody works on it any more: the
            // order was lost on its way to the host, or somebody has reset the server's state.
            None => match memory.resting(op, self.now(), self.config.settle_ms) {
                Some(_) => Err(Stop::Running(self.config.poll_ms)),
                None => refuse(
                    RefusalReason::Broken,
                    "nova took the order, and no host has reported that it was done",
                ),
            },
        }
    }
}

/// What sleeps in one of Nova's ways, or runs from another image, is never installed anew.
fn can_be_installed(status: &str) -> Flow<()> {
    if matches!(status, "ACTIVE" | "SHUTOFF") {
        return Ok(());
    }
    let state = status.to_lowercase();
    let said = format!("nova installs nothing anew that is {state}: start or unrescue it first");
    refuse(RefusalReason::Unsupported, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_names_the_last_installation_and_knows_those_before_it() {
        let of = |mark: &str| json!({ "metadata": { META_INSTALL: mark } });
        assert_eq!(Install::of(&of("")), None);
        let mut it = of(&mark(&"op-1".into(), "req-1", None));
        for n in 2..=30 {
            let next = mark(
                &format!("op-{n}").into(),
                &format!("req-{n}"),
                Install::of(&it).as_ref(),
            );
            assert!(next.len() <= LONGEST);
            it = of(&next);
        }
        let last = Install::of(&it).unwrap();
        assert_eq!((last.op, last.newest), ("op-30", "req-30"));
        assert!(last.came_after(&"op-29".into()) && last.came_after(&"op-20".into()));
        assert!(!last.came_after(&"op-30".into()) && !last.came_after(&"op-31".into()));
    }
}
