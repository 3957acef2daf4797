//! Taking a resize back while Nova still waits for a word.
//!
//! A resize ends in `VERIFY_RESIZE`: both sizes are kept until somebody says yes or no. Who cancels
//! the operation says no. After a yes there is nothing to take back: what came of it stays, and a
//! resize to the old size is an act of its own.
use serde_json::{Value, json};

use super::{
    client::{Cloud, list, text},
    fault::{Fault, Flow, Stop},
    power::Mark,
    server::{FIELDS, is_deleted},
    version::Service,
};
use crate::provisioning::{ExternalId, OperationId, RefusalReason};

/// Whether Nova waits for a word about a resize.
pub(super) fn can_answer(it: &Value) -> bool {
    text(it, "status") == "VERIFY_RESIZE" && text(it, "OS-EXT-STS:task_state").is_empty()
}

/// Whether a resize is on its way there or back.
pub(super) fn is_resizing(it: &Value) -> bool {
    ["RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE"].contains(&text(it, "status"))
}

/// How a resize that waits for a word goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Back {
    /// Nobody has asked yet.
    Ask,
    /// It was asked for.
    Asked,
}

/// How the resize since a mark goes back; `None` if it is not that one which waits, or somebody has
/// said yes. `actions`: the newest first.
pub(super) fn back(actions: &[Value], mark: &str) -> Option<Back> {
    let newer = actions
        .iter()
        .take_while(|it| text(it, "request_id") != mark);
    let words = newer.filter_map(|it| match text(it, "action") {
        // What came to nothing was not said.
        "confirmResize" | "revertResize" if !text(it, "message").is_empty() => None,
        word @ ("resize" | "confirmResize" | "revertResize") => Some(word),
        _ => None,
    });
    match words.collect::<Vec<_>>().as_slice() {
        ["resize"] => Some(Back::Ask),
        ["revertResize", "resize"] => Some(Back::Asked),
        _ => None,
    }
}

impl Cloud {
    /// Says no to a resize.
    pub(super) async fn revert(&self, id: &ExternalId, how: Back) -> Flow<()> {
        if how == Back::Asked {
            return Ok(());
        }
        match self.ask(id, &json!({ "revertResize": null })).await {
            // Its state is shown a moment before it can be taken back, and for a moment after.
            Err(Fault::Refused(refusal)) if refusal.reason != RefusalReason::Denied => Ok(()),
            Err(fault) => Err(fault.into()),
            Ok(_) => Ok(()),
        }
    }

    /// Takes the resize of a cancelled operation back, and waits for it.
    pub async fn take_back(&self, op: &OperationId) -> Flow<()> {
        // In this order: what goes on from one to the other between the two questions is seen.
        for status in ["RESIZE", "VERIFY_RESIZE"] {
            let query = [("all_tenants", "1"), ("status", status)];
            let found = self
                .get(Service::Compute, "/servers/detail", &query)
                .await?;
            for it in list(&found, "servers", FIELDS)? {
                let Some(mark) = Mark::of(it).filter(|mark| mark.op == op.as_str()) else {
                    continue;
                };
                if mark.before.is_none() || is_deleted(it) {
                    continue;
                }
                let id = ExternalId(text(it, "id").to_owned());
                let running = || -> Stop { self.under_way(text(it, "updated"), "resizing back") };
                match text(it, "status") {
                    "RESIZE" | "REVERT_RESIZE" => return Err(running()),
                    "VERIFY_RESIZE" => {
                        let Some(how) = back(&self.actions(&id).await?, mark.newest) else {
                            continue;
                        };
                        if can_answer(it) {
                            self.revert(&id, how).await?;
                        }
                        return Err(running());
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_resize_that_nobody_answered_goes_back() {
        let of = |words: &[(&str, Option<&str>)]| -> Vec<Value> {
            let all = words.iter().enumerate();
            all.map(|(n, (word, message))| json!({ "action": word, "request_id": format!("req-{}", 9 - n), "message": message }))
                .chain([json!({ "action": "create", "request_id": "req-0" })])
                .collect()
        };
        for (words, expected) in [
            (&[("resize", None)][..], Some(Back::Ask)),
            (
                &[("revertResize", None), ("resize", None)],
                Some(Back::Asked),
            ),
            (
                &[("revertResize", Some("Error")), ("resize", None)],
                Some(Back::Ask),
            ),
            (&[("confirmResize", None), ("resize", None)], None),
            // Resized again by hand since.
            (
                &[("resize", None), ("confirmResize", None), ("resize", None)],
                None,
            ),
            // Moved by an operator: not ours to answer.
            (&[("migrate", None)], None),
        ] {
            assert_eq!(back(&of(words), "req-0"), expected, "{words:?}");
        }
        assert_eq!(back(&of(&[("resize", None)]), "req-9"), None);
    }
}
