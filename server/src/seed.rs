//! What a new database is filled with: the catalogue of a fresh installation, or a demo city.
use std::sync::Arc;

use lingbao_core::{
    clock::{Clock, MockClock, SystemClock},
    seed,
    service::install,
    storage::Db,
};

use crate::{config::Config, serve::Failure, wiring};

/// Fills a database that holds nothing: with a demo city, if one is asked for, else with the zones,
/// pools, items and policies that a fresh installation begins with.
///
/// # Errors
/// The city is unknown, or the database failed.
pub async fn prepare(config: &Config, db: &Db, demo: Option<&str>) -> Result<(), Failure> {
    let present = SystemClock.now();
    let clock = Arc::new(MockClock::new(present));
    let app = wiring::app_at(config, db.clone(), clock.clone())?;
    if !seed::is_empty(&app).await? {
        return Ok(());
    }
    let backend = config
        .backends
        .keys()
        .next()
        .map_or("simulator", String::as_str);
    let Some(name) = demo else {
        install::defaults(&app.system(), backend).await?;
        return Ok(());
    };
    let city = seed::city(name).map_err(|_| {
        format!(
            "there is no demo city {name:?}; there are: {}",
            seed::names().collect::<Vec<_>>().join(", ")
        )
    })?;
    let simulated = |kind: &str| matches!(kind, "simulator" | "remote-simulator");
    if city.running_hosts > 0 && !config.backends.values().all(|b| simulated(&b.kind)) {
        // Its story orders hundreds of machines, on a clock that jumps.
        return Err(format!(
            "the demo city {name} is for simulated clouds alone; on a real one begin with --demo newtown"
        )
        .into());
    }
    println!("Loading the demo city {name} (once; half a minute to a minute) …");
    let backends = wiring::hurried_backends(config, clock.clone())?;
    let jobs = Arc::new(wiring::jobs(&backends));
    let say = |text: &str| println!("  {text}");
    seed::load(&app, &clock, &jobs, (&city, backend), &say).await?;
    Ok(())
}

/// The accounts of a demo city, for whoever starts it: login and who that is.
///
/// # Errors
/// The city is unknown.
pub fn accounts(name: &str) -> Result<Vec<(String, String)>, Failure> {
    let city = seed::city(name).map_err(|_| format!("there is no demo city {name:?}"))?;
    Ok(city
        .accounts
        .into_iter()
        .map(|a| (a.login, a.note))
        .collect())
}

/// What is printed when a demo city is served: address, accounts, password.
#[must_use]
pub fn welcome(url: &str, accounts: &[(String, String)]) -> String {
    let mut text = format!(
        "\nLingbao is at {url}\nDemo accounts, password {}:\n",
        seed::PASSWORD
    );
    for (login, note) in accounts {
        text.push_str(&format!("  {login:<12} {note}\n"));
    }
    text
}
