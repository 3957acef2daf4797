//! The form that changes a resource: another size, a larger disk, another backup plan, a longer term;
//! and that of a returned request for a disk out of a snapshot. What becomes of it is computed on the
//! server: at the button 计算, and with scripts while one types.

use crate::{
    error::ApiError,
    facts,
    form::{FormId, FormState, use_form},
    i18n,
    island::{Asking, ChangePanel},
    routes, t,
    ui::*,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use lingbao_model::{
    change::What,
    param::{Kind as ParamKind, Param, Typed},
    request::MAX_TERM_MONTHS,
    text::REASON_MAX,
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
    let request = crate::ssr::id_or_none(&request)?;
    notice::seen(&cx, &led).await;
    Ok(change::form(&cx, &crate::ssr::id(&id)?, what, request.as_ref()).await?)
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
    let form = use_form();
    let view = Resource::new(
        move || asked.get(),
        move |(id, what, request)| {
            let posted = form.clone();
            async move {
                let view = get_change(id, what, request).await?;
                let begun = begin(&view, posted);
                let tried = tried(&view, &begun).await;
                Ok((view, begun, tried))
            }
        },
    );
    page_of(view, |(view, begun, tried)| {
        view! { <Form view begun tried/> }.into_any()
    })
}

/// What is typed now: the fields of a bad post, or what the page proposes.
fn begin(view: &ChangeView, form: FormState) -> Typed {
    if form.was_posted() {
        return form.values.into_iter().collect();
    }
    view.form.typed.clone()
}

/// What becomes of what is typed: reckoned already, where that is what the page proposes.
async fn tried(view: &ChangeView, begun: &Typed) -> Result<TriedChange, ApiError> {
    if *begun == view.form.typed {
        return Ok(view.tried.clone());
    }
    Asking::of(view).asked(begun).await
}

/// Id of the page's one form.
const CHANGE: &str = "change";

#[component]
fn Form(view: ChangeView, begun: Typed, tried: Result<TriedChange, ApiError>) -> impl IntoView {
    let what = view.what;
    let asking = Asking::of(&view);
    let (id, request) = (view.resource.to_string(), asking.request.clone());
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
        What::RestoreBackup => (t!("restore.backup_title"), t!("restore.ask")),
        _ => (t!("change.section"), t!("change.submit")),
    };
    view! {
        <PageHead title fact crumbs/>
        {asked}
        <ErrorSummary labels/>
        <form class="cols" method="post" id=CHANGE>
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
                        <TextArea value=reason maxlength=REASON_MAX/>
                    </Field>
                </FormSection>
            </div>
            <ChangePanel form=CHANGE.to_owned() asking begun tried submit=submit.to_owned()/>
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
    if view.what.makes_disk() {
        // The price that is agreed to is the one that stands beside the form.
        let month = view.tried.change.month_after.fen().to_string();
        let field = match view.what {
            What::RestoreBackup => "backup",
            _ => "snapshot",
        };
        let (copy, name) = (text(field).to_owned(), text("name").to_owned());
        return view! {
            <input type="hidden" name=field value=copy/>
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

/// The post of the page.
pub mod ssr {
    use crate::{
        error::ApiError,
        form::{
            FORM_ID,
            ssr::{Done, Posted, Refused},
        },
        routes,
        ssr::{cx, id, id_or_none},
    };
    use lingbao_core::service::{catalogue, request::change, resource};
    use lingbao_model::{
        id::ResourceId,
        msg::Msg,
        param::Kind as ParamKind,
        request::{MAX_TERM_MONTHS, Status},
        view::request::{ChangeForm, Submitted},
    };

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
        let again = id_or_none(form.value("request"))?;
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
