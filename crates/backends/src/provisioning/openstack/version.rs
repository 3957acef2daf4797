//! The services, and which of their microversions is spoken.
use std::{collections::HashMap, sync::Mutex};

use reqwest::Method;
use serde_json::Value;

use super::{
    client::{Cloud, items, lock, text},
    fault::{Answer, Fault},
    keystone::Scope,
};
use crate::provisioning::{Refusal, RefusalReason};

/// A service that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Service {
    Identity,
    Compute,
    Network,
    Volume,
    Image,
    Placement,
}

/// Lowest and highest microversion.
type Range = ((u32, u32), (u32, u32));

impl Service {
    pub const ALL: [Self; 6] = [
        Self::Identity,
        Self::Compute,
        Self::Network,
        Self::Volume,
        Self::Image,
        Self::Placement,
    ];

    /// For people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Identity => "keystone",
            Self::Compute => "nova",
            Self::Network => "neutron",
            Self::Volume => "cinder",
            Self::Image => "glance",
            Self::Placement => "placement",
        }
    }

    /// What catalogues call it.
    pub const fn types(self) -> &'static [&'static str] {
        match self {
            Self::Identity => &["identity"],
            Self::Compute => &["compute"],
            Self::Network => &["network"],
            Self::Volume => &["block-storage", "volumev3", "block-store"],
            Self::Image => &["image"],
            Self::Placement => &["placement"],
        }
    }

    /// What catalogues leave out of the address.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Network => "/v2.0",
            Self::Image => "/v2",
            _ => "",
        }
    }

    /// What is needed and up to what this program knows. Nova's floor is 2.53 (Pike, 2017): servers
    /// are found by tags given when they are made, hosts by their ids. Cinder's is 3.27, Placement's 1.6.
    pub const fn range(self) -> Option<Range> {
        match self {
            Self::Compute => Some(((2, 53), (2, 93))),
            Self::Volume => Some(((3, 27), (3, 70))),
            Self::Placement => Some(((1, 6), (1, 39))),
            Self::Identity | Self::Network | Self::Image => None,
        }
    }

    /// The header that asks for a microversion, and its value.
    pub fn header(self, version: &str) -> Option<(&'static str, String)> {
        let name = match self {
            Self::Compute => "compute",
            Self::Volume => "volume",
            Self::Placement => "placement",
            Self::Identity | Self::Network | Self::Image => return None,
        };
        Some(("OpenStack-API-Version", format!("{name} {version}")))
    }
}

/// The microversions that were agreed upon.
#[derive(Default)]
pub(super) struct Versions(Mutex<HashMap<Service, String>>);

impl Versions {
    /// Asks again next time.
    pub fn forget(&self, service: Service) {
        lock(&self.0).remove(&service);
    }
}

impl Cloud {
    /// The microversion to ask a service for; `None` if it has none.
    pub async fn version(&self, service: Service) -> Answer<Option<String>> {
        let Some(range) = service.range() else {
            return Ok(None);
        };
        if let Some(known) = lock(&self.versions.0).get(&service) {
            return Ok(Some(known.clone()));
        }
        let token = self.token(&Scope::Portal).await?;
        let root = root(&token.endpoint(service, &self.config)?);
        let request = self
            .plain(Method::GET, &root)
            .header("X-Auth-Token", &token.id.0);
        let heard = self.hear(request, false).await?;
        let page: Value = match heard.status {
            // 300 lists several major versions.
            200..=300 => serde_json::from_slice(&heard.body)
                .map_err(|error| Fault::NotSent(format!("{root}: {error}")))?,
            status => {
                let fault = Fault::NotSent(format!("{root}: status {status}"));
                return Err(fault.told(heard.after));
            }
        };
        if !page["version"].is_object() && !page["versions"].is_array() {
            return Err(Fault::NotSent(format!(
                "{root}: an answer without versions"
            )));
        }
        let agreed = agree(&page, range).map_err(|problem| {
            let said = format!("{}: {problem}", service.word());
            Fault::Refused(Refusal::new(RefusalReason::Unsupported, said))
        })?;
        lock(&self.versions.0).insert(service, agreed.clone());
        Ok(Some(agreed))
    }

    /// Which of Nova's microversions `2.…` is spoken.
    pub async fn nova_minor(&self) -> Answer<u32> {
        let version = self.version(Service::Compute).await?.unwrap_or_default();
        Ok(number(&version).map_or(0, |(_, minor)| minor))
    }
}

/// The highest microversion that both sides know.
fn agree(page: &Value, (floor, ceiling): Range) -> Result<String, String> {
    let all = page.get("version").map(std::slice::from_ref);
    let all = all.unwrap_or_else(|| items(page, "versions"));
    let most = all
        .iter()
        .filter_map(|v| number(text(v, "version")).or_else(|| number(text(v, "max_version"))))
        .filter(|(major, _)| *major == floor.0)
        .max()
        .ok_or("it tells no version")?;
    if most < floor {
        let (have, need) = (
            format!("{}.{}", most.0, most.1),
            format!("{}.{}", floor.0, floor.1),
        );
        return Err(format!("it speaks up to {have}, {need} is needed"));
    }
    let (major, minor) = most.min(ceiling);
    Ok(format!("{major}.{minor}"))
}

fn number(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The page of a service's versions: `…/v3/PROJECT` → `…/v3/`.
fn root(endpoint: &str) -> String {
    for version in ["/v2.1", "/v3"] {
        if let Some((before, after)) = endpoint.split_once(version)
            && (after.is_empty() || after.starts_with('/'))
        {
            return format!("{before}{version}/");
        }
    }
    format!("{}/", endpoint.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_highest_common_version_is_spoken_and_an_old_cloud_refused() {
        let range = ((2, 52), (2, 93));
        let nova =
            |most: &str| json!({"version": {"id": "v2.1", "version": most, "min_version": "2.1"}});
        assert_eq!(agree(&nova("2.99"), range).unwrap(), "2.93");
        assert_eq!(agree(&nova("2.60"), range).unwrap(), "2.60");
        assert!(agree(&nova("2.38"), range).unwrap_err().contains("2.52"));
        let placement =
            json!({"versions": [{"id": "v1.0", "max_version": "1.39", "min_version": "1.0"}]});
        assert_eq!(agree(&placement, ((1, 6), (1, 39))).unwrap(), "1.39");
    }

    #[test]
    fn the_page_of_versions_stands_above_the_project() {
        assert_eq!(root("http://c:8776/v3/abc"), "http://c:8776/v3/");
        assert_eq!(root("http://c/compute/v2.1"), "http://c/compute/v2.1/");
        assert_eq!(root("http://c/placement"), "http://c/placement/");
    }
}
