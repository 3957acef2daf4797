//! Which cloud, and what its things are called there.
use std::{collections::BTreeMap, net::Ipv4Addr};

use lingbao_model::{
    access_rule::{self, AccessRule, Opening, PortRange},
    placement::Level,
};
use serde::{Deserialize, Serialize};

use super::names::{self, Named};
use crate::provisioning::Secret;

/// One OpenStack cloud, in one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenStackConfig {
    /// Keystone, with its version: `https://keystone.example:5000/v3`.
    pub auth_url: String,
    /// Region of the catalogue; `None` takes the first endpoint of each service.
    pub region: Option<String>,
    /// Which endpoints of the catalogue: `public`, `internal` or `admin`.
    pub interface: String,
    /// Certificates (PEM) of the authority that signed the cloud's; `None` trusts the public ones.
    pub ca_pem: Option<String>,
    /// Who the portal is.
    pub credential: Credential,
    /// Name or id of the domain in which the units' projects are made.
    pub domain: String,
    /// The role that the portal's user gives itself in each project it makes.
    pub role: String,
    /// One-time passwords follow from it and from the operation; `None` makes none.
    pub password_secret: Option<Secret>,
    /// Longest time for one request, in milliseconds.
    pub timeout_ms: u64,
    /// Longest time for a connection, in milliseconds.
    pub connect_timeout_ms: u64,
    /// After a lost answer nothing is made anew before so many milliseconds, so that a late success
    /// is found instead.
    pub settle_ms: u64,
    /// What is under way is looked at again after so many milliseconds at the earliest; what takes
    /// long is looked at more seldom.
    pub poll_ms: u64,
    /// A server or volume that is still being built after so many minutes is given up.
    pub build_minutes: u32,
    /// A server whose building has stood still for so many minutes, while the cloud answers, is
    /// deleted and built anew; 0 leaves it to `build_minutes`.
    pub stall_minutes: u32,
    /// Name or id of the network with public addresses; `None` is a cloud without.
    pub external_network: Option<String>,
    /// Whether hosts without an address of their own reach the outside, by the address of their
    /// network's router.
    pub outbound: bool,
    /// Name servers that hosts learn by DHCP; none leaves it to the cloud.
    pub dns_servers: Vec<String>,
    /// The pools.
    pub zones: Vec<ZoneConfig>,
    /// Code of an image → its name or id in Glance. As `kunpeng/kylin-v10` it is that of hosts of one
    /// architecture, else that of general ones; a pool's own names count before these.
    pub images: BTreeMap<String, String>,
    /// `4x8` (cores x GiB) → name of a flavour, by architecture as images are. What is missing is
    /// looked for by its exact size.
    pub flavours: BTreeMap<String, String>,
    /// Makes a flavour of a size that the cloud does not have.
    pub make_flavours: bool,
    /// Code of a disk class → name of a volume type. What is missing is taken by its own name.
    pub volume_types: BTreeMap<String, String>,
    /// Name of a preset → what may come in. Without any, [`default_presets`].
    pub presets: BTreeMap<String, Vec<Rule>>,
}

/// Who the portal is to the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// A user with the role admin: takes a token for each unit's project.
    Password {
        /// Name.
        user: String,
        /// Name or id of the user's domain.
        user_domain: String,
        /// Password.
        password: Secret,
        /// Name of the portal's own project.
        project: String,
        /// Name or id of that project's domain.
        project_domain: String,
    },
    /// An application credential. Keystone binds it to one project, so it can make servers and
    /// volumes in that one alone; the check says so.
    Application {
        /// Id.
        id: String,
        /// Secret.
        secret: Secret,
    },
}

/// A pool: an availability zone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ZoneConfig {
    /// The name that the portal's pools use.
    pub name: String,
    /// Availability zone of servers; that of the cloud's choice when empty.
    #[serde(default)]
    pub zone: String,
    /// Availability zone of volumes; that of the cloud's choice when empty.
    #[serde(default)]
    pub volume_zone: String,
    /// Name or id of another external network than the cloud's.
    #[serde(default)]
    pub external_network: String,
    /// Cinder pools (`host@backend#pool`) count for this pool if they begin so; all when empty.
    #[serde(default)]
    pub storage: String,
    /// Volume type of system disks; the cloud's default when empty.
    #[serde(default)]
    pub system_volume_type: String,
    /// Architecture of the hosts that stand here, by its code in the catalogue; general when empty.
    /// Names without an architecture mean it, and flavours without a name are taken for it alone.
    #[serde(default)]
    pub arch: String,
    /// Code of an image → its name or id in Glance.
    #[serde(default)]
    pub image_names: BTreeMap<String, String>,
    /// `4x8` (cores x GiB) → name of a flavour.
    #[serde(default)]
    pub flavour_names: BTreeMap<String, String>,
}

/// What may come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// `tcp`, `udp` or `icmp`; any when empty.
    #[serde(default)]
    pub protocol: String,
    /// First port; 0 is all.
    #[serde(default)]
    pub from_port: u16,
    /// Last port; 0 is the first.
    #[serde(default)]
    pub to_port: u16,
    /// From where, `10.0.0.0/8`; members of the same preset in the same project when empty.
    #[serde(default)]
    pub from: String,
}

impl Rule {
    /// The protocol as Neutron writes it.
    pub(super) fn protocol(&self) -> String {
        self.protocol.to_lowercase()
    }

    /// What is wrong with it by itself.
    fn problem(&self) -> Option<&'static str> {
        let protocol = self.protocol();
        if !["", "tcp", "udp", "icmp"].contains(&&*protocol) {
            return Some("protocol: tcp, udp, icmp, or empty for any");
        }
        let ports = (self.from_port, self.to_port);
        if ports != (0, 0) && !["tcp", "udp"].contains(&&*protocol) {
            return Some("ports are of tcp or udp: name the protocol");
        }
        if ports.1 != 0 && !(1..=ports.1).contains(&ports.0) {
            return Some("from_port: the first of the ports, not above to_port");
        }
        if !self.from.is_empty() && network(&self.from).is_none() {
            return Some("from: addresses of IPv4, as 10.0.0.0/8 or 10.1.2.3");
        }
        None
    }
}

/// A network as Neutron writes it: from its first address on, a single address with its 32 bits.
pub(super) fn network(text: &str) -> Option<String> {
    let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
    let address: Ipv4Addr = address.parse().ok()?;
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Some(format!(
        "{}/{bits}",
        Ipv4Addr::from(u32::from(address) & mask)
    ))
}

impl OpenStackConfig {
    /// The pool of a name.
    #[must_use]
    pub fn zone(&self, name: &str) -> Option<&ZoneConfig> {
        self.zones.iter().find(|zone| zone.name == name)
    }

    /// The external network of a pool.
    #[must_use]
    pub fn external_of<'a>(&'a self, zone: &'a ZoneConfig) -> Option<&'a str> {
        Some(zone.external_network.as_str())
            .filter(|name| !name.is_empty())
            .or(self.external_network.as_deref())
    }

    /// What is wrong with it by itself, each with its key.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |fine: bool, problem: &str| {
            if !fine {
                problems.push(problem.to_owned());
            }
        };
        let url = self.auth_url.trim_end_matches('/');
        check(
            url.starts_with("http") && url.ends_with("/v3"),
            "url: write Keystone's with its version, https://HOST:5000/v3",
        );
        check(
            ["public", "internal", "admin"].contains(&self.interface.as_str()),
            "interface: public, internal or admin",
        );
        check(self.timeout_ms >= 100, "timeout_ms: at least 100");
        check(!self.zones.is_empty(), "zones: at least one");
        check(!self.role.is_empty(), "role: the name of a role, as member");
        check(
            self.password_secret
                .as_ref()
                .is_none_or(|s| s.0.len() >= 32),
            "secret_file: at least 32 characters",
        );
        // One without any would be trusted to sign nothing, and each call would fail for that.
        check(
            self.ca_pem
                .as_ref()
                .is_none_or(|pem| pem.contains("-----BEGIN CERTIFICATE-----")),
            "ca_file: at least one certificate in PEM",
        );
        for (name, rules) in &self.presets {
            for (number, rule) in rules.iter().enumerate() {
                if let Some(problem) = rule.problem() {
                    check(false, &format!("presets.{name}[{number}].{problem}"));
                }
            }
        }
        for Named { key, path, .. } in names::flavours(self) {
            check(
                key.size().is_some(),
                &format!("{path}: write CORESxGIB, as 4x8 or kunpeng/4x8"),
            );
        }
        for Named { key, path, .. } in names::images(self) {
            check(
                key.arch != Some("") && !key.code.is_empty(),
                &format!("{path}: write the code of an image, as kylin-v10 or kunpeng/kylin-v10"),
            );
        }
        problems
    }
}

/// The presets of a configuration that has none: those of [`access_rule::preset`].
#[must_use]
pub fn default_presets() -> BTreeMap<String, Vec<Rule>> {
    let both = |level: &Level| [false, true].map(|net| access_rule::preset_name(*level, net));
    Level::ALL
        .iter()
        .flat_map(both)
        .map(|name| {
            let openings = access_rule::preset(&name).unwrap_or_default();
            (name, openings.iter().map(Rule::from).collect())
        })
        .collect()
}

impl From<&Opening> for Rule {
    fn from(opening: &Opening) -> Self {
        let text = |it: Option<String>| it.unwrap_or_default();
        Self {
            protocol: text(opening.protocol.map(|it| it.to_string())),
            from_port: opening.ports.map_or(0, |ports| ports.from),
            to_port: opening.ports.map_or(0, |ports| ports.to),
            from: text(opening.source.map(|it| it.to_string())),
        }
    }
}

impl From<&AccessRule> for Rule {
    fn from(rule: &AccessRule) -> Self {
        Self::from(&Opening {
            protocol: Some(rule.protocol),
            ports: rule.ports,
            source: Some(rule.source),
        })
    }
}

impl Rule {
    /// As pages tell it; what [`Rule::problem`] complains about opens nothing.
    pub(super) fn opening(&self) -> Option<Opening> {
        if self.problem().is_some() {
            return None;
        }
        let source = match self.from.as_str() {
            "" => None,
            from => Some(network(from)?.parse().ok()?),
        };
        Some(Opening {
            protocol: self.protocol().parse().ok(),
            ports: (self.from_port > 0).then(|| PortRange {
                from: self.from_port,
                to: self.to_port.max(self.from_port),
            }),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_written_as_neutron_writes_it() {
        for (ours, theirs) in [
            ("10.1.2.3", Some("10.1.2.3/32")),
            ("10.1.2.3/8", Some("10.0.0.0/8")),
            ("1.2.3.4/0", Some("0.0.0.0/0")),
            ("10.0.0.0/33", None),
            ("fd00::/8", None),
            ("anywhere", None),
        ] {
            assert_eq!(network(ours).as_deref(), theirs, "{ours}");
        }
    }

    #[test]
    fn a_file_of_an_authority_without_a_certificate_is_told() {
        let mut config = crate::provisioning::openstack::offered::tests::config();
        for (pem, fine) in [
            (None, true),
            (Some(""), false),
            (Some("-----BEGIN PRIVATE KEY-----"), false),
            (Some("-----BEGIN CERTIFICATE-----"), true),
        ] {
            config.ca_pem = pem.map(str::to_owned);
            let problems = config.problems();
            let told = problems.iter().any(|it| it.starts_with("ca_file"));
            assert_eq!(!told, fine, "{pem:?}");
        }
    }

    #[test]
    fn a_rule_that_neutron_would_refuse_or_widen_is_told_beforehand() {
        let rule = |protocol: &str, from_port, to_port, from: &str| Rule {
            protocol: protocol.to_owned(),
            from_port,
            to_port,
            from: from.to_owned(),
        };
        for fine in [
            rule("TCP", 80, 0, "10.1.2.3"),
            rule("udp", 1, 9, ""),
            rule("", 0, 0, ""),
            rule("icmp", 0, 0, "0.0.0.0/0"),
        ] {
            assert_eq!(fine.problem(), None, "{fine:?}");
        }
        for wrong in [
            rule("gre", 0, 0, ""),
            rule("", 80, 0, ""),
            rule("icmp", 8, 0, ""),
            rule("tcp", 0, 80, ""),
            rule("tcp", 90, 80, ""),
            rule("tcp", 80, 0, "fd00::/8"),
        ] {
            assert!(wrong.problem().is_some(), "{wrong:?}");
        }
        for (name, rules) in default_presets() {
            assert!(rules.iter().all(|it| it.problem().is_none()), "{name}");
        }
    }
}
