//! Giving resources back: a request of its own kind, submitted at once.

use std::collections::BTreeSet;

use lingbao_model::{
    id::{RequestId, ResourceId},
    money::Money,
    msg::{FieldError, Msg},
    policy::Facts,
    request::{Event, Kind, StepStatus},
    resource::ServiceState,
    text,
    view::request::{ReleaseLine, ReturnedRelease, Submitted},
};
use serde_json::json;

use super::{
    advance, detail, expect_version,
    ground::{self, Ground},
    own, person_name,
    resubmit::back_to_stage,
    snapshot::{self, Shown, Snapshot},
    submit::{answer, send_on, sent_before, take_number},
    touch,
};
use crate::{
    app::Cx,
    audit::{self, Event as AuditEvent},
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    service::refusal::traced,
    storage::{
        Tx, bin, history,
        request::{self as requests, Request},
        request_change,
        resource::{self, Resource},
        resource_action, step, system, unit as units,
    },
};

/// Most resources that one request gives back.
const MOST: usize = 100;

/// How many days what is given back now lies in the recycle bin, unless it is to be erased at once.
#[must_use]
pub fn keep_days(cx: &Cx) -> i64 {
    cx.app.keep_days
}

/// Asks for the release of resources of one unit. They go into the recycle bin, or, `at_once`, are
/// erased as soon as everybody has agreed.
///
/// # Errors
/// [`ServiceError::NotFound`] for a resource out of sight, [`ServiceError::Forbidden`],
/// [`ServiceError::Invalid`] on `resources` and `reason`, [`ServiceError::Conflict`] for a resource
/// that is being given back already.
pub async fn create(
    cx: &Cx,
    ids: &[ResourceId],
    reason: &str,
    at_once: bool,
    form: &str,
) -> Result<Submitted, ServiceError> {
    let result = create_once(cx, ids, reason, at_once, form).await;
    let subject = ids.first().map_or("-".to_owned(), ToString::to_string);
    traced(cx, result, || {
        AuditEvent::new("request.release", "resource", subject)
    })
    .await
}

async fn create_once(
    cx: &Cx,
    ids: &[ResourceId],
    reason: &str,
    at_once: bool,
    form: &str,
) -> Result<Submitted, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let id: RequestId = cx.id();
    if let Some(answer) = sent_before(&mut tx, cx, &access, &id, form).await? {
        return Ok(answer);
    }
    let resources = load(&mut tx, &access, ids).await?;
    let reason = text::paragraph("reason", reason, 2, usize::from(text::REASON_MAX))
        .map_err(|e| ServiceError::Invalid(vec![e]))?;
    let Some(first) = resources.first() else {
        return Err(ServiceError::invalid(
            "resources",
            Msg::new("error.required"),
        ));
    };
    let mut request = blank(cx, &access, id, first, &resources, reason);
    requests::insert(&mut tx, &request).await?;
    for resource in &resources {
        requests::add_release(&mut tx, &request.id, &resource.id).await?;
    }
    // What is agreed to is kept: another configuration tomorrow does not reach it.
    let days = if at_once { 0 } else { keep_days(cx) };
    bin::set_terms(&mut tx, &request.id, days).await?;
    advance(&mut request, Event::Submit)?;
    request.revision = 1;
    take_number(&mut tx, cx, &mut request).await?;
    request.submitted_at = Some(cx.now());
    let (unit, vdc) = (&request.unit, &request.vdc);
    let ground = ground::load(&mut tx, unit, vdc, Kind::Release).await?;
    request.facts = Some(facts(&ground, &resources));
    request.policy = Some(ground.policy.clone());
    let snapshot = snapshot_of(&mut tx, &request, &resources).await?;
    snapshot::keep(&mut tx, cx, &mut request, &snapshot).await?;
    let count = i64::try_from(resources.len()).unwrap_or(i64::MAX);
    let submitted = Msg::new("request.history.release_submitted").with("count", count);
    history::add(&mut tx, cx, &request.id, &submitted).await?;
    let facts = request.facts.as_ref();
    let route = facts
        .map(|f| ground.around.policy.route(f))
        .unwrap_or_default();
    send_on(
        &mut tx,
        cx,
        &mut request,
        ground.around.has_upper,
        &route,
        &[],
    )
    .await?;
    requests::index(&mut tx, &request, &snapshot.shown.system_name).await?;
    touch(&mut tx, cx, &request).await?;
    let event = AuditEvent::new("request.release", "request", &request.id)
        .of_unit(&request.unit)
        .detail(json!({ "number": request.number, "resources": ids, "keep_days": days }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(answer(&request, false))
}

/// A returned release of the caller's own, as its supplement begins.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Conflict`] for what is no
/// release or was not returned.
pub async fn returned(cx: &Cx, id: &RequestId) -> Result<ReturnedRelease, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let request = own(&mut rx, &access, id).await?;
    if request.kind != Kind::Release {
        return Err(ServiceError::Conflict(Msg::new("release.not_one")));
    }
    advance(&mut request.clone(), Event::Resubmit)?;
    let steps = step::of_request(&mut rx, id).await?;
    let last = steps
        .iter()
        .filter(|s| s.status == StepStatus::Returned)
        .max_by_key(|s| s.acted_at);
    Ok(ReturnedRelease {
        request: request.id,
        version: request.version,
        resources: requests::releases(&mut rx, id).await?,
        reason: request.reason,
        keep_days: bin::terms(&mut rx, id).await?.unwrap_or(0),
        asked: last.and_then(detail::opinion),
    })
}

/// Submits a returned release again, with a better reason. It goes straight to the stage that gave
/// it back: what is given back can't be changed, so nobody agreed to anything else.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Invalid`] on `reason`,
/// [`ServiceError::Conflict`].
pub async fn resubmit(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    reason: &str,
    form: &str,
) -> Result<Submitted, ServiceError> {
    let result = resubmit_once(cx, id, version, reason, form).await;
    traced(cx, result, || {
        AuditEvent::new("request.resubmit", "request", id)
    })
    .await
}

async fn resubmit_once(
    cx: &Cx,
    id: &RequestId,
    version: i64,
    reason: &str,
    form: &str,
) -> Result<Submitted, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    if let Some(answer) = sent_before(&mut tx, cx, &access, id, form).await? {
        return Ok(answer);
    }
    let mut request = own(&mut tx, &access, id).await?;
    if request.kind != Kind::Release {
        return Err(ServiceError::Conflict(Msg::new("release.not_one")));
    }
    advance(&mut request, Event::Resubmit)?;
    expect_version(&request, version)?;
    request.reason = text::paragraph("reason", reason, 2, usize::from(text::REASON_MAX))
        .map_err(|e| ServiceError::Invalid(vec![e]))?;
    request.revision += 1;
    let scope = access.scope(Ability::ReadResources);
    let mut resources = Vec::new();
    for resource in requests::releases(&mut tx, id).await? {
        resources.extend(resource::get(&mut tx, &scope, &resource).await?);
    }
    let snapshot = snapshot_of(&mut tx, &request, &resources).await?;
    snapshot::keep(&mut tx, cx, &mut request, &snapshot).await?;
    back_to_stage(&mut tx, cx, &mut request).await?;
    touch(&mut tx, cx, &request).await?;
    let event = AuditEvent::new("request.resubmit", "request", id)
        .of_unit(&request.unit)
        .detail(json!({ "revision": request.revision, "digest": request.digest }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(answer(&request, false))
}

/// Refuses more resources than one request gives back, before anything is read of them.
///
/// # Errors
/// [`ServiceError::Invalid`] on `resources`.
pub fn not_too_many(count: usize) -> Result<(), ServiceError> {
    if count <= MOST {
        return Ok(());
    }
    let max = i64::try_from(MOST).unwrap_or(i64::MAX);
    let msg = Msg::new("release.too_many").with("max", max);
    Err(ServiceError::invalid("resources", msg))
}

/// The resources, each once: seen, of one unit whose applicant the caller is, and free to go.
async fn load(
    tx: &mut Tx,
    access: &Access,
    ids: &[ResourceId],
) -> Result<Vec<Resource>, ServiceError> {
    let ids: BTreeSet<&ResourceId> = ids.iter().collect();
    let wrong = |msg| {
        Err(ServiceError::Invalid(vec![FieldError::new(
            "resources",
            msg,
        )]))
    };
    not_too_many(ids.len())?;
    let scope = access.scope(Ability::ReadResources);
    let mut resources: Vec<Resource> = Vec::with_capacity(ids.len());
    for id in ids {
        let resource = resource::get(tx, &scope, id).await?.or_not_found()?;
        access
            .require_on(tx, Ability::Order, &resource.unit)
            .await?;
        let name = resource.name.clone();
        if resources.first().is_some_and(|r| r.vdc != resource.vdc) {
            return wrong(Msg::new("release.other_unit").with("name", name));
        }
        if !matches!(
            resource.service,
            ServiceState::Running | ServiceState::Stopped
        ) {
            return Err(ServiceError::Conflict(
                Msg::new("release.not_now").with("name", name),
            ));
        }
        resource_action::lock(tx, id).await?;
        if let Some(number) = requests::release_under_way(tx, id).await? {
            return Err(ServiceError::Conflict(
                Msg::new("release.under_way")
                    .with("name", name.clone())
                    .with("number", number),
            ));
        }
        if let Some(number) = request_change::under_way(tx, id, None).await? {
            return Err(ServiceError::Conflict(
                Msg::new("release.changing")
                    .with("name", name)
                    .with("number", number),
            ));
        }
        resources.push(resource);
    }
    Ok(resources)
}

fn blank(
    cx: &Cx,
    access: &Access,
    id: RequestId,
    first: &Resource,
    resources: &[Resource],
    reason: String,
) -> Request {
    let one_system = resources.iter().all(|r| r.system == first.system);
    // A title that reads the same in both languages: `web-01 +2`.
    let title = match resources.len() {
        0 | 1 => first.name.clone(),
        n => format!("{} +{}", first.name, n - 1),
    };
    let (unit, vdc) = (first.unit.clone(), first.vdc.clone());
    Request {
        system: one_system.then(|| first.system.clone()),
        title,
        reason,
        ..Request::draft(id, Kind::Release, unit, vdc, access.user.clone(), cx.now())
    }
}

/// A release costs nothing and takes no quota; level, zone and items decide who is asked.
fn facts(ground: &Ground, resources: &[Resource]) -> Facts {
    let mut items: Vec<String> = resources.iter().map(|r| r.code.clone()).collect();
    items.sort();
    items.dedup();
    let places = || resources.iter().filter_map(|r| r.placement.as_ref());
    Facts {
        month: Money::ZERO,
        once: Money::ZERO,
        within_quota: true,
        level: places().map(|p| p.level).max(),
        internet: places().any(|p| {
            let zone = ground.around.zones.iter().find(|z| z.id == p.zone);
            zone.is_some_and(|z| z.internet)
        }),
        zones: places()
            .map(|p| p.zone.clone())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        items,
        unit_level: ground.around.unit_level,
        has_upper: ground.around.has_upper,
    }
}

/// One line for each resource.
pub(super) fn line(resource: &Resource) -> ReleaseLine {
    ReleaseLine {
        resource: resource.id.clone(),
        name: resource.name.clone(),
        code: resource.code.clone(),
        month: resource.month,
        released_at: resource.released_at,
        erase_at: resource.erase_at,
        certificate: None,
    }
}

async fn snapshot_of(
    tx: &mut Tx,
    request: &Request,
    resources: &[Resource],
) -> Result<Snapshot, ServiceError> {
    let unit = units::name(tx, &request.unit).await?.unwrap_or_default();
    let applicant = person_name(tx, &request.applicant).await?;
    let system = system::of_request(tx, request).await?;
    let releases = resources.iter().map(line).collect();
    let mut shown = Shown::of(
        request,
        &unit,
        &applicant,
        system.as_ref(),
        Vec::new(),
        releases,
    );
    shown.keep_days = bin::terms(tx, &request.id).await?;
    Ok(Snapshot {
        shown,
        verdict: None,
    })
}
