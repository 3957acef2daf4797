//! What may come in to a host (安全组规则): by its protection level, and by rules of its owner.
//!
//! The law stands in [`judge`]; page, programming interface and saga use this one. The presets of the
//! protection levels stand here too, so that both speak of the same networks.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::msg::{FieldError, Msg};
use crate::placement::Level;
use crate::text;
use crate::words;

/// Most rules of its own that a host has: more than anybody reads are no protection.
pub const MOST_RULES: usize = 50;
/// Longest note of a rule.
pub const NOTE_MAX: usize = 60;
/// The most addresses that one can still call by name. A network outside that is larger is everybody.
const NAMED: u64 = 256;

words! {
    /// What a rule lets in.
    #[cfg_attr(feature = "openapi", schema(as = AccessProtocol))]
    pub enum Protocol {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
        /// ICMP: pings, and what networks say about themselves. It has no ports.
        Icmp = "icmp",
    }
}

// ---- networks

/// A network of IPv4, as `10.8.0.0/24`; a single address has 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    first: u32,
    bits: u32,
}

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCidr {
    /// It is something else.
    Unreadable,
    /// An address inside a network; this is the network.
    Inside(Cidr),
}

impl fmt::Display for NoCidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("not a network of IPv4"),
            Self::Inside(network) => write!(f, "an address inside {network}"),
        }
    }
}
impl std::error::Error for NoCidr {}

impl Cidr {
    /// From everywhere.
    pub const EVERYWHERE: Self = Self::of([0, 0, 0, 0], 0);
    /// The government extranet (国家电子政务外网).
    pub const EXTRANET: Self = Self::of([59, 192, 0, 0], 10);
    /// The private networks: units and clouds number their own hosts out of them.
    pub const PRIVATE: [Self; 3] = [
        Self::of([10, 0, 0, 0], 8),
        Self::of([172, 16, 0, 0], 12),
        Self::of([192, 168, 0, 0], 16),
    ];
    /// What never sends anything: no network, the own machine, groups of receivers.
    const NOBODY: [Self; 3] = [
        Self::of([0, 0, 0, 0], 8),
        Self::of([127, 0, 0, 0], 8),
        Self::of([224, 0, 0, 0], 3),
    ];

    const fn of(octets: [u8; 4], bits: u32) -> Self {
        Self {
            first: u32::from_be_bytes(octets),
            bits,
        }
    }

    const fn mask(bits: u32) -> u32 {
        match u32::MAX.checked_shl(32 - bits) {
            Some(mask) => mask,
            None => 0,
        }
    }

    /// How many addresses it has.
    #[must_use]
    pub const fn size(self) -> u64 {
        1 << (32 - self.bits)
    }

    /// Whether all of another is in it.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.bits <= other.bits && other.first & Self::mask(self.bits) == self.first
    }

    /// Whether it is of the government's own networks: private addresses, or the extranet.
    #[must_use]
    pub fn is_inside(self) -> bool {
        let own = Self::PRIVATE.into_iter().chain([Self::EXTRANET]);
        own.into_iter().any(|network| network.contains(self))
    }
}

fn address(text: &str) -> Option<u32> {
    let mut octets = [0_u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let plain = part.bytes().all(|b| b.is_ascii_digit()) && !part.is_empty();
        // Some programs read 010 as eight: nobody shall have to guess.
        if !plain || (part.len() > 1 && part.starts_with('0')) {
            return None;
        }
        *octet = part.parse().ok()?;
    }
    parts.next().is_none().then(|| u32::from_be_bytes(octets))
}

impl FromStr for Cidr {
    type Err = NoCidr;
    fn from_str(text: &str) -> Result<Self, NoCidr> {
        let (at, bits) = text.split_once('/').unwrap_or((text, "32"));
        let plain = bits.bytes().all(|b| b.is_ascii_digit()) && bits.len() <= 2;
        let bits: Option<u32> = bits.parse().ok().filter(|bits| plain && *bits <= 32);
        let (Some(at), Some(bits)) = (address(at), bits) else {
            return Err(NoCidr::Unreadable);
        };
        let network = Self {
            first: at & Self::mask(bits),
            bits,
        };
        if network.first == at {
            Ok(network)
        } else {
            Err(NoCidr::Inside(network))
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.first.to_be_bytes();
        write!(f, "{a}.{b}.{c}.{d}/{}", self.bits)
    }
}
impl TryFrom<String> for Cidr {
    type Error = NoCidr;
    fn try_from(text: String) -> Result<Self, NoCidr> {
        text.parse()
    }
}
impl From<Cidr> for String {
    fn from(network: Cidr) -> Self {
        network.to_string()
    }
}

// ---- ports

/// The ports from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PortRange {
    /// The first, 1 or more.
    pub from: u16,
    /// The last, not below the first.
    pub to: u16,
}

impl PortRange {
    /// One port.
    #[must_use]
    pub const fn one(port: u16) -> Self {
        Self {
            from: port,
            to: port,
        }
    }

    /// Whether a port is among them.
    #[must_use]
    pub const fn has(self, port: u16) -> bool {
        self.from <= port && port <= self.to
    }
}

impl FromStr for PortRange {
    type Err = words::UnknownWord;
    fn from_str(typed: &str) -> Result<Self, words::UnknownWord> {
        let plain = text::half_width(typed).replace(['~', '–', '—', ':'], "-");
        let (from, to) = plain.split_once('-').unwrap_or((&plain, &plain));
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        match (port(from), port(to)) {
            (Some(from), Some(to)) if from <= to => Ok(Self { from, to }),
            _ => Err(words::UnknownWord),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "{}", self.from)
        } else {
            write!(f, "{}-{}", self.from, self.to)
        }
    }
}

/// Ports behind which somebody rules the machine or its data, with the name of what listens there.
/// They are never opened to the outside, on no level.
const GUARDED: &[(u16, &str)] = &[
    (22, "SSH"),
    (23, "Telnet"),
    (135, "RPC"),
    (139, "NetBIOS"),
    (445, "SMB"),
    (1433, "SQL Server"),
    (1521, "Oracle"),
    (2375, "Docker"),
    (2376, "Docker"),
    (2379, "etcd"),
    (3306, "MySQL"),
    (3389, "RDP"),
    (5236, "DM"),
    (5432, "PostgreSQL"),
    (5900, "VNC"),
    (5985, "WinRM"),
    (5986, "WinRM"),
    (6379, "Redis"),
    (6443, "Kubernetes"),
    (9200, "Elasticsearch"),
    (11211, "Memcached"),
    (27017, "MongoDB"),
    (50000, "DB2"),
    (54321, "KingbaseES"),
];

/// What listens on a port as a rule, if there is a name for it.
#[must_use]
pub fn listener(port: u16) -> Option<&'static str> {
    match port {
        80 => Some("HTTP"),
        443 => Some("HTTPS"),
        _ => GUARDED.iter().find(|it| it.0 == port).map(|it| it.1),
    }
}

// ---- rules

/// One rule of a host's owner: this may come in, from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessRule {
    /// What.
    pub protocol: Protocol,
    /// At which ports; of ICMP none.
    pub ports: Option<PortRange>,
    /// From where, `10.8.0.0/24`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub source: Cidr,
}

impl fmt::Display for AccessRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.protocol)?;
        if let Some(ports) = self.ports {
            write!(f, "{ports} ")?;
        }
        write!(f, "{}", self.source)
    }
}

impl FromStr for AccessRule {
    type Err = words::UnknownWord;
    fn from_str(text: &str) -> Result<Self, words::UnknownWord> {
        let parts: Vec<&str> = text.split(' ').collect();
        let (protocol, ports, source): (Protocol, Option<PortRange>, &str) = match parts[..] {
            [protocol, source] => (protocol.parse()?, None, source),
            [protocol, ports, source] => (protocol.parse()?, Some(ports.parse()?), source),
            _ => return Err(words::UnknownWord),
        };
        // Of ICMP it is all or nothing, of the others a port.
        if ports.is_some() == (protocol == Protocol::Icmp) {
            return Err(words::UnknownWord);
        }
        let source = source.parse().map_err(|_| words::UnknownWord)?;
        Ok(Self {
            protocol,
            ports,
            source,
        })
    }
}

/// What stands between two rules in [`text_of`].
const BETWEEN: &str = "; ";

/// Rules as one text, in one order whoever tells them: `tcp 443 0.0.0.0/0; icmp 10.8.0.0/24`. After
/// them comes what is open otherwise, in the words of whoever tells it.
#[must_use]
pub fn text_of(rules: &[AccessRule], others: &[String]) -> String {
    let rules: BTreeSet<&AccessRule> = rules.iter().collect();
    let others: BTreeSet<String> = others.iter().map(|one| one.replace(';', ",")).collect();
    let rules = rules.into_iter().map(ToString::to_string);
    rules.chain(others).collect::<Vec<_>>().join(BETWEEN)
}

/// The rules of a [`text_of`], one by one; those that are none of ours are words of somebody's.
pub fn each_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(BETWEEN).filter(|one| !one.is_empty())
}

/// What a preset lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = AccessOpening))]
pub struct Opening {
    /// What; `None` is everything.
    pub protocol: Option<Protocol>,
    /// At which ports; `None` is all of them.
    pub ports: Option<PortRange>,
    /// From where; `None` is the hosts with the same preset in the same data centre.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub source: Option<Cidr>,
}

/// A rule as somebody types it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct AccessRuleForm {
    /// `tcp`, `udp` or `icmp`.
    pub protocol: String,
    /// `443` or `8000-8100`; empty for ICMP.
    pub ports: String,
    /// `10.8.0.0/24`, or a single address.
    pub source: String,
    /// What it is for.
    pub note: String,
}

impl AccessRuleForm {
    /// The rule and its note.
    ///
    /// # Errors
    /// Each field that makes no sense by itself.
    pub fn read(&self) -> Result<(AccessRule, String), Vec<FieldError>> {
        let mut wrong = Vec::new();
        let mut complain = |field: &str, msg: Msg| wrong.push(FieldError::new(field, msg));
        let protocol: Option<Protocol> = self.protocol.trim().to_lowercase().parse().ok();
        if protocol.is_none() {
            complain("protocol", Msg::new("error.not_in_list"));
        }
        let typed = self.ports.trim();
        let ports: Option<PortRange> = typed.parse().ok();
        match protocol {
            Some(Protocol::Icmp) if !typed.is_empty() => {
                complain("ports", Msg::new("access_rule.icmp_has_no_ports"));
            }
            Some(Protocol::Tcp | Protocol::Udp) if ports.is_none() => {
                complain("ports", Msg::new("access_rule.bad_ports"));
            }
            _ => {}
        }
        let source = text::half_width(self.source.trim()).replace(' ', "");
        let source = match source.parse::<Cidr>() {
            Ok(source) => Some(source),
            Err(NoCidr::Inside(network)) => {
                let msg = Msg::new("access_rule.host_bits").with("network", network.to_string());
                complain("source", msg);
                None
            }
            Err(NoCidr::Unreadable) => {
                complain("source", Msg::new("access_rule.bad_source"));
                None
            }
        };
        let note = text::line("note", &self.note, 0, NOTE_MAX).map_err(|e| wrong.push(e));
        match (protocol, source, note) {
            (Some(protocol), Some(source), Ok(note)) if wrong.is_empty() => Ok((
                AccessRule {
                    protocol,
                    ports,
                    source,
                },
                note,
            )),
            _ => Err(wrong),
        }
    }
}

/// Where a host stands, as far as the law asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ground {
    /// Its protection level.
    pub level: Level,
    /// Whether the internet reaches its zone.
    pub internet: bool,
}

/// What may be opened:
///
/// 1. From the government's own networks (private addresses, the extranet) anything.
/// 2. From outside never a port behind which somebody rules the machine or its data.
/// 3. From outside, everything else from partners that can be named (256 addresses at most).
/// 4. From everybody only where the internet reaches, and on level three nothing but HTTPS.
///
/// # Errors
/// Which of these forbids it, at the field that is to be changed.
pub fn judge(rule: &AccessRule, ground: Ground) -> Result<(), FieldError> {
    let no = |field: &str, msg: Msg| Err(FieldError::new(field, msg));
    let nobody = |network: &Cidr| network.contains(rule.source);
    if Cidr::NOBODY.iter().any(nobody) {
        return no("source", Msg::new("access_rule.nobody"));
    }
    if rule.source.is_inside() {
        return Ok(());
    }
    let guarded = |(port, _): &&(u16, &str)| rule.ports.is_some_and(|ports| ports.has(*port));
    if let Some((port, what)) = GUARDED.iter().find(guarded) {
        let msg = Msg::new("access_rule.guarded")
            .with("port", port.to_string())
            .with("what", *what);
        return no("source", msg);
    }
    if rule.source.size() <= NAMED {
        return Ok(());
    }
    if !ground.internet {
        return no("source", Msg::new("access_rule.no_internet"));
    }
    let https = rule.protocol == Protocol::Tcp && rule.ports == Some(PortRange::one(443));
    if ground.level >= Level::Three && !https {
        return no("source", Msg::new("access_rule.level_three"));
    }
    Ok(())
}

/// Whether a rule may be added to those that are there.
///
/// # Errors
/// As [`judge`], and if it is there already.
pub fn may_add(own: &[AccessRule], rule: &AccessRule, ground: Ground) -> Result<(), FieldError> {
    if own.contains(rule) {
        return Err(FieldError::new("source", Msg::new("access_rule.twice")));
    }
    judge(rule, ground)
}

// ---- presets

/// Name of the preset of a protection level, without or with the internet before it.
#[must_use]
pub fn preset_name(level: Level, internet: bool) -> String {
    let tail = if internet { "-internet" } else { "" };
    format!("level{level}{tail}")
}

/// What a preset lets in where a cloud is told nothing else; `None` if there is none of that name.
/// Inside a preset hosts reach each other; administration comes from private addresses alone; only
/// what stands at the internet offers its pages to everybody. Level three answers no pings and shows
/// nothing in the clear.
#[must_use]
pub fn preset(name: &str) -> Option<Vec<Opening>> {
    let is = |(level, internet): &(Level, bool)| preset_name(*level, *internet) == name;
    let mut all = Level::ALL.iter().flat_map(|l| [(*l, false), (*l, true)]);
    let (level, internet) = all.find(is)?;
    let from = |protocol, port: Option<u16>, source| Opening {
        protocol: Some(protocol),
        ports: port.map(PortRange::one),
        source: Some(source),
    };
    let three = level >= Level::Three;
    let pages: &[u16] = if three { &[443] } else { &[80, 443] };
    let mut openings = Vec::new();
    for source in Cidr::PRIVATE {
        let tcp = [22, 3389].iter().chain(pages);
        openings.extend(tcp.map(|port| from(Protocol::Tcp, Some(*port), source)));
        if !three {
            openings.push(from(Protocol::Icmp, None, source));
        }
    }
    openings.push(Opening {
        protocol: None,
        ports: None,
        source: None,
    });
    if internet {
        let everybody = |port: &u16| from(Protocol::Tcp, Some(*port), Cidr::EVERYWHERE);
        openings.extend(pages.iter().map(everybody));
    }
    Some(openings)
}

#[cfg(test)]
#[path = "access_rule_tests.rs"]
mod tests;
