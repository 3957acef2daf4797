//! Letting the portal follow a cloud in what costs nothing: power, rules, names, addresses.

use lingbao_backends::provisioning::ExternalId;
use lingbao_model::{
    access_rule::text_of,
    id::{DifferenceId, UserId},
    msg::Msg,
    people::Role,
    resource::{EventKind, ServiceState},
    view::difference::{Act, Aspect, Closing, DifferenceKind, DifferenceRow, Said},
};
use serde_json::{Value, json};

use super::{PATIENCE, event, open, operator, stale};
use crate::{
    app::Cx,
    authz::{Ability, Scope},
    error::{OrNotFound, ServiceError},
    fulfil::{access_rule, reconcile::CompareCloud},
    jobs,
    service::{notice, refusal::traced},
    storage::{Tx, change, difference, resource},
};

/// What the power of a server is in the cloud, if it differs and is one that we can follow.
pub(super) fn followed(row: &DifferenceRow) -> Option<(ServiceState, EventKind)> {
    let power = |said: &&Said| said.aspect == Aspect::Power && said.differs();
    let said = row.said.iter().find(power)?;
    match said.cloud.as_deref()? {
        "running" => Some((ServiceState::Running, EventKind::Started)),
        "stopped" => Some((ServiceState::Stopped, EventKind::Stopped)),
        _ => None,
    }
}

/// What both sides say of who comes in to a host that stands, if they differ.
pub(super) fn rules_apart(row: &DifferenceRow) -> Option<&Said> {
    let rules = |said: &&Said| said.aspect == Aspect::Rules && said.differs();
    let changed = row.kind == DifferenceKind::Changed;
    row.said.iter().find(rules).filter(|_| changed)
}

/// What the cloud lets in to a host, if it differs; nothing is the empty text.
pub(super) fn followed_rules(row: &DifferenceRow) -> Option<&str> {
    rules_apart(row).map(|said| said.cloud.as_deref().unwrap_or_default())
}

/// Whether a thing stands there under another name or at another address than we have written down:
/// no cloud gives them back, and they cost nothing.
pub(super) fn known_otherwise(row: &DifferenceRow) -> bool {
    let otherwise = |said: &Said| {
        matches!(said.aspect, Aspect::Name | Aspect::Address)
            && said.differs()
            && said.cloud.is_some()
    };
    row.kind == DifferenceKind::Changed && row.said.iter().any(otherwise)
}

/// Lets the portal follow the cloud: a server is called what it is there, running or stopped, what
/// comes in to it there becomes its owner's rules, and a name or an address is what it is there. By
/// `act` it is [`Act::Follow`], or [`Act::FollowPower`] alone.
///
/// # Errors
/// [`ServiceError::Conflict`] if none of these differs any more, it has moved since it was read
/// ([`DifferenceRow::digest`]), something is being done to it, the cloud does not answer, or the law
/// forbids one of the rules: then it is named, and nothing is followed.
pub async fn follow(cx: &Cx, id: &DifferenceId, read: &str, act: Act) -> Result<(), ServiceError> {
    let done = do_follow(cx, id, read, act).await;
    traced(cx, done, || event("difference.follow", id, Value::Null)).await
}

/// What a round saw may be minutes old, and nobody's rules become what comes in no more: the cloud is
/// asked once more.
async fn still_comes_in(cx: &Cx, id: &DifferenceId) -> Result<(), ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    let row = difference::get(&mut rx, id).await?.or_not_found()?;
    drop(rx);
    let Some(rules) = followed_rules(&row).filter(|_| row.closed_at.is_none()) else {
        return Ok(());
    };
    let cloud = cx.app.backends.get_or_absent(&row.backend);
    let server = ExternalId(row.external_id.clone());
    match tokio::time::timeout(PATIENCE, cloud.server_rules(&server)).await {
        Ok(Ok(Some(told))) if text_of(&told.rules, &told.others) == rules => Ok(()),
        Ok(Ok(_)) => Err(stale()),
        Ok(Err(_)) | Err(_) => Err(ServiceError::Conflict(Msg::new("resource.cloud_away"))),
    }
}

async fn do_follow(cx: &Cx, id: &DifferenceId, read: &str, act: Act) -> Result<(), ServiceError> {
    let alone = act == Act::FollowPower;
    if !alone {
        still_comes_in(cx, id).await?;
    }
    let mut opened = open(cx, id, act, Some(read)).await?;
    let found = opened.resource().await?;
    // In the bin nothing runs and nobody comes in; its name is a name.
    let lies = found.service == ServiceState::Recycled;
    let power = followed(&opened.row).filter(|_| !lies);
    let stands = power.is_some_and(|(state, _)| state == found.service);
    let rules = followed_rules(&opened.row)
        .filter(|_| !alone && !lies)
        .map(str::to_owned);
    let known = !alone && known_otherwise(&opened.row);
    if stands || (power.is_none() && rules.is_none() && !known) {
        return Err(ServiceError::Conflict(Msg::new("difference.over")));
    }
    if rules.is_some() {
        opened.same_rules(&found).await?;
    }
    let by = opened.access.user.clone();
    let tx = &mut opened.tx;
    if let Some((state, kind)) = power {
        resource::set_states(tx, &found, state, found.billing).await?;
        resource::add_event(tx, &cx.id(), &found.id, kind, by.as_str(), cx.now()).await?;
    }
    if let Some(rules) = &rules {
        access_rule::follow(tx, cx, &found, rules, &by).await?;
    }
    if known {
        let scope = opened.access.scope(Ability::ReadResources);
        know(&mut opened.tx, cx, &scope, &opened.row, &by).await?;
    }
    change::touch(&mut opened.tx, cx, &format!("unit:{}", found.unit)).await?;
    // Of several things that differ, the others stand; a round says which.
    let mut differing = opened.row.said.iter().filter(|said| said.differs());
    if differing.all(|said| match said.aspect {
        Aspect::Power => power.is_some(),
        Aspect::Rules => rules.is_some(),
        Aspect::Name | Aspect::Address => known,
        _ => false,
    }) {
        opened.close(cx, Closing::Followed).await?;
    } else {
        let backend = opened.row.backend.clone();
        jobs::enqueue(&mut opened.tx, cx, &CompareCloud { backend }).await?;
    }
    let after = power.map_or(found.service, |(state, _)| state);
    let said = json!({
        "resource": found.id, "before": found.service, "after": after, "rules": rules, "known": known,
    });
    let event = event("difference.follow", id, said).of_unit(&found.unit);
    opened.commit(cx, event).await
}

/// Writes down the name and the address that a thing has in the cloud; of another address its unit
/// is told, since names and lists elsewhere say the old one.
async fn know(
    tx: &mut Tx,
    cx: &Cx,
    scope: &Scope,
    row: &DifferenceRow,
    by: &UserId,
) -> Result<(), ServiceError> {
    let cloud = |aspect: Aspect| {
        let said = row.said.iter().find(|said| said.aspect == aspect)?;
        said.cloud.as_deref()
    };
    let id = row.resource.as_ref().or_not_found()?;
    // What was followed before has moved its row.
    let found = resource::get(tx, scope, id).await?.or_not_found()?;
    let name = cloud(Aspect::Name).filter(|name| *name != found.name);
    let address = cloud(Aspect::Address).filter(|there| Some(*there) != found.address.as_deref());
    resource::known_as(tx, &found, name, address).await?;
    let (kind, at) = (EventKind::Followed, cx.now());
    resource::add_event(tx, &cx.id(), &found.id, kind, by.as_str(), at).await?;
    if let Some(after) = address {
        let msg = Msg::new("notice.address_followed")
            .with("name", found.name.clone())
            .with("before", found.address.clone().unwrap_or_default())
            .with("after", after.to_owned());
        let link = format!("/resources/{}", found.id);
        notice::send_to_role(tx, cx, Role::Applicant, &found.unit, &msg, &link).await?;
    }
    Ok(())
}
