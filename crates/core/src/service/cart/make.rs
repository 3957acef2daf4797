//! A draft made whole, as a program sends it: head and lines in one transaction.

use lingbao_model::{
    id::RequestItemId,
    msg::Msg,
    view::request::{CartView, LineForm, NewDraft},
};
use serde_json::json;

use super::{blank, edit, put_head, shown, total};
use crate::{
    app::Cx,
    audit::{self, Event},
    authz::Access,
    error::ServiceError,
    idempotency,
    service::{catalogue, refusal::traced, system::ordering_unit},
    storage::{ReadTx, request as requests, request_line},
};

/// Makes a draft with its lines, all of it or nothing. The answer is kept with it: whoever sends the
/// same again under its key gets this draft, even if the process died before it had answered.
///
/// # Errors
/// [`ServiceError::Forbidden`] for whoever orders nothing, [`ServiceError::Conflict`] when there are
/// too many drafts, [`ServiceError::Invalid`] by field, those of a line as `lines[0].…`.
pub async fn make(cx: &Cx, new: &NewDraft) -> Result<CartView, ServiceError> {
    let result = make_once(cx, new).await;
    traced(cx, result, || Event::new("cart.create", "request", "-")).await
}

async fn make_once(cx: &Cx, new: &NewDraft) -> Result<CartView, ServiceError> {
    let mut tx = cx.db().begin().await?;
    let access = Access::load(&mut tx, cx).await?;
    let unit = ordering_unit(&mut tx, &access).await?;
    let mut draft = blank(&mut tx, cx, &access, unit).await?;
    put_head(&mut tx, &access, &mut draft, &new.head).await?;
    requests::insert(&mut tx, &draft).await?;
    let (mut lines, mut made) = (Vec::new(), Vec::new());
    for (at, form) in new.lines.iter().enumerate() {
        let form = resolved(&mut tx, form, &made)
            .await
            .map_err(|error| in_line(error, at))?;
        let (all, line, errors) = edit::read(&mut tx, cx, &draft, None, &form).await?;
        if !errors.is_empty() {
            return Err(in_line(ServiceError::Invalid(errors), at));
        }
        request_line::put(&mut tx, &draft.id, &line).await?;
        made.push(line.id);
        lines = all;
    }
    total(&mut draft, &lines);
    requests::save(&mut tx, &mut draft).await?;
    let event = Event::new("cart.create", "request", &draft.id)
        .of_unit(&draft.unit)
        .detail(json!({ "lines": lines.len() }));
    audit::record(&mut tx, cx, event).await?;
    let view = shown(&mut tx, cx, &access, draft).await?;
    let answer = serde_json::to_string(&view)
        .map_err(|error| ServiceError::internal("answer of a draft", error))?;
    idempotency::keep(&mut tx, cx, 201, &answer).await?;
    tx.commit().await?;
    Ok(view)
}

/// A refusal of one line of several: the fields are named by the line.
fn in_line(error: ServiceError, at: usize) -> ServiceError {
    match error {
        ServiceError::Invalid(mut fields) => {
            for one in &mut fields {
                one.field = format!("lines[{at}].{}", one.field);
            }
            ServiceError::Invalid(fields)
        }
        other => other,
    }
}

/// The line with `#1` replaced by the id that line 1 was given.
async fn resolved(
    rx: &mut ReadTx,
    line: &LineForm,
    made: &[RequestItemId],
) -> Result<LineForm, ServiceError> {
    let mut line = line.clone();
    let offer = match catalogue::offered(rx, line.item.trim()).await {
        Ok(offer) => offer,
        Err(ServiceError::NotFound) => {
            return Err(ServiceError::invalid("item", Msg::new("error.not_found")));
        }
        Err(error) => return Err(error),
    };
    if let Some(param) = offer.content.attach_param()
        && let Some(typed) = line.typed.get_mut(&param.key)
        && let Some(number) = typed.strip_prefix('#')
    {
        let number = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let target = number.and_then(|n| made.get(n));
        let missing = || ServiceError::invalid(param.key.clone(), Msg::new("attach.choose"));
        *typed = target.ok_or_else(missing)?.to_string();
    }
    Ok(line)
}
