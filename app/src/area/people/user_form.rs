//! Forms about a user: a new account, name and unit, a role, a first password.

use super::{
    id_param, role_name,
    unit::unit,
    units::units,
    user::{Shown, user},
    user_crumbs,
    users::crumbs_of,
};
use crate::{
    error::ApiError,
    form::{FormId, use_form},
    i18n, routes, t,
    ui::*,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::people::{Reach, Role};

/// Where an account is to be made: the unit of the URL, or `None` when the form asks for its name.
async fn place_of(id: String) -> Result<Option<(String, String)>, ApiError> {
    if id.is_empty() {
        // Only for whoever administers; the answer itself is not needed.
        units(Default::default()).await?;
        return Ok(None);
    }
    let node = unit(id).await?.unit.node;
    Ok(Some((node.id.to_string(), node.name)))
}

/// A new account in the unit of the URL (`?unit=`), or in one that is named.
#[component]
pub fn UserNew() -> impl IntoView {
    let query = use_query_map();
    let typed = use_form().value("unit").map(ToOwned::to_owned);
    let id = Memo::new(move |_| {
        typed
            .clone()
            .or_else(|| query.with(|query| query.get("unit")))
            .unwrap_or_default()
    });
    let place = Resource::new(move || id.get(), place_of);
    page_of(place, |place| view! { <NewForm place/> }.into_any())
}

#[component]
fn NewForm(place: Option<(String, String)>) -> impl IntoView {
    let (fact, crumbs, unit) = match place {
        Some((id, name)) => (
            t!("people.new_user_fact", name = name),
            crumbs_of(&id, &name),
            view! { <input type="hidden" name="unit" value=id/> }.into_any(),
        ),
        None => (
            t!("people.new_user_roles").to_owned(),
            user_crumbs(),
            view! {
                <Field name="unit_name" label=t!("people.unit") hint=t!("people.unit_name_hint")>
                    <TextInput maxlength=60_u32 required=true/>
                </Field>
            }
            .into_any(),
        ),
    };
    view! {
        <PageHead title=t!("people.new_user") fact crumbs narrow=true/>
        <ErrorSummary/>
        <form method="post" class="panel panel-pad narrow">
            <FormId/>
            {unit}
            <Field name="name" label=t!("people.person_name")>
                <TextInput maxlength=40_u32 required=true/>
            </Field>
            <Field name="login" label=t!("people.login") hint=t!("people.login_hint")>
                <TextInput maxlength=32_u32 required=true autocomplete="off"/>
            </Field>
            <Field name="phone" label=t!("people.phone_label") optional=true>
                <TextInput maxlength=30_u32 width=Width::M/>
            </Field>
            <Field name="password" label=t!("people.first_password") hint=t!("people.first_password_hint")>
                <PasswordInput autocomplete="new-password"/>
            </Field>
            <div class="field">
                <Button kind=Kind::Main>{t!("people.create_user")}</Button>
            </div>
        </form>
    }
}

/// The user of the path, with a form made of them.
fn with_user<V: IntoView + 'static>(form: fn(Shown) -> V) -> impl IntoView {
    let id = id_param();
    let shown = Resource::new(move || id.get(), user);
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match shown.await {
                    Ok(shown) => form(shown).into_any(),
                    Err(error) => view! { <Refusal error/> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn crumbs(shown: &Shown) -> Vec<Crumb> {
    let row = &shown.user.row;
    let mut crumbs = user_crumbs();
    crumbs.push((row.name.clone(), routes::user(row.id.as_str())));
    crumbs
}

/// Name, telephone and unit.
#[component]
pub fn UserEdit() -> impl IntoView {
    with_user(|shown| {
        let crumbs = crumbs(&shown);
        let user = shown.user;
        view! {
            <PageHead title=t!("people.edit") crumbs narrow=true/>
            <ErrorSummary/>
            <form method="post" class="panel panel-pad narrow">
                <input type="hidden" name="version" value=user.version/>
                <Field name="name" label=t!("people.person_name")>
                    <TextInput value=user.row.name maxlength=40_u32 required=true/>
                </Field>
                <Field name="phone" label=t!("people.phone_label") optional=true>
                    <TextInput value=user.phone maxlength=30_u32 width=Width::M/>
                </Field>
                <Field name="unit" label=t!("people.unit") hint=t!("people.move_hint")>
                    <TextInput value=user.row.unit_name maxlength=60_u32 required=true/>
                </Field>
                <div class="field">
                    <Button kind=Kind::Main>{t!("people.save")}</Button>
                </div>
            </form>
        }
    })
}

/// A role on a unit.
#[component]
pub fn UserGrant() -> impl IntoView {
    with_user(|shown| {
        let crumbs = crumbs(&shown);
        let own = shown
            .places
            .first()
            .map(|place| place.0.to_string())
            .unwrap_or_default();
        let places = shown
            .places
            .into_iter()
            .map(|(id, name)| (id.to_string(), name))
            .collect::<Vec<_>>();
        let roles = Role::ALL
            .iter()
            .map(|role| (role.to_string(), role_name(*role)))
            .collect::<Vec<_>>();
        let reaches = Reach::ALL
            .iter()
            .map(|reach| {
                (
                    reach.to_string(),
                    i18n::t_key(&format!("reach.{reach}")).into_owned(),
                )
            })
            .collect::<Vec<_>>();
        view! {
            <PageHead title=t!("people.give") fact=t!("people.give_fact", name = shown.user.row.name) crumbs narrow=true/>
            <ErrorSummary/>
            <form method="post" class="panel panel-pad narrow">
                <Field name="role" label=t!("people.role") hint=t!("people.role_hint")>
                    <Select options=roles value=Role::Applicant.as_str() width=Width::M/>
                </Field>
                <Field name="on" label=t!("people.on")>
                    <Select options=places value=own/>
                </Field>
                <FieldSet name="reach" legend=t!("people.reach")>
                    <Seg name="reach" options=reaches value=Reach::Own.as_str()/>
                </FieldSet>
                <div class="field">
                    <Button kind=Kind::Main>{t!("people.give_do")}</Button>
                </div>
            </form>
        }
    })
}

/// A first password.
#[component]
pub fn UserPassword() -> impl IntoView {
    with_user(|shown| {
        let crumbs = crumbs(&shown);
        view! {
            <PageHead title=t!("people.reset") fact=t!("people.reset_fact", name = shown.user.row.name) crumbs narrow=true/>
            <ErrorSummary/>
            <form method="post" class="panel panel-pad narrow">
                <Field name="password" label=t!("people.first_password") hint=t!("people.first_password_hint")>
                    <PasswordInput autocomplete="new-password"/>
                </Field>
                <div class="field">
                    <Button kind=Kind::Main>{t!("people.reset_do")}</Button>
                </div>
            </form>
        }
    })
}

/// The posts of the pages.
pub mod ssr {
    use crate::{
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::service::{
        grant as grants, unit,
        user::{self, NewUser},
    };
    use lingbao_model::{
        id::{UnitId, UserId},
        msg::{FieldError, Msg},
        people::{Reach, Role},
        text::parse_integer,
    };

    /// Makes an account.
    ///
    /// # Errors
    /// The page again, with messages at the fields.
    pub async fn create(form: Posted) -> Result<Done, Refused> {
        let new = NewUser {
            login: form.value("login").to_owned(),
            name: form.value("name").to_owned(),
            phone: form.value("phone").to_owned(),
            password: form.value("password").to_owned(),
        };
        let cx = cx()?;
        let unit = match form.value("unit") {
            "" => {
                unit::by_name(&cx, "unit_name", form.value("unit_name"))
                    .await?
                    .id
            }
            chosen => id::<UnitId>(chosen)?,
        };
        let made = user::create_by(&cx, &unit, &new, form.form_id()).await?;
        Ok(Done::to(routes::user(made.as_str())).say(Msg::new("people.user_created")))
    }

    /// Changes name and telephone, or moves the person to the unit that was named.
    ///
    /// # Errors
    /// The page again, with messages at the fields.
    pub async fn edit(form: Posted) -> Result<Done, Refused> {
        let (cx, person) = (cx()?, id::<UserId>(form.param("id"))?);
        let before = user::get(&cx, &person).await?;
        let version = parse_integer(form.value("version")).unwrap_or_default();
        // Two units may bear one name; whoever stays need not be told apart.
        let unit = if form.value("unit").trim() == before.row.unit_name {
            before.row.unit
        } else {
            unit::by_name(&cx, "unit", form.value("unit")).await?.id
        };
        user::edit(
            &cx,
            &person,
            version,
            form.value("name"),
            form.value("phone"),
            &unit,
        )
        .await?;
        Ok(Done::to(routes::user(person.as_str())).say(Msg::new("people.saved")))
    }

    /// Gives a role.
    ///
    /// # Errors
    /// The page again, with messages at the fields.
    pub async fn grant(form: Posted) -> Result<Done, Refused> {
        let person = id::<UserId>(form.param("id"))?;
        let choose = |field: &str| FieldError::new(field, Msg::new("error.not_in_list"));
        let role: Role = form.value("role").parse().map_err(|_| choose("role"))?;
        let reach: Reach = form.value("reach").parse().map_err(|_| choose("reach"))?;
        grants::give(&cx()?, &person, role, &id(form.value("on"))?, reach).await?;
        Ok(Done::to(routes::user(person.as_str())).say(Msg::new("people.given_done")))
    }

    /// Gives a first password.
    ///
    /// # Errors
    /// The page again, with messages at the field.
    pub async fn password(form: Posted) -> Result<Done, Refused> {
        let person = id::<UserId>(form.param("id"))?;
        user::reset_password(&cx()?, &person, form.value("password")).await?;
        Ok(Done::to(routes::user(person.as_str())).say(Msg::new("people.reset_done")))
    }
}
