//! Taking in: all rows in one transaction, or none.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use futures::{StreamExt, stream};
use lingbao_backends::provisioning::{ExternalId, Kind, Object, ReadError};
use lingbao_model::{
    id::{ImportId, RequestId, ResourceId, SystemId, UnitId, VdcId},
    money::Money,
    msg::{FieldError, Msg},
    people::Role,
    quota::Demand,
    request::{Kind as RequestKind, MAX_LINES, Outcome as Ended, Status, number},
    resource::EventKind,
    view::{
        difference::{Closing, ThingKind},
        import::{ImportRow, Imported, MOST_TAKEN},
        request::LineView,
    },
};
use serde_json::json;

use super::{
    at_most, operator,
    plan::{self, Key, Outcome, Planned},
};
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::Access,
    error::{OrNotFound, ServiceError},
    fulfil::reconcile::compare,
    service::{
        notice,
        refusal::traced,
        request::snapshot::{self, Shown, Snapshot},
    },
    storage::{
        Tx, calendar, change, difference, fulfilment, history, import, project, quota,
        request::{self as requests, Request},
        request_line,
        resource::{self, New},
        resource_action, saga, system, unit as units,
    },
};

/// So many things are looked at anew at a time.
const AT_ONCE: usize = 16;
/// How long an operator waits for the clouds' answers.
const PATIENCE: Duration = Duration::from_secs(20);
/// Projects in which clouds keep themselves; no unit's things stand there.
const THE_CLOUDS_OWN: [&str; 2] = ["admin", "service"];
/// So many messages are given back.
const MOST_MESSAGES: usize = 50;

/// Takes things of the clouds in as resources: each is looked at anew first, and either all of them
/// become the portal's or none. A form that was sent before answers with what came of it.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators; [`ServiceError::Invalid`] with what stands
/// in the way, row by row (`rows[3].unit`); [`ServiceError::Conflict`] if a cloud does not answer.
pub async fn take(cx: &Cx, rows: &[ImportRow], form: &str) -> Result<Imported, ServiceError> {
    let done = take_once(cx, rows, form).await;
    traced(cx, done, || Event::new("import.take", "import", "new")).await
}

async fn take_once(cx: &Cx, rows: &[ImportRow], form: &str) -> Result<Imported, ServiceError> {
    if !form.is_empty() && (!(8..=64).contains(&form.len()) || !form.is_ascii()) {
        return Err(ServiceError::invalid("form_id", Msg::new("error.form_id")));
    }
    let form = Some(form).filter(|form| !form.is_empty());
    let seen = first_look(cx, rows, form).await?;
    let (things, keys) = match seen {
        FirstLook::Before(done) => return Ok(done),
        FirstLook::Planned(things, keys) => (things, keys),
    };
    // What the clouds are asked about is taken, whatever is called so by then.
    let meant = rows.iter().zip(&things).map(|(row, (key, _))| ImportRow {
        external_id: key.1.clone(),
        ..row.clone()
    });
    let rows: Vec<ImportRow> = meant.collect();
    let said = said(cx, things).await?;
    let projects = projects(cx, keys.projects).await?;

    let mut tx = cx.db().begin().await?;
    let access = operator(&mut tx, cx).await?;
    let id: ImportId = cx.id();
    let nothing = (0, Money::ZERO);
    if !import::insert(&mut tx, &id, form, &access.user, nothing, cx.now()).await? {
        let (batch, count) = import::of_form(&mut tx, form.unwrap_or_default(), &access.user)
            .await?
            .or_not_found()?;
        return Ok(Imported {
            batch,
            count,
            again: true,
        });
    }
    // In one order: two that take in wait for each other, and rounds for both.
    for cloud in &keys.clouds {
        difference::hold_rounds(&mut tx, cloud).await?;
    }
    for vdc in &keys.vdcs {
        project::lock(&mut tx, vdc).await?;
    }
    for host in &keys.hosts {
        resource_action::lock(&mut tx, host).await?;
    }
    let mut ground = plan::load(&mut tx, cx, &rows).await?;
    ground.refresh(&said);
    let planned = whole(&rows, ground.plan(cx, &rows))?;
    let batch = Batch {
        id: &id,
        access: &access,
    };
    let done = batch.write(&mut tx, cx, planned, &projects).await?;
    tx.commit().await?;
    Ok(done)
}

/// Which locks and which answers the rows need.
#[derive(Default)]
struct Keys {
    clouds: BTreeSet<String>,
    vdcs: BTreeSet<VdcId>,
    /// On which something hangs that is taken in.
    hosts: BTreeSet<ResourceId>,
    projects: BTreeSet<Key>,
}

enum FirstLook {
    /// The same form had been sent.
    Before(Imported),
    /// The things, and what is needed for them.
    Planned(Vec<(Key, ThingKind)>, Keys),
}

/// Whether the rows can be taken in as far as the portal knows, before anybody else is asked.
async fn first_look(
    cx: &Cx,
    rows: &[ImportRow],
    form: Option<&str>,
) -> Result<FirstLook, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = operator(&mut rx, cx).await?;
    if let Some(form) = form
        && let Some((batch, count)) = import::of_form(&mut rx, form, &access.user).await?
    {
        return Ok(FirstLook::Before(Imported {
            batch,
            count,
            again: true,
        }));
    }
    if rows.is_empty() {
        return Err(ServiceError::invalid("rows", Msg::new("import.nothing")));
    }
    at_most(rows.len(), MOST_TAKEN)?;
    let mut ground = plan::load(&mut rx, cx, rows).await?;
    let planned = whole(rows, ground.plan(cx, rows))?;
    let mut keys = Keys::default();
    let mut things = Vec::with_capacity(planned.len());
    for one in planned {
        let key = one.key();
        if let Some(project) = one.view.project {
            keys.projects.insert((key.0.clone(), project));
        }
        keys.clouds.insert(key.0.clone());
        keys.vdcs.insert(one.vdc);
        keys.hosts.extend(one.host);
        things.push((key, one.thing.row.thing));
    }
    Ok(FirstLook::Planned(things, keys))
}

/// All rows, or what stands in the way of some.
fn whole(rows: &[ImportRow], outcomes: Vec<Outcome>) -> Result<Vec<Planned>, ServiceError> {
    let mut errors = Vec::new();
    let mut planned = Vec::with_capacity(rows.len());
    for (at, (row, outcome)) in rows.iter().zip(outcomes).enumerate() {
        for error in outcome.errors {
            let msg = Msg::new("import.in_row")
                .with("line", row.line)
                .with("why", error.msg);
            let field = format!("rows[{at}].{}", error.field);
            errors.push(FieldError::new(field, msg));
        }
        planned.extend(outcome.planned);
    }
    if errors.is_empty() {
        return Ok(planned);
    }
    errors.truncate(MOST_MESSAGES);
    Err(ServiceError::Invalid(errors))
}

fn away() -> ServiceError {
    ServiceError::Conflict(Msg::new("resource.cloud_away"))
}

/// What the clouds say of these things now; the list may be old.
async fn said(
    cx: &Cx,
    things: Vec<(Key, ThingKind)>,
) -> Result<HashMap<Key, Option<Object>>, ServiceError> {
    let asked = stream::iter(things).map(|(key, thing)| async move {
        let cloud = cx.app.backends.get_or_absent(&key.0);
        let id = ExternalId(key.1.clone());
        (key, cloud.get(compare::kind_of_thing(thing), &id).await)
    });
    let answers = asked.buffer_unordered(AT_ONCE).collect::<Vec<_>>();
    let answers = tokio::time::timeout(PATIENCE, answers)
        .await
        .map_err(|_| away())?;
    let said = |(key, answer): (Key, Result<Option<Object>, ReadError>)| match answer {
        Ok(object) => Ok((key, object)),
        Err(_) => Err(away()),
    };
    answers.into_iter().map(said).collect()
}

/// Under which keys the clouds find these projects.
async fn projects(cx: &Cx, wanted: BTreeSet<Key>) -> Result<HashMap<Key, String>, ServiceError> {
    let mut found = HashMap::new();
    for key in wanted {
        let cloud = cx.app.backends.get_or_absent(&key.0);
        let id = ExternalId(key.1.clone());
        let asked = cloud.get(Kind::Project, &id);
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        let project = answer.map_err(|_| away())?.map_err(|_| away())?;
        let refused = |why: &'static str, project: &str| {
            Err(ServiceError::Conflict(
                Msg::new(why).with("project", project),
            ))
        };
        let Some(project) = project.and_then(Object::into_project) else {
            return refused("import.project_gone", &key.1);
        };
        let name = project.spec.key;
        // Whoever ensures it finds it by its key; without one it would be made a second time.
        if name.is_empty() {
            return refused("import.project_apart", &key.1);
        }
        if THE_CLOUDS_OWN.contains(&name.to_ascii_lowercase().as_str()) {
            return refused("import.project_reserved", &name);
        }
        found.insert(key, name);
    }
    Ok(found)
}

/// What is written for one unit and system.
struct Order<'a> {
    unit: &'a UnitId,
    vdc: &'a VdcId,
    system: &'a SystemId,
    system_name: &'a str,
}

struct Batch<'a> {
    id: &'a ImportId,
    access: &'a Access,
}

impl Batch<'_> {
    async fn write(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        planned: Vec<Planned>,
        projects: &HashMap<Key, String>,
    ) -> Result<Imported, ServiceError> {
        self.adopt(tx, &planned, projects).await?;
        let count = i64::try_from(planned.len()).unwrap_or(i64::MAX);
        let month: Money = planned.iter().map(|one| one.view.month).sum();
        import::count(tx, self.id, count, month).await?;
        // In the order in which everybody locks quotas: by VDC.
        let mut groups: BTreeMap<(VdcId, SystemId), Vec<Planned>> = BTreeMap::new();
        for one in planned {
            let key = (one.vdc.clone(), one.system.clone());
            groups.entry(key).or_default().push(one);
        }
        let mut told: BTreeMap<UnitId, (i64, Vec<RequestId>)> = BTreeMap::new();
        for ((vdc, system), things) in &mut groups {
            // A host is written down before what hangs on it; both are of one system.
            things.sort_by_key(|one| one.host.is_some());
            for some in things.chunks(MAX_LINES) {
                let Some(first) = some.first() else { continue };
                let order = Order {
                    unit: &first.unit,
                    vdc,
                    system,
                    system_name: &first.system_name,
                };
                let request = self.order(tx, cx, &order, some).await?;
                let (n, requests) = told.entry(first.unit.clone()).or_default();
                *n += i64::try_from(some.len()).unwrap_or(0);
                requests.push(request);
            }
        }
        for (unit, (n, requests)) in told {
            let link = match requests.as_slice() {
                [only] => format!("/requests/{only}"),
                _ => "/requests".to_owned(),
            };
            let msg = Msg::new("notice.taken_in").with("count", n);
            notice::send_to_role(tx, cx, Role::DeptLeader, &unit, &msg, &link).await?;
            change::touch(tx, cx, &format!("unit:{unit}")).await?;
        }
        change::touch(tx, cx, "clouds").await?;
        let event = Event::new("import.take", "import", self.id)
            .detail(json!({ "count": count, "month": month }));
        audit::record(tx, cx, event).await?;
        Ok(Imported {
            batch: self.id.clone(),
            count,
            again: false,
        })
    }

    /// Projects that become units' projects.
    async fn adopt(
        &self,
        tx: &mut Tx,
        planned: &[Planned],
        keys: &HashMap<Key, String>,
    ) -> Result<(), ServiceError> {
        let mut done: BTreeSet<Key> = BTreeSet::new();
        for one in planned {
            let Some(project) = &one.view.project else {
                continue;
            };
            let backend = &one.thing.row.backend;
            let key = (backend.clone(), project.clone());
            if !done.insert(key.clone()) {
                continue;
            }
            let moved = || ServiceError::Conflict(Msg::new("import.moved"));
            let name = keys.get(&key).ok_or_else(moved)?;
            if !project::adopt(tx, &one.vdc, backend, project, name).await? {
                return Err(moved());
            }
            import::add_project(tx, self.id, &one.vdc, backend, project).await?;
        }
        Ok(())
    }

    /// The request that stands for the order of some things, closed from the beginning, with its
    /// resources.
    async fn order(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        order: &Order<'_>,
        things: &[Planned],
    ) -> Result<RequestId, ServiceError> {
        let mut request = self.request(cx, order, things);
        requests::insert(tx, &request).await?;
        let mut views = Vec::with_capacity(things.len());
        let mut demand = Demand::new();
        for (position, one) in (1_i64..).zip(things) {
            let mut line = one.line.clone();
            line.position = position;
            request_line::put(tx, &request.id, &line).await?;
            for (pool, amounts) in one.demand() {
                demand.entry(pool).or_default().add_all(&amounts);
            }
            views.push(LineView {
                facts: one.view.facts.clone(),
                zone_name: Some(one.view.zone_name.clone()),
                pool_name: Some(one.view.pool_name.clone()),
                attached_to: None,
                outdated: None,
                line,
            });
        }
        // Held and used in one transaction, by the operations of an order.
        let booking = quota::Booking {
            operation: format!("hold:{}:1", request.id),
            vdc: order.vdc.clone(),
            request: Some(request.id.clone()),
            demand,
        };
        if !quota::hold(tx, cx, &booking).await?.is_empty() {
            // Somebody was faster since the rows were held beside the account.
            return Err(ServiceError::Conflict(Msg::new("import.moved")));
        }
        for one in things {
            self.resource(tx, cx, order, &request.id, one).await?;
        }
        self.keep(tx, cx, order, &mut request, views).await?;
        Ok(request.id)
    }

    fn request(&self, cx: &Cx, order: &Order<'_>, things: &[Planned]) -> Request {
        let first = things.first().map(|one| one.view.name.clone());
        let first = first.unwrap_or_default();
        // A title that reads the same in both languages: `web-01 +2`.
        let title = match things.len() {
            0 | 1 => first,
            n => format!("{first} +{}", n - 1),
        };
        let from: BTreeSet<String> = things
            .iter()
            .map(|one| format!("{}: {}", one.thing.row.backend, one.thing.row.project))
            .collect();
        let now = Some(cx.now());
        Request {
            id: cx.id(),
            number: None,
            kind: RequestKind::Import,
            status: Status::Closed,
            outcome: Some(Ended::Complete),
            unit: order.unit.clone(),
            vdc: order.vdc.clone(),
            applicant: self.access.user.clone(),
            system: Some(order.system.clone()),
            title,
            reason: from.into_iter().collect::<Vec<_>>().join(", "),
            with_quota_change: false,
            month: things.iter().map(|one| one.view.month).sum(),
            once: Money::ZERO,
            revision: 1,
            digest: String::new(),
            facts: None,
            policy: None,
            stage: None,
            return_stage: None,
            due_at: None,
            sort_at: cx.now(),
            created_at: cx.now(),
            submitted_at: now,
            approved_at: now,
            settled_at: now,
            closed_at: now,
            version: 1,
        }
    }

    /// One thing becomes a resource: charged from now on, because there is nothing to try.
    async fn resource(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        order: &Order<'_>,
        request: &RequestId,
        one: &Planned,
    ) -> Result<(), ServiceError> {
        let (id, thing, now) = (&one.resource, &one.thing.row, cx.now());
        let by = Some(&self.access.user);
        // Somebody has said to delete it: it may be gone before this is over.
        if saga::stands_for(tx, thing.id.as_str()).await? {
            return Err(ServiceError::Conflict(Msg::new("difference.removing")));
        }
        if !difference::close(tx, &thing.id, Closing::Adopted, by, now).await? {
            return Err(ServiceError::Conflict(Msg::new("import.moved")));
        }
        import::forget_released(tx, &thing.backend, &thing.external_id).await?;
        let new = New {
            id,
            unit: order.unit,
            vdc: order.vdc,
            system: order.system,
            request,
            item: &one.line.id,
            piece: 0,
            code: &one.line.code,
            item_version: one.line.version.as_str(),
            kind: one.line.kind,
            name: &one.line.name,
            placement: Some(&one.place),
            backend: Some(&thing.backend),
            external_id: Some(&thing.external_id),
            address: thing.address.as_deref(),
            attached_to: one.host.as_ref(),
            answers: &one.line.answers,
            amounts: &one.amounts,
            month: one.view.month,
            price_version: one.line.price_version,
            delivered_at: now,
            expires_at: one.expires_at,
        };
        resource::insert(tx, &cx.id(), &new).await?;
        // An address has no name in the cloud.
        let named = thing.thing != ThingKind::Address;
        let there = Some(thing.name.as_str()).filter(|name| named && *name != one.line.name);
        import::begin(tx, id, one.view.state, there, now).await?;
        for kind in [EventKind::TakenIn, EventKind::BillingStarted] {
            let by = self.access.user.as_str();
            resource::add_event(tx, &cx.id(), id, kind, by, now).await?;
        }
        fulfilment::insert_delivered(tx, request, &one.line.id, id, now).await?;
        let booking = quota::Booking {
            operation: format!("convert:{}:0", one.line.id),
            vdc: order.vdc.clone(),
            request: Some(request.clone()),
            demand: one.demand(),
        };
        quota::convert(tx, cx, &booking, id).await?;
        import::add_thing(tx, self.id, id, &thing.id, &thing.external_id).await?;
        Ok(())
    }

    /// What readers of the request find: its lines, its number, where it came from.
    async fn keep(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        order: &Order<'_>,
        request: &mut Request,
        lines: Vec<LineView>,
    ) -> Result<(), ServiceError> {
        let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
        let names: Vec<String> = lines.iter().map(|view| view.line.name.clone()).collect();
        let unit = units::name(tx, order.unit).await?.unwrap_or_default();
        let system = system::of_request(tx, request).await?;
        let shown = Shown::of(
            request,
            &unit,
            &self.access.name,
            system.as_ref(),
            lines,
            Vec::new(),
        );
        let snapshot = Snapshot {
            shown,
            verdict: None,
        };
        snapshot::keep(tx, cx, request, &snapshot).await?;
        let msg = Msg::new("request.history.taken_in").with("count", count);
        history::add(tx, cx, &request.id, &msg).await?;
        // The counter of the day is locked from here on: as late as possible.
        let day = calendar::load(tx).await?.zone.date(cx.now());
        let n = requests::next_number(tx, day).await?;
        request.number = Some(number(&cx.app.site, day, n));
        requests::save(tx, request).await?;
        requests::index(tx, request, order.system_name).await?;
        change::touch(tx, cx, &format!("request:{}", request.id)).await?;
        let event = Event::new("import.take", "request", &request.id)
            .of_unit(order.unit)
            .detail(json!({ "batch": self.id, "number": request.number, "things": names }));
        Ok(audit::record(tx, cx, event).await?)
    }
}
