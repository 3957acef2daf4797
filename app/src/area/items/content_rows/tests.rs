use lingbao_model::catalogue::Content;
use lingbao_model::msg::Label;
use lingbao_model::param::{Condition, Kind};
use lingbao_model::quota::Dimension;

use super::{ATTACH, CHOICE, ROW, Rows};
use crate::area::items::policy_rows::Values;

/// Contents of a fresh installation.
fn contents() -> Vec<(String, Content)> {
    let data = include_str!("../../../../../crates/core/data/catalogue.json");
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let items = data["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            let content = serde_json::from_value(item["content"].clone()).unwrap();
            (item["code"].as_str().unwrap().to_owned(), content)
        })
        .collect()
}

fn content(code: &str) -> Content {
    let found = contents().into_iter().find(|item| item.0 == code);
    found.unwrap().1
}

/// What a browser posts when nothing was changed.
fn posted(rows: &Rows) -> Values {
    let names = rows.names().into_iter();
    let mut values: Values = names.map(|name| (ROW.to_owned(), name)).collect();
    let mut put = |name: &str, value: &str| values.push((name.to_owned(), value.to_owned()));
    put("name", &rows.called.0);
    put("name_en", &rows.called.1);
    put("summary", &rows.summary.0);
    put("summary_en", &rows.summary.1);
    put("family", &rows.family);
    put("fulfiller", &rows.fulfiller);
    put("max_count", &rows.max_count);
    put("deliver_hours", &rows.deliver_hours);
    put("checklist", &rows.checklist);
    let mut whens = Vec::new();
    for row in &rows.params {
        let mut put = |field: &str, value: &str| put(&format!("{}.{field}", row.name), value);
        put("key", &row.key);
        put("name", &row.called.0);
        put("name_en", &row.called.1);
        put("help", &row.help.0);
        put("help_en", &row.help.1);
        put("section", &row.section.0);
        put("section_en", &row.section.1);
        put("type", &row.kind);
        put("min", &row.range[0]);
        put("max", &row.range[1]);
        put("step", &row.range[2]);
        put("unit", &row.unit);
        put("default", &row.default);
        put("options", &row.options);
        put("max_chars", &row.max_chars);
        put("items", &row.items);
        if row.required {
            put("required", "true");
        }
        whens.push(row.when.clone());
    }
    for row in &rows.takes {
        put(&format!("{}.dimension", row.name), &row.dimension);
        put(&format!("{}.quantity", row.name), &row.quantity);
        whens.push(row.when.clone());
    }
    for when in whens {
        put(&format!("{}.when", when.of), &when.key);
        put(&format!("{}.least", when.of), &when.least);
        for value in &when.values {
            put(&format!("{}.values", when.of), value);
        }
    }
    values
}

fn fields(rows: &Rows) -> Vec<String> {
    let errors = rows.content().unwrap_err();
    errors.into_iter().map(|e| e.field.to_string()).collect()
}

#[test]
fn a_form_that_nobody_changed_says_the_same_of_every_item() {
    let contents = contents();
    assert!(contents.len() >= 5);
    for (code, before) in contents {
        let rows = Rows::of(&before).unwrap();
        let read = Rows::read(&posted(&rows));
        assert_eq!(read, rows, "{code}");
        assert_eq!(read.content().unwrap(), before, "{code}");
    }
}

#[test]
fn what_the_form_cannot_show_is_not_shown_half() {
    let mut nested = content("S-EVS");
    let inner = nested.consumption.0[0].when.clone().unwrap();
    nested.consumption.0[0].when = Some(Condition::Not {
        of: Box::new(inner),
    });
    assert_eq!(Rows::of(&nested), None);
    let mut barred = content("S-EVS");
    for param in &mut barred.schema.0 {
        if let Kind::Choice { options, .. } = &mut param.kind {
            options[0].label.zh.push_str("|NVMe");
        }
    }
    assert_eq!(Rows::of(&barred), None);
}

#[test]
fn what_would_lose_its_bars_lines_or_dimension_is_left_to_json() {
    let with = |change: &dyn Fn(&mut Content)| {
        let mut changed = content("S-EVS");
        change(&mut changed);
        Rows::of(&changed)
    };
    assert!(with(&|_| ()).is_some());
    assert_eq!(with(&|c| c.name.zh.push_str("\n二")), None);
    assert_eq!(with(&|c| c.schema.0[0].label.en.push_str("\r\ntwo")), None);
    assert_eq!(
        with(&|c| c.schema.0[0].help = Some(Label::new("一\n二", ""))),
        None
    );
    assert_eq!(with(&|c| c.checklist.push(Label::new("甲｜乙", ""))), None);
    assert_eq!(
        with(&|c| c.consumption.0[0].dimension = Dimension::MonthlyFee),
        None
    );
}

/// A condition may point at what was moved, called otherwise or taken away: it is refused at its field
/// and not lost.
#[test]
fn a_condition_that_has_lost_its_parameter_is_refused_and_kept() {
    let sound = Rows::of(&content("C-ECS")).unwrap();
    let at = |rows: &Rows| {
        let mut found = rows.params.iter();
        found.position(|row| !row.when.key.is_empty()).unwrap()
    };
    let looks = at(&sound);
    let (of, key) = (
        sound.params[looks].name.clone(),
        sound.params[looks].when.key.clone(),
    );
    let mut renamed = sound.clone();
    for row in renamed.params.iter_mut().filter(|row| row.key == key) {
        row.key.push('x');
    }
    assert!(fields(&renamed).contains(&format!("{of}.when")));
    let mut moved = sound.clone();
    while moved.press(&format!("up {of}")).is_some() {}
    assert_eq!(at(&moved), 0);
    assert!(fields(&moved).contains(&format!("{of}.when")));
    let back = Rows::read(&posted(&moved));
    assert_eq!(back.params[0].when, sound.params[looks].when);
    for _ in 0..looks {
        assert!(moved.press(&format!("down {of}")).is_some());
    }
    assert_eq!(moved, sound);
}

#[test]
fn an_answer_that_no_option_gives_is_refused_where_it_is_asked_for() {
    let mut rows = Rows::of(&content("S-EVS")).unwrap();
    let value = rows.takes[0].when.values[0].clone();
    for row in rows.params.iter_mut().filter(|row| row.kind == CHOICE) {
        let lines = row.options.lines();
        let others: Vec<_> = lines.filter(|line| !line.starts_with(&value)).collect();
        let others = others.join("\n");
        if row.default == value {
            let first = others.split(" |").next().unwrap_or_default();
            row.default = first.to_owned();
        }
        row.options = others;
    }
    assert!(fields(&rows).contains(&"q0.values".to_owned()));
}

#[test]
fn what_is_wrong_is_told_at_its_field() {
    let sound = Rows::of(&content("S-EVS")).unwrap();
    let with = |change: &dyn Fn(&mut Rows)| {
        let mut rows = sound.clone();
        change(&mut rows);
        fields(&rows)
    };
    let at = |key: &str| {
        let mut rows = sound.params.iter();
        rows.position(|row| row.key == key).unwrap()
    };
    let (class, size, attach) = (at("disk_class"), at("size_gb"), at("attach_to"));
    assert_eq!(with(&|r| r.called.0.clear()), ["name"]);
    assert_eq!(
        with(&|r| "many".clone_into(&mut r.max_count)),
        ["max_count"]
    );
    assert_eq!(
        with(&|r| "0".clone_into(&mut r.deliver_hours)),
        ["deliver_hours"]
    );
    assert_eq!(with(&|r| "moon".clone_into(&mut r.family)), ["family"]);
    let name = |n: usize, field: &str| vec![format!("p{n}.{field}")];
    assert_eq!(
        with(&|r| r.params[size].called.0.clear()),
        name(size, "name")
    );
    assert_eq!(
        with(&|r| r.params[size].range[0].clear()),
        name(size, "min")
    );
    assert_eq!(
        with(&|r| "7".clone_into(&mut r.params[size].default)),
        name(size, "default")
    );
    assert_eq!(
        with(&|r| "wide".clone_into(&mut r.params[size].unit)),
        name(size, "unit")
    );
    assert_eq!(
        with(&|r| "tape".clone_into(&mut r.params[class].default)),
        name(class, "default")
    );
    assert_eq!(
        with(&|r| r.params[class].options.push_str("\nssd | 又一个")),
        name(class, "options")
    );
    assert_eq!(
        with(&|r| r.params[attach].items.clear()),
        name(attach, "items")
    );
    assert_eq!(
        with(&|r| "gone".clone_into(&mut r.takes[0].quantity)),
        ["q0.quantity"]
    );
    assert_eq!(with(&|r| r.takes[0].when.values.clear()), ["q0.values"]);
    assert_eq!(
        with(&|r| "gone".clone_into(&mut r.takes[0].when.key)),
        ["q0.when"]
    );
    // A parameter looks at those before it alone.
    let first = |r: &mut Rows| {
        "size_gb".clone_into(&mut r.params[0].when.key);
        "1".clone_into(&mut r.params[0].when.least);
    };
    assert_eq!(with(&first), ["p0.when"]);
}

#[test]
fn rows_come_and_go_and_a_new_parameter_fits_as_it_begins() {
    let mut rows = Rows::of(&content("S-EVS")).unwrap();
    let number = rows.params.len();
    let values = rows.press("param").unwrap();
    assert!(values.contains(&(format!("p{number}.type"), "integer".to_owned())));
    let new = rows.params.last_mut().unwrap();
    "copies".clone_into(&mut new.key);
    "份数".clone_into(&mut new.called.0);
    assert_eq!(rows.content().unwrap().schema.0.len(), number + 1);

    assert!(rows.press("takes").is_some());
    assert!(rows.press(&format!("up p{number}")).is_some());
    assert_eq!(rows.params[number - 1].key, "copies");
    assert!(rows.press(&format!("remove p{number}")).is_some());
    assert!(rows.press("show p0").is_some());
    let last = rows.params.last().unwrap().name.clone();
    assert_eq!(rows.press(&format!("down {last}")), None);
    for other in ["up p0", "down p99", "remove p9", "show q77", "sell"] {
        assert_eq!(rows.press(other), None, "{other}");
    }
}

#[test]
fn lists_are_typed_with_bars_of_either_width() {
    let mut rows = Rows::of(&content("S-EVS")).unwrap();
    let row = rows
        .params
        .iter_mut()
        .find(|row| row.kind == CHOICE)
        .unwrap();
    "ssd ｜ 固态 ｜ Solid\n\nsas".clone_into(&mut row.options);
    let row = rows
        .params
        .iter_mut()
        .find(|row| row.kind == ATTACH)
        .unwrap();
    "c-ecs，c-bms".clone_into(&mut row.items);
    rows.takes.clear();
    let content = rows.content().unwrap();
    for param in content.schema.0 {
        match param.kind {
            Kind::Choice { options, .. } => {
                let told: Vec<_> = options
                    .iter()
                    .map(|one| {
                        (
                            one.value.as_str(),
                            one.label.zh.as_str(),
                            one.label.en.as_str(),
                        )
                    })
                    .collect();
                assert_eq!(told, [("ssd", "固态", "Solid"), ("sas", "sas", "")]);
            }
            Kind::Attach { items } => assert_eq!(items, ["C-ECS", "C-BMS"]),
            _ => {}
        }
    }
}
