//! The units' private networks, as rounds hold them beside a cloud's.

use std::collections::HashMap;

use crate::{
    error::StorageError,
    storage::{ReadTx, sql::Sql},
};

/// A private network of ours.
#[derive(Debug, Clone)]
pub struct OurNetwork {
    /// Its name.
    pub name: String,
    /// Short name of its unit.
    pub unit_name: String,
}

/// Our networks at a backend, by the backend's names.
///
/// # Errors
/// What the database says.
pub async fn of_names<'a>(
    rx: &mut ReadTx,
    backend: &str,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<String, OurNetwork>, StorageError> {
    let rows: Vec<(String, String, String)> = Sql::new(
        "SELECT n.external_id, n.name, u.short_name FROM vpc n JOIN pool p ON p.id = n.pool_id
           JOIN vdc v ON v.id = n.vdc_id JOIN unit u ON u.id = v.unit_id WHERE p.backend = ",
    )
    .bind(backend)
    .push(" AND n.external_id IN ")
    .bind_list(ids)
    .all(rx)
    .await?;
    let ours = |(id, name, unit_name)| (id, OurNetwork { name, unit_name });
    Ok(rows.into_iter().map(ours).collect())
}
