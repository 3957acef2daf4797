//! Readers for what is tagged in JSON.
//!
//! Derived readers of tagged enums and flattened fields first copy everything into a buffer of any
//! shape and read each type a second time from there: a fifth of what the browser loads to show
//! one form. These read one flat record and then look at the tag. What is written stays the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};

use crate::money::Rate;
use crate::msg::Label;
use crate::param::{Answer, Choice, Condition, Kind, Param, TextShape, Unit};
use crate::price::{Quantity, Tariff, Tier};

/// The field, or the sentence that it is missing.
fn need<T>(field: Option<T>, name: &str) -> Result<T, String> {
    field.ok_or_else(|| format!("missing field `{name}`"))
}

fn unknown<T>(tag: &str) -> Result<T, String> {
    Err(format!("unknown variant `{tag}`"))
}

/// A [`Param`] with the fields of all types.
#[derive(Deserialize)]
pub(crate) struct ParamRecord {
    key: String,
    label: Label,
    help: Option<Label>,
    section: Option<Label>,
    #[serde(default)]
    required: bool,
    depends_on: Option<Condition>,
    r#type: String,
    min: Option<i64>,
    max: Option<i64>,
    step: Option<i64>,
    unit: Option<Unit>,
    default: Option<Answer>,
    options: Option<Vec<Choice>>,
    shape: Option<TextShape>,
    max_chars: Option<usize>,
    items: Option<Vec<String>>,
}

impl TryFrom<ParamRecord> for Param {
    type Error = String;

    fn try_from(record: ParamRecord) -> Result<Self, String> {
        let kind = match (record.r#type.as_str(), record.default) {
            ("integer", Some(Answer::Integer(default))) => Kind::Integer {
                min: need(record.min, "min")?,
                max: need(record.max, "max")?,
                step: need(record.step, "step")?,
                unit: need(record.unit, "unit")?,
                default,
            },
            ("choice", Some(Answer::Text(default))) => Kind::Choice {
                options: need(record.options, "options")?,
                default,
            },
            ("flag", Some(Answer::Flag(default))) => Kind::Flag { default },
            ("integer" | "choice" | "flag", None) => need(None, "default")?,
            ("integer" | "choice" | "flag", Some(_)) => {
                return Err("`default` is of another type than the parameter".to_owned());
            }
            ("text", _) => Kind::Text {
                shape: need(record.shape, "shape")?,
                max_chars: need(record.max_chars, "max_chars")?,
            },
            ("attach", _) => Kind::Attach {
                items: need(record.items, "items")?,
            },
            (other, _) => unknown(other)?,
        };
        Ok(Self {
            key: record.key,
            label: record.label,
            help: record.help,
            section: record.section,
            kind,
            required: record.required,
            depends_on: record.depends_on,
        })
    }
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl de::Visitor<'_> for Any {
            type Value = Answer;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false, a whole number or a text")
            }
            fn visit_bool<E>(self, yes: bool) -> Result<Answer, E> {
                Ok(Answer::Flag(yes))
            }
            fn visit_i64<E>(self, n: i64) -> Result<Answer, E> {
                Ok(Answer::Integer(n))
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Answer, E> {
                i64::try_from(n).map(Answer::Integer).map_err(E::custom)
            }
            fn visit_str<E>(self, text: &str) -> Result<Answer, E> {
                Ok(Answer::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A [`Quantity`] with the fields of all its forms.
#[derive(Deserialize)]
pub(crate) struct QuantityRecord {
    of: String,
    key: Option<String>,
}

impl TryFrom<QuantityRecord> for Quantity {
    type Error = String;

    fn try_from(record: QuantityRecord) -> Result<Self, String> {
        match record.of.as_str() {
            "one" => Ok(Self::One),
            "param" => Ok(Self::Param {
                key: need(record.key, "key")?,
            }),
            other => unknown(other),
        }
    }
}

/// A [`Tariff`] with the fields of all its forms.
#[derive(Deserialize)]
pub(crate) struct TariffRecord {
    by: String,
    rate: Option<Rate>,
    param: Option<String>,
    rates: Option<BTreeMap<String, Rate>>,
    tiers: Option<Vec<Tier>>,
}

impl TryFrom<TariffRecord> for Tariff {
    type Error = String;

    fn try_from(record: TariffRecord) -> Result<Self, String> {
        match record.by.as_str() {
            "flat" => Ok(Self::Flat {
                rate: need(record.rate, "rate")?,
            }),
            "choice" => Ok(Self::Choice {
                param: need(record.param, "param")?,
                rates: need(record.rates, "rates")?,
            }),
            "tiered" => Ok(Self::Tiered {
                tiers: need(record.tiers, "tiers")?,
            }),
            other => unknown(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json, to_value};

    #[test]
    fn every_type_of_parameter_is_read_as_it_was_written() {
        let label = json!({ "zh": "甲", "en": "A" });
        for kind in [
            json!({ "type": "integer", "min": 1, "max": 9, "step": 1, "unit": "gb", "default": 2 }),
            json!({ "type": "choice", "options": [{ "value": "a", "label": label }], "default": "a" }),
            json!({ "type": "text", "shape": "line", "max_chars": 9 }),
            json!({ "type": "flag", "default": true }),
            json!({ "type": "attach", "items": ["C-ECS"] }),
        ] {
            let mut param = json!({ "key": "k", "label": label, "required": true,
                "depends_on": { "if": "not", "of": { "if": "one_of", "param": "p", "values": ["x"] } } });
            param
                .as_object_mut()
                .unwrap()
                .extend(kind.as_object().unwrap().clone());
            let read: Param = from_value(param.clone()).unwrap();
            assert_eq!(to_value(read).unwrap(), param);
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let said = |param| from_value::<Param>(param).unwrap_err().to_string();
        let label = json!({ "zh": "甲", "en": "A" });
        let integer = json!({ "key": "k", "label": label, "type": "integer", "default": 1 });
        assert!(said(integer).contains("`min`"));
        let flag = json!({ "key": "k", "label": label, "type": "flag", "default": 1 });
        assert!(said(flag).contains("another type"));
        let odd = json!({ "key": "k", "label": label, "type": "colour" });
        assert!(said(odd).contains("colour"));
    }

    #[test]
    fn prices_are_read_as_they_were_written() {
        for tariff in [
            json!({ "by": "flat", "rate": 5 }),
            json!({ "by": "choice", "param": "class", "rates": { "ssd": 5 } }),
            json!({ "by": "tiered", "tiers": [{ "up_to": 5, "rate": 5 }, { "up_to": null, "rate": 6 }] }),
        ] {
            let read: Tariff = from_value(tariff.clone()).unwrap();
            assert_eq!(to_value(read).unwrap(), tariff);
        }
        for quantity in [
            json!({ "of": "one" }),
            json!({ "of": "param", "key": "gb" }),
        ] {
            let read: Quantity = from_value(quantity.clone()).unwrap();
            assert_eq!(to_value(read).unwrap(), quantity);
        }
        assert!(from_value::<Quantity>(json!({ "of": "param" })).is_err());
    }
}
