//! What a new database is filled with: the catalogue of a fresh installation, or a demo city.
use std::sync::Arc;

use lingbao_core::{
    clock::{Clock, MockClock, SystemClock},
    seed::{self, City, Standing},
    service::install,
    storage::Db,
};

use crate::{config::Config, serve::Failure, wiring};

/// How a database was found and left by [`prepare`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The demo city in it.
    pub city: Option<String>,
    /// Whether it was loaded just now.
    pub now: bool,
}

/// Fills a database that holds nothing: with a demo city, if one is asked for, else with the zones,
/// pools, items and policies that a fresh installation begins with. These come too where there are
/// units and nothing else, as the first account left it before it brought them.
///
/// # Errors
/// The city is unknown, part of one stands in the database, or the database failed.
pub async fn prepare(config: &Config, db: &Db, demo: Option<&str>) -> Result<Prepared, Failure> {
    let city = demo.map(known).transpose()?;
    let present = SystemClock.now();
    let clock = Arc::new(MockClock::new(present));
    let app = wiring::app_at(config, db.clone(), clock.clone())?;
    let backend = wiring::first_cloud(config);
    let found = seed::standing(&app).await?;
    let city = match (found, city) {
        (Standing::Part(name), _) => return Err(broken_off(config, &name).into()),
        (Standing::City(name), _) => {
            return Ok(Prepared {
                city: Some(name),
                now: false,
            });
        }
        (Standing::Empty, Some(city)) => city,
        (Standing::Own, _) | (Standing::Empty, None) => {
            install::defaults(&app.system(), backend).await?;
            return Ok(Prepared {
                city: None,
                now: false,
            });
        }
    };
    let name = city.key.clone();
    // Its story orders hundreds of machines, on a clock that jumps: only a cloud inside this process
    // answers it at once.
    if city.running_hosts > 0 && !config.backends.values().all(|b| b.kind == "simulator") {
        return Err(format!(
            "the demo city {name} is for simulated clouds inside this process alone; for one in a process of its own load the city first (`lingbao seed --city {name}` without that section) and then use it; on a real one begin with --demo newtown"
        )
        .into());
    }
    println!("Loading the demo city {name} (once; half a minute to a minute) …");
    let backends = wiring::hurried_backends(config, clock.clone())?;
    let jobs = Arc::new(wiring::jobs(&backends));
    let say = |text: &str| println!("  {text}");
    seed::load(&app, &clock, &jobs, (&city, backend), &say).await?;
    Ok(Prepared {
        city: Some(name),
        now: true,
    })
}

fn known(name: &str) -> Result<City, Failure> {
    seed::city(name).map_err(|_| {
        let names: Vec<_> = seed::names().collect();
        format!(
            "there is no demo city {name:?}; there are: {}",
            names.join(", ")
        )
        .into()
    })
}

/// What to do about part of a city. It is not thrown away unasked: on PostgreSQL another copy may be
/// loading it at this moment.
fn broken_off(config: &Config, name: &str) -> String {
    let database = config.database_file().map_or_else(
        || "empty the database".to_owned(),
        |file| format!("delete {0}, {0}-wal and {0}-shm", file.display()),
    );
    let clouds: String = wiring::simulated_folders(config)
        .iter()
        .map(|(_, folder)| format!(", delete the simulated cloud's folder {}", folder.display()))
        .collect();
    format!(
        "only part of the demo city {name} is in the database: its loading was broken off, or another \
         copy is at it. If none is, {database}{clouds} and start again (in a checkout `make clean-data` does it)"
    )
}

/// What is printed when a demo city was asked for: the address, and the accounts of the city that
/// stands in the database. In one that holds no demo city there are no such accounts.
#[must_use]
pub fn welcome(url: &str, city: Option<&str>) -> String {
    let mut text = format!("\nLingbao is at {url}\n");
    let Some(city) = city.and_then(|name| seed::city(name).ok()) else {
        text.push_str("No demo city was loaded: the database held units already.\n");
        return text;
    };
    text.push_str(&format!("Demo accounts, password {}:\n", seed::PASSWORD));
    for account in city.accounts {
        text.push_str(&format!("  {:<12} {}\n", account.login, account.note));
    }
    text
}
