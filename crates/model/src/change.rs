//! Changing what runs (变更): a host of another size, a disk that grows, another backup plan, a term
//! that goes on, and one more disk out of a snapshot or a backup of a disk.
//!
//! A [`Plan`] is made from how a resource stands, what is offered today, and what was typed. It says
//! how the resource will stand; everything else (what is held, freed, paid, shown) is the difference
//! between the two.

use serde::{Deserialize, Serialize};

use crate::catalogue::{Fulfiller, Offer};
use crate::id::{BackupId, ItemVersionId, SnapshotId};
use crate::money::Money;
use crate::msg::{FieldError, Label, Msg};
use crate::param::{Answers, Fact, FactValue, Schema, Typed};
use crate::quota::{Amounts, Dimension};
use crate::request::{self, MAX_TERM_MONTHS};
use crate::text;
use crate::time::{Timestamp, Zone};
use crate::words;

words! {
    /// What is changed about a resource.
    #[cfg_attr(feature = "openapi", schema(as = ChangeKind))]
    pub enum What {
        /// Cores and memory of a host (变更规格).
        Resize = "resize",
        /// The size of a disk, which never shrinks (扩容).
        Extend = "extend",
        /// Space, schedule and keeping of a backup plan (变更备份策略).
        Plan = "plan",
        /// The term (续期).
        Renew = "renew",
        /// A new disk out of a snapshot of a disk, which itself stays as it is (用快照新建云硬盘).
        Restore = "restore",
        /// A new disk out of a backup of a disk, which itself stays as it is (用备份新建云硬盘).
        RestoreBackup = "restore_backup",
    }
}

impl What {
    /// The parameters that it changes on a kind of thing; none for a renewal.
    pub const fn keys(self, kind: Fulfiller) -> &'static [&'static str] {
        match (self, kind) {
            (Self::Resize, Fulfiller::Server) => &["vcpus", "memory_gb"],
            (Self::Extend, Fulfiller::Volume) => &["size_gb"],
            (Self::Plan, Fulfiller::Backup) => &["size_gb", "schedule", "keep_days"],
            _ => &[],
        }
    }

    /// Whether a kind of thing can be changed so. Work of people has no size and no term.
    pub const fn fits(self, kind: Fulfiller) -> bool {
        match self {
            Self::Renew => !matches!(kind, Fulfiller::People),
            Self::Restore | Self::RestoreBackup => matches!(kind, Fulfiller::Volume),
            Self::Resize | Self::Extend | Self::Plan => !self.keys(kind).is_empty(),
        }
    }

    /// Whether it leaves the resource as it is and makes one more disk out of a copy of it.
    pub const fn makes_disk(self) -> bool {
        matches!(self, Self::Restore | Self::RestoreBackup)
    }

    /// Of which kind of request the policy is by which it is judged. One more disk is an order,
    /// whatever it is made of.
    pub const fn judged_as(self) -> request::Kind {
        match self {
            Self::Restore | Self::RestoreBackup => request::Kind::New,
            Self::Resize | Self::Extend | Self::Plan | Self::Renew => request::Kind::Change,
        }
    }
}

/// How a resource stands: all that a change may touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stand {
    /// Version of the item.
    pub version: ItemVersionId,
    /// Number of the price version.
    pub price_version: i64,
    /// Answers to the parameters.
    pub answers: Answers,
    /// What it takes from the quota, its month price included.
    pub amounts: Amounts,
    /// Month price.
    pub month: Money,
    /// Month price of a renewed term that was agreed to and has not begun.
    #[serde(default)]
    pub next: Option<Money>,
    /// End of the term.
    pub until: Timestamp,
}

/// A copy of a disk out of which a new disk is made. Written down as the id alone, whose first letters
/// tell what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CopyId {
    /// A snapshot that somebody took.
    Snapshot(SnapshotId),
    /// A backup that a plan made.
    Backup(BackupId),
}

impl CopyId {
    /// Making a disk out of it.
    pub const fn what(&self) -> What {
        match self {
            Self::Snapshot(_) => What::Restore,
            Self::Backup(_) => What::RestoreBackup,
        }
    }

    /// The field of the form that holds it.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Snapshot(_) => "snapshot",
            Self::Backup(_) => "backup",
        }
    }

    /// The id as it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Snapshot(id) => id.as_str(),
            Self::Backup(id) => id.as_str(),
        }
    }
}

impl From<&SnapshotId> for CopyId {
    fn from(id: &SnapshotId) -> Self {
        Self::Snapshot(id.clone())
    }
}

impl From<&BackupId> for CopyId {
    fn from(id: &BackupId) -> Self {
        Self::Backup(id.clone())
    }
}

/// The disk that a restore makes, beside what it costs and takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewDisk {
    /// Out of which copy.
    #[serde(rename = "snapshot")]
    pub copy: CopyId,
    /// The name of a snapshot; a backup has none.
    #[serde(rename = "snapshot_name")]
    pub copy_name: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// Name of the new disk.
    pub name: String,
}

impl NewDisk {
    /// What stands beside nothing: name and copy, and the specification.
    fn steps(&self, specification: Vec<Fact>) -> Vec<FactStep> {
        let at = self.taken_at.minute_text(Zone::SHANGHAI);
        let (key, copy, of) = match self.copy {
            CopyId::Snapshot(_) => {
                let of = format!("{} · {at}", self.copy_name);
                ("snapshot", Label::new("快照", "Snapshot"), of)
            }
            CopyId::Backup(_) => ("backup", Label::new("备份", "Backup"), at),
        };
        let own = [
            (
                "name",
                Label::new("新云硬盘", "New disk"),
                self.name.clone(),
            ),
            (key, copy, of),
        ];
        let step = |key: String, label, after| FactStep {
            key,
            label,
            before: FactValue::Text(NOTHING.to_owned()),
            after,
        };
        let own = own.map(|(key, label, text)| step(key.to_owned(), label, FactValue::Text(text)));
        let rest = specification
            .into_iter()
            .map(|f| step(f.key, f.label, f.value));
        own.into_iter().chain(rest).collect()
    }
}

/// What stands where there was nothing before.
pub const NOTHING: &str = "—";

/// A change that was thought through: from how the resource stands to how it will stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What is changed.
    pub what: What,
    /// Months by which the term grows; 0 for a change of size.
    pub months: i64,
    /// How it stands.
    pub was: Stand,
    /// How it will stand.
    pub will: Stand,
    /// From when the new month price holds; `None` is "from the delivery of the change".
    pub price_from: Option<Timestamp>,
    /// Of a restore: the disk that is made.
    #[serde(default)]
    pub disk: Option<NewDisk>,
}

/// One answer before and after (原/现).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FactStep {
    /// Key of the parameter.
    pub key: String,
    /// Name of the parameter.
    pub label: crate::msg::Label,
    /// As it is.
    pub before: FactValue,
    /// As it will be.
    pub after: FactValue,
}

/// One dimension of the quota before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AmountStep {
    /// The dimension.
    pub dimension: Dimension,
    /// What the resource takes now.
    pub before: i64,
    /// What it will take.
    pub after: i64,
}

/// A change as people read it: before and after, side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ResourceChange))]
pub struct Change {
    /// What is changed.
    pub what: What,
    /// Months by which the term grows; 0 for a change of size.
    pub months: i64,
    /// The parameters that change.
    pub facts: Vec<FactStep>,
    /// Month price before.
    pub month_before: Money,
    /// Month price after.
    pub month_after: Money,
    /// From when the new month price holds; `None` is "from the delivery of the change".
    pub price_from: Option<Timestamp>,
    /// Number of the price version by which the new price was found.
    pub price_version: i64,
    /// End of the term before.
    pub until_before: Timestamp,
    /// End of the term after.
    pub until_after: Timestamp,
    /// The dimensions of the quota that change.
    pub amounts: Vec<AmountStep>,
}

impl Change {
    /// By how much the month price grows; negative when it falls.
    pub fn difference(&self) -> Money {
        self.month_after - self.month_before
    }
}

impl Plan {
    /// A new disk out of a copy: nothing stood before, so all of it is added and all of its
    /// price has to be agreed to.
    pub fn restore(disk: NewDisk, will: Stand) -> Self {
        let was = Stand {
            answers: Answers::default(),
            amounts: Amounts::default(),
            month: Money::ZERO,
            ..will.clone()
        };
        Self {
            what: disk.copy.what(),
            months: 0,
            was,
            will,
            price_from: None,
            disk: Some(disk),
        }
    }

    /// The difference of every dimension; positive is more.
    pub fn differences(&self) -> Amounts {
        let mut all = self.will.amounts.clone();
        all.add_all(&self.was.amounts.times(-1));
        all.0.retain(|_, n| *n != 0);
        all
    }

    /// What is taken beyond what the resource takes already.
    pub fn more(&self) -> Amounts {
        let mut more = self.differences();
        more.0.retain(|_, n| *n > 0);
        more
    }

    /// What is given back, as positive numbers.
    pub fn less(&self) -> Amounts {
        let mut less = self.differences();
        less.0.retain(|_, n| *n < 0);
        less.times(-1)
    }

    /// By how much the month price grows; negative when it falls.
    pub fn difference(&self) -> Money {
        self.will.month - self.was.month
    }

    /// The month price to which somebody must agree: of a new size the difference, because the rest
    /// was agreed to; of a renewal the whole, because consent ended with the term, and so of a disk
    /// that was not there. A new size also
    /// sets the price of a renewed term, so what counts beside one is the lower of the two prices.
    pub fn to_agree(&self) -> Money {
        match self.what {
            What::Renew | What::Restore | What::RestoreBackup => self.will.month,
            What::Resize | What::Extend | What::Plan => {
                let agreed = self.was.next.unwrap_or(self.was.month).min(self.was.month);
                (self.will.month - agreed).max(Money::ZERO)
            }
        }
    }

    /// Before and after, side by side. `schema` is that of the version that the resource will have.
    pub fn shown(&self, schema: &Schema) -> Change {
        let (old, new) = (
            schema.facts(&self.was.answers),
            schema.facts(&self.will.answers),
        );
        let step = |after: crate::param::Fact| {
            let before = old.iter().find(|b| b.key == after.key)?;
            (before.value != after.value).then(|| FactStep {
                before: before.value.clone(),
                key: after.key,
                label: after.label,
                after: after.value,
            })
        };
        let amounts = self
            .differences()
            .0
            .into_keys()
            .map(|dimension| AmountStep {
                dimension,
                before: self.was.amounts.get(dimension),
                after: self.will.amounts.get(dimension),
            });
        Change {
            what: self.what,
            months: self.months,
            facts: match &self.disk {
                Some(disk) => disk.steps(new),
                None => new.into_iter().filter_map(step).collect(),
            },
            month_before: self.was.month,
            month_after: self.will.month,
            price_from: self.price_from,
            price_version: self.will.price_version,
            until_before: self.was.until,
            until_after: self.will.until,
            amounts: amounts.collect(),
        }
    }
}

/// Thinks a change through. What can't be read or can't be done comes back beside the plan, which
/// then holds what could be read, so that a half-filled form shows something. What a restore would
/// make is no change of the disk: [`Plan::restore`].
pub fn plan(
    what: What,
    kind: Fulfiller,
    was: &Stand,
    offer: Option<&Offer>,
    typed: &Typed,
    (zone, now): (Zone, Timestamp),
) -> (Plan, Vec<FieldError>) {
    let mut plan = Plan {
        what,
        months: 0,
        was: was.clone(),
        will: was.clone(),
        price_from: None,
        disk: None,
    };
    let mut errors = Vec::new();
    if what.makes_disk() || !what.fits(kind) {
        errors.push(FieldError::new("what", Msg::new("change.not_for_this")));
    } else if what == What::Renew {
        renew(&mut plan, offer, typed, (zone, now), &mut errors);
    } else {
        match offer {
            Some(offer) => resize(&mut plan, what.keys(kind), offer, typed, &mut errors),
            None => errors.push(FieldError::new("what", Msg::new("change.not_offered"))),
        }
    }
    (plan, errors)
}

fn resize(
    plan: &mut Plan,
    keys: &[&str],
    offer: &Offer,
    typed: &Typed,
    errors: &mut Vec<FieldError>,
) {
    let was = &plan.was.answers;
    let mut merged: Typed = was.0.iter().map(|(k, a)| (k.clone(), a.typed())).collect();
    for key in keys {
        if let Some(text) = typed.get(*key) {
            merged.insert((*key).to_owned(), text.clone());
        }
    }
    let answers = match offer.content.schema.read(&merged) {
        Ok(answers) => answers,
        Err((mut answers, wrong)) => {
            for error in wrong {
                // What can't be read counts as it stands, so that a price can be shown.
                if let Some(old) = was.0.get(&error.field) {
                    answers.0.insert(error.field.clone(), old.clone());
                }
                if keys.contains(&error.field.as_str()) {
                    errors.push(error);
                } else if !errors.iter().any(|e| e.field == "what") {
                    // The item is another by now: what stands does not fit into it any more.
                    errors.push(FieldError::new("what", Msg::new("change.item_changed")));
                }
            }
            answers
        }
    };
    let number = |answers: &Answers, key: &str| answers.integer(key).unwrap_or(0);
    let same = keys
        .iter()
        .all(|key| answers.0.get(*key) == was.0.get(*key));
    if let Some(key) = keys.first()
        && errors.is_empty()
        && same
    {
        errors.push(FieldError::new(*key, Msg::new("change.nothing")));
    }
    if plan.what == What::Extend {
        for key in keys {
            let least = number(was, key);
            if number(&answers, key) < least {
                let msg = Msg::new("change.never_shrinks").with("least", least);
                errors.push(FieldError::new(*key, msg));
            }
        }
    }
    let month = offer.price.quote(&answers, 1).each;
    let mut amounts = offer.content.consumption.amounts(&answers, 1);
    amounts.add(Dimension::MonthlyFee, month.fen());
    plan.will = Stand {
        version: offer.version_id.clone(),
        price_version: offer.price_version,
        answers,
        amounts,
        month,
        next: None,
        until: plan.was.until,
    };
}

fn renew(
    plan: &mut Plan,
    offer: Option<&Offer>,
    typed: &Typed,
    (zone, now): (Zone, Timestamp),
    errors: &mut Vec<FieldError>,
) {
    let text = typed.get("months").map_or("", |t| t.trim());
    let wrong = |msg| FieldError::new("months", msg);
    let months = match text::parse_integer(text) {
        _ if text.is_empty() => Err(wrong(Msg::new("error.required"))),
        None => Err(wrong(Msg::new("error.not_a_number"))),
        Some(n) if n < 1 => Err(wrong(Msg::new("error.too_small").with("min", 1))),
        Some(n) if n > MAX_TERM_MONTHS => {
            let msg = Msg::new("error.too_large").with("max", MAX_TERM_MONTHS);
            Err(wrong(msg))
        }
        Some(n) => Ok(n),
    };
    let months = months.unwrap_or_else(|error| {
        errors.push(error);
        0
    });
    let was = &plan.was;
    let day = zone
        .date(was.until)
        .plus_months(i32::try_from(months).unwrap_or(0));
    let will = &mut plan.will;
    if months > 0 {
        will.until = zone.moment(day, 0);
        if will.until <= now {
            errors.push(wrong(Msg::new("change.term_over")));
        }
    }
    plan.months = months;
    // The price of the day, if the item is still offered and what stands still fits into it.
    let priced = offer.filter(|o| o.content.schema.check_answers(&was.answers).is_ok());
    if let Some(offer) = priced {
        will.month = offer.price.quote(&was.answers, 1).each;
        will.price_version = offer.price_version;
    }
    if will.month != was.month {
        plan.price_from = Some(was.until.max(now));
    }
    // The contract price holds to the end of the term: until then the quota takes the higher one.
    let fee = if was.until > now {
        will.month.max(was.month)
    } else {
        will.month
    };
    will.amounts.0.insert(Dimension::MonthlyFee, fee.fen());
    will.amounts.0.retain(|_, n| *n != 0);
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
