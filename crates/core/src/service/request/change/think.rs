//! A change thought through on the server: what stands, what is offered today, what was typed, and
//! what quota and policy say to it.

use lingbao_model::{
    change::{self, Plan, What},
    id::RequestId,
    msg::{FieldError, Msg},
    param::{Schema, Typed},
    quota::{Demand, Shortfall},
    request::Status,
    resource::ServiceState,
    time::Zone,
    verdict::{self, Verdict},
    view::{
        request::{ChangeLine, TriedChange},
        resource::Act,
    },
};

use super::restore;
use crate::{
    app::Cx,
    error::{ServiceError, StorageError},
    service::request::{
        detail,
        ground::{self, Ground},
        judge::without,
        route,
    },
    storage::{
        ReadTx, cloud, item,
        request::{self as requests, Request},
        request_change,
        resource::{self, Resource},
        resource_action,
    },
};

/// A change with everything by which it is judged.
#[derive(Debug, Clone)]
pub struct Thought {
    /// The resource as it stands.
    pub resource: Resource,
    /// The change.
    pub plan: Plan,
    /// The schema of the version that the resource will have.
    pub schema: Schema,
    /// What can't be read or can't be done, by field.
    pub errors: Vec<FieldError>,
    /// Where it is ordered.
    pub ground: Ground,
    /// What will become of it.
    pub verdict: Verdict,
}

/// Thinks a change through. What `own`, a returned request, still holds does not stand in its way.
///
/// # Errors
/// What the database says.
pub async fn think(
    rx: &mut ReadTx,
    cx: &Cx,
    resource: Resource,
    (what, typed): (What, &Typed),
    own: Option<&Request>,
) -> Result<Thought, ServiceError> {
    let offer = item::offer(rx, &resource.code).await?;
    let term = resource::term(rx, &resource.id).await?;
    let was = resource::stand(&resource, &term);
    let (zone, now) = (Zone::SHANGHAI, cx.now());
    let (plan, mut errors) = if what.makes_disk() && what.fits(resource.kind) {
        restore::plan(rx, &resource, (what, typed), own).await?
    } else {
        let kind = resource.kind;
        change::plan(what, kind, &was, offer.as_ref(), typed, (zone, now))
    };
    // Also while it has begun and its price not yet: a second one would wipe that price out.
    if let Some(from) = term.next_from.filter(|_| what == What::Renew) {
        let msg = Msg::new("change.renewed_already").with("day", zone.date(from));
        errors.push(FieldError::new("months", msg));
    }
    let schema = match offer.filter(|o| o.version_id == plan.will.version) {
        Some(offer) => offer.content.schema,
        None => {
            let content = item::content(rx, &plan.will.version).await?;
            content.map(|c| c.schema).unwrap_or_default()
        }
    };
    let (unit, kind) = (&resource.unit, what.judged_as());
    let mut ground = ground::load(rx, unit, &resource.vdc, kind).await?;
    if let Some(own) = own.filter(|r| r.status == Status::Returned) {
        let held = requests::held(rx, own, &resource.vdc).await?;
        without(&mut ground.around.account, &held);
    }
    let place = resource.placement.as_ref();
    let verdict = verdict::judge_change(&plan, &resource.code, place, &ground.around);
    Ok(Thought {
        resource,
        plan,
        schema,
        errors,
        ground,
        verdict,
    })
}

/// Whether a resource may be changed now: it lives, nothing is being done to it, and no other
/// request is about to change it or to give it back.
///
/// # Errors
/// [`ServiceError::Conflict`] that says what stands in the way.
pub async fn free(
    rx: &mut ReadTx,
    resource: &Resource,
    what: What,
    own: Option<&RequestId>,
) -> Result<(), ServiceError> {
    let conflict = |msg| Err(ServiceError::Conflict(msg));
    let live = matches!(
        resource.service,
        ServiceState::Running | ServiceState::Stopped
    );
    if !live {
        return conflict(resource.not_now());
    }
    if resource_action::current(rx, &resource.id).await?.is_some() {
        return conflict(Msg::new("resource.busy_now"));
    }
    let releasing = resource_action::open_release(rx, &resource.id).await?;
    if releasing.is_some() {
        return conflict(Msg::new("resource.being_released"));
    }
    if let Some(number) = request_change::under_way(rx, &resource.id, own).await? {
        let msg = Msg::new("change.under_way")
            .with("name", resource.name.clone())
            .with("number", number);
        return conflict(msg);
    }
    let in_cloud = resource.backend.is_some() && resource.external_id.is_some();
    if what != What::Renew && !in_cloud {
        return conflict(Msg::new("resource.not_in_cloud"));
    }
    let needed = match what {
        What::Resize => Some(Act::Resize),
        What::Extend => Some(Act::Extend),
        What::Plan => Some(Act::Plan),
        What::Renew => None,
        What::Restore => Some(Act::Restore),
        What::RestoreBackup => Some(Act::RestoreBackup),
    };
    if let (Some(act), Some(backend)) = (needed, &resource.backend)
        && !cloud::able(rx, backend).await?.contains(&act)
    {
        return conflict(Msg::new("resource.cloud_can_not"));
    }
    Ok(())
}

/// What keeps a resource from being changed now. It is said in the form and not instead of it: what
/// was typed outlives a colleague's snapshot.
///
/// # Errors
/// What the database says.
pub async fn in_the_way(
    rx: &mut ReadTx,
    found: &Resource,
    what: What,
    own: Option<&RequestId>,
) -> Result<Option<Msg>, ServiceError> {
    match free(rx, found, what, own).await {
        Ok(()) => Ok(None),
        Err(ServiceError::Conflict(msg)) => Ok(Some(msg)),
        Err(other) => Err(other),
    }
}

impl Thought {
    /// Of what stands in the cloud already: whether the pool makes such a size is no matter then.
    #[must_use]
    pub fn standing(mut self) -> Self {
        self.verdict
            .blocks
            .retain(|msg| msg.key != "change.no_size");
        self
    }

    /// Before and after, with the resource's name.
    #[must_use]
    pub fn line(&self) -> ChangeLine {
        ChangeLine {
            resource: self.resource.id.clone(),
            name: self.resource.name.clone(),
            code: self.resource.code.clone(),
            item_name: self.resource.item_name.clone(),
            change: self.plan.shown(&self.schema),
        }
    }

    /// What is held: what the change takes beyond what the resource takes already.
    #[must_use]
    pub fn demand(&self) -> Demand {
        let place = self.resource.placement.as_ref();
        place
            .map(|place| (place.pool.clone(), self.plan.more()))
            .into_iter()
            .collect()
    }

    /// Refuses what can't be asked for: wrong fields, everything that blocks, and, with the numbers,
    /// what does not fit into the quota.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`], [`ServiceError::QuotaExceeded`].
    pub fn require(&self) -> Result<(), ServiceError> {
        if !self.errors.is_empty() {
            return Err(ServiceError::Invalid(self.errors.clone()));
        }
        if self.verdict.passes() {
            return Ok(());
        }
        if self.verdict.shortfalls.is_empty() {
            let blocks = self.verdict.blocks.iter().cloned();
            let all = blocks.map(|msg| FieldError::new("verdict", msg));
            return Err(ServiceError::Invalid(all.collect()));
        }
        Err(self.over_quota(self.verdict.shortfalls.clone()))
    }

    /// The answer to a change that takes more than is left.
    #[must_use]
    pub fn over_quota(&self, shortfalls: Vec<Shortfall>) -> ServiceError {
        let pools = &self.ground.around.pools;
        ServiceError::over_quota("verdict.over_quota", shortfalls, pools, None)
    }

    /// What is shown before anything is asked for.
    ///
    /// # Errors
    /// What the database says.
    pub async fn tried(
        self,
        rx: &mut ReadTx,
        applicant: &lingbao_model::id::UserId,
    ) -> Result<TriedChange, StorageError> {
        let (unit, upper) = (&self.resource.unit, self.ground.around.has_upper);
        let stages = route::plan(rx, applicant, unit, upper, &self.verdict.route).await?;
        let pools = self.verdict.changes.iter().map(|c| &c.pool);
        Ok(TriedChange {
            change: self.plan.shown(&self.schema),
            pools: detail::pool_names(rx, pools).await?,
            route: route::views(&stages),
            errors: self.errors,
            verdict: self.verdict,
        })
    }
}
