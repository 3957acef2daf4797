//! Accounts: the person, the password, the roles. What happens at the door (failures, locks,
//! visits) is in [`super::door`].

use lingbao_model::{
    id::{GrantId, UnitId, UserId},
    people::{Reach, Role},
    time::Timestamp,
    view::{
        page::{MAX_PAGE_ROWS, PAGE_ROWS, Page},
        people::{AccountState, GrantRow, UserDetail, UserQuery, UserRow, Visit},
    },
};

use super::{
    ReadTx, Tx,
    db::Engine,
    search,
    sql::{Cursor, Sql, cut},
};
use crate::{authz::Scope, error::StorageError, on};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    login: String,
    name: String,
    sort_key: String,
    unit_id: String,
    unit_name: String,
    phone: String,
    active: bool,
    failures: i64,
    locked_until: Option<i64>,
    last_login_at: Option<i64>,
    last_login_ip: Option<String>,
    created_at: i64,
    version: i64,
}

impl Row {
    fn line(&self, now: Timestamp, roles: Vec<Role>) -> Result<UserRow, StorageError> {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("user_account", column, self.id.as_str(), e)
        };
        let locked = self
            .locked_until
            .map(Timestamp::from_millis)
            .filter(|until| *until > now);
        Ok(UserRow {
            id: self.id.parse().map_err(|e| wrong("id", &e))?,
            unit: self.unit_id.parse().map_err(|e| wrong("unit_id", &e))?,
            login: self.login.clone(),
            name: self.name.clone(),
            unit_name: self.unit_name.clone(),
            roles,
            state: match (self.active, locked) {
                (false, _) => AccountState::Inactive,
                (true, Some(until)) => AccountState::Locked { until },
                (true, None) => AccountState::Active,
            },
            last_login_at: self.last_login_at.map(Timestamp::from_millis),
        })
    }
}

const SELECT: &str = "SELECT u.id, u.login, u.name, u.sort_key, u.unit_id, n.name AS unit_name,
   u.phone, u.active, u.failures, u.locked_until, u.last_login_at, u.last_login_ip, u.created_at,
   u.version FROM user_account u JOIN unit n ON n.id = u.unit_id WHERE TRUE";

fn filtered(mut sql: Sql, scope: &Scope, query: &UserQuery, now: Timestamp) -> Sql {
    sql = scope.filter(sql, " AND u.unit_id");
    if let Some(unit) = &query.unit {
        sql = sql
            .push(" AND u.unit_id IN (SELECT descendant FROM unit_closure WHERE ancestor = ")
            .bind(unit.as_str())
            .push(")");
    }
    if let Some(role) = query.role {
        sql = sql
            .push(
                " AND u.id IN (SELECT user_id FROM user_grant WHERE revoked_at IS NULL AND role = ",
            )
            .bind(role.as_str())
            .push(")");
    }
    sql = match query.state.as_str() {
        "active" => sql.push(" AND u.active"),
        "inactive" => sql.push(" AND NOT u.active"),
        "locked" => sql
            .push(" AND u.active AND u.locked_until > ")
            .bind(now.millis()),
        _ => sql,
    };
    search::matching(sql, " AND u.id", "user", &query.text)
}

/// One page of the users within the scope.
///
/// # Errors
/// What the database says.
pub async fn list(
    rx: &mut ReadTx,
    scope: &Scope,
    query: &UserQuery,
    now: Timestamp,
) -> Result<Page<UserRow>, StorageError> {
    let limit = match query.limit {
        0 => PAGE_ROWS,
        n => n.clamp(1, MAX_PAGE_ROWS),
    };
    let count = Sql::new("SELECT 1 FROM user_account u WHERE TRUE");
    let total = filtered(count, scope, query, now).capped_count(rx).await?;
    let mut sql = filtered(Sql::new(SELECT), scope, query, now);
    let after = query.after.as_deref().and_then(Cursor::decode);
    sql = match (query.newest, after) {
        (true, Some(c)) => sql.push(" AND u.id < ").bind(&c.id),
        (false, Some(c)) => sql
            .push(" AND (u.sort_key > ")
            .bind(&c.key)
            .push(" OR (u.sort_key = ")
            .bind(&c.key)
            .push(" AND u.id > ")
            .bind(&c.id)
            .push("))"),
        (_, None) => sql,
    };
    // Ids sort by time.
    sql = sql.push(if query.newest {
        " ORDER BY u.id DESC LIMIT "
    } else {
        " ORDER BY u.sort_key, u.id LIMIT "
    });
    let rows: Vec<Row> = sql.bind(limit + 1).all(rx).await?;
    let (rows, next) = cut(rows, limit, |row| (row.sort_key.clone(), row.id.clone()));
    let mut roles = roles_of(rx, rows.iter().map(|r| r.id.as_str())).await?;
    let rows = rows
        .iter()
        .map(|row| row.line(now, roles.remove(&row.id).unwrap_or_default()))
        .collect::<Result<_, _>>()?;
    Ok(Page { rows, next, total })
}

async fn roles_of(
    rx: &mut ReadTx,
    users: impl Iterator<Item = &str>,
) -> Result<std::collections::HashMap<String, Vec<Role>>, StorageError> {
    let rows: Vec<(String, String, String)> = Sql::new(
        "SELECT id, user_id, role FROM user_grant WHERE revoked_at IS NULL AND user_id IN ",
    )
    .bind_list(users)
    .push(" ORDER BY id")
    .all(rx)
    .await?;
    let mut all: std::collections::HashMap<String, Vec<Role>> = std::collections::HashMap::new();
    for (id, user, role) in rows {
        let role = role
            .parse()
            .map_err(|e| StorageError::inconsistent("user_grant", "role", id, e))?;
        let roles = all.entry(user).or_default();
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    Ok(all)
}

/// A user within the scope, with everything that administrators see.
///
/// # Errors
/// What the database says.
pub async fn get(
    rx: &mut ReadTx,
    scope: &Scope,
    id: &UserId,
    now: Timestamp,
) -> Result<Option<UserDetail>, StorageError> {
    let row: Option<Row> = scope
        .filter(Sql::new(SELECT), " AND u.unit_id")
        .push(" AND u.id = ")
        .bind(id.as_str())
        .optional(rx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let grants = grants(rx, id).await?;
    let mut roles: Vec<Role> = Vec::new();
    for grant in &grants {
        if !roles.contains(&grant.role) {
            roles.push(grant.role);
        }
    }
    Ok(Some(UserDetail {
        phone: row.phone.clone(),
        failures: row.failures,
        last_login: row.last_login_at.map(|at| Visit {
            at: Timestamp::from_millis(at),
            ip: row.last_login_ip.clone().unwrap_or_default(),
        }),
        created_at: Timestamp::from_millis(row.created_at),
        version: row.version,
        row: row.line(now, roles)?,
        grants,
    }))
}

/// The roles of a user with the names of their units and of who gave them.
///
/// # Errors
/// What the database says.
pub async fn grants(rx: &mut ReadTx, user: &UserId) -> Result<Vec<GrantRow>, StorageError> {
    type Columns = (String, String, String, String, String, i64, String);
    let rows: Vec<Columns> = on!(rx, conn => sqlx::query_as(
        "SELECT g.id, g.role, g.unit_id, n.name, g.reach, g.granted_at,
                COALESCE(b.name, g.granted_by)
         FROM user_grant g JOIN unit n ON n.id = g.unit_id
         LEFT JOIN user_account b ON b.id = g.granted_by
         WHERE g.user_id = $1 AND g.revoked_at IS NULL ORDER BY g.id")
        .bind(user.as_str()).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(id, role, unit, unit_name, reach, at, by)| {
            let wrong = |column, e: &dyn std::fmt::Display| {
                StorageError::inconsistent("user_grant", column, id.as_str(), e)
            };
            Ok(GrantRow {
                id: id.parse().map_err(|e| wrong("id", &e))?,
                role: role.parse().map_err(|e| wrong("role", &e))?,
                unit: unit.parse().map_err(|e| wrong("unit_id", &e))?,
                reach: reach.parse().map_err(|e| wrong("reach", &e))?,
                unit_name,
                granted_at: Timestamp::from_millis(at),
                granted_by: by,
            })
        })
        .collect()
}

/// An account to be written down.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Its id.
    pub id: &'a UserId,
    /// Login name, lower case.
    pub login: &'a str,
    /// The person's name.
    pub name: &'a str,
    /// Where the person works.
    pub unit: &'a UnitId,
    /// Telephone.
    pub phone: &'a str,
    /// Hash of the first password.
    pub hash: &'a str,
    /// Whether the password must be changed at the first sign-in.
    pub must_change: bool,
    /// When.
    pub now: Timestamp,
}

/// Writes an account with its password down. `false` if the login name is taken.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "INSERT INTO user_account (id, login, name, sort_key, unit_id, phone, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (login) DO NOTHING")
        .bind(new.id.as_str()).bind(new.login).bind(new.name).bind(search::sort_key(new.name))
        .bind(new.unit.as_str()).bind(new.phone).bind(new.now.millis())
        .execute(conn).await.map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Ok(false);
    }
    on!(tx, conn => sqlx::query(
        "INSERT INTO credential (user_id, hash, changed_at, must_change) VALUES ($1, $2, $3, $4)")
        .bind(new.id.as_str()).bind(new.hash).bind(new.now.millis()).bind(new.must_change)
        .execute(conn).await.map(|_| ()))?;
    search::index(
        tx,
        "user",
        new.id.as_str(),
        &[new.name, new.login, new.phone],
    )
    .await?;
    Ok(true)
}

/// Changes name, telephone and unit of an account.
///
/// # Errors
/// A conflict when it has another version by now.
pub async fn edit(
    tx: &mut Tx,
    id: &UserId,
    version: i64,
    login: &str,
    name: &str,
    phone: &str,
    unit: &UnitId,
) -> Result<(), StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE user_account SET name = $1, sort_key = $2, phone = $3, unit_id = $4,
                version = version + 1 WHERE id = $5 AND version = $6")
        .bind(name).bind(search::sort_key(name)).bind(phone).bind(unit.as_str())
        .bind(id.as_str()).bind(version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "user_account", id.as_str())?;
    search::index(tx, "user", id.as_str(), &[name, login, phone]).await
}

/// Opens or closes an account.
///
/// # Errors
/// A conflict when it has another version by now.
pub async fn set_active(
    tx: &mut Tx,
    id: &UserId,
    version: i64,
    active: bool,
) -> Result<(), StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE user_account SET active = $1, version = version + 1 WHERE id = $2 AND version = $3")
        .bind(active).bind(id.as_str()).bind(version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "user_account", id.as_str())
}

/// A role to be given.
#[derive(Debug, Clone)]
pub struct NewGrant<'a> {
    /// Its id.
    pub id: &'a GrantId,
    /// To whom.
    pub user: &'a UserId,
    /// Which role.
    pub role: Role,
    /// On which unit.
    pub unit: &'a UnitId,
    /// How far.
    pub reach: Reach,
    /// Who gives it: a user's id, or `system`.
    pub by: &'a str,
    /// When.
    pub now: Timestamp,
}

/// Gives a role. `false` if the user has it on that unit already.
///
/// # Errors
/// What the database says.
pub async fn insert_grant(tx: &mut Tx, new: &NewGrant<'_>) -> Result<bool, StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "INSERT INTO user_grant (id, user_id, role, unit_id, reach, granted_at, granted_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (user_id, role, unit_id) WHERE revoked_at IS NULL DO NOTHING")
        .bind(new.id.as_str()).bind(new.user.as_str()).bind(new.role.as_str())
        .bind(new.unit.as_str()).bind(new.reach.as_str()).bind(new.now.millis()).bind(new.by)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Serialises changes of one user's roles: two that fit alone may exclude each other together.
///
/// # Errors
/// What the database says.
pub async fn lock(tx: &mut Tx, user: &UserId) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query("UPDATE user_account SET version = version WHERE id = $1")
        .bind(user.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Takes a role away; how many rows that met (0 or 1).
///
/// # Errors
/// What the database says.
pub async fn revoke_grant(
    tx: &mut Tx,
    user: &UserId,
    grant: &GrantId,
    by: &str,
    now: Timestamp,
) -> Result<u64, StorageError> {
    Ok(on!(tx, conn => sqlx::query(
        "UPDATE user_grant SET revoked_at = $1, revoked_by = $2
         WHERE id = $3 AND user_id = $4 AND revoked_at IS NULL")
        .bind(now.millis()).bind(by).bind(grant.as_str()).bind(user.as_str())
        .execute(conn).await.map(|done| done.rows_affected()))?)
}

/// Telephone of a user; empty if there is none.
///
/// # Errors
/// What the database says.
pub async fn phone(rx: &mut ReadTx, user: &UserId) -> Result<String, StorageError> {
    let row: Option<String> = on!(rx, conn => sqlx::query_scalar(
        "SELECT phone FROM user_account WHERE id = $1")
        .bind(user.as_str()).fetch_optional(conn).await)?;
    Ok(row.unwrap_or_default())
}

/// Active users who hold a role that reaches a unit: whom to tell, and who may act.
///
/// # Errors
/// What the database says.
pub async fn holders(
    rx: &mut ReadTx,
    role: Role,
    unit: &UnitId,
) -> Result<Vec<UserId>, StorageError> {
    let rows: Vec<(String,)> = on!(rx, conn => sqlx::query_as(
        "SELECT DISTINCT g.user_id FROM user_grant g JOIN user_account u ON u.id = g.user_id
         WHERE g.role = $1 AND g.revoked_at IS NULL AND u.active AND (g.reach = 'site'
            OR (g.reach = 'own' AND g.unit_id = $2)
            OR (g.reach = 'subtree' AND g.unit_id IN
                (SELECT ancestor FROM unit_closure WHERE descendant = $2)))
         ORDER BY g.user_id")
        .bind(role.as_str()).bind(unit.as_str()).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(id,)| match UserId::try_from(id.clone()) {
            Ok(user) => Ok(user),
            Err(e) => Err(StorageError::inconsistent("user_grant", "user_id", id, e)),
        })
        .collect()
}

/// Makes whoever else takes one of the three powers away wait for this transaction: the rows of
/// their grants are locked in one order.
///
/// # Errors
/// What the database says.
pub async fn lock_powers(tx: &mut Tx) -> Result<(), StorageError> {
    match tx.engine() {
        // One transaction writes at a time anyway.
        Engine::Sqlite => Ok(()),
        Engine::Postgres => {
            Sql::new(
                "SELECT id FROM user_grant WHERE revoked_at IS NULL
                   AND role IN ('system_admin', 'security_admin', 'audit_admin') ORDER BY id FOR UPDATE",
            )
            .all::<(String,)>(tx)
            .await?;
            Ok(())
        }
    }
}

/// Active users who hold a role anywhere: the check that somebody is left.
///
/// # Errors
/// What the database says.
pub async fn count_holders(rx: &mut ReadTx, role: Role) -> Result<i64, StorageError> {
    Ok(on!(rx, conn => sqlx::query_scalar(
        "SELECT count(DISTINCT g.user_id) FROM user_grant g
         JOIN user_account u ON u.id = g.user_id
         WHERE g.role = $1 AND g.revoked_at IS NULL AND u.active")
        .bind(role.as_str()).fetch_one(conn).await)?)
}
