//! Quotas: what a unit may use and uses. The site's own limits are set ([`set_site`]); from them
//! parts are handed on to the units below, and taken back ([`hand`]).

use std::collections::BTreeSet;

use lingbao_model::{
    id::{PoolId, QuotaEntryId, UnitId, UserId},
    money::Money,
    msg::{FieldError, Msg},
    people::Role,
    placement::Pool,
    quota::{Account, Dimension, Standing},
    view::{
        page::Page,
        people::UnitQuery,
        quota::{ChildQuota, QuotaRow, QuotaView},
    },
};
use serde_json::json;

use super::{notice, refusal::traced};
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError, StorageError},
    storage::{Tx, place, quota, unit as units, user as users, vdc},
};

/// How many entries of the ledger the page shows.
const ENTRIES: i64 = 50;
/// More than any site has of anything; keeps sums far from overflow.
const MOST: i64 = 1_000_000_000_000;

fn rows(mut account: Account, pools: &[Pool]) -> Vec<QuotaRow> {
    // Cores and memory before what is asked for less.
    let place = |dimension: &Dimension| Dimension::ALL.iter().position(|one| one == dimension);
    account
        .standings
        .sort_by_key(|(_, dimension, _)| place(dimension));
    // In the order of the pools; a balance refers to a pool, so none gets lost.
    pools
        .iter()
        .flat_map(|pool| {
            account
                .standings
                .iter()
                .filter(|(id, _, standing)| *id == pool.id && *standing != Standing::default())
                .map(|(id, dimension, standing)| QuotaRow {
                    pool: id.clone(),
                    pool_name: pool.name.clone(),
                    dimension: *dimension,
                    standing: *standing,
                })
        })
        .collect()
}

/// The quota of a unit, of the caller's own one if none is named.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever reads no quotas, [`ServiceError::NotFound`] for a unit
/// out of sight.
pub async fn view(cx: &Cx, unit: Option<UnitId>) -> Result<QuotaView, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ReadQuota)?;
    let scope = access.scope(Ability::ReadQuota);
    let unit = unit.unwrap_or_else(|| access.unit.clone());
    let node = units::get(&mut rx, &scope, &unit).await?.or_not_found()?;
    let may_hand = match access.require_on(&mut rx, Ability::HandQuota, &unit).await {
        Ok(()) => true,
        Err(ServiceError::Forbidden) => false,
        Err(error) => return Err(error),
    };
    let site = if access.has(Ability::SetSiteQuota) {
        vdc::top_unit(&mut rx).await?
    } else {
        None
    };
    let pools = place::pools(&mut rx).await?;
    let mut shown = QuotaView {
        unit_name: node.name,
        site,
        pools: pools
            .iter()
            .map(|pool| (pool.id.clone(), pool.name.clone()))
            .collect(),
        vdc: vdc::of_unit(&mut rx, &unit)
            .await?
            .into_iter()
            .next()
            .map(|(id, _)| id),
        rows: Vec::new(),
        children: Vec::new(),
        entries: Vec::new(),
        may_hand,
        unit,
    };
    let Some(own) = shown.vdc.clone() else {
        return Ok(shown);
    };
    shown.rows = rows(quota::account(&mut rx, &own).await?, &pools);
    let mut below = quota::accounts_below(&mut rx, &own).await?;
    shown.entries = quota::entries(&mut rx, &own, ENTRIES).await?;
    let seen = units::children(&mut rx, &scope, &shown.unit).await?;
    for (id, unit, name) in vdc::children(&mut rx, &own).await? {
        let visible = may_hand || seen.iter().any(|node| node.id == unit);
        // A unit's first VDC stands for it, here as in `hand`.
        if visible && shown.children.iter().all(|child| child.unit != unit) {
            shown.children.push(ChildQuota {
                rows: below
                    .remove(&id)
                    .map(|account| rows(account, &pools))
                    .unwrap_or_default(),
                unit,
                name,
            });
        }
    }
    Ok(shown)
}

/// One page of the units whose quota the caller may read, by name: those that a search meets, all of
/// them for an empty one.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever reads no quotas.
pub async fn readable(cx: &Cx, query: &UnitQuery) -> Result<Page<(UnitId, String)>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ReadQuota)?;
    let scope = access.scope(Ability::ReadQuota);
    let found = units::named(&mut rx, &scope, query).await?;
    Ok(Page {
        rows: found
            .rows
            .into_iter()
            .map(|node| (node.id, node.name))
            .collect(),
        next: found.next,
        total: found.total,
    })
}

/// Where a unit's quota is shown: notices lead there.
fn link(unit: &UnitId) -> String {
    format!("/quota?unit={unit}")
}

/// An amount as messages print it.
fn with_amount(msg: Msg, name: &'static str, dimension: Dimension, amount: i64) -> Msg {
    match dimension {
        Dimension::MonthlyFee => msg.with(name, Money::from_fen(amount)),
        _ => msg.with(name, amount),
    }
}

/// Tells everybody who holds one of the roles over a unit, except the person who acts.
async fn tell(
    tx: &mut Tx,
    cx: &Cx,
    roles: &[Role],
    unit: &UnitId,
    msg: &Msg,
) -> Result<(), StorageError> {
    let mut people: BTreeSet<UserId> = BTreeSet::new();
    for role in roles {
        people.extend(users::holders(tx, *role, unit).await?);
    }
    for person in people {
        if cx.actor.user() != Some(&person) {
            notice::send(tx, cx, &person, msg, &link(unit)).await?;
        }
    }
    Ok(())
}

/// What a form books under: posted twice with the same words it books once, with other words it is
/// another act, and nobody books under another one's.
fn operation(cx: &Cx, access: &Access, what: &str, form_id: &str, said: &str) -> String {
    if form_id.is_empty() {
        format!("{what}:{}", cx.id::<QuotaEntryId>())
    } else {
        let said = cx.app.crypto.digest_hex(said.as_bytes());
        format!("{what}:{}:{form_id}:{said}", access.user)
    }
}

/// A part of a limit to be handed on, or to be taken back.
#[derive(Debug, Clone)]
pub struct Hand {
    /// To which unit; it gets it from the unit whose VDC stands above its own.
    pub child: UnitId,
    /// In which pool.
    pub pool: PoolId,
    /// Which dimension.
    pub dimension: Dimension,
    /// How much, in the unit of the dimension (分 for the monthly fee); below 0 it is taken back.
    pub amount: i64,
    /// The id of the form: posted twice, it books once.
    pub form_id: String,
}

/// Hands a part of a limit on to a unit below, or takes a part back: what the unit has handed on
/// itself can't be taken, what it uses stays, and nothing new fits until it uses less. Says where
/// the unit stands then.
///
/// # Errors
/// [`ServiceError::NotFound`] if the unit above is out of sight, [`ServiceError::Forbidden`] for
/// whoever may not hand its limits on, [`ServiceError::Invalid`] on `amount` if less is left.
pub async fn hand(cx: &Cx, hand: &Hand) -> Result<Standing, ServiceError> {
    let result = hand_once(cx, hand).await;
    let action = if hand.amount < 0 {
        "quota.take_back"
    } else {
        "quota.hand"
    };
    traced(cx, result, || Event::new(action, "unit", &hand.child)).await
}

async fn hand_once(cx: &Cx, hand: &Hand) -> Result<Standing, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let (child, _) = vdc::of_unit(&mut tx, &hand.child)
        .await?
        .into_iter()
        .next()
        .or_not_found()?;
    let parent = vdc::parent(&mut tx, &child).await?.or_not_found()?;
    let unit = vdc::unit(&mut tx, &parent).await?.or_not_found()?;
    let scope = access.scope(Ability::ReadQuota);
    let above = units::get(&mut tx, &scope, &unit).await?.or_not_found()?;
    access
        .require_on(&mut tx, Ability::HandQuota, &unit)
        .await?;
    let pools = place::pools(&mut tx).await?;
    let place = pools.iter().find(|p| p.id == hand.pool).or_not_found()?;
    let Hand {
        pool,
        dimension,
        amount,
        ..
    } = hand;
    if *amount == 0 || !(-MOST..=MOST).contains(amount) {
        return Err(ServiceError::invalid("amount", Msg::new("quota.positive")));
    }
    let said = format!("{child} {pool} {dimension} {amount}");
    let operation = operation(cx, &access, "hand", &hand.form_id, &said);
    // Locked first: of the same form, posted twice at once, the second one sees what the first did.
    let before = quota::locked(&mut tx, &child, pool, *dimension).await?;
    if quota::is_booked(&mut tx, &operation).await? {
        return Ok(before);
    }
    let pair = (&parent, &child);
    if !quota::hand(&mut tx, cx, &operation, pair, pool, *dimension, *amount).await? {
        let msg = if *amount < 0 {
            let left = before.limit.saturating_sub(before.handed).max(0);
            with_amount(Msg::new("quota.not_takeable"), "left", *dimension, left)
        } else {
            let account = quota::account(&mut tx, &parent).await?;
            let left = account.standing(pool, *dimension).left().max(0);
            with_amount(Msg::new("quota.not_left"), "left", *dimension, left)
        };
        return Err(ServiceError::invalid("amount", msg));
    }
    let after = Standing {
        limit: before.limit.saturating_add(*amount),
        ..before
    };
    let (action, said) = match (*amount < 0, after.left() < 0) {
        (false, _) => ("quota.hand", "quota.notice.handed"),
        (true, false) => ("quota.take_back", "quota.notice.taken"),
        (true, true) => ("quota.take_back", "quota.notice.taken_below"),
    };
    let msg = Msg::new(said)
        .with("unit", above.name)
        .with("pool", place.name.clone())
        .with("dimension", Msg::new(format!("dimension.{dimension}")));
    let msg = with_amount(msg, "amount", *dimension, amount.saturating_abs());
    let msg = with_amount(msg, "limit", *dimension, after.limit);
    tell(&mut tx, cx, &[Role::DeptLeader], &hand.child, &msg).await?;
    let event = Event::new(action, "vdc", &child)
        .of_unit(&unit)
        .detail(json!({ "from": parent, "pool": pool, "dimension": dimension, "amount": amount }));
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(after)
}

/// One limit of the site to be set.
#[derive(Debug, Clone)]
pub struct Limit {
    /// What a message about it is said at.
    pub field: String,
    /// In which pool.
    pub pool: PoolId,
    /// Which dimension.
    pub dimension: Dimension,
    /// The new limit, in the unit of the dimension (分 for the monthly fee).
    pub limit: i64,
    /// The limit as it was read: if it is another one by now, nothing is set.
    pub was: Option<i64>,
}

/// Sets limits of the site itself, all of them or none. One may be set below use, and then blocks
/// only what is new; but not below what was handed on: that is taken back first.
///
/// # Errors
/// [`ServiceError::NotFound`] for a unit or a pool that is none, [`ServiceError::Forbidden`] for
/// whoever sets no limits of the site, [`ServiceError::Conflict`] for a unit whose limits come from
/// above and for a limit that was changed meanwhile, [`ServiceError::Invalid`] at the fields.
pub async fn set_site(
    cx: &Cx,
    unit: &UnitId,
    limits: &[Limit],
    form_id: &str,
) -> Result<(), ServiceError> {
    let result = set_once(cx, unit, limits, form_id).await;
    traced(cx, result, || Event::new("quota.limit", "unit", unit)).await
}

async fn set_once(
    cx: &Cx,
    unit: &UnitId,
    limits: &[Limit],
    form_id: &str,
) -> Result<(), ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let scope = access.scope(Ability::ReadQuota);
    let node = units::get(&mut tx, &scope, unit).await?.or_not_found()?;
    access
        .require_on(&mut tx, Ability::SetSiteQuota, unit)
        .await?;
    let own = vdc::of_unit(&mut tx, unit).await?.into_iter().next();
    let (own, _) = own.or_not_found()?;
    if vdc::parent(&mut tx, &own).await?.is_some() {
        return Err(ServiceError::Conflict(Msg::new("quota.from_above")));
    }
    let pools = place::pools(&mut tx).await?;
    let mut ordered: Vec<&Limit> = limits.iter().collect();
    // The order in which everybody locks.
    ordered.sort_by(|a, b| (&a.pool, a.dimension).cmp(&(&b.pool, b.dimension)));
    let mut before = Vec::with_capacity(ordered.len());
    for one in &ordered {
        pools.iter().find(|p| p.id == one.pool).or_not_found()?;
        before.push(quota::locked(&mut tx, &own, &one.pool, one.dimension).await?);
    }
    let said = |one: &&Limit| format!("{} {} {}", one.pool, one.dimension, one.limit);
    let said: Vec<_> = ordered.iter().map(said).collect();
    let said = format!("{own} {}", said.join(" "));
    let operation = operation(cx, &access, "limit", form_id, &said);
    if quota::is_booked(&mut tx, &operation).await? {
        return Ok(());
    }
    let (mut errors, mut changed, mut below) = (Vec::new(), Vec::new(), false);
    for (one, before) in ordered.into_iter().zip(before) {
        if one.was.is_some_and(|was| was != before.limit) {
            return Err(ServiceError::Conflict(Msg::new("error.stale")));
        }
        let mut wrong = |msg| errors.push(FieldError::new(one.field.clone(), msg));
        if !(0..=MOST).contains(&one.limit) {
            let msg = Msg::new("quota.limit_range");
            wrong(with_amount(msg, "most", one.dimension, MOST));
        } else if one.limit < before.handed {
            let msg = Msg::new("quota.below_handed");
            wrong(with_amount(msg, "handed", one.dimension, before.handed));
        } else if one.limit != before.limit {
            let (limit, dimension) = (one.limit, one.dimension);
            quota::set_limit(&mut tx, cx, &operation, &own, &one.pool, dimension, limit).await?;
            below |= Standing { limit, ..before }.left() < 0;
            changed.push(json!({ "pool": one.pool, "dimension": dimension,
                "before": before.limit, "after": limit }));
        }
    }
    if !errors.is_empty() {
        return Err(ServiceError::Invalid(errors));
    }
    if changed.is_empty() {
        return Ok(());
    }
    let said = if below {
        "quota.notice.limits_below"
    } else {
        "quota.notice.limits"
    };
    let msg = Msg::new(said)
        .with("unit", node.name)
        .with("n", i64::try_from(changed.len()).unwrap_or(i64::MAX));
    tell(&mut tx, cx, Ability::HandQuota.roles(), unit, &msg).await?;
    let event = Event::new("quota.limit", "vdc", &own)
        .of_unit(unit)
        .detail(json!({ "limits": changed }));
    audit::record(&mut tx, cx, event).await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests;
