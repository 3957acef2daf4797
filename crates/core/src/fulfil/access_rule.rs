//! What may come in to a host, and who gets in: rules of its owner beside its protection level's
//! preset, and a new one-time password. Both cost nothing, take no quota and are done at once.
//!
//! The cloud is told the whole set, so that a call that is repeated changes nothing; our rows change
//! in the transaction that ends the saga. What may be opened at all stands in
//! [`lingbao_model::access_rule`].

use lingbao_backends::provisioning::Object;
use lingbao_model::{
    access_rule::{self, AccessRule, AccessRuleForm, Ground, MOST_RULES},
    catalogue::Fulfiller,
    id::{AccessRuleId, ResourceId, UserId},
    msg::Msg,
    placement::Placement,
    resource::{EventKind, ServiceState},
    view::resource::{AccessRuleRow, AccessRulesView, Act},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    acts::{Ready, begin, came_before, conflict, not_now, ready},
    operate::{Params, What},
    reconcile::CompareCloud,
    step::keep_password,
};
use crate::{
    app::Cx,
    audit,
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError, StorageError},
    jobs,
    saga::Ended,
    service::refusal::traced,
    storage::{
        ReadTx, Tx, access_rule as rows, cloud, difference, fulfilment, project,
        resource::{self, Resource},
        resource_action,
    },
};

/// What becomes of the rows when the cloud has taken the set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// One more.
    Add {
        /// Its row.
        id: AccessRuleId,
        /// The rule.
        rule: AccessRule,
        /// What it is for.
        note: String,
    },
    /// One less.
    Remove {
        /// Its row.
        id: AccessRuleId,
    },
}

// ---- what the saga writes

/// The cloud was told the rules of a host: what a round saw of them is old. What stands about it is
/// looked at anew at once, so that nobody decides upon what was there before.
pub(super) async fn told(tx: &mut Tx, cx: &Cx, params: &Params) -> Result<(), StorageError> {
    rows::moved(tx, &params.resource).await?;
    if !difference::of_resource(tx, &params.resource)
        .await?
        .is_empty()
    {
        let backend = params.backend.clone();
        jobs::enqueue(tx, cx, &CompareCloud { backend }).await?;
    }
    Ok(())
}

/// The rows follow the cloud.
pub(super) async fn written(
    tx: &mut Tx,
    cx: &Cx,
    params: &Params,
    change: &Change,
) -> Result<(), StorageError> {
    match change {
        Change::Add { id, rule, note } => {
            let new = rows::New {
                id,
                resource: &params.resource,
                rule,
                note,
                by: &params.actor,
                at: cx.now(),
            };
            rows::insert(tx, &new).await
        }
        Change::Remove { id } => rows::delete(tx, &params.resource, id).await,
    }
}

/// The new password that a step gave waits to be shown once, in the place of the old one. `false` if
/// the cloud gave none: then the server is gone.
pub(super) async fn password_renewed(
    tx: &mut Tx,
    cx: &Cx,
    ended: &Ended<'_, Params>,
) -> Result<bool, StorageError> {
    let output = ended.outputs.get("password").cloned().unwrap_or_default();
    let Ok(Object::Server(server)) = serde_json::from_value(output) else {
        return Ok(false);
    };
    keep_password(tx, cx, &ended.params.resource, &server).await
}

// ---- following the cloud

/// What the owner of a host lets in, as a round writes it down.
///
/// # Errors
/// What the database says.
pub(crate) async fn text(rx: &mut ReadTx, id: &ResourceId) -> Result<String, StorageError> {
    let own = rules(&rows::of_resource(rx, id).await?);
    Ok(access_rule::text_of(&own, &[]))
}

/// The rows of a host become what its cloud lets in, which an operator has seen as `said`
/// ([`access_rule::text_of`]). Nobody gets in by this way where the owner could not have let them in.
///
/// # Errors
/// [`ServiceError::Conflict`] with the rule that the law forbids, or that no portal makes; if they are
/// too many.
pub(crate) async fn follow(
    tx: &mut Tx,
    cx: &Cx,
    found: &Resource,
    said: &str,
    by: &UserId,
) -> Result<(), ServiceError> {
    let place = found.placement.as_ref().or_not_found()?;
    let ground = ground(tx, place).await?;
    let mut wanted: Vec<AccessRule> = Vec::new();
    for one in access_rule::each_of(said) {
        let Ok(rule) = one.parse::<AccessRule>() else {
            let msg = Msg::new("difference.rule_unknown").with("rule", one.to_owned());
            return Err(ServiceError::Conflict(msg));
        };
        if let Err(wrong) = access_rule::judge(&rule, ground) {
            let msg = Msg::new("difference.rule_forbidden")
                .with("rule", one.to_owned())
                .with("reason", wrong.msg);
            return Err(ServiceError::Conflict(msg));
        }
        wanted.push(rule);
    }
    if wanted.len() > MOST_RULES {
        return Err(ServiceError::Conflict(too_many()));
    }
    let before = rows::of_resource(tx, &found.id).await?;
    for row in before.iter().filter(|row| !wanted.contains(&row.rule)) {
        rows::delete(tx, &found.id, &row.id).await?;
    }
    wanted.retain(|rule| before.iter().all(|row| row.rule != *rule));
    for rule in &wanted {
        let new = rows::New {
            id: &cx.id(),
            resource: &found.id,
            rule,
            note: "",
            by,
            at: cx.now(),
        };
        rows::insert(tx, &new).await?;
    }
    rows::moved(tx, &found.id).await?;
    let kind = EventKind::RulesChanged;
    resource::add_event(tx, &cx.id(), &found.id, kind, by.as_str(), cx.now()).await?;
    Ok(())
}

fn too_many() -> Msg {
    let max = i64::try_from(MOST_RULES).unwrap_or(i64::MAX);
    Msg::new("access_rule.too_many").with("max", max)
}

// ---- reading

async fn ground(rx: &mut ReadTx, place: &Placement) -> Result<Ground, StorageError> {
    let pool = fulfilment::pool_site(rx, &place.pool).await?;
    Ok(Ground {
        level: place.level,
        internet: pool.internet,
    })
}

/// What may come in to a host.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see it, or it is no host.
pub async fn view(cx: &Cx, id: &ResourceId) -> Result<AccessRulesView, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let scope = access.scope(Ability::ReadResources);
    let found = resource::get(&mut rx, &scope, id).await?.or_not_found()?;
    let host = found.kind == Fulfiller::Server;
    let place = found.placement.as_ref().filter(|_| host).or_not_found()?;
    let ground = ground(&mut rx, place).await?;
    let backend = found.backend.clone().unwrap_or_default();
    let stands = matches!(found.service, ServiceState::Running | ServiceState::Stopped);
    let able = cloud::able(&mut rx, &backend).await?;
    let releasing = resource_action::open_release(&mut rx, id).await?.is_some();
    let closed = if !stands {
        Some(found.not_now())
    } else if !able.contains(&Act::Rules) {
        Some(Msg::new("resource.cloud_can_not"))
    } else if releasing {
        Some(Msg::new("resource.being_released"))
    } else {
        None
    };
    let busy = resource_action::current(&mut rx, id).await?;
    let own = access
        .require_on(&mut rx, Ability::OperateResources, &found.unit)
        .await;
    let vpc = project::vpc(&mut rx, &found.vdc, &place.pool).await?;
    // Of a host that was given back nothing is open any more; the audit trail has its rules.
    let rules = if found.service == ServiceState::Released {
        Vec::new()
    } else {
        rows::of_resource(&mut rx, id).await?
    };
    drop(rx);
    let name = access_rule::preset_name(ground.level, ground.internet);
    let cloud = cx.app.backends.get_or_absent(&backend);
    Ok(AccessRulesView {
        resource: found.id,
        name: found.name,
        level: ground.level,
        internet: ground.internet,
        network: vpc.map(|vpc| vpc.cidr),
        preset: cloud.preset(&name).unwrap_or_default(),
        own: rules,
        may: own.is_ok() && closed.is_none() && busy.is_none(),
        busy: busy.map(|kind| Msg::new(format!("resource.busy.{kind}"))),
        closed,
    })
}

// ---- use cases

fn rules(rows: &[AccessRuleRow]) -> Vec<AccessRule> {
    rows.iter().map(|row| row.rule).collect()
}

/// A host of the caller's, ready to be told other rules.
async fn host(
    tx: &mut Tx,
    access: &Access,
    id: &ResourceId,
) -> Result<(Ready, Placement), ServiceError> {
    let ready = ready(tx, access, id, Act::Rules).await?;
    match (ready.found.kind, ready.found.placement.clone()) {
        (Fulfiller::Server, Some(place)) => Ok((ready, place)),
        _ => conflict("resource.no_host"),
    }
}

/// What was typed, cut to what an honest form holds: a refusal is kept for years.
fn short(typed: &str) -> String {
    typed.chars().take(40).collect()
}

/// Adds a rule to those of a host.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see it, [`ServiceError::Forbidden`] if it is not
/// the caller's to use, [`ServiceError::Invalid`] on `protocol`, `ports`, `source` and `note`,
/// [`ServiceError::Conflict`] if it has too many rules, is no host, is being changed or given back, or
/// its cloud knows no rules.
pub async fn add(
    cx: &Cx,
    id: &ResourceId,
    form: &AccessRuleForm,
    sent: &str,
) -> Result<(), ServiceError> {
    let result = add_once(cx, id, form, sent).await;
    traced(cx, result, || {
        audit::Event::new("resource.rule_add", "resource", id).detail(json!({
            "protocol": short(&form.protocol), "ports": short(&form.ports), "source": short(&form.source),
        }))
    })
    .await
}

async fn add_once(
    cx: &Cx,
    id: &ResourceId,
    form: &AccessRuleForm,
    sent: &str,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let (ready, place) = host(&mut tx, &access, id).await?;
    if came_before(&mut tx, cx, &access, id, sent).await? {
        return Ok(());
    }
    let before = rules(&rows::of_resource(&mut tx, id).await?);
    if before.len() >= MOST_RULES {
        return Err(ServiceError::Conflict(too_many()));
    }
    let (rule, note) = form.read().map_err(ServiceError::Invalid)?;
    let ground = ground(&mut tx, &place).await?;
    access_rule::may_add(&before, &rule, ground).map_err(|e| ServiceError::Invalid(vec![e]))?;
    let mut wanted = before.clone();
    wanted.push(rule);
    let event = audit::Event::new("resource.rule_add", "resource", id)
        .of_unit(&ready.found.unit)
        .detail(json!({ "rule": rule, "note": note }));
    let what = What::SetRules {
        rules: wanted,
        before,
        change: Change::Add {
            id: cx.id(),
            rule,
            note,
        },
    };
    begin(&mut tx, cx, &access, &ready, what).await?;
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(())
}

/// Removes a rule of a host.
///
/// # Errors
/// [`ServiceError::NotFound`] if the caller doesn't see the host or it has no such rule,
/// [`ServiceError::Forbidden`], [`ServiceError::Conflict`] if it is being changed or given back, or its
/// cloud knows no rules.
pub async fn remove(
    cx: &Cx,
    id: &ResourceId,
    rule: &AccessRuleId,
    sent: &str,
) -> Result<(), ServiceError> {
    let result = remove_once(cx, id, rule, sent).await;
    traced(cx, result, || {
        audit::Event::new("resource.rule_remove", "resource", id).detail(json!({ "id": rule }))
    })
    .await
}

async fn remove_once(
    cx: &Cx,
    id: &ResourceId,
    rule: &AccessRuleId,
    sent: &str,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let (ready, _) = host(&mut tx, &access, id).await?;
    if came_before(&mut tx, cx, &access, id, sent).await? {
        return Ok(());
    }
    let mut all = rows::of_resource(&mut tx, id).await?;
    let before = rules(&all);
    let at = all.iter().position(|row| row.id == *rule).or_not_found()?;
    let gone = all.remove(at);
    let what = What::SetRules {
        rules: rules(&all),
        before,
        change: Change::Remove { id: rule.clone() },
    };
    begin(&mut tx, cx, &access, &ready, what).await?;
    let event = audit::Event::new("resource.rule_remove", "resource", id)
        .of_unit(&ready.found.unit)
        .detail(json!({ "rule": gone.rule, "note": gone.note }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(())
}

/// Sets a new one-time password for the administrator of a running host. It waits to be shown once,
/// like the first one; where nothing inside the host takes the order the old one stays.
///
/// # Errors
/// [`ServiceError::NotFound`], [`ServiceError::Forbidden`], [`ServiceError::Conflict`] if it does not
/// run, is being changed or given back, or its cloud sets no passwords.
pub async fn new_password(cx: &Cx, id: &ResourceId, sent: &str) -> Result<(), ServiceError> {
    let result = new_password_once(cx, id, sent).await;
    traced(cx, result, || {
        audit::Event::new("resource.new_password", "resource", id)
    })
    .await
}

async fn new_password_once(cx: &Cx, id: &ResourceId, sent: &str) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let ready = ready(&mut tx, &access, id, Act::NewPassword).await?;
    if came_before(&mut tx, cx, &access, id, sent).await? {
        return Ok(());
    }
    if ready.found.kind != Fulfiller::Server {
        return conflict("resource.no_host");
    }
    if ready.found.service != ServiceState::Running {
        return not_now(&ready.found);
    }
    begin(&mut tx, cx, &access, &ready, What::NewPassword).await?;
    let event = audit::Event::new("resource.new_password", "resource", id);
    audit::record(&mut tx, cx, event.of_unit(&ready.found.unit)).await?;
    tx.commit().await?;
    Ok(())
}
