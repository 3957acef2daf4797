//! Installing the system of a server anew: Nova's `rebuild`.
//!
//! A rebuild sets the server's metadata in the very change that takes the order, so the operation
//! stands there if and only if Nova took it: after a lost answer one look says which. It is never
//! asked for twice under one id, whatever came of it; what failed half-way is told as broken.
use serde_json::{Value, json};

use super::{
    access,
    client::{Cloud, text},
    fault::{Flow, Stop, refuse},
    op::{Memory, digest},
    power::{Since, since},
    server::{META_INSTALL, power, reinstalled, server},
};
use crate::provisioning::{
    Access, ExternalId, Object, OperationId, Power, RefusalReason, Secret, Settled,
};

/// From which microversion on Nova installs anew what starts from a volume, as all of our servers do
/// (Zed, 2022).
pub(super) const OF_VOLUME: u32 = 93;
/// And what starts from an image, as others' may: before it a rebuild takes no text for cloud-init.
const OF_IMAGE: u32 = 57;
/// Nova's longest value of the metadata.
const LONGEST: usize = 255;

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
        access::check(access)?;
        let password = self.password_for(access, op)?;
        let Some(it) = self.server_value(id).await? else {
            return refuse(RefusalReason::NotFound, format!("no server {id}"));
        };
        let before = Install::of(&it);
        match &before {
            Some(last) if last.op == op.as_str() => {
                return self.installed(id, &it, last.newest, password).await;
            }
            Some(last) if last.came_after(op) => {
                return Ok(Settled::Present(Box::new(Object::Server(server(&it)))));
            }
            _ => {}
        }
        match power(&it) {
            Power::Active | Power::Stopped => {}
            // Out of what an installation has left another one helps.
            Power::Error if before.is_some() => {}
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
        let wanted = self.image(image).await?;
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

    /// How an installation stands that Nova has taken. `newest`: the newest action before it.
    async fn installed(
        &self,
        id: &ExternalId,
        it: &Value,
        newest: &str,
        password: Option<Secret>,
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
        match since(&self.actions(id).await?, newest, "rebuild") {
            Since::Begun => {
                let mut server = server(it);
                server.one_time_password = password;
                Ok(Settled::Present(Box::new(Object::Server(server))))
            }
            Since::Failed => refuse(
                RefusalReason::Broken,
                "nova could not install the server anew; see the server's list of actions",
            ),
            // Taken, and not yet to be seen in the list.
            Since::NotBegun => Err(self.under_way(text(it, "updated"), "installing the server")),
        }
    }
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
