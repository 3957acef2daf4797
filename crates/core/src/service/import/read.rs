//! What the cells of one row say.

use lingbao_model::{
    catalogue::Offer,
    msg::{FieldError, Msg},
    param::{Answers, Kind, Param, Schema, Typed},
    placement::Level,
    resource::ServiceState,
    text,
    time::Date,
    view::{difference::ThingKind, import::ImportRow},
};

use super::plan::wrong;
use crate::storage::import::Foreign;

/// Longest name of a disk or an address, in signs.
pub(super) const LONGEST_NAME: usize = 40;

/// What spreadsheets write where a formula has no value.
const ERRORS: [&str; 10] = [
    "#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!",
    "#FIELD!",
];

/// What stands in place of values, in a workbook and in the CSV that was saved from one: errors,
/// formulas that nobody has computed, long numbers that a spreadsheet has rounded.
pub(super) fn values(row: &ImportRow) -> Result<(), Vec<FieldError>> {
    let mut errors = Vec::new();
    for (column, cell) in row.cells() {
        let cell = cell.trim();
        let key = if ERRORS.contains(&cell) || cell.starts_with('=') {
            "import.no_value"
        } else if is_rounded(cell) {
            "import.rounded"
        } else {
            continue;
        };
        let msg = Msg::new(key).with("value", cell);
        errors.push(FieldError::new(column, msg));
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

/// `1.23457E+19`
fn is_rounded(cell: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    cell.split_once("E+").is_some_and(|(number, power)| {
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        digits(whole) && digits(part) && digits(power)
    })
}

/// What the thing does; it must be at rest.
pub(super) fn state(thing: &Foreign) -> Result<ServiceState, FieldError> {
    let words = match thing.row.thing {
        ThingKind::Volume => "state",
        _ => "power",
    };
    match (thing.row.thing, thing.row.state.as_str()) {
        (ThingKind::Address, _) | (ThingKind::Volume, "ready") | (_, "running") => {
            Ok(ServiceState::Running)
        }
        (_, "stopped") => Ok(ServiceState::Stopped),
        (_, other) => {
            let state = Msg::new(format!("difference.{words}.{other}"));
            let msg = Msg::new("import.not_at_rest").with("state", state);
            Err(FieldError::new("external_id", msg))
        }
    }
}

/// Its name in the portal: that of a host must do as a host name, other things take any.
pub(super) fn name(row: &ImportRow, thing: &Foreign) -> Result<String, FieldError> {
    let host = thing.row.thing == ThingKind::Server;
    let fits = |name: &str| {
        if host {
            text::hostname("name", name)
        } else {
            text::line("name", name, 1, LONGEST_NAME)
        }
    };
    if !row.name.trim().is_empty() {
        return fits(&row.name);
    }
    let there = &thing.row.name;
    fits(there).map_err(|_| {
        let needed = if host {
            "import.needs_name"
        } else {
            "import.needs_line"
        };
        let msg = Msg::new(needed).with("name", there.clone());
        FieldError::new("name", msg)
    })
}

/// Its protection level: `given` if the row says nothing.
pub(super) fn level(row: &ImportRow, given: Level) -> Result<Level, FieldError> {
    let typed = text::half_width(row.level.trim());
    match typed.trim_end_matches('级') {
        "" => Ok(given),
        "二" => Ok(Level::Two),
        "三" => Ok(Level::Three),
        typed => typed.parse().map_err(|_| wrong("level", "import.no_level")),
    }
}

/// A day as people write it: `2027-3-1`, `2027/03/01`, `2027年3月1日`, full-width digits too.
pub(super) fn day(typed: &str) -> Option<Date> {
    let plain: String = text::half_width(typed.trim())
        .chars()
        .map(|c| match c {
            '/' | '.' | '年' | '月' => '-',
            c => c,
        })
        .collect();
    let mut parts = plain.trim_end_matches('日').split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Date::new(
        year.trim().parse().ok()?,
        month.trim().parse().ok()?,
        day.trim().parse().ok()?,
    )
    .ok()
}

/// What the cloud says of a thing, by parameter. An image that is not on the item's list is not said:
/// somebody must choose.
fn said(schema: &Schema, thing: &Foreign) -> Vec<(&'static str, String)> {
    let row = &thing.row;
    let number = |key, n: i64| (n > 0).then(|| (key, n.to_string()));
    let offered = match schema.get("image").map(|param| &param.kind) {
        Some(Kind::Choice { options, .. }) => options.iter().any(|o| o.value == thing.image),
        _ => !thing.image.is_empty(),
    };
    let all = match row.thing {
        ThingKind::Server => vec![
            Some(("vcpus", row.vcpus.to_string())),
            Some(("memory_gb", row.memory_gb.to_string())),
            number("system_disk_gb", row.disk_gb),
            offered.then(|| ("image", thing.image.clone())),
        ],
        ThingKind::Volume => vec![
            number("size_gb", row.disk_gb),
            row.class.clone().map(|class| ("disk_class", class)),
        ],
        ThingKind::Address => vec![number("bandwidth_mbps", row.mbps)],
        ThingKind::Backup | ThingKind::Snapshot | ThingKind::Network => Vec::new(),
    };
    all.into_iter().flatten().collect()
}

/// Answers to the item's parameters: what the cloud says, what the sheet says where the cloud is
/// silent, and what the item proposes for the rest.
pub(super) fn answers(
    row: &ImportRow,
    offer: &Offer,
    thing: &Foreign,
) -> Result<Answers, Vec<FieldError>> {
    let schema = &offer.content.schema;
    let mut typed: Typed = schema
        .defaults()
        .0
        .iter()
        .map(|(key, answer)| (key.clone(), answer.typed()))
        .collect();
    let mut errors = Vec::new();
    let said = said(schema, thing);
    for needed in offer.content.fulfiller.needs() {
        let known = said.iter().any(|(key, _)| key == needed);
        if !known && !row.more.contains_key(*needed) && schema.get(needed).is_some() {
            errors.push(wrong(needed, "import.cloud_silent"));
        }
    }
    for (key, value) in &row.more {
        let fits = |param: &Param| !matches!(param.kind, Kind::Attach { .. });
        if !schema.get(key).is_some_and(fits) {
            errors.push(wrong(key, "import.no_column"));
        } else if said
            .iter()
            .any(|(name, there)| name == key && there != value)
        {
            errors.push(wrong(key, "import.cloud_says"));
        } else {
            typed.insert(key.clone(), value.clone());
        }
    }
    for (key, value) in said {
        if schema.get(key).is_some() {
            typed.insert(key.to_owned(), value);
        }
    }
    match schema.read(&typed) {
        Ok(answers) if errors.is_empty() => Ok(answers),
        Ok(_) => Err(errors),
        Err((_, more)) => {
            errors.extend(more);
            Err(errors)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_place_of_a_value_is_told_by_its_column() {
        let mut row = ImportRow {
            cloud: "gov".to_owned(),
            external_id: "1.23456789012346E+19".to_owned(),
            unit: " #REF! ".to_owned(),
            name: "=A1".to_owned(),
            ..ImportRow::default()
        };
        row.more.insert("image".to_owned(), "#N/A".to_owned());
        let told = |row: &ImportRow| match values(row) {
            Ok(()) => Vec::new(),
            Err(errors) => errors
                .into_iter()
                .map(|e| format!("{} {}", e.field, e.msg.key))
                .collect(),
        };
        assert_eq!(
            told(&row),
            [
                "external_id import.rounded",
                "unit import.no_value",
                "name import.no_value",
                "image import.no_value"
            ]
        );
        for typed in ["web-1E+", "E+1", "1.E+3", "#1", "web-01", "1E-5"] {
            let row = ImportRow {
                external_id: typed.to_owned(),
                ..ImportRow::default()
            };
            assert_eq!(told(&row), Vec::<String>::new(), "{typed}");
        }
    }

    #[test]
    fn a_day_is_read_as_people_write_it() {
        let first = Date::new(2027, 3, 1).ok();
        for typed in ["2027-03-01", "2027/3/1", "2027年3月1日", "２０２７．３．１"] {
            assert_eq!(day(typed), first, "{typed}");
        }
        for typed in ["2027-3", "2027-13-1", "2027-2-30", "soon", "2027-3-1-1"] {
            assert_eq!(day(typed), None, "{typed}");
        }
    }
}
