//! The users that the reader administers.

use super::{role_name, unit_crumbs, when};
use crate::{asked, error::ApiError, i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    people::Role,
    view::{
        page::Page,
        people::{AccountState, UserRow},
    },
};

asked!(q, unit, role, state, sort, after);

/// One page of the users.
///
/// # Errors
/// `Forbidden` for whoever administers nothing; `NotFound` for a unit that is none.
#[server(name = GetUsers, prefix = "/fn", endpoint = "people/users", output = crate::json::Json)]
pub async fn users(
    q: String,
    unit: String,
    role: String,
    state: String,
    newest: bool,
    after: String,
) -> Result<Page<UserRow>, ApiError> {
    let unit = if unit.is_empty() {
        None
    } else {
        Some(crate::ssr::id(&unit)?)
    };
    let after = Some(after).filter(|after| !after.is_empty());
    let query = lingbao_model::view::people::UserQuery {
        text: q,
        unit,
        role: role.parse().ok(),
        state,
        newest,
        after,
        limit: 0,
    };
    Ok(lingbao_core::service::user::list(&crate::ssr::cx()?, &query).await?)
}

/// The page.
#[component]
pub fn Users() -> impl IntoView {
    let asked = asked::now(Asked::read);
    let list = Resource::new(
        move || asked.get(),
        |a| users(a.q, a.unit, a.role, a.state, a.sort == "-made", a.after),
    );
    list_of(asked, list, |page, asked| {
        view! { <List page asked/> }.into_any()
    })
}

#[component]
fn List(page: Page<UserRow>, asked: Asked) -> impl IntoView {
    let first = (!asked.after.is_empty()).then(|| asked.link(routes::ADMIN_USERS, ""));
    let next = page
        .next
        .as_deref()
        .map(|after| asked.link(routes::ADMIN_USERS, after));
    let active = asked.active();
    let Asked {
        q,
        unit,
        role,
        state,
        sort,
        ..
    } = asked;
    let empty = page.rows.is_empty();
    // A link into a unit keeps its frame: the crumb leads back to the tree.
    let in_unit = (!unit.is_empty()).then(|| {
        let href = routes::unit(&unit);
        view! { <p class="sub"><a href=href>{t!("people.only_in_unit")}</a></p> }
    });
    let new = routes::with_query(routes::USER_NEW, &[("unit", unit.as_str())]);
    let acts = crate::viewer::use_viewer()
        .filter(|viewer| viewer.can("manage_units"))
        .map(|_| {
            view! { <LinkButton href=new kind=Kind::Main icon="plus">{t!("people.new_user")}</LinkButton> }
                .into_any()
        });
    view! {
        <PageHead title=t!("people.users") fact=t!("people.users_fact") nostrip:acts=acts/>
        {in_unit}
        <TableBox>
            <FilterBar action=routes::ADMIN_USERS active=active>
                <Find label=t!("people.find_user") placeholder=t!("people.find_hint") value=q.clone()/>
                {(!unit.is_empty()).then(|| view! { <input type="hidden" name="unit" value=unit.clone()/> })}
                <FilterSelect name="role" label=t!("people.role") options=role_options() value=role.clone()/>
                <FilterSelect name="state" label=t!("people.state") options=state_options() value=state.clone()/>
                <FilterSelect name="sort" label=t!("people.sort") options=sort_options() value=sort.clone()/>
            </FilterBar>
            {if empty {
                let (title, href) = if active {
                    (t!("people.no_user_found"), routes::ADMIN_USERS)
                } else {
                    (t!("people.no_users"), routes::ADMIN_UNITS)
                };
                let act = view! { <LinkButton href=href>{t!("people.units")}</LinkButton> }.into_any();
                view! { <Empty icon="user" title act/> }.into_any()
            } else {
                view! { <UserTable rows=page.rows/> }.into_any()
            }}
            <Pager total=page.total nostrip:first=first nostrip:next=next/>
        </TableBox>
    }
}

fn role_options() -> Vec<Opt> {
    let all = (String::new(), t!("people.any").to_owned());
    std::iter::once(all)
        .chain(
            Role::ALL
                .iter()
                .map(|role| (role.to_string(), role_name(*role))),
        )
        .collect()
}

fn state_options() -> Vec<Opt> {
    let text = |state: &str| i18n::t_key(&format!("account_state.{state}")).into_owned();
    let all = (String::new(), t!("people.any").to_owned());
    let states = ["active", "locked", "inactive"].map(|state| (state.to_owned(), text(state)));
    std::iter::once(all).chain(states).collect()
}

fn sort_options() -> Vec<Opt> {
    vec![
        (String::new(), t!("people.by_name").to_owned()),
        ("-made".to_owned(), t!("people.newest_first").to_owned()),
    ]
}

#[component]
fn UserTable(rows: Vec<UserRow>) -> impl IntoView {
    let columns = vec![
        col(t!("people.name")),
        col(t!("people.unit")),
        col(t!("people.roles")),
        col(t!("people.last_login")),
        col(t!("people.state")),
    ];
    view! {
        <Table caption=t!("people.users") columns flat=true>
            {rows.into_iter().map(row).collect_view()}
        </Table>
    }
}

fn row(user: UserRow) -> impl IntoView {
    let last = user
        .last_login_at
        .map_or_else(|| t!("account.never").to_owned(), when);
    let roles = user
        .roles
        .into_iter()
        .map(|role| view! { <Tag text=role_name(role)/>" " })
        .collect_view();
    view! {
        <Row>
            <RowHead name=user.name href=routes::user(user.id.as_str()) sub=user.login/>
            <Cell l=t!("people.unit")>{user.unit_name}</Cell>
            <Cell l=t!("people.roles")>{roles}</Cell>
            <Cell l=t!("people.last_login")>{last}</Cell>
            <Cell l=t!("people.state")>{state(user.state)}</Cell>
        </Row>
    }
}

/// State of an account, with the end of a lock.
pub fn state(state: AccountState) -> impl IntoView {
    let name = i18n::t_key(&format!("account_state.{}", state.code())).into_owned();
    let (look, text) = match state {
        AccountState::Active => (Look::Ok, name),
        AccountState::Locked { until } => {
            (Look::Pause, t!("people.locked_until", at = when(until)))
        }
        AccountState::Inactive => (Look::Stop, name),
    };
    view! { <Chip look text/> }
}

/// The way to a user's page: the list, and the unit.
pub fn crumbs_of(unit: &str, name: &str) -> Vec<Crumb> {
    let mut crumbs = unit_crumbs();
    crumbs.push((name.to_owned(), routes::unit(unit)));
    crumbs
}
