//! A request (申请单): its lines, and the machine from draft to closed.
//!
//! Three machines, not one: the *request* is about consent, the *fulfilment* of each piece about
//! work, the *resource* about life afterwards. What the applicant is shown as one chain is put
//! together from the three.

use serde::{Deserialize, Serialize};

use crate::catalogue::Fulfiller;
use crate::id::{ItemVersionId, RequestItemId, StepId, UserId};
use crate::msg::{FieldError, Label, Msg};
use crate::param::Answers;
use crate::placement::Placement;
use crate::price::Quote;
use crate::text::{self, REASON_MAX};
use crate::time::Timestamp;
use crate::words;

words! {
    /// Where a request stands.
    #[cfg_attr(feature = "openapi", schema(as = RequestStatus))]
    pub enum Status {
        /// Being written; only its author sees it.
        Draft = "draft",
        /// On its way through the stages.
        InApproval = "in_approval",
        /// Given back for supplement; keeps its hold.
        Returned = "returned",
        /// Refused; ended.
        Rejected = "rejected",
        /// Taken back by the applicant, or never supplemented; ended.
        Withdrawn = "withdrawn",
        /// Everyone agreed; being fulfilled.
        Approved = "approved",
        /// Everything settled; the applicant is asked to confirm.
        Delivered = "delivered",
        /// Ended.
        Closed = "closed",
    }
}

words! {
    /// What a request asks for.
    #[cfg_attr(feature = "openapi", schema(as = RequestKind))]
    pub enum Kind {
        /// Something new (新开).
        New = "new",
        /// Giving resources back (退订).
        Release = "release",
        /// Another size or a longer term for a resource (变更).
        Change = "change",
        /// Something that stood in a cloud already (纳管); closed from the beginning.
        Import = "import",
    }
}

words! {
    /// How a fulfilled request ended.
    pub enum Outcome {
        /// All pieces were delivered.
        Complete = "complete",
        /// Some pieces were delivered (部分交付).
        Partial = "partial",
        /// None was delivered.
        Failed = "failed",
    }
}

words! {
    /// What can happen to a request.
    #[cfg_attr(feature = "openapi", schema(as = RequestEvent))]
    pub enum Event {
        /// The applicant submits.
        Submit = "submit",
        /// The last stage agreed, or none was needed.
        Approve = "approve",
        /// An approver refuses.
        Reject = "reject",
        /// An approver asks for a supplement.
        Return = "return",
        /// The applicant submits again after a return.
        Resubmit = "resubmit",
        /// The applicant takes it back, or its time for supplement ran out.
        Withdraw = "withdraw",
        /// The last piece was settled.
        Settle = "settle",
        /// The applicant confirms, or the time for it ran out.
        Confirm = "confirm",
    }
}

/// The state does not allow the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTransition {
    /// Where the machine stands.
    pub from: &'static str,
    /// What was tried.
    pub event: &'static str,
}

impl std::fmt::Display for InvalidTransition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` is not possible in state `{}`",
            self.event, self.from
        )
    }
}
impl std::error::Error for InvalidTransition {}

impl InvalidTransition {
    /// What people read.
    pub fn msg(self) -> Msg {
        Msg::new("request.not_possible_now")
            .with("event", Msg::new(format!("request.event.{}", self.event)))
            .with("status", Msg::new(format!("request.status.{}", self.from)))
    }
}

impl Status {
    /// The next state.
    ///
    /// # Errors
    /// [`InvalidTransition`] if the event is not possible here.
    pub const fn after(self, event: Event) -> Result<Self, InvalidTransition> {
        match (self, event) {
            (Self::Draft, Event::Submit) | (Self::Returned, Event::Resubmit) => {
                Ok(Self::InApproval)
            }
            (Self::InApproval, Event::Approve) => Ok(Self::Approved),
            (Self::InApproval, Event::Reject) => Ok(Self::Rejected),
            (Self::InApproval, Event::Return) => Ok(Self::Returned),
            (Self::InApproval | Self::Returned, Event::Withdraw) => Ok(Self::Withdrawn),
            (Self::Approved, Event::Settle) => Ok(Self::Delivered),
            (Self::Delivered, Event::Confirm) => Ok(Self::Closed),
            (from, event) => Err(InvalidTransition {
                from: from.as_str(),
                event: event.as_str(),
            }),
        }
    }

    /// Whether nothing can happen any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Rejected | Self::Withdrawn | Self::Closed)
    }

    /// Whether the request's quota is held.
    pub const fn holds_quota(self) -> bool {
        matches!(self, Self::InApproval | Self::Returned | Self::Approved)
    }
}

words! {
    /// Where one approval step (审批环节) stands.
    pub enum StepStatus {
        /// Its stage has not begun.
        Planned = "planned",
        /// Waits for somebody to act.
        Open = "open",
        /// Agreed.
        Approved = "approved",
        /// Refused.
        Rejected = "rejected",
        /// Given back for supplement.
        Returned = "returned",
        /// Not needed any more: another step of the request ended it.
        Void = "void",
    }
}

words! {
    /// What an approver decides.
    pub enum Decision {
        /// 同意.
        Approve = "approve",
        /// 驳回, ends the request.
        Reject = "reject",
        /// 退回补正.
        Return = "return",
    }
}

/// Opinions that agree, in both languages; they are no reason for a return or a refusal, by whatever
/// way they come. The quick phrases of consent stand among them.
pub const CONSENT: &[&str] = &[
    "同意",
    "拟同意",
    "拟同意，请领导审定",
    "Agreed",
    "Agreed, for the leader to decide",
];

fn consents(opinion: &str) -> bool {
    let said = opinion.trim_end_matches(['。', '！', '.', '!']);
    CONSENT.iter().any(|one| one.eq_ignore_ascii_case(said))
}

impl Decision {
    /// Checks the opinion that goes with a decision: a refusal and a return must say why
    /// (a refusal without reason is a red card, `domain.md` 3.7).
    ///
    /// # Errors
    /// A message about `opinion`.
    pub fn check_opinion(self, opinion: &str) -> Result<String, FieldError> {
        let min = if matches!(self, Self::Approve) { 0 } else { 2 };
        let text = text::paragraph("opinion", opinion, min, usize::from(REASON_MAX));
        let needed = || FieldError::new("opinion", Msg::new("approval.reason_needed"));
        match text {
            Err(_) if opinion.trim().is_empty() => Err(needed()),
            Ok(said) if self != Self::Approve && consents(&said) => Err(needed()),
            other => other,
        }
    }
}

/// Most lines in one request.
pub const MAX_LINES: usize = 50;
/// Longest term in months (`domain.md` 2.3: 最多 12 个月).
pub const MAX_TERM_MONTHS: i64 = 12;

/// Reads the typed term of a line; nothing typed is the longest.
///
/// # Errors
/// As [`text::number`].
pub fn read_term(typed: &str) -> Result<i64, FieldError> {
    text::number("term_months", typed, MAX_TERM_MONTHS, MAX_TERM_MONTHS)
}
/// Working days within which a returned request must be supplemented.
pub const SUPPLEMENT_DAYS: u32 = 15;
/// Working days after which a delivery confirms itself.
pub const CONFIRM_DAYS: u32 = 3;
/// Days of trial run, free of charge.
pub const TRIAL_DAYS: i64 = 30;

/// One configured line of a cart or a request (申请明细).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Line {
    /// Identifier; others of the same request attach to it.
    pub id: RequestItemId,
    /// Position, from 1.
    pub position: i64,
    /// The version that was configured.
    pub version: ItemVersionId,
    /// Code of the item.
    pub code: String,
    /// Who fulfils it.
    pub kind: Fulfiller,
    /// Name of the item.
    pub item_name: Label,
    /// Name the applicant gave; hosts are named after it.
    pub name: String,
    /// Zone, level and pool; `None` for work of people.
    pub placement: Option<Placement>,
    /// Answers to the parameters.
    pub answers: Answers,
    /// Pieces.
    pub count: i64,
    /// Term in months, 1 to 12.
    pub term_months: i64,
    /// The line of the same request to which each piece attaches.
    pub attach_to: Option<RequestItemId>,
    /// Number of the price version.
    pub price_version: i64,
    /// The price as it was shown.
    pub quote: Quote,
}

/// Checks how lines attach to each other: only to a line of the same request, of an item that the
/// schema names, in the same pool, and either at most one for each piece of the target (dealt out
/// from the first on) or the same number for every one.
///
/// `accepts(line)` gives the item codes to which that line may attach.
///
/// # Errors
/// One message for each line that doesn't fit, under `lines[i].attach_to`.
pub fn check_attachments<'a>(
    lines: &'a [Line],
    accepts: impl Fn(&Line) -> &'a [String],
) -> Result<(), Vec<FieldError>> {
    let mut errors = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some(target_id) = &line.attach_to else {
            continue;
        };
        let wrong = |msg: Msg| {
            FieldError::new(
                format!("lines[{i}].attach_to"),
                msg.with("line", line.position),
            )
        };
        match lines.iter().find(|l| l.id == *target_id) {
            None => errors.push(wrong(Msg::new("attach.gone"))),
            Some(target) if !accepts(line).contains(&target.code) => {
                errors.push(wrong(Msg::new("attach.kind")))
            }
            Some(target)
                if line.placement.as_ref().map(|p| &p.pool)
                    != target.placement.as_ref().map(|p| &p.pool) =>
            {
                errors.push(wrong(Msg::new("attach.pool")));
            }
            // One disk for two hosts goes to the first of them; three would be dealt out unevenly.
            Some(target)
                if target.count < 1
                    || (line.count > target.count && line.count % target.count != 0) =>
            {
                errors.push(wrong(Msg::new("attach.count").with("count", target.count)));
            }
            Some(_) => {}
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

/// One approval step as the machine sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepState {
    /// Identifier.
    pub id: StepId,
    /// Stage, from 0.
    pub stage: i64,
    /// Where it stands.
    pub status: StepStatus,
    /// Since when it waits, or had waited.
    pub opened_at: Option<Timestamp>,
    /// Who acted.
    pub acted_by: Option<UserId>,
    /// When.
    pub acted_at: Option<Timestamp>,
}

/// What a decision on one step brings about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// The stage still waits for its other steps.
    StageGoesOn,
    /// The stage is through; this one opens.
    NextStage(i64),
    /// All stages are through.
    Approved,
    /// The request ends.
    Rejected,
    /// The request goes back to the applicant; the other open steps of the stage wait.
    Returned,
}

/// What follows if the open step `id` gets `decision`. One "reject" ends the request, one "return"
/// gives it back, all must approve.
///
/// # Errors
/// [`InvalidTransition`] if the step is not open.
pub fn decide(
    steps: &[StepState],
    id: &StepId,
    decision: Decision,
) -> Result<Consequence, InvalidTransition> {
    let not_open = |from: &'static str| InvalidTransition {
        from,
        event: decision.as_str(),
    };
    let step = steps.iter().find(|s| s.id == *id).ok_or(not_open("void"))?;
    if step.status != StepStatus::Open {
        return Err(not_open(step.status.as_str()));
    }
    Ok(match decision {
        Decision::Reject => Consequence::Rejected,
        Decision::Return => Consequence::Returned,
        Decision::Approve => {
            let others_open = steps
                .iter()
                .any(|s| s.id != *id && s.stage == step.stage && s.status == StepStatus::Open);
            let next = steps
                .iter()
                .filter(|s| s.stage > step.stage && s.status == StepStatus::Planned)
                .map(|s| s.stage)
                .min();
            match (others_open, next) {
                (true, _) => Consequence::StageGoesOn,
                (false, Some(stage)) => Consequence::NextStage(stage),
                (false, None) => Consequence::Approved,
            }
        }
    })
}

/// Whether the applicant may still take the request back: until somebody has acted on what was
/// submitted last. A submit, the first one as every later one, opens all steps of the stage that it
/// goes to: what was decided before they were opened was decided about what stood there before.
pub fn may_withdraw(status: Status, steps: &[StepState]) -> bool {
    match status {
        Status::Returned => true,
        Status::InApproval => {
            let open = steps.iter().filter(|s| s.status == StepStatus::Open);
            let since = open.filter_map(|s| s.opened_at).min();
            let acted = steps.iter().filter_map(|s| s.acted_at).max();
            acted.is_none() || acted < since
        }
        _ => false,
    }
}

/// A request's number: site, date, counter of the day: `NB-20261121-0007`.
pub fn number(site: &crate::id::SiteCode, day: crate::time::Date, counter: i64) -> String {
    format!(
        "{}-{}-{counter:04}",
        site.as_str().to_ascii_uppercase(),
        day.compact()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use proptest::prelude::*;

    fn step(n: u128, stage: i64, status: StepStatus) -> StepState {
        let site = "nb".to_owned().try_into().unwrap();
        let acted_at = (!matches!(status, StepStatus::Planned | StepStatus::Open))
            .then(|| Timestamp::from_millis(1));
        StepState {
            id: StepId::generate(&site, Timestamp::default(), n),
            stage,
            status,
            opened_at: (status != StepStatus::Planned).then(Timestamp::default),
            acted_by: None,
            acted_at,
        }
    }

    #[test]
    fn a_stage_waits_for_all_its_groups_and_one_refusal_ends_the_request() {
        let steps = [
            step(1, 0, StepStatus::Approved),
            step(2, 1, StepStatus::Open),
            step(3, 1, StepStatus::Open),
            step(4, 2, StepStatus::Planned),
        ];
        let act = |n: usize, d| decide(&steps, &steps[n].id, d).unwrap();
        assert_eq!(act(1, Decision::Approve), Consequence::StageGoesOn);
        assert_eq!(act(1, Decision::Reject), Consequence::Rejected);
        assert_eq!(act(1, Decision::Return), Consequence::Returned);
        assert!(
            decide(&steps, &steps[0].id, Decision::Approve).is_err(),
            "nobody acts twice"
        );
        assert!(
            decide(&steps, &steps[3].id, Decision::Approve).is_err(),
            "nobody acts before his stage"
        );
    }

    #[test]
    fn the_last_approval_of_the_last_stage_approves() {
        let steps = [
            step(1, 0, StepStatus::Approved),
            step(2, 1, StepStatus::Open),
        ];
        assert_eq!(
            decide(&steps, &steps[1].id, Decision::Approve),
            Ok(Consequence::Approved)
        );
        let steps = [
            step(1, 0, StepStatus::Open),
            step(2, 2, StepStatus::Planned),
        ];
        assert_eq!(
            decide(&steps, &steps[0].id, Decision::Approve),
            Ok(Consequence::NextStage(2))
        );
    }

    #[test]
    fn a_request_is_withdrawn_only_until_somebody_acted() {
        assert!(may_withdraw(
            Status::InApproval,
            &[step(1, 0, StepStatus::Open)]
        ));
        assert!(!may_withdraw(
            Status::InApproval,
            &[
                step(1, 0, StepStatus::Approved),
                step(2, 1, StepStatus::Open)
            ]
        ));
        assert!(!may_withdraw(Status::Approved, &[]));
    }

    #[test]
    fn a_supplement_is_withdrawn_until_somebody_acted_on_it() {
        let at = |ms| Some(Timestamp::from_millis(ms));
        let open = |n, stage, ms| StepState {
            opened_at: at(ms),
            ..step(n, stage, StepStatus::Open)
        };
        // Agreed at 1, given back at 1, submitted again at 9 to both groups of the stage.
        let mut steps = vec![
            step(1, 0, StepStatus::Approved),
            step(2, 1, StepStatus::Returned),
            open(3, 1, 9),
            open(4, 1, 9),
        ];
        assert!(may_withdraw(Status::InApproval, &steps));
        steps[2].status = StepStatus::Approved;
        steps[2].acted_at = at(12);
        assert!(!may_withdraw(Status::InApproval, &steps), "one group acted");
        steps[3].status = StepStatus::Approved;
        steps[3].acted_at = at(15);
        steps.push(open(5, 2, 15));
        assert!(
            !may_withdraw(Status::InApproval, &steps),
            "the stage was passed"
        );
    }

    #[test]
    fn a_refusal_and_a_return_say_why() {
        assert!(Decision::Approve.check_opinion("").is_ok());
        for decision in [Decision::Reject, Decision::Return] {
            assert_eq!(
                decision.check_opinion("  ").unwrap_err().msg.key,
                "approval.reason_needed"
            );
            assert!(decision.check_opinion("请补充等保备案证明").is_ok());
            for consent in CONSENT.iter().chain(&["同意。", "agreed."]) {
                let refused = decision.check_opinion(consent).unwrap_err();
                assert_eq!(refused.msg.key, "approval.reason_needed", "{consent}");
                assert!(Decision::Approve.check_opinion(consent).is_ok());
            }
        }
    }

    proptest! {
        #[test]
        fn no_run_of_events_leaves_a_final_state_or_skips_approval(
            events in proptest::collection::vec(0_usize..Event::ALL.len(), 0..30),
        ) {
            let mut state = Status::Draft;
            let mut approved = false;
            for event in events.into_iter().map(|i| Event::ALL[i]) {
                if let Ok(next) = state.after(event) {
                    prop_assert!(!state.is_final());
                    approved |= event == Event::Approve;
                    state = next;
                }
                let fulfilled = matches!(state, Status::Approved | Status::Delivered | Status::Closed);
                prop_assert!(!fulfilled || approved);
            }
        }
    }
}
