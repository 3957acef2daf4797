//! Puts the program together: database, keys, clouds, jobs. The present and chance come in here.
use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use lingbao_backends::{
    BackendConfig, Backends, BackendsError,
    provisioning::{
        Secret,
        openstack::OpenStackConfig,
        simulator::{Latency, SimulatorConfig},
    },
    usage::prometheus::Prometheus,
};
use lingbao_core::{
    App, StorageError, cleanup,
    clock::{Clock, SystemClock},
    crypto::{CryptoError, StandardCrypto},
    fulfil,
    jobs::{Registry, Worker},
    seed,
    storage::{Db, DbConfig, migrations},
    usage::{self, Metering},
};
use lingbao_model::id::SiteCode;

use crate::config::{Backend, Config, Files, UsageFiles};

/// Why the program can't start; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// The database.
    #[error("the database can't be opened: {}", chain(.0))]
    Database(#[source] StorageError),
    /// The database is older than the program.
    #[error(
        "the database has schema {found}, this program needs {needed}: run `lingbao migrate` (after a backup)"
    )]
    Schema {
        /// What it has.
        found: i64,
        /// What is needed.
        needed: i64,
    },
    /// A file that was named.
    #[error("{what} {path}: {source}")]
    File {
        /// What it is for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key file holds no key.
    #[error("{path}: {source}")]
    Key {
        /// Where.
        path: PathBuf,
        /// Why.
        source: CryptoError,
    },
    /// A cloud.
    #[error(transparent)]
    Backends(#[from] BackendsError),
    /// The site's code.
    #[error("site.code: two to eight small letters or digits")]
    Site,
}

/// An error with all its causes, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = next.source();
    }
    text
}

/// How to reach the database of a configuration.
///
/// # Errors
/// The password file can't be read.
pub fn database_config(config: &Config, exclusive: bool) -> Result<DbConfig, WiringError> {
    let section = &config.database;
    let mut url = section.url.clone();
    if !section.password_file.as_os_str().is_empty() {
        let password = read_secret("database.password_file", &section.password_file)?;
        url = with_password(&url, &password);
    }
    Ok(DbConfig {
        max_connections: section.max_connections,
        wait: std::time::Duration::from_millis(section.wait_ms),
        queue: std::time::Duration::from_millis(section.queue_ms),
        statement_timeout: std::time::Duration::from_millis(section.statement_timeout_ms),
        exclusive,
        max_page_count: (section.max_page_count > 0).then_some(section.max_page_count),
        ..DbConfig::new(url)
    })
}

/// Puts a password into `postgres://USER@HOST/NAME`.
fn with_password(url: &str, password: &str) -> String {
    let mut escaped = String::new();
    for byte in password.bytes() {
        if byte.is_ascii_alphanumeric() {
            escaped.push(byte.into());
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    match url
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?)))
    {
        Some((scheme, (user, rest))) => format!("{scheme}://{user}:{escaped}@{rest}"),
        None => url.to_owned(),
    }
}

/// A secret out of its file.
///
/// # Errors
/// The file can't be read.
pub fn read_secret(what: &'static str, path: &Path) -> Result<String, WiringError> {
    std::fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .map_err(|source| WiringError::File {
            what,
            path: path.to_owned(),
            source,
        })
}

/// Opens the database; makes its folder, and the file, if it is the embedded one.
///
/// # Errors
/// See [`WiringError`].
pub async fn database(config: &Config, exclusive: bool) -> Result<Db, WiringError> {
    if let Some(folder) = config.database_file().as_deref().and_then(Path::parent)
        && !folder.as_os_str().is_empty()
    {
        make_folder(folder)?;
    }
    Db::open(&database_config(config, exclusive)?)
        .await
        .map_err(WiringError::Database)
}

/// Brings the schema up to date, or refuses an older one.
///
/// # Errors
/// [`WiringError::Schema`], or those of the database.
pub async fn schema(config: &Config, db: &Db) -> Result<(), WiringError> {
    let needed = migrations::needed(db.engine());
    let found = db.schema_version().await.map_err(WiringError::Database)?;
    if found >= needed {
        return Ok(());
    }
    if !config.database.migrate_at_start {
        return Err(WiringError::Schema { found, needed });
    }
    db.migrate().await.map_err(WiringError::Database)
}

fn make_folder(folder: &Path) -> Result<(), WiringError> {
    std::fs::create_dir_all(folder).map_err(|source| WiringError::File {
        what: "the folder",
        path: folder.to_owned(),
        source,
    })
}

/// What is done where there is no key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lacking {
    /// A key is made and written.
    Make,
    /// A key is made and forgotten: for who only looks, and reads no secret.
    Forget,
}

/// The key of the installation; made at the first start, readable by its owner alone.
///
/// # Errors
/// The file can't be read or made, or holds no key.
fn crypto(
    config: &Config,
    random: &lingbao_core::app::Random,
    lacking: Lacking,
) -> Result<StandardCrypto, WiringError> {
    let path = &config.crypto.key_file;
    let failed = |source| WiringError::File {
        what: "the key file",
        path: path.clone(),
        source,
    };
    let made = || -> String {
        let bytes = random.bytes::<32>();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && lacking == Lacking::Forget => {
            made()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = made();
            if let Some(folder) = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty())
            {
                make_folder(folder)?;
            }
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path).map_err(failed)?;
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(failed)?;
            tracing::info!(path = %path.display(), "made the key of this installation; keep a copy apart from the database");
            text
        }
        Err(error) => return Err(failed(error)),
    };
    StandardCrypto::from_text(&text).map_err(|source| WiringError::Key {
        path: path.clone(),
        source,
    })
}

/// What the process shares.
///
/// # Errors
/// See [`WiringError`].
pub fn app(config: &Config, db: Db) -> Result<Arc<App>, WiringError> {
    app_at(config, db, Arc::new(SystemClock))
}

/// The same with its clouds: for what serves and works.
///
/// # Errors
/// As [`app`], and those of [`backends`].
pub fn app_with_clouds(config: &Config, db: Db) -> Result<(Arc<App>, Arc<Backends>), WiringError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let backends = backends(config, clock.clone())?;
    let app = bare(config, db, clock, Lacking::Make)?
        .with_backends(backends.clone())
        .with_usage(metering(config)?.map(Arc::new));
    Ok((Arc::new(app), backends))
}

/// The same with another present: the history of a demo city.
///
/// # Errors
/// As [`app`].
pub fn app_at(config: &Config, db: Db, clock: Arc<dyn Clock>) -> Result<Arc<App>, WiringError> {
    bare(config, db, clock, Lacking::Make).map(Arc::new)
}

/// The same for who only looks: makes no key file, and reads no secret.
///
/// # Errors
/// As [`app`].
pub fn app_to_look(config: &Config, db: Db) -> Result<Arc<App>, WiringError> {
    bare(config, db, Arc::new(SystemClock), Lacking::Forget).map(Arc::new)
}

fn bare(
    config: &Config,
    db: Db,
    clock: Arc<dyn Clock>,
    lacking: Lacking,
) -> Result<App, WiringError> {
    let random = lingbao_core::app::Random::from_os();
    let crypto = crypto(config, &random, lacking)?;
    let site = SiteCode::try_from(config.site.code.clone()).map_err(|_| WiringError::Site)?;
    let app = App::with(db, site, Arc::new(crypto), clock, random);
    Ok(app
        .with_keep_days(config.release.keep_days.into())
        .with_phone(&config.site.phone))
}

/// The clouds of the configuration; without any, the simulated one.
///
/// # Errors
/// One can't be opened.
pub fn backends(config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<Backends>, WiringError> {
    open(sections(config), clock)
}

/// The same without some, by name: for who only looks, and makes no folder.
///
/// # Errors
/// As [`backends`].
pub fn backends_without(
    config: &Config,
    clock: Arc<dyn Clock>,
    but: &[&str],
) -> Result<Arc<Backends>, WiringError> {
    let mut sections = sections(config);
    sections.retain(|name, _| !but.contains(&name.as_str()));
    open(sections, clock)
}

/// The cloud on which the pools of a fresh installation stand.
#[must_use]
pub fn first_cloud(config: &Config) -> &str {
    config
        .backends
        .keys()
        .next()
        .map_or("simulator", String::as_str)
}

/// The simulated clouds with the folders in which they keep their state.
#[must_use]
pub fn simulated_folders(config: &Config) -> Vec<(String, PathBuf)> {
    let own = sections(config)
        .into_iter()
        .filter(|(_, section)| section.kind == "simulator");
    own.map(|(name, section)| (name, section.folder)).collect()
}

/// The same, but simulated clouds answer at once: nobody waits for the history of a demo city.
///
/// # Errors
/// As [`backends`].
pub fn hurried_backends(
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Backends>, WiringError> {
    let mut sections = sections(config);
    for section in sections.values_mut() {
        section.latency = Latency::default();
    }
    open(sections, clock)
}

fn sections(config: &Config) -> BTreeMap<String, Backend> {
    let mut sections = config.backends.clone();
    if sections.is_empty() {
        sections.insert("simulator".to_owned(), Backend::default());
    }
    sections
}

fn open(
    sections: BTreeMap<String, Backend>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Backends>, WiringError> {
    let mut all = BTreeMap::new();
    for (name, section) in sections {
        all.insert(name, backend(section)?);
    }
    Ok(Arc::new(Backends::open(
        &all,
        Arc::new(move || clock.now()),
    )?))
}

fn backend(section: Backend) -> Result<BackendConfig, WiringError> {
    if section.kind == "remote-simulator" {
        let token = if section.token_file.as_os_str().is_empty() {
            None
        } else {
            Some(Secret(read_secret("token_file", &section.token_file)?))
        };
        return Ok(BackendConfig::RemoteSimulator {
            url: section.url,
            token,
            timeout_ms: section.timeout_ms,
        });
    }
    if section.kind == "openstack" {
        return Ok(BackendConfig::OpenStack(Box::new(openstack(&section)?)));
    }
    Ok(BackendConfig::Simulator(simulator(section)))
}

/// The real cloud of a section, with what its files hold.
fn openstack(section: &Backend) -> Result<OpenStackConfig, WiringError> {
    let named = |what, path: &Path| {
        let is_named = !path.as_os_str().is_empty();
        is_named.then(|| read_secret(what, path)).transpose()
    };
    let config = section.openstack(Files {
        credential: Secret(read_secret("password_file", section.credential_file())?),
        ca_pem: named("ca_file", &section.ca_file)?,
        password_secret: named("secret_file", &section.secret_file)?.map(Secret),
    });
    // Everything else was looked at before any file was read.
    match config.problems().first() {
        None => Ok(config),
        Some(problem) => {
            let (what, path) = if problem.starts_with("ca_file") {
                ("ca_file", &section.ca_file)
            } else {
                ("secret_file", &section.secret_file)
            };
            Err(WiringError::File {
                what,
                path: path.clone(),
                source: io::Error::new(io::ErrorKind::InvalidData, problem.clone()),
            })
        }
    }
}

/// The simulated cloud of a section.
#[must_use]
pub fn simulator(section: Backend) -> SimulatorConfig {
    let mut config = seed::cloud(Some(section.folder), section.seed, section.latency);
    if !section.pools.is_empty() {
        config.pools = section.pools;
    }
    if !section.images.is_empty() {
        config.images = section.images;
    }
    config
}

/// Everything that is done after a commit.
#[must_use]
pub fn jobs(backends: &Arc<Backends>) -> Registry {
    usage::wire(cleanup::wire(fulfil::wire(Registry::new(), backends)))
}

/// What measures the hosts, if the configuration names something.
///
/// # Errors
/// A file that it names can't be read, or holds no certificate.
pub fn metering(config: &Config) -> Result<Option<Metering>, WiringError> {
    let section = &config.usage;
    if section.prometheus_url.is_empty() {
        return Ok(None);
    }
    let named = |what, path: &Path| {
        let is_named = !path.as_os_str().is_empty();
        is_named.then(|| read_secret(what, path)).transpose()
    };
    let files = UsageFiles {
        token: named("usage.token_file", &section.token_file)?.map(Secret),
        password: named("usage.password_file", &section.password_file)?.map(Secret),
        ca_pem: named("usage.ca_file", &section.ca_file)?,
    };
    Ok(Some(Metering {
        source: Arc::new(Prometheus::new(section.prometheus(files))?),
        catch_up_days: section.catch_up_days.into(),
        keep_days: section.keep_days.into(),
    }))
}

/// The worker of a configuration.
#[must_use]
pub fn worker(config: &Config, app: Arc<App>, jobs: Arc<Registry>) -> Worker {
    let section = &config.worker;
    let name = if section.name.is_empty() {
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        format!("{}-{}", host.trim(), std::process::id())
    } else {
        section.name.clone()
    };
    Worker::new(app, jobs, name)
        .concurrency(section.jobs)
        .grace(std::time::Duration::from_secs(config.server.stop_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_escaped_into_the_address() {
        assert_eq!(
            with_password("postgres://u@h/n", "a@b:c"),
            "postgres://u:a%40b%3Ac@h/n"
        );
        assert_eq!(with_password("postgres://h/n", "x"), "postgres://h/n");
    }

    #[test]
    fn the_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.crypto.key_file = folder.path().join("deeper/key");
        let random = lingbao_core::app::Random::from_seed(1);
        crypto(&config, &random, Lacking::Forget).unwrap();
        assert!(!folder.path().join("deeper").exists());
        crypto(&config, &random, Lacking::Make).unwrap();
        let first = std::fs::read_to_string(&config.crypto.key_file).unwrap();
        crypto(&config, &random, Lacking::Make).unwrap();
        assert_eq!(
            first,
            std::fs::read_to_string(&config.crypto.key_file).unwrap()
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&config.crypto.key_file)
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(&config.crypto.key_file, "short").unwrap();
        assert!(matches!(
            crypto(&config, &random, Lacking::Make),
            Err(WiringError::Key { .. })
        ));
    }
}
