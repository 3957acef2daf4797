//! When something applies, by the answers to the parameters: a parameter is asked, a part of a price
//! charged, a piece of a quota taken.

use super::{Answer, Answers, Kind, Schema};
use crate::msg::Msg;
use serde::{Deserialize, Serialize};

/// When something applies, by the answers given so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "if", rename_all = "snake_case")]
pub enum Condition {
    /// The answer is one of these texts (flags: `true`, `false`).
    OneOf {
        /// Key of the parameter.
        param: String,
        /// Accepted texts.
        values: Vec<String>,
    },
    /// The number is at least this.
    AtLeast {
        /// Key of the parameter.
        param: String,
        /// The bound.
        value: i64,
    },
    /// All of them.
    All {
        /// The conditions.
        #[cfg_attr(feature = "openapi", schema(no_recursion))]
        of: Vec<Condition>,
    },
    /// Any of them.
    Any {
        /// The conditions.
        #[cfg_attr(feature = "openapi", schema(no_recursion))]
        of: Vec<Condition>,
    },
    /// Not this one.
    Not {
        /// The condition.
        #[cfg_attr(feature = "openapi", schema(no_recursion))]
        of: Box<Condition>,
    },
}

impl Condition {
    /// Whether the condition holds for the answers given.
    pub fn holds(&self, answers: &Answers) -> bool {
        match self {
            Self::OneOf { param, values } => match answers.0.get(param) {
                Some(Answer::Text(text)) => values.contains(text),
                Some(Answer::Flag(yes)) => values
                    .iter()
                    .any(|v| v == if *yes { "true" } else { "false" }),
                Some(Answer::Integer(n)) => values.iter().any(|v| v.parse() == Ok(*n)),
                None => false,
            },
            Self::AtLeast { param, value } => answers.integer(param).is_some_and(|n| n >= *value),
            Self::All { of } => of.iter().all(|c| c.holds(answers)),
            Self::Any { of } => of.iter().any(|c| c.holds(answers)),
            Self::Not { of } => !of.holds(answers),
        }
    }

    /// What keeps the condition from ever holding, where it is none that these parameters can fulfil:
    /// a parameter that is not there, an answer that none of its options gives, a least number of what
    /// is no number. What hangs on such a condition would be free, or taken from no quota, and nobody
    /// would be told.
    pub fn fault(&self, schema: &Schema) -> Option<Msg> {
        let kind = |key: &str| schema.get(key).map(|param| &param.kind);
        let about = |key: &'static str, param: &str| Some(Msg::new(key).with("param", param));
        match self {
            Self::OneOf { param, values } => {
                let Some(kind) = kind(param) else {
                    return about("schema.no_such_param", param);
                };
                if values.is_empty() {
                    return Some(Msg::new("policy.choose"));
                }
                let gives = |value: &String| match kind {
                    Kind::Choice { options, .. } => {
                        options.iter().any(|option| option.value == *value)
                    }
                    Kind::Flag { .. } => ["true", "false"].contains(&value.as_str()),
                    Kind::Integer { .. } => value.parse::<i64>().is_ok(),
                    Kind::Text { .. } | Kind::Attach { .. } => true,
                };
                let dead = values.iter().find(|value| !gives(value))?;
                about("schema.no_such_option", param).map(|msg| msg.with("value", dead.as_str()))
            }
            Self::AtLeast { param, .. } => match kind(param) {
                Some(Kind::Integer { .. } | Kind::Flag { .. }) => None,
                Some(_) => about("schema.no_such_number", param),
                None => about("schema.no_such_param", param),
            },
            Self::All { of } | Self::Any { of } => of.iter().find_map(|one| one.fault(schema)),
            Self::Not { of } => of.fault(schema),
        }
    }

    /// Keys of the parameters at which the condition looks.
    pub fn keys(&self) -> Vec<&str> {
        match self {
            Self::OneOf { param, .. } | Self::AtLeast { param, .. } => vec![param],
            Self::All { of } | Self::Any { of } => of.iter().flat_map(Self::keys).collect(),
            Self::Not { of } => of.keys(),
        }
    }
}
