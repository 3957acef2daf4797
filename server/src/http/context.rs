//! Who asks: the session's user or the token's, put into a [`Cx`] for pages, server functions and
//! the programming interface alike.
use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{Method, header, request::Parts},
    middleware::Next,
    response::Response,
};
use leptos::prelude::{provide_context, use_context};
use lingbao_app::{
    form::{FormIds, ssr::Ended},
    names::LIVE_HEADER,
    routes,
    viewer::{Frame, Viewer, ssr::ViewerSource},
};
use lingbao_core::{
    Actor, Cx, ServiceError,
    service::{session, token},
    session_store::{ENDED_KEY, USER_KEY},
};
use lingbao_model::{id::UserId, msg::Msg, time::Zone, view::people::TokenScope};
use tower_sessions::{Session as BrowserSession, session::Id};

use super::{
    Portal, events,
    middleware::{client::Client, cross_site, request_id::RequestId},
    problem::{Refusal, is_api},
};

/// What an answer may do that came by a token; absent for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByToken(pub TokenScope);

/// The surroundings of an act by whoever is signed in; refuses everybody else with 401.
#[derive(Debug, Clone)]
pub struct Caller(pub Cx);

impl FromRequestParts<Portal> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Portal) -> Result<Self, Response> {
        match parts
            .extensions
            .get::<Cx>()
            .filter(|cx| cx.actor.user().is_some())
        {
            Some(cx) => Ok(Self(cx.clone())),
            None => Err(Refusal::from(ServiceError::Unauthenticated).pending()),
        }
    }
}

/// Finds out who asks, and puts the [`Cx`] into the request.
pub async fn layer(State(portal): State<Portal>, mut request: Request, next: Next) -> Response {
    if is_static(request.uri().path()) {
        return next.run(request).await;
    }
    let extensions = request.extensions();
    let id = extensions
        .get::<RequestId>()
        .map_or_else(String::new, |id| id.0.clone());
    let client = extensions.get::<Client>().copied().unwrap_or(Client(None));
    let cx = Cx::new(portal.app.clone(), Actor::Anonymous).with_request(id, client.0);
    let cx = match identify(&portal, cx, &mut request).await {
        Ok(cx) => cx,
        Err(refusal) => {
            let (parts, _) = request.into_parts();
            return refusal.answer(&portal, &parts);
        }
    };
    let actor = cx.actor.clone();
    request.extensions_mut().insert(cx);
    let mut response = next.run(request).await;
    response.extensions_mut().insert(client);
    response.extensions_mut().insert(actor);
    response
}

async fn identify(portal: &Portal, mut cx: Cx, request: &mut Request) -> Result<Cx, Refusal> {
    let path = request.uri().path().to_owned();
    if is_api(&path) && cross_site::bearer(request.headers()) {
        let header = request.headers().get(header::AUTHORIZATION);
        let presented = header
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let known = token::authenticate(&cx, presented.get(7..).unwrap_or_default().trim()).await?;
        let Some((user, scope)) = known else {
            return Err(Refusal::new(401, Msg::new("problem.token")));
        };
        if scope == TokenScope::Read && !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Refusal::forbidden(Msg::new("problem.read_only")));
        }
        request.extensions_mut().insert(ByToken(scope));
        cx.actor = Actor::User(user);
        return Ok(cx);
    }
    let Some(browser) = request.extensions().get::<BrowserSession>().cloned() else {
        return Ok(cx);
    };
    let presented = browser.id();
    let user: Option<UserId> = browser.get(USER_KEY).await.map_err(|error| {
        tracing::warn!(%error, "the session could not be read");
        Refusal::new(503, Msg::new("error.unavailable"))
    })?;
    if let (Some(user), Some(id)) = (user, browser.id()) {
        cx.session = Some(portal.sessions.digest(&id));
        cx.actor = Actor::User(user);
        if is_act(request) {
            portal.touch(&id).await;
        }
    } else if let Some(user) = ended(portal, &browser, presented).await {
        request.extensions_mut().insert(Ended(user));
    }
    Ok(cx)
}

/// Whose session had ended. It is noted in the session of the door, because the browser brings the
/// ended one only once, and often with a question that a page asks by itself.
async fn ended(portal: &Portal, browser: &BrowserSession, presented: Option<Id>) -> Option<UserId> {
    if browser.id().is_some() {
        return browser.get(ENDED_KEY).await.ok()?;
    }
    let user = match portal.sessions.ended(&presented?).await {
        Ok(user) => user?,
        Err(error) => {
            tracing::warn!(%error, "an ended session could not be read");
            return None;
        }
    };
    if let Err(error) = browser.insert(ENDED_KEY, &user).await {
        tracing::warn!(%error, "the session of the door could not be made");
    }
    Some(user)
}

/// Files, that nobody needs to be known for.
fn is_static(path: &str) -> bool {
    ["/pkg/", "/locale/"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
        || matches!(
            path,
            "/favicon.svg" | "/robots.txt" | "/healthz" | "/readyz" | "/metrics"
        )
}

/// Whether a request is something that the person did. Open pages ask for news by themselves, and say
/// so, and islands call server functions; a person in front of one is told of by
/// [`PRESENCE`](lingbao_app::names::PRESENCE).
fn is_act(request: &Request) -> bool {
    let path = request.uri().path();
    path != events::PATH
        && !path.starts_with(routes::FN_PREFIX)
        && !request.headers().contains_key(LIVE_HEADER)
}

/// What pages, posts and server functions find in their context.
#[must_use]
pub fn provider(portal: &Portal) -> Arc<dyn Fn() + Send + Sync> {
    let portal = portal.clone();
    let random = portal.app.clone();
    let ids = FormIds(Arc::new(move || format!("{:032x}", random.random.bits())));
    let source = ViewerSource(Arc::new(move |parts: Parts| {
        let portal = portal.clone();
        Box::pin(async move { frame(&portal, parts).await })
    }));
    Arc::new(move || {
        provide_context(ids.clone());
        provide_context(source.clone());
        let cx = use_context::<Parts>().and_then(|parts| parts.extensions.get::<Cx>().cloned());
        if let Some(cx) = cx {
            provide_context(cx);
        }
    })
}

async fn frame(portal: &Portal, parts: Parts) -> Frame {
    let site = &portal.config.site;
    let mut frame = Frame {
        site: site.name.clone(),
        operator: site.operator.clone(),
        phone: site.phone.clone(),
        viewer: None,
    };
    let Some(cx) = parts.extensions.get::<Cx>() else {
        return frame;
    };
    match session::viewer(cx).await {
        Ok(viewer) => frame.viewer = viewer.map(shown),
        Err(error) => tracing::warn!(%error, "the frame's data could not be read"),
    }
    frame
}

fn shown(viewer: lingbao_model::view::people::Viewer) -> Viewer {
    let mut roles: Vec<String> = Vec::new();
    for grant in &viewer.grants {
        let code = grant.role.as_str().to_owned();
        if !roles.contains(&code) {
            roles.push(code);
        }
    }
    Viewer {
        name: viewer.name,
        unit: viewer.unit_name,
        roles,
        abilities: viewer.abilities,
        unread: viewer.unread,
        todo: viewer.todo,
        requests: viewer.requests,
        stuck: viewer.stuck,
        failed_tries: viewer.failed_tries,
        last_sign_in: viewer
            .prev_login
            .map(|visit| (visit.at.minute_text(Zone::SHANGHAI), visit.ip)),
    }
}
