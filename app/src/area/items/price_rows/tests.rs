use lingbao_model::{
    catalogue::Content,
    money::Rate,
    param::{Condition, Schema},
    price::{Formula, Tariff},
};

use super::{Parts, ROW, by_choice, rate_name};
use crate::area::items::policy_rows::Values;

/// Items of a fresh installation: their parameters and prices.
fn items() -> Vec<(String, Schema, Formula)> {
    let data = include_str!("../../../../../crates/core/data/catalogue.json");
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let items = data["items"].as_array().unwrap();
    let items = items.iter().map(|item| {
        let content: Content = serde_json::from_value(item["content"].clone()).unwrap();
        let price = serde_json::from_value(item["price"].clone()).unwrap();
        (
            item["code"].as_str().unwrap().to_owned(),
            content.schema,
            price,
        )
    });
    items.collect()
}

fn item(code: &str) -> (Schema, Formula) {
    let found = items().into_iter().find(|item| item.0 == code);
    let (_, schema, price) = found.unwrap();
    (schema, price)
}

/// What a browser posts when nothing was changed.
fn posted(parts: &Parts) -> Values {
    let names = parts.names().into_iter();
    let mut values: Values = names.map(|name| (ROW.to_owned(), name)).collect();
    for part in &parts.0 {
        let mut put = |field: &str, value: &str| {
            values.push((format!("{}.{field}", part.name), value.to_owned()));
        };
        put("name", &part.called.0);
        put("name_en", &part.called.1);
        put("charge", &part.charge);
        put("quantity", &part.quantity);
        put("unit", &part.unit);
        put("by", &part.by);
        put("rate", &part.rate);
        put("when", &part.when.key);
        put("least", &part.when.least);
        for value in &part.when.values {
            put("values", value);
        }
        for (value, typed) in &part.rates {
            put(&format!("rate.{value}"), typed);
        }
        for step in &part.steps {
            let mut put = |field: &str, value: &str| {
                values.push((format!("{}.{field}", step.name), value.to_owned()));
            };
            put("up_to", &step.up_to);
            put("rate", &step.rate);
        }
    }
    values
}

fn fields(parts: &Parts, schema: &Schema) -> Vec<String> {
    let errors = parts.formula(schema).unwrap_err();
    errors.into_iter().map(|e| e.field.to_string()).collect()
}

#[test]
fn a_form_that_nobody_changed_says_the_same_of_every_item() {
    let items = items();
    assert!(items.len() >= 5);
    for (code, schema, price) in items {
        let parts = Parts::of(&price, &schema).unwrap();
        let read = Parts::read(&posted(&parts));
        assert_eq!(read, parts, "{code}");
        assert_eq!(read.formula(&schema).unwrap(), price, "{code}");
    }
}

#[test]
fn conditions_that_the_form_can_show_go_there_and_back_and_others_are_not_shown() {
    let (schema, mut price) = item("C-ECS");
    let one_of = |param: &str, value: &str| Condition::OneOf {
        param: param.to_owned(),
        values: vec![value.to_owned()],
    };
    let at_least = Condition::AtLeast {
        param: "vcpus".to_owned(),
        value: 8,
    };
    for shown in [one_of("arch", "kunpeng"), at_least.clone()] {
        price.0[0].when = Some(shown);
        let parts = Parts::of(&price, &schema).unwrap();
        let read = Parts::read(&posted(&parts)).formula(&schema);
        assert_eq!(read.unwrap(), price);
    }
    let nested = Condition::Not {
        of: Box::new(at_least),
    };
    for hidden in [nested, one_of("arch", "gone"), one_of("vcpus", "8")] {
        price.0[0].when = Some(hidden);
        assert_eq!(Parts::of(&price, &schema), None);
    }
}

#[test]
fn what_is_wrong_is_told_at_its_field() {
    let (schema, price) = item("C-ECS");
    let sound = Parts::of(&price, &schema).unwrap();
    let with = |change: &dyn Fn(&mut Parts)| {
        let mut parts = sound.clone();
        change(&mut parts);
        fields(&parts, &schema)
    };
    let general = rate_name("p0", "general");
    assert_eq!(
        with(&|p| p.0[0].rates.retain(|rate| rate.0 != "general")),
        [general]
    );
    assert_eq!(with(&|p| "-1".clone_into(&mut p.0[2].rate)), ["p2.rate"]);
    assert_eq!(with(&|p| p.0[1].called.0.clear()), ["p1.name"]);
    assert_eq!(
        with(&|p| "image".clone_into(&mut p.0[1].quantity)),
        ["p1.quantity"]
    );
    assert_eq!(
        with(&|p| "parsec".clone_into(&mut p.0[1].unit)),
        ["p1.unit"]
    );
    assert_eq!(
        with(&|p| "never".clone_into(&mut p.0[1].charge)),
        ["p1.charge"]
    );
    assert_eq!(with(&|p| p.0[1].by = by_choice("gone")), ["p1.by"]);
    assert_eq!(
        with(&|p| "arch".clone_into(&mut p.0[1].when.key)),
        ["p1.values"]
    );
    assert_eq!(
        with(&|p| "vcpus".clone_into(&mut p.0[1].when.key)),
        ["p1.least"]
    );

    let (schema, price) = item("N-EIP");
    let mut parts = Parts::of(&price, &schema).unwrap();
    "five".clone_into(&mut parts.0[0].steps[0].up_to);
    assert_eq!(fields(&parts, &schema), ["p0.t0.up_to"]);
    parts.0[0].steps[0].up_to.clear();
    assert_eq!(fields(&parts, &schema), ["p0.steps"]);
}

#[test]
fn a_new_step_stands_before_the_last_and_a_new_part_begins_monthly() {
    let (schema, price) = item("N-EIP");
    let mut parts = Parts::of(&price, &schema).unwrap();
    assert_eq!(parts.press("step p0", &schema), Some(Vec::new()));
    let steps: Vec<_> = parts.0[0]
        .steps
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(steps, ["p0.t0", "p0.t2", "p0.t1"]);
    assert!(parts.press("remove p0.t2", &schema).is_some());

    let values = parts.press("part", &schema).unwrap();
    assert!(values.contains(&("p1.charge".to_owned(), "monthly".to_owned())));
    assert!(parts.press("up p1", &schema).is_some());
    assert_eq!(parts.0[0].name, "p1");
    assert_eq!(parts.press("up p1", &schema), None);
    assert!(parts.press("down p1", &schema).is_some());
    assert_eq!(parts.0[1].name, "p1");
    assert_eq!(parts.press("down p1", &schema), None);
    assert_eq!(parts.press("remove p7", &schema), None);
    assert_eq!(parts.press("sell", &schema), None);
}

#[test]
fn another_kind_of_price_begins_with_the_price_that_stood_there() {
    let (schema, price) = item("C-ECS");
    let mut parts = Parts::of(&price, &schema).unwrap();
    // The system disk has one price for all; now it has one for each processor.
    parts.0[2].by = by_choice("arch");
    let values = parts.press("show p2", &schema).unwrap();
    let field = rate_name("p2", "hygon");
    assert!(values.contains(&(field, "0.70".to_owned())), "{values:?}");
    let formula = parts.formula(&schema).unwrap();
    let Tariff::Choice { rates, .. } = &formula.0[2].tariff else {
        panic!("{formula:?}");
    };
    assert!(rates.values().all(|rate| *rate == Rate::from_fen(70)));
}
