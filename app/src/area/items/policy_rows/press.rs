//! The rows as its buttons change them: on the server alone, for the form needs no script.

use super::*;

/// Names and values of a form.
pub type Values = Vec<(String, String)>;

impl Rows {
    /// The names of all rows, in their order; the first stands for the form itself, so that the field
    /// is there when there is no row.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec!["form".to_owned()];
        let add = |cond: &Cond| {
            cond.rows
                .iter()
                .map(|row| row.0.clone())
                .collect::<Vec<_>>()
        };
        names.extend(add(&self.automatic));
        for stage in &self.stages {
            names.push(stage.name.clone());
            for group in &stage.groups {
                names.push(group.name.clone());
                names.extend(add(&group.when));
            }
        }
        names
    }

    fn conds(&mut self) -> impl Iterator<Item = &mut Cond> {
        let groups = self.stages.iter_mut().flat_map(|stage| &mut stage.groups);
        std::iter::once(&mut self.automatic).chain(groups.map(|group| &mut group.when))
    }

    /// What a button of the form does to its rows; gives the fields that a new row begins with, or
    /// `None` for a button that is none of these. `chosen` is what the list beside it says.
    pub fn press(&mut self, act: &str, chosen: &str) -> Option<Values> {
        let (act, at) = act.split_once(' ').unwrap_or((act, ""));
        let filled = |name: &str, fields: &[(&str, &str)]| -> Values {
            let named = fields.iter();
            named
                .map(|(field, value)| (format!("{name}.{field}"), (*value).to_owned()))
                .collect()
        };
        match act {
            "stage" => {
                let name = next("", 's', self.stages.iter().map(|s| &s.name));
                let taken = |key: &String| self.stages.iter().any(|stage| stage.key == *key);
                let key = (1..)
                    .map(|n| format!("stage-{n}"))
                    .find(|key| !taken(key))?;
                let group = format!("{name}.g0");
                let mut values = filled(&name, &[("key", key.as_str()), ("due_days", "1")]);
                values.extend(begin_group(&group));
                let mut rows = Self::read(&with_rows(&values, &[&name, &group]));
                self.stages.append(&mut rows.stages);
                Some(values)
            }
            "group" => {
                let stage = self.stages.iter_mut().find(|stage| stage.name == at)?;
                let name = next(at, 'g', stage.groups.iter().map(|g| &g.name));
                let values = begin_group(&name);
                let rows = Self::read(&with_rows(&values, &[at, &name]));
                stage
                    .groups
                    .extend(rows.stages.into_iter().flat_map(|s| s.groups));
                Some(values)
            }
            "test" => {
                let what: What = chosen.parse().ok()?;
                let cond = self.conds().find(|cond| cond.of == at)?;
                let name = next(at, 't', cond.rows.iter().map(|row| &row.0));
                let row = PlainRow {
                    what,
                    values: Vec::new(),
                };
                cond.rows.push((name.clone(), row));
                let mut values = filled(&name, &[("what", chosen)]);
                if Join::ALL.iter().all(|join| join.as_str() != cond.join) {
                    cond.join = Join::All.to_string();
                    values.push((join_name(at), cond.join.clone()));
                }
                Some(values)
            }
            "up" => {
                let i = self.stages.iter().position(|stage| stage.name == at)?;
                self.stages.swap(i, i.checked_sub(1)?);
                Some(Vec::new())
            }
            "remove" => {
                let before = self.names().len();
                self.stages.retain(|stage| stage.name != at);
                for stage in &mut self.stages {
                    stage.groups.retain(|group| group.name != at);
                }
                for cond in self.conds() {
                    cond.rows.retain(|row| row.0 != at);
                }
                (self.names().len() < before).then(Vec::new)
            }
            _ => None,
        }
    }
}

fn begin_group(name: &str) -> Values {
    let field = |field: &str, value: &str| (format!("{name}.{field}"), value.to_owned());
    vec![
        field("role", Role::DeptLeader.as_str()),
        field("ranks", Ranks::OwnUnit.as_str()),
        field("join", NONE),
    ]
}

fn with_rows(values: &[(String, String)], names: &[&str]) -> Values {
    let rows = names
        .iter()
        .map(|name| (ROW.to_owned(), (*name).to_owned()));
    values.iter().cloned().chain(rows).collect()
}

/// A name that no row has: one after the highest.
pub(in crate::area::items) fn next<'a>(
    of: &str,
    letter: char,
    names: impl Iterator<Item = &'a String>,
) -> String {
    let number = |name: &String| parted(name).1.get(1..)?.parse::<u32>().ok();
    let free = names
        .filter_map(number)
        .max()
        .map_or(0, |n| n.saturating_add(1));
    if of.is_empty() {
        format!("{letter}{free}")
    } else {
        format!("{of}.{letter}{free}")
    }
}
