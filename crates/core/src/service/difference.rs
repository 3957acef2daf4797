//! Where the portal and the clouds differ, for operators: what there is, and what is done about it.
//!
//! The rounds themselves stand in [`crate::fulfil::reconcile`].

mod adopt;
mod follow;
mod networks;
mod remove;
mod snapshots;

pub use adopt::adopt;
pub use follow::follow;
pub use remove::remove;
pub use snapshots::keep;

use std::time::Duration;

use lingbao_backends::provisioning::{ExternalId, Object, Power, VolumeState};
use lingbao_model::{
    id::DifferenceId,
    msg::Msg,
    people::Role,
    resource::{EventKind, ServiceState},
    text,
    view::bin::ErasureMethod,
    view::difference::{
        Act, Adoption, Closing, DifferenceDetail, DifferenceFilter, DifferenceKind, DifferenceRow,
        DifferencesView, ThingKind,
    },
};
use serde_json::{Value, json};

use self::follow::{followed, followed_rules, known_otherwise, rules_apart};
use super::{notice, refusal::traced};
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    fulfil::{
        access_rule,
        certificate::{self, How},
        reconcile::{CompareClouds, begin, compare},
    },
    jobs,
    storage::{
        ReadTx, Tx, bin, change, cloud, difference, operation, quota, request_change,
        resource::{self, Resource},
        resource_action, saga, snapshot,
    },
};

/// Rows of one slice of the file.
const SLICE: i64 = 500;
/// How long an operator waits for the cloud's answer.
const PATIENCE: Duration = Duration::from_secs(15);

async fn operator(rx: &mut ReadTx, cx: &Cx) -> Result<Access, ServiceError> {
    let access = Access::load(rx, cx).await?;
    access.require(Ability::Operate)?;
    Ok(access)
}

// ---- reading

/// One page of differences with the counts of all.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators.
pub async fn list(cx: &Cx, filter: &DifferenceFilter) -> Result<DifferencesView, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    Ok(DifferencesView {
        page: difference::list(&mut rx, filter).await?,
        counts: difference::counts(&mut rx).await?,
        rounds: difference::rounds(&mut rx).await?,
        stuck_tasks: operation::counts(&mut rx).await?.stuck,
    })
}

/// The next rows of an export and where it goes on.
///
/// # Errors
/// As [`list`].
pub async fn export(
    cx: &Cx,
    filter: &DifferenceFilter,
) -> Result<(Vec<DifferenceRow>, Option<String>), ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    Ok(difference::slice(&mut rx, filter, SLICE).await?)
}

/// One difference with what can be done about it.
///
/// # Errors
/// [`ServiceError::NotFound`] if there is none.
pub async fn detail(cx: &Cx, id: &DifferenceId) -> Result<DifferenceDetail, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = operator(&mut rx, cx).await?;
    let row = difference::get(&mut rx, id).await?.or_not_found()?;
    let (silent, answered_at) = cloud::silence(&mut rx, &row.backend).await?;
    let (mut busy, mut attachments) = (None, Vec::new());
    let standing = Standing::read(&mut rx, cx, &access, &row).await?;
    let removing = saga::stands_for(&mut rx, row.id.as_str()).await?;
    // Of a double nothing is known but what the cloud says.
    let of = row.resource.as_ref();
    if let Some(resource) = of.filter(|_| row.kind != DifferenceKind::Double) {
        busy = resource_action::current(&mut rx, resource).await?;
        attachments = resource::attachments(&mut rx, resource).await?;
    }
    Ok(DifferenceDetail {
        may: acts(&row, busy.is_some() || removing, &standing),
        hindrance: standing.hindrance.filter(|_| row.closed_at.is_none()),
        adoption: standing.adoption,
        busy: busy
            .map(|kind| Msg::new(format!("resource.busy.{kind}")))
            .or_else(|| removing.then(|| under_way(&row))),
        attachments,
        silent,
        answered_at,
        row,
    })
}

/// What is being done to a thing that is no resource.
fn under_way(row: &DifferenceRow) -> Msg {
    Msg::new(match row.thing {
        ThingKind::Network => "difference.relaying",
        _ => "difference.removing",
    })
}

/// What about the resource limits what can be done.
struct Standing {
    /// Whether it lies in the recycle bin: there nothing is running.
    lies: bool,
    /// Why what is lost can't be built anew now.
    hindrance: Option<Msg>,
    /// What taking the cloud's size over would come to.
    adoption: Option<Adoption>,
}

impl Standing {
    async fn read(
        rx: &mut ReadTx,
        cx: &Cx,
        access: &Access,
        row: &DifferenceRow,
    ) -> Result<Self, ServiceError> {
        let lies = match &row.resource {
            Some(resource) => bin::holds(rx, resource).await?,
            None => false,
        };
        let scope = access.scope(Ability::ReadResources);
        let hindrance = begin::hindrance(rx, &scope, row).await?;
        let adoption = adopt::adoption(rx, cx, &scope, row).await?;
        Ok(Self {
            lies,
            hindrance,
            adoption,
        })
    }

    /// Why an act is none that can be done.
    fn refusal(self, act: Act) -> Msg {
        let hindrance = self.hindrance.filter(|_| act == Act::Restore);
        hindrance.unwrap_or_else(|| {
            Msg::new(if self.lies {
                "difference.in_bin"
            } else {
                "difference.not_this"
            })
        })
    }
}

/// What can be done now.
fn acts(row: &DifferenceRow, busy: bool, standing: &Standing) -> Vec<Act> {
    if row.closed_at.is_some() {
        return Vec::new();
    }
    let may = |act: &&Act| match act {
        Act::Restore => !busy && begin::can_mend(row) && standing.hindrance.is_none(),
        Act::Follow | Act::FollowPower => {
            let changed = row.kind == DifferenceKind::Changed;
            let power = followed(row).is_some() && !standing.lies;
            let rules = followed_rules(row).is_some() && !standing.lies;
            let can = if **act == Act::Follow {
                power || rules || known_otherwise(row)
            } else {
                power && rules
            };
            !busy && changed && can
        }
        Act::Adopt => {
            let free = |it: &Adoption| it.against.is_empty();
            let size = standing.adoption.as_ref().is_some_and(free);
            !busy && (size || (snapshots::of_our_disk(row) && !standing.lies))
        }
        Act::WriteOff => {
            let lost = matches!(row.kind, DifferenceKind::Missing | DifferenceKind::Stuck);
            // A network that lacks a part is there, and its unit needs it.
            !busy && lost && row.thing != ThingKind::Network
        }
        Act::Remove => !busy && removable(row),
        // A lost machine is nothing to get used to.
        Act::Note => row.kind != DifferenceKind::Missing,
    };
    Act::ALL.iter().filter(may).copied().collect()
}

/// Whether it may be deleted in the cloud: nobody's disk, address or snapshot, or any double. A host of
/// others is taken in, or deleted by who made it.
fn removable(row: &DifferenceRow) -> bool {
    let kind = match row.kind {
        DifferenceKind::Double => true,
        DifferenceKind::Foreign => matches!(
            row.thing,
            ThingKind::Volume | ThingKind::Address | ThingKind::Snapshot
        ),
        DifferenceKind::Missing | DifferenceKind::Changed | DifferenceKind::Stuck => false,
    };
    kind && !row.hangs()
}

// ---- acting

/// A transaction of an operator over a difference that stands.
struct Opened {
    tx: Tx,
    access: Access,
    row: DifferenceRow,
}

fn stale() -> ServiceError {
    ServiceError::Conflict(Msg::new("error.stale"))
}

/// Opens a difference for an act. What is decided upon what both sides say names the digest that was
/// read: a round may have written another word into the same row since.
async fn open(
    cx: &Cx,
    id: &DifferenceId,
    act: Act,
    read: Option<&str>,
) -> Result<Opened, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = operator(&mut tx, cx).await?;
    let row = difference::get(&mut tx, id).await?.or_not_found()?;
    if row.closed_at.is_some() {
        return Err(ServiceError::Conflict(Msg::new("difference.over")));
    }
    let standing = Standing::read(&mut tx, cx, &access, &row).await?;
    // What stands against taking a size over is told by who does, with its numbers.
    let can = if act == Act::Adopt {
        standing.adoption.is_some() || (snapshots::of_our_disk(&row) && !standing.lies)
    } else {
        acts(&row, false, &standing).contains(&act)
    };
    if !can {
        let used = act == Act::Remove && row.hangs();
        return Err(ServiceError::Conflict(if used {
            Msg::new("difference.hangs")
        } else {
            standing.refusal(act)
        }));
    }
    if read.is_some_and(|digest| digest != row.digest) {
        return Err(stale());
    }
    Ok(Opened { tx, access, row })
}

impl Opened {
    /// Nobody else may be at work on it: not a saga that deletes it or makes it whole, and nobody who
    /// takes it in at this moment.
    async fn alone(&mut self) -> Result<(), ServiceError> {
        difference::hold_rounds(&mut self.tx, &self.row.backend).await?;
        let row = difference::get(&mut self.tx, &self.row.id)
            .await?
            .or_not_found()?;
        if row.closed_at.is_some() {
            return Err(ServiceError::Conflict(Msg::new("difference.over")));
        }
        if saga::stands_for(&mut self.tx, row.id.as_str()).await? {
            return Err(ServiceError::Conflict(under_way(&row)));
        }
        Ok(())
    }

    /// The resource, which nothing else may be working on.
    async fn resource(&mut self) -> Result<Resource, ServiceError> {
        let found = self.standing_resource().await?;
        // Built anew or changed since the round saw it.
        if found.external_id.as_deref() != Some(&self.row.external_id) {
            return Err(ServiceError::Conflict(Msg::new("difference.over")));
        }
        Ok(found)
    }

    /// The resource that it is about; of a snapshot its disk.
    async fn standing_resource(&mut self) -> Result<Resource, ServiceError> {
        let id = self.row.resource.clone().or_not_found()?;
        let scope = self.access.scope(Ability::ReadResources);
        resource_action::lock(&mut self.tx, &id).await?;
        let found = resource::get(&mut self.tx, &scope, &id)
            .await?
            .or_not_found()?;
        if found.service == ServiceState::Released {
            return Err(ServiceError::Conflict(Msg::new("difference.over")));
        }
        if resource_action::current(&mut self.tx, &id).await?.is_some() {
            return Err(ServiceError::Conflict(Msg::new("resource.busy_now")));
        }
        Ok(found)
    }

    /// The owner's rules must still be those that the round held beside the cloud's.
    async fn same_rules(&mut self, found: &Resource) -> Result<(), ServiceError> {
        let Some(said) = rules_apart(&self.row) else {
            return Ok(());
        };
        let own = access_rule::text(&mut self.tx, &found.id).await?;
        if said.ours.as_deref().unwrap_or_default() == own {
            Ok(())
        } else {
            Err(stale())
        }
    }

    async fn close(&mut self, cx: &Cx, how: Closing) -> Result<(), ServiceError> {
        let (id, by) = (&self.row.id, Some(&self.access.user));
        if difference::close(&mut self.tx, id, how, by, cx.now()).await? {
            Ok(())
        } else {
            Err(ServiceError::Conflict(Msg::new("difference.over")))
        }
    }

    async fn commit(mut self, cx: &Cx, event: Event) -> Result<(), ServiceError> {
        change::touch(&mut self.tx, cx, "clouds").await?;
        audit::record(&mut self.tx, cx, event).await?;
        self.tx.commit().await?;
        Ok(())
    }
}

fn event(action: &'static str, id: &DifferenceId, detail: Value) -> Event {
    Event::new(action, "difference", id).detail(detail)
}

/// Asks for a round over each backend now.
///
/// # Errors
/// [`ServiceError::Forbidden`] for others than operators.
pub async fn compare(cx: &Cx) -> Result<(), ServiceError> {
    let asked = async {
        let mut tx = cx.db().begin().await?;
        operator(&mut tx, cx).await?;
        jobs::enqueue(&mut tx, cx, &CompareClouds {}).await?;
        audit::record(
            &mut tx,
            cx,
            Event::new("difference.compare", "difference", "all"),
        )
        .await?;
        tx.commit().await?;
        Ok(())
    };
    traced(cx, asked.await, || {
        Event::new("difference.compare", "difference", "all")
    })
    .await
}

/// Begins to make the cloud follow the portal: switches back, resizes back, says the rules anew,
/// attaches anew, restarts what stands in an error, or builds anew what is lost. What a lost thing
/// held does not come back.
///
/// # Errors
/// [`ServiceError::NotFound`] if there is no such difference, [`ServiceError::Conflict`] if it is
/// over, can't be mended, has moved since it was read ([`DifferenceRow::digest`]), or something else
/// is being done to the resource.
pub async fn restore(cx: &Cx, id: &DifferenceId, read: &str) -> Result<(), ServiceError> {
    let done = begin_restore(cx, id, read).await;
    traced(cx, done, || event("difference.restore", id, Value::Null)).await
}

/// The list may be old, what waits for its final deletion can be called back, and what was stuck may
/// run: nobody builds it twice, restarts it or writes it off without asking once more.
async fn still_lost(cx: &Cx, id: &DifferenceId) -> Result<(), ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    let row = difference::get(&mut rx, id).await?.or_not_found()?;
    drop(rx);
    let lost = matches!(row.kind, DifferenceKind::Missing | DifferenceKind::Stuck);
    let asked = lost && row.closed_at.is_none();
    if !asked {
        return Ok(());
    }
    let kind = compare::kind_of_thing(row.thing);
    let still = |there: &Option<Object>| match (row.kind, there) {
        (DifferenceKind::Missing, there) => there.is_none(),
        (_, Some(Object::Server(it))) => !matches!(it.power, Power::Active | Power::Stopped),
        (_, Some(Object::Volume(it))) => it.state != VolumeState::Ready,
        _ => false,
    };
    let cloud = cx.app.backends.get_or_absent(&row.backend);
    let id = ExternalId(row.external_id.clone());
    match tokio::time::timeout(PATIENCE, cloud.get(kind, &id)).await {
        Ok(Ok(there)) if still(&there) => Ok(()),
        Ok(Ok(_)) => Err(ServiceError::Conflict(Msg::new("difference.over"))),
        Ok(Err(_)) | Err(_) => Err(ServiceError::Conflict(Msg::new("resource.cloud_away"))),
    }
}

async fn begin_restore(cx: &Cx, id: &DifferenceId, read: &str) -> Result<(), ServiceError> {
    if networks::restored(cx, id, read).await? {
        return Ok(());
    }
    still_lost(cx, id).await?;
    let mut opened = open(cx, id, Act::Restore, Some(read)).await?;
    let found = opened.resource().await?;
    opened.same_rules(&found).await?;
    if resource_action::open_release(&mut opened.tx, &found.id)
        .await?
        .is_some()
    {
        return Err(ServiceError::Conflict(Msg::new("resource.being_released")));
    }
    let (row, user) = (opened.row.clone(), opened.access.user.clone());
    let scope = opened.access.scope(Ability::ReadResources);
    begin::begin(&mut opened.tx, cx, &scope, &row, &found, &user).await?;
    change::touch(&mut opened.tx, cx, &format!("unit:{}", found.unit)).await?;
    let said = json!({ "resource": found.id, "name": found.name, "kind": row.kind });
    let event = event("difference.restore", id, said).of_unit(&found.unit);
    opened.commit(cx, event).await
}

/// Writes a lost or stuck resource off: it is released, its quota is free, charging ends, its unit
/// hears why. What is stuck still stands in the cloud: the next round calls it foreign.
///
/// # Errors
/// [`ServiceError::Invalid`] without a reason, [`ServiceError::Conflict`] if it is neither missing
/// nor stuck any more or something is being done to it.
pub async fn write_off(cx: &Cx, id: &DifferenceId, reason: &str) -> Result<(), ServiceError> {
    let reason = text::paragraph("reason", reason, 2, usize::from(text::REASON_MAX))
        .map_err(|e| ServiceError::Invalid(vec![e]))?;
    let done = do_write_off(cx, id, &reason).await;
    traced(cx, done, || event("difference.write_off", id, Value::Null)).await
}

async fn do_write_off(cx: &Cx, id: &DifferenceId, reason: &str) -> Result<(), ServiceError> {
    still_lost(cx, id).await?;
    let mut opened = open(cx, id, Act::WriteOff, None).await?;
    if opened.row.thing == ThingKind::Snapshot {
        return snapshots::write_off(opened, cx, reason).await;
    }
    let found = opened.resource().await?;
    let by = opened.access.user.clone();
    let tx = &mut opened.tx;
    // Its hold would stay for ever: the request is withdrawn or rejected first.
    if let Some(number) = request_change::under_way(tx, &found.id, None).await? {
        let msg = Msg::new("change.under_way")
            .with("name", found.name.clone())
            .with("number", number);
        return Err(ServiceError::Conflict(msg));
    }
    resource::mark_released(tx, &found, cx.now()).await?;
    resource::detach_all(tx, &found.id).await?;
    // No cloud deletes a disk that has snapshots: they went before it.
    snapshot::all_gone(tx, &found.id, cx.now()).await?;
    for kind in [EventKind::WrittenOff, EventKind::Released] {
        resource::add_event(tx, &cx.id(), &found.id, kind, by.as_str(), cx.now()).await?;
    }
    if let Some(place) = &found.placement {
        let booking = quota::Booking {
            // The same as a release's: whichever comes, it is freed once.
            operation: format!("free:{}", found.id),
            vdc: found.vdc.clone(),
            request: None,
            demand: [(place.pool.clone(), found.amounts.clone())].into(),
        };
        quota::free(tx, cx, &booking, &found.id).await?;
    }
    // What lay in the bin ends with a paper too; it says that nobody confirms anything.
    if let Some(lying) = bin::lying(tx, &found.id).await? {
        let how = How {
            request: Some(lying.request),
            by: Some(by.clone()),
            method: ErasureMethod::WrittenOff,
            absent_at: None,
            snapshots: 0,
            backups: 0,
        };
        certificate::certify(tx, cx, &found, how).await?;
    }
    let key = if opened.row.kind == DifferenceKind::Stuck {
        "notice.written_off_stuck"
    } else {
        "notice.written_off"
    };
    let msg = Msg::new(key)
        .with("name", found.name.clone())
        .with("reason", reason.to_owned());
    let link = format!("/resources/{}", found.id);
    notice::send_to_role(tx, cx, Role::Applicant, &found.unit, &msg, &link).await?;
    change::touch(tx, cx, &format!("unit:{}", found.unit)).await?;
    opened.close(cx, Closing::WrittenOff).await?;
    let said = json!({ "resource": found.id, "name": found.name, "reason": reason });
    let event = event("difference.write_off", id, said).of_unit(&found.unit);
    opened.commit(cx, event).await
}

/// Lets a difference stand, with a note why; it asks nobody to act any more.
///
/// # Errors
/// [`ServiceError::Invalid`] without a note, [`ServiceError::Conflict`] if it is over, or about a lost
/// resource.
pub async fn note(cx: &Cx, id: &DifferenceId, note: &str) -> Result<(), ServiceError> {
    let note = text::paragraph("note", note, 2, usize::from(text::REASON_MAX))
        .map_err(|e| ServiceError::Invalid(vec![e]))?;
    let done = do_note(cx, id, &note).await;
    traced(cx, done, || event("difference.note", id, Value::Null)).await
}

async fn do_note(cx: &Cx, id: &DifferenceId, note: &str) -> Result<(), ServiceError> {
    let mut opened = open(cx, id, Act::Note, None).await?;
    let by = opened.access.user.clone();
    if !difference::note(&mut opened.tx, id, note, &by, cx.now()).await? {
        return Err(ServiceError::Conflict(Msg::new("difference.over")));
    }
    let said = json!({ "before": opened.row.note, "after": note });
    opened.commit(cx, event("difference.note", id, said)).await
}
