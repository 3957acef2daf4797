//! The form that changes a resource: another size, a larger disk, another backup plan, a longer term;
//! and that of a returned request for a disk out of a snapshot. What becomes of it is computed on the server: at the button 计算, and with scripts while one types.

use super::words::{day, way};
use crate::{
    error::ApiError,
    facts,
    form::{FormId, use_form},
    i18n, routes, t,
    ui::{Amounts as Bar, Verdict as VerdictBox, *},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use lingbao_model::{
    change::What,
    param::{Kind as ParamKind, Param, Typed},
    quota::Change as QuotaChange,
    request::MAX_TERM_MONTHS,
    view::request::{ChangeView, TriedChange},
};

/// The form for a resource, or for a returned change of it.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Conflict` when it can't be changed now.
#[server(name = GetChange, prefix = "/fn", endpoint = "resources/change", output = crate::json::Json)]
pub async fn get_change(id: String, what: String, request: String) -> Result<ChangeView, ApiError> {
    use lingbao_core::service::{notice, request::change};
    let cx = crate::ssr::cx()?;
    let led = routes::change(&id, &what, "");
    let what = what.parse().map_err(|_| ApiError::not_found().answered())?;
    let request = ssr::supplement(&request)?;
    notice::seen(&cx, &led).await;
    Ok(change::form(&cx, &crate::ssr::id(&id)?, what, request.as_ref()).await?)
}

/// What would become of the change as it is typed; `typed` is a JSON object of its fields.
///
/// # Errors
/// As [`get_change`].
#[server(name = TryChange, prefix = "/fn", endpoint = "resources/change-try", output = crate::json::Json)]
pub async fn try_change(
    id: String,
    what: String,
    request: String,
    typed: String,
) -> Result<TriedChange, ApiError> {
    use lingbao_core::service::request::change;
    let cx = crate::ssr::cx()?;
    let what = what.parse().map_err(|_| ApiError::not_found().answered())?;
    let form = lingbao_model::view::request::ChangeForm {
        what,
        typed: serde_json::from_str(&typed).map_err(|_| ApiError::not_found().answered())?,
        reason: String::new(),
    };
    let request = ssr::supplement(&request)?;
    Ok(change::try_it(&cx, &crate::ssr::id(&id)?, &form, request.as_ref()).await?)
}

/// The page.
#[component]
pub fn ChangePage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let asked = Memo::new(move |_| {
        let id = params.with(|p| p.get("id").unwrap_or_default());
        query.with(|q| {
            (
                id,
                q.get("what").unwrap_or_else(|| "renew".to_owned()),
                q.get("request").unwrap_or_default(),
            )
        })
    });
    let view = Resource::new(
        move || asked.get(),
        |(id, what, request)| get_change(id, what, request),
    );
    page_of(view, |view| view! { <Form view/> }.into_any())
}

/// What is typed now: the fields of a bad post, or what the page proposes.
fn begin(view: &ChangeView) -> Typed {
    let form = use_form();
    if form.was_posted() {
        return form.values.into_iter().collect();
    }
    view.form.typed.clone()
}

#[component]
fn Form(view: ChangeView) -> impl IntoView {
    let begun = begin(&view);
    let typed = RwSignal::new(begun.clone());
    let (id, what) = (view.resource.to_string(), view.what);
    let request = view
        .request
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let asked = {
        let (id, request) = (id.clone(), request.clone());
        let keys: Vec<String> = view.params.iter().map(|p| p.key.clone()).collect();
        move || {
            let asked = |key: &String| {
                matches!(key.as_str(), "months" | "name" | "snapshot") || keys.contains(key)
            };
            let mut typed = typed.get();
            typed.retain(|key, _| asked(key));
            let typed = serde_json::to_string(&typed).unwrap_or_default();
            (id.clone(), request.clone(), typed)
        }
    };
    let tried = Resource::new(asked, move |(id, request, typed)| {
        try_change(id, what.to_string(), request, typed)
    });
    let labels = view
        .params
        .iter()
        .map(|p| (p.key.clone(), i18n::label(&p.label)))
        .chain([
            ("months".to_owned(), t!("change.months").to_owned()),
            ("reason".to_owned(), t!("change.reason").to_owned()),
        ])
        .collect();
    let crumbs = vec![
        (t!("nav.resources").to_owned(), routes::RESOURCES.to_owned()),
        (view.name.clone(), routes::resource(&id)),
    ];
    let title = i18n::t_key(&format!("resources.{what}")).into_owned();
    let title = format!("{title} · {}", view.name);
    let fact = facts::joined([i18n::label(&view.item_name), facts::line(&view.facts)]);
    let asked = view.asked.as_ref().map(|opinion| {
        let text = format!("{}: {}", opinion.by_name, opinion.text);
        view! { <Banner tone=Tone::Warn>{text}</Banner> }
    });
    let reason = begun
        .get("reason")
        .cloned()
        .unwrap_or_else(|| view.form.reason.clone());
    let note = (what == What::Resize)
        .then(|| view! { <p class="hint hint-after">{t!("change.restart")}</p> });
    let fields = fields(&view, &begun);
    let (section, submit) = match what {
        What::Restore => (t!("restore.title"), t!("restore.ask")),
        _ => (t!("change.section"), t!("change.submit")),
    };
    view! {
        <PageHead title fact crumbs/>
        {asked}
        <ErrorSummary labels/>
        <form class="cols" method="post" on:input=move |event| read(&event, typed)>
            <Enter act="try"/>
            <div class="panel">
                <FormId/>
                <input type="hidden" name="what" value=what.to_string()/>
                <input type="hidden" name="request" value=request/>
                <input type="hidden" name="version" value=view.version.to_string()/>
                <FormSection title=section>
                    {fields}
                    {note}
                    <Field name="reason" label=t!("change.reason") hint=t!("change.reason_hint")>
                        <TextArea value=reason maxlength=500_u32/>
                    </Field>
                </FormSection>
            </div>
            <PricePanel label=t!("order.panel")>
                <Transition>
                    {move || Suspend::new(async move {
                        match tried.await {
                            Ok(tried) => effect(&tried),
                            Err(error) => view! { <PricePart><ErrorBanner error/></PricePart> }.into_any(),
                        }
                    })}
                </Transition>
                <PricePart>
                    <Button kind=Kind::Main name="do" value="submit">{submit}</Button>
                    <Button name="do" value="try">{t!("order.compute")}</Button>
                </PricePart>
            </PricePanel>
        </form>
    }
}

fn fields(view: &ChangeView, begun: &Typed) -> AnyView {
    let text = |key: &str| begun.get(key).map_or("", String::as_str);
    if view.what == What::Renew {
        let months = lingbao_model::text::parse_integer(text("months")).unwrap_or(MAX_TERM_MONTHS);
        return view! {
            <Field name="months" label=t!("change.months") hint=t!("change.months_hint")>
                <NumberStepper label=t!("change.months") unit=t!("order.months") value=months min=1 max=MAX_TERM_MONTHS/>
            </Field>
        }
        .into_any();
    }
    if view.what == What::Restore {
        // The price that is agreed to is the one that stands beside the form.
        let month = view.tried.change.month_after.fen().to_string();
        let (snapshot, name) = (text("snapshot").to_owned(), text("name").to_owned());
        return view! {
            <input type="hidden" name="snapshot" value=snapshot/>
            <input type="hidden" name="month" value=month/>
            <Field name="name" label=t!("restore.name") hint=t!("restore.name_hint")>
                <TextInput value=name maxlength=40_u32/>
            </Field>
        }
        .into_any();
    }
    view.params
        .iter()
        .map(|param| part(param, text(&param.key)))
        .collect_view()
        .into_any()
}

/// A number or a choice: nothing else of what runs can be changed.
fn part(param: &Param, now: &str) -> AnyView {
    let (name, label) = (param.key.clone(), i18n::label(&param.label));
    match &param.kind {
        ParamKind::Integer {
            min,
            max,
            step,
            unit,
            default,
        } => {
            let (min, max, step) = (*min, *max, *step);
            let unit = i18n::t_key(&format!("measure.{unit}")).into_owned();
            let value = lingbao_model::text::parse_integer(now).unwrap_or(*default);
            view! {
                <Field name label=label.clone()>
                    <NumberStepper label=label.clone() unit value min max by=step/>
                </Field>
            }
            .into_any()
        }
        ParamKind::Choice { options, default } => {
            let value = if now.is_empty() { default } else { now }.to_owned();
            let options: Vec<Opt> = options
                .iter()
                .map(|option| (option.value.clone(), i18n::label(&option.label)))
                .collect();
            view! { <Field name=name.clone() label><Seg name options value/></Field> }.into_any()
        }
        ParamKind::Text { .. } | ParamKind::Flag { .. } | ParamKind::Attach { .. } => ().into_any(),
    }
}

/// Before and after, the difference, the quota, the verdict, who will approve.
fn effect(tried: &TriedChange) -> AnyView {
    let change = &tried.change;
    let rows = facts::steps(change);
    let difference = change.difference();
    let sign = if difference.fen() > 0 { "+" } else { "" };
    let sum = format!("{sign}{}", difference.yuan());
    let from = change
        .price_from
        .map(|at| t!("change.price_from", day = day(at)))
        .map(|text| view! { <p class="sub">{text}</p> });
    let unit = match change.what {
        What::Restore => t!("resources.yuan_month"),
        _ => t!("change.difference"),
    };
    let verdict = &tried.verdict;
    let bars = verdict
        .changes
        .iter()
        .filter(|c| c.asked != 0)
        .map(bar)
        .collect::<Vec<_>>();
    let has_bars = !bars.is_empty();
    let blocks: Vec<String> = tried
        .errors
        .iter()
        .map(|e| i18n::msg(&e.msg))
        .chain(verdict.blocks.iter().map(i18n::msg))
        .collect();
    let passes = blocks.is_empty();
    // What is as it was when the form opened is no refusal.
    let begun = tried.errors.iter().any(|e| e.msg.key != "change.nothing");
    let (tone, title) = match (passes, begun || !verdict.blocks.is_empty()) {
        (true, _) => (Tone::Ok, t!("order.passes")),
        (false, false) => (Tone::Warn, t!("order.unfinished")),
        (false, true) => (Tone::Bad, t!("order.blocked")),
    };
    let way = way(&tried.route);
    let warns: Vec<String> = verdict.warns.iter().map(i18n::msg).collect();
    let items = |all: Vec<String>| {
        let all = all.into_iter().map(|text| view! { <li>{text}</li> });
        view! { <ul>{all.collect_view()}</ul> }
    };
    view! {
        <PricePart title=t!("change.effect") live=true>
            <BeforeAfter caption=t!("change.effect") rows/>
            <div class="sum"><b>{sum}</b><span class="unit">{unit}</span></div>
            {from}
        </PricePart>
        {has_bars.then(|| view! { <PricePart title=t!("order.quota")><div class="qs">{bars}</div></PricePart> })}
        <PricePart live=true>
            <VerdictBox tone title>
                {passes.then(|| view! { <p>{way}</p> })}
                {(!blocks.is_empty()).then(|| items(blocks))}
            </VerdictBox>
            {(!warns.is_empty())
                .then(|| view! { <VerdictBox tone=Tone::Warn title=t!("order.warns")>{items(warns)}</VerdictBox> })}
        </PricePart>
    }
    .into_any()
}

fn bar(change: &QuotaChange) -> AnyView {
    let label = i18n::t_key(&format!("dimension.{}", change.dimension)).into_owned();
    let shown = |n: i64| facts::amount(change.dimension, n);
    let after = change.before.with_held(change.asked);
    let numbers = format!(
        "{} · {}",
        t!(
            "change.quota",
            before = shown(change.before.left()),
            after = shown(after.left())
        ),
        t!(
            "order.left",
            left = shown(after.left()),
            limit = facts::measured(change.dimension, change.before.limit)
        )
    );
    let amounts = Bar {
        limit: change.before.limit,
        used: change.before.used + change.before.handed + change.asked.min(0),
        held: change.before.held,
        now: change.asked.max(0),
    };
    let numbers = numbers.into_any();
    view! { <QuotaLine label amounts numbers/> }.into_any()
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
    // The reason changes neither price nor quota: the server is not asked for each letter of it.
    let sizes = |all: &Typed| {
        let mut all = all.clone();
        all.remove("reason");
        all
    };
    if typed.with_untracked(sizes) != sizes(&now) {
        typed.set(now);
    }
}

#[cfg(not(feature = "hydrate"))]
fn read(_: &leptos::ev::Event, _: RwSignal<Typed>) {}

/// The post of the page.
#[cfg(feature = "ssr")]
pub mod ssr {
    use crate::{
        error::ApiError,
        form::{
            FORM_ID,
            ssr::{Done, Posted, Refused},
        },
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::service::{catalogue, request::change, resource};
    use lingbao_model::{
        id::{RequestId, ResourceId},
        msg::Msg,
        param::Kind as ParamKind,
        request::{MAX_TERM_MONTHS, Status},
        view::request::{ChangeForm, Submitted},
    };

    /// The returned request that is supplemented; empty is none.
    pub(super) fn supplement(text: &str) -> Result<Option<RequestId>, ApiError> {
        if text.is_empty() {
            return Ok(None);
        }
        id(text).map(Some)
    }

    /// Asks for the change, or only computes.
    ///
    /// # Errors
    /// The page again, with everything typed and the messages.
    pub async fn submit(form: Posted) -> Result<Done, Refused> {
        let cx = cx()?;
        let of: ResourceId = id(form.param("id"))?;
        let what = form
            .value("what")
            .parse()
            .map_err(|_| ApiError::not_found())?;
        let typed = ChangeForm {
            what,
            typed: form.values.iter().cloned().collect(),
            reason: form.value("reason").to_owned(),
        };
        let again = supplement(form.value("request"))?;
        if !form.value("step").is_empty() {
            return Err(Refused::Show(vec![stepped(&cx, &of, &form).await?]));
        }
        if form.value("do") == "try" {
            let tried = change::try_it(&cx, &of, &typed, again.as_ref()).await?;
            return Err(tried.errors.into());
        }
        let sent = form.value(FORM_ID);
        let done = match &again {
            Some(request) => {
                let version = form.value("version").parse().unwrap_or(0);
                change::resubmit(&cx, request, version, &typed, sent).await?
            }
            None => change::create(&cx, &of, &typed, sent).await?,
        };
        Ok(asked(done))
    }

    /// Leads to the request and says how far it has come.
    pub fn asked(made: Submitted) -> Done {
        let said = match made.status {
            Status::Closed => "change.said.done",
            Status::Approved => "change.said.begun",
            _ => "change.said.submitted",
        };
        Done::to(routes::request(made.request.as_str()))
            .say(Msg::new(said).with("number", made.number))
    }

    /// What one press on a stepper makes of its number, where no script does it.
    async fn stepped(
        cx: &lingbao_core::Cx,
        of: &ResourceId,
        form: &Posted,
    ) -> Result<(String, String), Refused> {
        let (name, sign) = match form.value("step") {
            pressed if pressed.ends_with('-') => (pressed.trim_end_matches('-'), -1),
            pressed => (pressed.trim_end_matches('+'), 1),
        };
        let (min, max, by) = if name == "months" {
            (1, MAX_TERM_MONTHS, 1)
        } else {
            let row = resource::detail(cx, of).await?.row;
            let offer = catalogue::offer(cx, &row.code).await?;
            match offer.content.schema.get(name).map(|p| &p.kind) {
                Some(ParamKind::Integer { min, max, step, .. }) => (*min, *max, *step),
                _ => return Err(ApiError::not_found().into()),
            }
        };
        let now = lingbao_model::text::parse_integer(form.value(name)).unwrap_or(min);
        let value = crate::ui::step(now, sign * by, min, max);
        Ok((name.to_owned(), value.to_string()))
    }
}
