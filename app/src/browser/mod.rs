//! What the browser does with the pages that the server made: links and searches without loading the
//! document anew, news while a page stands open, the buttons beside numbers, and the
//! [islands](crate::island) that reckon while one types.
//!
//! All of it is an addition: without it links are links and forms are forms. So everything here gives
//! way to the browser itself where it is not sure.

mod acts;
mod islands;
mod live;
mod morph;
mod page;
mod presence;

use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use web_sys::{AddEventListenerOptions, Element, Event};

pub use page::LEAVE;

/// Makes the page live; `module` is the module that wasm-bindgen made, of which the functions of the
/// islands are called by name. Called by the script of the [shell](crate::shell).
#[wasm_bindgen]
pub fn start(module: JsValue) {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
    islands::provide(module);
    page::start();
    acts::start();
    presence::start();
    live::start();
    islands::wake();
}

/// The build that made the page, from its head.
fn build_id(document: &web_sys::Document) -> Option<String> {
    document
        .query_selector("meta[name=build]")
        .ok()??
        .get_attribute("content")
        .filter(|id| !id.is_empty())
}

/// Listens to an event of the whole document for as long as it stands.
fn listen<E: JsCast + 'static>(event: &str, take: impl FnMut(E) + 'static) {
    listen_to(document().as_ref(), event, false, take);
}

/// The same on anything; `capture` hears events that do not bubble.
fn listen_to<E: JsCast + 'static>(
    target: &web_sys::EventTarget,
    event: &str,
    capture: bool,
    mut take: impl FnMut(E) + 'static,
) {
    let listener = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
        if let Ok(event) = event.dyn_into::<E>() {
            take(event);
        }
    });
    let options = AddEventListenerOptions::new();
    options.set_capture(capture);
    // Refused by no browser: the name of an event may be any.
    let _ = target.add_event_listener_with_callback_and_add_event_listener_options(
        event,
        listener.as_ref().unchecked_ref(),
        &options,
    );
    listener.forget();
}

/// The element that an event happened in, or one around it.
fn around(event: &Event, selector: &str) -> Option<Element> {
    event
        .target()?
        .dyn_into::<Element>()
        .ok()?
        .closest(selector)
        .ok()?
}

/// All elements of the document that a selector finds.
fn all(root: &web_sys::Document, selector: &str) -> Vec<Element> {
    let Ok(found) = root.query_selector_all(selector) else {
        return Vec::new();
    };
    (0..found.length())
        .filter_map(|at| found.item(at)?.dyn_into().ok())
        .collect()
}

/// Waits.
async fn sleep(time: Duration) {
    let over = js_sys::Promise::new(&mut |done, _| {
        // Calling the end of a promise never throws.
        set_timeout(move || drop(done.call0(&JsValue::NULL)), time);
    });
    let _ = wasm_bindgen_futures::JsFuture::from(over).await;
}
