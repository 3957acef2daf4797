//! Tells the server that a person is here: a session ends after half an hour in which nobody does
//! anything, and an open page that asks for news by itself is nobody. At most one sign a minute.
//! Without scripts the pages that are opened and the forms that are sent say the same.

use super::listen;
use crate::names::PRESENCE;
use leptos::prelude::window;
use std::{cell::Cell, rc::Rc};
use web_sys::Event;

const BETWEEN_MS: f64 = 60_000.0;

/// Watches for clicks and keys.
pub fn start() {
    let last = Rc::new(Cell::new(js_sys::Date::now()));
    for event in ["pointerdown", "keydown"] {
        let last = last.clone();
        listen(event, move |_: Event| {
            let now = js_sys::Date::now();
            if now - last.get() >= BETWEEN_MS {
                last.set(now);
                // A sign that gets lost is followed by the next one.
                let _ = window().navigator().send_beacon(PRESENCE);
            }
        });
    }
}
