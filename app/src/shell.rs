//! The document around the application.

use crate::{form::ssr::BuildId, i18n::Lang, look::Look, pages::App, ui::icon::Sprite};
use leptos::{config::LeptosOptions, nonce::use_nonce, prelude::*};
use leptos_meta::{HashedStylesheet, MetaTags};
use std::{collections::HashMap, sync::OnceLock};

/// The whole document.
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
                <meta name="build" content=build/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <HashedStylesheet options=options.clone() id="style"/>
                <Scripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
                <Sprite/>
            </body>
        </html>
    }
}

/// Starts [`browser`](crate::browser) when the page is there. Both files are asked for with the page, so
/// that they come side by side.
///
/// Not the script that leptos has for it: that wakes islands once, when the document is loaded; ours
/// come with every page that is brought into it.
#[component]
fn Scripts(options: LeptosOptions) -> impl IntoView {
    // Nothing outside of islands is to be hydrated, so nothing of it is written into the page.
    if let Some(context) = Owner::current_shared_context() {
        context.set_is_hydrating(false);
    }
    let nonce = use_nonce();
    let (js, wasm) = (built(&options, "js"), built(&options, "wasm"));
    let script = format!(
        "import({js:?}).then(m=>m.default({{module_or_path:{wasm:?}}}).then(()=>m.start(m)))"
    );
    view! {
        <link rel="modulepreload" href=js crossorigin="anonymous"/>
        <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
        <script type="module" nonce=nonce inner_html=script></script>
    }
}

/// The path of a built file by its kind: `js`, `wasm`. Its name carries a hash, which stands in a list
/// beside the program; without that list (a server built alone) there is no such file.
fn built(options: &LeptosOptions, kind: &str) -> String {
    static HASHES: OnceLock<HashMap<String, String>> = OnceLock::new();
    let hashes = HASHES.get_or_init(|| {
        let beside = std::env::current_exe().ok();
        let list = beside.and_then(|exe| Some(exe.parent()?.join(options.hash_file.as_ref())));
        let text = list.and_then(|list| std::fs::read_to_string(list).ok());
        text.unwrap_or_default()
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(kind, hash)| (kind.trim().to_owned(), format!(".{}", hash.trim())))
            .collect()
    });
    let hash = hashes.get(kind).map_or("", String::as_str);
    format!(
        "/{}/{}{hash}.{kind}",
        options.site_pkg_dir, options.output_name
    )
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
