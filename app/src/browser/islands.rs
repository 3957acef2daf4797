//! Wakes the islands of a page: the parts of it that reckon in the browser.
//!
//! An island needs its words, so the dictionary is fetched when the first one is met; pages without
//! islands, which are most, load none.

use super::{all, build_id};
use crate::i18n::{self, Dict, Lang};
use gloo_net::http::Request;
use leptos::prelude::document;
use std::cell::{Cell, RefCell};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::Element;

/// Where an island has been called; it is called once.
const AWAKE: &str = "data-awake";

thread_local! {
    static MODULE: RefCell<JsValue> = const { RefCell::new(JsValue::NULL) };
    static WORDS: Cell<bool> = const { Cell::new(false) };
}

/// The module with the functions of the islands.
pub fn provide(module: JsValue) {
    MODULE.with(|own| *own.borrow_mut() = module);
}

/// Wakes every island that is new on the page.
pub fn wake() {
    let asleep = all(&document(), "leptos-island:not([data-awake])");
    if asleep.is_empty() {
        return;
    }
    spawn_local(async move {
        // Without its words the page stays as the server made it, and works as plain HTML.
        if !WORDS.get() && fetch_words().await.is_none() {
            return;
        }
        WORDS.set(true);
        for island in asleep {
            // Another page may stand there by now, or another call was faster.
            if island.is_connected() && !island.has_attribute(AWAKE) {
                let _ = island.set_attribute(AWAKE, "");
                call(&island).await;
            }
        }
    });
}

async fn call(island: &Element) {
    let module = MODULE.with(|own| own.borrow().clone());
    let Some(name) = island.get_attribute("data-component") else {
        return;
    };
    let function = js_sys::Reflect::get(&module, &JsValue::from_str(&name))
        .ok()
        .and_then(|found| found.dyn_into::<js_sys::Function>().ok());
    // An island of another build: its page works without it.
    let Some(function) = function else { return };
    if let Ok(answer) = function.call1(&JsValue::NULL, island)
        && let Ok(promise) = answer.dyn_into::<js_sys::Promise>()
    {
        let _ = JsFuture::from(promise).await;
    }
}

async fn fetch_words() -> Option<()> {
    let html = document().document_element()?;
    let lang = html.get_attribute("lang");
    let lang = lang.as_deref().and_then(Lang::parse).unwrap_or_default();
    let path = i18n::file_path(lang, &build_id(&document()).unwrap_or_default());
    let answer = Request::get(&path).send().await.ok()?;
    if !answer.ok() {
        return None;
    }
    let dict = Dict::parse(&answer.text().await.ok()?).ok()?;
    i18n::install(lang, dict);
    Some(())
}
