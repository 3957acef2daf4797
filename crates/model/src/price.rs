//! What a configuration costs: a formula as data, and the quote it yields.
//!
//! The formula belongs to a price version of an item; two persons publish it. An order keeps the
//! quote it was shown as its price snapshot.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::money::{Money, Rate, round_micro};
use crate::msg::{FieldError, Label, Msg};
use crate::param::{Answer, Answers, Condition, Kind, Schema, Unit};
use crate::words;

words! {
    /// When a line is charged.
    pub enum Charge {
        /// For every month.
        Monthly = "monthly",
        /// One time, at delivery.
        Once = "once",
    }
}

/// How many units a line counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(
    tag = "of",
    rename_all = "snake_case",
    try_from = "crate::wire::QuantityRecord"
)]
pub enum Quantity {
    /// One.
    One,
    /// The number answered under a key.
    Param {
        /// Key of an integer parameter.
        key: String,
    },
}

/// One step of a tiered price: units up to and including `up_to` cost `rate` each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tier {
    /// Last unit of this step; `None` for the last step.
    pub up_to: Option<i64>,
    /// Price of each unit inside this step.
    pub rate: Rate,
}

/// What one unit costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(
    tag = "by",
    rename_all = "snake_case",
    try_from = "crate::wire::TariffRecord"
)]
pub enum Tariff {
    /// The same for each unit.
    Flat {
        /// The price.
        rate: Rate,
    },
    /// Depends on a choice (disk class, architecture).
    Choice {
        /// Key of a choice parameter.
        param: String,
        /// Price for each of its values.
        rates: BTreeMap<String, Rate>,
    },
    /// The first units at one price, further ones at another (elastic address: 20 up to 5 M, then 36).
    Tiered {
        /// Steps in rising order.
        tiers: Vec<Tier>,
    },
}

/// One line of a price formula.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Component {
    /// What is paid for.
    pub label: Label,
    /// Price of a unit.
    pub tariff: Tariff,
    /// How many units.
    pub quantity: Quantity,
    /// What is counted; shown behind the quantity.
    pub unit: Unit,
    /// When it is charged.
    pub charge: Charge,
    /// Whether the line applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
}

/// The price formula of one price version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Formula(pub Vec<Component>);

/// One line of a quote, for one piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuoteLine {
    /// What is paid for.
    pub label: Label,
    /// How many units.
    pub quantity: i64,
    /// What is counted.
    pub unit: Unit,
    /// Price of one unit; for a tiered price that of the last unit.
    pub rate: Rate,
    /// Amount of the line.
    pub amount: Money,
    /// When it is charged.
    pub charge: Charge,
}

/// What a configuration costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quote {
    /// Lines for one piece.
    pub lines: Vec<QuoteLine>,
    /// Pieces.
    pub count: i64,
    /// Month price of one piece.
    pub each: Money,
    /// Month price of all pieces.
    pub month: Money,
    /// Charged once, all pieces.
    pub once: Money,
}

impl Quote {
    /// Twelve months and what is charged once.
    pub fn year(&self) -> Money {
        self.month.year() + self.once
    }
}

impl Tariff {
    fn price(&self, answers: &Answers, quantity: i64) -> (Rate, i128) {
        match self {
            Self::Flat { rate } => (*rate, rate.of(quantity)),
            Self::Choice { param, rates } => {
                let rate = answers
                    .text(param)
                    .and_then(|v| rates.get(v))
                    .copied()
                    .unwrap_or_default();
                (rate, rate.of(quantity))
            }
            Self::Tiered { tiers } => {
                let (mut done, mut sum, mut last) = (0, 0, Rate::default());
                for tier in tiers {
                    let upto = tier.up_to.unwrap_or(i64::MAX).min(quantity);
                    if upto > done {
                        sum += tier.rate.of(upto - done);
                        done = upto;
                        last = tier.rate;
                    }
                }
                (last, sum)
            }
        }
    }
}

impl Formula {
    /// Keys of the parameters that the price depends on.
    pub fn keys(&self) -> BTreeSet<&str> {
        let mut keys = BTreeSet::new();
        for component in &self.0 {
            if let Quantity::Param { key } = &component.quantity {
                keys.insert(key.as_str());
            }
            if let Tariff::Choice { param, .. } = &component.tariff {
                keys.insert(param);
            }
            keys.extend(component.when.iter().flat_map(Condition::keys));
        }
        keys
    }

    /// The price of one piece of the cheapest configuration: every number at its least, every choice
    /// the one that costs least.
    pub fn least(&self, schema: &Schema) -> Quote {
        let mut answers = schema.defaults();
        for param in &schema.0 {
            if let Kind::Integer { min, .. } = &param.kind {
                answers.0.insert(param.key.clone(), Answer::Integer(*min));
            }
        }
        for param in &schema.0 {
            let Kind::Choice { options, .. } = &param.kind else {
                continue;
            };
            let with = |value: &str| {
                let mut answers = answers.clone();
                answers
                    .0
                    .insert(param.key.clone(), Answer::Text(value.to_owned()));
                answers
            };
            let cheapest = options
                .iter()
                .map(|option| with(&option.value))
                .min_by_key(|answers| self.quote(answers, 1).year());
            answers = cheapest.unwrap_or(answers);
        }
        self.quote(&answers, 1)
    }

    /// Prices `count` pieces of a configuration. Each line of a piece is rounded once, half up.
    pub fn quote(&self, answers: &Answers, count: i64) -> Quote {
        let mut quote = Quote {
            count,
            ..Quote::default()
        };
        let mut once = Money::ZERO;
        for component in &self.0 {
            if component.when.as_ref().is_some_and(|c| !c.holds(answers)) {
                continue;
            }
            let quantity = match &component.quantity {
                Quantity::One => 1,
                Quantity::Param { key } => answers.integer(key).unwrap_or(0),
            };
            if quantity == 0 {
                continue;
            }
            let (rate, micro) = component.tariff.price(answers, quantity);
            let amount = round_micro(micro);
            match component.charge {
                Charge::Monthly => quote.each += amount,
                Charge::Once => once += amount,
            }
            quote.lines.push(QuoteLine {
                label: component.label.clone(),
                quantity,
                unit: component.unit,
                rate,
                amount,
                charge: component.charge,
            });
        }
        quote.month = quote.each.times(count);
        quote.once = once.times(count);
        quote
    }

    /// Checks a formula against the schema it prices.
    ///
    /// # Errors
    /// What is wrong, each under `price[i].…`: no name, a key that the schema doesn't have, a choice
    /// value without a price, tiers out of order, a negative price.
    pub fn check(&self, schema: &Schema) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        for (i, component) in self.0.iter().enumerate() {
            let mut wrong = |what: &str, msg: Msg| {
                errors.push(FieldError::new(format!("price[{i}].{what}"), msg))
            };
            if component.label.zh.trim().is_empty() {
                wrong("label", Msg::new("error.required"));
            }
            // What never holds is free.
            let when = component.when.as_ref();
            if let Some(msg) = when.and_then(|condition| condition.fault(schema)) {
                wrong("when", msg);
            }
            if let Quantity::Param { key } = &component.quantity
                && !matches!(
                    schema.get(key).map(|p| &p.kind),
                    Some(Kind::Integer { .. } | Kind::Flag { .. })
                )
            {
                wrong(
                    "quantity",
                    Msg::new("schema.no_such_number").with("param", key.clone()),
                );
            }
            match &component.tariff {
                Tariff::Flat { rate } if rate.micro() < 0 => {
                    wrong("rate", Msg::new("schema.negative"))
                }
                Tariff::Flat { .. } => {}
                Tariff::Choice { param, rates } => match schema.get(param).map(|p| &p.kind) {
                    Some(Kind::Choice { options, .. }) => {
                        for option in options.iter().filter(|o| !rates.contains_key(&o.value)) {
                            wrong(
                                "rates",
                                Msg::new("schema.no_price_for").with("value", option.label.clone()),
                            );
                        }
                        if rates.values().any(|r| r.micro() < 0) {
                            wrong("rates", Msg::new("schema.negative"));
                        }
                    }
                    _ => wrong(
                        "param",
                        Msg::new("schema.no_such_choice").with("param", param.clone()),
                    ),
                },
                Tariff::Tiered { tiers } => {
                    let bounds: Vec<i64> =
                        tiers.iter().map(|t| t.up_to.unwrap_or(i64::MAX)).collect();
                    let rising = bounds.windows(2).all(|w| matches!(w, [a, b] if a < b));
                    if tiers.is_empty()
                        || !rising
                        || bounds.last() != Some(&i64::MAX)
                        || tiers.iter().any(|t| t.rate.micro() < 0)
                    {
                        wrong("tiers", Msg::new("schema.tiers"));
                    }
                }
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(pairs: &[(&str, i64)]) -> Answers {
        Answers(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), Answer::Integer(*v)))
                .collect(),
        )
    }
    fn component(tariff: Tariff, key: &str) -> Component {
        Component {
            label: Label::new(key, ""),
            tariff,
            quantity: Quantity::Param { key: key.into() },
            unit: Unit::Piece,
            charge: Charge::Monthly,
            when: None,
        }
    }

    #[test]
    fn a_host_of_4_cores_and_8_gb_costs_320_a_month() {
        let formula = Formula(vec![
            component(
                Tariff::Flat {
                    rate: Rate::from_fen(4600),
                },
                "vcpus",
            ),
            component(
                Tariff::Flat {
                    rate: Rate::from_fen(1700),
                },
                "memory_gb",
            ),
        ]);
        let quote = formula.quote(&answers(&[("vcpus", 4), ("memory_gb", 8)]), 2);
        assert_eq!(
            (quote.each, quote.month),
            (Money::from_yuan(320), Money::from_yuan(640))
        );
        assert_eq!(quote.year(), Money::from_yuan(7680));
    }

    #[test]
    fn an_address_of_10_mbps_costs_280_by_tiers() {
        let formula = Formula(vec![component(
            Tariff::Tiered {
                tiers: vec![
                    Tier {
                        up_to: Some(5),
                        rate: Rate::from_fen(2000),
                    },
                    Tier {
                        up_to: None,
                        rate: Rate::from_fen(3600),
                    },
                ],
            },
            "mbps",
        )]);
        assert_eq!(
            formula.quote(&answers(&[("mbps", 10)]), 1).month,
            Money::from_yuan(280)
        );
        assert_eq!(
            formula.quote(&answers(&[("mbps", 5)]), 1).month,
            Money::from_yuan(100)
        );
    }

    #[test]
    fn a_formula_that_misses_a_choice_or_a_key_is_refused() {
        let schema: Schema = serde_json::from_str(r#"[{"key":"class","label":{"zh":"类型"},"type":"choice","options":[{"value":"ssd","label":{"zh":"SSD"}},{"value":"sata","label":{"zh":"SATA"}}],"default":"ssd"}]"#).unwrap();
        let formula = Formula(vec![component(
            Tariff::Choice {
                param: "class".into(),
                rates: [("ssd".to_owned(), Rate::from_fen(70))].into(),
            },
            "size_gb",
        )]);
        let fields = |formula: &Formula| -> Vec<String> {
            let errors = formula.check(&schema).unwrap_err();
            errors.into_iter().map(|e| e.field.to_string()).collect()
        };
        assert_eq!(fields(&formula), ["price[0].quantity", "price[0].rates"]);

        let Formula(mut nameless) = formula;
        for part in &mut nameless {
            part.label = Label::new(" ", "");
            part.when = Some(Condition::AtLeast {
                param: "gone".into(),
                value: 1,
            });
        }
        assert_eq!(
            fields(&Formula(nameless))[..2],
            ["price[0].label", "price[0].when"]
        );
    }
}
