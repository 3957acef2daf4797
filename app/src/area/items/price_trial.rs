//! What a price comes to: the newest one against the one in force, and the trial of the form.

use super::{
    price_rows::Parts,
    rows::{Labels, answer_name, options},
};
use crate::{form::FormState, i18n, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    catalogue::{Content, Publication},
    money::Money,
    msg::FieldError,
    param::{Answers, Kind as ParamKind, Param, Schema, Typed},
    price::{Charge, Formula, Quote},
    view::item::{ItemView, VersionRow},
};

/// What stands before the name of a parameter in the trial.
const TRY: &str = "try.";

/// The parameters that a price hangs on: those of the newest content.
pub fn schema_of(item: &ItemView) -> Schema {
    let content = item.contents.first();
    let content = content.and_then(|row| serde_json::from_str::<Content>(&row.text).ok());
    content.map(|content| content.schema).unwrap_or_default()
}

/// The formula of a version.
pub fn parsed(row: &VersionRow) -> Option<Formula> {
    serde_json::from_str(&row.text).ok()
}

/// The version in force.
fn in_force(item: &ItemView) -> Option<&VersionRow> {
    let mut rows = item.prices.iter();
    rows.find(|row| row.state == Publication::Published)
}

/// The answers of the trial: the default ones, and what was typed instead.
///
/// # Errors
/// What is out of range.
pub fn answers(values: &[(String, String)], schema: &Schema) -> Result<Answers, Vec<FieldError>> {
    let usual = schema.defaults();
    let usual = usual.0.iter().map(|(key, one)| (key.clone(), one.typed()));
    let mut typed: Typed = usual.collect();
    let own = values.iter().filter_map(|(name, value)| {
        let key = name.strip_prefix(TRY)?;
        Some((key.to_owned(), value.clone()))
    });
    typed.extend(own);
    let tried = |error: FieldError| {
        // A name and a key are not asked for here.
        let name = format!("{TRY}{}", error.field);
        let shown = values.iter().any(|pair| pair.0 == name);
        shown.then(|| FieldError::new(name, error.msg))
    };
    match schema.read(&typed) {
        Ok(answers) => Ok(answers),
        Err((answers, errors)) => {
            let errors: Vec<_> = errors.into_iter().filter_map(tried).collect();
            if errors.is_empty() {
                Ok(answers)
            } else {
                Err(errors)
            }
        }
    }
}

/// What is ordered for the trial, and what it costs by the price in force and by what is typed.
pub fn trial(
    form: &FormState,
    rows: &Parts,
    schema: &Schema,
    item: &ItemView,
    labels: &mut Labels,
) -> AnyView {
    let old = in_force(item).and_then(|row| Some((row.number, parsed(row)?)));
    let new = rows.formula(schema).ok();
    let mut keys = new.as_ref().map(Formula::keys).unwrap_or_default();
    keys.extend(old.iter().flat_map(|(_, formula)| formula.keys()));
    let usual = schema.defaults();
    let asked = schema
        .0
        .iter()
        .filter(|param| keys.contains(param.key.as_str()));
    let fields: Vec<_> = asked
        .filter_map(|param| {
            let typed = usual.0.get(&param.key).map(|one| one.typed());
            labels.push((format!("{TRY}{}", param.key), i18n::label(&param.label)));
            field(param, typed.unwrap_or_default(), schema)
        })
        .collect();
    let result = match (&new, answers(&form.values, schema)) {
        (Some(new), Ok(answers)) => {
            let old = old.map(|(number, old)| (number, old.quote(&answers, 1)));
            compared(
                old.as_ref().map(|(n, quote)| (*n, quote)),
                &new.quote(&answers, 1),
            )
        }
        _ => view! { <p class="hint">{t!("price.try.wrong")}</p> }.into_any(),
    };
    view! {
        <Panel title=t!("price.try.title") pad=true>
            <p class="hint" id="tried">{t!("price.try.note")}</p>
            <div class="steps">{fields}</div>
            <div class="acts acts-gap">
                <button class="btn" name="do" value="try" formaction="?as=price#tried">{t!("policy.try.act")}</button>
            </div>
            <div role="status">{result}</div>
        </Panel>
    }
    .into_any()
}

fn field(param: &Param, usual: String, schema: &Schema) -> Option<AnyView> {
    let name = format!("{TRY}{}", param.key);
    let label = i18n::label(&param.label);
    let field = match &param.kind {
        ParamKind::Integer { unit, .. } => {
            let unit = i18n::t_key(&format!("items.unit.{unit}"));
            let label = format!("{label} ({unit})");
            view! {
                <Field name label>
                    <TextInput value=usual width=Width::S maxlength=12_u32/>
                </Field>
            }
            .into_any()
        }
        ParamKind::Choice { .. } | ParamKind::Flag { .. } => {
            let options = options(schema, &param.key).into_iter();
            let options = options
                .map(|(value, label)| {
                    let text = answer_name(&value, &label);
                    (value, text)
                })
                .collect();
            view! {
                <Field name label>
                    <Select options value=usual width=Width::M/>
                </Field>
            }
            .into_any()
        }
        ParamKind::Text { .. } | ParamKind::Attach { .. } => return None,
    };
    Some(field)
}

/// What stands before the second person: what the newest version changes for the default
/// configuration. Nothing when the newest is in force.
pub fn waiting(item: &ItemView) -> Option<AnyView> {
    let newest = item.prices.first()?;
    if newest.state == Publication::Published || newest.state == Publication::Retired {
        return None;
    }
    let new = newest.quote.as_ref()?;
    let old = in_force(item).and_then(|row| Some((row.number, row.quote.as_ref()?)));
    let title = t!("price.waiting", n = newest.number);
    let table = compared(old, new);
    Some(view! { <Panel title pad=true><p class="hint" id="waiting">{t!("price.default_note")}</p>{table}</Panel> }.into_any())
}

/// What a price comes to in one line: `320.00 元/月`.
pub fn told(quote: &Quote) -> String {
    match (quote.month == Money::ZERO, quote.once == Money::ZERO) {
        (_, true) => t!("money.month", n = quote.month),
        (true, false) => t!("money.once", n = quote.once),
        (false, false) => t!("money.both", month = quote.month, once = quote.once),
    }
}

/// One line of the comparison: name, and what was and will be charged.
struct Compared {
    name: String,
    charge: Charge,
    old: Money,
    new: Money,
}

/// The lines of both prices: those of the new one in its order, then what is gone. Lines belong
/// together by their names, and by when they are charged.
fn lines(old: Option<&Quote>, new: &Quote) -> Vec<Compared> {
    let mut lines: Vec<Compared> = Vec::new();
    let old = old.iter().flat_map(|quote| &quote.lines);
    let both = new.lines.iter().map(|line| (line, true));
    for (line, is_new) in both.chain(old.map(|line| (line, false))) {
        let name = i18n::label(&line.label);
        let found = lines
            .iter()
            .position(|one| one.name == name && one.charge == line.charge);
        let at = found.unwrap_or_else(|| {
            lines.push(Compared {
                name,
                charge: line.charge,
                old: Money::ZERO,
                new: Money::ZERO,
            });
            lines.len() - 1
        });
        if let Some(one) = lines.get_mut(at) {
            let side = if is_new { &mut one.new } else { &mut one.old };
            *side += line.amount;
        }
    }
    lines
}

/// Two prices of one configuration side by side, part by part.
fn compared(old: Option<(i64, &Quote)>, new: &Quote) -> AnyView {
    let known = old.is_some();
    let (number, before) = old.map_or((0, None), |(n, quote)| (n, Some(quote)));
    let head = if known {
        t!("price.in_force", n = number)
    } else {
        t!("price.none_in_force").to_owned()
    };
    let columns = vec![
        col(t!("price.part")),
        col(t!("price.charge")),
        col(head.clone()).class("num"),
        col(t!("price.new")).class("num"),
        col(t!("price.difference")).class("num"),
    ];
    let cells = move |charge: &'static str, was: Money, is: Money| {
        let was_told = if known {
            was.to_string()
        } else {
            "—".to_owned()
        };
        let change = if known {
            signed(is - was)
        } else {
            "—".to_owned()
        };
        view! {
            <Cell l=t!("price.charge")>{charge}</Cell>
            <Cell l=head.clone() class="num">{was_told}</Cell>
            <Cell l=t!("price.new") class="num">{is.to_string()}</Cell>
            <Cell l=t!("price.difference") class="num">{change}</Cell>
        }
    };
    let charged = |charge: Charge| match charge {
        Charge::Monthly => t!("price.charge.monthly"),
        Charge::Once => t!("price.charge.once"),
    };
    let rows = lines(before, new)
        .into_iter()
        .map(|line| {
            let cells = cells(charged(line.charge), line.old, line.new);
            view! { <Row><RowHead name=line.name/>{cells}</Row> }
        })
        .collect_view();
    let was = before.cloned().unwrap_or_default();
    let sum = |name: &'static str, charge, was, is| {
        let cells = cells(charge, was, is);
        view! { <Row><RowHead name/>{cells}</Row> }
    };
    let once = was.once != Money::ZERO || new.once != Money::ZERO;
    let sums = view! {
        {sum(t!("price.sum"), charged(Charge::Monthly), was.month, new.month)}
        {once.then(|| sum(t!("price.sum"), charged(Charge::Once), was.once, new.once))}
        {sum(t!("price.sum"), t!("price.a_year"), was.year(), new.year())}
    };
    view! { <Table caption=t!("price.compared") columns flat=true tight=true>{rows} {sums}</Table> }
        .into_any()
}

/// `+12.00`, `−3.00`, `0.00`.
fn signed(change: Money) -> String {
    if change > Money::ZERO {
        format!("+{change}")
    } else {
        change.to_string()
    }
}
