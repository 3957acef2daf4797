//! What the administration of the catalogue shows: items, their versions, their prices.

use serde::{Deserialize, Serialize};

use crate::catalogue::Publication;
use crate::msg::Label;
use crate::param::{Condition, Kind, Param, Unit};
use crate::price::Quote;
use crate::time::Timestamp;
use crate::words;

words! {
    /// Which of the two versioned sides of an item is meant.
    pub enum Side {
        /// What it says about itself: name, parameters, what it takes from quotas.
        Content = "content",
        /// What it costs.
        Price = "price",
    }
}

words! {
    /// What may be done with a version now.
    pub enum Act {
        /// Write it on.
        Write = "write",
        /// Show it to a second person.
        Propose = "propose",
        /// Take it back to write it on.
        TakeBack = "take_back",
        /// Put it in force; never by who wrote it.
        Publish = "publish",
    }
}

/// One row of the list of items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemRow {
    /// Code (`C-ECS`).
    pub code: String,
    /// Name in the newest version; empty while there is none.
    pub name: Label,
    /// Whether it can be ordered as soon as both sides are published.
    pub offered: bool,
    /// Number of the content in force.
    pub content: Option<i64>,
    /// Number of the price in force.
    pub price: Option<i64>,
    /// Versions that wait for a second person.
    pub proposed: i64,
}

/// One version of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionRow {
    /// Number, from 1.
    pub number: i64,
    /// Where it stands.
    pub state: Publication,
    /// Who wrote it; `None` for the installation.
    pub written_by: Option<String>,
    /// When.
    pub written_at: Timestamp,
    /// Who published it.
    pub published_by: Option<String>,
    /// When.
    pub published_at: Option<Timestamp>,
    /// JSON, indented.
    pub text: String,
    /// Of a price: what one piece of the default configuration costs by it, with the parameters of the
    /// newest content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
    /// Version of the row, for changes.
    pub version: i64,
    /// What the reader may do with it.
    pub may: Vec<Act>,
}

/// One parameter of an item as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParamRow {
    /// Name in forms and JSON.
    pub key: String,
    /// Name for people.
    pub label: Label,
    /// Type: `integer`, `choice`, `flag`, `attach`, or the shape of a text.
    pub kind: String,
    /// Least and most of a number, and the distance between allowed values.
    pub range: Option<(i64, i64, i64)>,
    /// Most characters of a text.
    pub max_chars: Option<i64>,
    /// What may be chosen, or to which items it may attach.
    pub options: Vec<Label>,
    /// What a number counts.
    pub unit: Option<Unit>,
    /// Value in a fresh form; `true` and `false` for flags.
    pub default: Option<Label>,
    /// Whether an answer is needed.
    pub required: bool,
    /// When it applies, as a formula; empty for always.
    pub depends_on: String,
}

impl From<&Param> for ParamRow {
    fn from(param: &Param) -> Self {
        let plain = |text: String| Label {
            zh: text.clone(),
            en: text,
        };
        let mut row = Self {
            key: param.key.clone(),
            label: param.label.clone(),
            kind: String::new(),
            range: None,
            max_chars: None,
            options: Vec::new(),
            unit: None,
            default: None,
            required: param.required,
            depends_on: param.depends_on.as_ref().map(formula).unwrap_or_default(),
        };
        let kind = match &param.kind {
            Kind::Integer {
                min,
                max,
                step,
                unit,
                default,
            } => {
                row.range = Some((*min, *max, *step));
                row.unit = Some(*unit);
                row.default = Some(plain(default.to_string()));
                "integer"
            }
            Kind::Choice { options, default } => {
                row.options = options.iter().map(|one| one.label.clone()).collect();
                row.default = options
                    .iter()
                    .find(|one| one.value == *default)
                    .map(|one| one.label.clone());
                "choice"
            }
            Kind::Text { shape, max_chars } => {
                row.max_chars = i64::try_from(*max_chars).ok();
                shape.as_str()
            }
            Kind::Flag { default } => {
                row.default = Some(plain(default.to_string()));
                "flag"
            }
            Kind::Attach { items } => {
                row.options = items.iter().cloned().map(plain).collect();
                "attach"
            }
        };
        kind.clone_into(&mut row.kind);
        row
    }
}

/// A condition without words, for those who keep items: `arch = kunpeng / hygon`, `cpu ≥ 4`.
fn formula(condition: &Condition) -> String {
    let join = |of: &[Condition], sign: &str| {
        let parts: Vec<_> = of.iter().map(formula).collect();
        match parts.as_slice() {
            [one] => one.clone(),
            many => format!("({})", many.join(sign)),
        }
    };
    match condition {
        Condition::OneOf { param, values } => format!("{param} = {}", values.join(" / ")),
        Condition::AtLeast { param, value } => format!("{param} ≥ {value}"),
        Condition::All { of } => join(of, " & "),
        Condition::Any { of } => join(of, " | "),
        Condition::Not { of } => format!("¬ {}", formula(of)),
    }
}

/// One item with all versions of both sides, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemView {
    /// Code.
    pub code: String,
    /// Name in the newest version; empty while there is none.
    pub name: Label,
    /// The parameters of the newest version.
    pub params: Vec<ParamRow>,
    /// Whether it can be ordered.
    pub offered: bool,
    /// Version of the item's row.
    pub version: i64,
    /// Versions of the content.
    pub contents: Vec<VersionRow>,
    /// Versions of the price.
    pub prices: Vec<VersionRow>,
    /// Whether the reader may write contents.
    pub may_content: bool,
    /// Whether the reader may write prices.
    pub may_price: bool,
}
