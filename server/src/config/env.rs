//! Overrides from the environment: `LINGBAO_SECTION__KEY`, deeper ones with further `__`.
use toml::{Table, Value};

use super::{Config, ConfigError};

/// Lays the overrides over the table of the file. Variables without `__` are not ours to judge:
/// scripts have some of their own.
pub(super) fn lay_over(
    table: &mut Table,
    variables: &[(String, String)],
) -> Result<(), ConfigError> {
    // The defaults say of which type a key is.
    let known = Value::try_from(Config {
        backends: [("name".to_owned(), super::Backend::default())].into(),
        ..Config::default()
    })
    .unwrap_or(Value::Table(Table::new()));
    for (name, text) in variables {
        let Some(path) = name
            .strip_prefix("LINGBAO_")
            .filter(|rest| rest.contains("__"))
        else {
            continue;
        };
        let path: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        let value =
            value_of(type_of(&known, &path), text).map_err(|message| ConfigError::Malformed {
                origin: name.clone(),
                message,
            })?;
        put(table, &path, value).ok_or_else(|| ConfigError::Malformed {
            origin: name.clone(),
            message: format!("{} is no section", path.join(".")),
        })?;
    }
    Ok(())
}

fn type_of<'a>(known: &'a Value, path: &[String]) -> Option<&'a Value> {
    let mut at = known;
    for (depth, part) in path.iter().enumerate() {
        let named = depth == 1 && path.first().is_some_and(|section| section == "backends");
        at = at.get(if named { "name" } else { part.as_str() })?;
    }
    Some(at)
}

/// The text as a value of the type of `like`; without one, whatever it looks like.
fn value_of(like: Option<&Value>, text: &str) -> Result<Value, String> {
    let parsed = || {
        let table: Table = toml::from_str(&format!("it = {text}")).map_err(|e| e.to_string())?;
        table
            .get("it")
            .cloned()
            .ok_or_else(|| "no value".to_owned())
    };
    match like {
        Some(Value::String(_)) => Ok(Value::String(text.to_owned())),
        Some(Value::Array(_)) if !text.trim_start().starts_with('[') => Ok(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| Value::String(part.to_owned()))
                .collect(),
        )),
        Some(_) => parsed(),
        None => Ok(parsed().unwrap_or_else(|_| Value::String(text.to_owned()))),
    }
}

fn put(table: &mut Table, path: &[String], value: Value) -> Option<()> {
    let (last, above) = path.split_last()?;
    let mut at = table;
    for part in above {
        at = at
            .entry(part.clone())
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()?;
    }
    at.insert(last.clone(), value);
    Some(())
}
