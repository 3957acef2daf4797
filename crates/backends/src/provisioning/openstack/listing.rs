//! Everything there is, a page at a time: projects, networks, servers with their backup plans, volumes,
//! addresses, snapshots, backups, each in the order of ids. A cursor is `KIND MARKER`; a page holds one
//! kind.
use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    addresses::{self, address},
    backups::{self, backup},
    client::{Cloud, items, list, text},
    config::OpenStackConfig,
    fault::{Answer, Fault},
    networks::{self, network},
    op::{MARK, described},
    plans::plans,
    server::{self, is_deleted, server_in},
    snapshots::{self, snapshot},
    version::Service,
    volumes::{self, is_system_disk, volume_in},
};
use crate::provisioning::{ExternalId, Object, Page, Refusal, RefusalReason};

/// Objects on a page; the cloud may give fewer.
pub(super) const PAGE: &str = "500";
const FULL: usize = 500;

/// The order of Neutron's lists.
const NEUTRON: &[(&str, &str)] = &[("sort_key", "id"), ("sort_dir", "asc")];

const KINDS: [&str; 7] = [
    "project", "network", "server", "volume", "address", "snapshot", "backup",
];

/// One kind, as its service lists it.
struct Shelf {
    service: Service,
    path: &'static str,
    key: &'static str,
    links: &'static str,
    query: &'static [(&'static str, &'static str)],
    /// What each thing on it must have.
    fields: &'static [&'static str],
}

fn shelf(kind: &str) -> Option<Shelf> {
    const NOVA: &[(&str, &str)] = &[
        ("all_tenants", "1"),
        ("sort_key", "uuid"),
        ("sort_dir", "asc"),
    ];
    const CINDER: &[(&str, &str)] = &[("all_tenants", "1"), ("sort", "id:asc")];
    let (service, path, key, links, query, fields) = match kind {
        "network" => (
            Service::Network,
            "/networks",
            "networks",
            "networks_links",
            NEUTRON,
            networks::FIELDS,
        ),
        "server" => (
            Service::Compute,
            "/servers/detail",
            "servers",
            "servers_links",
            NOVA,
            server::FIELDS,
        ),
        "volume" => (
            Service::Volume,
            "/volumes/detail",
            "volumes",
            "volumes_links",
            CINDER,
            volumes::FIELDS,
        ),
        "snapshot" => (
            Service::Volume,
            "/snapshots/detail",
            "snapshots",
            "snapshots_links",
            CINDER,
            snapshots::FIELDS,
        ),
        "backup" => (
            Service::Volume,
            "/backups/detail",
            "backups",
            "backup_links",
            CINDER,
            backups::FIELDS,
        ),
        "address" => (
            Service::Network,
            "/floatingips",
            "floatingips",
            "floatingips_links",
            NEUTRON,
            addresses::FIELDS,
        ),
        _ => return None,
    };
    Some(Shelf {
        service,
        path,
        key,
        links,
        query,
        fields,
    })
}

impl Cloud {
    /// A page.
    pub async fn page(&self, project: Option<&ExternalId>, cursor: Option<&str>) -> Answer<Page> {
        let (kind, marker) = match cursor {
            None => (KINDS[0], ""),
            // What is no cursor must not look like the end of the list.
            Some(cursor) => match cursor.split_once(' ') {
                Some((kind, marker)) if KINDS.contains(&kind) => (kind, marker),
                _ => {
                    let said = format!("not a cursor of this backend: {cursor}");
                    return Err(Refusal::new(RefusalReason::InvalidSpec, said).into());
                }
            },
        };
        let (objects, more) = match shelf(kind) {
            Some(shelf) => self.shelf_page(kind, &shelf, project, marker).await?,
            None => (self.own_projects(project).await?, None),
        };
        let next = more.map(|marker| format!("{kind} {marker}")).or_else(|| {
            let at = KINDS.iter().position(|one| *one == kind)?;
            Some(format!("{} ", KINDS.get(at + 1)?))
        });
        Ok(Page { objects, next })
    }

    async fn own_projects(&self, project: Option<&ExternalId>) -> Answer<Vec<Object>> {
        let mut all = self.projects(MARK).await?;
        all.retain(|it| project.is_none_or(|project| it.id() == project));
        all.sort_by(|a, b| a.id().cmp(b.id()));
        Ok(all)
    }

    /// Objects of a page, and where the next begins.
    async fn shelf_page(
        &self,
        kind: &str,
        shelf: &Shelf,
        project: Option<&ExternalId>,
        marker: &str,
    ) -> Answer<(Vec<Object>, Option<String>)> {
        let mut query = shelf.query.to_vec();
        query.push(("limit", PAGE));
        if !marker.is_empty() {
            query.push(("marker", marker));
        }
        if let Some(project) = project {
            query.push(("project_id", project.as_str()));
        }
        let found = self.get(shelf.service, shelf.path, &query).await?;
        let all = list(&found, shelf.key, shelf.fields)?;
        let more = next_page(&found, all, shelf.links);
        let now = self.now();
        let read = |it| objects(kind, it, now, &self.config);
        let mut objects: Vec<Object> = all.iter().flat_map(read).collect();
        // A cloud has other tenants too; theirs are not the portal's business.
        if !objects.is_empty() {
            let own: BTreeSet<ExternalId> = match project {
                Some(project) => [project.clone()].into(),
                None => self
                    .projects(MARK)
                    .await?
                    .iter()
                    .map(|it| it.id().clone())
                    .collect(),
            };
            objects.retain(|it| own.contains(it.project()));
        }
        Ok((objects, more))
    }
}

/// A list of Neutron's that is read to its end.
pub(super) struct Whole<'a> {
    pub path: &'a str,
    pub key: &'a str,
    pub links: &'a str,
    pub query: &'a [(&'a str, &'a str)],
    /// What each thing on it must have.
    pub fields: &'a [&'a str],
}

impl Cloud {
    /// Reads all that is on a list, a page at a time in the order of ids: to the end, or an error.
    pub(super) async fn whole(
        &self,
        list_of: Whole<'_>,
        mut each: impl FnMut(&Value) -> Answer<()> + Send,
    ) -> Answer<()> {
        let mut marker = String::new();
        loop {
            let mut query = list_of.query.to_vec();
            query.extend(NEUTRON);
            query.push(("limit", PAGE));
            if !marker.is_empty() {
                query.push(("marker", &marker));
            }
            let found = self.get(Service::Network, list_of.path, &query).await?;
            let all = list(&found, list_of.key, list_of.fields)?;
            for it in all {
                each(it)?;
            }
            match next_page(&found, all, list_of.links) {
                Some(next) if next == marker => {
                    let why = format!("{} goes round in a circle", list_of.path);
                    return Err(Fault::NotSent(why));
                }
                Some(next) => marker = next,
                None => return Ok(()),
            }
        }
    }
}

/// The marker of the page after one. A full page may have a next one, whether or not a link says so.
pub(super) fn next_page(found: &Value, all: &[Value], links: &str) -> Option<String> {
    let is_next = |link: &Value| text(link, "rel") == "next";
    let more = all.len() >= FULL || items(found, links).iter().any(is_next);
    let last = all.last().filter(|_| more)?;
    Some(text(last, "id").to_owned())
}

/// What a thing of a list is to the portal: the plans of a server are notes on it.
fn objects(kind: &str, it: &Value, now: i64, config: &OpenStackConfig) -> Vec<Object> {
    let mut objects: Vec<Object> = object(kind, it, now, config).into_iter().collect();
    if kind == "server" && !objects.is_empty() {
        objects.extend(plans(it).into_iter().map(Object::BackupPlan));
    }
    objects
}

fn object(kind: &str, it: &Value, now: i64, config: &OpenStackConfig) -> Option<Object> {
    match kind {
        "network" if described(text(it, "description")).0.is_empty() => None,
        "network" => Some(network(it)),
        "server" if is_deleted(it) => None,
        "server" => Some(Object::Server(server_in(it, &config.zones))),
        "volume" if is_system_disk(it, now) => None,
        "volume" => Some(Object::Volume(volume_in(it, &config.volume_types))),
        "address" => Some(Object::Address(address(it))),
        "snapshot" => Some(Object::Snapshot(snapshot(it))),
        "backup" => Some(Object::Backup(backup(it))),
        _ => None,
    }
}
