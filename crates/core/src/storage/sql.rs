//! A statement that is put together from fixed pieces and bound values: filters of lists.
//!
//! Pieces are `&'static str`, so that nothing a person typed can become SQL; values are bound.
//! Statements that never vary are written whole with `sqlx::query…` and [`on!`](crate::on).
//!
//! ```
//! use lingbao_core::storage::sql::Sql;
//! let sql = Sql::new("SELECT id FROM request WHERE status = ").bind("draft")
//!     .push(" AND sort_at < ").bind(1_i64).push(" ORDER BY sort_at DESC, id DESC LIMIT ").bind(50_i64);
//! assert_eq!(sql.text(), "SELECT id FROM request WHERE status = $1 AND sort_at < $2 ORDER BY sort_at DESC, id DESC LIMIT $3");
//! ```

use std::fmt::Write as _;

use lingbao_model::view::page::Total;
use sqlx::{AssertSqlSafe, FromRow, postgres::PgRow, sqlite::SqliteRow};

use super::{ReadTx, Tx};
use crate::error::StorageError;

/// A bound value.
#[derive(Debug, Clone)]
enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    Flag(bool),
}

/// What can be bound.
pub trait Bind {
    /// Appends the value.
    fn bind_to(self, sql: &mut Sql);
}

macro_rules! bind {
    ($($ty:ty => |$v:ident| $value:expr;)*) => {$(
        impl Bind for $ty { fn bind_to(self, sql: &mut Sql) { let $v = self; sql.values.push($value); } }
    )*};
}
bind! {
    &str => |v| Value::Text(Some(v.to_owned()));
    String => |v| Value::Text(Some(v));
    &String => |v| Value::Text(Some(v.clone()));
    Option<String> => |v| Value::Text(v);
    Option<&str> => |v| Value::Text(v.map(str::to_owned));
    i64 => |v| Value::Integer(Some(v));
    Option<i64> => |v| Value::Integer(v);
    bool => |v| Value::Flag(v);
}

/// A statement under construction.
#[derive(Debug, Clone, Default)]
pub struct Sql {
    text: String,
    values: Vec<Value>,
}

/// A row type that both drivers can decode: `#[derive(sqlx::FromRow)]` gives it.
pub trait Row: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}
impl<T: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>> Row for T {}

macro_rules! bound {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Integer(number) => query.bind(number),
                Value::Flag(flag) => query.bind(flag),
            };
        }
        query
    }};
}

impl Sql {
    /// Begins with a piece.
    #[must_use]
    pub fn new(piece: &'static str) -> Self {
        Self {
            text: piece.to_owned(),
            values: Vec::new(),
        }
    }

    /// Appends a fixed piece.
    #[must_use]
    pub fn push(mut self, piece: &'static str) -> Self {
        self.text.push_str(piece);
        self
    }

    /// Appends a placeholder and binds its value.
    #[must_use]
    pub fn bind(mut self, value: impl Bind) -> Self {
        value.bind_to(&mut self);
        let _ = write!(self.text, "${}", self.values.len());
        self
    }

    /// Appends `(…, …)` with one placeholder for each value; `(NULL)` for none, which nothing equals.
    #[must_use]
    pub fn bind_list<T: Bind>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.text.push('(');
        let before = self.values.len();
        for value in values {
            if self.values.len() > before {
                self.text.push_str(", ");
            }
            self = self.bind(value);
        }
        if self.values.len() == before {
            self.text.push_str("NULL");
        }
        self.text.push(')');
        self
    }

    /// Appends the piece and the value if there is one: `.maybe(" AND status = ", filter.status)`.
    #[must_use]
    pub fn maybe<T: Bind>(self, piece: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.push(piece).bind(value),
            None => self,
        }
    }

    /// The statement's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All rows.
    ///
    /// # Errors
    /// What the database says.
    pub async fn all<T: Row>(self, rx: &mut ReadTx) -> Result<Vec<T>, StorageError> {
        let Self { text, values } = self;
        Ok(
            crate::on!(rx, conn => bound!(sqlx::query_as(AssertSqlSafe(text)), values).fetch_all(conn).await)?,
        )
    }

    /// The row, if there is one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn optional<T: Row>(self, rx: &mut ReadTx) -> Result<Option<T>, StorageError> {
        let Self { text, values } = self;
        Ok(
            crate::on!(rx, conn => bound!(sqlx::query_as(AssertSqlSafe(text)), values).fetch_optional(conn).await)?,
        )
    }

    /// One number: `SELECT count(*) …`, `SELECT CAST(SUM(x) AS BIGINT) …`; no row or NULL reads as 0.
    ///
    /// # Errors
    /// What the database says.
    pub async fn number(self, rx: &mut ReadTx) -> Result<i64, StorageError> {
        let row: Option<(Option<i64>,)> = self.optional(rx).await?;
        Ok(row.and_then(|(n,)| n).unwrap_or(0))
    }

    /// Runs a change; how many rows it met.
    ///
    /// # Errors
    /// What the database says.
    pub async fn run(self, tx: &mut Tx) -> Result<u64, StorageError> {
        let Self { text, values } = self;
        Ok(
            crate::on!(tx, conn => bound!(sqlx::query(AssertSqlSafe(text)), values).execute(conn).await.map(|done| done.rows_affected()))?,
        )
    }

    /// Counts the rows of `self` (a `SELECT 1 FROM … WHERE …` without order and limit), but no
    /// further than a person would read.
    ///
    /// # Errors
    /// What the database says.
    pub async fn capped_count(self, rx: &mut ReadTx) -> Result<Total, StorageError> {
        let Self { text, values } = self;
        let capped = Self {
            text: format!(
                "SELECT count(*) FROM ({text} LIMIT {}) AS counted",
                Total::EXACT_TO + 1
            ),
            values,
        };
        capped.number(rx).await.map(Total::from_capped)
    }
}

/// Where a page of a list ends: the sort key and the id of its last row. People see it only as an
/// opaque text in a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Sort key of the last row, as text.
    pub key: String,
    /// Its id.
    pub id: String,
}

impl Cursor {
    /// As it stands in a link.
    #[must_use]
    pub fn encode(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(format!("{}\u{1f}{}", self.key, self.id))
    }

    /// Reads it back; a text that is none reads as the first page.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(text)
            .ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (key, id) = text.split_once('\u{1f}')?;
        Some(Self {
            key: key.to_owned(),
            id: id.to_owned(),
        })
    }

    /// The key as a number (a moment, an amount).
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        self.key.parse().ok()
    }
}

/// Cuts one page out of `limit + 1` rows that were read; `key` gives sort key and id of a row.
pub fn cut<T>(
    mut rows: Vec<T>,
    limit: i64,
    key: impl Fn(&T) -> (String, String),
) -> (Vec<T>, Option<String>) {
    let limit = usize::try_from(limit).unwrap_or(0);
    if rows.len() <= limit {
        return (rows, None);
    }
    rows.truncate(limit);
    let next = rows.last().map(|row| {
        let (key, id) = key(row);
        Cursor { key, id }.encode()
    });
    (rows, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nonsense_reads_as_the_first_page() {
        let cursor = Cursor {
            key: "1795136400000".into(),
            id: "req_nb_1".into(),
        };
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor.clone()));
        assert_eq!(cursor.number(), Some(1_795_136_400_000));
        for text in ["", "%%%", "aGVsbG8"] {
            assert_eq!(Cursor::decode(text), None);
        }
    }

    #[test]
    fn a_page_is_cut_after_its_last_row() {
        let key = |n: &i64| (n.to_string(), format!("id{n}"));
        assert_eq!(cut(vec![1, 2], 2, key), (vec![1, 2], None));
        let (rows, next) = cut(vec![1, 2, 3], 2, key);
        assert_eq!(rows, [1, 2]);
        assert_eq!(Cursor::decode(&next.unwrap()).unwrap().id, "id2");
    }

    #[test]
    fn an_empty_list_meets_nothing() {
        let sql = Sql::new("SELECT id FROM unit WHERE id IN ").bind_list(Vec::<String>::new());
        assert_eq!(sql.text(), "SELECT id FROM unit WHERE id IN (NULL)");
    }
}
