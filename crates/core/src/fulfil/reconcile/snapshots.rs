//! Snapshots in a round. Nothing but that they are there is compared: what they hold never changes.

use futures::{StreamExt, stream};
use lingbao_backends::provisioning::{ExternalId, Kind, Provisioner, ReadError};
use lingbao_model::{
    money::Money,
    time::Timestamp,
    view::difference::{DifferenceKind, ThingKind},
};

use super::{
    compare,
    round::{AT_ONCE, Case, Desk, Read, SLICE, Stop},
};
use crate::storage::difference::{self, About, Found, KeptSnapshot};

/// Our snapshots that the list does not have and the cloud, asked for each, denies too.
pub(super) async fn lost(
    desk: &Desk<'_>,
    backend: &str,
    cloud: &dyn Provisioner,
    begun: Timestamp,
    read: &mut Read,
    cases: &mut Vec<Case>,
) -> Result<(), Stop> {
    let mut after = String::new();
    loop {
        let mut rx = desk.app().db.read().await?;
        let names = difference::snapshots_after(&mut rx, backend, &after, SLICE).await?;
        let Some(last) = names.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let names = names.iter().map(String::as_str);
        let gone: Vec<&str> = names.filter(|id| !read.seen.contains(*id)).collect();
        let kept = difference::snapshots(&mut rx, backend, gone).await?;
        drop(rx);
        let mut ask = Vec::new();
        for (id, kept) in kept {
            if kept.busy || kept.asked_at >= begun {
                read.left_alone.insert(id);
            } else {
                ask.push(kept);
            }
        }
        let answers = stream::iter(ask).map(|kept| async move {
            let id = ExternalId(kept.external_id.clone());
            (cloud.get(Kind::Snapshot, &id).await, kept)
        });
        let answers: Vec<_> = answers.buffer_unordered(AT_ONCE).collect().await;
        for (answer, kept) in answers {
            match answer {
                Ok(None) => cases.push(missing(kept)),
                Ok(Some(_)) => {}
                // It says nothing of this one thing.
                Err(ReadError::Refused(_)) => {
                    read.left_alone.insert(kept.external_id);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A snapshot costs nothing.
fn missing(kept: KeptSnapshot) -> Case {
    Case {
        version: None,
        snapshot: Some(kept.id.clone()),
        sweep: false,
        found: Found {
            kind: DifferenceKind::Missing,
            thing: ThingKind::Snapshot,
            said: compare::missing_snapshot(&kept),
            external_id: kept.external_id,
            resource: Some((kept.disk, kept.unit)),
            name: kept.name,
            operation: String::new(),
            about: About::default(),
            month: Money::ZERO,
            patience_ms: 0,
        },
    }
}
