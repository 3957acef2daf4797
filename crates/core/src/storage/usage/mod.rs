//! Utilisation: what a round reads and writes, and (in [`list`]) what pages read.

mod list;

pub use list::{Row, by_unit, counts, days, known, last, list, one, quota, slice};

use std::collections::BTreeMap;

use lingbao_model::{
    id::ResourceId,
    param::Answers,
    time::{Date, Timestamp},
    usage::{LEAST_SAMPLES, Load, Measure, Reading, Sum, mean},
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{error::StorageError, on};

/// The one source that there is.
const SOURCE: &str = "prometheus";

fn resource_id(id: &str) -> Result<ResourceId, StorageError> {
    id.parse()
        .map_err(|e| StorageError::inconsistent("usage_day", "resource_id", id, e))
}

// ---- days

/// A day that was answered whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// By which source and queries.
    pub source: String,
    /// When.
    pub asked_at: Timestamp,
    /// Hosts of ours about which something was said.
    pub hosts: i64,
}

/// The days from one on that were answered.
///
/// # Errors
/// What the database says.
pub async fn taken(rx: &mut ReadTx, from: Date) -> Result<BTreeMap<Date, Taken>, StorageError> {
    let rows: Vec<(i64, String, i64, i64)> =
        Sql::new("SELECT day, source, asked_at, hosts FROM usage_taken WHERE day >= ")
            .bind(from.days())
            .all(rx)
            .await?;
    let taken = |(day, source, asked_at, hosts)| {
        let taken = Taken {
            source,
            asked_at: Timestamp::from_millis(asked_at),
            hosts,
        };
        (Date::from_days(day), taken)
    };
    Ok(rows.into_iter().map(taken).collect())
}

/// The hosts that stood between two moments, by the name that their cloud gives them. A name that two
/// clouds give is nobody's: which one is measured can't be known.
///
/// # Errors
/// What the database says.
pub async fn hosts(
    rx: &mut ReadTx,
    from: Timestamp,
    until: Timestamp,
) -> Result<BTreeMap<String, ResourceId>, StorageError> {
    let rows: Vec<(String, String)> = Sql::new(
        "SELECT external_id, MIN(id) FROM resource WHERE kind = 'server' AND external_id IS NOT NULL
           AND delivered_at < ",
    )
    .bind(until.millis())
    .push(" AND (released_at IS NULL OR released_at > ")
    .bind(from.millis())
    .push(") GROUP BY external_id HAVING count(*) = 1")
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(name, id)| Ok((name, resource_id(&id)?)))
        .collect()
}

/// What was said of one host on one day.
pub type Said = BTreeMap<Measure, Reading>;

/// Writes down what was said of a host on a day, in place of what was said of it before.
///
/// # Errors
/// What the database says.
pub async fn put_day(
    tx: &mut Tx,
    host: &ResourceId,
    day: Date,
    said: &Said,
) -> Result<(), StorageError> {
    let of = |measure: Measure| {
        let reading = said.get(&measure);
        (
            reading.map(|r| r.mean),
            reading.map(|r| r.peak),
            reading.map_or(0, |r| r.samples),
        )
    };
    let (cpu, memory, disk) = (of(Measure::Cpu), of(Measure::Memory), of(Measure::Disk));
    on!(tx, conn => sqlx::query("INSERT INTO usage_day (resource_id, day, cpu_mean, cpu_peak, cpu_samples, memory_mean, memory_peak,
           memory_samples, disk_mean, disk_peak, disk_samples) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (resource_id, day) DO UPDATE SET cpu_mean = excluded.cpu_mean, cpu_peak = excluded.cpu_peak,
           cpu_samples = excluded.cpu_samples, memory_mean = excluded.memory_mean, memory_peak = excluded.memory_peak,
           memory_samples = excluded.memory_samples, disk_mean = excluded.disk_mean, disk_peak = excluded.disk_peak,
           disk_samples = excluded.disk_samples")
        .bind(host.as_str()).bind(day.days()).bind(cpu.0).bind(cpu.1).bind(cpu.2).bind(memory.0).bind(memory.1)
        .bind(memory.2).bind(disk.0).bind(disk.1).bind(disk.2).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// A day was answered whole and everything of it is written.
///
/// # Errors
/// What the database says.
pub async fn mark_taken(
    tx: &mut Tx,
    day: Date,
    taken: &Taken,
    unknown: i64,
    odd: i64,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO usage_taken (day, source, asked_at, hosts, unknown, odd) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (day) DO UPDATE SET source = excluded.source, asked_at = excluded.asked_at, hosts = excluded.hosts,
           unknown = excluded.unknown, odd = excluded.odd")
        .bind(day.days()).bind(&taken.source).bind(taken.asked_at.millis()).bind(taken.hosts).bind(unknown).bind(odd)
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// How the round that just ended went.
///
/// # Errors
/// What the database says.
pub async fn end_round(
    tx: &mut Tx,
    at: Timestamp,
    error: Option<&str>,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO usage_round (name, tried_at, error) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET tried_at = excluded.tried_at, error = excluded.error")
        .bind(SOURCE).bind(at.millis()).bind(error).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The oldest day before one of which anything is kept.
///
/// # Errors
/// What the database says.
pub async fn oldest(rx: &mut ReadTx, before: Date) -> Result<Option<Date>, StorageError> {
    let mut oldest: Option<i64> = None;
    for of in [
        "SELECT MIN(day) FROM usage_day WHERE day < ",
        "SELECT MIN(day) FROM usage_taken WHERE day < ",
    ] {
        let row: Option<(Option<i64>,)> = Sql::new(of).bind(before.days()).optional(rx).await?;
        let day = row.and_then(|(day,)| day);
        oldest = oldest.into_iter().chain(day).min();
    }
    Ok(oldest.map(Date::from_days))
}

/// Forgets a day, and that it was taken; how many rows of hosts went.
///
/// # Errors
/// What the database says.
pub async fn forget(tx: &mut Tx, day: Date) -> Result<u64, StorageError> {
    let rows = Sql::new("DELETE FROM usage_day WHERE day = ")
        .bind(day.days())
        .run(tx)
        .await?;
    Sql::new("DELETE FROM usage_taken WHERE day = ")
        .bind(day.days())
        .run(tx)
        .await?;
    Ok(rows)
}

// ---- the last 30 days in one row

/// A host over some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The host.
    pub host: ResourceId,
    /// Answers of its order: its size.
    pub answers: Answers,
    /// Days of which anything was said, with enough samples or not.
    pub days: i64,
    /// By measure, where something counts.
    pub sums: BTreeMap<Measure, Sum>,
}

impl Window {
    /// One measure.
    #[must_use]
    pub fn get(&self, measure: Measure) -> Option<Sum> {
        self.sums.get(&measure).copied()
    }
}

#[derive(sqlx::FromRow)]
struct WindowRow {
    resource_id: String,
    answers: String,
    days: i64,
    cpu_weighted: i64,
    cpu_weight: i64,
    cpu_peak: Option<i64>,
    cpu_days: i64,
    memory_weighted: i64,
    memory_weight: i64,
    memory_peak: Option<i64>,
    memory_days: i64,
    disk_weighted: i64,
    disk_weight: i64,
    disk_peak: Option<i64>,
    disk_days: i64,
}

impl TryFrom<WindowRow> for Window {
    type Error = StorageError;
    fn try_from(row: WindowRow) -> Result<Self, StorageError> {
        let sum = |weighted, weight, peak: Option<i64>, days| {
            let mean = mean(weighted, weight)?;
            let peak = peak?;
            Some(Sum { mean, peak, days })
        };
        let sums = [
            (
                Measure::Cpu,
                sum(row.cpu_weighted, row.cpu_weight, row.cpu_peak, row.cpu_days),
            ),
            (
                Measure::Memory,
                sum(
                    row.memory_weighted,
                    row.memory_weight,
                    row.memory_peak,
                    row.memory_days,
                ),
            ),
            (
                Measure::Disk,
                sum(
                    row.disk_weighted,
                    row.disk_weight,
                    row.disk_peak,
                    row.disk_days,
                ),
            ),
        ];
        let wrong = |e| StorageError::inconsistent("resource", "answers", &row.resource_id, e);
        Ok(Self {
            host: resource_id(&row.resource_id)?,
            answers: serde_json::from_str(&row.answers).map_err(wrong)?,
            days: row.days,
            sums: sums
                .into_iter()
                .filter_map(|(measure, sum)| Some((measure, sum?)))
                .collect(),
        })
    }
}

/// At most `limit` hosts that stand, in the order of their ids, those after `after`: with or without days
/// after `after_day` to `until`. Only days with enough samples count, and of a host that was resized only
/// those after it: shares of another size say nothing of this one. `offset_ms` is the civil day's distance
/// from UTC.
///
/// The hosts lead: a slice reads their days and no other's.
///
/// # Errors
/// What the database says.
pub async fn windows(
    rx: &mut ReadTx,
    after: &str,
    (after_day, until): (Date, Date),
    offset_ms: i64,
    limit: i64,
) -> Result<Vec<Window>, StorageError> {
    let rows: Vec<WindowRow> = on!(rx, conn => sqlx::query_as(
        "SELECT h.id AS resource_id, h.answers, count(d.day) AS days,
           CAST(SUM(CASE WHEN d.cpu_samples >= $1 AND d.cpu_mean IS NOT NULL THEN d.cpu_mean * d.cpu_samples ELSE 0 END) AS BIGINT)
             AS cpu_weighted,
           CAST(SUM(CASE WHEN d.cpu_samples >= $1 AND d.cpu_mean IS NOT NULL THEN d.cpu_samples ELSE 0 END) AS BIGINT) AS cpu_weight,
           MAX(CASE WHEN d.cpu_samples >= $1 THEN d.cpu_peak END) AS cpu_peak,
           count(CASE WHEN d.cpu_samples >= $1 THEN d.cpu_mean END) AS cpu_days,
           CAST(SUM(CASE WHEN d.memory_samples >= $1 AND d.memory_mean IS NOT NULL THEN d.memory_mean * d.memory_samples ELSE 0 END) AS BIGINT)
             AS memory_weighted,
           CAST(SUM(CASE WHEN d.memory_samples >= $1 AND d.memory_mean IS NOT NULL THEN d.memory_samples ELSE 0 END) AS BIGINT) AS memory_weight,
           MAX(CASE WHEN d.memory_samples >= $1 THEN d.memory_peak END) AS memory_peak,
           count(CASE WHEN d.memory_samples >= $1 THEN d.memory_mean END) AS memory_days,
           CAST(SUM(CASE WHEN d.disk_samples >= $1 AND d.disk_mean IS NOT NULL THEN d.disk_mean * d.disk_samples ELSE 0 END) AS BIGINT)
             AS disk_weighted,
           CAST(SUM(CASE WHEN d.disk_samples >= $1 AND d.disk_mean IS NOT NULL THEN d.disk_samples ELSE 0 END) AS BIGINT) AS disk_weight,
           MAX(CASE WHEN d.disk_samples >= $1 THEN d.disk_peak END) AS disk_peak,
           count(CASE WHEN d.disk_samples >= $1 THEN d.disk_mean END) AS disk_days
         FROM (SELECT r.id, r.answers, (SELECT MAX(e.at) FROM resource_event e WHERE e.resource_id = r.id AND e.kind = 'resized') AS since
               FROM resource r WHERE r.kind = 'server' AND r.service_state <> 'released' AND r.service_state <> 'recycled'
                 AND r.id > $2 ORDER BY r.id LIMIT $6) h
           LEFT JOIN usage_day d ON d.resource_id = h.id AND d.day > $3 AND d.day <= $4
             AND d.day > COALESCE((h.since + $5) / 86400000, -1)
         GROUP BY h.id, h.answers ORDER BY h.id")
        .bind(LEAST_SAMPLES).bind(after).bind(after_day.days()).bind(until.days()).bind(offset_ms).bind(limit)
        .fetch_all(conn).await)?;
    rows.into_iter().map(Window::try_from).collect()
}

/// Writes the last 30 days of a host.
///
/// # Errors
/// What the database says.
pub async fn put_sum(
    tx: &mut Tx,
    window: &Window,
    until: Date,
    (vcpus, memory_gb): (i64, i64),
    load: Load,
) -> Result<(), StorageError> {
    let of = |measure| {
        let sum = window.get(measure);
        (
            sum.map(|s| s.mean),
            sum.map(|s| s.peak),
            sum.map_or(0, |s| s.days),
        )
    };
    let (cpu, memory, disk) = (of(Measure::Cpu), of(Measure::Memory), of(Measure::Disk));
    on!(tx, conn => sqlx::query("INSERT INTO usage_sum (resource_id, until_day, vcpus, memory_gb, cpu_mean, cpu_peak, cpu_days,
           memory_mean, memory_peak, memory_days, disk_mean, disk_peak, disk_days, load_word)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (resource_id) DO UPDATE SET until_day = excluded.until_day, vcpus = excluded.vcpus,
           memory_gb = excluded.memory_gb, cpu_mean = excluded.cpu_mean, cpu_peak = excluded.cpu_peak,
           cpu_days = excluded.cpu_days, memory_mean = excluded.memory_mean, memory_peak = excluded.memory_peak,
           memory_days = excluded.memory_days, disk_mean = excluded.disk_mean, disk_peak = excluded.disk_peak,
           disk_days = excluded.disk_days, load_word = excluded.load_word")
        .bind(window.host.as_str()).bind(until.days()).bind(vcpus).bind(memory_gb).bind(cpu.0).bind(cpu.1).bind(cpu.2)
        .bind(memory.0).bind(memory.1).bind(memory.2).bind(disk.0).bind(disk.1).bind(disk.2).bind(load.as_str())
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Takes away the sums of hosts of which the last 30 days say nothing: all but those just written.
///
/// # Errors
/// What the database says.
pub async fn drop_sums<'a>(
    tx: &mut Tx,
    (after, last): (&str, Option<&'a str>),
    written: impl IntoIterator<Item = &'a str>,
) -> Result<(), StorageError> {
    Sql::new("DELETE FROM usage_sum WHERE resource_id > ")
        .bind(after)
        .maybe(" AND resource_id <= ", last)
        .push(" AND resource_id NOT IN (SELECT id FROM resource WHERE id IN ")
        .bind_list(written)
        .push(")")
        .run(tx)
        .await?;
    Ok(())
}
