//! A draft made whole, as a program sends it: head and lines in one transaction.

use lingbao_model::{
    id::RequestItemId,
    msg::Msg,
    view::request::{CartView, LineForm, NewDraft},
};
use serde_json::json;

use super::{blank, edit, set_head, shown, total};
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
    set_head(&mut tx, &access, &mut draft, &new.head).await?;
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

#[cfg(test)]
mod tests {
    use lingbao_model::{money::Money, view::request::HeadForm};

    use super::*;
    use crate::{
        idempotency::{IdempotencyKey, Seen},
        service::{cart, request::fixture::City},
    };

    fn order(city: &City) -> NewDraft {
        let mut disk = city.disk(&city.app.id());
        disk.typed.insert("attach_to".into(), "#1".into());
        NewDraft {
            head: HeadForm {
                system: city.system.to_string(),
                title: "两项".into(),
                ..HeadForm::default()
            },
            lines: vec![city.host(), disk],
        }
    }

    #[tokio::test]
    async fn head_and_lines_are_one_draft() {
        for city in City::all().await {
            let cx = city.cx(&city.clerk);
            let made = make(&cx, &order(&city)).await.unwrap();
            assert_eq!(made.title, "两项");
            assert_eq!(made.lines.len(), 2);
            let target = made.lines[1].line.attach_to.clone();
            assert_eq!(target.as_ref(), Some(&made.lines[0].line.id));
            let open = cart::open(&cx, &made.id).await.unwrap();
            assert_eq!((open.version, open.verdict), (made.version, made.verdict));
            let rows = cart::drafts(&cx, None, 50).await.unwrap().rows;
            let sum: Money = open.lines.iter().map(|l| l.line.quote.month).sum();
            assert_eq!(rows[0].month, sum);
        }
    }

    #[tokio::test]
    async fn of_a_draft_with_a_wrong_line_nothing_is_left() {
        for city in City::all().await {
            let cx = city.cx(&city.clerk);
            let before = cart::drafts(&cx, None, 50).await.unwrap().rows.len();
            let mut wrong = order(&city);
            wrong.lines[1].typed.insert("attach_to".into(), "#3".into());
            match make(&cx, &wrong).await {
                Err(ServiceError::Invalid(fields)) => {
                    assert_eq!(fields[0].field, "lines[1].attach_to");
                }
                other => panic!("{other:?}"),
            }
            wrong.lines[1].item = "C-NOTHING".into();
            match make(&cx, &wrong).await {
                Err(ServiceError::Invalid(fields)) => assert_eq!(fields[0].field, "lines[1].item"),
                other => panic!("{other:?}"),
            }
            assert_eq!(
                cart::drafts(&cx, None, 50).await.unwrap().rows.len(),
                before
            );
        }
    }

    /// The process dies after the commit and before the answer: nobody calls `finish`.
    #[tokio::test]
    async fn the_key_answers_with_the_draft_as_soon_as_the_draft_is_there() {
        for city in City::all().await {
            let keyed = |request: &str| {
                let crypto = &*city.app.crypto;
                let mut cx = city.cx(&city.clerk).with_request(request, None);
                let path = "/api/v1/drafts";
                cx.idempotency = Some(IdempotencyKey::new(crypto, "k", "POST", path, b"{}"));
                cx
            };
            let made = make(&keyed("r1"), &order(&city)).await.unwrap();
            let again = keyed("r2");
            let Seen::Replay { status, response } = idempotency::recall(&again).await.unwrap()
            else {
                panic!("the answer is lost")
            };
            let kept: CartView = serde_json::from_str(&response).unwrap();
            assert_eq!((status, kept), (201, made));
        }
    }
}
