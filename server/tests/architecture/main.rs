//! The laws of the house (docs/ARCHITECTURE.md), each kept by one test whose name states it.
//!
//! Sources are read as text: comments and test modules are cut away first, so that a law speaks of
//! the program alone. A law about a folder passes without looking only while that folder is missing,
//! and says so. A failing law lists every breach with file and line.
#![expect(
    clippy::unwrap_used,
    reason = "a test that can't read the tree should stop at once"
)]

mod read;
mod style;

use std::collections::{BTreeMap, BTreeSet};

use lingbao_model::view::operation::{JOB_KINDS, SAGA_KINDS};
use read::{File, direct, files, holds, holds_word, law, program, tree};

#[test]
fn dependencies_point_one_way() {
    let order = ["model", "backends", "core", "app", "server", "benches"]
        .map(|name| format!("lingbao-{name}"));
    let rank = |name: &str| order.iter().position(|one| one == name);
    let all = direct();
    let there = order.iter().all(|name| all.contains_key(name));
    assert!(there, "a crate is missing: {:?}", all.keys());
    for (package, dependencies) in all {
        for dependency in dependencies
            .iter()
            .filter(|name| name.starts_with("lingbao-"))
        {
            let down = rank(dependency) < rank(&package);
            assert!(down, "{package} must not depend on {dependency}");
            let past = package == "lingbao-app" && dependency == "lingbao-backends";
            assert!(!past, "the pages speak to core, not to a backend");
        }
    }
}

#[test]
fn model_is_rules_alone() {
    let direct = direct().remove("lingbao-model").unwrap();
    // utoipa is optional: schemas of the programming interface, for the server alone.
    let allowed = ["serde", "serde_json", "utoipa"];
    let more: Vec<_> = direct
        .iter()
        .filter(|name| !allowed.contains(&name.as_str()))
        .collect();
    assert!(
        more.is_empty(),
        "model may use {allowed:?} alone, not {more:?}"
    );
    let banned = [
        "async fn",
        ".await",
        "std::fs",
        "std::net",
        "std::env",
        "SystemTime",
        "Instant::",
        "rand::",
    ];
    law(
        "model has no clock, no randomness, no async, no I/O",
        &program("crates/model/src"),
        |_, line| holds(line, &banned),
    );
}

#[test]
fn the_browser_sees_the_model_alone() {
    let names = tree(&[
        "--target",
        "wasm32-unknown-unknown",
        "-p",
        "lingbao-app",
        "--no-default-features",
        "--features",
        "hydrate",
    ]);
    let understood = names.contains("lingbao-model");
    assert!(understood, "cargo tree was not understood: {names:?}");
    let banned = [
        "lingbao-core",
        "lingbao-backends",
        "lingbao-server",
        "sqlx",
        "axum",
        "tokio",
        "hyper",
        "rustls",
        "argon2",
        "rand",
        "reqwest",
        "rust_xlsxwriter",
        "quick-xml",
        "zip",
    ];
    let found: Vec<_> = banned
        .iter()
        .filter(|name| names.contains(**name))
        .collect();
    assert!(
        found.is_empty(),
        "these would travel to the browser: {found:?}"
    );
}

#[test]
fn backends_know_no_user_no_request_and_no_database() {
    let direct = direct().remove("lingbao-backends").unwrap();
    let reaches = direct.contains("sqlx");
    assert!(!reaches, "backends must not reach the database");
    let banned = [
        "sqlx::",
        "UserId",
        "RequestId",
        "lingbao_model::request",
        "lingbao_model::people",
        "lingbao_model::quota",
    ];
    law(
        "a spec goes in, a state comes out",
        &program("crates/backends/src"),
        |_, line| holds(line, &banned),
    );
}

#[test]
fn sql_stands_in_core_storage_alone() {
    let mut all = program("crates/core/src");
    all.extend(program("crates/backends/src"));
    all.extend(program("app/src"));
    all.extend(program("server/src"));
    // The clause of a scope belongs to authz, which alone may build a scope; testing makes and
    // drops whole schemas.
    let doors = ["crates/core/src/authz.rs", "crates/core/src/testing.rs"];
    all.retain(|file| {
        !file.path.starts_with("crates/core/src/storage/") && !doors.contains(&file.path.as_str())
    });
    let banned = [
        "SELECT ",
        "INSERT INTO ",
        "DELETE FROM ",
        "CREATE TABLE ",
        "\"UPDATE ",
        "sqlx::query",
        "AssertSqlSafe",
    ];
    law(
        "SQL belongs into crates/core/src/storage",
        &all,
        |_, line| holds(line, &banned),
    );
}

#[test]
fn pages_and_handlers_open_no_transaction() {
    let mut all = program("app/src");
    all.extend(program("server/src"));
    let banned = [
        "db.begin(",
        "db.read(",
        "db().begin(",
        "db().read(",
        "tx.commit(",
    ];
    law(
        "a transaction is opened in a service (crates/core)",
        &all,
        |_, line| holds(line, &banned),
    );
}

#[test]
fn storage_reads_no_clock_and_opens_no_transaction() {
    let mut all = program("crates/core/src/storage");
    let machinery = [
        "crates/core/src/storage/db.rs",
        "crates/core/src/storage/migrations.rs",
    ];
    all.retain(|file| !machinery.contains(&file.path.as_str()));
    let banned = [".begin(", ".commit(", "clock.now", ".clock"];
    law(
        "storage is functions over a transaction",
        &all,
        |_, line| holds(line, &banned),
    );
}

#[test]
fn ui_never_imports_area() {
    law(
        "the design system knows no page",
        &program("app/src/ui"),
        |_, line| holds(line, &["area::", "::area", "lingbao_core"]),
    );
}

#[test]
fn an_area_never_imports_the_inside_of_another() {
    let why = "what two areas share belongs into ui, form or model";
    law(why, &program("app/src/area"), |file, line| {
        let own = file.path.split('/').nth(3)?.trim_end_matches(".rs");
        if own == "mod" {
            return None;
        }
        let rest = &line[line.find("area::")? + "area::".len()..];
        let (other, inside) = rest.split_once("::")?;
        let module = |(name, _): (&str, &str)| name.starts_with(char::is_lowercase);
        let deeper = inside.starts_with(['{', '*']) || inside.split_once("::").is_some_and(module);
        (other != own && deeper).then(|| format!("{own} reaches into {other}"))
    });
}

#[test]
fn only_ui_writes_a_textarea() {
    let mut all = program("app/src");
    all.retain(|file| !file.path.starts_with("app/src/ui/"));
    let why = "leptos does not escape a textarea's children on the server: take ui::TextArea";
    law(why, &all, |_, line| {
        holds(line, &["<textarea", "textarea()"])
    });
}

#[test]
fn views_write_no_style_attribute() {
    let why = "the content security policy forbids inline style: take a class";
    law(why, &program("app/src"), |_, line| {
        holds(line, &[" style=", " style:", "<style"])
    });
}

#[test]
fn views_hold_no_sentence_of_their_own() {
    let mut all = program("app/src");
    // The sheet of samples shows components to developers, with sample words.
    all.retain(|file| !file.path.starts_with("app/src/area/kit/"));
    law("words stand in app/locales", &all, |_, line| {
        let of_chinese =
            |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c) || "、，。：；！？（）".contains(c);
        let chinese = line.chars().any(of_chinese);
        chinese.then(|| "Chinese text".to_owned())
    });
}

#[test]
fn english_words_hold_no_chinese() {
    // The language itself is written as its readers write it.
    let own = ["look.language", "look.zh"];
    let words = files("app/locales", &["en.json"]);
    law("en.json is English", &words, |_, line| {
        let (key, text) = line.split_once(": ")?;
        let chinese = text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        (chinese && !own.contains(&key.trim().trim_matches('"'))).then(|| "Chinese text".to_owned())
    });
}

#[test]
fn time_and_randomness_are_arguments() {
    let mut all = program("crates");
    all.extend(program("app/src"));
    all.extend(program("server/src"));
    // Where the present and chance come in, once each.
    let doors = [
        "crates/core/src/clock.rs",
        "crates/core/src/app.rs",
        "server/src/main.rs",
        "server/src/wiring.rs",
    ];
    all.retain(|file| !doors.contains(&file.path.as_str()));
    let banned = [
        "SystemTime::now",
        "OffsetDateTime::now",
        "Utc::now",
        "Local::now",
        "thread_rng",
        "rand::rng(",
        "rand::random",
        "OsRng",
        "from_os_rng",
        "getrandom::",
    ];
    law(
        "take it from Cx or App, so that tests can move it",
        &all,
        |_, line| holds(line, &banned),
    );
}

#[test]
fn a_file_has_at_most_600_lines() {
    let mut all = files("", &[".ts", ".css", ".sql"]);
    for folder in ["app", "server", "crates", "benches"] {
        for file in files(folder, &[".rs"]) {
            // Tests may be a long list; inline ones stand at the end.
            if file.path.ends_with("tests.rs") {
                continue;
            }
            let end = file.text.find("\n#[cfg(test)]\nmod tests {");
            let text = file.text[..end.unwrap_or(file.text.len())].to_owned();
            all.push(File { text, ..file });
        }
    }
    all.extend(files("scripts", &[""]));
    let lines = all
        .iter()
        .map(|file| (file.text.lines().count(), &file.path));
    let long: Vec<_> = lines.filter(|(lines, _)| *lines > 600).collect();
    assert!(long.is_empty(), "split by subject: {long:?}");
}

#[test]
fn no_path_of_a_workplace_and_no_registry_host_stands_in_the_tree() {
    // Written in two pieces, so that this file is no breach itself.
    let banned = [
        ["/work/", "wt"],
        ["/work/", "main"],
        ["/work/", "shared"],
        ["/work/", "target"],
        ["/ro", "ot/"],
        ["index.crates", ".io"],
        ["static.crates", ".io"],
        ["registry.npm", "js"],
        ["static.rust-", "lang"],
        ["deb.deb", "ian.org"],
    ];
    let banned: Vec<String> = banned.iter().map(|parts| parts.concat()).collect();
    let banned: Vec<&str> = banned.iter().map(String::as_str).collect();
    let endings = [
        ".rs", ".ts", ".js", ".mjs", ".json", ".css", ".sql", ".md", ".toml", ".html", ".yml",
        ".svg", ".npmrc", "Makefile",
    ];
    let mut all = files("", &endings);
    all.extend(files("scripts", &[""]));
    all.extend(files(".ci", &[""]));
    law("it would not hold elsewhere", &all, |_, line| {
        holds(line, &banned)
    });
}

#[test]
fn every_server_function_names_its_endpoint() {
    let mut unnamed = Vec::new();
    for file in program("app/src") {
        for (at, _) in file.text.match_indices("#[server") {
            let rest = &file.text[at..];
            let first = rest.lines().next().unwrap_or("");
            let end = rest.find(")]").unwrap_or(0);
            let attribute = if first.contains(']') {
                first
            } else {
                &rest[..end]
            };
            if !attribute.contains("endpoint") {
                let line = file.text[..at].lines().count();
                unnamed.push(format!("{}:{line}", file.path));
            }
        }
    }
    let why = "the default name hashes the build path and breaks open tabs after a rebuild";
    assert!(unnamed.is_empty(), "{why}: {unnamed:?}");
}

#[test]
fn both_languages_have_the_same_keys() {
    let mut keys: Vec<(String, BTreeSet<String>)> = Vec::new();
    for file in files("app/locales", &[".json"]) {
        let map: BTreeMap<String, String> = serde_json::from_str(&file.text).unwrap();
        let empty: Vec<_> = map
            .iter()
            // The last key only spares the lines above it the question of a comma.
            .filter(|(key, words)| words.trim().is_empty() && *key != "zz.end")
            .collect();
        assert!(
            empty.is_empty(),
            "{}: keys without words: {empty:?}",
            file.path
        );
        keys.push((file.path, map.into_keys().collect()));
    }
    if let [(a, first), others @ ..] = keys.as_slice() {
        assert!(!others.is_empty(), "one language alone: {a}");
        for (b, other) in others {
            let apart: Vec<_> = first.symmetric_difference(other).collect();
            assert!(apart.is_empty(), "in one of {a} and {b} only: {apart:?}");
        }
    }
}

#[test]
fn what_is_refused_leaves_a_trace() {
    // One's own door, tokens and drafts: nobody else's thing can be tried there.
    let own = [
        "service/session.rs sign_in",
        "service/session.rs sign_out",
        "service/session.rs sign_out_everywhere",
        "service/session.rs change_password",
    ];
    let (mut traced, mut silent) = (0, BTreeSet::new());
    let mut all = program("crates/core/src/service");
    all.extend(program("crates/core/src/fulfil"));
    for file in all {
        for part in file.text.split("\npub async fn ").skip(1) {
            let name = part.split(['(', '<']).next().unwrap_or_default();
            let (act, _) = part.split_once("\n}").unwrap_or((part, ""));
            traced += usize::from(act.contains("traced("));
            let asked = act.contains("cx: &Cx") && act.contains("ServiceError");
            if asked && act.contains("audit::record(") && !act.contains("traced(") {
                let path = file.path.trim_start_matches("crates/core/src/");
                silent.insert(format!("{path} {name}"));
            }
        }
    }
    assert!(traced > 40, "the reader sees {traced} traced acts alone");
    let own: BTreeSet<String> = own.map(str::to_owned).into();
    assert_eq!(silent, own, "acts whose refusals nobody would read of");
}

#[test]
fn every_job_and_saga_is_called_by_words() {
    let words = files("app/locales", &["zh-CN.json"]);
    let words: BTreeMap<String, String> = serde_json::from_str(&words[0].text).unwrap();
    let mut nameless = Vec::new();
    let mut seen = 0;
    for file in program("crates/core/src") {
        if file.path.contains("test") || file.path.contains("harness") {
            continue;
        }
        for (of, prefix, choice) in [
            ("impl Job for ", "job_kind", JOB_KINDS),
            ("impl Saga for ", "saga_kind", SAGA_KINDS),
        ] {
            for part in file.text.split(of).skip(1) {
                let kind = part.split_once("KIND: &'static str = \"");
                let Some(kind) = kind.and_then(|(_, rest)| rest.split('"').next()) else {
                    continue;
                };
                seen += 1;
                let key = format!("{prefix}.{kind}");
                if !words.contains_key(&key) || !choice.contains(&kind) {
                    nameless.push(format!("{}: {key}", file.path));
                }
            }
        }
    }
    assert!(seen > 15, "the reader sees {seen} kinds alone");
    assert!(
        nameless.is_empty(),
        "an operator would read keys, or could not choose: {nameless:?}"
    );
}

#[test]
fn migrations_use_text_bigint_and_boolean_alone() {
    let mut all = files("migrations/common", &[".sql"]);
    for file in &mut all {
        let bare = |line: &str| line.split("--").next().unwrap_or("").to_owned();
        let lines: Vec<_> = file.text.lines().map(bare).collect();
        file.text = lines.join("\n");
    }
    let banned: Vec<&str> =
        "INTEGER INT SMALLINT SERIAL BIGSERIAL VARCHAR CHAR REAL DOUBLE NUMERIC \
        DECIMAL DATE TIME TIMESTAMP TIMESTAMPTZ DATETIME JSON JSONB UUID BLOB BYTEA AUTOINCREMENT \
        AUTO_INCREMENT GENERATED NOW CURRENT_TIMESTAMP RANDOM NOCASE COLLATE WITHOUT STRICT PRAGMA \
        TRIGGER"
            .split_whitespace()
            .collect();
    law(
        "both engines must read it, and read it alike",
        &all,
        |_, line| holds_word(line, &banned),
    );
}
