//! A server as Nova tells it, and what of an order travels in its metadata.
use std::{collections::BTreeMap, net::Ipv4Addr};

use serde_json::{Value, json};

use super::{
    client::text,
    config::ZoneConfig,
    op::{META, META_OP, digest},
    reinstall::Install,
    time::moment,
};
use crate::provisioning::{
    ARCH, Access, ExternalId, OperationId, PoolRef, Power, Server, ServerSize, ServerSpec, Stands,
};

/// What each server that is read must have. Nova leaves most of it out for servers of a cell that is
/// away: then nobody knows how they stand.
pub(super) const FIELDS: &[&str] = &["id", "status", "tenant_id", "metadata"];
/// Nova's longest value of the metadata.
const LONGEST: usize = 255;
/// The last act on a server: `OPERATION REQUEST`, where REQUEST is the newest action before it.
pub(super) const META_ACT: &str = "lingbao_act";
/// Who installed its system anew; see `reinstall`.
pub(super) const META_INSTALL: &str = "lingbao_install";
/// Begins the entries of a key.
const META_KEY: &str = "lingbao_key_";
/// What tells two orders under one operation apart.
pub(super) const META_CALL: &str = "lingbao_call";

/// The digest of what an order asks for. Only what lasts: a field that a later version of this
/// program adds must not make an order of today another one.
pub(super) fn call(spec: &ServerSpec) -> String {
    let numbers = [spec.vcpus, spec.memory_gb, spec.system_disk_gb].map(|n| n.to_string());
    let [vcpus, memory, disk] = &numbers;
    let (project, pool, network) = (&spec.project.0, &spec.pool.0, &spec.network.0);
    digest(&[
        project,
        pool,
        network,
        &spec.name,
        vcpus,
        memory,
        disk,
        &spec.image,
    ])
}

/// The metadata of a new server: the order's own, and what Nova has no field for.
pub(super) fn metadata(op: &OperationId, spec: &ServerSpec) -> Value {
    let mut meta: BTreeMap<String, String> = spec.metadata.clone();
    let mut put = |key: &str, value: &str| meta.insert(key.to_owned(), value.to_owned());
    put(META_OP, op.as_str());
    put(META_CALL, &call(spec));
    put("lingbao_pool", spec.pool.as_str());
    put("lingbao_network", spec.network.as_str());
    put("lingbao_image", &spec.image);
    put("lingbao_disk_gb", &spec.system_disk_gb.to_string());
    if let Some(flavour) = &spec.flavour {
        put("lingbao_flavour", flavour);
    }
    if let Some(preset) = &spec.security_preset {
        put("lingbao_preset", preset);
    }
    meta.extend(way_in(&spec.access));
    json!(meta)
}

/// The metadata of a server whose system is installed anew. Nova puts it in the place of the old one:
/// whatever else stands there stays.
pub(super) fn reinstalled(old: &Value, mark: &str, image: &str, access: &Access) -> Value {
    let old = old.as_object().into_iter().flatten();
    let mut meta: BTreeMap<String, String> = old
        .filter(|(key, _)| !key.starts_with(META_KEY))
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    meta.insert(META_INSTALL.to_owned(), mark.to_owned());
    meta.insert("lingbao_image".to_owned(), image.to_owned());
    meta.extend(way_in(access));
    json!(meta)
}

/// How its owner gets in, in as many entries as it takes.
fn way_in(access: &Access) -> Vec<(String, String)> {
    let entry = |word: &str| ("lingbao_access".to_owned(), word.to_owned());
    match access {
        Access::OneTimePassword => vec![entry("password")],
        Access::SshKeys(keys) => {
            let all: Vec<char> = keys.join("\n").chars().collect();
            let parts = all.chunks(LONGEST / 4).enumerate();
            let parts = parts.map(|(n, part)| (format!("{META_KEY}{n:02}"), part.iter().collect()));
            std::iter::once(entry("keys")).chain(parts).collect()
        }
    }
}

/// Whether it was given a one-time password.
pub(super) fn has_password(it: &Value) -> bool {
    text(&it["metadata"], "lingbao_access") == "password"
}

fn access(meta: &Value) -> Access {
    if text(meta, "lingbao_access") == "password" {
        return Access::OneTimePassword;
    }
    let parts = (0..).map_while(|n| meta.get(format!("{META_KEY}{n:02}"))?.as_str());
    let keys = parts.collect::<String>();
    Access::SshKeys(keys.lines().map(str::to_owned).collect())
}

/// Whether Nova only keeps it for its own sake.
pub(super) fn is_deleted(it: &Value) -> bool {
    ["DELETED", "SOFT_DELETED"].contains(&text(it, "status"))
}

/// What a server does.
pub(super) fn power(it: &Value) -> Power {
    let busy = !text(it, "OS-EXT-STS:task_state").is_empty();
    match text(it, "status") {
        "BUILD" => Power::Building,
        "ERROR" => Power::Error,
        _ if busy => Power::Changing,
        // In rescue it runs from another image.
        "ACTIVE" | "RESCUE" => Power::Active,
        "SHUTOFF" | "PAUSED" | "SUSPENDED" | "SHELVED" | "SHELVED_OFFLOADED" => Power::Stopped,
        // REBOOT, RESIZE, VERIFY_RESIZE, MIGRATING and what later versions add.
        _ => Power::Changing,
    }
}

/// Its size; the embedded flavour tells it. Memory that is no whole number of GiB, as somebody else's
/// flavour may have it, counts as the next one.
pub(super) fn size(it: &Value) -> ServerSize {
    let number = |key: &str| it["flavor"][key].as_u64().unwrap_or(0);
    ServerSize {
        vcpus: u32::try_from(number("vcpus")).unwrap_or(0),
        memory_gb: u32::try_from(number("ram").div_ceil(1_024)).unwrap_or(0),
    }
}

fn private_address(it: &Value) -> Ipv4Addr {
    let networks = it["addresses"]
        .as_object()
        .into_iter()
        .flat_map(|all| all.values());
    let mut fixed = networks
        .filter_map(Value::as_array)
        .flatten()
        .filter(|one| text(one, "OS-EXT-IPS:type") == "fixed")
        .filter_map(|one| text(one, "addr").parse().ok());
    fixed.next().unwrap_or(Ipv4Addr::UNSPECIFIED)
}

/// A server as it stands, of which the cloud's zones tell the pool where it was made for none. A pool
/// without a zone is wherever the cloud puts things.
pub(super) fn server_in(it: &Value, zones: &[ZoneConfig]) -> Server {
    let mut server = server(it);
    let zone = text(it, "OS-EXT-AZ:availability_zone");
    if !server.spec.pool.as_str().is_empty() || zone.is_empty() {
        return server;
    }
    let there = |one: &&ZoneConfig| one.zone.is_empty() || one.zone == zone;
    let pools = zones.iter().filter(there);
    let pools: Vec<PoolRef> = pools.map(|one| PoolRef(one.name.clone())).collect();
    if let [only] = &pools[..] {
        server.spec.pool = only.clone();
    }
    server.stands = Some(Stands {
        zone: zone.to_owned(),
        pools,
    });
    server
}

/// A server as it stands, without its password.
pub(super) fn server(it: &Value) -> Server {
    let meta = &it["metadata"];
    let of = |key: &str| text(meta, key).to_owned();
    let some = |key: &str| Some(of(key)).filter(|value| !value.is_empty());
    let ServerSize { vcpus, memory_gb } = size(it);
    let resource = "lingbao_resource";
    let own = meta.as_object().into_iter().flatten().filter(|(key, _)| {
        // These two come from the order.
        !key.starts_with(META) || [resource, ARCH].contains(&key.as_str())
    });
    let own = own.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
    Server {
        id: ExternalId(text(it, "id").to_owned()),
        spec: ServerSpec {
            project: ExternalId(text(it, "tenant_id").to_owned()),
            pool: PoolRef(of("lingbao_pool")),
            network: ExternalId(of("lingbao_network")),
            name: text(it, "name").to_owned(),
            vcpus,
            memory_gb,
            system_disk_gb: of("lingbao_disk_gb").parse().unwrap_or(0),
            image: of("lingbao_image"),
            flavour: some("lingbao_flavour"),
            security_preset: some("lingbao_preset"),
            access: access(meta),
            // It may hold secrets: what went in is not told again.
            user_data: None,
            metadata: own.collect(),
        },
        power: power(it),
        host: Some(text(it, "OS-EXT-SRV-ATTR:host").to_owned()).filter(|host| !host.is_empty()),
        stands: None,
        private_address: private_address(it),
        one_time_password: None,
        installed_by: Install::of(it).map(|install| OperationId(install.op.to_owned())),
        created_at: moment(text(it, "created")).unwrap_or_default(),
        operation: OperationId(of(META_OP)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ServerSpec {
        ServerSpec {
            project: "p".into(),
            pool: "gov".into(),
            network: "n".into(),
            name: "web".into(),
            vcpus: 2,
            memory_gb: 4,
            system_disk_gb: 40,
            image: "kylin-v10".into(),
            flavour: Some("c2".into()),
            security_preset: Some("level2".into()),
            access: Access::SshKeys(vec![
                format!("ssh-rsa {} 张三", "A".repeat(700)),
                "ssh-ed25519 B".into(),
            ]),
            user_data: None,
            metadata: [
                ("lingbao_resource".to_owned(), "res_1".to_owned()),
                ("x".to_owned(), "y".to_owned()),
            ]
            .into(),
        }
    }

    #[test]
    fn what_was_made_for_no_pool_stands_where_its_zone_is() {
        let zones = |all: &[(&str, &str)]| -> Vec<ZoneConfig> {
            let one = |(name, zone): &(&str, &str)| json!({ "name": name, "zone": zone });
            serde_json::from_value(all.iter().map(one).collect()).unwrap()
        };
        let place = |pool: &str, zone: &str, all: &[(&str, &str)]| {
            let it = json!({ "id": "s", "metadata": { "lingbao_pool": pool }, "OS-EXT-AZ:availability_zone": zone });
            let server = server_in(&it, &zones(all));
            let there = server
                .stands
                .map(|it| it.pools.iter().map(ToString::to_string).collect());
            (server.spec.pool.to_string(), there)
        };
        let one = [("gov", "az-1"), ("net", "az-2")];
        let (pool, there): (_, Option<Vec<String>>) = place("", "az-2", &one);
        assert_eq!((pool.as_str(), there), ("net", Some(vec!["net".into()])));
        assert_eq!(place("", "az-3", &one), (String::new(), Some(vec![])));
        // Several pools on the same hosts, and one that is wherever there is room.
        let several = [("gov", "az-1"), ("xc", "az-1"), ("any", "")];
        let all = ["gov", "xc", "any"].map(str::to_owned).to_vec();
        assert_eq!(place("", "az-1", &several), (String::new(), Some(all)));
        // What was made for a pool says so itself, and of what stands nowhere yet nothing is known.
        assert_eq!(place("gov", "az-2", &one), ("gov".into(), None));
        assert_eq!(place("", "", &one), (String::new(), None));
    }

    #[test]
    fn an_order_is_read_back_from_what_nova_keeps() {
        let meta = metadata(&"op".into(), &spec());
        for (key, value) in meta.as_object().unwrap() {
            assert!(value.as_str().unwrap().len() <= LONGEST, "{key}");
        }
        let it = json!({ "id": "s", "tenant_id": "p", "name": "web", "status": "ACTIVE", "metadata": meta,
            "flavor": { "vcpus": 2, "ram": 4096, "original_name": "c2" }, "created": "2026-11-21T18:26:46Z",
            "addresses": { "n1": [{ "addr": "203.0.113.5", "OS-EXT-IPS:type": "floating" },
                                   { "addr": "10.8.0.5", "OS-EXT-IPS:type": "fixed" }] } });
        let back = server(&it);
        assert_eq!(back.spec, spec());
        assert_eq!(back.private_address, Ipv4Addr::new(10, 8, 0, 5));
        assert_eq!((back.power, back.operation), (Power::Active, "op".into()));
    }

    #[test]
    fn what_is_installed_anew_keeps_everything_but_image_and_way_in() {
        let mut meta = metadata(&"op".into(), &spec());
        meta["of_others"] = json!("kept");
        let keys = Access::SshKeys(vec!["ssh-ed25519 C".into()]);
        let anew = reinstalled(&meta, "again req-1", "uos-20", &keys);
        let it = json!({ "id": "s", "tenant_id": "p", "name": "web", "status": "SHUTOFF", "metadata": anew,
            "flavor": { "vcpus": 2, "ram": 4096 } });
        let back = server(&it);
        let wanted = ServerSpec {
            image: "uos-20".into(),
            access: keys,
            metadata: [("of_others".to_owned(), "kept".to_owned())]
                .into_iter()
                .chain(spec().metadata)
                .collect(),
            ..spec()
        };
        assert_eq!(back.spec, wanted);
        assert_eq!(
            (back.operation, back.installed_by),
            ("op".into(), Some("again".into()))
        );
        assert_eq!(text(&it["metadata"], META_CALL), call(&spec()));
        let word = reinstalled(&anew, "third req-2", "uos-20", &Access::OneTimePassword);
        assert_eq!(text(&word, "lingbao_key_00"), "");
    }

    #[test]
    fn a_size_that_is_not_ours_is_told_all_the_same() {
        let of = |ram: u32| size(&json!({ "flavor": { "vcpus": 1, "ram": ram } }));
        let sizes = [512, 1_024, 1_536].map(|ram| (of(ram).vcpus, of(ram).memory_gb));
        assert_eq!(sizes, [(1, 1), (1, 1), (1, 2)]);
    }

    #[test]
    fn a_state_of_nova_is_one_of_ours() {
        let of = |status: &str, task: Option<&str>| {
            power(&json!({ "status": status, "OS-EXT-STS:task_state": task }))
        };
        assert_eq!(of("BUILD", Some("spawning")), Power::Building);
        assert_eq!(of("ACTIVE", None), Power::Active);
        assert_eq!(of("ACTIVE", Some("powering-off")), Power::Changing);
        assert_eq!(of("SHUTOFF", None), Power::Stopped);
        // It does not run; what woke it up again would be a start.
        assert_eq!(of("PAUSED", None), Power::Stopped);
        assert_eq!(of("SUSPENDED", None), Power::Stopped);
        assert_eq!(of("PAUSED", Some("unpausing")), Power::Changing);
        assert_eq!(of("RESCUE", None), Power::Active);
        assert_eq!(of("VERIFY_RESIZE", None), Power::Changing);
        assert_eq!(of("ERROR", None), Power::Error);
    }
}
