//! What a round finds that no row of ours names: foreign things, and doubles of what was delivered.

use std::collections::{HashMap, HashSet};

use lingbao_backends::provisioning::Object;
use lingbao_model::{
    money::Money,
    time::Timestamp,
    view::difference::{Aspect, DifferenceKind, Said, ThingKind},
};

use super::{
    compare,
    round::{Case, Desk},
};
use crate::{
    error::StorageError,
    storage::difference::{self, Found, Made, Ours},
};

/// So young a double is deleted without asking, unless it is a disk: what is older may be used by
/// somebody.
const YOUNG_MS: i64 = 24 * 60 * 60_000;
/// A cloud takes snapshots for itself while it backs up; they pass.
const PASSING_MS: i64 = 10 * 60_000;

/// What the cloud says of something that no row names.
pub(super) fn stranger(object: &Object) -> Option<Found> {
    Some(Found {
        kind: DifferenceKind::Foreign,
        thing: compare::thing(object)?,
        external_id: object.id().to_string(),
        resource: None,
        name: compare::name(object),
        operation: object.operation().to_string(),
        said: compare::foreign(object),
        about: compare::about(object),
        month: Money::ZERO,
        patience_ms: match object {
            Object::Snapshot(_) => PASSING_MS,
            _ => 0,
        },
    })
}

/// What of these is nobody's, and what of that a double. In this order: what was being built when the
/// list was read is either on its way still, or its row is there.
pub(super) async fn nobodys(
    desk: &Desk<'_>,
    backend: &str,
    begun: Timestamp,
    bearing: &HashSet<String>,
    some: &[Found],
) -> Result<Vec<Case>, StorageError> {
    let mut rx = desk.app().db.read().await?;
    let under_way = difference::under_way(&mut rx).await?;
    let operations = some.iter().map(|found| found.operation.as_str());
    let open = difference::open_operations(&mut rx, operations).await?;
    drop(rx);
    // A snapshot of its own: a row that was written after the first look is seen.
    let mut rx = desk.app().db.read().await?;
    let ids = some.iter().map(|found| found.external_id.as_str());
    let ours = difference::ours(&mut rx, backend, ids.clone()).await?;
    let snapshots = difference::snapshots(&mut rx, backend, ids).await?;
    drop(rx);
    let foreign = |found: &&Found| {
        // `<line>:<piece>:<verb>`, see fulfil::pieces; other sagas name theirs by the operation.
        let piece = found
            .operation
            .rsplit_once(':')
            .map_or("", |(piece, _)| piece);
        !ours.contains_key(&found.external_id)
            && !snapshots.contains_key(&found.external_id)
            && !under_way.contains(piece)
            && !open.contains(&found.operation)
    };
    let all: Vec<Found> = some.iter().filter(foreign).cloned().collect();
    let mut rx = desk.app().db.read().await?;
    let operations = all.iter().map(|found| found.operation.as_str());
    let made = difference::made(&mut rx, operations).await?;
    let given = made.values().map(|made| made.external_id.as_str());
    // The disks of snapshots too: of which disk of ours one is.
    let disks = all.iter().filter_map(disk_of);
    let ids: Vec<&str> = given.clone().chain(disks).collect();
    let named = difference::ours(&mut rx, backend, ids).await?;
    let kept = difference::snapshots(&mut rx, backend, given).await?;
    drop(rx);
    let case = |mut found: Found| {
        let disk = disk_of(&found).and_then(|id| named.get(id));
        let mut sweep = false;
        let double = if found.thing == ThingKind::Snapshot {
            // It hangs on its disk as long as there is one: somebody says whether it goes.
            let made = made.get(&found.operation);
            let other = made.filter(|made| made.external_id != found.external_id);
            let stays = other.and_then(|made| kept.get(&made.external_id));
            found.kind = stays.map_or(found.kind, |_| DifferenceKind::Double);
            None
        } else {
            double_of(&found, &made, &named)
        };
        if let Some((asked_at, stays)) = double {
            let hangs = |said: &Said| said.aspect == Aspect::Target && said.cloud.is_some();
            // A backup that was restored into a new disk has brought its metadata along, our operation
            // among it: of disks somebody decides.
            sweep = found.thing != ThingKind::Volume
                && begun < asked_at.plus_millis(YOUNG_MS)
                && !stays.busy
                && !found.said.iter().any(hangs)
                && !bearing.contains(&found.external_id);
            found.kind = DifferenceKind::Double;
            found.resource = Some((stays.id.clone(), stays.unit.clone()));
        }
        if let Some(disk) = disk {
            // People read names.
            for said in &mut found.said {
                if said.aspect == Aspect::Target {
                    said.cloud = Some(disk.name.clone());
                }
            }
            found.resource = Some((disk.id.clone(), disk.unit.clone()));
        }
        Case {
            found,
            version: None,
            snapshot: None,
            sweep,
        }
    };
    Ok(all.into_iter().map(case).collect())
}

/// Of what this is a double: an operation of ours gave another thing, which a row names. What the
/// operation gave, and no row names any more, is none: somebody may have brought it back, with all
/// that it holds. Which of two is the older says nothing: what the row names stays.
fn double_of<'a>(
    found: &Found,
    made: &HashMap<String, Made>,
    named: &'a HashMap<String, Ours>,
) -> Option<(Timestamp, &'a Ours)> {
    let made = made.get(&found.operation)?;
    if made.external_id == found.external_id {
        return None;
    }
    let stays = named.get(&made.external_id)?;
    (ThingKind::of(stays.kind) == Some(found.thing)).then_some((made.asked_at, stays))
}

/// The backend's name of the disk that a snapshot is of.
fn disk_of(found: &Found) -> Option<&str> {
    let target = found.said.iter().find(|said| said.aspect == Aspect::Target);
    let target = target.filter(|_| found.thing == ThingKind::Snapshot)?;
    target.cloud.as_deref()
}
