//! What is to be done so that the cloud follows the portal again: from a difference to the works of
//! [`Mend`].

use lingbao_model::{
    access_rule::AccessRule,
    catalogue::Fulfiller,
    id::{ResourceId, SagaId, UserId},
    msg::Msg,
    resource::ServiceState,
    view::difference::{Aspect, DifferenceKind, DifferenceRow, Said, ThingKind},
};

use super::mend::{Mend, Params, Thing, Work, there};
use crate::{
    app::Cx,
    authz::Scope,
    error::{ServiceError, StorageError},
    fulfil::{
        build::{self, Attach, PiecePlan},
        pieces, plan, power,
    },
    saga,
    storage::{
        ReadTx, Tx, access_rule, bin, cloud, difference,
        resource::{self, Resource},
        resource_action,
    },
};

/// Whether a difference of one aspect can be mended.
fn mendable(thing: ThingKind, said: &Said) -> bool {
    match said.aspect {
        Aspect::Power | Aspect::Vcpus | Aspect::Memory | Aspect::Rules => {
            thing == ThingKind::Server
        }
        Aspect::Schedule => thing == ThingKind::Backup,
        Aspect::Target => !matches!(thing, ThingKind::Server | ThingKind::Snapshot),
        // A disk never shrinks: what has grown there is taken over.
        Aspect::Size => thing == ThingKind::Volume && smaller(said),
        // No cloud moves a disk to another class or out of an error at the portal's word.
        // A network that lacks a part is missing, and ensured anew (`relay`).
        Aspect::State | Aspect::Class | Aspect::Name | Aspect::Address | Aspect::Parts => false,
    }
}

/// Whether the cloud has less than was sold.
#[must_use]
pub fn smaller(said: &Said) -> bool {
    let number = |side: &Option<String>| side.as_ref()?.parse::<i64>().ok();
    number(&said.cloud) < number(&said.ours)
}

/// Whether a server stands in an error, out of which a restart may help; between two states no cloud
/// takes an order for it.
fn fallen(row: &DifferenceRow) -> bool {
    let error =
        |said: &Said| said.aspect == Aspect::Power && said.cloud.as_deref() == Some("error");
    row.thing == ThingKind::Server && row.said.iter().any(error)
}

/// Whether the cloud can be made to follow the portal, in part at least.
#[must_use]
pub fn can_mend(row: &DifferenceRow) -> bool {
    match row.kind {
        // What a snapshot held can't be had again.
        DifferenceKind::Missing => row.thing != ThingKind::Snapshot,
        DifferenceKind::Changed => row
            .said
            .iter()
            .any(|said| said.differs() && mendable(row.thing, said)),
        DifferenceKind::Stuck => fallen(row),
        DifferenceKind::Foreign | DifferenceKind::Double => false,
    }
}

/// Why what is lost can't be built anew now, in words; `None` if nothing stands against it.
///
/// # Errors
/// What the database says.
pub async fn hindrance(
    rx: &mut ReadTx,
    scope: &Scope,
    row: &DifferenceRow,
) -> Result<Option<Msg>, StorageError> {
    let ours = row.resource.as_ref();
    let lost = row.kind == DifferenceKind::Missing && row.thing != ThingKind::Snapshot;
    let Some(id) = ours.filter(|_| lost) else {
        return Ok(None);
    };
    let Some(found) = resource::get(rx, scope, id).await? else {
        return Ok(None);
    };
    if found.service == ServiceState::Recycled {
        return Ok(Some(Msg::new("difference.in_bin")));
    }
    let lacks = cloud::lacks(rx).await?;
    if lacks.contains(&(row.backend.clone(), found.kind)) {
        return Ok(Some(Msg::new("difference.cloud_lacks")));
    }
    let Some(host) = &found.attached_to else {
        // Everything else can hang free.
        let plan = found.kind == Fulfiller::Backup;
        return Ok(plan.then(|| Msg::new("difference.no_target")));
    };
    if is_lost(rx, host).await? {
        return Ok(Some(Msg::new("difference.target_lost")));
    }
    if bin::holds(rx, host).await? {
        return Ok(Some(Msg::new("difference.target_in_bin")));
    }
    Ok(None)
}

/// Begins to make the cloud follow the portal.
///
/// # Errors
/// [`ServiceError::Conflict`] if it can't be, or something else is being done to the resource.
pub async fn begin(
    tx: &mut Tx,
    cx: &Cx,
    scope: &Scope,
    row: &DifferenceRow,
    found: &Resource,
    actor: &UserId,
) -> Result<(), ServiceError> {
    if !can_mend(row) {
        return Err(ServiceError::Conflict(Msg::new("difference.not_mendable")));
    }
    let differing: Vec<&Said> = row.said.iter().filter(|said| said.differs()).collect();
    // What lies in the bin is nobody's to build anew; a host of it is switched off.
    let lies = found.service == ServiceState::Recycled;
    if lies && row.kind == DifferenceKind::Missing {
        return Err(ServiceError::Conflict(Msg::new("difference.in_bin")));
    }
    let on = found.service != ServiceState::Stopped && !lies;
    let power = differing.iter().all(|said| said.aspect == Aspect::Power);
    let moved = differing.iter().any(|said| said.aspect == Aspect::Target);
    let (build, works, whole) = match row.kind {
        DifferenceKind::Missing => {
            let (build, works) = anew(tx, cx, scope, found, on).await?;
            (Some(build), works, true)
        }
        DifferenceKind::Stuck => (None, restart(row, on), true),
        // No cloud leads a plan to another host: there is a new one, and then not that one any more.
        DifferenceKind::Changed if found.kind == Fulfiller::Backup && moved => {
            let (build, mut works) = anew(tx, cx, scope, found, on).await?;
            works.push(Work::Drop {
                plan: row.external_id.clone(),
            });
            (Some(build), works, true)
        }
        _ if power => {
            return switch(tx, cx, row, found, actor, on).await;
        }
        DifferenceKind::Changed | DifferenceKind::Foreign | DifferenceKind::Double => {
            let works = back(tx, row, found, &differing, on).await?;
            let whole = differing.iter().all(|said| mendable(row.thing, said));
            (None, works, whole)
        }
    };
    let params = Params {
        difference: row.id.clone(),
        resource: found.id.clone(),
        actor: actor.clone(),
        backend: row.backend.clone(),
        build,
        works,
        whole,
    };
    let saga = saga::start::<Mend>(tx, cx, found.id.as_str(), &params).await?;
    book(tx, cx, found, &saga, "mend", actor).await
}

async fn book(
    tx: &mut Tx,
    cx: &Cx,
    found: &Resource,
    saga: &SagaId,
    kind: &str,
    actor: &UserId,
) -> Result<(), ServiceError> {
    if resource_action::begin(tx, &found.id, saga, kind, actor.as_str(), cx.now()).await? {
        Ok(())
    } else {
        Err(ServiceError::Conflict(Msg::new("resource.busy_now")))
    }
}

/// The switch of the owner, on behalf of the operator.
async fn switch(
    tx: &mut Tx,
    cx: &Cx,
    row: &DifferenceRow,
    found: &Resource,
    actor: &UserId,
    on: bool,
) -> Result<(), ServiceError> {
    let params = power::Params {
        resource: found.id.clone(),
        backend: row.backend.clone(),
        external_id: row.external_id.clone(),
        on,
        actor: actor.clone(),
    };
    let saga = saga::start::<power::Power>(tx, cx, found.id.as_str(), &params).await?;
    book(
        tx,
        cx,
        found,
        &saga,
        if on { "start" } else { "stop" },
        actor,
    )
    .await
}

/// The works that build a lost resource anew, with what hung on it.
pub(super) async fn anew(
    tx: &mut Tx,
    cx: &Cx,
    scope: &Scope,
    found: &Resource,
    on: bool,
) -> Result<(build::Params, Vec<Work>), ServiceError> {
    let not_placed = || ServiceError::Conflict(Msg::new("difference.not_mendable"));
    let place = found.placement.as_ref().ok_or_else(not_placed)?;
    let mut site = plan::site(tx, cx, &found.vdc, place).await?;
    site.backend = found.backend.clone().ok_or_else(not_placed)?;
    let hung = target(tx, found).await?;
    // A plan can't be made without what it backs up; everything else is hung up when it is made.
    let attach = match (found.kind, &found.attached_to, &hung) {
        (Fulfiller::Backup, Some(resource), Some(Thing::There { external_id })) => {
            Some(Attach::Built {
                resource: resource.clone(),
                external_id: external_id.clone(),
            })
        }
        (Fulfiller::Backup, ..) => {
            return Err(ServiceError::Conflict(Msg::new("difference.no_target")));
        }
        _ => None,
    };
    let piece = PiecePlan {
        item: found.item.clone(),
        piece: found.piece,
        resource: found.id.clone(),
        code: found.code.clone(),
        item_name: found.item_name.clone(),
        item_version: found.item_version.to_string(),
        kind: found.kind,
        name: found.name.clone(),
        placement: found.placement.clone(),
        answers: found.answers.clone(),
        amounts: found.amounts.clone(),
        month: found.month,
        // Neither price nor term begin anew.
        price_version: 0,
        term_months: 0,
        attach,
        checklist: Vec::new(),
        due_at: None,
    };
    let build = build::Params {
        request: found.request.clone(),
        unit: found.unit.clone(),
        unit_name: found.unit_name.clone(),
        vdc: found.vdc.clone(),
        system: found.system.clone(),
        site: Some(site),
        pieces: vec![piece],
    };
    let mut works = vec![Work::Make];
    match (found.kind, hung) {
        (Fulfiller::Server, _) => works.extend(furnish(tx, scope, found, on).await?),
        (Fulfiller::Volume, Some(server)) => works.push(Work::Attach {
            volume: Thing::Made,
            server,
        }),
        (Fulfiller::Address, server @ Some(_)) => works.push(Work::Lead {
            address: Thing::Made,
            server,
        }),
        _ => {}
    }
    Ok((build, works))
}

/// The works that give a host that is built anew what its owner lets in and what hung on it.
async fn furnish(
    tx: &mut Tx,
    scope: &Scope,
    found: &Resource,
    on: bool,
) -> Result<Vec<Work>, ServiceError> {
    let mut works = Vec::new();
    let rules = own_rules(tx, &found.id).await?;
    if !rules.is_empty() {
        works.push(Work::Rules {
            server: Thing::Made,
            rules,
        });
    }
    let mut last = Vec::new();
    for hung in resource::attachments(tx, &found.id).await? {
        let Some(row) = resource::get(tx, scope, &hung.id).await? else {
            continue;
        };
        // What lies in the bin keeps what it has: a plan its backups.
        if row.service == ServiceState::Recycled {
            continue;
        }
        // What is lost too comes back by itself later, and what is being given back not at all.
        let lost = is_lost(tx, &row.id).await?;
        let busy = resource_action::current(tx, &row.id).await?.is_some();
        // What is known to hang on another server is left there: its own difference says so.
        let elsewhere = hangs_elsewhere(tx, &row.id).await?;
        let Some(external_id) = row.external_id.filter(|_| !lost && !busy && !elsewhere) else {
            continue;
        };
        match row.kind {
            Fulfiller::Volume => works.push(Work::Attach {
                volume: there(external_id),
                server: Thing::Made,
            }),
            Fulfiller::Address => works.push(Work::Lead {
                address: there(external_id),
                server: Some(Thing::Made),
            }),
            Fulfiller::Backup => {
                let (every_hours, keep_days) = pieces::schedule(&row.answers);
                works.push(Work::Plan {
                    resource: row.id,
                    every_hours,
                    keep_days,
                });
                last.push(Work::Drop { plan: external_id });
            }
            Fulfiller::Server | Fulfiller::People => {}
        }
    }
    if !on {
        works.push(Work::Switch {
            server: Thing::Made,
            on: false,
        });
    }
    works.append(&mut last);
    Ok(works)
}

/// The works that bring a server out of an error, to run or stand still as it should.
fn restart(row: &DifferenceRow, on: bool) -> Vec<Work> {
    let own = there(row.external_id.clone());
    let mut works = vec![Work::Restart {
        server: own.clone(),
    }];
    if !on {
        works.push(Work::Switch { server: own, on });
    }
    works
}

/// The works that change a resource back.
async fn back(
    tx: &mut Tx,
    row: &DifferenceRow,
    found: &Resource,
    differing: &[&Said],
    on: bool,
) -> Result<Vec<Work>, ServiceError> {
    let own = there(row.external_id.clone());
    let differs = |aspect: Aspect| differing.iter().find(|said| said.aspect == aspect);
    let mut works = Vec::new();
    match found.kind {
        Fulfiller::Server => {
            // What is open that should not be is closed first.
            if differs(Aspect::Rules).is_some() {
                works.push(Work::Rules {
                    server: own.clone(),
                    rules: own_rules(tx, &found.id).await?,
                });
            }
            if differs(Aspect::Vcpus).or(differs(Aspect::Memory)).is_some() {
                works.push(Work::Resize {
                    server: own.clone(),
                    vcpus: pieces::number(&found.answers, "vcpus"),
                    memory_gb: pieces::number(&found.answers, "memory_gb"),
                });
            }
            if differs(Aspect::Power).is_some() {
                works.push(Work::Switch { server: own, on });
            }
        }
        Fulfiller::Volume => {
            if differs(Aspect::Size).is_some_and(|said| smaller(said)) {
                works.push(Work::Extend {
                    volume: own.clone(),
                    size_gb: pieces::number(&found.answers, "size_gb"),
                });
            }
            if let Some(said) = differs(Aspect::Target) {
                let server = target(tx, found).await?;
                if said.cloud.is_some() {
                    works.push(Work::Detach {
                        volume: own.clone(),
                    });
                }
                works.extend(server.map(|server| Work::Attach {
                    volume: own,
                    server,
                }));
            }
        }
        Fulfiller::Address => works.push(Work::Lead {
            address: own,
            server: target(tx, found).await?,
        }),
        Fulfiller::Backup => {
            if differs(Aspect::Schedule).is_some() {
                let (every_hours, keep_days) = pieces::schedule(&found.answers);
                works.push(Work::Replan {
                    plan: own,
                    every_hours,
                    keep_days,
                });
            }
        }
        Fulfiller::People => {}
    }
    Ok(works)
}

/// What the owner of a host lets in.
async fn own_rules(tx: &mut Tx, id: &ResourceId) -> Result<Vec<AccessRule>, StorageError> {
    let rows = access_rule::of_resource(tx, id).await?;
    Ok(rows.into_iter().map(|row| row.rule).collect())
}

/// What a resource hangs on, which must be there.
async fn target(tx: &mut Tx, found: &Resource) -> Result<Option<Thing>, ServiceError> {
    let Some(id) = &found.attached_to else {
        return Ok(None);
    };
    if is_lost(tx, id).await? {
        return Err(ServiceError::Conflict(Msg::new("difference.target_lost")));
    }
    Ok(resource::external_id(tx, id).await?.map(there))
}

async fn hangs_elsewhere(tx: &mut Tx, id: &ResourceId) -> Result<bool, StorageError> {
    let elsewhere =
        |said: &Said| said.aspect == Aspect::Target && said.differs() && said.cloud.is_some();
    let all = difference::of_resource(tx, id).await?;
    Ok(all
        .iter()
        .any(|row| row.kind == DifferenceKind::Changed && row.said.iter().any(elsewhere)))
}

async fn is_lost(rx: &mut ReadTx, id: &ResourceId) -> Result<bool, StorageError> {
    let all = difference::of_resource(rx, id).await?;
    Ok(all.iter().any(|row| row.kind == DifferenceKind::Missing))
}
