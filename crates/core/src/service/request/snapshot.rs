//! What an approver is shown, as it was submitted: its digest goes with every decision, and two of
//! them make the answer "this changed since you looked".

use lingbao_model::{
    change::Change,
    id::RequestItemId,
    money::Money,
    msg::{Arg, Label, Msg},
    param::{Fact, FactValue},
    placement::Level,
    quota::Dimension,
    request::{Kind, Line},
    time::Zone,
    verdict::{Verdict, dimension_key},
    view::{
        request::{ChangeLine, Difference, LineView, ReleaseLine},
        system::SystemRow,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    app::Cx,
    error::StorageError,
    storage::{Tx, request as requests, request::Request},
};

/// What an approver decides on. Serialized field by field in this order: the digest is taken of it,
/// so a field is only ever added, with a default that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Something new, or something given back.
    pub kind: Kind,
    /// Name of the unit.
    pub unit_name: String,
    /// Name of the applicant.
    pub applicant_name: String,
    /// Name of the system.
    pub system_name: String,
    /// Its protection level.
    pub level: Option<Level>,
    /// Title.
    pub title: String,
    /// Reason.
    pub reason: String,
    /// Missing quota is asked for in the same request.
    pub with_quota_change: bool,
    /// Lines.
    pub lines: Vec<ShownLine>,
    /// Resources that are given back.
    pub releases: Vec<ReleaseLine>,
    /// Money a month.
    pub month: Money,
    /// Charged once.
    pub once: Money,
    /// The resource that is changed, before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeLine>,
    /// How many days what is given back lies in the recycle bin; 0: it is erased at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<i64>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownLine {
    /// As it is read.
    pub view: LineView,
}

/// One submitted revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What an approver decides on.
    pub shown: Shown,
    /// The verdict by which it was submitted.
    pub verdict: Option<Verdict>,
}

impl Shown {
    /// What is shown of a request.
    #[must_use]
    pub fn of(
        request: &Request,
        unit_name: &str,
        applicant_name: &str,
        system: Option<&SystemRow>,
        lines: Vec<LineView>,
        releases: Vec<ReleaseLine>,
    ) -> Self {
        Self {
            kind: request.kind,
            unit_name: unit_name.to_owned(),
            applicant_name: applicant_name.to_owned(),
            system_name: system.map(|s| s.name.clone()).unwrap_or_default(),
            level: system.map(|s| s.level),
            title: request.title.clone(),
            reason: request.reason.clone(),
            with_quota_change: request.with_quota_change,
            lines: lines.into_iter().map(|view| ShownLine { view }).collect(),
            releases,
            month: request.month,
            once: request.once,
            change: None,
            keep_days: None,
        }
    }
}

/// Keeps a revision, and its digest in the request.
///
/// # Errors
/// What the database says.
pub async fn keep(
    tx: &mut Tx,
    cx: &Cx,
    request: &mut Request,
    snapshot: &Snapshot,
) -> Result<(), StorageError> {
    let wrong =
        |e| StorageError::inconsistent("request_revision", "snapshot", request.id.as_str(), e);
    let shown = serde_json::to_vec(&snapshot.shown).map_err(wrong)?;
    let text = serde_json::to_string(snapshot).map_err(wrong)?;
    request.digest = cx.app.crypto.digest_hex(&shown);
    requests::add_revision(tx, request, &text, cx.now()).await
}

/// Reads a kept revision.
///
/// # Errors
/// [`StorageError::Inconsistency`] if it is none.
pub fn read(request: &Request, text: &str) -> Result<Snapshot, StorageError> {
    serde_json::from_str(text).map_err(|e| {
        StorageError::inconsistent("request_revision", "snapshot", request.id.as_str(), e)
    })
}

/// What differs between what was shown and what is there now.
#[must_use]
pub fn differences(before: &Shown, after: &Shown) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut field = |key: &'static str, before: Msg, after: Msg| {
        if before != after {
            found.push(Difference {
                what: Msg::new(key),
                before: Some(before),
                after: Some(after),
            });
        }
    };
    let plain = |text: &str| Msg::new("request.diff.text").with("text", text);
    let money = |amount: Money| Msg::new("request.diff.money").with("amount", amount);
    field(
        "request.diff.title",
        plain(&before.title),
        plain(&after.title),
    );
    field(
        "request.diff.system",
        plain(&before.system_name),
        plain(&after.system_name),
    );
    field(
        "request.diff.reason",
        plain(&before.reason),
        plain(&after.reason),
    );
    field(
        "request.diff.month",
        money(before.month),
        money(after.month),
    );
    field("request.diff.once", money(before.once), money(after.once));
    let quota = |yes: bool| Msg::new(if yes { "answer.yes" } else { "answer.no" });
    field(
        "request.diff.quota_change",
        quota(before.with_quota_change),
        quota(after.with_quota_change),
    );
    lines(&before.lines, &after.lines, &mut found);
    if let (Some(before), Some(after)) = (&before.change, &after.change) {
        change(&before.change, &after.change, &mut found);
    }
    found
}

/// What differs between two changes of one resource: how it would stand afterwards.
fn change(before: &Change, after: &Change, found: &mut Vec<Difference>) {
    let mut differ = |what: Msg, before: Option<Msg>, after: Option<Msg>| {
        if before != after {
            found.push(Difference {
                what,
                before,
                after,
            });
        }
    };
    let mut labels: Vec<(&str, &Label)> = Vec::new();
    for step in before.facts.iter().chain(&after.facts) {
        if !labels.iter().any(|(key, _)| *key == step.key) {
            labels.push((&step.key, &step.label));
        }
    }
    for (key, label) in labels {
        // A parameter that is not among the steps stays as it is.
        let at = |change: &Change, other: &Change| {
            let own = change.facts.iter().find(|s| s.key == key);
            let stays = other.facts.iter().find(|s| s.key == key);
            own.map(|s| value_msg(&s.after))
                .or_else(|| stays.map(|s| value_msg(&s.before)))
        };
        let what = Msg::new("request.diff.label").with("label", label.clone());
        differ(what, at(before, after), at(after, before));
    }
    let money = |amount: Money| Some(Msg::new("request.diff.money").with("amount", amount));
    differ(
        Msg::new("request.diff.month_after"),
        money(before.month_after),
        money(after.month_after),
    );
    let day = |change: &Change| {
        let day = Zone::SHANGHAI.date(change.until_after);
        Some(Msg::new("request.diff.day").with("day", day))
    };
    differ(Msg::new("request.diff.until"), day(before), day(after));
    let mut dimensions: Vec<Dimension> = before
        .amounts
        .iter()
        .chain(&after.amounts)
        .map(|a| a.dimension)
        .filter(|d| *d != Dimension::MonthlyFee)
        .collect();
    dimensions.sort_unstable();
    dimensions.dedup();
    for dimension in dimensions {
        let more = |change: &Change| {
            let step = change.amounts.iter().find(|a| a.dimension == dimension);
            let n = step.map_or(0, |a| a.after - a.before);
            Some(Msg::new("request.diff.amount").with("n", n))
        };
        let name = Msg::new(dimension_key(dimension));
        let what = Msg::new("request.diff.quota").with("dimension", name);
        differ(what, more(before), more(after));
    }
}

fn lines(before: &[ShownLine], after: &[ShownLine], found: &mut Vec<Difference>) {
    let by_id = |lines: &[ShownLine], id: &RequestItemId| {
        lines.iter().find(|l| l.view.line.id == *id).cloned()
    };
    for old in before {
        match by_id(after, &old.view.line.id) {
            None => found.push(Difference {
                what: named(&old.view.line),
                before: Some(summary(&old.view.line)),
                after: None,
            }),
            Some(new) => line(&old.view, &new.view, found),
        }
    }
    for new in after {
        if by_id(before, &new.view.line.id).is_none() {
            found.push(Difference {
                what: named(&new.view.line),
                before: None,
                after: Some(summary(&new.view.line)),
            });
        }
    }
}

fn line(old: &LineView, new: &LineView, found: &mut Vec<Difference>) {
    let (was, is) = (summary(&old.line), summary(&new.line));
    if was != is {
        found.push(Difference {
            what: named(&new.line),
            before: Some(was),
            after: Some(is),
        });
    }
    let place = |v: &LineView| {
        let label = |l: &Option<Label>| l.clone().unwrap_or_default();
        let level = v.line.placement.as_ref().map(|p| p.level.msg());
        Msg::new("request.diff.place")
            .with("zone", label(&v.zone_name))
            .with("pool", label(&v.pool_name))
            .with("level", level.map_or_else(|| Arg::from(""), Arg::from))
    };
    if place(old) != place(new) {
        found.push(Difference {
            what: named(&new.line),
            before: Some(place(old)),
            after: Some(place(new)),
        });
    }
    let mut keys: Vec<&str> = old
        .facts
        .iter()
        .chain(&new.facts)
        .map(|f| f.key.as_str())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let fact = |v: &LineView| v.facts.iter().find(|f| f.key == key).cloned();
        let (was, is) = (fact(old), fact(new));
        if was == is {
            continue;
        }
        let label = is.as_ref().or(was.as_ref()).map(|f| f.label.clone());
        found.push(Difference {
            what: Msg::new("request.diff.fact")
                .with("line", new.line.position)
                .with("fact", label.unwrap_or_default()),
            before: was.as_ref().map(fact_msg),
            after: is.as_ref().map(fact_msg),
        });
    }
}

fn named(line: &Line) -> Msg {
    Msg::new("request.diff.line")
        .with("line", line.position)
        .with("name", line.name.clone())
}

fn summary(line: &Line) -> Msg {
    Msg::new("request.diff.summary")
        .with("item", line.item_name.clone())
        .with("count", line.count)
        .with("months", line.term_months)
        .with("month", line.quote.month)
}

fn fact_msg(fact: &Fact) -> Msg {
    value_msg(&fact.value)
}

fn value_msg(value: &FactValue) -> Msg {
    match value {
        FactValue::Number(n, unit) => Msg::new(format!("quantity.{unit}")).with("n", *n),
        FactValue::Choice(label) => Msg::new("request.diff.label").with("label", label.clone()),
        FactValue::Flag(yes) => Msg::new(if *yes { "answer.yes" } else { "answer.no" }),
        FactValue::Text(text) => Msg::new("request.diff.text").with("text", text.clone()),
    }
}
