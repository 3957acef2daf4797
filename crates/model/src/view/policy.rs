//! What the administration of approval policies shows: which is in force, and its versions.

use serde::{Deserialize, Serialize};

use super::item::Act;
use crate::catalogue::Publication;
use crate::msg::{Label, Msg};
use crate::placement::Zone;
use crate::policy::Policy;
use crate::request::Kind;
use crate::time::Timestamp;

/// The kinds of requests that have a policy of their own, or may have one.
pub const KINDS: &[Kind] = &[Kind::New, Kind::Change, Kind::Release];

/// The version of a policy by which requests are judged now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InForce {
    /// Its number, from 1.
    pub number: i64,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Who published it; `None` for the installation.
    pub by: Option<String>,
    /// The policy.
    pub policy: Policy,
}

/// One row of the list of policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyRow {
    /// For which kind of request.
    pub kind: Kind,
    /// What holds; of the kind that is followed where there is none of its own.
    pub in_force: Option<InForce>,
    /// Whose policy holds while there is none of its own.
    pub follows: Option<Kind>,
    /// Where the newest version stands, if it is not in force.
    pub newest: Option<Publication>,
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyVersion {
    /// Number, from 1.
    pub number: i64,
    /// Where it stands.
    pub state: Publication,
    /// Who wrote it; `None` for the installation.
    pub written_by: Option<String>,
    /// When.
    pub written_at: Timestamp,
    /// Who published it.
    pub published_by: Option<String>,
    /// When.
    pub published_at: Option<Timestamp>,
    /// When another one took its place.
    pub retired_at: Option<Timestamp>,
    /// The policy.
    pub policy: Policy,
    /// What is otherwise than in the version that was or is in force before it.
    pub changes: Vec<Msg>,
    /// Version of the row, for changes.
    pub version: i64,
    /// What the reader may do with it.
    pub may: Vec<Act>,
}

/// An item that a condition may name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyItem {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: Label,
}

/// One policy with its versions, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyView {
    /// For which kind of request.
    pub kind: Kind,
    /// What holds; of the kind that is followed where there is none of its own.
    pub in_force: Option<InForce>,
    /// Whose policy holds while there is none of its own.
    pub follows: Option<Kind>,
    /// The versions, at most 50.
    pub versions: Vec<PolicyVersion>,
    /// Which version a change begins from.
    pub seen: Seen,
    /// All items of the catalogue.
    pub items: Vec<PolicyItem>,
    /// All zones.
    pub zones: Vec<Zone>,
}

/// The newest version as somebody read it; 0 and 0 while there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = PolicySeen))]
pub struct Seen {
    /// Its number.
    pub number: i64,
    /// Version of its row.
    pub version: i64,
}
