//! `lingbao serve` from its start to its end.
use serde_json::Value;

use crate::run::Place;

#[test]
fn a_second_serve_on_the_same_database_is_refused_and_the_first_goes_on() {
    let place = Place::new();
    let mut first = place.serve();
    let second = place.run(&["serve"]);
    assert!(!second.well);
    assert!(
        second.err.contains("lingbao.db") && second.err.contains("another process"),
        "{second:?}"
    );
    assert_eq!(first.get("/healthz").0, 200);
    assert!(first.stop().success());
}

#[test]
fn accounts_of_a_demo_city_are_named_only_where_one_was_loaded() {
    let own = Place::new();
    assert!(own.add_user("admin", "system_admin").well);
    let mut serve = own.serve_with(&["--demo", "newtown"]);
    serve.stop();
    let said = serve.out();
    assert!(
        said.contains("No demo city was loaded") && !said.contains("password"),
        "{said}"
    );
    let demo = Place::new();
    let mut serve = demo.serve_with(&["--demo", "newtown"]);
    serve.stop();
    assert!(serve.out().contains("Demo accounts, password"));
}

#[test]
fn each_line_of_the_log_is_json_and_a_request_bears_the_id_of_its_answer() {
    let place = Place::new();
    let mut serve = place.serve();
    let (status, _, id) = serve.fetch("/api/v1/me");
    assert_eq!(status, 401);
    assert!(serve.stop().success());
    let log = serve.log();
    let mut met = 0;
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for field in ["timestamp", "level", "message"] {
            assert!(line[field].is_string(), "{field}: {line}");
        }
        if line["request_id"] == id.as_str() {
            met += 1;
            assert_eq!(line["status"], 401);
        }
    }
    assert!(!id.is_empty() && met >= 1, "{id}: {log}");
}
