//! What the units' projects in the clouds may take: of what it follows, what was written, what is said.

use lingbao_model::{
    catalogue::Fulfiller,
    change,
    cloud_limit::{CloudLimit, Counted},
    id::{ItemVersionId, OperationRef, ResourceId, VdcId},
    param::Answers,
    quota::{Amounts, Dimension, Standing},
    time::Timestamp,
    view::{
        difference::ThingKind,
        operation::{CloudLimitLine, LimitFilter, LimitState},
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
    },
};
use serde::de::DeserializeOwned;

use super::{
    ReadTx, Tx,
    difference::About,
    item,
    sql::{Cursor, Sql, cut},
};
use crate::{error::StorageError, on};

/// The largest system disk that the catalogue sells: what a foreign host counts whose disk no cloud
/// tells.
const LARGEST_SYSTEM_DISK_GB: i64 = 1_000;

/// How the limits of a project stand.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// The portal's figures as last written.
    pub asked: Option<CloudLimit>,
    /// Whether the cloud has answered to them.
    pub settled: bool,
    /// Until when somebody may be writing.
    pub claimed_until: Option<Timestamp>,
    /// When it was last written, or tried to.
    pub tried_at: Option<Timestamp>,
    /// What the cloud said when it was read back.
    pub said: Option<CloudLimit>,
    /// When.
    pub said_at: Option<Timestamp>,
    /// Since when the portal's figures are lower than those written.
    pub lower_since: Option<Timestamp>,
    /// Whether the last writing failed.
    pub failed: bool,
}

#[derive(sqlx::FromRow)]
struct KeptRow {
    asked: Option<String>,
    settled: bool,
    claim: Option<String>,
    claim_until: Option<i64>,
    tried_at: Option<i64>,
    said: Option<String>,
    said_at: Option<i64>,
    lower_since: Option<i64>,
    error: Option<String>,
}

fn read<T: DeserializeOwned>(
    table: &'static str,
    column: &'static str,
    at: &str,
    text: &str,
) -> Result<T, StorageError> {
    serde_json::from_str(text).map_err(|e| StorageError::inconsistent(table, column, at, e))
}

fn figures(
    column: &'static str,
    project: &str,
    text: Option<&String>,
) -> Result<Option<CloudLimit>, StorageError> {
    text.map(|text| read("cloud_limit", column, project, text))
        .transpose()
}

fn text(column: &'static str, project: &str, limit: CloudLimit) -> Result<String, StorageError> {
    serde_json::to_string(&limit)
        .map_err(|e| StorageError::inconsistent("cloud_limit", column, project, e))
}

/// Makes whoever else is about to look at a project's limits, to write them or to rely on them, wait
/// for this transaction. What is looked up afterwards is what holds: who booked before is counted.
///
/// # Errors
/// What the database says.
pub async fn lock(tx: &mut Tx, backend: &str, project: &str) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO cloud_limit (backend, project) VALUES ($1, $2)
         ON CONFLICT (backend, project) DO UPDATE SET settled = cloud_limit.settled")
        .bind(backend).bind(project).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// How the limits of a project stand.
///
/// # Errors
/// What the database says; a row with a text that is none.
pub async fn kept(rx: &mut ReadTx, backend: &str, project: &str) -> Result<Kept, StorageError> {
    let row: Option<KeptRow> = Sql::new(
        "SELECT asked, settled, claim, claim_until, tried_at, said, said_at, lower_since, error
         FROM cloud_limit WHERE backend = ",
    )
    .bind(backend)
    .push(" AND project = ")
    .bind(project)
    .optional(rx)
    .await?;
    let Some(row) = row else {
        return Ok(Kept::default());
    };
    let until = row.claim.and(row.claim_until);
    Ok(Kept {
        asked: figures("asked", project, row.asked.as_ref())?,
        settled: row.settled,
        claimed_until: until.map(Timestamp::from_millis),
        tried_at: row.tried_at.map(Timestamp::from_millis),
        said: figures("said", project, row.said.as_ref())?,
        said_at: row.said_at.map(Timestamp::from_millis),
        lower_since: row.lower_since.map(Timestamp::from_millis),
        failed: row.error.is_some(),
    })
}

/// Writes down that an operation is about to write these figures; until it is settled, or has died,
/// nobody else writes, and nobody relies on what was written before.
///
/// # Errors
/// What the database says.
pub async fn claim(
    tx: &mut Tx,
    (backend, project): (&str, &str),
    operation: &OperationRef,
    asked: CloudLimit,
    (now, until): (Timestamp, Timestamp),
) -> Result<(), StorageError> {
    let asked = text("asked", project, asked)?;
    on!(tx, conn => sqlx::query("UPDATE cloud_limit SET asked = $1, settled = FALSE, claim = $2, claim_until = $3,
         tried_at = $4 WHERE backend = $5 AND project = $6")
        .bind(&asked).bind(operation.as_str()).bind(until.millis()).bind(now.millis()).bind(backend).bind(project)
        .execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// What came of a writing.
#[derive(Debug, Clone)]
pub struct Wrote {
    /// The figures that were written.
    pub asked: CloudLimit,
    /// What the cloud says now, if it said anything.
    pub said: Option<CloudLimit>,
    /// Whether it has answered to them, with yes or no; else nobody knows what it keeps.
    pub settled: bool,
    /// Why they were not written.
    pub error: Option<String>,
}

/// Writes down what came of a writing. `false` if another operation has taken over meanwhile: then
/// what this one saw is old.
///
/// # Errors
/// What the database says.
pub async fn settle(
    tx: &mut Tx,
    (backend, project): (&str, &str),
    operation: &OperationRef,
    wrote: &Wrote,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let said = wrote
        .said
        .map(|said| text("said", project, said))
        .transpose()?;
    let said_at = wrote.said.map(|_| now.millis());
    // Where nothing was said, nothing new is known of a difference either.
    let differs = wrote.said.is_some_and(|said| !said.keeps(wrote.asked));
    let agrees = wrote.said.is_some_and(|said| said.keeps(wrote.asked));
    let rows = on!(tx, conn => sqlx::query("UPDATE cloud_limit SET claim = NULL, claim_until = NULL, settled = $1,
         said = COALESCE($2, said), said_at = COALESCE($3, said_at), error = $4, lower_since = NULL,
         differs_since = CASE WHEN $5 THEN COALESCE(differs_since, $6) WHEN $7 THEN NULL ELSE differs_since END
         WHERE backend = $8 AND project = $9 AND claim = $10")
        .bind(wrote.settled).bind(&said).bind(said_at).bind(&wrote.error).bind(differs).bind(now.millis())
        .bind(agrees).bind(backend).bind(project).bind(operation.as_str())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Writes down what the cloud said of a project's limits when it was asked, unless somebody has
/// written or is writing since `tried`.
///
/// # Errors
/// What the database says.
pub async fn looked(
    tx: &mut Tx,
    (backend, project): (&str, &str),
    tried: Option<Timestamp>,
    said: CloudLimit,
    differs: bool,
    now: Timestamp,
) -> Result<(), StorageError> {
    let said = text("said", project, said)?;
    on!(tx, conn => sqlx::query("UPDATE cloud_limit SET said = $1, said_at = $2,
         differs_since = CASE WHEN $3 THEN COALESCE(differs_since, $2) ELSE NULL END
         WHERE backend = $4 AND project = $5 AND claim IS NULL AND COALESCE(tried_at, 0) = $6")
        .bind(&said).bind(now.millis()).bind(differs).bind(backend).bind(project)
        .bind(tried.map_or(0, Timestamp::millis)).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Notes since when the portal's figures are lower than those written; `None`: they are not.
///
/// # Errors
/// What the database says.
pub async fn note_lower(
    tx: &mut Tx,
    backend: &str,
    project: &str,
    since: Option<Timestamp>,
) -> Result<(), StorageError> {
    Sql::new("UPDATE cloud_limit SET lower_since = ")
        .bind(since.map(Timestamp::millis))
        .push(" WHERE backend = ")
        .bind(backend)
        .push(" AND project = ")
        .bind(project)
        .run(tx)
        .await?;
    Ok(())
}

/// Of what the limits of a VDC's project follow.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ground {
    /// The portal's limits.
    pub limit: CloudLimit,
    /// What the cloud counts, or is about to.
    pub counted: Counted,
    /// What of it the portal's limits do not see.
    pub unbooked: Counted,
}

impl Ground {
    /// Counts a thing that has booked something.
    fn count(&mut self, takes: Counted, booked: Counted) {
        self.counted = self.counted.plus(takes);
        self.unbooked = self.unbooked.plus(takes.beyond(booked));
    }
}

/// Looks up everything of which the limits of a VDC's project follow.
///
/// # Errors
/// What the database says; a row with a text that is none.
pub async fn ground(
    rx: &mut ReadTx,
    vdc: &VdcId,
    backend: &str,
    project: &str,
) -> Result<Ground, StorageError> {
    let mut ground = Ground {
        limit: limit(rx, vdc, backend).await?,
        ..Ground::default()
    };
    standing(rx, vdc, backend, &mut ground).await?;
    on_their_way(rx, vdc, backend, &mut ground).await?;
    worked_on(rx, vdc, backend, &mut ground).await?;
    foreign(rx, backend, project, &mut ground).await?;
    Ok(ground)
}

/// Whose a resource is.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn vdc_of(rx: &mut ReadTx, resource: &ResourceId) -> Result<Option<VdcId>, StorageError> {
    let row: Option<(String,)> = Sql::new("SELECT vdc_id FROM resource WHERE id = ")
        .bind(resource.as_str())
        .optional(rx)
        .await?;
    row.map(|(vdc,)| vdc.parse())
        .transpose()
        .map_err(|e| StorageError::inconsistent("resource", "vdc_id", resource.as_str(), e))
}

async fn limit(rx: &mut ReadTx, vdc: &VdcId, backend: &str) -> Result<CloudLimit, StorageError> {
    let rows: Vec<(String, i64, i64, i64, i64)> = Sql::new(
        "SELECT b.dimension, b.limit_amount, b.handed, b.held, b.used FROM quota_balance b
         JOIN pool p ON p.id = b.pool_id WHERE b.vdc_id = ",
    )
    .bind(vdc.as_str())
    .push(" AND p.backend = ")
    .bind(backend)
    .push(" ORDER BY b.pool_id, b.dimension")
    .all(rx)
    .await?;
    let mut standings: Vec<(Dimension, Standing)> = Vec::with_capacity(rows.len());
    for (dimension, limit, handed, held, used) in rows {
        let dimension: Dimension = dimension.parse().map_err(|e| {
            StorageError::inconsistent("quota_balance", "dimension", vdc.as_str(), e)
        })?;
        let standing = Standing {
            limit,
            handed,
            held,
            used,
        };
        standings.push((dimension, standing));
    }
    Ok(CloudLimit::of_standings(standings))
}

fn thing(
    table: &'static str,
    at: &str,
    kind: &str,
    answers: &str,
) -> Result<Counted, StorageError> {
    let kind: Fulfiller = kind
        .parse()
        .map_err(|e| StorageError::inconsistent(table, "kind", at, e))?;
    let answers: Answers = read(table, "answers", at, answers)?;
    Ok(Counted::of_thing(kind, &answers))
}

/// What stands: resources, in the recycle bin too, where cores and memory are free for the portal and
/// not for the cloud; and snapshots, which take no quota (decision 19).
async fn standing(
    rx: &mut ReadTx,
    vdc: &VdcId,
    backend: &str,
    ground: &mut Ground,
) -> Result<(), StorageError> {
    let rows: Vec<(String, String, String, String)> =
        Sql::new("SELECT id, kind, answers, amounts FROM resource WHERE vdc_id = ")
            .bind(vdc.as_str())
            .push(" AND backend = ")
            .bind(backend)
            .push(" AND service_state <> 'released'")
            .all(rx)
            .await?;
    for (id, kind, answers, amounts) in rows {
        let takes = thing("resource", &id, &kind, &answers)?;
        let amounts: Amounts = read("resource", "amounts", &id, &amounts)?;
        ground.count(takes, Counted::of_amounts(&amounts));
    }
    let snapshots = Sql::new(
        "SELECT CAST(SUM(s.size_gb) AS BIGINT) FROM snapshot s JOIN resource r ON r.id = s.resource_id
         WHERE s.state <> 'deleted' AND r.service_state <> 'released' AND r.vdc_id = ",
    )
    .bind(vdc.as_str())
    .push(" AND r.backend = ")
    .bind(backend)
    .number(rx)
    .await?;
    ground.count(Counted::of_disk(snapshots), Counted::default());
    Ok(())
}

/// Pieces that are being built, or will be: what they hold is in the ledger.
async fn on_their_way(
    rx: &mut ReadTx,
    vdc: &VdcId,
    backend: &str,
    ground: &mut Ground,
) -> Result<(), StorageError> {
    let rows: Vec<(String, String, String, i64)> = Sql::new(
        "SELECT i.id, i.item_version_id, i.answers, count(*) FROM fulfilment f
         JOIN request q ON q.id = f.request_id JOIN request_item i ON i.id = f.request_item_id
         JOIN pool p ON p.id = i.pool_id
         WHERE f.status IN ('waiting', 'running', 'residue') AND q.vdc_id = ",
    )
    .bind(vdc.as_str())
    .push(" AND p.backend = ")
    .bind(backend)
    .push(" GROUP BY i.id, i.item_version_id, i.answers ORDER BY i.id")
    .all(rx)
    .await?;
    for (id, version, answers, pieces) in rows {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("request_item", column, id.as_str(), e)
        };
        let version: ItemVersionId = version.parse().map_err(|e| wrong("item_version_id", &e))?;
        let content = item::content(rx, &version)
            .await?
            .ok_or_else(|| wrong("item_version_id", &"no such version"))?;
        let answers: Answers = read("request_item", "answers", &id, &answers)?;
        let takes = Counted::of_thing(content.fulfiller, &answers).times(pieces);
        let booked = content.consumption.amounts(&answers, pieces);
        ground.count(takes, Counted::of_amounts(&booked));
    }
    Ok(())
}

/// What counts twice for a while: a host with its old size and its new one, a disk and the one that is
/// made of its snapshot.
async fn worked_on(
    rx: &mut ReadTx,
    vdc: &VdcId,
    backend: &str,
    ground: &mut Ground,
) -> Result<(), StorageError> {
    let changed: Vec<(String, String, String)> = Sql::new(
        "SELECT c.request_id, r.kind, c.plan FROM request_change c
         JOIN request q ON q.id = c.request_id JOIN resource r ON r.id = c.resource_id
         WHERE q.status = 'approved' AND r.vdc_id = ",
    )
    .bind(vdc.as_str())
    .push(" AND r.backend = ")
    .bind(backend)
    .all(rx)
    .await?;
    for (request, kind, plan) in changed {
        let kind: Fulfiller = kind
            .parse()
            .map_err(|e| StorageError::inconsistent("resource", "kind", request.as_str(), e))?;
        let plan: change::Plan = read("request_change", "plan", &request, &plan)?;
        let will = Counted::of_thing(kind, &plan.will.answers);
        ground.count(will, Counted::default());
    }
    let restored: Vec<(String, String, String)> = Sql::new(
        "SELECT r.id, r.kind, r.answers FROM resource_action a JOIN resource r ON r.id = a.resource_id
         WHERE a.kind = 'restore' AND r.vdc_id = ",
    )
    .bind(vdc.as_str())
    .push(" AND r.backend = ")
    .bind(backend)
    .all(rx)
    .await?;
    for (id, kind, answers) in restored {
        let takes = thing("resource", &id, &kind, &answers)?;
        ground.count(takes, Counted::default());
    }
    Ok(())
}

/// What stands in the project and is nobody's, as the last round over the cloud found it.
async fn foreign(
    rx: &mut ReadTx,
    backend: &str,
    project: &str,
    ground: &mut Ground,
) -> Result<(), StorageError> {
    let rows: Vec<(String, String, String)> = Sql::new(
        "SELECT id, thing, about FROM difference WHERE kind IN ('foreign', 'double') AND closed_at IS NULL AND backend = ",
    )
    .bind(backend)
    .all(rx)
    .await?;
    for (id, kind, about) in rows {
        let about: About = read("difference", "about", &id, &about)?;
        if about.project != project {
            continue;
        }
        let kind: ThingKind = kind
            .parse()
            .map_err(|e| StorageError::inconsistent("difference", "thing", id.as_str(), e))?;
        let takes = match kind {
            ThingKind::Server => Counted {
                vcpus: about.vcpus.into(),
                memory_gb: about.memory_gb.into(),
                disk_gb: match about.disk_gb {
                    0 => LARGEST_SYSTEM_DISK_GB,
                    told => told.into(),
                },
                addresses: 0,
            },
            ThingKind::Volume | ThingKind::Snapshot => Counted::of_disk(about.disk_gb.into()),
            ThingKind::Address => Counted {
                addresses: 1,
                ..Counted::default()
            },
            ThingKind::Backup | ThingKind::Network => Counted::default(),
        };
        ground.count(takes, Counted::default());
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct LineRow {
    backend: String,
    project: String,
    unit_name: String,
    sort_key: String,
    asked: Option<String>,
    tried_at: Option<i64>,
    said: Option<String>,
    said_at: Option<i64>,
    differs_since: Option<i64>,
    error: Option<String>,
}

/// The tables of a line, and of which state it is.
fn lines(select: &'static str, state: Option<LimitState>) -> Sql {
    let sql = Sql::new(select).push(
        " FROM cloud_limit l
         JOIN backend_project b ON b.backend = l.backend AND b.external_id = l.project
         JOIN vdc v ON v.id = b.vdc_id JOIN unit u ON u.id = v.unit_id WHERE ",
    );
    sql.push(match state {
        None => "TRUE",
        Some(LimitState::Waiting) => {
            "(l.differs_since IS NOT NULL OR l.error IS NOT NULL OR l.said IS NULL)"
        }
        Some(LimitState::Kept) => {
            "l.differs_since IS NULL AND l.error IS NULL AND l.said IS NOT NULL"
        }
    })
}

/// One page of what was written to the clouds and what they say, by unit.
///
/// # Errors
/// What the database says; a row with a text that is none.
pub async fn list(
    rx: &mut ReadTx,
    filter: &LimitFilter,
) -> Result<Page<CloudLimitLine>, StorageError> {
    let limit = filter.limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);
    let total = lines("SELECT 1", filter.state).capped_count(rx).await?;
    let mut sql = lines(
        "SELECT l.backend, l.project, u.name AS unit_name, u.sort_key, l.asked, l.tried_at, l.said,
           l.said_at, l.differs_since, l.error",
        filter.state,
    );
    // A project is known by its cloud and its name there.
    let at = filter.cursor.as_deref().and_then(Cursor::decode);
    if let Some(at) = at
        && let Some((backend, project)) = at.id.split_once('\u{1f}')
    {
        sql = sql
            .push(" AND (u.sort_key, l.backend, l.project) > (")
            .bind(at.key.as_str())
            .push(", ")
            .bind(backend)
            .push(", ")
            .bind(project)
            .push(")");
    }
    let rows: Vec<LineRow> = sql
        .push(" ORDER BY u.sort_key, l.backend, l.project LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |row| {
        let id = format!("{}\u{1f}{}", row.backend, row.project);
        (row.sort_key.clone(), id)
    });
    let rows = rows
        .into_iter()
        .map(|row| {
            let at = row.project.as_str();
            Ok(CloudLimitLine {
                written: figures("asked", at, row.asked.as_ref())?.unwrap_or_default(),
                written_at: row.tried_at.map(Timestamp::from_millis),
                said: figures("said", at, row.said.as_ref())?,
                said_at: row.said_at.map(Timestamp::from_millis),
                differs_since: row.differs_since.map(Timestamp::from_millis),
                error: row.error,
                unit_name: row.unit_name,
                backend: row.backend,
                project: row.project,
            })
        })
        .collect::<Result<_, StorageError>>()?;
    Ok(Page { rows, next, total })
}
