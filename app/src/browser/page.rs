//! Brings a page without loading the document anew: fetches what the server would send anyway, and puts
//! it in place.
//!
//! Where anything is not as expected (another build, no page at all, no answer) the browser loads the
//! document itself, and says itself what is wrong.

use super::{
    all, build_id, islands, listen, listen_to, live,
    morph::{Why, morph},
    sleep,
};
use crate::names::LIVE_HEADER;
use gloo_net::http::{Request, Response};
use leptos::prelude::{document, window};
use std::{
    cell::{Cell, RefCell},
    time::Duration,
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{
    Document, DomParser, Element, Event, HtmlElement, HtmlInputElement, HtmlSelectElement,
    HtmlTextAreaElement, PopStateEvent, ScrollRestoration, SupportedType,
};

/// Event that the window hears before its page goes.
pub const LEAVE: &str = "lingbao:leave";
/// After so long it is shown that a page is on its way.
const SHOWN: Duration = Duration::from_millis(150);
/// So often the place where somebody reads is noted.
const NOTED: Duration = Duration::from_millis(200);

thread_local! {
    /// Which of the pages that were asked for is the last.
    static ASKED: Cell<u32> = const { Cell::new(0) };
    /// The last of them that came.
    static ARRIVED: Cell<u32> = const { Cell::new(0) };
    static NOTING: Cell<bool> = const { Cell::new(false) };
    /// The address of the page that stands there.
    static STANDS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Follows the browser's own way back and forth.
pub fn start() {
    if let Ok(history) = window().history() {
        // The page that is gone back to comes later than the browser would scroll.
        let _ = history.set_scroll_restoration(ScrollRestoration::Manual);
        scroll_to(history.state().ok().as_ref());
    }
    stands();
    listen_to(
        window().as_ref(),
        "popstate",
        false,
        |event: PopStateEvent| {
            let url = window().location().href().unwrap_or_default();
            // A place on this very page: there is none to bring.
            if STANDS.with(|standing| *standing.borrow() != page_of(&url)) {
                spawn_local(show(url, Some(event.state())));
            }
        },
    );
    listen("scroll", |_: Event| {
        if !NOTING.replace(true) {
            spawn_local(async {
                sleep(NOTED).await;
                NOTING.set(false);
                note_place();
            });
        }
    });
}

/// An address without the place on its page.
fn page_of(url: &str) -> &str {
    url.split('#').next().unwrap_or(url)
}

/// Notes which page stands there.
fn stands() {
    let url = window().location().href().unwrap_or_default();
    STANDS.with(|standing| page_of(&url).clone_into(&mut standing.borrow_mut()));
}

/// The page of `url` is the newest of the history. Whoever asks for the page that stands there asks for
/// it anew, and does not have to go back twice.
fn enter(url: &str) {
    if STANDS.with(|standing| *standing.borrow() == page_of(url)) {
        replace(url);
        return;
    }
    if let Ok(history) = window().history() {
        let _ = history.push_state_with_url(&JsValue::NULL, "", Some(url));
    }
    stands();
}

/// The page that stands there is at another address now.
fn replace(url: &str) {
    if let Ok(history) = window().history() {
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(url));
    }
    stands();
}

/// Goes to a page of the portal.
pub fn go(url: String) {
    note_place();
    spawn_local(show(url, None));
}

/// Shows the page of `url`: a new one, or one that was gone back to, with what was noted of it.
async fn show(url: String, back: Option<JsValue>) {
    let turn = ASKED.get().wrapping_add(1);
    ASKED.set(turn);
    let current = move || ASKED.get() == turn;
    spawn_local(async move {
        sleep(SHOWN).await;
        if current() && ARRIVED.get() != turn {
            waits(true);
        }
    });
    let found = fetch(&url, false).await;
    if !current() {
        return;
    }
    ARRIVED.set(turn);
    waits(false);
    let Some((response, page)) = found.filter(|(_, page)| same_build(page)) else {
        // Nothing is lost by it: what somebody typed would go with any other page too.
        let _ = match back {
            Some(_) => window().location().reload(),
            None => window().location().assign(&url),
        };
        return;
    };
    if let Ok(leave) = Event::new(LEAVE) {
        let _ = window().dispatch_event(&leave);
    }
    if back.is_some() {
        stands();
    } else {
        let hash = url.split_once('#').map(|(_, place)| format!("#{place}"));
        enter(&format!("{}{}", response.url(), hash.unwrap_or_default()));
    }
    put(&page, Why::Gone);
    arrive(back.as_ref());
}

/// Asks for the page that stands there, and makes it what it is now: the whole, or the frame alone.
pub async fn renew(whole: bool) {
    let turn = ASKED.get();
    let Ok(url) = window().location().href() else {
        return;
    };
    let Some((response, page)) = fetch(&url, true).await else {
        return;
    };
    // Somebody went on meanwhile, also to a page that they had asked for before; or the server is away:
    // the next change asks again.
    let stands = window().location().href().is_ok_and(|now| now == url);
    if ASKED.get() != turn || !stands || response.status() >= 500 {
        return;
    }
    let path = |url: &str| web_sys::Url::new(url).map(|url| url.pathname()).ok();
    if path(&response.url()) != path(&url) {
        // The session is over. What was typed can still be sent: it is kept until the sign-in.
        if !anything_typed() && same_build(&page) {
            replace(&response.url());
            put(&page, Why::Gone);
        }
        return;
    }
    // A page of another build says so itself, and waits for its reader.
    if !same_build(&page) {
        return;
    }
    // A page that answers a form shows what was typed and what is wrong with it.
    let answers = document()
        .query_selector("main[data-answer]")
        .is_ok_and(|found| found.is_some());
    if whole && !answers {
        put(&page, Why::News);
    } else {
        frame(&page, Why::News);
        live::again();
    }
}

async fn fetch(url: &str, by_itself: bool) -> Option<(Response, Document)> {
    let request = Request::get(page_of(url)).header("accept", "text/html");
    let request = if by_itself {
        request.header(LIVE_HEADER, "1")
    } else {
        request
    };
    let response = request.send().await.ok()?;
    let kind = response.headers().get("content-type").unwrap_or_default();
    if !kind.starts_with("text/html") {
        return None;
    }
    let text = response.text().await.ok()?;
    let page = DomParser::new()
        .ok()?
        .parse_from_string(&text, SupportedType::TextHtml)
        .ok()?;
    Some((response, page))
}

/// Whether a page is of the same build, and in the same language: both came with the document.
fn same_build(page: &Document) -> bool {
    let lang = |of: &Document| of.document_element()?.get_attribute("lang");
    build_id(page).is_some()
        && build_id(page) == build_id(&document())
        && lang(page) == lang(&document())
}

/// Puts a page in the place of the one that stands there.
fn put(page: &Document, why: Why) {
    let (Some(old), Some(new)) = (document().body(), page.body()) else {
        return;
    };
    let main = |of: &HtmlElement| of.query_selector(".shell > main").ok().flatten();
    match (main(&old), main(&new)) {
        (Some(here), Some(wanted)) => {
            if why == Why::Gone {
                let _ = here.replace_with_with_node_1(&wanted);
            } else {
                morph(&here, &wanted, why);
            }
            frame(page, why);
        }
        // One of both stands alone, without the frame.
        _ => morph(&old, &new, why),
    }
    live::again();
    islands::wake();
}

/// Makes the frame that of another page; what stands inside it stays.
fn frame(page: &Document, why: Why) {
    document().set_title(&page.title());
    for place in [
        ".shell > .top",
        ".shell > .side",
        ".shell > .dock",
        ".toasts",
    ] {
        let of = |document: &Document| document.query_selector(place).ok().flatten();
        if let (Some(here), Some(wanted)) = (of(&document()), of(page)) {
            morph(&here, &wanted, why);
        }
    }
}

/// Where the reader begins: at what is wrong, at the place of the link, or at the top.
fn arrive(back: Option<&JsValue>) {
    let focus = |element: &Element| {
        if let Some(element) = element.dyn_ref::<HtmlElement>() {
            let options = web_sys::FocusOptions::new();
            options.set_prevent_scroll(true);
            let _ = element.focus_with_options(&options);
        }
    };
    let first = document().query_selector("main [autofocus]").ok().flatten();
    if let Some(main) = first.or_else(|| document().get_element_by_id("main")) {
        focus(&main);
    }
    if back.is_some() {
        scroll_to(back);
        return;
    }
    let place = window().location().hash().unwrap_or_default();
    match document().get_element_by_id(place.trim_start_matches('#')) {
        Some(place) => place.scroll_into_view(),
        None => window().scroll_to_with_x_and_y(0.0, 0.0),
    }
}

/// Notes with the entry of the history how far somebody has read.
fn note_place() {
    let (Ok(history), Ok(y)) = (window().history(), window().scroll_y()) else {
        return;
    };
    // Refused only when it is done too often: then the last note stands.
    let _ = history.replace_state(&JsValue::from_f64(y), "");
}

fn scroll_to(noted: Option<&JsValue>) {
    if let Some(y) = noted.and_then(JsValue::as_f64) {
        window().scroll_to_with_x_and_y(0.0, y);
    }
}

/// Shows that a page is on its way, or not any more.
fn waits(on: bool) {
    if let Some(html) = document().document_element() {
        let _ = html.toggle_attribute_with_force("data-waits", on);
    }
}

/// Whether something stands in a field that did not come with the page.
fn anything_typed() -> bool {
    all(&document(), "main input, main textarea, main select")
        .iter()
        .any(|field| {
            if let Some(input) = field.dyn_ref::<HtmlInputElement>() {
                match input.type_().as_str() {
                    "hidden" => false,
                    "checkbox" | "radio" => input.checked() != input.default_checked(),
                    _ => input.value() != input.default_value(),
                }
            } else if let Some(area) = field.dyn_ref::<HtmlTextAreaElement>() {
                area.default_value().is_ok_and(|own| own != area.value())
            } else if let Some(select) = field.dyn_ref::<HtmlSelectElement>() {
                // Where no choice is marked as its own, the first stands chosen.
                let own = select.query_selector("option[selected]").ok().flatten();
                let own = own.and_then(|it| it.get_attribute("value"));
                own.map_or(select.selected_index() > 0, |own| own != select.value())
            } else {
                false
            }
        })
}
