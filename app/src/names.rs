//! Names that server and browser must spell alike.

/// Hidden field that makes a second post of the same form recognisable.
pub const FORM_ID: &str = "form_id";
/// Header of a page's own question for its news. Such a question is nothing that the person did: it
/// keeps no session alive, and takes no message that was left for the next page.
pub const LIVE_HEADER: &str = "x-live";
/// Where a sign goes that a person is in front of the page.
pub const PRESENCE: &str = "/presence";
/// Where the news of an open page come from.
pub const EVENTS: &str = "/events";
/// Id of the template of the banner that is shown when the server runs another build than this page.
pub const OLD_PAGE: &str = "old-page";
