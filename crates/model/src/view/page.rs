//! One page of a list, cut by key: its cost does not grow with the list.

use serde::{Deserialize, Serialize};

/// How many rows a list has in all: exact to [`Total::EXACT_TO`], then "more than".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", content = "count", rename_all = "snake_case")]
pub enum Total {
    /// So many.
    Exact(i64),
    /// More than so many; nobody counts on.
    MoreThan(i64),
}

impl Total {
    /// Up to here rows are counted.
    pub const EXACT_TO: i64 = 10_000;

    /// Out of a count that stopped at `EXACT_TO + 1`.
    pub const fn from_capped(count: i64) -> Self {
        if count > Self::EXACT_TO {
            Self::MoreThan(Self::EXACT_TO)
        } else {
            Self::Exact(count)
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` on the last one. Opaque: made and read by the server.
    pub next: Option<String>,
    /// Rows in all.
    pub total: Total,
}

/// Rows of a page unless asked otherwise.
pub const PAGE_ROWS: i64 = 50;
/// Most rows that one page may be asked for.
pub const MAX_PAGE_ROWS: i64 = 200;
