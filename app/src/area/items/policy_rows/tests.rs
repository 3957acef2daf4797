use lingbao_model::policy::{Policy, What};

use super::{NONE, ROW, Rows, join_name, press::Values};

/// The policy of a fresh installation.
fn policy() -> Policy {
    let data = include_str!("../../../../../crates/core/data/catalogue.json");
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    serde_json::from_value(data["policies"]["new"].clone()).unwrap()
}

/// What a browser posts when nothing was changed.
fn posted(rows: &Rows) -> Values {
    let mut values: Values = rows
        .names()
        .into_iter()
        .map(|name| (ROW.to_owned(), name))
        .collect();
    let mut put = |name: &str, field: &str, value: &str| {
        values.push((format!("{name}.{field}"), value.to_owned()));
    };
    let mut conds = vec![rows.automatic.clone()];
    for stage in &rows.stages {
        put(&stage.name, "key", &stage.key);
        put(&stage.name, "name", &stage.called.0);
        put(&stage.name, "name_en", &stage.called.1);
        put(&stage.name, "due_days", &stage.due_days);
        for group in &stage.groups {
            put(&group.name, "name", &group.called.0);
            put(&group.name, "name_en", &group.called.1);
            put(&group.name, "role", &group.role);
            put(&group.name, "ranks", &group.ranks);
            conds.push(group.when.clone());
        }
    }
    for cond in conds {
        put(&cond.of, "join", &cond.join);
        for (name, row) in cond.rows {
            put(&name, "what", row.what.as_str());
            for value in row.values {
                put(&name, "value", &value);
            }
        }
    }
    values
}

#[test]
fn a_form_that_nobody_changed_says_the_same() {
    let before = policy();
    let rows = Rows::of(&before).unwrap();
    let read = Rows::read(&posted(&rows));
    assert_eq!(read, rows);
    let after = read.policy().unwrap();
    // Nested lists become flat ones, which mean the same and read the same.
    let told = |policy: &Policy| policy.automatic.as_ref().map(|test| test.plain());
    assert_eq!(told(&after), told(&before));
    let who = |policy: &Policy| {
        let groups = policy.stages.iter().flat_map(|stage| stage.groups.clone());
        groups
            .map(|g| (g.name, g.role, g.ranks))
            .collect::<Vec<_>>()
    };
    assert_eq!(who(&after), who(&before));
}

#[test]
fn rows_come_and_go_and_keep_what_was_typed_beside_them() {
    let mut rows = Rows::of(&policy()).unwrap();
    let names = |rows: &Rows| {
        rows.stages
            .iter()
            .map(|s| s.name.clone())
            .collect::<Vec<_>>()
    };
    let started = rows.press("stage", "").unwrap();
    assert!(started.contains(&("s5.due_days".to_owned(), "1".to_owned())));
    assert_eq!(rows.stages[5].groups[0].when.join, NONE);
    rows.press("up s5", "").unwrap();
    assert_eq!(names(&rows), ["s0", "s1", "s2", "s3", "s5", "s4"]);
    rows.press("remove s1", "").unwrap();
    assert_eq!(names(&rows), ["s0", "s2", "s3", "s5", "s4"]);
    // A name is not given twice, and the rows of others keep theirs.
    rows.press("stage", "").unwrap();
    assert_eq!(rows.stages[5].name, "s6");
    rows.press("group s3", "").unwrap();
    assert_eq!(rows.stages[2].groups[2].name, "s3.g2");
    let begun = rows.press("test s3.g2", "cost_above").unwrap();
    assert!(begun.contains(&(join_name("s3.g2"), "all".to_owned())));
    let (name, row) = &rows.stages[2].groups[2].when.rows[0];
    assert_eq!((name.as_str(), row.what), ("s3.g2.t0", What::CostAbove));
    rows.press("remove s3.g2.t0", "").unwrap();
    assert!(rows.stages[2].groups[2].when.rows.is_empty());
    for nothing in ["up s0", "remove s99", "group s99", "test s3.g2", "dance"] {
        assert_eq!(rows.press(nothing, ""), None, "{nothing}");
    }
    assert_eq!(Rows::read(&posted(&rows)), rows);
}

#[test]
fn what_is_wrong_is_told_at_its_field() {
    let mut rows = Rows::of(&policy()).unwrap();
    rows.press("remove s1", "").unwrap();
    // The second stage of the policy is now the one that is called s2 in the form.
    rows.stages[1].due_days = "0".into();
    rows.stages[1].groups[0].role = "king".into();
    rows.stages[2].groups[1].when.rows[0].1.values = vec!["much".into()];
    rows.stages[3].groups[0].when.rows.clear();
    rows.stages[0].called.0 = " ".into();
    rows.press("test automatic", "over_quota").unwrap();
    let told: Vec<_> = rows
        .policy()
        .unwrap_err()
        .into_iter()
        .map(|e| format!("{} {}", e.field, e.msg.key))
        .collect();
    assert_eq!(
        told,
        [
            "s2.g0.role policy.role",
            "s3.g1.t0.value policy.amount",
            "automatic.join policy.never",
            "s0.name error.required",
            "s2.due_days policy.due_days",
            "s4.g0.join policy.empty",
        ]
    );
}
