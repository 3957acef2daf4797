//! The reference page, and the nearest known key to a mistyped one.
use std::fmt::Write;

use toml::Value;

use super::{
    Config,
    sections::{Backend, SECTIONS},
};

/// The page `docs/configuration.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Made by `lingbao config-reference`; a test keeps it current. -->\n\n\
         One TOML file: `lingbao --config FILE`, else the file that `LINGBAO_CONFIG` names, else \
         `lingbao.toml` in the working folder, else the defaults below, which need no file at all. \
         Each key can be overridden from the environment: `LINGBAO_SERVER__LISTEN` is `listen` of \
         `[server]`; lists are separated by commas. A key that is not listed here is refused. \
         `lingbao doctor` says what is wrong.\n",
    );
    let defaults = Value::try_from(Config::default()).unwrap_or(Value::Boolean(false));
    let backend = Value::try_from(Backend::default()).unwrap_or(Value::Boolean(false));
    for section in SECTIONS {
        let values = defaults.get(section.name).unwrap_or(&backend);
        let _ = write!(
            page,
            "\n## `[{}]`\n\n{}\n",
            section.name,
            paragraph(section.doc)
        );
        page.push_str("\n| key | default | meaning |\n| --- | --- | --- |\n");
        for key in section.keys {
            let default = values.get(key.name).map(shown).unwrap_or_default();
            let _ = writeln!(
                page,
                "| `{}` | {default} | {} |",
                key.name,
                paragraph(key.doc)
            );
        }
    }
    page
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::Table(table) if table.is_empty() => "none".to_owned(),
        Value::Table(table) => {
            let pairs: Vec<_> = table
                .iter()
                .map(|(key, value)| format!("{key} = {value}"))
                .collect();
            format!("`{{ {} }}`", pairs.join(", "))
        }
        other => format!("`{other}`"),
    }
}

fn paragraph(doc: &str) -> String {
    doc.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

/// Every key that is known, with its section.
fn known() -> impl Iterator<Item = String> {
    SECTIONS.iter().flat_map(|section| {
        section
            .keys
            .iter()
            .map(|key| format!("{}.{}", section.name, key.name))
    })
}

/// An unknown key, and the known one that was probably meant.
pub(super) fn with_nearest(unknown: &str) -> String {
    let generic = match unknown.split('.').collect::<Vec<_>>().as_slice() {
        ["backends", _, rest @ ..] => format!("backends.NAME.{}", rest.join(".")),
        _ => unknown.to_owned(),
    };
    let section = |key: &str| {
        key.rsplit_once('.')
            .map_or(String::new(), |(s, _)| s.to_owned())
    };
    let nearest = known().min_by_key(|key| {
        // A whole unknown section is compared with sections, a key with keys.
        let against = if generic.contains('.') {
            key.clone()
        } else {
            section(key)
        };
        distance(&generic, &against)
    });
    match nearest {
        Some(key) if generic.contains('.') => format!("{unknown} (did you mean {key}?)"),
        Some(key) => format!(
            "{unknown} (did you mean a key of [{}], as {key}?)",
            section(&key)
        ),
        None => unknown.to_owned(),
    }
}

/// Edits between two texts (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, cell) in b.chars().zip(row.iter_mut().skip(1)) {
            let changed = before + usize::from(x != y);
            before = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == reference(),
            "docs/configuration.md is stale: run `cargo run -- config-reference > docs/configuration.md`"
        );
    }

    #[test]
    fn distances_count_edits() {
        assert_eq!(distance("listen", "lissten"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn every_section_of_the_configuration_is_in_the_reference() {
        let Value::Table(table) = Value::try_from(Config::default()).unwrap() else {
            panic!("a table");
        };
        for (name, value) in table {
            let section = SECTIONS
                .iter()
                .find(|s| s.name == name || s.name == format!("{name}.NAME"));
            let section = section.unwrap_or_else(|| panic!("no section {name}"));
            if let Value::Table(keys) = value {
                for key in keys.keys().filter(|_| name != "backends") {
                    assert!(section.keys.iter().any(|k| k.name == key), "{name}.{key}");
                }
            }
        }
    }
}
