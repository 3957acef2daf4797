//! Conditions in words.

use super::Test;
use crate::money::Money;
use crate::msg::{Arg, Msg};

impl Test {
    /// The condition as people read it: `month and once above 2,000.00 元, or beyond the quota`.
    pub fn said(&self) -> Msg {
        said(self, false)
    }
}

/// The messages one after another by a key with the gaps `a` and `b`; `None` for none.
fn joined(key: &'static str, parts: impl IntoIterator<Item = Msg>) -> Option<Msg> {
    parts
        .into_iter()
        .reduce(|a, b| Msg::new(key).with("a", a).with("b", b))
}

/// What is not so is said of the single conditions, never of a whole: `not (a or b)` is hard to
/// read, `not a and not b` is not.
fn said(test: &Test, not: bool) -> Msg {
    let key = |so: &'static str, other: &'static str| Msg::new(if not { other } else { so });
    match test {
        Test::CostAbove { fen } => key("policy.if.cost_above", "policy.if.cost_at_most")
            .with("amount", Money::from_fen(*fen)),
        Test::WithinQuota => key("policy.if.within_quota", "policy.if.over_quota"),
        Test::LevelAtLeast { level } => {
            key("policy.if.level_from", "policy.if.level_below").with("level", level.msg())
        }
        Test::Internet => key("policy.if.internet", "policy.if.no_internet"),
        Test::AnyZone { zones } => {
            let names = zones.iter().map(|zone| match &zone.name {
                Some(name) => Arg::from(name.clone()),
                None => Arg::from(zone.id.as_str()),
            });
            let both =
                |a: Arg, b: Arg| Arg::from(Msg::new("policy.list").with("a", a).with("b", b));
            let none = || Arg::from(Msg::new("policy.none"));
            let names: Arg = names.reduce(both).unwrap_or_else(none);
            key("policy.if.any_zone", "policy.if.no_zone").with("zones", names)
        }
        Test::AnyItem { codes } => {
            key("policy.if.any_item", "policy.if.no_item").with("items", codes.join(", "))
        }
        Test::OnlyItems { codes } => {
            key("policy.if.only_items", "policy.if.other_item").with("items", codes.join(", "))
        }
        Test::UnitLevel { levels } => {
            let names = levels.iter().map(|l| Msg::new(format!("unit_level.{l}")));
            let levels = joined("policy.list", names).unwrap_or_else(|| Msg::new("policy.none"));
            key("policy.if.unit_level", "policy.if.not_unit_level").with("levels", levels)
        }
        Test::HasUpper => key("policy.if.has_upper", "policy.if.no_upper"),
        Test::All { of } => together(of, not, !not),
        Test::Any { of } => together(of, not, not),
        Test::Not { of } => said(of, !not),
    }
}

/// Several conditions: `and` says whether all are needed, after what `not` makes of them.
fn together(of: &[Test], not: bool, and: bool) -> Msg {
    let parts = of.iter().map(|one| {
        let msg = said(one, not);
        // What is joined the other way inside stands in brackets.
        let other = if and { "policy.or" } else { "policy.and" };
        if msg.key == other {
            Msg::new("policy.inside").with("a", msg)
        } else {
            msg
        }
    });
    let (key, none) = if and {
        ("policy.and", "policy.always")
    } else {
        ("policy.or", "policy.if.never")
    };
    joined(key, parts).unwrap_or_else(|| Msg::new(none))
}

#[cfg(test)]
mod tests {
    use super::super::tests::policy;
    use crate::msg::{Arg, Msg};

    /// A message as its keys.
    fn keys(msg: &Msg) -> String {
        let inner: Vec<_> = msg
            .args
            .iter()
            .filter_map(|arg| match &arg.1 {
                Arg::Msg(inner) => Some(keys(inner)),
                _ => None,
            })
            .collect();
        let key = msg.key.trim_start_matches("policy.");
        if inner.is_empty() {
            key.to_owned()
        } else {
            format!("{key}({})", inner.join(" "))
        }
    }

    #[test]
    fn what_is_not_so_is_said_of_single_conditions() {
        let policy = policy();
        assert_eq!(
            keys(&policy.automatic.unwrap().said()),
            "and(and(if.within_quota if.cost_at_most) and(if.level_below(level.3) if.no_internet))"
        );
        let office = policy.stages[1].groups[0].when.clone().unwrap();
        assert_eq!(
            keys(&office.said()),
            "or(or(if.cost_above if.over_quota) or(if.level_from(level.3) if.internet))"
        );
    }

    #[test]
    fn what_is_joined_the_other_way_stands_in_brackets() {
        let policy = policy();
        let sensitive = policy.stages[2].groups[0].when.clone().unwrap();
        let both = super::Test::All {
            of: vec![super::Test::WithinQuota, sensitive],
        };
        assert_eq!(
            keys(&both.said()),
            "and(if.within_quota inside(or(if.level_from(level.3) if.internet)))"
        );
    }
}
