//! What one version of an item says otherwise than another, for the person who publishes it.

use super::Content;
use crate::{
    msg::{Arg, Label, Msg},
    param::{Kind, Param},
    price::Quantity,
    quota::{Dimension, Takes},
};

impl Content {
    /// What `new` says otherwise, in the order of the form: sentences with the key `content.diff.…`.
    /// Nothing when they are the same.
    pub fn differences(&self, new: &Self) -> Vec<Msg> {
        let mut found = Vec::new();
        let mut told = |key: &'static str, same: bool| {
            if !same {
                found.push(Msg::new(key));
            }
        };
        told("content.diff.summary", self.summary == new.summary);
        told("content.diff.family", self.family == new.family);
        told("content.diff.fulfiller", self.fulfiller == new.fulfiller);
        told("content.diff.checklist", self.checklist == new.checklist);
        if self.name != new.name {
            let msg = Msg::new("content.diff.name")
                .with("from", self.name.clone())
                .with("to", new.name.clone());
            found.insert(0, msg);
        }
        for (key, from, to) in [
            ("content.diff.max_count", self.max_count, new.max_count),
            ("content.diff.hours", self.deliver_hours, new.deliver_hours),
        ] {
            if from != to {
                found.push(Msg::new(key).with("from", from).with("to", to));
            }
        }
        let about =
            |key: &'static str, param: &Param| Msg::new(key).with("name", param.label.clone());
        for param in &new.schema.0 {
            match self.schema.get(&param.key) {
                None => found.push(about("content.diff.param_new", param)),
                Some(old) => found.extend(param_differences(old, param)),
            }
        }
        let gone = self.schema.0.iter();
        let gone = gone.filter(|param| new.schema.get(&param.key).is_none());
        found.extend(gone.map(|param| about("content.diff.param_gone", param)));
        let order = |of: &Self, other: &Self| -> Vec<String> {
            let keys = of.schema.0.iter().map(|param| param.key.clone());
            keys.filter(|key| other.schema.get(key).is_some()).collect()
        };
        if order(self, new) != order(new, self) {
            found.push(Msg::new("content.diff.order"));
        }
        let taken = Dimension::ALL.iter();
        found.extend(taken.filter_map(|dimension| self.takes_difference(new, *dimension)));
        found
    }

    /// What `new` takes otherwise from the quota of a dimension.
    fn takes_difference(&self, new: &Self, dimension: Dimension) -> Option<Msg> {
        let rules = |of: &Self| -> Vec<Takes> {
            let all = of.consumption.0.iter();
            let own = all.filter(|takes| takes.dimension == dimension);
            own.cloned().collect()
        };
        let (old_rules, new_rules) = (rules(self), rules(new));
        if old_rules == new_rules {
            return None;
        }
        let about = |key: &'static str| {
            let name = Msg::new(format!("dimension.{dimension}"));
            Some(Msg::new(key).with("dimension", name))
        };
        let counted = |of: &Self, takes: &Takes| -> Arg {
            match &takes.quantity {
                Quantity::One => Msg::new("price.one").into(),
                Quantity::Param { key } => match of.schema.get(key) {
                    Some(param) => param.label.clone().into(),
                    None => key.clone().into(),
                },
            }
        };
        match (old_rules.as_slice(), new_rules.as_slice()) {
            ([], [one, ..]) => {
                let msg = about("content.diff.takes_new")?;
                Some(msg.with("what", counted(new, one)))
            }
            (_, []) => about("content.diff.takes_gone"),
            ([old], [one]) if old.when == one.when => {
                let msg = about("content.diff.takes_what")?;
                let msg = msg.with("from", counted(self, old));
                Some(msg.with("to", counted(new, one)))
            }
            ([old], [one]) if old.quantity == one.quantity => about("content.diff.takes_when"),
            _ => about("content.diff.takes"),
        }
    }
}

fn param_differences(old: &Param, new: &Param) -> Vec<Msg> {
    let mut found = Vec::new();
    let about = |key: &'static str| Msg::new(key).with("name", new.label.clone());
    if old.label != new.label {
        found.push(about("content.diff.label").with("from", old.label.clone()));
    }
    if (&old.help, &old.section) != (&new.help, &new.section) {
        found.push(about("content.diff.help"));
    }
    if old.required != new.required {
        found.push(about(if new.required {
            "content.diff.required"
        } else {
            "content.diff.optional"
        }));
    }
    if old.depends_on != new.depends_on {
        found.push(about("content.diff.when"));
    }
    match (&old.kind, &new.kind) {
        (old, new) if old == new => {}
        (
            Kind::Integer {
                min: old_min,
                max: old_max,
                step: old_step,
                unit: old_unit,
                default: was,
            },
            Kind::Integer {
                min,
                max,
                step,
                unit,
                default,
            },
        ) => {
            if (old_min, old_max) != (min, max) {
                let from = format!("{old_min}–{old_max}");
                let msg = about("content.diff.range").with("from", from);
                found.push(msg.with("to", format!("{min}–{max}")));
            }
            if (old_step, old_unit) != (step, unit) {
                found.push(about("content.diff.step"));
            }
            if was != default {
                found.push(
                    about("content.diff.default")
                        .with("from", *was)
                        .with("to", *default),
                );
            }
        }
        (
            Kind::Choice {
                options: before,
                default: was,
            },
            Kind::Choice { options, default },
        ) => {
            for option in options {
                match before.iter().find(|one| one.value == option.value) {
                    None => {
                        let msg = about("content.diff.option_new");
                        found.push(msg.with("option", option.label.clone()));
                    }
                    Some(one) if one != option => {
                        let msg = about("content.diff.option");
                        found.push(msg.with("option", option.label.clone()));
                    }
                    Some(_) => {}
                }
            }
            let has = |value: &String| options.iter().any(|one| one.value == *value);
            for one in before.iter().filter(|one| !has(&one.value)) {
                let msg = about("content.diff.option_gone");
                found.push(msg.with("option", one.label.clone()));
            }
            if was != default {
                let label = |value: &String| -> Label {
                    let mut all = options.iter().chain(before);
                    let one = all.find(|one| one.value == *value);
                    one.map_or_else(|| Label::new(value, ""), |one| one.label.clone())
                };
                let msg = about("content.diff.default").with("from", label(was));
                found.push(msg.with("to", label(default)));
            }
        }
        _ => found.push(about("content.diff.type")),
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Condition;

    fn content() -> Content {
        serde_json::from_str(
            r#"{"name":{"zh":"云硬盘"},"summary":{"zh":"盘"},"family":"storage","fulfiller":"volume","placed":true,
            "max_count":10,"deliver_hours":24,"consumption":[],"schema":[
            {"key":"disk_class","label":{"zh":"类型"},"type":"choice","options":[{"value":"ssd","label":{"zh":"SSD"}},{"value":"sas","label":{"zh":"SAS"}}],"default":"ssd"},
            {"key":"size_gb","label":{"zh":"容量"},"type":"integer","min":10,"max":100,"step":10,"unit":"gb","default":10}]}"#,
        )
        .unwrap()
    }

    fn told(change: impl FnOnce(&mut Content)) -> Vec<String> {
        let mut new = content();
        change(&mut new);
        let found = content().differences(&new).into_iter();
        found
            .map(|msg| msg.key.trim_start_matches("content.diff.").to_owned())
            .collect()
    }

    #[test]
    fn the_same_content_differs_in_nothing() {
        assert_eq!(told(|_| ()), [""; 0]);
    }

    #[test]
    fn what_is_taken_from_quotas_is_told_by_dimension() {
        let takes = |text: &str| -> Vec<Takes> { serde_json::from_str(text).unwrap() };
        let size = r#"{"dimension":"ssd_gb","quantity":{"of":"param","key":"size_gb"}}"#;
        let one = r#"{"dimension":"ssd_gb","quantity":{"of":"one"}}"#;
        let when = r#"{"dimension":"ssd_gb","quantity":{"of":"one"},"when":{"if":"one_of","param":"disk_class","values":["ssd"]}}"#;
        let told = |from: &str, to: &str| -> Vec<String> {
            let [mut old, mut new] = [content(), content()];
            old.consumption.0 = takes(&format!("[{from}]"));
            new.consumption.0 = takes(&format!("[{to}]"));
            let found = old.differences(&new).into_iter();
            found.map(|msg| msg.key.into_owned()).collect()
        };
        assert_eq!(told("", size), ["content.diff.takes_new"]);
        assert_eq!(told(size, ""), ["content.diff.takes_gone"]);
        assert_eq!(told(size, one), ["content.diff.takes_what"]);
        assert_eq!(told(one, when), ["content.diff.takes_when"]);
        assert_eq!(told(size, when), ["content.diff.takes"]);
        assert_eq!(
            told(size, &format!("{size},{when}")),
            ["content.diff.takes"]
        );
    }

    #[test]
    fn every_part_that_differs_is_told() {
        assert_eq!(told(|c| c.name = Label::new("盘", "")), ["name"]);
        assert_eq!(told(|c| c.summary = Label::new("x", "")), ["summary"]);
        assert_eq!(told(|c| c.max_count = 11), ["max_count"]);
        assert_eq!(told(|c| c.deliver_hours = 25), ["hours"]);
        assert_eq!(
            told(|c| c.checklist.push(Label::new("x", ""))),
            ["checklist"]
        );
        assert_eq!(told(|c| c.schema.0.reverse()), ["order"]);
        assert_eq!(told(|c| c.schema.0.truncate(1)), ["param_gone"]);
        assert_eq!(
            told(|c| "class".clone_into(&mut c.schema.0[0].key)),
            ["param_new", "param_gone"]
        );
        assert_eq!(told(|c| c.schema.0[0].required = true), ["required"]);
        assert_eq!(
            told(|c| c.schema.0[0].label = Label::new("x", "")),
            ["label"]
        );
        assert_eq!(
            told(|c| c.schema.0[0].help = Some(Label::new("x", ""))),
            ["help"]
        );
        let when = Condition::AtLeast {
            param: "size_gb".to_owned(),
            value: 1,
        };
        assert_eq!(told(|c| c.schema.0[0].depends_on = Some(when)), ["when"]);
        assert_eq!(
            told(|c| c.schema.0[0].kind = Kind::Flag { default: true }),
            ["type"]
        );
        assert_eq!(
            told(|c| {
                let Kind::Choice { options, default } = &mut c.schema.0[0].kind else {
                    return;
                };
                "sas".clone_into(default);
                options[1].hint = Some(Label::new("x", ""));
                "nvme".clone_into(&mut options[0].value);
            }),
            ["option_new", "option", "option_gone", "default"]
        );
        assert_eq!(
            told(|c| {
                let Kind::Integer {
                    max, step, default, ..
                } = &mut c.schema.0[1].kind
                else {
                    return;
                };
                (*max, *step, *default) = (200, 20, 30);
            }),
            ["range", "step", "default"]
        );
    }
}
