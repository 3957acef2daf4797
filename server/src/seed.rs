//! What a new database is filled with.
use std::sync::Arc;

use lingbao_backends::Backends;
use lingbao_core::App;

use crate::serve::Failure;

/// Fills a database that holds nothing: with a demo city, if one is asked for.
///
/// # Errors
/// The city is unknown, or the database failed.
pub async fn prepare(
    _app: &Arc<App>,
    _backends: &Arc<Backends>,
    demo: Option<&str>,
) -> Result<(), Failure> {
    if let Some(city) = demo {
        return Err(format!("there is no demo city {city:?}").into());
    }
    Ok(())
}
