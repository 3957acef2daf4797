//! Requests, from the cart to the confirmed delivery.
//!
//! Every function takes `&Cx` first and answers `Result<_, ServiceError>`. An unknown id and one
//! out of sight give the same [`NotFound`](crate::error::ServiceError::NotFound).
//!
//! ```text
//! cart::    current(cx) -> CartView                         the current draft, made if there is none
//!           open(cx, &RequestId) -> CartView                a draft or a returned request of one's own
//!           drafts(cx) -> Vec<DraftRow>
//!           create(cx) -> RequestId                         one more draft, which becomes the current one
//!           discard(cx, &RequestId, version) -> ()
//!           configure(cx, cart: Option<&RequestId>, code: &str) -> ConfigureView
//!           edit_line(cx, &RequestId, &RequestItemId) -> ConfigureView
//!           try_line(cx, &RequestId, Option<&RequestItemId>, &LineForm) -> TriedLine
//!           put_line(cx, &RequestId, version, Option<&RequestItemId>, &LineForm) -> CartChange
//!           remove_line(cx, &RequestId, version, &RequestItemId) -> CartChange
//!           restore_line(cx, &RequestId, version, &Line) -> CartChange     undo of a removal
//!           save_head(cx, &RequestId, version, &HeadForm) -> i64           the new version
//!           copy(cx, &RequestId) -> Copied
//! request:: submit::submit(cx, &RequestId, version, form_id: &str) -> Submitted
//!           resubmit::resubmit(cx, &RequestId, version, form_id: &str) -> Submitted
//!           withdraw::withdraw(cx, &RequestId, version) -> ()
//!           confirm::confirm(cx, &RequestId, version) -> ()
//!           release::create(cx, &[ResourceId], reason: &str, form_id: &str) -> Submitted
//!           list::list(cx, &RequestFilter) -> Page<RequestRow>
//!           list::csv(cx, &RequestFilter) -> Vec<RequestRow>               at most 10 000 rows
//!           detail::detail(cx, &RequestId) -> RequestDetail
//! approval::todos(cx, after: Option<&str>, limit: i64) -> Page<TodoRow>
//!           todo_count(cx) -> i64
//!           done(cx, after: Option<&str>, limit: i64) -> Page<DoneRow>
//!           next_todo(cx, after: Option<&StepId>) -> Option<StepId>
//!           card(cx, &StepId) -> CardView                    marks the step as seen
//!           decide(cx, &StepId, Decision, opinion: &str, digest: &str) -> DecideAnswer
//! system::  list(cx) -> Vec<SystemRow>                       of the own unit
//!           get(cx, &SystemId) -> SystemRow
//!           create(cx, &SystemForm) -> SystemId
//!           edit(cx, &SystemId, version, &SystemForm) -> ()
//! ```
//!
//! Over quota answers
//! [`QuotaExceeded`](crate::error::ServiceError::QuotaExceeded) with an
//! [`OverQuota`](lingbao_model::view::request::OverQuota) as JSON. Two who decide at one instant:
//! the second one gets [`Conflict`](crate::error::ServiceError::Conflict) with
//! `approval.taken {who, when, decision}`.
