//! Rows of the search of the whole site, each kind within its own scope.

use lingbao_model::view::search::{HITS, Hit, HitKind};

use super::{ReadTx, search::matching, sql::Sql};
use crate::{authz::Scope, error::StorageError};

/// Hits of one kind within a scope; the latest or the first by name, at most [`HITS`].
///
/// # Errors
/// What the database says.
pub async fn find(
    rx: &mut ReadTx,
    scope: &Scope,
    kind: HitKind,
    typed: &str,
) -> Result<Vec<Hit>, StorageError> {
    let sql = match kind {
        // A draft has no number yet and is its writer's alone.
        HitKind::Request => scoped(
            scope,
            "SELECT x.number, CASE WHEN x.title = '' THEN x.number ELSE x.title END, x.number
             FROM request x WHERE x.number IS NOT NULL",
            " AND x.unit_id",
            ("request", typed),
            " ORDER BY x.sort_at DESC, x.id DESC LIMIT ",
        ),
        HitKind::Resource => scoped(
            scope,
            "SELECT x.id, x.name, COALESCE(x.address, '') FROM resource x
             WHERE x.service_state <> 'released'",
            " AND x.unit_id",
            ("resource", typed),
            " ORDER BY x.sort_key, x.id LIMIT ",
        ),
        HitKind::System => scoped(
            scope,
            "SELECT x.id, x.name, n.name FROM app_system x JOIN unit n ON n.id = x.unit_id
             WHERE TRUE",
            " AND x.unit_id",
            ("system", typed),
            " ORDER BY x.sort_key, x.id LIMIT ",
        ),
        HitKind::Unit => scoped(
            scope,
            "SELECT x.id, x.name, COALESCE(n.name, '') FROM unit x
             LEFT JOIN unit n ON n.id = x.parent_id WHERE TRUE",
            " AND x.id",
            ("unit", typed),
            " ORDER BY x.sort_key, x.id LIMIT ",
        ),
        HitKind::User => scoped(
            scope,
            "SELECT x.id, x.name, n.name FROM user_account x JOIN unit n ON n.id = x.unit_id
             WHERE TRUE",
            " AND x.unit_id",
            ("user", typed),
            " ORDER BY x.sort_key, x.id LIMIT ",
        ),
    };
    let rows: Vec<(String, String, String)> = sql.bind(HITS).all(rx).await?;
    Ok(rows
        .into_iter()
        .map(|(key, title, sub)| Hit {
            kind,
            key,
            title,
            sub,
        })
        .collect())
}

fn scoped(
    scope: &Scope,
    select: &'static str,
    unit: &'static str,
    (kind, typed): (&'static str, &str),
    order: &'static str,
) -> Sql {
    matching(
        scope.filter(Sql::new(select), unit),
        " AND x.id",
        kind,
        typed,
    )
    .push(order)
}
