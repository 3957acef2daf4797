//! Administration of units and users. System administrators make units and accounts; security
//! administrators give roles and take locks away. Which acts a page offers follows from what the
//! reader may do; what is allowed is decided again by the services.

mod unit;
mod unit_form;
mod units;
mod user;
mod user_form;
mod users;

#[cfg(feature = "ssr")]
use crate::form::ssr::{Pages, page_post};
use crate::{
    i18n, lazy_pages,
    routes::{self, page},
    t,
    ui::Crumb,
};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};
use lingbao_model::{people::Role, time::Timestamp, time::Zone};

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// The top of the tree, and search.
    Units,
    /// One unit.
    Unit,
    /// A new unit below one.
    UnitNew,
    /// Other names of a unit.
    UnitEdit,
    /// The users.
    Users,
    /// A new account.
    UserNew,
    /// One user.
    User,
    /// Name, telephone and unit of a user.
    UserEdit,
    /// A role for a user.
    UserGrant,
    /// A first password for a user.
    UserPassword,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn people(page: Page) -> AnyView {
    match page {
        Page::Units => view! { <units::Units/> }.into_any(),
        Page::Unit => view! { <unit::UnitPage/> }.into_any(),
        Page::UnitNew => view! { <unit_form::UnitNew/> }.into_any(),
        Page::UnitEdit => view! { <unit_form::UnitEdit/> }.into_any(),
        Page::Users => view! { <users::Users/> }.into_any(),
        Page::UserNew => view! { <user_form::UserNew/> }.into_any(),
        Page::User => view! { <user::UserPage/> }.into_any(),
        Page::UserEdit => view! { <user_form::UserEdit/> }.into_any(),
        Page::UserGrant => view! { <user_form::UserGrant/> }.into_any(),
        Page::UserPassword => view! { <user_form::UserPassword/> }.into_any(),
    }
}

lazy_pages!(people, __preload_people);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/admin/units"), piece(Page::Units)),
        page(path!("/admin/units/:id"), piece(Page::Unit)),
        page(path!("/admin/units/:id/new"), piece(Page::UnitNew)),
        page(path!("/admin/units/:id/edit"), piece(Page::UnitEdit)),
        page(path!("/admin/users"), piece(Page::Users)),
        // Before the one with a parameter: the first that fits is taken.
        page(path!("/admin/users/new"), piece(Page::UserNew)),
        page(path!("/admin/users/:id"), piece(Page::User)),
        page(path!("/admin/users/:id/edit"), piece(Page::UserEdit)),
        page(path!("/admin/users/:id/grant"), piece(Page::UserGrant)),
        page(
            path!("/admin/users/:id/password"),
            piece(Page::UserPassword),
        ),
    ]
}

/// What the pages post to themselves.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/admin/units/{id}", page_post(unit::ssr::act))
        .route("/admin/units/{id}/new", page_post(unit_form::ssr::create))
        .route("/admin/units/{id}/edit", page_post(unit_form::ssr::rename))
        .route(routes::USER_NEW, page_post(user_form::ssr::create))
        .route("/admin/users/{id}", page_post(user::ssr::act))
        .route("/admin/users/{id}/edit", page_post(user_form::ssr::edit))
        .route("/admin/users/{id}/grant", page_post(user_form::ssr::grant))
        .route(
            "/admin/users/{id}/password",
            page_post(user_form::ssr::password),
        )
}

/// The `:id` of the page's path.
fn id_param() -> Memo<String> {
    crate::asked::param("id")
}

fn when(at: Timestamp) -> String {
    at.minute_text(Zone::SHANGHAI)
}

fn role_name(role: Role) -> String {
    i18n::t_key(&format!("role.{role}")).into_owned()
}

fn unit_crumbs() -> Vec<Crumb> {
    vec![(
        t!("people.units").to_owned(),
        routes::ADMIN_UNITS.to_owned(),
    )]
}

fn user_crumbs() -> Vec<Crumb> {
    vec![(
        t!("people.users").to_owned(),
        routes::ADMIN_USERS.to_owned(),
    )]
}
