//! What a backend answers.
use std::fmt;

use serde::{Deserialize, Serialize};

use super::spec::{ExternalId, Object, Settled};

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(super) use text_type;

text_type! {
    /// Names one act. The same id twice is the same act: it makes one object, never two. A real
    /// cloud carries it in the object's metadata, so that it can be found after a lost answer.
    OperationId
}
text_type! {
    /// What to ask [`poll`](super::Provisioner::poll) with. Survives a restart of either side; opaque to
    /// the caller.
    PollToken
}

/// For so many seconds at most a backend is left alone because it asks for it.
pub const LONGEST_AFTER: u32 = 300;

/// What became of a call that changes something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome<T> {
    /// It is so.
    Done(T),
    /// It has begun; ask again.
    Running {
        /// What to poll with.
        poll: PollToken,
        /// When asking again is likely to be worth it, in milliseconds from now.
        retry_after_ms: u64,
    },
    /// It will not be done. A refusal by itself leaves nothing behind, unless a poll says it: then
    /// what had begun stands in an error state until it is deleted; or it says so by its reason
    /// ([`RefusalReason::Broken`]).
    Refused(Refusal),
    /// The call certainly did not reach the backend: call again.
    Unreachable(String),
    /// The backend has turned the call away before it did anything, for it has too much to do: call
    /// again.
    NotSent {
        /// In its words.
        why: String,
        /// After how many seconds it wants to be called again, if it says so; at most
        /// [`LONGEST_AFTER`].
        after: Option<u32>,
    },
    /// The answer was lost: it may have been done or not, now or later. Look with
    /// [`find_by_operation`](super::Provisioner::find_by_operation), or repeat under the same id.
    Unknown(String),
}

impl<T> Outcome<T> {
    /// The same outcome of another type.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Outcome<U> {
        self.and_then(|value| Outcome::Done(f(value)))
    }

    /// Goes on with what was done.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Outcome<U>) -> Outcome<U> {
        match self {
            Self::Done(value) => f(value),
            Self::Running {
                poll,
                retry_after_ms,
            } => Outcome::Running {
                poll,
                retry_after_ms,
            },
            Self::Refused(refusal) => Outcome::Refused(refusal),
            Self::Unreachable(why) => Outcome::Unreachable(why),
            Self::NotSent { why, after } => Outcome::NotSent { why, after },
            Self::Unknown(why) => Outcome::Unknown(why),
        }
    }

    /// A refusal.
    pub fn refused(reason: RefusalReason, detail: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(reason, detail))
    }
}

impl Outcome<Settled> {
    /// Narrows what was done to one kind of object.
    pub(super) fn narrow<T>(self, f: impl FnOnce(Object) -> Option<T>) -> Outcome<T> {
        self.and_then(|settled| match settled {
            Settled::Gone => Outcome::refused(
                RefusalReason::NotFound,
                "what this operation made has been deleted since",
            ),
            Settled::Present(object) => f(*object).map_or_else(
                || Outcome::refused(RefusalReason::Conflict, "an object of another kind"),
                Outcome::Done,
            ),
        })
    }
}

/// Why something will not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason:?}: {detail}")]
pub struct Refusal {
    /// For the program.
    pub reason: RefusalReason,
    /// For the operator; never shown to an applicant.
    pub detail: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(reason: RefusalReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

/// Why something will not be done, for the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The pool has no room for it.
    NoCapacity,
    /// No address is free.
    NoAddress,
    /// The project's quota in the backend is used up.
    QuotaExceeded,
    /// The specification makes no sense to this backend.
    InvalidSpec,
    /// Something it refers to does not exist.
    NotFound,
    /// The state of things forbids it now, or the operation id stands for another act.
    Conflict,
    /// This backend can't do such a thing.
    Unsupported,
    /// It has to be done inside the server, and nothing there takes the order: no guest agent.
    NoAgent,
    /// It had begun and came to nothing half-way: what it was done to is not what it was, and has to be
    /// done anew or mended.
    Broken,
    /// The backend does not let us.
    Denied,
    /// The operation was cancelled; it can make nothing any more.
    Cancelled,
}

/// What the backend knows of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// Nothing. It may still be on its way: only [`cancel`](super::Provisioner::cancel) makes sure.
    Never,
    /// At work.
    Running {
        /// What to poll with.
        poll: PollToken,
        /// In milliseconds from now.
        retry_after_ms: u64,
    },
    /// Done, and this is how its object stands now.
    Done(Settled),
    /// It had begun and failed; the object, if any, is still there to be deleted.
    Failed {
        /// Why.
        refusal: Refusal,
        /// What must be deleted.
        left: Option<ExternalId>,
    },
    /// Cancelled; nothing new can come of it.
    Cancelled {
        /// What it had made before and is still there; delete it.
        left: Option<Box<Object>>,
    },
}

/// A reading call that found no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ReadError {
    /// The backend does not answer; ask again.
    #[error("the backend does not answer: {0}")]
    Unreachable(String),
    /// The backend refuses to answer.
    #[error("the backend refuses: {0}")]
    Refused(Refusal),
}

/// One thing that a backend's check looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What, for the operator: `image kylin-v10`.
    pub what: String,
    /// What is wrong with it; `None` if all is well.
    pub wrong: Option<Wrong>,
}

/// Why something can't work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// What is missing.
    pub problem: String,
    /// What would mend it.
    pub remedy: String,
}

impl Finding {
    /// All is well.
    pub fn fine(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            wrong: None,
        }
    }

    /// Something is missing.
    pub fn wrong(
        what: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            wrong: Some(Wrong {
                problem: problem.into(),
                remedy: remedy.into(),
            }),
        }
    }
}
