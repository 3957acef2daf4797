//! What pages read of utilisation.

use std::collections::BTreeMap;

use lingbao_model::{
    id::{ResourceId, UnitId},
    money::Money,
    msg::Label,
    param::Answers,
    resource::ServiceState,
    time::{Date, Timestamp},
    usage::{Load, Reading, Sum},
    view::{
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
        usage::{Allocation, UsageCounts, UsageDay, UsageFilter, UsageSort},
    },
};

use super::SOURCE;
use crate::{
    authz::Scope,
    error::StorageError,
    storage::{
        ReadTx, search,
        sql::{Cursor, Sql, cut},
    },
};

/// A host as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The resource.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// Name of the catalogue item.
    pub item_name: Label,
    /// Unit.
    pub unit: UnitId,
    /// Short name of the unit.
    pub unit_name: String,
    /// Name of the system.
    pub system_name: String,
    /// What it does.
    pub service: ServiceState,
    /// Month price.
    pub month: Money,
    /// Answers of its order: its size.
    pub answers: Answers,
    /// Name of its cloud.
    pub backend: Option<String>,
    /// Cores over the last 30 days.
    pub cpu: Option<Sum>,
    /// Memory over the last 30 days.
    pub memory: Option<Sum>,
    /// Disks over the last 30 days.
    pub disk: Option<Sum>,
    /// What that says.
    pub load: Load,
}

#[derive(sqlx::FromRow)]
struct Stored {
    id: String,
    name: String,
    item_name: String,
    unit_id: String,
    unit_name: String,
    system_name: String,
    service_state: String,
    month_fen: i64,
    answers: String,
    backend: Option<String>,
    cpu_mean: Option<i64>,
    cpu_peak: Option<i64>,
    cpu_days: Option<i64>,
    memory_mean: Option<i64>,
    memory_peak: Option<i64>,
    memory_days: Option<i64>,
    disk_mean: Option<i64>,
    disk_peak: Option<i64>,
    disk_days: Option<i64>,
    load_word: Option<String>,
}

const SELECT: &str = "SELECT r.id, r.name, i.item_name, r.unit_id, u.short_name AS unit_name, s.name AS system_name,
  r.service_state, r.month_fen, r.answers, r.backend, m.cpu_mean, m.cpu_peak, m.cpu_days, m.memory_mean, m.memory_peak,
  m.memory_days, m.disk_mean, m.disk_peak, m.disk_days, m.load_word
FROM resource r JOIN unit u ON u.id = r.unit_id JOIN app_system s ON s.id = r.system_id
  JOIN request_item i ON i.id = r.request_item_id LEFT JOIN usage_sum m ON m.resource_id = r.id
WHERE r.kind = 'server' AND r.service_state <> 'released'";

fn sum(mean: Option<i64>, peak: Option<i64>, days: Option<i64>) -> Option<Sum> {
    Some(Sum {
        mean: mean?,
        peak: peak?,
        days: days?,
    })
}

impl TryFrom<Stored> for Row {
    type Error = StorageError;
    fn try_from(row: Stored) -> Result<Self, StorageError> {
        let at = row.id.clone();
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("resource", column, at.as_str(), e)
        };
        Ok(Self {
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
            name: row.name,
            item_name: serde_json::from_str(&row.item_name).map_err(|e| wrong("item_name", &e))?,
            unit: row.unit_id.parse().map_err(|e| wrong("unit_id", &e))?,
            unit_name: row.unit_name,
            system_name: row.system_name,
            service: row
                .service_state
                .parse()
                .map_err(|e| wrong("service_state", &e))?,
            month: Money::from_fen(row.month_fen),
            answers: serde_json::from_str(&row.answers).map_err(|e| wrong("answers", &e))?,
            backend: row.backend,
            cpu: sum(row.cpu_mean, row.cpu_peak, row.cpu_days),
            memory: sum(row.memory_mean, row.memory_peak, row.memory_days),
            disk: sum(row.disk_mean, row.disk_peak, row.disk_days),
            load: row
                .load_word
                .map_or(Ok(Load::NoData), |word| word.parse())
                .map_err(|e| wrong("load_word", &e))?,
        })
    }
}

fn narrowed(sql: Sql, scope: &Scope, filter: &UsageFilter) -> Sql {
    // What lies in the recycle bin is given back: its own page is all that is left of it here.
    let sql = sql.push(" AND r.service_state <> 'recycled'");
    let mut sql = scope.filter(sql, " AND r.unit_id").maybe(
        " AND r.unit_id = ",
        filter.unit.as_ref().map(UnitId::as_str),
    );
    sql = match filter.load {
        Some(Load::NoData) => sql.push(" AND m.resource_id IS NULL"),
        load => sql.maybe(" AND m.load_word = ", load.map(Load::as_str)),
    };
    match filter
        .text
        .as_deref()
        .map(str::trim)
        .filter(|t| !t.is_empty())
    {
        Some(text) => search::matching(sql, " AND r.id", "resource", text),
        None => sql,
    }
}

/// What was not measured stands behind everything that was.
const LAST_UP: i64 = 1_000_000;
const LAST_DOWN: i64 = -1;

/// One page of hosts.
///
/// # Errors
/// What the database says.
pub async fn list(
    rx: &mut ReadTx,
    scope: &Scope,
    filter: &UsageFilter,
) -> Result<Page<Row>, StorageError> {
    let limit = filter.limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);
    let all = Sql::new(
        "SELECT 1 FROM resource r LEFT JOIN usage_sum m ON m.resource_id = r.id
         WHERE r.kind = 'server' AND r.service_state <> 'released'",
    );
    let total = narrowed(all, scope, filter).capped_count(rx).await?;
    let (rows, next) = slice(rx, scope, filter, limit).await?;
    Ok(Page { rows, next, total })
}

/// The hosts after the filter's cursor, at most `limit`, and where the next ones begin.
///
/// # Errors
/// What the database says.
pub async fn slice(
    rx: &mut ReadTx,
    scope: &Scope,
    filter: &UsageFilter,
    limit: i64,
) -> Result<(Vec<Row>, Option<String>), StorageError> {
    let sort = filter.sort.unwrap_or(UsageSort::MonthDown);
    let mut sql = narrowed(Sql::new(SELECT), scope, filter);
    if let Some(at) = filter.cursor.as_deref().and_then(Cursor::decode) {
        sql = sql
            .push(match sort {
                UsageSort::Month => " AND (r.month_fen, r.id) > (",
                UsageSort::MonthDown => " AND (r.month_fen, r.id) < (",
                UsageSort::Cpu => " AND (COALESCE(m.cpu_mean, 1000000), r.id) > (",
                UsageSort::CpuDown => " AND (COALESCE(m.cpu_mean, -1), r.id) < (",
                UsageSort::Memory => " AND (COALESCE(m.memory_mean, 1000000), r.id) > (",
                UsageSort::MemoryDown => " AND (COALESCE(m.memory_mean, -1), r.id) < (",
            })
            .bind(at.number())
            .push(", ")
            .bind(at.id)
            .push(")");
    }
    let rows: Vec<Stored> = sql
        .push(match sort {
            UsageSort::Month => " ORDER BY r.month_fen, r.id LIMIT ",
            UsageSort::MonthDown => " ORDER BY r.month_fen DESC, r.id DESC LIMIT ",
            UsageSort::Cpu => " ORDER BY COALESCE(m.cpu_mean, 1000000), r.id LIMIT ",
            UsageSort::CpuDown => " ORDER BY COALESCE(m.cpu_mean, -1) DESC, r.id DESC LIMIT ",
            UsageSort::Memory => " ORDER BY COALESCE(m.memory_mean, 1000000), r.id LIMIT ",
            UsageSort::MemoryDown => " ORDER BY COALESCE(m.memory_mean, -1) DESC, r.id DESC LIMIT ",
        })
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |row| {
        let key = match sort {
            UsageSort::Month | UsageSort::MonthDown => row.month_fen,
            UsageSort::Cpu => row.cpu_mean.unwrap_or(LAST_UP),
            UsageSort::CpuDown => row.cpu_mean.unwrap_or(LAST_DOWN),
            UsageSort::Memory => row.memory_mean.unwrap_or(LAST_UP),
            UsageSort::MemoryDown => row.memory_mean.unwrap_or(LAST_DOWN),
        };
        (key.to_string(), row.id.clone())
    });
    let rows = rows.into_iter().map(Row::try_from);
    Ok((rows.collect::<Result<_, _>>()?, next))
}

/// One host in a scope, that was not given back.
///
/// # Errors
/// What the database says.
pub async fn one(
    rx: &mut ReadTx,
    scope: &Scope,
    id: &ResourceId,
) -> Result<Option<Row>, StorageError> {
    let sql = Sql::new(SELECT).push(" AND r.id = ").bind(id.as_str());
    let row: Option<Stored> = scope.filter(sql, " AND r.unit_id").optional(rx).await?;
    row.map(Row::try_from).transpose()
}

#[derive(sqlx::FromRow)]
struct DayRow {
    day: i64,
    cpu_mean: Option<i64>,
    cpu_peak: Option<i64>,
    cpu_samples: i64,
    memory_mean: Option<i64>,
    memory_peak: Option<i64>,
    memory_samples: i64,
    disk_mean: Option<i64>,
    disk_peak: Option<i64>,
    disk_samples: i64,
}

/// What was said of a host from one day to another, both included, oldest first.
///
/// # Errors
/// What the database says.
pub async fn days(
    rx: &mut ReadTx,
    host: &ResourceId,
    (from, until): (Date, Date),
) -> Result<Vec<UsageDay>, StorageError> {
    let rows: Vec<DayRow> = Sql::new(
        "SELECT day, cpu_mean, cpu_peak, cpu_samples, memory_mean, memory_peak, memory_samples, disk_mean, disk_peak,
           disk_samples FROM usage_day WHERE resource_id = ",
    )
    .bind(host.as_str())
    .push(" AND day >= ")
    .bind(from.days())
    .push(" AND day <= ")
    .bind(until.days())
    .push(" ORDER BY day")
    .all(rx)
    .await?;
    let reading = |mean: Option<i64>, peak: Option<i64>, samples| {
        Some(Reading {
            mean: mean?,
            peak: peak?,
            samples,
        })
    };
    Ok(rows
        .into_iter()
        .map(|row| UsageDay {
            day: Date::from_days(row.day),
            cpu: reading(row.cpu_mean, row.cpu_peak, row.cpu_samples),
            memory: reading(row.memory_mean, row.memory_peak, row.memory_samples),
            disk: reading(row.disk_mean, row.disk_peak, row.disk_samples),
        })
        .collect())
}

#[derive(sqlx::FromRow)]
struct Counted {
    unit_id: String,
    unit_name: String,
    hosts: i64,
    measured: i64,
    idle: i64,
    idle_fen: i64,
    busy: i64,
    cpu_used: i64,
    cpu_of: i64,
    memory_used: i64,
    memory_of: i64,
}

/// The hosts in a scope by unit, with its short name.
///
/// # Errors
/// What the database says.
pub async fn by_unit(
    rx: &mut ReadTx,
    scope: &Scope,
) -> Result<Vec<(UnitId, String, UsageCounts)>, StorageError> {
    let sql = Sql::new(
        "SELECT r.unit_id, u.short_name AS unit_name, count(*) AS hosts,
           CAST(SUM(CASE WHEN m.resource_id IS NULL THEN 0 ELSE 1 END) AS BIGINT) AS measured,
           CAST(SUM(CASE WHEN m.load_word = 'idle' THEN 1 ELSE 0 END) AS BIGINT) AS idle,
           CAST(SUM(CASE WHEN m.load_word = 'idle' THEN r.month_fen ELSE 0 END) AS BIGINT) AS idle_fen,
           CAST(SUM(CASE WHEN m.load_word = 'busy' THEN 1 ELSE 0 END) AS BIGINT) AS busy,
           CAST(SUM(COALESCE(m.cpu_mean * m.vcpus, 0)) AS BIGINT) AS cpu_used,
           CAST(SUM(CASE WHEN m.cpu_mean IS NULL THEN 0 ELSE m.vcpus END) AS BIGINT) AS cpu_of,
           CAST(SUM(COALESCE(m.memory_mean * m.memory_gb, 0)) AS BIGINT) AS memory_used,
           CAST(SUM(CASE WHEN m.memory_mean IS NULL THEN 0 ELSE m.memory_gb END) AS BIGINT) AS memory_of
         FROM resource r JOIN unit u ON u.id = r.unit_id LEFT JOIN usage_sum m ON m.resource_id = r.id
         WHERE r.kind = 'server' AND r.service_state <> 'released' AND r.service_state <> 'recycled'",
    );
    let rows: Vec<Counted> = scope
        .filter(sql, " AND r.unit_id")
        .push(" GROUP BY r.unit_id, u.short_name ORDER BY hosts DESC, r.unit_id")
        .all(rx)
        .await?;
    rows.into_iter()
        .map(|row| {
            let unit = unit_id(&row.unit_id)?;
            let counts = UsageCounts {
                hosts: row.hosts,
                measured: row.measured,
                idle: row.idle,
                idle_month: Money::from_fen(row.idle_fen),
                busy: row.busy,
                cpu_used: row.cpu_used,
                cpu_of: row.cpu_of,
                memory_used: row.memory_used,
                memory_of: row.memory_of,
            };
            Ok((unit, row.unit_name, counts))
        })
        .collect()
}

fn unit_id(id: &str) -> Result<UnitId, StorageError> {
    id.parse()
        .map_err(|e| StorageError::inconsistent("unit", "id", id, e))
}

/// The hosts in a scope, counted together.
///
/// # Errors
/// What the database says.
pub async fn counts(rx: &mut ReadTx, scope: &Scope) -> Result<UsageCounts, StorageError> {
    let all = by_unit(rx, scope).await?;
    Ok(all
        .into_iter()
        .fold(UsageCounts::default(), |sum, (_, _, one)| UsageCounts {
            hosts: sum.hosts + one.hosts,
            measured: sum.measured + one.measured,
            idle: sum.idle + one.idle,
            idle_month: sum.idle_month + one.idle_month,
            busy: sum.busy + one.busy,
            cpu_used: sum.cpu_used + one.cpu_used,
            cpu_of: sum.cpu_of + one.cpu_of,
            memory_used: sum.memory_used + one.memory_used,
            memory_of: sum.memory_of + one.memory_of,
        }))
}

/// Cores and memory of the quotas in a scope, by unit with its short name: what was handed on to a unit
/// below belongs to that one.
///
/// # Errors
/// What the database says.
pub async fn quota(
    rx: &mut ReadTx,
    scope: &Scope,
) -> Result<BTreeMap<UnitId, (String, Allocation)>, StorageError> {
    let sql = Sql::new(
        "SELECT v.unit_id, u.short_name, b.dimension, CAST(SUM(b.used) AS BIGINT),
           CAST(SUM(b.limit_amount - b.handed) AS BIGINT)
         FROM quota_balance b JOIN vdc v ON v.id = b.vdc_id JOIN unit u ON u.id = v.unit_id
         WHERE b.dimension IN ('vcpu', 'memory_gb')",
    );
    let rows: Vec<(String, String, String, i64, i64)> = scope
        .filter(sql, " AND v.unit_id")
        .push(" GROUP BY v.unit_id, u.short_name, b.dimension")
        .all(rx)
        .await?;
    let mut all = BTreeMap::new();
    for (unit, name, dimension, used, limit) in rows {
        let (_, of) = all
            .entry(unit_id(&unit)?)
            .or_insert_with(|| (name, Allocation::default()));
        if dimension == "vcpu" {
            (of.cores, of.cores_limit) = (used, limit);
        } else {
            (of.memory_gb, of.memory_limit) = (used, limit);
        }
    }
    Ok(all)
}

/// The last round and the last day about which something is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Last {
    /// When it was tried, and why it broke off.
    pub round: Option<(Timestamp, Option<String>)>,
    /// The last day of which a host of ours is known, with the ids in it that are none.
    pub day: Option<(Date, i64)>,
}

/// How far the measurements go.
///
/// # Errors
/// What the database says.
pub async fn last(rx: &mut ReadTx) -> Result<Last, StorageError> {
    let round: Option<(i64, Option<String>)> =
        Sql::new("SELECT tried_at, error FROM usage_round WHERE name = ")
            .bind(SOURCE)
            .optional(rx)
            .await?;
    let day: Option<(i64, i64)> =
        Sql::new("SELECT day, unknown FROM usage_taken WHERE hosts > 0 ORDER BY day DESC LIMIT 1")
            .optional(rx)
            .await?;
    Ok(Last {
        round: round.map(|(at, error)| (Timestamp::from_millis(at), error)),
        day: day.map(|(day, unknown)| (Date::from_days(day), unknown)),
    })
}

/// The names that the clouds give to hosts of ours that run.
///
/// # Errors
/// What the database says.
pub async fn known(rx: &mut ReadTx) -> Result<Vec<String>, StorageError> {
    let rows: Vec<(String,)> = Sql::new(
        "SELECT external_id FROM resource WHERE kind = 'server' AND external_id IS NOT NULL
           AND service_state = 'running' ORDER BY external_id",
    )
    .all(rx)
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
