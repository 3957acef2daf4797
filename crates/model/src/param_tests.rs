//! Rules of parameters and their answers.

use super::*;

fn schema() -> Schema {
    serde_json::from_str(
        r#"[
        {"key":"arch","label":{"zh":"架构"},"type":"choice","options":[{"value":"general","label":{"zh":"通用"}},{"value":"kunpeng","label":{"zh":"鲲鹏"}}],"default":"general"},
        {"key":"vcpus","label":{"zh":"处理器"},"type":"integer","min":1,"max":64,"step":1,"unit":"core","default":4},
        {"key":"disk_gb","label":{"zh":"系统盘"},"type":"integer","min":40,"max":1000,"step":10,"unit":"gb","default":40},
        {"key":"key","label":{"zh":"密钥"},"type":"text","shape":"ssh_key","max_chars":4000},
        {"key":"licence","label":{"zh":"授权"},"type":"flag","default":false,"depends_on":{"if":"one_of","param":"arch","values":["kunpeng"]}}
    ]"#,
    )
    .unwrap()
}
fn typed(pairs: &[(&str, &str)]) -> Typed {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

#[test]
fn a_schema_that_contradicts_itself_is_refused() {
    assert!(schema().check().is_ok());
    let mut twice = schema();
    twice.0.push(twice.0[0].clone());
    assert!(twice.check().is_err());
    let mut later = schema();
    later.0.rotate_right(1);
    assert!(
        later.check().is_err(),
        "a condition may not look at a later parameter"
    );
    for value in ["general", ""] {
        let mut doubled = schema();
        if let Kind::Choice { options, .. } = &mut doubled.0[0].kind {
            value.clone_into(&mut options[1].value);
        }
        assert!(
            doubled.check().is_err(),
            "an option needs a value of its own"
        );
    }
    let mut reserved = schema();
    reserved.0[0].key = "count".into();
    assert!(reserved.check().is_err());
}

#[test]
fn full_width_digits_fit_and_a_value_off_the_step_names_its_neighbours() {
    let ok = schema()
        .read(&typed(&[
            ("arch", "general"),
            ("vcpus", "８"),
            ("disk_gb", "100"),
        ]))
        .unwrap();
    assert_eq!(ok.integer("vcpus"), Some(8));
    let (_, errors) = schema()
        .read(&typed(&[
            ("arch", "general"),
            ("vcpus", "8"),
            ("disk_gb", "105"),
        ]))
        .unwrap_err();
    assert_eq!(
        errors,
        [FieldError::new(
            "disk_gb",
            Msg::new("error.step")
                .with("step", 10_i64)
                .with("below", 100_i64)
                .with("above", 110_i64)
        )]
    );
}

#[test]
fn all_wrong_fields_are_named_and_the_right_ones_come_back() {
    let (answers, errors) = schema()
        .read(&typed(&[
            ("arch", "mips"),
            ("vcpus", "65"),
            ("disk_gb", "40"),
            ("key", "hello"),
        ]))
        .unwrap_err();
    assert_eq!(
        errors.iter().map(|e| e.field.as_str()).collect::<Vec<_>>(),
        ["arch", "vcpus", "key"]
    );
    assert_eq!(answers.integer("disk_gb"), Some(40));
}

#[test]
fn a_parameter_that_does_not_apply_is_absent_even_if_typed() {
    let form = [
        ("arch", "general"),
        ("vcpus", "4"),
        ("disk_gb", "40"),
        ("licence", "true"),
    ];
    assert!(
        !schema()
            .read(&typed(&form))
            .unwrap()
            .0
            .contains_key("licence")
    );
    let form = [
        ("arch", "kunpeng"),
        ("vcpus", "4"),
        ("disk_gb", "40"),
        ("licence", "true"),
    ];
    assert!(schema().read(&typed(&form)).unwrap().flag("licence"));
}

#[test]
fn facts_read_in_the_order_of_the_form_with_units_and_names() {
    let facts = schema().facts(&schema().defaults());
    let values: Vec<&FactValue> = facts.iter().map(|f| &f.value).collect();
    assert_eq!(values[0], &FactValue::Choice(Label::new("通用", "")));
    assert_eq!(values[1], &FactValue::Number(4, Unit::Core));
}

#[test]
fn json_with_an_unknown_key_is_refused() {
    let mut given = schema().defaults();
    assert!(schema().check_answers(&given).is_ok());
    given.0.insert("gpu".into(), Answer::Integer(1));
    assert_eq!(schema().check_answers(&given).unwrap_err()[0].field, "gpu");
}

#[test]
fn a_condition_that_could_never_hold_is_named() {
    let schema: Schema = serde_json::from_str(
        r#"[{"key":"disk","label":{"zh":"盘"},"type":"choice","options":[{"value":"ssd","label":{"zh":"SSD"}}],"default":"ssd"},
        {"key":"copies","label":{"zh":"份"},"type":"integer","min":1,"max":9,"step":1,"unit":"piece","default":1},
        {"key":"public","label":{"zh":"公"},"type":"flag","default":false},
        {"key":"note","label":{"zh":"注"},"type":"text","shape":"line","max_chars":20}]"#,
    )
    .unwrap();
    let one_of = |param: &str, values: &[&str]| Condition::OneOf {
        param: param.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let at_least = |param: &str| Condition::AtLeast {
        param: param.to_owned(),
        value: 2,
    };
    for sound in [
        one_of("disk", &["ssd"]),
        one_of("copies", &["3"]),
        one_of("public", &["true", "false"]),
        one_of("note", &["anything"]),
        at_least("copies"),
        at_least("public"),
    ] {
        assert_eq!(sound.fault(&schema), None, "{sound:?}");
    }
    for (dead, told) in [
        (one_of("disk", &["ssd", "tape"]), "schema.no_such_option"),
        (one_of("copies", &["many"]), "schema.no_such_option"),
        (one_of("public", &["yes"]), "schema.no_such_option"),
        (one_of("disk", &[]), "policy.choose"),
        (one_of("gone", &["x"]), "schema.no_such_param"),
        (at_least("gone"), "schema.no_such_param"),
        (at_least("disk"), "schema.no_such_number"),
    ] {
        let not = Condition::Not {
            of: Box::new(dead.clone()),
        };
        let nested = Condition::Any {
            of: vec![one_of("disk", &["ssd"]), not],
        };
        for condition in [dead, nested] {
            let fault = condition.fault(&schema);
            assert_eq!(fault.unwrap().key, told, "{condition:?}");
        }
    }
}
