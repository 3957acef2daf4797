//! Where a thing stands: its zone, level and pool, its project, and the host on which it hangs.

use lingbao_model::{
    msg::{FieldError, Msg},
    placement::{Placement, Pool, Zone},
    view::import::ImportRow,
};

use super::{
    name::{Home, only, same},
    plan::{Ground, wrong},
    read,
};
use crate::storage::import::{Foreign, Host};

impl Ground {
    /// The host on which a thing hangs: a resource already, or taken in by a row of the same sheet.
    pub(super) fn host(&self, thing: &Foreign) -> Result<Option<&Host>, FieldError> {
        let Some(on) = &thing.host else {
            return Ok(None);
        };
        let key = (thing.row.backend.clone(), on.clone());
        let told = |key: &'static str, host: &str| {
            let msg = Msg::new(key).with("host", host.to_owned());
            Err(FieldError::new("external_id", msg))
        };
        match self.hosts.get(&key) {
            None => told("import.host_foreign", on),
            Some(host) if !host.calm => told("import.host_busy", &host.name),
            Some(host) => Ok(Some(host)),
        }
    }

    /// Where a row wants to go; what hangs on a host goes where that is, and need not say so.
    pub(super) fn home_of(
        &self,
        row: &ImportRow,
        host: Option<&Host>,
    ) -> Result<Home<'_>, FieldError> {
        let Some(host) = host else {
            return self.home(row);
        };
        if row.unit.trim().is_empty() && row.system.trim().is_empty() {
            let beside = ImportRow {
                system: host.system.to_string(),
                ..ImportRow::default()
            };
            return self.home(&beside);
        }
        let home = self.home(row)?;
        if home.system.id == host.system && *home.vdc == host.vdc {
            return Ok(home);
        }
        let msg = Msg::new("import.hosts_system").with("host", host.name.clone());
        Err(FieldError::new("system", msg))
    }

    /// Where it stands. What hangs on a host stands where that does.
    pub(super) fn place(
        &self,
        row: &ImportRow,
        thing: &Foreign,
        home: &Home<'_>,
        host: Option<&Host>,
    ) -> Result<Placement, FieldError> {
        let backend = &thing.row.backend;
        let there = |pool: &Pool| {
            let site = self.sites.iter().find(|(id, ..)| *id == pool.id);
            site.map_or("", |(.., there)| there.as_str())
        };
        let pools = move || {
            self.pools
                .iter()
                .filter(move |pool| pool.backend == *backend)
        };
        let by_host = |pool: &&Pool| host.is_some_and(|host| host.place.pool == pool.id);
        let said = pools().find(|pool| there(pool) == thing.row.pool);
        let said = said.or_else(|| pools().find(by_host));
        let typed = row.pool.trim();
        let pool = if typed.is_empty() {
            said.ok_or_else(|| wrong("pool", "import.pool_unknown"))?
        } else {
            let meant = |pool: &&Pool| {
                pool.id.as_str() == typed
                    || same(&pool.name.zh, typed)
                    || same(&pool.name.en, typed)
                    || there(pool) == typed
            };
            let found = pools().filter(meant);
            only("pool", "import.no_pool", found, |pool| pool.id.to_string())?
        };
        if let Some(said) = said.filter(|said| said.id != pool.id) {
            let msg = Msg::new("import.other_pool").with("pool", said.name.clone());
            return Err(FieldError::new("pool", msg));
        }
        let (zone, pools_there) = &thing.stands;
        if !zone.is_empty() && !pools_there.iter().any(|one| one == there(pool)) {
            let msg = Msg::new("import.other_zone")
                .with("pool", pool.name.clone())
                .with("zone", zone.clone());
            return Err(FieldError::new("pool", msg));
        }
        let typed = row.zone.trim();
        let meant = |zone: &&Zone| match typed {
            "" => zone.id == pool.zone,
            typed => {
                zone.id.as_str() == typed
                    || same(&zone.name.zh, typed)
                    || same(&zone.name.en, typed)
            }
        };
        let zones = self.zones.iter().filter(meant);
        let zone = only("zone", "import.no_zone", zones, |zone| zone.id.to_string())?;
        let level = read::level(row, host.map_or(home.system.level, |host| host.place.level))?;
        if level < home.system.level {
            let needed = home.system.level.msg();
            let msg = Msg::new("import.level_too_low").with("level", needed);
            return Err(FieldError::new("level", msg));
        }
        // It stands there already, whether or not something new may.
        let open = Pool {
            open: true,
            ..pool.clone()
        };
        open.accepts(zone, level)
            .map_err(|msg| FieldError::new("pool", msg))?;
        let place = Placement {
            zone: zone.id.clone(),
            level,
            pool: pool.id.clone(),
        };
        match host {
            Some(host) if host.place != place => {
                let msg = Msg::new("import.hosts_place").with("host", host.name.clone());
                Err(FieldError::new("pool", msg))
            }
            _ => Ok(place),
        }
    }

    /// Whether the thing's project is the unit's or can become it (then its name): units never share
    /// one, and no unit has two at a backend.
    pub(super) fn project(
        &self,
        thing: &Foreign,
        home: &Home<'_>,
    ) -> Result<Option<String>, FieldError> {
        let row = &thing.row;
        if row.project.is_empty() {
            return Err(wrong("external_id", "import.no_project"));
        }
        let key = (row.backend.clone(), row.project.clone());
        let msg = |key: &'static str| Msg::new(key).with("project", row.project.clone());
        match self.owners.get(&key) {
            Some(owner) if owner == home.vdc => Ok(None),
            Some(owner) => {
                let unit = self.units.iter().find(|u| u.vdc.as_ref() == Some(owner));
                let name = unit.map(|u| u.short_name.clone()).unwrap_or_default();
                let msg = msg("import.anothers_project").with("unit", name);
                Err(FieldError::new("unit", msg))
            }
            None => {
                let mut owned = self.owners.iter();
                if owned.any(|((backend, _), vdc)| *backend == row.backend && vdc == home.vdc) {
                    return Err(FieldError::new("unit", msg("import.second_project")));
                }
                if self.building.contains(home.vdc) {
                    return Err(wrong("unit", "import.building"));
                }
                Ok(Some(row.project.clone()))
            }
        }
    }
}
