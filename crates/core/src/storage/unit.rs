//! Units: a tree kept twice, by parent and as all pairs of its closure.

use lingbao_model::{
    id::UnitId,
    people::{UnitKind, UnitLevel},
    time::Timestamp,
    view::{
        page::{PAGE_ROWS, Page},
        people::{UnitNode, UnitQuery},
    },
};

use super::{
    ReadTx, Tx, search,
    sql::{Cursor, Sql, cut},
};
use crate::{authz::Scope, error::StorageError, on};

/// Most units that one answer holds.
pub const MOST: i64 = 500;

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    parent_id: Option<String>,
    name: String,
    short_name: String,
    sort_key: String,
    level: String,
    kind: String,
    active: bool,
    children: i64,
    users: i64,
    version: i64,
}

impl TryFrom<Row> for UnitNode {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Self, StorageError> {
        let wrong = |column, e: &dyn std::fmt::Display| {
            StorageError::inconsistent("unit", column, row.id.as_str(), e)
        };
        Ok(Self {
            id: row.id.parse().map_err(|e| wrong("id", &e))?,
            parent: row
                .parent_id
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|e| wrong("parent_id", &e))?,
            level: row.level.parse().map_err(|e| wrong("level", &e))?,
            kind: row.kind.parse().map_err(|e| wrong("kind", &e))?,
            name: row.name,
            short_name: row.short_name,
            active: row.active,
            children: row.children,
            users: row.users,
            version: row.version,
        })
    }
}

const SELECT: &str =
    "SELECT u.id, u.parent_id, u.name, u.short_name, u.sort_key, u.level, u.kind, u.active,
   (SELECT count(*) FROM unit c WHERE c.parent_id = u.id) AS children,
   (SELECT count(*) FROM user_account a WHERE a.unit_id = u.id AND a.active) AS users,
   u.version FROM unit u WHERE TRUE";

/// One page of the units that are left by `narrowed`, by name.
async fn page(
    rx: &mut ReadTx,
    query: &UnitQuery,
    narrowed: impl Fn(Sql) -> Sql,
) -> Result<Page<UnitNode>, StorageError> {
    let limit = match query.limit {
        0 => PAGE_ROWS,
        n => n.clamp(1, MOST),
    };
    let total = narrowed(Sql::new("SELECT 1 FROM unit u WHERE TRUE"))
        .capped_count(rx)
        .await?;
    let mut sql = narrowed(Sql::new(SELECT));
    if let Some(at) = query.after.as_deref().and_then(Cursor::decode) {
        sql = sql
            .push(" AND (u.sort_key, u.id) > (")
            .bind(at.key)
            .push(", ")
            .bind(at.id)
            .push(")");
    }
    let rows: Vec<Row> = sql
        .push(" ORDER BY u.sort_key, u.id LIMIT ")
        .bind(limit + 1)
        .all(rx)
        .await?;
    let (rows, next) = cut(rows, limit, |row| (row.sort_key.clone(), row.id.clone()));
    let rows = rows
        .into_iter()
        .map(UnitNode::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Page { rows, next, total })
}

/// A unit within the scope.
///
/// # Errors
/// What the database says.
pub async fn get(
    rx: &mut ReadTx,
    scope: &Scope,
    id: &UnitId,
) -> Result<Option<UnitNode>, StorageError> {
    let row: Option<Row> = scope
        .filter(Sql::new(SELECT), " AND u.id")
        .push(" AND u.id = ")
        .bind(id.as_str())
        .optional(rx)
        .await?;
    row.map(UnitNode::try_from).transpose()
}

/// One page of the tree within the scope: what a search meets, what stands directly below a unit, or
/// the topmost units.
///
/// # Errors
/// What the database says.
pub async fn list(
    rx: &mut ReadTx,
    scope: &Scope,
    query: &UnitQuery,
) -> Result<Page<UnitNode>, StorageError> {
    page(rx, query, |sql| {
        let seen = scope.filter(sql, " AND u.id");
        if let Some(parent) = &query.below {
            let below = seen.push(" AND u.parent_id = ").bind(parent.as_str());
            return search::matching(below, " AND u.id", "unit", &query.text);
        }
        if !query.text.trim().is_empty() {
            return search::matching(seen, " AND u.id", "unit", &query.text);
        }
        // A unit whose parent is out of sight stands on top.
        let above = scope.filter(
            seen.push(
                " AND (u.parent_id IS NULL OR u.parent_id NOT IN (SELECT p.id FROM unit p WHERE TRUE",
            ),
            " AND p.id",
        );
        above.push("))")
    })
    .await
}

/// One page of the units within the scope that a search meets; of all of them for an empty one.
///
/// # Errors
/// What the database says.
pub async fn named(
    rx: &mut ReadTx,
    scope: &Scope,
    query: &UnitQuery,
) -> Result<Page<UnitNode>, StorageError> {
    page(rx, query, |sql| {
        let seen = scope.filter(sql, " AND u.id");
        search::matching(seen, " AND u.id", "unit", &query.text)
    })
    .await
}

/// Units directly below a unit, within the scope, by name; at most [`MOST`].
///
/// # Errors
/// What the database says.
pub async fn children(
    rx: &mut ReadTx,
    scope: &Scope,
    parent: &UnitId,
) -> Result<Vec<UnitNode>, StorageError> {
    let query = UnitQuery {
        below: Some(parent.clone()),
        limit: MOST,
        ..UnitQuery::default()
    };
    Ok(list(rx, scope, &query).await?.rows)
}

/// The units above a unit that lie within the scope, the topmost first, without itself.
///
/// # Errors
/// What the database says.
pub async fn path(
    rx: &mut ReadTx,
    scope: &Scope,
    id: &UnitId,
) -> Result<Vec<(UnitId, String)>, StorageError> {
    let sql = Sql::new(
        "SELECT u.id, u.name FROM unit_closure k JOIN unit u ON u.id = k.ancestor
         WHERE k.depth > 0 AND k.descendant = ",
    )
    .bind(id.as_str());
    let rows: Vec<(String, String)> = scope
        .filter(sql, " AND u.id")
        .push(" ORDER BY k.depth DESC, u.id")
        .all(rx)
        .await?;
    rows.into_iter()
        .map(|(id, name)| match UnitId::try_from(id.clone()) {
            Ok(unit) => Ok((unit, name)),
            Err(e) => Err(StorageError::inconsistent("unit", "id", id, e)),
        })
        .collect()
}

/// Name of a unit, for people who name it in what they do; `None` if there is none.
///
/// # Errors
/// What the database says.
pub async fn name(rx: &mut ReadTx, id: &UnitId) -> Result<Option<String>, StorageError> {
    Ok(
        on!(rx, conn => sqlx::query_scalar("SELECT name FROM unit WHERE id = $1")
        .bind(id.as_str()).fetch_optional(conn).await)?,
    )
}

/// Whether another unit directly below `parent` has this name.
///
/// # Errors
/// What the database says.
pub async fn name_taken(
    rx: &mut ReadTx,
    parent: Option<&UnitId>,
    name: &str,
    but: Option<&UnitId>,
) -> Result<bool, StorageError> {
    let sql = Sql::new("SELECT count(*) FROM unit WHERE name = ").bind(name);
    let sql = match parent {
        Some(parent) => sql.push(" AND parent_id = ").bind(parent.as_str()),
        None => sql.push(" AND parent_id IS NULL"),
    };
    let n = sql
        .maybe(" AND id <> ", but.map(UnitId::as_str))
        .number(rx)
        .await?;
    Ok(n > 0)
}

/// A unit to be written down.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Its id.
    pub id: &'a UnitId,
    /// The unit above; `None` for the top of the tree.
    pub parent: Option<&'a UnitId>,
    /// Full name.
    pub name: &'a str,
    /// Short name.
    pub short_name: &'a str,
    /// Level.
    pub level: UnitLevel,
    /// Kind.
    pub kind: UnitKind,
    /// When.
    pub now: Timestamp,
}

/// Writes a unit down with its place in the closure and its search terms.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<(), StorageError> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO unit (id, parent_id, name, short_name, sort_key, level, kind, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(new.id.as_str()).bind(new.parent.map(UnitId::as_str)).bind(new.name)
        .bind(new.short_name).bind(search::sort_key(new.name)).bind(new.level.as_str())
        .bind(new.kind.as_str()).bind(new.now.millis())
        .execute(conn).await.map(|_| ()))?;
    on!(tx, conn => sqlx::query(
        "INSERT INTO unit_closure (ancestor, descendant, depth) VALUES ($1, $1, 0)")
        .bind(new.id.as_str()).execute(conn).await.map(|_| ()))?;
    if let Some(parent) = new.parent {
        on!(tx, conn => sqlx::query(
            "INSERT INTO unit_closure (ancestor, descendant, depth)
             SELECT ancestor, CAST($1 AS TEXT), depth + 1 FROM unit_closure WHERE descendant = $2")
            .bind(new.id.as_str()).bind(parent.as_str()).execute(conn).await.map(|_| ()))?;
    }
    search::index(tx, "unit", new.id.as_str(), &[new.name, new.short_name]).await
}

/// Renames a unit.
///
/// # Errors
/// A conflict when it has another version by now.
pub async fn rename(
    tx: &mut Tx,
    id: &UnitId,
    version: i64,
    name: &str,
    short_name: &str,
) -> Result<(), StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE unit SET name = $1, short_name = $2, sort_key = $3, version = version + 1
         WHERE id = $4 AND version = $5")
        .bind(name).bind(short_name).bind(search::sort_key(name)).bind(id.as_str()).bind(version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "unit", id.as_str())?;
    search::index(tx, "unit", id.as_str(), &[name, short_name]).await
}

/// Lets a unit take part, or no longer.
///
/// # Errors
/// A conflict when it has another version by now.
pub async fn set_active(
    tx: &mut Tx,
    id: &UnitId,
    version: i64,
    active: bool,
) -> Result<(), StorageError> {
    let rows = on!(tx, conn => sqlx::query(
        "UPDATE unit SET active = $1, version = version + 1 WHERE id = $2 AND version = $3")
        .bind(active).bind(id.as_str()).bind(version)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    StorageError::expect_version(rows, "unit", id.as_str())
}

/// Whether there is any unit at all.
///
/// # Errors
/// What the database says.
pub async fn any(rx: &mut ReadTx) -> Result<bool, StorageError> {
    Ok(Sql::new("SELECT count(*) FROM unit").number(rx).await? > 0)
}

/// Active units directly below a unit.
///
/// # Errors
/// What the database says.
pub async fn active_children(rx: &mut ReadTx, id: &UnitId) -> Result<i64, StorageError> {
    Ok(on!(rx, conn => sqlx::query_scalar(
        "SELECT count(*) FROM unit WHERE parent_id = $1 AND active")
        .bind(id.as_str()).fetch_one(conn).await)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        app::Actor,
        testing::{TestApp, engines},
    };

    /// Any tree: the i-th unit hangs below one of the units before it.
    async fn closure_equals_tree(seed: u64) {
        for db in engines().await {
            let app = TestApp::with_seed(&db, seed);
            let cx = crate::Cx::new(app.app.clone(), Actor::System);
            let mut tx = db.begin().await.unwrap();
            let mut units: Vec<(UnitId, Option<usize>)> = Vec::new();
            for i in 0..40 {
                let parent = (i > 0).then(|| app.random.below(i as u64) as usize);
                let id: UnitId = cx.id();
                let above = parent.map(|p| units[p].0.clone());
                let new = New {
                    id: &id,
                    parent: above.as_ref(),
                    name: "某局",
                    short_name: "",
                    level: UnitLevel::City,
                    kind: UnitKind::Government,
                    now: cx.now(),
                };
                insert(&mut tx, &new).await.unwrap();
                units.push((id, parent));
            }
            let mut expected = BTreeSet::new();
            for (id, _) in &units {
                let mut depth = 0;
                let mut at = units.iter().position(|u| u.0 == *id);
                while let Some(i) = at {
                    expected.insert((units[i].0.to_string(), id.to_string(), depth));
                    depth += 1;
                    at = units[i].1;
                }
            }
            let kept: Vec<(String, String, i64)> =
                Sql::new("SELECT ancestor, descendant, depth FROM unit_closure")
                    .all(&mut tx)
                    .await
                    .unwrap();
            assert_eq!(kept.len(), expected.len());
            assert_eq!(kept.into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }

    #[tokio::test]
    async fn the_closure_is_the_tree_after_any_creations() {
        for seed in 0..4 {
            closure_equals_tree(seed).await;
        }
    }
}
