//! Forms that ask for a page: search and filters.

use crate::ui::Text;
use leptos::prelude::*;

/// A form of which the fields become the query of `action`. Without scripts the browser goes there;
/// with them the router does, and the frame of the page stays. The router's own `Form` does that
/// too, and posts, uploads and answers besides, at eight times the size.
#[component]
pub fn GetForm(
    #[prop(into)] action: Text,
    class: &'static str,
    children: Children,
) -> impl IntoView {
    let path = action.clone();
    let go = leptos_router::hooks::use_navigate();
    let submit = move |event: leptos::ev::SubmitEvent| {
        if let Some(query) = query(&event) {
            event.prevent_default();
            go(&format!("{path}?{query}"), Default::default());
        }
    };
    view! {
        <form method="get" action=action class=class role="search" on:submit=submit>
            {children()}
        </form>
    }
}

/// What the fields of the form say; nothing where the browser shall send it itself.
#[cfg(feature = "hydrate")]
fn query(event: &leptos::ev::SubmitEvent) -> Option<String> {
    use wasm_bindgen::JsCast as _;
    let form: web_sys::HtmlFormElement = event.target()?.dyn_into().ok()?;
    let fields = web_sys::FormData::new_with_form(&form).ok()?;
    let query = web_sys::UrlSearchParams::new_with_str_sequence_sequence(&fields).ok()?;
    Some(query.to_string().into())
}

#[cfg(not(feature = "hydrate"))]
fn query(_: &leptos::ev::SubmitEvent) -> Option<String> {
    None
}
