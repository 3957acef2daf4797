//! `GET /events?t=<word>&t=<word>`: tells open pages that something changed.
//!
//! One look a second a process at the table `change` feeds all streams of the process; a stream
//! passes on what its words stand for. It ends with the session, and with the process, which the
//! browser notices and connects anew.
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Query, Request, State},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures::stream;
use lingbao_core::{
    App, Cx, ServiceError,
    service::live::{self, Watch},
};
use lingbao_model::{id::UserId, msg::Msg};
use tokio::{sync::broadcast, time::Interval};
use tokio_util::sync::CancellationToken;

use super::{Portal, problem::Refusal};

/// The path.
pub const PATH: &str = lingbao_app::names::EVENTS;
/// Most words of one stream.
const WORDS: usize = 40;
/// Between two looks at the table.
const LOOK: Duration = Duration::from_secs(1);
/// A transaction commits later than the moment its changes carry; looking so far back finds them.
const LATE_MS: i64 = 10_000;
/// Between two signs of life, each with a look whether the session still is.
const BEAT: Duration = Duration::from_secs(15);

/// Passes changes from the table to the streams of this process.
#[derive(Debug)]
pub struct Hub {
    topics: broadcast::Sender<Arc<str>>,
    streams: Mutex<BTreeMap<UserId, usize>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            topics: broadcast::Sender::new(1_024),
            streams: Mutex::default(),
        }
    }
}

impl Hub {
    /// Looks at the table until the process stops; not at all while nobody listens.
    pub async fn run(self: Arc<Self>, app: Arc<App>, stop: CancellationToken) {
        let mut from = app.clock.now();
        let mut seen: VecDeque<String> = VecDeque::new();
        let mut known: HashSet<String> = HashSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = app.clock.now();
            if self.topics.receiver_count() == 0 {
                from = now;
                continue;
            }
            match live::changes(&app, from.plus_millis(-LATE_MS)).await {
                Ok(changes) => {
                    for (id, topic) in changes {
                        if known.insert(id.clone()) {
                            seen.push_back(id);
                            // An error says that the last listener has just gone.
                            let _ = self.topics.send(topic.into());
                        }
                    }
                    // Far more than can lie in the window between two looks.
                    while seen.len() > 20_000 {
                        if let Some(old) = seen.pop_front() {
                            known.remove(&old);
                        }
                    }
                    from = now;
                }
                Err(error) => tracing::warn!(%error, "changes could not be read"),
            }
        }
    }

    fn enter(self: &Arc<Self>, user: &UserId, most: usize) -> Option<Place> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let count = streams.entry(user.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place {
            hub: self.clone(),
            user: user.clone(),
        })
    }
}

/// A stream's place among those of its user.
struct Place {
    hub: Arc<Hub>,
    user: UserId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self
            .hub
            .streams
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = streams.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.user);
            }
        }
    }
}

/// Opens a stream for whoever is signed in by a browser.
pub async fn open(
    State(portal): State<Portal>,
    Query(query): Query<Vec<(String, String)>>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let cx = parts.extensions.get::<Cx>().cloned();
    let refuse = |refusal: Refusal| refusal.answer(&portal, &parts);
    let Some((cx, user, session)) = cx.and_then(|cx| {
        let (user, session) = (cx.actor.user()?.clone(), cx.session.clone()?);
        Some((cx, user, session))
    }) else {
        return refuse(ServiceError::Unauthenticated.into());
    };
    let words: Vec<String> = query
        .into_iter()
        .filter(|pair| pair.0 == "t" && pair.1.len() <= 100)
        .map(|pair| pair.1)
        .take(WORDS)
        .collect();
    let watches = match live::watches(&cx, &words).await {
        Ok(watches) => watches,
        Err(error) => return refuse(error.into()),
    };
    let Some(place) = portal
        .hub
        .enter(&user, portal.config.session.streams_per_user)
    else {
        return refuse(Refusal::new(429, Msg::new("problem.streams")));
    };
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    beat.reset();
    let stream = Stream {
        topics: portal.hub.topics.subscribe(),
        watches,
        session,
        app: portal.app.clone(),
        stop: portal.stop.clone(),
        beat,
        waiting: VecDeque::from([Event::default().event("build").data(&*portal.build)]),
        over: false,
        _place: place,
    };
    Sse::new(stream::unfold(stream, Stream::next)).into_response()
}

struct Stream {
    topics: broadcast::Receiver<Arc<str>>,
    watches: Vec<Watch>,
    session: String,
    app: Arc<App>,
    stop: CancellationToken,
    beat: Interval,
    waiting: VecDeque<Event>,
    over: bool,
    _place: Place,
}

fn changed(watch: &Watch) -> Event {
    Event::default().event("changed").data(&watch.word)
}

impl Stream {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some((Ok(event), self));
            }
            if self.over {
                return None;
            }
            tokio::select! {
                () = self.stop.cancelled() => self.over = true,
                topic = self.topics.recv() => match topic {
                    Ok(topic) => {
                        let heard = self.watches.iter().filter(|watch| watch.hears(&topic));
                        self.waiting.extend(heard.map(changed));
                    }
                    // Too slow a reader: what was missed is unknown, so everything counts.
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        self.waiting.extend(self.watches.iter().map(changed));
                    }
                    Err(broadcast::error::RecvError::Closed) => self.over = true,
                },
                _ = self.beat.tick() => match live::session_lives(&self.app, &self.session).await {
                    Ok(false) => {
                        self.waiting.push_back(Event::default().event("end").data("session"));
                        self.over = true;
                    }
                    Ok(true) | Err(_) => self.waiting.push_back(Event::default().comment("beat")),
                },
            }
        }
    }
}
