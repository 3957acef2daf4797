//! The numbers of the overview, counted from rows.

use lingbao_model::{
    money::Money,
    quota::PoolDimension,
    time::Timestamp,
    view::overview::{MonthLoad, Overview, UnitLoad, of_all},
};

use super::{ReadTx, room, sql::Sql};
use crate::{authz::Scope, error::StorageError};

/// Counts. Months are given as (name, first moment, first moment after), oldest first.
///
/// # Errors
/// What the database says.
pub async fn count(
    rx: &mut ReadTx,
    scope: &Scope,
    months: &[(String, Timestamp, Timestamp)],
    now: Timestamp,
) -> Result<Overview, StorageError> {
    let levels: Vec<(String, i64)> = scope
        .filter(
            Sql::new("SELECT u.level, count(*) FROM unit u WHERE EXISTS (SELECT 1 FROM app_system s WHERE s.unit_id = u.id)"),
            " AND u.id",
        )
        .push(" GROUP BY u.level ORDER BY u.level")
        .all(rx)
        .await?;
    let at_level = |name: &str| {
        levels
            .iter()
            .filter(|(l, _)| l == name)
            .map(|(_, n)| n)
            .sum::<i64>()
    };
    let systems: Vec<(String, i64)> = scope
        .filter(
            Sql::new("SELECT s.state, count(*) FROM app_system s WHERE TRUE"),
            " AND s.unit_id",
        )
        .push(" GROUP BY s.state ORDER BY s.state")
        .all(rx)
        .await?;
    let hosts = scope
        .filter(Sql::new("SELECT count(*) FROM resource r WHERE r.kind = 'server' AND r.service_state = 'running'"), " AND r.unit_id")
        .number(rx)
        .await?;
    let live: Option<(i64, Option<i64>)> = scope
        .filter(
            Sql::new("SELECT count(*), CAST(SUM(r.month_fen) AS BIGINT) FROM resource r WHERE r.service_state <> 'released' AND r.service_state <> 'recycled'"),
            " AND r.unit_id",
        )
        .optional(rx)
        .await?;
    let (resources, month_fen) = live.map_or((0, 0), |(n, fen)| (n, fen.unwrap_or(0)));
    let in_approval = requests(
        rx,
        scope,
        Sql::new("SELECT count(*) FROM request q WHERE q.status = 'in_approval'"),
    )
    .await?;
    let overdue = requests(
        rx,
        scope,
        Sql::new("SELECT count(*) FROM request q WHERE q.status = 'in_approval' AND q.due_at < ")
            .bind(now.millis()),
    )
    .await?;
    let since = now.plus_millis(-30 * lingbao_model::time::DAY_MS).millis();
    let settled: Option<(i64, Option<i64>, Option<i64>)> = scope
        .filter(
            Sql::new(
                "SELECT count(*), CAST(SUM(q.settled_at - q.approved_at) AS BIGINT),
                   CAST(SUM(CASE WHEN q.approved_at = q.submitted_at THEN 1 ELSE 0 END) AS BIGINT)
                 FROM request q WHERE q.kind = 'new' AND q.status IN ('delivered', 'closed')
                   AND q.approved_at IS NOT NULL AND q.settled_at >= ",
            )
            .bind(since),
            " AND q.unit_id",
        )
        .optional(rx)
        .await?;
    let (settled, spent_ms, automatic) = settled.map_or((0, 0, 0), |(n, ms, auto)| {
        (n, ms.unwrap_or(0), auto.unwrap_or(0))
    });
    let pools = room::loads(rx).await?;
    let (allocated_cores, total_cores) = of_all(&pools, PoolDimension::Vcpu);
    Ok(Overview {
        units: levels.iter().map(|(_, n)| n).sum(),
        city_units: at_level("city"),
        county_units: at_level("county"),
        systems: systems.iter().map(|(_, n)| n).sum(),
        testing_systems: systems
            .iter()
            .filter(|(s, _)| s == "testing")
            .map(|(_, n)| n)
            .sum(),
        hosts,
        resources,
        allocated_cores,
        total_cores,
        month: Money::from_fen(month_fen),
        in_approval,
        overdue,
        settled,
        deliver_seconds: (settled > 0).then(|| spent_ms / settled / 1000),
        automatic,
        top: top(rx, scope).await?,
        months: trend(rx, scope, months).await?,
        pools,
        counted_at: now,
    })
}

async fn requests(rx: &mut ReadTx, scope: &Scope, sql: Sql) -> Result<i64, StorageError> {
    scope.filter(sql, " AND q.unit_id").number(rx).await
}

async fn top(rx: &mut ReadTx, scope: &Scope) -> Result<Vec<UnitLoad>, StorageError> {
    let rows: Vec<(String, String, i64, i64)> = scope
        .filter(
            Sql::new(
                "SELECT u.id, u.short_name, CAST(SUM(CASE WHEN r.kind = 'server' AND r.service_state = 'running' THEN 1 ELSE 0 END) AS BIGINT) AS hosts,
                   CAST(SUM(r.month_fen) AS BIGINT) AS fen
                 FROM resource r JOIN unit u ON u.id = r.unit_id WHERE r.service_state <> 'released' AND r.service_state <> 'recycled'",
            ),
            " AND r.unit_id",
        )
        .push(" GROUP BY u.id, u.short_name ORDER BY hosts DESC, fen DESC, u.id LIMIT 10")
        .all(rx)
        .await?;
    rows.into_iter()
        .map(|(id, name, hosts, fen)| {
            let unit = id
                .parse()
                .map_err(|e| StorageError::inconsistent("unit", "id", id.as_str(), e))?;
            Ok(UnitLoad {
                unit,
                name,
                hosts,
                month: Money::from_fen(fen),
            })
        })
        .collect()
}

async fn trend(
    rx: &mut ReadTx,
    scope: &Scope,
    months: &[(String, Timestamp, Timestamp)],
) -> Result<Vec<MonthLoad>, StorageError> {
    let mut trend = Vec::with_capacity(months.len());
    for (month, from, until) in months {
        let between =
            |sql: Sql, and: &'static str| sql.bind(from.millis()).push(and).bind(until.millis());
        let delivered = between(
            Sql::new("SELECT count(*) FROM resource r WHERE r.delivered_at >= "),
            " AND r.delivered_at < ",
        );
        let submitted = between(
            Sql::new("SELECT count(*) FROM request q WHERE q.status <> 'draft' AND q.sort_at >= "),
            " AND q.sort_at < ",
        );
        trend.push(MonthLoad {
            month: month.clone(),
            delivered: scope.filter(delivered, " AND r.unit_id").number(rx).await?,
            requests: requests(rx, scope, submitted).await?,
        });
    }
    Ok(trend)
}
