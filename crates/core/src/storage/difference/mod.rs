//! Where the portal and the clouds differ: what a round compares with, writes and closes, and what
//! operators read of it.

mod list;
mod networks;
mod snapshots;

pub use list::{counts, get, list, of_resource, slice};
pub use networks::{OurNetwork, of_names as networks};
pub use snapshots::{Kept as KeptSnapshot, names_after as snapshots_after, of_names as snapshots};

use std::collections::{BTreeSet, HashMap, HashSet};

use lingbao_model::{
    access_rule::AccessRule,
    catalogue::Fulfiller,
    id::{DifferenceId, ResourceId, UnitId, UserId},
    money::Money,
    param::Answers,
    resource::ServiceState,
    time::Timestamp,
    view::difference::{Closing, DifferenceKind, RoundLine, Said, ThingKind},
};
use serde::{Deserialize, Serialize};

use super::{ReadTx, Tx, access_rule, sql::Sql};
use crate::{error::StorageError, on};

// ---- what is compared

/// A resource as a round compares it.
#[derive(Debug, Clone)]
pub struct Ours {
    /// The resource.
    pub id: ResourceId,
    /// Whose.
    pub unit: UnitId,
    /// Kind of thing.
    pub kind: Fulfiller,
    /// Name.
    pub name: String,
    /// Its name in the cloud, where it is another one.
    pub cloud_name: Option<String>,
    /// The backend's name for it.
    pub external_id: String,
    /// Address.
    pub address: Option<String>,
    /// Whether it hangs on something.
    pub attached: bool,
    /// On what: the backend's name for it, and ours.
    pub target: Option<(String, String)>,
    /// Of a host, what its owner lets in.
    pub rules: Vec<AccessRule>,
    /// Answers of the order: sizes.
    pub answers: Answers,
    /// Month price.
    pub month: Money,
    /// What it does.
    pub service: ServiceState,
    /// When it was delivered.
    pub delivered_at: Timestamp,
    /// Version of the row.
    pub version: i64,
    /// Whether something is being done to it, or its release was approved.
    pub busy: bool,
}

#[derive(sqlx::FromRow)]
struct OursRow {
    id: String,
    unit_id: String,
    kind: String,
    name: String,
    cloud_name: Option<String>,
    external_id: String,
    address: Option<String>,
    attached_to: Option<String>,
    target_id: Option<String>,
    target_name: Option<String>,
    answers: String,
    month_fen: i64,
    service_state: String,
    delivered_at: i64,
    version: i64,
    busy: i64,
}

const OURS: &str = "SELECT r.id, r.unit_id, r.kind, r.name, r.cloud_name, r.external_id, r.address, r.attached_to,
  t.external_id AS target_id, t.name AS target_name, r.answers, r.month_fen, r.service_state, r.delivered_at, r.version,
  (SELECT count(*) FROM resource_action a WHERE a.resource_id = r.id)
    + (SELECT count(*) FROM request_release l JOIN request q ON q.id = l.request_id
       WHERE l.resource_id = r.id AND q.status = 'approved') AS busy
FROM resource r LEFT JOIN resource t ON t.id = r.attached_to
WHERE r.service_state <> 'released' AND r.backend = ";

impl TryFrom<OursRow> for Ours {
    type Error = StorageError;
    fn try_from(row: OursRow) -> Result<Self, StorageError> {
        let at = row.id.clone();
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("resource", column, at.as_str(), e)
        };
        Ok(Self {
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
            unit: row.unit_id.parse().map_err(|e| wrong("unit_id", &e))?,
            kind: row.kind.parse().map_err(|e| wrong("kind", &e))?,
            name: row.name,
            cloud_name: row.cloud_name,
            external_id: row.external_id,
            address: row.address,
            attached: row.attached_to.is_some(),
            target: row.target_id.zip(row.target_name),
            rules: Vec::new(),
            answers: serde_json::from_str(&row.answers).map_err(|e| wrong("answers", &e))?,
            month: Money::from_fen(row.month_fen),
            service: row
                .service_state
                .parse()
                .map_err(|e| wrong("service_state", &e))?,
            delivered_at: Timestamp::from_millis(row.delivered_at),
            version: row.version,
            busy: row.busy > 0,
        })
    }
}

/// The resources that some things of a backend belong to, by the backend's names.
///
/// # Errors
/// What the database says.
pub async fn ours<'a>(
    rx: &mut ReadTx,
    backend: &str,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<String, Ours>, StorageError> {
    let rows: Vec<OursRow> = Sql::new(OURS)
        .bind(backend)
        .push(" AND r.external_id IN ")
        .bind_list(ids)
        .all(rx)
        .await?;
    let mut all: HashMap<String, Ours> = rows
        .into_iter()
        .map(|row| Ok((row.external_id.clone(), Ours::try_from(row)?)))
        .collect::<Result<_, StorageError>>()?;
    let hosts = all.values().filter(|one| one.kind == Fulfiller::Server);
    let hosts = hosts.map(|host| host.id.as_str());
    let mut rules = access_rule::of_resources(rx, hosts).await?;
    for host in all.values_mut() {
        host.rules = rules.remove(&host.id).unwrap_or_default();
    }
    Ok(all)
}

/// The backend's names of our resources after one of them, in order: those that were delivered
/// before a moment.
///
/// # Errors
/// What the database says.
pub async fn names_after(
    rx: &mut ReadTx,
    backend: &str,
    after: &str,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<String>, StorageError> {
    let rows: Vec<(String,)> = Sql::new("SELECT external_id FROM resource WHERE backend = ")
        .bind(backend)
        .push(" AND external_id > ")
        .bind(after)
        .push(" AND service_state <> 'released' AND delivered_at < ")
        .bind(before.millis())
        .push(" ORDER BY external_id LIMIT ")
        .bind(limit)
        .all(rx)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The pieces that are being built or have left something behind: `<line>:<piece>`, as the
/// operations that build them begin.
///
/// # Errors
/// What the database says.
pub async fn under_way(rx: &mut ReadTx) -> Result<HashSet<String>, StorageError> {
    let rows: Vec<(String, i64)> = Sql::new(
        "SELECT f.request_item_id, f.piece FROM fulfilment f JOIN request q ON q.id = f.request_id
         WHERE q.status = 'approved' AND f.status IN ('waiting', 'running', 'residue')",
    )
    .all(rx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(item, piece)| format!("{item}:{piece}"))
        .collect())
}

/// Which of these operations belong to a saga that has not ended.
///
/// # Errors
/// What the database says.
pub async fn open_operations<'a>(
    rx: &mut ReadTx,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<HashSet<String>, StorageError> {
    let rows: Vec<(String,)> = Sql::new(
        "SELECT o.id FROM operation o JOIN saga s ON s.id = o.saga_id
         WHERE s.state IN ('running', 'stuck', 'unwinding', 'residue') AND o.id IN ",
    )
    .bind_list(ids)
    .all(rx)
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// What an operation of ours gave.
#[derive(Debug, Clone)]
pub struct Made {
    /// The backend's name for it.
    pub external_id: String,
    /// When it was asked for: nothing of it is older.
    pub asked_at: Timestamp,
}

/// What a step keeps of the thing that its call gave.
#[derive(Deserialize)]
struct Kept {
    object: KeptObject,
}

#[derive(Deserialize)]
struct KeptObject {
    id: String,
    operation: String,
}

/// What these operations gave, as the steps that are done have kept it. Those of pieces are called
/// `<line>:<piece>:<verb>` (see `fulfil::pieces`), others as their step's.
///
/// # Errors
/// What the database says.
pub async fn made<'a>(
    rx: &mut ReadTx,
    operations: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<String, Made>, StorageError> {
    const DONE: &str = "SELECT t.output, o.created_at FROM saga_step t
         JOIN operation o ON o.saga_id = t.saga_id AND o.position = t.position
         WHERE t.output IS NOT NULL AND o.state = 'done' AND ";
    let all: BTreeSet<&str> = operations.into_iter().filter(|op| !op.is_empty()).collect();
    let mut made = HashMap::new();
    // A city of foreign things says nothing of ours.
    if all.is_empty() {
        return Ok(made);
    }
    let mut rows: Vec<(String, i64)> = Sql::new(DONE)
        .push("o.id IN ")
        .bind_list(all.iter().copied())
        .all(rx)
        .await?;
    let lines: BTreeSet<&str> = all
        .iter()
        .filter_map(|op| Some(op.split_once(':')?.0))
        .collect();
    if !lines.is_empty() {
        let of_pieces: Vec<(String, i64)> = Sql::new(DONE)
            .push("t.saga_id IN (SELECT f.saga_id FROM fulfilment f WHERE f.request_item_id IN ")
            .bind_list(lines)
            .push(")")
            .all(rx)
            .await?;
        rows.extend(of_pieces);
    }
    for (output, asked_at) in rows {
        // Steps keep other things too.
        let Ok(kept) = serde_json::from_str::<Kept>(&output) else {
            continue;
        };
        let asked_at = Timestamp::from_millis(asked_at);
        if !all.contains(kept.object.operation.as_str()) {
            continue;
        }
        // What a thing was attached by later says the same of it: the first asking made it.
        let it = made.entry(kept.object.operation).or_insert(Made {
            external_id: kept.object.id,
            asked_at,
        });
        it.asked_at = it.asked_at.min(asked_at);
    }
    Ok(made)
}

// ---- rounds

/// Makes sure that no younger round has written: from here to the end of the transaction this one
/// has the backend for itself. `false` if a younger one was faster.
///
/// # Errors
/// What the database says.
pub async fn claim_round(
    tx: &mut Tx,
    backend: &str,
    begun: Timestamp,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query("INSERT INTO cloud_round (backend, begun_at, tried_at) VALUES ($1, $2, $2)
         ON CONFLICT (backend) DO UPDATE SET begun_at = excluded.begun_at WHERE cloud_round.begun_at <= excluded.begun_at")
        .bind(backend).bind(begun.millis()).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// A whole round has been read and written.
///
/// # Errors
/// What the database says.
pub async fn end_round(
    tx: &mut Tx,
    backend: &str,
    begun: Timestamp,
    things: i64,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE cloud_round SET compared_at = $1, things = $2, tried_at = $1, error = NULL WHERE backend = $3")
        .bind(begun.millis()).bind(things).bind(backend).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// A round broke off: nothing is known.
///
/// # Errors
/// What the database says.
pub async fn break_round(
    tx: &mut Tx,
    backend: &str,
    begun: Timestamp,
    error: &str,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("INSERT INTO cloud_round (backend, begun_at, tried_at, error) VALUES ($1, $2, $2, $3)
         ON CONFLICT (backend) DO UPDATE SET tried_at = excluded.tried_at, error = excluded.error")
        .bind(backend).bind(begun.millis()).bind(error).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Keeps rounds over a backend, and others who take something in from it, waiting until the end of
/// the transaction.
///
/// # Errors
/// What the database says.
pub async fn hold_rounds(tx: &mut Tx, backend: &str) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE cloud_round SET begun_at = begun_at WHERE backend = $1")
        .bind(backend).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The rounds, by backend.
///
/// # Errors
/// What the database says.
pub async fn rounds(rx: &mut ReadTx) -> Result<Vec<RoundLine>, StorageError> {
    type Row = (String, Option<i64>, i64, i64, Option<String>);
    let rows: Vec<Row> = Sql::new(
        "SELECT backend, compared_at, things, tried_at, error FROM cloud_round ORDER BY backend",
    )
    .all(rx)
    .await?;
    Ok(rows
        .into_iter()
        .map(
            |(backend, compared_at, things, tried_at, error)| RoundLine {
                backend,
                compared_at: compared_at.map(Timestamp::from_millis),
                things,
                tried_at: Timestamp::from_millis(tried_at),
                error,
            },
        )
        .collect())
}

/// What a round knows of a thing beyond what it compares; all empty where the cloud does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// The backend's name for its project.
    pub project: String,
    /// The backend's name of its pool.
    pub pool: String,
    /// The backend's own word for where a host stands that was made for no pool.
    pub zone: String,
    /// The backend's names of the pools that are there.
    pub pools: Vec<String>,
    /// Cores of a host.
    pub vcpus: u32,
    /// Memory of a host, GiB.
    pub memory_gb: u32,
    /// System disk of a host, size of a disk; GiB.
    pub disk_gb: u32,
    /// Bandwidth of an address, Mbit/s.
    pub mbps: u32,
    /// Code of its image.
    pub image: String,
}

/// Something that a round found.
#[derive(Debug, Clone)]
pub struct Found {
    /// In what way it differs.
    pub kind: DifferenceKind,
    /// Kind of thing.
    pub thing: ThingKind,
    /// The backend's name for it.
    pub external_id: String,
    /// The resource and its unit; of a snapshot its disk.
    pub resource: Option<(ResourceId, UnitId)>,
    /// Its name.
    pub name: String,
    /// The operation that made it.
    pub operation: String,
    /// What both sides say.
    pub said: Vec<Said>,
    /// What else is known of it.
    pub about: About,
    /// Month price at stake.
    pub month: Money,
    /// How long it may pass by itself, in milliseconds: 0 shows it at once.
    pub patience_ms: i64,
}

/// Writes down what a round found, or that it stands still; `true` if it is new. Whose it is may be known
/// only later: a snapshot of a disk that is taken in. A note is kept
/// while both sides say the same as when it was written; on what is foreign or a double always.
///
/// # Errors
/// What the database says.
pub async fn put(
    tx: &mut Tx,
    id: &DifferenceId,
    backend: &str,
    found: &Found,
    round: Timestamp,
) -> Result<bool, StorageError> {
    let said = serde_json::to_string(&found.said)
        .map_err(|e| StorageError::inconsistent("difference", "said", id.as_str(), e))?;
    let about = serde_json::to_string(&found.about)
        .map_err(|e| StorageError::inconsistent("difference", "about", id.as_str(), e))?;
    let row: (String,) = on!(tx, conn => sqlx::query_as(
        "INSERT INTO difference (id, backend, kind, thing, external_id, resource_id, name, operation, said, month_fen,
           first_seen, last_seen, ripe, about) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12 = 0, $13)
         ON CONFLICT (backend, external_id, kind) WHERE closed_at IS NULL DO UPDATE SET
           name = excluded.name, resource_id = excluded.resource_id, said = excluded.said, about = excluded.about, month_fen = excluded.month_fen, last_seen = excluded.last_seen,
           ripe = difference.ripe OR difference.first_seen + $12 <= excluded.last_seen,
           note = CASE WHEN difference.kind IN ('foreign', 'double') OR difference.said = excluded.said THEN difference.note ELSE '' END
         RETURNING id")
        .bind(id.as_str()).bind(backend).bind(found.kind.as_str()).bind(found.thing.as_str()).bind(&found.external_id)
        .bind(found.resource.as_ref().map(|(id, _)| id.as_str())).bind(&found.name).bind(&found.operation).bind(&said)
        .bind(found.month.fen()).bind(round.millis()).bind(found.patience_ms).bind(&about).fetch_one(conn).await)?;
    Ok(row.0 == id.as_str())
}

/// A difference that a round did not find again.
#[derive(Debug, Clone)]
pub struct Unseen {
    /// Identifier.
    pub id: DifferenceId,
    /// The backend's name for the thing.
    pub external_id: String,
    /// In what way it differed.
    pub kind: DifferenceKind,
    /// Whether its resource was given back.
    pub released: bool,
    /// Whose the resource is.
    pub unit: Option<UnitId>,
}

/// What stands at a backend and was not found since a moment.
///
/// # Errors
/// What the database says.
pub async fn unseen(
    rx: &mut ReadTx,
    backend: &str,
    since: Timestamp,
) -> Result<Vec<Unseen>, StorageError> {
    type Row = (String, String, String, Option<String>, Option<String>);
    let rows: Vec<Row> = Sql::new(
        "SELECT d.id, d.external_id, d.kind, r.service_state, r.unit_id FROM difference d
         LEFT JOIN resource r ON r.id = d.resource_id WHERE d.closed_at IS NULL AND d.backend = ",
    )
    .bind(backend)
    .push(" AND d.last_seen < ")
    .bind(since.millis())
    .push(" ORDER BY d.id")
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(id, external_id, kind, state, unit)| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("difference", column, id.as_str(), e)
            };
            Ok(Unseen {
                id: id.parse().map_err(|e| wrong("id", &e))?,
                external_id,
                kind: kind.parse().map_err(|e| wrong("kind", &e))?,
                released: state.as_deref() == Some(ServiceState::Released.as_str()),
                unit: unit
                    .map(|unit| unit.parse())
                    .transpose()
                    .map_err(|e| wrong("resource_id", &e))?,
            })
        })
        .collect()
}

/// Closes a difference; `false` if somebody was faster. What nobody was shown leaves no history.
///
/// # Errors
/// What the database says.
pub async fn close(
    tx: &mut Tx,
    id: &DifferenceId,
    how: Closing,
    by: Option<&UserId>,
    at: Timestamp,
) -> Result<bool, StorageError> {
    on!(tx, conn => sqlx::query("DELETE FROM difference WHERE id = $1 AND closed_at IS NULL AND NOT ripe")
        .bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE difference SET closed_at = $1, closed_how = $2, closed_by = $3 WHERE id = $4 AND closed_at IS NULL")
        .bind(at.millis()).bind(how.as_str()).bind(by.map(UserId::as_str)).bind(id.as_str())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Notes why a difference stands; `false` if it has been closed.
///
/// # Errors
/// What the database says.
pub async fn note(
    tx: &mut Tx,
    id: &DifferenceId,
    note: &str,
    by: &UserId,
    at: Timestamp,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE difference SET note = $1, noted_at = $2, noted_by = $3 WHERE id = $4 AND closed_at IS NULL")
        .bind(note).bind(at.millis()).bind(by.as_str()).bind(id.as_str())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}
