//! Settings: one JSON value a key.
use serde::{Serialize, de::DeserializeOwned};

use super::{ReadTx, Tx};
use crate::{error::StorageError, on};

/// A setting, if it was ever written.
///
/// # Errors
/// What the database says; a value that is not what is asked for.
pub async fn get<T: DeserializeOwned>(
    rx: &mut ReadTx,
    key: &str,
) -> Result<Option<T>, StorageError> {
    let found: Option<String> = on!(rx, conn => sqlx::query_scalar(
        "SELECT value FROM setting WHERE key = $1").bind(key).fetch_optional(conn).await)?;
    found
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|e| StorageError::inconsistent("setting", "value", key, e))
}

/// Writes a setting over what it was.
///
/// # Errors
/// What the database says.
pub async fn put<T: Serialize>(tx: &mut Tx, key: &str, value: &T) -> Result<(), StorageError> {
    let text = serde_json::to_string(value)
        .map_err(|e| StorageError::inconsistent("setting", "value", key, e))?;
    on!(tx, conn => sqlx::query("INSERT INTO setting (key, value) VALUES ($1, $2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(key).bind(&text).execute(conn).await.map(|_| ()))?;
    Ok(())
}
