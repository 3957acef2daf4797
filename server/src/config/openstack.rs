//! A section of an OpenStack cloud as its backend takes it.
use std::path::Path;

use lingbao_backends::provisioning::{
    Secret,
    openstack::{Credential, OpenStackConfig},
};

use super::Backend;

/// What the files of a section hold.
#[derive(Debug, Clone)]
pub struct Files {
    /// Of `password_file` or `application_secret_file`.
    pub credential: Secret,
    /// Of `ca_file`.
    pub ca_pem: Option<String>,
    /// Of `secret_file`.
    pub password_secret: Option<Secret>,
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

impl Backend {
    /// The file that holds the portal's secret for the cloud.
    #[must_use]
    pub fn credential_file(&self) -> &Path {
        if self.application_credential.is_empty() {
            &self.password_file
        } else {
            &self.application_secret_file
        }
    }

    /// The backend's own configuration.
    #[must_use]
    pub fn openstack(&self, files: Files) -> OpenStackConfig {
        let credential = if self.application_credential.is_empty() {
            Credential::Password {
                user: self.user.clone(),
                user_domain: self.user_domain.clone(),
                password: files.credential,
                project: self.project.clone(),
                project_domain: self.project_domain.clone(),
            }
        } else {
            Credential::Application {
                id: self.application_credential.clone(),
                secret: files.credential,
            }
        };
        OpenStackConfig {
            auth_url: self.url.clone(),
            region: some(&self.region),
            interface: self.interface.clone(),
            ca_pem: files.ca_pem,
            credential,
            domain: self.domain.clone(),
            role: self.role.clone(),
            password_secret: files.password_secret,
            timeout_ms: self.timeout_ms,
            connect_timeout_ms: self.connect_timeout_ms,
            settle_ms: self.settle_ms,
            poll_ms: self.poll_ms.max(100),
            build_minutes: self.build_minutes,
            stall_minutes: self.stall_minutes,
            external_network: some(&self.external_network),
            outbound: self.outbound,
            dns_servers: self.dns_servers.clone(),
            zones: self.zones.clone(),
            images: self.image_names.clone(),
            flavours: self.flavour_names.clone(),
            make_flavours: self.make_flavours,
            volume_types: self.volume_types.clone(),
            presets: self.presets.clone(),
        }
    }

    /// What of the section can't work, each with its key; files are not read for it.
    #[must_use]
    pub fn openstack_problems(&self) -> Vec<String> {
        let files = Files {
            credential: Secret(String::new()),
            ca_pem: None,
            password_secret: None,
        };
        let mut problems = self.openstack(files).problems();
        let by_user = !self.user.is_empty();
        if by_user != self.application_credential.is_empty() {
            problems.push("user: name a user, or an application_credential, and not both".into());
        } else if self.credential_file().as_os_str().is_empty() {
            let key = if by_user {
                "password_file"
            } else {
                "application_secret_file"
            };
            problems.push(format!("{key}: the path of a file"));
        }
        if by_user && self.project.is_empty() {
            problems.push("project: the portal's own project".into());
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigError, parse};

    const GOOD: &str = r#"
        [backends.gov]
        kind = "openstack"
        url = "https://keystone.example:5000/v3"
        user = "lingbao"
        password_file = "keystone.password"
        project = "lingbao"
        external_network = "public"
        [[backends.gov.zones]]
        name = "gov-a"
        zone = "gov"
        [backends.gov.image_names]
        kylin-v10 = "Kylin V10 SP3"
        [[backends.gov.presets.level2]]
        protocol = "tcp"
        from_port = 22
        from = "10.0.0.0/8"
    "#;

    #[test]
    fn a_cloud_is_read_from_its_section_and_the_environment() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let variables = [
            variable("LINGBAO_BACKENDS__GOV__REGION", "RegionOne"),
            variable("LINGBAO_BACKENDS__GOV__TIMEOUT_MS", "20000"),
            variable("LINGBAO_BACKENDS__GOV__DNS_SERVERS", "10.0.0.2, 10.0.0.3"),
        ];
        let config = parse("x", GOOD, &variables).unwrap();
        let section = &config.backends["gov"];
        assert_eq!(section.region, "RegionOne");
        assert_eq!(section.timeout_ms, 20_000);
        assert_eq!(section.dns_servers, ["10.0.0.2", "10.0.0.3"]);
        assert_eq!(section.zones[0].zone, "gov");
        assert_eq!(section.presets["level2"][0].from_port, 22);
    }

    #[test]
    fn an_unknown_key_of_a_zone_or_a_rule_is_refused() {
        for (good, bad) in [("zone = ", "zon = "), ("from_port = ", "port = ")] {
            let said = parse("x", &GOOD.replace(good, bad), &[]).unwrap_err();
            assert!(matches!(said, ConfigError::Unknown { .. }), "{said}");
        }
    }

    #[test]
    fn what_a_cloud_lacks_is_said_with_its_key() {
        for (good, bad, key) in [
            ("/v3", "", "backends.gov.url"),
            ("user = \"lingbao\"", "", "backends.gov.user"),
            (
                "password_file = \"keystone.password\"",
                "",
                "backends.gov.password_file",
            ),
            ("project = \"lingbao\"", "", "backends.gov.project"),
        ] {
            let said = parse("x", &GOOD.replace(good, bad), &[])
                .unwrap_err()
                .to_string();
            assert!(said.contains(key), "{key}: {said}");
        }
    }
}
