//! Tells the server that a person is here: a session ends after half an hour in which nobody does
//! anything, and an open page that asks for news by itself is nobody.

/// Where a sign of the person goes.
pub const PATH: &str = "/presence";

/// Sends a sign when somebody clicks or types, at most one a minute; once, in the app. Without
/// scripts the pages that are opened and the forms that are sent say the same.
pub fn watch() {
    #[cfg(feature = "hydrate")]
    browser::watch();
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::*;
    use std::{cell::Cell, rc::Rc};

    const BETWEEN_MS: f64 = 60_000.0;

    pub fn watch() {
        let last = Rc::new(Cell::new(js_sys::Date::now()));
        for event in ["pointerdown", "keydown"] {
            let last = last.clone();
            let handle = window_event_listener_untyped(event, move |_| {
                let now = js_sys::Date::now();
                if now - last.get() >= BETWEEN_MS {
                    last.set(now);
                    // A sign that gets lost is followed by the next one.
                    let _ = window().navigator().send_beacon(super::PATH);
                }
            });
            on_cleanup(move || handle.remove());
        }
    }
}
