//! Deleting in a cloud what no row of ours names.

use lingbao_model::{id::DifferenceId, msg::Msg, view::difference::Act};
use serde_json::{Value, json};

use super::{event, open};
use crate::{
    app::Cx,
    error::ServiceError,
    fulfil::reconcile::remove::{Params, Remove},
    saga,
    service::refusal::traced,
};

/// Begins to delete a double, or a disk or address that is nobody's, with all that it holds. Its name
/// is typed, so that nobody presses it by mistake; see
/// [`DifferenceRow::typed`](lingbao_model::view::difference::DifferenceRow::typed).
///
/// # Errors
/// [`ServiceError::NotFound`] if there is no such difference, [`ServiceError::Conflict`] if it is over,
/// a host uses it, or it is being deleted; [`ServiceError::Invalid`] on `confirm`.
pub async fn remove(cx: &Cx, id: &DifferenceId, typed: &str) -> Result<(), ServiceError> {
    let done = begin_remove(cx, id, typed).await;
    traced(cx, done, || event("difference.remove", id, Value::Null)).await
}

async fn begin_remove(cx: &Cx, id: &DifferenceId, typed: &str) -> Result<(), ServiceError> {
    let mut opened = open(cx, id, Act::Remove, None).await?;
    let (row, by) = (opened.row.clone(), opened.access.user.clone());
    if typed.trim() != row.typed() {
        let msg = Msg::new("bin.confirm_wrong").with("name", row.typed().to_owned());
        return Err(ServiceError::invalid("confirm", msg));
    }
    opened.alone().await?;
    let said = json!({ "name": row.name, "external_id": row.external_id, "kind": row.kind });
    let params = Params {
        difference: row.id.clone(),
        backend: row.backend,
        thing: row.thing,
        external_id: row.external_id,
        name: row.name,
        actor: Some(by),
    };
    saga::start::<Remove>(&mut opened.tx, cx, row.id.as_str(), &params).await?;
    opened
        .commit(cx, event("difference.remove", id, said))
        .await
}
