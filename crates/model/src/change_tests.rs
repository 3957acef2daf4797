//! Rules of what becomes of a resource that is changed.

use super::*;
use crate::catalogue::{Content, Family};
use crate::id::Id;
use crate::msg::Label;
use crate::param::{Answer, Kind, Param, Unit};
use crate::price::{Charge, Component, Formula, Quantity, Tariff};
use crate::quota::{Consumption, Takes};
use proptest::prelude::*;

const DAY_MS: i64 = 86_400_000;

fn integer(key: &str) -> Param {
    Param {
        key: key.into(),
        label: Label::new(key, key),
        help: None,
        section: None,
        kind: Kind::Integer {
            min: 1,
            max: 1000,
            step: 1,
            unit: Unit::Gigabyte,
            default: 1,
        },
        required: true,
        depends_on: None,
    }
}

fn offer(keys: &[&str], fen_each: i64) -> Offer {
    let param = |key: &&str| Quantity::Param {
        key: (*key).to_owned(),
    };
    let dimensions = [Dimension::Vcpu, Dimension::MemoryGb];
    let takes = keys.iter().zip(dimensions).map(|(key, dimension)| Takes {
        dimension,
        quantity: param(key),
        when: None,
    });
    let component = |key: &&str| Component {
        label: Label::new("x", "x"),
        tariff: Tariff::Flat {
            rate: serde_json::from_str(&(fen_each * 1_000_000).to_string()).unwrap(),
        },
        quantity: param(key),
        unit: Unit::Gigabyte,
        charge: Charge::Monthly,
        when: None,
    };
    let site = "tt".to_owned().try_into().unwrap();
    Offer {
        item: Id::generate(&site, Timestamp::default(), 1),
        code: "C-ECS".into(),
        version_id: Id::generate(&site, Timestamp::default(), 2),
        version: 1,
        content: Content {
            name: Label::new("x", "x"),
            summary: Label::new("x", "x"),
            family: Family::ALL[0],
            fulfiller: Fulfiller::Server,
            placed: true,
            schema: Schema(keys.iter().map(|k| integer(k)).collect()),
            consumption: Consumption(takes.collect()),
            max_count: 1,
            deliver_hours: 1,
            checklist: Vec::new(),
        },
        price_version: 2,
        price: Formula(keys.iter().map(component).collect()),
    }
}

fn stand(offer: &Offer, sizes: &[(&str, i64)], until: Timestamp) -> Stand {
    let answers = Answers(
        sizes
            .iter()
            .map(|(k, n)| ((*k).to_owned(), Answer::Integer(*n)))
            .collect(),
    );
    let month = offer.price.quote(&answers, 1).each;
    let mut amounts = offer.content.consumption.amounts(&answers, 1);
    amounts.add(Dimension::MonthlyFee, month.fen());
    Stand {
        version: offer.version_id.clone(),
        price_version: 1,
        answers,
        amounts,
        month,
        next: None,
        until,
    }
}

fn typed(pairs: &[(&str, &str)]) -> Typed {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

const KEYS: &[&str] = &["vcpus", "memory_gb"];
const NOON: Timestamp = Timestamp::from_millis(1_763_956_800_000);

fn think(what: What, kind: Fulfiller, was: &Stand, offer: &Offer, form: &Typed) -> Plan {
    let (plan, errors) = plan(what, kind, was, Some(offer), form, (Zone::SHANGHAI, NOON));
    assert_eq!(errors, []);
    plan
}

proptest! {
    #[test]
    fn what_is_taken_and_what_is_given_back_lead_from_before_to_after(
        (a, b) in (1_i64..500, 1_i64..500), (c, d) in (1_i64..500, 1_i64..500),
    ) {
        prop_assume!((a, b) != (c, d));
        let offer = offer(KEYS, 700);
        let was = stand(&offer, &[("vcpus", a), ("memory_gb", b)], NOON);
        let form = typed(&[("vcpus", &c.to_string()), ("memory_gb", &d.to_string())]);
        let plan = think(What::Resize, Fulfiller::Server, &was, &offer, &form);
        let mut after = was.amounts.clone();
        after.add_all(&plan.more());
        after.add_all(&plan.less().times(-1));
        after.0.retain(|_, n| *n != 0);
        prop_assert_eq!(&after, &plan.will.amounts);
        prop_assert!(plan.more().0.values().all(|n| *n > 0));
        prop_assert!(plan.less().0.values().all(|n| *n > 0));
        prop_assert_eq!(plan.difference().fen(), 700 * (c + d - a - b));
        prop_assert_eq!(plan.will.until, was.until);
    }

    #[test]
    fn a_disk_out_of_a_snapshot_is_added_and_agreed_to_whole(size in 1_i64..1000) {
        let offer = offer(KEYS, 700);
        let will = stand(&offer, &[("vcpus", size), ("memory_gb", 8)], NOON);
        let disk = NewDisk {
            copy: CopyId::Snapshot(Id::generate(&"tt".to_owned().try_into().unwrap(), NOON, 3)),
            copy_name: "before".into(),
            taken_at: NOON,
            name: "copy".into(),
        };
        let plan = Plan::restore(disk, will.clone());
        prop_assert_eq!(&plan.more(), &will.amounts);
        prop_assert!(plan.less().0.is_empty());
        prop_assert_eq!((plan.difference(), plan.to_agree()), (will.month, will.month));
        let shown = plan.shown(&offer.content.schema);
        let keys: Vec<&str> = shown.facts.iter().map(|fact| &*fact.key).collect();
        prop_assert_eq!(keys, ["name", "snapshot", "vcpus", "memory_gb"]);
        let nothing = FactValue::Text(NOTHING.to_owned());
        prop_assert!(shown.facts.iter().all(|fact| fact.before == nothing));
    }

    #[test]
    fn a_renewal_takes_no_machine_and_pays_the_old_price_to_the_old_end(
        old in 1_i64..2000, new in 1_i64..2000, months in 1_i64..=12, days in 1_i64..300,
    ) {
        let (before, today) = (offer(KEYS, old), offer(KEYS, new));
        let end = NOON.plus_millis(days * DAY_MS);
        let was = stand(&before, &[("vcpus", 4), ("memory_gb", 8)], end);
        let form = typed(&[("months", &months.to_string())]);
        let plan = think(What::Renew, Fulfiller::Server, &was, &today, &form);
        let keys: Vec<Dimension> = plan.differences().0.into_keys().collect();
        prop_assert!(keys.iter().all(|d| *d == Dimension::MonthlyFee));
        prop_assert_eq!(plan.more().get(Dimension::MonthlyFee), (12 * (new - old)).max(0));
        prop_assert!(plan.less().0.is_empty(), "nothing is given back before the old price ends");
        prop_assert_eq!(plan.price_from, (new != old).then_some(end));
        prop_assert!(plan.will.until > was.until);
        prop_assert_eq!(plan.to_agree().fen(), 12 * new);
    }
}

#[test]
fn a_size_beside_a_cheaper_renewal_is_agreed_to_from_the_cheaper_price() {
    let offer = offer(KEYS, 700);
    let mut was = stand(&offer, &[("vcpus", 4), ("memory_gb", 8)], NOON);
    let form = typed(&[("vcpus", "5")]);
    let alone = think(What::Resize, Fulfiller::Server, &was, &offer, &form);
    assert_eq!(alone.to_agree().fen(), 700);
    was.next = Some(Money::from_fen(was.month.fen() - 3_000));
    let beside = think(What::Resize, Fulfiller::Server, &was, &offer, &form);
    assert_eq!(beside.to_agree().fen(), 3_700);
    // A dearer renewal was agreed to for its own term alone: the running one still grows.
    was.next = Some(Money::from_fen(was.month.fen() + 3_000));
    let dearer = think(What::Resize, Fulfiller::Server, &was, &offer, &form);
    assert_eq!(dearer.to_agree().fen(), 700);
}

#[test]
fn a_disk_never_shrinks_and_a_change_changes_something() {
    let offer = offer(&["size_gb"], 70);
    let was = stand(&offer, &[("size_gb", 100)], NOON);
    for (size, key) in [("90", "change.never_shrinks"), ("100", "change.nothing")] {
        let form = typed(&[("size_gb", size)]);
        let (_, errors) = plan(
            What::Extend,
            Fulfiller::Volume,
            &was,
            Some(&offer),
            &form,
            (Zone::SHANGHAI, NOON),
        );
        assert_eq!(errors[0].msg.key, key);
        assert_eq!(errors[0].field, "size_gb");
    }
}

#[test]
fn what_is_not_offered_any_more_keeps_its_size_and_its_price() {
    let old = offer(KEYS, 700);
    let was = stand(&old, &[("vcpus", 4), ("memory_gb", 8)], NOON.plus_millis(1));
    let at = (Zone::SHANGHAI, NOON);
    let form = typed(&[("vcpus", "8"), ("months", "6")]);
    let (_, errors) = plan(What::Resize, Fulfiller::Server, &was, None, &form, at);
    assert_eq!(errors[0].msg.key, "change.not_offered");
    let (plan, errors) = plan(What::Renew, Fulfiller::Server, &was, None, &form, at);
    assert_eq!((errors, plan.will.month), (vec![], was.month));
}

#[test]
fn a_term_is_renewed_by_one_to_twelve_months_and_reaches_beyond_today() {
    let offer = offer(KEYS, 700);
    let sizes = [("vcpus", 4), ("memory_gb", 8)];
    let was = stand(&offer, &sizes, NOON.plus_millis(DAY_MS));
    let at = (Zone::SHANGHAI, NOON);
    for months in ["", "0", "13", "x"] {
        let form = typed(&[("months", months)]);
        let (_, errors) = plan(
            What::Renew,
            Fulfiller::Server,
            &was,
            Some(&offer),
            &form,
            at,
        );
        assert_eq!(errors.len(), 1, "{months}");
    }
    let long_over = stand(&offer, &sizes, NOON.plus_millis(-100 * DAY_MS));
    let form = typed(&[("months", "1")]);
    let (_, errors) = plan(
        What::Renew,
        Fulfiller::Server,
        &long_over,
        Some(&offer),
        &form,
        at,
    );
    assert_eq!(errors[0].msg.key, "change.term_over");
}
