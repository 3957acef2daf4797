//! The pages: a Leptos application, rendered on the server and made live in the browser.
//!
//! [`routes`] lists the pages, [`area`] holds one folder a part of the portal, [`frame`] is what
//! stands around every page, [`ui`] the design system (it knows no domain word), [`form`] how a
//! form posts to its own page, [`i18n`] the words. How to add an area: `docs/how-to/add-an-area.md`.

// The types of a page are deep.
#![recursion_limit = "512"]

pub mod area;
pub mod asked;
#[cfg(feature = "ssr")]
pub mod csv;
pub mod error;
pub mod facts;
pub mod form;
pub mod frame;
pub mod i18n;
pub mod json;
pub mod live;
pub mod look;
pub mod presence;
pub mod routes;
#[cfg(feature = "ssr")]
pub mod shell;
#[cfg(feature = "ssr")]
pub mod ssr;
pub mod ui;
pub mod viewer;

/// The build that made the page, from its head.
#[cfg(feature = "hydrate")]
pub fn build_id() -> Option<String> {
    leptos::prelude::document()
        .query_selector("meta[name=build]")
        .ok()??
        .get_attribute("content")
        .filter(|id| !id.is_empty())
}

/// Makes the page live. The dictionary comes first: it was preloaded beside the wasm, and without
/// it the first words of hydration would be keys.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    use i18n::{Dict, Lang};
    console_error_panic_hook::set_once();
    // The reactive system does not run yet, so its own spawner is not there.
    wasm_bindgen_futures::spawn_local(async {
        let tag = leptos::prelude::document()
            .document_element()
            .and_then(|html| html.get_attribute("lang"));
        let lang = tag.as_deref().and_then(Lang::parse).unwrap_or_default();
        let path = i18n::file_path(lang, &build_id().unwrap_or_default());
        let text = match gloo_net::http::Request::get(&path).send().await {
            Ok(response) if response.ok() => response.text().await.ok(),
            _ => None,
        };
        // Without its words the page stays as the server made it, and works as plain HTML.
        let Some(dict) = text.and_then(|text| Dict::parse(&text).ok()) else {
            return;
        };
        i18n::install(lang, dict);
        let Some(body) = leptos::prelude::document().body() else {
            return;
        };
        live::until_live();
        let page = leptos::mount::hydrate_from_async(body, routes::App).await;
        page.forget();
        live::page_is_live();
    });
}
