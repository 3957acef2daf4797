//! What one version of a policy says otherwise than another.

use super::{Group, Policy, Stage, Test};
use crate::msg::{Label, Msg};
use crate::people::role_key;

impl Policy {
    /// What is otherwise in `new`, in words, in the order of the stages.
    pub fn differences(&self, new: &Self) -> Vec<Msg> {
        let mut found = Vec::new();
        if self.automatic != new.automatic {
            let msg = Msg::new("policy.diff.automatic")
                .with(
                    "from",
                    when(self.automatic.as_ref(), "policy.never_automatic"),
                )
                .with("to", when(new.automatic.as_ref(), "policy.never_automatic"));
            found.push(msg);
        }
        for stage in &new.stages {
            match self.stages.iter().find(|old| old.key == stage.key) {
                None => found.push(named("policy.diff.stage_new", &stage.name)),
                Some(old) => stage_differences(old, stage, &mut found),
            }
        }
        let gone = |old: &&Stage| !new.stages.iter().any(|stage| stage.key == old.key);
        let gone = self.stages.iter().filter(gone);
        found.extend(gone.map(|old| named("policy.diff.stage_gone", &old.name)));
        let order = |one: &Self, other: &Self| -> Vec<String> {
            let keys = one.stages.iter().map(|stage| stage.key.clone());
            keys.filter(|key| other.stages.iter().any(|stage| stage.key == *key))
                .collect()
        };
        if order(self, new) != order(new, self) {
            found.push(Msg::new("policy.diff.order"));
        }
        if found.is_empty() && self != new {
            found.push(Msg::new("policy.diff.form"));
        }
        found
    }
}

fn named(key: &'static str, name: &Label) -> Msg {
    Msg::new(key).with("name", name.clone())
}

fn when(test: Option<&Test>, none: &'static str) -> Msg {
    test.map_or_else(|| Msg::new(none), Test::said)
}

fn who(group: &Group) -> Msg {
    Msg::new("policy.who")
        .with("role", Msg::new(role_key(group.role)))
        .with("ranks", Msg::new(format!("policy.ranks.{}", group.ranks)))
}

fn stage_differences(old: &Stage, new: &Stage, found: &mut Vec<Msg>) {
    if old.name != new.name {
        let msg = Msg::new("policy.diff.name");
        found.push(
            msg.with("from", old.name.clone())
                .with("to", new.name.clone()),
        );
    }
    if old.due_days != new.due_days {
        let msg = named("policy.diff.due_days", &new.name)
            .with("from", i64::from(old.due_days))
            .with("to", i64::from(new.due_days));
        found.push(msg);
    }
    // A group has no key: its name is what people know it by.
    for group in &new.groups {
        match old.groups.iter().find(|one| one.name.zh == group.name.zh) {
            None => found.push(named("policy.diff.group_new", &group.name)),
            Some(before) => group_differences(before, group, found),
        }
    }
    let gone = |one: &&Group| !new.groups.iter().any(|g| g.name.zh == one.name.zh);
    let gone = old.groups.iter().filter(gone);
    found.extend(gone.map(|one| named("policy.diff.group_gone", &one.name)));
}

fn group_differences(old: &Group, new: &Group, found: &mut Vec<Msg>) {
    if (old.role, old.ranks) != (new.role, new.ranks) {
        let msg = named("policy.diff.who", &new.name);
        found.push(msg.with("from", who(old)).with("to", who(new)));
    }
    if old.when != new.when {
        let msg = named("policy.diff.when", &new.name)
            .with("from", when(old.when.as_ref(), "policy.always"))
            .with("to", when(new.when.as_ref(), "policy.always"));
        found.push(msg);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::policy;
    use super::*;

    fn keys(old: &Policy, new: &Policy) -> Vec<String> {
        let found = old.differences(new).into_iter();
        found
            .map(|msg| msg.key.trim_start_matches("policy.diff.").to_owned())
            .collect()
    }

    #[test]
    fn every_change_is_named_and_nothing_else() {
        let old = policy();
        assert_eq!(keys(&old, &old), [""; 0]);
        let mut new = old.clone();
        new.automatic = None;
        new.stages[0].due_days = 2;
        new.stages[2].groups[1].when = None;
        new.stages[2].groups.remove(0);
        new.stages.swap(1, 2);
        new.stages.pop();
        assert_eq!(
            keys(&old, &new),
            [
                "automatic",
                "due_days",
                "when",
                "group_gone",
                "stage_gone",
                "order"
            ]
        );
    }
}
