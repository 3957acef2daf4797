//! The sections of the configuration. The comments are what stands in the reference.
use std::{collections::BTreeMap, path::PathBuf};

use lingbao_backends::provisioning::{
    openstack::{Rule, ZoneConfig},
    simulator::{Latency, PoolConfig},
};
use serde::{Deserialize, Serialize};

/// A key of a section, for the reference and for messages.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// A section, for the reference and for messages.
#[derive(Debug, Clone, Copy)]
pub struct SectionDoc {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

macro_rules! sections {
    ($(
        $(#[doc = $about:literal])* $section:ident as $label:literal {
            $( $(#[doc = $doc:literal])* $key:ident : $ty:ty = $default:expr; )*
        }
    )*) => {
        $(
            $(#[doc = $about])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[serde(default)]
            pub struct $section { $( $(#[doc = $doc])* pub $key: $ty, )* }

            impl Default for $section {
                fn default() -> Self { Self { $( $key: $default, )* } }
            }
        )*

        /// All sections with their keys.
        pub const SECTIONS: &[SectionDoc] = &[$(SectionDoc {
            name: $label,
            doc: concat!($($about, "\n",)*),
            keys: &[$(Key { name: stringify!($key), doc: concat!($($doc, "\n",)*) },)*],
        },)*];
    };
}

sections! {
    /// Where the portal answers.
    Server as "server" {
        /// Address and port to listen on.
        listen: String = "127.0.0.1:3000".into();
        /// Address under which people reach the portal. Decides the cookie's name and its `Secure`,
        /// HSTS, and which origin a post may come from. With `https` a proxy must end the TLS.
        public_url: String = "http://127.0.0.1:3000".into();
        /// Addresses or networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` is believed.
        trusted_proxies: Vec<String> = Vec::new();
        /// Addresses or networks that may read `/metrics`.
        metrics_from: Vec<String> = vec!["127.0.0.1".into(), "::1".into()];
        /// How long a soft stop lets requests and jobs finish, in seconds.
        stop_seconds: u64 = 20;
    }
    /// Whose portal it is.
    Site as "site" {
        /// Two to eight small letters or digits: part of every id and request number. Never change
        /// it after the first start.
        code: String = "nb".into();
        /// Name of the portal, shown in the top bar.
        name: String = "政务云自助服务平台".into();
        /// Who runs it, shown at the foot of the pages.
        operator: String = "".into();
        /// Telephone for help, with hours.
        phone: String = "".into();
    }
    /// Where everything is kept.
    Database as "database" {
        /// `sqlite://FILE` (embedded, one process) or `postgres://USER@HOST/NAME`.
        url: String = "sqlite://data/lingbao.db".into();
        /// File that holds the password of the PostgreSQL user; empty when the URL says all.
        password_file: PathBuf = PathBuf::new();
        /// Most connections at once.
        max_connections: u32 = 8;
        /// How long an act waits for a lock that another process holds, in milliseconds.
        wait_ms: u64 = 5_000;
        /// How long an act stands in line for a connection, in milliseconds; on SQLite all who write
        /// stand in one line. With `wait_ms` less than `limits.request_seconds`: who waits in vain is
        /// told so on the page, with what was typed.
        queue_ms: u64 = 10_000;
        /// PostgreSQL: longest time for one statement, in milliseconds.
        statement_timeout_ms: u64 = 15_000;
        /// SQLite: the file may not grow past so many pages of 4 KiB; 0 for no limit.
        max_page_count: u32 = 0;
        /// Bring the schema up to date when `serve` or `worker` starts. Switch it off where several
        /// copies run, and call `lingbao migrate` before an upgrade.
        migrate_at_start: bool = true;
    }
    /// Keys.
    Crypto as "crypto" {
        /// File with 32 bytes in hexadecimal or base64url, readable by the portal alone. Made at the
        /// first start if it is not there. Whoever loses it loses the wrapped secrets.
        key_file: PathBuf = "data/key".into();
    }
    /// What is done after the answer: building machines, reminders, clean-up.
    Worker as "worker" {
        /// Whether `serve` runs a worker in its own process. Off where `lingbao worker` runs.
        embedded: bool = true;
        /// Most jobs at once.
        jobs: usize = 4;
        /// Name on the operators' page; the host's name and process number when empty.
        name: String = "".into();
    }
    /// Browser sessions.
    Session as "session" {
        /// A session ends after so many minutes in which the person did nothing.
        idle_minutes: u32 = 30;
        /// Most open event streams of one person.
        streams_per_user: usize = 12;
    }
    /// Giving resources back.
    Release as "release" {
        /// How many days what is given back lies in the recycle bin, from where it can be taken back,
        /// before it is erased: 0 to 30; 0 erases it at once. What was submitted keeps its days.
        keep_days: u32 = 7;
    }
    /// What the log says.
    Log as "log" {
        /// `auto` (pretty on a terminal, else JSON), `json` or `pretty`.
        format: LogFormat = LogFormat::Auto;
        /// Levels by module, in the syntax of `RUST_LOG`.
        filter: String = "info,sqlx=warn,tower_sessions=warn,hyper=warn".into();
    }
    /// Limits of what one request may cost.
    Limits as "limits" {
        /// Largest body of a request, in KiB.
        body_kib: usize = 1_024;
        /// Longest time for an answer, in seconds; event streams live longer.
        request_seconds: u64 = 30;
        /// Most requests that are worked on at once; more are told to come back.
        concurrent_requests: usize = 512;
        /// Most pages that are made at once; more wait in line. Each takes about a megabyte meanwhile.
        concurrent_pages: usize = 16;
    }
    /// What hosts use of what they were given, for the page 利用率: taken in day by day from a
    /// Prometheus, or from what speaks its HTTP API and knows subqueries. The queries fit
    /// inovex/prometheus-libvirt-exporter on the compute nodes of an OpenStack, scraped every two
    /// minutes or more often. Each gives percent (0 to 100) of what a server was given, one series a
    /// server; none when empty.
    Usage as "usage" {
        /// Where it answers, with the path before `/api/v1` if there is one:
        /// `https://prometheus.example:9090`. Without it nothing is measured, and the pages say so.
        prometheus_url: String = "".into();
        /// File with the certificates (PEM) of the authority that signed its own; those of the public
        /// authorities count when empty.
        ca_file: PathBuf = PathBuf::new();
        /// File that holds a token (`Authorization: Bearer`), if it asks for one.
        token_file: PathBuf = PathBuf::new();
        /// User name (`Authorization: Basic`), if it asks for one.
        user: String = "".into();
        /// File that holds the password of that user.
        password_file: PathBuf = PathBuf::new();
        /// The label of the answers that carries the cloud's id of a server.
        label: String = "instance_id".into();
        /// Cores.
        cpu_query: String = "100 * max by (instance_id) (rate(libvirt_domain_info_cpu_time_seconds_total[5m]) / on (domain, instance) libvirt_domain_info_virtual_cpus * on (domain, instance) group_left (instance_id) libvirt_domain_openstack_info)".into();
        /// Memory. Needs the balloon driver in the guest; of guests without it nothing is known, and
        /// nothing is said.
        memory_query: String = "100 * max by (instance_id) ((1 - (libvirt_domain_memory_stats_usable_bytes > 0) / libvirt_domain_memory_stats_available_bytes) * on (domain, instance) group_left (instance_id) libvirt_domain_openstack_info)".into();
        /// Disks. From outside a host nobody sees how full its file systems are: this needs an exporter
        /// inside (node_exporter) whose series are given the label by relabelling.
        disk_query: String = "".into();
        /// Longest time for one query, in milliseconds.
        timeout_ms: u64 = 60_000;
        /// So many days back are asked for, after a standstill or at the first start. More than
        /// Prometheus keeps is harmless.
        catch_up_days: u32 = 35;
        /// So many days are kept.
        keep_days: u32 = 400;
    }
    /// A cloud, one section a name: `[backends.NAME]`. Pools name the backend that they belong to.
    /// Without any section there is a simulated cloud called `simulator` in `data/simulator`.
    Backend as "backends.NAME" {
        /// `simulator` (inside this process), `remote-simulator` (`lingbao simulator` elsewhere) or
        /// `openstack`.
        kind: String = "simulator".into();
        /// simulator: folder of its state file.
        folder: PathBuf = "data/simulator".into();
        /// simulator: ids, passwords and latencies follow from it.
        seed: u64 = 1;
        /// simulator: its pools, `[[backends.NAME.pools]]` with `name`, `hosts`, `host_vcpus`,
        /// `host_memory_gb`, `overcommit_percent`, `disk_gb`, `first_address`, `addresses`.
        /// Without any, those of the demo city.
        pools: Vec<PoolConfig> = Vec::new();
        /// simulator: codes of its images; without any, those of the catalogue.
        images: Vec<String> = Vec::new();
        /// simulator: how long things take: `build_server_ms`, `change_server_ms`, `other_ms`,
        /// `jitter_percent`.
        latency: Latency = Latency { build_server_ms: 8_000, change_server_ms: 3_000, other_ms: 1_500, jitter_percent: 30 };
        /// remote-simulator: where it answers, `http://10.0.0.5:3010`. openstack: Keystone with its
        /// version, `https://keystone.example:5000/v3`.
        url: String = "".into();
        /// remote-simulator: file that holds the token it asks for.
        token_file: PathBuf = PathBuf::new();
        /// remote-simulator, openstack: longest time for a call, in milliseconds.
        timeout_ms: u64 = 10_000;
        /// openstack: longest time for a connection, in milliseconds.
        connect_timeout_ms: u64 = 3_000;
        /// openstack: region of the catalogue; the first endpoint of each service when empty.
        region: String = "".into();
        /// openstack: which endpoints of the catalogue, `public`, `internal` or `admin`.
        interface: String = "public".into();
        /// openstack: file with the certificates (PEM) of the authority that signed the cloud's;
        /// those of the public authorities count when empty.
        ca_file: PathBuf = PathBuf::new();
        /// openstack: the portal's user. It needs the role admin in its own project.
        user: String = "".into();
        /// openstack: domain of the user, by name or id.
        user_domain: String = "Default".into();
        /// openstack: file that holds the user's password.
        password_file: PathBuf = PathBuf::new();
        /// openstack: the portal's own project.
        project: String = "".into();
        /// openstack: domain of that project, by name or id.
        project_domain: String = "Default".into();
        /// openstack: id of an application credential, in place of a user. It is bound to one
        /// project, so that nothing can be built in others with it; enough for `lingbao doctor`.
        application_credential: String = "".into();
        /// openstack: file that holds the secret of the application credential.
        application_secret_file: PathBuf = PathBuf::new();
        /// openstack: domain in which the units' projects are made, by name or id.
        domain: String = "Default".into();
        /// openstack: the role that the portal's user gives itself in the units' projects.
        role: String = "member".into();
        /// openstack: file with at least 32 characters from which one-time passwords follow; none are
        /// made when empty. Whoever changes it changes the passwords that were not yet fetched.
        secret_file: PathBuf = PathBuf::new();
        /// openstack: after a lost answer nothing is made anew before so many milliseconds: as long as
        /// what stands before the cloud's services keeps a request.
        settle_ms: u64 = 60_000;
        /// openstack: what is under way is looked at again after so many milliseconds, at least 100;
        /// what takes long is looked at more seldom.
        poll_ms: u64 = 1_000;
        /// openstack: what is still being built after so many minutes waits for an operator.
        build_minutes: u32 = 30;
        /// openstack: a host whose building stands still for so many minutes, while the cloud answers,
        /// is deleted and built anew, five times at most and each time after longer; never with 0.
        stall_minutes: u32 = 3;
        /// openstack: network with public addresses, by name or id; a cloud without any when empty.
        external_network: String = "".into();
        /// openstack: whether hosts without an address of their own reach the outside, by the address
        /// of their network's router.
        outbound: bool = false;
        /// openstack: name servers that hosts learn; the cloud's own without any.
        dns_servers: Vec<String> = Vec::new();
        /// openstack: its pools, `[[backends.NAME.zones]]` with `name` and, where they differ from
        /// the cloud's own choice, `zone` (of servers), `volume_zone`, `external_network`, `storage`
        /// (beginning of the names of its storage pools), `system_volume_type`, `arch` (processor
        /// architecture of its hosts, by the catalogue's code; `general` when empty), and
        /// `image_names` and `flavour_names` of its own, which count before the cloud's.
        zones: Vec<ZoneConfig> = Vec::new();
        /// openstack: code of an image = its name or id in Glance. `kunpeng/kylin-v10` is that of
        /// hosts of one architecture; without one it is that of general hosts, in a zone that of its
        /// `arch`.
        image_names: BTreeMap<String, String> = BTreeMap::new();
        /// openstack: `4x8` (cores x GiB) = name of a flavour; `kunpeng/4x8` that of one architecture,
        /// as with images. Other sizes take a flavour of exactly these cores and memory that has no
        /// name here, and only for hosts of the zone's own `arch`.
        flavour_names: BTreeMap<String, String> = BTreeMap::new();
        /// openstack: make a flavour of a size that the cloud does not have.
        make_flavours: bool = false;
        /// openstack: code of a disk class = name of a volume type. Others are taken by their own name.
        volume_types: BTreeMap<String, String> = BTreeMap::new();
        /// openstack: `[[backends.NAME.presets.level2]]` and so on: what may come in, with `protocol`,
        /// `from_port`, `to_port`, `from`. Without any, rules for `level2`, `level2-internet`,
        /// `level3` and `level3-internet` are built in.
        presets: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Pretty on a terminal, else JSON.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// The whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Where the portal answers.
    pub server: Server,
    /// Whose portal it is.
    pub site: Site,
    /// Where everything is kept.
    pub database: Database,
    /// Keys.
    pub crypto: Crypto,
    /// What is done after the answer.
    pub worker: Worker,
    /// Browser sessions.
    pub session: Session,
    /// Giving resources back.
    pub release: Release,
    /// What the log says.
    pub log: Log,
    /// Limits of what one request may cost.
    pub limits: Limits,
    /// What hosts use.
    pub usage: Usage,
    /// Clouds by name.
    pub backends: BTreeMap<String, Backend>,
}

impl Config {
    /// Whether people come over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.server.public_url.starts_with("https://")
    }

    /// Whether the database is the embedded one.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.database.url.starts_with("sqlite:")
    }

    /// The file of the embedded database.
    #[must_use]
    pub fn database_file(&self) -> Option<PathBuf> {
        let rest = self.database.url.strip_prefix("sqlite:")?;
        let path = rest.strip_prefix("//").unwrap_or(rest);
        Some(path.split('?').next().unwrap_or(path).into())
    }
}
