//! Live updates: the server says only *that* something changed; the page asks again for what it
//! shows, by the same function and the same authorization as before.
//!
//! `GET /events?t=<topic>&t=<topic>` sends `event: changed` with the topic as data, `event: build`
//! with the server's build id on connection, and `event: end` when the session is over. The stream
//! is closed while the page is hidden, so that a hundred forgotten tabs cost nothing; when the page
//! comes back, everything is asked once, because something may have been missed.
//!
//! Nobody listens before the whole page is live: the frame is so first, while the piece of code of its
//! area is still on its way, and what a change makes anew by then is no longer the HTML that the rest
//! of the page is to be hydrated from.

use leptos::prelude::*;
use std::collections::BTreeMap;

/// The topics that parts of the page watch, each with the number of changes seen.
#[derive(Clone, Copy)]
struct Live {
    topics: RwSignal<BTreeMap<String, (usize, ArcRwSignal<u64>)>>,
    /// The server runs another build than this page.
    stale: RwSignal<bool>,
}

/// Starts listening; once, in the app.
pub fn provide_live() {
    let live = Live {
        topics: RwSignal::new(BTreeMap::new()),
        stale: RwSignal::new(false),
    };
    provide_context(live);
    #[cfg(feature = "hydrate")]
    browser::start(live);
}

/// Until the whole page is live, links are the browser's: the router is awake before the piece of code
/// of the area is there, and would take the page away from under what is still to be hydrated.
#[cfg(feature = "hydrate")]
pub fn until_live() {
    use wasm_bindgen::{JsCast as _, closure::Closure};
    let listener = Closure::<dyn FnMut(web_sys::Event)>::new(|event: web_sys::Event| {
        if !browser::WHOLE.with(|whole| whole.get_untracked()) {
            event.stop_propagation();
        }
    });
    // Before the page's own listeners, which are asked on the way back up.
    let _ = leptos::prelude::window().add_event_listener_with_callback_and_bool(
        "click",
        listener.as_ref().unchecked_ref(),
        true,
    );
    listener.forget();
}

/// The whole page is live: from now on it may change.
#[cfg(feature = "hydrate")]
pub fn page_is_live() {
    browser::WHOLE.with(|whole| whole.set(true));
}

/// Whether the server runs another build than the one that made this page.
pub fn is_stale() -> Signal<bool> {
    use_context::<Live>().map_or_else(|| Signal::stored(false), |live| live.stale.into())
}

/// A number that grows when `topic` changes: the source of a resource.
///
/// ```ignore
/// let version = live::version(&format!("request:{id}"));
/// let request = Resource::new(move || (id(), version.get()), |(id, _)| get_request(id));
/// ```
/// Topics are words of the server: `viewer`, `request:<id>`, `todo`, `resources`, `jobs`. Who may
/// hear about a topic is the server's decision; an unknown topic is simply silent.
pub fn version(topic: &str) -> Signal<u64> {
    let Some(live) = use_context::<Live>() else {
        return Signal::stored(0);
    };
    let topic = topic.to_owned();
    let signal = live
        .topics
        .try_update(|topics| {
            let entry = topics
                .entry(topic.clone())
                .or_insert_with(|| (0, ArcRwSignal::new(0)));
            entry.0 += 1;
            entry.1.clone()
        })
        .unwrap_or_default();
    on_cleanup(move || {
        live.topics.try_update(|topics| {
            if let Some(entry) = topics.get_mut(&topic) {
                entry.0 -= 1;
                if entry.0 == 0 {
                    topics.remove(&topic);
                }
            }
        });
    });
    RwSignal::from(signal).into()
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::Live;
    use leptos::prelude::*;
    use wasm_bindgen::{JsCast, closure::Closure};
    use web_sys::{EventSource, MessageEvent, VisibilityState};

    thread_local! {
        /// Whether hydration is over.
        pub static WHOLE: ArcRwSignal<bool> = ArcRwSignal::new(false);
    }

    /// The open stream with its listeners, or the knowledge that the page was hidden.
    #[derive(Default)]
    struct Stream {
        source: Option<EventSource>,
        listeners: Vec<Closure<dyn FnMut(MessageEvent)>>,
        hidden: bool,
    }

    impl Drop for Stream {
        fn drop(&mut self) {
            if let Some(source) = self.source.take() {
                source.close();
            }
        }
    }

    pub fn start(live: Live) {
        let visible = RwSignal::new(true);
        // The event goes to the document and bubbles to the window.
        let handle = window_event_listener_untyped("visibilitychange", move |_| {
            visible.set(document().visibility_state() == VisibilityState::Visible);
        });
        on_cleanup(move || handle.remove());
        let topics = Memo::new(move |_| {
            live.topics
                .with(|topics| topics.keys().cloned().collect::<Vec<_>>())
        });
        let whole = WHOLE.with(Clone::clone);
        Effect::new(move |before: Option<Stream>| {
            if !whole.get() {
                return Stream::default();
            }
            let was_hidden = before.is_some_and(|stream| stream.hidden);
            let topics = topics.get();
            if !visible.get() {
                return Stream {
                    source: None,
                    listeners: Vec::new(),
                    hidden: true,
                };
            }
            if was_hidden {
                catch_up(live);
            }
            if topics.is_empty() {
                Stream::default()
            } else {
                open(live, &topics)
            }
        });
    }

    /// What was missed while the stream was closed is unknown, so everything counts as changed.
    fn catch_up(live: Live) {
        live.topics.with_untracked(|topics| {
            for (_, version) in topics.values() {
                version.update(|n| *n += 1);
            }
        });
    }

    fn open(live: Live, topics: &[String]) -> Stream {
        let query = topics
            .iter()
            .map(|topic| format!("t={}", js_sys::encode_uri_component(topic)))
            .collect::<Vec<_>>()
            .join("&");
        let Ok(source) = EventSource::new(&format!("/events?{query}")) else {
            return Stream::default();
        };
        let mut stream = Stream {
            source: Some(source.clone()),
            listeners: Vec::new(),
            hidden: false,
        };
        stream.listen("changed", move |topic| {
            let version = live
                .topics
                .with_untracked(|topics| topics.get(&topic).map(|entry| entry.1.clone()));
            if let Some(version) = version {
                version.update(|n| *n += 1);
            }
        });
        stream.listen("build", move |build| {
            live.stale
                .set(!build.is_empty() && crate::build_id().is_some_and(|own| own != build));
        });
        stream.listen("end", move |_| {
            source.close();
            catch_up(live);
        });
        stream
    }

    impl Stream {
        fn listen(&mut self, event: &str, mut take: impl FnMut(String) + 'static) {
            let Some(source) = &self.source else { return };
            let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                take(event.data().as_string().unwrap_or_default());
            });
            // Fails only for a stream that is already gone.
            let _ =
                source.add_event_listener_with_callback(event, listener.as_ref().unchecked_ref());
            self.listeners.push(listener);
        }
    }
}
