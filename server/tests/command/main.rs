//! The commands of the program, run as an operator runs them: in a folder of their own, on SQLite.
#![expect(
    clippy::unwrap_used,
    reason = "a test that can't be set up should stop at once"
)]

mod run;
mod serving;

use run::Place;
use serde_json::Value;

#[test]
fn doctor_makes_nothing_where_nothing_was_started() {
    let place = Place::new();
    let said = place.run(&["doctor"]);
    assert!(said.well, "{said:?}");
    for thing in ["lingbao.db is not there", "key file data/key: it is not"] {
        assert!(said.out.contains(thing), "{thing}: {said:?}");
    }
    assert_eq!(place.files(), [""; 0]);
}

#[test]
fn doctor_makes_neither_key_nor_cloud_beside_a_database_and_leaves_no_log_of_it() {
    let place = Place::new();
    assert!(place.run(&["migrate"]).well);
    let before = place.files();
    let said = place.run(&["doctor"]);
    assert!(said.out.contains("data/simulator is not there"), "{said:?}");
    // What `migrate` left of SQLite's log may be gone.
    let mut new = place.files();
    new.retain(|file| !before.contains(file));
    assert_eq!(new, [""; 0]);
}

#[test]
fn doctor_says_that_the_key_of_a_portal_in_use_is_lost_and_makes_none() {
    let place = Place::new();
    assert!(place.add_user("admin", "system_admin").well);
    std::fs::remove_file(place.path("data/key")).unwrap();
    let said = place.run(&["doctor"]);
    assert!(!said.well);
    assert!(said.out.contains("put the key file of the backup back"));
    assert!(!place.path("data/key").exists());
}

#[test]
fn migrate_twice_says_the_same_schema() {
    let place = Place::new();
    let first = place.run(&["migrate"]);
    assert!(first.well && first.out.starts_with("schema "), "{first:?}");
    assert_eq!(place.run(&["migrate"]).out, first.out);
}

#[test]
fn seed_loads_once_and_only_an_empty_database() {
    let place = Place::new();
    let first = place.run(&["seed", "--city", "newtown"]);
    assert!(first.well && first.out.contains("newtown is loaded"));
    let again = place.run(&["seed", "--city", "newtown"]);
    assert!(again.well && again.out.contains("nothing is changed"));
    let other = place.run(&["seed", "--city", "ningbo"]);
    assert!(!other.well && other.err.contains("the database is in use"));
    let unknown = place.run(&["seed", "--city", "atlantis"]);
    assert!(!unknown.well && unknown.err.contains("ningbo, newtown"));
}

#[test]
fn the_next_start_says_that_only_part_of_a_city_is_there_and_what_to_do() {
    let place = Place::new();
    let mut seed = place.start(&["seed", "--city", "ningbo"]);
    // It is said when the units are there.
    seed.wait_for("quotas");
    seed.kill();
    for command in [&["serve"] as &[&str], &["seed", "--city", "ningbo"]] {
        let said = place.run(command);
        assert!(!said.well);
        for part in [
            "only part of the demo city ningbo",
            "data/lingbao.db",
            "data/simulator",
        ] {
            assert!(said.err.contains(part), "{part}: {said:?}");
        }
    }
}

#[test]
fn an_account_is_made_once() {
    let place = Place::new();
    let first = place.add_user("admin", "system_admin");
    assert!(first.well, "{first:?}");
    let again = place.add_user("admin", "system_admin");
    assert!(!again.well && again.err.contains("login"), "{again:?}");
    assert!(place.add_user("security", "security_admin").well);
}

#[test]
fn a_backup_is_restored_into_another_folder_and_says_the_same_rows() {
    let from = Place::new();
    assert!(from.run(&["seed", "--city", "newtown"]).well);
    let file = from.path("all.backup");
    let file = file.to_str().unwrap();
    let saved = from.run(&["backup", file]);
    assert!(saved.well, "{saved:?}");
    assert!(!from.run(&["backup", file]).well, "it exists");
    let to = Place::new();
    std::fs::create_dir(to.path("data")).unwrap();
    std::fs::copy(from.path("data/key"), to.path("data/key")).unwrap();
    let restored = to.run(&["restore", file]);
    assert!(restored.well, "{restored:?}");
    let rows = |text: &str| text.split(" rows").next().unwrap().to_owned();
    assert_eq!(rows(&saved.out), rows(&restored.out));
    let again = to.run(&["restore", file]);
    assert!(!again.well && again.err.contains("--replace"), "{again:?}");
    let city = to.run(&["seed", "--city", "newtown"]);
    assert!(city.out.contains("nothing is changed"), "{city:?}");
}

#[test]
fn an_unknown_key_of_the_configuration_is_refused_and_named() {
    let place = Place::new();
    std::fs::write(place.path("lingbao.toml"), "[server]\nlissten = \"x\"\n").unwrap();
    let said = place.run(&["migrate"]);
    assert!(
        !said.well && said.err.contains("server.lissten"),
        "{said:?}"
    );
    assert!(!place.path("data").exists());
}

#[test]
fn a_city_with_machines_is_refused_for_a_cloud_that_does_not_answer_at_once() {
    let place = Place::new();
    let section =
        "[backends.simulator]\nkind = \"remote-simulator\"\nurl = \"http://127.0.0.1:9\"\n";
    std::fs::write(place.path("lingbao.toml"), section).unwrap();
    let said = place.run(&["seed", "--city", "ningbo"]);
    assert!(
        !said.well && said.err.contains("lingbao seed --city ningbo"),
        "{said:?}"
    );
}

#[test]
fn openapi_prints_what_is_served() {
    let place = Place::new();
    let printed = place.run(&["openapi"]).out;
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let mut serve = place.serve();
    let served: Value = serde_json::from_str(&serve.get("/api/v1/openapi.json").1).unwrap();
    assert_eq!(printed, served);
    assert!(serve.stop().success());
}
