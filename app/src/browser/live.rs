//! Listens to what the page watches, and asks for it anew when it changed.
//!
//! The stream is closed while the page is hidden, so that a hundred forgotten tabs cost nothing; when
//! it comes back, it is asked for once, because something may have been missed.

use super::{all, build_id, listen, page, sleep};
use crate::names::{EVENTS, OLD_PAGE};
use leptos::prelude::document;
use std::{
    cell::{Cell, RefCell},
    time::Duration,
};
use wasm_bindgen::{JsCast, closure::Closure};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Event, EventSource, HtmlTemplateElement, MessageEvent, VisibilityState};

/// Changes come in groups: a machine that starts changes its request, its list and its job.
const TOGETHER: Duration = Duration::from_millis(150);

/// The open stream with its listeners.
#[derive(Default)]
struct Stream {
    topics: Vec<String>,
    source: Option<EventSource>,
    listeners: Vec<Closure<dyn FnMut(MessageEvent)>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(source) = self.source.take() {
            source.close();
        }
    }
}

thread_local! {
    static STREAM: RefCell<Stream> = RefCell::default();
    /// Whether the stream has been open before: what came in between is unknown.
    static OPENED: Cell<bool> = const { Cell::new(false) };
    /// A change waits to be shown: of the whole page, or of the frame alone.
    static WAITING: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Listens for as long as the page is seen.
pub fn start() {
    listen("visibilitychange", |_: Event| {
        if seen() {
            again();
            changed(true);
        } else {
            STREAM.with(|own| own.take());
        }
    });
    again();
}

/// Listens to what the page that stands there now watches.
pub fn again() {
    let mut topics: Vec<String> = all(&document(), "[data-live]")
        .iter()
        .filter_map(|mark| mark.get_attribute("data-live"))
        .collect();
    topics.sort();
    topics.dedup();
    let same = STREAM.with(|own| {
        let own = own.borrow();
        own.topics == topics && own.source.is_some()
    });
    if same || !seen() {
        return;
    }
    OPENED.set(false);
    let next = open(topics);
    STREAM.with(|own| own.replace(next));
}

fn seen() -> bool {
    document().visibility_state() == VisibilityState::Visible
}

fn open(topics: Vec<String>) -> Stream {
    let query: Vec<String> = topics
        .iter()
        .map(|topic| format!("t={}", js_sys::encode_uri_component(topic)))
        .collect();
    let mut stream = Stream::default();
    stream.topics = topics;
    if query.is_empty() {
        return stream;
    }
    let Ok(source) = EventSource::new(&format!("{EVENTS}?{}", query.join("&"))) else {
        return stream;
    };
    stream.source = Some(source.clone());
    stream.listen("changed", |topic| {
        let main = all(&document(), "main [data-live]");
        let whole = main
            .iter()
            .any(|mark| mark.get_attribute("data-live").as_deref() == Some(&topic));
        changed(whole);
    });
    stream.listen("build", |build| {
        if !build.is_empty() && build_id(&document()).is_some_and(|own| own != build) {
            say_old();
        }
        // The stream was away for a while, and so was whatever it had to say.
        if OPENED.replace(true) {
            changed(true);
        }
    });
    stream.listen("end", move |_| {
        source.close();
        changed(true);
    });
    stream
}

/// Shows that the page is of another build than the server. Its template goes: it is said once.
fn say_old() {
    let template = document().get_element_by_id(OLD_PAGE);
    if let Some(template) = template.and_then(|found| found.dyn_into::<HtmlTemplateElement>().ok())
    {
        let _ = template.replace_with_with_node_1(&template.content());
    }
}

impl Stream {
    fn listen(&mut self, event: &str, mut take: impl FnMut(String) + 'static) {
        let Some(source) = &self.source else { return };
        let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            take(event.data().as_string().unwrap_or_default());
        });
        // Fails only for a stream that is already gone.
        let _ = source.add_event_listener_with_callback(event, listener.as_ref().unchecked_ref());
        self.listeners.push(listener);
    }
}

/// Something changed: the page is asked for anew, once for what comes together.
fn changed(whole: bool) {
    let waiting = WAITING.get();
    WAITING.set(Some(whole || waiting == Some(true)));
    if waiting.is_some() {
        return;
    }
    spawn_local(async move {
        sleep(TOGETHER).await;
        if let Some(whole) = WAITING.take() {
            page::renew(whole).await;
        }
    });
}
