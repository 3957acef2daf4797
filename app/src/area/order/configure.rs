//! The form of one item, generated from its schema. The panel beside it is computed by the model's
//! own code: in the browser while one types, on the server at the button 计算.

use crate::{
    error::ApiError,
    form::{FormId, use_form},
    i18n,
    island::{OrderPanel, cells, first_cell, monthly, when},
    routes, t,
    ui::*,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use lingbao_model::{
    param::{Kind as ParamKind, Param, TextShape, Typed},
    view::request::ConfigureView,
};

/// The form of an item for the current cart, or of a line that is changed.
///
/// # Errors
/// `NotFound`.
#[server(name = GetConfigure, prefix = "/fn", endpoint = "order/configure", output = crate::json::Json)]
pub async fn get_configure(
    code: String,
    cart: String,
    line: String,
) -> Result<ConfigureView, ApiError> {
    use lingbao_core::service::cart as carts;
    let cx = crate::ssr::cx()?;
    if !line.is_empty() {
        return Ok(carts::edit_line(&cx, &crate::ssr::id(&cart)?, &crate::ssr::id(&line)?).await?);
    }
    let cart = if cart.is_empty() {
        None
    } else {
        Some(crate::ssr::id(&cart)?)
    };
    Ok(carts::configure(&cx, cart.as_ref(), &code).await?)
}

/// The page.
#[component]
pub fn Configure() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let asked = Memo::new(move |_| {
        let code = params.with(|p| p.get("code").unwrap_or_default());
        query.with(|q| {
            (
                code,
                q.get("cart").unwrap_or_default(),
                q.get("line").unwrap_or_default(),
            )
        })
    });
    let view = Resource::new(
        move || asked.get(),
        |(code, cart, line)| get_configure(code, cart, line),
    );
    page_of(view, |view| view! { <Form view/> }.into_any())
}

/// What is typed now: the fields of a bad post, or what the page proposes.
fn begin(view: &ConfigureView) -> Typed {
    let form = use_form();
    if form.was_posted() {
        return form.values.into_iter().collect();
    }
    let mut typed = view.form.typed.clone();
    for (key, answer) in &view.offer.content.schema.defaults().0 {
        typed.entry(key.clone()).or_insert_with(|| answer.typed());
    }
    typed.insert("cell".into(), first_cell(view));
    let or = |text: &str, other: &str| {
        if text.is_empty() {
            other.to_owned()
        } else {
            text.to_owned()
        }
    };
    typed.insert("count".into(), or(&view.form.count, "1"));
    typed.insert("term_months".into(), or(&view.form.term_months, "12"));
    typed.insert("name".into(), view.form.name.clone());
    typed
}

#[component]
fn Form(view: ConfigureView) -> impl IntoView {
    let begun = begin(&view);
    let name = i18n::label(&view.offer.content.name);
    let crumbs = vec![(
        t!("nav.catalogue").to_owned(),
        routes::catalogue(view.cart.as_str()),
    )];
    let summary = i18n::label(&view.offer.content.summary);
    let params = &view.offer.content.schema.0;
    let labels = params
        .iter()
        .map(|p| (p.key.clone(), i18n::label(&p.label)))
        .collect();
    view! {
        <PageHead title=t!("order.title", item = name) fact=summary crumbs/>
        <ErrorSummary labels/>
        <form class="cols" method="post" id=ORDER>
            <Enter act="try"/>
            <div class="panel">
                <FormId/>
                <input type="hidden" name="cart" value=view.cart.to_string()/>
                <input type="hidden" name="version" value=view.version.to_string()/>
                <input type="hidden" name="line" value=view.line.as_ref().map(ToString::to_string)/>
                <Fields view=view.clone() begun=begun.clone()/>
            </div>
            <OrderPanel form=ORDER.to_owned() view begun/>
        </form>
    }
}

/// Id of the page's one form.
const ORDER: &str = "order";

#[component]
fn Fields(view: ConfigureView, begun: Typed) -> impl IntoView {
    let value = |key: &str| begun.get(key).cloned().unwrap_or_default();
    let (name, count, term) = (
        value("name"),
        value("count").parse().unwrap_or(1),
        value("term_months").parse().unwrap_or(12),
    );
    let placed = view.offer.content.placed;
    let zones = view.surroundings.zones.clone();
    let all = cells(&view);
    let chosen = value("cell");
    let place = zones
        .into_iter()
        .map(|zone| {
            let own: Vec<_> = all.iter().filter(|c| c.0.zone == zone.id).cloned().collect();
            let chosen = chosen.clone();
            view! {
                <p class="zone"><b>{i18n::label(&zone.name)}</b>" "<span class="sub">{i18n::label(&zone.hint)}</span></p>
                <Choices two=true>
                    {own
                        .into_iter()
                        .map(|(cell, pool, why)| {
                            let text = cell.to_string();
                            let title = format!("{} · {}", i18n::label(&pool), i18n::msg(&cell.level.msg()));
                            let note = why.as_ref().map(i18n::msg).unwrap_or_default();
                            view! { <Choice name="cell" checked=text == chosen value=text title note disabled=why.is_some()/> }
                        })
                        .collect_view()}
                </Choices>
            }
        })
        .collect_view();
    let mut sections: Vec<(String, Vec<Param>)> = Vec::new();
    for param in &view.offer.content.schema.0 {
        let title = param
            .section
            .as_ref()
            .map_or_else(|| t!("order.parameters").to_owned(), i18n::label);
        match sections.iter_mut().find(|s| s.0 == title) {
            Some(section) => section.1.push(param.clone()),
            None => sections.push((title, vec![param.clone()])),
        }
    }
    let schema = view.offer.content.schema.clone();
    let targets = view.targets.clone();
    let fields = sections
        .into_iter()
        .map(|(title, params)| {
            let inner = params
                .into_iter()
                .map(|param| {
                    let field = field(
                        &param,
                        begun.get(&param.key).cloned().unwrap_or_default(),
                        &targets,
                    );
                    // The panel hides what the other answers leave out.
                    let (when, key) = (when(&param, &schema), param.key);
                    view! { <div class="when" data-param=key>{field}{when}</div> }
                })
                .collect_view();
            view! { <FormSection title>{inner}</FormSection> }
        })
        .collect_view();
    let max = view.offer.content.max_count;
    let (how_many, term) = if monthly(&view) {
        let term = view! {
            <Field name="term_months" label=t!("order.term") hint=t!("order.term_hint")>
                <NumberStepper label=t!("order.term") unit=t!("order.months") value=term min=1 max=12/>
            </Field>
        };
        (t!("order.how_many"), term.into_any())
    } else {
        let term = view! { <input type="hidden" name="term_months" value=term.to_string()/> };
        (t!("order.count"), term.into_any())
    };
    view! {
        {placed
            .then(|| {
                view! {
                    <FormSection title=t!("order.where") note=t!("order.where_note")>
                        <FieldSet name="cell" legend=t!("order.where") hide_legend=true>{place}</FieldSet>
                    </FormSection>
                }
            })}
        {fields}
        <FormSection title=how_many>
            <Field name="name" label=t!("order.name") hint=t!("order.name_hint") optional=true>
                <TextInput value=name width=Width::M maxlength=40_u32/>
            </Field>
            <Field name="count" label=t!("order.count")>
                <NumberStepper label=t!("order.count") value=count min=1 max=max/>
            </Field>
            {term}
        </FormSection>
    }
}

/// One generated field.
fn field(
    param: &Param,
    value: String,
    targets: &[lingbao_model::view::request::Target],
) -> AnyView {
    if matches!(param.kind, ParamKind::Flag { .. }) {
        return control(param, value, targets);
    }
    let (label, name) = (i18n::label(&param.label), param.key.clone());
    let optional = !param.required;
    let (owned, targets) = (param.clone(), targets.to_vec());
    // The control is made inside its field: there it finds name, hint and message.
    let hint = param.help.as_ref().map(i18n::label).or_else(|| {
        matches!(param.kind, ParamKind::Attach { .. }).then(|| t!("order.attach_hint").into())
    });
    match hint {
        Some(hint) => view! { <Field name label hint=hint optional>{control(&owned, value, &targets)}</Field> }.into_any(),
        None => view! { <Field name label optional>{control(&owned, value, &targets)}</Field> }.into_any(),
    }
}

/// What is typed or chosen.
fn control(
    param: &Param,
    value: String,
    targets: &[lingbao_model::view::request::Target],
) -> AnyView {
    let label = i18n::label(&param.label);
    let key = param.key.clone();
    match &param.kind {
        ParamKind::Integer {
            min,
            max,
            step,
            unit,
            default,
        } => {
            let unit = i18n::t_key(&format!("measure.{unit}")).into_owned();
            let value = lingbao_model::text::parse_integer(&value).unwrap_or(*default);
            view! { <NumberStepper label=label.clone() unit value min=*min max=*max by=*step/> }
                .into_any()
        }
        ParamKind::Choice { options, .. } => {
            let options: Vec<Opt> = options
                .iter()
                .map(|o| (o.value.clone(), i18n::label(&o.label)))
                .collect();
            // What does not fit side by side is a list.
            let width: usize = options.iter().map(|o| o.1.chars().count()).sum();
            if options.len() <= 4 && width <= 24 {
                view! { <Seg name=key.clone() options value/> }.into_any()
            } else {
                view! { <Select options value width=Width::M/> }.into_any()
            }
        }
        ParamKind::Text {
            shape: TextShape::Paragraph,
            max_chars,
        } => {
            let most = u32::try_from(*max_chars).unwrap_or(4000);
            view! { <TextArea value maxlength=most/> }.into_any()
        }
        ParamKind::Text { max_chars, .. } => {
            let most = u32::try_from(*max_chars).unwrap_or(4000);
            view! { <TextInput value maxlength=most/> }.into_any()
        }
        // A flag is its own label.
        ParamKind::Flag { .. } => {
            let checked = value == "true";
            view! { <Check name=key value="true" checked=checked>{label}</Check> }.into_any()
        }
        ParamKind::Attach { .. } => {
            let mut options: Vec<Opt> = vec![(String::new(), t!("order.no_target").into())];
            options.extend(targets.iter().map(|t| {
                (
                    t.line.to_string(),
                    format!("{} {} × {}", t.position, t.name, t.count),
                )
            }));
            view! { <Select options value width=Width::M/> }.into_any()
        }
    }
}

/// The post of the page.
pub mod ssr {
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::{
        Cx,
        service::{cart, catalogue},
    };
    use lingbao_model::{
        id::RequestId, msg::Msg, param::Kind as ParamKind, view::request::LineForm,
    };

    /// Puts the line into the cart, or only computes.
    ///
    /// # Errors
    /// The page again, with everything typed and the messages.
    pub async fn put(form: Posted) -> Result<Done, Refused> {
        let cx = cx()?;
        let own: RequestId = id(form.value("cart"))?;
        let line = if form.value("line").is_empty() {
            None
        } else {
            Some(id(form.value("line"))?)
        };
        let typed = LineForm {
            item: form.param("code").to_owned(),
            name: form.value("name").to_owned(),
            cell: form.value("cell").to_owned(),
            count: form.value("count").to_owned(),
            term_months: form.value("term_months").to_owned(),
            typed: form.values.iter().cloned().collect(),
            ..LineForm::default()
        };
        if !form.value("step").is_empty() {
            return Err(Refused::Show(vec![stepped(&cx, &form).await?]));
        }
        if form.value("do") == "try" {
            let tried = cart::try_line(&cx, &own, line.as_ref(), &typed).await?;
            return Err(tried.errors.into());
        }
        let version: i64 = form.value("version").parse().unwrap_or(0);
        let sent = form.form_id();
        cart::put_line_by(&cx, &own, version, line.as_ref(), &typed, sent).await?;
        Ok(Done::to(format!("{}/{own}", routes::CART)).say(Msg::new("order.said.put")))
    }

    /// What one press on a stepper makes of its number, where no script does it.
    async fn stepped(cx: &Cx, form: &Posted) -> Result<(String, String), Refused> {
        let (name, sign) = match form.value("step") {
            pressed if pressed.ends_with('-') => (pressed.trim_end_matches('-'), -1),
            pressed => (pressed.trim_end_matches('+'), 1),
        };
        let offer = catalogue::offer(cx, form.param("code")).await?;
        let (min, max, by) = match (name, offer.content.schema.get(name).map(|p| &p.kind)) {
            ("count", _) => (1, offer.content.max_count, 1),
            ("term_months", _) => (1, 12, 1),
            (_, Some(ParamKind::Integer { min, max, step, .. })) => (*min, *max, *step),
            _ => return Err(ApiError::not_found().into()),
        };
        let now = lingbao_model::text::parse_integer(form.value(name)).unwrap_or(min);
        let value = crate::ui::step(now, sign * by, min, max);
        Ok((name.to_owned(), value.to_string()))
    }
}
