//! The form of a new content: what an item says of itself, its parameters, what it takes from quotas.

use super::{
    content_rows::{ATTACH, CHOICE, FLAG, INTEGER, ParamLine, Rows, TakesLine, kinds},
    policy_rows::ROW,
    price_form::waits_or,
    rows::{self, Labels, place, quantities, titled},
};
use crate::{
    form::{FormState, use_form},
    i18n, routes, t,
    ui::*,
};
use leptos::prelude::*;
use lingbao_model::{
    catalogue::{Content, Family, Fulfiller, Publication},
    param::{Param, Schema, Unit},
    quota::Dimension,
    view::item::{ItemView, Side},
};

/// The page of the form.
#[component]
pub fn ContentForm(item: ItemView) -> impl IntoView {
    let form = use_form();
    let newest = item.contents.first();
    let rows = if form.was_posted() {
        Some(Rows::read(&form.values))
    } else {
        newest.map_or_else(
            || Some(Rows::read(&[])),
            |row| Rows::of(&serde_json::from_str::<Content>(&row.text).ok()?),
        )
    };
    let fact = match newest.filter(|row| row.state == Publication::Draft) {
        Some(row) => t!("price.write_on", n = row.number),
        None => t!("content.write_new").to_owned(),
    };
    let body = match rows {
        _ if !item.may_content => view! { <Banner>{t!("content.not_yours")}</Banner> }.into_any(),
        None => view! { <Banner tone=Tone::Warn>{t!("content.nested")}</Banner> }.into_any(),
        Some(rows) => waits_or(newest, &form, || fields(&form, &rows, &item)),
    };
    let crumbs = vec![
        (t!("nav.items").to_owned(), routes::ADMIN_ITEMS.to_owned()),
        (
            format!("{} {}", i18n::label(&item.name), item.code),
            routes::item(&item.code),
        ),
    ];
    view! {
        <PageHead title=t!("content.write") fact crumbs/>
        {body}
    }
}

/// A button of this form.
fn press(act: &str, text: &'static str, what: &str, to: String) -> AnyView {
    rows::press("content", act, text, what, to)
}

fn fields(form: &FormState, rows: &Rows, item: &ItemView) -> AnyView {
    let mut labels: Labels = vec![
        ("params".to_owned(), t!("items.params").to_owned()),
        ("takes".to_owned(), t!("content.takes").to_owned()),
    ];
    let about = about(rows, &mut labels);
    let schema = rows.schema();
    let params: Vec<_> = rows
        .params
        .iter()
        .enumerate()
        .map(|(n, row)| param(n, row, &schema, form, &mut labels))
        .collect();
    let takes: Vec<_> = (1..)
        .zip(&rows.takes)
        .map(|(n, row)| taken(n, row, &schema, &mut labels))
        .collect();
    let (number, version) = item
        .contents
        .first()
        .map_or((0, 0), |row| (row.number, row.version));
    view! {
        <ErrorSummary labels/>
        <form method="post" class="gap-6">
            // The key Enter presses the first button of a form: it shall take nothing away.
            <button class="sr" name="do" value="check" tabindex="-1" aria-hidden="true">{t!("content.check")}</button>
            <input type="hidden" name=ROW value="form"/>
            <input type="hidden" name="side" value=Side::Content.as_str()/>
            <input type="hidden" name="number" value=number.to_string()/>
            <input type="hidden" name="version" value=version.to_string()/>
            {about}
            {params}
            <FieldSet name="params" legend=t!("items.params") hide_legend=true>
                {press("param", t!("content.add_param"), "", "#f-params".to_owned())}
            </FieldSet>
            <Panel title=t!("content.takes") pad=true>
                <p class="hint">{t!("content.takes_hint")}</p>
                {takes}
                <FieldSet name="takes" legend=t!("content.takes") hide_legend=true>
                    {press("takes", t!("content.add_takes"), "", "#f-takes".to_owned())}
                </FieldSet>
            </Panel>
            <div class="acts">
                <Button kind=Kind::Main name="do" value="write">{t!("items.save")}</Button>
                <Button name="do" value="check">{t!("content.check")}</Button>
                <LinkButton href=routes::item(&item.code) kind=Kind::Bare>{t!("policy.back")}</LinkButton>
            </div>
        </form>
    }
    .into_any()
}

/// Words of a list, by the key of each.
fn words<T: ToString>(of: &[T], key: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let values = of.iter().map(ToString::to_string);
    values
        .map(|value| {
            let text = i18n::t_key(&key(&value)).into_owned();
            (value, text)
        })
        .collect()
}

/// What the item says of itself.
fn about(rows: &Rows, labels: &mut Labels) -> AnyView {
    for (name, text) in [
        ("name", t!("policy.name")),
        ("name_en", t!("policy.name_en")),
        ("summary", t!("content.summary")),
        ("summary_en", t!("content.summary_en")),
        ("family", t!("content.family")),
        ("fulfiller", t!("content.fulfiller")),
        ("max_count", t!("content.max_count")),
        ("deliver_hours", t!("content.deliver_hours")),
        ("checklist", t!("content.checklist")),
    ] {
        labels.push((name.to_owned(), text.to_owned()));
    }
    let families = words(Family::ALL, |value| format!("family.{value}"));
    let fulfillers = words(Fulfiller::ALL, |value| format!("content.by.{value}"));
    let Rows {
        called: (zh, en),
        summary: (summary, summary_en),
        family,
        fulfiller,
        max_count,
        deliver_hours,
        checklist,
        ..
    } = rows.clone();
    view! {
        <Panel title=t!("content.about") pad=true>
            <div class="steps between">
                <Field name="name" label=t!("policy.name")>
                    <TextInput value=zh width=Width::M maxlength=40_u32/>
                </Field>
                <Field name="name_en" label=t!("policy.name_en") optional=true>
                    <TextInput value=en width=Width::M maxlength=60_u32/>
                </Field>
                <Field name="family" label=t!("content.family")>
                    <Select options=families value=family width=Width::M/>
                </Field>
                <Field name="fulfiller" label=t!("content.fulfiller") hint=t!("content.fulfiller_hint")>
                    <Select options=fulfillers value=fulfiller width=Width::M/>
                </Field>
                <Field name="max_count" label=t!("content.max_count")>
                    <TextInput value=max_count width=Width::Xs maxlength=4_u32/>
                </Field>
                <Field name="deliver_hours" label=t!("content.deliver_hours")>
                    <TextInput value=deliver_hours width=Width::Xs maxlength=5_u32/>
                </Field>
            </div>
            <Field name="summary" label=t!("content.summary")>
                <TextArea value=summary rows=2 maxlength=300_u32/>
            </Field>
            <Field name="summary_en" label=t!("content.summary_en") optional=true>
                <TextArea value=summary_en rows=2 maxlength=500_u32/>
            </Field>
            <Field name="checklist" label=t!("content.checklist") hint=t!("content.checklist_hint") optional=true>
                <TextArea value=checklist rows=3 maxlength=2000_u32/>
            </Field>
        </Panel>
    }
    .into_any()
}

/// A line of text with its label.
fn text(
    name: String,
    label: &'static str,
    typed: &str,
    width: Width,
    most: u32,
    labels: &mut Labels,
    about: &str,
) -> AnyView {
    labels.push((name.clone(), format!("{about} · {label}")));
    let typed = typed.to_owned();
    view! {
        <Field name label>
            <TextInput value=typed width maxlength=most/>
        </Field>
    }
    .into_any()
}

fn param(
    n: usize,
    row: &ParamLine,
    schema: &Schema,
    form: &FormState,
    labels: &mut Labels,
) -> AnyView {
    let of = row.name.as_str();
    let number = t!("content.param_number", n = n + 1);
    let field = |name: &str| format!("{of}.{name}");
    let mut line = |name: &str, label: &'static str, typed: &str, most: u32| {
        text(field(name), label, typed, Width::M, most, labels, &number)
    };
    let named = [
        line("name", t!("policy.name"), &row.called.0, 40),
        line("name_en", t!("policy.name_en"), &row.called.1, 60),
        line("key", t!("content.key"), &row.key, 32),
        line("section", t!("content.section"), &row.section.0, 40),
        line("section_en", t!("content.section_en"), &row.section.1, 60),
        line("help", t!("content.help"), &row.help.0, 200),
        line("help_en", t!("content.help_en"), &row.help.1, 300),
    ];
    labels.push((field("type"), format!("{number} · {}", t!("items.type"))));
    let types = words(&kinds(), |value| format!("items.type.{value}"));
    let kind = row.kind.clone();
    let show = press(
        &format!("show {of}"),
        t!("price.show"),
        &number,
        place(&field("type")),
    );
    let own = own_fields(row, &number, labels);
    let before: Vec<Param> = schema.0.iter().take(n).cloned().collect();
    let when = row.when.fields(&before, &number, labels, press);
    let up = (n > 0).then(|| {
        press(
            &format!("up {of}"),
            t!("policy.up"),
            &number,
            place(&field("name")),
        )
    });
    let down = (n + 1 < schema.0.len()).then(|| {
        press(
            &format!("down {of}"),
            t!("policy.down"),
            &number,
            place(&field("name")),
        )
    });
    let remove = press(
        &format!("remove {of}"),
        t!("policy.remove"),
        &number,
        "#f-params".to_owned(),
    );
    let acts = view! { <div class="acts">{up} {down} {remove}</div> };
    let title = titled(&number, &row.called);
    let (in_type, in_required) = (field("type"), field("required"));
    // Beside those that the page shows, so that another type and back loses nothing.
    let carried = carried(row);
    let required = form.chosen(&in_required, "true", row.required);
    let of = row.name.clone();
    view! {
        <Panel title more=acts.into_any() pad=true>
            <input type="hidden" name=ROW value=of/>
            {carried}
            <div class="steps">{named.into_iter().collect_view()}</div>
            <div class="steps between">
                <Field name=in_type label=t!("items.type")>
                    <Select options=types value=kind width=Width::M/>
                </Field>
                {show}
            </div>
            {own}
            <div class="between">
                <Check name=in_required value="true" checked=required>{t!("content.required")}</Check>
            </div>
            {when}
        </Panel>
    }
    .into_any()
}

/// Fields of a row that only some types have, with what was typed in them.
fn of_types(row: &ParamLine) -> [(&'static str, &str, &'static [&'static str]); 8] {
    let [min, max, step] = &row.range;
    [
        ("min", min, &[INTEGER]),
        ("max", max, &[INTEGER]),
        ("step", step, &[INTEGER]),
        ("unit", &row.unit, &[INTEGER]),
        ("default", &row.default, &[INTEGER, CHOICE, FLAG]),
        ("options", &row.options, &[CHOICE]),
        ("items", &row.items, &[ATTACH]),
        (
            "max_chars",
            &row.max_chars,
            &["line", "paragraph", "hostname", "ssh_key"],
        ),
    ]
}

fn carried(row: &ParamLine) -> Vec<AnyView> {
    of_types(row)
        .into_iter()
        .filter(|(_, _, types)| !types.contains(&row.kind.as_str()))
        .map(|(field, typed, _)| {
            let (name, value) = (format!("{}.{field}", row.name), typed.to_owned());
            view! { <input type="hidden" name=name value=value/> }.into_any()
        })
        .collect()
}

/// The fields of a parameter's type.
fn own_fields(row: &ParamLine, about: &str, labels: &mut Labels) -> AnyView {
    let field = |name: &str| format!("{}.{name}", row.name);
    let typed = row.default.clone();
    match row.kind.as_str() {
        INTEGER => {
            let [min, max, step] = &row.range;
            let mut short = |name: &str, label: &'static str, typed: &str| {
                text(field(name), label, typed, Width::S, 12, labels, about)
            };
            let numbers = [
                short("min", t!("content.min"), min),
                short("max", t!("content.max"), max),
                short("step", t!("content.step"), step),
                short("default", t!("items.default"), &typed),
            ];
            let name = field("unit");
            labels.push((name.clone(), format!("{about} · {}", t!("items.unit"))));
            let units = words(Unit::ALL, |value| format!("items.unit.{value}"));
            let unit = row.unit.clone();
            view! {
                <div class="steps">
                    {numbers.into_iter().collect_view()}
                    <Field name label=t!("items.unit")>
                        <Select options=units value=unit width=Width::S/>
                    </Field>
                </div>
            }
            .into_any()
        }
        CHOICE => {
            let name = field("options");
            labels.push((name.clone(), format!("{about} · {}", t!("content.options"))));
            let options = row.options.clone();
            let default = text(
                field("default"),
                t!("content.default_option"),
                &typed,
                Width::M,
                60,
                labels,
                about,
            );
            view! {
                <Field name label=t!("content.options") hint=t!("content.options_hint")>
                    <TextArea value=options rows=4 maxlength=4000_u32/>
                </Field>
                {default}
            }
            .into_any()
        }
        FLAG => {
            let (name, checked) = (field("default"), typed == "true");
            view! { <Check name value="true" checked>{t!("content.default_yes")}</Check> }
                .into_any()
        }
        ATTACH => text(
            field("items"),
            t!("content.items"),
            &row.items,
            Width::L,
            200,
            labels,
            about,
        ),
        _ => text(
            field("max_chars"),
            t!("content.max_chars"),
            &row.max_chars,
            Width::S,
            6,
            labels,
            about,
        ),
    }
}

/// What a piece takes from one dimension.
fn taken(n: usize, row: &TakesLine, schema: &Schema, labels: &mut Labels) -> AnyView {
    let of = row.name.clone();
    let number = t!("content.takes_number", n = n);
    let (in_dimension, in_quantity) = (format!("{of}.dimension"), format!("{of}.quantity"));
    labels.push((
        in_dimension.clone(),
        format!("{number} · {}", t!("content.dimension")),
    ));
    labels.push((
        in_quantity.clone(),
        format!("{number} · {}", t!("price.quantity")),
    ));
    // The fee is counted from the price, whatever the item says.
    let dimensions: Vec<_> = Dimension::ALL
        .iter()
        .filter(|one| **one != Dimension::MonthlyFee)
        .copied()
        .collect();
    let dimensions = words(&dimensions, |value| format!("dimension.{value}"));
    let (dimension, quantity) = (row.dimension.clone(), row.quantity.clone());
    let counted = quantities(schema, &quantity);
    let when = row.when.fields(&schema.0, &number, labels, press);
    let remove = press(
        &format!("remove {of}"),
        t!("policy.remove"),
        &number,
        "#f-takes".to_owned(),
    );
    view! {
        <div class="line-top between">
            <input type="hidden" name=ROW value=of/>
            <div class="split between">
                <h3>{number}</h3>
                {remove}
            </div>
            <div class="steps">
                <Field name=in_dimension label=t!("content.dimension")>
                    <Select options=dimensions value=dimension width=Width::M/>
                </Field>
                <Field name=in_quantity label=t!("price.quantity")>
                    <Select options=counted value=quantity width=Width::M/>
                </Field>
            </div>
            {when}
        </div>
    }
    .into_any()
}

/// The posts of the form.
pub mod ssr {
    use super::{ROW, Rows};
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::cx,
    };
    use lingbao_core::{error::ServiceError, service::item};
    use lingbao_model::{msg::Msg, view::item::Side};

    /// Checks, changes rows, or writes.
    ///
    /// # Errors
    /// The page again, with everything typed and the messages.
    pub async fn post(form: Posted) -> Result<Done, Refused> {
        let code = form.param("code").to_owned();
        let mut rows = Rows::read(&form.values);
        match form.value("do") {
            "check" => Err(Refused::Again(rows.content().err().unwrap_or_default())),
            "write" => {
                let content = rows.content()?;
                let text = serde_json::to_string(&content)
                    .map_err(|e| ServiceError::internal("content of an item", e))?;
                let whole = |name: &str| form.value(name).parse::<i64>().unwrap_or(0);
                let seen = (whole("number"), whole("version"));
                item::write(&cx()?, &code, Side::Content, seen, &text).await?;
                Ok(Done::to(routes::item(&code)).say(Msg::new("items.said.written")))
            }
            act => {
                let Some(mut values) = rows.press(act) else {
                    return Err(Refused::Problem(ApiError::not_found()));
                };
                let names = rows.names().into_iter();
                values.extend(names.map(|name| (ROW.to_owned(), name)));
                Err(Refused::Amended(values, Vec::new()))
            }
        }
    }
}
