//! The document around the application: made on the server, never hydrated.

use crate::{
    form::ssr::BuildId,
    i18n::{self, Lang},
    look::Look,
    routes::App,
    ui::icon::Sprite,
};
use leptos::{config::LeptosOptions, hydration::HydrationScripts, nonce::use_nonce, prelude::*};
use leptos_meta::{HashedStylesheet, MetaTags};

/// The whole document.
///
/// The sprite of icons stands behind the application, because hydration begins at the first child
/// of `<body>`.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let look = use_context::<Look>().unwrap_or_default();
    let lang = use_context::<Lang>().unwrap_or_default();
    let build = use_context::<BuildId>()
        .map(|id| id.0.to_string())
        .unwrap_or_default();
    set_policy();
    view! {
        <!DOCTYPE html>
        <html
            lang=lang.tag()
            data-theme=look.theme_attr()
            data-contrast=look.contrast_attr()
            data-text=look.text_attr()
        >
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"/>
                <meta name="build" content=build.clone()/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <HashedStylesheet options=options.clone() id="style"/>
                <link rel="preload" href=i18n::file_path(lang, &build) r#as="fetch" crossorigin="anonymous"/>
                <HydrationScripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
                <Sprite/>
            </body>
        </html>
    }
}

/// The content security policy of this page: scripts by nonce, nothing from another host, no
/// inline style. `'self'` is needed by the module preloads, which carry no nonce.
fn set_policy() {
    let (Some(nonce), Some(response)) =
        (use_nonce(), use_context::<leptos_axum::ResponseOptions>())
    else {
        return;
    };
    let policy = format!(
        "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    );
    if let Ok(value) = http::HeaderValue::from_str(&policy) {
        response.insert_header(http::header::CONTENT_SECURITY_POLICY, value);
    }
}
