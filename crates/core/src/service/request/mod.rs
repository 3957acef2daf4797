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
//!           refresh(cx, &RequestId, version) -> Vec<Msg>    lines anew by today's items and prices
//! request:: submit::submit(cx, &RequestId, version, Option<&HeadForm>, form_id: &str) -> Submitted
//!           resubmit::resubmit(cx, &RequestId, version, Option<&HeadForm>, form_id: &str) -> Submitted
//!           withdraw::withdraw(cx, &RequestId, version) -> ()
//!           confirm::confirm(cx, &RequestId, version) -> ()
//!           release::create(cx, &[ResourceId], reason: &str, at_once: bool, form_id: &str) -> Submitted
//!           release::returned(cx, &RequestId) -> ReturnedRelease
//!           release::resubmit(cx, &RequestId, version, reason: &str, form_id: &str) -> Submitted
//!           change::form(cx, &ResourceId, What, supplement: Option<&RequestId>) -> ChangeView
//!           change::try_it(cx, &ResourceId, &ChangeForm, supplement) -> TriedChange
//!           change::create(cx, &ResourceId, &ChangeForm, form_id: &str) -> Submitted
//!           change::resubmit(cx, &RequestId, version, &ChangeForm, form_id: &str) -> Submitted
//!           list::list(cx, &RequestFilter) -> Page<RequestRow>
//!           list::counts(cx, &RequestFilter) -> Vec<(Status, i64)>           under way, by state
//!           list::export(cx, &RequestFilter) -> (Vec<RequestRow>, next)     slices of a file
//!           detail::detail(cx, &RequestId) -> RequestDetail
//!           withdraw::expire_returned(cx), confirm::auto_confirm(cx) -> usize      for periodic jobs
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

mod approved;
pub mod card;
pub mod change;
pub mod confirm;
pub mod decide;
pub mod detail;
pub mod ground;
pub mod judge;
pub mod link;
pub mod list;
pub mod release;
pub mod resubmit;
pub mod route;
pub mod snapshot;
pub mod submit;
pub mod withdraw;

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use lingbao_model::{
    id::{RequestId, UserId},
    msg::Msg,
    request::{Event, StepStatus},
};

pub use approved::approved;

use crate::{
    app::Cx,
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError, StorageError},
    service::notice,
    storage::{
        ReadTx, Tx, change as topics,
        request::{self as requests, Request},
        step::{self, Sight, Step},
    },
};

/// How far a person sees requests.
#[must_use]
pub fn sight(access: &Access) -> Sight {
    Sight {
        read: access.scope(Ability::ReadRequests),
        decide: Ability::Decide
            .roles()
            .iter()
            .filter(|role| access.holds(**role))
            .map(|role| (*role, access.scope_of_role(*role)))
            .collect(),
    }
}

/// A request of the caller's own, of which they are still an applicant.
async fn own(rx: &mut ReadTx, access: &Access, id: &RequestId) -> Result<Request, ServiceError> {
    let request = requests::of_applicant(rx, &access.user, id)
        .await?
        .or_not_found()?;
    access.require_on(rx, Ability::Order, &request.unit).await?;
    Ok(request)
}

/// Refuses a request that was changed since the caller saw it.
fn expect_version(request: &Request, version: i64) -> Result<(), ServiceError> {
    if request.version == version {
        Ok(())
    } else {
        Err(ServiceError::Conflict(Msg::new("error.stale")))
    }
}

/// Moves the request along its machine.
fn advance(request: &mut Request, event: Event) -> Result<(), ServiceError> {
    request.status = request
        .status
        .after(event)
        .map_err(|e| ServiceError::Conflict(e.msg()))?;
    Ok(())
}

/// Steps that nobody needs any more, and the notices that asked for them.
async fn void_steps(tx: &mut Tx, cx: &Cx, steps: &mut [Step]) -> Result<(), StorageError> {
    let mut asked = Vec::new();
    for step in steps
        .iter_mut()
        .filter(|s| matches!(s.status, StepStatus::Open | StepStatus::Planned))
    {
        if step.status == StepStatus::Open {
            asked.push(link::card(&step.id));
        }
        step.status = StepStatus::Void;
        step::save(tx, step).await?;
    }
    notice::settle(tx, cx, &asked).await
}

/// Tells open pages that a request changed.
async fn touch(tx: &mut Tx, cx: &Cx, request: &Request) -> Result<(), StorageError> {
    topics::touch(tx, cx, &format!("request:{}", request.id)).await?;
    topics::touch(tx, cx, &format!("unit:{}", request.unit)).await
}

/// Name of a person, for papers and snapshots.
async fn person_name(rx: &mut ReadTx, user: &UserId) -> Result<String, StorageError> {
    Ok(crate::storage::access::person(rx, user)
        .await?
        .map(|p| p.name)
        .unwrap_or_default())
}
