//! Live pages: what a page watches, and how the browser asks for it anew.
//!
//! A page names the topics that it shows ([`version`]); they stand in it as hidden marks
//! (`data-live`). The browser listens to them at `GET /events?t=<topic>&t=<topic>`, which sends
//! `event: changed` with the topic as data, `event: build` with the server's build id on connection,
//! and `event: end` when the session is over. Of a change the server says only *that* there was one:
//! the browser fetches the same page again, by the same authorization as before, and
//! [morphs](crate::browser) what stands there into it.
//!
//! Topics are words of the server: `viewer`, `request:<id>`, `todo`, `resources`, `jobs`. Who may hear
//! about a topic is the server's decision; an unknown topic is simply silent.

use leptos::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

/// What the page being made watches, until it is written into it.
#[derive(Clone, Default)]
pub struct Topics(Arc<Mutex<Vec<String>>>);

/// The page being made shows `topic`, and is asked for anew when that changes.
pub fn version(topic: &str) -> Signal<u64> {
    if let Some(topics) = use_context::<Topics>() {
        let mut topics = topics.0.lock().unwrap_or_else(PoisonError::into_inner);
        topics.push(topic.to_owned());
    }
    Signal::stored(0)
}

/// The mark of a topic.
pub fn watched(topic: &str) -> AnyView {
    view! { <i hidden data-live=topic.to_owned()></i> }.into_any()
}

/// The marks of everything that the page named so far.
pub(crate) fn marks() -> Vec<AnyView> {
    use_context::<Topics>()
        .map(|topics| {
            let mut topics = topics.0.lock().unwrap_or_else(PoisonError::into_inner);
            topics.drain(..).map(|topic| watched(&topic)).collect()
        })
        .unwrap_or_default()
}
