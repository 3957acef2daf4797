//! The schema: one sequence of versions over three folders.
//!
//! `migrations/common` holds files that both engines run; `migrations/sqlite` and
//! `migrations/postgres` hold what must differ. A version number is used once among all files that
//! one engine runs. Files are forward-only and never edited after release; a change expands first
//! and contracts a release later, because two versions of the program may run on one schema. For the
//! same reason an applied migration that this program does not know is no error.
use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, Migrator};

use super::db::Engine;

static COMMON: Migrator = sqlx::migrate!("../../migrations/common");
static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Everything one engine has to run, in order.
///
/// # Errors
/// Two files carry one version.
pub fn of(engine: Engine) -> Result<Migrator, MigrateError> {
    let own = match engine {
        Engine::Sqlite => &SQLITE,
        Engine::Postgres => &POSTGRES,
    };
    let mut all: Vec<Migration> = COMMON.iter().chain(own.iter()).cloned().collect();
    all.sort_by_key(|migration| migration.version);
    for pair in all.windows(2) {
        if let [first, second] = pair
            && first.version == second.version
        {
            return Err(MigrateError::Source(
                format!("two migrations carry version {}", first.version).into(),
            ));
        }
    }
    Ok(Migrator {
        migrations: Cow::Owned(all),
        ignore_missing: true,
        ..Migrator::DEFAULT
    })
}

/// The schema version that this program needs.
#[must_use]
pub fn needed(engine: Engine) -> i64 {
    of(engine).map_or(i64::MAX, |all| {
        all.iter().map(|one| one.version).max().unwrap_or(0)
    })
}
