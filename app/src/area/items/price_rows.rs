//! The form of a price: its parts with names, read from what was posted, changed by buttons, and turned
//! into a formula. Nothing here is of the page.
//!
//! A part keeps its name for as long as the form is open (`p1`, its second step `p1.t1`), as the rows of
//! a policy do ([`super::policy_rows`]).

mod press;

use super::{
    policy_rows::{ROW, all, parted},
    rows::options,
    when::When,
};
use lingbao_model::{
    money::Rate,
    msg::{FieldError, Label, Msg},
    param::{Schema, Unit},
    price::{Charge, Component, Formula, Quantity, Tariff, Tier},
    text::{parse_integer, parse_rate},
};

/// A price that is the same for each unit.
pub const FLAT: &str = "flat";
/// A price by steps.
pub const TIERED: &str = "tiered";
/// What stands before the key of the choice that a price depends on.
const CHOICE: &str = "choice.";

/// The value of the list "price" for a choice parameter.
pub fn by_choice(key: &str) -> String {
    format!("{CHOICE}{key}")
}

/// One step of a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRow {
    /// `p1.t0`.
    pub name: String,
    /// Last unit of the step; nothing for no end.
    pub up_to: String,
    /// 元 for a unit.
    pub rate: String,
}

/// One part of a price, as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRow {
    /// `p1`.
    pub name: String,
    /// What is paid for, in Chinese and in English.
    pub called: (String, String),
    /// [`Charge`].
    pub charge: String,
    /// Key of the parameter that counts; nothing for one.
    pub quantity: String,
    /// [`Unit`].
    pub unit: String,
    /// [`FLAT`], [`TIERED`] or [`by_choice`].
    pub by: String,
    /// 元 for a unit, where it is the same for each.
    pub rate: String,
    /// 元 for a unit by the value of the choice.
    pub rates: Vec<(String, String)>,
    /// The steps.
    pub steps: Vec<StepRow>,
    /// When the part applies.
    pub when: When,
}

impl PartRow {
    /// Key of the choice that the price depends on.
    pub fn choice(&self) -> Option<&str> {
        self.by.strip_prefix(CHOICE)
    }

    fn component(&self, schema: &Schema, failed: &mut dyn FnMut(String, Msg)) -> Component {
        let Self { name, .. } = self;
        let mut rate = |field: String, typed: &str| {
            parse_rate(typed).unwrap_or_else(|| {
                failed(field, Msg::new("price.rate_wrong"));
                Rate::default()
            })
        };
        let tariff = match (self.by.as_str(), self.choice()) {
            (_, Some(key)) => Tariff::Choice {
                param: key.to_owned(),
                rates: options(schema, key)
                    .into_iter()
                    .map(|(value, _)| {
                        let typed = self.rate_of(&value).unwrap_or_default();
                        let read = rate(rate_name(name, &value), typed);
                        (value, read)
                    })
                    .collect(),
            },
            (TIERED, None) => {
                let rates: Vec<_> = self
                    .steps
                    .iter()
                    .map(|step| rate(format!("{}.rate", step.name), &step.rate))
                    .collect();
                let mut tier = |(step, rate): (&StepRow, Rate)| {
                    let typed = step.up_to.trim();
                    let up_to = (!typed.is_empty()).then(|| {
                        parse_integer(typed).unwrap_or_else(|| {
                            let field = format!("{}.up_to", step.name);
                            failed(field, Msg::new("error.not_a_number"));
                            0
                        })
                    });
                    Tier { up_to, rate }
                };
                let tiers = self.steps.iter().zip(rates).map(&mut tier).collect();
                Tariff::Tiered { tiers }
            }
            _ => Tariff::Flat {
                rate: rate(format!("{name}.rate"), &self.rate),
            },
        };
        let mut one_of = |field: &str| {
            failed(format!("{name}.{field}"), Msg::new("error.not_in_list"));
        };
        let charge = self.charge.parse().unwrap_or_else(|_| {
            one_of("charge");
            Charge::Monthly
        });
        let unit = self.unit.parse().unwrap_or_else(|_| {
            one_of("unit");
            Unit::Piece
        });
        Component {
            label: Label::new(self.called.0.trim(), self.called.1.trim()),
            tariff,
            quantity: match self.quantity.as_str() {
                "" => Quantity::One,
                key => Quantity::Param { key: key.into() },
            },
            unit,
            charge,
            when: self.when.condition(schema, failed),
        }
    }

    /// What was typed for a value of the choice.
    pub fn rate_of(&self, value: &str) -> Option<&str> {
        let found = self.rates.iter().find(|rate| rate.0 == value);
        found.map(|rate| rate.1.as_str())
    }
}

/// The field of the price of one value of a choice.
pub fn rate_name(part: &str, value: &str) -> String {
    format!("{part}.rate.{value}")
}

/// The whole form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts(pub Vec<PartRow>);

impl Parts {
    /// The parts of a formula; `None` if a condition of it is none that the form can show.
    pub fn of(formula: &Formula, schema: &Schema) -> Option<Self> {
        let parts = formula.0.iter().enumerate();
        let rows = parts.map(|(n, part)| row(&format!("p{n}"), part, schema));
        rows.collect::<Option<_>>().map(Self)
    }

    /// What was posted.
    pub fn read(values: &[(String, String)]) -> Self {
        let names = all(values, ROW);
        let one = |name: &str, field: &str| {
            let name = format!("{name}.{field}");
            (*all(values, &name).first().unwrap_or(&"")).to_owned()
        };
        let steps = |of: &str| {
            let own = names.iter().filter(|name| {
                let (before, last) = parted(name);
                before == of && last.starts_with('t')
            });
            own.map(|name| StepRow {
                up_to: one(name, "up_to"),
                rate: one(name, "rate"),
                name: (*name).to_owned(),
            })
            .collect()
        };
        let part = |name: &&str| {
            let rates = format!("{name}.rate.");
            let rate = |(field, typed): &(String, String)| {
                Some((field.strip_prefix(&rates)?.to_owned(), typed.clone()))
            };
            PartRow {
                called: (one(name, "name"), one(name, "name_en")),
                charge: one(name, "charge"),
                quantity: one(name, "quantity"),
                unit: one(name, "unit"),
                by: one(name, "by"),
                rate: one(name, "rate"),
                rates: values.iter().filter_map(rate).collect(),
                steps: steps(name),
                when: When::read(name, values),
                name: (*name).to_owned(),
            }
        };
        let own = names
            .iter()
            .filter(|name| name.starts_with('p') && !name.contains('.'));
        Self(own.map(part).collect())
    }

    /// The formula that the form says, checked against the parameters.
    ///
    /// # Errors
    /// What is wrong, at the fields.
    pub fn formula(&self, schema: &Schema) -> Result<Formula, Vec<FieldError>> {
        let mut errors: Vec<FieldError> = Vec::new();
        let mut failed = |field: String, msg: Msg| errors.push(FieldError::new(field, msg));
        let components = self.0.iter();
        let formula = Formula(
            components
                .map(|row| row.component(schema, &mut failed))
                .collect(),
        );
        let found = formula.check(schema).err().unwrap_or_default();
        for error in found.into_iter().map(|error| self.at_field(error)) {
            // One message a field: what can't be read need not fit as well.
            if errors.iter().all(|one| one.field != error.field) {
                errors.push(error);
            }
        }
        if errors.is_empty() {
            Ok(formula)
        } else {
            Err(errors)
        }
    }

    /// A message about a place in the formula as one about the field where it was typed.
    fn at_field(&self, error: FieldError) -> FieldError {
        let FieldError { field, msg } = error;
        let place = field.strip_prefix("price[").and_then(|rest| {
            let (number, what) = rest.split_once("].")?;
            Some((self.0.get(number.parse::<usize>().ok()?)?, what))
        });
        let Some((part, what)) = place else {
            return FieldError::new(field, msg);
        };
        let field = match what {
            "label" => "name",
            "rates" | "param" => "by",
            "tiers" => "steps",
            "when" => When::field(&msg),
            what => what,
        };
        FieldError::new(format!("{}.{field}", part.name), msg)
    }
}

fn row(name: &str, part: &Component, schema: &Schema) -> Option<PartRow> {
    let mut row = PartRow {
        name: name.to_owned(),
        called: (part.label.zh.clone(), part.label.en.clone()),
        charge: part.charge.to_string(),
        quantity: match &part.quantity {
            Quantity::One => String::new(),
            Quantity::Param { key } => key.clone(),
        },
        unit: part.unit.to_string(),
        by: FLAT.to_owned(),
        rate: String::new(),
        rates: Vec::new(),
        steps: Vec::new(),
        when: When::of(name, part.when.as_ref(), schema)?,
    };
    match &part.tariff {
        Tariff::Flat { rate } => row.rate = rate.typed(),
        Tariff::Choice { param, rates } => {
            row.by = by_choice(param);
            let typed = rates.iter();
            row.rates = typed.map(|(v, rate)| (v.clone(), rate.typed())).collect();
        }
        Tariff::Tiered { tiers } => {
            TIERED.clone_into(&mut row.by);
            let step = |(n, tier): (usize, &Tier)| StepRow {
                name: format!("{name}.t{n}"),
                up_to: tier.up_to.map(|n| n.to_string()).unwrap_or_default(),
                rate: tier.rate.typed(),
            };
            row.steps = tiers.iter().enumerate().map(step).collect();
        }
    }
    Some(row)
}

#[cfg(test)]
#[path = "price_rows/tests.rs"]
mod tests;
