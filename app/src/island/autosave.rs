//! What is typed above the lines of a cart saves itself: after a pause, when a field is left, and
//! when the page is left. Without scripts the buttons of the form save it.
//!
//! The version that the server answers with goes into the form, so that what is pressed next is not
//! taken for stale; the verdict that comes with it is that of what was saved. A submit waits for a
//! save that is under way. Where somebody else changed the cart (another window) nothing is saved over
//! it: it is said, and the button 存为草稿 shows the other side.

use crate::{error::ApiError, i18n, routes, t};
use leptos::prelude::*;
use lingbao_model::{
    msg::{FieldError, Msg},
    time::Timestamp,
    verdict::Verdict,
    view::request::HeadForm,
};
use serde::{Deserialize, Serialize};

/// What will become of a cart, and what is still missing in it.
type Judged = (Verdict, Vec<FieldError>);

/// What a save answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Saved {
    /// The new version of the cart.
    pub version: i64,
    /// When.
    pub at: Timestamp,
    /// The cart judged anew. Absent where that failed: it is saved all the same.
    pub judged: Option<Judged>,
}

/// Saves the head of a cart as far as it was typed.
///
/// # Errors
/// `NotFound`, `Invalid` by field, `Conflict` when the cart was changed meanwhile.
#[server(name = SaveHead, prefix = "/fn", endpoint = "order/save-head", output = crate::json::Json)]
pub async fn save_head(
    id: String,
    version: String,
    system: String,
    title: String,
    reason: String,
    with_quota_change: String,
) -> Result<Saved, ApiError> {
    use lingbao_core::service::cart;
    let cx = crate::ssr::cx()?;
    let head = HeadForm {
        system,
        title,
        reason,
        with_quota_change: with_quota_change == "on",
    };
    let (own, version) = (crate::ssr::id(&id)?, version.parse().unwrap_or(0));
    let version = cart::save_head(&cx, &own, version, &head).await?;
    let fresh = cart::open(&cx, &own).await.ok();
    Ok(Saved {
        version,
        at: cx.now(),
        judged: fresh.map(|cart| (cart.verdict, cart.problems)),
    })
}

/// How the last save went.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "hydrate"),
    expect(dead_code, reason = "only scripts save by themselves")
)]
enum Said {
    /// At this time of the day.
    At(String),
    /// The cart was changed elsewhere.
    Stale,
    /// The session has ended.
    SignedOut,
    /// Refused, or the server is away.
    Failed(Msg),
}

/// Saves one cart while its page is open.
#[derive(Clone, Copy)]
pub struct Autosave {
    judged: RwSignal<Judged>,
    said: RwSignal<Option<Said>>,
    #[cfg(feature = "hydrate")]
    work: browser::Work,
}

impl Autosave {
    /// For the cart `id` in the form `form`, with its saved head and its verdict.
    #[cfg_attr(
        not(feature = "hydrate"),
        expect(unused_variables, reason = "only scripts save by themselves")
    )]
    pub fn new(form: String, id: String, version: i64, saved: HeadForm, judged: Judged) -> Self {
        let own = Self {
            judged: RwSignal::new(judged),
            said: RwSignal::new(None),
            #[cfg(feature = "hydrate")]
            work: browser::Work::new(form, id, version, saved),
        };
        #[cfg(feature = "hydrate")]
        Effect::new(move |_| own.watch());
        own
    }

    /// What will become of the cart as it was saved last, and what is missing in it.
    pub fn judged(self) -> Judged {
        self.judged.get()
    }
}

/// When it was last saved, or why it could not be.
#[component]
pub fn SavedLine(own: Autosave) -> impl IntoView {
    let said = move || match own.said.get()? {
        Said::At(time) => Some(t!("cart.saved_at", at = time)),
        Said::Stale => Some(t!("cart.saved_stale").to_owned()),
        Said::SignedOut => Some(t!("cart.saved_signed_out").to_owned()),
        Said::Failed(why) => Some(t!("cart.saved_not", why = i18n::msg(&why))),
    };
    let signed_out = move || own.said.with(|said| matches!(said, Some(Said::SignedOut)));
    view! {
        <p class="sub" role="status">
            {said}
            <a href=routes::SIGN_IN target="_blank" rel="external" hidden=move || !signed_out()>
                {t!("sign_in.go")}
            </a>
        </p>
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::{
        super::typed::browser::{form, listen},
        Autosave, Said, save_head,
    };
    use crate::{
        browser::LEAVE,
        error::{ApiError, ErrorCode},
        routes,
    };
    use leptos::{
        leptos_dom::helpers::{TimeoutHandle, set_timeout_with_handle},
        prelude::*,
        task::spawn_local,
    };
    use lingbao_model::{time::Zone, view::request::HeadForm};
    use std::time::Duration;
    use wasm_bindgen::JsCast as _;
    use web_sys::{
        Event, FormData, HtmlElement, HtmlFormElement, HtmlInputElement, SubmitEvent,
        UrlSearchParams,
    };

    /// So long after a field was left it is saved: a button that was meant sends it itself.
    const LEFT: Duration = Duration::from_millis(300);
    /// After so long without a key it is saved.
    const PAUSE: Duration = Duration::from_millis(1_500);
    /// After so long a save that failed is tried again.
    const AGAIN: Duration = Duration::from_secs(10);

    /// What is known of one cart in the browser.
    pub struct State {
        /// Id of the form.
        form: String,
        /// Id of the cart.
        id: String,
        /// As the server has it: the number that goes with the next save.
        version: i64,
        /// As the server has it.
        saved: HeadForm,
        /// As it stands in the form.
        typed: HeadForm,
        timer: Option<TimeoutHandle>,
        /// A save is under way.
        busy: bool,
        /// The form was sent, or the page is left.
        over: bool,
        /// The cart is another by now: nothing is saved over it.
        gone: bool,
        /// The button that waits for the save under way.
        pressed: Option<HtmlElement>,
    }

    impl State {
        /// Whether something is left to be saved.
        fn is_open(&self) -> bool {
            !self.over && !self.gone && self.typed != self.saved
        }
    }

    /// The state, reachable from every listener.
    #[derive(Clone, Copy)]
    pub struct Work(StoredValue<State, LocalStorage>);

    impl Work {
        pub fn new(form: String, id: String, version: i64, saved: HeadForm) -> Self {
            Self(StoredValue::new_local(State {
                form,
                id,
                version,
                typed: saved.clone(),
                saved,
                timer: None,
                busy: false,
                over: false,
                gone: false,
                pressed: None,
            }))
        }
    }

    /// The head as it stands in the form.
    fn read(form: &HtmlFormElement) -> Option<HeadForm> {
        let data = FormData::new_with_form(form).ok()?;
        let text = |name: &str| data.get(name).as_string().unwrap_or_default();
        Some(HeadForm {
            system: text("system"),
            title: text("title"),
            reason: text("reason"),
            with_quota_change: text("with_quota_change") == "on",
        })
    }

    fn on(head: &HeadForm) -> &'static str {
        if head.with_quota_change { "on" } else { "" }
    }

    impl Autosave {
        /// Watches the form, and saves what is left to save when the page is left.
        pub(super) fn watch(self) {
            let Some(form) = self.form() else { return };
            // What was typed before the page was awake.
            self.typed(&form);
            let own = form.clone();
            listen(&form, "input", move |_: Event| self.typed(&own));
            let own = form.clone();
            listen(&form, "change", move |_: Event| {
                self.typed(&own);
                self.soon(LEFT);
            });
            listen(&form, "submit", move |event: SubmitEvent| self.sent(&event));
            for event in ["pagehide", LEAVE] {
                let handle = window_event_listener_untyped(event, move |_| {
                    self.flush();
                    self.rest();
                });
                // A page that stands alone again listens no more: what is over saves nothing.
                std::mem::forget(handle);
            }
        }

        fn form(self) -> Option<HtmlFormElement> {
            self.work.0.try_with_value(|state| form(&state.form))?
        }

        /// The version that goes with the next post.
        fn show_version(self, version: i64) {
            let field = self
                .form()
                .map(|form| form.query_selector("[name=version]"));
            if let Some(Ok(Some(field))) = field
                && let Some(field) = field.dyn_ref::<HtmlInputElement>()
            {
                field.set_value(&version.to_string());
            }
        }

        /// Something was typed or chosen in the form.
        fn typed(self, form: &HtmlFormElement) {
            let Some(typed) = read(form) else { return };
            self.work.0.try_update_value(|state| {
                state.typed = typed;
                state.over = false;
            });
            self.soon(PAUSE);
        }

        /// The form is being sent: it carries what was typed itself. A save that is under way is
        /// waited for, or its version would be held against the form.
        fn sent(self, event: &SubmitEvent) {
            self.rest();
            let button = event.submitter();
            self.work.0.try_update_value(|state| {
                if state.busy && button.is_some() {
                    event.prevent_default();
                    state.pressed = button;
                } else {
                    state.over = true;
                }
            });
        }

        /// No timer any more.
        fn rest(self) {
            self.work.0.try_update_value(|state| {
                if let Some(timer) = state.timer.take() {
                    timer.clear();
                }
            });
        }

        fn soon(self, pause: Duration) {
            self.rest();
            let timer = set_timeout_with_handle(move || self.save(), pause).ok();
            self.work.0.try_update_value(|state| state.timer = timer);
        }

        fn save(self) {
            let asked = self.work.0.try_update_value(|state| {
                let idle = !state.busy && state.is_open();
                idle.then(|| {
                    state.busy = true;
                    (state.id.clone(), state.version, state.typed.clone())
                })
            });
            let Some((id, version, head)) = asked.flatten() else {
                return;
            };
            self.rest();
            let version = version.to_string();
            spawn_local(async move {
                let (system, title, reason) =
                    (head.system.clone(), head.title.clone(), head.reason.clone());
                let quota = on(&head).to_owned();
                let answer = save_head(id, version, system, title, reason, quota).await;
                match answer {
                    Ok(saved) => {
                        let text = saved.at.minute_text(Zone::SHANGHAI);
                        let time = text.rsplit(' ').next().unwrap_or_default().to_owned();
                        self.show_version(saved.version);
                        if let Some(judged) = saved.judged {
                            self.judged.try_set(judged);
                        }
                        self.said.try_set(Some(Said::At(time)));
                        self.work.0.try_update_value(|state| {
                            state.saved = head;
                            state.version = saved.version;
                        });
                    }
                    Err(error) => self.failed(&error),
                }
                self.done();
            });
        }

        fn failed(self, error: &ApiError) {
            let gone = matches!(error.code, ErrorCode::Conflict | ErrorCode::NotFound);
            let said = match error.code {
                ErrorCode::Conflict if error.msg.key == "error.stale" => Said::Stale,
                ErrorCode::Unauthenticated => Said::SignedOut,
                _ => Said::Failed(error.msg.clone()),
            };
            self.said.try_set(Some(said));
            self.work.0.try_update_value(|state| state.gone = gone);
            if !gone {
                self.soon(AGAIN);
            }
        }

        /// What waited for the save goes on.
        fn done(self) {
            let pressed = self.work.0.try_update_value(|state| {
                state.busy = false;
                state.pressed.take()
            });
            match pressed {
                Some(Some(button)) => button.click(),
                Some(None) => {
                    let more = self
                        .work
                        .0
                        .try_with_value(|state| state.timer.is_none() && state.is_open());
                    if more == Some(true) {
                        self.soon(PAUSE);
                    }
                }
                None => {}
            }
        }

        /// What was typed and not yet saved, as the last thing that this page does.
        fn flush(self) {
            let left = self.work.0.try_update_value(|state| {
                let open = state.is_open();
                state.over = true;
                // A save under way is one version further.
                open.then(|| {
                    let version = state.version + i64::from(state.busy);
                    (state.id.clone(), state.typed.clone(), version)
                })
            });
            let (Some((id, head, version)), Ok(form)) = (left.flatten(), UrlSearchParams::new())
            else {
                return;
            };
            let version = version.to_string();
            for (name, value) in [
                ("id", id.as_str()),
                ("version", version.as_str()),
                ("system", head.system.as_str()),
                ("title", head.title.as_str()),
                ("reason", head.reason.as_str()),
                ("with_quota_change", on(&head)),
            ] {
                form.append(name, value);
            }
            let path = format!("{}order/save-head", routes::FN_PREFIX);
            // Nobody is here any more to be told that it failed.
            let _ = window()
                .navigator()
                .send_beacon_with_opt_url_search_params(&path, Some(&form));
        }
    }
}
