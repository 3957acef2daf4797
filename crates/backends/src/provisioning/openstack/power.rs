//! Acts on a server that is there: start, stop, restart, resize.
//!
//! Nova takes no operation id, so an act leaves a mark in the server's metadata before it is asked
//! for: the operation, and the newest entry of the server's list of actions at that moment. Asked
//! again under the same id, the list says whether the act was begun after the mark, and whether it
//! failed; only if it was not, it is asked for again.
//!
//! A resize waits for a word in the end: yes from who ordered it, no from who takes it back
//! (`resize`).
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, inner, list, text},
    fault::{Answer, Fault, Flow, Stop, optional, refuse},
    names::Place,
    op::Memory,
    resize::{back, can_answer, is_resizing},
    server::{META_ACT, power, server, size},
    sizes,
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
    /// What must be asked of Nova next, by the name in its list of actions, to bring a server that
    /// stands like this to where the act leaves it; `None` if it stands there. A restart leaves no
    /// trace: there is always something to ask.
    fn next(self, it: &Value) -> Result<Option<&'static str>, Refusal> {
        // Nova starts only what was stopped; what sleeps in another way is woken up in its own.
        let wake = match text(it, "status") {
            "PAUSED" => Some("unpause"),
            "SUSPENDED" => Some("resume"),
            "SHELVED" | "SHELVED_OFFLOADED" => Some("unshelve"),
            _ => None,
        };
        // What is in error may run or not: nobody knows, and Nova looks.
        let runs = match self {
            Self::Stop | Self::Restart => matches!(power(it), Power::Active | Power::Error),
            _ => power(it) == Power::Active,
        };
        Ok(match self {
            Self::Start => (!runs).then_some(wake.unwrap_or("start")),
            Self::Stop if runs => Some("stop"),
            // Neither is switched off, and Nova stops only what runs: it is woken up first.
            Self::Stop => wake.filter(|how| *how != "unshelve"),
            Self::Restart if runs => Some("reboot"),
            Self::Restart => return Err(conflict("the server does not run")),
            Self::Resize(wanted) if sizes::size(&it["flavor"]) == Some(wanted) => None,
            Self::Resize(_) if wake.is_some() => {
                let state = text(it, "status").to_lowercase();
                let said = format!("a server that is {state} can't be resized: start it first");
                return Err(conflict(said));
            }
            Self::Resize(_) => Some("resize"),
        })
    }
}

fn conflict(detail: impl Into<String>) -> Refusal {
    Refusal::new(RefusalReason::Conflict, detail)
}

/// Who last asked something of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark<'a> {
    pub op: &'a str,
    /// The newest action before it.
    pub newest: &'a str,
    /// Of a resize, the size before it.
    pub before: Option<ServerSize>,
}

impl<'a> Mark<'a> {
    /// The mark of a server; `None` if nobody left one.
    pub fn of(it: &'a Value) -> Option<Self> {
        let mut words = text(&it["metadata"], META_ACT).split(' ');
        let op = words.next().filter(|op| !op.is_empty())?;
        let newest = words.next()?;
        let before = words.next().and_then(|size| {
            let (vcpus, memory_gb) = size.split_once('x')?;
            Some(ServerSize {
                vcpus: vcpus.parse().ok()?,
                memory_gb: memory_gb.parse().ok()?,
            })
        });
        Some(Self { op, newest, before })
    }
}

/// What the list of actions says of an act since its mark.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Since {
    NotBegun,
    Begun,
    Failed,
}

/// `actions`: the newest first, as Nova gives them.
pub(super) fn since(actions: &[Value], mark: &str, action: &str) -> Since {
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
    pub(super) async fn actions(&self, id: &ExternalId) -> Answer<Vec<Value>> {
        let path = format!("/servers/{id}/os-instance-actions");
        let found = self.get(Service::Compute, &path, &[]).await?;
        let all = list(&found, "instanceActions", &["action", "request_id"])?;
        Ok(all.to_vec())
    }

    /// One of the actions, with what each part of the cloud did for it; `None` if Nova has not listed
    /// it yet.
    pub(super) async fn action(&self, id: &ExternalId, request: &str) -> Answer<Option<Value>> {
        let path = format!("/servers/{id}/os-instance-actions/{request}");
        let found = optional(self.get(Service::Compute, &path, &[]).await)?;
        found
            .map(|it| inner(it, "instanceAction", &["events"]))
            .transpose()
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

    /// Leaves the mark of an operation on a server. A resize keeps the size to which it goes back.
    pub(super) async fn leave_mark(
        &self,
        id: &ExternalId,
        op: &OperationId,
        before: Option<ServerSize>,
    ) -> Answer<()> {
        let newest = self.actions(id).await?;
        let newest = newest.first().map_or("-", |it| text(it, "request_id"));
        let before = before.map(|it| format!(" {}x{}", it.vcpus, it.memory_gb));
        let before = before.unwrap_or_default();
        self.mark_act(id, &format!("{op} {newest}{before}")).await
    }

    pub(super) async fn ask(&self, id: &ExternalId, body: &Value) -> Answer<Value> {
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
        let mark = Mark::of(&it);
        let ours = mark.filter(|mark| mark.op == op.as_str());
        match power(&it) {
            // Nova switches it off all the same; that is how it gets into the bin. And it takes a hard
            // restart, which is its way out of an error.
            Power::Error if matches!(act, Act::Stop | Act::Restart) => {}
            Power::Error => {
                return refuse(RefusalReason::Conflict, "the server is in an error state");
            }
            Power::Building | Power::Changing => {
                if let (Act::Resize(wanted), true) = (act, can_answer(&it)) {
                    return self.answer_resize(op, &it, mark, wanted).await;
                }
                let goes_back = matches!(act, Act::Resize(wanted)
                    if is_resizing(&it) && mark.is_some_and(|mark| mark.before == Some(wanted)));
                if ours.is_none() && !goes_back {
                    return refuse(RefusalReason::Conflict, "the server is between two states");
                }
                return Err(self.under_way(text(&it, "updated"), "changing the server"));
            }
            Power::Active | Power::Stopped => {}
        }
        let Some(next) = act.next(&it)? else {
            return Ok(present(&it));
        };
        if let Some(Mark { newest, .. }) = ours {
            match since(&self.actions(id).await?, newest, next) {
                // In an error still, it is on its way out of it.
                Since::Begun if act == Act::Restart && power(&it) != Power::Error => {
                    return Ok(present(&it));
                }
                // Accepted, and not yet to be seen in the state.
                Since::Begun => {
                    return Err(self.under_way(text(&it, "updated"), "changing the server"));
                }
                Since::Failed => {
                    // Said once: the next attempt under the same id tries again.
                    self.mark_act(id, "").await?;
                    return Err(failed(act, next).into());
                }
                // A request whose answer was lost may still be on its way.
                Since::NotBegun => {
                    if let Some(ms) = memory.settling(op, self.now(), self.config.settle_ms) {
                        return Err(Stop::Running(ms));
                    }
                }
            }
        }
        let (body, before) = match act {
            Act::Restart => {
                // No system answers a polite word in an error.
                let how = if power(&it) == Power::Error {
                    "HARD"
                } else {
                    "SOFT"
                };
                (json!({ "reboot": { "type": how } }), None)
            }
            Act::Resize(wanted) => {
                let place = Place::of(&self.config, &it);
                let flavour = self
                    .flavour(place, wanted, None, sizes::own_disk(&it))
                    .await?;
                (
                    json!({ "resize": { "flavorRef": flavour } }),
                    Some(size(&it)),
                )
            }
            Act::Start | Act::Stop => (json!({ (request(next)): null }), None),
        };
        if ours.is_none() {
            self.leave_mark(id, op, before).await?;
        }
        self.ask(id, &body).await?;
        Err(Stop::Running(self.config.poll_ms))
    }

    /// Says yes to a resize that waits for it, or no if the size before it is what is wanted.
    async fn answer_resize(
        &self,
        op: &OperationId,
        it: &Value,
        mark: Option<Mark<'_>>,
        wanted: ServerSize,
    ) -> Flow<Settled> {
        let id = ExternalId(text(it, "id").to_owned());
        let running = || self.under_way(text(it, "updated"), "changing the server");
        match mark {
            // The order was for this size: nobody waits to confirm it by hand.
            Some(mark) if mark.op == op.as_str() && size(it) == wanted => {
                match self.ask(&id, &json!({ "confirmResize": null })).await {
                    // Its state is shown a moment before it can be confirmed, and for a moment after.
                    Err(Fault::Refused(refusal)) if refusal.reason != RefusalReason::Denied => {}
                    Err(fault) => return Err(fault.into()),
                    Ok(_) => {}
                }
                Err(running())
            }
            // To go back to where it came from is no resize of its own: that one is taken back, by
            // whoever asks for it.
            Some(mark) if mark.before == Some(wanted) => {
                match back(&self.actions(&id).await?, mark.newest) {
                    Some(how) => {
                        self.revert(&id, how).await?;
                        Err(running())
                    }
                    None => refuse(RefusalReason::Conflict, "the server is between two states"),
                }
            }
            Some(mark) if mark.op == op.as_str() => Err(running()),
            _ => refuse(RefusalReason::Conflict, "the server is between two states"),
        }
    }
}

/// What Nova calls an action when it is asked for, and not in its list.
fn request(action: &str) -> &str {
    match action {
        "start" => "os-start",
        "stop" => "os-stop",
        other => other,
    }
}

/// Nova took the act, and it came to nothing.
fn failed(act: Act, action: &str) -> Refusal {
    match act {
        Act::Resize(_) => Refusal::new(
            RefusalReason::NoCapacity,
            "nova found no place for the new size; see the server's list of actions",
        ),
        _ => conflict(format!(
            "nova could not {action}; see the server's list of actions"
        )),
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

    #[test]
    fn what_sleeps_is_woken_up_in_its_own_way() {
        let next = |act: Act, status: &str| {
            let it = json!({ "status": status, "flavor": { "vcpus": 1, "ram": 2_048 } });
            act.next(&it).map_err(|refusal| refusal.reason)
        };
        let resize = |vcpus, memory_gb| Act::Resize(ServerSize { vcpus, memory_gb });
        let no = Err(RefusalReason::Conflict);
        for (status, start, stop, restart, larger) in [
            (
                "ACTIVE",
                None,
                Some("stop"),
                Ok(Some("reboot")),
                Ok(Some("resize")),
            ),
            ("SHUTOFF", Some("start"), None, no, Ok(Some("resize"))),
            ("PAUSED", Some("unpause"), Some("unpause"), no, no),
            ("SUSPENDED", Some("resume"), Some("resume"), no, no),
            ("SHELVED", Some("unshelve"), None, no, no),
            ("SHELVED_OFFLOADED", Some("unshelve"), None, no, no),
            (
                "ERROR",
                Some("start"),
                Some("stop"),
                Ok(Some("reboot")),
                Ok(Some("resize")),
            ),
        ] {
            assert_eq!(next(Act::Start, status), Ok(start), "{status}");
            assert_eq!(next(Act::Stop, status), Ok(stop), "{status}");
            assert_eq!(next(Act::Restart, status), restart, "{status}");
            assert_eq!(next(resize(2, 4), status), larger, "{status}");
            assert_eq!(next(resize(1, 2), status), Ok(None), "{status}");
        }
    }

    #[test]
    fn a_mark_is_read_back() {
        let of = |mark: &str| json!({ "metadata": { META_ACT: mark } });
        let it = of("op req-1 2x4");
        let size = ServerSize {
            vcpus: 2,
            memory_gb: 4,
        };
        let mark = Mark::of(&it).unwrap();
        assert_eq!(
            (mark.op, mark.newest, mark.before),
            ("op", "req-1", Some(size))
        );
        let it = of("op -");
        let mark = Mark::of(&it).unwrap();
        assert_eq!((mark.op, mark.newest, mark.before), ("op", "-", None));
        assert_eq!(Mark::of(&of("")), None);
    }
}
