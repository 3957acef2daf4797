//! The example request of the form: which steps it would take, by the very code of a submit.

use super::policy_rows::Rows;
use crate::{form::FormState, i18n, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    money::Money,
    msg::{FieldError, Msg},
    people::{UnitLevel, role_key},
    placement::{Level, Zone},
    policy::Facts,
    text::parse_yuan,
    view::policy::PolicyView,
};

/// The facts of the example.
///
/// # Errors
/// What is wrong with the amount.
pub fn facts(value: impl Fn(&str) -> String, zones: &[Zone]) -> Result<Facts, FieldError> {
    let fen = parse_yuan(&value("try.month"))
        .ok_or_else(|| FieldError::new("try.month", Msg::new("policy.amount")))?;
    let level: Option<Level> = value("try.level").parse().ok();
    // What stands nowhere stands in no zone either.
    let zone = value("try.zone");
    let mut zones = zones.iter();
    let zone = level.and_then(|_| zones.find(|one| one.id.as_str() == zone));
    Ok(Facts {
        month: Money::from_fen(fen),
        once: Money::ZERO,
        within_quota: value("try.quota") != "over",
        level,
        internet: zone.is_some_and(|zone| zone.internet),
        zones: zone.map(|zone| zone.id.clone()).into_iter().collect(),
        items: vec![value("try.item")],
        unit_level: value("try.unit").parse().unwrap_or(UnitLevel::City),
        has_upper: value("try.upper") == "yes",
    })
}

/// The fields of the example, and what would become of it if it was asked for.
pub fn trial(form: &FormState, rows: &Rows, policy: &PolicyView) -> AnyView {
    let opt = |value: &str, text: &str| (value.to_owned(), text.to_owned());
    let key = |key: String| i18n::t_key(&key).into_owned();
    let levels = Level::ALL
        .iter()
        .map(|level| (level.to_string(), i18n::msg(&level.msg())));
    let placed = levels
        .chain([opt("none", t!("policy.try.nowhere"))])
        .collect();
    let zones = policy
        .zones
        .iter()
        .map(|zone| (zone.id.to_string(), i18n::label(&zone.name)))
        .collect();
    let inner = policy.zones.iter().find(|zone| !zone.internet);
    let inner = inner.map(|zone| zone.id.to_string()).unwrap_or_default();
    let quotas = vec![
        opt("within", t!("policy.if.within_quota")),
        opt("over", t!("policy.if.over_quota")),
    ];
    let units = UnitLevel::ALL
        .iter()
        .map(|level| (level.to_string(), key(format!("unit_level.{level}"))))
        .collect();
    let upper = vec![
        opt("no", t!("policy.if.no_upper")),
        opt("yes", t!("policy.if.has_upper")),
    ];
    let items = policy
        .items
        .iter()
        .map(|item| {
            (
                item.code.clone(),
                format!("{} {}", item.code, i18n::label(&item.name)),
            )
        })
        .collect();
    let asked = form.value("do") == Some("try");
    let result = asked.then(|| answer(form, rows, &policy.zones)).flatten();
    view! {
        <Panel title=t!("policy.try.title") pad=true>
            <p class="hint" id="tried">{t!("policy.try.note")}</p>
            <div class="steps">
                <Field name="try.month" label=t!("policy.try.month")>
                    <TextInput value="300" width=Width::S maxlength=16_u32/>
                </Field>
                <Field name="try.level" label=t!("policy.try.level")>
                    <Select options=placed value="2" width=Width::S/>
                </Field>
                <Field name="try.zone" label=t!("policy.try.zone")>
                    <Select options=zones value=inner width=Width::S/>
                </Field>
                <Field name="try.quota" label=t!("policy.try.quota")>
                    <Select options=quotas value="within" width=Width::S/>
                </Field>
                <Field name="try.item" label=t!("items.item")>
                    <Select options=items value=String::new() width=Width::M/>
                </Field>
                <Field name="try.unit" label=t!("people.level")>
                    <Select options=units value="city" width=Width::S/>
                </Field>
                <Field name="try.upper" label=t!("policy.try.upper")>
                    <Select options=upper value="no" width=Width::S/>
                </Field>
            </div>
            <div class="acts acts-gap">
                <button class="btn" name="do" value="try" formaction="?as=form#tried">{t!("policy.try.act")}</button>
            </div>
            <div role="status">{result}</div>
        </Panel>
    }
    .into_any()
}

/// Nothing while the form or the example can't be read: the messages stand at the fields.
fn answer(form: &FormState, rows: &Rows, zones: &[Zone]) -> Option<AnyView> {
    let facts = facts(
        |name| form.value(name).unwrap_or_default().to_owned(),
        zones,
    )
    .ok()?;
    let route = rows.policy().ok()?.route(&facts);
    if route.is_automatic() {
        return Some(
            view! { <Banner tone=Tone::Ok>{t!("policy.try.automatic")}</Banner> }.into_any(),
        );
    }
    let stages = (1..)
        .zip(&route.stages)
        .map(|(n, stage): (i64, _)| {
            let steps: Vec<_> = stage
                .steps
                .iter()
                .map(|step| {
                    let role = i18n::t_key(&role_key(step.role));
                    let ranks = i18n::t_key(&format!("policy.ranks.{}", step.ranks));
                    format!("{} ({role} · {ranks})", i18n::label(&step.name))
                })
                .collect();
            let name = i18n::label(&stage.name);
            let steps = steps.join(" + ");
            view! { <li>{n} " · " <b>{name}</b> " " {steps} " " {t!("policy.days", n = stage.due_days)}</li> }
        })
        .collect_view();
    let told = t!("policy.try.days", n = route.due_days());
    let shown = view! {
        <div class="between" id="route">
            <p>{told}</p>
            <ol>{stages}</ol>
        </div>
    };
    Some(shown.into_any())
}
