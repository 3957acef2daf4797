//! Who is reading: what the frame needs to know about the person, and which doors are open.
//!
//! The server fills it through [`ssr::ViewerSource`]. It decides what is *shown*; what is *allowed*
//! is decided again by the service behind every page.

use leptos::prelude::*;

/// The signed-in person as the frame shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// Sign-ins that failed between that one and this one.
    pub failed_tries: i64,
}

impl Viewer {
    /// Whether the person may do something.
    pub fn can(&self, ability: &str) -> bool {
        self.abilities.iter().any(|a| a == ability)
    }
}

/// What every page knows: the site's names, and the person if somebody is signed in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
pub mod ssr {
    use super::Frame;
    use std::{future::Future, pin::Pin, sync::Arc};

    /// An answer that is on its way.
    pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

    /// The server's way to answer [`super::of_request`]; it is put into the context of each request and
    /// finds the session in the request's parts.
    #[derive(Clone)]
    pub struct ViewerSource(pub Arc<dyn Fn(http::request::Parts) -> Answer<Frame> + Send + Sync>);
}

/// The frame's data for the request's session, by the way that the server gave.
pub async fn of_request() -> Frame {
    match (
        use_context::<ssr::ViewerSource>(),
        use_context::<http::request::Parts>(),
    ) {
        (Some(source), Some(parts)) => (source.0)(parts).await,
        _ => Frame::default(),
    }
}

/// The frame's data; made before the page is, so that everybody on it finds it at once.
pub fn use_frame() -> Frame {
    use_context::<Frame>().unwrap_or_default()
}

/// The person; `None` for whoever is signed out.
pub fn use_viewer() -> Option<Viewer> {
    use_frame().viewer
}
