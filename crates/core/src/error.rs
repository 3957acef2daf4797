//! The two error layers of this crate.
//!
//! [`StorageError`] says what the database did; [`ServiceError`] says what the caller may be told.
//! A storage error becomes a service error by `?`, and nothing of its text crosses further: users
//! read a message key, operators read the log, the request id joins the two.
use lingbao_model::{
    msg::{FieldError, Msg},
    placement::Pool,
    quota::Shortfall,
    verdict,
    view::request::OverQuota,
};
use sqlx::error::ErrorKind;
use thiserror::Error;

/// What went wrong between us and the database.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The driver failed in a way that is none of the others: a bug or a broken database.
    #[error("the database driver failed")]
    Driver(#[source] sqlx::Error),
    /// A row holds what no code of ours would have written.
    #[error("inconsistent data in {table}.{column}, row {row}: {reason}")]
    Inconsistency {
        /// The table.
        table: &'static str,
        /// The column whose value makes no sense.
        column: &'static str,
        /// The row's id.
        row: String,
        /// What is wrong with the value.
        reason: String,
    },
    /// Somebody else was faster.
    #[error("conflict: {0}")]
    Conflict(Conflict),
    /// The disk or the allowed size is used up. Nothing was written.
    #[error("the database is full")]
    Full(#[source] sqlx::Error),
    /// A lock, a connection or the answer did not come in time; trying again may help.
    #[error("the database is busy")]
    Busy(#[source] sqlx::Error),
    /// The database can't be reached.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// Another process has opened the SQLite file for itself.
    #[error(
        "the database file {path} is in use by another process of Lingbao: stop that one first, or give this one a file of its own"
    )]
    Locked {
        /// The database file.
        path: String,
    },
    /// A migration failed or does not fit what was applied.
    #[error("the migration failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// How somebody else was faster.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Conflict {
    /// The row has another version than the one that was read (or is gone).
    #[error("{table} {row} was changed by somebody else")]
    Version {
        /// The table.
        table: &'static str,
        /// The row's id.
        row: String,
    },
    /// A unique key is taken already.
    #[error("a unique key is taken")]
    Unique,
    /// A row that this one refers to does not exist, or is still referred to.
    #[error("a reference is broken")]
    Reference,
    /// The worker's lease has run out, or another worker has the job: it may commit nothing more.
    #[error("the lease on job {job} is lost")]
    LeaseLost {
        /// The job's id.
        job: String,
    },
}

impl StorageError {
    /// A located complaint about a value; see [`Self::Inconsistency`].
    pub fn inconsistent(
        table: &'static str,
        column: &'static str,
        row: impl Into<String>,
        reason: impl ToString,
    ) -> Self {
        Self::Inconsistency {
            table,
            column,
            row: row.into(),
            reason: reason.to_string(),
        }
    }

    /// Checks that `UPDATE … WHERE id = … AND version = …` met exactly one row.
    ///
    /// # Errors
    /// [`Conflict::Version`] when it met none.
    pub fn expect_version(rows: u64, table: &'static str, row: &str) -> Result<(), Self> {
        match rows {
            1 => Ok(()),
            0 => Err(Self::Conflict(Conflict::Version {
                table,
                row: row.to_owned(),
            })),
            many => Err(Self::inconsistent(
                table,
                "id",
                row,
                format!("{many} rows were changed"),
            )),
        }
    }

    /// Whether the same call may succeed in a moment without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unavailable(_) | Self::Full(_))
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut => Self::Busy(error),
            sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_) => Self::Unavailable(error),
            sqlx::Error::Database(database) => match database.kind() {
                ErrorKind::UniqueViolation => Self::Conflict(Conflict::Unique),
                ErrorKind::ForeignKeyViolation => Self::Conflict(Conflict::Reference),
                _ => {
                    let code = database.code().unwrap_or_default().into_owned();
                    Self::by_code(&code, error)
                }
            },
            _ => Self::Driver(error),
        }
    }
}

impl StorageError {
    /// SQLite's codes are decimal numbers whose low byte is the kind; PostgreSQL's are five letters.
    fn by_code(code: &str, error: sqlx::Error) -> Self {
        if code.len() == 5 {
            return match code {
                "53100" => Self::Full(error),
                // serialization, deadlock, lock time-out, statement time-out or cancel
                "40001" | "40P01" | "55P03" | "57014" => Self::Busy(error),
                // too many connections, memory, shutting down, starting up
                // too long idle within a transaction
                "53300" | "53200" | "57P01" | "57P02" | "57P03" | "25P03" => {
                    Self::Unavailable(error)
                }
                // A NUL in a text: nothing is called so.
                "22021" => Self::Conflict(Conflict::Reference),
                _ if code.starts_with("08") => Self::Unavailable(error),
                _ => Self::Driver(error),
            };
        }
        match code.parse::<u32>().map(|number| number & 0xff) {
            Ok(5 | 6) => Self::Busy(error), // SQLITE_BUSY, SQLITE_LOCKED
            Ok(13) => Self::Full(error),    // SQLITE_FULL
            Ok(8 | 10 | 14) => Self::Unavailable(error), // READONLY, IOERR, CANTOPEN
            _ => Self::Driver(error),
        }
    }
}

/// What a use case answers when it does not answer with its result.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// Nobody is signed in, or the account was closed.
    #[error("not signed in")]
    Unauthenticated,
    /// It does not exist, or the caller may not know that it does.
    #[error("not found")]
    NotFound,
    /// The caller sees the thing but may not do this to it.
    #[error("forbidden")]
    Forbidden,
    /// The input breaks rules, field by field.
    #[error("invalid input in {} field(s)", .0.len())]
    Invalid(Vec<FieldError>),
    /// The thing is no longer as the caller saw it; the message says what happened.
    #[error("conflict: {}", .0.key)]
    Conflict(Msg),
    /// More was asked than is left; the payload says of what, how much, and what to do.
    #[error("quota exceeded")]
    QuotaExceeded(Box<serde_json::Value>),
    /// Too many attempts.
    #[error("too many attempts, retry after {retry_after_s} s")]
    TooMany {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// The database or a backend does not answer at the moment; nothing was changed.
    #[error("temporarily unavailable: {context}")]
    Unavailable {
        /// For the log.
        context: String,
    },
    /// A fault of ours.
    #[error("internal error: {context}")]
    Internal {
        /// For the log.
        context: String,
        /// What caused it.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl ServiceError {
    /// More was asked than is left: an [`OverQuota`] with each shortfall in the words of `key`, and
    /// with `link` where there is a way out.
    #[must_use]
    pub fn over_quota(
        key: &'static str,
        shortfalls: Vec<Shortfall>,
        pools: &[Pool],
        link: Option<String>,
    ) -> Self {
        let answer = OverQuota {
            messages: shortfalls
                .iter()
                .map(|s| verdict::shortfall_msg(key, s, pools))
                .collect(),
            link,
            shortfalls,
        };
        match serde_json::to_value(&answer) {
            Ok(value) => Self::QuotaExceeded(Box::new(value)),
            Err(error) => Self::internal("an over-quota answer", error),
        }
    }

    /// A fault of ours, with its cause.
    pub fn internal(
        context: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Internal {
            context: context.into(),
            source: Some(source.into()),
        }
    }

    /// One bad field.
    pub fn invalid(field: impl Into<String>, msg: Msg) -> Self {
        Self::Invalid(vec![FieldError::new(field, msg)])
    }
}

impl From<StorageError> for ServiceError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Conflict(Conflict::Version { .. }) => {
                Self::Conflict(Msg::new("error.stale"))
            }
            StorageError::Conflict(Conflict::Unique | Conflict::Reference) => {
                Self::Conflict(Msg::new("error.conflict"))
            }
            StorageError::Full(_) => Self::Unavailable {
                context: "the database is full".into(),
            },
            StorageError::Busy(_) => Self::Unavailable {
                context: "the database is busy".into(),
            },
            StorageError::Unavailable(_) => Self::Unavailable {
                context: "the database does not answer".into(),
            },
            other => Self::internal("storage", other),
        }
    }
}

/// A refusal with a message.
///
/// # Errors
/// [`ServiceError::Conflict`], always.
pub fn conflict<T>(key: &'static str) -> Result<T, ServiceError> {
    Err(ServiceError::Conflict(Msg::new(key)))
}

/// `Option` to `NotFound`, for the line after a load.
pub trait OrNotFound<T> {
    /// The value, or [`ServiceError::NotFound`].
    ///
    /// # Errors
    /// When there is none.
    fn or_not_found(self) -> Result<T, ServiceError>;
}

impl<T> OrNotFound<T> for Option<T> {
    fn or_not_found(self) -> Result<T, ServiceError> {
        self.ok_or(ServiceError::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify(code: &str) -> StorageError {
        StorageError::by_code(code, sqlx::Error::PoolClosed)
    }

    #[test]
    fn codes_of_both_engines_are_told_apart() {
        assert!(matches!(classify("13"), StorageError::Full(_)));
        assert!(matches!(classify("53100"), StorageError::Full(_)));
        for busy in ["5", "261", "517", "6", "40001", "40P01", "57014", "55P03"] {
            assert!(matches!(classify(busy), StorageError::Busy(_)), "{busy}");
        }
        for away in ["08006", "57P01", "53300", "10", "14"] {
            assert!(
                matches!(classify(away), StorageError::Unavailable(_)),
                "{away}"
            );
        }
        assert!(matches!(classify("42P01"), StorageError::Driver(_)));
        assert!(matches!(classify("1"), StorageError::Driver(_)));
    }

    #[test]
    fn one_row_is_a_success_none_a_conflict_many_a_bug() {
        assert!(StorageError::expect_version(1, "unit", "u").is_ok());
        assert!(matches!(
            StorageError::expect_version(0, "unit", "u"),
            Err(StorageError::Conflict(Conflict::Version {
                table: "unit",
                ..
            }))
        ));
        assert!(matches!(
            StorageError::expect_version(2, "unit", "u"),
            Err(StorageError::Inconsistency { .. })
        ));
    }
}
