//! What a backend can do, how full its pools are, and how busy its servers.
use std::collections::{BTreeMap, BTreeSet};

use lingbao_model::makes::Makes;
use serde::{Deserialize, Serialize};

use super::PoolRef;

/// What a backend can do; the catalogue offers nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The calls it takes.
    pub calls: BTreeSet<super::CallKind>,
    /// What it makes in its pools; of one that is absent it says nothing.
    #[serde(default)]
    pub makes: BTreeMap<PoolRef, Makes>,
    /// Whether it makes one-time passwords.
    pub one_time_password: bool,
    /// Whether [`usage`](super::Provisioner::usage) has figures.
    pub usage: bool,
    /// Whether [`console`](super::Provisioner::console) has links.
    #[serde(default)]
    pub console: bool,
}

/// How full a pool is. Totals count the over-commit, of cores as of thin disks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capacity {
    /// Virtual cores that may be handed out.
    pub vcpus_total: u64,
    /// Virtual cores handed out.
    pub vcpus_used: u64,
    /// Memory of all hosts.
    pub memory_gb_total: u64,
    /// Memory handed out.
    pub memory_gb_used: u64,
    /// Disk space that may be handed out; `None` where the cloud does not tell, or has no end of it.
    pub disk_gb_total: Option<u64>,
    /// Disk space handed out, system disks included; means nothing without a total.
    pub disk_gb_used: u64,
    /// Public addresses.
    pub addresses_total: u64,
    /// Public addresses handed out.
    pub addresses_used: u64,
    /// Servers placed.
    pub servers: u64,
    /// The hosts that were counted for cores, memory and servers, as the backend calls them: pools of
    /// one backend with the same word stand on the same hosts. Empty is all hosts of the backend, with
    /// those of every other word; `None` is hosts of which no other pool knows.
    #[serde(default)]
    pub hosts: Option<String>,
}

/// How busy a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Of its cores, 0 to 100.
    pub cpu_percent: u32,
    /// Of its memory, 0 to 100.
    pub memory_percent: u32,
}
