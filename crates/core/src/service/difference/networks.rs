//! Private networks of which a part is lost: it is made anew.

use lingbao_model::{
    id::DifferenceId,
    msg::Msg,
    view::difference::{Act, ThingKind},
};
use serde_json::json;

use super::{PATIENCE, event, open, operator};
use crate::{
    app::Cx,
    error::{OrNotFound, ServiceError},
    fulfil::reconcile::relay::{Params, Relay},
    saga,
    storage::difference,
};

/// Begins to make a network whole; `false` if the difference is about something else. The cloud is
/// asked once more: an order may have done it.
pub(super) async fn restored(cx: &Cx, id: &DifferenceId, read: &str) -> Result<bool, ServiceError> {
    let mut rx = cx.db().read().await?;
    operator(&mut rx, cx).await?;
    let row = difference::get(&mut rx, id).await?.or_not_found()?;
    drop(rx);
    if row.thing != ThingKind::Network {
        return Ok(false);
    }
    let cloud = cx.app.backends.get_or_absent(&row.backend);
    let lacking = match tokio::time::timeout(PATIENCE, cloud.lacking_networks()).await {
        Ok(Ok(lacking)) => lacking,
        Ok(Err(_)) | Err(_) => {
            return Err(ServiceError::Conflict(Msg::new("resource.cloud_away")));
        }
    };
    let mut lacking = lacking.into_iter().map(|one| one.network);
    let network = lacking
        .find(|network| network.id.as_str() == row.external_id)
        .ok_or_else(|| ServiceError::Conflict(Msg::new("difference.over")))?;
    let mut opened = open(cx, id, Act::Restore, Some(read)).await?;
    opened.alone().await?;
    let params = Params {
        difference: id.clone(),
        backend: row.backend,
        spec: network.spec,
        name: row.name.clone(),
        actor: opened.access.user.clone(),
    };
    saga::start::<Relay>(&mut opened.tx, cx, id.as_str(), &params).await?;
    let said = json!({ "name": row.name, "kind": row.kind, "external_id": row.external_id });
    let event = event("difference.restore", id, said);
    opened.commit(cx, event).await?;
    Ok(true)
}
