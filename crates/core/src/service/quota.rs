//! Quotas: what a unit may use and uses, and handing a part on to the units below.

use lingbao_model::{
    id::{PoolId, QuotaEntryId, UnitId, VdcId},
    money::Money,
    msg::Msg,
    placement::Pool,
    quota::{Dimension, Standing},
    view::quota::{ChildQuota, QuotaRow, QuotaView},
};
use serde_json::json;

use crate::{
    app::Cx,
    audit::{self, Event},
    authz::{Ability, Access},
    error::{OrNotFound, ServiceError},
    storage::{ReadTx, place, quota, unit as units, vdc},
};

/// How many entries of the ledger the page shows.
const ENTRIES: i64 = 50;
/// More than any site has of anything; keeps sums far from overflow.
const MOST: i64 = 1_000_000_000_000;

async fn rows(rx: &mut ReadTx, vdc: &VdcId, pools: &[Pool]) -> Result<Vec<QuotaRow>, ServiceError> {
    let mut account = quota::account(rx, vdc).await?;
    // Cores and memory before what is asked for less.
    let place = |dimension: &Dimension| Dimension::ALL.iter().position(|one| one == dimension);
    account
        .standings
        .sort_by_key(|(_, dimension, _)| place(dimension));
    // In the order of the pools; a balance refers to a pool, so none gets lost.
    Ok(pools
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
        .collect())
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
    let mut shown = QuotaView {
        unit_name: node.name,
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
    let pools = place::pools(&mut rx).await?;
    shown.rows = rows(&mut rx, &own, &pools).await?;
    shown.entries = quota::entries(&mut rx, &own, ENTRIES).await?;
    let seen = units::children(&mut rx, &scope, &shown.unit).await?;
    for (id, unit, name) in vdc::children(&mut rx, &own).await? {
        let visible = may_hand || seen.iter().any(|node| node.id == unit);
        // A unit's first VDC stands for it, here as in `hand`.
        if visible && shown.children.iter().all(|child| child.unit != unit) {
            shown.children.push(ChildQuota {
                rows: rows(&mut rx, &id, &pools).await?,
                unit,
                name,
            });
        }
    }
    Ok(shown)
}

/// The units whose quota the caller may read, by name: those that a search meets, all of them for an
/// empty one, at most [`units::MOST`].
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever reads no quotas.
pub async fn readable(cx: &Cx, typed: &str) -> Result<Vec<(UnitId, String)>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    access.require(Ability::ReadQuota)?;
    let scope = access.scope(Ability::ReadQuota);
    let found = units::search(&mut rx, &scope, typed).await?;
    Ok(found.into_iter().map(|node| (node.id, node.name)).collect())
}

/// A part of a limit to be handed on.
#[derive(Debug, Clone)]
pub struct Hand {
    /// To which unit; it gets it from the unit whose VDC stands above its own.
    pub child: UnitId,
    /// In which pool.
    pub pool: PoolId,
    /// Which dimension.
    pub dimension: Dimension,
    /// How much, in the unit of the dimension (分 for the monthly fee).
    pub amount: i64,
    /// The id of the form: posted twice, it books once.
    pub form_id: String,
}

/// Hands a part of a limit on to a unit below.
///
/// # Errors
/// [`ServiceError::NotFound`] if the unit above is out of sight, [`ServiceError::Forbidden`] for
/// whoever may not hand its limits on, [`ServiceError::Invalid`] on `amount` if less is left.
pub async fn hand(cx: &Cx, hand: &Hand) -> Result<(), ServiceError> {
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
    units::get(&mut tx, &scope, &unit).await?.or_not_found()?;
    access
        .require_on(&mut tx, Ability::HandQuota, &unit)
        .await?;
    let pools = place::pools(&mut tx).await?;
    pools.iter().find(|p| p.id == hand.pool).or_not_found()?;
    if !(1..=MOST).contains(&hand.amount) {
        return Err(ServiceError::invalid("amount", Msg::new("quota.positive")));
    }
    let operation = if hand.form_id.is_empty() {
        format!("hand:{}", cx.id::<QuotaEntryId>())
    } else {
        format!("hand:{}:{}", access.user, hand.form_id)
    };
    if quota::is_booked(&mut tx, &operation).await? {
        return Ok(());
    }
    let pair = (&parent, &child);
    let (pool, dimension) = (&hand.pool, hand.dimension);
    if !quota::hand(&mut tx, cx, &operation, pair, pool, dimension, hand.amount).await? {
        let account = quota::account(&mut tx, &parent).await?;
        let left = account.standing(pool, dimension).left().max(0);
        let msg = Msg::new("quota.not_left");
        return Err(ServiceError::invalid(
            "amount",
            match dimension {
                Dimension::MonthlyFee => msg.with("left", Money::from_fen(left)),
                _ => msg.with("left", left),
            },
        ));
    }
    let event = Event::new("quota.hand", "vdc", &child)
        .of_unit(&unit)
        .detail(
            json!({ "from": parent, "pool": pool, "dimension": dimension, "amount": hand.amount }),
        );
    audit::record(&mut tx, cx, event).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use lingbao_model::{
        id::{UserId, ZoneId},
        people::{Reach, Role, UnitKind, UnitLevel},
        quota::Standing,
    };

    use super::*;
    use crate::{
        service::{grant, unit, user},
        storage::sql::Sql,
        testing::{TestApp, engines},
    };

    struct World {
        city: UnitId,
        east: UnitId,
        leader: UserId,
        stranger: UserId,
        pool: PoolId,
    }

    /// A city with 10 cores and two counties below it.
    async fn world(app: &TestApp) -> World {
        let system = app.app.system();
        let make = async |parent: Option<&UnitId>, name: &str, level| {
            let new = unit::NewUnit {
                parent: parent.cloned(),
                name: name.into(),
                short_name: String::new(),
                level,
                kind: UnitKind::Area,
            };
            unit::create(&system, new).await.unwrap()
        };
        let city = make(None, "甬城市", UnitLevel::City).await;
        let east = make(Some(&city), "东县", UnitLevel::County).await;
        let west = make(Some(&city), "西县", UnitLevel::County).await;
        let person = async |login: &str, unit: &UnitId, role| {
            let new = user::NewUser {
                login: login.into(),
                name: format!("{login}某"),
                password: "Lingbao-2026".into(),
                ..user::NewUser::default()
            };
            let id = user::create(&system, unit, &new).await.unwrap();
            grant::give(&system, &id, role, unit, Reach::Own)
                .await
                .unwrap();
            id
        };
        let leader = person("leader", &city, Role::DeptLeader).await;
        let stranger = person("stranger", &west, Role::Applicant).await;
        let mut tx = app.db.begin().await.unwrap();
        Sql::new("UPDATE credential SET must_change = FALSE")
            .run(&mut tx)
            .await
            .unwrap();
        let (zone, pool) = (system.id::<ZoneId>(), system.id::<PoolId>());
        Sql::new(
            "INSERT INTO zone (id, name_zh, name_en, hint_zh, hint_en, internet, sort) VALUES (",
        )
        .bind(zone.as_str())
        .push(", 'z', 'z', '', '', FALSE, 1)")
        .run(&mut tx)
        .await
        .unwrap();
        Sql::new("INSERT INTO pool (id, name_zh, name_en, backend, backend_pool, zone_id, lowest, highest, purpose, xinchuang, overcommit_percent, sort) VALUES (")
            .bind(pool.as_str()).push(", 'p', 'p', 'simulator', 'p', ").bind(zone.as_str())
            .push(", 2, 3, 'sector', FALSE, 100, 1)").run(&mut tx).await.unwrap();
        let (own, _) = vdc::of_unit(&mut tx, &city).await.unwrap().remove(0);
        quota::set_limit(&mut tx, &system, "limit", &own, &pool, Dimension::Vcpu, 10)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        World {
            city,
            east,
            leader,
            stranger,
            pool,
        }
    }

    impl World {
        fn hand(&self, amount: i64, form_id: &str) -> Hand {
            Hand {
                child: self.east.clone(),
                pool: self.pool.clone(),
                dimension: Dimension::Vcpu,
                amount,
                form_id: form_id.into(),
            }
        }

        /// Where city and county stand.
        async fn standings(&self, app: &TestApp) -> (Standing, Standing) {
            let shown = view(&app.cx(&self.leader), None).await.unwrap();
            assert_eq!((&shown.unit, shown.may_hand), (&self.city, true));
            let county = shown.children.iter().find(|c| c.unit == self.east).unwrap();
            let mut rx = app.db.read().await.unwrap();
            assert_eq!(quota::recount(&mut rx).await.unwrap(), []);
            (
                shown.rows[0].standing,
                county.rows.first().map(|r| r.standing).unwrap_or_default(),
            )
        }
    }

    async fn events(app: &TestApp) -> i64 {
        Sql::new("SELECT count(*) FROM audit_event WHERE action = 'quota.hand'")
            .number(&mut app.db.read().await.unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_clerk_of_another_unit_finds_nothing() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let w = world(&app).await;
            let cx = app.cx(&w.stranger);
            for unit in [&w.east, &w.city, &cx.id()] {
                let shown = view(&cx, Some(unit.clone())).await;
                assert!(matches!(shown, Err(ServiceError::NotFound)), "{shown:?}");
            }
            let own = view(&cx, None).await.unwrap();
            assert!(!own.may_hand && own.children.is_empty());
            let handed = hand(&cx, &w.hand(1, "f")).await;
            assert!(matches!(handed, Err(ServiceError::NotFound)), "{handed:?}");
            assert_eq!(events(&app).await, 0);
        }
    }

    #[tokio::test]
    async fn more_than_is_left_changes_nothing_and_a_form_books_once() {
        for db in engines().await {
            let app = TestApp::on(&db);
            let w = world(&app).await;
            let cx = app.cx(&w.leader);
            let before = w.standings(&app).await;
            for amount in [11, 0, -1, i64::MAX] {
                let refused = hand(&cx, &w.hand(amount, "f")).await;
                assert!(
                    matches!(&refused, Err(ServiceError::Invalid(f)) if f[0].field == "amount"),
                    "{refused:?}"
                );
            }
            assert_eq!((w.standings(&app).await, events(&app).await), (before, 0));
            // The same form, mended; then clicked twice.
            hand(&cx, &w.hand(4, "f")).await.unwrap();
            hand(&cx, &w.hand(4, "f")).await.unwrap();
            let (city, county) = w.standings(&app).await;
            assert_eq!((city.handed, city.left(), county.limit), (4, 6, 4));
            assert_eq!(events(&app).await, 1);
            let entries = view(&cx, None).await.unwrap().entries;
            assert_eq!(entries.iter().map(|e| e.handed).sum::<i64>(), 4);
        }
    }
}
