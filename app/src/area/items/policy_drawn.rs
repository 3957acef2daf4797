//! A policy as a leader reads it: what needs nobody, then the stages one after another with their
//! groups side by side; on the screen and on paper.

use crate::{i18n, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    people::role_key,
    policy::{Group, Policy, Stage, Test},
    view::policy::PolicyView,
};

use super::policies::{in_force, title};

/// A condition in words; `none` where there is none.
fn words(test: Option<&Test>, none: &'static str) -> String {
    test.map_or_else(|| none.to_owned(), |test| i18n::msg(&test.said()))
}

/// The role of a group, and from whose ranks.
fn who(group: &Group) -> (String, String) {
    (
        i18n::t_key(&role_key(group.role)).into_owned(),
        i18n::t_key(&format!("policy.ranks.{}", group.ranks)).into_owned(),
    )
}

fn due(stage: &Stage) -> String {
    t!("policy.days", n = stage.due_days)
}

/// The policy on the screen.
#[component]
pub fn Drawn(policy: Policy) -> impl IntoView {
    let automatic = words(policy.automatic.as_ref(), t!("policy.never_automatic"));
    let track = policy
        .stages
        .iter()
        .map(|stage| TrackStep {
            stage: crate::ui::Stage::Next,
            title: i18n::label(&stage.name),
            detail: view! { <span>{due(stage)}</span> }.into_any(),
        })
        .collect();
    let stages = (1..).zip(&policy.stages).map(drawn).collect_view();
    view! {
        <div class="gap-6 sec-6">
            <Panel title=t!("policy.automatic") pad=true>
                <p>{automatic}</p>
                <p class="hint hint-after">{t!("policy.laws")}</p>
            </Panel>
            <Panel title=t!("policy.stages") sub=t!("policy.stages_note") pad=true>
                <Track steps=track/>
            </Panel>
            {stages}
        </div>
    }
}

fn drawn((n, stage): (i64, &Stage)) -> AnyView {
    let several = stage.groups.len() > 1;
    let sub = if several {
        format!("{} · {}", due(stage), t!("policy.parallel"))
    } else {
        due(stage)
    };
    let groups = stage
        .groups
        .iter()
        .map(|group| {
            let (role, ranks) = who(group);
            let when = words(group.when.as_ref(), t!("policy.always"));
            let text = |text: String| view! { <span>{text}</span> }.into_any();
            let facts = vec![
                (Text::from(t!("policy.role_of")), text(role)),
                (Text::from(t!("policy.ranks_of")), text(ranks)),
                (Text::from(t!("policy.when")), text(when)),
            ];
            view! {
                <div class="group">
                    <h3 class="h-gap">{i18n::label(&group.name)}</h3>
                    <Facts facts/>
                </div>
            }
        })
        .collect_view();
    let title = format!("{n} · {}", i18n::label(&stage.name));
    view! {
        <Section title sub>
            <div class="groups">{groups}</div>
        </Section>
    }
    .into_any()
}

/// The policy in force, on A4.
#[component]
pub fn Paper(policy: PolicyView) -> impl IntoView {
    let name = title(policy.kind);
    let crumbs = vec![
        (
            t!("policy.title").to_owned(),
            crate::routes::ADMIN_POLICIES.to_owned(),
        ),
        (name.clone(), crate::routes::policy(policy.kind.as_str())),
    ];
    let Some(found) = policy.in_force else {
        return view! {
            <PageHead title=name crumbs/>
            <Empty title=t!("policy.nothing")/>
        }
        .into_any();
    };
    let holds = in_force(&found);
    let follows = policy
        .follows
        .map(|other| t!("policy.follows", of = title(other)));
    let mut facts: Vec<(Text, Text)> = vec![(t!("policy.in_force").into(), holds.clone().into())];
    facts.extend(follows.map(|text| (Text::from(t!("policy.title")), Text::from(text))));
    let automatic = words(
        found.policy.automatic.as_ref(),
        t!("policy.never_automatic"),
    );
    facts.push((t!("policy.automatic").into(), automatic.into()));
    let rows = (1..)
        .zip(&found.policy.stages)
        .flat_map(|(n, stage)| {
            let groups = stage.groups.iter();
            groups
                .map(move |group| line(n, stage, group))
                .collect::<Vec<_>>()
        })
        .collect_view();
    let foot = format!("{name} · {holds}");
    view! {
        <PageHead title=name.clone() fact=t!("policy.paper") crumbs/>
        <PrintSheet label=name.clone() foot page=t!("policy.page")>
            <div class="sheet-h1">{name}</div>
            <SheetFacts facts/>
            <h2>{t!("policy.stages")}</h2>
            <table class="sf">
                <thead>
                    <tr>
                        <th scope="col">{t!("policy.stage")}</th>
                        <th scope="col">{t!("policy.group")}</th>
                        <th scope="col">{t!("policy.role_of")}</th>
                        <th scope="col">{t!("policy.due_days_of")}</th>
                        <th scope="col">{t!("policy.when")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            <p>{t!("policy.laws")}</p>
        </PrintSheet>
    }
    .into_any()
}

fn line(n: i64, stage: &Stage, group: &Group) -> AnyView {
    let (role, ranks) = who(group);
    view! {
        <tr>
            <td data-l=t!("policy.stage")>{format!("{n} · {}", i18n::label(&stage.name))}</td>
            <td data-l=t!("policy.group")>{i18n::label(&group.name)}</td>
            <td data-l=t!("policy.role_of")>{format!("{role} · {ranks}")}</td>
            <td data-l=t!("policy.due_days_of")>{due(stage)}</td>
            <td data-l=t!("policy.when")>{words(group.when.as_ref(), t!("policy.always"))}</td>
        </tr>
    }
    .into_any()
}
