//! Specifications as people read them: `8 核 · 16 GB · 100 GB`.

use crate::{
    i18n::{self, Lang},
    t,
    ui::{Amounts, Light},
};
use lingbao_model::{
    calendar::Lamp,
    change::{Change, NOTHING},
    id::PoolId,
    money::{Money, grouped_signed},
    msg::{Label, Msg},
    param::{Fact, FactValue, Unit},
    quota::{Change as QuotaChange, Dimension},
    time::Zone,
};

/// A label of the catalogue in the language of the page.
pub fn label(label: &Label) -> String {
    label_in(i18n::lang(), label)
}

/// A label of the catalogue in a given language (files that are made outside of a page).
pub fn label_in(lang: Lang, label: &Label) -> String {
    label.text(lang == Lang::Zh).to_owned()
}

/// One answer with its unit or its name.
pub fn value(fact: &Fact) -> String {
    value_in(i18n::lang(), fact)
}

fn value_in(lang: Lang, fact: &Fact) -> String {
    answer_in(lang, &fact.value)
}

fn answer_in(lang: Lang, value: &FactValue) -> String {
    match value {
        FactValue::Number(n, unit) => quantity_in(lang, *unit, *n),
        FactValue::Choice(name) => label_in(lang, name),
        FactValue::Flag(yes) => {
            i18n::msg_in(lang, &Msg::new(if *yes { "fact.yes" } else { "fact.no" }))
        }
        FactValue::Text(text) => text.clone(),
    }
}

/// A number of units: `8 核`; in English one core, and two cores.
fn quantity_in(lang: Lang, unit: Unit, n: i64) -> String {
    i18n::msg_in(lang, &Msg::new(format!("quantity.{unit}")).with("n", n))
}

/// A change as rows of what, before and after: its parameters, the month price always, the end of
/// the term where it moves or something new has one.
pub fn steps(change: &Change) -> Vec<(String, String, String)> {
    let lang = i18n::lang();
    let mut rows: Vec<_> = change
        .facts
        .iter()
        .map(|step| {
            (
                label_in(lang, &step.label),
                answer_in(lang, &step.before),
                answer_in(lang, &step.after),
            )
        })
        .collect();
    let mut row = |name: &str, before: String, after: String| {
        rows.push((name.to_owned(), before, after));
    };
    let day = |at| Zone::SHANGHAI.date(at).to_string();
    let until = t!("change.until");
    if change.what.makes_disk() {
        row(until, NOTHING.to_owned(), day(change.until_after));
    } else if change.until_before != change.until_after {
        row(until, day(change.until_before), day(change.until_after));
    }
    let (before, after) = (change.month_before, change.month_after);
    row(t!("change.month"), before.yuan(), after.yuan());
    rows
}

/// The same in one line: `处理器 4 核 → 8 核`.
pub fn steps_line(change: &Change) -> String {
    let one = |(what, before, after)| format!("{what} {before} → {after}");
    let all: Vec<String> = steps(change).into_iter().map(one).collect();
    all.join(t!("ui.comma"))
}

/// What something costs: a month, once, or both. One never hides the other.
pub fn charge(month: Money, once: Money) -> String {
    match (month.fen(), once.fen()) {
        (_, 0) => t!("money.month", n = month.yuan()),
        (0, _) => t!("money.once", n = once.yuan()),
        _ => t!("money.both", month = month.yuan(), once = once.yuan()),
    }
}

/// A large amount for those who read at a glance, and its unit: in Chinese by ten thousands, in
/// English, which has no such unit, whole.
pub fn large(amount: Money) -> (String, &'static str) {
    let number = match i18n::lang() {
        Lang::Zh => amount.wan(),
        Lang::En => amount.whole(),
    };
    (number, t!("money.large"))
}

/// The same in one piece.
pub fn large_text(amount: Money) -> String {
    let (number, unit) = large(amount);
    format!("{number} {unit}")
}

/// The specification in one line: numbers with units, chosen options, what was switched on. Free
/// texts (host names, keys) are no specification and are left out.
pub fn line(facts: &[Fact]) -> String {
    line_in(i18n::lang(), facts)
}

/// The same in a given language.
pub fn line_in(lang: Lang, facts: &[Fact]) -> String {
    facts
        .iter()
        .filter_map(|fact| match &fact.value {
            FactValue::Number(..) | FactValue::Choice(_) => Some(value_in(lang, fact)),
            FactValue::Flag(true) => Some(label_in(lang, &fact.label)),
            FactValue::Flag(false) | FactValue::Text(_) => None,
        })
        .collect::<Vec<_>>()
        .join(" · ")
}

/// Two parts of a specification in one line; an empty one leaves no dot behind.
pub fn joined(parts: [String; 2]) -> String {
    let [first, second] = parts;
    if first.is_empty() || second.is_empty() {
        first + &second
    } else {
        format!("{first} · {second}")
    }
}

/// What an event of the audit trail did, in words; one of before these words as its code.
pub fn action(code: &str) -> String {
    let key = format!("audit.action.{code}");
    let text = i18n::t_key(&key);
    if text == key {
        code.to_owned()
    } else {
        text.into_owned()
    }
}

/// A deadline as light and words.
pub fn lamp(lamp: Lamp) -> (Light, String) {
    let n = i64::from(match lamp {
        Lamp::Ample { working_days }
        | Lamp::Near { working_days }
        | Lamp::Overdue { working_days } => working_days,
        Lamp::Today => 0,
    });
    match lamp {
        Lamp::Ample { .. } => (Light::Green, t!("lamp.ample", n = n)),
        Lamp::Near { .. } => (Light::Near, t!("lamp.near", n = n)),
        Lamp::Today => (Light::Near, t!("lamp.today").to_owned()),
        // A yellow card on the first working day, then a red one.
        Lamp::Overdue { working_days } if working_days <= 1 => {
            (Light::Yellow, t!("lamp.overdue", n = n))
        }
        Lamp::Overdue { .. } => (Light::Red, t!("lamp.overdue", n = n)),
    }
}

/// An amount of quota with its unit: `192 核`.
pub fn measured(dimension: Dimension, n: i64) -> String {
    match dimension.unit() {
        Some(unit) => quantity_in(i18n::lang(), unit, n),
        None => t!("money.month", n = amount(dimension, n)),
    }
}

/// A dimension of a pool, and what stands there with what is asked for.
pub fn of_quota(change: &QuotaChange, pools: &[(PoolId, Label)]) -> (String, Amounts) {
    let name = i18n::t_key(&format!("dimension.{}", change.dimension)).into_owned();
    let label_of = match pools.iter().find(|(id, _)| *id == change.pool) {
        Some((_, pool)) => format!("{name} · {}", label(pool)),
        None => name,
    };
    let amounts = Amounts {
        limit: change.before.limit,
        used: change.before.used + change.before.handed,
        held: change.before.held,
        now: change.asked,
    };
    (label_of, amounts)
}

/// An amount of quota as text; the monthly fee in yuan.
pub fn amount(dimension: Dimension, n: i64) -> String {
    match dimension {
        Dimension::MonthlyFee => Money::from_fen(n).yuan(),
        _ => grouped_signed(n),
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use lingbao_model::view::audit::ACTIONS;

    #[test]
    fn every_action_of_the_audit_trail_has_words_in_both_languages() {
        let mut before = "";
        for action in ACTIONS {
            assert!(before < *action, "in order, each once: {action}");
            before = action;
            let msg = Msg::new(format!("audit.action.{action}"));
            let (zh, en) = (i18n::msg_in(Lang::Zh, &msg), i18n::msg_in(Lang::En, &msg));
            assert!(!zh.is_ascii(), "{action}: {zh}");
            assert!(en.is_ascii() && !en.contains(action), "{action}: {en}");
        }
    }

    #[test]
    fn one_is_not_several_in_english() {
        let cores = |n| quantity_in(Lang::En, Unit::Core, n);
        assert_eq!(
            (cores(1), cores(1_024)),
            ("1 core".into(), "1,024 cores".into())
        );
    }

    #[test]
    fn a_specification_is_one_line_in_both_languages() {
        let fact = |key: &str, value| Fact {
            key: key.into(),
            label: Label::new("mi ping", "Crypto check"),
            value,
        };
        let facts = [
            fact("cpu", FactValue::Number(8, Unit::Core)),
            fact("memory", FactValue::Number(16, Unit::Gigabyte)),
            fact("name", FactValue::Text("tj-app-01".into())),
            fact("os", FactValue::Choice(Label::new("Qilin", "Kylin"))),
            fact("crypto", FactValue::Flag(true)),
            fact("backup", FactValue::Flag(false)),
        ];
        assert_eq!(
            line_in(Lang::Zh, &facts),
            "8 \u{6838} · 16 GB · Qilin · mi ping"
        );
        assert_eq!(
            line_in(Lang::En, &facts),
            "8 cores · 16 GB · Kylin · Crypto check"
        );
    }
}
