//! Administration of units and users. System administrators make units and accounts; security
//! administrators give roles and take locks away. Which acts a page offers follows from what the
//! reader may do; what is allowed is decided again by the services.

mod unit;
mod unit_form;
mod units;
mod user;
mod user_form;
mod users;

use crate::form::ssr::{Pages, page_post};
use crate::{i18n, pages::page, routes, t, ui::Crumb};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};
use lingbao_model::{people::Role, time::Timestamp, time::Zone};

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/admin/units"), units::Units),
        page(path!("/admin/units/:id"), unit::UnitPage),
        page(path!("/admin/units/:id/new"), unit_form::UnitNew),
        page(path!("/admin/units/:id/edit"), unit_form::UnitEdit),
        page(path!("/admin/users"), users::Users),
        // Before the one with a parameter: the first that fits is taken.
        page(path!("/admin/users/new"), user_form::UserNew),
        page(path!("/admin/users/:id"), user::UserPage),
        page(path!("/admin/users/:id/edit"), user_form::UserEdit),
        page(path!("/admin/users/:id/grant"), user_form::UserGrant),
        page(path!("/admin/users/:id/password"), user_form::UserPassword),
    ]
}

/// What the pages post to themselves.
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
