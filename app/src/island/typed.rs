//! What stands in a form, as an island sees it.

use leptos::prelude::*;
use lingbao_model::param::Typed;

/// The fields of the form with the id `form`: as they came with the page, and in the browser as they
/// stand now.
pub fn follow(form: &str, begun: Typed) -> RwSignal<Typed> {
    let typed = RwSignal::new(begun);
    #[cfg(feature = "hydrate")]
    browser::follow(form.to_owned(), typed);
    #[cfg(not(feature = "hydrate"))]
    let _ = form;
    typed
}

/// What only the browser has.
#[cfg(feature = "hydrate")]
pub mod browser {
    use super::Typed;
    use leptos::prelude::*;
    use wasm_bindgen::{JsCast, closure::Closure};
    use web_sys::{Event, FormData, HtmlFormElement};

    /// The form with an id.
    pub fn form(id: &str) -> Option<HtmlFormElement> {
        document().get_element_by_id(id)?.dyn_into().ok()
    }

    /// Calls `take` at each of the events of a form. The listener goes with the form.
    pub fn listen<E: JsCast + 'static>(
        form: &HtmlFormElement,
        event: &str,
        mut take: impl FnMut(E) + 'static,
    ) {
        let listener = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
            if let Ok(event) = event.dyn_into() {
                take(event);
            }
        });
        // Refused by no browser: the name of an event may be any.
        let _ = form.add_event_listener_with_callback(event, listener.as_ref().unchecked_ref());
        listener.forget();
    }

    /// What stands in a form now.
    pub fn read(form: &HtmlFormElement) -> Option<Typed> {
        let data = FormData::new_with_form(form).ok()?;
        let mut now = Typed::new();
        for pair in data.entries().into_iter().flatten() {
            let pair = js_sys::Array::from(&pair);
            if let (Some(name), Some(value)) = (pair.get(0).as_string(), pair.get(1).as_string()) {
                now.insert(name, value);
            }
        }
        Some(now)
    }

    pub fn follow(id: String, typed: RwSignal<Typed>) {
        // After the island was found on the page: what was typed before it woke is in the fields.
        Effect::new(move |_| {
            let Some(form) = form(&id) else { return };
            let own = form.clone();
            let take = move || {
                if let Some(now) = read(&own)
                    && typed.with_untracked(|before| *before != now)
                {
                    typed.set(now);
                }
            };
            take();
            listen(&form, "input", move |_: Event| take());
        });
    }
}
