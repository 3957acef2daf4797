//! The form of an item's content: its parameters and what it takes from quotas as rows with names, read
//! from what was posted, changed by buttons, and turned into a content. Nothing here is of the page.
//!
//! A parameter is `p1`, what it takes from a quota `q1`; a row keeps its name for as long as the form is
//! open, as the rows of a policy do ([`super::policy_rows`]).

mod lines;
mod press;

use super::{
    policy_rows::{ROW, all},
    when::When,
};
use lines::{choices, codes, is_line, labels, written};
use lingbao_model::{
    catalogue::{Content, Family, Fulfiller},
    msg::{FieldError, Label, Msg},
    param::{Kind, Param, Schema, TextShape, Unit},
    price::Quantity,
    quota::{Consumption, Dimension, Takes},
    text::parse_integer,
};

/// A text in Chinese and in English.
pub type Both = (String, String);

/// Type of a whole number.
pub const INTEGER: &str = "integer";
/// Type of one of a list.
pub const CHOICE: &str = "choice";
/// Type of a yes or no.
pub const FLAG: &str = "flag";
/// Type of what attaches to another item.
pub const ATTACH: &str = "attach";

/// The types of a parameter; a text has the name of its shape.
pub fn kinds() -> Vec<&'static str> {
    let texts = TextShape::ALL.iter().map(|shape| shape.as_str());
    [INTEGER, CHOICE, FLAG, ATTACH]
        .into_iter()
        .chain(texts)
        .collect()
}

/// One parameter, as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamLine {
    /// `p1`.
    pub name: String,
    /// Name in JSON.
    pub key: String,
    /// Name for people.
    pub called: Both,
    /// Help beside the field.
    pub help: Both,
    /// Heading.
    pub section: Both,
    /// One of [`kinds`].
    pub kind: String,
    /// Least, most and distance of a number.
    pub range: [String; 3],
    /// [`Unit`] of a number.
    pub unit: String,
    /// Value in a fresh form.
    pub default: String,
    /// Options, one a line.
    pub options: String,
    /// Most characters of a text.
    pub max_chars: String,
    /// Codes of the items to which it may attach.
    pub items: String,
    /// Whether an answer is needed.
    pub required: bool,
    /// When it applies.
    pub when: When,
}

/// What a piece takes from a quota, as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakesLine {
    /// `q1`.
    pub name: String,
    /// [`Dimension`].
    pub dimension: String,
    /// Key of the parameter that counts; nothing for one.
    pub quantity: String,
    /// When it is taken.
    pub when: When,
}

/// The whole form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Name.
    pub called: Both,
    /// What it is good for.
    pub summary: Both,
    /// [`Family`].
    pub family: String,
    /// [`Fulfiller`].
    pub fulfiller: String,
    /// Most pieces of a line.
    pub max_count: String,
    /// Hours from approval to delivery.
    pub deliver_hours: String,
    /// What people do, one thing a line.
    pub checklist: String,
    /// The parameters.
    pub params: Vec<ParamLine>,
    /// What it takes from quotas.
    pub takes: Vec<TakesLine>,
}

impl Rows {
    /// The rows of a content; `None` if there is something in it that the form can't show: nested
    /// conditions, bars or line breaks where the form has none, a fee that is taken from the quota beside
    /// the one that every price takes.
    pub fn of(content: &Content) -> Option<Self> {
        let schema = &content.schema;
        let takes = |(n, takes): (usize, &Takes)| {
            let name = format!("q{n}");
            (takes.dimension != Dimension::MonthlyFee).then_some(())?;
            Some(TakesLine {
                dimension: takes.dimension.to_string(),
                quantity: match &takes.quantity {
                    Quantity::One => String::new(),
                    Quantity::Param { key } => key.clone(),
                },
                when: When::of(&name, takes.when.as_ref(), schema)?,
                name,
            })
        };
        [&content.name.zh, &content.name.en]
            .into_iter()
            .all(|text| is_line(text))
            .then_some(())?;
        let params = schema.0.iter().enumerate();
        let taken = content.consumption.0.iter().enumerate();
        Some(Self {
            called: both(&content.name),
            summary: both(&content.summary),
            family: content.family.to_string(),
            fulfiller: content.fulfiller.to_string(),
            max_count: content.max_count.to_string(),
            deliver_hours: content.deliver_hours.to_string(),
            checklist: written(content.checklist.iter().map(|one| vec![&one.zh, &one.en]))?,
            params: params
                .map(|(n, param)| line(&format!("p{n}"), param, schema))
                .collect::<Option<_>>()?,
            takes: taken.map(takes).collect::<Option<_>>()?,
        })
    }

    /// What was posted.
    pub fn read(values: &[(String, String)]) -> Self {
        let names = all(values, ROW);
        let one = |name: &str| (*all(values, name).first().unwrap_or(&"")).to_owned();
        let pair = |name: &str| (one(name), one(&format!("{name}_en")));
        let rows = |letter: char| {
            let own = names.iter().filter(move |name| {
                let number = name.strip_prefix(letter);
                number.is_some_and(|n| n.parse::<u32>().is_ok())
            });
            own.map(|name| (*name).to_owned())
        };
        let param = |name: String| {
            let field = |field: &str| format!("{name}.{field}");
            ParamLine {
                key: one(&field("key")),
                called: pair(&field("name")),
                help: pair(&field("help")),
                section: pair(&field("section")),
                kind: one(&field("type")),
                range: ["min", "max", "step"].map(|of| one(&field(of))),
                unit: one(&field("unit")),
                default: one(&field("default")),
                options: one(&field("options")),
                max_chars: one(&field("max_chars")),
                items: one(&field("items")),
                required: one(&field("required")) == "true",
                when: When::read(&name, values),
                name,
            }
        };
        let takes = |name: String| TakesLine {
            dimension: one(&format!("{name}.dimension")),
            quantity: one(&format!("{name}.quantity")),
            when: When::read(&name, values),
            name,
        };
        Self {
            called: pair("name"),
            summary: pair("summary"),
            family: one("family"),
            fulfiller: one("fulfiller"),
            max_count: one("max_count"),
            deliver_hours: one("deliver_hours"),
            checklist: one("checklist"),
            params: rows('p').map(param).collect(),
            takes: rows('q').map(takes).collect(),
        }
    }

    /// The parameters as far as they can be read, without conditions: what the lists of the form offer.
    pub fn schema(&self) -> Schema {
        let params = self.params.iter();
        Schema(params.map(|row| row.param(&mut |_, _| ())).collect())
    }

    /// The content that the form says, checked.
    ///
    /// # Errors
    /// What is wrong, at the fields.
    pub fn content(&self) -> Result<Content, Vec<FieldError>> {
        let mut errors: Vec<FieldError> = Vec::new();
        let mut failed = |field: String, msg: Msg| errors.push(FieldError::new(field, msg));
        let mut schema = Schema(
            self.params
                .iter()
                .map(|row| row.param(&mut failed))
                .collect(),
        );
        let plain = schema.clone();
        for (param, row) in schema.0.iter_mut().zip(&self.params) {
            param.depends_on = row.when.condition(&plain, &mut failed);
        }
        let takes = self.takes.iter().map(|row| Takes {
            dimension: listed(
                &row.dimension,
                &row.name,
                "dimension",
                Dimension::Vcpu,
                &mut failed,
            ),
            quantity: match row.quantity.as_str() {
                "" => Quantity::One,
                key => Quantity::Param { key: key.into() },
            },
            when: row.when.condition(&plain, &mut failed),
        });
        let consumption = Consumption(takes.collect());
        let fulfiller = self.fulfiller.parse().unwrap_or_else(|_| {
            failed("fulfiller".to_owned(), Msg::new("error.not_in_list"));
            Fulfiller::People
        });
        let family = self.family.parse().unwrap_or_else(|_| {
            failed("family".to_owned(), Msg::new("error.not_in_list"));
            Family::Service
        });
        let content = Content {
            name: label(&self.called),
            summary: label(&self.summary),
            family,
            fulfiller,
            // What people do has no place, and all else has one.
            placed: fulfiller != Fulfiller::People,
            schema,
            consumption,
            max_count: whole(&self.max_count, "max_count", &mut failed),
            deliver_hours: whole(&self.deliver_hours, "deliver_hours", &mut failed),
            checklist: labels(&self.checklist),
        };
        let found = content.check().err().unwrap_or_default();
        for error in found.into_iter().map(|error| self.at_field(error)) {
            // One message a field: what can't be read need not fit as well.
            if errors.iter().all(|one| one.field != error.field) {
                errors.push(error);
            }
        }
        if errors.is_empty() {
            Ok(content)
        } else {
            Err(errors)
        }
    }

    /// A message about a place in the content as one about the field where it was typed.
    fn at_field(&self, error: FieldError) -> FieldError {
        let FieldError { field, msg } = error;
        let number = |rest: &str| rest.split(']').next()?.parse::<usize>().ok();
        if let Some(rest) = field.strip_prefix("params[") {
            let row = number(rest).and_then(|n| self.params.get(n));
            let what = match rest.rsplit('.').next().unwrap_or_default() {
                "label" => "name",
                "depends_on" => When::field(&msg),
                what => what,
            };
            let name = row.map_or("params", |row| row.name.as_str());
            return FieldError::new(format!("{name}.{what}"), msg);
        }
        if let Some(rest) = field.strip_prefix("consumption[") {
            let row = number(rest).and_then(|n| self.takes.get(n));
            let name = row.map_or("takes", |row| row.name.as_str());
            let what = if rest.ends_with(".when") {
                When::field(&msg)
            } else {
                "quantity"
            };
            return FieldError::new(format!("{name}.{what}"), msg);
        }
        FieldError::new(field, msg)
    }
}

impl ParamLine {
    /// The parameter without its condition.
    fn param(&self, failed: &mut dyn FnMut(String, Msg)) -> Param {
        let name = &self.name;
        let field = |field: &str| format!("{name}.{field}");
        let kind = match self.kind.as_str() {
            INTEGER => {
                let [min, max, step] = &self.range;
                Kind::Integer {
                    min: whole(min, &field("min"), failed),
                    max: whole(max, &field("max"), failed),
                    step: whole(step, &field("step"), failed),
                    unit: listed(&self.unit, name, "unit", Unit::Piece, failed),
                    default: whole(&self.default, &field("default"), failed),
                }
            }
            CHOICE => Kind::Choice {
                options: choices(&self.options),
                default: self.default.trim().to_owned(),
            },
            FLAG => Kind::Flag {
                default: self.default == "true",
            },
            ATTACH => Kind::Attach {
                items: codes(&self.items),
            },
            shape => Kind::Text {
                shape: listed(shape, name, "type", TextShape::Line, failed),
                max_chars: usize::try_from(whole(&self.max_chars, &field("max_chars"), failed))
                    .unwrap_or(0),
            },
        };
        Param {
            key: self.key.trim().to_owned(),
            label: label(&self.called),
            help: some(label(&self.help)),
            section: some(label(&self.section)),
            kind,
            required: self.required,
            depends_on: None,
        }
    }
}

fn line(name: &str, param: &Param, schema: &Schema) -> Option<ParamLine> {
    let maybe = |label: &Option<Label>| label.as_ref().map(both).unwrap_or_default();
    let texts = [&Some(param.label.clone()), &param.help, &param.section];
    let mut texts = texts.into_iter().map(maybe);
    texts
        .all(|(zh, en)| is_line(&zh) && is_line(&en))
        .then_some(())?;
    let mut row = ParamLine {
        name: name.to_owned(),
        key: param.key.clone(),
        called: both(&param.label),
        help: maybe(&param.help),
        section: maybe(&param.section),
        kind: String::new(),
        range: <[String; 3]>::default(),
        unit: String::new(),
        default: String::new(),
        options: String::new(),
        max_chars: String::new(),
        items: String::new(),
        required: param.required,
        when: When::of(name, param.depends_on.as_ref(), schema)?,
    };
    row.kind = match &param.kind {
        Kind::Integer {
            min,
            max,
            step,
            unit,
            default,
        } => {
            row.range = [min, max, step].map(i64::to_string);
            row.unit = unit.to_string();
            row.default = default.to_string();
            INTEGER.to_owned()
        }
        Kind::Choice { options, default } => {
            let nothing = Label::default();
            row.options = written(options.iter().map(|one| {
                let hint = one.hint.as_ref().unwrap_or(&nothing);
                vec![&one.value, &one.label.zh, &one.label.en, &hint.zh, &hint.en]
            }))?;
            row.default.clone_from(default);
            CHOICE.to_owned()
        }
        Kind::Flag { default } => {
            row.default = default.to_string();
            FLAG.to_owned()
        }
        Kind::Attach { items } => {
            row.items = items.join(", ");
            ATTACH.to_owned()
        }
        Kind::Text { shape, max_chars } => {
            row.max_chars = max_chars.to_string();
            shape.to_string()
        }
    };
    Some(row)
}

fn both(label: &Label) -> Both {
    (label.zh.clone(), label.en.clone())
}

fn label((zh, en): &Both) -> Label {
    Label::new(zh.trim(), en.trim())
}

/// A label that may be missing.
fn some(label: Label) -> Option<Label> {
    (!label.zh.is_empty()).then_some(label)
}

fn whole(typed: &str, field: &str, failed: &mut dyn FnMut(String, Msg)) -> i64 {
    parse_integer(typed).unwrap_or_else(|| {
        failed(field.to_owned(), Msg::new("error.not_a_number"));
        0
    })
}

fn listed<T: std::str::FromStr>(
    typed: &str,
    name: &str,
    field: &str,
    other: T,
    failed: &mut dyn FnMut(String, Msg),
) -> T {
    typed.parse().unwrap_or_else(|_| {
        failed(format!("{name}.{field}"), Msg::new("error.not_in_list"));
        other
    })
}

#[cfg(test)]
#[path = "content_rows/tests.rs"]
mod tests;
