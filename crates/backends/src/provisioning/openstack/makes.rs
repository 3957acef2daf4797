//! What the pools of the cloud make: images, sizes and disk classes.
use std::collections::{BTreeMap, BTreeSet};

use lingbao_model::makes::{Hosts, Makes};
use serde_json::Value;

use super::{
    client::Cloud,
    config::OpenStackConfig,
    fault::{Answer, Fault},
    names::{self, Place, is_called},
    sizes,
};
use crate::provisioning::{PoolRef, ServerSize};

/// Cores and GiB.
pub(super) type Size = (u32, u32);

/// What the cloud does not tell the portal's user can't be held against an order.
fn told<T>(answer: Answer<T>) -> Answer<Option<T>> {
    match answer {
        Ok(it) => Ok(Some(it)),
        Err(Fault::Refused(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

impl Cloud {
    /// What is made in each pool.
    pub async fn makes(&self) -> Answer<BTreeMap<PoolRef, Makes>> {
        let flavours = told(self.flavours().await)?;
        let types = told(self.volume_type_names().await)?;
        let classes = types.map(|types| classes_there(&self.config, &types));
        let mut all = BTreeMap::new();
        for zone in &self.config.zones {
            let mut hosts = BTreeMap::new();
            for arch in names::archs(&self.config, zone) {
                let place = Place::in_zone(&self.config, zone, Some(arch));
                let sizes = flavours.as_ref().filter(|_| !self.makes_any(place));
                let sizes = sizes.map(|all| {
                    let there = sizes_there(place, all).into_iter();
                    there
                        .map(|(vcpus, gb)| (i64::from(vcpus), i64::from(gb)))
                        .collect()
                });
                let images = self.images_there(place).await?;
                hosts.insert(arch.to_owned(), Hosts { images, sizes });
            }
            let makes = Makes {
                hosts,
                disk_classes: classes.clone(),
            };
            all.insert(PoolRef(zone.name.clone()), makes);
        }
        Ok(all)
    }

    /// Whether a flavour that the cloud does not have is made for such hosts.
    pub fn makes_any(&self, place: Place<'_>) -> bool {
        self.config.make_flavours && place.is_own()
    }

    /// The codes of the images that Glance has for such hosts.
    async fn images_there(&self, place: Place<'_>) -> Answer<Vec<String>> {
        let mut images = Vec::new();
        for code in place.codes() {
            match self.image(place, code).await {
                Ok(_) => images.push(code.to_owned()),
                Err(Fault::Refused(refusal)) => {
                    let whose = place.words();
                    tracing::warn!(backend = self.name, %refusal, "image {code} is not offered for {whose}");
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(images)
    }
}

/// The sizes that find a flavour, by the rules of [`Cloud::flavour`].
pub(super) fn sizes_there(place: Place<'_>, all: &[Value]) -> BTreeSet<Size> {
    let free = place.takes(all);
    let sizes = free.iter().copied().filter_map(sizes::size);
    let mut there: BTreeSet<Size> = sizes
        .filter(|size| sizes::choose(free.iter().copied(), *size, 0).is_some())
        .map(|ServerSize { vcpus, memory_gb }| (vcpus, memory_gb))
        .collect();
    for size in place.sizes() {
        let name = place.flavour(size).unwrap_or_default();
        let size = (size.vcpus, size.memory_gb);
        // Of a size that has a name no other flavour is taken.
        if all.iter().any(|it| is_called(it, name)) {
            there.insert(size);
        } else {
            there.remove(&size);
        }
    }
    there
}

/// The disk classes that find a volume type: those that the configuration names, and the types that
/// are called by their own name.
pub(super) fn classes_there(config: &OpenStackConfig, types: &[String]) -> Vec<String> {
    let named = &config.volume_types;
    let by_name = named.iter().filter(|(_, name)| types.contains(name));
    let own = types.iter().filter(|name| !named.contains_key(*name));
    let all: BTreeSet<&String> = by_name.map(|(code, _)| code).chain(own).collect();
    all.into_iter().cloned().collect()
}
