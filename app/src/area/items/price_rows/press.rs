//! The parts as the form's buttons change them: on the server alone, for the form needs no script.

use super::{FLAT, Parts, StepRow, TIERED, rate_name};
use crate::area::items::{
    policy_rows::{Values, next},
    rows::options,
};
use lingbao_model::{param::Schema, price::Charge};

impl Parts {
    /// The names of all rows, in their order; the first stands for the form itself, so that the field
    /// is there when there is no part.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec!["form".to_owned()];
        for part in &self.0 {
            names.push(part.name.clone());
            names.extend(part.steps.iter().map(|step| step.name.clone()));
        }
        names
    }

    /// What a button of the form does to its rows; gives the fields that a new row begins with, or
    /// `None` for a button that is none of these.
    pub fn press(&mut self, act: &str, schema: &Schema) -> Option<Values> {
        let (act, at) = act.split_once(' ').unwrap_or((act, ""));
        match act {
            "part" => {
                let name = next("", 'p', self.0.iter().map(|part| &part.name));
                let field =
                    |field: &str, value: &str| (format!("{name}.{field}"), value.to_owned());
                let mut values = vec![
                    field("charge", Charge::Monthly.as_str()),
                    field("by", FLAT),
                    (super::ROW.to_owned(), name.clone()),
                ];
                let mut new = Self::read(&values);
                values.pop();
                self.0.append(&mut new.0);
                Some(values)
            }
            "step" => {
                let part = self.0.iter_mut().find(|part| part.name == at)?;
                let name = next(at, 't', part.steps.iter().map(|step| &step.name));
                // The last step has no end: a new one stands before it.
                let last = part.steps.len().saturating_sub(1);
                part.steps.insert(last, blank(name));
                Some(Vec::new())
            }
            "show" => self.show(at, schema),
            "up" => {
                let i = self.0.iter().position(|part| part.name == at)?;
                self.0.swap(i, i.checked_sub(1)?);
                Some(Vec::new())
            }
            "down" => {
                let i = self.0.iter().position(|part| part.name == at)?;
                (i + 1 < self.0.len()).then(|| self.0.swap(i, i + 1))?;
                Some(Vec::new())
            }
            "remove" => {
                let before = self.names().len();
                self.0.retain(|part| part.name != at);
                for part in &mut self.0 {
                    part.steps.retain(|step| step.name != at);
                }
                (self.names().len() < before).then(Vec::new)
            }
            _ => None,
        }
    }

    /// Another kind of price was chosen: its fields begin with the price that stood there.
    fn show(&mut self, at: &str, schema: &Schema) -> Option<Values> {
        let part = self.0.iter_mut().find(|part| part.name == at)?;
        let before = std::iter::once(&part.rate)
            .chain(part.steps.first().map(|step| &step.rate))
            .chain(part.rates.first().map(|rate| &rate.1))
            .find(|typed| !typed.is_empty())
            .cloned()
            .unwrap_or_default();
        let mut values = Vec::new();
        if let Some(key) = part.choice().map(ToOwned::to_owned) {
            for (value, _) in options(schema, &key) {
                if part.rate_of(&value).is_none() {
                    values.push((rate_name(at, &value), before.clone()));
                    part.rates.push((value, before.clone()));
                }
            }
        } else if part.by == TIERED {
            if part.steps.is_empty() {
                part.steps = vec![blank(format!("{at}.t0")), blank(format!("{at}.t1"))];
                let rates = part.steps.iter();
                values.extend(rates.map(|step| (format!("{}.rate", step.name), before.clone())));
            }
        } else if part.rate.is_empty() {
            values.push((format!("{at}.rate"), before));
        }
        if part.by != TIERED {
            part.steps.clear();
        }
        Some(values)
    }
}

fn blank(name: String) -> StepRow {
    StepRow {
        name,
        up_to: String::new(),
        rate: String::new(),
    }
}
