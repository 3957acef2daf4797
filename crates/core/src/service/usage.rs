//! Utilisation (利用率): what hosts use of what they were given, within the reader's sight.
//!
//! Taking it in stands in [`crate::usage`]; without anything that measures every answer says so.

use std::{cmp::Reverse, collections::BTreeMap};

use lingbao_model::{
    id::{ResourceId, UnitId},
    resource::ServiceState,
    usage::WINDOW_DAYS,
    view::{
        page::Page,
        resource::Act,
        usage::{
            Allocation, UnitUsage, UnitsUsage, UsageCounts, UsageDay, UsageDetail, UsageFilter,
            UsageHead, UsageRow, UsageView,
        },
    },
};

use crate::{
    app::Cx,
    authz::{Ability, Access, Scope},
    error::{OrNotFound, ServiceError},
    fulfil::pieces::size,
    storage::{
        ReadTx, cloud, room,
        sql::{Cursor, cut},
        usage,
    },
};

/// Rows of one slice of the file.
const SLICE: i64 = 500;

async fn reader(rx: &mut ReadTx, cx: &Cx) -> Result<Access, ServiceError> {
    let access = Access::load(rx, cx).await?;
    access.require(Ability::ReadResources)?;
    Ok(access)
}

/// How far the measurements go.
async fn head(rx: &mut ReadTx, cx: &Cx, access: &Access) -> Result<UsageHead, ServiceError> {
    let last = usage::last(rx).await?;
    let operator = access.has(Ability::Operate);
    let (tried_at, error) = match last.round {
        Some((at, error)) => (Some(at), error),
        None => (None, None),
    };
    Ok(UsageHead {
        configured: cx.app.usage.is_some(),
        measures: cx
            .app
            .usage
            .as_ref()
            .map(|metering| metering.source.measures())
            .unwrap_or_default(),
        until: last.day.map(|(day, _)| day),
        tried_at,
        broken: error.is_some(),
        error: error.filter(|_| operator),
        unknown: last.day.map(|(_, unknown)| unknown).filter(|_| operator),
    })
}

/// What a reader may do about hosts: asked once for each unit and each cloud of a page.
#[derive(Default)]
struct Rights {
    orders: BTreeMap<UnitId, bool>,
    able: BTreeMap<String, Vec<Act>>,
}

impl Rights {
    async fn of(
        &mut self,
        rx: &mut ReadTx,
        access: &Access,
        row: &usage::Row,
    ) -> Result<Vec<Act>, ServiceError> {
        if matches!(row.service, ServiceState::Changing | ServiceState::Recycled) {
            return Ok(Vec::new());
        }
        let orders = match self.orders.get(&row.unit) {
            Some(orders) => *orders,
            None => {
                let asked = access.require_on(rx, Ability::Order, &row.unit).await;
                let orders = match asked {
                    Ok(()) => true,
                    Err(ServiceError::Forbidden) => false,
                    Err(error) => return Err(error),
                };
                self.orders.insert(row.unit.clone(), orders);
                orders
            }
        };
        if !orders {
            return Ok(Vec::new());
        }
        let mut may = Vec::new();
        if let Some(backend) = &row.backend {
            if !self.able.contains_key(backend) {
                let able = cloud::able(rx, backend).await?;
                self.able.insert(backend.clone(), able);
            }
            let able = self.able.get(backend);
            if able.is_some_and(|able| able.contains(&Act::Resize)) {
                may.push(Act::Resize);
            }
        }
        may.push(Act::Release);
        Ok(may)
    }
}

fn shown(row: usage::Row, may: Vec<Act>) -> UsageRow {
    let (vcpus, memory_gb) = size(&row.answers);
    UsageRow {
        id: row.id,
        name: row.name,
        item_name: row.item_name,
        unit: row.unit,
        unit_name: row.unit_name,
        system_name: row.system_name,
        service: row.service,
        month: row.month,
        vcpus,
        memory_gb,
        cpu: row.cpu,
        memory: row.memory,
        disk: row.disk,
        load: row.load,
        may,
    }
}

async fn rows(
    rx: &mut ReadTx,
    access: &Access,
    found: Vec<usage::Row>,
) -> Result<Vec<UsageRow>, ServiceError> {
    let mut rights = Rights::default();
    let mut rows = Vec::with_capacity(found.len());
    for one in found {
        let may = rights.of(rx, access, &one).await?;
        rows.push(shown(one, may));
    }
    Ok(rows)
}

/// One page of the hosts in the reader's sight, with the counts of all.
///
/// # Errors
/// [`ServiceError::Forbidden`] for roles without resources.
pub async fn list(cx: &Cx, filter: &UsageFilter) -> Result<UsageView, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = reader(&mut rx, cx).await?;
    let scope = access.scope(Ability::ReadResources);
    let page = usage::list(&mut rx, &scope, filter).await?;
    let allocation = allocations(&mut rx, &access).await?.map(|all| {
        all.into_values()
            .fold(Allocation::default(), |sum, (_, one)| Allocation {
                cores: sum.cores + one.cores,
                cores_limit: sum.cores_limit + one.cores_limit,
                memory_gb: sum.memory_gb + one.memory_gb,
                memory_limit: sum.memory_limit + one.memory_limit,
            })
    });
    let pools = if access.has(Ability::Overview) {
        room::loads(&mut rx).await?
    } else {
        Vec::new()
    };
    Ok(UsageView {
        head: head(&mut rx, cx, &access).await?,
        counts: usage::counts(&mut rx, &scope).await?,
        allocation,
        pools,
        page: Page {
            rows: rows(&mut rx, &access, page.rows).await?,
            next: page.next,
            total: page.total,
        },
    })
}

type Allocations = BTreeMap<UnitId, (String, Allocation)>;

async fn allocations(
    rx: &mut ReadTx,
    access: &Access,
) -> Result<Option<Allocations>, ServiceError> {
    if !access.has(Ability::ReadQuota) {
        return Ok(None);
    }
    let scope = access.scope(Ability::ReadQuota);
    Ok(Some(usage::quota(rx, &scope).await?))
}

/// The next rows of an export and where it goes on.
///
/// # Errors
/// As [`list`].
pub async fn export(
    cx: &Cx,
    filter: &UsageFilter,
) -> Result<(Vec<UsageRow>, Option<String>), ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = reader(&mut rx, cx).await?;
    let scope = access.scope(Ability::ReadResources);
    let (found, next) = usage::slice(&mut rx, &scope, filter, SLICE).await?;
    let rows = found.into_iter().map(|row| shown(row, Vec::new()));
    Ok((rows.collect(), next))
}

/// All units in the reader's sight that have hosts or a quota for some, the largest first.
///
/// # Errors
/// As [`list`].
pub async fn units(cx: &Cx) -> Result<UnitsUsage, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = reader(&mut rx, cx).await?;
    let scope: Scope = access.scope(Ability::ReadResources);
    let mut quotas = allocations(&mut rx, &access).await?;
    let mut units: Vec<_> = usage::by_unit(&mut rx, &scope)
        .await?
        .into_iter()
        .map(|(unit, name, counts)| UnitUsage {
            allocation: quotas.as_mut().map(|all| {
                let found = all.remove(&unit);
                found.map(|(_, one)| one).unwrap_or_default()
            }),
            unit,
            name,
            counts,
        })
        .collect();
    let empty = quotas.unwrap_or_default().into_iter();
    units.extend(empty.filter_map(|(unit, (name, one))| {
        (one.cores_limit > 0).then(|| UnitUsage {
            unit,
            name,
            counts: UsageCounts::default(),
            allocation: Some(one),
        })
    }));
    Ok(UnitsUsage {
        head: head(&mut rx, cx, &access).await?,
        units,
    })
}

/// One page of them, the largest first, and where the next one begins. They are sums over the hosts of each
/// unit: a page is cut out of all.
///
/// # Errors
/// As [`list`].
pub async fn units_page(
    cx: &Cx,
    after: Option<&str>,
    limit: i64,
) -> Result<(UnitsUsage, Option<String>), ServiceError> {
    let UnitsUsage { head, mut units } = units(cx).await?;
    let place = |one: &UnitUsage| (Reverse(one.counts.hosts), one.unit.to_string());
    units.sort_by_cached_key(place);
    if let Some((hosts, at)) = after
        .and_then(Cursor::decode)
        .and_then(|at| Some((at.number()?, at)))
    {
        let last = (Reverse(hosts), at.id);
        units.retain(|one| place(one) > last);
    }
    let (units, next) = cut(units, limit, |one| {
        (one.counts.hosts.to_string(), one.unit.to_string())
    });
    Ok((UnitsUsage { head, units }, next))
}

/// One host, day by day.
///
/// # Errors
/// [`ServiceError::NotFound`] for what is no host in the reader's sight.
pub async fn host(cx: &Cx, id: &ResourceId) -> Result<UsageDetail, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = reader(&mut rx, cx).await?;
    let scope = access.scope(Ability::ReadResources);
    let found = usage::one(&mut rx, &scope, id).await?.or_not_found()?;
    let last = crate::usage::last_day(cx.now());
    let first = last.plus_days(1 - WINDOW_DAYS);
    let mut said: BTreeMap<_, _> = usage::days(&mut rx, id, (first, last))
        .await?
        .into_iter()
        .map(|day| (day.day, day))
        .collect();
    let days = (0..WINDOW_DAYS)
        .map(|n| {
            let day = first.plus_days(n);
            said.remove(&day).unwrap_or(UsageDay {
                day,
                cpu: None,
                memory: None,
                disk: None,
            })
        })
        .collect();
    let mut shown = rows(&mut rx, &access, vec![found]).await?;
    Ok(UsageDetail {
        head: head(&mut rx, cx, &access).await?,
        row: shown.pop().or_not_found()?,
        days,
    })
}

/// The names that the clouds give to hosts of ours that run: the doctor holds them beside what is
/// measured.
///
/// # Errors
/// [`ServiceError::Forbidden`] if the act is not the program's own.
pub async fn known(cx: &Cx) -> Result<Vec<String>, ServiceError> {
    Scope::system(cx)?;
    let mut rx = cx.db().read().await?;
    Ok(usage::known(&mut rx).await?)
}
