//! A new unit below another, and other names for a unit.

use super::{
    id_param,
    unit::{Shown, unit},
    unit_crumbs,
};
use crate::{form::FormId, i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::people::{UnitKind, UnitLevel};

/// A new unit below one.
#[component]
pub fn UnitNew() -> impl IntoView {
    let id = id_param();
    let parent = Resource::new(move || id.get(), unit);
    page_of(parent, |parent| view! { <NewForm parent/> }.into_any())
}

#[component]
fn NewForm(parent: Shown) -> impl IntoView {
    let above = parent.unit.node;
    let mut crumbs = unit_crumbs();
    crumbs.push((above.name.clone(), routes::unit(above.id.as_str())));
    let levels = UnitLevel::ALL
        .iter()
        .filter(|level| **level >= above.level)
        .map(|level| {
            (
                level.to_string(),
                i18n::t_key(&format!("unit_level.{level}")).into_owned(),
            )
        })
        .collect::<Vec<_>>();
    let kinds = UnitKind::ALL
        .iter()
        .map(|kind| {
            (
                kind.to_string(),
                i18n::t_key(&format!("unit_kind.{kind}")).into_owned(),
            )
        })
        .collect::<Vec<_>>();
    view! {
        <PageHead
            title=t!("people.new_below")
            fact=t!("people.new_below_fact", name = above.name)
            crumbs
            narrow=true
        />
        <ErrorSummary/>
        <form method="post" class="panel panel-pad narrow">
            <FormId/>
            <Field name="name" label=t!("people.full_name")>
                <TextInput maxlength=60_u32 required=true/>
            </Field>
            <Field name="short_name" label=t!("people.short_name") hint=t!("people.short_name_hint") optional=true>
                <TextInput maxlength=60_u32/>
            </Field>
            <Field name="level" label=t!("people.level")>
                <Select options=levels value=above.level.as_str() width=Width::M/>
            </Field>
            <Field name="kind" label=t!("people.kind")>
                <Select options=kinds value=UnitKind::Government.as_str() width=Width::M/>
            </Field>
            <div class="field">
                <Button kind=Kind::Main>{t!("people.create_unit")}</Button>
            </div>
        </form>
    }
}

/// Other names for a unit.
#[component]
pub fn UnitEdit() -> impl IntoView {
    let id = id_param();
    let shown = Resource::new(move || id.get(), unit);
    page_of(shown, |shown| view! { <EditForm shown/> }.into_any())
}

#[component]
fn EditForm(shown: Shown) -> impl IntoView {
    let node = shown.unit.node;
    let mut crumbs = unit_crumbs();
    crumbs.push((node.name.clone(), routes::unit(node.id.as_str())));
    view! {
        <PageHead title=t!("people.rename") fact=t!("people.rename_fact") crumbs narrow=true/>
        <ErrorSummary/>
        <form method="post" class="panel panel-pad narrow">
            <input type="hidden" name="version" value=node.version/>
            <Field name="name" label=t!("people.full_name")>
                <TextInput value=node.name maxlength=60_u32 required=true/>
            </Field>
            <Field name="short_name" label=t!("people.short_name")>
                <TextInput value=node.short_name maxlength=60_u32/>
            </Field>
            <div class="field">
                <Button kind=Kind::Main>{t!("people.save")}</Button>
            </div>
        </form>
    }
}

/// The posts of the pages.
pub mod ssr {
    use crate::{
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::service::unit::{self, NewUnit};
    use lingbao_model::{
        id::UnitId,
        msg::{FieldError, Msg},
        text::parse_integer,
    };
    use std::str::FromStr;

    fn choice<T: FromStr>(form: &Posted, field: &str) -> Result<T, FieldError> {
        form.value(field)
            .parse()
            .map_err(|_| FieldError::new(field, Msg::new("error.not_in_list")))
    }

    /// Makes a unit below the one of the path.
    ///
    /// # Errors
    /// The page again, with messages at the fields.
    pub async fn create(form: Posted) -> Result<Done, Refused> {
        let new = NewUnit {
            parent: Some(id(form.param("id"))?),
            name: form.value("name").to_owned(),
            short_name: form.value("short_name").to_owned(),
            level: choice(&form, "level")?,
            kind: choice(&form, "kind")?,
        };
        let made = unit::create_by(&cx()?, new, form.form_id()).await?;
        Ok(Done::to(routes::unit(made.as_str())).say(Msg::new("people.unit_created")))
    }

    /// Renames the unit of the path.
    ///
    /// # Errors
    /// The page again, with messages at the fields.
    pub async fn rename(form: Posted) -> Result<Done, Refused> {
        let unit: UnitId = id(form.param("id"))?;
        let version = parse_integer(form.value("version")).unwrap_or_default();
        unit::rename(
            &cx()?,
            &unit,
            version,
            form.value("name"),
            form.value("short_name"),
        )
        .await?;
        Ok(Done::to(routes::unit(unit.as_str())).say(Msg::new("people.saved")))
    }
}
