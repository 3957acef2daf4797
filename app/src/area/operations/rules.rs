//! Rules of hosts in words, as both sides of a difference tell them.

use crate::t;
use lingbao_model::{
    access_rule::{AccessRule, Cidr, Protocol, listener},
    view::difference::{Aspect, DifferenceKind, DifferenceRow, Said},
};

/// So many are named in one line of a list.
const NAMED: usize = 3;

/// One rule in words; what is none of ours stays as the cloud tells it.
pub fn rule(text: &str) -> String {
    let Ok(rule) = text.parse::<AccessRule>() else {
        return text.to_owned();
    };
    let what = match rule.ports {
        None if rule.protocol == Protocol::Icmp => t!("rules.ping").to_owned(),
        ports => {
            let name = rule.protocol.as_str().to_uppercase();
            let what = ports.map_or_else(|| name.clone(), |ports| format!("{name} {ports}"));
            let one = ports.filter(|ports| ports.from == ports.to);
            match one.and_then(|ports| listener(ports.from)) {
                Some(name) => t!("rules.named", what = what, name = name),
                None => what,
            }
        }
    };
    let from = if rule.source == Cidr::EVERYWHERE {
        t!("rules.everywhere").to_owned()
    } else {
        rule.source.to_string()
    };
    t!("difference.rule", what = what, from = from)
}

/// Some rules in words, one after the other.
pub fn rules<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(rule).collect();
    texts.join(t!("rules.also"))
}

/// What differs of the rules of a resource, if they do.
pub fn apart(row: &DifferenceRow) -> Option<&Said> {
    let rules = |said: &&Said| said.aspect == Aspect::Rules && said.differs();
    let changed = row.kind == DifferenceKind::Changed;
    row.said.iter().find(rules).filter(|_| changed)
}

/// What differs, in one line.
pub fn summary(said: &Said) -> String {
    let some = |all: &[&str]| {
        let named = rules(all.iter().take(NAMED).copied());
        match all.len().saturating_sub(NAMED) {
            0 => named,
            more => {
                let more = i64::try_from(more).unwrap_or(i64::MAX);
                let more = t!("difference.rules_more", n = more);
                [named, more].join(t!("rules.also"))
            }
        }
    };
    let (opened, closed) = said.rules_apart();
    let opened = (!opened.is_empty()).then(|| t!("difference.rules_opened", what = some(&opened)));
    let closed = (!closed.is_empty()).then(|| t!("difference.rules_closed", what = some(&closed)));
    let both: Vec<String> = opened.into_iter().chain(closed).collect();
    both.join(" · ")
}
