//! The section of what hosts use, as its source takes it.
use lingbao_backends::{
    provisioning::Secret,
    usage::prometheus::{Login, PrometheusConfig},
};
use lingbao_model::usage::{Measure, WINDOW_DAYS};

use super::Usage;

/// What the files of the section hold.
#[derive(Debug, Clone)]
pub struct UsageFiles {
    /// Of `token_file`.
    pub token: Option<Secret>,
    /// Of `password_file`.
    pub password: Option<Secret>,
    /// Of `ca_file`.
    pub ca_pem: Option<String>,
}

impl Usage {
    /// The source's own configuration.
    #[must_use]
    pub fn prometheus(&self, files: UsageFiles) -> PrometheusConfig {
        let login = match (files.token, files.password) {
            (Some(token), _) => Login::Bearer(token),
            (None, Some(password)) => Login::Basic {
                user: self.user.clone(),
                password,
            },
            (None, None) => Login::Open,
        };
        let queries = [
            (Measure::Cpu, &self.cpu_query),
            (Measure::Memory, &self.memory_query),
            (Measure::Disk, &self.disk_query),
        ];
        PrometheusConfig {
            url: self.prometheus_url.clone(),
            login,
            ca_pem: files.ca_pem,
            label: self.label.clone(),
            queries: queries
                .into_iter()
                .filter(|(_, query)| !query.trim().is_empty())
                .map(|(measure, query)| (measure, query.clone()))
                .collect(),
            timeout_ms: self.timeout_ms,
        }
    }

    /// What of the section can't work, each with its key; files are not read for it.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |fine: bool, problem: &str| {
            if !fine {
                problems.push(problem.to_owned());
            }
        };
        let url = self.prometheus_url.as_str();
        let host = ["http://", "https://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        check(
            url.is_empty()
                || host
                    .is_some_and(|host| !host.is_empty() && !host.contains(['@', '?', '#', ' '])),
            "prometheus_url: write http://HOST:PORT, a user and a password have keys of their own",
        );
        let token = !self.token_file.as_os_str().is_empty();
        let password = !self.password_file.as_os_str().is_empty();
        check(
            !(token && (password || !self.user.is_empty())),
            "token_file: a token, or a user with a password_file, and not both",
        );
        check(
            password != self.user.is_empty(),
            "password_file: a user needs one, and it needs a user",
        );
        let mut letters = self.label.chars();
        let first = letters.next();
        check(
            first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && letters.all(|c| c.is_ascii_alphanumeric() || c == '_'),
            "label: letters, digits and _, not beginning with a digit",
        );
        let none = [&self.cpu_query, &self.memory_query, &self.disk_query]
            .iter()
            .all(|query| query.trim().is_empty());
        check(!none, "cpu_query: at least one query");
        check(self.timeout_ms >= 100, "timeout_ms: at least 100");
        check(
            (1..=366).contains(&self.catch_up_days),
            "catch_up_days: 1 to 366",
        );
        check(
            self.keep_days >= self.catch_up_days && i64::from(self.keep_days) >= WINDOW_DAYS,
            "keep_days: at least 30, and no less than catch_up_days",
        );
        problems
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigError, parse};

    #[test]
    fn nothing_is_measured_by_default_and_the_environment_may_say_otherwise() {
        assert_eq!(parse("x", "", &[]).unwrap().usage.prometheus_url, "");
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let variables = [
            variable("LINGBAO_USAGE__PROMETHEUS_URL", "http://127.0.0.1:9090"),
            variable("LINGBAO_USAGE__KEEP_DAYS", "90"),
            variable("LINGBAO_USAGE__CPU_QUERY", "100 * x{a=\"b\"}"),
        ];
        let config = parse("x", "", &variables).unwrap();
        assert_eq!(config.usage.prometheus_url, "http://127.0.0.1:9090");
        assert_eq!(config.usage.keep_days, 90);
        assert_eq!(config.usage.cpu_query, "100 * x{a=\"b\"}");
    }

    #[test]
    fn what_can_not_work_is_said_with_its_key() {
        for (key, text) in [
            (
                "usage.prometheus_url",
                "prometheus_url = \"prometheus:9090\"",
            ),
            (
                "usage.prometheus_url",
                "prometheus_url = \"http://a:b@h:9090\"",
            ),
            ("usage.password_file", "user = \"lingbao\""),
            (
                "usage.token_file",
                "token_file = \"t\"\nuser = \"u\"\npassword_file = \"p\"",
            ),
            ("usage.label", "label = \"server-id\""),
            ("usage.cpu_query", "cpu_query = \"\"\nmemory_query = \" \""),
            ("usage.keep_days", "keep_days = 20\ncatch_up_days = 10"),
            ("usage.catch_up_days", "catch_up_days = 0"),
        ] {
            let said = parse("x", &format!("[usage]\n{text}\n"), &[]).unwrap_err();
            let said = said.to_string();
            assert!(said.contains(key), "{text}: {said}");
        }
        let said = parse("x", "[usage]\nquery = \"up\"\n", &[]).unwrap_err();
        assert!(matches!(said, ConfigError::Unknown { .. }), "{said}");
    }
}
