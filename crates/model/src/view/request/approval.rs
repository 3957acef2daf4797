//! What approvers see: to-dos, what they have done, the card, and what came of a decision.

use serde::{Deserialize, Serialize};

use super::*;

/// One row of the to-do list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TodoRow {
    /// The step.
    pub step: StepId,
    /// Name of the step.
    pub step_name: Label,
    /// The request.
    pub request: RequestId,
    /// Its number.
    pub number: String,
    /// Something new, or something given back.
    pub kind: Kind,
    /// Title.
    pub title: String,
    /// Name of the unit.
    pub unit_name: String,
    /// Name of the applicant.
    pub applicant_name: String,
    /// Lines.
    pub lines: i64,
    /// Month price.
    pub month: Money,
    /// Charged once.
    pub once: Money,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Until when it should be decided.
    pub due_at: Timestamp,
    /// Its lamp.
    pub lamp: Lamp,
    /// Nobody opened the card yet.
    pub unseen: bool,
}

/// One row of the done list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DoneRow {
    /// The step.
    pub step: StepId,
    /// Name of the step.
    pub step_name: Label,
    /// The request.
    pub request: RequestId,
    /// Its number.
    pub number: String,
    /// Title.
    pub title: String,
    /// Name of the unit.
    pub unit_name: String,
    /// Where the request stands now.
    pub status: Status,
    /// What was decided.
    pub decision: Decision,
    /// In which words.
    pub opinion: String,
    /// When.
    pub acted_at: Timestamp,
    /// Month price.
    pub month: Money,
    /// Charged once.
    pub once: Money,
}

/// The approval card: one phone screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CardView {
    /// The step.
    pub step: StepId,
    /// Name of the step.
    pub step_name: Label,
    /// Still open; otherwise the card says who decided.
    pub open: bool,
    /// The decision that was taken, if there is one.
    pub decided: Option<OpinionView>,
    /// The request.
    pub request: RequestId,
    /// Its number.
    pub number: String,
    /// Something new, or something given back.
    pub kind: Kind,
    /// Who: unit.
    pub unit_name: String,
    /// Who: applicant.
    pub applicant_name: String,
    /// Their telephone.
    pub applicant_phone: String,
    /// What: title.
    pub title: String,
    /// What: name of the system.
    pub system_name: String,
    /// Why.
    pub reason: String,
    /// Lines; empty for a release.
    pub lines: Vec<LineView>,
    /// Resources that are given back.
    pub releases: Vec<ReleaseLine>,
    /// The resource that is changed, before and after.
    pub change: Option<ChangeLine>,
    /// Money a month.
    pub month: Money,
    /// Money a year, what is charged once included.
    pub year: Money,
    /// Charged once.
    pub once: Money,
    /// Quota before and after, as it is now.
    pub changes: Vec<Change>,
    /// Names of the pools of the changes.
    pub pools: Vec<(PoolId, Label)>,
    /// What to look at.
    pub flags: Vec<Msg>,
    /// Opinions of earlier steps.
    pub opinions: Vec<(Label, OpinionView)>,
    /// Until when it should be decided.
    pub due_at: Option<Timestamp>,
    /// Its lamp.
    pub lamp: Option<Lamp>,
    /// Digest of what is shown; goes with the decision.
    pub digest: String,
    /// Position among the viewer's to-dos, from 1; 0 if it is none of them.
    pub position: i64,
    /// How many to-dos the viewer has.
    pub of: i64,
    /// Keys of quick phrases for the opinion.
    pub phrases: Vec<String>,
}

/// Keys of the quick phrases (常用意见).
pub const PHRASES: &[&str] = &[
    "approval.phrase.agree",
    "approval.phrase.agree_leader",
    "approval.phrase.supplement",
];

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum DecideAnswer {
    /// It counts.
    Decided(Decided),
    /// The request is no longer what was shown: nothing was decided.
    Changed(Changed),
}

/// A decision that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Decided {
    /// The request.
    pub request: RequestId,
    /// Its number.
    pub number: String,
    /// Where it stands now.
    pub status: Status,
    /// What was decided.
    pub decision: Decision,
    /// The next to-do.
    pub next: Option<StepId>,
}

/// What changed between what was shown and what is there now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Changed {
    /// The step on which the decision was meant.
    pub step: StepId,
    /// One entry for each difference.
    pub differences: Vec<Difference>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Difference {
    /// What: a field of the head, a line, the money.
    pub what: Msg,
    /// As it was shown; `None` if it was not there.
    pub before: Option<Msg>,
    /// As it is now; `None` if it is gone.
    pub after: Option<Msg>,
}
