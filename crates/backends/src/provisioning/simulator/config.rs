//! What the simulated cloud is made of.
use std::{net::Ipv4Addr, path::PathBuf};

use serde::{Deserialize, Serialize};

/// The simulated cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatorConfig {
    /// Folder of the state file; `None` keeps everything in memory.
    pub folder: Option<PathBuf>,
    /// Ids, passwords, latencies and usage figures follow from it. Whoever knows it can tell the
    /// simulated passwords.
    #[serde(default)]
    pub seed: u64,
    /// Its pools.
    pub pools: Vec<PoolConfig>,
    /// How long things take.
    #[serde(default)]
    pub latency: Latency,
    /// Codes of its images; a server with another one is refused.
    pub images: Vec<String>,
}

/// A pool of hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolConfig {
    /// Its name, as in [`PoolRef`](crate::provisioning::PoolRef).
    pub name: String,
    /// How many hosts; they are all alike.
    pub hosts: u32,
    /// Physical cores of a host.
    pub host_vcpus: u32,
    /// Memory of a host; never over-committed.
    pub host_memory_gb: u32,
    /// Virtual cores for a hundred physical ones: 300 = 1 : 3.
    #[serde(default = "hundred")]
    pub overcommit_percent: u32,
    /// Shared storage of the pool.
    pub disk_gb: u64,
    /// First public address.
    pub first_address: Ipv4Addr,
    /// How many public addresses.
    pub addresses: u32,
}

const fn hundred() -> u32 {
    100
}

impl PoolConfig {
    /// Virtual cores one host may hand out.
    #[must_use]
    pub fn host_vcpus_total(&self) -> u64 {
        u64::from(self.host_vcpus) * u64::from(self.overcommit_percent) / 100
    }

    /// Name of a host, counted from 0.
    #[must_use]
    pub fn host(&self, index: u32) -> String {
        format!("{}-h{:03}", self.name, index + 1)
    }
}

/// How long things take, in milliseconds. 0 answers at once with `Done`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Latency {
    /// Building a server.
    pub build_server_ms: u64,
    /// Starting, stopping, restarting and resizing one.
    pub change_server_ms: u64,
    /// Everything else but projects and networks.
    pub other_ms: u64,
    /// Up to so much is added, by chance that follows from seed and operation.
    pub jitter_percent: u64,
}
