//! Taking over the size that a cloud has of a host or a disk: it is sold at that size from now on.
//!
//! It is a change like one that was asked for (`service::request::change`): today's list and today's
//! item, the ledger, an event with before and after. Nobody signs, because it runs and is paid for by
//! somebody already; its unit and that unit's leaders are told.

use lingbao_backends::provisioning::ExternalId;
use lingbao_model::{
    change::What,
    id::DifferenceId,
    money::Money,
    msg::Msg,
    param::Typed,
    people::Role,
    quota::Amounts,
    resource::EventKind,
    view::difference::{
        Act, Adoption, Aspect, Closing, DifferenceKind, DifferenceRow, Said, ThingKind,
    },
};
use serde_json::{Value, json};

use super::{PATIENCE, event, open, operator, stale};
use crate::{
    app::Cx,
    authz::Scope,
    error::{OrNotFound, ServiceError},
    fulfil::reconcile::{CompareCloud, begin, compare},
    jobs,
    service::{
        notice,
        refusal::traced,
        request::change::think::{free, think},
    },
    storage::{ReadTx, change, difference, quota, resource},
};

fn is_size(said: &Said) -> bool {
    matches!(said.aspect, Aspect::Vcpus | Aspect::Memory | Aspect::Size)
}

/// The size that a cloud has of a thing, as it would be typed into the form of a change; `None` if
/// that is not what differs. A disk that is too small there is made larger instead.
fn sized(row: &DifferenceRow) -> Option<(What, Typed)> {
    let changed = row.kind == DifferenceKind::Changed && row.closed_at.is_none();
    let differs = |said: &Said| is_size(said) && said.differs();
    if !changed || !row.said.iter().any(differs) {
        return None;
    }
    let what = match row.thing {
        ThingKind::Server => What::Resize,
        ThingKind::Volume if !row.said.iter().any(|s| differs(s) && begin::smaller(s)) => {
            What::Extend
        }
        _ => return None,
    };
    // What is compared is called as the parameters of items are.
    let typed = |said: &Said| Some((said.aspect.to_string(), said.cloud.clone()?));
    let sizes = row.said.iter().filter(|said| is_size(said));
    Some((what, sizes.filter_map(typed).collect()))
}

/// What taking the cloud's size over would come to; `None` where there is nothing of the kind.
pub(super) async fn adoption(
    rx: &mut ReadTx,
    cx: &Cx,
    scope: &Scope,
    row: &DifferenceRow,
) -> Result<Option<Adoption>, ServiceError> {
    let (Some((what, typed)), Some(id)) = (sized(row), &row.resource) else {
        return Ok(None);
    };
    let Some(found) = resource::get(rx, scope, id).await? else {
        return Ok(None);
    };
    let mut against = Vec::new();
    // Like a renewal it asks nothing of the cloud.
    match free(rx, &found, What::Renew, None).await {
        Ok(()) => {}
        Err(ServiceError::Conflict(msg)) => against.push(msg),
        Err(other) => return Err(other),
    }
    let thought = think(rx, cx, found, (what, &typed), None).await?.standing();
    against.extend(thought.errors.iter().map(|e| not_offered(&e.msg)));
    against.extend(thought.verdict.blocks.iter().cloned());
    Ok(Some(Adoption {
        change: thought.plan.shown(&thought.schema),
        against,
    }))
}

fn not_offered(reason: &Msg) -> Msg {
    Msg::new("difference.size_not_offered").with("reason", reason.clone())
}

/// Takes over the size that the cloud has: price and quota follow from now on. `month` is the month
/// price that was shown.
///
/// # Errors
/// [`ServiceError::Conflict`] if nothing of the kind differs any more, it has moved since it was read
/// ([`DifferenceRow::digest`]), something is being done to it, the price is another by now, the cloud
/// does not answer, or nothing on offer has that size; [`ServiceError::QuotaExceeded`] if it does not
/// fit into the quota.
pub async fn adopt(
    cx: &Cx,
    id: &DifferenceId,
    read: &str,
    month: Money,
) -> Result<(), ServiceError> {
    let done = do_adopt(cx, id, read, month).await;
    traced(cx, done, || event("difference.adopt", id, Value::Null)).await
}

/// What a round saw may be minutes old, and nobody pays for a size that is gone: the cloud is asked
/// once more.
async fn still_of_that_size(cx: &Cx, id: &DifferenceId) -> Result<(), ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    let row = difference::get(&mut rx, id).await?.or_not_found()?;
    drop(rx);
    if sized(&row).is_none() {
        return Ok(());
    }
    let kind = compare::kind_of_thing(row.thing);
    let cloud = cx.app.backends.get_or_absent(&row.backend);
    let thing = ExternalId(row.external_id.clone());
    match tokio::time::timeout(PATIENCE, cloud.get(kind, &thing)).await {
        Ok(Ok(Some(object))) => {
            let now = compare::foreign(&object);
            let same = |said: &Said| {
                now.iter()
                    .any(|now| now.aspect == said.aspect && now.cloud == said.cloud)
            };
            if row.said.iter().filter(|said| is_size(said)).all(same) {
                Ok(())
            } else {
                Err(stale())
            }
        }
        Ok(Ok(None)) => Err(stale()),
        Ok(Err(_)) | Err(_) => Err(ServiceError::Conflict(Msg::new("resource.cloud_away"))),
    }
}

async fn do_adopt(
    cx: &Cx,
    id: &DifferenceId,
    read: &str,
    month: Money,
) -> Result<(), ServiceError> {
    still_of_that_size(cx, id).await?;
    let mut opened = open(cx, id, Act::Adopt, Some(read)).await?;
    let found = opened.resource().await?;
    let (what, typed) = sized(&opened.row).ok_or_else(stale)?;
    let by = opened.access.user.clone();
    let tx = &mut opened.tx;
    free(tx, &found, What::Renew, None).await?;
    let thought = think(tx, cx, found, (what, &typed), None).await?.standing();
    if let Some(error) = thought.errors.first() {
        return Err(ServiceError::Conflict(not_offered(&error.msg)));
    }
    thought.require()?;
    let (found, plan) = (&thought.resource, &thought.plan);
    if plan.will.month != month {
        return Err(ServiceError::Conflict(Msg::new("resource.price_changed")));
    }
    if let Some(place) = &found.placement {
        // The same difference may move on, and be taken over once more.
        let booking = |what: &str, amounts: Amounts| quota::Booking {
            operation: format!("{what}:{id}:{}", found.version),
            vdc: found.vdc.clone(),
            request: None,
            demand: [(place.pool.clone(), amounts)].into(),
        };
        let short = quota::hold(tx, cx, &booking("hold", plan.more())).await?;
        if !short.is_empty() {
            return Err(thought.over_quota(short));
        }
        quota::convert(tx, cx, &booking("convert", plan.more()), &found.id).await?;
        quota::free(tx, cx, &booking("free", plan.less()), &found.id).await?;
    }
    resource::apply(tx, found, plan, cx.now()).await?;
    let kind = if what == What::Extend {
        EventKind::Extended
    } else {
        EventKind::Resized
    };
    let shown = plan.shown(&thought.schema);
    let at = (by.as_str(), cx.now());
    resource::add_change(tx, &cx.id(), &found.id, kind, at, &shown).await?;
    let msg = Msg::new("notice.adopted")
        .with("name", found.name.clone())
        .with("before", plan.was.month.yuan())
        .with("after", plan.will.month.yuan());
    let link = format!("/resources/{}", found.id);
    for role in [Role::Applicant, Role::DeptLeader] {
        notice::send_to_role(tx, cx, role, &found.unit, &msg, &link).await?;
    }
    change::touch(tx, cx, &format!("unit:{}", found.unit)).await?;
    let said = json!({
        "resource": found.id, "name": found.name, "what": what,
        "month_before": plan.was.month, "month_after": plan.will.month,
    });
    let event = event("difference.adopt", id, said).of_unit(&found.unit);
    // Of several things that differ, the others stand; a round says which.
    let mut differing = opened.row.said.iter().filter(|said| said.differs());
    if differing.all(is_size) {
        opened.close(cx, Closing::Followed).await?;
    } else {
        let backend = opened.row.backend.clone();
        jobs::enqueue(&mut opened.tx, cx, &CompareCloud { backend }).await?;
    }
    opened.commit(cx, event).await
}
