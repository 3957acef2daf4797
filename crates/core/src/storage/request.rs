//! Requests: head, numbers, sent forms. Lines are in [`super::request_line`], lists in
//! [`super::request_list`], revisions in [`super::request_revision`], the history in
//! [`super::history`].

use lingbao_model::{
    id::{PolicyId, PoolId, RequestId, ResourceId, SystemId, UnitId, UserId, VdcId},
    money::Money,
    msg::Msg,
    policy::Facts,
    quota::Dimension,
    request::{Kind, Outcome, Status},
    time::{Date, Timestamp},
};

use super::{ReadTx, Tx, search, sql::Sql, step::Sight};
pub use super::{
    history::add as add_history,
    request_line::of_request as lines,
    request_revision::{add_revision, last_snapshot, snapshot_of_digest},
};
use crate::{error::StorageError, on};

/// A request without its lines. A use case changes it and gives it to [`save`].
#[derive(Debug, Clone)]
pub struct Request {
    /// Identifier.
    pub id: RequestId,
    /// Given at submit.
    pub number: Option<String>,
    /// What it asks for.
    pub kind: Kind,
    /// Where it stands.
    pub status: Status,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Whose.
    pub unit: UnitId,
    /// Whose quota.
    pub vdc: VdcId,
    /// Who asked.
    pub applicant: UserId,
    /// The system; needed at submit.
    pub system: Option<SystemId>,
    /// Title.
    pub title: String,
    /// Reason.
    pub reason: String,
    /// Missing quota is asked for in the same request.
    pub with_quota_change: bool,
    /// Month price.
    pub month: Money,
    /// Charged once.
    pub once: Money,
    /// Grows with each (re)submit.
    pub revision: i64,
    /// Digest of the last submitted revision.
    pub digest: String,
    /// By what the route was found.
    pub facts: Option<Facts>,
    /// Policy that was in force.
    pub policy: Option<PolicyId>,
    /// Stage that is open, from 0.
    pub stage: Option<i64>,
    /// Stage that gave it back.
    pub return_stage: Option<i64>,
    /// Term of what is waited for now.
    pub due_at: Option<Timestamp>,
    /// The order of lists.
    pub sort_at: Timestamp,
    /// When the draft was begun.
    pub created_at: Timestamp,
    /// When it was first submitted.
    pub submitted_at: Option<Timestamp>,
    /// When the last stage agreed.
    pub approved_at: Option<Timestamp>,
    /// When the last piece was settled.
    pub settled_at: Option<Timestamp>,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// Version of the row that was read.
    pub version: i64,
}

impl Request {
    /// A draft that says nothing yet and is not written down.
    #[must_use]
    pub const fn draft(
        id: RequestId,
        kind: Kind,
        unit: UnitId,
        vdc: VdcId,
        applicant: UserId,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            number: None,
            kind,
            status: Status::Draft,
            outcome: None,
            unit,
            vdc,
            applicant,
            system: None,
            title: String::new(),
            reason: String::new(),
            with_quota_change: false,
            month: Money::ZERO,
            once: Money::ZERO,
            revision: 0,
            digest: String::new(),
            facts: None,
            policy: None,
            stage: None,
            return_stage: None,
            due_at: None,
            sort_at: now,
            created_at: now,
            submitted_at: None,
            approved_at: None,
            settled_at: None,
            closed_at: None,
            version: 1,
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    number: Option<String>,
    kind: String,
    status: String,
    outcome: Option<String>,
    unit_id: String,
    vdc_id: String,
    applicant_id: String,
    system_id: Option<String>,
    title: String,
    reason: String,
    with_quota_change: bool,
    month_fen: i64,
    once_fen: i64,
    revision: i64,
    digest: String,
    facts: Option<String>,
    policy_id: Option<String>,
    stage: Option<i64>,
    return_stage: Option<i64>,
    due_at: Option<i64>,
    sort_at: i64,
    created_at: i64,
    submitted_at: Option<i64>,
    approved_at: Option<i64>,
    settled_at: Option<i64>,
    closed_at: Option<i64>,
    version: i64,
}

impl TryFrom<Row> for Request {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let id = row.id;
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("request", column, id.as_str(), e)
        };
        let moment = |at: Option<i64>| at.map(Timestamp::from_millis);
        Ok(Self {
            number: row.number,
            kind: row.kind.parse().map_err(|e| wrong("kind", &e))?,
            status: row.status.parse().map_err(|e| wrong("status", &e))?,
            outcome: row
                .outcome
                .map(|o| o.parse())
                .transpose()
                .map_err(|e| wrong("outcome", &e))?,
            unit: row.unit_id.parse().map_err(|e| wrong("unit_id", &e))?,
            vdc: row.vdc_id.parse().map_err(|e| wrong("vdc_id", &e))?,
            applicant: row
                .applicant_id
                .parse()
                .map_err(|e| wrong("applicant_id", &e))?,
            system: row
                .system_id
                .map(|s| s.parse())
                .transpose()
                .map_err(|e| wrong("system_id", &e))?,
            title: row.title,
            reason: row.reason,
            with_quota_change: row.with_quota_change,
            month: Money::from_fen(row.month_fen),
            once: Money::from_fen(row.once_fen),
            revision: row.revision,
            digest: row.digest,
            facts: row
                .facts
                .map(|f| serde_json::from_str(&f))
                .transpose()
                .map_err(|e| wrong("facts", &e))?,
            policy: row
                .policy_id
                .map(|p| p.parse())
                .transpose()
                .map_err(|e| wrong("policy_id", &e))?,
            stage: row.stage,
            return_stage: row.return_stage,
            due_at: moment(row.due_at),
            sort_at: Timestamp::from_millis(row.sort_at),
            created_at: Timestamp::from_millis(row.created_at),
            submitted_at: moment(row.submitted_at),
            approved_at: moment(row.approved_at),
            settled_at: moment(row.settled_at),
            closed_at: moment(row.closed_at),
            version: row.version,
            id: id.parse().map_err(|e| wrong("id", &e))?,
        })
    }
}

const SELECT: &str =
    "SELECT r.id, r.number, r.kind, r.status, r.outcome, r.unit_id, r.vdc_id, r.applicant_id,
  r.system_id, r.title, r.reason, r.with_quota_change, r.month_fen, r.once_fen, r.revision, r.digest,
  r.facts, r.policy_id, r.stage, r.return_stage, r.due_at, r.sort_at, r.created_at, r.submitted_at,
  r.approved_at, r.settled_at, r.closed_at, r.version FROM request r WHERE TRUE";

/// The request with a number.
///
/// # Errors
/// What the database says; a row with an id that is none.
pub async fn by_number(rx: &mut ReadTx, number: &str) -> Result<Option<RequestId>, StorageError> {
    let id: Option<(String,)> = Sql::new("SELECT id FROM request WHERE number = ")
        .bind(number)
        .optional(rx)
        .await?;
    id.map(|(id,)| id.parse())
        .transpose()
        .map_err(|e| StorageError::inconsistent("request", "id", number, e))
}

/// A submitted request in a person's sight: in the reach of a reading role, or of a role that one
/// of its steps names. Drafts are seen by [`of_applicant`] alone.
///
/// # Errors
/// What the database says.
pub async fn get(
    rx: &mut ReadTx,
    sight: &Sight,
    id: &RequestId,
) -> Result<Option<Request>, StorageError> {
    let sql = Sql::new(SELECT)
        .push(" AND r.submitted_at IS NOT NULL AND r.id = ")
        .bind(id.as_str());
    let row: Option<Row> = sight.filter(sql).optional(rx).await?;
    row.map(Request::try_from).transpose()
}

/// A request of a person's own, drafts included.
///
/// # Errors
/// What the database says.
pub async fn of_applicant(
    rx: &mut ReadTx,
    applicant: &UserId,
    id: &RequestId,
) -> Result<Option<Request>, StorageError> {
    let row: Option<Row> = Sql::new(SELECT)
        .push(" AND r.applicant_id = ")
        .bind(applicant.as_str())
        .push(" AND r.id = ")
        .bind(id.as_str())
        .optional(rx)
        .await?;
    row.map(Request::try_from).transpose()
}

/// A person's drafts for a unit, the one that was touched last first; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn drafts(
    rx: &mut ReadTx,
    applicant: &UserId,
    unit: &UnitId,
    limit: i64,
) -> Result<Vec<Request>, StorageError> {
    let rows: Vec<Row> = Sql::new(SELECT)
        .push(" AND r.applicant_id = ")
        .bind(applicant.as_str())
        .push(" AND r.status = 'draft' AND r.kind = 'new' AND r.unit_id = ")
        .bind(unit.as_str())
        .push(" ORDER BY r.sort_at DESC, r.id DESC LIMIT ")
        .bind(limit)
        .all(rx)
        .await?;
    rows.into_iter().map(Request::try_from).collect()
}

/// Requests of a state whose term is over: what the periodic jobs look for. At most `limit`.
///
/// # Errors
/// What the database says.
pub async fn overdue(
    rx: &mut ReadTx,
    status: Status,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Request>, StorageError> {
    let rows: Vec<Row> = Sql::new(SELECT)
        .push(" AND r.status = ")
        .bind(status.as_str())
        .push(" AND r.due_at <= ")
        .bind(now.millis())
        .push(" ORDER BY r.due_at, r.id LIMIT ")
        .bind(limit)
        .all(rx)
        .await?;
    rows.into_iter().map(Request::try_from).collect()
}

/// Requests whose last piece was settled before a moment and that nobody has confirmed, the longest
/// settled first: at most `limit` after one of them.
///
/// # Errors
/// What the database says.
pub async fn unconfirmed(
    rx: &mut ReadTx,
    settled_before: Timestamp,
    after: Option<&(Timestamp, RequestId)>,
    limit: i64,
) -> Result<Vec<Request>, StorageError> {
    let mut sql = Sql::new(SELECT)
        .push(" AND r.status = 'delivered' AND r.settled_at <= ")
        .bind(settled_before.millis());
    if let Some((settled, id)) = after {
        sql = sql
            .push(" AND (r.settled_at, r.id) > (")
            .bind(settled.millis())
            .push(", ")
            .bind(id.as_str())
            .push(")");
    }
    let rows: Vec<Row> = sql
        .push(" ORDER BY r.settled_at, r.id LIMIT ")
        .bind(limit)
        .all(rx)
        .await?;
    rows.into_iter().map(Request::try_from).collect()
}

fn facts(request: &Request) -> Result<Option<String>, StorageError> {
    request
        .facts
        .as_ref()
        .map(serde_json::to_string)
        .transpose()
        .map_err(|e| StorageError::inconsistent("request", "facts", request.id.as_str(), e))
}

/// Writes a new request down.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &mut Tx, r: &Request) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO request (id, kind, status, unit_id, vdc_id, applicant_id, system_id, title, reason,
           with_quota_change, sort_at, created_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
        .bind(r.id.as_str()).bind(r.kind.as_str()).bind(r.status.as_str()).bind(r.unit.as_str())
        .bind(r.vdc.as_str()).bind(r.applicant.as_str()).bind(r.system.as_ref().map(SystemId::as_str))
        .bind(&r.title).bind(&r.reason).bind(r.with_quota_change).bind(r.sort_at.millis())
        .bind(r.created_at.millis()).bind(r.version).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Writes everything that can change, if nobody else has changed it since it was read; the
/// request then carries its new version.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn save(tx: &mut Tx, r: &mut Request) -> Result<(), StorageError> {
    let facts = facts(r)?;
    let millis = |at: Option<Timestamp>| at.map(Timestamp::millis);
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE request SET number = $1, status = $2, outcome = $3, system_id = $4, title = $5, reason = $6,
           with_quota_change = $7, month_fen = $8, once_fen = $9, revision = $10, digest = $11, facts = $12,
           policy_id = $13, stage = $14, return_stage = $15, due_at = $16, sort_at = $17, submitted_at = $18,
           approved_at = $19, settled_at = $20, closed_at = $21, version = version + 1
         WHERE id = $22 AND version = $23")
        .bind(&r.number).bind(r.status.as_str()).bind(r.outcome.map(Outcome::as_str))
        .bind(r.system.as_ref().map(SystemId::as_str)).bind(&r.title).bind(&r.reason)
        .bind(r.with_quota_change).bind(r.month.fen()).bind(r.once.fen()).bind(r.revision).bind(&r.digest)
        .bind(&facts).bind(r.policy.as_ref().map(PolicyId::as_str)).bind(r.stage).bind(r.return_stage)
        .bind(millis(r.due_at)).bind(r.sort_at.millis()).bind(millis(r.submitted_at))
        .bind(millis(r.approved_at)).bind(millis(r.settled_at)).bind(millis(r.closed_at))
        .bind(r.id.as_str()).bind(r.version).execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "request", r.id.as_str())?;
    r.version += 1;
    Ok(())
}

/// Saves what is typed above the lines of a cart, and nothing else; the version stays.
///
/// # Errors
/// A conflict if the cart was changed meanwhile, or is on its way.
pub async fn keep_head(tx: &mut Tx, r: &Request) -> Result<(), StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE request SET system_id = $1, title = $2, reason = $3, with_quota_change = $4
         WHERE id = $5 AND version = $6 AND status IN ('draft', 'returned')")
        .bind(r.system.as_ref().map(SystemId::as_str)).bind(&r.title).bind(&r.reason)
        .bind(r.with_quota_change).bind(r.id.as_str()).bind(r.version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "request", r.id.as_str())
}

/// Throws a draft away. Submitted requests are never deleted.
///
/// # Errors
/// A conflict if somebody else was faster, or it is no draft.
pub async fn discard(tx: &mut Tx, r: &Request) -> Result<(), StorageError> {
    // Lines refer to each other; the references go first.
    on!(tx, conn => sqlx::query("UPDATE request_item SET attach_to = NULL WHERE request_id = $1
          AND EXISTS (SELECT 1 FROM request q WHERE q.id = $1 AND q.status = 'draft')")
        .bind(r.id.as_str()).execute(conn).await.map(|_| ()))?;
    on!(tx, conn => sqlx::query("DELETE FROM request_item WHERE request_id = $1
          AND EXISTS (SELECT 1 FROM request q WHERE q.id = $1 AND q.status = 'draft')")
        .bind(r.id.as_str()).execute(conn).await.map(|_| ()))?;
    let rows = on!(tx, conn => sqlx::query(
        "DELETE FROM request WHERE id = $1 AND version = $2 AND status = 'draft'")
        .bind(r.id.as_str()).bind(r.version).execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "request", r.id.as_str())
}

/// The next number of a day, from 1. Locks the day's row until the end of the transaction: take it
/// as late as possible.
///
/// # Errors
/// What the database says.
pub async fn next_number(tx: &mut Tx, day: Date) -> Result<i64, StorageError> {
    Ok(on!(tx, conn => sqlx::query_scalar(
        "INSERT INTO request_counter (day, last) VALUES ($1, 1)
         ON CONFLICT (day) DO UPDATE SET last = request_counter.last + 1 RETURNING last")
        .bind(day.compact()).fetch_one(conn).await)?)
}

/// Notes that a form was sent and what comes of it. `false` if it had been sent before: a second
/// sending at the same moment waits here for the end of the first.
///
/// # Errors
/// What the database says.
pub async fn note_form(
    tx: &mut Tx,
    form: &str,
    user: &UserId,
    subject: &RequestId,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "INSERT INTO sent_form (form_id, user_id, subject_id, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (form_id) DO NOTHING")
        .bind(form).bind(user.as_str()).bind(subject.as_str()).bind(now.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// What came of a form that this person sent before.
///
/// # Errors
/// What the database says.
pub async fn sent_form(
    rx: &mut ReadTx,
    form: &str,
    user: &UserId,
) -> Result<Option<RequestId>, StorageError> {
    let id: Option<String> = on!(rx, conn => sqlx::query_scalar(
        "SELECT subject_id FROM sent_form WHERE form_id = $1 AND user_id = $2")
        .bind(form).bind(user.as_str()).fetch_optional(conn).await)?;
    id.map(|id| {
        id.parse()
            .map_err(|e| StorageError::inconsistent("sent_form", "subject_id", form, e))
    })
    .transpose()
}

/// The resources that a release request gives back.
///
/// # Errors
/// What the database says.
pub async fn releases(
    rx: &mut ReadTx,
    request: &RequestId,
) -> Result<Vec<ResourceId>, StorageError> {
    let rows: Vec<(String,)> = on!(rx, conn => sqlx::query_as(
        "SELECT resource_id FROM request_release WHERE request_id = $1 ORDER BY resource_id")
        .bind(request.as_str()).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(id,)| {
            id.parse().map_err(|e| {
                StorageError::inconsistent("request_release", "resource_id", request.as_str(), e)
            })
        })
        .collect()
}

/// Writes down that a request gives a resource back.
///
/// # Errors
/// What the database says.
pub async fn add_release(
    tx: &mut Tx,
    request: &RequestId,
    resource: &ResourceId,
) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO request_release (request_id, resource_id) VALUES ($1, $2)
         ON CONFLICT (request_id, resource_id) DO NOTHING")
        .bind(request.as_str()).bind(resource.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Forgets forms that were sent before a moment.
///
/// # Errors
/// What the database says.
pub async fn forget_sent_forms(tx: &mut Tx, before: Timestamp) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("DELETE FROM sent_form WHERE at < $1")
        .bind(before.millis()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The request on its way that gives a resource back already.
///
/// # Errors
/// What the database says.
pub async fn release_under_way(
    rx: &mut ReadTx,
    resource: &ResourceId,
) -> Result<Option<String>, StorageError> {
    Ok(on!(rx, conn => sqlx::query_scalar(
        "SELECT r.number FROM request_release l JOIN request r ON r.id = l.request_id
         WHERE l.resource_id = $1 AND r.status IN ('in_approval', 'returned', 'approved')
         ORDER BY r.id LIMIT 1")
        .bind(resource.as_str()).fetch_optional(conn).await)?)
}

/// Makes a request findable by its number, title and system.
///
/// # Errors
/// What the database says.
pub async fn index(tx: &mut Tx, request: &Request, system: &str) -> Result<(), StorageError> {
    let number = request.number.as_deref().unwrap_or_default();
    let texts = [number, request.title.as_str(), system];
    search::index(tx, "request", request.id.as_str(), &texts).await
}

impl Request {
    /// What it costs, in words: a month, once, or both.
    #[must_use]
    pub fn cost(&self) -> Msg {
        match (self.month.fen(), self.once.fen()) {
            (_, 0) => Msg::new("money.month").with("n", self.month),
            (0, _) => Msg::new("money.once").with("n", self.once),
            _ => Msg::new("money.both")
                .with("month", self.month)
                .with("once", self.once),
        }
    }
}

/// What a request holds now in a VDC: its own, or the one above that is asked for more.
///
/// # Errors
/// What the database says.
pub async fn held(
    rx: &mut ReadTx,
    request: &Request,
    vdc: &VdcId,
) -> Result<Vec<(PoolId, Dimension, i64)>, StorageError> {
    let rows: Vec<(String, String, i64)> = Sql::new(
        "SELECT pool_id, dimension, CAST(SUM(held_delta) AS BIGINT) FROM quota_entry WHERE request_id = ",
    )
    .bind(request.id.as_str())
    .push(" AND vdc_id = ")
    .bind(vdc.as_str())
    .push(" GROUP BY pool_id, dimension ORDER BY pool_id, dimension")
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(pool, dimension, held)| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("quota_entry", column, request.id.as_str(), e)
            };
            Ok((
                pool.parse().map_err(|e| wrong("pool_id", &e))?,
                dimension.parse().map_err(|e| wrong("dimension", &e))?,
                held,
            ))
        })
        .collect()
}
