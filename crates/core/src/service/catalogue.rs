//! The service catalogue as applicants read it, and what a fresh installation begins with.

use std::collections::BTreeMap;

use lingbao_model::{
    catalogue::{Content, Offer, Publication},
    id::{UnitId, VdcId, ZoneId},
    msg::Label,
    placement::{Level, Place, Placement, Pool, Zone},
    policy::Policy,
    price::Formula,
    verdict::{Above, Surroundings},
    view::catalogue::OfferCard,
};
use serde::Deserialize;

use super::request::ground::Lacks;
use crate::{
    app::Cx,
    authz::Access,
    error::{OrNotFound, ServiceError, StorageError},
    storage::{
        ReadTx, Tx, item, place, policy, quota, room,
        sql::{Cursor, cut},
        vdc,
    },
};

/// Everything that can be ordered: what no cloud makes is not offered.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn offers(cx: &Cx) -> Result<Vec<Offer>, ServiceError> {
    let mut rx = cx.db().read().await?;
    Access::load(&mut rx, cx).await?;
    let (pools, lacks) = (place::pools(&mut rx).await?, Lacks::load(&mut rx).await?);
    let mut offers = item::offers(&mut rx).await?;
    offers.retain(|offer| is_made(offer, &pools, &lacks));
    Ok(offers)
}

/// One page of it, in the order of the catalogue, and where the next one begins.
///
/// # Errors
/// As [`offers`].
pub async fn offers_page(
    cx: &Cx,
    after: Option<&str>,
    limit: i64,
) -> Result<(Vec<Offer>, Option<String>), ServiceError> {
    let mut rx = cx.db().read().await?;
    Access::load(&mut rx, cx).await?;
    let (pools, lacks) = (place::pools(&mut rx).await?, Lacks::load(&mut rx).await?);
    // What clouds make is in no column: all that follows is read, a few dozens at most.
    let mut offers = item::offers_after(&mut rx, after).await?;
    offers.retain(|(_, offer)| is_made(offer, &pools, &lacks));
    let (rows, next) = cut(offers, limit, |(sort, offer)| {
        (sort.to_string(), offer.code.clone())
    });
    Ok((rows.into_iter().map(|(_, offer)| offer).collect(), next))
}

/// Whether some pool's backend makes it, now or when the pool opens again.
fn is_made(offer: &Offer, pools: &[Pool], lacks: &Lacks) -> bool {
    let kind = offer.content.fulfiller;
    !offer.content.placed || pools.iter().any(|pool| !lacks.holds(pool, kind))
}

/// The same for the catalogue's list, with the price of what a fresh form proposes.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn cards(cx: &Cx) -> Result<Vec<OfferCard>, ServiceError> {
    let card = |offer: Offer| {
        let quote = offer.price.least(&offer.content.schema);
        OfferCard {
            code: offer.code,
            name: offer.content.name,
            summary: offer.content.summary,
            family: offer.content.family,
            fulfiller: offer.content.fulfiller,
            month: quote.month,
            once: quote.once,
            deliver_hours: offer.content.deliver_hours,
        }
    };
    Ok(offers(cx).await?.into_iter().map(card).collect())
}

/// What can be ordered under a code.
///
/// # Errors
/// [`ServiceError::NotFound`] if nothing can, or not any more.
pub async fn offer(cx: &Cx, code: &str) -> Result<Offer, ServiceError> {
    let mut rx = cx.db().read().await?;
    Access::load(&mut rx, cx).await?;
    offered(&mut rx, code).await
}

/// The same in a transaction.
pub(super) async fn offered(rx: &mut ReadTx, code: &str) -> Result<Offer, ServiceError> {
    let (pools, lacks) = (place::pools(rx).await?, Lacks::load(rx).await?);
    let offer = item::offer(rx, code).await?.or_not_found()?;
    is_made(&offer, &pools, &lacks)
        .then_some(offer)
        .or_not_found()
}

/// Every cell of zone × level × pool in which one may order.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] for nobody.
pub async fn places(cx: &Cx) -> Result<Vec<Place>, ServiceError> {
    Ok(places_page(cx, None, i64::MAX).await?.0)
}

/// One page of them, and where the next one begins.
///
/// # Errors
/// As [`places`].
pub async fn places_page(
    cx: &Cx,
    after: Option<&str>,
    limit: i64,
) -> Result<(Vec<Place>, Option<String>), ServiceError> {
    let mut rx = cx.db().read().await?;
    Access::load(&mut rx, cx).await?;
    let zones = place::zones(&mut rx).await?;
    let pools = place::pools(&mut rx).await?;
    // By where zone, level and pool stand and not by the cell: it may be closed by now.
    let place_of = |zone: &str, level: &str, pool: &str| {
        let zone = zones.iter().position(|one| one.id.as_str() == zone)?;
        let level = level.parse::<Level>().ok()?;
        let pool = pools.iter().position(|one| one.id.as_str() == pool)?;
        Some((zone, level, pool))
    };
    let after = after.and_then(Cursor::decode).and_then(|at| {
        let (zone, level) = at.key.split_once('/')?;
        place_of(zone, level, &at.id)
    });
    let mut places = Vec::new();
    for (nth_zone, zone) in zones.iter().enumerate() {
        for &level in Level::ALL {
            for (nth_pool, pool) in pools.iter().enumerate() {
                let here = Some((nth_zone, level, nth_pool));
                if pool.accepts(zone, level).is_err() || after.is_some() && here <= after {
                    continue;
                }
                let cell = Placement {
                    zone: zone.id.clone(),
                    level,
                    pool: pool.id.clone(),
                };
                places.push(Place {
                    cell: cell.to_string(),
                    zone: zone.name.clone(),
                    level,
                    pool: pool.name.clone(),
                    purpose: pool.purpose,
                    xinchuang: pool.xinchuang,
                });
            }
        }
    }
    Ok(cut(places, limit, |place: &Place| {
        let (rest, pool) = place.cell.rsplit_once('/').unwrap_or_default();
        (rest.to_owned(), pool.to_owned())
    }))
}

/// The VDC from which a unit orders: its first one.
///
/// # Errors
/// [`ServiceError::NotFound`] if it has none.
pub async fn vdc_of(rx: &mut ReadTx, unit: &UnitId) -> Result<VdcId, ServiceError> {
    vdc::of_unit(rx, unit)
        .await?
        .into_iter()
        .next()
        .map(|(id, _)| id)
        .or_not_found()
}

/// Everything that a verdict needs to know about where a unit orders; `kind` is the kind of request
/// whose policy holds (`new`, `release`).
///
/// # Errors
/// [`ServiceError::NotFound`] for an unknown unit or VDC, [`ServiceError::Internal`] if no policy is
/// in force.
pub async fn surroundings(
    rx: &mut ReadTx,
    unit: &UnitId,
    vdc: &VdcId,
    kind: &str,
) -> Result<Surroundings, ServiceError> {
    let (level, above_parent, parent_vdc) = vdc::above(rx, unit, vdc).await?.or_not_found()?;
    let above = match parent_vdc {
        None => Above::Top,
        Some(id) => Above::Known(quota::account(rx, &id).await?),
    };
    let (_, policy) = policy::in_force(rx, kind)
        .await?
        .ok_or_else(|| ServiceError::Internal {
            context: format!("no policy is in force for `{kind}`"),
            source: None,
        })?;
    Ok(Surroundings {
        zones: place::zones(rx).await?,
        pools: place::pools(rx).await?,
        account: quota::account(rx, vdc).await?,
        above,
        policy,
        unit_level: level,
        // The top of the tree is the city itself: what stands right below it has nobody above who
        // would examine first.
        has_upper: above_parent.is_some(),
        capacity: room::free(rx).await?,
        makes: place::makes(rx).await?,
        silent: place::silent(rx).await?,
    })
}

#[derive(Deserialize)]
struct Defaults {
    zones: Vec<DefaultZone>,
    pools: Vec<DefaultPool>,
    items: Vec<DefaultItem>,
    policies: BTreeMap<String, Policy>,
}

#[derive(Deserialize)]
struct DefaultZone {
    key: String,
    name: Label,
    hint: Label,
    internet: bool,
}

#[derive(Deserialize)]
struct DefaultPool {
    name: Label,
    backend_pool: String,
    zone: String,
    lowest: i64,
    highest: i64,
    purpose: String,
    xinchuang: bool,
    overcommit_percent: i64,
}

#[derive(Deserialize)]
struct DefaultItem {
    code: String,
    sort: i64,
    content: Content,
    price: Formula,
}

/// What a fresh installation begins with; data, not code.
const DEFAULTS: &str = include_str!("../../data/catalogue.json");

fn defaults() -> Result<Defaults, StorageError> {
    serde_json::from_str(DEFAULTS)
        .map_err(|e| StorageError::inconsistent("item", "content", "data/catalogue.json", e))
}

/// Writes the zones, pools, items, prices and policies of a fresh installation; nothing if there are
/// zones already. `backend` is the name of the backend on which the pools stand.
///
/// # Errors
/// What the database says.
pub async fn install_defaults(tx: &mut Tx, cx: &Cx, backend: &str) -> Result<bool, StorageError> {
    if place::any_zone(tx).await? {
        return Ok(false);
    }
    let data = defaults()?;
    let wrong =
        |what: &str, e: &dyn std::fmt::Display| StorageError::inconsistent("pool", "data", what, e);
    let mut zones: BTreeMap<String, ZoneId> = BTreeMap::new();
    for (sort, zone) in (1..).zip(data.zones) {
        let id: ZoneId = cx.id();
        let row = Zone {
            id: id.clone(),
            name: zone.name,
            hint: zone.hint,
            internet: zone.internet,
        };
        place::insert_zone(tx, &place::NewZone { zone: &row, sort }).await?;
        zones.insert(zone.key, id);
    }
    for (sort, pool) in (1..).zip(data.pools) {
        let zone = zones
            .get(&pool.zone)
            .cloned()
            .ok_or_else(|| wrong(&pool.backend_pool, &"no such zone"))?;
        let row = Pool {
            id: cx.id(),
            name: pool.name,
            backend: backend.to_owned(),
            zone,
            lowest: pool
                .lowest
                .try_into()
                .map_err(|e| wrong(&pool.backend_pool, &e))?,
            highest: pool
                .highest
                .try_into()
                .map_err(|e| wrong(&pool.backend_pool, &e))?,
            purpose: pool
                .purpose
                .parse()
                .map_err(|e| wrong(&pool.backend_pool, &e))?,
            xinchuang: pool.xinchuang,
            overcommit_percent: pool.overcommit_percent,
            open: true,
        };
        place::insert_pool(
            tx,
            &place::NewPool {
                pool: &row,
                backend_pool: &pool.backend_pool,
                sort,
            },
        )
        .await?;
    }
    for one in data.items {
        let (id, version) = (cx.id(), cx.id());
        item::insert(tx, &id, &one.code, one.sort, cx.now()).await?;
        let new = item::NewVersion {
            id: &version,
            item: &id,
            number: 1,
            content: &one.content,
            state: Publication::Published,
            by: "system",
            at: cx.now(),
        };
        item::insert_version(tx, &new).await?;
        item::insert_price(
            tx,
            &id,
            1,
            &one.price,
            Publication::Published,
            "system",
            cx.now(),
        )
        .await?;
    }
    for (kind, policy) in &data.policies {
        let json = serde_json::to_string(policy)
            .map_err(|e| StorageError::inconsistent("policy_version", "content", kind, e))?;
        let new = policy::New {
            id: &cx.id(),
            kind,
            number: 1,
            json: &json,
            state: Publication::Published,
            by: "system",
            at: cx.now(),
        };
        policy::insert(tx, &new).await?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use lingbao_model::{param::Schema, price::Quote};

    use super::*;
    use crate::testing::{TestApp, engines};

    #[test]
    fn the_items_of_a_fresh_installation_pass_the_checks_of_the_model() {
        let data = defaults().unwrap();
        assert_eq!(data.items.len(), 5);
        for one in &data.items {
            assert_eq!(one.content.check(), Ok(()), "{}", one.code);
            assert_eq!(one.price.check(&one.content.schema), Ok(()), "{}", one.code);
        }
        for (kind, policy) in &data.policies {
            assert_eq!(policy.check(), Ok(()), "{kind}");
        }
    }

    #[test]
    fn the_sample_host_of_the_price_list_costs_320_and_its_disk() {
        let data = defaults().unwrap();
        let host = data.items.iter().find(|i| i.code == "C-ECS").unwrap();
        let schema: &Schema = &host.content.schema;
        let quote: Quote = host.price.quote(&schema.defaults(), 1);
        // 4 cores and 8 GB: 320.00; a system disk of 40 GB: 28.00.
        assert_eq!(quote.month.yuan(), "348.00");
    }

    #[tokio::test]
    async fn a_fresh_installation_offers_five_items_and_installs_them_once() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let cx = app.system();
            let mut tx = app.db.begin().await.unwrap();
            assert!(install_defaults(&mut tx, &cx, "simulator").await.unwrap());
            assert!(!install_defaults(&mut tx, &cx, "simulator").await.unwrap());
            tx.commit().await.unwrap();
            let mut rx = app.db.read().await.unwrap();
            let codes: Vec<String> = item::offers(&mut rx)
                .await
                .unwrap()
                .into_iter()
                .map(|o| o.code)
                .collect();
            assert_eq!(codes, ["C-ECS", "S-EVS", "N-EIP", "D-LB", "M-MIG"]);
            assert_eq!(place::pools(&mut rx).await.unwrap().len(), 4);
            assert!(policy::published(&mut rx, "new").await.unwrap().is_some());
        }
    }
}
