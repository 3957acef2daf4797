//! `lingbao doctor`: says what is wrong, and how to mend it.
use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use lingbao_backends::provisioning::{Finding, PoolRef};
use lingbao_core::{
    App,
    service::{examine, install, usage},
    storage::{Db, migrations},
};

use crate::{config::Config, wiring};

/// Clocks further apart than this break leases.
const SKEW_MS: i64 = 2_000;
/// Less free space than this is a warning: the database writes its log beside itself.
const SPACE_MIB: u64 = 1_024;
const KEY_REMEDY: &str = "put the key file of the backup back in its place";

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    what: String,
    state: State,
}

/// How something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Fine,
    /// It works, and the operator should know.
    Note(String),
    Wrong {
        problem: String,
        remedy: String,
    },
}

impl Check {
    fn is_wrong(&self) -> bool {
        matches!(self.state, State::Wrong { .. })
    }
}

/// Everything that was looked at.
#[derive(Debug, Clone, Default)]
pub struct Report(Vec<Check>);

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.0.iter().any(Check::is_wrong)
    }

    fn fine(&mut self, what: impl Into<String>) {
        self.0.push(Check {
            what: what.into(),
            state: State::Fine,
        });
    }

    fn note(&mut self, what: impl Into<String>, note: impl Into<String>) {
        self.0.push(Check {
            what: what.into(),
            state: State::Note(note.into()),
        });
    }

    fn wrong(
        &mut self,
        what: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0.push(Check {
            what: what.into(),
            state: State::Wrong {
                problem: problem.into(),
                remedy: remedy.into(),
            },
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.0 {
            match &check.state {
                State::Fine => writeln!(f, "ok     {}", check.what)?,
                State::Note(note) => writeln!(f, "note   {}: {note}", check.what)?,
                State::Wrong { problem, remedy } => {
                    writeln!(f, "WRONG  {}: {problem}\n       mend: {remedy}", check.what)?;
                }
            }
        }
        let wrong = self.0.iter().filter(|check| check.is_wrong()).count();
        writeln!(f, "{} looked at, {wrong} wrong", self.0.len())
    }
}

/// Looks at everything; one thing that is wrong does not hide the next.
pub async fn examine(config: &Config) -> Report {
    let mut report = Report::default();
    // What can't work was refused when the configuration was read.
    report.fine("configuration");
    key_file(config, &mut report);
    space(config, &mut report).await;
    if let Some(file) = config.database_file().filter(|file| !file.exists()) {
        let said = format!("{} is not there; the first start makes it", file.display());
        report.note("database", said);
        return report;
    }
    let db = match wiring::database(config, false).await {
        Ok(db) => db,
        Err(error) => {
            report.wrong(
                "database",
                wiring::chain(&error),
                "check database.url, and that the server runs and lets this user in",
            );
            return report;
        }
    };
    report.fine("database answers");
    stored(config, &db, &mut report).await;
    // Left to the end of the process, SQLite would leave its log beside the file.
    db.close().await;
    report
}

async fn stored(config: &Config, db: &Db, report: &mut Report) {
    let needed = migrations::needed(db.engine());
    match db.schema_version().await {
        Ok(found) if found == needed => report.fine(format!("schema {found}")),
        Ok(found) if found > needed => {
            report.fine(format!("schema {found} (this program: {needed})"))
        }
        Ok(found) => {
            let problem = format!("it has {found}, this program needs {needed}");
            report.wrong(
                "schema",
                problem,
                "make a backup, then run `lingbao migrate`",
            );
            return;
        }
        Err(error) => {
            report.wrong(
                "schema",
                wiring::chain(&error),
                "check the rights of the database user",
            );
            return;
        }
    }
    match wiring::app_to_look(config, db.clone()) {
        Ok(app) => {
            lost_key(config, &app, report).await;
            inside(config, &app, report).await;
        }
        Err(error) => {
            report.wrong("key", error.to_string(), KEY_REMEDY);
        }
    }
}

/// Without its key a portal that has been used can't read its secrets, and a start would make another.
async fn lost_key(config: &Config, app: &Arc<App>, report: &mut Report) {
    let path = &config.crypto.key_file;
    if !path.exists() && matches!(install::is_empty(&app.system()).await, Ok(false)) {
        let what = format!("key file {}", path.display());
        report.wrong(
            what,
            "it is not there, and the portal has been used",
            KEY_REMEDY,
        );
    }
}

fn key_file(config: &Config, report: &mut Report) {
    let path = &config.crypto.key_file;
    let what = format!("key file {}", path.display());
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            report.note(what, "it is not there; the first start makes it");
        }
        Err(error) => report.wrong(what, error.to_string(), "let the portal's user read it"),
        Ok(metadata) => {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = metadata.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    let remedy = format!("chmod 600 {}", path.display());
                    report.wrong(what, format!("others may read it (mode {mode:o})"), remedy);
                    return;
                }
            }
            #[cfg(not(unix))]
            let _ = metadata;
            report.fine(what);
        }
    }
}

async fn space(config: &Config, report: &mut Report) {
    let Some(file) = config.database_file() else {
        return;
    };
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => Path::new(".").to_owned(),
    };
    if !folder.exists() {
        return;
    }
    // The standard library can't ask; `df` stands on every system that this runs on.
    let asked = tokio::process::Command::new("df")
        .arg("-Pk")
        .arg(&folder)
        .output()
        .await;
    let free = asked.ok().and_then(|output| {
        let text = String::from_utf8(output.stdout).ok()?;
        text.lines()
            .nth(1)?
            .split_whitespace()
            .nth(3)?
            .parse::<u64>()
            .ok()
    });
    let what = format!("space in {}", folder.display());
    match free {
        Some(kib) if kib / 1024 < SPACE_MIB => report.wrong(
            what,
            format!("{} MiB are free", kib / 1024),
            format!("make room: at least {SPACE_MIB} MiB"),
        ),
        Some(kib) => report.fine(format!("{what}: {} MiB free", kib / 1024)),
        None => report.wrong(what, "df gave no answer", "look by hand"),
    }
}

/// What a cloud's own check found.
fn lacking(cloud: &str, findings: Vec<Finding>, report: &mut Report) {
    for finding in findings {
        let what = format!("{cloud}: {}", finding.what);
        match finding.wrong {
            None => report.fine(what),
            Some(wrong) => report.wrong(what, wrong.problem, wrong.remedy),
        }
    }
}

/// Whether what measures the hosts answers, and speaks of ours.
async fn measured(config: &Config, app: &Arc<App>, report: &mut Report) {
    let metering = match wiring::metering(config) {
        Ok(Some(metering)) => metering,
        Ok(None) => {
            report.fine("usage: not measured (usage.prometheus_url is empty)");
            return;
        }
        Err(error) => {
            report.wrong("usage", wiring::chain(&error), "check [usage]");
            return;
        }
    };
    let now = app.clock.now();
    let findings = metering.source.check(now).await;
    let answers = findings.iter().all(|finding| finding.wrong.is_none());
    for finding in findings {
        match finding.wrong {
            None => report.fine(finding.what),
            Some(wrong) => report.wrong(finding.what, wrong.problem, wrong.remedy),
        }
    }
    let ours = usage::known(&app.system()).await.unwrap_or_default();
    let Some(one) = ours.first().filter(|_| answers) else {
        return;
    };
    let there = metering.source.servers(now).await.unwrap_or_default();
    let met = ours.iter().filter(|id| there.contains(*id)).count();
    let what = format!("usage: {met} of {} running hosts are measured", ours.len());
    match there.first().filter(|_| met == 0) {
        Some(other) => report.wrong(
            what,
            format!("the label {} carries {other:?}, the cloud calls a host {one:?}", config.usage.label),
            "name the label with the cloud's id of a server in usage.label, and keep it in the queries",
        ),
        None => report.fine(what),
    }
}

/// Which pools stand on the same hosts: what one takes, the others lose.
fn same_hosts(cloud: &str, hosts: &BTreeMap<String, Vec<&str>>, report: &mut Report) {
    const SAID: &str = "what is ordered in one of them is gone from the others too; sums over pools count the hosts once";
    if let Some(whole) = hosts.get("") {
        let parts = hosts.iter().filter(|(on, _)| !on.is_empty());
        let all: Vec<&str> = whole
            .iter()
            .chain(parts.flat_map(|(_, pools)| pools))
            .copied()
            .collect();
        if all.len() > 1 {
            let note = format!("{} on all hosts of the cloud; {SAID}", whole.join(", "));
            report.note(format!("pools {} of cloud {cloud}", all.join(", ")), note);
        }
        return;
    }
    for (on, pools) in hosts.iter().filter(|(_, pools)| pools.len() > 1) {
        let what = format!("pools {} of cloud {cloud}", pools.join(", "));
        report.note(what, format!("they stand on the same hosts ({on}); {SAID}"));
    }
}

async fn inside(config: &Config, app: &Arc<App>, report: &mut Report) {
    let found = match examine::findings(&app.system()).await {
        Ok(found) => found,
        Err(error) => {
            report.wrong("rows", wiring::chain(&error), "run `lingbao migrate`");
            return;
        }
    };
    match found.clock_ahead_ms {
        Some(ms) if ms.abs() > SKEW_MS => report.wrong(
            "clock",
            format!("the database's is {ms} ms apart from this machine's"),
            "run a time service (chrony) on both",
        ),
        Some(ms) => report.fine(format!("clock: {ms} ms apart from the database's")),
        None => report.fine("clock: the embedded database has none of its own"),
    }
    match found.calendar_misses {
        Some(year) => {
            let said = format!("the holidays of {year} are not known; terms would run over them");
            let remedy = "enter the State Council's notice with `lingbao calendar FILE` or as an operator on the page /help/deadline (docs/how-to/enter-the-holidays.md), or install a newer version";
            // The notice for a year comes in the November before: until the year begins, it is no fault.
            if found.calendar_is_late {
                report.wrong("calendar", said, remedy);
            } else {
                report.note("calendar", format!("{said}: {remedy}"));
            }
        }
        None => report.fine("calendar"),
    }
    if found.without_limit.is_empty() {
        report.fine("limits of the site");
    } else {
        report.wrong(
            "limits of the site",
            format!(
                "nothing can be ordered in the pools {}",
                found.without_limit.join(", ")
            ),
            "let a reviewer of the whole site set them on the page /quota (or close the pools)",
        );
    }
    measured(config, app, report).await;
    // A simulated cloud has one owner; while `serve` runs, only it can open the state file.
    // One that nobody has started yet has no folder, and it is not ours to make.
    let mut unmade = wiring::simulated_folders(config);
    unmade.retain(|(_, folder)| !folder.exists());
    for (name, folder) in &unmade {
        let said = format!(
            "{} is not there; the first start makes it",
            folder.display()
        );
        report.note(format!("cloud {name}"), said);
    }
    let unmade: Vec<&str> = unmade.iter().map(|(name, _)| name.as_str()).collect();
    let clouds = match wiring::backends_without(config, app.clock.clone(), &unmade) {
        Ok(clouds) => clouds,
        Err(error) => {
            let said = wiring::chain(&error);
            if said.contains("in use by another process") {
                report.fine("clouds: held by the running portal, /readyz speaks for them");
            } else {
                report.wrong("clouds", said, "check [backends.…]");
            }
            return;
        }
    };
    for (name, cloud) in clouds.iter() {
        let what = format!("cloud {name}");
        if let Err(error) = cloud.health().await {
            report.wrong(
                what.clone(),
                format!("{error:?}"),
                "check its address and that it runs",
            );
            // What the cloud's own check finds tells more than its silence.
            lacking(&what, cloud.check().await.unwrap_or_default(), report);
            continue;
        }
        match cloud.capabilities().await {
            Ok(can) => report.fine(format!(
                "{what}: {} calls, {} pools",
                can.calls.len(),
                can.makes.len()
            )),
            Err(error) => report.wrong(what.clone(), format!("{error:?}"), "check its version"),
        }
        match cloud.check().await {
            Ok(findings) => lacking(&what, findings, report),
            Err(error) => report.wrong(what.clone(), format!("{error:?}"), "ask again"),
        }
        let pools = found.pools.iter().filter(|(backend, _)| backend == name);
        let pools: Vec<&str> = pools.map(|(_, pool)| pool.as_str()).collect();
        if !pools.is_empty() {
            match cloud.check_offered(&found.offered).await {
                Ok(findings) => lacking(&what, findings, report),
                Err(error) => report.wrong(what, format!("{error:?}"), "ask again"),
            }
        }
        let mut hosts: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for pool in pools {
            let what = format!("pool {pool} of cloud {name}");
            match cloud.capacity(&PoolRef(pool.to_owned())).await {
                Ok(capacity) => {
                    report.fine(what);
                    if let Some(on) = capacity.hosts {
                        hosts.entry(on).or_default().push(pool);
                    }
                }
                Err(error) => report.wrong(
                    what,
                    format!("{error:?}"),
                    format!("give the cloud a pool of this name ([[backends.{name}.pools]], for openstack [[backends.{name}.zones]]), or close the pool"),
                ),
            }
        }
        same_hosts(name, &hosts, report);
    }
    for (backend, pool) in &found.pools {
        if clouds.get(backend).is_none() && !unmade.contains(&backend.as_str()) {
            report.wrong(
                format!("pool {pool}"),
                format!("it stands on the cloud {backend:?}, which is not configured"),
                format!("add [backends.{backend}]"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_on_the_same_hosts_are_named_and_nothing_is_wrong_with_them() {
        let said = |hosts: &[(&str, &[&str])]| {
            let hosts = hosts
                .iter()
                .map(|(on, pools)| ((*on).to_owned(), pools.to_vec()))
                .collect();
            let mut report = Report::default();
            same_hosts("gov", &hosts, &mut report);
            assert!(report.is_well());
            report.to_string()
        };
        let shared = said(&[("gov", &["general", "xinchuang"]), ("net", &["internet"])]);
        assert!(
            shared.starts_with("note   pools general, xinchuang of cloud gov: "),
            "{shared}"
        );
        assert!(shared.ends_with("1 looked at, 0 wrong\n"), "{shared}");
        let whole = said(&[("", &["any"]), ("net", &["internet"])]);
        assert!(
            whole.starts_with("note   pools any, internet of cloud gov: "),
            "{whole}"
        );
        assert_eq!(
            said(&[("gov", &["general"]), ("net", &["internet"])]),
            "0 looked at, 0 wrong\n"
        );
    }
}
