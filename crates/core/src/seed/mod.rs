//! Demo cities: their people and half a year of their life.
//!
//! A city is data (`data/city/*.json`): units, systems, accounts. Its history is not written into
//! the tables but lived: the clerks order, the leaders sign off, the simulated cloud builds, by the
//! very services that the pages call, with a clock that is set back and moves on. So every number on
//! the overview has its rows, every machine its request, every quota its ledger.

mod orders;
mod people;
mod story;
#[cfg(test)]
mod tests;

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc};

use lingbao_backends::provisioning::simulator::{Latency, PoolConfig, SimulatorConfig};
use lingbao_model::people::{Reach, Role, UnitKind, UnitLevel};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    clock::{Clock, MockClock},
    error::{ServiceError, StorageError},
    jobs::Registry,
    storage::{setting, unit},
};

/// A demo city.
#[derive(Debug, Clone, Deserialize)]
pub struct City {
    /// What it is called where one is chosen.
    #[serde(skip)]
    pub key: String,
    /// Full name.
    pub name: String,
    /// Short name.
    pub short: String,
    /// Hosts that run at the end of the story. A city without any has no story: its people are there
    /// with their systems and quotas on the first day, and nothing is ordered yet. So is the one for
    /// a real cloud, which nobody fills with half a year of machines.
    pub running_hosts: usize,
    /// Its units.
    pub units: Vec<CityUnit>,
    /// Its accounts.
    pub accounts: Vec<Account>,
}

/// A unit of the city.
#[derive(Debug, Clone, Deserialize)]
pub struct CityUnit {
    /// Full name.
    pub name: String,
    /// Short name.
    pub short: String,
    /// Short code, part of logins and host names; units without one have no accounts of their own.
    #[serde(default)]
    pub code: Option<String>,
    /// Level.
    pub level: UnitLevel,
    /// Kind.
    pub kind: UnitKind,
    /// Names of its systems.
    #[serde(default)]
    pub systems: Vec<String>,
    /// Units below it.
    #[serde(default)]
    pub children: Vec<CityUnit>,
}

/// An account.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// Login name.
    pub login: String,
    /// Name; synthetic.
    pub name: String,
    /// Code or short name of the unit.
    pub unit: String,
    /// Roles with their reach.
    pub roles: Vec<(Role, Reach)>,
    /// Who this is, for the list that `make run` prints.
    pub note: String,
}

/// The password of all demo accounts; printed when a demo city is loaded.
pub const PASSWORD: &str = "Lingbao-demo-2026";

/// The demo cities by name.
const CITIES: &[(&str, &str)] = &[
    ("ningbo", include_str!("../../data/city/ningbo.json")),
    ("newtown", include_str!("../../data/city/newtown.json")),
];

/// Names of the demo cities.
pub fn names() -> impl Iterator<Item = &'static str> {
    CITIES.iter().map(|(name, _)| *name)
}

/// A demo city by its name.
///
/// # Errors
/// [`ServiceError::NotFound`] if there is none of that name.
pub fn city(name: &str) -> Result<City, ServiceError> {
    let (_, json) = CITIES
        .iter()
        .find(|(n, _)| *n == name)
        .ok_or(ServiceError::NotFound)?;
    let city: City = serde_json::from_str(json)
        .map_err(|e| ServiceError::internal("the data of a demo city", e))?;
    Ok(City {
        key: name.to_owned(),
        ..city
    })
}

/// The simulated cloud of the demo cities: as large as makes what Ningbo runs 85 % of it. The built-in
/// default, too, because it has the pools of a fresh installation.
#[must_use]
pub fn cloud(folder: Option<PathBuf>, seed: u64, latency: Latency) -> SimulatorConfig {
    let pool = |name: &str, hosts, overcommit_percent, third| PoolConfig {
        name: name.to_owned(),
        hosts,
        host_vcpus: 32,
        host_memory_gb: 512,
        overcommit_percent,
        disk_gb: 400_000,
        // The range that RFC 2544 keeps for benchmarks: nobody routes it.
        first_address: Ipv4Addr::new(198, 18, third, 1),
        addresses: 250,
    };
    SimulatorConfig {
        folder,
        seed,
        pools: vec![
            pool("public-general", 21, 300, 1),
            pool("public-xinchuang", 5, 300, 2),
            pool("internet-general", 11, 300, 3),
            pool("core-xinchuang", 8, 200, 4),
        ],
        latency,
        images: ["kylin-v10", "uos-20", "openeuler-22", "debian-12"]
            .map(str::to_owned)
            .to_vec(),
    }
}

/// The setting that says which demo city was begun, and whether it is whole.
const MARK: &str = "seed.city";

#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    city: String,
    whole: bool,
}

/// What stands in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No unit yet: a city may be loaded.
    Empty,
    /// The units of an installation.
    Own,
    /// A demo city.
    City(String),
    /// Part of a demo city: its loading was broken off, or goes on elsewhere. Its clouds hold what
    /// was built so far, so nobody can simply begin again over it.
    Part(String),
}

/// Says what stands in the database.
///
/// # Errors
/// What the database says.
pub async fn standing(app: &App) -> Result<Standing, StorageError> {
    let mut rx = app.db.read().await?;
    if !unit::any(&mut rx).await? {
        return Ok(Standing::Empty);
    }
    Ok(match setting::get(&mut rx, MARK).await? {
        None => Standing::Own,
        Some(Mark { city, whole: true }) => Standing::City(city),
        Some(Mark { city, whole: false }) => Standing::Part(city),
    })
}

async fn mark(app: &App, city: &City, whole: bool) -> Result<(), StorageError> {
    let mark = Mark {
        city: city.key.clone(),
        whole,
    };
    let mut tx = app.db.begin().await?;
    setting::put(&mut tx, MARK, &mark).await?;
    tx.commit().await
}

/// Loads a city into an empty database, its pools on `backend`. `app` runs on `clock`, which is moved
/// through the story and left at its end; where there is a story, `jobs` must be wired to clouds that
/// answer at once. `say` is told how far it is.
///
/// # Errors
/// What the services say: the story obeys the same rules as everybody.
pub async fn load(
    app: &Arc<App>,
    clock: &MockClock,
    jobs: &Arc<Registry>,
    (city, backend): (&City, &str),
    say: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), ServiceError> {
    // The services commit one act after the other: whoever finds part of a city must see that it is one.
    mark(app, city, false).await?;
    live(app, clock, jobs, (city, backend), say).await?;
    Ok(mark(app, city, true).await?)
}

async fn live(
    app: &Arc<App>,
    clock: &MockClock,
    jobs: &Arc<Registry>,
    (city, backend): (&City, &str),
    say: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), ServiceError> {
    let end = clock.now().millis();
    if city.running_hosts == 0 {
        say("units, accounts and quotas");
        let people = people::load(app, city, backend).await?;
        return story::first_day(app, jobs, city, &people).await;
    }
    clock.set(lingbao_model::time::Timestamp::from_millis(
        end - story::DAYS * lingbao_model::time::DAY_MS,
    ));
    say("units and accounts");
    let people = people::load(app, city, backend).await?;
    story::play(app, clock, jobs, city, &people, end, say).await
}
