//! What the unit has: the list with its file, one resource, the form that changes it, the delivery
//! sheet of a request.

mod backups;
mod bin;
mod certificate;
mod change;
mod day_two;
mod detail;
mod ending;
mod list;
mod reinstall;
mod restore;
mod rules;
mod sheet;
mod snapshots;
mod words;

#[cfg(feature = "ssr")]
use crate::form::ssr::{Pages, page_post};
use crate::{lazy_pages, piece, routes::page};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// The list.
    List,
    /// One resource.
    Detail,
    /// The delivery sheet.
    Sheet,
    /// A new disk out of a snapshot.
    Restore,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn resources(page: Page) -> AnyView {
    match page {
        Page::List => view! { <list::Resources/> }.into_any(),
        Page::Detail => view! { <detail::ResourcePage/> }.into_any(),
        Page::Sheet => view! { <sheet::Sheet/> }.into_any(),
        Page::Restore => view! { <restore::RestorePage/> }.into_any(),
    }
}

lazy_pages!(resources, __preload_resources);

/// The form that changes a resource lets the server compute while one types: a piece of its own, so
/// that list and detail do not carry it.
#[lazy]
fn changing() -> AnyView {
    view! { <change::ChangePage/> }.into_any()
}

/// So is the page of what may come in to a host: few people open it.
#[lazy]
fn guarding() -> AnyView {
    view! { <rules::RulesPage/> }.into_any()
}

/// And the one that installs a host's system anew.
#[lazy]
fn installing() -> AnyView {
    view! { <reinstall::ReinstallPage/> }.into_any()
}

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    let mut all = vec![
        page(path!("/resources"), piece(Page::List)),
        page(path!("/resources/:id"), piece(Page::Detail)),
        page(
            path!("/resources/:id/change"),
            piece!(changing(), __preload_changing),
        ),
        page(
            path!("/resources/:id/rules"),
            piece!(guarding(), __preload_guarding),
        ),
        page(
            path!("/resources/:id/reinstall"),
            piece!(installing(), __preload_installing),
        ),
        page(path!("/deliveries/:id"), piece(Page::Sheet)),
        page(
            path!("/resources/:id/snapshots/:snapshot"),
            piece(Page::Restore),
        ),
    ];
    all.extend(ending::routes());
    all
}

/// What the pages post to themselves, and the list as a file.
#[cfg(feature = "ssr")]
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/resources/{id}", page_post(detail::ssr::act))
        .route(
            "/resources/{id}/snapshots/{snapshot}",
            page_post(restore::ssr::submit),
        )
        .route("/resources/{id}/change", page_post(change::ssr::submit))
        .route("/resources/{id}/bin", page_post(bin::ssr::act))
        .route("/resources/{id}/rules", page_post(rules::ssr::submit))
        .route(
            "/resources/{id}/reinstall",
            page_post(reinstall::ssr::submit),
        )
        .route(list::CSV, axum::routing::get(list::ssr::csv))
}
