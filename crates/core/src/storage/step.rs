//! Approval steps (审批环节), and who sees what through them.

use lingbao_model::{
    id::{RequestId, StepId, UnitId, UserId},
    msg::Label,
    people::Role,
    request::{Decision, StepState, StepStatus},
    time::Timestamp,
};

use super::{ReadTx, Tx, sql::Sql};
use crate::{authz::Scope, error::StorageError, on};

/// How far a person sees requests: by reading roles over their unit, and by deciding roles over
/// the unit that a step names (which may stand above the applicant's).
#[derive(Debug, Clone)]
pub struct Sight {
    /// Units whose requests may be read.
    pub read: Scope,
    /// Deciding roles with their reach.
    pub decide: Vec<(Role, Scope)>,
}

impl Sight {
    /// Appends the filter; the statement calls the request `r`.
    #[must_use]
    pub fn filter(&self, sql: Sql) -> Sql {
        let sql = self
            .read
            .filter(sql.push(" AND ((TRUE"), " AND r.unit_id")
            .push(")");
        if self.decide.is_empty() {
            return sql.push(")");
        }
        let sql = sql.push(
            " OR EXISTS (SELECT 1 FROM approval_step s WHERE s.request_id = r.id AND s.status <> 'planned'",
        );
        self.reach(sql).push("))")
    }

    /// Appends the filter on steps that the person could decide; the statement calls the step `s`.
    #[must_use]
    pub fn reach(&self, sql: Sql) -> Sql {
        let mut sql = sql.push(" AND (FALSE");
        for (role, scope) in &self.decide {
            sql = sql.push(" OR (s.role = ").bind(role.as_str());
            sql = scope.filter(sql, " AND s.unit_id").push(")");
        }
        sql.push(")")
    }
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Identifier.
    pub id: StepId,
    /// The request.
    pub request: RequestId,
    /// Grows when a resubmit begins from the first stage again.
    pub round: i64,
    /// Stage, from 0.
    pub stage: i64,
    /// Key of the stage.
    pub stage_key: String,
    /// Position inside the stage.
    pub position: i64,
    /// Name.
    pub name: Label,
    /// Role that decides.
    pub role: Role,
    /// On which unit an approver's grant must reach.
    pub unit: UnitId,
    /// Its name.
    pub unit_name: String,
    /// Term in working days.
    pub due_days: u32,
    /// Where it stands.
    pub status: StepStatus,
    /// When it was opened.
    pub opened_at: Option<Timestamp>,
    /// Until when it should be decided.
    pub due_at: Option<Timestamp>,
    /// When an approver first opened the card.
    pub seen_at: Option<Timestamp>,
    /// Who decided.
    pub acted_by: Option<UserId>,
    /// Their name.
    pub acted_name: Option<String>,
    /// When.
    pub acted_at: Option<Timestamp>,
    /// What.
    pub decision: Option<Decision>,
    /// In their words.
    pub opinion: String,
    /// Version of the row that was read.
    pub version: i64,
}

impl Step {
    /// As the machine sees it.
    #[must_use]
    pub fn state(&self) -> StepState {
        StepState {
            id: self.id.clone(),
            stage: self.stage,
            status: self.status,
            opened_at: self.opened_at,
            acted_by: self.acted_by.clone(),
            acted_at: self.acted_at,
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    request_id: String,
    round: i64,
    stage: i64,
    stage_key: String,
    position: i64,
    name: String,
    role: String,
    unit_id: String,
    unit_name: String,
    due_days: i64,
    status: String,
    opened_at: Option<i64>,
    due_at: Option<i64>,
    seen_at: Option<i64>,
    acted_by: Option<String>,
    acted_name: Option<String>,
    acted_at: Option<i64>,
    decision: Option<String>,
    opinion: String,
    version: i64,
}

impl TryFrom<Row> for Step {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let id = row.id;
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("approval_step", column, id.as_str(), e)
        };
        let moment = |at: Option<i64>| at.map(Timestamp::from_millis);
        Ok(Self {
            request: row
                .request_id
                .parse()
                .map_err(|e| wrong("request_id", &e))?,
            name: serde_json::from_str(&row.name).map_err(|e| wrong("name", &e))?,
            role: row.role.parse().map_err(|e| wrong("role", &e))?,
            unit: row.unit_id.parse().map_err(|e| wrong("unit_id", &e))?,
            due_days: u32::try_from(row.due_days).map_err(|e| wrong("due_days", &e))?,
            status: row.status.parse().map_err(|e| wrong("status", &e))?,
            acted_by: row
                .acted_by
                .map(|u| u.parse())
                .transpose()
                .map_err(|e| wrong("acted_by", &e))?,
            decision: row
                .decision
                .map(|d| d.parse())
                .transpose()
                .map_err(|e| wrong("decision", &e))?,
            round: row.round,
            stage: row.stage,
            stage_key: row.stage_key,
            position: row.position,
            unit_name: row.unit_name,
            opened_at: moment(row.opened_at),
            due_at: moment(row.due_at),
            seen_at: moment(row.seen_at),
            acted_name: row.acted_name,
            acted_at: moment(row.acted_at),
            opinion: row.opinion,
            version: row.version,
            id: id.parse().map_err(|e| wrong("id", &e))?,
        })
    }
}

const SELECT: &str = "SELECT s.id, s.request_id, s.round, s.stage, s.stage_key, s.position, s.name, s.role,
  s.unit_id, u.name AS unit_name, s.due_days, s.status, s.opened_at, s.due_at, s.seen_at, s.acted_by,
  a.name AS acted_name, s.acted_at, s.decision, s.opinion, s.version
  FROM approval_step s JOIN unit u ON u.id = s.unit_id LEFT JOIN user_account a ON a.id = s.acted_by
  JOIN request r ON r.id = s.request_id WHERE TRUE";

/// A step of a request in a person's sight.
///
/// # Errors
/// What the database says.
pub async fn get(
    rx: &mut ReadTx,
    sight: &Sight,
    id: &StepId,
) -> Result<Option<Step>, StorageError> {
    let sql = Sql::new(SELECT)
        .push(" AND s.status <> 'planned' AND s.id = ")
        .bind(id.as_str());
    // The filter's inner query has a step of its own by the same name, which hides this one.
    let row: Option<Row> = sight.filter(sql).optional(rx).await?;
    row.map(Step::try_from).transpose()
}

/// All steps of a request that the caller has seen, in order of their work.
///
/// # Errors
/// What the database says.
pub async fn of_request(rx: &mut ReadTx, request: &RequestId) -> Result<Vec<Step>, StorageError> {
    let rows: Vec<Row> = Sql::new(SELECT)
        .push(" AND s.request_id = ")
        .bind(request.as_str())
        .push(" ORDER BY s.round, s.stage, s.position, s.id")
        .all(rx)
        .await?;
    rows.into_iter().map(Step::try_from).collect()
}

/// The open steps of a request: which, the role that decides, the unit over which.
///
/// # Errors
/// What the database says.
pub async fn open(
    rx: &mut ReadTx,
    request: &RequestId,
) -> Result<Vec<(StepId, Role, UnitId)>, StorageError> {
    let rows: Vec<(String, String, String)> = Sql::new(
        "SELECT id, role, unit_id FROM approval_step WHERE status = 'open' AND request_id = ",
    )
    .bind(request.as_str())
    .push(" ORDER BY stage, position, id")
    .all(rx)
    .await?;
    rows.into_iter()
        .map(|(id, role, unit)| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("approval_step", column, id.as_str(), e)
            };
            Ok((
                id.parse().map_err(|e| wrong("id", &e))?,
                role.parse().map_err(|e| wrong("role", &e))?,
                unit.parse().map_err(|e| wrong("unit_id", &e))?,
            ))
        })
        .collect()
}

/// Writes a step down.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &mut Tx, step: &Step) -> Result<(), StorageError> {
    let name = serde_json::to_string(&step.name)
        .map_err(|e| StorageError::inconsistent("approval_step", "name", step.id.as_str(), e))?;
    let millis = |at: Option<Timestamp>| at.map(Timestamp::millis);
    on!(tx, conn => sqlx::query(
        "INSERT INTO approval_step (id, request_id, round, stage, stage_key, position, name, role, unit_id,
           due_days, status, opened_at, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
        .bind(step.id.as_str()).bind(step.request.as_str()).bind(step.round).bind(step.stage)
        .bind(&step.stage_key).bind(step.position).bind(&name).bind(step.role.as_str())
        .bind(step.unit.as_str()).bind(i64::from(step.due_days)).bind(step.status.as_str())
        .bind(millis(step.opened_at)).bind(millis(step.due_at)).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Writes what can change, if nobody else has changed it since it was read.
///
/// # Errors
/// A conflict if somebody else was faster.
pub async fn save(tx: &mut Tx, step: &mut Step) -> Result<(), StorageError> {
    let millis = |at: Option<Timestamp>| at.map(Timestamp::millis);
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE approval_step SET status = $1, opened_at = $2, due_at = $3, acted_by = $4, acted_at = $5,
           decision = $6, opinion = $7, version = version + 1 WHERE id = $8 AND version = $9")
        .bind(step.status.as_str()).bind(millis(step.opened_at)).bind(millis(step.due_at))
        .bind(step.acted_by.as_ref().map(UserId::as_str)).bind(millis(step.acted_at))
        .bind(step.decision.map(Decision::as_str)).bind(&step.opinion).bind(step.id.as_str())
        .bind(step.version).execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "approval_step", step.id.as_str())?;
    step.version += 1;
    Ok(())
}

/// Notes that an approver opened the card for the first time. No conflict with a decision.
///
/// # Errors
/// What the database says.
pub async fn mark_seen(tx: &mut Tx, id: &StepId, at: Timestamp) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "UPDATE approval_step SET seen_at = $1 WHERE id = $2 AND seen_at IS NULL AND status = 'open'")
        .bind(at.millis()).bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The highest round of a request; 0 before the first.
///
/// # Errors
/// What the database says.
pub async fn last_round(rx: &mut ReadTx, request: &RequestId) -> Result<i64, StorageError> {
    Sql::new("SELECT MAX(round) FROM approval_step WHERE request_id = ")
        .bind(request.as_str())
        .number(rx)
        .await
}

/// A unit and everything above it, the unit itself first, with names.
///
/// # Errors
/// What the database says.
pub async fn ladder(rx: &mut ReadTx, unit: &UnitId) -> Result<Vec<(UnitId, String)>, StorageError> {
    let rows: Vec<(String, String)> = on!(rx, conn => sqlx::query_as(
        "SELECT u.id, u.name FROM unit_closure k JOIN unit u ON u.id = k.ancestor
         WHERE k.descendant = $1 ORDER BY k.depth, u.id")
        .bind(unit.as_str()).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(id, name)| match UnitId::try_from(id.clone()) {
            Ok(unit) => Ok((unit, name)),
            Err(e) => Err(StorageError::inconsistent("unit", "id", id, e)),
        })
        .collect()
}

/// Who could decide a step of a role on a unit, but for one person: ids and names.
///
/// # Errors
/// What the database says.
pub async fn deciders(
    rx: &mut ReadTx,
    role: Role,
    unit: &UnitId,
    but: &UserId,
) -> Result<Vec<(UserId, String)>, StorageError> {
    let rows: Vec<(String, String)> = on!(rx, conn => sqlx::query_as(
        "SELECT DISTINCT a.id, a.name FROM user_grant g JOIN user_account a ON a.id = g.user_id
         WHERE g.role = $1 AND g.revoked_at IS NULL AND a.active AND a.id <> $3 AND (g.reach = 'site'
            OR (g.reach = 'own' AND g.unit_id = $2)
            OR (g.reach = 'subtree' AND g.unit_id IN
                (SELECT ancestor FROM unit_closure WHERE descendant = $2)))
         ORDER BY a.name, a.id")
        .bind(role.as_str()).bind(unit.as_str()).bind(but.as_str()).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(id, name)| match UserId::try_from(id.clone()) {
            Ok(user) => Ok((user, name)),
            Err(e) => Err(StorageError::inconsistent("user_grant", "user_id", id, e)),
        })
        .collect()
}
