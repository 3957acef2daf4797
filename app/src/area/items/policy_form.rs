//! The form of a new version: rows that come and go by buttons of the server, without scripts.

use super::{
    policies::title,
    policy_rows::{AUTOMATIC, Cond, GroupRow, NONE, ROW, Rows, StageRow, join_name},
    policy_trial::trial,
    rows::{self, Labels, place},
};
use crate::{
    form::{FormState, use_form},
    i18n, routes, t,
    ui::*,
};
use leptos::prelude::*;
use lingbao_model::{
    catalogue::Publication,
    people::{Role, UnitLevel, role_key},
    placement::Level,
    policy::{Join, MOST_DUE_DAYS, PlainRow, Ranks, What},
    view::policy::PolicyView,
};

/// The page of the form.
#[component]
pub fn PolicyForm(policy: PolicyView) -> impl IntoView {
    let form = use_form();
    let kind = policy.kind.as_str();
    let crumbs = vec![
        (
            t!("policy.title").to_owned(),
            routes::ADMIN_POLICIES.to_owned(),
        ),
        (title(policy.kind), routes::policy(kind)),
    ];
    let newest = policy.versions.first();
    let waits = newest.is_some_and(|v| v.state == Publication::Proposed);
    let draft = newest.filter(|v| v.state == Publication::Draft);
    let begun = match draft {
        Some(version) => Some(&version.policy),
        None => policy.in_force.as_ref().map(|found| &found.policy),
    };
    let rows = if form.was_posted() {
        Some(Rows::read(&form.values))
    } else {
        begun.map_or_else(|| Some(Rows::read(&[])), Rows::of)
    };
    let body = match rows {
        // What was typed meanwhile is not taken away.
        _ if waits && !form.was_posted() => {
            view! { <Banner tone=Tone::Warn>{t!("items.waits")}</Banner> }.into_any()
        }
        None => view! { <Banner tone=Tone::Warn>{t!("policy.nested")}</Banner> }.into_any(),
        Some(rows) => fields(&form, &rows, &policy),
    };
    let fact = match draft {
        Some(version) => t!("policy.write_on", n = version.number),
        None => t!("policy.write_new").to_owned(),
    };
    view! {
        <PageHead title=t!("policy.write") fact crumbs/>
        {body}
    }
}

fn fields(form: &FormState, rows: &Rows, policy: &PolicyView) -> AnyView {
    let mut labels: Labels = vec![
        (join_name(AUTOMATIC), t!("policy.automatic").to_owned()),
        ("stages".to_owned(), t!("policy.stages").to_owned()),
        ("try.month".to_owned(), t!("policy.try.month").to_owned()),
    ];
    let automatic = cond(
        &rows.automatic,
        t!("policy.join.never"),
        policy,
        &mut labels,
    );
    let stages: Vec<_> = (1..)
        .zip(&rows.stages)
        .map(|(n, row)| stage(n, row, policy, &mut labels))
        .collect();
    let (number, version) = (policy.seen.number, policy.seen.version);
    view! {
        <ErrorSummary labels/>
        <form method="post" class="gap-6">
            // The key Enter presses the first button of a form: it shall take nothing away.
            <button class="sr" name="do" value="try" tabindex="-1" aria-hidden="true">{t!("policy.try.act")}</button>
            <input type="hidden" name=ROW value="form"/>
            <input type="hidden" name="number" value=number.to_string()/>
            <input type="hidden" name="version" value=version.to_string()/>
            <Panel title=t!("policy.automatic") pad=true>
                <p class="hint">{t!("policy.laws")}</p>
                {automatic}
            </Panel>
            {stages}
            <FieldSet name="stages" legend=t!("policy.stages") hide_legend=true>
                {press("stage", t!("policy.add_stage"), "", "#f-stages".to_owned())}
            </FieldSet>
            {trial(form, rows, policy)}
            <div class="acts">
                <Button kind=Kind::Main name="do" value="write">{t!("items.save")}</Button>
                <LinkButton href=routes::policy(policy.kind.as_str()) kind=Kind::Bare>{t!("policy.back")}</LinkButton>
            </div>
        </form>
    }
    .into_any()
}

/// A button of this form.
fn press(act: &str, text: &'static str, what: &str, to: String) -> AnyView {
    rows::press("form", act, text, what, to)
}

/// The two names of a stage or a group.
fn names(of: &str, called: &(String, String), about: &str, labels: &mut Labels) -> AnyView {
    let (zh, en) = (format!("{of}.name"), format!("{of}.name_en"));
    let (called_zh, called_en) = called.clone();
    labels.push((zh.clone(), format!("{about} · {}", t!("policy.name"))));
    labels.push((en.clone(), format!("{about} · {}", t!("policy.name_en"))));
    view! {
        <Field name=zh label=t!("policy.name")>
            <TextInput value=called_zh width=Width::M maxlength=40_u32/>
        </Field>
        <Field name=en label=t!("policy.name_en") optional=true>
            <TextInput value=called_en width=Width::M maxlength=40_u32/>
        </Field>
    }
    .into_any()
}

fn stage(n: usize, row: &StageRow, policy: &PolicyView, labels: &mut Labels) -> AnyView {
    let of = row.name.clone();
    let about = t!("policy.stage_number", n = n);
    let due = format!("{of}.due_days");
    labels.push((
        due.clone(),
        format!("{about} · {}", t!("policy.due_days_of")),
    ));
    labels.push((
        format!("{of}.groups"),
        format!("{about} · {}", t!("policy.group")),
    ));
    let named = names(&of, &row.called, &about, labels);
    let groups: Vec<_> = (1..)
        .zip(&row.groups)
        .map(|(m, one)| group(&about, m, one, policy, labels))
        .collect();
    let up = (n > 1).then(|| {
        let to = place(&format!("{of}.name"));
        press(&format!("up {of}"), t!("policy.up"), &about, to)
    });
    let acts = view! {
        <div class="acts">
            {up}
            {press(&format!("remove {of}"), t!("policy.remove"), &about, "#f-stages".to_owned())}
        </div>
    };
    let add = {
        let to = place(&format!("{of}.groups"));
        press(&format!("group {of}"), t!("policy.add_group"), &about, to)
    };
    let days = t!("policy.due_days_hint", n = MOST_DUE_DAYS);
    let (key, typed) = (row.key.clone(), row.due_days.clone());
    view! {
        <Panel title=about more=acts.into_any() pad=true>
            <input type="hidden" name=ROW value=of.clone()/>
            <input type="hidden" name=format!("{of}.key") value=key/>
            <div class="steps">
                {named}
                <Field name=due label=t!("policy.due_days_of") hint=days>
                    <TextInput value=typed width=Width::Xs maxlength=4_u32/>
                </Field>
            </div>
            {groups}
            <FieldSet name=format!("{of}.groups") legend=t!("policy.group") hide_legend=true>{add}</FieldSet>
        </Panel>
    }
    .into_any()
}

fn group(
    stage: &str,
    m: usize,
    row: &GroupRow,
    policy: &PolicyView,
    labels: &mut Labels,
) -> AnyView {
    let of = row.name.clone();
    let about = format!("{stage} · {}", t!("policy.group_number", n = m));
    let (role, ranks) = (format!("{of}.role"), format!("{of}.ranks"));
    labels.push((role.clone(), format!("{about} · {}", t!("policy.role_of"))));
    labels.push((
        ranks.clone(),
        format!("{about} · {}", t!("policy.ranks_of")),
    ));
    labels.push((join_name(&of), format!("{about} · {}", t!("policy.when"))));
    let deciders = Role::ALL.iter().filter(|role| role.decides());
    let roles = deciders
        .map(|role| (role.to_string(), i18n::t_key(&role_key(*role)).into_owned()))
        .collect();
    let reaches = Ranks::ALL
        .iter()
        .map(|ranks| {
            let text = i18n::t_key(&format!("policy.ranks.{ranks}"));
            (ranks.to_string(), text.into_owned())
        })
        .collect();
    let (in_role, in_ranks) = (row.role.clone(), row.ranks.clone());
    let named = names(&of, &row.called, &about, labels);
    let when = cond(&row.when, t!("policy.always"), policy, labels);
    // The page comes back at the stage: this group is gone then.
    let before = of.split('.').next().unwrap_or_default();
    let to = place(&format!("{before}.groups"));
    let remove = press(&format!("remove {of}"), t!("policy.remove"), &about, to);
    view! {
        <div class="line-top between">
            <input type="hidden" name=ROW value=of/>
            <div class="split between">
                <h3>{about}</h3>
                {remove}
            </div>
            <div class="steps">
                {named}
                <Field name=role label=t!("policy.role_of")>
                    <Select options=roles value=in_role width=Width::M/>
                </Field>
                <Field name=ranks label=t!("policy.ranks_of")>
                    <Select options=reaches value=in_ranks width=Width::M/>
                </Field>
            </div>
            {when}
        </div>
    }
    .into_any()
}

/// A condition; `none` says what it is when there is nothing to hold.
fn cond(cond: &Cond, none: &'static str, policy: &PolicyView, labels: &mut Labels) -> AnyView {
    let of = &cond.of;
    let join = join_name(of);
    let mut joins = vec![(NONE.to_owned(), none.to_owned())];
    joins.extend(Join::ALL.iter().map(|join| {
        let text = i18n::t_key(&format!("policy.join.{join}"));
        (join.to_string(), text.into_owned())
    }));
    let rows: Vec<_> = cond
        .rows
        .iter()
        .map(|(name, row)| test(name, row, &place(&join), policy, labels))
        .collect();
    let chosen = cond.join.clone();
    let whats = What::ALL
        .iter()
        .map(|what| (what.to_string(), said(*what)))
        .collect();
    let add = press(
        &format!("test {of}"),
        t!("policy.add_test"),
        "",
        place(&join),
    );
    view! {
        <FieldSet name=join.clone() legend=t!("policy.when")>
            <Seg name=join options=joins value=chosen/>
        </FieldSet>
        {rows}
        <div class="steps between">
            <Field name=format!("{of}.new") label=t!("policy.one_more")>
                <Select options=whats value=String::new() width=Width::M/>
            </Field>
            {add}
        </div>
    }
    .into_any()
}

/// What a row says, with its gap left open.
fn said(what: What) -> String {
    i18n::t_key(&format!("policy.what.{what}")).into_owned()
}

fn test(name: &str, row: &PlainRow, to: &str, policy: &PolicyView, labels: &mut Labels) -> AnyView {
    let what = said(row.what);
    let field = format!("{name}.value");
    labels.push((field.clone(), what.clone()));
    let one = row.values.first().cloned().unwrap_or_default();
    let has = |value: &str| row.values.iter().any(|chosen| chosen == value);
    let control = match row.what {
        What::CostAbove | What::CostAtMost => view! {
            <Field name=field label=what.clone()>
                <TextInput value=one width=Width::S maxlength=16_u32/>
            </Field>
        }
        .into_any(),
        What::LevelFrom | What::LevelBelow => {
            let levels = Level::ALL.iter();
            let levels = levels
                .map(|level| (level.to_string(), i18n::msg(&level.msg())))
                .collect();
            view! {
                <Field name=field label=what.clone()>
                    <Select options=levels value=one width=Width::S/>
                </Field>
            }
            .into_any()
        }
        What::AnyItem | What::NoItem | What::OnlyItems | What::OtherItem => {
            let choices = policy.items.iter().map(|item| {
                let text = format!("{} {}", item.code, i18n::label(&item.name));
                (item.code.clone(), text, has(&item.code))
            });
            several(field, what.clone(), choices.collect())
        }
        What::AnyZone | What::NoZone => {
            let choices = policy.zones.iter().map(|zone| {
                let text = i18n::label(&zone.name);
                (zone.id.to_string(), text, has(zone.id.as_str()))
            });
            several(field, what.clone(), choices.collect())
        }
        What::UnitLevel | What::NotUnitLevel => {
            let choices = UnitLevel::ALL.iter().map(|level| {
                let text = i18n::t_key(&format!("unit_level.{level}")).into_owned();
                (level.to_string(), text, has(level.as_str()))
            });
            several(field, what.clone(), choices.collect())
        }
        _ => view! { <p>{what.clone()}</p> }.into_any(),
    };
    view! {
        <div class="steps between">
            <input type="hidden" name=ROW value=name.to_owned()/>
            <input type="hidden" name=format!("{name}.what") value=row.what.as_str()/>
            {control}
            {press(&format!("remove {name}"), t!("policy.remove"), &what, to.to_owned())}
        </div>
    }
    .into_any()
}

/// Boxes to tick: value, text, and whether it is ticked.
fn several(field: String, legend: String, choices: Vec<(String, String, bool)>) -> AnyView {
    let boxes: Vec<_> = choices
        .into_iter()
        .map(|(value, text, checked)| {
            let name = field.clone();
            view! { <Check name value checked>{text}</Check> }
        })
        .collect();
    view! { <FieldSet name=field legend>{boxes}</FieldSet> }.into_any()
}
