//! Who is reading: what the frame needs to know about the person, and which doors are open.
//!
//! The server fills it through [`ssr::ViewerSource`]. It decides what is *shown*; what is *allowed*
//! is decided again by the service behind every page.

use crate::error::ApiError;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The signed-in person as the frame shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// Name of the person.
    pub name: String,
    /// Name of the unit for which the person acts.
    pub unit: String,
    /// Codes of the roles (`applicant`); their names are the texts `role.<code>`.
    pub roles: Vec<String>,
    /// What the person may do, by code; the navigation and buttons ask for these.
    pub abilities: Vec<String>,
    /// Unread notices.
    pub unread: i64,
    /// Steps waiting for this person.
    pub todo: i64,
    /// The person's own requests that are under way.
    pub requests: i64,
    /// Jobs that wait for an operator; 0 for everybody else.
    pub stuck: i64,
    /// Moment and address of the sign-in before this one, ready to print.
    pub last_sign_in: Option<(String, String)>,
}

impl Viewer {
    /// Whether the person may do something.
    pub fn can(&self, ability: &str) -> bool {
        self.abilities.iter().any(|a| a == ability)
    }
}

/// What every page knows: the site's names, and the person if somebody is signed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Name of the site, e.g. 宁波市政务云自助服务平台.
    pub site: String,
    /// Who runs it.
    pub operator: String,
    /// Telephone for help, with hours.
    pub phone: String,
    /// The signed-in person.
    pub viewer: Option<Viewer>,
}

/// What only the server knows.
#[cfg(feature = "ssr")]
pub mod ssr {
    use super::Frame;
    use std::{future::Future, pin::Pin, sync::Arc};

    /// An answer that is on its way.
    pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

    /// The server's way to answer [`super::frame`]; it is put into the context of each request and
    /// finds the session in the request's parts.
    #[derive(Clone)]
    pub struct ViewerSource(pub Arc<dyn Fn(http::request::Parts) -> Answer<Frame> + Send + Sync>);
}

/// The frame's data for the request's session.
///
/// # Errors
/// Never by itself; an unreachable server in the browser.
#[server(name = GetFrame, prefix = "/fn", endpoint = "frame", output = crate::json::Json)]
pub async fn frame() -> Result<Frame, ApiError> {
    let Some(source) = use_context::<ssr::ViewerSource>() else {
        return Ok(Frame::default());
    };
    let Some(parts) = use_context::<http::request::Parts>() else {
        return Ok(Frame::default());
    };
    Ok((source.0)(parts).await)
}

/// The resource of [`frame`], for those who want it again after an act.
#[derive(Clone, Copy)]
pub struct FrameData(pub Resource<Result<Frame, ApiError>>);

/// Starts the frame's data; blocking, because the status and the navigation hang on it.
pub fn provide_frame() {
    let version = crate::live::version("viewer");
    provide_context(FrameData(Resource::new_blocking(
        move || version.get(),
        |_| frame(),
    )));
}

/// The person, from inside a `Suspense`/`Transition`; `None` while unknown or signed out.
pub fn use_viewer() -> Option<Viewer> {
    use_frame().and_then(|frame| frame.viewer)
}

/// The frame's data, from inside a `Suspense`/`Transition`.
pub fn use_frame() -> Option<Frame> {
    use_context::<FrameData>()?.0.get()?.ok()
}

/// A piece of the frame that shows the frame's data, and keeps standing while it is asked again.
///
/// The closure is boxed, because each kind of `Transition` is some 10 KB of wasm.
pub fn with_frame(view: impl Fn() -> Option<AnyView> + Send + Sync + 'static) -> AnyView {
    fn boxed(view: Box<dyn Fn() -> Option<AnyView> + Send + Sync>) -> AnyView {
        view! { <Transition>{move || view()}</Transition> }.into_any()
    }
    boxed(Box::new(view))
}

/// Asks for the frame's data again: after something was read, approved, submitted.
pub fn refetch_frame() {
    if let Some(data) = use_context::<FrameData>() {
        data.0.refetch();
    }
}
