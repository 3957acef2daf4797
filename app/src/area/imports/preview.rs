//! What will come of a sheet, row by row, with the units' quotas.

use super::sheet::money;
use crate::{facts, i18n, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    msg::FieldError,
    view::import::{ImportLine, ImportPlan, ImportPreview, ImportQuota, MOST_TAKEN},
};
use std::collections::BTreeMap;

/// The panels of a preview; `more` rows are left out of it, and `letters` are how a spreadsheet calls
/// the columns.
pub fn preview(shown: ImportPreview, more: usize, letters: &BTreeMap<String, String>) -> AnyView {
    let ImportPreview {
        lines,
        good,
        month,
        quotas,
    } = shown;
    let most = i64::try_from(MOST_TAKEN).unwrap_or(i64::MAX);
    let bad = lines.iter().filter(|line| !line.errors.is_empty()).count();
    let columns = vec![
        col(t!("import.row")),
        col(t!("import.goes_to")),
        col(t!("import.becomes")),
        col(t!("import.until")),
        col(t!("resources.month_yuan")).class("num"),
    ];
    let rows = lines
        .into_iter()
        .map(|line| row(line, letters))
        .collect_view();
    let left_out = (more > 0).then(|| {
        view! { <Banner>{t!("import.left_out", n = more)}</Banner> }
    });
    let too_many = (good > most).then(|| {
        view! { <Banner>{t!("import.at_once", most = most)}</Banner> }
    });
    let wrong = (bad > 0).then(|| {
        view! { <Banner tone=Tone::Warn>{t!("import.some_bad", n = bad)}</Banner> }
    });
    let quota = (!quotas.is_empty()).then(|| {
        let bars = quotas.iter().map(bar).collect_view();
        view! {
            <Panel title=t!("import.quota") pad=true>
                <div class="qs">{bars}</div>
                <QuotaKey with_now=true/>
            </Panel>
        }
    });
    let act = if good > 0 {
        view! {
            <p>{t!("import.charged", n = good, money = money(month))}</p>
            <div class="field">
                <Button kind=Kind::Main name="do" value="take">{t!("import.take")}</Button>
            </div>
        }
        .into_any()
    } else {
        view! { <p>{t!("import.none_good")}</p> }.into_any()
    };
    view! {
        {wrong}
        {too_many}
        {left_out}
        <Panel title=t!("import.step_preview") sub=t!("import.step_preview_note")>
            <Table caption=t!("import.step_preview") columns flat=true tight=true>{rows}</Table>
        </Panel>
        {quota}
        <Panel pad=true>{act}</Panel>
    }
    .into_any()
}

/// What is wrong, after the name of its column and where a spreadsheet has it.
fn told(error: &FieldError, letters: &BTreeMap<String, String>) -> String {
    let key = format!("import.column.{}", error.field);
    let name = i18n::t_key(&key).into_owned();
    // A parameter of the item has no words here.
    let name = if name == key {
        error.field.clone()
    } else {
        name
    };
    let column = match letters.get(&error.field) {
        Some(letter) => t!("import.column_at", column = name, letter = letter.clone()),
        None => name,
    };
    format!("{column}{}{}", t!("ui.colon"), i18n::msg(&error.msg))
}

fn row(line: ImportLine, letters: &BTreeMap<String, String>) -> impl IntoView + use<> {
    let ImportLine { row, plan, errors } = line;
    let bad = !errors.is_empty();
    let number = t!("import.line", n = row.line);
    let head = match plan.as_ref().filter(|_| !bad) {
        Some(plan) => {
            let value = row.tick(plan.month, &plan.external_id);
            view! { <Check name="take" value=value checked=true>{number}</Check> }.into_any()
        }
        None => view! { <Chip look=Look::Bad text=number/> }.into_any(),
    };
    let named = plan.as_ref().map(|plan| plan.external_id.clone());
    let sub = format!("{} · {}", row.cloud, named.unwrap_or(row.external_id));
    let why = errors
        .iter()
        .map(|error| {
            let text = told(error, letters);
            view! { <p class="err"><Shape name="bad"/>{text}</p> }
        })
        .collect_view();
    let (home, becomes, until, month) = plan.map_or_else(Default::default, cells);
    view! {
        <Row on=bad>
            <Cell l=t!("import.row")>
                {head}
                <span class="sub mono">{sub}</span>
                {why}
            </Cell>
            <Cell l=t!("import.goes_to")>{lines(home)}</Cell>
            <Cell l=t!("import.becomes")>{lines(becomes)}</Cell>
            <Cell l=t!("import.until")>{until}</Cell>
            <Cell l=t!("resources.month_yuan") class="num">{month}</Cell>
        </Row>
    }
}

/// The first line, and the others small.
fn lines(all: Vec<String>) -> impl IntoView {
    let mut all = all.into_iter();
    let first = all.next().unwrap_or_else(|| "—".to_owned());
    let others = all
        .map(|text| view! { <span class="sub">{text}</span> })
        .collect_view();
    view! { {first} {others} }
}

fn cells(plan: ImportPlan) -> (Vec<String>, Vec<String>, String, String) {
    let level = i18n::msg(&plan.level.msg());
    let cell = t!(
        "import.cell_of",
        zone = i18n::label(&plan.zone_name),
        level = level,
        pool = i18n::label(&plan.pool_name)
    );
    let mut home = vec![format!("{} · {}", plan.unit_name, plan.system_name), cell];
    if let Some(host) = plan.host {
        home.push(t!("import.hangs_on", host = host));
    }
    if let Some(project) = plan.project {
        home.push(t!("import.project_becomes", project = project));
    }
    let mut becomes = vec![plan.name.clone()];
    if plan.cloud_name != plan.name {
        becomes.push(t!("import.called", name = plan.cloud_name));
    }
    let spec = facts::line(&plan.facts);
    becomes.push(format!("{} · {spec}", i18n::label(&plan.item_name)));
    let state = i18n::t_key(&format!("resource.service.{}", plan.state)).into_owned();
    becomes.push(match plan.address {
        Some(address) => format!("{state} · {address}"),
        None => state,
    });
    (home, becomes, plan.expires.to_string(), plan.month.yuan())
}

fn bar(quota: &ImportQuota) -> AnyView {
    let change = &quota.change;
    let name = i18n::t_key(&format!("dimension.{}", change.dimension)).into_owned();
    let label = format!(
        "{} · {} · {name}",
        quota.unit_name,
        i18n::label(&quota.pool_name)
    );
    let shown = |n: i64| facts::amount(change.dimension, n);
    let after = change.before.with_held(change.asked);
    let amounts = Amounts {
        limit: change.before.limit,
        used: change.before.used + change.before.handed,
        held: change.before.held,
        now: change.asked,
    };
    let numbers = t!(
        "restore.left",
        asked = shown(change.asked),
        left = shown(after.left()),
        limit = shown(change.before.limit)
    )
    .into_any();
    view! { <QuotaLine label amounts numbers/> }.into_any()
}
