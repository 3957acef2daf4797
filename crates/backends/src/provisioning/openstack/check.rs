//! What of the configuration the cloud does not have, with the remedy: for the operator's doctor.
use serde_json::Value;

use super::{
    client::{Cloud, list, text},
    config::{Credential, ZoneConfig},
    fault::{Answer, Fault},
    keystone::Scope,
    names::{self, Place, is_called},
    sizes,
    version::Service,
};
use crate::provisioning::Finding;

/// The presets that the portal asks for.
const PRESETS: [&str; 4] = ["level2", "level2-internet", "level3", "level3-internet"];

/// What of Neutron is used, by the names of its extensions.
const EXTENSIONS: [&str; 7] = [
    "router",
    "security-group",
    "quotas",
    "standard-attr-description",
    "standard-attr-tag",
    "fip-port-details",
    "network-ip-availability",
];

/// What there is of a kind.
pub(super) type Names = Answer<Vec<String>>;

pub(super) fn said(fault: &Fault) -> String {
    match fault {
        Fault::NotSent(why) | Fault::TurnedAway { why, .. } | Fault::Lost(why) => why.clone(),
        Fault::Refused(refusal) => refusal.detail.clone(),
    }
}

fn finding<T>(what: impl Into<String>, answer: Answer<T>, remedy: &str) -> Finding {
    match answer {
        Ok(_) => Finding::fine(what),
        Err(fault) => Finding::wrong(what, said(&fault), remedy),
    }
}

pub(super) fn names(answer: Answer<Value>, key: &str, field: &str) -> Names {
    let answer = answer?;
    let all = list(&answer, key, &[field])?.iter();
    Ok(all.map(|it| text(it, field).to_owned()).collect())
}

/// What can't be done with the roles of a token in its project. An application credential keeps the
/// roles that it was made with, and Keystone gives it no token of another project.
fn rights(credential: &Credential, roles: &[String], project: &str) -> Vec<Finding> {
    let bound = matches!(credential, Credential::Application { .. });
    let mut found = vec![if roles.iter().any(|role| role == "admin") {
        Finding::fine("sign-in")
    } else {
        let remedy = if bound {
            "give its user admin and make it anew: openstack application credential create --role admin NAME"
        } else {
            "openstack role add --user USER --project PROJECT admin"
        };
        Finding::wrong(
            "rights",
            format!(
                "the roles in project {project} are {roles:?}: without admin no projects are made for \
                 the units, no limits written, and what stands in their projects is not seen"
            ),
            remedy,
        )
    }];
    if bound {
        found.push(Finding::wrong(
            "application credential",
            format!(
                "Keystone binds it to project {project} and gives it no token of another: servers, \
                 disks and snapshots can't be made in the units' projects, so every order of them \
                 fails; projects, networks, limits and rules need admin among the roles it was made with"
            ),
            "give the portal a user, with user and password_file, and that user admin in its project \
             and in the domain (docs/how-to/connect-an-openstack.md, step 1)",
        ));
    }
    found
}

impl Cloud {
    /// Looks at everything; one thing that is wrong does not hide the next.
    pub async fn check(&self) -> Answer<Vec<Finding>> {
        let mut found = Vec::new();
        if !self.check_sign_in(&mut found).await {
            // Without a token nothing else could be told from it.
            return Ok(found);
        }
        self.check_services(&mut found).await;
        self.check_limits(&mut found).await;
        self.check_names(&mut found).await;
        self.check_presets(&mut found);
        let zones = self
            .get(Service::Compute, "/os-availability-zone", &[])
            .await;
        let zones = names(zones, "availabilityZoneInfo", "zoneName");
        let volume_zones = self
            .get(Service::Volume, "/os-availability-zone", &[])
            .await;
        let volume_zones = names(volume_zones, "availabilityZoneInfo", "zoneName");
        let pools = self
            .get(Service::Volume, "/scheduler-stats/get_pools", &[])
            .await;
        let pools = names(pools, "pools", "name");
        for zone in &self.config.zones {
            self.check_zone(zone, (&zones, &volume_zones, &pools), &mut found)
                .await;
        }
        Ok(found)
    }

    async fn check_sign_in(&self, found: &mut Vec<Finding>) -> bool {
        let token = match self.token(&Scope::Portal).await {
            Ok(token) => token,
            Err(fault) => {
                let remedy = "check url, user, password_file and ca_file";
                found.push(Finding::wrong("sign-in", said(&fault), remedy));
                return false;
            }
        };
        found.extend(rights(
            &self.config.credential,
            &token.roles,
            &token.project,
        ));
        true
    }

    async fn check_services(&self, found: &mut Vec<Finding>) {
        for service in Service::ALL {
            let what = format!("service {}", service.word());
            let endpoint = match self.token(&Scope::Portal).await {
                Ok(token) => token.endpoint(service, &self.config),
                Err(fault) => Err(fault),
            };
            found.push(match endpoint {
                Err(fault) => {
                    let remedy = "check region and interface, or install the service";
                    Finding::wrong(what, said(&fault), remedy)
                }
                Ok(_) => match self.version(service).await {
                    Ok(Some(version)) => Finding::fine(format!("{what}, version {version}")),
                    Ok(None) => Finding::fine(what),
                    Err(fault) => Finding::wrong(
                        what,
                        said(&fault),
                        "let the portal reach its address; upgrade a service that is too old",
                    ),
                },
            });
        }
        let extensions = self.get(Service::Network, "/extensions", &[]).await;
        match names(extensions, "extensions", "alias") {
            Err(fault) => {
                let remedy = "let the portal reach neutron";
                found.push(Finding::wrong("neutron's extensions", said(&fault), remedy));
            }
            Ok(there) => {
                for wanted in EXTENSIONS
                    .iter()
                    .filter(|one| !there.iter().any(|it| it == *one))
                {
                    found.push(Finding::wrong(
                        format!("neutron's extension {wanted}"),
                        "it is not loaded",
                        "load the plug-in that brings it (service_plugins in neutron.conf)",
                    ));
                }
            }
        }
    }

    /// Whether limits can be written: the first order of each unit writes them.
    async fn check_limits(&self, found: &mut Vec<Finding>) {
        const REMEDY: &str = "give the user the right to change quotas, as admin has it";
        match self.try_quota().await {
            Ok(tried) => found.extend(tried.into_iter().map(|(service, answer)| {
                finding(format!("limits of {}", service.word()), answer, REMEDY)
            })),
            Err(fault) => found.push(Finding::wrong("limits", said(&fault), REMEDY)),
        }
    }

    async fn check_names(&self, found: &mut Vec<Finding>) {
        let config = &self.config;
        found.push(finding(
            format!("domain {}", config.domain),
            self.domain_id().await,
            "openstack domain create, or another domain in the configuration",
        ));
        found.push(finding(
            format!("role {}", config.role),
            self.role_id().await,
            "openstack role create, or another role in the configuration",
        ));
        for line in names::images(config) {
            let (name, path) = (line.name, &line.path);
            let remedy =
                format!("openstack image create --public {name}, or another name under {path}");
            found.push(finding(
                format!("image {name} for {path}"),
                self.image_called(name).await,
                &remedy,
            ));
        }
        let flavours = self.flavours().await;
        for line in names::flavours(config) {
            let (name, path) = (line.name, &line.path);
            let what = format!("flavour {name} for {path}");
            let Ok(all) = &flavours else { continue };
            let flavour = all.iter().find(|it| is_called(it, name));
            found.push(match flavour {
                None => Finding::wrong(
                    what,
                    "nova has no such flavour",
                    format!("openstack flavor create {name}, or another name under {path}"),
                ),
                Some(it) if sizes::size(it) != line.key.size() => Finding::wrong(
                    what,
                    "its cores and memory are others",
                    "map the size to a flavour of exactly these cores and GiB",
                ),
                Some(_) => Finding::fine(what),
            });
        }
        if let Err(fault) = flavours {
            found.push(Finding::wrong(
                "flavours",
                said(&fault),
                "let the portal reach nova",
            ));
        }
        let types = self.volume_type_names().await;
        let system = config.zones.iter().map(|zone| &zone.system_volume_type);
        for name in config
            .volume_types
            .values()
            .chain(system.filter(|name| !name.is_empty()))
        {
            let what = format!("volume type {name}");
            found.push(match &types {
                Ok(all) if all.contains(name) => Finding::fine(what),
                Ok(_) => Finding::wrong(
                    what,
                    "cinder has no such public type",
                    format!("openstack volume type create --public {name}, or another name"),
                ),
                Err(fault) => Finding::wrong(what, said(fault), "let the portal reach cinder"),
            });
        }
    }

    /// The volume types of the cloud that a unit's project sees.
    pub(super) async fn volume_type_names(&self) -> Names {
        let types = self.get(Service::Volume, "/types", &[]).await?;
        let all = list(&types, "volume_types", &["name"])?.iter();
        let seen = all.filter(|it| it["is_public"] != Value::Bool(false));
        Ok(seen.map(|it| text(it, "name").to_owned()).collect())
    }

    fn check_presets(&self, found: &mut Vec<Finding>) {
        for name in PRESETS.iter().filter(|name| self.preset(name).is_none()) {
            found.push(Finding::wrong(
                format!("preset {name}"),
                "the configuration has presets, and not this one",
                "add its rules under presets, or leave presets out for the built-in ones",
            ));
        }
        if self.config.password_secret.is_none() {
            found.push(Finding::fine(
                "one-time passwords: none, for there is no secret_file",
            ));
        }
    }

    async fn check_zone(
        &self,
        zone: &ZoneConfig,
        (zones, volume_zones, pools): (&Names, &Names, &Names),
        found: &mut Vec<Finding>,
    ) {
        let name = &zone.name;
        for (word, wanted, answer, make) in [
            (
                "zone",
                &zone.zone,
                zones,
                "openstack aggregate create --zone",
            ),
            (
                "volume zone",
                &zone.volume_zone,
                volume_zones,
                "storage_availability_zone =",
            ),
        ] {
            if wanted.is_empty() {
                continue;
            }
            let what = format!("pool {name}: {word} {wanted}");
            found.push(match answer {
                Ok(there) if there.contains(wanted) => Finding::fine(what),
                Ok(_) => Finding::wrong(
                    what,
                    "the cloud has no such availability zone",
                    format!("{make} {wanted}, or another zone in the configuration"),
                ),
                Err(fault) => Finding::wrong(what, said(fault), "let the portal reach the cloud"),
            });
        }
        for arch in names::archs(&self.config, zone) {
            let place = Place::in_zone(&self.config, zone, Some(arch));
            let what = format!("images for {}", place.words());
            found.push(if place.codes().is_empty() {
                Finding::wrong(
                    what,
                    "none has a name: orders of such hosts are refused",
                    format!("image_names.{arch}/CODE, or image_names in the zone {name}"),
                )
            } else {
                Finding::fine(what)
            });
        }
        if let Some(external) = self.config.external_of(zone) {
            found.push(finding(
                format!("pool {name}: external network {external}"),
                self.external_id(external).await,
                "openstack network create --external, or another external_network",
            ));
        }
        if let (Ok(there), false) = (pools, zone.storage.is_empty())
            && !there.iter().any(|it| it.starts_with(&zone.storage))
        {
            found.push(Finding::wrong(
                format!("pool {name}: storage {}", zone.storage),
                "no pool of cinder begins so",
                "write what `cinder get-pools` shows, or leave storage out to count all",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provisioning::Secret;

    fn wrong(credential: &Credential, roles: &[&str]) -> Vec<(String, String)> {
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        let found = rights(credential, &roles, "p1").into_iter();
        found
            .filter_map(|it| Some((it.what, it.wrong?.remedy)))
            .collect()
    }

    #[test]
    fn what_an_application_credential_can_not_do_is_told_with_the_remedy_that_helps_it() {
        let bound = Credential::Application {
            id: "i".into(),
            secret: Secret("s".into()),
        };
        let one = wrong(&bound, &["admin"]);
        let [(what, remedy)] = one.as_slice() else {
            panic!("one thing is wrong with it whatever its roles");
        };
        assert_eq!(what, "application credential");
        assert!(remedy.contains("password_file"), "{remedy}");
        let both = wrong(&bound, &["member"]);
        assert_eq!(both.len(), 2);
        // A role that its user gets later is none of it.
        assert!(both[0].1.contains("make it anew"), "{both:?}");
    }

    #[test]
    fn a_user_without_admin_is_given_it() {
        let user = Credential::Password {
            user: "lingbao".into(),
            user_domain: "default".into(),
            password: Secret("p".into()),
            project: "lingbao".into(),
            project_domain: "default".into(),
        };
        assert_eq!(wrong(&user, &["admin", "member"]), []);
        let one = wrong(&user, &["member"]);
        let [(what, remedy)] = one.as_slice() else {
            panic!("its role is missing");
        };
        assert_eq!(what, "rights");
        assert!(remedy.starts_with("openstack role add"), "{remedy}");
    }
}
