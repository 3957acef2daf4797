//! One user: who it is, which roles they hold, and the acts of the two administrators.

use super::{
    id_param, role_name,
    users::{crumbs_of, state},
    when,
};
use crate::{error::ApiError, i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    id::UnitId,
    view::people::{AccountState, GrantRow, UserDetail},
};
use serde::{Deserialize, Serialize};

/// What the pages of a user show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The user.
    pub user: UserDetail,
    /// Units on which a role may be given: the user's own and those above.
    pub places: Vec<(UnitId, String)>,
    /// Whether the reader keeps accounts.
    pub keeps: bool,
    /// Whether the reader gives roles.
    pub gives: bool,
    /// Whether it is the reader.
    pub oneself: bool,
}

/// One user with what the reader may do.
///
/// # Errors
/// `NotFound`, `Forbidden`.
#[server(name = GetUser, prefix = "/fn", endpoint = "people/user", output = crate::json::Json)]
pub async fn user(id: String) -> Result<Shown, ApiError> {
    use lingbao_core::service::{session, unit, user};
    let cx = crate::ssr::cx()?;
    let user = user::get(&cx, &crate::ssr::id(&id)?).await?;
    let unit = unit::get(&cx, &user.row.unit).await?;
    let viewer = session::viewer(&cx)
        .await?
        .ok_or_else(|| ApiError::unauthenticated().answered())?;
    let mut places = vec![(unit.node.id, unit.node.name)];
    places.extend(unit.path.into_iter().rev());
    Ok(Shown {
        oneself: viewer.user == user.row.id,
        keeps: viewer.can("manage_units"),
        gives: viewer.can("manage_roles"),
        user,
        places,
    })
}

/// The page.
#[component]
pub fn UserPage() -> impl IntoView {
    let id = id_param();
    let shown = Resource::new(move || id.get(), user);
    page_of(shown, |shown| view! { <Body shown/> }.into_any())
}

#[component]
fn Body(shown: Shown) -> impl IntoView {
    let Shown {
        user,
        keeps,
        gives,
        oneself,
        ..
    } = shown;
    let row = user.row.clone();
    let here = routes::user(row.id.as_str());
    let (edit, password, grant) = (
        format!("{here}/edit"),
        format!("{here}/password"),
        format!("{here}/grant"),
    );
    let gives = gives && !oneself;
    // Theirs is given on the server.
    let resets = keeps && row.roles.iter().all(|role| role.is_business());
    let acts = view! {
        {keeps
            .then(|| {
                view! {
                    <LinkButton href=edit icon="edit">{t!("people.edit")}</LinkButton>
                }
            })}
        {resets.then(|| view! { <LinkButton href=password icon="key">{t!("people.reset")}</LinkButton> })}
        {gives.then(|| view! { <LinkButton href=grant kind=Kind::Main icon="plus">{t!("people.give")}</LinkButton> })}
    };
    let login = match user.last_login {
        None => t!("account.never").to_owned(),
        Some(visit) if visit.ip.is_empty() => when(visit.at),
        Some(visit) => t!("account.visit", at = when(visit.at), ip = visit.ip),
    };
    let facts: Vec<(Text, AnyView)> = vec![
        (t!("people.login").into(), row.login.into_any()),
        (t!("people.unit").into(), row.unit_name.clone().into_any()),
        (t!("people.phone_label").into(), user.phone.into_any()),
        (t!("people.last_login").into(), login.into_any()),
        (t!("people.failures").into(), user.failures.into_any()),
        (t!("people.made").into(), when(user.created_at).into_any()),
    ];
    let locked = matches!(row.state, AccountState::Locked { .. });
    let closed = row.state == AccountState::Inactive;
    view! {
        <PageHead title=row.name crumbs=crumbs_of(row.unit.as_str(), &row.unit_name) acts=acts.into_any()>
            {state(row.state)}
        </PageHead>
        <ErrorSummary/>
        {(locked && gives)
            .then(|| {
                let unlock = view! {
                    <form method="post">
                        <Button size=Size::Small name="do" value="unlock">{t!("people.unlock")}</Button>
                    </form>
                };
                view! { <Banner tone=Tone::Warn acts=unlock.into_any()>{t!("people.is_locked")}</Banner> }
            })}
        <Panel title=t!("people.about_user") pad=true>
            <Facts facts/>
        </Panel>
        <Panel title=t!("people.roles")>
            <Grants grants=user.grants takes=gives/>
        </Panel>
        {(keeps && !oneself).then(|| view! { <Close closed version=user.version/> })}
    }
}

#[component]
fn Grants(grants: Vec<GrantRow>, takes: bool) -> impl IntoView {
    if grants.is_empty() {
        return view! { <Empty icon="shield" title=t!("people.no_roles") note=t!("people.no_roles_note")/> }.into_any();
    }
    let mut columns = vec![
        col(t!("people.role")),
        col(t!("people.on")),
        col(t!("people.reach")),
        col(t!("people.given")),
    ];
    if takes {
        columns.push(col(t!("people.acts")).hidden());
    }
    view! {
        <Table caption=t!("people.roles") columns flat=true>
            {grants.into_iter().map(|grant| grant_row(grant, takes)).collect_view()}
        </Table>
    }
    .into_any()
}

fn grant_row(grant: GrantRow, takes: bool) -> impl IntoView {
    let name = role_name(grant.role);
    let by = if grant.granted_by == "system" {
        t!("people.by_system").to_owned()
    } else {
        grant.granted_by
    };
    let take = takes.then(|| {
        let name = name.clone();
        view! {
            <Fold summary=t!("people.take")>
                <form method="post">
                    <p class="sub">{t!("people.take_means", role = name)}</p>
                    <Button kind=Kind::Bad size=Size::Small name="take" value=grant.id.to_string()>
                        {t!("people.take_do")}
                    </Button>
                </form>
            </Fold>
        }
    });
    view! {
        <Row>
            <RowHead name=name/>
            <Cell l=t!("people.on")>{grant.unit_name}</Cell>
            <Cell l=t!("people.reach")>{i18n::t_key(&format!("reach.{}", grant.reach)).into_owned()}</Cell>
            <Cell l=t!("people.given")>{t!("people.given_by", at = when(grant.granted_at), who = by)}</Cell>
            {take.map(|take| view! { <Cell l=t!("people.acts")>{take}</Cell> })}
        </Row>
    }
}

/// Opening is one step; closing says first what it means.
#[component]
fn Close(closed: bool, version: i64) -> impl IntoView {
    if closed {
        view! {
            <form method="post">
                <input type="hidden" name="version" value=version/>
                <Button name="do" value="open">{t!("people.open_account")}</Button>
            </form>
        }
        .into_any()
    } else {
        view! {
            <Fold summary=t!("people.close_account")>
                <form method="post" class="panel panel-pad narrow">
                    <p>{t!("people.close_account_means")}</p>
                    <input type="hidden" name="version" value=version/>
                    <div class="field">
                        <Button kind=Kind::Bad name="do" value="close">{t!("people.close_account_do")}</Button>
                    </div>
                </form>
            </Fold>
        }
        .into_any()
    }
}

/// The posts of the page.
pub mod ssr {
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::service::{grant, user};
    use lingbao_model::{id::UserId, msg::Msg, text::parse_integer};

    /// Closes, opens or unlocks the account, or takes a role.
    ///
    /// # Errors
    /// What the service says.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let (cx, person) = (cx()?, id::<UserId>(form.param("id"))?);
        let version = parse_integer(form.value("version")).unwrap_or_default();
        let said = match (form.value("do"), form.value("take")) {
            ("close", _) => {
                user::set_active(&cx, &person, version, false).await?;
                Msg::new("people.account_closed")
            }
            ("open", _) => {
                user::set_active(&cx, &person, version, true).await?;
                Msg::new("people.account_opened")
            }
            ("unlock", _) => {
                grant::unlock(&cx, &person).await?;
                Msg::new("people.unlocked")
            }
            (_, take) if !take.is_empty() => {
                grant::take(&cx, &person, &id(take)?).await?;
                Msg::new("people.taken")
            }
            _ => return Err(ApiError::invalid(Vec::new()).into()),
        };
        Ok(Done::to(routes::user(person.as_str())).say(said))
    }
}
