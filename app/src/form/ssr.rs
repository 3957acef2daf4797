//! The server's side of forms that post to their own page.

use super::{FormState, is_secret};
use crate::{
    error::{ApiError, ErrorCode},
    i18n, live, look,
    names::LIVE_HEADER,
    pages, routes,
    shell::shell,
    viewer,
};
use axum::{
    Form, RequestPartsExt, Router,
    body::Body,
    extract::{FromRef, FromRequest, RawPathParams, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::{MethodRouter, post},
};
use leptos::{prelude::*, reactive::computed::ScopedFuture};
use lingbao_core::{Cx, error::ServiceError};
use lingbao_model::{
    id::UserId,
    msg::{FieldError, Msg},
    time::{MINUTE_MS, Timestamp},
    view::request::OverQuota,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{future::Future, sync::Arc};
use tower_sessions::Session;

/// Where the session keeps the flash.
const FLASH: &str = "flash";
/// Where the session keeps the notes that go with it.
const NOTES: &str = "notes";
/// Where the session keeps a form that met the end of the one before.
const KEPT: &str = "kept";
/// Most of such a form, in bytes.
const MOST_KEPT: usize = 16 * 1024;
/// So long it waits for the same person.
const KEPT_MS: i64 = 30 * MINUTE_MS;

/// Whose session had ended when a request came with it; in the request's extensions.
#[derive(Debug, Clone)]
pub struct Ended(pub UserId);

/// A form that met an ended session. It lies in the session of the door, on the server, and is shown
/// to nobody but the person who typed it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    user: UserId,
    path: String,
    values: Vec<(String, String)>,
    at: Timestamp,
}

/// What rendering needs; the state of the page router.
#[derive(Clone)]
pub struct Pages {
    /// Names and places of the built files.
    pub options: LeptosOptions,
    /// Identifies this build: in the page, in the dictionary's name, in the event stream.
    pub build: Arc<str>,
    /// Puts into the context of a request what server functions and post handlers need: the core,
    /// the actor, `FormIds`, `ViewerSource`. The request's `Parts` are in the context already.
    pub context: Arc<dyn Fn() + Send + Sync>,
}

impl FromRef<Pages> for LeptosOptions {
    fn from_ref(pages: &Pages) -> Self {
        pages.options.clone()
    }
}

/// Build id, for the shell.
#[derive(Clone)]
pub struct BuildId(pub Arc<str>);

/// A posted form.
pub struct Posted {
    /// Everything typed, in the order of the form.
    pub values: Vec<(String, String)>,
    /// Head of the request.
    pub parts: Parts,
    files: Vec<(String, Vec<u8>)>,
    params: Vec<(String, String)>,
}

impl Posted {
    /// The value of a field; empty when it is missing.
    pub fn value(&self, name: &str) -> &str {
        self.values
            .iter()
            .find(|pair| pair.0 == name)
            .map_or("", |pair| pair.1.as_str())
    }

    /// All values of a field (check boxes, repeated rows).
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values
            .iter()
            .filter(move |pair| pair.0 == name)
            .map(|pair| pair.1.as_str())
    }

    /// What was uploaded under a name; `None` for nothing and for an empty file.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files
            .iter()
            .find(|pair| pair.0 == name)
            .map(|pair| pair.1.as_slice())
    }

    /// A part of the path, by its name in the route (`{id}`).
    pub fn param(&self, name: &str) -> &str {
        self.params
            .iter()
            .find(|pair| pair.0 == name)
            .map_or("", |pair| pair.1.as_str())
    }

    /// The one-time id of the form.
    pub fn form_id(&self) -> &str {
        self.value(super::FORM_ID)
    }
}

/// What a post handler answers when all went well: where to, and what to say there.
pub struct Done {
    to: String,
    flash: Option<Msg>,
    notes: Vec<Msg>,
}

impl Done {
    /// Leads to a page.
    pub fn to(path: impl Into<String>) -> Self {
        Self {
            to: path.into(),
            flash: None,
            notes: Vec::new(),
        }
    }

    /// With a message for that page: what was done, in words of the thing ("已提交，单号 …").
    #[must_use]
    pub fn say(mut self, msg: Msg) -> Self {
        self.flash = Some(msg);
        self
    }

    /// With what to know about it in full: the page reads it with [`super::use_form`].
    #[must_use]
    pub fn note(mut self, notes: Vec<Msg>) -> Self {
        self.notes = notes;
        self
    }
}

/// What a post handler answers when it refuses.
pub enum Refused {
    /// The page again, with messages at the fields. Also used to compute and show something
    /// without scripts: no errors, just the typed values (status 200).
    Again(Vec<FieldError>),
    /// The page again, with a message about the whole.
    Problem(ApiError),
    /// Not refused: the page itself is the answer (status 200), with these values beside the typed
    /// ones. For a secret that is shown once, and may not wait in the session for another page.
    Show(Vec<(String, String)>),
    /// The page again, with these values instead of the typed ones of the same names, and messages at
    /// the fields.
    Amended(Vec<(String, String)>, Vec<FieldError>),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Problem(error)
    }
}

/// A service's refusal: messages about fields go to the fields, everything else on top.
impl From<ServiceError> for Refused {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Invalid(fields) => Self::Again(fields),
            other => Self::Problem(other.into()),
        }
    }
}

impl Refused {
    /// A service's refusal; what is short of a quota is said at `field`, dimension by dimension.
    pub fn short_at(field: &str, error: ServiceError) -> Self {
        if let ServiceError::QuotaExceeded(facts) = &error
            && let Ok(over) = serde_json::from_value::<OverQuota>((**facts).clone())
        {
            let at = |msg| FieldError::new(field, msg);
            return Self::Again(over.messages.into_iter().map(at).collect());
        }
        error.into()
    }
}

impl From<Vec<FieldError>> for Refused {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::Again(errors)
    }
}

impl From<FieldError> for Refused {
    fn from(error: FieldError) -> Self {
        Self::Again(vec![error])
    }
}

/// The POST beside a page's GET.
///
/// ```ignore
/// pub fn posts() -> Router<Pages> {
///     Router::new().route("/help/ask", page_post(ask))
/// }
/// async fn ask(form: Posted) -> Result<Done, Refused> { … }
/// ```
/// The handler runs with the same context as server functions (`use_context`, `expect_context`).
pub fn page_post<H, Fut>(handler: H) -> MethodRouter<Pages>
where
    H: Fn(Posted) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Done, Refused>> + Send + 'static,
{
    post(move |State(pages): State<Pages>, request: Request| {
        let handler = handler.clone();
        async move { answer(pages, request, handler).await }
    })
}

async fn answer<H, Fut>(pages: Pages, request: Request, handler: H) -> Response
where
    H: Fn(Posted) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Done, Refused>> + Send + 'static,
{
    let (mut parts, body) = request.into_parts();
    let params = match parts.extract::<RawPathParams>().await {
        Ok(params) => params
            .iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect(),
        Err(rejection) => return rejection.into_response(),
    };
    let request = Request::from_parts(parts.clone(), body);
    let (values, files) = match boundary(&parts) {
        Some(boundary) => match uploaded(request, boundary).await {
            Ok(both) => both,
            Err(_) => return StatusCode::BAD_REQUEST.into_response(),
        },
        None => match Form::<Vec<(String, String)>>::from_request(request, &()).await {
            Ok(Form(values)) => (values, Vec::new()),
            Err(rejection) => return rejection.into_response(),
        },
    };
    let mut kept: Vec<_> = values
        .iter()
        .filter(|pair| !is_secret(&pair.0))
        .cloned()
        .collect();
    let posted = Posted {
        values,
        parts: parts.clone(),
        files,
        params,
    };

    let result = in_context(&pages, &parts, move || handler(posted)).await;
    let (errors, problem) = match result {
        Ok(done) => {
            if let Some(msg) = done.flash {
                put(&parts, FLASH, msg).await;
            }
            if !done.notes.is_empty() {
                put(&parts, NOTES, done.notes).await;
            }
            return Redirect::to(&done.to).into_response();
        }
        Err(Refused::Again(errors)) => (errors, None),
        Err(Refused::Problem(error)) => (error.fields.clone(), Some(error)),
        Err(Refused::Show(shown)) => {
            // Nobody can post a value that the page would take for one of these.
            kept.retain(|pair| shown.iter().all(|other| other.0 != pair.0));
            kept.extend(shown);
            (Vec::new(), None)
        }
        Err(Refused::Amended(values, errors)) => {
            kept.retain(|pair| values.iter().all(|other| other.0 != pair.0));
            kept.extend(values);
            (errors, None)
        }
    };
    if problem
        .as_ref()
        .is_some_and(|error| error.code == ErrorCode::Unauthenticated)
    {
        keep(&parts, &kept).await;
    }
    let status = match &problem {
        Some(error) => error.code.status(),
        None if errors.is_empty() => 200,
        None => 422,
    };
    let state = FormState {
        path: parts.uri.path().to_owned(),
        values: kept,
        errors,
        problem,
        notes: Vec::new(),
        flash: None,
    };
    let mut response = render(&pages, parts, state).await;
    // The page may have found a reason of its own (gone, signed out); that one stands.
    if response.status() == StatusCode::OK
        && let Ok(status) = StatusCode::from_u16(status)
    {
        *response.status_mut() = status;
    }
    response
}

/// What stands between the parts of a form that uploads files; `None` for any other form.
fn boundary(parts: &Parts) -> Option<String> {
    let kind = parts.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(kind).ok()
}

/// The values of a form that uploads files, and the files that are not empty.
type Uploaded = (Vec<(String, String)>, Vec<(String, Vec<u8>)>);

/// Reads a form that uploads files. The limit of bodies stands around this already.
async fn uploaded(request: Request, boundary: String) -> Result<Uploaded, multer::Error> {
    let body = request.into_body().into_data_stream();
    let mut form = multer::Multipart::new(body, boundary);
    let (mut values, mut files) = (Vec::new(), Vec::new());
    while let Some(field) = form.next_field().await? {
        let name = field.name().unwrap_or_default().to_owned();
        if field.file_name().is_none() {
            values.push((name, field.text().await?));
            continue;
        }
        let bytes = field.bytes().await?;
        if !bytes.is_empty() {
            files.push((name, bytes.to_vec()));
        }
    }
    Ok((values, files))
}

/// Runs something with the context of a request, outside of a page (a file to download).
pub async fn in_context<F, Fut>(pages: &Pages, parts: &Parts, run: F) -> Fut::Output
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    let owner = Owner::new();
    let future = owner.with(|| {
        provide_context(parts.clone());
        provide_request(pages, parts);
        ScopedFuture::new(run())
    });
    let output = future.await;
    drop(owner);
    output
}

/// The language in which a request is answered, for answers that are no pages.
#[must_use]
pub fn lang_of(parts: &Parts) -> i18n::Lang {
    let accepted = parts
        .headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    look::ssr::of(&parts.headers).lang(accepted)
}

/// Language, settings and the server's own context.
fn provide_request(pages: &Pages, parts: &Parts) {
    provide_context(look::ssr::of(&parts.headers));
    provide_context(lang_of(parts));
    provide_context(BuildId(pages.build.clone()));
    (pages.context)();
}

/// Renders the page of a request's path.
async fn render(pages: &Pages, parts: Parts, form: FormState) -> Response {
    let options = pages.options.clone();
    let frame = in_context(pages, &parts, viewer::of_request).await;
    let context = {
        let pages = pages.clone();
        move || {
            provide_context(form.clone());
            provide_context(frame.clone());
            provide_context(live::Topics::default());
            if let Some(parts) = use_context::<Parts>() {
                provide_request(&pages, &parts);
            }
        }
    };
    let render =
        leptos_axum::render_app_async_with_context(context, move || shell(options.clone()));
    let mut response = render(Request::from_parts(parts, Body::empty())).await;
    // A page holds one person's data, a nonce and perhaps a flash: never from a cache.
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// GET of any page.
pub async fn page(State(pages): State<Pages>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    // What was left for the next page is not for news of the one before.
    if parts.headers.contains_key(LIVE_HEADER) {
        return render(&pages, parts, FormState::default()).await;
    }
    let flash = take(&parts, FLASH).await;
    let notes: Vec<Msg> = take(&parts, NOTES).await.unwrap_or_default();
    let kept = take_kept(&parts).await;
    // A path says that the page itself is meant.
    let path = if kept.is_some() || !notes.is_empty() {
        parts.uri.path().to_owned()
    } else {
        String::new()
    };
    let form = FormState {
        path,
        flash: flash.or_else(|| kept.as_ref().map(|_| Msg::new("form.kept"))),
        values: kept.map(|kept| kept.values).unwrap_or_default(),
        notes,
        ..FormState::default()
    };
    render(&pages, parts, form).await
}

/// A call of a server function.
pub async fn server_fn(State(pages): State<Pages>, request: Request) -> Response {
    let context = {
        let pages = pages.clone();
        move || {
            if let Some(parts) = use_context::<Parts>() {
                provide_request(&pages, &parts);
            }
        }
    };
    leptos_axum::handle_server_fns_with_context(context, request)
        .await
        .into_response()
}

/// The dictionaries, as the browser fetches them; their name changes with the build.
pub async fn locale(axum::extract::Path(file): axum::extract::Path<String>) -> Response {
    let lang = i18n::Lang::ALL
        .into_iter()
        .find(|lang| file.split('.').next() == Some(lang.tag()));
    let Some(lang) = lang.filter(|_| file.ends_with(".json")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    (
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        ],
        i18n::ssr::source(lang),
    )
        .into_response()
}

/// All routes of the application: pages, their posts, server functions, settings, dictionaries.
pub fn router() -> Router<Pages> {
    use leptos_axum::LeptosRoutes;
    // Reading the routes renders the app once; nothing of the request is there.
    let listing = leptos_axum::generate_route_list(pages::App);
    Router::<Pages>::new()
        .leptos_routes_with_handler(listing, page)
        .merge(pages::posts())
        .route(
            &format!("{}{{*name}}", routes::FN_PREFIX),
            axum::routing::any(server_fn),
        )
        .route(routes::LOOK, post(look::ssr::choose))
        .route("/locale/{file}", axum::routing::get(locale))
}

/// The page that says "not found", for paths that no route knows.
pub async fn not_found(State(pages): State<Pages>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let mut response = render(&pages, parts, FormState::default()).await;
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

async fn put<T: Serialize>(parts: &Parts, key: &str, value: T) {
    if let Some(session) = parts.extensions.get::<Session>()
        && let Err(error) = session.insert(key, value).await
    {
        tracing::warn!(%error, key, "not stored in the session");
    }
}

async fn take<T: DeserializeOwned>(parts: &Parts, key: &str) -> Option<T> {
    let session = parts.extensions.get::<Session>()?;
    // Looking first: `remove` marks the session as changed, and most pages have nothing to take.
    let value = session.get::<T>(key).await.ok()??;
    if let Err(error) = session.remove::<T>(key).await {
        tracing::warn!(%error, key, "not removed from the session");
    }
    Some(value)
}

/// Keeps what was typed for the person whose session has ended, if it is known who that was.
async fn keep(parts: &Parts, values: &[(String, String)]) {
    let size: usize = values.iter().map(|(k, v)| k.len() + v.len()).sum();
    if let Some(Ended(user)) = parts.extensions.get::<Ended>()
        && let Some(cx) = parts.extensions.get::<Cx>()
        && size <= MOST_KEPT
    {
        let kept = Kept {
            user: user.clone(),
            path: parts.uri.path().to_owned(),
            values: values.to_vec(),
            at: cx.now(),
        };
        put(parts, KEPT, kept).await;
    }
}

/// What the one who has just signed in had typed before; for [`Kept::stay`] in the new session.
pub async fn kept_of(parts: &Parts, user: &UserId) -> Option<Kept> {
    let kept: Kept = take(parts, KEPT).await?;
    (kept.user == *user).then_some(kept)
}

impl Kept {
    /// Waits in the session for its page.
    pub async fn stay(self, parts: &Parts) {
        put(parts, KEPT, self).await;
    }
}

/// What was typed on this page before the session ended, by the one who asks for it now.
async fn take_kept(parts: &Parts) -> Option<Kept> {
    let session = parts.extensions.get::<Session>()?;
    let cx = parts.extensions.get::<Cx>()?;
    let kept = session.get::<Kept>(KEPT).await.ok()??;
    if kept.path != parts.uri.path() || cx.actor.user() != Some(&kept.user) {
        return None;
    }
    let kept: Kept = take(parts, KEPT).await?;
    (cx.now().since(kept.at) <= KEPT_MS).then_some(kept)
}
