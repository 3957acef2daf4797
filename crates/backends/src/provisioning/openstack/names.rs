//! What the cloud calls our images and sizes, by pool and by the processor architecture of the host.
//!
//! A pool's own name counts before the cloud's, and one for the architecture (`kunpeng/4x8`) before
//! one without. A name without an architecture means general hosts, or in a pool's own table the hosts
//! that stand there ([`ZoneConfig::arch`]).
use std::collections::{BTreeMap, BTreeSet};

use lingbao_model::makes::GENERAL;
use serde_json::Value;

use super::{
    client::text,
    config::{OpenStackConfig, ZoneConfig},
    server::server_in,
};
use crate::provisioning::{ARCH, ServerSize};

type Names = BTreeMap<String, String>;

/// A key of a table of names: `4x8`, or `kunpeng/4x8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key<'a> {
    /// The architecture, if it says one.
    pub arch: Option<&'a str>,
    /// Code of an image, or a size.
    pub code: &'a str,
}

impl<'a> Key<'a> {
    fn of(text: &'a str) -> Self {
        match text.split_once('/') {
            Some((arch, code)) => Self {
                arch: Some(arch),
                code,
            },
            None => Self {
                arch: None,
                code: text,
            },
        }
    }

    /// The size that it is.
    pub fn size(self) -> Option<ServerSize> {
        let (cores, gb) = self.code.split_once('x')?;
        let size = ServerSize {
            vcpus: cores.parse().ok()?,
            memory_gb: gb.parse().ok()?,
        };
        (self.arch != Some("")).then_some(size)
    }
}

/// A line of a table of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named<'a> {
    /// The pool whose table it is; `None` is the cloud's.
    pub pool: Option<&'a str>,
    /// What is named.
    pub key: Key<'a>,
    /// For hosts of which architecture.
    pub arch: &'a str,
    /// What the cloud calls it.
    pub name: &'a str,
    /// Where it stands in the configuration.
    pub path: String,
}

fn all<'a>(
    config: &'a OpenStackConfig,
    table: &'a Names,
    word: &'static str,
    own: fn(&'a ZoneConfig) -> &'a Names,
) -> Vec<Named<'a>> {
    let line = |pool: Option<&'a str>, plain: &'a str, (key, name): (&'a String, &'a String)| {
        let path = match pool {
            Some(pool) => format!("zones.{pool}.{word}.{key}"),
            None => format!("{word}.{key}"),
        };
        let key = Key::of(key);
        Named {
            pool,
            key,
            arch: key.arch.unwrap_or(plain),
            name: name.as_str(),
            path,
        }
    };
    let mut lines: Vec<Named<'a>> = table.iter().map(|one| line(None, GENERAL, one)).collect();
    for zone in &config.zones {
        let of_pool = own(zone).iter();
        lines.extend(of_pool.map(|one| line(Some(zone.name.as_str()), arch_of(zone), one)));
    }
    lines
}

/// The names of images, of the cloud and of its pools.
pub(super) fn images(config: &OpenStackConfig) -> Vec<Named<'_>> {
    all(config, &config.images, "image_names", |zone| {
        &zone.image_names
    })
}

/// The names of flavours, of the cloud and of its pools.
pub(super) fn flavours(config: &OpenStackConfig) -> Vec<Named<'_>> {
    all(config, &config.flavours, "flavour_names", |zone| {
        &zone.flavour_names
    })
}

/// The architecture of the hosts that stand in a pool.
pub(super) fn arch_of(zone: &ZoneConfig) -> &str {
    if zone.arch.is_empty() {
        GENERAL
    } else {
        &zone.arch
    }
}

/// The architectures of which hosts can be ordered in a pool: that of its own, and those for which it
/// or the cloud names a flavour. An image alone makes no host.
pub(super) fn archs<'a>(config: &'a OpenStackConfig, zone: &'a ZoneConfig) -> BTreeSet<&'a str> {
    let for_it = |one: &Named<'a>| match one.pool {
        Some(pool) => pool == zone.name,
        // The cloud's names without an architecture are no word about this pool.
        None => one.key.arch.is_some(),
    };
    let named = flavours(config).into_iter().filter(for_it);
    let named = named.map(|one| one.arch);
    named.chain([arch_of(zone)]).collect()
}

/// Where a host stands, and of which architecture it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    config: &'a OpenStackConfig,
    /// Its pool; `None` if it is in none that the configuration names.
    zone: Option<&'a ZoneConfig>,
    /// Its architecture.
    pub arch: &'a str,
}

impl<'a> Place<'a> {
    /// In a pool; of the architecture of the hosts there if none is said.
    pub fn in_zone(
        config: &'a OpenStackConfig,
        zone: &'a ZoneConfig,
        arch: Option<&'a str>,
    ) -> Self {
        Self {
            config,
            zone: Some(zone),
            arch: arch.unwrap_or_else(|| arch_of(zone)),
        }
    }

    /// Where a server stands. What the portal made says its architecture; of what was taken in its
    /// flavour tells, if one has a name for an architecture, and else its pool.
    pub fn of(config: &'a OpenStackConfig, it: &'a Value) -> Self {
        let pool = server_in(it, &config.zones).spec.pool;
        let zone = config.zone(pool.as_str());
        let said = Some(text(&it["metadata"], ARCH)).filter(|arch| !arch.is_empty());
        let flavour = text(&it["flavor"], "original_name");
        let by_flavour = || {
            let mut all = flavours(config).into_iter();
            let line = all.find(|line| {
                let here = line.pool.is_none() || line.pool == Some(pool.as_str());
                here && !flavour.is_empty() && line.name == flavour
            });
            line.map(|line| line.arch)
        };
        let arch = said.or_else(by_flavour);
        Self {
            config,
            zone,
            arch: arch.unwrap_or_else(|| zone.map_or(GENERAL, arch_of)),
        }
    }

    /// In words, for operators.
    pub fn words(self) -> String {
        let arch = self.arch;
        match self.zone {
            Some(zone) => format!("{arch} hosts in pool {}", zone.name),
            None => format!("{arch} hosts"),
        }
    }

    /// Whether hosts of this architecture are what stands there.
    pub fn is_own(self) -> bool {
        self.arch == self.zone.map_or(GENERAL, arch_of)
    }

    fn name(self, own: Option<&'a Names>, clouds: &'a Names, code: &str) -> Option<&'a str> {
        let of = |names: &'a Names, plain: &str| {
            let exact = names.get(&format!("{}/{code}", self.arch));
            exact.or_else(|| names.get(code).filter(|_| self.arch == plain))
        };
        let own = own.and_then(|names| of(names, self.zone.map_or(GENERAL, arch_of)));
        own.or_else(|| of(clouds, GENERAL)).map(String::as_str)
    }

    /// What Glance calls the image of a code.
    pub fn image(self, code: &str) -> Option<&'a str> {
        let own = self.zone.map(|zone| &zone.image_names);
        self.name(own, &self.config.images, code)
    }

    /// What Nova calls the flavour of a size, if it has a name.
    pub fn flavour(self, size: ServerSize) -> Option<&'a str> {
        let own = self.zone.map(|zone| &zone.flavour_names);
        let code = format!("{}x{}", size.vcpus, size.memory_gb);
        self.name(own, &self.config.flavours, &code)
    }

    /// Whether a line of a table is for hosts like this one.
    fn concerns(self, line: &Named<'_>) -> bool {
        let here = self.zone.map(|zone| zone.name.as_str());
        line.arch == self.arch && (line.pool.is_none() || line.pool == here)
    }

    /// The codes of the images that have a name here.
    pub fn codes(self) -> BTreeSet<&'a str> {
        let all = images(self.config).into_iter();
        all.filter(|line| self.concerns(line))
            .map(|line| line.key.code)
            .collect()
    }

    /// The sizes whose flavours have a name here.
    pub fn sizes(self) -> Vec<ServerSize> {
        let all = flavours(self.config).into_iter();
        all.filter(|line| self.concerns(line))
            .filter_map(|line| line.key.size())
            .collect()
    }

    /// Of the flavours those that may be taken for their size alone. One that has a name is for the
    /// hosts that are named with it; one without is for those that stand in a pool, and for no others.
    pub fn takes(self, all: &[Value]) -> Vec<&Value> {
        let names = flavours(self.config);
        let may = |flavour: &&Value| {
            let lines = names.iter().filter(|line| is_called(flavour, line.name));
            let lines: Vec<_> = lines.collect();
            if lines.is_empty() {
                return self.is_own();
            }
            lines.iter().any(|line| self.concerns(line))
        };
        all.iter().filter(may).collect()
    }
}

/// Whether a flavour has this name or id.
pub(super) fn is_called(flavour: &Value, name: &str) -> bool {
    text(flavour, "name") == name || text(flavour, "id") == name
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::provisioning::openstack::offered::tests::config;

    fn names(all: &[(&str, &str)]) -> Names {
        let own = |(key, name): &(&str, &str)| ((*key).to_owned(), (*name).to_owned());
        all.iter().map(own).collect()
    }

    /// A cloud with a pool of general hosts, and one of Kunpeng's.
    fn two_pools() -> OpenStackConfig {
        let mut config = config();
        config.images = names(&[("kylin", "x86"), ("kunpeng/kylin", "arm")]);
        config.flavours = names(&[("4x8", "c4"), ("hygon/4x8", "h4")]);
        let zone = |name: &str| ZoneConfig {
            name: name.into(),
            ..ZoneConfig::default()
        };
        let kunpeng = ZoneConfig {
            arch: "kunpeng".into(),
            flavour_names: names(&[("4x8", "k4")]),
            ..zone("kunpeng")
        };
        config.zones = vec![zone("general"), kunpeng];
        config
    }

    const SIZE: ServerSize = ServerSize {
        vcpus: 4,
        memory_gb: 8,
    };

    #[test]
    fn a_name_is_of_the_pool_and_the_architecture_before_it_is_the_clouds() {
        let mut config = two_pools();
        config.zones[0].image_names = names(&[("kylin", "own")]);
        let [general, kunpeng] = &config.zones[..] else {
            panic!("two");
        };
        let at = |zone, arch| Place::in_zone(&config, zone, Some(arch));
        assert_eq!(at(general, "general").image("kylin"), Some("own"));
        assert_eq!(at(general, "kunpeng").image("kylin"), Some("arm"));
        assert_eq!(at(kunpeng, "kunpeng").image("kylin"), Some("arm"));
        assert_eq!(at(general, "hygon").image("kylin"), None);
        assert_eq!(at(general, "general").flavour(SIZE), Some("c4"));
        assert_eq!(at(general, "hygon").flavour(SIZE), Some("h4"));
        assert_eq!(at(general, "kunpeng").flavour(SIZE), None);
        // A name of its own without an architecture is of what stands there.
        assert_eq!(at(kunpeng, "kunpeng").flavour(SIZE), Some("k4"));
        assert_eq!(
            Place::in_zone(&config, kunpeng, None).flavour(SIZE),
            Some("k4")
        );
    }

    #[test]
    fn a_pool_has_its_own_hosts_and_those_for_which_a_flavour_has_a_name() {
        let config = two_pools();
        let of = |zone: usize| archs(&config, &config.zones[zone]);
        assert_eq!(of(0), BTreeSet::from(["general", "hygon"]));
        assert_eq!(of(1), BTreeSet::from(["hygon", "kunpeng"]));
    }

    #[test]
    fn a_flavour_with_a_name_is_taken_for_no_other_hosts_and_one_without_for_the_pools_own() {
        let config = two_pools();
        let takes = |zone: usize, arch: &str, name: &str| {
            let flavours = [json!({ "id": "1", "name": name })];
            let place = Place::in_zone(&config, &config.zones[zone], Some(arch));
            !place.takes(&flavours).is_empty()
        };
        assert!(takes(0, "general", "c4") && takes(0, "general", "any"));
        assert!(!takes(0, "general", "h4") && !takes(0, "general", "k4"));
        assert!(takes(0, "hygon", "h4") && !takes(0, "hygon", "any"));
        assert!(takes(1, "kunpeng", "k4") && takes(1, "kunpeng", "any"));
        assert!(!takes(1, "kunpeng", "c4") && !takes(1, "general", "any"));
    }

    #[test]
    fn a_server_has_the_architecture_of_its_tag_else_of_its_flavour_else_of_its_pool() {
        let mut config = two_pools();
        config.zones[1].zone = "xc".into();
        let of = |meta: Value, zone: &str, flavour: &str| {
            let it = json!({ "id": "s", "metadata": meta, "OS-EXT-AZ:availability_zone": zone,
                "flavor": { "original_name": flavour } });
            Place::of(&config, &it).words()
        };
        let made = json!({ "lingbao_pool": "general", "lingbao_arch": "hygon" });
        assert_eq!(of(made, "nova", "c4"), "hygon hosts in pool general");
        let made = json!({ "lingbao_pool": "kunpeng" });
        assert_eq!(of(made.clone(), "xc", "h4"), "hygon hosts in pool kunpeng");
        assert_eq!(of(made, "xc", "any"), "kunpeng hosts in pool kunpeng");
        // Two pools may be where it stands: none is known.
        assert_eq!(of(json!({}), "xc", "h4"), "hygon hosts");
        assert_eq!(of(json!({}), "xc", "k4"), "general hosts");
        config.zones[0].zone = "nova".into();
        let it = json!({ "id": "s", "metadata": {}, "OS-EXT-AZ:availability_zone": "xc" });
        assert_eq!(
            Place::of(&config, &it).words(),
            "kunpeng hosts in pool kunpeng"
        );
    }

    #[test]
    fn a_key_that_names_no_size_is_told_with_its_table() {
        let mut config = two_pools();
        config.zones[1].flavour_names = names(&[("kunpeng/large", "k4"), ("/4x8", "k4")]);
        let told = config.problems();
        for path in [
            "zones.kunpeng.flavour_names.kunpeng/large",
            "zones.kunpeng.flavour_names./4x8",
        ] {
            assert!(told.iter().any(|one| one.starts_with(path)), "{told:?}");
        }
    }
}
