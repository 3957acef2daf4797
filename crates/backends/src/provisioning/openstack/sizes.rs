//! What the cloud calls our images, sizes and disk classes.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Cloud, list, missing, text},
    fault::{Answer, Fault},
    listing::{PAGE, next_page},
    names::Place,
    version::Service,
};
use crate::provisioning::ServerSize;

fn number(it: &Value, key: &str) -> u64 {
    it.get(key).and_then(Value::as_u64).unwrap_or(0)
}

/// Cores and memory of a flavour; `None` if the memory is no whole number of GiB.
pub(super) fn size(flavour: &Value) -> Option<ServerSize> {
    let mb = number(flavour, "ram");
    Some(ServerSize {
        vcpus: u32::try_from(number(flavour, "vcpus")).ok()?,
        memory_gb: u32::try_from(mb / 1_024)
            .ok()
            .filter(|_| mb.is_multiple_of(1_024))?,
    })
}

/// How large the disk is that a flavour gave to a server; 0 if it starts from a volume, and any
/// flavour is right for it.
pub(super) fn own_disk(server: &Value) -> u64 {
    if text(&server["image"], "id").is_empty() {
        return 0;
    }
    number(&server["flavor"], "disk")
}

/// Of the flavours of a size, the one with the smallest disk that is large enough: hosts that the
/// portal makes start from a volume and need none, and no cloud makes a disk smaller.
pub(super) fn choose<'a>(
    all: impl IntoIterator<Item = &'a Value>,
    wanted: ServerSize,
    disk_gb: u64,
) -> Option<&'a Value> {
    let fits = |it: &&Value| {
        size(it) == Some(wanted)
            && number(it, "disk") >= disk_gb
            && it.get("OS-FLV-DISABLED:disabled") != Some(&Value::Bool(true))
            && it.get("os-flavor-access:is_public") != Some(&Value::Bool(false))
    };
    let order = |it: &&Value| (number(it, "disk"), text(it, "name").to_owned());
    all.into_iter().filter(fits).min_by_key(order)
}

impl Cloud {
    /// All flavours, at most a minute old.
    pub async fn flavours(&self) -> Answer<Vec<Value>> {
        if let Some(Value::Array(kept)) = self.cache.get("flavours", self.now()) {
            return Ok(kept);
        }
        let mut all = Vec::new();
        let mut marker = String::new();
        loop {
            let mut query = vec![("is_public", "None"), ("limit", PAGE)];
            if !marker.is_empty() {
                query.push(("marker", &marker));
            }
            let path = "/flavors/detail";
            let found = match self.get(Service::Compute, path, &query).await {
                // Somebody deleted the one with which the last page ended.
                Err(Fault::Refused(it)) if !marker.is_empty() => {
                    let why = format!("the flavours changed while they were read: {}", it.detail);
                    return Err(Fault::NotSent(why));
                }
                found => found?,
            };
            let page = list(&found, "flavors", &["id", "name"])?;
            all.extend_from_slice(page);
            match next_page(&found, page, "flavors_links") {
                Some(next) if next == marker => {
                    return Err(Fault::NotSent(format!("{path} goes round in a circle")));
                }
                Some(next) => marker = next,
                None => break,
            }
        }
        self.cache.put("flavours", self.now(), &json!(all));
        Ok(all)
    }

    /// Id of the flavour of a size: the order's own by name, the configured one, one of exactly this
    /// size, or one made for it if the configuration lets us. A server whose disk is its flavour's
    /// gets one with so large a disk, also where the configured one has a smaller. Of hosts of another
    /// architecture than the pool's own only those flavours are known that have a name.
    pub async fn flavour(
        &self,
        place: Place<'_>,
        size: ServerSize,
        name: Option<&str>,
        disk_gb: u64,
    ) -> Answer<String> {
        let ServerSize { vcpus, memory_gb } = size;
        let named = name.or_else(|| place.flavour(size));
        let all = self.flavours().await?;
        let called = named.and_then(|name| {
            let by = |field: &str| all.iter().find(|it| text(it, field) == name);
            by("name").or_else(|| by("id"))
        });
        let too_small = called.is_some_and(|it| number(it, "disk") < disk_gb);
        let named = named.filter(|_| !too_small);
        let found = match named {
            Some(_) => called,
            None => choose(place.takes(&all), size, disk_gb),
        };
        if let Some(it) = found {
            return Ok(text(it, "id").to_owned());
        }
        if named.is_none() && self.makes_any(place) {
            return self.make_flavour(size, disk_gb).await;
        }
        let wanted = match named {
            Some(name) => format!("called {name}"),
            None if disk_gb > 0 => format!(
                "of {vcpus} cores and {memory_gb} GiB with a disk of {disk_gb} GiB, as the server has"
            ),
            None => format!("of {vcpus} cores and {memory_gb} GiB"),
        };
        let whose = place.words();
        Err(missing(&format!(
            "nova has no flavour {wanted} for {whose}"
        )))
    }

    async fn make_flavour(&self, size: ServerSize, disk_gb: u64) -> Answer<String> {
        let disk = Some(disk_gb).filter(|gb| *gb > 0);
        let disk = disk.map_or_else(String::new, |gb| format!("-disk{gb}"));
        let name = format!("lingbao-{}x{}{disk}", size.vcpus, size.memory_gb);
        // The name is the id as well, so that two who make it at once make one.
        let body = json!({ "flavor": {
            "name": name, "id": name, "vcpus": size.vcpus,
            "ram": u64::from(size.memory_gb) * 1_024, "disk": disk_gb,
        }});
        self.cache.forget("flavours");
        match self
            .change(Service::Compute, Method::POST, "/flavors", Some(&body))
            .await
        {
            Err(fault) if fault.reason() != Some(crate::provisioning::RefusalReason::Conflict) => {
                Err(fault)
            }
            _ => Ok(name),
        }
    }

    /// Id of the image of a code.
    pub async fn image(&self, place: Place<'_>, code: &str) -> Answer<String> {
        let Some(wanted) = place.image(code) else {
            let whose = place.words();
            return Err(missing(&format!(
                "the configuration has no image {code} for {whose}"
            )));
        };
        self.image_called(wanted).await
    }

    /// Id of the image that Glance calls so.
    pub async fn image_called(&self, wanted: &str) -> Answer<String> {
        let key = format!("image {wanted}");
        if let Some(Value::String(id)) = self.cache.get(&key, self.now()) {
            return Ok(id);
        }
        // By name only what the cloud offers to all: the portal's user sees the images of every
        // project, and anybody may call his own by this name. Of two with one name neither is taken,
        // the newest no more than the other: what new machines start from would change in silence.
        let query = [
            ("name", wanted),
            ("status", "active"),
            ("visibility", "public"),
        ];
        let found = self.get(Service::Image, "/images", &query).await?;
        let by_name = match list(&found, "images", &["id"])? {
            [] => None,
            [one] => Some(text(one, "id").to_owned()),
            [one, other, ..] => {
                let (one, other) = (text(one, "id"), text(other, "id"));
                let said = format!(
                    "glance has two public images {wanted}, {one} and {other}: \
                     write the id of one in the configuration"
                );
                return Err(missing(&said));
            }
        };
        let id = match by_name {
            Some(id) => id,
            None => {
                let path = format!("/images/{wanted}");
                let one = super::fault::optional(self.get(Service::Image, &path, &[]).await)?;
                if one.as_ref().is_some_and(|it| text(it, "status").is_empty()) {
                    return Err(Fault::NotSent("an answer without an image".into()));
                }
                let active = one.filter(|it| text(it, "status") == "active");
                let Some(it) = active else {
                    return Err(missing(&format!(
                        "glance has no active public image {wanted}, and none with this id"
                    )));
                };
                text(&it, "id").to_owned()
            }
        };
        self.cache.put(&key, self.now(), &json!(id));
        Ok(id)
    }

    /// Cinder's name of a disk class.
    pub fn volume_type<'a>(&'a self, code: &'a str) -> &'a str {
        self.config
            .volume_types
            .get(code)
            .map_or(code, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_flavours_one_without_a_disk_is_taken() {
        let of = |name: &str, vcpus: u32, ram: u32, disk: u32| json!({ "name": name, "vcpus": vcpus, "ram": ram, "disk": disk });
        let mut all = vec![
            of("a", 2, 4096, 20),
            of("b", 2, 4096, 0),
            of("c", 2, 4000, 0),
            of("d", 4, 4096, 0),
        ];
        let wanted = ServerSize {
            vcpus: 2,
            memory_gb: 4,
        };
        assert_eq!(
            choose(&all, wanted, 0).map(|it| text(it, "name")),
            Some("b")
        );
        // What starts from its flavour's disk keeps as large a one.
        assert_eq!(
            choose(&all, wanted, 10).map(|it| text(it, "name")),
            Some("a")
        );
        assert!(choose(&all, wanted, 40).is_none());
        all[1]["OS-FLV-DISABLED:disabled"] = json!(true);
        assert_eq!(
            choose(&all, wanted, 0).map(|it| text(it, "name")),
            Some("a")
        );
        assert!(
            choose(
                &all,
                ServerSize {
                    vcpus: 3,
                    memory_gb: 4
                },
                0
            )
            .is_none()
        );
    }
}
