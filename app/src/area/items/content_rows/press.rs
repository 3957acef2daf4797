//! The rows as the form's buttons change them: on the server alone, for the form needs no script.

use super::{INTEGER, Rows};
use crate::area::items::policy_rows::{ROW, Values, next};
use lingbao_model::{param::Unit, quota::Dimension};

impl Rows {
    /// The names of all rows, in their order; the first stands for the form itself, so that the field
    /// is there when there is no row.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec!["form".to_owned()];
        names.extend(self.params.iter().map(|row| row.name.clone()));
        names.extend(self.takes.iter().map(|row| row.name.clone()));
        names
    }

    /// What a button of the form does to its rows; gives the fields that a new row begins with, or
    /// `None` for a button that is none of these.
    pub fn press(&mut self, act: &str) -> Option<Values> {
        let (act, at) = act.split_once(' ').unwrap_or((act, ""));
        match act {
            "param" => {
                let name = next("", 'p', self.params.iter().map(|row| &row.name));
                let fields = [
                    ("type", INTEGER),
                    ("min", "0"),
                    ("max", "100"),
                    ("step", "1"),
                    ("unit", Unit::Piece.as_str()),
                    ("default", "0"),
                    ("max_chars", "200"),
                    ("required", "true"),
                ];
                let (new, values) = begun(&name, &fields);
                self.params.extend(new.params);
                Some(values)
            }
            "takes" => {
                let name = next("", 'q', self.takes.iter().map(|row| &row.name));
                let (new, values) = begun(&name, &[("dimension", Dimension::Vcpu.as_str())]);
                self.takes.extend(new.takes);
                Some(values)
            }
            // The fields of another type or of another condition: the page shows them.
            "show" => self.names().iter().any(|name| name == at).then(Vec::new),
            "up" => {
                let i = self.params.iter().position(|row| row.name == at)?;
                self.params.swap(i, i.checked_sub(1)?);
                Some(Vec::new())
            }
            "down" => {
                let i = self.params.iter().position(|row| row.name == at)?;
                (i + 1 < self.params.len()).then(|| self.params.swap(i, i + 1))?;
                Some(Vec::new())
            }
            "remove" => {
                let before = self.names().len();
                self.params.retain(|row| row.name != at);
                self.takes.retain(|row| row.name != at);
                (self.names().len() < before).then(Vec::new)
            }
            _ => None,
        }
    }
}

/// A new row with these fields.
fn begun(name: &str, fields: &[(&str, &str)]) -> (Rows, Values) {
    let fields = fields.iter();
    let values: Values = fields
        .map(|(field, value)| (format!("{name}.{field}"), (*value).to_owned()))
        .collect();
    let mut posted = values.clone();
    posted.push((ROW.to_owned(), name.to_owned()));
    (Rows::read(&posted), values)
}
