//! People as they are shown: the signed-in person, units, users, grants, tokens, sessions, notices.

use serde::{Deserialize, Serialize};

use crate::id::{GrantId, NoticeId, TokenId, UnitId, UserId, VdcId};
use crate::msg::Msg;
use crate::people::{Grant, LOCK_AFTER_FAILURES, Reach, Role, UnitKind, UnitLevel};
use crate::time::Timestamp;
use crate::words;

words! {
    /// What a token of the programming interface may do.
    pub enum TokenScope {
        /// Read what its owner may read.
        Read = "read",
        /// Do what its owner may do.
        Write = "write",
    }
}

/// Longest life of a token, in days.
pub const TOKEN_MAX_DAYS: i64 = 365;
/// Most living tokens of one user.
pub const TOKENS_PER_USER: i64 = 20;

/// The signed-in person: what the frame of every page shows, and which doors are open. Decides
/// what is *shown*; what is allowed is decided again by the service behind every page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Viewer {
    /// Who.
    pub user: UserId,
    /// The person's name.
    pub name: String,
    /// Where the person works.
    pub unit: UnitId,
    /// Name of that unit.
    pub unit_name: String,
    /// The roles held now.
    pub grants: Vec<Grant>,
    /// Codes of everything that the roles permit (`order`, `decide`, …).
    pub abilities: Vec<String>,
    /// Unread notices.
    pub unread: i64,
    /// Steps that wait for the person; 0 for who decides nothing.
    pub todo: i64,
    /// The person's own requests that are not closed.
    pub requests: i64,
    /// Sagas and jobs that wait for an operator; 0 for everybody else.
    pub stuck: i64,
    /// The visit before this one: when and from which address.
    pub prev_login: Option<Visit>,
    /// Sign-ins under this name that failed between the visit before and this one.
    pub failed_tries: i64,
    /// The password was given by somebody else and must be changed before anything else.
    pub must_change_password: bool,
}

impl Viewer {
    /// Whether the roles permit something.
    pub fn can(&self, ability: &str) -> bool {
        self.abilities.iter().any(|a| a == ability)
    }
}

/// A sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Visit {
    /// When.
    pub at: Timestamp,
    /// From which address; empty if nobody knows.
    pub ip: String,
}

/// What a sign-in that succeeded says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedIn {
    /// Who.
    pub user: UserId,
    /// The visit before this one.
    pub prev_login: Option<Visit>,
    /// The password must be changed before anything else.
    pub must_change_password: bool,
}

/// The person's own page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Profile {
    /// Login name.
    pub login: String,
    /// The person's name.
    pub name: String,
    /// Telephone, as printed on delivery sheets.
    pub phone: String,
    /// Name of the unit.
    pub unit_name: String,
    /// The roles, each with the name of its unit.
    pub grants: Vec<GrantRow>,
    /// This visit.
    pub last_login: Option<Visit>,
    /// The visit before.
    pub prev_login: Option<Visit>,
    /// Sign-ins under this name that failed between the visit before and this one.
    pub failed_tries: i64,
    /// When the password was last changed.
    pub password_changed_at: Timestamp,
    /// The password must be changed before anything else.
    pub must_change_password: bool,
}

/// One browser session of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionRow {
    /// When it began.
    pub created_at: Timestamp,
    /// Last act of the person, exact to a minute.
    pub seen_at: Timestamp,
    /// When it ends by itself if nothing more is done.
    pub expires_at: Timestamp,
    /// Whether it is the session that asks.
    pub current: bool,
}

/// A token of the programming interface, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenRow {
    /// Its id.
    pub id: TokenId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scope: TokenScope,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it opens nothing.
    pub expires_at: Timestamp,
    /// Last use, exact to a minute.
    pub used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl TokenRow {
    /// Whether it opens anything at a moment.
    pub fn lives(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// A fresh token: the only answer that ever holds the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewToken {
    /// The token as it stays in the list.
    pub row: TokenRow,
    /// What goes into `Authorization: Bearer …`; shown once, stored nowhere.
    pub secret: String,
}

/// A notice (站内信).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NoticeRow {
    /// Its id.
    pub id: NoticeId,
    /// When it was sent.
    pub at: Timestamp,
    /// What it says.
    pub msg: Msg,
    /// Path of the page it is about.
    pub link: String,
    /// Whether it was read.
    pub read: bool,
}

/// A unit as a node of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnitNode {
    /// Its id.
    pub id: UnitId,
    /// The unit above, if there is one.
    pub parent: Option<UnitId>,
    /// Full name.
    pub name: String,
    /// Short name, for narrow columns.
    pub short_name: String,
    /// Level in the administration.
    pub level: UnitLevel,
    /// Kind.
    pub kind: UnitKind,
    /// Whether it takes part.
    pub active: bool,
    /// Units directly below it.
    pub children: i64,
    /// Accounts in the unit itself.
    pub users: i64,
    /// For changes: the version that was read.
    pub version: i64,
}

/// A unit with its place in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnitDetail {
    /// The unit.
    pub node: UnitNode,
    /// The units above it that the reader sees, the topmost first.
    pub path: Vec<(UnitId, String)>,
    /// The units directly below it, by name; at most 500, all of them are in the list of units.
    pub below: Vec<UnitNode>,
    /// Its virtual data centres.
    pub vdcs: Vec<(VdcId, String)>,
}

/// State of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AccountState {
    /// May sign in.
    Active,
    /// Locked by failed sign-ins until a moment.
    Locked {
        /// Until when.
        until: Timestamp,
    },
    /// Closed by an administrator.
    Inactive,
}

impl AccountState {
    /// Code of the state: `active`, `locked`, `inactive`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Locked { .. } => "locked",
            Self::Inactive => "inactive",
        }
    }
}

/// A user as a line of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserRow {
    /// Their id.
    pub id: UserId,
    /// Login name.
    pub login: String,
    /// The person's name.
    pub name: String,
    /// Where the person works.
    pub unit: UnitId,
    /// Name of that unit.
    pub unit_name: String,
    /// Roles, each once.
    pub roles: Vec<Role>,
    /// State of the account.
    pub state: AccountState,
    /// Last sign-in.
    pub last_login_at: Option<Timestamp>,
}

/// A user with everything that administrators see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserDetail {
    /// The line of the list.
    pub row: UserRow,
    /// Telephone.
    pub phone: String,
    /// Failed sign-ins in a row.
    pub failures: i64,
    /// Last sign-in.
    pub last_login: Option<Visit>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// The roles held now.
    pub grants: Vec<GrantRow>,
    /// For changes: the version that was read.
    pub version: i64,
}

/// A role on a unit, as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantRow {
    /// Its id.
    pub id: GrantId,
    /// The role.
    pub role: Role,
    /// The unit on which it was given.
    pub unit: UnitId,
    /// Name of that unit.
    pub unit_name: String,
    /// How far it reaches.
    pub reach: Reach,
    /// When it was given.
    pub granted_at: Timestamp,
    /// Who gave it: a name, or `system`.
    pub granted_by: String,
}

/// How many more failed sign-ins an account takes before it locks.
pub const fn tries_left(failures: i64) -> i64 {
    let left = LOCK_AFTER_FAILURES - failures;
    if left > 0 { left } else { 0 }
}

/// Which units, and which page of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct UnitQuery {
    /// Words in the name; pinyin and initials count.
    pub text: String,
    /// Directly below this unit.
    pub below: Option<UnitId>,
    /// Where the page begins, from [`crate::view::page::Page::next`].
    pub after: Option<String>,
    /// Rows of the page; 0 means the default.
    pub limit: i64,
}

/// Which users to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct UserQuery {
    /// Words in name, login or telephone; pinyin and initials count.
    pub text: String,
    /// In this unit and below it.
    pub unit: Option<UnitId>,
    /// With this role.
    pub role: Option<Role>,
    /// In this state: `active`, `locked`, `inactive`.
    pub state: String,
    /// The newest accounts first, instead of by name.
    pub newest: bool,
    /// Where the page begins, from [`crate::view::page::Page::next`].
    pub after: Option<String>,
    /// Rows of the page; 0 means the default.
    pub limit: i64,
}
