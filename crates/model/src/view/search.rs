//! What the search of the whole site finds.

use serde::{Deserialize, Serialize};

use crate::words;

words! {
    /// Kind of a thing that was found, in the order in which they are shown.
    pub enum HitKind {
        /// A request, by number or title.
        Request = "request",
        /// A resource, by name or address.
        Resource = "resource",
        /// An application system.
        System = "system",
        /// A unit, for administrators.
        Unit = "unit",
        /// A user, for administrators.
        User = "user",
    }
}

/// Most hits of one kind; more are in that kind's own list.
pub const HITS: i64 = 10;

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Hit {
    /// What it is.
    pub kind: HitKind,
    /// By what its page is addressed: a request's number, otherwise an id.
    pub key: String,
    /// Its name.
    pub title: String,
    /// What tells it from others of the name: unit, number, address.
    pub sub: String,
}
