//! The disk from which a server starts: it goes with its server, whatever the cloud makes of that.
//!
//! Nova deletes a disk with its server where it was told to (`delete_on_termination`), a data disk too.
//! That one is taken off before: it may be a resource of ours that was taken in. Somebody who
//! makes a server with Horizon is asked, and the answer is no unless he says otherwise; and where
//! Cinder can't delete the disk at that moment, Nova notes it in a log and deletes the server all the
//! same. So the disks are marked before the server goes, and what Cinder still has of them then is
//! deleted.
use reqwest::Method;
use serde_json::Value;

use super::{
    client::{Cloud, items, list, text},
    fault::{Flow, Stop, optional, refuse},
    op::META_OP,
    version::Service,
    volumes::{FIELDS, server_of},
};
use crate::provisioning::{ExternalId, RefusalReason};

/// Entry of a volume's metadata that names the server with which it goes.
const GOES_WITH: &str = "lingbao_server";

/// A disk that hangs on a server.
struct Hung {
    volume: Value,
    /// Whether Nova was told to delete it with the server.
    told: bool,
}

/// What becomes of the disks of a server that is deleted.
#[derive(Default)]
struct Sorted {
    /// They go with it.
    going: Vec<Value>,
    /// They are taken off before, or Nova would delete them.
    saved: Vec<Value>,
}

/// Sorts the disks of a server. The one from which it starts goes with it, and no other: a disk that
/// Nova was told to delete may be a resource of its own by now, or become one. Nor does one that was
/// ordered by itself, and of a server that starts from a disk of its host none that merely could be
/// started from. Where nothing says from which it starts, those go that Nova was told to delete.
fn sorted(server: &Value, all: Vec<Hung>) -> Sorted {
    let root = text(server, "OS-EXT-SRV-ATTR:root_device_name");
    let from_volume = text(&server["image"], "id").is_empty();
    let may = |it: &Hung| {
        text(&it.volume["metadata"], META_OP).is_empty() && text(&it.volume, "bootable") == "true"
    };
    let place = |it: &Hung| {
        let mut places = items(&it.volume, "attachments").iter();
        let own = places.find(|place| text(place, "server_id") == text(server, "id"));
        own.map(|place| text(place, "device").to_owned())
            .unwrap_or_default()
    };
    // Where no place is told, one alone leaves no doubt.
    let only = all.iter().filter(|it| may(it)).count() == 1;
    let untold = |it: &Hung| root.is_empty() || place(it).is_empty();
    let is_system =
        |it: &Hung| from_volume && may(it) && if untold(it) { only } else { place(it) == root };
    let found = all.iter().any(is_system);
    let mut sorted = Sorted::default();
    for it in all {
        let in_doubt = from_volume && !found && it.told && may(&it);
        if is_system(&it) || in_doubt {
            sorted.going.push(it.volume);
        } else if it.told {
            sorted.saved.push(it.volume);
        }
    }
    sorted
}

impl Cloud {
    /// Marks the disks that go with a server, before it goes: afterwards nothing says whose they were.
    /// Others that Nova would delete too are taken off.
    pub(super) async fn mark_disks(&self, server: &Value) -> Flow<()> {
        let id = text(server, "id");
        let mut all = Vec::new();
        for one in items(server, "os-extended-volumes:volumes_attached") {
            let volume = ExternalId(text(one, "id").to_owned());
            if let Some(volume) = self.volume_value(&volume).await? {
                let told = one["delete_on_termination"] == true;
                all.push(Hung { volume, told });
            }
        }
        let Sorted { going, saved } = sorted(server, all);
        let calm = text(server, "OS-EXT-STS:task_state").is_empty();
        if let Some(volume) = saved.first().filter(|_| calm) {
            let volume = text(volume, "id");
            tracing::info!(
                server = id,
                volume,
                "a disk that Nova would delete is taken off"
            );
            let path = format!("/servers/{id}/os-volume_attachments/{volume}");
            let asked = self.change(Service::Compute, Method::DELETE, &path, None);
            optional(asked.await)?;
            return Err(Stop::Running(self.config.poll_ms));
        }
        for volume in &going {
            if text(&volume["metadata"], GOES_WITH) != id {
                self.note(&ExternalId(text(volume, "id").to_owned()), GOES_WITH, id)
                    .await?;
            }
        }
        // A server that stands as if nobody had deleted it: a mark of a deletion that did not happen
        // would take a disk that was saved from it since. Of one that is being deleted, or broke
        // there, Nova may have detached the disks already.
        let stands = matches!(text(server, "status"), "ACTIVE" | "SHUTOFF");
        if stands && calm {
            let goes = |it: &Value| going.iter().any(|one| text(one, "id") == text(it, "id"));
            for it in self.marked(id).await?.iter().filter(|it| !goes(it)) {
                self.note(&ExternalId(text(it, "id").to_owned()), GOES_WITH, "")
                    .await?;
            }
        }
        Ok(())
    }

    /// The volumes that carry the mark of a server.
    async fn marked(&self, server: &str) -> Flow<Vec<Value>> {
        // Cinder reads the filter as a dictionary of Python.
        let name = server.replace(['\'', '\\'], "_");
        let filter = format!("{{'{GOES_WITH}': '{name}'}}");
        let query = [("all_tenants", "1"), ("metadata", filter.as_str())];
        let found = self.get(Service::Volume, "/volumes/detail", &query).await?;
        let own = |it: &&Value| text(&it["metadata"], GOES_WITH) == server;
        let all = list(&found, "volumes", FIELDS)?.iter();
        Ok(all.filter(own).cloned().collect())
    }

    /// Deletes what Cinder still has of the disks of a server that is gone; `Ok` when it has none.
    pub(super) async fn delete_disks(&self, server: &ExternalId) -> Flow<()> {
        for it in &self.marked(server.as_str()).await? {
            let id = ExternalId(text(it, "id").to_owned());
            if server_of(it).is_some_and(|other| other != *server) {
                let said = format!("its system disk {id} hangs on another server now");
                return refuse(RefusalReason::Conflict, said);
            }
            match text(it, "status") {
                "in-use" | "attaching" | "detaching" | "reserved" | "creating" | "downloading" => {
                    let what = "letting go of the system disk";
                    return Err(self.under_way(text(it, "updated_at"), what));
                }
                _ => {
                    tracing::info!(%server, %id, "a disk that did not go with its server is deleted");
                    self.delete_volume(&id).await?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hung(id: &str, device: &str, bootable: bool, told: bool) -> Hung {
        let volume = json!({ "id": id, "metadata": {}, "bootable": bootable.to_string(),
            "attachments": [{ "server_id": "s", "device": device }] });
        Hung { volume, told }
    }

    fn names(server: &Value, all: Vec<Hung>) -> Vec<String> {
        let going = sorted(server, all).going;
        going.iter().map(|it| text(it, "id").to_owned()).collect()
    }

    fn saved(server: &Value, all: Vec<Hung>) -> Vec<String> {
        let saved = sorted(server, all).saved;
        saved.iter().map(|it| text(it, "id").to_owned()).collect()
    }

    #[test]
    fn the_disk_from_which_a_server_starts_goes_with_it_and_no_other() {
        let server =
            json!({ "id": "s", "image": "", "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda" });
        let both = || {
            vec![
                hung("data", "/dev/vdb", true, false),
                hung("system", "/dev/vda", true, false),
            ]
        };
        assert_eq!(names(&server, both()), ["system"]);
        // Where the cloud tells no place, two leave a doubt and one does not.
        let silent = json!({ "id": "s", "image": "" });
        assert!(names(&silent, both()).is_empty());
        assert_eq!(names(&silent, both().split_off(1)), ["system"]);
        // One that hangs elsewhere is not it, though the system disk has been lost.
        assert!(names(&server, vec![hung("data", "/dev/vdb", true, false)]).is_empty());
    }

    #[test]
    fn a_disk_that_nova_was_told_to_delete_is_saved_unless_the_server_starts_from_it() {
        let from_host = json!({ "id": "s", "image": { "id": "i" }, "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda" });
        let data = || hung("data", "/dev/vdb", true, false);
        let told = || hung("told", "/dev/vdc", true, true);
        assert!(names(&from_host, vec![data(), told()]).is_empty());
        assert_eq!(saved(&from_host, vec![data(), told()]), ["told"]);
        let from_disk =
            json!({ "id": "s", "image": "", "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda" });
        let all = || vec![hung("system", "/dev/vda", true, true), told()];
        assert_eq!(names(&from_disk, all()), ["system"]);
        assert_eq!(saved(&from_disk, all()), ["told"]);
        // Nothing says from which of two it starts, or it says so otherwise than Cinder: Nova lets no
        // disk be taken off from which a server starts.
        let other =
            json!({ "id": "s", "image": "", "OS-EXT-SRV-ATTR:root_device_name": "/dev/sda" });
        assert_eq!(names(&other, all()), ["system", "told"]);
        let silent = json!({ "id": "s", "image": "" });
        assert_eq!(names(&silent, all()), ["system", "told"]);
        assert!(saved(&silent, all()).is_empty());
    }

    #[test]
    fn what_was_ordered_by_itself_never_goes_with_a_server() {
        let server =
            json!({ "id": "s", "image": "", "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda" });
        let mut ours = hung("ours", "/dev/vda", true, true);
        ours.volume["metadata"][META_OP] = json!("op");
        assert!(names(&server, vec![ours]).is_empty());
        let mut ours = hung("ours", "/dev/vdb", true, true);
        ours.volume["metadata"][META_OP] = json!("op");
        assert_eq!(saved(&server, vec![ours]), ["ours"]);
    }
}
