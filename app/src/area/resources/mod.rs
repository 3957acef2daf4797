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

use crate::form::ssr::{Pages, page_post};
use crate::pages::page;
use leptos_router::{any_nested_route::AnyNestedRoute, path};

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/resources"), list::Resources),
        page(path!("/resources/:id"), detail::ResourcePage),
        page(path!("/resources/:id/change"), change::ChangePage),
        page(path!("/resources/:id/rules"), rules::RulesPage),
        page(path!("/resources/:id/reinstall"), reinstall::ReinstallPage),
        page(path!("/deliveries/:id"), sheet::Sheet),
        page(
            path!("/resources/:id/snapshots/:snapshot"),
            restore::RestorePage,
        ),
        page(
            path!("/resources/:id/backups/:backup"),
            restore::RestoreBackupPage,
        ),
        page(path!("/resources/:id/bin"), bin::BinPage),
        page(
            path!("/resources/:id/certificate"),
            certificate::CertificatePage,
        ),
        page(
            path!("/requests/:id/certificates"),
            certificate::CertificatesPage,
        ),
    ]
}

/// What the pages post to themselves, and the list as a file.
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route("/resources/{id}", page_post(detail::ssr::act))
        .route(
            "/resources/{id}/snapshots/{snapshot}",
            page_post(restore::ssr::submit),
        )
        .route(
            "/resources/{id}/backups/{backup}",
            page_post(restore::ssr::submit_backup),
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
