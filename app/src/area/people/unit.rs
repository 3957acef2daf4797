//! One unit: where it stands, what stands below it, what can be done with it.

use super::{
    id_param, unit_crumbs,
    units::{UnitTable, state},
};
use crate::{error::ApiError, i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::people::UnitDetail;
use serde::{Deserialize, Serialize};

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The unit.
    pub unit: UnitDetail,
    /// Whether the reader keeps units and accounts.
    pub keeps: bool,
}

/// One unit with its place in the tree.
///
/// # Errors
/// `NotFound`, `Forbidden`.
#[server(name = GetUnit, prefix = "/fn", endpoint = "people/unit", output = crate::json::Json)]
pub async fn unit(id: String) -> Result<Shown, ApiError> {
    use lingbao_core::service::{session, unit};
    let cx = crate::ssr::cx()?;
    let unit = unit::get(&cx, &crate::ssr::id(&id)?).await?;
    let keeps = session::viewer(&cx)
        .await?
        .is_some_and(|viewer| viewer.can("manage_units"));
    Ok(Shown { unit, keeps })
}

/// The page.
#[component]
pub fn UnitPage() -> impl IntoView {
    let id = id_param();
    let shown = Resource::new(move || id.get(), unit);
    page_of(shown, |shown| view! { <Body shown/> }.into_any())
}

#[component]
fn Body(shown: Shown) -> impl IntoView {
    let Shown {
        unit:
            UnitDetail {
                node,
                path,
                below,
                vdcs,
            },
        keeps,
    } = shown;
    let here = routes::unit(node.id.as_str());
    let mut crumbs = unit_crumbs();
    crumbs.extend(
        path.into_iter()
            .map(|(id, name)| (name, routes::unit(id.as_str()))),
    );
    let people = routes::with_query(routes::ADMIN_USERS, &[("unit", node.id.as_str())]);
    let account = routes::with_query(routes::USER_NEW, &[("unit", node.id.as_str())]);
    let (new, edit) = (format!("{here}/new"), format!("{here}/edit"));
    let acts = view! {
        <LinkButton href=people icon="user">{t!("people.users_here")}</LinkButton>
        {keeps
            .then(|| {
                view! {
                    <LinkButton href=edit>{t!("people.rename")}</LinkButton>
                    {node
                        .active
                        .then(|| {
                            view! {
                                <LinkButton href=account>{t!("people.new_user")}</LinkButton>
                                <LinkButton href=new kind=Kind::Main icon="plus">{t!("people.new_below")}</LinkButton>
                            }
                        })}
                }
            })}
    };
    let vdcs = vdcs
        .into_iter()
        .map(|(_, name)| name)
        .collect::<Vec<_>>()
        .join(t!("ui.comma"));
    let facts: Vec<(Text, AnyView)> = vec![
        (
            t!("people.short_name").into(),
            node.short_name.clone().into_any(),
        ),
        (
            t!("people.level").into(),
            i18n::t_key(&format!("unit_level.{}", node.level))
                .into_owned()
                .into_any(),
        ),
        (
            t!("people.kind").into(),
            i18n::t_key(&format!("unit_kind.{}", node.kind))
                .into_owned()
                .into_any(),
        ),
        (t!("people.vdc").into(), vdcs.into_any()),
        (t!("people.accounts").into(), node.users.into_any()),
    ];
    let empty = below.is_empty();
    view! {
        <PageHead title=node.name.clone() crumbs acts=acts.into_any()>
            {state(node.active)}
        </PageHead>
        <ErrorSummary/>
        <Panel title=t!("people.about_unit") pad=true>
            <Facts facts/>
        </Panel>
        <Panel title=t!("people.units_below")>
            {if empty {
                view! { <Empty icon="org" title=t!("people.none_below")/> }.into_any()
            } else {
                view! { <UnitTable units=below/> }.into_any()
            }}
        </Panel>
        {keeps.then(|| view! { <Close active=node.active version=node.version/> })}
    }
}

/// Opening is one step; closing says first what it means.
#[component]
fn Close(active: bool, version: i64) -> impl IntoView {
    if active {
        view! {
            <Fold summary=t!("people.close_unit")>
                <form method="post" class="panel panel-pad narrow">
                    <p>{t!("people.close_unit_means")}</p>
                    <input type="hidden" name="version" value=version/>
                    <div class="field">
                        <Button kind=Kind::Bad name="do" value="close">{t!("people.close_unit_do")}</Button>
                    </div>
                </form>
            </Fold>
        }
        .into_any()
    } else {
        view! {
            <form method="post">
                <input type="hidden" name="version" value=version/>
                <Button name="do" value="open">{t!("people.open_unit")}</Button>
            </form>
        }
        .into_any()
    }
}

/// The posts of the page.
pub mod ssr {
    use crate::{
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::service::unit;
    use lingbao_model::{id::UnitId, msg::Msg, text::parse_integer};

    /// Closes the unit or opens it again.
    ///
    /// # Errors
    /// What the service says.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let unit: UnitId = id(form.param("id"))?;
        let open = form.value("do") == "open";
        let version = parse_integer(form.value("version")).unwrap_or_default();
        unit::set_active(&cx()?, &unit, version, open).await?;
        let said = if open {
            Msg::new("people.unit_opened")
        } else {
            Msg::new("people.unit_shut_done")
        };
        Ok(Done::to(routes::unit(unit.as_str())).say(said))
    }
}
