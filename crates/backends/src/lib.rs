//! The outside world behind traits: a specification goes in, a state comes out.
//!
//! Nothing here knows of requests, users or the database. Time comes in through [`Clock`], chance
//! through a seed.
//!
//! ```ignore
//! let backends = Backends::open(&config, Arc::new(move || clock.now()))?;
//! let cloud = backends.get("simulator").ok_or(…)?;
//! ```
mod absent;
pub mod provisioning;
pub mod usage;

use std::{collections::BTreeMap, fmt, io, sync::Arc, time::Duration};

use lingbao_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use provisioning::{
    Provisioner, Secret,
    http::RemoteSimulator,
    openstack::{OpenStack, OpenStackConfig},
    simulator::{Simulator, SimulatorConfig},
};

/// Where the present comes from. Any function that tells a [`Timestamp`] will do.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

impl<F: Fn() -> Timestamp + Send + Sync + 'static> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}

/// One backend of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BackendConfig {
    /// The simulated cloud inside this process.
    Simulator(SimulatorConfig),
    /// The simulated cloud of another process (`lingbao simulator`).
    RemoteSimulator {
        /// Where, `http://10.0.0.5:3010`.
        url: String,
        /// What it asks for.
        token: Option<Secret>,
        /// For a whole call, in milliseconds.
        timeout_ms: u64,
    },
    /// A real cloud. Called `openstack` in the configuration.
    #[serde(rename = "openstack")]
    OpenStack(Box<OpenStackConfig>),
}

/// Why the backends of a configuration can't be had.
#[derive(Debug, thiserror::Error)]
pub enum BackendsError {
    /// The state file of a simulated cloud.
    #[error("backend {name}: {source}")]
    State {
        /// Which backend.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The client of a remote one.
    #[error("backend {name}: {source}")]
    Client {
        /// Which backend.
        name: String,
        /// Why.
        source: reqwest::Error,
    },
}

/// The backends by the names that pools call them.
#[derive(Clone, Default)]
pub struct Backends(BTreeMap<String, Arc<dyn Provisioner>>);

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Backends {
    /// Opens each backend of a configuration.
    ///
    /// # Errors
    /// If one can't be opened. One that is merely unreachable is no error: it may come back.
    pub fn open(
        config: &BTreeMap<String, BackendConfig>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BackendsError> {
        let mut this = Self::default();
        for (name, config) in config {
            match config {
                BackendConfig::Simulator(config) => {
                    let clock = clock.clone();
                    let opened = Simulator::open(name, config.clone(), move || clock.now());
                    this = this.with(opened.map_err(|source| BackendsError::State {
                        name: name.clone(),
                        source,
                    })?);
                }
                BackendConfig::OpenStack(config) => {
                    let client = OpenStack::new(name, (**config).clone(), clock.clone());
                    this = this.with(client.map_err(|source| BackendsError::Client {
                        name: name.clone(),
                        source,
                    })?);
                }
                BackendConfig::RemoteSimulator {
                    url,
                    token,
                    timeout_ms,
                } => {
                    let timeout = Duration::from_millis(*timeout_ms);
                    let client = RemoteSimulator::new(name, url, token.clone(), timeout);
                    this = this.with(client.map_err(|source| BackendsError::Client {
                        name: name.clone(),
                        source,
                    })?);
                }
            }
        }
        Ok(this)
    }

    /// With one more; it takes the place of one with the same name.
    #[must_use]
    pub fn with(mut self, backend: impl Provisioner + 'static) -> Self {
        self.0.insert(backend.name().to_owned(), Arc::new(backend));
        self
    }

    /// A backend by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Provisioner>> {
        self.0.get(name)
    }

    /// A backend by its name; one that never answers if the configuration has none of it, so that
    /// what has begun there keeps its steps until the configuration is mended.
    #[must_use]
    pub fn get_or_absent(&self, name: &str) -> Arc<dyn Provisioner> {
        self.get(name)
            .cloned()
            .unwrap_or_else(|| Arc::new(absent::Absent::new(name)))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<dyn Provisioner>)> {
        self.0
            .iter()
            .map(|(name, backend)| (name.as_str(), backend))
    }
}
