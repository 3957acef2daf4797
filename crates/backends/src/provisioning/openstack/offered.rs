//! What of the catalogue's offer the cloud can't make: for the operator's doctor. What the
//! configuration names and the cloud lacks is told by [`check`](super::check).
use std::collections::BTreeSet;

use super::{
    check::{Names, said},
    client::Cloud,
    config::OpenStackConfig,
    makes::{Size, classes_there, sizes_there},
    names::{self, Place},
};
use crate::provisioning::{Finding, Offered, OfferedSizes};

/// Sizes without a flavour that are named.
const NAMED: usize = 3;

impl Cloud {
    /// Looks at everything; one thing that is wrong does not hide the next.
    pub async fn check_offered(&self, offered: &Offered) -> Vec<Finding> {
        let mut found = archs(&self.config, &offered.archs);
        found.extend(images(&self.config, &offered.images));
        if !offered.disk_classes.is_empty() {
            let types = self.volume_type_names().await;
            found.extend(classes(&self.config, &offered.disk_classes, &types));
        }
        let places: Vec<Place<'_>> = places(&self.config)
            .filter(|place| !self.makes_any(*place))
            .filter(|place| offered.archs.is_empty() || offered.archs.contains(place.arch))
            .collect();
        if places.is_empty() || offered.sizes.is_empty() {
            return found;
        }
        match self.flavours().await {
            Ok(all) => found.extend(places.into_iter().flat_map(|place| {
                let there = sizes_there(place, &all);
                let sizes = offered.sizes.iter();
                let found = sizes.map(|one| of_sizes(one, place, &there));
                found.collect::<Vec<_>>()
            })),
            Err(fault) => found.push(Finding::wrong(
                "sizes of the catalogue",
                said(&fault),
                "let the portal reach nova",
            )),
        }
        found
    }
}

/// Each pool, with each architecture of which hosts can be ordered there.
fn places(config: &OpenStackConfig) -> impl Iterator<Item = Place<'_>> {
    config.zones.iter().flat_map(move |zone| {
        let archs = names::archs(config, zone).into_iter();
        archs.map(move |arch| Place::in_zone(config, zone, Some(arch)))
    })
}

fn archs(config: &OpenStackConfig, wanted: &BTreeSet<String>) -> Vec<Finding> {
    let there: BTreeSet<&str> = places(config).map(|place| place.arch).collect();
    let found = wanted.iter().map(|code| {
        let what = format!("architecture {code} of the catalogue");
        if there.contains(code.as_str()) {
            return Finding::fine(what);
        }
        let remedy = format!(
            "arch = \"{code}\" in the zone where such hosts stand, flavour_names.{code}/CORESxGIB for \
             some of them, or take the option out of the item: orders with it are refused"
        );
        Finding::wrong(what, "no pool of this cloud has such hosts", remedy)
    });
    found.collect()
}

fn images(config: &OpenStackConfig, wanted: &BTreeSet<String>) -> Vec<Finding> {
    let there: BTreeSet<&str> = places(config).flat_map(Place::codes).collect();
    let found = wanted.iter().map(|code| {
        let what = format!("image {code} of the catalogue");
        if there.contains(code.as_str()) {
            return Finding::fine(what);
        }
        let remedy = format!(
            "name it under image_names.{code}, or take the option out of the item: orders with it are \
             refused"
        );
        Finding::wrong(what, "the configuration has no image of this code", remedy)
    });
    found.collect()
}

fn classes(config: &OpenStackConfig, wanted: &BTreeSet<String>, types: &Names) -> Vec<Finding> {
    let found = wanted.iter().map(|code| {
        let what = format!("disk class {code} of the catalogue");
        match types {
            Ok(all) if classes_there(config, all).contains(code) => Finding::fine(what),
            Ok(_) => Finding::wrong(
                what,
                "neither the type that volume_types names for it nor one of its own name is there",
                format!(
                    "volume_types.{code} = the name of a type, openstack volume type create {code}, \
                     or take the option out of the item: orders with it are refused"
                ),
            ),
            Err(fault) => Finding::wrong(what, said(fault), "let the portal reach cinder"),
        }
    });
    found.collect()
}

fn of_sizes(offered: &OfferedSizes, place: Place<'_>, there: &BTreeSet<Size>) -> Finding {
    let (cores, memory) = (offered.vcpus, offered.memory_gb);
    let what = format!("sizes of {} for {}", offered.by, place.words());
    let all = cores.count() * memory.count();
    let has = |(vcpus, gb): &&Size| cores.has(*vcpus) && memory.has(*gb);
    let met = u64::try_from(there.iter().filter(has).count()).unwrap_or(u64::MAX);
    if met >= all {
        return Finding::fine(what);
    }
    // What a fresh form proposes is what most people order.
    let first = (cores.default, memory.default);
    let others = cores
        .all()
        .flat_map(|vcpus| memory.all().map(move |gb| (vcpus, gb)));
    let named: Vec<String> = std::iter::once(first)
        .chain(others.filter(|size| *size != first))
        .filter(|size| !there.contains(size))
        .take(NAMED)
        .map(|(vcpus, gb)| format!("{vcpus}x{gb}"))
        .collect();
    Finding::wrong(
        what,
        format!(
            "{} of {all} sizes (cores x GiB) have no flavour, as {}",
            all - met,
            named.join(", ")
        ),
        "make_flavours = true, openstack flavor create for each, or narrow the item's cores and \
         memory: orders of such a size are refused",
    )
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::provisioning::{
        Steps,
        openstack::{Credential, ZoneConfig},
    };

    pub(in crate::provisioning::openstack) fn config() -> OpenStackConfig {
        OpenStackConfig {
            auth_url: "http://127.0.0.1:1/v3".into(),
            region: None,
            interface: "public".into(),
            ca_pem: None,
            credential: Credential::Application {
                id: String::new(),
                secret: crate::provisioning::Secret(String::new()),
            },
            domain: "default".into(),
            role: "member".into(),
            password_secret: None,
            timeout_ms: 100,
            connect_timeout_ms: 100,
            settle_ms: 100,
            poll_ms: 100,
            build_minutes: 1,
            stall_minutes: 1,
            external_network: None,
            outbound: false,
            dns_servers: Vec::new(),
            zones: vec![ZoneConfig {
                name: "p".into(),
                ..ZoneConfig::default()
            }],
            images: [("kylin-v10".to_owned(), "Kylin".to_owned())].into(),
            flavours: Default::default(),
            make_flavours: false,
            volume_types: [("ssd".to_owned(), "ceph-ssd".to_owned())].into(),
            presets: Default::default(),
        }
    }

    fn set(codes: &[&str]) -> BTreeSet<String> {
        codes.iter().map(|code| (*code).to_owned()).collect()
    }

    fn wrong(found: &[Finding]) -> Vec<&str> {
        let wrong = found.iter().filter(|it| it.wrong.is_some());
        wrong.map(|it| it.what.as_str()).collect()
    }

    #[test]
    fn an_image_or_a_disk_class_that_the_catalogue_offers_and_nothing_names_is_told() {
        let found = images(&config(), &set(&["kylin-v10", "uos-20"]));
        assert_eq!(wrong(&found), ["image uos-20 of the catalogue"]);
        let types = Ok(vec!["ceph-ssd".to_owned(), "sata".to_owned()]);
        let found = classes(&config(), &set(&["ssd", "sas", "sata"]), &types);
        // `sata` is called so in the cloud itself.
        assert_eq!(wrong(&found), ["disk class sas of the catalogue"]);
        assert!(found.iter().any(|it| {
            let wrong = it.wrong.as_ref();
            wrong.is_some_and(|wrong| wrong.remedy.contains("volume_types.sas"))
        }));
    }

    #[test]
    fn sizes_without_a_flavour_are_counted_and_the_one_of_a_fresh_form_is_named_first() {
        let of = |name: &str, vcpus: u32, gb: u32| json!({ "id": name, "name": name, "vcpus": vcpus, "ram": gb * 1_024 });
        let all = [of("a", 2, 4), of("b", 4, 8), of("c", 1, 1), of("d", 3, 3)];
        let steps = |first, last, default| Steps {
            first,
            last,
            step: 2,
            default,
        };
        let mut offered = OfferedSizes {
            by: "C-ECS".into(),
            vcpus: steps(2, 4, 4),
            memory_gb: steps(4, 8, 6),
        };
        let told = |config: &OpenStackConfig, offered: &OfferedSizes| {
            let place = places(config).next().unwrap();
            of_sizes(offered, place, &sizes_there(place, &all))
        };
        let mut config = config();
        let found = told(&config, &offered);
        let problem = found.wrong.unwrap().problem;
        assert_eq!(
            problem,
            "4 of 6 sizes (cores x GiB) have no flavour, as 4x6, 2x6, 2x8"
        );
        // A size whose flavour has a name in the configuration takes no other.
        config.flavours = [
            ("4x6".to_owned(), "b".to_owned()),
            ("2x4".to_owned(), "gone".to_owned()),
        ]
        .into();
        let found = told(&config, &offered);
        let problem = found.wrong.unwrap().problem;
        assert_eq!(
            problem,
            "4 of 6 sizes (cores x GiB) have no flavour, as 2x4, 2x6, 2x8"
        );
        offered.vcpus = steps(4, 4, 4);
        offered.memory_gb = steps(6, 8, 8);
        let found = told(&config, &offered);
        assert_eq!(found.wrong, None);
    }
}
