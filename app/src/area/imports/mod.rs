//! What stands in a cloud already becomes the portal's: choosing, the sheet with its preview, and
//! what came of earlier ones.

mod batch;
mod batches;
pub mod file;
mod preview;
mod sheet;
mod template;

use crate::pages::page;
use crate::{
    form::ssr::{Pages, page_post},
    routes,
};
use leptos_router::{any_nested_route::AnyNestedRoute, path};
use lingbao_model::time::{Timestamp, Zone};

/// Path of the template of a sheet, as CSV.
pub const TEMPLATE: &str = "/operations/import/template.csv";
/// Path of the template of a sheet, as a workbook.
pub const WORKBOOK: &str = "/operations/import/template.xlsx";

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/operations/import"), sheet::Sheet),
        page(path!("/operations/import/batches"), batches::Batches),
        page(path!("/operations/import/batches/:id"), batch::BatchPage),
    ]
}

/// What the pages post to themselves, and the templates.
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new()
        .route(routes::IMPORT, page_post(sheet::ssr::act))
        .route(
            "/operations/import/batches/{id}",
            page_post(batch::ssr::act),
        )
        .route(TEMPLATE, axum::routing::get(template::as_csv))
        .route(WORKBOOK, axum::routing::get(template::as_workbook))
}

fn when(at: Timestamp) -> String {
    at.minute_text(Zone::SHANGHAI)
}
