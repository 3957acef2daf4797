//! What a sheet names is found by its id or by its name. What is called so more than once is listed.

use lingbao_model::{
    id::VdcId,
    msg::{FieldError, Msg},
    text,
    view::import::ImportRow,
};

use super::plan::{Ground, Key, wrong};
use crate::storage::import::{System, Unit};

/// So many of one name are listed.
const MOST_LISTED: usize = 5;

/// Names are compared as people type them: full-width signs and capitals make no difference.
pub(super) fn same(name: &str, typed: &str) -> bool {
    let plain = |text: &str| text::half_width(text.trim()).to_lowercase();
    plain(name) == plain(typed)
}

/// The one that was meant; `told` says which it is, if there are several.
pub(super) fn only<'a, T>(
    column: &str,
    none: &'static str,
    found: impl Iterator<Item = &'a T>,
    told: impl Fn(&T) -> String,
) -> Result<&'a T, FieldError> {
    let found: Vec<&T> = found.collect();
    match found.as_slice() {
        [] => Err(wrong(column, none)),
        [one] => Ok(*one),
        several => Err(many(column, several.iter().map(|one| told(one)))),
    }
}

fn many(column: &str, which: impl Iterator<Item = String>) -> FieldError {
    let mut listed: Vec<String> = which.take(MOST_LISTED + 1).collect();
    if listed.len() > MOST_LISTED {
        listed.truncate(MOST_LISTED);
        listed.push("…".to_owned());
    }
    let msg = Msg::new("import.many").with("which", listed.join(", "));
    FieldError::new(column, msg)
}

/// Where a row wants to go.
pub(super) struct Home<'a> {
    /// Whose it becomes.
    pub(super) unit: &'a Unit,
    /// Whose quota it takes.
    pub(super) vdc: &'a VdcId,
    /// What it serves.
    pub(super) system: &'a System,
}

impl Ground {
    pub(super) fn home(&self, row: &ImportRow) -> Result<Home<'_>, FieldError> {
        let (typed, wanted) = (row.unit.trim(), row.system.trim());
        if wanted.is_empty() {
            return Err(wrong("system", "error.required"));
        }
        let unit = if typed.is_empty() {
            // A system by its identifier says whose it is.
            let named = self.systems.iter().find(|s| s.id.as_str() == wanted);
            let owner = named.and_then(|s| self.units.iter().find(|u| u.id == s.unit));
            owner.ok_or_else(|| wrong("unit", "error.required"))?
        } else {
            let meant = |unit: &&Unit| {
                unit.id.as_str() == typed
                    || same(&unit.name, typed)
                    || same(&unit.short_name, typed)
            };
            let units = self.units.iter().filter(meant);
            let told = |unit: &Unit| format!("{} {}", unit.name, unit.id);
            only("unit", "import.no_unit", units, told)?
        };
        let meant = |system: &&System| {
            system.unit == unit.id
                && (system.id.as_str() == wanted
                    || same(&system.name, wanted)
                    || same(&system.short_name, wanted))
        };
        let systems = self.systems.iter().filter(meant);
        let told = |system: &System| format!("{} {}", system.name, system.id);
        let system = only("system", "import.no_system", systems, told)?;
        let vdc = unit.vdc.as_ref();
        let vdc = vdc.ok_or_else(|| wrong("unit", "import.no_vdc"))?;
        Ok(Home { unit, vdc, system })
    }

    /// The thing that a row means: by its id, or by its name in its cloud. Of several of one name those
    /// of the kind that the row's item is for (hosts, if it names none) and in the unit's own project
    /// are meant, because no others become the unit's.
    pub(super) fn key(&self, row: &ImportRow) -> Result<Key, FieldError> {
        let (cloud, typed) = (row.cloud.trim(), row.external_id.trim());
        let typed = (cloud.to_owned(), typed.to_owned());
        if self.knows(&typed) {
            return Ok(typed);
        }
        let project = |id: &str| {
            let thing = self.things.get(&(cloud.to_owned(), id.to_owned()));
            thing.map_or("", |thing| thing.row.project.as_str())
        };
        let meant = self.kind_meant(row);
        let of_kind = |id: &&str| {
            let thing = self.things.get(&(cloud.to_owned(), (*id).to_owned()));
            thing.is_some_and(|thing| thing.row.thing == meant)
        };
        let mut ids: Vec<&str> = match self.called.get(&typed) {
            Some(ids) => ids.iter().map(String::as_str).collect(),
            None => return Ok(typed),
        };
        if ids.iter().any(of_kind) {
            ids.retain(of_kind);
        }
        if let Ok(home) = self.home(row)
            && ids.len() > 1
        {
            let own = |id: &&str| {
                let key = (cloud.to_owned(), project(id).to_owned());
                self.owners.get(&key) == Some(home.vdc)
            };
            if ids.iter().any(own) {
                ids.retain(own);
            }
        }
        match ids.as_slice() {
            [one] => Ok((typed.0, (*one).to_owned())),
            several => {
                let told = several.iter().map(|id| format!("{id} ({})", project(id)));
                Err(many("external_id", told))
            }
        }
    }
}
