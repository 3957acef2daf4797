//! Parameters of a catalogue item: a typed, versioned schema, and the answers that fit it.
//!
//! The schema is data. A form is generated from it, the browser and the server check answers
//! with it, prices and quotas are computed from the answers; a new item needs no new code.

mod condition;

pub use condition::Condition;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::msg::{FieldError, Label, Msg};
use crate::text;
use crate::words;

words! {
    /// What a number counts.
    pub enum Unit {
        /// 核.
        Core = "core",
        /// GB.
        Gigabyte = "gb",
        /// Mbps.
        Mbps = "mbps",
        /// 天.
        Day = "day",
        /// 人日.
        PersonDay = "person_day",
        /// 个.
        Piece = "piece",
        /// 席.
        Seat = "seat",
        /// 月.
        Month = "month",
    }
}

words! {
    /// What a text must look like.
    pub enum TextShape {
        /// Any line.
        Line = "line",
        /// Several lines.
        Paragraph = "paragraph",
        /// A host name: small letters, digits and hyphens, a letter first, at most 40.
        Hostname = "hostname",
        /// An SSH public key in OpenSSH form.
        SshKey = "ssh_key",
    }
}

/// One option of a choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Choice {
    /// Text in answers; never changes its meaning.
    pub value: String,
    /// Name in both languages.
    pub label: Label,
    /// One sentence of help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Label>,
}

/// The type of a parameter, with its limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", schema(as = ParamKind))]
pub enum Kind {
    /// A whole number.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
        /// Distance between allowed values, counted from `min`; at least 1.
        step: i64,
        /// What is counted.
        unit: Unit,
        /// Value in a fresh form.
        default: i64,
    },
    /// One of a list.
    Choice {
        /// The list.
        options: Vec<Choice>,
        /// Value in a fresh form.
        default: String,
    },
    /// Text.
    Text {
        /// What it must look like.
        shape: TextShape,
        /// Most characters.
        max_chars: usize,
    },
    /// Yes or no.
    Flag {
        /// Value in a fresh form.
        default: bool,
    },
    /// Another item of the same request or a resource of the same system, to which this attaches.
    Attach {
        /// Codes of the items to which it may attach.
        items: Vec<String>,
    },
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(try_from = "crate::wire::ParamRecord")]
pub struct Param {
    /// Name in forms and JSON: small letters, digits, `_`.
    pub key: String,
    /// Name for people.
    pub label: Label,
    /// Help beside the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Label>,
    /// Heading under which the form shows it; parameters of one section stand together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<Label>,
    /// Type and limits.
    #[serde(flatten)]
    pub kind: Kind,
    /// Whether an answer is needed where the parameter applies.
    #[serde(default)]
    pub required: bool,
    /// Whether the parameter applies at all; it may look only at parameters before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Condition>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Answer {
    /// Yes or no.
    Flag(bool),
    /// A number in the parameter's unit.
    Integer(i64),
    /// A text, a choice's value, or the reference of an attachment.
    Text(String),
}

/// Checked answers by key. Parameters that don't apply are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Answers(pub BTreeMap<String, Answer>);

impl Answers {
    /// The number under a key; a flag counts as 1 or 0.
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.0.get(key)? {
            Answer::Integer(n) => Some(*n),
            Answer::Flag(yes) => Some(i64::from(*yes)),
            Answer::Text(_) => None,
        }
    }
    /// The text under a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            Answer::Text(text) => Some(text),
            _ => None,
        }
    }
    /// The flag under a key; absent reads as no.
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.0.get(key), Some(Answer::Flag(true)))
    }
}

/// One answer as people read it: what was asked, and the answer with its unit or its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fact {
    /// Key of the parameter.
    pub key: String,
    /// Name of the parameter.
    pub label: Label,
    /// The answer.
    pub value: FactValue,
}

/// The readable form of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum FactValue {
    /// A number with its unit.
    Number(i64, Unit),
    /// The name of a chosen option.
    Choice(Label),
    /// Yes or no.
    Flag(bool),
    /// Text as it was typed.
    Text(String),
}

/// What people typed, by field name; the last of several equal names counts.
pub type Typed = BTreeMap<String, String>;

/// The parameters of one version of an item, in the order of the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Schema(pub Vec<Param>);

impl Schema {
    /// The parameter with a key.
    pub fn get(&self, key: &str) -> Option<&Param> {
        self.0.iter().find(|p| p.key == key)
    }

    /// Checks the schema itself, before a version is proposed.
    ///
    /// # Errors
    /// What is wrong, each under `params[i].…`.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for (i, param) in self.0.iter().enumerate() {
            let mut wrong = |what: &str, key: &'static str| {
                errors.push(FieldError::new(
                    format!("params[{i}].{what}"),
                    Msg::new(key).with("param", param.key.clone()),
                ));
            };
            let fits = !param.key.is_empty()
                && param.key.len() <= 32
                && param.key.starts_with(|c: char| c.is_ascii_lowercase())
                && param
                    .key
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if !fits || RESERVED.contains(&param.key.as_str()) {
                wrong("key", "schema.key");
            }
            if seen.contains(&param.key.as_str()) {
                wrong("key", "schema.key_twice");
            }
            if param.label.zh.trim().is_empty() {
                wrong("label", "error.required");
            }
            match &param.kind {
                Kind::Integer {
                    min,
                    max,
                    step,
                    default,
                    ..
                } => {
                    if min > max || *min < 0 || *max > 1_000_000_000 || *step < 1 {
                        wrong("min", "schema.range");
                    } else if default < min || default > max || (default - min) % step != 0 {
                        wrong("default", "schema.default");
                    }
                }
                Kind::Choice { options, default } => {
                    let values: BTreeSet<&str> = options.iter().map(|o| o.value.as_str()).collect();
                    if options.is_empty() {
                        wrong("options", "schema.no_options");
                    } else if values.len() < options.len() || values.contains("") {
                        wrong("options", "schema.option_twice");
                    } else if !options.iter().any(|o| o.value == *default) {
                        wrong("default", "schema.default");
                    }
                }
                Kind::Text { max_chars, .. } if !(1..=4000).contains(max_chars) => {
                    wrong("max_chars", "schema.range")
                }
                Kind::Attach { items } if items.is_empty() => wrong("items", "schema.no_options"),
                _ => {}
            }
            if let Some(condition) = &param.depends_on {
                let keys = condition.keys();
                if keys.iter().any(|k| !seen.contains(k)) {
                    wrong("depends_on", "schema.depends_on_later");
                } else if let Some(msg) = condition.fault(self) {
                    errors.push(FieldError::new(format!("params[{i}].depends_on"), msg));
                }
            }
            seen.push(&param.key);
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// The answers in the order of the form, ready to be read; attachments are left out, because
    /// only the request knows the names of its lines.
    pub fn facts(&self, answers: &Answers) -> Vec<Fact> {
        let readable = |param: &Param| {
            let value = match (&param.kind, answers.0.get(&param.key)?) {
                (Kind::Integer { unit, .. }, Answer::Integer(n)) => FactValue::Number(*n, *unit),
                (Kind::Choice { options, .. }, Answer::Text(chosen)) => {
                    let option = options.iter().find(|o| o.value == *chosen);
                    FactValue::Choice(
                        option.map_or_else(|| Label::new(chosen, ""), |o| o.label.clone()),
                    )
                }
                (Kind::Flag { .. }, Answer::Flag(yes)) => FactValue::Flag(*yes),
                (Kind::Text { .. }, Answer::Text(text)) => FactValue::Text(text.clone()),
                _ => return None,
            };
            Some(Fact {
                key: param.key.clone(),
                label: param.label.clone(),
                value,
            })
        };
        self.0.iter().filter_map(readable).collect()
    }

    /// Answers of a fresh form.
    pub fn defaults(&self) -> Answers {
        let mut answers = Answers::default();
        for param in &self.0 {
            if !param.applies(&answers) {
                continue;
            }
            let value = match &param.kind {
                Kind::Integer { default, .. } => Answer::Integer(*default),
                Kind::Choice { default, .. } => Answer::Text(default.clone()),
                Kind::Flag { default } => Answer::Flag(*default),
                Kind::Text { .. } | Kind::Attach { .. } => continue,
            };
            answers.0.insert(param.key.clone(), value);
        }
        answers
    }

    /// Reads what was typed. Fields of parameters that don't apply are ignored, so that a form
    /// without scripts may show them all. A flag that is absent is "no".
    ///
    /// # Errors
    /// Every field that doesn't fit; the answers that do fit come back too, so that price and
    /// quota can be shown for a half-filled form.
    pub fn read(&self, typed: &Typed) -> Result<Answers, (Answers, Vec<FieldError>)> {
        let mut answers = Answers::default();
        let mut errors = Vec::new();
        for param in &self.0 {
            if !param.applies(&answers) {
                continue;
            }
            let text = typed.get(&param.key).map_or("", |t| t.trim());
            match param.read(text) {
                Ok(Some(answer)) => {
                    answers.0.insert(param.key.clone(), answer);
                }
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(answers)
        } else {
            Err((answers, errors))
        }
    }

    /// Checks answers that came as JSON (the programming interface) by the same rules.
    ///
    /// # Errors
    /// As [`Schema::read`]; an unknown key is an error here, because nobody typed it by a form.
    pub fn check_answers(&self, given: &Answers) -> Result<Answers, Vec<FieldError>> {
        let typed: Typed = given
            .0
            .iter()
            .map(|(k, v)| (k.clone(), v.typed()))
            .collect();
        let unknown: Vec<FieldError> = given
            .0
            .keys()
            .filter(|k| self.get(k).is_none())
            .map(|k| FieldError::new(k.clone(), Msg::new("error.unknown_field")))
            .collect();
        match self.read(&typed) {
            Ok(answers) if unknown.is_empty() => Ok(answers),
            Ok(_) => Err(unknown),
            Err((_, mut errors)) => {
                errors.extend(unknown);
                Err(errors)
            }
        }
    }
}

/// Field names that the configure form uses itself.
pub const RESERVED: &[&str] = &[
    "system",
    "zone",
    "level",
    "pool",
    "cell",
    "count",
    "term_months",
    "name",
    "form_id",
    "item",
];

impl Answer {
    /// The answer as a form field holds it.
    pub fn typed(&self) -> String {
        match self {
            Self::Flag(yes) => if *yes { "true" } else { "false" }.to_owned(),
            Self::Integer(n) => n.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Param {
    /// Whether the parameter applies, by the answers before it.
    pub fn applies(&self, answers: &Answers) -> bool {
        self.depends_on.as_ref().is_none_or(|c| c.holds(answers))
    }

    /// Reads one field.
    fn read(&self, typed: &str) -> Result<Option<Answer>, FieldError> {
        let wrong = |msg| Err(FieldError::new(self.key.clone(), msg));
        if let Kind::Flag { .. } = self.kind {
            return match typed {
                "" | "false" | "off" | "0" => Ok(Some(Answer::Flag(false))),
                "true" | "on" | "1" => Ok(Some(Answer::Flag(true))),
                _ => wrong(Msg::new("error.not_in_list")),
            };
        }
        if typed.is_empty() {
            return if self.required
                || matches!(self.kind, Kind::Integer { .. } | Kind::Choice { .. })
            {
                wrong(Msg::new("error.required"))
            } else {
                Ok(None)
            };
        }
        match &self.kind {
            Kind::Integer { min, max, step, .. } => {
                let Some(n) = text::parse_integer(typed) else {
                    return wrong(Msg::new("error.not_a_number"));
                };
                if n < *min {
                    wrong(Msg::new("error.too_small").with("min", *min))
                } else if n > *max {
                    wrong(Msg::new("error.too_large").with("max", *max))
                } else if (n - min) % step != 0 {
                    let below = n - (n - min) % step;
                    wrong(
                        Msg::new("error.step")
                            .with("step", *step)
                            .with("below", below)
                            .with("above", (below + step).min(*max)),
                    )
                } else {
                    Ok(Some(Answer::Integer(n)))
                }
            }
            Kind::Choice { options, .. } => {
                if options.iter().any(|o| o.value == typed) {
                    Ok(Some(Answer::Text(typed.to_owned())))
                } else {
                    wrong(Msg::new("error.not_in_list"))
                }
            }
            Kind::Text { shape, max_chars } => {
                let text = match shape {
                    TextShape::Line => text::line(&self.key, typed, 0, *max_chars)?,
                    TextShape::Paragraph => text::paragraph(&self.key, typed, 0, *max_chars)?,
                    TextShape::Hostname => hostname(&self.key, typed)?,
                    TextShape::SshKey => ssh_key(&self.key, typed)?,
                };
                Ok(Some(Answer::Text(text)))
            }
            Kind::Attach { .. } => Ok(Some(Answer::Text(text::line(&self.key, typed, 1, 80)?))),
            Kind::Flag { .. } => Ok(None),
        }
    }
}

fn hostname(field: &str, typed: &str) -> Result<String, FieldError> {
    let name = text::half_width(typed).to_ascii_lowercase();
    let fits = name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits {
        Ok(name)
    } else {
        Err(FieldError::new(field, Msg::new("error.hostname")))
    }
}

fn ssh_key(field: &str, typed: &str) -> Result<String, FieldError> {
    let mut parts = typed.split_whitespace();
    let kind = parts.next().unwrap_or("");
    let body = parts.next().unwrap_or("");
    let kinds = [
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
    ];
    let base64 = body.len() >= 60
        && body
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    if kinds.contains(&kind) && base64 && typed.len() <= 4000 && !typed.contains('\n') {
        Ok(typed.to_owned())
    } else {
        Err(FieldError::new(field, Msg::new("error.ssh_key")))
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for FactValue {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::Object::new().into()
    }
}
#[cfg(feature = "openapi")]
impl utoipa::ToSchema for FactValue {}

#[cfg(test)]
#[path = "param_tests.rs"]
mod tests;
