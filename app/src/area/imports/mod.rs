//! What stands in a cloud already becomes the portal's: choosing, the sheet with its preview, and
//! what came of earlier ones.

mod batch;
mod batches;
#[cfg(feature = "ssr")]
mod file;
mod preview;
mod sheet;
#[cfg(feature = "ssr")]
mod template;

#[cfg(feature = "ssr")]
use crate::{
    form::ssr::{Pages, page_post},
    routes,
};
use crate::{lazy_pages, routes::page};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};
use lingbao_model::time::{Timestamp, Zone};

/// Path of the template of a sheet, as CSV.
pub const TEMPLATE: &str = "/operations/import/template.csv";
/// Path of the template of a sheet, as a workbook.
pub const WORKBOOK: &str = "/operations/import/template.xlsx";

/// The pages of this area.
#[derive(Clone, Copy)]
pub enum Page {
    /// What is nobody's, and the sheet.
    Sheet,
    /// What was taken in.
    Batches,
    /// One batch.
    Batch,
}

/// The piece of code that is loaded when somebody opens one of the pages.
#[lazy]
fn imports(page: Page) -> AnyView {
    match page {
        Page::Sheet => view! { <sheet::Sheet/> }.into_any(),
        Page::Batches => view! { <batches::Batches/> }.into_any(),
        Page::Batch => view! { <batch::BatchPage/> }.into_any(),
    }
}

lazy_pages!(imports, __preload_imports);

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![
        page(path!("/operations/import"), piece(Page::Sheet)),
        page(path!("/operations/import/batches"), piece(Page::Batches)),
        page(path!("/operations/import/batches/:id"), piece(Page::Batch)),
    ]
}

/// What the pages post to themselves, and the templates.
#[cfg(feature = "ssr")]
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
