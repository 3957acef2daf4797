//! The form of a policy: rows with names, read from what was posted, changed by buttons, and turned
//! into a policy. Nothing here is of the page.
//!
//! A row keeps its name for as long as the form is open (`s2.g0.t1`: of stage 2 and its group 0 the
//! condition 1), so that what was typed stays beside it whatever comes and goes around it. The field
//! `row` tells the names in their order.

mod press;

pub(super) use press::{Values, next};

use lingbao_model::{
    msg::{FieldError, Label, Msg},
    people::Role,
    policy::{Group, Join, Plain, PlainRow, Policy, Ranks, Stage, Test, What},
    text::parse_integer,
};

/// Name of the hidden fields that tell which rows there are.
pub const ROW: &str = "row";
/// Name of the rows under which a policy approves automatically.
pub const AUTOMATIC: &str = "automatic";
/// How rows belong together when there is nothing to hold: always, or (automatically) never.
pub const NONE: &str = "none";

/// A condition: its rows, and how they belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cond {
    /// `s2.g0`, or [`AUTOMATIC`].
    pub of: String,
    /// `none`, `all` or `any`.
    pub join: String,
    /// The rows by their names.
    pub rows: Vec<(String, PlainRow)>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRow {
    /// `s2.g0`.
    pub name: String,
    /// What it is called, in Chinese and in English.
    pub called: (String, String),
    /// Role.
    pub role: String,
    /// From whose ranks.
    pub ranks: String,
    /// When it takes part.
    pub when: Cond,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageRow {
    /// `s2`.
    pub name: String,
    /// Key, stable between versions.
    pub key: String,
    /// What it is called, in Chinese and in English.
    pub called: (String, String),
    /// Term in working days.
    pub due_days: String,
    /// The groups.
    pub groups: Vec<GroupRow>,
}

/// The whole form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// When nobody has to be asked.
    pub automatic: Cond,
    /// The stages.
    pub stages: Vec<StageRow>,
}

/// The fields of a condition.
pub fn join_name(of: &str) -> String {
    format!("{of}.join")
}

fn cond_of(of: &str, test: Option<&Test>) -> Option<Cond> {
    let Some(test) = test else {
        return Some(Cond {
            of: of.to_owned(),
            join: NONE.to_owned(),
            rows: Vec::new(),
        });
    };
    let Plain { join, rows } = test.plain()?;
    let rows = (0..).zip(rows);
    Some(Cond {
        of: of.to_owned(),
        join: join.to_string(),
        rows: rows
            .map(|(n, row): (usize, _)| (format!("{of}.t{n}"), row))
            .collect(),
    })
}

/// The last part of a name, and what stands before it.
pub(super) fn parted(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

impl Rows {
    /// The rows of a policy; `None` if a condition of it is nested too deep for rows.
    pub fn of(policy: &Policy) -> Option<Self> {
        let group = |(of, group): (String, &Group)| {
            Some(GroupRow {
                called: (group.name.zh.clone(), group.name.en.clone()),
                role: group.role.to_string(),
                ranks: group.ranks.to_string(),
                when: cond_of(&of, group.when.as_ref())?,
                name: of,
            })
        };
        let stage = |(n, stage): (usize, &Stage)| {
            let groups = stage.groups.iter().enumerate();
            Some(StageRow {
                name: format!("s{n}"),
                key: stage.key.clone(),
                called: (stage.name.zh.clone(), stage.name.en.clone()),
                due_days: stage.due_days.to_string(),
                groups: groups
                    .map(|(m, one)| group((format!("s{n}.g{m}"), one)))
                    .collect::<Option<_>>()?,
            })
        };
        Some(Self {
            automatic: cond_of(AUTOMATIC, policy.automatic.as_ref())?,
            stages: policy
                .stages
                .iter()
                .enumerate()
                .map(stage)
                .collect::<Option<_>>()?,
        })
    }

    /// What was posted.
    pub fn read(values: &[(String, String)]) -> Self {
        let names = all(values, ROW);
        let inside = |of: &str, letter: char| -> Vec<String> {
            let own = names.iter().filter(|name| {
                let (before, last) = parted(name);
                before == of && last.starts_with(letter)
            });
            own.map(|name| (*name).to_owned()).collect()
        };
        let one = |name: &str, field: &str| {
            let name = format!("{name}.{field}");
            (*all(values, &name).first().unwrap_or(&"")).to_owned()
        };
        let cond = |of: &str| Cond {
            of: of.to_owned(),
            join: one(of, "join"),
            rows: inside(of, 't')
                .into_iter()
                .filter_map(|name| {
                    let what: What = one(&name, "what").parse().ok()?;
                    let typed = all(values, &format!("{name}.value"));
                    let values = typed.into_iter().map(ToOwned::to_owned).collect();
                    Some((name, PlainRow { what, values }))
                })
                .collect(),
        };
        let group = |name: String| GroupRow {
            called: (one(&name, "name"), one(&name, "name_en")),
            role: one(&name, "role"),
            ranks: one(&name, "ranks"),
            when: cond(&name),
            name,
        };
        let stage = |name: String| StageRow {
            key: one(&name, "key"),
            called: (one(&name, "name"), one(&name, "name_en")),
            due_days: one(&name, "due_days"),
            groups: inside(&name, 'g').into_iter().map(group).collect(),
            name,
        };
        Self {
            automatic: cond(AUTOMATIC),
            stages: inside("", 's').into_iter().map(stage).collect(),
        }
    }

    /// The policy that the form says, checked.
    ///
    /// # Errors
    /// What is wrong, at the fields.
    pub fn policy(&self) -> Result<Policy, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut failed = |field: String, msg: Msg| errors.push(FieldError::new(field, msg));
        let mut stages = Vec::new();
        let automatic = test_of(&self.automatic, &mut failed);
        for stage in &self.stages {
            let mut groups = Vec::new();
            for group in &stage.groups {
                let role: Option<Role> = group.role.parse().ok();
                let ranks: Option<Ranks> = group.ranks.parse().ok();
                if role.is_none() {
                    failed(format!("{}.role", group.name), Msg::new("policy.role"));
                }
                if ranks.is_none() {
                    let msg = Msg::new("error.not_in_list");
                    failed(format!("{}.ranks", group.name), msg);
                }
                groups.push(Group {
                    name: label(&group.called),
                    role: role.unwrap_or(Role::DeptLeader),
                    ranks: ranks.unwrap_or(Ranks::OwnUnit),
                    when: test_of(&group.when, &mut failed),
                });
            }
            // What is no number is told like one that is out of bounds.
            let due_days = parse_integer(&stage.due_days).and_then(|n| u32::try_from(n).ok());
            stages.push(Stage {
                key: stage.key.clone(),
                name: label(&stage.called),
                due_days: due_days.unwrap_or(0),
                groups,
            });
        }
        let policy = Policy { automatic, stages };
        if let Err(found) = policy.check() {
            let named = found.into_iter().map(|error| self.at_field(error));
            // One message a field: what can't be read need not fit as well.
            for error in named {
                if errors.iter().all(|one| one.field != error.field) {
                    errors.push(error);
                }
            }
        }
        if errors.is_empty() {
            Ok(policy)
        } else {
            Err(errors)
        }
    }

    /// A message about a place in the policy as one about the field where it was typed.
    pub fn at_field(&self, error: FieldError) -> FieldError {
        let FieldError { field, msg } = error;
        let mut parts = field.split('.');
        let number = |part: Option<&str>, of: &str| -> Option<usize> {
            let inner = part?.strip_prefix(of)?.strip_prefix('[')?;
            inner.strip_suffix(']')?.parse().ok()
        };
        if field == AUTOMATIC {
            return FieldError::new(join_name(AUTOMATIC), msg);
        }
        let stage = number(parts.next(), "stages").and_then(|i| self.stages.get(i));
        let Some(stage) = stage else {
            return FieldError::new(field, msg);
        };
        let last = field.rsplit('.').next().unwrap_or_default();
        let of = match number(parts.next(), "groups").and_then(|j| stage.groups.get(j)) {
            Some(group) => &group.name,
            None => &stage.name,
        };
        let last = if last == "when" { "join" } else { last };
        FieldError::new(format!("{of}.{last}"), msg)
    }
}

fn label((zh, en): &(String, String)) -> Label {
    Label::new(zh.trim(), en.trim())
}

fn test_of(cond: &Cond, failed: &mut dyn FnMut(String, Msg)) -> Option<Test> {
    let join: Join = match cond.join.as_str() {
        NONE => return None,
        join => join.parse().unwrap_or(Join::All),
    };
    let mut of = Vec::new();
    for (name, row) in &cond.rows {
        match row.test() {
            Ok(test) => of.push(test),
            Err(msg) => failed(format!("{name}.value"), msg),
        }
    }
    if of.len() < cond.rows.len() {
        return None;
    }
    Some(match join {
        Join::All => Test::All { of },
        Join::Any => Test::Any { of },
    })
}

pub(super) fn all<'a>(values: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let own = values.iter().filter(|pair| pair.0 == name);
    own.map(|pair| pair.1.as_str()).collect()
}

#[cfg(test)]
#[path = "policy_rows/tests.rs"]
mod tests;
