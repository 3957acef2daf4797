//! Acts on a server that is there: start, stop, restart, resize.
//!
//! Nova takes no operation id, so an act leaves a mark in the server's metadata before it is asked
//! for: the operation, and the newest entry of the server's list of actions at that moment. Asked
//! again under the same id, the list says whether the act was begun after the mark, and whether it
//! failed; only if it was not, it is asked for again.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, list, text},
    fault::{Answer, Fault, Flow, Stop, refuse},
    op::Memory,
    server::{META_ACT, power, server, size},
    version::Service,
};
use crate::provisioning::{
    ExternalId, Object, OperationId, Power, Refusal, RefusalReason, ServerSize, Settled,
};

/// An act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Start,
    Stop,
    Restart,
    Resize(ServerSize),
}

impl Act {
    /// What Nova's list of actions calls it.
    const fn action(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "reboot",
            Self::Resize(_) => "resize",
        }
    }

    /// Whether the server stands as the act would leave it. A restart leaves no trace in its state.
    fn is_so(self, it: &Value) -> bool {
        match self {
            Self::Start => power(it) == Power::Active,
            Self::Stop => power(it) == Power::Stopped,
            Self::Restart => false,
            Self::Resize(wanted) => size(it) == wanted,
        }
    }
}

/// What the list of actions says of an act since its mark.
#[derive(Debug, PartialEq, Eq)]
enum Since {
    NotBegun,
    Begun,
    Failed,
}

/// `actions`: the newest first, as Nova gives them.
fn since(actions: &[Value], mark: &str, action: &str) -> Since {
    let newer = actions
        .iter()
        .take_while(|it| text(it, "request_id") != mark);
    match newer.into_iter().find(|it| text(it, "action") == action) {
        None => Since::NotBegun,
        Some(it) if text(it, "message").is_empty() => Since::Begun,
        Some(_) => Since::Failed,
    }
}

fn present(it: &Value) -> Settled {
    Settled::Present(Box::new(Object::Server(server(it))))
}

impl Cloud {
    async fn actions(&self, id: &ExternalId) -> Answer<Vec<Value>> {
        let path = format!("/servers/{id}/os-instance-actions");
        let found = self.get(Service::Compute, &path, &[]).await?;
        Ok(list(&found, "instanceActions").to_vec())
    }

    /// Whether the newest deletion of a server came to nothing.
    pub(super) async fn delete_failed(&self, id: &ExternalId) -> Answer<bool> {
        Ok(since(&self.actions(id).await?, "", "delete") == Since::Failed)
    }

    async fn mark_act(&self, id: &ExternalId, mark: &str) -> Answer<()> {
        let body = json!({ "metadata": { META_ACT: mark } });
        let path = format!("/servers/{id}/metadata");
        self.change(Service::Compute, Method::POST, &path, Some(&body))
            .await?;
        Ok(())
    }

    async fn ask(&self, id: &ExternalId, body: &Value) -> Answer<Value> {
        let path = format!("/servers/{id}/action");
        self.change(Service::Compute, Method::POST, &path, Some(body))
            .await
    }

    /// Does an act, or says how it stands.
    pub async fn act(
        &self,
        memory: &Memory,
        op: &OperationId,
        id: &ExternalId,
        act: Act,
    ) -> Flow<Settled> {
        if let Act::Resize(ServerSize { vcpus: 0, .. } | ServerSize { memory_gb: 0, .. }) = act {
            return refuse(RefusalReason::InvalidSpec, "a size of nothing");
        }
        let Some(it) = self.server_value(id).await? else {
            return refuse(RefusalReason::NotFound, format!("no server {id}"));
        };
        let mark = text(&it["metadata"], META_ACT);
        let ours = mark
            .split_once(' ')
            .filter(|(whose, _)| *whose == op.as_str());
        match (power(&it), ours) {
            (Power::Error, _) => {
                return refuse(RefusalReason::Conflict, "the server is in an error state");
            }
            (Power::Building | Power::Changing, None) => {
                return refuse(RefusalReason::Conflict, "the server is between two states");
            }
            (Power::Building | Power::Changing, Some(_)) => {
                // The order was for this size: nobody waits to confirm it by hand.
                if text(&it, "status") == "VERIFY_RESIZE"
                    && text(&it, "OS-EXT-STS:task_state").is_empty()
                {
                    match self.ask(id, &json!({ "confirmResize": null })).await {
                        // Its state is shown a moment before it can be confirmed, and for a moment
                        // after.
                        Err(Fault::Refused(refusal)) if refusal.reason != RefusalReason::Denied => {
                        }
                        Err(fault) => return Err(fault.into()),
                        Ok(_) => {}
                    }
                }
                return Err(self.under_way(text(&it, "updated"), "changing the server"));
            }
            (Power::Active | Power::Stopped, _) if act.is_so(&it) => return Ok(present(&it)),
            (Power::Active | Power::Stopped, Some((_, before))) => {
                match since(&self.actions(id).await?, before, act.action()) {
                    Since::Begun if act == Act::Restart => return Ok(present(&it)),
                    // Accepted, and not yet to be seen in the state.
                    Since::Begun => {
                        return Err(self.under_way(text(&it, "updated"), "changing the server"));
                    }
                    Since::Failed => {
                        // Said once: the next attempt under the same id tries again.
                        self.mark_act(id, "").await?;
                        return Err(failed(act).into());
                    }
                    // A request whose answer was lost may still be on its way.
                    Since::NotBegun => {
                        if let Some(ms) = memory.settling(op, self.now(), self.config.settle_ms) {
                            return Err(Stop::Running(ms));
                        }
                    }
                }
            }
            (Power::Active | Power::Stopped, None) => {}
        }
        if act == Act::Restart && power(&it) != Power::Active {
            return refuse(RefusalReason::Conflict, "the server does not run");
        }
        let body = match act {
            Act::Start => json!({ "os-start": null }),
            Act::Stop => json!({ "os-stop": null }),
            Act::Restart => json!({ "reboot": { "type": "SOFT" } }),
            Act::Resize(wanted) => {
                json!({ "resize": { "flavorRef": self.flavour(wanted, None).await? } })
            }
        };
        if ours.is_none() {
            let newest = self.actions(id).await?;
            let newest = newest.first().map_or("-", |it| text(it, "request_id"));
            self.mark_act(id, &format!("{op} {newest}")).await?;
        }
        self.ask(id, &body).await?;
        Err(Stop::Running(self.config.poll_ms))
    }
}

/// Nova took the act, and it came to nothing.
fn failed(act: Act) -> Refusal {
    match act {
        Act::Resize(_) => Refusal::new(
            RefusalReason::NoCapacity,
            "nova found no place for the new size; see the server's list of actions",
        ),
        _ => Refusal::new(
            RefusalReason::Conflict,
            format!(
                "nova could not {}; see the server's list of actions",
                act.action()
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_after_the_mark_counts() {
        let of = |action: &str, request: &str, message: Option<&str>| json!({ "action": action, "request_id": request, "message": message });
        let mut actions = vec![of("stop", "req-2", None), of("create", "req-1", None)];
        assert_eq!(since(&actions, "req-2", "stop"), Since::NotBegun);
        assert_eq!(since(&actions, "req-1", "stop"), Since::Begun);
        assert_eq!(since(&actions, "req-1", "reboot"), Since::NotBegun);
        actions.insert(0, of("resize", "req-3", Some("Error")));
        assert_eq!(since(&actions, "req-2", "resize"), Since::Failed);
        // Of two deletions the newer one counts.
        actions.insert(0, of("delete", "req-4", Some("Error")));
        assert_eq!(since(&actions, "", "delete"), Since::Failed);
        actions.insert(0, of("delete", "req-5", None));
        assert_eq!(since(&actions, "", "delete"), Since::Begun);
    }
}
