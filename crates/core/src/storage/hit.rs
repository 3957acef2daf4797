//! Rows of the search of the whole site, each kind within its own scope.

use lingbao_model::view::{
    page::Total,
    search::{Hit, HitKind},
};

use super::{
    ReadTx,
    search::matching,
    sql::{Cursor, Sql},
};
use crate::{authz::Scope, error::StorageError};

/// Something that was found, with its place among the hits of its kind.
#[derive(Debug, Clone)]
pub struct Found {
    /// What it is.
    pub hit: Hit,
    /// Sort key and id.
    pub at: Cursor,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    key: String,
    title: String,
    sub: String,
    sort_at: i64,
    sort_key: String,
}

/// Hits of one kind within a scope, the latest or the first by name: at most `limit` after the cursor.
///
/// # Errors
/// What the database says.
pub async fn find(
    rx: &mut ReadTx,
    scope: &Scope,
    kind: HitKind,
    typed: &str,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Vec<Found>, StorageError> {
    let mut sql = seen(scope, kind, typed, Wanted::Rows);
    let by_moment = kind == HitKind::Request;
    if let Some(at) = after {
        sql = if by_moment {
            sql.push(" AND (x.sort_at, x.id) < (").bind(at.number())
        } else {
            sql.push(" AND (x.sort_key, x.id) > (").bind(&at.key)
        }
        .push(", ")
        .bind(&at.id)
        .push(")");
    }
    let rows: Vec<Row> = sql
        .push(if by_moment {
            " ORDER BY x.sort_at DESC, x.id DESC LIMIT "
        } else {
            " ORDER BY x.sort_key, x.id LIMIT "
        })
        .bind(limit)
        .all(rx)
        .await?;
    let found = |row: Row| Found {
        hit: Hit {
            kind,
            key: row.key,
            title: row.title,
            sub: row.sub,
        },
        at: Cursor {
            key: if by_moment {
                row.sort_at.to_string()
            } else {
                row.sort_key
            },
            id: row.id,
        },
    };
    Ok(rows.into_iter().map(found).collect())
}

/// How many hits of a kind there are within a scope.
///
/// # Errors
/// What the database says.
pub async fn count(
    rx: &mut ReadTx,
    scope: &Scope,
    kind: HitKind,
    typed: &str,
) -> Result<Total, StorageError> {
    seen(scope, kind, typed, Wanted::Count)
        .capped_count(rx)
        .await
}

/// What is asked about the hits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Rows,
    Count,
}

/// Hits of a kind within a scope.
fn seen(scope: &Scope, kind: HitKind, typed: &str, wanted: Wanted) -> Sql {
    let (rows, from, unit) = match kind {
        // A draft has no number yet and is its writer's alone.
        HitKind::Request => (
            "SELECT x.id, x.number AS key, CASE WHEN x.title = '' THEN x.number ELSE x.title END AS title,
               x.number AS sub, x.sort_at, '' AS sort_key",
            " FROM request x WHERE x.number IS NOT NULL",
            " AND x.unit_id",
        ),
        HitKind::Resource => (
            "SELECT x.id, x.id AS key, x.name AS title, COALESCE(x.address, '') AS sub,
               CAST(0 AS BIGINT) AS sort_at, x.sort_key",
            " FROM resource x WHERE x.service_state <> 'released'",
            " AND x.unit_id",
        ),
        HitKind::System => (
            OF_UNIT,
            " FROM app_system x JOIN unit n ON n.id = x.unit_id WHERE TRUE",
            " AND x.unit_id",
        ),
        HitKind::Unit => (
            OF_UNIT,
            " FROM unit x LEFT JOIN unit n ON n.id = x.parent_id WHERE TRUE",
            " AND x.id",
        ),
        HitKind::User => (
            OF_UNIT,
            " FROM user_account x JOIN unit n ON n.id = x.unit_id WHERE TRUE",
            " AND x.unit_id",
        ),
    };
    let sql = Sql::new(match wanted {
        Wanted::Rows => rows,
        Wanted::Count => "SELECT 1",
    });
    matching(
        scope.filter(sql.push(from), unit),
        " AND x.id",
        kind.as_str(),
        typed,
    )
}

/// What is told by the name of a unit: its own, or the one above.
const OF_UNIT: &str = "SELECT x.id, x.id AS key, x.name AS title, COALESCE(n.name, '') AS sub,
  CAST(0 AS BIGINT) AS sort_at, x.sort_key";
