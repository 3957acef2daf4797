//! The form of one item, generated from its schema. The panel beside it is computed by the model's
//! own code: in the browser while one types, on the server at the button 计算.

use super::panel;
use crate::{
    error::ApiError,
    form::{FormId, use_form},
    i18n, routes, t,
    ui::*,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use lingbao_model::{
    id::RequestItemId,
    msg::{Label, Msg},
    param::{Answers, Kind as ParamKind, Param, TextShape, Typed},
    placement::{Level, Placement},
    quota::Consumption,
    request::Line,
    verdict::{self, Verdict},
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

/// The cell of the line that is changed, or the first legal one for the level of the cart's system.
fn first_cell(view: &ConfigureView) -> String {
    if !view.form.cell.is_empty() {
        return view.form.cell.clone();
    }
    let wanted = level(view);
    let cells = cells(view);
    let legal = |c: &&(Placement, Label, Option<Msg>)| c.2.is_none();
    cells
        .iter()
        .filter(legal)
        .find(|c| wanted.is_none_or(|level| c.0.level == level))
        .or_else(|| cells.iter().find(legal))
        .map(|c| c.0.to_string())
        .unwrap_or_default()
}

/// The level of the cart's system.
fn level(view: &ConfigureView) -> Option<Level> {
    let system = view.system.as_ref()?;
    let found = view.systems.iter().find(|s| s.id == *system)?;
    Some(found.level)
}

/// Every cell of zone × level × pool whose pool stands in the zone: the pool's name, and why it is
/// closed; also those that are too low for the cart's system.
fn cells(view: &ConfigureView) -> Vec<(Placement, Label, Option<Msg>)> {
    let mut cells = Vec::new();
    let least = level(view).unwrap_or(Level::Two);
    let too_low = || Msg::new("placement.level_too_low").with("level", least.msg());
    for zone in &view.surroundings.zones {
        for level in Level::ALL {
            for pool in view.surroundings.pools.iter().filter(|p| p.zone == zone.id) {
                let cell = Placement {
                    zone: zone.id.clone(),
                    level: *level,
                    pool: pool.id.clone(),
                };
                let closed = pool.accepts(zone, *level).err();
                let why = closed.or_else(|| (*level < least).then(too_low));
                cells.push((cell, pool.name.clone(), why));
            }
        }
    }
    cells
}

/// The line as it is typed, as far as it can be read, and what it takes.
fn line_of(view: &ConfigureView, typed: &Typed) -> Line {
    let answers: Answers = match view.offer.content.schema.read(typed) {
        Ok(answers) | Err((answers, _)) => answers,
    };
    let number = |key: &str, or: i64| {
        typed
            .get(key)
            .and_then(|t| lingbao_model::text::parse_integer(t))
            .unwrap_or(or)
    };
    let count = number("count", 1).clamp(1, view.offer.content.max_count);
    let placement = view.offer.content.placed.then(|| {
        let cell = typed.get("cell").map_or("", String::as_str);
        cells(view)
            .into_iter()
            .map(|c| c.0)
            .find(|c| c.to_string() == cell)
    });
    let quote = view.offer.price.quote(&answers, count);
    Line {
        id: view.line.clone().unwrap_or_else(preview_id),
        position: i64::try_from(view.others.len()).unwrap_or(0) + 1,
        version: view.offer.version_id.clone(),
        code: view.offer.code.clone(),
        kind: view.offer.content.fulfiller,
        item_name: view.offer.content.name.clone(),
        name: typed.get("name").cloned().unwrap_or_default(),
        placement: placement.flatten(),
        answers,
        count,
        term_months: number("term_months", 12),
        attach_to: None,
        price_version: view.offer.price_version,
        quote,
    }
}

/// The id of a line that is not in the cart yet; the server gives it a real one.
fn preview_id() -> RequestItemId {
    use lingbao_model::{
        id::{Id, SiteCode},
        time::Timestamp,
    };
    // The default site code is valid by construction.
    RequestItemId::generate(&SiteCode::default(), Timestamp::default(), 0)
}

/// The line, what becomes of it, and what is not filled in yet.
fn judge(view: &ConfigureView, typed: &Typed) -> (Line, Verdict, Option<Msg>) {
    let line = line_of(view, typed);
    let mut lines: Vec<Line> = view.others.iter().map(|o| o.0.clone()).collect();
    let own = lines.len();
    lines.push(line.clone());
    let rules: Vec<Consumption> = view
        .others
        .iter()
        .map(|o| o.1.clone())
        .chain([view.offer.content.consumption.clone()])
        .collect();
    let at = |l: &Line| lines.iter().position(|o| std::ptr::eq(o, l));
    let consumption = |l: &Line| at(l).or(Some(own)).and_then(|i| rules.get(i).cloned());
    let verdict = verdict::judge(
        &lines,
        consumption,
        &view.surroundings,
        view.with_quota_change,
    );
    let missing = view
        .offer
        .content
        .schema
        .read(typed)
        .err()
        .map(|(_, wrong)| {
            let n = i64::try_from(wrong.len()).unwrap_or(0);
            Msg::new("order.wrong").with("n", n)
        });
    (line, verdict, missing)
}

#[component]
fn Form(view: ConfigureView) -> impl IntoView {
    let typed = RwSignal::new(begin(&view));
    let live = RwSignal::new(false);
    Effect::new(move |_| live.set(true));
    let name = i18n::label(&view.offer.content.name);
    let crumbs = vec![(
        t!("nav.catalogue").to_owned(),
        routes::catalogue(view.cart.as_str()),
    )];
    let summary = i18n::label(&view.offer.content.summary);
    let stored = StoredValue::new(view.clone());
    let params = &view.offer.content.schema.0;
    let labels = params
        .iter()
        .map(|p| (p.key.clone(), i18n::label(&p.label)))
        .collect();
    let judged =
        Memo::new(move |_| stored.with_value(|view| typed.with(|typed| judge(view, typed))));
    let pools: Vec<_> = view
        .surroundings
        .pools
        .iter()
        .map(|p| (p.id.clone(), p.name.clone()))
        .collect();
    let sum = Signal::derive(move || {
        let quote = judged.get().0.quote;
        if quote.month.fen() == 0 {
            quote.once.yuan()
        } else {
            quote.month.yuan()
        }
    });
    // What is paid once has neither a year nor a trial run.
    let (unit, total) = if panel::monthly(&view) {
        let year =
            Signal::derive(move || t!("order.year", amount = judged.get().0.quote.year().yuan()));
        let unit = t!("order.month_unit");
        (unit, view! { <Sum amount=sum unit note=year/> }.into_any())
    } else {
        let unit = t!("order.once_unit");
        (unit, view! { <Sum amount=sum unit/> }.into_any())
    };
    let price = Signal::derive(move || panel::price_lines(&judged.get().0.quote));
    let save = if view.line.is_some() {
        t!("order.save_line")
    } else {
        t!("order.add")
    };
    let note = Signal::derive(move || {
        match judged.get() {
            (_, verdict, _) if !verdict.passes() => t!("order.blocked"),
            (_, _, Some(_)) => t!("order.unfinished"),
            _ => t!("order.passes"),
        }
        .to_owned()
    });
    view! {
        <PageHead title=t!("order.title", item = name) fact=summary crumbs/>
        <ErrorSummary labels/>
        <form class="cols" method="post" on:input=move |event| read(&event, typed)>
            <Enter act="try"/>
            <div class="panel">
                <FormId/>
                <input type="hidden" name="cart" value=view.cart.to_string()/>
                <input type="hidden" name="version" value=view.version.to_string()/>
                <input type="hidden" name="line" value=view.line.as_ref().map(ToString::to_string)/>
                <Fields view=view.clone() typed live/>
            </div>
            <PricePanel label=t!("order.panel")>
                <PricePart title=t!("order.this") live=true>
                    {total}
                </PricePart>
                <PricePart>
                    <PriceLines caption=t!("order.lines") lines=price/>
                </PricePart>
                {move || {
                    let (_, verdict, missing) = judged.get();
                    panel::verdict(&verdict, missing.iter().map(i18n::msg).collect(), &pools)
                }}
                <PricePart>
                    <Button kind=Kind::Main name="do" value="put">{save}</Button>
                    <Button name="do" value="try">{t!("order.compute")}</Button>
                </PricePart>
            </PricePanel>
            <BuyBar label=t!("order.panel") amount=sum unit=unit note>
                <Button kind=Kind::Main name="do" value="put">{save}</Button>
            </BuyBar>
        </form>
    }
}

/// What the form holds after a key was pressed.
#[cfg(feature = "hydrate")]
fn read(event: &leptos::ev::Event, typed: RwSignal<Typed>) {
    use wasm_bindgen::JsCast;
    let target = event
        .target()
        .and_then(|t| t.dyn_into::<web_sys::Element>().ok());
    let form = target
        .and_then(|t| t.closest("form").ok().flatten())
        .and_then(|f| f.dyn_into::<web_sys::HtmlFormElement>().ok());
    let Some(data) = form.and_then(|form| web_sys::FormData::new_with_form(&form).ok()) else {
        return;
    };
    let mut now = Typed::new();
    for pair in data.entries().into_iter().flatten() {
        let pair = js_sys::Array::from(&pair);
        if let (Some(name), Some(value)) = (pair.get(0).as_string(), pair.get(1).as_string()) {
            now.insert(name, value);
        }
    }
    typed.set(now);
}

#[cfg(not(feature = "hydrate"))]
fn read(_: &leptos::ev::Event, _: RwSignal<Typed>) {}

#[component]
fn Fields(view: ConfigureView, typed: RwSignal<Typed>, live: RwSignal<bool>) -> impl IntoView {
    let begun = typed.get_untracked();
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
    let schema = StoredValue::new(view.offer.content.schema.clone());
    let targets = view.targets.clone();
    let fields = sections
        .into_iter()
        .map(|(title, params)| {
            let inner = params
                .into_iter()
                .map(|param| {
                    let shown = param.clone();
                    let away = move || {
                        live.get()
                            && !schema.with_value(|schema| {
                                let answers = typed.with(|typed| match schema.read(typed) {
                                    Ok(answers) | Err((answers, _)) => answers,
                                });
                                shown.applies(&answers)
                            })
                    };
                    let field = field(
                        &param,
                        begun.get(&param.key).cloned().unwrap_or_default(),
                        &targets,
                    );
                    let when = schema.with_value(|all| panel::when(&param, all, live));
                    view! { <div class="when" hidden=away>{field}{when}</div> }
                })
                .collect_view();
            view! { <FormSection title>{inner}</FormSection> }
        })
        .collect_view();
    let max = view.offer.content.max_count;
    let (how_many, term) = if panel::monthly(&view) {
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
#[cfg(feature = "ssr")]
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
