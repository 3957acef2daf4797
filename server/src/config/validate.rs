//! What can't work is said before anything is started, all at once.
use std::{collections::BTreeSet, net::SocketAddr};

use lingbao_model::{id::SiteCode, resource::MOST_KEEP_DAYS};

use super::Config;
use crate::http::middleware::client::Network;

impl Config {
    /// Everything that can't work, each with its key and what would.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |fine: bool, problem: String| {
            if !fine {
                problems.push(problem);
            }
        };
        let server = &self.server;
        check(
            server.listen.parse::<SocketAddr>().is_ok(),
            format!(
                "server.listen = {:?}: write ADDRESS:PORT, as in 127.0.0.1:3000",
                server.listen
            ),
        );
        let origin = server.public_url.trim_end_matches('/');
        let host = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        check(
            host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])),
            format!(
                "server.public_url = {origin:?}: write http://HOST or https://HOST, without a path"
            ),
        );
        for (key, list) in [
            ("trusted_proxies", &server.trusted_proxies),
            ("metrics_from", &server.metrics_from),
        ] {
            for one in list {
                check(
                    one.parse::<Network>().is_ok(),
                    format!("server.{key}: {one:?} is no address and no network (10.0.0.0/8)"),
                );
            }
        }
        check(
            SiteCode::try_from(self.site.code.clone()).is_ok(),
            format!(
                "site.code = {:?}: two to eight small letters or digits",
                self.site.code
            ),
        );
        let url = &self.database.url;
        check(
            ["sqlite:", "postgres:", "postgresql:"]
                .iter()
                .any(|scheme| url.starts_with(scheme)),
            "database.url: begins with sqlite:// or postgres://".to_owned(),
        );
        check(
            !self.crypto.key_file.as_os_str().is_empty(),
            "crypto.key_file: a path".to_owned(),
        );
        for (key, value, least) in [
            (
                "database.max_connections",
                u64::from(self.database.max_connections),
                1,
            ),
            ("database.wait_ms", self.database.wait_ms, 1),
            ("database.queue_ms", self.database.queue_ms, 1),
            ("worker.jobs", self.worker.jobs as u64, 1),
            (
                "session.idle_minutes",
                u64::from(self.session.idle_minutes),
                2,
            ),
            (
                "session.streams_per_user",
                self.session.streams_per_user as u64,
                1,
            ),
            ("limits.body_kib", self.limits.body_kib as u64, 16),
            ("limits.request_seconds", self.limits.request_seconds, 1),
            (
                "limits.concurrent_requests",
                self.limits.concurrent_requests as u64,
                1,
            ),
            (
                "limits.concurrent_pages",
                self.limits.concurrent_pages as u64,
                1,
            ),
        ] {
            check(value >= least, format!("{key} = {value}: at least {least}"));
        }
        // Whoever waits in vain must still be answered with the page and what was typed, before the
        // guard ends the request.
        let waits = self.database.queue_ms.saturating_add(self.database.wait_ms);
        let seconds = self.limits.request_seconds;
        check(
            waits < seconds.saturating_mul(1_000),
            format!(
                "database.queue_ms and wait_ms: together {waits}, less than the {seconds} seconds of limits.request_seconds"
            ),
        );
        let days = self.release.keep_days;
        check(
            i64::from(days) <= MOST_KEEP_DAYS,
            format!("release.keep_days = {days}: 0 to {MOST_KEEP_DAYS}"),
        );
        for problem in self.usage.problems() {
            check(false, format!("usage.{problem}"));
        }
        let mut folders = BTreeSet::new();
        for (name, backend) in &self.backends {
            match backend.kind.as_str() {
                "simulator" => check(
                    folders.insert(&backend.folder),
                    format!("backends.{name}.folder: another simulator has this folder already"),
                ),
                "remote-simulator" => check(
                    backend.url.starts_with("http"),
                    format!("backends.{name}.url: write http://HOST:PORT"),
                ),
                "openstack" => {
                    for problem in backend.openstack_problems() {
                        check(false, format!("backends.{name}.{problem}"));
                    }
                }
                other => check(
                    false,
                    format!(
                        "backends.{name}.kind = {other:?}: simulator, remote-simulator or openstack"
                    ),
                ),
            }
        }
        problems
    }
}
