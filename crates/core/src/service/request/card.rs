//! The approval card: everything a leader needs on one phone screen, and the digest of it.

use lingbao_model::{
    id::StepId,
    msg::Msg,
    placement::Level,
    quota::Change,
    request::{Status, StepStatus},
    verdict::pool_shortfall_msg,
    view::request::{CardView, LineView, PHRASES},
};

use super::{
    decide, detail, sight,
    snapshot::{self, Snapshot},
};
use crate::{
    app::Cx,
    authz::Access,
    error::{OrNotFound, ServiceError, StorageError},
    service::notice,
    storage::{
        ReadTx, calendar, place, quota,
        request::{self as requests, Request},
        room,
        step::{self, Step},
        todo, user as users,
    },
};

/// The card of a step in the caller's sight. Opening an open one notes that it was seen.
///
/// # Errors
/// [`ServiceError::NotFound`].
pub async fn card(cx: &Cx, id: &StepId) -> Result<CardView, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let sight = sight(&access);
    let step = step::get(&mut rx, &sight, id).await?.or_not_found()?;
    let request = decide::load(&mut rx, &sight, &step).await?;
    let text = requests::last_snapshot(&mut rx, &request)
        .await?
        .or_not_found()?;
    let snapshot = snapshot::read(&request, &text)?;
    let mine = match decide::authorize(&mut rx, &access, &step, &request).await {
        Ok(()) => true,
        Err(ServiceError::Forbidden) => false,
        Err(other) => return Err(other),
    };
    let open = step.status == StepStatus::Open && request.status == Status::InApproval;
    let queue = todo::queue(&mut rx, &sight, &access.user).await?;
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let calendar = calendar::load(&mut rx).await?;
    let changes = changes(&mut rx, &request, &snapshot).await?;
    let no_room = no_room(&mut rx, &request, open).await?;
    let earlier = step::of_request(&mut rx, &request.id).await?;
    let view = CardView {
        step_name: step.name.clone(),
        open: open && mine,
        decided: detail::opinion(&step),
        number: request.number.clone().unwrap_or_default(),
        kind: request.kind,
        unit_name: snapshot.shown.unit_name.clone(),
        applicant_name: snapshot.shown.applicant_name.clone(),
        applicant_phone: users::phone(&mut rx, &request.applicant).await?,
        title: snapshot.shown.title.clone(),
        system_name: snapshot.shown.system_name.clone(),
        reason: snapshot.shown.reason.clone(),
        releases: detail::releases(&mut rx, cx, &request).await?,
        change: snapshot.shown.change.clone(),
        month: snapshot.shown.month,
        year: snapshot.shown.month.year() + snapshot.shown.once,
        once: snapshot.shown.once,
        pools: detail::pool_names(&mut rx, changes.iter().map(|c| &c.pool)).await?,
        changes,
        flags: flags(&request, &snapshot, no_room),
        opinions: earlier
            .iter()
            .filter(|s| s.id != step.id)
            .filter_map(|s| Some((s.name.clone(), detail::opinion(s)?)))
            .collect(),
        due_at: step.due_at,
        lamp: step
            .due_at
            .filter(|_| open)
            .map(|due| calendar.lamp(cx.now(), due)),
        digest: request.digest.clone(),
        position: queue
            .iter()
            .position(|s| s == id)
            .map_or(0, |at| count(at + 1)),
        of: count(queue.len()),
        phrases: PHRASES.iter().map(|p| (*p).to_owned()).collect(),
        lines: lines(snapshot),
        request: request.id,
        step: step.id.clone(),
    };
    drop(rx);
    if view.open && step.seen_at.is_none() {
        notice::courtesy("a step as seen", note_seen(cx, &step)).await;
    }
    Ok(view)
}

async fn note_seen(cx: &Cx, step: &Step) -> Result<(), StorageError> {
    let mut tx = cx.db().begin().await?;
    step::mark_seen(&mut tx, &step.id, cx.now()).await?;
    tx.commit().await
}

fn lines(snapshot: Snapshot) -> Vec<LineView> {
    snapshot.shown.lines.into_iter().map(|l| l.view).collect()
}

/// The quota as it is now, without what this request holds itself: that is the step from "before"
/// to "after".
async fn changes(
    rx: &mut ReadTx,
    request: &Request,
    snapshot: &Snapshot,
) -> Result<Vec<Change>, StorageError> {
    let Some(verdict) = &snapshot.verdict else {
        return Ok(Vec::new());
    };
    let account = quota::account(rx, &request.vdc).await?;
    let held = requests::held(rx, request, &request.vdc).await?;
    Ok(verdict
        .changes
        .iter()
        .map(|change| {
            let own = held
                .iter()
                .find(|(p, d, _)| *p == change.pool && *d == change.dimension)
                .map_or(0, |(_, _, n)| *n);
            Change {
                before: account
                    .standing(&change.pool, change.dimension)
                    .with_held(-own),
                ..change.clone()
            }
        })
        .collect())
}

/// What the pools have too little of as they are now, while that stands in the way of an approval.
async fn no_room(
    rx: &mut ReadTx,
    request: &Request,
    open: bool,
) -> Result<Option<Vec<Msg>>, StorageError> {
    if !open {
        return Ok(None);
    }
    let asked = room::of_request(rx, &request.id).await?;
    let short = room::short(rx, &asked).await?;
    let pools = place::pools(rx).await?;
    let said = |one| pool_shortfall_msg("card.flag.no_room", one, &pools);
    Ok(Some(short.iter().map(said).collect()))
}

/// What an approver should look at. `no_room` takes the place of what the pools had when it was
/// submitted.
fn flags(request: &Request, snapshot: &Snapshot, no_room: Option<Vec<Msg>>) -> Vec<Msg> {
    let anew = no_room.is_some();
    let mut flags = no_room.unwrap_or_default();
    if let Some(facts) = &request.facts {
        if facts.level == Some(Level::Three) {
            flags.push(Msg::new("card.flag.level_three"));
        }
        if facts.internet {
            flags.push(Msg::new("card.flag.internet"));
        }
    }
    if request.with_quota_change {
        flags.push(Msg::new("card.flag.quota_change"));
    }
    match snapshot.shown.keep_days {
        Some(0) => flags.push(Msg::new("card.flag.erased_at_once")),
        Some(days) => flags.push(Msg::new("card.flag.recycled").with("days", days)),
        None => {}
    }
    if request.revision > 1 {
        flags.push(Msg::new("card.flag.supplemented").with("revision", request.revision));
    }
    if let Some(verdict) = &snapshot.verdict {
        let of_then = |msg: &&Msg| matches!(&*msg.key, "verdict.capacity" | "verdict.silent");
        let warns = verdict.warns.iter();
        flags.extend(warns.filter(|msg| !anew || !of_then(msg)).cloned());
    }
    flags
}
