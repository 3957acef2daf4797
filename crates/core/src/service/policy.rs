//! Approval policies as versions: one person writes and proposes, another one publishes. A request
//! keeps the version by which it was routed; what is asked for later goes by the new one.

use lingbao_model::{
    catalogue::Publication,
    id::PolicyId,
    msg::{FieldError, Msg},
    policy::{Facts, Policy, Route},
    request::Kind,
    time::Timestamp,
    view::{
        item::Act,
        policy::{InForce, KINDS, PolicyItem, PolicyRow, PolicyVersion, PolicyView, Seen},
    },
};
use serde_json::json;

use super::{
    item::{acts, step_of},
    refusal::traced,
};
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    storage::{
        ReadTx, item_version, place,
        policy::{self as policies, New},
        publication::{self, Draft, Step, Version, Versions},
    },
};

/// Most differences that a refusal tells.
const MOST_TOLD: usize = 5;

/// A version, and the policy that it is.
struct Written {
    version: Version,
    policy: Policy,
}

/// The versions for a kind of request, the newest first.
async fn versions_of(rx: &mut ReadTx, kind: Kind) -> Result<Vec<Written>, ServiceError> {
    let found = publication::list(rx, Versions::POLICY, kind.as_str()).await?;
    let read = |version: Version| {
        let policy = publication::read(Versions::POLICY, kind.as_str(), &version.json)?;
        Ok(Written { version, policy })
    };
    found.into_iter().map(read).collect()
}

/// Which policy is in force for each kind of request, and since when.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever does not manage policies.
pub async fn list(cx: &Cx) -> Result<Vec<PolicyRow>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ManageItems)?;
    let mut rows = Vec::new();
    for kind in KINDS {
        let versions = versions_of(&mut rx, *kind).await?;
        let (in_force, follows) = holds(&mut rx, *kind, &versions).await?;
        let newest = versions.first().map(|w| w.version.state);
        rows.push(PolicyRow {
            kind: *kind,
            in_force,
            follows,
            newest: newest.filter(|state| *state != Publication::Published),
        });
    }
    Ok(rows)
}

/// One policy with its versions.
///
/// # Errors
/// [`ServiceError::Forbidden`]; [`ServiceError::NotFound`] for a kind of request that has none.
pub async fn get(cx: &Cx, kind: &str) -> Result<PolicyView, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ManageItems)?;
    let kind = known(kind)?;
    let versions = versions_of(&mut rx, kind).await?;
    let (in_force, follows) = holds(&mut rx, kind, &versions).await?;
    let items = item_version::list(&mut rx).await?.into_iter();
    Ok(PolicyView {
        kind,
        follows,
        seen: seen(&versions),
        items: items
            .map(|row| PolicyItem {
                code: row.code,
                name: row.name,
            })
            .collect(),
        zones: place::zones(&mut rx).await?,
        versions: rows(versions, in_force.as_ref(), access.user.as_str()),
        in_force,
    })
}

fn known(kind: &str) -> Result<Kind, ServiceError> {
    let kind: Kind = kind.parse().map_err(|_| ServiceError::NotFound)?;
    let has_one = KINDS.contains(&kind);
    has_one.then_some(kind).ok_or(ServiceError::NotFound)
}

fn seen(versions: &[Written]) -> Seen {
    versions.first().map_or_else(Seen::default, |w| Seen {
        number: w.version.number,
        version: w.version.version,
    })
}

/// What holds for a kind of request now, and whose it is where it has none of its own.
async fn holds(
    rx: &mut ReadTx,
    kind: Kind,
    versions: &[Written],
) -> Result<(Option<InForce>, Option<Kind>), ServiceError> {
    if let Some(own) = in_force(versions) {
        return Ok((Some(own), None));
    }
    if kind != Kind::Change {
        return Ok((None, None));
    }
    let new = versions_of(rx, Kind::New).await?;
    Ok((in_force(&new), Some(Kind::New)))
}

fn in_force(versions: &[Written]) -> Option<InForce> {
    let Written { version, policy } = versions
        .iter()
        .find(|w| w.version.state == Publication::Published)?;
    Some(InForce {
        number: version.number,
        since: version.published_at,
        by: version.publisher.clone(),
        policy: policy.clone(),
    })
}

fn rows(versions: Vec<Written>, followed: Option<&InForce>, me: &str) -> Vec<PolicyVersion> {
    // The first of a kind that follows another takes that one's place.
    let before: Vec<Option<Policy>> = versions
        .iter()
        .map(|w| {
            let earlier = versions
                .iter()
                .filter(|one| one.version.number < w.version.number);
            let was_in_force = |one: &&Written| one.version.published_at.is_some();
            let earlier = earlier
                .filter(was_in_force)
                .max_by_key(|one| one.version.number);
            match earlier {
                Some(one) => Some(one.policy.clone()),
                None if w.version.published_at.is_none() => followed.map(|f| f.policy.clone()),
                None => None,
            }
        })
        .collect();
    let row = |(w, before): (Written, Option<Policy>)| {
        let Written { version: v, policy } = w;
        PolicyVersion {
            may: acts(&v, me),
            changes: before.map_or_else(Vec::new, |old| old.differences(&policy)),
            number: v.number,
            state: v.state,
            written_by: v.writer,
            written_at: v.written_at,
            published_by: v.publisher,
            published_at: v.published_at,
            retired_at: v.retired_at,
            policy,
            version: v.version,
        }
    };
    versions.into_iter().zip(before).map(row).collect()
}

/// The route that a request with these facts would take by a policy, or by the one in force: the
/// very code of a submit.
///
/// # Errors
/// [`ServiceError::Forbidden`]; [`ServiceError::NotFound`] where nothing is in force.
pub async fn try_out(
    cx: &Cx,
    kind: &str,
    policy: Option<Policy>,
    facts: &Facts,
) -> Result<Route, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ManageItems)?;
    let kind = known(kind)?;
    let policy = match policy {
        Some(policy) => policy,
        None => {
            policies::in_force(&mut rx, kind.as_str())
                .await?
                .or_not_found()?
                .1
        }
    };
    Ok(policy.route(facts))
}

/// Writes a policy: on in its draft, or as a new draft. Nothing of it is in force.
///
/// # Errors
/// [`ServiceError::Invalid`] at the places that break rules; [`ServiceError::Conflict`] with what is
/// otherwise there now if somebody else wrote since `read`, or if a version waits for its
/// publication; [`ServiceError::Forbidden`], [`ServiceError::NotFound`].
pub async fn write(cx: &Cx, kind: &str, read: Seen, policy: &Policy) -> Result<i64, ServiceError> {
    let result = write_once(cx, kind, read, policy).await;
    traced(cx, result, || Event::new("policy.write", "policy", kind)).await
}

async fn write_once(cx: &Cx, kind: &str, read: Seen, policy: &Policy) -> Result<i64, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    access.require(Ability::ManageItems)?;
    let kind = known(kind)?;
    let policy = &check(&mut tx, policy).await?;
    let versions = versions_of(&mut tx, kind).await?;
    let newest = versions.first();
    if let Some(stands) = newest {
        if stands.version.state == Publication::Proposed {
            return Err(ServiceError::Conflict(Msg::new("items.waits")));
        }
        if seen(&versions) != read {
            return Err(ServiceError::Conflict(changed(stands, policy)));
        }
    }
    let (number, on) = match newest.map(|w| &w.version) {
        Some(v) if v.state == Publication::Draft => (v.number, Some(v.version)),
        Some(v) => (v.number + 1, None),
        None => (1, None),
    };
    let json = serde_json::to_string(policy)
        .map_err(|e| ServiceError::internal("a policy to be stored", e))?;
    match on {
        Some(version) => {
            let draft = Draft {
                sort: Versions::POLICY,
                of: kind.as_str(),
                number,
                json: &json,
                by: &access.user,
                at: cx.now(),
            };
            publication::rewrite(&mut tx, version, &draft).await?;
        }
        None => {
            let id: PolicyId = cx.id();
            let new = New {
                id: &id,
                kind: kind.as_str(),
                number,
                json: &json,
                state: Publication::Draft,
                by: access.user.as_str(),
                at: cx.now(),
            };
            policies::insert(&mut tx, &new).await?;
        }
    }
    let event = Event::new("policy.write", "policy", kind).detail(json!({ "number": number }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(number)
}

/// What whoever wants to write over somebody else's words is told: whose they are, and where they
/// are other ones.
fn changed(stands: &Written, typed: &Policy) -> Msg {
    let mut told = typed.differences(&stands.policy);
    let more = told.len().saturating_sub(MOST_TOLD);
    told.truncate(MOST_TOLD);
    if more > 0 {
        let n = i64::try_from(more).unwrap_or(i64::MAX);
        told.push(Msg::new("policy.diff.more").with("n", n));
    }
    let what = told
        .into_iter()
        .reduce(|a, b| Msg::new("policy.then").with("a", a).with("b", b))
        .unwrap_or_else(|| Msg::new("policy.diff.none"));
    stood(Msg::new("policy.changed"), &stands.version).with("what", what)
}

fn stood(msg: Msg, stands: &Version) -> Msg {
    let state = Msg::new(format!("items.state.{}", stands.state));
    let msg = msg.with("number", stands.number).with("state", state);
    let (who, at): (Option<&String>, Timestamp) = match stands.published_at {
        Some(at) => (stands.publisher.as_ref(), at),
        None => (stands.writer.as_ref(), stands.written_at),
    };
    let msg = match who {
        Some(name) => msg.with("who", name.clone()),
        None => msg.with("who", Msg::new("items.system")),
    };
    msg.with("at", at)
}

/// Proposes a draft, takes a proposal back, or publishes it.
///
/// # Errors
/// [`ServiceError::Forbidden`]; [`ServiceError::Conflict`] if the writer wants to publish, if the
/// version is no longer as it was read, or if the step does not follow from where it stands.
pub async fn act(cx: &Cx, kind: &str, read: Seen, act: Act) -> Result<(), ServiceError> {
    let result = act_once(cx, kind, read, act).await;
    traced(cx, result, || {
        Event::new("policy.publication", "policy", kind).detail(json!({ "act": act.as_str() }))
    })
    .await
}

async fn act_once(cx: &Cx, kind: &str, read: Seen, act: Act) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    access.require(Ability::ManageItems)?;
    let kind = known(kind)?;
    let versions = versions_of(&mut tx, kind).await?;
    let Written {
        version: stands,
        policy,
    } = versions
        .iter()
        .find(|w| w.version.number == read.number)
        .or_not_found()?;
    let (from, to) = step_of(act)?;
    if (stands.version, stands.state) != (read.version, from) {
        let msg = stood(Msg::new("policy.moved"), stands);
        return Err(ServiceError::Conflict(msg));
    }
    if act == Act::Publish {
        if stands.written_by == access.user.as_str() {
            return Err(ServiceError::Conflict(Msg::new("items.second_person")));
        }
        // The rules, or the items that it names, may be other ones than when it was written.
        check(&mut tx, policy).await?;
    }
    let step = Step {
        sort: Versions::POLICY,
        of: kind.as_str(),
        number: read.number,
        version: read.version,
        from,
        to,
        by: &access.user,
        at: cx.now(),
    };
    publication::take(&mut tx, &step).await?;
    let event = Event::new("policy.publication", "policy", kind)
        .detail(json!({ "act": act.as_str(), "number": read.number }));
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

/// The rules of the model, and that the items and zones which it names exist; gives the policy with the
/// zones called as they are called now.
async fn check(rx: &mut ReadTx, policy: &Policy) -> Result<Policy, ServiceError> {
    policy.check().map_err(ServiceError::Invalid)?;
    let mut called = policy.clone();
    let refused = |msg| ServiceError::Invalid(vec![FieldError::new("stages", msg)]);
    called
        .name_zones(&place::zones(rx).await?)
        .map_err(|zone| refused(Msg::new("policy.unknown_zone").with("zone", zone.as_str())))?;
    let named = policy.item_codes();
    if named.is_empty() {
        return Ok(called);
    }
    let items = item_version::list(rx).await?;
    let unknown = named
        .into_iter()
        .find(|code| !items.iter().any(|item| item.code == *code));
    match unknown {
        None => Ok(called),
        Some(code) => Err(refused(Msg::new("policy.no_item").with("code", code))),
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod policy_tests;
