//! A new application system, or one that is corrected, beside the cart that needs it. It stands on
//! the cart's path: a route of its own would travel with the first load of every page.

use super::cart;
use crate::{
    error::ApiError,
    form::FormId,
    i18n,
    routes::{self, NEW_SYSTEM},
    t,
    ui::*,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use lingbao_model::{
    placement::Level,
    view::system::{SystemForm, SystemRow, SystemState},
};

/// The systems of the unit for which the reader orders.
///
/// # Errors
/// `Forbidden` for whoever orders nothing.
#[server(name = GetSystems, prefix = "/fn", endpoint = "order/systems", output = crate::json::Json)]
pub async fn systems() -> Result<Vec<SystemRow>, ApiError> {
    Ok(lingbao_core::service::system::list(&crate::ssr::cx()?).await?)
}

/// A cart, or the form of a system.
#[component]
pub fn CartOrSystem() -> impl IntoView {
    let params = use_params_map();
    let new = Memo::new(move |_| params.with(|p| p.get("id").as_deref() == Some(NEW_SYSTEM)));
    move || {
        if new.get() {
            view! { <NewSystem/> }.into_any()
        } else {
            view! { <cart::Cart/> }.into_any()
        }
    }
}

#[component]
fn NewSystem() -> impl IntoView {
    let there = Resource::new(|| (), |()| systems());
    page_of(there, |there| view! { <Form there/> }.into_any())
}

#[component]
fn Form(there: Vec<SystemRow>) -> impl IntoView {
    let asked = |name| use_query_map().with_untracked(|query| query.get(name).unwrap_or_default());
    let (cart, of) = (asked("cart"), asked("system"));
    let (edited, there): (Vec<_>, Vec<_>) =
        there.into_iter().partition(|one| one.id.as_str() == of);
    let edited = edited.into_iter().next();
    if edited.is_none() && !of.is_empty() {
        let error = ApiError::not_found();
        return view! { <Refusal error/> }.into_any();
    }
    let back = if cart.is_empty() {
        (t!("nav.resources").to_owned(), routes::RESOURCES.to_owned())
    } else {
        let href = format!("{}/{}", routes::CART, routes::segment(&cart));
        (t!("nav.cart").to_owned(), href)
    };
    let mut levels: Vec<Opt> = vec![(String::new(), t!("system.choose_level").to_owned())];
    levels.extend(
        Level::ALL
            .iter()
            .map(|level| (level.to_string(), i18n::msg(&level.msg()))),
    );
    let states: Vec<Opt> = SystemState::ALL
        .iter()
        .map(|state| {
            let word = i18n::t_key(&format!("system.state.{state}"));
            (state.to_string(), word.into_owned())
        })
        .collect();
    let names: Vec<String> = there.into_iter().map(|one| one.name).collect();
    let names = if names.is_empty() {
        t!("system.name_hint").to_owned()
    } else {
        t!("system.name_others", names = names.join(t!("ui.comma")))
    };
    let (title, act) = match &edited {
        Some(_) => (t!("system.edit"), t!("system.save")),
        None => (t!("system.new"), t!("system.create")),
    };
    let version = edited.as_ref().map(|one| {
        let version = one.version.to_string();
        view! {
            <input type="hidden" name="system" value=of/>
            <input type="hidden" name="version" value=version/>
        }
    });
    let now = edited.as_ref().map_or_else(
        || SystemForm {
            state: SystemState::Testing.to_string(),
            ..SystemForm::default()
        },
        |one| SystemForm {
            name: one.name.clone(),
            short_name: one.short_name.clone(),
            level: one.level.to_string(),
            state: one.state.to_string(),
            contact_name: one.contact_name.clone(),
            contact_phone: one.contact_phone.clone(),
        },
    );
    view! {
        <PageHead title fact=t!("system.new_fact") crumbs=vec![back] narrow=true/>
        <ErrorSummary/>
        <form method="post" class="panel panel-pad narrow">
            <FormId/>
            <input type="hidden" name="cart" value=cart/>
            {version}
            <Field name="name" label=t!("system.name") hint=names>
                <TextInput value=now.name maxlength=60_u32 required=true/>
            </Field>
            <Field name="level" label=t!("system.level") hint=t!("system.level_hint")>
                <Select options=levels value=now.level width=Width::M/>
            </Field>
            <Field name="short_name" label=t!("system.short") hint=t!("system.short_hint") optional=true>
                <TextInput value=now.short_name maxlength=16_u32 width=Width::M/>
            </Field>
            <FieldSet name="state" legend=t!("system.state")>
                <Seg name="state" options=states value=now.state/>
            </FieldSet>
            <Field name="contact_name" label=t!("system.contact") optional=true>
                <TextInput value=now.contact_name maxlength=30_u32 width=Width::M/>
            </Field>
            <Field name="contact_phone" label=t!("system.phone") optional=true>
                <TextInput value=now.contact_phone kind="tel" maxlength=30_u32 width=Width::M/>
            </Field>
            <div class="field">
                <Button kind=Kind::Main>{act}</Button>
            </div>
        </form>
    }
    .into_any()
}

/// The posts of the path.
pub mod ssr {
    use crate::{
        area::order::cart,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::{
        Cx,
        error::ServiceError,
        service::{cart as carts, system},
    };
    use lingbao_model::{
        id::{RequestId, SystemId},
        msg::Msg,
        view::{request::HeadForm, system::SystemForm},
    };

    /// What the cart does, or a system that is new or corrected.
    ///
    /// # Errors
    /// The page again, with everything typed and the messages.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        if form.param("id") != routes::NEW_SYSTEM {
            return cart::ssr::act(form).await;
        }
        let cx = cx()?;
        let typed = |name: &str| form.value(name).to_owned();
        let new = SystemForm {
            name: typed("name"),
            short_name: typed("short_name"),
            level: typed("level"),
            state: typed("state"),
            contact_name: typed("contact_name"),
            contact_phone: typed("contact_phone"),
        };
        let cart = match form.value("cart") {
            "" => None,
            text => Some(id::<RequestId>(text)?),
        };
        if let Some(cart) = &cart {
            // Somebody else's is none, before anything is made for it.
            carts::open(&cx, cart).await?;
        }
        if !form.value("system").is_empty() {
            let of = id::<SystemId>(form.value("system"))?;
            // A version that is none is nobody's: the service answers that somebody was faster.
            let version = form.value("version").parse().unwrap_or(-1);
            system::edit(&cx, &of, version, &new).await?;
            let back = cart.map(|cart| format!("{}/{cart}", routes::CART));
            let said = Msg::new("system.edited").with("name", new.name.trim());
            return Ok(Done::to(back.unwrap_or_else(|| routes::RESOURCES.to_owned())).say(said));
        }
        let made = system::create_by(&cx, &new, form.form_id()).await?;
        let said = Msg::new("system.made").with("name", new.name.trim());
        let Some(cart) = cart else {
            return Ok(Done::to(routes::RESOURCES).say(said));
        };
        if let Err(error) = choose(&cx, &cart, made).await {
            // The system is there and can be chosen by hand.
            tracing::warn!(%error, "a new system was not chosen in its cart");
        }
        Ok(Done::to(format!("{}/{cart}", routes::CART)).say(said))
    }

    /// The cart for which the system was made takes it.
    async fn choose(cx: &Cx, cart: &RequestId, made: SystemId) -> Result<(), ServiceError> {
        let view = carts::open(cx, cart).await?;
        let head = HeadForm {
            system: made.to_string(),
            title: view.title,
            reason: view.reason,
            with_quota_change: view.with_quota_change,
        };
        carts::save_head(cx, cart, view.version, &head).await?;
        Ok(())
    }
}
