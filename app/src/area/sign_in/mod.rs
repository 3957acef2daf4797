//! The door: account and password.

use crate::{
    form::use_form,
    frame::{Mark, Settings},
    i18n::{self, Lang},
    pages::page,
    routes, t,
    ui::*,
    viewer::use_frame,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{any_nested_route::AnyNestedRoute, hooks::use_query_map, path};

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![page(path!("/sign-in"), SignIn)]
}

/// What the door posts: the way in, and the way out.
pub fn posts() -> axum::Router<crate::form::ssr::Pages> {
    use crate::form::ssr::page_post;
    axum::Router::new()
        .route(routes::SIGN_IN, page_post(ssr::enter))
        .route(routes::SIGN_OUT, page_post(ssr::leave))
}

/// Sign-in. Posts to itself: `account`, `password`, `next`.
#[component]
fn SignIn() -> impl IntoView {
    let form = use_form();
    let query = use_query_map();
    let asked = move || query.with_untracked(|q| q.get("next").unwrap_or_default());
    let next = form.value_or("next", asked());
    let next = routes::local_path(&next).to_owned();
    let problem = form.problem.clone();
    // Whoever can't read the page finds their language by its own name.
    let other = match i18n::lang() {
        Lang::Zh => t!("look.en"),
        Lang::En => t!("look.zh"),
    };
    let frame = use_frame();
    let phone = (!frame.phone.is_empty()).then(|| t!("frame.phone", phone = frame.phone));
    view! {
        <Title text=t!("frame.title", page = t!("sign_in.title"))/>
        <a class="skip" href="#main" rel="external">{t!("frame.skip")}</a>
        <div class="door">
            <header class="door-a">
                <div class="brand">
                    <Mark/>
                    <span class="brand-name">{t!("brand.name")}</span>
                    <span class="brand-site">{frame.site}</span>
                </div>
                <div>
                    <p class="door-claim">{t!("sign_in.claim_1")}<br/>{t!("sign_in.claim_2")}</p>
                    <p>{t!("sign_in.promise")}</p>
                    <Art/>
                </div>
                <small>{t!("sign_in.no_secrets")}</small>
            </header>
            <main class="door-b" id="main" tabindex="-1">
                <details class="menu door-look">
                    <summary class="btn btn-bare">{t!("frame.settings")} " · " {other}</summary>
                    <div class="menu-body">
                        <Settings/>
                    </div>
                </details>
                <div class="door-form">
                    <h1>{t!("sign_in.title")}</h1>
                    <p class="second">{t!("sign_in.which")}</p>
                    <form method="post" class="door-note">
                        {problem
                            .map(|error| view! { <Banner tone=Tone::Bad>{i18n::msg(&error.msg)}</Banner> })}
                        <input type="hidden" name="next" value=next/>
                        <Field name="account" label=t!("sign_in.account")>
                            <TextInput autocomplete="username" maxlength=64_u32 required=true/>
                        </Field>
                        <Field name="password" label=t!("sign_in.password")>
                            <PasswordInput/>
                        </Field>
                        <div class="field">
                            <Button kind=Kind::Main size=Size::BigWide>{t!("sign_in.go")}</Button>
                        </div>
                    </form>
                    <p class="sub door-note">{t!("sign_in.no_account")}</p>
                </div>
                <footer class="sub door-foot">
                    {frame.operator} " " {phone}
                </footer>
            </main>
        </div>
    }
}

/// A suitcase whose contents go into three machines.
#[component]
fn Art() -> impl IntoView {
    view! {
        <svg class="door-art" viewBox="0 0 420 150" aria-hidden="true">
            <path class="da-l" d="M86 86h40M216 86h34M250 86V44h34M250 86h34M250 86v42h34"></path>
            <rect class="da-b" x="14" y="66" width="72" height="46" rx="6"></rect>
            <path class="da-b" d="M38 66v-9a5 5 0 0 1 5-5h14a5 5 0 0 1 5 5v9M30 78v22M70 78v22"></path>
            <rect class="da-s" x="126" y="58" width="90" height="56" rx="6"></rect>
            <path class="da-b" d="M140 74h40M140 86h62M140 98h28"></path>
            <circle class="da-f" cx="200" cy="74" r="5"></circle>
            <rect class="da-s" x="284" y="28" width="110" height="32" rx="6"></rect>
            <rect class="da-s" x="284" y="70" width="110" height="32" rx="6"></rect>
            <rect class="da-s" x="284" y="112" width="110" height="32" rx="6"></rect>
            <path class="da-b" d="M298 44h40M298 86h56M298 128h32"></path>
            <circle class="da-f" cx="378" cy="44" r="4"></circle>
            <circle class="da-f" cx="378" cy="86" r="4"></circle>
            <circle class="da-f" cx="378" cy="128" r="4"></circle>
        </svg>
    }
}

/// The posts of the door.
pub mod ssr {
    use crate::{
        error::{ApiError, ErrorCode},
        form::ssr::{Done, Posted, Refused, kept_of},
        routes,
        ssr::cx,
    };
    use lingbao_core::{service::session, session_store::USER_KEY};
    use lingbao_model::msg::Msg;
    use tower_sessions::Session;

    /// Checks account and password, and puts the person into a session with a new id, so that an
    /// id that somebody planted before is worth nothing.
    ///
    /// # Errors
    /// The page again: wrong, locked, too many tries.
    pub async fn enter(form: Posted) -> Result<Done, Refused> {
        let entered =
            session::sign_in(&cx()?, form.value("account"), form.value("password")).await?;
        let browser = form.parts.extensions.get::<Session>().ok_or_else(broken)?;
        // A form that met the end of the same person's session; nobody else is shown it.
        let kept = kept_of(&form.parts, &entered.user).await;
        browser.clear().await;
        browser.cycle_id().await.map_err(|error| unstored(&error))?;
        browser
            .insert(USER_KEY, entered.user.as_str())
            .await
            .map_err(|error| unstored(&error))?;
        if let Some(kept) = kept {
            kept.stay(&form.parts).await;
        }
        if entered.must_change_password {
            return Ok(Done::to("/me/password").say(Msg::new("account.must_change")));
        }
        Ok(Done::to(routes::local_path(form.value("next"))))
    }

    /// Ends the session. Whoever has none is where they wanted to be.
    ///
    /// # Errors
    /// What the service says, but for "not signed in".
    pub async fn leave(form: Posted) -> Result<Done, Refused> {
        match session::sign_out(&cx()?).await {
            Ok(()) | Err(lingbao_core::ServiceError::Unauthenticated) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(browser) = form.parts.extensions.get::<Session>() {
            browser.flush().await.map_err(|error| unstored(&error))?;
        }
        Ok(Done::to(routes::SIGN_IN))
    }

    fn broken() -> ApiError {
        tracing::error!("no session in the request");
        ApiError::new(ErrorCode::Internal, Msg::new("error.internal"))
    }

    fn unstored(error: &tower_sessions::session::Error) -> ApiError {
        tracing::warn!(%error, "session not stored");
        ApiError::new(ErrorCode::Unavailable, Msg::new("error.unavailable"))
    }
}
