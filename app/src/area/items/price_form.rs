//! The form of a new price: parts that come and go by buttons of the server, without scripts.

use super::{
    policy_rows::{ROW, parted},
    price_rows::{FLAT, PartRow, Parts, StepRow, TIERED, by_choice, rate_name},
    price_trial::{parsed, schema_of, trial},
    rows::{self, Labels, keeping, options, place, quantities, titled},
};
use crate::{
    form::{FormState, use_form},
    i18n, routes, t,
    ui::*,
};
use leptos::prelude::*;
use lingbao_model::{
    catalogue::Publication,
    param::{Kind as ParamKind, Param, Schema, Unit},
    price::Charge,
    view::item::{ItemView, Side, VersionRow},
};

/// The page of the form.
#[component]
pub fn PriceForm(item: ItemView) -> impl IntoView {
    let form = use_form();
    let crumbs = vec![
        (t!("nav.items").to_owned(), routes::ADMIN_ITEMS.to_owned()),
        (item_name(&item), routes::item(&item.code)),
    ];
    let newest = item.prices.first();
    let schema = schema_of(&item);
    let rows = if form.was_posted() {
        Some(Parts::read(&form.values))
    } else {
        newest.map_or_else(
            || Some(Parts::default()),
            |row| Parts::of(&parsed(row)?, &schema),
        )
    };
    let body = match rows {
        _ if !item.may_price => view! { <Banner>{t!("price.not_yours")}</Banner> }.into_any(),
        None => view! { <Banner tone=Tone::Warn>{t!("price.nested")}</Banner> }.into_any(),
        Some(rows) => waits_or(newest, &form, || fields(&form, &rows, &schema, &item)),
    };
    let fact = match newest.filter(|row| row.state == Publication::Draft) {
        Some(row) => t!("price.write_on", n = row.number),
        None => t!("price.write_new").to_owned(),
    };
    view! {
        <PageHead title=t!("price.write") fact crumbs/>
        {body}
    }
}

/// The form, or the word that the newest version waits for a second person. What was typed meanwhile is
/// not taken away.
pub(super) fn waits_or(
    newest: Option<&VersionRow>,
    form: &FormState,
    fields: impl FnOnce() -> AnyView,
) -> AnyView {
    let waits = newest.is_some_and(|row| row.state == Publication::Proposed);
    if waits && !form.was_posted() {
        view! { <Banner tone=Tone::Warn>{t!("items.waits")}</Banner> }.into_any()
    } else {
        fields()
    }
}

fn item_name(item: &ItemView) -> String {
    format!("{} {}", i18n::label(&item.name), item.code)
}

fn fields(form: &FormState, rows: &Parts, schema: &Schema, item: &ItemView) -> AnyView {
    let mut labels: Labels = vec![("parts".to_owned(), t!("price.parts").to_owned())];
    let parts: Vec<_> = (1..)
        .zip(&rows.0)
        .map(|(n, row)| part(n, n < rows.0.len(), row, schema, &mut labels))
        .collect();
    let empty = rows
        .0
        .is_empty()
        .then(|| view! { <Banner>{t!("price.free")}</Banner> });
    let (number, version) = item
        .prices
        .first()
        .map_or((0, 0), |r| (r.number, r.version));
    let tried = trial(form, rows, schema, item, &mut labels);
    view! {
        <ErrorSummary labels/>
        <form method="post" class="gap-6">
            // The key Enter presses the first button of a form: it shall take nothing away.
            <button class="sr" name="do" value="try" tabindex="-1" aria-hidden="true">{t!("policy.try.act")}</button>
            <input type="hidden" name=ROW value="form"/>
            <input type="hidden" name="side" value=Side::Price.as_str()/>
            <input type="hidden" name="number" value=number.to_string()/>
            <input type="hidden" name="version" value=version.to_string()/>
            {empty}
            {parts}
            <FieldSet name="parts" legend=t!("price.parts") hide_legend=true>
                {press("part", t!("price.add_part"), "", "#f-parts".to_owned())}
            </FieldSet>
            {tried}
            <div class="acts">
                <Button kind=Kind::Main name="do" value="write">{t!("items.save")}</Button>
                <LinkButton href=routes::item(&item.code) kind=Kind::Bare>{t!("policy.back")}</LinkButton>
            </div>
        </form>
    }
    .into_any()
}

/// A button of this form.
fn press(act: &str, text: &'static str, what: &str, to: String) -> AnyView {
    rows::press("price", act, text, what, to)
}

fn called(param: &Param) -> String {
    i18n::label(&param.label)
}

fn part(n: usize, has_next: bool, row: &PartRow, schema: &Schema, labels: &mut Labels) -> AnyView {
    let of = row.name.as_str();
    let about = t!("price.part_number", n = n);
    let field = |name: &str| format!("{of}.{name}");
    for (name, text) in [
        ("name", t!("policy.name")),
        ("name_en", t!("policy.name_en")),
        ("charge", t!("price.charge")),
        ("quantity", t!("price.quantity")),
        ("unit", t!("items.unit")),
        ("by", t!("price.by")),
    ] {
        labels.push((field(name), format!("{about} · {text}")));
    }
    let word = |key: String| i18n::t_key(&key).into_owned();
    let charges = Charge::ALL
        .iter()
        .map(|charge| (charge.to_string(), word(format!("price.charge.{charge}"))))
        .collect();
    let units = Unit::ALL
        .iter()
        .map(|unit| (unit.to_string(), word(format!("items.unit.{unit}"))))
        .collect();
    let quantities = quantities(schema, &row.quantity);
    let mut ways = vec![
        (FLAT.to_owned(), t!("price.flat").to_owned()),
        (TIERED.to_owned(), t!("price.tiered").to_owned()),
    ];
    let choices = schema.0.iter();
    ways.extend(
        choices
            .filter(|param| matches!(param.kind, ParamKind::Choice { .. }))
            .map(|param| {
                let text = t!("price.by_choice", of = called(param));
                (by_choice(&param.key), text)
            }),
    );
    let key = row.choice().unwrap_or(&row.by);
    let ways = keeping(ways, &row.by, key);
    let up = (n > 1).then(|| {
        press(
            &format!("up {of}"),
            t!("policy.up"),
            &about,
            place(&field("name")),
        )
    });
    let down = has_next.then(|| {
        press(
            &format!("down {of}"),
            t!("policy.down"),
            &about,
            place(&field("name")),
        )
    });
    let show_rates = press(
        &format!("show {of}"),
        t!("price.show"),
        &about,
        place(&field("by")),
    );
    let [name, name_en, in_charge, in_quantity, in_unit, in_by] =
        ["name", "name_en", "charge", "quantity", "unit", "by"].map(field);
    let of = row.name.clone();
    let remove = press(
        &format!("remove {of}"),
        t!("policy.remove"),
        &about,
        "#f-parts".to_owned(),
    );
    let (zh, en) = row.called.clone();
    let (charge, quantity, unit, by) = (
        row.charge.clone(),
        row.quantity.clone(),
        row.unit.clone(),
        row.by.clone(),
    );
    let rates = rates(row, schema, &about, labels);
    let when = row.when.fields(&schema.0, &about, labels, press);
    let acts = view! { <div class="acts">{up} {down} {remove}</div> };
    let title = titled(&about, &row.called);
    view! {
        <Panel title more=acts.into_any() pad=true>
            <input type="hidden" name=ROW value=of/>
            <div class="steps">
                <Field name=name label=t!("policy.name")>
                    <TextInput value=zh width=Width::M maxlength=40_u32/>
                </Field>
                <Field name=name_en label=t!("policy.name_en") optional=true>
                    <TextInput value=en width=Width::M maxlength=40_u32/>
                </Field>
                <Field name=in_charge label=t!("price.charge")>
                    <Select options=charges value=charge width=Width::S/>
                </Field>
                <Field name=in_quantity label=t!("price.quantity")>
                    <Select options=quantities value=quantity width=Width::M/>
                </Field>
                <Field name=in_unit label=t!("items.unit")>
                    <Select options=units value=unit width=Width::S/>
                </Field>
            </div>
            <div class="steps between">
                <Field name=in_by label=t!("price.by")>
                    <Select options=ways value=by width=Width::M/>
                </Field>
                {show_rates}
            </div>
            {rates}
            {when}
        </Panel>
    }
    .into_any()
}

/// The prices of a unit, by the kind that was chosen.
fn rates(row: &PartRow, schema: &Schema, about: &str, labels: &mut Labels) -> AnyView {
    let of = row.name.as_str();
    if let Some(key) = row.choice() {
        let fields = options(schema, key).into_iter().map(|(value, label)| {
            let name = rate_name(of, &value);
            let text = t!("price.rate_of", of = i18n::label(&label));
            labels.push((name.clone(), format!("{about} · {text}")));
            let typed = row.rate_of(&value).unwrap_or_default().to_owned();
            amount(name, text, typed)
        });
        let fields: Vec<_> = fields.collect();
        if fields.is_empty() {
            // No choice any more: its prices stay for when it is one again, or another is chosen.
            let carried = row.rates.iter().map(|(value, typed)| {
                let (name, value) = (rate_name(of, value), typed.clone());
                view! { <input type="hidden" name=name value=value/> }
            });
            return carried.collect_view().into_any();
        }
        return view! { <div class="steps">{fields}</div> }.into_any();
    }
    if row.by == TIERED {
        let last = row.steps.len();
        let steps: Vec<_> = (1..)
            .zip(&row.steps)
            .map(|(n, step)| tier(n, n == last, step, about, labels))
            .collect();
        let field = format!("{of}.steps");
        labels.push((field.clone(), format!("{about} · {}", t!("price.tiered"))));
        let add = press(
            &format!("step {of}"),
            t!("price.add_step"),
            about,
            place(&field),
        );
        return view! {
            {steps}
            <FieldSet name=field legend=t!("price.tiered") hint=t!("price.tiers_hint") hide_legend=true>{add}</FieldSet>
        }
        .into_any();
    }
    let name = format!("{of}.rate");
    labels.push((name.clone(), format!("{about} · {}", t!("price.rate"))));
    let field = amount(name, t!("price.rate").to_owned(), row.rate.clone());
    view! { <div class="steps">{field}</div> }.into_any()
}

fn amount(name: String, label: String, typed: String) -> AnyView {
    view! {
        <Field name label>
            <TextInput value=typed width=Width::S maxlength=24_u32/>
        </Field>
    }
    .into_any()
}

fn tier(n: usize, last: bool, step: &StepRow, about: &str, labels: &mut Labels) -> AnyView {
    let of = step.name.as_str();
    let which = format!("{about} · {}", t!("price.step_number", n = n));
    let (up_to, rate) = (format!("{of}.up_to"), format!("{of}.rate"));
    labels.push((up_to.clone(), format!("{which} · {}", t!("price.up_to"))));
    labels.push((rate.clone(), format!("{which} · {}", t!("price.rate"))));
    let (end, typed) = (step.up_to.clone(), step.rate.clone());
    let label = if last {
        t!("price.up_to_end")
    } else {
        t!("price.up_to")
    };
    let to = place(&format!("{}.steps", parted(of).0));
    view! {
        <div class="steps between">
            <input type="hidden" name=ROW value=of.to_owned()/>
            <Field name=up_to label>
                <TextInput value=end width=Width::S maxlength=12_u32/>
            </Field>
            {amount(rate, t!("price.rate").to_owned(), typed)}
            {press(&format!("remove {of}"), t!("policy.remove"), &which, to)}
        </div>
    }
    .into_any()
}

/// The posts of the form.
pub mod ssr {
    use super::{super::price_trial, Parts, ROW};
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::cx,
    };
    use lingbao_core::{error::ServiceError, service::item};
    use lingbao_model::{msg::Msg, view::item::Side};

    /// Tries, changes rows, or writes.
    ///
    /// # Errors
    /// The page again, with everything typed and the messages.
    pub async fn post(form: Posted) -> Result<Done, Refused> {
        let cx = cx()?;
        let code = form.param("code").to_owned();
        let schema = price_trial::schema_of(&item::get(&cx, &code).await?);
        let mut rows = Parts::read(&form.values);
        match form.value("do") {
            "try" => {
                let mut errors = rows.formula(&schema).err().unwrap_or_default();
                errors.extend(
                    price_trial::answers(&form.values, &schema)
                        .err()
                        .unwrap_or_default(),
                );
                Err(Refused::Again(errors))
            }
            "write" => {
                let formula = rows.formula(&schema)?;
                let text = serde_json::to_string(&formula)
                    .map_err(|e| ServiceError::internal("price of an item", e))?;
                let whole = |name: &str| form.value(name).parse::<i64>().unwrap_or(0);
                let seen = (whole("number"), whole("version"));
                item::write(&cx, &code, Side::Price, seen, &text).await?;
                Ok(Done::to(routes::item(&code)).say(Msg::new("items.said.written")))
            }
            act => {
                let Some(mut values) = rows.press(act, &schema) else {
                    return Err(Refused::Problem(ApiError::not_found()));
                };
                let names = rows.names().into_iter();
                values.extend(names.map(|name| (ROW.to_owned(), name)));
                Err(Refused::Amended(values, Vec::new()))
            }
        }
    }
}
